"""Scores that blocks have in common, learned inside the fold without the outcome, and a ridge of these scores."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from radiolocus.learn.blockwise import TOLERANCE, Bench, Fusion, Groups, Part, Prepared
from radiolocus.learn.inner import follow
from radiolocus.learn.linear import LinearFit, penalty_grid
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.target import Target
from radiolocus.learn.tuned import TunedModel
from radiolocus.model import Array
from radiolocus.stats.sparse_canonical import canonical_pairs

__all__ = ["CanonicalScores", "FactorScores", "canonical_loadings", "factor_loadings"]

_BARE = "no number of scores predicted the inner folds better than no predictor: everybody is predicted alike"
#: Share of the largest absolute sum that the weights of a canonical pair may have.
_SPARSE = 0.5


def factor_loadings(X: Array, blocks: Sequence[str], count: int) -> Array:
    """Loadings of the factors of several blocks: multiple factor analysis.

    Each block is divided by its largest singular value, so that none dominates by its number of columns; the factors
    are the principal components of all together.

    Parameters
    ----------
    X : ndarray, shape (n, p)
        Standardised columns of the training part.
    blocks : sequence of str, length p
    count : int

    Returns
    -------
    ndarray, shape (p, k)
        ``X @ loadings`` has variance 1; k is at most `count` and the rank.

    References
    ----------
    Escofier & Pagès 1994, Comput Stat Data Anal 18:121.
    """
    names = np.array(blocks)
    weight = np.ones(X.shape[1])
    for block in np.unique(names):
        largest = float(np.linalg.norm(X[:, names == block], 2))
        weight[names == block] = 1.0 / largest if largest > 0 else 0.0
    _, size, axes = np.linalg.svd(X * weight, full_matrices=False)
    kept = min(count, int((size > 1e-9 * size[0]).sum()))
    return _unit(X, _signed(weight[:, None] * axes[:kept].T))


def canonical_loadings(X: Array, blocks: Sequence[str], count: int) -> Array:
    """Weights of the first sparse canonical pairs of every two blocks; see :func:`factor_loadings`.

    The count is that of pairs; each gives a score of either block.
    """
    names = np.array(blocks)
    found = [np.zeros((X.shape[1], 0))]
    for one, two in combinations(dict.fromkeys(blocks), 2):
        sides = names == one, names == two
        pairs = canonical_pairs(X[:, sides[0]], X[:, sides[1]], count, _SPARSE)
        for side, weights in zip(sides, pairs, strict=True):
            loadings = np.zeros((X.shape[1], weights.shape[1]))
            loadings[side] = weights
            found.append(loadings)
    return _unit(X, np.hstack(found))


def _unit(X: Array, loadings: Array) -> Array:
    """Scale loadings to scores of variance 1; scores that do not vary go."""
    spread = (X @ loadings).std(axis=0)
    kept = spread > 1e-9
    return np.asarray(loadings[:, kept] / spread[kept])


def _signed(loadings: Array) -> Array:
    """The largest loading of each factor is positive: signs do not hang on the linear algebra of a machine."""
    largest = np.argmax(np.abs(loadings), axis=0)
    return np.asarray(loadings * np.where(loadings[largest, np.arange(loadings.shape[1])] < 0, -1.0, 1.0))


class _Scores(Fusion):
    """Ridge of scores; their number and the penalty are chosen by inner folds."""

    shrinks = True
    counts: tuple[int, ...]

    @abstractmethod
    def loadings(self, X: Array, blocks: Sequence[str], count: int) -> Array:
        """Loadings, shape (p, k), learned from standardised columns of a training part."""

    def tuned(
        self,
        training: Predictors,
        target: Target,
        options: ProtocolOptions,
        seed: np.random.SeedSequence,
        groups: Groups,
        bench: Bench,
    ) -> TunedModel:
        """Choose the number of scores and the penalty by inner folds."""
        at = Prepared(training, target, options, seed, groups, bench)
        if at.X.shape[1] == 0:
            return at.alone(self.base)
        tried = [self._try(at, count) for count in self.counts]
        best = int(np.argmin([t[2].sum(axis=0).min() for t in tried]))
        loadings, penalties, deviance, out_of_fold, bare = tried[best]
        setting = {"scores": float(loadings.shape[1]), "l1_ratio": 0.0}
        if bare <= deviance.sum(axis=0).min():
            nothing = at.bare(0.0)
            return at.model(nothing, penalties, deviance, nothing.intercept, setting, _BARE)
        place = at.chosen(deviance)
        inner = at.family.path(at.X @ loadings, target, penalties[: place + 1], 0.0, TOLERANCE).fit(-1)
        fit = LinearFit(loadings @ inner.coefficient, inner.intercept, inner.penalty, 0.0)
        threshold = float(np.median(out_of_fold[place]))
        return at.model(fit, penalties, deviance, threshold, {"penalty": inner.penalty, **setting})

    def _try(self, at: Prepared, count: int) -> tuple[Array, Array, Array, Array, float]:
        loadings = self.loadings(at.X, at.preprocess.blocks, count)
        slopes = at.family.slopes(at.X @ loadings, at.target)
        slope = float(np.abs(slopes).max(initial=0.0))
        penalties = penalty_grid(slope, 0.0, at.options.penalties, at.options.penalty_ratio)

        def columns(part: Part) -> Array:
            return part.X @ self.loadings(part.X[part.inside], part.blocks, count)

        deviance, out_of_fold, bare = follow(at.paths(columns, 0.0), at.target, at.inner.fold, penalties)
        return loadings, penalties, deviance, out_of_fold, bare


class FactorScores(_Scores):
    """Factors of all blocks (multiple factor analysis), then a ridge of them."""

    key, name = "factors", "factor scores"
    counts = (1, 2, 3, 5, 8)

    def loadings(self, X: Array, blocks: Sequence[str], count: int) -> Array:
        """See :func:`factor_loadings`."""
        return factor_loadings(X, blocks, count)


class CanonicalScores(_Scores):
    """Sparse canonical scores of every two blocks, then a ridge of them."""

    key, name = "canonical", "sparse canonical scores"
    counts = (1, 2, 3)

    def loadings(self, X: Array, blocks: Sequence[str], count: int) -> Array:
        """See :func:`canonical_loadings`."""
        return canonical_loadings(X, blocks, count)
