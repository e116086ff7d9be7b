"""Tables of genes that stand below a regional plot."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from radiolocus.errors import FormatError

__all__ = ["read_genes"]

_NAMES = {
    "chromosome": ("chromosome", "chrom", "chr", "#chrom", "#chr"),
    "start": ("start", "chromstart", "txstart", "tx_start"),
    "end": ("end", "stop", "chromend", "txend", "tx_end"),
    "name": ("name", "gene", "gene_name", "symbol", "gene_symbol"),
    "strand": ("strand",),
}
_BED = ("chromosome", "start", "end", "name", "score", "strand")


def read_genes(path: Path) -> pl.DataFrame:
    """Read a table of genes: BED without a head (0-based, half open), or CSV or TSV with one (1-based).

    Parameters
    ----------
    path : Path
        ``.bed``, ``.csv`` or any other ending for tabs; may be compressed by gzip.

    Returns
    -------
    polars.DataFrame
        Columns chromosome (without chr), start, end (bp, both included), name, strand (null where not told).

    Raises
    ------
    FormatError
        A column that is missing, or places that are no numbers.
    """
    bed = ".bed" in path.suffixes
    try:
        frame = pl.read_csv(
            path,
            separator="," if ".csv" in path.suffixes else "\t",
            has_header=not bed,
            infer_schema=False,
            comment_prefix="track" if bed else None,
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        raise FormatError(f"no table of genes ({error})", where=path.name, allowed="BED, CSV or TSV") from None
    if bed:
        frame = frame.rename(dict(zip(frame.columns, _BED, strict=False)))
    else:
        known = {column.strip().lower(): column for column in frame.columns}
        found = {next((known[n] for n in names if n in known), ""): name for name, names in _NAMES.items()}
        frame = frame.rename({column: name for column, name in found.items() if column})
    missing = [name for name in ("chromosome", "start", "end", "name") if name not in frame.columns]
    if missing:
        raise FormatError(
            f"no column {', '.join(missing)}",
            where=path.name,
            allowed="chromosome, start, end, name and, where known, strand",
            todo="name the columns so, or give a BED file",
        )
    strand = pl.col("strand") if "strand" in frame.columns else pl.lit(None, pl.String)
    try:
        return frame.select(
            pl.col("chromosome").str.replace("(?i)^chr", ""),
            pl.col("start").cast(pl.Int64) + int(bed),
            pl.col("end").cast(pl.Int64),
            "name",
            strand.alias("strand"),
        )
    except pl.exceptions.InvalidOperationError:
        raise FormatError("start or end is no whole number", where=path.name, allowed="base pairs") from None
