"""From predictors as measured to the columns of a model; everything is learned from the training rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from radiolocus.learn.harmonise import Harmonise, fit_harmonise
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.select import not_redundant, select_columns, strongest
from radiolocus.learn.structure import COMPONENT, Components, fit_components
from radiolocus.learn.target import Rows, Target
from radiolocus.model import Array, BoolArray

__all__ = ["Predictors", "Preprocess", "fit_preprocess", "join_predictors"]

_LARGEST = 1e100  # the squares of larger numbers overflow

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Predictors:
    """Predictors of some subjects, as measured.

    Parameters
    ----------
    numeric : ndarray, shape (n, p)
        NaN where missing; infinite values, and those beyond ±1e100, which nothing measures, count as missing.
    numeric_names, numeric_blocks : tuple of str
        One entry a column: its name, and the block it belongs to.
    codes : ndarray of int64, shape (n, q)
        Categories as numbers into `levels`, −1 where missing. The numbering carries no information about subjects.
    levels : tuple of tuple of str
        Names of the categories of each categorical predictor.
    categorical_names, categorical_blocks : tuple of str
    batch : ndarray of str, shape (n,), optional
        Site or scanner of each subject, by which imaging predictors are harmonised; empty where unknown.
    keep : ndarray, shape (n, k), optional
        Covariates that harmonising keeps.
    structure : ndarray, shape (n, m), optional
        Dosages that the components of genotypes are made of; the columns ``genotype PC1``, ... are filled from them.
    partial : bool
        Some subjects lack whole blocks. What is missing of a predictor is then counted among those who have its block.
    """

    numeric: Array
    numeric_names: tuple[str, ...]
    numeric_blocks: tuple[str, ...]
    codes: Codes
    levels: tuple[tuple[str, ...], ...] = ()
    categorical_names: tuple[str, ...] = ()
    categorical_blocks: tuple[str, ...] = ()
    batch: npt.NDArray[np.str_] | None = None
    keep: Array | None = None
    partial: bool = False
    structure: Array | None = None

    def __post_init__(self) -> None:
        usable = np.abs(self.numeric) < _LARGEST
        if not usable.all():
            object.__setattr__(self, "numeric", np.where(usable, self.numeric, np.nan))

    @property
    def n(self) -> int:
        """Number of subjects."""
        return len(self.numeric)

    @property
    def candidates(self) -> int:
        """Number of predictors offered."""
        return len(self.numeric_names) + len(self.categorical_names)

    def take(self, rows: Rows | BoolArray) -> Predictors:
        """Return the predictors of some subjects."""
        return Predictors(
            self.numeric[rows],
            self.numeric_names,
            self.numeric_blocks,
            self.codes[rows],
            self.levels,
            self.categorical_names,
            self.categorical_blocks,
            None if self.batch is None else self.batch[rows],
            None if self.keep is None else self.keep[rows],
            self.partial,
            None if self.structure is None else self.structure[rows],
        )

    @property
    def blocks(self) -> tuple[str, ...]:
        """Names of the blocks, in the order of their first predictor."""
        return tuple(dict.fromkeys((*self.numeric_blocks, *self.categorical_blocks)))

    def of_block(self, block: str) -> Predictors:
        """Return the predictors of one block, for the same subjects."""
        numeric = [j for j, b in enumerate(self.numeric_blocks) if b == block]
        categorical = [q for q, b in enumerate(self.categorical_blocks) if b == block]
        return replace(
            self,
            numeric=self.numeric[:, numeric],
            numeric_names=tuple(self.numeric_names[j] for j in numeric),
            numeric_blocks=(block,) * len(numeric),
            codes=self.codes[:, categorical],
            levels=tuple(self.levels[q] for q in categorical),
            categorical_names=tuple(self.categorical_names[q] for q in categorical),
            categorical_blocks=(block,) * len(categorical),
            structure=self.structure if any(self.numeric_names[j].startswith(COMPONENT) for j in numeric) else None,
        )

    def having(self, block: str) -> BoolArray:
        """Subjects of whom anything of a block is known, shape (n,)."""
        numeric = np.array([b == block for b in self.numeric_blocks], dtype=bool)
        categorical = np.array([b == block for b in self.categorical_blocks], dtype=bool)
        known = ~np.isnan(self.numeric[:, numeric]).all(axis=1)
        return np.asarray(known | (self.codes[:, categorical] >= 0).any(axis=1))


def join_predictors(parts: Sequence[Predictors]) -> Predictors:
    """Put predictors of the same subjects side by side."""
    return Predictors(
        np.hstack([p.numeric for p in parts]),
        sum((p.numeric_names for p in parts), ()),
        sum((p.numeric_blocks for p in parts), ()),
        np.hstack([p.codes for p in parts]),
        sum((p.levels for p in parts), ()),
        sum((p.categorical_names for p in parts), ()),
        sum((p.categorical_blocks for p in parts), ()),
        parts[0].batch,
        parts[0].keep,
        parts[0].partial,
        next((p.structure for p in parts if p.structure is not None), None),
    )


@dataclass(frozen=True, eq=False)
class Preprocess:
    """What was learned about the columns of one training part.

    Parameters
    ----------
    columns, blocks : tuple of str
        Names of the model's columns (``Grade=High``, ``SUVmax``, ``SUVmax (missing)``) and their blocks.
    mean, scale : ndarray, shape (m,)
        Of each column in the training part; the standard deviation has denominator n.
    notes : tuple of (str, str)
        Predictor left out, and why.
    """

    columns: tuple[str, ...]
    blocks: tuple[str, ...]
    mean: Array
    scale: Array
    notes: tuple[tuple[str, str], ...]
    _encoding: _Encoding
    _kept: Rows
    _harmonise: Harmonise | None = None
    _components: Components | None = None

    def apply(self, predictors: Predictors) -> Array:
        """Return the standardised columns, shape (n, m).

        A missing number becomes the training median; a missing category the most frequent one in training, and so
        does a category that training did not hold. A subject of a batch that training did not teach stays as it is.
        """
        harmonised = _harmonised(self._harmonise, _placed(self._components, predictors))
        return (self._encoding.encode(harmonised)[:, self._kept] - self.mean) / self.scale

    @property
    def harmonises(self) -> bool:
        """Differences between batches are taken out first."""
        return self._harmonise is not None

    def described(self, training: Predictors) -> list[dict[str, Any]]:
        """Say what each column of the model is made of, in words and numbers that can be written down.

        ``predictor``, ``block``, ``kind`` (number, missing or level), ``level``, ``impute`` (the training median) and
        the range of the training part, ``low`` to ``high``.
        """
        made = self._encoding.described(training)
        return [made[k] for k in self._kept]

    def unseen(self, predictors: Predictors) -> list[tuple[str, str]]:
        """Name the categories that the training part did not hold, with their predictors."""
        return self._encoding.unseen(predictors)

    def unharmonised(self, predictors: Predictors) -> list[str]:
        """Name the batches that the training part did not teach: their subjects stay as they are."""
        if self._harmonise is None or predictors.batch is None:
            return []
        return self._harmonise.unseen(predictors.batch)


def _placed(components: Components | None, predictors: Predictors) -> Predictors:
    """Fill the columns of components with the coordinates of the subjects."""
    if components is None or predictors.structure is None:
        return predictors
    numeric, scores = predictors.numeric.copy(), components.scores(predictors.structure)
    columns = [j for j, name in enumerate(predictors.numeric_names) if name.startswith(COMPONENT)]
    numeric[:, columns] = 0.0
    numeric[:, columns[: scores.shape[1]]] = scores
    return replace(predictors, numeric=numeric)


def _harmonised(harmonise: Harmonise | None, predictors: Predictors) -> Predictors:
    if harmonise is None or predictors.batch is None:
        return predictors
    return replace(predictors, numeric=harmonise.apply(predictors.numeric, predictors.batch, predictors.keep))


@dataclass(frozen=True, eq=False)
class _Encoding:
    used: Rows
    median: Array
    indicated: Rows
    dummies: tuple[tuple[int, int], ...]
    seen: tuple[frozenset[int], ...] = field(default=())

    def encode(self, predictors: Predictors) -> Array:
        numeric = predictors.numeric[:, self.used]
        parts = [np.where(np.isnan(numeric), self.median, numeric)]
        if self.indicated.size:
            parts.append(np.isnan(predictors.numeric[:, self.indicated]).astype(np.float64))
        if self.dummies:
            parts.append(np.column_stack([predictors.codes[:, q] == level for q, level in self.dummies]))
        return np.hstack(parts, dtype=np.float64)

    def names(self, predictors: Predictors) -> tuple[tuple[str, ...], tuple[str, ...]]:
        p = predictors
        columns = [(p.numeric_names[j], p.numeric_blocks[j]) for j in self.used]
        columns += [(f"{p.numeric_names[j]} (missing)", p.numeric_blocks[j]) for j in self.indicated]
        columns += [
            (f"{p.categorical_names[q]}={p.levels[q][level]}", p.categorical_blocks[q]) for q, level in self.dummies
        ]
        return tuple(c for c, _ in columns), tuple(b for _, b in columns)

    def described(self, p: Predictors) -> list[dict[str, Any]]:
        columns = [
            {
                "predictor": p.numeric_names[j],
                "block": p.numeric_blocks[j],
                "kind": "number",
                "level": "",
                "impute": float(median),
                "low": float(np.nanmin(p.numeric[:, j])),
                "high": float(np.nanmax(p.numeric[:, j])),
            }
            for j, median in zip(self.used, self.median, strict=True)
        ]
        flags = [(p.numeric_names[j], p.numeric_blocks[j], "missing", "") for j in self.indicated]
        flags += [
            (p.categorical_names[q], p.categorical_blocks[q], "level", p.levels[q][level]) for q, level in self.dummies
        ]
        names = ("predictor", "block", "kind", "level")
        return columns + [
            {**dict(zip(names, flag, strict=True)), "impute": 0.0, "low": 0.0, "high": 1.0} for flag in flags
        ]

    def unseen(self, predictors: Predictors) -> list[tuple[str, str]]:
        return [
            (predictors.categorical_names[q], predictors.levels[q][code])
            for q, seen in enumerate(self.seen)
            for code in np.unique(predictors.codes[:, q]).tolist()
            if code >= 0 and code not in seen
        ]


def fit_preprocess(
    training: Predictors,
    options: ProtocolOptions,
    slopes: Callable[[Array], Array] | None = None,
    target: Target | None = None,
    seed: int = 0,
) -> Preprocess:
    """Learn the columns of a model from a training part.

    Components of genotypes are learned first. Then, in this order: differences between batches are taken out of imaging
    predictors (with a batch); predictors with too many missing values go; numbers are imputed by the median, categories
    by the most frequent one; categories become indicator columns, the most frequent one being the reference; constant
    columns, and those with too large a share of one value, go; columns are standardised; the `screen` columns of
    largest univariate score stay; of redundant columns one stays; with ``select`` the columns are chosen that go with
    the outcome.

    Parameters
    ----------
    training : Predictors
        Of the training subjects only.
    options : ProtocolOptions
    slopes : callable, optional
        Univariate score of each standardised column in the training part; needed when there are more than
        ``options.screen`` columns.
    target : Target, optional
        Of the training subjects; needed to select.
    seed : int
        Of the halves that stability selection draws.
    """
    harmonise, notes = None, list[tuple[str, str]]()
    components = None
    if training.structure is not None:
        wanted = sum(name.startswith(COMPONENT) for name in training.numeric_names)
        components = fit_components(training.structure, wanted)
        training = _placed(components, training)
    if training.batch is not None and options.harmonise:
        harmonise, notes = fit_harmonise(training.numeric, training.numeric_blocks, training.batch, training.keep)
        training = _harmonised(harmonise, training)
    encoding, found = _learn_encoding(training, options)
    encoded = encoding.encode(training)
    names, blocks = encoding.names(training)
    mean, scale = encoded.mean(axis=0), encoded.std(axis=0)
    varies = (np.ptp(encoded, axis=0) > 0) & (scale > 1e-10 * np.abs(mean))
    notes += [*found, *((names[j], "constant in a training part") for j in np.flatnonzero(~varies))]
    if options.max_same < 1.0:
        same = varies & (_largest_share(encoded) > options.max_same)
        told = f"one value in more than {options.max_same:.0%} of a training part"
        notes += [(names[j], told) for j in np.flatnonzero(same)]
        varies &= ~same
    kept = np.flatnonzero(varies)
    X = (encoded[:, kept] - mean[kept]) / scale[kept]
    if slopes is not None and kept.size > options.screen:
        strong = strongest(slopes(X), options.screen)
        kept, X = kept[strong], X[:, strong]
    if kept.size > 1:
        single = not_redundant(X, options.redundancy)
        kept, X = kept[single], X[:, single]
    if options.select != "none" and target is not None and kept.size:
        chosen, told_of = select_columns(X, target, options, seed)
        kept = kept[chosen]
        notes += [("", told_of)] if told_of else []
    return Preprocess(
        tuple(names[j] for j in kept),
        tuple(blocks[j] for j in kept),
        mean[kept],
        scale[kept],
        tuple(notes),
        encoding,
        kept,
        harmonise,
        components,
    )


def _largest_share(values: Array) -> Array:
    """Share of the most frequent value of each column."""
    return np.array([np.unique(column, return_counts=True)[1].max() / column.size for column in values.T])


def _learn_encoding(training: Predictors, options: ProtocolOptions) -> tuple[_Encoding, list[tuple[str, str]]]:
    missing, absent = _shares(training)
    too_many = f"more than {options.max_missing:.0%} missing in a training part"
    notes = [(training.numeric_names[j], too_many) for j in np.flatnonzero(missing > options.max_missing)]
    notes += [(training.categorical_names[q], too_many) for q in np.flatnonzero(absent > options.max_missing)]
    used = np.flatnonzero(missing <= options.max_missing)
    indicated = used[missing[used] > 0] if options.missing_indicator else used[:0]
    dummies: list[tuple[int, int]] = []
    for q in np.flatnonzero(absent <= options.max_missing):
        counts = np.bincount(training.codes[:, q][training.codes[:, q] >= 0], minlength=len(training.levels[q]))
        reference = int(np.argmax(counts))
        dummies += [
            (int(q), level) for level in range(counts.size) if level != reference and counts[level] >= options.min_level
        ]
    seen = tuple(frozenset(np.unique(training.codes[:, q]).tolist()) for q in range(len(training.levels)))
    return _Encoding(used, _medians(training.numeric[:, used]), indicated, tuple(dummies), seen), notes


def _shares(training: Predictors) -> tuple[Array, Array]:
    """Share of subjects that lack each number and each category, of a partial table among those who have its block."""
    lacking, unnamed = np.isnan(training.numeric), training.codes < 0
    if not training.partial:
        return lacking.mean(axis=0), unnamed.mean(axis=0)
    missing, absent = np.ones(lacking.shape[1]), np.ones(unnamed.shape[1])
    for block in training.blocks:
        here = training.having(block)
        if here.any():
            numeric = np.array([b == block for b in training.numeric_blocks], dtype=bool)
            categorical = np.array([b == block for b in training.categorical_blocks], dtype=bool)
            missing[numeric] = lacking[np.ix_(here, numeric)].mean(axis=0)
            absent[categorical] = unnamed[np.ix_(here, categorical)].mean(axis=0)
    return missing, absent


def _medians(values: Array) -> Array:
    if np.isnan(values).any():
        return np.asarray(np.nanmedian(values, axis=0))
    return np.asarray(np.median(values, axis=0)) if values.size else np.zeros(values.shape[1])
