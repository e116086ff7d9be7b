"""Links between imaging features and molecular markers: the volcano."""

from __future__ import annotations

import numpy as np
import polars as pl

from radiolocus.report.blocks import Figure
from radiolocus.report.drawing import ACCENT, DARK, GREY, INK, canvas, embed, legend_above, shorten, styled
from radiolocus.report.labels import label_rails
from radiolocus.report.numbers import count, p_text

__all__ = ["bh_line", "volcano"]

_Y = "neg_log_10_p_value"
FDR = 0.05


def bh_line(link: pl.DataFrame) -> float | None:
    """−log10 of the largest p-value whose false discovery rate is below 5 %; None when no test passes."""
    passing = link.filter(pl.col("q_value") < FDR)[_Y]
    return float(passing.min()) if passing.len() else None  # type: ignore[arg-type]


@styled
def volcano(link: pl.DataFrame) -> Figure:
    """Draw correlation against −log10 p for every feature and marker, with the Benjamini–Hochberg line."""
    known = link.filter(pl.col(_Y).is_finite() & pl.col("correlation").is_finite()).sort(
        [_Y, "feature", "marker"], descending=[True, False, False]
    )
    figure = canvas(7.6, 4.6, left=0.08, right=0.86, top=0.92, bottom=0.11)
    axes = figure.add_subplot()
    passes = (known["q_value"] < FDR).fill_null(value=False).to_numpy()
    x, y = known["correlation"].to_numpy(), known[_Y].to_numpy()
    dense = known.height > 300
    axes.scatter(x[~passes], y[~passes], s=7, color=GREY, linewidths=0, rasterized=dense, label="q ≥ 0.05")
    for kind, marker in (("binary", "o"), ("continuous", "^")):
        chosen = passes & (known["marker_kind"] == kind).to_numpy()
        if chosen.any():
            axes.scatter(
                x[chosen],
                y[chosen],
                s=18,
                marker=marker,
                color=DARK,
                linewidths=0.4,
                edgecolors=INK,
                rasterized=dense,
                label=f"q < 0.05, {kind} marker",
                zorder=3,
            )
    limit = min(1.0, max(0.2, float(np.abs(x).max(initial=0.0)) * 1.35))
    top = max(2.0, float(y.max(initial=0.0)) * 1.12)
    axes.set_xlim(-limit, limit)
    axes.set_ylim(0, top)
    axes.axvline(0, color=GREY, lw=0.6, zorder=0)
    level = bh_line(known)
    if level is not None:
        axes.axhline(level, color=ACCENT, lw=0.9, ls=(0, (5, 2)), zorder=0)
        axes.annotate(
            f"false discovery\nrate 5 %\np = {p_text(level)}",
            (1.0, level),
            xytext=(4, 0),
            fontsize=7.5,
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            color=ACCENT,
            annotation_clip=False,
        )
    axes.set_xlabel("(partial) correlation of feature and marker (no unit)")
    axes.set_ylabel("−log₁₀ p")
    legend_above(axes)
    # One label a marker would hide that several features carry one signal, so the strongest pairs are named.
    named = known.head(min(10, int(passes.sum())))
    label_rails(
        axes,
        named["correlation"].to_list(),
        named[_Y].to_list(),
        [f"{shorten(f, 28)} · {shorten(m, 20)}" for f, m in named.select("feature", "marker").iter_rows()],
        avoid=np.column_stack([x, y])[passes],
        size=7.0,
    )
    line = "" if level is not None else " No pair reaches a false discovery rate of 5 %, so no line is drawn."
    return embed(
        figure,
        f"Volcano plot of {count(known.height)} pairs of imaging feature and molecular marker",
        f"{count(known.height)} pairs of imaging feature and molecular marker: correlation (after the covariates, "
        "where "
        f"there are any) against −log10 p. Benjamini–Hochberg over all pairs.{line}",
    )
