"""Linear scan beside PLINK 2 and beside the bare matrix product: same files, one run, taking turns, whole processes.

    python benchmarks/gwas.py --samples 5000 --phenotypes 1 10 100 --missing 0 --repeats 2
    python benchmarks/gwas.py --samples 5000 --phenotypes 10 --missing 0.01 --absent 0.05 --plink-variants 5000
    python benchmarks/gwas.py --samples 20000 --phenotypes 1000 --missing 0 --plink-variants 0
    python benchmarks/gwas.py --samples 20000 --phenotypes 100 --slope --repeats 2
    python benchmarks/gwas.py --query 100000000

CPU seconds (of the process and its children) stand beside seconds on the clock, because they mean something on a busy
machine too. The smallest of the repeats counts. Where PLINK 2 would take long it gets the first `--plink-variants`
only, and its seconds are scaled up to all of them: its cost is proportional to their number. `--slope` runs the scan on
all, half and a quarter of the variants and of the phenotypes, and projects what a large cohort would take.
REGENIE (step 2, `--ignore-pred`, PLINK 1 files) and tensorQTL (`trans.map_trans`) are timed where they are installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from radiolocus.associate.dataset import part_writer, write_by_phenotype, write_rows
from radiolocus.associate.query import query
from radiolocus.kernels.genotype import encode_bed

COVARIATES = 12
# Subjects, variants and phenotypes of an imaging biobank.
PROJECTED = (40_000, 10_000_000, 4_000)
THREADS = "2"


def simulate(folder: Path, n: int, m: int, phenotypes: int, missing: float, absent: float) -> None:
    """Write a bed set a few variants at a time, and tables of phenotypes and covariates."""
    rng = np.random.default_rng(20261122)
    with (folder / "g.bed").open("wb") as file:
        file.write(bytes([0x6C, 0x1B, 1]))
        for first in range(0, m, 500):
            count = min(500, m - first)
            frequency = rng.uniform(0.05, 0.95, (count, 1)).astype(np.float32)
            dosage = (rng.random((2, count, n), dtype=np.float32) < frequency).sum(axis=0).astype(np.float32)
            if missing:
                dosage[rng.random((count, n), dtype=np.float32) < missing] = np.nan
            packed = np.zeros((count, (n + 3) // 4), dtype=np.uint8)
            encode_bed(dosage, packed)
            file.write(packed.tobytes())
    names = [f"s{i}" for i in range(n)]
    places = {
        "chromosome": ["1"] * m,  # plink2 takes a range of variants of one chromosome only
        "id": [f"v{i}" for i in range(m)],
        "cm": ["0"] * m,
        "position": [1000 * (i + 1) for i in range(m)],
        "a1": ["A"] * m,
        "a2": ["C"] * m,
    }
    people = {"fid": ["0"] * n, "iid": names} | {c: ["0"] * n for c in ("father", "mother", "sex")} | {"p": ["-9"] * n}
    pl.DataFrame(places).write_csv(folder / "g.bim", separator="\t", include_header=False)
    pl.DataFrame(people).write_csv(folder / "g.fam", separator="\t", include_header=False)
    for file, stem, count, lost in (("pheno", "y", phenotypes, absent), ("covar", "c", COVARIATES, 0.0)):
        values = rng.normal(size=(n, count)).round(6)
        if lost:
            values[rng.random(values.shape) < lost] = np.nan
        frame = pl.DataFrame({"IID": names} | {f"{stem}{i}": values[:, i] for i in range(count)})
        frame.with_columns(pl.col(pl.Float64).fill_nan(None)).write_csv(folder / file, separator="\t", null_value="NA")


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """Seconds on the clock, CPU seconds, and the largest memory of any child so far in GB."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=environment)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, after.ru_maxrss / 1e6


def product(n: int, m: int, columns: int) -> float:
    """CPU seconds of the bare single-precision product of the whole scan, one thread, in the shape the scan uses."""
    rng = np.random.default_rng(1)
    height = 1024 if columns > 256 else 256
    tile, right = rng.random((height, n), dtype=np.float32), rng.random((n, columns), dtype=np.float32)
    best = float("inf")
    with threadpool_limits(1):
        for _ in range(5):
            start = time.process_time()
            tile @ right
            best = min(best, time.process_time() - start)
    return best * m / height


