"""Features under PyRadiomics' names and definitions, so that models made with it go on working.

>>> from radiolocus.feature.pyradiomics import PyradiomicsParameters
>>> PyradiomicsParameters().features["ngtdm"]
('Busyness', 'Coarseness', 'Complexity', 'Contrast', 'Strength')
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK

from radiolocus.errors import FormatError, InputError, UndefinedError
from radiolocus.feature.core import smallest
from radiolocus.feature.extract import Extraction
from radiolocus.feature.pyradiomics_first_order import FIRST_ORDER, FirstOrder, bin_levels
from radiolocus.feature.pyradiomics_images import Image, Prepared, derived, prepare
from radiolocus.feature.pyradiomics_parameters import PyradiomicsParameters, PyradiomicsSettings, read_pyradiomics
from radiolocus.feature.pyradiomics_shape import SHAPE, PyradiomicsShape
from radiolocus.feature.pyradiomics_shape2d import SHAPE_2D, flat_shape
from radiolocus.feature.pyradiomics_texture import TEXTURE, texture
from radiolocus.image.region import bounding_box
from radiolocus.model import BoolArray, Problem
from radiolocus.read.nifti import is_nifti, read_nifti

__all__ = [
    "PyradiomicsParameters",
    "PyradiomicsSettings",
    "extract_pyradiomics",
    "read_as_zero",
    "read_image",
    "read_pyradiomics",
]

Value = float | UndefinedError


def read_image(path: Path) -> Image:
    """Read a file as PyRadiomics does: by ITK, in its own pixel type (NIfTI, NRRD, MetaImage, ...).

    Raises
    ------
    FormatError
        A file that ITK cannot read.
    """
    try:
        return SimpleITK.ReadImage(str(path))
    except RuntimeError as error:
        said = str(error).strip().splitlines()[-1]
        raise FormatError(
            f"a file that ITK cannot read: {said}", where=path.name, allowed="one file: NIfTI, NRRD, MetaImage"
        ) from None


def read_as_zero(path: Path, image: Image) -> BoolArray | None:
    """Say which voxels of a NIfTI file are NaN or infinite, which ITK reads as 0; None where there are none.

    Parameters
    ----------
    path : Path
    image : SimpleITK.Image
        What ITK read.

    Returns
    -------
    ndarray of bool, shape (z, y, x), or None
    """
    if not is_nifti(path) or image.GetPixelID() not in (SimpleITK.sitkFloat32, SimpleITK.sitkFloat64):
        return None
    lost = ~np.isfinite(read_nifti(path).array)
    return lost if lost.any() else None


def extract_pyradiomics(
    image: Image,
    mask: Image,
    parameters: PyradiomicsParameters | None = None,
    *,
    as_zero: BoolArray | None = None,
) -> Extraction:
    """Take the features that a parameter file asks for.

    Parameters
    ----------
    image : SimpleITK.Image
        Three-dimensional, in the pixel type of its file: whole numbers are rounded when they are resampled.
    mask : SimpleITK.Image
        Label map, or several in as many components (overlapping segments), of which `label_channel` says one.
    parameters : PyradiomicsParameters, optional
        From :func:`read_pyradiomics`; PyRadiomics' defaults without.
    as_zero : ndarray of bool, shape (z, y, x), optional
        Voxels of the image that have no intensity, from :func:`read_as_zero`: none may lie in the region.

    Returns
    -------
    Extraction
        Values under PyRadiomics' names (``original_glcm_JointEntropy``); None where PyRadiomics has NaN or nothing.

    Raises
    ------
    FormatError
        An image or a mask that is not three-dimensional, or that has several components a voxel.
    GeometryError, RoiError, InputError
        See :func:`radiolocus.feature.pyradiomics_images.prepare`.

    References
    ----------
    van Griethuysen et al., Computational radiomics system to decode the radiographic phenotype, Cancer Res
    2017;77:e104; definitions of version 3.0.1.
    """
    parameters = parameters or PyradiomicsParameters()
    mask = _component(mask, parameters.settings.label_channel)
    for what, volume in (("image", image), ("mask", mask)):
        if volume.GetDimension() != 3 or volume.GetNumberOfComponentsPerPixel() != 1:
            raise FormatError(
                f"{what} of {volume.GetDimension()} dimensions and {volume.GetNumberOfComponentsPerPixel()} components",
                allowed="three dimensions, one component",
            )
    notes = [*parameters.notes]
    if as_zero is not None:
        notes.append(_check_lost(image, mask, parameters.settings.label, as_zero))
    prepared = prepare(image, mask, parameters.settings)
    values: dict[str, float | None] = {}
    problems = [Problem("features", note, "note") for note in notes]
    for name, value in _features(prepared, parameters):
        values[name] = value if isinstance(value, float) else None
        if isinstance(value, UndefinedError):
            problems.append(
                Problem("features", value.got, "no value", item=name, allowed=value.allowed, todo=value.todo)
            )
    inside = prepared.array[prepared.kept]
    diagnostics = {
        "voxels_resampled": float(np.count_nonzero(prepared.drawn)),
        "voxels_resegmented": float(inside.size),
        **dict(zip(("spacing_z_mm", "spacing_y_mm", "spacing_x_mm"), prepared.spacing.tolist(), strict=True)),
        "intensity_minimum": float(inside.min()),
        "intensity_mean": float(inside.mean()),
        "intensity_maximum": float(inside.max()),
    }
    return Extraction(values, tuple(problems), diagnostics)


def _check_lost(image: Image, mask: Image, label: int, as_zero: BoolArray) -> str:
    itk: Any = SimpleITK
    drawn = itk.Resample(mask, image, itk.Transform(), itk.sitkNearestNeighbor)
    inside = int(np.count_nonzero(as_zero & (itk.GetArrayFromImage(drawn) == label)))
    if inside:
        raise InputError(
            f"{inside} NaN or infinite voxels inside the region, which ITK, and with it PyRadiomics, reads as 0",
            allowed="finite intensities inside the region",
            todo="repair the image, or exclude these voxels from the mask",
        )
    return f"{np.count_nonzero(as_zero)} NaN or infinite voxels beside the region count as 0, as ITK reads them"


def _component(mask: Image, channel: int) -> Image:
    several = mask.GetNumberOfComponentsPerPixel()
    if several == 1:
        return mask
    if channel >= several:
        raise FormatError(
            f"label_channel = {channel} of a mask of {several} components",
            allowed=f"0 to {several - 1}",
            todo="set label_channel to one of them",
        )
    return SimpleITK.VectorIndexSelectionCast(mask, channel)  # type: ignore[no-untyped-call]


def _features(prepared: Prepared, parameters: PyradiomicsParameters) -> Iterator[tuple[str, Value]]:
    if "shape" in parameters.features:
        solid = PyradiomicsShape(prepared.drawn, prepared.spacing)
        for name in parameters.features["shape"]:
            yield f"original_shape_{name}", _value(SHAPE[name], solid)
    yield from _flat_features(prepared, parameters)
    for kind in parameters.image_types:
        for prefix, array in derived(prepared, kind):
            yield from _of_image(prefix, array, prepared, kind.settings, parameters)


def _flat_features(prepared: Prepared, parameters: PyradiomicsParameters) -> Iterator[tuple[str, Value]]:
    names = parameters.features.get("shape2D", ())
    try:
        flat = flat_shape(prepared.drawn, prepared.spacing, parameters.settings.force2Ddimension) if names else None
    except UndefinedError as reason:
        yield from ((f"original_shape2D_{name}", reason) for name in names)
        return
    yield from ((f"original_shape2D_{name}", _value(SHAPE_2D[name], flat)) for name in names)


def _of_image(
    prefix: str,
    array: npt.NDArray[np.generic] | UndefinedError,
    prepared: Prepared,
    settings: PyradiomicsSettings,
    parameters: PyradiomicsParameters,
) -> Iterator[tuple[str, Value]]:
    wanted = {c: names for c, names in parameters.features.items() if not c.startswith("shape")}
    try:
        made = _inside(array, prepared)
    except UndefinedError as reason:
        yield from ((f"{prefix}_{c}_{name}", reason) for c, names in wanted.items() for name in names)
        return
    levels = smallest(bin_levels(made, settings))
    box = bounding_box(prepared.kept)
    padded = np.zeros([n.stop - n.start + 2 for n in box], dtype=levels.dtype)
    padded[1:-1, 1:-1, 1:-1][prepared.kept[box]] = levels
    for c, names in wanted.items():
        if c == "firstorder":
            volume = float(np.prod(prepared.spacing))
            first = FirstOrder(made.astype(np.float64), levels, settings.voxelArrayShift, volume)
            yield from ((f"{prefix}_{c}_{name}", _value(FIRST_ORDER[name], first)) for name in names)
            continue
        try:
            matrices = texture(c, padded, settings, prepared.spacing)
        except UndefinedError as reason:
            yield from ((f"{prefix}_{c}_{name}", reason) for name in names)
            continue
        yield from ((f"{prefix}_{c}_{name}", _value(TEXTURE[c][name], matrices)) for name in names)


def _inside(array: npt.NDArray[np.generic] | UndefinedError, prepared: Prepared) -> npt.NDArray[Any]:
    if isinstance(array, UndefinedError):
        raise array
    made = array[prepared.kept]
    bad = int(np.count_nonzero(~np.isfinite(made)))
    if bad:
        raise UndefinedError(
            f"{bad} NaN or infinite voxels of the filtered image inside the region",
            allowed="finite intensities wherever the filter reaches",
            todo="repair the image",
        )
    return made


def _value(compute: Callable[[Any], Any], of: object) -> Value:
    try:
        with np.errstate(all="ignore"):
            value = float(np.mean(compute(of)))
    except UndefinedError as reason:
        return reason
    return value if math.isfinite(value) else UndefinedError(f"the result is {value}", allowed="a finite number")
