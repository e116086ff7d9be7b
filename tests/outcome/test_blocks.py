from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from radiolocus.errors import ConfigError, FitError, InputError, TableError
from radiolocus.model import Endpoint
from radiolocus.outcome.blocks import chosen_endpoints, read_blocks, suited_models, target_of
from radiolocus.outcome.options import OutcomeOptions

CLINICAL = OutcomeOptions(clinical=("Age", "Grade"))


def test_only_named_clinical_columns_predict(cohort):
    blocks, problems = read_blocks(cohort.frames, CLINICAL)
    clinical = blocks["clinical"].predictors
    assert clinical.numeric_names == ("Age",)
    assert clinical.categorical_names == ("Grade",)
    assert clinical.levels == (("high", "low", "mid"),)
    grade = cohort.frames["clinical"]["Grade"].to_list()
    np.testing.assert_array_equal(
        clinical.codes[:, 0], [-1 if g is None else ("high", "low", "mid").index(g) for g in grade]
    )
    assert problems == []
    assert "clinical" not in read_blocks(cohort.frames, OutcomeOptions())[0]


def test_categories_that_differ_by_case_alone_are_told(cohort):
    frame = cohort.frames["clinical"].with_columns(pl.col("Grade").replace({"mid": "High"}))
    _, problems = read_blocks({"clinical": frame}, CLINICAL)
    (problem,) = problems
    assert (problem.severity, problem.item) == ("note", "Grade")
    assert problem.got == "categories 'High', 'high' differ by case or spaces alone and count as different ones"
    assert "spell them alike" in problem.todo


def test_booleans_are_numbers_and_blocks_are_remembered(cohort):
    molecular = read_blocks(cohort.frames, CLINICAL)[0]["molecular"].predictors
    assert set(np.unique(molecular.numeric[:, 1])) == {0.0, 1.0}
    assert molecular.numeric_blocks == ("molecular", "molecular")


def test_an_unknown_clinical_column_is_refused_with_the_nearest(cohort):
    with pytest.raises(ConfigError) as caught:
        read_blocks(cohort.frames, OutcomeOptions(clinical=("Grad",)))
    assert caught.value.got == "no clinical column 'Grad'"
    assert caught.value.where == "outcome.clinical"
    assert "Grade" in caught.value.allowed
    assert caught.value.todo == "did you mean 'Grade'?"


def test_text_among_imaging_predictors_is_set_aside(cohort):
    frame = cohort.frames["imaging"].with_columns(pl.lit("n/a").alias("PET:f3"))
    blocks, problems = read_blocks({"imaging": frame}, CLINICAL)
    assert "PET:f3" not in blocks["imaging"].predictors.numeric_names
    (problem,) = problems
    assert (problem.severity, problem.item) == ("set aside", "PET:f3")
    assert problem.got == "column of type String among 'imaging' predictors"
    assert problem.allowed == "numbers; text in clinical columns only"
    assert "numbers" in problem.todo


def test_a_subject_twice_is_refused(cohort):
    frame = pl.concat([cohort.frames["imaging"], cohort.frames["imaging"].head(2)])
    with pytest.raises(TableError) as caught:
        read_blocks({"imaging": frame}, CLINICAL)
    assert caught.value.got == "subject S000 more than once (2 such)"
    assert caught.value.allowed == "one row a subject"


def test_a_subject_without_any_value_does_not_have_the_block(cohort):
    features = pl.exclude("subject")
    frame = cohort.frames["imaging"].with_columns(
        pl.when(pl.col("subject") == "S005").then(None).otherwise(features).name.keep()
    )
    block = read_blocks({"imaging": frame}, CLINICAL)[0]["imaging"]
    assert "S005" not in block.row
    assert len(block.row) == 69
    row = block.row["S006"]
    np.testing.assert_array_equal(block.predictors.numeric[row], frame.row(6)[1:])


