"""Models that know which block a column belongs to: what they have in common.

Every one of them ends as a linear predictor of standardised columns, so that it is read, locked and applied like an
elastic net. With one block alone there is nothing to bring together: then it is the elastic net.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from radiolocus.errors import FitError
from radiolocus.learn.folds import Folds, draw_folds
from radiolocus.learn.inner import InnerPath, choose
from radiolocus.learn.interface import Fitted, Learner, Setting
from radiolocus.learn.linear import Family, LinearFit
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors, Preprocess
from radiolocus.learn.target import Target
from radiolocus.learn.tuned import TunedModel
from radiolocus.model import Array, BoolArray

__all__ = ["Bench", "Fusion", "Part", "Prepared"]

Groups = npt.ArrayLike | None

#: A fit that is used is held to a stricter tolerance than those that only rank penalties.
TOLERANCE = 1e-7


@dataclass(frozen=True)
class Bench:
    """What a model of several blocks is lent.

    Parameters
    ----------
    family : callable
        The linear model of a kind of endpoint.
    based : callable
        Adds the baseline hazard of the training part.
    prepare : callable
        Learns the columns of a training part.
    tuned : callable
        Fits a named model to a training part, tuning included.
    """

    family: Callable[[Target, ProtocolOptions], Family]
    based: Callable[[LinearFit, Array, Target, Family], LinearFit]
    prepare: Callable[[Predictors, Target, ProtocolOptions, np.random.SeedSequence], Preprocess]
    tuned: Callable[[Predictors, Target, ProtocolOptions, np.random.SeedSequence, Groups, str], TunedModel]


class Fusion(Learner):
    """A model of several blocks.

    ``base`` is the model that stands for it where there is one block alone; ``absences`` says that it predicts subjects
    who lack whole blocks without imputing them.
    """

    kinds = frozenset({"survival", "binary"})
    base: ClassVar[str] = "elastic_net"
    absences: ClassVar[bool] = False

    @abstractmethod
    def tuned(
        self,
        training: Predictors,
        target: Target,
        options: ProtocolOptions,
        seed: np.random.SeedSequence,
        groups: Groups,
        bench: Bench,
    ) -> TunedModel:
        """Learn everything from a training part of two blocks or more."""

    def settings(self, X: Array, target: Target, options: ProtocolOptions) -> tuple[Setting, ...]:
        """Refuse: columns without their blocks are not enough."""
        raise FitError(f"{self.name} of columns without blocks", allowed="predictors with their blocks (fit_tuned)")

    def fit(self, X: Array, target: Target, setting: Setting, seed: int) -> Fitted:
        """Refuse: columns without their blocks are not enough."""
        raise FitError(f"{self.name} of columns without blocks", allowed="predictors with their blocks (fit_tuned)")


@dataclass(frozen=True, eq=False)
class Part:
    """The training part of an inner fold: columns of everybody, as it made them, their blocks, and who is in it."""

    X: Array
    blocks: tuple[str, ...]
    target: Target
    inside: BoolArray


@dataclass(frozen=True, eq=False)
class Prepared:
    """Columns of a training part and of its inner folds.

    Parameters
    ----------
    training, target, options, seed, groups, bench
        See :meth:`Fusion.tuned`.
    """

    training: Predictors
    target: Target
    options: ProtocolOptions
    seed: np.random.SeedSequence
    groups: Groups
    bench: Bench

    @cached_property
    def preprocess(self) -> Preprocess:
        """Columns of the whole training part."""
        return self.bench.prepare(self.training, self.target, self.options, self.seed)

    @cached_property
    def X(self) -> Array:  # noqa: N802 - the design matrix is called X everywhere
        """Standardised columns of the whole training part."""
        return self.preprocess.apply(self.training)

    @cached_property
    def family(self) -> Family:
        """The linear model of the endpoint."""
        return self.bench.family(self.target, self.options)

    @cached_property
    def inner(self) -> Folds:
        """Inner folds."""
        return draw_folds(self.target, self.options.inner_folds, self.seed, self.groups)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """One an inner fold."""
        found = []
        for k in range(self.inner.count):
            inside = self.inner.fold != k
            goal = self.target.take(inside)
            made = self.bench.prepare(self.training.take(inside), goal, self.options, self.seed)
            found.append(Part(made.apply(self.training), made.blocks, goal, inside))
        return tuple(found)

    def paths(self, columns: Callable[[Part], Array], l1_ratio: float) -> list[InnerPath]:
        """Paths of the inner folds over columns made of theirs."""
        return [InnerPath(self.family, columns(part), part.target, part.inside, l1_ratio) for part in self.parts]

    def alone(self, model: str) -> TunedModel:
        """Return the model that stands in where nothing is to be brought together."""
        return self.bench.tuned(self.training, self.target, self.options, self.seed, self.groups, model)

    def chosen(self, deviance: Array) -> int:
        """Place of the penalty that the inner folds choose."""
        return choose(deviance, self.inner.fold, self.options.penalty_rule)

    def model(
        self, fit: LinearFit, penalties: Array, deviance: Array, threshold: float, setting: Setting, *told: str
    ) -> TunedModel:
        """Put together what was learned; `fit` is of the standardised columns."""
        notes = [*self.preprocess.notes, *(("", f"inner cross-validation: {note}") for note in self.inner.notes)]
        return TunedModel(
            self.preprocess,
            self.bench.based(fit, self.X, self.target, self.family),
            threshold,
            penalties[: deviance.shape[1]],
            deviance.sum(axis=0) / self.target.n,
            (*notes, *(("", note) for note in told)),
            setting,
        )

    def bare(self, l1_ratio: float) -> LinearFit:
        """Return the model without predictors."""
        return LinearFit(np.zeros(self.X.shape[1]), self.family.null(self.target), np.inf, l1_ratio)
