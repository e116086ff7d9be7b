"""Seconds of evaluating outcome prediction beside scikit-survival, lifelines, dcurves and R: same data, one run.

    python benchmarks/outcome.py > table.md

scikit-survival, lifelines and dcurves live in an environment of their own (below ``--cache``), because two of them are
under the GPL or depend on what is; R gives survival, riskRegression and glmnet where they are installed. Every program
has one thread and reads the same files; reading and starting are not counted. Ours runs `--rounds` times after a first
call that compiles, and the fastest counts; a peer runs once after a small warm-up. What a peer needs too long for is
measured on a part (draws, genes, one outer fold of ten) and scaled, and said. The largest difference of a peer's answer
to ours stands beside its time, where both answer the same question; for the elastic net, of everybody's (last)
coefficients to ours at a tolerance of 1e-12.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from radiomics import Peer, install, machine
from threadpoolctl import threadpool_limits

from radiolocus.learn.cox import CoxNet
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.protocol import cross_validate
from radiolocus.learn.survival_forest import SurvivalForest
from radiolocus.learn.target import Target
from radiolocus.stats.concordance import harrell_c, harrell_c_bootstrap, uno_c
from radiolocus.stats.cox import cox_univariate_batch
from radiolocus.stats.decision import decision_curve_at
from radiolocus.stats.horizon import auc_at, brier_at

PEERS = Peer(("3.11", "3.12"), (("scikit-survival", "lifelines", "dcurves"),))
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
GENES, DRAWS = 60, 100
HORIZONS = [0.3, 0.6, 1.0]

PYTHON = """
import json, sys, time, warnings
import importlib.metadata as metadata
import numpy as np, pandas as pd
warnings.simplefilter("ignore")
folder, genes, draws = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
read = lambda name: np.loadtxt(f"{folder}/{name}.csv", delimiter=",", skiprows=1)
from sksurv.metrics import brier_score, concordance_index_censored, concordance_index_ipcw, cumulative_dynamic_auc
from sksurv.linear_model import CoxnetSurvivalAnalysis, CoxPHSurvivalAnalysis
from sksurv.util import Surv
from lifelines.utils import concordance_index
from lifelines import CoxPHFitter
import dcurves
def tell(program, work, seconds, value=None):
    print(json.dumps([f"{program} {metadata.version(program)}", work, seconds, value]), flush=True)
def timed(program, work, call, scale=1, answer=lambda x: x):
    start = time.perf_counter()
    found = call()
    tell(program, work, (time.perf_counter() - start) * scale, answer(found))
big, small, mid, path = read("big"), read("small"), read("mid"), read("path")
sk = lambda d: concordance_index_censored(d[:, 1] == 1, d[:, 0], d[:, 2])[0]
ll = lambda d: concordance_index(d[:, 0], -d[:, 2], d[:, 1])
rng = np.random.default_rng(0)
for program, one in (("scikit-survival", sk), ("lifelines", ll)):
    one(small[:50])
    timed(program, "harrell", lambda: one(big))
    rows = rng.integers(len(small), size=(draws, len(small)))
    timed(program, "bootstrap", lambda: [one(small[r]) for r in rows], 1000 / draws, lambda x: None)
y = Surv.from_arrays(mid[:, 1] == 1, mid[:, 0])
timed("scikit-survival", "uno", lambda: concordance_index_ipcw(y, y, mid[:, 2], tau=1.0)[0])
h = [0.3, 0.6, 1.0]
timed("scikit-survival", "auc", lambda: cumulative_dynamic_auc(y, y, mid[:, 2], h)[0].tolist())
risk = np.tile(1 - mid[:, 3:4], (1, 3))
timed("scikit-survival", "brier", lambda: brier_score(y, y, risk, h)[1].tolist())
X = path[:, 2:]
target = Surv.from_arrays(path[:, 1] == 1, path[:, 0])
G = read("genes")
ys = Surv.from_arrays(small[:, 1] == 1, small[:, 0])
timed("scikit-survival", "univariate", lambda: [CoxPHSurvivalAnalysis(ties="efron").fit(G[:, [j]], ys).coef_[0]
    for j in range(genes)], 20000 / genes)
def lifelines_one(j):
    frame = pd.DataFrame({"t": small[:, 0], "e": small[:, 1], "x": G[:, j]})
    return CoxPHFitter().fit(frame, "t", "e").params_.iloc[0]
