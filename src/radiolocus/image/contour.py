"""A region grown, shrunk, or drawn anew as another observer might have drawn it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from radiolocus.errors import RoiError
from radiolocus.model import Array, BoolArray

__all__ = ["redraw", "resize", "supervoxel_voxels"]

Whole = npt.NDArray[np.int64]

_ROUNDING = 1e-9
# Supervoxels as in the paper: at least 90 % inside stay, less than 20 % inside go, between them chance decides.
_SURE, _NEVER = 0.9, 0.2
_SUPERVOXEL_MM3, _FEWEST_VOXELS, _PARTS = 500.0, 20, 50
_COMPACTNESS = 0.1


def resize(
    inside: BoolArray, fraction: float, spacing: Array, room: tuple[Whole, Whole], random: np.random.Generator
) -> tuple[BoolArray, Whole]:
    """Grow or shrink a region by a fraction of its volume, along the map of distances from its surface.

    Voxels come or go in the order of their distance; those of the last, equal distance are drawn at random, so that
    the number of voxels is met exactly.

    Parameters
    ----------
    inside : ndarray of bool, shape (z, y, x)
        The region on its bounding box.
    fraction : float
        Relative change of the number of voxels, more than −1.
    spacing : ndarray, shape (3,)
        Voxel size in mm.
    room : tuple of two int arrays, shape (3,)
        Voxels that the image has before and beyond the box along each axis.
    random : numpy.random.Generator

    Returns
    -------
    region : ndarray of bool
        On a box that may be larger.
    before : ndarray of int, shape (3,)
        By how much the box begins earlier.

    Raises
    ------
    RoiError
        No voxel would be left, or the image has not as many voxels as the region would need.
    """
    count = int(np.count_nonzero(inside))
    change = round(count * fraction)
    if count + change < 1:
        raise RoiError(f"a region of {count} voxels made smaller by {-fraction:.0%}", allowed="at least one voxel left")
    if change <= 0:
        depth = ndimage.distance_transform_edt(np.pad(inside, 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
        return inside & ~_nearest(depth, inside, -change, random), np.zeros(3, np.int64)
    reach = float(spacing.max())
    while True:
        steps = np.ceil(reach / spacing).astype(np.int64)
        before, after = np.minimum(steps, room[0]), np.minimum(steps, room[1])
        around = np.pad(inside, list(zip(before, after, strict=True)))
        distance = ndimage.distance_transform_edt(~around, sampling=spacing)
        near = ~around & (distance <= reach)
        whole = bool((before == room[0]).all() and (after == room[1]).all())
        if np.count_nonzero(near) >= change:
            return around | _nearest(distance, near, change, random), before
        if whole and np.count_nonzero(~around) < change:
            raise RoiError(
                f"a region of {count} voxels made larger by {fraction:.0%}",
                allowed="a region that stays within the image",
            )
        reach *= 2.0


def _nearest(distance: Array, among: BoolArray, count: int, random: np.random.Generator) -> BoolArray:
    """The `count` voxels of the smallest distance; random among those of the last one."""
    chosen = np.zeros(among.shape, np.bool_)
    if count == 0:
        return chosen
    last = np.partition(distance[among], count - 1)[count - 1]
    chosen |= among & (distance < last - _ROUNDING)
    tied = np.flatnonzero(among & ~chosen & (distance <= last + _ROUNDING))
    chosen.ravel()[random.choice(tied, count - int(np.count_nonzero(chosen)), replace=False)] = True
    return chosen


def redraw(image: Array, inside: BoolArray, spacing: Array, random: np.random.Generator) -> BoolArray:
    """Draw a contour anew along supervoxels, as another observer might have.

    The surroundings are divided by SLIC into supervoxels of about 500 mm³ (at most a fiftieth of the region, at least
    20 voxels). One that lies inside the region by 90 % or more belongs to the new region, one by less than 20 % does
    not, any other does with the probability of its overlap, and that of the largest overlap always.

    Parameters
    ----------
    image : ndarray, shape (z, y, x)
        The region with its surroundings.
    inside : ndarray of bool, shape (z, y, x)
    spacing : ndarray, shape (3,)
        Voxel size in mm.
    random : numpy.random.Generator

    Returns
    -------
    ndarray of bool, shape (z, y, x)

    Raises
    ------
    RoiError
        No supervoxel lies inside the region by 20 % or more.

    References
    ----------
    Zwanenburg et al. 2019, Sci Rep 9:614. SLIC: Achanta et al. 2012, IEEE Trans Pattern Anal Mach Intell 34:2274.
    """
    labels = _supervoxels(image, inside, spacing)
    sizes = np.bincount(labels.ravel())
    overlap = np.bincount(labels[inside], minlength=sizes.size) / np.maximum(sizes, 1)
    drawn = random.random(sizes.size)
    # A small region may hold no supervoxel for certain: without its first one, copies would be lost by chance.
    certain = min(_SURE, float(overlap.max()))
    if certain < _NEVER:
        raise RoiError(
            f"no supervoxel chosen when the contour of a region of {np.count_nonzero(inside)} voxels was drawn anew: "
            f"the best lies inside it by {certain:.0%}",
            allowed=f"one that lies inside by {_NEVER:.0%} or more",
            todo="leave contour out of [imaging.perturb] for regions as small as this",
        )
    chosen = (overlap >= certain) | ((overlap >= _NEVER) & (drawn < overlap))
    return np.asarray(chosen[labels])


def _supervoxels(image: Array, inside: BoolArray, spacing: Array) -> npt.NDArray[np.intp]:
    from skimage.segmentation import slic  # takes a while to load, which only who asks for it should wait

    values = image[inside]
    low, high = float(values.min()), float(values.max())
    # Beyond twice the range of the region it does not matter how different the surroundings are.
    margin = high - low
    finite = np.nan_to_num(image, nan=low, posinf=high, neginf=low)
    scaled = (np.clip(finite, low - margin, high + margin) - low) / ((high - low) or 1.0)
    size = supervoxel_voxels(int(np.count_nonzero(inside)), spacing)
    parts = max(1, round(image.size / size))
    found = slic(scaled, n_segments=parts, compactness=_COMPACTNESS, spacing=spacing, channel_axis=None, start_label=0)
    return np.asarray(found, dtype=np.intp)


def supervoxel_voxels(count: int, spacing: Array) -> float:
    """Size of the supervoxels of a region of `count` voxels, in voxels."""
    return max(_FEWEST_VOXELS, min(_SUPERVOXEL_MM3 / float(np.prod(spacing)), count / _PARTS))
