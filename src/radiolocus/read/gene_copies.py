"""Copy number by gene: ``all_thresholded.by_genes`` and ``all_data_by_genes`` of GISTIC 2, ``data_cna`` of cBioPortal.

GISTIC: https://broadinstitute.github.io/gistic2/. cBioPortal: https://docs.cbioportal.org/file-formats/. Genes in rows,
samples in columns; thresholded values are -2 (deep deletion), -1 (loss), 0, 1 (gain), 2 (amplification).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from radiolocus.errors import TableError
from radiolocus.model import Array, Problem
from radiolocus.read.delimited import Delimited, load_text, parse_delimited

__all__ = ["LEVELS", "GeneCopies", "read_gene_copies"]

LEVELS = (-2.0, -1.5, -1.0, 0.0, 1.0, 2.0)
"""Thresholded values; cBioPortal writes -1.5 for a deep loss that is not homozygous."""
_NAMES = ("gene symbol", "hugo_symbol", "gene", "gene_symbol", "symbol")
_BESIDE = ("locus id", "gene id", "cytoband", "entrez_gene_id", "entrez_id", "ensembl_id")
_EMPTY = ("", "NA", "NaN", "null", ".", "N/A")


@dataclass(frozen=True, eq=False)
class GeneCopies:
    """Copy number by gene.

    Parameters
    ----------
    genes, samples : tuple of str
    values : ndarray, shape (genes, samples)
        NaN where missing.
    discrete : bool
        Whether every value is a thresholded one.
    notes : tuple of Problem
        Those about a sample that cannot be used have it as `item`.
    """

    genes: tuple[str, ...]
    samples: tuple[str, ...]
    values: Array
    discrete: bool
    notes: tuple[Problem, ...] = ()


def read_gene_copies(path: Path) -> GeneCopies:
    """Read a table of copy number by gene, plain or gzip-compressed.

    A gene symbol may carry the chromosome behind a bar (``ABC|chr7``), as GISTIC writes genes that lie in several
    places; the bar and what follows goes when the symbol alone stands once. Of a gene in several rows the first counts,
    and that is said.

    Raises
    ------
    TableError
        No column of genes, no sample, a sample twice, or a cell that is no number in every sample; in some of them it
        sets these samples aside, whose values are NaN.
    """
    table = parse_delimited(load_text(path), "\t", path.name, quote=None)
    header = [name.strip() for name in table.header]
    folded = [name.casefold() for name in header]
    key = next((folded.index(name) for name in _NAMES if name in folded), None)
    if key is None:
        raise TableError(
            f"columns {', '.join(header[:5])}",
            where=path.name,
            allowed="Gene Symbol or Hugo_Symbol, then a column a sample",
            todo="give the table of GISTIC or cBioPortal with genes in rows, separated by tabs",
        )
    places = [i for i, name in enumerate(folded) if i != key and name not in _BESIDE]
    samples = tuple(header[i] for i in places)
    if not samples or len(set(samples)) < len(samples):
        twice = sorted({s for s in samples if samples.count(s) > 1})
        raise TableError(
            f"samples twice: {', '.join(twice[:3])}" if twice else "no sample", where=path.name, allowed="a column each"
        )
    values, unread = _numbers(table, {i: header[i] for i in places}, path.name)
    written = [str(g or "").strip() for g in table.cells[:, key]]
    bare = [g.split("|")[0] for g in written]
    times = Counter(bare)
    names = [b if times[b] == 1 or "|" not in g else g for g, b in zip(written, bare, strict=True)]
    first = {name: i for i, name in reversed(list(enumerate(names))) if name}
    order = sorted(first.values())
    notes = unread
    if len(order) < len(names):
        got = f"{len(names) - len(order)} rows repeat a gene or have none; the first row of a gene counts"
        notes = (Problem("molecular", got, "note", where=path.name, count=len(names) - len(order)), *unread)
    values = values[order]
    known = values[~np.isnan(values)]
    return GeneCopies(
        tuple(names[i] for i in order), samples, values, bool(np.isin(known, LEVELS).all() and known.size), notes
    )


def _numbers(table: Delimited, names: Mapping[int, str], where: str) -> tuple[Array, tuple[Problem, ...]]:
    """Values of each sample, and the samples with a cell that is no number; when it is all of them, the file is."""
    columns: list[Array] = []
    unread: list[Problem] = []
    for i, name in names.items():
        text = table.cells[:, i].str.strip_chars()
        text = text.set(text.is_in(_EMPTY), None)
        number = text.cast(pl.Float64, strict=False)
        bad = text.is_not_null() & number.is_null()
        columns.append(np.asarray(number.fill_null(np.nan).to_numpy(), dtype=np.float64))
        if bad.any():
            row = int(bad.arg_true()[0])
            place = f"{where}, line {table.lines[row]}, sample {name}"
            unread.append(Problem("molecular", f"'{text[row]}'", item=name, where=place, allowed="a number, or NA"))
            columns[-1] = np.full(number.len(), np.nan)
    if len(unread) == len(names):
        raise TableError(unread[0].got, where=unread[0].where, allowed=unread[0].allowed)
    told = tuple(replace(p, got=f"{p.got}; the sample has no copy numbers") for p in unread)
    return np.column_stack(columns), told
