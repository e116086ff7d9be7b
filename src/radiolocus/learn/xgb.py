"""Gradient boosting of survival by XGBoost, an optional package."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from radiolocus.errors import ConfigError, UndefinedError
from radiolocus.learn.interface import Fitted, Learner, Setting
from radiolocus.learn.linear import Baseline
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.target import Target
from radiolocus.model import Array
from radiolocus.stats.aft import fit_aft, log_survival

__all__ = ["XgboostAft", "XgboostCox"]


def _xgboost() -> ModuleType:
    try:
        return import_module("xgboost")
    except ImportError:
        raise ConfigError(
            "the package xgboost is not installed",
            where="models",
            todo='pip install "radiolocus[boost]", or choose other models',
        ) from None


def _train(objective: dict[str, object], X: Array, label: dict[str, Array], setting: Setting, seed: int) -> Any:
    xgboost = _xgboost()
    settings = {
        "max_depth": int(setting["depth"]),
        "eta": 0.05,
        "min_child_weight": 1.0,
        "lambda": 1.0,
        "subsample": 0.8,
        "tree_method": "hist",
        "nthread": 1,
        "seed": seed % 2**31,
        "verbosity": 0,
    }
    return xgboost.train(settings | objective, xgboost.DMatrix(X, **label), num_boost_round=int(setting["rounds"]))


@dataclass(frozen=True, eq=False)
class _Boosted:
    booster: Any
    columns: int
    bare: float

    @property
    def coefficient(self) -> Array:
        used = np.zeros(self.columns)
        for name in self.booster.get_score(importance_type="weight") if self.booster is not None else ():
            used[int(name.removeprefix("f"))] = np.nan
        return used

    def margin(self, X: Array) -> Array:
        """Where the boosting starts and the sum of the trees."""
        if self.booster is None:
            return np.full(len(X), self.bare)
        return np.asarray(self.booster.predict(_xgboost().DMatrix(X), output_margin=True), dtype=np.float64)

    def contributed(self, X: Array) -> Array:
        """Shapley values of the margin, single precision, shape (n, p + 1): one a column; last, the base."""
        return np.asarray(self.booster.predict(_xgboost().DMatrix(X), pred_contribs=True), dtype=np.float64)

    def probability(self, X: Array) -> Array:
        raise UndefinedError("the probability of a class from a survival model", allowed="survival at a time")


@dataclass(frozen=True, eq=False)
class _Cox(_Boosted):
    baseline: Baseline

    def predict(self, X: Array) -> Array:
        return self.margin(X)

    def survival(self, X: Array, times: npt.ArrayLike) -> Array:
        return self.baseline.survival(self.margin(X), times)


@dataclass(frozen=True, eq=False)
class _Aft(_Boosted):
    scale: float

    def predict(self, X: Array) -> Array:
        return -self.margin(X)

    def contributed(self, X: Array) -> Array:
        return -super().contributed(X)

    def survival(self, X: Array, times: npt.ArrayLike) -> Array:
        wanted = np.atleast_1d(np.asarray(times, dtype=np.float64))
        with np.errstate(divide="ignore"):
            z = (np.log(wanted)[None, :] - self.margin(X)[:, None]) / self.scale
        return np.exp(log_survival(z, "lognormal"))


class _Xgboost(Learner):
    kinds = frozenset({"survival"})
    needs = "xgboost"

    def settings(self, X: Array, target: Target, options: ProtocolOptions) -> tuple[Setting, ...]:
        """Stumps or small trees, few rounds or many."""
        return tuple({"rounds": r, "depth": d} for r in (30, 100) for d in (1, 2))


class XgboostCox(_Xgboost):
    """Boosted Cox model (Breslow ties); its baseline hazard is that of the training part, hence optimistic there."""

    key, name = "xgboost_cox", "XGBoost Cox"

    def fit(self, X: Array, target: Target, setting: Setting, seed: int) -> Fitted:
        """Fit; times of censored patients go in with a minus, zero times as the smallest that there is."""
        time = target.time if target.time is not None else np.zeros(0)
        booster = None
        if X.shape[1]:
            shown = np.maximum(time, np.finfo(np.float32).tiny)
            label = {"label": np.where(target.event == 1, shown, -shown)}
            booster = _train({"objective": "survival:cox"}, X, label, setting, seed)
        fitted = _Boosted(booster, X.shape[1], 0.0).margin(X)
        return _Cox(booster, X.shape[1], 0.0, Baseline(time, target.event, fitted, "breslow"))


class XgboostAft(_Xgboost):
    """Boosted accelerated failure time model with normal errors; the scale is that of the log-normal model."""

    key, name = "xgboost_aft", "XGBoost AFT"
    logarithm = True

    def fit(self, X: Array, target: Target, setting: Setting, seed: int) -> Fitted:
        """Fit."""
        time = target.time if target.time is not None else np.zeros(0)
        bare = fit_aft(time, target.event, None, distribution="lognormal")
        booster = None
        if X.shape[1]:
            label = {
                "label_lower_bound": time,
                "label_upper_bound": np.where(target.event == 1, time, np.inf),
            }
            objective: dict[str, object] = {
                "objective": "survival:aft",
                "aft_loss_distribution": "normal",
                "aft_loss_distribution_scale": bare.scale,
                "base_score": float(np.exp(bare.intercept)),
            }
            booster = _train(objective, X, label, setting, seed)
        return _Aft(booster, X.shape[1], bare.intercept, bare.scale)
