"""Everything that a training part is asked: its columns, the setting of the model by inner folds, and the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from radiolocus.errors import ConfigError
from radiolocus.learn.blockwise import Bench, Fusion
from radiolocus.learn.folds import Folds, draw_folds
from radiolocus.learn.inner import InnerPath, choose, follow
from radiolocus.learn.interface import Fitted, Learner
from radiolocus.learn.linear import Family, LinearFit, penalty_grid
from radiolocus.learn.models import MODELS, Net, family_of, with_baseline
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors, Preprocess, fit_preprocess
from radiolocus.learn.select import column_scores
from radiolocus.learn.target import Target
from radiolocus.learn.tuned import TunedModel
from radiolocus.model import Array

__all__ = ["TunedModel", "fit_tuned", "prepare_training"]

_TOLERANCE = 1e-7
_NOTHING = "no usable predictor in a training part: everybody is predicted alike"
_BARE = "no {} predicted the inner folds better than no predictor at all: everybody is predicted alike"


def fit_tuned(
    training: Predictors,
    target: Target,
    options: ProtocolOptions,
    seed: np.random.SeedSequence,
    groups: npt.ArrayLike | None = None,
    model: str = "elastic_net",
) -> TunedModel:
    """Learn everything from a training part: columns, setting, model, risk-group threshold.

    Parameters
    ----------
    training : Predictors
    target : Target
        Of the same rows.
    options : ProtocolOptions
    seed : numpy.random.SeedSequence
        Of the inner folds.
    groups : array_like, optional
        Patient of each row.
    model : str
        A name of :data:`radiolocus.learn.models.MODELS`.

    Raises
    ------
    ConfigError
        An unknown model, or one that cannot predict this kind of endpoint.
    FitError
        The training part cannot be divided further, or no setting could be fitted.
    """
    learner = MODELS[model]
    if target.kind not in learner.kinds:
        raise ConfigError(
            f"model '{model}' for a {target.kind} endpoint",
            where="models",
            allowed=", ".join(name for name in MODELS if target.kind in MODELS[name].kinds),
        )
    if isinstance(learner, Fusion):
        if len(training.blocks) < 2:
            return fit_tuned(training, target, options, seed, groups, learner.base)
        bench = Bench(family_of, with_baseline, prepare_training, fit_tuned)
        return learner.tuned(training, target, options, seed, groups, bench)
    if isinstance(learner, Net):
        return _fit_by_path(learner, training, target, options, seed, groups)
    return _fit_by_grid(learner, training, target, options, seed, groups)


def prepare_training(
    training: Predictors, target: Target, options: ProtocolOptions, seed: np.random.SeedSequence
) -> Preprocess:
    """Learn the columns of a training part: harmonising, imputing, filtering, selecting, scaling."""
    scores = partial(column_scores, target=target, options=options)
    return fit_preprocess(training, options, scores, target, int(seed.generate_state(1)[0]))


def _fit_by_grid(
    learner: Learner,
    training: Predictors,
    target: Target,
    options: ProtocolOptions,
    seed: np.random.SeedSequence,
    groups: npt.ArrayLike | None,
) -> TunedModel:
    """Choose among the settings of a learner by inner folds."""
    preprocess = prepare_training(training, target, options, seed)
    X = preprocess.apply(training)
    number = int(seed.generate_state(1)[0])
    settings = learner.settings(X, target, options)
    if X.shape[1] == 0:
        fit = learner.fit(X, target, settings[0], number)
        threshold = float(np.median(fit.predict(X)))
        return TunedModel(preprocess, fit, threshold, np.zeros(0), np.zeros(0), (*preprocess.notes, ("", _NOTHING)))
    inner = draw_folds(target, options.inner_folds, seed, groups)
    lost, predicted = np.empty((inner.count, len(settings))), np.empty((len(settings), target.n))
    bare = 0.0
    for k in range(inner.count):
        inside = inner.fold != k
        part, goal, judged = training.take(inside), target.take(inside), target.take(~inside)
        Z = prepare_training(part, goal, options, seed).apply(training)
        bare += learner.loss(learner.fit(Z[inside, :0], goal, settings[0], number), Z[~inside, :0], judged)
        for s, setting in enumerate(settings):
            fit = learner.fit(Z[inside], goal, setting, number)
            lost[k, s] = learner.loss(fit, Z[~inside], judged)
            predicted[s, ~inside] = fit.predict(Z[~inside])
    notes = (*preprocess.notes, *(("", f"inner cross-validation: {note}") for note in inner.notes))
    places, mean = np.arange(len(settings), dtype=np.float64), lost.sum(axis=0) / target.n
    if learner.shrinks and bare <= lost.sum(axis=0).min():
        fit = _Alike(learner.fit(X[:, :0], target, settings[0], number), X.shape[1])
        threshold = float(np.median(fit.predict(X)))
        return TunedModel(preprocess, fit, threshold, places, mean, (*notes, ("", _BARE.format("setting"))))
    chosen = choose(lost, inner.fold, options.penalty_rule)
    fit = learner.fit(X, target, settings[chosen], number)
    threshold = float(np.median(predicted[chosen]))
    return TunedModel(preprocess, fit, threshold, places, mean, notes, settings[chosen])


@dataclass(frozen=True, eq=False)
class _Alike:
    """A model without predictors, asked with columns that it does not use."""

    fit: Fitted
    columns: int

    @property
    def coefficient(self) -> Array:
        return np.zeros(self.columns)

    def predict(self, X: Array) -> Array:
        return self.fit.predict(X[:, :0])

    def survival(self, X: Array, times: npt.ArrayLike) -> Array:
        return self.fit.survival(X[:, :0], times)

    def probability(self, X: Array) -> Array:
        return self.fit.probability(X[:, :0])


def _fit_by_path(
    learner: Net,
    training: Predictors,
    target: Target,
    options: ProtocolOptions,
    seed: np.random.SeedSequence,
    groups: npt.ArrayLike | None,
) -> TunedModel:
    """Choose the penalty of a linear model, following the paths of the inner folds side by side."""
    family = family_of(target, options)
    preprocess = prepare_training(training, target, options, seed)
    X = preprocess.apply(training)
    based = partial(with_baseline, X=X, target=target, family=family)
    if X.shape[1] == 0:
        nothing = LinearFit(np.zeros(0), family.null(target), np.inf, 0.0)
        notes = (*preprocess.notes, ("", _NOTHING))
        return TunedModel(preprocess, based(nothing), nothing.intercept, np.zeros(0), np.zeros(0), notes)
    l1_ratio = learner.ratio(X.shape[1], options)
    slope = float(np.abs(family.slopes(X, target)).max())
    penalties = penalty_grid(slope, l1_ratio, options.penalties, options.penalty_ratio)
    inner = draw_folds(target, options.inner_folds, seed, groups)
    prepare = partial(prepare_training, options=options, seed=seed)
    deviance, out_of_fold, bare = _tune(family, training, target, inner, penalties, l1_ratio, prepare)
    notes = (*preprocess.notes, *(("", f"inner cross-validation: {note}") for note in inner.notes))
    mean = deviance.sum(axis=0) / target.n
    # A ridge never leaves all predictors out by itself, and however small its coefficients, they rank the patients.
    if l1_ratio == 0.0 and bare <= deviance.sum(axis=0).min():
        nothing = LinearFit(np.zeros(X.shape[1]), family.null(target), np.inf, l1_ratio)
        told = ("", _BARE.format("penalty"))
        return TunedModel(preprocess, based(nothing), nothing.intercept, penalties[: mean.size], mean, (*notes, told))
    chosen = choose(deviance, inner.fold, options.penalty_rule)
    path = family.path(X, target, penalties[: chosen + 1], l1_ratio, _TOLERANCE)
    threshold = float(np.median(out_of_fold[chosen]))
    fit = path.fit(-1)
    setting = {"penalty": fit.penalty, "l1_ratio": l1_ratio}
    return TunedModel(preprocess, based(fit), threshold, penalties[: mean.size], mean, notes, setting)


def _tune(
    family: Family,
    training: Predictors,
    target: Target,
    inner: Folds,
    penalties: Array,
    l1_ratio: float,
    prepare: Callable[[Predictors, Target], Preprocess],
) -> tuple[Array, Array, float]:
    """Deviance of each inner fold (K, L), inner out-of-fold predictions (L, n), and the deviance without predictors."""
    parts = []
    for k in range(inner.count):
        inside = inner.fold != k
        part, goal = training.take(inside), target.take(inside)
        parts.append(InnerPath(family, prepare(part, goal).apply(training), goal, inside, l1_ratio))
    return follow(parts, target, inner.fold, penalties)
