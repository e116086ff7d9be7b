"""Zones by flood fill, their distance by walking out of the mask; both zone matrices."""

from __future__ import annotations

from itertools import product

import numpy as np

from naive.level_matrix import averaged, by_dimension

_KINDS = "{a} {b} lgze hgze {c}lge {c}hge {d}lge {d}hge glnu glnu_norm {e}nu {e}nu_norm z_perc gl_var {e}_var {e}_entr"
SIZE_TAGS = ["szm_" + t for t in _KINDS.format(a="sze", b="lze", c="sz", d="lz", e="zs").split()]
DISTANCE_TAGS = ["dzm_" + t for t in _KINDS.format(a="sde", b="lde", c="sd", d="ld", e="zd").split()]


def zones(levels):
    """List the voxels of every zone."""
    left, found = {tuple(int(i) for i in v) for v in np.argwhere(levels > 0)}, []
    while left:
        todo, zone = [left.pop()], []
        while todo:
            here = todo.pop()
            zone.append(here)
            for step in product((-1, 0, 1), repeat=3):
                there = tuple(a + b for a, b in zip(here, step, strict=True))
                if there in left and levels[there] == levels[here]:
                    left.remove(there)
                    todo.append(there)
        found.append(zone)
    return found


def distance(mask, at, within_slice):
    """Return how many faces lie between a voxel and the nearest one outside `mask`; beyond the array is outside."""
    padded = np.pad(mask, 1)
    outside = np.argwhere(~padded) - 1
    if within_slice:
        outside = outside[outside[:, 0] == at[0]]
    return int(np.abs(outside - at).sum(axis=1).min())


def size_matrix(levels, dimension):
    """Return the features of the size zone matrix under their column names."""

    def count(part):
        return [(int(part[zone[0]]), len(zone)) for zone in zones(part)]

    return averaged(by_dimension(levels, count, dimension), [f"{tag}_{dimension}" for tag in SIZE_TAGS])


def distance_matrix(levels, mask, dimension):
    """Return the features of the distance zone matrix; `mask` is the morphological one."""
    # Slices are handed over without their place: the distances are laid beside the grey levels beforehand.
    far = np.zeros(levels.shape, dtype=int)
    for at in np.argwhere(mask):
        far[tuple(at)] = distance(mask, at, dimension != "3d")
    both = levels * 1000 + far * (levels > 0)

    def count(part):
        grey = part // 1000
        return [(int(grey[zone[0]]), min(int(part[v]) % 1000 for v in zone)) for zone in zones(grey)]

    return averaged(by_dimension(both, count, dimension), [f"{tag}_{dimension}" for tag in DISTANCE_TAGS])
