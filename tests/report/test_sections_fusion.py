"""What blocks add, what fancier models gain, and who lacks a block, on the page."""

import polars as pl
import pytest

from radiolocus.report.blocks import Figure, Table, Text
from radiolocus.report.figures_outcome import ordered, simplicity
from radiolocus.report.references import methods_of, references_of
from radiolocus.report.sections_fusion import fusion_blocks, told_gain
from radiolocus.report.source import Artefacts
from radiolocus.schema import conform
from radiolocus.store import write_table

NET = "elastic-net Cox"


def row(about, small, large, model, metric, ends, reference=0.6, reference_model=NET, **more):
    estimate, lower, upper = ends
    return {
        "endpoint": "overall_survival", "about": about, "reference_predictors": small,
        "reference_model": reference_model, "predictors": large, "model": model, "metric": metric, "time": None,
        "threshold": None, "reference": reference, "value": reference + estimate, "estimate": estimate,
        "lower": lower, "upper": upper, "neg_log_10_p_value": None, "n": 100, "events": 27, "repeats": 5, **more,
    }  # fmt: skip


@pytest.fixture
def art(tmp_path):
    rows = [
        row("predictors", "clinical", "all", NET, "Harrell C", (-0.02, -0.1, 0.05), 0.84),
        row("predictors", "imaging", "all", NET, "Harrell C", (0.14, 0.02, 0.3), 0.68),
        row("predictors", "imaging", "all", NET, "likelihood ratio", (9.1, 1.0, 20.0), 0.0, neg_log_10_p_value=2.9),
        row("predictors", "imaging", "all", NET, "net benefit", (0.05, -0.01, 0.1), time=639.0, threshold=0.23),
        row("model", "all", "all", "stacked blocks", "Harrell C", (0.04, 0.01, 0.09), 0.82),
        row("model", "all", "all", "IPF-lasso", "Harrell C", (-0.05, -0.09, -0.01), 0.82),
    ]
    write_table(tmp_path, "outcome/added_value", conform(pl.DataFrame(rows), "outcome/added_value"))
    lacking = pl.DataFrame(
        {
            "endpoint": ["os"] * 2, "model": [NET, "stacked blocks"], "strategy": ["complete", "dropout"],
            "judged_on": ["all blocks", "everybody"], "metric": ["Harrell C"] * 2, "estimate": [0.7, 0.72],
            "lower": [0.6, 0.65], "upper": [0.8, 0.8], "n": [46, 70], "events": [20, 31], "unpredicted": [24, 0],
        }
    )  # fmt: skip
    write_table(tmp_path, "outcome/missing_modality", conform(lacking, "outcome/missing_modality"))
    performance = pl.DataFrame(
        {
            "endpoint": ["os"] * 2, "predictors": ["all"] * 2, "model": ["stacked blocks", NET],
            "kind": ["survival"] * 2, "metric": ["Harrell C"] * 2, "estimate": [0.7, 0.72],
            "lower": [0.6, 0.65], "upper": [0.8, 0.8],
            "n": [46, 70], "events": [20, 31], "candidates": [9, 9], "repeats": [5, 5], "folds": [5, 5],
            "split": ["kfold"] * 2,
        }
    )  # fmt: skip
    write_table(tmp_path, "outcome/performance", conform(performance, "outcome/performance"))
    return Artefacts(tmp_path)


def test_differences_are_drawn_and_told(art):
    figure, predictors, models, verdict, lacking = fusion_blocks(art, {"overall_survival": "days"})
    assert isinstance(figure, Figure)
    assert "4 differences" in figure.alt
    assert isinstance(predictors, Table)
    assert [[str(c) for c in r[:4]] for r in predictors.rows] == [
        ["overall_survival", "all", "clinical", NET],
        ["overall_survival", "all", "imaging", NET],
    ]
    assert predictors.rows[1][4] == "0.680 → 0.820"
    assert predictors.rows[1][8] == "risk 23% by 639 days: 0.05 (−0.01 to 0.10)"
    assert [r[2] for r in models.rows] == ["IPF-lasso", "stacked blocks"], "the simpler first"
    assert isinstance(verdict, Text)
    assert "Gain with an interval above zero: stacked blocks on all (overall_survival)." in verdict.text
    assert "Loss with an interval below zero: IPF-lasso on all (overall_survival)." in verdict.text
    assert [r[3] for r in lacking.rows] == ["all blocks", "everybody"]
    assert "weights of the blocks there are" in lacking.rows[1][2]


def test_the_verdict_compares_with_the_best_single_block(art):
    assert told_gain(art) == [
        "overall_survival, all blocks beyond the best single one (clinical): Harrell C −0.02 (−0.10 to 0.05)"
    ]


def test_methods_and_papers_are_those_of_what_was_used(art):
    papers = dict(references_of(art))
    assert {"Stacking", "Pattern submodels", "Decision curve"} <= set(papers)
    assert "Sparse group lasso" not in papers
    assert any("on the same subjects, folds and bootstrap draws" in line for line in methods_of(art))


def test_simple_models_and_small_sets_come_first():
    assert simplicity(NET) < simplicity("IPF-lasso") < simplicity("stacked blocks") < simplicity("gradient boosting")
    frame = pl.DataFrame(
        {
            "endpoint": ["os"] * 6,
            "predictors": ["any: impute", "all", "all", "clinical+imaging", "imaging", "clinical"],
            "model": [NET, "stacked blocks", NET, NET, NET, NET],
        }
    )
    got = ordered(frame).select("predictors", "model").rows()
    assert got == [
        ("clinical", NET), ("imaging", NET), ("clinical+imaging", NET), ("all", NET), ("all", "stacked blocks"),
        ("any: impute", NET),
    ]  # fmt: skip


def test_nothing_is_shown_where_nothing_was_compared(tmp_path):
    assert fusion_blocks(Artefacts(tmp_path), {}) == []
    assert told_gain(Artefacts(tmp_path)) == []
