"""What a column and a table are, and the columns that several tables share."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

__all__ = [
    "EFFECT",
    "INTERVAL",
    "MODEL",
    "MULTIPLE",
    "PROBLEM",
    "ROI",
    "SUBJECT",
    "Column",
    "Flag",
    "N",
    "P",
    "Real",
    "Table",
    "Text",
    "Whole",
]

Text, Real, Whole, Flag = pl.String(), pl.Float64(), pl.Int64(), pl.Boolean()


@dataclass(frozen=True)
class Column:
    """A column: polars type, unit (empty when it has none), meaning, and where the definition comes from."""

    name: str
    dtype: pl.DataType
    meaning: str
    unit: str = ""
    source: str = ""


@dataclass(frozen=True)
class Table:
    """A table of the artefact store: its path below the output folder, its columns, and whether more may follow."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    open_ended: bool = False

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Column name to polars type."""
        return {c.name: c.dtype for c in self.columns}


SUBJECT = Column("subject", Text, "normalised subject id")
P = Column("neg_log_10_p_value", Real, "−log10 of the two-sided p-value", source="GWAS-SSF")
N = Column("n", Whole, "subjects used")
EFFECT = (
    Column("estimate", Real, "effect estimate"),
    Column("standard_error", Real, "standard error of the estimate"),
    Column("statistic", Real, "test statistic"),
    P,
    N,
)
ROI = (
    SUBJECT,
    Column("image", Text, "name of the image in the study file"),
    Column("visit", Text, "visit label, empty when the study has one visit"),
    Column("roi", Text, "name of the region of interest"),
)
MULTIPLE = (
    Column("bonferroni_p_value", Real, "p-value times the number of tests, at most 1"),
    Column("q_value", Real, "false discovery rate", source="Benjamini & Hochberg 1995"),
)
INTERVAL = (
    Column("estimate", Real, "estimate of the metric"),
    Column("lower", Real, "lower end of the 95 % interval"),
    Column("upper", Real, "upper end of the 95 % interval"),
)
MODEL = (
    Column("endpoint", Text, "endpoint of the study file"),
    Column("predictors", Text, "block of predictors: clinical, imaging, molecular, genetic, all or a negative control"),
    Column("model", Text, "model fitted"),
)
PROBLEM = (
    Column("stage", Text, "stage that met the problem"),
    Column("severity", Text, "'set aside', 'no value' or 'note'"),
    SUBJECT,
    Column("item", Text, "image, region, feature, column or variant concerned"),
    Column("where", Text, "file, sheet, row, column"),
    Column("got", Text, "what was found"),
    Column("allowed", Text, "what would have been accepted"),
    Column("todo", Text, "what to do about it"),
    Column("count", Whole, "how many times the same problem occurred"),
)
