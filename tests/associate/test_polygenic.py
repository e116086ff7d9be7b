import numpy as np
import polars as pl
import pytest

from planted import planted
from plink19 import needs_plink19, plink19
from radiolocus.associate.genomewide import gwas
from radiolocus.associate.gwas import GwasOptions
from radiolocus.associate.polygenic import PolygenicOptions, clump_and_threshold, ld_blocks, shrink
from radiolocus.associate.query import query
from radiolocus.errors import ConfigError, FitError
from radiolocus.genome.ld import ld_matrix
from radiolocus.genome.qc import GenotypeOptions
from radiolocus.genome.score import score
from radiolocus.read.pgs import read_score_file, write_score_file
from radiolocus.read.plink import PlinkSource, write_plink
from radiolocus.simulate.genotypes import simulate_genotypes

QUICK = PolygenicOptions(iterations=120, burn_in=60, thin=3, block_variants=60)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return planted(tmp_path_factory.mktemp("polygenic"), phenotypes=2)


@needs_plink19
def test_leads_are_those_of_plink_and_weights_those_of_the_scan(results, tmp_path):
    root, source, _ = results
    found = clump_and_threshold(root, source, "y0", PolygenicOptions(thresholds=(1e-3, 0.05, 1.0)))
    rows = query(root, phenotype=["y0"]).filter(pl.col("effect_allele_frequency").is_between(0.01, 0.99))
    text = [
        "SNP P",
        *(f"{name} {10.0**-p!r}" for name, p in rows.select("variant_id", "neg_log_10_p_value").iter_rows()),
    ]
    (tmp_path / "report.txt").write_text("\n".join(text) + "\n")
    limits = ["--clump-p1", "1", "--clump-p2", "1", "--clump-r2", "0.1", "--clump-kb", "250"]
    told = plink19(
        source.path.removesuffix(".bed"), tmp_path / "o", "--allow-no-sex", "--clump", tmp_path / "report.txt", *limits
    )("clumped")
    p = dict(rows.select("variant_id", "neg_log_10_p_value").iter_rows())
    for name, limit in (("p<=0.001", 1e-3), ("p<=0.05", 0.05), ("p<=1", 1.0)):
        ours = found.of(name)
        assert set(ours["variant_id"]) == {v for v in told["SNP"] if 10.0 ** -p[v] <= limit}
        joined = ours.join(rows.select("variant_id", "beta"), on="variant_id")
        assert joined["effect_weight"].to_list() == joined["beta"].to_list()
    assert found.names == ("p<=0.001", "p<=0.05", "p<=1")
    assert "scanned subjects" in found.told[0]


