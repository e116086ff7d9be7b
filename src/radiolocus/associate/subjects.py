"""Who is scanned: subjects with a genotype, every covariate and at least one phenotype, as bare arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import ConfigError, TableError
from radiolocus.model import Array, Problem
from radiolocus.registry import suggest

__all__ = ["Scanned", "choose_subjects"]

_STAGE = "associate"


@dataclass(frozen=True, eq=False)
class Scanned:
    """Aligned input of a scan.

    Parameters
    ----------
    subjects : tuple of str
        In the order of the phenotype table.
    rows : ndarray of int64, shape (n,)
        Place of each subject in the genotype file.
    phenotypes : ndarray, shape (n, P)
    phenotype_names : tuple of str
    covariates : ndarray, shape (n, k)
    covariate_names : tuple of str
    problems : tuple of Problem
        Subjects that are left out, one problem each.
    """

    subjects: tuple[str, ...]
    rows: npt.NDArray[np.int64]
    phenotypes: Array
    phenotype_names: tuple[str, ...]
    covariates: Array
    covariate_names: tuple[str, ...]
    problems: tuple[Problem, ...]


def choose_subjects(
    samples: Sequence[str | None],
    phenotypes: pl.DataFrame,
    covariates: pl.DataFrame | None,
    *,
    phenotype_names: Sequence[str] = (),
    covariate_names: Sequence[str] = (),
) -> Scanned:
    """Align genotypes, phenotypes and covariates.

    Parameters
    ----------
    samples : sequence of str or None
        Subject of each sample of the genotype file, in file order; None where it belongs to no subject.
    phenotypes : polars.DataFrame
        Column ``subject`` and numeric columns; null or NaN where unknown.
    covariates : polars.DataFrame or None
        Column ``subject`` and columns that are numeric, boolean, or categorical (Enum, Categorical: dummy-coded
        against the first level that occurs).
    phenotype_names, covariate_names : sequence of str
        Which columns; empty: all.

    Returns
    -------
    Scanned

    Raises
    ------
    ConfigError
        A named column that is not there.
    TableError
        A repeated subject, a text column, or no subject left.
    """
    wanted = _columns(phenotypes, phenotype_names, "phenotype")
    place = _places(samples)
    _unique(phenotypes, "phenotypes")
    known = phenotypes.select("subject", *(_number(phenotypes[name], "phenotype") for name in wanted))
    if covariates is None:
        if covariate_names:
            raise ConfigError(
                f"covariates {', '.join(covariate_names)} without a table that holds them",
                where="genetics",
                todo="give the covariate table, or name no covariates",
            )
        terms = phenotypes.select("subject")
    else:
        _unique(covariates, "covariates")
        terms = _terms(covariates, _columns(covariates, covariate_names, "covariate"))
    names = tuple(name for name in terms.columns if name != "subject")
    aligned = known.select("subject").join(terms, on="subject", how="left", maintain_order="left")
    y = known.select(wanted).to_numpy(writable=True).astype(np.float64, copy=False)
    x = aligned.select(names).to_numpy().astype(np.float64).reshape(known.height, len(names))
    subjects = known["subject"].to_list()
    known_y, unknown_x = ~np.isnan(y).all(axis=1), np.isnan(x)
    good = known_y & ~unknown_x.any(axis=1)
    reasons = [
        "" if good[i] and s in place else _reason(s, place, known_y[i], unknown_x[i], names)
        for i, s in enumerate(subjects)
    ]
    use = np.array([not reason for reason in reasons], dtype=bool)
    problems = tuple(Problem(_STAGE, reason, subject=s) for s, reason in zip(subjects, reasons, strict=True) if reason)
    if not use.any():
        raise TableError(
            f"none of the {len(subjects)} subjects can be scanned ({_tally(reasons)})",
            where="genetics",
            todo=f"compare the ids: phenotypes have {subjects[:3]}, genotypes have {list(place)[:3]}",
        )
    chosen = tuple(np.array(subjects, dtype=object)[use])
    rows = np.array([place[s] for s in chosen], dtype=np.int64)
    if not use.all():
        y, x = y[use], x[use]
    return Scanned(chosen, rows, y, wanted, x, names, problems)


def _columns(frame: pl.DataFrame, names: Sequence[str], kind: str) -> tuple[str, ...]:
    if "subject" not in frame.columns:
        raise TableError(f"no column 'subject' among {', '.join(frame.columns[:8])}", where=f"{kind}s")
    there = [name for name in frame.columns if name != "subject"]
    for name in names:
        if name not in there:
            raise ConfigError(
                f"no {kind} '{name}'", where="genetics", allowed=", ".join(there[:20]), todo=suggest(name, there)
            )
    return tuple(names) or tuple(there)


def _places(samples: Sequence[str | None]) -> dict[str, int]:
    place: dict[str, int] = {}
    for row, subject in enumerate(samples):
        if subject is None:
            continue
        if subject in place:
            raise TableError(
                f"samples {place[subject] + 1} and {row + 1} of the genotype file are both subject '{subject}'",
                allowed="one sample a subject",
                todo="remove one of them, or change how ids are normalised",
            )
        place[subject] = row
    return place


def _unique(frame: pl.DataFrame, what: str) -> None:
    twice = frame.filter(pl.col("subject").is_duplicated())["subject"].unique(maintain_order=True)
    if twice.len():
        raise TableError(
            f"{twice.len()} subjects stand more than once: {', '.join(map(str, twice[:5]))}",
            where=what,
            allowed="one row a subject",
        )


def _number(column: pl.Series, kind: str) -> pl.Series:
    if not (column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null)):
        shown = ", ".join(repr(v) for v in column.drop_nulls().unique(maintain_order=True)[:4])
        raise TableError(
            f"{kind} '{column.name}' holds text ({shown})",
            where=kind + "s",
            allowed="numbers" + (", or a column declared as categories" if kind == "covariate" else ""),
            todo="recode it as numbers" + (" or declare its categories" if kind == "covariate" else ""),
        )
    return column.cast(pl.Float64)


def _terms(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    columns = [frame["subject"]]
    for name in names:
        column = frame[name]
        if isinstance(column.dtype, (pl.Enum, pl.Categorical)):
            text = column.cast(pl.String)
            found = text.drop_nulls().unique().sort().to_list()
            levels = column.dtype.categories if isinstance(column.dtype, pl.Enum) else found
            occurring = [level for level in levels if level in found]
            columns += [(text == level).cast(pl.Float64).alias(f"{name}={level}") for level in occurring[1:]]
        else:
            columns.append(_number(column, "covariate"))
    return pl.DataFrame(columns)


def _reason(
    subject: str, place: dict[str, int], known: np.bool_, unknown: npt.NDArray[np.bool_], names: Sequence[str]
) -> str:
    if subject not in place:
        return "no genotype"
    if not known:
        return "no phenotype"
    return f"no value of covariate {', '.join(name for name, lacking in zip(names, unknown, strict=True) if lacking)}"


def _tally(reasons: Sequence[str]) -> str:
    kinds = sorted({reason for reason in reasons if reason})
    return ", ".join(f"{reason}: {reasons.count(reason)}" for reason in kinds[:5])
