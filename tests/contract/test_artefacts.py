"""What holds for every artefact that a full run writes."""

import hashlib
import json
from importlib.metadata import version

import polars as pl
import pyarrow.parquet as pq
import pytest

from flow.small_study import GENETICS, MOLECULAR, OUTCOME, RESPONSE, SmallStudy
from radiolocus.schema import TABLES
from radiolocus.store import ROOMS

CLOSED_TO_CSV = {"sumstats/sumstats", "features/thumbnails"}
# Written by commands of their own, whose tests hold them to the same.
OTHER_COMMANDS = {f"genome/{name}" for name in ("variant_qc", "sample_qc", "relatives", "qc_steps")}
OTHER_COMMANDS |= {f"sumstats/{name}" for name in ("variants", "variant_ids", "multitrait", "binary", "mixed")}
OTHER_COMMANDS |= {f"sumstats/{name}" for name in ("clumps", "loci", "ldsc", "finemap", "credible_sets")}
WRITTEN = sorted(name for name in TABLES if not name.startswith("demo/") and name not in OTHER_COMMANDS)
ROOMS_OF_A_RUN = [room for room in ROOMS if room != "demo"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("artefacts") / "study"
    folder.mkdir()
    study = SmallStudy(folder, n=24)
    study.text = study.text.replace("[imaging]\n", '[imaging]\ncontrols = ["shuffled", "volume"]\n')
    study.text += "[imaging.perturb]\nnoise = 2\n" + GENETICS + MOLECULAR + OUTCOME + RESPONSE
    return study.run().root


def test_a_run_writes_the_tables_of_the_vocabulary_and_no_other(root):
    found = sorted(p.relative_to(root).with_suffix("").as_posix() for p in root.rglob("*.parquet"))
    assert found == WRITTEN
    assert sorted(p.name for p in root.iterdir() if p.is_file() and not p.name.startswith(".")) == [
        "problems.csv",
        "problems.parquet",
        "report.html",
        "study.json",
    ]


@pytest.mark.parametrize("name", WRITTEN)
def test_columns_have_their_type_meaning_and_unit(root, name):
    told = TABLES[name]
    fields = pq.read_schema(root / f"{name}.parquet")
    types = pl.read_parquet_schema(root / f"{name}.parquet")
    assert {c: types[c] for c in told.schema} == told.schema
    assert fields.names[: len(told.columns)] == list(told.schema)
    assert told.open_ended or len(fields.names) == len(told.columns)
    for field in fields:
        assert field.metadata, f"column {field.name} does not say what it is"
        assert field.metadata[b"meaning"], field.name
    for column in told.columns:
        kept = {key.decode(): value.decode() for key, value in fields.field(column.name).metadata.items()}
        wanted = {"meaning": column.meaning, "unit": column.unit, "source": column.source}
        assert {key: kept.get(key, "") for key in wanted} == wanted


@pytest.mark.parametrize("name", WRITTEN)
def test_the_csv_beside_a_table_holds_its_rows(root, name):
    csv = root / f"{name}.csv"
    assert csv.exists() == (name not in CLOSED_TO_CSV)
    if csv.exists():
        table = pl.read_parquet(root / f"{name}.parquet")
        rows = pl.read_csv(csv, infer_schema=False)
        assert rows.columns == table.columns
        assert rows.height == table.height


@pytest.mark.parametrize("room", ROOMS_OF_A_RUN)
def test_the_manifest_tells_what_made_the_tables(root, room):
    told = json.loads((root / room / "manifest.json").read_text())
    assert told["stage"] == room
    assert told["versions"]["radiolocus"] == version("radiolocus")
    assert told["versions"]["numpy"] == version("numpy")
    assert len(told["key"]) == len(told["config_hash"]) == 64
    assert told["input_hash"]
    assert told["wall_time_s"] > 0
    assert "seed" in told
    assert set(told["tables"]) == {name for name in WRITTEN if name.startswith(f"{room}/")}
    for name, facts in told["tables"].items():
        assert facts["sha256"] == hashlib.sha256((root / f"{name}.parquet").read_bytes()).hexdigest()
        assert facts["rows"] == pl.read_parquet(root / f"{name}.parquet").height


def test_no_artefact_holds_a_path_of_this_machine(root):
    here = str(root.parent).encode()
    for path in root.rglob("*"):
        if path.is_file():
            assert here not in path.read_bytes(), path.name
