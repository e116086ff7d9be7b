"""From an image and a mask to the images that PyRadiomics takes features of, in its order and with its grid.

Pixel types are kept: an image of whole numbers is rounded by resampling there, and so it is here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK

from radiolocus.errors import GeometryError, InputError, RoiError, UndefinedError
from radiolocus.feature.pyradiomics_parameters import ImageType, PyradiomicsSettings
from radiolocus.image.filter_lbp import KURTOSIS, patterns_2d, patterns_3d
from radiolocus.image.filters import FILTERS, respond
from radiolocus.image.region import bounding_box
from radiolocus.image.wavelet_taps import LOW_PASS
from radiolocus.model import Array, BoolArray

__all__ = ["Image", "Prepared", "derived", "prefixes", "prepare"]

Numbers = npt.NDArray[Any]
Floats = npt.NDArray[np.floating]
#: A SimpleITK.Image; SimpleITK comes without types.
Image = Any

_itk: Any = SimpleITK
_TOLERANCE = 1e-6
_SMALLEST_FOR_LOG = 4


@dataclass(frozen=True, eq=False)
class Prepared:
    """An image and a region after PyRadiomics' preprocessing.

    Parameters
    ----------
    image : SimpleITK.Image
        Resampled or cropped where the settings say so.
    array : ndarray, shape (z, y, x)
        Its intensities, in their pixel type.
    drawn, kept : ndarray of bool, shape (z, y, x)
        The region that shape sees, and the one that all other classes see.
    """

    image: Image
    array: Numbers
    drawn: BoolArray
    kept: BoolArray

    @property
    def spacing(self) -> Array:
        """Voxel size along (z, y, x) in mm."""
        return np.array(self.image.GetSpacing()[::-1])


def prepare(image: Image, mask: Image, settings: PyradiomicsSettings) -> Prepared:
    """Normalise, resample or crop, and re-segment.

    Parameters
    ----------
    image, mask : SimpleITK.Image
        Three-dimensional.
    settings : PyradiomicsSettings

    Returns
    -------
    Prepared

    Raises
    ------
    GeometryError
        Grids that differ without resampling and without `correctMask`.
    RoiError
        A label that is absent, a region outside the image, or one that is too small before or after re-segmentation.
    InputError
        NaN or infinite intensities inside the region.
    """
    mask = _itk.Cast(mask, _itk.sitkUInt32)
    _check_label(mask, settings.label)
    if settings.normalize:
        image = _normalised(image, settings)
    if settings.interpolator is not None and settings.resampledPixelSpacing is not None:
        image, mask = _resampled(image, mask, settings)
    else:
        mask = _on_grid(image, mask, settings)
        if settings.preCrop:
            box = bounding_box(_region(mask, settings.label))
            image, mask = (_cropped(i, box, settings.padDistance) for i in (image, mask))
    array, drawn = _itk.GetArrayFromImage(image), _region(mask, settings.label)
    _check_region(drawn, settings)
    _check_finite(array, drawn)
    kept = drawn
    if settings.resegmentRange is not None:
        kept = _resegmented(array, drawn, settings, settings.resegmentRange)
        _check_region(kept, settings)
        # PyRadiomics cuts what shape sees to the box of what re-segmentation left.
        box = bounding_box(kept)
        inside = np.zeros_like(drawn)
        inside[box] = drawn[box]
        drawn = kept if settings.resegmentShape else inside
    return Prepared(image, array, drawn, kept)


def _region(mask: Image, label: int) -> BoolArray:
    return np.asarray(_itk.GetArrayFromImage(mask) == label)


def _check_label(mask: Image, label: int) -> None:
    labels = _itk.GetArrayViewFromImage(mask)
    if not (labels == label).any():
        known = ", ".join(str(n) for n in np.unique(labels).tolist() if n) or "none: nothing is segmented"
        raise RoiError(f"label {label}, which is not in the mask", allowed=known, todo="set label to one of them")


def _on_grid(image: Image, mask: Image, settings: PyradiomicsSettings) -> Image:
    """Return the mask on the grid of the image, where it lies already or where `correctMask` puts it."""
    tolerance = settings.geometryTolerance or _TOLERANCE
    found = _grid_differences(image, mask, tolerance)
    if not found:
        return mask
    if not settings.correctMask:
        raise GeometryError(
            f"the mask lies on another grid than its image: {'; '.join(found)}",
            allowed=f"the same grid within a tolerance of {tolerance:g}",
            todo="put the mask on the grid of the image (correctMask does), or raise geometryTolerance when the "
            "difference means nothing",
        )
    box = bounding_box(_region(mask, settings.label))[::-1]
    _check_inside(
        image, mask, *(np.array([getattr(p, end) for p in box], dtype=np.float64) for end in ("start", "stop"))
    )
    corrected = _itk.Resample(mask, image, _itk.Transform(), _itk.sitkNearestNeighbor)
    if not _region(corrected, settings.label).any():
        raise RoiError(
            "no voxel of the image has its centre in the region of a mask on a finer grid (correctMask)",
            allowed="at least two voxels",
            todo="draw the region on the image, or resample both (resampledPixelSpacing)",
        )
    return corrected


def _grid_differences(image: Image, mask: Image, tolerance: float) -> list[str]:
    length = tolerance * image.GetSpacing()[0]
    pairs = (
        ("origin", image.GetOrigin(), mask.GetOrigin(), length),
        ("spacing", image.GetSpacing(), mask.GetSpacing(), length),
        ("direction", image.GetDirection(), mask.GetDirection(), tolerance),
    )
    found = [f"size {image.GetSize()} against {mask.GetSize()}"] if image.GetSize() != mask.GetSize() else []
    found += [f"{name} {a} against {b}" for name, a, b, most in pairs if np.max(np.abs(np.subtract(a, b))) > most]
    return found


def _check_region(region: BoolArray, settings: PyradiomicsSettings) -> None:
    n = int(np.count_nonzero(region))
    extent = [part.stop - part.start for part in bounding_box(region)]
    axes = sum(length > 1 for length in extent)
    if n == 1 or axes < settings.minimumROIDimensions:
        raise RoiError(
            f"a region of {n} voxel{'s' if n > 1 else ''} that extends along {axes} axes",
            allowed=f"at least two voxels, along {settings.minimumROIDimensions} axes (minimumROIDimensions)",
        )
    if settings.minimumROISize is not None and n <= settings.minimumROISize:
        raise RoiError(f"a region of {n} voxels", allowed=f"more than {settings.minimumROISize} (minimumROISize)")


def _check_finite(array: Numbers, region: BoolArray) -> None:
    bad = int(np.count_nonzero(~np.isfinite(array[region])))
    if bad:
        raise InputError(
            f"{bad} NaN or infinite voxels inside the region",
            allowed="finite intensities inside the region",
            todo="repair the image, or exclude these voxels from the mask",
        )


def _normalised(image: Image, settings: PyradiomicsSettings) -> Image:
    image = _itk.Normalize(image)
    if settings.removeOutliers is not None:
        most = settings.removeOutliers
        clipped = _itk.GetImageFromArray(np.clip(_itk.GetArrayFromImage(image), -most, most))
        clipped.CopyInformation(image)
        image = clipped
    return image * settings.normalizeScale


def _cropped(image: Image, box: tuple[slice, slice, slice], pad: int) -> Image:
    x, y, z = (
        slice(max(part.start - pad, 0), min(part.stop + pad, n))
        for part, n in zip(box[::-1], image.GetSize(), strict=True)
    )
    return image[x, y, z]


def _resampled(image: Image, mask: Image, settings: PyradiomicsSettings) -> tuple[Image, Image]:
    """Resample onto a grid whose first corner is that of the mask's grid, cut to the region and `padDistance`."""
    old, pad = np.array(mask.GetSpacing()), settings.padDistance
    box = bounding_box(_region(mask, settings.label))[::-1]
    first, stop = (np.array([getattr(part, end) for part in box], dtype=np.float64) for end in ("start", "stop"))
    _check_inside(image, mask, first, stop)
    wanted = np.array(settings.resampledPixelSpacing)
    # A size of 0 keeps an axis, and so does a region of one voxel along it.
    new = np.where((wanted == 0) | (stop - first == 1), old, wanted)
    if np.allclose(image.GetSpacing(), new):
        mask = _itk.Resample(mask, image, _itk.Transform(), _itk.sitkNearestNeighbor)
        _check_label(mask, settings.label)
        box_now = bounding_box(_region(mask, settings.label))
        return _cropped(image, box_now, pad), _cropped(mask, box_now, pad)
    ratio = old / new
    low = np.maximum(np.floor((first - 0.5) * ratio - pad), 0)
    high = np.minimum(np.ceil((stop - 0.5) * ratio + pad), np.ceil(np.array(mask.GetSize()) * ratio) - 1)
    origin = mask.TransformContinuousIndexToPhysicalPoint((0.5 * (new - old) / old + low / ratio).tolist())
    method = settings.interpolator
    interpolator = getattr(_itk, method) if isinstance(method, str) else method

    def onto(volume: Image, by: Any) -> Image:
        grid = _itk.ResampleImageFilter()
        grid.SetOutputSpacing(new.tolist())
        grid.SetOutputDirection(mask.GetDirection())
        grid.SetOutputOrigin(origin)
        grid.SetSize((high - low + 1).astype(int).tolist())
        grid.SetOutputPixelType(volume.GetPixelID())
        grid.SetInterpolator(by)
        return grid.Execute(volume)

    resampled = onto(mask, _itk.sitkNearestNeighbor)
    if not _region(resampled, settings.label).any():
        raise RoiError("nothing is left of the region after resampling", todo="choose smaller voxels")
    return onto(image, interpolator), resampled


