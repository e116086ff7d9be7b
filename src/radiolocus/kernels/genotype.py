"""Loops over genotypes: the 2-bit codes of PLINK 1, allele counts, centring."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel

__all__ = ["centre_dosage", "count_alleles", "decode_bed", "decode_bed_whole", "encode_bed"]

Bytes = npt.NDArray[np.uint8]
Whole = npt.NDArray[np.int64]
Real = npt.NDArray[np.float64]
Single = npt.NDArray[np.float32]

# Two bits a genotype, lowest bits first: 00 two copies of A1, 01 missing, 10 one copy, 11 none.
_CODES = np.array([2.0, np.nan, 1.0, 0.0], dtype=np.float32)
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
    for v in range(dosage.shape[0]):
        count = 0
        total = 0.0
        for i in range(dosage.shape[1]):
            value = float(dosage[v, i])
            if math.isnan(value):
                absent[i] += 1
            else:
                count += 1
                total += value
        observed[v] = count
        alleles[v] = total


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
    for v in range(dosage.shape[0]):
        count = 0
        total = 0.0
        squares = 0.0
        for i in range(n):
            value = float(dosage[v, rows[i]])
            if not math.isnan(value):
                count += 1
                total += value
                squares += value * value
        mean = total / count if count > 0 else math.nan
        about = 0.0
        for i in range(n):
            value = float(dosage[v, rows[i]])
            if math.isnan(value):
                out[v, i] = 0.0
            else:
                centred = value - mean
                out[v, i] = centred
                about += centred * centred
        moments[v, 0] = count
        moments[v, 1] = mean
        moments[v, 2] = about
        moments[v, 3] = squares
