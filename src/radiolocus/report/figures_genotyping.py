"""Genotypes told from the image, in pictures: ROC, calibration, decision curve and the null of the procedure."""

from __future__ import annotations

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from radiolocus.report.blocks import Figure
from radiolocus.report.drawing import ACCENT, DARK, GREY, INK, LIGHT, canvas, embed, styled
from radiolocus.report.numbers import interval

__all__ = ["four_panels"]

_LEFT_OUT = "imaging + clinical"
_LOOKS = ((DARK, "-"), (GREY, (0, (5, 2))), (ACCENT, (0, (1.2, 1.2))))


@styled
def four_panels(target: str, curves: pl.DataFrame, performance: pl.DataFrame, null: pl.DataFrame) -> Figure:
    """Draw what is known of one binary target.

    Parameters
    ----------
    target : str
    curves : polars.DataFrame
        Rows of ``genotyping/curves`` of the target.
    performance : polars.DataFrame
        Rows of ``genotyping/performance`` of the target.
    null : polars.DataFrame
        Rows of ``genotyping/null`` of the primary model; empty where the procedure was not run on permuted markers.
    """
    figure = canvas(7.6, 6.1, left=0.075, right=0.985, top=0.935, bottom=0.075, wspace=0.24, hspace=0.42)
    places = figure.subplots(2, 2)
    primary = performance.filter("primary")
    key = [pl.col(c) == primary[c][0] for c in ("predictors", "model")]
    own = curves.filter(*key)
    auc = primary.filter(pl.col("metric") == "AUC").row(0, named=True)
    _roc(places[0][0], own, curves, performance, auc)
    _calibration(places[0][1], own, primary)
    _decision(places[1][0], own, curves, performance)
    _null(places[1][1], null, auc)
    return embed(
        figure,
        f"ROC curve, calibration, decision curve and permutation null of {target}",
        f"{target} from {auc['predictors']} by {auc['model']}, out of fold: {auc['positives']} of {auc['n']} subjects "
        f"with the marker, AUC {interval(auc['estimate'], auc['lower'], auc['upper'])}. Bands and bars: 95 %, "
        "bootstrap (pointwise), of calibration groups Wilson. The ROC curve ranks subjects within folds. Net benefit: "
        "per subject. Null: the whole procedure, tuning included, on permuted markers; the line is the first "
        "repetition of the true marker.",
    )


def _others(curves: pl.DataFrame, performance: pl.DataFrame, curve: str) -> list[tuple[str, pl.DataFrame]]:
    """Plain models beside the image: clinical, volume, and imaging with clinical."""
    names = [n for n in ("clinical", "volume", _LEFT_OUT) if n in performance["predictors"].to_list()]
    return [(n, curves.filter((pl.col("predictors") == n) & (pl.col("curve") == curve))) for n in names][:3]


def _roc(axes: Axes, own: pl.DataFrame, curves: pl.DataFrame, performance: pl.DataFrame, auc: dict[str, float]) -> None:
    rows = own.filter(pl.col("curve") == "ROC")
    axes.plot([0, 1], [0, 1], color=INK, lw=0.8, ls=(0, (4, 2)), zorder=1)
    axes.fill_between(rows["x"], rows["lower"], rows["upper"], color=ACCENT, alpha=0.18, lw=0)
    axes.plot(rows["x"], rows["y"], color=ACCENT, lw=1.8, label="imaging")
    for (name, part), (colour, style) in zip(_others(curves, performance, "ROC"), _LOOKS, strict=False):
        axes.plot(part["x"], part["y"], color=colour, ls=style, lw=1.2, label=name)
    axes.set(xlim=(0, 1), ylim=(0, 1.005), xlabel="1 − specificity", ylabel="sensitivity")
    axes.set_title(f"ROC: AUC {interval(auc['estimate'], auc['lower'], auc['upper'])}")
    axes.legend(loc="lower right", handlelength=2.2)


