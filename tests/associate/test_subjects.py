import numpy as np
import polars as pl
import pytest

from radiolocus.associate.subjects import choose_subjects
from radiolocus.errors import ConfigError, TableError

SAMPLES = ("d", None, "b", "a", "e", None)
PHENOTYPES = pl.DataFrame({"subject": ["a", "b", "c", "d", "e"], "x": [1.0, None, 3, 4, 5], "y": [1, 2, 3, 4, None]})
COVARIATES = pl.DataFrame({"subject": ["e", "d", "b", "a"], "age": [50.0, 40, float("nan"), 10], "x": [0, 1, 0, 1]})


def test_who_is_in_and_in_which_order():
    found = choose_subjects(SAMPLES, PHENOTYPES, COVARIATES)
    assert found.subjects == ("a", "d", "e")
    assert found.rows.tolist() == [3, 0, 4]
    np.testing.assert_array_equal(found.phenotypes, [[1, 1], [4, 4], [5, np.nan]])
    np.testing.assert_array_equal(found.covariates, [[10, 1], [40, 1], [50, 0]])
    assert found.covariate_names == ("age", "x")
    assert [(p.subject, p.got) for p in found.problems] == [("b", "no value of covariate age"), ("c", "no genotype")]


def test_named_columns_only():
    found = choose_subjects(SAMPLES, PHENOTYPES, COVARIATES, phenotype_names=["y"], covariate_names=["x"])
    assert found.phenotype_names == ("y",)
    assert found.subjects == ("a", "b", "d")
    assert [(p.subject, p.got) for p in found.problems] == [("c", "no genotype"), ("e", "no phenotype")]


def test_without_covariates_and_with_a_subject_the_covariates_do_not_know():
    assert choose_subjects(SAMPLES, PHENOTYPES, None).covariates.shape == (4, 0)
    found = choose_subjects(SAMPLES, PHENOTYPES, COVARIATES.head(2))
    assert found.subjects == ("d", "e")
    assert found.problems[0].got == "no value of covariate age, x"


def test_categories_are_dummy_coded_against_the_first_that_occurs():
    sites = pl.Series("site", ["rome", "oslo", "rome", "bern"], dtype=pl.Enum(["wien", "oslo", "rome", "bern"]))
    found = choose_subjects(SAMPLES, PHENOTYPES, COVARIATES.select("subject").with_columns(sites))
    assert found.covariate_names == ("site=rome", "site=bern")
    np.testing.assert_array_equal(found.covariates, [[0, 1], [1, 0], [0, 0], [1, 0]])
    flag = COVARIATES.select("subject", (pl.col("x") == 1).alias("flag"))
    np.testing.assert_array_equal(choose_subjects(SAMPLES, PHENOTYPES, flag).covariates[:, 0], [1, 0, 1, 0])
    open_ended = COVARIATES.select("subject", pl.Series("s", ["u", "v", None, "v"], dtype=pl.Categorical))
    found = choose_subjects(SAMPLES, PHENOTYPES, open_ended)
    assert found.covariate_names == ("s=v",)
    assert found.subjects == ("a", "d", "e")


def test_text_is_refused_with_what_it_holds():
    table = COVARIATES.select("subject", pl.Series("sex", ["F", "M", "M", "F"]))
    with pytest.raises(TableError) as caught:
        choose_subjects(SAMPLES, PHENOTYPES, table)
    assert caught.value.got == "covariate 'sex' holds text ('F', 'M')"
    assert "categories" in caught.value.allowed
    with pytest.raises(TableError, match="phenotype 'x' holds text"):
        choose_subjects(SAMPLES, PHENOTYPES.with_columns(pl.col("x").cast(pl.String)), None)


def test_columns_that_are_not_there():
    with pytest.raises(ConfigError) as caught:
        choose_subjects(SAMPLES, PHENOTYPES, COVARIATES, covariate_names=["agee"])
    assert caught.value.got == "no covariate 'agee'"
    assert caught.value.todo == "did you mean 'age'?"
    with pytest.raises(ConfigError, match="covariates age, sex without a table"):
        choose_subjects(SAMPLES, PHENOTYPES, None, covariate_names=["age", "sex"])
    with pytest.raises(TableError, match="no column 'subject' among x, y"):
        choose_subjects(SAMPLES, PHENOTYPES.drop("subject"), None)


def test_a_subject_twice():
    with pytest.raises(TableError, match="samples 1 and 3 of the genotype file are both subject 'a'"):
        choose_subjects(("a", None, "a"), PHENOTYPES, None)
    with pytest.raises(TableError, match="phenotypes: 1 subjects stand more than once: a"):
        choose_subjects(SAMPLES, pl.concat([PHENOTYPES, PHENOTYPES.head(1)]), None)
    with pytest.raises(TableError, match="covariates: 1 subjects stand more than once: e"):
        choose_subjects(SAMPLES, PHENOTYPES, pl.concat([COVARIATES, COVARIATES.head(1)]))


def test_nobody_left():
    with pytest.raises(TableError) as caught:
        choose_subjects(("A1", "B1"), PHENOTYPES, None)
    assert caught.value.got == "none of the 5 subjects can be scanned (no genotype: 5)"
    assert caught.value.todo == "compare the ids: phenotypes have ['a', 'b', 'c'], genotypes have ['A1', 'B1']"
