"""Everything that can be known to be wrong before anything is computed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from radiolocus.config import Mistake, Study
from radiolocus.errors import RadiolocusError
from radiolocus.learn.selected import check_selection
from radiolocus.model import Endpoint, Problem
from radiolocus.pipeline import Gathered, Progress, gather
from radiolocus.pipeline.endpoints import only_simple, planned_endpoints
from radiolocus.pipeline.molecular_predictors import refuse_selected
from radiolocus.pipeline.stage_early import read_visits
from radiolocus.pipeline.stage_genetics import cases
from radiolocus.read.discover import inside
from radiolocus.read.imaging import check_image, compare_grids, describe
from radiolocus.registry import suggest
from radiolocus.response.early import CHANGE, CLINICAL
from radiolocus.response.early_options import EarlyOptions

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
    """Predictors that were selected on an endpoint which a section would predict with them."""
    sections, molecules = study.sections, gathered.molecules
    outcome, benefit, early = sections.outcome, sections.benefit, sections.early
    made = (*gathered.cohort.endpoints, *planned_endpoints(sections, gathered.cohort.subjects))
    known, simple = [e.name for e in made], [e.name for e in only_simple(made)]
    markers = [] if molecules is None else molecules.table.columns[1:]
    asked: list[tuple[str, Sequence[str], Sequence[str]]] = []
    if outcome:
        asked.append(("outcome", outcome.endpoints or known, ("*",)))
    if benefit:
        asked.append(("benefit", benefit.endpoints or simple, (*benefit.markers, *benefit.predictors)))
    found: list[Mistake] = []
    for section, endpoints, patterns in asked if sections.molecular and molecules else ():
        scores = molecules.tables.get("molecular/scores") if molecules else None
        refused = _refused(refuse_selected, sections.molecular, markers, scores, endpoints, section, patterns)
        found += [Mistake(section, message) for message in refused]
    if benefit and benefit.selected_on:
        offered = [("clinical", c) for c in gathered.cohort.frame.columns[1:]] + [("molecular", m) for m in markers]
        taken = [(block, c) for block, c in offered if _named(c, (*benefit.markers, *benefit.predictors))]
        # What names nothing here may name an imaging feature, which is not measured yet.
        notes = {
            pattern: endpoints
            for pattern, endpoints in benefit.selected_on.items()
            if not sections.imaging or any(_named(c, (pattern,)) or block == pattern for block, c in taken)
        }
        found += _noted("benefit", benefit.endpoints or simple, taken, simple, notes)
    if early and early.selected_on:
        found += _selected_early(study, gathered, early, simple)
    return found


def _selected_early(study: Study, gathered: Gathered, early: EarlyOptions, known: Sequence[str]) -> list[Mistake]:
    try:
        path = inside(study.root, early.table, "early.table")
        features = read_visits(path, gathered.cohort, early)[0].features
    except RadiolocusError as error:
        return [Mistake("early", error.message)]
    predictors = [(CHANGE, name) for name in features] + [(CLINICAL, name) for name in early.clinical]
    return _noted("early", early.endpoints or known, predictors, known, early.selected_on)


def _noted(
    section: str,
    endpoints: Sequence[str],
    predictors: Sequence[tuple[str, str]],
    known: Sequence[str],
    notes: Mapping[str, Sequence[str]],
) -> list[Mistake]:
    """Predictors that the section itself says were selected on an endpoint that it predicts; each mistake once."""
    told = [m for name in endpoints for m in _refused(check_selection, name, predictors, known, notes, section)]
    return [Mistake(section, message) for message in dict.fromkeys(told)]


def _named(column: str, patterns: Sequence[str]) -> bool:
    return any(column == p or fnmatchcase(column, p) for p in patterns)


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
