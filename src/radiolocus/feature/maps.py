"""Feature maps: at every voxel of a region the feature of the window around it.

Image processing and discretisation are those of the whole region and happen once, so that a grey level means the same
in every window; the largest grey level N, which two of the co-occurrence features divide by, is that of the region too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from radiolocus.errors import ConfigError, InputError
from radiolocus.feature import glcm, intensity
from radiolocus.feature.core import Context
from radiolocus.feature.families import FAMILIES
from radiolocus.feature.glcm import OFFSETS_2D, OFFSETS_3D
from radiolocus.feature.settings import FeatureSettings
from radiolocus.image.region import Region, bounding_box, prepare_region
from radiolocus.image.resample import Box, new_grid, resample_mask
from radiolocus.kernels.window import PAIR_FEATURES, STATISTICS, window_pairs, window_statistics
from radiolocus.model import Array, BoolArray, Geometry, Mask, Volume
from radiolocus.registry import suggest

__all__ = ["MAPPABLE", "feature_map"]

#: Columns of which there are maps: column → (aggregation or "" for statistics, feature without aggregation).
MAPPABLE: dict[str, tuple[str, str]] = {tag: ("", tag) for tag in intensity.FAMILY.features} | {
    tag + suffix: (aggregation, tag)
    for aggregation, (suffix, _) in glcm.FAMILY.aggregations.items()
    for tag in glcm.FAMILY.features
}

_LARGEST_RADIUS = 50
_LARGEST_MATRICES = 2**28  # cells held at a time: 1 GiB


def feature_map(
    volume: Volume,
    mask: Mask,
    settings: FeatureSettings,
    features: Iterable[str],
    *,
    radius_voxels: int | None = None,
    radius_mm: float | None = None,
) -> dict[str, Volume]:
    """Take features of the window around every voxel of a region.

    Parameters
    ----------
    volume, mask : Volume, Mask
        On the same grid.
    settings : FeatureSettings
        Image processing and discretisation, of the whole region; families, aggregations and filters are not looked at.
    features : iterable of str
        Columns of the families ``intensity`` and ``glcm``, e.g. ``stat_mean``, ``cm_joint_entr_3d_comb``. Slices of the
        2D and 2.5D aggregations are those of the window.
    radius_voxels : int, optional
        The window reaches so many voxels to either side along every axis: (2r + 1)³ voxels, of which those of the
        intensity mask count.
    radius_mm : float, optional
        Instead: so many whole voxels as lie within this many mm along each axis, at least one along one of them.

    Returns
    -------
    dict of str to Volume
        A map a feature in the order asked for, on the box around the region (on the new grid where `settings`
        resample). NaN outside the region and where the feature has no value; the notes say of how many voxels.

    Raises
    ------
    ConfigError
        An unknown feature, one of a family that has no maps, or a radius that is none.
    InputError
        As :func:`radiolocus.feature.extract.extract`, and grey levels too many for a matrix a direction.
    """
    wanted = _known(features)
    region = _region(volume, mask, settings)
    radius = _radius(region.spacing, radius_voxels, radius_mm)
    geometry = _place(volume.geometry, mask.array, settings)
    rows: dict[str, Array] = {}
    for aggregation in dict.fromkeys(MAPPABLE[column][0] for column in wanted):
        if aggregation:
            names: tuple[str, ...] = PAIR_FEATURES
            values = _pairs(Context(region, settings.discretise).levels, aggregation, radius)
        else:
            names = STATISTICS
            values = window_statistics(region.image, region.intensity, radius)
        rows |= {c: values[names.index(MAPPABLE[c][1])] for c in wanted if MAPPABLE[c][0] == aggregation}
    empty = Volume(np.full(geometry.shape, np.nan), geometry, volume.modality)
    return {column: _drawn(empty, region, rows[column], column, volume.unit) for column in wanted}


def _known(features: Iterable[str]) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(features))
    allowed = (
        "features of the families intensity (stat_mean, ...) and glcm with an aggregation (cm_contrast_3d_avg, ...)"
    )
    if not wanted:
        raise ConfigError("no feature to map", allowed=allowed)
    for column in wanted:
        if column in MAPPABLE:
            continue
        family = next((name for name, f in FAMILIES.items() if any(column.startswith(tag) for tag in f.features)), "")
        if family and family not in ("intensity", "glcm"):
            raise ConfigError(f"a map of '{column}', of the family {family}", allowed=allowed)
        raise ConfigError(f"a map of the unknown feature '{column}'", allowed=allowed, todo=suggest(column, MAPPABLE))
    return wanted


def _region(volume: Volume, mask: Mask, settings: FeatureSettings) -> Region:
    return prepare_region(
        volume,
        mask,
        resample_mm=settings.resample_mm,
        interpolation=settings.interpolation,
        rounded=settings.rounds(volume),
        resegment_range=settings.resegment_range,
        resegment_outliers=settings.resegment_outliers,
    )


def _radius(spacing: Array, voxels: int | None, mm: float | None) -> npt.NDArray[np.int64]:
    if (voxels is None) == (mm is None):
        raise ConfigError("no radius" if voxels is None else "two radii", allowed="one: in voxels, or in mm")
    reach = np.full(3, voxels or 0) if mm is None else np.floor(mm / spacing + 1e-6)
    if not (np.isfinite(reach).all() and (reach >= 0).all() and 1 <= reach.max() <= _LARGEST_RADIUS):
        got = f"a radius of {voxels} voxels" if mm is None else f"a radius of {mm:g} mm"
        size = " x ".join(f"{s:g}" for s in spacing)
        raise ConfigError(
            f"{got} on voxels of {size} mm (z, y, x)",
            allowed=f"1 to {_LARGEST_RADIUS} voxels along the axis of the smallest, and none below 0",
        )
    return reach.astype(np.int64)


def _place(grid: Geometry, mask: BoolArray, settings: FeatureSettings) -> Geometry:
    """Say where the box around the processed region lies."""
    box = bounding_box(mask)
    if settings.resample_mm is not None:
        new = new_grid(grid, settings.resample_mm)
        reach = new.box_around(box)
        inner = bounding_box(resample_mask(mask, new, reach))
        grid, box = new.geometry, _moved(inner, reach)
    affine = grid.affine.copy()
    affine[:3, 3] = (grid.affine @ [*(part.start for part in box), 1.0])[:3]
    z, y, x = (part.stop - part.start for part in box)
    return Geometry((z, y, x), affine)


def _moved(box: Box, by: Box) -> Box:
    z, y, x = (slice(b.start + o.start, b.stop + o.start) for b, o in zip(box, by, strict=True))
    return z, y, x


def _pairs(levels: npt.NDArray[np.int32], aggregation: str, radius: npt.NDArray[np.int64]) -> Array:
    flat = not aggregation.startswith("3d")
    offsets = OFFSETS_2D if flat else OFFSETS_3D
    d, slices = len(offsets), int(2 * radius[0] + 1)
    direction, plane = np.arange(d), np.arange(slices)[:, None]
    matrix = {
        "2d_avg": plane * d + direction,
        "2d_comb": plane + 0 * direction,
        "2_5d_avg": 0 * plane + direction,
        "3d_avg": 0 * plane + direction,
    }.get(aggregation, np.zeros((slices, d), dtype=np.int64))
    n, n_matrices = int(levels.max()), int(matrix.max()) + 1
    if n_matrices * (n + 1) ** 2 > _LARGEST_MATRICES:
        raise InputError(
            f"{n} grey levels in {n_matrices} matrices of aggregation {aggregation}",
            allowed=f"at most {int((_LARGEST_MATRICES / n_matrices) ** 0.5) - 1} grey levels",
            todo="choose a larger bin_width, use bin_number, or a merged aggregation (3d_comb)",
        )
    return window_pairs(levels, offsets, matrix.astype(np.int64), n_matrices, n, radius)


def _drawn(empty: Volume, region: Region, values: Array, column: str, unit: str) -> Volume:
    array = empty.array.copy()
    array[region.intensity] = np.where(np.isfinite(values), values, np.nan)
    lost = int(np.count_nonzero(~np.isfinite(values)))
    notes = [*region.notes]
    if lost:
        notes.append(f"{column} has no value at {lost} of {values.size} voxels (windows where it is not defined)")
    aggregation, tag = MAPPABLE[column]
    told = (glcm if aggregation else intensity).FAMILY.features[tag].unit
    return replace(empty, array=array, unit=unit if told == "intensity" else "", notes=tuple(notes))
