"""The artefact store: tables on disk, written whole or not at all, and what is already done.

An output folder holds ``study.json``, one folder a room with its Parquet tables, CSV copies for people and a
``manifest.json``, and ``problems.parquet``. A stage whose key (hash of its settings, its inputs and this version)
stands is not run again; finished units of an interrupted stage lie in ``<room>/.units`` and are taken up as they are.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, is_dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from radiolocus.errors import StoreError
from radiolocus.schema import TABLES, Column, conform

__all__ = [
    "ARTEFACT_SCHEMA",
    "BINARY",
    "Fingerprints",
    "Stage",
    "clear_room",
    "described",
    "digest",
    "locked",
    "open_folder",
    "read_json",
    "read_table",
    "versions",
    "write_bytes",
    "write_json",
    "write_table",
]

ARTEFACT_SCHEMA = 1
"""Raised when a reader of older results must know that a column changed its meaning."""

_LIBRARIES = ("numpy", "scipy", "numba", "polars", "pyarrow", "SimpleITK", "nibabel", "pydicom", "scikit-image")
_PARTIAL = ".partial-"
_SUFFIXES = (".parquet", ".csv")
_NO_CSV = {"sumstats/histogram", "features/thumbnails", "deep/maps"}  # millions of rows of text, and binary pixels
# What a genome-wide scan leaves beside tables of the vocabulary; folders of chromosomes are known by their name.
_SCAN = {"by_phenotype", "effects", "multitrait.json", "options.json", "told.json"}
# What the commands leave that read it.
_SCAN |= {"clump.json", "finemap.json", "ldsc.json"}
# What stands beside the tables of a room.
_BESIDE = {"sumstats": _SCAN, "mechanism": {"graph.graphml"}}
#: Below the results: scan of binary phenotypes, with rooms of its own.
BINARY = "binary"
ROOMS = tuple(dict.fromkeys(name.split("/")[0] for name in TABLES if "/" in name))


def versions() -> dict[str, str]:
    """Version of Radiolocus and of the libraries its numbers come from, for manifests."""
    return dict(_versions())


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    return tuple((name, version(name)) for name in ("radiolocus", *_LIBRARIES))


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that a reader (or a kill) sees the old file or the whole new one, never a part.

    Raises
    ------
    StoreError
        The file cannot be written (no permission, no room on the disk).
    """
    with _writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, data)


@contextlib.contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise StoreError(
            "a file stands where a folder is needed"
            if isinstance(error, FileExistsError | NotADirectoryError)
            else f"cannot be written ({error.strerror or error})",
            where=str(path),
            todo="make room on the disk and give the same command again, which goes on from what is finished"
            if full
            else "choose a folder that can be written to, or ask for permission",
        ) from None


