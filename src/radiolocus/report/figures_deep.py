"""Networks in pictures: how they were trained, where in the image they looked, and what their other input weighs."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from radiolocus.report.blocks import Figure
from radiolocus.report.drawing import ACCENT, DARK, GREY, INK, LIGHT, canvas, embed, shorten, styled

__all__ = ["column_bars", "maps", "training_curves", "variant_dots"]

_SHOWN = 12
_ACROSS = 6
_NAMED = 5


@styled
def training_curves(training: pl.DataFrame) -> Figure:
    """Draw the loss of the validation part of every network against its start, and the pass that was kept."""
    endpoints = training["endpoint"].unique(maintain_order=True).to_list()
    height = 2.3
    figure = canvas(7.6, height * len(endpoints), left=0.09, right=0.98, top=1 - 0.24 / (height * len(endpoints)),
                    bottom=0.5 / (height * len(endpoints)), hspace=0.55)  # fmt: skip
    places = figure.subplots(len(endpoints), 1, squeeze=False)[:, 0]
    for axes, endpoint in zip(places, endpoints, strict=True):
        _curves(axes, training.filter(pl.col("endpoint") == endpoint))
        axes.set_title(endpoint)
    places[-1].set_xlabel("passes over the training part")
    kept = training.filter("kept")
    idle = kept.filter(pl.col("epoch") == 0).height
    return embed(
        figure,
        "Loss of the validation part of every network by pass",
        f"Early stopping: validation loss of each of {kept.height} networks less its loss before training, when the "
        f"network is its linear part alone. Dots: the pass that was kept. {idle} stayed at the linear part.",
    )


def _curves(axes: Axes, rows: pl.DataFrame) -> None:
    axes.axhline(0.0, color=INK, lw=0.8, ls=(0, (4, 2)))
    for _, part in rows.group_by("repeat", "fold", "network", maintain_order=True):
        change = part["validation"] - part["validation"][0]
        axes.plot(part["epoch"], change, color=LIGHT, lw=0.8, zorder=1)
        best = part.with_columns(change=change).filter("kept")
        axes.plot(best["epoch"], best["change"], "o", color=ACCENT, ms=3.5, zorder=3)
    axes.set_ylabel("change of loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    # A diverging network must not flatten the others.
    deepest = min(_changes(rows), default=0.0)
    axes.set_ylim(min(1.2 * deepest, -0.02), max(-1.5 * deepest, 0.05))


def _changes(rows: pl.DataFrame) -> list[float]:
    """Lowest validation loss of each network less its first."""
    parts = rows.group_by("repeat", "fold", "network").agg(
        change=pl.col("validation").min() - pl.col("validation").first()
    )
    return parts["change"].to_list()


@styled
def maps(rows: pl.DataFrame, endpoint: str, image: str) -> Figure:
    """Draw the Grad-CAM of some subjects over their images, highest risk first.

    Parameters
    ----------
    rows : polars.DataFrame
        Rows of ``deep/maps`` of one endpoint and image.
    endpoint, image : str
    """
    across = min(rows.height, _ACROSS)
    down = -(-rows.height // across)
    figure = canvas(7.6, 1.62 * down + 0.1, left=0.005, right=0.995, top=1 - 0.17 / (1.62 * down), bottom=0.005,
                    wspace=0.06, hspace=0.2)  # fmt: skip
    places = figure.subplots(down, across, squeeze=False).ravel()
    for axes in places:
        axes.set_axis_off()
    top = float(rows["highest"].max() or 1.0)  # type: ignore[arg-type]
    for axes, row in zip(places, rows.iter_rows(named=True), strict=False):
        _overlay(axes, row, top)
    nothing = rows.filter(pl.col("highest") == 0).height
    told = f" In {nothing} of them nothing speaks for a higher risk." if nothing else ""
    return embed(
        figure,
        f"Grad-CAM of {rows.height} subjects on {image} for {endpoint}",
        f"{image}, {endpoint}: where the evidence for a higher risk lies (Grad-CAM; all maps have one scale, light is "
        "high), in subjects of highest and of lowest risk, by networks that did not learn from them. Grey: "
        "the slice with the highest map; line: the region. The number is the predicted risk." + told,
    )


def _overlay(axes: Axes, row: dict[str, Any], top: float) -> None:
    grey, mask, cam = (
        np.frombuffer(row[name], dtype=np.uint8).reshape(row["height"], row["width"])
        for name in ("pixels", "mask", "map")
    )
    aspect = row["spacing_y"] / row["spacing_x"]
    axes.imshow(grey, cmap="gray", vmin=0, vmax=255, interpolation="nearest", aspect=aspect)
    if cam.any():
        heat = np.ma.masked_where((mask == 0) | (cam == 0), cam * (row["highest"] / top))
        axes.imshow(heat, cmap="inferno", vmin=0, vmax=255, alpha=0.55, interpolation="nearest", aspect=aspect)
    if 0 < mask.sum() < mask.size:
        axes.contour(mask, levels=[0.5], colors=[ACCENT], linewidths=0.8)
    axes.set_title(f"{shorten(str(row['subject']), 12)}  {row['prediction']:+.2f}", fontsize=7.5, pad=2)


@styled
def column_bars(rows: pl.DataFrame, endpoint: str) -> Figure:
    """Draw the numbers of largest mean absolute attribution."""
    top = rows.head(_SHOWN).reverse()
    figure = canvas(
        7.6, 0.24 * top.height + 0.65, left=0.34, right=0.97, top=0.98, bottom=0.5 / (0.24 * top.height + 0.65)
    )
    axes = figure.add_subplot()
    raises = [(s or 0.0) > 0 for s in top["slope"]]
    axes.barh(range(top.height), top["mean_absolute"], color=[ACCENT if r else DARK for r in raises], height=0.7)
    labels = [f"{shorten(r['item'], 34)}  ({r['modality']})" for r in top.iter_rows(named=True)]
    axes.set_yticks(range(top.height), labels)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("mean absolute attribution, in units of the risk")
    axes.set_ylim(-0.6, top.height - 0.4)
    return embed(
        figure,
        f"Numbers of largest attribution for {endpoint}",
        f"{endpoint}: what numbers add to or take from the risk of held-out subjects (integrated gradients from the "
        f"mean of the training part), the {top.height} largest of {rows.height}. Red: higher values raise the risk; "
        "blue: they lower it.",
        half=False,
    )


@styled
def variant_dots(rows: pl.DataFrame, endpoint: str) -> Figure:
    """Draw what each variant adds to the risk, along the genome (or in the order of the table of windows)."""
    placed = rows.with_columns(order=pl.col("chromosome").map_elements(_chromosome, return_dtype=pl.Float64))
    placed = placed.sort("order", "position", "gene", "subject", nulls_last=True)
    figure = canvas(7.6, 2.5, left=0.09, right=0.98, top=0.96, bottom=0.2)
    axes = figure.add_subplot()
    axes.axhline(0.0, color=INK, lw=0.8)
    at = np.arange(placed.height)
    values = placed["attribution"].to_numpy()
    axes.vlines(at, 0.0, values, color=LIGHT, lw=0.7)
    axes.plot(at, values, "o", color=DARK, ms=2.6)
    named = _apart(values)
    for i in named:
        name = placed["gene"][i] or placed["subject"][i]
        axes.annotate(name, (at[i], values[i]), xytext=(4, 0), textcoords="offset points", fontsize=7, va="center")
    _chromosomes(axes, placed)
    axes.set_ylabel("attribution")
    axes.margins(x=0.02, y=0.12)
    return embed(
        figure,
        f"What each variant adds to the risk for {endpoint}",
        f"{endpoint}: integrated gradients of {placed.height} variants of held-out subjects, from the reference to the "
        f"tumour allele. Of the largest, {len(named)} are named.",
    )


def _apart(values: npt.NDArray[np.float64]) -> list[int]:
    """Largest of the values whose names would not be drawn over one another."""
    high = float(np.ptp(values)) or 1.0
    kept: list[int] = []
    for i in np.argsort(-np.abs(values))[: 4 * _NAMED].tolist():
        free = all(abs(i - k) > 0.1 * values.size or abs(values[i] - values[k]) > 0.08 * high for k in kept)
        if free and len(kept) < _NAMED:
            kept.append(i)
    return kept


def _chromosome(name: str) -> float:
    bare = name.removeprefix("chr")
    if bare.isdigit():
        return float(bare)
    return {"X": 23.0, "Y": 24.0, "M": 25.0, "MT": 25.0}.get(bare.upper(), 26.0)


def _chromosomes(axes: Axes, placed: pl.DataFrame) -> None:
    names = [re.sub("^chr", "", n or "") for n in placed["chromosome"].to_list()]
    if not any(names):
        axes.set_xlabel("variants")
        axes.set_xticks([])
        return
    first = [i for i, n in enumerate(names) if i == 0 or n != names[i - 1]]
    for i in first[1:]:
        axes.axvline(i - 0.5, color=GREY, lw=0.4)
    axes.set_xticks(
        [(i + j) / 2 for i, j in zip(first, [*first[1:], len(names)], strict=True)], [names[i] for i in first]
    )
    axes.tick_params(axis="x", length=0)
    axes.set_xlabel("chromosome; variants in their order")
