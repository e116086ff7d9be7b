"""One page about one imaging feature, or about one gene: what it is, goes with, repeats and predicts."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import polars as pl

from radiolocus.errors import ConfigError, StoreError
from radiolocus.model import Array
from radiolocus.registry import suggest
from radiolocus.report.blocks import Block, Cell, Fact, Facts, Row, Section, Table, Text
from radiolocus.report.figures_card import by_marker, distribution
from radiolocus.report.html import render
from radiolocus.report.numbers import (
    MISSING,
    interval,
    interval_cell,
    number,
    number_cell,
    p_cell,
    p_text,
    percent,
    plural,
    small_cell,
)
from radiolocus.report.phenotype_table import Phenotypes, phenotypes_of
from radiolocus.report.sections_mechanism import edge_table, path_table
from radiolocus.report.source import Artefacts
from radiolocus.store import write_bytes

__all__ = ["build_card", "file_name", "write_card"]

_SHOWN = 8
_VOLUMES = ("morph_volume", "original_shape_MeshVolume", "volume")
_WARNING = (
    "For research only. What stands here goes together in this cohort; it was not chosen beforehand, and it proves no "
    "cause."
)


def file_name(name: str) -> str:
    """A name as a file name: what is not a letter, digit, dot or dash becomes an underscore."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "card"


def write_card(root: Path, name: str, out: Path | None = None) -> Path:
    """Write the card of a feature or gene to `out`, by default below ``root/cards``.

    Returns
    -------
    Path
        The page.
    """
    path = out or root / "cards" / f"{file_name(name)}.html"
    write_bytes(path, build_card(root, name).encode())
    return path


def build_card(root: Path, name: str) -> str:
    """Make the card of an imaging feature, a gene or a marker.

    Parameters
    ----------
    root : Path
        Output folder of a study.
    name : str
        Phenotype (``CT:morph_volume``), feature (``morph_volume``) of a study with one image, marker (``mut:EGFR``), or
        gene (``EGFR``): all markers that name it.

    Returns
    -------
    str
        A whole HTML page, the same for the same artefacts.

    Raises
    ------
    ConfigError
        A name that the study does not have; tells the nearest ones.
    StoreError
        The folder holds no study.
    """
    art = Artefacts(root)
    if not art.study:
        raise StoreError("no study.json", where=root.name, allowed="the output folder of 'radiolocus run'")
    known = phenotypes_of(art)
    features = [] if known is None else known.names["predictor"].to_list()
    plain = [] if known is None else known.names.filter(pl.col("feature") == name)["predictor"].to_list()
    markers = _markers_of(art, name)
    chosen = name if name in features else plain[0] if len(plain) == 1 else ""
    if known is not None and chosen:
        title, kicker, sections = chosen, "Card of an imaging feature", _feature(art, known, chosen)
    elif markers.height:
        title, kicker, sections = name, "Card of a gene", _gene(art, known, markers)
    elif plain:
        raise ConfigError(f"'{name}' of several images", where="card", allowed=", ".join(plain))
    else:
        there = [*features, *_genes(art)]
        raise ConfigError(
            f"no feature, gene or marker '{name}'", where="card", todo=suggest(name, there),
            allowed=", ".join(there[:8]) + (f" and {len(there) - 8} more" if len(there) > 8 else ""),
        )  # fmt: skip
    version = art.study.get("radiolocus_version") or ""
    return render(title, [s for s in sections if s.blocks], version=version, kicker=kicker, warning=_WARNING)


def _tokens(marker: str) -> list[str]:
    return [t.lower() for t in re.split(r"[\s:_.=|]+", marker) if t]


def _markers_of(art: Artefacts, name: str) -> pl.DataFrame:
    """Rows of the dictionary: the marker of this very name, or all that name this gene."""
    told = art.table("molecular/dictionary")
    if told is None:
        return pl.DataFrame(schema={"marker": pl.String})
    exact = told.filter(pl.col("marker") == name)
    if exact.height:
        return exact
    return told.filter([name.lower() in _tokens(m) for m in told["marker"]])


def _genes(art: Artefacts) -> list[str]:
    told = art.table("molecular/dictionary")
    markers = [] if told is None else told["marker"].to_list()
    return list(dict.fromkeys([*(m.rpartition(":")[2] for m in markers), *markers]))


