"""Tests of a variant with all phenotypes at once, calibrated by one permutation of the subjects.

MOSTest sums the squares of the t statistics after their correlation is taken out, MinP takes the smallest p-value. Both
are compared with what a permutation of the subjects gives: the residuals of all phenotypes move together from subject
to subject, so that they keep their correlation and lose any association with the genotypes. A gamma distribution is
fitted to the one and a beta distribution to the other.

Source: van der Meer et al. 2020, doi:10.1038/s41467-020-17368-1. Here the correlation is that of the residuals of the
phenotypes, which the correlation of permuted statistics estimates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from radiolocus.associate.design import Design, regression_design
from radiolocus.errors import FitError
from radiolocus.model import Array
from radiolocus.stats.tail import neg_log10_p_chi2

__all__ = ["Null", "fit_null", "permuted_design", "whitener"]

# Axes of the phenotypes with less than this fraction of the average variance hold noise of the estimate.
_LITTLE = 1e-3
# Beyond this −log10 p only the first term of the beta distribution is left.
_FAR = 200.0
_FEWEST = 100


def permuted_design(design: Design, seed: int) -> Design:
    """Deal the residuals of all phenotypes to other subjects, each row whole, and project the covariates out again.

    Raises
    ------
    FitError
        A phenotype of which nothing is left among the subjects it came to.
    """
    order = np.random.default_rng(seed).permutation(design.n)
    values = np.where(design.known[design.pattern_of].T, design.response, np.nan)[order]
    names = [design.phenotypes[c] for c in design.columns]
    dealt = regression_design(values, design.basis[:, 1:] if design.basis.shape[1] > 1 else None, phenotype_names=names)
    if dealt.columns.size < design.columns.size:
        told = dealt.problems[0]
        raise FitError(
            f"after permutation: {told.got}", where=f"phenotype {told.item}", todo="leave it out of multi-trait tests"
        )
    return dealt


def whitener(design: Design) -> Array:
    """What takes the correlation out of the t statistics of a variant, shape (P, axes); axes without variance go."""
    strength, axes = np.linalg.eigh(design.correlation())
    kept = strength > _LITTLE * strength.mean()
    return np.asarray(axes[:, kept] / np.sqrt(strength[kept]))


@dataclass(frozen=True)
class Null:
    """Distributions of both statistics without association.

    Parameters
    ----------
    variants : int
        Permuted statistics they were fitted to.
    shape, scale : float
        Of the gamma distribution of MOSTest's statistic.
    a, b : float
        Of the beta distribution of the smallest p-value; b is about the effective number of phenotypes.
    """

    variants: int
    shape: float
    scale: float
    a: float
    b: float

    def mostest(self, statistic: npt.ArrayLike) -> Array:
        """−log10 p of MOSTest's statistic."""
        return neg_log10_p_chi2(2.0 * np.asarray(statistic, dtype=np.float64) / self.scale, 2.0 * self.shape)

    def minp(self, largest: npt.ArrayLike) -> Array:
        """−log10 p of the largest −log10 p over the phenotypes."""
        value = np.asarray(largest, dtype=np.float64)
        near = special.betainc(self.a, self.b, 10.0 ** -np.minimum(value, _FAR))
        first = self.a * value + np.log10(self.a) + special.betaln(self.a, self.b) / np.log(10.0)
        with np.errstate(divide="ignore"):
            return np.asarray(np.where(value < _FAR, -np.log10(near), first))


def fit_null(statistic: Array, largest: Array) -> Null:
    """Fit both distributions by maximum likelihood to what the permutation gave.

    Parameters
    ----------
    statistic, largest : ndarray, shape (V,)
        MOSTest's statistic and the largest −log10 p of each variant among permuted phenotypes.

    Raises
    ------
    FitError
        Fewer than 100 variants.
    """
    if statistic.size < _FEWEST:
        raise FitError(
            f"{statistic.size} variants with permuted statistics",
            where="multi-trait tests",
            allowed=f"at least {_FEWEST}",
            todo="scan more variants, or leave --multi-trait out",
        )
    shape = _gamma_shape(statistic)
    a, b = _beta(largest)
    return Null(int(statistic.size), shape, float(statistic.mean()) / shape, a, b)


def _gamma_shape(values: Array) -> float:
    """Maximum likelihood of the shape of a gamma distribution, by Newton's method on ln k − ψ(k) = ln⟨x⟩ − ⟨ln x⟩."""
    gap = float(np.log(values.mean()) - np.log(values).mean())
    shape = (3.0 - gap + np.sqrt((gap - 3.0) ** 2 + 24.0 * gap)) / (12.0 * gap)
    for _ in range(50):
        step = (np.log(shape) - special.digamma(shape) - gap) / (1.0 / shape - special.polygamma(1, shape))
        shape -= step
        if abs(step) < 1e-12 * shape:
            break
    return float(shape)


def _beta(largest: Array) -> tuple[float, float]:
    """Maximum likelihood of a beta distribution, by Newton's method on ψ(a) − ψ(a + b) = ⟨ln p⟩ and its twin."""
    log_p = -largest * np.log(10.0)
    mean_p, mean_q = float(log_p.mean()), float(np.log1p(-np.exp(np.minimum(log_p, -1e-12))).mean())
    x = np.log([1.0, -1.0 / mean_q])  # logarithms, so that both stay positive; a = 1 gives b at once
    for _ in range(100):
        a, b = np.exp(x)
        both = special.digamma(a + b)
        miss = np.array([special.digamma(a) - both - mean_p, special.digamma(b) - both - mean_q])
        bend = special.polygamma(1, a + b)
        slope = np.array([[special.polygamma(1, a) - bend, -bend], [-bend, special.polygamma(1, b) - bend]])
        step = np.linalg.solve(slope * np.exp(x), miss)
        x = x - np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-10:
            break
    return float(np.exp(x[0])), float(np.exp(x[1]))
