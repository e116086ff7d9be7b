"""Weights of polygenic scores from the results of a scan: clump and threshold, and PRS-CS."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import ndtri_exp

from radiolocus.associate.clump import ClumpOptions, Linkage, clumps_of
from radiolocus.associate.results import Beside, kept_of, place_beside, samples_of, whole_rows
from radiolocus.compute import one_thread
from radiolocus.errors import ConfigError, FitError
from radiolocus.genome.ld import read_chosen, windows
from radiolocus.genome.ldscore import standardised
from radiolocus.model import Array
from radiolocus.read.genotypes import AUTOSOMES, GenotypeSource
from radiolocus.stats.prscs import PrscsOptions, prs_cs
from radiolocus.store import digest, write_bytes

__all__ = ["THRESHOLDS", "PolygenicOptions", "Weights", "clump_and_threshold", "ld_blocks", "shrink"]

Whole = npt.NDArray[np.int64]

THRESHOLDS = (5e-8, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.1, 0.5, 1.0)
_LN10 = float(np.log(10.0))
_WEIGHT = (
    "variant_id", "chromosome", "base_pair_location", "effect_allele", "other_allele", "effect_allele_frequency",
)  # fmt: skip


@dataclass(frozen=True)
class PolygenicOptions:
    """Rules of making weights.

    Parameters
    ----------
    thresholds : tuple of float
        p-values up to which leads of clumps enter a score, each its own.
    r2, kilobases : float
        Of clumping (as PRSice: 0.1 and 250).
    min_maf : float
        Rarer variants get no weight.
    block_variants : int
        PRS-CS: about this many variants a block of LD; the cuts lie where the fewest correlations are cut.
    phi : float or None
        PRS-CS: global shrinkage; None learns it.
    iterations, burn_in, thin : int
        PRS-CS: steps of the sampler, those dropped, and of how many one is kept.
    seed : int
        Of the sampler.
    """

    thresholds: tuple[float, ...] = THRESHOLDS
    r2: float = 0.1
    kilobases: float = 250.0
    min_maf: float = 0.01
    block_variants: int = 300
    phi: float | None = None
    iterations: int = 1000
    burn_in: int = 500
    thin: int = 5
    seed: int = 1

    def __post_init__(self) -> None:
        if not self.thresholds or any(not 0 < p <= 1 for p in self.thresholds):
            raise ConfigError(f"thresholds = {self.thresholds}", where="pgs", allowed="p-values above 0, at most 1")
        if not 0 <= self.min_maf < 0.5 or self.block_variants < 10:
            raise ConfigError(
                f"min_maf = {self.min_maf:g}, block_variants = {self.block_variants}", where="pgs",
                allowed="0 or more, below 0.5; 10 or more",
            )  # fmt: skip
        self.clumping()
        self.sampler()

    def clumping(self) -> ClumpOptions:
        """Those of clumping up to the largest threshold."""
        largest = max(self.thresholds)
        return ClumpOptions(p1=largest, p2=1.0, r2=self.r2, kilobases=self.kilobases)

    def sampler(self) -> PrscsOptions:
        """Those of the sampler."""
        return PrscsOptions(self.phi, self.iterations, self.burn_in, self.thin)


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights of one or several scores.

    Parameters
    ----------
    table : polars.DataFrame
        Columns of :class:`radiolocus.read.pgs.ScoreFile` without the weight, ``number`` (in the genotype file) and
        ``neg_log_10_p_value``.
    names : tuple of str
        Of the scores.
    values : ndarray, shape (m, k)
        Weight of the effect allele of `table`; 0 where a variant is in no score.
    told : tuple of str
    """

    table: pl.DataFrame
    names: tuple[str, ...]
    values: Array
    told: tuple[str, ...]

    def of(self, name: str) -> pl.DataFrame:
        """The weights that are not 0 of one score, as a scoring file holds them."""
        column = self.values[:, self.names.index(name)]
        return (
            self.table.select(_WEIGHT)
            .with_columns(effect_weight=pl.Series(column))
            .filter(pl.col("effect_weight") != 0)
        )


