"""Genome-wide scan of imaging phenotypes by linear regression.

A scan is prepared once (:func:`prepare`) and then falls into units that know nothing of each other (:func:`plan`,
:func:`run_unit`): a range of variants that can be computed anywhere, in any order, and again, with the same bytes.
:func:`scan` does all of it in one call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.associate.block import scan_design
from radiolocus.associate.design import Design, regression_design
from radiolocus.associate.haploid import Parts, haploid_parts
from radiolocus.associate.subjects import Scanned, choose_subjects
from radiolocus.associate.summary import summarise
from radiolocus.compute import run_units
from radiolocus.errors import FitError
from radiolocus.genome.components import leading_components
from radiolocus.genome.haploid import COPIES, Looked, count_looked_at, kind_of, stretches
from radiolocus.genome.qc import GenotypeOptions, Quality, assess
from radiolocus.genome.structure import PrincipalComponents, thin
from radiolocus.model import Array, GenotypeBlock, Problem
from radiolocus.read.genotypes import GenotypeSource
from radiolocus.schema import conform, empty

__all__ = [
    "Preparation", "ScanResult", "coded", "miscalled", "nothing_kept", "part_of", "parts_of", "plan", "prepare",
    "run_unit", "scan", "with_parts",
]  # fmt: skip

Unit = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Preparation:
    """Everything the units of a scan share.

    Parameters
    ----------
    source : GenotypeSource
    options : GenotypeOptions
    scanned : Scanned
        Subjects, their rows in the genotype file, phenotypes and covariates.
    judged : Quality or None
        Variants and which of them are analysed; None where each unit judges its own.
    components : PrincipalComponents or None
    design : Design
        Of the autosomes.
    parts : Parts
        What differs on X, Y and MT.
    """

    source: GenotypeSource
    options: GenotypeOptions
    scanned: Scanned
    judged: Quality | None
    components: PrincipalComponents | None
    design: Design
    parts: Parts

    @cached_property
    def sex(self) -> npt.NDArray[np.int8]:
        """1 male, 2 female, 0 unknown, of every subject."""
        return self.source.sex[self.scanned.rows]

    def kind(self, start: int) -> str:
        """X, Y or MT, or empty, of a variant and so of the unit that it begins."""
        return kind_of(self.source.variants["chromosome"][start])

    @property
    def quality(self) -> Quality:
        """Variants and which of them are analysed, where they were judged first."""
        if self.judged is None:
            raise ValueError("the variants were not judged before the scan")
        return self.judged

    @property
    def covariate_names(self) -> tuple[str, ...]:
        """What is projected out of phenotypes and variants, the intercept left out."""
        count = 0 if self.components is None else self.components.scores.shape[1]
        return self.scanned.covariate_names + tuple(f"PC{i + 1}" for i in range(count))

    @property
    def samples(self) -> pl.DataFrame:
        """Table ``genome/samples``: analysed subjects, their call rate and principal components."""
        return self.samples_with(self.quality.sample_call_rate)

    def samples_with(self, call_rate: Array) -> pl.DataFrame:
        """Table ``genome/samples`` with a call rate found elsewhere, shape (n,)."""
        frame = pl.DataFrame({"subject": self.scanned.subjects, "call_rate": call_rate})
        if self.components is not None:
            scores = self.components.scores
            frame = frame.with_columns(pl.Series(f"PC{i + 1}", scores[:, i]) for i in range(scores.shape[1]))
        return conform(frame, "genome/samples")

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Subjects and phenotypes that are not analysed, and notes on the files."""
        notes = tuple(
            Problem("genome", note, severity="note", where=Path(self.source.path).name) for note in self.source.notes
        )
        return notes + self.scanned.problems + self.design.problems + self.parts.problems


class ScanResult(NamedTuple):
    """Tables ``sumstats/sumstats``, ``sumstats/summary``, ``genome/variants``, ``genome/samples``, and problems."""

    sumstats: pl.DataFrame
    summary: pl.DataFrame
    variants: pl.DataFrame
    samples: pl.DataFrame
    problems: tuple[Problem, ...]


