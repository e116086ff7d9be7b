"""A model whose every number comes from one training part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy.typing as npt

from radiolocus.learn.interface import Fitted
from radiolocus.learn.joined import Preparation
from radiolocus.learn.preprocess import Predictors
from radiolocus.model import Array

__all__ = ["TunedModel"]


@dataclass(frozen=True, eq=False)
class TunedModel:
    """A model whose every number comes from one training part.

    Parameters
    ----------
    preprocess : Preparation
    fit : Fitted
        Of standardised columns.
    threshold : float
        Median prediction of the training subjects, each predicted by the inner model that did not see it: above it is
        high risk. Unlike the fitted values it is not drawn apart by overfitting.
    penalties, deviance : ndarray, shape (L,)
        Penalties tried (of other models than the penalised linear ones: the number of the setting), and their inner
        cross-validated deviance per training subject.
    notes : tuple of (str, str)
        Item concerned (empty: the whole model), and what happened.
    setting : mapping of str to float
        Setting chosen.
    """

    preprocess: Preparation
    fit: Fitted
    threshold: float
    penalties: Array
    deviance: Array
    notes: tuple[tuple[str, str], ...] = ()
    setting: Mapping[str, float] = field(default_factory=dict)

    def predict(self, predictors: Predictors) -> Array:
        """Risk, shape (n,); see :class:`radiolocus.learn.interface.Fitted`."""
        return self.fit.predict(self.preprocess.apply(predictors))

    def survival(self, predictors: Predictors, times: npt.ArrayLike) -> Array:
        """Probability of no event by each time, shape (n, t)."""
        return self.fit.survival(self.preprocess.apply(predictors), times)

    def probability(self, predictors: Predictors) -> Array:
        """Probability of each class, shape (n, K)."""
        return self.fit.probability(self.preprocess.apply(predictors))

    def told(self, part: Predictors) -> list[tuple[str, str]]:
        """Say what of held-out subjects this model had never seen."""
        told = [
            (name, f"category '{level}' was not in a training part") for name, level in self.preprocess.unseen(part)
        ]
        return told + [
            (name or "unknown batch", "batch was not in a training part: its subjects are not harmonised")
            for name in self.preprocess.unharmonised(part)
        ]
