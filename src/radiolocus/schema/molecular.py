"""Tables of molecular markers and of their links."""

from __future__ import annotations

from radiolocus.schema.columns import EFFECT, MULTIPLE, SUBJECT, Column, N, Real, Table, Text, Whole

__all__ = ["MOLECULAR"]

MOLECULAR: tuple[Table, ...] = (
    Table("molecular/markers", "one row a subject; a column per molecular marker", (SUBJECT,), True),
    Table(
        "molecular/dictionary",
        "what each marker column is",
        (
            Column("marker", Text, "column name in molecular/markers"),
            Column("kind", Text, "'binary' or 'continuous'"),
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
            Column("marker_kind", Text, "'binary' or 'continuous'"),
            Column("test", Text, "test used"),
            *EFFECT,
            Column("correlation", Real, "(partial) correlation of feature and marker, −1 to 1"),
            *MULTIPLE,
        ),
    ),
)
