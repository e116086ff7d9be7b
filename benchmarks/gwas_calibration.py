"""Type I error and power of the models of a scan, on simulated cohorts.

    python benchmarks/gwas_calibration.py

Type I error: families and single people of two populations that differ in allele frequencies and in the mean of the
phenotype. Half of the variance of each phenotype comes from 500 variants of the odd chromosomes; variants of the even
chromosomes have no effect on any, and only these are counted. Power: unrelated people of one population, the variance
from 50 variants anywhere. Each rate stands with its Monte-Carlo error: the spread of the rates of the phenotypes,
which are drawn independently of each other, over the root of their number.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.associate.binary import BinaryOptions
from radiolocus.associate.genomewide import gwas
from radiolocus.associate.gwas import GwasOptions
from radiolocus.associate.mixed import MixedOptions
from radiolocus.genome.qc import GenotypeOptions
from radiolocus.read.plink import PlinkSource, write_plink

LEVELS = (5e-2, 5e-3, 5e-4, 5e-5)
CHROMOSOMES = 20

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cohort:
    """Genotypes (variants × people), who is of which population, and the chromosome of each variant."""

    dosage: npt.NDArray[np.float32]
    population: npt.NDArray[np.int64]
    chromosome: npt.NDArray[np.int64]


def simulate(
    rng: np.random.Generator, families: int, single: int, variants: int, *, fst: float, populations: int
) -> Cohort:
    """Families of two parents' four children (the parents are not in the cohort), and single people."""
    ancestral = rng.uniform(0.1, 0.9, variants)
    shape = (1 - fst) / fst if fst else 0.0
    frequency = (
        rng.beta(ancestral * shape, (1 - ancestral) * shape, (populations, variants)).clip(0.02, 0.98)
        if fst
        else np.tile(ancestral, (populations, 1))
    )
    home = rng.integers(0, populations, families)
    parents = rng.random((2, 2, families, variants)) < frequency[home]  # parent, copy, family, variant
    children = []
    for _ in range(4):
        copy = rng.integers(0, 2, (2, families, variants))
        children.append(np.where(copy == 0, parents[:, 0], parents[:, 1]).sum(axis=0))
    alone = rng.integers(0, populations, single)
    people = (rng.random((2, single, variants)) < frequency[alone]).sum(axis=0)
    dosage = np.concatenate([*children, people]).T.astype(np.float32)
    chromosome = np.arange(variants) * CHROMOSOMES // variants + 1
    return Cohort(dosage, np.concatenate([*[home] * 4, alone]), chromosome)


def phenotypes(
    rng: np.random.Generator, cohort: Cohort, allowed: npt.NDArray[np.int64], causal: int, heritability: float,
    shift: float, count: int,
) -> tuple[Values, list[npt.NDArray[np.int64]]]:  # fmt: skip
    """Draw phenotypes of unit variance within a population, and the variants that each comes from."""
    n = cohort.dosage.shape[1]
    values, where = np.empty((n, count)), []
    for p in range(count):
        chosen = np.sort(rng.choice(allowed, causal, replace=False))
        part = cohort.dosage[chosen]
        part = (part - part.mean(axis=1, keepdims=True)) / part.std(axis=1, keepdims=True).clip(1e-6)
        genetic = rng.normal(size=causal) @ part
        genetic *= np.sqrt(heritability) / genetic.std()
        values[:, p] = genetic + np.sqrt(1 - heritability) * rng.normal(size=n) + shift * cohort.population
        where.append(chosen)
    return values, where


def write(folder: Path, cohort: Cohort) -> tuple[PlinkSource, list[str]]:
    """Write the genotypes as a bed set."""
    m, n = cohort.dosage.shape
    names = [f"s{i}" for i in range(n)]
    table = pl.DataFrame(
        {
            "chromosome": cohort.chromosome.astype(str),
            "variant_id": [f"v{i}" for i in range(m)],
            "base_pair_location": np.arange(m) * 100_000 + 1,
            "effect_allele": ["A"] * m,
            "other_allele": ["C"] * m,
        }
    )
    write_plink(folder / "g", cohort.dosage, table, names)
    return PlinkSource(folder / "g"), names


def tested(
    source: PlinkSource, names: list[str], values: Values, out: Path, components: int, mixed: MixedOptions | None,
    p_value: float, jobs: int,
) -> pl.DataFrame:  # fmt: skip
    """Rows of a scan with p at most `p_value`; of cases and controls where all values are 0 and 1."""
    table = pl.DataFrame({"subject": names} | {f"y{p}": values[:, p] for p in range(values.shape[1])})
    options = GenotypeOptions(scan_dtype="float32", min_maf=0.01, principal_components=components)
    binary = BinaryOptions() if np.isin(values, (0.0, 1.0)).all() else None
    keep = GwasOptions(p_value=p_value)
    gwas(source, table, None, out, options=options, keep=keep, binary=binary, mixed=mixed, jobs=jobs)
    columns = ["phenotype", "variant_id", "chromosome", "neg_log_10_p_value"]
    return pl.read_parquet(out / "sumstats/by_phenotype/part.parquet", columns=columns)


def rates(rows: pl.DataFrame, level: float, phenotype_names: list[str], tests: npt.NDArray[np.int64]) -> Values:
    """Fraction of the tests of each phenotype with p at most `level`."""
    hits = rows.filter(pl.col("neg_log_10_p_value") >= -np.log10(level)).group_by("phenotype").len()
    count = dict(hits.iter_rows())
    return np.array([count.get(name, 0) for name in phenotype_names]) / tests


