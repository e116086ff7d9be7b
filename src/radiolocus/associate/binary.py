"""Binary phenotypes made ready for a scan: coding, null models, and what cannot be analysed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.associate.design import Design, pattern_basis
from radiolocus.associate.haploid import Part, Parts
from radiolocus.associate.scan import Preparation, parts_of, prepare, with_parts
from radiolocus.errors import ConfigError, FitError, TableError
from radiolocus.genome.qc import GenotypeOptions
from radiolocus.model import Array, Problem
from radiolocus.read.genotypes import GenotypeSource
from radiolocus.stats.saddlepoint import NullModel, fit_null

__all__ = ["BinaryDesign", "BinaryOptions", "binary_design", "prepare_binary", "recode"]

Coding = Literal["0/1", "1/2"]


@dataclass(frozen=True)
class BinaryOptions:
    """How binary phenotypes are tested.

    Parameters
    ----------
    test : {"spa", "firth", "wald"}
        spa: score test, its saddle-point approximation where the absolute z exceeds the cutoff, and Firth's
        likelihood ratio where that fails. firth: score test, and Firth's likelihood ratio where the absolute z exceeds
        the cutoff. wald: Wald test of an ordinary logistic fit, and of Firth's where there is none (as PLINK 2).
    cutoff : float
        Of the absolute z of the score test; at least 1.
    coding : {"0/1", "1/2"}
        Controls and cases; with 1/2 a 0 is missing, as in PLINK.
    """

    test: Literal["spa", "firth", "wald"] = "spa"
    cutoff: float = 2.0
    coding: Coding = "0/1"

    def __post_init__(self) -> None:
        choices = {"test": ("spa", "firth", "wald"), "coding": ("0/1", "1/2")}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ConfigError(
                    f"{name} = '{getattr(self, name)}'", where="gwas", allowed=" or ".join(map(repr, allowed))
                )
        if not 1 <= self.cutoff < np.inf:
            raise ConfigError(f"cutoff = {self.cutoff}", where="gwas", allowed="a number, at least 1")


@dataclass(frozen=True, eq=False)
class BinaryDesign:
    """Null models of the phenotypes of a scan.

    Parameters
    ----------
    linear : Design
        Who has which phenotype; its columns are those of the arrays here.
    bases : tuple of ndarray
        Of each pattern: intercept and covariates of its subjects, orthogonal, of unit size.
    nulls : tuple of NullModel
        Of each column, among the subjects of its pattern.
    residual, weight : ndarray, shape (n, P)
        y − μ and μ (1 − μ), 0 where the phenotype is missing.
    parts : dict of str to BinaryDesign
        Of X, Y and MT, where they are analysed.
    """

    linear: Design
    bases: tuple[Array, ...]
    nulls: tuple[NullModel, ...]
    residual: Array
    weight: Array
    parts: Mapping[str, BinaryDesign] = field(default_factory=dict)

    def rows(self, column: int) -> npt.NDArray[np.int64]:
        """Subjects of a column."""
        return self.linear.patterns[int(self.linear.pattern_of[column])].rows

    def basis(self, column: int) -> Array:
        """Intercept and covariates of the subjects of a column."""
        return self.bases[int(self.linear.pattern_of[column])]


def recode(phenotypes: pl.DataFrame, names: tuple[str, ...], coding: Coding) -> pl.DataFrame:
    """Turn columns into 0 for controls and 1 for cases, null where unknown.

    Parameters
    ----------
    phenotypes : polars.DataFrame
        Column ``subject``, and the phenotypes.
    names : tuple of str
        Which; empty: all.
    coding : {"0/1", "1/2"}

    Raises
    ------
    TableError
        A column with other values than the coding has.
    """
    chosen = [name for name in phenotypes.columns if name != "subject" and (not names or name in names)]
    return phenotypes.with_columns(_recoded(phenotypes[name], coding) for name in chosen)


def _recoded(column: pl.Series, coding: Coding) -> pl.Series:
    if not (column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null)):
        return column  # refused with all other text
    values = column.cast(pl.Float64).fill_nan(None)
    allowed = {0.0, 1.0} if coding == "0/1" else {0.0, 1.0, 2.0}
    found = set(values.drop_nulls().unique().sort().head(1000).to_list())
    if found - allowed:
        shown = ", ".join(f"{value:g}" for value in sorted(found)[:5]) + (", ..." if len(found) > 5 else "")
        both = found <= {0.0, 1.0, 2.0}
        raise TableError(
            f"binary phenotype '{column.name}' holds {shown}",
            where="phenotypes",
            allowed="0 for controls and 1 for cases" if coding == "0/1" else "1 for controls, 2 for cases, 0 unknown",
            todo="declare the coding 1/2: it is not guessed" if both else "leave the column out, or recode it",
        )
    if coding == "0/1":
        return values
    return values.set(values == 0.0, None) - 1.0


def prepare_binary(
    source: GenotypeSource,
    phenotypes: pl.DataFrame,
    covariates: pl.DataFrame | None,
    options: GenotypeOptions,
    binary: BinaryOptions,
    *,
    sample_subjects: Sequence[str | None] | None = None,
) -> tuple[Preparation, BinaryDesign]:
    """Choose subjects and fit the null model of each phenotype.

    Parameters
    ----------
    source, phenotypes, covariates, options, sample_subjects
        See :func:`radiolocus.associate.scan.prepare`; phenotypes in the coding of `binary`.
    binary : BinaryOptions

    Returns
    -------
    preparation : Preparation
        Its design holds the phenotypes that have a null model, its problems say why the others have none.
    design : BinaryDesign

    Raises
    ------
    ConfigError, TableError, FitError
        As there; values that are not of the coding; no phenotype left.
    """
    recoded = recode(phenotypes, options.phenotypes, binary.coding)
    prepared = prepare(source, recoded, covariates, options, sample_subjects=sample_subjects, judge_first=False)
    design = binary_design(prepared.design, prepared.scanned.phenotypes)
    prepared = replace(prepared, design=design.linear)
    parts, designs = _binary_parts(design, parts_of(prepared), prepared.scanned.phenotypes)
    return with_parts(prepared, parts), replace(design, parts=designs)


def _binary_parts(design: BinaryDesign, parts: Parts, phenotypes: Array) -> tuple[Parts, dict[str, BinaryDesign]]:
    """Null models on X, Y and MT."""
    of: dict[str, Part] = {}
    designs: dict[str, BinaryDesign] = {}
    refused, problems = dict(parts.refused), list(parts.problems)
    for kind, part in parts.of.items():
        if kind == "MT":
            of[kind], designs[kind] = part, replace(design, linear=part.design)
            continue
        try:
            own = binary_design(part.design, phenotypes[np.ix_(part.place, part.chosen)])
        except FitError as error:
            refused[kind] = f"chromosome {kind}: {error.got}"
            continue
        told = own.linear.problems[len(part.design.problems) :]
        problems += [replace(problem, where=f"chromosome {kind}") for problem in told]
        of[kind], designs[kind] = part.of_design(own.linear, design.linear), own
    return Parts(of, refused, tuple(problems)), designs


def binary_design(linear: Design, phenotypes: Array) -> BinaryDesign:
    """Fit the null models.

    Parameters
    ----------
    linear : Design
        Of the same phenotypes.
    phenotypes : ndarray, shape (n, number of phenotypes)
        0, 1 or NaN.

    Raises
    ------
    FitError
        None of the phenotypes has a null model.
    """
    kept, nulls, problems = [], [], list(linear.problems)
    bases = [pattern_basis(p, linear.basis) * np.sqrt(p.rows.size) for p in linear.patterns]
    for column, (which, g) in enumerate(zip(linear.columns, linear.pattern_of, strict=True)):
        try:
            nulls.append(_null(phenotypes[linear.patterns[g].rows, which], bases[g]))
            kept.append(column)
        except FitError as error:
            problems.append(
                Problem("associate", error.got, item=linear.phenotypes[which], allowed=error.allowed, todo=error.todo)
            )
    if not kept:
        told = "; ".join(f"{p.item}: {p.got}" for p in problems[:3])
        raise FitError(f"none of the {len(linear.phenotypes)} phenotypes can be analysed ({told})", where="genetics")
    used, chosen = np.unique(linear.pattern_of[kept]), np.array(kept, dtype=np.int64)
    reduced = replace(
        linear,
        response=np.ascontiguousarray(linear.response[:, chosen]),
        length=linear.length[chosen],
        columns=linear.columns[chosen],
        patterns=tuple(
            replace(linear.patterns[g], columns=linear.columns[chosen[linear.pattern_of[chosen] == g]]) for g in used
        ),
        problems=tuple(problems),
    )
    residual, weight = np.zeros(reduced.response.shape), np.zeros(reduced.response.shape)
    for column, null in enumerate(nulls):
        rows = reduced.patterns[reduced.pattern_of[column]].rows
        residual[rows, column], weight[rows, column] = null.y - null.mu, null.mu * (1.0 - null.mu)
    return BinaryDesign(reduced, tuple(bases[g] for g in used), tuple(nulls), residual, weight)


def _null(y: Array, basis: Array) -> NullModel:
    cases = int(y.sum())
    fewer, what = min((cases, "cases"), (y.size - cases, "controls"))
    if fewer < basis.shape[1]:
        raise FitError(
            f"{fewer} {what} for an intercept and {basis.shape[1] - 1} covariates",
            allowed=f"at least {basis.shape[1]} cases and as many controls",
            todo="use fewer covariates or principal components, or leave the phenotype out",
        )
    return fit_null(np.ascontiguousarray(y), np.ascontiguousarray(basis))
