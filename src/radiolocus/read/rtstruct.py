"""RT structure sets as masks: pixel centre in polygon, even-odd within a plane.

Contours are brought to index coordinates of the image with the inverse affine, so oblique acquisitions are nothing
special. A contour belongs to the slice its points lie on; the slice it names (Contour Image Sequence) is the check.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from radiolocus.errors import FormatError, GeometryError, RoiError
from radiolocus.kernels.raster import centres_on_outline, toggle_polygon
from radiolocus.model import Array, BoolArray, Mask
from radiolocus.read.dicom import DicomSeries, read_header
from radiolocus.read.slices import quiet

__all__ = ["name_pattern", "read_rtstruct", "roi_names"]

_CLOSED = ("CLOSED_PLANAR", "CLOSED_PLANAR_XOR", "CLOSEDPLANAR_XOR")
_PLANAR = 0.1  # slice spacings a contour's points may lie off their own plane
_HALF = 0.5 - 1e-6
_COPLANAR = 0.05  # slice spacings between the planes of contours that are combined on one slice
# Decimal text and the inverse affine leave noise below this; vertices drawn on pixel centres come back to them.
_DECIMALS = 6
_SHOWN = 12  # slices named in a note


@dataclass(frozen=True, eq=False)
class _Contour:
    """A closed contour in index coordinates: `plane` along z, `points` (y, x), and the slice it names."""

    plane: float
    points: Array
    named: str


@quiet()
def roi_names(path: Path | str) -> tuple[str, ...]:
    """Names of the regions of a structure set, in the order of the file."""
    path = Path(path)
    return tuple(name for _, name, _ in _regions(_structure_set(path), path.name))


@quiet()
def read_rtstruct(path: Path | str, series: DicomSeries, roi: str | None = None) -> Mask:
    """Rasterise one region of a structure set on the grid of an image series.

    Parameters
    ----------
    path : path
        RTSTRUCT file.
    series : DicomSeries
        The image the region was drawn on.
    roi : str, optional
        Name of the region, else a regular expression that matches one whole name; case does not matter. Not needed
        when the file holds a single region.

    Returns
    -------
    Mask
        Its notes say what was left out or looked odd: contours thinner than a pixel, off their slice, overlapping, or
        with pixel centres exactly on the outline (counted as inside on edges towards smaller x or y only).

    Raises
    ------
    FormatError
        Not a structure set, or contour data that cannot be read.
    RoiError
        No region or several of that name, or a region without closed contours; the message lists the names.
    GeometryError
        Another frame of reference or series, contours not parallel to the slices, beyond the stack, between the
        slices, closer together than the slices, or at odds with the slice they name.
    """
    path = Path(path)
    dataset = _structure_set(path)
    number, name, frame = _region(dataset, roi, path.name)
    where = f"{path.name}: ROI '{name}'"
    items, notes = _closed_items(dataset, number, where)
    contours = [_contour(item, series, where) for item in items]
    notes += _check_reference(contours, frame, series, where)
    notes += _check_series(dataset, contours, series)
    planes = _planes(contours, series, where)
    notes += _plane_notes(planes, series)
    array, more = _fill(planes, series.volume.geometry.shape, where)
    return Mask(array, series.volume.geometry, name, (*notes, *more))


def _structure_set(path: Path) -> Dataset:
    if not path.is_file():
        raise FormatError("no such file", where=path.name, todo="check the path pattern of this mask")
    dataset = read_header(path)
    if dataset is None or dataset.get("Modality") != "RTSTRUCT":
        kind = "not DICOM" if dataset is None else f"DICOM of modality {dataset.get('Modality', 'unknown')}"
        raise FormatError(
            kind,
            where=path.name,
            allowed="an RTSTRUCT or SEG file",
            todo="give the file that holds the regions as mask",
        )
    try:
        _parse(dataset)
    except Exception as error:  # a damaged sequence makes pydicom raise almost anything
        raise FormatError(
            f"a damaged sequence ({type(error).__name__})", where=path.name, todo="export the structure set again"
        ) from None
    return dataset


def _parse(dataset: Dataset) -> None:
    """Look at everything that is used later: pydicom parses a value when it is first looked at."""
    for region in dataset.get("StructureSetROISequence") or []:
        for name in ("ROINumber", "ROIName", "ReferencedFrameOfReferenceUID"):
            region.get(name)
    for frame in dataset.get("ReferencedFrameOfReferenceSequence") or []:
        for study in frame.get("RTReferencedStudySequence") or []:
            for referenced in study.get("RTReferencedSeriesSequence") or []:
                referenced.get("SeriesInstanceUID")
    for group in dataset.get("ROIContourSequence") or []:
        group.get("ReferencedROINumber")
        for item in group.get("ContourSequence") or []:
            item.get("ContourGeometricType")
            for named in item.get("ContourImageSequence") or []:
                named.get("ReferencedSOPInstanceUID")
                named.get("ReferencedFrameNumber")


def _regions(dataset: Dataset, where: str) -> list[tuple[int, str, str]]:
    """Number, name and frame of reference of every region."""
    try:
        return [
            (int(item.ROINumber), str(item.get("ROIName") or ""), str(item.get("ReferencedFrameOfReferenceUID") or ""))
            for item in dataset.get("StructureSetROISequence") or []
        ]
    except (AttributeError, TypeError, ValueError):
        raise FormatError(
            "a region without a readable ROI Number (3006,0022)", where=where, todo="export the structure set again"
        ) from None


def _region(dataset: Dataset, roi: str | None, where: str) -> tuple[int, str, str]:
    regions = _regions(dataset, where)
    names = ", ".join(f"'{name}'" for _, name, _ in regions) or "none"
    if roi is None:
        found = regions
    else:
        pattern = name_pattern(roi)
        found = (
            [r for r in regions if r[1].strip() == roi.strip()]
            or [r for r in regions if r[1].strip().casefold() == roi.strip().casefold()]
            or [r for r in regions if pattern is not None and pattern.fullmatch(r[1].strip())]
        )
    if len(found) == 1:
        return found[0]
    asked = "no roi given" if roi is None else f"roi '{roi}'"
    raise RoiError(
        f"{asked}: {len(found) or 'no'} regions match",
        where=where,
        allowed=f"one of {names}",
        todo="give the name, or a regular expression that matches exactly one of them",
    )


def name_pattern(roi: str) -> re.Pattern[str] | None:
    """Compile the name of a region as a regular expression; None when it is none."""
    try:
        return re.compile(roi, re.IGNORECASE)
    except re.error:
        return None  # a plain name such as "GTV (1" need not be a regular expression


def _closed_items(dataset: Dataset, number: int, where: str) -> tuple[list[Dataset], list[str]]:
    items = [
        item
        for group in dataset.get("ROIContourSequence") or []
        if group.get("ReferencedROINumber") == number
        for item in group.get("ContourSequence") or []
    ]
    kinds = Counter(str(item.get("ContourGeometricType", "") or "of no type") for item in items)
    closed = [item for item in items if item.get("ContourGeometricType") in _CLOSED]
    others = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()) if kind not in _CLOSED)
    if not closed:
        raise RoiError(
            f"no closed contour ({others or 'no contour at all'})",
            where=where,
            allowed="CLOSED_PLANAR contours",
            todo="choose another region, or draw this one",
        )
    return closed, [f"contours that enclose nothing were left out: {others}"] if others else []


def _contour(item: Dataset, series: DicomSeries, where: str) -> _Contour:
    points = _points(item, where)
    inverse = np.linalg.inv(series.volume.geometry.affine)
    index = points @ inverse[:3, :3].T + inverse[:3, 3]
    plane = float((index[:, 0].min() + index[:, 0].max()) / 2)
    spread = float(np.abs(index[:, 0] - plane).max())
    if spread > _PLANAR:
        millimetres = spread * float(series.volume.geometry.spacing[0])
        raise GeometryError(
            f"a contour leaves the plane of its slice by {millimetres:.3g} mm",
            where=where,
            allowed="contours parallel to the slices",
            todo="check that the structure set was drawn on this series and not on another orientation",
        )
    return _Contour(plane, np.round(index[:, 1:], _DECIMALS), _named(item, series))


def _named(item: Dataset, series: DicomSeries) -> str:
    """The one slice that a contour names; a frame of a multi-frame object has its number behind a slash."""
    named = item.get("ContourImageSequence") or []
    if len(named) != 1:
        return ""
    uid, frame = str(named[0].get("ReferencedSOPInstanceUID", "") or ""), named[0].get("ReferencedFrameNumber")
    if isinstance(frame, int | float):
        return f"{uid}/{int(frame)}"
    # Without a frame number a multi-frame object is named as a whole, which singles out no slice.
    return "" if any(known.startswith(f"{uid}/") for known in series.sop_uids) else uid


def _points(item: Dataset, where: str) -> Array:
    # The raw text is parsed at once: making a decimal-string object of every coordinate takes most of the time.
    element = item.get_item("ContourData")
    raw = None if element is None else element.value
    try:
        values = np.array(raw.split(b"\\") if isinstance(raw, bytes) else [] if raw is None else list(raw), np.float64)
    except (TypeError, ValueError):
        values = np.empty(1)
    if values.size == 0 or values.size % 3 or not np.isfinite(values).all():
        raise FormatError(
            f"Contour Data (3006,0050) with {values.size} readable numbers",
            where=where,
            allowed="finite x, y, z for every point",
            todo="export the structure set again",
        )
    return values.reshape(-1, 3)


def _check_reference(contours: list[_Contour], frame: str, series: DicomSeries, where: str) -> list[str]:
    """The frame of reference ties contours to the image; without one, only the slices they name can."""
    here = series.frame_of_reference_uid
    if frame and here:
        if frame != here:
            raise GeometryError(
                f"drawn in another frame of reference (ending {frame[-8:]}) than the image's (ending {here[-8:]})",
                where=where,
                allowed="the frame of reference of the image",
                todo="use the series it was drawn on, or register and resample explicitly before",
            )
        return []
    if all(c.named in series.sop_uids for c in contours):
        return ["no frame of reference to compare; every contour names a slice of this series"]
    raise GeometryError(
        "neither a frame of reference nor slice references tie the contours to this series",
        where=where,
        allowed="the frame of reference of the image, or contours that name its slices",
        todo="export image and structure set together again",
    )


def _check_series(dataset: Dataset, contours: list[_Contour], series: DicomSeries) -> list[str]:
    unnamed = sum(not c.named for c in contours)
    dangling = sum(bool(c.named) and c.named not in series.sop_uids for c in contours)
    notes = []
    if dangling:
        whose = "all" if dangling == len(contours) else str(dangling)
        notes.append(
            f"{whose} of {len(contours)} contours name images that are not in this series (dangling references): "
            "placed by position alone"
        )
    drawn_on = {
        str(referenced.get("SeriesInstanceUID", "") or "")
        for frame in dataset.get("ReferencedFrameOfReferenceSequence") or []
        for study in frame.get("RTReferencedStudySequence") or []
        for referenced in study.get("RTReferencedSeriesSequence") or []
    }
    if unnamed and drawn_on and series.series_uid not in drawn_on:
        notes.append("the structure set refers to another series; its contours were placed by position alone")
    elif unnamed:
        notes.append(f"{unnamed} of {len(contours)} contours name no single slice: placed by position alone")
    return notes


def _planes(contours: list[_Contour], series: DicomSeries, where: str) -> dict[int, list[_Contour]]:
    """Contours by slice."""
    index_of = {uid: k for k, uid in enumerate(series.sop_uids)}
    count, spacing = len(series.sop_uids), float(series.volume.geometry.spacing[0])
    planes: dict[int, list[_Contour]] = {}
    for c in contours:
        k = int(np.rint(c.plane))
        if not 0 <= k < count:
            beyond = (-c.plane if k < 0 else c.plane - count + 1) * spacing
            raise GeometryError(
                f"a contour lies {beyond:.4g} mm beyond the {'first' if k < 0 else 'last'} slice",
                where=where,
                allowed="contours on the slices of the image",
                todo="check that the whole series is there and that the structure set belongs to it",
            )
        if abs(c.plane - k) > _HALF:
            raise GeometryError(
                f"a contour lies halfway between slices {int(c.plane)} and {int(c.plane) + 1} (from 0)",
                where=where,
                allowed="contours nearer to one slice than to any other",
                todo="check that the structure set was drawn on this series",
            )
        if index_of.get(c.named, k) != k:
            raise GeometryError(
                f"a contour lies on slice {k} but names slice {index_of[c.named]} (from 0)",
                where=where,
                allowed="position and reference that agree",
                todo="export image and structure set together again",
            )
        planes.setdefault(k, []).append(c)
    for k, group in planes.items():
        depth = max(c.plane for c in group) - min(c.plane for c in group)
        if depth > _COPLANAR:
            raise GeometryError(
                f"contours of planes {depth * spacing:.3g} mm apart fall on one slice, {k} (spacing {spacing:.4g} mm)",
                where=where,
                allowed="one contour plane a slice",
                todo="use the series the structure set was drawn on: its slices are closer than this one's",
            )
    return dict(sorted(planes.items()))


def _plane_notes(planes: dict[int, list[_Contour]], series: DicomSeries) -> list[str]:
    notes = []
    spacing = float(series.volume.geometry.spacing[0])
    off = [abs(c.plane - k) * spacing for k, group in planes.items() for c in group]
    if max(off) > 0.01:
        notes.append(f"{sum(d > 0.01 for d in off)} contours lie up to {max(off):.3g} mm off their slice")
    empty = max(planes) - min(planes) + 1 - len(planes)
    if empty:
        lacking = [k for k in range(min(planes), max(planes)) if k not in planes]
        notes.append(
            f"{empty} slices between the first and the last contour have none ({_slices(lacking)}); nothing is "
            "interpolated"
        )
    if len(planes) == 1 and len(series.sop_uids) > 1:
        notes.append(f"all contours lie on {_slices(planes)}")
    return notes


def _slices(numbers: Iterable[int]) -> str:
    listed = sorted(set(numbers))
    shown = ", ".join(map(str, listed[:_SHOWN])) + (", ..." if len(listed) > _SHOWN else "")
    return f"slice{'s' if len(listed) > 1 else ''} {shown}, counted from 0"


def _fill(planes: dict[int, list[_Contour]], shape: tuple[int, int, int], where: str) -> tuple[BoolArray, list[str]]:
    array = np.zeros(shape, np.bool_)
    thin: list[int] = []
    cut = overlapping = touched = 0
    edge = np.array(shape[1:]) - 0.5
    for k, group in planes.items():
        # Large before small: a hole or an island then clears or sets all of its pixels, an overlap only some.
        for c in sorted(group, key=lambda c: -_area(c.points)):
            inside, cleared = toggle_polygon(array[k], c.points)
            thin += [k] * (inside == 0)
            overlapping += 0 < cleared < inside
            cut += bool((c.points < -0.5).any() or (c.points > edge).any())
            touched += centres_on_outline(c.points, shape[1], shape[2], 10.0**-_DECIMALS)
    lost = [k for k in set(thin) if not array[k].any()]
    nothing = f"; no voxel is left of {_slices(lost)}" if lost else ""
    counted = (
        (len(thin), f"contours enclose no pixel centre and add nothing ({_slices(thin)}){nothing}"),
        (cut, "contours reach beyond the image and were cut at its edge"),
        (overlapping, "contours partly overlap another on their slice: the overlap is outside (even-odd rule)"),
        (touched, "pixel centres lie exactly on a contour: inside on edges towards smaller x or y, outside on others"),
    )
    return array, [f"{n} {text}" for n, text in counted if n]


def _area(points: Array) -> float:
    """Area enclosed by a polygon (Gauss's shoelace formula), in pixels."""
    y, x = points[:, 0] - points[0, 0], points[:, 1] - points[0, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)
