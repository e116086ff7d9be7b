"""The whole analysis of treatment response, from a study file or from a table, into a folder with its report."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import polars as pl

from radiolocus.app.response import TableResponses, lines, order_of, responses_of_table
from radiolocus.config import Sections, load_study
from radiolocus.errors import ConfigError
from radiolocus.model import Problem
from radiolocus.pipeline import run_study
from radiolocus.pipeline.run import problem_frame
from radiolocus.read.sdtm import read_lesion_source
from radiolocus.read.therapy_lines import read_therapy_lines
from radiolocus.report.figures_timeline import TRACKS, rank_subjects, timeline
from radiolocus.report.html import write as write_report
from radiolocus.report.source import Artefacts
from radiolocus.response.beside import of_followed
from radiolocus.response.changes import changes_of, read_repeatability
from radiolocus.response.options import ResponseOptions
from radiolocus.response.respond import leading
from radiolocus.response.therapy import therapy_remarks
from radiolocus.schema import conform
from radiolocus.store import ARTEFACT_SCHEMA, read_table, write_json, write_table

__all__ = ["Analysed", "TableOrder", "analyse_study", "analyse_table", "draw_timelines", "judged"]

_KEPT = ("cohort", "imaging", "molecular", "response", "benefit", "early")
_STUDY_ONLY = ("ctdna", "clones", "resistance")


@dataclass(frozen=True)
class Analysed:
    """Lines for a person, and how many problems set something aside."""

    lines: tuple[str, ...]
    set_aside: int


@dataclass(frozen=True)
class TableOrder:
    """What is asked of a table: settings as ``[response]`` has them, criteria, treatments, repeatability."""

    source: Path
    settings: Path | None = None
    criteria: tuple[str, ...] = ()
    treatments: Path | None = None
    repeatability: Path | None = None


def analyse_study(file: Path, out: Path, *, root: Path | None = None, jobs: int = 1) -> Analysed:
    """Run the parts of a study that treatment response is made of, into a folder of its own.

    Raises
    ------
    ConfigError
        The study cannot be followed, or has no section on response.
    RadiolocusError
        As :func:`radiolocus.pipeline.run_study`.
    """
    study = load_study(file, root)
    if study.sections.response is None:
        raise ConfigError("no section [response]", where=file.name, todo="add it, or give a lesion table")
    others = {f.name: None for f in fields(Sections) if f.name not in _KEPT}
    part = replace(study, sections=replace(study.sections, **cast("dict[str, Any]", others)))
    done = run_study(part, out, jobs=jobs)
    return Analysed(tuple(line for line in done.lines if "did not run: no section" not in line), done.set_aside)


def analyse_table(order: TableOrder, out: Path) -> Analysed:
    """Analyse a lesion table, SDTM domains or structured reports: as :func:`analyse_study`, without clinical table.

    Raises
    ------
    ConfigError
        An option that cannot be followed, or one that needs a study file.
    RadiolocusError
        The source cannot be used.
    """
    asked = order_of(order.source, order.settings, criteria=order.criteria)
    options = asked.options
    if named := [name for name in _STUDY_ONLY if getattr(options, name) is not None]:
        raise ConfigError(
            f"{', '.join(named)} beside a table", allowed="in a study file", todo="write a study file: radiolocus init"
        )
    found = responses_of_table(order.source, asked)
    table, _ = read_lesion_source(order.source, options.columns)
    stated = read_repeatability(order.repeatability) if order.repeatability else None
    changes, told = changes_of(table.frame, None, None, options.delta, stated=stated)
    tables = found.tables | changes
    problems = [*found.problems, *told]
    if order.treatments:
        given = read_therapy_lines(order.treatments)
        known, unknown = of_followed(
            given.frame, table.subjects, where=order.treatments.name, what="lines of treatment"
        )
        problems += unknown
        tables["response/treatments"] = conform(known, "response/treatments")
        best = found.tables["response/criteria_best"]
        best = best.filter(pl.col("criterion") == leading(best, options.criterion))
        counted = "new_therapy_day" in table.frame.columns
        problems += [
            *given.problems,
            *therapy_remarks(tables["response/treatments"], best, where=order.treatments.name, counted=counted),
        ]
    if (compared := found.further.get("comparison")) is not None:
        tables["response/comparison"] = conform(compared, "response/comparison")
    _write(out, order, options, tables, problems)
    shown = TableResponses(found.tables, {}, found.problems)
    summary = [line for line in lines(shown) if not line.startswith(" ")]
    summary += [f"{p.where}: {p.got}" for p in problems if p.severity == "no value"]
    return Analysed(tuple(summary), len([p for p in problems if p.severity == "set aside"]))


def _write(
    out: Path, order: TableOrder, options: ResponseOptions, tables: dict[str, pl.DataFrame], problems: list[Problem]
) -> None:
    for name, table in tables.items():
        write_table(out, name, table)
    write_table(out, "problems", problem_frame("response", problems))
    settings = {"criterion": options.criterion, "further": list(options.further), "lesions": order.source.name}
    write_json(
        out / "study.json",
        {
            "name": order.source.stem,
            "radiolocus_version": version("radiolocus"),
            "artefact_schema": ARTEFACT_SCHEMA,
            "stages": {"response": {"ran": True, "why": ""}},
            "settings": {"response": settings},
        },
    )
    write_report(out)


def draw_timelines(out: Path) -> int:
    """Draw the course of every patient of a folder of results as ``timelines/<subject>.svg``; return how many."""
    art = Artefacts(out)
    tables = {name: art.table(name) for name in TRACKS}
    calls = tables["response/criteria"]
    if calls is None:
        return 0
    tables["response/criteria"] = calls.filter(pl.col("criterion") == art.criterion)
    files: set[str] = set()
    for subject in rank_subjects(tables):
        if (figure := timeline(subject, tables)) is not None:
            # Ids may hold what file names may not; two of them may then look the same.
            name = re.sub(r"[^\w.-]", "_", subject)
            while name in files:
                name += "_"
            files.add(name)
            figure.write(out / "timelines" / f"{name}.svg")
    return len(files)


def judged(root: Path, truth: Mapping[str, str]) -> list[str]:
    """Say how many best responses are the true ones, and who differs: measurement error moves calls near a limit."""
    best = read_table(root, "response/best")
    called = {} if best is None else dict(best.select("subject", "best_response").iter_rows())
    wrong = [f"{s}: {called.get(s)} for {true}" for s, true in truth.items() if called.get(s) != true]
    same = len(truth) - len(wrong)
    return [f"{same} of {len(truth)} best responses are the true ones", *(f"    {line}" for line in wrong)]
