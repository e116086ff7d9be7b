"""Circulating tumour DNA, clones, the combined call and resistance in a study."""

import polars as pl
import pytest

from flow.small_study import FOLLOW_UP, RESPONSE, SmallStudy
from radiolocus.store import read_table

TABLES = ("ctdna", "ctdna_variants", "clones", "clone_variants", "clone_trees", "combined", "resistance_classes")


def _study(tmp_path, text=RESPONSE + FOLLOW_UP):
    root = tmp_path / "study"
    root.mkdir()
    study = SmallStudy(root, n=6)
    study.text = study.text.split("[imaging]")[0] + text
    return study


@pytest.mark.slow
def test_all_tables_come_out_with_the_same_bytes_in_another_folder(tmp_path):
    study = _study(tmp_path)
    out = study.run().root
    first = {name: (out / f"response/{name}.parquet").read_bytes() for name in TABLES}
    membership = read_table(out, "cohort/membership")
    assert {"ctdna", "clones"} <= set(membership["source"])
    assert "Circulating tumour DNA, clones and resistance" in (out / "report.html").read_text(encoding="utf-8")
    again = study.run("again").root
    assert {name: (again / f"response/{name}.parquet").read_bytes() for name in TABLES} == first


@pytest.fixture
def unreported(monkeypatch):
    """Runs without their page, which takes most of the time."""
    monkeypatch.setattr("radiolocus.pipeline.study.write_report", lambda root: root)


@pytest.mark.usefixtures("unreported")
def test_one_subject_with_bad_reads_is_set_aside_and_the_others_go_on(tmp_path):
    study = _study(tmp_path)
    table = pl.read_csv(study.root / "ctdna.csv")
    hurt = (pl.col("subject") == "S03") & (pl.col("day") == 56)
    table.with_columns(
        pl.when(hurt).then(pl.col("depth") * 2).otherwise(pl.col("alt_reads")).alias("alt_reads")
    ).write_csv(study.root / "ctdna.csv")
    finished = study.run()
    people = read_table(finished.root, "response/ctdna")["subject"].unique()
    assert "S03" not in people
    assert people.len() == 5
    (problem,) = [p for p in study.problems(finished) if p["subject"] == "S03" and p["severity"] == "set aside"]
    assert "variant reads of" in problem["got"]
    assert problem["where"].startswith("ctdna.csv, row ")


@pytest.mark.usefixtures("unreported")
def test_ids_are_those_of_the_cohort(tmp_path):
    study = _study(tmp_path, RESPONSE + FOLLOW_UP + '[cohort.ids]\ncase = "upper"\n')
    table = pl.read_csv(study.root / "ctdna.csv")
    table.with_columns(pl.col("subject").str.to_lowercase()).write_csv(study.root / "ctdna.csv")
    assert read_table(study.run().root, "response/ctdna")["subject"].n_unique() == 6


@pytest.mark.usefixtures("unreported")
def test_a_table_that_is_not_there_ends_the_stage_and_says_so(tmp_path):
    study = _study(tmp_path, RESPONSE + 'ctdna = "blood.csv"\n')
    finished = study.run()
    (line,) = [line for line in finished.lines if line.startswith("response")]
    assert "no such file 'blood.csv'" in line


@pytest.mark.usefixtures("unreported")
@pytest.mark.parametrize("key", ["ctdna", "clones"])
def test_one_of_them_alone(tmp_path, key):
    file = {"ctdna": "ctdna.csv", "clones": "samples.csv"}[key]
    out = _study(tmp_path, RESPONSE + f'{key} = "{file}"\n').run().root
    made = {name for name in TABLES if (out / f"response/{name}.parquet").exists()}
    assert (
        made == {"ctdna": {"ctdna", "ctdna_variants", "combined"}, "clones": {n for n in TABLES if "clone" in n}}[key]
    )


@pytest.mark.usefixtures("unreported")
def test_the_tables_of_the_user_take_their_place(tmp_path):
    study = _study(tmp_path, RESPONSE + '[response.ctdna]\ntable = "ctdna.csv"\nknown = "known.csv"\n')
    (study.root / "known.csv").write_text(
        "gene,change,treatment,citation\nTP53,R100W,everything,own\n", encoding="utf-8"
    )
    assert read_table(study.run().root, "response/ctdna")["resistance"].unique().to_list() == ["TP53 R100W"]


@pytest.mark.usefixtures("unreported")
def test_circulating_tumour_dna_needs_no_lesions(tmp_path):
    blood = FOLLOW_UP.partition("[response.clones]")[0]
    study = _study(tmp_path, '[response]\ntreatments = "lines.csv"\n' + blood)
    (study.root / "lines.csv").write_text("subject,treatment,start,end\nS01,drug,0,100\nnobody,drug,0,9\n")
    finished = study.run()
    assert read_table(finished.root, "response/ctdna")["subject"].n_unique() == 6
    assert read_table(finished.root, "response/criteria_best").height == 0
    assert read_table(finished.root, "response/treatments")["subject"].to_list() == ["S01"]
    told = [p["got"] for p in study.problems(finished) if p["stage"] == "response"]
    assert "lines of treatment left out: 1, of a subject unknown to the cohort: 'nobody'" in told
