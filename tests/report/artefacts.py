"""A folder of artefacts as a whole study leaves it: seeded, of the right shape, and cheap to make.

The numbers are consistent with each other (counts, intervals, curves), not the output of the stages: what is tested
here is the page, so the page must not need the stages.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import polars as pl

from radiolocus.schema import TABLES
from radiolocus.store import write_json, write_table
from report.artefact_results import genetics, link, outcome, response, write_scan

STAGES = ("cohort", "features", "genetics", "molecular", "link", "outcome", "response", "mechanism")
SCRIPT = "<script>alert('x')</script>"

_BASE = [
    ("morph_volume", "Volume (mesh)", "RNU0", "morphology", "mm³"),
    ("morph_vol_approx", "Volume (voxel counting)", "YEKZ", "morphology", "mm³"),
    ("morph_area_mesh", "Surface area (mesh)", "C0JK", "morphology", "mm²"),
    ("morph_sphericity", "Sphericity", "QCFX", "morphology", ""),
    ("morph_diam", "Maximum 3D diameter", "L0JK", "morphology", "mm"),
    ("morph_pca_maj_axis", "Major axis length", "TDIC", "morphology", "mm"),
    ("morph_pca_elongation", "Elongation", "Q3CK", "morphology", ""),
    ("stat_mean", "Mean intensity", "Q4LE", "intensity", "intensity"),
    ("stat_var", "Intensity variance", "ECT3", "intensity", "intensity²"),
    ("stat_skew", "Intensity skewness", "KE2A", "intensity", ""),
    ("stat_kurt", "(Excess) intensity kurtosis", "IPH6", "intensity", ""),
    ("stat_max", "Maximum intensity", "84IY", "intensity", "intensity"),
    ("stat_p90", "90th intensity percentile", "8DWT", "intensity", "intensity"),
    ("stat_cov", "Intensity-based coefficient of variation", "7TET", "intensity", ""),
    ("stat_energy", "Intensity-based energy", "N8CA", "intensity", "intensity²"),
]
_GLCM = [
    "joint_max",
    "joint_avg",
    "joint_var",
    "joint_entr",
    "diff_avg",
    "diff_var",
    "diff_entr",
    "sum_avg",
    "sum_var",
    "sum_entr",
    "energy",
    "contrast",
    "dissimilarity",
    "inv_diff",
    "inv_diff_norm",
    "inv_diff_mom",
    "inv_var",
    "corr",
    "auto_corr",
    "clust_tend",
]


def feature_rows(count: int = 75) -> list[tuple[str, str, str, str, str, str]]:
    """Feature, name, id, family, aggregation, unit."""
    rows = [(tag, name, ibsi, family, "", unit) for tag, name, ibsi, family, unit in _BASE]
    for aggregation in ("3d_avg", "3d_comb", "2d_avg"):
        rows += [
            (f"cm_{t}_{aggregation}", t.replace("_", " ").capitalize(), f"X{i:03d}", "glcm", aggregation, "")
            for i, t in enumerate(_GLCM)
        ]
    return rows[:count]


def _cohort(rng, subjects):
    n = len(subjects)
    clinical = pl.DataFrame(
        {
            "subject": subjects,
            "Age": rng.normal(60, 11, n).round(),
            "Sex": rng.choice(["F", "M"], n),
            "Grade": rng.choice(["Low", "Intermediate", "High"], n),
        }
    )
    member = [(s, "clinical.csv", s.lower(), "joined", None) for s in subjects]
    for source, absent in (("PET", 3), ("MR_T1", 9), ("cohort.fam", 5), ("mutations.maf.gz", 1)):
        gone = set(rng.choice(n, absent, replace=False).tolist())
        member += [
            (s, source, None if i in gone else s, "missing here" if i in gone else "joined", None)
            for i, s in enumerate(subjects)
        ]
    member.append((None, "cohort.fam", "S_0999", "not in cohort", "S_099"))
    columns = list(TABLES["cohort/membership"].schema)
    hazard = np.exp(rng.normal(0, 0.8, n))
    death, censor = rng.exponential(900 / hazard), rng.uniform(300, 2200, n)
    event = (death <= censor).astype(int)
    time = np.minimum(death, censor).round() + 1
    relapse = (rng.random(n) < 0.38).astype(int)
    known = pl.Series([None if i % 40 == 7 else int(v) for i, v in enumerate(relapse)])
    long = pl.concat(
        [
            pl.DataFrame(
                {
                    "subject": subjects,
                    "endpoint": "overall_survival",
                    "kind": "survival",
                    "time": time,
                    "event": event,
                    "unit": "days",
                }
            ),
            pl.DataFrame({"subject": subjects, "endpoint": "relapse", "kind": "binary", "event": known, "unit": ""})
            .with_columns(time=pl.lit(None, pl.Float64))
            .select("subject", "endpoint", "kind", "time", "event", "unit"),
        ]
    )
    tables = {
        "cohort/subjects": clinical,
        "cohort/membership": pl.DataFrame(member, schema=columns, orient="row", infer_schema_length=None),
        "cohort/endpoints": long.with_columns(
            pl.lit(None, kind).alias(name)
            for name, kind in TABLES["cohort/endpoints"].schema.items()
            if name not in long.columns
        ),
    }
    return tables, time, event, np.log(hazard)


def _features(rng, subjects, count):
    rows = feature_rows(count)
    shared = rng.normal(size=(len(subjects), 6))
    data = {"subject": subjects, "image": "PET", "visit": "", "roi": "GTV", "modality": "PT"}
    for i, (tag, *_, unit) in enumerate(rows):
        value = (
            shared @ rng.normal(size=6) * (0.6 if i % 5 else 0.05) + shared[:, i % 6] * 3 + rng.normal(size=len(shared))
        )
        value = np.exp(8 + value / 4) if unit.startswith("mm") else value
        data[tag] = [None if rng.random() < 0.004 else float(v) for v in value]
    dictionary = pl.DataFrame(rows, schema=list(TABLES["features/dictionary"].schema), orient="row")
    return {"features/features": pl.DataFrame(data), "features/dictionary": dictionary}


def thumbnail(rng, size=(48, 56)):
    """Grey pixels with a bright blob, and the blob's mask with a hole in it."""
    height, width = size
    y, x = np.mgrid[:height, :width]
    angle = np.arctan2(y - height / 2, x - width / 2)
    radius = np.hypot((y - height / 2) * rng.uniform(0.8, 1.3), x - width / 2)
    edge = min(size) * rng.uniform(0.15, 0.33) * (1 + 0.2 * np.sin(3 * angle + rng.uniform(0, 6)))
    mask = (radius < edge) & (radius > edge * 0.18)
    grey = 45 + 25 * rng.random(size) + mask * rng.uniform(50, 120) + 40 * np.exp(-((x - 8) ** 2) / 90)
    return np.clip(grey, 0, 255).astype(np.uint8), mask.astype(np.uint8)


