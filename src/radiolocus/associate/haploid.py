"""What a scan does on X, Y and MT: other subjects, sex among the covariates, one copy instead of two.

As ``plink2 --glm``: on X subjects of known sex with sex as a further covariate, on Y men, on MT everybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.associate.design import Design, regression_design
from radiolocus.errors import RadiolocusError
from radiolocus.genome.haploid import COPIES, FEMALE, HAPLOID, MALE, looked_at
from radiolocus.model import Array, Problem
from radiolocus.stats.ols import COLLINEAR, covariate_basis, residualise

__all__ = ["Part", "Parts", "haploid_parts"]

Whole = npt.NDArray[np.int64]

_STAGE = "associate"
#: Name of the covariate that X adds; no column of a table is called so.
SEX = "sex (chromosome X)"
_WHO = {"X": "subjects of known sex", "Y": "men"}


@dataclass(frozen=True, eq=False)
class Part:
    """Who and what is analysed on X, Y or MT.

    Parameters
    ----------
    place : ndarray of int64, shape (n,)
        Which subjects of the scan.
    chosen : ndarray of int64
        Which phenotypes of the scan the phenotypes of `design` are.
    design : Design
        Of these subjects.
    target : ndarray of int64, shape (P,)
        Column of the design of the scan that each column of `design` belongs to.
    """

    place: Whole
    chosen: Whole
    design: Design
    target: Whole

    def of_design(self, design: Design, scan: Design) -> Part:
        """The same with phenotypes taken out, for a scan that analyses no fewer."""
        return replace(self, design=design, target=_target(scan, self.chosen[design.columns]))


@dataclass(frozen=True, eq=False)
class Parts:
    """What differs from the autosomes.

    Parameters
    ----------
    of : dict of str to Part
        By X, Y and MT, where the file has them and they can be analysed.
    refused : dict of str to str
        Why the others cannot.
    problems : tuple of Problem
    """

    of: dict[str, Part]
    refused: dict[str, str]
    problems: tuple[Problem, ...]

    def refuse(self, variants: pl.DataFrame) -> pl.DataFrame:
        """Mark variants of chromosomes that cannot be analysed; `variants` is table ``genome/variants``."""
        if not self.refused:
            return variants
        gone = pl.col("kept") & pl.col("chromosome").is_in(list(self.refused))
        why = pl.col("chromosome").replace_strict(self.refused, default=None, return_dtype=pl.String)
        return variants.with_columns(
            pl.when(gone).then(why).otherwise("reason").alias("reason"), (pl.col("kept") & ~gone).alias("kept")
        )


def haploid_parts(
    design: Design,
    phenotypes: Array,
    covariates: Array,
    covariate_names: Sequence[str],
    sex: npt.NDArray[np.int8],
    chromosomes: Iterable[str],
) -> Parts:
    """Make the designs of X, Y and MT.

    Parameters
    ----------
    design : Design
        Of the autosomes: its phenotypes are analysed.
    phenotypes : ndarray, shape (n, phenotypes of the table)
        NaN where missing.
    covariates : ndarray, shape (n, k)
    covariate_names : sequence of str
    sex : ndarray of int8, shape (n,)
        1 male, 2 female, 0 unknown.
    chromosomes : iterable of str
        Names that occur in the file.

    Returns
    -------
    Parts
    """
    there = set(chromosomes)
    of: dict[str, Part] = {}
    refused: dict[str, str] = {}
    problems: list[Problem] = []
    for kind in (name for name in HAPLOID if name in there):
        if kind == "MT":
            counts = (design.n, len(design.phenotypes), design.columns.size)
            everybody, every, same = (np.arange(count, dtype=np.int64) for count in counts)
            of[kind] = Part(everybody, every, replace(design, copies=COPIES[kind]), same)
            continue
        place = looked_at(kind, sex)
        if place.size == 0:  # the variants are judged so
            continue
        chosen, names, told = _terms(kind, covariates[place], covariate_names, sex[place])
        problems += told
        try:
            of[kind] = _part(kind, design, phenotypes, place, chosen, names)
        except RadiolocusError as error:
            refused[kind] = f"chromosome {kind}: {error.got}"
            continue
        problems += [replace(p, where=f"chromosome {kind}") for p in of[kind].design.problems]
    unknown = int((sex == 0).sum())
    if unknown and {"X", "Y"} & there:
        problems.append(
            Problem(_STAGE, f"{unknown} subjects of unknown sex are left out on X and Y", severity="note",
                    todo="record their sex in the genotype file")
        )  # fmt: skip
    return Parts(of, refused, tuple(problems))


def _part(kind: str, design: Design, phenotypes: Array, place: Whole, covariates: Array, names: Sequence[str]) -> Part:
    columns = np.sort(design.columns)
    own = regression_design(
        phenotypes[np.ix_(place, columns)],
        covariates,
        phenotype_names=[design.phenotypes[c] for c in columns],
        covariate_names=names,
        last_may_go=kind == "X" and tuple(names[-1:]) == (SEX,),
    )
    own = replace(own, copies=COPIES.get(kind, 2))
    return Part(place, columns, own, _target(design, columns[own.columns]))


def _target(design: Design, phenotypes: Whole) -> Whole:
    """Column of a design of each of its phenotypes."""
    at = np.empty(len(design.phenotypes), dtype=np.int64)
    at[design.columns] = np.arange(design.columns.size)
    return np.asarray(at[phenotypes])


def _terms(
    kind: str, covariates: Array, names: Sequence[str], sex: npt.NDArray[np.int8]
) -> tuple[Array, tuple[str, ...], list[Problem]]:
    """Covariates among some subjects, and sex on X; without those that the ones before them determine there."""
    kept: list[int] = []
    for column in range(covariates.shape[1]):
        if not _determined(covariates[:, kept], covariates[:, column]):
            kept.append(column)
    gone = [name for column, name in enumerate(names) if column not in kept]
    told = [
        Problem(_STAGE, f"covariate {name} is left out: it says nothing more among the {sex.size} {_WHO[kind]}",
                severity="note", where=f"chromosome {kind}")
        for name in gone
    ]  # fmt: skip
    matrix, labels = covariates[:, kept], tuple(names[column] for column in kept)
    coded = np.where(sex == MALE, 1.0, np.where(sex == FEMALE, 2.0, np.nan))
    if kind == "X" and not _determined(matrix, coded):
        matrix, labels = np.column_stack([matrix, coded]), (*labels, SEX)
    return matrix, labels, told


def _determined(others: Array, column: Array) -> bool:
    """Whether a column is a combination of the intercept and others."""
    centred = column - column.mean()
    spread = float(np.linalg.norm(centred))
    if spread <= 1e-12 * float(np.linalg.norm(column)):
        return True
    if others.shape[1] + 1 >= column.size:  # too few subjects for a regression, which is to be told
        return False
    basis = covariate_basis(others, column.size, [f"covariate {i + 1}" for i in range(others.shape[1])])
    return float(np.linalg.norm(residualise(basis, centred[:, None]))) <= COLLINEAR * spread
