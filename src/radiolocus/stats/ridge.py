"""Ridge regression of many responses on many standardised features, fitted without each fold in turn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve

from radiolocus.model import Array

__all__ = ["EXPLAINED", "coefficients_without", "folds_of", "penalties_of"]

Whole = npt.NDArray[np.int64]

#: Fractions of variance that the features explain, from which penalties follow (Mbatchou et al. 2021,
#: doi:10.1038/s41588-021-00870-7).
EXPLAINED = (0.01, 0.25, 0.5, 0.75, 0.99)


def folds_of(n: int, count: int, seed: int) -> tuple[Whole, ...]:
    """Deal n subjects into folds at random; the same for the same seed."""
    order = np.random.default_rng(seed).permutation(n).astype(np.int64)
    return tuple(np.sort(part) for part in np.array_split(order, count))


def penalties_of(features: int) -> Array:
    """Penalties under which that many standardised features explain the fractions ``EXPLAINED``: F(1 − h)/h."""
    explained = np.array(EXPLAINED)
    return np.asarray(features * (1.0 - explained) / explained)


def coefficients_without(
    features: npt.NDArray[np.floating], responses: Array, folds: Sequence[Whole], penalties: Array
) -> Array:
    """Coefficients of ridge regressions that each leave one fold out.

    Parameters
    ----------
    features : ndarray, shape (F, n)
        Centred.
    responses : ndarray, shape (n, P)
        Centred.
    folds : sequence of ndarray of int64
        Subjects of each.
    penalties : ndarray, shape (R,)
        Positive; added to the diagonal of the sums of products.

    Returns
    -------
    ndarray, shape (folds, R, F, P)
    """
    count, p = features.shape[0], responses.shape[1]
    grams, products = np.empty((len(folds), count, count)), np.empty((len(folds), count, p))
    for k, fold in enumerate(folds):
        part = np.ascontiguousarray(features[:, fold])
        grams[k] = part @ part.T
        products[k] = part @ responses[fold].astype(part.dtype)
    whole, total = grams.sum(axis=0), products.sum(axis=0)
    out = np.empty((len(folds), penalties.size, count, p))
    for k in range(len(folds)):
        rest = whole - grams[k]
        for r, penalty in enumerate(penalties):
            matrix = rest.copy()
            matrix[np.diag_indices(count)] += penalty
            factor = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
            out[k, r] = cho_solve(factor, total - products[k], check_finite=False)
    return out
