"""A genome-wide scan at scale: what is kept of each block of variants, and the unit that computes it.

Nobody can keep ten million variants × a thousand phenotypes. Of each block stay the rows below a p-value (all rows of
chosen phenotypes), the smallest p-value of each variant and of each phenotype, and a histogram of −log10 p from which
genomic inflation is read.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.associate.binary import BinaryDesign, BinaryOptions
from radiolocus.associate.binary_tile import NO_FIT, BinaryTile, BinaryTiler, binary_rows
from radiolocus.associate.block import REASONS, labelled, omissions, rows_of
from radiolocus.associate.calls import Calls, CodeReader, DosageCalls
from radiolocus.associate.design import Design
from radiolocus.associate.effects import EffectArray
from radiolocus.associate.multitrait import permuted_design, whitener
from radiolocus.associate.scan import Preparation, Unit, coded, miscalled
from radiolocus.associate.tile import CONSTANT, KEPT, Tile, Tiler
from radiolocus.errors import ConfigError
from radiolocus.genome.haploid import count_looked_at
from radiolocus.genome.qc import judge
from radiolocus.kernels.scan import EDGES, tally
from radiolocus.model import Array, Problem
from radiolocus.read.plink import PlinkSource
from radiolocus.registry import suggest
from radiolocus.schema import conform, empty

__all__ = ["BinaryWorkshop", "GwasOptions", "UnitResult", "Workshop"]

Whole = npt.NDArray[np.int64]


_JOINT = ("statistic", "largest", "null_statistic", "null_largest")


@dataclass(frozen=True)
class GwasOptions:
    """What is kept of a scan.

    Parameters
    ----------
    p_value : float
        Rows with a p-value at most this large are kept; 1 keeps all.
    all_rows : tuple of str
        Phenotypes of which every row is kept.
    effects : bool
        Also write coefficient and standard error of every pair as single-precision arrays.
    multi_trait : bool
        Also test each variant with all phenotypes at once (MOSTest, MinP), calibrated by a permutation; twice the work.
    seed : int
        Of the permutation.
    """

    p_value: float = 1e-5
    all_rows: tuple[str, ...] = ()
    effects: bool = False
    multi_trait: bool = False
    seed: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.p_value <= 1:
            raise ConfigError(f"p_value = {self.p_value}", where="gwas", allowed="above 0, at most 1")


@dataclass(frozen=True, eq=False)
class UnitResult:
    """What is kept of one range of variants.

    Parameters
    ----------
    rows : polars.DataFrame
        Table ``sumstats/sumstats``, variant by variant.
    variants : polars.DataFrame
        Table ``sumstats/variants``: every variant of the range, analysed or not.
    phenotypes : polars.DataFrame
        Columns tests, top (−log10 p, −1 where none) and top_variant (number in the file, −1), one row a column of the
        design.
    histogram : ndarray of int32, shape (P, bins)
        See :func:`radiolocus.kernels.scan.tally`.
    absent : ndarray of int64, shape (n,)
        Missing genotypes of each subject.
    joint : polars.DataFrame
        Columns statistic, largest, null_statistic and null_largest of every variant of the range, null where one of
        its tests is not defined; empty unless multi-trait tests are asked for.
    problems : tuple of Problem
    """

    rows: pl.DataFrame
    variants: pl.DataFrame
    phenotypes: pl.DataFrame
    histogram: npt.NDArray[np.int32]
    absent: Whole
    joint: pl.DataFrame
    problems: tuple[Problem, ...]


@dataclass(eq=False)
class _Kept:
    """What the tiles of a unit leave behind."""

    tests: Whole
    top: Array
    top_variant: Whole
    histogram: npt.NDArray[np.int32]
    variant: dict[str, Array | Whole]
    joint: dict[str, Array]
    rows: list[pl.DataFrame] = field(default_factory=list)
    omitted: list[Problem] = field(default_factory=list)

    @classmethod
    def room(cls, phenotypes: int, variants: int, joint: bool) -> _Kept:
        return cls(
            np.zeros(phenotypes, dtype=np.int64),
            np.full(phenotypes, -1.0),
            np.full(phenotypes, -1, dtype=np.int64),
            np.zeros((phenotypes, EDGES.size), dtype=np.int32),
            {
                "tests": np.zeros(variants, dtype=np.int64),
                "top": np.full(variants, -1.0),
                "column": np.full(variants, -1, dtype=np.int64),
            },
            {name: np.full(variants if joint else 0, np.nan) for name in _JOINT},
        )


class _Scanner(Protocol):
    """What a thread tests tiles of variants with."""

    @property
    def height(self) -> int:
        """Variants of a tile."""

    def another(self) -> _Scanner:
        """One for another thread."""

    def scan(self, genotypes: Any, /) -> Any:
        """Test a tile of dosages (a :class:`Tiler` also of calls): −log10 p, states and what the rows are made of."""


@dataclass(frozen=True, eq=False)
class _Bench:
    """What variants of one kind of chromosome are tested with.

    Parameters
    ----------
    design : Design
    order : ndarray of int64, shape (P,)
        Its columns in the order of the phenotypes.
    whole : ndarray of bool, shape (P,)
        In that order: phenotypes of which every row is kept.
    target : ndarray of int64, shape (P,), or None
        Column of the design of the scan of each column, where they are not the same.
    first : sequence of scanners
        The first of them tests, the others test permuted phenotypes; each thread has others of their kind.
    """

    design: Design
    order: Whole
    whole: npt.NDArray[np.bool_]
    target: Whole | None
    first: Sequence[_Scanner]

    def spread(self, values: npt.NDArray[np.floating], columns: int) -> npt.NDArray[np.floating]:
        """Put numbers under the columns of the design of the scan, NaN where there is none."""
        if self.target is None:
            return values
        out = np.full((values.shape[0], columns), np.nan, dtype=values.dtype)
        out[:, self.target] = values
        return out


class Workshop:
    """Runs units of one scan, in any thread; the room each thread needs is used again.

    Parameters
    ----------
    preparation : Preparation
    options : GwasOptions
    effects : Path or None
        Folder with the arrays ``beta`` and ``standard_error`` (variants of the file × phenotypes of the design), of
        which each unit fills its rows.

    Raises
    ------
    ConfigError
        A phenotype of `options.all_rows` that is not there.
    """

    #: Table of the rows, and what the states of pairs without a number mean.
    table: ClassVar[str] = "sumstats/sumstats"
    reasons: ClassVar[Mapping[int, str]] = REASONS

    def __init__(self, preparation: Preparation, options: GwasOptions, effects: Path | None = None) -> None:
        self.preparation = preparation
        self.options = options
        design = preparation.design
        for name in options.all_rows:
            if name not in design.phenotypes:
                raise ConfigError(
                    f"no phenotype '{name}'", where="gwas", allowed=", ".join(design.phenotypes[:20]),
                    todo=suggest(name, design.phenotypes),
                )  # fmt: skip
        self._effects = effects
        self._own = threading.local()
        source = preparation.source
        self._codes = CodeReader(source, preparation.scanned.rows) if isinstance(source, PlinkSource) else None
        self._benches = {"": self._bench(design, None, self._scanners())}
        for kind, part in preparation.parts.of.items():
            self._benches[kind] = self._bench(part.design, part.target, self._part_scanners(kind))

    def _bench(self, design: Design, target: Whole | None, scanners: Sequence[_Scanner]) -> _Bench:
        wanted, order = set(self.options.all_rows), np.argsort(design.columns)
        whole = np.array([design.phenotypes[c] in wanted for c in design.columns[order]], dtype=np.bool_)
        return _Bench(design, order, whole, target, scanners)

    def _scanners(self) -> Sequence[_Scanner]:
        design = self.preparation.design
        how = self.preparation.options.missing, self.preparation.options.scan_dtype
        first = [Tiler(design, *how)]
        if self.options.multi_trait:
            self._whitener = whitener(design)
            first.append(Tiler(permuted_design(design, self.options.seed), *how))
        return first

    def _part_scanners(self, kind: str) -> Sequence[_Scanner]:
        """Those of X, Y or MT, which multi-trait tests leave out: their subjects, or how they count, are others."""
        options = self.preparation.options
        return [Tiler(self.preparation.parts.of[kind].design, options.missing, options.scan_dtype)]

    def _scanners_of(self, kind: str) -> list[_Scanner]:
        """Those of this thread."""
        if not hasattr(self._own, "scanners"):
            self._own.scanners = {}
        own: dict[str, list[_Scanner]] = self._own.scanners
        if kind not in own:
            own[kind] = [scanner.another() for scanner in self._benches[kind].first]
        return own[kind]

    def run(self, unit: Unit) -> UnitResult:
        """Read, judge and scan one range of variants."""
        start, stop = unit
        preparation = self.preparation
        listed, kind = preparation.source.variants.slice(start, stop - start), preparation.kind(start)
        observed, alleles = np.zeros(stop - start, dtype=np.int64), np.zeros(stop - start)
        absent = np.zeros(preparation.scanned.rows.size, dtype=np.int64)
        calls, n, told = self._read(unit, kind, observed, alleles, absent)
        variants = preparation.parts.refuse(judge(listed, observed, alleles, n, preparation.options))
        inside = np.flatnonzero(variants["kept"].to_numpy()).astype(np.int64)
        kept = _Kept.room(preparation.design.columns.size, stop - start, self.options.multi_trait)
        rows = empty(self.table)
        if inside.size:
            analysed = listed if inside.size == listed.height else listed[inside]
            self._scan(
                kind, calls if inside.size == calls.height else calls.part(inside), analysed, inside, start, kept
            )
            if kept.rows:
                rows = labelled(pl.concat(kept.rows), analysed, self._benches[kind].design, self.table)
        return UnitResult(
            rows,
            self._variants(variants, observed, kept),
            pl.DataFrame({"tests": kept.tests, "top": kept.top, "top_variant": kept.top_variant}),
            kept.histogram,
            absent,
            pl.DataFrame(kept.joint).fill_nan(None),
            (*told, *kept.omitted),
        )

    def _read(
        self, unit: Unit, kind: str, observed: Whole, alleles: Array, absent: Whole
    ) -> tuple[Calls, int, tuple[Problem, ...]]:
        """Read and count genotypes of those who are looked at: calls, how many people, and calls that cannot be."""
        preparation = self.preparation
        if not kind and self._codes is not None:
            calls = self._codes.read(*unit)
            calls.count(observed, alleles, absent)
            return calls, absent.size, ()
        block = preparation.source.read(preparation.scanned.rows, *unit)
        found = count_looked_at(block.dosage, kind, preparation.sex, observed, alleles, absent)
        dosage = coded(block, found, kind).dosage if kind else block.dosage
        return DosageCalls(dosage), found.n, miscalled(found, kind)

    def _scan(self, kind: str, calls: Calls, listed: pl.DataFrame, inside: Whole, start: int, kept: _Kept) -> None:
        bench, (tiler, *permuted) = self._benches[kind], self._scanners_of(kind)
        columns, height = kept.tests.size, tiler.height
        for first in range(0, inside.size, height):
            part = calls.part(slice(first, first + height))
            tile = tiler.scan(part if isinstance(tiler, Tiler) else part.dosage)
            here = inside[first : first + height]
            tests, top, column = np.empty_like(here), np.empty(here.size), np.empty_like(here)
            best = np.full(kept.top_variant.shape, -1, dtype=np.int64)
            log_p: Array = bench.spread(tile.log_p, columns).astype(np.float64, copy=False)
            tally(log_p, kept.histogram, kept.tests, kept.top, best, tests, top, column)
            kept.top_variant[best >= 0] = start + here[best[best >= 0]]
            for name, values in (("tests", tests), ("top", top), ("column", column)):
                kept.variant[name][here] = values
            rows = self._rows(tile, tiler, bench, top)
            if rows is not None:
                kept.rows.append(rows.with_columns(pl.col("variant") + first))
            if tile.state.any():
                kept.omitted += omissions(tile.state, listed["variant_id"].slice(first, height).to_list(), self.reasons)
            if self._effects is not None:
                self._write_effects(tile, bench, start + here)
            for other in permuted:
                null = other.scan(part)
                for name, values in zip(_JOINT, (*self._joint(tile), *self._joint(null)), strict=True):
                    kept.joint[name][here] = values

    def _joint(self, tile: Tile) -> tuple[Array, Array]:
        """MOSTest's statistic and the largest −log10 p of each variant; NaN where one of its tests is not defined."""
        turned = tile.t @ self._whitener
        return np.square(turned).sum(axis=1), tile.log_p.max(axis=1)

    def _rows(self, tile: Tile | BinaryTile, tiler: _Scanner, bench: _Bench, top: Array) -> pl.DataFrame | None:
        """Rows that are kept, variant by variant, phenotypes in the order of the table they came from."""
        cut = -np.log10(self.options.p_value)
        chosen = np.arange(top.size) if bench.whole.any() else np.flatnonzero(top >= cut)
        if chosen.size == 0:
            return None
        wanted = (tile.log_p[chosen][:, bench.order] >= cut) | bench.whole
        variant, place = np.nonzero(wanted & (tile.state[chosen][:, bench.order] == KEPT))
        return self._numbers(tile, tiler, bench, chosen[variant], bench.order[place])

    def _numbers(self, tile: Any, tiler: Any, bench: _Bench, variant: Whole, column: Whole) -> pl.DataFrame:
        return rows_of(tile, bench.design, variant, column)

    def _coefficients(self, tile: Any, bench: _Bench) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Coefficient and standard error of every pair of a tile."""
        return effects_of(tile, bench.design)

    def _write_effects(self, tile: Any, bench: _Bench, numbers: Whole) -> None:
        design = self.preparation.design
        order = np.argsort(design.columns)
        for name, values in zip(("beta", "standard_error"), self._coefficients(tile, bench), strict=True):
            whole = EffectArray.open(Path(str(self._effects)) / name)
            whole.write(numbers, bench.spread(values, design.columns.size)[:, order])

    def _variants(self, variants: pl.DataFrame, observed: Whole, kept: _Kept) -> pl.DataFrame:
        design = self.preparation.design
        column, top = kept.variant["column"].astype(np.int64), kept.variant["top"]
        names = pl.Series([*design.phenotypes, None], dtype=pl.String)
        chosen = np.where(column >= 0, design.columns[np.maximum(column, 0)], len(design.phenotypes))
        frame = variants.with_columns(
            pl.Series("n", observed),
            pl.Series("tests", kept.variant["tests"]),
            names.gather(chosen).alias("top_phenotype"),
            pl.Series("top_neg_log_10_p_value", np.where(top >= 0, top, np.nan)).fill_nan(None),
        )
        return conform(frame, "sumstats/variants")


class BinaryWorkshop(Workshop):
    """Runs units of one scan of binary phenotypes.

    Parameters
    ----------
    preparation : Preparation
    options : GwasOptions
    design : BinaryDesign
        Of `preparation`.
    binary : BinaryOptions

    Raises
    ------
    ConfigError
        Effects of every pair or multi-trait tests, which are those of linear regression.
    """

    table: ClassVar[str] = "sumstats/binary"
    reasons: ClassVar[Mapping[int, str]] = REASONS | {
        CONSTANT: "all subjects with a genotype are of one class",
        NO_FIT: "Firth's penalised likelihood found no maximum, or genotype and covariates determine each other",
    }

    def __init__(
        self, preparation: Preparation, options: GwasOptions, design: BinaryDesign, binary: BinaryOptions
    ) -> None:
        refuse_arrays(options)
        self._design, self._binary = design, binary
        super().__init__(preparation, options)

    def _scanners(self) -> Sequence[_Scanner]:
        return [BinaryTiler(self._design, self.preparation.options.missing, self._binary)]

    def _part_scanners(self, kind: str) -> Sequence[_Scanner]:
        return [BinaryTiler(self._design.parts[kind], self.preparation.options.missing, self._binary)]

    def _numbers(self, tile: Any, tiler: Any, bench: _Bench, variant: Whole, column: Whole) -> pl.DataFrame:
        return binary_rows(tiler, tile, variant, column)


def refuse_arrays(options: GwasOptions) -> None:
    """Refuse what only linear regression gives, for binary phenotypes.

    Raises
    ------
    ConfigError
    """
    for name in ("effects", "multi_trait"):
        if getattr(options, name):
            raise ConfigError(
                f"{name} of binary phenotypes", where="gwas", allowed="phenotypes that are measured",
                todo="leave it out",
            )  # fmt: skip


def effects_of(tile: Tile, design: Design) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Coefficient and standard error of every pair of a tile, NaN where there is none."""
    pattern = design.pattern_of
    sxx, df = tile.sxx[:, pattern], tile.df[:, pattern]
    good = tile.state == KEPT
    beta = np.divide(tile.sxy, sxx, out=np.full(good.shape, np.nan), where=good)
    flat = np.sqrt(np.divide(tile.syy, sxx * df, out=np.full(good.shape, np.nan), where=good))
    error = np.divide(beta, tile.t, out=flat, where=good & (tile.t != 0))
    return (beta * design.length).astype(np.float32), (error * design.length).astype(np.float32)
