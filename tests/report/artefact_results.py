"""Result tables of a whole study, consistent with each other and cheap to make (see artefacts.py)."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
from scipy import stats

from radiolocus.associate.dataset import write_by_phenotype, write_rows
from radiolocus.kernels.scan import EDGES
from radiolocus.schema import TABLES
from radiolocus.store import write_json, write_table


def genetics(rng, subjects, features, variants):
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
        "genome/samples": samples,
        "sumstats/sumstats": pl.concat(parts),
        "sumstats/variants": _minima(table, pl.concat(parts), n),
        "sumstats/summary": pl.DataFrame(summary, schema=list(TABLES["sumstats/summary"].schema), orient="row"),
    }


def _minima(variants, rows, n):
    """Every variant with its smallest p-value, as a scan counts it."""
    key = ["chromosome", "base_pair_location", "variant_id"]
    strongest = pl.col("phenotype").get(pl.col("neg_log_10_p_value").arg_max())
    best = rows.group_by(key).agg(
        pl.len().alias("tests"), strongest.alias("top_phenotype"), pl.col("neg_log_10_p_value").max()
    )
    joined = variants.join(best, on=key, how="left", maintain_order="left")
    return joined.rename({"neg_log_10_p_value": "top_neg_log_10_p_value"}).with_columns(
        pl.col("tests").fill_null(0), n=pl.lit(n)
    )


def write_scan(root, rows, p_value=1.0):
    """Write the rows of a scan as `radiolocus gwas` lays them out, those above a p-value only as counts."""
    kept = rows.filter(pl.col("neg_log_10_p_value") >= -math.log10(p_value)).select(
        list(TABLES["sumstats/sumstats"].schema)
    )
    kept = kept.with_columns(pl.col("n", "degrees_of_freedom").cast(pl.Int64))
    parts = write_rows(root, [kept.sort("chromosome", "base_pair_location", maintain_order=True)])
    write_by_phenotype(root, parts, dict(kept["phenotype"].value_counts().iter_rows()))
    place = np.clip(np.searchsorted(EDGES, rows["neg_log_10_p_value"].to_numpy(), "right") - 1, 0, EDGES.size - 1)
    bins = rows.select("phenotype", lower=pl.Series(EDGES[place]), upper=pl.Series(np.append(EDGES[1:], np.inf)[place]))
    counts = bins.group_by("phenotype", "lower", "upper").agg(pl.len().alias("tests"))
    write_table(root, "sumstats/histogram", counts.sort("phenotype", "lower"))
    write_json(root / "sumstats/options.json", {"keep": {"p_value": p_value, "all_rows": []}})
    effective = {"effective_li_ji": 4.2, "effective_galwey": 5.0}
    write_json(root / "sumstats/told.json", effective | {"tests": rows.height})


def link(rng, subjects, features):
    genes = ["TP53", "EGFR", "KRAS", "ATM", "RB1", "PTEN", "NF1", "CDKN2A"]
    markers = {g: (rng.random(len(subjects)) < 0.2).astype(int) for g in genes}
    markers["hypoxia_score"] = rng.normal(size=len(subjects))
    dictionary = pl.DataFrame(
        [(g, "binary", "mutations.maf.gz", "", len(subjects), int(markers[g].sum()), "") for g in genes]
        + [("hypoxia_score", "continuous", "rnaseq.tsv", "z-score", len(subjects), None, "")],
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
    names = [*list(TABLES["link/link"].schema)[:10]]
    frame = pl.DataFrame(rows, schema=names, orient="row")
    p = 10.0 ** -frame["neg_log_10_p_value"].to_numpy()
    q = stats.false_discovery_control(p)
    half = pl.col("standard_error") * 1.97
    frame = frame.with_columns(
        bonferroni_p_value=pl.Series(np.minimum(1, p * len(p))),
        q_value=pl.Series(q),
        lower=pl.col("estimate") - half,
        upper=pl.col("estimate") + half,
        storey_q_value=pl.Series(q * 0.9),
        feature_family=pl.lit("PET:") + pl.col("feature").str.extract(r":([a-z]+)_"),
        selected=pl.Series(q < 0.05),
        permutation_p_value=pl.Series(np.maximum(p, 0.001)),
        family_wise_p_value=pl.Series(np.minimum(1, np.maximum(p * 9, 0.001))),
        tail_fitted=pl.lit(False),
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


def outcome(rng, subjects, time, event, risk, features):
    n, tables = len(subjects), {}
    predictors = {
        "clinical": ["Age", "Grade"],
        "imaging": [f"PET:{f}" for f in features[:30]],
        "molecular": ["EGFR", "TP53", "hypoxia_score"],
    }
    predictors["all"] = [p for block in predictors.values() for p in block]
    blocks = {p: b for b in ("clinical", "imaging", "molecular") for p in predictors[b]}
    univariate, performance, predictions, selection, groups, curves, logrank = [], [], [], [], [], [], []
    horizons = []
    told = "the whole protocol on 5 permuted outcomes: mean 0.480 ± 0.030 (Monte Carlo error), 0.5 expected"
    copies = "two subjects equal in every column; one may train the model that predicts the other"
    audit = [
        ("relapse", "all", "elastic-net logistic", "permuted outcome", "pass", "", told, 0.48, 0.03),
        ("relapse", "all", "", "duplicates", "leak", f"{subjects[0]}, {subjects[1]}", copies, 0.0, None),
        ("relapse", "all", "", "predicts alone", "pass", "", "none of 35 columns predicts alone", None, None),
    ]
    steps = [("elastic-net Cox", "split", "5 × 5 folds, stratified, by patient"), ("elastic-net Cox", "select", "none")]
    for endpoint, kind, metric in (("overall_survival", "survival", "Harrell C"), ("relapse", "binary", "AUC")):
        events = int(event.sum()) if kind == "survival" else 44
        model = "elastic-net Cox" if kind == "survival" else "elastic-net logistic"
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
                    model,
                    kind,
                    metric,
                    centre,
                    centre - 0.08,
                    centre + 0.07,
                    n,
                    events,
                    len(predictors[block]),
                    5,
                    5,
                    "kfold",
                )
            )
            score = risk + rng.normal(0, 1.0 if block == "all" else 2.0, n)
            fold = rng.permutation(n) % 5
            predictions += [
                (endpoint, block, model, s, 0, int(fold[i]), float(score[i])) for i, s in enumerate(subjects)
            ]
            selection += [
                (endpoint, block, model, p, blocks[p], float(rng.beta(0.6, 1.4)), float(rng.normal(0, 0.2)))
                for p in predictors[block]
            ]
            high = score > np.median(score)
            groups += [(endpoint, block, model, s, "high" if high[i] else "low") for i, s in enumerate(subjects)]
            if kind == "survival":
                for label, chosen in (("low", ~high), ("high", high)):
                    curves += [
                        (endpoint, block, model, label, *row) for row in kaplan_meier(time[chosen], event[chosen])
                    ]
                for metric_at, value in (("Uno C", 0.63), ("AUC(t)", 0.66), ("Brier(t)", 0.21)):
                    horizons.append(
                        (endpoint, block, model, metric_at, 730.0, value, value - 0.06, value + 0.06, n, 31)
                    )
                logrank.append((endpoint, block, model, 14.2, 1, 3.78, 2.31, 1.47, 3.64, n, events))
    for name, rows in (
        ("univariate", univariate),
        ("performance", performance),
        ("horizons", horizons),
        ("predictions", predictions),
        ("selection", selection),
        ("groups", groups),
        ("kaplan_meier", curves),
        ("logrank", logrank),
        ("audit", audit),
        ("protocol", steps),
    ):
        key = f"outcome/{name}"
        tables[key] = pl.DataFrame(rows, schema=list(TABLES[key].schema), orient="row", infer_schema_length=None)
    return tables


def response(rng, subjects):
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
