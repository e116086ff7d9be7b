"""The section on networks, of made-up artefacts."""

import re

import numpy as np
import polars as pl
import pytest

from radiolocus.report.html import render
from radiolocus.report.references import methods_of, references_of
from radiolocus.report.sections_deep import deep
from radiolocus.report.source import Artefacts
from radiolocus.schema import TABLES
from radiolocus.store import write_table


def rows(name, *given):
    """Rows of a table; what is not said is null."""
    schema = TABLES[name].schema
    return pl.DataFrame([{column: row.get(column) for column in schema} for row in given], schema=schema)


@pytest.fixture
def root(tmp_path):
    base = {"endpoint": "os", "metric": "Harrell C", "n": 60, "events": 40}
    judged = base | {"kind": "survival", "repeats": 1, "folds": 5, "split": "kfold"}
    tables = {
        "performance": [
            judged
            | {
                "predictors": "CT + molecular",
                "model": "network",
                "patients": "all",
                "estimate": 0.71,
                "lower": 0.6,
                "upper": 0.8,
            },
            judged
            | {
                "predictors": "features",
                "model": "elastic-net Cox",
                "patients": "all",
                "estimate": 0.65,
                "lower": 0.5,
                "upper": 0.7,
            },
        ],
        "differences": [
            base
            | {
                "predictors": "features",
                "model": "elastic-net Cox",
                "patients": "all",
                "estimate": 0.06,
                "lower": 0.01,
                "upper": 0.1,
            },
        ],
        "training": [
            {
                "endpoint": "os",
                "repeat": 0,
                "fold": 0,
                "network": k,
                "epoch": e,
                "validation": 3.0 - 0.1 * k * e,
                "kept": e == 2 * k,
            }
            for k in (0, 1)
            for e in range(3)
        ],
        "attention": [
            {
                "endpoint": "os",
                "subject": "A",
                "repeat": 0,
                "modality": m,
                "attention": 0.5,
                "attribution": 0.2,
                "gap": 0.01,
            }
            for m in ("CT", "molecular")
        ],
        "columns": [
            {
                "endpoint": "os",
                "modality": "molecular",
                "item": f"mut:G{i}",
                "mean_absolute": 0.5 / (i + 1),
                "slope": 0.1,
                "n": 60,
            }
            for i in range(20)
        ],
        "windows": [
            {
                "endpoint": "os",
                "subject": f"S{i}",
                "window": 0,
                "gene": f"G{i % 7}",
                "chromosome": f"chr{i % 3 + 1}",
                "position": i,
                "reference_allele": "A",
                "tumour_allele": "T",
                "attribution": (-1) ** i * i / 40,
            }
            for i in range(40)
        ],
        "maps": [
            {
                "endpoint": "os",
                "subject": s,
                "image": "CT",
                "prediction": risk,
                "height": 6,
                "width": 5,
                "spacing_y": 2.0,
                "spacing_x": 1.0,
                "highest": high,
                "pixels": bytes(range(30)),
                "mask": np.eye(6, 5, dtype=np.uint8).tobytes(),
                "map": bytes(range(0, 240, 8)) if high else bytes(30),
            }
            for s, risk, high in (("A", 1.5, 0.4), ("B", -1.0, 0.0))
        ],
    }
    for name, given in tables.items():
        write_table(tmp_path, f"deep/{name}", rows(f"deep/{name}", *given))
    return tmp_path


def test_the_verdict_says_whether_networks_tell_more_than_the_simple_model(root):
    section = deep(Artefacts(root))
    assert section.verdict == [
        "os by networks: Harrell C 0.71 (0.60–0.80); more than elastic-net Cox on features (difference 0.060 "
        "(0.010–0.100))"
    ]


def test_every_table_has_its_place_on_the_page(root):
    section = deep(Artefacts(root))
    kinds = [block.kind for block in section.blocks]
    assert kinds == ["table", "table", "figure", "table", "figure", "figure", "figure", "text"]
    captions = [str(block.caption) for block in section.blocks if block.kind == "figure"]
    assert "each of 2 networks" in captions[0]
    assert "1 stayed at the linear part" in captions[0]
    assert "In 1 of them nothing speaks for a higher risk" in captions[1]
    assert "the 12 largest of 20" in captions[2]
    assert "40 variants" in captions[3]
    page = render("study", [section], version="0")
    assert not re.search(r"nan|None", page.split("<main")[-1].split("data:image")[0])


def test_methods_and_references_are_told(root):
    art = Artefacts(root)
    assert {"Gated attention", "Grad-CAM", "Integrated gradients"} <= {name for name, _ in references_of(art)}
    told = " ".join(methods_of(art))
    assert "Networks on CT + molecular were trained end to end" in told


def test_without_networks_there_is_no_section(tmp_path):
    assert deep(Artefacts(tmp_path)) is None
