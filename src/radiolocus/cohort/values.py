"""Cells: how values of different tables are compared."""

from __future__ import annotations

import re

import polars as pl

__all__ = ["as_text", "canonical"]


def canonical(value: object) -> str:
    """Write a value so that 1, 1.0 and '1' are the same."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value).strip()
    return re.sub(r"^(-?\d+)\.0+$", r"\1", text)


def as_text(column: pl.Series) -> pl.Series:
    """Write the values of a column as text, each in its canonical form."""
    if column.dtype == pl.String:
        return column
    return pl.Series(column.name, [None if v is None else canonical(v) for v in column.to_list()], pl.String)
