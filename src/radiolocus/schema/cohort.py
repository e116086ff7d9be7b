"""Tables of who is in the study, what went wrong, and what was planted."""

from __future__ import annotations

from radiolocus.schema.columns import PROBLEM, SUBJECT, Column, Flag, Real, Table, Text, Whole

__all__ = ["COHORT"]

COHORT: tuple[Table, ...] = (
    Table(
        "problems",
        "what could not be used, and what was done instead",
        PROBLEM,
    ),
    Table("cohort/subjects", "one row a subject: id and the clinical columns under their own names", (SUBJECT,), True),
    Table(
        "cohort/membership",
        "which subject was found in which source",
        (
            SUBJECT,
            Column("source", Text, "table, image, genotype or molecular source"),
            Column("raw_id", Text, "id as it stands in the source"),
            Column("status", Text, "'joined', 'missing here', 'not in cohort', 'another sample' or 'normal tissue'"),
            Column("nearest", Text, "nearest cohort id of an id that is not in the cohort; the sample that was taken"),
        ),
    ),
    Table(
        "cohort/endpoints",
        "endpoints in long form",
        (
            SUBJECT,
            Column("endpoint", Text, "endpoint of the study file"),
            Column("kind", Text, "'survival' or 'binary'"),
            Column("time", Real, "time to event or censoring; null for binary endpoints"),
            Column("event", Whole, "1 event or positive, 0 censored or negative, null unknown"),
            Column("unit", Text, "unit of time"),
        ),
    ),
    Table(
        "demo/truth",
        "what was planted in the simulated cohort, and what was found of it",
        (
            Column("kind", Text, "'planted effect', 'false positives', 'negative control' or 'bad data'"),
            Column("planted", Text, "what was planted"),
            Column("found", Flag, "the run says what was planted"),
            Column("evidence", Text, "the numbers that show it"),
            Column("verdict", Text, "in words"),
        ),
    ),
)
