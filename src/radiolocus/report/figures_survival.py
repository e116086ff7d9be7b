"""Kaplan–Meier curves of the risk groups with their intervals and the numbers at risk."""

from __future__ import annotations

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import blended_transform_factory

from radiolocus.model import Array
from radiolocus.report.blocks import Figure
from radiolocus.report.drawing import INK, canvas, embed, legend_above, shorten, styled
from radiolocus.report.numbers import interval, p_text

__all__ = ["at_risk", "kaplan_meier"]

NAVY, ROSE = "#1d3557", "#c9584e"  # told apart by lightness too, beside the dashes
_LOOK = {"low": (NAVY, "-"), "high": (ROSE, (0, (5, 1.5)))}
_OTHER = (INK, ":")


def at_risk(curve: pl.DataFrame, times: Array) -> list[int]:
    """Subjects at risk just before each time: those whose own time is not earlier.

    Parameters
    ----------
    curve : polars.DataFrame
        Rows of one group in ``outcome/kaplan_meier``.
    times : ndarray
    """
    own, risk = curve["time"].to_numpy(), curve["at_risk"].to_numpy()
    index = np.searchsorted(own, times, side="left")
    return [int(risk[i]) if i < len(own) else 0 for i in index]


def _steps(curve: pl.DataFrame, column: str) -> tuple[Array, Array]:
    time = np.concatenate([[0.0], curve["time"].to_numpy()])
    # An interval has no width where the curve is still 1, and none that is defined once it is 0.
    value = curve[column].cast(pl.Float64).fill_nan(None)
    value = pl.concat([pl.Series([1.0]), value.alias("")]).forward_fill()
    return time, value.to_numpy()


def _curve(axes: Axes, curve: pl.DataFrame, group: str) -> None:
    colour, dash = _LOOK.get(group, _OTHER)
    time, survival = _steps(curve, "survival")
    _, low = _steps(curve, "lower")
    _, high = _steps(curve, "upper")
    people, events = max(curve["at_risk"].to_list(), default=0), int(curve["events"].sum())
    axes.fill_between(time, low, high, step="post", facecolor=colour, alpha=0.16, linewidth=0)
    for edge in (low, high):
        axes.step(time, edge, where="post", color=colour, lw=0.5, alpha=0.8)
    label = f"{group} risk ({events}/{people} events)"
    axes.step(time, survival, where="post", color=colour, ls=dash, lw=1.7, label=label)
    censored = curve.filter(pl.col("censored") > 0)
    axes.plot(censored["time"], censored["survival"], ls="none", marker="|", ms=5, mew=0.8, color=colour)


@styled
def kaplan_meier(curves: pl.DataFrame, logrank: dict[str, object] | None, unit: str) -> Figure:
    """Draw the groups of one endpoint and model; `logrank` is the row of ``outcome/logrank`` when there is one."""
    endpoint, predictors = curves["endpoint"][0], curves["predictors"][0]
    groups = sorted(curves["group"].unique().to_list(), key=lambda g: (g != "low", g))
    height = 3.75
    figure = canvas(4.25, height, left=0.16, right=0.97, top=0.80, bottom=0.32)
    axes = figure.add_subplot()
    parts = {g: curves.filter(pl.col("group") == g).sort("time") for g in groups}
    for group, part in parts.items():
        _curve(axes, part, group)
    end = max(float(curves["time"].max()), 1e-9)  # type: ignore[arg-type]
    axes.set_xlim(0, end * 1.02)
    axes.set_ylim(0, 1.03)
    ticks = [t for t in MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]).tick_values(0, end) if 0 <= t <= end]
    axes.set_xticks(ticks)
    axes.set_xlabel(f"time ({unit or 'unit not given'})")
    axes.set_ylabel("probability of no event")
    figure.text(
        0.02, 0.97, f"{shorten(endpoint.replace('_', ' '), 44)}: {predictors}", fontweight="bold", fontsize=9, va="top"
    )
    test = ""
    if logrank is not None:
        ratio = interval(_real(logrank["hazard_ratio"]), _real(logrank["lower"]), _real(logrank["upper"]))
        test = f"hazard ratio {ratio}, log-rank p = {p_text(_real(logrank['neg_log_10_p_value']))}"
        figure.text(0.02, 0.915, test, fontsize=8, va="top")
    legend_above(axes, columns=2)
    figure.text(0.02, 0.155, "at risk", fontsize=8, fontweight="bold")
    for i, (group, part) in enumerate(parts.items()):
        place = 0.105 - 0.055 * i
        figure.text(0.02, place, group, fontsize=8)
        for tick, value in zip(ticks, at_risk(part, np.array(ticks)), strict=True):
            axes.text(
                tick,
                place,
                str(value),
                transform=blended_transform_factory(axes.transData, figure.transFigure),
                fontsize=8,
                ha="center",
            )
    return embed(
        figure,
        f"Kaplan–Meier curves of {endpoint} by risk group, model on {predictors} predictors. {test}",
        f"Kaplan–Meier curves of {endpoint.replace('_', ' ')} by risk group of the model on {predictors} predictors; "
        "the threshold that placed a subject was learned without that subject. Thin lines: 95 % log–log interval; "
        "ticks: censored; below: subjects at risk.",
        half=True,
    )


def _real(value: object) -> float | None:
    return float(value) if isinstance(value, float | int) else None
