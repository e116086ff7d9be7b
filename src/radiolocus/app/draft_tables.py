"""Tables looked at with fresh eyes: what each one holds, whose ids stand in it, and what may be an endpoint."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import polars as pl

from radiolocus.cohort import IdRules
from radiolocus.errors import RadiolocusError
from radiolocus.read.clinical import ClinicalTable, read_table, sheet_names

__all__ = ["Drafted", "EndpointGuess", "Kind", "best_rules", "guess_endpoints", "judge", "look", "overlap"]

Kind = Literal["subjects", "several rows", "lesions", "expression", "features", "images", "other"]

_ID_NAME = re.compile(
    r"^(patient|subject|participant|case|sample|tumou?r|person|record|proband)?[\s_.-]*(id|pid|iid|number|no|code|barcode)?$"
    r"|(patient|subject|participant|case|sample)[\s_.-]*(id|barcode|name|code)|^(pid|iid|case|patient|subject)$|barcode",
    re.IGNORECASE,
)
_FEATURE = re.compile(
    r"^(original|wavelet|log-sigma|diagnostics)[_-]|radvar\d+$|^(firstorder|glcm|glrlm|glszm)_", re.IGNORECASE
)
_GENE = re.compile(r"^[A-Z][A-Z0-9]{1,}([.-][A-Z0-9]+)*(orf\d+)?$|^C\d+orf\d+$")
_MARKER = re.compile(
    r"mutation|mutant|(?<![a-z])(egfr|kras|alk|idh\d?|mgmt|tp53|atrx|braf|her2|brca\d?|pik3ca|tert|cic|pdgfra|pten)(?![a-z])"
    r"|codel|co.del|fusion|translocation|amplif|methyl",
    re.IGNORECASE,
)
_SIZE = re.compile(r"diam|longest|size|mm\b|length", re.IGNORECASE)
_LESION = re.compile(r"lesion|target", re.IGNORECASE)

_TIME = re.compile(r"time|days|months|weeks|years|follow.?up|survival", re.IGNORECASE)
_EVENT = re.compile(
    r"status|event|dead|death|died|vital|recur|relaps|metast|mets$|progress|pfs|prog.?free|pcr|respon|outcome|censor",
    re.IGNORECASE,
)
_HAPPENED = frozenset(
    (
        "1",
        "d",
        "dead",
        "deceased",
        "died",
        "dod",
        "yes",
        "y",
        "true",
        "recurred",
        "progressed",
        "relapsed",
        "event",
        "r",
    )
)
_DEAD = frozenset(("d", "dead", "deceased", "died", "dod"))
_CLASS = (
    ("death", re.compile(r"death|dead|died|vital|surviv|(?<![a-z])os(?![a-z])|overall", re.IGNORECASE)),
    (
        "return",
        re.compile(
            r"recur|relaps|progress|prog.?free|(?<![a-z])(pfs|rfs|dfs)(?![a-z])|mets|metast|outcome", re.IGNORECASE
        ),
    ),
)
_LAST = re.compile(r"follow.?up|last", re.IGNORECASE)
_UNITS = ("days", "weeks", "months", "years")


@dataclass(frozen=True, eq=False)
class Drafted:
    """A table that was looked at: `path` below the root, id column, its ids as written, and what it seems to hold."""

    path: str
    sheet: str | None
    table: ClinicalTable
    id: str | None
    ids: tuple[str, ...]
    kind: Kind
    orientation: str = ""

    @property
    def label(self) -> str:
        """Name of the table in findings."""
        return self.path if self.sheet is None else f"{self.path}, sheet '{self.sheet}'"

    @property
    def not_genes(self) -> tuple[str, ...]:
        """Columns of a table of samples by genes that hold no gene."""
        frame = self.table.frame
        return tuple(c for c in frame.columns if c != self.id and not (frame[c].dtype.is_numeric() and _GENE.match(c)))

    @property
    def markers(self) -> tuple[str, ...]:
        """Columns that read like molecular markers."""
        frame = self.table.frame
        return tuple(
            c
            for c in frame.columns
            if c != self.id and _MARKER.search(c) and 2 <= frame[c].drop_nulls().n_unique() <= 12
        )


@dataclass(frozen=True)
class EndpointGuess:
    """An endpoint that the columns suggest, with the reason; `doubt` is why it would mislead as it stands."""

    name: str
    kind: Literal["survival", "binary"]
    event: str
    value: str | int
    reason: str
    time: str | None = None
    censor_time: str | None = None
    unit: str = ""
    doubt: str = ""


def look(root: Path, path: str, known: Collection[str]) -> tuple[list[Drafted], list[str]]:
    """Read a table, sheet by sheet, and say what it holds; what cannot be read becomes a finding."""
    found: list[Drafted] = []
    findings: list[str] = []
    try:
        sheets: Sequence[str | None] = sheet_names(root / path) or (None,)
    except RadiolocusError as error:
        return [], [f"{path}: left out, {error}"]
    for sheet in sheets:
        try:
            table = read_table(root / path, sheet=sheet)
        except RadiolocusError as error:
            findings.append(f"{path}: left out, {error}")
            continue
        found.append(judge(Drafted(path, sheet if len(sheets) > 1 else None, table, None, (), "other"), known))
    return found, findings


def judge(drafted: Drafted, known: Collection[str]) -> Drafted:
    """Say again what a table holds, once ids are known from elsewhere."""
    frame = drafted.table.frame
    column = _id_column(frame, known)
    ids = () if column is None else tuple(_texts(frame[column]))
    drafted = replace(drafted, id=column, ids=ids)
    return replace(drafted, kind=_kind(drafted, known), orientation=_orientation(drafted, known))


def _texts(column: pl.Series) -> list[str]:
    rules = IdRules()
    return [rules.normalise(v) for v in column.to_list()]


def _id_column(frame: pl.DataFrame, known: Collection[str]) -> str | None:
    """Choose the column of ids: ids known from elsewhere first, then its name, then one row a value, then its place."""
    rated = []
    for place, name in enumerate(frame.columns):
        column = frame[name]
        if column.dtype == pl.Float64 or column.null_count() * 10 > column.len():
            continue
        share = overlap(_texts(column), known, IdRules()) / max(column.len(), 1) if known else 0.0
        unique = column.n_unique() / max(column.len(), 1)
        named = bool(_ID_NAME.search(name.strip()))
        first = place == 0 and unique == 1.0 and column.dtype == pl.String
        if share >= 0.2 or named or first:
            rated.append((round(share, 3) if share >= 0.2 else 0.0, named, unique, -place, name))
    return max(rated)[-1] if rated else None


def _kind(drafted: Drafted, known: Collection[str]) -> Kind:
    frame = drafted.table.frame
    names = frame.columns
    if {"subject", "image", "mask"} <= set(names):
        return "images"
    if sum(1 for c in names if _FEATURE.search(c)) * 2 > len(names):
        return "features"
    if any(_SIZE.search(c) for c in names) and any(_LESION.search(c) for c in names):
        return "lesions"
    if _orientation(drafted, known):
        return "expression"
    if drafted.id is None:
        return "other"
    return "subjects" if len(set(drafted.ids)) == len(drafted.ids) else "several rows"


def _orientation(drafted: Drafted, known: Collection[str]) -> str:
    frame = drafted.table.frame
    numbers = [c for c in frame.columns if frame[c].dtype.is_numeric()]
    if (
        len(numbers) >= 20
        and sum(1 for c in numbers if _GENE.match(c)) >= 0.8 * len(numbers)
        and drafted.id is not None
    ):
        return "samples_by_genes"
    first = [str(v) for v in frame[frame.columns[0]].drop_nulls().to_list()]
    genes = sum(1 for v in first if _GENE.match(v))
    samples = overlap(frame.columns[1:], known, IdRules()) if known else 0
    if frame.height >= 20 and genes >= 0.8 * frame.height and samples >= 2 and len(numbers) >= 0.8 * (frame.width - 1):
        return "genes_by_samples"
    return ""


# --- ids -----------------------------------------------------------------------------------------------------------


def overlap(raw: Collection[str], known: Collection[str], rules: IdRules) -> int:
    """Count the different ids that are known once both sides are normalised."""
    return len({rules.normalise(r) for r in raw} & {rules.normalise(k) for k in known} - {""})


_RULES = (
    IdRules(),
    IdRules(case="upper"),
    IdRules(case="upper", replace=(("[-_. ]+", "_"),)),
    IdRules(case="upper", extract=r"^(TCGA-\w{2}-\w{4})"),
    IdRules(extract=r"^(.+?)_\d{4}$"),
)


def best_rules(sources: Sequence[Collection[str]]) -> tuple[IdRules, int, int]:
    """Choose the simplest rules that join most ids of the later sources to the first.

    Returns
    -------
    rules : IdRules
    joined : int
        Ids joined with them.
    plain : int
        Ids joined without any rule.
    """
    first, rest = sources[0], sources[1:]
    safe = [r for r in _RULES if len({r.normalise(i) for i in first}) == len(set(first))]
    joined = [sum(overlap(s, first, r) for s in rest) for r in safe]
    if not safe or max(joined) <= joined[0]:
        return IdRules(), joined[0] if joined else 0, joined[0] if joined else 0
    best = joined.index(max(joined))
    return safe[best], joined[best], joined[0]


# --- endpoints -----------------------------------------------------------------------------------------------------


def guess_endpoints(tables: Sequence[Drafted]) -> list[EndpointGuess]:
    """Suggest endpoints from the columns of all tables of subjects; a person has to choose."""
    columns = {c: t.table.frame[c] for t in reversed(tables) for c in t.table.frame.columns if c != t.id}
    order = [c for t in tables for c in t.table.frame.columns if c in columns]
    times = [c for c in dict.fromkeys(order) if _is_time(c, columns[c])]
    guesses: list[EndpointGuess] = []
    for name in dict.fromkeys(order):
        found = _event_value(name, columns[name])
        if found is None:
            continue
        value, counts = found
        slug = re.sub(r"\W+", "_", name).strip("_").lower() or "endpoint"
        guesses.append(EndpointGuess(slug, "binary", name, value, counts))
        kind = _classes(name) | ({"death"} if str(value).casefold() in _DEAD else set())
        fitting = [t for t in times if _classes(t) & kind and not (_LAST.search(t) and "death" not in _classes(t))]
        last = next((t for t in times if _LAST.search(t)), None)
        # A time that says nothing of its event is taken for the time to death, which is what such tables mean.
        plain = next((t for t in times if not _classes(t)), None) if "death" in kind else None
        time = fitting[0] if fitting else last or plain
        if time is None or not kind:
            continue
        censor = last if last != time and columns[time].null_count() > columns[time].len() // 10 else None
        span = columns[time].drop_nulls().cast(pl.Float64).to_list()
        reason = f"{counts}; '{time}' runs from {min(span):g} to {max(span):g}, {columns[time].null_count()} missing"
        unit = next((u for u in _UNITS if u in time.casefold()), "")
        doubt = "" if censor else _nobody_censored(tables, name, value, time)
        guesses.append(EndpointGuess(f"{slug}_time", "survival", name, value, reason, time, censor, unit, doubt))
    return guesses


def _nobody_censored(tables: Sequence[Drafted], event: str, value: object, time: str) -> str:
    """Say when a time is known for hardly anyone without the event: such a table would make everybody die."""
    for frame in (t.table.frame for t in tables):
        if event in frame.columns and time in frame.columns:
            without = frame.filter(pl.col(event) != value)
            known = without[time].count()
            if 2 * known < without.height:
                return (
                    f"only {known} of {without.height} without the event have '{time}'; name a censor_time, or leave it"
                )
    return ""


def _is_time(name: str, column: pl.Series) -> bool:
    if not column.dtype.is_numeric() or not _TIME.search(name) or column.drop_nulls().n_unique() < 5:
        return False
    values = column.drop_nulls()
    return bool((values >= 0).all()) and not re.search(
        r"(?<![a-z])age(?![a-z])|scan|surgery|event|occurred", name, re.IGNORECASE
    )


def _classes(name: str) -> set[str]:
    return {c for c, pattern in _CLASS if pattern.search(name)}


def _event_value(name: str, column: pl.Series) -> tuple[str | int, str] | None:
    """Return the value that seems to mean the event, with the counts of all values."""
    if not _EVENT.search(name) or _MARKER.search(name):
        return None
    counts = Counter(column.drop_nulls().to_list())
    if not 2 <= len(counts) <= 4 or any(isinstance(v, float) for v in counts):
        return None
    happened = [v for v in counts if str(v).casefold() in _HAPPENED]
    if len(happened) != 1:
        return None
    listed = ", ".join(f"'{v}' {n}" for v, n in sorted(counts.items(), key=lambda c: (-c[1], str(c[0]))))
    return happened[0], f"'{name}' holds {listed}"
