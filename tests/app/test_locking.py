import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from flow.small_study import OUTCOME, SmallStudy
from radiolocus.app.cli import app
from radiolocus.errors import ConfigError, InputError, StoreError, TableError
from radiolocus.outcome.lock import read_model
from radiolocus.store import read_table

MODEL = OUTCOME.replace("repeats = 2", "repeats = 1\npermutations = 0")


def ran(*arguments):
    found = CliRunner().invoke(app, [str(a) for a in arguments])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """Two runs of which age tells survival, and a model locked in the first."""
    root = tmp_path_factory.mktemp("locking")
    for name, seed in (("here", 1), ("there", 2)):
        study = SmallStudy(root / name, n=40)
        rng = np.random.default_rng(seed)
        age = rng.integers(40, 80, 40)
        months = (rng.exponential(20 * np.exp(-(age - 60) / 8)) + 0.1).round(3)
        relapse = np.where(rng.random(40) < 1 / (1 + np.exp(-(age - 60) / 6)), "yes", "no")
        study.clinical = study.clinical.with_columns(
            pl.Series("age", age), pl.Series("months", months), pl.Series("relapse", relapse)
        ).with_columns(dead=pl.Series(np.where(rng.random(40) < 0.8, "yes", "no")))
        study.text += MODEL
        study.run(f"{name}_out")
    told = ran("lock", root / "here_out", "--endpoint", "os", "--predictors", "clinical", "--out", root / "os.json")
    assert "clinical: 1 predictors, 40 patients" in told.output
    return root


def test_the_file_holds_the_numbers_of_the_model_and_what_it_did_out_of_fold(studies):
    model = read_model(studies / "os.json")
    assert list(model.needed) == ["age"]
    column = model.columns[0]
    age = read_table(studies / "here_out", "cohort/subjects")["age"].to_numpy()
    assert (column.low, column.high, column.impute) == (age.min(), age.max(), np.median(age))
    assert (column.mean, column.scale) == pytest.approx((age.mean(), age.std()))
    assert column.coefficient > 0
    assert [row["metric"] for row in model.performance] == ["Harrell C"]
    assert model.performance[0]["estimate"] > 0.6
    assert np.all(np.diff(model.baseline_hazard) > 0)
    text = (studies / "os.json").read_text()
    assert "S01" not in text
    assert str(studies) not in text
    again = ran(
        "lock", studies / "here_out", "--endpoint", "os", "--predictors", "clinical", "--out", studies / "b.json"
    )
    assert again.exit_code == 0
    assert (studies / "b.json").read_bytes() == (studies / "os.json").read_bytes()


def test_a_prediction_is_the_written_out_model(studies):
    told = ran(
        "predict", studies / "os.json", studies / "there_out", "--time", 5, "--time", 10, "--out", studies / "p.csv"
    )
    found = pl.read_csv(studies / "p.csv")
    model = read_model(studies / "os.json")
    age = read_table(studies / "there_out", "cohort/subjects")["age"].to_numpy()
    column = model.columns[0]
    linear = column.coefficient * (age - column.mean) / column.scale
    np.testing.assert_allclose(found["linear_predictor"], linear, rtol=1e-12)
    hazard = model.baseline_hazard[np.searchsorted(model.baseline_time, 10.0, side="right") - 1]
    np.testing.assert_allclose(found["risk_by_10"], 1 - np.exp(-hazard * np.exp(linear)), rtol=1e-12)
    assert found.filter(pl.col("linear_predictor") > model.threshold)["risk_group"].unique().to_list() == ["high"]
    outside = ((age < column.low) | (age > column.high)).sum()
    assert told.output.count("outside the training range") == outside
    assert told.exit_code == (3 if outside else 0)


def test_a_table_of_new_patients_is_warned_about(studies):
    table = studies / "new.csv"
    pl.DataFrame({"subject": ["001", "002", "003"], "age": [60.0, None, 200.0]}).write_csv(table)
    told = ran("predict", studies / "os.json", table, "--time", 5, "--out", studies / "n.csv")
    assert told.exit_code == 3
    assert "002: age: missing:" in told.output
    assert "003: age: 200 is outside the training range" in told.output
    assert pl.read_csv(studies / "n.csv", infer_schema=False)["subject"].to_list() == ["001", "002", "003"]


def test_a_table_is_read_as_clinical_tables_are(studies):
    table = studies / "messy.csv"
    table.write_text("subject;age\n001;60,5\n002;sixty\n" + "".join(f"{i:03d};50\n" for i in range(3, 20)))
    told = ran("predict", studies / "os.json", table, "--time", 5, "--out", studies / "m.csv")
    assert "messy.csv, row 3, column 'age': text 'sixty' in a column of numbers became null" in told.output
    found, model = pl.read_csv(studies / "m.csv", infer_schema=False), read_model(studies / "os.json")
    column = model.columns[0]
    assert found["subject"][0] == "001"
    assert float(found["linear_predictor"][0]) == pytest.approx(
        column.coefficient * (60.5 - column.mean) / column.scale
    )
    table.write_text("subject,age\n001,60\n002,61\n001,62\n")
    with pytest.raises(TableError, match="row 4: subject 001 more than once"):
        ran("predict", studies / "os.json", table, "--time", 5, "--out", studies / "m.csv")