def prepare(
    source: GenotypeSource,
    phenotypes: pl.DataFrame,
    covariates: pl.DataFrame | None,
    options: GenotypeOptions,
    *,
    sample_subjects: Sequence[str | None] | None = None,
    judge_first: bool = True,
) -> Preparation:
    """Choose subjects and variants, find the principal components, and project the covariates out.

    Parameters
    ----------
    source : GenotypeSource
    phenotypes : polars.DataFrame
        Column ``subject`` and the phenotypes.
    covariates : polars.DataFrame or None
        Column ``subject`` and the covariates; None for none. Subjects that lack one are left out.
    options : GenotypeOptions
        `options.covariates` empty: every column of `covariates`.
    sample_subjects : sequence of str or None, optional
        Subject of each sample of the genotype file; default: the sample ids themselves.
    judge_first : bool
        Read all genotypes once to judge the variants before the scan; without it `quality` is None unless principal
        components ask for it.

    Returns
    -------
    Preparation

    Raises
    ------
    ConfigError, TableError, FitError
        A column that is not there or not numeric; no common subject; too few subjects; no variant that passes.
    """
    scanned = choose_subjects(
        source.sample_ids if sample_subjects is None else sample_subjects,
        phenotypes,
        covariates,
        phenotype_names=options.phenotypes,
        covariate_names=options.covariates,
    )
    quality = assess(source, scanned.rows, options) if judge_first or options.principal_components else None
    if quality is not None and quality.kept.size == 0:
        raise nothing_kept(quality.variants, source)
    components = None
    matrix, names = scanned.covariates, scanned.covariate_names
    if quality is not None and options.principal_components:
        chosen = thin(source, scanned.rows, quality.variants)
        components = leading_components(source, scanned.rows, chosen, options.principal_components)
        matrix = np.column_stack([matrix, components.scores])
        names += tuple(f"PC{i + 1}" for i in range(options.principal_components))
    design = regression_design(
        scanned.phenotypes, matrix, phenotype_names=scanned.phenotype_names, covariate_names=names
    )
    prepared = Preparation(source, options, scanned, quality, components, design, Parts({}, {}, ()))
    return with_parts(prepared, parts_of(prepared))


def parts_of(preparation: Preparation) -> Parts:
    """Find who and what is analysed on X, Y and MT, as far as the file has them."""
    components = preparation.components
    covariates = preparation.scanned.covariates
    if components is not None:
        covariates = np.column_stack([covariates, components.scores])
    return haploid_parts(
        preparation.design,
        preparation.scanned.phenotypes,
        covariates,
        preparation.covariate_names,
        preparation.sex,
        preparation.source.variants["chromosome"].unique(),
    )


def with_parts(preparation: Preparation, parts: Parts) -> Preparation:
    """Take up the parts, and the variants that they refuse."""
    judged = preparation.judged
    if judged is not None:
        judged = replace(judged, variants=parts.refuse(judged.variants))
    return replace(preparation, judged=judged, parts=parts)


def nothing_kept(variants: pl.DataFrame, source: GenotypeSource) -> FitError:
    """Say that no variant is left, and why most are not."""
    return FitError(
        f"none of the {variants.height} variants can be analysed ({_commonest(variants)})",
        where=Path(source.path).name,
        todo="look at min_maf and min_call_rate, and at whether the ids match the right people",
    )


def _commonest(variants: pl.DataFrame) -> str:
    kind = variants["reason"].str.replace(r" [\d.e-]+ below .*", " too low")
    counts = kind.value_counts(sort=True).head(3)
    return ", ".join(f"{reason}: {count}" for reason, count in counts.iter_rows())


def plan(preparation: Preparation) -> tuple[Unit, ...]:
    """Ranges (start, stop) of variants of the file, `block_size` long; fixed by file and options alone.

    X, Y and MT, where other subjects are analysed, are in ranges of their own.
    """
    cut = stretches(preparation.source.variants["chromosome"], preparation.options.block_size)
    return tuple((start, stop) for _, start, stop in cut)


