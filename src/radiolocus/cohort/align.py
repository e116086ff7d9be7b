"""Tables put into the order of the subjects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import polars as pl

from radiolocus.cohort.ids import natural_key
from radiolocus.errors import TableError
from radiolocus.schema import TABLES

__all__ = ["align", "phenotype_matrix"]


def align(frame: pl.DataFrame, subjects: Sequence[str]) -> pl.DataFrame:
    """Put `frame` (a column ``subject``, one row each) into the order of `subjects`; absent ones get nulls."""
    repeated = frame.filter(pl.col("subject").is_duplicated())["subject"]
    if repeated.len():
        raise TableError(
            f"{repeated.n_unique()} subjects with several rows (first '{repeated[0]}')", allowed="one row a subject"
        )
    order = pl.DataFrame({"subject": list(subjects)}, {"subject": pl.String})
    return order.join(frame, on="subject", how="left", maintain_order="left").select(frame.columns)


def phenotype_matrix(features: pl.DataFrame, subjects: Sequence[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Spread the feature table to one row a subject.

    Parameters
    ----------
    features : polars.DataFrame
        Table ``features/features``: one row per subject × image × visit × region.
    subjects : sequence of str
        Rows of the result, in this order.

    Returns
    -------
    matrix : polars.DataFrame
        ``subject`` and a column ``{image}:{feature}`` per image and feature; the region and the visit are part of the
        name (``PET:GTV@v2:stat_max``) where the image has several. Features without any value are left out.
    names : polars.DataFrame
        ``predictor``, ``image``, ``visit``, ``roi``, ``feature``: what each column is.
    """
    keys = ("image", "roi", "visit")
    known = TABLES["features/features"].schema
    measured = [c for c in features.columns if c not in known]
    features = features.with_columns(pl.col(k).fill_null("") for k in keys)
    matrix = pl.DataFrame({"subject": list(subjects)}, {"subject": pl.String})
    names: list[tuple[str, str, str, str, str]] = []
    regions = sorted(features.select(keys).unique().rows(), key=lambda r: tuple(natural_key(k) for k in r))
    rois, visits = ({(r[0], r[j]) for r in regions} for j in (1, 2))
    counts = (Counter(image for image, _ in rois), Counter(image for image, _ in visits))
    for image, roi, visit in regions:
        prefix = image + (f":{roi}" if counts[0][image] > 1 else "") + (f"@{visit}" if counts[1][image] > 1 else "")
        part = features.filter(image=image, roi=roi, visit=visit)
        filled = [f for f in measured if part[f].null_count() < part.height]
        try:
            block = align(part.select("subject", *filled), subjects)
        except TableError as error:
            raise error.at(f"features of {prefix}") from None
        matrix = matrix.hstack([block[f].alias(f"{prefix}:{f}") for f in filled])
        names.extend((f"{prefix}:{f}", image, visit, roi, f) for f in filled)
    return matrix, pl.DataFrame(names, ["predictor", "image", "visit", "roi", "feature"], orient="row") if names else (
        pl.DataFrame(schema=dict.fromkeys(["predictor", "image", "visit", "roi", "feature"], pl.String))
    )
