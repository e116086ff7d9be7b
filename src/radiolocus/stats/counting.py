"""Cox's model for intervals at risk: left truncation, strata, weights, robust variance; Fine–Gray through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from radiolocus.errors import FitError, InputError
from radiolocus.kernels import riskset
from radiolocus.model import Array
from radiolocus.stats.censoring import censoring_curve, check_states
from radiolocus.stats.cox import CoxFit, Ties, check_ties
from radiolocus.stats.newton import Design, maximise, standardise
from radiolocus.stats.survival import check_survival

__all__ = ["Baseline", "CountingFit", "fit_counting_cox", "fit_fine_gray", "subdistribution_rows"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Baseline:
    """Cumulative baseline hazard of one stratum: a step function at the times of events.

    Parameters
    ----------
    time : ndarray, shape (m,)
        Ascending.
    cumulative : ndarray, shape (m,)
        Of a patient whose covariates are the means of the patients fitted.
    """

    time: Array
    cumulative: Array

    def at(self, times: npt.ArrayLike) -> Array:
        """Cumulative hazard at `times`; 0 before the first event."""
        return np.asarray(np.r_[0.0, self.cumulative][np.searchsorted(self.time, times, side="right")])


@dataclass(frozen=True, eq=False)
class CountingFit(CoxFit):
    """A Cox model of intervals at risk; beside what :class:`radiolocus.stats.cox.CoxFit` holds:

    Parameters
    ----------
    naive_covariance : ndarray, shape (p, p)
        Inverse of the observed information. `covariance` is the robust one where that was asked for.
    mean : ndarray, shape (p,)
        Means of the columns, at which the baselines hold.
    baseline : dict
        Of each stratum (one, named 0, without strata).
    """

    naive_covariance: Array
    mean: Array
    baseline: dict[object, Baseline]

    def risk_at(self, X: npt.ArrayLike, times: npt.ArrayLike, stratum: object = 0) -> Array:
        """Probability of the event by `times`, shape (n, t); the cumulative incidence in a Fine–Gray model.

        Raises
        ------
        InputError
            A stratum that was not fitted, or another number of columns.
        """
        matrix = np.atleast_2d(np.asarray(X, dtype=np.float64))
        if stratum not in self.baseline:
            raise InputError(f"stratum {stratum!r}", allowed=", ".join(map(repr, self.baseline)))
        if matrix.ndim != 2 or matrix.shape[1] != self.coefficient.size:
            raise InputError(f"a design of shape {matrix.shape}", allowed=f"(n, {self.coefficient.size})")
        hazard = self.baseline[stratum].at(np.atleast_1d(np.asarray(times, dtype=np.float64)))
        return np.asarray(-np.expm1(-np.exp((matrix - self.mean) @ self.coefficient)[:, None] * hazard[None, :]))


@dataclass(frozen=True, eq=False)
class _Sorted:
    """Rows by stratum and descending exit, and where strata, groups of equal exit and entries lie."""

    order: Ints
    stratum: Ints
    group: Ints
    entered: Ints
    leaving: Ints
    entry: Array
    exit: Array
    code: Ints
    event: npt.NDArray[np.bool_]
    weight: Array


def _sort(entry: Array, leave: Array, event: npt.NDArray[np.bool_], weight: Array, code: Ints) -> _Sorted:
    order = np.lexsort((-leave, code))
    entry, leave, event, weight, code = entry[order], leave[order], event[order], weight[order], code[order]
    new_stratum = np.r_[True, code[1:] != code[:-1]]
    first = np.flatnonzero(new_stratum | np.r_[True, leave[1:] != leave[:-1]])
    leaving = np.lexsort((-entry, code))
    stratum_rows = np.append(np.flatnonzero(new_stratum), code.size)
    entered = np.empty(first.size, np.int64)
    for low, high in pairwise(stratum_rows):
        inside = (first >= low) & (first < high)
        by_entry = -entry[leaving[low:high]]
        entered[inside] = low + np.searchsorted(by_entry, -leave[first[inside]], side="right")
    return _Sorted(
        order.astype(np.int64),
        np.searchsorted(first, stratum_rows).astype(np.int64),
        np.append(first, code.size).astype(np.int64),
        entered,
        leaving.astype(np.int64),
        entry,
        leave,
        code,
        event,
        weight,
    )


def _column(values: npt.ArrayLike | None, n: int, name: str, default: float) -> Array:
    if values is None:
        return np.full(n, default)
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (n,):
        raise InputError(f"{name} of shape {array.shape} for {n} patients", allowed="one value a patient")
    return array


def _check_entry(entry: Array, leave: Array) -> None:
    bad = np.flatnonzero(~(((entry >= 0) | (entry == -np.inf)) & (entry < leave)))
    if bad.size:
        i = bad[0]
        raise InputError(
            f"entry {entry[i]:g} and exit {leave[i]:g}",
            where=f"index {i} ({bad.size} such)",
            allowed="0 ≤ entry < exit, or −∞ for at risk from the beginning",
            todo="correct the times or leave the patient out",
        )


def _check_weights(weight: Array) -> None:
    bad = np.flatnonzero(~(np.isfinite(weight) & (weight > 0)))
    if bad.size:
        raise InputError(
            f"weight {weight[bad[0]]:g}", where=f"index {bad[0]} ({bad.size} such)", allowed="finite, positive"
        )


def fit_counting_cox(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    X: npt.ArrayLike,
    *,
    entry: npt.ArrayLike | None = None,
    strata: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
    cluster: npt.ArrayLike | None = None,
    robust: bool = False,
    ridge: npt.ArrayLike = 0.0,
    ties: Ties = "efron",
    names: Sequence[str] | None = None,
    penalty: float = 0.0,
) -> CountingFit:
    """Fit a Cox model to intervals (entry, time], one row or several a patient.

    Parameters
    ----------
    time, event : array_like, shape (n,)
        Time of exit and whether the event happened then; see :func:`radiolocus.stats.survival.check_survival`.
    X : array_like, shape (n, p) or (n,)
        Covariates, finite.
    entry : array_like, shape (n,), optional
        Time from which the patient was at risk (left truncation): at risk at t when entry < t ≤ time;
        −∞ for from the beginning.
    strata : array_like, shape (n,), optional
        Each stratum has a baseline hazard of its own.
    weights : array_like, shape (n,), optional
        Case weights, positive, as R ``coxph``.
    cluster : array_like, shape (n,), optional
        Rows of one patient (or family) share a label; asks for the robust variance.
    robust : bool
        The robust (sandwich) variance of Lin & Wei, each row its own cluster unless `cluster` is given.
    ridge : array_like, a number or shape (p,)
        Penalty r β² / 2 on the log partial likelihood, of each coefficient a standard deviation (denominator n) of its
        column; as ``ridge(x, theta = r)`` of R's ``coxph``, which takes n − 1. Log-likelihoods are without penalty;
        variances are inverses of the penalised information (and the sandwich with it).
    ties : {"efron", "breslow"}
    names : sequence of str, optional
    penalty : float
        Half of it times the squared length of the coefficients is taken from the log partial likelihood (``ridge`` of R
        ``coxph``, whose theta it is); the columns are then taken as they are, standardised by the caller, and may be
        constant or collinear. The log-likelihoods are without it.

    Returns
    -------
    CountingFit

    Raises
    ------
    InputError
        Unusable times, events, weights or covariates; an entry at or after the exit.
    FitError
        No events, a constant or collinear column, monotone likelihood.

    References
    ----------
    Andersen & Gill, Ann Stat 1982;10:1100. Lin & Wei, JASA 1989;84:1074. Therneau & Grambsch, *Modeling Survival
    Data*, 2000 (weighted Efron approximation and its score residuals).
    """
    efron = check_ties(ties)
    leave, events = check_survival(time, event)
    n = leave.size
    if not events.any():
        raise FitError(f"no events among {n} patients", allowed="at least one event", todo="check the event coding")
    begin, weight = _column(entry, n, "entry", -np.inf), _column(weights, n, "weights", 1.0)
    _check_entry(begin, leave)
    _check_weights(weight)
    labels, code = _codes(strata, n, "strata")
    held = bool(np.all(np.asarray(ridge) > 0))
    design = _as_given(X, n) if penalty > 0.0 else standardise(X, n, names, independent=not held)
    rows = _sort(begin, leave, events, weight, code)
    Z = np.ascontiguousarray(design.Z[rows.order])
    p, groups = Z.shape[1], rows.group.size - 1
    shrink = np.broadcast_to(np.asarray(ridge, dtype=np.float64), (p,)) + penalty
    if not (np.isfinite(shrink) & (shrink >= 0)).all():
        raise InputError(f"ridge {shrink.min():g}", allowed="finite, zero or positive")
    hazard, moment = np.zeros((groups, 2)), np.zeros((groups, 3, p))

    def evaluate(beta: Array) -> tuple[float, Array, Array]:
        gradient, information = np.empty(p), np.empty((p, p))
        loglik = riskset.cox_counting(
            Z, rows.stratum, rows.group, rows.entered, rows.leaving, rows.event, rows.weight, Z @ beta,
            efron, gradient, information, hazard, moment,
        )  # fmt: skip
        cost = 0.5 * float(shrink @ np.square(beta))
        return float(loglik) - cost, gradient - shrink * beta, information + np.diag(shrink)

    found = maximise(evaluate, np.zeros(p), Z, design.names, "monotone likelihood")
    evaluate(found.beta)
    loglik = found.loglik + 0.5 * float(shrink @ np.square(found.beta))
    inverse = np.linalg.inv(found.information)
    naive = inverse / np.outer(design.scale, design.scale)
    covariance = naive
    if robust or cluster is not None:
        _, member = _codes(cluster, n, "cluster") if cluster is not None else ((), np.arange(n))
        influence = rows.weight[:, None] * _score_residuals(rows, Z, found.beta, hazard, moment) @ inverse
        total = np.zeros((member.max() + 1, p))
        np.add.at(total, member[rows.order], influence)
        covariance = (total.T @ total) / np.outer(design.scale, design.scale)
    return CountingFit(
        found.beta / design.scale, covariance, loglik, found.loglik_start, found.score_statistic,
        found.iterations, n, int(events.sum()), ties, naive, design.mean, _baselines(rows, labels, hazard),
    )  # fmt: skip


def _as_given(X: npt.ArrayLike, n: int) -> Design:
    """Columns as they are, checked for their shape alone: a penalty makes a fit of any."""
    matrix = np.asarray(X, dtype=np.float64)
    matrix = matrix[:, None] if matrix.ndim == 1 else matrix
    if matrix.ndim != 2 or matrix.shape[0] != n or matrix.shape[1] == 0 or not np.isfinite(matrix).all():
        raise InputError(f"a design of shape {matrix.shape} for {n} patients", allowed=f"({n}, at least 1), finite")
    p = matrix.shape[1]
    return Design(matrix, np.zeros(p), np.ones(p), tuple(f"column {j}" for j in range(p)))


def _codes(labels: npt.ArrayLike | None, n: int, name: str) -> tuple[tuple[object, ...], Ints]:
    """Distinct labels and the place of each patient's among them."""
    if labels is None:
        return (0,), np.zeros(n, np.int64)
    array = np.asarray(labels)
    if array.shape != (n,):
        raise InputError(f"{name} of shape {array.shape} for {n} patients", allowed="one label a patient")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError(f"a missing label among the {name}", allowed="a label for every patient")
    distinct, place = np.unique(array, return_inverse=True)
    return tuple(distinct.tolist()), place.astype(np.int64)


