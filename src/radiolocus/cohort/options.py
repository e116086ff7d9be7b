"""Section ``[cohort]`` of the study file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from radiolocus.cohort.ids import IdRules
from radiolocus.cohort.values import canonical
from radiolocus.errors import ConfigError

__all__ = ["CohortOptions", "ColumnOptions", "EndpointOptions", "SubjectTable"]

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


@dataclass(frozen=True)
class EndpointOptions:
    """What happened to the subjects, and when.

    Parameters
    ----------
    kind : {"survival", "binary"}
        Time to event, or yes and no.
    event : str
        Column that tells whether it happened.
    event_values : tuple
        Values of that column that mean the event.
    censor_values : tuple
        Values that mean no event; every other value is unknown. By default every filled cell that is no event is none.
    time : str or None
        Column of the time to the event; for those without the event too, unless `censor_time` is named.
    censor_time : str or None
        Column of the time to the last observation, used for those without the event.
    unit : str
        Unit of the times.
    """

    kind: Literal["survival", "binary"]
    event: str
    event_values: tuple[Value, ...] = (1,)
    censor_values: tuple[Value, ...] = ()
    time: str | None = None
    censor_time: str | None = None
    unit: str = ""

    def __post_init__(self) -> None:
        if self.kind not in ("survival", "binary"):
            raise ConfigError(f"kind = '{self.kind}'", where="endpoint", allowed="survival, binary")
        if self.kind == "survival" and self.time is None:
            raise ConfigError("a survival endpoint without a time", where="endpoint", todo="name the column with time")
        if self.kind == "binary" and (self.time or self.censor_time):
            raise ConfigError("a binary endpoint with a time", where="endpoint", todo="set kind = 'survival'")
        if not self.event_values:
            raise ConfigError("event_values is empty", where="endpoint", allowed="at least one value")
        both = {canonical(v) for v in self.event_values} & {canonical(v) for v in self.censor_values}
        if both:
            raise ConfigError(f"{sorted(both)} mean both event and no event", where="endpoint", allowed="one of them")


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
    columns: dict[str, ColumnOptions] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
