import math

import numpy as np
import openpyxl
import polars as pl
import pytest

from radiolocus.cohort import CohortOptions, IdRules, SourceTable, build
from radiolocus.errors import ConfigError, TableError
from radiolocus.molecular.copies import FusionTable
from radiolocus.molecular.markers import ExpressionTable, MarkerTable, MolecularOptions, assemble
from radiolocus.read.clinical import read_table
from radiolocus.schema import TABLES


def cohort(*subjects, **rules):
    frame = pl.DataFrame({"id": list(subjects)}, schema={"id": pl.String})
    rows = range(2, 2 + len(subjects))
    return build([SourceTable("subjects.csv", frame, rows, "id")], CohortOptions(ids=IdRules(**rules)))


def column(result, name):
    return dict(zip(result.table["subject"].to_list(), result.table[name].to_list(), strict=True))


MAF = "Hugo_Symbol\tVariant_Classification\tTumor_Sample_Barcode\n"


@pytest.fixture
def folder(tmp_path):
    rows = [("TP53", "S1"), ("TP53", "s2"), ("KRAS", "S2"), ("KRAS", "S9"), ("1-Sep", "S1")]
    (tmp_path / "m.maf").write_text(MAF + "".join(f"{g}\tMissense_Mutation\t{s}\n" for g, s in rows))
    (tmp_path / "seq.txt").write_text("S1\nS2\nS3\n")
    (tmp_path / "ihc.csv").write_text("id,PDL1,ER,TP53\nS1,40,positive,1\nS3,5,negative,0\nS4,0,,1\nX 3,1,positive,1\n")
    (tmp_path / "rna.tsv").write_text("gene\tS1\tS2\tS4\nTP53\t3\t0\t7\nMYC\t1\tNA\t15\n")
    return tmp_path


def test_everything_lands_on_the_subjects_of_the_cohort(folder):
    options = MolecularOptions(
        mutations="m.maf",
        sequenced="seq.txt",
        min_mutated=1,
        markers=(MarkerTable("ihc.csv", positive={}),),
        expression=(ExpressionTable("rna.tsv", log2=True, unit="TPM"),),
    )
    result = assemble(options, cohort("S1", "S2", "S3", "S4", "S5", case="upper"), folder)
    assert result.table["subject"].to_list() == ["S1", "S2", "S3", "S4"]
    assert column(result, "mut:TP53") == {"S1": 1, "S2": 1, "S3": 0, "S4": None}
    assert column(result, "mut:KRAS") == {"S1": 0, "S2": 1, "S3": 0, "S4": None}
    assert column(result, "PDL1") == {"S1": 40, "S2": None, "S3": 5, "S4": 0}
    assert column(result, "ER") == {"S1": 1, "S2": None, "S3": 0, "S4": None}
    assert column(result, "expr:TP53") == {"S1": 2, "S2": 0, "S3": None, "S4": 3}
    assert column(result, "expr:MYC") == {"S1": 1, "S2": None, "S3": None, "S4": 4}
    known = {r["marker"]: r for r in result.dictionary.to_dicts()}
    assert list(known) == result.table.columns[1:]
    assert known["mut:TP53"] == {
        "marker": "mut:TP53", "kind": "binary", "source": "m.maf", "unit": "", "n": 3, "n_positive": 2,
        "definition": "a nonsynonymous variant of the gene (nine MAF classes; Mayakonda et al. 2018)",
    }  # fmt: skip
    assert known["expr:MYC"] == {
        "marker": "expr:MYC", "kind": "continuous", "source": "rna.tsv", "unit": "log2(TPM + 1)", "n": 2,
        "n_positive": None, "definition": "",
    }  # fmt: skip
    assert dict(result.membership.schema) == TABLES["cohort/membership"].schema
    status = {(s, i): (r, st) for s, i, r, st, _ in result.membership.iter_rows()}
    assert status["S2", "m.maf"] == ("S2", "joined") or status["S2", "m.maf"] == ("s2", "joined")
    assert status["S9", "m.maf"] == ("S9", "not in cohort")
    assert status["S5", "rna.tsv"] == (None, "missing here")
    assert status["X 3", "ihc.csv"] == ("X 3", "not in cohort")
    said = " | ".join(p.got for p in result.problems)
    assert "1-Sep" in said
    assert "1 subjects have several samples, whose mutations count together (S2: s2, S2)" in said
    assert "not unmutated" not in said
    assert {p.stage for p in result.problems} == {"molecular"}


def test_without_a_list_only_those_in_the_maf_were_sequenced(folder):
    result = assemble(MolecularOptions(mutations="m.maf", min_mutated=1), cohort("S1", "S2", "S3"), folder)
    assert column(result, "mut:KRAS") == {"S1": 0, "S2": 1}
    assert any("missing, not unmutated" in p.got for p in result.problems)


