"""Slow, obvious twin of `radiolocus.kernels.raster`: exact rational arithmetic, one pixel at a time."""

from __future__ import annotations

from fractions import Fraction

import numpy as np


def edges(points):
    exact = [(Fraction(float(y)), Fraction(float(x))) for y, x in points]
    return list(zip(exact, exact[1:] + exact[:1], strict=True))


def inside(points, y, x):
    """Crossing number of the ray from (y, x) towards larger x."""
    crossings = 0
    for (y0, x0), (y1, x1) in edges(points):
        if (y0 <= y) != (y1 <= y) and x0 + (y - y0) * (x1 - x0) / (y1 - y0) > x:
            crossings += 1
    return crossings % 2 == 1


def on_outline(points, y, x):
    for (y0, x0), (y1, x1) in edges(points):
        collinear = (y1 - y0) * (x - x0) == (x1 - x0) * (y - y0)
        if collinear and min(y0, y1) <= y <= max(y0, y1) and min(x0, x1) <= x <= max(x0, x1):
            return True
    return False


def fill(polygons, rows, columns):
    """Even-odd union: a pixel is set when an odd number of polygons holds its centre."""
    plane = np.zeros((rows, columns), bool)
    for r in range(rows):
        for c in range(columns):
            plane[r, c] = sum(inside(p, r, c) for p in polygons) % 2 == 1
    return plane


def outline(points, rows, columns):
    return sum(on_outline(points, r, c) for r in range(rows) for c in range(columns))
