import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from plink2 import linked
from radiolocus.app.cli import app
from radiolocus.app.qc import QcOrder, quality_control
from radiolocus.errors import ConfigError, StoreError, TableError
from radiolocus.genome.control import QcOptions
from radiolocus.schema import TABLES
from radiolocus.store import read_json, read_table


@pytest.fixture
def files(tmp_path):
    source = linked(tmp_path, variants=900, chromosomes=6)
    rng = np.random.default_rng(1)
    pl.DataFrame(
        {
            "who": [*source.sample_ids[1:], "stranger"],
            "gender": ["male", "female"] * 75,
            "site": rng.choice(["Bern", "Lund", "Oslo"], 150),
            "age": rng.integers(30, 80, 150),
        }
    ).write_csv(tmp_path / "people.csv")
    return tmp_path


def test_the_command_writes_tables_lists_and_a_page(files):
    arguments = ["qc", str(files / "linked"), "--out", str(files / "out"), "--table", str(files / "people.csv")]
    arguments += ["--id", "who", "--sex", "gender", "--colour", "site", "--colour", "age", "--components", "4"]
    ran = CliRunner().invoke(app, [*arguments, "--jobs", "1"])
    assert ran.exit_code == 0, ran.output
    variants, samples = (read_table(files / "out", f"genome/{name}") for name in ("variant_qc", "sample_qc"))
    assert f"{variants['kept'].sum()} of 900 variants kept" in ran.output
    assert "people.csv: 149 of 150 samples have a row of their own" in ran.output
    kept = (files / "out" / "keep_variants.txt").read_text().split()
    assert kept == variants.filter("kept")["variant_id"].to_list()
    assert (files / "out" / "keep_samples.txt").read_text().split() == samples.filter("kept")["sample"].to_list()
    pruned = (files / "out" / "pruned_variants.txt").read_text().split()
    assert set(pruned) < set(kept)
    assert samples["sex"].to_list()[:3] == ["", "male", "female"]
    assert samples.columns[-6:] == ["PC1", "PC2", "PC3", "PC4", "site", "age"]
    page = (files / "out" / "report.html").read_text()
    for piece in (
        "Genotype quality",
        "What each filter took out",
        "coloured by site",
        "coloured by age",
        "Related pairs",
    ):
        assert piece in page
    assert page.count("<figure") == 4
    assert str(files) not in page
    manifest = read_json(files / "out", "genome/manifest.json")
    assert set(manifest["input_hash"]) == {"linked.bed", "linked.bim", "linked.fam", "people.csv"}
    for name in ("variant_qc", "sample_qc", "relatives", "qc_steps"):
        file = files / "out" / "genome" / f"{name}.parquet"
        told, types = TABLES[f"genome/{name}"], pl.read_parquet_schema(file)
        assert {c: types[c] for c in told.schema} == told.schema
        assert all(field.metadata[b"meaning"] for field in pq.read_schema(file))
        assert pl.read_csv(file.with_suffix(".csv"), infer_schema=False).columns == list(types)
    problems = read_table(files / "out", "problems")
    assert any("have a row of their own" in got for got in problems["got"])
    # the same bytes whatever the threads
    again = quality_control(
        files / "linked", files / "second", QcOptions(components=4),
        QcOrder(table=files / "people.csv", id="who", sex="gender", colours=("site", "age")), jobs=2,
    )[0]  # fmt: skip
    assert again.variants.equals(variants)
    for name in ("sample_qc", "relatives", "qc_steps"):
        first, second = ((files / folder / "genome" / f"{name}.parquet").read_bytes() for folder in ("out", "second"))
        assert first == second, name
    assert (files / "second" / "report.html").read_text() == page


@pytest.mark.parametrize(
    ("order", "got", "told"),
    [
        ({"sex": "gender"}, "a column without a table", "give --table"),
        ({"table": True, "id": "id"}, "no column 'id'", ""),
        ({"table": True, "id": "who", "sex": "sex"}, "no column 'sex'", ""),
        ({"table": True, "id": "who", "sex": "site"}, "sex '", "recode"),
        ({"table": True, "id": "who", "colours": ("f",)}, "no column 'f'", ""),
    ],
)
def test_tables_that_cannot_be_followed(files, order, got, told):
    if order.get("table"):
        order = order | {"table": files / "people.csv"}
    with pytest.raises((ConfigError, TableError)) as caught:
        quality_control(files / "linked", files / "out", QcOptions(), QcOrder(**order))
    assert got in caught.value.got
    assert told in caught.value.todo
    assert not (files / "out" / "study.json").exists()


def test_a_column_with_the_name_of_a_result(files):
    table = pl.read_csv(files / "people.csv").rename({"age": "call_rate"})
    table.write_csv(files / "people.csv")
    order = QcOrder(table=files / "people.csv", id="who", colours=("call_rate",))
    with pytest.raises(ConfigError, match="column call_rate has the name of a result"):
        quality_control(files / "linked", files / "out", QcOptions(), order)


def test_a_folder_of_something_else_is_left_alone(files):
    (files / "out").mkdir()
    (files / "out" / "thesis.txt").write_text("years of work")
    with pytest.raises(StoreError, match="not empty"):
        quality_control(files / "linked", files / "out", QcOptions(), QcOrder())


def test_mistakes_on_the_command_line(files):
    ran = CliRunner().invoke(app, ["qc", str(files / "linked"), "--out", str(files / "out"), "--min-maf", "0.9"])
    assert ran.exit_code == 2
    assert "min_maf = 0.9; allowed: 0 to 0.5" in ran.output
