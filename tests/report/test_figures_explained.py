"""Figures that judge and explain outcome models draw what they are given, gaps and all."""

import numpy as np
import polars as pl
import pytest

from radiolocus.report.blocks import Figure, Table
from radiolocus.report.figures_explained import beeswarm, importance_bars, nomogram, ratios, schoenfeld
from radiolocus.report.figures_judged import calibration, decision, over_time, widest
from radiolocus.report.sections_judged import compared_blocks, explained_blocks, judged_blocks, predicted_blocks
from radiolocus.report.source import Artefacts
from radiolocus.schema import TABLES
from radiolocus.store import write_table

KEY = {"endpoint": "os", "model": "ridge Cox"}
X = np.linspace(0.1, 0.9, 9)


def frame(name, rows):
    schema = TABLES[f"outcome/{name}"].schema
    return pl.DataFrame([{**dict.fromkeys(schema), **KEY, **row} for row in rows], schema=schema)


def tables():
    sets = ("clinical", "imaging", "all")
    found = {
        "calibration": [
            {"predictors": s, "time": 12.0, "predicted": x, "observed": x**2, "lower": x / 3 if x > 0.2 else None}
            | {"upper": min(1.0, 2 * x) if x > 0.2 else None}
            for s in sets for x in X
        ],
        "decision": [
            {"predictors": s, "time": 12.0, "threshold": x, "net_benefit": 0.3 - x if x < 0.7 else None}
            | {"lower": 0.2 - x, "upper": 0.4 - x, "treat_all": 0.3 - x / (1 - x)}
            for s in sets for x in X
        ],
        "over_time": [
            {"predictors": s, "metric": m, "time": 10 * x, "estimate": v, "lower": v - 0.1, "upper": v + 0.1}
            for s in sets for x in X
            for m, v in (("AUC(t)", 0.7), ("Brier(t)", x / 5), ("Brier(t) without predictors", x / 4))
        ],
        "evaluation": [
            {"predictors": s, "metric": m, "time": 12.0, "estimate": 0.9, "lower": 0.5, "n": 50, "events": 20}
            for s in sets for m in ("O/E", "calibration slope", "ICI", "E50", "E90")
        ],
        "importance": [
            {"predictors": "all", "predictor": f"f{j}", "block": "b", "importance": 0.1 - 0.02 * j if j < 6 else None}
            | {"lower": -0.1 if j % 2 else None, "upper": 0.2 if j % 2 else None, "mean_abs_shap": 0.3, "scale": "s"}
            for j in range(8)
        ],
        "shap": [
            {"predictors": "all", "subject": f"s{i}", "predictor": p, "block": "b", "contribution": (i - 5) / 9}
            | {"base": 0.0} | ({"value": float(i) if i else None} if p == "f0" else {"level": "high"})
            for p in ("f0", "grade") for i in range(12)
        ],
        "nomogram": [
            {"predictors": "all", "axis": k, "predictor": p, "block": "b", "kind": kind, "label": label, "value": v}
            | {"points": w, "contribution": w / 50}
            for k, p, kind, label, v, w in (
                (0, "age", "number", "16", 16.0, 0.0), (0, "age", "number", "83", 83.0, 100.0),
                (1, "grade", "category", "low or middle or rare", None, 0.0),
                (1, "grade", "category", "high", None, 20.0),
                (2, "score of 4 other predictors", "score", "-0.1", -0.1, 0.0),
                (2, "score of 4 other predictors", "score", "0.2", 0.2, 3.0),
            )
        ],
        "nomogram_risk": [
            {"predictors": "all", "points": p, "linear_predictor": p / 50, "time": t, "risk": 0.2 + p / 1000 * t / 12}
            for t in (12.0, 24.0) for p in np.linspace(0, 123, 41)
        ],
        "hazard_ratios": [
            {"predictors": "clinical", "model": "Cox", "covariate": c, "block": "b", "unit": "against the reference"}
            | {"measure": "hazard ratio", "estimate": e, "lower": e and e / 2, "upper": e and e * 2}
            | {"neg_log_10_p_value": e and 1.0, "chosen": False, "n": 50, "events": 20}
            for c, e in (("sex=male", 1.5), ("grade=low", None))
        ],
        "proportional_hazards": [
            {"predictors": "clinical", "model": "Cox", "covariate": c, "statistic": 1.0, "degrees_of_freedom": 1}
            | {"neg_log_10_p_value": 0.5, "n": 50, "events": 20}
            for c in ("sex=male", "age", "all together")
        ],
        "schoenfeld": [
            {"predictors": "clinical", "model": "Cox", "covariate": c, "part": part, "time": 10 * x, "transformed": x}
            | {"estimate": x - 0.5} | ({"lower": x - 1, "upper": x} if part == "smooth" else {})
            for c, parts in (("sex=male", ("residual", "smooth")), ("age", ("residual",))) for part in parts for x in X
        ],
        "performance": [
            {"predictors": s, "kind": "survival", "metric": "Harrell C", "estimate": 0.7, "lower": 0.6, "upper": 0.8}
            | {"n": 50, "events": 20, "candidates": 4, "repeats": 1, "folds": 5, "split": "kfold"}
            for s in sets
        ],
    }  # fmt: skip
    return {name: frame(name, rows) for name, rows in found.items()}


