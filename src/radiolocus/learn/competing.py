"""Models of the first of several kinds of event: cause-specific Cox models, and Fine and Gray's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import UndefinedError
from radiolocus.learn.counting import held_out_loss, of_columns
from radiolocus.learn.interface import Fitted, Learner, Setting, prior_ridges
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.target import Target
from radiolocus.model import Array
from radiolocus.stats.competing import cause_specific_incidence
from radiolocus.stats.counting import CountingFit, fit_counting_cox, fit_fine_gray, subdistribution_rows
from radiolocus.stats.cox import Ties

__all__ = ["CauseSpecificCox", "FineGray"]


def _cloglog(incidence: Array) -> Array:
    """log(−log(1 − incidence)), finite."""
    return np.asarray(np.log(-np.log1p(-np.clip(incidence, 1e-12, 1.0 - 1e-12))))


@dataclass(frozen=True, eq=False)
class _CauseSpecific:
    """One Cox model a kind of event, the first of them of the event of interest."""

    fits: tuple[CountingFit, ...]
    kinds: tuple[int, ...]
    columns: Array
    horizon: float

    @property
    def coefficient(self) -> Array:
        """Of the event of interest: log cause-specific hazard ratios."""
        return np.asarray(self.columns @ self.fits[0].coefficient)

    def linear(self, X: Array) -> Array:
        """Log relative hazards of every kind of event, shape (n, c)."""
        return np.column_stack([X @ (self.columns @ fit.coefficient) for fit in self.fits])

    def _incidence(self, X: Array, times: Array) -> Array:
        baselines = [(fit.baseline[0].time, fit.baseline[0].cumulative) for fit in self.fits]
        return cause_specific_incidence(baselines, self.linear(X), times)

    def predict(self, X: Array) -> Array:
        return _cloglog(self._incidence(X, np.array([self.horizon]))[:, 0])

    def survival(self, X: Array, times: npt.ArrayLike) -> Array:
        return 1.0 - self._incidence(X, np.atleast_1d(np.asarray(times, dtype=np.float64)))

    def probability(self, X: Array) -> Array:
        raise UndefinedError("the probability of a class from a survival model", allowed="incidence at a time")


class _Competing(Learner):
    """What both models share: their endpoints, penalties and the horizon of their risk."""

    kinds = frozenset({"competing"})
    shrinks = True

    def settings(self, X: Array, target: Target, options: ProtocolOptions) -> tuple[Setting, ...]:
        """Ridge penalties."""
        efron = float(options.ties == "efron")
        return tuple({**setting, "efron": efron} for setting in prior_ridges(*X.shape))


def _parts(target: Target) -> tuple[Array, Array]:
    """Times and states; a target that is not competing has the states 0 and 1."""
    time = np.zeros(target.n) if target.time is None else target.time
    return time, target.event if target.state is None else target.state


class CauseSpecificCox(_Competing):
    """A ridge Cox model for each kind of event, the others censored; together they give the cumulative incidence.

    Risk is the complementary log-log of the incidence by the last time at which the event of interest happened in
    training. A kind of event that training does not hold is taken not to happen.
    """

    key, name = "cause_specific_cox", "cause-specific Cox"
    knows = frozenset({"entry", "weights"})

    def fit(self, X: Array, target: Target, setting: Setting, seed: int) -> Fitted:
        """Fit."""
        Z, columns = of_columns(X)
        time, state = _parts(target)
        ties: Ties = "efron" if setting.get("efron", 1.0) else "breslow"
        penalty = max(target.n * setting["ridge"], 1e-8)
        kinds = tuple(int(k) for k in np.unique(state[state > 0]))
        fits = tuple(
            fit_counting_cox(time, state == k, Z, entry=target.entry, weights=target.weight, ties=ties, penalty=penalty)
            for k in kinds
        )
        return _CauseSpecific(fits, kinds, columns, float(time[state == 1].max()))

    def loss(self, fit: Fitted, X: Array, target: Target) -> float:
        """Negative log partial likelihoods of all kinds of event, summed."""
        if not isinstance(fit, _CauseSpecific):
            return super().loss(fit, X, target)
        time, state = _parts(target)
        linear = fit.linear(X)
        return sum(
            held_out_loss(
                linear[:, j], time, (state == k).astype(np.float64), entry=target.entry, weights=target.weight
            )
            for j, k in enumerate(fit.kinds)
        )


@dataclass(frozen=True, eq=False)
class _Subdistribution:
    fit: CountingFit
    columns: Array

    @property
    def coefficient(self) -> Array:
        return np.asarray(self.columns @ self.fit.coefficient)

    def predict(self, X: Array) -> Array:
        return np.asarray(X @ self.coefficient)

    def survival(self, X: Array, times: npt.ArrayLike) -> Array:
        Z = X @ self.columns if X.shape[1] else np.zeros((len(X), 1))
        return np.asarray(1.0 - self.fit.risk_at(Z, times))

    def baseline_hazard(self) -> tuple[Array, Array]:
        return self.fit.baseline[0].time, self.fit.baseline[0].cumulative

    def probability(self, X: Array) -> Array:
        raise UndefinedError("the probability of a class from a survival model", allowed="incidence at a time")


class FineGray(_Competing):
    """Fine and Gray's model of the subdistribution hazard with a ridge penalty; risk is its log relative hazard."""

    key, name = "fine_gray", "Fine–Gray"

    def fit(self, X: Array, target: Target, setting: Setting, seed: int) -> Fitted:
        """Fit."""
        Z, columns = of_columns(X)
        time, state = _parts(target)
        ties: Ties = "efron" if setting.get("efron", 1.0) else "breslow"
        penalty = max(target.n * setting["ridge"], 1e-8)
        return _Subdistribution(fit_fine_gray(time, state, Z, ties=ties, penalty=penalty), columns)

    def loss(self, fit: Fitted, X: Array, target: Target) -> float:
        """Negative log partial likelihood of the subdistribution, weighted as for the fit."""
        time, state = _parts(target)
        if not np.any(state == 1):
            return 0.0
        patient, begin, leave, weight = subdistribution_rows(time, state.astype(np.int64), 1)
        last = np.r_[patient[1:] != patient[:-1], True]
        happened = ((state[patient] == 1) & last).astype(np.float64)
        return held_out_loss(fit.predict(X)[patient], leave, happened, entry=begin, weights=weight)
