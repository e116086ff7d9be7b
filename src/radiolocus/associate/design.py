"""Phenotypes and covariates made ready for a scan: grouped by who is missing, covariates projected out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from radiolocus.errors import FitError, RadiolocusError, TableError
from radiolocus.model import Array, Problem
from radiolocus.stats.ols import COLLINEAR, covariate_basis, residualise

__all__ = ["Design", "Group", "regression_design"]

_STAGE = "associate"


@dataclass(frozen=True, eq=False)
class Group:
    """Phenotypes known for the same subjects.

    Parameters
    ----------
    columns : ndarray of int64, shape (p,)
        Which phenotypes of the design.
    rows : ndarray of int64, shape (m,)
        Which subjects of the design.
    basis : ndarray, shape (m, 1 + k)
        Orthonormal basis of intercept and covariates among these subjects.
    response : ndarray, shape (m, p)
        Residuals of the phenotypes on the basis, each of unit length.
    length : ndarray, shape (p,)
        Length of the residuals before they were scaled.
    """

    columns: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    basis: Array
    response: Array
    length: Array

    @cached_property
    def stacked(self) -> Array:
        """Response and basis side by side, shape (m, p + 1 + k): what a block is multiplied by."""
        return np.ascontiguousarray(np.column_stack([self.response, self.basis]))

    @property
    def df(self) -> int:
        """Residual degrees of freedom with one variant, m − k − 2."""
        return int(self.rows.size - self.basis.shape[1] - 1)


@dataclass(frozen=True, eq=False)
class Design:
    """All that a scan of any block of variants needs to know about n subjects.

    Parameters
    ----------
    n : int
        Subjects: columns of the genotype blocks.
    phenotypes : tuple of str
    groups : tuple of Group
    problems : tuple of Problem
        Phenotypes that are not analysed, and why.
    """

    n: int
    phenotypes: tuple[str, ...]
    groups: tuple[Group, ...]
    problems: tuple[Problem, ...]


def regression_design(
    phenotypes: Array,
    covariates: Array | None = None,
    *,
    phenotype_names: Sequence[str] = (),
    covariate_names: Sequence[str] = (),
) -> Design:
    """Group phenotypes by the subjects they are known for and project the covariates out of each group.

    Parameters
    ----------
    phenotypes : ndarray, shape (n, P)
        NaN where missing.
    covariates : ndarray, shape (n, k), or None
        Without intercept and without missing values.
    phenotype_names, covariate_names : sequence of str
        Default: numbered.

    Returns
    -------
    Design
        A phenotype that is constant, that the covariates determine, or that is known for too few subjects is set
        aside with a problem.

    Raises
    ------
    FitError
        n ≤ k + 2, covariates that determine each other, or no phenotype left.
    TableError
        A missing or infinite covariate, or an infinite phenotype.
    """
    values = np.asarray(phenotypes, dtype=np.float64)
    n, count = values.shape
    names = tuple(phenotype_names) or tuple(f"phenotype {i + 1}" for i in range(count))
    table = np.empty((n, 0)) if covariates is None else np.asarray(covariates, dtype=np.float64)
    labels = tuple(covariate_names) or tuple(f"covariate {i + 1}" for i in range(table.shape[1]))
    _refuse("covariate", labels, ~np.isfinite(table), "a finite number for every subject")
    _refuse("phenotype", names, np.isinf(values), "finite numbers, or nothing where unknown")
    _enough(n, table.shape[1])
    covariate_basis(table, n, labels)
    patterns: dict[bytes, list[int]] = {}
    for column, known in enumerate(np.packbits(~np.isnan(values), axis=0).T):
        patterns.setdefault(known.tobytes(), []).append(column)
    groups: list[Group] = []
    problems: list[Problem] = []
    for columns in patterns.values():
        rows = np.flatnonzero(~np.isnan(values[:, columns[0]])).astype(np.int64)
        try:
            _enough(rows.size, table.shape[1])
            basis = covariate_basis(table[rows], rows.size, labels)
        except RadiolocusError as error:
            problems += [
                Problem(_STAGE, f"among the {rows.size} subjects that have it: {error.got}", item=names[c],
                        allowed=error.allowed, todo=error.todo)
                for c in columns
            ]  # fmt: skip
            continue
        group, lost = _project(values, np.array(columns, dtype=np.int64), rows, basis)
        problems += [Problem(_STAGE, reason, item=names[c], todo="leave it out") for c, reason in lost]
        if group.columns.size:
            groups.append(group)
    if not groups:
        told = "; ".join(f"{p.item}: {p.got}" for p in problems[:3])
        raise FitError(f"none of the {count} phenotypes can be analysed ({told})", where="genetics")
    return Design(n, names, tuple(groups), tuple(problems))


def _refuse(kind: str, names: Sequence[str], bad: npt.NDArray[np.bool_], allowed: str) -> None:
    if bad.any():
        columns = [names[int(i)] for i in np.flatnonzero(bad.any(axis=0))]
        raise TableError(
            f"{int(bad.sum())} values of {kind} {', '.join(columns[:5])} that are no finite numbers", allowed=allowed
        )


def _enough(n: int, k: int) -> None:
    if n <= k + 2:
        raise FitError(
            f"{n} subjects for an intercept, {k} covariates and a variant",
            allowed=f"at least {k + 3} subjects",
            todo="use fewer covariates or principal components, or more subjects",
        )


def _project(
    values: Array, columns: npt.NDArray[np.int64], rows: npt.NDArray[np.int64], basis: Array
) -> tuple[Group, list[tuple[int, str]]]:
    chosen = values[np.ix_(rows, columns)]
    centred = chosen - chosen.mean(axis=0)
    spread = np.linalg.norm(centred, axis=0)
    constant = spread <= 1e-12 * np.linalg.norm(chosen, axis=0)
    residual = residualise(basis, centred)
    length = np.linalg.norm(residual, axis=0)
    determined = ~constant & (length <= COLLINEAR * spread)
    lost = [(int(c), f"one value in all {rows.size} subjects that have it") for c in columns[constant]]
    lost += [(int(c), "a combination of the covariates: nothing is left of it") for c in columns[determined]]
    good = ~(constant | determined)
    response = np.ascontiguousarray(residual[:, good] / length[good])
    return Group(columns[good], rows, basis, response, length[good]), lost
