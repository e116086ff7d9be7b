"""Lesion tables in few words."""

from __future__ import annotations

import polars as pl
import pytest

from radiolocus.read.lesions import LESION_COLUMNS


def rows(subject="A", node=False, *, day, kind="target", organ="lung", visit=None, **lesions):
    """One row a lesion: a number is a diameter in mm, a word a status, None nothing."""
    out = []
    for lesion, value in lesions.items():
        word = value if isinstance(value, str) else "NE" if value is None and kind != "new" else "present"
        size = None if isinstance(value, str) or value is None else float(value)
        label = visit or ("baseline" if day == 0 else f"day {day}")
        values = (subject, label, float(day), lesion, kind, organ, node, size, word)
        out.append(dict(zip(LESION_COLUMNS, values, strict=True)))
    return out


@pytest.fixture(scope="session")
def lesion_rows():
    return rows


@pytest.fixture(scope="session")
def lesion_table():
    """Return a function from lists of rows to a lesion table."""
    return lambda *parts: pl.DataFrame([r for part in parts for r in part], schema=LESION_COLUMNS)


@pytest.fixture(scope="session")
def sums_table():
    """Return a function from {day: sum} of one non-nodal target to a lesion table; None: not evaluated."""
    return lambda sums: pl.DataFrame(
        [r for day, size in sums.items() for r in rows(day=day, T=size)], schema=LESION_COLUMNS
    )
