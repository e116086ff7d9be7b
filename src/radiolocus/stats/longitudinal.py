"""A marker over time: linear mixed model with random intercept and slope by restricted maximum likelihood.

Marker y of subject i at time t: y = β₀ + β₁ t + b₀ᵢ + b₁ᵢ t + e, with (b₀ᵢ, b₁ᵢ) ~ N(0, D) and e ~ N(0, σ²). A subject
enters through the sums of 1, t, t², y, t y and y² over its visits alone, so that a fit costs one pass over subjects a
step whatever the number of visits. What is expected of a subject given the visits up to a time is its best linear
unbiased prediction (BLUP): the fewer visits and the noisier the marker, the closer to everybody's line.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from radiolocus.errors import FitError, InputError
from radiolocus.model import Array

__all__ = ["Course", "RandomSlope", "Sums", "fit_random_slope", "sums_until", "visits_until"]

# Where the search starts: standard deviations of intercept and slope over that of the residual, in units of the data.
_STARTS = ((1.0, 0.5), (3.0, 2.0), (0.3, 0.05))
# Below it, relative to the residual, a random effect does not vary.
_NOTHING = 1e-5


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over some visits of each subject: all that the model needs.

    Parameters
    ----------
    n, t, tt, y, ty, yy : ndarray, shape (m,)
        Number of visits, and sums of time, its square, marker, their product and the marker's square.
    """

    n: Array
    t: Array
    tt: Array
    y: Array
    ty: Array
    yy: Array

    @cached_property
    def gram(self) -> Array:
        """Inner products of the columns 1 and t, shape (m, 2, 2)."""
        return np.stack([np.stack([self.n, self.t], -1), np.stack([self.t, self.tt], -1)], -2)

    @cached_property
    def moment(self) -> Array:
        """Inner products of the columns 1 and t with the marker, shape (m, 2)."""
        return np.stack([self.y, self.ty], -1)


@dataclass(frozen=True, eq=False)
class Course:
    """Where subjects stand and where they go, from some of their visits.

    Parameters
    ----------
    level, slope : ndarray, shape (m,)
        Of the marker at the time asked for, and a unit of time.
    covariance : ndarray, shape (m, 2, 2)
        Of the subject's own intercept and slope given the visits, with the parameters of the model taken as known.
    effects : ndarray, shape (m, 2)
        Intercept and slope of the subject beyond everybody's.
    """

    level: Array
    slope: Array
    covariance: Array
    effects: Array

    def level_error(self, at: npt.ArrayLike) -> Array:
        """Standard error of the level at times `at`, shape (m,)."""
        t = np.broadcast_to(np.asarray(at, dtype=np.float64), self.level.shape)
        c = self.covariance
        return np.sqrt(np.maximum(c[:, 0, 0] + 2 * t * c[:, 0, 1] + t**2 * c[:, 1, 1], 0.0))

    @property
    def slope_error(self) -> Array:
        """Standard error of the slope, shape (m,)."""
        return np.sqrt(np.maximum(self.covariance[:, 1, 1], 0.0))

    def draw(self, generator: np.random.Generator) -> Array:
        """Draw what the subjects' intercepts and slopes may differ by from those predicted, shape (m, 2)."""
        values, vectors = np.linalg.eigh(0.5 * (self.covariance + np.swapaxes(self.covariance, 1, 2)))
        root = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
        return np.asarray(np.einsum("mij,mj->mi", root, generator.normal(size=values.shape)))


@dataclass(frozen=True, eq=False)
class RandomSlope:
    """A fitted model of a marker over time.

    Parameters
    ----------
    fixed : ndarray, shape (2,)
        Everybody's intercept and slope.
    fixed_covariance : ndarray, shape (2, 2)
    random : ndarray, shape (2, 2)
        Covariance D of the subjects' intercepts and slopes; zeros where slopes do not vary.
    residual : float
        Variance σ² of a measurement about its subject's line.
    criterion : float
        Restricted deviance: −2 × the restricted log-likelihood, as ``REMLcrit`` of R's lme4.
    visits, subjects : int
    slopes : bool
        Whether slopes may vary between subjects.
    boundary : bool
        A variance is zero, or intercepts and slopes correlate perfectly.
    """

    fixed: Array
    fixed_covariance: Array
    random: Array
    residual: float
    criterion: float
    visits: int
    subjects: int
    slopes: bool
    boundary: bool

    def course(self, sums: Sums, at: npt.ArrayLike) -> Course:
        """Predict subjects at times `at` from the visits in `sums`; without a visit, everybody's line.

        References
        ----------
        Robinson, Stat Sci 1991;6:15.
        """
        t = np.broadcast_to(np.asarray(at, dtype=np.float64), sums.n.shape)
        gram = sums.gram
        # D (σ² + Z'Z D)⁻¹ holds for a D without inverse too.
        weight = self.random @ np.linalg.inv(self.residual * np.eye(2) + gram @ self.random)
        effects = np.einsum("mij,mj->mi", weight, sums.moment - gram @ self.fixed)
        own = self.fixed + effects
        return Course(own[:, 0] + own[:, 1] * t, own[:, 1], self.residual * weight, effects)


