"""Local regression of one variable, computed directly as R ``loess(surface = "direct")`` does."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.errors import InputError
from radiolocus.model import Array

__all__ = ["loess"]

# Distinct places up to which every one gets its own regression; beyond, as many quantiles do and lines join them.
_PLACES = 2000
# Rows of weights in memory at a time.
_BLOCK = 1 << 22


def loess(x: npt.ArrayLike, y: npt.ArrayLike, *, span: float = 0.75, degree: int = 2) -> Array:
    """Smooth y by x: at each x, a polynomial weighted by the tricube of the distance, over the nearest patients.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Finite.
    span : float
        Share of the patients that each regression sees, in (0, 1].
    degree : {0, 1, 2}

    Returns
    -------
    ndarray, shape (n,)
        The smooth at each x. Where more patients share an x than the span holds, their mean. With more than 2,000
        distinct x it is computed at 2,000 of their quantiles and read off between them along straight lines.

    Raises
    ------
    InputError
        Lengths disagree, values are not finite, or span and degree are out of range.

    References
    ----------
    Cleveland & Devlin, JASA 1988;83:596. The weight is 1 within 0.001 of the bandwidth and 0 beyond 0.999 of it, as
    in the authors' Fortran.
    """
    place, value = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if place.ndim != 1 or place.shape != value.shape or place.size < 2:
        raise InputError(f"x of shape {place.shape} and y of shape {value.shape}", allowed="two vectors of one length")
    if not (np.isfinite(place).all() and np.isfinite(value).all()):
        raise InputError("a value that is not finite in a local regression", allowed="finite numbers")
    if not 0.0 < span <= 1.0 or degree not in (0, 1, 2):
        raise InputError(f"span {span} and degree {degree}", allowed="span in (0, 1], degree 0, 1 or 2")
    near = max(1, int(np.floor(place.size * span + 1e-5)))
    distinct, which = np.unique(place, return_inverse=True)
    if distinct.size <= _PLACES:
        return _at(distinct, place, value, near, degree)[which]
    at = np.unique(np.quantile(distinct, np.linspace(0, 1, _PLACES)))
    return np.interp(place, at, _at(at, place, value, near, degree))


def _at(at: Array, x: Array, y: Array, near: int, degree: int) -> Array:
    """Value of the local regression at each of `at`."""
    rows = max(1, _BLOCK // x.size)
    return np.concatenate([_block(at[i : i + rows], x, y, near, degree) for i in range(0, at.size, rows)])


def _block(at: Array, x: Array, y: Array, near: int, degree: int) -> Array:
    offset = x[None, :] - at[:, None]
    square = offset**2
    reach = np.partition(square, near - 1, axis=1)[:, near - 1]
    # Bandwidth zero: more patients share this x than the span holds, and the smooth is their mean.
    bandwidth = np.where(reach > 0, reach, 1.0)[:, None]
    far = np.abs(offset) / np.sqrt(bandwidth)
    weight = np.where(far < 0.999, np.where(far > 0.001, (1 - np.minimum(far, 1.0) ** 3) ** 3, 1.0), 0.0)
    weight = np.where(reach[:, None] > 0, weight, square == 0)
    scaled = offset / np.sqrt(bandwidth)
    powers = [weight]
    for _ in range(2 * degree):
        powers.append(powers[-1] * scaled)
    moments = np.stack([p.sum(axis=1) for p in powers], axis=1)
    right = np.stack([p @ y for p in powers[: degree + 1]], axis=1)
    index = np.add.outer(np.arange(degree + 1), np.arange(degree + 1))
    # A pseudo-inverse, as R: too few distinct places for the degree give the flattest curve through them.
    inverse = np.linalg.pinv(moments[:, index], rcond=1e-12, hermitian=True)
    return np.asarray((inverse[:, 0, :] * right).sum(axis=1))
