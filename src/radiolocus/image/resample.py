"""Resampling to another voxel size, on a grid that shares its centre with the old one.

The new grid has ``ceil(n * spacing / new_spacing)`` voxels along an axis and the same centre as the old grid
(IBSI reference manual, section "Interpolation"). Only the part of it that is asked for is computed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from radiolocus.errors import ConfigError, InputError
from radiolocus.model import Array, BoolArray, Geometry

__all__ = [
    "HALF",
    "METHODS",
    "SPLINE_REACH",
    "Box",
    "Grid",
    "Interpolation",
    "Samples",
    "new_grid",
    "resample_image",
    "resample_mask",
]

Interpolation = Literal["nearest", "linear", "cubic"]
METHODS: tuple[Interpolation, ...] = ("nearest", "linear", "cubic")

# The cubic B-spline prefilter forgets a sample by a factor of 2 - sqrt(3) = 0.268 a voxel: after 32 voxels it is
# below 1e-18 of its weight, so a crop with this margin gives what the whole image would have given.
SPLINE_REACH = 32
# A partial volume of exactly one half counts as inside; rounding of the coordinates must not decide otherwise.
HALF = 0.5 - 1e-9

# More voxels than memory holds are a mistake in resample_mm, to be told before they are asked for: 16 GiB.
_MOST_VOXELS, _LONGEST_AXIS = 2**31, 2**20

Box = tuple[slice, slice, slice]
Samples = npt.NDArray[np.floating] | BoolArray


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the voxels of a new grid lie in the index space of the old one.

    Parameters
    ----------
    geometry : Geometry
        The new grid in the world.
    positions : tuple of three arrays
        For each axis (z, y, x) the fractional index in the old grid of every new voxel centre.
    """

    geometry: Geometry
    positions: tuple[Array, Array, Array]

    def box_around(self, old: Box) -> Box:
        """Return the smallest box of new voxels whose linear interpolation can touch the old voxels in `old`."""
        box = []
        for positions, part in zip(self.positions, old, strict=True):
            touched = np.flatnonzero((positions > part.start - 1) & (positions < part.stop))
            first, last = (int(touched[0]), int(touched[-1])) if touched.size else (0, -1)
            box.append(slice(first, last + 1))
        return box[0], box[1], box[2]


def new_grid(geometry: Geometry, spacing: Sequence[float]) -> Grid:
    """Lay a grid with voxels of `spacing` over `geometry`, centre on centre.

    Parameters
    ----------
    geometry : Geometry
        The old grid.
    spacing : sequence of three floats
        New voxel size along (z, y, x) in mm; 0 keeps the voxels of that axis as they are.

    Returns
    -------
    Grid
    """
    wanted = np.asarray(spacing, dtype=np.float64)
    if wanted.shape != (3,) or not np.isfinite(wanted).all() or (wanted < 0).any():
        raise ConfigError(
            f"a voxel size of {list(spacing)}", allowed="three finite numbers (z, y, x) in mm; 0 keeps an axis"
        )
    old = geometry.spacing
    ratio = np.where(wanted > 0, wanted / old, 1.0)
    # A thousandth of a voxel is round-off of a header, and must not add a voxel that is not there.
    shape = [max(1, int(np.ceil(n / r - 1e-3))) for n, r in zip(geometry.shape, ratio, strict=True)]
    if max(shape) > _LONGEST_AXIS:
        raise _too_fine(f"a grid of {' x '.join(map(str, shape))} voxels of {wanted.tolist()} mm (z, y, x)")
    positions = [
        (n - 1) / 2 + (np.arange(m) - (m - 1) / 2) * r for n, m, r in zip(geometry.shape, shape, ratio, strict=True)
    ]
    first = np.array([p[0] for p in positions] + [1.0])
    affine = geometry.affine.copy()
    affine[:3, 3] = (geometry.affine @ first)[:3]
    affine[:3, :3] = geometry.affine[:3, :3] * ratio
    return Grid(
        Geometry((shape[0], shape[1], shape[2]), affine),
        (positions[0], positions[1], positions[2]),
    )


def _too_fine(got: str) -> InputError:
    return InputError(
        got,
        allowed=f"at most {_LONGEST_AXIS} voxels along an axis, and {_MOST_VOXELS} around a region",
        todo="choose larger voxels for resample_mm, which is in mm",
    )


