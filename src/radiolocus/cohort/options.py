"""Section ``[cohort]`` of the study file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from radiolocus.cohort.ids import IdRules
from radiolocus.cohort.values import canonical
from radiolocus.errors import ConfigError

__all__ = ["RULES", "CohortOptions", "ColumnOptions", "DateOptions", "EndpointOptions", "SubjectTable"]

Value = str | int | float | bool


@dataclass(frozen=True)
class SubjectTable:
    """A table of subjects.

    Parameters
    ----------
    path : str
        File, relative to the root of the study.
    sheet : str or None
        Sheet of a workbook.
    id : str or None
        Id column, when it is not that of the cohort.
    """

    path: str
    sheet: str | None = None
    id: str | None = None


Kind = Literal["survival", "binary", "competing", "ordinal", "multiclass"]
Rule = Literal[
    "overall",
    "cause_specific",
    "recurrence",
    "metastasis",
    "progression",
    "recurrence_free",
    "metastasis_free",
    "progression_free",
    "disease_free",
    "first",
]
_KINDS = ("survival", "binary", "competing", "ordinal", "multiclass")
_UNITS = ("days", "weeks", "months", "years")
#: Of each rule: the dated events that count (the first of them is the event), and whether death is one of them.
RULES: dict[str, tuple[tuple[str, ...], bool]] = {
    "overall": ((), True),
    "cause_specific": ((), True),
    "recurrence": (("recurrence",), False),
    "metastasis": (("metastasis",), False),
    "progression": (("progression",), False),
    "recurrence_free": (("recurrence",), True),
    "metastasis_free": (("metastasis",), True),
    "progression_free": (("progression",), True),
    "disease_free": (("recurrence", "metastasis"), True),
    "first": ((), False),
}


@dataclass(frozen=True)
class DateOptions:
    """Columns of the dates that endpoints are derived from.

    Parameters
    ----------
    baseline : str or None
        Column of time zero. None: the other columns hold times since time zero, in the unit of the endpoint.
    entry : str or None
        Column of the date from which a subject was under observation, for endpoints with ``delayed_entry``.
    recurrence, metastasis, progression : str or None
        Column of the date of the event; empty where it did not happen.
    other : dict of str to str
        Further events by name, for ``rule = "first"``.
    death : str or None
        Column of the date of death; empty where the subject lives.
    last : str or None
        Column of the date at which the subject was last seen.
    vital : str or None
        Column that tells whether the subject died; then a death without its date, or a date of one who lives, is told.
    dead_values : tuple
        Values of `vital` that mean death; every other filled cell means alive.
    cause : str or None
        Column of the cause of death, for ``rule = "cause_specific"``.
    format : str
        How dates are written, in the codes of ``strptime``; a time of day behind an ISO date is passed over.
    """

    baseline: str | None = None
    entry: str | None = None
    recurrence: str | None = None
    metastasis: str | None = None
    progression: str | None = None
    other: dict[str, str] = field(default_factory=dict)
    death: str | None = None
    last: str | None = None
    vital: str | None = None
    dead_values: tuple[Value, ...] = ()
    cause: str | None = None
    format: str = "%Y-%m-%d"

    def __post_init__(self) -> None:
        if bool(self.vital) != bool(self.dead_values):
            raise ConfigError("vital and dead_values", where="cohort.dates", allowed="both or neither")
        taken = {"baseline", "entry", "recurrence", "metastasis", "progression", "death", "last", "cause"} & set(
            self.other
        )
        if taken:
            raise ConfigError(f"other names '{min(taken)}'", where="cohort.dates", allowed="names of its own")

    def events(self) -> dict[str, str]:
        """Columns of the dated events that are no death, by name."""
        named = {n: c for n in ("recurrence", "metastasis", "progression") if (c := getattr(self, n)) is not None}
        return named | self.other

    def columns(self) -> dict[str, str]:
        """Every column that is named, by key."""
        keys = ("baseline", "entry", "death", "last", "vital", "cause")
        return {k: c for k in keys if (c := getattr(self, k)) is not None} | self.events()


@dataclass(frozen=True)
class EndpointOptions:
    """What happened to the subjects, and when.

    Parameters
    ----------
    kind : {"survival", "binary", "competing", "ordinal", "multiclass"}
        Time to an event; yes and no; time to the first of several kinds of event; classes in an order; classes.
    event : str
        Column that tells what happened, or the class. With `rule`: column that tells whether the dated event happened,
        against which the dates are checked; optional.
    event_values : tuple or None
        Values of that column that mean the event. None: 1; a column of ones and twos is refused then.
    censor_values : tuple
        Values that mean no event; every other value is unknown. By default every filled cell that is no event is none.
    competing_values : tuple
        Of ``kind = "competing"``: values that mean another event, each a kind of event of its own.
    time : str or None
        Column of the time to the event; for those without the event too, unless `censor_time` is named.
    censor_time : str or None
        Column of the time to the last observation, used for those without the event.
    unit : str
        Unit of the times. Of times derived from dates: days (default), weeks, months (30.4375 days) or years (365.25).
    levels : tuple of str
        Classes in their order, the lowest first (ordinal), or the classes that count (multiclass; default: all).
    rule : str or None
        How the endpoint follows from the dates of ``[cohort.dates]``; see the table of rules.
    events : tuple of str
        Of ``rule = "first"``: the dated events, by their names in ``[cohort.dates]``; ``death`` may be one.
    cause_values : tuple
        Of ``rule = "cause_specific"``: causes of death that count.
    delayed_entry : bool
        With `rule`: subjects are at risk only from ``[cohort.dates] entry`` on (left truncation).
    entry : str or None
        Column of the time from which a subject was under observation (left truncation).
    strata : str or None
        Column of the strata, each with a baseline hazard of its own, in models that know them.
    weights : str or None
        Column of case weights, positive, in models that know them.
    """

    kind: Kind
    event: str = ""
    event_values: tuple[Value, ...] | None = None
    censor_values: tuple[Value, ...] = ()
    competing_values: tuple[Value, ...] = ()
    time: str | None = None
    censor_time: str | None = None
    unit: str = ""
    levels: tuple[str, ...] = ()
    rule: Rule | None = None
    events: tuple[str, ...] = ()
    cause_values: tuple[Value, ...] = ()
    delayed_entry: bool = False
    entry: str | None = None
    strata: str | None = None
    weights: str | None = None

    @property
    def timed(self) -> bool:
        """Whether it is a time to an event."""
        return self.kind in ("survival", "competing")

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise ConfigError(f"kind = '{self.kind}'", where="endpoint", allowed=", ".join(_KINDS))
        if self.rule is not None:
            self._check_rule()
        else:
            self._check_columns()
        if not self.timed and (self.time or self.censor_time):
            raise ConfigError(f"a {self.kind} endpoint with a time", where="endpoint", todo="set kind = 'survival'")
        if not self.timed and (self.entry or self.strata or self.weights):
            raise ConfigError(
                f"a {self.kind} endpoint with entry, strata or weights", where="endpoint", allowed="times to an event"
            )
        if self.event_values is not None and not self.event_values:
            raise ConfigError("event_values is empty", where="endpoint", allowed="at least one value")
        sides = (self.event_values or (), self.censor_values, self.competing_values)
        told = [canonical(v) for side in sides for v in side]
        twice = sorted({v for v in told if told.count(v) > 1})
        if twice:
            raise ConfigError(f"{twice} mean both event and no event", where="endpoint", allowed="one of them")

    def _check_columns(self) -> None:
        if not self.event:
            raise ConfigError("an endpoint without event", where="endpoint", todo="name the column, or a rule")
        if self.timed and self.time is None:
            raise ConfigError(
                f"a {self.kind} endpoint without a time", where="endpoint", todo="name the column with time, or a rule"
            )
        if (self.kind == "competing") != bool(self.competing_values):
            raise ConfigError(
                f"competing_values = {list(self.competing_values)} of a {self.kind} endpoint",
                where="endpoint",
                allowed="the values of other events, of kind = 'competing' alone",
            )
        if self.kind == "ordinal" and len(self.levels) < 2:
            raise ConfigError(
                f"levels = {list(self.levels)}", where="endpoint", allowed="two classes or more, the lowest first"
            )
        if self.levels and self.kind not in ("ordinal", "multiclass"):
            raise ConfigError(f"levels of a {self.kind} endpoint", where="endpoint", allowed="ordinal, multiclass")
        if len(set(self.levels)) < len(self.levels):
            raise ConfigError(f"levels = {list(self.levels)}", where="endpoint", allowed="every class once")
        for name, value in (("events", self.events), ("cause_values", self.cause_values)):
            if value:
                raise ConfigError(f"{name} without a rule", where="endpoint", todo="name a rule")
        if self.delayed_entry:
            raise ConfigError("delayed_entry without a rule", where="endpoint", todo="name the column: entry = ...")

    def _check_rule(self) -> None:
        if self.rule not in RULES:
            raise ConfigError(f"rule = '{self.rule}'", where="endpoint", allowed=", ".join(RULES))
        if not self.timed:
            raise ConfigError(
                f"kind = '{self.kind}' by rule '{self.rule}'", where="endpoint", allowed="survival, competing"
            )
        if self.kind == "competing" and RULES[self.rule][1] and self.rule != "cause_specific":
            raise ConfigError(
                f"kind = 'competing' by rule '{self.rule}', which nothing competes with",
                where="endpoint",
                allowed="cause_specific, recurrence, metastasis, progression, first; or kind = 'survival'",
            )
        if (self.rule == "first") != bool(self.events):
            raise ConfigError(
                f"events = {list(self.events)} by rule '{self.rule}'",
                where="endpoint",
                allowed="the events of rule = 'first' alone",
            )
        if (self.rule == "cause_specific") != bool(self.cause_values):
            raise ConfigError(
                f"cause_values = {list(self.cause_values)} by rule '{self.rule}'",
                where="endpoint",
                allowed="the causes of rule = 'cause_specific' alone",
            )
        if self.event and self.rule in ("overall", "cause_specific"):
            raise ConfigError(
                f"event beside the rule '{self.rule}'", where="endpoint", todo="who died: vital in [cohort.dates]"
            )
        wrong = [n for n in ("time", "censor_time", "entry", "levels", "competing_values") if getattr(self, n)]
        if wrong:
            raise ConfigError(
                f"{wrong[0]} beside a rule",
                where="endpoint",
                allowed="event, event_values, unit, events, cause_values, delayed_entry, strata, weights",
                todo="dates stand in [cohort.dates]",
            )

    def check_dates(self, name: str, dates: DateOptions) -> None:
        """Refuse a rule whose dates are not named.

        Raises
        ------
        ConfigError
        """
        if self.rule is None:
            return
        where = f"cohort.endpoints.{name}"
        known = dates.columns()
        needed = [*(e for e in (*RULES[self.rule][0], *self.events) if e != "death"), "last"]
        if self.rule == "disease_free":
            needed = ["last"] if {"recurrence", "metastasis"} & set(known) else ["recurrence", "last"]
        needed += ["death"] if RULES[self.rule][1] or self.kind == "competing" or "death" in self.events else []
        needed += ["cause"] if self.rule == "cause_specific" else []
        needed += ["entry"] if self.delayed_entry else []
        lacking = [n for n in needed if n not in known]
        if lacking:
            raise ConfigError(
                f"rule '{self.rule}' needs the date of '{lacking[0]}'",
                where=where,
                allowed=f"{', '.join(needed)} in [cohort.dates]; there are {', '.join(known) or 'none'}",
                todo=f'add {lacking[0]} = "COLUMN" to [cohort.dates]',
            )
        if dates.baseline is not None and self.unit and self.unit not in _UNITS:
            raise ConfigError(f"unit = '{self.unit}' of dates", where=where, allowed=", ".join(_UNITS))


@dataclass(frozen=True)
class ColumnOptions:
    """What a clinical column is, when its cells do not tell.

    Parameters
    ----------
    type : {"number", "category"} or None
        Type demanded of the column.
    categories : tuple of str
        Allowed categories in their order; any other value becomes null.
    rename : str or None
        Name in the study; endpoints and covariates use it.
    """

    type: Literal["number", "category"] | None = None
    categories: tuple[str, ...] = ()
    rename: str | None = None

    def __post_init__(self) -> None:
        if self.type not in (None, "number", "category"):
            raise ConfigError(f"type = '{self.type}'", where="column", allowed="number, category")
        if self.categories and self.type == "number":
            raise ConfigError("categories of a column of numbers", where="column", allowed="type = 'category'")
        if len(set(self.categories)) < len(self.categories):
            raise ConfigError("a category named twice", where="column", allowed="each category once")


@dataclass(frozen=True)
class CohortOptions:
    """Section ``[cohort]`` of the study file.

    Parameters
    ----------
    name : str
        Name of the study.
    root : str
        Folder that all paths of the study start from.
    id : str or None
        Id column of the tables of subjects; the first column of each by default.
    subjects : tuple of SubjectTable
        Tables of subjects; where two fill the same column, the first one rules.
    ids : IdRules
        How ids of every source are normalised.
    endpoints : dict of str to EndpointOptions
        What happened to the subjects.
    dates : DateOptions
        Columns of dates, for endpoints derived by a rule.
    columns : dict of str to ColumnOptions
        Types and names of clinical columns.
    missing : tuple of str
        Further cells that mean a missing value.
    """

    name: str = ""
    root: str = ""
    id: str | None = None
    subjects: tuple[SubjectTable, ...] = ()
    ids: IdRules = field(default_factory=IdRules)
    endpoints: dict[str, EndpointOptions] = field(default_factory=dict)
    dates: DateOptions = field(default_factory=DateOptions)
    columns: dict[str, ColumnOptions] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, endpoint in self.endpoints.items():
            endpoint.check_dates(name, self.dates)
