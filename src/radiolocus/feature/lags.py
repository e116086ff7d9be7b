"""Sums over all pairs of voxels of a region, weighted by the inverse of their distance, without going through them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.fft

from radiolocus.feature.crew import one_by_one
from radiolocus.kernels.shape import inverse_distances, spectral_sum, spread_rows
from radiolocus.model import Array, BoolArray

__all__ = ["lag_sums"]

# Planes of the spectrum worked on together: few enough to stay in the cache.
_PLANES = 2
# Rows transformed together, for the same reason.
_ROWS = 256

Complex = npt.NDArray[np.complex128]
#: Indices (z, y) of some rows.
Block = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
Share = Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]


def lag_sums(
    values: Array, mask: BoolArray, spacing: Array, mean: float = 0.0, share: Share = one_by_one
) -> tuple[float, float, float]:
    """Sum over ordered pairs of voxels p ≠ q, weighted by the inverse of their distance, in O(N log N).

    Parameters
    ----------
    values : ndarray, shape (z, y, x)
        A value at each voxel; may be anything outside `mask`.
    mask : ndarray of bool, shape (z, y, x)
    spacing : ndarray, shape (3,)
        Voxel size along (z, y, x) in mm.
    mean : float
        Taken off the values: f is what is left.
    share : callable
        Calls a function of each item and returns the results in their order: how threads share the work.

    Returns
    -------
    tuple of float
        ``Σ f(p) f(q) / |p - q|``, ``Σ 1 / |p - q|`` and ``Σ f(q)² / |p - q|``.

    Notes
    -----
    By Parseval's theorem each sum is one over the spectrum of the zero-padded grids, so that nothing is transformed
    back. The spectrum of the weights is real and even along each axis, hence a cosine transform of one octant. What is
    known to be zero is not transformed: rows without voxels, and the padding of an axis before its turn. Planes of one
    frequency along the last axis are worked on a few at a time, so that the padded grid is never held.
    """
    half = [scipy.fft.next_fast_len(n, real=True) for n in mask.shape]
    filled: BoolArray = np.asarray(mask.any(axis=2))
    # Frequencies inside the half spectrum stand for their mirror images too.
    times = np.full(half[2] + 1, 2.0)
    times[[0, -1]] = 1.0
    starts = range(0, len(times), _PLANES)

    def summed(lines: Sequence[Complex], start: int) -> list[float]:
        """Products of the first field with each, over the planes from `start`."""
        part = slice(start, start + _PLANES)
        spectra = [_planes(line[part], filled, 2 * half[0], 2 * half[1]) for line in lines]
        return [spectral_sum(spectra[0], other, weights[part], times[part]) for other in spectra]

    def deviations(block: Block) -> Array:
        return np.where(mask[block], values[block] - mean, 0.0)

    def squares(block: Block) -> Array:
        return deviations(block) ** 2

    def ones(block: Block) -> Array:
        return mask[block].astype(np.float64)

    def lines_of(field: Callable[[Block], Array]) -> Complex:
        return _lines(field, filled, 2 * half[2])

    # One field before the other two: their lines are what takes memory.
    weights, lines = share(lambda make: make(), [partial(_weights, half, spacing), partial(lines_of, deviations)])
    product = np.sum(share(partial(summed, [lines]), starts), axis=0)
    del lines
    pair = share(lines_of, [ones, squares])
    weight, square = np.sum(share(partial(summed, pair), starts), axis=0)
    return tuple((np.array([product[0], weight, square]) / np.prod([2.0 * n for n in half])).tolist())


def _weights(half: Sequence[int], spacing: Array) -> Array:
    """Transform the inverse distances of one octant: its axes are x, z, y."""
    order = [2, 0, 1]
    distances = inverse_distances(np.array(half)[order] + 1, spacing[order])
    return np.asarray(scipy.fft.dctn(distances, type=1, overwrite_x=True))


def _lines(field: Callable[[Block], Array], filled: BoolArray, width: int) -> Complex:
    """Transform the rows of a field that are not empty along x padded to `width`: shape (width / 2 + 1, rows)."""
    z, y = np.nonzero(filled)
    lines = np.empty((width // 2 + 1, z.size), dtype=np.complex128)
    for start in range(0, z.size, _ROWS):
        part = slice(start, start + _ROWS)
        # The padded copy and the turned result stay in the cache.
        lines[:, part] = scipy.fft.rfft(field((z[part], y[part])), n=width, axis=1).T
    return lines


def _planes(lines: Complex, filled: BoolArray, depth: int, height: int) -> Complex:
    """Transform lines, shape (k, rows), along the other two axes of the padded grid: shape (k, depth, height)."""
    planes = spread_rows(lines, filled, height)
    # Along y before z is padded: the padding is known to be zero.
    planes = scipy.fft.fft(planes, axis=2, overwrite_x=True)
    return np.asarray(scipy.fft.fft(planes, n=depth, axis=1))
