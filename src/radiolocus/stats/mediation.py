"""How much of an effect goes through a mediator: mediated, direct and total effect, and what could explain it away.

The mediator is linear in exposure and covariates; the outcome is linear, logistic, or a time with additive hazards, in
exposure, mediator and covariates, without interaction of the first two. Causal only under sequential ignorability: no
unmeasured cause of exposure and mediator, exposure and outcome, or mediator and outcome, given the covariates, and no
cause of the last two that the exposure changes (Imai, Keele & Tingley 2010, doi:10.1037/a0020761).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import expit, ndtr, ndtri

from radiolocus.errors import FitError, InputError, UndefinedError
from radiolocus.model import Array
from radiolocus.stats.resampling import bootstrap_weights

__all__ = ["EFFECTS", "Effect", "Mediated", "Sensitivity", "additive_hazards", "e_value", "mediate", "sensitivity"]

Kind = Literal["linear", "logistic", "survival"]
#: Effects in the order in which they are given.
EFFECTS = ("mediated", "direct", "total", "proportion")
_NODES, _MASSES = np.polynomial.hermite_e.hermegauss(41)
_MASSES = _MASSES / _MASSES.sum()
_STEPS = 50


@dataclass(frozen=True)
class Effect:
    """An effect with its bootstrap interval and a two-sided p-value from the draws."""

    estimate: float
    lower: float
    upper: float
    p_value: float


@dataclass(frozen=True)
class Mediated:
    """Effects of changing the exposure from control to treated.

    Parameters
    ----------
    mediated : Effect
        Average causal mediated effect, the mean over both levels of the exposure.
    direct, total : Effect
        Of a logistic outcome in probability, of a survival outcome in events per unit of time.
    proportion : Effect
        Mediated over total; its interval is wide, or meaningless, where the total is near zero.
    exposure_on_mediator, mediator_on_outcome : float
        Coefficients of the two models.
    risk_ratio : float
        Of the mediated effect of a logistic outcome; NaN otherwise.
    n, events : int
        Events are −1 of a linear outcome.
    draws, undefined : int
        Draws that entered, and those whose models had no fit.
    """

    mediated: Effect
    direct: Effect
    total: Effect
    proportion: Effect
    exposure_on_mediator: float
    mediator_on_outcome: float
    risk_ratio: float
    n: int
    events: int
    draws: int
    undefined: int


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """Mediated effect under correlated errors.

    Parameters
    ----------
    rho : ndarray
    estimate : ndarray
    rho_at_zero : float
        Correlation at which nothing is mediated.
    """

    rho: Array
    estimate: Array
    rho_at_zero: float


@dataclass(frozen=True, eq=False)
class _Data:
    """Columns of both models; `design` begins with the intercept and the exposure."""

    design: Array
    mediator: Array
    outcome: Array
    event: Array | None
    kind: Kind
    control: float
    treated: float


def _weighted_line(design: Array, response: Array, weights: Array) -> Array:
    root = np.sqrt(weights)
    solution, _, rank, _ = np.linalg.lstsq(design * root[:, None], response * root, rcond=1e-11)
    if rank < design.shape[1]:
        raise FitError("columns of which one is a combination of others", todo="leave out a covariate")
    return np.asarray(solution)


def _logistic(design: Array, y: Array, weights: Array, start: Array | None) -> Array:
    """Maximum of the weighted log-likelihood by Newton's method with halved steps."""
    beta = np.zeros(design.shape[1]) if start is None else start.copy()

    def height(b: Array) -> float:
        eta = design @ b
        return float((weights * (y * eta - np.logaddexp(0.0, eta))).sum())

    here = height(beta)
    for _ in range(_STEPS):
        p = expit(design @ beta)
        curve = design.T @ (design * (weights * p * (1 - p))[:, None])
        slope = design.T @ (weights * (y - p))
        try:
            step = np.linalg.solve(curve, slope)
        except np.linalg.LinAlgError:
            break
        gain = float(step @ slope)
        if gain < 1e-16 * max(1.0, abs(here)):
            return beta
        while height(beta + step) < here and np.abs(step).max() > 1e-12:
            step = step / 2
        beta = beta + step
        here = height(beta)
        if np.abs(design @ beta).max() > 500:
            break
    raise FitError(
        "a logistic model without a maximum", todo="the outcome is separated by the columns: use fewer covariates"
    )  # fmt: skip


