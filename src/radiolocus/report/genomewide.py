"""What the genome-wide pictures are drawn from: places along the genome, loci, and fewer points that look the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from radiolocus.model import Array

__all__ = [
    "GENOME_WIDE",
    "Axis",
    "Scan",
    "axis",
    "best_per_variant",
    "chromosome_order",
    "loci",
    "locus_summary",
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


@dataclass(frozen=True)
class Scan:
    """The view of the summary statistics that the figures use; all rows are read lazily.

    ``frame`` has the columns of ``sumstats/sumstats`` with a known p-value.
    """

    frame: pl.LazyFrame
    axis: Axis
    tests: int
    variants: int
    phenotypes: int

    @classmethod
    def of(cls, frame: pl.LazyFrame) -> Scan | None:
        """Look through the summary statistics once; None when no test has a p-value."""
        known = frame.filter(pl.col(_Y).is_not_null() & pl.col(_Y).is_not_nan())
        sizes = known.select(
            pl.len().alias("tests"), pl.struct(_KEYS).n_unique().alias("variants"), pl.col("phenotype").n_unique()
        ).collect()
        tests, variants, phenotypes = (int(v) for v in sizes.row(0))
        return cls(known, axis(known), tests, variants, phenotypes) if tests else None

    @property
    def bonferroni(self) -> float:
        """−log10 of 0.05 divided by the number of tests."""
        return float(-np.log10(0.05 / self.tests))

    def of_phenotype(self, phenotype: str) -> pl.DataFrame:
        """Variants of one phenotype with their −log10 p."""
        return self.frame.filter(pl.col("phenotype") == phenotype).select(*_KEYS, _Y).collect()

    def above(self, threshold: float, limit: int) -> tuple[pl.DataFrame, int]:
        """The strongest `limit` associations above `threshold`, and how many there are."""
        hits = self.frame.filter(pl.col(_Y) > threshold)
        total = int(hits.select(pl.len()).collect().item())
        order = [_Y, "chromosome", "base_pair_location", "variant_id", "phenotype"]
        top = hits.sort(order, descending=[True, False, False, False, False]).head(limit)
        return top.collect(), total


def best_per_variant(scan: Scan) -> pl.DataFrame:
    """Smallest p-value of every variant over all phenotypes."""
    best = scan.frame.group_by(*_KEYS).agg(pl.col(_Y).max())
    return best.sort(*_KEYS).collect()


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
