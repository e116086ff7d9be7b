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

__all__ = ["Chain", "Separable", "centred", "responses", "rotations"]

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


class Separable:
    """Responses of one image to filters that are asked for one after the other.

    What a filter has in common with the one before along x, then y, is not computed again; so the eight bands of a
    wavelet take 14 convolutions instead of 24 when they are asked for in the order of their names.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
    boundary : {"zero", "nearest", "periodic", "mirror"}
        Applied anew before every kernel of a chain.
    """

    def __init__(self, array: Array, boundary: Boundary) -> None:
        self.array = array
        self.boundary = boundary
        self._steps: list[tuple[bytes, Array]] = []

    def respond(self, chains: tuple[Chain, ...]) -> Array:
        """Return the response to kernels along (x, y) or (x, y, z); with two, every slice is filtered by itself."""
        keys = [_key(chain) for chain in chains]
        common = 0
        while common < min(len(keys), len(self._steps)) and keys[common] == self._steps[common][0]:
            common += 1
        del self._steps[common:]
        for direction in range(common, len(keys)):
            out = self._steps[-1][1] if self._steps else self.array
            for kernel in chains[direction]:
                out = convolve(out, kernel, 2 - direction, self.boundary)
            self._steps.append((keys[direction], out))
        return self._steps[-1][1]


def responses(array: Array, filters: Iterable[tuple[Chain, ...]], boundary: Boundary) -> Iterator[Array]:
    """Yield the response to every filter, in an order in which they have most in common.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
    filters : iterable of tuple of Chain
        Distinct filters; see :class:`Separable`.
    boundary : {"zero", "nearest", "periodic", "mirror"}
    """
    shared = Separable(array, boundary)
    for chains in sorted(filters, key=lambda chains: [_key(chain) for chain in chains]):
        yield shared.respond(chains)


def _key(chain: Chain) -> bytes:
    # -0.0 and 0.0 are the same tap.
    return b"|".join((kernel + 0.0).tobytes() for kernel in chain)
