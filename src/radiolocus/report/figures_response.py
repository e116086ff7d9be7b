"""Treatment response in pictures: the waterfall of best changes and the course of every subject."""

from __future__ import annotations

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from radiolocus.report.blocks import Figure
from radiolocus.report.drawing import ACCENT, GREY, INK, canvas, embed, legend_above, styled
from radiolocus.report.numbers import plural

__all__ = ["RESPONSES", "spider", "waterfall"]

RESPONSES = ("CR", "PR", "SD", "NON-CR/NON-PD", "PD", "NE")
# Fill, hatch, line: each pair of classes differs in at least two of lightness, hatch and dash.
_LOOK = {
    "CR": ("#1d3557", "", "-"),
    "PR": ("#7da7c9", "////", "-"),
    "SD": ("#e4e4e4", "", "--"),
    "NON-CR/NON-PD": ("#ffffff", "....", "--"),
    "PD": ("#c9584e", "xxx", ":"),
    "NE": ("#ffffff", "", ":"),
}
_LINE = {
    "CR": "#1d3557",
    "PR": "#4f83ad",
    "SD": "#777777",
    "NON-CR/NON-PD": "#999999",
    "PD": "#b2342a",
    "NE": "#aaaaaa",
}
CLIP = 100.0


def _thresholds(axes: Axes, width: float, order: int) -> None:
    """Draw the changes that make a progression and a partial response."""
    for level, text in ((20, "+20 %"), (-30, "−30 %")):
        axes.axhline(level, color=ACCENT, lw=width, ls=(0, (5, 2)), zorder=order)
        axes.annotate(
            text,
            (1.0, level),
            xytext=(4, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            color=ACCENT,
            annotation_clip=False,
        )


def _present(labels: list[str]) -> list[str]:
    return [r for r in RESPONSES if r in labels] + sorted(set(labels) - set(RESPONSES))


@styled
def waterfall(best: pl.DataFrame) -> Figure | None:
    """Draw the best change of every subject from largest growth to largest shrinkage; None when nobody has one."""
    known = best.filter(pl.col("best_change").is_finite()).sort(["best_change", "subject"], descending=[True, False])
    if not known.height:
        return None
    labels = known["best_response"].to_list()
    change = known["best_change"].to_numpy()
    figure = canvas(8.6, 3.7, left=0.1, right=0.90, top=0.9, bottom=0.14 if known.height > 60 else 0.2)
    axes = figure.add_subplot()
    shown = np.minimum(change, CLIP)
    for i, (value, label) in enumerate(zip(shown, labels, strict=True)):
        fill, hatch, _ = _LOOK.get(label, ("#ffffff", "", "-"))
        # A bar of no height would look like a missing subject.
        axes.bar(
            i, value if abs(value) > 0.4 else 0.4, width=0.86, facecolor=fill, hatch=hatch, edgecolor=INK, linewidth=0.4
        )
        if change[i] > CLIP:
            axes.text(i, CLIP + 1, f"{change[i]:.0f}", ha="center", fontsize=6.5, rotation=90)
    axes.axhline(0, color=INK, lw=0.8)
    _thresholds(axes, 0.9, 3)
    axes.set_xlim(-0.8, known.height - 0.2)
    axes.set_ylim(min(-40.0, float(shown.min()) * 1.06), max(30.0, float(shown.max()) * 1.1))
    axes.set_ylabel("best change of the sum\nof diameters from baseline (%)")
    if known.height <= 60:
        axes.set_xticks(range(known.height), known["subject"].to_list(), rotation=90, fontsize=6.5)
        axes.tick_params(axis="x", length=0)
    else:
        axes.set_xticks([])
        axes.set_xlabel(f"{known.height} subjects, by best change")
    handles = [
        Patch(
            facecolor=_LOOK.get(r, ("#fff", "", ""))[0],
            hatch=_LOOK.get(r, ("", "", ""))[1],
            edgecolor=INK,
            linewidth=0.6,
            label=f"{r} ({labels.count(r)})",
        )
        for r in _present(labels)
    ]
    legend_above(axes, columns=6, handles=handles, title=None)
    without = best.height - known.height
    return embed(
        figure,
        f"Waterfall plot of the best change of the sum of diameters of {known.height} subjects",
        f"Best change of the sum of target diameters of {plural(known.height, 'subject')}, filled by best overall "
        "response "
        f"(RECIST 1.1); lines at −30 % and +20 %."
        + (f" Not shown: {plural(without, 'subject')} without a measurable change." if without else "")
        + " Progression is judged from the smallest earlier sum and by new lesions, so a bar below +20 % may be PD.",
    )


@styled
def spider(timepoints: pl.DataFrame, best: pl.DataFrame | None) -> Figure | None:
    """Draw the change from baseline over time, a line a subject; None when no visit has a change."""
    known = timepoints.filter(pl.col("change_from_baseline").is_finite() & pl.col("day").is_finite())
    if not known.height:
        return None
    label = dict(best.select("subject", "best_response").iter_rows()) if best is not None else {}
    figure = canvas(6.6, 3.6, left=0.11, right=0.89, top=0.9, bottom=0.13)
    axes = figure.add_subplot()
    seen: dict[str, int] = {}
    for (subject,), part in known.sort("subject", "day").group_by(["subject"], maintain_order=True):
        kind = str(label.get(subject, "NE"))
        line = _LOOK.get(kind, ("", "", "-"))[2]
        axes.plot(
            part["day"],
            np.minimum(part["change_from_baseline"].to_numpy(), CLIP),
            color=_LINE.get(kind, GREY),
            ls=line,
            lw=0.9,
            marker=".",
            ms=3,
            alpha=0.85,
        )
        new = part.filter(pl.col("new_lesion"))
        if new.height:
            axes.plot(
                new["day"][0], min(new["change_from_baseline"][0], CLIP), marker="x", ms=5, mew=1.2, color=INK, zorder=4
            )
        seen[kind] = seen.get(kind, 0) + 1
    _thresholds(axes, 0.8, 0)
    axes.axhline(0, color=INK, lw=0.6, zorder=0)
    for kind in _present(list(seen)):
        axes.plot([], [], color=_LINE.get(kind, GREY), ls=_LOOK.get(kind, ("", "", "-"))[2], marker=".", label=kind)
    axes.plot([], [], ls="none", marker="x", ms=5, mew=1.2, color=INK, label="new lesion")
    legend_above(axes, columns=7)
    axes.set_xlabel("time since baseline (days)")
    axes.set_ylabel("change of the sum of diameters (%)")
    return embed(
        figure,
        f"Spider plot of the change of the sum of diameters of {len(label) or known['subject'].n_unique()} "
        "subjects over time",
        "Change of the sum of target diameters from baseline over time, a line a subject, by best overall response; "
        f"cross: first new lesion. Growth beyond +{CLIP:.0f} % is drawn at +{CLIP:.0f} %.",
    )
