"""The columns of several blocks, each block prepared by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from radiolocus.learn.preprocess import Predictors
from radiolocus.model import Array

__all__ = ["Joined", "Preparation"]


class Preparation(Protocol):
    """What a fitted model needs of its columns; see :class:`radiolocus.learn.preprocess.Preprocess`."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""

    @property
    def blocks(self) -> tuple[str, ...]:
        """Block of each column."""

    @property
    def mean(self) -> Array:
        """Of each column in the training part."""

    @property
    def scale(self) -> Array:
        """Standard deviation of each column in the training part."""

    @property
    def notes(self) -> tuple[tuple[str, str], ...]:
        """Predictor left out, and why."""

    @property
    def harmonises(self) -> bool:
        """Differences between batches are taken out first."""

    def apply(self, predictors: Predictors) -> Array:
        """Return the standardised columns, shape (n, m)."""

    def described(self, training: Predictors) -> list[dict[str, Any]]:
        """Say what each column is made of."""

    def unseen(self, predictors: Predictors) -> list[tuple[str, str]]:
        """Name the categories that the training part did not hold."""

    def unharmonised(self, predictors: Predictors) -> list[str]:
        """Name the batches that the training part did not teach."""


@dataclass(frozen=True, eq=False)
class Joined:
    """Columns of several blocks side by side.

    Parameters
    ----------
    parts : mapping of str to Preparation
        By block.
    absent : bool
        Columns of a block of which nothing is known of a subject stay missing (NaN); else they are imputed.
    """

    parts: Mapping[str, Preparation]
    absent: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, block after block."""
        return tuple(name for part in self.parts.values() for name in part.columns)

    @property
    def blocks(self) -> tuple[str, ...]:
        """Block of each column."""
        return tuple(block for block, part in self.parts.items() for _ in part.columns)

    @property
    def mean(self) -> Array:
        """Of each column in the training part."""
        return np.concatenate([part.mean for part in self.parts.values()])

    @property
    def scale(self) -> Array:
        """Standard deviation of each column in the training part."""
        return np.concatenate([part.scale for part in self.parts.values()])

    @property
    def notes(self) -> tuple[tuple[str, str], ...]:
        """Predictor left out, and why."""
        return tuple(note for part in self.parts.values() for note in part.notes)

    @property
    def harmonises(self) -> bool:
        """Differences between batches are taken out first."""
        return any(part.harmonises for part in self.parts.values())

    def apply(self, predictors: Predictors) -> Array:
        """Return the standardised columns, shape (n, m)."""
        found = []
        for block, part in self.parts.items():
            values = part.apply(predictors.of_block(block))
            if self.absent:
                values[~predictors.having(block)] = np.nan
            found.append(values)
        return np.hstack(found)

    def described(self, training: Predictors) -> list[dict[str, Any]]:
        """Say what each column is made of."""
        return [row for block, part in self.parts.items() for row in part.described(training.of_block(block))]

    def unseen(self, predictors: Predictors) -> list[tuple[str, str]]:
        """Name the categories that the training part did not hold."""
        return [row for block, part in self.parts.items() for row in part.unseen(predictors.of_block(block))]

    def unharmonised(self, predictors: Predictors) -> list[str]:
        """Name the batches that the training part did not teach."""
        told = [b for block, part in self.parts.items() for b in part.unharmonised(predictors.of_block(block))]
        return list(dict.fromkeys(told))
