"""Net reclassification and integrated discrimination improvement, with the warning that belongs to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import InputError
from radiolocus.model import Array
from radiolocus.stats.concordance import check_classes
from radiolocus.stats.horizon import check_risks

__all__ = ["WARNING", "Reclassification", "reclassification"]

#: To be shown wherever a net reclassification improvement is shown.
WARNING = (
    "The net reclassification improvement is no proper measure of predictive gain: it rises when useless predictors "
    "are added or risks are miscalibrated, and its usual p-value is too small. Judge the gain by the difference in "
    "AUC, Brier score and net benefit."
)


@dataclass(frozen=True)
class Reclassification:
    """How a second model moves patients' risks.

    Parameters
    ----------
    nri, nri_error : float
        Net reclassification improvement (sum of the two parts, between −2 and 2) and its standard error.
    nri_positive, nri_negative : float
        Share of positives moved up less moved down, and of negatives moved down less moved up.
    idi, idi_error : float
        Integrated discrimination improvement and its standard error.
    warning : str
        Why not to rely on it (Pepe et al. 2015; Hilden & Gerds 2014).
    """

    nri: float
    nri_error: float
    nri_positive: float
    nri_negative: float
    idi: float
    idi_error: float
    warning: str = WARNING


def reclassification(
    label: npt.ArrayLike, old: npt.ArrayLike, new: npt.ArrayLike, cutoffs: npt.ArrayLike | None = None
) -> Reclassification:
    """Net reclassification improvement of `new` over `old`, between categories or, without cutoffs, category-free.

    Parameters
    ----------
    label : array_like, shape (n,)
        0 or 1.
    old, new : array_like, shape (n,)
        Predicted probabilities.
    cutoffs : array_like, optional
        Increasing, inside (0, 1). A risk equal to a cutoff is in the category above it.

    Returns
    -------
    Reclassification
        With its warning.

    Raises
    ------
    InputError
        Unusable labels, risks or cutoffs.
    UndefinedError
        One class only.

    References
    ----------
    Pencina et al., Stat Med 2008;27:157 and 2011;30:11. Pepe, Fan, Feng, Gerds & Hilden, Stat Biosci 2015;7:282.
    Hilden & Gerds, Stat Med 2014;33:3405.
    """
    labels, _ = check_classes(label, old)
    n = labels.size
    first, second = (check_risks(np.asarray(r, dtype=np.float64), n, 1, probability=True)[:, 0] for r in (old, new))
    moved = np.sign(second - first)
    if cutoffs is not None:
        at = np.atleast_1d(np.asarray(cutoffs, dtype=np.float64))
        if at.ndim != 1 or not at.size or not np.all((at > 0) & (at < 1)) or np.any(np.diff(at) <= 0):
            raise InputError(f"cutoffs {at.ravel()[:5]}", allowed="increasing, between 0 and 1, both excluded")
        moved = np.sign(np.searchsorted(at, second, side="right") - np.searchsorted(at, first, side="right"))
    up, down = _mean_and_variance(moved[labels]), _mean_and_variance(-moved[~labels])
    more = second - first
    gained, lost = _mean_and_variance(more[labels], 1), _mean_and_variance(-more[~labels], 1)
    return Reclassification(
        up[0] + down[0],
        (up[1] + down[1]) ** 0.5,
        up[0],
        down[0],
        gained[0] + lost[0],
        (gained[1] + lost[1]) ** 0.5,
    )


def _mean_and_variance(values: Array, ddof: int = 0) -> tuple[float, float]:
    """Mean, and the variance of the mean: multinomial for shares, of a sample of more than one for differences."""
    variance = values.var(ddof=ddof) if values.size > ddof else np.nan
    return float(values.mean()), float(variance / values.size)
