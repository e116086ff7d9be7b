"""Outcome models in pictures: out-of-fold performance and how often each predictor was used."""

from __future__ import annotations

import numpy as np
import polars as pl

from radiolocus.report.blocks import Figure
from radiolocus.report.drawing import ACCENT, DARK, GREY, INK, LIGHT, canvas, embed, shorten, styled
from radiolocus.report.numbers import interval

__all__ = ["forest", "ordered", "protocol", "selection_bars", "simplicity", "told_apart"]

_BESIDE = ", "
_ORDER = ("clinical", "imaging", "molecular", "genetic", "all")
#: How the names of models begin, the simplest first; what is not named comes last.
_SIMPLICITY = (
    "elastic-net",
    "ridge",
    "lasso",
    "Weibull",
    "log-normal",
    "log-logistic",
    "discrete",
    "proportional odds",
    "IPF-lasso",
    "IPF-ridge",
    "sparse group",
    "stacked",
    "factor",
    "sparse canonical",
    "random",
    "gradient",
    "XGBoost",
)
_HATCH = {"clinical": "", "imaging": "////", "molecular": "....", "genetic": "xxxx"}
_FILL = {"clinical": GREY, "imaging": "#ffffff", "molecular": "#ffffff", "genetic": "#ffffff"}


def simplicity(model: str) -> int:
    """Place of a model among the others: a penalised linear model before any that is fancier."""
    return next((i for i, name in enumerate(_SIMPLICITY) if model.startswith(name)), len(_SIMPLICITY))


def ordered(frame: pl.DataFrame) -> pl.DataFrame:
    """Sort rows by endpoint, then by block of predictors in the order clinical, imaging, molecular, genetic, all.

    Combinations of blocks stand before all, and sets of patients who may lack a block behind; simple models stand
    before fancier ones.
    """
    block = pl.col("predictors").str.split(_BESIDE).list.first()
    places = {k: i for i, k in enumerate(_ORDER)} | {"all": len(_ORDER) + 1}
    rank = block.replace_strict(places, default=len(_ORDER) + 2, return_dtype=pl.Int64)
    rank = pl.when(block.str.contains("+", literal=True)).then(len(_ORDER)).otherwise(rank)
    by = [pl.col("endpoint"), rank, block]
    if "model" in frame.columns:
        found = {str(m): simplicity(str(m)) for m in frame["model"].drop_nulls().unique()}
        by.append(pl.col("model").replace_strict(found, default=len(_SIMPLICITY), return_dtype=pl.Int64))
    return frame.sort(by, maintain_order=True)


def told_apart(frame: pl.DataFrame, performance: pl.DataFrame | None) -> pl.DataFrame:
    """Put model and method behind the predictors where an endpoint has several: ``imaging, random forest``."""
    if performance is None:
        return frame
    for column in ("model", "split"):
        if column not in performance.columns:  # results of an earlier version
            continue
        most = performance.group_by("endpoint", "predictors").agg(pl.col(column).n_unique())[column].max()
        if column in frame.columns and isinstance(most, int) and most > 1:
            frame = frame.with_columns(pl.col("predictors") + _BESIDE + pl.col(column))
    return frame


def protocol(performance: pl.DataFrame) -> str:
    """Say in words how the performance was estimated."""
    if "split" not in performance.columns:  # results of an earlier version
        performance = performance.with_columns(split=pl.lit("kfold"))
    designs = performance.select("split", "repeats", "folds").unique().sort("repeats", "folds", "split")
    folds = [f"{r} × {f}-fold" for s, r, f in designs.iter_rows() if s == "kfold"]
    told = [" or ".join(folds) + " cross-validation, split by patient"] if folds else []
    told += [f"each of {f} sites held out in turn" for s, _, f in designs.iter_rows() if s == "site"]
    told += ["the latest subjects held out"] if (designs["split"] == "temporal").any() else []
    bootstrap = designs.filter(~pl.col("split").is_in(["kfold", "site", "temporal"]))
    told += [f"{r} bootstrap samples of patients" for r in bootstrap["repeats"].unique(maintain_order=True)]
    return "; ".join(told)


