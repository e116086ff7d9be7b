"""Neighbouring grey level dependence matrix (IBSI family REK0): 2D, 2.5D and 3D.

Chebyshev distance 1, coarseness α = 0: s_ij counts the voxels of grey level i that have j - 1 neighbours of the same
grey level.
"""

from __future__ import annotations

from radiolocus.feature.core import Context, Family
from radiolocus.feature.matrices import BY_DIMENSION, LevelMatrices, averaged, by_plane
from radiolocus.feature.neighbours import neighbourhoods
from radiolocus.model import Array

__all__ = ["FAMILY"]


def _prepare(context: Context, aggregation: str) -> LevelMatrices:
    d = neighbourhoods(context, within_slices=not aggregation.startswith("3d")).dependence
    return by_plane(context, aggregation, d.plane, d.level, d.alike + 1, d.count)


FAMILY = Family(
    "ngldm", "Neighbouring grey level dependence matrix", _prepare, aggregations=BY_DIMENSION, reduce=averaged
)
feature = FAMILY.feature


@feature("ngl_lde", "Low dependence emphasis", "SODN")
def low_dependence_emphasis(m: LevelMatrices) -> Array:
    """Mean of 1 / j² over the voxels, j the dependence count: Σ s_ij / j² / N_s."""
    return m.sum(m.p / m.j2)


@feature("ngl_hde", "High dependence emphasis", "IMOQ")
def high_dependence_emphasis(m: LevelMatrices) -> Array:
    """Mean of j² over the voxels, j the dependence count: Σ j² s_ij / N_s."""
    return m.sum(m.p * m.j2)


@feature("ngl_lgce", "Low grey level count emphasis", "TL9H")
def low_grey_level_count_emphasis(m: LevelMatrices) -> Array:
    """Mean of 1 / i² over the voxels, i the grey level: Σ s_ij / i² / N_s."""
    return m.sum(m.p / m.i2)


@feature("ngl_hgce", "High grey level count emphasis", "OAE7")
def high_grey_level_count_emphasis(m: LevelMatrices) -> Array:
    """Mean of i² over the voxels, i the grey level: Σ i² s_ij / N_s."""
    return m.sum(m.p * m.i2)


@feature("ngl_ldlge", "Low dependence low grey level emphasis", "EQ3F")
def low_dependence_low_grey_level_emphasis(m: LevelMatrices) -> Array:
    """Σ s_ij / (i² j²) / N_s."""
    return m.sum(m.p / (m.i2 * m.j2))


@feature("ngl_ldhge", "Low dependence high grey level emphasis", "JA6D")
def low_dependence_high_grey_level_emphasis(m: LevelMatrices) -> Array:
    """Σ i² s_ij / j² / N_s."""
    return m.sum(m.p * m.i2 / m.j2)


@feature("ngl_hdlge", "High dependence low grey level emphasis", "NBZI")
def high_dependence_low_grey_level_emphasis(m: LevelMatrices) -> Array:
    """Σ j² s_ij / i² / N_s."""
    return m.sum(m.p * m.j2 / m.i2)


@feature("ngl_hdhge", "High dependence high grey level emphasis", "9QMG")
def high_dependence_high_grey_level_emphasis(m: LevelMatrices) -> Array:
    """Σ i² j² s_ij / N_s."""
    return m.sum(m.p * m.i2 * m.j2)


@feature("ngl_glnu", "Grey level non-uniformity", "FP8K")
def grey_level_non_uniformity(m: LevelMatrices) -> Array:
    """Σ_i (Σ_j s_ij)² / N_s: small when the voxels spread evenly over the grey levels."""
    return m.by_level / m.total


@feature("ngl_glnu_norm", "Normalised grey level non-uniformity", "5SPA")
def grey_level_non_uniformity_normalised(m: LevelMatrices) -> Array:
    """Σ_i (Σ_j s_ij)² / N_s²."""
    return m.by_level / m.total**2


@feature("ngl_dcnu", "Dependence count non-uniformity", "Z87G")
def dependence_count_non_uniformity(m: LevelMatrices) -> Array:
    """Σ_j (Σ_i s_ij)² / N_s: small when the voxels spread evenly over the dependence counts."""
    return m.by_other / m.total


@feature("ngl_dcnu_norm", "Normalised dependence count non-uniformity", "OKJI")
def dependence_count_non_uniformity_normalised(m: LevelMatrices) -> Array:
    """Σ_j (Σ_i s_ij)² / N_s²."""
    return m.by_other / m.total**2


@feature("ngl_dc_perc", "Dependence count percentage", "6XV8")
def dependence_count_percentage(m: LevelMatrices) -> Array:
    """Number of neighbourhoods over the number of voxels: N_s / N_v; 1, for every voxel has one."""
    return m.total / m.voxels


@feature("ngl_gl_var", "Grey level variance", "1PFV")
def grey_level_variance(m: LevelMatrices) -> Array:
    """Variance of the grey level of the voxels."""
    return m.level_variance


@feature("ngl_dc_var", "Dependence count variance", "DNX2")
def dependence_count_variance(m: LevelMatrices) -> Array:
    """Variance of the dependence count of the voxels."""
    return m.other_variance


@feature("ngl_dc_entr", "Dependence count entropy", "FCBV", "bit")
def dependence_count_entropy(m: LevelMatrices) -> Array:
    """Entropy of grey level and dependence count: -Σ p_ij log₂ p_ij."""
    return m.entropy


@feature("ngl_dc_energy", "Dependence count energy", "CAS9")
def dependence_count_energy(m: LevelMatrices) -> Array:
    """Energy of the matrix: Σ p_ij²."""
    return m.energy
