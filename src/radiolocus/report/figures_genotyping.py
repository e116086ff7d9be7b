"""Genotypes told from the image, in pictures: ROC, calibration, decision curve, numbers, the null of the procedure."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from radiolocus.report.blocks import Figure
from radiolocus.report.drawing import ACCENT, DARK, GREY, INK, LIGHT, canvas, embed, styled
from radiolocus.report.numbers import interval

__all__ = ["four_panels", "observed_against_predicted"]

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
    _null(places[1][1], null, auc, 0.5, 0.025)
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


@styled
def observed_against_predicted(
    target: str, predictions: pl.DataFrame, curves: pl.DataFrame, performance: pl.DataFrame, null: pl.DataFrame
) -> Figure:
    """Draw what is known of a number that was predicted.

    Parameters
    ----------
    target : str
    predictions : polars.DataFrame
        Rows of ``genotyping/predictions`` of the target by the primary model.
    curves, performance, null : polars.DataFrame
        As in :func:`four_panels`.
    """
    figure = canvas(7.6, 3.5, left=0.085, right=0.985, top=0.89, bottom=0.14, wspace=0.26)
    left, right = figure.subplots(1, 2)
    primary = performance.filter("primary")
    own = curves.filter(*(pl.col(c) == primary[c][0] for c in ("predictors", "model")))
    found = {r["metric"]: r for r in primary.iter_rows(named=True)}
    r2 = found["R²"]
    points = predictions.group_by("subject", maintain_order=True).agg(
        pl.col("observed").first(), pl.col("prediction").mean()
    )
    _scatter(left, target, points, own)
    _null(right, null, r2, 0.0, 0.02)
    told = [
        f"{name} {interval(row['estimate'], row['lower'], row['upper'])}"
        for name, row in ((n, found.get(n)) for n in ("Spearman's ρ", "calibration slope"))
        if row is not None
    ]
    return embed(
        figure,
        f"Observed against predicted values and permutation null of {target}",
        f"{target} from {r2['predictors']} by {r2['model']}, out of fold, {r2['n']} subjects: "
        f"R² {interval(r2['estimate'], r2['lower'], r2['upper'])}, {', '.join(told)}. Each point is a subject, "
        "predicted by the models that did not see him, mean over repetitions; squares: fifths of the subjects by "
        "prediction, mean and its 95 % interval; dashed: ideal. R² is relative to the mean of the training part. Null: "
        "the whole procedure, tuning included, on permuted values; the line is the first repetition of the true ones.",
    )


def _scatter(axes: Axes, target: str, points: pl.DataFrame, own: pl.DataFrame) -> None:
    x, y = points["prediction"].to_numpy(), points["observed"].to_numpy()
    axes.scatter(x, y, s=12, color=ACCENT, alpha=0.55, lw=0, label="subjects")
    low, high = (float(f(np.concatenate([x, y]))) for f in (np.min, np.max))
    pad = 0.04 * (high - low)
    ends = (low - pad, high + pad)
    axes.plot(ends, ends, color=INK, lw=0.8, ls=(0, (4, 2)), label="ideal")
    groups = own.filter(pl.col("curve") == "calibration groups")
    half = [(groups["y"] - groups["lower"]).to_list(), (groups["upper"] - groups["y"]).to_list()]
    axes.errorbar(
        groups["x"], groups["y"], yerr=half, fmt="s", ms=4, color=DARK, elinewidth=1.0, label="fifths of the subjects"
    )
    # Predictions of a weak model crowd around the mean: the axis of the predictions is theirs, or nothing can be seen.
    spread = 0.08 * (float(np.ptp(x)) or high - low)
    axes.set(xlim=(float(x.min()) - spread, float(x.max()) + spread), xlabel="predicted", ylabel="observed")
    axes.set_ylim(low - pad, high + 0.3 * (high - low))  # room for the legend
    axes.set_title(f"{target}, out of fold")
    axes.legend(loc="upper left", handlelength=1.8)


def _null(axes: Axes, null: pl.DataFrame, auc: dict[str, Any], useless: float, width: float) -> None:
    draws = null.filter(pl.col("draw") >= 0)["value"].drop_nulls().to_numpy()
    observed = null.filter(pl.col("draw") < 0)["value"].drop_nulls()
    axes.set_title("Null of the whole procedure")
    axes.set(xlabel=f"{auc['metric']} of one repetition", ylabel="permuted markers")
    if not draws.size:
        axes.text(0.5, 0.5, "not run", transform=axes.transAxes, ha="center", color=GREY)
        return
    ends = [*draws, *observed, auc["estimate"], useless - 6 * width, useless + 6 * width]
    # Bins have their middle, not an edge, where the draws are that found nothing at all.
    edge = useless + width / 2
    bins = edge + width * np.arange(np.floor((min(ends) - edge) / width), np.ceil((max(ends) - edge) / width) + 2)
    axes.hist(draws, bins=bins.tolist(), color=LIGHT, edgecolor=INK, lw=0.5, label=f"{draws.size} permuted")
    axes.axvline(useless, color=INK, lw=0.8, ls=(0, (4, 2)))
    if observed.len():
        axes.axvline(float(observed[0]), color=ACCENT, lw=1.8, label=f"observed, {observed[0]:.2f}".replace("-", "−"))
    axes.set_xlim(bins[0], min(1.0, bins[-1]))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="upper left" if auc["estimate"] > useless + 0.2 else "upper right", handlelength=1.6)
