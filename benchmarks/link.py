"""Permutations of links beside a loop over scipy, and beside the bare matrix product: same data, one run.

    python benchmarks/link.py --permutations 20 --threads 2
    python benchmarks/link.py --permutations 1000 --threads 2 --scope marker

The loop is what one would write: for every permutation and pair the residual of the permuted feature, then
``scipy.stats.pearsonr`` with the residual of the marker. It does so many pairs and is scaled up to all; so is ours
where fewer than 1,000 permutations are made, from the time that each further permutation takes.
"""

from __future__ import annotations

import argparse
import os
import resource
import time

import numpy as np
from scipy import stats
from threadpoolctl import threadpool_limits

from radiolocus.stats.correlation import spanning_basis
from radiolocus.stats.maxt import Block, max_t, permutations_of

FULL = 1000


def clock() -> tuple[float, float]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), used.ru_utime + used.ru_stime


def loop(block: Block, pairs: int) -> float:
    """CPU seconds of one pair and permutation, by scipy."""
    n = len(block.left)
    basis = block.basis
    order = permutations_of(n, 1, 1)[0]
    left = block.left - basis @ (basis.T @ block.left)
    right = block.right - basis @ (basis.T @ block.right)
    begin = time.process_time()
    for i in range(pairs):
        permuted = left[order, i % left.shape[1]]
        permuted = permuted - basis @ (basis.T @ permuted)
        stats.pearsonr(permuted, right[:, i % right.shape[1]])
    return (time.process_time() - begin) / pairs


def product(n: int, p: int, rows: int = 256) -> float:
    """Floating-point operations a second of the bare product in single precision, one thread."""
    rng = np.random.default_rng(1)
    left, right = rng.random((rows, n), dtype=np.float32), rng.random((n, p), dtype=np.float32)
    best = float("inf")
    with threadpool_limits(1):
        for _ in range(20):
            begin = time.process_time()
            left @ right
            best = min(best, time.process_time() - begin)
    return 2.0 * n * p * rows / best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=500)
    parser.add_argument("--features", type=int, default=2000)
    parser.add_argument("--genes", type=int, default=20_000)
    parser.add_argument("--covariates", type=int, default=3)
    parser.add_argument("--permutations", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--scope", choices=("marker", "all"), default="marker")
    parser.add_argument("--pairs", type=int, default=3000)
    given = parser.parse_args()
    rng = np.random.default_rng(20261123)
    n, p, q = given.subjects, given.features, given.genes
    block = Block(
        rng.normal(size=(n, p)), rng.normal(size=(n, q)), spanning_basis(rng.normal(size=(n, given.covariates)), n)
    )
    # loops are compiled before the clock starts
    max_t([Block(block.left[:, :8], block.right[:, :8], block.basis)], 2, 1, scope=given.scope)
    rate = product(n, p)
    one = loop(block, given.pairs)
    begin = clock()
    max_t([block], 1, 1, scope=given.scope, threads=given.threads)
    middle = clock()
    max_t([block], 1 + given.permutations, 1, scope=given.scope, threads=given.threads)
    end = clock()
    wall, cpu = (((end[k] - middle[k]) - (middle[k] - begin[k])) / given.permutations for k in (0, 1))
    fixed = [middle[k] - begin[k] for k in (0, 1)]
    ideal = 2.0 * n * p * q / rate
    print(
        f"load {os.getloadavg()[0]:.1f}; {n} subjects, {p} features, {q} genes, "
        f"{given.covariates} covariates, {given.scope}"
    )
    print(f"bare product: {rate / 1e9:.0f} GFLOP/s a thread; a permutation would take {ideal:.3f} s of CPU")
    print(
        f"ours, a permutation: {cpu:.3f} s of CPU ({100 * ideal / cpu:.0f} % of the bare product), "
        f"{wall:.3f} s on the clock"
    )
    total, peak = fixed[1] + FULL * cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"ours, {FULL} permutations: {total:.0f} s of CPU, {fixed[0] + FULL * wall:.0f} s on the clock; "
        f"{peak:.1f} GB at most"
    )
    print(
        f"scipy, a pair: {one * 1e6:.1f} µs of CPU; all pairs {FULL} times: {one * p * q * FULL / 3600:,.0f} h of CPU"
    )
    print(f"ratio of CPU: {one * p * q * FULL / total:,.0f}")


if __name__ == "__main__":
    main()
