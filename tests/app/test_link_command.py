"""``radiolocus link`` from tables to a report."""

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from radiolocus.app.cli import app
from radiolocus.config import StudyError, load_link
from radiolocus.errors import ConfigError, RadiolocusError, TableError
from radiolocus.schema import TABLES
from radiolocus.store import read_table


def write(folder, seed=1, n=50):
    rng = np.random.default_rng(seed)
    folder.mkdir(exist_ok=True)
    ids = [f"P{i:02d}" for i in range(n)]
    z = rng.normal(size=n)
    f = {f"CT:cm_{i}": z + rng.normal(size=n) for i in range(4)} | {
        f"CT:stat_{i}": rng.normal(size=n) for i in range(4)
    }
    pl.DataFrame({"id": ids, "scanner": ["s"] * n} | f).write_csv(folder / "features.csv")
    mutant = (z + rng.normal(size=n) > 0.3) * 1
    pl.DataFrame({"id": ids, "EGFR": mutant, "stage": np.digitize(z, [-1, 0.5]) + 1}).write_csv(folder / "markers.csv")
    site = [["n", "s"][i % 2] for i in range(n)]
    pl.DataFrame({"id": ids, "age": rng.normal(60, 9, n).round(), "site": site}).write_csv(folder / "clinical.csv")
    genes = {f"G{i}": rng.normal(size=n) + (z if i < 8 else 0) for i in range(24)}
    columns = {s: [float(v[k]) for v in genes.values()] for k, s in enumerate(ids)}
    pl.DataFrame({"gene": list(genes)} | columns).write_csv(folder / "rna.tsv", separator="\t")
    lines = [f"S{k}\t\t" + "\t".join(f"G{i}" for i in range(k * 8, k * 8 + 8)) for k in range(3)]
    (folder / "sets.gmt").write_text("\n".join(lines))
    (folder / "link.toml").write_text('ordinal = ["stage"]\nbinary_test = "logistic"\n')
    return folder


def call(*words):
    result = CliRunner().invoke(app, ["link", *map(str, words)], catch_exceptions=False)
    return result.exit_code, result.output


def test_tables_become_a_folder_with_a_report(tmp_path):
    other = write(tmp_path / "other", 2)
    assert (
        call(
            other / "features.csv",
            other / "markers.csv",
            "--out",
            tmp_path / "there",
            "--settings",
            other / "link.toml",
        )[0]
        == 0
    )
    a = write(tmp_path / "a")
    code, said = call(
        a / "features.csv", a / "markers.csv", "--covar", a / "clinical.csv", "--batch", "site", "--expression",
        a / "rna.tsv", "--permutations", "99", "--gene-sets", a / "sets.gmt", "--canonical", "--settings",
        a / "link.toml", "--replication", tmp_path / "there", "--seed", "3", "--out", tmp_path / "out", "-j", "2",
    )  # fmt: skip
    assert code == 0, said
    assert "208 links tested" in said
    assert "99 permutations" in said
    out = tmp_path / "out"
    for name in (n for n in TABLES if n.startswith("link/")):
        assert read_table(out, name).height > 0, name
        assert (out / f"{name}.csv").exists()
    table = read_table(out, "link/link")
    assert set(table.filter(pl.col("marker") == "stage")["test"]) == {"proportional odds"}
    assert set(table.filter(pl.col("marker") == "EGFR")["test"]) == {"logistic"}
    settings = json.loads((out / "study.json").read_text())["settings"]["link"]
    assert settings["covariates"] == ["age"]
    assert settings["gene_sets"] == "sets.gmt"
    page = (out / "report.html").read_text()
    for words in ("Links of imaging and molecular markers", "family-wise", "ComBat", "CAMERA", "Replication"):
        assert words in page
    assert str(tmp_path) not in page
    problems = read_table(out, "problems")
    assert problems.filter(pl.col("got").str.contains("scanner")).height == 1
    again = tmp_path / "again"
    call(a / "features.csv", a / "markers.csv", "--covar", a / "clinical.csv", "--batch", "site", "--permutations",
         "99", "--settings", a / "link.toml", "--seed", "3", "--out", again, "-j", "1")  # fmt: skip
    one = read_table(again, "link/link").filter(pl.col("marker") == "EGFR").sort("feature")
    two = table.filter(pl.col("marker") == "EGFR").sort("feature")
    columns = ["estimate", "family_wise_p_value", "permutation_p_value"]
    assert one.select(columns).equals(two.select(columns))


