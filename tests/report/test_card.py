"""Cards of features and genes: every number stands in the artefacts, and nothing is invented where there is none."""

from __future__ import annotations

import shutil

import numpy as np
import polars as pl
import pytest

from radiolocus.errors import ConfigError, StoreError
from radiolocus.report.card import build_card, file_name, write_card
from radiolocus.report.phenotype_table import phenotypes_of
from radiolocus.report.source import Artefacts
from radiolocus.schema import TABLES
from radiolocus.store import read_json, write_json, write_table
from report.artefacts import make
from report.test_html import Page


def rows(table, *given):
    schema = TABLES[table].schema
    return pl.DataFrame([dict.fromkeys(schema) | row for row in given], schema=schema)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    root = make(tmp_path_factory.mktemp("cards"), subjects=40, features=8, variants=60)
    link = pl.read_parquet(root / "link/link.parquet")
    feature = link.filter(pl.col("marker") == "EGFR").sort("neg_log_10_p_value")["feature"][-1]
    place = {"image": "PET", "roi": "GTV", "visit": "", "feature": feature.removeprefix("PET:")}
    told = {"source": "retest", "n_subjects": 31, "n_repeats": 2, "icc_1_1": 0.871, "icc_1_1_lower": 0.752}
    again = place | told | {"icc_1_1_upper": 0.934, "within_subject_sd": 0.5, "repeatability_coefficient": 1.386}
    write_table(root, "features/repeatability", rows("features/repeatability", again))
    write_table(
        root,
        "link/enrichment",
        rows(
            "link/enrichment",
            {"feature": feature, "gene_set": "HYPOXIA", "genes": 22, "normalised_score": 2.1, "camera_t": 3.9,
             "camera_p_value": 1e-4, "camera_q_value": 0.012},
        ),
    )  # fmt: skip
    write_table(
        root,
        "genotyping/verdict",
        rows(
            "genotyping/verdict",
            {"target": "egfr", "model": "elastic_net", "metric": "AUC", "estimate": 0.61, "lower": 0.49, "upper": 0.72,
             "n": 40, "positives": 9, "null_mean": 0.5, "p_value": 0.09, "told": False, "verdict": "not told"},
        ),
    )  # fmt: skip
    study = read_json(root, "study.json")
    study["settings"]["genotyping"] = {"targets": {"egfr": {"marker": "EGFR"}}}
    write_json(root / "study.json", study)
    return root, feature


def test_a_card_of_a_feature_says_what_the_artefacts_say(study):
    root, feature = study
    words = Page(build_card(root, feature)).words()
    known = phenotypes_of(Artefacts(root)).names.filter(pl.col("predictor") == feature).row(0, named=True)
    for said in (known["ibsi_id"], known["name"], "0.87 (0.75–0.93)", "HYPOXIA", "For research only"):
        assert said in words
    univariate = pl.read_parquet(root / "outcome/univariate.parquet").filter(pl.col("predictor") == feature)
    for estimate, lower, upper in univariate.select("estimate", "lower", "upper").iter_rows():
        assert f"{estimate:.2f} ({lower:.2f}–{upper:.2f})" in words
    table = pl.read_parquet(root / "features/features.parquet")
    median = np.median(table[known["feature"]].drop_nulls())
    assert f"median {float(f'{median:.3g}'):g}"[:8] in words.replace("\u2212", "-")


def test_the_feature_alone_is_enough_where_there_is_one_image(study):
    root, feature = study
    assert build_card(root, feature.removeprefix("PET:")) == build_card(root, feature)


def test_a_card_of_a_gene_says_what_the_artefacts_say(study):
    root, feature = study
    words = Page(build_card(root, "egfr")).words()
    positive = pl.read_parquet(root / "molecular/dictionary.parquet").filter(pl.col("marker") == "EGFR")["n_positive"][
        0
    ]
    assert f"{positive} ({100 * positive / 40:.0f} %)" in words
    for said in (feature, "0.61 (0.49–0.72)", "not told", "Whether the image tells it"):
        assert said in words
    assert "TP53" not in words


def test_what_was_not_measured_is_said(study, tmp_path):
    shutil.copytree(study[0], tmp_path / "bare")
    for room in ("features/repeatability", "genotyping/verdict", "link/link", "link/enrichment"):
        (tmp_path / "bare" / f"{room}.parquet").unlink()
    assert "Nothing in this study measured repeatability" in Page(build_card(tmp_path / "bare", study[1])).words()
    assert "did not try to tell it from the image" in Page(build_card(tmp_path / "bare", "EGFR")).words()


def test_a_card_is_one_safe_file_and_the_same_every_time(study, tmp_path):
    root, feature = study
    path = write_card(root, feature, tmp_path / "card.html")
    text = path.read_text(encoding="utf-8")
    assert text == build_card(root, feature)
    assert "default-src 'none'" in text
    assert not [a for a in Page(text).all("a") if a["href"].startswith("http")]
    assert write_card(root, "EGFR") == root / "cards" / "EGFR.html"


def test_an_unknown_name_is_refused_with_the_nearest(study):
    with pytest.raises(ConfigError) as raised:
        build_card(study[0], "EGRF")
    assert raised.value.got == "no feature, gene or marker 'EGRF'"
    assert raised.value.todo == "did you mean 'EGFR'?"


def test_a_folder_without_a_study_is_refused(tmp_path):
    with pytest.raises(StoreError) as raised:
        build_card(tmp_path, "EGFR")
    assert raised.value.got == "no study.json"


@pytest.mark.parametrize(
    ("name", "file"), [("CT:morph_volume", "CT_morph_volume"), ("../../etc/passwd", "etc_passwd"), ("///", "card")]
)
def test_names_become_file_names_of_one_folder(name, file):
    assert file_name(name) == file
