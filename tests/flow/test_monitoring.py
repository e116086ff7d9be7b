"""Monitoring from the response and from imaging features over visits, in whole studies."""

import shutil

import numpy as np
import polars as pl
import pytest

from flow.small_study import RESPONSE, STUDY, SmallStudy
from radiolocus.store import read_table

pytestmark = pytest.mark.slow
SMALL = "repeats = 1\nfolds = 2\nbootstrap = 20\ndraws = 2\npermutations = 1\nmin_events = 2\n"


def test_the_response_is_followed(tmp_path):
    (tmp_path / "study").mkdir()
    study = SmallStudy(tmp_path / "study", n=24)
    study.text = STUDY + RESPONSE
    study.text += '[monitoring]\nsource = "response"\nlog = ["size"]\nwindow = 12.0\nlandmarks = [0.0, 1.9]\n' + SMALL
    done = study.run()
    visits = read_table(done.root, "monitoring/visits")
    assert visits.height, [p["got"] for p in study.problems(done) if p["stage"] == "monitoring"]
    assert visits["marker"].unique().to_list() == ["log size"]
    # Week 8 stands in months, the unit of the endpoint.
    assert visits["time"].unique().sort().to_list() == pytest.approx([0.0, 56 / 30.4375])
    sums = read_table(done.root, "response/criteria").filter(criterion="recist11", subject="S01").sort("day")
    own = visits.filter(subject="S01").sort("time")
    np.testing.assert_allclose(np.exp(own["value"]), sums["value"][: own.height])
    assert read_table(done.root, "monitoring/performance")["landmark"].drop_nulls().unique().sort().to_list() == [
        0.0,
        1.9,
    ]


def test_imaging_features_are_followed_over_visits(tmp_path):
    (tmp_path / "study").mkdir()
    study = SmallStudy(tmp_path / "study", n=24)
    for i, subject in enumerate(study.subjects):
        folder = study.root / "images" / subject
        other = study.root / "images" / study.subjects[(i + 7) % 24]
        for visit, source in (("first", folder), ("second", other)):
            (folder / visit).mkdir()
            for name in ("ct.nii.gz", "mask.nii.gz"):
                shutil.copy(source / name, folder / visit / name)
    rows = [(s, v, t) for s in study.subjects for v, t in (("first", 0.0), ("second", 1.0))]
    pl.DataFrame(rows, schema=["id", "scan", "month"], orient="row").write_csv(study.root / "dates.csv")
    study.text = STUDY.replace("images/{subject}/", "images/{subject}/{visit}/")
    study.text += '[monitoring]\nsource = "imaging"\ntable = "dates.csv"\nvisit = "scan"\ntime = "month"\n'
    study.text += 'markers = ["CT:stat_mean", "CT:morph_volume"]\nlog = ["CT:morph_volume"]\nwindow = 12.0\n'
    study.text += "landmarks = [0.0, 1.0]\n" + SMALL
    done = study.run()
    visits = read_table(done.root, "monitoring/visits")
    assert visits.height, [p["got"] for p in study.problems(done) if p["stage"] == "monitoring"]
    assert set(visits["marker"]) == {"CT:stat_mean", "log CT:morph_volume"}
    features = read_table(done.root, "features/features").filter(subject="S01", visit="second")
    own = visits.filter(subject="S01", marker="CT:stat_mean", time=1.0)
    assert own["value"].to_list() == features["stat_mean"].to_list()
    assert read_table(done.root, "monitoring/risk")["visits"].max() == 2
