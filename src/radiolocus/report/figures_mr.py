"""Mendelian randomisation in four pictures: scatter with the lines, forest, funnel, and leaving one out."""

from __future__ import annotations

import numpy as np
import polars as pl
from matplotlib.axes import Axes

from radiolocus.model import Array
from radiolocus.report.blocks import Figure
from radiolocus.report.drawing import ACCENT, DARK, GREY, INK, LIGHT, canvas, embed, legend_above, shorten, styled

__all__ = ["forest", "funnel", "left_out", "scatter"]

_Z95 = 1.959963984540054
_LINES = {
    "inverse variance, random effects": (ACCENT, "-"),
    "Wald ratio": (ACCENT, "-"),
    "Egger": (DARK, (0, (5, 2))),
    "weighted median": (INK, (0, (1, 1.5))),
    "weighted mode": (GREY, (0, (4, 1, 1, 1))),
}
_ROWS = 60


def _told(pair: tuple[str, str]) -> str:
    return f"{pair[0]} on {pair[1]}"


@styled
def scatter(pair: tuple[str, str], instruments: pl.DataFrame, estimates: pl.DataFrame, intercept: float) -> Figure:
    """Effects on the outcome against effects on the exposure, each instrument coded to raise the exposure."""
    figure = canvas(4.6, 4.0, left=0.16, right=0.96, top=0.8, bottom=0.14)
    axes = figure.add_subplot()
    sign = np.sign(instruments["beta_exposure"].to_numpy())
    x, y = sign * instruments["beta_exposure"].to_numpy(), sign * instruments["beta_outcome"].to_numpy()
    sx, sy = (instruments[f"standard_error_{n}"].to_numpy() for n in ("exposure", "outcome"))
    axes.errorbar(x, y, xerr=_Z95 * sx, yerr=_Z95 * sy, fmt="none", ecolor=LIGHT, elinewidth=0.7, zorder=1)
    axes.scatter(x, y, s=12, color=INK, linewidths=0, zorder=3)
    far = float((x + _Z95 * sx).max()) * 1.05
    axes.set_xlim(0, far)
    for row in estimates.iter_rows(named=True):
        if row["method"] in _LINES:
            colour, dash = _LINES[row["method"]]
            start = intercept if row["method"] == "Egger" else 0.0
            ends = np.array([0.0, far])
            label = shorten(row["method"].replace(", random effects", ""), 24)
            axes.plot(ends, start + row["estimate"] * ends, color=colour, ls=dash, lw=1.3, label=label, zorder=2)
    axes.axhline(0, color=GREY, lw=0.6, zorder=0)
    axes.set_xlabel("effect on the exposure per allele")
    axes.set_ylabel("effect on the outcome per allele")
    legend_above(axes, columns=2)
    return embed(
        figure, f"Scatter of the effects of {instruments.height} instruments, {_told(pair)}",
        f"{_told(pair)}: effects of {instruments.height} instruments with 95 % intervals, per allele that raises the "
        "exposure. The slope of a line is the estimate; Egger's line need not start at zero.", half=True,
    )  # fmt: skip


def _rows(axes: Axes, names: list[str], estimate: Array, width: Array, first_summary: int) -> None:
    """Estimates with intervals of half widths from above; from `first_summary` on they are summaries."""
    at = np.arange(len(names))[::-1]
    summary = np.arange(len(names)) >= first_summary
    for chosen, colour, marker, size in ((~summary, INK, "o", 2.5), (summary, ACCENT, "D", 4.0)):
        if chosen.any():
            axes.errorbar(
                estimate[chosen], at[chosen], xerr=width[chosen], fmt=marker, ms=size, color=colour,
                elinewidth=0.8,
            )  # fmt: skip
    axes.axvline(0, color=GREY, lw=0.6, zorder=0)
    axes.set_yticks(at, [shorten(name, 34) for name in names], fontsize=7.0)
    axes.set_ylim(-0.8, len(names) - 0.2)


def _height(rows: int) -> float:
    return 0.9 + 0.16 * max(rows, 5)