def _rows_of(
    root: Path | str, source: GenotypeSource, phenotype: str, options: PolygenicOptions
) -> tuple[Beside, list[str]]:
    """Common autosomal variants of a phenotype beside the genotypes, and what should be known."""
    kept = kept_of(root)
    frequency = pl.col("effect_allele_frequency")
    rows = whole_rows(kept, phenotype).filter(
        pl.col("chromosome").is_in(AUTOSOMES) & (frequency >= options.min_maf) & (frequency <= 1 - options.min_maf)
    )
    beside = place_beside(rows, source)
    if beside.table.height == 0:
        raise FitError("no common autosomal variant", where=phenotype)
    table = beside.table.unique("number", keep="none", maintain_order=True)
    return Beside(table, beside.absent), [
        f"{table.height:,} variants of {phenotype}; {beside.absent:,} are not among the genotypes"
    ]


def clump_and_threshold(
    root: Path | str, source: GenotypeSource, phenotype: str, options: PolygenicOptions | None = None
) -> Weights:
    """One score for each threshold: leads of clumps with p up to it, weighted by their effect.

    Parameters
    ----------
    root : Path or str
        Folder that ``radiolocus gwas`` wrote, with every row of the phenotype.
    source : GenotypeSource
        Of whom LD is taken; see :func:`radiolocus.associate.results.samples_of`.
    phenotype : str
    options : PolygenicOptions, optional

    Returns
    -------
    Weights
        Thresholds without a variant are left out.

    Raises
    ------
    ConfigError
        An unknown phenotype, or one of which rows are missing.
    FitError
        No variant is left.
    """
    options = options or PolygenicOptions()
    beside, notes = _rows_of(root, source, phenotype, options)
    samples = samples_of(Path(root), source)
    notes.insert(0, samples.told)
    leads = []
    for part in beside.table.partition_by("chromosome", maintain_order=True):
        linkage = Linkage(source, samples.rows, part["number"].to_numpy(), haplotype=True)
        found = clumps_of(
            linkage, np.arange(part.height), part["base_pair_location"].to_numpy(),
            part["neg_log_10_p_value"].to_numpy(), options.clumping(),
        )  # fmt: skip
        leads.append(part[[clump.lead for clump in found]])
    table = pl.concat(leads).sort("number")
    log_p = table["neg_log_10_p_value"].to_numpy()
    inside = log_p[:, None] >= -np.log10(np.array(options.thresholds)) - 1e-12
    there = np.flatnonzero(inside.any(axis=0))
    names = tuple(f"p<={options.thresholds[i]:g}" for i in there)
    notes.append(
        f"clumped (r² {options.r2:g}, {options.kilobases:g} kb): "
        + ", ".join(f"{name} {int(inside[:, i].sum()):,}" for name, i in zip(names, there, strict=True))
    )
    return Weights(table, names, inside[:, there] * table["beta"].to_numpy()[:, None], tuple(notes))


