import json

import numpy as np
import polars as pl
import pytest

from planted import planted
from plink19 import needs_plink19, plink19
from radiolocus.associate.clump import ClumpOptions, Linkage, clump, clumps_of, merge_clumps, write_clumps
from radiolocus.associate.genomewide import gwas
from radiolocus.associate.gwas import GwasOptions
from radiolocus.associate.query import query
from radiolocus.errors import ConfigError, StoreError, TableError
from radiolocus.genome.qc import GenotypeOptions
from radiolocus.read.plink import PlinkSource, write_plink
from radiolocus.schema import TABLES


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return planted(tmp_path_factory.mktemp("clump"))


def by_plink(prefix, folder, rows, *, p1, p2, r2, kb):
    """Lead and members of each clump, as plink1.9 --clump finds them."""
    text = [
        "SNP P",
        *(f"{name} {10.0**-p!r}" for name, p in rows.select("variant_id", "neg_log_10_p_value").iter_rows()),
    ]
    (folder / "report.txt").write_text("\n".join(text) + "\n")
    limits = ["--clump-p1", f"{p1!r}", "--clump-p2", f"{p2!r}", "--clump-r2", f"{r2!r}", "--clump-kb", f"{kb!r}"]
    told = plink19(prefix, folder / "o", "--allow-no-sex", "--clump", folder / "report.txt", *limits)("clumped")
    members = told["SP2"].str.replace_all(r"\(\d+\)", "").str.split(",")
    return {lead: set() if m == ["NONE"] else set(m) for lead, m in zip(told["SNP"], members.to_list(), strict=True)}


RULES = [
    {"p1": 1e-4, "p2": 0.01, "r2": 0.5, "kb": 250},
    {"p1": 1e-3, "p2": 0.05, "r2": 0.1, "kb": 100},
    {"p1": 0.01, "p2": 0.2, "r2": 0.02, "kb": 1000},
]


@needs_plink19
@pytest.mark.parametrize("rule", RULES)
def test_the_same_clumps_as_plink(results, rule, tmp_path):
    root, source, _ = results
    options = ClumpOptions(rule["p1"], rule["p2"], rule["r2"], rule["kb"])
    found = clump(root, source, options)
    rows = query(root, phenotype=["y0", "y1", "y2", "y3"])
    joint = rows.group_by("variant_id").agg(pl.col("neg_log_10_p_value").max())
    sets = {name: rows.filter(pl.col("phenotype") == name) for name in ("y0", "y3")} | {None: joint}
    prefix = source.path.removesuffix(".bed")
    for name, part in sets.items():
        theirs = by_plink(prefix, tmp_path, part, **rule)
        same = pl.col("phenotype").is_null() if name is None else pl.col("phenotype") == name
        ours = found.clumps.filter(same)
        assert len(theirs) >= 3
        assert sum(len(members) for members in theirs.values()) > 4
        assert set(ours["variant_id"]) == set(theirs)
        place = dict(source.variants.select("variant_id", "base_pair_location").iter_rows())
        for row in ours.iter_rows(named=True):
            members = theirs[row["variant_id"]]
            inside = [place[v] for v in members | {row["variant_id"]}]
            assert (row["members"], row["start"], row["stop"]) == (len(members), min(inside), max(inside))


@needs_plink19
def test_hapmap_as_plink(data, tmp_path):
    source = PlinkSource(data("hapmap") / "plinkhapmap")
    dosage = np.nan_to_num(source.read(np.arange(60), 0, source.variants.height).dosage)
    rng = np.random.default_rng(2)
    values = dosage[100] + dosage[2000] + rng.normal(0, 1, 60)
    table = pl.DataFrame({"subject": list(source.sample_ids), "y": values})
    gwas(source, table, None, tmp_path / "out", options=GenotypeOptions(), keep=GwasOptions(p_value=1))
    rule = {"p1": 0.01, "p2": 0.05, "r2": 0.2, "kb": 3000}
    found = clump(tmp_path / "out", source, ClumpOptions(0.01, 0.05, 0.2, 3000))
    theirs = by_plink(data("hapmap") / "plinkhapmap", tmp_path, query(tmp_path / "out", phenotype=["y"]), **rule)
    ours = found.clumps.filter(pl.col("phenotype") == "y")
    assert {row["variant_id"]: row["members"] for row in ours.iter_rows(named=True)} == {
        lead: len(members) for lead, members in theirs.items()
    }
    assert len(theirs) > 20


