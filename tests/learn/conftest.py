"""What R's glmnet and survival answer for tables that every test of this folder may use."""

from __future__ import annotations

import csv
import functools
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from radiolocus.learn.folds import draw_folds
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.protocol import fit_tuned
from radiolocus.learn.target import Target

_SCRIPT = Path(__file__).resolve().parent.parent / "reference" / "penalised.R"


class Penalised:
    """A table with two correlated columns, with or without tied times, and what our protocol makes of it."""

    penalties = np.geomspace(0.25, 0.02, 8)
    options = ProtocolOptions(ridge_up_to=0, redundancy=1.0, penalty_ratio=0.1, penalties=12)
    seed = np.random.SeedSequence(4)

    def __init__(self, ties, n=90, p=12):
        rng = np.random.default_rng(8)
        X = rng.normal(size=(n, p))
        X[:, 1] = 0.8 * X[:, 0] + 0.6 * X[:, 1]
        self.X = (X - X.mean(axis=0)) / X.std(axis=0)
        time = rng.exponential(np.exp(-self.X[:, 0] + 0.7 * self.X[:, 2]))
        censor = rng.exponential(1.5, size=n)
        event = (time <= censor).astype(float)
        time = np.minimum(time, censor)
        self.survival = Target(event, np.ceil(8 * time) if ties else time)
        self.binary = Target(event)
        names = tuple(f"x{j + 1}" for j in range(p))
        self.predictors = Predictors(self.X, names, ("imaging",) * p, np.zeros((n, 0), dtype=np.int64))

    def tuned(self, kind):
        """Return the model tuned by inner folds."""
        return fit_tuned(self.predictors, getattr(self, kind), self.options, self.seed)

    def folds(self, kind):
        """Return the inner folds that tuning draws."""
        return draw_folds(getattr(self, kind), 5, self.seed).fold

    def ask(self, folder):
        """Let R answer."""
        columns = (self.survival.time, self.survival.event, self.folds("survival"), self.folds("binary"), *self.X.T)
        with (folder / "table.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["time", "event", "fold_survival", "fold_binary", *self.predictors.numeric_names])
            writer.writerows([repr(float(v)) for v in row] for row in zip(*columns, strict=True))
        np.savetxt(folder / "paths.txt", self.penalties, fmt="%.17g")
        for kind in ("survival", "binary"):
            np.savetxt(folder / f"{kind}.txt", self.tuned(kind).penalties, fmt="%.17g")
        call = [shutil.which("Rscript"), str(_SCRIPT), str(folder)]
        ran = subprocess.run(call, check=False, capture_output=True, text=True)
        if "no package called" in ran.stderr:
            pytest.skip("R's packages glmnet and survival are not installed: no comparison with them")
        assert ran.returncode == 0, ran.stderr
        answers = defaultdict(list)
        with (folder / "answers.csv").open() as stream:
            for row in csv.DictReader(stream):
                answers[row["key"]].append(float(row["value"]))
        return {key: np.array(values) for key, values in answers.items()}


@pytest.fixture(scope="session")
def penalised():
    """Return a function from (tied times or not) to the table."""
    return functools.cache(Penalised)


@pytest.fixture(scope="session")
def from_glmnet(penalised, tmp_path_factory):
    """Return a function from (tied times or not) to R's answers; skips when R, glmnet or survival is absent."""
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript is not installed: no comparison with glmnet")
    return functools.cache(lambda ties: penalised(ties).ask(tmp_path_factory.mktemp("glmnet")))


@pytest.fixture
def make():
    """Return a function that makes numeric predictors, a survival and a binary target with a signal in column 0."""

    def build(n=80, p=6, seed=0, effect=1.0):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(n, p))
        names = tuple(f"x{j}" for j in range(p))
        predictors = Predictors(X, names, ("imaging",) * p, np.zeros((n, 0), dtype=np.int64))
        time, censor = rng.exponential(np.exp(-effect * X[:, 0])), rng.exponential(1.5, size=n)
        survival = Target((time <= censor).astype(float), np.minimum(time, censor))
        label = (effect * X[:, 0] + rng.logistic(size=n) > 0).astype(float)
        return predictors, survival, Target(label)

    return build
