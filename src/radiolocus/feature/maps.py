"""Feature maps: at every voxel of a region the feature of the window around it.

Image processing and discretisation are those of the whole region and happen once, so that a grey level means the same
in every window; the largest grey level N, which two of the co-occurrence features divide by, and the scale of the
intensity-volume histogram are those of the region too. For all else a window is a region of its own: its sides are a
border for runs, zones, distances and neighbourhoods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

from radiolocus.errors import ConfigError, InputError, UndefinedError
from radiolocus.feature.core import AGGREGATIONS, Context
from radiolocus.feature.crew import available_threads
from radiolocus.feature.families import FAMILIES
from radiolocus.feature.filtered import responses
from radiolocus.feature.glcm import OFFSETS_2D, OFFSETS_3D
from radiolocus.feature.local_intensity import RADIUS_MM, Peaks
from radiolocus.feature.settings import FeatureSettings
from radiolocus.image.region import Region, bounding_box, prepare_region
from radiolocus.image.resample import Box, new_grid, resample_mask
from radiolocus.kernels.window import PAIR_FEATURES, STATISTICS, window_pairs, window_statistics
from radiolocus.kernels.window_histogram import HISTOGRAM, VOLUME_HISTOGRAM
from radiolocus.kernels.window_levels import DEPENDENCE, DISTANCES, RUNS, ZONES, window_levels
from radiolocus.kernels.window_tones import PEAKS, TONES, window_peaks, window_tones
from radiolocus.model import Array, BoolArray, Geometry, Mask, Volume
from radiolocus.registry import suggest

__all__ = ["MAPPABLE", "feature_map"]

Whole = npt.NDArray[np.int64]
#: Column → (name of a filter or "", column without it).
Wanted = Mapping[str, tuple[str, str]]

_LEVELS = {"glrlm": RUNS, "glszm": ZONES, "gldzm": DISTANCES, "ngldm": DEPENDENCE}
#: Rows of the results of the kernels.
_ROWS = {
    "intensity": STATISTICS,
    "intensity_histogram": HISTOGRAM,
    "intensity_volume_histogram": VOLUME_HISTOGRAM,
    "local_intensity": PEAKS,
    "glcm": PAIR_FEATURES,
    "ngtdm": TONES,
    **{name: tuple(FAMILIES[name].features) for name in _LEVELS},
}

#: Columns of which there are maps: column → (family, aggregation or "", feature without aggregation).
MAPPABLE: dict[str, tuple[str, str, str]] = {
    tag + suffix: (name, aggregation, tag)
    for name in _ROWS
    for aggregation, (suffix, _) in FAMILIES[name].columns(tuple(AGGREGATIONS)).items()
    for tag in FAMILIES[name].features
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
        Image processing and discretisation, of the whole region, and filters; families and aggregations are not
        looked at.
    features : iterable of str
        Columns of any family but ``morphology``, e.g. ``stat_mean``, ``cm_joint_entr_3d_comb``, ``szm_sze_3d``. Slices
        of the 2D and 2.5D aggregations are those of the window. Spheres of ``local_intensity`` reach beyond it. After
        the name of a filter of `settings` (``log_sigma_3mm.stat_mean``): of its response map.
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
        An unknown feature, one of the family that has no maps, one of a filter that `settings` do not hold, or a radius
        that is none.
    InputError
        As :func:`radiolocus.feature.extract.extract`, grey levels too many for a matrix a direction, and a filter that
        has no value somewhere in the region.
    """
    wanted = {column: column.rpartition(".")[::2] for column in dict.fromkeys(features)}
    _check_known(wanted, settings)
    region = _region(volume, mask, settings)
    radius = _radius(region.spacing, radius_voxels, radius_mm)
    geometry = _place(volume.geometry, mask.array, settings)
    rows: dict[tuple[str, str], Array] = {}
    for name, context in _contexts(partial(_region, volume, mask, settings), region, settings, volume.unit, wanted):
        tags = [tag for of, tag in wanted.values() if of == name]
        for family, aggregation in dict.fromkeys(MAPPABLE[tag][:2] for tag in tags):
            values = _of_family(context, family, aggregation, radius)
            known = _ROWS[family]
            here = [tag for tag in tags if MAPPABLE[tag][:2] == (family, aggregation)]
            rows |= {(name, tag): values[known.index(MAPPABLE[tag][2])] for tag in here}
    empty = Volume(np.full(geometry.shape, np.nan), geometry, volume.modality)
    return {column: _drawn(empty, region, rows[of], column, volume.unit) for column, of in wanted.items()}


