"""How features are taken: the options of the imaging section."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from radiolocus.errors import ConfigError
from radiolocus.feature.core import AGGREGATIONS, Family
from radiolocus.feature.families import FAMILIES
from radiolocus.image.discretise import MAX_LEVELS, Scale, fixed_bin_number, fixed_bin_size, volume_scale
from radiolocus.image.filters import FilterOptions, options_from
from radiolocus.image.resample import METHODS, Interpolation
from radiolocus.model import Array, Volume
from radiolocus.registry import suggest

__all__ = ["DEFAULT_BINS", "FeatureSettings"]

#: Number of bins when neither a width nor a number is given.
DEFAULT_BINS = 32


@dataclass(frozen=True)
class FeatureSettings:
    """How features are taken of a region.

    Parameters
    ----------
    families : tuple of str
        Feature families.
    resample_mm : tuple of three floats, optional
        New voxel size along (z, y, x) in mm; 0 keeps an axis as it is, so (0, 2, 2) resamples within slices.
        None: no resampling.
    interpolation : {"nearest", "linear", "cubic"}
        Interpolation of the image; the mask is always interpolated linearly and cut at half a voxel.
    round_intensity : bool, optional
        Round intensities to integers after interpolation. None: when a CT in HU is resampled, as IBSI asks.
    resegment_range : tuple of two floats, optional
        Intensities kept, both ends included; an infinite end (or None) is open. None: all.
    resegment_outliers : float, optional
        Drop intensities further than this many standard deviations from the mean (IBSI: 3). None: keep all.
    bin_width : float, optional
        Fixed bin size, in the unit of the image, from the lower end of `resegment_range` or else the ROI's minimum.
    bin_number : int, optional
        Fixed bin number. 32 when neither it nor `bin_width` is given.
    ivh_bin_width : float, optional
        Bin size of the intensity-volume histogram, in the unit of the image.
    ivh_bin_number : int, optional
        Number of bins of the intensity-volume histogram. When neither it nor `ivh_bin_width` is given: 1000 for images
        without unit, no bins for whole numbers with a unit, else bins of 0.1 SUV, 2.5 HU or a thousandth of the range.
    aggregations : tuple of str
        Aggregations of texture matrices: ``2d_avg``, ``2d_comb``, ``2_5d_avg``, ``2_5d_comb``, ``3d_avg``, ``3d_comb``.
        Slices are those of the first axis of the array. Matrices without directions know 2D, 2.5D and 3D only: either
        form asks for them.
    skip : tuple of str
        Features left out, by their tags without aggregation. Moran's I and Geary's C (``morph_moran_i`` and
        ``morph_geary_c``) take more time than all others together.
    filters : tuple of tables
        Image filters, e.g. ``{filter = "log", sigma_mm = 3.0}``: the features, without morphology, are also taken of
        each response map, in columns that begin with the name of the filter (``log_sigma_3mm.stat_mean``). In Python,
        options of :mod:`radiolocus.image.filters` may be given instead.
    """

    families: tuple[str, ...] = ("morphology", "intensity", "glcm")
    resample_mm: tuple[float, float, float] | None = None
    interpolation: Interpolation = "linear"
    round_intensity: bool | None = None
    resegment_range: tuple[float | None, float | None] | None = None
    resegment_outliers: float | None = None
    bin_width: float | None = None
    bin_number: int | None = None
    ivh_bin_width: float | None = None
    ivh_bin_number: int | None = None
    aggregations: tuple[str, ...] = ("3d_avg",)
    skip: tuple[str, ...] = ()
    filters: tuple[dict[str, Any], ...] = ()

    def __post_init__(self) -> None:
        _names("families", self.families, tuple(FAMILIES))
        _names("aggregations", self.aggregations, tuple(AGGREGATIONS))
        _names("interpolation", (self.interpolation,), METHODS)
        self._check_skip()
        self._check_resampling()
        self._check_resegmentation()
        self._check_bins()
        self._check_filters()

    def _check_skip(self) -> None:
        if self.skip:
            _names("skip", self.skip, tuple(tag for name in self.families for tag in FAMILIES[name].features))
            if not self.chosen_families:
                raise ConfigError("skip leaves no feature", allowed="at least one", todo="name fewer in skip")

    def _check_resampling(self) -> None:
        size = self.resample_mm
        if size is None:
            return
        if len(size) != 3 or not all(math.isfinite(s) and s >= 0 for s in size) or not any(size):
            raise ConfigError(
                f"resample_mm = {size!r}",
                allowed="three numbers (z, y, x) in mm, at least one above 0; 0 keeps an axis as it is",
                todo="leave it out to take features on the voxels of the image",
            )
        object.__setattr__(self, "resample_mm", tuple(float(s) for s in size))

    def _check_resegmentation(self) -> None:
        ends = self.resegment_range
        if ends is not None:
            if len(ends) != 2 or any(e is not None and math.isnan(e) for e in ends):
                raise ConfigError(f"resegment_range = {ends!r}", allowed="two numbers: the lowest and the highest kept")
            # An infinite end is written as None, which JSON can say too.
            low, high = (None if e is None or math.isinf(e) else float(e) for e in ends)
            if low is not None and high is not None and low >= high:
                raise ConfigError(f"resegment_range = {ends!r}", allowed="a lowest below a highest")
            object.__setattr__(self, "resegment_range", (low, high))
        sigma = self.resegment_outliers
        if sigma is not None and not (math.isfinite(sigma) and sigma > 0):
            raise ConfigError(
                f"resegment_outliers = {sigma!r}",
                allowed="a number of standard deviations above 0",
                todo="IBSI uses 3; leave it out to keep all voxels",
            )

    def _check_bins(self) -> None:
        suits = "bin_width suits images with a unit (CT, SUV), bin_number arbitrary intensities (MR)"
        for prefix, todo in (("", suits), ("ivh_", f"give one; {suits}")):
            width, number = getattr(self, f"{prefix}bin_width"), getattr(self, f"{prefix}bin_number")
            if width is not None and number is not None:
                raise ConfigError(
                    f"{prefix}bin_width = {width!r} and {prefix}bin_number = {number!r}",
                    allowed="one of the two",
                    todo=todo,
                )
            if width is not None and not (math.isfinite(width) and width > 0):
                raise ConfigError(f"{prefix}bin_width = {width!r}", allowed="a finite number above 0")
            if number is not None and not (number == int(number) and 1 <= number <= MAX_LEVELS):
                raise ConfigError(f"{prefix}bin_number = {number!r}", allowed=f"a whole number from 1 to {MAX_LEVELS}")

    def _check_filters(self) -> None:
        options = []
        for place, entry in enumerate(self.filters, 1):
            try:
                options.append(entry if isinstance(entry, FilterOptions) else options_from(entry))
            except ConfigError as wrong:
                got = f"filters[{place}]: {wrong.got}"
                raise ConfigError(got, allowed=wrong.allowed, todo=wrong.todo) from None
        names = [o.name for o in options]
        if len(set(names)) != len(names):
            raise ConfigError(f"filters: the same filter twice among {names}", allowed="each filter once")
        if options and {family.name for family in self.chosen_families} == {"morphology"}:
            raise ConfigError(
                "filters without a family that looks at intensities", allowed="a family besides morphology"
            )
        # Written out as plain tables, defaults included, so that they are told and hashed like all other settings.
        object.__setattr__(self, "filters", tuple(asdict(o) for o in options))

    @property
    def chosen_families(self) -> list[Family]:
        """The families, each with the features that are asked for."""
        kept = (
            replace(family, features={tag: f for tag, f in family.features.items() if tag not in self.skip})
            for name, family in FAMILIES.items()
            if name in self.families
        )
        return [family for family in kept if family.features]

    @property
    def filter_options(self) -> tuple[FilterOptions, ...]:
        """The filters as options."""
        return tuple(options_from(entry) for entry in self.filters)

    def rounds(self, volume: Volume, *, perturbed: bool = False) -> bool:
        """Whether intensities of `volume` are rounded after interpolation; perturbed copies are always interpolated."""
        if self.round_intensity is not None:
            return self.round_intensity
        return (perturbed or self.resample_mm is not None) and volume.modality == "CT" and volume.unit == "HU"

    @property
    def bins_from_minimum(self) -> bool:
        """Whether bins of a fixed size begin at the smallest intensity of each region."""
        return self.bin_width is not None and (self.resegment_range is None or self.resegment_range[0] is None)

    @property
    def discretise(self) -> Callable[[Array], npt.NDArray[np.int32]]:
        """The discretisation: from intensities, shape (n,), to grey levels 1, 2, ..."""
        width, number = self.bin_width, self.bin_number or DEFAULT_BINS
        if width is None:
            return lambda values: fixed_bin_number(values, number)
        lower = self.resegment_range[0] if self.resegment_range else None
        return lambda values: fixed_bin_size(values, width, lower)

    def volume_scale(self, unit: str) -> Callable[[Array], Scale]:
        """Return the scale of the intensity-volume histogram of an image of `unit`: from intensities, shape (n,)."""
        return partial(
            volume_scale, unit=unit, limits=self.resegment_range, width=self.ivh_bin_width, bins=self.ivh_bin_number
        )


def _names(key: str, got: tuple[str, ...], known: tuple[str, ...]) -> None:
    if not got:
        raise ConfigError(f"{key} is empty", allowed=f"at least one of {', '.join(known)}")
    unknown = [name for name in got if name not in known]
    if unknown:
        told = ", ".join(f"'{name}'" for name in unknown)
        hints = [f"{name}: {hint}" if len(unknown) > 1 else hint for name in unknown if (hint := suggest(name, known))]
        raise ConfigError(f"{key}: unknown {told}", allowed=", ".join(known), todo=", ".join(hints))
    if len(set(got)) != len(got):
        raise ConfigError(f"{key} names something twice: {list(got)}", allowed="each name once")
