"""NIfTI-1 and NIfTI-2 files as volumes and masks.

Voxels are never resampled: the stored order (x, y, z) is turned round to (z, y, x) as a view, and the affine, brought
from RAS to LPS and to millimetres, carries all the rest. Format: https://nifti.nimh.nih.gov/nifti-1
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from radiolocus.errors import FormatError, GeometryError, RoiError
from radiolocus.model import Array, Geometry, Mask, Volume
from radiolocus.store import write_bytes

__all__ = ["is_nifti", "nifti_header", "nifti_labels", "read_nifti", "read_nifti_mask", "write_nifti"]

_GZIP = b"\x1f\x8b"
_KINDS = {348: nib.Nifti1Image, 540: nib.Nifti2Image}
_MILLIMETRES = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # xyzt_units & 7: unknown, metre, millimetre, micrometre
_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    zlib.error,
    nib.spatialimages.HeaderDataError,
    nib.wrapstruct.WrapStructError,  # a file that ends within its header
)
_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_WHOLE = 1e-4  # a scaled label (slope 1/255) is whole up to rounding
_TODO_COPY = "fetch or write the file again; it may have been cut while copying"


def is_nifti(path: Path) -> bool:
    """Tell by its name whether `path` is a NIfTI file."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def read_nifti(path: Path | str, *, modality: str = "") -> Volume:
    """Read a three-dimensional NIfTI image.

    Parameters
    ----------
    path : path
        ``.nii`` or ``.nii.gz``; a fourth dimension of length 1 is dropped.
    modality : str
        DICOM modality the study file gives; NIfTI does not carry one. A ``CT`` is taken to be in HU.

    Returns
    -------
    Volume
        float32 where the file stores float32 or integers of at most 16 bits without scaling, else float64. NaN and
        infinite voxels stay as they are and are counted in the notes.

    Raises
    ------
    FormatError
        Not NIfTI, truncated, corrupt, or voxels that are not real numbers.
    GeometryError
        Not three-dimensional, or axes that span no volume.
    """
    path = Path(path)
    stored, geometry, notes = _read(path)
    small = stored.dtype == np.float32 or (stored.dtype.kind in "iub" and stored.dtype.itemsize <= 2)
    array: npt.NDArray[np.floating[Any]] = stored.astype(np.float32 if small else np.float64, copy=False)
    odd = int(array.size - np.count_nonzero(np.isfinite(array)))
    if odd:
        notes.append(f"{odd} of {array.size} voxels are NaN or infinite")
    return Volume(array, geometry, modality, "HU" if modality == "CT" else "", tuple(notes))


def read_nifti_mask(path: Path | str, *, label: int | None = None) -> Mask:
    """Read a segmentation.

    Parameters
    ----------
    path : path
    label : int, optional
        Voxels equal to it are the region; without it every non-zero voxel is.

    Returns
    -------
    Mask
        May be empty when no label was asked for; its name is the label.

    Raises
    ------
    FormatError
        As :func:`read_nifti`, and values that are not whole numbers (a probability map).
    RoiError
        The label is not in the file; the message lists those that are.
    """
    path = Path(path)
    stored, geometry, notes = _read(path)
    whole = _whole(stored, path)
    present = _present(whole)
    if label is None:
        if len(present) > 1:
            notes.append(f"labels {_listed(present)} taken together as one region")
        return Mask(whole != 0, geometry, notes=tuple(notes))
    if label not in present:
        raise RoiError(
            f"no voxel has label {label}",
            where=path.name,
            allowed=f"labels in this file: {_listed(present) or 'none, the mask is empty'}",
            todo="give one of these labels as roi, or leave roi out to take all of them",
        )
    return Mask(whole == label, geometry, str(label), tuple(notes))


def nifti_labels(path: Path | str) -> tuple[int, ...]:
    """Read the labels of a segmentation, without 0.

    Raises
    ------
    FormatError
        As :func:`read_nifti_mask`.
    """
    path = Path(path)
    return tuple(_present(_whole(_read(path)[0], path)))


def _present(whole: npt.NDArray[Any]) -> list[int]:
    return [int(v) for v in np.unique(whole) if v != 0]


def nifti_header(path: Path | str) -> tuple[Geometry, np.dtype[Any]]:
    """Read only the header: the grid and the stored type of the voxels."""
    path = Path(path)
    with _wrapped(path):
        image = nib.load(path)
    if not isinstance(image, nib.Nifti1Image):
        raise _not_nifti(path)
    header: Any = image.header
    return _geometry(image, path)[0], np.dtype(header.get_data_dtype())


def write_nifti(path: Path | str, volume: Volume, description: str = "") -> None:
    """Write a volume as NIfTI-1, whole or not at all; the same volume gives the same bytes.

    Parameters
    ----------
    path : path
        ``.nii`` or ``.nii.gz``.
    volume : Volume
        Stored in its own floating type, along (x, y, z), with the affine in RAS as sform, and as qform, which holds no
        shear. NaN stays NaN; ITK (SimpleITK, 3D Slicer) turns it into 0 when it reads NIfTI.
    description : str
        For the header, cut at 79 bytes.

    Raises
    ------
    StoreError
        The file cannot be written.
    """
    path = Path(path)
    affine = _FROM_RAS @ volume.geometry.affine[:, [2, 1, 0, 3]]
    image: Any = nib.Nifti1Image(volume.array.transpose(2, 1, 0), affine)  # type: ignore[no-untyped-call]
    image.set_sform(affine, code="scanner")
    image.set_qform(affine, code="scanner")
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = description.encode()[:79]
    data = image.to_bytes()
    # Without a time in its header the same content is the same file.
    write_bytes(path, gzip.compress(data, mtime=0) if path.name.endswith(".gz") else data)


