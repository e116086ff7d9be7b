"""The permutation null of a whole procedure: everything that was done, done again on an outcome that means nothing.

A p-value of the statistic alone ignores what was tried to get it. Here the outcome is permuted first, and then the
whole of it runs: harmonising, selecting, tuning, fitting, predicting out of fold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from radiolocus.errors import FitError, InputError, RadiolocusError
from radiolocus.learn.classes import out_of_fold_classes
from radiolocus.learn.discrimination import fold_statistic
from radiolocus.learn.numbers import explained
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.protocol import Protocol, Repeat
from radiolocus.learn.splits import Rowwise
from radiolocus.learn.target import Target
from radiolocus.model import Array

__all__ = ["Null", "permuted", "procedure_null", "protocol_statistic", "repeat_statistic"]


@dataclass(frozen=True, eq=False)
class Null:
    """What a procedure gives when there is nothing to find.

    Parameters
    ----------
    observed : float
        NaN when it was not asked for.
    draws : ndarray, shape (m,)
        The statistic under each permutation; NaN where the procedure could not be run.
    """

    observed: float
    draws: Array

    @property
    def finite(self) -> Array:
        """Draws with a value."""
        return self.draws[np.isfinite(self.draws)]

    @property
    def p_value(self) -> float:
        """Share of draws, the observed one among them, that reach the observed statistic (Phipson & Smyth 2010)."""
        return float((1 + np.sum(self.finite >= self.observed - 1e-12)) / (1 + self.finite.size))

    @property
    def p_error(self) -> float:
        """Monte Carlo standard error of the p-value."""
        return float(np.sqrt(self.p_value * (1.0 - self.p_value) / (1 + self.finite.size)))

    @property
    def mean(self) -> float:
        """Mean of the draws."""
        return float(self.finite.mean()) if self.finite.size else float("nan")

    @property
    def mean_error(self) -> float:
        """Monte Carlo standard error of the mean; NaN with fewer than two draws."""
        n = self.finite.size
        return float(self.finite.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")


def permuted(
    target: Target,
    seed: int,
    draw: int,
    *,
    patient: npt.ArrayLike | None = None,
    within: npt.ArrayLike | None = None,
) -> Target:
    """Give every patient the outcome of another, times and events together; a pure function of its arguments.

    Parameters
    ----------
    target : Target
    seed, draw : int
        Which permutation.
    patient : array_like, shape (n,), optional
        Patient of each row: the outcomes of all rows of a patient go together to a patient with as many rows.
    within : array_like, shape (n,), optional
        Outcomes change places within these strata only (site, when the null shall keep differences between sites).

    Raises
    ------
    InputError
        A patient in two strata.
    """
    labels = np.arange(target.n) if patient is None else np.unique(np.asarray(patient), return_inverse=True)[1]
    stratum = np.zeros(target.n, np.intp) if within is None else np.unique(np.asarray(within), return_inverse=True)[1]
    order = np.argsort(labels, kind="stable")
    size = np.bincount(labels)
    first = np.cumsum(size) - size
    own = stratum[order[first]]
    if (stratum != own[labels]).any():
        raise InputError("a patient in two strata of a permutation", allowed="every patient in one")
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(7919, draw)))
    rows = np.empty(target.n, dtype=np.intp)
    for kind in np.unique(np.column_stack([size, own]), axis=0):
        members = np.flatnonzero((size == kind[0]) & (own == kind[1]))
        for to, source in zip(members, generator.permutation(members), strict=True):
            rows[order[first[to] : first[to] + kind[0]]] = order[first[source] : first[source] + kind[0]]
    return target.take(rows)


def procedure_null(
    statistic: Callable[[Target], float],
    target: Target,
    permutations: int,
    seed: int,
    *,
    observed: float | None = None,
    patient: npt.ArrayLike | None = None,
    within: npt.ArrayLike | None = None,
) -> Null:
    """Run a procedure on permuted outcomes.

    Parameters
    ----------
    statistic : callable
        From an outcome to the number that the whole procedure gives for it, larger being better. A FitError or
        UndefinedError of a permutation makes that draw NaN.
    target : Target
        As observed.
    permutations, seed : int
    observed : float, optional
        Statistic of `target`; computed when absent.
    patient, within
        See :func:`permuted`.

    Raises
    ------
    InputError
        No permutation.
    FitError
        The procedure runs on no permuted outcome.
    """
    if permutations < 1:
        raise InputError(f"{permutations} permutations", allowed="at least 1")
    draws = np.full(permutations, np.nan)
    for k in range(permutations):
        try:
            draws[k] = statistic(permuted(target, seed, k, patient=patient, within=within))
        except RadiolocusError:
            continue
    if not np.isfinite(draws).any():
        raise FitError(f"the procedure could be run on none of {permutations} permuted outcomes")
    return Null(statistic(target) if observed is None else observed, draws)


def repeat_statistic(target: Target, found: Repeat) -> float:
    """C, AUC, ordinal concordance or Hand & Till's M of one repetition, within folds; R² of a number."""
    if target.number:
        return explained(target, found.prediction, found.fold)
    if target.kind == "multiclass" and found.probability is not None:
        return out_of_fold_classes(target, found.probability[None], found.fold[None], draws=2).estimate
    return fold_statistic(target, found.prediction, found.fold)


def protocol_statistic(
    protocol: Protocol, predictors: Predictors, rows: Rowwise | None = None, repeats: int = 1
) -> Callable[[Target], float]:
    """Return the whole protocol as a statistic of the outcome: the mean of `repeats` repetitions.

    A bootstrap split is judged by folds here: what leaks, leaks in either.
    """
    options = protocol.options
    if options.split == "bootstrap":
        protocol = Protocol(replace(options, split="kfold"), protocol.model)

    def statistic(target: Target) -> float:
        found = [repeat_statistic(target, protocol.run(predictors, target, k, rows)) for k in range(repeats)]
        return float(np.mean(found))

    return statistic
