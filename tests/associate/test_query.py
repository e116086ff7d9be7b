import numpy as np
import polars as pl
import pytest

from radiolocus.associate.genomewide import gwas
from radiolocus.associate.gwas import GwasOptions
from radiolocus.associate.query import Region, parse_region, query, variants_of
from radiolocus.associate.scan import scan
from radiolocus.errors import ConfigError, StoreError
from radiolocus.genome.qc import GenotypeOptions
from radiolocus.read.plink import PlinkSource, write_plink


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("query")
    rng = np.random.default_rng(8)
    n, m = 80, 400
    dosage = rng.binomial(2, 0.3, (m, n)).astype(np.float32)
    variants = pl.DataFrame(
        {
            "chromosome": ["1"] * 200 + ["19"] * 199 + ["X"],
            "variant_id": [f"rs{i}" for i in range(m - 2)] + ["rs5", "rsX"],
            "base_pair_location": [1000 * (1 + i % 200) for i in range(m)],
            "effect_allele": ["A"] * m,
            "other_allele": ["G"] * m,
        }
    )
    names = [f"s{i}" for i in range(n)]
    write_plink(folder / "g", dosage, variants, names)
    phenotypes = pl.DataFrame({"subject": names} | {f"y{i}": rng.normal(size=n) for i in range(5)})
    source, options = PlinkSource(folder / "g"), GenotypeOptions(min_maf=0)
    gwas(source, phenotypes, None, folder / "out", options=options, keep=GwasOptions(p_value=1))
    return folder / "out", scan(source, phenotypes, None, options).sumstats


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("19:44.9e6-45.1e6", Region("19", 44_900_000, 45_100_000)),
        ("chr19:44,900,000-45,100,000", Region("19", 44_900_000, 45_100_000)),
        ("7:12", Region("7", 12, 12)),
        ("x", Region("X", 0, 2**62)),
        ("23:5-6", Region("X", 5, 6)),
    ],
)
def test_regions_are_read(text, region):
    assert parse_region(text) == region


@pytest.mark.parametrize("text", ["", "1:2:3", "1:5-", "1:1.5-3", "1:9-3", "1 2"])
def test_what_is_no_region(text):
    with pytest.raises(ConfigError, match="region"):
        parse_region(text)


def test_a_region_a_variant_a_phenotype_and_all_at_once(results):
    root, rows = results
    place = pl.col("base_pair_location")
    near = rows.filter((pl.col("chromosome") == "19") & place.is_between(50_000, 60_000))
    assert near.height == 55
    assert query(root, region="19:50e3-60e3").equals(near)
    named = rows.filter(pl.col("variant_id") == "rs5")
    assert named["chromosome"].unique().sort().to_list() == ["1", "19"]
    assert query(root, rsid=["rs5"]).sort("chromosome", maintain_order=True).equals(named)
    assert query(root, rsid=["rs5"], region="19").equals(named.filter(pl.col("chromosome") == "19"))
    assert query(root, phenotype=["y3"]).equals(rows.filter(pl.col("phenotype") == "y3"))
    both = query(root, region="19:50e3-60e3", phenotype=["y3", "y1"], p_value=0.5)
    strong = pl.col("neg_log_10_p_value") >= -np.log10(0.5)
    assert both.equals(near.filter(pl.col("phenotype").is_in(["y1", "y3"]) & strong))
    assert query(root, region="7").height == 0
    assert query(root, p_value=0.01).equals(rows.filter(pl.col("neg_log_10_p_value") >= 2))
    assert query(root, region="7").columns == rows.columns


def test_what_is_told_of_a_variant(results):
    root, rows = results
    found = variants_of(root, ["rs7", "rsX"])
    assert found["variant_id"].to_list() == ["rs7", "rsX"]
    assert found["kept"].to_list() == [True, False]
    best = rows.filter(pl.col("variant_id") == "rs7").sort("neg_log_10_p_value")[-1]
    assert found["top_phenotype"][0] == best["phenotype"][0]


def test_questions_that_have_no_answer(results, tmp_path):
    root, _ = results
    with pytest.raises(ConfigError, match="no condition"):
        query(root)
    with pytest.raises(ConfigError, match="no condition"):
        query(root, p_value=1)
    with pytest.raises(ConfigError, match="no variant 'rs999999'"):
        query(root, rsid=["rs1", "rs999999"])
    with pytest.raises(ConfigError, match="no phenotype 'y33'"):
        query(root, phenotype=["y33"])
    with pytest.raises(StoreError, match="no finished scan"):
        query(tmp_path, region="1")
