"""Running sums of gene sets, batches before and after, and a second cohort beside the first."""

from __future__ import annotations

import numpy as np
import polars as pl

from radiolocus.report.blocks import Figure
from radiolocus.report.drawing import ACCENT, DARK, GREY, INK, LIGHT, canvas, embed, legend_above, shorten, styled
from radiolocus.report.numbers import count, number, plural

__all__ = ["batch_figure", "replication_figure", "running_sums"]

_SHOWN = 25


@styled
def running_sums(frame: pl.DataFrame, enrichment: pl.DataFrame) -> Figure | None:
    """Draw the running sum of each pair of ``link/running_sum``, side by side."""
    pairs = frame.select("feature", "gene_set").unique(maintain_order=True).rows()
    if not pairs:
        return None
    figure = canvas(2.75 * max(len(pairs), 2), 3.5)
    told = {(r["feature"], r["gene_set"]): r for r in enrichment.iter_rows(named=True)}
    grid = figure.add_gridspec(
        3, len(pairs), height_ratios=(3.0, 0.45, 1.1), hspace=0.09, wspace=0.42, left=0.1 if len(pairs) > 1 else 0.16,
        right=0.985, top=0.84, bottom=0.12,
    )  # fmt: skip
    for k, (feature, name) in enumerate(pairs):
        part = frame.filter((pl.col("feature") == feature) & (pl.col("gene_set") == name)).sort("place")
        place, running = part["place"].to_numpy(), part["running_sum"].to_numpy()
        upper = figure.add_subplot(grid[0, k])
        upper.plot(place, running, color=DARK, lw=1.4)
        upper.axhline(0, color=GREY, lw=0.6)
        peak = int(np.argmax(np.abs(running)))
        upper.plot([place[peak]] * 2, [0, running[peak]], color=ACCENT, lw=0.9, ls=(0, (3, 2)))
        row = told[feature, name]
        upper.set_title(f"{shorten(name, 30)}\n{shorten(feature, 34)}", fontsize=7.2, pad=16)
        upper.text(
            0.0, 1.03, f"NES {number(row['normalised_score'])}, CAMERA q {number(row['camera_q_value'])}",
            transform=upper.transAxes, fontsize=7.0,
        )  # fmt: skip
        middle = figure.add_subplot(grid[1, k], sharex=upper)
        middle.vlines(part.filter("member")["place"].to_numpy(), 0, 1, color=INK, lw=0.6)
        middle.set_ylim(0, 1)
        middle.set_yticks([])
        middle.spines[:].set_visible(False)
        lower = figure.add_subplot(grid[2, k], sharex=upper)
        lower.fill_between(place, part["z"].to_numpy(), color=LIGHT, lw=0)
        lower.axhline(0, color=GREY, lw=0.6)
        lower.set_xlabel("genes by z", fontsize=8)
        for axes in (upper, middle):
            axes.tick_params(labelbottom=False, bottom=False)
        upper.set_xlim(1, place[-1])
        if k == 0:
            upper.set_ylabel("running sum")
            lower.set_ylabel("z")
        for axes in (upper, lower):
            axes.tick_params(labelsize=7)
    return embed(
        figure,
        f"Running sums of {plural(len(pairs), 'gene set')} over the genes ranked by their link with a feature",
        "Feature and gene set with the smallest p-values (CAMERA). Above: running sum of pre-ranked enrichment, "
        "dashed at its "
        "largest deviation, the score. Middle: genes of the set. Below: signed z of every gene. NES: normalised "
        "score; its "
        "own p-value exchanges genes and takes no account of genes that go together.",
    )


@styled
def batch_figure(batch: pl.DataFrame) -> Figure | None:
    """Draw the share of variance of the batch in every feature before and after ComBat."""
    known = batch.drop_nulls(["r_squared_before", "r_squared_after"]).sort("r_squared_before", descending=True)
    if not known.height:
        return None
    figure = canvas(6.4, 2.6, left=0.1, right=0.98, top=0.87, bottom=0.17)
    axes = figure.add_subplot()
    place = np.arange(known.height) + 1
    for column, colour, label in (("before", GREY, "before"), ("after", DARK, "after ComBat")):
        axes.plot(
            place, known[f"r_squared_{column}"].to_numpy(), color=colour, marker="o", ms=2.5, lw=0.7, label=label,
            rasterized=known.height > 500,
        )  # fmt: skip
    # what labels without meaning would explain: (batches − 1) / (n − 1)
    chance = float((known["batches"] - 1).mean()) / float((known["n"] - 1).mean())  # type: ignore[arg-type]
    axes.axhline(chance, color=ACCENT, lw=0.9, ls=(0, (5, 2)), label="by chance")
    axes.set_ylim(0, None)
    axes.set_xlim(0, known.height + 1)
    axes.set_xlabel(f"{count(known.height)} features, by the difference before")
    axes.set_ylabel("R² of the batch (no unit)")
    legend_above(axes)
    return embed(
        figure,
        "Share of variance that the batch explains in every feature, before and after ComBat",
        "Share of variance explained by the batch beyond the covariates, in every feature. After ComBat it lies "
        "below what "
        "chance gives, because the batches of these same subjects were made alike.",
    )


@styled
def replication_figure(frame: pl.DataFrame) -> Figure | None:
    """Draw effects and intervals of both cohorts and combined, for the pairs with the smallest p-values."""
    known = frame.filter(pl.col("other_effect").is_not_null()).sort(
        ["neg_log_10_p_value", "feature", "marker"], descending=[True, False, False]
    )
    if not known.height:
        return None
    rows = known.head(_SHOWN)
    height = 0.42 * rows.height + 0.95
    figure = canvas(7.6, height, left=0.42, right=0.97, top=1 - 0.32 / height, bottom=0.5 / height)
    axes = figure.add_subplot()
    y = np.arange(rows.height)[::-1].astype(float)
    for stem, shift, colour, marker, label in (
        ("", 0.22, DARK, "o", "this cohort"),
        ("other_", 0.0, GREY, "s", "other cohort"),
        ("combined", -0.22, ACCENT, "D", "combined"),
    ):
        middle, low, high = (
            (f"{stem}effect", f"{stem}lower", f"{stem}upper")
            if stem != "combined"
            else (stem, f"{stem}_lower", f"{stem}_upper")
        )
        values = [rows[name].fill_null(float("nan")).to_numpy() for name in (middle, low, high)]
        axes.hlines(y + shift, values[1], values[2], color=colour, lw=1.1)
        axes.scatter(values[0], y + shift, s=16, color=colour, marker=marker, zorder=3, linewidths=0, label=label)
    axes.axvline(0, color=GREY, lw=0.6, zorder=0)
    names = [
        f"{shorten(f, 32)} · {shorten(m, 18)}{'' if r else '  ✗'}"
        for f, m, r in rows.select("feature", "marker", "replicated").iter_rows()
    ]
    axes.set_yticks(y, names, fontsize=7.2)
    axes.set_ylim(-0.6, rows.height - 0.4)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("effect: estimate, or correlation where the test has no standard error")
    legend_above(axes)
    passed = int(frame["replicated"].fill_null(value=False).sum())
    return embed(
        figure,
        f"Effects of {plural(rows.height, 'pair')} in two cohorts and combined",
        f"{plural(rows.height, 'pair')} with the smallest p-values of those with q < 0.05 in this cohort; lines are "
        "95 % "
        f"intervals. ✗: not replicated. Replicated (same direction, Bonferroni p < 0.05): {passed} of "
        f"{count(known.height)} that were tested in both. Effects of this cohort were selected for being large, so "
        "they are "
        "too large on average, and so is what they are combined to.",
    )
