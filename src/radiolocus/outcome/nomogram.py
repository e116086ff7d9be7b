"""A locked model as a nomogram: points of each predictor, and the risk that a sum of points stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from radiolocus.model import Array
from radiolocus.outcome.lock import LockedModel, ModelColumn

__all__ = ["MOST_AXES", "Nomogram", "nomogram"]

#: Predictors with an axis of their own; the others share one.
MOST_AXES = 10
_TOTALS = 41
_AXIS = {
    "axis": pl.Int64,
    "predictor": pl.String,
    "block": pl.String,
    "kind": pl.String,
    "label": pl.String,
    "value": pl.Float64,
    "contribution": pl.Float64,
    "points": pl.Float64,
}
_RISK = {"points": pl.Float64, "linear_predictor": pl.Float64, "time": pl.Float64, "risk": pl.Float64}


@dataclass(frozen=True, eq=False)
class Nomogram:
    """A model that can be read off.

    Parameters
    ----------
    axes : polars.DataFrame
        Rows of ``outcome/nomogram`` without the columns that name the model: the two ends of a number's axis, every
        category of a category's.
    risk : polars.DataFrame
        Rows of ``outcome/nomogram_risk``.
    base, per_point : float
        Linear predictor of no points, and what a point adds.
    """

    axes: pl.DataFrame
    risk: pl.DataFrame
    base: float
    per_point: float


@dataclass(frozen=True)
class _Axis:
    predictor: str
    block: str
    kind: str
    ends: tuple[tuple[str, float | None, float], ...]  # label, value, contribution to the linear predictor

    @property
    def lowest(self) -> float:
        return min(c for _, _, c in self.ends)

    @property
    def span(self) -> float:
        return max(c for _, _, c in self.ends) - self.lowest


def nomogram(model: LockedModel, training: pl.DataFrame, times: Sequence[float]) -> Nomogram | None:
    """Turn a linear model into points: the predictor with the widest reach has 100.

    Parameters
    ----------
    model : LockedModel
    training : polars.DataFrame
        ``subject`` and the predictors of those it was fitted to: they set the range of the axis that the predictors
        beyond the ten of widest reach share.
    times : sequence of float
        Of the risks; none for a binary endpoint.

    Returns
    -------
    Nomogram or None
        None of a model that uses no predictor.

    References
    ----------
    Iasonos, Schrag, Raj & Panageas, J Clin Oncol 2008;26:1364.
    """
    columns: dict[str, list[ModelColumn]] = {}
    for column in model.columns:
        if column.coefficient != 0.0:
            columns.setdefault(column.predictor, []).append(column)
    axes = [axis for own in columns.values() for axis in _axes(own, model, training)]
    axes.sort(key=lambda axis: (-axis.span, axis.predictor))
    if len(axes) > MOST_AXES + 1:
        rest = {axis.predictor for axis in axes[MOST_AXES:]}
        kept = [axis for axis in axes[:MOST_AXES] if axis.predictor not in rest]
        axes = [*kept, _shared(model, training, {axis.predictor for axis in kept})]
    widest = max((axis.span for axis in axes), default=0.0)
    if widest == 0.0:
        return None
    rows = [
        (k, axis.predictor, axis.block, axis.kind, label, value, effect, 100.0 * (effect - axis.lowest) / widest)
        for k, axis in enumerate(axes)
        for label, value, effect in axis.ends
    ]
    base = model.intercept + sum(axis.lowest for axis in axes)
    # Missing values apart, of which each subject has few: they would double the scale for nobody.
    most = sum(100.0 * axis.span / widest for axis in axes if axis.kind != "missing")
    totals = np.linspace(0.0, most, _TOTALS)
    return Nomogram(
        pl.DataFrame(rows, schema=_AXIS, orient="row"),
        _risks(model, totals, base, widest / 100.0, times),
        base,
        widest / 100.0,
    )


def _effect(column: ModelColumn, value: float) -> float:
    return column.coefficient * (value - column.mean) / column.scale


def _binary(values: pl.Series) -> bool:
    """Whether a number is a mark: 0 or 1, nothing between."""
    return set(values.drop_nulls().unique().to_list()) == {0.0, 1.0}


def _axes(own: Sequence[ModelColumn], model: LockedModel, training: pl.DataFrame) -> list[_Axis]:
    axes = []
    for column in own:
        ends = [(f"{v:.6g}", v, _effect(column, v)) for v in (column.low, column.high)]
        if column.kind == "number":
            kind = "binary" if _binary(training[column.predictor]) else "number"
            axes.append(_Axis(column.predictor, column.block, kind, tuple(ends)))
        elif column.kind == "missing":
            told = tuple((name, v, effect) for name, (_, v, effect) in zip(("known", "missing"), ends, strict=True))
            axes.append(_Axis(f"{column.predictor} (missing)", column.block, "missing", told))
    levels = {column.level: column for column in own if column.kind == "level"}
    if levels:
        named = [*(level for level in model.categories[own[0].predictor] if level in levels)]
        others = [level for level in model.categories[own[0].predictor] if level not in levels]
        choices = [(" or ".join(others) or "any other", ""), *((level, level) for level in named)]
        steps: tuple[tuple[str, float | None, float], ...] = tuple(
            (label, None, sum((_effect(c, float(c.level == level)) for c in levels.values()), 0.0))
            for label, level in choices
        )
        axes.append(_Axis(own[0].predictor, own[0].block, "category", steps))
    return axes


def _shared(model: LockedModel, training: pl.DataFrame, shown: set[str]) -> _Axis:
    """One axis for the sum of the contributions of all predictors that have none of their own."""
    rest = tuple(c for c in model.columns if c.coefficient != 0.0 and _owner(c) not in shown)
    score = _score(rest, model.categories, training)
    names = {_owner(c) for c in rest}
    ends = tuple((f"{v:.3g}", v, v) for v in (float(score.min()), float(score.max())))
    blocks = sorted({c.block for c in rest})
    return _Axis(f"score of {len(names)} other predictors", ", ".join(blocks), "score", ends)


def _owner(column: ModelColumn) -> str:
    return f"{column.predictor} (missing)" if column.kind == "missing" else column.predictor


def _score(columns: Sequence[ModelColumn], categories: Mapping[str, Sequence[str]], frame: pl.DataFrame) -> Array:
    total = np.zeros(frame.height)
    for c in columns:
        values = frame[c.predictor]
        if c.kind == "level":
            x = (values.cast(pl.String) == c.level).fill_null(value=False).to_numpy().astype(np.float64)
        elif c.kind == "missing":
            x = values.is_null().to_numpy().astype(np.float64)
        else:
            x = values.cast(pl.Float64).fill_null(c.impute).to_numpy()
        total += c.coefficient * (x - c.mean) / c.scale
    return total


def _risks(model: LockedModel, totals: Array, base: float, per_point: float, times: Sequence[float]) -> pl.DataFrame:
    linear = base + per_point * totals
    risk = model.risk(linear, times)
    at: list[float | None] = list(times) if model.kind == "survival" else [None]
    rows = [
        (float(p), float(v), t, float(risk[i, k]))
        for k, t in enumerate(at)
        for i, (p, v) in enumerate(zip(totals, linear, strict=True))
    ]
    return pl.DataFrame(rows, schema=_RISK, orient="row")
