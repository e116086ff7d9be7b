"""Separation and restricted mean survival: Royston & Sauerbrei's D with R²_D, and differences in restricted means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from radiolocus.errors import InputError, UndefinedError
from radiolocus.stats.concordance import finite_scores
from radiolocus.stats.cox import fit_cox
from radiolocus.stats.survival import check_survival, kaplan_meier
from radiolocus.stats.tail import neg_log10_p_normal

__all__ = [
    "RestrictedMean",
    "RestrictedMeanDifference",
    "RoystonD",
    "restricted_mean",
    "restricted_mean_difference",
    "royston_d",
]


@dataclass(frozen=True)
class RoystonD:
    """Prognostic separation.

    Parameters
    ----------
    d, standard_error : float
        Log hazard ratio between two halves of the patients cut at the median, were risks normal.
    r_squared : float
        Explained variation R²_D.
    """

    d: float
    standard_error: float
    r_squared: float


def royston_d(time: npt.ArrayLike, event: npt.ArrayLike, risk: npt.ArrayLike) -> RoystonD:
    """Royston & Sauerbrei's D and R²_D: Cox (Efron) on the normal scores of the ranks of the risk.

    Scores of tied risks are averaged. D is negative when higher risks go with later events (R ``survival::royston``
    turns such risks around).

    Parameters
    ----------
    time, event : array_like, shape (n,)
        See :func:`radiolocus.stats.survival.check_survival`.
    risk : array_like, shape (n,)
        Higher means an earlier event is expected; only its order matters.

    Raises
    ------
    InputError
        Unusable times, events or risks.
    UndefinedError
        One risk for everybody.
    FitError
        No events, or risks that order the events perfectly.

    References
    ----------
    Royston & Sauerbrei, Stat Med 2004;23:723.
    """
    times, events = check_survival(time, event)
    score = finite_scores(risk, "risk", times.size)
    n = score.size
    distinct, place = np.unique(score, return_inverse=True)
    if distinct.size < 2:
        raise UndefinedError(f"the same risk for all {n} patients", allowed="risks that differ")
    blom = special.ndtri((np.arange(1, n + 1) - 0.375) / (n + 0.25))
    position = np.empty(n, np.int64)
    position[np.argsort(score, kind="stable")] = np.arange(n)
    normal = (np.bincount(place, weights=blom[position]) / np.bincount(place))[place]
    fit = fit_cox(times, events, normal, names=["normal score of the risk"])
    beta, kappa = float(fit.coefficient[0]), (8 / np.pi) ** 0.5
    return RoystonD(beta * kappa, float(fit.standard_error[0]) * kappa, beta**2 / (np.pi**2 / 6 + beta**2))


@dataclass(frozen=True)
class RestrictedMean:
    """Mean survival time up to a horizon, and its standard error."""

    estimate: float
    standard_error: float
    horizon: float


@dataclass(frozen=True)
class RestrictedMeanDifference:
    """Difference of two restricted means, second less first group, in the unit of the times.

    Parameters
    ----------
    first, second : RestrictedMean
    difference, standard_error, lower, upper : float
        Wald interval.
    statistic, neg_log10_p : float
    level : float
    """

    first: RestrictedMean
    second: RestrictedMean
    difference: float
    standard_error: float
    lower: float
    upper: float
    statistic: float
    neg_log10_p: float
    level: float


def restricted_mean(time: npt.ArrayLike, event: npt.ArrayLike, horizon: float) -> RestrictedMean:
    """Area under the Kaplan–Meier curve up to the horizon, with Greenwood's variance.

    Parameters
    ----------
    time, event : array_like, shape (n,)
    horizon : float
        At most the last time, unless nobody has survived it.

    Raises
    ------
    InputError
        Unusable times or events; a horizon that is not positive, or beyond follow-up.

    References
    ----------
    Irwin, J Hyg 1949;47:188. Royston & Parmar, BMC Med Res Methodol 2013;13:152.
    """
    curve = kaplan_meier(time, event)
    if not (np.isfinite(horizon) and horizon > 0):
        raise InputError(f"horizon {horizon:g}", allowed="finite, positive")
    if horizon > curve.time[-1] and curve.survival[-1] > 0:
        raise InputError(
            f"horizon {horizon:g} beyond follow-up",
            where=f"last time {curve.time[-1]:g}",
            allowed="a time by which at least one patient was still observed, in each group",
            todo="choose an earlier horizon",
        )
    inside = curve.time < horizon
    edges = np.r_[0.0, curve.time[inside], horizon]
    pieces = np.diff(edges) * np.r_[1.0, curve.survival[inside]]
    remaining = pieces[::-1].cumsum()[::-1][1:]
    deaths, at_risk = curve.events[inside].astype(float), curve.at_risk[inside].astype(float)
    left = at_risk * (at_risk - deaths)
    # Where all at risk die the curve is zero from there on, and so is what remains.
    jumps = np.divide(deaths, left, out=np.zeros_like(left), where=left > 0)
    return RestrictedMean(float(pieces.sum()), float(np.sqrt((remaining**2 * jumps).sum())), float(horizon))


def restricted_mean_difference(
    time: npt.ArrayLike, event: npt.ArrayLike, group: npt.ArrayLike, horizon: float, *, level: float = 0.95
) -> RestrictedMeanDifference:
    """Difference in restricted mean survival time between two groups, second less first in sorted order.

    Parameters
    ----------
    time, event : array_like, shape (n,)
    group : array_like, shape (n,)
        Two labels.
    horizon : float
        Within follow-up of both groups.
    level : float

    Raises
    ------
    InputError
        Other than two groups; as in :func:`restricted_mean`.
    UndefinedError
        No event by the horizon.

    References
    ----------
    Royston & Parmar, BMC Med Res Methodol 2013;13:152. Uno et al., J Clin Oncol 2014;32:2380.
    """
    times, events = check_survival(time, event)
    labels = np.asarray(group)
    names = np.unique(labels)
    if labels.shape != times.shape or names.size != 2:
        raise InputError(
            f"{times.size} times and group labels of shape {labels.shape} with {names.size} values",
            allowed="one of two labels a patient",
        )
    if not 0.0 < level < 1.0:
        raise InputError(f"an interval of level {level}", allowed="between 0 and 1, both excluded")
    first, second = (restricted_mean(times[labels == g], events[labels == g], horizon) for g in names)
    error = float(np.hypot(first.standard_error, second.standard_error))
    if error == 0.0:
        raise UndefinedError(
            f"no events before time {horizon:g} that leave anybody at risk: the difference has no variance",
            allowed="events by the horizon",
            todo="choose a later horizon",
        )
    difference = second.estimate - first.estimate
    width = float(special.ndtri((1 + level) / 2)) * error
    z = difference / error
    return RestrictedMeanDifference(
        first, second, difference, error, difference - width, difference + width, z, float(neg_log10_p_normal(z)), level
    )
