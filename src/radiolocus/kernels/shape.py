"""Loops over binary masks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel
from radiolocus.model import Array

__all__ = [
    "cell_census",
    "farthest",
    "hull_candidates",
    "inverse_distances",
    "moments",
    "pair_sums",
    "spectral_sum",
    "spread_rows",
    "weighted_sums",
]

Whole = npt.NDArray[np.int64]
Complex = npt.NDArray[np.complex128]


@kernel
def cell_census(padded: npt.NDArray[np.bool_]) -> tuple[Whole, Whole]:
    """Count the 256 corner patterns of the cells between voxel centres, and add up where they stand.

    Parameters
    ----------
    padded : ndarray of bool, shape (z + 2, y + 2, x + 2)
        The mask; the outermost voxels are all false.

    Returns
    -------
    count : ndarray of int64, shape (256,)
        Cells of each pattern. Bit ``4 * dz + 2 * dy + dx`` of a pattern is the corner at offset (dz, dy, dx).
    place : ndarray of int64, shape (256, 3)
        Sum of the indices (z, y, x) of the first corners of these cells. Patterns 0 and 255 hold no surface and are
        left out.
    """
    nz, ny, nx = padded.shape
    count = np.zeros(256, dtype=np.int64)
    place = np.zeros((256, 3), dtype=np.int64)
    for z in range(nz - 1):
        for y in range(ny - 1):
            pattern = 0
            for x in range(nx):
                # The right face of the last cell is the left face of this one.
                pattern = (pattern >> 1) & 0b01010101
                pattern |= padded[z, y, x] << 1
                pattern |= padded[z, y + 1, x] << 3
                pattern |= padded[z + 1, y, x] << 5
                pattern |= padded[z + 1, y + 1, x] << 7
                if x > 0 and pattern != 0 and pattern != 255:
                    count[pattern] += 1
                    place[pattern, 0] += z
                    place[pattern, 1] += y
                    place[pattern, 2] += x - 1
    return count, place


@kernel
def moments(mask: npt.NDArray[np.bool_]) -> tuple[int, Whole, Whole]:
    """Add up the indices of true voxels and their products, exactly.

    Parameters
    ----------
    mask : ndarray of bool, shape (z, y, x)

    Returns
    -------
    n : int
        Number of true voxels.
    first : ndarray of int64, shape (3,)
        Sums of z, y, x.
    second : ndarray of int64, shape (3, 3)
        Sums of their products.
    """
    nz, ny, nx = mask.shape
    n = 0
    first = np.zeros(3, dtype=np.int64)
    second = np.zeros((3, 3), dtype=np.int64)
    for z in range(nz):
        for y in range(ny):
            row, sum_x, sum_xx = 0, 0, 0
            for x in range(nx):
                if mask[z, y, x]:
                    row += 1
                    sum_x += x
                    sum_xx += x * x
            n += row
            first[0] += z * row
            first[1] += y * row
            first[2] += sum_x
            second[0, 0] += z * z * row
            second[0, 1] += z * y * row
            second[0, 2] += z * sum_x
            second[1, 1] += y * y * row
            second[1, 2] += y * sum_x
            second[2, 2] += sum_xx
    second[1, 0], second[2, 0], second[2, 1] = second[0, 1], second[0, 2], second[1, 2]
    return n, first, second


@kernel
def weighted_sums(image: Array, mask: npt.NDArray[np.bool_]) -> Array:
    """Add up the intensities of a mask, and their products with each index.

    Parameters
    ----------
    image : ndarray, shape (z, y, x)
        May be anything outside the mask.
    mask : ndarray of bool, shape (z, y, x)

    Returns
    -------
    ndarray, shape (4,)
        ``Σ f``, ``Σ z f``, ``Σ y f`` and ``Σ x f``.
    """
    nz, ny, nx = mask.shape
    total = np.zeros(4)
    for z in range(nz):
        plane, plane_y, plane_x = 0.0, 0.0, 0.0
        for y in range(ny):
            row, row_x = 0.0, 0.0
            for x in range(nx):
                if mask[z, y, x]:
                    row += image[z, y, x]
                    row_x += x * image[z, y, x]
            plane += row
            plane_y += y * row
            plane_x += row_x
        total[0] += plane
        total[1] += z * plane
        total[2] += plane_y
        total[3] += plane_x
    return total


@kernel
def farthest(points: Array) -> float:
    """Return the largest distance between two of `points`, shape (n, 3); 0 for one."""
    largest = 0.0
    for p in range(len(points)):
        for q in range(p):
            z, y, x = points[p, 0] - points[q, 0], points[p, 1] - points[q, 1], points[p, 2] - points[q, 2]
            largest = max(largest, z * z + y * y + x * x)
    return float(np.sqrt(largest))


@kernel
def _row_ends(padded: npt.NDArray[np.bool_]) -> tuple[Whole, Whole]:
    """Return the leftmost and rightmost surface vertex of each row of the doubled lattice (left > right: none)."""
    nz, ny, nx = padded.shape
    left = np.full((2 * nz, 2 * ny), 2 * nx, dtype=np.int64)
    right = np.full((2 * nz, 2 * ny), -1, dtype=np.int64)
    sides = ((-1, 0), (1, 0), (0, -1), (0, 1))
    for z in range(1, nz - 1):
        for y in range(1, ny - 1):
            first, last = nx, -1
            for x in range(1, nx - 1):
                if not padded[z, y, x]:
                    continue
                first, last = min(first, x), x
                for dz, dy in sides:
                    if not padded[z + dz, y + dy, x]:
                        a, b = 2 * z + dz, 2 * y + dy
                        left[a, b], right[a, b] = min(left[a, b], 2 * x), max(right[a, b], 2 * x)
            if last > 0:
                a, b = 2 * z, 2 * y
                left[a, b], right[a, b] = min(left[a, b], 2 * first - 1), max(right[a, b], 2 * last + 1)
    return left, right


@kernel
def _chain(plane: int, ends: tuple[Whole, Whole], side: int, points: Whole, start: int) -> int:
    """Append one side of a plane's convex hull to `points` (monotone chain); return how many there are now."""
    left, right = ends
    n = start
    for y in range(left.shape[1]):
        if left[plane, y] > right[plane, y]:
            continue
        x = right[plane, y] if side > 0 else -left[plane, y]
        while n - start >= 2:
            ay, ax = points[n - 1, 1] - points[n - 2, 1], side * points[n - 1, 2] - side * points[n - 2, 2]
            by, bx = y - points[n - 2, 1], x - side * points[n - 2, 2]
            # The middle point goes unless it stands out beyond the line between its neighbours.
            if ax * by > bx * ay:
                break
            n -= 1
        points[n, 0], points[n, 1], points[n, 2] = plane, y, side * x
        n += 1
    return n


