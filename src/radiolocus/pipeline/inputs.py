"""What several stages start from: clinical columns as covariates, and artefacts of earlier stages."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from radiolocus.errors import ConfigError
from radiolocus.pipeline.run import Run
from radiolocus.registry import suggest

__all__ = ["clinical", "upstream"]


def clinical(run: Run, names: Sequence[str], where: str) -> pl.DataFrame:
    """Subjects with some of their clinical columns.

    Raises
    ------
    ConfigError
        A column that is not there.
    """
    frame = run.gathered.cohort.frame
    for name in names:
        if name not in frame.columns:
            raise ConfigError(
                f"no clinical column '{name}'",
                where=where,
                allowed=", ".join(frame.columns[1:]),
                todo=suggest(name, frame.columns[1:]),
            )
    told = run.sections.cohort.columns
    categories = [name for name in names if name in told and told[name].type == "category"]
    return frame.select("subject", *names).with_columns(
        pl.col(name)
        .cast(pl.String)
        .cast(pl.Enum(told[name].categories or sorted(frame[name].cast(pl.String).drop_nulls().unique())))
        for name in categories
    )


def upstream(run: Run, *names: str) -> dict[str, str]:
    """Fingerprints of artefacts that a stage starts from."""
    paths = {name: run.root / f"{name}.parquet" for name in names}
    return {name: run.prints.of(path) for name, path in paths.items() if path.exists()}
