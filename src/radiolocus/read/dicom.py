"""Folders of DICOM slices, or of enhanced multi-frame objects, as volumes.

Files are found by their content, never by their name; what a series is made of is judged here, where its planes lie in
:mod:`radiolocus.read.grid`, what their pixels hold in :mod:`radiolocus.read.pixels`.
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
from pydicom.errors import InvalidDicomError

from radiolocus.errors import FormatError, GeometryError
from radiolocus.model import Geometry, Volume
from radiolocus.read.frames import check_stacks, expand, selected
from radiolocus.read.grid import stack
from radiolocus.read.options import ReadOptions
from radiolocus.read.pixels import TODO_COPY, check_kind, intensities, lossy_notes
from radiolocus.read.slices import Slice, quiet
from radiolocus.read.suv import suv_scale
from radiolocus.read.tilt import Tilt, tilt_of

__all__ = ["DicomFolder", "DicomSeries", "check_dicom", "list_series", "read_dicom", "read_header", "scan_folder"]

_NOT_IMAGES = frozenset(("RTSTRUCT", "RTPLAN", "RTDOSE", "RTRECORD", "SEG", "SR", "KO", "PR", "REG", "FID", "RWV"))
_NOT_IMAGES |= {"secondary capture", "localiser"}
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_DIRECTORY = "1.2.840.10008.1.3.10"
_SLICES = tuple(f"1.2.840.10008.5.1.4.1.1.{n}" for n in ("2", "4", "20", "128"))  # CT, MR, NM, PET image storage
_WHOLE = ("Rows", "Columns", "SamplesPerPixel", "NumberOfFrames", "NumberOfSlices")
_BITS = ("BitsAllocated", "BitsStored", "HighBit")
_USED = (
    *("SOPClassUID", "SOPInstanceUID", "Modality", "SeriesInstanceUID", "SeriesNumber", "FrameOfReferenceUID"),
    *("PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient", "SpacingBetweenSlices", "SliceThickness"),
    *("GantryDetectorTilt", "RescaleSlope", "RescaleIntercept", "RescaleType", "SeriesDescription"),
    *("Units", "SUVType", "DecayCorrection", "CorrectedImage", "PatientWeight", "TimezoneOffsetFromUTC"),
    *("PatientSize", "PatientSex", "DecayCorrected", "AttenuationCorrected", "DecayCorrectionDateTime"),
    *("ImageType", "PhotometricInterpretation", "LossyImageCompression", "LossyImageCompressionRatio"),
    *("StudyDate", "SeriesDate", "SeriesTime", "AcquisitionDate", "AcquisitionTime"),
    *("RadiopharmaceuticalStartTime", "RadiopharmaceuticalStartDateTime"),
    *("RadionuclideTotalDose", "RadionuclideHalfLife"),
)


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
        SOP Instance UID of each slice, in the order of the volume's z axis; of a frame with its number behind a slash.
    frame_of_reference_uid : str
        Empty when the headers have none.
    series_uid : str
    tilt : Tilt or None
        The grid as acquired and the way from it to that of the volume, where a gantry tilt was corrected.
    """

    volume: Volume
    sop_uids: tuple[str, ...]
    frame_of_reference_uid: str
    series_uid: str
    tilt: Tilt | None = None

    @property
    def acquired(self) -> Geometry:
        """Grid of the slices as they were acquired: that of the volume unless a gantry tilt was corrected."""
        return self.volume.geometry if self.tilt is None else self.tilt.acquired


@dataclass(frozen=True, eq=False)
class _Plan:
    """What the headers of a series come to: the planes in order, their grid as acquired, and what the values mean."""

    slices: list[Slice]
    grid: Geometry
    modality: str
    unit: str
    factor: float
    frame_of_reference_uid: str
    series_uid: str
    notes: tuple[str, ...]


@quiet()
def read_dicom(folder: Path | str, options: ReadOptions | None = None) -> DicomSeries:
    """Read the image series in a folder (and its subfolders).

    Parameters
    ----------
    folder : path
        Slices of a single frame, or one or more enhanced multi-frame objects.
    options : ReadOptions, optional
        What the headers leave open; by default SUV by body weight, no gantry tilt, one series, one image in it.

    Returns
    -------
    DicomSeries
        CT in HU, PET in SUV (see :mod:`radiolocus.read.suv`), others in arbitrary units after their rescale. float32
        for pixels of at most 16 bits, else float64. An image of a tilted gantry is on its upright grid.

    Raises
    ------
    FormatError
        No image, several series, colour, truncated or undecodable pixels, PET that cannot become SUV, nothing selected.
    GeometryError
        Gantry tilt (unless it is to be corrected), missing or repeated slices, several stacks, irregular gaps, slices
        that differ in orientation, size or spacing.
    """
    plan = _planned(Path(folder), options or ReadOptions())
    array = intensities(plan.slices, plan.grid.shape, plan.factor)
    tilt, notes, grid = tilt_of(plan.grid), plan.notes, plan.grid
    if tilt is not None:
        array, told = _straight(tilt, array, plan.unit)
        notes, grid = (*notes, told), tilt.upright
    volume = Volume(array, grid, plan.modality, plan.unit, notes)
    return DicomSeries(volume, tuple(s.uid for s in plan.slices), plan.frame_of_reference_uid, plan.series_uid, tilt)


