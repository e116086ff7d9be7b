"""Late fusion: a model for each block, and non-negative weights learned from what they predict out of fold.

A subject who lacks a block is predicted from the blocks there are, by weights of their own: those that were learned
from all training subjects who have at least these blocks, as if the others had been dropped for everybody (a pattern
submodel: Fletcher Mercaldo & Blume 2020, Biostatistics 21:236). Nothing of an absent block is imputed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy import special

from radiolocus.errors import FitError, UndefinedError
from radiolocus.learn.blockwise import Bench, Fusion, Groups
from radiolocus.learn.cox import CoxNet
from radiolocus.learn.folds import draw_folds
from radiolocus.learn.joined import Joined
from radiolocus.learn.linear import Baseline, Family, LinearFit
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.target import Target
from radiolocus.learn.tuned import TunedModel
from radiolocus.model import Array, BoolArray
from radiolocus.stats.cox import Ties, cox_risk

__all__ = ["Patterns", "Stacked", "nonnegative_weights"]

# Fewer subjects with a set of blocks teach no weights of that set.
_FEWEST = 20


def nonnegative_weights(family: Family, scores: Array, target: Target) -> tuple[Array, float]:
    """Weights ≥ 0 and intercept of a ridge of scores.

    Parameters
    ----------
    family : Family
        Cox or logistic.
    scores : ndarray, shape (n, b)
        Out-of-fold predictions; columns that do not vary get no weight.
    target : Target

    Returns
    -------
    ndarray, shape (b,)
    float

    Notes
    -----
    Weights that may be negative let one model undo what another overfits (Breiman 1996, Mach Learn 24:49). The ridge is
    a normal prior of variance 1 for the weight of a score of standard deviation 1. The criterion is convex and there
    are few scores: the minimum is the best of the free minima over all subsets whose weights are positive.
    """
    mean, spread = scores.mean(axis=0), scores.std(axis=0)
    usable = np.flatnonzero(spread > 1e-9)
    penalty = 1.0 / target.n
    best, weights, intercept = float("inf"), np.zeros(scores.shape[1]), family.null(target)
    for size in range(1, usable.size + 1):
        for chosen in combinations(usable.tolist(), size):
            own = list(chosen)
            path = family.path((scores[:, own] - mean[own]) / spread[own], target, np.array([penalty]), 0.0, 1e-9)
            found = path.coefficients[0]
            criterion = float(path.losses[0]) + 0.5 * float(found @ found)
            if (found >= 0).all() and criterion < best:
                best, weights = criterion, np.zeros(scores.shape[1])
                weights[own] = found / spread[own]
                intercept = float(path.intercepts[0]) - float(weights @ mean)
    return weights, intercept


Pattern = tuple[bool, ...]


@dataclass(frozen=True, eq=False)
class Patterns:
    """A linear predictor for every set of blocks that a subject may have.

    Parameters
    ----------
    blocks : tuple of str
        Block of each column.
    names : tuple of str
        Blocks, in the order of a pattern.
    fits : mapping of pattern to LinearFit
        Coefficients of absent blocks are zero. All predict on one scale: a log hazard relative to the same reference,
        or a logit.
    baseline : Baseline, optional
        Of a survival endpoint.
    """

    blocks: tuple[str, ...]
    names: tuple[str, ...]
    fits: Mapping[Pattern, LinearFit]
    baseline: Baseline | None = None

    @property
    def coefficient(self) -> Array:
        """Of whoever has all blocks."""
        return self.fits[(True,) * len(self.names)].coefficient

    def predict(self, X: Array) -> Array:
        """Linear predictor, shape (n,); columns of absent blocks are NaN."""
        own = np.array(self.blocks)
        there = np.column_stack([~np.isnan(X[:, own == name]).any(axis=1) for name in self.names])
        filled = np.nan_to_num(X, nan=0.0)
        out = np.empty(len(X))
        for pattern in {tuple(row) for row in there.tolist()}:
            rows = (there == np.array(pattern)).all(axis=1)
            out[rows] = self.fits[pattern].predict(filled[rows])
        return out

    def survival(self, X: Array, times: npt.ArrayLike) -> Array:
        """Probability of no event by each time, shape (n, t)."""
        if self.baseline is None:
            raise UndefinedError("survival from a model without a baseline hazard", allowed="a Cox model")
        return self.baseline.survival(self.predict(X), times)

    def probability(self, X: Array) -> Array:
        """Probability of each class, shape (n, 2)."""
        if self.baseline is not None:
            raise UndefinedError("the probability of a class from a Cox model", allowed="survival at a time")
        positive = special.expit(self.predict(X))
        return np.column_stack([1.0 - positive, positive])


@dataclass(frozen=True, eq=False)
class _Bases:
    """The models of the blocks, what they predict of subjects that they did not see, and who has each block."""

    names: tuple[str, ...]
    models: Mapping[str, TunedModel]
    fits: Mapping[str, LinearFit]
    scores: Array
    having: BoolArray
    notes: tuple[tuple[str, str], ...]

    def combined(self, weights: Array, intercept: float) -> LinearFit:
        """The linear predictor of all columns that the weights make of the models of the blocks."""
        parts = [w * self.fits[name].coefficient for w, name in zip(weights, self.names, strict=True)]
        shift = intercept + sum(w * self.fits[n].intercept for w, n in zip(weights, self.names, strict=True))
        return LinearFit(np.concatenate(parts), float(shift), 1.0, 0.0)


class Stacked(Fusion):
    """Stacked out-of-fold predictions of an elastic net for each block, with non-negative weights."""

    key, name = "stacked", "stacked blocks"
    shrinks = True
    absences = True

    def tuned(
        self,
        training: Predictors,
        target: Target,
        options: ProtocolOptions,
        seed: np.random.SeedSequence,
        groups: Groups,
        bench: Bench,
    ) -> TunedModel:
        """Fit every block, and weights from inner out-of-fold predictions; all of it inside the training part."""
        at = _bases(self.base, training, target, options, seed, groups, bench)
        family = bench.family(target, options)
        joined = Joined({name: at.models[name].preprocess for name in at.names}, absent=training.partial)
        if training.partial:
            return _by_pattern(at, joined, training, target, family)
        weights, intercept = nonnegative_weights(family, at.scores, target)
        fit = bench.based(at.combined(weights, intercept), joined.apply(training), target, family)
        threshold = float(np.median(at.scores @ weights + intercept))
        setting = {f"weight {name}": float(w) for name, w in zip(at.names, weights, strict=True)}
        return TunedModel(joined, fit, threshold, np.zeros(0), np.zeros(0), at.notes, setting)


def _bases(
    base: str,
    training: Predictors,
    target: Target,
    options: ProtocolOptions,
    seed: np.random.SeedSequence,
    groups: Groups,
    bench: Bench,
) -> _Bases:
    labels = None if groups is None else np.asarray(groups)
    inner = draw_folds(target, options.inner_folds, seed, groups)
    number = int(seed.generate_state(1)[0])
    models: dict[str, TunedModel] = {}
    fits: dict[str, LinearFit] = {}
    names = training.blocks
    scores = np.full((target.n, len(names)), np.nan)
    # Only a partial table tells blocks that are lacking from predictors that are missing.
    everybody = np.full(target.n, not training.partial)
    having = np.column_stack([training.having(name) | everybody for name in names])
    notes: list[tuple[str, str]] = [("", f"inner cross-validation: {note}") for note in inner.notes]

    def fitted(b: int, rows: BoolArray, fold: int) -> TunedModel:
        own = None if labels is None else labels[rows]
        part = training.of_block(names[b]).take(rows)
        return bench.tuned(part, target.take(rows), options, np.random.SeedSequence([number, b, fold]), own, base)

    for b, name in enumerate(names):
        own = training.of_block(name)
        for k in range(inner.count):
            held_out = (inner.fold == k) & having[:, b]
            if held_out.any():
                scores[held_out, b] = fitted(b, (inner.fold != k) & having[:, b], k + 1).predict(own.take(held_out))
        models[name] = fitted(b, having[:, b], 0)
        notes += [(item or name, note) for item, note in models[name].notes]
        fit = models[name].fit
        if not isinstance(fit, LinearFit):
            raise FitError(f"a base model without coefficients for block '{name}'", allowed="an elastic net")
        fits[name] = fit
    return _Bases(names, models, fits, scores, having, tuple(notes))


def _by_pattern(at: _Bases, joined: Joined, training: Predictors, target: Target, family: Family) -> TunedModel:
    """Weights of every set of blocks, from the training subjects who have at least these."""
    reference = _hazard(target)
    taught: dict[Pattern, LinearFit] = {}
    people: dict[Pattern, int] = {}
    out_of_fold: dict[Pattern, Array] = {}
    for size in range(1, len(at.names) + 1):
        for chosen in combinations(range(len(at.names)), size):
            pattern = tuple(b in chosen for b in range(len(at.names)))
            own = np.array(chosen, dtype=np.intp)
            rows: BoolArray = np.asarray(at.having[:, own].all(axis=1))
            part = target.take(rows)
            if rows.sum() < _FEWEST or part.rarest < 3 or part.obstacle():
                continue
            weights, intercept = nonnegative_weights(family, at.scores[np.ix_(np.flatnonzero(rows), own)], part)
            every = np.zeros(len(at.names))
            every[own] = weights
            score = np.nan_to_num(at.scores) @ every
            if reference is not None:  # as many events as the reference hazard expects of them
                intercept = float(np.log(part.events / (reference[rows] @ np.exp(score[rows]))))
            taught[pattern] = at.combined(every, intercept)
            out_of_fold[pattern] = score + intercept
            people[pattern] = int(rows.sum())
    nothing = LinearFit(np.zeros(len(joined.columns)), family.null(target), np.inf, 0.0)
    fits = {}
    held = np.full(target.n, nothing.intercept)
    for number in range(2 ** len(at.names)):
        pattern = tuple(bool(number >> b & 1) for b in range(len(at.names)))
        inside = [p for p in taught if all(want or not have for want, have in zip(pattern, p, strict=True))]
        best = max(inside, key=lambda p: (sum(p), people[p]), default=None)
        fits[pattern] = taught[best] if best is not None else nothing
        rows = (at.having == np.array(pattern)).all(axis=1)
        held[rows] = out_of_fold[best][rows] if best is not None else nothing.intercept
    fit = Patterns(joined.blocks, at.names, fits)
    if target.time is not None:
        fitted = fit.predict(joined.apply(training))
        fit = Patterns(joined.blocks, at.names, fits, Baseline(target.time, target.event, fitted, _ties(family)))
    setting = {f"subjects with {'+'.join(n for n, here in zip(at.names, p, strict=True) if here)}": float(m)
               for p, m in people.items()}  # fmt: skip
    return TunedModel(joined, fit, float(np.median(held)), np.zeros(0), np.zeros(0), at.notes, setting)


def _ties(family: Family) -> Ties:
    return family.ties if isinstance(family, CoxNet) else "efron"


def _hazard(target: Target) -> Array | None:
    """Cumulative hazard of everybody at the time of each; None without times."""
    if target.time is None:
        return None
    zeros = np.zeros(target.n)
    times = np.unique(target.time)
    risk = cox_risk(target.time, target.event, zeros, zeros[:1], times, ties="breslow")[0]
    return np.asarray(-np.log1p(-np.minimum(risk, 1.0 - 1e-12)))[np.searchsorted(times, target.time)]
