import numpy as np
import polars as pl
import pytest

from radiolocus.cohort import CohortOptions, SourceTable, build
from radiolocus.errors import InputError, TableError
from radiolocus.molecular.expression import ExpressionTable
from radiolocus.molecular.markers import MolecularOptions, assemble
from radiolocus.molecular.score_options import SubtypeOptions
from radiolocus.molecular.subtypes import discover_clusters

N, GENES = 60, 150
SUBJECTS = [f"S{i:02}" for i in range(N)]
NAMES = [f"G{i:03}" for i in range(GENES)]
TRUTH = np.arange(N) % 3
QUICK = {"clusters": (2, 3, 4), "repeats": 30, "genes": 100}


def planted(apart=2.5, seed=1):
    rng = np.random.default_rng(seed)
    pattern = np.zeros((GENES, 3))
    for c in range(3):
        pattern[30 * c : 30 * c + 30, c] = apart
    base = rng.normal(6, 1, GENES)[:, None]
    return base + pattern[:, TRUTH] + rng.standard_normal((GENES, N)), base + pattern


@pytest.fixture
def folder(tmp_path):
    values, centroids = planted()
    put(tmp_path, values)
    frame = pl.DataFrame({"gene": NAMES, **{f"type{c}": centroids[:, c] for c in range(3)}})
    frame.write_csv(tmp_path / "centroids.tsv", separator="\t")
    return tmp_path


def put(folder, values):
    frame = pl.DataFrame({"gene": NAMES, **{s: values[:, i] for i, s in enumerate(SUBJECTS)}})
    frame.write_csv(folder / "e.tsv", separator="\t")


def run(folder, **subtypes):
    frame = pl.DataFrame({"id": SUBJECTS})
    people = build([SourceTable("s.csv", frame, range(2, 2 + N), "id")], CohortOptions())
    table = ExpressionTable("e.tsv", unit="log2(TPM + 1)", markers=False)
    return assemble(MolecularOptions(expression=(table,), subtypes=subtypes), people, folder)


@pytest.mark.parametrize("similarity", ["spearman", "pearson", "euclidean"])
def test_the_planted_subtype_is_the_nearest(folder, similarity):
    found = run(folder, tumour=SubtypeOptions(centroids="centroids.tsv", similarity=similarity))
    table = found.tables["molecular/subtypes"]
    assert table["subtype"].to_list() == [f"type{c}" for c in TRUTH]
    assert (table["margin"] > 0).all()
    assert found.table.columns[1:] == [f"subtype:tumour=type{c}" for c in range(3)]
    assert found.table["subtype:tumour=type1"].to_list() == (TRUTH == 1).astype(float).tolist()
    assert "150 of 150 genes" in found.dictionary["definition"][0]
    assert found.dictionary["kind"].unique().to_list() == ["binary"]


def test_the_unclassified_are_null_and_counted(folder):
    values, centroids = planted()
    values[:, 0] = centroids.mean(axis=1) + np.random.default_rng(0).standard_normal(GENES)
    values[:, 1] = np.random.default_rng(1).normal(6, 1, GENES)
    put(folder, values)
    found = run(folder, t=SubtypeOptions(centroids="centroids.tsv", min_margin=0.08, min_similarity=0.3))
    table = found.tables["molecular/subtypes"]
    assert table["subtype"].to_list()[:3] == ["unclassified", "unclassified", "type2"]
    assert found.table["subtype:t=type0"].to_list()[:3] == [None, None, 0.0]
    assert any("2 of 60 subjects are unclassified" in p.got for p in found.problems)


def test_centring_makes_the_platform_no_matter(folder):
    values, _ = planted()
    shift = np.random.default_rng(5).normal(0, 6, GENES)[:, None]
    put(folder, values + shift)
    frame = pl.read_csv(folder / "centroids.tsv", separator="\t")
    means = frame[:, 1:].to_numpy()
    types = {f"type{c}": means[:, c] - means.mean(axis=1) for c in range(3)}
    pl.DataFrame({"gene": NAMES, **types}).write_csv(folder / "centroids.tsv", separator="\t")
    centred = run(folder, t=SubtypeOptions(centroids="centroids.tsv", centre="median")).tables["molecular/subtypes"]
    plain = run(folder, t=SubtypeOptions(centroids="centroids.tsv")).tables["molecular/subtypes"]
    truth = [f"type{c}" for c in TRUTH]
    assert (centred["subtype"] == pl.Series(truth)).all()
    assert centred["similarity"].mean() > plain["similarity"].mean() + 0.4
    assert centred["margin"].mean() > plain["margin"].mean() + 0.3


def test_centroids_of_which_too_little_was_measured(folder):
    (folder / "few.tsv").write_text("gene\ta\tb\nG001\t1\t2\nG002\t1\t3\nX1\t1\t2\nX2\t1\t2\n")
    with pytest.raises(TableError) as caught:
        run(folder, t=SubtypeOptions(centroids="few.tsv"))
    assert caught.value.where == "molecular.subtypes.t: few.tsv"
    assert "2 of 4 genes of 2 centroids were measured (not X1, X2)" in caught.value.got
    (folder / "one.tsv").write_text("gene\ta\n" + "".join(f"{g}\t1\n" for g in NAMES[:5]))
    with pytest.raises(TableError, match="two centroids"):
        run(folder, t=SubtypeOptions(centroids="one.tsv"))


def test_clusters_are_discovered_and_say_what_they_must_not_do(folder):
    found = run(folder, new=SubtypeOptions(**QUICK))
    table = found.tables["molecular/consensus"]
    assert table.filter("chosen")["clusters"].to_list() == [3]
    assert table["p_value"][0] == pytest.approx(1 / 21)
    assert [c for c in found.table.columns if c.startswith("cluster:new=")] == [f"cluster:new={k}" for k in (1, 2, 3)]
    labels = found.tables["molecular/subtypes"]["subtype"].to_list()
    assert len(set(zip(labels, TRUTH.tolist(), strict=True))) == 3
    assert "predicts nothing" in found.dictionary["definition"][0]


def test_one_cloud_makes_no_marker(folder):
    put(folder, planted(apart=0.0, seed=8)[0])
    found = run(folder, new=SubtypeOptions(**QUICK))
    assert found.table.width == 1
    assert not found.tables["molecular/consensus"]["chosen"].any()
    assert any("no more stable than in one cloud" in p.got for p in found.problems)


def test_clusters_of_a_training_part_are_given_to_others():
    values, _ = planted()
    train, test = np.arange(N) < 40, np.arange(N) >= 40
    clusters = discover_clusters(values[:, train], SubtypeOptions(**QUICK))
    assert clusters.found.k == 3
    given = clusters.assign(values[:, test])
    assert len(set(zip(given.tolist(), TRUTH[test].tolist(), strict=True))) == 3
    np.testing.assert_array_equal(clusters.assign(values[:, train]), clusters.found.labels)
    with pytest.raises(InputError, match="clusters of 4 samples"):
        discover_clusters(values[:, :4], SubtypeOptions(**QUICK))
