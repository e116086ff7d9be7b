"""Nearest centroids: how alike each sample is to each class."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.stats import rankdata

from radiolocus.errors import InputError
from radiolocus.model import Array

__all__ = ["Similarity", "similarities"]

Similarity = Literal["spearman", "pearson", "euclidean"]


def similarities(values: Array, centroids: Array, kind: Similarity = "spearman") -> Array:
    """Compare samples with centroids.

    Parameters
    ----------
    values : ndarray, shape (genes, samples)
    centroids : ndarray, shape (genes, classes)
    kind : {"spearman", "pearson", "euclidean"}
        Correlation; or minus the root mean squared difference.

    Returns
    -------
    ndarray, shape (samples, classes)
        Larger is nearer; NaN where a correlation has no value, since a sample or centroid is constant.

    Raises
    ------
    InputError
        Missing values, or fewer than three genes.
    """
    if values.shape[0] != centroids.shape[0] or values.shape[0] < 3:
        raise InputError(
            f"{values.shape[0]} genes of the samples, {centroids.shape[0]} of the centroids",
            allowed="the same genes, at least 3",
        )
    if not (np.isfinite(values).all() and np.isfinite(centroids).all()):
        raise InputError("missing values", allowed="a finite value of every gene")
    if kind == "euclidean":
        apart = values[:, :, None] - centroids[:, None, :]
        return np.asarray(-np.sqrt((apart**2).mean(axis=0)))
    if kind == "spearman":
        values, centroids = rankdata(values, axis=0), rankdata(centroids, axis=0)
    # No product of matrices, whose last bits depend on the number of threads.
    return np.asarray(np.einsum("gs,gc->sc", _standard(values), _standard(centroids)))


def _standard(x: Array) -> Array:
    centred = x - x.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    return np.asarray(centred / np.where(length > 0, length, np.nan))
