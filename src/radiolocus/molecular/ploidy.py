"""How much of a genome is gained, lost or doubled, from copy-number segments of the autosomes.

Ploidy is the mean copy number by length. Whole-genome doubling: the major allele has two or more copies in more than
half of the genome (Bielski et al. 2018, Nat Genet 50:1189). Aneuploidy: the share of the 39 chromosome arms (without
the short arms of 13, 14, 15, 21 and 22) that are gained or lost over at least 80 % of their length; an arm between 20 %
and 80 % is not called (Taylor et al. 2018, Cancer Cell 33:676). Gain and loss are told against the ploidy, rounded; in
files with log2 ratios alone, by a threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from radiolocus.model import Array
from radiolocus.molecular.arms import ARMS, AUTOSOMES, Build

__all__ = ["Genome", "measure_genome"]

_ACROCENTRIC = ("13", "14", "15", "21", "22")
_WHOLE_ARM, _NO_ARM = 0.8, 0.2
# An arm of which less is covered is not called.
_COVERED = 0.5


@dataclass(frozen=True)
class Genome:
    """Measures of one sample; NaN where the segments do not tell.

    Parameters
    ----------
    ploidy : float
        Copies.
    doubled : float
        1 or 0.
    altered : float
        Share of the covered genome that is gained or lost, 0 to 1.
    loss_of_heterozygosity : float
        Share of the covered genome without a copy of the minor allele, 0 to 1.
    arms_altered, arms_called : int
    aneuploidy : float
        `arms_altered` over `arms_called`.
    covered : float
        Share of the autosomes that the segments cover.
    """

    ploidy: float
    doubled: float
    altered: float
    loss_of_heterozygosity: float
    arms_altered: int
    arms_called: int
    aneuploidy: float
    covered: float


def measure_genome(segments: pl.DataFrame, build: Build, log2_threshold: float = 0.2) -> Genome:
    """Measure the genome of one sample.

    Parameters
    ----------
    segments : polars.DataFrame
        `chromosome`, `start`, `end`, `log2_ratio`, `total`, `major`, `minor` of one sample.
    build : {"hg19", "hg38"}
    log2_threshold : float
        Absolute log2 ratio from which a segment is gained or lost, where there are no copy numbers.
    """
    autosomal = segments.filter(pl.col("chromosome").is_in(AUTOSOMES))
    size = (autosomal["end"] - autosomal["start"] + 1).to_numpy().astype(np.float64)
    total, major, minor, ratio = (
        autosomal[c].fill_null(np.nan).to_numpy() for c in ("total", "major", "minor", "log2_ratio")
    )
    ploidy = _mean(total, size)
    with np.errstate(invalid="ignore"):
        change = (
            np.sign(total - np.rint(ploidy)) if np.isfinite(ploidy) else np.sign(ratio) * (abs(ratio) >= log2_threshold)
        )
        doubled = _mean(np.where(np.isnan(major), np.nan, major >= 2), size)
        lost = _mean(np.where(np.isnan(minor), np.nan, minor == 0), size)
        altered = _mean(np.abs(change), size)
    called, changed = _arms(autosomal, change, build)
    return Genome(
        ploidy,
        float(doubled > 0.5) if np.isfinite(doubled) else np.nan,
        altered,
        lost,
        changed,
        called,
        changed / called if called else np.nan,
        float(size.sum() / sum(length for _, _, length in ARMS[build].values())),
    )


def _mean(values: Array, weights: Array) -> float:
    known = ~np.isnan(values)
    return float(np.average(values[known], weights=weights[known])) if known.any() else np.nan


def _arms(segments: pl.DataFrame, change: Array, build: Build) -> tuple[int, int]:
    """Count the arms that can be called, and those of them that are gained or lost as a whole."""
    called = changed = 0
    chromosome = segments["chromosome"].to_numpy()
    start, end = segments["start"].to_numpy(), segments["end"].to_numpy()
    for name in AUTOSOMES:
        begin, stop, length = ARMS[build][name]
        for first, last in ((1, begin), (stop, length)):
            if first == 1 and name in _ACROCENTRIC:
                continue
            inside = np.clip(np.minimum(end, last) - np.maximum(start, first) + 1, 0, None) * (chromosome == name)
            inside = np.where(np.isnan(change), 0, inside)
            if inside.sum() < _COVERED * (last - first + 1):
                continue
            share = max(inside[change > 0].sum(), inside[change < 0].sum()) / inside.sum()
            called += bool(share >= _WHOLE_ARM or share < _NO_ARM)
            changed += bool(share >= _WHOLE_ARM)
    return called, changed
