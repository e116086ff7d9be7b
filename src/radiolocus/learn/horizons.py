"""Out-of-fold predictions of a time to event judged at horizons: Uno's or Wolbers' C, AUC(t) and Brier score.

As in :mod:`radiolocus.learn.discrimination`, rankings are compared within a fold only, and the interval holds both
which patients were sampled and how they happened to be divided. The Brier score needs no partner: risks are
probabilities, and all patients enter together. The censoring weights are those of all patients of the task. With
competing events the definitions are those of :mod:`radiolocus.stats.horizon` and
:func:`radiolocus.stats.competing_concordance.competing_c`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import InputError, UndefinedError
from radiolocus.learn.discrimination import ratio, within_fold_blocks, within_fold_concordant, within_fold_pairs
from radiolocus.learn.target import Target
from radiolocus.model import Array
from radiolocus.stats.censoring import Clock
from radiolocus.stats.concordance import pair_sums
from radiolocus.stats.resampling import bootstrap_weights, percentile_interval

__all__ = ["AtHorizon", "Judge", "Part", "horizons_of", "out_of_fold_at_horizons", "truncation_of"]

# Uno's C looks no further than at least this share of the patients are followed: beyond, few patients decide it.
_FOLLOWED = 0.1


@dataclass(frozen=True)
class AtHorizon:
    """A statistic of out-of-fold predictions at a time.

    Parameters
    ----------
    metric : str
        ``Uno C``, ``AUC(t)``, ``Brier(t)`` or ``Brier(t) without predictors``.
    time : float
        Horizon, or truncation time of Uno's C.
    estimate, lower, upper : float
        Mean over repetitions; 95 % percentile interval over bootstrap draws of patients and repetitions.
    events : int
        Events up to and including the time.
    """

    metric: str
    time: float
    estimate: float
    lower: float
    upper: float
    events: int


def horizons_of(target: Target, wanted: Sequence[float]) -> tuple[float, ...]:
    """Horizons at which a survival target can be judged.

    Parameters
    ----------
    target : Target
    wanted : sequence of float
        Those before the last time of follow-up are kept. None given: the median time of the events.

    Returns
    -------
    tuple of float
        Increasing; empty for a target without times, or without an event after time zero and before the last time; and
        with delayed entry or strata, for which weights by censoring and a risk for everybody are not defined here.
    """
    if target.time is None or target.needs & {"entry", "strata"}:
        return ()
    events = target.time[target.event == 1]
    found = wanted or ([float(np.quantile(events, 0.5, method="lower"))] if events.size else [])
    return tuple(t for t in sorted(found) if 0.0 < t < target.time.max())


def truncation_of(time: Array, event: Array) -> float:
    """Return the last event time by which a tenth of the patients are still followed (the first, if none is)."""
    times = np.unique(time[event == 1])
    followed = np.array([np.mean(time >= t) for t in times])
    return float(times[followed >= _FOLLOWED][-1] if np.any(followed >= _FOLLOWED) else times[0])


def out_of_fold_at_horizons(
    target: Target,
    prediction: Array,
    fold: npt.NDArray[np.int64],
    risk: Array,
    bare: Array,
    horizons: Sequence[float],
    draws: int = 1000,
    seed: int = 1,
    partial: bool = False,
) -> list[AtHorizon]:
    """Uno's C, AUC(t) and Brier score of out-of-fold predictions, mean over repetitions, with intervals.

    Parameters
    ----------
    target : Target
        Of n patients, with times.
    prediction : ndarray, shape (R, n)
        Higher means an earlier event.
    fold : ndarray of int64, shape (R, n)
        −1 where nobody held the patient out: he does not enter the repetition.
    risk, bare : ndarray, shape (R, n, h)
        Probability of the event by each horizon: of the model, and of the same without predictors.
    horizons : sequence of float, length h
    draws, seed : int
    partial : bool
        Repetitions in which a statistic has no value are left out of it (bootstrap samples), which is an error
        otherwise.

    Returns
    -------
    list of AtHorizon

    Raises
    ------
    InputError
        A target without times.
    UndefinedError
        A statistic has no value in a repetition, or in fewer than two draws.
    """
    if target.time is None:
        raise InputError("an endpoint without times at a horizon", allowed="a survival or competing endpoint")
    judge = Judge(target, target.time, np.asarray(horizons, dtype=np.float64))
    parts = [
        Part(within_fold_blocks(target, p, f), p, f, r, b)
        for p, f, r, b in zip(prediction, fold, risk, bare, strict=True)
    ]
    estimates = np.concatenate([judge.statistics(part, np.ones((1, target.n))) for part in parts])
    drawn: list[Array] = []
    for counts in bootstrap_weights(target.n, draws, seed):
        drawn += [judge.statistics(part, counts.astype(np.float64)) for part in parts]
    values = np.concatenate(drawn)
    found = []
    for k, (metric, t) in enumerate(judge.names()):
        lacking = np.isnan(estimates[:, k])
        if lacking.all() if partial else lacking.any():
            raise UndefinedError(
                f"{metric} at {t:g} has no value in repetition {int(np.argmax(np.isnan(estimates[:, k])))}",
                allowed="an event by the time and a patient followed beyond it in at least one fold",
                todo="choose another horizon, or fewer folds",
            )
        interval = percentile_interval(values[:, k])
        events = int(np.sum((target.event == 1) & (target.time <= t)))
        found.append(AtHorizon(metric, t, float(np.nanmean(estimates[:, k])), interval.lower, interval.upper, events))
    return found


@dataclass(frozen=True, eq=False)
class Part:
    """One repetition of out-of-fold predictions.

    Parameters
    ----------
    blocks : list
        Of :func:`radiolocus.learn.discrimination.within_fold_blocks`.
    prediction : ndarray, shape (n,)
    fold : ndarray of int64, shape (n,)
    risk, bare : ndarray, shape (n, h)
        Probability of the event by each horizon: of the model, and of the same without predictors.
    """

    blocks: list[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Array, Array]]
    prediction: Array
    fold: npt.NDArray[np.int64]
    risk: Array
    bare: Array


class Judge:
    """Statistics of a repetition under weights of the patients, in the order of :meth:`names`.

    Parameters
    ----------
    target : Target
    time : ndarray, shape (n,)
        Times of the target.
    horizons : ndarray, shape (h,)
    truncation : float, optional
        Of Uno's (with competing events Wolbers') C; see :func:`truncation_of` otherwise.
    """

    def __init__(self, target: Target, time: Array, horizons: Array, truncation: float | None = None) -> None:
        self.event, self.time, self.horizons = target.event == 1, time, horizons
        self.rival = np.zeros(target.n, dtype=bool) if target.state is None else target.state > 1
        self.competing = target.state is not None
        self.clock = Clock.of(time, self.event | self.rival)
        self.truncation = truncation_of(time, target.event) if truncation is None else truncation

    def names(self) -> list[tuple[str, float]]:
        """Metric and time of each statistic."""
        at = [float(t) for t in self.horizons]
        metrics = ("AUC(t)", "Brier(t)", "Brier(t) without predictors")
        return [
            ("Wolbers C" if self.competing else "Uno C", self.truncation),
            *((metric, t) for metric in metrics for t in at),
        ]

    def statistics(self, part: Part, weights: Array) -> Array:
        """One row a draw, one column a statistic."""
        curve = self.clock.uncensored(weights)
        inside = part.fold >= 0
        weights = weights if inside.all() else weights * inside
        # G is zero only where nobody drawn is left, whose weight is of no account.
        inverse = np.divide(1.0, curve, out=np.zeros_like(curve), where=curve > 0)
        own = inverse[:, self.clock.place]
        concordance = self._wolbers(part, weights, inverse) if self.competing else self._uno(part, weights, own)
        columns: list[list[Array]] = [[], [], []]
        for j, t in enumerate(self.horizons):
            beyond = inverse[:, [np.searchsorted(self.clock.time, t, side="right")]]
            case = weights * own * (self.event & (self.time <= t))
            control = weights * (beyond * (self.time > t) + own * (self.rival & (self.time <= t)))
            columns[0].append(_auc(part, case, control))
            for k, risk in enumerate((part.risk[:, j], part.bare[:, j]), start=1):
                known = np.where(inside, risk, 0.0)
                columns[k].append((case @ (1 - known) ** 2 + control @ known**2) / weights.sum(axis=1))
        return np.column_stack([concordance, *columns[0], *columns[1], *columns[2]])

    def _uno(self, part: Part, weights: Array, own: Array) -> Array:
        leading = weights * own**2 * (self.time <= self.truncation)
        return ratio(
            within_fold_concordant(part.blocks, weights, leading), within_fold_pairs(part.blocks, weights, leading)
        )

    def _wolbers(self, part: Part, weights: Array, inverse: Array) -> Array:
        """Pairs with one still without event weigh 1/(G(Ti−) G(Ti)), with a competing one 1/(G(Ti−) G(Tj−))."""
        before, at = inverse[:, self.clock.place], inverse[:, self.clock.place + 1]
        first = weights * before * (self.time <= self.truncation)
        won, total = np.zeros((2, len(weights)))
        for rival, leading, follower in ((False, first * at, weights), (True, first, weights * before)):
            blocks = []
            for lead, rows, comparable, higher in part.blocks:
                gone = (self.time[rows][None, :] <= self.time[lead][:, None]) & self.rival[rows][None, :]
                mask = gone if rival else ~gone
                blocks.append((lead, rows, comparable * mask, higher * mask))
            won = won + within_fold_concordant(blocks, follower, leading)
            total = total + within_fold_pairs(blocks, follower, leading)
        return ratio(won, total)


def _auc(part: Part, case: Array, control: Array) -> Array:
    """AUC(t) over the pairs within folds."""
    won, total = np.zeros((2, len(case)))
    for k in np.unique(part.fold[part.fold >= 0]):
        rows = np.flatnonzero(part.fold == k)
        sums = pair_sums(case[:, rows], control[:, rows], part.prediction[rows])
        won, total = won + sums[0], total + sums[1]
    return ratio(won, total)
