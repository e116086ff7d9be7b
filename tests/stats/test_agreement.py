"""Repeated measurements: published tables, R's psych, a slow twin, and what must not change the answer."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from naive.agreement import anova, icc
from radiolocus.errors import InputError
from radiolocus.stats.agreement import agreement

# Shrout & Fleiss 1979, Psychol Bull 86:420, table 2: four judges, six targets.
SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float
)


def _numbers(found, j=0):
    return (
        [found.icc_1_1[j], found.icc_1_1_lower[j], found.icc_1_1_upper[j]],
        [found.icc_3_1[j], found.icc_3_1_lower[j], found.icc_3_1_upper[j]],
    )


def _measured(rng, p=7, n=12, k=3, spread=1.0):
    return rng.normal(size=(p, n, 1)) + spread * rng.normal(size=(p, n, k))


def test_the_published_table():
    one, three = _numbers(agreement(SHROUT_FLEISS[None]))
    assert [round(v, 2) for v in one] == [0.17, -0.13, 0.72]
    assert [round(v, 2) for v in three] == [0.71, 0.34, 0.95]


def test_the_published_mean_squares_give_the_within_subject_deviation():
    found = agreement(SHROUT_FLEISS[None])
    assert found.within_sd[0] ** 2 == pytest.approx(6.26, abs=0.005)  # table 3: WMS
    assert found.repeatability[0] == pytest.approx(1.96 * np.sqrt(2 * found.within_sd[0] ** 2), rel=1e-14)
    assert found.mean[0] == pytest.approx(SHROUT_FLEISS.mean(), rel=1e-15)


def test_numbers_of_psych():
    if not shutil.which("Rscript"):
        pytest.skip("R is not installed")
    values = _measured(np.random.default_rng(3), p=3, n=9, k=4)
    matrices = ",".join(f"matrix(c({','.join(map(repr, v.ravel().tolist()))}),ncol=4,byrow=TRUE)" for v in values)
    script = f"""if (!requireNamespace("psych", quietly=TRUE)) quit(status=9)
    for (m in list({matrices})) {{ r <- psych::ICC(m, lmer=FALSE)$results
      cat(sprintf("%.15g", c(r$ICC[1], r$`lower bound`[1], r$`upper bound`[1],
                             r$ICC[3], r$`lower bound`[3], r$`upper bound`[3])), "\\n") }}"""
    told = subprocess.run(["Rscript", "-e", script], capture_output=True, text=True, check=False)
    if told.returncode == 9:
        pytest.skip("R package psych is not installed")
    theirs = np.array([line.split() for line in told.stdout.splitlines()], dtype=float)
    found = agreement(values)
    ours = np.array([np.concatenate(_numbers(found, j)) for j in range(3)])
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


@given(st.integers(0, 2**31), st.integers(2, 9), st.integers(2, 5), st.floats(0.01, 3.0))
def test_the_slow_twin_says_the_same(seed, n, k, spread):
    values = _measured(np.random.default_rng(seed), p=4, n=n, k=k, spread=spread)
    found = agreement(values, level=0.9)
    for j in range(4):
        np.testing.assert_allclose(_numbers(found, j), icc(values[j].tolist(), 0.9), rtol=1e-7, atol=1e-9)
        assert found.within_sd[j] ** 2 == pytest.approx(anova(values[j].tolist())[3], rel=1e-9)


@given(st.integers(0, 2**31), st.floats(-1e3, 1e3), st.sampled_from([-3.0, 0.001, 7.0]))
def test_one_affine_map_of_all_values_changes_no_icc(seed, shift, scale):
    values = _measured(np.random.default_rng(seed))
    before, after = agreement(values), agreement(shift + scale * values)
    for j in range(len(values)):
        np.testing.assert_allclose(_numbers(after, j), _numbers(before, j), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(after.within_sd, abs(scale) * before.within_sd, rtol=1e-6)


@given(st.integers(0, 2**31))
def test_a_shift_of_one_repeat_costs_agreement_but_not_consistency(seed):
    values = _measured(np.random.default_rng(seed), spread=0.3)
    shifted = values + np.array([0.0, 2.0, -1.0])
    before, after = agreement(values), agreement(shifted)
    np.testing.assert_allclose(after.icc_3_1, before.icc_3_1, rtol=1e-9, atol=1e-12)
    assert (after.icc_1_1 < before.icc_1_1).all()


@given(st.integers(0, 2**31))
def test_neither_the_order_of_subjects_nor_of_repeats_matters(seed):
    rng = np.random.default_rng(seed)
    values = _measured(rng)
    mixed = values[:, rng.permutation(12)][:, :, rng.permutation(3)]
    np.testing.assert_allclose(agreement(mixed).icc_1_1, agreement(values).icc_1_1, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(agreement(mixed).icc_3_1, agreement(values).icc_3_1, rtol=1e-9, atol=1e-12)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    # Subjects of variance 1 and errors of variance 0.25: the true ICC is 0.8.
    found = agreement(_measured(np.random.default_rng(11), p=4000, n=20, k=3, spread=0.5))
    for lower, upper in ((found.icc_1_1_lower, found.icc_1_1_upper), (found.icc_3_1_lower, found.icc_3_1_upper)):
        assert 0.94 < ((lower < 0.8) & (upper > 0.8)).mean() < 0.96
    assert found.within_sd.mean() == pytest.approx(0.5, abs=0.01)


def test_subjects_with_a_missing_repeat_leave_that_feature_alone():
    values = _measured(np.random.default_rng(5))
    values[2, 3, 1], values[2, 7, 0], values[4, 0, 2] = np.nan, np.inf, -np.inf
    found = agreement(values)
    assert found.n.tolist() == [12, 12, 10, 12, 11, 12, 12]
    alone = agreement(np.delete(values[2], [3, 7], axis=0)[None])
    assert _numbers(found, 2) == _numbers(alone)
    np.testing.assert_allclose(_numbers(found, 4), icc(values[4].tolist()), rtol=1e-9)


def test_what_has_no_icc_says_why():
    values = np.zeros((5, 3, 2))
    values[0] = 0.1 + 1e-16 * np.arange(6).reshape(3, 2)  # a constant with rounding
    values[1] = np.nan
    values[2] = [[1, 2], [np.nan, 3], [4, np.nan]]
    values[3] = [[1, 2], [1, 2], [1, 2]]
    values[4] = [[1, 1], [2, 2], [4, 4]]
    found = agreement(values)
    assert [found.reason(j) for j in range(5)] == [
        "the same value in all subjects and repeats",
        "fewer than two subjects with all repeats",
        "fewer than two subjects with all repeats",
        "all subjects have the same values, which differ between repeats alone: ICC(3,1) has no value",
        "",
    ]
    assert found.n.tolist() == [3, 0, 1, 3, 3]
    assert np.isnan([found.icc_1_1[:3], found.icc_3_1[:3], found.within_sd[:3], found.repeatability[:3]]).all()
    assert found.icc_1_1[3] == -1.0  # 1 / (1 − k), the least there is
    assert np.isnan(found.icc_3_1[3])
    assert _numbers(found, 4) == ([1.0, 1.0, 1.0], [1.0, 1.0, 1.0])
    assert found.within_sd[4] == found.repeatability[4] == 0.0


def test_a_large_mean_costs_no_digits():
    values = np.round(_measured(np.random.default_rng(9)), 6)
    np.testing.assert_allclose(agreement(values + 1e9).icc_1_1, agreement(values).icc_1_1, rtol=1e-4)


@pytest.mark.parametrize(
    ("values", "level", "got"),
    [
        (np.zeros((3, 4)), 0.95, "(3, 4)"),
        (np.zeros((3, 4, 1)), 0.95, "(3, 4, 1)"),
        (np.zeros((3, 4, 2)), 1.0, "level 1.0"),
    ],
)
def test_what_cannot_be_used_is_refused(values, level, got):
    with pytest.raises(InputError) as error:
        agreement(values, level)
    assert got in error.value.got
    assert error.value.allowed


def test_no_feature_gives_no_number():
    assert agreement(np.zeros((0, 4, 2))).icc_1_1.shape == (0,)
