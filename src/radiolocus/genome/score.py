"""Polygenic scores of samples: Σ weight × copies of the effect allele, as ``--score`` of PLINK 2."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import ConfigError, TableError
from radiolocus.genome.alleles import AlleleOptions, align
from radiolocus.genome.ld import read_chosen
from radiolocus.model import Array
from radiolocus.read.genotypes import GenotypeSource

__all__ = ["Matched", "ScoreOptions", "Scores", "match_weights", "score"]

Whole = npt.NDArray[np.int64]
_BLOCK = 512


@dataclass(frozen=True)
class ScoreOptions:
    """How weights meet genotypes.

    Parameters
    ----------
    on : {"auto", "position", "variant_id"}
        What says that a weight and a genotype are of one variant; "auto" takes positions where the weights have them.
    palindromic : {"set_aside", "frequency", "as_written"}
        A/T and C/G: leave them out, tell their strand by allele frequencies, or trust that both are of one strand.
    flips : bool
        Take complementary alleles for those of the other strand.
    min_matched : float
        Part of the weights that must find a genotype.
    missing : {"mean", "zero"}
        A missing genotype counts its mean among the samples, or nothing (``no-mean-imputation``).
    """

    on: Literal["auto", "position", "variant_id"] = "auto"
    palindromic: Literal["set_aside", "frequency", "as_written"] = "set_aside"
    flips: bool = True
    min_matched: float = 0.75
    missing: Literal["mean", "zero"] = "mean"

    def __post_init__(self) -> None:
        if self.on not in ("auto", "position", "variant_id"):
            raise ConfigError(f"on = '{self.on}'", where="score", allowed="auto, position, variant_id")
        if self.missing not in ("mean", "zero"):
            raise ConfigError(f"missing = '{self.missing}'", where="score", allowed="mean, zero")
        if not 0 <= self.min_matched <= 1:
            raise ConfigError(f"min_matched = {self.min_matched:g}", where="score", allowed="0 to 1")
        self.alleles()

    def alleles(self) -> AlleleOptions:
        """Rules of comparing alleles."""
        return AlleleOptions(palindromic=self.palindromic, flips=self.flips)


@dataclass(frozen=True, eq=False)
class Matched:
    """Weights that found a genotype.

    Parameters
    ----------
    numbers : ndarray of int64, shape (m,)
        Variants in the file, ascending.
    sign : ndarray of int8, shape (m,)
        1, or −1 where the file counts the other allele.
    rows : ndarray of int64, shape (m,)
        Row of each among the weights.
    counts : polars.DataFrame
        What became of the weights: outcome, meaning, count.
    total : int
        Weights.
    """

    numbers: Whole
    sign: npt.NDArray[np.int8]
    rows: Whole
    counts: pl.DataFrame
    total: int

    @property
    def told(self) -> str:
        """Counts in words."""
        parts = [f"{count:,} {outcome}" for outcome, _, count in self.counts.iter_rows()]
        return f"{self.numbers.size:,} of {self.total:,} weights matched ({', '.join(parts)})"


def match_weights(
    weights: pl.DataFrame,
    source: GenotypeSource,
    options: ScoreOptions | None = None,
    frequency: pl.Series | None = None,
) -> Matched:
    """Find the genotypes that weights belong to.

    Parameters
    ----------
    weights : polars.DataFrame
        Columns of :class:`radiolocus.read.pgs.ScoreFile`.
    source : GenotypeSource
    options : ScoreOptions, optional
    frequency : polars.Series, optional
        Of the effect allele of each variant of the file, for palindromic ones.

    Raises
    ------
    TableError
        Fewer weights matched than `options` ask for.

    Notes
    -----
    Where the other allele is not known, it is taken from the file, where exactly one variant at that place has the
    effect allele; complementary strands are then not tried.
    """
    options = options or ScoreOptions()
    placed = weights["base_pair_location"].null_count() < weights.height
    on: Literal["position", "variant_id"] = "variant_id"
    if options.on == "position" or (options.on == "auto" and placed):
        on = "position"
    reference = source.variants
    if frequency is not None:
        reference = reference.with_columns(frequency.alias("effect_allele_frequency"))
    full = _with_other(weights, reference, on)
    found = align(full, reference, on=on, options=options.alleles())
    rows = found.rows.with_row_index("row").filter(pl.col("sign") != 0).sort("reference_row")
    if rows.height < options.min_matched * weights.height or rows.height == 0:
        counts = ", ".join(f"{count:,} {outcome}" for outcome, _, count in found.counts.iter_rows())
        raise TableError(
            f"{rows.height:,} of {weights.height:,} weights match a genotype by {on} ({counts})",
            where=Path(source.path).name, allowed=f"at least {options.min_matched:.0%}",
            todo="compare the genome build; of fewer variants it is another score (--min-matched lowers the limit)",
        )  # fmt: skip
    return Matched(
        rows["reference_row"].cast(pl.Int64).to_numpy(),
        rows["sign"].to_numpy(),
        rows["row"].cast(pl.Int64).to_numpy(),
        found.counts,
        weights.height,
    )


def _with_other(weights: pl.DataFrame, reference: pl.DataFrame, on: str) -> pl.DataFrame:
    """Fill in the other allele where the weights do not say it."""
    if weights["other_allele"].null_count() == 0:
        return weights
    keys = ["chromosome", "base_pair_location"] if on == "position" else ["variant_id"]
    lacking = weights.with_row_index("row").filter(pl.col("other_allele").is_null())
    there = reference.select(
        *keys, E=pl.col("effect_allele").str.to_uppercase(), O=pl.col("other_allele").str.to_uppercase()
    )
    pairs = lacking.select("row", "effect_allele", *keys).join(there, on=keys, how="inner")
    fitting = pairs.filter((pl.col("effect_allele") == pl.col("E")) | (pl.col("effect_allele") == pl.col("O")))
    one = fitting.filter(pl.len().over("row") == 1).select(
        "row", taken=pl.when(pl.col("effect_allele") == pl.col("E")).then("O").otherwise("E")
    )
    filled = weights.with_row_index("row").join(one, on="row", how="left", maintain_order="left")
    return filled.with_columns(other_allele=pl.coalesce("other_allele", "taken")).drop("row", "taken")


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of samples.

    Parameters
    ----------
    total : ndarray, shape (n, k)
        Σ weight × copies of the effect allele (``SCORE_SUM``).
    average : ndarray, shape (n, k)
        The same over the alleles that were looked at (``SCORE_AVG``).
    alleles : ndarray of int64, shape (n,)
        Alleles that are not missing (``ALLELE_CT``).
    """

    total: Array
    average: Array
    alleles: Whole