def test_limits_are_those_of_plink(tmp_path):
    """p1 itself leads; p2 itself, the distance itself and r² itself do not join (v1.90b6.26 on the same file)."""
    a, b = [0, 0, 0, 0, 2, 2, 2, 2], [0, 0, 0, 2, 0, 2, 2, 2]
    table = pl.DataFrame({
        "chromosome": ["1"] * 4, "variant_id": ["v0", "v1", "v2", "v3"],
        "base_pair_location": [1000, 2000, 251_000, 250_999], "effect_allele": ["A"] * 4, "other_allele": ["C"] * 4,
    }).sort("base_pair_location")  # fmt: skip
    write_plink(tmp_path / "g", np.array([a, b, a, a], float), table, [f"s{i}" for i in range(8)])
    linkage = Linkage(PlinkSource(tmp_path / "g"), np.arange(8), np.arange(4), haplotype=True)
    place, position = np.arange(4), table["base_pair_location"].to_numpy()
    log_p = np.array([4.0, 2.5, 2.5, 2.0])

    def found(**changed):
        options = ClumpOptions(**{"p1": 1e-4, "p2": 0.01, "r2": 0.25, "kilobases": 250.0, **changed})
        return [(c.lead, c.members.tolist()) for c in clumps_of(linkage, place, position, log_p, options)]

    assert found() == [(0, [2])]
    assert found(r2=0.2499) == [(0, [1, 2])]
    assert found(kilobases=250.001) == [(0, [2])]
    assert found(kilobases=250.001, p2=0.0101) == [(0, [2, 3])]
    assert found(p1=0.99e-4) == []


def test_the_tables_hang_together(results):
    root, source, _ = results
    done = write_clumps(root, source, ClumpOptions(1e-4, 0.01, 0.1, 250, 50))
    clumps, loci = (pl.read_parquet(root / f"sumstats/{name}.parquet") for name in ("clumps", "loci"))
    assert clumps.equals(done.clumps)
    assert dict(clumps.schema) == TABLES["sumstats/clumps"].schema
    assert dict(loci.schema) == TABLES["sumstats/loci"].schema
    assert (root / "sumstats/loci.csv").is_file()
    assert loci["locus"].to_list() == list(range(1, loci.height + 1))
    for row in loci.iter_rows(named=True):
        own = clumps.filter(pl.col("locus") == row["locus"])
        assert own["chromosome"].unique().to_list() == [row["chromosome"]]
        assert (own["start"].min(), own["stop"].max()) == (row["start"], row["stop"])
        alone = own.filter(pl.col("phenotype").is_not_null())
        assert row["n_phenotypes"] == alone["phenotype"].n_unique()
        assert set(row["phenotypes"].split(";")) == set(alone["phenotype"])
        top = alone.sort("neg_log_10_p_value")[-1]
        assert row["lead_variant"] == top["variant_id"].item()
        assert row["top_phenotype"] == top["phenotype"].item() == row["phenotypes"].split(";")[0]
        assert row["independent"] == own["phenotype"].null_count() >= 1
    for (_,), part in loci.group_by("chromosome"):
        gap = part.sort("start").select(pl.col("start") - pl.col("stop").shift()).to_series().drop_nulls()
        assert (gap > 50_000).all()
    assert any(row["n_phenotypes"] > 1 for row in loci.iter_rows(named=True))
    told = json.loads((root / "sumstats/clump.json").read_text())
    assert told["options"]["p1"] == 1e-4
    assert "effective phenotypes" in told["told"][-1]
    assert "300 scanned subjects" in told["told"][0]


def test_clumps_merge_where_they_nearly_touch():
    clumps = pl.DataFrame({
        "phenotype": ["a", "b", None, "a"], "variant_id": ["v1", "v2", "v2", "v9"], "chromosome": ["2"] * 3 + ["10"],
        "base_pair_location": [100, 1300, 1300, 1300], "effect_allele": "A", "other_allele": "C", "beta": 1.0,
        "standard_error": 0.1, "neg_log_10_p_value": [9.0, 12.0, 12.0, 8.0], "members": 0,
        "start": [100, 1200, 1200, 1300], "stop": [200, 1400, 1400, 1300], "numbers": [[1], [2, 3], [2, 3], [9]],
    })  # fmt: skip
    _, one = merge_clumps(clumps, 1.0, 1e-8)
    assert one.select("chromosome", "start", "stop", "lead_variant", "n_phenotypes", "variants").rows() == [
        ("2", 100, 1400, "v2", 2, 3), ("10", 1300, 1300, "v9", 1, 1),
    ]  # fmt: skip
    assert one["effective"].to_list() == [True, True]
    assert one["independent"].to_list() == [1, 0]
    located, apart = merge_clumps(clumps, 0.999, 1e-10)
    assert apart["phenotypes"].to_list() == ["a", "b", "a"]
    assert apart["effective"].to_list() == [False, True, False]
    assert located["locus"].to_list() == [1, 2, 2, 3]


