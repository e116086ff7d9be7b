"""From markers, clinical columns and features to what is predicted from what, of whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
import polars as pl

from radiolocus.associate.genotyping_options import GenotypingOptions, GenotypingTarget
from radiolocus.errors import ConfigError, TableError
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.target import Target
from radiolocus.model import Array, Problem
from radiolocus.registry import suggest

__all__ = [
    "Aim",
    "aim_at",
    "check_selected_on",
    "clinical_predictors",
    "imaging_predictors",
    "patterned",
    "volume_columns",
]

_VOLUME = ("morph_volume", "original_shape_MeshVolume", "volume")
ABSENT, PRESENT = "absent", "present"
_MOST = 12
# A number of fewer different values may be a code of classes: it is predicted as a number only when asked for.
_VALUES = 10


@dataclass(frozen=True, eq=False)
class Aim:
    """A target and the subjects of whom it is known.

    Parameters
    ----------
    name : str
    subject : tuple of str
    target : Target
    classes : tuple of str
        Names of the classes; empty of a continuous target.
    """

    name: str
    subject: tuple[str, ...]
    target: Target
    classes: tuple[str, ...]


def aim_at(
    name: str, wanted: GenotypingTarget, markers: pl.DataFrame, clinical: pl.DataFrame
) -> tuple[Aim, list[Problem]]:
    """Find out what a target is, and of whom it is known.

    Parameters
    ----------
    name : str
    wanted : GenotypingTarget
    markers, clinical : polars.DataFrame
        With a column ``subject``, each subject once.

    Raises
    ------
    ConfigError
        No such marker or column; a value of `where` or `positive` that nobody has.
    TableError
        A marker of one value, of so many texts that they are no classes, or of a few numbers that may be either.
    """
    values = _values(name, wanted, markers, clinical)
    kept = _allowed(name, wanted, markers, clinical)
    known = values.filter(pl.col("value").is_not_null()).join(kept, on="subject", how="semi", maintain_order="left")
    problems = []
    if (unknown := values.height - values["value"].drop_nulls().len()) > 0:
        got = f"{unknown} of {values.height} subjects have no known value of this marker"
        problems.append(Problem("genotyping", got, "note", item=name, count=unknown))
    subject = tuple(known["subject"].to_list())
    if known["value"].dtype == pl.String:
        levels = tuple(known["value"].unique().sort().to_list())
        if len(levels) < 2 or len(levels) > _MOST:
            raise TableError(
                f"'{wanted.marker or name}' has {len(levels)} different texts",
                where=f"genotyping.targets.{name}",
                allowed=f"2 to {_MOST}",
                todo="say which of them count as present (positive)",
            )
        code = {level: float(k) for k, level in enumerate(levels)}
        event = np.array([code[v] for v in known["value"].to_list()], dtype=np.float64)
        if len(levels) == 2:
            return Aim(name, subject, Target(event), levels), problems
        return Aim(name, subject, Target(event, levels=levels), levels), problems
    number = known["value"].cast(pl.Float64).to_numpy().astype(np.float64)
    finite = np.isfinite(number)
    if wanted.continuous or np.unique(number[finite]).size >= _VALUES:
        if not finite.all():
            got = f"{int((~finite).sum())} subjects left out: a value that is not finite"
            problems.append(Problem("genotyping", got, "set aside", item=name, count=int((~finite).sum())))
        kept_of = tuple(s for s, f in zip(subject, finite, strict=True) if f)
        return Aim(name, kept_of, Target(number[finite], number=True), ()), problems
    if not np.isin(number, (0.0, 1.0)).all():
        raise TableError(
            f"'{wanted.marker or name}' has numbers other than 0 and 1 (first {number[~np.isin(number, (0, 1))][0]:g})",
            where=f"genotyping.targets.{name}",
            allowed=f"a binary marker, classes, or a number of at least {_VALUES} different values",
            todo="declare the column as a category, or say continuous = true",
        )
    return Aim(name, subject, Target(number), (ABSENT, PRESENT)), problems


def _values(name: str, wanted: GenotypingTarget, markers: pl.DataFrame, clinical: pl.DataFrame) -> pl.DataFrame:
    """Columns ``subject`` and ``value``: text of classes, or numbers."""
    marker = wanted.marker or name
    where = f"genotyping.targets.{name}"
    one_hot = [c for c in markers.columns if c.startswith(f"{marker}=")]
    if marker in markers.columns[1:]:
        found = markers.select("subject", pl.col(marker).alias("value"))
    elif len(one_hot) == 1:  # two texts of which neither means present: the second one, as markers have it
        found = markers.select("subject", pl.col(one_hot[0]).alias("value"))
    elif len(one_hot) > 1:
        found = _from_one_hot(markers, one_hot, len(marker) + 1)
    elif marker in clinical.columns[1:]:
        column = clinical[marker]
        kept = column if column.dtype.is_numeric() or column.dtype == pl.Boolean else column.cast(pl.String)
        found = clinical.select("subject", kept.alias("value"))
    else:
        known = [*markers.columns[1:], *clinical.columns[1:]]
        raise ConfigError(
            f"no marker '{marker}'",
            where=where,
            allowed=", ".join(known[:12]) + (", ..." if len(known) > 12 else ""),
            todo=suggest(marker, known) or "name a marker or a clinical column",
        )
    if not wanted.positive:
        return found
    text = found["value"].cast(pl.String)
    _check_known(wanted.positive, text, f"{where}.positive")
    return found.with_columns(
        pl.when(text.is_null()).then(None).otherwise(text.is_in(list(wanted.positive))).cast(pl.Float64).alias("value")
    )


def _from_one_hot(markers: pl.DataFrame, columns: Sequence[str], cut: int) -> pl.DataFrame:
    present = [pl.when(pl.col(c) == 1).then(pl.lit(c[cut:])) for c in columns]
    return markers.select("subject", pl.coalesce(present).alias("value"))


def _allowed(name: str, wanted: GenotypingTarget, markers: pl.DataFrame, clinical: pl.DataFrame) -> pl.DataFrame:
    """Subjects that the target may be judged on."""
    kept = pl.concat([markers.select("subject"), clinical.select("subject")]).unique()
    for column, values in wanted.where.items():
        source = clinical if column in clinical.columns[1:] else markers
        where = f"genotyping.targets.{name}.where"
        if column not in source.columns[1:]:
            known = [*clinical.columns[1:], *markers.columns[1:]]
            raise ConfigError(f"no column '{column}'", where=where, todo=suggest(column, known) or "name a column")
        text = source[column].cast(pl.String)
        _check_known(values, text, f"{where}.{column}")
        kept = kept.join(source.filter(text.is_in(list(values))), on="subject", how="semi")
    return kept


def _check_known(values: Sequence[str], text: pl.Series, where: str) -> None:
    known = text.drop_nulls().unique().sort().to_list()
    for value in values:
        if value not in known:
            raise ConfigError(
                f"nobody has '{value}'", where=where, allowed=", ".join(known[:12]), todo=suggest(value, known)
            )


def patterned(names: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """Names that are one of the patterns, in their order."""
    return [n for n in names if any(n == p or fnmatchcase(n, p) for p in patterns)]


def imaging_predictors(
    frame: pl.DataFrame, subjects: Sequence[str], columns: Sequence[str], block: str = "imaging"
) -> Predictors:
    """Features of some subjects, all of whom the frame has."""
    place = {s: i for i, s in enumerate(frame["subject"].to_list())}
    rows = np.array([place[s] for s in subjects], dtype=np.intp)
    numeric = frame.select(pl.col(columns).cast(pl.Float64)).fill_null(float("nan")).to_numpy()[rows]
    values: Array = np.asarray(numeric, dtype=np.float64).reshape(len(subjects), len(columns))
    return Predictors(values, tuple(columns), (block,) * len(columns), np.zeros((len(subjects), 0), dtype=np.int64))


def clinical_predictors(frame: pl.DataFrame, subjects: Sequence[str], columns: Sequence[str]) -> Predictors:
    """Clinical columns of some subjects; text makes categories. A subject that is not there has nothing but gaps."""
    place = {s: i for i, s in enumerate(frame["subject"].to_list())}
    order = pl.Series([place.get(s) for s in subjects], dtype=pl.UInt32)
    numeric, codes, levels, names = [], [], [], ([], [])  # type: ignore[var-annotated]
    for column in columns:
        values = frame[column].gather(order)
        if values.dtype.is_numeric() or values.dtype == pl.Boolean:
            numeric.append(values.cast(pl.Float64).fill_null(float("nan")).to_numpy())
            names[0].append(column)
            continue
        text = values.cast(pl.String)
        known = tuple(frame[column].cast(pl.String).drop_nulls().unique().sort().to_list())
        code = {level: k for k, level in enumerate(known)}
        codes.append(np.array([code.get(v or "", -1) for v in text.to_list()], dtype=np.int64))
        levels.append(known)
        names[1].append(column)
    n = len(subjects)
    return Predictors(
        np.column_stack([np.zeros((n, 0)), *numeric]),
        tuple(names[0]),
        ("clinical",) * len(names[0]),
        np.column_stack([np.zeros((n, 0), dtype=np.int64), *codes]),
        tuple(levels),
        tuple(names[1]),
        ("clinical",) * len(names[1]),
    )


def volume_columns(columns: Sequence[str], options: GenotypingOptions) -> list[str]:
    """Features that measure the size of the region.

    Raises
    ------
    ConfigError
        A pattern that no feature has.
    """
    if not options.volume:
        return [c for c in columns if c.rpartition(":")[2] in _VOLUME]
    for pattern in options.volume:
        if not patterned(columns, [pattern]):
            raise ConfigError(
                f"no imaging feature '{pattern}'", where="genotyping.volume", todo=suggest(pattern, list(columns))
            )
    return patterned(columns, options.volume)


def check_selected_on(name: str, columns: Sequence[str], selected_on: Mapping[str, Sequence[str]]) -> None:
    """Refuse to predict a marker from features that were selected on it.

    Raises
    ------
    ConfigError
        Such a feature, or a note that names no feature.
    """
    for pattern, targets in selected_on.items():
        matched = patterned(columns, [pattern])
        if name in targets and matched:
            raise ConfigError(
                f"'{matched[0]}' ({len(matched)} such) was selected on '{name}' and would predict it",
                where=f"genotyping.selected_on.{pattern}",
                allowed="features chosen without the marker, or inside the folds",
                todo=f"leave the target '{name}' out, leave the features out, or give all candidates and use signature",
            )