def run_unit(preparation: Preparation, unit: Unit) -> tuple[pl.DataFrame, tuple[Problem, ...]]:
    """Scan one range of variants.

    Returns
    -------
    table : polars.DataFrame
        Table ``sumstats/sumstats``: variants in file order, phenotypes in their order. The tables of all units in
        the order of :func:`plan`, one under the other, are the scan.
    problems : tuple of Problem
        Variants without a statistic for some phenotypes.
    """
    start, stop = unit
    kept = preparation.quality.kept
    inside = kept[(kept >= start) & (kept < stop)] - start
    if inside.size == 0:
        return empty("sumstats/sumstats"), ()
    block = preparation.source.read(preparation.scanned.rows, start, stop)
    options, kind = preparation.options, preparation.kind(start)
    design, told = preparation.design, tuple[Problem, ...]()
    if kind:
        room = np.empty(stop - start, dtype=np.int64), np.empty(stop - start), np.zeros(design.n, dtype=np.int64)
        found = count_looked_at(block.dosage, kind, preparation.sex, *room)
        block, told, design = coded(block, found, kind), miscalled(found, kind), preparation.parts.of[kind].design
    if inside.size < len(block.variant_id):
        block = part_of(block, inside)
    table, problems = scan_design(block, design, missing=options.missing, dtype=options.scan_dtype)
    return table, (*told, *problems)


def coded(block: GenotypeBlock, found: Looked, kind: str) -> GenotypeBlock:
    """Take the genotypes of those who are looked at, and count 0 to 1 where nobody has two copies."""
    dosage = found.dosage * np.float32(0.5) if kind in COPIES else found.dosage
    return replace(block, dosage=dosage)


def miscalled(found: Looked, kind: str) -> tuple[Problem, ...]:
    """Tell the heterozygous calls of one copy."""
    if not found.mixed:
        return ()
    who = "the one copy of men is" if kind == "X" else "one copy is"
    return (
        Problem("associate", f"{who} called heterozygous: these calls are taken as missing", severity="note",
                where=f"chromosome {kind}", count=found.mixed,
                todo="radiolocus qc counts them variant by variant; on X they may be calls of XY"),
    )  # fmt: skip


def part_of(block: GenotypeBlock, chosen: npt.NDArray[np.int64]) -> GenotypeBlock:
    """Some variants of a block."""
    return GenotypeBlock(
        dosage=block.dosage[chosen],
        variant_id=tuple(block.variant_id[i] for i in chosen),
        chromosome=tuple(block.chromosome[i] for i in chosen),
        position=block.position[chosen],
        effect_allele=tuple(block.effect_allele[i] for i in chosen),
        other_allele=tuple(block.other_allele[i] for i in chosen),
    )


def scan(
    source: GenotypeSource,
    phenotypes: pl.DataFrame,
    covariates: pl.DataFrame | None = None,
    options: GenotypeOptions | None = None,
    *,
    sample_subjects: Sequence[str | None] | None = None,
    jobs: int = 1,
) -> ScanResult:
    """Regress every phenotype on every variant, covariates and principal components projected out.

    Parameters
    ----------
    source, phenotypes, covariates, options, sample_subjects
        See :func:`prepare`.
    jobs : int
        Worker processes; the result does not depend on it.

    Returns
    -------
    ScanResult

    Raises
    ------
    ConfigError, TableError, FitError
        See :func:`prepare`.
    """
    options = options or GenotypeOptions()
    preparation = prepare(source, phenotypes, covariates, options, sample_subjects=sample_subjects)
    units = plan(preparation)
    parts: dict[int, tuple[pl.DataFrame, tuple[Problem, ...]]] = {}
    for index, outcome in run_units(partial(run_unit, preparation), units, jobs=jobs):
        if isinstance(outcome, Exception):
            raise outcome
        parts[index] = outcome
    ordered = [parts[index] for index in range(len(units))]
    sumstats = pl.concat([table for table, _ in ordered])
    analysed = preparation.design.columns.size
    variants = preparation.quality.variants
    return ScanResult(
        sumstats,
        summarise(sumstats, int(variants["kept"].sum()), analysed),
        variants,
        preparation.samples,
        preparation.problems + tuple(problem for _, problems in ordered for problem in problems),
    )
