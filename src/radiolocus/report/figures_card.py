"""Distributions for a card and a profile: of one feature, by a marker, and of one patient among the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from radiolocus.model import Array
from radiolocus.report.blocks import Figure
from radiolocus.report.drawing import ACCENT, DARK, GREY, INK, LIGHT, canvas, embed, shorten, styled
from radiolocus.report.numbers import number, plural

__all__ = ["Standing", "by_marker", "distribution", "standings"]


def _named(name: str, unit: str) -> str:
    return f"{shorten(name, 44)} ({unit or 'no unit'})"


def _spread(values: Array, width: float) -> Array:
    """Sideways shifts, the same on every run, so that equal values do not hide one another."""
    order = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return np.asarray(((order * 0.618034) % 1.0 - 0.5) * width)


@styled
def distribution(values: Array, name: str, unit: str) -> Figure:
    """Draw a histogram with its median and quartiles; bins of Freedman & Diaconis (1981), 5 to 40."""
    known = values[np.isfinite(values)]
    low, middle, high = np.quantile(known, (0.25, 0.5, 0.75))
    width = 2 * (high - low) / known.size ** (1 / 3)
    span = float(known.max() - known.min())
    bins = int(np.clip(np.ceil(span / width) if width > 0 else 10, 5, 40))
    figure = canvas(4.1, 2.7, left=0.15, right=0.97, top=0.93, bottom=0.2)
    axes = figure.add_subplot()
    axes.hist(known, bins=bins, color=LIGHT, edgecolor="white", linewidth=0.5)
    axes.axvline(middle, color=ACCENT, lw=1.4)
    for quartile in (low, high):
        axes.axvline(quartile, color=ACCENT, lw=0.9, ls=(0, (4, 2)))
    axes.set_xlabel(_named(name, unit))
    axes.set_ylabel("subjects")
    return embed(
        figure,
        f"Histogram of {name}",
        f"{plural(known.size, 'subject')}: median {number(float(middle))} (line), quartiles {number(float(low))} and "
        f"{number(float(high))} (dashed).",
        half=True,
    )


@styled
def by_marker(values: Array, marker: Array, name: str, unit: str, marker_name: str, found: str = "") -> Figure:
    """Draw a feature against a marker: two columns of points with their medians, or a scatter of two numbers."""
    here = np.isfinite(values) & np.isfinite(marker)
    y, x = values[here], marker[here]
    figure = canvas(4.1, 2.7, left=0.19, right=0.97, top=0.93, bottom=0.2)
    axes = figure.add_subplot()
    if set(np.unique(x)) <= {0.0, 1.0}:
        groups = [(0.0, "absent"), (1.0, "present")]
        labels = []
        for place, word in groups:
            own = y[x == place]
            labels.append(f"{word} ({own.size})")
            axes.scatter(place + _spread(own, 0.5), own, s=7, color=DARK if place else GREY, alpha=0.7, lw=0)
            if own.size:
                axes.hlines(float(np.median(own)), place - 0.3, place + 0.3, color=ACCENT, lw=1.6, zorder=4)
        axes.set_xticks([0, 1], labels)
        axes.set_xlim(-0.6, 1.6)
        axes.set_xlabel(shorten(marker_name, 44))
        told = "Line: median."
    else:
        axes.scatter(x, y, s=8, color=DARK, alpha=0.7, lw=0)
        axes.set_xlabel(shorten(marker_name, 44))
        told = "A point is a subject."
    axes.set_ylabel(_named(shorten(name, 26), unit))
    caption = f"{name} by {marker_name}, {plural(int(here.sum()), 'subject')} with both, not adjusted. {told} {found}"
    return embed(figure, f"{name} by {marker_name}", caption.rstrip(), half=True)


@dataclass(frozen=True, eq=False)
class Standing:
    """Where a patient stands in one feature.

    Parameters
    ----------
    name, unit : str
    value : float
        Of the patient.
    others : ndarray
        Of everybody else, without missing values.
    percentile : float
        Share of the others below, equal ones counted half, in percent.
    lower, upper : float or None
        Percentiles of the value less and plus its repeatability; None where that was not measured.
    """

    name: str
    unit: str
    value: float
    others: Array
    percentile: float
    lower: float | None = None
    upper: float | None = None


def _strip(axes: Axes, y: int, one: Standing) -> None:
    axes.hlines(y, 0, 100, color=LIGHT, lw=5, zorder=1)
    axes.hlines(y, 25, 75, color=GREY, lw=5, zorder=1.5, alpha=0.55)
    axes.plot(50, y, "|", color="white", ms=7, mew=1.4, zorder=2)
    if one.lower is not None and one.upper is not None:
        axes.hlines(y, one.lower, one.upper, color=ACCENT, lw=1.4, zorder=3)
    axes.plot(one.percentile, y, "D", color=ACCENT, mec="white", mew=0.6, ms=6.5, zorder=4, clip_on=False)


@styled
def standings(subject: str, rows: Sequence[Standing]) -> Figure:
    """Draw the percentile of a patient in each feature, with the value beside it."""
    height = 0.75 + 0.27 * len(rows)
    figure = canvas(8.4, height, left=0.3, right=0.79, top=1 - 0.25 / height, bottom=0.48 / height)
    axes = figure.add_subplot()
    for y, one in enumerate(rows):
        _strip(axes, y, one)
        middle = float(np.median(one.others))
        axes.annotate(
            f"{number(one.value)} {one.unit}".strip() + f"   [{number(middle)}]", (100, y), xytext=(10, 0),
            textcoords="offset points", va="center", fontsize=7.5, annotation_clip=False,
        )  # fmt: skip
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    axes.set_yticks(range(len(rows)), [shorten(one.name, 40) for one in rows], fontsize=7.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xticks([0, 5, 25, 50, 75, 95, 100])
    axes.set_xlabel("percentile among the other subjects")
    axes.annotate(
        "value   [others' median]", (100, -0.5), xytext=(10, 3), textcoords="offset points", va="bottom",
        fontsize=7.5, color=INK, weight="bold", annotation_clip=False,
    )  # fmt: skip
    known = any(one.lower is not None for one in rows)
    bars = (
        " Bar: percentiles of the value less and plus 1.96 within-subject standard deviations." if known else
        " Repeatability was not measured, so how far a second measurement would move the mark is not known."
    )  # fmt: skip
    sizes = sorted({one.others.size for one in rows})
    others = f"{sizes[0]} to {sizes[-1]}" if len(sizes) > 1 else str(sizes[0])
    return embed(
        figure,
        f"Percentiles of {subject} in {len(rows)} imaging features",
        f"{subject} (mark) among {others} other subjects; dark: middle half, white: median.{bars}",
    )
