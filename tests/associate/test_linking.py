"""What [link] asks for beyond pairs: sets of genes, combinations, batches, another cohort."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from radiolocus.associate.link_batch import harmonise_features
from radiolocus.associate.link_options import LinkOptions
from radiolocus.associate.link_sets import enrichment_table, gene_z, set_table, sides_of, usable_sets
from radiolocus.associate.linking import LINK_TABLES, link_all
from radiolocus.associate.replication import replicate
from radiolocus.errors import ConfigError, FitError, TableError
from radiolocus.schema import TABLES, empty

GENES = [f"G{i:03d}" for i in range(60)]
SETS = {"first": GENES[:12], "second": GENES[12:24], "third": GENES[24:36], "tiny": GENES[:2], "absent": ["X", "Y"]}


def cohort(seed=1, n=70, effect=1.0):
    rng = np.random.default_rng(seed)
    ids = [f"S{i:03d}" for i in range(n)]
    z, age = rng.normal(size=n), rng.normal(60, 9, n)
    genes = rng.normal(size=(n, 60))
    genes[:, :12] += effect * z[:, None]
    genes[:, 24:36] += rng.normal(size=(n, 1))
    f = {f"PET:stat_{i}": effect * z + rng.normal(size=n) + 0.02 * age for i in range(5)}
    f |= {f"PET:cm_{i}": rng.normal(size=n) for i in range(4)}
    features = pl.DataFrame({"subject": ids} | f)
    markers = pl.DataFrame({"subject": ids} | {f"expr:{g}": genes[:, i] for i, g in enumerate(GENES)})
    kinds = pl.DataFrame({"marker": markers.columns[1:], "kind": "continuous"})
    clinical = pl.DataFrame({"subject": ids, "age": age, "site": [["a", "b", "c"][i % 3] for i in range(n)]})
    return features, markers, kinds, clinical


OPTIONS = LinkOptions(covariates=("age",), permutations=99, canonical=True)


@pytest.fixture(scope="module")
def found():
    return link_all(*cohort(), OPTIONS, gene_sets=SETS)


def test_every_table_conforms_and_what_was_not_asked_for_is_empty(found):
    assert set(found.tables) == set(LINK_TABLES)
    for name, table in found.tables.items():
        assert dict(table.schema) == TABLES[name].schema
    assert {n for n, t in found.tables.items() if t.height == 0} == {"link/batch", "link/replication"}


def test_a_planted_set_is_found_by_all_three_tests(found):
    sets = found.tables["link/sets"]
    top = sets.row(0, named=True)
    assert (top["feature_family"], top["gene_set"]) == ("PET:stat", "first")
    assert top["competitive_q_value"] < 0.01
    assert top["self_contained_p_value"] <= 0.01
    assert (sets.filter(pl.col("feature_family") == "PET:cm")["competitive_q_value"] > 0.05).all()
    first = found.tables["link/enrichment"].head(5)
    assert set(first["gene_set"]) == {"first"}
    assert set(first["feature"]) == {f"PET:stat_{i}" for i in range(5)}
    sums = found.tables["link/running_sum"]
    assert sums.height == 3 * 60
    for (_, _), part in sums.group_by("feature", "gene_set"):
        assert part["member"].sum() == 12
    told = [p.got for p in found.problems]
    assert any("2 of 5 gene sets left out" in t for t in told)


def test_combinations_find_the_planted_columns(found):
    tests = found.tables["link/canonical_tests"]
    assert (tests["p_value"] == 0.01).all()
    weights = found.tables["link/canonical"].filter(pl.col("method").str.starts_with("partial"))
    best = weights.filter(pl.col("side") == "gene").head(8)["name"].to_list()
    assert set(best) <= set(GENES[:12])


def test_the_mean_squared_correlation_and_its_permutations_from_their_definition():
    """Self-contained statistic by correlating residuals pair by pair."""
    features, markers, _, clinical = cohort(3, n=40)
    F, G, Z = (
        features.to_numpy()[:, 1:].astype(float),
        markers.to_numpy()[:, 1:].astype(float),
        clinical["age"].to_numpy(),
    )
    options = LinkOptions(continuous_test="linear", permutations=30)
    sides, _ = sides_of((features.columns[1:], F), (GENES, G), ["a"] * 5 + ["b"] * 4, Z[:, None], None, options)
    sets, _ = usable_sets(SETS, sides.genes, options)
    table = set_table(sides, sets, options)
    design = np.column_stack([np.ones(40), Z])
    left = F - design @ np.linalg.lstsq(design, F, rcond=None)[0]
    right = G - design @ np.linalg.lstsq(design, G, rcond=None)[0]
    r = np.corrcoef(left.T, right.T)[:9, 9:]
    row = table.filter((pl.col("feature_family") == "b") & (pl.col("gene_set") == "second")).row(0, named=True)
    assert row["mean_r_squared"] == pytest.approx((r[5:, 12:24] ** 2).mean(), rel=1e-9)
    z = gene_z(sides)
    t = r[0, 0] * np.sqrt(37 / (1 - r[0, 0] ** 2))
    assert stats.norm.cdf(z[0, 0]) == pytest.approx(stats.t.cdf(t, 37), rel=1e-8)


def test_set_tests_reject_as_often_as_stated_although_genes_go_together():
    rng = np.random.default_rng(5)
    options = LinkOptions(continuous_test="linear", permutations=39)
    p = {"self_contained_p_value": [], "competitive_p_value": [], "camera_p_value": [], "p_value": []}
    names = [f"g{i}" for i in range(100)]
    sets = {f"s{k}": names[k * 20 : k * 20 + 20] for k in range(4)}
    for _ in range(60):
        Z = rng.normal(size=(50, 1))
        F = rng.normal(size=(50, 6)) + rng.normal(size=(50, 1)) + Z
        G = rng.normal(size=(50, 100)) + 0.3 * Z
        for k in range(3):
            G[:, k * 20 : k * 20 + 20] += 0.8 * rng.normal(size=(50, 1))
        sides, _ = sides_of(([f"f{i}" for i in range(6)], F), (names, G), ["a"] * 6, Z, None, options)
        usable, _ = usable_sets(sets, sides.genes, options)
        for table in (set_table(sides, usable, options), enrichment_table(sides, usable, options)):
            for name in set(p) & set(table.columns):
                p[name] += table[name].to_list()
    share = {name: np.mean(np.array(values) <= 0.05) for name, values in p.items()}
    assert share["self_contained_p_value"] == pytest.approx(0.05, abs=0.035)
    assert share["competitive_p_value"] == pytest.approx(0.05, abs=0.035)
    assert share["camera_p_value"] == pytest.approx(0.05, abs=0.03)
    assert share["p_value"] > 0.2  # exchanging genes is misled, as the documentation says


def test_genes_and_subjects_that_lack_values_are_told():
    features, markers, kinds, clinical = cohort(2)
    markers = markers.with_columns(
        pl.when(pl.col("subject") == "S003").then(None).otherwise(pl.col("expr:G001")).alias("expr:G001")
    )
    links = link_all(features, markers, kinds, clinical, LinkOptions(), gene_sets=SETS)
    assert any(p.got.startswith("1 genes lack a value") for p in links.problems)
    other = link_all(features, markers, kinds, clinical, LinkOptions(gene_prefix="rna:"), gene_sets=SETS)
    assert any("no continuous marker begins with 'rna:'" in p.got for p in other.problems)
    few = link_all(features, markers, kinds, clinical, LinkOptions(min_n=71), gene_sets=SETS)
    assert any("too few for sets of genes" in p.got for p in few.problems)


def test_batches_are_brought_together_and_told():
    features, markers, kinds, clinical = cohort(6)
    shifted = features.with_columns(
        (pl.col("PET:cm_0") + 3.0 * (clinical["site"] == "b").cast(pl.Float64)).alias("PET:cm_0")
    )
    found = link_all(shifted, markers, kinds, clinical, LinkOptions(covariates=("age",), batch="site"))
    row = found.tables["link/batch"].row(0, named=True)
    assert row["feature"] == "PET:cm_0"
    assert row["r_squared_before"] > 0.5
    assert row["r_squared_after"] < 0.05
    assert row["neg_log_10_p_before"] > 10
    assert (row["n"], row["batches"]) == (70, 3)
    with pytest.raises(ConfigError) as error:
        link_all(features, markers, kinds, clinical, LinkOptions(batch="sites"))
    assert "did you mean 'site'?" in error.value.todo


def test_the_difference_between_batches_is_that_of_the_analysis_of_variance():
    rng = np.random.default_rng(7)
    y = rng.normal(size=45) + np.repeat([0, 0.5, 1], 15)
    batch = np.repeat(["a", "b", "c"], 15).tolist()
    _, report, problems = harmonise_features(["y"], y[:, None], batch, np.empty((45, 0)))
    f = stats.f_oneway(y[:15], y[15:30], y[30:])
    row = report.row(0, named=True)
    assert 10 ** -row["neg_log_10_p_before"] == pytest.approx(f.pvalue, rel=1e-9)
    spread = [y[i : i + 15].std() for i in (0, 15, 30)]
    assert row["scale_before"] == pytest.approx(max(spread) / min(spread))
    assert not problems
    lonely, _, problems = harmonise_features(
        ["y", "x"], np.column_stack([y, y**2]), ["q", *batch[1:]], np.empty((45, 0))
    )
    assert np.isnan(lonely[0]).all()
    assert problems[0].count == 1
    with pytest.raises(FitError):
        harmonise_features(["y"], y[:, None], ["a"] * 45, np.empty((45, 0)))


def row(feature, marker, test, estimate, error, correlation, log_p, n, q=0.01):
    blank = dict.fromkeys(TABLES["link/link"].schema)
    return blank | {"feature": feature, "marker": marker, "test": test, "estimate": estimate, "standard_error": error,
                    "correlation": correlation, "neg_log_10_p_value": log_p, "n": n, "q_value": q}  # fmt: skip


def table(*rows):
    return pl.DataFrame(list(rows), schema=TABLES["link/link"].schema)


def test_two_cohorts_side_by_side_and_combined():
    here = table(
        row("a", "x", "linear", 0.5, 0.1, 0.4, 5.0, 100),
        row("b", "x", "Spearman", 0.3, 0.09, 0.3, 3.0, 103),
        row("c", "x", "logistic, Firth", 1.0, 0.4, 0.2, 2.0, 90),
        row("d", "x", "linear", 0.5, 0.1, 0.4, 5.0, 100),
        row("e", "x", "linear", 0.5, 0.1, 0.4, 1.0, 100, q=0.3),
    )
    there = table(
        row("a", "x", "linear", 0.3, 0.2, 0.2, 0.9, 50),
        row("b", "x", "Spearman", 0.5, 0.1, 0.5, 4.0, 53),
        row("c", "x", "logistic", -0.5, 0.5, -0.1, 0.5, 60),
        row("d", "x", "rank-sum", 0.5, None, 0.4, 5.0, 100),
    )
    found, problems = replicate(here, there)
    by = {r["feature"]: r for r in found.to_dicts()}
    assert list(by) == ["a", "b", "c", "d"]
    w = np.array([1 / 0.01, 1 / 0.04])
    assert by["a"]["combined"] == pytest.approx((w @ [0.5, 0.3]) / w.sum())
    assert by["a"]["combined_upper"] == pytest.approx(by["a"]["combined"] + 1.959964 / np.sqrt(w.sum()), rel=1e-6)
    assert by["a"]["heterogeneity_p_value"] == pytest.approx(stats.chi2.sf(0.04 / 0.05, 1))
    assert by["a"]["same_direction"]
    assert not by["a"]["replicated"]
    z = np.arctanh([0.3, 0.5])
    w = 1 / np.array([(1 + 0.045) / 100, (1 + 0.125) / 50])
    assert by["b"]["scale"] == "correlation"
    assert by["b"]["combined"] == pytest.approx(np.tanh(w @ z / w.sum()))
    assert 10 ** -by["b"]["combined_neg_log_10_p_value"] == pytest.approx(2 * stats.norm.sf(w @ z / np.sqrt(w.sum())))
    assert by["b"]["replicated"]
    assert by["c"]["other_effect"] == -0.5
    assert not by["c"]["same_direction"]
    assert by["d"]["other_effect"] is None
    assert by["d"]["replicated"] is None
    assert problems[0].count == 1
    nothing, said = replicate(here.filter(pl.col("feature") == "e"), there)
    assert nothing.height == 0
    assert "no pair" in said[0].got
    assert replicate(here, empty("link/link"))[0]["replicated"].null_count() == 4
    with pytest.raises(TableError):
        replicate(here, pl.DataFrame({"feature": ["a"]}))


def test_planted_links_replicate_in_a_second_cohort():
    other = link_all(*cohort(11), LinkOptions(covariates=("age",)))
    found = link_all(*cohort(10), LinkOptions(covariates=("age",)), other=other.tables["link/link"])
    table = found.tables["link/replication"]
    assert table["same_direction"].mean() > 0.95
    assert table["replicated"].mean() > 0.4
