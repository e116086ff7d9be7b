"""Steps whose tables somebody keeps, so that work that was killed goes on from its last step."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

__all__ = ["Frames", "Recall", "anew"]

Frames = Mapping[str, pl.DataFrame]
#: Takes the name of a step and what makes its tables; gives the tables, made now or kept from an earlier run.
Recall = Callable[[str, Callable[[], Frames]], Frames]


def anew(step: str, make: Callable[[], Frames]) -> Frames:
    """Make the tables of a step and keep nothing."""
    return make()
