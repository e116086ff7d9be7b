"""Local intensity (IBSI family 9ST6): the mean around the hottest voxel, and the hottest such mean."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from radiolocus.errors import UndefinedError
from radiolocus.feature.core import Context, Family
from radiolocus.image.region import Region
from radiolocus.kernels.sphere import sphere_means
from radiolocus.model import Array

__all__ = ["FAMILY", "RADIUS_MM", "Peaks"]

#: Radius of a sphere of 1 cm³.
RADIUS_MM = float(10 * (3 / (4 * np.pi)) ** (1 / 3))


@dataclass(frozen=True, eq=False)
class Peaks:
    """Mean intensity of the sphere of 1 cm³ around each voxel of the intensity mask.

    A sphere holds the voxels whose centres lie within it, also those outside the region, as far as the image reaches.
    """

    region: Region

    @cached_property
    def means(self) -> Array:
        """Means in the order of the voxels of the intensity mask, shape (n,)."""
        means = sphere_means(self.region.image, self.region.intensity, self.region.spacing, RADIUS_MM)
        if not np.isfinite(means).all():
            raise UndefinedError(
                "NaN or infinite voxels lie within the sphere of 1 cm³ around voxels of the region",
                allowed="finite intensities within 6.2 mm of the region",
                todo="repair the image, or leave out the family",
            )
        return means


def _prepare(context: Context, aggregation: str) -> Peaks:
    return Peaks(context.region)


FAMILY = Family("local_intensity", "Local intensity", _prepare, margin_mm=RADIUS_MM)
feature = FAMILY.feature


@feature("loc_peak_loc", "Local intensity peak", "VJGA", "intensity")
def local_peak(p: Peaks) -> float:
    """Mean of the sphere of 1 cm³ around the voxel of the largest intensity; the largest mean among equal voxels."""
    values = p.region.image[p.region.intensity]
    return float(p.means[values == values.max()].max())


@feature("loc_peak_glob", "Global intensity peak", "0F91", "intensity")
def global_peak(p: Peaks) -> float:
    """Largest mean of a sphere of 1 cm³ around a voxel of the region."""
    return float(p.means.max())
