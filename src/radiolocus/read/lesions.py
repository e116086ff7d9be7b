"""Tables of lesion measurements: one row a lesion and visit.

A subject whose rows contradict each other or the rules of measurement is set aside with the place of the first
contradiction; the others go on. Units are read, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Literal

import polars as pl

from radiolocus.errors import ConfigError, TableError
from radiolocus.model import Problem
from radiolocus.read.clinical import read_table
from radiolocus.read.lesion_measures import MEASURES, present_measures, screen_events, screen_measures
from radiolocus.read.lesion_parts import add_parts, screen_readers
from radiolocus.read.lesion_screen import NUMBER, Screen
from radiolocus.registry import suggest

__all__ = ["LESION_COLUMNS", "LesionColumns", "LesionTable", "read_lesions", "screen_lesions"]

LESION_COLUMNS = {
    "subject": pl.String(),
    "visit": pl.String(),
    "day": pl.Float64(),
    "lesion": pl.String(),
    "kind": pl.String(),
    "organ": pl.String(),
    "node": pl.Boolean(),
    "diameter_mm": pl.Float64(),
    "status": pl.String(),
}
"""Columns of a lesion table: ``day`` counts from the baseline; ``kind`` is target, non-target or new; ``status`` is
absent, present, too small, merged, progression, equivocal or NE."""

KINDS = {
    "target": ("target", "t", "target lesion"),
    "non-target": ("non-target", "nontarget", "non target", "nt", "non-target lesion"),
    "new": ("new", "new lesion", "n"),
}

STATUSES = {
    "absent": ("absent", "disappeared", "gone", "resolved", "cr"),
    "present": ("present", "stable", "unchanged", "non-cr/non-pd", "unequivocal"),
    "too small": ("too small", "too small to measure", "tstm"),
    "merged": ("merged", "coalesced"),
    "progression": ("progression", "unequivocal progression", "pd"),
    "equivocal": ("equivocal", "uncertain"),
    "NE": ("ne", "not evaluable", "not evaluated", "not assessed"),
}

_ALLOWED_STATUS = {
    "target": ("absent", "present", "too small", "merged", "NE"),
    "non-target": ("absent", "present", "progression", "NE"),
    "new": ("present", "equivocal", "absent", "NE"),
}

_YES, _NO = ("true", "yes", "y", "1"), ("false", "no", "n", "0")
_NODE_ORGAN = r"(?i)\blymph|\bnodes?\b|\bnodal\b"
_MILLIMETRES = {"mm": 1.0, "millimetre": 1.0, "millimeter": 1.0, "cm": 10.0, "centimetre": 10.0, "centimeter": 10.0}
_ENDING = re.compile(r"[_ (\[](mm|cm)[)\]]?$")
_UNSAID = "diameter"  # a usual name that states no unit
_DATE = r"^\d{4}-\d{2}-\d{2}"
_NORMAL_NODE_MM = 10.0
_ROUNDING_MM = 0.5  # of a diameter that a second column repeats in whole millimetres


@dataclass(frozen=True)
class LesionColumns:
    """Where a lesion table keeps what.

    Parameters
    ----------
    subject : str
        Column of subject ids.
    visit : str
        Column of visit labels.
    day : str
        Column of days (numbers) or dates (YYYY-MM-DD) of the assessment.
    lesion : str
        Column of lesion labels; the same lesion keeps its label.
    kind : str
        Column that says target, non-target or new.
    organ : str
        Column of organs; may be absent.
    node : str
        Column that says whether the lesion is a lymph node; when absent, lesions whose organ says "lymph" or "node"
        are nodes.
    diameter : str
        Column of diameters: longest for lesions, short axis for nodes; of split lesions the sum of the parts. Default:
        diameter_mm, else diameter_cm, else diameter, whose unit must be stated.
    status : str
        Column of states (absent, present, too small, merged, progression, equivocal, NE); may be absent. Where it is
        empty or says "measured" the diameter decides.
    unit : str
        "mm" or "cm"; or the column that says so; default: the ending ``_mm`` or ``_cm`` of the diameter column.
    baseline : str
        Label of the baseline visit, whatever its case; a subject without that label has its baseline at day 0.
    sheet : str
        Sheet of a workbook; default the first.
    reader : str
        Column of readers; may be absent. A subject with several readers is set aside unless `keep_reader` names one.
    keep_reader : str
        The reader whose rows count; the rows of others are left out, and it is said.
    part : str
        Column of parts of a split lesion; may be absent. The diameters of the parts of a visit are added.
    axis : str
        Column that says "long" or "short" axis; may be absent. A node measured on its long axis is refused.
    measures : dict of str to str
        Columns of further measurements by our name (see docs/response.md), where the file calls them otherwise.
    visit_window_days : float
        Days by which the assessments of one visit may differ; the visit is dated by its first.
    largest_mm : float
        Diameters above this are impossible.
    unsaid_kind : {"", "target"}
        What a lesion is where its source (a DICOM structured report) does not say: "target" takes those of the first
        scan as targets and those seen later as new lesions; default: such a subject is set aside.
    """

    subject: str = "subject"
    visit: str = "visit"
    day: str = "day"
    lesion: str = "lesion"
    kind: str = "kind"
    organ: str = "organ"
    node: str = "node"
    diameter: str = "diameter_mm"
    status: str = "status"
    unit: str = ""
    baseline: str = "baseline"
    sheet: str = ""
    reader: str = "reader"
    keep_reader: str = ""
    part: str = "part"
    axis: str = "axis"
    measures: dict[str, str] = field(default_factory=dict)
    visit_window_days: float = 0.0
    largest_mm: float = 500.0
    unsaid_kind: Literal["", "target"] = ""

    def __post_init__(self) -> None:
        if self.visit_window_days < 0 or self.largest_mm <= 0:
            raise ConfigError(
                f"visit_window_days {self.visit_window_days:g}, largest_mm {self.largest_mm:g}",
                allowed="a window of at least 0 days, a largest diameter above 0 mm",
            )
        unknown = sorted(set(self.measures) - set(MEASURES))
        if unknown:
            raise ConfigError(f"unknown measurement '{unknown[0]}'", allowed=", ".join(MEASURES))
        named = [getattr(self, f.name) for f in fields(self)[:9]]
        twice = sorted({n for n in named if named.count(n) > 1})
        if twice:
            raise ConfigError(f"column '{twice[0]}' named for two things", allowed="each column for one thing")


@dataclass(frozen=True, eq=False)
class LesionTable:
    """Lesions that can be used, and what was set aside.

    Parameters
    ----------
    frame : polars.DataFrame
        Columns of :data:`LESION_COLUMNS`, sorted by subject, day and lesion.
    problems : tuple of Problem
        Subjects set aside, and notes.
    subjects : tuple of str
        All subjects of the file, the ones set aside included.
    """

    frame: pl.DataFrame
    problems: tuple[Problem, ...]
    subjects: tuple[str, ...]


def read_lesions(path: Path | str, columns: LesionColumns | None = None) -> LesionTable:
    """Read lesion measurements from CSV, TSV, XLSX or Parquet.

    Parameters
    ----------
    path : Path or str
    columns : LesionColumns, optional
        Names of the columns.

    Returns
    -------
    LesionTable
        Days are counted from each subject's baseline. A target without size and status, or a lesion left out at a
        visit, was not evaluated. A lesion's organ need be given once.

    Raises
    ------
    TableError
        No such file or column, or a unit that is stated nowhere.

    Notes
    -----
    Columns of :data:`radiolocus.read.lesion_measures.MEASURES` that the file has follow the usual ones; a table with
    one of them may do without diameters.

    A subject is set aside for: an empty visit, lesion, kind or day; an unknown kind, status or unit; mixed units; a
    size that is negative, no number or beyond `largest_mm`; a status that contradicts size or kind; dates and numbers
    mixed; two dates of one visit; two visits on one day; no baseline or two; a visit before baseline; a lesion twice
    at a visit; several readers; a node measured on its long axis; a lesion that changes kind, organ or node; a target
    or non-target without baseline; a new lesion at baseline.
    """
    names = columns or LesionColumns()
    table = read_table(
        path,
        sheet=names.sheet or None,
        id_column=names.subject,
        text=[getattr(names, f.name) for f in fields(names)[1:9]]
        + [_in_other_unit(names), _UNSAID]
        + [names.unit] * bool(names.unit)
        + [names.reader, names.part, names.axis]
        + [names.measures.get(m, m) for m in MEASURES],
    )
    return screen_lesions(table.frame, table.row_number, names, table.source, table.problems)


def screen_lesions(
    rows: pl.DataFrame,
    row_number: Sequence[int],
    names: LesionColumns,
    source: str,
    problems: Sequence[Problem] = (),
) -> LesionTable:
    """Screen rows that are already text.

    Parameters
    ----------
    rows : polars.DataFrame
    row_number : sequence of int
        Row of the file of each.
    names : LesionColumns
    source : str
        File name.
    problems : sequence of Problem
        What was found on the way.

    Raises
    ------
    TableError
        As :func:`read_lesions`.
    """
    other = _in_other_unit(names)
    if names.diameter not in rows.columns and other in rows.columns:  # its name states the unit
        names, other = replace(names, diameter=other), ""
    if names.diameter not in rows.columns and names.diameter == LesionColumns().diameter and _UNSAID in rows.columns:
        names = replace(names, diameter=_UNSAID)  # and somebody must state its unit
    measures = present_measures(rows.columns, names.measures)
    _need(rows.columns, names, source, bool(measures))
    screen = Screen(_canonical(rows, row_number, names, source, measures, other), source)
    screen.problems += [replace(p, stage="response") for p in problems]
    nameless = screen.frame["subject"].is_null()
    if nameless.any():
        first = screen.frame.filter(nameless)["row"][0]
        lost = int(nameless.sum())
        screen.note(f"{lost} rows without a subject were left out, the first is row {first}", count=lost)
        screen.frame = screen.frame.filter(~nameless)
    subjects = tuple(screen.frame["subject"].unique().sort().to_list())
    _screen_words(screen)
    screen_readers(screen, names.keep_reader)
    screen_measures(screen, list(measures))
    sizes = [
        m for m in measures if MEASURES[m].level == "lesion" and not MEASURES[m].words and not m.startswith("earlier")
    ]
    _screen_sizes(screen, names, sizes)
    _screen_days(screen, names)
    screen_events(screen, list(measures))
    add_parts(screen, sizes)
    _screen_lesions(screen, sizes)
    types = LESION_COLUMNS | {m: MEASURES[m].dtype for m in measures}
    frame = screen.frame.select([pl.col(c).cast(t) for c, t in types.items()])
    return LesionTable(frame.sort("subject", "day", "lesion"), tuple(screen.problems), subjects)


def _need(columns: list[str], names: LesionColumns, source: str, measured: bool) -> None:
    needed = (names.subject, names.visit, names.day, names.lesion, names.kind)
    missing = [name for name in (*needed, *[names.diameter] * (not measured)) if name not in columns]
    if missing:
        raise TableError(
            "no column " + ", ".join(f"'{name}'" for name in missing),
            where=source,
            allowed=", ".join(f"'{c}'" for c in columns),
            todo=suggest(missing[0], columns) or "name the columns of the table",
        )


def _canonical(
    frame: pl.DataFrame, rows: Sequence[int], names: LesionColumns, source: str, measures: dict[str, str], other: str
) -> pl.DataFrame:
    """Text under our names, row numbers beside it."""

    def column(name: str) -> pl.Expr:
        text = pl.col(name).cast(pl.String).str.strip_chars() if name in frame.columns else pl.lit(None, pl.String)
        return pl.when(text != "").then(text)

    unit = _unit(frame, names, source) if names.diameter in frame.columns else pl.lit("mm")
    return frame.select(
        pl.Series("row", list(rows), pl.Int64),
        *(column(getattr(names, c)).alias(c) for c in ("subject", "visit", "lesion", "organ")),
        column(names.day).alias("when"),
        column(names.kind).str.to_lowercase().alias("said_kind"),
        column(names.status).str.to_lowercase().replace("measured", None).alias("said_status"),
        column(names.node).str.to_lowercase().alias("said_node"),
        column(names.diameter).alias("size"),
        unit.str.to_lowercase().alias("unit"),
        column(other).alias("size_elsewhere"),
        *(column(getattr(names, c)).alias(c) for c in ("reader", "part", "axis")),
        *(column(theirs).alias(ours) for ours, theirs in measures.items()),
    ).with_columns(pl.lit(names.status in frame.columns).alias("has_status"))


def _in_other_unit(names: LesionColumns) -> str:
    """Name of the column of diameters that states cm where ours states mm, or the other way round; else ""."""
    found = None if names.unit else _ENDING.search(names.diameter)
    if found is None:
        return ""
    start, end = found.span(1)
    return names.diameter[:start] + {"mm": "cm", "cm": "mm"}[found.group(1)] + names.diameter[end:]


def _unit(frame: pl.DataFrame, names: LesionColumns, source: str) -> pl.Expr:
    if names.unit.lower() in _MILLIMETRES:
        return pl.lit(names.unit)
    if names.unit:
        if names.unit not in frame.columns:
            raise TableError(f"no column '{names.unit}' for the unit", where=source, allowed="mm, cm, or a column")
        return pl.col(names.unit).cast(pl.String).str.strip_chars()
    ending = _ENDING.search(names.diameter)
    if ending:
        return pl.lit(ending.group(1))
    raise TableError(
        f"no unit for the column '{names.diameter}'",
        where=source,
        allowed="unit = 'mm' or 'cm', the name of a column that says so, or a diameter column ending in _mm or _cm",
        todo="state the unit of the diameters; it is not guessed",
    )


def _vocabulary(words: dict[str, tuple[str, ...]]) -> dict[str, str]:
    return {word: name for name, spellings in words.items() for word in spellings}


def _screen_words(screen: Screen) -> None:
    """Kinds, states and nodes in our words."""
    for column, what in (("visit", "visit label"), ("lesion", "lesion label"), ("said_kind", "kind")):
        screen.aside(pl.col(column).is_null(), f"an empty {what}", f"a {what} in every row", "fill the cell")
    kinds, states = _vocabulary(KINDS), _vocabulary(STATUSES)
    said_node, organ = pl.col("said_node"), pl.col("organ")
    screen.frame = screen.frame.with_columns(
        pl.col("said_kind").replace_strict(kinds, default=None, return_dtype=pl.String).alias("kind"),
        pl.col("said_status").replace_strict(states, default=None, return_dtype=pl.String).alias("status"),
        pl.when(said_node.is_in(_YES))
        .then(True)
        .when(said_node.is_in(_NO))
        .then(False)
        .when(said_node.is_null())
        .then(organ.str.contains(_NODE_ORGAN))
        .alias("node"),
    )
    screen.aside(pl.col("kind").is_null(), pl.format("kind '{}'", "said_kind"), ", ".join(KINDS), "correct the kind")
    status = pl.col("status")
    screen.aside(
        pl.col("said_status").is_not_null() & status.is_null(),
        pl.format("status '{}'", "said_status"),
        ", ".join(STATUSES),
        "correct the status or leave it empty",
    )
    for kind, allowed in _ALLOWED_STATUS.items():
        screen.aside(
            (pl.col("kind") == kind) & status.is_not_null() & ~status.is_in(allowed),
            pl.format("status '{}' of a {} lesion", "said_status", pl.lit(kind)),
            f"{kind}: {', '.join(allowed)}",
            "correct the status or the kind",
        )
    screen.aside(
        said_node.is_not_null() & pl.col("node").is_null(),
        pl.format("node '{}'", "said_node"),
        "yes or no, true or false, 1 or 0",
        "correct the cell",
    )


def _screen_sizes(screen: Screen, names: LesionColumns, sizes: list[str]) -> None:
    """Diameters in mm, and states filled in from them."""
    screen.aside(
        ~pl.col("unit").is_in(list(_MILLIMETRES)) | (pl.col("unit").is_null() & pl.col("size").is_not_null()),
        pl.format("unit '{}'", pl.col("unit").fill_null("")),
        "mm or cm",
        "state the unit; it is not guessed",
    )
    factor = pl.col("unit").replace_strict(_MILLIMETRES, default=None, return_dtype=pl.Float64)
    number = pl.when(pl.col("size").str.contains(NUMBER)).then(pl.col("size")).cast(pl.Float64, strict=False)
    screen.frame = screen.frame.with_columns((number * factor).alias("diameter_mm"), factor.alias("factor"))
    screen.aside(
        pl.col("factor").drop_nulls().n_unique().over("subject") > 1,
        pl.format("mixed units; here {}", "unit"),
        "one unit for all diameters of a subject",
        "convert the diameters to one unit",
    )
    elsewhere = pl.col("size_elsewhere").cast(pl.Float64, strict=False) * 10 / pl.col("factor")
    same = ((elsewhere - pl.col("diameter_mm")).abs() <= _ROUNDING_MM).fill_null(False)
    screen.aside(
        pl.col("size_elsewhere").is_not_null() & ~same,
        pl.format("mixed units; here '{}' in '{}'", "size_elsewhere", pl.lit(_in_other_unit(names))),
        f"diameters in '{names.diameter}' alone, or the same in both",
        "convert the diameters to one unit, in one column",
    )
    size = pl.col("diameter_mm")
    screen.aside(
        pl.col("size").is_not_null() & (size.is_null() | ~size.is_finite()),
        pl.format("diameter '{}'", "size"),
        "a number",
        "correct the cell, or leave it empty when the lesion was not evaluated",
    )
    screen.aside(size < 0, pl.format("diameter {} {}", "size", "unit"), "0 or more", "correct the diameter")
    screen.aside(
        size > names.largest_mm,
        pl.format("diameter {} {}", "size", "unit"),
        f"at most {names.largest_mm:g} mm",
        "check the unit and the number",
    )
    status, kind = pl.col("status"), pl.col("kind")
    screen.aside(
        (status.is_in(["absent", "merged"]) & (size > 0)) | ((status == "NE") & size.is_not_null()),
        pl.format("status '{}' beside a diameter of {} {}", "said_status", "size", "unit"),
        "absent and merged with 0 or nothing, NE with nothing",
        "correct the status or the diameter",
    )
    screen.aside(
        (kind == "new")
        & pl.col("has_status")
        & status.is_null()
        & ~pl.any_horizontal(size.is_not_null(), *(pl.col(m).is_not_null() for m in sizes)),
        "a new lesion with neither status nor size",
        "present, equivocal, absent or NE, or a size",
        "say whether the new lesion is unequivocal",
    )
    measured = pl.any_horizontal(size.is_not_null(), *(pl.col(m).is_not_null() for m in sizes))
    # A row of a new lesion in a table without states is there because the lesion is.
    is_node = pl.col("node").fill_null(False)
    small = pl.when(is_node).then(size < _NORMAL_NODE_MM).otherwise(size == 0)
    filled = (
        pl.when(status.is_not_null())
        .then(status)
        .when((kind == "new") & size.is_null())
        .then(pl.lit("present"))
        .when(~measured)
        .then(pl.lit("NE"))
        .when((kind != "target") & small)
        .then(pl.lit("absent"))
        .otherwise(pl.lit("present"))
    )
    screen.frame = screen.frame.with_columns(filled.alias("status"))


def _days(days: pl.Expr) -> pl.Expr:
    return days.cast(pl.String).str.strip_suffix(".0")


def _screen_days(screen: Screen, names: LesionColumns) -> None:
    """Days since each subject's baseline."""
    when = pl.col("when")
    screen.aside(when.is_null(), "an empty day", "a day or a date in every row", "fill in when the visit was")
    dated = when.str.contains(_DATE)
    screen.frame = screen.frame.with_columns(
        pl.when(dated)
        .then(when.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False).cast(pl.Int32).cast(pl.Float64))
        .otherwise(pl.when(when.str.contains(NUMBER)).then(when).cast(pl.Float64, strict=False))
        .alias("day"),
        dated.alias("dated"),
        (pl.col("visit").str.to_lowercase() == names.baseline.strip().lower()).alias("is_base"),
    )
    screen.aside(
        pl.col("day").is_null() | ~pl.col("day").is_finite(),
        pl.format("day '{}'", "when"),
        "a number of days or a date YYYY-MM-DD",
        "correct the day",
    )
    screen.aside(
        pl.col("dated").n_unique().over("subject") > 1,
        "dates and numbers of days in one subject",
        "one of them",
        "write all days in one way",
    )
    spread = (pl.col("day").max() - pl.col("day").min()).over("subject", "visit")
    screen.aside(
        pl.col("is_base") & (spread > names.visit_window_days),
        pl.format("two baselines: '{}' {} days apart", "visit", _days(spread)),
        "one baseline visit",
        "keep the visit the treatment started from, or set visit_window_days",
    )
    screen.aside(
        spread > names.visit_window_days,
        pl.format("visit '{}' with days that differ by {}", "visit", _days(spread)),
        f"assessments of one visit at most {names.visit_window_days:g} days apart",
        "correct the days, name the visits apart, or set visit_window_days",
    )
    screen.frame = screen.frame.with_columns(pl.col("day").min().over("subject", "visit"))
    screen.aside(
        pl.col("visit").n_unique().over("subject", "day") > 1,
        pl.format("two visits on the same day, one of them '{}'", "visit"),
        "one visit a day",
        "give the visits of one day one label",
    )
    no_label = ~pl.col("is_base").any().over("subject")
    screen.frame = screen.frame.with_columns(
        (pl.col("is_base") | (no_label & ~pl.col("dated") & (pl.col("day") == 0))).alias("is_base")
    )
    screen.aside(
        ~pl.col("is_base").any().over("subject"),
        "no baseline visit",
        f"a visit labelled '{names.baseline}', or numbers of days with a visit at day 0",
        "name the label of the baseline visit",
    )
    start = pl.col("day").filter(pl.col("is_base")).min().over("subject")
    shifted = screen.frame.filter(pl.col("is_base") & ~pl.col("dated") & (pl.col("day") != 0))["subject"].n_unique()
    if shifted:
        screen.note(f"baseline not at day 0 in {shifted} subjects; days were counted from it", count=shifted)
    screen.frame = screen.frame.with_columns((pl.col("day") - start).alias("day"), start.alias("start"))
    screen.aside(
        pl.col("day") < 0,
        pl.format("a visit {} days before baseline", _days(-pl.col("day"))),
        "the baseline as first visit",
        "leave earlier scans out",
    )


