"""What holds for every artefact that a full run writes."""

import hashlib
import json
from importlib.metadata import version

import polars as pl
import pyarrow.parquet as pq
import pytest

from flow.small_study import (
    BENEFIT,
    CASES,
    EARLY,
    FOLLOW_UP,
    GENETICS,
    GENOTYPING,
    MECHANISM,
    MOLECULAR,
    MONITORING,
    OUTCOME,
    RESPONSE,
    SmallStudy,
)
from radiolocus.schema import TABLES
from radiolocus.store import ROOMS

CLOSED_TO_CSV = {"sumstats/histogram", "features/thumbnails"}
# Rows of a scan lie in parts, by chromosome and by phenotype.
ROWS = {"sumstats/sumstats": "sumstats", "sumstats/binary": "binary/sumstats"}
# Data sets that may have millions of rows: Parquet alone.
DATA_SETS = {f"sumstats/{name}" for name in ("variants", "variant_ids")}
OF_A_SCAN = {f"sumstats/{name}" for name in ("histogram", "problems", "summary", "variants", "variant_ids")}
OF_A_SCAN |= {"genome/samples"}
# Further tables of these rooms are written by commands of their own, whose tests hold them to the same.
OTHER_ROOMS = ("deep", "demo", "mediation", "mendelian")
ELSEWHERE = ("genome/", "sumstats/", "features/phenotypes", *(f"{room}/" for room in OTHER_ROOMS))
WRITTEN = sorted(name for name in TABLES if name in OF_A_SCAN or not name.startswith(ELSEWHERE))
PLACES = {name: name for name in WRITTEN} | {f"binary/{name}": name for name in sorted(OF_A_SCAN)}
PARTS = {
    f"{folder}/{part}/part": table
    for table, folder in ROWS.items()
    for part in ("by_phenotype", "chromosome=1", "chromosome=2")
}
ROOMS_OF_A_RUN = [*(room for room in ROOMS if room not in OTHER_ROOMS), "binary/genome", "binary/sumstats"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("artefacts") / "study"
    folder.mkdir()
    study = SmallStudy(folder, n=24)
    study.text = study.text.replace("[imaging]\n", '[imaging]\ncontrols = ["shuffled", "volume"]\n')
    study.text += (
        "[imaging.perturb]\nnoise = 2\n" + GENETICS + CASES + MOLECULAR + OUTCOME + RESPONSE + FOLLOW_UP + MECHANISM
    )
    study.text += '[outcome.genetic]\nvariants = ["rs3"]\ncomponents = 1\ncomponent_variants = 20\n'
    study.treated()
    study.text += BENEFIT + EARLY + GENOTYPING + MONITORING
    return study.run().root


def test_a_run_writes_the_tables_of_the_vocabulary_and_no_other(root):
    found = sorted(p.relative_to(root).with_suffix("").as_posix() for p in root.rglob("*.parquet"))
    assert found == sorted([*PLACES, *PARTS])
    assert sorted(p.name for p in root.iterdir() if p.is_file() and not p.name.startswith(".")) == [
        "problems.csv",
        "problems.parquet",
        "report.html",
        "study.json",
    ]


@pytest.mark.parametrize("name", [*PLACES, *PARTS])
def test_columns_have_their_type_meaning_and_unit(root, name):
    told = TABLES[(PLACES | PARTS)[name]]
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


@pytest.mark.parametrize("name", PLACES)
def test_the_csv_beside_a_table_holds_its_rows(root, name):
    csv = root / f"{name}.csv"
    assert csv.exists() == (PLACES[name] not in CLOSED_TO_CSV | DATA_SETS)
    if csv.exists():
        table = pl.read_parquet(root / f"{name}.parquet")
        rows = pl.read_csv(csv, infer_schema=False)
        assert rows.columns == table.columns
        assert rows.height == table.height


@pytest.mark.parametrize("room", ROOMS_OF_A_RUN)
def test_the_manifest_tells_what_made_the_tables(root, room):
    told = json.loads((root / room / "manifest.json").read_text())
    assert told["stage"] == room.split("/")[-1]
    assert told["versions"]["radiolocus"] == version("radiolocus")
    assert told["versions"]["numpy"] == version("numpy")
    assert len(told["key"]) == len(told["config_hash"]) == 64
    assert told["input_hash"]
    assert told["wall_time_s"] > 0
    assert "seed" in told
    below = f"{room.rpartition('/')[0]}/".removeprefix("/")
    expected = {name for name in (*PLACES, *PARTS) if name.startswith(f"{room}/")}
    assert {f"{below}{name}" for name in told["tables"]} == expected
    for name, facts in told["tables"].items():
        file = root / f"{below}{name}.parquet"
        assert facts["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert facts["rows"] == pl.read_parquet(file, hive_partitioning=False).height


def test_no_artefact_holds_a_path_of_this_machine(root):
    here = str(root.parent).encode()
    for path in root.rglob("*"):
        if path.is_file():
            assert here not in path.read_bytes(), path.name
