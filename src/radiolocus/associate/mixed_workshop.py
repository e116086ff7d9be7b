"""Units of a scan that holds type I error with relatives: a mixed model, or a ridge whose predictions are taken out.

What variants are tested with may differ from chromosome to chromosome; of it, only what the threads are busy with is in
memory.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.associate.binary import BinaryDesign, BinaryOptions
from radiolocus.associate.binary_tile import BinaryTiler, binary_rows
from radiolocus.associate.block import rows_of
from radiolocus.associate.calls import Calls
from radiolocus.associate.gwas import BinaryWorkshop, GwasOptions, Workshop, effects_of, refuse_arrays
from radiolocus.associate.haploid import Parts
from radiolocus.associate.mixed import MixedOptions, decompose, groups_of
from radiolocus.associate.mixed_tile import MixedTiler, errors_of, mixed_rows
from radiolocus.associate.scan import Preparation, with_parts
from radiolocus.associate.stacked import offset_binary, offset_design, offsets_of, stack
from radiolocus.associate.tile import Tiler
from radiolocus.genome.haploid import HAPLOID
from radiolocus.model import Problem

__all__ = ["BinaryRidgeWorkshop", "MixedWorkshop", "autosomes_only"]

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
        self.preparation = _tell_ends(preparation, self.fitted)
        self._lock = threading.Lock()
        self._shared: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()

    def _scanners(self) -> list[Any]:
        return []  # made chromosome by chromosome

    def _make(self, turn: str) -> Any:
        design = self.preparation.design
        if self._mixed.model != "ridge":
            groups = groups_of(self._file, turn, len(design.patterns))
            return MixedTiler(design, groups, self._mixed.model == "lmm-exact")
        options = self.preparation.options
        return Tiler(offset_design(design, self._offsets(turn)), options.missing, options.scan_dtype)

    def _offsets(self, turn: str) -> Single:
        return offsets_of(self._file, self.preparation.design.columns.size, self._turns.index(turn))

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


class BinaryRidgeWorkshop(MixedWorkshop):
    """Runs units of one scan of binary phenotypes with the ridge: what it predicts is a covariate of the null models.

    Parameters
    ----------
    preparation, options, mixed, file, jobs
        See :class:`MixedWorkshop`.
    design : BinaryDesign
        Of `preparation`.
    binary : BinaryOptions

    Raises
    ------
    ConfigError, FitError
        As there; effects of every pair, which are those of linear regression.
    """

    table: ClassVar[str] = BinaryWorkshop.table
    reasons: ClassVar[Mapping[int, str]] = BinaryWorkshop.reasons

    def __init__(
        self, preparation: Preparation, options: GwasOptions, mixed: MixedOptions, file: Callable[[str], Path],
        design: BinaryDesign, binary: BinaryOptions, jobs: int = 1,
    ) -> None:  # fmt: skip
        refuse_arrays(options)
        self._binary, self._nulls = binary, design
        super().__init__(preparation, options, mixed, file, None, jobs)
        notes = []
        for turn in self._turns:
            for column, why in offset_binary(design, self._offsets(turn))[1].items():
                name = design.linear.phenotypes[design.linear.columns[column]]
                notes.append(
                    Problem("associate", f"tested without the prediction of the ridge: {why}", severity="note",
                            item=name, where=f"chromosome {turn}", todo="use fewer covariates, or more cases")
                )  # fmt: skip
        self.preparation = with_notes(self.preparation, tuple(notes))

    def _make(self, turn: str) -> Any:
        design, _ = offset_binary(self._nulls, self._offsets(turn))
        return BinaryTiler(design, self.preparation.options.missing, self._binary)

    def _numbers(self, tile: Any, tiler: Any, bench: Any, variant: Whole, column: Whole) -> pl.DataFrame:
        return binary_rows(tiler, tile, variant, column)


def with_notes(preparation: Preparation, notes: tuple[Problem, ...]) -> Preparation:
    """Add what should be known of phenotypes."""
    design = preparation.design
    return replace(preparation, design=replace(design, problems=design.problems + notes))


def _tell_ends(preparation: Preparation, fitted: pl.DataFrame) -> Preparation:
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
    return with_notes(preparation, notes)


def _runs(chromosome: pl.Series) -> Iterator[tuple[str, int, int]]:
    """Yield each chromosome in its order, with where its variants begin and end."""
    first = 0
    for length, name in chromosome.rle().struct.unnest().iter_rows():
        yield name, first, first + length
        first += length
