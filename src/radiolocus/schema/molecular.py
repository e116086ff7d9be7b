"""Tables of molecular markers and of their links."""

from __future__ import annotations

from radiolocus.schema.columns import EFFECT, INTERVAL, MULTIPLE, SUBJECT, Column, Flag, N, Real, Table, Text, Whole

__all__ = ["MOLECULAR"]

MOLECULAR: tuple[Table, ...] = (
    Table("molecular/markers", "one row a subject; a column per molecular marker", (SUBJECT,), True),
    Table(
        "molecular/dictionary",
        "what each marker column is",
        (
            Column("marker", Text, "column name in molecular/markers"),
            Column("kind", Text, "'binary', 'continuous' or 'ordinal'"),
            Column("source", Text, "table it came from"),
            Column("unit", Text, "unit, empty when it has none"),
            N,
            Column("n_positive", Whole, "subjects with the marker; null when continuous"),
        ),
    ),
    Table(
        "link/link",
        "every imaging feature × every molecular marker",
        (
            Column("feature", Text, "imaging feature"),
            Column("marker", Text, "molecular marker"),
            Column("marker_kind", Text, "'binary', 'continuous' or 'ordinal'"),
            Column("test", Text, "test used"),
            *EFFECT,
            Column("correlation", Real, "(partial) correlation of feature and marker, −1 to 1"),
            *MULTIPLE,
            *INTERVAL[1:],
            Column(
                "storey_q_value",
                Real,
                "false discovery rate with the estimated share of true nulls",
                source="Storey 2002",
            ),
            Column("feature_family", Text, "family of the imaging feature"),
            Column(
                "selected",
                Flag,
                "rejected at 5 % within a family that was selected",
                source="Benjamini & Bogomolov 2014",
            ),
            Column("permutation_p_value", Real, "of the pair alone; null without permutations"),
            Column(
                "family_wise_p_value",
                Real,
                "step-down over the scope of the permutations",
                source="Westfall & Young 1993",
            ),
            Column(
                "tail_fitted",
                Flag,
                "permutation_p_value is that of a fitted generalised Pareto tail",
                source="Knijnenburg et al. 2009",
            ),
        ),
    ),
    Table(
        "link/families",
        "families of tests of link/link",
        (
            Column("family", Text, "marker, or family of imaging features"),
            Column("of", Text, "'marker' or 'feature'"),
            Column("tests", Whole, "tests made in the family"),
            Column("neg_log_10_p_value", Real, "−log10 of Simes' p-value", source="Simes 1986"),
            Column("q_value", Real, "false discovery rate over the families", source="Benjamini & Hochberg 1995"),
            Column("selected", Whole, "tests rejected within the family", source="Benjamini & Bogomolov 2014"),
        ),
    ),
)
