"""Folders of single-frame DICOM slices as volumes.

Slices are found by their content, never by file name, sorted by the projection of Image Position on the normal of Image
Orientation (DICOM PS3.3 C.7.6.2), and accepted only when they form one regular right-angled grid.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from radiolocus.errors import FormatError, GeometryError
from radiolocus.model import Array, Geometry, Volume
from radiolocus.read.suv import suv_scale

__all__ = [
    "DicomFolder",
    "DicomSeries",
    "Slice",
    "list_series",
    "quiet",
    "read_dicom",
    "read_header",
    "scan_folder",
    "stack",
]

_NOT_IMAGES = frozenset(("RTSTRUCT", "RTPLAN", "RTDOSE", "RTRECORD", "SEG", "SR", "KO", "PR", "REG", "FID", "RWV"))
_DIRECTORY = "1.2.840.10008.1.3.10"
_SLICES = tuple(f"1.2.840.10008.5.1.4.1.1.{n}" for n in ("2", "4", "20", "128"))  # CT, MR, NM, PET image storage
_WHOLE = ("Rows", "Columns", "SamplesPerPixel", "NumberOfFrames", "NumberOfSlices", "BitsAllocated")
_USED = (
    *("SOPClassUID", "SOPInstanceUID", "Modality", "SeriesInstanceUID", "SeriesNumber", "FrameOfReferenceUID"),
    *("PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient", "SpacingBetweenSlices", "SliceThickness"),
    *("GantryDetectorTilt", "RescaleSlope", "RescaleIntercept", "RescaleType", "SeriesDescription"),
    *("Units", "SUVType", "DecayCorrection", "CorrectedImage", "PatientWeight", "TimezoneOffsetFromUTC"),
    *("StudyDate", "SeriesDate", "SeriesTime", "AcquisitionDate", "AcquisitionTime"),
    *("RadiopharmaceuticalStartTime", "RadiopharmaceuticalStartDateTime"),
    *("RadionuclideTotalDose", "RadionuclideHalfLife"),
)
_ORIENTATION_TOLERANCE = 1e-4  # direction cosines are written with four decimals or more
_GRID_TOLERANCE = 0.05  # of the slice spacing: positions rounded to 0.1 mm pass, a shifted slice does not
_SHEAR_TOLERANCE = 1e-3  # sine of the angle between stacking direction and normal
_TODO_COPY = "fetch the series again; it may have been cut while copying"


@dataclass(frozen=True, eq=False)
class Slice:
    """One file and its header without pixels."""

    path: Path
    header: Dataset


@dataclass(frozen=True, eq=False)
class DicomFolder:
    """What lies in a folder: image slices by series, files of regions, and how many files were something else."""

    name: str
    series: dict[str, list[Slice]]
    structures: tuple[Path, ...]
    segmentations: tuple[Path, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class DicomSeries:
    """An image with what ties structure sets to it.

    Parameters
    ----------
    volume : Volume
    sop_uids : tuple of str
        SOP Instance UID of each slice, in the order of the volume's z axis.
    frame_of_reference_uid : str
        Empty when the headers have none.
    series_uid : str
    """

    volume: Volume
    sop_uids: tuple[str, ...]
    frame_of_reference_uid: str
    series_uid: str


@contextmanager
def quiet() -> Iterator[None]:
    """Silence pydicom's warnings about the letter of the standard: what matters here is checked one by one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


@quiet()
def read_dicom(folder: Path | str, *, series_uid: str | None = None) -> DicomSeries:
    """Read the image series in a folder (and its subfolders).

    Parameters
    ----------
    folder : path
    series_uid : str, optional
        Which series when the folder holds several: its Series Instance UID or the last digits of it.

    Returns
    -------
    DicomSeries
        CT in HU, PET in SUVbw (see :mod:`radiolocus.read.suv`), others in arbitrary units after their rescale. float32
        for pixels of at most 16 bits, else float64.

    Raises
    ------
    FormatError
        No image, several series, multi-frame objects, truncated or undecodable pixels, PET that cannot become SUV.
    GeometryError
        Gantry tilt, missing or repeated slices, irregular gaps, slices that differ in orientation, size or spacing.
    """
    found = scan_folder(Path(folder))
    uid, slices = _chosen(found, series_uid)
    _check_single_frame(slices, found.name)
    ordered, geometry, notes = stack(slices, found.name)
    headers = [s.header for s in ordered]
    modality = str(headers[0].get("Modality", "") or "")
    factor, unit, more = _unit(headers, modality, found.name)
    array = _intensities(ordered, factor, geometry.shape)
    frames = {str(h.get("FrameOfReferenceUID", "") or "") for h in headers}
    if len(frames) > 1:
        raise GeometryError("slices of several frames of reference", where=found.name, allowed="one")
    volume = Volume(array, geometry, modality, unit, (*found.notes, *notes, *more))
    return DicomSeries(volume, tuple(str(h.get("SOPInstanceUID", "")) for h in headers), frames.pop(), uid)


