"""Ring and core by looking at every pair of voxels; the best split of sorted numbers by trying every cut."""

from __future__ import annotations

import itertools

import numpy as np


def ring(mask, spacing, distance):
    out = np.zeros(mask.shape, bool)
    for outside in np.argwhere(~mask):
        away = np.linalg.norm((np.argwhere(mask) - outside) * spacing, axis=1)
        out[tuple(outside)] = away.min() <= distance + 1e-6
    return out


def core(mask, spacing, distance):
    """The image is laid into a larger one, in which everything around it is outside."""
    margin = 1 + int(np.ceil(distance / min(spacing)))
    wide = np.pad(mask, margin)
    out = np.zeros(wide.shape, bool)
    for inside in np.argwhere(wide):
        away = np.linalg.norm((np.argwhere(~wide) - inside) * spacing, axis=1)
        out[tuple(inside)] = away.min() > distance + 1e-6
    return out[margin:-margin, margin:-margin, margin:-margin]


def best_split(values, classes):
    """Smallest sum of squares within `classes` runs of the sorted values."""
    values = np.sort(values)
    best = np.inf
    for cuts in itertools.combinations(range(1, values.size), classes - 1):
        parts = np.split(values, cuts)
        best = min(best, sum(((p - p.mean()) ** 2).sum() for p in parts))
    return best
