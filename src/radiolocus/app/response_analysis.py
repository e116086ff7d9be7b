"""The whole analysis of treatment response, from a study file or from a table, into a folder with its report."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import polars as pl

from radiolocus.app.part import run_part
from radiolocus.app.response import ResponseOrder, TableResponses, lines, order_of, responses_of_table
from radiolocus.errors import ConfigError, TableError
from radiolocus.model import Problem
from radiolocus.pipeline.run import problem_frame
from radiolocus.read.sdtm import read_lesion_source
from radiolocus.read.therapy_lines import read_therapy_lines
from radiolocus.read.variants import read_variants
from radiolocus.report.figures_timeline import TRACKS, rank_subjects, timeline
from radiolocus.report.html import write as write_report
from radiolocus.report.source import Artefacts
from radiolocus.response.beside import of_followed
from radiolocus.response.changes import changes_of, read_repeatability
from radiolocus.response.combined import combine
from radiolocus.response.criterion import CRITERIA
from radiolocus.response.ctdna import ctdna
from radiolocus.response.ctdna_rules import CtdnaOptions
from radiolocus.response.known import known_resistance
from radiolocus.response.options import ResponseOptions
from radiolocus.response.respond import leading
from radiolocus.response.therapy import therapy_remarks
from radiolocus.schema import conform, empty
from radiolocus.store import ARTEFACT_SCHEMA, read_table, write_json, write_table

__all__ = ["Analysed", "TableOrder", "analyse_study", "analyse_table", "draw_timelines", "judged"]

_KEPT = ("imaging", "molecular", "benefit", "early")
_STUDY_ONLY = ("clones", "resistance", "endpoints", "masks")


@dataclass(frozen=True)
class Analysed:
    """Lines for a person, and how many problems set something aside."""

    lines: tuple[str, ...]
    set_aside: int


@dataclass(frozen=True)
class TableOrder:
    """What is asked of tables: settings as ``[response]`` has them, criteria, and what stands beside the lesions.

    Parameters
    ----------
    source : Path or None
        Lesion table, SDTM domains or structured reports; None where `ctdna` stands alone.
    settings : Path or None
    criteria : tuple of str
    treatments, repeatability, ctdna : Path or None
    ctdna_absent : {"missing", "zero"} or None
        What a variant without a row in a sample is; None: as the settings say.
    readers : tuple of str
        The reader that counts, and a second to compare.
    error_mm : float
        Standard deviation of measurement error to try, mm; 0: none.
    """

    source: Path | None
    settings: Path | None = None
    criteria: tuple[str, ...] = ()
    treatments: Path | None = None
    repeatability: Path | None = None
    ctdna: Path | None = None
    ctdna_absent: Literal["missing", "zero"] | None = None
    readers: tuple[str, ...] = ()
    error_mm: float = 0.0

    def __post_init__(self) -> None:
        if self.source is None and self.ctdna is None:
            raise ConfigError("nothing to analyse", allowed="a study file, a lesion table, or --ctdna with its table")
        if self.ctdna is None and self.ctdna_absent is not None:
            raise ConfigError("--ctdna-absent without --ctdna", allowed="beside the table of circulating tumour DNA")
        of_lesions = {
            "--criterion": self.criteria,
            "--repeatability": self.repeatability,
            "--reader": self.readers,
            "--error-mm": self.error_mm,
        }
        if self.source is None and any(of_lesions.values()):
            name = next(name for name, value in of_lesions.items() if value)
            raise ConfigError(f"{name} without lesions", allowed="a lesion table, which they are of")

    @property
    def main(self) -> Path:
        """The table that names the results."""
        return self.source or self.ctdna or Path()


def analyse_study(file: Path, out: Path, *, root: Path | None = None, jobs: int = 1) -> Analysed:
    """Run the parts of a study that treatment response is made of, into a folder of its own.

    Raises
    ------
    ConfigError
        The study cannot be followed, or has no section on response.
    RadiolocusError
        As :func:`radiolocus.pipeline.run_study`.
    """
    done = run_part(file, "response", _KEPT, out, root=root, jobs=jobs)
    return Analysed(done.lines, done.set_aside)


def analyse_table(order: TableOrder, out: Path) -> Analysed:
    """Analyse lesions, circulating tumour DNA or both: as :func:`analyse_study`, without clinical table.

    Raises
    ------
    ConfigError
        An option that cannot be followed, or one that needs a study file.
    RadiolocusError
        A source cannot be used.
    """
    asked = order_of(order.main, order.settings, criteria=order.criteria, readers=order.readers)
    if order.error_mm:
        asked = replace(asked, error_mm=order.error_mm)
    options = asked.options
    if named := [name for name in _STUDY_ONLY if getattr(options, name)]:
        raise ConfigError(
            f"{', '.join(named)} beside a table", allowed="in a study file", todo="write a study file: radiolocus init"
        )
    if options.ctdna is not None and order.ctdna is None:
        raise ConfigError("ctdna in the settings without its table", todo="name the table with --ctdna")
    part = _of_lesions(order, asked) if order.source else _Part()
    if order.ctdna:
        part = _with_blood(part, order.ctdna, order.ctdna_absent, options)
    if order.treatments:
        part = _with_treatments(part, order.treatments, options)
    _write(out, order, options, part)
    told = tuple(f"{p.where}: {p.got}" for p in part.problems if p.severity == "no value")
    return Analysed((*part.lines, *told), len([p for p in part.problems if p.severity == "set aside"]))


@dataclass(frozen=True, eq=False)
class _Part:
    """What is known so far: tables, problems, the subjects of the files, and lines for a person."""

    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    subjects: frozenset[str] = frozenset()
    lines: tuple[str, ...] = ()
    therapy_counted: bool = False

    def visits(self, name: str, options: ResponseOptions) -> pl.DataFrame:
        """Rows of the criterion that is followed."""
        table = self.tables.get(name)
        if table is None:
            return empty(name)
        return table.filter(pl.col("criterion") == leading(table, options.criterion))


def _of_lesions(order: TableOrder, asked: ResponseOrder) -> _Part:
    source = order.main
    found = responses_of_table(source, asked)
    columns = asked.options.columns
    columns = replace(columns, keep_reader=asked.readers[0]) if asked.readers else columns
    table, _ = read_lesion_source(source, columns)
    stated = read_repeatability(order.repeatability) if order.repeatability else None
    changes, told = changes_of(table.frame, None, None, asked.options.delta, stated=stated)
    tables = found.tables | changes
    if (compared := found.further.get("comparison")) is not None:
        tables["response/comparison"] = conform(compared, "response/comparison")
    summary = lines(TableResponses(found.tables, {}, found.problems))
    return _Part(
        tables,
        (*found.problems, *told),
        frozenset(table.subjects),
        tuple(line for line in summary if not line.startswith(" ")),
        "new_therapy_day" in table.frame.columns,
    )


def _with_blood(part: _Part, path: Path, absent: Literal["missing", "zero"] | None, options: ResponseOptions) -> _Part:
    """Add circulating tumour DNA, and the combined call where there are lesions."""
    asked = replace(options.ctdna or CtdnaOptions(path.name), table=path.name)
    asked = replace(asked, absent=absent or asked.absent)
    if not path.exists():
        raise TableError(f"no such file '{path.name}'", where=str(path.parent), todo="correct the path")
    read = read_variants(path, asked.columns)
    blood = ctdna(read.frame, asked, known_resistance(Path(asked.known) if asked.known else None))
    tables = part.tables | {"response/ctdna": blood.samples, "response/ctdna_variants": blood.variants}
    visits = part.visits("response/criteria", options)
    if visits.height:
        followed = str(visits["criterion"][0])
        words = CRITERIA[followed].words if followed in CRITERIA else {}
        tables["response/combined"] = combine(
            visits, blood.samples, options.combined, function=tables["response/function"], words=words
        )
    people = blood.samples["subject"].n_unique()
    only = part.subjects and sorted(set(read.subjects) - part.subjects)
    notes = [
        Problem("response", "circulating tumour DNA without lesions", "note", s, where=path.name) for s in only or ()
    ]
    said = f"circulating tumour DNA of {people} subjects, {blood.samples.height} samples"
    return replace(
        part,
        tables=tables,
        problems=(*part.problems, *read.problems, *blood.problems, *notes),
        subjects=part.subjects | frozenset(read.subjects),
        lines=(*part.lines, said),
    )


def _with_treatments(part: _Part, path: Path, options: ResponseOptions) -> _Part:
    given = read_therapy_lines(path)
    of = "the lesion table" if "response/criteria" in part.tables else "the table of circulating tumour DNA"
    known, unknown = of_followed(given.frame, part.subjects, where=path.name, what="lines of treatment", of=of)
    known = conform(known, "response/treatments")
    best, visits = (part.visits(f"response/{name}", options) for name in ("criteria_best", "criteria"))
    remarks = therapy_remarks(known, best, visits, where=path.name, counted=part.therapy_counted)
    problems = (*part.problems, *given.problems, *unknown, *remarks)
    return replace(part, tables=part.tables | {"response/treatments": known}, problems=problems)


def _write(out: Path, order: TableOrder, options: ResponseOptions, part: _Part) -> None:
    for name, table in part.tables.items():
        write_table(out, name, table)
    write_table(out, "problems", problem_frame("response", part.problems))
    settings: dict[str, Any] = {"criterion": options.criterion, "further": list(options.further)}
    settings["lesions"] = order.source.name if order.source else ""
    if order.ctdna:
        settings["ctdna"] = {"definition": options.ctdna.definition if options.ctdna else "fall50"}
    write_json(
        out / "study.json",
        {
            "name": order.main.stem,
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
    if (calls := tables["response/criteria"]) is not None:
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