def _replace(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=_PARTIAL)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented JSON with sorted keys, atomically."""
    write_bytes(path, (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode())


def read_json(root: Path, name: str) -> dict[str, Any] | None:
    """Read the JSON object ``root/name``; None when it is not there.

    Raises
    ------
    StoreError
        The file is there but is not a JSON object.
    """
    try:
        value = json.loads((root / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise StoreError(
            f"not JSON ({error})", where=name, todo="run the study again with --fresh, or restore the file"
        ) from None
    if not isinstance(value, dict):
        raise StoreError(f"a JSON {type(value).__name__}", where=name, allowed="an object")
    return value


def described(schema: pa.Schema, columns: Mapping[str, Column]) -> pa.Schema:
    """Put meaning, unit and source of known columns into the metadata of an Arrow schema."""
    for i, field in enumerate(schema):
        if column := columns.get(field.name):
            told = {"meaning": column.meaning, "unit": column.unit, "source": column.source}
            schema = schema.set(i, field.with_metadata({k: v for k, v in told.items() if v}))
    return schema


def _parquet(frame: pl.DataFrame, columns: Mapping[str, Column]) -> bytes:
    table = frame.to_arrow()
    buffer = io.BytesIO()
    told = pa.Table.from_arrays(table.columns, schema=described(table.schema, columns))
    pq.write_table(told, buffer, compression="zstd", version="2.6")
    return buffer.getvalue()


def write_table(
    root: Path, name: str, frame: pl.DataFrame, columns: Mapping[str, Column] | None = None
) -> dict[str, object]:
    """Write table `name` of the vocabulary below `root` as Parquet (and CSV), atomically.

    Parameters
    ----------
    root : Path
        Output folder.
    name : str
        Key of :data:`radiolocus.schema.TABLES`.
    frame : polars.DataFrame
    columns : mapping, optional
        What further columns of an open-ended table mean, by column name.

    Returns
    -------
    dict
        ``rows`` and ``sha256`` of the Parquet file, for the manifest.
    """
    frame = conform(frame, name)
    known = dict(columns or {}) | {c.name: c for c in TABLES[name].columns}
    data = _parquet(frame, known)
    write_bytes(root / f"{name}.parquet", data)
    if name not in _NO_CSV:
        write_bytes(root / f"{name}.csv", frame.write_csv().encode())
    return {"rows": frame.height, "sha256": hashlib.sha256(data).hexdigest()}


def read_table(root: Path, name: str) -> pl.DataFrame | None:
    """Read table `name` below `root`; None when that stage did not write it."""
    path = root / f"{name}.parquet"
    if not path.is_file():
        return None
    try:
        return pl.read_parquet(path)
    except pl.exceptions.PolarsError as error:
        raise StoreError(
            f"not a Parquet table ({error})", where=path.name, todo="run the study again with --fresh"
        ) from None


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return {"": type(value).__name__, **{k: _plain(v) for k, v in asdict(value).items()}}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def digest(*values: object) -> str:
    """SHA-256 of values made of dataclasses, mappings, sequences, numbers and text."""
    text = json.dumps(_plain(values), sort_keys=True, ensure_ascii=False, allow_nan=True)
    return hashlib.sha256(text.encode()).hexdigest()


class Fingerprints:
    """SHA-256 of input files and folders; a file of unchanged size and time is not read again.

    Parameters
    ----------
    root : Path
        Output folder, where the memory of earlier runs is kept (``.fingerprints.json``).
    """

    def __init__(self, root: Path) -> None:
        self._path = root / ".fingerprints.json"
        # A damaged memory only costs time, so it is forgotten rather than reported.
        try:
            self._known = read_json(root, self._path.name) or {}
        except StoreError:
            self._known = {}

    def of(self, path: Path) -> str:
        """Fingerprint of a file, or of all files of a folder with their relative names."""
        if path.is_dir():
            files = sorted(p for p in path.rglob("*") if p.is_file())
            return digest([(p.relative_to(path).as_posix(), self._file(p)) for p in files])
        return self._file(path)

    def _file(self, path: Path) -> str:
        stat = path.stat()
        # The key is hashed so that no path of this machine is kept in the results.
        key = hashlib.sha256(f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}".encode()).hexdigest()[:32]
        if key not in self._known:
            with path.open("rb") as file:
                self._known[key] = hashlib.file_digest(file, "sha256").hexdigest()
        return str(self._known[key])

    def save(self) -> None:
        """Remember for the next run."""
        write_json(self._path, self._known)


@contextlib.contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the output folder against a second run at the same time; a killed run leaves no lock behind.

    Raises
    ------
    StoreError
        Another run holds it, or it is no folder that can be written to.
    """
    with _writable(root):
        root.mkdir(parents=True, exist_ok=True)
        lock = (root / ".lock").open("w")
    with lock as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                "another run is writing to this folder",
                where=root.name,
                todo="wait until it ends, or choose another --out",
            ) from None
        yield


def open_folder(root: Path, name: str, identity: str, *, fresh: bool) -> None:
    """Make `root` ready for a study: refuse another study's results, or clear them when `fresh`.

    Only artefacts of Radiolocus are ever removed. A folder in which another study was refused before it left any result
    is free.

    Raises
    ------
    StoreError
        The folder holds another study, or files that are not ours where ours would stand.
    """
    root.mkdir(parents=True, exist_ok=True)
    found = read_json(root, "study.json") if not fresh else None
    there = sorted(p.name for p in root.iterdir() if not p.name.startswith("."))
    if fresh:
        _clear(root)
    elif found is None and there:
        raise StoreError(
            f"a folder that is not empty and holds no study ({', '.join(there[:5])})",
            where=str(root.name),
            allowed="a new or empty folder, or the folder of this study",
            todo="choose another --out, or give --fresh to write beside what is there",
        )
    elif found is not None and found.get("identity") != identity and there != ["study.json"]:
        raise StoreError(
            f"the results of another study ('{found.get('name')}', this one is '{name}')",
            where=str(root.name),
            allowed="a new folder, or the folder of this study",
            todo="choose another --out, or give --fresh to remove the results that are there",
        )
    _sweep(root)


def _is_ours(room: str, path: Path) -> bool:
    known = {f"{name.split('/')[1]}{suffix}" for name in TABLES if name.startswith(f"{room}/") for suffix in _SUFFIXES}
    known |= {"manifest.json", ".units"} | _BESIDE.get(room, set())
    return path.name in known or path.name.startswith((_PARTIAL, "chromosome=" if room == "sumstats" else _PARTIAL))


def clear_room(root: Path, room: str) -> None:
    """Remove what Radiolocus wrote in a room, finished or not, and the room when nothing else is in it."""
    folder = root / room
    if not folder.is_dir():
        return
    # The manifest first: a kill amid the clearing must not leave one that vouches for what is gone.
    for path in sorted(folder.iterdir(), key=lambda p: p.name != "manifest.json"):
        if not _is_ours(room, path):
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()
    if root.name == BINARY and not any(root.iterdir()):
        root.rmdir()