def read_header(path: Path) -> Dataset | None:
    """Read the header of a DICOM file without its pixels; None when it is not DICOM or lists a directory.

    Raises
    ------
    FormatError
        DICOM that is cut short or damaged.
    """
    try:
        with quiet():
            header = _header(path)
            media = _parse(header)
    except (InvalidDicomError, FileNotFoundError, IsADirectoryError):
        if path.suffix.lower() in (".dcm", ".ima"):
            raise _cut(path, "not DICOM in spite of its name") from None
        return None
    except Exception as error:  # a damaged header makes pydicom raise almost anything
        raise _cut(path, f"unreadable DICOM header ({type(error).__name__})") from None
    if media == _DIRECTORY:
        return None
    # Left to itself a cut slice would be passed over as "no image", and the stack be shorter by one at its end.
    kind = header.get("SOPClassUID", "")
    if not (kind and header.get("Modality")) or (kind in _SLICES and not header.get("Rows")):
        raise _cut(path, "a DICOM header that ends early")
    return header


def _parse(header: Dataset) -> str:
    """Look at everything that is used later, as pydicom parses a value when it is first looked at.

    Returns the Media Storage SOP Class UID.
    """
    if any(_is_short(element) for element in header.values()):
        raise EOFError
    for part in (header, *(header.get("RadiopharmaceuticalInformationSequence") or ())):
        for name in _USED:
            part.get(name)
    for name in _WHOLE:
        int(header.get(name) or 0)
    return str(header.file_meta.get("MediaStorageSOPClassUID", "")) if hasattr(header, "file_meta") else ""


def _is_short(element: Any) -> bool:
    """Whether a value holds fewer bytes than its header announces: pydicom reads on, with part of a sequence lost."""
    stated = getattr(element, "length", 0)  # only what pydicom has not parsed yet carries it
    return stated not in (0, 0xFFFFFFFF) and len(element.value or b"") < stated


def _cut(path: Path, got: str) -> FormatError:
    return FormatError(got, where=path.name, allowed="whole DICOM files", todo=_TODO_COPY)


def _header(path: Path) -> Dataset:
    with path.open("rb") as file:
        start = file.read(132)
    # Files of before 1993 have no preamble but begin with group 0008 (or 0002), little-endian.
    bare = start[128:] != b"DICM" and start[:2] in (b"\x08\x00", b"\x02\x00")
    return pydicom.dcmread(path, stop_before_pixels=True, force=bare)


@quiet()
def scan_folder(folder: Path) -> DicomFolder:
    """Read every header below `folder` and sort the files by what they are."""
    if not folder.is_dir():
        raise FormatError("no such folder", where=folder.name, todo="check the path pattern of this image")
    series: dict[str, list[Slice]] = {}
    regions: dict[str, list[Path]] = {"RTSTRUCT": [], "SEG": []}
    ignored: dict[str, int] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        header = read_header(path)
        kind = "not DICOM or a DICOMDIR" if header is None else str(header.Modality)
        if kind in regions:
            regions[kind].append(path)
        if header is None or kind in _NOT_IMAGES or not header.get("Rows"):
            ignored[kind] = ignored.get(kind, 0) + 1
            continue
        series.setdefault(str(header.get("SeriesInstanceUID", "")), []).append(Slice(path, header))
    listed = ", ".join(f"{n} x {kind}" for kind, n in sorted(ignored.items()))
    notes = (f"files that are not image slices were ignored: {listed}",) if listed else ()
    return DicomFolder(folder.name, series, tuple(regions["RTSTRUCT"]), tuple(regions["SEG"]), notes)


def list_series(found: DicomFolder) -> list[dict[str, Any]]:
    """Describe every series of a folder: no pixels are read and nothing names the patient."""
    rows: list[dict[str, Any]] = []
    for uid, slices in found.series.items():
        head = slices[0].header
        rows.append(
            {
                "series_uid": uid,
                "number": str(head.get("SeriesNumber", "") or ""),
                "modality": str(head.get("Modality", "") or ""),
                "description": str(head.get("SeriesDescription", "") or ""),
                "files": len(slices),
                "rows": int(head.Rows),
                "columns": int(head.get("Columns", 0) or 0),
            }
        )
    return rows


