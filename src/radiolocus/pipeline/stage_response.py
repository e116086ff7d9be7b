"""The stage of response: lesions are called by the criteria, and what follows from the calls is made."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import polars as pl

from radiolocus.errors import InputError
from radiolocus.model import Problem
from radiolocus.pipeline.inputs import upstream
from radiolocus.pipeline.measured_lesions import LESIONS, measured_again, scan_inputs, scans_of, with_lesions
from radiolocus.pipeline.molecular_predictors import selected
from radiolocus.pipeline.run import Run, bar, problem_frame
from radiolocus.pipeline.stage_follow_up import follow_up, upstream_of_follow_up
from radiolocus.response.lead import lead_times
from radiolocus.response.options import CriterionName, ResponseOptions
from radiolocus.response.respond import Responses, leading, respond
from radiolocus.response.study_endpoints import study_endpoints
from radiolocus.schema import empty
from radiolocus.store import digest, read_table

__all__ = ["response"]

# What is known of responses without lesions.
_NOTHING = Responses({name: empty(name) for name in ("response/criteria", "response/criteria_best")}, (), "")


def response(run: Run, options: ResponseOptions) -> str:
    """Read the lesions and call the response of every visit and subject."""
    lesions = run.gathered.lesions
    if lesions is None and options.lesions:  # its failure was told when the sources were gathered
        raise InputError("no lesion table", where="response")
    scans, undated = scans_of(run, options.masks) if options.masks else ([], [])
    told = problem_frame("response", [*run.gathered.problems["response"], *undated])
    # Which rows belong to whom also depends on the rules of the ids; who was set aside stands in the problems.
    settings = (options, run.sections.cohort.ids, digest(told.to_dict(as_series=False)), selected(run))
    inputs = run.fingerprints("response") | upstream(run, *upstream_of_follow_up(options))
    inputs |= scan_inputs(run, scans, options.masks) if options.masks else {}
    stage = run.stage("response", settings, inputs | {"subjects": digest(run.gathered.cohort.subjects)})
    if stage.manifest() is not None and options.masks:
        measured_again(run)
        lesions = run.gathered.lesions
    if options.masks and options.masks.days and not options.delta.days:
        options = replace(options, delta=replace(options.delta, days=options.masks.days))
    if stage.manifest() is None:
        measured, kept = with_lesions(run, stage, scans, inputs, options.masks) if options.masks else ([], ())
        lesions = run.gathered.lesions
        with bar(run, "response", 1) as step:
            found = _NOTHING
            if lesions is not None:
                found = respond(lesions, options.criteria, options, options.visit_days)
                options = replace(options, criterion=cast(CriterionName, found.criterion))
            further, notes = follow_up(run, options, found.tables)
            unknown: tuple[Problem, ...] = ()
            if lesions is not None:
                further |= lead_times({**found.tables, **further}, options.criterion, options.criteria, options)
                made, unknown = study_endpoints(
                    lesions, options.endpoints, options.criterion, options, options.visit_days
                )
                further |= {"response/study_endpoints": made}
            if not options.masks:
                further |= {LESIONS: empty(LESIONS)}
            step()
        for name, table in {**found.tables, **further}.items():
            stage.write(name, table)
        problems = problem_frame("response", [*measured, *found.problems, *notes, *unknown])
        run.finish("response", stage, pl.concat([told, problems]), keep_units=kept)
    if lesions is None:
        blood = read_table(run.root, "response/ctdna")
        return f"no lesions; circulating tumour DNA of {0 if blood is None else blood['subject'].n_unique()} subjects"
    best = read_table(run.root, "response/criteria_best")
    followed = leading(best, options.criterion)
    best = empty("response/criteria_best") if best is None else best.filter(pl.col("criterion") == followed)
    counts = best["best_response"].value_counts(sort=True)
    return f"{best.height} subjects: " + ", ".join(f"{n} {r}" for r, n in counts.sort("best_response").iter_rows())
