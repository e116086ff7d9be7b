"""Who the subjects are: a table of the clinical columns that the study uses, with what is missing."""

from __future__ import annotations

from itertools import chain

import polars as pl

from radiolocus.report.blocks import Row, Table
from radiolocus.report.numbers import number, percent
from radiolocus.report.source import Artefacts

__all__ = ["characteristics"]

_LEVELS = 8
_USED = (("outcome", "clinical"), ("link", "covariates"), ("genetics", "covariates"), ("genotyping", "clinical"))


def _columns(art: Artefacts, subjects: pl.DataFrame) -> list[str]:
    """Clinical columns that any section names, in the order of the table."""
    named = set(chain.from_iterable(art.setting(*keys) or () for keys in _USED))
    return [c for c in subjects.columns if c in named]


def _numbers(values: pl.Series) -> str:
    low, middle, high = (values.quantile(q, "linear") for q in (0.25, 0.5, 0.75))
    return f"{number(middle)} ({number(low)} to {number(high)})"


def _shown(known: pl.Series) -> list[tuple[str, str]]:
    """Quartiles of a number, or how many have each category, the most frequent first."""
    if known.dtype.is_numeric() and known.n_unique() > 2:
        return [("median (quartiles)", _numbers(known))]
    counts = known.cast(pl.String).alias("level").value_counts().sort(["count", "level"], descending=[True, False])
    found = [(str(level), int(count)) for level, count in counts.iter_rows()]
    rest = sum(count for _, count in found[_LEVELS:])
    shown = found[:_LEVELS] + ([("others", rest)] if rest else [])
    return [(level, f"{count} ({percent(count / known.len())})") for level, count in shown]


def characteristics(art: Artefacts, subjects: pl.DataFrame) -> Table | None:
    """Return the table, or None when no section names a clinical column.

    Parameters
    ----------
    art : Artefacts
    subjects : polars.DataFrame
        Table ``cohort/subjects``.
    """
    rows: list[Row] = []
    for name in _columns(art, subjects):
        values = subjects[name]
        gap = f"{values.null_count()} ({percent(values.null_count() / max(1, values.len()))})"
        for k, (level, told) in enumerate(_shown(values.drop_nulls()) or [("no value", "")]):
            rows.append([name if k == 0 else "", level, told, gap if k == 0 else ""])
    if not rows:
        return None
    return Table(
        "Characteristics",
        ["column", "", f"of {subjects.height} subjects", "missing"],
        rows,
        [False, False, True, True],
        folded=len(rows) > 12,
        note="Clinical columns that a section of the study file names. Shares are of those with a value.",
    )
