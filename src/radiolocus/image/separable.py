"""Filters that are a product of one-dimensional kernels, one an axis, and their right-angle rotations.

Directions are (x, y, z), as in the names of IBSI 2 (``E5L5S5``, ``LHL``): the first kernel runs along x, which is the
last axis of an array.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from radiolocus.image.boundary import Boundary, convolve
from radiolocus.image.pooling import right_angle_rotations
from radiolocus.model import Array

__all__ = ["Chain", "centred", "responses", "rotations"]

#: Kernels that are applied one after the other along the same axis.
Chain = tuple[Array, ...]


def centred(kernel: Array) -> Array:
    """Append a zero to a kernel of even length, so that its origin is the tap right of the middle (IBSI 2)."""
    return kernel if kernel.size % 2 else np.append(kernel, 0.0)


def rotations(chains: tuple[Chain, ...]) -> list[tuple[Chain, ...]]:
    """Return the distinct filters that right-angle rotations of `chains` give.

    Parameters
    ----------
    chains : tuple of Chain
        Kernels along (x, y) or (x, y, z).

    Returns
    -------
    list of tuple of Chain
        At most 4 or 24. Every distinct one comes from equally many rotations, so averages need no weights.
    """
    found: dict[tuple[bytes, ...], tuple[Chain, ...]] = {}
    for matrix in right_angle_rotations(len(chains)):
        turned = tuple(
            chains[row.nonzero()[0][0]] if row.sum() > 0 else tuple(k[::-1] for k in chains[row.nonzero()[0][0]])
            for row in matrix
        )
        found.setdefault(tuple(_key(chain) for chain in turned), turned)
    return list(found.values())


def responses(array: Array, filters: Iterable[tuple[Chain, ...]], boundary: Boundary) -> Iterator[Array]:
    """Yield the response to every filter; what filters have in common along z, then y, is computed once.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
    filters : iterable of tuple of Chain
        Distinct filters, kernels along (x, y) or (x, y, z); with two, every slice is filtered by itself.
    boundary : {"zero", "nearest", "periodic", "mirror"}
        Applied anew before every kernel of a chain.
    """
    filters = list(filters)
    yield from _branch(array, filters, len(filters[0]) - 1, boundary)


def _branch(array: Array, filters: list[tuple[Chain, ...]], direction: int, boundary: Boundary) -> Iterator[Array]:
    if direction < 0:
        yield array
        return
    alike: dict[bytes, list[tuple[Chain, ...]]] = {}
    for chains in filters:
        alike.setdefault(_key(chains[direction]), []).append(chains)
    for group in alike.values():
        out = array
        for kernel in group[0][direction]:
            out = convolve(out, kernel, 2 - direction, boundary)
        yield from _branch(out, group, direction - 1, boundary)


def _key(chain: Chain) -> bytes:
    # -0.0 and 0.0 are the same tap.
    return b"|".join((kernel + 0.0).tobytes() for kernel in chain)
