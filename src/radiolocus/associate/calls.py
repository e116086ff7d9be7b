"""Genotypes of some variants as a scan takes them: dosages, or the codes of PLINK 1 as they lie in the file.

Codes are counted in place and decoded straight into the centred tile, so that they never become a table of dosages.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.genotype import centre_codes, centre_dosage, count_alleles, count_codes, decode_bed
from radiolocus.model import Array
from radiolocus.read.plink import PlinkSource

__all__ = ["Calls", "CodeReader", "CodedCalls", "DosageCalls", "calls_of"]

Whole = npt.NDArray[np.int64]
Floating = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class DosageCalls:
    """Dosages, NaN where missing.

    Parameters
    ----------
    dosage : ndarray of float32, shape (variants, n)
    """

    dosage: npt.NDArray[np.float32]

    @property
    def height(self) -> int:
        """Number of variants."""
        return len(self.dosage)

    def part(self, chosen: Whole | slice) -> DosageCalls:
        """Some variants."""
        return DosageCalls(self.dosage[chosen])

    def count(self, observed: Whole, alleles: Array, absent: Whole) -> None:
        """Count genotypes; see :func:`radiolocus.kernels.genotype.count_alleles`."""
        count_alleles(self.dosage, observed, alleles, absent)

    def centre(self, out: Floating, moments: Array) -> None:
        """Write the centred genotypes; see :func:`radiolocus.kernels.genotype.centre_dosage`."""
        centre_dosage(self.dosage, np.arange(self.dosage.shape[1], dtype=np.int64), out, moments)


class CodeReader:
    """Reads the codes of some samples of a PLINK 1 file.

    Parameters
    ----------
    source : PlinkSource
    rows : ndarray of int64, shape (n,)
        Index of each wanted sample in the file; none is wanted twice.
    """

    def __init__(self, source: PlinkSource, rows: Whole) -> None:
        self._source = source
        self.rows = np.ascontiguousarray(rows, dtype=np.int64)
        room = 8 * -(-source.stride // 8)
        bits = np.zeros((room, 4), dtype=np.uint8)
        bits.ravel()[self.rows] = 1
        self.chosen = (bits << np.arange(0, 8, 2, dtype=np.uint8)).sum(axis=1, dtype=np.uint8).view(np.uint64)
        self.place = np.zeros(4 * room, dtype=np.int64)
        self.place[self.rows] = np.arange(self.rows.size)
        samples = source.samples.height
        #: Whether these are all samples in their order, a multiple of four: bytes are decoded in place.
        self.whole = samples % 4 == 0 and np.array_equal(self.rows, np.arange(samples))

    def read(self, start: int, stop: int) -> CodedCalls:
        """Read variants `start` to `stop` (excluded)."""
        packed = self._source.packed(start, stop)
        codes = np.zeros((packed.shape[0], 8 * self.chosen.size), dtype=np.uint8)
        codes[:, : packed.shape[1]] = packed
        return CodedCalls(self, codes)


@dataclass(frozen=True, eq=False)
class CodedCalls:
    """Codes of PLINK 1.

    Parameters
    ----------
    reader : CodeReader
    codes : ndarray of uint8, shape (variants, a multiple of 8)
    """

    reader: CodeReader
    codes: npt.NDArray[np.uint8]

    @property
    def height(self) -> int:
        """Number of variants."""
        return len(self.codes)

    @cached_property
    def dosage(self) -> npt.NDArray[np.float32]:
        """Dosages of the wanted samples, NaN where missing; decoded when asked for."""
        out = np.empty((self.height, self.reader.rows.size), dtype=np.float32)
        decode_bed(self.codes, self.reader.rows, out)
        return out

    def part(self, chosen: Whole | slice) -> CodedCalls:
        """Some variants."""
        return CodedCalls(self.reader, self.codes[chosen])

    def count(self, observed: Whole, alleles: Array, absent: Whole) -> None:
        """Count genotypes; see :func:`radiolocus.kernels.genotype.count_alleles`."""
        count_codes(self.codes.view(np.uint64), self.reader.chosen, self.reader.place, observed, alleles, absent)

    def centre(self, out: Floating, moments: Array) -> None:
        """Write the centred genotypes; see :func:`radiolocus.kernels.genotype.centre_dosage`."""
        wide = out.view(np.complex128) if self.reader.whole else np.empty((0, 0), dtype=np.complex128)
        words = self.codes.view(np.uint64)
        centre_codes(words, self.codes, self.reader.chosen, self.reader.rows, out, wide, moments)


Calls = DosageCalls | CodedCalls


def calls_of(genotypes: npt.NDArray[np.float32] | Calls) -> Calls:
    """Take a table of dosages for calls."""
    return DosageCalls(genotypes) if isinstance(genotypes, np.ndarray) else genotypes
