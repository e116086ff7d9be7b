"""Seconds of RECIST 1.1 over a large lesion table, on one core.

    POLARS_MAX_THREADS=1 NUMBA_NUM_THREADS=1 python benchmarks/response.py --subjects 100000 --visits 10 --lesions 5

The table is in memory; calls, reasons in words, best responses and rates are made. The smallest of the repeats counts;
CPU seconds stand beside seconds on the clock, because they mean something on a busy machine too.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import polars as pl

from radiolocus.response.recist11 import recist11


def table(subjects: int, visits: int, lesions: int, seed: int = 20261122) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    n = subjects * visits * lesions
    subject = np.repeat(np.arange(subjects), visits * lesions)
    visit = np.tile(np.repeat(np.arange(visits), lesions), subjects)
    lesion = np.tile(np.arange(lesions), subjects * visits)
    start = np.repeat(rng.uniform(15, 50, (subjects, 1, lesions)), visits, axis=1)
    course = np.cumprod(rng.uniform(0.8, 1.2, (subjects, visits, 1)), axis=1)
    size = np.round(start * course / course[:, :1], 1).ravel()
    size = np.where(rng.random(n) < 0.01, np.nan, size)
    size[visit == 0] = np.round(start[:, 0].ravel(), 1)
    return pl.DataFrame(
        {
            "subject": pl.Series(subject).cast(pl.String).str.zfill(7),
            "visit": pl.Series(visit).cast(pl.String),
            "day": visit * 56.0,
            "lesion": pl.Series(lesion).cast(pl.String),
            "kind": pl.repeat("target", n, eager=True),
            "organ": pl.repeat("lung", n, eager=True),
            "node": lesion == lesions - 1,
            "diameter_mm": size,
            "status": pl.repeat("present", n, eager=True),
        }
    ).with_columns(pl.col("diameter_mm").fill_nan(None))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("subjects", 100_000), ("visits", 10), ("lesions", 5), ("repeats", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    lesions = table(asked.subjects, asked.visits, asked.lesions)
    recist11(lesions.head(50 * asked.visits * asked.lesions))
    times = []
    for _ in range(asked.repeats):
        clock, cpu = time.perf_counter(), time.process_time()
        found = recist11(lesions)
        times.append((time.process_time() - cpu, time.perf_counter() - clock))
    cpu, clock = min(times)
    counts = dict(found.best["best_response"].value_counts(sort=True).iter_rows())
    print(f"{lesions.height:,} rows, {found.timepoints.height:,} visits, {found.best.height:,} subjects: {counts}")
    print(f"RECIST 1.1: {cpu:.2f} s CPU, {clock:.2f} s on the clock, threads of polars {pl.thread_pool_size()}")


if __name__ == "__main__":
    main()
