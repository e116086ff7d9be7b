"""What predictors were chosen on beforehand, and what they must not predict."""

from __future__ import annotations

from collections.abc import Sequence

from radiolocus.learn.selected import check_selection
from radiolocus.outcome.blocks import Block
from radiolocus.outcome.options import OutcomeOptions

__all__ = ["check_selected_on"]


def check_selected_on(endpoint: str, blocks: dict[str, Block], known: Sequence[str], options: OutcomeOptions) -> None:
    """Refuse to predict an endpoint from what was selected on it.

    Parameters
    ----------
    endpoint : str
    blocks : dict of str to Block
    known : sequence of str
        All endpoints.
    options : OutcomeOptions

    Raises
    ------
    ConfigError
        Such a predictor; a note that names no predictor, or no endpoint.
    """
    predictors = [
        (block.name, name)
        for block in blocks.values()
        for name in (*block.predictors.numeric_names, *block.predictors.categorical_names)
    ]
    check_selection(endpoint, predictors, known, options.selected_on, "outcome")
