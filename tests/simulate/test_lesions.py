"""Simulated courses mean what they are called, whatever the measurement error."""

import numpy as np
import polars as pl
import pytest

from radiolocus.read.lesions import read_lesions
from radiolocus.response.recist11 import recist11
from radiolocus.simulate.lesions import COURSES, lesion_table, simulate_lesions


@pytest.mark.parametrize("course", COURSES)
def test_recist_calls_the_course_by_its_name(course, tmp_path):
    rng = np.random.default_rng(11)
    rows = [row for i in range(60) for row in simulate_lesions(rng, f"S{i:02d}", course, missed=0.0)]
    lesion_table(rows).write_csv(tmp_path / "lesions.csv")
    best = recist11(read_lesions(tmp_path / "lesions.csv").frame).best
    assert best["best_response"].to_list() == [course] * 60


def test_some_visits_are_missed_but_never_the_first_two():
    rng = np.random.default_rng(2)
    rows = [row for i in range(80) for row in simulate_lesions(rng, f"S{i}", "SD", missed=0.3)]
    visits = lesion_table(rows).select("subject", "day").unique().group_by("day").agg(pl.len()).sort("day")
    assert visits["len"].to_list()[:2] == [80, 80]
    assert all(40 < n < 72 for n in visits["len"].to_list()[2:])
