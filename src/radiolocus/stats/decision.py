"""Decision-curve analysis: net benefit of treating whoever's predicted risk reaches a threshold.

One definition for a class, for a censored time and for competing risks. With I the incidence of the event among those
at or above threshold p, and S their share of all patients, the net benefit is S·(I − (1 − I)·p / (1 − p)). I is the
observed share, 1 − Kaplan–Meier, or Aalen–Johansen at the horizon, estimated among those patients alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import InputError
from radiolocus.kernels import riskset
from radiolocus.model import Array
from radiolocus.stats.censoring import check_horizons, check_states
from radiolocus.stats.concordance import check_classes
from radiolocus.stats.horizon import check_risks
from radiolocus.stats.resampling import bootstrap_weights
from radiolocus.stats.survival import by_descending_time

__all__ = ["DecisionCurve", "decision_curve", "decision_curve_at", "decision_curve_bootstrap"]


@dataclass(frozen=True, eq=False)
class DecisionCurve:
    """Net benefit at each threshold; treating nobody has 0.

    Parameters
    ----------
    threshold : ndarray, shape (k,)
    net_benefit : ndarray, shape (k,)
        Of treating those whose risk is at or above the threshold; 0 when there are none; NaN where those patients were
        all censored before the horizon.
    treat_all : ndarray, shape (k,)
        Of treating everybody.
    share : ndarray, shape (k,)
        Share of patients at or above the threshold.
    incidence : ndarray, shape (k,)
        Of the event among them.
    """

    threshold: Array
    net_benefit: Array
    treat_all: Array
    share: Array
    incidence: Array


@dataclass(frozen=True, eq=False)
class _Prepared:
    order: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    stop: int
    exact: bool
    state: npt.NDArray[np.int64]
    level: npt.NDArray[np.int64]
    odds: Array

    def curves(self, weights: npt.NDArray[np.int64]) -> tuple[Array, Array, Array]:
        """Net benefit, share and incidence of each draw, shape (draws, k) each; the last column treats everybody."""
        share, incidence = np.empty((2, len(weights), self.odds.size + 1))
        drawn = np.ascontiguousarray(weights[:, self.order])
        # Level 0 of the kernel is everybody; threshold k is its level k + 1.
        riskset.incidence_above(self.start, self.stop, self.exact, self.state, self.level, drawn, share, incidence)
        model = share[:, 1:] * (incidence[:, 1:] - (1 - incidence[:, 1:]) * self.odds)
        return model, share, incidence


def _prepare(
    time: npt.ArrayLike,
    state: npt.ArrayLike,
    risk: npt.ArrayLike,
    horizon: float,
    thresholds: npt.ArrayLike | None,
    cause: int | None,
) -> tuple[_Prepared, Array]:
    times, states, wanted = check_states(time, state, cause)
    t = float(check_horizons([horizon], times)[0])
    risks = check_risks(np.asarray(risk, dtype=np.float64).reshape(-1), times.size, 1, probability=True)[:, 0]
    at = np.arange(1, 100) / 100 if thresholds is None else np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
    if at.ndim != 1 or not at.size or not np.all((at > 0) & (at < 1)) or np.any(np.diff(at) <= 0):
        raise InputError(f"thresholds {at.ravel()[:5]}", allowed="increasing, between 0 and 1, both excluded")
    order, start = by_descending_time(times)
    by_group = times[order][start[:-1]]
    stop = int(np.searchsorted(-by_group, -t, side="left"))
    codes = np.where(states == wanted, 1, np.where(states > 0, 2, 0)).astype(np.int64)
    level = np.searchsorted(at, risks, side="right").astype(np.int64) + 1
    exact = stop < by_group.size and bool(by_group[stop] == t)
    return _Prepared(order, start, stop, exact, codes[order], level[order], at / (1 - at)), at


def decision_curve_at(
    time: npt.ArrayLike,
    state: npt.ArrayLike,
    risk: npt.ArrayLike,
    horizon: float,
    thresholds: npt.ArrayLike | None = None,
    *,
    cause: int | None = None,
) -> DecisionCurve:
    """Net benefit of a predicted risk of the event by a horizon, censored or with competing risks.

    Parameters
    ----------
    time, state : array_like, shape (n,)
        State 0 or 1; with `cause`, 0 for censored and 1, 2, ... for the kinds of event.
    risk : array_like, shape (n,)
        Predicted probability of the event of interest by the horizon.
    horizon : float
    thresholds : array_like, shape (k,), optional
        0.01, 0.02, ..., 0.99 when not given. A risk equal to the threshold is treated.
    cause : int, optional

    Returns
    -------
    DecisionCurve

    Raises
    ------
    InputError
        Unusable times, states, risks or thresholds; a horizon beyond follow-up.
    UndefinedError
        Nobody has the event.

    References
    ----------
    Vickers & Elkin, Med Decis Making 2006;26:565. Vickers et al., BMC Med Inform Decis Mak 2008;8:53 (censored and
    competing risks).
    """
    prepared, at = _prepare(time, state, risk, horizon, thresholds, cause)
    model, share, incidence = prepared.curves(np.ones((1, prepared.level.size), np.int64))
    everybody = incidence[0, 0] - (1 - incidence[0, 0]) * prepared.odds
    return DecisionCurve(at, model[0], everybody, share[0, 1:], incidence[0, 1:])


def decision_curve(label: npt.ArrayLike, risk: npt.ArrayLike, thresholds: npt.ArrayLike | None = None) -> DecisionCurve:
    """Net benefit of a predicted probability of the positive class.

    Parameters
    ----------
    label : array_like, shape (n,)
        0 or 1.
    risk : array_like, shape (n,)
    thresholds : array_like, shape (k,), optional
        As in :func:`decision_curve_at`.

    Raises
    ------
    InputError
        Unusable labels, risks or thresholds.
    UndefinedError
        Only one class.
    """
    labels, risks = check_classes(label, risk)
    return decision_curve_at(np.ones(labels.size), labels, risks, 1.0, thresholds)


def decision_curve_bootstrap(
    time: npt.ArrayLike,
    state: npt.ArrayLike,
    risk: npt.ArrayLike,
    horizon: float,
    thresholds: npt.ArrayLike | None = None,
    *,
    cause: int | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> Array:
    """Net benefit of the model in bootstrap draws of patients, by weights.

    For a class, give times and horizon of 1.

    Returns
    -------
    ndarray, shape (draws, k)
        NaN where those above the threshold were all censored before the horizon.
    """
    prepared, _ = _prepare(time, state, risk, horizon, thresholds, cause)
    blocks = [prepared.curves(weights)[0] for weights in bootstrap_weights(prepared.level.size, draws, seed)]
    return np.concatenate(blocks)
