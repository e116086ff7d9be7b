"""One tree of exceptions.

::

    RadiolocusError
    ├── ConfigError        a study file or an option that cannot be followed
    ├── InputError         data that cannot be used
    │   ├── FormatError    a file that is not what its format says (truncated, wrong magic, sizes that disagree)
    │   ├── GeometryError  an image or a mask whose place in space cannot be trusted
    │   ├── RoiError       a region of interest that is absent, empty or too small
    │   └── TableError     a table with a wrong, missing or contradictory column, row or value
    ├── UndefinedError     a quantity that has no value for this input (GLCM of one voxel)
    ├── FitError           a model that cannot be fitted (no events, separation, one class)
    ├── WorkerError        a worker process that ended without an answer
    └── StoreError         an output folder that must not or cannot be written

Every message says what was got, where, what is allowed, and what to do.
"""

from __future__ import annotations

__all__ = [
    "ConfigError",
    "FitError",
    "FormatError",
    "GeometryError",
    "InputError",
    "RadiolocusError",
    "RoiError",
    "StoreError",
    "TableError",
    "UndefinedError",
    "WorkerError",
]


class RadiolocusError(Exception):
    """Base of every error that Radiolocus raises on purpose.

    Parameters
    ----------
    got : str
        What was found, with the offending value.
    where : str
        File, sheet, row, column, subject, slice: whatever leads a person to the place.
    allowed : str
        What would have been accepted.
    todo : str
        What the user can do about it.
    """

    def __init__(self, got: str, *, where: str = "", allowed: str = "", todo: str = "") -> None:
        self.got = got
        self.where = where
        self.allowed = allowed
        self.todo = todo
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """The whole message in one line."""
        parts = [f"{self.where}: {self.got}" if self.where else self.got]
        if self.allowed:
            parts.append(f"allowed: {self.allowed}")
        if self.todo:
            parts.append(f"what to do: {self.todo}")
        return "; ".join(parts)

    def at(self, where: str) -> RadiolocusError:
        """Return the same error with `where` put in front of its place."""
        place = f"{where}: {self.where}" if self.where else where
        return type(self)(self.got, where=place, allowed=self.allowed, todo=self.todo)

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling between worker processes.
        return _rebuild, (type(self), self.got, self.where, self.allowed, self.todo)


def _rebuild(kind: type[RadiolocusError], got: str, where: str, allowed: str, todo: str) -> RadiolocusError:
    return kind(got, where=where, allowed=allowed, todo=todo)


class ConfigError(RadiolocusError, ValueError):
    """A study file or an option that cannot be followed."""


class InputError(RadiolocusError, ValueError):
    """Data that cannot be used."""


class FormatError(InputError):
    """A file that is not what its format says."""


class GeometryError(InputError):
    """An image or a mask whose place in space cannot be trusted."""


class RoiError(InputError):
    """A region of interest that is absent, empty or too small."""


class TableError(InputError):
    """A table with a wrong, missing or contradictory column, row or value."""


class UndefinedError(RadiolocusError, ArithmeticError):
    """A quantity that has no value for this input."""


class FitError(RadiolocusError, ArithmeticError):
    """A model that cannot be fitted to these data."""


class WorkerError(RadiolocusError, RuntimeError):
    """A worker process that ended without an answer (out of memory, crash of a library)."""


class StoreError(RadiolocusError, OSError):
    """An output folder that must not or cannot be written."""