def resample_image(array: Samples, grid: Grid, method: Interpolation, box: Box | None = None) -> Array:
    """Interpolate an image at the voxel centres of `grid`.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
        Intensities on the old grid.
    grid : Grid
    method : {"nearest", "linear", "cubic"}
        ``cubic`` is the cubic B-spline through the samples, with whole-sample mirroring at the border.
    box : tuple of three slices, optional
        Part of the new grid to compute; everything when left out.

    Returns
    -------
    ndarray of float64
        Outside the outermost voxel centres the image is continued by its border value.
    """
    if method not in METHODS:
        raise ConfigError(f"interpolation '{method}'", allowed=", ".join(METHODS))
    parts = box or (slice(None),) * 3
    sizes = [len(range(*part.indices(p.size))) for p, part in zip(grid.positions, parts, strict=True)]
    if math.prod(sizes) > _MOST_VOXELS:
        raise _too_fine(f"{' x '.join(map(str, sizes))} voxels to interpolate (z, y, x)")
    out, offsets = _crop(array, grid, box, SPLINE_REACH if method == "cubic" else 0)
    for axis in range(3):
        part = slice(None) if box is None else box[axis]
        positions = grid.positions[axis][part]
        limited = np.clip(positions, 0, array.shape[axis] - 1) - offsets[axis]
        out = _along(out, axis, limited, method)
    return np.ascontiguousarray(out)


def resample_mask(mask: BoolArray, grid: Grid, box: Box | None = None) -> BoolArray:
    """Interpolate a mask linearly and keep the voxels of which at least half lies inside (IBSI: partial volume 0.5)."""
    return np.asarray(resample_image(mask, grid, "linear", box) >= HALF)


def _crop(array: Samples, grid: Grid, box: Box | None, reach: int) -> tuple[Array, list[int]]:
    parts = []
    for axis, n in enumerate(array.shape):
        chosen = grid.positions[axis][slice(None) if box is None else box[axis]]
        if chosen.size == 0:
            parts.append(slice(0, 0))
            continue
        low = int(np.floor(np.clip(chosen[0], 0, n - 1))) - reach
        high = int(np.ceil(np.clip(chosen[-1], 0, n - 1))) + 1 + reach
        parts.append(slice(max(low, 0), min(high, n)))
    return array[tuple(parts)].astype(np.float64), [p.start for p in parts]


def _along(array: Array, axis: int, positions: Array, method: Interpolation) -> Array:
    n = array.shape[axis]
    whole = np.floor(positions + 0.5).astype(np.int64)
    if np.abs(positions - whole).max(initial=0.0) < 1e-9:
        return array if np.array_equal(whole, np.arange(n)) else np.take(array, whole, axis=axis)
    if method == "nearest":
        return np.take(array, whole, axis=axis)
    left = np.floor(positions).astype(np.int64)
    t = positions - left
    if method == "linear":
        return _weighted(array, axis, [left, np.minimum(left + 1, n - 1)], [1 - t, t])
    smooth = ndimage.spline_filter1d(array, order=3, axis=axis, mode="mirror", output=np.float64) if n > 1 else array
    taps = [_mirrored(left + k, n) for k in (-1, 0, 1, 2)]
    weights = [(1 - t) ** 3 / 6, 2 / 3 - t**2 + t**3 / 2, 2 / 3 - (1 - t) ** 2 + (1 - t) ** 3 / 2, t**3 / 6]
    return _weighted(smooth, axis, taps, weights)


def _mirrored(index: npt.NDArray[np.int64], n: int) -> npt.NDArray[np.int64]:
    if n == 1:
        return np.zeros_like(index)
    folded = np.abs(index) % (2 * n - 2)
    return np.asarray(np.minimum(folded, 2 * n - 2 - folded))


def _weighted(array: Array, axis: int, taps: list[npt.NDArray[np.int64]], weights: list[Array]) -> Array:
    shape = [1, 1, 1]
    shape[axis] = -1
    out = np.take(array, taps[0], axis=axis)
    out *= weights[0].reshape(shape)
    for index, weight in zip(taps[1:], weights[1:], strict=True):
        part = np.take(array, index, axis=axis)
        part *= weight.reshape(shape)
        out += part
    return out
