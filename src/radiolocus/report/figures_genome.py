"""Genetics in pictures: Manhattan plots, quantile–quantile plots with inflation, principal components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from scipy import stats

from radiolocus.model import Array
from radiolocus.report.blocks import Figure
from radiolocus.report.drawing import ACCENT, DARK, GREY, INK, LIGHT, canvas, embed, shorten, styled
from radiolocus.report.genomewide import GENOME_WIDE, Scan, loci, thin
from radiolocus.report.labels import label_points
from radiolocus.report.numbers import count, number, p_text

__all__ = ["Panel", "components", "manhattan", "quantiles"]

_Y = "neg_log_10_p_value"
P_AXIS = "−log₁₀ p"


@dataclass(frozen=True)
class Panel:
    """One Manhattan panel: a title, variants with −log10 p, and the thresholds drawn as (−log10 p, what it is)."""

    title: str
    variants: pl.DataFrame
    thresholds: Sequence[tuple[float, str]]


def _panel(axes: Axes, scan: Scan, panel: Panel) -> None:
    x, at = scan.axis.place(panel.variants)
    y = panel.variants[_Y].to_numpy()
    least = min(t for t, _ in panel.thresholds)
    top = max(float(y.max(initial=0.0)), *(t for t, _ in panel.thresholds))
    for parity, colour in ((0, INK), (1, GREY)):
        chosen = np.flatnonzero(at % 2 == parity)
        shown = chosen[thin(x[chosen], y[chosen], least)]
        axes.scatter(x[shown], y[shown], s=3.0, color=colour, linewidths=0, rasterized=True)
    axes.set_xlim(-0.005 * scan.axis.length, 1.005 * scan.axis.length)
    axes.set_ylim(0, top * 1.18)
    levels = [level for level, _ in panel.thresholds]
    for (level, name), dash in zip(panel.thresholds, ("-", (0, (5, 2))), strict=False):
        axes.axhline(level, color=ACCENT, lw=0.8, ls=dash, zorder=0)
        # Two lines at one height carry their names above and below.
        crowded = max(levels) - min(levels) < 0.14 * 1.18 * top and len(levels) > 1
        side = "center" if not crowded else "bottom" if level == max(levels) else "top"
        axes.annotate(
            name,
            (1.0, level),
            xytext=(4, {"bottom": 0, "top": -1, "center": 0}[side]),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            fontsize=7.5,
            va=side,
            color=ACCENT,
            annotation_clip=False,
        )
    axes.set_title(panel.title)
    axes.set_ylabel(P_AXIS)
    hits = loci(panel.variants.filter(pl.col(_Y) > least), 10)
    if hits.height:
        hx, _ = scan.axis.place(hits)
        hy = hits[_Y].to_numpy()
        axes.scatter(hx, hy, s=20, marker="D", color=ACCENT, linewidths=0.5, edgecolors="white", zorder=3)
        near = y > 0.6 * top
        label_points(axes, hx.tolist(), hy.tolist(), _names(hits), avoid=np.column_stack([x, y])[near])


def _names(hits: pl.DataFrame) -> list[str]:
    place = pl.format("{}:{}", "chromosome", "base_pair_location")
    return hits.select(pl.coalesce("variant_id", place))["variant_id"].to_list()


def _chromosome_ticks(axes: Axes, scan: Scan) -> None:
    middle = (scan.axis.start + scan.axis.stop) / 2
    least, last = 0.017 * scan.axis.length, -np.inf
    shown = []
    for place, name in zip(middle, scan.axis.names, strict=True):
        if place - last >= least * max(1, len(name)):
            shown.append((place, name))
            last = place
    axes.set_xticks([p for p, _ in shown], [n for _, n in shown], fontsize=7.5)
    axes.tick_params(axis="x", length=0)
    axes.set_xlabel("chromosome (variants by position in base pairs)")


@styled
def manhattan(scan: Scan, panels: Sequence[Panel], caption: str) -> Figure:
    """Draw Manhattan panels above each other on one genome axis."""
    each, width = 2.5, 8.5
    height = each * len(panels) + 0.4
    figure = canvas(width, height)
    for i, panel in enumerate(panels):
        bottom = (0.45 + each * (len(panels) - 1 - i) + 0.1) / height
        axes = figure.add_axes((0.55 / width, bottom, (width - 1.6) / width, (each - 0.4) / height))
        if i == len(panels) - 1:
            _chromosome_ticks(axes, scan)
        else:
            axes.set_xticks([])
        _panel(axes, scan, panel)
    shown = "; ".join(p.title for p in panels)
    return embed(figure, f"Manhattan plot: −log10 p along the chromosomes. {shown}", caption)


def _ranks(tests: int, every: int = 400, steps: int = 400) -> Array:
    """All of the first ranks, then ranks evenly spaced on the logarithmic axis."""
    spaced = np.geomspace(1, tests, steps).round() if tests > every else np.empty(0)
    return np.union1d(np.arange(1, min(tests, every) + 1, dtype=float), spaced)


def _quantile_panel(axes: Axes, values: Array, title: str, inflation: float | None) -> None:
    ordered = np.sort(values)[::-1]
    tests = len(ordered)
    rank = _ranks(tests)
    expected = -np.log10((rank - 0.5) / tests)
    low, high = (-np.log10(stats.beta.ppf(q, rank, tests - rank + 1)) for q in (0.975, 0.025))
    axes.fill_between(expected, low, high, color=LIGHT, linewidth=0, label="95 % band under no association")
    limit = float(expected[0])
    axes.plot([0, limit], [0, limit], color=INK, lw=0.8)
    axes.scatter(expected, ordered[rank.astype(int) - 1], s=7, color=DARK, linewidths=0, rasterized=True, zorder=3)
    axes.set_xlim(0, limit * 1.05)
    axes.set_ylim(0, max(float(ordered[0]), float(high.max())) * 1.08)
    axes.set_xlabel(f"expected {P_AXIS}")
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_title(title, fontsize=8.5)
    axes.text(0.04, 0.96, f"λ$_{{GC}}$ = {number(inflation)}", transform=axes.transAxes, va="top", fontsize=8.5)


@styled
def quantiles(scan: Scan, chosen: Sequence[tuple[str, str, float | None]]) -> Figure:
    """Draw a quantile–quantile plot of each (phenotype, why it is shown, λGC)."""
    each, height = 2.75, 3.1
    width = each * len(chosen) + 0.35
    figure = canvas(width, height)
    for i, (phenotype, why, inflation) in enumerate(chosen):
        axes = figure.add_axes(((each * i + 0.6) / width, 0.5 / height, (each - 0.55) / width, (each - 0.6) / height))
        values = scan.of_phenotype(phenotype)[_Y].to_numpy()
        _quantile_panel(axes, values, f"{why}\n{shorten(phenotype, 30)}", inflation)
        if i == 0:
            axes.set_ylabel(f"observed {P_AXIS}")
    names = ", ".join(f"{p} ({w}, λGC {number(v)})" for p, w, v in chosen)
    return embed(
        figure,
        f"Quantile–quantile plots of the association p-values of {names}",
        "Observed against expected p-values for the phenotypes with the strongest association, the largest and the "
        "median genomic inflation. Grey: 95 % of the order statistics of independent uniform p-values; linkage "
        "disequilibrium makes the true band wider. λGC: median χ² over its expectation (Devlin & Roeder 1999).",
        half=len(chosen) == 1,
    )


@styled
def components(samples: pl.DataFrame) -> Figure | None:
    """Draw the first two principal components of the genotypes; None when there are fewer than two."""
    if not {"PC1", "PC2"} <= set(samples.columns):
        return None
    x, y = samples["PC1"].to_numpy(), samples["PC2"].to_numpy()
    figure = canvas(4.2, 3.5, left=0.17, right=0.97, top=0.96, bottom=0.14)
    axes = figure.add_subplot()
    axes.axhline(0, color=LIGHT, lw=0.7, zorder=0)
    axes.axvline(0, color=LIGHT, lw=0.7, zorder=0)
    axes.scatter(x, y, s=16, facecolors="none", edgecolors=DARK, linewidths=0.8, rasterized=len(x) > 400)
    axes.set_xlabel("principal component 1 (score, no unit)")
    axes.set_ylabel("principal component 2 (score, no unit)")
    return embed(
        figure,
        f"Scatter of the first two principal components of the genotypes of {samples.height} subjects",
        f"First two principal components of the genotypes of {count(samples.height)} subjects. Clusters may be "
        "ancestry groups, relatives or batches.",
        half=True,
    )


def threshold_lines(scan: Scan) -> list[tuple[float, str]]:
    """Return the genome-wide line and the Bonferroni line over all tests, as (−log10 p, label)."""
    return [(GENOME_WIDE, "p = 5 × 10⁻⁸"), (scan.bonferroni, f"Bonferroni,\np = {p_text(scan.bonferroni)}")]
