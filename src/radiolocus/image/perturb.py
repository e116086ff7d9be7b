"""The image as it might have been: rotated, shifted, noisier, with a region grown, shrunk or drawn anew.

Features of such copies of one image should agree; those that do not would not have been reproduced by a second
examination either (Zwanenburg et al. 2019, Sci Rep 9:614). The chain is that of the paper: noise is added to the
voxels of the image, the grid of the interpolation is rotated and shifted (so that the image is interpolated once and
not twice), and on that grid the region is grown or shrunk and its contour drawn anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from radiolocus.image.contour import redraw, resize, supervoxel_voxels
from radiolocus.image.lattice import Lattice, lay_lattice
from radiolocus.image.noise import noise_around, noise_of
from radiolocus.image.perturb_options import CONTOUR, VOLUME, Perturbation
from radiolocus.image.region import Region, bounding_box, check_pair, finish_region, sample_finite, vanished
from radiolocus.image.resample import Box, Interpolation
from radiolocus.model import Array, BoolArray, Mask, Volume

__all__ = ["perturbed_regions"]

Whole = npt.NDArray[np.int64]


def perturbed_regions(
    volume: Volume,
    mask: Mask,
    perturbation: Perturbation,
    *,
    resample_mm: Sequence[float] | None = None,
    interpolation: Interpolation = "linear",
    rounded: bool = False,
    resegment_range: tuple[float | None, float | None] | None = None,
    resegment_outliers: float | None = None,
) -> Callable[[float], Region]:
    """Process an image and a mask as :func:`radiolocus.image.region.prepare_region` does, but perturbed.

    Parameters
    ----------
    volume, mask : Volume, Mask
    perturbation : Perturbation
        One without any change gives what ``prepare_region`` gives, voxel by voxel.
    resample_mm, interpolation, rounded, resegment_range, resegment_outliers
        As of ``prepare_region``. Without `resample_mm` a rotated or shifted grid has the voxel size of the image, and
        the copy is interpolated although the image is not.

    Returns
    -------
    callable
        From the image to keep around the region, in mm, to the region, which is the same for every margin. Beyond the
        image a rotated or shifted grid continues it as interpolation does and holds no region.

    Raises
    ------
    GeometryError, RoiError, InputError
        As ``prepare_region``; also where nothing is left of the region, or it does not fit into the image.
    """
    drawn = check_pair(volume, mask)
    lattice = lay_lattice(volume.geometry, perturbation, resample_mm, drawn)
    level = noise_around(volume, drawn) if perturbation.noise else 0.0
    image_of = partial(_image, volume.array, lattice, perturbation, level, interpolation)
    inside, first = _resampled(mask, lattice, drawn)
    counts = {"voxels": int(np.count_nonzero(mask.array)), "voxels_resampled": int(np.count_nonzero(inside))}
    inside, first = _changed(inside, first, perturbation, lattice, image_of)
    counts["voxels_perturbed"] = int(np.count_nonzero(inside))

    def around(margin_mm: float) -> Region:
        steps = np.ceil(margin_mm / lattice.spacing).astype(np.int64)
        region, start = _grown(inside, first, steps, lattice)
        image = image_of(region, start)
        ends = (resegment_range, resegment_outliers)
        return finish_region(image, region, lattice.spacing, dict(counts), rounded, *ends)

    return around


def _resampled(mask: Mask, lattice: Lattice, drawn: Box) -> tuple[BoolArray, Whole]:
    first, last = lattice.box_of(drawn)
    inside = lattice.sample_mask(mask.array, first, _shape(first, last))
    if not inside.any():
        raise vanished(mask, lattice.spacing)
    return _tight(inside, first)


def _changed(
    inside: BoolArray,
    first: Whole,
    perturbation: Perturbation,
    lattice: Lattice,
    image_of: Callable[[BoolArray, Whole], Array],
) -> tuple[BoolArray, Whole]:
    """Grow or shrink the region, then draw its contour anew."""
    spacing = lattice.spacing
    if perturbation.volume:
        room = (first - lattice.first, lattice.last - first - np.array(inside.shape) + 1)
        inside, before = resize(inside, perturbation.volume, spacing, room, perturbation.random(VOLUME))
        inside, first = _tight(inside, first - before)
    if perturbation.contour:
        # Two supervoxels around the region: enough for any that touches it to be whole.
        edge_mm = (supervoxel_voxels(int(np.count_nonzero(inside)), spacing) * float(np.prod(spacing))) ** (1 / 3)
        inside, first = _grown(inside, first, np.ceil(2.0 * edge_mm / spacing).astype(np.int64), lattice)
        random = perturbation.random(CONTOUR, perturbation.contour)
        inside, first = _tight(redraw(image_of(inside, first), inside, spacing, random), first)
    return inside, first


def _image(
    array: npt.NDArray[np.floating],
    lattice: Lattice,
    perturbation: Perturbation,
    level: float,
    method: Interpolation,
    inside: BoolArray,
    first: Whole,
) -> Array:
    crop = lattice.crop(first, inside.shape)
    part = array[crop]
    if level:
        part = part + noise_of(perturbation, array.shape, crop, level)
    return sample_finite(part, lambda a: lattice.sample(a, crop, first, inside.shape, method), inside, method)


def _shape(first: Whole, last: Whole) -> tuple[int, ...]:
    return tuple(max(int(n), 0) for n in last - first + 1)


def _tight(inside: BoolArray, first: Whole) -> tuple[BoolArray, Whole]:
    box = bounding_box(inside)
    return inside[box], first + np.array([p.start for p in box], dtype=np.int64)


def _grown(inside: BoolArray, first: Whole, steps: Whole, lattice: Lattice) -> tuple[BoolArray, Whole]:
    """Put the region into a box that is larger by `steps` on every side, as far as the image goes."""
    last = first + np.array(inside.shape, dtype=np.int64) - 1
    before = np.minimum(steps, first - lattice.first)
    after = np.minimum(steps, lattice.last - last)
    return np.pad(inside, list(zip(before, after, strict=True))), first - before
