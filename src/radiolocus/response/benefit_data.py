"""Who had what treatment, what happened, and which columns may tell who benefits: from tables to arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
import polars as pl

from radiolocus.cohort.values import as_text, canonical
from radiolocus.errors import ConfigError, FitError
from radiolocus.learn.preprocess import Predictors
from radiolocus.model import Array, BoolArray, Endpoint
from radiolocus.registry import suggest
from radiolocus.response.benefit_options import BenefitOptions
from radiolocus.stats.competing import pseudo_observations

__all__ = [
    "Marker",
    "Outcome",
    "People",
    "is_good",
    "known_outcome",
    "numeric_column",
    "people",
    "predictors_of",
    "read_marker",
]


@dataclass(frozen=True, eq=False)
class People:
    """Those who are looked at, with all columns that may matter.

    Parameters
    ----------
    frame : polars.DataFrame
        ``subject`` and every column, one row a subject with a known treatment.
    arm : ndarray of str, shape (n,)
    arms : tuple of str
        Those that are compared with control.
    family : dict of str to str
        Of every column that may be a marker.
    """

    frame: pl.DataFrame
    arm: np.ndarray[tuple[int], np.dtype[np.str_]]
    arms: tuple[str, ...]
    family: dict[str, str]

    def take(self, rows: BoolArray) -> pl.DataFrame:
        """Columns of some of them."""
        return self.frame.filter(pl.Series(rows))


@dataclass(frozen=True, eq=False)
class Outcome:
    """An endpoint of those who are looked at; NaN where unknown.

    ``good`` says that the event is what treatment is to bring about.
    """

    name: str
    event: Array
    time: Array | None
    good: bool
    unit: str = ""

    @property
    def known(self) -> BoolArray:
        """Those whose outcome is known."""
        told = np.isfinite(self.event)
        return told if self.time is None else told & np.isfinite(self.time) & (np.nan_to_num(self.time) >= 0)

    def worth(self, rows: BoolArray, treated: BoolArray, horizon: float | None) -> tuple[Array, str]:
        """Outcome as a number that is the larger the better, and what it is in words.

        Of a survival endpoint: pseudo-observations of survival at the horizon, within each group, since follow-up may
        differ between groups.
        """
        event = self.event[rows]
        if self.time is None:
            return (
                (event, f"probability of {self.name}") if self.good else (1 - event, f"probability of no {self.name}")
            )
        time = self.time[rows]
        if horizon is None:
            horizon = float(np.median(time[event == 1])) if event.any() else 0.0
        last = min(float(time[treated].max()), float(time[~treated].max()))
        if not 0 < horizon < last:
            raise FitError(
                f"a horizon of {horizon:g}",
                where=f"benefit.horizon, {self.name}",
                allowed=f"positive, before {last:g}, to which both groups were followed",
            )
        out = np.empty(event.size)
        for group in (treated, ~treated):
            if not event[group].any():
                out[group] = 1.0
                continue
            out[group] = 1.0 - pseudo_observations(time[group], event[group].astype(np.int64), horizon)
        return out, f"probability of no {self.name} by {horizon:.4g} {self.unit}".rstrip()


@dataclass(frozen=True, eq=False)
class Marker:
    """A marker as the columns of a model.

    Parameters
    ----------
    name, family : str
    X : ndarray, shape (n, M)
        Not yet standardised: a number, or indicators of all levels but the first; NaN where unknown.
    level : ndarray of int, shape (n,)
        Of its subgroups, −1 unknown.
    levels : tuple of str
        Names of the subgroups.
    scale : str
        What one unit of the effect is: ``one standard deviation``, ``b against a``, or ``levels``.
    number : bool
        Standardised before it is tested.
    """

    name: str
    family: str
    X: Array
    level: np.ndarray[tuple[int], np.dtype[np.int64]]
    levels: tuple[str, ...]
    scale: str
    number: bool


def people(
    clinical: pl.DataFrame, further: Mapping[str, pl.DataFrame], options: BenefitOptions
) -> tuple[People, list[str]]:
    """Take those with a known treatment to whom ``where`` applies.

    Parameters
    ----------
    clinical : polars.DataFrame
        With a column ``subject``.
    further : mapping of str to polars.DataFrame
        Family to its table, each with a column ``subject``.
    options : BenefitOptions

    Returns
    -------
    People
    list of str
        Whom this leaves out, in words.

    Raises
    ------
    ConfigError
        An unknown column, arm or value.
    """
    frame, family, notes = clinical, dict.fromkeys(clinical.columns[1:], "clinical"), list[str]()
    for name, table in further.items():
        frame = frame.join(table, on="subject", how="left", maintain_order="left", suffix=f" ({name})")
        family |= dict.fromkeys([c for c in frame.columns if c not in family and c != "subject"], name)
    _must_know(frame, _columns_named(options))
    for column, values in options.where.items():
        wanted = [canonical(v) for v in values]
        known = as_text(frame[column])
        if absent := sorted(set(wanted) - set(known.drop_nulls())):
            raise ConfigError(
                f"{column} = {', '.join(absent)}, which nobody has",
                where="benefit.where",
                allowed=", ".join(sorted(set(known.drop_nulls()))[:12]),
            )
        kept = known.is_in(wanted).fill_null(False)
        notes.append(f"{int((~kept).sum())} of {kept.len()} subjects left out: {column} is not {' or '.join(wanted)}")
        frame = frame.filter(kept)
    arm = as_text(frame[options.treatment])
    if arm.null_count():
        notes.append(f"{arm.null_count()} subjects left out: no {options.treatment}")
        frame, arm = frame.filter(arm.is_not_null()), arm.drop_nulls()
    found = sorted(set(arm))
    for name in (options.control, *options.arms, *options.rule_arms):
        if name not in found:
            raise ConfigError(
                f"{options.treatment} = {name}, which nobody has",
                where="benefit",
                allowed=", ".join(found),
                todo=suggest(name, found),
            )
    arms = options.arms or tuple(a for a in found if a != options.control)
    here = arm.is_in([options.control, *arms])
    if not here.all():
        notes.append(f"{int((~here).sum())} subjects left out: in other arms")
    aside = {*_columns_named(options)} - {*options.strata, *options.confounders, *options.adjust}
    family = {c: _family(c, f, options) for c, f in family.items() if c not in aside}
    return People(frame.filter(here), arm.filter(here).to_numpy().astype(np.str_), arms, family), notes


def _columns_named(options: BenefitOptions) -> list[str]:
    single = [c for c in (options.start, options.prior_use) if c]
    named = [*options.where, *options.adjust, *options.strata, *options.confounders, *options.measured_at.values()]
    return [options.treatment, *single, *named]


def _must_know(frame: pl.DataFrame, names: Iterable[str]) -> None:
    for name in names:
        if name not in frame.columns[1:]:
            raise ConfigError(
                f"no column '{name}'",
                where="benefit",
                allowed=", ".join(frame.columns[1:20]) + (", ..." if frame.width > 20 else ""),
                todo=suggest(name, frame.columns[1:]),
            )


def _family(column: str, given: str, options: BenefitOptions) -> str:
    for name, patterns in options.families.items():
        if any(column == p or fnmatchcase(column, p) for p in patterns):
            return name
    return given


def named_columns(who: People, patterns: Sequence[str], option: str) -> list[str]:
    """Columns that are named or match a pattern, in their order in the tables.

    Raises
    ------
    ConfigError
        A name or pattern that matches none.
    """
    chosen: set[str] = set()
    for pattern in patterns:
        matching = {c for c in who.family if c == pattern or fnmatchcase(c, pattern)}
        if not matching:
            raise ConfigError(
                f"nothing is called '{pattern}'",
                where=f"benefit.{option}",
                allowed="a name or pattern (*) of clinical columns, imaging features or molecular markers",
                todo=suggest(pattern, list(who.family)),
            )
        chosen |= matching
    return [c for c in who.family if c in chosen]


def known_outcome(endpoint: Endpoint, who: People, options: BenefitOptions) -> Outcome:
    """Put an endpoint on the subjects that are looked at."""
    place = {s: i for i, s in enumerate(endpoint.subject)}
    rows = np.array([place[s] for s in who.frame["subject"]], dtype=np.intp)
    time = None if endpoint.time is None else np.asarray(endpoint.time, dtype=np.float64)[rows]
    event = np.asarray(endpoint.event, dtype=np.float64)[rows]
    return Outcome(endpoint.name, event, time, is_good(endpoint, options.favourable), endpoint.unit)


def is_good(endpoint: Endpoint, favourable: Sequence[str]) -> bool:
    """Tell whether the event of an endpoint is good: it is named so, or a response or benefit by our own calls."""
    made = endpoint.decided is not None and endpoint.kind == "binary"
    return made or endpoint.name in favourable


def numeric_column(column: pl.Series) -> Array:
    """Values of a column as numbers; NaN where there is none, or none that is finite."""
    value = np.array(column.cast(pl.Float64).fill_null(float("nan")).to_numpy(), dtype=np.float64)
    value[~np.isfinite(value)] = np.nan
    return value


def read_marker(column: pl.Series, family: str, least: int) -> Marker:
    """Read a column as a number, two groups or several levels.

    Parameters
    ----------
    column : polars.Series
    family : str
    least : int
        Categories of fewer subjects count as unknown.

    Raises
    ------
    FitError
        Fewer than two values.
    """
    is_number = column.dtype.is_numeric() and column.drop_nulls().n_unique() > 2
    if is_number:
        value = numeric_column(column)
        cut = float(np.nanmedian(value))
        level = np.where(np.isnan(value), -1, (value > cut).astype(np.int64))
        names = (f"≤ {cut:.3g}", f"> {cut:.3g}")
        return Marker(column.name, family, value[:, None], level, names, "SD", True)
    text = as_text(column.cast(pl.Int64) if column.dtype == pl.Boolean else column)
    counts = text.drop_nulls().value_counts()
    levels = tuple(counts.filter(pl.col("count") >= least)[column.name].sort())
    if len(levels) < 2:
        raise FitError(
            f"{len(levels)} values that at least {least} subjects have",
            allowed="two or more",
            todo="leave the marker out, or lower min_level",
        )
    place = {name: k for k, name in enumerate(levels)}
    level = np.array([place.get(v, -1) for v in text.to_list()], dtype=np.int64)
    X = (level[:, None] == np.arange(1, len(levels))).astype(np.float64)
    X[level < 0] = np.nan
    scale = f"{levels[1]} against {levels[0]}" if len(levels) == 2 else "levels"
    return Marker(column.name, family, X, level, levels, scale, False)


def predictors_of(frame: pl.DataFrame, names: Sequence[str]) -> Predictors:
    """Columns as predictors: numbers, and text as categories."""
    numeric = [n for n in names if frame[n].dtype.is_numeric() or frame[n].dtype == pl.Boolean]
    category = [n for n in names if n not in numeric]
    levels = tuple(tuple(as_text(frame[n]).drop_nulls().unique().sort()) for n in category)
    codes = [
        np.array([{v: k for k, v in enumerate(known)}.get(t, -1) for t in as_text(frame[n]).to_list()], dtype=np.int64)
        for n, known in zip(category, levels, strict=True)
    ]
    return Predictors(
        np.column_stack([np.empty((frame.height, 0)), *(numeric_column(frame[n]) for n in numeric)]),
        tuple(numeric),
        ("",) * len(numeric),
        np.column_stack([np.empty((frame.height, 0), dtype=np.int64), *codes]),
        levels,
        tuple(category),
        ("",) * len(category),
    )
