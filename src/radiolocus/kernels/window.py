"""Windows that slide over a region: what enters and what leaves is counted, the rest is kept.

All that is kept is whole numbers or the intensities themselves in order, so that nothing drifts along the way: the
result of a voxel does not depend on how the window came there.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel
from radiolocus.kernels.window_histogram import level_histogram, volume_histogram

__all__ = ["PAIR_FEATURES", "STATISTICS", "window_pairs", "window_statistics"]

Array = npt.NDArray[np.float64]
Levels = npt.NDArray[np.int32]
Whole = npt.NDArray[np.int64]
Counts = tuple[Levels, Whole, Whole, Whole, Whole, Whole, Whole]

#: Rows of the result of :func:`window_statistics`.
STATISTICS = (
    "stat_mean",
    "stat_var",
    "stat_skew",
    "stat_kurt",
    "stat_median",
    "stat_min",
    "stat_p10",
    "stat_p90",
    "stat_max",
    "stat_iqr",
    "stat_range",
    "stat_mad",
    "stat_rmad",
    "stat_medad",
    "stat_cov",
    "stat_qcod",
    "stat_energy",
    "stat_rms",
)

#: Rows of the result of :func:`window_pairs`.
PAIR_FEATURES = (
    "cm_joint_max",
    "cm_joint_avg",
    "cm_joint_var",
    "cm_joint_entr",
    "cm_diff_avg",
    "cm_diff_var",
    "cm_diff_entr",
    "cm_sum_avg",
    "cm_sum_var",
    "cm_sum_entr",
    "cm_energy",
    "cm_contrast",
    "cm_dissimilarity",
    "cm_inv_diff",
    "cm_inv_diff_norm",
    "cm_inv_diff_mom",
    "cm_inv_diff_mom_norm",
    "cm_inv_var",
    "cm_corr",
    "cm_auto_corr",
    "cm_clust_tend",
    "cm_clust_shade",
    "cm_clust_prom",
    "cm_info_corr1",
    "cm_info_corr2",
)
_CORRELATION, _INFORMATION = 18, 23  # not defined for a matrix of one grey level


@kernel
def _span(inside: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """Return the first and the last true place of a line; (0, -1) without any."""
    found = np.flatnonzero(inside)
    return (found[0], found[-1]) if found.size > 0 else (0, -1)


@kernel
def _sorted_plane(image: Array, inside: npt.NDArray[np.bool_], box: Whole, x: int, plane: Array) -> int:
    """Put the intensities of the region in plane `x` of the window into `plane`, in order; return how many."""
    n = 0
    for z in range(box[0], box[1]):
        for y in range(box[2], box[3]):
            if inside[z, y, x]:
                plane[n] = image[z, y, x]
                n += 1
    plane[:n].sort()
    return n


@kernel
def _exchange(kept: Array, leaving: Array, entering: Array, result: Array) -> int:
    """Take `leaving` out of `kept` and `entering` in; all are in order, and so is `result`. Return its size."""
    n, gone, come = 0, 0, 0
    for i in range(kept.size):
        if gone < leaving.size and kept[i] == leaving[gone]:
            gone += 1
            continue
        while come < entering.size and entering[come] < kept[i]:
            result[n] = entering[come]
            n, come = n + 1, come + 1
        result[n] = kept[i]
        n += 1
    while come < entering.size:
        result[n] = entering[come]
        n, come = n + 1, come + 1
    return n


@kernel
def _percentile(ordered: Array, fraction: float) -> float:
    """Interpolate linearly between order statistics, from the nearer of them as NumPy does."""
    at = (ordered.size - 1) * fraction
    low = math.floor(at)
    a, b = ordered[low], ordered[min(low + 1, ordered.size - 1)]
    t = at - low
    return float(b - (b - a) * (1 - t) if t >= 0.5 else a + (b - a) * t)


@kernel
def _absolute(values: Array, middle: float) -> float:
    """Return the mean absolute deviation from `middle`."""
    total = 0.0
    for v in values:
        total += abs(v - middle)
    return total / values.size


@kernel
def _moments(x: Array, out: Array) -> None:
    """Write mean, variance, skewness, kurtosis, coefficient of variation, energy and root mean square."""
    n = x.size
    flat = x[0] == x[-1]
    mean = x[0] if flat else x.sum() / n
    second, third, fourth, energy = 0.0, 0.0, 0.0, 0.0
    for v in x:
        d = v - mean
        second += d * d
        third += d * d * d
        fourth += d * d * d * d
        energy += v * v
    variance = second / n
    out[0], out[1] = mean, variance
    # Written as products of roots and squares: a power of a small variance would lose its last digits.
    out[2] = np.nan if flat or variance == 0 else third / n / (variance * math.sqrt(variance))
    out[3] = np.nan if flat or variance == 0 else fourth / n / (variance * variance) - 3
    out[14] = np.nan if mean == 0 else math.sqrt(variance) / mean
    out[16], out[17] = energy, math.sqrt(energy / n)


@kernel
def _statistics(x: Array, out: Array) -> None:
    """Write the statistics of intensities `x`, which are in order and not empty."""
    _moments(x, out)
    p10, p25, p50 = _percentile(x, 0.1), _percentile(x, 0.25), _percentile(x, 0.5)
    p75, p90 = _percentile(x, 0.75), _percentile(x, 0.9)
    inner = x[(x >= p10) & (x <= p90)]
    out[4], out[5], out[6], out[7], out[8] = p50, x[0], p10, p90, x[-1]
    out[9], out[10] = p75 - p25, x[-1] - x[0]
    out[11] = _absolute(x, out[0])
    out[12] = _absolute(inner, inner.sum() / inner.size) if inner.size > 0 else np.nan
    out[13] = _absolute(x, p50)
    out[15] = np.nan if p75 + p25 == 0 else (p75 - p25) / (p75 + p25)


@kernel
def window_statistics(
    image: Array, inside: npt.NDArray[np.bool_], radius: Whole, planes: Whole, what: int, scale: Array
) -> Array:
    """Take statistics, or a histogram, of the window around every voxel of a region.

    The intensities of the window are kept in order; a step takes one plane out of them and merges another in.

    Parameters
    ----------
    image : ndarray of float64, shape (z, y, x)
    inside : ndarray of bool, shape (z, y, x)
        The region; finite intensities.
    radius : ndarray of int64, shape (3,)
        The window reaches so many voxels along (z, y, x) to either side; only its voxels inside the region count.
    planes : ndarray of int64, shape (2,)
        First slice of the voxels wanted, and the one after the last.
    what : int
        0: :data:`STATISTICS`. 1: :data:`~radiolocus.kernels.window_histogram.HISTOGRAM`; `image` holds grey levels.
        2: :data:`~radiolocus.kernels.window_histogram.VOLUME_HISTOGRAM`; `image` holds the steps of `scale`.
    scale : ndarray of float64, shape (3,)
        See :func:`~radiolocus.kernels.window_histogram.volume_histogram`; of grey levels the largest and two zeros.

    Returns
    -------
    ndarray of float64, shape (23, n)
        As many rows as `what` has, of the voxels of the region in C order; NaN where one is not defined.
    """
    nz, ny, nx = inside.shape
    out = np.full((23, np.count_nonzero(inside[planes[0] : planes[1]])), np.nan)
    levels = np.zeros(int(scale[0]) + 1 if what == 1 else 0)
    plane = (2 * radius[0] + 1) * (2 * radius[1] + 1)
    kept, spare = np.empty(plane * (2 * radius[2] + 1)), np.empty(plane * (2 * radius[2] + 1))
    leaving, entering = np.empty(plane), np.empty(plane)
    one = np.full(23, np.nan)
    box = np.empty(4, dtype=np.int64)
    at = 0
    for z in range(planes[0], planes[1]):
        box[0], box[1] = max(0, z - radius[0]), min(nz, z + radius[0] + 1)
        for y in range(ny):
            box[2], box[3] = max(0, y - radius[1]), min(ny, y + radius[1] + 1)
            first, last = _span(inside[z, y])
            left = max(0, first - radius[2])
            right, size = left, 0
            for x in range(first, last + 1):
                while left < x - radius[2]:
                    gone = _sorted_plane(image, inside, box, left, leaving)
                    size = _exchange(kept[:size], leaving[:gone], entering[:0], spare)
                    kept, spare = spare, kept
                    left += 1
                while right < min(nx, x + radius[2] + 1):
                    come = _sorted_plane(image, inside, box, right, entering)
                    size = _exchange(kept[:size], leaving[:0], entering[:come], spare)
                    kept, spare = spare, kept
                    right += 1
                if inside[z, y, x]:
                    if what == 0:
                        _statistics(kept[:size], one)
                    elif what == 1:
                        level_histogram(kept[:size], levels, one)
                    else:
                        volume_histogram(kept[:size], scale, one)
                    out[:, at] = one
                    at += 1
    return out


@kernel
def _move(cells: Whole, top: Whole, old: int, new: int, weight: int) -> None:
    """Let `weight` cells of the matrix change their count; `cells` says how many have each, `top` is the largest."""
    if old > 0:
        cells[old] -= weight
    if new > 0:
        cells[new] += weight
    top[0] = max(top[0], new)
    while top[0] > 0 and cells[top[0]] == 0:
        top[0] -= 1


@kernel
def _change(counts: Counts, m: int, a: int, b: int, step: int) -> None:
    """Count a pair of levels in (step 1) or out (step -1)."""
    joint, cells, top, rows, sums, differences, pairs = counts
    low, high = min(a, b), max(a, b)
    old = joint[m, low, high]
    joint[m, low, high] = old + step
    # A symmetric matrix holds a pair twice: in two cells, or doubly in one of the diagonal.
    if low == high:
        _move(cells[m], top[m : m + 1], 2 * old, 2 * (old + step), 1)
    else:
        _move(cells[m], top[m : m + 1], old, old + step, 2)
    rows[m, a] += step
    rows[m, b] += step
    sums[m, a + b] += step
    differences[m, high - low] += step
    pairs[m] += step


@kernel
def _count_plane(
    padded: Levels, offsets: Whole, matrix: Whole, box: Whole, x: int, side: int, step: int, counts: Counts
) -> None:
    """Count in or out the pairs of plane `x` with itself and with the plane beside it at `side` (0: with none)."""
    for z in range(box[0], box[1]):
        for y in range(box[2], box[3]):
            level = padded[z, y, x]
            if level == 0:
                continue
            for d in range(len(offsets)):
                along = offsets[d, 2]
                if along != 0 and side == 0:
                    continue
                sign = 1 if along == 0 else side * along
                i, j = z + sign * offsets[d, 0], y + sign * offsets[d, 1]
                if box[0] <= i < box[1] and box[2] <= j < box[3]:
                    other = padded[i, j, x + sign * along]
                    if other > 0:
                        _change(counts, matrix[z - box[4], d], level, other, step)


@kernel
def _entropy(counts: Whole, total: int, c_log_c: Array) -> float:
    """Return the entropy in bits of `counts` that add up to `total`."""
    inner = 0.0
    for c in counts:
        inner += c_log_c[c]
    return math.log2(total) - inner / total


@kernel
def _joint(cells: Whole, top: int, total: int, c_log_c: Array, out: Array) -> None:
    inner, squares = 0.0, 0.0
    for c in range(1, top + 1):
        inner += cells[c] * c_log_c[c]
        squares += float(cells[c]) * c * c
    out[0] = top / total
    out[3] = 0.0 if top == total else math.log2(total) - inner / total
    out[10] = squares / total / total


@kernel
def _of_differences(counts: Whole, n: int, levels: int, out: Array) -> None:
    mean, squares = 0.0, 0.0
    out[13:18] = 0.0
    for k in range(counts.size):
        p = counts[k] / n
        mean += k * p
        squares += k * k * p
        out[13] += p / (1 + k)
        out[14] += p / (1 + k / levels)
        out[15] += p / (1 + k * k)
        out[16] += p / (1 + (k / levels) ** 2)
        out[17] += p / (k * k) if k > 0 else 0.0
    variance = 0.0
    for k in range(counts.size):
        variance += (k - mean) ** 2 * counts[k] / n
    out[4], out[5], out[11], out[12] = mean, variance, squares, mean


@kernel
def _of_sums(counts: Whole, lowest: int, n: int, out: Array) -> None:
    total, squares = 0, 0
    for k in range(counts.size):
        total += (k + lowest) * counts[k]
        squares += (k + lowest) ** 2 * counts[k]
    mean = total / n
    second, third, fourth = 0.0, 0.0, 0.0
    for k in range(counts.size):
        d, p = k + lowest - mean, counts[k] / n
        second += d * d * p
        third += d * d * d * p
        fourth += d * d * d * d * p
    out[7], out[8], out[20], out[21], out[22] = mean, second, second, third, fourth
    # i j = ((i + j)² - (i - j)²) / 4, and so for the deviations from the mean.
    out[1], out[2], out[19] = mean / 2, (second + out[11]) / 4, (squares / n - out[11]) / 4
    out[18] = (second - out[11]) / (second + out[11]) if second + out[11] > 0 else np.nan


@kernel
def _features(counts: Counts, m: int, levels: int, c_log_c: Array, out: Array) -> None:
    """Write :data:`PAIR_FEATURES` of matrix `m`, which holds at least one pair; NaN where one is not defined."""
    _, cells, top, rows, sums, differences, pairs = counts
    n = pairs[m]
    low, high = _span(rows[m] > 0)
    _joint(cells[m], top[m], 2 * n, c_log_c, out)
    spread = differences[m, : high - low + 1]
    both = sums[m, 2 * low : 2 * high + 1]
    _of_differences(spread, n, levels, out)
    _of_sums(both, 2 * low, n, out)
    out[6], out[9] = _entropy(spread, n, c_log_c), _entropy(both, n, c_log_c)
    row = 0.0 if low == high else _entropy(rows[m, low : high + 1], 2 * n, c_log_c)
    out[23] = (out[3] - 2 * row) / row if low < high else np.nan
    out[24] = math.sqrt(-math.expm1(-2 * max(2 * row - out[3], 0.0)))


@kernel
def _average(counts: Counts, levels: int, c_log_c: Array, one: Array, out: Array) -> None:
    """Write the average over the matrices that hold a pair, and of those over which a feature is defined."""
    filled, varied = 0, 0
    out[:] = 0.0
    for m in range(counts[6].size):
        if counts[6][m] == 0:
            continue
        filled += 1
        _features(counts, m, levels, c_log_c, one)
        defined = not np.isnan(one[_CORRELATION])
        varied += defined
        for k in range(one.size):
            if defined or k not in (_CORRELATION, _INFORMATION):
                out[k] += one[k]
    for k in range(one.size):
        by = varied if k in (_CORRELATION, _INFORMATION) else filled
        out[k] = out[k] / by if by > 0 else np.nan


@kernel
def window_pairs(
    padded: Levels, offsets: Whole, matrix: Whole, n_matrices: int, n_levels: int, radius: Whole, planes: Whole
) -> Array:
    """Take the co-occurrence features of the window around every voxel of a region.

    Pairs of the plane that leaves are counted out of the matrices and their marginals, those of the plane that enters
    are counted in.

    Parameters
    ----------
    padded : ndarray of int32, shape (z + 2, y + 2, x + 2)
        Grey levels 1..n_levels, 0 outside the region; the outermost voxels are all 0.
    offsets : ndarray of int64, shape (d, 3)
        Neighbour offsets (z, y, x), each within one voxel; one of each pair of opposite ones.
    matrix : ndarray of int64, shape (2 * radius_z + 1, d)
        Number of the matrix that a pair belongs to, by slice of the window and by direction.
    n_matrices, n_levels : int
    radius : ndarray of int64, shape (3,)
        The window reaches so many voxels along (z, y, x) to either side; only its voxels inside the region count.
    planes : ndarray of int64, shape (2,)
        First slice of the voxels wanted, and the one after the last; slice 1 is the first that is not padding.

    Returns
    -------
    ndarray of float64, shape (25, n)
        :data:`PAIR_FEATURES`, averaged over the matrices, of the voxels of the region in C order; NaN where one is not
        defined.
    """
    nz, ny, nx = padded.shape
    most = 0
    for m in range(n_matrices):
        most = max(most, np.count_nonzero(matrix == m) * (2 * radius[1] + 1) * (2 * radius[2] + 1))
    c_log_c = np.zeros(2 * most + 1)
    for c in range(2, c_log_c.size):
        c_log_c[c] = c * math.log2(c)
    counts = (
        np.zeros((n_matrices, n_levels + 1, n_levels + 1), dtype=np.int32),
        np.zeros((n_matrices, 2 * most + 1), dtype=np.int64),
        np.zeros(n_matrices, dtype=np.int64),
        np.zeros((n_matrices, n_levels + 1), dtype=np.int64),
        np.zeros((n_matrices, 2 * n_levels + 1), dtype=np.int64),
        np.zeros((n_matrices, n_levels), dtype=np.int64),
        np.zeros(n_matrices, dtype=np.int64),
    )
    out = np.full((25, np.count_nonzero(padded[planes[0] : planes[1]])), np.nan)
    one, mean = np.empty(25), np.empty(25)
    box = np.empty(5, dtype=np.int64)
    at = 0
    for z in range(planes[0], planes[1]):
        box[0], box[1], box[4] = max(1, z - radius[0]), min(nz - 1, z + radius[0] + 1), z - radius[0]
        for y in range(1, ny - 1):
            box[2], box[3] = max(1, y - radius[1]), min(ny - 1, y + radius[1] + 1)
            first, last = _span(padded[z, y] > 0)
            left = max(1, first - radius[2])
            right = left
            for x in range(first, last + 1):
                while left < x - radius[2]:
                    side = 1 if left + 1 < right else 0
                    _count_plane(padded, offsets, matrix, box, left, side, -1, counts)
                    left += 1
                while right < min(nx - 1, x + radius[2] + 1):
                    side = -1 if right > left else 0
                    _count_plane(padded, offsets, matrix, box, right, side, 1, counts)
                    right += 1
                if padded[z, y, x] > 0:
                    _average(counts, n_levels, c_log_c, one, mean)
                    out[:, at] = mean
                    at += 1
            # Counting out the rest leaves every count at 0 again, for the next line.
            for x in range(left, right):
                _count_plane(padded, offsets, matrix, box, x, 1 if x + 1 < right else 0, -1, counts)
    return out
