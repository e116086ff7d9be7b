"""Genotypes with population structure (Balding–Nichols) and linkage disequilibrium (blocks of decaying correlation)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import ndtri

__all__ = ["Genotypes", "simulate_genotypes"]


@dataclass(frozen=True, eq=False)
class Genotypes:
    """Simulated genotypes.

    ``dosage`` counts the effect allele, float32 of shape (variants, subjects), NaN missing; ``variants`` has the
    columns of a bim file by their GWAS-SSF names and ``block``; ``population`` is 0 or 1 a subject.
    """

    dosage: npt.NDArray[np.float32]
    variants: pl.DataFrame
    population: npt.NDArray[np.int64]


def simulate_genotypes(
    rng: np.random.Generator,
    subjects: int,
    variants: int,
    *,
    chromosomes: int = 10,
    block: int = 20,
    correlation: float = 0.9,
    fst: float = 0.03,
    missing: float = 0.005,
) -> Genotypes:
    """Draw two populations of diploid subjects.

    Parameters
    ----------
    rng : numpy.random.Generator
    subjects, variants : int
    chromosomes : int
        Autosomes the variants are spread over.
    block : int
        Variants a haplotype block; blocks are independent.
    correlation : float
        Correlation of the Gaussian that stands behind neighbouring alleles of a block.
    fst : float
        Differentiation of the two populations.
    missing : float
        Fraction of genotypes without a call.

    Returns
    -------
    Genotypes

    References
    ----------
    Balding & Nichols 1995, Genetica 96:3.
    """
    population = (rng.random(subjects) < 0.4).astype(np.int64)
    ancestral = rng.uniform(0.1, 0.5, variants)
    shape = (1 - fst) / fst
    frequency = rng.beta(ancestral * shape, (1 - ancestral) * shape, size=(2, variants)).clip(0.03, 0.97)
    threshold = ndtri(frequency)[population]  # subject × variant
    dosage = np.zeros((variants, subjects), dtype=np.float32)
    for _ in range(2):
        latent = rng.standard_normal(subjects)
        for j in range(variants):
            fresh = rng.standard_normal(subjects)
            latent = fresh if j % block == 0 else correlation * latent + np.sqrt(1 - correlation**2) * fresh
            dosage[j] += latent < threshold[:, j]
    dosage[rng.random(dosage.shape) < missing] = np.nan
    return Genotypes(dosage, _variants(rng, variants, chromosomes, block), population)


def _variants(rng: np.random.Generator, count: int, chromosomes: int, block: int) -> pl.DataFrame:
    index = np.arange(count)
    chromosome = index * chromosomes // count + 1
    position = 1_000_000 + 5_000 * index + 400_000 * (index // block) + rng.integers(0, 4_000, count)
    pairs = np.array([("A", "G"), ("C", "T"), ("G", "A"), ("T", "C")])[rng.integers(0, 4, count)]
    first = np.searchsorted(chromosome, chromosome)  # positions start anew on each chromosome
    return pl.DataFrame(
        {
            "chromosome": chromosome.astype(str),
            "variant_id": [f"rs{1_000_001 + 7 * i}" for i in index],
            "base_pair_location": position - position[first] + 1_000_000,
            "effect_allele": pairs[:, 0],
            "other_allele": pairs[:, 1],
            "block": index // block,
        }
    )