@styled
def forest(pair: tuple[str, str], instruments: pl.DataFrame, estimates: pl.DataFrame) -> Figure:
    """Wald ratio of every instrument, and the estimates of all together below."""
    shown = instruments.sort("estimate", descending=True)
    cut = shown.height > _ROWS
    if cut:  # the most precise, in their order
        shown = shown.sort("standard_error").head(_ROWS).sort("estimate", descending=True)
    names = [*shown["variant_id"].fill_null("?"), *estimates["method"]]
    figure = canvas(5.4, _height(len(names)), left=0.36, right=0.96, top=0.98, bottom=0.5 / _height(len(names)))
    axes = figure.add_subplot()
    estimate = np.concatenate([shown["estimate"].to_numpy(), estimates["estimate"].to_numpy()])
    width = [_Z95 * shown["standard_error"].to_numpy(), (estimates["upper"] - estimates["estimate"]).to_numpy()]
    _rows(axes, names, estimate, np.concatenate(width), shown.height)
    axes.set_xlabel("effect of the exposure on the outcome")
    note = f" The {_ROWS} most precise of {instruments.height} are shown." if cut else ""
    return embed(
        figure, f"Forest plot of {shown.height} Wald ratios, {_told(pair)}",
        f"{_told(pair)}: Wald ratio of each instrument and the estimates of all, with 95 % intervals.{note}", half=True,
    )  # fmt: skip


@styled
def funnel(pair: tuple[str, str], instruments: pl.DataFrame, estimates: pl.DataFrame) -> Figure:
    """Precision of each Wald ratio against the ratio: lopsided where direct effects lean one way."""
    figure = canvas(4.6, 4.0, left=0.14, right=0.96, top=0.8, bottom=0.14)
    axes = figure.add_subplot()
    axes.scatter(
        instruments["estimate"], 1 / instruments["standard_error"].to_numpy(), s=12, color=INK, linewidths=0, zorder=3
    )  # fmt: skip
    for row in estimates.iter_rows(named=True):
        if row["method"] in _LINES and row["method"] != "weighted mode":
            colour, dash = _LINES[row["method"]]
            label = shorten(row["method"].replace(", random effects", ""), 24)
            axes.axvline(row["estimate"], color=colour, ls=dash, lw=1.2, label=label)
    axes.set_ylim(0, None)
    axes.set_xlabel("Wald ratio")
    axes.set_ylabel("1 / standard error")
    legend_above(axes, columns=2)
    return embed(
        figure, f"Funnel plot of {instruments.height} Wald ratios, {_told(pair)}",
        f"{_told(pair)}: precision of each Wald ratio. Asymmetry about the estimate speaks of directional pleiotropy.",
        half=True,
    )  # fmt: skip


@styled
def left_out(pair: tuple[str, str], leave: pl.DataFrame, estimates: pl.DataFrame) -> Figure:
    """Inverse-variance estimate without each instrument."""
    whole = estimates.filter(pl.col("method") == "inverse variance, random effects").row(0, named=True)
    move = (pl.col("estimate") - whole["estimate"]).abs()
    cut = leave.height > _ROWS
    shown = leave.sort(move, descending=True).head(_ROWS).sort("estimate", descending=True)
    names = [*shown["left_out"].fill_null("?"), "none left out"]
    figure = canvas(5.4, _height(len(names)), left=0.36, right=0.96, top=0.98, bottom=0.5 / _height(len(names)))
    axes = figure.add_subplot()
    estimate = np.append(shown["estimate"].to_numpy(), whole["estimate"])
    error = np.append(shown["standard_error"].to_numpy(), whole["standard_error"])
    _rows(axes, names, estimate, _Z95 * error, shown.height)
    axes.set_xlabel("effect of the exposure on the outcome")
    note = f" The {_ROWS} that move it most of {leave.height} are shown." if cut else ""
    return embed(
        figure, f"Estimates without one of {leave.height} instruments, {_told(pair)}",
        f"{_told(pair)}: inverse-variance estimate (random effects) without each instrument, with "
        f"95 % intervals.{note}", half=True,
    )  # fmt: skip
