"""Tables of features, markers and covariates as aligned arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.associate.link_options import LinkOptions
from radiolocus.errors import ConfigError, TableError
from radiolocus.model import Array, BoolArray, Problem
from radiolocus.registry import suggest

__all__ = ["KINDS", "Columns", "align", "check_subjects", "covariate_matrix", "marker_kinds", "some"]

KINDS = ("continuous", "binary", "ordinal")


def check_subjects(name: str, frame: pl.DataFrame) -> None:
    """Refuse a table without subjects, or with one twice."""
    if "subject" not in frame.columns:
        raise TableError("no column 'subject'", where=name)
    twice = frame["subject"].filter(frame["subject"].is_duplicated()).unique(maintain_order=True).to_list()
    if twice:
        raise TableError(
            f"{len(twice)} subjects more than once ({', '.join(map(str, twice[:5]))})",
            where=name,
            allowed="one row a subject",
            todo="choose one image, visit and region for each subject first",
        )


@dataclass(frozen=True, eq=False)
class Columns:
    """Numeric columns in alphabetical order, for the chosen subjects; NaN where missing."""

    what: str
    names: tuple[str, ...]
    values: Array
    infinite: int

    @classmethod
    def of(cls, what: str, frame: pl.DataFrame, subjects: Sequence[str]) -> Columns:
        """Take the numeric columns of a table.

        Raises
        ------
        TableError
            A column that is not numeric.
        """
        types = {c: t for c, t in frame.schema.items() if c != "subject"}
        names = sorted(types)
        text = [c for c in names if not (types[c].is_numeric() or types[c] == pl.Boolean)]
        if text:
            raise TableError(
                f"{len(text)} columns that are not numbers ({', '.join(text[:5])})", where=what, allowed="numbers"
            )
        rows = align(frame, subjects).select(pl.col(names).cast(pl.Float64))
        values = np.array(rows.to_numpy(), dtype=np.float64).reshape(len(subjects), len(names))
        infinite = np.isinf(values)
        values[infinite] = np.nan
        return cls(what, tuple(names), values, int(infinite.sum()))


def marker_kinds(markers: Columns, dictionary: pl.DataFrame, options: LinkOptions) -> npt.NDArray[np.int8]:
    """Kind of every marker as its place in :data:`KINDS`."""
    kinds = dict(zip(dictionary["marker"].to_list(), dictionary["kind"].to_list(), strict=True))
    unknown = [n for n in markers.names if kinds.get(n) not in KINDS]
    if unknown:
        raise TableError(
            f"{len(unknown)} markers of no known kind ({some(unknown)})",
            where="molecular/dictionary",
            allowed="binary, continuous or ordinal for every column of molecular/markers",
        )
    for where, named in (("link.ordinal", options.ordinal), ("link.tests", tuple(options.tests))):
        for name in named:
            if name not in markers.names:
                raise ConfigError(f"no marker '{name}'", where=where, todo=suggest(name, markers.names))
    kinds |= dict.fromkeys(options.ordinal, "ordinal")
    found = np.array([KINDS.index(kinds[n]) for n in markers.names], dtype=np.int8)
    _check_values(markers, found)
    return found


def _check_values(markers: Columns, kinds: npt.NDArray[np.int8]) -> None:
    values = markers.values
    told = {
        "binary": ("0 and 1", "0, 1 or missing", np.isnan(values) | (values == 0) | (values == 1)),
        "ordinal": ("whole numbers", "classes as whole numbers", np.isnan(values) | (values == np.rint(values))),
    }
    for kind, (wanted, allowed, right) in told.items():
        odd = np.flatnonzero((kinds == KINDS.index(kind)) & ~right.all(axis=0))
        if odd.size:
            raise TableError(
                f"values other than {wanted} in {kind} markers ({some([markers.names[i] for i in odd])})",
                where="molecular/markers",
                allowed=allowed,
            )


def covariate_matrix(
    frame: pl.DataFrame | None, names: Sequence[str], subjects: Sequence[str]
) -> tuple[Array, BoolArray, list[Problem]]:
    """Return the covariates as numbers (subjects, k), who has them all, and a note about those who have not."""
    complete = np.ones(len(subjects), dtype=bool)
    if not names:
        return np.empty((len(subjects), 0)), complete, []
    known = _check_covariates(frame, names)
    columns: list[Array] = []
    for name in names:
        values = align(known.select("subject", name), subjects)[name]
        if values.dtype.is_numeric() or values.dtype == pl.Boolean:
            columns.append(values.cast(pl.Float64).to_numpy())
            complete &= np.isfinite(columns[-1])
        else:
            text = values.cast(pl.String)
            complete &= text.is_not_null().to_numpy()
            levels = sorted(text.drop_nulls().unique().to_list())
            columns += [(text == level).fill_null(False).cast(pl.Float64).to_numpy() for level in levels[1:]]
    Z = np.column_stack([np.empty((len(subjects), 0)), *columns])
    if complete.all():
        return Z, complete, []
    short = [s for s, whole in zip(subjects, complete, strict=True) if not whole]
    problem = Problem(
        "link",
        f"{len(short)} subjects lack a covariate and take part in no test ({some(short)})",
        "set aside",
        item=", ".join(names),
        allowed="a value of every covariate",
        todo="fill the covariate in, or take it from link.covariates",
        count=len(short),
    )
    return Z, complete, [problem]


def _check_covariates(frame: pl.DataFrame | None, names: Sequence[str]) -> pl.DataFrame:
    known = pl.DataFrame({"subject": []}, schema={"subject": pl.String}) if frame is None else frame
    offered = [c for c in known.columns if c != "subject"]
    for name in names:
        if name not in offered:
            raise ConfigError(
                f"no column '{name}'",
                where="link.covariates",
                allowed=", ".join(offered) or "none: there is no clinical table",
                todo=suggest(name, offered),
            )
    check_subjects("covariates", known)
    return known


def align(frame: pl.DataFrame, subjects: Sequence[str]) -> pl.DataFrame:
    """Rows of `frame` in the order of `subjects`; null where it has none."""
    chosen = pl.DataFrame({"subject": list(subjects)}, schema={"subject": pl.String})
    return chosen.join(frame, on="subject", how="left", maintain_order="left")


def some(names: Sequence[str], most: int = 5) -> str:
    """Name the first few, and say how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
