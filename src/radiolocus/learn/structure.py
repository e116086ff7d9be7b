"""Principal components of genotypes, learned from a training part alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radiolocus.model import Array

__all__ = ["COMPONENT", "Components", "fit_components"]

#: How the names of components begin, before their number.
COMPONENT = "genotype PC"

# Rarer alleles tell families apart and not ancestries.
_COMMON = 0.05


@dataclass(frozen=True, eq=False)
class Components:
    """Means, scales and axes of a training part.

    Parameters
    ----------
    mean, scale : ndarray, shape (m,)
        Of the dosage of each variant; variants that are too rare have scale infinity and so no part.
    axes : ndarray, shape (m, k)
    """

    mean: Array
    scale: Array
    axes: Array

    def scores(self, dosage: Array) -> Array:
        """Coordinates of subjects, shape (n, k); a missing genotype is the training mean, NaN without any genotype."""
        Z = np.where(np.isnan(dosage), 0.0, (dosage - self.mean) / self.scale)
        scores: Array = Z @ self.axes
        scores[np.isnan(dosage).all(axis=1)] = np.nan
        return scores


def fit_components(dosage: Array, count: int) -> Components:
    """Learn components from dosages, shape (n, m), 0 to 2 and NaN where missing.

    Genotypes are centred and scaled by √(2 p (1 − p)), as in Patterson, Price & Reich 2006 (PLoS Genet 2:e190), with
    allele frequencies p of the training part; variants with a minor allele frequency below 0.05 there have no part.
    """
    known = ~np.isnan(dosage)
    seen = known.sum(axis=0)
    mean = np.divide(np.where(known, dosage, 0.0).sum(axis=0), seen, out=np.zeros(dosage.shape[1]), where=seen > 0)
    share = mean / 2.0
    common = (seen > 0) & (np.minimum(share, 1.0 - share) >= _COMMON)
    scale = np.where(common, np.sqrt(np.maximum(2.0 * share * (1.0 - share), 1e-12)), np.inf)
    Z = np.where(known, (dosage - mean) / scale, 0.0)
    _, size, axes = np.linalg.svd(Z, full_matrices=False)
    kept = min(count, int((size > 1e-9 * max(float(size[0]), 1e-300)).sum()))
    found = axes[:kept].T
    largest = np.argmax(np.abs(found), axis=0)
    return Components(mean, scale, found * np.where(found[largest, np.arange(kept)] < 0, -1.0, 1.0))
