"""What every model can be asked, whatever it is inside.

A learner fits the standardised columns of a training part under one of its settings; what it returns predicts risk,
survival at times or the probability of classes. The protocol does the rest: it never asks which model it holds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from radiolocus.errors import UndefinedError
from radiolocus.kernels.coxpath import cox_loss
from radiolocus.learn.cox import in_time
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.target import Kind, Target
from radiolocus.model import Array

__all__ = [
    "Fitted",
    "Learner",
    "Level",
    "Proportional",
    "Setting",
    "Undivided",
    "class_loss",
    "prior_ridges",
    "row_space",
]

Setting = Mapping[str, float]

# A probability of zero would cost infinitely much where a subject shows that it was wrong.
_LEAST = 1e-6


class Fitted(Protocol):
    """A fitted model."""

    @property
    def coefficient(self) -> Array:
        """One entry a column: zero where it is not used, NaN where it is used but has no single coefficient."""

    def predict(self, X: Array) -> Array:
        """Risk, shape (n,): higher means the event, an earlier event or a higher class; or the number predicted.

        Log relative hazard, logit of the probability, or what ranks patients alike.
        """

    def survival(self, X: Array, times: npt.ArrayLike) -> Array:
        """Probability of no event by each time, shape (n, t); UndefinedError where the model has none."""

    def probability(self, X: Array) -> Array:
        """Probability of each class, shape (n, K); UndefinedError where the model has none."""


class Learner(ABC):
    """A kind of model that the study file can name.

    ``key`` is that name, ``name`` what tables show, ``kinds`` the endpoints it can predict, ``needs`` the optional
    package without which it cannot run. ``knows`` says what of ``entry``, ``strata`` and ``weights`` it takes into
    account; a target that has another of them is not given to it. ``shrinks`` says that its simplest setting comes
    close to no predictor at all, so that a model that predicts the inner folds no better than that is replaced by it.
    ``logarithm`` says that it takes the logarithm of times, so that none may be zero.
    """

    key: ClassVar[str]
    name: ClassVar[str]
    kinds: ClassVar[frozenset[Kind]]
    needs: ClassVar[str] = ""
    knows: ClassVar[frozenset[str]] = frozenset()
    shrinks: ClassVar[bool] = False
    logarithm: ClassVar[bool] = False

    @abstractmethod
    def settings(self, X: Array, target: Target, options: ProtocolOptions) -> tuple[Setting, ...]:
        """Settings to choose from by inner folds, the simplest model first."""

    @abstractmethod
    def fit(self, X: Array, target: Target, setting: Setting, seed: int) -> Fitted:
        """Fit standardised columns, shape (n, p); p may be zero."""

    def loss(self, fit: Fitted, X: Array, target: Target) -> float:
        """Loss of held-out patients, summed: log loss, squared error, or the negative log partial likelihood."""
        if target.number:
            return float(np.square(fit.predict(X) - target.event).sum())
        if target.time is None:
            return class_loss(fit.probability(X), target)
        order, bounds = in_time(target)
        return float(cox_loss(fit.predict(X)[None, order], target.event[order], bounds, True)[0])


def class_loss(probability: Array, target: Target) -> float:
    """Negative log probability of the classes that were observed, summed."""
    own = probability[np.arange(target.n), target.event.astype(np.intp)]
    return float(-np.log(np.maximum(own, _LEAST)).sum())


@runtime_checkable
class Proportional(Protocol):
    """A fitted model whose hazards are proportional: it can be written down as coefficients and one baseline."""

    @property
    def coefficient(self) -> Array:
        """One entry a column."""

    def baseline_hazard(self) -> tuple[Array, Array]:
        """Times of events, ascending, and the cumulative (subdistribution) hazard of linear predictor 0 at them."""


@dataclass(frozen=True, eq=False)
class Undivided:
    """A model without columns of its own: everybody has the frequencies of the training part."""

    frequency: Array

    @classmethod
    def of(cls, target: Target) -> Undivided:
        """Return the frequencies of the classes of `target`."""
        return cls(np.bincount(target.event.astype(np.intp), minlength=target.classes) / target.n)

    @property
    def coefficient(self) -> Array:
        """No column, no coefficient."""
        return np.zeros(0)

    def predict(self, X: Array) -> Array:
        """Risk that is the same for all."""
        return np.zeros(len(X))

    def survival(self, X: Array, times: npt.ArrayLike) -> Array:
        """Refuse."""
        raise UndefinedError("survival from a model of classes", allowed="probability")

    def probability(self, X: Array) -> Array:
        """Frequencies of the training part, shape (n, K)."""
        return np.tile(self.frequency, (len(X), 1))


@dataclass(frozen=True, eq=False)
class Level:
    """A model of a number without columns of its own: everybody has the mean of the training part."""

    mean: float

    @property
    def coefficient(self) -> Array:
        """No column, no coefficient."""
        return np.zeros(0)

    def predict(self, X: Array) -> Array:
        """Mean of the training part, for all."""
        return np.full(len(X), self.mean)

    def survival(self, X: Array, times: npt.ArrayLike) -> Array:
        """Refuse."""
        raise UndefinedError("survival from a model of a number", allowed="the number")

    def probability(self, X: Array) -> Array:
        """Refuse."""
        raise UndefinedError("the probability of a class from a model of a number", allowed="the number")


def row_space(X: Array) -> tuple[Array, Array]:
    """Coordinates of the rows of `X` in the space they span, when there are more columns than rows.

    A ridge fit depends on the columns through their inner products alone: fitting ``Z`` of shape (n, r) under the same
    penalty gives the coefficients of `X` as ``V @ a``, without a matrix as large as the columns squared.

    Returns
    -------
    Z : ndarray, shape (n, r)
    V : ndarray, shape (p, r)
        Orthonormal; ``X @ V == Z``.
    """
    if X.shape[1] <= X.shape[0]:
        return X, np.eye(X.shape[1])
    U, size, Vt = np.linalg.svd(X, full_matrices=False)
    kept = size > 1e-10 * size[0]
    return U[:, kept] * size[kept], Vt[kept].T


def prior_ridges(n: int, p: int, count: int = 7) -> tuple[Setting, ...]:
    """Ridge penalties under which linear predictors of p standard columns vary a priori by 0.01 to 10, large first.

    A ridge of λ on the mean log-likelihood is a normal prior of variance 1 / (n λ) for each coefficient; the variance
    of their sum over p independent standard columns is p / (n λ).
    """
    return tuple({"ridge": float(v)} for v in max(p, 1) / (n * np.geomspace(0.01, 10.0, count)))