def test_header_of_cbioportal_says_who_was_sequenced(folder):
    (folder / "c.maf").write_text("#sequenced_samples: S1 S3\n" + MAF + "TP53\tSilent\tS1\nTP53\tIn_Frame_Del\tS2\n")
    result = assemble(MolecularOptions(mutations="c.maf", min_mutated=1), cohort("S1", "S2", "S3"), folder)
    assert column(result, "mut:TP53") == {"S1": 0, "S2": 1, "S3": 0}
    assert not any("missing, not unmutated" in p.got for p in result.problems)


def test_two_sources_of_one_marker_are_a_conflict_that_counts_who_differs(folder):
    (folder / "b.csv").write_text("id,ER\nS1,negative\nS3,negative\nS4,positive\n")
    tables = (MarkerTable("ihc.csv"), MarkerTable("b.csv"))
    with pytest.raises(TableError) as caught:
        assemble(MolecularOptions(markers=tables), cohort("S1", "S3", "S4"), folder)
    assert "marker 'ER' comes from ihc.csv and from b.csv" in caught.value.got
    assert "1 of 2 subjects (S1)" in caught.value.got
    assert "name" in caught.value.todo
    tables = (MarkerTable("ihc.csv"), MarkerTable("b.csv", name="lab2"))
    result = assemble(MolecularOptions(markers=tables), cohort("S1", "S3", "S4"), folder)
    assert column(result, "ER") == {"S1": 1, "S3": 0, "S4": None}
    assert column(result, "lab2:ER") == {"S1": 0, "S3": 0, "S4": 1}


def test_two_samples_of_one_subject_are_not_averaged(folder):
    (folder / "rna.tsv").write_text("gene\tS1-01\tS1-11\tS2-01\nMYC\t1\t2\t3\n")
    people = cohort("S1", "S2", extract=r"^(S\d)")
    result = assemble(MolecularOptions(expression=(ExpressionTable("rna.tsv"),)), people, folder)
    assert column(result, "expr:MYC") == {"S2": 3}
    (problem,) = [p for p in result.problems if p.severity == "set aside"]
    assert problem.subject == "S1"
    assert "'S1-01', 'S1-11'" in problem.got


def test_rows_of_one_subject_that_disagree_set_it_aside(folder):
    (folder / "b.csv").write_text("id,ER,x\nS1,yes,1\nS1,yes,2\nS2,no,3\nS2,no,3\nS3,yes,4\n")
    result = assemble(MolecularOptions(markers=(MarkerTable("b.csv"),)), cohort("S1", "S2", "S3"), folder)
    assert column(result, "ER") == {"S1": None, "S2": 0, "S3": 1}
    (problem,) = [p for p in result.problems if p.severity == "set aside"]
    assert (problem.subject, problem.where) == ("S1", "b.csv, rows 2, 3")


def test_wrong_orientation_is_suspected(folder):
    options = MolecularOptions(expression=(ExpressionTable("rna.tsv", orientation="samples_by_genes"),))
    with pytest.raises(TableError) as caught:
        assemble(options, cohort("S1", "S2", "S4"), folder)
    assert "none of 2 samples (TP53, MYC" in caught.value.got
    assert "3 names of the other side are: change the orientation" in caught.value.todo


def test_chosen_genes_and_logarithm_of_a_negative(folder):
    people = cohort("S1", "S2", "S4")
    result = assemble(MolecularOptions(expression=(ExpressionTable("rna.tsv", columns=("MYC",)),)), people, folder)
    assert result.table.columns == ["subject", "expr:MYC"]
    with pytest.raises(TableError, match="'MYC'"):
        assemble(MolecularOptions(expression=(ExpressionTable("rna.tsv", columns=("MYCC",)),)), people, folder)
    (folder / "z.tsv").write_text("gene\tS1\tS2\nA\t1\t-0.5\n")
    with pytest.raises(TableError) as caught:
        assemble(MolecularOptions(expression=(ExpressionTable("z.tsv", log2=True),)), people, folder)
    assert caught.value.where == "z.tsv, gene A, sample S2"
    assert caught.value.got == "-0.5"


