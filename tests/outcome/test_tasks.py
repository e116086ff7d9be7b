"""Several models, other splits and harmonising, from the options of a study to its tables."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from radiolocus.errors import ConfigError
from radiolocus.outcome.options import OutcomeOptions
from radiolocus.outcome.performance import plan, run_unit, summarise
from radiolocus.schema import TABLES

QUICK = OutcomeOptions(
    repeats=1,
    folds=3,
    inner_folds=2,
    penalties=6,
    bootstrap=40,
    univariate_bootstrap=20,
    permutations=0,
    endpoints=("survival",),
)


@pytest.fixture(autouse=True)
def small_forests(monkeypatch):
    """Twenty trees do for what is asked here."""
    monkeypatch.setattr("radiolocus.learn.trees._TREES", 20)


def clinical(cohort):
    """The clinical table with a site, a date and a time of measurement."""
    n = len(cohort.subject)
    return cohort.frames["clinical"].with_columns(
        site=pl.Series(["north", "south", None, "west"][k % 4] for k in range(n)),
        day=pl.Series(np.arange(n)).cast(pl.Date),
        measured=pl.lit(-2.0),
        text=pl.lit("x"),
    )


def done(cohort, options, **frames):
    given = {"clinical": clinical(cohort), "imaging": cohort.frames["imaging"]} | frames
    planned = plan(cohort.endpoints, given, options)
    return planned, summarise(planned, [run_unit(unit) for unit in planned.units])


def test_several_models_share_their_folds_and_stand_apart_in_every_table(cohort):
    models = ("elastic_net", "weibull", "discrete_time", "forest")
    planned, found = done(cohort, replace(QUICK, models=models))
    table = found.tables["outcome/performance"]
    assert table["model"].to_list() == ["elastic-net Cox", "Weibull AFT", "discrete-time logistic hazard"]
    assert set(table["predictors"]) == {"imaging"}
    folds = [u.task.options.seed for u in planned.units]
    assert len(set(folds)) == 1
    predictions = found.tables["outcome/predictions"].partition_by("model")
    for part in predictions[1:]:
        assert part.select("subject", "repeat", "fold").equals(predictions[0].select("subject", "repeat", "fold"))
    for name in ("horizons", "predictions", "selection", "groups", "kaplan_meier"):
        assert set(found.tables[f"outcome/{name}"]["model"]) == set(table["model"]), name
    assert (table["estimate"] > 0.55).all()
    brier = found.tables["outcome/horizons"].filter(pl.col("metric").str.starts_with("Brier"))
    assert (brier.partition_by("metric")[1]["estimate"].n_unique()) == 1, "the bare model is the same for all"
    assert found.tables["outcome/protocol"]["model"].n_unique() == 3


def test_an_endpoint_that_no_model_predicts_is_set_aside(cohort):
    planned, found = done(cohort, replace(QUICK, models=("forest",), endpoints=("survival", "relapse")))
    assert {u.task.endpoint for u in planned.units} == {"relapse"}
    (problem,) = [p for p in planned.problems if p.item == "survival" and p.severity == "set aside"]
    assert problem.got == "none of models = ['forest'] predicts a survival endpoint"
    assert "weibull" in problem.allowed
    selection = found.tables["outcome/selection"]
    assert selection["mean_coefficient"].null_count() == selection.height
    assert selection.filter(pl.col("predictor") == "PET:f0")["fraction"][0] == 1.0


def test_each_site_is_held_out_and_imaging_is_harmonised(cohort):
    shifted = cohort.frames["imaging"].with_columns(pl.exclude("subject") + pl.Series(np.arange(70) % 4 * 5.0))
    split = replace(QUICK, split="site", site="site", models=("ridge",))
    raw = done(cohort, split, imaging=shifted)[1].tables["outcome/performance"].row(0, named=True)
    assert (raw["split"], raw["repeats"], raw["folds"]) == ("site", 1, 4)
    options = replace(QUICK, models=("ridge",), harmonise="scanner")
    table = clinical(cohort).with_columns(scanner=pl.Series(list("abcd")[k % 4] for k in range(70)))
    moved, still = (
        done(cohort, options, clinical=table, imaging=frame)[1].tables["outcome/predictions"]["prediction"].to_numpy()
        for frame in (shifted, cohort.frames["imaging"])
    )
    assert np.corrcoef(moved, still)[0, 1] > 0.8, "a shift by scanner is taken out, but for what is shrunk"
    planned, found = done(cohort, replace(options, harmonise="site"))
    steps = dict(found.tables["outcome/protocol"].select("step", "how").iter_rows())
    assert steps["harmonise"] == "ComBat by site"
    assert set(planned.units[0].task.data.batch) == {"north", "south", "", "west"}


def test_the_latest_subjects_are_judged_and_the_undated_left_out(cohort):
    table = clinical(cohort).with_columns(pl.when(pl.col("subject") == "S003").then(None).otherwise("day").alias("day"))
    options = replace(QUICK, split="temporal", date="day", temporal_test=0.4)
    planned, found = done(cohort, options, clinical=table)
    row = found.tables["outcome/performance"].row(0, named=True)
    assert (row["n"], row["split"], row["folds"]) == (28, "temporal", 1)
    assert set(found.tables["outcome/predictions"]["subject"]) == set(cohort.subject[42:])
    assert set(found.tables["outcome/groups"]["subject"]) == set(cohort.subject[42:])
    assert found.tables["outcome/predictions"]["prediction"].null_count() == 0
    (problem,) = [p for p in planned.problems if p.where == "outcome.date"]
    assert problem.got == "1 subjects left out: no date in 'day'"


def test_a_bootstrap_tells_apparent_optimism_and_632(cohort):
    _, found = done(cohort, replace(QUICK, split="bootstrap", resamples=6))
    table = found.tables["outcome/performance"]
    assert table["split"].to_list() == ["apparent", "optimism", ".632", ".632+"]
    value = dict(table.select("split", "estimate").iter_rows())
    assert value["apparent"] > value[".632+"] > 0.5
    assert set(table["repeats"]) == {6}
    assert set(found.tables["outcome/predictions"]["repeat"]) == set(range(1, 7))
    assert found.tables["outcome/predictions"].group_by("repeat").len()["len"].max() < 40, "only whom it left out"
    assert found.tables["outcome/selection"]["fraction"].max() <= 1.0
    assert found.tables["outcome/groups"].height > 60, "those whom a sample left out are grouped"


@pytest.mark.parametrize("split", ["kfold", "bootstrap"])
def test_a_permuted_outcome_goes_through_the_whole_protocol(cohort, split):
    planned, found = done(cohort, replace(QUICK, permutations=3, split=split, resamples=2))
    assert sum(u.permuted for u in planned.units) == 3
    audit = found.tables["outcome/audit"].filter(check="permuted outcome").row(0, named=True)
    assert (audit["verdict"], audit["model"]) == ("pass", "elastic-net Cox")
    assert abs(audit["value"] - 0.5) < 0.2
    assert audit["error"] > 0.01


def test_permutations_are_of_the_widest_set_alone(cohort):
    frames = cohort.frames | {"clinical": clinical(cohort)}
    planned = plan(
        cohort.endpoints, frames, replace(QUICK, permutations=2, clinical=("Age",), models=("ridge", "lasso"))
    )
    assert {(u.task.predictors, u.task.model) for u in planned.units if u.permuted} == {
        ("all", "ridge"),
        ("all", "lasso"),
    }
    assert len({u.name for u in planned.units}) == len(planned.units)


def test_predictors_selected_on_the_endpoint_are_an_error(cohort):
    for note in ({"PET:f0": ("survival",)}, {"imaging": ("relapse", "survival")}, {"PET:*": ("survival",)}):
        with pytest.raises(ConfigError) as caught:
            done(cohort, replace(QUICK, selected_on=note))
        assert "was selected on 'survival' and would predict it" in caught.value.got
        assert caught.value.where == f"outcome.selected_on.{next(iter(note))}"
        assert "leave 'survival' out of endpoints" in caught.value.todo
    planned, _ = done(cohort, replace(QUICK, selected_on={"imaging": ("relapse",)}))
    assert planned.units, "another endpoint may be predicted"
    with pytest.raises(ConfigError, match="'PET:f99' is no predictor"):
        done(cohort, replace(QUICK, selected_on={"PET:f99": ("survival",)}))
    with pytest.raises(ConfigError, match="unknown endpoint 'survivl'"):
        done(cohort, replace(QUICK, selected_on={"imaging": ("survivl",)}))


def test_the_audit_finds_copies_late_measurements_and_the_outcome_itself(cohort):
    event = cohort.endpoints["relapse"].event
    imaging = cohort.frames["imaging"].with_columns(pl.Series("PET:leak", event + 0.001 * np.arange(70) / 70))
    rows = imaging.to_dicts()
    rows[5] = rows[9] | {"subject": "S005", "PET:leak": rows[5]["PET:leak"]}
    copied = pl.DataFrame(rows, schema=imaging.schema)
    options = replace(QUICK, endpoints=("relapse", "survival"), measured_at={"imaging": "late"})
    late = clinical(cohort).with_columns(late=pl.lit(1e9))
    planned, found = done(cohort, options, imaging=copied, clinical=late)
    audit = found.tables["outcome/audit"]
    leak = audit.filter((pl.col("check") == "predicts alone") & (pl.col("endpoint") == "relapse")).row(0, named=True)
    assert (leak["item"], leak["verdict"]) == ("PET:leak", "leak")
    after = audit.filter(check="after the outcome", endpoint="survival").row(0, named=True)
    assert (after["verdict"], after["value"]) == ("leak", 70.0)
    told = [p.got for p in planned.problems if p.severity == "note"]
    assert any(t.startswith("predicts alone: orders every pair by itself") for t in told)
    planned, _ = done(cohort, options, imaging=copied.drop("PET:leak"), clinical=late)
    assert planned.audit.filter(pl.col("item") == "S005, S009")["verdict"].unique().to_list() == ["leak"]
    assert planned.audit.schema == pl.Schema(TABLES["outcome/audit"].schema)


@pytest.mark.parametrize(
    ("options", "got", "where"),
    [
        ({"harmonise": "scaner"}, "no clinical column 'scaner'", "outcome.harmonise"),
        ({"split": "site", "site": "hospital"}, "no clinical column 'hospital'", "outcome.site"),
        ({"split": "temporal", "date": "text"}, "column 'text' of type String", "outcome.date"),
        ({"harmonise": "site", "harmonise_keep": ("text",)}, "column 'text' of type String", "outcome.harmonise_keep"),
        ({"measured_at": {"imaging": "when"}}, "no clinical column 'when'", "outcome.measured_at"),
    ],
)
def test_columns_that_do_not_do_are_named(cohort, options, got, where):
    with pytest.raises(ConfigError) as caught:
        done(cohort, replace(QUICK, **options))
    assert (caught.value.got, caught.value.where) == (got, where)


def test_a_modality_that_nobody_has_is_set_aside_and_the_others_go_on(cohort):
    nobody = cohort.frames["molecular"].with_columns(pl.exclude("subject").cast(pl.Float64) * float("nan"))
    planned, found = done(cohort, QUICK, molecular=nobody)
    assert set(found.tables["outcome/performance"]["predictors"]) == {"imaging"}
    (problem,) = [p for p in planned.problems if p.item == "molecular"]
    assert (problem.severity, problem.got) == ("set aside", "no subject has a usable value among 2 columns")


def test_predictors_that_are_tied_everywhere_tell_nobody_apart(cohort):
    tied = cohort.frames["imaging"].with_columns(pl.exclude("subject") * 0.0 + 1.0)
    _, found = done(cohort, replace(QUICK, models=("ridge", "weibull")), imaging=tied)
    assert found.tables["outcome/performance"]["estimate"].to_list() == [0.5, 0.5]
    assert any("everybody is predicted alike" in p.got for p in found.problems)