def architecture(folder, *, causal, seed, people=900, variants=600, heritability=0.5):
    """A scan of two thirds of the people; the others are new to it."""
    rng = np.random.default_rng(seed)
    made = simulate_genotypes(rng, people, variants, chromosomes=3, fst=1e-4, missing=0.0, block=10, correlation=0.9)
    names = [f"s{i}" for i in range(people)]
    write_plink(folder / "g", made.dosage, made.variants.drop("block"), names)
    effects = np.zeros(variants)
    chosen = rng.choice(variants, causal, replace=False)
    effects[chosen] = rng.normal(size=causal) / made.dosage[chosen].std(axis=1)
    value = (made.dosage - made.dosage.mean(axis=1, keepdims=True)).T @ effects
    value *= np.sqrt(heritability) / value.std()
    y = 7.0 * (value + rng.normal(size=people) * np.sqrt(1 - heritability))
    table = pl.DataFrame({"subject": names, "y": y})
    base = table.head(2 * people // 3)
    source = PlinkSource(folder / "g")
    gwas(source, base, None, folder / "out", options=GenotypeOptions(), keep=GwasOptions(p_value=1))
    return folder / "out", source, y, np.arange(2 * people // 3, people)


def explained(source, weights, y, rows):
    found = score(source, rows, weights.table["number"].to_numpy(), weights.values, weights.table["sign"].to_numpy())
    return np.array([np.corrcoef(column, y[rows])[0, 1] ** 2 for column in found.total.T]), found


def test_shrinkage_is_better_than_thresholds_where_everything_has_an_effect(tmp_path):
    gains = []
    for seed in range(4):
        folder = tmp_path / str(seed)
        folder.mkdir()
        root, source, y, new = architecture(folder, causal=600, seed=seed)
        options = PolygenicOptions(iterations=200, burn_in=100, thin=2, block_variants=40)
        bayes, found = explained(source, shrink(root, source, "y", options), y, new)
        # the best threshold of new people themselves: more than it would be in practice
        best = explained(source, clump_and_threshold(root, source, "y"), y, new)[0].max()
        gains.append(bayes[0] - best)
        # weights are in units of the phenotype: the score's slope is about 1, and above (they are shrunk)
        slope = np.polyfit(found.total[:, 0], y[new], 1)[0]
        assert 0.5 < slope < 2.0
    assert np.mean(gains) > 0


def test_few_effects_are_found_by_both(tmp_path):
    root, source, y, new = architecture(tmp_path, causal=6, seed=3)
    bayes = explained(source, shrink(root, source, "y", QUICK), y, new)[0][0]
    thresholds = explained(source, clump_and_threshold(root, source, "y"), y, new)[0]
    assert bayes > 0.35
    assert thresholds.max() > 0.3
    assert bayes > thresholds.max() - 0.05


def test_the_same_seed_and_a_run_that_was_killed(results, tmp_path):
    root, source, _ = results
    one = shrink(root, source, "y0", QUICK)
    done = []

    def killed():
        done.append(1)
        if len(done) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shrink(root, source, "y0", QUICK, units=tmp_path / "units", step=killed)
    assert len(list((tmp_path / "units").iterdir())) == 2
    again = shrink(root, source, "y0", QUICK, units=tmp_path / "units")
    np.testing.assert_array_equal(one.values, again.values)
    assert not (tmp_path / "units").exists()
    other = shrink(root, source, "y0", PolygenicOptions(iterations=120, burn_in=60, thin=3, block_variants=60, seed=2))
    assert (other.values != one.values).any()
    assert np.corrcoef(other.values[:, 0], one.values[:, 0])[0, 1] > 0.9


def test_alleles_counted_the_other_way_give_the_same_score(results, tmp_path):
    root, source, _ = results
    variants = source.variants.rename({"effect_allele": "other_allele", "other_allele": "effect_allele"})
    write_plink(tmp_path / "t", 2 - source.read(np.arange(300), 0, 900).dosage, variants, list(source.sample_ids))
    turned = PlinkSource(tmp_path / "t")
    for make in (clump_and_threshold, shrink):
        one, two = make(root, source, "y0", QUICK), make(root, turned, "y0", QUICK)
        np.testing.assert_allclose(one.values, two.values, atol=1e-9)
        assert one.table["effect_allele"].equals(two.table["effect_allele"])


def test_weights_go_through_a_scoring_file(results, tmp_path):
    root, source, _ = results
    weights = shrink(root, source, "y0", QUICK)
    file = write_score_file(weights.of("PRS-CS"), tmp_path / "y0.txt.gz", {"pgs_name": "y0", "genome_build": "GRCh38"})
    again = read_score_file(file).table
    joined = weights.of("PRS-CS")
    assert again["effect_weight"].to_list() == joined["effect_weight"].to_list()
    assert again["variant_id"].to_list() == joined["variant_id"].to_list()


def test_blocks_are_cut_where_little_is_correlated(tmp_path):
    rng = np.random.default_rng(2)
    made = simulate_genotypes(rng, 400, 200, chromosomes=1, fst=1e-4, missing=0.0, block=20, correlation=0.95)
    write_plink(tmp_path / "g", made.dosage, made.variants.drop("block"), [f"s{i}" for i in range(400)])
    source = PlinkSource(tmp_path / "g")
    chosen = np.arange(200)
    blocks = ld_blocks(source, np.arange(400), chosen, 40)
    np.testing.assert_array_equal(np.concatenate(blocks), chosen)
    assert all(20 <= block.size <= 60 for block in blocks)
    assert [int(block[0]) % 20 for block in blocks] == [0] * len(blocks)
    r2 = np.square(ld_matrix(source, np.arange(400), chosen))
    assert all(r2[: b[0], b[0] :].mean() < 0.01 for b in blocks[1:])
    few = ld_blocks(source, np.arange(400), chosen[:30], 40)
    assert [block.size for block in few] == [30]


def test_what_gives_no_weights(results, tmp_path):
    root, source, _ = results
    with pytest.raises(FitError, match="no common autosomal variant"):
        clump_and_threshold(root, source, "y0", PolygenicOptions(min_maf=0.4999))
    cut, _, _ = planted(tmp_path, variants=300, keep=GwasOptions(p_value=1e-3))
    with pytest.raises(ConfigError) as caught:
        shrink(cut, source, "y0")
    assert "--all-rows" in caught.value.todo
    for wrong in ({"thresholds": ()}, {"thresholds": (2.0,)}, {"block_variants": 1}, {"phi": -1.0}, {"r2": 1.0}):
        with pytest.raises(ConfigError):
            PolygenicOptions(**wrong)
