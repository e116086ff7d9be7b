"""Responses of one lesion table, for ``radiolocus recist``: read, called, compared with what the study has, written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import polars as pl

from radiolocus.config import load_response
from radiolocus.errors import ConfigError, TableError
from radiolocus.model import Problem
from radiolocus.pipeline.run import problem_frame
from radiolocus.read.lesions import LesionColumns, LesionTable
from radiolocus.read.sdtm import SdtmStudy, read_lesion_source
from radiolocus.response.comparison import compare
from radiolocus.response.options import CriterionName, ResponseOptions
from radiolocus.response.readers import measurement_error, reader_agreement, said_of_noise, said_of_readers
from radiolocus.response.respond import respond
from radiolocus.store import write_bytes, write_table

__all__ = ["ResponseOrder", "TableResponses", "lines", "order_of", "responses_of_table", "write"]


@dataclass(frozen=True, kw_only=True)
class ResponseOrder:
    """What is asked of a table.

    Parameters
    ----------
    options : ResponseOptions
        Columns, criteria and their options; ``lesions`` is the table.
    readers : tuple of str
        Two readers to compare; the first is the one whose calls are told.
    error_mm : float
        Standard deviation of measurement error to try, mm; 0: none.
    draws, seed : int
        How often, and the seed.
    """

    options: ResponseOptions
    readers: tuple[str, ...] = ()
    error_mm: float = 0.0
    draws: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.readers) not in (0, 2):
            raise ConfigError(f"{len(self.readers)} readers to compare", allowed="two")


def order_of(
    table: Path,
    settings: Path | None,
    *,
    criteria: Sequence[str] = (),
    confirmation: bool | None = None,
    unit: str = "",
    readers: Sequence[str] = (),
) -> ResponseOrder:
    """Put the settings file and the options of the command together; the command wins.

    Raises
    ------
    ConfigError
        An option that cannot be followed.
    """
    # The working folder, ".", has no name of its own.
    options = load_response(settings) if settings else ResponseOptions(lesions=table.absolute().name)
    first, *more = criteria or options.criteria
    columns = options.columns
    if unit:
        columns = replace(columns, unit=unit)
    if len(readers) == 1:
        columns = replace(columns, keep_reader=readers[0])
    options = replace(
        options,
        criterion=cast(CriterionName, first),
        further=tuple(cast(CriterionName, name) for name in more),
        columns=columns,
        confirmation=options.confirmation if confirmation is None else confirmation,
    )
    return ResponseOrder(options=options, readers=() if len(readers) == 1 else tuple(readers))


@dataclass(frozen=True, eq=False)
class TableResponses:
    """Tables of the vocabulary, further tables that are written as CSV alone, and problems."""

    tables: dict[str, pl.DataFrame]
    further: dict[str, pl.DataFrame]
    problems: tuple[Problem, ...]

    @property
    def set_aside(self) -> int:
        """Subjects that could not be used."""
        return len({p.subject for p in self.problems if p.severity == "set aside"})


def _read(path: Path, columns: LesionColumns) -> tuple[LesionTable, SdtmStudy | None]:
    if not path.exists():
        raise TableError(f"no such file or folder '{path.name}'", where=str(path.parent), todo="correct the path")
    return read_lesion_source(path, columns)


def responses_of_table(path: Path, order: ResponseOrder) -> TableResponses:
    """Read a lesion table, or the domains TU, TR and RS, and call the responses.

    Raises
    ------
    ConfigError
        An option that cannot be followed.
    TableError
        The table cannot be used.
    """
    path = path if path.name else path.absolute()
    options = order.options
    columns = replace(options.columns, keep_reader=order.readers[0]) if order.readers else options.columns
    table, study = _read(path, columns)
    if table.frame.is_empty():
        told = [p for p in table.problems if p.severity == "set aside" or "several evaluators" in p.got]
        raise TableError(
            "no subject can be used" + "".join(f"; {p.got} ({p.subject or p.where})" for p in told[:3]),
            where=path.name,
            todo="correct the table, or name the reader that counts with --reader",
        )
    found = respond(table.frame, options.criteria, options, options.visit_days)
    further: dict[str, pl.DataFrame] = {}
    tables = dict(found.tables)
    if study is not None and "recist11" in options.criteria and (study.sums.height or study.responses.height):
        further["comparison"] = compare(table.frame, study.sums, study.responses, options)
    if order.readers:
        other, _ = _read(path, replace(options.columns, keep_reader=order.readers[1]))
        tables["response/readers"] = pl.concat(
            [
                reader_agreement(table.frame, other.frame, name, options)
                for name in found.tables["response/criteria_best"]["criterion"].unique(maintain_order=True)
            ]
        )
    if order.error_mm > 0:
        tables["response/measurement_error"] = measurement_error(
            table.frame, order.error_mm, draws=order.draws, seed=order.seed, options=options
        )
    return TableResponses(tables, further, (*table.problems, *found.problems))


def lines(found: TableResponses) -> list[str]:
    """Rates, best responses, and the calls of the visits with their reasons, for a person."""
    rates, best = found.tables["response/criteria_rates"], found.tables["response/criteria_best"]
    out = [
        f"{r['criterion']}: {r['quantity']} {100 * r['estimate']:.1f} % "
        f"(95 % {100 * r['lower']:.1f} to {100 * r['upper']:.1f} %), {r['events']} of {r['n']}"
        for r in rates.iter_rows(named=True)
    ]
    used = set(best["subject"])
    if left := {p.subject for p in found.problems if p.severity == "set aside" and p.subject} - used:
        # A rate of fewer subjects than were treated flatters or harms; whoever reads it must see that.
        out.append(f"not counted, because they were set aside: {len(left)} of {len(left | used)} subjects")
    for row in found.tables["response/endpoint_summary"].iter_rows(named=True):
        median = "not reached" if row["median"] is None else f"{row['median']:.0f} days"
        out.append(f"{row['endpoint']} ({row['rule']}): median {median}, {row['events']} events, {row['n']} subjects")
    if (readers := found.tables.get("response/readers")) is not None:
        out += said_of_readers(readers)
    if (noise := found.tables.get("response/measurement_error")) is not None:
        out += said_of_noise(noise)
    visits = found.tables["response/criteria"].partition_by("criterion", "subject", as_dict=True, maintain_order=True)
    for row in best.iter_rows(named=True):
        out.append(f"{row['subject']}  {row['criterion']}: {row['best_response']}  ({row['reason']})")
        out += [
            f"    {v['visit']}, day {v['day']:g}: {v['reason']}"
            for v in visits[row["criterion"], row["subject"]].iter_rows(named=True)
        ]
    if (told := found.further.get("comparison")) is not None:
        out += _compared(told)
    return out


def _compared(told: pl.DataFrame) -> list[str]:
    out = []
    for (item,), part in told.group_by(["item"], maintain_order=True):
        known = part.filter(pl.col("agree").is_not_null())
        out.append(f"{item}: {int(known['agree'].sum())} of {known.height} as the study has them")
    for row in told.filter(~pl.col("agree").fill_null(False)).iter_rows(named=True):
        where = "" if row["visit"] is None else f", {row['visit']}"
        values = f"{row['ours'] or '–'} here, {row['theirs']} there"
        out.append(f"    {row['subject']}{where}, {row['item']}: {values}; {row['explanation']}")
    return out


def write(out: Path, found: TableResponses) -> list[str]:
    """Write every table below `out`, and say where."""
    for name, table in found.tables.items():
        write_table(out, name, table)
    for name, table in found.further.items():
        write_bytes(out / "response" / f"{name}.csv", table.write_csv().encode())
    write_table(out, "problems", problem_frame("response", found.problems))
    names: Sequence[str] = [*(n.split("/")[1] for n in found.tables), *found.further]
    return [f"{out / 'response'}: {', '.join(names)}"]
