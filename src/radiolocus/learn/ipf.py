"""Lasso and ridge with a penalty for each block: integrative penalised regression with penalty factors (IPF)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from radiolocus.learn.blockwise import TOLERANCE, Bench, Fusion, Groups, Part, Prepared
from radiolocus.learn.inner import follow
from radiolocus.learn.linear import Family, LinearFit, penalty_grid
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.target import Target
from radiolocus.learn.tuned import TunedModel
from radiolocus.model import Array

__all__ = ["Ipf", "factor_path"]

Factors = dict[str, float]

# Factors are tried by doubling and halving, as far as this.
_STEP, _FARTHEST, _SWEEPS = 2.0, 32.0, 2
_BARE = "no penalty predicted the inner folds better than no predictor at all: everybody is predicted alike"


def factor_path(
    family: Family, X: Array, target: Target, factors: Array, penalties: Array, l1_ratio: float, tolerance: float = 1e-9
) -> tuple[Array, Array]:
    """Fit the penalty λ Σ_j f_j |β_j| (lasso) or λ Σ_j f_j β_j² / 2 (ridge) on the mean negative log likelihood.

    Parameters
    ----------
    family : Family
    X : ndarray, shape (n, p)
        Standardised.
    target : Target
    factors : ndarray, shape (p,)
        f_j, positive.
    penalties : ndarray, shape (L,)
        Descending.
    l1_ratio : {0, 1}
        Ridge or lasso.
    tolerance : float

    Returns
    -------
    coefficients : ndarray, shape (l, p)
    intercepts : ndarray, shape (l,)

    Notes
    -----
    That is the lasso (ridge) of the columns divided by f (by √f); ``penalty.factor`` of R's glmnet, which also divides
    the factors by their mean.
    """
    scale = _scale(factors, l1_ratio)
    path = family.path(X / scale, target, penalties, l1_ratio, tolerance)
    return path.coefficients / scale, path.intercepts


def _scale(factors: Array, l1_ratio: float) -> Array:
    return np.asarray(factors if l1_ratio == 1.0 else np.sqrt(factors))


@dataclass(frozen=True, eq=False)
class _Tried:
    factors: Factors
    penalties: Array
    deviance: Array
    out_of_fold: Array
    bare: float

    @property
    def least(self) -> float:
        return float(self.deviance.sum(axis=0).min())


class Ipf(Fusion):
    """Lasso or ridge whose penalty differs between blocks by factors that the inner folds choose.

    Boulesteix, De Bin, Jiang & Fuchs 2017, Comput Math Methods Med 2017:7691937. There the factors come from a list;
    here each block is tried at double and half its factor for as long as the inner deviance falls, the largest block
    first, twice over; the smallest block keeps 1.
    """

    shrinks = True

    def __init__(self, key: str, name: str, l1_ratio: float) -> None:
        self.key, self.name, self.l1_ratio = key, name, l1_ratio  # type: ignore[misc]

    def tuned(
        self,
        training: Predictors,
        target: Target,
        options: ProtocolOptions,
        seed: np.random.SeedSequence,
        groups: Groups,
        bench: Bench,
    ) -> TunedModel:
        """Choose factors and penalty by inner folds."""
        at = Prepared(training, target, options, seed, groups, bench)
        if at.X.shape[1] == 0:
            return at.alone(self.base)
        best = self._search(at)
        setting = {"l1_ratio": self.l1_ratio, **{f"factor {b}": f for b, f in best.factors.items()}}
        if self.l1_ratio == 0.0 and best.bare <= best.least:
            nothing = at.bare(0.0)
            return at.model(nothing, best.penalties, best.deviance, nothing.intercept, setting, _BARE)
        place = at.chosen(best.deviance)
        own = _of(best.factors, at.preprocess.blocks)
        wanted = best.penalties[: place + 1]
        coefficients, intercepts = factor_path(at.family, at.X, target, own, wanted, self.l1_ratio, TOLERANCE)
        penalty = float(wanted[len(intercepts) - 1])
        fit = LinearFit(coefficients[-1], float(intercepts[-1]), penalty, self.l1_ratio)
        threshold = float(np.median(best.out_of_fold[place]))
        return at.model(fit, best.penalties, best.deviance, threshold, {"penalty": penalty, **setting})

    def _search(self, at: Prepared) -> _Tried:
        size = {b: at.preprocess.blocks.count(b) for b in dict.fromkeys(at.preprocess.blocks)}
        by_size = sorted(size, key=lambda b: -size[b])
        known: dict[tuple[float, ...], _Tried] = {}

        def tried(factors: Factors) -> _Tried:
            key = tuple(factors.values())
            if key not in known:
                known[key] = self._try(at, factors)
            return known[key]

        best = tried(dict.fromkeys(size, 1.0))
        for _ in range(_SWEEPS):
            before = best
            for block in by_size[:-1]:
                for step in (_STEP, 1.0 / _STEP):
                    while 1.0 / _FARTHEST <= (factor := best.factors[block] * step) <= _FARTHEST:
                        other = tried({**best.factors, block: factor})
                        if other.least >= best.least:
                            break
                        best = other
            if best is before:
                break
        return best

    def _try(self, at: Prepared, factors: Factors) -> _Tried:
        scale = _scale(_of(factors, at.preprocess.blocks), self.l1_ratio)
        slope = float(np.abs(at.family.slopes(at.X, at.target) / scale).max())
        penalties = penalty_grid(slope, self.l1_ratio, at.options.penalties, at.options.penalty_ratio)

        def columns(part: Part) -> Array:
            return part.X / _scale(_of(factors, part.blocks), self.l1_ratio)

        found = follow(at.paths(columns, self.l1_ratio), at.target, at.inner.fold, penalties)
        return _Tried(factors, penalties, *found)


def _of(factors: Factors, blocks: Sequence[str]) -> Array:
    """Factor of each column; a block that only an inner fold has columns of counts 1."""
    return np.array([factors.get(b, 1.0) for b in blocks])
