import numpy as np
import polars as pl
import pytest

from plink2 import linked, needs_plink2, plink2
from radiolocus.errors import ConfigError, FitError
from radiolocus.genome import components
from radiolocus.genome.components import leading_components, project, randomised_components
from radiolocus.genome.control import QcOptions
from radiolocus.genome.qc import GenotypeOptions, assess
from radiolocus.genome.structure import principal_components, thin
from radiolocus.read.plink import PlinkSource


@pytest.fixture(scope="module")
def hapmap(data):
    source = PlinkSource(data("hapmap") / "plinkhapmap")
    rows = np.arange(60)
    return source, rows, thin(source, rows, assess(source, rows, GenotypeOptions()).variants)


def test_randomised_components_equal_the_exact_ones(tmp_path, monkeypatch):
    source = linked(tmp_path, samples=400, variants=2400, seed=7)
    rows = np.arange(400)[::-1].copy()
    chosen = thin(source, rows, assess(source, rows, GenotypeOptions()).variants)
    exact = principal_components(source, rows, chosen, 4)
    for seed in (0, 1):
        found, residual = randomised_components(source, rows, chosen, 4, seed=seed)
        assert residual.shape == (4,)
        assert residual.max() <= 1e-6
        # an eigenvalue is right to the square of the residual, a vector to the residual over the gap
        np.testing.assert_allclose(found.eigenvalues, exact.eigenvalues, rtol=1e-9)
        np.testing.assert_allclose(found.fraction, exact.fraction, rtol=1e-9)
        gap = np.abs(np.diff(principal_components(source, rows, chosen, 5).eigenvalues)).min() / exact.eigenvalues[0]
        assert np.abs(found.scores - exact.scores).max() <= 2 * residual.max() / gap
    # genotypes kept in memory or read at every pass: the same bits
    monkeypatch.setattr(components, "_ROOM", 0)
    again, _ = randomised_components(source, rows, chosen, 4, seed=1)
    assert (again.scores == found.scores).all()


def test_a_wider_tolerance_is_held_and_costs_fewer_passes(tmp_path, monkeypatch):
    source = linked(tmp_path, samples=400, variants=2400, seed=7)
    rows = np.arange(400)
    chosen = thin(source, rows, assess(source, rows, GenotypeOptions()).variants)
    exact = principal_components(source, rows, chosen, 5)
    gap = np.abs(np.diff(exact.eigenvalues)).min() / exact.eigenvalues[0]
    passes, times = [], components._Relationship.times
    monkeypatch.setattr(components._Relationship, "times", lambda *args: passes.append(1) or times(*args))
    cost = {}
    for tolerance in (1e-6, 1e-3):
        passes.clear()
        found, residual = randomised_components(source, rows, chosen, 4, tolerance=tolerance)
        cost[tolerance] = len(passes)
        assert residual.max() <= tolerance
        # sin of the angle, Davis and Kahan
        cosine = np.abs((found.scores * exact.scores[:, :4]).sum(axis=0))
        assert np.sqrt(np.maximum(1 - cosine**2, 0)).max() <= 1.01 * residual.max() / gap + 1e-7
    assert cost[1e-3] < cost[1e-6]
    with pytest.raises(ConfigError, match=r"component_tolerance = 0.1.*1e-10 to 0.01"):
        QcOptions(component_tolerance=0.1)


@needs_plink2
def test_hapmap_equals_plink2(hapmap, tmp_path):
    source, rows, chosen = hapmap
    found, _ = randomised_components(source, rows, chosen, 4)
    (tmp_path / "ids").write_text("\n".join(source.variants["variant_id"].gather(chosen)))
    arguments = ("--extract", tmp_path / "ids", "--pca", "4", "meanimpute")
    read = plink2(source.path.removesuffix(".bed"), tmp_path / "o", *arguments)
    theirs = read("eigenvec").select(pl.col("^PC.*$")).to_numpy()
    theirs *= np.sign((theirs * found.scores).sum(axis=0))
    np.testing.assert_allclose(found.scores, theirs, atol=2e-6)
    np.testing.assert_allclose(found.eigenvalues, np.loadtxt(tmp_path / "o.eigenval"), rtol=1e-5)


@needs_plink2
def test_projected_samples_are_where_plink2_scores_them(hapmap, tmp_path):
    source, _, _ = hapmap
    rows, others = np.arange(50), np.arange(50, 60)
    chosen = thin(source, rows, assess(source, rows, GenotypeOptions()).variants)
    # with missing genotypes the weights of plink2 no longer lead its own samples back to their components
    chosen = chosen[~np.isnan(source.read(np.arange(60), 0, 5000).dosage).any(axis=1)[chosen]]
    found = principal_components(source, rows, chosen, 3)
    placed = project(source, rows, found, others)
    (tmp_path / "ids").write_text("\n".join(source.variants["variant_id"].gather(chosen)))
    (tmp_path / "people").write_text("".join(f"0\t{s}\n" for s in source.sample_ids[:50]))
    prefix, ids = source.path.removesuffix(".bed"), ("--extract", tmp_path / "ids")
    arguments = ("--keep", tmp_path / "people", "--freq", "counts", "--pca", "3", "allele-wts", "meanimpute")
    plink2(prefix, tmp_path / "o", *ids, *arguments)
    score = (
        "--score",
        tmp_path / "o.eigenvec.allele",
        "2",
        "5",
        "header-read",
        "variance-standardize",
        "cols=scoresums",
    )
    read = plink2(prefix, tmp_path / "s", *ids, "--read-freq", tmp_path / "o.acount", *score, "--score-col-nums", "6-8")
    theirs = read("sscore").select(pl.col("^PC.*_SUM$")).to_numpy()
    # their scores are scaled otherwise: by one factor a component, which the 50 themselves tell
    factor = (theirs[:50] * found.scores).sum(axis=0) / (theirs[:50] ** 2).sum(axis=0)
    np.testing.assert_allclose(placed, theirs[50:] * factor, atol=3e-6)


def test_a_sample_is_projected_to_where_it_was(hapmap):
    source, rows, chosen = hapmap
    found = principal_components(source, rows, chosen, 3)
    np.testing.assert_allclose(project(source, rows, found, rows[5:9]), found.scores[5:9], atol=1e-12)


def test_many_samples_take_the_randomised_method(hapmap, monkeypatch):
    source, rows, chosen = hapmap
    exact = leading_components(source, rows, chosen, 3)
    assert (exact.scores == principal_components(source, rows, chosen, 3).scores).all()
    monkeypatch.setattr("radiolocus.genome.components.EXACT_UP_TO", 59)
    found = leading_components(source, rows, chosen, 3)
    np.testing.assert_allclose(found.scores, exact.scores, atol=1e-6)
    assert (found.scores != exact.scores).any()
    with pytest.raises(FitError, match="3 principal components of 60 subjects from 49 independent common variants"):
        leading_components(source, rows, chosen[:49], 3)


def test_too_many_components_or_passes(hapmap, monkeypatch):
    source, rows, chosen = hapmap
    with pytest.raises(FitError, match="60 principal components of 60 samples"):
        randomised_components(source, rows, chosen, 60)
    monkeypatch.setattr("radiolocus.genome.components._MOST_PASSES", 1)
    with pytest.raises(FitError) as caught:
        randomised_components(source, rows, chosen, 3)
    assert "right to" in caught.value.got
    assert "raise the tolerance" in caught.value.todo
