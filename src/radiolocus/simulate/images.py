"""A tumour in a noisy organ: an irregular ellipsoid filled with a Gaussian random field."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from radiolocus.model import Geometry, Mask, Volume

__all__ = ["GRID", "simulate_tumour"]

GRID = Geometry.regular((28, 48, 48), spacing=(3.0, 2.0, 2.0), origin=(-48.0, -48.0, -42.0))


def _field(rng: np.random.Generator, width: float) -> npt.NDArray[np.float64]:
    """Standardised Gaussian random field on the grid, correlated over `width` mm."""
    field = gaussian_filter(rng.standard_normal(GRID.shape), width / GRID.spacing, mode="wrap")
    return np.asarray((field - field.mean()) / field.std())


def simulate_tumour(
    rng: np.random.Generator, *, volume_ml: float, mean_hu: float, texture_hu: float
) -> tuple[Volume, Mask]:
    """Draw a CT-like image with one lesion.

    Parameters
    ----------
    rng : numpy.random.Generator
    volume_ml : float
        Volume of the lesion before its boundary is roughened, mL.
    mean_hu : float
        Mean intensity inside, HU.
    texture_hu : float
        Standard deviation of the coarse texture inside, HU.

    Returns
    -------
    volume : Volume
        Whole HU on a grid of 28 × 48 × 48 voxels of 3 × 2 × 2 mm.
    mask : Mask
    """
    ratio = np.exp(rng.normal(0, 0.12, 3))
    radius = (volume_ml * 1000 * 3 / (4 * np.pi)) ** (1 / 3) * ratio / ratio.prod() ** (1 / 3)
    centre = (np.array(GRID.shape) - 1) / 2 + rng.uniform(-1, 1, 3)
    axes = np.meshgrid(*(np.arange(n) for n in GRID.shape), indexing="ij")
    distance = np.sqrt(
        sum(((a - c) * s / r) ** 2 for a, c, s, r in zip(axes, centre, GRID.spacing, radius, strict=True))
    )
    inside = distance + 0.08 * _field(rng, 6.0) < 1.0
    image = 40 + 12 * _field(rng, 3.0)
    image[inside] = mean_hu + texture_hu * _field(rng, 3.5)[inside]
    image += 6 * rng.standard_normal(GRID.shape)
    return Volume(np.round(image).astype(np.float32), GRID, "CT", "HU"), Mask(inside, GRID)
