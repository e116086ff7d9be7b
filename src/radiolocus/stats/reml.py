"""Linear mixed model with one variance ratio, exact for any number of phenotypes after one eigendecomposition.

y = Wα + xβ + u + e with u ~ N(0, λσ²K) and e ~ N(0, σ²I). An orthonormal basis of what is orthogonal to W can be chosen
in which K is diagonal (Kang et al. 2008, doi:10.1534/genetics.107.080101): the covariates vanish, the restricted
likelihood becomes a function of λ alone, and a variant is tested by weighted least squares. The maximum and the Wald
test are those of Zhou & Stephens 2012 (doi:10.1038/ng.2310).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.linalg import eigh

from radiolocus.errors import FitError
from radiolocus.kernels.reml import INTERIOR, LOWER, best_ratio, slope_at
from radiolocus.model import Array

__all__ = ["GRID", "Spectrum", "VarianceFit", "fit_variances", "grid_slopes", "spectrum_of"]

#: Values of log λ between which maxima are bracketed: λ from 1e-5 to 1e5.
GRID = np.linspace(np.log(1e-5), np.log(1e5), 11)


@dataclass(frozen=True, eq=False)
class Spectrum:
    """A relationship matrix in the space orthogonal to the covariates.

    Parameters
    ----------
    rotation : ndarray, shape (n, m)
        Orthonormal basis of that space, m = n − number of covariates with the intercept.
    values : ndarray, shape (m,)
        Eigenvalues, none below 0.
    scale : float
        Mean diagonal of the matrix centred to mean 0 of rows and columns: the variance that u has among the subjects,
        in units of λσ².
    """

    rotation: Array
    values: Array
    scale: float


@dataclass(frozen=True)
class VarianceFit:
    """Variance components of one phenotype.

    Parameters
    ----------
    ratio : float
        λ, genetic over residual variance in units of the relationship matrix.
    genetic_variance, residual_variance : float
        λσ² and σ².
    heritability, standard_error : float
        Variance explained by the relationship matrix, sλ/(sλ + 1) with its scale s, and its standard error from the
        curvature of the restricted likelihood; NaN where λ lies on a boundary.
    log_likelihood : float
        Restricted, at the maximum.
    boundary : {"", "lower", "upper"}
        Whether λ lies at the end of the interval that was searched.
    """

    ratio: float
    genetic_variance: float
    residual_variance: float
    heritability: float
    standard_error: float
    log_likelihood: float
    boundary: Literal["", "lower", "upper"]


def spectrum_of(relationship: Array, basis: Array) -> Spectrum:
    """Decompose a relationship matrix in the space orthogonal to the covariates.

    Parameters
    ----------
    relationship : ndarray, shape (n, n)
        Symmetric, positive semi-definite to rounding; overwritten.
    basis : ndarray, shape (n, c)
        Orthonormal basis of the intercept and the covariates.

    Returns
    -------
    Spectrum

    Raises
    ------
    FitError
        No subject differs from the others, an entry that is no number, or a clearly negative eigenvalue.
    """
    n, c = basis.shape
    diagonal = float(np.trace(relationship))
    scale = diagonal / n - float(relationship.sum()) / n**2
    if not np.isfinite(relationship).all() or scale <= 1e-10 * max(diagonal, 1e-300):
        raise FitError(
            "a relationship matrix that tells no subjects apart",
            where="mixed model",
            todo="give genotypes of more variants, or use the linear model",
        )
    # S K S − s QQ' with S = I − QQ': the covariates get the only negative eigenvalues, so that they come first
    half = relationship @ basis
    corner = basis.T @ half
    outer = half - 0.5 * basis @ corner
    shift = max(diagonal / n, 1.0)
    relationship -= outer @ basis.T
    relationship -= basis @ outer.T
    relationship -= shift * (basis @ basis.T)
    values, vectors = eigh(relationship, overwrite_a=True, check_finite=False, driver="evd")
    values, rotation = values[c:], np.ascontiguousarray(vectors[:, c:])
    if values[0] < -1e-6 * values[-1]:
        raise FitError(
            f"a relationship matrix with an eigenvalue of {values[0]:.3g}",
            where="mixed model",
            allowed="a positive semi-definite matrix",
        )
    # what rounding left of zero (too few variants, or samples that are there twice)
    values = np.where(values < 1e-10 * values[-1], 0.0, values)
    return Spectrum(rotation, values, scale)


def fit_variances(values: Array, scale: float, phenotype: Array) -> VarianceFit:
    """Maximise the restricted likelihood of one phenotype without a variant.

    Parameters
    ----------
    values : ndarray, shape (m,)
        Eigenvalues of a :class:`Spectrum`.
    scale : float
        Its scale.
    phenotype : ndarray, shape (m,)
        Rotated.

    Returns
    -------
    VarianceFit
    """
    m = values.size
    y, none, sums = np.ascontiguousarray(phenotype), np.zeros(m), np.empty(7)
    slopes = np.array([slope_at(values, none, y, float(np.exp(point)), float(m), sums) for point in GRID])
    ratio, place = best_ratio(values, none, y, float(m), GRID, slopes, sums)
    weight = 1.0 / (ratio * values + 1.0)
    power = y * y
    rest, first = float(weight @ power), -float((values * weight**2) @ power)
    second = 2.0 * float((values**2 * weight**3) @ power)
    curvature = 0.5 * float(np.square(values * weight).sum()) - 0.5 * m * (second / rest - (first / rest) ** 2)
    residual = rest / m
    likelihood = -0.5 * (m * np.log(2.0 * np.pi * residual) + m - float(np.log(weight).sum()))
    error = np.nan
    if place == INTERIOR and curvature < 0:
        error = scale / (scale * ratio + 1.0) ** 2 / np.sqrt(-curvature)
    return VarianceFit(
        ratio,
        ratio * residual,
        residual,
        scale * ratio / (scale * ratio + 1.0),
        float(error),
        float(likelihood),
        "" if place == INTERIOR else "lower" if place == LOWER else "upper",
    )


def grid_slopes(values: Array, variants: Array, phenotypes: Array) -> Array:
    """Slope of the restricted log-likelihood of every pair to log λ, at the points of ``GRID``, by matrix products.

    Parameters
    ----------
    values : ndarray, shape (m,)
    variants : ndarray, shape (V, m)
        Rotated.
    phenotypes : ndarray, shape (P, m)
        Rotated.

    Returns
    -------
    ndarray, shape (points, V, P)
    """
    ratio = np.exp(GRID)
    weight = 1.0 / (ratio[:, None] * values + 1.0)
    changed = values * weight**2
    squares, power = np.square(variants), np.square(phenotypes)
    slopes = np.empty((GRID.size, variants.shape[0], phenotypes.shape[0]))
    xx, dxx = squares @ weight.T, squares @ changed.T
    for g in range(GRID.size):
        xy, dxy = variants @ (phenotypes * weight[g]).T, variants @ (phenotypes * changed[g]).T
        with np.errstate(divide="ignore", invalid="ignore"):
            beta = xy / xx[:, g, None]
            rest = power @ weight[g] - beta * xy
            change = power @ changed[g] + beta * (beta * dxx[:, g, None] - 2.0 * dxy)
            own = dxx[:, g, None] / xx[:, g, None]
            loss = float((values * weight[g]).sum())
            slopes[g] = 0.5 * ratio[g] * (own - loss + (values.size - 1) * change / rest)
    return slopes
