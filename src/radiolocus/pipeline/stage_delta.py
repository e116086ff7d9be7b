"""Change between visits in a study, of its imaging features and of what its lesions measure, and its treatments."""

from __future__ import annotations

import polars as pl

from radiolocus.model import Problem
from radiolocus.pipeline.run import Run
from radiolocus.read.discover import inside
from radiolocus.read.therapy_lines import read_therapy_lines
from radiolocus.response.beside import of_followed
from radiolocus.response.changes import changes_of, read_repeatability
from radiolocus.response.comparison import compare
from radiolocus.response.options import ResponseOptions
from radiolocus.response.therapy import therapy_remarks
from radiolocus.schema import conform, empty
from radiolocus.store import read_table

__all__ = ["UPSTREAM", "changes"]

UPSTREAM = ("features/features", "features/repeatability")


def changes(
    run: Run, options: ResponseOptions, best: pl.DataFrame, visits: pl.DataFrame
) -> tuple[dict[str, pl.DataFrame], list[Problem]]:
    """Make the tables of change: those of :func:`changes_of`, ``treatments`` and ``comparison``.

    Parameters
    ----------
    run : Run
    options : ResponseOptions
    best, visits : polars.DataFrame
        Rows of the criterion that is followed of ``response/criteria_best`` and ``response/criteria``.
    """
    features = read_table(run.root, "features/features")
    imaging = run.sections.imaging
    if features is not None and imaging is not None and imaging.retest is not None:
        # The repeats of a test say what noise is; they are no follow-up.
        features = features.filter(~pl.col("visit").is_in(list(imaging.retest.visits[1:])))
    named = options.delta.repeatability
    own = read_repeatability(inside(run.study.root, named, "response.delta.repeatability")) if named else None
    tables, problems = changes_of(
        run.gathered.lesions, features, read_table(run.root, "features/repeatability"), options.delta, stated=own
    )
    given, told = _treatments(run, options)
    lesions = run.gathered.lesions
    counted = lesions is not None and "new_therapy_day" in lesions.columns
    told += therapy_remarks(given, best, visits, where=options.treatments, counted=counted)
    further = {"response/treatments": given, "response/comparison": _compared(run, options)}
    return tables | further, [*problems, *told]


def _compared(run: Run, options: ResponseOptions) -> pl.DataFrame:
    """What the domains of a trial say themselves, beside RECIST 1.1 on their lesions."""
    recorded, lesions = run.gathered.recorded, run.gathered.lesions
    if not recorded or lesions is None or "recist11" not in options.criteria:
        return empty("response/comparison")
    sums, responses = recorded
    return conform(compare(lesions, sums, responses, options), "response/comparison")


def _treatments(run: Run, options: ResponseOptions) -> tuple[pl.DataFrame, list[Problem]]:
    """Lines of treatment of the subjects whose lesions are followed."""
    if not options.treatments:
        return empty("response/treatments"), []
    found = read_therapy_lines(inside(run.study.root, options.treatments, "response.treatments"))
    cohort = run.gathered.cohort
    normal = pl.col("subject").map_elements(cohort.ids.normalise, pl.String)
    known, unknown = of_followed(
        found.frame.with_columns(normal),
        cohort.subjects,
        where=options.treatments,
        what="lines of treatment",
        of="the cohort",
    )
    return conform(known, "response/treatments"), [*found.problems, *unknown]
