"""Grey level run length matrix (IBSI family TP0I), in all six aggregations.

A run is a line of voxels of one grey level in one direction; r_ij counts the runs of grey level i and length j.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.feature.core import AGGREGATIONS, Context, Family, Levels
from radiolocus.feature.glcm import OFFSETS_2D, OFFSETS_3D
from radiolocus.feature.matrices import LevelMatrices, added, averaged, tally
from radiolocus.kernels.texture import LONGEST_RUN, run_counts, run_list
from radiolocus.model import Array

__all__ = ["FAMILY", "Runs", "list_runs"]

Whole = npt.NDArray[np.int64]
#: Matrix number, grey level, length and number of runs.
Runs = tuple[Whole, Whole, Whole, Whole]

# Dense counting pays as long as the matrices have not many more cells than there are voxels to fill them.
_CELLS_PER_VOXEL = 8


def list_runs(levels: Levels, offsets: Whole, by_slice: bool) -> Runs:
    """Count the runs of a region.

    Parameters
    ----------
    levels : ndarray of integers, shape (z, y, x)
        Grey levels 1..n, 0 outside the region; the outermost voxels are all 0.
    offsets : ndarray of int64, shape (d, 3)
    by_slice : bool
        One matrix a direction and a slice instead of one a direction.

    Returns
    -------
    Runs
        Matrices are numbered slice * directions + direction.
    """
    n, d = int(levels.max()), len(offsets)
    groups = levels.shape[0] - 2 if by_slice else 1
    longest = max(levels.shape[1:] if by_slice else levels.shape) - 2
    if longest <= LONGEST_RUN and groups * d * n * longest <= _CELLS_PER_VOXEL * np.count_nonzero(levels):
        counts = run_counts(levels, offsets, n, longest, by_slice)
        group, direction, row, column = np.nonzero(counts)
        return group * d + direction, row + 1, column + 1, counts[group, direction, row, column].astype(np.int64)
    parts = [run_list(levels, offset) for offset in offsets]
    matrix = [(plane * d if by_slice else 0 * plane) + direction for direction, (plane, _, _) in enumerate(parts)]
    level, length = (np.concatenate([part[k] for part in parts]).astype(np.int64) for k in (1, 2))
    return np.concatenate(matrix), level, length, np.ones(level.size, dtype=np.int64)


def _prepare(context: Context, aggregation: str) -> LevelMatrices:
    flat = not aggregation.startswith("3d")
    offsets = OFFSETS_2D if flat else OFFSETS_3D
    matrix, level, length, count = context.once(
        f"glrlm/{flat}", lambda: list_runs(context.levels, offsets, by_slice=flat)
    )
    d = len(offsets)
    if aggregation == "2d_comb":
        matrix = matrix // d
    elif aggregation == "2_5d_avg":
        matrix = matrix % d
    elif aggregation in ("2_5d_comb", "3d_comb"):
        matrix = np.zeros_like(matrix)
    # Each voxel lies in exactly one run of a direction.
    return tally(matrix, level, length, added(matrix, length * count), count)


FAMILY = Family(
    "glrlm",
    "Run length matrix",
    _prepare,
    aggregations={name: (f"_{name}", title) for name, title in AGGREGATIONS.items()},
    reduce=averaged,
)
feature = FAMILY.feature


@feature("rlm_sre", "Short runs emphasis", "22OV")
def short_runs_emphasis(m: LevelMatrices) -> Array:
    """Mean of 1 / j² over the runs, j the run length: Σ r_ij / j² / N_s."""
    return m.sum(m.p / m.j2)


@feature("rlm_lre", "Long runs emphasis", "W4KF")
def long_runs_emphasis(m: LevelMatrices) -> Array:
    """Mean of j² over the runs, j the run length: Σ j² r_ij / N_s."""
    return m.sum(m.p * m.j2)


@feature("rlm_lgre", "Low grey level run emphasis", "V3SW")
def low_grey_level_run_emphasis(m: LevelMatrices) -> Array:
    """Mean of 1 / i² over the runs, i the grey level: Σ r_ij / i² / N_s."""
    return m.sum(m.p / m.i2)


@feature("rlm_hgre", "High grey level run emphasis", "G3QZ")
def high_grey_level_run_emphasis(m: LevelMatrices) -> Array:
    """Mean of i² over the runs, i the grey level: Σ i² r_ij / N_s."""
    return m.sum(m.p * m.i2)


@feature("rlm_srlge", "Short run low grey level emphasis", "HTZT")
def short_run_low_grey_level_emphasis(m: LevelMatrices) -> Array:
    """Σ r_ij / (i² j²) / N_s."""
    return m.sum(m.p / (m.i2 * m.j2))


@feature("rlm_srhge", "Short run high grey level emphasis", "GD3A")
def short_run_high_grey_level_emphasis(m: LevelMatrices) -> Array:
    """Σ i² r_ij / j² / N_s."""
    return m.sum(m.p * m.i2 / m.j2)


@feature("rlm_lrlge", "Long run low grey level emphasis", "IVPO")
def long_run_low_grey_level_emphasis(m: LevelMatrices) -> Array:
    """Σ j² r_ij / i² / N_s."""
    return m.sum(m.p * m.j2 / m.i2)


@feature("rlm_lrhge", "Long run high grey level emphasis", "3KUM")
def long_run_high_grey_level_emphasis(m: LevelMatrices) -> Array:
    """Σ i² j² r_ij / N_s."""
    return m.sum(m.p * m.i2 * m.j2)


@feature("rlm_glnu", "Grey level non-uniformity", "R5YN")
def grey_level_non_uniformity(m: LevelMatrices) -> Array:
    """Σ_i (Σ_j r_ij)² / N_s: small when the runs spread evenly over the grey levels."""
    return m.by_level / m.total


@feature("rlm_glnu_norm", "Normalised grey level non-uniformity", "OVBL")
def grey_level_non_uniformity_normalised(m: LevelMatrices) -> Array:
    """Σ_i (Σ_j r_ij)² / N_s²."""
    return m.by_level / m.total**2


@feature("rlm_rlnu", "Run length non-uniformity", "W92Y")
def run_length_non_uniformity(m: LevelMatrices) -> Array:
    """Σ_j (Σ_i r_ij)² / N_s: small when the runs spread evenly over the run lengths."""
    return m.by_other / m.total


@feature("rlm_rlnu_norm", "Normalised run length non-uniformity", "IC23")
def run_length_non_uniformity_normalised(m: LevelMatrices) -> Array:
    """Σ_j (Σ_i r_ij)² / N_s²."""
    return m.by_other / m.total**2


@feature("rlm_r_perc", "Run percentage", "9ZK5")
def run_percentage(m: LevelMatrices) -> Array:
    """Number of runs over the number of voxels, each counted once a direction: N_s / N_v."""
    return m.total / m.voxels


@feature("rlm_gl_var", "Grey level variance", "8CE5")
def grey_level_variance(m: LevelMatrices) -> Array:
    """Variance of the grey level of the runs."""
    return m.level_variance


@feature("rlm_rl_var", "Run length variance", "SXLW")
def run_length_variance(m: LevelMatrices) -> Array:
    """Variance of the run length of the runs."""
    return m.other_variance


@feature("rlm_rl_entr", "Run entropy", "HJ9O", "bit")
def run_entropy(m: LevelMatrices) -> Array:
    """Entropy of grey level and run length: -Σ p_ij log₂ p_ij."""
    return m.entropy
