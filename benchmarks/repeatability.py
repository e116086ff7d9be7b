"""Intraclass correlations of 1,500 features of 50 subjects × 3 beside pingouin and R's psych: same data, one run.

    python benchmarks/repeatability.py --features 1500 --subjects 50 --repeats 3

pingouin is installed into an environment of its own (``--peers``, a folder outside the repository), because its licence
is the GPL; psych is taken from R where it is installed. A peer measures `--sample` features, and its time is scaled to
all of them: it goes feature by feature. The largest difference of ICC(1,1) and ICC(3,1) to ours stands beside the time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from radiolocus.stats.agreement import agreement

PINGOUIN = """
import json, sys, time
import numpy as np, pandas as pd, pingouin
values = np.load(sys.argv[1])
p, n, k = values.shape
subject, rater = np.repeat(np.arange(n), k), np.tile(np.arange(k), n)
def icc(table):
    frame = pd.DataFrame({"subject": subject, "rater": rater, "value": table.ravel()})
    return pingouin.intraclass_corr(frame, "subject", "rater", "value")["ICC"].to_numpy()[[0, 2]].tolist()
icc(values[0])
start = time.perf_counter()
found = [icc(v) for v in values]
print(json.dumps({"seconds": time.perf_counter() - start, "icc": found, "version": pingouin.__version__}))
"""
PSYCH = """
options(digits = 17)
a <- commandArgs(TRUE); k <- as.integer(a[2])
v <- as.matrix(read.csv(a[1], header = FALSE))
icc <- function(row) psych::ICC(matrix(row, ncol = k, byrow = TRUE), lmer = FALSE)$results$ICC[c(1, 3)]
invisible(icc(v[1, ]))
start <- proc.time()[["elapsed"]]
found <- apply(v, 1, icc)
seconds <- proc.time()[["elapsed"]] - start
cat(sprintf('{"seconds": %.6f, "version": "%s", "icc": [%s]}', seconds, as.character(packageVersion("psych")),
    paste(sprintf("[%.17g, %.17g]", found[1, ], found[2, ]), collapse = ", ")))
"""


def run(command: list[str]) -> dict[str, object]:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    told = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | threads)
    return json.loads(told.stdout.strip().splitlines()[-1])


def pingouin(values: np.ndarray, folder: Path, peers: Path) -> dict[str, object]:
    python = peers / "pingouin" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(python.parents[1])], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "pingouin"], check=True)
    np.save(folder / "v.npy", values)
    return run([str(python), "-W", "ignore", "-c", PINGOUIN, str(folder / "v.npy")])


def psych(values: np.ndarray, folder: Path, peers: Path) -> dict[str, object]:
    np.savetxt(folder / "v.csv", values.reshape(len(values), -1), delimiter=",", fmt="%.17g")
    (folder / "p.R").write_text(PSYCH)
    return run(["Rscript", str(folder / "p.R"), str(folder / "v.csv"), str(values.shape[2])])


def ours(values: np.ndarray, rounds: int) -> tuple[float, np.ndarray]:
    agreement(values)
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        found = agreement(values)
        times.append(time.perf_counter() - start)
    return min(times), np.column_stack([found.icc_1_1, found.icc_3_1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, default=1500)
    parser.add_argument("--subjects", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sample", type=int, default=200, help="features that a peer measures")
    parser.add_argument("--rounds", type=int, default=50, help="runs of ours, of which the fastest counts")
    parser.add_argument("--peers", type=Path, default=Path.home() / ".cache" / "radiolocus-peers")
    options = parser.parse_args()
    shape = (options.features, options.subjects, options.repeats)
    rng = np.random.default_rng(20261122)
    values = rng.normal(size=(*shape[:2], 1)) + rng.uniform(0.1, 2, (shape[0], 1, 1)) * rng.normal(size=shape)
    seconds, icc = ours(values, options.rounds)
    print(f"{shape[0]} features, {shape[1]} subjects x {shape[2]}; load {os.getloadavg()[0]:.1f}")
    print("| program | seconds | ours = 1 | largest difference |\n|---|---:|---:|---:|")
    print(f"| radiolocus | {seconds:.5f} | 1 | - |")
    sample = values[: min(options.sample, shape[0])]
    peers: dict[str, Callable[[np.ndarray, Path, Path], dict[str, object]]] = {"pingouin": pingouin}
    if shutil.which("Rscript"):
        peers["psych"] = psych
    with tempfile.TemporaryDirectory() as folder:
        for name, measure in peers.items():
            try:
                told = measure(sample, Path(folder), options.peers)
            except subprocess.CalledProcessError as error:
                print(f"| {name} | could not run: {(error.stderr or '').strip().splitlines()[-1:]} | - | - |")
                continue
            whole = float(told["seconds"]) * shape[0] / len(sample)  # type: ignore[arg-type]
            gap = np.abs(np.array(told["icc"]) - icc[: len(sample)]).max()
            print(f"| {name} {told['version']} | {whole:.2f} | {whole / seconds:,.0f} | {gap:.1e} |")


if __name__ == "__main__":
    main()