def _column(frame: pl.DataFrame, name: str) -> Array:
    return np.asarray(frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy())


def _pair(art: Artefacts, known: Phenotypes, feature: str, marker: str) -> tuple[Array, Array] | None:
    """A feature and a marker of the subjects that have rows of both."""
    table = art.table("molecular/markers")
    if table is None or marker not in table.columns:
        return None
    both = known.table.select("subject", feature).join(table.select("subject", marker), on="subject", how="inner")
    return _column(both, feature), _column(both, marker)


def _variants(art: Artefacts, feature: str) -> list[Block]:
    frame = art.table("mechanism/edges")
    own = None if frame is None else frame.filter((pl.col("target") == feature) & (pl.col("relation") == "scan"))
    return [] if own is None or not own.height else [edge_table(own, "Variants at the genome-wide level", _SHOWN)]


def _sets(art: Artefacts, feature: str) -> list[Block]:
    """Evidence of pathways: the ranking of all genes by this feature."""
    frame = art.table("link/enrichment")
    own = None if frame is None else frame.filter(pl.col("feature") == feature)
    if own is None or not own.height:
        return []
    rows: list[Row] = [
        [
            r["gene_set"], number_cell(r["genes"]), number_cell(r["normalised_score"]), number_cell(r["camera_t"]),
            small_cell(r["camera_p_value"]), small_cell(r["camera_q_value"]),
        ]
        for r in own.sort(["camera_p_value", "gene_set"]).head(_SHOWN).iter_rows(named=True)
    ]  # fmt: skip
    head = ["gene set", "genes", "normalised score", "CAMERA t", "p", "q"]
    return [
        Table(
            f"Pathways: the {min(_SHOWN, own.height)} of {plural(own.height, 'gene set')} with the smallest p",
            head, rows,
            [False] + [True] * 5, sortable=True,
            note="Genes ranked by their link with the feature. p and q are CAMERA's (Wu & Smyth 2012), which allows "
            "for genes that go together; q over all features and sets.",
        )
    ]  # fmt: skip


def _paths(art: Artefacts, column: str, names: list[str]) -> list[Block]:
    frame = art.table("mechanism/paths")
    own = None if frame is None else frame.filter(pl.col(column).is_in(names))
    if own is None or not own.height:
        return []
    return [path_table(own, plural(own.height, "path") + " through it" if column == "mediator" else
                       plural(own.height, "path") + " from it", folded=True)]  # fmt: skip


def _found(art: Artefacts, feature: str, marker: str) -> str:
    """What the study found of the pair, in a word."""
    frame = art.table("link/link")
    own = None if frame is None else frame.filter((pl.col("feature") == feature) & (pl.col("marker") == marker))
    if own is None or own.height != 1:
        return ""
    q = own["q_value"][0]
    return "" if q is None else f"q of the link over all pairs: {p_text(-math.log10(max(q, 1e-300)))}."


def _links(art: Artefacts, column: str, names: list[str]) -> Table | None:
    """The strongest links of a feature or of markers."""
    frame = art.table("link/link")
    own = None if frame is None else frame.filter(pl.col(column).is_in(names))
    if own is None or not own.height:
        return None
    ordered = own.sort(["neg_log_10_p_value", "feature", "marker"], descending=[True, False, False], nulls_last=True)
    rows: list[Row] = [
        [
            r["feature"], r["marker"], r["test"], Cell(interval(r["estimate"], r["lower"], r["upper"]), r["estimate"]),
            number_cell(r["correlation"]), p_cell(r["neg_log_10_p_value"]), small_cell(r["q_value"]),
            number_cell(r["n"]),
        ]
        for r in ordered.head(_SHOWN).iter_rows(named=True)
    ]  # fmt: skip
    passing = int((own["q_value"] < 0.05).sum())
    return Table(
        f"The {min(_SHOWN, own.height)} strongest of {plural(own.height, 'link')}, {passing} with q < 0.05",
        ["feature", "marker", "test", "estimate (95 % interval)", "correlation", "p", "q", "n"],
        rows, [False] * 3 + [True] * 5, sortable=True,
        note="q over all pairs of the study, not over those of this card.",
    )  # fmt: skip


