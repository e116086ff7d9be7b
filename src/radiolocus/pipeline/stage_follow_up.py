"""What ``[response]`` asks beside the criteria: circulating tumour DNA, clones, the combined call, resistance."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from radiolocus.model import Problem
from radiolocus.molecular.clones import clones
from radiolocus.pipeline.inputs import clinical
from radiolocus.pipeline.molecular_predictors import selected
from radiolocus.pipeline.phenotypes import phenotypes, upstream_of
from radiolocus.pipeline.run import Run
from radiolocus.pipeline.stage_delta import UPSTREAM, changes
from radiolocus.read.discover import inside
from radiolocus.response.combined import combine
from radiolocus.response.criterion import CRITERIA
from radiolocus.response.ctdna import ctdna
from radiolocus.response.known import known_resistance
from radiolocus.response.options import ResponseOptions
from radiolocus.response.readers import measurement_error, reader_agreement
from radiolocus.response.resistance import ResistanceOptions, resistance
from radiolocus.schema import conform, empty
from radiolocus.store import read_table

__all__ = ["follow_up", "upstream_of_follow_up"]


def upstream_of_follow_up(options: ResponseOptions) -> tuple[str, ...]:
    """Artefacts of earlier stages that the response stage starts from."""
    further = ("molecular/markers", *upstream_of(options.resistance)) if options.resistance else ()
    return tuple(dict.fromkeys((*UPSTREAM, *further)))


def follow_up(
    run: Run, options: ResponseOptions, tables: Mapping[str, pl.DataFrame]
) -> tuple[dict[str, pl.DataFrame], list[Problem]]:
    """Make the tables that are asked for beside those of the criteria.

    Parameters
    ----------
    run : Run
    options : ResponseOptions
    tables : mapping of str to polars.DataFrame
        Tables of the criteria.
    """
    best = tables["response/criteria_best"].filter(pl.col("criterion") == options.criterion)
    visits = tables["response/criteria"].filter(pl.col("criterion") == options.criterion)
    found, problems = changes(run, options, best, visits)
    found |= _reliability(run, options, tables)
    variants = run.gathered.variants
    if options.ctdna is not None and variants["ctdna"].height:
        own = options.ctdna.known
        known = known_resistance(inside(run.study.root, own, "response.ctdna.known") if own else None)
        blood = ctdna(variants["ctdna"], options.ctdna, known)
        found |= {"response/ctdna": blood.samples, "response/ctdna_variants": blood.variants}
        problems += blood.problems
        words = CRITERIA[options.criterion].words if options.criterion in CRITERIA else {}
        found["response/combined"] = combine(
            visits, blood.samples, options.combined, function=found["response/function"], words=words
        )
    if options.clones is not None and variants["clones"].height:
        grown = clones(variants["clones"], options.clones)
        found |= {
            "response/clones": grown.clones,
            "response/clone_variants": grown.variants,
            "response/clone_trees": grown.trees,
        }
        problems += grown.problems
    if options.resistance is not None:
        made, notes = _resistance(run, options, options.resistance, tables, found)
        found |= made
        problems += notes
    return found, problems


def _reliability(run: Run, options: ResponseOptions, tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Agreement with a second reader, and the effect of an error of measurement."""
    found = {name: empty(name) for name in ("response/readers", "response/measurement_error")}
    lesions, second = run.gathered.lesions, run.gathered.second
    if lesions is not None and second is not None:
        criteria = tables["response/criteria_best"]["criterion"].unique(maintain_order=True)
        agreement = pl.concat([reader_agreement(lesions, second, name, options) for name in criteria])
        found["response/readers"] = conform(agreement, "response/readers")
    if lesions is not None and options.error_mm > 0:
        noise = measurement_error(lesions, options.error_mm, options=options)
        found["response/measurement_error"] = conform(noise, "response/measurement_error")
    return found


def _selections(run: Run) -> list[Problem]:
    """Resistance is no endpoint of the cohort, so only the reader knows whether a selection was made on it."""
    return [
        Problem(
            "response",
            f"the genes of '{path}' were selected on {', '.join(endpoints)}",
            "note",
            where="response.resistance",
            todo="where that goes with response, the p-values of its markers and of what is made of them are too small",
        )
        for path, endpoints in selected(run).items()
    ]


def _resistance(
    run: Run,
    options: ResponseOptions,
    asked: ResistanceOptions,
    tables: Mapping[str, pl.DataFrame],
    found: Mapping[str, pl.DataFrame],
) -> tuple[dict[str, pl.DataFrame], list[Problem]]:
    best = tables["response/criteria_best"].filter(pl.col("criterion") == options.criterion)
    markers, problems = phenotypes(run, asked, "response.resistance")
    if (molecular := read_table(run.root, "molecular/markers")) is not None:
        markers = markers.join(molecular, on="subject", how="full", coalesce=True)
        problems = [*problems, *_selections(run)]
    if asked.clinical:
        told = clinical(run, asked.clinical, "response.resistance.clinical")
        markers = markers.join(told, on="subject", how="full", coalesce=True)
    lines = None
    if asked.prior_lines is not None:
        lines = clinical(run, [asked.prior_lines], "response.resistance.prior_lines").rename(
            {asked.prior_lines: "prior_lines"}
        )
    told_of = resistance(
        best,
        markers.sort("subject"),
        asked,
        prior_lines=lines,
        samples=found.get("response/ctdna"),
        variants=found.get("response/ctdna_variants"),
    )
    made = {"response/resistance_classes": told_of.classes, "response/resistance": told_of.tests}
    return made, [*problems, *told_of.problems]
