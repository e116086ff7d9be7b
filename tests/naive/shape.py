"""Morphology the slow way: the whole mesh, all pairs of voxels, all pairs of vertices."""

from __future__ import annotations

import math

import numpy as np
from scipy.spatial import ConvexHull
from skimage.measure import marching_cubes


def mesh(mask, spacing):
    """Return vertices in mm and faces of marching cubes over the whole mask."""
    vertices, faces, _, _ = marching_cubes(np.pad(mask, 1).astype(np.float32), 0.5)
    return (vertices.astype(float) - 1) * spacing, faces


def volume_and_area(mask, spacing):
    vertices, faces = mesh(mask, spacing)
    volume = area = 0.0
    for a, b, c in vertices[faces]:
        volume += np.dot(a, np.cross(b, c)) / 6
        area += np.linalg.norm(np.cross(b - a, c - a)) / 2
    return abs(volume), area


def hull(mask, spacing):
    """Return volume and area of the hull of all mesh vertices, and the largest distance between two of them."""
    vertices, _ = mesh(mask, spacing)
    solid = ConvexHull(vertices)
    return solid.volume, solid.area, max(math.dist(a, b) for a in vertices for b in vertices)


def axes(mask, spacing):
    """Return the lengths of the principal axes, longest first."""
    points = np.argwhere(mask) * spacing
    values = np.linalg.eigvalsh(np.cov(points, rowvar=False))[::-1]
    return 4 * np.sqrt(np.maximum(values, 0))


def autocorrelation(image, mask, spacing):
    """Return Moran's I and Geary's C over all ordered pairs."""
    points, values = np.argwhere(mask) * spacing, image[mask]
    n, mean = len(values), sum(values) / len(values)
    weights = products = squares = 0.0
    for p in range(n):
        for q in range(n):
            if p != q:
                w = 1 / math.dist(points[p], points[q])
                weights += w
                products += w * (values[p] - mean) * (values[q] - mean)
                squares += w * (values[p] - values[q]) ** 2
    spread = sum((v - mean) ** 2 for v in values)
    return n / weights * products / spread, (n - 1) / (2 * weights) * squares / spread


def centre_shift(image, mask, inside, spacing):
    """Return the distance between the centre of `mask` and the intensity-weighted centre of `inside`."""
    geometric = np.argwhere(mask).mean(axis=0) * spacing
    weighted = np.average(np.argwhere(inside), axis=0, weights=image[inside]) * spacing
    return math.dist(geometric, weighted)


def peaks(image, mask, spacing, radius):
    """Return the local and the global intensity peak."""
    grid = np.argwhere(np.ones(image.shape, dtype=bool))
    means = {}
    for voxel in map(tuple, np.argwhere(mask)):
        near = np.sqrt((((grid - voxel) * spacing) ** 2).sum(axis=1)) <= radius
        means[voxel] = image[tuple(grid[near].T)].mean()
    hottest = image[mask].max()
    return max(m for v, m in means.items() if image[v] == hottest), max(means.values())


def spectral_sum(f, g, weights, times):
    """Write the mirror images of the octant out, and sum over every frequency."""
    _, a, b = weights.shape
    rows, columns = [*range(a), *range(a - 2, 0, -1)], [*range(b), *range(b - 2, 0, -1)]
    whole = weights[:, rows][:, :, columns] * times[:, None, None]
    return (whole * (f * g.conj()).real).sum()
