"""Features under PyRadiomics' names within a study: from a volume and a region to what PyRadiomics would be given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import SimpleITK

from radiolocus.errors import RoiError
from radiolocus.feature.extract import Extraction
from radiolocus.feature.pyradiomics import extract_pyradiomics, read_image
from radiolocus.feature.pyradiomics_images import Image, prefixes
from radiolocus.feature.pyradiomics_parameters import PyradiomicsParameters
from radiolocus.model import Geometry, Mask, Volume
from radiolocus.schema import conform

__all__ = ["extract_as_pyradiomics", "itk_image", "pyradiomics_dictionary", "with_label"]

_itk: Any = SimpleITK


def with_label(parameters: PyradiomicsParameters, label: int) -> PyradiomicsParameters:
    """Return `parameters` with another label in place of theirs."""
    types = tuple(replace(kind, settings=replace(kind.settings, label=label)) for kind in parameters.image_types)
    return replace(parameters, settings=replace(parameters.settings, label=label), image_types=types)


def itk_image(array: np.ndarray[Any, Any], geometry: Geometry) -> Image:
    """Return an array of a grid as an image of SimpleITK."""
    image = _itk.GetImageFromArray(array)
    axes = geometry.affine[:3, [2, 1, 0]]
    image.SetSpacing(geometry.spacing[::-1].tolist())
    image.SetDirection((axes / geometry.spacing[::-1]).ravel().tolist())
    image.SetOrigin(geometry.affine[:3, 3].tolist())
    return image


def extract_as_pyradiomics(
    volume: Volume,
    mask: Mask,
    parameters: PyradiomicsParameters,
    *,
    image_file: Path | None = None,
    mask_file: Path | None = None,
    label: str | None = None,
) -> Extraction:
    """Take the features that a parameter file asks for of a region of a study.

    Parameters
    ----------
    volume, mask : Volume, Mask
        On one grid.
    parameters : PyradiomicsParameters
    image_file : Path, optional
        File of the image, which ITK then reads as PyRadiomics does, in its pixel type. Without it the image is that of
        `volume`, of whole numbers where all intensities are.
    mask_file : Path, optional
        File of a label map, which ITK then reads. Without it the region is that of `mask`.
    label : str, optional
        Number that takes the place of the label of the parameter file in `mask_file`.

    Returns
    -------
    Extraction

    Raises
    ------
    InputError
        As :func:`radiolocus.feature.pyradiomics.extract_pyradiomics`.
    """
    image = read_image(image_file) if image_file else itk_image(_in_pixel_type(volume), volume.geometry)
    lost = ~np.isfinite(volume.array) if image_file else None
    as_zero = lost if lost is not None and lost.any() else None
    if mask_file:
        return extract_pyradiomics(image, read_image(mask_file), _labelled(parameters, label), as_zero=as_zero)
    drawn = itk_image(mask.array.astype(np.uint8), mask.geometry)
    if image_file:
        # The same voxels, stored in the order of the file.
        drawn = _itk.Resample(drawn, image, _itk.Transform(), _itk.sitkNearestNeighbor)
    return extract_pyradiomics(image, drawn, with_label(parameters, 1), as_zero=as_zero)


def _labelled(parameters: PyradiomicsParameters, label: str | None) -> PyradiomicsParameters:
    if label is None:
        return parameters
    if not (label.isascii() and label.isdigit() and int(label) > 0):
        raise RoiError(f"roi '{label}' of a label map", allowed="a label number above 0")
    return with_label(parameters, int(label))


def _in_pixel_type(volume: Volume) -> np.ndarray[Any, Any]:
    array = volume.array
    limit = np.iinfo(np.int32).max
    whole = bool(np.isfinite(array).all() and (np.abs(array) <= limit).all() and (array == np.rint(array)).all())
    return array.astype(np.int32) if whole else array.astype(np.float64)


def pyradiomics_dictionary(parameters: PyradiomicsParameters) -> pl.DataFrame:
    """Say what each column is that a parameter file asks for: a table ``features/dictionary``, in their order."""
    rows = [
        {
            "feature": f"{prefix}_{family}_{name}",
            "name": name if prefix == "original" else f"{name} of the image {prefix}",
            "ibsi_id": "",
            "family": f"pyradiomics {family}",
            "aggregation": "",
            "unit": "",
        }
        for prefix, family, name in _columns(parameters)
    ]
    return conform(pl.DataFrame(rows), "features/dictionary")


def _columns(parameters: PyradiomicsParameters) -> Iterator[tuple[str, str, str]]:
    for shape in ("shape", "shape2D"):
        yield from (("original", shape, name) for name in parameters.features.get(shape, ()))
    for kind in parameters.image_types:
        for prefix in prefixes(kind):
            for family, names in parameters.features.items():
                if not family.startswith("shape"):
                    yield from ((prefix, family, name) for name in names)
