"""Runs by cutting every line of an array into pieces."""

from __future__ import annotations

from itertools import groupby

import numpy as np

from naive.glcm import DIRECTIONS
from naive.level_matrix import averaged, merged

TAGS = [
    "rlm_sre",
    "rlm_lre",
    "rlm_lgre",
    "rlm_hgre",
    "rlm_srlge",
    "rlm_srhge",
    "rlm_lrlge",
    "rlm_lrhge",
    "rlm_glnu",
    "rlm_glnu_norm",
    "rlm_rlnu",
    "rlm_rlnu_norm",
    "rlm_r_perc",
    "rlm_gl_var",
    "rlm_rl_var",
    "rlm_rl_entr",
]


def runs(levels, direction):
    """List (grey level, length) of every run in a direction; `levels` is (z, y, x), 0 outside."""

    def inside(at):
        return all(0 <= a < n for a, n in zip(at, levels.shape, strict=True))

    found = []
    for start in np.ndindex(levels.shape):
        if inside(np.subtract(start, direction)):
            continue
        line, at = [], np.array(start)
        while inside(at):
            line.append(int(levels[tuple(at)]))
            at = at + direction
        found += [(level, len(list(run))) for level, run in groupby(line) if level]
    return found


def _matrix(levels, direction):
    cells = {}
    for run in runs(levels, direction):
        cells[run] = cells.get(run, 0) + 1
    return cells, int((levels > 0).sum())


def expected(levels, aggregation):
    """Return every feature under its column name."""
    flat = [d for d in DIRECTIONS if d[0] == 0]
    if aggregation.startswith("3d"):
        matrices = [_matrix(levels, d) for d in DIRECTIONS]
        matrices = merged(matrices) if aggregation == "3d_comb" else matrices
    else:
        table = [[_matrix(part[None], d) for d in flat] for part in levels if part.any()]
        matrices = {
            "2d_avg": lambda: [m for row in table for m in row],
            "2d_comb": lambda: [merged(row)[0] for row in table],
            "2_5d_avg": lambda: [merged(column)[0] for column in zip(*table, strict=True)],
            "2_5d_comb": lambda: merged([m for row in table for m in row]),
        }[aggregation]()
    return averaged(matrices, [f"{tag}_{aggregation}" for tag in TAGS])
