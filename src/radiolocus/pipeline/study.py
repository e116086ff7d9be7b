"""A run: the folder is opened, the stages follow each other, what they met is told, and the report is written."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import polars as pl

from radiolocus.config import Sections, Study
from radiolocus.errors import RadiolocusError, StoreError
from radiolocus.kernels.ahead import PARTS, compile_ahead, needed
from radiolocus.pipeline.gather import as_problem
from radiolocus.pipeline.run import ORDER, Progress, Run, problem_frame
from radiolocus.pipeline.stages import STAGES
from radiolocus.report.checklist import write_checklists
from radiolocus.report.html import write as write_report
from radiolocus.store import ARTEFACT_SCHEMA, BINARY, clear_room, digest, locked, open_folder, read_table, write_json

__all__ = ["Finished", "parts_of", "run_study"]

SECTION = {name: name for name in ORDER} | {"features": "imaging"}
ROOMS = {"genetics": ("genome", "sumstats", f"{BINARY}/genome", f"{BINARY}/sumstats")}


class _Silence:
    def begin(self, stage: str, units: int) -> None: ...
    def step(self, stage: str) -> None: ...
    def end(self, stage: str, told: str) -> None: ...


@dataclass(frozen=True)
class Finished:
    """What a run came to: the folder, a line a stage, and how many problems set something aside."""

    root: Path
    lines: tuple[str, ...]
    set_aside: int


#: Sections that fit models, and so call the loops of prediction.
_PREDICT = ("outcome", "genotyping", "early", "benefit", "mechanism", "monitoring")


def parts_of(sections: Sections) -> tuple[str, ...]:
    """Parts of a study whose loops are compiled before it starts: see :mod:`radiolocus.kernels.ahead`."""
    there = {part: (part,) for part in PARTS} | {"outcome": _PREDICT}
    return tuple(part for part in PARTS if any(getattr(sections, name, None) is not None for name in there[part]))


def _identity(study: Study) -> str:
    cohort = study.sections.cohort
    return digest(study.name, cohort.id, [(t.path, t.sheet, t.id) for t in cohort.subjects])


def _write_study(run: Run, why: dict[str, str]) -> None:
    outcome = run.sections.outcome
    write_json(
        run.root / "study.json",
        {
            "name": run.study.name,
            "identity": _identity(run.study),
            "radiolocus_version": version("radiolocus"),
            "artefact_schema": ARTEFACT_SCHEMA,
            "python_version": platform.python_version(),
            "seed": outcome.seed if outcome else None,
            "stages": {stage: {"ran": stage not in why, "why": why.get(stage, "")} for stage in ORDER},
            "settings": run.study.settings(),
        },
    )


def run_study(
    study: Study,
    out: Path | str,
    *,
    jobs: int = 1,
    fresh: bool = False,
    strict: bool = False,
    progress: Progress | None = None,
) -> Finished:
    """Run a study, or take up an interrupted run where it stopped.

    Parameters
    ----------
    study : Study
    out : Path
        Folder of the results; made when it is not there.
    jobs : int
        Worker processes. The results do not depend on it.
    fresh : bool
        Remove the results that are there first.
    strict : bool
        Stop at the first subject that would be set aside.
    progress : Progress, optional

    Returns
    -------
    Finished

    Raises
    ------
    StoreError
        The folder holds another study, or another run writes to it.
    RadiolocusError
        The tables of subjects cannot be used; or, under `strict`, what a subject was set aside for.
    """
    out = Path(out)
    if (work := needed(parts_of(study.sections))) is not None:
        compile_ahead(work)
    with locked(out):
        open_folder(out, study.name, _identity(study), fresh=fresh)
        run = Run(study, out, jobs=jobs, strict=strict, progress=progress or _Silence())
        why = {s: f"no section [{SECTION[s]}]" for s in ORDER if getattr(study.sections, SECTION[s]) is None}
        why |= {s: f"{SECTION[s]}: {error.message}" for s, error in run.gathered.failed.items()}
        _write_study(run, why)
        lines = [_stage(run, name, why) for name in ORDER]
        _write_study(run, why)
        run.prints.save()
        run.progress.begin("report", 1)
        write_checklists(out)
        write_report(out)
        run.progress.end("report", "report.html")
        problems = read_table(out, "problems")
    aside = 0 if problems is None else problems.filter(pl.col("severity") == "set aside").height
    return Finished(out, tuple(lines), aside)


def _stage(run: Run, name: str, why: dict[str, str]) -> str:
    if name not in why:
        try:
            told = STAGES[name](run, getattr(run.sections, SECTION[name]))
        except StoreError:  # no fault of this stage: what is finished of it stays, for the next run
            raise
        except RadiolocusError as error:
            if run.strict:
                raise
            why[name] = error.message
            run.gathered.failed.setdefault(name, error)
            problem = as_problem(name, error)
        else:
            run.progress.end(name, told)
            problems = read_table(run.root, "problems")
            run.hold_strict(None if problems is None else problems.filter(pl.col("stage") == name))
            return f"{name:<10} {told}"
    elif error_of_source := run.gathered.failed.get(name):
        if run.strict:
            raise error_of_source
        problem = as_problem(name, error_of_source)
    else:
        problem = None
    # What an earlier run of another version of the study left would otherwise be told as if it were of this one.
    for room in ROOMS.get(name, (name,)):
        place = run.root / room
        clear_room(place.parent, place.name)
    run.tell(name, problem_frame(name, [problem] if problem else []))
    return f"{name:<10} did not run: {why[name]}"
