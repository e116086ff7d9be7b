"""One vocabulary: every column of every artefact has a name, a type, a unit, a meaning and a source.

A table may carry further columns (clinical columns keep the names their owner gave them) only where its entry is
`open_ended`. :func:`conform` is the gate every artefact passes before it is written.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from radiolocus.schema.benefit import BENEFIT, EARLY
from radiolocus.schema.cohort import COHORT
from radiolocus.schema.columns import Column, Table
from radiolocus.schema.ctdna import CTDNA
from radiolocus.schema.deep import DEEP
from radiolocus.schema.further import FURTHER
from radiolocus.schema.genetics import GENETICS
from radiolocus.schema.genotyping import GENOTYPING
from radiolocus.schema.imaging import IMAGING
from radiolocus.schema.loci import LOCI
from radiolocus.schema.mechanism import MECHANISM
from radiolocus.schema.meta import META
from radiolocus.schema.molecular import MOLECULAR
from radiolocus.schema.monitoring import MONITORING
from radiolocus.schema.outcome import OUTCOME
from radiolocus.schema.reporting import REPORTING
from radiolocus.schema.response import RESPONSE

__all__ = ["CONTROL", "TABLES", "Column", "Table", "conform", "empty"]

#: Before the name of a negative control among blocks of predictors.
CONTROL = "control: "

TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        *COHORT,
        *IMAGING,
        *GENETICS,
        *LOCI,
        *META,
        *MECHANISM,
        *MOLECULAR,
        *GENOTYPING,
        *OUTCOME,
        *FURTHER,
        *REPORTING,
        *RESPONSE,
        *BENEFIT,
        *EARLY,
        *CTDNA,
        *DEEP,
        *MONITORING,
    )
}


def empty(name: str) -> pl.DataFrame:
    """Return table `name` with its columns and no row."""
    return pl.DataFrame(schema=TABLES[name].schema)


def conform(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Bring `frame` into the order and types of table `name`.

    Columns that the table does not know stay behind the known ones when it is open-ended. A missing or an unknown
    column in a closed table is a mistake of the program and raises :class:`KeyError`.
    """
    table = TABLES[name]
    missing = [c for c in table.schema if c not in frame.columns]
    extra = [c for c in frame.columns if c not in table.schema]
    if missing or (extra and not table.open_ended):
        raise KeyError(f"{name}: missing columns {missing}, unknown columns {extra}")
    return frame.select([pl.col(c).cast(t) for c, t in table.schema.items()] + [pl.col(c) for c in extra])
