"""DICOM Segmentation objects as masks: every frame is put on the slice its own position names.

Frames come in any order, empty ones may be omitted and segments may overlap (DICOM PS3.3 C.8.20), or all stand as
numbers in one label map (Supplement 243); so the position and the segment of each frame are read from its functional
groups, and nothing is taken from the order of the file. Frames that are not on the pixels and slices of the image are
refused, never resampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from radiolocus.errors import FormatError, GeometryError, RoiError
from radiolocus.model import Array, BoolArray, Geometry, Mask
from radiolocus.read.dicom import DicomSeries, read_header
from radiolocus.read.pixels import decoded
from radiolocus.read.rtstruct import name_pattern
from radiolocus.read.slices import quiet

__all__ = ["is_seg", "read_seg", "segment_names"]

_LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
_STORAGE = ("1.2.840.10008.5.1.4.1.1.66.4", _LABEL_MAP)
_KINDS = (("BINARY", 1), ("BINARY", 8), ("FRACTIONAL", 8), ("LABELMAP", 8), ("LABELMAP", 16))
_PLAIN = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)
_OFF_GRID = 0.05  # of a voxel, as for the slices of an image: rounded positions pass, a shifted frame does not
_ORIENTATION_TOLERANCE = 1e-3
_SPACING_TOLERANCE = 1e-3
_TODO_IMAGE = "use the series it was drawn on, or resample the segmentation to this one (nearest neighbour) yourself"
_TODO_COPY = "fetch or export the segmentation again"


@dataclass(frozen=True, eq=False)
class _Segment:
    """A segment: its number, its label, and the code and meaning of its property type."""

    number: int
    label: str
    property: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Frame:
    """A frame by its number in the file: `position` of its first pixel in LPS mm, `cosines` and pixel `spacing`."""

    index: int
    position: Array
    cosines: Array
    spacing: Array
    slice_spacing: float


def is_seg(header: Dataset | None) -> bool:
    """Tell from its header whether a file is a DICOM Segmentation object."""
    return header is not None and header.get("SOPClassUID") in _STORAGE


@quiet()
def segment_names(path: Path | str) -> tuple[str, ...]:
    """Labels of the segments of a Segmentation object, in the order of the file."""
    path = Path(path)
    return tuple(s.label for s in _segments(_segmentation(path), path.name))


@quiet()
def read_seg(path: Path | str, series: DicomSeries, segment: str | None = None) -> Mask:
    """Read one segment of a Segmentation object on the grid of an image series.

    Parameters
    ----------
    path : path
        DICOM SEG file of type BINARY, FRACTIONAL or LABELMAP.
    series : DicomSeries
        The image the segment was drawn on.
    segment : str, optional
        Label or number of the segment, else a regular expression that matches one whole label, else the code or the
        meaning of its property type (``108369006``, ``Neoplasm``); case does not matter. Not needed when the file holds
        a single segment.

    Returns
    -------
    Mask
        Not empty. A fractional segment holds the voxels of at least half of the Maximum Fractional Value. Its notes say
        so, and what looked odd.

    Raises
    ------
    FormatError
        Not a Segmentation object, of another type, truncated, or functional groups that cannot be read.
    RoiError
        No segment or several of that name (the message lists them), or a segment without a frame or a voxel.
    GeometryError
        Another frame of reference, orientation or spacing, frames between or beyond the slices, or two on one slice.
    """
    path = Path(path)
    header = _segmentation(path)
    chosen = _chosen(_segments(header, path.name), segment, path.name)
    number, label = chosen.number, chosen.label
    where = f"{path.name}: segment {number} '{label}'"
    notes = _check_reference(header, series, where)
    frames = _frames(header, number, where)
    pixels = _Pixels(path, header, where, number)
    array, more = _filled(frames, pixels, series.acquired, where)
    if not array.any():
        raise RoiError(
            "the segment is empty: none of its frames has a voxel",
            where=where,
            allowed="one voxel or more",
            todo="choose another segment, or check the segmentation",
        )
    mask = Mask(array, series.acquired, label or str(number), (*notes, *pixels.notes(), *more))
    return mask if series.tilt is None else series.tilt.straighten_mask(mask)


def _segmentation(path: Path) -> Dataset:
    if not path.is_file():
        raise FormatError("no such file", where=path.name, todo="check the path pattern of this mask")
    header = read_header(path)
    if header is None or not is_seg(header):
        kind = "not DICOM" if header is None else f"DICOM of modality {header.get('Modality', 'unknown')}"
        if header is not None and header.get("Modality") == "SEG":
            kind = f"a segmentation stored as {pydicom.uid.UID(header.SOPClassUID).name}"
        raise FormatError(kind, where=path.name, allowed="Segmentation Storage or Label Map Segmentation Storage")
    return header


def _segments(header: Dataset, where: str) -> list[_Segment]:
    try:
        found = [
            _Segment(int(item.SegmentNumber), str(item.get("SegmentLabel") or "").strip(), _property(item))
            for item in header.get("SegmentSequence") or []
        ]
    except Exception as error:  # a damaged sequence makes pydicom raise almost anything
        raise FormatError(
            f"a segment without a readable number ({type(error).__name__})", where=where, todo=_TODO_COPY
        ) from None
    if not found:
        raise FormatError(
            "no segment is described", where=where, allowed="Segment Sequence (0062,0002)", todo=_TODO_COPY
        )
    return found


def _property(item: Dataset) -> tuple[str, ...]:
    """Code and meaning of what a segment is of."""
    codes = item.get("SegmentedPropertyTypeCodeSequence") or []
    names = ("CodeValue", "LongCodeValue", "CodeMeaning")
    return tuple(str(code.get(name)).strip() for code in codes for name in names if code.get(name))


def _chosen(segments: list[_Segment], asked: str | None, where: str) -> _Segment:
    if asked is None:
        found = segments
    else:
        text, pattern = asked.strip(), name_pattern(asked)
        found = (
            [s for s in segments if text in (s.label, str(s.number))]
            or [s for s in segments if s.label.casefold() == text.casefold()]
            or [s for s in segments if pattern is not None and pattern.fullmatch(s.label)]
            or [s for s in segments if text.casefold() in [name.casefold() for name in s.property]]
        )
    if len(found) == 1:
        return found[0]
    listed = ", ".join(
        f"{s.number} '{s.label}'" + (f" ({' '.join(s.property)})" if s.property else "") for s in segments
    )
    said = "no segment given" if asked is None else f"segment '{asked}'"
    raise RoiError(
        f"{said}: {len(found) or 'no'} segments match",
        where=where,
        allowed=f"one of {listed}",
        todo="give the label or the number as roi, or a regular expression that matches exactly one label",
    )


def _check_reference(header: Dataset, series: DicomSeries, where: str) -> list[str]:
    """The frame of reference ties a segmentation to the image; without one, only the series it names can."""
    there, here = str(header.get("FrameOfReferenceUID") or ""), series.frame_of_reference_uid
    try:
        named = {str(r.get("SeriesInstanceUID") or "") for r in header.get("ReferencedSeriesSequence") or []} - {""}
    except Exception as error:
        raise _damaged(error, where) from None
    if there and here:
        if there != here:
            raise GeometryError(
                f"made in another frame of reference (ending {there[-8:]}) than the image's (ending {here[-8:]})",
                where=where,
                allowed="the frame of reference of the image",
                todo="use the series it was made on, or register and resample explicitly before",
            )
        if named and series.series_uid not in named:
            return ["the segmentation refers to another series; its frames were placed by position alone"]
        return []
    if series.series_uid in named:
        return ["no frame of reference to compare; the segmentation names this series"]
    raise GeometryError(
        "neither a frame of reference nor a referenced series ties the segmentation to this series",
        where=where,
        allowed="the frame of reference of the image, or a segmentation that names its series",
        todo="export image and segmentation together again",
    )


def _frames(header: Dataset, number: int, where: str) -> list[_Frame]:
    """The frames of one segment."""
    try:
        per_frame = list(header.get("PerFrameFunctionalGroupsSequence") or [])
        shared = (list(header.get("SharedFunctionalGroupsSequence") or []) or [Dataset()])[0]
        announced = int(header.get("NumberOfFrames") or 0)
        if header.SegmentationType == "LABELMAP":  # its frames hold all segments
            numbers = [number] * len(per_frame)
        else:
            named = [_group(shared, own, "SegmentIdentificationSequence") for own in per_frame]
            numbers = [int(group.ReferencedSegmentNumber) for group in named]
        frames = [_frame(i, shared, per_frame[i]) for i, segment in enumerate(numbers) if segment == number]
    except Exception as error:
        raise _damaged(error, where) from None
    if len(per_frame) != announced:
        raise FormatError(
            f"{len(per_frame)} functional groups for {announced} frames",
            where=where,
            allowed="one item of Per-Frame Functional Groups (5200,9230) a frame",
            todo=_TODO_COPY,
        )
    if not frames:
        raise RoiError(
            "the segment is empty: no frame belongs to it",
            where=where,
            allowed="one frame or more",
            todo="choose another segment, or check the segmentation",
        )
    return frames


def _group(shared: Dataset, own: Dataset, name: str) -> Dataset:
    """Item of a functional group, which a frame has for itself or shares with all others."""
    sequence = own.get(name) or shared.get(name)
    if not sequence:
        raise KeyError(name)
    item: Dataset = sequence[0]
    return item


def _frame(index: int, shared: Dataset, own: Dataset) -> _Frame:
    measures = _group(shared, own, "PixelMeasuresSequence")
    return _Frame(
        index,
        _numbers(_group(shared, own, "PlanePositionSequence").ImagePositionPatient, 3),
        _numbers(_group(shared, own, "PlaneOrientationSequence").ImageOrientationPatient, 6),
        _numbers(measures.PixelSpacing, 2),
        abs(float(measures.get("SpacingBetweenSlices") or 0.0)),
    )


def _numbers(values: Sequence[object], count: int) -> Array:
    numbers = np.array([float(str(v)) for v in values])
    if numbers.shape != (count,) or not np.isfinite(numbers).all():
        raise ValueError
    return numbers


def _damaged(error: Exception, where: str) -> FormatError:
    name = str(error.args[0]) if isinstance(error, KeyError) and error.args else type(error).__name__
    return FormatError(
        f"functional groups are missing or damaged ({name})",
        where=where,
        allowed="segment, plane position, plane orientation and pixel measures for every frame",
        todo="frames without a place in the patient (slide microscopy, projections) cannot be put on an image series",
    )


class _Pixels:
    """The frames of a file, unpacked one by one: all segments of a whole body at once would fill the memory."""

    def __init__(self, path: Path, header: Dataset, where: str, number: int) -> None:
        self.where, self.number = where, number
        self.rows, self.columns = int(header.get("Rows") or 0), int(header.get("Columns") or 0)
        self.kind = str(header.get("SegmentationType") or "")
        self.bits = int(header.get("BitsAllocated") or 0)
        if (self.kind, self.bits) not in _KINDS:
            raise FormatError(
                f"a segmentation of type {self.kind or 'unknown'} with {self.bits} bits a pixel",
                where=where,
                allowed="BINARY with 1 bit, FRACTIONAL with 8 bits, LABELMAP with 8 or 16 bits",
                todo="export it as BINARY",
            )
        self.top = self._top(header)
        self.fraction = str(header.get("SegmentationFractionalType") or "of no stated kind").lower()
        self.below = 0
        self.packed = False
        self.stored = self._stored(path, int(header.NumberOfFrames))

    def _top(self, header: Dataset) -> int:
        if self.kind != "FRACTIONAL":
            return 1 if self.kind == "BINARY" else 2**self.bits - 1
        top = int(header.get("MaximumFractionalValue") or 0)
        if top < 1:
            raise FormatError(
                "no Maximum Fractional Value (0062,000E)",
                where=self.where,
                allowed="the stored value that stands for 1",
                todo=_TODO_COPY,
            )
        return top

    def _stored(self, path: Path, frames: int) -> npt.NDArray[np.unsignedinteger[Any]]:
        kind: type[np.unsignedinteger[Any]] = np.uint16 if self.bits == 16 else np.uint8
        try:
            dataset = pydicom.dcmread(path)
            if dataset.file_meta.TransferSyntaxUID not in _PLAIN:
                return np.ascontiguousarray(decoded(dataset, self.where)).astype(kind).reshape(-1)
            content = bytes(dataset.get("PixelData") or b"")
        except Exception as error:  # decoders of many makers raise many things
            raise FormatError(
                f"pixel data that cannot be decoded ({type(error).__name__})",
                where=self.where,
                allowed="uncompressed, deflated, RLE, JPEG, JPEG-LS or JPEG 2000",
                todo=f"{_TODO_COPY}, uncompressed",
            ) from None
        needed = -(-frames * self.rows * self.columns * self.bits // 8)
        if len(content) < needed:
            raise FormatError(
                f"pixel data truncated: {len(content)} bytes",
                where=self.where,
                allowed=f"{needed} bytes for {frames} frames of {self.rows} x {self.columns} pixels",
                todo=_TODO_COPY,
            )
        self.packed = self.bits == 1
        return np.frombuffer(content[:needed], kind)

    def frame(self, index: int) -> BoolArray:
        """Pixels of one frame that belong to the segment, shape (rows, columns)."""
        size = self.rows * self.columns
        first = index * size
        if self.packed:
            # Frames follow each other without padding, so one may begin within a byte; the lowest bit comes first.
            packed = self.stored[first // 8 : -(-(first + size) // 8)]
            values = np.unpackbits(packed, bitorder="little")[first % 8 : first % 8 + size]
        else:
            values = self.stored[first : first + size]
        highest = int(values.max(initial=0))
        if highest > self.top:
            raise FormatError(
                f"frame {index + 1} holds the value {highest}",
                where=self.where,
                allowed=f"0 to {self.top} in a {self.kind} segmentation",
                todo=_TODO_COPY,
            )
        if self.kind == "LABELMAP":
            return np.asarray(values == self.number).reshape(self.rows, self.columns)
        inside = 2 * values.astype(np.int64) >= self.top
        self.below += int(np.count_nonzero(values)) - int(np.count_nonzero(inside))
        return inside.reshape(self.rows, self.columns)

    def notes(self) -> list[str]:
        """What a person should know of the values of the frames taken so far."""
        if self.kind != "FRACTIONAL":
            return []
        return [
            f"fractional segmentation ({self.fraction}): voxels of at least 0.5 of the Maximum Fractional Value "
            f"({self.top}) are the region; {self.below} voxels above zero are below that"
        ]


def _filled(frames: list[_Frame], pixels: _Pixels, grid: Geometry, where: str) -> tuple[BoolArray, list[str]]:
    array = np.zeros(grid.shape, np.bool_)
    taken: set[int] = set()
    beyond = 0
    for frame in frames:
        _check_plane(frame, grid, where)
        k, y, x = _first_voxel(frame, pixels, grid, where)
        inside = pixels.frame(frame.index)
        if not 0 <= k < grid.shape[0]:
            if inside.any():
                raise _beyond(k, grid, where)
            beyond += 1
            continue
        if k in taken:
            raise GeometryError(f"two frames on slice {k} (from 0)", where=where, allowed="one", todo=_TODO_COPY)
        taken.add(k)
        array[k, y : y + pixels.rows, x : x + pixels.columns] = inside
    return array, _notes(array, beyond, pixels, grid)


def _notes(array: BoolArray, beyond: int, pixels: _Pixels, grid: Geometry) -> list[str]:
    notes = [f"{beyond} empty frames lie beyond the slices of the image"] if beyond else []
    if (pixels.rows, pixels.columns) != grid.shape[1:]:
        notes.append(f"frames cover a window of {pixels.rows} x {pixels.columns} pixels of the slices")
    held = np.flatnonzero(array.any(axis=(1, 2)))
    gaps = int(held[-1] - held[0] + 1 - held.size) if held.size else 0
    if gaps:
        notes.append(f"{gaps} slices between the first and the last of the segment have none of it")
    return notes


def _check_plane(frame: _Frame, grid: Geometry, where: str) -> None:
    """Refuse in the words of the header; what these tolerances let through is judged voxel by voxel afterwards."""
    axes = grid.affine[:3, :3] / grid.spacing
    image = np.concatenate([axes[:, 2], axes[:, 1]])
    if np.abs(frame.cosines - image).max() > _ORIENTATION_TOLERANCE:
        raise GeometryError(
            f"frames of another plane orientation: Image Orientation {np.round(frame.cosines, 4).tolist()}",
            where=where,
            allowed=f"{(np.round(image, 4) + 0.0).tolist()} as the image",
            todo=_TODO_IMAGE,
        )
    if np.abs(frame.spacing / grid.spacing[1:] - 1).max() > _SPACING_TOLERANCE:
        raise GeometryError(
            f"frames of another pixel spacing: {np.round(frame.spacing, 5).tolist()} mm",
            where=where,
            allowed=f"{np.round(grid.spacing[1:], 5).tolist()} mm as the image (row, column)",
            todo=_TODO_IMAGE,
        )
    step = float(grid.spacing[0])
    # Frames of every second slice would all lie on slices; the spacing they state tells them from omitted ones.
    if frame.slice_spacing and grid.shape[0] > 1 and abs(frame.slice_spacing - step) > _OFF_GRID * step:
        raise GeometryError(
            f"frames of another slice spacing: Spacing Between Slices {frame.slice_spacing:g} mm",
            where=where,
            allowed=f"{step:.5g} mm as the image",
            todo=_TODO_IMAGE,
        )


def _first_voxel(frame: _Frame, pixels: _Pixels, grid: Geometry, where: str) -> tuple[int, int, int]:
    """Index (z, y, x) of the voxel under the first pixel of a frame; z may lie beyond the stack."""
    corners = np.array([(0, 0), (pixels.rows - 1, 0), (0, pixels.columns - 1)], dtype=float)
    steps = np.stack([frame.cosines[3:] * frame.spacing[0], frame.cosines[:3] * frame.spacing[1]])
    inverse = np.linalg.inv(grid.affine)
    index = (frame.position + corners @ steps) @ inverse[:3, :3].T + inverse[:3, 3]
    first = np.rint(index[0]).astype(int)
    expected = first + np.column_stack([np.zeros(3), corners])
    off = np.abs(index - expected).max(axis=0)
    if off[0] > _OFF_GRID:
        raise GeometryError(
            f"frame {frame.index + 1} lies between slices, {off[0] * grid.spacing[0]:.3g} mm off slice {first[0]}",
            where=where,
            allowed=f"frames on slices, within {_OFF_GRID:.0%} of the slice spacing",
            todo=_TODO_IMAGE,
        )
    if off.max() > _OFF_GRID:
        raise GeometryError(
            f"pixels of frame {frame.index + 1} lie {(off * grid.spacing).max():.3g} mm off those of the image",
            where=where,
            allowed=f"the pixels of the image, within {_OFF_GRID:.0%} of their size",
            todo=_TODO_IMAGE,
        )
    size = np.array([pixels.rows, pixels.columns])
    if (first[1:] < 0).any() or (first[1:] + size > grid.shape[1:]).any():
        raise GeometryError(
            f"frames of {pixels.rows} x {pixels.columns} pixels from row {first[1]}, column {first[2]} of the image",
            where=where,
            allowed=f"within its {grid.shape[1]} x {grid.shape[2]} pixels",
            todo=_TODO_IMAGE,
        )
    return int(first[0]), int(first[1]), int(first[2])


def _beyond(k: int, grid: Geometry, where: str) -> GeometryError:
    distance = (-k if k < 0 else k - grid.shape[0] + 1) * float(grid.spacing[0])
    return GeometryError(
        f"a frame lies {distance:.4g} mm beyond the {'first' if k < 0 else 'last'} slice",
        where=where,
        allowed="frames on the slices of the image",
        todo="check that the whole series is there and that the segmentation belongs to it",
    )
