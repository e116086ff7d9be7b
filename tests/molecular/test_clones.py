"""Clones against known truth, scipy's distributions, and trees found by trying them all."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import adjusted_rand_score

from naive.clones import log_likelihood, trees
from radiolocus.errors import ConfigError
from radiolocus.molecular.clones import GRID, CloneOptions, _Person, cell_fraction, clones, multiplicity
from radiolocus.molecular.phylogeny import consistent_trees
from radiolocus.read.variants import read_variants
from radiolocus.simulate.blood import simulate_clones

OPTIONS = CloneOptions(table="samples.csv")
FRACTIONS = ((1.0, 1.0), (0.6, 0.1), (0.3, 0.05), (0.0, 0.6))
COUNTS = (20, 12, 10, 12)


def _table(tmp_path, rows):
    pl.DataFrame(rows, infer_schema_length=None).write_csv(tmp_path / "samples.csv")
    return read_variants(tmp_path / "samples.csv").frame


def _simulated(tmp_path, seed, subject="A", **options):
    rng = np.random.default_rng(seed)
    rows, truth = simulate_clones(
        rng, subject, FRACTIONS, COUNTS, **({"purity": (0.8, 0.7), "days": (0, 100), "depth": 500.0} | options)
    )
    return _table(tmp_path, rows), truth


def test_multiplicity_and_fraction_by_hand():
    one = np.ones(1)
    # purity 0.8, four copies, two of them with the mutation in every cell: 0.8 * 2 / (3.2 + 0.4)
    vaf = np.array([0.8 * 2 / 3.6])
    m = multiplicity(vaf, 0.8 * one, 4 * one, 2 * one, 2 * one)
    assert m.tolist() == [2.0]
    assert cell_fraction(vaf, m, 0.8 * one, 4 * one, 2 * one) == pytest.approx([1.0])
    # half of the cells of a diploid tumour of purity 0.6 have it once
    vaf = np.array([0.6 * 0.5 / 2])
    m = multiplicity(vaf, 0.6 * one, 2 * one, one, 2 * one)
    assert m.tolist() == [1.0]
    assert cell_fraction(vaf, m, 0.6 * one, 2 * one, 2 * one) == pytest.approx([0.5])


@pytest.mark.parametrize("precision", [0.0, 150.0])
def test_likelihood_is_that_of_scipy(tmp_path, precision):
    frame, _ = _simulated(tmp_path, 1, depth=60.0)
    options = CloneOptions(table="x", precision=precision, most=1)
    person = _Person("A", frame.with_columns(pl.lit(2.0).alias("normal_copies")), ["baseline", "day 100"], options)
    whole = person._likelihood()
    for row in frame.gather_every(9).iter_rows(named=True):
        i, j = person.names.index(row["variant"]), ["baseline", "day 100"].index(row["sample"])
        for g in (0, 3, 90, 200):
            told = (row[n] for n in ("alt_reads", "depth", "purity", "copies", "minor_copies"))
            slow = log_likelihood(*told, 2.0, GRID[g], precision)
            assert whole[i, j, g] == pytest.approx(slow, abs=1e-8)


def test_clones_of_simulated_tumours_are_found(tmp_path):
    scores, sizes = [], []
    for seed in range(6):
        frame, truth = _simulated(tmp_path, seed)
        found = clones(frame, OPTIONS)
        label = dict(found.variants.select("gene", "clone").unique().iter_rows())
        genes = sorted(truth)
        scores.append(adjusted_rand_score([truth[g] for g in genes], [label[g] for g in genes]))
        sizes.append(found.clones["clone"].n_unique())
    assert np.mean(scores) > 0.85
    assert sizes == [4] * 6


def test_what_rose_and_fell_is_told_with_evidence(tmp_path):
    found = clones(_simulated(tmp_path, 3)[0], OPTIONS).clones
    late = found.filter(pl.col("sample") != "baseline").sort("cancer_cell_fraction")
    assert dict(late.select("clone", "state").iter_rows())["C1"] == "stable"
    assert sorted(late["state"]) == ["fallen", "fallen", "newly risen", "stable"]
    new = late.row(by_predicate=pl.col("state") == "newly risen", named=True)
    assert new["lower"] <= 0.6 <= new["upper"]
    assert new["probability_rise"] > 0.999
    assert new["parent"] == "C1"
    assert found.filter(pl.col("sample") == "baseline")["state"].unique().to_list() == ["first"]


def test_one_clone_is_not_split(tmp_path):
    counts = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        rows, _ = simulate_clones(rng, "A", ((1.0, 1.0),), (30,), purity=(0.7, 0.7), days=(0, 50), depth=200)
        counts.append(clones(_table(tmp_path, rows), OPTIONS).clones["clone"].n_unique())
    assert counts.count(1) >= 4


def test_intervals_hold_the_truth_as_often_as_they_say(tmp_path):
    inside = []
    for seed in range(60):
        rng = np.random.default_rng(1000 + seed)
        rows, _ = simulate_clones(rng, "A", ((0.55,),), (8,), purity=(0.8,), days=(0,), depth=150)
        row = clones(_table(tmp_path, rows), CloneOptions(table="x", most=1)).clones.row(0, named=True)
        inside.append(row["lower"] <= 0.55 <= row["upper"])
    # 95 % of 60 is 57; fewer than 50 has a chance below 0.001
    assert sum(inside) >= 50


def test_order_of_rows_and_other_subjects_change_nothing(tmp_path):
    first, _ = _simulated(tmp_path, 5)
    second, _ = _simulated(tmp_path, 6, subject="B")
    alone = clones(first, OPTIONS)
    beside = clones(pl.concat([second, first.sample(fraction=1.0, shuffle=True, seed=1)]), OPTIONS)
    assert beside.clones.filter(pl.col("subject") == "A").equals(alone.clones)
    assert beside.trees.filter(pl.col("subject") == "A").equals(alone.trees)


@pytest.mark.parametrize("seed", range(8))
def test_trees_are_those_found_by_trying_all(seed):
    rng = np.random.default_rng(seed)
    fraction = np.clip(np.sort(rng.uniform(0, 1, (4, 2)), axis=0)[::-1], 0, 1)
    fraction[0] = 1.0
    error = rng.uniform(0.005, 0.08, fraction.shape)
    found = consistent_trees(fraction, error)
    assert found.complete
    assert set(found.parents) == trees(fraction, error)
    assert list(found.excess) == sorted(found.excess)


def test_crossing_clones_are_siblings():
    fraction = np.array([[1.0, 1.0], [0.6, 0.2], [0.2, 0.6]])
    assert consistent_trees(fraction, np.full(fraction.shape, 0.01)).parents == ((-1, 0, 0),)


def test_two_founders_only_where_one_cannot_be():
    fraction = np.array([[0.6, 0.1], [0.1, 0.6]])
    found = consistent_trees(fraction, np.full(fraction.shape, 0.01))
    assert found.parents == ((-1, -1),)
    assert not found.one_root


def test_no_tree_is_told_as_none(tmp_path):
    fraction = np.array([[0.9, 0.9], [0.8, 0.2], [0.2, 0.8], [0.5, 0.5]])
    found = consistent_trees(fraction, np.full(fraction.shape, 0.001))
    assert found.parents == ()


@pytest.mark.parametrize("column", ["purity", "copies"])
def test_a_row_without_purity_or_copies_sets_its_subject_aside(tmp_path, column):
    frame, _ = _simulated(tmp_path, 1)
    other, _ = _simulated(tmp_path, 2, subject="B")
    hurt = frame.with_columns(pl.when(pl.int_range(pl.len()) == 4).then(None).otherwise(pl.col(column)).alias(column))
    found = clones(pl.concat([hurt, other]), OPTIONS)
    assert found.clones["subject"].unique().to_list() == ["B"]
    (problem,) = found.problems
    assert (problem.subject, problem.severity) == ("A", "set aside")
    assert problem.got == f"no {column}"


def test_two_copies_are_assumed_only_when_told(tmp_path):
    rows = [
        {"subject": "A", "sample": "baseline", "day": 0, "gene": f"G{i}", "change": "V1L", "alt_reads": 40 + i,
         "depth": 100, "purity": 0.9}
        for i in range(5)
    ]  # fmt: skip
    frame = _table(tmp_path, rows)
    assert clones(frame, OPTIONS).clones.height == 0
    told = clones(frame, CloneOptions(table="x", diploid=True))
    assert told.clones["clone"].unique().to_list() == ["C1"]
    assert [p.got for p in told.problems] == ["two copies assumed in 5 rows"]


def test_a_variant_without_row_is_missing_or_not_there_as_told(tmp_path):
    frame, _ = _simulated(tmp_path, 4)
    gone = frame.filter(~((pl.col("sample") == "baseline") & (pl.col("alt_reads") == 0)))
    assert gone.height < frame.height
    zero = clones(gone, CloneOptions(table="x", absent="zero")).clones
    new = zero.filter(pl.col("state") == "newly risen")
    assert new.height == 1
    missing = clones(gone, OPTIONS).clones
    assert missing.filter(pl.col("sample") == "baseline")["upper"].max() >= zero["upper"].max()


@pytest.mark.parametrize(("change", "part"), [({"most": 0}, "most = 0"), ({"error": 0.5}, "error = 0.5")])
def test_options_that_cannot_be_followed(change, part):
    with pytest.raises(ConfigError, match=part):
        CloneOptions(table="x", **change)
