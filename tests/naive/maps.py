"""Feature maps by starting afresh at every voxel: the window is cut out and measured by the naive twins."""

from __future__ import annotations

import numpy as np

from naive import glcm, intensity


def _windows(inside, radius):
    for at in np.argwhere(inside):
        box = tuple(slice(max(0, a - r), a + r + 1) for a, r in zip(at, radius, strict=True))
        yield tuple(at), box


def statistics(image, inside, radius):
    """Return every statistic as an array like `image`, NaN where there is none."""
    out = {}
    for at, box in _windows(inside, radius):
        for name, value in intensity.features(image[box][inside[box]]).items():
            out.setdefault(name, np.full(image.shape, np.nan))[at] = np.nan if value is None else value
    return out


def pairs(levels, aggregation, radius):
    """Return every co-occurrence feature as an array like `levels`; the matrices have the levels of the region."""
    n = int(levels.max())
    names = [f"{name}_{aggregation}" for name in glcm.features(np.eye(2))]
    out = {name: np.full(levels.shape, np.nan) for name in names}
    for at, box in _windows(levels > 0, radius):
        matrices = [np.pad(m, (0, n - len(m))) for m in glcm.matrices(levels[box], aggregation)]
        each = [glcm.features(m) for m in matrices]
        for name in glcm.features(np.eye(2)):
            values = [f[name] for f in each if f[name] is not None]
            if values:
                out[f"{name}_{aggregation}"][at] = sum(values) / len(values)
    return out
