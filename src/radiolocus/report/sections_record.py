"""The record: planted truth of a demonstration, problems met, methods, settings, versions and hashes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from radiolocus.errors import StoreError
from radiolocus.report.blocks import Block, Fact, Facts, Row, Section, Table, Text
from radiolocus.report.numbers import MISSING, count, number_cell, plural
from radiolocus.report.references import methods_of, references_of
from radiolocus.report.source import STAGES, Artefacts

__all__ = ["planted", "problems", "provenance"]

_TRUTH = ("kind", "planted", "found", "evidence", "verdict")
_ORDER = {"set aside": 0, "no value": 1, "note": 2}
_NAMED = 12


def planted(art: Artefacts) -> Section | None:
    """Return what a simulated study had planted and what was found; None for a real study."""
    path = art.root / "demo" / "truth.parquet"
    if not path.is_file():
        return None
    frame = pl.read_parquet(path)
    missing = [c for c in _TRUTH if c not in frame.columns]
    if missing:
        raise StoreError(
            f"no column {', '.join(missing)}",
            where="demo/truth.parquet",
            allowed=", ".join(_TRUTH),
            todo="run the demonstration again",
        )
    rows: list[Row] = [[_word(v) for v in row] for row in frame.select(_TRUTH).iter_rows()]
    held = int(frame["found"].cast(pl.Boolean).sum())
    return Section(
        "planted",
        "Planted truth and what was found",
        [
            Text(
                "This cohort is simulated: every effect below was put there, so it can be seen what the study recovers."
            ),
            Table(
                "What was planted, false positives included",
                ["kind", "planted", "as planted", "evidence", "verdict"],
                rows,
            ),
        ],
        [f"{held} of {plural(frame.height, 'statement')} about the planted truth hold"],
    )


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return MISSING if value is None else str(value)


def _people(names: list[str | None]) -> str:
    known = sorted({n for n in names if n})
    if not known:
        return MISSING
    shown = ", ".join(known[:_NAMED])
    return shown if len(known) <= _NAMED else f"{shown} and {len(known) - _NAMED} more"


def problems(art: Artefacts) -> Section:
    """Return every problem of every stage, equal ones gathered in one row."""
    frame = art.table("problems")
    if frame is None:
        text = (
            "problems.parquet is not there." if not (art.root / "problems.parquet").is_file() else "No problem was met."
        )
        return Section("problems", "Problems", [Text(text)], ["none" if "No" in text else "not recorded"])
    lost, notes = frame.filter(pl.col("severity") != "note"), frame.filter(pl.col("severity") == "note")
    blocks: list[Block] = []
    if lost.height:
        text = (
            "set aside: the subject, image, variant or endpoint was not analysed in that stage. no value: one value is "
            "missing. "
            "Row by row: problems.csv."
        )
        blocks.append(_gathered(lost, "What could not be used", text))
    if notes.height:
        caption = "What was noticed on the way; nothing was lost by it"
        blocks.append(_gathered(notes, caption, "Row by row: problems.csv."))
    counts = (
        frame.group_by("severity").agg(pl.col("count").sum()).sort(pl.col("severity").replace_strict(_ORDER, default=3))
    )
    return Section("problems", "Problems", blocks, [", ".join(f"{s}: {count(n)}" for s, n in counts.iter_rows())])


def _gathered(frame: pl.DataFrame, caption: str, note: str) -> Table:
    """One row for equal problems; a column that says nothing in any row is left out."""
    keys = ["severity", "stage", "got", "allowed", "todo"]
    grouped = frame.group_by(keys).agg(pl.col("subject"), pl.col("item"), pl.col("where"), pl.col("count").sum())
    grouped = grouped.sort(pl.col("severity").replace_strict(_ORDER, default=3), *keys, nulls_last=True)
    rows: list[Row] = [
        [
            r["severity"],
            r["stage"],
            r["got"],
            _people(r["subject"]),
            _people(r["item"]),
            _people(r["where"]),
            r["allowed"] or MISSING,
            r["todo"] or MISSING,
            number_cell(r["count"]),
        ]
        for r in grouped.iter_rows(named=True)
    ]
    head = ["severity", "stage", "got", "subjects", "item", "where", "allowed", "what to do", "times"]
    told = [i for i in range(len(head)) if any(row[i] != MISSING for row in rows)]
    if frame["severity"].n_unique() == 1 and frame["severity"][0] == "note":
        told.remove(0)
    return Table(
        caption,
        [head[i] for i in told],
        [[row[i] for i in told] for row in rows],
        [head[i] == "times" for i in told],
        sortable=True,
        note=note,
    )


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key in value:
            yield from _flat(value[key], f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list) and any(isinstance(v, Mapping) for v in value):
        for i, item in enumerate(value):
            yield from _flat(item, f"{prefix}[{i}]")
    else:
        yield prefix, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _stages(art: Artefacts) -> Table | None:
    stages = art.study.get("stages", {})
    if not stages:
        return None
    order = {name: i for i, name in enumerate(STAGES)}
    rows: list[Row] = [
        [name, "ran" if told.get("ran") else "did not run", told.get("why") or MISSING]
        for name, told in sorted(stages.items(), key=lambda s: order.get(s[0], len(order)))
    ]
    return Table("Stages", ["stage", "state", "why"], rows)


def _hashes(art: Artefacts) -> list[Block]:
    rooms, tables = list[Row](), list[Row]()
    for room, told in art.manifests.items():
        inputs = told.get("input_hash", "")
        lines = inputs if isinstance(inputs, Mapping) else {"inputs": inputs}
        seed = told.get("seed")
        rooms += [
            [room, str(name), str(value), str(told.get("config_hash", "")), MISSING if seed is None else str(seed)]
            for name, value in lines.items() or [(MISSING, MISSING)]
        ]
        tables += [
            [name, number_cell(t.get("rows")), str(t.get("sha256", ""))]
            for name, t in sorted(told.get("tables", {}).items())
        ]
    if not rooms:
        return []
    return [
        Table(
            "Inputs and settings by hash (SHA-256)",
            ["stage", "input", "hash of the input", "hash of the settings", "seed"],
            rooms,
            folded=True,
        ),
        Table(
            "Tables by hash (SHA-256 of the Parquet file)",
            ["table", "rows", "hash"],
            tables,
            [False, True, False],
            folded=True,
        ),
    ]


def _versions(art: Artefacts) -> Facts:
    found: dict[str, set[str]] = {}
    for told in art.manifests.values():
        for name, value in (told.get("versions") or {}).items():
            found.setdefault(name, set()).add(str(value))
    if art.study.get("radiolocus_version"):
        found.setdefault("radiolocus", set()).add(str(art.study["radiolocus_version"]))
    if art.study.get("python_version"):
        found["Python"] = {str(art.study["python_version"])}
    facts = [
        Fact(name, ", ".join(sorted(values))) for name, values in sorted(found.items(), key=lambda i: i[0].lower())
    ]
    if art.study.get("artefact_schema") is not None:
        facts.append(Fact("artefact schema", str(art.study["artefact_schema"])))
    if art.study.get("seed") is not None:
        facts.append(Fact("seed", str(art.study["seed"])))
    return Facts("Versions", facts)


def provenance(art: Artefacts) -> Section:
    """Return methods, settings, versions, hashes, and the stages that did not run."""
    blocks: list[Block] = [Text(text) for text in methods_of(art)]
    if (stages := _stages(art)) is not None:
        blocks.append(stages)
    blocks.append(_versions(art))
    settings = list(_flat(art.study.get("settings", {})))
    if settings and settings[0][0]:
        blocks.append(
            Facts("Settings of the study file, defaults included", [Fact(k, v) for k, v in settings], folded=True)
        )
    blocks += _hashes(art)
    if papers := references_of(art):
        blocks.append(Facts("Sources of the methods", [Fact(short, full) for short, full in papers]))
    return Section("methods", "Methods and provenance", blocks)
