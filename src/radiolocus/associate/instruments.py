"""Instruments of Mendelian randomisation: chosen from the exposure, found in the outcome, brought to one direction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from radiolocus.associate.clump import ClumpOptions, Linkage, clumps_of
from radiolocus.associate.results import kept_of, place_beside, samples_of
from radiolocus.errors import ConfigError, TableError
from radiolocus.genome.alleles import AlleleOptions, align
from radiolocus.model import Problem
from radiolocus.read.genotypes import GenotypeSource
from radiolocus.read.sumstats import COLUMNS, SumstatsSource, set_aside_duplicates

__all__ = ["Harmonised", "Traits", "choose", "harmonise", "listed", "open_traits", "outcome_rows"]

Match = Literal["position", "variant_id"]


@dataclass(frozen=True, eq=False)
class Traits:
    """Associations of one or more traits, read as far as they are wanted.

    Parameters
    ----------
    name : str
        Of the file or folder.
    names : tuple of str
        Traits.
    root : Path or None
        Folder of a scan, where LD is taken from its subjects.
    source : SumstatsSource or None
    whole : tuple of str
        Traits of which every row is there.
    p_value : float
        Rows at most this large are there of every trait.
    """

    name: str
    names: tuple[str, ...]
    root: Path | None
    source: SumstatsSource | None
    whole: tuple[str, ...]
    p_value: float

    @property
    def assembly(self) -> str:
        """Genome assembly that is declared."""
        return self.source.assembly if self.source is not None else ""

    def rows(self, rule: pl.Expr) -> dict[str, pl.DataFrame]:
        """Rows of each trait that keep to a rule, columns of :data:`radiolocus.read.sumstats.COLUMNS`."""
        wanted = rule & pl.col("beta").is_finite() & (pl.col("standard_error") > 0)
        if self.source is not None:
            parts = [batch.filter(wanted) for batch in self.source.batches()]
            return {self.names[0]: pl.concat(parts) if parts else pl.DataFrame(schema=COLUMNS)}
        files = sorted((Path(str(self.root)) / "sumstats").glob("chromosome=*/part.parquet"))
        kept = wanted & pl.col("phenotype").is_in(list(self.names))
        frames = [pl.scan_parquet(f, hive_partitioning=False).filter(kept).collect() for f in files]
        found = pl.concat(frames).select("phenotype", *(pl.col(n).cast(kind) for n, kind in COLUMNS.items()))
        return {name: found.filter(pl.col("phenotype") == name).drop("phenotype") for name in self.names}

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What reading found."""
        return self.source.problems if self.source is not None else ()


def open_traits(
    path: Path | str, phenotypes: Sequence[str] = (), columns: Mapping[str, str] | None = None, name: str = ""
) -> Traits:
    """Open a folder that ``radiolocus gwas`` or ``meta`` wrote, or a file of summary statistics.

    Parameters
    ----------
    path : Path or str
    phenotypes : sequence of str
        Of a folder; all without.
    columns : mapping, optional
        Of a file; see :class:`radiolocus.read.sumstats.SumstatsSource`.
    name : str
        What the trait of a file is called; default: the name of the file.

    Raises
    ------
    ConfigError, FormatError, StoreError
        What cannot be read, or a phenotype that is not there.
    """
    place = Path(path)
    if place.is_dir():
        kept = kept_of(place)
        names = kept.check(phenotypes)
        return Traits(place.name, names, place, None, tuple(n for n in names if kept.whole(n)), kept.p_value)
    source = SumstatsSource(place, columns)
    own = name or (phenotypes[0] if phenotypes else place.name.split(".")[0])
    return Traits(place.name, (own,), None, source, (own,), 1.0)


