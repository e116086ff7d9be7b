"""Treatment response in pictures: the waterfall of best changes, the course and the time on study of every subject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from radiolocus.report.blocks import Figure
from radiolocus.report.drawing import ACCENT, GREY, INK, canvas, embed, legend_above, shorten, styled
from radiolocus.report.numbers import plural

__all__ = ["RECIST", "RESPONSES", "Kind", "spider", "swimmer", "waterfall"]

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
_MOST_LANES = 80


@dataclass(frozen=True)
class Kind:
    """The criterion that is drawn.

    Parameters
    ----------
    title : str
    quantity : str
        What is followed.
    growth, fall : float or None
        Changes that make a progression and a partial response, %.
    classes : dict of str to str
        Words of the criterion that are not those of RECIST, with the class they are drawn as.
    """

    title: str
    quantity: str
    growth: float | None
    fall: float | None
    classes: Mapping[str, str] = field(default_factory=dict)

    def drawn_as(self, word: str) -> str:
        """Class of RECIST by which a word is filled."""
        return self.classes.get(word, word)


RECIST = Kind("RECIST 1.1", "sum of target diameters", 20.0, -30.0)


def _thresholds(axes: Axes, width: float, order: int, kind: Kind) -> None:
    """Draw the changes that make a progression and a partial response."""
    for level in (kind.growth, kind.fall):
        if level is None:
            continue
        text = f"{level:+.3g} %".replace("-", "−")
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
def waterfall(best: pl.DataFrame, kind: Kind = RECIST) -> Figure | None:
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
        fill, hatch, _ = _LOOK.get(kind.drawn_as(label), ("#ffffff", "", "-"))
        # A bar of no height would look like a missing subject.
        axes.bar(
            i, value if abs(value) > 0.4 else 0.4, width=0.86, facecolor=fill, hatch=hatch, edgecolor=INK, linewidth=0.4
        )
        if change[i] > CLIP:
            axes.text(i, CLIP + 1, f"{change[i]:.0f}", ha="center", fontsize=6.5, rotation=90)
    axes.axhline(0, color=INK, lw=0.8)
    _thresholds(axes, 0.9, 3, kind)
    axes.set_xlim(-0.8, known.height - 0.2)
    axes.set_ylim(min(-40.0, float(shown.min()) * 1.06), max(30.0, float(shown.max()) * 1.1))
    axes.set_ylabel(f"best change of the\n{kind.quantity} (%)")
    if known.height <= 60:
        axes.set_xticks(range(known.height), known["subject"].to_list(), rotation=90, fontsize=6.5)
        axes.tick_params(axis="x", length=0)
    else:
        axes.set_xticks([])
        axes.set_xlabel(f"{known.height} subjects, by best change")
    handles = [
        Patch(
            facecolor=_LOOK.get(kind.drawn_as(r), ("#fff", "", ""))[0],
            hatch=_LOOK.get(kind.drawn_as(r), ("", "", ""))[1],
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
        f"Waterfall plot of the best change of the {kind.quantity} of {known.height} subjects",
        f"Best change of the {kind.quantity} of {plural(known.height, 'subject')}, filled by best overall response "
        f"({kind.title}); lines at the changes that make a response and a progression."
        + (f" Not shown: {plural(without, 'subject')} without a measurable change." if without else "")
        + " New lesions and growth from the smallest earlier value make progressions that the bar does not show.",
    )


@styled
def spider(timepoints: pl.DataFrame, best: pl.DataFrame | None, kind: Kind = RECIST) -> Figure | None:
    """Draw the change from baseline over time, a line a subject; None when no visit has a change."""
    known = timepoints.filter(pl.col("change_from_baseline").is_finite() & pl.col("day").is_finite())
    if not known.height:
        return None
    label = dict(best.select("subject", "best_response").iter_rows()) if best is not None else {}
    figure = canvas(6.6, 3.6, left=0.11, right=0.89, top=0.9, bottom=0.13)
    axes = figure.add_subplot()
    seen: dict[str, int] = {}
    for (subject,), part in known.sort("subject", "day").group_by(["subject"], maintain_order=True):
        word = str(label.get(subject, "NE"))
        line = _LOOK.get(kind.drawn_as(word), ("", "", "-"))[2]
        axes.plot(
            part["day"],
            np.minimum(part["change_from_baseline"].to_numpy(), CLIP),
            color=_LINE.get(kind.drawn_as(word), GREY),
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
        seen[word] = seen.get(word, 0) + 1
    _thresholds(axes, 0.8, 0, kind)
    axes.axhline(0, color=INK, lw=0.6, zorder=0)
    for word in _present(list(seen)):
        look = kind.drawn_as(word)
        axes.plot([], [], color=_LINE.get(look, GREY), ls=_LOOK.get(look, ("", "", "-"))[2], marker=".", label=word)
    axes.plot([], [], ls="none", marker="x", ms=5, mew=1.2, color=INK, label="new lesion")
    legend_above(axes, columns=7)
    axes.set_xlabel("time since baseline (days)")
    axes.set_ylabel(f"change of the {kind.quantity} (%)")
    return embed(
        figure,
        f"Spider plot of the change of the {kind.quantity} of {len(label) or known['subject'].n_unique()} "
        "subjects over time",
        f"Change of the {kind.quantity} from baseline over time, a line a subject, by best overall response; "
        f"cross: first new lesion. Growth beyond +{CLIP:.0f} % is drawn at +{CLIP:.0f} %.",
    )


def _responds(word: str, kind: Kind) -> bool:
    return kind.drawn_as(word) in ("CR", "PR")


_TREATMENTS = ("#2f6f5e", "#d39a2d", "#7a4f9a", "#8c8c8c")


def _draw_treatments(axes: Axes, treatments: pl.DataFrame | None, last: Mapping[str, float]) -> list[Patch]:
    """Draw lines of treatment below the lanes; return what the legend says of them.

    `last` is the day of the last visit by subject, in the order of the lanes: nothing is known of a line without end
    after it.
    """
    if treatments is None:
        return []
    lanes = {subject: lane for lane, subject in enumerate(last)}
    known = treatments.filter(pl.col("subject").is_in(list(lanes)))
    often = known["treatment"].value_counts(sort=True).sort(["count", "treatment"], descending=[True, False])
    names = often["treatment"].to_list()[: len(_TREATMENTS) - 1]
    color = dict(zip(names, _TREATMENTS, strict=False))
    for row in known.iter_rows(named=True):
        lane, end = lanes[row["subject"]], last[row["subject"]] if row["end"] is None else row["end"]
        begin, filled = max(row["start"], 0.0), color.get(row["treatment"], _TREATMENTS[-1])
        if end > begin:
            axes.barh(lane + 0.43, end - begin, left=begin, height=0.14, color=filled, zorder=3)
    told = [*names, *(["other treatment"] if often.height > len(names) else [])]
    return [Patch(facecolor=color.get(name, _TREATMENTS[-1]), label=shorten(name, 24)) for name in told]


@styled
def swimmer(
    timepoints: pl.DataFrame, best: pl.DataFrame, kind: Kind = RECIST, treatments: pl.DataFrame | None = None
) -> Figure | None:
    """Draw a lane a subject from baseline to the last visit, filled by the call of each visit; None without visits.

    A stretch has the call of the visit that begins it, since before a visit nobody knew; it is blank up to the first
    visit, and a stub behind the last one shows its call. Lines of treatment, where they are known, run below the lanes.
    """
    later = timepoints.filter(pl.col("day").is_finite() & pl.col("overall_response").is_not_null())
    if not later.height:
        return None
    order = later.group_by("subject").agg(pl.col("day").max()).sort(["day", "subject"], descending=[True, False])
    shown = order.head(_MOST_LANES)["subject"].to_list()
    figure = canvas(8.6, 1.2 + 0.13 * max(len(shown), 6), left=0.12, right=0.98, top=0.9, bottom=0.14)
    axes = figure.add_subplot()
    ends = dict(best.select("subject", "progression_day").iter_rows())
    words: list[str] = []
    stub = 0.015 * float(str(later["day"].max()))
    by_subject = {str(k[0]): v for k, v in later.sort("subject", "day").partition_by("subject", as_dict=True).items()}
    for lane, subject in enumerate(shown):
        calls = by_subject[subject].select("day", "overall_response").rows()
        last = calls[-1][0]
        axes.barh(lane, calls[0][0], height=0.72, facecolor="white", edgecolor=INK, linewidth=0.3)
        for (day, word), end in zip(calls, [*(d for d, _ in calls[1:]), last + stub], strict=True):
            fill, hatch, _ = _LOOK.get(kind.drawn_as(word), ("#ffffff", "", ""))
            axes.barh(lane, end - day, left=day, height=0.72, facecolor=fill, hatch=hatch, edgecolor=INK, linewidth=0.3)
            words.append(word)
        responded = [d for d, w in calls if _responds(w, kind)]
        if responded:
            axes.plot(responded[0], lane, marker="^", ms=4.5, mfc="white", mec=INK, mew=0.8, zorder=4)
        if ends.get(subject) is None:
            axes.plot(last + stub, lane, marker=">", ms=4, color=INK, clip_on=False)
        else:
            axes.plot(ends[subject], lane, marker="X", ms=5.5, mfc="white", mec=INK, mew=0.8, zorder=4, clip_on=False)
    lines = _draw_treatments(axes, treatments, dict(order.head(len(shown)).select("subject", "day").iter_rows()))
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(0, float(later["day"].max()) * 1.03)  # type: ignore[arg-type]
    axes.set_yticks(range(len(shown)), shown, fontsize=6)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("time since baseline (days)")
    handles = [
        Patch(
            facecolor=_LOOK.get(kind.drawn_as(r), ("#fff", "", ""))[0],
            hatch=_LOOK.get(kind.drawn_as(r), ("", "", ""))[1],
            edgecolor=INK,
            linewidth=0.6,
            label=r,
        )
        for r in _present(words)
    ]
    legend_above(axes, columns=9, handles=[*handles, *lines])
    left_out = order.height - len(shown)
    return embed(
        figure,
        f"Swimmer plot of the responses of {len(shown)} subjects over time",
        f"Time on study, a lane a subject, filled from each visit on by its call ({kind.title}), blank up to the "
        "first; triangle: first response; cross: progression; arrow: none up to the last visit."
        + (" Thin bars below the lanes are lines of treatment." if lines else "")
        + (f" The {len(shown)} longest are shown, {plural(left_out, 'subject')} are not." if left_out else ""),
    )
