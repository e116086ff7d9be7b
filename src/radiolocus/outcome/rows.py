"""What predictors were chosen on beforehand, and what they must not predict."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from radiolocus.errors import ConfigError
from radiolocus.outcome.blocks import Block
from radiolocus.outcome.options import OutcomeOptions
from radiolocus.registry import suggest

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
    for pattern, endpoints in options.selected_on.items():
        where = f"outcome.selected_on.{pattern}"
        for name in endpoints:
            if name not in known:
                raise ConfigError(
                    f"unknown endpoint '{name}'", where=where, allowed=", ".join(known), todo=suggest(name, list(known))
                )
        matched = [
            (block.name, name)
            for block in blocks.values()
            for name in (*block.predictors.numeric_names, *block.predictors.categorical_names)
            if block.name == pattern or fnmatchcase(name, pattern)
        ]
        if not matched:
            raise ConfigError(
                f"'{pattern}' is no predictor, no pattern of predictors and no block",
                where=where,
                allowed=", ".join(blocks),
                todo="a note that matches nothing guards against nothing: mend or remove it",
            )
        if endpoint in endpoints:
            block, name = matched[0]
            raise ConfigError(
                f"'{name}' ({block}; {len(matched)} such) was selected on '{endpoint}' and would predict it",
                where=where,
                allowed="predictors chosen without the endpoint, or inside the folds",
                todo=f"leave '{endpoint}' out of endpoints, leave the predictors out, or give all candidates and use "
                "select = ...",
            )
