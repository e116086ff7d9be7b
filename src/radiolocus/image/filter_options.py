"""What the options of all image filters share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

from radiolocus.errors import ConfigError
from radiolocus.image.boundary import BOUNDARIES, Boundary
from radiolocus.image.pooling import POOLINGS, Pooling
from radiolocus.model import Array
from radiolocus.registry import suggest

__all__ = ["Dimension", "FilterOptions", "RotatedOptions", "check_choice", "check_positive", "number"]

Dimension = Literal["2d", "3d"]


@dataclass(frozen=True, kw_only=True)
class FilterOptions(ABC):
    """Options of every filter.

    Parameters
    ----------
    filter : str
        Name of the filter: each has options of its own.
    dimension : {"3d", "2d"}
        ``2d`` filters every slice along the first axis by itself.
    boundary : {"mirror", "zero", "nearest", "periodic"}
        How the image goes on beyond its border.
    """

    filter: str = ""
    dimension: Dimension = "3d"
    boundary: Boundary = "mirror"

    def __post_init__(self) -> None:
        check_choice("dimension", self.dimension, ("2d", "3d"))
        check_choice("boundary", self.boundary, BOUNDARIES)

    @property
    def axes(self) -> tuple[int, ...]:
        """Array axes that are filtered."""
        return (0, 1, 2) if self.dimension == "3d" else (1, 2)

    @property
    def name(self) -> str:
        """Short name that tells these options from all others: the prefix of feature columns."""
        parts = [*self._words()]
        if self.dimension != "3d":
            parts.append(self.dimension)
        if self.boundary != "mirror":
            parts.append(self.boundary)
        return "_".join(parts)

    def reach_mm(self, spacing: Array) -> float:
        """How far from a voxel its response depends on the image, in mm; infinite when everything counts.

        Parameters
        ----------
        spacing : ndarray, shape (3,)
            Voxel size along (z, y, x) in mm.
        """
        # What is tiled reaches over to the far side of the image.
        if self.boundary == "periodic":
            return math.inf
        return max(self._reach_voxels(float(spacing[axis])) * float(spacing[axis]) for axis in self.axes)

    def _reach_voxels(self, edge: float) -> float:
        """Reach along an axis with voxels of `edge` mm; filters that need the whole image leave this alone."""
        return math.inf

    @abstractmethod
    def _words(self) -> list[str]:
        """Parts of the name of columns: the filter and what sets it apart."""


@dataclass(frozen=True, kw_only=True)
class RotatedOptions(FilterOptions):
    """Options of filters with a direction.

    Parameters
    ----------
    rotation_invariant : bool
        Apply the filter at all its orientations and pool the responses.
    pooling : {"average", "max", "min"}
        How they are pooled.
    """

    rotation_invariant: bool = True
    pooling: Pooling = "average"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("pooling", self.pooling, POOLINGS)

    @property
    def _pooled(self) -> list[str]:
        return [{"average": "avg"}.get(self.pooling, self.pooling)] if self.rotation_invariant else []


def check_choice(key: str, got: str, allowed: tuple[str, ...]) -> None:
    """Refuse a word that is not in `allowed`."""
    if got not in allowed:
        raise ConfigError(f"{key} = {got!r}", allowed=", ".join(allowed), todo=suggest(str(got), allowed))


def check_positive(key: str, got: float) -> None:
    """Refuse what is not a finite number above 0."""
    if not (math.isfinite(got) and got > 0):
        raise ConfigError(f"{key} = {got!r}", allowed="a finite number above 0")


def number(value: float) -> str:
    """Write a number as shortly as it can be read back."""
    return repr(int(value)) if float(value).is_integer() else repr(float(value))
