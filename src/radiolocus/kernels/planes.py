"""Hard calls as planes of bits: made from the bytes of PLINK 1, subset, turned, and counted 64 at a time.

The planes are those of :mod:`radiolocus.kernels.packed`: *one* has a bit where the call is 0 or 1, *two* where it is 1
or 2, so that a heterozygote has both and a missing call none. Bits behind the last sample are zero.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel
from radiolocus.kernels.packed import _bits

__all__ = ["add_by_sample", "count_by_variant", "planes_of_bed", "take_samples", "turn_planes"]

Words = npt.NDArray[np.uint64]
Whole = npt.NDArray[np.int64]
Real = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_U0, _U1, _U32, _U63 = np.uint64(0), np.uint64(1), np.uint64(32), np.uint64(63)
_EVERY_2 = np.uint64(0x5555555555555555)
# Shifts and masks that bring every second bit together.
_S1, _K1 = np.uint64(1), np.uint64(0x3333333333333333)
_S2, _K2 = np.uint64(2), np.uint64(0x0F0F0F0F0F0F0F0F)
_S4, _K4 = np.uint64(4), np.uint64(0x00FF00FF00FF00FF)
_S8, _K8 = np.uint64(8), np.uint64(0x0000FFFF0000FFFF)
_S16, _K16 = np.uint64(16), np.uint64(0x00000000FFFFFFFF)
# Binary digits of the counters of a block: it may have fewer than 2^DIGITS variants.
_DIGITS = 14


@kernel
def _together(x: np.uint64) -> np.uint64:
    """Bring the bits at even places into the lower half of a word."""
    x = x & _EVERY_2
    x = (x | (x >> _S1)) & _K1
    x = (x | (x >> _S2)) & _K2
    x = (x | (x >> _S4)) & _K4
    x = (x | (x >> _S8)) & _K8
    return (x | (x >> _S16)) & _K16


@kernel
def planes_of_bed(packed: Words, last: np.uint64, one: Words, two: Words) -> None:
    """Turn the 2-bit codes of PLINK 1 into planes of A1 counts.

    Parameters
    ----------
    packed : ndarray of uint64, shape (variants, 2 × words)
        Codes of 32 samples a word, the first in the lowest bits: 00 two copies, 01 missing, 10 one, 11 none.
    last : uint64
        Bits of the last word of a plane that belong to samples.
    one, two : ndarray of uint64, shape (variants, words)
        Receive the planes.
    """
    words = one.shape[1]
    for v in range(packed.shape[0]):
        row = packed[v]
        low = one[v]
        high = two[v]
        for w in range(words):
            a = row[2 * w]
            b = row[2 * w + 1]
            low[w] = _together(a >> _U1) | (_together(b >> _U1) << _U32)
            high[w] = _together(~a) | (_together(~b) << _U32)
        low[words - 1] &= last
        high[words - 1] &= last


@kernel
def take_samples(one: Words, two: Words, rows: Whole, out_one: Words, out_two: Words) -> None:
    """Gather samples of planes by variant.

    Parameters
    ----------
    one, two : ndarray of uint64, shape (variants, words)
    rows : ndarray of int64, shape (n,)
    out_one, out_two : ndarray of uint64, shape (variants, words of n)
        Receive the planes of the chosen samples.
    """
    n = rows.shape[0]
    for v in range(one.shape[0]):
        for word in range(out_one.shape[1]):
            low = _U0
            high = _U0
            for k in range(min(64, n - 64 * word)):
                row = rows[64 * word + k]
                bit = np.uint64(row & 63)
                place = np.uint64(k)
                low |= ((one[v, row >> 6] >> bit) & _U1) << place
                high |= ((two[v, row >> 6] >> bit) & _U1) << place
            out_one[v, word] = low
            out_two[v, word] = high


@kernel
def count_by_variant(one: Words, two: Words, among: Words, counts: Whole) -> None:
    """Count calls of some samples.

    Parameters
    ----------
    one, two : ndarray of uint64, shape (variants, words)
    among : ndarray of uint64, shape (words,)
        Bits of the samples that are counted.
    counts : ndarray of int64, shape (variants, 3)
        Receives the calls 0, 1 and 2.
    """
    for v in range(one.shape[0]):
        low = one[v]
        high = two[v]
        first = _U0
        both = _U0
        second = _U0
        for w in range(among.shape[0]):
            a = low[w] & among[w]
            b = high[w] & among[w]
            first += _bits(a)
            second += _bits(b)
            both += _bits(a & b)
        counts[v, 0] = np.int64(first - both)
        counts[v, 1] = np.int64(both)
        counts[v, 2] = np.int64(second - both)


@kernel
def add_by_sample(one: Words, two: Words, weight: Real, heterozygous: Whole, missing: Whole, lost: Real) -> None:
    """Add up heterozygous and missing calls of each sample, and weights of the variants at which it has no call.

    Parameters
    ----------
    one, two : ndarray of uint64, shape (variants, words)
        Fewer than 2^14 variants.
    weight : ndarray of float64, shape (variants,)
    heterozygous, missing : ndarray of int64, shape (n,)
        Are added to.
    lost : ndarray of float64, shape (n,)
        Is added to.
    """
    n = missing.shape[0]
    words = one.shape[1]
    # digits of 64 counters stand in the bits of a word; a plane is added as a number of one digit
    digits = np.zeros((_DIGITS, words), dtype=np.uint64)
    carry = np.empty(words, dtype=np.uint64)
    for v in range(one.shape[0]):
        low = one[v]
        high = two[v]
        for w in range(words):
            carry[w] = low[w] & high[w]
        _add(digits, carry)
        for w in range(words):
            absent = ~(low[w] | high[w])
            while absent != _U0:
                lowest = absent & (~absent + _U1)
                who = 64 * w + np.int64(_bits(lowest - _U1))
                if who >= n:
                    break
                missing[who] += 1
                lost[who] += weight[v]
                absent ^= lowest
    for k in range(_DIGITS):
        for i in range(n):
            bit = (digits[k, i >> 6] >> np.uint64(i & 63)) & _U1
            heterozygous[i] += np.int64(bit) << k


@kernel
def _add(digits: Words, carry: Words) -> None:
    left = _U1
    k = 0
    while left != _U0:
        left = _U0  # carries that the next digit takes
        digit = digits[k]
        for w in range(carry.shape[0]):
            before = digit[w]
            digit[w] = before ^ carry[w]
            carry[w] = before & carry[w]
            left |= carry[w]
        k += 1


@kernel
def turn_planes(planes: Words, first: int, out: Words) -> None:
    """Turn a plane by variant into one by sample.

    Parameters
    ----------
    planes : ndarray of uint64, shape (variants, words)
    first : int
        Word of `out` that the first variant goes to, as its lowest bit.
    out : ndarray of uint64, shape (n, words)
        Receives ``ceil(variants / 64)`` words of each sample.
    """
    square = np.empty(64, dtype=np.uint64)
    for start in range(0, planes.shape[0], 64):
        height = min(64, planes.shape[0] - start)
        for w in range(planes.shape[1]):
            for k in range(64):
                square[k] = planes[start + k, w] if k < height else _U0
            _turn(square)
            for k in range(min(64, out.shape[0] - 64 * w)):
                out[64 * w + k, first + start // 64] = square[k]


@kernel
def _turn(square: Words) -> None:
    """Transpose 64 × 64 bits in place by swapping ever smaller squares (Warren 2012, Hacker's Delight, 7-3)."""
    half = 32
    mask = _K16
    while half > 0:
        shift = np.uint64(half)
        k = 0
        while k < 64:
            swap = ((square[k] >> shift) ^ square[k + half]) & mask
            square[k + half] ^= swap
            square[k] ^= swap << shift
            k = (k + half + 1) & ~half
        half //= 2
        if half > 0:
            mask ^= mask << np.uint64(half)