def visits_until(
    person: npt.NDArray[np.int64], time: Array, who: npt.ArrayLike, until: npt.ArrayLike
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First visit of each subject, and the place behind its last up to and including a time.

    Parameters
    ----------
    person : ndarray of int64, shape (v,)
    time : ndarray, shape (v,)
        Visits in order of subject and time.
    who : array_like of int, shape (m,)
    until : array_like, shape (m,) or a number

    Returns
    -------
    begin, end : ndarray of int64, shape (m,)
        Equal where there is no visit.
    """
    subjects = np.asarray(who, dtype=np.int64)
    limit = np.broadcast_to(np.asarray(until, dtype=np.float64), subjects.shape)
    # Visits rank by subject, then by time: whole numbers hold both.
    clock = np.unique(np.r_[time, limit])
    key = person * (clock.size + 1) + np.searchsorted(clock, time)
    end = np.searchsorted(key, subjects * (clock.size + 1) + np.searchsorted(clock, limit), side="right")
    begin = np.searchsorted(person, subjects, side="left")
    return begin.astype(np.int64), np.maximum(end, begin).astype(np.int64)


def sums_until(
    person: npt.NDArray[np.int64], time: Array, value: Array, who: npt.ArrayLike, until: npt.ArrayLike
) -> Sums:
    """Sums over the visits of subjects `who` up to and including times `until`.

    Parameters
    ----------
    person : ndarray of int64, shape (v,)
        Subject of each visit, from 0; in any order.
    time, value : ndarray, shape (v,)
        Visits without a value (NaN) do not count.
    who : array_like of int, shape (m,)
    until : array_like, shape (m,) or a number

    Returns
    -------
    Sums
        Zeros where a subject has no visit by then.
    """
    there = np.isfinite(value)
    order = np.lexsort((time[there], person[there]))
    p, t, y = person[there][order], time[there][order], value[there][order]
    begin, end = visits_until(p, t, who, until)
    running = np.column_stack([np.ones(t.size), t, t * t, y, t * y, y * y])
    # Summed from the first visit of each subject on, and not from the first of all: no digit depends on others.
    place = np.arange(p.size) - np.searchsorted(p, p)
    for k in range(1, int(place.max(initial=0)) + 1):
        rows = np.flatnonzero(place == k)
        running[rows] += running[rows - 1]
    found = np.zeros((begin.size, 6))
    some = end > begin
    found[some] = running[end[some] - 1]
    return Sums(*found.T)


def fit_random_slope(
    subject: npt.ArrayLike, time: npt.ArrayLike, value: npt.ArrayLike, *, slopes: bool = True
) -> RandomSlope:
    """Fit a linear mixed model with random intercept and slope by restricted maximum likelihood.

    Parameters
    ----------
    subject : array_like, shape (v,)
        Label of the subject of each visit.
    time, value : array_like, shape (v,)
        Finite times; visits whose value is NaN do not count.
    slopes : bool
        Let slopes vary between subjects; otherwise intercepts alone do.

    Returns
    -------
    RandomSlope

    Raises
    ------
    InputError
        Lengths disagree, or a time is not finite.
    FitError
        Too few subjects with several visits to tell subjects from noise, no spread in time or of the marker, or no
        residual: every subject lies on its own line.

    References
    ----------
    Laird & Ware, Biometrics 1982;38:963. Profiled deviance: Bates et al., J Stat Softw 2015;67(1).
    """
    labels, t, y = np.asarray(subject), np.asarray(time, dtype=np.float64), np.asarray(value, dtype=np.float64)
    if not labels.shape == t.shape == y.shape or t.ndim != 1:
        raise InputError(f"{labels.size} subjects, {t.size} times and {y.size} values", allowed="one of each a visit")
    there = np.isfinite(y)
    if not np.isfinite(t[there]).all():
        raise InputError("a visit without a finite time", allowed="a time for every value")
    names, person = np.unique(labels[there], return_inverse=True)
    t, y = t[there], y[there]
    middle, spread = _scales(t, y, person.astype(np.int64), slopes)
    u, z = (t - middle[0]) / spread[0], (y - middle[1]) / spread[1]
    sums = sums_until(person.astype(np.int64), u, z, np.arange(names.size), np.inf)
    _check_noise(sums, slopes)
    found = _search(_Deviance(sums, slopes))
    return _unscaled(found, middle, spread, t.size, names.size, slopes)


def _scales(
    t: Array, y: Array, person: npt.NDArray[np.int64], slopes: bool
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Means and spreads of time and marker; FitError where the data cannot tell the variances."""
    visits = np.bincount(person) if person.size else np.zeros(0, dtype=np.int64)
    # Visits beyond those that an own line (or level) of each subject takes: only they tell noise from subjects.
    spare = int(np.maximum(visits - (2 if slopes else 1), 0).sum())
    if (visits >= 2).sum() < 2 or spare < 2:
        needed = "three" if slopes else "two"
        raise FitError(
            f"{int((visits >= (3 if slopes else 2)).sum())} of {visits.size} subjects with {needed} visits or more",
            where="mixed model of a marker over time",
            allowed=f"at least two subjects with {needed} visits",
            todo="add visits, or use the last value",
        )
    if np.ptp(t) == 0 or np.ptp(y) == 0:
        what = "time" if np.ptp(t) == 0 else "value"
        raise FitError(f"one {what} at all {t.size} visits", where="mixed model of a marker over time")
    return (float(t.mean()), float(y.mean())), (float(t.std()), float(y.std()))


def _check_noise(sums: Sums, slopes: bool) -> None:
    """Refuse measurements without error: subjects that all lie on lines (or levels) of their own."""
    n = np.maximum(sums.n, 1.0)
    across, along, up = sums.tt - sums.t**2 / n, sums.ty - sums.t * sums.y / n, sums.yy - sums.y**2 / n
    bent = np.divide(along**2, across, out=np.zeros_like(across), where=across > 1e-12) if slopes else 0.0
    if float((up - bent).sum()) <= 1e-10 * float(sums.n.sum()):
        raise FitError(
            "no residual: every subject lies on its own line",
            where="mixed model of a marker over time",
            allowed="measurements with error",
            todo="use the last value",
        )


@dataclass(frozen=True, eq=False)
class _State:
    """The deviance at one factor, and what its derivative and the estimates are made of."""

    deviance: float
    gradient: Array
    fixed: Array
    information: Array
    rest: float


@dataclass(frozen=True, eq=False)
class _Deviance:
    """Restricted deviance, with σ² and fixed effects profiled out, of the Cholesky factor L of D/σ²."""

    sums: Sums
    slopes: bool

    @property
    def size(self) -> int:
        return 3 if self.slopes else 1

    def factor(self, theta: Array) -> Array:
        if self.slopes:
            return np.array([[theta[0], 0.0], [theta[1], theta[2]]])
        return np.array([[theta[0], 0.0], [0.0, 0.0]])

    def at_boundary(self, theta: Array) -> bool:
        """Whether a random effect does not vary, or follows from the other."""
        return bool(np.any(np.diag(self.factor(theta))[: 2 if self.slopes else 1] < _NOTHING))

    def at(self, theta: Array) -> _State:
        """Evaluate: with V = I + Z L L'Z', each subject adds log |V|, P = Z'V⁻¹Z and Z'V⁻¹y, all 2 × 2 sums.

        The derivative of V is Z E Z' with E = dL L' + L dL'; those of log |V|, log |ΣP| and the sum of squares are
        traces of E with P, −P (ΣP)⁻¹ P and −u u', u = Z'V⁻¹ of the residual, so that one matrix K holds all of them.
        """
        factor, gram, moment = self.factor(theta), self.sums.gram, self.sums.moment
        inner = np.eye(2) + factor.T @ gram @ factor
        a, b, d = inner[:, 0, 0], inner[:, 0, 1], inner[:, 1, 1]
        determinant = a * d - b * b
        inverse = np.stack([d, -b, -b, a], -1).reshape(-1, 2, 2) / determinant[:, None, None]
        drawn = factor @ inverse @ factor.T  # L (I + L'SL)⁻¹ L'
        own = gram - gram @ drawn @ gram
        score = moment - np.einsum("mij,mj->mi", gram @ drawn, moment)
        square = self.sums.yy.sum() - np.einsum("mi,mij,mj->", moment, drawn, moment)
        information = own.sum(axis=0)
        fixed = np.linalg.solve(information, score.sum(axis=0))
        free = float(self.sums.n.sum()) - 2
        rest = float(square - score.sum(axis=0) @ fixed)
        whole = float(np.linalg.det(information))
        if not (rest > 0 and whole > 0):  # rounding, far from any maximum
            return _State(np.inf, np.zeros(self.size), fixed, information, rest)
        deviance = np.log(determinant).sum() + np.log(whole) + free * (1 + np.log(2 * np.pi * rest / free))
        residual = score - own @ fixed
        between = np.einsum("mij,jk,mkl->il", own, np.linalg.inv(information), own)
        K = information - between - free / rest * residual.T @ residual
        slope = 2.0 * K @ factor
        entries = [slope[0, 0], slope[1, 0], slope[1, 1]] if self.slopes else [slope[0, 0]]
        return _State(float(deviance), np.array(entries), fixed, information, rest)

    def both(self, theta: Array) -> tuple[float, Array]:
        """Deviance and its derivative."""
        state = self.at(theta)
        return state.deviance, state.gradient


@dataclass(frozen=True, eq=False)
class _Found:
    theta: Array
    deviance: float
    model: _Deviance


def _search(model: _Deviance) -> _Found:
    floor: tuple[float | None, None] = (0.0, None)
    bounds = [floor, (None, None), floor] if model.slopes else [floor]
    best: _Found | None = None
    for intercept, slope in _STARTS:
        start = np.array([intercept, 0.0, slope] if model.slopes else [intercept])
        found = minimize(
            model.both, start, jac=True, method="L-BFGS-B", bounds=bounds,
            options={"maxiter": 500, "maxls": 50, "ftol": 1e-13, "gtol": 1e-5},
        )  # fmt: skip
        if np.isfinite(found.fun) and (best is None or found.fun < best.deviance - 1e-9):
            best = _Found(_polished(model, found.x, bounds), float(found.fun), model)
            if not model.at_boundary(best.theta):  # elsewhere one start leads to the maximum; a boundary may be local
                break
    if best is None:
        raise FitError("no maximum of the restricted likelihood", where="mixed model of a marker over time")
    return _Found(best.theta, model.at(best.theta).deviance, model)


def _polished(model: _Deviance, theta: Array, bounds: list[tuple[float | None, None]]) -> Array:
    """Newton steps among the entries that are not at their bounds; the last digits that a line search leaves."""
    free = np.array([low is None or x > 1e-8 for x, (low, _) in zip(theta, bounds, strict=True)])
    if not free.any():
        return theta
    for _ in range(5):
        gradient = model.at(theta).gradient
        step = 1e-5 * np.maximum(np.abs(theta), 1e-2)
        hessian = np.empty((model.size, model.size))
        for j in range(model.size):
            aside = np.zeros(model.size)
            aside[j] = step[j]
            hessian[j] = (model.at(theta + aside).gradient - model.at(theta - aside).gradient) / (2 * step[j])
        own = (0.5 * (hessian + hessian.T))[np.ix_(free, free)]
        try:
            np.linalg.cholesky(own)
        except np.linalg.LinAlgError:
            return theta
        change = np.linalg.solve(own, gradient[free])
        moved = theta.copy()
        moved[free] -= change
        inside = all(low is None or x >= low for x, (low, _) in zip(moved, bounds, strict=True))
        if not inside or not model.at(moved).deviance <= model.at(theta).deviance + 1e-9:
            return theta
        theta = moved
        if float(change @ gradient[free]) < 1e-12:  # squared from step to step: nothing is left of it after this one
            return theta
    return theta


def _unscaled(
    found: _Found, middle: tuple[float, float], spread: tuple[float, float], visits: int, subjects: int, slopes: bool
) -> RandomSlope:
    state = found.model.at(found.theta)
    fixed, free = state.fixed, visits - 2
    residual = state.rest / free
    factor = found.model.factor(found.theta)
    # From standardised time and marker to those measured: intercepts move to time zero.
    back = spread[1] * np.array([[1.0, -middle[0] / spread[0]], [0.0, 1.0 / spread[0]]])
    whole = back @ fixed + np.array([middle[1], 0.0])
    # The restricted likelihood of the measured scale: visits − 2 times its logarithm, and X'X in other units.
    shift = 2.0 * free * np.log(spread[1]) + 2.0 * np.log(spread[0])
    return RandomSlope(
        whole,
        back @ np.linalg.inv(state.information) @ back.T * residual,
        back @ (factor @ factor.T) @ back.T * residual,
        residual * spread[1] ** 2,
        float(found.deviance) + shift,
        visits,
        subjects,
        slopes,
        found.model.at_boundary(found.theta),
    )
