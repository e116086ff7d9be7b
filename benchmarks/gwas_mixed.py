"""Mixed models beside GEMMA: same files, one run, whole processes, CPU seconds.

    python benchmarks/gwas_mixed.py --samples 5000 --variants 50000 --phenotypes 10 --gemma-variants 500

GEMMA is given the relationship matrix of all variants (``-gk 1``, timed once: it serves all phenotypes) and then tests
the first `--gemma-variants` with one phenotype. Its printed times of the parts (the eigendecomposition, which it makes
anew for every phenotype, and the tests, which are proportional to the number of variants) are scaled up to all variants
and phenotypes. CPU seconds are of a process and its children.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from radiolocus.kernels.genotype import encode_bed

COVARIATES = 3


def simulate(folder: Path, n: int, m: int, phenotypes: int) -> None:
    """Write brothers and sisters, four to a family, as a bed set of 20 chromosomes, and heritable phenotypes."""
    rng = np.random.default_rng(20261123)
    families = n // 4
    genetic = np.zeros((n, phenotypes))
    with (folder / "g.bed").open("wb") as file:
        file.write(bytes([0x6C, 0x1B, 1]))
        for first in range(0, m, 500):
            count = min(500, m - first)
            frequency = rng.uniform(0.05, 0.95, (count, 1)).astype(np.float32)
            parents = rng.random((2, 2, count, families), dtype=np.float32) < frequency
            dosage = np.empty((count, families, 4), dtype=np.float32)
            for child in range(4):
                copy = rng.random((2, count, families), dtype=np.float32) < 0.5
                dosage[:, :, child] = np.where(copy, parents[:, 0], parents[:, 1]).sum(axis=0)
            dosage = np.ascontiguousarray(dosage.reshape(count, 4 * families))
            scaled = dosage - dosage.mean(axis=1, keepdims=True)
            genetic += scaled.T @ rng.normal(size=(count, phenotypes))
            packed = np.zeros((count, (n + 3) // 4), dtype=np.uint8)
            encode_bed(dosage, packed)
            file.write(packed.tobytes())
    names = [f"s{i}" for i in range(n)]
    place = np.arange(m) * 20 // m + 1
    pl.DataFrame(
        {
            "c": place,
            "id": [f"v{i}" for i in range(m)],
            "cm": [0] * m,
            "bp": np.arange(m) + 1,
            "a": ["A"] * m,
            "b": ["C"] * m,
        }
    ).write_csv(folder / "g.bim", separator="\t", include_header=False)
    values = 0.6 * genetic / genetic.std(axis=0) + 0.8 * rng.normal(size=(n, phenotypes))
    covariates = rng.normal(size=(n, COVARIATES))
    fam = pl.DataFrame({"fid": ["0"] * n, "iid": names, "f": ["0"] * n, "m": ["0"] * n, "sex": ["0"] * n})
    for name in ("g.fam", "p.fam"):
        fam.with_columns(pl.Series("p", values[:, 0])).write_csv(folder / name, separator="\t", include_header=False)
    for name, stem, table in (("pheno", "y", values), ("covar", "c", covariates)):
        pl.DataFrame({"IID": names} | {f"{stem}{i}": table[:, i] for i in range(table.shape[1])}).write_csv(
            folder / name, separator="\t"
        )
    np.savetxt(folder / "c", np.column_stack([np.ones(n), covariates]), fmt="%.10g")


def timed(command: list[str], folder: Path) -> float:
    """CPU seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, cwd=folder, env=os.environ | {"OMP_NUM_THREADS": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def gemma(folder: Path, n: int, m: int, part: int, phenotypes: int) -> None:
    """Time GEMMA on some variants and scale its parts up."""
    stride = (n + 3) // 4
    matrix = timed(["gemma", "-bfile", "g", "-gk", "1", "-o", "k"], folder)
    with (folder / "g.bed").open("rb") as file:
        (folder / "p.bed").write_bytes(file.read(3 + stride * part))
    lines = (folder / "g.bim").read_text().splitlines(keepends=True)[:part]
    (folder / "p.bim").write_text("".join(lines))
    run = ["gemma", "-bfile", "p", "-k", "output/k.cXX.txt", "-c", "c", "-lmm", "1", "-o", "y"]
    whole = timed(run, folder)
    told = dict(
        line[2:].strip().split(" = ")
        for line in (folder / "output/y.log.txt").read_text().splitlines()
        if line.startswith("##      time on") and " = " in line
    )
    minutes = {name: float(value.split()[0]) for name, value in told.items()}
    tests = 60 * (minutes["time on calculating UtX"] + minutes["time on optimization"])
    rest = whole - tests
    total = matrix + phenotypes * (rest + tests * m / part)
    print(
        f"| GEMMA: matrix {matrix:.0f} s; each phenotype: reading and eigendecomposition {rest:.0f} s, tests of "
        f"{part:,} variants {tests:.1f} s | {total:,.0f} s |",
        flush=True,
    )


def main() -> None:
    """Print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--variants", type=int, default=50_000)
    parser.add_argument("--phenotypes", type=int, default=10)
    parser.add_argument("--gemma-variants", type=int, default=500)
    parser.add_argument("--models", nargs="+", default=["lmm", "lmm-exact", "ridge"])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate(folder, given.samples, given.variants, given.phenotypes)
        print(
            f"| {given.samples:,} people, {given.variants:,} variants, {given.phenotypes} phenotypes | CPU |\n|---|---|"
        )
        for model in given.models:
            command = [sys.executable, "-m", "radiolocus", "gwas", "g", "--pheno", "pheno", "--covar", "covar"]
            seconds = timed([*command, "--model", model, "--out", model, "--jobs", "2"], folder)
            print(f"| radiolocus, --model {model} | {seconds:,.0f} s |", flush=True)
        if given.gemma_variants and shutil.which("gemma"):
            part = min(given.gemma_variants, given.variants)
            gemma(folder, given.samples, given.variants, part, given.phenotypes)


if __name__ == "__main__":
    main()