def _thumbnails(rng, subjects):
    rows = []
    for subject in subjects:
        grey, mask = thumbnail(rng)
        voxels = int(mask.sum() * rng.integers(5, 20))
        rows.append(
            (
                subject,
                "PET",
                "",
                "GTV",
                "PT",
                "SUVbw g/mL",
                *grey.shape,
                4.0,
                3.2,
                0.0,
                float(rng.uniform(4, 19)),
                grey.tobytes(),
                mask.tobytes(),
                voxels,
                voxels * 0.042,
            )
        )
    frame = pl.DataFrame(
        rows, schema=list(TABLES["features/thumbnails"].schema), orient="row", infer_schema_length=None
    )
    return {"features/thumbnails": frame}


def _problems(subjects):
    rows = [
        (
            "features",
            "set aside",
            subjects[5],
            "PET GTV",
            "S_006/PET_mask.nii.gz",
            "a mask of one voxel",
            "at least 2 voxels",
            "draw the region again, or leave the subject out",
            1,
        ),
        (
            "features",
            "set aside",
            subjects[17],
            "PET GTV",
            "S_018/PET_mask.nii.gz",
            "shape (30, 40, 40) against (31, 40, 40) (z, y, x)",
            "a mask on the grid of its image",
            "export the mask again",
            1,
        ),
        ("features", "no value", subjects[9], "PET:stat_skew", "", "an ROI of one intensity", "two intensities", "", 1),
        ("cohort", "note", None, "Grade", "clinical.csv, sheet Clinical", "'?' read as missing", "", "", 4),
        (
            "cohort",
            "note",
            None,
            None,
            "clinical.csv, rows 123 to 127",
            "note rows under the table were left out",
            "",
            "",
            5,
        ),
        (
            "genetics",
            "note",
            None,
            "153 variants",
            "cohort.bed",
            "minor allele frequency below 0.01",
            "0.01 or more",
            "",
            153,
        ),
    ]
    rows += [
        (
            "genetics",
            "set aside",
            s,
            None,
            "cohort.fam",
            "no genotypes for this subject",
            "an entry in cohort.fam",
            "correct the id, or add an alias under [cohort.ids]",
            1,
        )
        for s in subjects[20:24]
    ]
    return {
        "problems": pl.DataFrame(rows, schema=list(TABLES["problems"].schema), orient="row", infer_schema_length=None)
    }


