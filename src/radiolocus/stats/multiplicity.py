"""Many tests at once: Bonferroni, false discovery rate, genomic inflation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri_exp

from radiolocus.errors import ConfigError
from radiolocus.model import Array

__all__ = [
    "benjamini_hochberg",
    "bonferroni",
    "effective_number_galwey",
    "effective_number_li_ji",
    "lambda_gc",
    "lambda_of_median",
]

_LN10, _LN2 = float(np.log(10.0)), float(np.log(2.0))
_MEDIAN_CHI2 = 0.454936423119572  # median of χ² with one degree of freedom


def _count(values: Array, tests: int | None) -> int:
    made = int(np.count_nonzero(~np.isnan(values)))
    if tests is not None and tests < made:
        raise ConfigError(f"{tests} tests for {made} p-values", allowed=f"at least {made} tests")
    return made if tests is None else tests


def bonferroni(neg_log10_p: npt.ArrayLike, tests: int | None = None) -> Array:
    """p-values times the number of tests, at most 1; NaN stays NaN.

    Parameters
    ----------
    neg_log10_p : array_like
        −log10 p; NaN where no test was made.
    tests : int, optional
        How many tests were made, when these are only a part of them; default: the values that are not NaN.

    Raises
    ------
    ConfigError
        Fewer tests than p-values.
    """
    values = np.asarray(neg_log10_p, dtype=np.float64)
    count = _count(values, tests)
    return np.asarray(10.0 ** -np.maximum(values - np.log10(max(count, 1)), 0.0))


def benjamini_hochberg(neg_log10_p: npt.ArrayLike, tests: int | None = None) -> Array:
    """q-values (adjusted p-values) of the step-up procedure of Benjamini and Hochberg (1995); NaN stays NaN.

    Parameters
    ----------
    neg_log10_p : array_like
        −log10 p; NaN where no test was made.
    tests : int, optional
        How many tests were made, when only the smallest p-values were kept; default: the values that are not NaN.

    Raises
    ------
    ConfigError
        Fewer tests than p-values.

    Notes
    -----
    Ranks are taken in logarithms, so that p-values below 1e-308 keep their order; a q-value below it is 0.
    """
    values = np.asarray(neg_log10_p, dtype=np.float64)
    count = _count(values, tests)
    out = np.full(values.shape, np.nan)
    there = np.flatnonzero(~np.isnan(values))
    flat = values.ravel()[there]
    order = np.argsort(-flat, kind="stable")
    adjusted = flat[order] + np.log10(np.arange(1, order.size + 1) / max(count, 1))
    # the smallest q among all larger p-values, that is the running maximum of −log10 q from the end
    running = np.maximum.accumulate(adjusted[::-1])[::-1]
    out.ravel()[there[order]] = 10.0 ** -np.maximum(running, 0.0)
    return out


def lambda_gc(neg_log10_p: npt.ArrayLike) -> float:
    """Genomic inflation: the median χ² (one degree of freedom) over its expectation; NaN without any p-value.

    Source: Devlin & Roeder 1999, doi:10.1111/j.0006-341X.1999.00997.x.
    """
    values = np.asarray(neg_log10_p, dtype=np.float64).ravel()
    values = values[~np.isnan(values)]
    if values.size == 0:
        return float("nan")
    middle = [(values.size - 1) // 2, values.size // 2]
    return float(np.mean([lambda_of_median(value) for value in np.partition(values, middle)[middle]]))


def lambda_of_median(neg_log10_p: float) -> float:
    """Genomic inflation of tests whose median −log10 p is this; see :func:`lambda_gc`."""
    z = ndtri_exp(-neg_log10_p * _LN10 - _LN2)
    return float(z * z / _MEDIAN_CHI2)


def effective_number_li_ji(eigenvalues: npt.ArrayLike) -> float:
    """Effective number of independent tests: Σ I(|λ| ≥ 1) + |λ| − ⌊|λ|⌋ over the eigenvalues of their correlation.

    Source: Li & Ji 2005, doi:10.1038/sj.hdy.6800717.
    """
    size = np.abs(np.asarray(eigenvalues, dtype=np.float64))
    # eigenvalues of whole numbers come out a rounding below them
    nearest = np.rint(size)
    size = np.where(np.abs(size - nearest) < 1e-9 * np.maximum(nearest, 1.0), nearest, size)
    return float(((size >= 1) + size - np.floor(size)).sum())


def effective_number_galwey(eigenvalues: npt.ArrayLike) -> float:
    """Effective number of independent tests: (Σ√λ)² / Σλ over the positive eigenvalues of their correlation.

    Source: Galwey 2009, doi:10.1002/gepi.20408.
    """
    positive = np.maximum(np.asarray(eigenvalues, dtype=np.float64), 0.0)
    total = float(positive.sum())
    return float(np.sqrt(positive).sum() ** 2 / total) if total > 0 else 0.0