def ours(folder: Path, missing: str) -> list[str]:
    files = ["--pheno", f"{folder}/pheno", "--covar", f"{folder}/covar", "--out", f"{folder}/out"]
    settings = ["--min-maf", "0", "--min-call-rate", "0", "--missing", missing, "--jobs", THREADS, "--fresh"]
    return [sys.executable, "-m", "radiolocus", "gwas", f"{folder}/g", *files, *settings]


def theirs(folder: Path, last: int) -> list[str]:
    files = ["--bfile", f"{folder}/g", "--pheno", f"{folder}/pheno", "--covar", f"{folder}/covar"]
    settings = ["--no-psam-pheno", "--glm", "hide-covar", "omit-ref", "--threads", THREADS, "--out", f"{folder}/o"]
    return ["plink2", *files, *settings, "--from", "v0", "--to", f"v{last - 1}"]


def regenie(folder: Path) -> list[str]:
    files = ["--bed", f"{folder}/g", "--phenoFile", f"{folder}/r.pheno", "--covarFile", f"{folder}/r.covar"]
    settings = ["--step", "2", "--qt", "--ignore-pred", "--bsize", "400", "--threads", THREADS, "--out", f"{folder}/r"]
    return ["regenie", *files, *settings]


def tensorqtl(folder: Path) -> list[str]:
    return [sys.executable, "-c", TENSORQTL, str(folder)]


# All variants with all phenotypes; it wants phenotypes by rows, genotypes as a table, and no missing phenotype.
TENSORQTL = """
import sys
import pandas as pd
from tensorqtl import pgen, trans
folder = sys.argv[1]
genotypes = pgen.PgenReader(f"{folder}/p").load_genotypes()
phenotypes, covariates = (pd.read_csv(f"{folder}/{name}", sep="\\t", index_col=0) for name in ("pheno", "covar"))
rows = trans.map_trans(genotypes, phenotypes.T, covariates, pval_threshold=1e-5, maf_threshold=0, verbose=False)
rows.to_parquet(f"{folder}/t.parquet")
"""


def others(folder: Path, given: argparse.Namespace) -> dict[str, tuple[list[str], float]]:
    """Programs that are installed beside PLINK 2, and the files that only they want."""
    found: dict[str, tuple[list[str], float]] = {}
    if not given.others:
        return found
    if shutil.which("regenie"):
        for name in ("pheno", "covar"):
            frame = pl.read_csv(folder / name, separator="\t", null_values="NA", infer_schema_length=None)
            frame.insert_column(0, pl.lit("0").alias("FID")).write_csv(
                folder / f"r.{name}", separator=" ", null_value="NA"
            )
        found["regenie --step 2"] = (regenie(folder), 1.0)
    else:
        print("regenie is not installed: no row", file=sys.stderr)
    if importlib.util.find_spec("tensorqtl") and shutil.which("plink2") and not given.absent:
        convert = ["plink2", "--bfile", f"{folder}/g", "--make-pgen", "--out", f"{folder}/p"]
        subprocess.run(convert, check=True, capture_output=True)
        found["tensorQTL, trans"] = (tensorqtl(folder), 1.0)
    else:
        print("tensorQTL or plink2 is not installed, or phenotypes are missing: no row", file=sys.stderr)
    return found