def _contexts(
    around: Callable[[float], Region], region: Region, settings: FeatureSettings, unit: str, wanted: Wanted
) -> Iterator[tuple[str, Context]]:
    """Yield the image itself, under the name "", and the response maps of the filters that are asked for."""
    peaks = any(MAPPABLE[tag][0] == "local_intensity" for _, tag in wanted.values())
    names = {name for name, _ in wanted.values()}
    if "" in names:
        itself = around(RADIUS_MM) if peaks else region
        yield "", Context(itself, settings.discretise, settings.volume_scale(unit))
    filters = tuple(o for o in settings.filter_options if o.name in names)
    if not filters:
        return
    families = ("intensity", "local_intensity") if peaks else ("intensity",)
    chosen = replace(settings, filters=filters, families=families)  # type: ignore[arg-type]
    for options, context in responses(around, region.spacing, chosen):
        if isinstance(context, UndefinedError):
            told = f"{options.name}: {context.got}"
            raise InputError(told, where=context.where, allowed=context.allowed, todo=context.todo)
        yield options.name, context


def _check_known(wanted: Wanted, settings: FeatureSettings) -> None:
    filters = [o.name for o in settings.filter_options]
    for column, (name, _) in wanted.items():
        if name and name not in filters:
            raise ConfigError(
                f"a map of '{column}', of a filter that the settings do not hold",
                allowed=", ".join(filters) or "no filter: there is none in the settings",
                todo=suggest(name, filters) or f"add the filter {name} to filters of the settings",
            )
    _check_tags(tag for _, tag in wanted.values())


def _check_tags(wanted: Iterable[str]) -> None:
    wanted = tuple(wanted)
    allowed = "features of any family but morphology, with their aggregation (stat_mean, cm_contrast_3d_avg, ...)"
    if not wanted:
        raise ConfigError("no feature to map", allowed=allowed)
    for column in wanted:
        if column in FAMILIES["morphology"].features:
            raise ConfigError(
                f"a map of '{column}', of the family morphology",
                allowed=allowed,
                todo="leave it out: the shape of a window is that of the window, not of what is in it",
            )
        if column not in MAPPABLE:
            # Who names a family means it: Contrast of the GLCM is not that of the NGTDM.
            near = [tag for tag, (family, *_) in MAPPABLE.items() if family in column.casefold()]
            raise ConfigError(
                f"a map of the unknown feature '{column}'",
                allowed=allowed,
                todo=suggest(column, near or list(MAPPABLE)),
            )


