"""Progression monitoring: risk re-estimated after each scan, and how well."""

from __future__ import annotations

import polars as pl

from radiolocus.report.blocks import Block, Cell, Row, Section, Table, Text
from radiolocus.report.figures_monitoring import (
    Course,
    by_landmark,
    calibration_by_landmark,
    course_of,
    courses,
    example_subjects,
)
from radiolocus.report.numbers import count, interval, interval_cell, number, number_cell, p_cell, plural
from radiolocus.report.source import Artefacts

__all__ = ["endpoint_ends", "monitoring", "monitoring_tables"]

_NAMES = ("risk", "visits", "landmarks")


def monitoring_tables(art: Artefacts) -> dict[str, pl.DataFrame]:
    """Tables that the course of a subject is drawn from; empty where the study was not monitored."""
    found = {name: art.table(f"monitoring/{name}") for name in _NAMES}
    return (
        {name: frame for name, frame in found.items() if frame is not None}
        if all(f is not None for f in found.values())
        else {}
    )


def endpoint_ends(art: Artefacts) -> pl.DataFrame:
    """Time and event of every subject and endpoint, those made of response calls too; 2 and more: a competing event."""
    parts = [art.table("cohort/endpoints"), art.table("response/study_endpoints")]
    found = []
    for part in parts:
        if part is not None:
            named = "state" in part.columns  # results of an earlier version have none
            event = pl.coalesce("state", "event") if named else pl.col("event")
            found.append(
                part.select(
                    "subject", "endpoint", pl.col("time").cast(pl.Float64), event.cast(pl.Float64).alias("event")
                )
            )
    return pl.concat(found)


def _landmarks(frame: pl.DataFrame) -> Table:
    rows: list[Row] = [
        [
            r["endpoint"],
            number_cell(r["landmark"]),
            Cell(count(r["n"]), r["n"]),
            Cell(count(r["events"]), r["events"]),
            number_cell(r["visits"]),
            number_cell(r["age"]),
        ]
        for r in frame.iter_rows(named=True)
    ]
    window, unit = frame["window"][0], frame["unit"][0]
    return Table(
        "Who was at risk at each landmark",
        ["endpoint", "landmark", "at risk", "events in the window", "visits so far (mean)", "age of the last (median)"],
        rows,
        [False] + [True] * 5,
        note=f"The window is {window:g} {unit} long; times in {unit or 'the unit of the endpoint'}.",
    )


def _means(performance: pl.DataFrame) -> Table:
    whole = performance.filter(pl.col("landmark").is_null())
    concordance = [c for c in ("Uno C", "Wolbers C") if (whole["metric"] == c).any()]
    metrics = [*concordance, "AUC(t)", "Brier(t)", "scaled Brier"]
    rows: list[Row] = []
    for (endpoint, name), part in whole.partition_by(
        "endpoint", "predictors", as_dict=True, maintain_order=True
    ).items():
        told = {r["metric"]: r for r in part.iter_rows(named=True)}
        cells = [
            interval_cell(told[m]["estimate"], told[m]["lower"], told[m]["upper"]) if m in told else Cell("–")
            for m in metrics
        ]
        rows.append([str(endpoint), str(name), *cells])
    return Table(
        "Performance, mean over the landmarks",
        ["endpoint", "from", *metrics],
        rows,
        [False, False, *[True] * len(metrics)],
        note="Out of fold, with 95 % bootstrap intervals of subjects. Scaled Brier: 1 less the ratio of the Brier "
        "score to that without predictors; 0: no better than telling everybody the same.",
    )


def _comparisons(frame: pl.DataFrame) -> Table:
    whole = frame.filter(pl.col("landmark").is_null() & pl.col("estimate").is_not_null())
    rows: list[Row] = [
        [
            r["endpoint"],
            f"{r['second']} less {r['first']}",
            r["metric"],
            interval_cell(r["estimate"], r["lower"], r["upper"]),
            "yes" if (r["lower"] or 0.0) > 0 or (r["upper"] or 0.0) < 0 else "no",
        ]
        for r in whole.iter_rows(named=True)
        if r["metric"] in ("AUC(t)", "Brier(t)")
    ]
    return Table(
        "What following the marker adds, mean over the landmarks",
        ["endpoint", "difference of", "metric", "difference (95 %)", "beyond its error"],
        rows,
        [False, False, False, True, False],
        note="Same subjects, folds and bootstrap draws. Of the Brier score, a difference below zero is better.",
    )


def _hazards(frame: pl.DataFrame) -> Table:
    rows: list[Row] = [
        [
            r["endpoint"],
            r["term"],
            interval_cell(r["hazard_ratio"], r["lower"], r["upper"]),
            p_cell(r["neg_log_10_p_value"]),
            Cell(count(r["n"]), r["n"]),
            Cell(count(r["events"]), r["events"]),
        ]
        for r in frame.iter_rows(named=True)
    ]
    return Table(
        "Hazard by what was measured last",
        ["endpoint", "column", "hazard ratio a standard deviation (95 %)", "p", "subjects", "events"],
        rows,
        [False, False, True, True, True, True],
        note="Cox model with time-dependent covariates: each marker holds its last value until the next visit; all "
        "subjects, so no performance. A marker measured with error is drawn towards a hazard ratio of 1.",
        folded=True,
    )


