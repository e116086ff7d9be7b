"""The grid through the slices of a series: sorted along their normal, regular, or refused in words.

Slices are sorted by the projection of Image Position on the normal of Image Orientation (DICOM PS3.3 C.7.6.2), and
accepted only when they form one regular grid; one that a tilted gantry has sheared only when the study asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from radiolocus.errors import GeometryError
from radiolocus.model import Array, Geometry
from radiolocus.read.frames import differences
from radiolocus.read.slices import Slice, number, numbers
from radiolocus.read.tilt import SHEAR_TOLERANCE

__all__ = ["stack"]

_ORIENTATION_TOLERANCE = 1e-4  # direction cosines are written with four decimals or more
_GRID_TOLERANCE = 0.05  # of the slice spacing: positions rounded to 0.1 mm pass, a shifted slice does not
_TILT_TOLERANCE = 1.0  # degrees between what the tag says of a gantry and where the slices are


def stack(slices: Sequence[Slice], where: str, *, tilted: bool = False) -> tuple[list[Slice], Geometry, list[str]]:
    """Sort slices along their normal and lay the grid through them.

    Parameters
    ----------
    slices : sequence of Slice
    where : str
        Name of the series in messages.
    tilted : bool
        Accept slices of a tilted gantry, whose grid is sheared; see :mod:`radiolocus.read.tilt`.

    Returns
    -------
    ordered : list of Slice
    geometry : Geometry
        As acquired: sheared where `tilted` was accepted and is the case.
    notes : list of str

    Raises
    ------
    GeometryError
        When the slices do not form one regular grid with the stacking direction along the normal.
    """
    rows, columns, spacing, cosines = _common_plane(slices, where)
    normal = np.cross(cosines[:3], cosines[3:])
    positions = np.array([numbers(s, "ImagePositionPatient", 3, where) for s in slices])
    order = np.argsort(positions @ normal, kind="stable")
    ordered, positions = [slices[i] for i in order], positions[order]
    if not tilted:
        _check_tilt(ordered, where)
    notes: list[str] = []
    if len(ordered) == 1:
        step, note = _single_step(ordered[0], normal, where)
        notes.append(note)
    else:
        _check_repeated(ordered, positions @ normal, where)
        step = _step(positions, normal, where)
        _check_shear(ordered, step, normal, where, tilted)
        notes += _spacing_notes(ordered[0], positions, step)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = step, cosines[3:] * spacing[0], cosines[:3] * spacing[1]
    affine[:3, 3] = positions[0]
    try:
        return ordered, Geometry((len(ordered), rows, columns), affine), notes
    except GeometryError as error:
        raise error.at(where) from None


def _common_plane(slices: Sequence[Slice], where: str) -> tuple[int, int, Array, Array]:
    """Rows, columns, pixel spacing (row, column) and direction cosines that all slices share."""
    sizes = sorted({(int(s.header.Rows), int(s.header.get("Columns", 0) or 0)) for s in slices})
    if len(sizes) > 1:
        raise GeometryError(
            f"slices of several sizes: {', '.join(f'{r} x {c}' for r, c in sizes)} rows x columns",
            where=where,
            allowed="one size",
            todo="separate the series, or take the localiser out",
        )
    cosines = np.array([numbers(s, "ImageOrientationPatient", 6, where) for s in slices])
    groups = np.unique(np.round(cosines / _ORIENTATION_TOLERANCE / 10).astype(int), axis=0)
    if np.abs(cosines - cosines[0]).max() > _ORIENTATION_TOLERANCE:
        raise GeometryError(
            f"slices of {max(len(groups), 2)} orientations",
            where=where,
            allowed="one Image Orientation (0020,0037)",
            todo="separate the series by orientation, or take the localiser out",
        )
    gram = cosines[0].reshape(2, 3) @ cosines[0].reshape(2, 3).T
    if np.abs(gram - np.eye(2)).max() > 1e-3:
        raise GeometryError(
            f"Image Orientation (0020,0037) {np.round(cosines[0], 5).tolist()}",
            where=where,
            allowed="two unit vectors at a right angle",
        )
    spacing = np.array([numbers(s, "PixelSpacing", 2, where) for s in slices])
    if np.abs(spacing - spacing[0]).max() > 1e-4 * spacing[0].max() or spacing.min() <= 0:
        raise GeometryError(
            f"Pixel Spacing (0028,0030) from {spacing.min(0).tolist()} to {spacing.max(0).tolist()} mm",
            where=where,
            allowed="one positive spacing",
            todo="separate the series by pixel spacing",
        )
    return *sizes[0], spacing[0], cosines[0]


def _check_tilt(slices: Sequence[Slice], where: str) -> None:
    for s in slices:
        tilt = number(s, "GantryDetectorTilt", 0.0)
        if abs(tilt) > 0.01:
            raise _tilted(f"Gantry/Detector Tilt (0018,1120) is {tilt:g} degrees", where)


def _tilted(got: str, where: str) -> GeometryError:
    return GeometryError(
        f"gantry tilt: {got}",
        where=where,
        allowed="slices stacked along their normal",
        todo='set gantry = "correct" for this image: its slices and its masks are then resampled to an upright grid',
    )


def _single_step(s: Slice, normal: Array, where: str) -> tuple[Array, str]:
    for name in ("SpacingBetweenSlices", "SliceThickness"):
        size = abs(number(s, name, 0.0))
        if size > 0:
            return normal * size, f"a single slice: its extent along z is {name}, {size:g} mm"
    raise GeometryError(
        "a single slice without Slice Thickness (0018,0050) or Spacing Between Slices (0018,0088)",
        where=where,
        allowed="two slices or more, or one with a thickness",
        todo="check that the folder holds the whole series",
    )


def _check_repeated(slices: Sequence[Slice], heights: Array, where: str) -> None:
    same = np.flatnonzero(np.diff(heights) < 1e-3)
    if not same.size:
        return
    listed = ", ".join(f"{heights[i]:.2f}" for i in same[:5])
    told = differences(slices)
    by = f"; slices of one place differ in {told}" if told else ""
    raise GeometryError(
        f"repeated slices: {same.size} positions occur more than once (at {listed} mm along the normal){by}",
        where=where,
        allowed="one slice a position",
        todo=f"choose one image, e.g. select = {{ {told.split(' = ')[0]} = ... }}"
        if told
        else "separate time points, echoes or reconstructions, or take double files out",
    )


def _check_shear(slices: Sequence[Slice], step: Array, normal: Array, where: str, tilted: bool) -> None:
    """Refuse slices that are not stacked along their normal, or (tilted) whose headers contradict each other."""
    lateral = float(np.linalg.norm(step - (step @ normal) * normal) / np.linalg.norm(step))
    angle = float(np.degrees(np.arcsin(min(lateral, 1.0))))
    if not tilted:
        if lateral > SHEAR_TOLERANCE:
            raise _tilted(f"slices are stacked {angle:.2f} degrees off their normal", where)
        return
    said = abs(number(slices[0], "GantryDetectorTilt", 0.0))
    if said and abs(said - angle) > _TILT_TOLERANCE:
        raise GeometryError(
            f"Gantry/Detector Tilt (0018,1120) is {said:g} degrees, but slices are stacked {angle:.2f} degrees off "
            "their normal",
            where=where,
            allowed=f"headers that agree within {_TILT_TOLERANCE:g} degree",
            todo="the series may have been corrected before, or its positions are wrong: export the original",
        )


def _step(positions: Array, normal: Array, where: str) -> Array:
    """Vector from one slice to the next, once it is sure that there is one."""
    heights = positions @ normal
    gaps = np.diff(heights)
    span = positions[-1] - positions[0]
    _check_gaps(heights, gaps, where)
    step = span / (len(positions) - 1)
    off = np.linalg.norm(positions - positions[0] - np.arange(len(positions))[:, None] * step, axis=1)
    if off.max() > _GRID_TOLERANCE * np.linalg.norm(step):
        worst = int(off.argmax())
        raise GeometryError(
            f"slice at {heights[worst]:.2f} mm along the normal lies {off[worst]:.3g} mm off a regular grid",
            where=where,
            allowed=f"at most {_GRID_TOLERANCE:.0%} of the slice spacing",
        )
    return np.asarray(step)


def _check_gaps(heights: Array, gaps: Array, where: str) -> None:
    # The commonest gap is the spacing; with two or three slices the smallest one is the safer guess.
    typical = float(np.median(gaps)) if gaps.size > 2 else float(gaps.min())
    wide = np.flatnonzero(gaps > typical * (1 + 2 * _GRID_TOLERANCE))
    narrow = np.flatnonzero(gaps < typical * (1 - 2 * _GRID_TOLERANCE))
    counts = np.rint(gaps / typical).astype(int)
    if wide.size and not narrow.size and np.abs(gaps / typical - counts).max() <= 2 * _GRID_TOLERANCE:
        places = [heights[i] + k * typical for i in wide for k in range(1, counts[i])]
        listed = ", ".join(f"{p:.2f}" for p in places[:10])
        raise GeometryError(
            f"missing slices: {len(places)} at {listed}{', ...' if len(places) > 10 else ''} mm along the normal "
            f"(spacing {typical:.4g} mm)",
            where=where,
            allowed="every slice of the series",
            todo="fetch the missing slices; nothing is interpolated",
        )
    if wide.size or narrow.size:
        first = int(min([*wide, *narrow]))
        raise GeometryError(
            f"irregular gaps between slices: {gaps.min():.4g} to {gaps.max():.4g} mm, the first after "
            f"{heights[first]:.2f} mm along the normal",
            where=where,
            allowed="one gap",
            todo="fetch missing slices, or resample to a regular grid before",
        )


def _spacing_notes(first: Slice, positions: Array, step: Array) -> list[str]:
    notes = []
    size = float(np.linalg.norm(step))
    off = np.linalg.norm(positions - positions[0] - np.arange(len(positions))[:, None] * step, axis=1).max()
    if off > 0.01:
        notes.append(f"slice positions lie up to {off:.3g} mm off a regular grid (spacing {size:.4g} mm)")
    said = abs(number(first, "SpacingBetweenSlices", 0.0))
    if said and abs(said - size) > 2 * _GRID_TOLERANCE * size:
        notes.append(f"Spacing Between Slices says {said:g} mm, the positions {size:.4g} mm: the positions were taken")
    announced = int(first.header.get("NumberOfSlices") or 0)
    if announced and announced != len(positions):
        notes.append(
            f"Number of Slices (0054,0081) says {announced}, there are {len(positions)}: cropped or incomplete"
        )
    return notes
