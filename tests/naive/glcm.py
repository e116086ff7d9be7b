"""Grey level co-occurrence features straight from the IBSI definitions: dense matrices, plain loops."""

from __future__ import annotations

import math

import numpy as np

DIRECTIONS = [(z, y, x) for z in (-1, 0, 1) for y in (-1, 0, 1) for x in (-1, 0, 1) if (z, y, x) > (0, 0, 0)]


def matrices(levels, aggregation):
    """Return the symmetric count matrices of an aggregation; `levels` is (z, y, x), 0 outside."""
    flat = not aggregation.startswith("3d")
    directions = [d for d in DIRECTIONS if d[0] == 0] if flat else DIRECTIONS
    n = int(levels.max())
    single = {}
    nz, ny, nx = levels.shape
    for z, y, x in np.argwhere(levels > 0):
        for d in directions:
            for sign in (1, -1):
                a, b, c = z + sign * d[0], y + sign * d[1], x + sign * d[2]
                if 0 <= a < nz and 0 <= b < ny and 0 <= c < nx and levels[a, b, c] > 0:
                    slab = z if flat else 0
                    matrix = single.setdefault((slab, d), np.zeros((n, n)))
                    matrix[levels[z, y, x] - 1, levels[a, b, c] - 1] += 1
    groups = {}
    for (slab, d), matrix in single.items():
        key = {
            "2d_avg": (slab, d),
            "2d_comb": slab,
            "2_5d_avg": d,
            "2_5d_comb": 0,
            "3d_avg": d,
            "3d_comb": 0,
        }[aggregation]
        groups[key] = groups.get(key, 0) + matrix
    return [groups[key] for key in sorted(groups)]


def _entropy(p):
    return -sum(v * math.log2(v) for v in np.ravel(p) if v > 0)


def features(counts):
    """Return every feature of one matrix; None where it is not defined."""
    p = counts / counts.sum()
    n = len(p)
    cells = [(i + 1, j + 1, p[i, j]) for i in range(n) for j in range(n)]
    row, column = p.sum(axis=1), p.sum(axis=0)
    difference, total = [0.0] * n, [0.0] * (2 * n + 1)
    for i, j, v in cells:
        difference[abs(i - j)] += v
        total[i + j] += v
    mean = sum(i * v for i, _, v in cells)
    variance = sum((i - mean) ** 2 * v for i, _, v in cells)
    difference_mean = sum(k * v for k, v in enumerate(difference))
    sum_mean = sum(k * v for k, v in enumerate(total))
    joint = _entropy(p)
    cross = -sum(v * math.log2(row[i - 1] * column[j - 1]) for i, j, v in cells if v > 0)
    independent = _entropy(np.outer(row, column))
    varied = np.count_nonzero(row) > 1
    return {
        "cm_joint_max": p.max(),
        "cm_joint_avg": mean,
        "cm_joint_var": variance,
        "cm_joint_entr": joint,
        "cm_diff_avg": difference_mean,
        "cm_diff_var": sum((k - difference_mean) ** 2 * v for k, v in enumerate(difference)),
        "cm_diff_entr": _entropy(difference),
        "cm_sum_avg": sum_mean,
        "cm_sum_var": sum((k - sum_mean) ** 2 * v for k, v in enumerate(total)),
        "cm_sum_entr": _entropy(total),
        "cm_energy": sum(v**2 for _, _, v in cells),
        "cm_contrast": sum((i - j) ** 2 * v for i, j, v in cells),
        "cm_dissimilarity": sum(abs(i - j) * v for i, j, v in cells),
        "cm_inv_diff": sum(v / (1 + abs(i - j)) for i, j, v in cells),
        "cm_inv_diff_norm": sum(v / (1 + abs(i - j) / n) for i, j, v in cells),
        "cm_inv_diff_mom": sum(v / (1 + (i - j) ** 2) for i, j, v in cells),
        "cm_inv_diff_mom_norm": sum(v / (1 + (i - j) ** 2 / n**2) for i, j, v in cells),
        "cm_inv_var": 2 * sum(v / (i - j) ** 2 for i, j, v in cells if j > i),
        "cm_corr": (sum(i * j * v for i, j, v in cells) - mean**2) / variance if varied else None,
        "cm_auto_corr": sum(i * j * v for i, j, v in cells),
        "cm_clust_tend": sum((i + j - 2 * mean) ** 2 * v for i, j, v in cells),
        "cm_clust_shade": sum((i + j - 2 * mean) ** 3 * v for i, j, v in cells),
        "cm_clust_prom": sum((i + j - 2 * mean) ** 4 * v for i, j, v in cells),
        "cm_info_corr1": (joint - cross) / _entropy(row) if varied else None,
        "cm_info_corr2": math.sqrt(max(0.0, 1 - math.exp(-2 * (independent - joint)))),
    }


def averaged(levels, aggregation):
    """Return every feature under its column name, averaged over the matrices where it is defined; None elsewhere."""
    each = [features(m) for m in matrices(levels, aggregation)]
    names = features(np.eye(2)).keys()
    out = {}
    for name in names:
        values = [f[name] for f in each if f[name] is not None]
        out[f"{name}_{aggregation}"] = sum(values) / len(values) if values else None
    return out
