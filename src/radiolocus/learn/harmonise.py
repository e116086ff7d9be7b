"""Differences between sites learned in a training part and taken out of anybody: ComBat inside the fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import FitError
from radiolocus.model import Array, BoolArray
from radiolocus.schema import CONTROL
from radiolocus.stats.combat import Combat, fit_combat

__all__ = ["Harmonise", "fit_harmonise"]

# A batch of fewer training subjects has next to no variance of its own.
_FEWEST = 3
_BLOCK = "imaging"


@dataclass(frozen=True, eq=False)
class Harmonise:
    """ComBat as a training part taught it.

    Parameters
    ----------
    combat : Combat
    columns : ndarray of int
        Numeric predictors that it changes.
    middle : ndarray, shape (k,)
        Training median of each kept covariate, for subjects that lack it.
    """

    combat: Combat
    columns: npt.NDArray[np.intp]
    middle: Array

    def apply(self, numeric: Array, batch: npt.NDArray[np.str_], keep: Array | None) -> Array:
        """Take the batch effects out; a subject of a batch that training did not teach stays as it is."""
        known = np.isin(batch, self.combat.batches)
        out = numeric.copy()
        if known.any():
            covariates = _filled(keep, self.middle, batch.size)[known]
            place = np.ix_(known, self.columns)
            out[place] = self.combat.apply(numeric[place], batch[known], covariates)
        return out

    def unseen(self, batch: npt.NDArray[np.str_]) -> list[str]:
        """Batches that training did not teach."""
        return sorted({str(name) for name in batch[~np.isin(batch, self.combat.batches)]})


def fit_harmonise(
    numeric: Array, blocks: tuple[str, ...], batch: npt.NDArray[np.str_], keep: Array | None
) -> tuple[Harmonise | None, list[tuple[str, str]]]:
    """Learn batch effects of the imaging predictors of a training part.

    Parameters
    ----------
    numeric : ndarray, shape (n, p)
    blocks : tuple of str
        Block of each column: those of ``imaging`` and of its negative controls are harmonised.
    batch : ndarray of str, shape (n,)
        Empty where unknown: such a subject is left as it is.
    keep : ndarray, shape (n, k), or None
        Covariates whose differences between batches are real and stay.

    Returns
    -------
    Harmonise or None
        None where there is nothing to learn.
    list of (str, str)
        Batch (or the empty string) and what happened to it.
    """
    columns = np.array([j for j, b in enumerate(blocks) if b == _BLOCK or b.startswith(CONTROL)], dtype=np.intp)
    if columns.size == 0:
        return None, []
    names, count = np.unique(batch[batch != ""], return_counts=True)
    notes = [
        (str(name), f"batch of {n} training subjects (fewer than {_FEWEST}) is not harmonised")
        for name, n in zip(names, count, strict=True)
        if n < _FEWEST
    ]
    usable = np.isin(batch, names[count >= _FEWEST])
    middle = _middle(keep)
    varying = _varying(numeric[np.ix_(usable, columns)])
    columns = columns[varying]
    if (count >= _FEWEST).sum() < 2 or columns.size == 0:
        return None, [*notes, ("", "fewer than two batches in a training part: nothing is harmonised")]
    try:
        covariates = _filled(keep, middle, batch.size)[usable]
        combat = fit_combat(numeric[np.ix_(usable, columns)], batch[usable], covariates)
    except FitError as error:
        return None, [*notes, ("", f"nothing is harmonised in a training part: {error.got}")]
    return Harmonise(combat, columns, middle), notes


def _varying(values: Array) -> BoolArray:
    """Columns with two different values."""
    there = np.isfinite(values)
    low = np.where(there, values, np.inf).min(axis=0, initial=np.inf)
    high = np.where(there, values, -np.inf).max(axis=0, initial=-np.inf)
    return np.asarray(low < high)


def _middle(keep: Array | None) -> Array:
    if keep is None:
        return np.zeros(0)
    known = np.isfinite(keep).any(axis=0)
    middle = np.zeros(keep.shape[1])
    middle[known] = np.nanmedian(keep[:, known], axis=0)
    return middle


def _filled(keep: Array | None, middle: Array, n: int) -> Array:
    return np.zeros((n, 0)) if keep is None else np.where(np.isfinite(keep), keep, middle)
