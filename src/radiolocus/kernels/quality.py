"""Loops of genotype quality: genotype counts, Hardy–Weinberg's exact test."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel

__all__ = ["HARD_CALL", "count_miscalled", "hard_calls", "hardy_weinberg", "tally_genotypes"]

Whole = npt.NDArray[np.int64]
Real = npt.NDArray[np.float64]
Single = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

# A dosage further than this from 0, 1 and 2 has no hard call (--hard-call-threshold of PLINK 2); 1.9 in single
# precision is within.
HARD_CALL = 0.1 + 1e-6
# Genotypes less likely than the observed one by this factor add nothing to a sum of doubles.
_NEGLIGIBLE = 1e-20
# Likelihoods are scaled up where they fall below this.
_TINY = 1e-200
_TIE = 1e-9


@kernel
def hard_calls(dosage: Single, calls: npt.NDArray[np.int8]) -> None:
    """Round dosages to 0, 1 and 2; −1 where missing or further than 0.1 from all three.

    Parameters
    ----------
    dosage : ndarray of float32, shape (variants, samples)
    calls : ndarray of int8, shape (variants, samples)
        Receives the calls.
    """
    for v in range(dosage.shape[0]):
        for i in range(dosage.shape[1]):
            value = dosage[v, i]
            call = -1
            if value == value:
                nearest = int(value + np.float32(0.5))
                if abs(value - np.float32(nearest)) <= np.float32(HARD_CALL):
                    call = nearest
            calls[v, i] = call


@kernel
def tally_genotypes(
    dosage: Single, calls: npt.NDArray[np.int8], sex: npt.NDArray[np.int8], counts: Whole, sums: Real
) -> None:
    """Count genotypes and sum dosages, apart for each sex.

    Parameters
    ----------
    dosage : ndarray of float32, shape (variants, samples)
    calls : ndarray of int8, shape (variants, samples)
        See :func:`hard_calls`.
    sex : ndarray of int8, shape (samples,)
        0 unknown, 1 male, 2 female.
    counts : ndarray of int64, shape (variants, 3, 5)
        Receives, for each sex, the hard calls 0, 1 and 2, the samples with a dosage, and those whose
        dosage is no whole number.
    sums : ndarray of float64, shape (variants, 3, 2)
        Receives the sums of dosages and of their squares.
    """
    counts[:] = 0
    sums[:] = 0.0
    for v in range(dosage.shape[0]):
        for i in range(dosage.shape[1]):
            value = float(dosage[v, i])
            if math.isnan(value):
                continue
            who = sex[i]
            call = calls[v, i]
            if call >= 0:
                counts[v, who, call] += 1
            counts[v, who, 3] += 1
            counts[v, who, 4] += value != call
            sums[v, who, 0] += value
            sums[v, who, 1] += value * value


@kernel
def count_miscalled(calls: npt.NDArray[np.int8], one_copy: Flags, heterozygous: Whole) -> None:
    """Count heterozygous calls of samples that have one copy; shape of `heterozygous`: (variants,)."""
    for v in range(calls.shape[0]):
        found = 0
        for i in range(calls.shape[1]):
            found += one_copy[i] and calls[v, i] == 1
        heterozygous[v] = found


@kernel
def hardy_weinberg(counts: Whole, midp: bool, out: Real) -> None:
    """Exact test of Hardy–Weinberg proportions, −log10 p of each row.

    Parameters
    ----------
    counts : ndarray of int64, shape (tests, 3)
        Homozygous, heterozygous, homozygous for the other allele.
    midp : bool
        Count the observed outcome, and those as likely, half (Graffelman & Moreno 2013,
        doi:10.1515/sagmb-2012-0039).
    out : ndarray of float64, shape (tests,)
        Receives −log10 p; where nothing varies p is 1 and mid-p one half.

    Notes
    -----
    Two-sided: the chance, given the alleles, of heterozygote counts that are at most as likely as the observed one
    (Wigginton et al. 2005, doi:10.1086/429864). Summed outwards from the likeliest count, scaled on the way, so that p
    has no smallest value.
    """
    for k in range(counts.shape[0]):
        out[k] = _hardy(counts[k, 0], counts[k, 1], counts[k, 2], midp)


@kernel
def _hardy(one: int, het: int, two: int, midp: bool) -> float:
    n = one + het + two
    rare = 2 * min(one, two) + het
    if rare == 0:
        return math.log10(2.0) if midp else 0.0
    mode = int(rare * (2.0 * n - rare) / (2.0 * n))
    if (mode ^ rare) & 1:
        mode += 1
    mode = min(mode, rare)
    # likelihoods relative to the likeliest count, as a number and how often it was scaled up
    observed, depth = _relative(rare, n, mode, het)
    total = 1.0
    tail = _tail_term(_over(1.0, 0, observed, depth), midp)
    for step in (-2, 2):
        value = 1.0
        scaled = 0
        h = mode
        while 0 <= h + step <= rare:
            value *= _ratio(rare, n, h, step)
            h += step
            if value < _TINY:
                value /= _TINY
                scaled += 1
            if scaled == 0:
                total += value
            over = _over(value, scaled, observed, depth)
            if over < _NEGLIGIBLE:
                break
            tail += _tail_term(over, midp)
    log_p = math.log10(observed) + depth * math.log10(_TINY) + math.log10(tail) - math.log10(total)
    return max(0.0, -log_p)


@kernel
def _over(value: float, scaled: int, observed: float, depth: int) -> float:
    """One scaled likelihood over another; infinite or 0 where they lie more than one scaling apart."""
    if scaled < depth - 1:
        return math.inf
    if scaled > depth + 1:
        return 0.0
    ratio = value / observed
    if scaled < depth:
        ratio /= _TINY
    elif scaled > depth:
        ratio *= _TINY
    return ratio


@kernel
def _tail_term(over: float, midp: bool) -> float:
    """What an outcome adds to the tail, in likelihoods of the observed one."""
    if over > 1.0 + _TIE:
        return 0.0
    if midp and over >= 1.0 - _TIE:
        return 0.5
    return over


@kernel
def _ratio(rare: int, n: int, h: int, step: int) -> float:
    """P(h + step) / P(h) for steps of two heterozygotes."""
    minor = (rare - h) // 2
    major = n - h - minor
    if step > 0:
        return (4.0 * minor * major) / ((h + 2.0) * (h + 1.0))
    return (h * (h - 1.0)) / (4.0 * (minor + 1.0) * (major + 1.0))


@kernel
def _relative(rare: int, n: int, start: int, stop: int) -> tuple[float, int]:
    """P(stop) / P(start), and how often it was scaled up by 1e200 to stay a number."""
    step = 2 if stop > start else -2
    value = 1.0
    scaled = 0
    h = start
    while h != stop:
        value *= _ratio(rare, n, h, step)
        h += step
        if value < _TINY:
            value /= _TINY
            scaled += 1
    return value, scaled