def _read(path: Path) -> tuple[npt.NDArray[Any], Geometry, list[str]]:
    # The whole stream is inflated first: only so is its checksum looked at, and a flipped bit found.
    with _wrapped(path):
        content = path.read_bytes()
        if content[:2] == _GZIP:
            content = gzip.decompress(content)
    kind = _KINDS.get(int.from_bytes(content[:4], "little")) or _KINDS.get(int.from_bytes(content[:4], "big"))
    if kind is None:
        raise _not_nifti(path)
    with _wrapped(path):
        image = kind.from_bytes(content)
    _check_size(image, len(content), path)
    geometry, notes = _geometry(image, path)
    with _wrapped(path):
        data = np.asanyarray(image.dataobj)
    if data.dtype.kind not in "iubf":
        raise FormatError(f"voxels of type {data.dtype}", where=path.name, allowed="integers or real numbers")
    native = data.dtype.newbyteorder("=")
    return data.reshape(data.shape[:3]).transpose(2, 1, 0).astype(native, copy=False), geometry, notes


def _check_size(image: Any, size: int, path: Path) -> None:
    shape, item = image.shape, image.header.get_data_dtype().itemsize
    needed = int(image.dataobj.offset) + int(np.prod(shape, dtype=np.int64)) * item
    if size < needed:
        raise FormatError(
            f"truncated: {size} bytes", where=path.name, allowed=f"{needed} bytes for shape {shape}", todo=_TODO_COPY
        )


def _geometry(image: Any, path: Path) -> tuple[Geometry, list[str]]:
    shape = tuple(int(n) for n in image.shape)
    if len(shape) < 3 or any(n != 1 for n in shape[3:]) or 0 in shape:
        raise GeometryError(
            f"an image of shape {shape} (x, y, z, ...)",
            where=path.name,
            allowed="three dimensions",
            todo="split the file into one three-dimensional file per time point or channel",
        )
    with _wrapped(path):
        affine, notes = _ras_affine(image.header)
    units = int(image.header["xyzt_units"]) & 7
    scale = _MILLIMETRES.get(units, 1.0)
    if scale != 1.0:
        notes.append("header in metres, converted to mm" if units == 1 else "header in micrometres, converted to mm")
    lps = np.diag([scale, scale, scale, 1.0]) @ _FROM_RAS @ affine
    try:
        return Geometry((shape[2], shape[1], shape[0]), lps[:, [2, 1, 0, 3]]), notes
    except GeometryError as error:
        raise error.at(path.name) from None


def _ras_affine(header: Any) -> tuple[Array, list[str]]:
    """Affine of (x, y, z) indices: sform before qform, as the standard's authors advise; else voxel sizes alone."""
    sform, qform = header.get_sform(coded=True)[0], header.get_qform(coded=True)[0]
    if sform is None and qform is None:
        sizes = [float(v) for v in header["pixdim"][1:4]]
        note = "no spatial transform in the header (sform and qform code 0): voxel sizes used, orientation unknown"
        return np.diag([*sizes, 1.0]), [note]
    if sform is None:
        return np.asarray(qform, np.float64), []
    notes = []
    if qform is not None:
        corner = np.array([*header.get_data_shape()[:3], 1.0])
        gap = max(float(np.linalg.norm((sform - qform) @ corner)), float(np.linalg.norm((sform - qform)[:3, 3])))
        if gap > 0.1:
            notes.append(f"sform and qform disagree by up to {gap:.3g} mm: sform used")
    return np.asarray(sform, np.float64), notes


def _whole(stored: npt.NDArray[Any], path: Path) -> npt.NDArray[Any]:
    if stored.dtype.kind in "iub":
        return stored
    with np.errstate(invalid="ignore"):
        rounded: npt.NDArray[Any] = np.rint(stored)
        wrong = ~(np.abs(stored - rounded) <= _WHOLE)
    if wrong.any():
        examples = ", ".join(f"{float(v):.4g}" for v in stored[wrong][:3])
        raise FormatError(
            f"{int(wrong.sum())} voxels of a mask are not whole numbers ({examples})",
            where=path.name,
            allowed="whole-number labels",
            todo="threshold a probability map, or check that this is the mask and not the image",
        )
    return rounded


def _listed(labels: list[int]) -> str:
    shown = ", ".join(map(str, labels[:20]))
    return f"{shown}, ... ({len(labels)} in all)" if len(labels) > 20 else shown


def _not_nifti(path: Path) -> FormatError:
    return FormatError("not a NIfTI file", where=path.name, allowed="single-file NIfTI-1 or NIfTI-2 (.nii, .nii.gz)")


@contextmanager
def _wrapped(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise FormatError("no such file", where=path.name, todo="check the path pattern of this image") from None
    except nib.filebasedimages.ImageFileError:
        raise _not_nifti(path) from None
    except _UNREADABLE as error:
        reason = (str(error).splitlines() or [""])[0]
        if isinstance(error, OSError) and error.filename:  # its text would show the whole path
            reason = str(error.strerror)
        raise FormatError(
            f"truncated or corrupt ({type(error).__name__}: {reason[:120]})",
            where=path.name,
            allowed="a whole NIfTI-1 or NIfTI-2 file",
            todo=_TODO_COPY,
        ) from None
