"""Grey level size zone matrix (IBSI family 9SAK): 2D, 2.5D and 3D.

A zone is a set of connected voxels of one grey level (26 neighbours in 3D, 8 within a slice); s_ij counts the zones of
grey level i and j voxels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.feature.core import Context, Family
from radiolocus.feature.glcm import OFFSETS_2D, OFFSETS_3D
from radiolocus.feature.matrices import BY_DIMENSION, LevelMatrices, averaged, by_plane
from radiolocus.kernels.zones import label_zones
from radiolocus.model import Array

__all__ = ["FAMILY", "Zones", "find_zones"]

Levels = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Zones:
    """The k zones of a region; see :func:`radiolocus.kernels.zones.label_zones`."""

    label: Levels
    level: Levels
    size: Levels
    plane: Levels


def find_zones(context: Context, within_slices: bool) -> Zones:
    """Return the zones of a region, found once for all families that need them."""
    offsets = OFFSETS_2D if within_slices else OFFSETS_3D
    return context.once(f"zones/{within_slices}", lambda: Zones(*label_zones(context.levels, offsets)))


def _prepare(context: Context, aggregation: str) -> LevelMatrices:
    zones = find_zones(context, within_slices=not aggregation.startswith("3d"))
    return by_plane(context, aggregation, zones.plane, zones.level, zones.size)


FAMILY = Family("glszm", "Size zone matrix", _prepare, aggregations=BY_DIMENSION, reduce=averaged)
feature = FAMILY.feature


@feature("szm_sze", "Small zone emphasis", "5QRC")
def small_zone_emphasis(m: LevelMatrices) -> Array:
    """Mean of 1 / j² over the zones, j the zone size: Σ s_ij / j² / N_s."""
    return m.sum(m.p / m.j2)


@feature("szm_lze", "Large zone emphasis", "48P8")
def large_zone_emphasis(m: LevelMatrices) -> Array:
    """Mean of j² over the zones, j the zone size: Σ j² s_ij / N_s."""
    return m.sum(m.p * m.j2)


@feature("szm_lgze", "Low grey level zone emphasis", "XMSY")
def low_grey_level_zone_emphasis(m: LevelMatrices) -> Array:
    """Mean of 1 / i² over the zones, i the grey level: Σ s_ij / i² / N_s."""
    return m.sum(m.p / m.i2)


@feature("szm_hgze", "High grey level zone emphasis", "5GN9")
def high_grey_level_zone_emphasis(m: LevelMatrices) -> Array:
    """Mean of i² over the zones, i the grey level: Σ i² s_ij / N_s."""
    return m.sum(m.p * m.i2)


@feature("szm_szlge", "Small zone low grey level emphasis", "5RAI")
def small_zone_low_grey_level_emphasis(m: LevelMatrices) -> Array:
    """Σ s_ij / (i² j²) / N_s."""
    return m.sum(m.p / (m.i2 * m.j2))


@feature("szm_szhge", "Small zone high grey level emphasis", "HW1V")
def small_zone_high_grey_level_emphasis(m: LevelMatrices) -> Array:
    """Σ i² s_ij / j² / N_s."""
    return m.sum(m.p * m.i2 / m.j2)


@feature("szm_lzlge", "Large zone low grey level emphasis", "YH51")
def large_zone_low_grey_level_emphasis(m: LevelMatrices) -> Array:
    """Σ j² s_ij / i² / N_s."""
    return m.sum(m.p * m.j2 / m.i2)


@feature("szm_lzhge", "Large zone high grey level emphasis", "J17V")
def large_zone_high_grey_level_emphasis(m: LevelMatrices) -> Array:
    """Σ i² j² s_ij / N_s."""
    return m.sum(m.p * m.i2 * m.j2)


@feature("szm_glnu", "Grey level non-uniformity", "JNSA")
def grey_level_non_uniformity(m: LevelMatrices) -> Array:
    """Σ_i (Σ_j s_ij)² / N_s: small when the zones spread evenly over the grey levels."""
    return m.by_level / m.total


@feature("szm_glnu_norm", "Normalised grey level non-uniformity", "Y1RO")
def grey_level_non_uniformity_normalised(m: LevelMatrices) -> Array:
    """Σ_i (Σ_j s_ij)² / N_s²."""
    return m.by_level / m.total**2


@feature("szm_zsnu", "Zone size non-uniformity", "4JP3")
def zone_size_non_uniformity(m: LevelMatrices) -> Array:
    """Σ_j (Σ_i s_ij)² / N_s: small when the zones spread evenly over the zone sizes."""
    return m.by_other / m.total


@feature("szm_zsnu_norm", "Normalised zone size non-uniformity", "VB3A")
def zone_size_non_uniformity_normalised(m: LevelMatrices) -> Array:
    """Σ_j (Σ_i s_ij)² / N_s²."""
    return m.by_other / m.total**2


@feature("szm_z_perc", "Zone percentage", "P30P")
def zone_percentage(m: LevelMatrices) -> Array:
    """Number of zones over the number of voxels: N_s / N_v."""
    return m.total / m.voxels


@feature("szm_gl_var", "Grey level variance", "BYLV")
def grey_level_variance(m: LevelMatrices) -> Array:
    """Variance of the grey level of the zones."""
    return m.level_variance


@feature("szm_zs_var", "Zone size variance", "3NSA")
def zone_size_variance(m: LevelMatrices) -> Array:
    """Variance of the zone size of the zones."""
    return m.other_variance


@feature("szm_zs_entr", "Zone size entropy", "GU8N", "bit")
def zone_size_entropy(m: LevelMatrices) -> Array:
    """Entropy of grey level and zone size: -Σ p_ij log₂ p_ij."""
    return m.entropy
