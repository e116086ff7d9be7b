"""What the page says of predictors that were measured after baseline."""

from __future__ import annotations

from radiolocus.report.blocks import Block, Row, Table, Text
from radiolocus.report.numbers import number, number_cell
from radiolocus.report.source import Artefacts

__all__ = ["landmark_blocks"]


def landmark_blocks(art: Artefacts) -> list[Block]:
    """Return from when endpoints count that change predicts, and who was left out for it; nothing without such."""
    frame = art.table("outcome/landmark")
    if frame is None or not frame.height:
        return []
    rows: list[Row] = [
        [
            r["endpoint"],
            f"{r['visit']}: day {number(r['day'])} ({number(r['earliest'])} to {number(r['latest'])})"
            if r["day"] is not None
            else r["visit"],
            number_cell(r["known"]),
            number_cell(r["without_visit"]),
            number_cell(r["before"]) if r["checked"] else "not checked",
            number_cell(r["lost"]),
            number_cell(r["n"]),
        ]
        for r in frame.iter_rows(named=True)
    ]
    told = [
        f"{r['endpoint']}: {r['before']} had the endpoint by then, {r['lost']} were followed no further, "
        f"{r['without_visit']} did not have the visit; {r['n']} are judged"
        for r in frame.iter_rows(named=True)
        if r["checked"]
    ]
    table = Table(
        "Counted from the visit: endpoints as change predicts them",
        ["endpoint", "visit: median day (range)", "known", "without the visit", "endpoint before", "lost before", "n"],
        rows,
        [False, False, True, True, True, True, True],
        note="Sets of predictors with change (delta, and all where it holds delta) are judged on those who have the "
        "visit and had not had the endpoint by its day; times count from it (landmark analysis, Anderson 1983). Rows "
        "of the other sets count from baseline, on all subjects, unless same_subjects is set: compare them only then.",
    )
    return [table, *([Text("; ".join(told) + ".", "note")] if told else [])]
