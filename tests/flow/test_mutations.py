"""TCGA-LAML from its MAF to the report: published frequencies, burden, oncoprint, methods and problems."""

import polars as pl

from radiolocus.config import load_study
from radiolocus.pipeline import run_study
from radiolocus.store import read_table

STUDY = """
[cohort]
subjects = "tcga_laml_annot.tsv"
id = "Tumor_Sample_Barcode"
ids = { barcode = "tcga" }

[molecular]
mutations = "tcga_laml.maf.gz"
sequenced = "tcga_laml_annot.tsv"
drivers = { by = ["gene", "hotspot", "pathway"], pathways = "h.all.v7.0.symbols.gmt" }
burden = { megabases = 38.0 }
"""


def test_laml(data, tmp_path):
    root = data("omics/tcga_laml.maf.gz").parent
    (tmp_path / "study.toml").write_text(STUDY)
    run_study(load_study(tmp_path / "study.toml", root), tmp_path / "out")
    markers = read_table(tmp_path / "out", "molecular/markers")
    dictionary = read_table(tmp_path / "out", "molecular/dictionary")
    assert markers.height == 200
    genes = dictionary.filter(pl.col("marker").str.starts_with("mut:")).sort("n_positive", descending=True)
    assert genes["marker"].to_list()[:3] == ["mut:FLT3", "mut:DNMT3A", "mut:NPM1"]
    assert markers["hot:DNMT3A"].sum() == 27  # R882, the one hotspot of the gene
    assert markers["tmb"].null_count() == 0
    assert dictionary.filter(marker="tmb")["unit"].item() == "1/Mb"
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for words in (
        "Molecular data of the tumours",
        "1,732 nonsynonymous variants in 200 sequenced subjects".replace(",", "\u202f"),
        "most often FLT3 52, DNMT3A 48, NPM1 33",
        "Oncoprint of 20 genes",
        "Maftools",
    ):
        assert words in page or words.replace("\u202f", "\u2009") in page, words
