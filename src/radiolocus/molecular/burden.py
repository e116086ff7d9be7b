"""Tumour mutational burden: somatic variants of the coding sequence per megabase that was looked at.

The size of what was sequenced is the study's to declare: a burden without its denominator cannot be compared (Merino
et al. 2020, J Immunother Cancer 8:e000147). The interval is the exact one of a Poisson count (Garwood 1936).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.stats import chi2

from radiolocus.errors import ConfigError
from radiolocus.model import Array
from radiolocus.schema import conform

__all__ = ["BurdenOptions", "burden", "poisson_interval"]


@dataclass(frozen=True)
class BurdenOptions:
    """Tumour mutational burden.

    Parameters
    ----------
    megabases : float
        Size of the coding sequence of the panel or exome, in Mb (about 30 to 38 for an exome).
    synonymous : bool
        Count synonymous (Silent) variants too, as panels do to have more of them.
    min_depth : int
        Reads at the place; variants of fewer are not counted. 0 counts all.
    min_fraction : float
        Share of reads with the variant; variants of less are not counted. 0 counts all.
    high : float or None
        Burden per Mb from which ``tmb_high`` is 1 (10 in Marabelle et al. 2020, Lancet Oncol 21:1353); None: no such
        marker.
    """

    megabases: float
    synonymous: bool = False
    min_depth: int = 0
    min_fraction: float = 0.0
    high: float | None = 10.0

    def __post_init__(self) -> None:
        if not self.megabases > 0:
            raise ConfigError(f"{self.megabases}", where="molecular.burden.megabases", allowed="Mb, more than 0")
        if self.min_depth < 0 or not 0 <= self.min_fraction < 1:
            raise ConfigError(
                f"min_depth {self.min_depth}, min_fraction {self.min_fraction}",
                where="molecular.burden",
                allowed="a depth of 0 or more, a fraction from 0 to below 1",
            )

    @property
    def definition(self) -> str:
        """What is counted, in words."""
        silent = "and synonymous " if self.synonymous else ""
        least = f", at {self.min_depth} reads or more" * (self.min_depth > 0)
        least += f", in {self.min_fraction:g} of them or more" * (self.min_fraction > 0)
        return f"somatic nonsynonymous {silent}variants{least}, per Mb of {self.megabases:g} Mb"


def burden(
    mutations: pl.DataFrame, subjects: Iterable[str], options: BurdenOptions, megabases: Array | None = None
) -> pl.DataFrame:
    """Count the variants of each subject.

    Parameters
    ----------
    mutations : polars.DataFrame
        Table ``molecular/mutations``; one place and allele of a subject counts once.
    subjects : iterable of str
        Those who were sequenced.
    options : BurdenOptions
    megabases : ndarray, shape (subjects,), optional
        Mb that were looked at of each subject, NaN where nobody knows; by default ``options.megabases``.

    Returns
    -------
    polars.DataFrame
        Table ``molecular/burden``.
    """
    wanted = pl.col("nonsynonymous")
    if options.synonymous:
        wanted |= pl.col("variant_class").str.to_lowercase() == "silent"
    if options.min_depth:
        wanted &= (pl.col("depth") >= options.min_depth).fill_null(value=False)
    if options.min_fraction:
        share = pl.col("alternative_reads") / pl.col("depth")
        wanted &= (share >= options.min_fraction).fill_null(value=False)
    place = ["subject", "gene", "chromosome", "start", "reference_allele", "tumour_allele", "protein_change"]
    rows = mutations.filter(wanted).unique(place, maintain_order=True)
    counts = rows.group_by("subject").agg(variants=pl.len().cast(pl.Int64))
    frame = pl.DataFrame({"subject": list(subjects)}, {"subject": pl.String}).join(
        counts, on="subject", how="left", maintain_order="left"
    )
    found = frame["variants"].fill_null(0)
    lower, upper = poisson_interval(found.to_numpy().astype(np.float64))
    size = np.full(frame.height, options.megabases) if megabases is None else megabases
    frame = frame.with_columns(
        variants=found,
        megabases=pl.Series(size, nan_to_null=True),
        per_megabase=pl.Series(found.to_numpy() / size, nan_to_null=True),
        lower=pl.Series(lower / size, nan_to_null=True),
        upper=pl.Series(upper / size, nan_to_null=True),
    )
    return conform(frame, "molecular/burden")


def poisson_interval(counts: Array, level: float = 0.95) -> tuple[Array, Array]:
    """Exact interval of the mean of Poisson counts (Garwood 1936, Biometrika 28:437)."""
    tail = (1 - level) / 2
    lower = np.where(counts > 0, chi2.ppf(tail, 2 * np.maximum(counts, 1)) / 2, 0.0)
    return np.asarray(lower), np.asarray(chi2.ppf(1 - tail, 2 * counts + 2) / 2)
