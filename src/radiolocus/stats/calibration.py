"""Calibration of predicted risks, of a class and at a horizon: in the large, slope, and a smooth curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import FitError, InputError, UndefinedError
from radiolocus.model import Array
from radiolocus.stats.censoring import check_horizons, check_states
from radiolocus.stats.competing import aalen_johansen, pseudo_observations
from radiolocus.stats.concordance import check_classes
from radiolocus.stats.counting import fit_counting_cox
from radiolocus.stats.horizon import check_risks
from radiolocus.stats.loess import loess
from radiolocus.stats.logistic import fit_logistic
from radiolocus.stats.survival import kaplan_meier

__all__ = ["Calibration", "Gaps", "calibration", "calibration_at", "calibration_gaps", "calibration_spline"]

# Quantiles at which a restricted cubic spline has its knots (Harrell, Regression Modeling Strategies).
_KNOTS = {3: (0.1, 0.5, 0.9), 4: (0.05, 0.35, 0.65, 0.95), 5: (0.05, 0.275, 0.5, 0.725, 0.95)}

_MAX_ITERATIONS = 100


@dataclass(frozen=True)
class Gaps:
    """Distance between predicted risk and smoothed observed risk over the patients.

    Parameters
    ----------
    ici : float
        Integrated calibration index: the mean.
    e50, e90, largest : float
        Median, 90th percentile and maximum.
    """

    ici: float
    e50: float
    e90: float
    largest: float


@dataclass(frozen=True, eq=False)
class Calibration:
    """How predicted risks agree with what happened.

    Parameters
    ----------
    observed, expected : float
        Share (incidence by the horizon) and mean predicted risk.
    intercept, intercept_error : float
        Calibration in the large: 0 is ideal; with the slope held at 1.
    slope, slope_error : float
        1 is ideal; below 1 risks are too extreme.
    curve : ndarray, shape (n,)
        Smoothed observed risk at each patient's predicted risk.
    gaps : Gaps
        Between the curve and the predicted risk.
    """

    observed: float
    expected: float
    intercept: float
    intercept_error: float
    slope: float
    slope_error: float
    curve: Array
    gaps: Gaps

    @property
    def observed_expected(self) -> float:
        """Ratio O/E: 1 is ideal; above 1 risks are too low."""
        return self.observed / self.expected


def calibration_gaps(risk: npt.ArrayLike, observed: npt.ArrayLike) -> Gaps:
    """Mean, median, 90th percentile (type 7) and maximum of |observed − predicted|.

    Parameters
    ----------
    risk, observed : array_like, shape (n,)

    References
    ----------
    Austin & Steyerberg, Stat Med 2019;38:4051.
    """
    gap = np.abs(np.asarray(observed, dtype=np.float64) - np.asarray(risk, dtype=np.float64))
    e50, e90 = np.quantile(gap, [0.5, 0.9])
    return Gaps(float(gap.mean()), float(e50), float(e90), float(gap.max()))


def _inside(risk: npt.ArrayLike, n: int) -> Array:
    """Return risks strictly between 0 and 1 that differ: others have no place on the scale of a linear predictor."""
    risks = np.array(check_risks(np.asarray(risk, dtype=np.float64).reshape(-1), n, 1, probability=True)[:, 0])
    bad = np.flatnonzero((risks <= 0) | (risks >= 1))
    if bad.size:
        raise InputError(
            f"risk {risks[bad[0]]:g}",
            where=f"index {bad[0]} ({bad.size} such)",
            allowed="between 0 and 1, both excluded",
            todo="a certain prediction has no finite calibration slope: limit risks before, and say to what",
        )
    if np.ptp(risks) == 0:
        raise UndefinedError(
            f"the same risk ({risks[0]:g}) for all {n} patients", allowed="risks that differ", todo="report O/E alone"
        )
    return risks


def calibration(label: npt.ArrayLike, risk: npt.ArrayLike, *, span: float = 0.75) -> Calibration:
    """Calibration of a predicted probability of the positive class.

    Slope: logistic regression of the label on the logit of the risk; intercept: the same with that logit as an offset;
    curve: loess of degree 2 of the label on the risk.

    Parameters
    ----------
    label : array_like, shape (n,)
        0 or 1.
    risk : array_like, shape (n,)
        Between 0 and 1, both excluded.
    span : float
        Of the loess curve.

    Returns
    -------
    Calibration

    Raises
    ------
    InputError
        Unusable labels or risks.
    UndefinedError
        One class, or one risk for everybody.
    FitError
        Risks that separate the classes.

    References
    ----------
    Cox, Biometrika 1958;45:562. Austin & Steyerberg, Stat Med 2014;33:517 (loess). Van Calster et al., BMC Med
    2019;17:230.
    """
    labels, _ = check_classes(label, risk)
    risks = _inside(risk, labels.size)
    logit = np.log(risks) - np.log1p(-risks)
    slope = fit_logistic(labels, logit, names=["logit of the risk"])
    intercept, information = _logistic_intercept(labels.astype(np.float64), logit)
    curve = loess(risks, labels, span=span, degree=2)
    return Calibration(
        float(labels.mean()),
        float(risks.mean()),
        intercept,
        information**-0.5,
        float(slope.coefficient[-1]),
        float(slope.standard_error[-1]),
        curve,
        calibration_gaps(risks, curve),
    )


def _logistic_intercept(label: Array, offset: Array) -> tuple[float, float]:
    """Intercept at which expected equals observed, and its information; the likelihood is concave with both classes."""
    low, high = -offset.max() - 40.0, -offset.min() + 40.0
    shift = 0.0
    for _ in range(_MAX_ITERATIONS):
        expected = 1.0 / (1.0 + np.exp(-(offset + shift)))
        gap, information = float((label - expected).sum()), float((expected * (1 - expected)).sum())
        low, high = (shift, high) if gap > 0 else (low, shift)
        if abs(gap) <= 1e-12 * label.size:
            break
        newton = shift + gap / information if information > 0 else np.inf
        # Newton's step, or bisection where it leaves the bracket.
        shift = newton if low < newton < high else (low + high) / 2
    return shift, information


def calibration_at(
    time: npt.ArrayLike,
    state: npt.ArrayLike,
    risk: npt.ArrayLike,
    horizon: float,
    *,
    cause: int | None = None,
    span: float = 0.33,
) -> Calibration:
    """Calibration of a predicted risk of the event by a horizon, censored or with competing risks.

    Everything rests on pseudo-observations. Slope and intercept: their regression on log(−log(1 − risk)) with a
    complementary log-log link (least squares, errors by the sandwich); intercept with that term as an offset. Curve:
    loess of degree 1. Observed: 1 − Kaplan–Meier, or Aalen–Johansen, at the horizon.

    Parameters
    ----------
    time, state : array_like, shape (n,)
        State 0 or 1; with `cause`, 0 for censored and 1, 2, ... for the kinds of event.
    risk : array_like, shape (n,)
        Between 0 and 1, both excluded.
    horizon : float
    cause : int, optional
    span : float
        Of the loess curve.

    Returns
    -------
    Calibration

    Raises
    ------
    InputError
        Unusable times, states or risks; a horizon beyond follow-up.
    UndefinedError
        Nobody has the event (by the horizon), or one risk for everybody.
    FitError
        The regression of the pseudo-observations does not converge.

    References
    ----------
    van Geloven et al., BMJ 2022;377:e069249. Royston, Stata J 2015;15:275 (pseudo-observations).
    """
    times, states, wanted = check_states(time, state, cause)
    risks = _inside(risk, times.size)
    pseudo = pseudo_observations(times, states if cause is not None else states > 0, horizon, cause=cause)
    if cause is None:  # the same number, without the variance that Aalen–Johansen works out
        observed = 1.0 - float(kaplan_meier(times, states > 0).survival_at(horizon))
    else:
        observed = float(aalen_johansen(times, states).incidence_at(horizon, wanted))
    if observed == 0.0:
        raise UndefinedError(
            f"no events by time {horizon:g}", allowed="at least one event by the horizon", todo="choose a later horizon"
        )
    scale = np.log(-np.log1p(-risks))
    ones = np.ones((times.size, 1))
    intercept, intercept_error = _cloglog(pseudo, ones, scale, np.zeros(1))
    start = np.array([intercept[0], 0.0])
    both, both_error = _cloglog(pseudo, np.column_stack([ones, scale - scale.mean()]), scale, start)
    curve = loess(risks, pseudo, span=span, degree=1)
    return Calibration(
        observed,
        float(risks.mean()),
        float(intercept[0]),
        float(intercept_error[0]),
        1.0 + float(both[1]),
        float(both_error[1]),
        curve,
        calibration_gaps(risks, curve),
    )


def _cloglog(y: Array, X: Array, offset: Array, beta: Array) -> tuple[Array, Array]:
    """Least squares of y on 1 − exp(−exp(offset + Xβ)) by Gauss–Newton with halving; β and its sandwich errors."""

    def mean(b: Array) -> tuple[Array, Array]:
        hazard = np.exp(np.minimum(offset + X @ b, 700.0))
        return -np.expm1(-hazard), (hazard * np.exp(-hazard))[:, None] * X

    fitted, slope = mean(beta)
    for _ in range(_MAX_ITERATIONS):
        if not np.isfinite(slope).all():  # a walk to infinity
            break
        step = np.linalg.lstsq(slope, y - fitted, rcond=None)[0]
        if np.abs(step).max() <= 1e-11 * max(1.0, np.abs(beta).max()):
            if np.linalg.matrix_rank(slope) < slope.shape[1]:  # every fitted risk is 0 or 1
                break
            inverse = np.linalg.inv(slope.T @ slope)
            score = slope * (y - fitted)[:, None]
            return beta, np.sqrt(np.diag(inverse @ (score.T @ score) @ inverse))
        error = np.sum((y - fitted) ** 2)
        for halving in range(30):
            candidate = beta + step / 2**halving
            fitted, slope = mean(candidate)
            if np.sum((y - fitted) ** 2) <= error * (1 + 1e-13):
                break
        beta = candidate
    raise FitError(
        f"the regression of pseudo-observations on the risks did not converge in {_MAX_ITERATIONS} iterations",
        allowed="risks of which higher ones go with more events, roughly",
        todo="look at the calibration curve; choose a horizon with more events",
    )


def calibration_spline(
    time: npt.ArrayLike, event: npt.ArrayLike, risk: npt.ArrayLike, horizon: float, *, knots: int = 3
) -> tuple[Array, Gaps]:
    """Calibration curve at a horizon by hazard regression, and its gaps.

    A Cox model (Efron) of the event on a restricted cubic spline of log(−log(1 − risk)); its risk by the horizon is the
    smoothed observed risk. It assumes proportional hazards in that term, which :func:`calibration_at` does not.

    Parameters
    ----------
    time, event : array_like, shape (n,)
    risk : array_like, shape (n,)
        Between 0 and 1, both excluded.
    horizon : float
    knots : {3, 4, 5}
        At fixed quantiles of the term.

    Returns
    -------
    curve : ndarray, shape (n,)
    gaps : Gaps

    Raises
    ------
    InputError
        Unusable times, events or risks; another number of knots; too few distinct risks for them.
    FitError
        The Cox model cannot be fitted.

    References
    ----------
    Austin, Harrell & van Klaveren, Stat Med 2020;39:2714.
    """
    times, states, _ = check_states(time, event, None)
    t = float(check_horizons([horizon], times)[0])
    risks = _inside(risk, times.size)
    if knots not in _KNOTS:
        raise InputError(f"{knots} knots", allowed=", ".join(map(str, _KNOTS)))
    basis = _spline(np.log(-np.log1p(-risks)), knots)
    names = ["log(−log(1 − risk))", *(f"spline term {j}" for j in range(1, knots - 1))]
    curve = fit_counting_cox(times, states, basis, names=names).risk_at(basis, [t])[:, 0]
    return curve, calibration_gaps(risks, curve)


def _spline(x: Array, knots: int) -> Array:
    """Restricted cubic spline: x itself and knots − 2 cubic terms that are linear beyond the outer knots."""
    at = np.quantile(x, _KNOTS[knots])
    if np.any(np.diff(at) <= 0):
        raise InputError(
            f"risks of which too many are equal for {knots} knots", allowed="knots at different risks", todo="use fewer"
        )

    def cube(knot: float) -> Array:
        return np.asarray(np.maximum((x - knot) / (at[-1] - at[0]), 0.0) ** 3)

    width = at[-1] - at[-2]
    terms = [cube(k) - cube(at[-2]) * (at[-1] - k) / width + cube(at[-1]) * (at[-2] - k) / width for k in at[:-2]]
    return np.column_stack([x, *terms])