def _manifest(root, room, tables):
    versions = {"radiolocus": "0.1.0", "numpy": "2.2.1", "scipy": "1.15.0", "polars": "1.20.0"}
    write_json(
        root / room / "manifest.json",
        {
            "stage": room,
            "key": "0" * 64,
            "config_hash": hashlib.sha256(room.encode()).hexdigest(),
            "input_hash": {"clinical.csv": hashlib.sha256(b"c").hexdigest()},
            "versions": versions,
            "seed": 1,
            "wall_time_s": 12.345,
            "tables": {k: v for k, v in tables.items() if k.startswith(f"{room}/")},
        },
    )


def make(
    root: Path,
    *,
    subjects: int = 120,
    features: int = 75,
    variants: int = 5000,
    seed: int = 7,
    without: tuple[str, ...] = (),
    first_subject: str | None = None,
    demo: bool = False,
    p_value: float = 1.0,
) -> Path:
    """Write the artefacts of a study below `root` and return it, but for the tables whose name starts as in "
    "`without`."""
    rng = np.random.default_rng(seed)
    names = [f"S_{i + 1:03d}" for i in range(subjects)]
    if first_subject is not None:
        names[0] = first_subject
    tags = [row[0] for row in feature_rows(features)]
    tables, time, event, risk = _cohort(rng, names)
    tables |= _features(rng, names, features) | _thumbnails(rng, names) | genetics(rng, names, tags, variants)
    tables |= link(rng, names, tags) | outcome(rng, names, time, event, risk, tags) | response(rng, names)
    tables |= _problems([*names, *(f"T_{i}" for i in range(24))])
    rows = tables.pop("sumstats/sumstats")
    written = {k: write_table(root, k, v) for k, v in tables.items() if not k.startswith(without or ("\0",))}
    if "sumstats" not in without:
        write_scan(root, rows, p_value)
    for room in sorted({k.split("/")[0] for k in written if "/" in k}):
        _manifest(root, room, written)
    rooms = {"genetics": "sumstats", "molecular": "molecular"}
    ran = {s: any(k.startswith(f"{rooms.get(s, s)}/") for k in written) for s in STAGES}
    write_json(
        root / "study.json",
        {
            "name": "Radiolocus synthetic cohort",
            "radiolocus_version": "0.1.0",
            "artefact_schema": 1,
            "python_version": "3.11.2",
            "seed": 1,
            "stages": {s: {"ran": ok, "why": "" if ok else f"no section [{s}]"} for s, ok in ran.items()},
            "settings": {
                "cohort": {"id": "Patient ID", "subjects": ["clinical.csv"], "ids": {"case": "upper"}},
                "imaging": {"families": ["morphology", "intensity", "glcm"], "settings": {"bin_width": 0.5}},
                "genetics": {
                    "min_maf": 0.01,
                    "min_call_rate": 0.95,
                    "principal_components": 3,
                    "covariates": ["Age", "Sex"],
                },
                "link": {"covariates": ["Age"], "binary_test": "linear", "continuous_test": "rank"},
                "outcome": {"repeats": 5, "folds": 5, "seed": 1, "bootstrap": 1000},
                "response": {"criterion": "recist11", "confirmation": False},
            },
        },
    )
    if demo:
        truth = pl.DataFrame(
            {
                "kind": ["causal variant", "driver mutation", "false positives"],
                "planted": [
                    "rs101623 on PET:morph_volume",
                    "EGFR on PET:cm_contrast_3d_avg",
                    "none among 4,842 null variants",
                ],
                "found": [True, True, False],
                "evidence": ["smallest p of the scan", "first link of 675", "1 at p < 5e-8, 0.02 expected"],
                "verdict": ["found", "found", "1 false"],
            }
        )
        (root / "demo").mkdir()
        truth.write_parquet(root / "demo" / "truth.parquet")
    return root
