"""Repeatability of imaging features: which of them would be measured again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from radiolocus.model import named_visit
from radiolocus.report.blocks import Block, Cell, Row, Section, Table, Text
from radiolocus.report.figures_repeatability import EXCELLENT, GOOD, POOR, agreement_by_family
from radiolocus.report.numbers import MISSING, count, interval_cell, number_cell, plural
from radiolocus.report.source import Artefacts

__all__ = ["repeatability"]

_FIGURES = 6
_POOREST, _BEST = 12, 5
_SOURCE = {"perturbation": "perturbed copies", "retest": "test and retest"}


def _groups(frame: pl.DataFrame) -> Iterator[tuple[str, str, pl.DataFrame]]:
    """Image, region and visit in words, the source, and the rows."""
    several = {c: frame.select("image", c).unique().height > frame["image"].n_unique() for c in ("roi", "visit")}
    keys = ["image", "roi", "visit", "source"]
    for (image, roi, visit, source), rows in frame.group_by(keys, maintain_order=True):
        parts = [
            str(image),
            str(roi) if several["roi"] else "",
            named_visit(str(visit)) if several["visit"] and visit else "",
        ]
        yield ", ".join(p for p in parts if p), str(source), rows


def _families(groups: list[tuple[str, str, pl.DataFrame]]) -> Table:
    rows: list[Row] = []
    for place, source, part in groups:
        for (family,), mine in part.group_by(["family"], maintain_order=True):
            known = mine.filter(pl.col("icc_1_1").is_not_null())
            value, lower, upper = known["icc_1_1"], known["icc_1_1_lower"], known["icc_1_1_upper"]
            quartiles = [value.quantile(q, "linear") for q in (0.25, 0.5, 0.75)]
            rows.append(
                [
                    place,
                    _SOURCE.get(source, source),
                    str(family).replace("_", " "),
                    number_cell(mine.height),
                    Cell(_two(quartiles[1]), quartiles[1]),
                    f"{_two(quartiles[0])} to {_two(quartiles[2])}",
                    number_cell(int((lower >= EXCELLENT).sum())),
                    number_cell(int((lower >= GOOD).sum())),
                    number_cell(int((upper < POOR).sum())),
                    number_cell(mine.height - known.height),
                ]
            )
    return Table(
        "Agreement by family of features",
        [
            "image",
            "measured again by",
            "family",
            "features",
            "median ICC(1,1)",
            "interquartile range",
            f"lower end ≥ {EXCELLENT:g}",
            f"lower end ≥ {GOOD:g}",
            f"upper end < {POOR:g}",
            "no ICC",
        ],
        rows,
        [False] * 3 + [True] * 7,
        sortable=True,
        note=f"Counts of features by the end of their 95 % interval: excellent (lower end at least {EXCELLENT:g}), "
        f"good or better ({GOOD:g}), poor (upper end below {POOR:g}), as of Koo & Li 2016.",
    )


def _two(value: float | None) -> str:
    return MISSING if value is None else f"{value:.2f}".replace("-", "−")


def _row(place: str, r: dict[str, Any]) -> Row:
    return [
        place,
        _SOURCE.get(r["source"], r["source"]),
        r["feature"],
        r["family"].replace("_", " "),
        interval_cell(r["icc_1_1"], r["icc_1_1_lower"], r["icc_1_1_upper"]),
        interval_cell(r["icc_3_1"], r["icc_3_1_lower"], r["icc_3_1_upper"]),
        Cell(f"{r['n_subjects']} × {r['n_repeats']}", r["n_subjects"]),
        number_cell(r["mean"]),
        number_cell(r["within_subject_sd"]),
        number_cell(r["repeatability_coefficient"]),
        r["reason"] or MISSING,
    ]


def _extremes(groups: list[tuple[str, str, pl.DataFrame]]) -> Table:
    rows: list[Row] = []
    for place, _, part in groups:
        ordered = part.filter(pl.col("icc_1_1").is_not_null()).sort(["icc_1_1", "feature"])
        ends = [ordered] if ordered.height <= _POOREST + _BEST else [ordered.head(_POOREST), ordered.tail(_BEST)]
        shown = pl.concat([part.filter(pl.col("icc_1_1").is_null()).head(_BEST), *ends])
        rows += [_row(place, r) for r in shown.iter_rows(named=True)]
    head = [
        "image",
        "measured again by",
        "feature",
        "family",
        "ICC(1,1) (95 % CI)",
        "ICC(3,1) (95 % CI)",
        "n × repeats",
        "mean",
        "SD",
        "RC",
        "no value because",
    ]
    told = [i for i in range(len(head)) if i < len(head) - 1 or any(row[i] != MISSING for row in rows)]
    return Table(
        f"The {_POOREST} poorest and the {_BEST} best features of each image",
        [head[i] for i in told],
        [[row[i] for i in told] for row in rows],
        [4 <= i <= 9 for i in told],
        sortable=True,
        note="SD: within-subject standard deviation, RC: repeatability coefficient, both in the unit of the feature; "
        "two measurements of one subject differ by less than RC in 95 % of cases, provided that the error does not "
        "grow with the value (Bland & Altman 1999). n: subjects with all repeats. All: features/repeatability.csv.",
    )


def _copies(art: Artefacts) -> str:
    perturbed = art.table("features/perturbed")
    if perturbed is None:
        return ""
    names = perturbed["copy"].unique().sort().to_list()
    shown = "; ".join(names[:4]) + (f"; and {count(len(names) - 4)} more" if len(names) > 4 else "")
    return f"Perturbed copies ({count(len(names))}): {shown}. "


def _meaning(art: Artefacts) -> list[Block]:
    text = (
        "ICC(1,1) is the share of the variance of single measurements that lies between subjects; ICC(3,1) leaves out "
        "shifts that all subjects share. Both depend on how much these subjects differ: the same error gives a lower "
        f"ICC among subjects who are alike. {_copies(art)}Images alone enter; no outcome, genotype or marker does."
    )
    caveat = (
        "Perturbed copies imitate positioning, noise and contours of one examination. They do not hold what another "
        "scanner, another day or another contrast phase would change, so that a high ICC here is necessary and not "
        "sufficient."
    )
    return [Text(text), *([Text(caveat, "note")] if art.table("features/perturbed") is not None else [])]


def repeatability(art: Artefacts) -> Section | None:
    """Return the section of repeatability, or None when nothing was measured again."""
    frame = art.table("features/repeatability")
    if frame is None:
        return None
    dictionary = art.table("features/dictionary")
    families = dict(dictionary.select("feature", "family").iter_rows()) if dictionary is not None else {}
    order = list(dict.fromkeys(families.values()))
    family = pl.Series("family", [families.get(f, "other") for f in frame["feature"]], dtype=pl.String)
    rank = pl.Series([order.index(f) if f in order else len(order) for f in family], dtype=pl.Int64)
    frame = frame.with_columns(family, rank.alias("rank"))
    frame = frame.sort("image", "roi", "visit", "source", "rank", maintain_order=True).drop("rank")
    groups = list(_groups(frame))
    blocks: list[Block] = _meaning(art)
    verdict = []
    for i, (place, source, rows) in enumerate(groups):
        known = rows.filter(pl.col("icc_1_1").is_not_null())
        words = f"{place} by {_SOURCE.get(source, source)}"
        if i < _FIGURES and known.height:
            blocks.append(agreement_by_family(rows, words))
        good = int((known["icc_1_1_lower"] >= GOOD).sum())
        median = _two(known["icc_1_1"].quantile(0.5, "linear"))
        verdict.append(
            f"{words}: {plural(rows.height, 'feature')}, median ICC(1,1) {median}, "
            f"lower end at least {GOOD:g} in {count(good)}"
        )
    if len(groups) > _FIGURES:
        blocks.append(Text(f"{len(groups) - _FIGURES} more of image, region and visit stand in the tables.", "note"))
    blocks += [_families(groups), _extremes(groups)]
    return Section("repeatability", "Repeatability of the features", blocks, verdict)
