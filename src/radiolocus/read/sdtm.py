"""CDISC SDTM: lesions of the domains TU and TR as a lesion table, sums of TR and responses of RS as they were given.

SDTM Implementation Guide 3.4, section 6.3.16 (tumour and lesion domains).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from radiolocus.errors import TableError
from radiolocus.model import Problem
from radiolocus.read.clinical import SUFFIXES, ClinicalTable, read_table
from radiolocus.read.lesions import LesionColumns, LesionTable, read_lesions, screen_lesions
from radiolocus.read.sr import has_reports
from radiolocus.read.sr_lesions import read_sr_lesions
from radiolocus.read.xport import read_xport

__all__ = ["ITEMS", "SdtmStudy", "find_domains", "read_lesion_source", "read_sdtm"]

ITEMS = {
    "TRGRESP": "target",
    "NTRGRESP": "non-target",
    "NEWLRESP": "new",
    "NEWLPROG": "new",
    "OVRLRESP": "overall",
    "BESTRESP": "best",
    "BESTRSP": "best",
    "BOR": "best",
}
"""Codes of RSTESTCD, and what they are called here."""

_SUMS = ("SUMDIAM", "SUMLDIAM", "SDIAM")
# What is computed from lesions is no result of one: sums (SUM...), and change from baseline and nadir.
_DERIVED = ("SDIAM", "ACBSD", "ACNSD", "PCBSD", "PCNSD")
_KINDS = (("NON-TARGET", "non-target"), ("NON TARGET", "non-target"), ("TARGET", "target"), ("NEW", "new"))
_STATES = {
    "ABSENT": "absent",
    "DISAPPEARED": "absent",
    "RESOLVED": "absent",
    "NON-PATHOLOGICAL": "absent",
    "PRESENT": "present",
    "PATHOLOGICAL": "present",
    "UNEQUIVOCAL": "present",
    "NEW": "present",
    "STABLE": "present",
    "UNCHANGED": "present",
    "NON-CR/NON-PD": "present",
    "INCREASED": "present",
    "DECREASED": "present",
    "UNEQUIVOCAL PROGRESSION": "progression",
    "UNEQUIVOCAL INCREASE": "progression",
    "PROGRESSION": "progression",
    "PD": "progression",
    "EQUIVOCAL": "equivocal",
    "TOO SMALL TO MEASURE": "too small",
    "COALESCED": "merged",
    "MERGED": "merged",
    "NOT EVALUABLE": "NE",
    "NOT ASSESSABLE": "NE",
    "NOT ASSESSED": "NE",
    "UNEVALUABLE": "NE",
    "NE": "NE",
}
_AXES = {"LDIAM": "long", "SAXIS": "short", "LPERP": "short", "DIAMETER": None}
_RECIST11 = re.compile(r"(?i)^\s*RECIST\b(?!.*\b1\.0)|^\s*RECIST\s*1\.1")
_BELOW = re.compile(r"(?i)^<\s*[1-5](?:\.0*)?\s*(?:mm)?$")  # "<5 mm": what is too small to measure counts 5 mm
_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}")
_SPLIT = re.compile(r"^(.*\d)(?:\.(\d+)|([a-zA-Z]))$")


@dataclass(frozen=True, eq=False)
class SdtmStudy:
    """Tumour domains of a study.

    Parameters
    ----------
    lesions : LesionTable
    sums : polars.DataFrame
        ``subject``, ``visit``, ``sum_mm``: sums of diameters as the study has them.
    responses : polars.DataFrame
        ``subject``, ``visit`` (null for the best response), ``item`` (target, non-target, new, overall, best),
        ``response``: as the study has them.
    """

    lesions: LesionTable
    sums: pl.DataFrame
    responses: pl.DataFrame


def find_domains(path: Path) -> dict[str, Path]:
    """Find the files of TU, TR and RS in a folder, or beside one of them; empty when there is no TR.

    A file belongs to a domain by its name: ``tr.csv``, ``TR.parquet``, ``tr_onco.csv``, ``sdtm-tr.csv``.

    Raises
    ------
    TableError
        Several files of one domain.
    """
    folder = path if path.is_dir() else path.parent
    if not path.is_dir() and _domain(path) is None:
        return {}
    found: dict[str, list[Path]] = defaultdict(list)
    for file in sorted(folder.iterdir()):
        if (domain := _domain(file)) is not None:
            found[domain].append(file)
    chosen = {}
    for domain, files in found.items():
        exact = [f for f in files if f == path] or [f for f in files if f.name.lower().split(".")[0] == domain]
        if len(exact or files) > 1:
            raise TableError(
                f"several files of domain {domain.upper()}: {', '.join(f.name for f in files)}",
                where=folder.name,
                allowed="one file a domain",
                todo="leave one",
            )
        chosen[domain] = (exact or files)[0]
    return chosen if "tr" in chosen else {}


def _domain(file: Path) -> str | None:
    name = file.name.lower()
    if not file.is_file() or not name.removesuffix(".gz").endswith((*SUFFIXES, ".xpt")):
        return None
    words = re.split(r"[_\-.]", name)
    return next((d for d in ("tu", "tr", "rs") if d in words), None)


def read_sdtm(path: Path | str, columns: LesionColumns | None = None) -> SdtmStudy:
    """Read TR, with TU and RS where they are, from CSV, TSV, XLSX, Parquet or SAS transport (XPT).

    Parameters
    ----------
    path : Path or str
        Folder of the domains, or the file of one of them.
    columns : LesionColumns, optional
        ``keep_reader`` names the evaluator that counts, by role, id or both, e.g. ``"INVESTIGATOR"``,
        ``"READER 1"`` or ``"INDEPENDENT ASSESSOR READER 1"``; the limits of the columns hold too.

    Returns
    -------
    SdtmStudy
        The baseline is the flagged visit (TRLOBXFL, TRBLFL), else the first. Days come from TRDTC, else TRDY, else
        VISITDY; a visit is dated by its first assessment. Several evaluators without `keep_reader` set a subject aside;
        of several readers of one role the one counts whose records are flagged as accepted (TRACPTFL).

    Raises
    ------
    TableError
        No domain TR, or one of its columns is missing.
    """
    files = find_domains(Path(path))
    if not files:
        raise TableError(
            "no table of the domain TR", where=Path(path).name, allowed="tr.csv, with tu.csv and rs.csv beside it"
        )
    asked = columns or LesionColumns()
    # The rows are chosen here; what is left of several evaluators is for the screen to refuse.
    names = replace(asked, keep_reader="", **_NAMES)
    tables = {domain: _read(file, domain) for domain, file in files.items()}
    trial = _Trial(tables["tr"], tables.get("tu"), asked.keep_reader)
    rows = list(trial.rows())
    frame = pl.DataFrame(rows, schema=dict.fromkeys((*_COLUMNS, "row"), pl.String) | {"row": pl.Int64})
    problems = [p for table in tables.values() for p in table.problems]
    if len(who := sorted({r["reader"] for r in rows if r["reader"]})) > 1:
        got = f"several evaluators: {', '.join(who)}"
        problems.append(Problem("response", got, "note", where=files["tr"].name, todo="name the one that counts"))
    if trial.accepted:
        some = ", ".join(f"{s}: {name}" for s, name in list(trial.accepted.items())[:3])
        got = f"of {len(trial.accepted)} subjects the reader whose records are accepted (TRACPTFL) counts ({some})"
        problems.append(Problem("response", got, "note", where=files["tr"].name, count=len(trial.accepted)))
    lesions = screen_lesions(frame.drop("row"), frame["row"].to_list(), names, files["tr"].name, problems)
    responses = _responses(tables["rs"], trial) if "rs" in tables else []
    return SdtmStudy(
        lesions,
        pl.DataFrame(
            trial.sums(), schema={"subject": pl.String, "visit": pl.String, "sum_mm": pl.Float64}, orient="row"
        ),
        pl.DataFrame(
            responses, schema=dict.fromkeys(("subject", "visit", "item", "response"), pl.String), orient="row"
        ).unique(maintain_order=True),
    )


def read_lesion_source(path: Path, columns: LesionColumns | None = None) -> tuple[LesionTable, SdtmStudy | None]:
    """Read a lesion table; or SDTM domains or DICOM structured reports, where `path` is one or a folder of them.

    Raises
    ------
    TableError
        As :func:`radiolocus.read.lesions.read_lesions` and :func:`read_sdtm`.
    FormatError
        As :func:`radiolocus.read.sr_lesions.read_sr_lesions`.
    """
    if path.exists() and not find_domains(path) and has_reports(path):
        return read_sr_lesions(path, columns).table, None
    if path.is_dir() or (path.is_file() and find_domains(path)):
        study = read_sdtm(path, columns)
        return study.lesions, study
    return read_lesions(path, columns), None


_COLUMNS = (
    "subject visit day lesion kind organ node diameter unit status reader part axis perpendicular_mm".split()  # noqa: SIM905
)
# Names of the columns that are made here; the baseline has day 0, whatever its label.
_NAMES: dict[str, Any] = {
    **{n: n for n in ("subject", "visit", "day", "lesion", "kind", "organ", "node", "diameter", "status")},
    **{n: n for n in ("unit", "reader", "part", "axis")},
    "baseline": "",
    "measures": {},
}


def _transport(file: Path) -> ClinicalTable:
    numbers = pl.col(pl.Float64)
    frame = read_xport(file).with_columns(numbers.cast(pl.String).str.strip_suffix(".0"))
    return ClinicalTable(frame, tuple(range(1, frame.height + 1)), (), file.name, pl.DataFrame())


def _table(file: Path) -> ClinicalTable:
    """All columns of a domain as text."""
    if file.suffix.lower() == ".xpt":
        table = _transport(file)
        _named(table.frame.columns, "USUBJID", file)
        return table
    head = read_table(file)
    return read_table(file, id_column=_named(head.frame.columns, "USUBJID", file), text=head.frame.columns)


def _read(file: Path, domain: str) -> ClinicalTable:
    table = _table(file)
    frame = table.frame.rename({c: c.upper() for c in table.frame.columns})
    needed = {"tr": ("TRTESTCD",), "tu": (), "rs": ("RSTESTCD",)}[domain]
    missing = [c for c in needed if c not in frame.columns]
    if domain == "tr" and not {"VISIT", "VISITNUM"} & set(frame.columns):
        missing.append("VISITNUM")
    if missing:
        raise TableError(
            f"no column '{missing[0]}' in domain {domain.upper()}", where=file.name, allowed=", ".join(frame.columns)
        )
    # Empty cells are everyday in SDTM; what became of numbers is told by the lesions.
    told = tuple(p for p in table.problems if not p.got.startswith("empty cells"))
    return replace(table, frame=frame, problems=told)


def _named(columns: list[str], name: str, file: Path) -> str:
    for column in columns:
        if column.upper() == name:
            return column
    raise TableError(f"no column '{name}'", where=file.name, allowed=", ".join(columns))


Row = Mapping[str, Any]


def _first(row: Row, *names: str) -> str:
    """First of several columns that has a value."""
    return next((str(row[n]).strip() for n in names if row.get(n) not in (None, "")), "")


def _reader(row: Row, prefix: str) -> str:
    return " ".join(x for x in (_first(row, f"{prefix}EVAL"), _first(row, f"{prefix}EVALID")) if x)


def _is_of(row: Row, prefix: str, keep: str) -> bool:
    """Whether a row is of the evaluator `keep`, by its role, its id or both; rows of nobody are everybody's."""
    role, name = _first(row, f"{prefix}EVAL"), _first(row, f"{prefix}EVALID")
    return not keep or not (role or name) or keep in (role, name, _reader(row, prefix))


