"""How much noise an image holds, and noise of that level for a copy of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.image.filter_wavelet import WaveletFilter, wavelet_filter
from radiolocus.image.perturb_options import NOISE, Perturbation
from radiolocus.image.resample import Box
from radiolocus.model import Array, Volume

__all__ = ["noise_around", "noise_level", "noise_of"]

_ROUNDING = 1e-9
# The median of the absolute value of a standard normal number.
_MAD = 0.6744897501960817
_MARGIN_MM = 50.0


def noise_level(array: npt.NDArray[np.floating]) -> float:
    """Estimate the standard deviation of white noise in an image.

    The median of |HH| over 0.6745, where HH is the diagonal sub-band of the finest level of an undecimated wavelet
    transform (coif1) within slices. Where an image does not vary at all (padding, masked background) HH is 0 and is
    left out.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
        Finite.

    Returns
    -------
    float
        In the unit of the image; 0 for an image without variation.

    References
    ----------
    Donoho & Johnstone 1994, Biometrika 81:425; Chang, Yu & Vetterli 2000, IEEE Trans Image Process 9:1532.
    """
    options = WaveletFilter(wavelet="coif1", band="HH", dimension="2d", rotation_invariant=False)
    detail = np.abs(wavelet_filter(np.asarray(array, dtype=np.float64), np.ones(3), options))
    seen = detail[detail > _ROUNDING * np.abs(array).max(initial=0.0)]
    return float(np.median(seen) / _MAD) if seen.size else 0.0


def noise_around(volume: Volume, box: Box) -> float:
    """:func:`noise_level` of the image up to 50 mm around the box of a region."""
    steps = np.ceil(_MARGIN_MM / volume.geometry.spacing).astype(int)
    around = tuple(slice(max(p.start - int(s), 0), p.stop + int(s)) for p, s in zip(box, steps, strict=True))
    part = volume.array[around].astype(np.float64)
    bad = ~np.isfinite(part)
    if bad.any():
        part[bad] = part[~bad].mean()
    return noise_level(part)


def noise_of(perturbation: Perturbation, shape: tuple[int, ...], crop: Box, level: float) -> Array:
    """Noise of the voxels of a crop: slice by slice, so that a voxel has its noise whatever is cropped."""
    out = np.empty([p.stop - p.start for p in crop])
    for row, z in enumerate(range(crop[0].start, crop[0].stop)):
        out[row] = perturbation.random(NOISE, perturbation.noise, z).standard_normal(shape[1:])[crop[1], crop[2]]
    return level * out
