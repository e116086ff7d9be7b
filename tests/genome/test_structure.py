import shutil
import subprocess

import numpy as np
import polars as pl
import pytest

from naive.genome_files import written
from radiolocus.errors import FitError
from radiolocus.genome.qc import GenotypeOptions, assess
from radiolocus.genome.structure import principal_components, thin
from radiolocus.read.plink import PlinkSource

plink2 = pytest.mark.skipif(shutil.which("plink2") is None, reason="plink2 is not installed (Debian package plink2)")


@plink2
@pytest.mark.parametrize("rows", [np.arange(60), np.arange(59, 4, -1)], ids=["all", "some, reversed"])
def test_hapmap_equals_plink2(data, tmp_path, rows):
    prefix = data("hapmap") / "plinkhapmap"
    source = PlinkSource(prefix)
    quality = assess(source, rows, GenotypeOptions())
    chosen = thin(source, rows, quality.variants)
    found = principal_components(source, rows, chosen, 4)
    (tmp_path / "ids").write_text("\n".join(source.variants["variant_id"].gather(chosen)))
    (tmp_path / "people").write_text("".join(f"0\t{source.sample_ids[i]}\n" for i in rows))
    command = ["plink2", "--bfile", prefix, "--extract", tmp_path / "ids", "--keep", tmp_path / "people"]
    command += ["--pca", "4", "meanimpute", "--threads", "1", "--out", tmp_path / "o"]
    subprocess.run(command, check=True, capture_output=True)
    table = pl.read_csv(tmp_path / "o.eigenvec", separator="\t")
    order = {name: i for i, name in enumerate(table["IID"])}
    theirs = table.select(pl.col("^PC.*$")).to_numpy()[[order[source.sample_ids[i]] for i in rows]]
    # plink2 prints six digits
    np.testing.assert_allclose(found.eigenvalues, np.loadtxt(tmp_path / "o.eigenval"), rtol=1e-5)
    theirs *= np.sign((theirs * found.scores).sum(axis=0))
    np.testing.assert_allclose(found.scores, theirs, atol=2e-6)


def test_two_components_of_hapmap_tell_its_three_continents_apart(data):
    # Coriell catalogue of HapMap: CEU are NA06985-NA12892; CHB NA18524-NA18637 and JPT NA18940-NA19012; the other
    # NA18500-NA19240 are YRI
    source = PlinkSource(data("hapmap") / "plinkhapmap")
    rows = np.arange(60)
    found = principal_components(source, rows, thin(source, rows, assess(source, rows, GenotypeOptions()).variants), 2)
    number = np.array([int(name[2:]) for name in source.sample_ids])
    asian = ((number >= 18524) & (number <= 18637)) | ((number >= 18940) & (number <= 19012))
    place = np.where(number < 13000, 0, np.where(asian, 1, 2))
    assert np.bincount(place).tolist() == [20, 19, 21]
    centres = np.array([found.scores[place == k].mean(axis=0) for k in range(3)])
    nearest = ((found.scores[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == place).all()
    apart = ((centres[:, None] - centres) ** 2).sum(axis=2)[np.triu_indices(3, 1)].min()
    within = max(((found.scores[place == k] - centres[k]) ** 2).sum(axis=1).max() for k in range(3))
    assert within < apart / 4


def test_scores_are_orthonormal_and_their_sign_is_fixed(data):
    source = PlinkSource(data("hapmap") / "plinkhapmap")
    rows = np.arange(60)
    chosen = thin(source, rows, assess(source, rows, GenotypeOptions()).variants)
    found = principal_components(source, rows, chosen, 5)
    np.testing.assert_allclose(found.scores.T @ found.scores, np.eye(5), atol=1e-12)
    assert (found.scores[np.abs(found.scores).argmax(axis=0), range(5)] > 0).all()
    assert (np.diff(found.eigenvalues) < 0).all()
    again = principal_components(source, rows, chosen, 3)
    np.testing.assert_allclose(again.scores, found.scores[:, :3], atol=1e-10)
    np.testing.assert_allclose(again.fraction, found.fraction[:3])


def test_thinning_equals_the_obvious_loop(tmp_path):
    rng = np.random.default_rng(8)
    blocks = [np.repeat(rng.binomial(2, 0.4, (1, 80)), 6, axis=0) for _ in range(30)]
    dosage = np.concatenate(blocks).astype(float)
    noise = rng.random(dosage.shape) < 0.25
    dosage[noise] = rng.binomial(2, 0.4, noise.sum())
    dosage[rng.random(dosage.shape) < 0.01] = np.nan
    chromosomes = ["1"] * 90 + ["2"] * 80 + ["X"] * 10
    positions = [1000 * (i % 90) for i in range(180)]
    source = written(tmp_path, dosage, chromosomes, positions)
    rows = np.arange(80)
    variants = assess(source, rows, GenotypeOptions()).variants
    taken: list[int] = []
    filled = np.where(np.isnan(dosage), np.nanmean(dosage, axis=1, keepdims=True), dosage)
    for i in range(180):
        rate, frequency = variants["call_rate"][i], variants["effect_allele_frequency"][i]
        if chromosomes[i] == "X" or rate < 0.95 or min(frequency, 1 - frequency) < 0.05:
            continue
        near = [j for j in taken if chromosomes[j] == chromosomes[i] and positions[i] - positions[j] <= 20_000]
        if all(np.corrcoef(filled[i], filled[j])[0, 1] ** 2 <= 0.2 for j in near):
            taken.append(i)
    assert thin(source, rows, variants, window=20_000).tolist() == taken
    assert 20 < len(taken) < 120


def test_variants_at_which_everybody_is_heterozygous_are_not_taken(tmp_path):
    dosage = np.ones((3, 10))
    dosage[1, :5] = 0
    source = written(tmp_path, dosage)
    rows = np.arange(10)
    assert thin(source, rows, assess(source, rows, GenotypeOptions()).variants).tolist() == [1]


def test_too_few_variants_or_subjects(data):
    source = PlinkSource(data("hapmap") / "plinkhapmap")
    chosen = thin(source, np.arange(60), assess(source, np.arange(60), GenotypeOptions()).variants)
    with pytest.raises(FitError, match="2 principal components of 60 subjects from 49 independent common variants"):
        principal_components(source, np.arange(60), chosen[:49], 2)
    with pytest.raises(FitError) as caught:
        principal_components(source, np.arange(60), chosen, 60)
    assert "lower" in caught.value.todo
