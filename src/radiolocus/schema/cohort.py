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
            Column("kind", Text, "'survival', 'binary', 'competing', 'ordinal' or 'multiclass'"),
            Column("time", Real, "time to event or censoring; null for endpoints that are a class"),
            Column(
                "event",
                Whole,
                "1 event (of competing events the one of interest) or positive, 0 censored or negative, null unknown; "
                "of several classes: number of the class, from 0",
            ),
            Column("unit", Text, "unit of time"),
            Column("state", Whole, "with competing events: 0 censored, 1 the event of interest, 2, 3, ... the others"),
            Column("label", Text, "name of the event or class, where there are several"),
            Column("entry", Real, "time from which the subject was at risk; null: from time zero", "as time"),
            Column("stratum", Text, "stratum; null without strata"),
            Column("weight", Real, "case weight; null without weights"),
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
