"""Polygenic weights by continuous shrinkage (PRS-CS): effects under a prior that shrinks noise hard and signals little.

β_j ~ N(0, σ²ψ_j / n), ψ_j ~ Gamma(1, δ_j), δ_j ~ Gamma(1/2, φ): the prior of Strawderman and Berger, sampled by Gibbs
steps that take a block of LD at a time (Ge, Chen, Ni, Feng & Smoller 2019, doi:10.1038/s41467-019-09718-5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from radiolocus.errors import ConfigError, InputError
from radiolocus.model import Array

__all__ = ["PrscsOptions", "Shrunk", "generalised_inverse_gaussian", "prs_cs"]

_WHERE = "PRS-CS"
_TINY = 1e-300


@dataclass(frozen=True)
class PrscsOptions:
    """Rules of the sampler.

    Parameters
    ----------
    phi : float or None
        Global shrinkage; None learns it from the data (PRS-CS-auto).
    iterations, burn_in, thin : int
        Steps, those that are dropped, and of how many after them one is kept.
    """

    phi: float | None = None
    iterations: int = 1000
    burn_in: int = 500
    thin: int = 5

    def __post_init__(self) -> None:
        if self.phi is not None and self.phi <= 0:
            raise ConfigError(f"phi = {self.phi:g}", where=_WHERE, allowed="above 0, or none to learn it")
        if self.thin < 1 or not 0 <= self.burn_in <= self.iterations - self.thin:
            raise ConfigError(
                f"iterations = {self.iterations}, burn_in = {self.burn_in}, thin = {self.thin}", where=_WHERE,
                allowed="thin 1 or more; burn_in and one thin within the iterations",
            )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Shrunk:
    """Posterior means.

    Parameters
    ----------
    beta : ndarray, shape (m,)
        Of the standardised genotype on the standardised phenotype.
    spread : ndarray, shape (m,)
        Posterior standard deviation.
    phi, sigma : float
        Posterior mean of the global shrinkage and of the residual variance.
    """

    beta: Array
    spread: Array
    phi: float
    sigma: float


def prs_cs(
    beta: Array, blocks: Sequence[Array], n: float, rng: np.random.Generator, options: PrscsOptions | None = None
) -> Shrunk:
    """Shrink marginal effects.

    Parameters
    ----------
    beta : ndarray, shape (m,)
        Marginal effects of standardised genotypes on the standardised phenotype, z/√n.
    blocks : sequence of ndarray
        Correlation of the variants of each block, in the order of `beta`; blocks are independent.
    n : float
        Subjects.
    rng : numpy.random.Generator
    options : PrscsOptions, optional

    Raises
    ------
    InputError
        Sizes that do not agree, or values that are not finite.
    """
    options = options or PrscsOptions()
    ends = np.cumsum([0, *(len(block) for block in blocks)])
    if ends[-1] != beta.size or beta.size == 0:
        raise InputError(f"{beta.size} effects for blocks of {ends[-1]} variants", where=_WHERE)
    if not (np.isfinite(beta).all() and all(np.isfinite(block).all() for block in blocks)):
        raise InputError("effects or LD that are not finite", where=_WHERE, todo="leave out variants that do not vary")
    p = beta.size
    current, psi, sigma = np.zeros(p), np.ones(p), 1.0
    phi = 1.0 if options.phi is None else options.phi
    total, squares, told = np.zeros(p), np.zeros(p), np.zeros(2)
    kept = 0
    for step in range(1, options.iterations + 1):
        fit = 0.0
        for block, start, stop in zip(blocks, ends[:-1], ends[1:], strict=True):
            here = slice(start, stop)
            precision = block + np.diag(1.0 / psi[here])
            root = cholesky(precision, lower=False, check_finite=False)
            half = solve_triangular(root, beta[here], trans="T", check_finite=False)
            half += np.sqrt(sigma / n) * rng.standard_normal(stop - start)
            current[here] = solve_triangular(root, half, check_finite=False)
            fit += float(current[here] @ (precision @ current[here]))
        error = n / 2 * max(1.0 - 2.0 * float(current @ beta) + fit, float((current**2 / psi).sum()))
        sigma = 1.0 / rng.gamma((n + p) / 2, 1.0 / error)
        delta = rng.gamma(1.5, 1.0 / (psi + phi))
        psi = np.minimum(generalised_inverse_gaussian(2.0 * delta, n * current**2 / sigma, rng), 1.0)
        if options.phi is None:
            phi = rng.gamma(p / 2 + 0.5, 1.0 / (float(delta.sum()) + rng.gamma(1.0, 1.0 / (phi + 1.0))))
        if step > options.burn_in and (step - options.burn_in) % options.thin == 0:
            kept += 1
            total += current
            squares += current**2
            told += (phi, sigma)
    mean = total / kept
    return Shrunk(mean, np.sqrt(np.maximum(squares / kept - mean**2, 0.0)), *(float(v) for v in told / kept))


def generalised_inverse_gaussian(a: Array, b: Array, rng: np.random.Generator) -> Array:
    """Draw from densities ∝ x^(−1/2) exp(−(ax + b/x)/2), a > 0, b ≥ 0.

    The reciprocal is inverse Gaussian of mean √(a/b) and shape a (Michael, Schucany & Haas 1976,
    doi:10.1080/00031305.1976.10479147); written so that no digits are lost where b is small.
    """
    mean = np.sqrt(a / np.maximum(b, _TINY))
    half = mean * np.square(rng.standard_normal(a.shape)) / (2.0 * a)
    below = mean / (1.0 + half + np.sqrt(half * (2.0 + half)))
    first = rng.random(a.shape) * (mean + below) <= mean
    return np.asarray(np.where(first, 1.0 / np.maximum(below, _TINY), below / mean**2))
