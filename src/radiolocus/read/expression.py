"""Expression matrices: GCT, and plain TSV or CSV with genes or samples in the rows.

GCT: https://software.broadinstitute.org/cancer/software/gsea/wiki/index.php/Data_formats (versions 1.2 and 1.3).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from radiolocus.errors import FormatError, TableError
from radiolocus.model import Array, Problem
from radiolocus.read.clinical import MISSING
from radiolocus.read.delimited import Delimited, load_text, parse_delimited
from radiolocus.registry import suggest

__all__ = ["Expression", "Orientation", "read_expression", "spreadsheet_dates"]

Orientation = Literal["genes_by_samples", "samples_by_genes"]

# Columns that stand between the gene names and the samples in cBioPortal, GCT and GDC files.
_ANNOTATION = (
    "entrez_gene_id",
    "description",
    "gene_type",
    "gene_name",
    "gene_id",
    "cytoband",
    "composite.element.ref",
)
_DATE_GENE = re.compile(
    r"^(\d{1,2}-(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)|(mar|sep|dec|oct)-\d{1,2}|\d{4}-\d{2}-\d{2}.*)$", re.I
)


@dataclass(frozen=True, eq=False)
class Expression:
    """An expression matrix.

    Parameters
    ----------
    genes : tuple of str, length g
    samples : tuple of str, length s
    values : ndarray of float64, shape (g, s)
        NaN where missing.
    notes : tuple of Problem
        What the reader left out or found odd.
    """

    genes: tuple[str, ...]
    samples: tuple[str, ...]
    values: Array
    notes: tuple[Problem, ...] = ()


def read_expression(
    path: Path,
    *,
    orientation: Orientation = "genes_by_samples",
    id_column: str | None = None,
    drop: Sequence[str] = (),
    repeats: bool = False,
) -> Expression:
    """Read an expression matrix from a ``.gct``, ``.tsv``, ``.txt`` or ``.csv`` file, plain or gzip-compressed.

    Parameters
    ----------
    path : Path
    orientation : {"genes_by_samples", "samples_by_genes"}
        What stands in the rows. A GCT has genes in the rows.
    id_column : str, optional
        Column that names the rows; the first one by default.
    drop : sequence of str
        Columns that are no gene (no sample) and are left out, whatever they hold.
    repeats : bool
        Let a gene stand in several rows (columns); whoever asks for it deals with them.

    Raises
    ------
    FormatError
        A file that is not such a table, lines of different width, a GCT whose sizes disagree.
    TableError
        A gene or sample twice; a cell that is neither a number nor a marker of a missing value, or is infinite. The
        message names row and column.
    """
    name = path.name.lower().removesuffix(".gz")
    text = load_text(path)
    annotation: tuple[str, ...] = _ANNOTATION
    if name.endswith(".gct") or text.startswith(("#1.2", "#1.3")):
        if orientation != "genes_by_samples":
            raise TableError(
                f"orientation '{orientation}' for a GCT",
                where=path.name,
                allowed="genes_by_samples",
                todo="leave it out",
            )
        table, more = _gct(text, path.name)
        annotation += more
    else:
        table = parse_delimited(text, "," if name.endswith(".csv") else "\t", path.name)
    header = tuple(h.strip() for h in table.header)
    key = _key(header, id_column, path.name)
    if orientation == "samples_by_genes":
        annotation = ()
    left_out = [h for h in header if h.casefold() in annotation and h != header[key]]
    _check_drop(drop, header, path.name)
    kept = [i for i, h in enumerate(header) if i != key and h not in left_out and h not in drop]
    if not kept or not table.lines:
        raise FormatError(
            f"{len(table.lines)} rows and {len(kept)} columns of values",
            where=path.name,
            allowed="a row of names, then one line a row, separated by tabs (.tsv, .txt, .gct) or commas (.csv)",
        )
    rows = _row_names(table, key, path.name)
    columns = tuple(header[i] for i in kept)
    by_row, by_column = ("gene", "sample") if orientation == "genes_by_samples" else ("sample", "gene")
    for names, what in ((rows, by_row), (columns, by_column)):
        if what == "sample" or not repeats:
            _refuse_repeats(names, what, path.name)
    values = _numbers(table, kept, rows, columns, path.name)
    missing = int(np.isnan(values).sum())
    notes = []
    if left_out:
        notes.append(_note(f"annotation columns {', '.join(left_out)} are no samples", path, len(left_out)))
    if missing:
        notes.append(_note(f"{missing} cells without a value", path, missing))
    if orientation == "genes_by_samples":
        return Expression(rows, columns, values, tuple(notes))
    return Expression(columns, rows, np.ascontiguousarray(values.T), tuple(notes))


def spreadsheet_dates(genes: Sequence[str]) -> list[str]:
    """Return the names that a spreadsheet made of gene symbols (``1-Sep`` of SEPTIN1, ``2-Mar`` of MARCHF2).

    Ziemann, Eren & El-Osta (2016) Genome Biology 17:177.
    """
    return [gene for gene in genes if _DATE_GENE.match(gene)]


def _gct(text: str, where: str) -> tuple[Delimited, tuple[str, ...]]:
    """Return the body of a GCT and the names of its annotation columns, folded."""
    lines = text.split("\n", 2)
    version = lines[0].strip()
    sizes = lines[1].split() if len(lines) == 3 else []
    if version not in ("#1.2", "#1.3") or not all(s.isdigit() for s in sizes) or len(sizes) != (2, 4)["3" in version]:
        raise FormatError(
            f"'{version[:20]}' and '{' '.join(sizes)[:40]}' on the first two lines",
            where=where,
            allowed="a GCT begins with #1.2 and 'rows columns', or #1.3 and 'rows columns row-fields column-fields'",
        )
    table = parse_delimited(lines[2], "\t", where, comment=None, first_line=3)
    n_genes, n_samples = int(sizes[0]), int(sizes[1])
    n_fields, n_above = (int(sizes[2]), int(sizes[3])) if version == "#1.3" else (1, 0)
    if (len(table.lines) - n_above, len(table.header) - 1 - n_fields) != (n_genes, n_samples):
        raise FormatError(
            f"{len(table.lines) - n_above} genes × {len(table.header) - 1 - n_fields} samples",
            where=where,
            allowed=f"{n_genes} × {n_samples}, as line 2 says",
            todo="the file is cut short or was edited: fetch it again",
        )
    body = Delimited(table.header, table.cells[n_above:], table.lines[n_above:])
    return body, tuple(h.strip().casefold() for h in table.header[1 : 1 + n_fields])


def _key(header: tuple[str, ...], id_column: str | None, where: str) -> int:
    if id_column is None:
        return 0
    if header.count(id_column) != 1:
        raise TableError(
            f"{header.count(id_column)} columns '{id_column}'",
            where=where,
            allowed="one column that names the rows",
            todo=suggest(id_column, header),
        )
    return header.index(id_column)


def _check_drop(drop: Sequence[str], header: tuple[str, ...], where: str) -> None:
    for name in drop:
        if name not in header:
            raise TableError(f"no column '{name}' to leave out", where=where, todo=suggest(name, header))


def _row_names(table: Delimited, key: int, where: str) -> tuple[str, ...]:
    names = table.cells[:, key].str.strip_chars()
    empty = names.is_null() | (names == "")
    if empty.any():
        raise TableError(
            f"no name ({int(empty.sum())} rows in all)",
            where=f"{where}, line {table.lines[int(empty.arg_true()[0])]}, first column",
            allowed="a name in every row",
        )
    return tuple(names.to_list())


def _refuse_repeats(names: Sequence[str], what: str, where: str) -> None:
    repeated = [name for name, n in Counter(names).items() if n > 1]
    if repeated:
        shown = ", ".join(repeated[:5]) + (f" and {len(repeated) - 5} more" if len(repeated) > 5 else "")
        raise TableError(
            f"{len(repeated)} {what}s more than once ({shown})",
            where=where,
            allowed=f"every {what} once",
            todo=f"choose or combine the rows of each {what} before; which one is right is not for a program to guess",
        )


def _numbers(table: Delimited, kept: Sequence[int], rows: Sequence[str], columns: Sequence[str], where: str) -> Array:
    text = table.cells.select(pl.nth(*kept).str.strip_chars())
    numbers = text.select(pl.all().cast(pl.Float64, strict=False).fill_nan(None))
    for i, name in enumerate(columns):
        cells, value = text[:, i], numbers[:, i]
        if value.null_count() == 0 and value.is_finite().all():
            continue
        missing = cells.is_null() | cells.str.to_lowercase().is_in(MISSING)
        bad = (~missing) & ~value.is_finite().fill_null(False)
        if bad.any():
            row = int(bad.arg_true()[0])
            raise TableError(
                f"'{cells[row]}'",
                where=f"{where}, line {table.lines[row]} ({rows[row]}), column '{name}'",
                allowed="a finite number, or empty, NA, ?",
                todo="mend the cell; name the column under drop when it holds no expression",
            )
    return np.ascontiguousarray(numbers.to_numpy(), dtype=np.float64)


def _note(got: str, path: Path, count: int) -> Problem:
    return Problem("molecular", got, "note", where=path.name, count=count)
