"""Genetics in pictures: Manhattan plots, quantile–quantile plots with inflation, principal components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from scipy import stats

from radiolocus.model import Array
from radiolocus.report.blocks import Figure
from radiolocus.report.drawing import ACCENT, DARK, GREY, INK, LIGHT, PALE, Drawn, canvas, embed, shorten, styled
from radiolocus.report.genomewide import GENOME_WIDE, Scan, loci, ordered_p_values, thin
from radiolocus.report.labels import label_points
from radiolocus.report.numbers import count, number, p_text

__all__ = [
    "P_AXIS",
    "Panel",
    "components",
    "draw_thresholds",
    "manhattan",
    "miami",
    "names_of",
    "quantiles",
    "threshold_lines",
    "unknown_below",
]

_Y = "neg_log_10_p_value"
P_AXIS = "−log₁₀ p"


@dataclass(frozen=True)
class Panel:
    """One Manhattan panel.

    `title`; `variants` with −log10 p; `thresholds` drawn as (−log10 p, what it is); `floor`: −log10 p below which the
    variants are not known; `down`: the axis points downwards.
    """

    title: str
    variants: pl.DataFrame
    thresholds: Sequence[tuple[float, str]]
    floor: float = 0.0
    down: bool = False

    @property
    def top(self) -> float:
        """−log10 p that the panel must reach."""
        found = self.variants[_Y].max() if self.variants.height else None
        return max(float(found) if isinstance(found, float) else 0.0, *(t for t, _ in self.thresholds))


_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.5)))


def draw_thresholds(axes: Axes, thresholds: Sequence[tuple[float, str]], top: float) -> None:
    """Draw thresholds, their names to the right of the axes and never on top of each other."""
    apart = 0.075 * top
    placed = -np.inf
    for (level, name), dash in sorted(zip(thresholds, _DASHES, strict=False), key=lambda told: told[0][0]):
        axes.axhline(level, color=ACCENT, lw=0.8, ls=dash, zorder=0)
        at = max(level, placed + apart)
        placed = at
        axes.annotate(
            name,
            (1.0, at),
            xytext=(4, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            fontsize=7.5,
            va="center",
            color=ACCENT,
            annotation_clip=False,
        )


def unknown_below(axes: Axes, floor: float) -> None:
    """Shade what was not kept."""
    if floor > 0:
        axes.axhspan(0, floor, color=PALE, linewidth=0, zorder=0)
        axes.annotate(
            f"p > {p_text(floor)}: tested, not kept", (0.01, 0.9 * floor), xycoords=("axes fraction", "data"),
            va="center", fontsize=7.5, color=GREY,
        )  # fmt: skip


def _panel(axes: Axes, scan: Scan, panel: Panel) -> None:
    x, at = scan.axis.place(panel.variants)
    y = panel.variants[_Y].to_numpy()
    least = min(t for t, _ in panel.thresholds)
    top = panel.top * 1.18
    for parity, colour in ((0, INK), (1, GREY)):
        chosen = np.flatnonzero(at % 2 == parity)
        shown = chosen[thin(x[chosen], y[chosen], least)]
        axes.scatter(x[shown], y[shown], s=3.0, color=colour, linewidths=0, rasterized=True)
    axes.set_xlim(-0.005 * scan.axis.length, 1.005 * scan.axis.length)
    axes.set_ylim(*((top, 0) if panel.down else (0, top)))
    unknown_below(axes, panel.floor)
    draw_thresholds(axes, panel.thresholds, top)
    axes.set_title(panel.title)
    axes.set_ylabel(P_AXIS)
    hits = loci(panel.variants.filter(pl.col(_Y) > least), 10)
    if hits.height:
        hx, _ = scan.axis.place(hits)
        hy = hits[_Y].to_numpy()
        axes.scatter(hx, hy, s=20, marker="D", color=ACCENT, linewidths=0.5, edgecolors="white", zorder=3)
        near = y > 0.6 * panel.top
        label_points(axes, hx.tolist(), hy.tolist(), names_of(hits), avoid=np.column_stack([x, y])[near])


def names_of(hits: pl.DataFrame) -> list[str]:
    """Ids of variants, or their places where they have none."""
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


def _kept_words(panels: Sequence[Panel]) -> str:
    floor = max(panel.floor for panel in panels)
    if floor <= 0:
        return ""
    return (
        f" Shaded: rows of single phenotypes with p > {p_text(floor)} were tested and counted, but not kept, so they "
        "cannot be drawn."
    )


@styled
def manhattan(scan: Scan, panels: Sequence[Panel], caption: str) -> Drawn:
    """Draw Manhattan panels above each other on one genome axis."""
    each, width = 2.5, 8.5
    height = each * len(panels) + 0.4
    figure = canvas(width, height)
    for i, panel in enumerate(panels):
        bottom = (0.45 + each * (len(panels) - 1 - i) + 0.1) / height
        axes = figure.add_axes((0.55 / width, bottom, (width - 1.95) / width, (each - 0.4) / height))
        if i == len(panels) - 1:
            _chromosome_ticks(axes, scan)
        else:
            axes.set_xticks([])
        _panel(axes, scan, panel)
    shown = "; ".join(p.title for p in panels)
    return Drawn(figure, f"Manhattan plot: −log10 p along the chromosomes. {shown}", f"{caption}{_kept_words(panels)}")


@styled
def miami(scan: Scan, upper: Panel, lower: Panel, caption: str) -> Drawn:
    """Draw two panels on one genome axis, the lower one upside down."""
    width, height, each = 8.5, 5.6, 2.35
    figure = canvas(width, height)
    where = {"left": 0.55 / width, "width": (width - 1.95) / width, "height": each / height}
    up = figure.add_axes((where["left"], (0.3 + each + 0.3) / height, where["width"], where["height"]))
    down = figure.add_axes((where["left"], 0.3 / height, where["width"], where["height"]))
    _panel(up, scan, upper)
    _panel(down, scan, replace(lower, down=True, title=""))
    _chromosome_ticks(up, scan)
    up.set_xlabel("")
    down.set_xticks([])
    down.spines["bottom"].set_visible(False)
    down.spines["top"].set_visible(True)
    down.set_title(lower.title, y=-0.12)
    return Drawn(
        figure,
        f"Miami plot: −log10 p along the chromosomes, {upper.title} upwards and {lower.title} downwards",
        f"{caption}{_kept_words([upper, lower])}",
    )


def _quantile_panel(axes: Axes, scan: Scan, phenotype: str | None, title: str, inflation: float | None) -> None:
    rank, value, tests = ordered_p_values(scan, phenotype)
    expected = -np.log10((rank - 0.5) / tests)
    at = np.unique(np.append(_spread(tests), 1.0))
    low, high = (-np.log10(stats.beta.ppf(q, at, tests - at + 1)) for q in (0.975, 0.025))
    band = -np.log10((at - 0.5) / tests)
    axes.fill_between(band, low, high, color=LIGHT, linewidth=0, label="95 % band under no association")
    limit = float(band.max())
    axes.plot([0, limit], [0, limit], color=INK, lw=0.8)
    axes.scatter(expected, value, s=7, color=DARK, linewidths=0, rasterized=True, zorder=3)
    axes.set_xlim(0, limit * 1.05)
    axes.set_ylim(0, max(float(value.max(initial=0.0)), float(high.max())) * 1.08)
    axes.set_xlabel(f"expected {P_AXIS}")
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_title(title, fontsize=8.5)
    told = f"λ$_{{GC}}$ = {number(inflation)}" if inflation is not None else ""
    axes.text(0.04, 0.96, f"{told}\n{count(tests)} tests".strip(), transform=axes.transAxes, va="top", fontsize=8)


def _spread(tests: int) -> Array:
    return np.geomspace(1, tests, 300).round()


@styled
def quantiles(scan: Scan, chosen: Sequence[tuple[str | None, str, float | None]]) -> Drawn:
    """Draw a quantile–quantile plot of each (phenotype or None for all together, why it is shown, λGC)."""
    each, height = 2.75, 3.1
    width = each * len(chosen) + 0.35
    figure = canvas(width, height)
    for i, (phenotype, why, inflation) in enumerate(chosen):
        axes = figure.add_axes(((each * i + 0.6) / width, 0.5 / height, (each - 0.55) / width, (each - 0.6) / height))
        name = f"all {count(scan.phenotypes)} phenotypes" if phenotype is None else shorten(phenotype, 30)
        _quantile_panel(axes, scan, phenotype, f"{why}\n{name}".strip(), inflation)
        if i == 0:
            axes.set_ylabel(f"observed {P_AXIS}")
    names = ", ".join(f"{p or 'all phenotypes'} ({w}, λGC {number(v)})" for p, w, v in chosen)
    kept = scan.floor > 0 and not all(p in scan.whole for p, _, _ in chosen)
    binned = (
        f" Tests with p > {p_text(scan.floor)} come from the histogram of all tests: points at the edges of its bins, "
        "1/1024 wide up to −log₁₀ p = 1 and 1/32 beyond."
        if kept
        else ""
    )
    return Drawn(
        figure,
        f"Quantile–quantile plots of the association p-values of {names}",
        "Observed against expected p-values. Grey: 95 % of the order statistics of independent uniform p-values; "
        "linkage disequilibrium makes the true band wider. λGC: median χ² over its expectation (Devlin & Roeder 1999)."
        + binned,
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
    """Genome-wide line, that over the effective number of phenotypes, and the Bonferroni line over all tests.

    As (−log10 p, label); the second is left out where there is one phenotype.
    """
    lines = [(GENOME_WIDE, "p = 5 × 10⁻⁸")]
    if scan.phenotypes > 1 and np.isfinite(scan.per_effective):
        lines.append((scan.per_effective, f"5 × 10⁻⁸ / {scan.effective:.1f}"))
    return [*lines, (scan.bonferroni, f"Bonferroni, {p_text(scan.bonferroni)}")]
