"""Individual treatment effects by meta-learners and causal forests, cross-fitted.

Everything that is learned — imputation, scaling, propensities, expected outcomes, effects — is learned from training
subjects alone and applied to those held out. Effects and outcomes are differences of means, whatever the outcome.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from radiolocus.errors import ConfigError, FitError
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors, fit_preprocess
from radiolocus.learn.regress import Base, fit_regression
from radiolocus.model import Array, BoolArray
from radiolocus.stats.effects import doubly_robust_scores

__all__ = ["LEARNERS", "CrossFit", "EffectLearner", "EffectOptions", "check_learners", "cross_fit"]

EffectLearner = Literal["t", "s", "x", "r", "dr", "causal_forest"]

#: Names that tables show.
LEARNERS: dict[str, str] = {
    "t": "T-learner",
    "s": "S-learner",
    "x": "X-learner",
    "r": "R-learner",
    "dr": "DR-learner",
    "causal_forest": "causal forest",
}


@dataclass(frozen=True)
class EffectOptions:
    """How effects are learned.

    Parameters
    ----------
    learners : tuple of str
        The first is the one that conclusions are drawn from; the others stand beside it.
    base : {"ridge", "forest"}
        Regression inside the meta-learners.
    folds, repeats, seed : int
        Of the cross-fitting.
    trim : float
        Propensities are kept between `trim` and 1 − `trim`.
    """

    learners: tuple[EffectLearner, ...] = ("dr", "t", "s", "x", "r")
    base: Base = "ridge"
    folds: int = 5
    repeats: int = 5
    seed: int = 1
    trim: float = 0.02


@dataclass(frozen=True, eq=False)
class CrossFit:
    """What models that did not see a subject say of it; R repetitions of n subjects.

    Parameters
    ----------
    benefit : dict of str to ndarray, shape (R, n)
        Predicted effect, by learner.
    control, treated : ndarray, shape (R, n)
        Doubly robust scores.
    expected : ndarray, shape (R, n)
        Expected outcome whatever the treatment.
    propensity : ndarray, shape (R, n)
        After trimming.
    trimmed : ndarray of int, shape (n,)
        In how many repetitions the propensity was trimmed.
    """

    benefit: dict[str, Array]
    control: Array
    treated: Array
    expected: Array
    propensity: Array
    trimmed: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Part:
    """A training part and whom it predicts."""

    X: Array
    Z: Array
    y: Array
    a: Array
    e: Array
    mu: tuple[Array, Array]
    base: Base
    seed: int


def check_learners(names: Sequence[str], where: str) -> None:
    """Refuse learners that nobody knows, that are named twice, or whose package is not installed.

    Raises
    ------
    ConfigError
    """
    wrong = [name for name in names if name not in LEARNERS]
    if wrong or not names or len(set(names)) < len(names):
        raise ConfigError(
            f"learners = {list(names)}", where=where, allowed=f"{', '.join(LEARNERS)}; at least one, every one once"
        )
    if "causal_forest" in names and importlib.util.find_spec("econml") is None:
        raise ConfigError(
            "learners with causal_forest, which needs the package econml, and that is not installed",
            where=where,
            todo='pip install "radiolocus[causal]", or choose other learners',
        )


def cross_fit(
    outcome: npt.ArrayLike,
    treated: npt.ArrayLike,
    predictors: Predictors,
    confounders: Predictors,
    options: EffectOptions,
    strata: npt.ArrayLike | None = None,
) -> CrossFit:
    """Predict effects and score subjects, each by models that did not see it.

    Parameters
    ----------
    outcome : array_like, shape (n,)
        The larger the better; 0 and 1, or a number.
    treated : array_like of bool, shape (n,)
    predictors : Predictors
        Of n subjects: what the effect may depend on.
    confounders : Predictors
        What treatment was chosen by; the outcome is expected from both.
    options : EffectOptions
    strata : array_like, shape (n,), optional
        Stratum within which treatment was drawn by lot: the propensity is then the share treated in the stratum, and
        `confounders` do not bear on it.

    Raises
    ------
    FitError
        Fewer than ten subjects, or than two a fold, in a group.

    References
    ----------
    T-, S-, X-learner: Künzel et al., PNAS 2019;116:4156. R-learner: Nie & Wager, Biometrika 2021;108:299. DR-learner:
    Kennedy, Electron J Stat 2023;17:3008. Causal forest: Athey, Tibshirani & Wager, Ann Stat 2019;47:1148 (econml).
    """
    y, a = np.asarray(outcome, dtype=np.float64), np.asarray(treated, dtype=bool)
    fewest = int(min(a.sum(), (~a).sum()))
    if fewest < max(10, 2 * options.folds):
        raise FitError(
            f"{fewest} subjects in the smaller group",
            allowed=f"at least {max(10, 2 * options.folds)}",
            todo="merge arms, or look at the interactions alone",
        )
    labels = None if strata is None else np.unique(np.asarray(strata), return_inverse=True)[1]
    R, n = options.repeats, y.size
    benefit: dict[str, Array] = {name: np.empty((R, n)) for name in options.learners}
    expected, propensity = np.empty((2, R, n)), np.empty((R, n))
    trimmed = np.zeros(n, dtype=np.int64)
    for r in range(R):
        fold = _folds(a, options, r)
        for k in range(options.folds):
            train, out = fold != k, fold == k
            found, raw = _fold(y, a, predictors, confounders, options, labels, train, out, r * options.folds + k)
            propensity[r, out] = np.clip(raw, options.trim, 1 - options.trim)
            trimmed[out] += propensity[r, out] != raw
            expected[:, r, out] = found.pop("mu")
            for name, value in found.items():
                benefit[name][r, out] = value
    whole = propensity * expected[1] + (1 - propensity) * expected[0]
    control, given = doubly_robust_scores(y, a, (expected[0], expected[1]), propensity)
    return CrossFit(benefit, control, given, whole, propensity, trimmed)


def _folds(a: BoolArray, options: EffectOptions, repeat: int) -> npt.NDArray[np.int64]:
    """Folds alike in treatment.

    Never in the outcome: then the part held out would repeat the average effect of the training part, and a rule that
    treats all or nobody by its sign would seem to gain from what is chance alone.
    """
    generator = np.random.default_rng(np.random.SeedSequence(options.seed, spawn_key=(repeat,)))
    order = generator.permutation(a.size)
    order = order[np.argsort(a[order], kind="stable")]
    fold = np.empty(a.size, dtype=np.int64)
    fold[order] = np.arange(a.size) % options.folds
    return fold


def _fold(
    y: Array,
    a: BoolArray,
    predictors: Predictors,
    confounders: Predictors,
    options: EffectOptions,
    strata: npt.NDArray[np.intp] | None,
    train: BoolArray,
    out: BoolArray,
    place: int,
) -> tuple[dict[str, Array], Array]:
    """Everything that one training part says of those held out: effects by learner, expected outcomes ``mu``."""
    X, Z = _columns(predictors, train, out)
    C, D = _columns(confounders, train, out)
    t, seed = a[train].astype(np.float64), options.seed + 1000 * place
    base = options.base
    if strata is not None:
        e_in, e_out = _shares(strata, a, train, train), _shares(strata, a, train, out)
        both_in, both_out = X, Z
    else:
        chance = fit_regression(base, C, t, seed=seed)
        e_in, e_out = _inner(base, C, t, seed), chance(D)
        both_in, both_out = np.hstack([X, C]), np.hstack([Z, D])
    yt = y[train]
    low, high = float(yt.min()), float(yt.max())
    fits = [fit_regression(base, both_in[t == arm], yt[t == arm], seed=seed + 1 + arm) for arm in (0, 1)]
    mu = tuple(np.clip(_inner_of(base, both_in, yt, t == arm, seed + 1 + arm), low, high) for arm in (0, 1))
    e_in = np.clip(e_in, options.trim, 1 - options.trim)
    part = _Part(X, Z, yt, t, e_in, (mu[0], mu[1]), base, seed + 3)
    found = {name: _effect(name, part, np.clip(e_out, options.trim, 1 - options.trim)) for name in options.learners}
    bound = high - low
    effects = {name: np.clip(value, -bound, bound) for name, value in found.items()}
    return effects | {"mu": np.stack([np.clip(fit(both_out), low, high) for fit in fits])}, e_out


def _columns(predictors: Predictors, train: BoolArray, out: BoolArray) -> tuple[Array, Array]:
    """Standardised columns of a training part and of those held out."""
    part = predictors.take(train)
    if not part.candidates:
        return np.empty((int(train.sum()), 0)), np.empty((int(out.sum()), 0))
    told = fit_preprocess(part, ProtocolOptions())
    return told.apply(part), told.apply(predictors.take(out))


def _shares(strata: npt.NDArray[np.intp], a: BoolArray, train: BoolArray, of: BoolArray) -> Array:
    """Share treated in each stratum of the training part; of a stratum without both groups, in all of it."""
    one = np.bincount(strata[train], weights=a[train], minlength=strata.max() + 1)
    n = np.bincount(strata[train], minlength=strata.max() + 1)
    mixed = (one > 0) & (one < n)
    share = np.where(mixed, one / np.maximum(n, 1), a[train].mean())
    return np.asarray(share[strata[of]])


def _halves(n: int, seed: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng(seed).permutation(n) % 5


def _inner(base: Base, X: Array, y: Array, seed: int) -> Array:
    """Out-of-fold predictions within a training part, by five folds: residuals of a model's own data are too small."""
    return _inner_of(base, X, y, np.ones(y.size, dtype=bool), seed)