def _check_inside(image: Image, mask: Image, first: Array, stop: Array) -> None:
    ends = np.array(
        [
            image.TransformPhysicalPointToContinuousIndex(
                mask.TransformContinuousIndexToPhysicalPoint((corner - 0.5).tolist())
            )
            for corner in (first, stop)
        ]
    )
    if (ends.min(axis=0) < -0.501).any() or (ends.max(axis=0) > np.array(image.GetSize()) - 0.499).any():
        raise RoiError("a region that reaches beyond the image", allowed="a region inside the image")


def _resegmented(
    array: Numbers, region: BoolArray, settings: PyradiomicsSettings, ends: tuple[float, ...]
) -> BoolArray:
    inside = array[region]
    ordered: list[float] = sorted(ends)
    if settings.resegmentMode == "relative":
        ordered = [inside.max() * end for end in ordered]
    elif settings.resegmentMode == "sigma":
        ordered = [inside.mean() + inside.std() * end for end in ordered]
    kept = region.copy()
    kept[region] = inside >= ordered[0]
    if len(ordered) == 2:
        kept[region] &= inside <= ordered[1]
    if np.count_nonzero(kept) <= 1:
        raise RoiError(
            f"{np.count_nonzero(kept)} of {inside.size} voxels are left by resegmentRange = {list(ends)} "
            f"({settings.resegmentMode})",
            allowed="at least two voxels",
            todo="widen resegmentRange",
        )
    return kept