def test_infinite_values_are_told_and_count_as_missing(cohort):
    infinite = pl.when(pl.col("subject") < "S003").then(float("inf")).otherwise(pl.col("PET:f1")).alias("PET:f1")
    blocks, (problem,) = read_blocks({"imaging": cohort.frames["imaging"].with_columns(infinite)}, CLINICAL)
    assert np.isnan(blocks["imaging"].predictors.numeric[:, 1]).sum() == 3
    assert (problem.severity, problem.item, problem.count) == ("note", "PET:f1", 3)
    assert problem.got == "3 values of 'imaging' are infinite or beyond 1e100 and count as missing"


def test_a_block_that_is_empty_for_everybody_is_a_problem():
    frame = pl.DataFrame({"subject": ["A", "B"], "x": [None, None]})
    blocks, (problem,) = read_blocks({"imaging": frame}, CLINICAL)
    assert blocks == {}
    assert problem.got == "no subject has a usable value among 1 columns"


def test_unknown_endpoints_are_refused_and_none_means_all(cohort):
    assert [e.name for e in chosen_endpoints(cohort.endpoints, OutcomeOptions())] == ["survival", "relapse"]
    assert [e.name for e in chosen_endpoints(cohort.endpoints, OutcomeOptions(endpoints=("relapse",)))] == ["relapse"]
    with pytest.raises(ConfigError) as caught:
        chosen_endpoints(cohort.endpoints, OutcomeOptions(endpoints=("survivl",)))
    assert (caught.value.got, caught.value.todo) == ("unknown endpoint 'survivl'", "did you mean 'survival'?")


def test_unknown_values_are_counted_and_negative_times_named(cohort):
    endpoint = cohort.endpoints["survival"]
    event, time = endpoint.event.copy(), endpoint.time.copy()
    event[:3], time[3], time[4] = np.nan, np.nan, -12.0
    known, problems = target_of(replace(endpoint, event=event, time=time))
    assert known.subject == cohort.subject[5:]
    np.testing.assert_array_equal(known.target.time, time[5:])
    assert (problems[0].severity, problems[0].count) == ("note", 4)
    assert problems[0].got == "4 of 70 subjects have no known value of this endpoint"
    assert (problems[1].severity, problems[1].subject, problems[1].item) == ("set aside", "S004", "survival")
    assert problems[1].got == "time -12 days"
    assert problems[1].allowed == "zero or positive"
    assert "left out of this endpoint" in problems[1].todo


def test_endpoints_that_cannot_be_predicted_are_errors(cohort):
    with pytest.raises(FitError, match="no events among 70 subjects"):
        target_of(replace(cohort.endpoints["survival"], event=np.zeros(70)))
    with pytest.raises(FitError, match="only events among 70 subjects"):
        target_of(Endpoint("x", "binary", cohort.subject, np.ones(70)))
    with pytest.raises(InputError, match=r"event 2.*1/2 coding is not guessed"):
        target_of(Endpoint("x", "binary", cohort.subject, np.arange(70) % 2 + 1.0))


def test_models_of_log_times_are_left_out_where_somebody_has_time_zero_and_he_is_named():
    subjects = tuple(f"S{i}" for i in range(8))
    time = np.array([3.0, 0.0, 2.0, 5.0, 1.0, 4.0, 7.0, 6.0])
    known, _ = target_of(Endpoint("os", "survival", subjects, np.tile([1.0, 0.0], 4), time))
    options, (told,) = suited_models(known, OutcomeOptions(models=("elastic_net", "weibull", "lognormal")))
    assert options.models == ("elastic_net",)
    assert told.severity == "set aside"
    assert told.got == "weibull, lognormal cannot predict: time 0 of 1 (first S1)"
    options, (told, taken) = suited_models(known, OutcomeOptions(models=("weibull",)))
    assert options.models == ("cox",)
    assert taken.got.endswith("cox is taken")