def _chosen(found: DicomFolder, series_uid: str | None) -> tuple[str, list[Slice]]:
    wanted = {u: s for u, s in found.series.items() if series_uid is None or (u and u.endswith(series_uid))}
    if len(wanted) == 1:
        return next(iter(wanted.items()))
    if not found.series:
        raise FormatError("no DICOM image", where=found.name, allowed="the slices of one series")
    listed = "; ".join(
        f"number {r['number'] or '?'} {r['modality']} '{r['description']}', {r['files']} files, UID ending "
        f"{r['series_uid'][-8:]}"
        for r in list_series(found)
    )
    asked = "" if series_uid is None else f", {len(wanted)} of them with a UID ending {series_uid[-8:]}"
    raise FormatError(
        f"{len(found.series)} image series in one folder{asked}: {listed}",
        where=found.name,
        allowed="one series",
        todo="give each series a folder of its own, or choose one by the end of its series UID",
    )


def _check_single_frame(slices: Sequence[Slice], where: str) -> None:
    for s in slices:
        frames = int(s.header.get("NumberOfFrames", 1) or 1)
        if frames > 1 or "SharedFunctionalGroupsSequence" in s.header:
            raise FormatError(
                f"a multi-frame (enhanced) object with {frames} frames",
                where=f"{where}: {s.path.name}",
                allowed="one file a slice",
                todo="convert it to NIfTI (dcm2niix) or to single-frame DICOM (emf2sf of dcm4che)",
            )
        if int(s.header.get("SamplesPerPixel", 1) or 1) != 1:
            raise FormatError("a colour image", where=f"{where}: {s.path.name}", allowed="one sample per pixel")


def stack(slices: Sequence[Slice], where: str) -> tuple[list[Slice], Geometry, list[str]]:
    """Sort slices along their normal and lay the grid through them.

    Returns
    -------
    ordered : list of Slice
    geometry : Geometry
    notes : list of str

    Raises
    ------
    GeometryError
        When the slices do not form one regular grid with the stacking direction along the normal.
    """
    rows, columns, spacing, cosines = _common_plane(slices, where)
    normal = np.cross(cosines[:3], cosines[3:])
    positions = np.array([_numbers(s, "ImagePositionPatient", 3, where) for s in slices])
    order = np.argsort(positions @ normal, kind="stable")
    ordered, positions = [slices[i] for i in order], positions[order]
    _check_tilt(ordered, where)
    notes: list[str] = []
    if len(ordered) == 1:
        step, note = _single_step(ordered[0], normal, where)
        notes.append(note)
    else:
        step = _step(positions, normal, where)
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
    cosines = np.array([_numbers(s, "ImageOrientationPatient", 6, where) for s in slices])
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
    spacing = np.array([_numbers(s, "PixelSpacing", 2, where) for s in slices])
    if np.abs(spacing - spacing[0]).max() > 1e-4 * spacing[0].max() or spacing.min() <= 0:
        raise GeometryError(
            f"Pixel Spacing (0028,0030) from {spacing.min(0).tolist()} to {spacing.max(0).tolist()} mm",
            where=where,
            allowed="one positive spacing",
            todo="separate the series by pixel spacing",
        )
    return *sizes[0], spacing[0], cosines[0]


def _numbers(s: Slice, name: str, count: int, where: str) -> Array:
    try:
        values = np.array([float(v) for v in s.header.get(name) or ()])
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape != (count,) or not np.isfinite(values).all():
        raise GeometryError(
            f"{name} is missing or not {count} numbers",
            where=f"{where}: {s.path.name}",
            allowed=f"{count} finite numbers",
            todo="take objects without a place in space (localisers, captures) out of the folder",
        )
    return values


def _check_tilt(slices: Sequence[Slice], where: str) -> None:
    for s in slices:
        tilt = _one(s, "GantryDetectorTilt", 0.0)
        if abs(tilt) > 0.01:
            raise _tilted(f"Gantry/Detector Tilt (0018,1120) is {tilt:g} degrees", where)


def _tilted(got: str, where: str) -> GeometryError:
    return GeometryError(
        f"gantry tilt: {got}",
        where=where,
        allowed="slices stacked along their normal",
        todo="resample to an upright grid first (for example with dcm2niix), image and mask alike",
    )


def _single_step(s: Slice, normal: Array, where: str) -> tuple[Array, str]:
    for name in ("SpacingBetweenSlices", "SliceThickness"):
        size = abs(_one(s, name, 0.0))
        if size > 0:
            return normal * size, f"a single slice: its extent along z is {name}, {size:g} mm"
    raise GeometryError(
        "a single slice without Slice Thickness (0018,0050) or Spacing Between Slices (0018,0088)",
        where=where,
        allowed="two slices or more, or one with a thickness",
        todo="check that the folder holds the whole series",
    )


