"""Choice of therapy in pictures: effects in subgroups, benefit curves, calibration, balance and overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes

from radiolocus.report.blocks import Figure
from radiolocus.report.drawing import ACCENT, DARK, GREY, INK, LIGHT, canvas, embed, legend_above, shorten, styled
from radiolocus.report.numbers import interval, p_text, plural

__all__ = ["balance_plot", "benefit_curves", "calibration_plot", "interaction_forest", "overlap_plot"]

_MOST = 8
_PANELS = 6


@styled
def interaction_forest(interactions: pl.DataFrame, subgroups: pl.DataFrame, endpoint: str) -> Figure | None:
    """Draw the effect of treatment in the subgroups of the markers with the smallest p-values of interaction.

    None when no marker was tested.
    """
    mine = subgroups.filter(pl.col("endpoint") == endpoint)
    tests = interactions.filter(pl.col("endpoint") == endpoint).sort("neg_log_10_p_value", descending=True)
    tests = tests.join(mine.select("arm", "marker").unique(), on=["arm", "marker"], how="semi", maintain_order="left")
    chosen = list(tests.head(_MOST).iter_rows(named=True))
    if not chosen:
        return None
    blocks = [list(_subgroups(mine, r)) for r in chosen]
    rate = any(g["difference"] is not None for group in blocks for g in group)
    lines = sum(len(group) + 1 for group in blocks)
    height = 0.25 * lines + 0.85
    figure = canvas(8.2, height, left=0.34, right=0.66, top=1 - 0.25 / height, bottom=0.55 / height)
    axes = figure.add_subplot()
    y, right = 0.0, axes.get_yaxis_transform()
    for told, group in zip(chosen, blocks, strict=True):
        axes.text(
            -1.02, y, shorten(f"{told['arm']} × {told['marker']}", 44), transform=right, weight="bold", va="center"
        )
        text = f"p = {p_text(told['neg_log_10_p_value'])}, q = {_q(told['q_value'])}"
        axes.text(1.03, y, text, transform=right, va="center", color=ACCENT if told["q_value"] < 0.05 else INK)
        y += 1
        for row in group:
            _line(axes, row, y, rate)
            y += 1
    axes.axvline(0.0 if rate else 1.0, color=GREY, linewidth=0.8, zorder=0)
    axes.set_ylim(y - 0.4, -0.6)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    if rate:
        axes.set_xlabel(
            f"difference in the rate of {shorten(endpoint, 30)}, arm less {shorten(chosen[0]['control'], 16)}"
        )
    else:
        _ratio_axis(axes)
        axes.set_xlabel(f"hazard ratio of {shorten(endpoint, 30)}, arm against {shorten(chosen[0]['control'], 16)}")
    return embed(
        figure,
        f"Effect of treatment on {endpoint} in subgroups of {len(chosen)} markers",
        f"{endpoint}: effect of treatment within subgroups of the markers with the smallest p of interaction. "
        "Points with 95 % intervals; a number is divided at its median for this figure, its test is not. Beside them "
        "the likelihood-ratio p of treatment × marker, and q within its family of markers over all arms.",
    )


def _ratio_axis(axes: Axes) -> None:
    """A logarithmic axis with plain numbers; what lies beyond a factor of 50 is cut, its numbers stand beside it."""
    low, high = axes.dataLim.intervalx
    axes.set_xscale("log")
    low, high = max(min(0.85 * low, 0.8), 0.02), min(max(1.18 * high, 1.25), 50.0)
    axes.set_xlim(low, high)
    ticks = [t for t in (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0) if low <= t <= high]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.set_xticks([], minor=True)


def _subgroups(frame: pl.DataFrame, test: dict[str, Any]) -> list[dict[str, Any]]:
    rows = frame.filter((pl.col("arm") == test["arm"]) & (pl.col("marker") == test["marker"]))
    return list(rows.sort("order").iter_rows(named=True))


def _line(axes: Axes, row: dict[str, Any], y: float, rate: bool) -> None:
    names = ("difference", "difference_lower", "difference_upper") if rate else ("ratio", "ratio_lower", "ratio_upper")
    value, lower, upper = (row[n] for n in names)
    beside = axes.get_yaxis_transform()
    axes.text(-0.98, y, shorten(str(row["level"]), 22), transform=beside, va="center")
    counts = f"{row['events_treated']}/{row['n_treated']} vs {row['events_control']}/{row['n_control']}"
    axes.text(-0.04, y, counts, transform=beside, va="center", ha="right", color=GREY)
    if value is None:
        axes.text(1.03, y, "no estimate", transform=beside, va="center", color=GREY)
        return
    axes.plot([lower, upper], [y, y], color=DARK, linewidth=1.2, solid_capstyle="butt")
    axes.plot([value], [y], "s", color=DARK, markersize=4)
    axes.text(1.03, y, interval(value, lower, upper), transform=beside, va="center")


def _q(value: float) -> str:
    return p_text(-np.log10(value)) if value > 0 else "< 10⁻³⁰⁰"


def _panels(frame: pl.DataFrame) -> list[tuple[str, str, pl.DataFrame]]:
    keys = frame.select("endpoint", "arm").unique(maintain_order=True).head(_PANELS)
    return [
        (endpoint, arm, frame.filter((pl.col("endpoint") == endpoint) & (pl.col("arm") == arm)))
        for endpoint, arm in keys.iter_rows()
    ]


def _grid(count: int, height: float = 2.3) -> tuple[Any, Sequence[Axes]]:
    columns = min(3, count)
    rows = -(-count // columns)
    # Two panels' worth of width even for one: a single wide panel reads badly.
    figure = canvas(2.7 * max(columns, 2), height * rows + 0.5)
    grid = figure.subplots(rows, columns, squeeze=False)
    flat = list(grid.ravel())
    for axes in flat[count:]:
        axes.remove()
    return figure, flat[:count]


def _title(axes: Axes, endpoint: str, arm: str) -> None:
    axes.set_title(shorten(f"{arm}: {endpoint.replace('_', ' ')}", 34))


@styled
def benefit_curves(curve: pl.DataFrame, learner: str) -> Figure | None:
    """Draw the mean benefit of those of highest predicted benefit, over the share treated.

    None without a curve of that learner.
    """
    panels = _panels(curve.filter(pl.col("learner") == learner))
    if not panels:
        return None
    figure, grid = _grid(len(panels))
    for axes, (endpoint, arm, rows) in zip(grid, panels, strict=True):
        share, value, lower, upper = (rows[c].to_numpy() for c in ("share_treated", "estimate", "lower", "upper"))
        axes.fill_between(share, lower, upper, color=LIGHT, linewidth=0)
        axes.plot(share, value, color=DARK)
        axes.axhline(value[-1], color=ACCENT, linewidth=0.9, linestyle="--")
        axes.axhline(0.0, color=GREY, linewidth=0.7)
        axes.set_xlim(0.0, 1.0)
        _title(axes, endpoint, arm)
        axes.set_xlabel("share treated, highest prediction first")
        axes.set_ylabel("mean benefit")
    figure.tight_layout()
    return embed(
        figure,
        f"Benefit curves of {plural(len(panels), 'arm')}",
        f"Mean benefit of those treated when the highest prediction is treated first ({learner}, out of fold; band: "
        "95 % bootstrap interval, point by point). Dashed: treating as many by lot. A curve that does not leave the "
        "dashed line says that the prediction does not tell who benefits more.",
    )


@styled
def calibration_plot(groups: pl.DataFrame, learner: str) -> Figure | None:
    """Draw the estimated against the predicted benefit of groups; None without groups of that learner."""
    panels = _panels(groups.filter(pl.col("learner") == learner))
    if not panels:
        return None
    figure, grid = _grid(len(panels))
    for axes, (endpoint, arm, rows) in zip(grid, panels, strict=True):
        predicted, value, lower, upper = (rows[c].to_numpy() for c in ("predicted", "estimate", "lower", "upper"))
        low, high = float(min(predicted.min(), lower.min())), float(max(predicted.max(), upper.max()))
        axes.plot([low, high], [low, high], color=GREY, linewidth=0.8, linestyle="--")
        axes.errorbar(predicted, value, yerr=[value - lower, upper - value], fmt="o", color=DARK, markersize=4, lw=1.1)
        axes.axhline(0.0, color=GREY, linewidth=0.7)
        _title(axes, endpoint, arm)
        axes.set_xlabel("predicted benefit")
        axes.set_ylabel("estimated benefit")
    figure.tight_layout()
    return embed(
        figure,
        f"Calibration of predicted benefit in {plural(len(panels), 'arm')}",
        f"Benefit in groups of rising prediction ({learner}, out of fold): doubly robust estimate with 95 % interval "
        "against the mean prediction. Dashed: equal.",
    )


@styled
def balance_plot(balance: pl.DataFrame) -> Figure | None:
    """Draw standardised differences before and after overlap weights; None where there are none."""
    known = balance.filter(pl.col("difference").is_not_null())
    first = known["endpoint"].first() if known.height else None
    panels = _panels(known.filter(pl.col("endpoint") == first)) if known.height else []
    if not panels:
        return None
    shown = [rows.sort(pl.col("difference").abs(), descending=True).head(12) for _, _, rows in panels]
    tall = max(rows.height for rows in shown)
    figure, grid = _grid(len(panels), 0.2 * tall + 0.8)
    for axes, (_, arm, _), rows in zip(grid, panels, shown, strict=True):
        y = np.arange(rows.height)
        axes.axvspan(-0.1, 0.1, color=LIGHT, alpha=0.5, linewidth=0)
        axes.plot(rows["difference"], y, "o", color=DARK, markersize=4, label="as it is")
        weighted = rows["difference_weighted"].cast(pl.Float64).fill_null(float("nan"))
        if weighted.is_not_nan().any():
            axes.plot(weighted, y, "D", color=ACCENT, markersize=3.5, mfc="white", label="overlap weights")
        axes.set_yticks(y, [shorten(c, 22) for c in rows["covariate"]], fontsize=7)
        axes.set_ylim(tall - 0.5, -0.5)
        axes.axvline(0.0, color=GREY, linewidth=0.7)
        axes.set_title(shorten(arm, 24))
        axes.set_xlabel("standardised difference")
    figure.tight_layout(rect=(0, 0, 1, 0.94))
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper right", ncols=2)
    return embed(
        figure,
        f"Standardised differences of {plural(len(panels), 'arm')}",
        "Differences between arm and control in standard deviations, the 12 largest of each arm. Grey: up to 0.1, "
        "which counts as balanced.",
    )


@styled
def overlap_plot(propensity: pl.DataFrame) -> Figure | None:
    """Draw the probabilities of treatment of both groups; None where there are none."""
    first = propensity["endpoint"].first() if propensity.height else None
    panels = _panels(propensity.filter(pl.col("endpoint") == first)) if propensity.height else []
    if not panels:
        return None
    figure, grid = _grid(len(panels), 1.8)
    edges = np.linspace(0.0, 1.0, 26)
    for axes, (_, arm, rows) in zip(grid, panels, strict=True):
        groups = (rows.filter(pl.col("treated")), rows.filter(~pl.col("treated")))
        for group, sign, colour, name in zip(groups, (1, -1), (DARK, GREY), ("arm", "control"), strict=True):
            count, _ = np.histogram(group["propensity"].to_numpy(), edges)
            axes.bar(edges[:-1], sign * count, width=edges[1], align="edge", color=colour, label=name)
        axes.axhline(0.0, color=INK, linewidth=0.7)
        axes.set_xlim(0.0, 1.0)
        axes.set_title(shorten(arm, 24))
        axes.set_xlabel("probability of the arm")
        axes.set_ylabel("subjects")
        axes.yaxis.set_major_formatter(lambda v, _: f"{abs(v):.0f}")
    legend_above(grid[0], 2)
    figure.tight_layout()
    return embed(
        figure,
        f"Overlap of the probabilities of treatment of {plural(len(panels), 'arm')}",
        "Probability of the arm, out of fold, of those who had it (above) and of the controls (below). Where only one "
        "side has bars, nobody can be compared.",
    )
