"""Measurements of one lesion as response criteria need them, from an image and a mask.

The longest diameter is that of a slice (RECIST 1.1 measures in the plane in which the images were acquired), the
perpendicular one that of the same slice; both are those of the convex outline.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radiolocus.errors import UndefinedError
from radiolocus.feature.local_intensity import RADIUS_MM, Peaks
from radiolocus.image.region import Region, bounding_box, prepare_region
from radiolocus.kernels.planar import chord_across, longest_pairs
from radiolocus.kernels.shape import hull_candidates
from radiolocus.model import Array, BoolArray, Mask, Volume

__all__ = ["Diameters", "LesionMeasures", "diameters", "measure_lesion"]

# Cosine between the normal of the slices and the axis of the body, below which slices are not axial.
_AXIAL = float(np.cos(np.radians(30.0)))


@dataclass(frozen=True)
class Diameters:
    """Diameters of a mask within a slice.

    Parameters
    ----------
    longest_mm : float
        Largest distance of two points of the outline in one slice.
    perpendicular_mm : float
        Longest chord of the outline in that slice, perpendicular to the longest diameter; where several diameters are
        equally long, the longest chord of any.
    slice_index : int
        Index of the slice along z.
    """

    longest_mm: float
    perpendicular_mm: float
    slice_index: int


@dataclass(frozen=True, eq=False)
class LesionMeasures:
    """What is measured of a lesion.

    Parameters
    ----------
    diameters : Diameters
    volume_ml : float
        Number of voxels times their volume, mL.
    voxels : int
    mean : float
        Mean intensity, in the unit of the image.
    share_above : float or None
        Share of the voxels of at least the intensity asked for; None when none was.
    peak : float or None
        Largest mean of a sphere of 1 cm³ around a voxel of the lesion (SUVpeak of a PET); None where a sphere holds
        voxels that are not finite.
    notes : tuple of str
    """

    diameters: Diameters
    volume_ml: float
    voxels: int
    mean: float
    share_above: float | None
    peak: float | None
    notes: tuple[str, ...]


def diameters(mask: BoolArray, spacing: Array) -> Diameters:
    """Measure the longest diameter in a slice, and the one perpendicular to it.

    Parameters
    ----------
    mask : ndarray of bool, shape (z, y, x)
        At least one voxel.
    spacing : ndarray, shape (3,)
        Voxel size along (z, y, x), mm.

    Returns
    -------
    Diameters
        The outline runs half way between the centres of voxels inside and outside, as the surface mesh of the
        morphological features does: a row of k voxels is k voxels long.

    Raises
    ------
    RoiError
        An empty mask.
    """
    box = bounding_box(mask)
    found = hull_candidates(np.pad(mask[box], 1))
    inside = found[found[:, 0] % 2 == 0]  # in the slices, not between them
    planes, first = np.unique(inside[:, 0], return_index=True)
    points = inside[:, 1:] * (np.asarray(spacing, dtype=np.float64)[1:] / 2)
    ends = np.append(first, len(points)).astype(np.int64)
    longest, pairs = longest_pairs(points, ends)
    best, at = -1.0, 0
    for s, p, q in pairs:
        chord = chord_across(points[ends[s] : ends[s + 1]], p - ends[s], q - ends[s])
        if chord > best + 1e-9:
            best, at = chord, int(planes[s]) // 2 - 1 + box[0].start
    return Diameters(float(longest), float(best), at)


def measure_lesion(volume: Volume, mask: Mask, *, above: float | None = None) -> LesionMeasures:
    """Measure one lesion.

    Parameters
    ----------
    volume, mask : Volume, Mask
        On the same grid.
    above : float, optional
        Intensity whose share is counted, e.g. a tumour-to-background ratio times the mean of the background.

    Returns
    -------
    LesionMeasures

    Raises
    ------
    GeometryError
        The mask lies on another grid, or the grid is sheared.
    RoiError
        The mask is empty.
    InputError
        NaN or infinite voxels inside the lesion.

    References
    ----------
    Eisenhauer et al., Eur J Cancer 2009;45:228, 3.1.1 (diameters); Wahl et al., J Nucl Med 2009;50 (suppl 1):122S
    (peak of 1 cm³).
    """
    region = prepare_region(volume, mask, margin_mm=RADIUS_MM)
    notes = [*volume.notes, *mask.notes, *region.notes]
    # Column 0 of the affine is the step from slice to slice, its last entry the part along the body.
    normal = abs(volume.geometry.affine[2, 0]) / volume.geometry.spacing[0]
    if normal < _AXIAL:
        notes.append("slices are not axial; diameters are those of the slices as they were acquired")
    values = region.image[region.intensity]
    voxels = int(np.count_nonzero(mask.array))
    return LesionMeasures(
        diameters(mask.array, volume.geometry.spacing),
        voxels * volume.geometry.voxel_volume / 1000.0,
        voxels,
        float(values.mean()),
        None if above is None else float((values >= above).mean()),
        _peak(region),
        tuple(notes),
    )


def _peak(region: Region) -> float | None:
    try:
        return float(Peaks(region).means.max())
    except UndefinedError:
        return None