def _screen_lesions(screen: Screen, sizes: list[str]) -> None:
    """Each lesion once a visit, the same lesion throughout, known since baseline unless new."""
    key = ("subject", "lesion")
    screen.aside(
        pl.len().over(*key, "visit") > 1,
        "the same lesion twice at one visit",
        "one row a lesion and visit",
        "keep one reader and one measurement, or label the lesions apart",
    )
    for column, what in (("kind", "kind"), ("organ", "organ"), ("node", "node or not")):
        known = pl.col(column).drop_nulls()
        screen.aside(
            known.n_unique().over(*key) > 1,
            pl.format("a lesion whose {} changes; here '{}'", pl.lit(what), pl.col(column).cast(pl.String)),
            f"one {what} a lesion",
            "correct the cell, or give the other lesion its own label",
        )
    screen.frame = screen.frame.with_columns(
        pl.col("organ").drop_nulls().first().over(*key), pl.col("node").drop_nulls().first().over(*key)
    ).with_columns(pl.col("node").fill_null(False))
    at_base, kind = pl.col("day") == 0, pl.col("kind")
    screen.aside(
        at_base & (kind == "new"), "a new lesion at baseline", "target or non-target at baseline", "correct the kind"
    )
    screen.aside(
        (kind != "new") & ~at_base.any().over(*key),
        pl.format("a {} lesion without baseline", "kind"),
        "targets and non-targets that were there at baseline",
        "add its baseline row, or call it new",
    )
    screen.aside(
        at_base
        & (kind == "target")
        & ~pl.any_horizontal(*((pl.col(c) > 0).fill_null(False) for c in ("diameter_mm", *sizes))),
        pl.format("a target without a size at baseline (status {})", "status"),
        "a diameter above 0 mm",
        "measure it, or follow it as a non-target",
    )
    screen.aside(
        at_base & (kind == "non-target") & pl.col("status").is_in(["absent", "progression"]),
        pl.format("a non-target that is '{}' at baseline", "status"),
        "present at baseline",
        "leave it out, or correct its status",
    )
