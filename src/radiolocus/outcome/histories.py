"""What was measured of each subject, and when: the visits of a study, checked one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import ConfigError, FitError
from radiolocus.learn.target import Rows
from radiolocus.model import Array, BoolArray, Problem
from radiolocus.registry import suggest
from radiolocus.stats.longitudinal import Sums, sums_until, visits_until

__all__ = ["Histories", "checked_visits", "histories_of"]

Ints = npt.NDArray[np.int64]

# A value so many times the subject's median of the others is told: 1000 lies between mm³ and mL, 10 between mm and cm
# is what a tumour may do too.
_JUMP = 300.0
# Names that no column of a file has.
_VISIT, _UNIT = "visit\0", "unit\0"


@dataclass(frozen=True, eq=False)
class Histories:
    """Measurements of n subjects, in order of subject and time.

    Parameters
    ----------
    subject : tuple of str
    markers : tuple of str
        A logarithm is called ``log NAME``.
    person : ndarray of int64, shape (v,)
        Index into `subject` of each visit.
    at : ndarray, shape (v,)
        Time of the visit, in the unit of the endpoint.
    value : ndarray, shape (v, m)
        NaN where a marker was not measured.
    """

    subject: tuple[str, ...]
    markers: tuple[str, ...]
    person: Ints
    at: Array
    value: Array

    def take(self, rows: Rows | BoolArray) -> Histories:
        """Return the histories of some subjects; one that is taken twice counts as two."""
        chosen = np.arange(len(self.subject))[rows]
        begin = np.searchsorted(self.person, chosen, side="left")
        size = np.searchsorted(self.person, chosen, side="right") - begin
        visits = np.repeat(begin - (np.cumsum(size) - size), size) + np.arange(size.sum())
        person = np.repeat(np.arange(chosen.size), size).astype(np.int64)
        return Histories(
            tuple(self.subject[i] for i in chosen), self.markers, person, self.at[visits], self.value[visits]
        )

    def until(self, time: Array) -> Histories:
        """Leave out what was measured after a time of each subject, shape (n,)."""
        kept = self.at <= time[self.person]
        return Histories(self.subject, self.markers, self.person[kept], self.at[kept], self.value[kept])

    def visits_until(self, who: npt.ArrayLike, time: npt.ArrayLike) -> Ints:
        """Number of visits with a measurement of subjects `who` up to and including `time`, shape (k,)."""
        there = np.isfinite(self.value).any(axis=1)
        begin, end = visits_until(self.person[there], self.at[there], who, time)
        return end - begin

    def sums(self, marker: int, who: npt.ArrayLike, time: npt.ArrayLike) -> Sums:
        """Sums of a marker over the visits of subjects `who` up to and including `time`."""
        return sums_until(self.person, self.at, self.value[:, marker], who, time)

    def first_and_last(self, marker: int, who: npt.ArrayLike, time: npt.ArrayLike) -> tuple[Array, Array]:
        """First and last value of a marker up to and including `time`, shape (k,) each; NaN without any."""
        there = np.isfinite(self.value[:, marker])
        person, at, value = self.person[there], self.at[there], self.value[there, marker]
        begin, end = visits_until(person, at, who, time)
        some = end > begin
        first_value, last_value = np.full((2, some.size), np.nan)
        first_value[some], last_value[some] = value[begin[some]], value[end[some] - 1]
        return first_value, last_value


def checked_visits(
    frame: pl.DataFrame,
    markers: Sequence[str],
    *,
    time: str,
    visit: str = "",
    unit: str = "",
    where: str = "monitoring.table",
) -> tuple[pl.DataFrame, list[Problem]]:
    """Set aside, by name, what cannot be a visit; the order of the rows does not matter.

    Parameters
    ----------
    frame : polars.DataFrame
        ``subject``, a column of times that are numbers, and the markers.
    markers : sequence of str
    time, visit, unit : str
        Columns: time; number of the visit, which must rise with time; unit of the measurements.
    where : str
        For messages.

    Returns
    -------
    polars.DataFrame
        ``subject``, ``time`` and the markers, in order of subject and time.
    list of Problem
        Visits and subjects set aside: no time, before time zero, two different rows at one time, visits whose numbers
        do not rise with time, another unit than that of most; and notes.

    Raises
    ------
    ConfigError
        A column that is not there, or a marker or time that is no number.
    """
    for name in (time, visit, unit, *markers):
        if name and name not in frame.columns:
            known = [c for c in frame.columns if c != "subject"]
            raise ConfigError(f"no column '{name}'", where=where, allowed=", ".join(known), todo=suggest(name, known))
    for name in (time, *markers):
        if not (frame[name].dtype.is_numeric() or frame[name].null_count() == frame.height):
            raise ConfigError(f"column '{name}' of type {frame[name].dtype}", where=where, allowed="numbers")
    if set(markers) & {"subject", "time"}:
        got = f"a marker called '{min(set(markers) & {'subject', 'time'})}'"
        raise ConfigError(got, where=where, allowed="another name", todo="rename the column")
    problems: list[Problem] = []
    also = [pl.col(name).alias(role) for role, name in ((_VISIT, visit), (_UNIT, unit)) if name]
    table = frame.select("subject", pl.col(time).alias("time"), *markers, *also).with_columns(
        pl.col("time", *markers).cast(pl.Float64).fill_nan(None)
    )
    table = _timed(table, where, problems)
    table = _one_unit(table, unit, where, problems)
    table = _rising(table, visit, where, problems)
    table = _once(table.select("subject", "time", *markers).sort("subject", "time"), markers, where, problems)
    problems += _jumps(table, markers, where)
    return table, problems


def _aside(got: str, subject: str, where: str, todo: str, allowed: str = "", count: int = 1) -> Problem:
    return Problem("monitoring", got, "set aside", subject, None, where, allowed, todo, count)


def _timed(table: pl.DataFrame, where: str, problems: list[Problem]) -> pl.DataFrame:
    """Leave out visits without a time, and those before time zero."""
    known = pl.col("time").is_finite().fill_null(False)
    lacking = table.filter(~known).group_by("subject", maintain_order=True).len()
    problems += [
        _aside("a visit without a time", s, where, "mend the table; the visit is not used", count=n)
        for s, n in lacking.sort("subject").iter_rows()
    ]
    table = table.filter(known)
    for subject, first, n in (
        table.filter(pl.col("time") < 0)
        .group_by("subject")
        .agg(pl.col("time").min(), pl.len().alias("n"))
        .sort("subject")
        .iter_rows()
    ):
        got = f"a visit at {first:g}, before baseline"
        problems.append(_aside(got, subject, where, "mend the table; the visit is not used", "zero or later", n))
    return table.filter(pl.col("time") >= 0)


def _one_unit(table: pl.DataFrame, unit: str, where: str, problems: list[Problem]) -> pl.DataFrame:
    if not unit or not table.height:
        return table
    words = table[_UNIT].cast(pl.String).str.strip_chars().str.to_lowercase().fill_null("")
    counts = Counter(words.to_list())
    usual = min(counts, key=lambda w: (-counts[w], w))
    told = table.select("subject").with_columns(words.alias("unit"))
    found = told.group_by("subject").agg(pl.col("unit").unique().sort()).sort("subject")
    bad = []
    for subject, units in found.iter_rows():
        if units != [usual]:
            bad.append(subject)
            got = f"measurements in {', '.join(repr(u) if u else 'no unit' for u in units)}"
            problems.append(
                _aside(got, subject, f"{where}, column '{unit}'", "convert them", f"one unit, '{usual}' as of most")
            )
    return table.filter(~pl.col("subject").is_in(bad))


def _rising(table: pl.DataFrame, visit: str, where: str, problems: list[Problem]) -> pl.DataFrame:
    """Set aside subjects whose visits are numbered in another order than they are dated."""
    if not visit:
        return table
    numbers = table[_VISIT].cast(pl.Float64, strict=False)
    if numbers.is_null().any():
        row = table.filter(numbers.is_null()).row(0, named=True)
        raise ConfigError(
            f"visit '{row[_VISIT]}' of {row['subject']}",
            where=f"{where}, column '{visit}'",
            allowed="numbers that rise from visit to visit",
            todo="number the visits, or leave visit out",
        )
    ordered = table.select("subject", "time").with_columns(numbers.alias("number")).sort("subject", "time", "number")
    wrong = (
        ordered.with_columns(
            (pl.col("number").diff() < 0).over("subject").alias("falls"),
            pl.col("number").shift().over("subject").alias("before"),
        )
        .filter(pl.col("falls"))
        .unique("subject", keep="first", maintain_order=True)
    )
    for row in wrong.iter_rows(named=True):
        got = f"visit {row['number']:g} at {row['time']:g} comes after visit {row['before']:g}: dates out of order"
        allowed = "numbers of visits that rise with time"
        problems.append(_aside(got, row["subject"], where, "mend the dates; the subject is left out", allowed))
    return table.filter(~pl.col("subject").is_in(wrong["subject"].to_list()))


def _once(table: pl.DataFrame, markers: Sequence[str], where: str, problems: list[Problem]) -> pl.DataFrame:
    """Keep one of equal rows, and set aside who has different rows at one time."""
    single = table.unique(maintain_order=True)
    if same := table.height - single.height:
        problems.append(Problem("monitoring", f"{same} rows stand twice in the table", "note", where=where, count=same))
    again = single.filter(single.select("subject", "time").is_duplicated())
    bad = again.unique("subject", keep="first", maintain_order=True)
    for subject, at in bad.select("subject", "time").iter_rows():
        got = f"two different rows at {at:g}"
        problems.append(_aside(got, subject, where, "keep the right one; the subject is left out", "one row a visit"))
    kept = single.filter(~pl.col("subject").is_in(bad["subject"].to_list()))
    return kept.filter(pl.any_horizontal(pl.col(*markers).is_not_null()))


def _jumps(table: pl.DataFrame, markers: Sequence[str], where: str) -> list[Problem]:
    """Tell of values that look as if they were in another unit: far from the median of the subject's others."""
    notes = []
    for name in markers:
        part = table.filter(pl.col(name) > 0).with_columns(median=pl.col(name).median().over("subject"))
        ratio = pl.max_horizontal(pl.col(name) / pl.col("median"), pl.col("median") / pl.col(name))
        for row in (
            part.filter(ratio > _JUMP).unique("subject", keep="first", maintain_order=True).iter_rows(named=True)
        ):
            got = f"{row[name]:g} at {row['time']:g} beside a median of {row['median']:g}: another unit?"
            notes.append(Problem("monitoring", got, "note", row["subject"], name, where, todo="look at the table"))
    return notes