def test_what_cannot_be_used_is_told(tmp_path):
    a = write(tmp_path / "a")
    given = [a / "features.csv", a / "markers.csv", "--out", tmp_path / "out"]
    for words, error, got in (
        (["--covariate", "age"], ConfigError, "covariates age without a table"),
        (["--covar", a / "clinical.csv", "--covariate", "agee"], ConfigError, "no column 'agee'"),
        (["--replication", tmp_path], RadiolocusError, "no link/link.parquet"),
        (["--scope", "some"], ConfigError, "scope = 'some'"),
    ):
        with pytest.raises(error) as caught:
            call(*given, *words)
        assert got in caught.value.got
    with pytest.raises(ConfigError):
        call(a / "features.csv", "--out", tmp_path / "out")
    frame = pl.read_csv(a / "markers.csv").with_columns(("Q-" + pl.col("id")).alias("id"))
    frame.write_csv(a / "others.csv")
    with pytest.raises(TableError) as caught:
        call(a / "features.csv", a / "others.csv", "--out", tmp_path / "out")
    assert "P00" in caught.value.got
    assert "Q-P00" in caught.value.got


def test_the_settings_of_the_documentation_are_those_of_the_program(tmp_path):
    page = (Path(__file__).resolve().parents[2] / "docs/link.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "link.toml").write_text(block)
    options = load_link(tmp_path / "link.toml")
    assert options.tests == {"TMB": "linear"}
    (tmp_path / "bad.toml").write_text('permutatoins = 5\nscope = "x"\n')
    with pytest.raises(StudyError) as caught:
        load_link(tmp_path / "bad.toml")
    assert "permutations" in caught.value.got


def test_a_cell_that_is_no_number_is_told_where_it_stands(tmp_path):
    a = write(tmp_path / "a", n=30)
    lines = (a / "features.csv").read_text().splitlines()
    cells = lines[7].split(",")
    cells[2] = "few pictures"
    lines[7] = ",".join(cells)
    (a / "features.csv").write_text("\n".join(lines))
    code, said = call(a / "features.csv", a / "markers.csv", "--out", tmp_path / "out")
    assert code == 0
    assert "text 'few pictures' in a column of numbers became null (features.csv, row 8, column 'CT:cm_0')" in said
    assert "1 such in" in said


def test_rows_that_differ_or_have_no_id_are_set_aside_by_name(tmp_path):
    a = write(tmp_path / "a")
    frame = pl.read_csv(a / "features.csv", schema_overrides={"id": pl.String})
    other = frame[[3]].with_columns(pl.col("CT:cm_0") + 1.0)
    bare = frame[[4]].with_columns(id=pl.lit(None, pl.String))
    pl.concat([frame, frame[[2]], other, bare]).write_csv(a / "features.csv")
    code, said = call(a / "features.csv", a / "markers.csv", "--out", tmp_path / "out")
    assert code == 3, said
    assert "some subjects were set aside" in said
    problems = read_table(tmp_path / "out", "problems").filter(severity="set aside")
    assert problems["subject"].to_list() == [None, "P03"]
    assert problems["got"].to_list() == [
        "1 rows without an id are set aside",
        "2 rows of one subject that differ: it is set aside",
    ]
    assert read_table(tmp_path / "out", "link/link")["n"].max() == 49


def test_cards_and_the_print_of_markers_are_made_of_a_folder_of_links(tmp_path):
    a = write(tmp_path / "a")
    call(a / "features.csv", a / "markers.csv", "--out", tmp_path / "out")
    page = (tmp_path / "out/report.html").read_text()
    assert "Binary markers of 50 subjects beside imaging features" in page
    for name in ("CT:cm_0", "EGFR"):
        said = CliRunner().invoke(app, ["card", str(tmp_path / "out"), name], catch_exceptions=False)
        assert said.exit_code == 0
    kept = pq.read_schema(tmp_path / "out/features/phenotypes.parquet").field("CT:cm_0").metadata
    assert kept[b"meaning"] == b"imaging feature"
    card = (tmp_path / "out/cards/CT_cm_0.html").read_text()
    assert "EGFR" in card
    assert "CT:cm_0" in (tmp_path / "out/cards/EGFR.html").read_text()


def test_markers_may_be_words(tmp_path):
    a = write(tmp_path / "a")
    frame = pl.read_csv(a / "markers.csv")
    words = frame.select(
        "id",
        EGFR=pl.when(pl.col("EGFR") == 1).then(pl.lit("Mutant")).otherwise(pl.lit("Wildtype")),
        subtype=pl.Series(["basal", "luminal", "her2"]).gather(frame["stage"] - 1),
        remark=pl.col("id") + " seen",
    )
    words.write_csv(a / "words.csv")
    code, said = call(a / "features.csv", a / "words.csv", "--out", tmp_path / "words")
    assert code == 0, said
    table = read_table(tmp_path / "words", "link/link")
    assert set(table["marker"]) == {"EGFR", "subtype=basal", "subtype=luminal", "subtype=her2"}
    call(a / "features.csv", a / "markers.csv", "--out", tmp_path / "numbers")
    numbers = read_table(tmp_path / "numbers", "link/link").filter(marker="EGFR").sort("feature")
    words = table.filter(marker="EGFR").sort("feature")
    np.testing.assert_allclose(words["estimate"], numbers["estimate"], rtol=1e-9)
    problems = read_table(tmp_path / "words", "problems")
    assert problems.filter(pl.col("item") == "remark").height == 1


def test_ids_may_stand_in_any_column_and_within_longer_names(tmp_path):
    a = write(tmp_path / "a")
    frame = pl.read_csv(a / "features.csv")
    told = frame.select(
        pl.int_range(pl.len()).alias("row"), Image=pl.lit("/data/") + pl.col("id") + "_ct.nii.gz",
        diagnostics_Voxels=pl.int_range(pl.len()) * 3,
    )  # fmt: skip
    table = pl.concat([told, frame.drop("id", "scanner")], how="horizontal").write_csv()
    (a / "image.csv").write_text(table.removeprefix("row"))  # as pandas writes its row numbers: without a header
    markers = pl.read_csv(a / "markers.csv").select("EGFR", "stage", pl.col("id").alias("Patient ID"))
    markers.write_csv(a / "patients.csv")
    code, said = call(
        a / "image.csv", a / "patients.csv", "--features-id", "Image", "--id", "Patient ID", "--extract", r"(P\d+)",
        "--marker", "EGFR",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert code == 0, said
    table = read_table(tmp_path / "out", "link/link")
    assert set(table["feature"]) == set(frame.columns[2:])
    assert table["n"].unique().to_list() == [50]
    assert table["marker"].unique().to_list() == ["EGFR"]
    with pytest.raises(ConfigError, match=r"no marker 'EGFRR'.*EGFR"):
        call(a / "features.csv", a / "markers.csv", "--marker", "EGFRR", "--out", tmp_path / "out2")


def test_who_of_the_features_is_in_the_other_tables_is_told(tmp_path):
    a = write(tmp_path / "a")
    frame = pl.read_csv(a / "markers.csv")
    strange = frame[40:45].with_columns(("p-0" + pl.col("id").str.slice(1)).alias("id"))
    pl.concat([frame[:40], strange]).write_csv(a / "markers.csv")
    code, said = call(a / "features.csv", a / "markers.csv", "--covar", a / "clinical.csv", "--out", tmp_path / "out")
    assert code == 0, said
    told = (
        "40 of the 50 subjects of features.csv are in markers.csv; 10 are not (P40, P41, P42, ...); 5 are there alone"
    )
    assert told in said
    assert "5 resemble each other ('p-040' is probably 'P40'" in said
    assert "clinical.csv" not in said  # it has everybody
    assert "10 are not (P40" in (tmp_path / "out/report.html").read_text()
    assert read_table(tmp_path / "out", "link/link")["n"].max() == 40


def test_a_patient_of_several_samples_is_set_aside_from_the_expression_alone(tmp_path):
    a = write(tmp_path / "a")
    matrix = pl.read_csv(a / "rna.tsv", separator="\t")
    twice = matrix.with_columns((pl.col("P03") + 1.0).alias("P03-02A")).rename({"P04": "P04-01A"})
    twice.write_csv(a / "rna.tsv", separator="\t")
    code, said = call(
        a / "features.csv", a / "markers.csv", "--expression", a / "rna.tsv", "--extract", r"^(P\d+)",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert code == 3, said
    problems = read_table(tmp_path / "out", "problems").filter(severity="set aside")
    assert problems.select("subject", "got", "where").rows() == [
        ("P03", "2 samples of one subject (P03, P03-02A): it has no expression", "rna.tsv")
    ]
    table = read_table(tmp_path / "out", "link/link")
    assert table.filter(marker="expr:G0")["n"].unique().to_list() == [49]
    assert table.filter(marker="EGFR")["n"].unique().to_list() == [50]


def test_no_pair_that_could_be_tested_is_no_success(tmp_path):
    a = write(tmp_path / "a", n=6)
    code, output = call(a / "features.csv", a / "markers.csv", "--out", tmp_path / "out")
    assert code == 2
    assert "0 links tested" in output
    assert "fewer than 20 subjects" in output
    assert "no pair of a feature and a marker could be tested" in output