def prefixes(kind: ImageType) -> list[str]:
    """Names of the images of one image type, in the order of :func:`derived`."""
    settings = kind.settings
    if kind.name == "LoG":
        return [_log_name(sigma) for sigma in settings.sigma]
    if kind.name == "Wavelet":
        letters = "LH"
        n = 2 if settings.force2D else 3
        bands = [""]
        for _ in range(n):
            bands = [band + letter for band in bands for letter in letters]
        levels = range(1, settings.level + 1)
        names = [f"{_wavelet_name(k)}-{band}" for k in levels for band in bands if "H" in band]
        return [*names, f"{_wavelet_name(settings.level)}-{'L' * n}"]
    if kind.name == "LBP3D":
        return [_pattern_name(level) for level in _pattern_levels(settings)]
    return ["lbp-2D" if kind.name == "LBP2D" else kind.name.lower()]


def _log_name(sigma: float) -> str:
    return f"log-sigma-{str(sigma).replace('.', '-')}-mm-3D"


def _wavelet_name(level: int) -> str:
    return "wavelet" if level == 1 else f"wavelet{level}"


def _pattern_name(level: int) -> str:
    return f"lbp-3D-{'k' if level == KURTOSIS else f'm{level}'}"


def _pattern_levels(settings: PyradiomicsSettings) -> tuple[int, ...]:
    return (*range(1, settings.lbp3DLevels + 1), KURTOSIS)


def derived(prepared: Prepared, kind: ImageType) -> Iterator[tuple[str, Numbers | UndefinedError]]:
    """Yield the images of one image type under PyRadiomics' names.

    Parameters
    ----------
    prepared : Prepared
    kind : ImageType

    Yields
    ------
    str
        Prefix of the feature names.
    ndarray, shape (z, y, x), or UndefinedError
        The image, or why there is none.
    """
    settings = kind.settings
    if kind.name == "Original":
        yield "original", prepared.array
    elif kind.name == "LoG":
        for sigma in settings.sigma:
            yield _log_name(sigma), _log(prepared.image, sigma)
    elif kind.name == "Wavelet":
        yield from _wavelets(prepared.array, settings)
    elif kind.name == "Gradient":
        yield (
            "gradient",
            _itk.GetArrayFromImage(_itk.GradientMagnitude(prepared.image, settings.gradientUseSpacing)),
        )
    elif kind.name == "LBP2D":
        yield "lbp-2D", _patterns_2d(prepared.array, settings)
    elif kind.name == "LBP3D":
        yield from _patterns_3d(prepared, settings)
    else:
        yield kind.name.lower(), _point(prepared, kind.name.lower())


