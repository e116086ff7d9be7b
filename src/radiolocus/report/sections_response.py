"""Treatment response by the criterion of the study, and by the others beside it."""

from __future__ import annotations

import polars as pl

from radiolocus.report.blocks import Block, Cell, Row, Section, Table
from radiolocus.report.figures_response import RECIST, RESPONSES, Kind, spider, swimmer, waterfall
from radiolocus.report.numbers import count, interval, interval_cell, number_cell, plural
from radiolocus.report.sections_lead import lead_blocks, made_endpoints
from radiolocus.report.source import Artefacts
from radiolocus.response.assess import CRITERION_NAMES
from radiolocus.response.criterion import CRITERIA
from radiolocus.response.readers import said_of_noise

__all__ = ["response"]

_MOST_DIFFERENCES = 200
_MOST_UNSURE = 30
_CLASSES = {"MR": "SD", "PDu": "NE", "iUPD": "PD"}


def _kind(name: str) -> Kind:
    """What a figure must know of a criterion."""
    if name not in CRITERIA:
        return RECIST
    criterion = CRITERIA[name]
    rules = {r.call: r for r in reversed(criterion.rules) if {"percent", "size", "late"} & set(r.numbers)}
    numbers = {criterion.words.get(call, _CLASSES.get(call, call)): r.numbers for call, r in rules.items()}
    fall = next((numbers["PR"][k] for k in ("percent", "size", "late") if k in numbers.get("PR", {})), None)
    growth = numbers.get("PD", numbers.get("iUPD", {})).get("percent")
    return Kind(
        criterion.title,
        criterion.quantity.partition(",")[0],
        growth,
        None if fall is None else -fall,
        {**_CLASSES, **criterion.words},
    )


def _chosen(art: Artefacts, name: str, table: str) -> pl.DataFrame | None:
    """Rows of the criterion of the study; RECIST 1.1 has tables of its own."""
    if name == "recist11":
        return art.table(f"response/{table}")
    frame = art.table({"timepoints": "response/criteria"}.get(table, f"response/criteria_{table}"))
    return None if frame is None else frame.filter(pl.col("criterion") == name)


def _rates(frame: pl.DataFrame | None) -> tuple[Table | None, list[str]]:
    if frame is None:
        return None, []
    rows: list[Row] = []
    lines = []
    for r in frame.iter_rows(named=True):
        text = interval(r["estimate"], r["lower"], r["upper"], digits=0, scale=100, unit=" %")
        rows.append([r["quantity"], Cell(text, r["estimate"]), f"{r['events']} of {r['n']}"])
        lines.append(f"{r['quantity']} {text}, {r['events']} of {r['n']}")
    table = Table(
        "Response rates",
        ["quantity", "rate (95 % interval)", "subjects"],
        rows,
        [False, True, True],
        note="Exact intervals (Clopper & Pearson 1934).",
    )
    return table, lines


def _ends(art: Artefacts) -> Table | None:
    frame = art.table("response/endpoint_summary")
    if frame is None:
        return None
    rows: list[Row] = [
        [
            r["endpoint"],
            r["rule"],
            "not reached" if r["median"] is None else number_cell(r["median"]),
            number_cell(r["lower"]),
            number_cell(r["upper"]),
            f"{r['events']} of {r['n']}",
        ]
        for r in frame.iter_rows(named=True)
    ]
    told = dict(frame.select("rule", "meaning").iter_rows())
    return Table(
        "Progression-free survival and duration of response",
        ["end point", "rule", "median (days)", "from", "to", "events"],
        rows,
        [False, False, True, True, True, True],
        note="Kaplan–Meier medians with 95 % intervals. " + "; ".join(f"{k}: {v}" for k, v in told.items()) + ".",
    )


def _others(art: Artefacts, name: str) -> Table | None:
    """Best responses by every other criterion."""
    frame = art.table("response/criteria_best")
    if frame is None or set(frame["criterion"]) <= {name}:
        return None
    tally = frame.filter(pl.col("criterion") != name).group_by("criterion", "best_response", maintain_order=True).len()
    rows: list[Row] = [
        [CRITERIA[c].title if c in CRITERIA else RECIST.title, best, Cell(count(n), n)]
        for c, best, n in tally.iter_rows()
    ]
    return Table(
        "Best responses by the other criteria",
        ["criterion", "best response", "subjects"],
        rows,
        [False, False, True],
        note="Every visit with its reason and rule: response/criteria.csv.",
    )


