"""A plane of an image with its header, and the numbers that are looked up in headers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from radiolocus.errors import FormatError, GeometryError
from radiolocus.model import Array

__all__ = ["Slice", "attribute", "number", "numbers", "plain_number", "positive", "quiet"]


@dataclass(frozen=True, eq=False)
class Slice:
    """One plane: its file, its header without pixels and, in a multi-frame object, which frame it is (from 0).

    The header of a frame holds what the object says of all frames and what its functional groups say of this one, under
    the names that objects of a single frame use.
    """

    path: Path
    header: Dataset
    frame: int | None = None

    @property
    def uid(self) -> str:
        """SOP Instance UID; of a frame with its number (from 1, as in DICOM) behind a slash."""
        uid = str(self.header.get("SOPInstanceUID", ""))
        return uid if self.frame is None else f"{uid}/{self.frame + 1}"

    @property
    def where(self) -> str:
        """Name of the file, and the number of the frame."""
        return self.path.name if self.frame is None else f"{self.path.name}, frame {self.frame + 1}"


@contextmanager
def quiet() -> Iterator[None]:
    """Silence pydicom's warnings about the letter of the standard: what matters here is checked one by one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def numbers(s: Slice, name: str, count: int, where: str) -> Array:
    """Look up an attribute of `count` finite numbers.

    Raises
    ------
    GeometryError
        The attribute is missing or something else.
    """
    try:
        values = np.array([float(v) for v in s.header.get(name) or ()])
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape != (count,) or not np.isfinite(values).all():
        raise GeometryError(
            f"{name} is missing or not {count} numbers",
            where=f"{where}: {s.where}",
            allowed=f"{count} finite numbers",
            todo="take objects without a place in space (localisers, captures) out of the folder",
        )
    return values


def number(s: Slice, name: str, default: float) -> float:
    """Look up an attribute that is one finite number, `default` when it is absent.

    Raises
    ------
    FormatError
        Not a finite number, or a rescale slope of 0.
    """
    value = s.header.get(name)
    if value is None or value == "":
        return default
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = np.nan
    if not np.isfinite(found) or (name == "RescaleSlope" and found == 0):
        raise FormatError(f"{name} is not a usable number", where=s.where, allowed="a finite number, slope not 0")
    return found


def attribute(s: Slice, name: str) -> str:
    """Look up an attribute as text: values are joined by backslashes, as in the file; empty when it is absent."""
    value = s.header.get(name)
    if value is None:
        return ""
    if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
        return str(value).strip()
    return "\\".join(str(v) for v in value)


def plain_number(value: Any) -> float | None:
    """Read a value that may be text, bytes (a private tag of unknown type) or a number; None when it is no number."""
    try:
        return float(value.decode("ascii").strip(" \0") if isinstance(value, bytes) else value)
    except (TypeError, ValueError):
        return None


def positive(header: Dataset, name: str, tag: str, where: str) -> float:
    """Look up an attribute that must be a positive number; `tag` is its name and number in messages.

    Raises
    ------
    FormatError
        Missing or not positive.
    """
    try:
        value = plain_number(header.get(name))
    except ValueError:  # pydicom parses a value when it is first looked at
        value = None
    if value is None or not 0 < value < float("inf"):
        shown = "missing" if value is None else f"{value:g}"
        todo = "export the series again with this tag, or convert to SUV elsewhere and hand the result over as NIfTI"
        raise FormatError(f"{tag} is {shown}", where=where, allowed="a positive number", todo=todo)
    return value
