"""Names of genes: Ensembl ids with their version, other names from a table, and genes that stand in several rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from radiolocus.errors import TableError
from radiolocus.model import Problem
from radiolocus.read.delimited import load_text, parse_delimited
from radiolocus.read.expression import Expression

__all__ = ["Repeats", "combine_repeats", "read_gene_table", "rename_genes", "without_versions"]

Repeats = Literal["error", "sum", "mean", "highest"]

_VERSIONED = re.compile(r"^(ENS[A-Z]*G\d{11})\.\d+(_PAR_Y)?$")


def without_versions(matrix: Expression) -> Expression:
    """Take the version off Ensembl gene ids, and the copies on Y of genes that X has as well (``_PAR_Y``) out."""
    found = [_VERSIONED.match(gene) for gene in matrix.genes]
    copies = [i for i, match in enumerate(found) if match and match[2]]
    kept = [i for i in range(len(found)) if i not in set(copies)]
    versions = sum(match is not None for match in found)
    if not versions:
        return matrix
    names = tuple(match[1] if (match := found[i]) else matrix.genes[i] for i in kept)
    notes = [f"the version of {versions} Ensembl ids was taken off"]
    if copies:
        notes.append(f"{len(copies)} copies on Y of genes in the pseudoautosomal regions (_PAR_Y) were left out")
    told = tuple(Problem("molecular", got, "note") for got in notes)
    return Expression(names, matrix.samples, matrix.values[kept], (*matrix.notes, *told))


def read_gene_table(path: Path, value: str) -> dict[str, str]:
    """Read a table of genes: two columns, the id as the matrix has it and a name or a number.

    Parameters
    ----------
    path : Path
        TSV, or CSV by its ending, with a header.
    value : str
        What the second column is, for messages.

    Raises
    ------
    TableError
        More or fewer than two columns, or an id twice with different values.
    """
    separator = "," if path.name.lower().removesuffix(".gz").endswith(".csv") else "\t"
    table = parse_delimited(load_text(path), separator, path.name)
    if len(table.header) != 2:
        raise TableError(f"{len(table.header)} columns", where=path.name, allowed=f"two: the gene's id and its {value}")
    found: dict[str, str] = {}
    for line, (gene, name) in zip(table.lines, table.cells.iter_rows(), strict=True):
        if not gene or not name:
            continue
        if found.setdefault(gene.strip(), name.strip()) != name.strip():
            raise TableError(
                f"'{gene}' twice with different values", where=f"{path.name}, line {line}", allowed="one row a gene"
            )
    return found


def rename_genes(matrix: Expression, names: Mapping[str, str], where: str) -> Expression:
    """Give genes the names of a table; genes without one are left out and counted.

    Raises
    ------
    TableError
        No gene of the matrix is in the table.
    """
    kept = [i for i, gene in enumerate(matrix.genes) if gene in names]
    if not kept:
        raise TableError(
            f"none of {len(matrix.genes)} genes ({', '.join(matrix.genes[:3])}, ...) is in the table",
            where=where,
            allowed="the ids of the matrix in the first column, without the version",
        )
    notes = matrix.notes
    if len(kept) < len(matrix.genes):
        lost = len(matrix.genes) - len(kept)
        got = f"{lost} of {len(matrix.genes)} genes have no name there and were left out"
        notes = (*notes, Problem("molecular", got, "note", where=where, count=lost))
    return Expression(tuple(names[matrix.genes[i]] for i in kept), matrix.samples, matrix.values[kept], notes)


def combine_repeats(matrix: Expression, how: Repeats, where: str) -> Expression:
    """Make one row of the rows of a gene.

    Parameters
    ----------
    matrix : Expression
    how : {"error", "sum", "mean", "highest"}
        ``highest``: the row of the highest mean over the samples.
    where : str

    Raises
    ------
    TableError
        A gene in several rows, and ``error``.
    """
    counts = Counter(matrix.genes)
    repeated = [gene for gene, n in counts.items() if n > 1]
    if not repeated:
        return matrix
    shown = ", ".join(repeated[:5]) + (f" and {len(repeated) - 5} more" if len(repeated) > 5 else "")
    if how == "error":
        raise TableError(
            f"{len(repeated)} genes more than once ({shown})",
            where=where,
            allowed="every gene once",
            todo='say what is to be done: repeats = "sum" (counts, TPM), "mean" or "highest"',
        )
    rows: dict[str, list[int]] = {}
    for i, gene in enumerate(matrix.genes):
        rows.setdefault(gene, []).append(i)
    values = np.empty((len(rows), len(matrix.samples)))
    for g, places in enumerate(rows.values()):
        part = matrix.values[places]
        if how == "highest":
            values[g] = part[int(np.argmax(np.nan_to_num(part, nan=-np.inf).mean(axis=1)))]
        else:
            values[g] = part.sum(axis=0) if how == "sum" else part.mean(axis=0)
    word = {"sum": "added", "mean": "averaged", "highest": "replaced by the row of the highest mean"}[how]
    note = Problem("molecular", f"the rows of {len(repeated)} genes were {word} ({shown})", "note", where=where)
    return replace(matrix, genes=tuple(rows), values=values, notes=(*matrix.notes, note))