def _growth(frame: pl.DataFrame, unit: str) -> Table | None:
    part = frame.filter(pl.col("marker").str.starts_with("log "))
    if not part.height:
        return None
    rows: list[Row] = []
    for (endpoint, marker), own in part.partition_by("endpoint", "marker", as_dict=True, maintain_order=True).items():
        known = own["doubling_time"].drop_nulls()
        quarters = [number(float(known.quantile(q, "linear") or 0.0)) for q in (0.5, 0.25, 0.75)] if known.len() else []
        surely = own.filter(pl.col("lower") > 0).height
        falling = own.filter(pl.col("upper") < 0).height
        rows.append(
            [
                str(endpoint),
                str(marker).removeprefix("log "),
                Cell(count(own.height), own.height),
                Cell(count(surely), surely),
                Cell(count(falling), falling),
                f"{quarters[0]} ({quarters[1]} to {quarters[2]})" if quarters else "–",
            ]
        )
    return Table(
        "Growth by the mixed model",
        ["endpoint", "marker", "subjects", "growing beyond error", "shrinking beyond error",
         f"doubling time of who grows, {unit} (quartiles)"],
        rows,
        [False, False, True, True, True, True],
        note="Every subject's rate and doubling time, with its interval, stands in monitoring/growth.csv.",
        folded=True,
    )  # fmt: skip


def _audit(frame: pl.DataFrame) -> Table:
    rows: list[Row] = [[r["endpoint"], r["check"], r["verdict"], r["got"]] for r in frame.iter_rows(named=True)]
    return Table("Audit", ["endpoint", "check", "verdict", "found"], rows, folded=True)


def _examples(art: Artefacts, endpoint: str) -> list[Block]:
    tables, ends = monitoring_tables(art), endpoint_ends(art)
    if not tables:
        return []
    names = example_subjects(tables["risk"], ends, endpoint)
    shown = [c for c in (course_of(tables, ends, endpoint, name) for name in names) if isinstance(c, Course)]
    drawn = courses(shown, endpoint)
    return [drawn.block()] if drawn is not None else []


def monitoring(art: Artefacts) -> Section | None:
    """Return the section on progression monitoring, or None when it was not asked for."""
    performance, landmarks = art.table("monitoring/performance"), art.table("monitoring/landmarks")
    if performance is None or landmarks is None:
        return None
    blocks: list[Block] = [
        Text(
            "At each landmark, who is still at risk is predicted from what had been measured by then: from the clinic "
            "and the first scan (baseline), from the last scan, from the last and what changed, or from the course "
            "that a mixed model sees in all scans so far, which noise misleads less. Risks are those of the window "
            "that follows.",
        )
    ]
    audit = art.table("monitoring/audit")
    leaks = [] if audit is None else audit.filter(pl.col("verdict") == "leak")["got"].to_list()
    blocks += [Text(f"Audit: {told}.", "note") for told in leaks]
    calibration, unit = art.table("monitoring/calibration"), str(landmarks["unit"][0])
    for endpoint in landmarks["endpoint"].unique(maintain_order=True):
        found = [by_landmark(performance, endpoint, unit)]
        found += [calibration_by_landmark(calibration, endpoint, unit)] if calibration is not None else []
        blocks += [f for f in found if f is not None]
        blocks += _examples(art, endpoint)
    blocks += [_landmarks(landmarks), _means(performance)]
    for name, make in (("comparisons", _comparisons), ("time_dependent", _hazards), ("audit", _audit)):
        frame = art.table(f"monitoring/{name}")
        blocks += [make(frame)] if frame is not None else []
    growth = art.table("monitoring/growth")
    grown = None if growth is None else _growth(growth, unit)
    blocks += [grown] if grown is not None else []
    return Section("monitoring", "Progression monitoring", blocks, _verdict(performance, art.table("monitoring/risk")))


def _verdict(performance: pl.DataFrame, risk: pl.DataFrame | None) -> list[str]:
    whole = performance.filter(pl.col("landmark").is_null() & (pl.col("metric") == "AUC(t)"))
    lines = [
        f"{r['endpoint']} from {r['predictors']}: mean AUC over landmarks "
        f"{interval(r['estimate'], r['lower'], r['upper'])}"
        for r in whole.iter_rows(named=True)
        if r["predictors"] in ("baseline", "last value", "mixed model")
    ]
    if risk is not None:
        lines.append(f"{plural(risk.height, 'risk')} of {plural(risk['subject'].n_unique(), 'subject')} re-estimated")
    return lines[:6]
