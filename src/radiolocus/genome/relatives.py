"""Who is related to whom: the KING-robust kinship coefficient of every pair, and the largest unrelated set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.compute import run_units
from radiolocus.errors import FitError
from radiolocus.genome.recall import Frames, Recall, anew
from radiolocus.kernels.packed import count_both_called, king_counts
from radiolocus.kernels.planes import turn_planes
from radiolocus.model import Array
from radiolocus.read.genotypes import AUTOSOMES, GenotypeSource
from radiolocus.schema import conform

__all__ = ["DEGREES", "DUPLICATE", "Packed", "degree", "kinship", "pack_samples", "related_pairs", "unrelated"]

Whole = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

# Manichaikul et al. 2010 (doi:10.1093/bioinformatics/btq559), table 1: limits half-way between degrees on a log scale.
DUPLICATE = 2**-1.5
DEGREES = (
    (DUPLICATE, "duplicate or identical twin"),
    (2**-2.5, "first degree"),
    (2**-3.5, "second degree"),
    (2**-4.5, "third degree"),
)
_TILE = 64
# Samples of a step that is kept.
_STEP = 1024
_COUNTS = ("both_heterozygous", "opposite_homozygotes", "heterozygous_1", "heterozygous_2")
_BLOCK = 1024


@dataclass(frozen=True, eq=False)
class Packed:
    """Hard calls of some samples as bits; see :mod:`radiolocus.kernels.packed`.

    Parameters
    ----------
    one, two : ndarray of uint64, shape (samples, words)
        Planes by sample: 16 bytes a sample and 64 variants.
    variants : int
        Number of variants.
    """

    one: Words
    two: Words
    variants: int


def pack_samples(source: GenotypeSource, rows: Whole, chosen: Whole) -> Packed:
    """Read the chosen autosomal variants of some samples as bits.

    Parameters
    ----------
    source : GenotypeSource
    rows : ndarray of int, shape (n,)
    chosen : ndarray of int64
        Index in the file, ascending; variants off the autosomes are left out.

    Raises
    ------
    FitError
        No autosomal variant.
    """
    autosomal = source.variants["chromosome"].is_in(AUTOSOMES).to_numpy()
    chosen = chosen[autosomal[chosen]]
    if chosen.size == 0:
        raise FitError(
            "no autosomal variant",
            where="kinship",
            allowed="variants of chromosomes 1 to 22",
            todo="look at the names of the chromosomes, or lower min_maf and min_call_rate",
        )
    one, two = (np.empty((rows.size, (chosen.size + 63) // 64), dtype=np.uint64) for _ in range(2))
    # whole words of 64 variants are turned at a time; what is left waits for the next block
    waiting = [np.empty((0, (rows.size + 63) // 64), dtype=np.uint64) for _ in range(2)]
    word = 0
    for start in range(0, source.variants.height, _BLOCK):
        index = chosen[(chosen >= start) & (chosen < start + _BLOCK)]
        if index.size == 0:
            continue
        read = source.calls(rows, start, start + _BLOCK)
        waiting = [np.concatenate([left, plane[index - start]]) for left, plane in zip(waiting, read, strict=True)]
        whole = waiting[0].shape[0] // 64 * 64
        for left, plane in zip(waiting, (one, two), strict=True):
            turn_planes(left[:whole], word, plane)
        waiting, word = [left[whole:] for left in waiting], word + whole // 64
    for left, plane in zip(waiting, (one, two), strict=True):
        turn_planes(left, word, plane)
    return Packed(one, two, chosen.size)


def kinship(counts: Whole) -> Array:
    """KING-robust kinship coefficient, between-family estimator.

    Parameters
    ----------
    counts : ndarray of int64, shape (..., 4)
        See :func:`radiolocus.kernels.packed.king_counts`.

    Returns
    -------
    ndarray, shape (...)
        ½ − (4·IBS0 + Het/Hom + Hom/Het) / (4·min(Het₁, Het₂)), each over the variants called in both (Manichaikul et
        al. 2010, doi:10.1093/bioinformatics/btq559, equation 11); NaN where one has no heterozygous call.
    """
    both, apart, here, there = (counts[..., k] for k in range(4))
    fewer = both + np.minimum(here, there)
    with np.errstate(divide="ignore", invalid="ignore"):
        value: Array = 0.5 - (4 * apart + here + there) / (4 * fewer)
    return np.where(fewer > 0, value, np.nan)


def degree(coefficient: float) -> str:
    """Name a kinship coefficient; empty below the limit of the third degree."""
    return next((name for limit, name in DEGREES if coefficient > limit), "")


def _row_of_tiles(packed: Packed, least: float, start: int) -> tuple[Array, Array]:
    left = np.arange(start, min(start + _TILE, packed.one.shape[0]), dtype=np.int64)
    pairs, counted = [], []
    for first in range(start, packed.one.shape[0], _TILE):
        right = np.arange(first, min(first + _TILE, packed.one.shape[0]), dtype=np.int64)
        counts = np.empty((left.size, right.size, 4), dtype=np.int64)
        king_counts(packed.one, packed.two, left, right, counts)
        a, b = np.nonzero((kinship(counts) >= least) & (left[:, None] < right))
        pairs.append(np.column_stack([left[a], right[b]]))
        counted.append(counts[a, b])
    return np.concatenate(pairs), np.concatenate(counted)


def _pairs_from(packed: Packed, first: int, least: float, jobs: int) -> pl.DataFrame:
    """Pairs of which one is among `_STEP` samples and the other behind it."""
    starts = list(range(first, min(first + _STEP, packed.one.shape[0]), _TILE))
    found: dict[int, tuple[Array, Array]] = {}
    for index, outcome in run_units(partial(_row_of_tiles, packed, least), starts, jobs=jobs, threads=True):
        if isinstance(outcome, Exception):
            raise outcome
        found[index] = outcome
    pairs = np.ascontiguousarray(np.concatenate([found[i][0] for i in range(len(starts))]), dtype=np.int64)
    counts = np.concatenate([found[i][1] for i in range(len(starts))])
    called = np.empty(len(pairs), dtype=np.int64)
    count_both_called(packed.one, packed.two, pairs, called)
    columns = {"row_1": pairs[:, 0], "row_2": pairs[:, 1], "n_variants": called}
    return pl.DataFrame(columns | {name: counts[:, k] for k, name in enumerate(_COUNTS)})


def _pairs_of_step(bits: Callable[[], Packed], first: int, least: float, jobs: int) -> Frames:
    return {"pairs": _pairs_from(bits(), first, least, jobs)}


def related_pairs(
    packed: Packed | Callable[[], Packed],
    samples: tuple[str, ...],
    *,
    least: float = DEGREES[-1][0],
    jobs: int = 1,
    recall: Recall = anew,
) -> pl.DataFrame:
    """Find the pairs of samples with a kinship coefficient of at least `least`.

    Parameters
    ----------
    packed : Packed or callable
        What gives it is called only where pairs are left to compare.
    samples : tuple of str
        Ids, in the order of `packed`.
    least : float
        Default: the third degree, 2^-4.5.
    jobs : int
        Threads; the result does not depend on it.
    recall : callable
        Keeps the pairs that were found, 1,024 samples against those behind them at a time.

    Returns
    -------
    polars.DataFrame
        Table ``genome/relatives``, pairs in the order of the samples.
    """
    bits = cache(lambda: packed if isinstance(packed, Packed) else packed())
    frames = []
    for first in range(0, len(samples), _STEP):
        step = partial(_pairs_of_step, bits, first, least, jobs)
        frames.append(recall(f"kinship from sample {first + 1}", step)["pairs"])
    table = pl.concat(frames)
    pairs = table.select("row_1", "row_2").to_numpy()
    counts = table.select(_COUNTS).to_numpy()
    coefficient = kinship(counts)
    names = np.array(samples, dtype=object)
    frame = pl.DataFrame(
        {
            "sample_1": pl.Series(names[pairs[:, 0]].tolist(), dtype=pl.String),
            "sample_2": pl.Series(names[pairs[:, 1]].tolist(), dtype=pl.String),
            "n_variants": table["n_variants"],
            "both_heterozygous": table["both_heterozygous"],
            "opposite_homozygotes": table["opposite_homozygotes"],
            "kinship": coefficient,
            "relation": pl.Series([degree(x) for x in coefficient], dtype=pl.String),
            "row_1": pairs[:, 0],
            "row_2": pairs[:, 1],
        }
    ).sort("row_1", "row_2")
    return conform(frame.drop("row_1", "row_2"), "genome/relatives")


def unrelated(samples: tuple[str, ...], pairs: pl.DataFrame, *, limit: float = DEGREES[2][0]) -> npt.NDArray[np.bool_]:
    """Choose samples of which no two are related beyond `limit`: who has most relatives goes first.

    Parameters
    ----------
    samples : tuple of str
    pairs : polars.DataFrame
        Table ``genome/relatives``.
    limit : float
        Default: the second degree, 2^-3.5.

    Returns
    -------
    ndarray of bool, shape (samples,)
        True for those that stay. Of samples with equally many relatives the later one in the file goes.
    """
    number = {name: i for i, name in enumerate(samples)}
    near: dict[int, set[int]] = {}
    for a, b in pairs.filter(pl.col("kinship") > limit).select("sample_1", "sample_2").iter_rows():
        near.setdefault(number[a], set()).add(number[b])
        near.setdefault(number[b], set()).add(number[a])
    stays = np.ones(len(samples), dtype=np.bool_)
    while near:
        worst = max(near, key=lambda i: (len(near[i]), i))
        stays[worst] = False
        for other in near.pop(worst):
            near[other].discard(worst)
            if not near[other]:
                del near[other]
    return stays
