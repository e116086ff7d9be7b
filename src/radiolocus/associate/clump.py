"""Clumps and loci: associated variants gathered around the strongest by linkage disequilibrium, as PLINK 1.9 does.

::

    sumstats/clumps.parquet    lead variants with their clump, phenotype by phenotype and over all phenotypes
    sumstats/loci.parquet      clumps of all phenotypes merged, with the phenotypes each locus touches
    sumstats/clump.json        options, the scan they are of, and what should be known
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.associate.results import Kept, kept_of, place_beside, samples_of, strong_rows
from radiolocus.associate.summary import GENOME_WIDE
from radiolocus.errors import ConfigError
from radiolocus.genome.ld import read_chosen
from radiolocus.kernels.linkage import lead_r2
from radiolocus.kernels.packed import pack_by_variant
from radiolocus.kernels.quality import hard_calls
from radiolocus.model import Array
from radiolocus.read.genotypes import AUTOSOMES, GenotypeSource
from radiolocus.schema import TABLES, conform, empty
from radiolocus.store import locked, versions, write_json, write_table

__all__ = ["Clump", "ClumpOptions", "Clumped", "Linkage", "clump", "clumps_of", "merge_clumps", "write_clumps"]

Whole = npt.NDArray[np.int64]
_BLOCK = 1024


@dataclass(frozen=True)
class ClumpOptions:
    """Rules of clumping.

    Parameters
    ----------
    p1 : float
        Largest p-value of a lead variant (``--clump-p1``).
    p2 : float
        Variants with a smaller p-value may join a clump (``--clump-p2``).
    r2 : float
        Variants correlated with the lead beyond this join its clump (``--clump-r2``).
    kilobases : float
        Only those nearer to the lead than this (``--clump-kb``).
    merge_kilobases : float
        Clumps of any phenotype that overlap, or lie at most this far apart, are one locus.
    measure : {"haplotype", "genotype"}
        r² of the alleles on a haplotype, from the likeliest haplotype frequencies, as PLINK's ``--clump`` takes it; or
        of the genotypes. Off the autosomes, where men have one copy, always of the genotypes.
    """

    p1: float = 5e-8
    p2: float = 1e-5
    r2: float = 0.1
    kilobases: float = 1000.0
    merge_kilobases: float = 250.0
    measure: Literal["haplotype", "genotype"] = "haplotype"

    def __post_init__(self) -> None:
        where = "clump"
        if not 0 < self.p1 <= self.p2 <= 1:
            raise ConfigError(f"p1 = {self.p1:g}, p2 = {self.p2:g}", where=where, allowed="0 < p1 ≤ p2 ≤ 1")
        if not 0 <= self.r2 < 1:
            raise ConfigError(f"r2 = {self.r2:g}", where=where, allowed="0 or more, below 1")
        if self.kilobases <= 0 or self.merge_kilobases < 0:
            raise ConfigError(
                f"kilobases = {self.kilobases:g}, merge_kilobases = {self.merge_kilobases:g}", where=where,
                allowed="above 0; 0 or more",
            )  # fmt: skip
        if self.measure not in ("haplotype", "genotype"):
            raise ConfigError(f"measure = '{self.measure}'", where=where, allowed="haplotype, genotype")


class Linkage:
    """Hard calls of the variants of a chromosome at two bits each, from which r² of a lead with others is counted.

    Parameters
    ----------
    source : GenotypeSource
    rows : ndarray of int64, shape (n,)
        Samples.
    chosen : ndarray of int64, shape (m,)
        Numbers of the variants in the file, ascending.
    haplotype : bool
        See :attr:`ClumpOptions.measure`.
    """

    def __init__(self, source: GenotypeSource, rows: Whole, chosen: Whole, *, haplotype: bool) -> None:
        words = (rows.size + 63) // 64
        self._one, self._two = (np.zeros((chosen.size, words), dtype=np.uint64) for _ in range(2))
        self._haplotype = haplotype
        for start in range(0, chosen.size, _BLOCK):
            part = slice(start, min(start + _BLOCK, chosen.size))
            dosage = read_chosen(source, rows, chosen[part])
            calls = np.empty(dosage.shape, dtype=np.int8)
            hard_calls(dosage, calls)
            pack_by_variant(calls, self._one[part], self._two[part])

    def r2(self, lead: int, others: Whole) -> Array:
        """r² of variant `lead` with `others`, by their place in `chosen`; NaN where one does not vary."""
        out = np.empty(others.size)
        lead_r2(self._one, self._two, lead, np.ascontiguousarray(others), self._haplotype, out)
        return out


@dataclass(frozen=True, eq=False)
class Clump:
    """A lead and the variants clumped with it, by their place among the candidates; members by position."""

    lead: int
    members: Whole


def clumps_of(linkage: Linkage, place: Whole, position: Whole, log_p: Array, options: ClumpOptions) -> list[Clump]:
    """Clump the variants of one phenotype on one chromosome.

    Parameters
    ----------
    linkage : Linkage
    place : ndarray of int64, shape (k,)
        Place of each candidate in `linkage`.
    position : ndarray of int64, shape (k,)
        Ascending.
    log_p : ndarray, shape (k,)
        −log10 p.
    options : ClumpOptions

    Returns
    -------
    list of Clump
        Strongest lead first. Each variant belongs to one clump at most: that of the strongest lead it goes with. Of
        equally strong leads the first in the genome goes before.

    Notes
    -----
    As ``plink1.9 --clump`` (v1.90b6.26): a lead has p ≤ p1; p < p2, r² > limit and distance < kilobases join it.
    """
    free = np.ones(place.size, dtype=np.bool_)
    # what may be a lead and what may join one; 1e-12 of rounding between p and its logarithm
    first, second = -np.log10(options.p1) - 1e-12, -np.log10(options.p2) + 1e-12
    reach = 1000 * options.kilobases
    found = []
    for lead in np.argsort(-log_p, kind="stable"):
        if log_p[lead] < first:
            break
        if not free[lead]:
            continue
        free[lead] = False
        start = np.searchsorted(position, position[lead] - reach, side="right")
        stop = np.searchsorted(position, position[lead] + reach, side="left")
        near = np.flatnonzero(free[start:stop]) + start
        r2 = linkage.r2(int(place[lead]), place[near])
        # a variant beyond p2 is taken too: it can be no lead (p1 ≤ p2), and is not told as a member
        with np.errstate(invalid="ignore"):
            joined = near[r2 > options.r2]
        free[joined] = False
        found.append(Clump(int(lead), joined[log_p[joined] > second]))
    return found


@dataclass(frozen=True, eq=False)
class Clumped:
    """Tables ``sumstats/clumps`` and ``sumstats/loci``, and lines that should be known."""

    clumps: pl.DataFrame
    loci: pl.DataFrame
    told: tuple[str, ...]


def clump(
    root: Path | str, source: GenotypeSource, options: ClumpOptions | None = None, *, phenotypes: Sequence[str] = ()
) -> Clumped:
    """Clump the results of a scan, phenotype by phenotype and over all phenotypes, and merge the clumps into loci.

    Parameters
    ----------
    root : Path or str
        Folder that ``radiolocus gwas`` wrote.
    source : GenotypeSource
        The scanned genotypes, or a reference of their build and ancestry.
    options : ClumpOptions, optional
    phenotypes : sequence of str
        Default: all.

    Returns
    -------
    Clumped

    Raises
    ------
    ConfigError
        An unknown phenotype, or p1 above the p-value up to which rows were kept.
    StoreError
        The folder holds no finished scan.
    TableError
        None of the variants is among the genotypes.
    """
    options = options or ClumpOptions()
    kept = kept_of(root)
    names = kept.check(phenotypes)
    notes = _within_kept(kept, names, options)
    samples = samples_of(kept.root, source)
    rows = strong_rows(kept, options.p2, names)
    beside = place_beside(rows, source)
    if beside.absent:
        notes.append(f"{beside.absent:,} variants with p ≤ {options.p2:g} are not among the genotypes and left out")
    limit = GENOME_WIDE / max(kept.effective_phenotypes, 1.0)
    told = (samples.told, *notes, _thresholds(kept, names, limit))
    by_chromosome = beside.table.partition_by("chromosome", maintain_order=True)
    clumps = [found for part in by_chromosome for found in _of_chromosome(part, source, samples.rows, names, options)]
    if not sum(found.height for found in clumps):
        return Clumped(empty("sumstats/clumps"), empty("sumstats/loci"), told)
    return Clumped(*merge_clumps(pl.concat(clumps), options.merge_kilobases, limit), told)


def _within_kept(kept: Kept, names: Sequence[str], options: ClumpOptions) -> list[str]:
    cut = [name for name in names if not kept.whole(name)]
    if cut and options.p1 > kept.p_value:
        raise ConfigError(
            f"p1 = {options.p1:g}, but rows of '{cut[0]}' were kept up to p = {kept.p_value:g}", where="clump",
            allowed="at most that", todo="lower p1, or scan again with a larger --p-value",
        )  # fmt: skip
    if cut and options.p2 > kept.p_value:
        return [
            f"rows of {len(cut):,} phenotypes were kept up to p = {kept.p_value:g}: variants between that and "
            f"{options.p2:g} are no members of clumps, whose leads are the same without them"
        ]
    return []


def _thresholds(kept: Kept, names: Sequence[str], limit: float) -> str:
    return (
        f"{kept.tests:,} tests of {len(kept.phenotypes):,} phenotypes were made ({len(names):,} clumped): 5e-8 over "
        f"{kept.effective_phenotypes:.1f} effective phenotypes is {limit:.2g}, Bonferroni over all tests "
        f"{0.05 / max(kept.tests, 1):.2g}"
    )


def _of_chromosome(
    part: pl.DataFrame, source: GenotypeSource, rows: Whole, names: Sequence[str], options: ClumpOptions
) -> Iterator[pl.DataFrame]:
    """Clumps of one chromosome: over all phenotypes, then of each that has a lead there."""
    ordered = part.sort("base_pair_location", "number", maintain_order=True)
    numbers = np.unique(part["number"].to_numpy())
    haplotype = options.measure == "haplotype" and part["chromosome"][0] in AUTOSOMES
    linkage = Linkage(source, rows, numbers, haplotype=haplotype)
    strongest = ordered.sort("base_pair_location", "number", -pl.col("neg_log_10_p_value"), maintain_order=True)
    strongest = strongest.unique("number", keep="first", maintain_order=True)
    yield _told_clumps(strongest.with_columns(phenotype=pl.lit(None, pl.String)), linkage, numbers, options)
    by_name = ordered.partition_by("phenotype", as_dict=True)
    for name in names:
        if (name,) in by_name:
            yield _told_clumps(by_name[(name,)], linkage, numbers, options)


def _told_clumps(rows: pl.DataFrame, linkage: Linkage, numbers: Whole, options: ClumpOptions) -> pl.DataFrame:
    position = rows["base_pair_location"].to_numpy()
    place = np.searchsorted(numbers, rows["number"].to_numpy())
    found = clumps_of(linkage, place, position, rows["neg_log_10_p_value"].to_numpy(), options)
    own = [np.append(c.members, c.lead) for c in found]
    return rows[[c.lead for c in found]].with_columns(
        pl.Series("members", [c.members.size for c in found], dtype=pl.Int64),
        pl.Series("start", [int(position[o].min()) for o in own], dtype=pl.Int64),
        pl.Series("stop", [int(position[o].max()) for o in own], dtype=pl.Int64),
        pl.Series("numbers", [numbers[place[o]].tolist() for o in own], dtype=pl.List(pl.Int64)),
    )


def merge_clumps(clumps: pl.DataFrame, kilobases: float, limit: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Merge clumps of any phenotype into loci.

    Parameters
    ----------
    clumps : polars.DataFrame
        Columns of ``sumstats/clumps`` but the locus, and ``numbers``, the variants of each clump.
    kilobases : float
        Clumps that overlap, or whose nearest ends are at most this far apart, are one locus.
    limit : float
        p-value of the column ``effective``.

    Returns
    -------
    tuple of polars.DataFrame
        Tables ``sumstats/clumps`` (by locus, then strongest first) and ``sumstats/loci``.
    """
    places = {name: i for i, name in enumerate(clumps["chromosome"].unique(maintain_order=True))}
    ordered = clumps.with_columns(pl.col("chromosome").replace_strict(places, return_dtype=pl.Int64).alias("order"))
    ordered = ordered.sort("order", "start", "stop", maintain_order=True)
    reached = pl.col("stop").cum_max().shift().over("order")
    new = reached.is_null() | (pl.col("start") - reached > 1000 * kilobases)
    ordered = ordered.with_columns(new.cum_sum().cast(pl.Int64).alias("locus"))
    ordered = ordered.sort("locus", -pl.col("neg_log_10_p_value"), "base_pair_location", maintain_order=True)
    alone, joint = ordered.filter(pl.col("phenotype").is_not_null()), ordered.filter(pl.col("phenotype").is_null())
    names = alone.group_by("locus", maintain_order=True).agg(
        pl.col("phenotype").first().alias("top_phenotype"),
        pl.col("phenotype").n_unique().cast(pl.Int64).alias("n_phenotypes"),
        pl.col("phenotype").unique(maintain_order=True).str.join(";").alias("phenotypes"),
        *(pl.col(name).first() for name in ("variant_id", "base_pair_location", "effect_allele", "other_allele")),
        pl.col("neg_log_10_p_value").first(),
    )
    extent = ordered.group_by("locus", maintain_order=True).agg(
        pl.col("chromosome").first(),
        pl.col("start").min(),
        pl.col("stop").max(),
        pl.col("numbers").explode().n_unique().cast(pl.Int64).alias("variants"),
    )
    loci = (
        extent.join(names, on="locus", maintain_order="left")
        .join(joint.group_by("locus").agg(pl.len().cast(pl.Int64).alias("independent")), on="locus", how="left")
        .with_columns(
            pl.col("independent").fill_null(0),
            (pl.col("neg_log_10_p_value") >= -np.log10(limit)).alias("effective"),
        )
        .rename({"variant_id": "lead_variant"})
    )
    return _only(ordered, "sumstats/clumps"), _only(loci, "sumstats/loci")


def _only(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    return conform(frame.select(list(TABLES[name].schema)), name)


def write_clumps(
    root: Path | str, source: GenotypeSource, options: ClumpOptions | None = None, *, phenotypes: Sequence[str] = ()
) -> Clumped:
    """Clump as :func:`clump` does and write ``sumstats/clumps`` and ``sumstats/loci`` beside the results.

    Raises
    ------
    StoreError
        The folder holds no finished scan, is in use, or cannot be written; and what :func:`clump` raises.
    """
    options = options or ClumpOptions()
    kept = kept_of(root)
    with locked(kept.root):
        found = clump(root, source, options, phenotypes=phenotypes)
        write_table(kept.root, "sumstats/clumps", found.clumps)
        write_table(kept.root, "sumstats/loci", found.loci)
        told = {"scan": kept.key, "genotypes": Path(source.path).name, "phenotypes": list(phenotypes)}
        write_json(
            kept.root / "sumstats/clump.json",
            told | {"options": asdict(options), "told": list(found.told), "versions": versions()},
        )
    return found
