"""What predictors were chosen on beforehand, and what they must not predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from radiolocus.errors import ConfigError
from radiolocus.registry import suggest

__all__ = ["check_selection"]


def check_selection(
    endpoint: str,
    predictors: Sequence[tuple[str, str]],
    known: Sequence[str],
    selected_on: Mapping[str, Sequence[str]],
    section: str,
) -> None:
    """Refuse to predict an endpoint from what was selected on it.

    Parameters
    ----------
    endpoint : str
    predictors : sequence of (str, str)
        Block and name of every predictor.
    known : sequence of str
        All endpoints.
    selected_on : mapping of str to sequence of str
        Predictor, pattern of predictors (``*``) or block to the endpoints it was selected on.
    section : str
        Section of the study file that says so.

    Raises
    ------
    ConfigError
        Such a predictor; a note that names no predictor, or no endpoint.
    """
    for pattern, endpoints in selected_on.items():
        where = f"{section}.selected_on.{pattern}"
        for name in endpoints:
            if name not in known:
                raise ConfigError(
                    f"unknown endpoint '{name}'", where=where, allowed=", ".join(known), todo=suggest(name, list(known))
                )
        matched = [(block, name) for block, name in predictors if block == pattern or fnmatchcase(name, pattern)]
        if not matched:
            raise ConfigError(
                f"'{pattern}' is no predictor, no pattern of predictors and no block",
                where=where,
                allowed=", ".join(dict.fromkeys(block for block, _ in predictors)),
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
