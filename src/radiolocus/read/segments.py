"""Copy-number segments: SEG, GDC, ASCAT, Sequenza, FACETS and scarHRD layouts, told apart by their column names.

A file gives the log2 ratio of each segment (SEG: https://software.broadinstitute.org/software/igv/SEG), its total copy
number, or the copy numbers of both alleles (ASCAT, Sequenza, FACETS, GDC allele-specific segments), plain or
gzip-compressed, separated by tabs or commas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from radiolocus.errors import TableError
from radiolocus.model import Problem
from radiolocus.read.delimited import Delimited, load_text, parse_delimited
from radiolocus.read.genotypes import chromosome_names
from radiolocus.registry import suggest

__all__ = ["SEGMENT_COLUMNS", "Segments", "read_segments"]

# Column to the names that programs give it, lower case, letters and digits alone.
SEGMENT_COLUMNS: dict[str, tuple[str, ...]] = {
    "sample": ("sample", "sampleid", "id", "gdcaliquot", "tumorsamplebarcode", "samplename", "patient", "subject"),
    "chromosome": ("chromosome", "chrom", "chr", "chromosomes"),
    "start": ("start", "locstart", "startpos", "startposition", "startbp"),
    "end": ("end", "locend", "endpos", "endposition", "endbp"),
    "log2_ratio": ("segmean", "segmentmean", "log2", "logr", "meanlog2", "log2ratio", "seg"),
    "total": ("copynumber", "totalcn", "tcnem", "cnt", "cn", "totalcopynumber", "ntotal"),
    "major": ("majorcopynumber", "nmajor", "majorcn", "nmaj1a", "major", "acn", "a"),
    "minor": ("minorcopynumber", "nminor", "minorcn", "nmin1a", "minor", "lcnem", "bcn", "b"),
}
_NEEDED = ("chromosome", "start", "end")
_MEASURES = ("log2_ratio", "total", "major", "minor")
_EMPTY = ("", ".", "NA", "N/A", "NaN", "null")


@dataclass(frozen=True, eq=False)
class Segments:
    """The segments of one file.

    Parameters
    ----------
    frame : polars.DataFrame
        `sample`, `chromosome` (1–22, X, Y, without chr), `start`, `end` (bp, both included), and `log2_ratio`, `total`,
        `major`, `minor` (copies; null where the file has none), in the order of samples, chromosomes and places.
    samples : tuple of str
        Every sample of the file, those that were set aside among them.
    notes : tuple of Problem
        Samples that were set aside with the reason, and what was exchanged or left out.
    """

    frame: pl.DataFrame
    samples: tuple[str, ...]
    notes: tuple[Problem, ...] = ()


def read_segments(path: Path, columns: Mapping[str, str] | None = None, sample: str | None = None) -> Segments:
    """Read copy-number segments of one or several samples.

    Parameters
    ----------
    path : Path
    columns : mapping of str to str, optional
        Name in the file of `sample`, `chromosome`, `start`, `end`, `log2_ratio`, `total`, `major` or `minor`, where the
        usual names do not find it.
    sample : str, optional
        The sample of a file that has no column of samples.

    Returns
    -------
    Segments
        `total` is the sum of both alleles where the file does not give it, `major` what `total` leaves beside
        `minor`; where `minor` is the larger one, both are exchanged, since programs differ in what they call A and B.

    Raises
    ------
    TableError
        A missing column, or a field that is no number in every sample; the message names the line. Fields that are no
        numbers, overlapping or reversed segments and negative copy numbers set aside their sample alone.
    """
    text = load_text(path)
    separator = "," if ".csv" in path.name.lower() else "\t"
    table = parse_delimited(text, separator, path.name)
    place = _columns(table.header, columns or {}, path.name)
    if "sample" not in place and sample is None:
        raise TableError(
            "no column of samples",
            where=path.name,
            allowed="a column such as ID, Sample or GDC_Aliquot, or one file a subject",
            todo="name the column under columns, or write {subject} into the path where the id stands",
        )
    frame, unread = _typed(table, place, path.name, sample)
    everybody = frame["sample"].unique(maintain_order=True).to_list()
    lost = {str(p.item) for p in unread}
    frame, notes = _whole(_alleles(frame.filter(~pl.col("sample").is_in(sorted(lost)))), path.name)
    there = {*frame["sample"], *lost}
    samples = tuple(name for name in everybody if name in there)
    frame, told = _usable(frame.drop("line"), frame["line"], path.name)
    rank = pl.col("chromosome").replace_strict({str(i): i for i in range(1, 23)} | {"X": 23, "Y": 24}, default=25)
    frame = frame.sort("sample", rank, "chromosome", "start", maintain_order=True)
    return Segments(frame.select("sample", "chromosome", "start", "end", *_MEASURES), samples, (*notes, *unread, *told))


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())


def _columns(header: tuple[str, ...], named: Mapping[str, str], where: str) -> dict[str, int]:
    """Position of each column that the file has."""
    stripped = [name.strip() for name in header]
    found: dict[str, int] = {}
    for column, name in named.items():
        if column not in SEGMENT_COLUMNS:
            raise TableError(f"column '{column}'", where=f"columns of {where}", allowed=", ".join(SEGMENT_COLUMNS))
        if name not in stripped:
            raise TableError(f"no column '{name}'", where=where, todo=suggest(name, stripped) or ", ".join(stripped))
        found[column] = stripped.index(name)
    plain = [_plain(name) for name in stripped]
    for column, names in SEGMENT_COLUMNS.items():
        place = next((plain.index(name) for name in names if name in plain), None)
        if place is not None:
            found.setdefault(column, place)
    missing = [column for column in _NEEDED if column not in found]
    if missing or not {"log2_ratio", "total", "major"} & found.keys():
        lacking = ", ".join(missing) or "log2_ratio, total or major"
        raise TableError(
            f"no column for {lacking} among {', '.join(stripped)}",
            where=where,
            allowed="chromosome, start, end and a log2 ratio, a total copy number, or those of both alleles",
            todo='name it under columns, e.g. columns = { start = "startpos" }',
        )
    return found


def _typed(
    table: Delimited, place: Mapping[str, int], where: str, sample: str | None
) -> tuple[pl.DataFrame, list[Problem]]:
    """Fields as numbers, and the samples with a field that is none; when it is all of them, the file is at fault."""
    text = table.cells.select(pl.col(str(i)).str.strip_chars().alias(name) for name, i in place.items())
    if "sample" not in text.columns:
        text = text.with_columns(sample=pl.lit(sample, pl.String))
    series = [pl.Series("line", table.lines, pl.Int64)]
    errors: dict[str, tuple[int, TableError]] = {}
    for name in text.columns:
        if name in ("sample", "chromosome"):
            series.append(text[name].fill_null(""))
            continue
        cells = text[name].set(text[name].is_in(_EMPTY), None)
        number = cells.cast(pl.Float64, strict=False)
        bad = ~number.is_finite().fill_null(value=False) if name in _NEEDED else cells.is_not_null() & number.is_null()
        for row in bad.arg_true().to_list():
            who = text["sample"][row] or ""
            if who not in errors or row < errors[who][0]:
                errors[who] = (
                    row,
                    TableError(
                        f"'{text[name][row] or ''}'",
                        where=f"{where}, line {table.lines[row]}, column '{table.header[place[name]].strip()}'",
                        allowed="a number",
                        todo="mend the field: the rest of the line may have slipped by a column",
                    ),
                )
        number = number.set(bad, None) if bad.any() else number
        series.append(number.cast(pl.Int64) if name in _NEEDED else number)
    if errors and len(errors) == text["sample"].fill_null("").n_unique():
        raise min(errors.values(), key=lambda found: found[0])[1]
    unread = [
        Problem(
            "molecular", f"{e.got}; the sample has no segments", item=who, where=e.where, allowed=e.allowed, todo=e.todo
        )
        for who, (_, e) in errors.items()
    ]
    return _named(series), unread


def _named(series: list[pl.Series]) -> pl.DataFrame:
    """Columns as a table, chromosomes by their usual names."""
    frame = pl.DataFrame(series)
    return frame.with_columns(chromosome_names(pl.col("chromosome"))).with_columns(
        pl.col("chromosome").replace({"23": "X", "24": "Y"})
    )


def _alleles(frame: pl.DataFrame) -> pl.DataFrame:
    """Derive what two of total, major and minor say about the third."""
    frame = frame.with_columns(pl.lit(None, pl.Float64).alias(name) for name in _MEASURES if name not in frame.columns)
    frame = frame.with_columns(
        major=pl.coalesce("major", pl.col("total") - pl.col("minor")),
        minor=pl.coalesce("minor", pl.col("total") - pl.col("major")),
        total=pl.coalesce("total", pl.col("major") + pl.col("minor")),
    )
    low, high = pl.min_horizontal("major", "minor"), pl.max_horizontal("major", "minor")
    both = pl.col("major").is_not_null() & pl.col("minor").is_not_null()
    return frame.with_columns(
        exchanged=(pl.col("minor") > pl.col("major")).fill_null(value=False),
        major=pl.when(both).then(high),
        minor=pl.when(both).then(low),
    )


def _whole(frame: pl.DataFrame, where: str) -> tuple[pl.DataFrame, list[Problem]]:
    """Say what was exchanged, and leave out segments without any measure."""
    notes = []
    if exchanged := int(frame["exchanged"].sum()):
        got = f"{exchanged} segments whose minor allele has more copies than the major one: exchanged"
        notes.append(Problem("molecular", got, "note", where=where, count=exchanged))
    blank = frame.select(pl.all_horizontal(pl.col(*_MEASURES).is_null()))[:, 0]
    if blank.any():
        got = f"{int(blank.sum())} segments without a value were left out"
        line = frame.filter(blank)["line"][0]
        notes.append(Problem("molecular", got, "note", where=f"{where}, first on line {line}", count=int(blank.sum())))
    return frame.filter(~blank).drop("exchanged"), notes


def _usable(frame: pl.DataFrame, lines: pl.Series, where: str) -> tuple[pl.DataFrame, list[Problem]]:
    """Set aside the samples whose segments contradict each other."""
    frame = frame.with_columns(lines.alias("line"))
    ordered = frame.sort("sample", "chromosome", "start", "line")
    same = (pl.col("sample") == pl.col("sample").shift()) & (pl.col("chromosome") == pl.col("chromosome").shift())
    sizes = pl.col("total").is_not_null() & pl.col("major").is_not_null()
    reasons = (
        ("a segment that ends before it begins", pl.col("end") < pl.col("start")),
        ("two segments that overlap", (same & (pl.col("start") < pl.col("end").shift())).fill_null(value=False)),
        ("a negative copy number", (pl.min_horizontal("total", "minor") < 0).fill_null(value=False)),
        (
            "alleles that do not add up to the total",
            sizes & ((pl.col("major") + pl.col("minor") - pl.col("total")).abs() > 0.01).fill_null(value=False),
        ),
    )
    problems: list[Problem] = []
    lost: set[str] = set()
    for got, wrong in reasons:
        found = ordered.filter(wrong).filter(~pl.col("sample").is_in(sorted(lost)))
        for name, line in found.group_by("sample", maintain_order=True).agg(pl.col("line").first()).iter_rows():
            problems.append(
                Problem(
                    "molecular",
                    f"{got}; the sample has no segments",
                    item=name,
                    where=f"{where}, line {line}",
                    allowed="segments in a row, start ≤ end, of 0 or more copies",
                    todo="mend the segmentation of this sample",
                )
            )
            lost.add(name)
    return frame.filter(~pl.col("sample").is_in(sorted(lost))).drop("line"), problems