def _baselines(rows: _Sorted, labels: tuple[object, ...], hazard: Array) -> dict[object, Baseline]:
    baselines = {}
    for label, low, high in zip(labels, rows.stratum[:-1], rows.stratum[1:], strict=True):
        time, increment = rows.exit[rows.group[low:high]][::-1], hazard[low:high, 0][::-1]
        happened = increment > 0
        baselines[label] = Baseline(time[happened], np.cumsum(increment[happened]))
    return baselines


def _score_residuals(rows: _Sorted, Z: Array, beta: Array, hazard: Array, moment: Array) -> Array:
    """Score residual of each row (unweighted), shape (n, p): what its martingale takes from the score."""
    n = Z.shape[0]
    risk = np.exp(Z @ beta)
    own = np.repeat(np.arange(rows.group.size - 1), np.diff(rows.group))
    died = rows.event
    passed = np.zeros((n, 1 + Z.shape[1]))
    steps = np.column_stack([hazard[:, 0], moment[:, 0]])
    for low, high in pairwise(rows.stratum):
        members = slice(rows.group[low], rows.group[high])
        # Sums over the groups of the stratum from the last (earliest) up to and including each; and none.
        upto = np.vstack([np.cumsum(steps[low:high][::-1], axis=0)[::-1], np.zeros((1, steps.shape[1]))])
        times = rows.exit[rows.group[low:high]]
        # Groups at or before the entry, in descending time.
        before = np.searchsorted(-times, -rows.entry[members], side="left")
        passed[members] = upto[own[members] - low] - upto[before]
    # Those who die count only part of the increments of their own time (Efron).
    last = np.column_stack([hazard[:, 1] - hazard[:, 0], moment[:, 1] - moment[:, 0]])[own]
    passed += last * died[:, None]
    residual = -risk[:, None] * (Z * passed[:, :1] - passed[:, 1:])
    residual[died] += (Z - moment[own, 2])[died]
    return residual