def histories_of(
    visits: pl.DataFrame, markers: Sequence[str], log: Sequence[str], until: Mapping[str, float], name: str = ""
) -> tuple[Histories, list[Problem]]:
    """Turn checked visits into the histories of the subjects of an endpoint.

    Parameters
    ----------
    visits : polars.DataFrame
        As :func:`checked_visits` returns it.
    markers, log : sequence of str
        Columns, and those of which the logarithm is followed.
    until : mapping of str to float
        Time of the event or of the end of observation of each subject: nobody is measured later.
    name : str
        Endpoint, for messages.

    Returns
    -------
    Histories
        Of the subjects with a visit, in the order of `until`.
    list of Problem
        Visits after the end, values without a logarithm, and who has no visit, or one alone.

    Raises
    ------
    FitError
        Nobody has a visit.
    """
    problems: list[Problem] = []
    known = visits.filter(pl.col("subject").is_in(list(until)))
    ends = pl.DataFrame({"subject": list(until), "end": list(until.values())}, schema_overrides={"end": pl.Float64})
    known = known.join(ends, on="subject", how="left", maintain_order="left")
    late = known.filter(pl.col("time") > pl.col("end"))
    for subject, at, end, n in (
        late.group_by("subject").agg(pl.col("time").max(), pl.col("end").first(), pl.len().alias("n")).sort("subject")
    ).iter_rows():
        got = f"a visit at {at:g}, after the event or the end of observation at {end:g}"
        todo = "mend the dates where that cannot be; the visit is not used"
        problems.append(Problem("monitoring", got, "set aside", subject, name, "", "visits up to the end", todo, n))
    known = known.filter(pl.col("time") <= pl.col("end"))
    for marker in log:
        bad = known.filter(pl.col(marker) <= 0)
        for subject, n in bad.group_by("subject", maintain_order=True).len().iter_rows():
            got = f"{n} values of '{marker}' that are zero or negative and have no logarithm"
            problems.append(Problem("monitoring", got, "no value", subject, marker, allowed="above 0", count=n))
        known = known.with_columns(pl.when(pl.col(marker) > 0).then(pl.col(marker).log()).alias(marker))
    known = known.filter(pl.any_horizontal(pl.col(*markers).is_not_null()))
    counts: dict[str, int] = dict(known.group_by("subject").len().iter_rows())
    subjects = [s for s in until if s in counts]
    if not subjects:
        raise FitError("nobody with a visit before the event or the end", where=f"monitoring, {name}")
    if lacking := len(until) - len(subjects):
        problems.append(Problem("monitoring", f"{lacking} subjects without a visit", "note", None, name, count=lacking))
    if single := [s for s in subjects if counts[s] == 1]:
        got = f"{len(single)} subjects with one visit only: {', '.join(single[:8])}{', ...' if len(single) > 8 else ''}"
        todo = "their slope is that of everybody"
        problems.append(Problem("monitoring", got, "note", None, name, todo=todo, count=len(single)))
    place = pl.DataFrame({"subject": subjects, "person": np.arange(len(subjects))})
    rows = known.join(place, on="subject", maintain_order="left").sort("person", "time")
    value = np.column_stack([rows[m].fill_null(float("nan")).to_numpy() for m in markers]).astype(np.float64)
    names = tuple(f"log {m}" if m in log else m for m in markers)
    return (
        Histories(tuple(subjects), names, rows["person"].to_numpy().astype(np.int64), rows["time"].to_numpy(), value),
        problems,
    )