def models(ridge_block: int) -> dict[str, tuple[int, MixedOptions | None]]:
    """Number of principal components and model, by name."""
    return {
        "linear": (0, None),
        "linear, 10 components": (10, None),
        "lmm": (0, MixedOptions(model="lmm")),
        "lmm, loco": (0, MixedOptions(model="lmm", loco=True)),
        "lmm-exact": (0, MixedOptions(model="lmm-exact")),
        "ridge": (0, MixedOptions(model="ridge", ridge_block=ridge_block)),
        "ridge, 10 components": (10, MixedOptions(model="ridge", ridge_block=ridge_block)),
    }


def type_one(
    seed: int, families: int, single: int, variants: int, count: int, causal: int, jobs: int = 1,
    chosen: Sequence[str] = (), cases: float = 0.0,
) -> dict[str, list[tuple[float, float]]]:  # fmt: skip
    """Type I error of each model (or the chosen ones) at each level, with its Monte-Carlo error.

    With `cases`, that fraction of largest values are cases, the others controls.
    """
    rng = np.random.default_rng(seed)
    cohort = simulate(rng, families, single, variants, fst=0.02, populations=2)
    odd = np.flatnonzero(cohort.chromosome % 2 == 1)
    values, _ = phenotypes(rng, cohort, odd, causal, 0.5, 0.5, count)
    if cases:
        values = (values > np.quantile(values, 1 - cases, axis=0)).astype(np.float64)
    names = [f"y{p}" for p in range(count)]
    even = [str(c) for c in range(2, CHROMOSOMES + 1, 2)]
    found: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        source, subjects = write(Path(name), cohort)
        for label, (components, mixed) in models(max(10, variants // 100)).items():
            if chosen and label not in chosen:
                continue
            rows = tested(source, subjects, values, Path(name) / label, components, mixed, LEVELS[0], jobs)
            places = pl.read_parquet(Path(name) / label / "sumstats/variants.parquet")
            tests = np.full(count, places.filter(pl.col("kept") & pl.col("chromosome").is_in(even)).height)
            rows = rows.filter(pl.col("chromosome").is_in(even))
            by_level = [rates(rows, level, names, tests) for level in LEVELS]
            found[label] = [(float(r.mean()), float(r.std(ddof=1) / np.sqrt(count))) for r in by_level]
    return found


def power(
    seed: int, people: int, variants: int, count: int, causal: int, level: float, jobs: int = 1,
    chosen: Sequence[str] = ("linear", "lmm", "lmm, loco", "lmm-exact", "ridge"),
) -> dict[str, tuple[float, float]]:  # fmt: skip
    """Fraction of the causal variants found at a level by each of the chosen models, with its Monte-Carlo error."""
    rng = np.random.default_rng(seed)
    cohort = simulate(rng, 0, people, variants, fst=0.0, populations=1)
    values, where = phenotypes(rng, cohort, np.arange(variants), causal, 0.7, 0.0, count)
    found = {}
    with tempfile.TemporaryDirectory() as name:
        source, subjects = write(Path(name), cohort)
        for label, (components, mixed) in models(max(10, variants // 100)).items():
            if label not in chosen:
                continue
            rows = tested(source, subjects, values, Path(name) / label, components, mixed, level, jobs)
            planted = pl.concat(
                pl.DataFrame({"phenotype": f"y{p}", "variant_id": [f"v{i}" for i in chosen]})
                for p, chosen in enumerate(where)
            )
            hits = rows.join(planted, on=["phenotype", "variant_id"])
            share = rates(hits, level, [f"y{p}" for p in range(count)], np.full(count, causal))
            found[label] = float(share.mean()), float(share.std(ddof=1) / np.sqrt(count))
    return found


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", type=int, default=300)
    parser.add_argument("--single", type=int, default=800)
    parser.add_argument("--variants", type=int, default=20_000)
    parser.add_argument("--phenotypes", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    print(f"| model | {' | '.join(f'{level:g}' for level in LEVELS)} |\n|---|{'---|' * len(LEVELS)}")
    size = given.families, given.single, given.variants, given.phenotypes
    for label, cells in type_one(1, *size, causal=500, jobs=given.jobs).items():
        print(f"| {label} | " + " | ".join(f"{rate:.2e} ± {error:.1e}" for rate, error in cells) + " |", flush=True)
    print(f"\n| cases and controls | {' | '.join(f'{level:g}' for level in LEVELS)} |\n|---|{'---|' * len(LEVELS)}")
    linear = [label for label in models(10) if label.startswith(("linear", "ridge"))]
    for label, cells in type_one(3, *size, causal=500, jobs=given.jobs, chosen=linear, cases=0.2).items():
        shown = label.replace("linear", "logistic")
        print(f"| {shown} | " + " | ".join(f"{rate:.2e} ± {error:.1e}" for rate, error in cells) + " |", flush=True)
    print("\n| model | power at 5e-8 |\n|---|---|")
    found = power(2, 1500, 2500, given.phenotypes // 4, causal=50, level=5e-8, jobs=given.jobs)
    for label, (share, error) in found.items():
        print(f"| {label} | {share:.3f} ± {error:.3f} |", flush=True)


if __name__ == "__main__":
    main()
