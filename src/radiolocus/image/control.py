"""Negative controls: images in which what a signal should come from has been destroyed.

A signal that survives the shuffling of its region does not come from where intensities lie; one that goes when only
the surroundings are destroyed does not come from the region (Welch et al. 2019, Radiother Oncol 130:2; READII,
https://github.com/bhklab/readii).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from radiolocus.errors import ConfigError, InputError
from radiolocus.image.region import check_pair
from radiolocus.model import Mask, Volume

__all__ = ["CONTROLS", "Control", "control_volume"]

Control = Literal["shuffled", "outside", "volume"]

#: What may be asked for; ``volume`` needs no image of its own.
CONTROLS: tuple[Control, ...] = ("shuffled", "outside", "volume")


def control_volume(volume: Volume, mask: Mask, control: Control, seed: int) -> Volume:
    """Destroy a part of an image at random, before any processing.

    Parameters
    ----------
    volume : Volume
    mask : Mask
    control : {"shuffled", "outside"}
        ``shuffled``: the intensities of the region in random order; histogram and shape stay, texture goes.
        ``outside``: every voxel outside the region has the intensity of a random one of them; the region stays.
    seed : int

    Returns
    -------
    Volume

    Raises
    ------
    GeometryError, RoiError, InputError
        As :func:`radiolocus.image.region.prepare_region`; also when there is nothing outside the region.
    """
    check_pair(volume, mask)
    random = np.random.default_rng(seed)
    array = volume.array.copy()
    if control == "shuffled":
        array[mask.array] = random.permutation(array[mask.array])
    elif control == "outside":
        pool = volume.array[~mask.array]
        pool = pool[np.isfinite(pool)]
        if not pool.size:
            raise InputError("no finite voxel outside the region", allowed="an image larger than its region")
        # Slice by slice: the draws of a large image would need more memory than the image.
        for here, inside in zip(array, mask.array, strict=True):
            here[~inside] = pool[random.integers(pool.size, size=int(np.count_nonzero(~inside)))]
    else:
        raise ConfigError(f"control '{control}'", allowed="shuffled, outside")
    return replace(volume, array=array)
