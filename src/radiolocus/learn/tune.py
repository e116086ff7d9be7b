"""Everything that a training part is asked: its columns, the setting of the model by inner folds, and the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt

from radiolocus.errors import ConfigError
from radiolocus.learn.folds import Folds, draw_folds
from radiolocus.learn.interface import Fitted, Learner
from radiolocus.learn.linear import Family, LinearFit, penalty_grid
from radiolocus.learn.models import MODELS, Net, family_of, with_baseline
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors, Preprocess, fit_preprocess
from radiolocus.learn.select import column_scores
from radiolocus.learn.target import Target
from radiolocus.model import Array, BoolArray

__all__ = ["TunedModel", "fit_tuned", "prepare_training"]

# Inner fits only rank penalties; the fit that is used is held to a stricter tolerance.
_INNER_TOLERANCE, _TOLERANCE = 1e-5, 1e-7
_STRIDE, _PATIENCE = 5, 10
_NOTHING = "no usable predictor in a training part: everybody is predicted alike"
_BARE = "no {} predicted the inner folds better than no predictor at all: everybody is predicted alike"


@dataclass(frozen=True, eq=False)
class TunedModel:
    """A model whose every number comes from one training part.

    Parameters
    ----------
    preprocess : Preprocess
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

    preprocess: Preprocess
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
    chosen = _choose(lost, inner.fold, options.penalty_rule)
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
    chosen = _choose(deviance, inner.fold, options.penalty_rule)
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
    """Deviance of each inner fold (K, L) and inner out-of-fold predictions (L, n), penalty by penalty.

    Last comes the deviance of all inner folds without any predictor.

    The path is followed only until ten penalties in a row were no better: beyond, models only overfit more.
    """
    parts = []
    for k in range(inner.count):
        inside = inner.fold != k
        part, goal = training.take(inside), target.take(inside)
        parts.append(_Inner(family, prepare(part, goal).apply(training), goal, inside, l1_ratio))
    bare = sum(float(family.held_out_deviance(p.last.predict(p.X)[None], target, p.inside)[0]) for p in parts)
    deviance = np.zeros((inner.count, 0))
    out_of_fold = np.zeros((0, target.n))
    for begin in range(0, penalties.size, _STRIDE):
        stretch = penalties[begin : begin + _STRIDE]
        lost, predicted = np.empty((inner.count, stretch.size)), np.empty((stretch.size, target.n))
        for k, part_k in enumerate(parts):
            eta = part_k.extend(stretch)
            lost[k] = family.held_out_deviance(eta, target, part_k.inside)
            predicted[:, ~part_k.inside] = eta[:, ~part_k.inside]
        deviance, out_of_fold = np.hstack([deviance, lost]), np.vstack([out_of_fold, predicted])
        if deviance.shape[1] - 1 - int(np.argmin(deviance.sum(axis=0))) >= _PATIENCE:
            break
    return deviance, out_of_fold, bare


class _Inner:
    """The models of one inner fold, a stretch of penalties after the other."""

    def __init__(self, family: Family, X: Array, goal: Target, inside: BoolArray, l1_ratio: float) -> None:
        self.family, self.goal, self.inside = family, goal, inside
        self.X, self.training = X, X[inside]
        self.last = LinearFit(np.zeros(X.shape[1]), family.null(goal), np.inf, l1_ratio)
        self.ended = X.shape[1] == 0

    def extend(self, penalties: Array) -> Array:
        """Predictions of all training subjects under the next penalties, shape (L, n)."""
        found = np.zeros((0, len(self.X)))
        if not self.ended:
            path = self.family.path(
                self.training, self.goal, penalties, self.last.l1_ratio, _INNER_TOLERANCE, self.last
            )
            found, self.last = path.predict(self.X), path.fit(-1)
            self.ended = path.penalties.size < penalties.size
        # A path that ended early (a saturated fit) stands for every smaller penalty, as in glmnet.
        rest = np.repeat(self.last.predict(self.X)[None, :], penalties.size - len(found), axis=0)
        return np.vstack([found, rest])


def _choose(deviance: Array, fold: npt.NDArray[np.int64], rule: str) -> int:
    """Index of the penalty; the largest among equals."""
    size = np.bincount(fold)[:, None]
    mean = deviance.sum(axis=0) / fold.size
    best = int(np.argmin(mean))
    if rule == "min":
        return best
    spread = (size * (deviance / size - mean) ** 2).sum(axis=0) / fold.size
    error = np.sqrt(spread / max(len(deviance) - 1, 1))
    return int(np.flatnonzero(mean <= mean[best] + error[best])[0])
