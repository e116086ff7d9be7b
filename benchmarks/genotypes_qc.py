"""Seconds of genotype quality control beside PLINK 2: same data, one run, alternating.

    python benchmarks/genotypes_qc.py --samples 5000 --variants 50000 --repeats 2

Whole processes are timed, results written included, both with two threads; for PLINK 2 the summaries are one call each
way. CPU seconds (of the process and its children) stand beside seconds on the clock, because they mean something on a
busy machine too. The smallest of the repeats counts. What both found is compared before anything is printed.
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

from radiolocus.genome.components import randomised_components
from radiolocus.genome.prune import PruneOptions, prune
from radiolocus.genome.quality import sample_quality, variant_quality
from radiolocus.genome.relatives import pack_samples, related_pairs
from radiolocus.read.plink import PlinkSource, write_plink

THREADS = 2
TASKS = ("summaries", "king", "prune", "pca")


def simulate(folder: Path, n: int, m: int, missing: float) -> None:
    """Haplotypes in blocks of 50 variants that are copies of few founders, so that there is something to prune."""
    rng = np.random.default_rng(20261122)
    dosage = np.empty((m, n), dtype=np.float32)
    for first in range(0, m, 50):
        size = min(50, m - first)
        founders = rng.random((size, 12)) < rng.uniform(0.05, 0.6, (size, 1))
        strands = rng.integers(0, 12, (2, n))
        dosage[first : first + size] = founders[:, strands[0]].astype(np.float32) + founders[:, strands[1]]
        noise = rng.random((size, n), dtype=np.float32)
        dosage[first : first + size][noise < 0.1] = rng.integers(0, 3, int((noise < 0.1).sum()))
        dosage[first : first + size][noise > 1 - missing] = np.nan
    dosage[:, n - 50 :] = np.where(rng.random((m, 50)) < 0.5, dosage[:, :50], dosage[:, n - 50 :])  # relatives
    variants = pl.DataFrame(
        {
            "chromosome": [str(1 + i // (m // 22 + 1)) for i in range(m)],
            "variant_id": [f"v{i}" for i in range(m)],
            "base_pair_location": [60_000 * (1 + i % (m // 22 + 1)) for i in range(m)],
            "effect_allele": ["A"] * m,
            "other_allele": ["C"] * m,
        }
    )
    write_plink(folder / "g", dosage, variants, [f"s{i}" for i in range(n)])


def ours(task: str, folder: Path) -> None:
    source = PlinkSource(folder / "g")
    rows, every = np.arange(len(source.sample_ids)), np.arange(source.variants.height)
    if task == "king":
        related_pairs(pack_samples(source, rows, every), source.sample_ids, jobs=THREADS).write_csv(
            folder / "ours.king"
        )
        return
    if task == "pca":
        with threadpool_limits(THREADS):
            found, residual = randomised_components(source, rows, every, 10)
        np.savetxt(folder / "ours.eigenval", found.eigenvalues)
        np.savetxt(folder / "ours.residual", residual)
        pl.DataFrame(found.scores).write_csv(folder / "ours.eigenvec")
        return
    table = variant_quality(source, rows, source.sex)
    frequency = table["effect_allele_frequency"].to_numpy()
    if task == "prune":
        kept = prune(source, rows, every, frequency, PruneOptions(1000, 1, 0.1))
        (folder / "ours.prune").write_text("\n".join(table["variant_id"].gather(kept)) + "\n")
        return
    table.write_csv(folder / "ours.variants")
    sample_quality(source, rows, source.sex, every, frequency).write_csv(folder / "ours.samples")


def theirs(task: str, folder: Path) -> list[str]:
    arguments = {
        "summaries": ["--freq", "cols=+machr2", "--missing", "--hardy", "midp", "--het"],
        "king": ["--make-king-table", "--king-table-filter", "0.04419"],
        "prune": ["--indep-pairwise", "1000kb", "0.1"],
        "pca": ["--pca", "10", "approx", "meanimpute", "--seed", "1"],
    }[task]
    return [
        "plink2",
        "--bfile",
        str(folder / "g"),
        *arguments,
        "--threads",
        str(THREADS),
        "--out",
        str(folder / "theirs"),
    ]


def agree(task: str, folder: Path) -> str:
    read = {"separator": "\t", "infer_schema_length": None, "null_values": ["nan"]}
    if task == "king":
        one, other = pl.read_csv(folder / "ours.king"), pl.read_csv(folder / "theirs.kin0", **read)
        gap = np.abs(np.sort(one["kinship"].to_numpy()) - np.sort(other["KINSHIP"].to_numpy())).max()
        return f"{one.height} and {other.height} pairs, kinship within {gap:.1e}"
    if task == "prune":
        one, other = (set((folder / n).read_text().split()) for n in ("ours.prune", "theirs.prune.in"))
        return f"{len(one)} kept, {len(one ^ other)} differ"
    if task == "pca":
        gap = np.abs(np.loadtxt(folder / "ours.eigenval") / np.loadtxt(folder / "theirs.eigenval") - 1)
        return f"eigenvalues within {gap.max():.1e}, ours right to {np.loadtxt(folder / 'ours.residual').max():.1e}"
    one, other = pl.read_csv(folder / "ours.variants"), pl.read_csv(folder / "theirs.afreq", **read)
    gap = np.abs(one["effect_allele_frequency"].to_numpy() - other["ALT_FREQS"].to_numpy()).max()
    return f"frequencies within {gap:.1e}"


def timed(run: Callable[[], object]) -> tuple[float, float]:
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    run()
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--variants", type=int, default=50_000)
    parser.add_argument("--missing", type=float, default=0.01)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    parser.add_argument("--child", nargs=2, metavar=("TASK", "FOLDER"))
    chosen = parser.parse_args()
    if chosen.child:
        ours(chosen.child[0], Path(chosen.child[1]))
        return
    if shutil.which("plink2") is None:
        sys.exit("plink2 is not installed (Debian package plink2)")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate(folder, chosen.samples, chosen.variants, chosen.missing)
        size = f"{chosen.samples} samples, {chosen.variants} variants, {chosen.missing:.0%} missing"
        print(f"{size}; load {os.getloadavg()[0]:.1f}")
        for task in chosen.tasks:
            command = [sys.executable, __file__, "--child", task, name]
            runs = {"PLINK 2": theirs(task, folder), "Radiolocus": command}
            best = dict.fromkeys(runs, (float("inf"), float("inf")))
            for _ in range(chosen.repeats):
                for who, call in runs.items():
                    took = timed(lambda call=call: subprocess.run(call, check=True, capture_output=True))
                    best[who] = min(best[who], took, key=lambda t: t[1])
            for who, (wall, cpu) in best.items():
                print(f"| {task} | {who} | {cpu:.1f} s | {wall:.1f} s |")
            print(f"  {agree(task, folder)}")


if __name__ == "__main__":
    main()
