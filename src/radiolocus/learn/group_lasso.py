"""Sparse group lasso: whole blocks leave the model, and single columns leave their block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

from radiolocus.errors import FitError
from radiolocus.kernels.coxpath import cox_loss
from radiolocus.kernels.grouppath import sparse_group_path
from radiolocus.learn.blockwise import TOLERANCE, Bench, Fusion, Groups, Prepared
from radiolocus.learn.cox import CoxNet, in_time
from radiolocus.learn.inner import InnerPath, follow
from radiolocus.learn.linear import Family, LinearFit, LinearPath
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.target import Target
from radiolocus.learn.tuned import TunedModel
from radiolocus.model import Array, BoolArray

__all__ = ["GroupNet", "SparseGroupLasso", "first_penalty"]

# From almost a group lasso to almost a lasso.
_RATIOS = (0.1, 0.5, 0.9)


@dataclass(frozen=True, eq=False)
class GroupNet:
    """A linear model with the penalty λ ((1 − α) Σ_g √p_g ‖β_g‖₂ + α |β|₁) on the mean negative log likelihood.

    Parameters
    ----------
    base : Family
        Cox or logistic.
    blocks : tuple of str
        Block of each column; p_g is its number of columns.
    """

    base: Family
    blocks: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name in tables."""
        return "sparse group lasso"

    @property
    def metric(self) -> str:
        """Measure of discrimination."""
        return self.base.metric

    @property
    def groups(self) -> tuple[npt.NDArray[np.int64], Array]:
        """Number of the group of each column, and weight of each group."""
        number = np.unique(np.array(self.blocks), return_inverse=True)[1].astype(np.int64)
        return number, np.sqrt(np.bincount(number))

    def slopes(self, X: Array, target: Target) -> Array:
        """Derivative of the mean log likelihood along each column at zero."""
        return self.base.slopes(X, target)

    def null(self, target: Target) -> float:
        """Linear predictor without predictors."""
        return self.base.null(target)

    def held_out_deviance(self, prediction: Array, target: Target, training: BoolArray) -> Array:
        """Deviance of held-out subjects; see the base model."""
        return self.base.held_out_deviance(prediction, target, training)

    def path(
        self,
        X: Array,
        target: Target,
        penalties: Array,
        l1_ratio: float,
        tolerance: float,
        start: LinearFit | None = None,
    ) -> LinearPath:
        """Fit descending penalties, each from the one before.

        Raises
        ------
        FitError
            Not even the first penalty converged.
        """
        base, number = self.base, self.groups
        begin = start or LinearFit(np.zeros(X.shape[1]), base.null(target), np.inf, l1_ratio)
        order, bounds = np.arange(target.n), np.zeros(1, dtype=np.int64)
        survival, efron = isinstance(base, CoxNet), isinstance(base, CoxNet) and base.ties == "efron"
        if survival:
            order, bounds = in_time(target)
            null = float(cox_loss(np.zeros((1, target.n)), target.event[order], bounds, efron)[0])
        else:
            rate = target.events / target.n
            null = -target.n * (rate * np.log(rate) + (1.0 - rate) * np.log1p(-rate))
        coefficients, intercepts, losses, fitted = sparse_group_path(
            np.ascontiguousarray(X[order].T),
            target.event[order],
            bounds,
            survival,
            efron,
            *number,
            penalties,
            l1_ratio,
            begin.coefficient,
            begin.intercept,
            0.01 * null,
            tolerance,
            200,
        )
        if fitted == 0:
            raise FitError(
                f"no convergence at penalty {penalties[0]:.4g} with {X.shape[1]} columns and {X.shape[0]} subjects",
                allowed="finite, standardised columns",
                todo="look for columns with extreme values",
            )
        return LinearPath(penalties[:fitted], coefficients[:fitted], intercepts[:fitted], losses[:fitted], l1_ratio)


def first_penalty(slopes: Array, groups: npt.NDArray[np.int64], weight: Array, l1_ratio: float) -> float:
    """Return the smallest penalty that leaves every column out.

    Parameters
    ----------
    slopes : ndarray, shape (p,)
        Derivative of the mean log likelihood along each column at zero.
    groups : ndarray of int64, shape (p,)
    weight : ndarray, shape (G,)
    l1_ratio : float
    """
    found = 1e-10
    for g, w in enumerate(weight):
        own = np.abs(slopes[groups == g])

        def excess(penalty: float, own: Array = own, w: float = float(w)) -> float:
            rest = np.maximum(own - penalty * l1_ratio, 0.0)
            return float(np.linalg.norm(rest) - penalty * (1.0 - l1_ratio) * w)

        high = float(np.linalg.norm(own) / w / max(1.0 - l1_ratio, 1e-6))
        high = min(high, float(own.max(initial=0.0)) / l1_ratio) if l1_ratio > 0 else high
        if excess(found) > 0:
            found = float(brentq(excess, found, high * (1.0 + 1e-9), xtol=1e-14))
    return found


class SparseGroupLasso(Fusion):
    """Sparse group lasso with the blocks as groups; penalty and share of the lasso are chosen by inner folds.

    Simon, Friedman, Hastie & Tibshirani 2013, J Comput Graph Stat 22:231.
    """

    key, name = "sparse_group_lasso", "sparse group lasso"
    shrinks = True

    def tuned(
        self,
        training: Predictors,
        target: Target,
        options: ProtocolOptions,
        seed: np.random.SeedSequence,
        groups: Groups,
        bench: Bench,
    ) -> TunedModel:
        """Choose share and penalty by inner folds."""
        at = Prepared(training, target, options, seed, groups, bench)
        if at.X.shape[1] == 0:
            return at.alone(self.base)
        net = GroupNet(at.family, at.preprocess.blocks)
        tried = [self._try(at, net, ratio) for ratio in _RATIOS]
        best = int(np.argmin([deviance.sum(axis=0).min() for _, deviance, _ in tried]))
        penalties, deviance, out_of_fold = tried[best]
        place = at.chosen(deviance)
        fit = net.path(at.X, target, penalties[: place + 1], _RATIOS[best], TOLERANCE).fit(-1)
        setting = {"penalty": fit.penalty, "l1_ratio": _RATIOS[best]}
        return at.model(fit, penalties, deviance, float(np.median(out_of_fold[place])), setting)

    def _try(self, at: Prepared, net: GroupNet, ratio: float) -> tuple[Array, Array, Array]:
        first = first_penalty(net.slopes(at.X, at.target), *net.groups, ratio)
        penalties = np.geomspace(first, at.options.penalty_ratio * first, at.options.penalties)
        deviance, out_of_fold, _ = follow(self._paths(at, ratio), at.target, at.inner.fold, penalties)
        return penalties, deviance, out_of_fold

    def _paths(self, at: Prepared, ratio: float) -> Sequence[InnerPath]:
        return [
            InnerPath(GroupNet(at.family, part.blocks), part.X, part.target, part.inside, ratio) for part in at.parts
        ]
