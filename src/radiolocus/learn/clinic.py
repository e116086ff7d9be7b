"""What clinical columns tell of each subject beside predictors: site, date, batch, time of measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import ConfigError
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.splits import Rowwise
from radiolocus.model import Array
from radiolocus.registry import suggest

__all__ = ["Clinic"]


class Clinic:
    """The clinical table by subject.

    Parameters
    ----------
    frame : polars.DataFrame or None
        With a column ``subject``.
    options : ProtocolOptions
    measured_at : mapping of str to str, optional
        Predictor or block to the column that holds when it was measured.
    section : str
        Section of the study file that names the columns, for messages.

    Raises
    ------
    ConfigError
        A column that the options name and the table does not have, or whose values cannot be what they are said to be.
    """

    def __init__(
        self,
        frame: pl.DataFrame | None,
        options: ProtocolOptions,
        measured_at: Mapping[str, str] | None = None,
        section: str = "outcome",
    ) -> None:
        self.options = options
        self.section = section
        self.frame = pl.DataFrame(schema={"subject": pl.String}) if frame is None else frame
        self.place = {s: i for i, s in enumerate(self.frame["subject"].to_list())}
        self.site = self._text(options.site, "site") if options.split == "site" else None
        self.date = self._number(options.date, "date") if options.split == "temporal" else None
        self.batch = self._text(options.harmonise, "harmonise") if options.harmonise else None
        self.keep = [self._number(name, "harmonise_keep") for name in options.harmonise_keep]
        self.measured = {
            item: self._number(column, "measured_at", dates=False) for item, column in (measured_at or {}).items()
        }

    def rows(self, subject: Sequence[str]) -> Rowwise:
        """Sites and dates of some subjects, where the split needs them."""
        site = None if self.site is None else _taken(self.site, self._at(subject), "")
        date = None if self.date is None else _taken(self.date, self._at(subject), np.nan)
        return Rowwise(None, site, date)

    def dated(self, subject: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Subjects that a temporal split can place; all of them for any other."""
        date = self.rows(subject).date
        return np.ones(len(subject), dtype=bool) if date is None else np.isfinite(date)

    def dressed(self, predictors: Predictors, subject: Sequence[str]) -> Predictors:
        """Give predictors the batches by which they are harmonised, and the covariates that this keeps."""
        if self.batch is None:
            return predictors
        at = self._at(subject)
        keep = np.column_stack([_taken(values, at, np.nan) for values in self.keep]) if self.keep else None
        return replace(predictors, batch=_taken(self.batch, at, ""), keep=keep)

    def measured_of(self, item: str, subject: Sequence[str]) -> Array:
        """When a predictor or block was measured, NaN where unknown."""
        return _taken(self.measured[item], self._at(subject), np.nan)

    def _at(self, subject: Sequence[str]) -> npt.NDArray[np.intp]:
        return np.array([self.place.get(s, -1) for s in subject], dtype=np.intp)

    def _column(self, name: str, option: str) -> pl.Series:
        if name not in self.frame.columns or name == "subject":
            known = [c for c in self.frame.columns if c != "subject"]
            raise ConfigError(
                f"no clinical column '{name}'",
                where=f"{self.section}.{option}",
                allowed=", ".join(known),
                todo=suggest(name, known),
            )
        return self.frame[name]

    def _text(self, name: str, option: str) -> npt.NDArray[np.str_]:
        return self._column(name, option).cast(pl.String).fill_null("").to_numpy().astype(np.str_)

    def _number(self, name: str, option: str, dates: bool = True) -> Array:
        values = self._column(name, option)
        if dates and values.dtype.is_temporal():
            values = values.cast(pl.Datetime("us")).to_physical() if values.dtype != pl.Date else values.to_physical()
        if not (values.dtype.is_numeric() or values.dtype == pl.Boolean):
            raise ConfigError(
                f"column '{name}' of type {values.dtype}",
                where=f"{self.section}.{option}",
                allowed="numbers" + (" or dates" if option == "date" else ""),
                todo="give the column numbers",
            )
        return np.asarray(values.cast(pl.Float64).fill_null(float("nan")).to_numpy(), dtype=np.float64)


Value = TypeVar("Value", np.float64, np.str_)


def _taken(values: npt.NDArray[Value], at: npt.NDArray[np.intp], absent: float | str) -> npt.NDArray[Value]:
    found = np.full(at.size, absent, dtype=values.dtype)
    found[at >= 0] = values[at[at >= 0]]
    return found
