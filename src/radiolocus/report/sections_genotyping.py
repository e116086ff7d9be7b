"""Genotypes told from the image: the verdict, every candidate and what it adds, thresholds, sets and their coverage."""

from __future__ import annotations

import polars as pl

from radiolocus.report.blocks import Block, Cell, Row, Section, Table, Text
from radiolocus.report.figures_genotyping import four_panels, observed_against_predicted
from radiolocus.report.numbers import MISSING, interval, interval_cell, number_cell, p_cell, percent
from radiolocus.report.source import Artefacts
from radiolocus.schema import CONTROL

__all__ = ["genotyping"]

_MAIN = ("AUC", "Hand & Till M", "R²")
_SHOWN = 12


def genotyping(art: Artefacts) -> Section | None:
    """Return the section of predicted genotypes, or None when nothing was predicted."""
    performance, verdict = art.table("genotyping/performance"), art.table("genotyping/verdict")
    if performance is None or verdict is None:
        return None
    blocks: list[Block] = [_verdicts(verdict)]
    curves, null = art.table("genotyping/curves"), art.table("genotyping/null")
    for target in verdict.filter(pl.col("kind") == "binary")["target"]:
        own = performance.filter(pl.col("target") == target)
        drawn = (
            null.filter(_primary(own))
            if null is not None
            else pl.DataFrame(schema={"draw": pl.Int64, "value": pl.Float64})
        )
        if curves is not None:
            blocks.append(four_panels(target, curves.filter(pl.col("target") == target), own, drawn))
    blocks += _numbers(art, performance, verdict)
    classes, numbers = (performance.filter(e) for e in (pl.col("kind") != "continuous", pl.col("kind") == "continuous"))
    if classes.height:
        blocks.append(_candidates(classes))
    if numbers.height:
        blocks.append(_candidates_of_numbers(numbers))
    differences = art.table("genotyping/differences")
    if differences is not None:
        blocks.append(_differences(differences))
    if classes.height:
        blocks.append(_calls(classes))
    coverage = art.table("genotyping/coverage")
    if coverage is not None:
        blocks += _sets(coverage, numbers["target"].unique().to_list())
    selection = art.table("genotyping/selection")
    if selection is not None:
        blocks.append(_selection(selection, performance))
    blocks.append(
        Text("For research use only: a predicted genotype is no substitute for a test of the tumour's tissue.", "note")
    )
    return Section("genotyping", "Genotype from the image", blocks, verdict["verdict"].to_list())


def _numbers(art: Artefacts, performance: pl.DataFrame, verdict: pl.DataFrame) -> list[Block]:
    """Figures of the numbers that were predicted."""
    curves, predictions, null = (art.table(f"genotyping/{n}") for n in ("curves", "predictions", "null"))
    if curves is None or predictions is None:
        return []
    none = pl.DataFrame(schema={"draw": pl.Int64, "value": pl.Float64})
    out: list[Block] = []
    for target in verdict.filter(pl.col("kind") == "continuous")["target"]:
        own = performance.filter(pl.col("target") == target)
        mine = predictions.filter(_primary(own))
        drawn = none if null is None else null.filter(_primary(own))
        out.append(observed_against_predicted(target, mine, curves.filter(pl.col("target") == target), own, drawn))
    return out


def _primary(performance: pl.DataFrame) -> pl.Expr:
    row = performance.filter("primary").row(0, named=True)
    return pl.all_horizontal(pl.col(c) == row[c] for c in ("target", "predictors", "model"))


def _verdicts(verdict: pl.DataFrame) -> Table:
    rows: list[Row] = [
        [
            r["target"],
            "not judged" if r["told"] is None else "told" if r["told"] else "no evidence",
            r["metric"],
            interval_cell(r["estimate"], r["lower"], r["upper"]),
            number_cell(r["n"]),
            number_cell(r["positives"]),
            number_cell(r["null_mean"]),
            MISSING if r["p_value"] is None else f"{r['p_value']:.3f} ± {r['p_error']:.3f}",
            number_cell(r["permutations"]),
        ]
        for r in verdict.iter_rows(named=True)
    ]
    return Table(
        "Does the image tell the marker?",
        ["marker", "verdict", "metric", "estimate (95 % CI)", "n", "with it", "null mean", "p", "permutations"],
        rows,
        [False] * 3 + [True] * 6,
        note="By the model that the study file names first, out of fold. Told: the bootstrap interval lies above 0.5 "
        "(of R²: 0) and p is at most 0.025; otherwise the interval is extended to hold it. p: share of permuted "
        "markers on which the whole procedure (imputing, filtering, selecting, tuning, fitting) reaches what it "
        "reached on the true one, in one repetition, ± Monte Carlo error. Several markers are several tests.",
    )