def _calibration(axes: Axes, own: pl.DataFrame, primary: pl.DataFrame) -> None:
    smooth, groups = (own.filter(pl.col("curve") == name) for name in ("calibration", "calibration groups"))
    axes.plot([0, 1], [0, 1], color=INK, lw=0.8, ls=(0, (4, 2)), label="ideal")
    axes.plot(smooth["x"], smooth["y"], color=ACCENT, lw=1.6, label="loess")
    low, high = groups["y"] - groups["lower"], groups["upper"] - groups["y"]
    axes.errorbar(
        groups["x"], groups["y"], yerr=np.maximum([low.to_list(), high.to_list()], 0.0), fmt="s", ms=4, color=DARK,
        elinewidth=1.0, label="fifths of the subjects",
    )  # fmt: skip
    slope = primary.filter(pl.col("metric") == "calibration slope")
    told = "no slope" if not slope.height else f"slope {interval(*slope.select('estimate', 'lower', 'upper').row(0))}"
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="predicted probability", ylabel="observed share")
    axes.set_title(f"Calibration: {told}")
    axes.legend(loc="upper left", handlelength=1.8)


def _decision(axes: Axes, own: pl.DataFrame, curves: pl.DataFrame, performance: pl.DataFrame) -> None:
    rows, everybody = (own.filter(pl.col("curve") == n) for n in ("net benefit", "net benefit, all"))
    axes.axhline(0, color=INK, lw=0.8)
    axes.plot(everybody["x"], everybody["y"], color=INK, lw=0.9, ls=(0, (4, 2)), label="everybody")
    axes.fill_between(rows["x"], rows["lower"], rows["upper"], color=ACCENT, alpha=0.18, lw=0)
    axes.plot(rows["x"], rows["y"], color=ACCENT, lw=1.8, label="imaging")
    for (name, part), (colour, style) in zip(_others(curves, performance, "net benefit"), _LOOKS, strict=False):
        axes.plot(part["x"], part["y"], color=colour, ls=style, lw=1.2, label=name)
    top = float(max(rows["upper"].max() or 0, everybody["y"].max() or 0, 0.05))  # type: ignore[arg-type]
    axes.set(xlim=(0, 1), ylim=(-0.25 * top, 1.08 * top), xlabel="threshold probability", ylabel="net benefit")
    axes.set_title("Decision curve")
    axes.legend(loc="upper right", handlelength=2.2)


def _null(axes: Axes, null: pl.DataFrame, auc: dict[str, float]) -> None:
    draws = null.filter(pl.col("draw") >= 0)["value"].drop_nulls().to_numpy()
    observed = null.filter(pl.col("draw") < 0)["value"].drop_nulls()
    axes.set_title("Null of the whole procedure")
    axes.set(xlabel="AUC of one repetition", ylabel="permuted markers")
    if not draws.size:
        axes.text(0.5, 0.5, "not run", transform=axes.transAxes, ha="center", color=GREY)
        return
    ends = [*draws, *observed, auc["estimate"], 0.35, 0.65]
    # Bins have their middle, not an edge, at 0.5, where the draws are that found nothing at all.
    bins = 0.5125 + 0.025 * np.arange(np.floor((min(ends) - 0.5125) / 0.025), np.ceil((max(ends) - 0.5125) / 0.025) + 1)
    axes.hist(draws, bins=bins.tolist(), color=LIGHT, edgecolor=INK, lw=0.5, label=f"{draws.size} permuted")
    axes.axvline(0.5, color=INK, lw=0.8, ls=(0, (4, 2)))
    if observed.len():
        axes.axvline(float(observed[0]), color=ACCENT, lw=1.8, label=f"observed, {observed[0]:.2f}")
    axes.set_xlim(bins[0], min(1.0, bins[-1]))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="upper left" if auc["estimate"] > 0.7 else "upper right", handlelength=1.6)
