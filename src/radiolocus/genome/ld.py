"""Linkage disequilibrium: correlation of effect allele counts between variants, in windows and block by block.

Every r is that of the samples with a genotype at both variants, as ``--r`` and ``--r2`` of PLINK have it. With hard
calls the sums are whole numbers, exact in the single precision in which they are multiplied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import ConfigError
from radiolocus.genome.prune import refuse_unsorted
from radiolocus.model import Array
from radiolocus.read.genotypes import GenotypeSource

__all__ = ["LdWindow", "correlation", "ld_matrix", "ld_pairs", "ld_to", "read_chosen", "windows"]

Whole = npt.NDArray[np.int64]
Real = npt.NDArray[Any]
Prepared = TypeVar("Prepared")

_BLOCK = 512
# A variance this small against the sum of squares is rounding of fractional dosages.
_FLAT = 1e-10
# Sums of −1, 0 and 1 are exact in single precision up to here.
_EXACT = 2**24


@dataclass(frozen=True)
class LdWindow:
    """Which pairs of variants are looked at.

    Parameters
    ----------
    kilobases : float
        Largest distance of two variants.
    min_r2 : float
        Smallest squared correlation that is told.
    """

    kilobases: float = 1000.0
    min_r2: float = 0.2

    def __post_init__(self) -> None:
        if not self.kilobases > 0:
            raise ConfigError(f"kilobases = {self.kilobases}", where="LD", allowed="above 0")
        if not 0 <= self.min_r2 <= 1:
            raise ConfigError(f"min_r2 = {self.min_r2}", where="LD", allowed="0 to 1")


@dataclass(frozen=True, eq=False)
class _Side:
    """Counts of a block, less one and 0 where missing; and who is known, None when everybody is."""

    x: Real
    known: Real | None


def _side(dosage: npt.NDArray[np.float32]) -> _Side:
    missing = np.isnan(dosage)
    some = bool(missing.any())
    whole = dosage.shape[1] < _EXACT and bool(((dosage == np.rint(dosage)) | missing).all())
    dtype: Any = np.float32 if whole else np.float64
    x: Real = dosage.astype(dtype) - dtype(1)
    if some:
        x[missing] = 0
    return _Side(x, (~missing).astype(dtype) if some else None)


def _times(a: Real, b: Real) -> Array:
    return np.asarray(a @ b.T, dtype=np.float64)


def _correlate(a: _Side, b: _Side) -> Array:
    """Signed r of every variant of `a` with every one of `b`; NaN where one does not vary among those known at both."""
    p = _times(a.x, b.x)
    if a.known is None and b.known is None:
        n: Array | float = float(a.x.shape[1])
        s, t = (side.x.sum(axis=1, dtype=np.float64) for side in (a, b))
        qa, qb = (np.square(side.x, dtype=np.float64).sum(axis=1) for side in (a, b))
        s, qa, t, qb = s[:, None], qa[:, None], t[None, :], qb[None, :]
    else:
        ka, kb = (np.ones_like(side.x) if side.known is None else side.known for side in (a, b))
        n, s, t = _times(ka, kb), _times(a.x, kb), _times(ka, b.x)
        qa, qb = _times(np.square(a.x), kb), _times(ka, np.square(b.x))
    va, vb = n * qa - s * s, n * qb - t * t
    good = (va > _FLAT * n * qa) & (vb > _FLAT * n * qb)
    spread = np.sqrt(np.where(good, va * vb, 1.0))
    return np.asarray(np.where(good, np.clip((n * p - s * t) / spread, -1.0, 1.0), np.nan))


def correlation(first: npt.NDArray[np.float32], second: npt.NDArray[np.float32] | None = None) -> Array:
    """Correlation of the variants of one block of dosages with those of another.

    Parameters
    ----------
    first, second : ndarray of float32, shape (a, n) and (b, n)
        Dosages of the same samples, NaN where missing; `second` by default `first`.

    Returns
    -------
    ndarray, shape (a, b)
        Signed r over the samples known at both; NaN where a variant does not vary among them.
    """
    left = _side(first)
    return _correlate(left, left if second is None else _side(second))


def read_chosen(source: GenotypeSource, rows: Whole, chosen: Whole) -> npt.NDArray[np.float32]:
    """Dosages of chosen variants (numbers in the file, ascending) of the samples `rows`, shape (variants, n).

    What lies between them is read in pieces and dropped, so that memory holds the chosen ones and one piece.
    """
    out = np.empty((chosen.size, rows.size), dtype=np.float32)
    at = 0
    while at < chosen.size:
        stop = int(np.searchsorted(chosen, chosen[at] + _BLOCK))
        here = chosen[at:stop]
        out[at:stop] = source.read(rows, int(here[0]), int(here[-1]) + 1).dosage[here - here[0]]
        at = stop
    return out


def ld_matrix(source: GenotypeSource, rows: Whole, chosen: Whole) -> Array:
    """Signed r between all pairs of a few variants, such as those of a locus.

    Parameters
    ----------
    source : GenotypeSource
    rows : ndarray of int64, shape (n,)
        Samples.
    chosen : ndarray of int64, shape (m,)
        Numbers of the variants in the file, ascending.

    Returns
    -------
    ndarray, shape (m, m)
        Symmetric, 1 on the diagonal; rows and columns of variants that do not vary are NaN.
    """
    return correlation(read_chosen(source, rows, chosen))


def ld_to(source: GenotypeSource, rows: Whole, lead: int, chosen: Whole) -> Array:
    """Signed r of one variant with others, shape (m,): the colours of a regional plot.

    Parameters
    ----------
    source : GenotypeSource
    rows : ndarray of int64, shape (n,)
    lead : int
        Number of the variant in the file.
    chosen : ndarray of int64, shape (m,)
        Numbers of the others, ascending.
    """
    one = _side(source.read(rows, lead, lead + 1).dosage)
    out = np.empty(chosen.size)
    for start in range(0, chosen.size, _BLOCK):
        here = chosen[start : start + _BLOCK]
        out[start : start + here.size] = _correlate(one, _side(read_chosen(source, rows, here)))[0]
    return out


def windows(
    source: GenotypeSource,
    rows: Whole,
    chosen: Whole,
    base_pairs: float,
    prepare: Callable[[npt.NDArray[np.float32]], Prepared],
) -> Iterator[tuple[Whole, Whole, Prepared, Prepared]]:
    """Pairs of blocks of variants that have something within a window of each other.

    Parameters
    ----------
    source, rows
        See :func:`ld_matrix`.
    chosen : ndarray of int64
        Numbers of the variants in the file, ascending.
    base_pairs : float
        Largest distance.
    prepare : callable
        Made once of the dosages of each block, and held as long as a pair needs it.

    Yields
    ------
    tuple
        Places in `chosen` of the first and of the second block (never before the first), and what was prepared.

    Raises
    ------
    TableError
        Variants of one chromosome are not in the order of their positions.
    """
    place = source.variants["chromosome"].to_numpy()[chosen]
    position = source.variants["base_pair_location"].to_numpy()[chosen]
    for name in dict.fromkeys(place):
        here = np.flatnonzero(place == name)
        refuse_unsorted(source.variants, chosen[here], str(name))
        parts = [here[start : start + _BLOCK] for start in range(0, here.size, _BLOCK)]
        ready: dict[int, Prepared] = {}
        for i, first in enumerate(parts):
            for j in range(i, len(parts)):
                if position[parts[j][0]] > position[first[-1]] + base_pairs:
                    break
                if j not in ready:
                    ready[j] = prepare(read_chosen(source, rows, chosen[parts[j]]))
                yield first, parts[j], ready[i], ready[j]
            del ready[i]


def ld_pairs(
    source: GenotypeSource, rows: Whole, chosen: Whole, options: LdWindow | None = None
) -> Iterator[pl.DataFrame]:
    """Yield the pairs of variants in a window that are correlated, block by block.

    Parameters
    ----------
    source, rows, chosen
        See :func:`windows`.
    options : LdWindow, optional

    Yields
    ------
    polars.DataFrame
        Columns first, second (numbers in the file, the first before the second) and r, signed by the effect alleles.
    """
    options = options or LdWindow()
    reach = 1000 * options.kilobases
    position = source.variants["base_pair_location"].to_numpy()
    for first, second, left, right in windows(source, rows, chosen, reach, _side):
        r = _correlate(left, right)
        a, b = chosen[first][:, None], chosen[second][None, :]
        near = (b > a) & (position[b] - position[a] <= reach)
        with np.errstate(invalid="ignore"):
            i, j = np.nonzero(near & (r * r >= options.min_r2))
        yield pl.DataFrame({"first": chosen[first[i]], "second": chosen[second[j]], "r": r[i, j]})
