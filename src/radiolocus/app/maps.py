"""Feature maps of one image and one region, for ``radiolocus map``: computed and written with their origin."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from radiolocus.app.features import input_hashes
from radiolocus.errors import InputError
from radiolocus.feature.maps import feature_map
from radiolocus.feature.settings import FeatureSettings
from radiolocus.read.imaging import read_pair
from radiolocus.read.nifti import write_nifti
from radiolocus.read.options import ReadOptions
from radiolocus.store import versions, write_json

__all__ = ["MapOrder", "map_of_pair"]


@dataclass(frozen=True)
class MapOrder:
    """What is to be mapped.

    Parameters
    ----------
    features : tuple of str
        Columns.
    radius_voxels : int or None
    radius_mm : float or None
        One of the two.
    roi : str or None
    modality : str
    reading : ReadOptions or None
        See :func:`radiolocus.read.imaging.read_pair`.
    """

    features: tuple[str, ...]
    radius_voxels: int | None = None
    radius_mm: float | None = None
    roi: str | None = None
    modality: str = ""
    reading: ReadOptions | None = None


def map_of_pair(
    image: Path, mask: Path, settings: FeatureSettings, order: MapOrder, folder: Path
) -> tuple[list[str], list[str], int]:
    """Read an image with a mask, and write a map a feature into `folder` as ``FEATURE.nii.gz``, with ``maps.json``.

    Returns
    -------
    lines : list of str
        What was written: one line a map with its range.
    notes : list of str
        What a person should know.
    without_value : int
        Maps without a single value.
    """
    volume, region = read_pair(image, mask, roi=order.roi, modality=order.modality, options=order.reading)
    try:
        maps = feature_map(
            volume, region, settings, order.features, radius_voxels=order.radius_voxels, radius_mm=order.radius_mm
        )
    except InputError as error:
        raise error.at(f"{image.name}, {mask.name}") from None
    notes = list(dict.fromkeys([*volume.notes, *region.notes, *(n for one in maps.values() for n in one.notes)]))
    lines, lost = [], 0
    for name, one in maps.items():
        write_nifti(folder / f"{name}.nii.gz", one, f"{name} {one.unit}".strip())
        values = one.array[~np.isnan(one.array)]
        lost += values.size == 0
        told = f"{values.size} voxels, {values.min():.6g} to {values.max():.6g}" if values.size else "no value anywhere"
        lines.append(f"{folder / name}.nii.gz: {told}{f' {one.unit}' if one.unit and values.size else ''}")
    origin = {
        "image": image.name,
        "mask": mask.name,
        "unit": volume.unit,
        "order": asdict(order),
        "settings": asdict(settings),
        "versions": versions(),
        "input_hash": input_hashes(image, mask),
        "notes": notes,
    }
    write_json(folder / "maps.json", origin)
    return lines, notes, lost
