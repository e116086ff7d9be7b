"""What the stages of a run share: the study, its sources, the folder, the workers, and who is told."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Protocol, TypeVar

import polars as pl

from radiolocus.compute import run_units
from radiolocus.config import Sections, Study
from radiolocus.errors import InputError
from radiolocus.model import Problem
from radiolocus.pipeline.gather import Gathered, gather
from radiolocus.schema import TABLES, conform, empty
from radiolocus.store import Fingerprints, Stage, read_table, write_table

__all__ = ["ORDER", "Followed", "Progress", "Run", "bar", "problem_frame", "run_all"]

Unit = TypeVar("Unit")

ORDER = (
    "cohort",
    "features",
    "molecular",
    "response",
    "genetics",
    "link",
    "genotyping",
    "outcome",
    "deep",
    "monitoring",
    "early",
    "benefit",
    "mechanism",
)


class Progress(Protocol):
    """Who is told how far a run has come."""

    def begin(self, stage: str, units: int) -> None:
        """A stage of so many units starts."""

    def step(self, stage: str) -> None:
        """One unit is done."""

    def end(self, stage: str, told: str) -> None:
        """The stage is done; `told` says what came out."""


def problem_frame(stage: str, problems: Sequence[Problem]) -> pl.DataFrame:
    """Problems as rows of table ``problems``, equal ones counted together, in order of appearance."""
    names = [f.name for f in fields(Problem)]
    rows = [{name: getattr(p, name) for name in names} | {"stage": stage} for p in problems]
    frame = pl.DataFrame(rows, schema={c: TABLES["problems"].schema[c] for c in names})
    return conform(frame.group_by(pl.exclude("count"), maintain_order=True).agg(pl.col("count").sum()), "problems")


class Followed(Protocol):
    """A run under way, or one that has finished: where its artefacts lie, its settings and its subjects."""

    @property
    def root(self) -> Path:
        """Folder of the artefacts."""

    @property
    def sections(self) -> Sections:
        """Sections of the study file."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """Subjects of the cohort, in its order."""


class Run:
    """What the stages share: the study, its sources, the folder, the workers, and who is told."""

    def __init__(self, study: Study, root: Path, *, jobs: int, strict: bool, progress: Progress) -> None:
        self.study = study
        self.sections = study.sections
        self.root = root
        self.jobs = jobs
        self.strict = strict
        self.progress = progress
        self.prints = Fingerprints(root)
        self.gathered: Gathered = gather(study)
        self._started = time.monotonic()

    @property
    def subjects(self) -> tuple[str, ...]:
        """Subjects of the cohort, in its order."""
        return tuple(self.gathered.cohort.subjects)

    def fingerprints(self, stage: str) -> dict[str, str]:
        """Fingerprint of every input file of a stage."""
        return {name: self._print(path) for name, path in self.gathered.inputs.get(stage, {}).items()}

    def _print(self, path: Path) -> str:
        return self.prints.of(path) if path.exists() else "absent"

    def stage(self, room: str, settings: object, inputs: dict[str, str], *, below: str = "") -> Stage:
        """Open a stage and start its clock; its room stands in folder `below` of the results where that is given."""
        self._started = time.monotonic()
        return Stage(self.root / below, room, settings, inputs)

    def elapsed(self) -> float:
        """Seconds since the stage was opened."""
        return time.monotonic() - self._started

    def finish(
        self,
        name: str,
        stage: Stage,
        problems: pl.DataFrame,
        *,
        seed: int | None = None,
        keep_units: tuple[str, ...] = (),
    ) -> None:
        """Tell the problems of a stage, then write its manifest: in this order, so that a kill loses neither."""
        self.tell(name, problems)
        stage.finish(seed=seed, wall_time_s=self.elapsed(), keep_units=keep_units)

    def hold_strict(self, problems: pl.DataFrame | None) -> None:
        """Under ``--strict`` a subject set aside is fatal, also one that an earlier run, not strict, set aside."""
        if not self.strict or problems is None:
            return
        aside = problems.filter((pl.col("severity") == "set aside") & pl.col("subject").is_not_null())
        if aside.height:
            row = aside.row(0, named=True)
            raise InputError(
                row["got"],
                where=": ".join(w for w in (row["subject"], row["item"], row["where"]) if w),
                allowed=row["allowed"] or "",
                todo=row["todo"] or "mend it, or run without --strict to set the subject aside",
            )

    def tell(self, name: str, problems: pl.DataFrame) -> None:
        """Replace the problems of a stage in ``problems.parquet``; see :meth:`hold_strict`."""
        self.hold_strict(problems)
        known = read_table(self.root, "problems")
        kept = known.filter((pl.col("stage") != name) & pl.col("stage").is_in(ORDER)) if known is not None else None
        frame = pl.concat([kept if kept is not None else empty("problems"), problems])
        order = pl.col("stage").replace_strict({s: i for i, s in enumerate(ORDER)}, return_dtype=pl.Int64)
        write_table(self.root, "problems", frame.sort(order, maintain_order=True))


@contextlib.contextmanager
def bar(run: Run, name: str, units: int) -> Iterator[Callable[[], None]]:
    """Begin the bar of a stage; yields what to call after each unit."""
    run.progress.begin(name, units)
    yield lambda: run.progress.step(name)


def run_all(
    run: Run,
    stage: Stage,
    name: str,
    function: Callable[[Unit], dict[str, pl.DataFrame]],
    units: Sequence[Unit],
    keys: Sequence[str],
) -> list[dict[str, pl.DataFrame] | Exception]:
    """Run the units of a stage that are not finished yet; the results stand in the order of the units."""
    results: dict[int, dict[str, pl.DataFrame] | Exception] = {}
    for i, key in enumerate(keys):
        if (found := stage.load_unit(key)) is not None:
            results[i] = found
    todo = [i for i in range(len(units)) if i not in results]
    with bar(run, name, len(units)) as step:
        for _ in results:
            step()
        for k, result in run_units(function, [units[i] for i in todo], jobs=run.jobs):
            results[todo[k]] = result
            if not isinstance(result, Exception):
                stage.save_unit(keys[todo[k]], result)
            step()
    return [results[i] for i in range(len(units))]
