"""Stacked ridge regression on all variants, and its predictions without each chromosome.

The first level regresses the phenotypes on the variants of one block at a time, with several penalties; the second
combines these predictions to one of the phenotype, chromosome by chromosome. Every prediction of a subject comes from
coefficients that were fitted without its fold. The prediction from all other chromosomes is then taken out of the
phenotype before the variants of a chromosome are tested (Mbatchou et al. 2021, doi:10.1038/s41588-021-00870-7).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.associate.binary import BinaryDesign
from radiolocus.associate.design import Design, pattern_basis
from radiolocus.associate.mixed import MixedOptions, chromosomes_of, keep_array, keep_arrays
from radiolocus.associate.scan import Preparation
from radiolocus.compute import run_units
from radiolocus.errors import FitError
from radiolocus.kernels.genotype import centre_dosage
from radiolocus.read.genotypes import GenotypeSource
from radiolocus.schema import conform
from radiolocus.stats.ols import COLLINEAR, residualise
from radiolocus.stats.ridge import EXPLAINED, coefficients_without, folds_of, penalties_of
from radiolocus.stats.saddlepoint import fit_null

__all__ = ["offset_binary", "offset_design", "offsets_of", "stack", "variant_blocks"]

Whole = npt.NDArray[np.int64]
Single = npt.NDArray[np.float32]

# Variants read at a time.
_READ = 4096


@dataclass(frozen=True, eq=False)
class _Plan:
    """What the units of both levels share."""

    preparation: Preparation
    blocks: tuple[Whole, ...]
    places: tuple[str, ...]
    chromosomes: tuple[str, ...]
    folds: tuple[Whole, ...]
    features: int
    file: Callable[[str], Path]


def variant_blocks(chosen: Whole, place: npt.NDArray[np.str_], size: int) -> tuple[tuple[Whole, ...], tuple[str, ...]]:
    """Cut the variants of each chromosome into blocks of nearly equal length, at most `size`.

    Parameters
    ----------
    chosen : ndarray of int64
        Index in the file.
    place : ndarray of str
        Chromosome of each.
    size : int

    Returns
    -------
    blocks : tuple of ndarray of int64
    places : tuple of str
        Chromosome of each block.
    """
    blocks: list[Whole] = []
    places: list[str] = []
    for chromosome in dict.fromkeys(place.tolist()):
        here = chosen[place == chromosome]
        parts = np.array_split(here, -(-here.size // size))
        blocks += parts
        places += [chromosome] * len(parts)
    return tuple(blocks), tuple(places)


def stack(
    preparation: Preparation, mixed: MixedOptions, file: Callable[[str], Path], jobs: int
) -> tuple[tuple[str, ...], pl.DataFrame]:
    """Fit both levels; keep the predictions without each chromosome.

    Parameters
    ----------
    preparation : Preparation
        With judged variants.
    mixed : MixedOptions
    file : callable
        Where an array is kept, by its name; what an earlier run has kept is taken up.
    jobs : int
        Threads.

    Returns
    -------
    chromosomes : tuple of str
        Those that are left out in turn.
    table : polars.DataFrame
        Table ``sumstats/mixed``.

    Raises
    ------
    FitError
        See :func:`radiolocus.associate.mixed.chromosomes_of`; fewer subjects than two a fold.
    """
    n = preparation.design.n
    if n < 2 * mixed.folds:
        raise FitError(
            f"{n} subjects in {mixed.folds} folds",
            where="ridge",
            allowed="two subjects or more in each",
            todo="use fewer folds, or model 'lmm'",
        )
    chosen, analysed, place = chromosomes_of(preparation, mixed)
    blocks, places = variant_blocks(chosen, place, mixed.ridge_block)
    plan = _Plan(
        preparation, blocks, places, tuple(analysed), folds_of(n, mixed.folds, mixed.seed), chosen.size, file
    )  # fmt: skip
    _all(partial(_first_level, plan), range(len(blocks)), jobs)
    columns = range(preparation.design.columns.size)
    _all(partial(_second_level, plan), columns, jobs)
    return plan.chromosomes, _table(preparation.design, [file(f"level1-{c}") for c in columns])


def _all(task: Callable[[int], None], items: range, jobs: int) -> None:
    for _, outcome in run_units(task, list(items), jobs=jobs, threads=True):
        if isinstance(outcome, Exception):
            raise outcome


def _first_level(plan: _Plan, block: int) -> None:
    """Predict every phenotype from one block of variants, by each penalty: float32 of shape (P, R, n)."""
    design = plan.preparation.design

    def make() -> Single:
        features = _features(plan.preparation, plan.blocks[block])
        coefficients = coefficients_without(features, design.response, plan.folds, penalties_of(plan.features))
        out = np.empty((design.columns.size, len(EXPLAINED), design.n), dtype=np.float32)
        for k, fold in enumerate(plan.folds):
            part = features[:, fold].T
            for r in range(len(EXPLAINED)):
                out[:, r, fold] = (part @ coefficients[k, r].astype(features.dtype)).T
        return out

    keep_array(plan.file(f"level0-{block}"), make)


def _features(preparation: Preparation, index: Whole) -> npt.NDArray[np.floating]:
    """Variants about the covariates, each of unit standard deviation; 0 where the covariates determine one."""
    rows, basis = preparation.scanned.rows, preparation.design.basis.astype(preparation.options.scan_dtype)
    out = np.empty((index.size, rows.size), dtype=preparation.options.scan_dtype)
    everyone, moments = np.arange(rows.size, dtype=np.int64), np.empty((index.size, 4))
    done = 0
    for dosage in _read(preparation.source, rows, index):
        here = slice(done, done + len(dosage))
        centre_dosage(dosage, everyone, out[here], moments[here])
        done += len(dosage)
    out -= (out @ basis) @ basis.T
    length = np.sqrt(np.square(out, dtype=np.float64).sum(axis=1) / rows.size)
    free = length**2 * rows.size > max(COLLINEAR**2, 1e-9) * moments[:, 2]
    out *= np.where(free, 1.0 / np.where(free, length, 1.0), 0.0)[:, None]
    return out


def _read(source: GenotypeSource, rows: Whole, index: Whole) -> list[Single]:
    """Dosages of chosen variants, piece by piece."""
    parts = []
    for start in range(int(index[0]), int(index[-1]) + 1, _READ):
        stop = min(start + _READ, int(index[-1]) + 1)
        here = index[(index >= start) & (index < stop)]
        if here.size:
            parts.append(source.read(rows, start, stop).dosage[here - start])
    return parts


def _second_level(plan: _Plan, column: int) -> None:
    """Combine the predictions of one phenotype; keep those without each chromosome, shape (chromosomes, n)."""
    design = plan.preparation.design
    pattern = design.patterns[int(design.pattern_of[column])]

    def make() -> Mapping[str, npt.NDArray[np.generic]]:
        levels = [np.load(plan.file(f"level0-{b}"), mmap_mode="r")[column] for b in range(len(plan.blocks))]
        features = np.concatenate(levels).astype(np.float64)
        features -= features.mean(axis=1, keepdims=True)
        spread = features.std(axis=1, keepdims=True)
        features /= np.where(spread > 0, spread, 1.0)
        response = design.response[:, column]
        coefficients = coefficients_without(features, response[:, None], plan.folds, penalties_of(len(features)))
        predicted = np.empty((len(EXPLAINED), design.n))
        for k, fold in enumerate(plan.folds):
            predicted[:, fold] = coefficients[k, :, :, 0] @ features[:, fold]
        loss = np.square(predicted[:, pattern.rows] - response[pattern.rows]).sum(axis=1)
        best = int(loss.argmin())
        place = np.repeat(np.array(plan.places), len(EXPLAINED))
        offsets = np.empty((len(plan.chromosomes), design.n), dtype=np.float32)
        for c, chromosome in enumerate(plan.chromosomes):
            others = place != chromosome
            for k, fold in enumerate(plan.folds):
                offsets[c, fold] = coefficients[k, best, others, 0] @ features[np.ix_(others, fold)]
        # the response is of unit length
        return {"offsets": offsets, "predicted": np.array(1.0 - loss[best])}

    keep_arrays(plan.file(f"level1-{column}"), make)


def _table(design: Design, files: Sequence[Path]) -> pl.DataFrame:
    predicted = []
    for file in files:
        with np.load(file) as kept:
            predicted.append(float(kept["predicted"]))
    order = np.argsort(design.columns)
    empty = dict.fromkeys(
        ("heritability", "heritability_standard_error", "variance_ratio", "genetic_variance", "residual_variance",
         "log_likelihood")
    )  # fmt: skip
    frame = pl.DataFrame(
        {
            "phenotype": [design.phenotypes[design.columns[c]] for c in order],
            "model": ["ridge"] * order.size,
            "left_out": pl.Series([None] * order.size, dtype=pl.String),
            "n": [design.patterns[design.pattern_of[c]].rows.size for c in order],
            "boundary": pl.Series([None] * order.size, dtype=pl.String),
            "predicted": [predicted[c] for c in order],
        }
    ).with_columns(pl.lit(None, dtype=pl.Float64).alias(name) for name in empty)
    return conform(frame, "sumstats/mixed")


def offsets_of(file: Callable[[str], Path], columns: int, turn: int) -> Single:
    """Predictions of every phenotype without one chromosome, shape (n, P), in the units of the response."""
    found = []
    for column in range(columns):
        with np.load(file(f"level1-{column}")) as kept:
            found.append(kept["offsets"][turn])
    return np.column_stack(found)


def offset_design(design: Design, offsets: npt.NDArray[np.floating]) -> Design:
    """Take predictions out of the phenotypes, and the covariates out of what is left.

    Parameters
    ----------
    design : Design
    offsets : ndarray, shape (n, P)
        In the units of `design.response`.

    Returns
    -------
    Design
        Of the residuals, again of unit length.
    """
    response, length = np.zeros_like(design.response), np.empty(design.columns.size)
    for g, pattern in enumerate(design.patterns):
        inside = slice(int(design.first[g]), int(design.first[g + 1]))
        rest = design.response[pattern.rows, inside] - offsets[pattern.rows, inside]
        rest = residualise(pattern_basis(pattern, design.basis), rest)
        length[inside] = np.linalg.norm(rest, axis=0)
        response[pattern.rows, inside] = rest / length[inside]
    return replace(design, response=response, length=design.length * length)


def offset_binary(design: BinaryDesign, offsets: npt.NDArray[np.floating]) -> tuple[BinaryDesign, dict[int, str]]:
    """Put predictions among the covariates of the null models, each phenotype its own.

    Parameters
    ----------
    design : BinaryDesign
    offsets : ndarray, shape (n, P)
        Of the columns of the design; a prediction that the covariates determine (that of nothing) is left out.

    Returns
    -------
    design : BinaryDesign
        Of one pattern a phenotype.
    refused : dict of int to str
        Columns whose null model has no fit with the prediction, and why: theirs stays without.
    """
    linear = design.linear
    patterns, bases, nulls, refused = [], [], [], {}
    residual, weight = np.empty_like(design.residual), np.empty_like(design.weight)
    for column, null in enumerate(design.nulls):
        rows, basis = design.rows(column), design.basis(column)
        root = np.sqrt(rows.size)
        own = residualise(basis / root, offsets[rows, column : column + 1].astype(np.float64))[:, 0]
        length = float(np.linalg.norm(own))
        if length > COLLINEAR * float(np.linalg.norm(offsets[rows, column])):
            wider = np.ascontiguousarray(np.column_stack([basis, own * (root / length)]))
            try:
                null = fit_null(null.y, wider, np.append(null.coefficient, 0.0))
                basis = wider
            except FitError as error:
                refused[column] = error.got
        pattern = linear.patterns[int(linear.pattern_of[column])]
        patterns.append(replace(pattern, columns=linear.columns[column : column + 1]))
        bases.append(basis)
        nulls.append(null)
        residual[:, column], weight[:, column] = 0.0, 0.0
        residual[rows, column], weight[rows, column] = null.y - null.mu, null.mu * (1.0 - null.mu)
    split = replace(linear, patterns=tuple(patterns))
    return BinaryDesign(split, tuple(bases), tuple(nulls), residual, weight), refused