@quiet()
def check_dicom(folder: Path | str, options: ReadOptions | None = None) -> None:
    """Raise what :func:`read_dicom` would raise, as far as the headers tell; pixels are not read."""
    _planned(Path(folder), options or ReadOptions())


def _planned(folder: Path, options: ReadOptions) -> _Plan:
    """Decide from the headers alone which planes make the volume, where they lie and what their values mean."""
    found = scan_folder(folder)
    uid, files = _chosen(found, options.series)
    check_kind(files, found.name)
    whole = expand(files, found.name)
    slices = selected(whole, options.select, found.name)
    check_stacks(slices, found.name)
    ordered, grid, notes = stack(slices, found.name, tilted=options.gantry == "correct")
    modality = str(ordered[0].header.get("Modality", "") or "")
    factor, unit, more = _unit([s.header for s in ordered], [s.header for s in whole], options, found.name)
    frames = {str(s.header.get("FrameOfReferenceUID", "") or "") for s in ordered}
    if len(frames) > 1:
        raise GeometryError("slices of several frames of reference", where=found.name, allowed="one")
    told = (*found.notes, *lossy_notes(ordered), *notes, *more)
    return _Plan(ordered, grid, modality, unit, factor, frames.pop(), uid, told)


def _straight(tilt: Tilt, array: npt.NDArray[Any], unit: str) -> tuple[npt.NDArray[Any], str]:
    lowest = float(np.nanmin(array))
    straight, count = tilt.straighten(array, lowest)
    return straight, (
        f"gantry tilt of {tilt.angle:.2f} degrees corrected: slices were moved within their planes onto an upright "
        f"grid (linear interpolation); {count} voxels that no slice reaches hold the lowest value, {lowest:g} {unit}"
    )


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
    for name in (*_WHOLE, *_BITS):
        int(header.get(name) or 0)
    return str(header.file_meta.get("MediaStorageSOPClassUID", "")) if hasattr(header, "file_meta") else ""


def _is_short(element: Any) -> bool:
    """Whether a value holds fewer bytes than its header announces: pydicom reads on, with part of a sequence lost."""
    stated = getattr(element, "length", 0)  # only what pydicom has not parsed yet carries it
    return stated not in (0, 0xFFFFFFFF) and len(element.value or b"") < stated


def _cut(path: Path, got: str) -> FormatError:
    return FormatError(got, where=path.name, allowed="whole DICOM files", todo=TODO_COPY)


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
        kind = _kind(header)
        if kind in regions:
            regions[kind].append(path)
        if header is None or kind in _NOT_IMAGES or not header.get("Rows"):
            ignored[kind] = ignored.get(kind, 0) + 1
            continue
        series.setdefault(str(header.get("SeriesInstanceUID", "")), []).append(Slice(path, header))
    listed = ", ".join(f"{n} x {kind}" for kind, n in sorted(ignored.items()))
    notes = (f"files that are not image slices were ignored: {listed}",) if listed else ()
    return DicomFolder(folder.name, series, tuple(regions["RTSTRUCT"]), tuple(regions["SEG"]), notes)


def _kind(header: Dataset | None) -> str:
    """What a file is, as far as it is no slice of a measured image; else its modality."""
    if header is None:
        return "not DICOM or a DICOMDIR"
    if f"{header.get('SOPClassUID', '')}.".startswith(f"{_SECONDARY_CAPTURE}."):
        return "secondary capture"
    listed = header.get("ImageType")
    if not isinstance(listed, str) and "LOCALIZER" in {str(v).upper() for v in listed or ()}:
        return "localiser"
    return str(header.Modality)


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


def _chosen(found: DicomFolder, series_uid: str) -> tuple[str, list[Slice]]:
    wanted = {u: s for u, s in found.series.items() if not series_uid or (u and u.endswith(series_uid))}
    if len(wanted) == 1:
        return next(iter(wanted.items()))
    if not found.series:
        told = "; ".join(("no DICOM image", *found.notes))
        raise FormatError(told, where=found.name, allowed="the slices of one series")
    listed = "; ".join(
        f"number {r['number'] or '?'} {r['modality']} '{r['description']}', {r['files']} files, UID ending "
        f"{r['series_uid'][-8:]}"
        for r in list_series(found)
    )
    asked = "" if not series_uid else f", {len(wanted)} of them with a UID ending {series_uid[-8:]}"
    raise FormatError(
        f"{len(found.series)} image series in one folder{asked}: {listed}",
        where=found.name,
        allowed="one series",
        todo='give each series a folder of its own, or choose one by the end of its UID, e.g. series = "1.2.3"',
    )


def _unit(
    headers: Sequence[Dataset], whole: Sequence[Dataset], options: ReadOptions, where: str
) -> tuple[float, str, list[str]]:
    modality = str(headers[0].get("Modality", "") or "")
    if modality == "PT":
        scale = suv_scale(headers, where, options.suv, whole)
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
