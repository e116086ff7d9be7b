"""``radiolocus gwas``: tables and genotypes from the command line to a folder of results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import polars as pl

from radiolocus.associate.binary import BinaryOptions
from radiolocus.associate.genomewide import Finished, gwas
from radiolocus.associate.gwas import GwasOptions
from radiolocus.associate.mixed import MODELS, MixedOptions
from radiolocus.errors import ConfigError, TableError
from radiolocus.genome.qc import GenotypeOptions
from radiolocus.read.genotype_files import open_genotypes
from radiolocus.read.genotypes import BlockSource
from radiolocus.read.selection import listed_samples, listed_variants, read_sex, select_variants, with_sex
from radiolocus.read.subject_tables import read_subject_table

__all__ = ["Chosen", "GwasOrder", "binary_options", "mixed_options", "told", "write_gwas"]


@dataclass(frozen=True)
class Chosen:
    """Lists of what is analysed, and a table of sex.

    Parameters
    ----------
    keep, remove : Path or None
        Samples that are analysed, or left out.
    extract, exclude : Path or None
        Variants that are analysed, or left out.
    sex : Path or None
        Table of sex, for X and Y.
    """

    keep: Path | None = None
    remove: Path | None = None
    extract: Path | None = None
    exclude: Path | None = None
    sex: Path | None = None


@dataclass(frozen=True)
class GwasOrder:
    """What the command asks for.

    Parameters
    ----------
    genotypes, pheno : Path
    covar : Path or None
    sample_id : {"iid", "fid_iid"}
    minus_nine : {"refuse", "missing", "number"}
    categorical : tuple of str
        Covariates to dummy-code.
    options : GenotypeOptions
    keep : GwasOptions
    binary : BinaryOptions or None
        How phenotypes are tested that are cases and controls.
    mixed : MixedOptions or None
        How relatedness is modelled.
    chosen : Chosen
    """

    genotypes: Path
    pheno: Path
    covar: Path | None
    sample_id: Literal["iid", "fid_iid"]
    minus_nine: Literal["refuse", "missing", "number"]
    categorical: tuple[str, ...]
    options: GenotypeOptions
    keep: GwasOptions
    binary: BinaryOptions | None = None
    mixed: MixedOptions | None = None
    chosen: Chosen = Chosen()


def binary_options(
    binary: bool, test: Literal["spa", "firth", "wald"], cutoff: float, coding: Literal["0/1", "1/2"]
) -> BinaryOptions | None:
    """How binary phenotypes are tested; None where phenotypes are measured.

    Raises
    ------
    ConfigError
        A rule for binary phenotypes where they are not said to be binary.
    """
    chosen = BinaryOptions(test, cutoff, coding)
    if not binary and chosen != BinaryOptions():
        raise ConfigError(
            "a test, cutoff or coding of binary phenotypes without --binary", where="gwas", todo="add --binary"
        )
    return chosen if binary else None


def mixed_options(model: Any, relationship: Any, *, loco: bool) -> MixedOptions | None:
    """How relatedness is modelled; None where it is not.

    Raises
    ------
    ConfigError
        An unknown model, or a rule for a mixed model without one.
    """
    chosen = MixedOptions(relationship=relationship, loco=loco)
    if model == "linear":
        if chosen != MixedOptions():
            raise ConfigError(
                "a relationship matrix for the linear model", where="gwas", todo="add --model lmm, or take it out"
            )
        return None
    if model not in MODELS:
        raise ConfigError(f"model = '{model}'", where="gwas", allowed=f"'linear', {', '.join(map(repr, MODELS))}")
    if model == "ridge" and chosen != MixedOptions():
        raise ConfigError(
            "a relationship matrix for the ridge", where="gwas", allowed="--model lmm or lmm-exact", todo="take it out"
        )
    return replace(chosen, model=model)


def write_gwas(
    order: GwasOrder, out: Path, *, jobs: int, fresh: bool, begin: Callable[[int], None], step: Callable[[], None]
) -> Finished:
    """Read the tables, scan, and write the results below `out`."""
    source = _source(order)
    phenotypes = read_subject_table(order.pheno, sample_id=order.sample_id, minus_nine=order.minus_nine)
    phenotypes = _subjects(order, phenotypes, source)
    covariates = None
    if order.covar is not None:
        covariates = read_subject_table(
            order.covar, sample_id=order.sample_id, minus_nine=order.minus_nine, categorical=order.categorical
        )
    return gwas(
        source, phenotypes, covariates, out, options=order.options, keep=order.keep, binary=order.binary,
        mixed=order.mixed, jobs=jobs, fresh=fresh, begin=begin, step=step,
    )  # fmt: skip


def _source(order: GwasOrder) -> BlockSource:
    """Genotypes, as far as the lists take them, with sex from the table."""
    source = open_genotypes(order.genotypes, sample_id=order.sample_id, dosage=order.options.dosage)
    for path, take_out in ((order.chosen.extract, False), (order.chosen.exclude, True)):
        if path is not None:
            source = select_variants(source, listed_variants(path), where=path.name, take_out=take_out)
    if order.chosen.sex is not None:
        source = with_sex(
            source, read_sex(order.chosen.sex, sample_id=order.sample_id), where=order.chosen.sex.name
        )  # fmt: skip
    return source


def _subjects(order: GwasOrder, phenotypes: pl.DataFrame, source: BlockSource) -> pl.DataFrame:
    """Subjects that the lists of samples take, told among the notes of the genotypes."""
    for path, take_out in ((order.chosen.keep, False), (order.chosen.remove, True)):
        if path is None:
            continue
        listed = pl.Series(listed_samples(path, sample_id=order.sample_id), dtype=pl.String).implode()
        inside = pl.col("subject").is_in(listed)
        left = phenotypes.filter(~inside if take_out else inside)
        if left.is_empty():
            raise TableError(
                f"none of the {phenotypes.height:,} subjects of {order.pheno.name} is left",
                where=path.name,
                allowed="ids of samples, one a line, as the genotype file has them",
                todo="compare the ids, or say by --sample-id what names a sample",
            )
        said = f"{path.name}: {left.height:,} of {phenotypes.height:,} subjects of {order.pheno.name} are taken"
        source.notes = (*source.notes, said)
        phenotypes = left
    return phenotypes


def told(finished: Finished) -> tuple[str, ...]:
    """What was done and how many tests were made, and the thresholds that follow from it."""
    strong = f"{finished.genome_wide:,} with p < 5e-8, " if finished.genome_wide >= 0 else ""
    effective = finished.effective_li_ji
    return (
        f"{finished.tests:,} tests ({finished.variants:,} variants × {finished.phenotypes:,} phenotypes) in "
        f"{finished.subjects:,} subjects: {strong}{finished.rows:,} rows kept",
        f"thresholds: {0.05 / max(finished.tests, 1):.2g} (Bonferroni over all tests), "
        f"{5e-8 / max(effective, 1):.2g} (5e-8 over {effective:.1f} effective phenotypes of Li and Ji; "
        f"{finished.effective_galwey:.1f} of Galwey)",
    )
