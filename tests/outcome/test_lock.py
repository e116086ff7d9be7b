from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from radiolocus.errors import ConfigError
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.protocol import Protocol
from radiolocus.learn.target import Target
from radiolocus.outcome.lock import lock_model, read_model

LEVELS = ("high", "low", "middle", "rare")
ABOUT = {"endpoint": "os", "unit": "d", "predictors": "all", "performance": (), "settings": {}, "versions": {}}


def patients(seed, n=120):
    rng = np.random.default_rng(seed)
    numeric = rng.normal(size=(n, 3))
    codes = rng.choice([0, 1, 2], n)
    codes[:2] = 3, -1
    time = rng.exponential(np.exp(-numeric[:, 0] - 0.8 * (codes == 0)))
    numeric[rng.random((n, 3)) < 0.1] = np.nan
    data = Predictors(numeric, ("a", "b", "c"), ("imaging",) * 3, codes[:, None], (LEVELS,), ("grade",), ("clinical",))
    return data, Target((rng.random(n) < 0.7).astype(float), time)


def frame_of(data):
    levels = [LEVELS[k] if k >= 0 else None for k in data.codes[:, 0]]
    columns = {name: data.numeric[:, j] for j, name in enumerate(data.numeric_names)}
    return pl.DataFrame({"subject": [f"p{i}" for i in range(data.n)], **columns, "grade": levels})


def fitted(target, data, **options):
    asked = ProtocolOptions(inner_folds=3, penalties=10, **options)
    tuned = Protocol(asked).fit(data, target, np.random.SeedSequence(1))
    kind = "binary" if target.time is None else "survival"
    about = ABOUT | {"kind": kind, "model": "elastic net", "patients": target.n, "events": target.events}
    return tuned, lock_model(tuned, data, **about)


@pytest.mark.parametrize("indicator", [False, True])
@pytest.mark.parametrize("survival", [False, True])
def test_the_file_predicts_as_the_model_does(tmp_path, survival, indicator):
    data, target = patients(1)
    target = target if survival else Target((target.time < np.median(target.time)).astype(float))
    tuned, locked = fitted(target, data, missing_indicator=indicator, ridge_up_to=20)
    assert {c.kind for c in locked.columns} == {"number", "level"} | ({"missing"} if indicator else set())
    (tmp_path / "m.json").write_bytes(locked.to_json())
    read = read_model(tmp_path / "m.json")
    assert read == locked
    new, _ = patients(2)
    linear, told = read.linear(frame_of(new))
    np.testing.assert_allclose(linear, tuned.predict(new), rtol=1e-12, atol=1e-14)
    if survival:
        np.testing.assert_allclose(read.risk(linear, [0.3, 1.0]), 1 - tuned.survival(new, [0.3, 1.0]), rtol=1e-9)
    else:
        np.testing.assert_allclose(read.risk(linear, [])[:, 0], tuned.probability(new)[:, 1], rtol=1e-12)
    missing = sum("missing: " in what and name in "abc" for _, name, what in told)
    assert missing == np.isnan(new.numeric).sum()
    assert ("p1", "grade", "missing: the most frequent category is taken") in told


def test_a_category_that_training_did_not_hold_is_named():
    data, target = patients(1)
    _, locked = fitted(target, data, ridge_up_to=20)
    frame = frame_of(patients(2)[0]).with_columns(grade=pl.lit("unheard"))
    _, told = locked.linear(frame)
    assert ("p5", "grade", "category 'unheard' was not in training") in told


def test_a_model_of_harmonised_features_or_without_coefficients_is_refused():
    data, target = patients(1)
    scanned = Predictors(
        np.nan_to_num(data.numeric), *(getattr(data, name) for name in list(data.__dataclass_fields__)[1:7]),
        np.array(["s", "t"] * 60),
    )  # fmt: skip
    with pytest.raises(ConfigError, match="harmonised"):
        fitted(target, scanned, harmonise="scanner")
    forest = Protocol(ProtocolOptions(inner_folds=3), "survival_forest").fit(data, target, np.random.SeedSequence(1))
    with pytest.raises(ConfigError, match="a locked random survival forest"):
        lock_model(forest, data, **ABOUT | {"model": "random survival forest"})


@pytest.mark.parametrize("name", ["ipf_lasso", "sparse_group_lasso", "stacked", "factors"])
def test_models_of_several_blocks_are_locked_like_any_linear_one(tmp_path, name):
    data, target = patients(1)
    tuned = Protocol(ProtocolOptions(inner_folds=3, penalties=8), name).fit(data, target, np.random.SeedSequence(1))
    about = ABOUT | {"kind": "survival", "model": name, "patients": target.n, "events": target.events}
    locked = lock_model(tuned, data, **about)
    (tmp_path / "m.json").write_bytes(locked.to_json())
    new, _ = patients(2)
    linear, _ = read_model(tmp_path / "m.json").linear(frame_of(new))
    np.testing.assert_allclose(linear, tuned.predict(new), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(locked.risk(linear, [0.3, 1.0]), 1 - tuned.survival(new, [0.3, 1.0]), rtol=1e-8)


def test_a_model_of_patients_who_may_lack_a_block_is_refused():
    data, target = patients(1)
    lacking = replace(data, numeric=np.where(np.arange(120)[:, None] % 3 == 0, np.nan, data.numeric), partial=True)
    tuned = Protocol(ProtocolOptions(inner_folds=3, penalties=8), "stacked").fit(
        lacking, target, np.random.SeedSequence(1)
    )
    with pytest.raises(ConfigError) as caught:
        lock_model(tuned, lacking, **ABOUT, kind="survival", model="stacked blocks", patients=1, events=1)
    assert caught.value.got == "a locked stacked blocks"
