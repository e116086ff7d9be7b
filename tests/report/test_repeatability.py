"""The section of repeatability, and negative controls in that of outcome."""

from __future__ import annotations

import base64

import numpy as np
import polars as pl
import pytest

from radiolocus.report.blocks import Figure, Table, Text
from radiolocus.report.references import methods_of, references_of
from radiolocus.report.sections_outcome import outcome
from radiolocus.report.sections_repeatability import repeatability
from radiolocus.report.source import Artefacts
from radiolocus.schema import CONTROL, TABLES
from radiolocus.store import read_table, write_json, write_table
from report.artefacts import feature_rows, make


def _rows(features, image="PET", source="perturbation", seed=1):
    rng = np.random.default_rng(seed)
    icc = np.clip(1 - rng.exponential(0.15, len(features)), -0.2, 1)
    half = 0.3 * (1 - icc)
    row = {
        "image": image,
        "roi": "GTV",
        "visit": "",
        "source": source,
        "n_subjects": 51,
        "n_incomplete": 0,
        "n_repeats": 4,
        "mean": 2.0,
        "within_subject_sd": 0.1,
        "repeatability_coefficient": 0.2772,
        "reason": None,
    }
    frame = pl.DataFrame([row | {"feature": f} for f in features], infer_schema_length=None)
    columns = {}
    for name in ("icc_1_1", "icc_3_1"):
        columns |= {name: icc, f"{name}_lower": icc - 2 * half, f"{name}_upper": np.minimum(icc + half, 1)}
    return frame.with_columns(**{k: pl.Series(v) for k, v in columns.items()}).select(
        list(TABLES["features/repeatability"].schema)
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("repeatability")
    make(folder)
    tags = [row[0] for row in feature_rows()]
    numbers = ["icc_1_1", "icc_1_1_lower", "icc_1_1_upper", "icc_3_1", "icc_3_1_lower", "icc_3_1_upper"]
    first = _rows(tags).with_columns(
        *(pl.when(pl.col("feature") == tags[3]).then(None).otherwise(pl.col(c)).alias(c) for c in numbers),
        pl.when(pl.col("feature") == tags[3])
        .then(pl.lit("the same value in all subjects and repeats"))
        .alias("reason"),
    )
    second = _rows(tags[:20], "MR_T1", "retest", 2)
    write_table(
        folder, "features/repeatability", pl.concat([first, second.with_columns(reason=pl.lit(None, pl.String))])
    )
    performance = read_table(folder, "outcome/performance")
    rows = performance.filter(predictors="imaging")
    known = [
        rows.with_columns(
            pl.lit(CONTROL + name).alias("predictors"),
            pl.lit(estimate).alias("estimate"),
            pl.lit(estimate - 0.1).alias("lower"),
            pl.lit(estimate + 0.1).alias("upper"),
        )
        for name, estimate in (("shuffled", 0.55), ("outside", 0.71), ("volume", 0.52))
    ]
    write_table(folder, "outcome/performance", pl.concat([performance, *known]))
    return folder


def test_without_a_table_there_is_no_section(tmp_path):
    make(tmp_path)
    assert repeatability(Artefacts(tmp_path)) is None


def test_every_group_has_its_figure_and_its_line(root):
    section = repeatability(Artefacts(root))
    figures = [b for b in section.blocks if isinstance(b, Figure)]
    assert [f.alt.split(" by family")[0] for f in figures] == [
        "Intraclass correlation of 20 features of MR_T1 by test and retest",
        "Intraclass correlation of 74 features of PET by perturbed copies",
    ]
    assert "1 feature without an ICC is not drawn" in figures[1].caption
    assert "to which the interval is to be held" in figures[0].caption
    svg = base64.b64decode(figures[1].source.split(",")[1]).decode()
    assert svg.count("<svg") == 1
    rows = read_table(root, "features/repeatability").filter(image="PET")
    good = int((rows["icc_1_1_lower"] >= 0.75).sum())
    assert section.verdict[1].endswith(f"lower end at least 0.75 in {good}")
    assert "75 features" in section.verdict[1]


def test_families_are_counted_by_the_ends_of_their_intervals(root):
    table = next(b for b in repeatability(Artefacts(root)).blocks if isinstance(b, Table))
    rows = read_table(root, "features/repeatability").filter(image="PET")
    families = {tag: family for tag, _, _, family, *_ in feature_rows()}
    mine = rows.filter(pl.col("feature").is_in([t for t, f in families.items() if f == "glcm"]))
    line = next(r for r in table.rows if r[0] == "PET" and r[2] == "glcm")
    numbers = [line[i].sort for i in (3, 6, 7, 8, 9)]
    lower, upper = mine["icc_1_1_lower"], mine["icc_1_1_upper"]
    assert numbers == [60, (lower >= 0.9).sum(), (lower >= 0.75).sum(), (upper < 0.5).sum(), 0]
    assert line[4].sort == pytest.approx(mine["icc_1_1"].median())


def test_the_poorest_come_first_and_what_has_no_value_says_why(root):
    table = [b for b in repeatability(Artefacts(root)).blocks if isinstance(b, Table)][1]
    pet = [r for r in table.rows if r[0] == "PET"]
    assert pet[0][2] == feature_rows()[3][0]
    assert pet[0][-1] == "the same value in all subjects and repeats"
    values = [r[4].sort for r in pet[1:]]
    assert values == sorted(values)
    assert len(values) == 12 + 5
    rows = read_table(root, "features/repeatability").filter(image="PET")
    assert values[0] == rows["icc_1_1"].min()
    assert values[-1] == rows["icc_1_1"].max()


def test_methods_and_references_are_told(root):
    art = Artefacts(root)
    told = " ".join(methods_of(art))
    assert "ICC(1,1) and ICC(3,1)" in told
    assert "without any outcome" in told
    assert {"ICC", "Intervals of ICC", "Reading an ICC"} <= {name for name, _ in references_of(art)}


def test_a_demand_is_told_with_its_number(root, tmp_path):
    make(tmp_path)
    write_table(tmp_path, "features/repeatability", read_table(root, "features/repeatability"))
    study = Artefacts(tmp_path).study
    settings = study["settings"] | {"link": {"icc_min": 0.75, "icc_by": "lower"}}
    write_json(tmp_path / "study.json", study | {"settings": settings})
    assert "link: lower end of the interval of ICC(1,1) at least 0.75" in " ".join(methods_of(Artefacts(tmp_path)))


def test_controls_stand_beside_imaging_and_nowhere_else(root):
    section = outcome(Artefacts(root))
    tables = {b.caption: b for b in section.blocks if isinstance(b, Table)}
    controls = tables["Negative controls"]
    assert {str(r[1]) for r in controls.rows} == {"imaging", "shuffled", "outside", "volume"}
    assert "the shape of a habitat still tells where intensities lay" in controls.note
    assert not [r for r in tables["Out-of-fold performance"].rows if str(r[1]).startswith(CONTROL)]
    assert not [v for v in section.verdict if "control" in v]
    told = [b.text for b in section.blocks if isinstance(b, Text)]
    assert "No interval of the shuffled image or of volume alone lies above 0.5." in told


def test_a_signal_that_survives_is_named(root, tmp_path):
    make(tmp_path)
    table = read_table(root, "outcome/performance").with_columns(
        pl.when(pl.col("predictors") == CONTROL + "shuffled").then(0.62).otherwise("estimate").alias("estimate"),
        pl.when(pl.col("predictors") == CONTROL + "shuffled").then(0.53).otherwise("lower").alias("lower"),
    )
    write_table(tmp_path, "outcome/performance", table)
    told = [b.text for b in outcome(Artefacts(tmp_path)).blocks if isinstance(b, Text)]
    assert any("shuffled 0.62 (0.53" in t and "survives" in t for t in told)
    assert not any("outside 0.71" in t for t in told)