timed("lifelines", "univariate", lambda: [lifelines_one(j) for j in range(genes)], 20000 / genes)
alphas = read("penalties")
net = CoxnetSurvivalAnalysis(alphas=alphas, l1_ratio=0.5, normalize=False, max_iter=1000000)
timed("scikit-survival", "path", lambda: net.fit(X, target), 1, lambda f: f.coef_[:, -1].tolist())
net = CoxnetSurvivalAnalysis(alphas=alphas[0] * 0.01 ** (np.arange(100) / 99), l1_ratio=0.5, normalize=False,
    max_iter=1000000)
timed("scikit-survival", "deep", lambda: net.fit(X, target), 1, lambda f: f.coef_[:, -1].tolist())
from sklearn.model_selection import GridSearchCV, KFold
few, fewer = X[:400, :1500], target[:400]
def grid_search(train):
    start = CoxnetSurvivalAnalysis(l1_ratio=0.5, n_alphas=30, alpha_min_ratio=0.05).fit(few[train], fewer[train])
    each = {"alphas": [[a] for a in start.alphas_]}
    return GridSearchCV(CoxnetSurvivalAnalysis(l1_ratio=0.5), each, cv=5).fit(few[train], fewer[train])
train = next(KFold(10, shuffle=True, random_state=0).split(few))[0]
timed("scikit-survival", "nested, grid search", lambda: grid_search(train), 10, lambda f: None)
from sksurv.ensemble import RandomSurvivalForest
trees = RandomSurvivalForest(n_estimators=100, min_samples_leaf=3, max_features="sqrt", random_state=0, n_jobs=1)
timed("scikit-survival", "forest", lambda: trees.fit(X[:, :50], target), 1, lambda f: None)
frame = pd.DataFrame({"t": mid[:, 0], "e": mid[:, 1], "risk": mid[:, 3]})
at = np.arange(1, 100) / 100
dca = lambda: dcurves.dca(data=frame, outcome="e", modelnames=["risk"], thresholds=at, time=1.0,
    time_to_outcome_col="t")
try:
    timed("dcurves", "decision", dca, 1,
          lambda f: f[f["model"] == "risk"].sort_values("threshold")["net_benefit"].to_numpy()[:60].tolist())
except Exception as error:
    print(f"dcurves could not run: {error!r}", file=sys.stderr)
"""

R = """
a <- commandArgs(TRUE); genes <- as.integer(a[2]); draws <- as.integer(a[3])
suppressPackageStartupMessages(library(survival))
read <- function(name) as.matrix(read.csv(file.path(a[1], paste0(name, ".csv"))))
tell <- function(package, work, seconds, value = NULL) cat(sprintf('["R %s %s", "%s", %.6f, %s]\n', package,
  as.character(packageVersion(package)), work, seconds,
  if (is.null(value)) "null" else paste0("[", paste(sprintf("%.15g", value), collapse = ", "), "]")))
timed <- function(package, work, call, scale = 1, keep = TRUE) {
  start <- proc.time()[["elapsed"]]; value <- call(); seconds <- proc.time()[["elapsed"]] - start
  tell(package, work, seconds * scale, if (keep) value)
}
big <- read("big"); small <- read("small"); mid <- read("mid"); path <- read("path"); G <- read("genes")
cc <- function(d) concordancefit(Surv(d[, 1], d[, 2]), d[, 3], reverse = TRUE, std.err = FALSE)$concordance
invisible(cc(small))
timed("survival", "harrell", function() cc(big))
draw <- function() cc(small[sample(500, replace = TRUE), ])
timed("survival", "bootstrap", function() replicate(draws, draw()), 1000 / draws, FALSE)
timed("survival", "uno", function() concordancefit(Surv(mid[, 1], mid[, 2]), mid[, 3], reverse = TRUE,
  timewt = "n/G2", ymax = 1, std.err = FALSE)$concordance)
y <- Surv(small[, 1], small[, 2]); many <- seq_len(min(genes * 5, ncol(G)))
scale <- 20000 / length(many); control <- coxph.control()
whole <- function(j) coef(coxph(y ~ G[, j]))
bare <- function(j) coxph.fit(G[, j, drop = FALSE], y, NULL, NULL, NULL, control, NULL, "efron", NULL,
  nocenter = NULL)$coefficients
