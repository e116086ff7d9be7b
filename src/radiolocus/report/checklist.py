"""Reporting checklists and quality scores, filled in from what a run knows; what only its authors know stays open."""

from __future__ import annotations

import time
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import polars as pl

from radiolocus.errors import StoreError
from radiolocus.report import checklist_images, checklist_models
from radiolocus.report.checklist_facts import RULES, Answer, Facts
from radiolocus.report.source import Artefacts
from radiolocus.schema import TABLES, conform
from radiolocus.store import Stage, digest

__all__ = ["CHECKLISTS", "Checklist", "checklists", "fill", "write_checklists"]

#: Files of items, in the order of the report.
CHECKLISTS = ("tripod_ai", "clear", "metrics", "rqs")
ROOM = "reporting"
#: Where the rules come from: importing them registers them.
SOURCES = (checklist_images, checklist_models)


@dataclass(frozen=True)
class Checklist:
    """A checklist: its name, what it is for, the paper, how it is scored, and its items."""

    name: str
    title: str
    citation: str
    score: str
    items: tuple[dict[str, Any], ...]
    best: float = 0.0


@cache
def checklists() -> tuple[Checklist, ...]:
    """Read the checklists that come with the package."""
    folder = files("radiolocus.report") / "checklists"
    raw = [tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8")) for name in CHECKLISTS]
    return tuple(Checklist(**{**one, "items": tuple(one["items"])}) for one in raw)


def fill(art: Artefacts) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Answer every item as far as the artefacts can.

    Returns
    -------
    items, scores : polars.DataFrame
        Tables ``reporting/checklist`` and ``reporting/scores``.
    """
    facts = Facts(art)
    rows, lines = [], []
    for checklist in checklists():
        answers = [_answer(item, facts) for item in checklist.items]
        ranges = [_range(checklist, item, a) for item, a in zip(checklist.items, answers, strict=True)]
        for item, answer, (least, most) in zip(checklist.items, answers, ranges, strict=True):
            told = (item["number"], item["section"], item["text"], answer.status, answer.known, least, most)
            rows.append((checklist.name, *told))
        counts = [
            sum(a.status == s for a in answers) for s in ("reported", "partly", "not done", "not applicable", "open")
        ]
        lines.append((checklist.name, len(answers), *counts, *_score(checklist, answers, ranges), checklist.citation))
    from_rows = [
        pl.DataFrame(table, schema=names, orient="row", infer_schema_length=None)
        for table, names in ((rows, _columns("checklist")), (lines, _columns("scores")))
    ]
    return conform(from_rows[0], "reporting/checklist"), conform(from_rows[1], "reporting/scores")


def _columns(name: str) -> list[str]:
    return list(TABLES[f"reporting/{name}"].schema)


def _answer(item: dict[str, Any], facts: Facts) -> Answer:
    rule = RULES[item["rule"]] if "rule" in item else None
    return (rule(facts) if rule is not None else None) or Answer("open")


def _range(checklist: Checklist, item: dict[str, Any], answer: Answer) -> tuple[float | None, float | None]:
    """What an item certainly, and what it possibly, adds to the score."""
    if checklist.score == "none":
        return None, None
    low, high = (0.0, item["weight"]) if checklist.score == "weights" else (float(item["least"]), float(item["most"]))
    if answer.least is not None and answer.most is not None:
        return answer.least, answer.most
    certain = {"reported": (high, high), "not done": (low, low), "not applicable": (0.0, 0.0)}
    return certain.get(answer.status, (low, high))


def _score(
    checklist: Checklist, answers: list[Answer], ranges: list[tuple[float | None, float | None]]
) -> tuple[float | None, float | None]:
    """Score in percent: least and most. Weights of items that do not concern the run leave the sum."""
    if checklist.score == "none":
        return None, None
    least, most = (sum(r[k] or 0.0 for r in ranges) for k in (0, 1))
    whole = checklist.best
    if checklist.score == "weights":
        kept = [i["weight"] for i, a in zip(checklist.items, answers, strict=True) if a.status != "not applicable"]
        whole = sum(kept)
    # RQS below zero counts as 0 % (Lambin et al. 2017).
    return 100.0 * max(0.0, least) / whole, 100.0 * max(0.0, most) / whole


def write_checklists(root: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Fill in the checklists of the run below `root` and write them as artefacts of room ``reporting``.

    Raises
    ------
    StoreError
        No run below `root`.
    """
    began = time.monotonic()
    art = Artefacts(root)
    if not art.study:
        raise StoreError("no study.json", where=root.name, allowed="the output folder of 'radiolocus run'")
    items, scores = fill(art)
    inputs = {room: str(m.get("key", "")) for room, m in art.manifests.items() if room != ROOM}
    stage = Stage(root, ROOM, [digest(art.study.get("settings", {}))], inputs)
    if stage.manifest() is None:
        stage.write("reporting/checklist", items)
        stage.write("reporting/scores", scores)
        stage.finish(seed=None, wall_time_s=time.monotonic() - began)
    return items, scores
