"""Population structure: principal components of the genotypes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.linalg import eigh

from radiolocus.errors import FitError
from radiolocus.kernels.genotype import centre_dosage
from radiolocus.model import Array
from radiolocus.read.genotypes import AUTOSOMES, GenotypeSource

__all__ = ["MAX_R2", "MIN_MAF", "WINDOW_BP", "PrincipalComponents", "principal_components", "refuse_few", "thin"]

Whole = npt.NDArray[np.int64]

MIN_MAF = 0.05
MIN_CALL_RATE = 0.95
MAX_R2 = 0.2
WINDOW_BP = 1_000_000
_BLOCK = 1024
_FEWEST = 50


@dataclass(frozen=True, eq=False)
class PrincipalComponents:
    """Axes of genetic variation among some samples.

    Parameters
    ----------
    scores : ndarray, shape (n, k)
        Eigenvectors of unit length, the strongest first; the entry of the largest size is positive.
    eigenvalues : ndarray, shape (k,)
        Of the relationship matrix.
    fraction : ndarray, shape (k,)
        Each eigenvalue over the sum of all.
    variants : ndarray of int64
        Index in the file of the variants used.
    """

    scores: Array
    eigenvalues: Array
    fraction: Array
    variants: Whole


def _standardised(source: GenotypeSource, rows: Whole, chosen: Whole) -> Iterator[tuple[Whole, Array]]:
    """Yield (index, centred dosage over √(2p(1 − p))) of the chosen variants, block by block; missing is the mean."""
    here = np.arange(rows.size, dtype=np.int64)
    for start in range(0, source.variants.height, _BLOCK):
        index = chosen[(chosen >= start) & (chosen < start + _BLOCK)]
        if index.size == 0:
            continue
        dosage = source.read(rows, start, start + _BLOCK).dosage[index - start]
        centred, moments = np.empty(dosage.shape), np.empty((index.size, 4))
        centre_dosage(dosage, here, centred, moments)
        frequency = moments[:, 1] / 2
        yield index, centred / np.sqrt(2 * frequency * (1 - frequency))[:, None]


def thin(
    source: GenotypeSource, rows: Whole, variants: pl.DataFrame, *, max_r2: float = MAX_R2, window: int = WINDOW_BP
) -> Whole:
    """Choose common autosomal variants that are nearly independent of each other.

    Variants with a minor allele frequency of at least 0.05 and a call rate of at least 0.95 are walked through in file
    order. One is taken when its squared correlation with every variant already taken at most `window` base pairs away
    on its chromosome is at most `max_r2`; missing genotypes count as the mean.

    Parameters
    ----------
    source : GenotypeSource
    rows : ndarray of int, shape (n,)
        Samples among which the correlation is taken.
    variants : polars.DataFrame
        Table ``genome/variants`` of these samples.
    max_r2 : float
    window : int
        Base pairs.

    Returns
    -------
    ndarray of int64
        Index in the file of the variants taken.
    """
    minor = pl.min_horizontal("effect_allele_frequency", 1 - pl.col("effect_allele_frequency"))
    common = pl.col("kept") & pl.col("chromosome").is_in(AUTOSOMES) & (minor >= MIN_MAF)
    enough = variants.select(common & (pl.col("call_rate") >= MIN_CALL_RATE)).to_series().fill_null(False)
    chromosome = variants["chromosome"].cast(pl.Categorical).to_physical().to_numpy()
    position = variants["base_pair_location"].to_numpy()
    taken: list[int] = []
    near = _Window(rows.size)
    for index, scaled in _standardised(source, rows, np.flatnonzero(enough.to_numpy()).astype(np.int64)):
        length = np.sqrt((scaled**2).sum(axis=1))
        # every sample heterozygous: common, and yet nothing varies
        varied = length > 1e-9
        unit = (scaled / np.where(varied, length, 1.0)[:, None]).astype(np.float32)
        for i, vector, keep in zip(index, unit, varied, strict=True):
            near.forget(int(chromosome[i]), int(position[i]), window)
            if keep and near.largest_r2(vector) <= max_r2:
                near.add(vector, int(position[i]))
                taken.append(int(i))
    return np.array(taken, dtype=np.int64)


class _Window:
    """Variants taken within reach of the current one: a buffer whose live part moves to the front when it is full."""

    def __init__(self, n: int) -> None:
        self._vectors = np.empty((64, n), dtype=np.float32)
        self._positions: list[int] = []
        self._first = 0
        self._chromosome = -1

    def forget(self, chromosome: int, position: int, window: int) -> None:
        if chromosome != self._chromosome:
            self._positions, self._first, self._chromosome = [], 0, chromosome
        # positions need not be sorted: what is far on either side goes, in the order in which it was taken
        while self._first < len(self._positions) and abs(position - self._positions[self._first]) > window:
            self._first += 1

    def largest_r2(self, vector: npt.NDArray[np.float32]) -> float:
        live = self._vectors[self._first : len(self._positions)]
        return float(np.square(live @ vector).max(initial=0.0))

    def add(self, vector: npt.NDArray[np.float32], position: int) -> None:
        if len(self._positions) == len(self._vectors):
            live = self._vectors[self._first :]
            self._positions = self._positions[self._first :]
            grown = np.empty((max(64, 2 * len(live)), vector.size), dtype=np.float32)
            grown[: len(live)] = live
            self._vectors, self._first = grown, 0
        self._vectors[len(self._positions)] = vector
        self._positions.append(position)


def refuse_few(subjects: int, variants: int, components: int) -> None:
    """Refuse components that so few subjects or variants cannot give.

    Raises
    ------
    FitError
        As many components as subjects, or fewer than 50 variants.
    """
    if components >= subjects or variants < max(_FEWEST, components):
        raise FitError(
            f"{components} principal components of {subjects} subjects from {variants} independent common variants",
            where="genetics",
            allowed=f"fewer components than subjects, and at least {_FEWEST} variants",
            todo="set principal_components lower, or give genotypes of more of the genome",
        )


def principal_components(source: GenotypeSource, rows: Whole, chosen: Whole, components: int) -> PrincipalComponents:
    """Principal components of some samples from the chosen variants.

    Parameters
    ----------
    source : GenotypeSource
    rows : ndarray of int, shape (n,)
        Samples.
    chosen : ndarray of int
        Index in the file of the variants, polymorphic among the samples; see :func:`thin`.
    components : int
        How many.

    Returns
    -------
    PrincipalComponents

    Raises
    ------
    FitError
        Too few variants or samples.

    Notes
    -----
    Exact eigen-decomposition of the n × n relationship matrix ZZᵀ/m of genotypes standardised by √(2p(1 − p)), with
    missing genotypes at the mean (Price et al. 2006, doi:10.1038/ng1847; Yang et al. 2011,
    doi:10.1016/j.ajhg.2010.11.011). The matrix is summed over blocks of variants; memory grows with n².
    """
    n = rows.size
    refuse_few(n, chosen.size, components)
    relationship = np.zeros((n, n))
    for _, scaled in _standardised(source, rows, chosen):
        relationship += scaled.T @ scaled
    relationship /= chosen.size
    values, vectors = eigh(relationship, subset_by_index=[n - components, n - 1])
    values, vectors = values[::-1], vectors[:, ::-1]
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(components)]
    return PrincipalComponents(
        scores=np.ascontiguousarray(vectors * np.sign(largest)),
        eigenvalues=values,
        fraction=values / np.trace(relationship),
        variants=chosen,
    )
