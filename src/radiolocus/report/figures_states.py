"""Curves of competing events by risk group, and calibration of several classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import blended_transform_factory

from radiolocus.model import Array
from radiolocus.report.blocks import Figure
from radiolocus.report.drawing import ACCENT, GREY, canvas, embed, legend_above, shorten, styled
from radiolocus.report.figures_survival import NAVY, ROSE, at_risk
from radiolocus.report.numbers import interval, p_text

__all__ = ["class_calibration", "incidence_curves"]

_COLOUR = {"low": NAVY, "high": ROSE}
_DASH: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (4, 1, 1, 1)))


def _steps(curve: pl.DataFrame, column: str) -> tuple[Array, Array]:
    time = np.concatenate([[0.0], curve["time"].to_numpy()])
    value = pl.concat([pl.Series([0.0]), curve[column].cast(pl.Float64).alias("")]).forward_fill()
    return time, value.to_numpy()


def _group(axes: Axes, part: pl.DataFrame, group: str, names: Mapping[int, str]) -> None:
    colour = _COLOUR.get(group, GREY)
    people = int(part["at_risk"].max() or 0)  # type: ignore[arg-type]
    for k, state in enumerate(sorted(part["state"].unique().to_list())):
        own = part.filter(pl.col("state") == state).sort("time")
        time, value = _steps(own, "incidence")
        if state == 1:
            low, high = (_steps(own, c)[1] for c in ("lower", "upper"))
            axes.fill_between(time, low, high, step="post", facecolor=colour, alpha=0.16, linewidth=0)
        label = f"{group}: {shorten(names.get(state, f'event {state}'), 26)} ({int(own['events'].sum())}/{people})"
        dash = _DASH[min(k if state > 1 else 0, len(_DASH) - 1)]
        axes.step(time, value, where="post", color=colour, ls=dash, lw=1.8 if state == 1 else 1.1, label=label)


@styled
def incidence_curves(
    curves: pl.DataFrame, gray: Mapping[str, Any] | None, unit: str, names: Mapping[int, str]
) -> Figure:
    """Draw the cumulative incidence of every kind of event in the risk groups of one endpoint and model.

    Parameters
    ----------
    curves : polars.DataFrame
        Rows of ``outcome/incidence``.
    gray : mapping or None
        Row of ``outcome/gray``.
    unit : str
    names : mapping of int to str
        Names of the kinds of event.
    """
    endpoint, predictors = curves["endpoint"][0], curves["predictors"][0]
    figure = canvas(4.25, 3.95, left=0.16, right=0.97, top=0.74, bottom=0.30)
    axes = figure.add_subplot()
    groups = sorted(curves["group"].unique().to_list(), key=lambda g: (g != "low", g))
    parts = {g: curves.filter(pl.col("group") == g) for g in groups}
    for group, part in parts.items():
        _group(axes, part, group, names)
    end = max(float(curves["time"].max()), 1e-9)  # type: ignore[arg-type]
    top = float(max(curves["incidence"].max(), curves["upper"].max() or 0.0))  # type: ignore[type-var, arg-type]
    axes.set_xlim(0, end * 1.02)
    axes.set_ylim(0, min(1.0, 1.06 * top))
    ticks = [t for t in MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]).tick_values(0, end) if 0 <= t <= end]
    axes.set_xticks(ticks)
    axes.set_xlabel(f"time ({unit or 'unit not given'})")
    axes.set_ylabel("cumulative incidence")
    title = f"{shorten(endpoint.replace('_', ' '), 44)}: {predictors}"
    figure.text(0.02, 0.975, title, fontweight="bold", fontsize=9, va="top")
    test = ""
    if gray is not None:
        ratio = interval(gray["subdistribution_hazard_ratio"], gray["lower"], gray["upper"])
        test = f"subdistribution hazard ratio {ratio}, Gray's p = {p_text(gray['neg_log_10_p_value'])}"
        figure.text(0.02, 0.925, test, fontsize=7.5, va="top")
    legend_above(axes, columns=2, fontsize=7)
    figure.text(0.02, 0.145, "at risk", fontsize=8, fontweight="bold")
    for i, (group, part) in enumerate(parts.items()):
        place = 0.095 - 0.05 * i
        figure.text(0.02, place, group, fontsize=8)
        own = part.filter(pl.col("state") == part["state"].min()).sort("time")
        for tick, value in zip(ticks, at_risk(own, np.array(ticks)), strict=True):
            where = blended_transform_factory(axes.transData, figure.transFigure)
            axes.text(tick, place, str(value), transform=where, fontsize=8, ha="center")
    return embed(
        figure,
        f"Cumulative incidence of {endpoint} and of competing events by risk group, {predictors}. {test}",
        f"Cumulative incidence (Aalen–Johansen) of {endpoint.replace('_', ' ')} (thick) and of what competes with it "
        f"(thin, dashed) by risk group of the model on {predictors} predictors; the threshold of a subject was "
        "learned without that subject. Band: 95 % log–log interval; in the key: events and subjects.",
        half=True,
    )


@styled
def class_calibration(curves: pl.DataFrame, ordered: bool) -> Figure:
    """Draw observed against predicted probability of every cut or class of one endpoint and model.

    Parameters
    ----------
    curves : polars.DataFrame
        Rows of ``outcome/class_calibration``.
    ordered : bool
        Whether the items are cuts of an order.
    """
    endpoint, predictors = curves["endpoint"][0], curves["predictors"][0]
    items = curves["item"].unique(maintain_order=True).to_list()
    columns = min(4, len(items))
    rows = -(-len(items) // columns)
    figure = canvas(7.6, 1.95 * rows + 0.6, left=0.08, right=0.98, top=1 - 0.5 / (1.95 * rows + 0.6), bottom=0.16)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes, item in zip(grid.ravel(), items, strict=False):
        part = curves.filter(pl.col("item") == item).sort("predicted")
        x = part["predicted"].to_numpy()
        axes.plot([0, 1], [0, 1], color=GREY, lw=0.9, zorder=0)
        low, high = (part[c].cast(pl.Float64).to_numpy() for c in ("lower", "upper"))
        axes.fill_between(x, low, high, facecolor=ACCENT, alpha=0.15, linewidth=0)
        axes.plot(x, part["observed"].to_numpy(), color=ACCENT, lw=1.6)
        axes.set_title(shorten(item, 28), fontsize=8, loc="left")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
    for axes in grid.ravel()[len(items) :]:
        axes.set_visible(False)
    figure.supxlabel("predicted probability", fontsize=8)
    figure.supylabel("observed share", fontsize=8)
    figure.text(
        0.02, 0.985, f"{shorten(endpoint.replace('_', ' '), 50)}: {predictors}", fontweight="bold", fontsize=9, va="top"
    )
    what = "this class or a higher one" if ordered else "each class"
    return embed(
        figure,
        f"Calibration of the probability of {what} of {endpoint}, {predictors}",
        f"Calibration of out-of-fold probabilities of {what}: {endpoint.replace('_', ' ')}, model on {predictors} "
        "predictors. Smoothed observed share (loess) with its pointwise 95 % bootstrap interval; grey: ideal.",
    )
