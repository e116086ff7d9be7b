"""Folds: stratified by event, never through a patient, the same for the same seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import FitError
from radiolocus.learn.target import Target

__all__ = ["Folds", "draw_folds"]

_ATTEMPTS = 100
_WITH = {"survival": " with an event", "competing": " with the event", "continuous": ""}
_COUNTED = {"survival": "events", "competing": "events of interest", "continuous": "patients"}


@dataclass(frozen=True, eq=False)
class Folds:
    """A partition of the subjects.

    Parameters
    ----------
    fold : ndarray of int64, shape (n,)
        Fold that holds each row out, from 0.
    count : int
        Number of folds.
    notes : tuple of str
        What was changed, and why: fewer folds than asked for, or a partition drawn again.
    """

    fold: npt.NDArray[np.int64]
    count: int
    notes: tuple[str, ...] = ()


def draw_folds(target: Target, folds: int, seed: np.random.SeedSequence, groups: npt.ArrayLike | None = None) -> Folds:
    """Partition subjects so that folds are alike in size and events, and every training part can be fitted.

    Groups are dealt in random order, those with an event (of the highest class) first, each to the fold with the
    fewest rows of its kind (then the fewest rows, then the lowest number); larger groups come before smaller ones.
    Of a number the kinds are its quarters: folds with unlike means would make a useless model look worse than useless.

    Parameters
    ----------
    target : Target
    folds : int
        Folds wanted. There are never more than groups with an event (for a binary endpoint: nor than groups
        without); fewer events than folds lead to fewer folds, with a note.
    seed : numpy.random.SeedSequence
    groups : array_like, shape (n,), optional
        Patient of each row: rows of one patient (visits) stay in one fold.

    Returns
    -------
    Folds

    Raises
    ------
    FitError
        Too few events, or no partition in 100 whose training parts all have what a model needs.
    """
    labels = np.arange(target.n) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    size = np.bincount(labels)
    stratum, most = strata(target, labels)
    if most < 2:
        raise FitError(
            f"{most} patients{_WITH.get(target.kind, ' in the rarer class')}",
            where=f"cross-validation of {size.size} patients",
            allowed="at least 2",
            todo="leave this endpoint out, or collect more events",
        )
    notes: tuple[str, ...] = ()
    if folds > most:
        what = _COUNTED.get(target.kind, "patients in the rarer class")
        notes = (f"{most} folds instead of {folds}: there are {most} {what}",)
    count = min(folds, most)
    generator = np.random.default_rng(seed)
    reasons: list[str] = []
    for _ in range(_ATTEMPTS):
        fold = _deal(generator, size, stratum, count)[labels]
        reason = _obstacle(target, fold, count)
        if not reason:
            again = (f"folds drawn {len(reasons)} times again: {reasons[0]}",) if reasons else ()
            return Folds(fold, count, notes + again)
        reasons.append(reason)
    raise FitError(
        f"{reasons[-1]}, in each of {_ATTEMPTS} partitions",
        where=f"cross-validation with {count} folds",
        allowed="a training part with events, and another subject at risk or of the other class",
        todo="use fewer folds, or leave this endpoint out",
    )


def strata(target: Target, labels: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.int64], int]:
    """Stratum of each group, and in how many groups the rarest stratum is found.

    A group's stratum is its highest class (1: it has an event). Of a survival endpoint only groups with an event
    count: those without are no class that a training part must hold. Of a number a group's stratum is the quarter of
    its largest value, and no quarter must be in every training part.
    """
    if target.kind == "continuous":
        largest = np.full(labels.max() + 1, -np.inf)
        np.maximum.at(largest, labels, target.event)
        return np.searchsorted(np.quantile(largest, [0.25, 0.5, 0.75]), largest), largest.size
    stratum = np.zeros(labels.max() + 1, dtype=np.int64)
    np.maximum.at(stratum, labels, target.event.astype(np.int64))
    wanted = (1,) if target.time is not None else range(target.classes)
    return stratum, min(np.unique(labels[target.event == level]).size for level in wanted)


def _deal(
    generator: np.random.Generator, size: npt.NDArray[np.int64], stratum: npt.NDArray[np.int64], count: int
) -> npt.NDArray[np.int64]:
    order = generator.permutation(size.size)
    order = order[np.lexsort((-size[order], -stratum[order]))]
    held = np.zeros((stratum.max() + 1, count), dtype=np.int64)
    fold = np.empty(size.size, dtype=np.int64)
    for group in order:
        kind = int(stratum[group])
        chosen = int(np.lexsort((held.sum(axis=0), held[kind]))[0])
        fold[group] = chosen
        held[kind, chosen] += size[group]
    return fold


def _obstacle(target: Target, fold: npt.NDArray[np.int64], count: int) -> str:
    for k in range(count):
        reason = target.take(fold != k).obstacle()
        if reason:
            return f"the training part of fold {k} has {reason}"
    return ""
