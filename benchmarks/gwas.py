"""Seconds of a scan beside PLINK 2 and beside the bare matrix product: same data, one run, alternating.

    python benchmarks/gwas.py --samples 5000 --variants 20000 --phenotypes 100 --missing 0 --repeats 3

Whole processes are timed, results written included. CPU seconds (of the process and its children) stand beside
seconds on the clock, because they mean something on a busy machine too. The smallest of the repeats counts.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from radiolocus.associate.scan import scan
from radiolocus.genome.qc import GenotypeOptions
from radiolocus.read.plink import PlinkSource, write_plink

COVARIATES = 12


def simulate(folder: Path, n: int, m: int, phenotypes: int, missing: float) -> None:
    rng = np.random.default_rng(20261122)
    dosage = rng.binomial(2, rng.uniform(0.05, 0.95, (m, 1)), (m, n)).astype(np.float32)
    if missing:
        dosage[rng.random(dosage.shape, dtype=np.float32) < missing] = np.nan
    variants = pl.DataFrame(
        {
            "chromosome": [str(1 + 22 * i // m) for i in range(m)],
            "variant_id": [f"v{i}" for i in range(m)],
            "base_pair_location": [1000 * (i + 1) for i in range(m)],
            "effect_allele": ["A"] * m,
            "other_allele": ["C"] * m,
        }
    )
    names = [f"s{i}" for i in range(n)]
    write_plink(folder / "g", dosage, variants, names)
    for file, stem, count in (("pheno", "y", phenotypes), ("covar", "c", COVARIATES)):
        columns = {f"{stem}{i}": rng.normal(size=n) for i in range(count)}
        pl.DataFrame({"IID": names} | columns).write_csv(folder / file, separator="\t")


def child(folder: Path, missing: str, dtype: str, jobs: int) -> None:
    phenotypes, covariates = (
        pl.read_csv(folder / file, separator="\t").rename({"IID": "subject"}) for file in ("pheno", "covar")
    )
    options = GenotypeOptions(missing=missing, scan_dtype=dtype, min_maf=0, min_call_rate=0)
    result = scan(PlinkSource(folder / "g"), phenotypes, covariates, options, jobs=jobs)
    result.sumstats.write_parquet(folder / "sumstats.parquet")
    result.summary.write_parquet(folder / "summary.parquet")


def timed(run: Callable[[], object]) -> tuple[float, float]:
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    run()
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def product(n: int, m: int, columns: int, dtype: str) -> float:
    """CPU seconds of the bare matrix product of the whole scan on one thread, in the shape the scan uses."""
    rng = np.random.default_rng(1)
    tile, right = rng.random((256, n)).astype(dtype), rng.random((n, columns)).astype(dtype)
    best = float("inf")
    with threadpool_limits(1):
        for _ in range(12):
            start = time.process_time()
            tile @ right
            best = min(best, time.process_time() - start)
    return best * m / 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--variants", type=int, default=20_000)
    parser.add_argument("--phenotypes", type=int, default=100)
    parser.add_argument("--missing", type=float, default=0.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--child", nargs=4, metavar=("FOLDER", "MISSING", "DTYPE", "JOBS"))
    given = parser.parse_args()
    if given.child:
        folder, missing, dtype, jobs = given.child
        child(Path(folder), missing, dtype, int(jobs))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate(folder, given.samples, given.variants, given.phenotypes, given.missing)
        runs: dict[str, list[str]] = {}
        kinds = [("mean", "float64"), ("mean", "float32")] + ([("drop", "float64")] if given.missing else [])
        for missing, dtype in kinds:
            command = [sys.executable, __file__, "--child", name, missing, dtype, "1"]
            runs[f"radiolocus, {missing}, {dtype}, one core"] = command
        if shutil.which("plink2"):
            files = [
                "--bfile",
                f"{name}/g",
                "--pheno",
                f"{name}/pheno",
                "--covar",
                f"{name}/covar",
                "--out",
                f"{name}/o",
            ]
            settings = ["--no-psam-pheno", "--glm", "hide-covar", "omit-ref", "--threads", "2"]
            runs["plink2 --glm, two threads"] = ["plink2", *files, *settings]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
        seconds: dict[str, list[tuple[float, float]]] = {label: [] for label in runs}
        for _ in range(given.repeats):
            for label, command in runs.items():
                call = [str(part) for part in command]
                seconds[label].append(
                    timed(lambda call=call: subprocess.run(call, check=True, capture_output=True, env=environment))
                )
        columns = given.phenotypes + COVARIATES + 1
        print(f"{given.samples} samples, {given.variants} variants, {given.phenotypes} phenotypes, ", end="")
        print(f"{COVARIATES} covariates, {given.missing:.0%} of genotypes missing; load {os.getloadavg()[0]:.1f}")
        for dtype in ("float64", "float32"):
            alone = product(given.samples, given.variants, columns, dtype)
            print(f"  matrix product alone, {dtype}, one core: {alone:.2f} s CPU")
        for label, pairs in seconds.items():
            wall, cpu = (min(values) for values in zip(*pairs, strict=True))
            print(f"  {label}: {wall:.2f} s on the clock, {cpu:.2f} s CPU")


if __name__ == "__main__":
    main()
