"""Discrimination: Harrell's and Uno's C and the area under the ROC curve, with bootstrap draws by weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import InputError, UndefinedError
from radiolocus.kernels import riskset
from radiolocus.model import Array, BoolArray
from radiolocus.stats.censoring import Clock
from radiolocus.stats.correlation import average_ranks
from radiolocus.stats.resampling import bootstrap_weights
from radiolocus.stats.survival import by_descending_time, check_survival

__all__ = [
    "Concordance",
    "UnoConcordance",
    "auc",
    "auc_bootstrap",
    "check_classes",
    "finite_scores",
    "harrell_c",
    "harrell_c_bootstrap",
    "pair_sums",
    "uno_c",
    "uno_c_bootstrap",
    "weighted_auc",
]


@dataclass(frozen=True)
class Concordance:
    """Harrell's C and the pairs it was counted from.

    Parameters
    ----------
    estimate : float
        (concordant + tied_risk / 2) / comparable.
    concordant, discordant, tied_risk : int
        Comparable pairs in which the patient with the earlier event had the higher, the lower, the same risk.
    comparable : int
        Their sum.
    """

    estimate: float
    concordant: int
    discordant: int
    tied_risk: int
    comparable: int


def finite_scores(values: npt.ArrayLike, name: str, n: int) -> Array:
    """Return one finite number a patient, or an InputError that names the first that is none."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (n,):
        raise InputError(f"{name} of shape {array.shape} for {n} patients", allowed="one value a patient")
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        raise InputError(
            f"{name} {array[bad[0]]}",
            where=f"index {bad[0]} ({bad.size} such)",
            allowed="finite numbers",
            todo="leave the patients without a score out",
        )
    return array


_Sorted = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], BoolArray, npt.NDArray[np.int64]]


def _sorted(time: npt.ArrayLike, event: npt.ArrayLike, risk: npt.ArrayLike) -> _Sorted:
    times, events = check_survival(time, event)
    score = finite_scores(risk, "risk", times.size)
    order, start = by_descending_time(times)
    rank = np.unique(score, return_inverse=True)[1].astype(np.int64) + 1
    return order, start, events[order], rank[order]


def harrell_c(time: npt.ArrayLike, event: npt.ArrayLike, risk: npt.ArrayLike) -> Concordance:
    """Harrell's concordance index in O(n log n), with the tie conventions of R ``survival::concordance``.

    A pair is comparable when the earlier time is an event, and at equal times when one is an event and the other
    censored. Two events at one time are not comparable. Equal risks count one half.

    Parameters
    ----------
    time, event : array_like, shape (n,)
        See :func:`radiolocus.stats.survival.check_survival`.
    risk : array_like, shape (n,)
        Higher means an earlier event is expected.

    Raises
    ------
    InputError
        Unusable times, events or risks.
    UndefinedError
        No pair is comparable.

    References
    ----------
    Harrell et al., JAMA 1982;247:2543. Fenwick, Softw Pract Exp 1994;24:327 (the counting tree).
    """
    _, start, events, rank = _sorted(time, event, risk)
    counts = np.zeros((1, 3), np.int64)
    riskset.concordance(start, events, rank, np.ones((1, rank.size), np.int64), counts)
    concordant, discordant, tied = (int(c) for c in counts[0])
    comparable = concordant + discordant + tied
    if comparable == 0:
        raise UndefinedError(
            f"no comparable pair among {rank.size} patients with {int(events.sum())} events",
            allowed="at least one event before another patient's time",
            todo="check the event coding, or report no concordance",
        )
    return Concordance((concordant + tied / 2) / comparable, concordant, discordant, tied, comparable)


def harrell_c_bootstrap(
    time: npt.ArrayLike, event: npt.ArrayLike, risk: npt.ArrayLike, draws: int = 1000, seed: int = 0
) -> Array:
    """Harrell's C in bootstrap draws of patients.

    Patients are drawn as weights, so nothing is sorted again. A pair of different patients counts as often as both
    were drawn together; copies of one patient are never compared with each other.

    Parameters
    ----------
    time, event, risk : array_like, shape (n,)
        As in :func:`harrell_c`.
    draws : int
    seed : int

    Returns
    -------
    ndarray, shape (draws,)
        NaN in a draw without a comparable pair.
    """
    order, start, events, rank = _sorted(time, event, risk)
    blocks = []
    for weights in bootstrap_weights(rank.size, draws, seed):
        counts = np.zeros((len(weights), 3), np.int64)
        riskset.concordance(start, events, rank, np.ascontiguousarray(weights[:, order]), counts)
        blocks.append(counts)
    counts = np.concatenate(blocks).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray((counts[:, 0] + counts[:, 2] / 2) / counts.sum(axis=1))


