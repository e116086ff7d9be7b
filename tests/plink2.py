"""Runs PLINK 2, and reads what it writes; made-up data with linkage, relatives and sex chromosomes."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import polars as pl
import pytest

from radiolocus.read.plink import PlinkSource, write_plink

needs_plink2 = pytest.mark.skipif(
    shutil.which("plink2") is None, reason="plink2 is not installed (Debian package plink2)"
)


def plink2(prefix, out, *arguments):
    """Run plink2 on a bed set; its files begin with `out`."""
    command = ["plink2", "--bfile", prefix, *arguments, "--threads", "1", "--out", out]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    return lambda ending: pl.read_csv(
        f"{out}.{ending}",
        separator="\t",
        infer_schema_length=None,
        null_values=["nan", "NA"],
        schema_overrides={"#CHROM": pl.String, "ID": pl.String, "IID": pl.String, "IID1": pl.String, "IID2": pl.String},
    )


def linked(folder, *, samples=150, variants=1200, chromosomes=3, missing=0.01, seed=0):
    """Haplotypes that change little from variant to variant; the last samples are children and a copy of the first."""
    rng = np.random.default_rng(seed)
    haplotypes = np.empty((variants, samples, 2), dtype=np.int8)
    for v in range(variants):
        fresh = rng.random((samples, 2)) < rng.uniform(0.03, 0.6)
        keep = rng.random((samples, 2)) < rng.uniform(0.4, 0.99) if v % 40 else np.zeros((samples, 2), dtype=bool)
        haplotypes[v] = np.where(keep, haplotypes[v - 1], fresh)
    place = np.arange(variants) * chromosomes // variants
    for child, (mother, father) in ((samples - 1, (0, 1)), (samples - 2, (0, 1)), (samples - 3, (2, 3))):
        for side, parent in ((0, mother), (1, father)):
            strand = rng.integers(0, 2, chromosomes * 50)[
                place * 50 + np.arange(variants) * chromosomes * 50 // variants % 50
            ]
            haplotypes[:, child, side] = haplotypes[np.arange(variants), parent, strand]
    haplotypes[:, samples - 4] = haplotypes[:, 4]
    dosage = haplotypes.sum(axis=2).astype(float)
    dosage[rng.random(dosage.shape) < missing] = np.nan
    table = pl.DataFrame(
        {
            "chromosome": (place + 1).astype(str),
            "variant_id": [f"v{i}" for i in range(variants)],
            "base_pair_location": np.cumsum(rng.integers(1, 2000, variants)),
            "effect_allele": ["A"] * variants,
            "other_allele": ["C"] * variants,
        }
    )
    people = pl.DataFrame(
        {"individual_id": [f"s{i}" for i in range(samples)], "sex": [str(1 + i % 2) for i in range(samples)]}
    )
    write_plink(folder / "linked", dosage, table, people)
    return PlinkSource(folder / "linked")


def sexed(folder, *, samples=120, wrong=0.02, missing=0.03, seed=1, counts=(30, 40, 20, 20, 10)):
    """Chromosomes 1, X, Y, XY and MT of men, women and people of unknown sex, with calls that cannot be."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(["1", "23", "24", "25", "26"], counts)
    sex = rng.choice([0, 1, 2], samples, p=[0.1, 0.45, 0.45])
    p = rng.uniform(0.1, 0.9, (codes.size, 1))
    dosage = rng.binomial(2, p, (codes.size, samples)).astype(float)
    single = 2.0 * rng.binomial(1, p, dosage.shape)
    for code, who in (("23", sex == 1), ("24", sex >= 0), ("26", sex >= 0)):
        at = np.ix_(codes == code, who)
        dosage[at] = single[at]
    dosage[(rng.random(dosage.shape) < wrong) & (codes != "1")[:, None]] = 1
    dosage[rng.random(dosage.shape) < missing] = np.nan
    table = pl.DataFrame(
        {
            "chromosome": codes,
            "variant_id": [f"v{i}" for i in range(codes.size)],
            "base_pair_location": 3_000_000 + 100 * np.arange(codes.size),
            "effect_allele": ["A"] * codes.size,
            "other_allele": ["C"] * codes.size,
        }
    )
    people = pl.DataFrame({"individual_id": [f"s{i}" for i in range(samples)], "sex": sex.astype(str)})
    write_plink(folder / "sexed", dosage, table, people)
    return PlinkSource(folder / "sexed")
