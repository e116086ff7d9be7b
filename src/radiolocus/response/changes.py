"""Tables of change from what a study has: lesions, imaging features of several visits, repeatability."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from radiolocus.errors import TableError
from radiolocus.model import Problem
from radiolocus.read.clinical import read_table
from radiolocus.registry import suggest
from radiolocus.response.delta import LESIONS, DeltaOptions, delta, function_calls, long_features
from radiolocus.response.function import visit_measures

__all__ = ["changes_of", "read_repeatability"]

_SCHEMA = {
    "image": pl.String(),
    "roi": pl.String(),
    "measure": pl.String(),
    "repeatability_coefficient": pl.Float64(),
    "percent": pl.Boolean(),
}


def read_repeatability(path: Path | str) -> pl.DataFrame:
    """Read repeatability coefficients.

    Parameters
    ----------
    path : Path or str
        Table with the columns measure, repeatability_coefficient and, where they are known, image, roi and scale
        (absolute, the default, or percent of the baseline value).

    Returns
    -------
    polars.DataFrame
        As :func:`radiolocus.response.delta.delta` takes it.

    Raises
    ------
    TableError
        No such file or column, a scale that is not known, or a coefficient that is not above 0.
    """
    path = Path(path)
    frame = read_table(path, id_column="measure", text=("image", "roi", "scale")).frame
    if missing := [c for c in ("measure", "repeatability_coefficient") if c not in frame.columns]:
        raise TableError(f"no column '{missing[0]}'", where=path.name, allowed="measure, repeatability_coefficient")

    def text(name: str) -> pl.Expr:
        return (pl.col(name).cast(pl.String) if name in frame.columns else pl.lit(None, pl.String)).alias(name)

    scale = text("scale").fill_null("absolute").str.to_lowercase()
    found = frame.select(
        text("image"),
        text("roi"),
        text("measure"),
        pl.col("repeatability_coefficient").cast(pl.Float64, strict=False),
        scale.alias("scale"),
    )
    wrong = found.filter(
        ~pl.col("scale").is_in(["absolute", "percent"]) | ~(pl.col("repeatability_coefficient") > 0).fill_null(False)
    )
    if wrong.height:
        row = wrong.row(0, named=True)
        raise TableError(
            f"repeatability_coefficient {row['repeatability_coefficient']}, scale '{row['scale']}'",
            where=f"{path.name}: {row['measure']}",
            allowed="a number above 0; absolute or percent",
        )
    return found.with_columns((pl.col("scale") == "percent").alias("percent")).select(*_SCHEMA)


def changes_of(
    lesions: pl.DataFrame | None,
    features: pl.DataFrame | None,
    repeatability: pl.DataFrame | None,
    options: DeltaOptions,
    *,
    stated: pl.DataFrame | None = None,
) -> tuple[dict[str, pl.DataFrame], list[Problem]]:
    """Make the tables of change.

    Parameters
    ----------
    lesions : polars.DataFrame or None
        As :func:`radiolocus.read.lesions.read_lesions` returns it.
    features, repeatability : polars.DataFrame or None
        Tables ``features/features`` and ``features/repeatability``.
    options : DeltaOptions
    stated : polars.DataFrame, optional
        As :func:`read_repeatability` returns it; goes before `repeatability`.

    Returns
    -------
    tables : dict of str to polars.DataFrame
        ``response/delta``, ``response/delta_features`` and ``response/function``.
    problems : list of Problem
    """
    parts: list[pl.DataFrame] = []
    problems: list[Problem] = []
    if lesions is not None:
        parts.append(visit_measures(lesions).with_columns(pl.lit(LESIONS).alias("image"), pl.lit("").alias("roi")))
    if features is not None and features.height:
        values, told = long_features(features, lesions, options)
        parts.append(values)
        problems += told
    columns = ("subject", "image", "roi", "measure", "visit", "day", "value")
    values = pl.concat([part.select(columns) for part in parts]) if parts else _nothing()
    known = [table for table in (stated, _own(repeatability, options.source)) if table is not None]
    found = delta(values, pl.concat(known) if known else None)
    tables = {
        "response/delta": found.changes,
        "response/delta_features": found.features,
        "response/function": function_calls(found.changes, options),
    }
    return tables, [*problems, *found.problems, *_unmeasured(stated, values)]


def _unmeasured(stated: pl.DataFrame | None, values: pl.DataFrame) -> list[Problem]:
    """Coefficients of measures that nobody has: misspelt, they would silently leave a change without its noise."""
    if stated is None:
        return []
    there = values["measure"].unique().sort().to_list()
    lost = stated.filter(~pl.col("measure").is_in(there))["measure"].unique(maintain_order=True)
    return [
        Problem(
            "response",
            f"repeatability of '{name}', which nothing measures",
            "no value",
            item=name,
            where="repeatability",
            allowed=", ".join(there[:20]),
            todo=suggest(name, there) or "correct the name, or leave the row out",
        )
        for name in lost
    ]


def _nothing() -> pl.DataFrame:
    words = dict.fromkeys(("subject", "image", "roi", "measure", "visit"), pl.String)
    return pl.DataFrame(schema=words | {"day": pl.Float64, "value": pl.Float64})


def _own(repeatability: pl.DataFrame | None, source: str) -> pl.DataFrame | None:
    """Coefficients of the study: those of the source that counts first, of perturbed copies the largest of a visit."""
    if repeatability is None:
        return None
    return (
        repeatability.filter(pl.col("repeatability_coefficient") > 0)
        .sort((pl.col("source") != source), "repeatability_coefficient", descending=[False, True], maintain_order=True)
        .select(
            "image",
            pl.col("roi").fill_null(""),
            pl.col("feature").alias("measure"),
            "repeatability_coefficient",
            pl.lit(value=False).alias("percent"),
        )
    )
