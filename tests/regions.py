"""Small regions for tests: any shape and voxel size, touching the border, in pieces, of one voxel, of one intensity."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from radiolocus.model import Geometry, Mask, Volume

SPACINGS = ((1.0, 1.0, 1.0), (3.0, 0.977, 0.977), (0.5, 2.0, 1.25))


def pair(image, mask, spacing=(1.0, 1.0, 1.0), modality="", unit=""):
    """Return image and mask on one grid."""
    geometry = Geometry.regular(np.shape(image), spacing)
    return Volume(np.asarray(image, dtype=np.float64), geometry, modality, unit), Mask(np.asarray(mask), geometry)


@st.composite
def regions(draw, largest=5, levels=5):
    """Draw (image of whole numbers, mask with at least one voxel, spacing)."""
    shape = tuple(draw(st.integers(1, largest)) for _ in range(3))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    image = generator.integers(1, draw(st.integers(1, levels)), endpoint=True, size=shape).astype(float)
    mask = generator.random(shape) < draw(st.sampled_from((0.1, 0.5, 0.9, 1.1)))
    mask[tuple(generator.integers(0, n) for n in shape)] = True
    return image, mask, draw(st.sampled_from(SPACINGS))
