"""Tables of results written as the ending of their file says."""

from __future__ import annotations

import io
import math
from pathlib import Path

import polars as pl

from radiolocus.errors import ConfigError
from radiolocus.store import write_bytes

__all__ = ["scientific_p", "write_rows"]


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


def scientific_p(neg_log_10: float) -> str:
    """Write a p-value from −log10 p in two digits, however small it is.

    >>> scientific_p(0.159), scientific_p(3.55), scientific_p(411.5)
    ('0.69', '2.8e-04', '3.2e-412')
    """
    if neg_log_10 <= 3:
        return f"{10**-neg_log_10:.2g}"
    if math.isinf(neg_log_10):
        return "0"
    exponent = math.ceil(neg_log_10)
    mantissa = round(10 ** (exponent - neg_log_10), 1)
    if mantissa >= 10:
        mantissa, exponent = 1.0, exponent - 1
    return f"{mantissa:.1f}e-{exponent:02d}"