@styled
def forest(performance: pl.DataFrame) -> Figure | None:
    """Draw every model's C-index or AUC with its 95 % interval against the line of no information at 0.5.

    None when no model has an estimate.
    """
    rows = list(ordered(performance.filter(pl.col("estimate").is_finite())).iter_rows(named=True))
    if not rows:
        return None
    endpoints = list(dict.fromkeys(r["endpoint"] for r in rows))
    lines = len(rows) + len(endpoints)
    height = 0.27 * lines + 0.75
    figure = canvas(7.6, height, left=0.30, right=0.70, top=1 - 0.1 / height, bottom=0.55 / height)
    axes = figure.add_subplot()
    y, ticks = 0.0, []
    for endpoint in endpoints:
        mine = [r for r in rows if r["endpoint"] == endpoint]
        first = mine[0]
        axes.text(
            -0.74,
            y,
            f"{shorten(endpoint.replace('_', ' '), 60)}  ({first['metric']})",
            transform=axes.get_yaxis_transform(),
            fontweight="bold",
            va="center",
            clip_on=False,
        )
        y += 1
        for row in mine:
            whole = row["predictors"].split(_BESIDE)[0] == "all"
            low, high = (v if v is not None else row["estimate"] for v in (row["lower"], row["upper"]))
            axes.plot([low, high], [y, y], color=DARK if not whole else ACCENT, lw=1.6, solid_capstyle="butt")
            axes.plot(
                row["estimate"],
                y,
                marker="D" if whole else "s",
                ms=5.5,
                color=DARK if not whole else ACCENT,
                mec="white",
                mew=0.6,
            )
            axes.text(
                1.04,
                y,
                f"{interval(row['estimate'], row['lower'], row['upper'])}   {row['events']}/{row['n']} events",
                transform=axes.get_yaxis_transform(),
                va="center",
                clip_on=False,
            )
            ticks.append((y, f"{row['predictors']}, {row['candidates']} candidates"))
            y += 1
    axes.axvline(0.5, color=INK, lw=0.9, ls=(0, (4, 2)), zorder=0)
    axes.set_yticks([t for t, _ in ticks], [n for _, n in ticks])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=LIGHT, lw=0.5)
    axes.set_axisbelow(True)
    axes.set_ylim(y - 0.3, -0.7)
    ends = [v for r in rows for v in (r["estimate"], r["lower"], r["upper"]) if v is not None]
    axes.set_xlim(max(0.0, min(0.4, min(ends) - 0.03)), min(1.0, max(0.8, max(ends) + 0.03)))
    metrics = {"Harrell C": "Harrell's C", "AUC": "area under the ROC curve", "ordinal C": "C of ordered classes"}
    axes.set_xlabel(
        " or ".join(metrics.get(m, m) for m in dict.fromkeys(r["metric"] for r in rows)) + ", out of fold (no unit)"
    )
    return embed(
        figure,
        f"Forest plot of the out-of-fold performance of {len(rows)} models",
        f"Out-of-fold performance with 95 % bootstrap intervals ({protocol(performance)}). Imputation, scaling, "
        "selection and penalty were learned inside the training folds. Dashed line: a model without information (0.5). "
        "Blocks of predictors share their subjects, so overlapping intervals do not test their difference.",
    )


@styled
def selection_bars(selection: pl.DataFrame, endpoint: str, predictors: str, top: int = 15) -> Figure:
    """Draw how often the outer fits of one model used each predictor, with the sign of its mean coefficient."""
    mine = selection.filter((pl.col("endpoint") == endpoint) & (pl.col("predictors") == predictors))
    used = mine.filter(pl.col("fraction") > 0).sort(["fraction", "predictor"], descending=[True, False])
    mine, most = used.head(top), f" (the {top} most frequent of {used.height} used)" if used.height > top else ""
    rows = list(mine.iter_rows(named=True))
    height = 0.2 * max(3, len(rows)) + 0.95
    figure = canvas(4.25, height, left=0.5, right=0.94, top=1 - 0.42 / height, bottom=0.45 / height)
    axes = figure.add_subplot()
    seen = set()
    for i, row in enumerate(rows):
        block = row["block"]
        axes.barh(
            i,
            100 * row["fraction"],
            height=0.7,
            facecolor=_FILL.get(block, LIGHT),
            hatch=_HATCH.get(block, ""),
            edgecolor=INK,
            linewidth=0.6,
            label=None if block in seen else block,
        )
        seen.add(block)
        mean = row["mean_coefficient"]
        sign = "" if mean is None else "+" if mean > 0 else "−" if mean < 0 else "0"
        axes.text(100 * row["fraction"] + 1.5, i, sign, va="center", fontsize=8.5, clip_on=False)
    axes.set_yticks(np.arange(len(rows)), [shorten(r["predictor"], 34) for r in rows], fontsize=7.5)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, 100)
    axes.set_xlabel("fits that used the predictor (%)")
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=4, borderaxespad=0.3, handlelength=1.8)
    return embed(
        figure,
        f"Bar chart of the selection frequency of {len(rows)} predictors of {endpoint}, model {predictors}",
        f"Predictors of {endpoint.replace('_', ' ')} in the model on {predictors} predictors: share of the "
        f"cross-validation fits that used each of them{most}. + and −: sign of the mean coefficient "
        "(+ goes with the event). Correlated predictors share their frequency among them.",
        half=True,
    )
