"""Many tests at once: Bonferroni, false discovery rates, families of tests, genomic inflation."""

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
    "hierarchical",
    "lambda_gc",
    "lambda_of_median",
    "simes",
    "storey",
    "true_null_share",
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


def true_null_share(neg_log10_p: npt.ArrayLike) -> float:
    """Share of true null hypotheses, π₀; NaN without any p-value.

    #{p > λ} / ((1 − λ) m) at the λ of 0.05, 0.10, ..., 0.95 whose mean squared error, by Storey, Taylor and Siegmund's
    formula for their bootstrap, is smallest.

    Source: Storey, Taylor & Siegmund 2004, doi:10.1111/j.1467-9868.2004.00439.x; ``qvalue`` of Bioconductor with
    ``pi0.method = "bootstrap"``, whose p-values at λ itself count.
    """
    values = np.asarray(neg_log10_p, dtype=np.float64).ravel()
    p = np.sort(10.0 ** -values[~np.isnan(values)])
    if p.size == 0:
        return float("nan")
    at = np.arange(1, 20) * 0.05
    beyond = p.size - np.searchsorted(p, at, side="left")
    share = beyond / (p.size * (1.0 - at))
    error = beyond / (p.size**2 * (1.0 - at) ** 2) * (1.0 - beyond / p.size) + (share - np.quantile(share, 0.1)) ** 2
    return float(min(share[int(np.argmin(error))], 1.0))


def storey(neg_log10_p: npt.ArrayLike, share: float | None = None) -> Array:
    """q-values of Storey: those of Benjamini and Hochberg times π₀; NaN stays NaN.

    Parameters
    ----------
    neg_log10_p : array_like
        −log10 p; NaN where no test was made.
    share : float, optional
        π₀; default: :func:`true_null_share`.

    Notes
    -----
    Where the estimate of π₀ is 0 — every p-value small — 1 over the number of tests is taken, as an estimate of 0
    would make every q-value 0.

    Source: Storey 2002, doi:10.1111/1467-9868.00346; Storey & Tibshirani 2003, doi:10.1073/pnas.1530509100.
    """
    values = np.asarray(neg_log10_p, dtype=np.float64)
    found = true_null_share(values) if share is None else share
    return np.asarray(benjamini_hochberg(values) * max(found, 1.0 / max(_count(values, None), 1)))


def simes(neg_log10_p: npt.ArrayLike) -> float:
    """−log10 of the p-value that no hypothesis of a family is false: min m p₍ᵢ₎ / i; NaN without any p-value.

    Source: Simes 1986, doi:10.1093/biomet/73.3.751.
    """
    values = np.asarray(neg_log10_p, dtype=np.float64).ravel()
    values = np.sort(values[~np.isnan(values)])[::-1]
    if values.size == 0:
        return float("nan")
    return float((values + np.log10(np.arange(1, values.size + 1) / values.size)).max())


def hierarchical(
    neg_log10_p: npt.ArrayLike, family: npt.NDArray[np.intp], level: float = 0.05
) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
    """Families first, then the tests of those that were selected (Benjamini and Bogomolov).

    The families are tested by Simes' p-value and selected by Benjamini and Hochberg's procedure at `level`; within each
    of the R selected of F families, the same procedure at `level` R / F. The average of the false discovery rates
    within the selected families is then at most `level`.

    Parameters
    ----------
    neg_log10_p : array_like, shape (m,)
        −log10 p; NaN where no test was made.
    family : ndarray of int, shape (m,)
        0, 1, ... F − 1.
    level : float

    Returns
    -------
    family_p : ndarray, shape (F,)
        −log10 of Simes' p-value; NaN for a family without a test.
    family_q : ndarray, shape (F,)
        Benjamini and Hochberg's q-value over the families.
    selected : ndarray of bool, shape (m,)
        Tests rejected within the families selected.

    Notes
    -----
    Source: Benjamini & Bogomolov 2014, doi:10.1111/rssb.12028; of two levels this is TreeBH (Bogomolov, Peterson,
    Benjamini & Sabatti 2021, doi:10.1093/biomet/asaa086).
    """
    values = np.asarray(neg_log10_p, dtype=np.float64)
    count = int(family.max(initial=-1)) + 1
    order = np.argsort(family, kind="stable")
    parts = np.split(order, np.searchsorted(family[order], np.arange(1, count))) if count else []
    family_p = np.array([simes(values[part]) for part in parts])
    family_q = benjamini_hochberg(family_p)
    chosen = family_q <= level
    selected = np.zeros(values.shape, dtype=bool)
    known = int(np.count_nonzero(~np.isnan(family_p)))
    for part, passes in zip(parts, chosen, strict=True):
        if passes:
            selected[part] = benjamini_hochberg(values[part]) <= level * chosen.sum() / known
    return family_p, family_q, selected


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