@pytest.fixture(scope="module")
def made():
    return tables()


def test_every_figure_is_drawn_and_told(made):
    measures = {r["metric"]: r for r in made["evaluation"].filter(predictors="all").iter_rows(named=True)}
    risk = made["nomogram_risk"]
    figures = [
        calibration(made["calibration"], measures, "months"),
        decision(made["decision"], "months"),
        over_time(made["over_time"], "months"),
        importance_bars(made["importance"]),
        beeswarm(made["shap"], "linear predictor"),
        nomogram(made["nomogram"], risk, "months"),
        nomogram(made["nomogram"], risk.with_columns(time=pl.lit(None, pl.Float64)).head(41), ""),
        ratios(made["hazard_ratios"]),
        schoenfeld(made["schoenfeld"], made["proportional_hazards"], "months"),
    ]
    assert all(isinstance(f, Figure) and f.source.startswith("data:image/svg") for f in figures)
    assert "slope 0.90 (0.50–?)" in figures[0].alt
    assert "10 for each column" in figures[7].caption
    assert importance_bars(made["importance"].with_columns(importance=pl.lit(None, pl.Float64))) is None
    assert widest(made["calibration"]) == "all"
    assert widest(made["calibration"].filter(predictors="imaging")) == "imaging"


def test_sections_come_in_order_and_say_what_is_missing(made, tmp_path):
    for name, table in made.items():
        write_table(tmp_path, f"outcome/{name}", table)
    art, performance = Artefacts(tmp_path), made["performance"]
    kinds = [b.caption.split(":")[0] if isinstance(b, Table) else b.alt for b in judged_blocks(art, performance, {})]
    assert [k.split(" of ")[0] for k in kinds[:3]] == [
        "AUC(t) and Brier score",
        "Calibration curves",
        "Decision curves",
    ]
    assert kinds[-1] == "Calibration and further measures, out of fold (15)"
    explained = explained_blocks(art, performance, {"os": "months"})
    alts = [b.alt for b in explained if isinstance(b, Figure)]
    assert [a.split(" of ")[0] for a in alts] == [
        "Permutation importance", "Contributions", "Nomogram", "Forest plot", "Scaled Schoenfeld residuals",
    ]  # fmt: skip
    audit = pl.DataFrame({"endpoint": ["os"], "predictors": ["all"], "check": ["sample size"], "value": [900.0]})
    (table,) = predicted_blocks(performance, audit)
    assert [cell.text for cell in table.rows[-1][3:]] == ["50", "20", "4", "5", "900"]
    assert compared_blocks(None) == []
    assert explained_blocks(Artefacts(tmp_path / "none"), None, {}) == []
