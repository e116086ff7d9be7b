"""Units of work beside the images themselves: perturbed copies and negative controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from radiolocus.errors import RadiolocusError
from radiolocus.feature.extract import Extraction, extract
from radiolocus.feature.measure import ImageSource, ImagingOptions, Work, features_of, read_work
from radiolocus.image.control import control_volume
from radiolocus.image.perturb_options import PerturbOptions, seed_of
from radiolocus.model import Problem
from radiolocus.schema import TABLES

__all__ = ["VOLUME", "control_works", "copy_works", "measure_control", "measure_copies", "volume_rows"]

VOLUME = "volume_ml"

# Copies of one region that are measured in one unit: reading the image costs more than some copies of it.
_TOGETHER = 8


def copy_works(imaging: ImagingOptions, works: Sequence[Work]) -> list[Work]:
    """List the units that measure perturbed copies, in the order of the regions.

    Every copy has a seed of its own, made of the seed of the options and the names of image, subject, visit and copy:
    neither the order of the units nor the number of workers enters.
    """
    options = imaging.perturb
    if options is None:
        return []
    chosen = {image.name for image in imaging.images if _perturbed(image, options)}
    found = []
    for work in works:
        if work.image in chosen and not _is_retest(imaging, work):
            key = (work.image, work.subject, work.unit.visit)
            copies = tuple(replace(c, seed=seed_of(options.seed, *key, c.name)) for c in options.copies())
            found += [
                replace(work, copies=copies[begin : begin + _TOGETHER]) for begin in range(0, len(copies), _TOGETHER)
            ]
    return found


def control_works(imaging: ImagingOptions, works: Sequence[Work]) -> list[Work]:
    """List the units that measure negative controls which need an image, in the order of the regions."""
    analysed = {image.name for image in imaging.images if image.analyse}
    return [
        replace(
            work,
            control=control,
            seed=seed_of(imaging.control_seed, work.image, work.subject, work.unit.visit, work.region, control),
        )
        for work in works
        if work.image in analysed and not _is_retest(imaging, work)
        for control in imaging.controls
        if control != "volume"
    ]


def _perturbed(image: ImageSource, options: PerturbOptions) -> bool:
    return image.name in options.images if options.images else image.analyse


def _is_retest(imaging: ImagingOptions, work: Work) -> bool:
    return imaging.retest is not None and work.unit.visit in imaging.retest.visits[1:]


def measure_copies(work: Work) -> tuple[pl.DataFrame, tuple[Problem, ...]]:
    """Read an image with its region once, and measure its perturbed copies.

    Returns
    -------
    polars.DataFrame
        Rows of table ``features/perturbed``; a copy that cannot be measured has none.
    tuple of Problem
        A note for each such copy.

    Raises
    ------
    InputError
        The image, the mask, or the two together cannot be used.
    """
    volume, mask = read_work(work)
    rows, problems = [], []
    for copy in work.copies:
        try:
            found = extract(volume, mask, work.settings, copy, threads=1)
        except RadiolocusError as error:
            problems.append(_lost(work, copy.name, error))
        else:
            rows.append(_row(work, found, "copy", copy.name))
    empty = pl.DataFrame(schema=TABLES["features/perturbed"].schema)
    return pl.concat([empty, *rows], how="diagonal"), tuple(problems)


def measure_control(work: Work) -> tuple[pl.DataFrame, tuple[Problem, ...]]:
    """Measure a negative control; result as :func:`measure_copies`, of table ``features/controls``."""
    volume, mask = read_work(work)
    if work.control is None:
        return pl.DataFrame(schema=TABLES["features/controls"].schema), ()
    try:
        found = features_of(work, control_volume(volume, mask, work.control, work.seed), mask)
    except RadiolocusError as error:
        empty = pl.DataFrame(schema=TABLES["features/controls"].schema)
        return empty, (_lost(work, f"control {work.control}", error),)
    return _row(work, found, "control", work.control), ()


def volume_rows(thumbnails: pl.DataFrame, imaging: ImagingOptions) -> pl.DataFrame:
    """Rows of the control ``volume``: how large the region was drawn, and nothing else."""
    analysed = [image.name for image in imaging.images if image.analyse]
    again = list(imaging.retest.visits[1:]) if imaging.retest else []
    rows = thumbnails.filter(pl.col("image").is_in(analysed) & ~pl.col("visit").is_in(again))
    return rows.select("subject", "image", "visit", "roi", pl.lit("volume").alias("control"), VOLUME)


def _row(work: Work, found: Extraction, what: str, name: str) -> pl.DataFrame:
    key = {"subject": work.subject, "image": work.image, "visit": work.unit.visit, "roi": work.region, what: name}
    schema = dict.fromkeys(key, pl.String()) | {column: pl.Float64() for column in found.values}
    return pl.DataFrame([key | found.values], schema=schema)


def _lost(work: Work, what: str, error: RadiolocusError) -> Problem:
    return Problem(
        "features",
        f"{what} could not be measured: {error.got}",
        "note",
        work.subject,
        work.image,
        work.where(error.where),
        error.allowed,
        error.todo,
    )