def additive_hazards(
    design: npt.ArrayLike, time: npt.ArrayLike, event: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> Array:
    """Coefficients of the additive hazards model λ(t) = λ₀(t) + zᵀβ, events per unit of time.

    Parameters
    ----------
    design : array_like, shape (n, k)
        Without intercept.
    time, event, weights : array_like, shape (n,)
        Times from 0; 1 for an event, 0 for censoring.

    Returns
    -------
    ndarray, shape (k,)

    Raises
    ------
    FitError
        No event, or columns that are combinations of one another.

    References
    ----------
    Lin & Ying 1994, doi:10.1093/biomet/81.1.61.
    """
    z, t, d = (np.asarray(x, np.float64) for x in (design, time, event))
    w = np.ones(t.size) if weights is None else np.asarray(weights, np.float64)
    order = np.argsort(t, kind="stable")
    z, t, d, w = z[order], t[order], d[order], w[order]
    if not (w * d).any():
        raise FitError("no event", allowed="at least one")
    z = z - np.average(z, axis=0, weights=w)
    at_risk = np.cumsum(w[::-1])[::-1]
    first = np.cumsum((w[:, None] * z)[::-1], axis=0)[::-1]
    width = np.diff(t, prepend=0.0)
    # ∫ Σ Y (z − z̄)(z − z̄)ᵀ dt: each subject is at risk for as long as it is followed
    spread = (z * (w * t)[:, None]).T @ z
    safe = np.where(at_risk > 0, at_risk, 1.0)
    spread -= (first * np.where(at_risk > 0, width / safe, 0.0)[:, None]).T @ first
    begin = np.searchsorted(t, t, side="left")
    mean = first[begin] / safe[begin][:, None]
    score = ((w * d)[:, None] * (z - mean)).sum(axis=0)
    if np.linalg.matrix_rank(spread, tol=1e-11 * max(float(np.abs(spread).max()), 1e-300)) < z.shape[1]:
        raise FitError("columns of which one is a combination of others", todo="leave out a covariate")
    return np.asarray(np.linalg.solve(spread, score))


def _paths(data: _Data, weights: Array, start: Array | None) -> tuple[Array, Array]:
    """Coefficients of the mediator's model, and of the outcome's: intercept, exposure, covariates, then mediator."""
    on_mediator = _weighted_line(data.design, data.mediator, weights)
    both = np.column_stack([data.design, data.mediator])
    if data.kind == "linear":
        return on_mediator, _weighted_line(both, data.outcome, weights)
    if data.kind == "logistic":
        return on_mediator, _logistic(both, data.outcome, weights, start)
    event = np.zeros(0) if data.event is None else data.event
    hazard = additive_hazards(both[:, 1:], data.outcome, event, weights)
    return on_mediator, np.concatenate([[0.0], hazard])


def _effects(data: _Data, on_mediator: Array, on_outcome: Array, weights: Array) -> tuple[Array, float]:
    """Mediated, direct, total and proportion; and the risk ratio of the mediated effect."""
    change = data.treated - data.control
    if data.kind != "logistic":
        mediated, direct = on_mediator[1] * on_outcome[-1] * change, on_outcome[1] * change
        ratio = float("nan")
    else:
        risk = _risks(data, on_mediator, on_outcome, weights)
        mediated = 0.5 * (risk[1, 1] - risk[1, 0] + risk[0, 1] - risk[0, 0])
        direct = 0.5 * (risk[1, 1] - risk[0, 1] + risk[1, 0] - risk[0, 0])
        ratio = float(risk[1, 1] / risk[1, 0])
    total = mediated + direct
    return np.array([mediated, direct, total, mediated / total if total else np.nan]), ratio


def _risks(data: _Data, on_mediator: Array, on_outcome: Array, weights: Array) -> Array:
    """Mean probability by the exposure of the outcome's model (rows) and that of the mediator (columns).

    The normal error of the mediator is integrated over by Gauss–Hermite quadrature, not drawn.
    """
    fitted = data.design @ on_mediator
    rest = data.mediator - fitted
    df = data.design.shape[0] - data.design.shape[1]
    spread = np.sqrt((weights * np.square(rest)).sum() / (weights.sum() / data.design.shape[0]) / df)
    exposure = data.design[:, 1]
    out = np.empty((2, 2))
    levels = (data.control, data.treated)
    base = data.design @ on_outcome[:-1] - exposure * on_outcome[1]
    for i, own in enumerate(levels):
        for j, other in enumerate(levels):
            mean = fitted + (other - exposure) * on_mediator[1]
            eta = base + own * on_outcome[1] + mean * on_outcome[-1]
            p = expit(eta[:, None] + spread * on_outcome[-1] * _NODES) @ _MASSES
            out[i, j] = np.average(p, weights=weights)
    return out


def mediate(
    exposure: npt.ArrayLike,
    mediator: npt.ArrayLike,
    outcome: npt.ArrayLike,
    covariates: npt.ArrayLike | None = None,
    *,
    kind: Kind = "linear",
    event: npt.ArrayLike | None = None,
    control: float = 0.0,
    treated: float = 1.0,
    interval: Literal["percentile", "bca"] = "percentile",
    draws: int = 1000,
    seed: int = 1,
) -> Mediated:
    """Split the effect of an exposure on an outcome into what goes through a mediator and what does not.

    Parameters
    ----------
    exposure, mediator : array_like, shape (n,)
        Copies of an allele or a mutation; an imaging feature.
    outcome : array_like, shape (n,)
        Measured; 0 and 1; or times.
    covariates : array_like, shape (n, k), optional
        In both models.
    kind : {"linear", "logistic", "survival"}
        Of a survival outcome the hazards are additive, so that the mediated effect is the product of the two
        coefficients exactly, whatever the number of events (Lange & Hansen 2011, doi:10.1097/EDE.0b013e31821c680c).
    event : array_like, shape (n,), optional
        Of a survival outcome: 1 event, 0 censored.
    control, treated : float
        Levels of the exposure that are compared.
    interval : {"percentile", "bca"}
        Of the bootstrap of subjects; BCa corrects bias and skew at the cost of one more fit a subject.
    draws, seed : int

    Returns
    -------
    Mediated

    Raises
    ------
    InputError
        Shapes that disagree, values that are not finite, an outcome that its kind does not allow.
    FitError
        A model without a fit.
    UndefinedError
        Most draws have no fit.

    References
    ----------
    Imai, Keele & Tingley 2010, doi:10.1037/a0020761; Efron 1987, doi:10.1080/01621459.1987.10478410.
    """
    data = _checked(exposure, mediator, outcome, covariates, kind, event, control, treated)
    n = data.mediator.size
    ones = np.ones(n)
    on_mediator, on_outcome = _paths(data, ones, None)
    estimate, ratio = _effects(data, on_mediator, on_outcome, ones)
    start = on_outcome if kind == "logistic" else None

    def again(weights: Array) -> Array:
        try:
            return _effects(data, *_paths(data, weights, start), weights)[0]
        except FitError:
            return np.full(4, np.nan)

    drawn = np.concatenate([[again(w) for w in block.astype(float)] for block in bootstrap_weights(n, draws, seed)])
    known = np.isfinite(drawn[:, :3]).all(axis=1)
    if known.sum() < max(draws // 2, 2):
        raise UndefinedError(
            f"{int(known.sum())} of {draws} draws have a fit", allowed="at least half",
            todo="use fewer covariates, or collect more subjects",
        )  # fmt: skip
    drawn = drawn[known]
    left = _jackknife(again, n) if interval == "bca" else None
    mediated, direct, total, share = (
        _effect(estimate[k], drawn[:, k], None if left is None else left[:, k]) for k in range(4)
    )
    events = -1 if kind == "linear" else int((data.outcome if data.event is None else data.event).sum())
    return Mediated(
        mediated, direct, total, share, float(on_mediator[1]), float(on_outcome[-1]), ratio, n, events,
        int(known.sum()), draws - int(known.sum()),
    )  # fmt: skip


def _jackknife(again: Callable[[Array], Array], n: int) -> Array:
    out = np.empty((n, 4))
    weights = np.ones(n)
    for i in range(n):
        weights[i] = 0.0
        out[i] = again(weights)
        weights[i] = 1.0
    return out


def _effect(estimate: float, drawn: Array, left: Array | None, level: float = 0.95) -> Effect:
    values = drawn[np.isfinite(drawn)]
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    if left is not None and np.isfinite(left).all():
        # bias from the share of draws below the estimate, acceleration from the skew of the jackknife
        share = np.clip((values < estimate).mean(), 0.5 / values.size, 1 - 0.5 / values.size)
        bias = ndtri(share)
        away = left.mean() - left
        scale = np.square(away).sum() ** 1.5
        push = float((away**3).sum() / (6 * scale)) if scale > 0 else 0.0
        z = bias + ndtri(tails)
        tails = ndtr(bias + z / (1 - push * z))
    lower, upper = np.quantile(values, tails)
    below = min(int((values <= 0).sum()), int((values >= 0).sum()))
    return Effect(float(estimate), float(lower), float(upper), min(1.0, 2 * (below + 1) / (values.size + 1)))


def _checked(
    exposure: npt.ArrayLike,
    mediator: npt.ArrayLike,
    outcome: npt.ArrayLike,
    covariates: npt.ArrayLike | None,
    kind: Kind,
    event: npt.ArrayLike | None,
    control: float,
    treated: float,
) -> _Data:
    a, m, y = (np.asarray(x, np.float64) for x in (exposure, mediator, outcome))
    n = a.size
    x = np.empty((n, 0)) if covariates is None else np.asarray(covariates, np.float64).reshape(n, -1)
    e = None if event is None else np.asarray(event, np.float64)
    if m.shape != (n,) or y.shape != (n,) or (e is not None and e.shape != (n,)):
        told = f"exposure, mediator and outcome of shapes {a.shape}, {m.shape}, {y.shape}"
        raise InputError(told, allowed="one shape")
    for name, values in (("exposure", a), ("mediator", m), ("outcome", y), ("covariates", x), ("event", e)):
        if values is not None and not np.isfinite(values).all():
            raise InputError("a value that is not finite", where=name, todo="leave the subject out, or impute")
    if kind not in ("linear", "logistic", "survival"):
        raise InputError(f"an outcome of kind '{kind}'", allowed="linear, logistic, survival")
    if kind == "logistic" and not (np.isin(y, (0, 1)).all() and 0 < y.sum() < n):
        raise InputError("a logistic outcome that is not 0 and 1", allowed="both 0 and 1")
    if kind == "survival" and (e is None or not np.isin(e, (0, 1)).all() or (y < 0).any()):
        raise InputError("a survival outcome without events, or with times below 0", allowed="times and 0 or 1")
    if treated == control:
        raise InputError(f"an exposure compared with itself ({control})", allowed="two levels")
    if n < x.shape[1] + 5:
        raise InputError(f"{n} subjects for {x.shape[1]} covariates", allowed=f"at least {x.shape[1] + 5}")
    design = np.column_stack([np.ones(n), a, x])
    return _Data(design, m, y, e if kind == "survival" else None, kind, control, treated)


def sensitivity(
    exposure: npt.ArrayLike,
    mediator: npt.ArrayLike,
    outcome: npt.ArrayLike,
    covariates: npt.ArrayLike | None = None,
    *,
    rho: npt.ArrayLike | None = None,
    control: float = 0.0,
    treated: float = 1.0,
) -> Sensitivity:
    """Mediated effect of a linear outcome when an unmeasured cause makes the errors of both models correlate.

    Parameters
    ----------
    exposure, mediator, outcome, covariates, control, treated
        See :func:`mediate`.
    rho : array_like, optional
        Correlations between −1 and 1; by default −0.9, −0.8, ..., 0.9.

    Returns
    -------
    Sensitivity

    References
    ----------
    Imai, Keele & Yamamoto 2010, doi:10.1214/10-STS321, theorem 2.
    """
    data = _checked(exposure, mediator, outcome, covariates, "linear", None, control, treated)
    r = np.round(np.arange(-9, 10) / 10, 1) if rho is None else np.asarray(rho, np.float64)
    if (np.abs(r) >= 1).any():
        raise InputError("a correlation of 1 or more", allowed="between −1 and 1, both excluded")
    ones = np.ones(data.mediator.size)
    on_mediator = _weighted_line(data.design, data.mediator, ones)
    rest_m = data.mediator - data.design @ on_mediator
    rest_y = data.outcome - data.design @ _weighted_line(data.design, data.outcome, ones)
    seen = float(rest_m @ rest_y / np.sqrt((rest_m @ rest_m) * (rest_y @ rest_y)))
    scale = on_mediator[1] * (treated - control) * np.sqrt((rest_y @ rest_y) / (rest_m @ rest_m))
    return Sensitivity(r, scale * (seen - r * np.sqrt((1 - seen**2) / (1 - np.square(r)))), seen)


def e_value(risk_ratio: float) -> float:
    """Least risk ratio that an unmeasured cause needs with mediator and with outcome to explain a risk ratio away.

    References
    ----------
    VanderWeele & Ding 2017, doi:10.7326/M16-2607; for mediated effects Smith & VanderWeele 2019,
    doi:10.1097/EDE.0000000000001064.
    """
    if not (np.isfinite(risk_ratio) and risk_ratio > 0):
        raise InputError(f"a risk ratio of {risk_ratio}", allowed="above 0")
    ratio = max(risk_ratio, 1 / risk_ratio)
    return float(ratio + np.sqrt(ratio * (ratio - 1)))
