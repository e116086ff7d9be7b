"""Stored pixel values of DICOM files, whatever their transfer syntax.

JPEG, JPEG-LS and JPEG 2000 are decoded by the GDCM that SimpleITK carries, so that the values do not depend on which
decoders happen to be installed beside pydicom; pydicom decodes all else (uncompressed, deflated, RLE).
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import generate_frames
from pydicom.uid import (
    JPEG2000,
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

from radiolocus.errors import FormatError
from radiolocus.read.slices import Slice, number

__all__ = ["TODO_COPY", "check_kind", "decoded", "intensities", "lossy_notes"]

TODO_COPY = "fetch the series again; it may have been cut while copying"
_LOSSLESS_GDCM = (JPEGLossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless)
_LOSSY = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless)  # JPEG 2000 (.91) may be either
_GDCM = (*_LOSSLESS_GDCM, *_LOSSY, JPEG2000)
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_PIXEL_MODULE = (
    *("SamplesPerPixel", "PhotometricInterpretation", "NumberOfFrames", "Rows", "Columns"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
)


def check_kind(slices: Sequence[Slice], where: str) -> None:
    """Refuse pixels that are not one measured quantity.

    Raises
    ------
    FormatError
        Colour, palettes, or bits laid out as DICOM gave up in 1993.
    """
    for s in slices:
        samples = int(s.header.get("SamplesPerPixel", 1) or 1)
        kind = str(s.header.get("PhotometricInterpretation", "") or "MONOCHROME2")
        place = f"{where}: {s.where}"
        if samples != 1 or not kind.startswith("MONOCHROME"):
            raise FormatError(
                f"a colour image ({kind}, {samples} sample{'s' if samples > 1 else ''} per pixel)",
                where=place,
                allowed="MONOCHROME1 or MONOCHROME2, one sample per pixel",
                todo="use the measured series, not a picture of it",
            )
        stored, high = (int(s.header.get(name, 0) or 0) for name in ("BitsStored", "HighBit"))
        if stored and high != stored - 1:
            raise FormatError(
                f"High Bit (0028,0102) is {high} at {stored} Bits Stored (0028,0101)",
                where=place,
                allowed=f"{stored - 1}",
                todo="rewrite the series with a current DICOM toolkit",
            )


def lossy_notes(slices: Sequence[Slice]) -> list[str]:
    """Say which slices were compressed with loss at any time, and how much of them is gone."""
    lossy = [s for s in slices if _is_lossy(s)]
    unsure = sum(_syntax(s.header) == JPEG2000 and not s.header.get("LossyImageCompression") for s in slices)
    if unsure:
        return [
            f"{unsure} of {len(slices)} slices are JPEG 2000 of either kind, and Lossy Image Compression (0028,2110) "
            "does not say whether anything was lost"
        ]
    if not lossy:
        return []
    ratios = sorted({str(s.header.get("LossyImageCompressionRatio") or "unknown") for s in lossy})
    return [
        f"{len(lossy)} of {len(slices)} slices were compressed with loss (Lossy Image Compression (0028,2110); ratio "
        f"{', '.join(ratios)}): intensities and textures are not those that were measured"
    ]


def _is_lossy(s: Slice) -> bool:
    return str(s.header.get("LossyImageCompression", "")) == "01" or _syntax(s.header) in _LOSSY


def _syntax(header: Dataset) -> UID | None:
    meta = getattr(header, "file_meta", None)
    found = None if meta is None else meta.get("TransferSyntaxUID")
    return found if isinstance(found, UID) else None


def intensities(
    slices: Sequence[Slice], shape: tuple[int, int, int], factor: float = 1.0
) -> npt.NDArray[np.floating[Any]]:
    """Decode slices and bring them to real values with the rescale slope and intercept of each.

    Parameters
    ----------
    slices : sequence of Slice
        In the order of the z axis.
    shape : tuple of int
        (slices, rows, columns).
    factor : float
        What rescaled values are multiplied by, in double precision.

    Returns
    -------
    ndarray
        float32 for pixels of at most 16 bits, else float64.

    Raises
    ------
    FormatError
        Pixels that are cut, cannot be decoded or contradict their header.
    """
    scales = [(number(s, "RescaleSlope", 1.0), number(s, "RescaleIntercept", 0.0)) for s in slices]
    # float32 arithmetic is what converters to NIfTI do: 16-bit pixels then have the same bits by either road.
    narrow = all(int(s.header.get("BitsAllocated", 64)) <= 16 for s in slices)
    real: type[np.floating[Any]] = np.float32 if narrow else np.float64
    array: npt.NDArray[np.floating[Any]] = np.empty(shape, real)
    stored: npt.NDArray[Any] = np.empty(0)
    held: Path | None = None
    for k, (s, (slope, intercept)) in enumerate(zip(slices, scales, strict=True)):
        if s.frame is None or s.path != held:  # all frames of an object are decoded at once
            stored, held = _pixels(s), s.path
        plane = stored if s.frame is None else stored[s.frame]
        if plane.shape != shape[1:]:
            raise FormatError(
                f"pixels of shape {plane.shape}", where=s.where, allowed=f"{shape[1:]} as the header says"
            )
        _check_range(plane, slope, intercept, factor, float(np.finfo(real).max), s)
        array[k] = plane.astype(real) * real(slope) + real(intercept)
        if factor != 1.0:
            array[k] = array[k].astype(np.float64) * factor
    return array


def _check_range(
    plane: npt.NDArray[Any], slope: float, intercept: float, factor: float, limit: float, s: Slice
) -> None:
    """Refuse a rescale that no floating-point value holds: its header is damaged."""
    widest = float(np.iinfo(plane.dtype).max) if plane.dtype.kind in "iu" else 1.0
    if max(abs(slope) * widest + abs(intercept), 1.0) * max(factor, 1.0) > limit / 2:
        raise FormatError(
            f"rescale slope {slope:g} and intercept {intercept:g}, factor {factor:g}",
            where=s.where,
            allowed="values that a floating-point number holds",
            todo=TODO_COPY,
        )


def _pixels(s: Slice) -> npt.NDArray[Any]:
    """Stored values of a file, with the axis of frames in front if `s` is one of them."""
    try:
        dataset = pydicom.dcmread(s.path, force=True)
        if "TransferSyntaxUID" not in dataset.file_meta:  # a bare file: uncompressed, and pydicom saw which kind
            implicit = dataset.original_encoding[0]
            dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        stored = decoded(dataset, s.path.name)
    except FormatError:
        raise
    except Exception as error:  # decoders of many makers raise many things
        raise _undecodable(s, error) from None
    if s.frame is None:
        return stored
    return stored if stored.ndim == 3 else stored[None]


def decoded(dataset: Dataset, where: str = "") -> npt.NDArray[Any]:
    """Decode the stored values of a data set, shape (frames, rows, columns) or (rows, columns).

    Raises
    ------
    FormatError
        Values of more bits than are said to hold them.
    Exception
        Whatever the decoders raise on damaged pixels.
    """
    if dataset.file_meta.TransferSyntaxUID not in _GDCM:
        dataset.pixel_array_options(correct_unused_bits=False)
        return _settled(dataset.pixel_array, dataset, where)
    import SimpleITK  # loading it takes longer than measuring a region; only compressed pixels need it

    itk: Any = SimpleITK  # which comes without types
    _check_ends(dataset)
    bare = Dataset()
    bare.file_meta = FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    bare.file_meta.MediaStorageSOPClassUID = bare.SOPClassUID = UID(_SECONDARY_CAPTURE)
    bare.file_meta.MediaStorageSOPInstanceUID = bare.SOPInstanceUID = UID("2.25.1")
    for name in _PIXEL_MODULE:
        if name in dataset:
            bare[name] = dataset[name]
    bare["PixelData"] = dataset["PixelData"]
    # What GDCM gets knows of no rescale, palette or place, so that it gives back the stored values and nothing else.
    with tempfile.TemporaryDirectory(prefix="radiolocus-") as folder:
        path = Path(folder) / "pixels.dcm"
        bare.save_as(path, enforce_file_format=True)
        reader = itk.ImageFileReader()
        reader.SetImageIO("GDCMImageIO")
        reader.SetFileName(str(path))
        stored: npt.NDArray[Any] = itk.GetArrayFromImage(reader.Execute())
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    return stored[0] if frames == 1 and stored.ndim == 3 else stored


def _check_ends(dataset: Dataset) -> None:
    """Refuse JPEG streams that are cut: the decoder would wait for the rest of them for ever."""
    if dataset.file_meta.TransferSyntaxUID in (JPEG2000, JPEG2000Lossless):
        return  # which it finds by itself, and some writers leave out the end mark
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    whole = 0
    for stream in generate_frames(dataset.PixelData, number_of_frames=frames):
        if not stream.rstrip(b"\0").endswith(b"\xff\xd9"):
            raise EOFError
        whole += 1
    if whole != frames:
        raise EOFError


def _settled(raw: npt.NDArray[Any], dataset: Dataset, where: str) -> npt.NDArray[Any]:
    """Clear the bits beyond Bits Stored where they hold nothing, the sign, or an overlay, as was once allowed.

    Other values there are wider than the header says; tools disagree on them, so they are refused.
    """
    bits = int(dataset.get("BitsStored", 0) or 0)
    unused = raw.dtype.itemsize * 8 - bits
    if raw.dtype.kind not in "iu" or bits <= 0 or unused <= 0:
        return raw
    values: npt.NDArray[Any] = (raw << unused) >> unused
    if np.array_equal(values, raw) or _has_embedded_overlay(dataset):
        return values
    if ((values != raw) & ((values & (2**bits - 1)) != raw)).any():
        least, most = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if raw.dtype.kind == "i" else (0, 2**bits - 1)
        raise FormatError(
            f"stored values from {int(raw.min())} to {int(raw.max())} in {bits} Bits Stored (0028,0101)",
            where=where,
            allowed=f"{least} to {most}",
            todo="export the series again: its values are wider than its header says",
        )
    return values


def _has_embedded_overlay(dataset: Dataset) -> bool:
    return any(
        tag.group & 0xFF00 == 0x6000 and tag.element == 0x0102 and int(dataset[tag].value or 0) > 0
        for tag in dataset.keys()  # noqa: SIM118  (iterating a data set yields its elements)
    )


def _undecodable(s: Slice, error: Exception) -> FormatError:
    syntax = _syntax(s.header)
    compressed = syntax is not None and syntax.is_transfer_syntax and syntax.is_encapsulated
    if compressed and syntax not in _GDCM and isinstance(error, RuntimeError | NotImplementedError | ImportError):
        return FormatError(
            f"pixels compressed as {syntax.name if syntax else 'unknown'} cannot be decoded here",
            where=s.path.name,
            allowed="uncompressed, deflated, RLE, JPEG, JPEG-LS or JPEG 2000",
            todo="decompress first (dcmdjpeg, gdcmconv --raw), or install a pydicom plugin for this syntax",
        )
    return FormatError(
        f"pixel data truncated or corrupt ({type(error).__name__})",
        where=s.path.name,
        allowed=f"{s.header.Rows} x {s.header.get('Columns')} whole pixels",
        todo=TODO_COPY,
    )