@kernel
def hull_candidates(padded: npt.NDArray[np.bool_]) -> Whole:
    """Return the vertices of the mask's surface mesh that can be vertices of its convex hull.

    A vertex of the hull of a solid is also a vertex of the hull of its own plane, so that hull alone is kept.

    Parameters
    ----------
    padded : ndarray of bool, shape (z + 2, y + 2, x + 2)
        The mask; the outermost voxels are all false.

    Returns
    -------
    ndarray of int64, shape (k, 3)
        Twice the index (z, y, x) of the vertices in `padded`; mesh vertices lie half way between two voxel centres.
    """
    ends = _row_ends(padded)
    points = np.empty((2 * ends[0].size, 3), dtype=np.int64)
    n = 0
    for plane in range(len(ends[0])):
        n = _chain(plane, ends, -1, points, n)
        n = _chain(plane, ends, 1, points, n)
    return points[:n].copy()


@kernel
def pair_sums(points: Array, values: Array) -> tuple[float, float, float]:
    """Sum over ordered pairs of points p ≠ q, weighted by the inverse of their distance.

    Parameters
    ----------
    points : ndarray, shape (n, 3)
        Positions in mm, all different.
    values : ndarray, shape (n,)
        A value f at each.

    Returns
    -------
    tuple of float
        ``Σ f(p) f(q) / |p - q|``, ``Σ 1 / |p - q|`` and ``Σ f(q)² / |p - q|``.
    """
    product, weight, square = 0.0, 0.0, 0.0
    for p in range(len(points)):
        for q in range(p):
            z, y, x = points[p, 0] - points[q, 0], points[p, 1] - points[q, 1], points[p, 2] - points[q, 2]
            w = 1.0 / np.sqrt(z * z + y * y + x * x)
            weight += w
            product += w * values[p] * values[q]
            square += w * (values[p] * values[p] + values[q] * values[q])
    return 2 * product, 2 * weight, square