def _kind(text: str) -> str:
    return next((kind for word, kind in _KINDS if text.upper().startswith(word)), "")


class _Trial:
    """Lesions and visits of all subjects, gathered from TU and TR."""

    def __init__(self, tr: ClinicalTable, tu: ClinicalTable | None, keep: str) -> None:
        self.keep = keep
        self.tr = self._numbered(tr)
        self.tu = self._numbered(tu) if tu is not None else []
        self.accepted = self._accepted()
        # Evaluators may give the same label to different lesions: those of the one that counts come last and win.
        self.identified: dict[tuple[str, str], Row] = {}
        for ours in (False, True):
            rows = [r for r in self.tu if self._label(r, "TU") and self._counts(r, "TU") is ours]
            self.identified |= {(r["USUBJID"], self._label(r, "TU")): r for r in reversed(rows)}
        self.labels = self._visit_labels()
        self.dates = self._visit_days()

    @staticmethod
    def _numbered(table: ClinicalTable) -> list[dict[str, Any]]:
        rows = zip(table.frame.iter_rows(named=True), table.row_number, strict=True)
        return [row | {"_row": number} for row, number in rows]

    @staticmethod
    def _label(row: Row, prefix: str) -> str:
        return _first(row, f"{prefix}LNKID", f"{prefix}REFID")

    def visit(self, row: Row) -> str:
        """Label of the visit of a row: its name, with its number where a name stands for several."""
        return self.labels.get((row["USUBJID"], _first(row, "VISITNUM", "VISIT")), _first(row, "VISIT", "VISITNUM"))

    def _visit_labels(self) -> dict[tuple[str, str], str]:
        numbers: dict[tuple[str, str], set[str]] = defaultdict(set)
        for row in self.tr:
            numbers[row["USUBJID"], _first(row, "VISIT", "VISITNUM")].add(_first(row, "VISITNUM", "VISIT"))
        return {
            (subject, number): name if len(of_name) == 1 else f"{name} ({number})"
            for (subject, name), of_name in numbers.items()
            for number in of_name
        }

    def _counts(self, row: Row, prefix: str) -> bool:
        """Whether a row is of the evaluator that counts."""
        name, accepted = _first(row, f"{prefix}EVALID"), self.accepted.get(row["USUBJID"], "")
        return _is_of(row, prefix, self.keep) and (not name or not accepted or name == accepted)

    def of_evaluator(self, row: Row) -> bool:
        """Whether a row of RS is of the evaluator that counts."""
        return self._counts(row, "RS")

    def _accepted(self) -> dict[str, str]:
        """Of subjects whom several readers of one role assessed, the one whose records are flagged as accepted."""
        readers: dict[str, set[tuple[str, str]]] = defaultdict(set)
        flagged: dict[str, set[str]] = defaultdict(set)
        for row in self.tr:
            name = _first(row, "TREVALID")
            if name and _is_of(row, "TR", self.keep):
                readers[row["USUBJID"]].add((_first(row, "TREVAL"), name))
                if _first(row, "TRACPTFL").upper() == "Y":
                    flagged[row["USUBJID"]].add(name)
        return {
            subject: next(iter(flagged[subject]))
            for subject, seen in readers.items()
            if len(seen) > 1 and len({role for role, _ in seen}) == 1 and len(flagged[subject]) == 1
        }

    def _visit_days(self) -> dict[tuple[str, str], str]:
        """Day of every visit since the subject's baseline, as text; empty where nothing dates it."""
        when: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        flagged: dict[str, set[str]] = defaultdict(set)
        dated = {r["USUBJID"] for r in self.tr if _DATE.match(_first(r, "TRDTC"))}
        for row in self.tr:
            subject, visit = row["USUBJID"], self.visit(row)
            if not self._counts(row, "TR"):
                continue
            day = _day(row, subject in dated)
            if day is not None:
                when[subject][visit].append(day)
            if _first(row, "TRLOBXFL", "TRBLFL").upper() == "Y":
                flagged[subject].add(visit)
        out: dict[tuple[str, str], str] = {}
        for subject, visits in when.items():
            first = {visit: min(days) for visit, days in visits.items()}
            candidates = [v for v in first if v in flagged[subject]] or list(first)
            start = min(first[v] for v in candidates)
            out |= {(subject, visit): f"{day - start:g}" for visit, day in first.items()}
        return out

    def rows(self) -> Iterator[dict[str, Any]]:
        """One row a lesion, visit and evaluator."""
        grouped: dict[tuple[str, str, str, str], list[dict[str, Any]]] = defaultdict(list)
        for row in self.tr:
            label = self._label(row, "TR")
            if label and not _derived(row) and self._counts(row, "TR"):
                grouped[row["USUBJID"], self.visit(row), label, _reader(row, "TR")].append(row)
        seen = {key[:3] for key in grouped}
        for (subject, visit, label, reader), found in grouped.items():
            yield from self._lesion(subject, visit, label, reader, found)
        for row in self.tu:
            label, kind = self._label(row, "TU"), _kind(_first(row, "TUSTRESC", "TUORRES"))
            known = (row["USUBJID"], self.visit(row), label) in seen or "/" in label
            # What was identified but has no result: a non-target or a new lesion is there all the same.
            if kind in ("non-target", "new") and label and not known and self._counts(row, "TU"):
                yield self._base(row["USUBJID"], self.visit(row), label, _reader(row, "TU"), row) | {
                    "status": "present"
                }

    def _base(self, subject: str, visit: str, label: str, reader: str, row: Row) -> dict[str, Any]:
        told = self.identified.get((subject, label), {})
        parent, part = self._parent(subject, label)
        whole = self.identified.get((subject, parent), {})
        kind = _kind(_first(told, "TUSTRESC", "TUORRES")) or _kind(_first(whole, "TUSTRESC", "TUORRES"))
        organ = _first(told, "TULOC") or _first(whole, "TULOC") or _first(row, "TRLOC")
        return {
            "subject": subject,
            "visit": visit,
            "day": self.dates.get((subject, visit), ""),
            "lesion": parent,
            "kind": kind or _kind(_first(row, "TRGRPID", "TRLNKGRP")) or _first(row, "TRGRPID"),
            "organ": organ or None,
            "node": "yes" if re.search(r"(?i)lymph|\bnode", organ) else None,
            "reader": reader or None,
            "part": part,
            "unit": "mm",
            "row": row["_row"],
        }

    def _parent(self, subject: str, label: str) -> tuple[str, str | None]:
        """Lesion and part of a fragment (T04.1 of T04), or the label itself."""
        found = _SPLIT.match(label)
        if found and (subject, found.group(1)) in self.identified:
            return found.group(1), found.group(2) or found.group(3)
        return label, None

    def _lesion(
        self, subject: str, visit: str, label: str, reader: str, found: list[dict[str, Any]]
    ) -> Iterator[dict[str, Any]]:
        pieces = [p for p in label.split("/") if p]
        merged = len(pieces) > 1 and all((subject, p) in self.identified for p in pieces)
        base = self._base(subject, visit, pieces[0] if merged else label, reader, found[0])
        result = base | _measured(found, base["node"] == "yes", base["kind"])
        if result.get("axis") == "short" and base["node"] is None:
            result["node"] = "yes"
        yield result
        codes = [_first(r, "TRTESTCD").upper() for r in found]
        if len(set(codes)) < len(codes):
            # Which of two results counts is not for us to say: the screen refuses the lesion.
            yield result
        for piece in pieces[1:] if merged else ():
            yield self._base(subject, visit, piece, reader, found[0]) | {"status": "merged"}

    def sums(self) -> list[tuple[str, str, float]]:
        """Sums of diameters as given, mm; the first code of :data:`_SUMS` that a visit has."""
        found: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
        for row in self.tr:
            code, value = _first(row, "TRTESTCD"), _value(row)
            if code in _SUMS and value is not None and self._counts(row, "TR"):
                found[row["USUBJID"], self.visit(row)].setdefault(code, value)
        return [(*key, next(v[c] for c in _SUMS if c in v)) for key, v in found.items()]


