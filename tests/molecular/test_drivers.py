import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naive import mutations as naive
from radiolocus.errors import TableError
from radiolocus.molecular.alterations import alterations, described
from radiolocus.molecular.drivers import NONSYNONYMOUS, OTHER_CLASSES, incidence, nonsynonymous
from radiolocus.read.maf import read_maf, read_sample_list


def maf(rows, **more):
    names = ("Hugo_Symbol", "Tumor_Sample_Barcode", "Variant_Classification")
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    return frame.with_columns(pl.Series(k, v) for k, v in more.items())


def genes_of(frame, subject_of, sequenced=(), least=1):
    """Gene × subject table of the subjects that are in the file or sequenced, and the counts."""
    rows, _ = described(frame, subject_of, None, 3)
    looked_at = {subject_of[b] for b in frame["Tumor_Sample_Barcode"] if b in subject_of} | set(sequenced)
    return incidence(alterations(rows, "gene"), sorted(looked_at), least)


def table(frame):
    return {row.pop("subject"): row for row in frame.to_dicts()}


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["TP53", "KRAS", "EGFR"]),
        st.sampled_from(["s1-a", "s1-b", "s2", "s3", "elsewhere"]),
        st.sampled_from(["Missense_Mutation", "Silent", "Splice_Site", "Intron"]),
    ),
    max_size=25,
)
SUBJECT_OF = {"s1-a": "S1", "s1-b": "S1", "s2": "S2", "s3": "S3", "s4": "S4"}


@given(ROWS, st.sets(st.sampled_from(["S2", "S4"])), st.integers(1, 3))
@settings(max_examples=100, deadline=None)
def test_table_is_that_of_the_slow_twin(rows, sequenced, least):
    found, _ = genes_of(maf(rows), SUBJECT_OF, sequenced, least)
    assert table(found) == naive.mutation_table(rows, SUBJECT_OF, sequenced, least, NONSYNONYMOUS)


def test_sequenced_without_mutation_is_zero_and_not_sequenced_is_absent():
    rows = [("TP53", "a", "Missense_Mutation"), ("TP53", "b", "Silent")]
    found, counts = genes_of(maf(rows), {"a": "A", "b": "B", "c": "C", "d": "D"}, ["C"])
    assert table(found) == {"A": {"TP53": 1.0}, "B": {"TP53": 0.0}, "C": {"TP53": 0.0}}
    assert counts.rows() == [("TP53", 1)]


def test_classes_are_matched_whatever_their_case_and_unknown_ones_are_said():
    rows = [("A", "s", "missense_mutation"), ("B", "s", "Fusion"), ("B", "s", "Fusion"), ("C", "s", "3'UTR")]
    kept, problems = nonsynonymous(maf(rows), "x.maf")
    assert kept["Hugo_Symbol"].to_list() == ["A"]
    assert problems[0].count == 2
    assert "'Fusion' × 2" in problems[0].got
    assert problems[0].where == "x.maf"


def test_a_file_in_another_vocabulary_is_refused():
    with pytest.raises(TableError) as caught:
        nonsynonymous(maf([("A", "s", "missense_variant")]), "x.maf")
    assert caught.value.where == "x.maf, column Variant_Classification"
    assert "missense_variant" in caught.value.got
    assert "Missense_Mutation" in caught.value.allowed


def test_germline_rows_do_not_count():
    rows = [("A", "s", "Missense_Mutation")] * 3
    kept, problems = nonsynonymous(maf(rows, Mutation_Status=["Somatic", "Germline", None]))
    assert kept.height == 2
    assert problems[0].count == 1
    assert "Mutation_Status" in problems[0].got


def test_vocabulary_of_the_gdc():
    # https://docs.gdc.cancer.gov/Data/File_Formats/MAF_Format, column Variant_Classification
    gdc = """Frame_Shift_Del Frame_Shift_Ins In_Frame_Del In_Frame_Ins Missense_Mutation Nonsense_Mutation Silent
    Splice_Site Translation_Start_Site Nonstop_Mutation RNA Targeted_Region Intron IGR 3'UTR 5'UTR 3'Flank 5'Flank"""
    assert set(gdc.split()) <= {*NONSYNONYMOUS, *OTHER_CLASSES}
    assert not set(NONSYNONYMOUS) & set(OTHER_CLASSES)


def test_tcga_laml_counts_are_the_published_ones(data):
    frame = read_maf(data("omics/tcga_laml.maf.gz")).frame
    kept, _ = nonsynonymous(frame)
    # Summary of the same file by maftools (Mayakonda et al. 2018, Genome Research 28:1747, vignette): 1732
    # nonsynonymous variants in 193 samples, 475 silent; mutated samples of the leading genes.
    assert (frame.height - kept.height, kept.height) == (475, 1732)
    sequenced = read_sample_list(data("omics/tcga_laml_annot.tsv"))
    identity = {b: b for b in (*sequenced, *frame["Tumor_Sample_Barcode"])}
    found, counts = genes_of(frame, identity, least=5)
    assert found.height == 193
    published = {
        "FLT3": 52, "DNMT3A": 48, "NPM1": 33, "IDH2": 20, "IDH1": 18, "TET2": 17, "RUNX1": 16, "TP53": 15, "NRAS": 15,
        "CEBPA": 13, "WT1": 12, "PTPN11": 9, "KIT": 8, "U2AF1": 8, "KRAS": 8, "SMC3": 7, "SMC1A": 6, "PHF6": 6,
        "STAG2": 6, "RAD21": 5,
    }  # fmt: skip
    assert {g: int(found[g].sum()) for g in published} == published
    assert counts["item"].to_list()[:5] == ["FLT3", "DNMT3A", "NPM1", "IDH2", "IDH1"]
    everybody, _ = genes_of(frame, identity, sequenced)
    assert everybody.height == 200
    assert everybody["FLT3"].sum() == 52
