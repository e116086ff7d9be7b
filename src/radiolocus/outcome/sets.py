"""Which blocks predict together: each alone, combinations on request, all; and all of whoever lacks some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from radiolocus.errors import ConfigError
from radiolocus.learn.blockwise import Fusion
from radiolocus.learn.models import MODELS, alone, models_for
from radiolocus.learn.preprocess import Predictors, join_predictors
from radiolocus.learn.target import Kind
from radiolocus.model import Array
from radiolocus.outcome.blocks import Block
from radiolocus.registry import suggest

__all__ = ["ALL", "PARTIAL", "is_partial", "models_of", "partial_models", "partial_predictors", "sets_of"]

ALL = "all"
#: What the sets of subjects who lack a block are called, before their strategy.
PARTIAL = "any: "
_PAIRS, _ABSENT = "pairs", "absent"


def sets_of(blocks: Sequence[str], combine: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the sets of blocks by name: each alone, those of `combine`, and all.

    Parameters
    ----------
    blocks : sequence of str
    combine : sequence of str
        Names of blocks with ``+`` between them; ``pairs`` for every two.

    Raises
    ------
    ConfigError
        A block that there is not.
    """
    sets: dict[str, tuple[str, ...]] = {name: (name,) for name in blocks}
    if len(blocks) < 2:
        return sets
    for wish in combine:
        asked = combinations(blocks, 2) if wish == _PAIRS else [tuple(part.strip() for part in wish.split("+"))]
        for members in asked:
            if wish != _PAIRS:
                _check(members, wish, blocks)
            if len(members) < len(blocks):
                inside = tuple(b for b in blocks if b in members)
                sets["+".join(inside)] = inside
    return {**sets, ALL: tuple(blocks)}


def _check(members: Sequence[str], wish: str, blocks: Sequence[str]) -> None:
    for member in members:
        if member not in blocks:
            raise ConfigError(
                f"no block '{member}' in '{wish}'",
                where="outcome.combine",
                allowed=", ".join((*blocks, _PAIRS)),
                todo=suggest(member, list(blocks)) or "the block may have no usable predictor",
            )
    if len(members) < 2 or len(set(members)) < len(members):
        raise ConfigError(f"'{wish}'", where="outcome.combine", allowed="two blocks or more, every one once")


def models_of(kind: Kind, models: Sequence[str], members: Sequence[str]) -> tuple[str, ...]:
    """Models of a set of blocks: with one block alone its base stands for a fusion."""
    wanted = models_for(kind, models)
    if len(members) > 1:
        return wanted
    return tuple(dict.fromkeys(name for name in map(alone, wanted)))


def is_partial(predictors: str) -> bool:
    """Whether a set of predictors is that of subjects who may lack blocks."""
    return predictors.startswith(PARTIAL)


def partial_models(kind: Kind, models: Sequence[str], strategy: str) -> tuple[str, ...]:
    """Models that take a strategy: those that need no imputation drop what is absent, all others are given values."""
    found = []
    for name in models_for(kind, models):
        learner = MODELS[name]
        absences = isinstance(learner, Fusion) and learner.absences
        if absences == (strategy == "dropout"):
            found.append(name)
    return tuple(found)


def partial_predictors(blocks: Mapping[str, Block], subject: Sequence[str], strategy: str) -> Predictors:
    """Predictors of subjects of whom some lack whole blocks; what they lack is missing.

    With the strategy ``indicator`` a column for each block that anybody lacks says who does; these columns are a block
    of their own, ``absent``, of which everything is known.
    """
    parts, lacking = [], dict[str, Array]()
    for block in blocks.values():
        there = np.array([s in block.row for s in subject], dtype=bool)
        rows = np.array([block.row.get(s, 0) for s in subject], dtype=np.intp)
        own = block.predictors.take(rows)
        own.numeric[~there] = np.nan
        own.codes[~there] = -1
        if not there.all():
            lacking[f"{block.name} (absent)"] = (~there).astype(np.float64)
        parts.append(replace(own, partial=True))
    if strategy == "indicator" and lacking:
        nothing = np.zeros((len(subject), 0), dtype=np.int64)
        names = tuple(lacking)
        told = Predictors(
            np.column_stack(list(lacking.values())), names, (_ABSENT,) * len(names), nothing, partial=True
        )
        parts.append(told)
    return join_predictors(parts)