def _inner_of(base: Base, X: Array, y: Array, used: BoolArray, seed: int) -> Array:
    """Predictions for everybody in a training part from those `used`, never from the subject itself."""
    fold, out = _halves(y.size, seed), np.empty(y.size)
    for k in range(5):
        rows = used & (fold != k)
        out[fold == k] = fit_regression(base, X[rows], y[rows], seed=seed)(X[fold == k])
    return out


def _effect(name: str, p: _Part, e_out: Array) -> Array:
    return {"t": _t, "s": _s, "x": _x, "r": _r, "dr": _dr, "causal_forest": _forest}[name](p, e_out)


def _t(p: _Part, e_out: Array) -> Array:
    one = fit_regression(p.base, p.X[p.a == 1], p.y[p.a == 1], seed=p.seed)
    none = fit_regression(p.base, p.X[p.a == 0], p.y[p.a == 0], seed=p.seed + 1)
    return one(p.Z) - none(p.Z)


def _s(p: _Part, e_out: Array) -> Array:
    """One model of outcome; its columns hold treatment × predictor, without which a linear one has one effect."""

    def design(X: Array, a: Array) -> Array:
        return np.column_stack([X, a - 0.5, X * (a - 0.5)[:, None]])

    model = fit_regression(p.base, design(p.X, p.a), p.y, seed=p.seed)
    return model(design(p.Z, np.ones(len(p.Z)))) - model(design(p.Z, np.zeros(len(p.Z))))


