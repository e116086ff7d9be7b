"""What models lean on, in pictures: importance, contributions, nomogram, ratios, and effects over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import MaxNLocator

from radiolocus.model import Array
from radiolocus.report.blocks import Figure
from radiolocus.report.drawing import ACCENT, DARK, GREY, INK, LIGHT, canvas, embed, shorten, styled
from radiolocus.report.numbers import interval, number, p_text

__all__ = ["beeswarm", "importance_bars", "nomogram", "ratios", "schoenfeld"]

_TOP = 15
_LOW_HIGH = LinearSegmentedColormap.from_list("low to high", ["#1d3557", "#8fa3b8", "#d9a7a0", "#b2342a"])
OTHERS = "(other predictors)"


def _rows_axes(
    count: int, left: float, width: float = 4.25, top: float = 0.42, bottom: float = 0.5
) -> tuple[Any, Axes]:
    height = 0.21 * max(3, count) + top + bottom
    figure = canvas(width, height, left=left, right=0.96, top=1 - top / height, bottom=bottom / height)
    axes = figure.add_subplot()
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=LIGHT, lw=0.5)
    axes.set_axisbelow(True)
    axes.set_ylim(count - 0.4, -0.6)
    return figure, axes


def _name(rows: pl.DataFrame) -> tuple[str, str]:
    return str(rows["endpoint"][0]).replace("_", " "), f"{rows['predictors'][0]} predictors, {rows['model'][0]}"


@styled
def importance_bars(importance: pl.DataFrame) -> Figure | None:
    """Draw what shuffling each predictor of one model costs, with its interval; None when nothing was shuffled."""
    known = importance.filter(pl.col("importance").is_not_null()).sort(
        ["importance", "predictor"], descending=[True, False]
    )
    if not known.height:
        return None
    shown = known.head(_TOP)
    figure, axes = _rows_axes(shown.height, 0.5)
    for i, row in enumerate(shown.iter_rows(named=True)):
        if row["lower"] is not None:
            axes.plot([row["lower"], row["upper"]], [i, i], color=DARK, lw=1.4, solid_capstyle="butt")
        axes.plot(row["importance"], i, marker="D", ms=4.5, color=DARK, mec="white", mew=0.5)
    axes.axvline(0.0, color=INK, lw=0.9, ls=(0, (4, 2)), zorder=0)
    axes.set_yticks(np.arange(shown.height), [shorten(n, 34) for n in shown["predictor"]], fontsize=7.5)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel("C or AUC lost by shuffling")
    endpoint, model = _name(importance)
    figure.text(0.02, 0.985, f"Importance: {shorten(endpoint, 40)}", fontweight="bold", fontsize=9, va="top")
    most = f" The {shown.height} largest of {known.height}." if known.height > shown.height else ""
    return embed(
        figure,
        f"Permutation importance of {shown.height} predictors of {endpoint}",
        f"Permutation importance for {endpoint} ({model}): what Harrell's C or the AUC loses when a predictor is "
        f"shuffled among held-out subjects, with 95 % bootstrap intervals.{most} Correlated predictors stand in for "
        "each other, so that each of them seems to matter less.",
        half=True,
    )


@styled
def beeswarm(shap: pl.DataFrame, scale: str) -> Figure:
    """Draw the contributions of the leading predictors to each subject's out-of-fold prediction."""
    own = shap.filter(pl.col("predictor") != OTHERS)
    size = (
        own.group_by("predictor")
        .agg(pl.col("contribution").abs().mean())
        .sort(["contribution", "predictor"], descending=[True, False])
    )
    names = size.filter(pl.col("contribution") > 0).head(_TOP)["predictor"].to_list()
    figure, axes = _rows_axes(max(1, len(names)), 0.5)
    for i, name in enumerate(names):
        part = own.filter(pl.col("predictor") == name)
        x = part["contribution"].to_numpy()
        place = i + _spread(x)
        share = _ranks(part)
        axes.scatter(x, place, c=[GREY] * len(x) if share is None else _LOW_HIGH(share), s=9, linewidths=0, alpha=0.9)
    axes.axvline(0.0, color=INK, lw=0.9, ls=(0, (4, 2)), zorder=0)
    axes.set_yticks(np.arange(len(names)), [shorten(n, 34) for n in names], fontsize=7.5)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel(f"contribution ({scale})")
    endpoint, model = _name(shap)
    figure.text(0.02, 0.985, f"Contributions: {shorten(endpoint, 40)}", fontweight="bold", fontsize=9, va="top")
    return embed(
        figure,
        f"Contributions of {len(names)} predictors to the predictions of {endpoint}",
        f"Shapley values for {endpoint} ({model}): what each predictor added to the out-of-fold prediction of each "
        f"subject ({scale}), mean over repetitions. Dark blue: low values of the predictor, red: high, grey: a "
        "category or missing. They tell what the model does, not what the disease does.",
        half=True,
    )


