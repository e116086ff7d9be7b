"""Circulating tumour DNA and clones in pictures."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import polars as pl
from matplotlib.axes import Axes

from radiolocus.model import Array
from radiolocus.report.blocks import Figure
from radiolocus.report.drawing import GREY, INK, canvas, embed, legend_above, styled
from radiolocus.report.numbers import plural

__all__ = ["CLONE_FILLS", "MOLECULAR", "blood_course", "evolution", "nested_bands"]

#: Calls of ctDNA with line and mark; told apart by dash and marker as well as by colour.
MOLECULAR = {
    "CLEARED": ("#1d3557", "-", "v"),
    "RESPONSE": ("#4f83ad", "-", "o"),
    "STABLE": ("#777777", "--", "s"),
    "PROGRESSION": ("#b2342a", ":", "^"),
    "NE": ("#aaaaaa", ":", "x"),
}
# From dark to light, so that nested clones differ without colour too.
CLONE_FILLS = (
    "#3d5a80", "#98b6d4", "#b2342a", "#e3b7a0", "#5f7f4f", "#c2d3a8", "#7d5a8c", "#d3c0dc", "#b08a2e", "#ead9a0",
    "#444444", "#c8c8c8",
)  # fmt: skip
_STEPS = 40


@styled
def blood_course(samples: pl.DataFrame) -> Figure | None:
    """Draw the mean variant allele fraction of every subject over time; None when there is none after baseline.

    Parameters
    ----------
    samples : polars.DataFrame
        Table ``response/ctdna``.
    """
    known = samples.filter(pl.col("mean_vaf").is_not_null()).sort("subject", "day")
    people = known.group_by("subject").len().filter(pl.col("len") > 1)
    known = known.join(people.select("subject"), on="subject", maintain_order="left")
    if not known.height:
        return None
    # A sample in which nothing is found stands at what it would have shown; without reads at half the least mean.
    least = float(known.filter(pl.col("mean_vaf") > 0)["mean_vaf"].min() or 1e-3) / 2  # type: ignore[arg-type]
    level = pl.when(pl.col("mean_vaf") > 0).then(pl.col("mean_vaf")).otherwise(pl.col("limit").fill_null(least))
    known = known.with_columns((100 * level).alias("level"))
    figure = canvas(6.6, 3.6, left=0.12, right=0.97, top=0.9, bottom=0.13)
    axes = figure.add_subplot()
    alpha = 0.9 if people.height <= 40 else 0.5
    for _, part in known.group_by("subject", maintain_order=True):
        axes.plot(part["day"], part["level"], color=GREY, lw=0.6, alpha=alpha, zorder=1)
    for word, (colour, _, mark) in MOLECULAR.items():
        rows = known.filter(pl.col("molecular_response") == word)
        if rows.height:
            axes.plot(
                rows["day"],
                rows["level"],
                ls="none",
                marker=mark,
                ms=4,
                color=colour,
                mfc="white" if word == "CLEARED" else colour,
                label=f"{word} ({rows.height})",
                zorder=3,
            )
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    legend_above(axes, columns=5)
    axes.set_xlabel("time since baseline (days)")
    axes.set_ylabel("mean variant allele fraction (%)")
    return embed(
        figure,
        f"Mean variant allele fraction of {people.height} subjects over time",
        "Mean variant allele fraction of the variants followed, a line a subject "
        f"({plural(people.height, 'subject')}), marked by the molecular response of each sample. Open triangles: "
        "nothing found; they stand at the limit of detection of the sample, the truth may lie anywhere below.",
    )


@styled
def evolution(subject: str, clones: pl.DataFrame, trees: pl.DataFrame | None) -> Figure | None:
    """Draw the cancer cell fraction of every clone with its interval, and the nested clones of the closest tree.

    Parameters
    ----------
    subject : str
    clones : polars.DataFrame
        Rows of ``response/clones`` of the subject.
    trees : polars.DataFrame or None
        Rows of ``response/clone_trees`` of the subject.
    """
    days = clones["day"].unique().sort().to_list()
    if len(days) < 2:
        return None
    names = clones["clone"].unique(maintain_order=True).to_list()
    fills = {name: CLONE_FILLS[i % len(CLONE_FILLS)] for i, name in enumerate(names)}
    first = None if trees is None else trees.filter(pl.col("tree") == 1)
    has_tree = first is not None and first.height > 0
    figure = canvas(8.6 if has_tree else 4.6, 3.1, left=0.07 if has_tree else 0.13, right=0.98, top=0.86, bottom=0.16)
    left = figure.add_subplot(1, 2, 1) if has_tree else figure.add_subplot()
    for i, (name, part) in enumerate(_each(clones)):
        day = part["day"].to_numpy() + (i - (len(names) - 1) / 2) * 0.006 * (days[-1] - days[0])
        value = part["cancer_cell_fraction"].to_numpy()
        error = np.vstack([value - part["lower"].to_numpy(), part["upper"].to_numpy() - value])
        left.errorbar(
            day, value, yerr=np.maximum(error, 0), color=fills[name], marker="o", ms=4, lw=1.2, elinewidth=1.0,
            capsize=2, mec=INK, mew=0.4, label=f"{name} ({part['mutations'][0]})",
        )  # fmt: skip
    left.set_ylim(-0.03, 1.06)
    left.set_ylabel("cancer cell fraction")
    left.set_xlabel("time since baseline (days)")
    left.set_title(f"{subject}", pad=16 if len(names) > 4 else 8)
    legend_above(left, columns=4)
    told = "no tree of these clones is consistent with the fractions, so none is drawn"
    if has_tree and first is not None:
        count, excess = int(first["trees"][0]), float(first["excess"].max())  # type: ignore[arg-type]
        _fish(figure.add_subplot(1, 2, 2), days, clones, dict(first.select("clone", "parent").iter_rows()), fills)
        figure.axes[1].set_title("the only consistent tree" if count == 1 else f"1 of {count} consistent trees")
        told = (
            "right: the clones nested by "
            + (
                "the only tree that the fractions allow"
                if count == 1
                else f"the closest of {count} trees that they allow"
            )
            + "; between samples the bands are interpolated, nothing was measured there"
            + (
                f"; children are drawn smaller, they exceed their parent by up to {excess:.2f}"
                if excess > 0.005
                else ""
            )
        )
    return embed(
        figure,
        f"Cancer cell fractions of {len(names)} clones of {subject} in {len(days)} samples",
        f"Clones of {subject} (number of mutations in brackets). Left: cancer cell fractions with 95 % credible "
        f"intervals; {told}.",
    )


def _each(clones: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    names = clones["clone"].unique(maintain_order=True).to_list()
    return [(name, clones.filter(pl.col("clone") == name).sort("day")) for name in names]


def nested_bands(fractions: Mapping[str, Array], parents: Mapping[str, str]) -> dict[str, tuple[Array, Array]]:
    """Lower and upper edge of the band of every clone: children inside their parent, side by side.

    Parameters
    ----------
    fractions : mapping of str to ndarray, shape (t,)
    parents : mapping of str to str
        ``normal`` for a root.

    Notes
    -----
    Where children together exceed their parent they share its band in proportion. A child is never drawn wider than
    its own fraction.
    """
    size = len(next(iter(fractions.values())))
    bands = {"normal": (np.zeros(size), np.ones(size))}
    waiting = ["normal"]
    while waiting:
        parent = waiting.pop(0)
        low, high = bands[parent]
        children = [c for c, p in parents.items() if p == parent]
        if not children:
            continue
        width = np.array([fractions[c] for c in children])
        total = width.sum(0)
        room = high - low
        width = width * np.where(total > room, room / np.maximum(total, 1e-12), 1.0)
        gap = (room - width.sum(0)) / (len(children) + 1)
        start = low + gap
        for child, own in zip(children, width, strict=True):
            bands[child] = (start, start + own)
            start = start + own + gap
        waiting += children
    del bands["normal"]
    return bands


def _fish(
    axes: Axes, days: list[float], clones: pl.DataFrame, parents: Mapping[str, str], fills: Mapping[str, str]
) -> None:
    fine = np.unique(np.concatenate([np.linspace(a, b, _STEPS) for a, b in pairwise(days)]))
    fractions = {
        name: np.interp(fine, part["day"].to_numpy(), part["cancer_cell_fraction"].to_numpy())
        for name, part in _each(clones)
    }
    bands = nested_bands(fractions, parents)
    for name, (low, high) in bands.items():
        axes.fill_between(fine, low, high, color=fills[name], lw=0)
        axes.plot(fine, low, color=INK, lw=0.3)
        axes.plot(fine, high, color=INK, lw=0.3)
    for name, (low, high) in bands.items():
        at = int(np.argmax(high - low))
        if high[at] - low[at] > 0.06:
            side = "right" if at > fine.size / 2 else "left"
            # A parent is named at its lower edge, where no child lies.
            own = name in parents.values()
            axes.annotate(
                name, (fine[at], low[at] + 0.01 if own else (low[at] + high[at]) / 2),
                xytext=(-3 if side == "right" else 3, 0), textcoords="offset points", ha=side,
                va="bottom" if own else "center", fontsize=7, color=INK,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.75},
            )  # fmt: skip
    for day in days:
        axes.axvline(day, color="white", lw=0.8, ls=(0, (2, 2)))
    axes.set_xlim(days[0], days[-1])
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.set_ylabel("tumour cells")
    axes.set_xlabel("time since baseline (days)")