def _step(positions: Array, normal: Array, where: str) -> Array:
    """Vector from one slice to the next, once it is sure that there is one."""
    heights = positions @ normal
    gaps = np.diff(heights)
    span = positions[-1] - positions[0]
    same = np.flatnonzero(gaps < 1e-3)
    if same.size:
        listed = ", ".join(f"{heights[i]:.2f}" for i in same[:5])
        raise GeometryError(
            f"repeated slices: {same.size} positions occur more than once (at {listed} mm along the normal)",
            where=where,
            allowed="one slice a position",
            todo="separate time points, echoes or reconstructions, or take double files out",
        )
    lateral = float(np.linalg.norm(span - (span @ normal) * normal) / np.linalg.norm(span))
    if lateral > _SHEAR_TOLERANCE:
        angle = float(np.degrees(np.arcsin(min(lateral, 1.0))))
        raise _tilted(f"slices are stacked {angle:.2f} degrees off their normal", where)
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
    said = abs(_one(first, "SpacingBetweenSlices", 0.0))
    if said and abs(said - size) > 2 * _GRID_TOLERANCE * size:
        notes.append(f"Spacing Between Slices says {said:g} mm, the positions {size:.4g} mm: the positions were taken")
    announced = int(first.header.get("NumberOfSlices") or 0)
    if announced and announced != len(positions):
        notes.append(
            f"Number of Slices (0054,0081) says {announced}, there are {len(positions)}: cropped or incomplete"
        )
    return notes


def _unit(headers: Sequence[Dataset], modality: str, where: str) -> tuple[float, str, list[str]]:
    if modality == "PT":
        scale = suv_scale(headers, where)
        return scale.factor, scale.unit, list(scale.notes)
    if modality != "CT":
        return 1.0, "", []
    bare = sum("RescaleSlope" not in h or "RescaleIntercept" not in h for h in headers)
    if bare:
        raise FormatError(
            f"{bare} CT slices without Rescale Slope and Intercept (0028,1053 and 0028,1052)",
            where=where,
            allowed="CT numbers that can be brought to HU",
            todo="export the original CT series",
        )
    kinds = sorted({str(h.get("RescaleType", "") or "HU").upper() for h in headers})
    if kinds == ["HU"]:
        return 1.0, "HU", []
    return 1.0, "", [f"Rescale Type (0028,1054) is {', '.join(kinds)}: not Hounsfield units"]


def _intensities(slices: Sequence[Slice], factor: float, shape: tuple[int, int, int]) -> npt.NDArray[np.floating[Any]]:
    scales = [(_one(s, "RescaleSlope", 1.0), _one(s, "RescaleIntercept", 0.0)) for s in slices]
    # float32 arithmetic is what converters to NIfTI do: 16-bit pixels then have the same bits by either road.
    narrow = all(int(s.header.get("BitsAllocated", 64)) <= 16 for s in slices)
    real: type[np.floating[Any]] = np.float32 if narrow else np.float64
    array: npt.NDArray[np.floating[Any]] = np.empty(shape, real)
    for k, (s, (slope, intercept)) in enumerate(zip(slices, scales, strict=True)):
        array[k] = _pixels(s, shape[1:]).astype(real) * real(slope) + real(intercept)
        if factor != 1.0:
            array[k] = array[k].astype(np.float64) * factor
    return array


def _one(s: Slice, name: str, default: float) -> float:
    value = s.header.get(name)
    if value is None or value == "":
        return default
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number) or (name == "RescaleSlope" and number == 0):
        raise FormatError(f"{name} is not a usable number", where=s.path.name, allowed="a finite number, slope not 0")
    return number


def _pixels(s: Slice, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    try:
        dataset = pydicom.dcmread(s.path, force=True)
        if "TransferSyntaxUID" not in dataset.file_meta:  # a bare file: uncompressed, and pydicom saw which kind
            implicit = dataset.original_encoding[0]
            dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        stored = dataset.pixel_array
    except Exception as error:  # decoders of many makers raise many things
        raise _undecodable(s, error) from None
    if stored.shape != shape:
        raise FormatError(f"pixels of shape {stored.shape}", where=s.path.name, allowed=f"{shape} as the header says")
    return stored


def _undecodable(s: Slice, error: Exception) -> FormatError:
    syntax = s.header.file_meta.get("TransferSyntaxUID") if hasattr(s.header, "file_meta") else None
    compressed = isinstance(syntax, UID) and syntax.is_transfer_syntax and syntax.is_encapsulated
    missing = isinstance(error, RuntimeError | NotImplementedError | ImportError)
    if compressed and missing:
        return FormatError(
            f"pixels compressed as {syntax.name if syntax else 'unknown'} cannot be decoded here",
            where=s.path.name,
            allowed="uncompressed or RLE, and what the installed pydicom plugins decode",
            todo="install pylibjpeg with its plugins, or decompress first (dcmdjpeg, gdcmconv --raw)",
        )
    return FormatError(
        f"pixel data truncated or corrupt ({type(error).__name__})",
        where=s.path.name,
        allowed=f"{s.header.Rows} x {s.header.get('Columns')} whole pixels",
        todo=_TODO_COPY,
    )
