"""Intensity-volume histogram (IBSI family P88C), on the even scale that the image calls for.

Step k of the scale, 0..K, is an intensity i; its intensity fraction is k / K, its volume fraction ν that of the
voxels with at least that intensity. The scale spans the re-segmentation range where there is one. Whole intensities
with a unit are steps themselves; other intensities with a unit are put into bins of a fixed size (0.1 SUV, 2.5 HU,
else a thousandth of the range) that stand for their centres; intensities without unit are put into 1000 bins that
stand for their numbers. `ivh_bin_width` and `ivh_bin_number` say otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from radiolocus.errors import UndefinedError
from radiolocus.feature.core import Context, Family
from radiolocus.image.discretise import Scale

__all__ = ["FAMILY", "VolumeHistogram"]


@dataclass(frozen=True, eq=False)
class VolumeHistogram:
    """The cumulative histogram of a region."""

    scale: Scale

    @cached_property
    def ordered(self) -> npt.NDArray[np.int64]:
        """Steps of the voxels, ascending."""
        return np.sort(self.scale.step)

    def volume(self, percent: int) -> float:
        """Volume fraction that has at least `percent` of the range of intensities."""
        last = self.scale.last
        if last == 0:
            raise UndefinedError(
                f"the range of intensities is the single value {self.scale.lowest:g}: it has no fractions",
                allowed="at least two different intensities",
            )
        # Whole numbers: the first step with 100 k / K ≥ percent.
        first = -(-percent * last // 100)
        n = self.ordered.size
        return float((n - np.searchsorted(self.ordered, first)) / n)

    def intensity(self, percent: int) -> float:
        """Smallest intensity of the range that at most `percent` of the volume reaches."""
        n = self.ordered.size
        allowed = percent * n // 100
        step = int(self.ordered[n - 1 - allowed]) + 1
        if step > self.scale.last:
            raise UndefinedError(
                f"more than {percent} % of the volume has the largest intensity of the range",
                allowed=f"an intensity that at most {percent} % of the volume reaches",
            )
        return self.scale.lowest + step * self.scale.width


def _prepare(context: Context, aggregation: str) -> VolumeHistogram:
    return VolumeHistogram(context.scale(context.values))


FAMILY = Family("intensity_volume_histogram", "Intensity volume histogram", _prepare)
feature = FAMILY.feature


@feature("ivh_v10", "Volume fraction at 10% intensity", "BC2M")
def volume_10(h: VolumeHistogram) -> float:
    """Largest volume fraction whose intensity is at least 10 % up the range."""
    return h.volume(10)


@feature("ivh_v90", "Volume fraction at 90% intensity", "BC2M")
def volume_90(h: VolumeHistogram) -> float:
    """Largest volume fraction whose intensity is at least 90 % up the range."""
    return h.volume(90)


@feature("ivh_i10", "Intensity at 10% volume", "GBPN", "intensity")
def intensity_10(h: VolumeHistogram) -> float:
    """Smallest intensity of the scale reached by at most 10 % of the volume; a bin number in arbitrary units."""
    return h.intensity(10)


@feature("ivh_i90", "Intensity at 90% volume", "GBPN", "intensity")
def intensity_90(h: VolumeHistogram) -> float:
    """Smallest intensity of the scale reached by at most 90 % of the volume; a bin number in arbitrary units."""
    return h.intensity(90)


@feature("ivh_diff_v10_v90", "Volume fraction difference between 10% and 90% intensity", "DDTU")
def volume_difference(h: VolumeHistogram) -> float:
    """Volume fraction at 10 % less that at 90 % of the intensity range."""
    return h.volume(10) - h.volume(90)


@feature("ivh_diff_i10_i90", "Intensity difference between 10% and 90% volume", "CNV2", "intensity")
def intensity_difference(h: VolumeHistogram) -> float:
    """Intensity at 10 % less that at 90 % of the volume; in bins in arbitrary units."""
    return h.intensity(10) - h.intensity(90)


@feature(
    "ivh_auc",
    "Area under the IVH curve",
    "9CMM",
    source="IBSI manual (arXiv:1612.07003), feature 9CMM; no consensus value, checked against the written-out sum",
)
def area_under_curve(h: VolumeHistogram) -> float:
    """Area under volume fraction over intensity fraction, by trapezoids; 0 when a single intensity comes."""
    steps, last = h.ordered, h.scale.last
    if steps[0] == steps[-1]:
        return 0.0
    # Σ_k ν_k counts each voxel once for every step up to its own; ν is 1 at the first step.
    end = float(np.mean(steps == last))
    return float((steps.mean() + 1 - (1 + end) / 2) / last)
