"""Tables of treatments by marker, which the user supplies: TOML or CSV, with a version, and a source for every row."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radiolocus.errors import FormatError
from radiolocus.read.delimited import load_text
from radiolocus.registry import suggest

__all__ = ["EFFECTS", "EVIDENCE", "Condition", "Treatment", "TreatmentTable", "read_treatments"]

#: What a marker may mean for a treatment.
EFFECTS = ("sensitivity", "resistance", "no benefit", "prognosis")
#: What a row may rest on.
EVIDENCE = ("guideline", "label", "trial", "retrospective")
_REQUIRED = ("marker", "when", "tumour", "treatment", "effect", "evidence", "source", "date")
_OPTIONAL = ("unit", "detail", "doi", "pmid", "url")
_HEAD = ("version", "date", "title")
_DOI = re.compile(r"10\.\d{4,9}/\S+")
_WHEN = re.compile(r"(>=|<=|>|<|=)\s*([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)")
_SHOWN = 10


@dataclass(frozen=True)
class Condition:
    """When a row applies: ``present`` or ``absent``, or a comparison with a number.

    Parameters
    ----------
    text : str
        As it stands in the table.
    sign : str
        ``present``, ``absent``, ``>=``, ``<=``, ``>``, ``<`` or ``=``.
    level : float
        0 of ``present`` and ``absent``.
    """

    text: str
    sign: str
    level: float = 0.0

    def holds(self, value: float) -> bool:
        """Whether a value meets it; a marker of two values is present at 1."""
        return {
            "present": value == 1.0, "absent": value == 0.0, ">=": value >= self.level, "<=": value <= self.level,
            ">": value > self.level, "<": value < self.level, "=": value == self.level,
        }[self.sign]  # fmt: skip


@dataclass(frozen=True)
class Treatment:
    """One row.

    Parameters
    ----------
    markers : tuple of str
        Names that the marker may have in a study, first choice first.
    when : Condition
    unit : str
        Unit of the number in the condition; a study whose marker has another one is not compared with it.
    tumour, treatment, detail : str
        In whom, with what, and what the marker alone does not tell.
    effect : str
        One of :data:`EFFECTS`.
    evidence : str
        One of :data:`EVIDENCE`.
    source, doi, pmid, url : str
        Where it is published; at least one of the last three is there.
    date : datetime.date
        When the row was last held against its source.
    """

    markers: tuple[str, ...]
    when: Condition
    tumour: str
    treatment: str
    effect: str
    evidence: str
    source: str
    date: dt.date
    unit: str = ""
    detail: str = ""
    doi: str = ""
    pmid: str = ""
    url: str = ""


@dataclass(frozen=True)
class TreatmentTable:
    """A table of treatments with its version and date."""

    version: str
    date: dt.date
    title: str
    rows: tuple[Treatment, ...]


def read_treatments(path: Path | str) -> TreatmentTable:
    """Read a table of treatments.

    Parameters
    ----------
    path : Path or str
        TOML: ``version``, ``date``, optionally ``title``, and ``[[treatment]]`` tables. CSV: one row a treatment, with
        ``version`` and ``released`` in the first row or all of them; several names of a marker are divided by ``|``.

    Returns
    -------
    TreatmentTable

    Raises
    ------
    FormatError
        All mistakes at once, each with its row: a key that is not known, one that is missing or empty, a condition,
        date, DOI, PMID or address that is none, a row that stands twice.
    """
    path = Path(path)
    text = load_text(path)
    head, rows = _toml(text, path.name) if path.suffix.lower() == ".toml" else _csv(text, path.name)
    mistakes: list[str] = []
    version = str(head.get("version") or "").strip()
    if not version:
        mistakes.append("version: missing")
    date = _date(head.get("date"), "date", mistakes)
    found = [_treatment(row, f"treatment {i}", mistakes) for i, row in enumerate(rows, 1)]
    if not rows:
        mistakes.append("no treatment")
    seen: dict[tuple[object, ...], int] = {}
    for i, row in enumerate(found, 1):
        if row is not None:
            key = (row.markers, row.when.text, row.tumour, row.treatment, row.effect)
            if (first := seen.setdefault(key, i)) != i:
                mistakes.append(f"treatment {i}: the same as treatment {first}")
    if mistakes or date is None:
        more = f"; and {len(mistakes) - _SHOWN} more" if len(mistakes) > _SHOWN else ""
        raise FormatError(
            "; ".join(mistakes[:_SHOWN]) + more, where=path.name, allowed="a table as docs/profile.md describes it",
            todo="mend these rows",
        )  # fmt: skip
    return TreatmentTable(version, date, str(head.get("title") or ""), tuple(r for r in found if r is not None))


def _toml(text: str, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FormatError(f"not valid TOML: {error}", where=name, allowed="TOML, or a file ending in .csv") from None
    rows = raw.pop("treatment", [])
    unknown = [k for k in raw if k not in _HEAD]
    if unknown or not (isinstance(rows, list) and all(isinstance(r, dict) for r in rows)):
        got = f"unknown key '{unknown[0]}'" if unknown else "treatment that is no list of tables"
        todo = suggest(unknown[0], [*_HEAD, "treatment"]) if unknown else "write [[treatment]] before each row"
        raise FormatError(got, where=name, allowed=", ".join([*_HEAD, "[[treatment]]"]), todo=todo)
    return raw, rows


def _csv(text: str, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    columns = [c.strip() for c in reader.fieldnames or ()]
    if len(set(columns)) < len(columns) or not {"version", "released"} <= set(columns):
        raise FormatError(
            f"columns {', '.join(columns) or 'none'}", where=name, todo="name each once, with version and released",
            allowed=", ".join(["version", "released", *_REQUIRED, *_OPTIONAL]),
        )  # fmt: skip
    rows: list[dict[str, Any]] = []
    heads: set[tuple[str, str]] = set()
    for i, raw in enumerate(reader, 1):
        if None in raw or None in raw.values():
            raise FormatError(
                f"row {i} with another number of cells than columns", where=name, allowed=f"{len(columns)}"
            )
        row: dict[str, Any] = {k.strip(): v.strip() for k, v in raw.items()}
        heads.add((row.pop("version"), row.pop("released")))
        row["marker"] = [m.strip() for m in str(row.get("marker", "")).split("|")]
        rows.append({k: v for k, v in row.items() if v})
    heads.discard(("", ""))
    if len(heads) > 1:
        raise FormatError("several versions in one table", where=name, allowed="one version and one date of release")
    version, released = next(iter(heads), ("", ""))
    return {"version": version, "date": released}, rows


def _date(value: object, where: str, mistakes: list[str]) -> dt.date | None:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    try:
        return dt.date.fromisoformat(str(value or ""))
    except ValueError:
        mistakes.append(f"{where}: '{value or ''}' is no date; allowed: YYYY-MM-DD")
        return None


def _treatment(row: Mapping[str, Any], where: str, mistakes: list[str]) -> Treatment | None:
    """One row; its mistakes are added to the list."""
    before = len(mistakes)
    for key in row:
        if key not in (*_REQUIRED, *_OPTIONAL):
            hint = suggest(str(key), [*_REQUIRED, *_OPTIONAL])
            mistakes.append(f"{where}: unknown key '{key}'" + (f" ({hint})" if hint else ""))
    missing = [key for key in _REQUIRED if not row.get(key)]
    if missing:
        mistakes.append(f"{where}: no {', '.join(missing)}")
    markers = row.get("marker", "")
    names = tuple(str(m).strip() for m in ([markers] if isinstance(markers, str) else markers))
    if not all(names) or len(set(names)) < len(names):
        mistakes.append(f"{where}: marker is empty or named twice")
    when = _condition(str(row.get("when", "")), where, mistakes)
    for key, allowed in (("effect", EFFECTS), ("evidence", EVIDENCE)):
        if row.get(key) and row[key] not in allowed:
            mistakes.append(f"{where}: {key} '{row[key]}'; allowed: {', '.join(allowed)}")
    _source(row, where, mistakes)
    date = _date(row["date"], f"{where}: date", mistakes) if row.get("date") else None
    if len(mistakes) > before or when is None or date is None:
        return None
    told = {k: str(row.get(k, "")).strip() for k in (*_REQUIRED[2:-1], *_OPTIONAL)}
    return Treatment(names, when, date=date, **told)


def _condition(text: str, where: str, mistakes: list[str]) -> Condition | None:
    text = text.strip()
    if text in ("present", "absent"):
        return Condition(text, text)
    if found := _WHEN.fullmatch(text):
        return Condition(text, found[1], float(found[2]))
    if text:
        mistakes.append(f"{where}: when '{text}'; allowed: present, absent, or a comparison such as '>= 10'")
    return None


def _source(row: Mapping[str, Any], where: str, mistakes: list[str]) -> None:
    doi, pmid, url = (str(row.get(k, "")).strip() for k in ("doi", "pmid", "url"))
    if not (doi or pmid or url):
        mistakes.append(f"{where}: no doi, pmid or url")
    if doi and not _DOI.fullmatch(doi):
        mistakes.append(f"{where}: doi '{doi}'; allowed: 10.NNNN/..., without https")
    if pmid and not re.fullmatch(r"[1-9]\d{0,8}", pmid):
        mistakes.append(f"{where}: pmid '{pmid}'; allowed: digits")
    if url and not re.fullmatch(r"https://[^\s<>\"']+", url):
        mistakes.append(f"{where}: url '{url}'; allowed: https://...")
