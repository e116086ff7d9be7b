"""Radiation dose as the tumour feels it: biologically effective dose, EQD2, and the genomic-adjusted dose GARD.

Survival after n fractions of d Gy under the linear-quadratic model is exp(−n d (α + β d)). The radiosensitivity index
is taken as the surviving fraction at 2 Gy, so that α = −ln(RSI) / 2 − 2 β, and

    GARD = n d (α + β d)

with β = 0.05 / Gy². At 2 Gy a fraction GARD = −n ln(RSI). A later analysis (Mistry, Clin Oncol 2023,
doi:10.1016/j.clon.2023.02.018) found that the index tells neither survival of cells nor a dose response of patients:
treat GARD as a hypothesis to test.

References
----------
Scott et al., Lancet Oncol 2017;18:202 (GARD). Eschrich et al., Int J Radiat Oncol Biol Phys 2009;75:489 (RSI).
Fowler, Br J Radiol 1989;62:679 (BED). Bentzen et al., Radiother Oncol 2012;105:266 (EQD2).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from radiolocus.errors import InputError
from radiolocus.model import Array

__all__ = ["BETA", "RSI_COEFFICIENTS", "alpha_of_rsi", "bed", "eqd2", "gard", "rsi"]

#: β of GARD, per Gy².
BETA = 0.05
#: Coefficients of the ranks of ten genes within a sample, 1 for the least expressed (Eschrich 2009).
RSI_COEFFICIENTS = {
    "AR": -0.0098009,
    "JUN": 0.0128283,
    "STAT1": 0.0254552,
    "PRKCB": -0.0017589,
    "RELA": -0.0038171,
    "ABL1": 0.1070213,
    "SUMO1": -0.0002509,
    "PAK2": -0.0092431,
    "HDAC1": -0.0204469,
    "IRF1": -0.0441683,
}


def _checked(name: str, value: npt.ArrayLike, above: float, unit: str, below: float = np.inf) -> Array:
    array = np.asarray(value, dtype=np.float64)
    bad = ~np.isnan(array) & ~((array > above) & (array < below))
    if bad.any():
        limit = f"above {above:g}" + (f" and below {below:g}" if np.isfinite(below) else "")
        raise InputError(f"{name} {array[bad].ravel()[0]:g}", allowed=f"{limit}{unit}", todo="check the unit")
    return array


def bed(fractions: npt.ArrayLike, dose: npt.ArrayLike, alpha_beta: npt.ArrayLike) -> Array:
    """Biologically effective dose n d (1 + d / (α/β)), Gy; without repopulation.

    Parameters
    ----------
    fractions : array_like
        Number of fractions n.
    dose : array_like
        Dose a fraction d, Gy.
    alpha_beta : array_like
        α/β of the tissue, Gy.

    Raises
    ------
    InputError
        A number that is not above 0. NaN stays NaN.
    """
    n, d = _checked("fractions", fractions, 0, ""), _checked("dose", dose, 0, " Gy")
    return np.asarray(n * d * (1 + d / _checked("alpha_beta", alpha_beta, 0, " Gy")))


def eqd2(fractions: npt.ArrayLike, dose: npt.ArrayLike, alpha_beta: npt.ArrayLike) -> Array:
    """Dose in fractions of 2 Gy with the same effect, BED / (1 + 2 / (α/β)), Gy; parameters as of :func:`bed`."""
    return np.asarray(bed(fractions, dose, alpha_beta) / (1 + 2 / np.asarray(alpha_beta, np.float64)))


def rsi(expression: Mapping[str, npt.ArrayLike]) -> Array:
    """Radiosensitivity index from the ranks of ten genes within each sample.

    Parameters
    ----------
    expression : mapping of str to array_like, shape (n,)
        Expression of every gene of :data:`RSI_COEFFICIENTS`, in any unit that compares genes within a sample; equal
        values share their mean rank. Ranks carry over from microarrays, for which the index was made, only as far as
        the order of the ten genes does.

    Returns
    -------
    ndarray, shape (n,)
        Larger is more resistant; NaN where a gene is missing.

    Raises
    ------
    InputError
        A gene that is not there.
    """
    absent = [gene for gene in RSI_COEFFICIENTS if gene not in expression]
    if absent:
        raise InputError(f"no expression of {', '.join(absent)}", allowed=", ".join(RSI_COEFFICIENTS))
    values = np.column_stack([np.asarray(expression[g], np.float64) for g in RSI_COEFFICIENTS])
    ranks = rankdata(values, axis=1, nan_policy="propagate")
    return np.asarray(ranks @ np.array(list(RSI_COEFFICIENTS.values())))


def alpha_of_rsi(index: npt.ArrayLike, beta: float = BETA) -> Array:
    """α of a tumour whose survival at 2 Gy is its radiosensitivity index, 1/Gy.

    Below 0 where the index exceeds exp(−4 β), which the model takes for no effect of the linear term; it is not cut.
    """
    found = _checked("RSI", index, 0, "", 1)
    return np.asarray(-np.log(found) / 2 - 2 * beta)


def gard(index: npt.ArrayLike, fractions: npt.ArrayLike, dose: npt.ArrayLike, beta: float = BETA) -> Array:
    """Genomic-adjusted radiation dose n d (α + β d), without unit.

    Parameters
    ----------
    index : array_like
        Radiosensitivity index, between 0 and 1; larger is more resistant.
    fractions : array_like
        Number of fractions n.
    dose : array_like
        Dose a fraction d, Gy.
    beta : float
        β, 1/Gy².

    Raises
    ------
    InputError
        An index outside (0, 1), a dose or number of fractions that is not above 0. NaN stays NaN.

    Examples
    --------
    >>> round(float(gard(0.4, 30, 2.0)), 2)
    27.49
    """
    n, d = _checked("fractions", fractions, 0, ""), _checked("dose", dose, 0, " Gy")
    return np.asarray(n * d * (alpha_of_rsi(index, beta) + beta * d))
