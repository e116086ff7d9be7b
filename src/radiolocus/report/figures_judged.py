"""How far risks can be trusted: calibration, net benefit, and performance over time, of out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes

from radiolocus.model import Array
from radiolocus.report.blocks import Figure
from radiolocus.report.drawing import ACCENT, DARK, GREY, INK, canvas, embed, shorten, styled
from radiolocus.report.numbers import interval, number

__all__ = ["calibration", "decision", "over_time", "widest"]

# Told apart by lightness and dash; the widest set of predictors is always the accent.
_LOOKS: tuple[dict[str, Any], ...] = (
    {"color": DARK, "ls": (0, (5, 1.5))},
    {"color": INK, "ls": (0, (1, 1.2))},
    {"color": GREY, "ls": (0, (4, 1, 1, 1))},
    {"color": DARK, "ls": (0, (1, 2.5))},
)
_WIDEST: dict[str, Any] = {"color": ACCENT, "ls": "-"}
_MOST = 5


def widest(frame: pl.DataFrame) -> str:
    """Return the set of predictors that is drawn with its interval: ``all``, else the last in the usual order."""
    names: list[str] = frame["predictors"].unique(maintain_order=True).to_list()
    return next((name for name in names if name.split(", ")[0] == "all"), names[-1])


def _lines(frame: pl.DataFrame) -> list[tuple[str, dict[str, Any]]]:
    """Sets in their order with their looks, at most five: the widest with all others that came first."""
    lead = widest(frame)
    others = [n for n in frame["predictors"].unique(maintain_order=True).to_list() if n != lead]
    looks = [*zip(others[: _MOST - 1], _LOOKS, strict=False)]
    return [*looks, (lead, _WIDEST)]


def _title(figure: Any, text: str) -> None:
    figure.text(0.02, 0.985, text, fontweight="bold", fontsize=9, va="top")


def _told(frame: pl.DataFrame, unit: str) -> str:
    name, time = str(frame["endpoint"][0]).replace("_", " "), frame["time"][0]
    return shorten(name, 40) + ("" if time is None else f", by {time:g} {unit}".rstrip())


def _band(axes: Axes, x: Array, part: pl.DataFrame) -> None:
    low, high = (part[c].cast(pl.Float64).to_numpy() for c in ("lower", "upper"))
    axes.fill_between(x, low, high, facecolor=ACCENT, alpha=0.15, linewidth=0)


@styled
def calibration(curves: pl.DataFrame, measures: Mapping[str, Mapping[str, Any]], unit: str) -> Figure:
    """Draw smoothed observed against predicted risk for one endpoint and time.

    Parameters
    ----------
    curves : polars.DataFrame
        Rows of ``outcome/calibration`` of one endpoint and time.
    measures : mapping of str to mapping
        Rows of ``outcome/evaluation`` of the widest set there, by metric.
    unit : str
    """
    figure = canvas(4.25, 4.1, left=0.15, right=0.97, top=0.80, bottom=0.13)
    axes = figure.add_subplot()
    lead = widest(curves)
    axes.plot([0, 1], [0, 1], color=GREY, lw=0.9, zorder=0)
    for name, look in _lines(curves):
        part = curves.filter(pl.col("predictors") == name).sort("predicted")
        x = part["predicted"].to_numpy()
        axes.plot(x, part["observed"].to_numpy(), lw=1.8 if name == lead else 1.2, label=shorten(name, 30), **look)
        if name == lead:
            _band(axes, x, part)
    highest = max(curves["predicted"].max(), curves["observed"].max())  # type: ignore[type-var]
    end = min(1.0, 0.1 * np.ceil(10 * float(highest) + 0.5))  # type: ignore[arg-type]
    axes.set_xlim(0, end)
    axes.set_ylim(0, min(1.0, end * 1.15))
    axes.set_xlabel("predicted risk")
    axes.set_ylabel("observed risk")
    axes.legend(loc="lower right", fontsize=7.5)
    _title(figure, f"Calibration: {_told(curves, unit)}")
    figure.text(
        0.02, 0.93, shorten(lead, 40) + ": " + _numbers(measures, ("ICI", "E50", "E90")), fontsize=7.5, va="top"
    )
    rest = (("O/E", "O/E"), ("slope", "calibration slope"))
    told = [f"{short} {_interval(measures[m])}" for short, m in rest if m in measures]
    figure.text(0.02, 0.885, ", ".join(told), fontsize=7.5, va="top")
    return embed(
        figure,
        f"Calibration curves of {_told(curves, unit)}. {', '.join(told)}",
        f"Calibration of out-of-fold risks ({curves['model'][0]}): {_told(curves, unit)}. Smoothed observed "
        f"risk (loess of pseudo-observations, or of the class) at the predicted risk; band: pointwise 95 % bootstrap "
        f"interval for {lead}. Grey: ideal. ICI, E50, E90: mean, median, 90th percentile of the distance from ideal.",
        half=True,
    )


def _numbers(measures: Mapping[str, Mapping[str, Any]], names: tuple[str, ...]) -> str:
    return ", ".join(f"{n} {number(measures[n]['estimate'], 2)}" for n in names if n in measures)


def _interval(row: Mapping[str, Any]) -> str:
    return interval(row["estimate"], row["lower"], row["upper"])


@styled
def decision(curves: pl.DataFrame, unit: str) -> Figure:
    """Draw net benefit against threshold for one endpoint and time, beside treating everybody and nobody."""
    figure = canvas(4.25, 4.1, left=0.17, right=0.97, top=0.88, bottom=0.13)
    axes = figure.add_subplot()
    lead = widest(curves)
    axes.axhline(0.0, color=INK, lw=0.9, label="nobody")
    first = curves.filter(pl.col("predictors") == lead).sort("threshold")
    axes.plot(first["threshold"], first["treat_all"], color=GREY, lw=1.2, label="everybody")
    for name, look in _lines(curves):
        part = curves.filter(pl.col("predictors") == name).sort("threshold")
        x, y = part["threshold"].to_numpy(), part["net_benefit"].cast(pl.Float64).to_numpy()
        axes.plot(x, y, lw=1.8 if name == lead else 1.2, label=shorten(name, 30), **look)
        if name == lead:
            _band(axes, x, part)
    top = max(0.02, float(curves["treat_all"].max()), float(curves["net_benefit"].max() or 0.0))  # type: ignore[arg-type]
    seen = (pl.col("net_benefit").abs() > 0.02 * top) & (pl.col("net_benefit") > -0.3 * top)
    some = curves.filter(seen)["threshold"].max()
    axes.set_xlim(0, min(1.0, float(some or 1.0) + 0.08))  # type: ignore[arg-type]
    axes.set_ylim(-0.3 * top, 1.12 * top)
    axes.set_xlabel("threshold: risk from which on is treated")
    axes.set_ylabel("net benefit")
    axes.legend(loc="upper right", fontsize=7.5)
    _title(figure, f"Decision curve: {_told(curves, unit)}")
    return embed(
        figure,
        f"Decision curves of {_told(curves, unit)}",
        f"Net benefit of treating whoever's out-of-fold risk ({curves['model'][0]}) reaches the threshold: "
        f"{_told(curves, unit)}. Gaps: all of those patients were censored before. Band: "
        f"pointwise 95 % bootstrap interval for {lead}. A model is of use at a threshold only where it lies above "
        "treating everybody and above treating nobody (Vickers & Elkin 2006).",
        half=True,
    )


@styled
def over_time(course: pl.DataFrame, unit: str) -> Figure:
    """Draw AUC(t) and the Brier score of one endpoint against time."""
    figure = canvas(4.25, 4.6, left=0.16, right=0.97, top=0.91, bottom=0.11, hspace=0.22)
    above, below = figure.subplots(2, 1, sharex=True)
    lead = widest(course)
    for metric, axes in (("AUC(t)", above), ("Brier(t)", below)):
        for name, look in _lines(course):
            part = course.filter((pl.col("predictors") == name) & (pl.col("metric") == metric)).sort("time")
            axes.plot(part["time"], part["estimate"], lw=1.7 if name == lead else 1.2, label=shorten(name, 30), **look)
            if name == lead and part.height:
                _band(axes, part["time"].to_numpy(), part)
    bare = course.filter((pl.col("predictors") == lead) & pl.col("metric").str.ends_with("without predictors"))
    bare = bare.sort("time")
    below.plot(bare["time"], bare["estimate"], color=GREY, lw=1.2, label="without predictors")
    above.axhline(0.5, color=GREY, lw=0.9, zorder=0)
    above.set_ylim(min(0.4, above.get_ylim()[0]), 1.0)
    above.set_ylabel("AUC(t)")
    below.set_ylabel("Brier score")
    below.set_ylim(bottom=0.0)
    below.set_xlabel(f"time ({unit or 'unit not given'})")
    below.legend(loc="lower right", fontsize=7)
    name = str(course["endpoint"][0]).replace("_", " ")
    _title(figure, f"Over time: {shorten(name, 44)}")
    return embed(
        figure,
        f"AUC(t) and Brier score of {name} over time",
        f"Out-of-fold discrimination and error of {name} ({course['model'][0]}) over time: events by each time against "
        "subjects followed beyond it, weighted for censoring. Grey above: no information; grey below: the same "
        f"training parts without predictors. Band: pointwise 95 % bootstrap interval for {lead}. Up to the last event "
        "by which a tenth of the subjects are followed.",
        half=True,
    )
