"""Features of a matrix of grey level against another number, from its cells by the formulas of the manual."""

from __future__ import annotations

import math


def _spread(cells, which, total):
    mean = sum(cell[which] * n for cell, n in cells.items()) / total
    return sum((cell[which] - mean) ** 2 * n for cell, n in cells.items()) / total


def _squares(cells, which):
    sums = {}
    for cell, n in cells.items():
        sums[cell[which]] = sums.get(cell[which], 0) + n
    return sum(n**2 for n in sums.values())


def features(cells, voxels):
    """Return the features of ``{(i, j): count}`` in the order of the manual, from small j emphasis to energy."""
    total = sum(cells.values())

    def mean(value):
        return sum(value(i, j) * n for (i, j), n in cells.items()) / total

    return [
        mean(lambda i, j: 1 / j**2),
        mean(lambda i, j: j**2),
        mean(lambda i, j: 1 / i**2),
        mean(lambda i, j: i**2),
        mean(lambda i, j: 1 / (i**2 * j**2)),
        mean(lambda i, j: i**2 / j**2),
        mean(lambda i, j: j**2 / i**2),
        mean(lambda i, j: i**2 * j**2),
        _squares(cells, 0) / total,
        _squares(cells, 0) / total**2,
        _squares(cells, 1) / total,
        _squares(cells, 1) / total**2,
        total / voxels,
        _spread(cells, 0, total),
        _spread(cells, 1, total),
        -sum(n / total * math.log2(n / total) for n in cells.values()),
        sum((n / total) ** 2 for n in cells.values()),
    ]


def averaged(matrices, tags):
    """Average the features of [(cells, voxels), ...] under their tags; `tags` may stop before the last feature."""
    each = [features(cells, voxels) for cells, voxels in matrices]
    return {tag: sum(f[k] for f in each) / len(each) for k, tag in enumerate(tags)}


def merged(matrices):
    """Add matrices up."""
    cells = {}
    for part, _ in matrices:
        for cell, n in part.items():
            cells[cell] = cells.get(cell, 0) + n
    return [(cells, sum(voxels for _, voxels in matrices))]


def by_dimension(levels, count, dimension):
    """Return the matrices of 2D, 2.5D or 3D; `count` lists (level, number) of an array (z, y, x), 0 outside."""
    if dimension == "3d":
        return [_matrix(levels, count)]
    slices = [_matrix(part[None], count) for part in levels if part.any()]
    return slices if dimension == "2d" else merged(slices)


def _matrix(levels, count):
    cells = {}
    for cell in count(levels):
        cells[cell] = cells.get(cell, 0) + 1
    return cells, int((levels > 0).sum())
