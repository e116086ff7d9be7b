"""Features that another program measured: a table, one row a subject, becomes rows of the feature table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import polars as pl

from radiolocus.errors import ConfigError, TableError
from radiolocus.model import Problem
from radiolocus.read.clinical import ClinicalTable, read_table
from radiolocus.registry import suggest
from radiolocus.schema import TABLES, conform

__all__ = ["FeatureTable", "id_column", "nameless", "read_feature_table", "table_dictionary", "table_rows"]

# What PyRadiomics writes about its own run, beside the features.
_NO_FEATURES = ("diagnostics_*",)
_REGION = "ROI"


@dataclass(frozen=True)
class FeatureTable:
    """A table of imaging features that another program measured, one row a subject.

    Parameters
    ----------
    name : str
        Goes in front of the features' names, as the name of an image does: ``MRI`` gives ``MRI:T1_radVar1``.
    path : str
        CSV, TSV, XLSX or Parquet file.
    id : str or None
        Column of subject ids; the first one by default.
    sheet : str or None
        Sheet of a workbook.
    columns : tuple of str
        Columns, or patterns of columns (``original_*``), that are features; every column of numbers by default.
    drop : tuple of str
        Columns or patterns that are no features; PyRadiomics' ``diagnostics_*`` never are.
    modality : str
        DICOM modality of the image that was measured.
    analyse : bool
        Whether the features enter association, genotyping and outcome.
    """

    name: str
    path: str
    id: str | None = None
    sheet: str | None = None
    columns: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    modality: str = ""
    analyse: bool = True

    def __post_init__(self) -> None:
        if not self.name or any(c in self.name for c in ":@/\\ "):
            raise ConfigError(f"name = '{self.name}'", allowed="letters, digits, '_', '-', '.'")


def read_feature_table(options: FeatureTable, path: Path) -> tuple[ClinicalTable, list[str], list[Problem]]:
    """Read a table of features.

    Parameters
    ----------
    options : FeatureTable
    path : Path
        Where ``options.path`` stands.

    Returns
    -------
    ClinicalTable
    list of str
        Its columns that are features.
    list of Problem
        Cells that are no numbers, and columns that are no features.

    Raises
    ------
    TableError
        No such file or column, or no feature at all; a feature with a name that the feature table needs itself.
    """
    table = read_table(path, sheet=options.sheet, id_column=options.id)
    key = id_column(options, table)
    offered = [c for c in table.frame.columns if c != key]
    for pattern in (*options.columns, *options.drop):
        if not any(fnmatchcase(c, pattern) for c in offered):
            raise TableError(
                f"no column '{pattern}'", where=table.source, todo=suggest(pattern, offered) or "correct the name"
            )
    chosen = [c for c in offered if not options.columns or _any(c, options.columns)]
    chosen = [c for c in chosen if not _any(c, (*options.drop, *_NO_FEATURES))]
    bare = nameless(table)
    chosen = [c for c in chosen if c not in bare or c in options.columns]
    schema = table.frame.schema
    features = [c for c in chosen if schema[c].is_numeric() or schema[c] == pl.Boolean]
    problems = list(table.problems)
    if out := sorted(bare - {*features, *options.drop}):
        got = f"a column without header is no feature ({', '.join(out)}): row numbers, as a rule"
        todo = "name it under columns if it is one"
        problems.append(Problem("features", got, "note", item=options.name, where=table.source, todo=todo))
    if text := [c for c in chosen if c not in features]:
        got = f"{len(text)} columns that are not numbers are no features ({', '.join(text[:5])})"
        problems.append(Problem("features", got, "note", item=options.name, where=table.source, count=len(text)))
    taken = [c for c in features if c in TABLES["features/features"].schema]
    if taken or not features:
        raise TableError(
            f"a feature called '{taken[0]}'" if taken else "no column of numbers",
            where=table.source,
            allowed="an id, then numbers",
            todo="drop or rename it" if taken else "look at columns and drop",
        )
    return table, features, problems


def nameless(table: ClinicalTable) -> set[str]:
    """Columns without a header: the row numbers that pandas writes in front, which may go with anything."""
    return {p.item for p in table.problems if p.item is not None and " has no header and is called " in p.got}


def id_column(options: FeatureTable, table: ClinicalTable) -> str:
    """Column of ids of a table of features.

    Raises
    ------
    TableError
        It is not there.
    """
    if options.id is not None and options.id not in table.frame.columns:
        raise TableError(
            f"no column '{options.id}'", where=table.source, todo=suggest(options.id, table.frame.columns) or "mend id"
        )
    return options.id or table.frame.columns[0]


def table_rows(
    options: FeatureTable, table: ClinicalTable, features: list[str], mapping: Mapping[str, str]
) -> tuple[pl.DataFrame, list[Problem]]:
    """Put a table of features on the subjects of a cohort.

    Parameters
    ----------
    options : FeatureTable
    table : ClinicalTable
    features : list of str
    mapping : mapping of str to str
        Id as written to the subject.

    Returns
    -------
    polars.DataFrame
        Rows of ``features/features``, one a subject.
    list of Problem
        Subjects with several rows that disagree: they are set aside.
    """
    ids = table.frame[id_column(options, table)].cast(pl.String)
    subject = [mapping.get(raw or "") for raw in ids.to_list()]
    frame = table.frame.select(pl.col(features).cast(pl.Float64).fill_nan(None)).with_columns(
        pl.Series("subject", subject, pl.String), pl.Series("_row", table.row_number)
    )
    frame = frame.drop_nulls("subject").unique(["subject", *features], keep="first", maintain_order=True)
    twice = frame.filter(pl.col("subject").is_duplicated())
    problems = [
        Problem(
            "features",
            f"{part.height} rows of one subject that disagree; it has no features of this table",
            subject=str(name),
            item=options.name,
            where=f"{table.source}, rows {', '.join(str(r) for r in part['_row'].to_list()[:5])}",
            allowed="one row a subject",
            todo="keep the right row",
            count=part.height,
        )
        for (name,), part in twice.group_by(["subject"], maintain_order=True)
    ]
    kept = frame.filter(~pl.col("subject").is_duplicated()).drop("_row")
    rows = kept.with_columns(
        image=pl.lit(options.name), visit=pl.lit(""), roi=pl.lit(_REGION), modality=pl.lit(options.modality)
    )
    return conform(rows, "features/features"), problems


def table_dictionary(features: list[str], family: Callable[[str], str]) -> pl.DataFrame:
    """Say of features that another program measured what is known: their names."""
    empty = [""] * len(features)
    return pl.DataFrame(
        {
            "feature": features,
            "name": features,
            "ibsi_id": empty,
            "family": [family(f) for f in features],
            "aggregation": empty,
            "unit": empty,
        },
        schema=TABLES["features/dictionary"].schema,
    )


def _any(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
