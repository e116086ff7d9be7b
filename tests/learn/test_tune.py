"""Nothing sees the held-out part: every model, every step, every split."""

import numpy as np
import pytest

from radiolocus.learn.models import MODELS
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.protocol import Protocol, Rowwise, bootstrap_fit
from radiolocus.learn.target import Target

KINDS = ("survival", "binary", "ordinal", "multiclass", "competing")
SMALL = {"folds": 3, "inner_folds": 2, "penalties": 6}


@pytest.fixture(autouse=True)
def small_forests(monkeypatch):
    """Twenty trees do for what is asked here."""
    monkeypatch.setattr("radiolocus.learn.trees._TREES", 20)


def competing(time, event, rng):
    """The same times, of whose other ends some are a competing event."""
    state = np.where(event, 1.0, rng.choice([0.0, 2.0], time.size))
    return Target(event.astype(float), time, state=state)


def study(n=72, seed=1):
    """Predictors with gaps, a category, sites that differ, and an endpoint of each kind."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 8))
    site = np.array(["a", "b", "c"])[np.arange(n) % 3]
    X += (site == "b")[:, None] * 0.8
    risk = X[:, 0] + 0.5 * X[:, 1]
    died, lost = rng.exponential(np.exp(-risk)), rng.exponential(1.5, n)
    grade = np.digitize(risk + rng.logistic(size=n), [-0.7, 0.7]).astype(float)
    targets = {
        "survival": Target((died <= lost).astype(float), np.minimum(died, lost) + 0.01),
        "binary": Target((risk + rng.logistic(size=n) > 0).astype(float)),
        "ordinal": Target(grade, None, ("low", "mid", "high"), ordered=True),
        "multiclass": Target(grade, None, ("x", "y", "z")),
        "competing": competing(np.minimum(died, lost) + 0.01, died <= lost, rng),
    }
    X[rng.random(X.shape) < 0.05] = np.nan
    codes = rng.choice([0, 1, -1], p=[0.6, 0.35, 0.05], size=(n, 1))
    predictors = Predictors(
        X,
        tuple(f"x{j}" for j in range(8)),
        ("imaging",) * 8,
        codes,
        (("f", "m"),),
        ("sex",),
        ("clinical",),
        site,
        rng.normal(60, 9, (n, 1)),
    )
    return predictors, targets, site


def poisoned(predictors, rows):
    """Make everything that is known of some rows strange: values, gaps, categories, site and covariates."""
    numeric, codes = predictors.numeric.copy(), predictors.codes.copy()
    numeric[rows] = np.where(np.isnan(numeric[rows]), 1e6, -1e6 * numeric[rows])
    numeric[np.flatnonzero(rows)[0]] = np.nan
    codes[rows] = -1
    batch, keep = predictors.batch.astype("U9"), predictors.keep.copy()
    batch[rows], keep[rows] = "elsewhere", np.nan
    return Predictors(
        numeric,
        predictors.numeric_names,
        predictors.numeric_blocks,
        codes,
        predictors.levels,
        predictors.categorical_names,
        predictors.categorical_blocks,
        batch,
        keep,
    )


def numbers(model, predictors):
    """Everything that a training part decided, and what the model makes of probes that nobody poisoned."""
    probe = predictors.take(np.arange(20))
    fitted = (model.preprocess.columns, model.preprocess.mean, model.preprocess.scale, model.threshold, model.deviance)
    return [np.asarray(v).tobytes() for v in (*fitted, model.predict(probe))] + [dict(model.setting)]


def check(options, model, kind, k=1):
    predictors, targets, site = study()
    target = targets[kind]
    rows = Rowwise(None, site, np.arange(target.n, dtype=float))
    protocol = Protocol(options, model)
    clean = protocol.run(predictors, target, 0, rows)
    k = min(k, clean.fold.max())
    held_out = clean.fold == k
    again = protocol.run(poisoned(predictors, held_out), target, 0, rows)
    np.testing.assert_array_equal(clean.fold, again.fold)
    assert numbers(clean.models[k], predictors) == numbers(again.models[k], predictors)
    return clean, again, held_out


@pytest.mark.parametrize("model", MODELS)
def test_a_poisoned_test_fold_changes_no_number_of_any_model(model):
    learner = MODELS[model]
    if learner.needs:
        pytest.importorskip(learner.needs)
    kind = next(k for k in KINDS if k in learner.kinds)
    options = ProtocolOptions(**SMALL, harmonise="site", harmonise_keep=("age",))
    clean, again, held_out = check(options, model, kind)
    if clean.models[1].fit.coefficient.any():
        assert (clean.prediction[held_out] != again.prediction[held_out]).any(), "the poison is really there"


@pytest.mark.parametrize("select", ["univariate", "mrmr", "elastic_net", "stability"])
@pytest.mark.parametrize("kind", ["survival", "binary"])
def test_a_poisoned_test_fold_changes_no_selection(select, kind):
    options = ProtocolOptions(
        **SMALL, select=select, select_count=3, stability_draws=8, stability_threshold=0.6, max_same=0.9
    )
    clean, _, _ = check(options, "elastic_net", kind)
    assert all(len(m.preprocess.columns) <= 5 for m in clean.models)


@pytest.mark.parametrize("split", ["site", "temporal"])
def test_a_poisoned_site_or_future_changes_nothing(split):
    options = ProtocolOptions(**SMALL, split=split, site="site", date="date", harmonise="site")
    clean, _, held_out = check(options, "ridge", "survival")
    if split == "temporal":
        assert held_out.sum() == 22
        assert (np.flatnonzero(held_out) >= 50).all()
        assert np.isnan(clean.prediction[~held_out]).all()


def test_whom_a_bootstrap_sample_left_out_changes_nothing():
    predictors, targets, _ = study()
    options = ProtocolOptions(**SMALL, split="bootstrap", harmonise="site")
    clean = bootstrap_fit(predictors, targets["survival"], options, 3)
    again = bootstrap_fit(poisoned(predictors, clean.times == 0), targets["survival"], options, 3)
    np.testing.assert_array_equal(clean.times, again.times)
    assert numbers(clean.model, predictors) == numbers(again.model, predictors)
    assert 0.5 < (clean.times > 0).mean() < 0.75


def test_where_the_poison_may_be_seen_it_is_seen():
    predictors, targets, _ = study()
    protocol = Protocol(ProtocolOptions(**SMALL, harmonise="site"), "ridge")
    clean = protocol.run(predictors, targets["survival"])
    again = protocol.run(poisoned(predictors, clean.fold == 1), targets["survival"])
    assert numbers(clean.models[0], predictors) != numbers(again.models[0], predictors)
    told = {name: note for name, note, _ in again.notes}
    assert told["elsewhere"] == "batch was not in a training part: its subjects are not harmonised"


def test_the_steps_stand_in_their_order():
    options = ProtocolOptions(select="stability", harmonise="scanner", max_same=0.9, split="temporal", date="scan date")
    steps = dict(Protocol(options, "forest").steps())
    assert list(steps) == ["split", "harmonise", "impute", "filter", "select", "scale", "fit", "tune"]
    assert steps["harmonise"] == "ComBat by scanner"
    assert steps["split"] == "the latest 30% by scan date held out"
    assert steps["select"].startswith("stability, 50 pairs of halves, 75%")
    assert steps["fit"] == "random forest"
