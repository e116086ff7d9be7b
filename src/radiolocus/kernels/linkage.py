"""Linkage of one variant with others from packed hard calls: the 3 × 3 table of genotypes, and what follows from it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel
from radiolocus.kernels.packed import _bits

__all__ = ["genotype_table", "haplotype_r2", "lead_r2"]

Words = npt.NDArray[np.uint64]
Whole = npt.NDArray[np.int64]
Real = npt.NDArray[np.float64]


@kernel
def genotype_table(one: Words, two: Words, a: int, b: int, table: Whole) -> None:
    """Count the samples with each pair of genotypes at two variants.

    Parameters
    ----------
    one, two : ndarray of uint64, shape (variants, words)
        Planes by variant; see :mod:`radiolocus.kernels.packed`.
    a, b : int
        Rows.
    table : ndarray of int64, shape (3, 3)
        Receives the samples with i effect alleles at `a` and j at `b`.
    """
    table[:] = 0
    for w in range(one.shape[1]):
        a1, a2, b1, b2 = one[a, w], two[a, w], one[b, w], two[b, w]
        a_low, a_het, a_high = a1 & ~a2, a1 & a2, a2 & ~a1
        b_low, b_het, b_high = b1 & ~b2, b1 & b2, b2 & ~b1
        table[0, 0] += np.int64(_bits(a_low & b_low))
        table[0, 1] += np.int64(_bits(a_low & b_het))
        table[0, 2] += np.int64(_bits(a_low & b_high))
        table[1, 0] += np.int64(_bits(a_het & b_low))
        table[1, 1] += np.int64(_bits(a_het & b_het))
        table[1, 2] += np.int64(_bits(a_het & b_high))
        table[2, 0] += np.int64(_bits(a_high & b_low))
        table[2, 1] += np.int64(_bits(a_high & b_het))
        table[2, 2] += np.int64(_bits(a_high & b_high))


@kernel
def _genotype_r2(table: Whole) -> float:
    """Squared correlation of the counts; NaN where either does not vary."""
    n = 0
    s = 0
    t = 0
    qa = 0
    qb = 0
    p = 0
    for i in range(3):
        for j in range(3):
            count = table[i, j]
            n += count
            s += i * count
            t += j * count
            qa += i * i * count
            qb += j * j * count
            p += i * j * count
    va, vb = float(n * qa - s * s), float(n * qb - t * t)
    if va <= 0.0 or vb <= 0.0:
        return math.nan
    return float(n * p - s * t) ** 2 / (va * vb)


@kernel
def _term(count: float, probability: float) -> float:
    if count <= 0.0:
        return 0.0
    return count * math.log(max(probability, 1e-300))


@kernel
def _likelihood(f: float, c: Real, hets: float, pa: float, pb: float) -> float:
    """Log likelihood of the haplotype frequency f; `c` counts the haplotypes that are known, 11, 10, 01 and 00."""
    f10, f01, f00 = pa - f, pb - f, 1.0 - pa - pb + f
    both = max(f, 0.0) * max(f00, 0.0) + max(f10, 0.0) * max(f01, 0.0)
    return _term(c[0], f) + _term(c[1], f10) + _term(c[2], f01) + _term(c[3], f00) + _term(hets, both)


@kernel
def _roots(b: float, c: float, d: float, out: Real) -> int:
    """Real roots of x³ + bx² + cx + d; returns how many."""
    q = (b * b - 3.0 * c) / 9.0
    r = (b * (2.0 * b * b - 9.0 * c) + 27.0 * d) / 54.0
    if r * r < q * q * q:
        angle = math.acos(min(1.0, max(-1.0, r / math.sqrt(q * q * q))))
        for k in range(3):
            out[k] = -2.0 * math.sqrt(q) * math.cos((angle + 2.0 * math.pi * k) / 3.0) - b / 3.0
        return 3
    size = (abs(r) + math.sqrt(max(r * r - q * q * q, 0.0))) ** (1.0 / 3.0)
    size = -size if r > 0.0 else size
    other = q / size if size != 0.0 else 0.0
    out[0] = size + other - b / 3.0
    # a double root, where the discriminant is rounding
    out[1] = -0.5 * (size + other) - b / 3.0
    return 2


@kernel
def haplotype_r2(table: Whole) -> float:
    """Squared correlation of the alleles on a haplotype, from the haplotype frequencies of largest likelihood.

    Parameters
    ----------
    table : ndarray of int64, shape (3, 3)
        See :func:`genotype_table`.

    Returns
    -------
    float
        NaN where either variant does not vary.

    Notes
    -----
    Under Hardy–Weinberg proportions only the phase of double heterozygotes is unknown, allele frequencies are fixed,
    and the frequency of one haplotype solves a cubic equation (Hill 1974, doi:10.1038/hdy.1974.89); of its roots and
    the ends of its range the likeliest is taken, as PLINK does.
    """
    hets = float(table[1, 1])
    c = np.empty(4)
    c[0] = 2.0 * table[2, 2] + table[2, 1] + table[1, 2]
    c[1] = 2.0 * table[2, 0] + table[2, 1] + table[1, 0]
    c[2] = 2.0 * table[0, 2] + table[0, 1] + table[1, 2]
    c[3] = 2.0 * table[0, 0] + table[0, 1] + table[1, 0]
    total = c.sum() + 2.0 * hets
    if total <= 0.0:
        return math.nan
    pa, pb = (c[0] + c[1] + hets) / total, (c[0] + c[2] + hets) / total
    spread = pa * (1.0 - pa) * pb * (1.0 - pb)
    if spread <= 0.0:
        return math.nan
    low, free = c[0] / total, hets / total
    best = low
    if hets > 0.0:
        s = pa + pb
        roots = np.empty(5)
        count = _roots(
            0.5 * (1.0 - 2.0 * s - 2.0 * low - free),
            0.5 * (pa * pb - low * (1.0 - 2.0 * s) - free * (1.0 - s)),
            -0.5 * low * pa * pb,
            roots,
        )
        roots[count], roots[count + 1] = low, low + free
        likeliest = -math.inf
        for k in range(count + 2):
            f = min(max(roots[k], low), low + free)
            told = _likelihood(f, c, hets, pa, pb)
            if told > likeliest:
                likeliest, best = told, f
    return float((best - pa * pb) ** 2 / spread)


@kernel
def lead_r2(one: Words, two: Words, lead: int, others: Whole, haplotype: bool, out: Real) -> None:
    """Squared correlation of one variant with others.

    Parameters
    ----------
    one, two : ndarray of uint64, shape (variants, words)
        Planes by variant.
    lead : int
        Row.
    others : ndarray of int64, shape (m,)
        Rows.
    haplotype : bool
        Of the alleles on a haplotype rather than of the genotypes.
    out : ndarray of float64, shape (m,)
        Receives r², NaN where a variant does not vary among the samples called at both.
    """
    table = np.zeros((3, 3), dtype=np.int64)
    for k in range(others.shape[0]):
        genotype_table(one, two, lead, others[k], table)
        out[k] = haplotype_r2(table) if haplotype else _genotype_r2(table)