def _candidates(performance: pl.DataFrame) -> Table:
    wide = performance.filter(pl.col("rule") == "")
    rows: list[Row] = []
    for key, part in wide.group_by(["target", "predictors", "model"], maintain_order=True):
        found = {r["metric"]: r for r in part.iter_rows(named=True)}
        first = next(found[m] for m in _MAIN if m in found)
        rows.append(
            [
                str(key[0]),
                str(key[1]),
                str(key[2]) + (" (first)" if first["primary"] else ""),
                interval_cell(first["estimate"], first["lower"], first["upper"]),
                *(_estimate(found.get(m)) for m in ("average precision", "Brier score", "calibration slope")),
                number_cell(first["candidates"]),
            ]
        )
    design = wide.select("split", "repeats", "folds").unique().row(0)
    return Table(
        f"Candidates ({design[1]} × {design[2]} folds, {design[0]})",
        ["marker", "predictors", "model", "AUC or M", "average precision", "Brier score", "slope", "offered"],
        rows,
        [False] * 3 + [True] * 5,
        sortable=True,
        note="All candidates of a marker share subjects and folds. AUC within folds; M: Hand & Till's mean AUC between "
        "pairs of classes. Average precision: a useless model has the share of those with the marker. Slope: of "
        "calibration, ideal 1, below 1 predictions are too extreme; none where everybody is predicted alike. "
        f"'{CONTROL}another patient's image': each subject has the features of a stranger, of another one in each "
        "repetition. All metrics with intervals: genotyping/performance.csv.",
    )


def _candidates_of_numbers(performance: pl.DataFrame) -> Table:
    rows: list[Row] = []
    names = ("R²", "root mean squared error", "Spearman's ρ", "calibration slope")
    for key, part in performance.group_by(["target", "predictors", "model"], maintain_order=True):
        found = {r["metric"]: r for r in part.iter_rows(named=True)}
        first = found["R²"]
        model = str(key[2]) + (" (first)" if first["primary"] else "")
        rows.append(
            [str(key[0]), str(key[1]), model, *(_estimate(found.get(m)) for m in names), number_cell(first["n"])]
        )
    design = performance.select("split", "repeats", "folds").unique().row(0)
    return Table(
        f"Candidates for numbers ({design[1]} × {design[2]} folds, {design[0]})",
        ["marker", "predictors", "model", "R²", "RMSE", "Spearman's ρ", "slope", "n"],
        rows,
        [False] * 3 + [True] * 5,
        sortable=True,
        note="R²: share of the squared error of the training mean that the prediction takes away, below 0 where it is "
        "worse. RMSE: root mean squared error, in the unit of the marker. ρ and slope within folds; slope: of the "
        "observed on the predicted value, ideal 1, none where everybody is predicted alike.",
    )


def _estimate(row: dict[str, float] | None) -> Cell | str:
    return MISSING if row is None else interval_cell(row["estimate"], row["lower"], row["upper"])


def _differences(frame: pl.DataFrame) -> Table:
    rows: list[Row] = [
        [
            r["target"],
            r["second"],
            r["first"],
            interval(r["estimate"], r["lower"], r["upper"], 3),
            interval(r["delong_estimate"], r["delong_lower"], r["delong_upper"], 3),
            p_cell(r["delong_neg_log_10_p_value"]),
        ]
        for r in frame.iter_rows(named=True)
    ]
    return Table(
        "What one candidate adds to another",
        ["marker", "candidate", "less", "difference (95 % CI, bootstrap)", "difference (95 % CI, DeLong)", "p, DeLong"],
        rows,
        [False] * 3 + [True] * 3,
        note="Difference of AUC (M, R²) on the same subjects and folds. Bootstrap: of subjects, over repetitions. "
        "DeLong: predictions averaged over repetitions; it takes the models as given, and folds share their training "
        "subjects, so its p is approximate and the bootstrap rules.",
    )


