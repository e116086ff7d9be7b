"""Who is held out: folds at random, each site in turn, the latest subjects, or whoever a bootstrap sample left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import FitError, InputError
from radiolocus.learn.folds import Folds, draw_folds
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.target import Rows, Target
from radiolocus.model import Array

__all__ = ["Rowwise", "bootstrap_rows", "outer_folds", "seed_of"]

_ATTEMPTS = 100


@dataclass(frozen=True, eq=False)
class Rowwise:
    """What is known of each row beside its predictors and its outcome.

    Parameters
    ----------
    patient : ndarray, shape (n,), optional
        Patient of each row, when a patient has several (visits): rows of a patient are never split.
    site : ndarray of str, shape (n,), optional
        Needed by ``split = "site"``; rows of unknown site (empty) are a site of their own.
    date : ndarray, shape (n,), optional
        A number that rises with the date; needed by ``split = "temporal"``.
    """

    patient: npt.NDArray[np.generic] | None = None
    site: npt.NDArray[np.str_] | None = None
    date: Array | None = None


def seed_of(options: ProtocolOptions, *place: int) -> np.random.SeedSequence:
    """Seed of a place in the protocol: repetition, fold, ..."""
    return np.random.SeedSequence(options.seed, spawn_key=place)


def outer_folds(target: Target, options: ProtocolOptions, repeat: int, rows: Rowwise) -> Folds:
    """Divide subjects into who is held out when; −1: never (the earlier subjects of a temporal split).

    Raises
    ------
    FitError
        A training part that cannot be fitted and divided in its turn, with the site or the date.
    InputError
        A site or date that is needed and absent; a patient in two sites.
    """
    if options.split == "site":
        return _by_site(target, rows)
    if options.split == "temporal":
        return _by_date(target, options, rows)
    _check_division(target, options, rows.patient)
    return draw_folds(target, options.folds, seed_of(options, repeat), rows.patient)


def _by_site(target: Target, rows: Rowwise) -> Folds:
    if rows.site is None:
        raise InputError("no sites", where="split = site", allowed="the site of every row")
    names, fold = np.unique(rows.site, return_inverse=True)
    if names.size < 2:
        raise FitError(f"one site ({names[0] or 'unknown'})", where="split = site", allowed="at least two sites")
    if rows.patient is not None:
        twice = [p for p in np.unique(rows.patient) if np.unique(fold[rows.patient == p]).size > 1]
        if twice:
            raise InputError(
                f"patient {twice[0]} in several sites ({len(twice)} such)",
                where="split = site",
                allowed="every patient in one site",
            )
    notes = []
    for k, name in enumerate(names):
        _check_training(target, fold != k, f"without site '{name or 'unknown'}'")
        if obstacle := target.take(fold == k).obstacle():
            notes.append(f"site '{name or 'unknown'}' is predicted but has nothing to compare: {obstacle}")
    return Folds(fold.astype(np.int64), names.size, tuple(notes))


def _by_date(target: Target, options: ProtocolOptions, rows: Rowwise) -> Folds:
    if rows.date is None or not np.isfinite(rows.date).all():
        lacking = target.n if rows.date is None else int((~np.isfinite(rows.date)).sum())
        raise InputError(
            f"{lacking} of {target.n} rows without a date",
            where="split = temporal",
            allowed="a date of every row",
            todo="leave the subjects without a date out",
        )
    date = np.asarray(rows.date, dtype=np.float64)
    if rows.patient is not None:  # a patient belongs where his first row does
        _, patient = np.unique(rows.patient, return_inverse=True)
        first = np.full(patient.max() + 1, np.inf)
        np.minimum.at(first, patient, date)
        date = first[patient]
    cut = float(np.quantile(date, 1.0 - options.temporal_test, method="higher"))
    later = date >= cut
    _check_training(target, ~later, "of the earlier subjects")
    obstacle = target.take(later).obstacle()
    if obstacle:
        raise FitError(
            f"{obstacle} among the later subjects",
            where="split = temporal",
            allowed="subjects that can be compared",
            todo="hold a larger share out (temporal_test), or split otherwise",
        )
    told = f"{int((~later).sum())} earlier subjects trained the model, {int(later.sum())} later ones judged it"
    return Folds(np.where(later, 0, -1).astype(np.int64), 1, (told,))


def _check_training(target: Target, training: npt.NDArray[np.bool_], what: str) -> None:
    part = target.take(training)
    obstacle = part.obstacle()
    if not obstacle and part.rarest < 2:
        obstacle = f"{part.rarest} of the rarest kind among {part.n} subjects"
    if obstacle:
        raise FitError(
            f"the training part {what} has {obstacle}",
            allowed="enough to be divided in its turn: 2 events, or 2 subjects of each class",
            todo="split otherwise, or leave this endpoint out",
        )


def _check_division(target: Target, options: ProtocolOptions, groups: npt.ArrayLike | None) -> None:
    """Each training part must keep two patients of each kind, so that it can be divided in its turn."""
    labels = np.arange(target.n) if groups is None else np.asarray(groups)
    if target.kind == "continuous":
        return
    kinds = (1,) if target.time is not None else range(target.classes)
    fewest = min(np.unique(labels[target.event == kind]).size for kind in kinds)
    folds = min(options.folds, max(fewest, 1))
    if fewest - -(-fewest // folds) < 2:
        what = "with an event" if target.time is not None else "in the rarer class"
        raise FitError(
            f"{fewest} patients {what}",
            where=f"nested cross-validation with {options.folds} outer folds",
            allowed="enough to leave 2 in every training part",
            todo="leave this endpoint out, collect more events, or use more folds",
        )


def bootstrap_rows(
    target: Target, options: ProtocolOptions, draw: int, patient: npt.NDArray[np.generic] | None = None
) -> tuple[Rows, tuple[str, ...]]:
    """Rows of a bootstrap sample of patients, a row as often as its patient was drawn.

    Parameters
    ----------
    target : Target
    options : ProtocolOptions
    draw : int
        Number of the sample, from 1; 0 is everybody once.
    patient : ndarray, shape (n,), optional

    Returns
    -------
    rows : ndarray of int
        In rising order.
    notes : tuple of str
        That the sample was drawn again, and why.

    Raises
    ------
    FitError
        No sample in 100 could be fitted, divided in its turn and judged by those it leaves out.
    """
    if draw == 0:
        return np.arange(target.n), ()
    labels = np.arange(target.n) if patient is None else np.unique(patient, return_inverse=True)[1]
    generator = np.random.default_rng(seed_of(options, draw))
    reasons: list[str] = []
    for _ in range(_ATTEMPTS):
        times = np.bincount(generator.integers(labels.max() + 1, size=labels.max() + 1), minlength=labels.max() + 1)
        rows = np.repeat(np.arange(target.n), times[labels])
        reason = _flaw(target, rows, times[labels] == 0)
        if not reason:
            return rows, ((f"bootstrap sample drawn again: {reasons[0]}",) if reasons else ())
        reasons.append(reason)
    raise FitError(f"{reasons[-1]}, in each of {_ATTEMPTS} samples", where="bootstrap validation")


def _flaw(target: Target, rows: Rows, out: npt.NDArray[np.bool_]) -> str:
    distinct = target.take(np.unique(rows))
    if target.take(rows).obstacle():
        return f"the sample has {target.take(rows).obstacle()}"
    if distinct.rarest < 2:
        return f"the sample has {distinct.rarest} different subjects of the rarest kind"
    return f"those left out have {target.take(out).obstacle()}" if target.take(out).obstacle() else ""
