"""Too few permuted markers are no lack of evidence."""

import numpy as np
import polars as pl
import pytest

from radiolocus.associate.genotyping import plan, run_unit
from radiolocus.associate.genotyping_options import GenotypingOptions, GenotypingTarget
from radiolocus.associate.genotyping_tables import summarise


def judged(strength, permutations):
    rng = np.random.default_rng(4)
    subject = [f"S{i:02d}" for i in range(60)]
    marker = (np.arange(60) % 2).astype(float)
    values = rng.normal(size=(60, 4))
    values[:, 0] += strength * marker
    options = GenotypingOptions(
        targets={"IDH": GenotypingTarget()},
        models=("ridge",),
        repeats=1,
        penalties=6,
        bootstrap=200,
        draws=20,
        permutations=permutations,
    )
    features = pl.DataFrame({"subject": subject} | {f"MR:f{k}": values[:, k] for k in range(4)})
    planned = plan(
        pl.DataFrame({"subject": subject, "IDH": marker}), features, pl.DataFrame({"subject": subject}), options
    )
    found = summarise(planned, [run_unit(unit) for unit in planned.units])
    return found.tables["genotyping/verdict"].row(0, named=True), [problem.got for problem in found.problems]


def test_a_marker_that_nine_permutations_cannot_tell_is_not_judged():
    verdict, problems = judged(3.0, 9)
    assert verdict["told"] is None
    assert verdict["p_value"] == pytest.approx(0.1)
    assert verdict["verdict"].startswith("not judged: AUC 0.9")
    assert verdict["verdict"].endswith("p = 0.100, and so few cannot give 0.025 or less: at least 39")
    assert verdict["lower"] == 0.5  # nothing is told, so the interval holds 0.5
    assert verdict["verdict"] in problems


def test_the_same_marker_is_told_by_39():
    verdict, _ = judged(3.0, 39)
    assert verdict["told"] is True
    assert verdict["lower"] > 0.5


def test_noise_is_no_evidence_however_few_the_permutations():
    verdict, _ = judged(0.0, 9)
    assert verdict["told"] is False
    assert verdict["verdict"].startswith("no evidence that the image tells IDH")
