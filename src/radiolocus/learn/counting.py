"""Cox models of subjects who enter late, fall into strata or weigh differently, with a ridge penalty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import UndefinedError
from radiolocus.learn.interface import Fitted, Learner, Setting, prior_ridges, row_space
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.target import Target
from radiolocus.model import Array
from radiolocus.stats.counting import CountingFit, fit_counting_cox

__all__ = ["CoxRidge", "held_out_loss", "of_columns"]


def of_columns(X: Array) -> tuple[Array, Array]:
    """Columns to fit and the way back to those of `X`; without any, one that is zero and stays unused."""
    if X.shape[1] == 0:
        return np.zeros((len(X), 1)), np.zeros((0, 1))
    return row_space(X)


def held_out_loss(
    linear: Array,
    time: Array,
    event: Array,
    *,
    entry: Array | None = None,
    strata: npt.NDArray[np.generic] | None = None,
    weights: Array | None = None,
) -> float:
    """Negative log partial likelihood of held-out subjects at their linear predictors; 0 without an event."""
    if not np.any(event == 1):
        return 0.0
    return -_loglik(linear, time, event, entry, strata, weights)


def _loglik(
    linear: Array,
    time: Array,
    event: Array,
    entry: Array | None,
    strata: npt.NDArray[np.generic] | None,
    weights: Array | None,
) -> float:
    """Log partial likelihood (Breslow) of intervals at risk."""
    begin = np.full(time.size, -np.inf) if entry is None else entry
    weight = np.ones(time.size) if weights is None else weights
    label = np.zeros(time.size, np.intp) if strata is None else np.unique(strata, return_inverse=True)[1]
    total = 0.0
    for stratum in np.unique(label):
        here = label == stratum
        t, e, u, eta, w = time[here], event[here] == 1, begin[here], linear[here], weight[here]
        shift = float(eta.max())
        hazard = w * np.exp(eta - shift)
        moments = np.unique(t[e])
        out, into = np.argsort(t, kind="stable"), np.argsort(u, kind="stable")
        # At risk at t: who has entered before it, less those who have left before it.
        left = np.r_[0.0, np.cumsum(hazard[out])][np.searchsorted(t[out], moments, side="left")]
        come = np.r_[0.0, np.cumsum(hazard[into])][np.searchsorted(u[into], moments, side="left")]
        place = np.searchsorted(moments, t[e])
        total += float(np.sum(w[e] * (eta[e] - shift - np.log(np.maximum((come - left)[place], 1e-300)))))
    return total


@dataclass(frozen=True, eq=False)
class _Cox:
    fit: CountingFit
    columns: Array

    @property
    def coefficient(self) -> Array:
        return np.asarray(self.columns @ self.fit.coefficient)

    def predict(self, X: Array) -> Array:
        return np.asarray(X @ self.coefficient)

    def survival(self, X: Array, times: npt.ArrayLike) -> Array:
        if len(self.fit.baseline) > 1:
            raise UndefinedError(
                "survival from a model with a baseline hazard for each stratum", allowed="risk within a stratum"
            )
        only = next(iter(self.fit.baseline))
        return np.asarray(
            1.0 - self.fit.risk_at(X @ self.columns if X.shape[1] else np.zeros((len(X), 1)), times, only)
        )

    def baseline_hazard(self) -> tuple[Array, Array]:
        if len(self.fit.baseline) > 1:
            raise UndefinedError(
                "one baseline of a model with a baseline for each stratum", allowed="an endpoint without strata"
            )
        only = next(iter(self.fit.baseline.values()))
        return only.time, only.cumulative

    def probability(self, X: Array) -> Array:
        raise UndefinedError("the probability of a class from a survival model", allowed="survival at a time")


class CoxRidge(Learner):
    """Cox's model with a ridge penalty; knows delayed entry, strata and weights. Risk is the log relative hazard."""

    key, name = "cox", "ridge Cox"
    kinds = frozenset({"survival"})
    knows = frozenset({"entry", "strata", "weights"})
    shrinks = True

    def settings(self, X: Array, target: Target, options: ProtocolOptions) -> tuple[Setting, ...]:
        """Ridge penalties."""
        efron = float(options.ties == "efron")
        return tuple({**setting, "efron": efron} for setting in prior_ridges(*X.shape))

    def fit(self, X: Array, target: Target, setting: Setting, seed: int) -> Fitted:
        """Fit."""
        Z, columns = of_columns(X)
        time = np.zeros(target.n) if target.time is None else target.time
        fit = fit_counting_cox(
            time,
            target.event,
            Z,
            entry=target.entry,
            strata=target.stratum,
            weights=target.weight,
            ties="efron" if setting.get("efron", 1.0) else "breslow",
            penalty=max(target.n * setting["ridge"], 1e-8),
        )
        return _Cox(fit, columns)

    def loss(self, fit: Fitted, X: Array, target: Target) -> float:
        """Negative log partial likelihood of the held-out subjects, who are at risk when they are."""
        time = np.zeros(target.n) if target.time is None else target.time
        return held_out_loss(
            fit.predict(X), time, target.event, entry=target.entry, strata=target.stratum, weights=target.weight
        )
