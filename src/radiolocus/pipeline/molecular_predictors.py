"""Molecular markers as predictors: what was learned from the whole cohort, or selected on the endpoint, is none."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import polars as pl

from radiolocus.errors import ConfigError, InputError
from radiolocus.model import Problem
from radiolocus.molecular.expression import ExpressionTable
from radiolocus.molecular.markers import MolecularOptions
from radiolocus.molecular.subtypes import CLUSTER
from radiolocus.pipeline.run import Followed, Run
from radiolocus.store import read_table

__all__ = ["molecular_failure", "molecular_predictors", "refuse_selected", "selected"]


def molecular_failure(run: Run) -> InputError | None:
    """What stages that need markers say when there are none because the molecular stage failed; None when it ran."""
    cause = run.gathered.failed.get("molecular")
    if cause is None:
        return None
    todo = "mend the molecular source: without it there is no marker"
    return InputError(f"the molecular stage failed: {cause.message}", where="molecular", todo=todo)


def molecular_predictors(
    run: Followed, endpoints: Sequence[str], section: str = "outcome", patterns: Sequence[str] = ("*",)
) -> tuple[pl.DataFrame | None, list[Problem]]:
    """Return the markers that may predict.

    Parameters
    ----------
    run : Followed
    endpoints : sequence of str
        Endpoints that are to be predicted.
    section : str
        Section of the study file that predicts; it has the option ``endpoints``.
    patterns : sequence of str
        Names or patterns (``*``) of the markers that it takes.

    Returns
    -------
    polars.DataFrame or None
        Table ``molecular/markers`` without clusters; None where there are no markers.
    list of Problem
        A note on the clusters that were left out.

    Raises
    ------
    ConfigError
        An endpoint that the genes of an expression matrix were selected on.
    """
    markers, options = read_table(run.root, "molecular/markers"), run.sections.molecular
    if markers is None or options is None:
        return markers, []
    refuse_selected(
        options, markers.columns[1:], read_table(run.root, "molecular/scores"), endpoints, section, patterns
    )
    learned = [name for name in markers.columns if name.startswith(CLUSTER)]
    if not learned:
        return markers, []
    got = f"{len(learned)} clusters were learned from the whole cohort and predict nothing ({', '.join(learned[:3])})"
    todo = "take centroids of another cohort, or learn clusters inside the folds (discover_clusters)"
    return markers.drop(learned), [Problem(section, got, "note", where="molecular.subtypes", todo=todo)]


def refuse_selected(
    options: MolecularOptions,
    markers: Sequence[str],
    scores: pl.DataFrame | None,
    endpoints: Sequence[str],
    section: str = "outcome",
    patterns: Sequence[str] = ("*",),
) -> None:
    """Refuse markers whose genes were selected on an endpoint that they would predict.

    Parameters
    ----------
    options : MolecularOptions
    markers : sequence of str
        Names of all markers.
    scores : polars.DataFrame or None
        Table ``molecular/scores``: which scores were made of which matrix.
    endpoints, section, patterns
        As of :func:`molecular_predictors`.

    Raises
    ------
    ConfigError
        There are such markers.
    """
    for table in options.expression:
        taken = [c for c in markers if any(c == p or fnmatchcase(c, p) for p in patterns)]
        made = _made_of(table, options, taken, scores)
        for endpoint in endpoints if made else ():
            if endpoint in table.selected_on:
                raise ConfigError(
                    f"'{made[0]}' ({len(made)} markers of '{table.path}') was selected on '{endpoint}' and would "
                    "predict it",
                    where=f"molecular.expression '{table.name}'.selected_on",
                    allowed="predictors chosen without the endpoint, or inside the folds",
                    todo=f"leave '{endpoint}' out of {section}.endpoints, or the matrix out, or give all genes",
                )


def selected(run: Followed) -> dict[str, tuple[str, ...]]:
    """Endpoints that the genes of each expression matrix were selected on; matrices that were not are left out."""
    tables = run.sections.molecular.expression if run.sections.molecular is not None else ()
    return {table.path: table.selected_on for table in tables if table.selected_on}


def _made_of(
    table: ExpressionTable, options: MolecularOptions, columns: Sequence[str], scores: pl.DataFrame | None
) -> list[str]:
    """Markers that are genes of a matrix, or made of them."""
    names = set() if scores is None else set(scores.filter(pl.col("of") == table.name)["score"])
    schemes = [name for name, scheme in options.subtypes.items() if scheme.of in (None, table.name)]
    prefixes = (f"{table.name}:", *(f"subtype:{name}=" for name in schemes))
    return [name for name in columns if name in names or name.startswith(prefixes)]
