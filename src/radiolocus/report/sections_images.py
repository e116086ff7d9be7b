"""Images, their regions of interest, and the features taken from them."""

from __future__ import annotations

import numpy as np
import polars as pl

from radiolocus.report.blocks import Block, Cell, Section, Table, Text
from radiolocus.report.figures_correlation import correlate, correlation_map, wide
from radiolocus.report.montage import gallery
from radiolocus.report.numbers import MISSING, count, number, number_cell, plural
from radiolocus.report.source import Artefacts

__all__ = ["features", "images", "unit_in", "units_of"]

_KEYS = ("subject", "image", "visit", "roi", "modality")


def images(art: Artefacts) -> Section | None:
    """Return the gallery of all regions of interest, or None without thumbnails."""
    thumbnails = art.table("features/thumbnails")
    if thumbnails is None:
        return None
    shown = gallery(thumbnails)
    people = thumbnails["subject"].n_unique()
    names = ", ".join(sorted(thumbnails["image"].unique().to_list()))
    blocks: list[Block] = [
        Text(
            "Each picture is the slice in which the region has its largest area, with the outline of the region "
            "along the edges of its pixels. Intensities outside the range shown are drawn black or white. Rows and "
            "columns have their true spacing; the magnification differs, so sizes are read from the scale bar."
        ),
        shown,
    ]
    subjects = art.table("cohort/subjects")
    if subjects is not None:
        absent = sorted(set(subjects["subject"].to_list()) - set(thumbnails["subject"].to_list()))
        if absent:
            blocks.append(Text(_without(absent, art.table("problems")), "note"))
    return Section(
        "images",
        "Images and regions",
        blocks,
        [f"{plural(len(shown.tiles), 'region')} of {plural(people, 'subject')} ({names})"],
    )


def _without(absent: list[str], problems: pl.DataFrame | None) -> str:
    """Name the subjects without a picture, each with the reason where one was recorded."""
    why: dict[str, str] = {}
    if problems is not None:
        rows = problems.filter((pl.col("stage") == "features") & (pl.col("severity") == "set aside"))
        why = {s: f" (set aside: {got})" for s, got in rows.select("subject", "got").iter_rows() if s}
    return f"Without a picture ({len(absent)}): {'; '.join(s + why.get(s, '') for s in absent)}."


def units_of(art: Artefacts) -> dict[str, str]:
    """Unit of the intensities of every image."""
    thumbnails = art.table("features/thumbnails")
    if thumbnails is None:
        return {}
    units = thumbnails.select("image", "unit").unique().sort("image", "unit", nulls_last=True)
    found: dict[str, list[str]] = {}
    for image, unit in units.iter_rows():
        found.setdefault(image, []).append(unit or "arbitrary intensity")
    return {image: " or ".join(names) for image, names in found.items()}


def unit_in(unit: str | None, image: str, units: dict[str, str]) -> str:
    """Unit of a feature, the word 'intensity' replaced by that of its image."""
    if not unit:
        return MISSING
    own = units.get(image, "intensity")
    # A unit of several words must stay readable when it is squared.
    return unit.replace("intensity", own if unit == "intensity" else f"({own})")


def _summary(art: Artefacts, frame: pl.DataFrame) -> tuple[list[list[Cell | str]], int]:
    dictionary = art.table("features/dictionary")
    known = {r["feature"]: r for r in dictionary.iter_rows(named=True)} if dictionary is not None else {}
    units, rows, absent = units_of(art), [], 0
    columns = [c for c in frame.columns if c not in _KEYS and frame.schema[c].is_numeric()]
    for (image, visit, roi), part in frame.sort("image", "visit", "roi").group_by(
        ["image", "visit", "roi"], maintain_order=True
    ):
        place = " ".join(str(v) for v in (image, visit, roi) if v)
        for column in columns:
            values = part[column].cast(pl.Float64).to_numpy()
            values = values[np.isfinite(values)]
            absent += part.height - len(values)
            told = known.get(column, {})
            label = f"{told.get('name', column)}{', ' + told['aggregation'] if told.get('aggregation') else ''}"
            quantiles = np.quantile(values, (0, 0.25, 0.5, 0.75, 1)).tolist() if len(values) else [None] * 5
            low, q1, median, q3, high = quantiles
            spread = Cell(f"{number(q1)} to {number(q3)}", q3 - q1 if q1 is not None and q3 is not None else None)
            rows.append(
                [
                    place,
                    column,
                    label,
                    told.get("family") or MISSING,
                    told.get("ibsi_id") or MISSING,
                    unit_in(told.get("unit"), str(image), units),
                    number_cell(len(values)),
                    number_cell(part.height - len(values)),
                    number_cell(median),
                    spread,
                    number_cell(low),
                    number_cell(high),
                ]
            )
    return rows, absent


def features(art: Artefacts) -> Section | None:
    """Return the feature section: a summary of every feature and the map of their correlations."""
    frame = art.table("features/features")
    if frame is None:
        return None
    rows, absent = _summary(art, frame)
    columns = sum(1 for c in frame.columns if c not in _KEYS and frame.schema[c].is_numeric())
    blocks: list[Block] = []
    # The visits of a retest measure the same thing again.
    again = (art.setting("imaging", "retest", "visits") or [])[1:]
    once = frame.filter(~pl.col("visit").is_in(again))
    found = correlate(wide(once)) if once.height else None
    if found is None:
        blocks.append(Text("Too few features or subjects with complete values for a map of correlations.", "note"))
    else:
        dictionary = art.table("features/dictionary")
        families = dict(dictionary.select("feature", "family").iter_rows()) if dictionary is not None else {}
        blocks.append(correlation_map(found, families))
    blocks.append(
        Table(
            f"Summary of the {plural(len(rows), 'feature column')}",
            [
                "region",
                "column",
                "feature",
                "family",
                "IBSI id",
                "unit",
                "n",
                "missing",
                "median",
                "interquartile range",
                "minimum",
                "maximum",
            ],
            rows,
            [False] * 6 + [True] * 6,
            folded=True,
            sortable=True,
            note="IBSI id: permanent identifier in the reference manual of the Image Biomarker Standardisation "
            "Initiative. "
            "All values are in features/features.csv.",
        )
    )
    verdict = [
        f"{plural(columns, 'feature')} of {plural(frame.height, 'region')} of "
        f"{plural(frame['subject'].n_unique(), 'subject')}",
        f"{count(absent)} of {count(len(rows) and frame.height * columns)} values missing",
    ]
    return Section("features", "Imaging features", blocks, verdict)
