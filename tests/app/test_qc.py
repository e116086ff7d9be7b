import json

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from plink2 import linked
from radiolocus.app.cli import app
from radiolocus.app.qc import QcOrder, quality_control
from radiolocus.errors import ConfigError, StoreError, TableError
from radiolocus.genome import relatives
from radiolocus.genome.control import QcOptions
from radiolocus.schema import TABLES
from radiolocus.store import Stage, read_json, read_table


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


def test_a_table_of_other_people(files):
    pl.DataFrame({"IID": ["a", "b"], "age": [1, 2]}).write_csv(files / "people.csv")
    with pytest.raises(TableError) as caught:
        quality_control(files / "linked", files / "o", QcOptions(), QcOrder(table=files / "people.csv"))
    assert caught.value.got == (
        "none of the 150 samples has a row of its own: the table has a, b, the genotypes s0, s1, s2"
    )
    assert caught.value.where == "people.csv, column IID"
    assert "--id" in caught.value.todo


def test_alleles_are_held_against_a_reference(files):
    bim = (files / "linked.bim").read_text().splitlines()
    lines = [line.split("\t") for line in bim]
    for line in lines[:5]:
        line[4:] = ["C", "A"]  # exchanged
    for line in lines[5:12]:
        line[4:] = ["T", "G"]  # of the other strand
    for line in lines[12:15]:
        line[4:] = ["A", "G"]  # another variant
    (files / "other.bim").write_text("".join("\t".join(line) + "\n" for line in lines[:-20]))
    arguments = ["qc", str(files / "linked"), "--out", str(files / "out"), "--alleles", str(files / "other.bim")]
    ran = CliRunner().invoke(app, [*arguments, "--components", "0"])
    assert ran.exit_code == 0, ran.output
    for told in (
        "against other.bim: 865 variants, the alleles stand as in the reference",
        "against other.bim: 5 variants, effect and other allele are exchanged",
        "against other.bim: 7 variants, the alleles of the other strand",
        "against other.bim: 3 variants, the alleles are not those of the reference",
        "against other.bim: 20 variants, no variant of the reference lies there",
        "for example, v12 A/C, v13 A/C, v14 A/C; they go",
    ):
        assert told in ran.output
    variants = read_table(files / "out", "genome/variant_qc")
    gone = variants.filter(pl.col("reason") == "the alleles are not those of the reference")
    assert gone["variant_id"].to_list() == ["v12", "v13", "v14"]
    assert read_table(files / "out", "genome/qc_steps").row(0)[:2] == ("variants", "alleles")
    for line in lines:
        line[3] = str(int(line[3]) + 100_000_000)
    (files / "other.bim").write_text("".join("\t".join(line) + "\n" for line in lines))
    with pytest.raises(TableError, match="none of the 900 variants") as caught:
        quality_control(files / "linked", files / "o", QcOptions(), QcOrder(alleles=files / "other.bim"))
    assert "GRCh38" in caught.value.todo
    # the alleles of another genotype file are as good
    found, notes = quality_control(
        files / "linked", files / "o", QcOptions(components=0), QcOrder(alleles=files / "linked.bed")
    )
    assert "against linked.bed: 900 variants, the alleles stand as in the reference" in notes
    assert not (found.variants["reason"] == "the alleles are not those of the reference").any()


def contents(root):
    """All that stays, without what tells the time; of what is kept of steps the names."""
    found = {}
    for file in sorted(root.rglob("*")):
        name = file.relative_to(root).as_posix()
        if file.name == "manifest.json":
            found[name] = json.loads(file.read_text())["tables"]
        elif "/.units/" in name:
            found[name] = b""
        elif file.is_file() and file.name not in (".lock", ".fingerprints.json"):
            found[name] = file.read_bytes()
    return found


def test_killed_at_any_step_and_with_any_number_of_workers_the_bytes_are_the_same(files, monkeypatch):
    monkeypatch.setattr(relatives, "_STEP", 64)  # three steps of 150 samples
    settings = QcOptions(components=2, min_sample_call_rate=0.985)  # drops some, so that variants are judged again
    order = QcOrder(table=files / "people.csv", id="who", sex="gender", colours=("site",))
    work = (files / "linked", files / "whole", settings, order)
    found, _ = quality_control(*work, jobs=1)
    assert not found.samples["kept"].all()
    expected = contents(files / "whole")
    assert len([name for name in expected if "/.units/" in name]) == 9
    quality_control(files / "linked", files / "two", settings, order, jobs=2)
    assert contents(files / "two") == expected
    save, saved, root = Stage.save_unit, [], files / "killed"

    def stop(self, unit, tables):
        save(self, unit, tables)
        saved.append(unit)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Stage, "save_unit", stop)
        for moment in range(1, 10):
            with pytest.raises(KeyboardInterrupt):
                quality_control(files / "linked", root, settings, order)
            assert len(set(saved)) == len(saved) == moment  # what was done is not done again
            assert not (root / "report.html").exists()
    with monkeypatch.context() as patch:
        patch.setattr(Stage, "save_unit", lambda *_: pytest.fail("counted again"))
        quality_control(files / "linked", root, settings, order)
    assert contents(root) == expected
    # finished: nothing is counted again, and other limits begin anew
    with monkeypatch.context() as patch:
        patch.setattr(Stage, "save_unit", lambda *_: pytest.fail("counted again"))
        quality_control(*work)
    assert contents(files / "whole") == expected
    again, _ = quality_control(files / "linked", files / "whole", QcOptions(components=2, min_maf=0.2), order)
    assert again.variants["kept"].sum() < found.variants["kept"].sum()


def test_a_folder_of_something_else_is_left_alone(files):
    (files / "out").mkdir()
    (files / "out" / "thesis.txt").write_text("years of work")
    with pytest.raises(StoreError, match="not empty"):
        quality_control(files / "linked", files / "out", QcOptions(), QcOrder())


def test_mistakes_on_the_command_line(files):
    ran = CliRunner().invoke(app, ["qc", str(files / "linked"), "--out", str(files / "out"), "--min-maf", "0.9"])
    assert ran.exit_code == 2
    assert "min_maf = 0.9; allowed: 0 to 0.5" in ran.output
