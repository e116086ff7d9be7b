"""Tables of reporting checklists."""

from __future__ import annotations

from radiolocus.schema.columns import Column, Real, Table, Text, Whole

__all__ = ["REPORTING"]

REPORTING: tuple[Table, ...] = (
    Table(
        "reporting/checklist",
        "items of reporting checklists and quality scores, as far as the run can tell",
        (
            Column("checklist", Text, "'TRIPOD+AI', 'CLEAR', 'METRICS' or 'RQS'"),
            Column("item", Text, "number of the item in the checklist"),
            Column("section", Text, "part of the paper, or category, it belongs to"),
            Column("asks", Text, "what the item asks, in short and not in the words of the checklist"),
            Column(
                "status",
                Text,
                "'reported', 'partly' (the authors must add to it), 'not done', 'not applicable' or 'open'",
            ),
            Column("known", Text, "what the run knows; empty: nothing"),
            Column("least", Real, "points, or weight, that are certain; null where the checklist has no score"),
            Column("most", Real, "points, or weight, that are possible"),
        ),
    ),
    Table(
        "reporting/scores",
        "each checklist in a line",
        (
            Column("checklist", Text, "'TRIPOD+AI', 'CLEAR', 'METRICS' or 'RQS'"),
            Column("items", Whole, "items"),
            Column("reported", Whole, "items that the run reports"),
            Column("partly", Whole, "items that it reports in part"),
            Column("not_done", Whole, "items that it knows not to be met"),
            Column("not_applicable", Whole, "items that do not concern it"),
            Column("open", Whole, "items that only the authors can answer"),
            Column("least", Real, "score if every open item is missed", "%"),
            Column("most", Real, "score if every open item is met", "%"),
            Column("citation", Text, "of the checklist"),
        ),
    ),
)
