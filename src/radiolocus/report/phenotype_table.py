"""Imaging features of a finished study as the later stages saw them: one row a subject, one column a phenotype."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from radiolocus.cohort import phenotype_matrix
from radiolocus.report.sections_images import unit_in, units_of
from radiolocus.report.source import Artefacts

__all__ = ["Phenotypes", "phenotypes_of"]


@dataclass(frozen=True, eq=False)
class Phenotypes:
    """Imaging phenotypes.

    Parameters
    ----------
    table : polars.DataFrame
        ``subject`` and a column a phenotype.
    names : polars.DataFrame
        ``predictor``, ``image``, ``visit``, ``roi``, ``feature``, and ``name``, ``ibsi_id``, ``family``,
        ``aggregation``, ``unit`` of the dictionary; empty text where it does not know a feature.
    """

    table: pl.DataFrame
    names: pl.DataFrame


def phenotypes_of(art: Artefacts) -> Phenotypes | None:
    """Phenotypes of a study, or of a folder that ``link`` wrote; None when no feature was measured.

    Images that are not analysed, and the visits of a retest, are no phenotypes.
    """
    rows = art.table("features/features")
    if rows is None:
        given = art.table("features/phenotypes")
        return None if given is None else _as_given(given)
    images = art.setting("imaging", "images") or []
    idle = [image["name"] for image in images if image.get("analyse") is False]
    again = (art.setting("imaging", "retest", "visits") or [])[1:]
    rows = rows.filter(~pl.col("image").is_in(idle) & ~pl.col("visit").fill_null("").is_in(again))
    subjects = art.table("cohort/subjects")
    order = (rows if subjects is None else subjects)["subject"].unique(maintain_order=True)
    table, names = phenotype_matrix(rows, order.to_list())
    table = table.filter(pl.col("subject").is_in(rows["subject"].implode()))
    told = art.table("features/dictionary")
    columns = ["name", "ibsi_id", "family", "aggregation", "unit"]
    if told is None:
        return Phenotypes(table, names.with_columns(pl.lit("").alias(c) for c in columns))
    found = names.join(told.select("feature", *columns), on="feature", how="left", maintain_order="left")
    found = found.with_columns(pl.col(columns).fill_null(""))
    units = units_of(art)
    # '1' is the dictionary's word for no unit: it would read as a digit beside a value
    told_units = [
        unit_in(unit, image, units) if unit not in ("", "1") else ""
        for unit, image in found.select("unit", "image").iter_rows()
    ]
    return Phenotypes(table, found.with_columns(pl.Series("unit", told_units, pl.String)))


def _as_given(table: pl.DataFrame) -> Phenotypes:
    """Features of a table from the command line: nothing but their names tells what they are."""
    told = []
    for name in table.columns[1:]:
        image, _, rest = name.partition(":") if ":" in name else ("", "", name)
        roi, _, feature = rest.rpartition(":")
        told.append((name, image, "", roi, feature, "", "", "", "", ""))
    columns = ["predictor", "image", "visit", "roi", "feature", "name", "ibsi_id", "family", "aggregation", "unit"]
    return Phenotypes(table, pl.DataFrame(told, dict.fromkeys(columns, pl.String), orient="row"))
