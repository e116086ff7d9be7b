"""Units of a scan that holds type I error with relatives: a mixed model, or a ridge whose predictions are taken out.

What variants are tested with may differ from chromosome to chromosome; of it, only what the threads are busy with is in
memory.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.associate.block import rows_of
from radiolocus.associate.calls import Calls
from radiolocus.associate.gwas import GwasOptions, Workshop, effects_of
from radiolocus.associate.haploid import Parts
from radiolocus.associate.mixed import MixedOptions, decompose, groups_of
from radiolocus.associate.mixed_tile import MixedTiler, errors_of, mixed_rows
from radiolocus.associate.scan import Preparation, with_parts
from radiolocus.associate.stacked import offset_design, offsets_of, stack
from radiolocus.associate.tile import Tiler
from radiolocus.genome.haploid import HAPLOID
from radiolocus.model import Problem

__all__ = ["MixedWorkshop", "autosomes_only"]

Whole = npt.NDArray[np.int64]
Single = npt.NDArray[np.float32]


def autosomes_only(preparation: Preparation, mixed: MixedOptions) -> Preparation:
    """Leave X, Y and MT out, on which relatives are related otherwise than on the autosomes."""
    why = {kind: f"chromosome {kind}: model '{mixed.model}' tests the autosomes alone" for kind in HAPLOID}
    return with_parts(preparation, Parts({}, why, ()))


class MixedWorkshop(Workshop):
    """Runs units of one scan by a mixed model or with the ridge.

    Parameters
    ----------
    preparation : Preparation
        With judged variants, of the autosomes only.
    options : GwasOptions
    mixed : MixedOptions
    file : callable
        Where an array is kept until the scan is done, by its name.
    effects : Path or None
        See :class:`radiolocus.associate.gwas.Workshop`.
    jobs : int
        Threads of what comes before the units.

    Attributes
    ----------
    fitted : polars.DataFrame
        Table ``sumstats/mixed``.

    Raises
    ------
    ConfigError, FitError
        See :class:`radiolocus.associate.gwas.Workshop`, :func:`radiolocus.associate.mixed.decompose` and
        :func:`radiolocus.associate.stacked.stack`.
    """

    def __init__(
        self,
        preparation: Preparation,
        options: GwasOptions,
        mixed: MixedOptions,
        file: Callable[[str], Path],
        effects: Path | None = None,
        jobs: int = 1,
    ) -> None:
        super().__init__(preparation, options, effects)
        self._mixed, self._file = mixed, file
        before = stack if mixed.model == "ridge" else decompose
        self._turns, self.fitted = before(preparation, mixed, file, jobs)
        self.preparation = _with_notes(preparation, self.fitted)
        self._lock = threading.Lock()
        self._shared: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()

    def _scanners(self) -> list[Any]:
        return []  # made chromosome by chromosome

    def _make(self, turn: str) -> MixedTiler | Tiler:
        design = self.preparation.design
        if self._mixed.model != "ridge":
            groups = groups_of(self._file, turn, len(design.patterns))
            return MixedTiler(design, groups, self._mixed.model == "lmm-exact")
        predicted = offsets_of(self._file, design.columns.size, self._turns.index(turn))
        options = self.preparation.options
        return Tiler(offset_design(design, predicted), options.missing, options.scan_dtype)

    def _turn_to(self, turn: str) -> None:
        """Let this thread test variants of one chromosome."""
        if getattr(self._own, "turn", None) == turn:
            return
        self._own.held = None  # what the thread had before may go
        with self._lock:
            first = self._shared.get(turn)
            if first is None:
                first = self._shared[turn] = self._make(turn)
        self._own.turn, self._own.held = turn, (first, [first.another()])

    def _scanners_of(self, kind: str) -> list[Any]:
        scanners: list[Any] = self._own.held[1]
        return scanners

    def _scan(self, kind: str, calls: Calls, listed: pl.DataFrame, inside: Whole, start: int, kept: Any) -> None:
        whole = self._turns == ("",)
        for turn, first, last in [("", 0, inside.size)] if whole else _runs(listed["chromosome"]):
            self._turn_to(turn)
            here, before = slice(first, last), len(kept.rows)
            super()._scan(kind, calls.part(here), listed[here], inside[here], start, kept)
            kept.rows[before:] = [rows.with_columns(pl.col("variant") + first) for rows in kept.rows[before:]]

    def _numbers(self, tile: Any, tiler: Any, bench: Any, variant: Whole, column: Whole) -> pl.DataFrame:
        numbers = rows_of if self._mixed.model == "ridge" else mixed_rows
        return numbers(tile, tiler.design, variant, column)

    def _coefficients(self, tile: Any, bench: Any) -> tuple[Single, Single]:
        design = self._own.held[0].design
        if self._mixed.model == "ridge":
            return effects_of(tile, design)
        return (tile.beta * design.length).astype(np.float32), (errors_of(tile) * design.length).astype(np.float32)


def _with_notes(preparation: Preparation, fitted: pl.DataFrame) -> Preparation:
    """Tell the phenotypes whose variance ratio lies at an end of the search."""
    ends = {
        "lower": ("the smallest", "no sign of a genetic part: its test is that of the linear model"),
        "upper": ("the largest", "all variance is genetic: look whether the phenotype names families or batches"),
    }
    notes = tuple(
        Problem(
            "associate", f"variance ratio {row['variance_ratio']:g}, {ends[row['boundary']][0]} that is searched",
            severity="note", item=row["phenotype"], todo=ends[row["boundary"]][1],
            where=f"without chromosome {row['left_out']}" if row["left_out"] else "",
        )
        for row in fitted.drop_nulls("boundary").iter_rows(named=True)
    )  # fmt: skip
    design = preparation.design
    return replace(preparation, design=replace(design, problems=design.problems + notes))


def _runs(chromosome: pl.Series) -> Iterator[tuple[str, int, int]]:
    """Yield each chromosome in its order, with where its variants begin and end."""
    first = 0
    for length, name in chromosome.rle().struct.unnest().iter_rows():
        yield name, first, first + length
        first += length
