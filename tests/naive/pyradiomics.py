"""PyRadiomics' matrices and first order by their definitions, voxel after voxel."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np

STEPS = [s for s in itertools.product((-1, 0, 1), repeat=3) if s > (0, 0, 0)]
NORMS = {
    "manhattan": lambda s: sum(abs(v) for v in s),
    "euclidean": lambda s: math.sqrt(sum(v * v for v in s)),
    "infinity": lambda s: max(abs(v) for v in s),
}


def steps_at(distances):
    """One of each pair of opposite steps that go as far as one of the distances along some axis."""
    far = range(-max(distances), max(distances) + 1)
    return [s for s in itertools.product(far, repeat=3) if s > (0, 0, 0) and max(map(abs, s)) in distances]


def bins(values, width):
    lowest = math.floor(min(values) / width)
    return [math.floor(v / width) - lowest + 1 for v in values]


def levels_of(array, mask, width):
    at = [tuple(p) for p in np.argwhere(mask).tolist()]
    return dict(zip(at, bins([float(array[p]) for p in at], width), strict=True))


def _moved(p, step, sign=1):
    return tuple(a + sign * s for a, s in zip(p, step, strict=True))


def glcm(levels):
    """One dictionary (i, j) → probability a direction with pairs."""
    for step in STEPS:
        counts = Counter()
        for p, i in levels.items():
            j = levels.get(_moved(p, step))
            if j is not None:
                counts[i, j] += 1
                counts[j, i] += 1
        total = sum(counts.values())
        if total:
            yield {pair: n / total for pair, n in counts.items()}


def one_way(levels):
    """Means over the directions that have pairs, each counted from its first voxel to the next only."""
    found = []
    for step in STEPS:
        pairs = [(i, levels[q]) for p, i in levels.items() if (q := _moved(p, step)) in levels]
        if not pairs:
            continue
        n = len(pairs)
        entropy = [
            -sum(c / n * math.log2(c / n) for c in Counter(side).values())
            for side in (pairs, [i for i, _ in pairs], [j for _, j in pairs])
        ]
        x, y = np.array(pairs, dtype=float).T
        a, b = x - x.mean(), y - y.mean()
        shared = entropy[1] + entropy[2] - entropy[0]
        larger, spread = max(entropy[1:]), x.std() * y.std()
        found.append(
            {
                "JointAverage": x.mean(),
                "SumAverage": (x + y).mean(),
                "SumSquares": (a**2).mean(),
                "ClusterShade": ((a + b) ** 3).mean(),
                "Contrast": ((x - y) ** 2).mean(),
                "Correlation": (a * b).mean() / spread if spread else 1.0,
                "JointEntropy": entropy[0],
                "Imc1": -shared / larger if larger else 0.0,
                "Imc2": math.sqrt(max(1 - math.exp(-2 * shared), 0)),
            }
        )
    return {name: np.mean([one[name] for one in found]) for name in found[0]}


def _length(step, norm, spacing):
    return NORMS[norm]([s * size for s, size in zip(step, spacing, strict=True)]) if norm in NORMS else 1.0


def weighted_joint_entropy(levels, norm, spacing, distances=(1,)):
    """Of the sum of all matrices, each times exp(-d²), d its length in mm."""
    cells = Counter()
    for step in steps_at(distances):
        weight = math.exp(-(_length(step, norm, spacing) ** 2)) if norm in NORMS else 1.0
        for p, i in levels.items():
            j = levels.get(_moved(p, step))
            if j is not None:
                cells[i, j] += weight
                cells[j, i] += weight
    total = sum(cells.values())
    return -sum(n / total * math.log2(n / total) for n in cells.values())


def weighted_run_percentage(levels, norm, spacing):
    """Runs over voxels, each direction times its length in mm; every direction must have a line of two voxels."""
    runs = voxels = 0.0
    for step in STEPS:
        weight = _length(step, norm, spacing)
        runs += weight * sum(levels.get(_moved(p, step, -1)) != i for p, i in levels.items())
        voxels += weight * len(levels)
    return runs / voxels


def joint_entropy(levels):
    return np.mean([-sum(p * math.log2(p) for p in m.values()) for m in glcm(levels)])


def correlation(levels):
    found = []
    for m in glcm(levels):
        mean = sum(i * p for (i, _), p in m.items())
        variance = sum((i - mean) ** 2 * p for (i, _), p in m.items())
        shared = sum((i - mean) * (j - mean) * p for (i, j), p in m.items())
        found.append(shared / variance if variance > 1e-12 else 1.0)
    return np.mean(found)


def mcc(levels):
    """Second singular value of p_ij / √(p_i p_j)."""
    known = sorted(set(levels.values()))
    if len(known) < 2:
        return 1.0
    found = []
    for m in glcm(levels):
        p = np.array([[m.get((i, j), 0.0) for j in known] for i in known])
        root = np.sqrt(p.sum(axis=1))
        scaled = np.divide(p, np.outer(root, root), out=np.zeros_like(p), where=np.outer(root, root) > 0)
        found.append(np.linalg.svd(scaled, compute_uv=False)[1])
    return np.mean(found)


def _neighbours(levels, p, distances=(1,)):
    found = (levels.get(_moved(p, step, sign)) for step in steps_at(distances) for sign in (1, -1))
    return [j for j in found if j is not None]


def ngtdm_contrast(levels, distances=(1,)):
    n, s = Counter(), Counter()
    for p, i in levels.items():
        near = _neighbours(levels, p, distances)
        n[i] += 1
        s[i] += abs(i - sum(near) / len(near)) if near else 0.0
    total, g = sum(n.values()), len(n)
    if g == 1:
        return 0.0
    spread = sum(n[i] * n[j] * (i - j) ** 2 for i in n for j in n) / total**2
    return spread / (g * (g - 1)) * sum(s.values()) / total


def large_dependence_emphasis(levels, alpha, distances=(1,)):
    counts = [1 + sum(abs(i - j) <= alpha for j in _neighbours(levels, p, distances)) for p, i in levels.items()]
    return sum(c * c for c in counts) / len(counts)


def run_percentage(levels):
    """Directions in which no line holds two voxels are left out."""
    found = []
    for step in STEPS:
        lines = Counter()
        runs = 0
        for p, i in levels.items():
            runs += levels.get(_moved(p, step, -1)) != i
            axis = next(a for a in range(3) if step[a])
            lines[_moved(p, step, -p[axis] * step[axis])] += 1
        if max(lines.values()) > 1:
            found.append(runs / len(levels))
    return np.mean(found)


def surface_points(mask):
    """Points half way between a voxel of the region and one outside."""
    inside = {tuple(p) for p in np.argwhere(mask).tolist()}
    for p in inside:
        for axis, sign in itertools.product(range(3), (1, -1)):
            step = tuple(sign * (a == axis) for a in range(3))
            if _moved(p, step) not in inside:
                yield tuple(a + s / 2 for a, s in zip(p, step, strict=True))


def diameter(mask, spacing, axis=None):
    """Largest distance between two surface points, of one plane at right angles to `axis`."""
    points = sorted(set(surface_points(mask)))
    return max(
        math.dist([x * s for x, s in zip(a, spacing, strict=True)], [x * s for x, s in zip(b, spacing, strict=True)])
        for a in points
        for b in points
        if axis is None or a[axis] == b[axis]
    )


def circular(values, taps):
    """out[n] = Σ taps[k] values[n + K/2 - k], the image tiled."""
    size, middle = len(values), len(taps) // 2
    return [sum(t * values[(n + middle - k) % size] for k, t in enumerate(taps)) for n in range(size)]
