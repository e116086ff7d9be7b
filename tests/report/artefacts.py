"""A folder of artefacts as a whole study leaves it: seeded, of the right shape, and cheap to make.

The numbers are consistent with each other (counts, intervals, curves), not the output of the stages: what is tested
here is the page, so the page must not need the stages.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
import polars as pl
from scipy import stats

from radiolocus.schema import TABLES
from radiolocus.store import write_json, write_table

STAGES = ("cohort", "features", "genetics", "molecular", "link", "outcome", "response")
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
        "cohort/endpoints": long,
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


def _genetics(rng, subjects, features, variants):
    n = len(subjects)
    lengths = np.array(
        [248, 242, 198, 190, 181, 171, 159, 145, 138, 133, 135, 133, 114, 107, 102, 90, 83, 80, 58, 64, 46, 50]
    )
    chromosome = np.sort(rng.choice(22, variants, p=lengths / lengths.sum()))
    position = (rng.random(variants) * lengths[chromosome] * 1e6).astype(int) + 1
    order = np.lexsort((position, chromosome))
    chromosome, position = chromosome[order] + 1, position[order]
    frequency = rng.uniform(0.02, 0.98, variants)
    kept = rng.random(variants) > 0.03
    names = [f"rs{100000 + i}" for i in range(variants)]
    table = pl.DataFrame(
        {
            "chromosome": chromosome.astype(str),
            "base_pair_location": position,
            "variant_id": names,
            "effect_allele": "A",
            "other_allele": "G",
            "effect_allele_frequency": frequency,
            "call_rate": rng.uniform(0.95, 1, variants),
            "kept": kept,
            "reason": np.where(kept, "", "minor allele frequency 0.004 below 0.01"),
        }
    )
    groups = rng.choice(3, n)
    centre = np.array([[0.08, 0.02], [-0.07, 0.06], [0.0, -0.09]])[groups]
    samples = pl.DataFrame({"subject": subjects, "call_rate": rng.uniform(0.98, 1, n)}).with_columns(
        PC1=centre[:, 0] + rng.normal(0, 0.02, n), PC2=centre[:, 1] + rng.normal(0, 0.02, n), PC3=rng.normal(0, 0.05, n)
    )
    used = table.filter("kept")
    m, parts, summary = used.height, [], []
    causal = m // 3
    for i, phenotype in enumerate(features):
        degrees = n - 5
        t = rng.standard_t(degrees, m) * (1.04 if i % 7 == 0 else 1.0)
        if i % 9 == 0:
            t[causal - 3 : causal + 4] += np.array([2, 4, 6, 11, 7, 4, 2]) - i / 12
        log_p = -(stats.t.logsf(np.abs(t), degrees) + math.log(2)) / math.log(10)
        parts.append(
            used.select(
                "chromosome",
                "base_pair_location",
                "effect_allele",
                "other_allele",
                "effect_allele_frequency",
                "variant_id",
            ).with_columns(
                phenotype=pl.lit(f"PET:{phenotype}"),
                beta=pl.Series(t * 0.2),
                standard_error=pl.lit(0.2),
                neg_log_10_p_value=pl.Series(log_p),
                n=pl.lit(n),
                statistic=pl.Series(t),
                degrees_of_freedom=pl.lit(degrees),
            )
        )
        top = int(log_p.argmax())
        summary.append(
            (
                f"PET:{phenotype}",
                n,
                m,
                3,
                float(np.median(t**2) / 0.4549),
                used["variant_id"][top],
                float(log_p[top]),
                int((log_p > 7.30103).sum()),
                int((log_p > -math.log10(0.05 / m / len(features))).sum()),
                int((log_p > 6.4).sum()),
            )
        )
    return {
        "genome/variants": table,
        "genome/samples": samples,
        "sumstats/sumstats": pl.concat(parts),
        "sumstats/summary": pl.DataFrame(summary, schema=list(TABLES["sumstats/summary"].schema), orient="row"),
    }


def _link(rng, subjects, features):
    genes = ["TP53", "EGFR", "KRAS", "ATM", "RB1", "PTEN", "NF1", "CDKN2A"]
    markers = {g: (rng.random(len(subjects)) < 0.2).astype(int) for g in genes}
    markers["hypoxia_score"] = rng.normal(size=len(subjects))
    dictionary = pl.DataFrame(
        [(g, "binary", "mutations.maf.gz", "", len(subjects), int(markers[g].sum())) for g in genes]
        + [("hypoxia_score", "continuous", "rnaseq.tsv", "z-score", len(subjects), None)],
        schema=list(TABLES["molecular/dictionary"].schema),
        orient="row",
    )
    rows = []
    for marker in markers:
        for i, feature in enumerate(features):
            z = rng.normal() + (8 - i % 9 if marker == "EGFR" and i % 6 == 0 else 0)
            degrees = len(subjects) - 3
            log_p = -(stats.t.logsf(abs(z), degrees) + math.log(2)) / math.log(10)
            kind = "continuous" if marker == "hypoxia_score" else "binary"
            rows.append(
                (
                    f"PET:{feature}",
                    marker,
                    kind,
                    "rank" if kind == "continuous" else "linear",
                    z * 0.1,
                    0.1,
                    z,
                    log_p,
                    len(subjects),
                    z / math.sqrt(degrees + z * z),
                )
            )
    names = [c for c in TABLES["link/link"].schema if c not in ("bonferroni_p_value", "q_value")]
    frame = pl.DataFrame(rows, schema=names, orient="row")
    p = 10.0 ** -frame["neg_log_10_p_value"].to_numpy()
    frame = frame.with_columns(
        bonferroni_p_value=pl.Series(np.minimum(1, p * len(p))), q_value=pl.Series(stats.false_discovery_control(p))
    )
    wide = pl.DataFrame({"subject": subjects} | markers)
    return {"molecular/markers": wide, "molecular/dictionary": dictionary, "link/link": frame}


def kaplan_meier(time, event):
    """Rows (time, at risk, events, censored, survival, lower, upper) with log-log limits, written plainly."""
    rows, survival, green = [], 1.0, 0.0
    for t in sorted(set(time.tolist())):
        at_risk = int((time >= t).sum())
        d, c = int(((time == t) & (event == 1)).sum()), int(((time == t) & (event == 0)).sum())
        survival *= 1 - d / at_risk
        green += d / (at_risk * (at_risk - d)) if at_risk > d else math.inf
        if 0 < survival < 1 and math.isfinite(green):
            width = 1.959964 * math.sqrt(green) / math.log(survival)
            low, high = survival ** math.exp(-width), survival ** math.exp(width)
        else:
            low = high = survival
        rows.append((t, at_risk, d, c, survival, min(low, high), max(low, high)))
    return rows


def _outcome(rng, subjects, time, event, risk, features):
    n, tables = len(subjects), {}
    predictors = {
        "clinical": ["Age", "Grade"],
        "imaging": [f"PET:{f}" for f in features[:30]],
        "molecular": ["EGFR", "TP53", "hypoxia_score"],
    }
    predictors["all"] = [p for block in predictors.values() for p in block]
    blocks = {p: b for b in ("clinical", "imaging", "molecular") for p in predictors[b]}
    univariate, performance, predictions, selection, groups, curves, logrank = [], [], [], [], [], [], []
    for endpoint, kind, metric in (("overall_survival", "survival", "Harrell C"), ("relapse", "binary", "AUC")):
        events = int(event.sum()) if kind == "survival" else 44
        for predictor, block in blocks.items():
            centre = rng.normal(0.56, 0.05)
            univariate.append(
                (
                    endpoint,
                    kind,
                    predictor,
                    block,
                    metric,
                    centre,
                    centre - 0.07,
                    centre + 0.07,
                    abs(centre - 0.5) * 40,
                    min(1.0, 0.3 * 10 ** -(abs(centre - 0.5) * 30)),
                    n,
                    events,
                )
            )
        for block, centre in (("clinical", 0.57), ("imaging", 0.66), ("molecular", 0.61), ("all", 0.69)):
            centre += rng.normal(0, 0.01)
            performance.append(
                (
                    endpoint,
                    block,
                    kind,
                    "cox" if kind == "survival" else "logistic",
                    metric,
                    centre,
                    centre - 0.08,
                    centre + 0.07,
                    n,
                    events,
                    len(predictors[block]),
                    5,
                    5,
                )
            )
            score = risk + rng.normal(0, 1.0 if block == "all" else 2.0, n)
            fold = rng.permutation(n) % 5
            predictions += [(endpoint, block, s, 0, int(fold[i]), float(score[i])) for i, s in enumerate(subjects)]
            selection += [
                (endpoint, block, p, blocks[p], float(rng.beta(0.6, 1.4)), float(rng.normal(0, 0.2)))
                for p in predictors[block]
            ]
            high = score > np.median(score)
            groups += [(endpoint, block, s, "high" if high[i] else "low") for i, s in enumerate(subjects)]
            if kind == "survival":
                for label, chosen in (("low", ~high), ("high", high)):
                    curves += [(endpoint, block, label, *row) for row in kaplan_meier(time[chosen], event[chosen])]
                logrank.append((endpoint, block, 14.2, 1, 3.78, 2.31, 1.47, 3.64, n, events))
    for name, rows in (
        ("univariate", univariate),
        ("performance", performance),
        ("predictions", predictions),
        ("selection", selection),
        ("groups", groups),
        ("kaplan_meier", curves),
        ("logrank", logrank),
    ):
        key = f"outcome/{name}"
        tables[key] = pl.DataFrame(rows, schema=list(TABLES[key].schema), orient="row", infer_schema_length=None)
    return tables


def _response(rng, subjects):
    visits, best = [], []
    for subject in subjects:
        baseline, drift = rng.uniform(30, 140), rng.normal(-0.08, 0.16)
        total = nadir = baseline
        changes, progression, day = [], None, 0.0
        for k in range(rng.integers(2, 7)):
            day = 56.0 * k + float(rng.integers(-4, 5)) * (k > 0)
            if k:
                total = max(0.0, total * (1 + drift + rng.normal(0, 0.08)))
            change, since = 100 * (total / baseline - 1), 100 * (total / nadir - 1) if nadir else 0.0
            new = bool(k > 2 and rng.random() < 0.08)
            overall = (
                "PD"
                if new or (since >= 20 and total - nadir >= 5)
                else "CR"
                if total == 0
                else "PR"
                if change <= -30
                else "SD"
            )
            if overall == "PD" and progression is None:
                progression = day
            visits.append(
                (
                    subject,
                    f"W{8 * k}",
                    day,
                    2,
                    total,
                    nadir,
                    change,
                    since,
                    overall,
                    "none",
                    new,
                    overall,
                    f"sum {total:.0f} mm, {change:+.0f} % from baseline",
                )
            )
            nadir = min(nadir, total)
            if k:
                changes.append(change)
        smallest = min(changes)
        label = (
            "CR" if smallest <= -99 else "PR" if smallest <= -30 else "PD" if progression and smallest > -5 else "SD"
        )
        label = "NE" if rng.random() < 0.03 else label
        best.append(
            (
                subject,
                label,
                False,
                None if label == "NE" else smallest,
                progression,
                day,
                f"best change {smallest:.0f} %",
            )
        )
    labels = [b[1] for b in best]
    rates = []
    for quantity, good in (("objective response rate", {"CR", "PR"}), ("disease control rate", {"CR", "PR", "SD"})):
        k, n = sum(x in good for x in labels), len(labels)
        interval = stats.binomtest(k, n).proportion_ci(method="exact")
        rates.append((quantity, k / n, interval.low, interval.high, k, n))
    made = (("timepoints", visits), ("best", best), ("rates", rates))
    return {
        f"response/{name}": pl.DataFrame(
            rows, schema=list(TABLES[f"response/{name}"].schema), orient="row", infer_schema_length=None
        )
        for name, rows in made
    }


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
) -> Path:
    """Write the artefacts of a study below `root` and return it, but for the tables whose name starts as in "
    "`without`."""
    rng = np.random.default_rng(seed)
    names = [f"S_{i + 1:03d}" for i in range(subjects)]
    if first_subject is not None:
        names[0] = first_subject
    tags = [row[0] for row in feature_rows(features)]
    tables, time, event, risk = _cohort(rng, names)
    tables |= _features(rng, names, features) | _thumbnails(rng, names) | _genetics(rng, names, tags, variants)
    tables |= _link(rng, names, tags) | _outcome(rng, names, time, event, risk, tags) | _response(rng, names)
    tables |= _problems([*names, *(f"T_{i}" for i in range(24))])
    written = {k: write_table(root, k, v) for k, v in tables.items() if not k.startswith(without or ("\0",))}
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
            "stages": {
                s: {"ran": ok, "why": "" if ok else f"the study file has no section for {s}"} for s, ok in ran.items()
            },
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