def _spread(x: Array) -> Array:
    """Offsets that set points of about equal value apart, the same each time."""
    if len(x) < 2 or np.ptp(x) == 0:
        return np.linspace(-0.3, 0.3, len(x)) if len(x) > 1 else np.zeros(len(x))
    bins = np.clip(((x - x.min()) / np.ptp(x) * 40).astype(int), 0, 39)
    offset = np.zeros(len(x))
    for b in np.unique(bins):
        rows = np.flatnonzero(bins == b)
        offset[rows] = (np.arange(rows.size) - (rows.size - 1) / 2) * min(0.08, 0.7 / max(1, rows.size))
    return offset


def _ranks(part: pl.DataFrame) -> Array | None:
    """Rank of each subject's value, 0 to 1; None where the predictor is no number throughout."""
    if part["value"].null_count() == part.height:
        return None
    rank = part["value"].rank("average").fill_null(strategy="mean").to_numpy()
    return np.asarray((rank - 1) / max(1, part.height - 1), dtype=np.float64)


@styled
def ratios(table: pl.DataFrame) -> Figure:
    """Draw hazard or odds ratios with their intervals on a logarithmic axis."""
    rows = list(table.iter_rows(named=True))
    height = 0.25 * len(rows) + 0.9
    figure = canvas(7.6, height, left=0.30, right=0.66, top=1 - 0.34 / height, bottom=0.46 / height)
    axes = figure.add_subplot()
    axes.set_xscale("log")
    for i, row in enumerate(rows):
        told = "no finite estimate (separation)"
        if row["estimate"] is not None:
            axes.plot([row["lower"], row["upper"]], [i, i], color=DARK, lw=1.6, solid_capstyle="butt")
            axes.plot(row["estimate"], i, marker="s", ms=5, color=DARK, mec="white", mew=0.6)
            told = f"{interval(row['estimate'], row['lower'], row['upper'])}   p = {p_text(row['neg_log_10_p_value'])}"
        axes.text(1.04, i, told, transform=axes.get_yaxis_transform(), va="center", clip_on=False, fontsize=7.5)
    labels = [f"{shorten(r['covariate'], 36)}\n{_unit(r['unit'])}" for r in rows]
    axes.set_yticks(np.arange(len(rows)), labels, fontsize=6.8)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.axvline(1.0, color=INK, lw=0.9, ls=(0, (4, 2)), zorder=0)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    ends = [v for r in rows for v in (r["lower"], r["upper"]) if v is not None] or [1.0]
    axes.set_xlim(max(0.02, min(0.5, min(ends) / 1.2)), min(50.0, max(2.0, max(ends) * 1.2)))
    ticks = [
        t for t in (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if axes.get_xlim()[0] <= t <= axes.get_xlim()[1]
    ]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.set_xlabel(f"{rows[0]['measure']} (logarithmic)")
    endpoint, predictors = str(table["endpoint"][0]).replace("_", " "), table["predictors"][0]
    title = f"{shorten(endpoint, 44)}: {predictors}, unpenalised {table['model'][0]} model of everybody"
    figure.text(0.02, 1 - 0.05 / height, title, fontweight="bold", fontsize=9, va="top")
    chosen = table["chosen"][0]
    each = rows[0]["events"] / len(rows)
    return embed(
        figure,
        f"Forest plot of {len(rows)} {rows[0]['measure']}s of {endpoint}",
        f"{rows[0]['measure'].capitalize()}s of all columns together, with 95 % Wald intervals ({rows[0]['n']} "
        f"subjects, {rows[0]['events']} events, {number(each, 2)} for each column). Missing values were imputed. "
        + (
            "The columns were chosen on this outcome: intervals are too narrow, p-values too small, and ratios too far "
            "from 1. "
            if chosen
            else ""
        )
        + "Description of these subjects; how well the model predicts others is told out of fold.",
    )


def _unit(unit: str) -> str:
    return f"per {unit}" if unit.startswith("standard") else unit


@styled
def schoenfeld(curves: pl.DataFrame, tests: pl.DataFrame, unit: str) -> Figure:
    """Draw scaled Schoenfeld residuals of one endpoint, predictors and model, a panel a covariate."""
    names = curves["covariate"].unique(maintain_order=True).to_list()
    columns = min(3, len(names))
    lines = -(-len(names) // columns)
    width = 2.55 * columns + 0.5
    figure = canvas(
        width, 2.15 * lines + 0.45, left=0.6 / width, right=0.985, hspace=0.55, wspace=0.38,
        top=1 - 0.52 / (2.15 * lines + 0.45), bottom=0.45 / (2.15 * lines + 0.45),
    )  # fmt: skip
    p = dict(tests.select("covariate", "neg_log_10_p_value").iter_rows())
    for k, name in enumerate(names):
        axes = figure.add_subplot(lines, columns, k + 1)
        part = curves.filter(pl.col("covariate") == name)
        dots, line = part.filter(part="residual"), part.filter(part="smooth").sort("transformed")
        axes.plot(dots["transformed"], dots["estimate"], ls="none", marker=".", ms=4, color=GREY, alpha=0.8)
        if line.height:
            axes.plot(line["transformed"], line["estimate"], color=ACCENT, lw=1.6)
            axes.fill_between(
                line["transformed"].to_numpy(), line["lower"].to_numpy(), line["upper"].to_numpy(),
                facecolor=ACCENT, alpha=0.15, linewidth=0,
            )  # fmt: skip
        axes.axhline(0.0, color=INK, lw=0.7, ls=(0, (4, 2)))
        at, labels = _clock(dots)
        axes.set_xticks(at, labels, fontsize=7)
        axes.tick_params(axis="y", labelsize=7)
        axes.set_title(f"{shorten(name, 26)}, p = {p_text(p.get(name))}", fontsize=7.5, fontweight="normal")
        if k % columns == 0:
            axes.set_ylabel("log ratio", fontsize=7.5)
        if k >= len(names) - columns:
            axes.set_xlabel(f"time ({unit or 'unit not given'})", fontsize=7.5)
    endpoint = str(curves["endpoint"][0]).replace("_", " ")
    head = f"{shorten(endpoint, 40)}: {curves['predictors'][0]}, {curves['model'][0]}"
    figure.text(0.01, 0.99, head, fontweight="bold", fontsize=9, va="top")
    return embed(
        figure,
        f"Scaled Schoenfeld residuals of {len(names)} covariates of {endpoint}",
        f"Does the effect stay? Scaled Schoenfeld residuals of {head}, each the log hazard ratio that one event "
        "suggests, with a natural spline and a band of two standard errors; p: score test of no change with time "
        "(Grambsch & Therneau 1994). Time runs as one less Kaplan–Meier. A level line is proportional hazards.",
        half=columns < 3,
    )


def _clock(dots: pl.DataFrame) -> tuple[list[float], list[str]]:
    """Ticks at times of events, where they lie on the transformed axis."""
    at, time = dots["transformed"].to_numpy(), dots["time"].to_numpy()
    wanted = np.linspace(at.min(), at.max(), 4)
    rows = np.unique([int(np.argmin(np.abs(at - w))) for w in wanted])
    return at[rows].tolist(), [f"{t:.3g}" if t < 1e4 else f"{t:.0f}" for t in time[rows]]


@styled
def nomogram(axes_of: pl.DataFrame, risk: pl.DataFrame, unit: str) -> Figure:
    """Draw the model of everybody as a nomogram.

    Parameters
    ----------
    axes_of, risk : polars.DataFrame
        Rows of ``outcome/nomogram`` and ``outcome/nomogram_risk`` of one endpoint, set of predictors and model.
    unit : str
    """
    parts = [part for _, part in axes_of.sort("axis").group_by(["axis", "predictor", "kind"], maintain_order=True)]
    times = risk["time"].unique(maintain_order=True).to_list()
    lines = 1 + len(parts) + 1 + len(times)
    height = 0.42 * lines + 0.5
    figure = canvas(7.6, height, left=0.27, right=0.985, top=1 - 0.42 / height, bottom=0.05 / height)
    sheet = figure.add_subplot()
    sheet.set_axis_off()
    sheet.set_xlim(-2, 102)
    sheet.set_ylim(lines - 0.35, -0.5)
    _scale(sheet, 0, "points", [(float(v), f"{v:g}") for v in range(0, 101, 10)])
    for i, part in enumerate(parts, start=1):
        ends = (float(part["points"].min()), float(part["points"].max()))  # type: ignore[arg-type]
        _scale(sheet, i, str(part["predictor"][0]), _ticks(part), ends)
    most = float(risk["points"].max())  # type: ignore[arg-type]
    stretch = 100.0 / most
    totals = [t for t in MaxNLocator(10).tick_values(0, most) if 0 <= t <= most]
    _scale(sheet, len(parts) + 1, "total points", [(t * stretch, f"{t:g}") for t in totals])
    for i, time in enumerate(times, start=len(parts) + 2):
        own = risk.filter(pl.col("time").is_null() if time is None else pl.col("time") == time).sort("points")
        label = "probability" if time is None else f"risk by {time:g} {unit}".rstrip()
        _scale(sheet, i, label, _risk_ticks(own, stretch))
    endpoint, model = _name(axes_of)
    figure.text(0.01, 1 - 0.06 / height, f"Nomogram: {shorten(endpoint, 50)}", fontweight="bold", fontsize=9, va="top")
    return embed(
        figure,
        f"Nomogram of {endpoint} with {len(parts)} axes",
        f"Nomogram of the model of everybody for {endpoint} ({model}): read the points above each value, add them up, "
        "and read the risk below the sum. Ranges are those of these subjects. For understanding, not for use: apply a "
        "locked model (radiolocus lock, predict), and judge it by its out-of-fold performance.",
    )


def _scale(
    sheet: Axes, y: float, label: str, ticks: Sequence[tuple[float, str]], ends: tuple[float, float] | None = None
) -> None:
    """One axis: a line from end to end, and ticks whose labels leave each other room."""
    bold = "normal" if ends else "bold"
    sheet.text(-3, y, shorten(label, 36), ha="right", va="center", fontsize=7.5, fontweight=bold)
    xs = [*(x for x, _ in ticks), *(ends or ())]
    if not xs:
        return
    sheet.plot([min(xs), max(xs)], [y, y], color=INK, lw=0.8)
    free = {1: -1e9, -1: -1e9}
    for x, text in sorted(ticks):
        half = 0.55 * max(1, len(text))
        # Below the line where there is room, else above it.
        side = next((s for s in (1, -1) if x - half > free[s]), 0)
        sheet.plot([x, x], [y, y + 0.13 * (side or 1)], color=INK, lw=0.8)
        if side:
            sheet.text(x, y + 0.17 * side, text, ha="center", va="top" if side > 0 else "bottom", fontsize=6.5)
            free[side] = x + half


def _ticks(part: pl.DataFrame) -> list[tuple[float, str]]:
    points = part["points"].to_list()
    if part["kind"][0] not in ("number", "score"):
        return [(p, _category(label)) for p, label in zip(points, part["label"], strict=True)]
    low, high = part["value"].to_list()
    if high == low:
        return [(points[0], number(low))]
    inner = [v for v in MaxNLocator(5).tick_values(low, high) if low <= v <= high]
    return [(points[0] + (v - low) / (high - low) * (points[1] - points[0]), _plain(v)) for v in inner]


def _category(label: str) -> str:
    several = label.count(" or ")
    return shorten(label, 22) if several < 2 else f"{several + 1} others"


def _plain(value: float) -> str:
    return (
        f"{value:.4g}".replace("-", "−") if abs(value) < 1e5 else f"{value:.2g}".replace("e+0", "e").replace("e+", "e")
    )


def _risk_ticks(own: pl.DataFrame, stretch: float) -> list[tuple[float, str]]:
    risk, points = own["risk"].to_numpy(), own["points"].to_numpy()
    wanted = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99]
    inside = [r for r in wanted if risk[0] <= r <= risk[-1]]
    if len(inside) < 4:
        inside = [r for r in MaxNLocator(6).tick_values(risk[0], risk[-1]) if risk[0] <= r <= risk[-1]]
    return [(float(np.interp(r, risk, points)) * stretch, f"{r:.3g}") for r in inside]