@dataclass(frozen=True)
class UnoConcordance:
    """Uno's C and the time that it looks up to.

    Parameters
    ----------
    estimate : float
    truncation : float
        Events at or before this time count (R's ``ymax``).
    events : int
        How many those are.
    """

    estimate: float
    truncation: float
    events: int


@dataclass(frozen=True, eq=False)
class _Uno:
    """What draws of Uno's C have in common."""

    order: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    events: BoolArray
    rank: npt.NDArray[np.int64]
    clock: Clock
    truncation: float

    def sums(self, weights: npt.NDArray[np.int64]) -> Array:
        """Concordant, discordant, tied sums of each row of weights of the patients as given, shape (draws, 3)."""
        before = self.clock.uncensored(weights)[:, :-1]
        # G(t−) is zero only where nobody drawn is left: such a group has no pair, whatever its weight.
        inverse = np.divide(1.0, before**2, out=np.zeros_like(before), where=before > 0)
        inverse[:, self.clock.time > self.truncation] = 0.0
        sums = np.zeros((len(weights), 3))
        pair_weight = np.ascontiguousarray(inverse[:, ::-1])
        drawn = np.ascontiguousarray(weights[:, self.order])
        riskset.concordance_timed(self.start, self.events, self.rank, drawn, pair_weight, sums)
        return sums


def _uno(time: npt.ArrayLike, event: npt.ArrayLike, risk: npt.ArrayLike, truncation: float | None) -> _Uno:
    times, events = check_survival(time, event)
    order, start, sorted_events, rank = _sorted(time, event, risk)
    if not events.any():
        raise UndefinedError(f"no events among {times.size} patients", allowed="at least one event")
    last = float(times[events].max()) if truncation is None else float(truncation)
    if not (np.isfinite(last) and last >= 0):
        raise InputError(f"truncation time {last}", allowed="finite, zero or positive")
    if last > times.max():
        raise InputError(
            f"truncation time {last:g} beyond follow-up",
            where=f"last time {times.max():g}",
            todo="choose an earlier truncation time",
        )
    return _Uno(order, start, sorted_events, rank, Clock.of(times, events), last)


def uno_c(
    time: npt.ArrayLike, event: npt.ArrayLike, risk: npt.ArrayLike, *, truncation: float | None = None
) -> UnoConcordance:
    """Uno's concordance index: every comparable pair weighted by 1/G(T−)² at its event.

    Comparable pairs and ties are those of :func:`harrell_c`. G is the Kaplan–Meier estimate of being uncensored, with
    events before censorings at equal times (R ``survival::concordance(timewt = "n/G2", ymax = truncation)``).

    Parameters
    ----------
    time, event, risk : array_like, shape (n,)
        As in :func:`harrell_c`.
    truncation : float, optional
        Events up to and including this time count; the last event time when not given. For "before t" give
        ``numpy.nextafter(t, 0)``.

    Raises
    ------
    InputError
        Unusable times, events or risks; a truncation time that is negative or beyond follow-up.
    UndefinedError
        No events, or no comparable pair up to the truncation time.

    References
    ----------
    Uno et al., Stat Med 2011;30:1105.
    """
    core = _uno(time, event, risk, truncation)
    concordant, discordant, tied = core.sums(np.ones((1, core.rank.size), np.int64))[0]
    comparable = concordant + discordant + tied
    within = int(np.count_nonzero(core.events & (core.clock.time[core.clock.place][core.order] <= core.truncation)))
    if comparable == 0:
        raise UndefinedError(
            f"no comparable pair with an event by time {core.truncation:g} ({within} events by then)",
            allowed="at least one event before another patient's time",
            todo="choose a later truncation time",
        )
    return UnoConcordance(float((concordant + tied / 2) / comparable), core.truncation, within)


