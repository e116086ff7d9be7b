"""Longest diameter of a mask within its slices, and the diameter perpendicular to it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel
from radiolocus.model import Array

__all__ = ["chord_across", "longest_pairs"]

# Two pairs of a symmetric lesion are equally far apart but for rounding.
_TIE = 1e-9


@kernel
def longest_pairs(points: Array, first: npt.NDArray[np.int64]) -> tuple[float, npt.NDArray[np.int64]]:
    """Return the largest distance of two points of one slice, and all pairs that are so far apart.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        Positions (y, x) in mm, slice by slice.
    first : ndarray of int64, shape (slices + 1,)
        Row of the first point of each slice and, last, n.

    Returns
    -------
    longest : float
        mm.
    pairs : ndarray of int64, shape (k, 3)
        Slice and rows of the two points.
    """
    longest = 0.0
    for s in range(first.size - 1):
        for p in range(first[s], first[s + 1]):
            for q in range(first[s], p):
                y, x = points[p, 0] - points[q, 0], points[p, 1] - points[q, 1]
                longest = max(longest, y * y + x * x)
    longest = np.sqrt(longest)
    found = 0
    pairs = np.empty((16, 3), np.int64)
    for s in range(first.size - 1):
        for p in range(first[s], first[s + 1]):
            for q in range(first[s], p):
                y, x = points[p, 0] - points[q, 0], points[p, 1] - points[q, 1]
                if np.sqrt(y * y + x * x) < longest - _TIE:
                    continue
                if found == len(pairs):
                    more = np.empty((2 * found, 3), np.int64)
                    more[:found] = pairs
                    pairs = more
                pairs[found, 0], pairs[found, 1], pairs[found, 2] = s, q, p
                found += 1
    return longest, pairs[:found].copy()


@kernel
def chord_across(points: Array, start: int, end: int) -> float:
    """Return the longest chord of the convex hull of `points` that is perpendicular to the line of two of them.

    The length of the chord is concave and piecewise linear along that line, with its bends at the points: the longest
    stands at one of them.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        Positions (y, x) in mm; all the points that the hull needs, more do no harm.
    start, end : int
        Rows of the two points.

    Returns
    -------
    float
        mm.
    """
    dy, dx = points[end, 0] - points[start, 0], points[end, 1] - points[start, 1]
    length = np.sqrt(dy * dy + dx * dx)
    along, across = np.empty(len(points)), np.empty(len(points))
    for i in range(len(points)):
        y, x = points[i, 0] - points[start, 0], points[i, 1] - points[start, 1]
        along[i] = (y * dy + x * dx) / length
        across[i] = (x * dy - y * dx) / length
    longest = 0.0
    for k in range(len(points)):
        low, high = across[k], across[k]
        for i in range(len(points)):
            for j in range(i):
                a, b = along[i] - along[k], along[j] - along[k]
                if a * b > 0 or a == b:
                    continue
                share = a / (a - b)
                u = across[i] + share * (across[j] - across[i])
                low, high = min(low, u), max(high, u)
        longest = max(longest, high - low)
    return longest