def _univariate(art: Artefacts, names: list[str]) -> Table | None:
    frame = art.table("outcome/univariate")
    own = None if frame is None else frame.filter(pl.col("predictor").is_in(names))
    if own is None or not own.height:
        return None
    rows: list[Row] = [
        [
            r["endpoint"], r["predictor"], r["metric"], interval_cell(r["estimate"], r["lower"], r["upper"]),
            p_cell(r["neg_log_10_p_value"]), small_cell(r["q_value"]), number_cell(r["n"]), number_cell(r["events"]),
        ]
        for r in own.iter_rows(named=True)
    ]  # fmt: skip
    return Table(
        "Alone against each outcome, on all subjects",
        ["outcome", "predictor", "measure", "estimate (95 % interval)", "p", "q", "n", "events"],
        rows, [False] * 3 + [True] * 5,
        note="Above 0.5: larger values go with the event. Description of these subjects, no validation. q within the "
        "outcome.",
    )  # fmt: skip


def _selection(art: Artefacts, names: list[str]) -> Table | None:
    rows: list[Row] = []
    for table, aim in (("outcome/selection", "endpoint"), ("genotyping/selection", "target")):
        frame = art.table(table)
        if frame is None:
            continue
        own = frame.filter(pl.col("predictor").is_in(names) & (pl.col("fraction") > 0))
        rows += [
            [
                r[aim], r["predictors"], r["model"], r["predictor"], Cell(percent(r["fraction"]), r["fraction"]),
                number_cell(r["mean_coefficient"]),
            ]
            for r in own.iter_rows(named=True)
        ]  # fmt: skip
    if not rows:
        return None
    head = ["predicted", "predictors", "model", "used", "share of outer fits", "mean coefficient per SD"]
    return Table("How often models that were judged out of fold used it", head, rows, [False] * 4 + [True] * 2)


def _repeatability(art: Artefacts, row: dict[str, str]) -> list[Block]:
    frame = art.table("features/repeatability")
    if frame is None:
        return [Text("Nothing in this study measured repeatability ([imaging.perturb] or [imaging.retest]).", "note")]
    own = frame.filter((pl.col("feature") == row["feature"]) & (pl.col("image") == row["image"])).filter(
        pl.col("roi") == row["roi"]
    )
    rows: list[Row] = [
        [
            r["source"], interval_cell(r["icc_1_1"], r["icc_1_1_lower"], r["icc_1_1_upper"]),
            interval_cell(r["icc_3_1"], r["icc_3_1_lower"], r["icc_3_1_upper"]), number_cell(r["within_subject_sd"]),
            number_cell(r["repeatability_coefficient"]), number_cell(r["n_subjects"]), number_cell(r["n_repeats"]),
        ]
        for r in own.iter_rows(named=True)
    ]  # fmt: skip
    head = ["source", "ICC(1,1)", "ICC(3,1)", "within-subject SD", "repeatability coefficient", "subjects", "repeats"]
    if not rows:
        return [Text("No repeated measurement of this feature.", "note")]
    return [
        Table(
            "Agreement of repeated measurements", head, rows, [False] + [True] * 6,
            note="Two measurements of a subject differ by less than the repeatability coefficient in 95 % of cases.",
        )
    ]  # fmt: skip


def _with_volume(known: Phenotypes, feature: str) -> list[Fact]:
    """Correlation with the volume of the same region: a feature may be nothing but size."""
    row = known.names.filter(pl.col("predictor") == feature).row(0, named=True)
    place = known.names.filter(
        (pl.col("image") == row["image"]) & (pl.col("roi") == row["roi"]) & (pl.col("visit") == row["visit"])
        & pl.col("feature").is_in(_VOLUMES)
    )["predictor"].to_list()  # fmt: skip
    if not place or place[0] == feature:
        return []
    both = known.table.select(feature, place[0]).drop_nulls()
    if both.height < 4 or both[feature].n_unique() < 2 or both[place[0]].n_unique() < 2:
        return []
    x, y = both[feature].rank().to_numpy(), both[place[0]].rank().to_numpy()
    rho = float(np.corrcoef(x, y)[0, 1])
    return [Fact("rank correlation with volume", f"{number(rho)} ({plural(both.height, 'subject')})")]


