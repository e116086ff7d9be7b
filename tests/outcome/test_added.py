"""What blocks and models add, and who lacks a block: same subjects, same folds, truth known."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from radiolocus.errors import ConfigError
from radiolocus.learn.compare import compare_on_same_folds
from radiolocus.model import Endpoint
from radiolocus.outcome.added import added_value_table, comparisons_of, run_comparison
from radiolocus.outcome.missing import missing_modality_table
from radiolocus.outcome.options import OutcomeOptions
from radiolocus.outcome.performance import plan, run_unit
from radiolocus.outcome.sets import sets_of
from radiolocus.schema import TABLES

OPTIONS = OutcomeOptions(
    clinical=("Age", "Sex"),
    repeats=2,
    folds=3,
    penalties=10,
    bootstrap=200,
    univariate_bootstrap=20,
    inner_folds=3,
    permutations=0,
    shuffles=0,
    same_subjects=True,
    models=("elastic_net", "ipf_lasso"),
    combine=("clinical+molecular",),
    thresholds=(0.3, 0.6),
)


def run(endpoints, frames, options):
    planned = plan(endpoints, frames, options)
    return planned, [run_unit(unit) for unit in planned.units]


@pytest.fixture(scope="module")
def done(same_cohort):
    planned, results = run(same_cohort.endpoints, same_cohort.frames, OPTIONS)
    pairs, problems = comparisons_of(planned, results)
    assert not problems
    table, told = added_value_table(pairs, [run_comparison(pair) for pair in pairs])
    assert not told
    return planned, results, pairs, table


def test_every_nested_pair_and_every_fancier_model_is_told(done):
    _, _, _, table = done
    assert table.columns == [column.name for column in TABLES["outcome/added_value"].columns]
    for endpoint in ("survival", "relapse"):
        mine = table.filter(endpoint=endpoint)
        pairs = mine.filter(about="predictors").select("reference_predictors", "predictors", "model").unique().rows()
        single = {(s, "all", m) for s in ("clinical", "imaging", "molecular") for m in _names(endpoint)}
        assert single <= set(pairs)
        assert ("clinical+molecular", "all", _names(endpoint)[1]) in pairs
        assert ("imaging", "clinical+molecular", _names(endpoint)[0]) not in pairs, "one must hold the other"
        models = mine.filter(about="model").select("reference_predictors", "predictors", "model").unique().rows()
        assert set(models) == {(s, s, "IPF-lasso") for s in ("all", "clinical+molecular")}
        metrics = mine["metric"].unique().sort().to_list()
        assert metrics == sorted(["net benefit", "likelihood ratio", "Harrell C" if endpoint == "survival" else "AUC"])
        benefit = mine.filter(metric="net benefit", about="model", predictors="all")
        assert benefit["threshold"].to_list() == [0.3, 0.6]
        assert (benefit["time"].null_count() == 0) == (endpoint == "survival")


def _names(endpoint):
    return ("elastic-net Cox" if endpoint == "survival" else "elastic-net logistic", "IPF-lasso")


def test_what_matters_adds_and_what_does_not_does_not(done):
    _, _, _, table = done
    rows = table.filter(about="predictors", predictors="all", metric="likelihood ratio", endpoint="survival")
    rows = rows.filter(pl.col("model") == "elastic-net Cox")
    beside = {r["reference_predictors"]: r for r in rows.iter_rows(named=True)}
    assert beside["clinical"]["neg_log_10_p_value"] > 4, "imaging and EGFR carry the signal"
    gain = table.filter(about="predictors", predictors="all", metric="Harrell C", model="elastic-net Cox")
    gain = {r["reference_predictors"]: r for r in gain.iter_rows(named=True)}
    assert gain["clinical"]["lower"] > 0
    assert gain["clinical"]["estimate"] == pytest.approx(gain["clinical"]["value"] - gain["clinical"]["reference"])


def test_the_difference_is_that_of_the_same_folds(done):
    planned, results, pairs, table = done
    pair = next(p for p in pairs if p.about == "predictors" and p.first.predictors == "imaging")
    direct = compare_on_same_folds(pair.first.target, *pair.score, pair.fold, 200, 1)
    row = table.filter(
        endpoint=pair.first.endpoint, reference_predictors="imaging", predictors=pair.second.predictors,
        reference_model=pair.first.shown, model=pair.second.shown,
    ).row(0, named=True)  # fmt: skip
    assert (row["estimate"], row["lower"], row["upper"]) == (direct.estimate, direct.lower, direct.upper)
    assert row["n"] == pair.first.target.n
    own = [r for u, r in zip(planned.units, results, strict=True) if u.task is pair.first]
    np.testing.assert_array_equal(pair.score[0][0], own[0]["predictions"]["prediction"].to_numpy())


def test_a_block_of_noise_adds_nothing_beyond_error(same_cohort):
    rng = np.random.default_rng(2)
    frames = dict(same_cohort.frames)
    frames["clinical"] = same_cohort.frames["imaging"].select("subject", a="PET:f0", b="PET:f1")
    noise = {f"n{j}": rng.normal(size=70) for j in range(12)}
    frames["imaging"] = pl.DataFrame({"subject": same_cohort.subject, **noise})
    frames["molecular"] = frames["molecular"].select("subject", "EGFR")
    options = replace(OPTIONS, clinical=("a", "b"), models=("elastic_net",), endpoints=("survival",))
    planned, results = run(same_cohort.endpoints, frames, options)
    pairs, _ = comparisons_of(planned, results)
    wanted = [p for p in pairs if p.first.predictors == "clinical+molecular"]
    table, _ = added_value_table(wanted, [run_comparison(p) for p in wanted])
    row = table.filter(metric="Harrell C").row(0, named=True)
    assert row["lower"] < 0 < row["upper"] or row["upper"] < 0, "no gain is claimed"
    assert (table.filter(metric="net benefit")["lower"] <= 0).all()
    assert table.filter(metric="likelihood ratio")["neg_log_10_p_value"][0] < 2


def test_sets_on_different_subjects_are_not_compared_and_it_is_told(same_cohort):
    frames = dict(same_cohort.frames)
    frames["molecular"] = frames["molecular"].head(60)
    options = replace(OPTIONS, same_subjects=False, models=("elastic_net",), endpoints=("survival",), combine=())
    planned, results = run(same_cohort.endpoints, frames, options)
    pairs, problems = comparisons_of(planned, results)
    assert {(p.first.predictors, p.second.predictors) for p in pairs} == {("molecular", "all")}
    assert problems[0].item == "survival"
    assert "different subjects" in problems[0].got
    assert "same_subjects" in problems[0].todo


@pytest.fixture(scope="module")
def lacking(same_cohort):
    """A third of the subjects lacks the block that carries EGFR; all who lack it are in the judged set."""
    frames = dict(same_cohort.frames)
    frames["molecular"] = frames["molecular"].head(46)
    options = replace(
        OPTIONS, same_subjects=False, combine=(), models=("elastic_net", "stacked"), endpoints=("survival", "relapse"),
        missing_modality=("impute", "indicator", "dropout"),
    )  # fmt: skip
    planned, results = run(same_cohort.endpoints, frames, options)
    return planned, results, missing_modality_table(planned, results)


def test_every_strategy_is_judged_on_both_patterns(lacking):
    planned, results, table = lacking
    mine = table.filter(endpoint="survival")
    found = set(mine.select("model", "strategy", "judged_on", "n").rows())
    net = "elastic-net Cox"
    for strategy in ("impute", "indicator"):
        assert {(net, strategy, "all blocks", 46), (net, strategy, "everybody", 70)} <= found
        assert (net, strategy, "a block lacking", 24) in found
    assert ("stacked blocks", "dropout", "everybody", 70) in found
    assert {(net, "complete", "all blocks", 46), ("stacked blocks", "complete", "all blocks", 46)} <= found
    assert not any(m == "stacked blocks" and s == "impute" for m, s, *_ in found)
    assert mine.filter(strategy="complete")["unpredicted"].unique().to_list() == [24]
    assert mine.filter(pl.col("strategy") != "complete")["unpredicted"].unique().to_list() == [0]
    wide = next(u.task for u in planned.units if u.task.predictors == "any: indicator")
    assert "molecular (absent)" in wide.data.numeric_names
    assert wide.data.numeric[:, wide.data.numeric_names.index("molecular (absent)")].sum() == 24
    assert np.isnan(wide.data.of_block("molecular").numeric).all(axis=1).sum() == 24
    used = [r["selection"] for u, r in zip(planned.units, results, strict=True) if u.task is wide]
    assert used[0].filter(pl.col("block") == "molecular").height, "a block that some lack is not dropped for it"


def test_whoever_lacks_a_block_is_still_ranked(lacking):
    _, _, table = lacking
    rows = table.filter(endpoint="survival", judged_on="everybody")
    assert (rows["estimate"] > 0.6).all()
    assert (rows["lower"] > 0.5).all()


def test_nobody_lacking_a_block_is_told(same_cohort):
    options = replace(OPTIONS, missing_modality=("impute",), models=("elastic_net",), endpoints=("survival",))
    planned = plan(same_cohort.endpoints, same_cohort.frames, options)
    assert not any(u.task.predictors.startswith("any") for u in planned.units)
    assert any("nobody lacks a block" in p.got for p in planned.problems)


def test_an_endpoint_that_no_fusion_predicts_keeps_its_other_models(same_cohort):
    grade = Endpoint("grade", "ordinal", same_cohort.subject, np.arange(70.0) % 3, levels=("G1", "G2", "G3"))
    frames = dict(same_cohort.frames)
    frames["molecular"] = frames["molecular"].head(46)
    options = replace(
        OPTIONS, models=("ordinal", "stacked"), missing_modality=("dropout", "impute"), endpoints=("grade",), combine=()
    )
    planned = plan({"grade": grade}, frames, options)
    assert {(u.task.predictors, u.task.model) for u in planned.units} == {
        ("clinical", "ordinal"), ("imaging", "ordinal"), ("molecular", "ordinal"), ("all", "ordinal"),
        ("any: impute", "ordinal"),
    }  # fmt: skip


def test_sets_and_strategies_are_loud():
    assert list(sets_of(("clinical", "imaging", "molecular"), ("pairs",))) == [
        "clinical", "imaging", "molecular", "clinical+imaging", "clinical+molecular", "imaging+molecular", "all",
    ]  # fmt: skip
    assert sets_of(("imaging",), ("pairs",)) == {"imaging": ("imaging",)}
    assert list(sets_of(("a", "b", "c"), ("c+a",)))[-2:] == ["a+c", "all"]
    with pytest.raises(ConfigError) as caught:
        sets_of(("clinical", "imaging"), ("clinical+imagin",))
    assert (caught.value.where, caught.value.todo) == ("outcome.combine", "did you mean 'imaging'?")
    with pytest.raises(ConfigError, match="two blocks or more"):
        sets_of(("clinical", "imaging"), ("clinical",))
    with pytest.raises(ConfigError) as caught:
        OutcomeOptions(missing_modality=("dropot",))
    assert caught.value.todo == "did you mean 'dropout'?"
    with pytest.raises(ConfigError, match="without a model that does without a block"):
        OutcomeOptions(missing_modality=("dropout",))
    with pytest.raises(ConfigError, match="thresholds"):
        OutcomeOptions(thresholds=(0.0,))