def _sweep(root: Path) -> None:
    """Remove the halves of files that a killed run was writing."""
    rooms = [top / room for top in (root, root / BINARY) for room in ROOMS]
    parts = [part for room in rooms for part in (*room.glob("chromosome=*"), room / "by_phenotype")]
    for folder in (root, root / BINARY, *rooms, *(room / ".units" for room in rooms), *parts):
        for path in folder.glob(f"{_PARTIAL}*"):
            path.unlink()


def _clear(root: Path) -> None:
    rooms = [(top, room) for top in (root, root / BINARY) for room in ROOMS]
    for top, room in rooms:
        folder = top / room
        foreign = sorted(p.name for p in folder.iterdir() if not _is_ours(room, p)) if folder.is_dir() else []
        if foreign:
            raise StoreError(
                f"files in folder '{room}' that Radiolocus did not write ({', '.join(foreign[:5])})",
                where=str(root.name),
                todo="choose another --out, or move them away",
            )
    for top, room in rooms:
        clear_room(top, room)
    for name in ("study.json", "problems.parquet", "problems.csv", "report.html", ".fingerprints.json"):
        (root / name).unlink(missing_ok=True)


class Stage:
    """One stage of a run: its key, its finished units, its tables and its manifest.

    Parameters
    ----------
    root : Path
        Output folder.
    room : str
        Folder of the stage below `root`.
    settings : object
        Everything that steers the result: dataclasses, mappings, sequences, numbers, text.
    inputs : mapping
        Fingerprint of every input by name.
    """

    def __init__(self, root: Path, room: str, settings: object, inputs: Mapping[str, str]) -> None:
        self.root = root
        self.room = room
        self.inputs = dict(inputs)
        self.config_hash = digest(settings)
        self.key = digest(version("radiolocus"), ARTEFACT_SCHEMA, room, self.config_hash, self.inputs)
        self._units = root / room / ".units"
        self._tables: dict[str, dict[str, object]] = {}

    def manifest(self) -> dict[str, Any] | None:
        """The manifest, when the stage is finished with this very key and its tables are still what it wrote."""
        found = read_json(self.root, f"{self.room}/manifest.json")
        if found is None or found.get("key") != self.key:
            return None
        for name, told in found.get("tables", {}).items():
            path = self.root / f"{name}.parquet"
            if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != told.get("sha256"):
                return None
        return found

    def load_unit(self, unit: str) -> dict[str, pl.DataFrame] | None:
        """Tables of a finished unit (by its own digest), or None."""
        try:
            with zipfile.ZipFile(self._units / f"{unit}.zip") as archive:
                return {name: pl.read_ipc(io.BytesIO(archive.read(name))) for name in archive.namelist()}
        except (FileNotFoundError, zipfile.BadZipFile, pl.exceptions.PolarsError):
            return None

    def save_unit(self, unit: str, tables: Mapping[str, pl.DataFrame]) -> None:
        """Keep the tables of a finished unit, atomically."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, frame in tables.items():
                archive.writestr(name, frame.write_ipc(None, compression="zstd").getvalue())
        write_bytes(self._units / f"{unit}.zip", buffer.getvalue())

    def scratch(self, name: str) -> Path:
        """Where an array that units share is kept, by its name; it goes with the units when the stage is finished."""
        return self._units / f"{digest(self.key, name)}.npy"

    def write(self, name: str, frame: pl.DataFrame, columns: Mapping[str, Column] | None = None) -> None:
        """Write one of the stage's tables."""
        self._tables[name] = write_table(self.root, name, frame, columns)

    def adopt(self, name: str, rows: int) -> None:
        """Take a Parquet file below the folder, written by other means than :meth:`write`, for one of the stage's."""
        with (self.root / f"{name}.parquet").open("rb") as file:
            self._tables[name] = {"rows": rows, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}

    def finish(self, *, seed: int | None, wall_time_s: float, keep_units: tuple[str, ...] = ()) -> None:
        """Write the manifest, which makes the stage finished, and drop the units not in `keep_units`."""
        write_json(
            self.root / self.room / "manifest.json",
            {
                "stage": self.room,
                "key": self.key,
                "config_hash": self.config_hash,
                "input_hash": self.inputs,
                "artefact_schema": ARTEFACT_SCHEMA,
                "versions": versions(),
                "seed": seed,
                "wall_time_s": round(wall_time_s, 3),
                "tables": self._tables,
            },
        )
        if self._units.exists():
            for path in self._units.iterdir():
                if path.stem not in keep_units:
                    path.unlink()
            if not any(self._units.iterdir()):
                self._units.rmdir()
