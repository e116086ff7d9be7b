"""The store: whole files or none, another study's folder is safe, finished work is taken up."""

import errno
import json
import os

import polars as pl
import pyarrow.parquet as pq
import pytest

from radiolocus import store
from radiolocus.errors import StoreError
from radiolocus.model import Problem
from radiolocus.schema import TABLES, Column, conform


def _rates(lower: float = 0.1) -> pl.DataFrame:
    row = {"quantity": "objective response rate", "estimate": 0.3, "lower": lower, "upper": 0.5, "events": 3, "n": 10}
    return pl.DataFrame([row])


def test_table_carries_meaning_and_unit_and_comes_back_equal(tmp_path):
    told = store.write_table(tmp_path, "response/rates", _rates())
    assert told["rows"] == 1
    field = pq.read_schema(tmp_path / "response/rates.parquet").field("lower")
    assert field.metadata[b"meaning"] == b"lower end of the 95 % interval"
    assert store.read_table(tmp_path, "response/rates").equals(conform(_rates(), "response/rates"))
    assert (tmp_path / "response/rates.csv").read_text().startswith("quantity,")


def test_open_ended_table_keeps_clinical_columns_with_their_meaning(tmp_path):
    frame = pl.DataFrame({"Age": [61], "subject": ["S1"]})
    store.write_table(tmp_path, "cohort/subjects", frame, {"Age": Column("Age", pl.Int64(), "age at diagnosis", "a")})
    schema = pq.read_schema(tmp_path / "cohort/subjects.parquet")
    assert schema.names == ["subject", "Age"]
    assert schema.field("Age").metadata[b"unit"] == b"a"


