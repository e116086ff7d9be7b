"""Networks: how well they predict beside simple models, and what they looked at."""

from __future__ import annotations

import polars as pl

from radiolocus.report.blocks import Block, Row, Section, Table, Text
from radiolocus.report.figures_deep import column_bars, maps, training_curves, variant_dots
from radiolocus.report.numbers import interval, interval_cell, number_cell, percent
from radiolocus.report.source import Artefacts

__all__ = ["deep"]

_NETWORK = "network"


def deep(art: Artefacts) -> Section | None:
    """Return the section on networks, or None when none was trained."""
    performance = art.table("deep/performance")
    if performance is None:
        return None
    differences, horizons = art.table("deep/differences"), art.table("deep/horizons")
    verdict = _verdict(differences, performance)
    blocks: list[Block] = [_performance(performance)]
    blocks += [_differences(differences)] if differences is not None else []
    blocks += [_horizons(horizons)] if horizons is not None else []
    training = art.table("deep/training")
    blocks += [training_curves(training)] if training is not None else []
    attention = art.table("deep/attention")
    blocks += [_modalities(attention)] if attention is not None else []
    blocks += _explained(art)
    blocks.append(
        Text(
            "Maps and attributions say what the networks used, not what causes the outcome; a network that predicts no "
            "better than chance has maps too. For research use only.",
            "note",
        )
    )
    return Section("deep", "Networks on crops and genomic input", blocks, verdict)


def _explained(art: Artefacts) -> list[Block]:
    blocks: list[Block] = []
    drawn, columns, windows = art.table("deep/maps"), art.table("deep/columns"), art.table("deep/windows")
    if drawn is not None:
        for key, part in drawn.group_by("endpoint", "image", maintain_order=True):
            blocks.append(maps(part, str(key[0]), str(key[1])))
    for rows, draw in ((columns, column_bars), (windows, variant_dots)):
        if rows is not None:
            blocks += [draw(part, str(key[0])) for key, part in rows.group_by("endpoint", maintain_order=True)]
    return blocks


def _verdict(differences: pl.DataFrame | None, performance: pl.DataFrame) -> list[str]:
    """One line an endpoint: the network, and whether it tells more than the simple models."""
    lines = []
    own = performance.filter((pl.col("model") == _NETWORK) & (pl.col("patients") == "all"))
    for r in own.iter_rows(named=True):
        line = f"{r['endpoint']} by networks: {r['metric']} {interval(r['estimate'], r['lower'], r['upper'])}"
        others = None if differences is None else differences.filter(
            (pl.col("endpoint") == r["endpoint"]) & (pl.col("model") != _NETWORK)
        )  # fmt: skip
        for d in others.iter_rows(named=True) if others is not None else ():
            said = "more than" if d["lower"] > 0 else "less than" if d["upper"] < 0 else "not told apart from"
            gap = interval(d["estimate"], d["lower"], d["upper"], 3)
            line += f"; {said} {d['model']} on {d['predictors']} (difference {gap})"
        lines.append(line)
    return lines


def _performance(frame: pl.DataFrame) -> Table:
    rows: list[Row] = [
        [
            r["endpoint"],
            r["model"],
            r["predictors"],
            r["patients"],
            r["metric"],
            interval_cell(r["estimate"], r["lower"], r["upper"]),
            number_cell(r["n"]),
            number_cell(r["events"]),
        ]
        for r in frame.iter_rows(named=True)
    ]
    design = frame.select("split", "repeats", "folds").row(0)
    return Table(
        f"Networks and simple models ({design[1]} × {design[2]} folds, {design[0]})",
        ["endpoint", "model", "predictors", "patients", "metric", "estimate (95 % CI)", "n", "events"],
        rows,
        [False] * 5 + [True] * 3,
        sortable=True,
        note="Out of fold, compared within folds; all models of an endpoint share subjects and folds. 'with NAME': the "
        "same networks shown this modality alone, to the patients who have it (they are trained with modalities left "
        "out at random). Simple models see features of the regions instead of crops; what a patient lacks is imputed "
        "from the training part for them, and left out of the fusion by the networks.",
    )


def _differences(frame: pl.DataFrame) -> Table:
    rows: list[Row] = [
        [
            r["endpoint"],
            f"{r['model']} on {r['predictors']}",
            r["patients"],
            r["metric"],
            interval_cell(r["estimate"], r["lower"], r["upper"]),
            "yes" if r["lower"] > 0 or r["upper"] < 0 else "no",
            number_cell(r["n"]),
        ]
        for r in frame.iter_rows(named=True)
    ]
    return Table(
        "What the networks on everything tell beyond another model",
        ["endpoint", "less", "patients", "metric", "difference (95 % CI)", "beyond its error", "n"],
        rows,
        [False] * 4 + [True, False, True],
        note="Same subjects, same folds, same bootstrap draws.",
    )


def _horizons(frame: pl.DataFrame) -> Table:
    rows: list[Row] = [
        [
            r["endpoint"],
            r["model"],
            r["predictors"],
            r["metric"],
            number_cell(r["time"]),
            interval_cell(r["estimate"], r["lower"], r["upper"]),
            number_cell(r["events"]),
        ]
        for r in frame.iter_rows(named=True)
    ]
    return Table(
        "At horizons",
        ["endpoint", "model", "predictors", "metric", "time", "estimate (95 % CI)", "events"],
        rows,
        [False] * 4 + [True] * 3,
        folded=True,
    )


def _modalities(frame: pl.DataFrame) -> Table:
    told = frame.group_by("endpoint", "modality", maintain_order=True).agg(
        pl.col("subject").n_unique().alias("n"),
        pl.col("attention").mean(),
        pl.col("attribution").abs().mean(),
        pl.col("attribution").std().alias("spread"),
    )
    rows: list[Row] = [
        [
            r["endpoint"],
            r["modality"],
            number_cell(r["n"]),
            percent(r["attention"]),
            number_cell(r["attribution"]),
            number_cell(r["spread"]),
        ]
        for r in told.iter_rows(named=True)
    ]
    gap = frame["gap"].drop_nulls().abs().max()
    return Table(
        "What each modality is to the risk",
        ["endpoint", "modality", "n", "attention, mean", "attribution, mean absolute", "attribution, SD"],
        rows,
        [False, False, True, True, True, True],
        note="Attention: share in the fusion. Attribution: integrated gradients, in units of the risk; the SD says how "
        "much the modality tells patients apart. Over all modalities attributions add up to the difference in risk to "
        f"the baseline, but for at most {0.0 if gap is None else gap:.2g}.",  # type: ignore[str-bytes-safe]
    )
