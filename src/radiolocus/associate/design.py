"""Phenotypes and covariates made ready for a scan: grouped by who is missing, covariates projected out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from radiolocus.errors import FitError, RadiolocusError, TableError
from radiolocus.model import Array, Problem
from radiolocus.stats.ols import COLLINEAR, covariate_basis, residualise

__all__ = ["Design", "Pattern", "pattern_basis", "regression_design"]

_STAGE = "associate"
# Smallest eigenvalue of the Gram matrix of the basis over the subjects of a pattern below which a basis of their own is
# formed: what is projected by the Gram matrix loses its square root in digits.
WEAK = 1e-3
# Phenotypes whose residuals are formed at a time, so that what is formed on the way stays in cache.
_TOGETHER = 32


@dataclass(frozen=True, eq=False)
class Pattern:
    """Who is missing: the phenotypes known for the same subjects.

    Parameters
    ----------
    columns : ndarray of int64, shape (p,)
        Which phenotypes of the design.
    rows, absent : ndarray of int64
        Which subjects of the design have these phenotypes, and which have not.
    gram : ndarray, shape (k, k)
        Gram matrix of the basis of the design over `rows`.
    transform : ndarray, shape (k, k)
        Makes the basis of the design orthonormal over `rows`.
    own : ndarray, shape (rows, k), or None
        An orthonormal basis over `rows`, where `transform` would lose digits.
    idle : int
        Columns of `own` that are zero: the last covariates, left out because the others determine them here.
    """

    columns: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    absent: npt.NDArray[np.int64]
    gram: Array
    transform: Array
    own: Array | None
    idle: int = 0

    @property
    def rank(self) -> int:
        """Columns of the basis over `rows`: the intercept and the covariates that say something there."""
        return int(self.gram.shape[0]) - self.idle

    @property
    def df(self) -> int:
        """Residual degrees of freedom with one variant, m − k − 2 with k covariates."""
        return int(self.rows.size - self.rank - 1)


@dataclass(frozen=True, eq=False)
class Design:
    """All that a scan of any block of variants needs to know about n subjects.

    Parameters
    ----------
    n : int
        Subjects: columns of the genotype blocks.
    phenotypes : tuple of str
    basis : ndarray, shape (n, 1 + k)
        Orthonormal basis of intercept and covariates among all subjects.
    response : ndarray, shape (n, P)
        Residuals of the analysed phenotypes on intercept and covariates among the subjects that have them, each of
        unit length; 0 where the phenotype is missing.
    length : ndarray, shape (P,)
        Length of the residuals before they were scaled.
    columns : ndarray of int64, shape (P,)
        Which phenotype each column of `response` is: pattern by pattern.
    patterns : tuple of Pattern
    problems : tuple of Problem
        Phenotypes that are not analysed, and why.
    copies : int
        Largest count of the effect allele: 2, or 1 where nobody has two copies of the chromosome.
    """

    n: int
    phenotypes: tuple[str, ...]
    basis: Array
    response: Array
    length: Array
    columns: npt.NDArray[np.int64]
    patterns: tuple[Pattern, ...]
    problems: tuple[Problem, ...]
    copies: int = 2

    @cached_property
    def stacked(self) -> Array:
        """Response and basis side by side, shape (n, P + 1 + k): what a block is multiplied by."""
        return np.column_stack([self.response, self.basis])

    @cached_property
    def stacked32(self) -> npt.NDArray[np.float32]:
        """The same in single precision."""
        out = np.empty((self.n, self.response.shape[1] + self.basis.shape[1]), dtype=np.float32)
        out[:, : self.response.shape[1]] = self.response
        out[:, self.response.shape[1] :] = self.basis
        return out

    @cached_property
    def first(self) -> npt.NDArray[np.int64]:
        """Where the columns of each pattern begin in `response`, and where the last ends."""
        return np.cumsum([0, *(pattern.columns.size for pattern in self.patterns)]).astype(np.int64)

    @cached_property
    def pattern_of(self) -> npt.NDArray[np.int64]:
        """Pattern of each column of `response`."""
        return np.repeat(np.arange(len(self.patterns)), np.diff(self.first)).astype(np.int64)

    def correlation(self) -> Array:
        """Correlation of the t statistics of phenotypes without association, in the order of `columns`, shape (P, P).

        That of their residuals, less where they are known for different subjects.
        """
        return self.response.T @ self.response

    @cached_property
    def known(self) -> npt.NDArray[np.bool_]:
        """Subjects of each pattern, shape (patterns, n)."""
        known = np.zeros((len(self.patterns), self.n), dtype=np.bool_)
        for g, pattern in enumerate(self.patterns):
            known[g, pattern.rows] = True
        return known

    @cached_property
    def ranks(self) -> npt.NDArray[np.int64]:
        """Rank of the basis over the subjects of each pattern, shape (patterns,)."""
        return np.array([pattern.rank for pattern in self.patterns], dtype=np.int64)

    @cached_property
    def grams(self) -> Array:
        """Gram matrix of the basis over the subjects of each pattern, shape (patterns, 1 + k, 1 + k)."""
        return np.stack([pattern.gram for pattern in self.patterns])


def regression_design(
    phenotypes: Array,
    covariates: Array | None = None,
    *,
    phenotype_names: Sequence[str] = (),
    covariate_names: Sequence[str] = (),
    last_may_go: bool = False,
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
    last_may_go : bool
        The last covariate is left out for phenotypes among whose subjects the others determine it (sex, of a phenotype
        of women); without it these phenotypes are set aside.

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
    basis = covariate_basis(table, n, labels)
    found: dict[bytes, list[int]] = {}
    missing = np.isnan(values)
    for column, lacking in enumerate(np.packbits(missing, axis=0).T):
        found.setdefault(lacking.tobytes(), []).append(column)
    patterns: list[Pattern] = []
    parts: list[tuple[Array, Array]] = []
    problems: list[Problem] = []
    for columns in found.values():
        lacking = missing[:, columns[0]]
        try:
            pattern = _pattern(np.array(columns, dtype=np.int64), lacking, basis, table, labels, last_may_go)
        except RadiolocusError as error:
            problems += [
                Problem(_STAGE, f"among the {n - int(lacking.sum())} subjects that have it: {error.got}", item=names[c],
                        allowed=error.allowed, todo=error.todo)
                for c in columns
            ]  # fmt: skip
            continue
        pattern, response, length, lost = _project(values, pattern, basis)
        problems += [Problem(_STAGE, reason, item=names[c], todo="leave it out") for c, reason in lost]
        if pattern.columns.size:
            patterns.append(pattern)
            parts.append((response, length))
    if not patterns:
        told = "; ".join(f"{p.item}: {p.got}" for p in problems[:3])
        raise FitError(f"none of the {count} phenotypes can be analysed ({told})", where="genetics")
    order = np.concatenate([pattern.columns for pattern in patterns])
    if len(patterns) == 1 and patterns[0].absent.size == 0:
        response = parts[0][0]
    else:
        response = np.zeros((n, order.size))
        first = 0
        for pattern, (part, _) in zip(patterns, parts, strict=True):
            response[pattern.rows, first : first + part.shape[1]] = part
            first += part.shape[1]
    length = np.concatenate([length for _, length in parts])
    return Design(n, names, basis, response, length, order, tuple(patterns), tuple(problems))


def _pattern(
    columns: npt.NDArray[np.int64],
    lacking: npt.NDArray[np.bool_],
    basis: Array,
    table: Array,
    labels: tuple[str, ...],
    last_may_go: bool,
) -> Pattern:
    k = basis.shape[1]
    rows, absent = (np.flatnonzero(chosen).astype(np.int64) for chosen in (~lacking, lacking))
    if absent.size == 0:
        return Pattern(columns, rows, absent, np.eye(k), np.eye(k), None)
    _enough(rows.size, k - 1)
    few = basis[absent] if absent.size < rows.size else basis[rows]
    gram = np.eye(k) - few.T @ few if absent.size < rows.size else few.T @ few
    strength, axes = np.linalg.eigh(gram)
    if strength[0] > WEAK:
        return Pattern(columns, rows, absent, gram, axes / np.sqrt(strength), None)
    try:
        own, idle = covariate_basis(table[rows], rows.size, labels), 0
    except FitError:
        if not last_may_go:
            raise
        own, idle = covariate_basis(table[rows, :-1], rows.size, labels[:-1]), 1
        own = np.column_stack([own, np.zeros(rows.size)])
    return Pattern(columns, rows, absent, gram, np.eye(k), own, idle)


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


def _project(values: Array, pattern: Pattern, basis: Array) -> tuple[Pattern, Array, Array, list[tuple[int, str]]]:
    """Residuals over the rows of a pattern, their lengths, and the phenotypes of which nothing is left."""
    columns, rows = pattern.columns, pattern.rows
    about = pattern_basis(pattern, basis)
    residual, length = np.empty((rows.size, columns.size)), np.empty(columns.size)
    constant, determined = np.empty(columns.size, dtype=np.bool_), np.empty(columns.size, dtype=np.bool_)
    for first in range(0, columns.size, _TOGETHER):
        here = slice(first, first + _TOGETHER)
        chosen = values[:, columns[here]] if pattern.absent.size == 0 else values[np.ix_(rows, columns[here])]
        size = np.linalg.norm(chosen, axis=0)
        chosen -= chosen.mean(axis=0)
        spread = np.linalg.norm(chosen, axis=0)
        constant[here] = spread <= 1e-12 * size
        rest = residualise(about, chosen)
        length[here] = np.linalg.norm(rest, axis=0)
        determined[here] = ~constant[here] & (length[here] <= COLLINEAR * spread)
        residual[:, here] = rest / np.where(length[here] > 0, length[here], 1.0)
    lost = [(int(c), f"one value in all {rows.size} subjects that have it") for c in columns[constant]]
    lost += [(int(c), "a combination of the covariates: nothing is left of it") for c in columns[determined]]
    good = ~(constant | determined)
    if good.all():
        return pattern, residual, length, lost
    return replace(pattern, columns=columns[good]), residual[:, good], length[good], lost


def pattern_basis(pattern: Pattern, basis: Array) -> Array:
    """Orthonormal basis of intercept and covariates over the rows of a pattern."""
    if pattern.own is not None:
        return pattern.own[:, : pattern.rank]
    return basis[pattern.rows] @ pattern.transform if pattern.absent.size else basis