def test_unknown_or_missing_column_is_a_mistake_of_the_program():
    with pytest.raises(KeyError, match="surprise"):
        conform(_rates().with_columns(surprise=1), "response/rates")
    with pytest.raises(KeyError, match="lower"):
        conform(_rates().drop("lower"), "response/rates")


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    store.write_json(path, {"old": 1})

    def fail(_):
        raise OSError("disk full")

    monkeypatch.setattr(store.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        store.write_json(path, {"new": 2})
    assert json.loads(path.read_text()) == {"old": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_same_frame_same_bytes(tmp_path):
    first = store.write_table(tmp_path / "a", "response/rates", _rates())
    assert first == store.write_table(tmp_path / "b", "response/rates", _rates())
    assert first != store.write_table(tmp_path / "c", "response/rates", _rates(0.11))


def _finish(root, settings=None, table=None):
    stage = store.Stage(root, "response", settings or {"bar": 1}, {"lesions": "abc"})
    stage.write("response/rates", _rates() if table is None else table)
    stage.finish(seed=None, wall_time_s=1.0)
    return stage


def test_a_finished_stage_stands_until_settings_inputs_or_tables_change(tmp_path):
    _finish(tmp_path)
    assert store.Stage(tmp_path, "response", {"bar": 1}, {"lesions": "abc"}).manifest()["tables"]
    assert store.Stage(tmp_path, "response", {"bar": 2}, {"lesions": "abc"}).manifest() is None
    assert store.Stage(tmp_path, "response", {"bar": 1}, {"lesions": "abd"}).manifest() is None
    (tmp_path / "response/rates.parquet").write_bytes(b"damaged")
    assert store.Stage(tmp_path, "response", {"bar": 1}, {"lesions": "abc"}).manifest() is None


def test_units_come_back_and_damaged_ones_do_not(tmp_path):
    stage = store.Stage(tmp_path, "response", {}, {})
    assert stage.load_unit("u1") is None
    stage.save_unit("u1", {"rates": _rates(), "more": pl.DataFrame({"x": [1, 2]})})
    back = stage.load_unit("u1")
    assert back["rates"].equals(_rates())
    assert back["more"]["x"].to_list() == [1, 2]
    (tmp_path / "response/.units/u1.zip").write_bytes(b"PK half a file")
    assert stage.load_unit("u1") is None


def test_finishing_drops_stale_units_only(tmp_path):
    stage = store.Stage(tmp_path, "response", {}, {})
    for unit in ("keep", "stale"):
        stage.save_unit(unit, {"rates": _rates()})
    stage.finish(seed=1, wall_time_s=0.0, keep_units=("keep",))
    assert [p.stem for p in (tmp_path / "response/.units").iterdir()] == ["keep"]


def test_another_studys_folder_is_refused_and_fresh_removes_only_ours(tmp_path):
    store.open_folder(tmp_path, "one", "id-one", fresh=False)
    store.write_json(tmp_path / "study.json", {"name": "one", "identity": "id-one"})
    _finish(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    store.open_folder(tmp_path, "one", "id-one", fresh=False)
    with pytest.raises(StoreError, match=r"another study \('one', this one is 'two'\).*--fresh"):
        store.open_folder(tmp_path, "two", "id-two", fresh=False)
    assert (tmp_path / "response/rates.parquet").exists()
    store.open_folder(tmp_path, "two", "id-two", fresh=True)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_where_a_study_left_no_result_is_free(tmp_path):
    store.open_folder(tmp_path, "one", "id-one", fresh=False)
    store.write_json(tmp_path / "study.json", {"name": "one", "identity": "id-one"})
    store.open_folder(tmp_path, "two", "id-two", fresh=False)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="another study"):
        store.open_folder(tmp_path, "two", "id-two", fresh=False)


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.docx").write_text("mine")
    with pytest.raises(StoreError, match=r"holds no study \(thesis.docx\)"):
        store.open_folder(tmp_path, "one", "id", fresh=False)


def test_fresh_never_removes_a_room_that_is_not_ours(tmp_path):
    (tmp_path / "features").mkdir()
    (tmp_path / "features/mine.txt").write_text("mine")
    with pytest.raises(StoreError, match="did not write"):
        store.open_folder(tmp_path, "one", "id", fresh=True)
    assert (tmp_path / "features/mine.txt").exists()


def test_fresh_takes_away_what_a_killed_stage_left_without_a_manifest(tmp_path):
    stage = store.Stage(tmp_path, "response", {}, {})
    stage.write("response/rates", _rates())
    (tmp_path / "response/.partial-x").write_bytes(b"half")
    store.open_folder(tmp_path, "one", "id", fresh=True)
    assert list(tmp_path.iterdir()) == []


def test_fresh_removes_the_tables_of_every_room(tmp_path):
    for name in TABLES:
        if "/" in name:
            store.write_bytes(tmp_path / f"{name}.parquet", b"ours")
    store.open_folder(tmp_path, "one", "id", fresh=True)
    assert list(tmp_path.iterdir()) == []


def test_fresh_never_removes_a_file_of_somebody_else_beside_ours(tmp_path):
    _finish(tmp_path)
    (tmp_path / "response/notes.txt").write_text("mine")
    with pytest.raises(StoreError, match=r"'response'.*did not write \(notes.txt\)"):
        store.open_folder(tmp_path, "one", "id", fresh=True)
    assert (tmp_path / "response/manifest.json").exists()
    store.clear_room(tmp_path, "response")
    assert [p.name for p in (tmp_path / "response").iterdir()] == ["notes.txt"]


def test_the_half_files_of_a_killed_run_are_swept(tmp_path):
    store.write_json(tmp_path / "study.json", {"name": "one", "identity": "id"})
    _finish(tmp_path)
    for folder in (tmp_path, tmp_path / "response"):
        (folder / ".partial-x").write_bytes(b"half")
    store.open_folder(tmp_path, "one", "id", fresh=False)
    assert not list(tmp_path.rglob(".partial-*"))
    assert (tmp_path / "response/manifest.json").exists()


def test_two_runs_at_once_are_refused(tmp_path):
    with store.locked(tmp_path), pytest.raises(StoreError, match="another run"), store.locked(tmp_path):
        pass


def test_fingerprints_follow_content_and_survive_a_damaged_memory(tmp_path):
    folder = tmp_path / "series"
    folder.mkdir()
    (folder / "a.dcm").write_bytes(b"1")
    prints = store.Fingerprints(tmp_path)
    first = prints.of(folder)
    prints.save()
    assert store.Fingerprints(tmp_path).of(folder) == first
    assert str(tmp_path) not in (tmp_path / ".fingerprints.json").read_text()
    (folder / "a.dcm").write_bytes(b"22")
    assert store.Fingerprints(tmp_path).of(folder) != first
    (tmp_path / ".fingerprints.json").write_text("{half")
    assert store.Fingerprints(tmp_path).of(folder) != first


def test_digest_tells_dataclasses_apart_by_name_and_value():
    one = Problem("features", "x")
    assert store.digest(one) == store.digest(Problem("features", "x"))
    assert store.digest(one) != store.digest(Problem("features", "y"))
    assert store.digest({"a": 1, "b": 2}) == store.digest({"b": 2, "a": 1})
    assert store.digest((1, 2)) == store.digest([1, 2])


def test_a_broken_json_names_the_file_and_the_way_out(tmp_path):
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(StoreError, match=r"study.json.*--fresh"):
        store.open_folder(tmp_path, "one", "id", fresh=False)


def test_every_table_has_meaning_for_every_column_and_no_column_twice():
    for table in TABLES.values():
        assert table.meaning
        assert all(c.meaning for c in table.columns)
        assert len(table.schema) == len(table.columns)


def test_a_full_disk_is_told_and_leaves_no_half(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"study\.json: cannot be written \(No space left.*make room on the disk"):
        store.write_json(tmp_path / "study.json", {})
    assert list(tmp_path.iterdir()) == []