def _derived(row: Row) -> bool:
    code = _first(row, "TRTESTCD").upper()
    return code.startswith("SUM") or code in _DERIVED


def _day(row: Row, dated: bool) -> float | None:
    """Day of a row on a scale of its subject: days since 1970, or study days without the gap at 0."""
    if dated:
        text = _first(row, "TRDTC")
        return float(pl.Series([text[:10]]).str.to_date(strict=False).cast(pl.Int32)[0]) if _DATE.match(text) else None
    text = _first(row, "TRDY", "VISITDY")
    try:
        day = float(text)
    except ValueError:
        return None
    return day - 1 if day > 0 else day


def _value(row: Row) -> float | None:
    """Number of a result in mm, None for none or another unit."""
    text = _first(row, "TRSTRESN", "TRSTRESC", "TRORRES")
    unit = _first(row, "TRSTRESU", "TRORRESU").lower()
    try:
        number = float(text)
    except ValueError:
        return None
    return {"mm": number, "": number, "cm": 10 * number}.get(unit)


_LONG = ("LDIAM", "SAXIS", "DIAMETER")


def _measured(found: list[dict[str, Any]], node: bool, kind: str) -> dict[str, Any]:
    """Size, unit, axis and state of one lesion at one visit."""
    by_code = {_first(r, "TRTESTCD").upper(): r for r in reversed(found)}
    out: dict[str, Any] = {}
    # The longest perpendicular is the short axis of a node; of another lesion it stands beside the longest diameter.
    order = ("SAXIS", "LPERP", "DIAMETER", "LDIAM") if node or not {"LDIAM", "DIAMETER"} & set(by_code) else _LONG
    undone = False
    for code in order:
        row = by_code.get(code)
        if row is None:
            continue
        out["axis"] = _AXES[code]
        text = _first(row, "TRSTRESN", "TRSTRESC", "TRORRES")
        state = "too small" if _BELOW.match(text) else _STATES.get(text.upper())
        undone = not text or _first(row, "TRSTAT").upper() == "NOT DONE"
        if state:
            out["status"] = state
        elif not undone:
            out |= {"diameter": text, "unit": _first(row, "TRSTRESU", "TRORRESU") or None}
        break
    both = "LPERP" in by_code and {"LDIAM", "DIAMETER"} & set(by_code)
    if both and (value := _value(by_code["LPERP"])) is not None:
        out["perpendicular_mm"] = f"{value:.10g}"
    state = _state(by_code)
    if undone and kind == "target" and state == "present":
        state = "NE"  # it is there, but nobody knows how large
    if "status" not in out and ("diameter" not in out or (kind != "target" and state in ("progression", "equivocal"))):
        out["status"] = state
    return out


def _state(by_code: Mapping[str, Row]) -> str | None:
    for code in ("TUMSTATE", "LNSTATE", "TOOSMALL"):
        if code in by_code:
            text = _first(by_code[code], "TRSTRESC", "TRORRES").upper()
            if code == "TOOSMALL":
                return "too small" if text in ("Y", "YES", "TRUE") else None
            return _STATES.get(text, text.lower() or "NE")
    return "NE"


def _responses(rs: ClinicalTable, trial: _Trial) -> list[tuple[str, str | None, str, str]]:
    rows = list(rs.frame.iter_rows(named=True))
    # Where responses by several criteria stand in one domain, those of another are none to compare with.
    named = any(_RECIST11.match(_first(row, "RSCAT")) for row in rows)
    out = []
    for row in rows:
        item, category = ITEMS.get(_first(row, "RSTESTCD").upper()), _first(row, "RSCAT")
        said = _first(row, "RSSTRESC", "RSORRES")
        if item is None or not said or not trial.of_evaluator(row):
            continue
        if named and category and not _RECIST11.match(category):
            continue
        out.append((row["USUBJID"], None if item == "best" else trial.visit(row), item, said.upper()))
    return out
