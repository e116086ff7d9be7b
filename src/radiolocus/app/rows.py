"""Tables of results written as the ending of their file says."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl

from radiolocus.errors import ConfigError
from radiolocus.store import write_bytes

__all__ = ["write_rows"]


def write_rows(rows: pl.DataFrame, out: Path) -> None:
    """Write a table of results as its ending says.

    Raises
    ------
    ConfigError
        Another ending than .csv, .tsv or .parquet.
    """
    if out.suffix == ".parquet":
        buffer = io.BytesIO()
        rows.write_parquet(buffer)
        write_bytes(out, buffer.getvalue())
    elif out.suffix in (".csv", ".tsv"):
        write_bytes(out, rows.write_csv(separator="," if out.suffix == ".csv" else "\t").encode())
    else:
        raise ConfigError(f"'{out.name}'", where="--out", allowed="a name that ends in .csv, .tsv or .parquet")
