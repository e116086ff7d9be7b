"""Somatic mutations: the Mutation Annotation Format in its GDC and cBioPortal dialects.

Format: https://docs.gdc.cancer.gov/Data/File_Formats/MAF_Format and
https://docs.cbioportal.org/file-formats/#mutation-data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from radiolocus.errors import TableError
from radiolocus.model import Problem
from radiolocus.read.delimited import Delimited, load_text, parse_delimited
from radiolocus.registry import suggest

__all__ = ["Maf", "read_maf", "read_sample_list"]

_REQUIRED = ("Hugo_Symbol", "Tumor_Sample_Barcode", "Variant_Classification")
_WHOLE = ("Start_Position", "End_Position", "t_depth", "t_ref_count", "t_alt_count")
_KEPT = (
    *_REQUIRED,
    "Variant_Type",
    "NCBI_Build",
    "Chromosome",
    "Start_Position",
    "End_Position",
    "Reference_Allele",
    "Tumor_Seq_Allele1",
    "Tumor_Seq_Allele2",
    "HGVSp_Short",
    "CONTEXT",
    "Mutation_Status",
    "t_depth",
    "t_ref_count",
    "t_alt_count",
)
# TCGA files before the GDC wrote the protein change under other names, and Oncotator the bases around the variant.
_ALIASES = {"protein_change": "HGVSp_Short", "amino_acid_change": "HGVSp_Short", "ref_context": "CONTEXT"}
_SEQUENCED = "#sequenced_samples:"
_EMPTY = ("", ".", "NA", "N/A", "NaN", "null", "-1")
_ID_COLUMNS = ("tumor_sample_barcode", "sample_id", "sample", "case_id", "patient_id", "patient id", "subject")


@dataclass(frozen=True, eq=False)
class Maf:
    """The mutations of a MAF file.

    Parameters
    ----------
    frame : polars.DataFrame
        One row a mutation, columns under their GDC names: `Hugo_Symbol`, `Tumor_Sample_Barcode`,
        `Variant_Classification` always (text, never null); `Variant_Type`, `NCBI_Build`, `Chromosome`,
        `Start_Position`, `End_Position` (1-based, bp), `Reference_Allele`, `Tumor_Seq_Allele1`, `Tumor_Seq_Allele2`,
        `HGVSp_Short`, `CONTEXT` (bases around the variant), `Mutation_Status` and read counts where the file has them.
    sequenced : tuple of str
        Barcodes of the ``#sequenced_samples:`` line that cBioPortal writes; empty when there is none.
    notes : tuple of Problem
        What the reader left out.
    aside : dict of str to Problem
        Barcodes with a row that cannot be read, and the first such row. None of their rows is in `frame`, since what is
        missing there would look unmutated.
    """

    frame: pl.DataFrame
    sequenced: tuple[str, ...] = ()
    notes: tuple[Problem, ...] = ()
    aside: dict[str, Problem] = field(default_factory=dict)


def read_maf(path: Path) -> Maf:
    """Read a MAF file, plain or gzip-compressed.

    Column names are matched whatever their case; ``Protein_Change`` is taken for ``HGVSp_Short`` and Oncotator's
    ``ref_context`` for ``CONTEXT`` where those are absent.
    Rows that repeat an earlier row in every field are counted and dropped; so are rows without a gene (intergenic).
    A row without classification, or with a position or count that is no whole number or is negative, sets its sample
    aside.

    Raises
    ------
    FormatError
        A file that cannot be read, or a line with another number of fields than the header.
    TableError
        A required column is absent or double; a row without sample; no sample is left. The message names the line.
    """
    table = parse_delimited(load_text(path), "\t", path.name, quote=None)
    place = _columns(table.header, path.name)
    frame = table.cells.select(pl.col(str(i)).str.strip_chars().alias(name) for name, i in place.items())
    if (lost := _empty(frame, "Tumor_Sample_Barcode")).any():
        raise _refused(frame, "Tumor_Sample_Barcode", int(lost.arg_true()[0]), table, path.name)
    numbers, wrong = _whole(frame)
    aside = _set_aside(frame, wrong, table, path.name)
    frame = frame.with_columns(numbers)
    repeated = ~table.cells.select(first=pl.struct(pl.all()).is_first_distinct())["first"]
    nameless = frame["Hugo_Symbol"].is_null() | frame["Hugo_Symbol"].is_in(["", "Unknown", ".", "NA"])
    notes = [
        _note(f"{int(repeated.sum())} rows that repeat an earlier row in every field", "dropped", repeated, table, path)
        if repeated.any()
        else None,
        _note(f"{int(nameless.sum())} rows without a gene", "not counted for any gene", nameless, table, path)
        if nameless.any()
        else None,
    ]
    sequenced = _sequenced(table.comments)
    # A sample all of whose mutations lie between genes was sequenced all the same.
    between = frame.filter(nameless)["Tumor_Sample_Barcode"].unique(maintain_order=True).to_list()
    if between:
        sequenced = tuple(dict.fromkeys((*sequenced, *between)))
    kept = ~(repeated | nameless | frame["Tumor_Sample_Barcode"].is_in(list(aside)))
    return Maf(frame.filter(kept), sequenced, tuple(n for n in notes if n is not None), aside)


def read_sample_list(path: Path) -> tuple[str, ...]:
    """Read who was sequenced: one id a line, or a separated table (the annotation that travels with a MAF).

    In a table the first column of these names holds the ids, else the very first column: Tumor_Sample_Barcode,
    Sample_Id, Sample, Case_Id, Patient_Id, Patient ID, Subject. A first line that is none of these names is an id when
    the file has one column, and a header when it has several.
    """
    text = load_text(path)
    separator = "," if ".csv" in path.name.lower() else "\t"
    table = parse_delimited(text, separator, path.name)
    folded = [name.strip().casefold() for name in table.header]
    column = next((folded.index(name) for name in _ID_COLUMNS if name in folded), 0)
    ids = [value.strip() for value in table.cells[:, column].drop_nulls()]
    if len(folded) == 1 and folded[0] not in _ID_COLUMNS:
        ids.insert(0, table.header[0].strip())
    found = tuple(dict.fromkeys(i for i in ids if i))
    if not found:
        raise TableError("no sample id", where=path.name, allowed="one id a line, or a table with an id column")
    return found


def _columns(header: tuple[str, ...], where: str) -> dict[str, int]:
    """Position of each known column; the name itself goes before an alias."""
    known = {name.casefold(): name for name in _KEPT}
    found: dict[str, int] = {}
    for i, raw in enumerate(header):
        name = known.get(raw.strip().casefold())
        if name in found:
            raise TableError(f"column '{name}' twice", where=where, allowed="every column once")
        if name is not None:
            found[name] = i
    for i, raw in enumerate(header):
        alias = _ALIASES.get(raw.strip().casefold())
        if alias is not None:
            found.setdefault(alias, i)
    missing = [name for name in _REQUIRED if name not in found]
    if missing:
        raise TableError(
            f"no column {', '.join(missing)}",
            where=where,
            allowed=f"a tab-separated MAF with {', '.join(_REQUIRED)}",
            todo=suggest(missing[0], header) or "check that the file is a MAF and that tabs separate its fields",
        )
    return {name: found[name] for name in _KEPT if name in found}


def _empty(frame: pl.DataFrame, name: str) -> pl.Series:
    return frame[name].is_null() | (frame[name] == "")


def _whole(frame: pl.DataFrame) -> tuple[list[pl.Series], dict[str, pl.Series]]:
    """Positions and counts as numbers; of each column that must be right, which rows are wrong."""
    wrong = {"Variant_Classification": _empty(frame, "Variant_Classification")}
    numbers = []
    for name in (n for n in _WHOLE if n in frame.columns):
        text = frame[name].set(frame[name].is_in(_EMPTY), None)
        number = text.cast(pl.Int64, strict=False)
        wrong[name] = text.is_not_null() & (number.is_null() | (number < 0))
        numbers.append(number.set(wrong[name], None).alias(name))
    return numbers, wrong


def _set_aside(frame: pl.DataFrame, wrong: Mapping[str, pl.Series], table: Delimited, where: str) -> dict[str, Problem]:
    """Samples with a row that cannot be read, each with its first one; when it is all of them, the file is at fault."""
    found: dict[str, tuple[int, str]] = {}
    for name, rows in wrong.items():
        for row in rows.arg_true().to_list():
            barcode = frame["Tumor_Sample_Barcode"][row]
            found[barcode] = min(found.get(barcode, (row, name)), (row, name))
    if found and len(found) == frame["Tumor_Sample_Barcode"].n_unique():
        row, name = min(found.values())
        raise _refused(frame, name, row, table, where)
    aside = {}
    for barcode, (row, name) in sorted(found.items(), key=lambda item: item[1]):
        told = _refused(frame, name, row, table, where)
        got = f"{told.got}; the mutations of {barcode} would be incomplete and are unknown"
        aside[barcode] = Problem("molecular", got, where=told.where, allowed=told.allowed, todo=told.todo)
    return aside


def _refused(frame: pl.DataFrame, name: str, row: int, table: Delimited, where: str) -> TableError:
    place = f"{where}, line {table.lines[row]}, column {name}"
    if name not in _WHOLE:
        return TableError("no value", where=place, allowed="text in every row", todo="fill the field")
    return TableError(
        f"'{frame[name][row]}'",
        where=place,
        allowed="a whole number, not negative, or empty",
        todo="mend the field: the rest of the line may have slipped by a column",
    )


def _note(got: str, done: str, rows: pl.Series, table: Delimited, path: Path) -> Problem:
    first = table.lines[int(rows.arg_true()[0])]
    return Problem(
        "molecular", got, "note", where=f"{path.name}, first on line {first}", todo=done, count=int(rows.sum())
    )


def _sequenced(comments: tuple[str, ...]) -> tuple[str, ...]:
    for line in comments:
        if line.casefold().startswith(_SEQUENCED):
            return tuple(dict.fromkeys(line[len(_SEQUENCED) :].split()))
    return ()
