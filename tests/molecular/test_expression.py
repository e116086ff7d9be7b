import numpy as np
import polars as pl
import pytest

from radiolocus.cohort import CohortOptions, IdRules, SourceTable, build
from radiolocus.errors import ConfigError, TableError
from radiolocus.molecular.expression import ExpressionTable, Matrix, add_expression, expression_files, on_scale
from radiolocus.molecular.sheet import Sheet
from radiolocus.stats.counts import log_cpm, tmm_factors

COUNTS = np.array([[10.0, 20, 0], [5, 5, 50], [100, 90, 80]])
IDS = ("ENSG00000000001.1", "ENSG00000000002.3", "ENSG00000000003.1")


def sheet(*subjects, **rules):
    frame = pl.DataFrame({"id": list(subjects)}, schema={"id": pl.String})
    people = build(
        [SourceTable("s.csv", frame, range(2, 2 + len(subjects)), "id")], CohortOptions(ids=IdRules(**rules))
    )
    return Sheet(people)


@pytest.fixture
def star(tmp_path):
    (tmp_path / "star").mkdir()
    for j, sample in enumerate(("S1", "S2", "S3")):
        lines = [f"N_{w}\t1\t1\t1" for w in ("unmapped", "multimapping", "noFeature", "ambiguous")]
        lines += [f"{g}\t{c:.0f}\t0\t{c:.0f}" for g, c in zip(IDS, COUNTS[:, j], strict=True)]
        (tmp_path / "star" / f"{sample}.ReadsPerGene.out.tab").write_text("\n".join(lines) + "\n")
    (tmp_path / "names.tsv").write_text("id\tsymbol\nENSG00000000001\tA\nENSG00000000002\tB\nENSG00000000003\tB\n")
    (tmp_path / "lengths.tsv").write_text(
        "gene\tlength\n" + "".join(f"{g[:15]}\t{1000 * (i + 1)}\n" for i, g in enumerate(IDS))
    )
    return tmp_path


STAR = {"path": "star/{subject}.ReadsPerGene.out.tab", "format": "star", "column": "reverse"}


def test_star_counts_become_markers_in_the_order_of_the_cohort(star):
    s = sheet("S3", "S1", "S9", "S2")
    matrix = add_expression(s, ExpressionTable(**STAR), star)
    assert (matrix.subjects, matrix.unit) == (("S1", "S2", "S3"), "counts")
    np.testing.assert_array_equal(matrix.values, COUNTS)
    assert s.markers["expr:ENSG00000000002"].values[[s.row[x] for x in ("S3", "S1")]].tolist() == [50, 5]
    assert np.isnan(s.markers["expr:ENSG00000000002"].values[s.row["S9"]])
    assert any("3 Ensembl ids" in p.got for p in s.problems)
    assert list(expression_files(ExpressionTable(**STAR, gene_names="names.tsv"), star)) == [
        "names.tsv", *(f"star/S{i}.ReadsPerGene.out.tab" for i in (1, 2, 3)),
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["logcpm", "tmm"])
def test_counts_are_normalised_over_the_cohort(star, how):
    matrix = add_expression(sheet("S1", "S2", "S3"), ExpressionTable(**STAR, normalise=how, markers=False), star)
    expected = log_cpm(COUNTS, tmm_factors(COUNTS) if how == "tmm" else None)
    np.testing.assert_allclose(matrix.values, expected)
    assert matrix.unit == ("log2 CPM (TMM)" if how == "tmm" else "log2 CPM")


def test_transcripts_per_million_by_the_lengths(star):
    options = ExpressionTable(**STAR, normalise="tpm", lengths="lengths.tsv", log2=True)
    s = sheet("S1", "S2", "S3")
    matrix = add_expression(s, options, star)
    rate = COUNTS / np.array([[1000], [2000], [3000]])
    np.testing.assert_allclose(np.exp2(matrix.values) - 1, rate / rate.sum(axis=0) * 1e6)
    assert matrix.unit == s.markers["expr:ENSG00000000001"].unit == "log2(TPM + 1)"
    (star / "lengths.tsv").write_text("gene\tlength\nENSG00000000001\t10\n")
    with pytest.raises(TableError, match="no length of 2 genes"):
        add_expression(sheet("S1"), options, star)
    (star / "lengths.tsv").write_text("gene\tlength\n" + "".join(f"{g[:15]}\tlong\n" for g in IDS))
    with pytest.raises(TableError, match="no number"):
        add_expression(sheet("S1"), options, star)


