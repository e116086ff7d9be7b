"""A simulated cohort is a study like any other, and its truth is what it says."""

import numpy as np
import polars as pl
import pytest

from radiolocus.config import load_study
from radiolocus.errors import ConfigError
from radiolocus.pipeline import gather
from radiolocus.read.maf import read_maf
from radiolocus.read.plink import PlinkSource
from radiolocus.simulate.cohort import SimulationOptions, simulate_cohort


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    return folder, simulate_cohort(folder, SimulationOptions(subjects=44, variants=400, seed=4))


def test_every_source_joins_the_cohort(cohort):
    folder, _ = cohort
    gathered = gather(load_study(folder / "study.toml"))
    assert len(gathered.cohort.subjects) == len(gathered.works) == 44
    assert gathered.failed == {}
    elsewhere = gathered.membership.filter(pl.col("source") != "lesions")  # half of the cohort is followed up
    assert set(elsewhere["status"]) == {"joined"}
    assert elsewhere["source"].n_unique() == 5


def test_the_causal_variant_and_its_block_are_in_the_files(cohort):
    folder, truth = cohort
    variants = PlinkSource(folder / "genotypes" / "cohort").variants
    row = variants.filter(pl.col("variant_id") == truth.causal_variant).row(0, named=True)
    assert (row["chromosome"], row["base_pair_location"]) == (truth.causal_chromosome, truth.causal_position)
    assert truth.causal_variant in truth.linked_variants
    assert len(truth.linked_variants) == 20


def test_the_driver_is_mutated_as_often_as_planned(cohort):
    folder, truth = cohort
    maf = read_maf(folder / "molecular" / "mutations.maf").frame
    driver = maf.filter((pl.col("Hugo_Symbol") == truth.driver) & (pl.col("Variant_Classification") != "Silent"))
    assert 0.15 < driver["Tumor_Sample_Barcode"].n_unique() / 44 < 0.6
    assert truth.driver not in truth.null_markers


def test_same_seed_same_files_and_another_seed_others(cohort, tmp_path):
    folder, _ = cohort
    simulate_cohort(tmp_path / "again", SimulationOptions(subjects=44, variants=400, seed=4))
    simulate_cohort(tmp_path / "other", SimulationOptions(subjects=44, variants=400, seed=5))
    files = sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    assert len(files) > 90
    assert all((folder / f).read_bytes() == (tmp_path / "again" / f).read_bytes() for f in files)
    assert any((folder / f).read_bytes() != (tmp_path / "other" / f).read_bytes() for f in files)


def test_the_oracle_is_better_than_chance_and_below_one(cohort):
    assert 0.55 < cohort[1].oracle_c < 0.95
    assert np.isfinite(cohort[1].oracle_c)


def test_a_cohort_too_small_to_find_anything_is_refused():
    with pytest.raises(ConfigError, match="at least 40 subjects"):
        SimulationOptions(subjects=10)
