import numpy as np
import polars as pl
import pytest

from radiolocus.cohort import CohortOptions, SourceTable, build
from radiolocus.errors import ConfigError, TableError
from radiolocus.molecular.expression import ExpressionTable, Matrix
from radiolocus.molecular.markers import MarkerTable, MolecularOptions, assemble
from radiolocus.molecular.published_signatures import METHODS, published_signatures
from radiolocus.molecular.score_options import GeneSetScores, SubtypeOptions
from radiolocus.molecular.scores import complete, score_signature
from radiolocus.molecular.sheet import Sheet
from radiolocus.read.clinical import read_table

SUBJECTS = tuple(f"S{i}" for i in range(40))
GENES = sorted({g for s in published_signatures().values() for g in (*s.members, *s.housekeeping)})
GENES += [f"G{i:03}" for i in range(200)]


def cohort(subjects=SUBJECTS):
    frame = pl.DataFrame({"id": list(subjects)})
    return build([SourceTable("s.csv", frame, range(2, 2 + frame.height), "id")], CohortOptions())


@pytest.fixture(scope="module")
def values():
    rng = np.random.default_rng(3)
    return np.abs(rng.normal(5, 2, len(GENES))[:, None] + rng.standard_normal((len(GENES), 40)))


def matrix(values, unit="log2(TPM + 1)", genes=None):
    genes = tuple(genes or GENES)
    return Matrix(ExpressionTable("e.tsv", unit=unit), genes, SUBJECTS, values, unit)


@pytest.fixture
def folder(tmp_path, values):
    frame = pl.DataFrame({"gene": GENES, **{s: values[:, i] for i, s in enumerate(SUBJECTS)}})
    frame.write_csv(tmp_path / "e.tsv", separator="\t")
    sets = {"ALL_THERE": GENES[-20:], "SOME": [*GENES[-50:-38], *(f"X{i}" for i in range(5))], "FEW": GENES[-60:-55]}
    (tmp_path / "s.gmt").write_text("".join(f"{n}\t-\t" + "\t".join(g) + "\n" for n, g in sets.items()))
    return tmp_path


EXPR = ExpressionTable("e.tsv", unit="log2(TPM + 1)", markers=False)


def test_scores_and_signatures_become_markers_with_their_definition(folder, values):
    options = MolecularOptions(
        expression=(EXPR,), scores=(GeneSetScores("s.gmt"), GeneSetScores("s.gmt", method="mean_z", sets=("SOME",))),
        signatures=("rsi", "immune_cells"),
    )  # fmt: skip
    found = assemble(options, cohort(), folder)
    assert found.table.columns[1:4] == ["ssgsea:ALL_THERE", "ssgsea:SOME", "mean_z:SOME"]
    assert not [c for c in found.table.columns if c.startswith("expr:")]
    told = {row["marker"]: row for row in found.dictionary.to_dicts()}
    assert "12 of 17 genes" in told["ssgsea:SOME"]["definition"]
    assert "Barbie" in told["ssgsea:SOME"]["definition"]
    assert "compares each subject with all others" in told["mean_z:SOME"]["definition"]
    assert "never a fraction" in told["sig:b_cells"]["unit"]
    assert "Danaher" in told["sig:b_cells"]["definition"]
    place = [GENES.index(g) for g in ("CD8A", "CD8B")]
    np.testing.assert_allclose(found.table["sig:cd8_t_cells"], values[place].mean(axis=0))
    scores = {row["score"]: row for row in found.tables["molecular/scores"].to_dicts()}
    assert scores["ssgsea:FEW"]["reason"] == "5 of 5 genes were measured; at least 10 are needed"
    assert (scores["ssgsea:FEW"]["n"], scores["ssgsea:SOME"]["missing"]) == (0, "X0, X1, X2, X3, X4")
    assert len(scores) == 4 + 1 + 14
    assert any("1 of 3 scores were not made" in p.got for p in found.problems)


@pytest.mark.parametrize("name", list(published_signatures()))
def test_every_signature_is_scored_as_its_method_says(name, values):
    signature = published_signatures()[name]
    made = score_signature(signature, matrix(values))
    assert (made.missing, made.reason) == ((), "")
    rows = values[[GENES.index(g) for g in signature.members]]
    if signature.housekeeping:
        rows = rows - values[[GENES.index(g) for g in signature.housekeeping]].mean(axis=0)
    if METHODS[signature.method].scale == "linear":
        rows = np.exp2(rows) - 1
    weights = np.array([signature.weights.get(g, 1.0) for g in signature.members])
    np.testing.assert_allclose(made.values, METHODS[signature.method].score(rows, weights, signature.offset))
    # whoever has all genes of the signature at their highest scores highest, unless all weights are negative
    high = values.copy()
    high[[GENES.index(g) for g in signature.members], 0] = 30.0
    if signature.method not in ("rank_sum", "weighted_sum"):
        assert np.argmax(score_signature(signature, matrix(high)).values) == 0


def test_too_few_genes_give_no_score_and_earlier_symbols_are_known(values):
    buffa = published_signatures()["buffa_hypoxia"]
    old = {"HILPDA": "HIG2", "PNP": "NP", "MRGBP": "C20orf20"}
    made = score_signature(buffa, matrix(values, genes=[old.get(g, g) for g in GENES]))
    np.testing.assert_array_equal(made.values, score_signature(buffa, matrix(values)).values)
    lost = set(buffa.members[:11])
    made = score_signature(buffa, matrix(values, genes=[f"x{g}" if g in lost else g for g in GENES]))
    assert made.values is None
    assert made.reason == "40 of 51 genes were measured; 80% are needed"
    assert set(made.missing) == lost
    assert (
        score_signature(buffa, matrix(values, genes=[f"x{g}" if g in lost else g for g in GENES]), 0.7).values
        is not None
    )
    rsi = published_signatures()["rsi"]
    made = score_signature(rsi, matrix(values, genes=["x" if g == "SUMO1" else g for g in GENES]), 0.1)
    assert made.reason == "9 of 10 genes were measured; 100% are needed"
    gep = published_signatures()["t_cell_inflamed"]
    made = score_signature(gep, matrix(values, genes=[f"x{g}" if g in gep.housekeeping[:4] else g for g in GENES]))
    assert made.reason == "7 of 11 housekeeping genes were measured; 80% are needed"


