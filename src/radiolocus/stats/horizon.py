"""Predicted risks judged at horizons: AUC(t) and Brier score by inverse probability of censoring, competing risks too.

Definitions are those of R ``riskRegression::Score`` with the Kaplan–Meier estimate of censoring. At horizon t a patient
with the event of interest by t counts with 1/G(T−); one under observation beyond t with 1/G(t); one with a competing
event by t with 1/G(T−), as somebody who will never have the event of interest; one censored by t not at all. Patients
whose time is t and who are censored there count as censored by t.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import InputError, UndefinedError
from radiolocus.model import Array, BoolArray
from radiolocus.stats.censoring import CensoringCurve, Clock, check_horizons, check_states
from radiolocus.stats.concordance import weighted_auc
from radiolocus.stats.resampling import bootstrap_weights

__all__ = ["HorizonScores", "auc_at", "brier_at", "check_risks", "horizon_bootstrap", "integrated_brier"]


@dataclass(frozen=True, eq=False)
class HorizonScores:
    """Bootstrap draws of AUC(t), Brier(t) and the integrated Brier score.

    Parameters
    ----------
    auc, brier : ndarray, shape (draws, h)
        NaN where a draw has no cases or no controls, or nobody drawn is followed to the horizon.
    integrated_brier : ndarray, shape (draws,)
    """

    auc: Array
    brier: Array
    integrated_brier: Array


@dataclass(frozen=True, eq=False)
class _Judged:
    """Patients sorted by time, and who is a case, a competing case or a survivor at each horizon."""

    clock: Clock
    horizons: Array
    risk: Array  # (n, h)
    case: BoolArray  # (h, n)
    competing: BoolArray
    survivor: BoolArray

    def weights(self, patients: Array, censoring: CensoringCurve | None) -> tuple[Array, Array]:
        """1/G(T−) of each patient (draws, n), and 1/G(t) at each horizon (draws, h); zero where G is zero."""
        if censoring is None:
            curve = self.clock.uncensored(patients)
            before = curve[:, self.clock.place]
            at = curve[:, np.searchsorted(self.clock.time, self.horizons, side="right")]
        else:
            needed = (self.case | self.competing).any(axis=0)
            before = np.ones((1, needed.size))
            before[0, needed] = censoring.before(self.clock.time[self.clock.place][needed])
            at = np.ones((1, self.horizons.size))
            at[0, self.survivor.any(axis=1)] = censoring.at(self.horizons[self.survivor.any(axis=1)])
        return _inverse(before), _inverse(at)

    def scores(self, patients: Array, censoring: CensoringCurve | None = None) -> tuple[Array, Array]:
        """AUC and Brier score of each row of patient weights at each horizon, shape (draws, h) each."""
        own, at = self.weights(patients, censoring)
        auc, brier = np.empty((2, len(patients), self.horizons.size))
        total = patients.sum(axis=1)
        for j, risk in enumerate(self.risk.T):
            cases = patients * own * self.case[j]
            controls = patients * (own * self.competing[j] + at[:, j : j + 1] * self.survivor[j])
            auc[:, j] = weighted_auc(cases, controls, risk)
            error = cases @ (1 - risk) ** 2 + controls @ risk**2
            brier[:, j] = np.where((cases + controls).sum(axis=1) > 0, error / total, np.nan)
        return auc, brier


def _inverse(probability: Array) -> Array:
    """1/G; zero where G is zero: nobody drawn is left there, and the weight is of no account."""
    return np.divide(1.0, probability, out=np.zeros_like(probability), where=probability > 0)


def check_risks(risk: npt.ArrayLike, n: int, horizons: int, *, probability: bool) -> Array:
    """Return predictions as (n, h): one column for all horizons, or one a horizon.

    Raises
    ------
    InputError
        Another shape, a value that is not finite, or (`probability`) one outside [0, 1].
    """
    matrix = np.asarray(risk, dtype=np.float64)
    matrix = matrix[:, None] if matrix.ndim == 1 else matrix
    if matrix.ndim != 2 or matrix.shape[0] != n or matrix.shape[1] not in (1, horizons):
        raise InputError(
            f"risks of shape {np.shape(risk)} for {n} patients and {horizons} horizons",
            allowed=f"({n},) or ({n}, {horizons})",
        )
    usable = np.isfinite(matrix) & ((matrix >= 0) & (matrix <= 1) if probability else True)
    bad = np.argwhere(~usable)
    if bad.size:
        i, j = bad[0]
        raise InputError(
            f"risk {matrix[i, j]:g}",
            where=f"index {i}, horizon {j} ({len(bad)} such)",
            allowed="probabilities between 0 and 1" if probability else "finite numbers",
        )
    return np.broadcast_to(matrix, (n, horizons))


def _judged(
    time: npt.ArrayLike,
    state: npt.ArrayLike,
    risk: npt.ArrayLike,
    horizons: npt.ArrayLike,
    cause: int | None,
    *,
    probability: bool,
) -> _Judged:
    times, states, wanted = check_states(time, state, cause)
    at = check_horizons(horizons, times)
    risks = check_risks(risk, times.size, at.size, probability=probability)
    by_then = times[None, :] <= at[:, None]
    return _Judged(
        Clock.of(times, states > 0),
        at,
        risks,
        by_then & (states == wanted),
        by_then & (states != wanted) & (states > 0),
        ~by_then,
    )


def auc_at(
    time: npt.ArrayLike,
    state: npt.ArrayLike,
    risk: npt.ArrayLike,
    horizons: npt.ArrayLike,
    *,
    cause: int | None = None,
    censoring: CensoringCurve | None = None,
) -> Array:
    """Cumulative/dynamic AUC at horizons with weights by the inverse probability of censoring.

    Cases have the event of interest by t. Controls are followed beyond t or, with competing risks, had another event
    by t. Equal risks count one half.

    Parameters
    ----------
    time, state : array_like, shape (n,)
        State 0 or 1; with `cause`, 0 for censored and 1, 2, ... for the kinds of event.
    risk : array_like, shape (n,) or (n, h)
        Higher means the event is expected earlier; any scale.
    horizons : array_like, shape (h,) or a number
        Increasing, positive, within follow-up.
    cause : int, optional
        The kind of event looked at, when there are competing ones.
    censoring : CensoringCurve, optional
        Estimated elsewhere (the training part); from these patients when not given.

    Returns
    -------
    ndarray, shape (h,)

    Raises
    ------
    InputError
        Unusable times, states, risks or horizons.
    UndefinedError
        No events; no case or no control at a horizon; G zero or unknown where it is needed, with the time.

    References
    ----------
    Uno et al., JASA 2007;102:527. Blanche, Dartigues & Jacqmin-Gadda, Stat Med 2013;32:5381.
    """
    judged = _judged(time, state, risk, horizons, cause, probability=False)
    for case, other, t in zip(judged.case, judged.competing | judged.survivor, judged.horizons, strict=True):
        if not (case.any() and other.any()):
            raise UndefinedError(
                f"{int(case.sum())} cases and {int(other.sum())} controls at time {t:g}: one class only",
                allowed="an event by the horizon and a patient known to have none by then",
                todo="choose another horizon",
            )
    auc, _ = judged.scores(np.ones((1, judged.case.shape[1])), censoring)
    return np.asarray(auc[0])


def brier_at(
    time: npt.ArrayLike,
    state: npt.ArrayLike,
    risk: npt.ArrayLike,
    horizons: npt.ArrayLike,
    *,
    cause: int | None = None,
    censoring: CensoringCurve | None = None,
) -> Array:
    """Brier score at horizons with weights by the inverse probability of censoring.

    Parameters
    ----------
    time, state, horizons, cause, censoring
        As in :func:`auc_at`.
    risk : array_like, shape (n,) or (n, h)
        Predicted probability of the event of interest by each horizon.

    Returns
    -------
    ndarray, shape (h,)

    Raises
    ------
    InputError, UndefinedError
        As in :func:`auc_at`; also a risk outside [0, 1].

    References
    ----------
    Graf et al., Stat Med 1999;18:2529. Gerds & Schumacher, Biom J 2006;48:1029. Schoop et al., Biom J 2011;53:88
    (competing risks).
    """
    judged = _judged(time, state, risk, horizons, cause, probability=True)
    _, brier = judged.scores(np.ones((1, judged.case.shape[1])), censoring)
    return np.asarray(brier[0])


def integrated_brier(horizons: npt.ArrayLike, brier: npt.ArrayLike) -> Array:
    """Integrated Brier score up to the last horizon.

    The score is taken as zero before the first horizon (every risk is zero at time zero), as constant from one horizon
    to the next, and the integral is divided by the last horizon: ``riskRegression::Score(summary = "ibs")``. Give a
    fine grid of horizons.

    Parameters
    ----------
    horizons : array_like, shape (h,)
        Increasing, at least two.
    brier : array_like, shape (h,) or (draws, h)

    Returns
    -------
    ndarray, shape () or (draws,)
    """
    at = np.asarray(horizons, dtype=np.float64)
    score = np.asarray(brier, dtype=np.float64)
    if at.ndim != 1 or at.size < 2 or score.shape[-1:] != at.shape or np.any(np.diff(at) <= 0) or at[0] <= 0:
        raise InputError(
            f"horizons of shape {at.shape} and scores of shape {score.shape}",
            allowed="two or more increasing positive horizons and a score for each",
        )
    return np.asarray((score[..., :-1] * np.diff(at)).sum(axis=-1) / at[-1])


def horizon_bootstrap(
    time: npt.ArrayLike,
    state: npt.ArrayLike,
    risk: npt.ArrayLike,
    horizons: npt.ArrayLike,
    *,
    cause: int | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> HorizonScores:
    """AUC(t), Brier(t) and integrated Brier score in bootstrap draws of patients.

    Patients are drawn as weights; G is estimated anew in every draw.

    Parameters
    ----------
    time, state, risk, horizons, cause
        As in :func:`brier_at`.
    draws, seed : int

    Returns
    -------
    HorizonScores
        The integrated score is NaN throughout when there is one horizon.
    """
    judged = _judged(time, state, risk, horizons, cause, probability=True)
    parts = [judged.scores(w.astype(np.float64)) for w in bootstrap_weights(judged.case.shape[1], draws, seed)]
    auc, brier = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    several = judged.horizons.size > 1
    integral = integrated_brier(judged.horizons, brier) if several else np.full(draws, np.nan)
    return HorizonScores(auc, brier, integral)
