"""Filters that are defined by their transfer function, applied in the Fourier domain.

Transfer functions are sampled as the reference maps of IBSI 2 are: on coordinates from -1 to 1 with both ends included,
laid over the spectrum in centric order. For an even number of samples these lie half a sample beside the frequencies of
the discrete Fourier transform (the origin falls between two samples), so that the response has an imaginary part, which
is dropped. The finer the spectrum, the less this matters; for an odd number there is no difference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy import fft

from radiolocus.errors import InputError
from radiolocus.image.boundary import Boundary, pad
from radiolocus.model import Array

__all__ = ["Spectrum", "Transfer"]

# Voxels of an extended image. About 50 bytes are needed for each, so this is some 7 GB.
_MOST_VOXELS = 2**27

Transfer = npt.NDArray[np.float64] | npt.NDArray[np.complex128]


class Spectrum:
    """The spectrum of an image (or of every slice of it), ready to be multiplied with transfer functions.

    Unless the image is periodic it is first extended to twice its size, half of it on either side. For the mirror rule
    that is exact: a mirrored image has twice the period of the image. For the others, what lies beyond is taken as if
    the extended image were tiled.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
    axes : sequence of int
        Axes that are transformed: (0, 1, 2), or (1, 2) for slices.
    boundary : {"zero", "nearest", "periodic", "mirror"}

    Raises
    ------
    InputError
        The extended image does not fit into memory.
    """

    def __init__(self, array: Array, axes: Sequence[int], boundary: Boundary) -> None:
        self.axes = tuple(axes)
        grown = [axis in self.axes and boundary != "periodic" for axis in range(array.ndim)]
        before = [n // 2 if g else 0 for n, g in zip(array.shape, grown, strict=True)]
        after = [n - n // 2 if g else 0 for n, g in zip(array.shape, grown, strict=True)]
        voxels = math.prod(n + b + a for n, b, a in zip(array.shape, before, after, strict=True))
        if voxels > _MOST_VOXELS:
            raise InputError(
                f"{array.size} voxels, {voxels} with what lies beyond the border, to be filtered as a whole",
                allowed=f"at most {_MOST_VOXELS}",
                todo='crop the image, resample it to larger voxels (resample_mm), or use boundary = "periodic"',
            )
        extended = pad(array, zip(before, after, strict=True), boundary)
        self._inside = tuple(slice(b, b + n) for b, n in zip(before, array.shape, strict=True))
        self._lengths = [extended.shape[axis] for axis in self.axes]
        self._values: npt.NDArray[np.complex128] = fft.rfftn(extended, axes=self.axes)

    def frequencies(self) -> list[Array]:
        """Frequencies in cycles a voxel, one broadcastable array for each of the axes transformed."""
        return [self._along(axis, bins / n) for axis, n, bins in self._bins()]

    def sample(self, function: Callable[[list[Array]], Transfer]) -> Transfer:
        """Sample a transfer function so that the response is the real part of what it gives.

        Parameters
        ----------
        function : callable
            From coordinates, one broadcastable array for each of the axes transformed, in units of the Nyquist
            frequency (-1 to 1), to the transfer function there.

        Returns
        -------
        ndarray
            For :meth:`response`.
        """
        here, opposite = [], []
        for axis, n, bins in self._bins():
            here.append(self._along(axis, _coordinate(bins, n)))
            # The bin at minus Nyquist is its own opposite.
            opposite.append(self._along(axis, _coordinate(np.where(2 * bins == -n, bins, -bins), n)))
        sampled: Transfer = (function(here) + np.conj(function(opposite))) / 2
        return sampled

    def response(self, transfer: Transfer) -> Array:
        """Return the response to a filter, given its transfer function in the order of :meth:`frequencies`."""
        full = fft.irfftn(self._values * transfer, s=self._lengths, axes=self.axes)
        return np.ascontiguousarray(full[self._inside])

    def _bins(self) -> list[tuple[int, int, npt.NDArray[np.int64]]]:
        out = []
        for axis, n in zip(self.axes, self._lengths, strict=True):
            # The last axis of a real transform holds half of the spectrum.
            first = np.arange(n // 2 + 1 if axis == self.axes[-1] else n)
            out.append((axis, n, np.where(2 * first >= n, first - n, first)))
        return out

    @staticmethod
    def _along(axis: int, values: Array) -> Array:
        shape = [1, 1, 1]
        shape[axis] = -1
        return values.reshape(shape)


def _coordinate(bins: npt.NDArray[np.int64], n: int) -> Array:
    if n == 1:
        return np.zeros(bins.shape)
    centre = (n - 1) / 2
    return np.asarray((bins + n // 2 - centre) / centre)
