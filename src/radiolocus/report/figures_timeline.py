"""The course of one patient: scans, calls, function, circulating tumour DNA, clones and treatment over one time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from radiolocus.report.drawing import ACCENT, DARK, GREY, INK, LIGHT, Drawn, canvas, shorten, styled
from radiolocus.report.figures_clones import CLONE_FILLS

__all__ = ["TRACKS", "rank_subjects", "timeline"]

TRACKS: Mapping[str, str] = {
    "response/criteria": "scans and calls",
    "response/delta": "function",
    "response/ctdna": "circulating tumour DNA",
    "response/clones": "clones",
    "response/treatments": "treatment",
}
"""Tables that a timeline draws from, and what each track is called."""

_HEIGHT = {"response/criteria": 1.5, "response/delta": 1.2, "response/ctdna": 1.2, "response/clones": 1.2}
_LINES = ((DARK, "-", "o"), (ACCENT, "--", "s"), (GREY, ":", "^"), (INK, "-.", "D"), ("#5b8e7d", "-", "v"))
_FUNCTION = ("uptake", "tlg", "mtv", "volume", "adc", "ktrans", "hypoxic_fraction", "density")
_MOST_FUNCTIONS = 3
# Words stand before lines that pass behind them.
_HALO = {"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.85}


def _of(tables: Mapping[str, pl.DataFrame | None], name: str, subject: str) -> pl.DataFrame:
    frame = tables.get(name)
    if frame is None:
        return pl.DataFrame()
    rows = frame.filter(pl.col("subject") == subject)
    if name == "response/delta":
        rows = rows.filter((pl.col("image") == "lesions") & pl.col("relative").is_not_null())
    return rows


def rank_subjects(tables: Mapping[str, pl.DataFrame | None]) -> list[str]:
    """Subjects with a visit or sample after baseline, those with most tracks first, then those with most of them."""
    visits: dict[str, int] = {}
    for name in ("response/ctdna", "response/criteria"):  # where there are calls, they count
        if (frame := tables.get(name)) is not None:
            visits |= dict(frame.filter(pl.col("day") > 0).group_by("subject").len().iter_rows())
    tracks = {
        name: set(frame["subject"]) for name in TRACKS if (frame := tables.get(name)) is not None and frame.height
    }
    return sorted(visits, key=lambda s: (-sum(s in who for who in tracks.values()), -visits[s], s))


@styled
def timeline(subject: str, tables: Mapping[str, pl.DataFrame | None], quantity: str = "") -> Drawn | None:
    """Draw the course of one patient.

    Parameters
    ----------
    subject : str
    tables : mapping of str to polars.DataFrame or None
        Artefacts by name; of ``response/criteria`` the rows of one criterion. Tracks without rows are left out.
    quantity : str
        What the criterion follows, for the axis.

    Returns
    -------
    Drawn or None
        None without a visit or a sample after baseline.
    """
    rows = {name: part for name in TRACKS if (part := _of(tables, name, subject)).height}
    if not any("day" in part.columns and _last_day(part) > 0 for part in rows.values()):
        return None
    heights = [_HEIGHT.get(name, 0.3 + 0.2 * rows[name].height) for name in rows]
    figure = canvas(8.2, 0.8 + sum(heights) + 0.22 * len(heights))
    axes = figure.subplots(len(rows), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    figure.subplots_adjust(left=0.14, right=0.84, top=0.94, bottom=0.1, hspace=0.34)
    last = max(_last_day(part) for part in rows.values())
    for track, (name, part) in zip(axes, rows.items(), strict=True):
        _DRAWN[name](track, part, last)
        track.set_title(TRACKS[name], fontsize=8, pad=8 if name == "response/criteria" else 3)
        track.axvline(0, color=LIGHT, lw=0.8, zorder=0)
    calls = rows.get("response/criteria")
    if calls is not None:
        name, _, unit = (quantity or str(calls["quantity"][0])).partition(", ")
        axes[0].set_ylabel(shorten(name, 26) + (f"\n({shorten(unit, 12)})" if unit else ""), fontsize=7)
    axes[-1].set_xlabel("time since baseline (days)")
    least = min(0.0, *(_first_day(part) for part in rows.values()))
    axes[-1].set_xlim(least - 0.02 * (last - least), last + 0.03 * (last - least))
    told = ", ".join(TRACKS[name] for name in rows)
    return Drawn(
        figure,
        f"Timeline of patient {subject}: {told}",
        f"Patient {subject}: {told}."
        + (
            ""
            if calls is None
            else " Words over the first track are the calls of the visits; cross: new lesion; red line: first "
            "progression."
        )
        + (" Hollow points of function lie within the repeatability." if "response/delta" in rows else "")
        + " Bars are 95 % intervals; a hollow point of circulating tumour DNA is not detected.",
    )


def _last_day(part: pl.DataFrame) -> float:
    ends = [part[c].max() for c in ("day", "start", "end") if c in part.columns]
    return max(float(str(e)) for e in ends if e is not None)


def _first_day(part: pl.DataFrame) -> float:
    start = part["start" if "start" in part.columns else "day"].min()
    return float(str(start))


def _scans(axes: Axes, part: pl.DataFrame, last: float) -> None:
    part = part.sort("day")
    known = part.filter(pl.col("value").is_not_null())
    axes.plot(known["day"], known["value"], color=DARK, marker="o", ms=4)
    top = float(str(known["value"].max())) if known.height else 1.0
    axes.set_ylim(0, 1.22 * top if top > 0 else 1.0)
    new = part.filter(pl.col("new_lesion"))
    axes.plot(new["day"], np.full(new.height, 0.06 * top), ls="none", marker="x", ms=6, mew=1.4, color=INK)
    for day, value, word in part.select("day", "value", "overall_response").iter_rows():
        if word is not None:
            place = (day, value if value is not None else 0.0)
            axes.annotate(
                word, place, (0, 6), textcoords="offset points", ha="center", fontsize=7.5, weight="bold", color=INK,
                bbox=_HALO,
            )  # fmt: skip
    progressed = part.filter(pl.col("overall_response").is_in(["PD", "iUPD", "iCPD", "PMD"]))
    if progressed.height:
        axes.axvline(float(progressed["day"][0]), color=ACCENT, lw=1.0, ls=(0, (5, 2)), zorder=0)


def _function(axes: Axes, part: pl.DataFrame, last: float) -> None:
    there = [m for m in _FUNCTION if m in part["measure"].to_list()][:_MOST_FUNCTIONS]
    ends: list[tuple[float, str, str]] = []
    for name, (color, dash, marker) in zip(there, _LINES, strict=False):
        own = part.filter(pl.col("measure") == name).sort("day")
        days, change = [0.0, *own["day"]], [0.0, *own["relative"]]
        axes.plot(days, change, color=color, ls=dash, lw=1.2)
        # Within what two measurements of an unchanged lesion differ by, a point is hollow.
        noise = [True, *own["beyond_noise"].fill_null(value=True)]
        for hollow in (False, True):
            here = [(d, c) for d, c, beyond in zip(days, change, noise, strict=True) if beyond is not hollow]
            if here:
                axes.plot(*zip(*here, strict=True), ls="none", marker=marker, ms=3.5, color=color,
                          mfc="white" if hollow else color)  # fmt: skip
        ends.append((change[-1], name.replace("_", " "), color))
    axes.axhline(0, color=INK, lw=0.5, zorder=0)
    axes.set_ylabel("change (%)", fontsize=7)
    _end_labels(axes, ends)


def _blood(axes: Axes, part: pl.DataFrame, last: float) -> None:
    part = part.sort("day").filter(pl.col("mean_vaf").is_not_null())
    vaf, seen = part["mean_vaf"].to_numpy(), (part["detected"] > 0).to_numpy()
    floor = part["limit"].fill_null(0.0).to_numpy()
    shown = np.where(seen, vaf, np.maximum(floor, 1e-5))
    low, high = (part[c].fill_null(0.0).to_numpy() for c in ("mean_lower", "mean_upper"))
    bars = np.vstack([shown - np.minimum(np.maximum(low, 1e-5), shown), np.maximum(high - shown, 0)])
    axes.plot(part["day"], shown, color=DARK, lw=1.0, zorder=1)
    axes.errorbar(part["day"], shown, yerr=bars * seen, fmt="none", ecolor=DARK, elinewidth=0.9)
    axes.scatter(part["day"], shown, s=18, edgecolors=DARK, facecolors=np.where(seen, DARK, "white"), zorder=3)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 3) if np.ptp(np.log10(shown)) > 1 else (1, 1.5, 2, 3, 5, 7)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:.3g} %"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel("mean VAF", fontsize=7)
    before = ""
    for day, value, words in zip(part["day"], shown, part["resistance"].fill_null(""), strict=True):
        if words and words != before:
            before = words
            axes.annotate(
                shorten(words, 24),
                (day, value),
                (0, 6),
                textcoords="offset points",
                ha="center",
                fontsize=6.5,
                color=ACCENT,
                bbox=_HALO,
            )


def _clones(axes: Axes, part: pl.DataFrame, last: float) -> None:
    ends = []
    for k, ((clone,), own) in enumerate(part.sort("clone", "day").group_by(["clone"], maintain_order=True)):
        _, dash, marker = _LINES[k % len(_LINES)]
        color = CLONE_FILLS[k % len(CLONE_FILLS)]
        axes.fill_between(own["day"], own["lower"], own["upper"], color=color, alpha=0.15, lw=0)
        axes.plot(own["day"], own["cancer_cell_fraction"], color=color, ls=dash, marker=marker, ms=3.5)
        ends.append((float(own["cancer_cell_fraction"][-1]), str(clone), color))
    axes.set_ylim(-0.02, 1.08)
    axes.set_ylabel("share of\ntumour cells", fontsize=7)
    _end_labels(axes, ends)


def _treatments(axes: Axes, part: pl.DataFrame, last: float) -> None:
    for lane, row in enumerate(part.sort("start").iter_rows(named=True)):
        end = last if row["end"] is None else row["end"]
        axes.barh(lane, end - row["start"], left=row["start"], height=0.6, color=LIGHT, edgecolor=INK, linewidth=0.5)
        if row["end"] is None:
            axes.plot(end, lane, marker=">", ms=4, color=INK, clip_on=False)
        name = row["treatment"] if row["line"] is None else f"{row['line']}: {row['treatment']}"
        late = row["start"] > 0.75 * last
        place, side = (row["start"] - 0.008 * last, "right") if late else (max(row["start"], 0) + 0.006 * last, "left")
        axes.text(place, lane, shorten(name, 40), va="center", ha=side, fontsize=7)
    axes.set_ylim(part.height - 0.5, -0.5)
    axes.set_yticks([])


def _end_labels(axes: Axes, ends: list[tuple[float, str, str]]) -> None:
    """Write names beside the ends of lines, pushed apart where they would meet."""
    low, high = axes.get_ylim()
    step, place = 0.14 * (high - low), -np.inf
    for value, name, color in sorted(ends):
        place = max(place + step, value)
        at = axes.get_yaxis_transform()
        axes.text(1.01, place, name, color=color, fontsize=7, va="center", transform=at, clip_on=False)


_DRAWN: dict[str, Callable[[Axes, pl.DataFrame, float], Any]] = {
    "response/criteria": _scans,
    "response/delta": _function,
    "response/ctdna": _blood,
    "response/clones": _clones,
    "response/treatments": _treatments,
}
