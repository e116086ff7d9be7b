"""How far repeated measurements agree, feature by feature."""

from __future__ import annotations

import polars as pl

from radiolocus.report.blocks import Figure
from radiolocus.report.drawing import ACCENT, DARK, GREY, INK, LIGHT, canvas, embed, styled
from radiolocus.report.numbers import plural

__all__ = ["EXCELLENT", "GOOD", "POOR", "agreement_by_family"]

#: Limits of Koo & Li 2016, to which intervals and not estimates are held.
POOR, GOOD, EXCELLENT = 0.5, 0.75, 0.9

_LINE = 0.035  # inches a feature, while there is room
_LEAST, _MOST = 0.32, 2.2


@styled
def agreement_by_family(rows: pl.DataFrame, place: str) -> Figure:
    """Draw ICC(1,1) of every feature with its interval, family by family, from the best at the top to the poorest.

    Parameters
    ----------
    rows : polars.DataFrame
        Rows of table ``features/repeatability`` of one image, region, visit and source, with the `family` of each
        feature, at least one with an ICC.
    place : str
        What the rows are of, in words.
    """
    known = rows.filter(pl.col("icc_1_1").is_not_null())
    families = known["family"].unique(maintain_order=True).to_list()
    heights = [min(_MOST, max(_LEAST, _LINE * known.filter(family=f).height)) for f in families]
    gap = 0.08
    body = sum(heights) + gap * len(heights)
    height = body + 0.75
    figure = canvas(7.6, height, left=0.27, right=0.96, top=1 - 0.25 / height, bottom=0.5 / height)
    axes = figure.add_subplot()
    top, ticks = 0.0, []
    for family, size in zip(families, heights, strict=True):
        mine = known.filter(family=family).sort(["icc_1_1", "feature"], descending=[True, False])
        step = size / mine.height
        y = [top + (i + 0.5) * step for i in range(mine.height)]
        value, low, high = (mine[c].to_list() for c in ("icc_1_1", "icc_1_1_lower", "icc_1_1_upper"))
        points = 72 * step
        axes.hlines(y, low, high, color=LIGHT if points < 2 else GREY, lw=min(1.6, max(0.3, 0.55 * points)), zorder=2)
        poor = [v < POOR for v in value]
        axes.scatter(value, y, s=min(9.0, max(1.2, points**2)), c=[ACCENT if p else DARK for p in poor], lw=0, zorder=3)
        ticks.append((top + size / 2, f"{family.replace('_', ' ')} ({mine.height})"))
        top += size + gap
        axes.axhline(top - gap / 2, color=LIGHT, lw=0.5, zorder=0)
    for limit in (POOR, GOOD, EXCELLENT):
        axes.axvline(limit, color=INK, lw=0.8, ls=(0, (4, 2)), zorder=2.5)
        axes.text(limit, -0.03, f"{limit:g}", ha="center", va="bottom", fontsize=7.5)
    least = min(0.4, float(known["icc_1_1_lower"].fill_null(0).min() or 0.0))  # type: ignore[arg-type]
    axes.set_xlim(max(-1.0, least - 0.03), 1.01)
    axes.set_ylim(top, 0)
    axes.set_yticks([t for t, _ in ticks], [name for _, name in ticks])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("ICC(1,1) with its 95 % interval (no unit)")
    first = known.row(0, named=True)
    without = rows.height - known.height
    told = (
        f" {plural(without, 'feature')} without an ICC {'is' if without == 1 else 'are'} not drawn." if without else ""
    )
    return embed(
        figure,
        f"Intraclass correlation of {known.height} features of {place} by family",
        f"Agreement of every feature of {place}: {plural(max(known['n_subjects'].to_list()), 'subject')} with "
        f"{first['n_repeats']} measurements each. A line is a feature with its 95 % interval, sorted within its "
        f"family; red: estimate below {POOR:g}. Dashed: the limits {POOR:g}, {GOOD:g} and {EXCELLENT:g} of "
        f"Koo & Li 2016, to which the interval is to be held and not the estimate.{told}",
    )
