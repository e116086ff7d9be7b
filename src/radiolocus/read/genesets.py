"""Gene sets in GMT files.

https://software.broadinstitute.org/cancer/software/gsea/wiki/index.php/Data_formats
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from radiolocus.errors import FormatError, TableError
from radiolocus.model import Problem
from radiolocus.read.delimited import load_text

__all__ = ["GeneSets", "read_gene_sets"]


@dataclass(frozen=True)
class GeneSets:
    """Gene sets of one file, in its order.

    Parameters
    ----------
    sets : dict of str to tuple of str
        Genes by name of the set, each once.
    notes : tuple of Problem
        What the reader found odd.
    """

    sets: dict[str, tuple[str, ...]]
    notes: tuple[Problem, ...] = ()


def read_gene_sets(path: Path) -> GeneSets:
    """Read a GMT file, plain or gzip-compressed: a set a line, its name, a description, its genes, split by tabs.

    Parameters
    ----------
    path : Path

    Returns
    -------
    GeneSets
        A gene that stands in a set twice counts once.

    Raises
    ------
    FormatError
        A line without a name or without a gene, or no line at all; names the line.
    TableError
        A set twice.
    """
    sets: dict[str, tuple[str, ...]] = {}
    repeated = 0
    for number, line in enumerate(load_text(path).splitlines(), 1):
        if not line.strip():
            continue
        name, *rest = (cell.strip() for cell in line.split("\t"))
        genes = [gene for gene in rest[1:] if gene]
        if not name or not genes:
            raise FormatError(
                f"'{line[:40]}'",
                where=f"{path.name}, line {number}",
                allowed="name, description and at least one gene, split by tabs",
            )
        if name in sets:
            raise TableError(f"gene set '{name}' twice", where=f"{path.name}, line {number}", allowed="every set once")
        sets[name] = tuple(dict.fromkeys(genes))
        repeated += len(genes) - len(sets[name])
    if not sets:
        raise FormatError("no gene set", where=path.name, allowed="a GMT file with a set a line")
    if not repeated:
        return GeneSets(sets)
    got = f"{repeated} genes stand twice in a set and count once"
    return GeneSets(sets, (Problem("link", got, "note", where=path.name, count=repeated),))