def _calls(performance: pl.DataFrame) -> Table:
    rows: list[Row] = []
    called = performance.filter(
        (pl.col("rule") != "") & pl.col("predictors").is_in(["clinical", "imaging", "imaging + clinical"])
    )
    for key, part in called.group_by(["target", "predictors", "model", "rule"], maintain_order=True):
        found = {r["metric"]: r for r in part.iter_rows(named=True)}
        names = ("sensitivity", "specificity", "positive predictive value", "negative predictive value")
        rows.append([*(str(k) for k in key), *(_estimate(found.get(m)) for m in (*names, "balanced accuracy"))])
    return Table(
        "Calls at thresholds chosen inside the training parts",
        ["marker", "predictors", "model", "rule", "sensitivity", "specificity", "PPV", "NPV", "balanced accuracy"],
        rows,
        [False] * 4 + [True] * 5,
        folded=True,
        note="Each fold has a threshold of its own, from subjects its model did not see; what it gives in the part "
        "held out is shown, not what it was chosen for. Confusion fold by fold: genotyping/thresholds.csv.",
    )


def _sets(coverage: pl.DataFrame, numbers: list[str]) -> list[Block]:
    """Tables of prediction sets, and of prediction intervals of numbers."""
    primary, number = coverage.filter("primary"), pl.col("target").is_in(numbers)
    tables = ((_classes, primary.filter(~number)), (_intervals, primary.filter(number)))
    return [make(part) for make, part in tables if part.height]


def _intervals(coverage: pl.DataFrame) -> Table:
    rows: list[Row] = [
        [
            r["target"], percent(r["aimed_at"]), interval_cell(r["coverage"], r["lower"], r["upper"]),
            number_cell(r["mean_size"]), number_cell(r["n"]),
        ]
        for r in coverage.iter_rows(named=True)
    ]  # fmt: skip
    return Table(
        "Prediction intervals of the first model: how often they held the truth",
        ["marker", "aimed at", "coverage (95 % CI)", "mean width", "n"],
        rows,
        [False] + [True] * 4,
        note="Conformal intervals from the inner folds of each training part (CV+), in the unit of the marker. They "
        "hold over all subjects together, not for every kind of subject.",
    )


def _classes(coverage: pl.DataFrame) -> Table:
    rows: list[Row] = [
        [
            r["target"],
            r["class"] or "all together",
            percent(r["aimed_at"]),
            interval_cell(r["coverage"], r["lower"], r["upper"]),
            number_cell(r["mean_size"]),
            percent(r["singletons"]),
            percent(r["empty"]),
            number_cell(r["n"]),
        ]
        for r in coverage.iter_rows(named=True)
    ]
    return Table(
        "Prediction sets of the first model: how often they held the truth",
        ["marker", "true class", "aimed at", "coverage (95 % CI)", "classes in a set", "one class", "none", "n"],
        rows,
        [False, False] + [True] * 6,
        note="Conformal sets, calibrated class by class on the inner folds of each training part (CV+). A set of all "
        "classes says that the image does not tell. The interval is that of as many subjects.",
    )


def _selection(selection: pl.DataFrame, performance: pl.DataFrame) -> Table:
    first = performance.filter("primary").select("target", "predictors", "model").unique(maintain_order=True)
    own = selection.join(first, on=["target", "predictors", "model"], how="semi")
    rows: list[Row] = []
    for _, part in own.group_by("target", maintain_order=True):
        top = part.sort([-pl.col("mean_coefficient").abs().fill_null(0.0) * pl.col("fraction"), "predictor"]).head(
            _SHOWN
        )
        rows += [
            [r["target"], r["predictor"], percent(r["fraction"]), number_cell(r["mean_coefficient"])]
            for r in top.iter_rows(named=True)
        ]
    return Table(
        f"Predictors of the first model: the {_SHOWN} of largest mean coefficient",
        ["marker", "predictor", "fits that used it", "mean coefficient per SD"],
        rows,
        [False, False, True, True],
        folded=True,
        note="Correlated predictors share their weight. All: genotyping/selection.csv.",
    )
