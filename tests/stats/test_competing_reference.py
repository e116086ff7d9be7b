"""Competing risks and left truncation against R (cmprsk, pec, riskRegression, survival), and slow twins with ties."""

import csv
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from radiolocus.errors import InputError, UndefinedError
from radiolocus.learn.discrimination import fold_statistic
from radiolocus.learn.models import MODELS
from radiolocus.learn.target import Target
from radiolocus.stats.competing_concordance import competing_c
from radiolocus.stats.counting import fit_counting_cox
from radiolocus.stats.gray import gray_test
from radiolocus.stats.survival import kaplan_meier, log_rank

FOLDER = Path(__file__).resolve().parent.parent / "reference"


@pytest.fixture(scope="module")
def told():
    """Answers of R: a key to its number, and `key.*` to all of its numbered ones."""
    found = defaultdict(list)
    for key, value in list(csv.reader((FOLDER / "competing_answers.csv").read_text().splitlines()))[1:]:
        found[key].append(float(value))
        found[key.rpartition(".")[0] + ".*"].append(float(value))
    return {key: np.array(value) for key, value in found.items()}


@pytest.mark.parametrize("group", ["g", "h"])
@pytest.mark.parametrize("cause", [1, 2])
def test_gray(judged, told, group, cause):
    labels = np.tile([1, 2, 3], 40) if group == "h" else judged["g"]
    found = gray_test(judged["t"], judged["k"], labels, cause)
    np.testing.assert_allclose([found.statistic, 10**-found.neg_log10_p], told[f"gray.{group}.{cause}.*"], rtol=1e-10)
    assert found.observed.sum() == np.sum(judged["k"] == cause)


def test_gray_refuses_what_cannot_be_compared():
    with pytest.raises(InputError, match="1 group"):
        gray_test(np.arange(1, 5), np.ones(4), np.zeros(4))
    with pytest.raises(UndefinedError, match="none while two groups"):
        gray_test([1, 2, 3, 4], [0, 0, 1, 1], ["a", "a", "b", "b"])


@pytest.mark.parametrize("tau", [6, 12])
@pytest.mark.parametrize("cause", [1, 2])
def test_concordance(judged, told, tau, cause):
    times = judged["t"] + np.arange(1, 121) * 1e-3
    found = competing_c(times, judged["k"], judged["s"], cause=cause, truncation=tau)
    assert found.estimate == pytest.approx(told[f"c.{tau}.{cause}"][0], abs=1e-10)
    assert found.events == np.sum((judged["k"] == cause) & (times <= tau))


def slow_c(time, state, risk, tau):
    def uncensored(t, before):
        value = 1.0
        for c in sorted({a for a, k in zip(time, state, strict=True) if k == 0 and (a < t if before else a <= t)}):
            lost = sum(1 for a, k in zip(time, state, strict=True) if a == c and k == 0)
            value *= 1 - lost / (lost + sum(1 for a in time if a > c))
        return value

    won = total = 0.0
    for i in range(len(time)):
        if state[i] != 1 or time[i] > tau:
            continue
        for j in range(len(time)):
            if time[j] > time[i] or (time[j] == time[i] and state[j] == 0):
                weight = uncensored(time[i], True) * uncensored(time[i], False)
            elif state[j] > 1:
                weight = uncensored(time[i], True) * uncensored(time[j], True)
            else:
                continue
            total += 1 / weight if weight else 0.0
            won += (1 / weight if weight else 0.0) * (risk[i] > risk[j] or 0.5 * (risk[i] == risk[j]))
    return won / total


def test_concordance_of_tied_times_is_its_definition(judged):
    part = slice(0, 120, 3)
    t, k, s = (judged[c][part] for c in "tks")
    assert competing_c(t, k, s, truncation=9).estimate == pytest.approx(slow_c(t, k, s, 9), abs=1e-12)
    with pytest.raises(InputError, match="truncation time"):
        competing_c(t, k, s, truncation=1e9)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_incidence_of_cause_specific_models(judged, told, ties):
    X = np.column_stack([judged["s"], judged["x"]])
    state = judged["k"].astype(float)
    setting = {"ridge": 1e-10, "efron": float(ties == "efron")}
    two = np.array([[-1, 0.5], [1, 0]])
    for cause in (1, 2):
        states = np.where(state == cause, 1.0, np.where(state > 0, 2.0, 0.0))
        fit = MODELS["cause_specific_cox"].fit(X, Target((states == 1) * 1.0, judged["t"], state=states), setting, 0)
        found = 1 - fit.survival(two, [4, 9, 15])
        np.testing.assert_allclose(found.T.ravel(), told[f"csc.{ties}.{cause}.*"], atol=1e-6)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_ridge(judged, told, ties):
    X = np.column_stack([judged["s"], judged["x"]])
    more = {} if ties == "efron" else {"entry": judged["u"]}
    found = fit_counting_cox(
        judged["t"], judged["e"], X, strata=judged["g"], weights=judged["w"], ties=ties, penalty=5.0, **more
    )
    np.testing.assert_allclose(found.coefficient, told[f"ridge.{ties}.*"], atol=1e-6)


def test_left_truncated_curve_and_test(judged, told):
    use = judged["t"] > 1
    t, e, u = (judged[c][use] for c in "teu")
    curve = kaplan_meier(t, e, entry=u)
    at = np.searchsorted(curve.time, [5, 9, 15], side="right") - 1
    np.testing.assert_allclose(curve.survival[at], told["km.entry.*"], atol=1e-12)
    np.testing.assert_allclose(curve.standard_error[at], told["km.entry.se.*"], atol=1e-12)
    np.testing.assert_allclose(curve.lower[at], told["km.entry.lower.*"], atol=1e-9)
    part = slice(0, 120, 4)
    t, e, g, u = (judged[c][part] for c in "tegu")
    assert log_rank(t, e, g, entry=u).statistic == pytest.approx(told["logrank.entry"][0], rel=1e-8)
    with pytest.raises(InputError, match="entry 5 and exit 5"):
        kaplan_meier([5, 6], [1, 0], entry=[5, 0])


@pytest.mark.parametrize("strata", [False, True])
def test_concordance_of_late_entries_and_within_strata(judged, told, strata):
    more = {"stratum": judged["g"]} if strata else {}
    target = Target(judged["e"], judged["t"], entry=judged["u"], **more)
    found = fold_statistic(target, judged["s"], np.zeros(120, np.int64))
    assert found == pytest.approx(told["c.entry.strata" if strata else "c.entry"][0], abs=1e-12)


@pytest.mark.slow
def test_the_script_still_gives_the_stored_answers(tmp_path):
    program = shutil.which("Rscript")
    if program is None:
        pytest.skip("Rscript is not installed: the stored answers of R are not made anew")
    answers = tmp_path / "answers.csv"
    call = [program, FOLDER / "competing.R", FOLDER / "evaluation_table.csv", answers]
    ran = subprocess.run(call, check=False, capture_output=True, text=True)
    if "no package called" in ran.stderr:
        pytest.skip("R's packages cmprsk, pec, riskRegression, survival are not all installed: no answers made anew")
    assert ran.returncode == 0, ran.stderr
    now, then = (dict(csv.reader(p.read_text().splitlines())) for p in (answers, FOLDER / "competing_answers.csv"))
    assert list(now) == list(then)
    for key in list(now)[1:]:
        np.testing.assert_allclose(float(now[key]), float(then[key]), rtol=1e-7, atol=1e-8, err_msg=key)