def _patterns_2d(array: Numbers, settings: PyradiomicsSettings) -> Numbers:
    # Slices are those that force2Ddimension names, with or without force2D; the axes change places.
    turned = array.swapaxes(0, settings.force2Ddimension)
    found = patterns_2d(turned, settings.lbp2DSamples, settings.lbp2DRadius, settings.lbp2DMethod)
    return found.astype(array.dtype).swapaxes(0, settings.force2Ddimension)


def _patterns_3d(prepared: Prepared, settings: PyradiomicsSettings) -> Iterator[tuple[str, Numbers]]:
    levels = _pattern_levels(settings)
    maps = patterns_3d(
        prepared.array,
        prepared.kept,
        levels,
        radius=settings.lbp3DIcosphereRadius,
        subdivision=settings.lbp3DIcosphereSubdivision,
    )
    for level in levels:
        image = np.zeros(prepared.array.shape)
        image[prepared.kept] = maps[level]
        yield _pattern_name(level), image


def _point(prepared: Prepared, name: str) -> Numbers | UndefinedError:
    try:
        return respond(prepared.array.astype(np.float64), prepared.spacing, FILTERS[name].options())
    except InputError as reason:
        return UndefinedError(reason.got, allowed=reason.allowed, todo=reason.todo)


def _log(image: Image, sigma: float) -> Numbers | UndefinedError:
    size = np.array(image.GetSize())
    needed = np.maximum(np.ceil(sigma / np.array(image.GetSpacing())) + 1, _SMALLEST_FOR_LOG)
    if (size < needed).any():
        return UndefinedError(
            f"an image of {size.tolist()} voxels (x, y, z) is too small for sigma = {sigma:g} mm",
            allowed=f"at least {needed.astype(int).tolist()} voxels",
            todo="raise padDistance, or leave this sigma out",
        )
    return np.asarray(_itk.GetArrayFromImage(_itk.LaplacianRecursiveGaussian(image, sigma, True)))


def _wavelets(array: Numbers, settings: PyradiomicsSettings) -> Iterator[tuple[str, Numbers]]:
    """Undecimated bands, x first; every level filters the low pass of the one before with the same taps."""
    axes = [axis for axis in (2, 1, 0) if not (settings.force2D and axis == settings.force2Ddimension)]
    # Single precision stays single precision in PyRadiomics, sum by sum.
    data: Floats = array.astype(np.float32 if array.dtype == np.float32 else np.float64)
    # An axis of an odd number of voxels is made even by its first voxel, which follows its last.
    data = np.pad(data, [(0, n % 2) for n in array.shape], mode="wrap")
    original = tuple(slice(n) for n in array.shape)
    for level in range(settings.start_level + settings.level):
        bands = _bands(data, settings.wavelet, axes)
        data = bands.pop("L" * len(axes))
        number = level - settings.start_level + 1
        if number >= 1:
            yield from ((f"{_wavelet_name(number)}-{name}", band[original]) for name, band in bands.items())
    yield f"{_wavelet_name(settings.level)}-{'L' * len(axes)}", data[original]


def _bands(data: Floats, wavelet: str, axes: list[int]) -> dict[str, Floats]:
    low = _taps(wavelet, data.dtype)
    high = low[::-1] * np.where(np.arange(low.size) % 2, 1, -1).astype(data.dtype)
    bands = {"": data}
    for axis in axes:
        bands = {
            name + letter: _circular(band, taps, axis)
            for name, band in bands.items()
            for letter, taps in (("L", low), ("H", high))
        }
    return bands


def _taps(wavelet: str, kind: np.dtype[np.floating]) -> Floats:
    taps = np.array(LOW_PASS[wavelet])
    if wavelet.startswith("coif"):
        # PyWavelets keeps Coiflets of sum 1 and scales them in the precision of the image.
        return np.asarray((taps / np.sqrt(2)).astype(kind) * kind.type(np.sqrt(2)) if kind == np.float32 else taps)
    return taps.astype(kind)


def _circular(data: Floats, taps: Floats, axis: int) -> Floats:
    """Convolve with the image tiled; the origin is the tap right of the middle, sums are taken tap after tap."""
    out = np.zeros_like(data)
    for place, tap in enumerate(taps):
        out += tap * np.roll(data, place - taps.size // 2, axis)
    return out
