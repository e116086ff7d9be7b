"""Counts of genotypes by variant and by sample: in packed bits where a file has hard calls alone, else in dosages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.genome.haploid import HAPLOID, one_copy
from radiolocus.kernels.planes import add_by_sample, count_by_variant
from radiolocus.kernels.quality import count_miscalled, hard_calls, tally_genotypes
from radiolocus.model import Array
from radiolocus.read.genotypes import GenotypeSource, packed_planes

__all__ = ["SampleCounts", "VariantCounts", "count_samples", "count_variants"]

Whole = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Sexes = npt.NDArray[np.int8]
Flags = npt.NDArray[np.bool_]

_BLOCK = 1024


@dataclass(frozen=True, eq=False)
class VariantCounts:
    """What is counted of every variant of a file.

    Parameters
    ----------
    counts : ndarray of int64, shape (variants, 3, 5)
    sums : ndarray of float64, shape (variants, 3, 2)
        See :func:`radiolocus.kernels.quality.tally_genotypes`; of chromosomes of which everybody has equally many
        copies, what belongs to all sexes may stand at the first.
    miscalled : ndarray of int64, shape (variants,)
        Heterozygous calls of samples with one copy.
    """

    counts: Whole
    sums: Array
    miscalled: Whole


def count_variants(source: GenotypeSource, rows: Whole, sex: Sexes) -> VariantCounts:
    """Count the genotypes of every variant among some samples.

    Parameters
    ----------
    source : GenotypeSource
    rows : ndarray of int, shape (n,)
    sex : ndarray of int8, shape (n,)
        Of these samples: 1 male, 2 female, 0 unknown.
    """
    total = source.variants.height
    found = VariantCounts(
        np.zeros((total, 3, 5), dtype=np.int64), np.zeros((total, 3, 2)), np.zeros(total, dtype=np.int64)
    )
    place = source.variants["chromosome"].to_numpy()
    for first in range(0, total, _BLOCK):
        last = min(first + _BLOCK, total)
        at = {kind: np.flatnonzero(place[first:last] == kind) for kind in HAPLOID}
        if source.hard:
            _count_calls(source, rows, sex, slice(first, last), at, found)
        else:
            _count_dosages(source, rows, sex, slice(first, last), at, found)
    return found


def _count_calls(
    source: GenotypeSource, rows: Whole, sex: Sexes, here: slice, at: Mapping[str, Whole], found: VariantCounts
) -> None:
    one, two = source.calls(rows, here.start, here.stop)
    counts = found.counts[here]
    counts[:, 0, :3] = _counted(one, two, np.ones(rows.size, dtype=np.bool_))
    for kind, chosen in at.items():
        if chosen.size == 0:
            continue
        planes = one[chosen], two[chosen]
        found.miscalled[here.start + chosen] = _counted(*planes, one_copy(kind, sex))[:, 1]
        for who in range(3):
            counts[chosen, who, :3] = _counted(*planes, sex == who)
    counts[:, :, 3] = counts[:, :, :3].sum(axis=2)
    found.sums[here, :, 0] = counts[:, :, 1] + 2 * counts[:, :, 2]
    found.sums[here, :, 1] = counts[:, :, 1] + 4 * counts[:, :, 2]


def _counted(one: Words, two: Words, among: Flags) -> Whole:
    out = np.empty((one.shape[0], 3), dtype=np.int64)
    count_by_variant(np.ascontiguousarray(one), np.ascontiguousarray(two), _mask(among), out)
    return out


def _mask(among: Flags) -> Words:
    """Flags as bits of words."""
    room = np.zeros((among.size + 63) // 64 * 8, dtype=np.uint8)
    bits = np.packbits(among, bitorder="little")
    room[: bits.size] = bits
    return room.view("<u8")


def _count_dosages(
    source: GenotypeSource, rows: Whole, sex: Sexes, here: slice, at: Mapping[str, Whole], found: VariantCounts
) -> None:
    dosage = np.ascontiguousarray(source.read(rows, here.start, here.stop).dosage)
    calls = np.empty(dosage.shape, dtype=np.int8)
    hard_calls(dosage, calls)
    for kind, chosen in at.items():
        single = one_copy(kind, sex)
        if chosen.size and single.any():
            wrong = np.empty(chosen.size, dtype=np.int64)
            count_miscalled(calls[chosen], single, wrong)
            found.miscalled[here.start + chosen] = wrong
    tally_genotypes(dosage, calls, sex, found.counts[here], found.sums[here])


@dataclass(frozen=True, eq=False)
class SampleCounts:
    """What is counted of every sample.

    Parameters
    ----------
    missing : ndarray of int64, shape (classes, n)
        Variants of each class without a genotype.
    homozygous, called : ndarray of int64, shape (classes, n)
        Calls at the variants of each class that have a weight.
    hoped : ndarray of float64, shape (classes, n)
        Weights of these calls.
    """

    missing: Whole
    homozygous: Whole
    called: Whole
    hoped: Array


def count_samples(source: GenotypeSource, rows: Whole, classes: Whole, number: int, weight: Array) -> SampleCounts:
    """Count missing and homozygous genotypes of every sample.

    Parameters
    ----------
    source : GenotypeSource
    rows : ndarray of int, shape (n,)
    classes : ndarray of int64, shape (variants of the file,)
        Class of each variant, 0 to `number` − 1; negative where it is not looked at.
    number : int
        How many classes there are.
    weight : ndarray, shape (variants of the file,)
        NaN where homozygosity says nothing.
    """
    shape = (number, rows.size)
    found = SampleCounts(
        np.zeros(shape, dtype=np.int64),
        np.zeros(shape, dtype=np.int64),
        np.zeros(shape, dtype=np.int64),
        np.zeros(shape),
    )
    for start in range(0, source.variants.height, _BLOCK):
        here = classes[start : start + _BLOCK]
        if (here < 0).all():
            continue
        if source.hard:
            planes = source.calls(rows, start, start + _BLOCK)
            for kind in np.unique(here[here >= 0]):
                _add_calls(planes, here == kind, weight[start : start + _BLOCK], int(kind), found)
        else:
            dosage = np.ascontiguousarray(source.read(rows, start, start + _BLOCK).dosage)
            for kind in np.unique(here[here >= 0]):
                _add_dosages(dosage, here == kind, weight[start : start + _BLOCK], int(kind), found)
    return found


def _add_calls(planes: tuple[Words, Words], chosen: Flags, weight: Array, kind: int, found: SampleCounts) -> None:
    """The calls that a sample has are all of them without those it lacks, of which there are few."""
    n = found.missing.shape[1]
    for weighted in (True, False):
        which = np.flatnonzero(chosen & (np.isnan(weight) != weighted))
        if which.size == 0:
            continue
        mass = weight[which] if weighted else np.zeros(which.size)
        heterozygous, missing, lost = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64), np.zeros(n)
        add_by_sample(planes[0][which], planes[1][which], mass, heterozygous, missing, lost)
        found.missing[kind] += missing
        if weighted:
            found.called[kind] += which.size - missing
            found.homozygous[kind] += which.size - missing - heterozygous
            found.hoped[kind] += mass.sum() - lost


def _add_dosages(dosage: npt.NDArray[np.float32], chosen: Flags, weight: Array, kind: int, found: SampleCounts) -> None:
    part = dosage[chosen]
    calls = np.empty(part.shape, dtype=np.int8)
    hard_calls(part, calls)
    missing = found.missing[kind] + np.isnan(part).sum(axis=0)
    _add_calls(packed_planes(calls), np.ones(len(part), dtype=np.bool_), weight[chosen], kind, found)
    found.missing[kind] = missing  # a dosage far from a call is no missing genotype
