"""Everything that can be known to be wrong before anything is computed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from radiolocus.config import Mistake, Study
from radiolocus.errors import RadiolocusError
from radiolocus.model import Endpoint, Problem
from radiolocus.pipeline import Gathered, Progress, gather
from radiolocus.pipeline.endpoints import planned_endpoints
from radiolocus.pipeline.molecular_predictors import refuse_selected
from radiolocus.pipeline.stage_genetics import cases
from radiolocus.read.imaging import check_image, compare_grids, describe
from radiolocus.registry import suggest

__all__ = ["Findings", "check_study"]


@dataclass(frozen=True)
class Findings:
    """What a check found: mistakes to mend, notes to read, and a summary of what would run."""

    mistakes: tuple[Mistake, ...]
    notes: tuple[str, ...]
    summary: tuple[str, ...]


def check_study(study: Study, progress: Progress | None = None) -> Findings:
    """Open every source of a study, match it to the cohort, and look at image headers.

    Parameters
    ----------
    study : Study
        As loaded by :func:`radiolocus.config.load_study`, which has told the mistakes of the file itself.
    progress : Progress, optional
        Told how many headers are read.

    Returns
    -------
    Findings
        All of them; one mistake never hides another where it can be helped.
    """
    mistakes: list[Mistake] = []
    while True:
        try:
            gathered = gather(study)
            break
        except RadiolocusError as error:
            mistakes.append(Mistake(error.where or "cohort", _without_place(error)))
            smaller = _without(study, error)
            if smaller is None:
                return Findings(tuple(mistakes), (), ())
            study = smaller
    mistakes += [Mistake(stage, error.message) for stage, error in gathered.failed.items()]
    notes: list[str] = []
    for stage, problems in gathered.problems.items():
        for problem in problems:
            if problem.severity == "set aside":
                mistakes.append(Mistake(stage, _spoken(problem)))
            else:
                notes.append(f"{stage}: {_spoken(problem)}")
    if study.sections.genetics:
        made = planned_endpoints(study.sections, gathered.cohort.subjects)
        found = _refused(cases, gathered, study.sections.genetics.binary, made)
        mistakes += [Mistake("genetics.binary", message.removeprefix("genetics.binary: ")) for message in found]
    mistakes += [
        *_selected(study, gathered),
        *_columns(study, gathered),
        *_headers(gathered, progress),
        *_files(gathered),
    ]
    return Findings(tuple(mistakes), tuple(notes), tuple(_summary(gathered, study)))


def _without(study: Study, error: RadiolocusError) -> Study | None:
    """Leave out the endpoint or the column that `error` complains of, so that it hides no other mistake."""
    cohort = study.sections.cohort
    if found := re.match(r"cohort\.endpoints\.([^.]+)", error.where):
        kept = {name: e for name, e in cohort.endpoints.items() if name != found[1]}
        smaller = replace(cohort, endpoints=kept)
    elif error.where == "cohort.columns":
        columns = {name: c for name, c in cohort.columns.items() if f"'{name}'" not in error.got}
        smaller = replace(cohort, columns=columns)
    else:
        return None
    if smaller == cohort:
        return None
    return replace(study, sections=replace(study.sections, cohort=smaller))


def _without_place(error: RadiolocusError) -> str:
    return "; ".join(
        p
        for p in (error.got, error.allowed and f"allowed: {error.allowed}", error.todo and f"what to do: {error.todo}")
        if p
    )


def _spoken(problem: Problem) -> str:
    place = ", ".join(p for p in (problem.subject, problem.item, problem.where) if p)
    parts = [f"{place}: {problem.got}" if place else problem.got]
    parts += [f"allowed: {problem.allowed}"] if problem.allowed else []
    parts += [f"what to do: {problem.todo}"] if problem.todo else []
    return "; ".join(parts)


def _selected(study: Study, gathered: Gathered) -> list[Mistake]:
    """Genes that were selected on an endpoint which [outcome] would predict with them."""
    options, molecules, outcome = study.sections.molecular, gathered.molecules, study.sections.outcome
    if options is None or molecules is None or outcome is None:
        return []
    made = planned_endpoints(study.sections, gathered.cohort.subjects)
    endpoints = outcome.endpoints or [e.name for e in (*gathered.cohort.endpoints, *made)]
    scores = molecules.tables.get("molecular/scores")
    found = _refused(refuse_selected, options, molecules.table.columns[1:], scores, endpoints)
    return [Mistake("outcome", message) for message in found]


def _columns(study: Study, gathered: Gathered) -> list[Mistake]:
    """Clinical columns that a section names and no table of subjects has."""
    known = gathered.cohort.frame.columns[1:]
    sections = study.sections
    named: list[tuple[str, Sequence[str]]] = []
    if sections.genetics:
        named.append(("genetics.covariates", sections.genetics.covariates))
    if sections.link:
        named.append(("link.covariates", sections.link.covariates))
        for key in ("batch", "permute_within"):
            if (column := getattr(sections.link, key)) is not None:
                named.append((f"link.{key}", (column,)))
    if sections.outcome:
        named.append(("outcome.clinical", sections.outcome.clinical))
    return [
        Mistake(
            where, f"unknown clinical column '{name}'; allowed: {', '.join(known)}; {suggest(name, known)}".rstrip("; ")
        )
        for where, names in named
        for name in names
        if name not in known
    ]


def _headers(gathered: Gathered, progress: Progress | None) -> list[Mistake]:
    mistakes = []
    works = [w for w in gathered.works if w.derived is None]
    if progress and works:
        progress.begin("headers", len(works))
    for work in works:
        place = ", ".join(p for p in (f"features: {work.subject}", work.image, work.where()) if p)
        found = [*_refused(describe, work.unit.image), *_refused(describe, work.unit.mask)]
        found = found or _refused(compare_grids, work.unit.image, work.unit.mask)
        found = found or _refused(check_image, work.unit.image, work.reading)
        mistakes += [Mistake(place, message) for message in found]
        if progress:
            progress.step("headers")
    return mistakes


def _refused(reader: Callable[..., object], *given: object) -> list[str]:
    try:
        reader(*given)
    except RadiolocusError as error:
        return [error.message]
    return []


def _files(gathered: Gathered) -> list[Mistake]:
    return [
        Mistake(stage, f"no file '{name}'; what to do: mend the path, or [cohort] root")
        for stage, files in gathered.inputs.items()
        if stage not in gathered.failed
        for name, path in files.items()
        if not path.exists()
    ]


def _counted(endpoint: Endpoint) -> str:
    """Events; with competing ones both; of several classes, each of them."""
    if endpoint.kind in ("ordinal", "multiclass"):
        return ", ".join(f"{int((endpoint.event == k).sum())} {level}" for k, level in enumerate(endpoint.levels))
    events = f"{int((endpoint.event == 1).sum())} events"
    return events if endpoint.state is None else f"{events}, {int((endpoint.state > 1).sum())} competing"


def _summary(gathered: Gathered, study: Study) -> list[str]:
    cohort = gathered.cohort
    lines = [f"cohort     {len(cohort.subjects)} subjects"]
    for endpoint in cohort.endpoints:
        known = int((endpoint.event == endpoint.event).sum())  # NaN is not equal to itself
        lines.append(f"endpoint   {endpoint.name}: {known} subjects, {_counted(endpoint)} ({endpoint.kind})")
    for endpoint in planned_endpoints(study.sections, cohort.subjects):
        lines.append(f"endpoint   {endpoint.name}: made of the response calls ({endpoint.kind})")
    images: dict[str, set[str]] = {}
    for work in gathered.works:
        images.setdefault(work.image, set()).add(work.subject)
    lines += [f"images     {name}: {len(subjects)} subjects" for name, subjects in images.items()]
    if gathered.genotypes:
        matched = sum(s is not None for s in gathered.genotypes.subjects)
        lines.append(f"genotypes  {gathered.genotypes.source.variants.height:,} variants, {matched} subjects")
    if gathered.molecules:
        lines.append(
            f"molecular  {gathered.molecules.dictionary.height} markers of {gathered.molecules.table.height} subjects"
        )
    return lines
