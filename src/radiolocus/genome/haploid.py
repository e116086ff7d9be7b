"""X, Y and MT: who is looked at there, and calls that one copy of a chromosome cannot give.

Coded as in ``plink2 --glm`` with its default ``--xchr-model 2``: on X a man's one copy counts 0 or 2, as if he were
homozygous, so that dosage is compensated for by X inactivation; Y is looked at in men alone; on Y and MT, where nobody
has two copies, the count is 0 or 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.kernels.genotype import count_alleles
from radiolocus.kernels.quality import HARD_CALL
from radiolocus.model import Array
from radiolocus.read.genotypes import AUTOSOMES

__all__ = [
    "ANALYSED", "COPIES", "FEMALE", "HAPLOID", "MALE", "NOBODY", "Looked", "count_looked_at", "kind_of", "looked_at",
    "one_copy", "stretches", "without_mixed",
]  # fmt: skip

Whole = npt.NDArray[np.int64]
Sexes = npt.NDArray[np.int8]
Flags = npt.NDArray[np.bool_]

MALE, FEMALE = 1, 2
#: Chromosomes of which some people have one copy. XY, the pseudo-autosomal part, is as an autosome.
HAPLOID = ("X", "Y", "MT")
ANALYSED = (*AUTOSOMES, "XY", *HAPLOID)
#: Largest count of the effect allele, where it is not 2.
COPIES = {"Y": 1, "MT": 1}
#: Why a chromosome has nobody to look at.
NOBODY = {"X": "no analysed subject has a known sex", "Y": "no analysed subject is known to be male"}


def kind_of(chromosome: str) -> str:
    """X, Y or MT; empty for all others."""
    return chromosome if chromosome in HAPLOID else ""


def looked_at(kind: str, sex: Sexes) -> Whole:
    """Which samples are analysed: all; on X those of known sex; on Y men.

    Parameters
    ----------
    kind : str
        See :func:`kind_of`.
    sex : ndarray of int8, shape (n,)
        1 male, 2 female, 0 unknown.
    """
    if kind == "X":
        return np.flatnonzero(sex > 0).astype(np.int64)
    if kind == "Y":
        return np.flatnonzero(sex == MALE).astype(np.int64)
    return np.arange(sex.size, dtype=np.int64)


def one_copy(kind: str, sex: Sexes) -> Flags:
    """Samples that have one copy of a chromosome; shape (n,)."""
    if kind in ("X", "Y"):
        return np.asarray(sex == MALE)
    return np.full(sex.size, kind == "MT")


def without_mixed(dosage: npt.NDArray[np.float32], single: Flags) -> Whole:
    """Set heterozygous calls of samples with one copy missing, in place.

    Parameters
    ----------
    dosage : ndarray of float32, shape (variants, n)
        0 to 2. A dosage within 0.1 of 1 is such a call, as for ``--set-hh-missing`` of PLINK 2.
    single : ndarray of bool, shape (n,)

    Returns
    -------
    ndarray of int64, shape (variants,)
        How many there were.
    """
    mixed = (np.abs(dosage - np.float32(1)) <= np.float32(HARD_CALL)) & single
    dosage[mixed] = np.nan
    return np.asarray(mixed.sum(axis=1), dtype=np.int64)


def stretches(chromosome: pl.Series, size: int) -> Iterator[tuple[str, int, int]]:
    """Cut the variants of a file into ranges of at most `size` on chromosomes of one kind.

    Yields
    ------
    kind : str
        See :func:`kind_of`.
    start, stop : int
    """
    kinds = pl.select(pl.when(chromosome.is_in(HAPLOID)).then(chromosome).otherwise(pl.lit(""))).to_series()
    runs = kinds.rle().struct.unnest()
    first = 0
    for length, kind in runs.iter_rows():
        for start in range(first, first + length, size):
            yield kind, start, min(start + size, first + length)
        first += length


class Looked(NamedTuple):
    """Genotypes of those who are looked at.

    Parameters
    ----------
    n : int
        Samples.
    dosage : ndarray of float32, shape (variants, n)
    mixed : int
        Heterozygous calls of one copy, which are missing in `dosage`.
    """

    n: int
    dosage: npt.NDArray[np.float32]
    mixed: int


def count_looked_at(
    dosage: npt.NDArray[np.float32], kind: str, sex: Sexes, observed: Whole, alleles: Array, absent: Whole
) -> Looked:
    """Count genotypes and effect alleles of those who are looked at.

    Parameters
    ----------
    dosage : ndarray of float32, shape (variants, n)
        Of chromosomes of one kind.
    kind : str
        See :func:`kind_of`.
    sex : ndarray of int8, shape (n,)
    observed, alleles, absent
        Receive the counts; see :func:`radiolocus.kernels.genotype.count_alleles`. Y adds nothing to `absent`.
    """
    if not kind:
        count_alleles(dosage, observed, alleles, absent)
        return Looked(sex.size, dosage, 0)
    if kind != "Y":
        absent += np.isnan(dosage).sum(axis=0)
    place = looked_at(kind, sex)
    theirs = np.ascontiguousarray(dosage[:, place])
    mixed = without_mixed(theirs, one_copy(kind, sex[place]))
    count_alleles(theirs, observed, alleles, np.zeros(place.size, dtype=np.int64))
    return Looked(place.size, theirs, int(mixed.sum()))