def uno_c_bootstrap(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    risk: npt.ArrayLike,
    *,
    truncation: float | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> Array:
    """Uno's C in bootstrap draws of patients, by weights; G is estimated anew in every draw.

    Parameters
    ----------
    time, event, risk, truncation
        As in :func:`uno_c`. The truncation time is that of the data in every draw.
    draws, seed : int

    Returns
    -------
    ndarray, shape (draws,)
        NaN in a draw without a comparable pair.
    """
    core = _uno(time, event, risk, truncation)
    sums = np.concatenate([core.sums(weights) for weights in bootstrap_weights(core.rank.size, draws, seed)])
    with np.errstate(invalid="ignore"):
        return np.asarray((sums[:, 0] + sums[:, 2] / 2) / sums.sum(axis=1))


def pair_sums(case: Array, control: Array, score: Array) -> tuple[Array, Array]:
    """Weight of the case–control pairs in which the case scores higher, ties one half, and of all pairs.

    Parameters
    ----------
    case, control : ndarray, shape (draws, n)
        Weights with which each patient counts as a case and as a control; not both for one patient.
    score : ndarray, shape (n,)

    Returns
    -------
    won, total : ndarray, shape (draws,)
    """
    order = np.argsort(score, kind="stable")
    sorted_score = score[order]
    first = np.flatnonzero(np.r_[True, sorted_score[1:] != sorted_score[:-1]])
    cases = np.add.reduceat(case[:, order], first, axis=1)
    controls = np.add.reduceat(control[:, order], first, axis=1)
    # Controls below a score, plus half of those tied with it.
    below = np.cumsum(controls, axis=1) - controls / 2
    return (cases * below).sum(axis=1), cases.sum(axis=1) * controls.sum(axis=1)


def weighted_auc(case: Array, control: Array, score: Array) -> Array:
    """Share of case–control pairs in which the case scores higher, ties one half, for each row of weights.

    Parameters
    ----------
    case, control, score
        As in :func:`pair_sums`.

    Returns
    -------
    ndarray, shape (draws,)
        NaN where cases or controls weigh nothing.
    """
    won, total = pair_sums(case, control, score)
    with np.errstate(invalid="ignore"):
        return np.asarray(won / total)


def check_classes(label: npt.ArrayLike, score: npt.ArrayLike) -> tuple[BoolArray, Array]:
    """Return labels as booleans and finite scores.

    Raises
    ------
    InputError
        A label that is neither 0 nor 1, a score that is not finite.
    UndefinedError
        Only one class.
    """
    labels = np.asarray(label)
    if labels.ndim != 1:
        raise InputError(f"labels of shape {labels.shape}", allowed="a vector")
    if labels.dtype != np.bool_:
        numbers = labels.astype(np.float64)
        bad = np.flatnonzero((numbers != 0) & (numbers != 1))
        if bad.size:
            raise InputError(
                f"label {labels[bad[0]]}", where=f"index {bad[0]} ({bad.size} such)", allowed="0 or 1, False or True"
            )
        labels = numbers == 1
    scores = finite_scores(score, "score", labels.size)
    positives = int(labels.sum())
    if positives in (0, labels.size):
        raise UndefinedError(
            f"{positives} positives among {labels.size} patients: one class only", allowed="both classes present"
        )
    return labels, scores


def auc(label: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Area under the ROC curve as the Mann–Whitney probability, ties one half.

    Parameters
    ----------
    label : array_like, shape (n,)
        1 or True for the positive class.
    score : array_like, shape (n,)
        Higher means positive is expected.

    Raises
    ------
    InputError
        A label that is neither 0 nor 1, a score that is not finite.
    UndefinedError
        Only one class.

    References
    ----------
    Hanley & McNeil, Radiology 1982;143:29.
    """
    labels, scores = check_classes(label, score)
    positives = int(labels.sum())
    ranks = float(average_ranks(scores)[labels].sum())
    return (ranks - positives * (positives + 1) / 2) / (positives * (labels.size - positives))


def auc_bootstrap(label: npt.ArrayLike, score: npt.ArrayLike, draws: int = 1000, seed: int = 0) -> Array:
    """AUC in bootstrap draws, stratified: positives and negatives are each resampled among themselves.

    The class counts of every draw are those of the data, so no draw lacks a class; the interval is conditional on
    them (the default of R ``pROC``).

    Parameters
    ----------
    label, score : array_like, shape (n,)
        As in :func:`auc`.
    draws : int
    seed : int

    Returns
    -------
    ndarray, shape (draws,)
    """
    labels, scores = check_classes(label, score)
    blocks = [
        weighted_auc((weights * labels).astype(np.float64), (weights * ~labels).astype(np.float64), scores)
        for weights in bootstrap_weights(labels.size, draws, seed, stratum=labels)
    ]
    return np.asarray(np.concatenate(blocks), dtype=np.float64)
