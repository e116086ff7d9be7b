"""What a training part says about its own uncertainty: its inner models, thresholds, and conformal prediction sets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.learn.folds import draw_folds
from radiolocus.learn.interface import Fitted, Learner, Setting
from radiolocus.learn.models import MODELS
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors, Preprocess
from radiolocus.learn.target import Target
from radiolocus.learn.tune import TunedModel, prepare_training
from radiolocus.model import Array
from radiolocus.stats.conformal import class_conformal_p, conformal_interval

__all__ = ["InnerModels", "fit_inner"]


@dataclass(frozen=True, eq=False)
class InnerModels:
    """The models of the inner folds of a training part, under the setting that it chose.

    Parameters
    ----------
    target : Target
        Of the training subjects.
    fold : ndarray of int64, shape (n,)
        Inner fold that held each training subject out.
    parts : tuple of (Preprocess, Fitted, bool)
        Columns, model, and whether the model uses them (not where no setting was worth its predictors).
    probability : ndarray, shape (n, K)
        Of each class, for every training subject by the model that did not see him; of a number what was predicted,
        in one column.
    """

    target: Target
    fold: npt.NDArray[np.int64]
    parts: tuple[tuple[Preprocess, Fitted, bool], ...]
    probability: Array

    def of(self, predictors: Predictors) -> Array:
        """Probability of each class (or the number) by every inner model, shape (F, m, K)."""
        return np.stack([_probability(part, predictors, self.target) for part in self.parts])

    def conformal(self, predictors: Predictors) -> Array:
        """Conformal p-value of each class for new subjects, shape (m, K).

        The nonconformity of a class is one minus its probability; see
        :func:`radiolocus.stats.conformal.class_conformal_p`.
        """
        own = self.target.event.astype(np.int64)
        score = 1.0 - self.probability[np.arange(own.size), own]
        return class_conformal_p(score, own, self.fold, 1.0 - self.of(predictors))

    def interval(self, predictors: Predictors, coverage: float) -> tuple[Array, Array]:
        """Conformal prediction intervals of a number for new subjects: lower and upper ends, shape (m,) each.

        See :func:`radiolocus.stats.conformal.conformal_interval`.
        """
        residual = self.target.event - self.probability[:, 0]
        return conformal_interval(residual, self.fold, self.of(predictors)[:, :, 0], coverage)

    def threshold_of_sensitivity(self, sensitivity: float) -> float:
        """Highest probability at which at least this share of the training subjects with the event is called."""
        cases = np.sort(self.probability[self.target.event == 1, 1])
        allowed = int(np.floor((1.0 - sensitivity) * cases.size + 1e-9))
        return float(cases[min(allowed, cases.size - 1)])

    def threshold_of_balance(self) -> float:
        """Probability at which sensitivity and specificity of the training subjects add up to most; the lowest such."""
        risk, case = self.probability[:, 1], self.target.event == 1
        at = np.unique(risk)
        cases, others = np.sort(risk[case]), np.sort(risk[~case])
        called = 1.0 - np.searchsorted(cases, at, side="left") / cases.size
        spared = np.searchsorted(others, at, side="left") / others.size
        return float(at[np.argmax(np.round(called + spared, 12))])


def fit_inner(
    training: Predictors,
    target: Target,
    options: ProtocolOptions,
    seed: np.random.SeedSequence,
    tuned: TunedModel,
    groups: npt.ArrayLike | None = None,
    model: str = "elastic_net",
) -> InnerModels:
    """Fit the chosen setting in each inner fold, columns and all learned anew.

    Parameters
    ----------
    training, target, options, seed, groups, model
        As they were given to :func:`radiolocus.learn.tune.fit_tuned`: the inner folds are the same.
    tuned : TunedModel
        What it returned.

    Raises
    ------
    FitError
        A part that cannot be fitted.
    """
    learner = MODELS[model]
    inner = draw_folds(target, options.inner_folds, seed, groups)
    number = int(seed.generate_state(1)[0])
    probability = np.empty((target.n, target.classes or 1))
    parts: list[tuple[Preprocess, Fitted, bool]] = []
    for k in range(inner.count):
        inside = inner.fold != k
        data, goal = training.take(inside), target.take(inside)
        preprocess = prepare_training(data, goal, options, seed)
        X = preprocess.apply(data)
        setting, used = _setting(learner, tuned, X, goal, options)
        part = (preprocess, learner.fit(X if used else X[:, :0], goal, setting, number), used)
        probability[~inside] = _probability(part, training.take(~inside), target)
        parts.append(part)
    return InnerModels(target, inner.fold, tuple(parts), probability)


def _setting(
    learner: Learner, tuned: TunedModel, X: Array, goal: Target, options: ProtocolOptions
) -> tuple[Setting, bool]:
    """Setting that was chosen, and whether it uses predictors at all."""
    if tuned.setting and X.shape[1]:
        return tuned.setting, True
    return learner.settings(X[:, :0], goal, options)[0], False


def _probability(part: tuple[Preprocess, Fitted, bool], predictors: Predictors, target: Target) -> Array:
    preprocess, fit, used = part
    X = preprocess.apply(predictors)
    X = X if used else X[:, :0]
    return fit.predict(X)[:, None] if target.number else fit.probability(X)