def test_validation_says_how_well_it_does_elsewhere(studies):
    order = ("--time", 5, "--out", studies / "v.csv", "--recalibrated", studies / "v.json")
    told = ran("validate", studies / "os.json", studies / "there_out", *order)
    found = pl.read_csv(studies / "v.csv")
    assert found["metric"].to_list()[:3] == ["Harrell C", "Uno C", "observed / expected"]
    c = found.row(0, named=True)
    assert c["lower"] < c["estimate"] < c["upper"]
    assert c["estimate"] > 0.6
    slope = found.filter(metric="calibration slope").row(0, named=True)
    assert slope["lower"] < 1 < slope["upper"]
    assert "Harrell C: 0." in told.output
    before, after = read_model(studies / "os.json"), read_model(studies / "v.json")
    slope = after.settings["recalibrated"]["slope"]
    assert after.columns[0].coefficient == pytest.approx(slope * before.columns[0].coefficient)
    assert f"recalibrated by a slope of {slope:.3f}" in told.output


def test_patients_that_look_like_those_of_training_are_told(studies):
    told = ran("validate", studies / "os.json", studies / "here_out", "--out", studies / "same.csv")
    assert "exactly as in training: if they are the same, this is no validation" in told.output


def test_a_study_file_is_run_first(studies):
    order = ("--time", 5, "--out", studies / "toml.csv", "--results", studies / "there_again")
    ran("predict", studies / "os.json", studies / "there" / "study.toml", *order)
    ran("predict", studies / "os.json", studies / "there_out", "--time", 5, "--out", studies / "folder.csv")
    assert (studies / "toml.csv").read_bytes() == (studies / "folder.csv").read_bytes()


def test_a_binary_endpoint_has_a_probability(studies):
    ran("lock", studies / "here_out", "--endpoint", "relapse", "--predictors", "clinical", "--out", studies / "r.json")
    ran("predict", studies / "r.json", studies / "there_out", "--out", studies / "q.csv")
    found = pl.read_csv(studies / "q.csv")
    np.testing.assert_allclose(found["probability"], 1 / (1 + np.exp(-found["linear_predictor"])), rtol=1e-12)
    ran("validate", studies / "r.json", studies / "there_out", "--out", studies / "w.csv")
    assert pl.read_csv(studies / "w.csv")["metric"].to_list()[0] == "AUC"


def test_what_cannot_be_locked_predicted_or_validated_is_refused(studies):
    here = studies / "here_out"
    with pytest.raises(ConfigError, match="unknown endpoint 'death'"):
        ran("lock", here, "--endpoint", "death", "--out", studies / "x.json")
    with pytest.raises(ConfigError, match="no model of 'os' from 'molecular'"):
        ran("lock", here, "--endpoint", "os", "--predictors", "molecular", "--out", studies / "x.json")
    with pytest.raises(ConfigError, match="model 'forest'"):
        ran("lock", here, "--endpoint", "os", "--model", "forest", "--out", studies / "x.json")
    with pytest.raises(StoreError, match="no finished run"):
        ran("lock", studies, "--out", studies / "x.json")
    pl.DataFrame({"subject": ["a"], "aeg": [60.0]}).write_csv(studies / "y.csv")
    with pytest.raises(TableError, match="no column 'age'"):
        ran("predict", studies / "os.json", studies / "y.csv", "--time", 5, "--out", studies / "x.csv")
    with pytest.raises(InputError, match="time 1e\\+06"):
        ran("predict", studies / "os.json", studies / "there_out", "--time", 1e6, "--out", studies / "x.csv")
    with pytest.raises(ConfigError, match="no endpoint 'death'"):
        ran("validate", studies / "os.json", here, "--endpoint", "death", "--out", studies / "x.csv")
    with pytest.raises(InputError, match="a binary endpoint"):
        ran("validate", studies / "os.json", here, "--endpoint", "relapse", "--out", studies / "x.csv")
    assert not (studies / "x.json").exists()
    assert not (studies / "x.csv").exists()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda raw: b"\x80\x04", "not JSON"),
        (lambda raw: b"[1]", "format 'list'"),
        (lambda raw: raw.replace(b"model 1", b"model 9"), "format 'radiolocus locked model 9'"),
        (lambda raw: raw.replace(b'"intercept": 0.0', b'"intercept": 5.0'), "does not match its SHA-256"),
    ],
)
def test_a_file_of_a_stranger_is_checked_before_it_is_used(studies, tmp_path, spoil, told):
    raw = (studies / "os.json").read_bytes()
    (tmp_path / "m.json").write_bytes(spoil(raw))
    assert spoil(raw) != raw
    with pytest.raises(InputError, match=told):
        read_model(tmp_path / "m.json")


def test_numbers_that_are_none_are_refused_even_with_a_hash_that_fits(studies, tmp_path):
    from radiolocus.outcome.lock import _hash

    body = json.loads((studies / "os.json").read_text())
    del body["sha256"]
    body["columns"][0]["scale"] = 0.0
    (tmp_path / "m.json").write_text(json.dumps({**body, "sha256": _hash(body)}))
    with pytest.raises(InputError, match="unusable"):
        read_model(tmp_path / "m.json")
