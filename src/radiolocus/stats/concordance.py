"""Discrimination: Harrell's C and the area under the ROC curve, with bootstrap draws by weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import InputError, UndefinedError
from radiolocus.kernels import riskset
from radiolocus.model import Array, BoolArray
from radiolocus.stats.correlation import average_ranks
from radiolocus.stats.resampling import bootstrap_weights
from radiolocus.stats.survival import by_descending_time, check_survival

__all__ = ["Concordance", "auc", "auc_bootstrap", "harrell_c", "harrell_c_bootstrap"]


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


def _finite(values: npt.ArrayLike, name: str, n: int) -> Array:
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
    score = _finite(risk, "risk", times.size)
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


def _classes(label: npt.ArrayLike, score: npt.ArrayLike) -> tuple[BoolArray, Array]:
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
    scores = _finite(score, "score", labels.size)
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
    labels, scores = _classes(label, score)
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
    labels, scores = _classes(label, score)
    order = np.argsort(scores, kind="stable")
    positive = labels[order]
    sorted_score = scores[order]
    first = np.flatnonzero(np.r_[True, sorted_score[1:] != sorted_score[:-1]])
    blocks = []
    for weights in bootstrap_weights(labels.size, draws, seed, stratum=labels):
        drawn = weights[:, order]
        positives = np.add.reduceat(drawn * positive, first, axis=1)
        negatives = np.add.reduceat(drawn * ~positive, first, axis=1)
        # Negatives below a score, plus half of those tied with it.
        below = np.cumsum(negatives, axis=1) - negatives / 2
        blocks.append((positives * below).sum(axis=1) / (positives.sum(axis=1) * negatives.sum(axis=1)))
    return np.asarray(np.concatenate(blocks), dtype=np.float64)
