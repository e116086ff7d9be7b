"""What the genome-wide pictures are drawn from: places along the genome, loci, and fewer points that look the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from radiolocus.model import Array
from radiolocus.store import read_json, read_table

__all__ = [
    "GENOME_WIDE",
    "Axis",
    "Scan",
    "axis",
    "chromosome_order",
    "loci",
    "locus_summary",
    "ordered_p_values",
    "thin",
]

GENOME_WIDE = 7.301029995663981
"""−log10 of 5e-8."""

LOCUS_BP = 500_000
_KEYS = ("chromosome", "base_pair_location", "variant_id")
_Y = "neg_log_10_p_value"
_NAMED = {"X": 23, "Y": 24, "XY": 25, "M": 26, "MT": 26}


def chromosome_order(names: list[str]) -> list[str]:
    """Sort chromosome names as a karyotype: numbers, X, Y, XY, MT, then whatever else by name.

    >>> chromosome_order(["X", "10", "chr2", "MT", "1"])
    ['1', 'chr2', '10', 'X', 'MT']
    """

    def key(name: str) -> tuple[int, str]:
        bare = name.upper().removeprefix("CHR")
        return (int(bare) if bare.isdigit() else _NAMED.get(bare, 999), name)

    return sorted(names, key=key)


@dataclass(frozen=True)
class Axis:
    """Chromosomes side by side: `start` and `stop` of each in running base pairs."""

    names: tuple[str, ...]
    start: Array
    stop: Array

    @property
    def length(self) -> float:
        """Where the last chromosome ends."""
        return float(self.stop[-1])

    def place(self, frame: pl.DataFrame) -> tuple[Array, Array]:
        """Running position and index of the chromosome of every row."""
        index = {name: i for i, name in enumerate(self.names)}
        at = frame["chromosome"].replace_strict(index, return_dtype=pl.Int64).to_numpy()
        return self.start[at] + frame["base_pair_location"].to_numpy(), at


def axis(variants: pl.LazyFrame) -> Axis:
    """Lay the chromosomes out, each as long as its last variant, with a small gap between them."""
    ends = variants.group_by("chromosome").agg(pl.col("base_pair_location").max()).collect()
    last = dict(ends.iter_rows())
    names = chromosome_order(list(last))
    sizes = np.array([max(1, last[n]) for n in names], dtype=float)
    gap = 0.006 * sizes.sum() if len(names) > 1 else 0.0
    start = np.concatenate([[0.0], np.cumsum(sizes + gap)[:-1]])
    return Axis(tuple(names), start, start + sizes)


@dataclass(frozen=True, eq=False)
class Scan:
    """A finished scan as the figures see it: what was counted of all tests, and the rows that were kept.

    Parameters
    ----------
    root : Path
        Folder of the results.
    summary : polars.DataFrame
        Table ``sumstats/summary``.
    best : polars.DataFrame
        Every variant with a test: its place and the smallest p-value over all phenotypes, and whose it is.
    axis : Axis
    tests : int
        Tests that were made, kept or not.
    floor : float
        Rows with −log10 p below were not kept, but for phenotypes in `whole`.
    whole : frozenset of str
        Phenotypes of which every row was kept.
    effective : float
        Effective number of phenotypes (Li and Ji); NaN where it is not known.
    binary : bool
        Phenotypes are cases and controls.
    """

    root: Path
    summary: pl.DataFrame
    best: pl.DataFrame
    axis: Axis
    tests: int
    floor: float
    whole: frozenset[str]
    effective: float
    binary: bool

    @classmethod
    def of(cls, root: Path) -> Scan | None:
        """Look at the results below `root`; None when there is no scan, or when no test has a p-value."""
        summary, places = read_table(root, "sumstats/summary"), root / "sumstats/variants.parquet"
        if summary is None or not places.is_file() or not _rows_file(root).is_file():
            return None
        # Ten million variants: only what is drawn is read.
        known = pl.scan_parquet(places).filter(pl.col("top_neg_log_10_p_value").is_not_null())
        best = known.select(
            *_KEYS, pl.col("top_phenotype").alias("phenotype"), pl.col("top_neg_log_10_p_value").alias(_Y)
        ).collect()
        if not best.height:
            return None
        options, told = (read_json(root, f"sumstats/{name}.json") or {} for name in ("options", "told"))
        keep = options.get("keep", {})
        p_value = float(keep.get("p_value", 1.0))
        names = summary["phenotype"].to_list() if p_value >= 1 else keep.get("all_rows", [])
        floor = float(-np.log10(p_value)) + 0.0
        effective = float(told.get("effective_li_ji", np.nan))
        tests = int(summary["tests"].sum())
        return cls(
            root, summary, best, axis(best.lazy()), tests, floor, frozenset(names), effective, "binary" in options
        )

    @property
    def rows(self) -> pl.LazyFrame:
        """Rows that were kept, phenotype by phenotype: table ``sumstats/sumstats`` or ``sumstats/binary``."""
        return pl.scan_parquet(_rows_file(self.root), hive_partitioning=False)

    @property
    def variants(self) -> int:
        """Variants with a test."""
        return self.best.height

    @property
    def phenotypes(self) -> int:
        """Phenotypes that were analysed."""
        return self.summary.height

    @property
    def bonferroni(self) -> float:
        """−log10 of 0.05 divided by the number of tests."""
        return float(-np.log10(0.05 / self.tests))

    @property
    def per_effective(self) -> float:
        """−log10 of 5e-8 divided by the effective number of phenotypes; NaN where that is not known."""
        return GENOME_WIDE + float(np.log10(max(self.effective, 1.0)))

    def floor_of(self, phenotype: str) -> float:
        """−log10 p below which rows of a phenotype were not kept."""
        return 0.0 if phenotype in self.whole else self.floor

    def of_phenotype(self, phenotype: str) -> pl.DataFrame:
        """Kept variants of one phenotype with their −log10 p, and the direction of the effect."""
        found = self.rows.filter(pl.col("phenotype") == phenotype)
        return found.select(*_KEYS, _Y, "beta").collect().sort(*_KEYS)

    def above(self, threshold: float, limit: int) -> tuple[pl.DataFrame, int]:
        """The strongest `limit` kept associations above `threshold`, and how many there are."""
        hits = self.rows.filter(pl.col(_Y) > threshold)
        total = int(hits.select(pl.len()).collect().item())
        order = [_Y, "chromosome", "base_pair_location", "variant_id", "phenotype"]
        top = hits.sort(order, descending=[True, False, False, False, False], nulls_last=True).head(limit)
        return top.collect(), total

    def counted(self, phenotype: str | None) -> pl.DataFrame:
        """Bins of −log10 p of one phenotype, or of all together: columns lower, upper and tests."""
        table = pl.scan_parquet(self.root / "sumstats/histogram.parquet")
        if phenotype is not None:
            table = table.filter(pl.col("phenotype") == phenotype)
        return table.group_by("lower", "upper").agg(pl.col("tests").sum()).sort("lower").collect()


def _rows_file(root: Path) -> Path:
    return root / "sumstats/by_phenotype/part.parquet"


def ordered_p_values(scan: Scan, phenotype: str | None, most: int = 2000) -> tuple[Array, Array, int]:
    """Ranks and −log10 p of the tests of a phenotype (None: of all), the smallest p-values first.

    The rows that were kept give their own values, thinned on the logarithmic axis. The others are known from their
    bins: as many tests as the histogram holds from an edge upwards have at least the −log10 p of that edge.

    Returns
    -------
    rank : ndarray
    value : ndarray
    tests : int
    """
    bins = scan.counted(phenotype)
    tests = int(bins["tests"].sum())
    rows = scan.rows if phenotype is None else scan.rows.filter(pl.col("phenotype") == phenotype)
    floor = scan.floor if phenotype is None else scan.floor_of(phenotype)
    known = rows.filter(pl.col(_Y) >= floor).select(_Y).collect().to_series().drop_nulls()
    exact = known.sort(descending=True).to_numpy()
    rank = _ranks(exact.size, most) if exact.size else np.empty(0)
    value = exact[rank.astype(np.int64) - 1]
    edges, above = bins["lower"].to_numpy(), np.cumsum(bins["tests"].to_numpy()[::-1])[::-1]
    rest = np.flatnonzero((above > exact.size) & (edges < floor))
    rank, value = np.append(rank, above[rest][::-1]), np.append(value, edges[rest][::-1])
    return rank.astype(np.float64), value, tests


def _ranks(tests: int, every: int = 400, steps: int = 400) -> Array:
    """All of the first ranks, then ranks evenly spaced on the logarithmic axis."""
    spaced = np.geomspace(1, tests, steps).round() if tests > every else np.empty(0)
    return np.union1d(np.arange(1, min(tests, every) + 1, dtype=float), spaced)


def thin(x: Array, y: Array, keep_above: float, columns: int = 1600, rows: int = 500) -> Array:
    """Choose one point per cell of a grid finer than the printed picture; everything above `keep_above` stays.

    Returns
    -------
    ndarray of int
        Indices of the chosen points, ascending. The same points give the same choice.
    """
    if not len(x):
        return np.empty(0, dtype=np.int64)
    span_x, span_y = max(float(np.ptp(x)), 1.0), max(float(y.max()), 1e-9)
    cell = np.floor((x - x.min()) / span_x * columns) * (rows + 1) + np.floor(y / span_y * rows)
    _, first = np.unique(cell.astype(np.int64), return_index=True)
    return np.union1d(first, np.flatnonzero(y > keep_above))


def loci(hits: pl.DataFrame, limit: int, window: int = LOCUS_BP) -> pl.DataFrame:
    """Strongest variant of each locus: a variant within `window` base pairs of a stronger one belongs to its locus.

    Distance, not linkage disequilibrium: two independent signals at one place count as one.
    """
    ordered = hits.sort([_Y, "chromosome", "base_pair_location"], descending=[True, False, False])
    taken: dict[str, list[int]] = {}
    rows = []
    for i, (chromosome, position) in enumerate(ordered.select("chromosome", "base_pair_location").iter_rows()):
        near = taken.setdefault(chromosome, [])
        if all(abs(position - p) > window for p in near):
            near.append(position)
            rows.append(i)
            if len(rows) == limit:
                break
    return ordered[rows]


def locus_summary(hits: pl.DataFrame, leads: pl.DataFrame, window: int = LOCUS_BP) -> pl.DataFrame:
    """Count what lies in each locus.

    Parameters
    ----------
    hits : polars.DataFrame
        Associations above the threshold.
    leads : polars.DataFrame
        :func:`loci` of the same hits, strongest first: a hit belongs to the first lead within `window`.

    Returns
    -------
    polars.DataFrame
        `leads` with ``variants`` and ``phenotypes``, the distinct ones among the hits of the locus.
    """
    place = pl.lit(None, pl.Int64)
    for i, (chromosome, position) in reversed(
        list(enumerate(leads.select("chromosome", "base_pair_location").iter_rows()))
    ):
        near = (pl.col("chromosome") == chromosome) & ((pl.col("base_pair_location") - position).abs() <= window)
        place = pl.when(near).then(i).otherwise(place)
    counts = (
        hits.with_columns(place.alias("locus"))
        .group_by("locus")
        .agg(pl.struct(_KEYS).n_unique().alias("variants"), pl.col("phenotype").n_unique().alias("phenotypes"))
    )
    return (
        leads.with_row_index("locus")
        .with_columns(pl.col("locus").cast(pl.Int64))
        .join(counts, on="locus", how="left", maintain_order="left")
    )
