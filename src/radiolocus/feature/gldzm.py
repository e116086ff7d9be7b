"""Grey level distance zone matrix (IBSI family VMDZ): 2D, 2.5D and 3D.

Zones are those of the size zone matrix; d_ij counts the zones of grey level i whose nearest voxel lies j faces from
outside. Grey levels are of the intensity mask, distances of the morphological mask: what re-segmentation dropped is no
border. The edge of the image is one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.feature.core import Context, Family
from radiolocus.feature.glszm import find_zones
from radiolocus.feature.matrices import BY_DIMENSION, LevelMatrices, averaged, by_plane
from radiolocus.image.region import bounding_box
from radiolocus.kernels.zones import border_distance, zone_minima
from radiolocus.model import Array

__all__ = ["FAMILY", "distances"]


def distances(context: Context, within_slices: bool) -> npt.NDArray[np.int32]:
    """Return the distance to the border of the morphological mask on the box of the grey levels."""
    region = context.region
    whole, part = bounding_box(region.morphological), bounding_box(region.intensity)
    distance = border_distance(np.pad(region.morphological[whole], 1), within_slices)
    # Index 0 of the grey levels is the voxel before the box of the intensity mask, in both padded arrays.
    z, y, x = (slice(p.start - w.start, p.stop - w.start + 2) for p, w in zip(part, whole, strict=True))
    return np.ascontiguousarray(distance[z, y, x])


def _prepare(context: Context, aggregation: str) -> LevelMatrices:
    within = not aggregation.startswith("3d")
    zones = find_zones(context, within)
    nearest = context.once(
        f"gldzm/{within}", lambda: zone_minima(zones.label, distances(context, within), zones.level.size)
    )
    return by_plane(context, aggregation, zones.plane, zones.level, nearest)


FAMILY = Family("gldzm", "Distance zone matrix", _prepare, aggregations=BY_DIMENSION, reduce=averaged)
feature = FAMILY.feature


@feature("dzm_sde", "Small distance emphasis", "0GBI")
def small_distance_emphasis(m: LevelMatrices) -> Array:
    """Mean of 1 / j² over the zones, j the zone distance: Σ d_ij / j² / N_s."""
    return m.sum(m.p / m.j2)


@feature("dzm_lde", "Large distance emphasis", "MB4I")
def large_distance_emphasis(m: LevelMatrices) -> Array:
    """Mean of j² over the zones, j the zone distance: Σ j² d_ij / N_s."""
    return m.sum(m.p * m.j2)


@feature("dzm_lgze", "Low grey level zone emphasis", "S1RA")
def low_grey_level_zone_emphasis(m: LevelMatrices) -> Array:
    """Mean of 1 / i² over the zones, i the grey level: Σ d_ij / i² / N_s."""
    return m.sum(m.p / m.i2)


@feature("dzm_hgze", "High grey level zone emphasis", "K26C")
def high_grey_level_zone_emphasis(m: LevelMatrices) -> Array:
    """Mean of i² over the zones, i the grey level: Σ i² d_ij / N_s."""
    return m.sum(m.p * m.i2)


@feature("dzm_sdlge", "Small distance low grey level emphasis", "RUVG")
def small_distance_low_grey_level_emphasis(m: LevelMatrices) -> Array:
    """Σ d_ij / (i² j²) / N_s."""
    return m.sum(m.p / (m.i2 * m.j2))


@feature("dzm_sdhge", "Small distance high grey level emphasis", "DKNJ")
def small_distance_high_grey_level_emphasis(m: LevelMatrices) -> Array:
    """Σ i² d_ij / j² / N_s."""
    return m.sum(m.p * m.i2 / m.j2)


@feature("dzm_ldlge", "Large distance low grey level emphasis", "A7WM")
def large_distance_low_grey_level_emphasis(m: LevelMatrices) -> Array:
    """Σ j² d_ij / i² / N_s."""
    return m.sum(m.p * m.j2 / m.i2)


@feature("dzm_ldhge", "Large distance high grey level emphasis", "KLTH")
def large_distance_high_grey_level_emphasis(m: LevelMatrices) -> Array:
    """Σ i² j² d_ij / N_s."""
    return m.sum(m.p * m.i2 * m.j2)


@feature("dzm_glnu", "Grey level non-uniformity", "VFT7")
def grey_level_non_uniformity(m: LevelMatrices) -> Array:
    """Σ_i (Σ_j d_ij)² / N_s: small when the zones spread evenly over the grey levels."""
    return m.by_level / m.total


@feature("dzm_glnu_norm", "Normalised grey level non-uniformity", "7HP3")
def grey_level_non_uniformity_normalised(m: LevelMatrices) -> Array:
    """Σ_i (Σ_j d_ij)² / N_s²."""
    return m.by_level / m.total**2


@feature("dzm_zdnu", "Zone distance non-uniformity", "V294")
def zone_distance_non_uniformity(m: LevelMatrices) -> Array:
    """Σ_j (Σ_i d_ij)² / N_s: small when the zones spread evenly over the zone distances."""
    return m.by_other / m.total


@feature("dzm_zdnu_norm", "Normalised zone distance non-uniformity", "IATH")
def zone_distance_non_uniformity_normalised(m: LevelMatrices) -> Array:
    """Σ_j (Σ_i d_ij)² / N_s²."""
    return m.by_other / m.total**2


@feature("dzm_z_perc", "Zone percentage", "VIWW")
def zone_percentage(m: LevelMatrices) -> Array:
    """Number of zones over the number of voxels: N_s / N_v."""
    return m.total / m.voxels


@feature("dzm_gl_var", "Grey level variance", "QK93")
def grey_level_variance(m: LevelMatrices) -> Array:
    """Variance of the grey level of the zones."""
    return m.level_variance


@feature("dzm_zd_var", "Zone distance variance", "7WT1")
def zone_distance_variance(m: LevelMatrices) -> Array:
    """Variance of the zone distance of the zones."""
    return m.other_variance


@feature("dzm_zd_entr", "Zone distance entropy", "GBDU", "bit")
def zone_distance_entropy(m: LevelMatrices) -> Array:
    """Entropy of grey level and zone distance: -Σ p_ij log₂ p_ij."""
    return m.entropy