def _x(p: _Part, e_out: Array) -> Array:
    one, none = p.a == 1, p.a == 0
    from_treated = fit_regression(p.base, p.X[one], (p.y - p.mu[0])[one], seed=p.seed)
    from_control = fit_regression(p.base, p.X[none], (p.mu[1] - p.y)[none], seed=p.seed + 1)
    return e_out * from_control(p.Z) + (1 - e_out) * from_treated(p.Z)


def _residuals(p: _Part) -> tuple[Array, Array]:
    return p.y - (p.e * p.mu[1] + (1 - p.e) * p.mu[0]), p.a - p.e


def _r(p: _Part, e_out: Array) -> Array:
    y, a = _residuals(p)
    safe = np.where(np.abs(a) < 1e-6, 1e-6, a)
    return fit_regression(p.base, p.X, y / safe, safe**2, seed=p.seed)(p.Z)


def _dr(p: _Part, e_out: Array) -> Array:
    none, one = doubly_robust_scores(p.y, p.a, p.mu, p.e)
    return fit_regression(p.base, p.X, one - none, seed=p.seed)(p.Z)


def _forest(p: _Part, e_out: Array) -> Array:
    if p.X.shape[1] == 0:
        return _dr(p, e_out)
    from econml.grf import CausalForest  # loads in seconds, which only its users wait for

    y, a = _residuals(p)
    model = CausalForest(n_estimators=200, min_samples_leaf=5, honest=True, random_state=p.seed, n_jobs=1)
    model.fit(p.X, a, y)
    return np.asarray(model.predict(p.Z)).ravel()
