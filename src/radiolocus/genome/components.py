"""Principal components of many samples: a randomised method of stated accuracy, and relatives projected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh, qr

from radiolocus.errors import FitError
from radiolocus.genome.structure import PrincipalComponents, principal_components, refuse_few
from radiolocus.kernels.genotype import centre_dosage
from radiolocus.model import Array
from radiolocus.read.genotypes import GenotypeSource

__all__ = ["EXACT_UP_TO", "TOLERANCE", "leading_components", "project", "randomised_components"]

Whole = npt.NDArray[np.int64]

TOLERANCE = 1e-6
# Largest number of samples whose n × n matrix is made and decomposed whole.
EXACT_UP_TO = 3000
# A pass over the genotypes costs more than a few more vectors in it.
_EXTRA = 30
_MOST_PASSES = 40
# Bytes of centred genotypes that are kept from pass to pass.
_ROOM = 2**30
_BLOCK = 1024


def _centred(
    source: GenotypeSource, rows: Whole, chosen: Whole, dtype: npt.DTypeLike = np.float64
) -> Iterator[tuple[npt.NDArray[np.floating], Array]]:
    """Yield the centred dosages of the chosen variants in one buffer, and 2p(1 − p), block by block."""
    here = np.arange(rows.size, dtype=np.int64)
    buffer, moments = np.empty((_BLOCK, rows.size), dtype=dtype), np.empty((_BLOCK, 4))
    for start in range(0, source.variants.height, _BLOCK):
        index = chosen[(chosen >= start) & (chosen < start + _BLOCK)]
        if index.size == 0:
            continue
        dosage = source.read(rows, start, start + _BLOCK).dosage
        dosage = dosage if index.size == len(dosage) else dosage[index - start]
        centre_dosage(dosage, here, buffer, moments)
        frequency = moments[: index.size, 1] / 2
        yield buffer[: index.size], 2 * frequency * (1 - frequency)


class _Relationship:
    """The relationship matrix ZZᵀ/m of some samples, never made: it multiplies by passes over the genotypes.

    Centred genotypes in single precision are kept where there is room; otherwise every pass reads the file.
    """

    def __init__(self, source: GenotypeSource, rows: Whole, chosen: Whole) -> None:
        self._where = source, rows, chosen
        self._fits = 4 * rows.size * chosen.size <= _ROOM
        self._kept: list[tuple[npt.NDArray[np.floating], Array]] = []

    def times(self, vectors: Array, dtype: npt.DTypeLike) -> Array:
        """Multiply: products in `dtype`, sums over the blocks of variants in double precision."""
        out, given = np.zeros_like(vectors), vectors.astype(dtype)
        for centred, variance in self._blocks(dtype):
            out += centred.T @ ((centred @ given) / variance[:, None].astype(dtype))
        return out / self._where[2].size

    def _blocks(self, dtype: npt.DTypeLike) -> Iterable[tuple[npt.NDArray[np.floating], Array]]:
        if not self._fits or dtype == np.float64:
            return _centred(*self._where, dtype)
        if not self._kept:
            self._kept = [(centred.copy(), variance) for centred, variance in _centred(*self._where, dtype)]
        return self._kept


def _trace(source: GenotypeSource, rows: Whole, chosen: Whole) -> float:
    parts = (((centred**2).sum(axis=1) / variance).sum() for centred, variance in _centred(source, rows, chosen))
    return float(sum(parts)) / chosen.size


def randomised_components(
    source: GenotypeSource, rows: Whole, chosen: Whole, components: int, *, tolerance: float = TOLERANCE, seed: int = 0
) -> tuple[PrincipalComponents, Array]:
    """Principal components by a randomised block Krylov method.

    Parameters
    ----------
    source : GenotypeSource
    rows : ndarray of int, shape (n,)
        Samples.
    chosen : ndarray of int64
        Index in the file of the variants, polymorphic among the samples.
    components : int
    tolerance : float
        Largest ‖Av − λv‖ over λ₁ of any component, A the relationship matrix: eigenvalues are right to tolerance·λ₁,
        and a component at a distance δ·λ₁ from the next eigenvalue is turned by at most tolerance/δ.
    seed : int
        Of the starting vectors.

    Returns
    -------
    components : PrincipalComponents
        As of :func:`radiolocus.genome.structure.principal_components`, which is exact and needs n² memory.
    residual : ndarray, shape (k,)
        ‖Av − λv‖/λ₁ reached for each component.

    Raises
    ------
    FitError
        Too few samples or variants, or the tolerance is not reached in 40 passes over the genotypes.

    Notes
    -----
    Musco & Musco 2015 (arXiv:1504.05477): the space of Q, AQ, A²Q, ... of random Q grows by one pass over the
    genotypes at a time; the components are the best within it (Rayleigh–Ritz). Products with the genotypes are in
    single precision, all else in double, until the tolerance seems reached; one pass in double precision then measures
    the residual that is reported, and where it is not within the tolerance the passes go on in double precision.
    """
    n = rows.size
    width = min(components + _EXTRA, n)
    if components >= n or chosen.size <= components:
        raise FitError(
            f"{components} principal components of {n} samples from {chosen.size} variants",
            where="principal components",
            allowed="fewer than samples and variants",
            todo="ask for fewer components, or prune less",
        )
    relationship = _Relationship(source, rows, chosen)
    block = np.random.default_rng(seed).standard_normal((n, width))
    basis, image, small = np.empty((n, 0)), np.empty((n, 0)), np.empty((0, 0))
    dtype: npt.DTypeLike = np.float32
    for _ in range(_MOST_PASSES):
        # twice: what is left after one projection is small and no longer orthogonal
        for _ in range(2):
            block = block - basis @ (basis.T @ block)
            block = qr(block, mode="economic")[0]
        if basis.shape[1] + block.shape[1] > n:
            block = block[:, : n - basis.shape[1]]
        basis = np.column_stack([basis, block])
        image = np.column_stack([image, relationship.times(block, dtype)])
        small = _grown(small, basis.T @ image[:, -block.shape[1] :])
        values, vectors, residual = _best(basis, image, small, components)
        if residual.max() <= tolerance or basis.shape[1] >= n:
            exact = relationship.times(vectors, np.float64)
            values, turned, residual = _best(vectors, exact, vectors.T @ exact, components)
            vectors, dtype = turned, np.float64
            if residual.max() <= tolerance or basis.shape[1] >= n:
                break
        block = image[:, -block.shape[1] :]
    if residual.max() > max(tolerance, 1e-9):
        raise FitError(
            f"principal components are right to {residual.max():.1e} only after {_MOST_PASSES} passes",
            where="principal components",
            allowed=f"{tolerance:g}",
            todo="ask for fewer components, or raise the tolerance",
        )
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(components)]
    found = PrincipalComponents(
        scores=np.ascontiguousarray(vectors * np.sign(largest)),
        eigenvalues=values,
        fraction=values / _trace(source, rows, chosen),
        variants=chosen,
    )
    return found, residual


def _grown(small: Array, columns: Array) -> Array:
    """The matrix of a symmetric map within a space that has grown, from what is new of it."""
    old, size = small.shape[0], columns.shape[0]
    out = np.empty((size, size))
    out[:old, :old] = small
    out[:, old:] = columns
    out[old:, :old] = columns[:old].T
    return out


def _best(basis: Array, image: Array, small: Array, components: int) -> tuple[Array, Array, Array]:
    """Eigenvalues, vectors and residuals over the first eigenvalue, within a space and its image (Rayleigh–Ritz)."""
    size = small.shape[0]
    values, turn = eigh((small + small.T) / 2, subset_by_index=[size - components, size - 1])
    values, turn = values[::-1], turn[:, ::-1]
    vectors = basis @ turn
    return values, vectors, np.linalg.norm(image @ turn - vectors * values, axis=0) / values[0]


def leading_components(source: GenotypeSource, rows: Whole, chosen: Whole, components: int) -> PrincipalComponents:
    """Principal components of any number of samples: exact up to 3,000, beyond by the randomised method.

    Parameters, what is returned and what is raised are those of
    :func:`radiolocus.genome.structure.principal_components`; the randomised ones are right to :data:`TOLERANCE`.
    """
    if rows.size <= EXACT_UP_TO:
        return principal_components(source, rows, chosen, components)
    refuse_few(rows.size, chosen.size, components)
    return randomised_components(source, rows, chosen, components)[0]


def project(source: GenotypeSource, rows: Whole, found: PrincipalComponents, others: Whole) -> Array:
    """Put further samples on principal components without letting them move the axes.

    Parameters
    ----------
    source : GenotypeSource
    rows : ndarray of int, shape (n,)
        Samples of which the components were taken.
    found : PrincipalComponents
    others : ndarray of int, shape (k,)
        Samples to place.

    Returns
    -------
    ndarray, shape (k, components)
        ZₒZᵀU/(mλ), genotypes standardised with the frequencies of `rows`, missing ones at their mean: a sample of
        `rows` comes out where it was.
    """
    n = rows.size
    both = np.concatenate([rows, others]).astype(np.int64)
    out = np.zeros((others.size, found.scores.shape[1]))
    for start in range(0, source.variants.height, _BLOCK):
        index = found.variants[(found.variants >= start) & (found.variants < start + _BLOCK)]
        if index.size == 0:
            continue
        dosage = source.read(both, start, start + _BLOCK).dosage[index - start].astype(np.float64)
        frequency = np.nanmean(dosage[:, :n], axis=1, keepdims=True) / 2
        scaled = (dosage - 2 * frequency) / np.sqrt(2 * frequency * (1 - frequency))
        scaled = np.nan_to_num(scaled, nan=0.0)
        out += scaled[:, n:].T @ (scaled[:, :n] @ found.scores)
    return out / (found.variants.size * found.eigenvalues)