@kernel
def spread_rows(lines: Complex, filled: npt.NDArray[np.bool_], height: int) -> Complex:
    """Put one number a row where the row stands, and 0 elsewhere.

    Parameters
    ----------
    lines : ndarray of complex128, shape (k, rows)
        One number of each row that is not empty, for each of k frequencies.
    filled : ndarray of bool, shape (z, y)
        Which rows these are.
    height : int
        Length of the padded axis y.

    Returns
    -------
    ndarray of complex128, shape (k, z, height)
    """
    nz, ny = filled.shape
    planes = np.zeros((len(lines), nz, height), dtype=np.complex128)
    for k in range(len(lines)):
        row = 0
        for z in range(nz):
            for y in range(ny):
                if filled[z, y]:
                    planes[k, z, y] = lines[k, row]
                    row += 1
    return planes


@kernel
def _product(one: complex, other: complex) -> float:
    """Real part of one number times the conjugate of the other."""
    return one.real * other.real + one.imag * other.imag


@kernel
def spectral_sum(f: Complex, g: Complex, weights: Array, times: Array) -> float:
    """Sum the products of two spectra over some planes of frequencies, weighted by a real spectrum with even axes.

    Parameters
    ----------
    f, g : ndarray of complex128, shape (k, 2a, 2b)
        Spectra.
    weights : ndarray, shape (k, a + 1, b + 1)
        The octant of the weights; the rest are its mirror images.
    times : ndarray, shape (k,)
        How often each plane counts.

    Returns
    -------
    float
        ``Σ w Re(f g*)``.
    """
    _, depth, height = f.shape
    total = 0.0
    for k in range(len(f)):
        for z in range(depth):
            row = weights[k, min(z, depth - z)]
            a, b = f[k, z], g[k, z]
            # The first and the middle frequency are their own mirror images; all others have a twin of their weight.
            half = height // 2
            part = row[0] * _product(a[0], b[0]) + row[half] * _product(a[half], b[half])
            for y in range(1, half):
                part += row[y] * (_product(a[y], b[y]) + _product(a[height - y], b[height - y]))
            total += times[k] * part
    return total


@kernel
def inverse_distances(shape: Whole, spacing: Array) -> Array:
    """Return 1 / distance in mm of each point of a grid from its first, and 0 for that one itself.

    Parameters
    ----------
    shape : ndarray of int64, shape (3,)
    spacing : ndarray, shape (3,)
        Steps of the grid along (z, y, x) in mm.

    Returns
    -------
    ndarray, shape (shape[0], shape[1], shape[2])
    """
    out = np.empty((shape[0], shape[1], shape[2]))
    along = (np.arange(shape[2]) * spacing[2]) ** 2
    for z in range(shape[0]):
        for y in range(shape[1]):
            across = (z * spacing[0]) ** 2 + (y * spacing[1]) ** 2
            row = out[z, y]
            for x in range(shape[2]):
                row[x] = 1.0 / np.sqrt(max(across + along[x], 1e-300))
    out[0, 0, 0] = 0.0
    return out
