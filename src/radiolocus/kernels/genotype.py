"""Loops over genotypes: the 2-bit codes of PLINK 1, allele counts, centring.

Codes are counted as they lie in the file, 32 a word, and become centred numbers a byte at a time: a variant has four
values, so a byte has 256 rows of four, which are written down once and copied.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel
from radiolocus.kernels.packed import _bits

__all__ = [
    "centre_codes",
    "centre_dosage",
    "count_alleles",
    "count_codes",
    "decode_bed",
    "decode_bed_whole",
    "encode_bed",
]

Bytes = npt.NDArray[np.uint8]
Whole = npt.NDArray[np.int64]
Real = npt.NDArray[np.float64]
Single = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint64]

# Two bits a genotype, lowest bits first: 00 two copies of A1, 01 missing, 10 one copy, 11 none.
_CODES = np.array([2.0, np.nan, 1.0, 0.0], dtype=np.float32)
_LOW = np.uint64(1)
_BYTES = np.array([[_CODES[(byte >> shift) & 3] for shift in (0, 2, 4, 6)] for byte in range(256)], dtype=np.float32)


@kernel
def decode_bed(packed: Bytes, rows: Whole, out: Single) -> None:
    """Decode variant-major PLINK 1 codes of the chosen samples into A1 counts.

    Parameters
    ----------
    packed : ndarray of uint8, shape (variants, ceil(samples / 4))
    rows : ndarray of int64, shape (n,)
        Index of each wanted sample in the file.
    out : ndarray of float32, shape (variants, n)
        Receives 0, 1, 2 or NaN.
    """
    for v in range(packed.shape[0]):
        for i in range(rows.shape[0]):
            row = rows[i]
            out[v, i] = _CODES[(packed[v, row >> 2] >> (2 * (row & 3))) & 3]


@kernel
def decode_bed_whole(packed: Bytes, out: Single) -> None:
    """Decode all samples in file order: the same as :func:`decode_bed`, a byte at a time."""
    n = out.shape[1]
    full = n // 4
    for v in range(packed.shape[0]):
        for byte in range(full):
            code = packed[v, byte]
            for k in range(4):
                out[v, 4 * byte + k] = _BYTES[code, k]
        for i in range(4 * full, n):
            out[v, i] = _BYTES[packed[v, full], i - 4 * full]


@kernel
def encode_bed(dosage: Single, packed: Bytes) -> int:
    """Encode A1 counts into PLINK 1 codes; `packed` must come zeroed.

    Returns the number of values that are neither 0, 1, 2 nor NaN; nothing sensible stands in their place.
    """
    bad = 0
    for v in range(dosage.shape[0]):
        for i in range(dosage.shape[1]):
            value = dosage[v, i]
            if value == 0.0:
                code = 3
            elif value == 1.0:
                code = 2
            elif value == 2.0:
                code = 0
            else:
                code = 1
                bad += not math.isnan(value)
            packed[v, i >> 2] |= np.uint8(code << (2 * (i & 3)))
    return bad


@kernel
def _tally(row: Single, tally: Whole) -> None:
    """Count zeros, ones, twos and missing values; whole numbers, so that the loop runs on vectors."""
    zero = 0
    one = 0
    two = 0
    missing = 0
    for i in range(row.shape[0]):
        value = row[i]
        zero += value == np.float32(0.0)
        one += value == np.float32(1.0)
        two += value == np.float32(2.0)
        missing += value != value
    tally[0] = zero
    tally[1] = one
    tally[2] = two
    tally[3] = missing


@kernel
def count_alleles(dosage: Single, observed: Whole, alleles: Real, absent: Whole) -> None:
    """Count genotypes and effect alleles.

    Parameters
    ----------
    dosage : ndarray of float32, shape (variants, samples)
    observed : ndarray of int64, shape (variants,)
        Receives the number of samples with a genotype.
    alleles : ndarray of float64, shape (variants,)
        Receives the sum of effect alleles.
    absent : ndarray of int64, shape (samples,)
        Missing genotypes of each sample are added to what stands there.
    """
    n = dosage.shape[1]
    tally = np.zeros(4, dtype=np.int64)
    for v in range(dosage.shape[0]):
        row = dosage[v]
        _tally(row, tally)
        zero, one, two, missing = tally
        observed[v] = n - missing
        alleles[v] = one + 2.0 * two
        if zero + one + two + missing < n:  # fractional dosages
            total = 0.0
            for i in range(n):
                value = float(row[i])
                if not math.isnan(value):
                    total += value
            alleles[v] = total
        if missing > 0:
            for i in range(n):
                absent[i] += math.isnan(row[i])


@kernel
def _count_codes(words: Words, chosen: Words, everybody: int, counts: Whole) -> None:
    """Count two copies, one, none and missing among the chosen samples of one variant."""
    low_bits = np.uint64(0)
    high_bits = np.uint64(0)
    both_bits = np.uint64(0)
    for w in range(words.shape[0]):
        low = words[w] & chosen[w]
        high = (words[w] >> _LOW) & chosen[w]
        low_bits += _bits(low)
        high_bits += _bits(high)
        both_bits += _bits(low & high)
    low_count, high_count, both = np.int64(low_bits), np.int64(high_bits), np.int64(both_bits)
    counts[0] = everybody - low_count - high_count + both
    counts[1] = high_count - both
    counts[2] = both
    counts[3] = low_count - both


@kernel
def _members(chosen: Words) -> int:
    everybody = np.uint64(0)
    for w in range(chosen.shape[0]):
        everybody += _bits(chosen[w])
    return int(everybody)


@kernel
def count_codes(words: Words, chosen: Words, place: Whole, observed: Whole, alleles: Real, absent: Whole) -> None:
    """Count genotypes and effect alleles in the packed codes; the same as :func:`count_alleles`.

    Parameters
    ----------
    words : ndarray of uint64, shape (variants, words)
        PLINK 1 codes of each variant, 32 samples a word, filled up with zeros.
    chosen : ndarray of uint64, shape (words,)
        The lower bit of the code of every sample that is counted.
    place : ndarray of int64, shape (32 × words,)
        Which entry of `absent` belongs to each sample of the file.
    observed : ndarray of int64, shape (variants,)
        Receives the number of samples with a genotype.
    alleles : ndarray of float64, shape (variants,)
        Receives the sum of effect alleles.
    absent : ndarray of int64, shape (samples,)
        Missing genotypes of each counted sample are added to what stands there.
    """
    everybody = _members(chosen)
    counts = np.empty(4, dtype=np.int64)
    for v in range(words.shape[0]):
        _count_codes(words[v], chosen, everybody, counts)
        observed[v] = everybody - counts[3]
        alleles[v] = counts[1] + 2.0 * counts[0]
        if counts[3] > 0:
            for w in range(words.shape[1]):
                lacking = words[v, w] & ~(words[v, w] >> _LOW) & chosen[w]
                while lacking != 0:
                    rest = lacking & (lacking - _LOW)
                    absent[place[32 * w + np.int64(_bits((lacking ^ rest) - _LOW)) // 2]] += 1
                    lacking = rest


@kernel
def centre_codes(
    words: Words,
    codes: Bytes,
    chosen: Words,
    rows: Whole,
    out: npt.NDArray[np.floating],
    wide: npt.NDArray[np.complex128],
    moments: Real,
) -> None:
    """Decode and centre the chosen samples; the same as :func:`centre_dosage` of what :func:`decode_bed` gives.

    Parameters
    ----------
    words : ndarray of uint64, shape (variants, words)
        See :func:`count_codes`.
    codes : ndarray of uint8, shape (variants, 8 × words)
        The same memory.
    chosen : ndarray of uint64, shape (words,)
        See :func:`count_codes`.
    rows : ndarray of int64, shape (n,)
        Index of each wanted sample in the file; none is wanted twice.
    out : ndarray of float, shape (at least variants, n)
        Receives the centred dosages.
    wide : ndarray of complex128, shape (at least variants, n × itemsize / 16)
        The memory of `out`, where `rows` are the samples of the file in their order and a multiple of four; otherwise
        without columns.
    moments : ndarray of float64, shape (at least variants, 4)
        See :func:`centre_dosage`.
    """
    n = rows.shape[0]
    everybody = _members(chosen)
    counts = np.empty(4, dtype=np.int64)
    table = np.empty(1024, dtype=out.dtype)
    copied = table.view(np.complex128)
    pieces = copied.shape[0] // 256  # of a byte: 1 in single, 2 in double precision
    row = np.empty(4 * codes.shape[1], dtype=out.dtype)
    spread = row.view(np.complex128)
    for v in range(words.shape[0]):
        _count_codes(words[v], chosen, everybody, counts)
        two, one, zero, missing = counts
        count = n - missing
        mean = float((one + 2.0 * two) / count) if count > 0 else math.nan
        for byte in range(256):
            for k in range(4):
                centred = float(_BYTES[byte, k]) - mean
                table[4 * byte + k] = centred if centred == centred else 0.0
        if wide.shape[1] > 0:
            _copy_bytes(codes[v], copied, pieces, wide[v])
        else:
            _copy_bytes(codes[v], copied, pieces, spread)
            for i in range(n):
                out[v, i] = row[rows[i]]
        moments[v, 0] = count
        moments[v, 1] = mean
        moments[v, 2] = float(zero * mean**2 + one * (1.0 - mean) ** 2 + two * (2.0 - mean) ** 2) if count else 0.0
        moments[v, 3] = float(one + 4.0 * two)


@kernel
def _copy_bytes(codes: Bytes, copied: npt.NDArray[np.complex128], pieces: int, out: npt.NDArray[np.complex128]) -> None:
    """Write the numbers of each byte."""
    if pieces == 1:
        for byte in range(out.shape[0]):
            out[byte] = copied[codes[byte]]
    else:
        for byte in range(out.shape[0] // 2):
            out[2 * byte] = copied[2 * codes[byte]]
            out[2 * byte + 1] = copied[2 * codes[byte] + 1]


@kernel
def centre_dosage(dosage: Single, rows: Whole, out: npt.NDArray[np.floating], moments: Real) -> None:
    """Gather the chosen samples and centre each variant; missing genotypes become the mean, that is zero.

    Parameters
    ----------
    dosage : ndarray of float32, shape (variants, samples)
    rows : ndarray of int64, shape (n,)
        Columns of `dosage` to take.
    out : ndarray of float, shape (at least variants, n)
        Receives the centred dosages.
    moments : ndarray of float64, shape (at least variants, 4)
        Receives the number observed, the mean (NaN when none is observed), the sum of squares about the mean, and
        the sum of squares about zero.
    """
    n = rows.shape[0]
    whole = n == dosage.shape[1]
    for i in range(n):
        whole = whole and rows[i] == i
    gathered = np.empty(n, dtype=np.float32)
    tally = np.zeros(4, dtype=np.int64)
    for v in range(dosage.shape[0]):
        if not whole:
            for i in range(n):
                gathered[i] = dosage[v, rows[i]]
        row = dosage[v] if whole else gathered
        _tally(row, tally)
        zero, one, two, missing = tally
        count = n - missing
        if zero + one + two + missing == n:
            mean = float((one + 2.0 * two) / count) if count > 0 else math.nan
            about = float(zero * mean**2 + one * (1.0 - mean) ** 2 + two * (2.0 - mean) ** 2) if count else 0.0
            squares = float(one + 4.0 * two)
        else:
            mean, about, squares = _moments(row, count)
        for i in range(n):
            centred = float(row[i]) - mean
            out[v, i] = centred if centred == centred else 0.0
        moments[v, 0] = count
        moments[v, 1] = mean
        moments[v, 2] = about
        moments[v, 3] = squares


@kernel
def _moments(row: Single, count: int) -> tuple[float, float, float]:
    """Mean, sum of squares about it, and sum of squares about zero, of fractional dosages."""
    total = 0.0
    squares = 0.0
    for i in range(row.shape[0]):
        value = float(row[i])
        if not math.isnan(value):
            total += value
            squares += value * value
    mean = total / count
    about = 0.0
    for i in range(row.shape[0]):
        centred = float(row[i]) - mean
        if not math.isnan(centred):
            about += centred * centred
    return mean, about, squares
