"""One file of read counts a sample: HTSeq, STAR's ``ReadsPerGene.out.tab``, and the augmented STAR counts of the GDC.

Formats: https://htseq.readthedocs.io/en/latest/htseqcount.html; STAR manual, "Counting number of reads per gene";
https://docs.gdc.cancer.gov/Data/Bioinformatics_Pipelines/Expression_mRNA_Pipeline/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from radiolocus.errors import FormatError, TableError
from radiolocus.model import Array
from radiolocus.read.delimited import Delimited, load_text, parse_delimited
from radiolocus.read.expression import Expression
from radiolocus.registry import suggest

__all__ = ["CountFormat", "read_counts", "read_sample_sheet"]

CountFormat = Literal["htseq", "star", "gdc_star"]

# The library's strand decides which of STAR's columns counts; GDC names them otherwise.
_STAR = {"unstranded": 1, "forward": 2, "reverse": 3}
_GDC = (
    "unstranded",
    "stranded_first",
    "stranded_second",
    "tpm_unstranded",
    "fpkm_unstranded",
    "fpkm_uq_unstranded",
)
_NO_GENE = ("__", "N_unmapped", "N_multimapping", "N_noFeature", "N_ambiguous")


@dataclass(frozen=True, eq=False)
class _Sample:
    ids: tuple[str, ...]
    names: tuple[str, ...]
    values: Array


def read_counts(
    files: Mapping[str, Path], kind: CountFormat, *, column: str | None = None, gene_column: str | None = None
) -> Expression:
    """Read one file a sample into a matrix.

    Parameters
    ----------
    files : mapping of str to Path
        File of each sample, plain or gzip-compressed.
    kind : {"htseq", "star", "gdc_star"}
    column : str, optional
        Which column counts, demanded where there are several: the strand of the library for STAR (``unstranded``,
        ``forward``, ``reverse``), the name of the column for the GDC. Nothing is guessed from the sums.
    gene_column : str, optional
        ``gene_id`` (the default) or ``gene_name`` of the GDC's files.

    Returns
    -------
    Expression
        Genes may stand in several rows under the same name.

    Raises
    ------
    FormatError
        A file that is not of the format, or whose genes are not those of the first file.
    TableError
        No column, or an unknown one; a cell that is no number or below 0.
    """
    _check_column(kind, column, gene_column)
    first: _Sample | None = None
    columns: list[Array] = []
    for sample, path in files.items():
        read = _one(path, kind, column)
        if first is None:
            first = read
        elif read.ids != first.ids:
            raise _other_genes(sample, path, read, first)
        columns.append(read.values)
    if first is None:
        raise FormatError("no file", allowed="at least one file of counts")
    genes = first.names if gene_column == "gene_name" else first.ids
    return Expression(genes, tuple(files), np.column_stack(columns))


def read_sample_sheet(path: Path) -> dict[str, str]:
    """Read the sample of each file from a sample sheet of the GDC (columns ``File Name`` and ``Sample ID``).

    Raises
    ------
    TableError
        A missing column, or a file twice.
    """
    table = parse_delimited(load_text(path), "\t", path.name, comment=None)
    header = [h.strip().casefold() for h in table.header]
    for name in ("file name", "sample id"):
        if header.count(name) != 1:
            raise TableError(
                f"{header.count(name)} columns '{name}'",
                where=path.name,
                allowed="a column 'File Name' and a column 'Sample ID'",
                todo="fetch the sample sheet from the cart of the GDC portal",
            )
    names, samples = (table.cells[:, header.index(h)].to_list() for h in ("file name", "sample id"))
    if len(set(names)) < len(names):
        raise TableError("a file twice", where=path.name, allowed="one row a file")
    return dict(zip(names, samples, strict=True))


def _check_column(kind: CountFormat, column: str | None, gene_column: str | None) -> None:
    allowed: tuple[str, ...] = {"htseq": (), "star": tuple(_STAR), "gdc_star": _GDC}[kind]
    if (column is None) == bool(allowed) or (column is not None and column not in allowed):
        raise TableError(
            f"column {column!r}" if column else "no column",
            where=f"counts of format '{kind}'",
            allowed=", ".join(allowed) or "none: the file has one",
            todo=suggest(column or "", allowed) or "say which one, as the library was made" if allowed else "",
        )
    if gene_column not in (None, "gene_id") and (kind != "gdc_star" or gene_column != "gene_name"):
        raise TableError(
            f"gene_column '{gene_column}'",
            where=f"counts of format '{kind}'",
            allowed="gene_id, gene_name" if kind == "gdc_star" else "none: the first column names the genes",
        )


def _one(path: Path, kind: CountFormat, column: str | None) -> _Sample:
    text = load_text(path)
    if kind == "gdc_star":
        table = parse_delimited(text, "\t", path.name)
        header = [h.strip() for h in table.header]
        missing = [h for h in ("gene_id", "gene_name", column) if h not in header]
        if missing:
            raise FormatError(
                f"no column {', '.join(map(str, missing))}",
                where=path.name,
                allowed="gene_id, gene_name, gene_type, " + ", ".join(_GDC),
            )
        places = header.index("gene_id"), header.index("gene_name"), header.index(str(column))
    else:
        width = 2 if kind == "htseq" else 4
        header_line = "\t".join(str(i) for i in range(width))
        # The files have no header: one of the right width lets every line be counted.
        table = parse_delimited(f"{header_line}\n{text}", "\t", path.name, comment=None, first_line=0)
        places = 0, 0, 1 if kind == "htseq" else _STAR[str(column)]
    ids = table.cells[:, places[0]].fill_null("")
    kept = ~pl.any_horizontal(*(ids.str.starts_with(word) for word in _NO_GENE))
    mask = pl.select(kept).to_series()
    if not mask.any() or (ids.filter(mask) == "").any():
        raise FormatError("a row without a gene, or no gene at all", where=path.name, allowed="one gene a row")
    names = table.cells[:, places[1]].fill_null("").filter(mask)
    values = _whole(table, places[2], mask, path.name)
    return _Sample(tuple(ids.filter(mask).to_list()), tuple(names.to_list()), values)


def _whole(table: Delimited, place: int, mask: pl.Series, where: str) -> Array:
    text = table.cells[:, place]
    values = text.cast(pl.Float64, strict=False)
    bad = mask & ~(values.is_finite() & (values >= 0)).fill_null(False)
    if bad.any():
        row = int(bad.arg_true()[0])
        raise TableError(
            f"'{text[row]}'",
            where=f"{where}, line {table.lines[row]}, column {place + 1}",
            allowed="a number of 0 or more",
            todo="the file is cut short or of another format: fetch it again",
        )
    return np.asarray(values.filter(mask).to_numpy(), dtype=np.float64)


def _other_genes(sample: str, path: Path, read: _Sample, first: _Sample) -> FormatError:
    absent = [g for g in first.ids if g not in set(read.ids)]
    further = [g for g in read.ids if g not in set(first.ids)]
    got = f"{len(absent)} genes of the first file are missing, {len(further)} are not in it"
    shown = ", ".join((absent + further)[:3])
    return FormatError(
        f"{got} ({shown})" if shown else "the genes of the first file in another order",
        where=f"{path.name} (sample {sample})",
        allowed="the same genes in the same order in every file",
        todo="count all samples with the same annotation",
    )
