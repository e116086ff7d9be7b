"""Variants that are nearly independent: pruning by linkage disequilibrium, as ``--indep-pairwise`` of PLINK 2."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import ConfigError, TableError
from radiolocus.kernels.packed import prune_window
from radiolocus.kernels.planes import count_by_variant
from radiolocus.model import Array
from radiolocus.read.genotypes import AUTOSOMES, GenotypeSource

__all__ = ["PruneOptions", "prune", "refuse_unsorted"]

Whole = npt.NDArray[np.int64]

_BLOCK = 1024


@dataclass(frozen=True)
class PruneOptions:
    """Windows and limit of pruning.

    Parameters
    ----------
    window : int
        Variants in a window, or kilobases when `kilobases`.
    step : int
        Variants by which the window moves on; 1 when `kilobases`.
    max_r2 : float
        Largest squared correlation of two variants of one window.
    kilobases : bool
    """

    window: int = 1000
    step: int = 1
    max_r2: float = 0.1
    kilobases: bool = True

    def __post_init__(self) -> None:
        where = "LD pruning"
        if self.window < (1 if self.kilobases else 2):
            raise ConfigError(f"window = {self.window}", where=where, allowed="at least 2 variants, or 1 kilobase")
        if self.step < 1 or (self.kilobases and self.step != 1):
            raise ConfigError(f"step = {self.step}", where=where, allowed="1 or more; 1 for a window in kilobases")
        if not 0 <= self.max_r2 < 1:
            raise ConfigError(f"max_r2 = {self.max_r2}", where=where, allowed="0 or more, below 1")


def prune(source: GenotypeSource, rows: Whole, chosen: Whole, frequency: Array, options: PruneOptions) -> Whole:
    """Choose variants of which no two in a window are correlated beyond the limit.

    Parameters
    ----------
    source : GenotypeSource
    rows : ndarray of int, shape (n,)
        Samples among which the correlation is taken.
    chosen : ndarray of int64
        Index in the file of the variants to start from, ascending; those off the autosomes are left out.
    frequency : ndarray, shape (variants of the file,)
        Frequency of the effect allele: of two correlated variants the rarer goes.
    options : PruneOptions

    Returns
    -------
    ndarray of int64
        Index in the file of the variants that remain.

    Raises
    ------
    TableError
        Variants of one chromosome are not in the order of their positions.

    Notes
    -----
    Squared correlation of hard calls, over the samples called at both variants; variants at which all calls are the
    same are left out. The windows, and the order in which
    pairs are compared, are those of ``plink2 --indep-pairwise`` (v2.00a3.5), and so is the result.
    """
    variants = source.variants
    place = variants["chromosome"].gather(chosen)
    kept: list[Whole] = []
    position = variants["base_pair_location"].to_numpy()
    for name in AUTOSOMES:
        here = chosen[(place == name).to_numpy()]
        if here.size:
            refuse_unsorted(variants, here, name)
            kept.append(_prune_chromosome(source, rows, here, position[here], frequency, options))
    return np.sort(np.concatenate(kept)) if kept else np.empty(0, dtype=np.int64)


def refuse_unsorted(variants: pl.DataFrame, here: Whole, name: str) -> None:
    """Refuse variants `here` (numbers in the file) of chromosome `name` whose positions go back."""
    position = variants["base_pair_location"].to_numpy()
    back = np.flatnonzero(np.diff(position[here]) < 0)
    if back.size:
        first, second = here[back[0]], here[back[0] + 1]
        raise TableError(
            f"{variants['variant_id'][int(second)]} at {position[second]} stands after "
            f"{variants['variant_id'][int(first)]} at {position[first]}",
            where=f"chromosome {name}",
            allowed="variants in the order of their positions",
            todo="sort the file: plink2 --make-pgen --sort-vars",
        )


def _windows(position: Whole, options: PruneOptions) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of each window that holds something new."""
    count, seen = position.size, 0
    if options.kilobases:
        stops = np.searchsorted(position, position + 1000 * options.window, side="right")
        for start, stop in enumerate(stops):
            if stop > seen:
                seen = int(stop)
                yield start, seen
        return
    for start in range(0, count, options.step):
        yield start, min(start + options.window, count)
        if start + options.window >= count:
            return


def _prune_chromosome(
    source: GenotypeSource, rows: Whole, here: Whole, position: Whole, frequency: Array, options: PruneOptions
) -> Whole:
    ring = _Ring(source, rows, here)
    minor = np.minimum(frequency[here], 1 - frequency[here])
    for start, stop in _windows(position, options):
        ring.reach(start, stop)
        live = slice(start - ring.first, stop - ring.first)
        prune_window(
            ring.one[live],
            ring.two[live],
            minor[start:stop],
            options.max_r2,
            ring.unchecked[start:stop],
            start,
            ring.removed[start:stop],
        )
    return here[~ring.removed]


class _Ring:
    """Bits of the variants from `first` on, read as the window moves; what lies behind it is dropped."""

    def __init__(self, source: GenotypeSource, rows: Whole, here: Whole) -> None:
        self._source, self._rows, self._here = source, rows, here
        self.first = self._read = 0
        self.one = np.zeros((0, (rows.size + 63) // 64), dtype=np.uint64)
        self.two = self.one.copy()
        self._everybody = np.full(self.one.shape[1], np.uint64(2**64 - 1))
        self.unchecked = np.zeros(here.size, dtype=np.int64)
        self.removed = np.zeros(here.size, dtype=np.bool_)

    def reach(self, start: int, stop: int) -> None:
        while self._read < stop:
            wanted = self._here[self._read : self._read + _BLOCK]
            # as far as the chosen variants lie within one block of the file
            wanted = wanted[wanted < wanted[0] + _BLOCK]
            found = self._source.calls(self._rows, int(wanted[0]), int(wanted[-1]) + 1)
            one, two = (plane[wanted - wanted[0]] for plane in found)
            counts = np.empty((wanted.size, 3), dtype=np.int64)
            count_by_variant(one, two, self._everybody, counts)
            # what does not vary says nothing of anybody's ancestry
            self.removed[self._read : self._read + wanted.size] = (counts > 0).sum(axis=1) < 2
            self.one = np.concatenate([self.one[start - self.first :], one])
            self.two = np.concatenate([self.two[start - self.first :], two])
            self.first = start
            self._read += wanted.size