def test_rows_that_were_not_kept(tmp_path):
    root, source, _ = planted(tmp_path, variants=300, keep=GwasOptions(p_value=1e-3, all_rows=("y0",)))
    with pytest.raises(ConfigError) as caught:
        clump(root, source, ClumpOptions(0.01, 0.05))
    assert "'y1' were kept up to p = 0.001" in caught.value.got
    assert clump(root, source, ClumpOptions(0.01, 0.05), phenotypes=["y0"]).loci.height
    found = clump(root, source, ClumpOptions(1e-3, 0.05))
    assert any("rows of 3 phenotypes were kept up to p = 0.001" in line for line in found.told)


def test_nothing_found_and_nothing_there(results, tmp_path):
    root, source, _ = results
    found = clump(root, source, ClumpOptions(1e-300, 1e-200))
    assert found.clumps.height == found.loci.height == 0
    with pytest.raises(StoreError):
        clump(tmp_path, source)
    with pytest.raises(ConfigError, match="no phenotype 'y9'"):
        clump(root, source, phenotypes=["y9"])
    elsewhere = source.variants.with_columns(pl.col("base_pair_location") + 1)
    write_plink(tmp_path / "other", source.read(np.arange(9), 0, 900).dosage, elsewhere, [f"t{i}" for i in range(9)])
    with pytest.raises(TableError) as caught:
        clump(root, PlinkSource(tmp_path / "other"), ClumpOptions(1e-3, 1e-2))
    assert caught.value.got.startswith("none of ")
    assert "same build" in caught.value.allowed


@pytest.mark.parametrize(
    "wrong", [{"p1": 0.1, "p2": 0.01}, {"r2": 1.0}, {"kilobases": 0.0}, {"merge_kilobases": -1.0}, {"measure": "x"}]
)
def test_options_that_cannot_be_followed(wrong):
    with pytest.raises(ConfigError) as caught:
        ClumpOptions(**wrong)
    assert caught.value.where == "clump"


def test_on_x_genotypes_are_correlated_not_haplotypes(tmp_path):
    """Men have one copy, counted 0 or 2: Hardy–Weinberg proportions, which haplotype r² rests on, do not hold."""
    rng = np.random.default_rng(0)
    sex = rng.integers(1, 3, 200)
    base = rng.random((2, 200)) < 0.4
    copies = [np.where(rng.random((2, 200)) < 0.3, rng.random((2, 200)) < 0.4, base) for _ in range(12)]
    dosage = np.array([np.where(sex == 1, 2 * c[0], c.sum(axis=0)) for c in copies], dtype=float)
    variants = pl.DataFrame({
        "chromosome": ["X"] * 12, "variant_id": [f"v{i}" for i in range(12)],
        "base_pair_location": np.arange(12) * 1000 + 5_000_000, "effect_allele": ["A"] * 12, "other_allele": ["C"] * 12,
    })  # fmt: skip
    people = pl.DataFrame({"individual_id": [f"s{i}" for i in range(200)], "sex": sex.astype(str)})
    write_plink(tmp_path / "g", dosage, variants, people)
    source = PlinkSource(tmp_path / "g")
    table = pl.DataFrame({"subject": list(source.sample_ids), "y": dosage[3] + rng.normal(size=200)})
    gwas(source, table, None, tmp_path / "out", options=GenotypeOptions(), keep=GwasOptions(p_value=1))
    rows = query(tmp_path / "out", phenotype=["y"])
    r2 = np.square(np.corrcoef(dosage))
    limit = float(np.median(r2[3]))
    found = clump(tmp_path / "out", source, ClumpOptions(1e-3, 1.0, limit)).clumps.filter(pl.col("phenotype") == "y")
    top = int(rows.sort("neg_log_10_p_value")["variant_id"][-1].removeprefix("v"))
    assert found["variant_id"][0] == f"v{top}"
    assert found["members"][0] == int((r2[top] > limit).sum()) - 1
    assert 2 < found["members"][0] < 11