def _region(volume: Volume, mask: Mask, settings: FeatureSettings, margin_mm: float = 0.0) -> Region:
    return prepare_region(
        volume,
        mask,
        resample_mm=settings.resample_mm,
        interpolation=settings.interpolation,
        rounded=settings.rounds(volume),
        resegment_range=settings.resegment_range,
        resegment_outliers=settings.resegment_outliers,
        margin_mm=margin_mm,
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


def _of_family(context: Context, family: str, aggregation: str, radius: Whole) -> Array:
    if family == "local_intensity":
        return _peaks(context.region, radius)
    context = Context(_snug(context.region), context.discretise, context.scale)
    region = context.region
    if family == "glcm":
        return _pairs(_padded(context), aggregation, radius)
    if family == "ngtdm":
        padded = _padded(context)
        offsets, by_slice, n = _offsets(aggregation), aggregation.startswith("2d"), int(padded.max())
        return _by_voxel(
            lambda at: window_tones(padded, offsets, by_slice, n, radius, at), np.argwhere(padded > 0).astype(np.int64)
        )
    if family in _LEVELS:
        return _matrices(context, family, aggregation, radius)
    image, scale = region.image, np.zeros(3)
    if family != "intensity":
        image = np.zeros(region.image.shape)
    if family == "intensity_histogram":
        image[region.intensity] = context.discretise(context.values)
        scale[0] = image.max()
    elif family == "intensity_volume_histogram":
        steps = context.scale(context.values)
        image[region.intensity] = steps.step
        scale[:] = steps.last, steps.lowest, steps.width
    what = ("intensity", "intensity_histogram", "intensity_volume_histogram").index(family)
    image = np.ascontiguousarray(image)
    return _by_slice(
        lambda planes: window_statistics(image, region.intensity, radius, planes, what, scale), 0, len(image)
    )


def _snug(region: Region) -> Region:
    """Return a region without surroundings, at which only the family of the peaks looks, laid out for the kernels."""
    cut = region.cut(0.0)
    return replace(
        cut,
        image=np.ascontiguousarray(cut.image),
        morphological=np.ascontiguousarray(cut.morphological),
        intensity=np.ascontiguousarray(cut.intensity),
    )


def _padded(context: Context) -> npt.NDArray[np.int32]:
    """Grey levels on the box around the morphological mask, with a voxel of 0 on every side."""
    padded = np.zeros([n + 2 for n in context.region.intensity.shape], dtype=np.int32)
    padded[1:-1, 1:-1, 1:-1][context.region.intensity] = context.discretise(context.values)
    return padded


def _offsets(aggregation: str) -> Whole:
    return OFFSETS_3D if aggregation.startswith("3d") else OFFSETS_2D


def _matrices(context: Context, family: str, aggregation: str, radius: Whole) -> Array:
    padded, offsets = _padded(context), _offsets(aggregation)
    size = np.minimum(2 * radius + 1, np.array(padded.shape) - 2)
    if not aggregation.startswith("3d"):
        size[0] = 1
    longest = {"glrlm": size.max(), "glszm": size.prod(), "gldzm": size.max(), "ngldm": 27}[family]
    n = int(padded.max())
    if (n + 1) * (longest + 1) > _LARGEST_MATRICES // 2:
        raise InputError(
            f"{n} grey levels and {longest} columns in the matrices of {family}",
            allowed=f"at most {_LARGEST_MATRICES // 2 // (longest + 1) - 1} grey levels with this radius",
            todo="choose a larger bin_width, use bin_number, or a smaller radius",
        )
    split = np.array([aggregation.startswith("2d"), family == "glrlm" and aggregation.endswith("avg")])
    solid = np.pad(context.region.morphological, 1)
    what = _LEVELS[family]
    return _by_voxel(
        lambda at: window_levels(what, padded, solid, offsets, split, int(longest), n, radius, at),
        np.argwhere(padded > 0).astype(np.int64),
    )


def _peaks(region: Region, radius: Whole) -> Array:
    means = np.full(region.image.shape, np.nan)
    means[region.intensity] = Peaks(region).means
    at = np.argwhere(region.intensity).astype(np.int64)
    image = np.ascontiguousarray(region.image)
    return _by_voxel(lambda part: window_peaks(image, means, region.intensity, radius, part), at)


def _by_voxel(compute: Callable[[Whole], Array], at: Whole) -> Array:
    """Compute parts of the voxels in threads: windows know nothing of each other."""
    n = available_threads()
    return _threaded([partial(compute, part) for part in np.array_split(at, min(4 * n, len(at)))], n)


def _by_slice(compute: Callable[[Whole], Array], first: int, last: int) -> Array:
    """Compute stacks of slices in threads: a window slides along a line, and lines know nothing of each other."""
    n = available_threads()
    ends = np.unique(np.linspace(first, last, min(4 * n, last - first) + 1).astype(np.int64))
    return _threaded([partial(compute, ends[k : k + 2].copy()) for k in range(len(ends) - 1)], n)


def _threaded(parts: list[Callable[[], Array]], threads: int) -> Array:
    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(lambda part: part(), parts)), axis=1)


def _pairs(levels: npt.NDArray[np.int32], aggregation: str, radius: npt.NDArray[np.int64]) -> Array:
    offsets = _offsets(aggregation)
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
    matrix = matrix.astype(np.int64)
    return _by_slice(
        lambda planes: window_pairs(levels, offsets, matrix, n_matrices, n, radius, planes), 1, len(levels) - 1
    )


def _drawn(empty: Volume, region: Region, values: Array, column: str, unit: str) -> Volume:
    name, _, last = column.rpartition(".")
    array = empty.array.copy()
    array[region.intensity] = np.where(np.isfinite(values), values, np.nan)
    lost = int(np.count_nonzero(~np.isfinite(values)))
    notes = [*region.notes]
    if lost:
        notes.append(f"{column} has no value at {lost} of {values.size} voxels (windows where it is not defined)")
    family, _, tag = MAPPABLE[last]
    told = FAMILIES[family].features[tag].unit
    return replace(empty, array=array, unit=unit if told == "intensity" and not name else "", notes=tuple(notes))