def ld_blocks(source: GenotypeSource, rows: Whole, chosen: Whole, size: int) -> list[Whole]:
    """Cut the variants of a chromosome into blocks where the fewest correlations are cut.

    Parameters
    ----------
    source : GenotypeSource
    rows : ndarray of int64, shape (n,)
    chosen : ndarray of int64, shape (m,)
        Numbers in the file, ascending, of one chromosome.
    size : int
        Blocks hold half to three halves of it.

    Returns
    -------
    list of ndarray
        Places in `chosen`. Each cut is the one, of those the sizes leave, across which the sum of r² between variants
        at most `size` apart, less what chance gives, is smallest.
    """
    m, n = chosen.size, rows.size
    low, high = max(size // 2, 1), size + size // 2
    crossing = np.zeros(m + 1)
    position = source.variants["base_pair_location"].to_numpy()[chosen]
    reach = float(
        max((position[min(i + size, m - 1)] - position[i] for i in range(0, m, max(size // 4, 1))), default=0)
    )
    for first, second, left, right in windows(source, rows, chosen, reach, standardised):
        square = np.square(np.asarray(left @ right.T, dtype=np.float64) / n) - 1.0 / n
        apart = second[None, :] - first[:, None]
        square[(apart <= 0) | (apart > size)] = 0.0
        # a pair (i, j) is cut by a boundary before any of i + 1, ..., j
        np.add.at(crossing, first + 1, square.sum(axis=1))
        np.add.at(crossing, second + 1, -square.sum(axis=0))
    cut = np.cumsum(crossing)
    edges = [0]
    while m - edges[-1] > high:
        start, stop = edges[-1] + low, min(edges[-1] + high, m - low)
        edges.append(start + int(np.argmin(cut[start : stop + 1])))
    return [np.arange(a, b) for a, b in zip(edges, [*edges[1:], m], strict=True)]


def shrink(
    root: Path | str,
    source: GenotypeSource,
    phenotype: str,
    options: PolygenicOptions | None = None,
    *,
    units: Path | None = None,
    begin: Callable[[int], None] = lambda _units: None,
    step: Callable[[], None] = lambda: None,
) -> Weights:
    """One score of all variants, their effects shrunk by PRS-CS chromosome by chromosome.

    Parameters
    ----------
    root, source, phenotype, options
        See :func:`clump_and_threshold`.
    units : Path, optional
        Folder where finished chromosomes are kept and taken up by the next call with the same input.
    begin, step : callable, optional
        Told the number of chromosomes, and when one is done.

    Returns
    -------
    Weights
        Per effect allele, in units of the phenotype (log odds of a binary one).

    Notes
    -----
    Marginal effects are z/√n; weights are scaled back by sd(phenotype)/sd(genotype) = se·√(n + z²), as the rows imply.
    Each chromosome has its own seed, φ and σ², as in PRS-CS.
    """
    options = options or PolygenicOptions()
    beside, notes = _rows_of(root, source, phenotype, options)
    samples = samples_of(Path(root), source)
    notes.insert(0, samples.told)
    key = digest(kept_of(root).key, phenotype, options, _names_of(source, samples.rows))
    parts = beside.table.partition_by("chromosome", maintain_order=True)
    begin(len(parts))
    effects, phi = [], []
    for part in parts:
        name = str(part["chromosome"][0])
        file = units / f"{digest(key, name)}.json" if units is not None else None
        if file is not None and file.is_file():
            told = json.loads(file.read_text())
        else:
            with one_thread():
                told = _shrink_chromosome(part, source, samples.rows, int(name), options)
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
                write_bytes(file, json.dumps(told).encode())
        effects.append(np.array(told["beta"]))
        phi.append(told["phi"])
        step()
    table = beside.table
    values = np.concatenate(effects)
    size = table["n"].to_numpy() + np.square((table["beta"] / table["standard_error"]).to_numpy())
    per_allele = values * table["standard_error"].to_numpy() * np.sqrt(size)
    if units is not None and units.is_dir():
        for file in units.glob("*.json"):
            file.unlink()
        units.rmdir()
    notes.append(f"PRS-CS over {len(parts)} chromosomes, φ {min(phi):.2g} to {max(phi):.2g}, seed {options.seed}")
    return Weights(table, ("PRS-CS",), per_allele[:, None], tuple(notes))


def _names_of(source: GenotypeSource, rows: Whole) -> str:
    names = [Path(source.path).name, *(source.sample_ids[i] for i in rows)]
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def _shrink_chromosome(
    part: pl.DataFrame, source: GenotypeSource, rows: Whole, chromosome: int, options: PolygenicOptions
) -> dict[str, object]:
    numbers = part["number"].to_numpy()
    log_p = part["neg_log_10_p_value"].to_numpy()
    n = part["n"].to_numpy().astype(np.float64)
    # as of a normal, so that a t of few degrees of freedom is no larger than it should be
    z = -ndtri_exp(-log_p * _LN10 - np.log(2.0)) * np.sign(part["beta"].to_numpy())
    # LD of the alleles that the rows count, so that the draws do not depend on which allele the file counts
    sign = part["sign"].to_numpy().astype(np.float64)[:, None]
    blocks = []
    varies = np.zeros(part.height, dtype=np.bool_)
    order = ld_blocks(source, rows, numbers, options.block_variants)
    for block in order:
        scaled = standardised(read_chosen(source, rows, numbers[block])).astype(np.float64) * sign[block]
        inside = np.square(scaled).sum(axis=1) > 0
        varies[block] = inside
        if inside.any():
            blocks.append(scaled[inside] @ scaled[inside].T / rows.size)
    beta = np.zeros(part.height)
    if not varies.any():
        return {"beta": beta.tolist(), "phi": 0.0, "sigma": 1.0}
    rng = np.random.default_rng(np.random.SeedSequence([options.seed, chromosome]))
    found = prs_cs((z / np.sqrt(n))[varies], blocks, float(np.median(n)), rng, options.sampler())
    beta[varies] = found.beta
    return {"beta": beta.tolist(), "phi": found.phi, "sigma": found.sigma}
