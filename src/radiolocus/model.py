"""Frozen value objects that travel between the rooms.

Array axes of images are always (z, y, x). World coordinates are millimetres in LPS (left, posterior, superior),
as in DICOM; the readers convert, nobody else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from radiolocus.errors import GeometryError

__all__ = ["Array", "BoolArray", "Endpoint", "GenotypeBlock", "Geometry", "Mask", "Problem", "Volume", "named_visit"]

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


def named_visit(label: str) -> str:
    """Name a visit for a person: a label that begins with the word is not preceded by it.

    >>> named_visit("week 8"), named_visit("Visit 6")
    ('visit week 8', 'Visit 6')
    """
    return label if label.lower().startswith("visit") else f"visit {label}"


@dataclass(frozen=True, eq=False)
class Geometry:
    """Where the voxels of a grid lie.

    Parameters
    ----------
    shape : tuple of int
        Number of voxels along (z, y, x).
    affine : ndarray, shape (4, 4)
        Maps the index of a voxel centre (z, y, x, 1) to LPS millimetres.
    """

    shape: tuple[int, int, int]
    affine: Array

    def __post_init__(self) -> None:
        affine = np.ascontiguousarray(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise GeometryError(
                f"an affine of shape {affine.shape} with values {affine.tolist()}", allowed="4 x 4, finite"
            )
        if abs(np.linalg.det(affine[:3, :3])) < 1e-12:
            raise GeometryError("a grid whose axes lie in one plane", allowed="three independent axes")
        affine.setflags(write=False)
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))

    @classmethod
    def regular(
        cls,
        shape: tuple[int, int, int],
        spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
        origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> Geometry:
        """Build an axis-aligned grid; `spacing` is (z, y, x) in mm, `origin` is (x, y, z) LPS in mm."""
        affine = np.zeros((4, 4))
        for axis, step in enumerate(spacing):
            affine[2 - axis, axis] = step
        affine[:3, 3] = origin
        affine[3, 3] = 1.0
        return cls(shape, affine)

    @property
    def spacing(self) -> Array:
        """Voxel size along (z, y, x) in mm, shape (3,)."""
        return np.asarray(np.linalg.norm(self.affine[:3, :3], axis=0))

    @property
    def voxel_volume(self) -> float:
        """Volume of a voxel in mm³."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    def difference(self, other: Geometry, tolerance_mm: float = 0.01) -> str:
        """Say in words how two grids differ; empty when corners agree within `tolerance_mm`."""
        if self.shape != other.shape:
            return f"shape {self.shape} against {other.shape} (z, y, x)"
        corners = np.array([[z, y, x, 1] for z in (0, 1) for y in (0, 1) for x in (0, 1)], dtype=float)
        corners[:, :3] *= np.array(self.shape) - 1
        gap = np.linalg.norm(corners @ (self.affine - other.affine).T, axis=1).max()
        if gap <= tolerance_mm:
            return ""
        return (
            f"voxel centres up to {gap:.4g} mm apart (spacing {np.round(self.spacing, 4).tolist()} against "
            f"{np.round(other.spacing, 4).tolist()} mm, first voxel at {np.round(self.affine[:3, 3], 3).tolist()} "
            f"against {np.round(other.affine[:3, 3], 3).tolist()} mm LPS)"
        )


@dataclass(frozen=True, eq=False)
class Volume:
    """A three-dimensional image: intensities, where they lie, and what they measure.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
        Intensities, floating point. Values may be non-finite as read; the feature stage refuses them inside an ROI.
    geometry : Geometry
    modality : str
        DICOM modality (``CT``, ``MR``, ``PT``, ...) or ``""`` when unknown.
    unit : str
        Unit of the intensities (``HU``, ``SUVbw g/mL``, ...) or ``""`` when arbitrary.
    notes : tuple of str
        What the reader did that a person should know (a conversion made or deliberately not made).
    """

    array: npt.NDArray[np.floating]
    geometry: Geometry
    modality: str = ""
    unit: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.array.shape != self.geometry.shape:
            raise GeometryError(f"an array of shape {self.array.shape} on a grid of shape {self.geometry.shape}")


@dataclass(frozen=True, eq=False)
class Mask:
    """A region of interest on a grid: `array` is boolean of shape (z, y, x)."""

    array: BoolArray
    geometry: Geometry
    name: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.array.shape != self.geometry.shape:
            raise GeometryError(f"an array of shape {self.array.shape} on a grid of shape {self.geometry.shape}")
        if self.array.dtype != np.bool_:
            object.__setattr__(self, "array", self.array.astype(bool))


@dataclass(frozen=True, eq=False)
class GenotypeBlock:
    """A run of consecutive variants for all chosen samples.

    Parameters
    ----------
    dosage : ndarray of float32, shape (variants, samples)
        Count of the effect allele, 0..2; NaN where missing.
    variant_id, chromosome, effect_allele, other_allele : tuple of str
        One entry a variant.
    position : ndarray of int64, shape (variants,)
        Base-pair location, one-based.
    """

    dosage: npt.NDArray[np.float32]
    variant_id: tuple[str, ...]
    chromosome: tuple[str, ...]
    position: npt.NDArray[np.int64]
    effect_allele: tuple[str, ...]
    other_allele: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Endpoint:
    """What is predicted, aligned with `subject`.

    Parameters
    ----------
    name : str
    kind : {"survival", "binary", "competing", "ordinal", "multiclass"}
    subject : tuple of str
    event : ndarray of float64, shape (n,)
        1 event (with competing events, the one of interest) or positive class, 0 censored or negative class, NaN
        unknown. Of several classes: the number of the class, from 0.
    time : ndarray of float64, shape (n,) or None
        Time to event or censoring, in `unit`; NaN unknown. None for endpoints that are a class.
    unit : str
        Unit of `time`.
    decided : ndarray of float64, shape (n,), optional
        Day since baseline from which it is known, of endpoints made of response calls; what is measured then or later
        does not predict it.
    levels : tuple of str
        Names of the classes; with competing events, of the events: first the one of interest.
    state : ndarray of float64, shape (n,), optional
        With competing events: 0 censored, 1 the event of interest, 2, 3, ... the others; NaN unknown.
    entry : ndarray of float64, shape (n,), optional
        Time from which a subject was at risk (left truncation).
    stratum : tuple of str, optional
        Stratum of each subject.
    weight : ndarray of float64, shape (n,), optional
        Case weight of each subject.
    """

    name: str
    kind: Literal["survival", "binary", "competing", "ordinal", "multiclass"]
    subject: tuple[str, ...]
    event: Array
    time: Array | None = None
    unit: str = ""
    decided: Array | None = None
    levels: tuple[str, ...] = ()
    state: Array | None = None
    entry: Array | None = None
    stratum: tuple[str, ...] | None = None
    weight: Array | None = None


@dataclass(frozen=True)
class Problem:
    """One line of ``problems.parquet``: what could not be used, and what was done instead.

    ``severity`` is ``"set aside"`` (the unit is not analysed), ``"no value"`` (one value is null) or ``"note"``.
    """

    stage: str
    got: str
    severity: Literal["set aside", "no value", "note"] = "set aside"
    subject: str | None = None
    item: str | None = None
    where: str = ""
    allowed: str = ""
    todo: str = ""
    count: int = field(default=1)
