"""What several stages start from: clinical columns as covariates, and artefacts of earlier stages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from radiolocus.errors import ConfigError
from radiolocus.pipeline.run import Run
from radiolocus.registry import suggest

__all__ = ["clinical", "upstream", "variant_dosages"]


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


def variant_dosages(run: Run, names: Sequence[str]) -> pl.DataFrame:
    """Subjects with their copies of the effect allele of some variants; null where a genotype is missing.

    A variant that the genotypes do not have has no column, and without genotypes there is nobody.
    """
    genotypes = run.gathered.genotypes
    if not names or genotypes is None:
        return pl.DataFrame(schema={"subject": pl.String})
    source = genotypes.source
    ids = source.variants["variant_id"].to_list()
    places = {name: ids.index(name) for name in names if name in set(ids)}
    rows = np.array([i for i, s in enumerate(genotypes.subjects) if s is not None], dtype=np.int64)
    frame = pl.DataFrame({"subject": [genotypes.subjects[i] for i in rows]}, {"subject": pl.String})
    return frame.with_columns(
        pl.Series(name, source.read(rows, at, at + 1).dosage[0].astype(np.float64)).fill_nan(None)
        for name, at in places.items()
    )
