"""Neighbourhoods one by one: the grey tone difference matrix and the dependence matrix."""

from __future__ import annotations

from itertools import product

import numpy as np

from naive.level_matrix import averaged, by_dimension

DEPENDENCE_TAGS = [
    "ngl_lde",
    "ngl_hde",
    "ngl_lgce",
    "ngl_hgce",
    "ngl_ldlge",
    "ngl_ldhge",
    "ngl_hdlge",
    "ngl_hdhge",
    "ngl_glnu",
    "ngl_glnu_norm",
    "ngl_dcnu",
    "ngl_dcnu_norm",
    "ngl_dc_perc",
    "ngl_gl_var",
    "ngl_dc_var",
    "ngl_dc_entr",
    "ngl_dc_energy",
]
TONE_TAGS = ("ngt_coarseness", "ngt_contrast", "ngt_busyness", "ngt_complexity", "ngt_strength")


def around(levels, at):
    """Return the grey levels of the neighbours of a voxel that lie within the region."""
    found = []
    for step in product((-1, 0, 1), repeat=3):
        there = tuple(a + b for a, b in zip(at, step, strict=True))
        if any(step) and all(0 <= a < n for a, n in zip(there, levels.shape, strict=True)) and levels[there]:
            found.append(int(levels[there]))
    return found


def dependence(levels, dimension):
    """Return the features of the dependence matrix under their column names."""

    def count(part):
        return [(int(part[tuple(v)]), 1 + around(part, v).count(int(part[tuple(v)]))) for v in np.argwhere(part)]

    return averaged(by_dimension(levels, count, dimension), [f"{tag}_{dimension}" for tag in DEPENDENCE_TAGS])


def _tones(levels):
    table = {}
    for v in np.argwhere(levels):
        level, others = int(levels[tuple(v)]), around(levels, v)
        if others:
            n, s = table.get(level, (0, 0.0))
            table[level] = n + 1, s + abs(level * len(others) - sum(others)) / len(others)
    return table


def _of_tones(table):
    total = sum(n for n, _ in table.values())
    rows = [(i, n / total, s) for i, (n, s) in table.items()]
    pairs = list(product(rows, repeat=2))
    weighted, spread = sum(p * s for _, p, s in rows), sum(s for _, _, s in rows)
    busy = sum(abs(i * table[i][0] - j * table[j][0]) for (i, _, _), (j, _, _) in pairs) / total
    several = len(rows) > 1
    contrast = sum(p * q * (i - j) ** 2 for (i, p, _), (j, q, _) in pairs) * spread / total
    return {
        "ngt_coarseness": 1 / weighted if weighted else 1e6,
        "ngt_contrast": contrast / (len(rows) * (len(rows) - 1)) if several else 0.0,
        "ngt_busyness": (weighted / busy if busy else None) if several else 0.0,
        "ngt_complexity": sum(abs(i - j) * (p * s + q * t) / (p + q) for (i, p, s), (j, q, t) in pairs) / total,
        "ngt_strength": sum((p + q) * (i - j) ** 2 for (i, p, _), (j, q, _) in pairs) / spread if spread else 0.0,
    }


def tone_difference(levels, dimension):
    """Return the features of the grey tone difference matrix; None where no matrix has a value."""
    tables = [_tones(levels)] if dimension == "3d" else [_tones(part[None]) for part in levels]
    if dimension == "2_5d":
        together = {}
        for table in tables:
            for i, (n, s) in table.items():
                m, t = together.get(i, (0, 0.0))
                together[i] = n + m, s + t
        tables = [together]
    each = [_of_tones(table) for table in tables if table]
    out = {}
    for tag in TONE_TAGS:
        values = [f[tag] for f in each if f[tag] is not None]
        out[f"{tag}_{dimension}"] = sum(values) / len(values) if values else None
    return out
