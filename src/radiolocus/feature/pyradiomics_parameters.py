"""PyRadiomics parameter files, read as they are. What cannot be honoured exactly is refused, never left out silently.

The keys and their defaults are those of PyRadiomics 3.0.1 (van Griethuysen et al., Cancer Res 2017;77:e104).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import SimpleITK
import yaml

from radiolocus.errors import ConfigError
from radiolocus.feature.pyradiomics_names import FEATURES, FLAT, ON_REQUEST, REMOVED
from radiolocus.image.filter_lbp import Method
from radiolocus.image.wavelet_taps import LOW_PASS
from radiolocus.registry import suggest

__all__ = ["ImageType", "PyradiomicsParameters", "PyradiomicsSettings", "read_pyradiomics"]

_SECTIONS = ("setting", "imageType", "featureClass", "voxelSetting")
_IMAGE_TYPES = (
    "Original",
    "LoG",
    "Wavelet",
    "Square",
    "SquareRoot",
    "Logarithm",
    "Exponential",
    "Gradient",
    "LBP2D",
    "LBP3D",
)


@dataclass(frozen=True)
class PyradiomicsSettings:
    """Section ``setting``, under PyRadiomics' names; defaults are PyRadiomics'.

    Parameters
    ----------
    minimumROIDimensions, minimumROISize : int
        Axes along which the region must have more than one voxel; voxels that it must exceed.
    geometryTolerance : float, optional
        Difference between the grids of image and mask that is passed over. None: ITK's 1e-6.
    correctMask : bool
        Whether a mask on another grid is brought to that of the image (nearest neighbour).
    additionalInfo : bool
        Without effect: what it stands for is written with the settings and versions of a run.
    label, label_channel : int
        Value of the region in the mask; which component of a mask of several (overlapping segments), from 0.
    binWidth, binCount : float, int or None
        Width of bins whose edges are multiples of it; number of bins, which goes before the width.
    normalize, normalizeScale, removeOutliers : bool, float, float or None
        Image less its mean over its standard deviation, outliers cut there, then scaled.
    resampledPixelSpacing, interpolator, padDistance : tuple of three floats (x, y, z) or None, str or int, int
        Resampling, and the voxels around the region that are kept.
    preCrop : bool
        Cut the image to the region and `padDistance` before filters when there is no resampling.
    distances : tuple of int
        How far apart neighbours are in GLCM, GLDM and NGTDM, in voxels along the axis where they are furthest apart.
    force2D, force2Ddimension : bool, int
        Texture within the slices along this array axis.
    resegmentRange, resegmentMode, resegmentShape : tuple of one or two floats or None, str, bool
        Thresholds of the region's intensities; what they are measured in; whether shape sees them.
    sigma : tuple of float
        Widths of the Laplacian of Gaussian in mm, each a whole number or not, as its name shows.
    wavelet, level, start_level : str, int, int
        Wavelet, number of levels and levels passed over.
    gradientUseSpacing : bool
        Gradient a millimetre or a voxel.
    lbp2DRadius, lbp2DSamples, lbp2DMethod : float, int, str
        Radius of the circle in voxels, samples on it, what becomes of their signs.
    lbp3DLevels, lbp3DIcosphereRadius, lbp3DIcosphereSubdivision : int, float, int
        Orders of the spherical harmonics, radius of the sphere in voxels, subdivisions of its triangles.
    voxelArrayShift : int
        Added to intensities in Energy and RootMeanSquared.
    symmetricalGLCM : bool
        Whether pairs are counted both ways in GLCM.
    weightingNorm : str, optional
        Norm of the steps by which the directions of GLCM and GLRLM are weighted and then added up; None: averaged.
    gldm_a : int
        Largest difference between dependent grey levels.
    """

    minimumROIDimensions: int = 2  # noqa: N815
    minimumROISize: int | None = None  # noqa: N815
    geometryTolerance: float | None = None  # noqa: N815
    correctMask: bool = False  # noqa: N815
    additionalInfo: bool = True  # noqa: N815
    label: int = 1
    label_channel: int = 0
    binWidth: float = 25  # noqa: N815
    binCount: int | None = None  # noqa: N815
    normalize: bool = False
    normalizeScale: float = 1  # noqa: N815
    removeOutliers: float | None = None  # noqa: N815
    resampledPixelSpacing: tuple[float, ...] | None = None  # noqa: N815
    interpolator: str | int | None = "sitkBSpline"
    padDistance: int = 5  # noqa: N815
    preCrop: bool = False  # noqa: N815
    distances: tuple[int, ...] = (1,)
    force2D: bool = False  # noqa: N815
    force2Ddimension: int = 0  # noqa: N815
    resegmentRange: tuple[float, ...] | None = None  # noqa: N815
    resegmentMode: str = "absolute"  # noqa: N815
    resegmentShape: bool = False  # noqa: N815
    sigma: tuple[float, ...] = ()
    wavelet: str = "coif1"
    level: int = 1
    start_level: int = 0
    gradientUseSpacing: bool = True  # noqa: N815
    lbp2DRadius: float = 1  # noqa: N815
    lbp2DSamples: int = 8  # noqa: N815
    lbp2DMethod: Method = "uniform"  # noqa: N815
    lbp3DLevels: int = 2  # noqa: N815
    lbp3DIcosphereRadius: float = 1  # noqa: N815
    lbp3DIcosphereSubdivision: int = 1  # noqa: N815
    voxelArrayShift: int = 0  # noqa: N815
    symmetricalGLCM: bool = True  # noqa: N815
    weightingNorm: str | None = None  # noqa: N815
    gldm_a: int = 0


@dataclass(frozen=True)
class ImageType:
    """An image type of section ``imageType`` with the settings that hold for it."""

    name: str
    settings: PyradiomicsSettings


@dataclass(frozen=True)
class PyradiomicsParameters:
    """What a parameter file asks for.

    Parameters
    ----------
    settings : PyradiomicsSettings
    image_types : tuple of ImageType
    features : mapping of str to tuple of str
        Class → names of its features.
    notes : tuple of str
        What in the file has no effect here.
    """

    settings: PyradiomicsSettings = field(default_factory=PyradiomicsSettings)
    image_types: tuple[ImageType, ...] = (ImageType("Original", PyradiomicsSettings()),)
    features: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {name: tuple(known) for name, known in FEATURES.items() if name != FLAT}
    )
    notes: tuple[str, ...] = ()


def read_pyradiomics(path: Path) -> PyradiomicsParameters:
    """Read a PyRadiomics parameter file.

    Parameters
    ----------
    path : Path
        YAML with the sections ``setting``, ``imageType``, ``featureClass`` and ``voxelSetting``, each optional.

    Returns
    -------
    PyradiomicsParameters

    Raises
    ------
    ConfigError
        A file that is not YAML, or a section, key, value, class or feature that is unknown or cannot be honoured.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Once)  # noqa: S506
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())
        raise ConfigError(f"a file that cannot be read as YAML: {said}", where=path.name, allowed="YAML") from None
    try:
        return _parameters(content if content is not None else {})
    except ConfigError as error:
        raise error.at(path.name) from None


