"""Genotypes as bits: 64 hard calls a word, compared by counting bits.

A set of calls is held as two planes: *one* has a bit where the call is 0 or 1, *two* where it is 1 or 2, so that a
heterozygote has both and a missing call none.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel

__all__ = ["count_both_called", "king_counts", "pack_by_variant", "pair_r2", "prune_window"]

Words = npt.NDArray[np.uint64]
Calls = npt.NDArray[np.int8]
Whole = npt.NDArray[np.int64]
Real = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_M1 = np.uint64(0x5555555555555555)
_M2 = np.uint64(0x3333333333333333)
_M4 = np.uint64(0x0F0F0F0F0F0F0F0F)
_H01 = np.uint64(0x0101010101010101)
# Words of one sample and plane, two kilobytes.
_STRETCH = 256
# Frequencies this close are one: they are quotients of counts.
_EQUALLY = 1e-12
_U1, _U2, _U4, _U56 = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)


@kernel
def _bits(x: np.uint64) -> np.uint64:
    """Count the bits of a word; the compiler knows this pattern and takes the machine's instruction."""
    x = x - ((x >> _U1) & _M1)
    x = (x & _M2) + ((x >> _U2) & _M2)
    x = (x + (x >> _U4)) & _M4
    return (x * _H01) >> _U56


@kernel
def pack_by_variant(calls: Calls, one: Words, two: Words) -> None:
    """Put calls into planes of samples, one row a variant."""
    n = calls.shape[1]
    for v in range(calls.shape[0]):
        for word in range(one.shape[1]):
            low = _U1 - _U1
            high = _U1 - _U1
            for k in range(min(64, n - 64 * word)):
                call = calls[v, 64 * word + k]
                low |= np.uint64(call == 0 or call == 1) << np.uint64(k)
                high |= np.uint64(call >= 1) << np.uint64(k)
            one[v, word] = low
            two[v, word] = high


@kernel
def king_counts(one: Words, two: Words, left: Whole, right: Whole, out: Whole) -> None:
    """Count what the KING-robust coefficient of pairs of samples is made of.

    Parameters
    ----------
    one, two : ndarray of uint64, shape (samples, words)
        Planes by sample.
    left, right : ndarray of int64, shape (a,) and (b,)
        Samples; every one of `left` is held against every one of `right`.
    out : ndarray of int64, shape (a, b, 4)
        Receives: both heterozygous; opposite homozygotes; the left heterozygous and the right homozygous; the
        reverse.
    """
    out[:] = 0
    # a stretch of words at a time, so that the rows of a tile stay in the cache
    for start in range(0, one.shape[1], _STRETCH):
        stop = min(start + _STRETCH, one.shape[1])
        for a in range(left.shape[0]):
            # rows of their own: only so does the compiler count on vectors
            left_one, left_two = one[left[a], start:stop], two[left[a], start:stop]
            for b in range(right.shape[0]):
                right_one, right_two = one[right[b], start:stop], two[right[b], start:stop]
                both = _U1 - _U1
                apart = _U1 - _U1
                here = _U1 - _U1
                there = _U1 - _U1
                for w in range(stop - start):
                    a1, a2 = left_one[w], left_two[w]
                    b1, b2 = right_one[w], right_two[w]
                    a_het, b_het = a1 & a2, b1 & b2
                    a_hom, b_hom = a1 ^ a2, b1 ^ b2
                    both += _bits(a_het & b_het)
                    apart += _bits(a_hom & b_hom & (a1 ^ b1))
                    here += _bits(a_het & b_hom)
                    there += _bits(a_hom & b_het)
                out[a, b, 0] += np.int64(both)
                out[a, b, 1] += np.int64(apart)
                out[a, b, 2] += np.int64(here)
                out[a, b, 3] += np.int64(there)


@kernel
def count_both_called(one: Words, two: Words, pairs: Whole, out: Whole) -> None:
    """Count the variants called in both samples of each pair; `pairs` is of shape (k, 2), `out` of (k,)."""
    for k in range(pairs.shape[0]):
        count = _U1 - _U1
        for w in range(one.shape[1]):
            here = one[pairs[k, 0], w] | two[pairs[k, 0], w]
            count += _bits(here & (one[pairs[k, 1], w] | two[pairs[k, 1], w]))
        out[k] = np.int64(count)


@kernel
def pair_r2(one: Words, two: Words, a: int, b: int) -> float:
    """Squared correlation of two variants over the samples called at both; 0 where either does not vary.

    Parameters
    ----------
    one, two : ndarray of uint64, shape (variants, words)
        Planes by variant.
    a, b : int
        Rows.
    """
    count = _U1 - _U1
    a_low = _U1 - _U1
    a_high = _U1 - _U1
    b_low = _U1 - _U1
    b_high = _U1 - _U1
    same = _U1 - _U1
    apart = _U1 - _U1
    a_one, a_two, b_one, b_two = one[a], two[a], one[b], two[b]
    for w in range(one.shape[1]):
        a1, a2 = a_one[w], a_two[w]
        b1, b2 = b_one[w], b_two[w]
        here, there = a1 | a2, b1 | b2
        a_hom, b_hom = a1 ^ a2, b1 ^ b2
        count += _bits(here & there)
        a_low += _bits(a_hom & a1 & there)
        a_high += _bits(a_hom & a2 & there)
        b_low += _bits(b_hom & b1 & here)
        b_high += _bits(b_hom & b2 & here)
        homs = a_hom & b_hom
        apart += _bits(homs & (a1 ^ b1))
        same += _bits(homs & ~(a1 ^ b1))
    # calls as −1, 0 and 1: whole numbers, exact
    n = np.int64(count)
    sum_a, sum_b = np.int64(a_high) - np.int64(a_low), np.int64(b_high) - np.int64(b_low)
    squares_a, squares_b = np.int64(a_high) + np.int64(a_low), np.int64(b_high) + np.int64(b_low)
    product = np.int64(same) - np.int64(apart)
    covariance = float(n * product - sum_a * sum_b)
    spread = float(n * squares_a - sum_a * sum_a) * float(n * squares_b - sum_b * sum_b)
    if spread == 0.0:
        return 0.0
    return covariance * covariance / spread


@kernel
def prune_window(
    one: Words, two: Words, rare: Real, limit: float, unchecked: Whole, first: int, removed: Flags
) -> None:
    """Take variants out of a window until no pair in it is correlated beyond `limit`.

    Each variant in turn is held against those after it that it was not held against before; of the first pair beyond
    the limit the rarer variant goes (the later one where they are equally common), and the turn passes on. Rounds are
    repeated until one takes nothing out.

    Parameters
    ----------
    one, two : ndarray of uint64, shape (k, words)
        Planes by variant, of the variants of the window.
    rare : ndarray of float64, shape (k,)
        Minor allele frequency.
    limit : float
        Largest squared correlation.
    unchecked : ndarray of int64, shape (k,)
        Number of the first variant that each was not yet held against; kept from window to window.
    first : int
        Number of the first variant of the window.
    removed : ndarray of bool, shape (k,)
        Is set where a variant goes.
    """
    size = rare.shape[0]
    gone = True
    while gone:
        gone = False
        for a in range(size - 1):
            if removed[a]:
                continue
            start = max(a + 1, unchecked[a] - first)
            unchecked[a] = first + size
            for b in range(start, size):
                if removed[b]:
                    continue
                if pair_r2(one, two, a, b) > limit:
                    gone = True
                    if rare[a] < rare[b] * (1.0 - _EQUALLY):
                        removed[a] = True
                    else:
                        removed[b] = True
                        unchecked[a] = first + b + 1
                    break
