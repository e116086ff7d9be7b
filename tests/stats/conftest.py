"""The answers of R's survival package, computed once for a table that every test of this folder may use."""

from __future__ import annotations

import csv
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

_SCRIPT = Path(__file__).resolve().parent.parent / "reference" / "survival.R"


def survival_table(n=160, seed=11):
    """Heavily tied whole-number times, zeros among them; a column with gaps; three groups."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=n).round(1), rng.integers(0, 2, n).astype(float)
    c = rng.normal(50, 12, n)
    d = np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n) * 1e-4 + 3)
    t = np.floor(rng.exponential(12 * np.exp(-0.5 * a + 0.3 * b)))
    e = (rng.random(n) < 0.6).astype(float)
    g = rng.choice(["x", "y", "z"], n)
    y = (rng.random(n) < 1 / (1 + np.exp(-(0.7 * a - 0.4)))).astype(float)
    return {"t": t, "e": e, "a": a, "b": b, "c": c, "d": d, "g": g, "y": y}


@pytest.fixture(scope="session")
def table():
    return survival_table()


@pytest.fixture(scope="session")
def from_r(table, tmp_path_factory):
    """Return a function from a key of survival.R to its value or values; skips when R or survival is absent."""
    program = shutil.which("Rscript")
    if program is None:
        pytest.skip("Rscript is not installed: no comparison with R")
    folder = tmp_path_factory.mktemp("r")
    with (folder / "table.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(table)
        for row in zip(*table.values(), strict=True):
            writer.writerow(["NA" if isinstance(v, float) and np.isnan(v) else v for v in row])
    call = [program, str(_SCRIPT), str(folder / "table.csv"), str(folder / "answers.csv")]
    ran = subprocess.run(call, capture_output=True, text=True, check=False)
    if "no package called" in ran.stderr:
        pytest.skip("R's package survival is not installed: no comparison with R")
    assert ran.returncode == 0, ran.stderr
    answers = read_answers(folder / "answers.csv")

    def ask(key):
        assert key in answers, key
        return answers[key]

    return ask


_EVALUATION = _SCRIPT.with_name("evaluation_table.csv"), _SCRIPT.with_name("evaluation_answers.csv")


def read_answers(path):
    """Return R's values by key; a key with numbered parts also stands for all of them."""
    answers = defaultdict(list)
    with path.open() as stream:
        for row in csv.DictReader(stream):
            value = np.nan if row["value"] == "NA" else float(row["value"])
            answers[row["key"]] = [value]
            base, _, index = row["key"].rpartition(".")
            if index.isdigit():
                answers[base].append(value)
    return {key: np.array(values) for key, values in answers.items()}


@pytest.fixture(scope="session")
def judged():
    """120 patients with whole-number times, two kinds of event and several predictions, column by column."""
    with _EVALUATION[0].open() as stream:
        rows = list(csv.DictReader(stream))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


@pytest.fixture(scope="session")
def told():
    """What R told of that table (evaluation.R), stored."""
    return read_answers(_EVALUATION[1])
