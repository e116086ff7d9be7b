"""The stage of early prediction: features of several visits are read, ordered and judged."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from radiolocus.cohort import Cohort
from radiolocus.model import Problem
from radiolocus.pipeline.endpoints import ENDPOINT_TABLES, simple_endpoints
from radiolocus.pipeline.inputs import upstream
from radiolocus.pipeline.run import Run, bar, problem_frame
from radiolocus.read.clinical import read_table as read_file
from radiolocus.read.discover import inside
from radiolocus.response.early import Calls, Visits, early, visits_of
from radiolocus.response.early_options import EarlyOptions
from radiolocus.response.lead import criterion_days
from radiolocus.response.respond import leading
from radiolocus.store import read_table

__all__ = ["early_prediction", "read_visits"]


def early_prediction(run: Run, options: EarlyOptions) -> str:
    """Predict endpoints from baseline, from the early change and from both, on the same folds."""
    path = inside(run.study.root, options.table, "early.table")
    inputs = upstream(run, "cohort/subjects", *ENDPOINT_TABLES, "response/criteria", "response/criteria_best")
    inputs |= {options.table: run.prints.of(path)} if path.exists() else {}
    stage = run.stage("early", (options, run.sections.cohort.ids), inputs)
    if stage.manifest() is None:
        cohort = run.gathered.cohort
        visits, told = read_visits(path, cohort, options)
        endpoints = simple_endpoints(run)
        with bar(run, "early", len(options.endpoints or endpoints)) as step:
            found = early(visits, endpoints, cohort.frame, options, _calls(run), step)
        for name, part in found.tables.items():
            stage.write(name, part)
        problems = (*told, *found.problems)
        run.finish("early", stage, problem_frame("early", problems), seed=options.seed)
    told_of = read_table(run.root, "early/performance")
    models = 0 if told_of is None else told_of.height
    subjects = told_of["n"].to_list()[0] if told_of is not None and models else 0
    return f"{models} models of {subjects} subjects with baseline and early visit judged out of fold"


def read_visits(path: Path, cohort: Cohort, options: EarlyOptions) -> tuple[Visits, list[Problem]]:
    """Read the table of visits, on the subjects of the cohort."""
    table = read_file(path, sheet=options.sheet, id_column=options.id)
    key = options.id or table.frame.columns[0]
    raw = table.frame[key].cast(pl.String)
    match = cohort.match(f"visits {path.name}", raw.to_list(), several=True)
    subject = pl.Series("subject", [match.mapping.get(r or "") for r in raw.to_list()], pl.String)
    rows = table.frame.drop(key).insert_column(0, subject).drop_nulls("subject")
    visits, told = visits_of(rows, options)
    return visits, [*match.problems, *told]


def _calls(run: Run) -> Calls | None:
    """What the criterion of the study says of progression and response; None without a section of response."""
    best, visits = read_table(run.root, "response/criteria_best"), read_table(run.root, "response/criteria")
    options = run.sections.response
    if best is None or visits is None or options is None:
        return None
    criterion = leading(best, options.criterion)
    followed = best.filter(pl.col("criterion") == criterion)["subject"].to_list()
    return Calls(criterion_days(visits, best, criterion, options), tuple(followed))
