"""Monitoring in pictures: performance and calibration by landmark, and the risk of a subject scan by scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from radiolocus.report.blocks import Figure
from radiolocus.report.drawing import ACCENT, DARK, GREY, INK, LIGHT, Drawn, canvas, embed, shorten, styled

__all__ = ["ORDER", "Course", "by_landmark", "calibration_by_landmark", "course_of", "courses", "example_subjects"]

ORDER = ("clinical", "baseline", "last value", "last value and change", "mixed model")
_LOOK = {
    "clinical": (LIGHT, "v", ":"),
    "baseline": (GREY, "^", ":"),
    "last value": (DARK, "s", "--"),
    "last value and change": ("#6f9bc8", "D", "-."),
    "mixed model": (ACCENT, "o", "-"),
}
_ENDS: dict[str, str | tuple[int, tuple[int, int]]] = {
    "event": "-",
    "competing event": (0, (5, 2)),
    "no event seen": (0, (1, 2)),
}
_PANELS = 6
_EXAMPLES = 6


def _curves(axes: Axes, rows: pl.DataFrame, step: float) -> None:
    names = [n for n in ORDER if (rows["predictors"] == n).any()]
    for k, name in enumerate(names):
        part = rows.filter(predictors=name).sort("landmark")
        color, marker, dash = _LOOK[name]
        x = part["landmark"].to_numpy() + (k - (len(names) - 1) / 2) * step
        y = part["estimate"].to_numpy()
        bars = np.vstack([y - part["lower"].to_numpy(), part["upper"].to_numpy() - y])
        edge = INK if name == "clinical" else color
        axes.errorbar(
            x, y, yerr=np.maximum(bars, 0.0), color=edge, ls=dash, marker=marker, ms=4, lw=1.1, elinewidth=0.7,
            mfc=color, label=name,
        )  # fmt: skip


@styled
def by_landmark(performance: pl.DataFrame, endpoint: str, unit: str) -> Figure | None:
    """Draw AUC(t) and Brier score at every landmark, of every way to predict; None where nothing is known."""
    rows = performance.filter(
        (pl.col("endpoint") == endpoint)
        & pl.col("landmark").is_not_null()
        & pl.col("estimate").is_not_null()
        & pl.col("lower").is_not_null()
    )
    times = rows["landmark"].unique().sort().to_list()
    if not times:
        return None
    gap = min(np.diff(times), default=max(times[0], 1.0))
    figure = canvas(7.6, 3.5, left=0.085, right=0.99, top=0.80, bottom=0.15, wspace=0.24)
    left, right = figure.subplots(1, 2)
    _curves(left, rows.filter(metric="AUC(t)"), 0.11 * gap)
    left.axhline(0.5, color=INK, lw=0.6)
    left.set_ylabel("AUC at the end of the window")
    _curves(right, rows.filter(metric="Brier(t)"), 0.11 * gap)
    bare = rows.filter(metric="Brier(t) without predictors", predictors="mixed model").sort("landmark")
    right.plot(bare["landmark"], bare["estimate"], color=INK, lw=0.9, ls=(0, (1, 1)), label="without predictors")
    right.set_ylabel("Brier score (lower is better)")
    for axes in (left, right):
        axes.set_xticks(times)
        axes.set_xlabel(f"landmark ({unit or 'time'})")
    handles, labels = right.get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper right", ncols=3, fontsize=8, bbox_to_anchor=(0.995, 1.0))
    figure.text(0.01, 0.965, shorten(endpoint.replace("_", " "), 34), fontweight="bold", fontsize=9, va="top")
    best = rows.filter(metric="AUC(t)", predictors="mixed model").sort("landmark")
    told = ", ".join(f"{a:.2f} at {t:g}" for t, a in best.select("landmark", "estimate").iter_rows())
    return embed(
        figure,
        f"AUC and Brier score by landmark for {endpoint}; mixed model: AUC {told}",
        "Out-of-fold performance by landmark, with 95 % bootstrap intervals. At a landmark, only who is still at "
        "risk is compared, and only what had been measured by then predicts. All ways to predict share subjects and "
        "folds.",
    )


@styled
def calibration_by_landmark(calibration: pl.DataFrame, endpoint: str, unit: str) -> Figure | None:
    """Draw predicted against observed risk of the mixed model, one panel a landmark."""
    rows = calibration.filter(
        (pl.col("endpoint") == endpoint) & (pl.col("predictors") == "mixed model") & pl.col("observed").is_not_null()
    )
    times = rows["landmark"].unique().sort().to_list()
    if not times:
        return None
    times = [times[i] for i in np.unique(np.linspace(0, len(times) - 1, min(len(times), _PANELS)).astype(int))]
    rows = rows.filter(pl.col("landmark").is_in(times))
    highest = [float(rows[c].fill_null(0.0).max() or 0.0) for c in ("expected", "observed", "upper")]  # type: ignore[arg-type]
    top = min(1.0, 1.05 * max(*highest, 0.05))
    width = max(1.32 * len(times) + 0.7, 2.6)
    figure = canvas(width, 2.15, left=0.55 / width, right=0.99, top=0.86, bottom=0.23, wspace=0.12)
    panels = np.atleast_1d(figure.subplots(1, len(times), sharey=True, sharex=True))
    for axes, s in zip(panels, times, strict=True):
        part = rows.filter(landmark=s).sort("expected")
        x, y = part["expected"].to_numpy(), part["observed"].to_numpy()
        low, high = (part[c].cast(pl.Float64).fill_null(float("nan")).to_numpy() for c in ("lower", "upper"))
        bars = np.vstack([y - low, high - y])
        axes.plot([0, top], [0, top], color=INK, lw=0.6)
        axes.errorbar(x, y, yerr=np.nan_to_num(np.maximum(bars, 0.0)), color=ACCENT, fmt="o", ms=3.5, elinewidth=0.8)
        axes.set_xlim(0, top)
        axes.set_ylim(0, top)
        axes.set_title(f"{s:g} {unit}".strip(), fontsize=8)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            axis.set_major_locator(MaxNLocator(3))
    panels[0].set_ylabel("observed risk")
    figure.text(0.5, 0.02, "mean predicted risk of the quarter", ha="center", fontsize=8.5)
    return embed(
        figure,
        f"Predicted against observed risk by landmark for {endpoint}",
        "Calibration of the mixed model by landmark: a quarter of the subjects at risk a point, mean predicted risk "
        "out of fold against the Kaplan–Meier estimate with its 95 % interval. On the line: as predicted.",
    )


@dataclass(frozen=True, eq=False)
class Course:
    """What is shown of a subject.

    Parameters
    ----------
    subject : str
    risk : polars.DataFrame
        Its rows of ``monitoring/risk``.
    visits : polars.DataFrame
        Its rows of ``monitoring/visits``.
    end : float
        Time of the event or of the end of observation.
    event : str
        What was seen: ``event``, ``competing event`` or ``no event seen``.
    window : float
    unit : str
    """

    subject: str
    risk: pl.DataFrame
    visits: pl.DataFrame
    end: float
    event: str
    window: float
    unit: str


def course_of(tables: dict[str, pl.DataFrame], ends: pl.DataFrame, endpoint: str, subject: str) -> Course | None:
    """What is known of a subject; None where no risk was estimated.

    Parameters
    ----------
    tables : dict of str to polars.DataFrame
        Tables of room ``monitoring`` by name: risk, visits, landmarks.
    ends : polars.DataFrame
        Table ``cohort/endpoints``, or another with the columns subject, endpoint, time and event.
    endpoint, subject : str
    """
    own = (pl.col("endpoint") == endpoint) & (pl.col("subject") == subject)
    risk = tables["risk"].filter(own).sort("time")
    end = ends.filter(own)
    if not risk.height or not end.height:
        return None
    window, unit = tables["landmarks"].filter(endpoint=endpoint).select("window", "unit").row(0)
    time, event = end.select("time", "event").row(0)
    visits = tables["visits"].filter(own).sort("marker", "time")
    return Course(subject, risk, visits, float(time), _seen(event), float(window), str(unit))


def _seen(event: float | None) -> str:
    if event is None or event == 0:
        return "no event seen"
    return "event" if event == 1 else "competing event"


def example_subjects(risk: pl.DataFrame, ends: pl.DataFrame, endpoint: str, count: int = _EXAMPLES) -> list[str]:
    """Subjects whose risk moved most: half of them with the event, half without; of those with three visits or more."""
    rows = risk.filter(endpoint=endpoint).join(
        ends.filter(endpoint=endpoint).select("subject", pl.col("event").alias("happened")), on="subject"
    )
    moved = (
        rows.group_by("subject", "happened")
        .agg((pl.col("risk").max() - pl.col("risk").min()).alias("moved"), pl.len().alias("visits"))
        .filter(pl.col("visits") >= 3)
        .sort(["moved", "subject"], descending=[True, False])
    )
    with_event = moved.filter(pl.col("happened") == 1)["subject"].to_list()
    without = moved.filter(pl.col("happened") != 1)["subject"].to_list()
    first = with_event[: max(count // 2, count - len(without))]
    return [*first, *without[: count - len(first)]]


def _draw_course(marker: Axes, risk: Axes, course: Course) -> None:
    name = course.visits["marker"][0] if course.visits.height else ""
    part = course.visits.filter(marker=name)
    marker.plot(part["time"], part["value"], ls="none", marker="o", ms=3, color=INK)
    marker.plot(part["time"], part["expected"], color=GREY, lw=0.9)
    low, high = (course.risk[c].fill_null(strategy="forward").to_numpy() for c in ("lower", "upper"))
    time, value = course.risk["time"].to_numpy(), course.risk["risk"].to_numpy()
    risk.fill_between(time, low, high, color=ACCENT, alpha=0.18, lw=0)
    risk.plot(time, value, color=ACCENT, marker="o", ms=3)
    for axes in (marker, risk):
        axes.axvline(course.end, color=INK, lw=0.9, ls=_ENDS[course.event])
    risk.set_ylim(0, 1)
    risk.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    for axes in (marker, risk):
        axes.set_xlim(-0.02 * course.end, course.end * 1.04)
    marker.set_title(f"{shorten(course.subject, 18)}: {course.event}", fontsize=8)
    marker.tick_params(labelbottom=False)
    marker.yaxis.set_major_locator(MaxNLocator(3))
    risk.xaxis.set_major_locator(MaxNLocator(4))


@styled
def courses(shown: Sequence[Course], endpoint: str) -> Drawn | None:
    """Draw measurements and re-estimated risk of some subjects; None without any."""
    if not shown:
        return None
    columns = min(len(shown), 3)
    lines = -(-len(shown) // columns)
    width, height = 2.45 * columns + 0.25, 2.55 * lines + 0.45
    figure = canvas(width, height, left=0.62 / width, right=1 - 0.08 / width, top=1 - 0.3 / height,
                    bottom=0.5 / height)  # fmt: skip
    grid = figure.add_gridspec(lines, 1, hspace=0.32)
    for line in range(lines):
        inner = grid[line].subgridspec(2, columns, height_ratios=[1, 1.3], hspace=0.12, wspace=0.3)
        for k in range(columns):
            place = line * columns + k
            if place >= len(shown):
                continue
            top, bottom = figure.add_subplot(inner[0, k]), figure.add_subplot(inner[1, k])
            _draw_course(top, bottom, shown[place])
            if k == 0:
                markers = shown[place].visits["marker"]
                top.set_ylabel(shorten(markers[0] if len(markers) else "", 16), fontsize=7.5)
                bottom.set_ylabel("risk", fontsize=8)
    one = shown[0]
    figure.text(0.5, 0.12 / height, f"time ({one.unit or 'unit not given'})", ha="center", fontsize=8.5)
    window = f"{one.window:g} {one.unit}".strip()
    told = "; ".join(f"{c.subject}: {c.risk['risk'][0]:.0%} at first, {c.risk['risk'][-1]:.0%} at last" for c in shown)
    return Drawn(
        figure,
        f"Risk of {endpoint} re-estimated at each visit. {told}",
        f"Risk of {endpoint.replace('_', ' ')} within {window} of each visit (red, with its 95 % interval), by models "
        "that did not see the subject, below what was measured (dots) and the course that the mixed model sees in all "
        "of it (grey). Line: event (solid), competing event (dashed) or end of observation (dotted).",
    )
