"""Two models on the same folds: the difference of their discrimination, with an interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import UndefinedError
from radiolocus.learn.discrimination import ratio, within_fold_blocks, within_fold_concordant, within_fold_pairs
from radiolocus.learn.target import Target
from radiolocus.model import Array
from radiolocus.stats.resampling import bootstrap_weights, percentile_interval

__all__ = ["Difference", "compare_on_same_folds"]


@dataclass(frozen=True, eq=False)
class Difference:
    """Discrimination of a second model less that of a first.

    Parameters
    ----------
    estimate : float
        Mean over repetitions.
    lower, upper : float
        95 % percentile interval over bootstrap draws of patients and repetitions.
    first, second : float
        Harrell's C or AUC of each, mean over repetitions.
    repeats : ndarray, shape (R,)
        The difference in each repetition.
    undefined : int
        Draws without a comparable pair, left out.
    """

    estimate: float
    lower: float
    upper: float
    first: float
    second: float
    repeats: Array
    undefined: int = 0


def compare_on_same_folds(
    target: Target,
    first: Array,
    second: Array,
    fold: npt.NDArray[np.int64],
    draws: int = 1000,
    seed: int = 1,
) -> Difference:
    """Compare two models that were held out by the same folds.

    Both are judged on the same pairs of patients and the same bootstrap draws, as in
    :func:`radiolocus.learn.discrimination.out_of_fold_discrimination`; the draws of all repetitions are pooled.
    Overlapping intervals of two models do not say that they are alike; this interval answers the question.

    Parameters
    ----------
    target : Target
        Of n patients; survival, binary or ordinal.
    first, second : ndarray, shape (R, n)
        Out-of-fold predictions.
    fold : ndarray of int64, shape (R, n)
        Of both; −1 where nobody was held out.
    draws, seed : int

    Raises
    ------
    UndefinedError
        A repetition without a comparable pair inside its folds.
    """
    ones = np.ones((1, target.n))
    pairs = [
        (within_fold_blocks(target, a, f), within_fold_blocks(target, b, f))
        for a, b, f in zip(first, second, fold, strict=True)
    ]

    def judged(weights: Array) -> tuple[Array, Array]:
        parts = [
            [ratio(within_fold_concordant(p, weights), within_fold_pairs(p, weights)) for p in both] for both in pairs
        ]
        return np.array([p[0] for p in parts]), np.array([p[1] for p in parts])

    one, two = judged(ones)
    if np.isnan(one).any():
        raise UndefinedError(
            f"no comparable pair inside the folds of repetition {int(np.argmax(np.isnan(one[:, 0])))}",
            allowed="an event and a patient at risk beyond it (or both classes) in at least one fold",
            todo="use fewer folds",
        )
    stratum = None if target.time is not None else target.event
    gaps = []
    for counts in bootstrap_weights(target.n, draws, seed, stratum=stratum):
        a, b = judged(counts.astype(np.float64))
        gaps.append((b - a).ravel())
    interval = percentile_interval(np.concatenate(gaps))
    repeats = (two - one)[:, 0]
    return Difference(
        float(repeats.mean()),
        interval.lower,
        interval.upper,
        float(one.mean()),
        float(two.mean()),
        repeats,
        interval.undefined,
    )
