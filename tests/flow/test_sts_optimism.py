"""Why a bootstrap of chosen features is optimistic in the sarcoma patients: the numbers of docs/protocol.md."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from radiolocus.config import Sections, load_study
from radiolocus.pipeline import run_study
from radiolocus.store import read_table

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def patients(data, tmp_path_factory):
    study = load_study(ROOT / "examples" / "sts.toml", data("sts"))
    imaging = replace(study.sections.imaging, images=study.sections.imaging.images[:1])
    part = replace(study, sections=Sections(study.sections.cohort, imaging))
    return patients_of(run_study(part, tmp_path_factory.mktemp("optimism") / "out", jobs=2).root)


def patients_of(folder):
    features = read_table(folder, "features/features").filter(pl.col("image") == "PET")
    events = read_table(folder, "cohort/endpoints").filter(pl.col("endpoint") == "lung_metastasis")
    joined = features.join(events.select("subject", "event"), on="subject").filter(pl.col("event").is_not_null())
    X = joined.select(pl.col("^(morph|stat|cm)_.*$")).to_numpy()
    X = X[:, np.isfinite(X).all(axis=0) & (X.std(axis=0) > 0)]
    return (X - X.mean(axis=0)) / X.std(axis=0), joined["event"].to_numpy().astype(int)


def score(X, y, there):
    return LogisticRegression(C=1e3, max_iter=300).fit(X, y).decision_function(there)


def forward(X, y, count=4):
    """Four columns, each the one that raises the AUC in these patients most."""
    alone = [abs(roc_auc_score(y, column) - 0.5) for column in X.T]
    pool = np.argsort(alone)[::-1][:25]
    chosen = [int(pool[0])]
    while len(chosen) < count:
        rest = [int(j) for j in pool if j not in chosen]
        reached = [roc_auc_score(y, score(X[:, [*chosen, j]], y, X[:, [*chosen, j]])) for j in rest]
        chosen.append(rest[int(np.argmax(reached))])
    return chosen


def bootstrap_632(X, y, samples, rng, *, inside):
    """AUC by the .632 bootstrap; columns are chosen in each sample, or once by everybody."""
    everybody = forward(X, y)
    apparent, left_out = roc_auc_score(y, score(X[:, everybody], y, X[:, everybody])), []
    while len(left_out) < samples:
        rows = rng.integers(y.size, size=y.size)
        out = np.setdiff1d(np.arange(y.size), rows)
        if np.unique(y[rows]).size == 2 == np.unique(y[out]).size:
            kept = forward(X[rows], y[rows]) if inside else everybody
            left_out.append(roc_auc_score(y[out], score(X[np.ix_(rows, kept)], y[rows], X[np.ix_(out, kept)])))
    return 0.368 * apparent + 0.632 * float(np.mean(left_out))


def test_a_bootstrap_of_features_that_everybody_chose_is_optimistic(patients):
    X, y = patients
    rng = np.random.default_rng(1)
    outside = bootstrap_632(X, y, 50, rng, inside=False)
    permuted = np.mean([bootstrap_632(X, rng.permutation(y), 15, rng, inside=False) for _ in range(8)])
    inside = bootstrap_632(X, y, 15, rng, inside=True)
    assert (y.size, int(y.sum()), X.shape[1]) == (51, 19, 68)
    np.testing.assert_allclose([outside, permuted, inside], [0.85, 0.68, 0.78], atol=0.02)
    text = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    assert all(words in text for words in ("reaches 0.85", "reaches 0.68", "0.78"))