def choose(
    rows: pl.DataFrame, source: GenotypeSource | None, root: Path | None, r2: float, kilobases: float
) -> pl.DataFrame:
    """Keep the strongest variants that are independent.

    Parameters
    ----------
    rows : polars.DataFrame
        Candidates of one trait.
    source : GenotypeSource or None
        Where LD is taken from; without it the strongest variant of each stretch of `kilobases` to either side is kept.
    root : Path or None
        Folder of the scan whose subjects LD is taken from.
    r2, kilobases : float

    Returns
    -------
    polars.DataFrame
        Rows that are kept, by chromosome and position.

    Raises
    ------
    TableError
        A variant without a position.
    """
    if rows.height < 2:
        return rows
    if rows["base_pair_location"].null_count():
        raise TableError(
            "variants without a position", where="the exposure", todo="name the instruments: --instruments FILE"
        )
    if source is None:
        return _apart(rows, kilobases * 1000)
    options = ClumpOptions(p1=1.0, p2=1.0, r2=r2, kilobases=kilobases, measure="genotype")
    beside = place_beside(rows, source).table
    samples = samples_of(root, source).rows if root is not None else np.arange(len(source.sample_ids), dtype=np.int64)
    kept = []
    for _, part in beside.group_by("chromosome", maintain_order=True):
        numbers = part["number"].to_numpy()
        linkage = Linkage(source, samples, numbers, haplotype=False)
        place = np.arange(part.height, dtype=np.int64)
        positions = part["base_pair_location"].to_numpy()
        found = clumps_of(linkage, place, positions, part["neg_log_10_p_value"].to_numpy(), options)
        kept.append(part[sorted(clump.lead for clump in found)])
    return pl.concat(kept).select(rows.columns)


def _apart(rows: pl.DataFrame, distance: float) -> pl.DataFrame:
    """Strongest first, each far from those before it."""
    order = rows.with_row_index("row").sort(
        ["neg_log_10_p_value", "chromosome", "base_pair_location"], descending=[True, False, False]
    )
    taken: dict[str, list[int]] = {}
    kept = []
    for row, chromosome, place in order.select("row", "chromosome", "base_pair_location").iter_rows():
        near = taken.setdefault(chromosome, [])
        if all(abs(place - other) > distance for other in near):
            near.append(place)
            kept.append(row)
    return rows[sorted(kept)]


@dataclass(frozen=True, eq=False)
class Harmonised:
    """Instruments with both effects per copy of one allele, and how often each outcome of the alleles came up."""

    rows: pl.DataFrame
    counts: pl.DataFrame


def harmonise(exposure: pl.DataFrame, outcome: pl.DataFrame, match: Match, alleles: AlleleOptions) -> Harmonised:
    """Bring the outcome to the alleles of the exposure.

    Parameters
    ----------
    exposure, outcome : polars.DataFrame
        Columns of :data:`radiolocus.read.sumstats.COLUMNS`.
    match : {"position", "variant_id"}
    alleles : AlleleOptions

    Returns
    -------
    Harmonised
        Rows of the exposure that the outcome has, with ``beta_outcome``, ``standard_error_outcome``, ``n_outcome`` and
        ``harmonised``.
    """
    found = align(exposure, outcome, on=match, options=alleles)
    told = found.rows
    place = told["reference_row"].cast(pl.Int64)
    rows = exposure.with_columns(told["outcome"].alias("harmonised"), told["sign"], place.alias("place"))
    rows = rows.filter(pl.col("sign") != 0)
    at = rows["place"]
    return Harmonised(
        rows.with_columns(
            (outcome["beta"].gather(at) * rows["sign"]).alias("beta_outcome"),
            outcome["standard_error"].gather(at).alias("standard_error_outcome"),
            outcome["n"].gather(at).alias("n_outcome"),
        ).drop("sign", "place"),
        found.counts,
    )


def outcome_rows(
    traits: Traits, instruments: Sequence[pl.DataFrame], match: Match
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Rows of the outcome at the instruments, trait by trait."""
    for name in traits.names:
        if name not in traits.whole:
            raise ConfigError(
                f"only rows of '{name}' with p ≤ {traits.p_value:g} were kept", where=traits.name,
                allowed="an outcome of which every row is there",
                todo="scan again with --p-value 1, or --all-rows: variants without effect on the outcome count too",
            )  # fmt: skip
    wanted = pl.concat(list(instruments)) if instruments else pl.DataFrame(schema=COLUMNS)
    if match == "variant_id":
        rule = pl.col("variant_id").is_in(wanted["variant_id"].drop_nulls().unique().to_list())
    else:
        rule = pl.col("base_pair_location").is_in(wanted["base_pair_location"].unique().to_list())
    for name, rows in traits.rows(rule).items():
        yield name, set_aside_duplicates(rows, traits.name)[0]


def listed(rows: pl.DataFrame, names: Sequence[str], where: str) -> pl.DataFrame:
    """Rows of the variants that a list names.

    Raises
    ------
    TableError
        None of them is there.
    """
    found = rows.filter(pl.col("variant_id").is_in(list(names)))
    if not found.height:
        raise TableError(f"none of the {len(names)} instruments that are listed", where=where, allowed="their ids")
    return found
