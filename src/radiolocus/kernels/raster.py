"""Filling polygons on a pixel grid: a pixel belongs to a polygon when its centre lies inside."""

from __future__ import annotations

import numpy as np

from radiolocus.kernels.jit import kernel
from radiolocus.model import Array, BoolArray

__all__ = ["centres_on_outline", "toggle_polygon"]


@kernel
def toggle_polygon(plane: BoolArray, points: Array) -> tuple[int, int]:
    """Invert, in place, every pixel of `plane` whose centre lies inside a closed polygon (even-odd rule).

    Toggling all polygons of a plane in any order gives their even-odd union: holes, islands and keyholes included.

    Parameters
    ----------
    plane : ndarray of bool, shape (rows, columns)
        The centre of pixel (r, c) lies at y = r, x = c.
    points : ndarray of float64, shape (n, 2)
        Vertices (y, x) in pixels; the last is joined to the first. Parts outside the plane are left out.

    Returns
    -------
    inside : int
        Pixels whose centre lies inside the polygon.
    cleared : int
        Those among them that were set before and are not now.

    Notes
    -----
    A centre exactly on the outline is inside on edges towards smaller x or y and outside on the opposite ones
    (half-open rule), so that polygons that share an edge share no pixel and leave none out. Each edge is walked from
    its smaller y, whatever its direction: the two banks of a keyhole channel round alike and cancel exactly.
    Shimrat 1962, Algorithm 112 (crossing number).
    """
    rows, columns = plane.shape
    n = points.shape[0]
    if n == 0:
        return 0, 0
    first = max(0, int(np.ceil(points[:, 0].min())))
    last = min(rows, int(np.ceil(points[:, 0].max())))
    if last <= first:
        return 0, 0
    # flips[r, m]: parity of the crossings of row r that lie right of exactly m centres.
    flips = np.zeros((last - first, columns + 1), np.bool_)
    for i in range(n):
        j = i + 1 if i + 1 < n else 0
        y0, x0, y1, x1 = points[i, 0], points[i, 1], points[j, 0], points[j, 1]
        if y0 > y1:
            y0, x0, y1, x1 = y1, x1, y0, x0
        for r in range(max(first, int(np.ceil(y0))), min(last, int(np.ceil(y1)))):
            x = x0 + (r - y0) * (x1 - x0) / (y1 - y0)
            m = min(max(int(np.ceil(x)), 0), columns)
            flips[r - first, m] = not flips[r - first, m]
    inside = 0
    cleared = 0
    for r in range(first, last):
        odd = False
        for c in range(columns - 1, -1, -1):
            odd ^= flips[r - first, c + 1]
            if odd:
                inside += 1
                cleared += plane[r, c]
                plane[r, c] = not plane[r, c]
    return inside, cleared


@kernel
def centres_on_outline(points: Array, rows: int, columns: int, tolerance: float) -> int:
    """Count the pixel centres that lie on the outline of a closed polygon.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
        Vertices (y, x) in pixels.
    rows, columns : int
        Size of the plane.
    tolerance : float
        Distance along x (along y for horizontal edges), in pixels, below which a centre counts as on the outline.

    Returns
    -------
    int
        Number of distinct pixels.
    """
    touched = np.zeros((rows, columns), np.bool_)
    n = points.shape[0]
    for i in range(n):
        j = i + 1 if i + 1 < n else 0
        y0, x0, y1, x1 = points[i, 0], points[i, 1], points[j, 0], points[j, 1]
        if y0 > y1:
            y0, x0, y1, x1 = y1, x1, y0, x0
        for r in range(max(0, int(np.ceil(y0 - tolerance))), min(rows - 1, int(np.floor(y1 + tolerance))) + 1):
            if y1 - y0 <= tolerance:
                low, high = min(x0, x1), max(x0, x1)
            else:
                low = x0 + min(max((r - y0) / (y1 - y0), 0.0), 1.0) * (x1 - x0)
                high = low
            for c in range(
                max(0, int(np.ceil(low - tolerance))), min(columns - 1, int(np.floor(high + tolerance))) + 1
            ):
                touched[r, c] = True
    return int(touched.sum())
