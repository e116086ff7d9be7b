from pathlib import Path

import numpy as np
import polars as pl
import pytest

from naive import gene_scores as naive
from radiolocus.errors import InputError
from radiolocus.stats.counts import log_cpm
from radiolocus.stats.gene_scores import gsva, mean_z, singscore, ssgsea

RECIPE = Path(__file__).resolve().parents[1] / "reference"
SETS = [np.arange(20), np.arange(49, 60), np.array([2, 8, 99, 109, 118])]
#: A sample's genes keep their order when they are counted in other units.
ONE = {"ssgsea": ssgsea, "singscore": singscore}


@pytest.fixture(scope="module")
def counts():
    return pl.read_csv(RECIPE / "expression_counts.csv")[:, 1:].to_numpy().astype(float)


@pytest.fixture(scope="module")
def logs(counts):
    places = np.arange(1, counts.size + 1).reshape(counts.shape[::-1]).T
    return log_cpm(counts) + 1e-7 * places


def answer(what):
    told = pl.read_csv(RECIPE / "expression_answers.csv").filter(what=what)
    return told.pivot(on="column", index="row", values="value")[:, 1:].to_numpy()


def test_scores_are_those_of_the_r_package_gsva(counts, logs):
    np.testing.assert_allclose(ssgsea(logs, SETS), answer("ssgsea"), rtol=1e-10)
    np.testing.assert_allclose(gsva(counts, SETS, "poisson"), answer("gsva_poisson"), atol=1e-12)
    root = np.sqrt([[s.size] for s in SETS])
    np.testing.assert_allclose(mean_z(logs, SETS) * root, answer("zscore"), rtol=1e-10)
    # R looks the normal distribution up in a table of steps of a thousandth without interpolation, so that genes that
    # are nearly equal change places; the twin below has no table.
    np.testing.assert_allclose(gsva(logs, SETS), answer("gsva"), atol=0.01)


def test_scores_are_those_of_slow_twins(logs):
    table = logs.tolist()
    for s, members in enumerate(SETS):
        known = set(members.tolist())
        np.testing.assert_allclose(gsva(logs, SETS)[s], naive.gsva(table, known), atol=1e-12)
        for j in range(logs.shape[1]):
            column = logs[:, j].tolist()
            assert ssgsea(logs, SETS)[s, j] == pytest.approx(naive.ssgsea(column, known), rel=1e-10)
            assert singscore(logs, SETS)[s, j] == pytest.approx(naive.singscore(column, known), abs=1e-12)


@pytest.mark.parametrize("score", ONE.values(), ids=ONE)
def test_scores_of_one_sample_know_no_other_no_scale_and_no_order_of_genes(score, counts):
    whole = score(counts, SETS)
    np.testing.assert_allclose(score(counts[:, 3:4], SETS), whole[:, 3:4], rtol=1e-12)
    np.testing.assert_allclose(score(np.log2(counts + 1), SETS), whole, rtol=1e-12)
    order = np.random.default_rng(1).permutation(len(counts))
    place = np.argsort(order)
    np.testing.assert_allclose(score(counts[order], [place[s] for s in SETS]), whole, rtol=1e-10)


def test_extremes():
    values = np.arange(10.0)[:, None]
    top, bottom = np.array([8, 9]), np.array([0, 1])
    assert singscore(values, [top, bottom])[:, 0].tolist() == [0.5, -0.5]
    assert ssgsea(values, [top])[0, 0] > 0 > ssgsea(values, [bottom])[0, 0]


def test_a_planted_programme_is_found_by_every_method():
    rng = np.random.default_rng(4)
    state = rng.standard_normal(60)
    values = rng.normal(5, 2, 300)[:, None] + rng.standard_normal((300, 60))
    members = np.arange(30)
    values[members] += 0.8 * state
    for score in (ssgsea, singscore, gsva, mean_z):
        found, other = score(values, [members, np.arange(100, 130)])
        assert np.corrcoef(found, state)[0, 1] > 0.85
        assert abs(np.corrcoef(other, state)[0, 1]) < 0.3


def test_what_cannot_be_scored(logs):
    with pytest.raises(InputError, match="missing values"):
        ssgsea(np.where(logs == logs[0, 0], np.nan, logs), SETS)
    with pytest.raises(InputError, match="120 of 120 genes in set 1"):
        singscore(logs, [np.arange(120)])
    with pytest.raises(InputError, match="does not vary"):
        gsva(np.vstack([logs, np.ones(9)]), SETS)
    with pytest.raises(InputError, match="1 samples"):
        gsva(logs[:, :1], SETS)
    with pytest.raises(InputError, match="below 0"):
        gsva(logs - 50, SETS, "poisson")
    assert np.isnan(mean_z(np.ones((5, 3)), [np.arange(2)])).all()
