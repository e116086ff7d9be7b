"""Random survival forests."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import UndefinedError
from radiolocus.kernels.forest import grow_tree, mean_hazard, survivals
from radiolocus.learn.interface import Fitted, Learner, Setting
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.target import Target
from radiolocus.model import Array

__all__ = ["SurvivalForest"]

_TREES = 200
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Trees:
    trees: tuple[tuple[Ints, Array, Ints, Ints, Array], ...]
    times: Array  # distinct times of the training part
    passed: Array  # event times at or behind each of them, from index 1

    @property
    def coefficient(self) -> Array:
        used = np.sum([tree[2] for tree in self.trees], axis=0)
        return np.where(used > 0, np.nan, 0.0)

    def predict(self, X: Array) -> Array:
        X = np.ascontiguousarray(X)
        total = np.zeros(len(X))
        for nodes, threshold, _, stage, jump in self.trees:
            mean_hazard(X, nodes, threshold, stage, jump, self.passed, total)
        # Leaves without an event expect none, which the rest of the forest would have to share.
        return np.log(np.maximum(total, 0.5) / len(self.trees))

    def survival(self, X: Array, times: npt.ArrayLike) -> Array:
        X, at = np.ascontiguousarray(X), np.atleast_1d(np.asarray(times, dtype=np.float64))
        order = np.argsort(at, kind="stable")
        stages = np.searchsorted(self.times, at[order], side="right").astype(np.int64)
        total = np.zeros((len(X), at.size))
        for nodes, threshold, _, stage, jump in self.trees:
            survivals(X, nodes, threshold, stage, jump, stages, total)
        out = np.empty_like(total)
        out[:, order] = total / len(self.trees)
        return out

    def probability(self, X: Array) -> Array:
        raise UndefinedError("the probability of a class from a survival model", allowed="survival at a time")


class SurvivalForest(Learner):
    """A random survival forest of 200 trees, each of a bootstrap sample, split by the log-rank statistic.

    √p columns, rounded up, are tried at each node, at every threshold and at the exact times. Risk is the logarithm of
    the events expected if everybody were like this patient (ensemble mortality); survival is the mean over the trees.

    References
    ----------
    Ishwaran, Kogalur, Blackstone, Lauer (2008) Ann Appl Stat 2:841.
    """

    key, name = "survival_forest", "random survival forest"
    kinds = frozenset({"survival"})

    def settings(self, X: Array, target: Target, options: ProtocolOptions) -> tuple[Setting, ...]:
        """Large leaves or small ones."""
        return tuple({"leaf": leaf} for leaf in (15, 5))

    def fit(self, X: Array, target: Target, setting: Setting, seed: int) -> Fitted:
        """Fit; the trees are grown one after the other, each from its own part of the random numbers of `seed`."""
        time = target.time if target.time is not None else np.zeros(target.n)
        order = np.lexsort((1.0 - target.event, time))
        event = np.ascontiguousarray(target.event[order], dtype=np.float64)
        times, place = np.unique(time[order], return_inverse=True)
        stage = place.astype(np.int64) + 1
        events = np.unique(stage[event > 0.0])
        passed = (events.size - np.searchsorted(events, np.arange(times.size + 1))).astype(np.float64)
        xt = np.ascontiguousarray(X[order].T)
        columns = math.ceil(math.sqrt(X.shape[1]))
        least = float(min(setting["leaf"], max(1, target.n // 10)))
        trees = []
        for source in np.random.SeedSequence(seed).spawn(int(setting.get("trees", _TREES))):
            rng = np.random.default_rng(source)
            weight = np.bincount(rng.integers(target.n, size=target.n), minlength=target.n).astype(np.float64)
            trees.append(grow_tree(xt, stage, event, weight, columns, least, int(rng.integers(2**31))))
        return _Trees(tuple(trees), times, passed)