def _compared(art: Artefacts) -> list[Block]:
    """What a trial's own domains say, beside our calls."""
    frame = art.table("response/comparison")
    if frame is None:
        return []
    known = frame.filter(pl.col("agree").is_not_null())
    tally = known.group_by("item", maintain_order=True).agg(pl.col("agree").sum(), pl.len())
    rows: list[Row] = [[r["item"], f"{r['agree']} of {r['len']}"] for r in tally.iter_rows(named=True)]
    agreement = Table(
        "Sums and responses of the trial's own tables that ours equal",
        ["item", "equal"],
        rows,
        [False, True],
        note="RECIST 1.1 on the lesions of TR, beside SUMDIAM of TR and the responses of RS.",
    )
    differ = frame.filter(~pl.col("agree").fill_null(value=False))
    if not differ.height:
        return [agreement]
    told: list[Row] = [
        [r["subject"], r["visit"] or "–", r["item"], r["ours"] or "–", r["theirs"], r["explanation"] or "–"]
        for r in differ.head(_MOST_DIFFERENCES).iter_rows(named=True)
    ]
    more = differ.height - len(told)
    note = f"{count(more)} further rows: response/comparison.csv." if more else ""
    head = ["subject", "visit", "item", "ours", "theirs", "why"]
    return [agreement, Table(f"Where they differ ({count(differ.height)})", head, told, folded=True, note=note)]


def _reliability(art: Artefacts) -> list[Block]:
    """Agreement of two readers, and what an error of measurement does to the calls."""
    blocks: list[Block] = []
    if (readers := art.table("response/readers")) is not None:
        rows: list[Row] = [
            [
                CRITERIA[r["criterion"]].title if r["criterion"] in CRITERIA else RECIST.title,
                r["quantity"],
                r["statistic"],
                interval_cell(r["estimate"], r["lower"], r["upper"]),
                number_cell(r["n"]),
            ]
            for r in readers.iter_rows(named=True)
        ]
        blocks.append(
            Table(
                "Agreement of two readers",
                ["criterion", "of", "statistic", "estimate (95 %)", "n"],
                rows,
                [False, False, False, True, True],
                note="κ: Cohen 1960; bias and limits of agreement: Bland & Altman 1999. Visits of one subject are not "
                "independent: their intervals are too narrow.",
            )
        )
    if (noise := art.table("response/measurement_error")) is not None:
        part = noise.sort("kept", "subject", "visit", nulls_last=True).head(_MOST_UNSURE)
        told: list[Row] = [
            [r["subject"], r["visit"] or "best response", r["call"], number_cell(100 * r["kept"]), r["most_often"]]
            for r in part.iter_rows(named=True)
        ]
        blocks.append(
            Table(
                f"What an error of {noise['error_mm'][0]:g} mm does to the calls",
                ["subject", "visit", "call", "kept (% of draws)", "most often"],
                told,
                [False, False, False, True, False],
                folded=True,
                note="; ".join(said_of_noise(noise)) + ". Independent normal errors of every target diameter; what is "
                "absent stays absent. The least certain calls; all: response/measurement_error.csv.",
            )
        )
    return blocks


def _figures(
    timepoints: pl.DataFrame | None, best: pl.DataFrame | None, kind: Kind, treatments: pl.DataFrame | None
) -> list[Block]:
    blocks: list[Block] = []
    if best is not None and (figure := waterfall(best, kind)):
        blocks.append(figure)
    if timepoints is not None and (figure := spider(timepoints, best, kind)):
        blocks.append(figure)
    if timepoints is not None and best is not None and (figure := swimmer(timepoints, best, kind, treatments)):
        blocks.append(figure)
    return blocks


def _every_subject(best: pl.DataFrame) -> Table:
    confirmed = "demanded" if best["confirmed"].any() else "not demanded"
    rows: list[Row] = [
        [
            r["subject"],
            r["best_response"],
            number_cell(r["best_change"]),
            number_cell(r["progression_day"]),
            number_cell(r["last_day"]),
            r["reason"] or "–",
        ]
        for r in best.sort("subject").iter_rows(named=True)
    ]
    return Table(
        f"Best overall response of every subject ({count(best.height)}); confirmation {confirmed}",
        ["subject", "best response", "best change (%)", "progression (day)", "last assessment (day)", "why"],
        rows,
        [False, False, True, True, True, False],
        folded=True,
        sortable=True,
        note="Every visit with its reason: response/timepoints.csv.",
    )


def response(art: Artefacts) -> Section | None:
    """Return the response section, or None when no response was assessed."""
    name = art.criterion if art.criterion in CRITERION_NAMES else "recist11"
    best, timepoints = _chosen(art, name, "best"), _chosen(art, name, "timepoints")
    if best is None and timepoints is None:
        return None
    rates, verdict = _rates(_chosen(art, name, "rates"))
    blocks: list[Block] = [rates] if rates is not None else []
    blocks += _figures(timepoints, best, _kind(name), art.table("response/treatments"))
    blocks += [table for table in (_ends(art), _others(art, name)) if table is not None]
    blocks += [*made_endpoints(art), *lead_blocks(art), *_compared(art), *_reliability(art)]
    if best is not None:
        labels = best["best_response"].to_list()
        words = [r for r in RESPONSES if r in labels] + sorted(set(labels) - set(RESPONSES))
        tally = [f"{r} {labels.count(r)}" for r in words]
        verdict = [f"{plural(best.height, 'subject')}: {', '.join(tally)}", *verdict]
        blocks.append(_every_subject(best))
    return Section("response", "Treatment response", blocks, verdict)
