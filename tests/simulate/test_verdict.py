"""The judge can say no: each statement fails when its evidence is taken away."""

import polars as pl
import pytest

from radiolocus.errors import StoreError
from radiolocus.schema import empty
from radiolocus.simulate.cohort import Truth
from radiolocus.simulate.verdict import judge
from radiolocus.store import write_table

TRUTH = Truth(
    "rs2",
    "1",
    200,
    ("rs1", "rs2"),
    "EGFR",
    "hypoxia_score",
    ("KRAS",),
    {f"S{i}": "PR" for i in range(40)},
    0.7,
    {"S9": "NaN"},
)


def _filled(name, rows):
    frame = empty(name)
    return pl.concat([frame, pl.DataFrame(rows)], how="diagonal_relaxed")


def _tables(
    hit="rs2", link_q=0.001, null_q=0.5, lower=0.6, control=0.45, best="PR", aside="S9", through=0.01, coin_q=0.6
):
    scan = [
        {"phenotype": "CT:stat_var", "variant_id": v, "beta": 1.0, "standard_error": 0.1, "neg_log_10_p_value": p}
        for v, p in (("rs1", 1.0), ("rs2", 2.0), ("rs3", 0.5), (hit, 12.0))
    ]
    links = [
        {
            "feature": f,
            "marker": m,
            "q_value": q,
            "estimate": 1.0,
            "standard_error": 0.1,
            "neg_log_10_p_value": 5.0,
            "n": 40,
        }
        for f, m, q in (
            ("CT:morph_volume", "mut:EGFR", link_q),
            ("CT:stat_mean", "hypoxia_score", link_q),
            ("CT:stat_mean", "mut:KRAS", null_q),
        )
    ]
    performance = [
        {"endpoint": e, "predictors": "all", "metric": "AUC", "estimate": low + 0.1, "lower": low, "upper": low + 0.2}
        for e, low in (("overall_survival", lower), ("recurrence", lower), ("negative_control", control))
    ]
    mediated = {"exposure": "rs2", "mediator": "CT:stat_range", "direct": 0.1, "upper": 0.05}
    paths = [
        mediated | {"outcome": "recurrence", "mediated": 0.03, "lower": through, "q_value": 0.01},
        mediated | {"outcome": "negative_control", "mediated": 0.0, "lower": -0.05, "q_value": coin_q},
    ]
    return {
        "sumstats/by_phenotype/part": _filled("sumstats/sumstats", scan),
        "sumstats/variants": _filled(
            "sumstats/variants", [{"variant_id": "rs2", "top_phenotype": "CT:stat_var", "top_neg_log_10_p_value": 2.0}]
        ),
        "sumstats/summary": _filled("sumstats/summary", [{"phenotype": "CT:stat_var", "lambda_gc": 1.0, "tests": 3}]),
        "link/link": _filled("link/link", links),
        "outcome/performance": _filled("outcome/performance", performance),
        "mechanism/paths": _filled("mechanism/paths", paths),
        "response/best": _filled("response/best", [{"subject": s, "best_response": best} for s in TRUTH.responses]),
        "problems": _filled(
            "problems", [{"subject": aside, "severity": "set aside", "got": "1 NaN", "stage": "features"}]
        ),
    }


def _judged(root, **spoil):
    for name, frame in _tables(**spoil).items():
        if name.endswith("/part"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            frame.write_parquet(root / f"{name}.parquet")
        else:
            write_table(root, name, frame)
    return judge(TRUTH, root)


def test_a_run_that_found_everything_is_told_so(tmp_path):
    assert _judged(tmp_path)["found"].all()


@pytest.mark.parametrize(
    ("spoil", "wrong"),
    [
        (
            {"hit": "rs3"},
            {"variant rs2 (chromosome 1) changes the tumour's texture", "no other variant changes any feature"},
        ),
        (
            {"link_q": 0.2},
            {"mutation of EGFR changes the tumour's volume", "the hypoxia score goes with the mean intensity"},
        ),
        ({"null_q": 0.01}, {"1 markers go with no feature"}),
        ({"lower": 0.45}, {"survival depends on texture and driver", "recurrence depends on texture and driver"}),
        ({"control": 0.55}, {"a coin cannot be predicted"}),
        ({"best": "SD"}, {"best response of 40 subjects, measured with error and missed visits"}),
        ({"through": -0.01}, {"the variant acts on outcomes through texture"}),
        ({"coin_q": 0.01}, {"nothing goes through the image to a coin"}),
        ({"aside": "S3"}, {"S9: NaN", "nobody else is set aside"}),
    ],
)
def test_each_statement_can_fail(tmp_path, spoil, wrong):
    verdict = _judged(tmp_path, **spoil)
    assert set(verdict.filter(~pl.col("found"))["planted"]) == wrong


def test_a_missing_table_is_an_error_with_the_way_out(tmp_path):
    with pytest.raises(StoreError, match=r"no table .*--fresh"):
        judge(TRUTH, tmp_path)
