"""What blocks and models add, in a picture: differences on the same folds with their intervals."""

from __future__ import annotations

from typing import Any

import polars as pl

from radiolocus.report.blocks import Figure
from radiolocus.report.drawing import ACCENT, DARK, INK, LIGHT, canvas, embed, shorten, styled
from radiolocus.report.figures_outcome import simplicity
from radiolocus.report.numbers import interval

__all__ = ["differences"]

_METRICS = ("Harrell C", "AUC", "concordance")
_ORDER = ("clinical", "imaging", "molecular", "genetic")


def rank(predictors: str) -> tuple[int, int, str]:
    """Small sets first, in the order clinical, imaging, molecular, genetic; all last."""
    members = predictors.split("+")
    if predictors == "all":
        return 99, 0, ""
    first = _ORDER.index(members[0]) if members[0] in _ORDER else len(_ORDER)
    return len(members), first, predictors


def gains(added: pl.DataFrame, about: str) -> list[dict[str, Any]]:
    """Rows of discrimination, endpoint by endpoint, the simplest model and the smallest set first."""
    rows = list(added.filter(pl.col("metric").is_in(_METRICS), about=about).iter_rows(named=True))
    place = {e: i for i, e in enumerate(dict.fromkeys(added["endpoint"]))}
    return sorted(
        rows,
        key=lambda r: (
            place[r["endpoint"]],
            simplicity(r["model"]),
            rank(r["predictors"]),
            rank(r["reference_predictors"]),
        ),
    )


@styled
def differences(added: pl.DataFrame, simple: str) -> Figure | None:
    """Draw the gain of larger sets of predictors by one model, then of other models over it on all predictors.

    None where nothing was compared.
    """
    rows: list[tuple[str, dict[str, Any], bool]] = []
    for r in gains(added, "predictors"):
        if r["model"].startswith(simple):
            rows.append((f"{r['predictors']} beyond {r['reference_predictors']}", r, False))
    for r in gains(added, "model"):
        if r["predictors"] == "all":
            rows.append((f"{r['model']} beyond {r['reference_model']}", r, True))
    if not rows:
        return None
    endpoints = list(dict.fromkeys(r["endpoint"] for _, r, _ in rows))
    height = 0.27 * (len(rows) + len(endpoints)) + 0.75
    figure = canvas(7.6, height, left=0.38, right=0.74, top=1 - 0.1 / height, bottom=0.55 / height)
    axes = figure.add_subplot()
    y, ticks = 0.0, []
    for endpoint in endpoints:
        mine = [row for row in rows if row[1]["endpoint"] == endpoint]
        axes.text(
            -1.0,
            y,
            f"{shorten(endpoint.replace('_', ' '), 50)}  ({mine[0][1]['metric']})",
            transform=axes.get_yaxis_transform(),
            fontweight="bold",
            va="center",
            clip_on=False,
        )
        y += 1
        for name, r, of_model in mine:
            estimate, low, high = (r[k] for k in ("estimate", "lower", "upper"))
            colour = ACCENT if of_model else DARK
            axes.plot([low, high], [y, y], color=colour, lw=1.6, solid_capstyle="butt")
            axes.plot(estimate, y, marker="D" if of_model else "s", ms=5.5, color=colour, mec="white", mew=0.6)
            told = interval(estimate, low, high)
            axes.text(1.04, y, told, transform=axes.get_yaxis_transform(), va="center", clip_on=False)
            ticks.append((y, shorten(name, 52)))
            y += 1
    axes.axvline(0.0, color=INK, lw=0.9, ls=(0, (4, 2)), zorder=0)
    axes.set_yticks([t for t, _ in ticks], [n for _, n in ticks])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=LIGHT, lw=0.5)
    axes.set_axisbelow(True)
    axes.set_ylim(y - 0.3, -0.7)
    metrics = dict.fromkeys(r["metric"] for _, r, _ in rows)
    named = {"Harrell C": "Harrell's C", "AUC": "area under the ROC curve"}
    axes.set_xlabel("difference of " + " or ".join(named.get(m, m) for m in metrics) + ", out of fold (no unit)")
    return embed(
        figure,
        f"Forest plot of {len(rows)} differences of out-of-fold discrimination",
        "What further blocks of predictors (squares, all by one model) and other models of all blocks (diamonds) add, "
        "on the same subjects, folds and bootstrap draws, with 95 % intervals. Dashed line: nothing is added. These "
        "intervals test the difference; those of the performances do not.",
    )
