"""Known resistance mutations: a versioned table that comes along, or one of the user's own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import polars as pl

from radiolocus.errors import TableError
from radiolocus.read.clinical import read_table
from radiolocus.read.delimited import parse_delimited

__all__ = ["KnownResistance", "known_resistance", "one_letter"]

_OURS = "known_resistance.csv"
_COLUMNS = ("gene", "change", "treatment", "citation")
_TRUNCATING = r"[A-Z]?\d*\*|[A-Z]\d+[A-Z]?fs.*|[A-Z]\d+X"
_LETTERS = {
    "Ala": "A", "Arg": "R", "Asn": "N", "Asp": "D", "Cys": "C", "Gln": "Q", "Glu": "E", "Gly": "G", "His": "H",
    "Ile": "I", "Leu": "L", "Lys": "K", "Met": "M", "Phe": "F", "Pro": "P", "Ser": "S", "Thr": "T", "Trp": "W",
    "Tyr": "Y", "Val": "V", "Ter": "*",
}  # fmt: skip


def one_letter(change: str) -> str:
    """Protein change in one-letter code without ``p.`` and brackets.

    >>> one_letter("p.(Thr790Met)")
    'T790M'
    """
    bare = change.strip().removeprefix("p.").strip("()")
    return re.sub("|".join(_LETTERS), lambda m: _LETTERS[m[0]], bare)


@dataclass(frozen=True, eq=False)
class KnownResistance:
    """Known resistance mutations.

    Parameters
    ----------
    frame : polars.DataFrame
        Columns gene, change, treatment, citation, and more where the table has them.
    version : str
        What the table says of its version, or the name of the file.
    """

    frame: pl.DataFrame
    version: str

    def find(self, gene: str | None, change: str | None) -> tuple[str, str]:
        """Treatments that a change is known to resist, and the papers; both empty when none is known."""
        if not gene or not change:
            return "", ""
        short = one_letter(change)
        rows = [
            (treatment, citation)
            for g, pattern, treatment, citation in self.frame.select(_COLUMNS).iter_rows()
            if g.upper() == gene.upper() and re.fullmatch(_TRUNCATING if pattern == "truncating" else pattern, short)
        ]
        return "; ".join(t for t, _ in rows), "; ".join(dict.fromkeys(c for _, c in rows))


def known_resistance(path: Path | str | None = None) -> KnownResistance:
    """Load the table of known resistance mutations.

    Parameters
    ----------
    path : Path or str, optional
        CSV or XLSX table of the user with the columns gene, change (a regular expression of the whole one-letter
        change, or ``truncating``), treatment and citation; the table that comes along by default.

    Raises
    ------
    TableError
        A column that is missing, an empty cell, or a pattern that is none.
    """
    if path is None:
        text = (files("radiolocus.response") / _OURS).read_text(encoding="utf-8")
        parsed = parse_delimited(text, ",", _OURS)
        frame = parsed.cells.rename({str(i): name for i, name in enumerate(parsed.header)})
        found = re.search(r"version (\S+?);", parsed.comments[0])
        return KnownResistance(frame, f"version {found[1] if found else '?'}")
    table = read_table(path, text=_COLUMNS)
    absent = [c for c in _COLUMNS if c not in table.frame.columns]
    if absent:
        raise TableError(f"no column '{absent[0]}'", where=table.source, allowed=", ".join(_COLUMNS))
    for row, cells in zip(table.row_number, table.frame.select(_COLUMNS).rows(), strict=True):
        where = f"{table.source}, row {row}"
        if any(cell is None for cell in cells):
            raise TableError("an empty cell", where=where, allowed=f"{', '.join(_COLUMNS)} in every row")
        try:
            re.compile(cells[1])
        except re.error as error:
            raise TableError(f"change '{cells[1]}': {error}", where=where, allowed="a regular expression") from None
    return KnownResistance(table.frame, table.source)