timed("survival", "univariate", function() sapply(many, whole)[seq_len(genes)], scale)
timed("survival", "univariate, coxph.fit", function() sapply(many, bare)[seq_len(genes)], scale)
once <- coxph.control(iter.max = 0)
score <- function(j) coxph.fit(G[, j, drop = FALSE], y, NULL, NULL, 0, once, NULL, "efron", NULL, nocenter = NULL)$score
timed("survival", "score, coxph.fit", function() sapply(many, score)[seq_len(genes)], scale)
if (requireNamespace("ranger", quietly = TRUE)) {
  d <- data.frame(t = path[, 1], e = path[, 2], path[, 3:52])
  timed("ranger", "forest", function() ranger::ranger(Surv(t, e) ~ ., d, num.trees = 100, min.node.size = 3,
    num.threads = 1), 1, FALSE)
}
if (requireNamespace("riskRegression", quietly = TRUE)) {
  suppressPackageStartupMessages(library(riskRegression))
  d <- data.frame(t = mid[, 1], e = mid[, 2]); m <- cbind(mid[, 4], mid[, 4], mid[, 4]); h <- c(0.3, 0.6, 1)
  for (metric in c("auc", "brier")) timed("riskRegression", metric, function() {
    s <- Score(list(m = m), Surv(t, e) ~ 1, d, times = h, metrics = metric, cens.model = "km", conf.int = FALSE,
      null.model = FALSE)
    if (metric == "auc") s$AUC$score$AUC else s$Brier$score$Brier })
}
if (requireNamespace("glmnet", quietly = TRUE)) {
  X <- path[, -(1:2)]; p <- scan(file.path(a[1], "penalties.csv"), skip = 1, quiet = TRUE)
  timed("glmnet", "path", function() {
    f <- glmnet::glmnet(X, Surv(path[, 1], path[, 2]), "cox", alpha = 0.5, lambda = p, standardize = FALSE)
    as.vector(f$beta[, ncol(f$beta)]) })
}
"""


@dataclass(frozen=True)
class Work:
    """A line of the table: what it is called, its bar in seconds, how we do it, and what all are compared with."""

    title: str
    bar: float | None
    call: Callable[[], object]
    answer: Callable[[object], object] = lambda found: found
    exact: Callable[[], object] | None = None


def cohort(n: int, seed: int) -> np.ndarray:
    """Time, event, score and predicted risk by time 1 of `n` patients, half of them censored; no ties."""
    rng = np.random.default_rng(seed)
    score = rng.normal(size=n)
    time_, lost = rng.exponential(np.exp(-score)), rng.exponential(1.2, n)
    return np.column_stack([np.minimum(time_, lost), time_ <= lost, score, -np.expm1(-np.exp(0.8 * score))])


def write(folder: Path, features: int) -> dict[str, np.ndarray]:
    """Make the data and write them for the peers."""
    rng = np.random.default_rng(7)
    data = {"big": cohort(100_000, 1), "small": cohort(500, 2), "mid": cohort(2000, 3)}
    data["genes"] = rng.normal(size=(500, 20_000))
    rows = cohort(1000, 4)
    X = rng.normal(size=(1000, features))
    X[:, :20] += 0.3 * rows[:, 2:3]
    data["path"] = np.column_stack([rows[:, :2], (X - X.mean(axis=0)) / X.std(axis=0)])
    target = Target(data["path"][:, 1], data["path"][:, 0])
    top = np.abs(CoxNet("breslow").slopes(data["path"][:, 2:], target)).max() / 0.5
    data["penalties"] = (top * np.geomspace(1, 0.05, 100))[:, None]
    for name, values in data.items():
        kept = values[:, : 5 * GENES] if name == "genes" else values
        np.savetxt(folder / f"{name}.csv", kept, delimiter=",", fmt="%.17g", comments="",
                   header=",".join(f"v{j}" for j in range(kept.shape[1])))  # fmt: skip
    return data


def works(data: dict[str, np.ndarray]) -> dict[str, Work]:
    big, small, mid = (data[name].T for name in ("big", "small", "mid"))
    X, penalties = np.ascontiguousarray(data["path"][:, 2:]), data["penalties"][:, 0]
    target = Target(data["path"][:, 1], data["path"][:, 0])

    def path(tolerance: float = 1e-7) -> np.ndarray:
        return CoxNet("breslow").path(X, target, penalties, 0.5, tolerance).fit(99).coefficient

    def deep(tolerance: float = 1e-7) -> np.ndarray:
        lower = penalties[0] * np.geomspace(1, 0.01, 100)
        return CoxNet("breslow").path(X, target, lower, 0.5, tolerance).coefficients[-1]

    def forest() -> object:
        return SurvivalForest().fit(X[:, :50], target, {"leaf": 3.0, "trees": 100.0}, 1)

    def nested() -> object:
        return cross_validate(few, target.take(np.arange(400)), protocol)

    def univariate() -> np.ndarray:
        return cox_univariate_batch(*small[:2], data["genes"]).coefficient

    def score() -> np.ndarray:
        return cox_univariate_batch(*small[:2], data["genes"], fit=False).score_statistic

    def decision() -> np.ndarray:
        return decision_curve_at(*mid[:2], mid[3], 1.0).net_benefit

    few = Predictors(X[:400, :1500], names := tuple(f"x{j}" for j in range(1500)), names, np.zeros((400, 0), np.int64))
    protocol = ProtocolOptions(repeats=1, folds=10, inner_folds=5, penalties=30, screen=1500, redundancy=1.0)
    nested_size = "n = 400, p = 1,500, 10 outer × 5 inner × 30 penalties"
    size = f"n = 1,000, p = {X.shape[1]:,}, 100 penalties to 0.05 of the largest, mixing 0.5, everybody's own tolerance"
    return {
        "harrell": Work("Harrell's C, n = 100,000", 0.06, lambda: harrell_c(*big[:3]).estimate),
        "bootstrap": Work(
            "bootstrap of C, n = 500, 1,000 draws", 0.1, lambda: harrell_c_bootstrap(*small[:3]), lambda x: None
        ),
        "uno": Work("Uno's C, n = 2,000", None, lambda: uno_c(*mid[:3], truncation=1.0).estimate),
        "auc": Work("AUC(t) at 3 horizons, n = 2,000", None, lambda: auc_at(*mid[:3], HORIZONS)),
        "brier": Work("Brier(t) at 3 horizons, n = 2,000", None, lambda: brier_at(*mid[:2], mid[3], HORIZONS)),
        "univariate": Work("univariate Cox of 20,000 genes, n = 500", 3.0, univariate, lambda x: x[:GENES]),
        "score": Work("score tests of 20,000 genes, n = 500", 0.35, score, lambda x: x[:GENES]),
        "path": Work(f"elastic-net Cox path, {size}", None, path, exact=lambda: path(1e-12)),
        "deep": Work("the same, to 0.01 of the largest", None, deep, exact=lambda: deep(1e-12)),
        "forest": Work("random survival forest, n = 1,000, p = 50, 100 trees", 1.0, forest, lambda x: None),
        "nested": Work(f"nested cross-validation, elastic-net Cox, {nested_size}", 10.0, nested, lambda x: None),
        "decision": Work("survival decision curve, n = 2,000, 99 thresholds", 0.01, decision, lambda x: x[:60]),
    }


def ours(work: Work, rounds: int) -> tuple[float, object, str]:
    found = work.call()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        work.call()
        seconds.append(time.perf_counter() - start)
    if work.exact is None:
        return min(seconds), work.answer(found), ""
    exact = work.exact()
    return min(seconds), exact, f"{np.abs(np.asarray(found) - np.asarray(exact)).max():.1e}"


def peers(command: list[str], name: str) -> list[list]:
    """Run a program that prints a line of JSON for each piece of work; what it cannot do is told."""
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | THREADS)
    if done.returncode or done.stderr.strip():
        print(f"{name}: {(done.stderr.strip().splitlines() or ['no word'])[-1]}\n")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    parser.add_argument("--cache", type=Path, default=home / "radiolocus-benchmarks", help="folder of environments")
    parser.add_argument("--rounds", type=int, default=5, help="runs of ours, of which the fastest counts")
    parser.add_argument("--features", type=int, default=2000, help="columns of the elastic-net path")
    given = parser.parse_args()
    python, told = install("scikit-survival", PEERS, given.cache)
    print(f"{machine()}; load {os.getloadavg()[0]:.1f}; {told}\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = write(folder, given.features)
        table = works(data)
        with threadpool_limits(1):
            mine = {key: ours(work, given.rounds) for key, work in table.items()}
        arguments = [name, str(GENES), str(DRAWS)]
        theirs = peers([str(python), "-W", "ignore", "-c", PYTHON, *arguments], "Python") if python else []
        if shutil.which("Rscript"):
            (folder / "peers.R").write_text(R)
            theirs += peers(["Rscript", str(folder / "peers.R"), *arguments], "R")
    print("| work | program | seconds | ours = 1 | largest difference | bar |\n|---|---|---:|---:|---:|---|")
    for key, work in table.items():
        seconds, answer, own = mine[key]
        met = "" if work.bar is None else f"{work.bar:g} s: {'met' if seconds <= work.bar else 'missed'}"
        print(f"| {work.title} | Radiolocus | {seconds:.4f} | 1 | {own} | {met} |")
        for program, what, taken, value in theirs:
            if what.split(",")[0] != key:
                continue
            gap = "" if value is None else f"{np.max(np.abs(np.asarray(value) - np.asarray(answer))):.1e}"
            extra = what[len(key) :].lstrip(", ")
            print(f"| | {program} {extra}| {taken:.3f} | {taken / seconds:,.3g} | {gap} | |")


if __name__ == "__main__":
    main()
