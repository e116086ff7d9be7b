"""Genotype quality in pictures: each distribution with its limit, and principal components by a clinical column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from matplotlib.axes import Axes

from radiolocus.model import Array
from radiolocus.report.blocks import Figure
from radiolocus.report.drawing import ACCENT, DARK, GREY, INK, LIGHT, PALE, canvas, embed, legend_above, shorten, styled
from radiolocus.report.numbers import count, number

__all__ = ["Distribution", "coloured_components", "distributions", "relatedness"]

_COLUMNS = 3
_GROUPS = 6
_BINS = 40
_LINEAR = 30
_COLOURS = (DARK, ACCENT, GREY, INK, "#7aa0c4", "#d98c3f")
_MARKS = ("o", "s", "^", "D", "v", "P")


@dataclass(frozen=True)
class Distribution:
    """One histogram: values, what they are, what is counted, and the limits drawn in."""

    values: Array
    label: str
    unit: str
    limits: Sequence[float] = ()


def _histogram(axes: Axes, shown: Distribution) -> None:
    values = shown.values[np.isfinite(shown.values)]
    edges = np.histogram_bin_edges(values, bins=min(_BINS, max(5, round(2 * np.sqrt(values.size)))))
    heights, _, _ = axes.hist(values, bins=edges.tolist(), color=DARK, linewidth=0)
    if np.max(heights) > _LINEAR:
        axes.set_yscale("symlog", linthresh=10)
    axes.set_ylim(bottom=0)
    for limit in shown.limits:
        axes.axvline(limit, color=ACCENT, lw=1.0, ls=(0, (5, 2)))
    axes.set_xlabel(shown.label)
    axes.set_ylabel(shown.unit)


@styled
def distributions(shown: Sequence[Distribution]) -> Figure:
    """Draw histograms three to a row; large counts on an axis that is linear up to 10 and logarithmic beyond."""
    rows = -(-len(shown) // _COLUMNS)
    width, height = 2.75 * _COLUMNS, 2.2 * rows
    figure = canvas(
        width, height, left=0.07, right=0.99, top=1 - 0.08 / rows, bottom=0.22 / rows, wspace=0.36, hspace=0.42
    )
    for i, one in enumerate(shown):
        _histogram(figure.add_subplot(rows, _COLUMNS, i + 1), one)
    names = "; ".join(one.label for one in shown)
    return embed(
        figure,
        f"Histograms of {names}",
        "What the filters look at, before anything is taken out. Dashed: the limits. Where counts are "
        "large they are drawn linear up to 10 and logarithmic beyond, so that a single outlier is seen.",
    )


@styled
def relatedness(pairs: pl.DataFrame, limits: Sequence[tuple[float, str]]) -> Figure:
    """Draw kinship against the share of opposite homozygotes for every pair in the table."""
    figure = canvas(4.4, 3.4, left=0.15, right=0.97, top=0.95, bottom=0.15)
    axes = figure.add_subplot()
    share = (pairs["opposite_homozygotes"] / pairs["n_variants"]).to_numpy()
    axes.scatter(share, pairs["kinship"].to_numpy(), s=14, facecolors="none", edgecolors=DARK, linewidths=0.8)
    right = max(float(share.max()) * 1.35, 0.01)
    for limit, name in limits:
        axes.axhline(limit, color=LIGHT, lw=0.8, zorder=0)
        axes.annotate(name, (right, limit), xytext=(-2, 2), textcoords="offset points", ha="right", fontsize=7)
    axes.set_xlim(-0.02 * right, right)
    axes.set_xlabel("share of variants at which both share no allele (IBS0)")
    axes.set_ylabel("kinship coefficient (KING-robust)")
    return embed(
        figure,
        f"Kinship coefficient of {pairs.height} pairs of samples against their share of opposite homozygotes",
        f"The {count(pairs.height)} pairs related to the third degree or closer. Parents and children share an allele "
        "everywhere (IBS0 near 0), siblings do not. Lines: limits between degrees (Manichaikul et al. 2010).",
        half=True,
    )


def _groups(values: pl.Series) -> list[tuple[str, Array]]:
    """Split samples by a column: its commonest values, the rest as other, and those without one."""
    text = values.cast(pl.String).fill_null("")
    order = text.filter(text != "").value_counts(sort=True).sort(["count", text.name], descending=[True, False])
    names = order[text.name].to_list()
    few = names[: _GROUPS - 1] if len(names) > _GROUPS else names
    parts = [(name, (text == name).to_numpy()) for name in few]
    other = text.is_in(names[len(few) :]).to_numpy()
    parts += [(f"{len(names) - len(few)} other values", other)] if other.any() else []
    return [*parts, ("no value", (text == "").to_numpy())] if (text == "").any() else parts


def _scatter(axes: Axes, x: Array, y: Array, values: pl.Series | None) -> None:
    if values is None:
        axes.scatter(x, y, s=12, facecolors="none", edgecolors=DARK, linewidths=0.8)
        return
    if values.dtype.is_numeric() and values.n_unique() > _GROUPS:
        known = values.is_not_null().to_numpy()
        axes.scatter(x[~known], y[~known], s=10, facecolors="none", edgecolors=GREY, linewidths=0.6)
        shade = axes.scatter(x[known], y[known], s=12, c=values.drop_nulls().to_numpy(), cmap="cividis", linewidths=0)
        axes.figure.colorbar(shade, ax=axes, shrink=0.8, label=shorten(values.name, 28))
        return
    for (name, mask), colour, mark in zip(_groups(values), (*_COLOURS, PALE), (*_MARKS, "x"), strict=False):
        chosen = colour if name != "no value" else LIGHT
        axes.scatter(
            x[mask], y[mask], s=12, c=chosen, marker=mark, linewidths=0, label=f"{shorten(name, 16)} ({mask.sum()})"
        )
    legend_above(axes, 3, title=shorten(values.name, 40), title_fontsize=8.0, markerscale=1.3)


@styled
def coloured_components(samples: pl.DataFrame, values: pl.Series | None, share: Sequence[float]) -> Figure:
    """Draw components 1 and 2, and 3 and 4 where there are, coloured by a column."""
    pairs = [(a, b) for a, b in ((1, 2), (3, 4)) if f"PC{b}" in samples.columns]
    figure = canvas(4.4 * len(pairs), 3.9, left=0.15 / len(pairs) + 0.01, right=0.97, top=0.8, bottom=0.13, wspace=0.35)
    for i, (a, b) in enumerate(pairs):
        axes = figure.add_subplot(1, len(pairs), i + 1)
        x, y = samples[f"PC{a}"].to_numpy(), samples[f"PC{b}"].to_numpy()
        _scatter(axes, x, y, values)
        axes.set_xlabel(f"PC{a} ({number(100 * share[a - 1])} % of variance)")
        axes.set_ylabel(f"PC{b} ({number(100 * share[b - 1])} % of variance)")
        if i and (old := axes.get_legend()) is not None:
            old.remove()
    by = f", coloured by {values.name}" if values is not None else ""
    return embed(
        figure,
        f"Principal components of {samples.height} samples{by}",
        f"Principal components of the genotypes of {count(samples.height)} samples{by}. Unrelated samples span the "
        "axes, relatives are projected onto them.",
        half=len(pairs) == 1,
    )
