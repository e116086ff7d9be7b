"""Kinetics of tumours: depth and time of the nadir, growth rates before and under treatment, growth and regression."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log

import numpy as np
import polars as pl
from scipy.optimize import least_squares

from radiolocus import schema
from radiolocus.model import Array
from radiolocus.response.criterion import courses
from radiolocus.response.sums import length

__all__ = ["MODELS", "Fit", "fit_growth", "growth_rate", "kinetics"]

DAYS_A_MONTH = 30.4375
MODELS: dict[str, tuple[str, ...]] = {"gd": ("g", "d"), "gx": ("g",), "dx": ("d",)}
"""Models of the relative size f(t): ``gd`` exp(−d t) + exp(g t) − 1, ``gx`` exp(g t), ``dx`` exp(−d t)."""

_SHAPES: dict[str, Callable[[Array, Array], Array]] = {
    "gd": lambda p, t: np.exp(-p[1] * t) + np.exp(p[0] * t) - 1,
    "gx": lambda p, t: np.exp(p[0] * t),
    "dx": lambda p, t: np.exp(-p[0] * t),
}
_LARGEST = 1.0  # a day; nothing clinical grows e-fold in a day
_SMALLEST, _GRID = 1e-5, 40


def growth_rate(before: float, after: float, days: float) -> float:
    """Tumour growth rate, % of the volume a month: 100 (exp(3 ln(D₂/D₁) / months) − 1).

    Parameters
    ----------
    before, after : float
        Sums of diameters, both above 0, mm.
    days : float
        Between them, above 0.

    References
    ----------
    Ferté et al., Clin Cancer Res 2014;20:246.
    """
    months = days / DAYS_A_MONTH
    return 100 * float(np.expm1(min(3 * log(after / before) / months, 700.0)))


@dataclass(frozen=True)
class Fit:
    """Growth and regression of one subject.

    Parameters
    ----------
    model : str
        The one of :data:`MODELS` with the smallest AIC.
    growth, regression : float or None
        Constants g and d, 1/day; None where the model has none.
    growth_error, regression_error : float or None
        Standard errors, from the curvature; None without degrees of freedom.
    residual : float
        Root of the mean squared residual of the relative size.
    explained : float or None
        R² about the mean of the relative sizes; None when they are all alike.
    """

    model: str
    growth: float | None
    regression: float | None
    growth_error: float | None
    regression_error: float | None
    residual: float
    explained: float | None


def _one(name: str, day: Array, size: Array) -> tuple[Array, Array, float]:
    """Constants, their standard errors, and the sum of squares: least squares from the best point of a grid."""
    shape, k = _SHAPES[name], len(MODELS[name])
    # Growth is bounded so that the exponential stays finite.
    top = min(_LARGEST, 50.0 / float(day.max()))
    axis = np.geomspace(_SMALLEST, 0.9 * top, _GRID)
    grid = np.stack(np.meshgrid(*[axis] * k, indexing="ij"), -1).reshape(-1, k)
    misfit = ((shape(grid.T[:, :, None], day[None, :]) - size) ** 2).sum(axis=1)
    start = grid[int(np.argmin(misfit))]
    best = least_squares(
        lambda p: shape(p, day) - size, start, bounds=(0.0, top), x_scale=start, xtol=1e-12, ftol=1e-12
    )
    squares, free = 2 * float(best.cost), day.size - k
    error = np.full(k, np.nan)
    if free > 0:
        information = best.jac.T @ best.jac
        if np.linalg.matrix_rank(information) == k:
            error = np.sqrt(np.diag(np.linalg.inv(information)) * squares / free)
    return best.x, error, squares


def fit_growth(day: Array, size: Array) -> Fit | None:
    """Fit growth and regression constants to relative sizes after baseline; None with less than two of them.

    Parameters
    ----------
    day : ndarray, shape (n,)
        Days since baseline, above 0.
    size : ndarray, shape (n,)
        Sum over its baseline.

    Notes
    -----
    All models are 1 at baseline, so that it holds no information. The smallest AIC wins; a model of k constants needs
    more than k visits.

    References
    ----------
    Stein et al., Clin Cancer Res 2011;17:907 (model); Wilkerson et al., Lancet Oncol 2017;18:143 (choice of models).
    """
    n = day.size
    if n < 2:
        return None
    ranked = []
    for name, constants in MODELS.items():
        if n > len(constants):
            x, error, squares = _one(name, day, size)
            # A perfect fit has no logarithm; below this the residual is rounding.
            score = n * log(max(squares / n, 1e-20)) + 2 * len(constants)
            ranked.append((score, len(constants), name, x, error, squares))
    _, _, name, x, error, squares = min(ranked, key=lambda r: r[:3])
    spread = float(((size - size.mean()) ** 2).sum())
    value = dict(zip(MODELS[name], x.tolist(), strict=True))
    errors = {k: v for k, v in zip(MODELS[name], error.tolist(), strict=True) if np.isfinite(v)}
    explained = 1 - squares / spread if spread > 1e-20 else None
    return Fit(name, value.get("g"), value.get("d"), errors.get("g"), errors.get("d"), (squares / n) ** 0.5, explained)


def _sum(visit_targets: list[float | None]) -> float | None:
    known = [x for x in visit_targets if x is not None]
    return float(np.sum(sorted(known))) if known and len(known) == len(visit_targets) else None


def kinetics(lesions: pl.DataFrame) -> pl.DataFrame:
    """Kinetics of every subject with a measured baseline: table ``response/kinetics``.

    Parameters
    ----------
    lesions : polars.DataFrame
        As :func:`radiolocus.read.lesions.read_lesions` returns it. The growth rate before treatment needs
        ``earlier_mm`` of every target and ``earlier_day``, of a scan before baseline.
    """
    rows = []
    for course in courses(lesions):
        labels = list(course.baseline.targets)
        base = _sum([length(x) for x in course.baseline.targets.values()])
        if not base:
            continue
        found = [
            (v.day, s)
            for v in course.later
            if (s := _sum([length(v.targets[k]) if k in v.targets else None for k in labels])) is not None
        ]
        earlier = _sum([x.size("earlier_mm") for x in course.baseline.targets.values()])
        rows.append(
            {"subject": course.subject, **_subject(base, found, earlier, course.baseline.facts.get("earlier_day"))}
        )
    frame = pl.DataFrame(rows, schema=schema.TABLES["response/kinetics"].schema)
    return schema.conform(frame, "response/kinetics")


def _subject(
    base: float, found: list[tuple[float, float]], earlier: float | None, earlier_day: float | None
) -> dict[str, object]:
    row: dict[str, object] = {"visits": len(found)}
    if found:
        low = min(s for _, s in found)
        row |= {"depth": 100 * (low / base - 1), "nadir_day": next(d for d, s in found if s == low)}
        day, first = found[0]
        row["growth_rate_after"] = growth_rate(base, first, day) if first > 0 else -100.0
    if earlier and earlier_day is not None and earlier_day < 0:
        row["growth_rate_before"] = growth_rate(earlier, base, -earlier_day)
    fit = fit_growth(np.array([d for d, _ in found]), np.array([s / base for _, s in found]))
    if fit is not None:
        row |= {
            "model": fit.model,
            "growth": fit.growth,
            "growth_error": fit.growth_error,
            "regression": fit.regression,
            "regression_error": fit.regression_error,
            "doubling_days": log(2) / fit.growth if fit.growth and fit.growth > 1e-9 else None,
            "residual": fit.residual,
            "explained": fit.explained,
        }
    return row