def test_sheet_of_a_workbook_and_kinds_that_the_study_demands(folder):
    book = openpyxl.Workbook()
    book.active.append(["nothing"])
    sheet = book.create_sheet("IHC")
    for row in (["n", "Case", "score", "ALK"], [1, "S1", 0, "Translocated"], [2, "S2", 1, "Other"], [3, "S3", 1, "WT"]):
        sheet.append(row)
    book.save(folder / "b.xlsx")
    table = MarkerTable(
        "b.xlsx",
        id="Case",
        sheet="IHC",
        drop=("n",),
        kinds={"score": "continuous"},
        positive={"ALK": "translocated"},
    )
    result = assemble(MolecularOptions(markers=(table,)), cohort("S1", "S2", "S3"), folder)
    assert column(result, "ALK") == {"S1": 1, "S2": 0, "S3": 0}
    assert result.dictionary.select("marker", "kind", "source").rows() == [
        ("score", "continuous", "b.xlsx, sheet 'IHC'"),
        ("ALK", "binary", "b.xlsx, sheet 'IHC'"),
    ]


def test_path_out_of_the_root_and_reserved_name(folder):
    with pytest.raises(ConfigError, match="out of the root"):
        assemble(MolecularOptions(mutations="../m.maf"), cohort("S1"), folder)
    (folder / "b.csv").write_text("id,subject\nS1,1\nS2,0\n")
    with pytest.raises(TableError, match="called 'subject'"):
        assemble(MolecularOptions(markers=(MarkerTable("b.csv"),)), cohort("S1", "S2"), folder)


@pytest.mark.parametrize(
    ("make", "where"),
    [
        (lambda: MolecularOptions(), "molecular"),
        (lambda: MolecularOptions(mutations="a", min_mutated=0), "molecular.min_mutated"),
        (lambda: MolecularOptions(sequenced="a", markers=(MarkerTable("b"),)), "molecular.sequenced"),
        (lambda: MarkerTable("a", kinds={"x": "ordinal"}), "molecular.markers.kinds.x"),
        (lambda: ExpressionTable("a", orientation="genes"), "molecular.expression.orientation"),
    ],
)
def test_options_that_cannot_be_followed(make, where):
    with pytest.raises(ConfigError) as caught:
        make()
    assert caught.value.where == where


def test_nsclc(data):
    labels = "nsclc_radiogenomics/NSCLCR01Radiogenomic_labels_211x40.csv"
    rna = "nsclc_radiogenomics/rnaseq_130x140_GSE103584_subset.tsv"
    path = data(labels)
    data(rna)
    table = read_table(path, id_column="Patient ID")
    people = build([SourceTable(table.source, table.frame, table.row_number, "Patient ID")], CohortOptions())
    options = MolecularOptions(
        markers=(MarkerTable(labels, id="Patient ID", columns=("EGFR mutation status", "KRAS mutation status")),),
        expression=(ExpressionTable(rna, orientation="samples_by_genes", drop=("Recurrence",), log2=True),),
    )
    result = assemble(options, people, path.parent.parent)
    assert result.table.shape == (211, 1 + 2 + 140)
    assert result.dictionary["n_positive"].to_list()[:2] == [43, 38]
    assert set(result.dictionary["n"].to_list()[2:]) == {130}
    assert result.table.filter(subject="R01-023")["expr:SMC1B"].item() == pytest.approx(math.log2(1.608692))
    joined = result.membership.filter(source=rna)["status"].value_counts().rows()
    assert dict(joined) == {"joined": 130, "missing here": 81}
    assert np.isnan(result.table["expr:SMC1B"].cast(pl.Float64).to_numpy()).sum() == 81


def test_a_list_of_patients_keeps_the_mutations_of_their_aliquots(tmp_path):
    rows = [("TP53", "TCGA-AA-0001-01A-11D-A1"), ("TP53", "TCGA-AA-0002-01A-11D-A1"), ("KRAS", "TCGA-AA-0002-06A")]
    (tmp_path / "m.maf").write_text(MAF + "".join(f"{g}\tMissense_Mutation\t{s}\n" for g, s in rows))
    (tmp_path / "f.tsv").write_text("Sample_Id\tSite1_Hugo_Symbol\tSite2_Hugo_Symbol\nTCGA-AA-0001-01A\tEML4\tALK\n")
    (tmp_path / "seq.txt").write_text("TCGA-AA-0001\nTCGA-AA-0002-01\nTCGA-AA-0003\n")
    options = MolecularOptions(
        mutations="m.maf", sequenced="seq.txt", min_mutated=1, fusions=(FusionTable("f.tsv", tested="seq.txt"),)
    )
    result = assemble(options, cohort(*(f"TCGA-AA-000{i}" for i in range(1, 5)), barcode="tcga"), tmp_path)
    assert list(column(result, "mut:TP53").values()) == [1, 1, 0]
    assert "mut:KRAS" not in result.table.columns  # of a metastasis, beside a primary tumour
    assert list(column(result, "fus:ALK").values()) == [1, 0, 0]