class _Once(yaml.SafeLoader):  # type: ignore[misc]
    """Safe loader that refuses a key given two values, of which YAML parsers would keep the last without a word."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        known: dict[str, Any] = {}
        for key, value in ((str(self.construct_object(k)), self.construct_object(v, deep=True)) for k, v in node.value):
            if known.setdefault(key, value) != value:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key} given two values, {known[key]} and {value}", node.start_mark
                )
        return dict(super().construct_mapping(node, deep))


def _parameters(content: Any) -> PyradiomicsParameters:
    sections = _table(content, "the file")
    for name in sections:
        if name not in _SECTIONS:
            raise ConfigError(
                f"section '{name}'", allowed=", ".join(_SECTIONS), todo=_OLD.get(name, suggest(name, _SECTIONS))
            )
    settings = _settings(_table(sections.get("setting"), "setting"), PyradiomicsSettings(), "setting")
    types = _table(sections.get("imageType"), "imageType") or {"Original": {}}
    image_types = tuple(_image_type(name, table, settings) for name, table in types.items())
    by_voxel = _voxel_settings(_table(sections.get("voxelSetting"), "voxelSetting"))
    classes = _classes(sections.get("featureClass"), settings)
    return PyradiomicsParameters(settings, image_types, classes, (_NOT_BY_VOXEL,) if by_voxel else ())


def _voxel_settings(table: dict[str, Any]) -> bool:
    """Check what PyRadiomics itself looks at in its voxel-based extraction only."""
    for key, value in table.items():
        if key not in _VOXEL_KEYS:
            raise ConfigError(
                f"voxelSetting: unknown setting '{key}'", allowed=", ".join(_VOXEL_KEYS), todo=suggest(key, _VOXEL_KEYS)
            )
        fits, allowed = _VOXEL_KEYS[key]
        if not fits(value):
            raise ConfigError(f"voxelSetting: {key} = {value!r}", allowed=allowed)
    return bool(table)


def _table(value: Any, what: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ConfigError(f"{what} is {value!r}", allowed="keys with values")
    return value


def _image_type(name: str, table: Any, settings: PyradiomicsSettings) -> ImageType:
    if name not in _IMAGE_TYPES:
        raise ConfigError(
            f"imageType '{name}'",
            allowed=", ".join(_IMAGE_TYPES),
            todo=suggest(name, _IMAGE_TYPES) or "remove it: its definition in PyRadiomics is not reproduced here",
        )
    own = _table(table, f"imageType {name}")
    for key in own:
        if key in _KEYS and key not in _BY_IMAGE_TYPE:
            raise ConfigError(
                f"imageType {name}: {key}",
                allowed=", ".join(_BY_IMAGE_TYPE),
                todo="put it into section setting, where PyRadiomics looks for it",
            )
    found = _settings(own, settings, f"imageType {name}")
    if name == "LoG" and not found.sigma:
        raise ConfigError("imageType LoG without sigma", allowed="a list of widths in mm", todo="e.g. sigma: [3.0]")
    return ImageType(name, found)


def _settings(table: dict[str, Any], base: PyradiomicsSettings, where: str) -> PyradiomicsSettings:
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in _KEYS:
            raise ConfigError(
                f"{where}: unknown setting '{key}'",
                allowed=", ".join(_KEYS),
                todo=suggest(key, _KEYS) or "remove it if nothing depends on it: it is not honoured here",
            )
        fits, allowed = _KEYS[key]
        if not fits(value):
            raise ConfigError(f"{where}: {key} = {value!r}", allowed=allowed, todo=_TODO.get(key, ""))
        values[key] = tuple(value) if isinstance(value, list) else value
    return replace(base, **values)


def _classes(section: Any, settings: PyradiomicsSettings) -> dict[str, tuple[str, ...]]:
    wanted = _table(section, "featureClass")
    if FLAT in wanted and not settings.force2D:
        raise ConfigError(
            f"featureClass {FLAT} without force2D", allowed="force2D: true", todo="add it to section setting"
        )
    every = dict.fromkeys(name for name in FEATURES if name != FLAT or settings.force2D)
    return {name: _features(name, names) for name, names in (wanted or every).items()}


def _features(name: str, names: Any) -> tuple[str, ...]:
    if name not in FEATURES:
        raise ConfigError(f"featureClass '{name}'", allowed=", ".join(FEATURES), todo=suggest(name, FEATURES))
    if names is None or names == []:
        return FEATURES[name]
    if not isinstance(names, list):
        raise ConfigError(f"featureClass {name}: {names!r}", allowed="a list of features, or nothing for all")
    known = (*FEATURES[name], *ON_REQUEST.get(name, ()))
    for feature in map(str, names):
        if feature not in known:
            instead = REMOVED.get((name, feature))
            raise ConfigError(
                f"featureClass {name}: '{feature}'",
                allowed=", ".join(known),
                todo=f"PyRadiomics computes nothing for it; ask for what equals it: {instead}"
                if instead
                else suggest(feature, known),
            )
    # PyRadiomics keeps one of a feature named twice.
    return tuple(dict.fromkeys(names))


Check = tuple[Callable[[Any], bool], str]


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _whole(least: int, most: float = math.inf) -> Callable[[Any], bool]:
    return lambda v: isinstance(v, int) and not isinstance(v, bool) and least <= v <= most


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _positive(value: Any) -> bool:
    return _number(value) and value > 0


def _list(each: Callable[[Any], bool], sizes: Iterable[int] = range(1, 100)) -> Callable[[Any], bool]:
    return lambda v: isinstance(v, list) and len(v) in sizes and all(each(entry) for entry in v)


def _only(*values: Any) -> Callable[[Any], bool]:
    # True == 1 and False == 0, but a file that says 1 for true is not one that PyRadiomics reads.
    return lambda v: any(type(v) is type(known) and v == known for known in values)


def _or_none(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda v: v is None or fits(v)


_INTERPOLATORS = (
    "sitkNearestNeighbor",
    "sitkLinear",
    "sitkBSpline",
    "sitkGaussian",
    "sitkLabelGaussian",
    "sitkHammingWindowedSinc",
    "sitkCosineWindowedSinc",
    "sitkWelchWindowedSinc",
    "sitkLanczosWindowedSinc",
    "sitkBlackmanWindowedSinc",
)
_NORMS = ("manhattan", "euclidean", "infinity", "no_weighting")
_NUMBERED = tuple(int(getattr(SimpleITK, name)) for name in _INTERPOLATORS)

_KEYS: dict[str, Check] = {
    "minimumROIDimensions": (_whole(1, 3), "1, 2 or 3"),
    "minimumROISize": (_or_none(_whole(1)), "a whole number above 0"),
    "geometryTolerance": (_or_none(_positive), "a number above 0"),
    "correctMask": (_flag, "true or false"),
    "additionalInfo": (_flag, "true or false"),
    "label": (_whole(1), "a whole number above 0"),
    "label_channel": (_whole(0), "a whole number, 0 or more"),
    "binWidth": (_positive, "a number above 0"),
    "binCount": (_or_none(_whole(1)), "a whole number above 0"),
    "normalize": (_flag, "true or false"),
    "normalizeScale": (_positive, "a number above 0"),
    "removeOutliers": (_or_none(_positive), "a number above 0"),
    "resampledPixelSpacing": (
        _or_none(_list(lambda v: _number(v) and v >= 0, (3,))),
        "three numbers (x, y, z) in mm; 0 keeps an axis",
    ),
    "interpolator": (_or_none(_only(*_INTERPOLATORS, *_NUMBERED)), ", ".join(_INTERPOLATORS)),
    "padDistance": (_whole(0), "a whole number, 0 or more"),
    "preCrop": (_flag, "true or false"),
    "distances": (_list(_whole(1, 100)), "a list of whole numbers from 1 to 100"),
    "force2D": (_flag, "true or false"),
    "force2Ddimension": (_whole(0, 2), "0, 1 or 2"),
    "resegmentRange": (_or_none(_list(_number, (1, 2))), "one or two numbers"),
    "resegmentMode": (_only("absolute", "relative", "sigma"), "absolute, relative, sigma"),
    "resegmentShape": (_flag, "true or false"),
    "sigma": (_list(_positive), "a list of widths in mm above 0"),
    "wavelet": (lambda v: isinstance(v, str) and v in LOW_PASS, ", ".join(LOW_PASS)),
    "level": (_whole(1, 8), "a whole number from 1 to 8"),
    "start_level": (_whole(0, 8), "a whole number from 0 to 8"),
    "gradientUseSpacing": (_flag, "true or false"),
    "lbp2DRadius": (_positive, "a number above 0"),
    "lbp2DSamples": (_whole(1, 48), "a whole number from 1 to 48"),
    "lbp2DMethod": (_only("uniform", "default", "ror"), "uniform, default, ror"),
    "lbp3DLevels": (_whole(2, 10), "a whole number from 2 to 10"),
    "lbp3DIcosphereRadius": (_positive, "a number above 0"),
    "lbp3DIcosphereSubdivision": (_whole(1, 4), "a whole number from 1 to 4"),
    "voxelArrayShift": (_whole(-(2**53), 2**53), "a whole number"),
    "symmetricalGLCM": (_flag, "true or false"),
    "weightingNorm": (_only(None, *_NORMS), f"nothing, {', '.join(_NORMS)}"),
    "gldm_a": (_whole(0), "a whole number, 0 or more"),
}

_VOXEL_KEYS: dict[str, Check] = {
    "kernelRadius": (_whole(1), "a whole number above 0"),
    "maskedKernel": (_flag, "true or false"),
    "initValue": (lambda value: _number(value) or value == "nan" or value != value, "a number or nan"),
    "voxelBatch": (_whole(-1), "a whole number"),
}
_NOT_BY_VOXEL = (
    "voxelSetting has no effect: features are of the region as a whole, as PyRadiomics takes them unless it is told to "
    "go by voxel; radiolocus map makes maps"
)

#: Sections of old versions and what they are called now.
_OLD = {"inputImage": "call it imageType, as PyRadiomics does since version 2"}

_TODO = {
    "lbp2DMethod": "choose another: the variance is not defined everywhere, and is cut to whole numbers in most images",
}

#: Settings that PyRadiomics takes from an image type when they stand there.
_BY_IMAGE_TYPE = (
    "binWidth",
    "binCount",
    "force2D",
    "force2Ddimension",
    "sigma",
    "wavelet",
    "level",
    "start_level",
    "gradientUseSpacing",
    "lbp2DRadius",
    "lbp2DSamples",
    "lbp2DMethod",
    "lbp3DLevels",
    "lbp3DIcosphereRadius",
    "lbp3DIcosphereSubdivision",
    "voxelArrayShift",
    "symmetricalGLCM",
    "weightingNorm",
    "distances",
    "gldm_a",
)