def test_symbols_from_a_table_and_genes_in_several_rows(star):
    s = sheet("S1", "S2", "S3")
    matrix = add_expression(s, ExpressionTable(**STAR, gene_names="names.tsv", repeats="sum"), star)
    assert matrix.genes == ("A", "B")
    np.testing.assert_array_equal(matrix.values[1], COUNTS[1] + COUNTS[2])
    with pytest.raises(TableError, match="repeats"):
        add_expression(sheet("S1"), ExpressionTable(**STAR, gene_names="names.tsv"), star)


def test_samples_of_the_gdc_by_their_sheet(tmp_path):
    names = (
        "unstranded",
        "stranded_first",
        "stranded_second",
        "tpm_unstranded",
        "fpkm_unstranded",
        "fpkm_uq_unstranded",
    )
    head = "\t".join(("gene_id", "gene_name", "gene_type", *names)) + "\n"
    for name in ("u1", "u2"):
        (tmp_path / f"{name}.tsv").write_text(head + f"ENSG00000000001.1\tA\tx\t1\t1\t1\t{name[1]}.5\t1\t1\n")
    (tmp_path / "sheet.tsv").write_text("File Name\tSample ID\nu1.tsv\tTCGA-1-01A\nu2.tsv\tTCGA-2-01A\n")
    options = ExpressionTable(
        "{subject}.tsv", format="gdc_star", column="tpm_unstranded", gene_column="gene_name", sample_sheet="sheet.tsv"
    )
    (tmp_path / "sheet.tsv").rename(tmp_path / "sheet.txt")
    options = ExpressionTable(**{**vars(options), "sample_sheet": "sheet.txt"})
    s = sheet("TCGA-1", "TCGA-2", extract=r"^(TCGA-\d+)")
    matrix = add_expression(s, options, tmp_path)
    assert (matrix.unit, matrix.subjects, matrix.values.tolist()) == ("TPM", ("TCGA-1", "TCGA-2"), [[1.5, 2.5]])
    (tmp_path / "sheet.txt").write_text("File Name\tSample ID\nu1.tsv\tTCGA-1-01A\n")
    with pytest.raises(TableError, match=r"no row of 'u2\.tsv'"):
        add_expression(sheet("TCGA-1"), options, tmp_path)
    (tmp_path / "sheet.txt").write_text("File Name\tSample ID\nu1.tsv\tT\nu2.tsv\tT\n")
    with pytest.raises(TableError, match="two files of sample 'T'"):
        add_expression(sheet("T"), options, tmp_path)
    with pytest.raises(TableError, match="no file"):
        add_expression(sheet("T"), ExpressionTable("x/{subject}", format="htseq"), tmp_path)


@pytest.mark.parametrize(
    ("unit", "scale", "expected"),
    [
        ("TPM", "linear", [1, 3]), ("TPM", "log2", [1, 2]), ("log2(TPM + 1)", "linear", [1, 7]),
        ("log2 CPM", "log2", [1, 3]), ("counts", "any", [1, 3]),
    ],
)  # fmt: skip
def test_scales_follow_the_unit(unit, scale, expected):
    matrix = Matrix(ExpressionTable("x.tsv"), ("A",), ("s", "t"), np.array([[1.0, 3.0]]), unit)
    assert on_scale(matrix, scale).tolist() == [expected]


@pytest.mark.parametrize(("unit", "scale"), [("", "any"), ("", "log2"), ("z-score", "log2"), ("log2 CPM", "linear")])
def test_the_unit_is_not_guessed(unit, scale):
    with pytest.raises(TableError, match="unit"):
        on_scale(Matrix(ExpressionTable("x.tsv"), ("A",), ("s",), np.ones((1, 1)), unit), scale)


@pytest.mark.parametrize(
    "keys",
    [
        {"path": "a.tsv", "format": "star"},
        {"path": "{subject}.tsv"},
        {"path": "a.tsv", "normalise": "tmm"},
        {"path": "a.tsv", "normalise": "tpm", "unit": "counts"},
        {"path": "a.tsv", "lengths": "l.tsv"},
        {"path": "a.tsv", "normalise": "logcpm", "unit": "counts", "log2": True},
        {"path": "a.tsv", "repeats": "first"},
        {"path": "{subject}", "format": "htseq", "unit": "TPM"},
        {"path": "{subject}", "format": "gdc_star", "column": "tpm_unstranded", "unit": "counts"},
    ],
)
def test_options_that_contradict_themselves(keys):
    with pytest.raises(ConfigError) as caught:
        ExpressionTable(**keys)
    assert caught.value.where.startswith("molecular.expression")


def test_an_h5ad_says_so_by_its_ending():
    assert ExpressionTable("a.h5ad").format == "h5ad"