def test_the_unit_decides_the_scale(values):
    known = published_signatures()
    linear = np.exp2(values) - 1
    for name in ("cytolytic_activity", "ifn_gamma", "t_cell_inflamed", "rsi", "buffa_hypoxia"):
        a, b = (score_signature(known[name], m).values for m in (matrix(values), matrix(linear, "TPM")))
        np.testing.assert_allclose(a, b, rtol=1e-9)
    with pytest.raises(TableError, match="unit ''"):
        score_signature(known["ifn_gamma"], matrix(values, ""))
    with pytest.raises(TableError, match="below 0"):
        score_signature(known["cytolytic_activity"], matrix(-values, "TPM"))


def test_missing_values_cost_a_subject_or_a_gene(values):
    holes = values.copy()
    holes[:200, 3] = np.nan
    holes[5, 7] = np.nan
    sheet = Sheet(cohort())
    found = complete(matrix(holes), sheet)
    assert found.subjects == tuple(s for s in SUBJECTS if s != "S3")
    assert found.values.shape == (len(GENES) - 1, 39)
    assert np.isfinite(found.values).all()
    assert [p.subject for p in sheet.problems] == ["S3", None]
    whole = matrix(values)
    assert complete(whole, sheet) is whole


def test_constant_genes_and_counts_with_gsva(folder, values):
    counts = np.round(np.exp2(values))
    counts[-1] = 7
    frame = pl.DataFrame({"gene": GENES, **{s: counts[:, i] for i, s in enumerate(SUBJECTS)}})
    frame.write_csv(folder / "e.tsv", separator="\t")
    options = MolecularOptions(
        expression=(ExpressionTable("e.tsv", unit="counts", markers=False),),
        scores=(GeneSetScores("s.gmt", method="gsva", sets=("ALL_THERE",), name="set"),),
    )
    found = assemble(options, cohort(), folder)
    assert found.tables["molecular/scores"]["found"].to_list() == [19]
    assert found.table["set:ALL_THERE"].is_between(-1, 1).all()


def test_options_that_cannot_be_followed(folder):
    two = (EXPR, ExpressionTable("e.tsv", name="other"))
    for make, where in (
        (lambda: MolecularOptions(expression=two, signatures=("rsi",)), "molecular.signatures_of"),
        (lambda: MolecularOptions(markers=(MarkerTable("m"),), signatures=("rsi",)), "molecular.signatures_of"),
        (lambda: MolecularOptions(expression=two, scores=(GeneSetScores("s", of="xpr"),)), "molecular.scores"),
        (lambda: MolecularOptions(expression=(EXPR,), signature_coverage=0.0), "molecular"),
        (lambda: GeneSetScores("s", method="plage"), "molecular.scores"),
        (lambda: GeneSetScores("s", min_genes=0), "molecular.scores"),
        (lambda: GeneSetScores("s", min_coverage=1.2), "molecular.scores"),
        (lambda: SubtypeOptions(), "molecular.subtypes"),
        (lambda: SubtypeOptions(clusters=(1, 2)), "molecular.subtypes"),
        (lambda: SubtypeOptions(centroids="c", similarity="cosine"), "molecular.subtypes"),
        (lambda: SubtypeOptions(centroids="c", min_margin=-1.0), "molecular.subtypes"),
        (lambda: SubtypeOptions(clusters=(2,), references=3), "molecular.subtypes"),
    ):
        with pytest.raises(ConfigError) as caught:
            make()
        assert caught.value.where == where
    MolecularOptions(expression=two, signatures=("rsi",), signatures_of="other")
    with pytest.raises(ConfigError, match="no gene set 'ALL'"):
        assemble(
            MolecularOptions(expression=(EXPR,), scores=(GeneSetScores("s.gmt", sets=("ALL",)),)), cohort(), folder
        )


def test_nsclc_subset_holds_too_few_genes_and_says_so(data):
    path = data("nsclc_radiogenomics/rnaseq_130x140_GSE103584_subset.tsv")
    gmt = data("omics/h.all.v7.0.symbols.gmt")
    labels = data("nsclc_radiogenomics/NSCLCR01Radiogenomic_labels_211x40.csv")
    table = read_table(labels, id_column="Patient ID")
    people = build([SourceTable(table.source, table.frame, table.row_number, "Patient ID")], CohortOptions())
    root = path.parent.parent
    rna = ExpressionTable(
        path.relative_to(root).as_posix(), orientation="samples_by_genes", drop=("Recurrence",), unit="FPKM",
        markers=False, selected_on=("recurrence",),
    )  # fmt: skip
    options = MolecularOptions(
        expression=(rna,),
        scores=(GeneSetScores(gmt.relative_to(root).as_posix()),),
        signatures=tuple(dict.fromkeys(s.group for s in published_signatures().values())),
    )
    found = assemble(options, people, root)
    scores = found.tables["molecular/scores"]
    assert scores.height == 50 + len(published_signatures())
    assert scores.filter(pl.col("reason") == "")["score"].to_list() == []
    assert found.table.width == 1
    assert scores.filter(score="sig:rsi")["found"].item() == 1