def score(
    source: GenotypeSource,
    rows: Whole,
    numbers: Whole,
    weights: Array,
    sign: npt.NDArray[np.int8] | None = None,
    *,
    missing: Literal["mean", "zero"] = "mean",
) -> Scores:
    """Score samples, a block of variants at a time.

    Parameters
    ----------
    source : GenotypeSource
    rows : ndarray of int64, shape (n,)
        Samples.
    numbers : ndarray of int64, shape (m,)
        Variants in the file, ascending.
    weights : ndarray, shape (m, k)
        Of the effect allele of each score.
    sign : ndarray of int8, shape (m,), optional
        −1 where the file counts the other allele.
    missing : {"mean", "zero"}
        See :class:`ScoreOptions`; the mean is that of `rows`.

    Notes
    -----
    With "mean" the average is over two alleles a variant, whoever is missing; with "zero" over those that are known,
    as in PLINK 2.
    """
    count = weights.shape[1]
    total = np.zeros((rows.size, count))
    alleles = np.zeros(rows.size, dtype=np.int64)
    turned = np.ones(numbers.size, dtype=np.int8) if sign is None else sign
    for start in range(0, numbers.size, _BLOCK):
        part = slice(start, min(start + _BLOCK, numbers.size))
        dosage = read_chosen(source, rows, numbers[part]).astype(np.float64)
        dosage = np.where((turned[part] < 0)[:, None], 2 - dosage, dosage)
        known = ~np.isnan(dosage)
        alleles += 2 * known.sum(axis=0)
        seen = known.sum(axis=1)
        sums = np.where(known, dosage, 0.0)
        if missing == "mean":
            mean = np.divide(sums.sum(axis=1), seen, out=np.zeros(seen.size), where=seen > 0)
            sums = np.where(known, dosage, mean[:, None])
        total += sums.T @ weights[part]
    looked_at = (
        np.full(rows.size, 2.0 * numbers.size) if missing == "mean" else np.maximum(alleles, 1).astype(np.float64)
    )
    return Scores(total, total / looked_at[:, None], alleles)
