"""One door for an image and its region: NIfTI or DICOM in, Volume and Mask on the same grid out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from radiolocus.errors import FormatError, GeometryError, RoiError
from radiolocus.model import Geometry, Mask, Volume
from radiolocus.read.dicom import (
    DicomFolder,
    DicomSeries,
    check_dicom,
    list_series,
    read_dicom,
    read_header,
    scan_folder,
)
from radiolocus.read.frames import expand
from radiolocus.read.grid import stack
from radiolocus.read.nifti import is_nifti, nifti_header, read_nifti, read_nifti_mask
from radiolocus.read.options import ReadOptions
from radiolocus.read.rtstruct import read_rtstruct, roi_names
from radiolocus.read.seg import is_seg, read_seg, segment_names
from radiolocus.read.slices import Slice, quiet

__all__ = ["check_image", "compare_grids", "describe", "read_pair", "read_regions"]

_SAME_MODALITY = {"PET": "PT", "MRI": "MR"}


def read_pair(
    image: Path | str,
    mask: Path | str,
    *,
    roi: str | None = None,
    modality: str = "",
    tolerance_mm: float = 0.01,
    options: ReadOptions | None = None,
) -> tuple[Volume, Mask]:
    """Read an image and a region of interest, and make sure that they share a grid.

    Parameters
    ----------
    image : path
        A NIfTI file or a folder with one DICOM series.
    mask : path
        A NIfTI file; or, for a DICOM image, an RTSTRUCT or SEG file, or a folder that holds exactly one of them.
    roi : str, optional
        NIfTI: the label number. RTSTRUCT and SEG: name or regular expression; SEG also the number of the segment.
    modality : str
        DICOM modality of the image; must agree with the headers of a DICOM image.
    tolerance_mm : float
        Largest distance between the voxel centres of image and mask.
    options : ReadOptions, optional
        How a DICOM image is read: kind of SUV, gantry tilt, which series and which of its images.

    Returns
    -------
    volume : Volume
    mask : Mask
        Not empty, on the grid of the volume. Nothing is resampled, unless a gantry tilt is to be corrected; a mask
        whose axes are stored in another order or direction is turned round, and a note says so.

    Raises
    ------
    FormatError
        Files that cannot be read, or a DICOM image of another modality.
    GeometryError
        Image and mask on different grids.
    RoiError
        No such region, or a region without a voxel.
    """
    volume, regions = read_regions(
        image, mask, rois=(roi,), modality=modality, tolerance_mm=tolerance_mm, options=options
    )
    return volume, regions[0]


def read_regions(
    image: Path | str,
    mask: Path | str,
    *,
    rois: Sequence[str | None],
    modality: str = "",
    tolerance_mm: float = 0.01,
    options: ReadOptions | None = None,
) -> tuple[Volume, tuple[Mask, ...]]:
    """Read an image once and several regions of one mask; see :func:`read_pair` for each of them.

    Parameters
    ----------
    image, mask : path
    rois : sequence of str or None
        One entry a region.
    modality : str
    tolerance_mm : float
    options : ReadOptions, optional

    Returns
    -------
    volume : Volume
    masks : tuple of Mask
        In the order of `rois`.

    Raises
    ------
    InputError
        As :func:`read_pair`.
    """
    image, mask = Path(image), Path(mask)
    modality = _normalised(modality)
    if is_nifti(image):
        _check_no_choice(image, options)
        volume, series = read_nifti(image, modality=modality), None
    else:
        series = read_dicom(_folder(image), options)
        volume = series.volume
        if modality and volume.modality != modality:
            raise FormatError(
                f"the series is of modality {volume.modality or 'unknown'}",
                where=image.name,
                allowed=f"{modality}, as the study says",
                todo="correct the modality in the study file or the path of the image",
            )
    where = f"{image.name} and {mask.name}"
    regions = [_on_grid(_region(mask, series, roi, tolerance_mm), volume.geometry, where, tolerance_mm) for roi in rois]
    if not all(region.array.any() for region in regions):
        raise RoiError(
            "the region has no voxel",
            where=mask.name,
            allowed="one voxel or more",
            todo="check the segmentation; a contour thinner than a voxel holds no voxel centre",
        )
    return volume, tuple(regions)


def _check_no_choice(image: Path, options: ReadOptions | None) -> None:
    # An uptake by lean mass that was asked for and not taken would pass for one in every table.
    chosen, default = options or ReadOptions(), ReadOptions()
    if given := [
        name for name in ("suv", "gantry", "series", "select") if getattr(chosen, name) != getattr(default, name)
    ]:
        raise FormatError(
            f"{' and '.join(given)} for a NIfTI image, whose intensities and slices are taken as they are",
            where=image.name,
            allowed="these options for a folder of DICOM only",
            todo="leave them out, or give the DICOM series as image",
        )


def _normalised(modality: str) -> str:
    upper = modality.strip().upper()
    return _SAME_MODALITY.get(upper, upper)


def _folder(path: Path) -> Path:
    if path.is_file():
        raise FormatError(
            "a single file that is not NIfTI",
            where=path.name,
            allowed="a .nii or .nii.gz file, or the folder of a DICOM series",
            todo="for DICOM give the folder, not one of its files",
        )
    return path


def _region(mask: Path, series: DicomSeries | None, roi: str | None, tolerance_mm: float) -> Mask:
    if is_nifti(mask):
        region = read_nifti_mask(mask, label=_label(roi, mask))
        return region if series is None else _upright(region, series, tolerance_mm)
    path = _only_regions(mask) if mask.is_dir() else mask
    if series is None:
        raise FormatError(
            "a mask that is not NIfTI beside a NIfTI image",
            where=mask.name,
            allowed="a NIfTI mask; an RTSTRUCT or SEG needs the DICOM series it was drawn on",
            todo="give the DICOM folder as image, or convert the mask to NIfTI",
        )
    if path.is_file() and _header_modality(path) == "SEG":
        return read_seg(path, series, roi)
    return read_rtstruct(path, series, roi)


def _upright(region: Mask, series: DicomSeries, tolerance_mm: float) -> Mask:
    """Move a mask on the tilted grid of a series with its image; others stay as they are, to be compared with it."""
    tilt = series.tilt
    if tilt is None:
        return region
    turned = region if not tilt.acquired.difference(region.geometry, tolerance_mm) else _turned(region, tilt.acquired)
    if turned is None or tilt.acquired.difference(turned.geometry, tolerance_mm):
        return region
    return tilt.straighten_mask(turned)


def _header_modality(path: Path) -> str:
    header = read_header(path)
    return "" if header is None else str(header.get("Modality", ""))


def _label(roi: str | None, mask: Path) -> int | None:
    if roi is None:
        return None
    try:
        return int(roi)
    except ValueError:
        raise RoiError(
            f"roi '{roi}' for a NIfTI mask, which has numbered labels and no names",
            where=mask.name,
            allowed="a whole number as text, or no roi: every non-zero voxel",
            todo="give the label number, or leave roi out for this image",
        ) from None


def _only_regions(folder: Path) -> Path:
    scanned = scan_folder(folder)
    found = (*scanned.structures, *scanned.segmentations)
    if len(found) == 1:
        return found[0]
    names = ", ".join(p.name for p in found)
    raise FormatError(
        f"{len(found) or 'no'} RTSTRUCT or SEG files{f' ({names})' if names else ''}",
        where=folder.name,
        allowed="exactly one",
        todo="give the path of the structure set or segmentation itself",
    )


def _on_grid(mask: Mask, grid: Geometry, where: str, tolerance_mm: float) -> Mask:
    if not grid.difference(mask.geometry, tolerance_mm):
        return mask
    turned = _turned(mask, grid)
    if turned is not None and not grid.difference(turned.geometry, tolerance_mm):
        note = "mask axes were stored in another order or direction than the image's and were turned round"
        return replace(turned, notes=(*mask.notes, note))
    image_axes, mask_axes = _axes(grid), _axes(mask.geometry)
    turned_by = "" if image_axes == mask_axes else f"; axes of the image {image_axes}, of the mask {mask_axes}"
    raise GeometryError(
        f"image and mask on different grids: {grid.difference(mask.geometry, tolerance_mm)}{turned_by}",
        where=where,
        allowed=f"voxel centres within {tolerance_mm:g} mm",
        todo="resample the mask to the image (nearest neighbour) yourself, or use the image it was drawn on",
    )


def compare_grids(image: Path | str, mask: Path | str, tolerance_mm: float = 0.01) -> None:
    """Refuse two NIfTI files on different grids, from their headers alone; says nothing of other formats.

    Raises
    ------
    GeometryError
        What :func:`read_pair` would raise.
    """
    image, mask = Path(image), Path(mask)
    if is_nifti(image) and is_nifti(mask):
        grid, other = nifti_header(image)[0], nifti_header(mask)[0]
        nothing = Mask(np.broadcast_to(np.False_, other.shape), other)
        _on_grid(nothing, grid, f"{image.name} and {mask.name}", tolerance_mm)


def check_image(image: Path | str, options: ReadOptions | None = None) -> None:
    """Refuse an image that could not be read as asked, from its headers alone.

    Raises
    ------
    InputError
        What :func:`radiolocus.read.dicom.read_dicom` would raise before it decodes pixels; options of DICOM for NIfTI.
    """
    if Path(image).is_dir():
        check_dicom(image, options)
    elif is_nifti(Path(image)):
        _check_no_choice(Path(image), options)


def _turned(mask: Mask, grid: Geometry) -> Mask | None:
    """The same voxels with axes permuted and flipped to run like those of `grid`; None when no turn does it."""
    turn = np.linalg.inv(grid.affine[:3, :3]) @ mask.geometry.affine[:3, :3]
    signs = np.rint(turn).astype(int)
    if (np.abs(signs).sum(0) != 1).any() or (np.abs(signs).sum(1) != 1).any():
        return None
    source = np.abs(signs).argmax(1)  # axis of the mask that runs along each axis of the grid
    array, affine = mask.array.transpose(source), np.eye(4)
    affine[:3, 3] = mask.geometry.affine[:3, 3]
    for axis, k in enumerate(source):
        column = mask.geometry.affine[:3, k]
        if signs[axis, k] < 0:
            array = np.flip(array, axis)
            affine[:3, 3] += column * (array.shape[axis] - 1)
            column = -column
        affine[:3, axis] = column
    z, y, x = array.shape
    return replace(mask, array=np.ascontiguousarray(array), geometry=Geometry((z, y, x), affine))


def _axes(grid: Geometry) -> str:
    cosines = np.round(grid.affine[:3, :3] / grid.spacing, 3) + 0.0  # no −0
    return "; ".join(f"{name} ({', '.join(f'{c:g}' for c in cosines[:, k])})" for k, name in enumerate("zyx"))


@quiet()
def describe(path: Path | str) -> dict[str, Any]:
    """Say what lies at a path, from headers alone.

    Parameters
    ----------
    path : path
        A file or a folder.

    Returns
    -------
    dict
        ``kind`` (``"nifti"``, ``"dicom series"``, ``"rtstruct"`` or ``"seg"``), ``modality`` (``""`` unknown),
        ``shape`` and ``spacing`` (z, y, x; spacing in mm; None when unknown or when there are several series), ``rois``
        (names in structure sets and segmentations), ``integer`` (NIfTI: voxels are stored as integers, so it may be a
        mask; None otherwise), ``series`` (see :func:`radiolocus.read.dicom.list_series`), ``files`` (slices).

    Raises
    ------
    FormatError
        Nothing that an image or a mask can be read from.
    """
    path = Path(path)
    if is_nifti(path):
        geometry, dtype = nifti_header(path)
        spacing = tuple(float(v) for v in geometry.spacing)
        return _told("nifti", shape=geometry.shape, spacing=spacing, integer=dtype.kind in "iub", files=1)
    if path.is_dir():
        return _describe_folder(scan_folder(path))
    header = read_header(path) if path.is_file() else None
    if header is not None and header.get("Modality") == "RTSTRUCT":
        return _told("rtstruct", modality="RTSTRUCT", rois=roi_names(path), files=1)
    if is_seg(header):
        return _told("seg", modality="SEG", rois=segment_names(path), files=1)
    raise FormatError(
        "no such file" if not path.exists() else "neither NIfTI nor RTSTRUCT nor SEG",
        where=path.name,
        allowed="a .nii or .nii.gz file, an RTSTRUCT or SEG file, or the folder of a DICOM series",
    )


def _describe_folder(found: DicomFolder) -> dict[str, Any]:
    rois = tuple(name for p in found.structures for name in roi_names(p))
    rois += tuple(name for p in found.segmentations for name in segment_names(p))
    if not found.series:
        regions = len(found.structures) + len(found.segmentations)
        if not regions:
            raise FormatError("no DICOM image or structure set", where=found.name, allowed="one DICOM series")
        kind = "rtstruct" if found.structures else "seg"
        return _told(kind, modality=kind.upper(), rois=rois, files=regions)
    rows = list_series(found)
    if len(rows) > 1:
        modalities = {r["modality"] for r in rows}
        modality = modalities.pop() if len(modalities) == 1 else ""
        return _told("dicom series", modality=modality, rois=rois, series=rows, files=sum(r["files"] for r in rows))
    (row,) = rows
    (files,) = found.series.values()
    slices = expand(files, found.name)
    return _told(
        "dicom series",
        modality=row["modality"],
        shape=(len(slices), row["rows"], row["columns"]),
        spacing=_spacing(found, slices),
        rois=rois,
        series=rows,
        files=len(files),
    )


def _spacing(found: DicomFolder, slices: list[Slice]) -> tuple[float, ...] | None:
    try:
        return tuple(float(v) for v in stack(slices, found.name)[1].spacing)
    except GeometryError:
        return None  # reading the series says what is wrong with it


def _told(kind: str, **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"kind": kind, "modality": "", "shape": None, "spacing": None, "rois": ()}
    return {**told, "integer": None, "series": [], "files": 0, **more}