def fit_fine_gray(
    time: npt.ArrayLike,
    state: npt.ArrayLike,
    X: npt.ArrayLike,
    cause: int = 1,
    *,
    ties: Ties = "efron",
    names: Sequence[str] | None = None,
    penalty: float = 0.0,
) -> CountingFit:
    """Fine–Gray model of the subdistribution hazard of one cause, with the robust variance.

    Who has a competing event stays at risk, with weight G(t−)/G(T−) at time t; G is the Kaplan–Meier estimate of being
    uncensored, events before censorings at equal times (R ``survival::finegray`` and ``coxph`` with the patient as
    cluster). The variance takes G as known, as there. Rows grow with competing events times censoring times.

    Parameters
    ----------
    time, state : array_like, shape (n,)
        State 0 for censored, 1, 2, ... for the kinds of event.
    X : array_like, shape (n, p) or (n,)
    cause : int
    ties : {"efron", "breslow"}
    names : sequence of str, optional
    penalty : float
        As in :func:`fit_counting_cox`.

    Returns
    -------
    CountingFit
        `n` and `events` count patients. ``risk_at`` gives the cumulative incidence.

    Raises
    ------
    InputError, UndefinedError, FitError
        As :func:`fit_counting_cox`; nobody has the event of interest.

    References
    ----------
    Fine & Gray, JASA 1999;94:496. Geskus, Biometrics 2011;67:39 (the weights).
    """
    times, states, wanted = check_states(time, state, cause)
    design = _as_given(X, times.size) if penalty > 0.0 else standardise(X, times.size, names)
    matrix = np.asarray(X, dtype=np.float64)
    matrix = matrix[:, None] if matrix.ndim == 1 else matrix
    patient, begin, leave, weight = subdistribution_rows(times, states, wanted)
    own_last = np.r_[patient[1:] != patient[:-1], True]
    happened = (states[patient] == wanted) & own_last
    fit = fit_counting_cox(
        leave, happened, matrix[patient], entry=begin, weights=weight, cluster=patient, ties=ties, names=design.names,
        penalty=penalty,
    )  # fmt: skip
    return CountingFit(
        fit.coefficient, fit.covariance, fit.loglik, fit.loglik_null, fit.score_statistic, fit.iterations,
        times.size, int(np.sum(states == wanted)), ties, fit.naive_covariance, fit.mean, fit.baseline,
    )  # fmt: skip