def _feature(art: Artefacts, known: Phenotypes, feature: str) -> list[Section]:
    row = known.names.filter(pl.col("predictor") == feature).row(0, named=True)
    values = _column(known.table, feature)
    measured = int(np.isfinite(values).sum())
    facts = [
        Fact("definition", row["name"] or "not in the dictionary"),
        Fact("IBSI id", row["ibsi_id"] or MISSING),
        Fact("family", row["family"].replace("_", " ") or MISSING),
        Fact("aggregation", row["aggregation"] or "none"),
        Fact("unit", row["unit"] or "no unit"),
        Fact("image", ", ".join(p for p in (row["image"], row["roi"], row["visit"]) if p)),
        Fact("subjects", f"{measured} with a value of {known.table.height} with a region"),
        *_with_volume(known, feature),
    ]
    what: list[Block] = [Facts("Definition", facts)]
    if measured:
        what.append(distribution(values, feature, row["unit"]))
    links = _links(art, "feature", [feature])
    if links is not None and measured:
        marker = str(links.rows[0][1])
        pair = _pair(art, known, feature, marker)
        what += [] if pair is None else [by_marker(*pair, feature, row["unit"], marker, _found(art, feature, marker))]
    predicts = [t for t in (_univariate(art, [feature]), _selection(art, [feature])) if t]
    return [
        Section("what", "What it is", what),
        Section(
            "with", "What it goes with", [*([links] if links else []), *_sets(art, feature), *_variants(art, feature)]
        ),
        Section("repeatable", "How repeatable it is", _repeatability(art, row)),
        Section("predicts", "What it predicts", [*predicts, *_paths(art, "mediator", [feature])]),
    ]


def _share(part: int | None, whole: int) -> str:
    return MISSING if part is None or not whole else f"{part} ({percent(part / whole)})"


def _gene(art: Artefacts, known: Phenotypes | None, markers: pl.DataFrame) -> list[Section]:
    names = markers["marker"].to_list()
    rows: list[Row] = [
        [
            r["marker"], r["kind"], r["definition"] or MISSING, r["source"], r["unit"] or MISSING, number_cell(r["n"]),
            _share(r["n_positive"], r["n"]),
        ]
        for r in markers.iter_rows(named=True)
    ]  # fmt: skip
    head = ["marker", "kind", "definition", "source", "unit", "subjects", "with the marker"]
    what: list[Block] = [Table("Markers of this name", head, rows, [False] * 5 + [True] * 2)]
    table = art.table("molecular/markers")
    for r in markers.filter(pl.col("kind") != "binary").head(2).iter_rows(named=True):
        if table is not None and np.isfinite(_column(table, r["marker"])).any():
            what.append(distribution(_column(table, r["marker"]), r["marker"], r["unit"]))
    links = _links(art, "marker", names)
    if links is not None and known is not None:
        feature, marker = str(links.rows[0][0]), str(links.rows[0][1])
        if feature in known.table.columns and (pair := _pair(art, known, feature, marker)) is not None:
            unit = known.names.filter(pl.col("predictor") == feature)["unit"][0]
            what.append(by_marker(*pair, feature, unit, marker, _found(art, feature, marker)))
    predicts = [t for t in (_univariate(art, names), _selection(art, names)) if t]
    return [
        Section("what", "What it is", what),
        Section("with", "What it goes with", [links] if links else []),
        Section("image", "Whether the image tells it", _told(art, names)),
        Section("predicts", "What it predicts", [*predicts, *_paths(art, "exposure", names)]),
    ]


def _told(art: Artefacts, names: list[str]) -> list[Block]:
    """Verdicts about targets that are these markers."""
    verdict = art.table("genotyping/verdict")
    targets = art.setting("genotyping", "targets") or {}
    mine = [t for t, how in targets.items() if (how.get("marker") or t) in names]
    own = None if verdict is None else verdict.filter(pl.col("target").is_in(mine))
    if own is None or not own.height:
        return [Text("This study did not try to tell it from the image ([genotyping]).", "note")]
    rows: list[Row] = [
        [
            r["target"], r["model"], r["metric"], interval_cell(r["estimate"], r["lower"], r["upper"]),
            number_cell(r["null_mean"]), number_cell(r["p_value"]), number_cell(r["n"]), number_cell(r["positives"]),
            r["verdict"],
        ]
        for r in own.iter_rows(named=True)
    ]  # fmt: skip
    head = ["target", "model", "measure", "out of fold (95 % interval)", "on permuted markers", "p", "n"]
    head += ["with the marker", "verdict"]
    return [Table("Predicted from the image alone, out of fold", head, rows, [False] * 3 + [True] * 5)]
