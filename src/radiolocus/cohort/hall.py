"""The cohort itself: built from the tables of subjects, and matched with every other source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from radiolocus.cohort.endpoints import Deriver
from radiolocus.cohort.ids import IdRules, Nearest, natural_key
from radiolocus.cohort.options import CohortOptions
from radiolocus.cohort.tables import Member, Part, SourceTable, check_columns, merge, note
from radiolocus.cohort.values import canonical
from radiolocus.errors import ConfigError, TableError
from radiolocus.model import Endpoint, Problem
from radiolocus.schema import TABLES, conform

__all__ = ["Cohort", "Match", "build", "endpoints_of"]


class Match(NamedTuple):
    """What joining a source to the cohort gave.

    `mapping` leads from the raw id to the subject, `membership` has the columns of ``cohort/membership``.
    """

    mapping: dict[str, str]
    membership: pl.DataFrame
    problems: tuple[Problem, ...]


@dataclass(frozen=True, eq=False)
class Cohort:
    """The subjects of a study, in one order for every stage.

    Parameters
    ----------
    subjects : tuple of str
        Normalised ids, sorted with numbers by their value.
    frame : polars.DataFrame
        ``subject`` and the clinical columns, one row a subject (table ``cohort/subjects``).
    membership : polars.DataFrame
        Who was found in which table (table ``cohort/membership``).
    endpoints : tuple of Endpoint
        Aligned with `subjects`.
    problems : tuple of Problem
    ids : IdRules
    """

    subjects: tuple[str, ...]
    frame: pl.DataFrame
    membership: pl.DataFrame
    endpoints: tuple[Endpoint, ...]
    problems: tuple[Problem, ...]
    ids: IdRules

    def endpoint_frame(self) -> pl.DataFrame:
        """Return the endpoints in long form (table ``cohort/endpoints``)."""
        parts = [pl.DataFrame(schema=TABLES["cohort/endpoints"].schema)]
        for e in self.endpoints:
            nothing = np.full(len(e.subject), np.nan)
            numbers = {"time": e.time, "event": e.event, "state": e.state, "entry": e.entry, "weight": e.weight}
            part = pl.DataFrame([pl.Series("subject", e.subject, pl.String)]).with_columns(
                *(pl.Series(name, nothing if v is None else v).fill_nan(None) for name, v in numbers.items()),
                pl.Series("stratum", e.stratum or [None] * len(e.subject), pl.String),
                pl.Series("label", _labels(e), pl.String),
                endpoint=pl.lit(e.name),
                kind=pl.lit(e.kind),
                unit=pl.lit(e.unit),
            )
            parts.append(conform(part, "cohort/endpoints"))
        return pl.concat(parts)

    def match(
        self, source: str, raw_ids: Iterable[object], *, several: bool = False, measured: Iterable[str] = ()
    ) -> Match:
        """Join the ids of a source to the cohort, loudly.

        Parameters
        ----------
        source : str
            Name of the source in messages.
        raw_ids : iterable
            Ids as they stand in the source; the same id may come several times.
        several : bool
            Whether different raw ids may belong to one subject (several samples, several visits) where the rules do
            not choose among them. By default all of them are left out then, because nobody said which one counts.
        measured : iterable of str
            With `several`: ids under which the source holds values, where others are only listed as looked at. Another
            vial or aliquot of the same tumour that is only listed does not count instead of one with values.

        Notes
        -----
        With ``barcode`` or ``visit`` in the rules of the ids, the sample and visit that they rank first is taken, and
        normal tissue is left out; both are told.
        """
        raw = list(dict.fromkeys("" if r is None else str(r) for r in raw_ids))
        normal = {r: self.ids.normalise(r) for r in raw}
        known = set(self.subjects)
        by_subject: dict[str, list[str]] = {}
        for r in raw:
            by_subject.setdefault(normal[r], []).append(r)
        filled = frozenset(measured)
        passed = {
            r: best
            for s, rs in by_subject.items()
            if s in known
            for r, best in self._passed_over(rs, several, filled).items()
        }
        left = {s: [r for r in rs if r not in passed] for s, rs in by_subject.items() if s in known}
        twice = {} if several else {s: rs for s, rs in left.items() if len(rs) > 1}
        mapping = {r: s for r, s in normal.items() if s in known and s not in twice and r not in passed}
        finder = Nearest(self.subjects)
        rows: list[Member] = []
        for r in raw:
            if r in passed:
                rows.append((normal[r], source, r, "another sample", passed[r]))
            elif normal[r] in known:
                rows.append((normal[r], source, r, "joined" if r in mapping else "missing here", None))
            elif self.ids.is_normal(r):
                rows.append(("", source, r, "normal tissue", None))
            else:
                rows.append((normal[r], source, r, "not in cohort", finder.find(normal[r])))
        absent = [s for s in self.subjects if s not in by_subject]
        rows.extend((s, source, None, "missing here", None) for s in absent)
        problems = [_repeated(source, s, rs) for s, rs in sorted(twice.items())]
        problems += _chosen(source, passed) + _normals(source, [r[2] for r in rows if r[3] == "normal tissue"])
        problems += _coverage(source, rows, len(set(mapping.values())), len(self.subjects))
        return Match(mapping, _membership(rows), tuple(problems))

    def _passed_over(self, raw: Sequence[str], several: bool, measured: frozenset[str]) -> dict[str, str]:
        """Ids of one subject that do not count, each with the one that does; empty when the rules cannot choose.

        Where several ids may count, one that says less of the same sample never stands in the way of the one that
        says more: a list of patients beside a file of aliquots. Nor does one that is only listed stand in the way of
        the same tumour with values: its other vial would make them look as if nothing had been found.
        """
        ranks = {r: self.ids.rank(r) for r in raw} if len(raw) > 1 else {}
        ranked = {r: rank for r, rank in ranks.items() if rank is not None}
        if not ranked:
            return {}
        filled = {r for r in ranked if several and r in measured}
        vague = {
            r
            for r in (ranked if several else ())
            if any(self.ids.names_less(r, other) for other in (filled if r in filled else ranked))
            or (r not in filled and any(self.ids.same_tumour(r, other) for other in filled))
        }
        first = min((r for r in ranked if r not in vague), key=lambda r: ranked[r])
        return {
            r: first
            for r, rank in ranked.items()
            if rank != ranked[first] and not (r in vague and self.ids.names_less(r, first))
        }


def endpoints_of(frame: pl.DataFrame, options: CohortOptions) -> tuple[Endpoint, ...]:
    """Read endpoints from their long form: what :meth:`Cohort.endpoint_frame` wrote.

    Parameters
    ----------
    frame : polars.DataFrame
        Table ``cohort/endpoints``.
    options : CohortOptions
        For classes that nobody has.
    """
    found = []
    for part in frame.partition_by("endpoint", maintain_order=True):
        first = part.row(0, named=True)
        name, kind = first["endpoint"], first["kind"]
        given = options.endpoints[name].levels if name in options.endpoints else ()
        code = pl.col("event") if kind in ("ordinal", "multiclass") else pl.col("state") - 1
        told = dict(part.filter(pl.col("label").is_not_null()).select(code, "label").iter_rows())
        levels = tuple(told.get(k, f"state {k + 1}") for k in range(max(told, default=-1) + 1))
        numbers = {
            column: None if part[column].null_count() == part.height else part[column].cast(pl.Float64).to_numpy()
            for column in ("state", "entry", "weight")
        }
        stratum = None
        if part["stratum"].null_count() < part.height:
            stratum = tuple(part["stratum"].fill_null("").to_list())
        found.append(
            Endpoint(
                name,
                kind,
                tuple(part["subject"].to_list()),
                np.array(part["event"].cast(pl.Float64).fill_null(float("nan")).to_numpy()),
                part["time"].fill_null(float("nan")).to_numpy() if kind in ("survival", "competing") else None,
                first["unit"] or "",
                levels=tuple(canonical(v) for v in given) or levels,
                stratum=stratum,
                **numbers,
            )
        )
    return tuple(found)


def _labels(endpoint: Endpoint) -> list[str | None]:
    """Name of the event, or of the class, of each subject; None of one without."""
    if not endpoint.levels:
        return [None] * len(endpoint.subject)
    place = endpoint.event if endpoint.state is None else endpoint.state - 1.0
    return [endpoint.levels[int(k)] if k >= 0 else None for k in place]


def build(tables: Sequence[SourceTable | tuple[str, pl.DataFrame, Sequence[int]]], options: CohortOptions) -> Cohort:
    """Join the tables of subjects and derive the endpoints.

    Parameters
    ----------
    tables : sequence of SourceTable
        In the order of precedence: where two tables fill the same cell differently, the first one rules and the
        difference is reported.
    options : CohortOptions

    Raises
    ------
    ConfigError
        A column that no table has.
    TableError
        No subject is left.
    """
    if not tables:
        raise ConfigError("no table of subjects", where="cohort.subjects", todo="name at least one table")
    sources = [SourceTable(*t) for t in tables]
    check_columns(sources, options)
    parts = [Part.of(t, options) for t in sources]
    problems = [p for part in parts for p in part.problems]
    subjects = tuple(sorted({s for part in parts for s in part.row}, key=natural_key))
    if not subjects:
        raise TableError(
            "no subject is left",
            where=", ".join(t.source for t in sources),
            allowed="one row a subject",
            todo=problems[0].got if problems else "fill the id column",
        )
    frame = pl.DataFrame({"subject": subjects}, {"subject": pl.String})
    origin: dict[str, list[Part]] = {}
    for part in parts:
        frame, found = merge(frame, part, origin)
        problems.extend(found)
    endpoints = []
    for name, chosen in options.endpoints.items():
        endpoint, found = Deriver(name, chosen, frame, subjects, origin, options.dates).derive()
        endpoints.append(endpoint)
        problems.extend(found)
    rows: list[Member] = []
    for part in parts:
        elsewhere = {s for other in parts if other is not part for s in other.row}
        rows.extend(mine := part.membership(subjects, elsewhere))
        problems.extend(_gaps(part.source, mine, len(subjects)))
    return Cohort(subjects, frame, _membership(rows), tuple(endpoints), tuple(problems), options.ids)


def _membership(rows: Sequence[Member]) -> pl.DataFrame:
    table = TABLES["cohort/membership"]
    return pl.DataFrame(rows, dict(table.schema), orient="row")


def _repeated(source: str, subject: str, raw: Sequence[str]) -> Problem:
    return Problem(
        "cohort",
        f"{len(raw)} ids of one subject ({', '.join(repr(r) for r in raw[:5])}); all were left out",
        subject=subject,
        where=source,
        allowed="one id a subject",
        todo="remove the others, or change the ids rules so that they stay apart",
        count=len(raw),
    )


def _chosen(source: str, passed: Mapping[str, str]) -> list[Problem]:
    """Say which samples or visits were passed over for which."""
    if not passed:
        return []
    shown = _few([f"'{raw}' for '{best}'" for raw, best in passed.items()])
    got = f"{len(passed)} further samples or visits of a subject were passed over ({shown})"
    todo = "the rule: primary tumour, first vial, last aliquot; first visit"
    return [Problem("cohort", got, "note", where=source, todo=todo, count=len(passed))]


def _normals(source: str, raw: Sequence[str | None]) -> list[Problem]:
    if not raw:
        return []
    got = f"{len(raw)} samples of normal tissue or controls were left out ({_few([repr(r) for r in raw])})"
    return [Problem("cohort", got, "note", where=source, count=len(raw))]


def _gaps(source: str, rows: Sequence[Member], size: int) -> list[Problem]:
    """Say which subjects a table lacks, and which of them it may hold under another spelling."""
    absent = [(r[0], r[4]) for r in rows if r[3] == "missing here"]
    if not absent:
        return []
    near = [f"'{s}' is probably '{n}'" for s, n in absent if n]
    names = _few([f"'{s}'" for s, _ in absent])
    got = f"{len(absent)} of {size} subjects are not in this table: {names}"
    todo = f"{len(near)} of them resemble ids that only this table has ({_few(near)}): set cohort.ids" if near else ""
    return [Problem("cohort", got, "note", where=source, todo=todo, count=len(absent))]


def _few(words: Sequence[str]) -> str:
    return ", ".join(words[:3]) + (", ..." if len(words) > 3 else "")


def _coverage(source: str, rows: Sequence[Member], joined: int, size: int) -> list[Problem]:
    """Say how many subjects a source has, and which of its ids nobody knows."""
    problems = []
    if joined < size:
        got = f"{size - joined} of {size} subjects of the cohort are not in this source"
        problems.append(note(got, source, count=size - joined))
    strange = [(r[2], r[4]) for r in rows if r[3] == "not in cohort"]
    if strange:
        shown = ", ".join(f"'{raw}'" + (f" (nearest '{near}')" if near else "") for raw, near in strange[:5])
        near = sum(1 for _, n in strange if n)
        problems.append(
            Problem(
                "cohort",
                f"{len(strange)} ids are not in the cohort: {shown}{', ...' if len(strange) > 5 else ''}",
                "note",
                where=source,
                todo=f"{near} of them resemble a subject: a rule in cohort.ids may join them" if near else "",
                count=len(strange),
            )
        )
    return problems