def slope(n: int, m: int, phenotypes: int, given: argparse.Namespace) -> None:
    """Seconds of the whole process as fixed + a·variants + b·variants × phenotypes, and what follows for more."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": THREADS}
    points = []
    shares = (1.0, 0.5, 0.25)
    print("| N | variants | P | CPU | clock | tests a second (CPU) |")
    print("|---:|---:|---:|---:|---:|---:|")
    for variants, count in [(m, int(phenotypes * s)) for s in shares] + [(int(m * s), phenotypes) for s in shares[1:]]:
        with tempfile.TemporaryDirectory() as name:
            simulate(Path(name), n, variants, count, given.missing, given.absent)
            taken = [timed(ours(Path(name), "mean"), environment) for _ in range(given.repeats)]
        cpu, wall = min(c for _, c, _ in taken), min(w for w, _, _ in taken)
        points.append((variants, count, cpu))
        print(
            f"| {n:,} | {variants:,} | {count:,} | {cpu:.1f} s | {wall:.1f} s | {variants * count / cpu:,.0f} |",
            flush=True,
        )
    found = np.array(points)
    terms = np.column_stack([np.ones(len(found)), found[:, 0], found[:, 0] * found[:, 1]])
    (fixed, each, test), *_ = np.linalg.lstsq(terms, found[:, 2], rcond=None)
    worst = np.abs(terms @ [fixed, each, test] / found[:, 2] - 1).max()
    print(f"\n{fixed:.2f} s + {each * 1e6:.1f} µs a variant + {test * 1e9:.0f} ns a test; off by at most {worst:.0%}")
    big_n, big_m, big_p = PROJECTED
    hours = (big_m * each + big_m * big_p * test) * big_n / n / 3600
    told = f"{big_n:,} subjects × {big_m:,} variants × {big_p:,} phenotypes"
    print(f"projected, cost proportional to the subjects: {told}: {hours:,.0f} core-hours")


def case(n: int, m: int, phenotypes: int, given: argparse.Namespace) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": THREADS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate(folder, n, m, phenotypes, given.missing, given.absent)
        kinds = ["mean", "drop"] if given.missing else ["mean"]
        runs: dict[str, tuple[list[str], float]] = {f"radiolocus, {kind}": (ours(folder, kind), 1.0) for kind in kinds}
        part = m if given.plink_variants is None else min(given.plink_variants, m)
        if part and shutil.which("plink2"):
            runs["plink2 --glm"] = (theirs(folder, part), m / part)
        runs |= others(folder, given)
        found: dict[str, list[tuple[float, float, float]]] = {label: [] for label in runs}
        for _ in range(given.repeats):
            for label, (command, _) in runs.items():
                found[label].append(timed(command, environment))
        bare = product(n, m, phenotypes + COVARIATES + 1)
    told = f"{n:,} | {phenotypes:,} | {given.missing:.0%} | {given.absent:.0%}"
    peer = min((cpu * runs["plink2 --glm"][1] for _, cpu, _ in found.get("plink2 --glm", [])), default=float("nan"))
    for label, taken in found.items():
        factor = runs[label][1]
        wall, cpu = min(w for w, _, _ in taken) * factor, min(c for _, c, _ in taken) * factor
        scaled = f" (from {part:,} variants)" if factor > 1 else ""
        memory = f"{taken[0][2]:.2f} GB" if label.startswith("radiolocus") else "–"
        print(
            f"| {told} | {label}{scaled} | {cpu:.1f} s | {wall:.1f} s | {peer / cpu:.1f} | {bare / cpu:.0%} | {memory} "
            f"| {os.getloadavg()[0]:.1f} |",
            flush=True,
        )


def rows_of(total: int, names: pl.Series, counts: Counter[str]) -> Iterator[pl.DataFrame]:
    """Made-up rows of 22 chromosomes in order of position, forty to a variant."""
    rng = np.random.default_rng(1)
    for number in range(22 * max(1, total // 22_000_000)):
        pieces = max(1, total // 22_000_000)
        chromosome, piece = divmod(number, pieces)
        n = total // (22 * pieces)
        variants = -(-n // 40)
        place = np.repeat(10_000_000 * piece + np.sort(rng.integers(0, 10_000_000, variants)), 40)[:n]
        column = rng.integers(0, names.len(), n)
        counts.update(dict(zip(names, np.bincount(column, minlength=names.len()).tolist(), strict=True)))
        beta = rng.normal(size=n)
        ids = pl.Series(np.arange(variants) + variants * number).cast(pl.String).gather(np.arange(n) // 40)
        yield pl.DataFrame(
            {
                "phenotype": names.gather(column),
                "chromosome": pl.repeat(str(chromosome + 1), n, eager=True),
                "base_pair_location": place,
                "effect_allele": pl.repeat("A", n, eager=True),
                "other_allele": pl.repeat("C", n, eager=True),
                "beta": beta,
                "standard_error": np.abs(beta) / 5,
                "effect_allele_frequency": rng.random(n),
                "neg_log_10_p_value": 5 + rng.exponential(size=n),
                "variant_id": "rs" + ids,
                "n": np.full(n, 20_000),
                "statistic": beta * 5,
                "degrees_of_freedom": np.full(n, 19_986),
            }
        )


def questions(total: int) -> None:
    """Make a data set of `total` rows and time questions to it, each in the state the run before left the disk in."""
    names, counts = pl.Series([f"PT:feature_{i:04d}" for i in range(1000)]), Counter[str]()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        parts = write_rows(root, rows_of(total, names, counts))
        write_by_phenotype(root, parts, counts)
        files = [root / f"{part}.parquet" for part in parts]
        lying = [
            pl.scan_parquet(f, hive_partitioning=False)
            .select("variant_id", "chromosome", "base_pair_location")
            .unique()
            for f in files
        ]
        with part_writer(root / "sumstats/variant_ids.parquet", "sumstats/variant_ids") as writer:
            writer.add(pl.concat([frame.collect() for frame in lying]).sort("variant_id"))
        pl.DataFrame({"phenotype": names}).write_parquet(root / "sumstats/summary.parquet")
        (root / "sumstats/manifest.json").write_text("{}")
        print(f"{sum(parts.values()):,} rows, {sum(f.stat().st_size for f in root.rglob('*.parquet')) / 1e9:.1f} GB")
        asked: dict[str, Callable[[], pl.DataFrame]] = {
            "--region 19:44.9e6-45.1e6": lambda: query(root, region="19:44.9e6-45.1e6"),
            "--region 19:4.49e6-4.51e6": lambda: query(root, region="19:4.49e6-4.51e6"),
            "--rsid rs123456": lambda: query(root, rsid=["rs123456"]),
            "--phenotype PT:feature_0123": lambda: query(root, phenotype=["PT:feature_0123"]),
        }
        for label, ask in asked.items():
            start = time.perf_counter()
            rows = ask()
            first = time.perf_counter() - start
            start = time.perf_counter()
            ask()
            print(f"| {label} | {rows.height:,} | {first:.2f} s | {time.perf_counter() - start:.2f} s |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, nargs="+", default=[5000])
    parser.add_argument("--variants", type=int, default=50_000)
    parser.add_argument("--phenotypes", type=int, nargs="+", default=[100])
    parser.add_argument("--missing", type=float, default=0.0, help="fraction of genotypes")
    parser.add_argument("--absent", type=float, default=0.0, help="fraction of each phenotype")
    parser.add_argument("--plink-variants", type=int, help="variants that PLINK 2 gets; 0: leave it out")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--others", action="store_true", help="also REGENIE and tensorQTL, where installed")
    parser.add_argument("--slope", action="store_true", help="cost by variants and phenotypes, and the projection")
    parser.add_argument("--query", type=int, help="rows of a data set to ask")
    given = parser.parse_args()
    if given.query:
        questions(given.query)
        return
    print(f"{given.variants:,} variants, {COVARIATES} covariates, {THREADS} threads")
    if given.slope:
        for n in given.samples:
            slope(n, given.variants, max(given.phenotypes), given)
        return
    print("| N | P | missing genotypes | missing phenotypes | program | CPU | clock | PLINK 2 / this (CPU) "
          "| product / this (CPU) | memory | load |")  # fmt: skip
    print("|---:|---:|---:|---:|---|---:|---:|---:|---:|---:|---:|")
    for n in given.samples:
        for phenotypes in given.phenotypes:
            case(n, given.variants, phenotypes, given)


if __name__ == "__main__":
    main()