def subdistribution_rows(times: Array, states: Ints, wanted: int) -> tuple[Ints, Array, Array, Array]:
    """Intervals at risk of the subdistribution, as :func:`fit_fine_gray` weights them.

    Parameters
    ----------
    times : ndarray, shape (n,)
    states : ndarray of int, shape (n,)
    wanted : int
        The kind of event looked at; at least one patient has it.

    Returns
    -------
    patient, entry, exit, weight : ndarray
        One row a patient, and more after a competing event, cut where G drops.
    """
    curve = censoring_curve(times, states > 0)
    last = times[states == wanted].max()
    # Only drops before the last event of interest change a weight that counts.
    drops = np.unique(times[(states == 0) & (times < last)])
    after = curve.at(drops)
    patients, begins, leaves, weights = [], [], [], []
    for i, (t, s) in enumerate(zip(times, states, strict=True)):
        if s in (0, wanted) or t >= last:
            begin, leave, weight = np.array([-np.inf]), np.array([t]), np.ones(1)
        else:
            later = drops >= t
            begin = np.r_[-np.inf, drops[later]]
            leave = np.r_[drops[later], last]
            weight = np.r_[1.0, after[later] / curve.before(t)]
        patients.append(np.full(begin.size, i))
        begins.append(begin)
        leaves.append(leave)
        weights.append(weight)
    patient, begin, leave, weight = (np.concatenate(part) for part in (patients, begins, leaves, weights))
    return patient.astype(np.int64), begin, leave, weight
