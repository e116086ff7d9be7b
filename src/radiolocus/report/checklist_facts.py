"""What a checklist asks of a run: its artefacts, the answer to an item, and the registry of rules.

A rule is a function of the artefacts; those of data and images stand in :mod:`.checklist_images`, those of models in
:mod:`.checklist_models`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import polars as pl

from radiolocus.report.source import Artefacts
from radiolocus.schema import CONTROL

__all__ = ["RULES", "Answer", "Facts", "Status", "judged", "listed", "rule"]

Status = Literal["reported", "partly", "not done", "not applicable", "open"]


@dataclass(frozen=True)
class Answer:
    """What is known of an item.

    Parameters
    ----------
    status : str
    known : str
    least, most : float, optional
        Points, where the status does not say them.
    """

    status: Status
    known: str = ""
    least: float | None = None
    most: float | None = None


class Facts:
    """Artefacts of a run, as the rules ask for them."""

    def __init__(self, art: Artefacts) -> None:
        self.art = art

    @cached_property
    def performance(self) -> pl.DataFrame | None:
        """Out-of-fold performance without negative controls."""
        frame = self.art.table("outcome/performance")
        return None if frame is None else frame.filter(~pl.col("predictors").str.starts_with(CONTROL))

    @cached_property
    def sets(self) -> list[str]:
        """Sets of predictors that were judged."""
        return [] if self.performance is None else self.performance["predictors"].unique(maintain_order=True).to_list()

    @cached_property
    def steps(self) -> dict[str, str]:
        """Steps of the protocol, those of several models joined."""
        frame = self.art.table("outcome/protocol")
        found: dict[str, list[str]] = {}
        for row in frame.iter_rows(named=True) if frame is not None else ():
            if row["how"] not in found.setdefault(row["step"], []):
                found[row["step"]].append(row["how"])
        return {step: "; ".join(how) for step, how in found.items()}

    @cached_property
    def images(self) -> list[dict[str, Any]]:
        """Images of the study file that are analysed."""
        asked = self.art.setting("imaging", "images") or []
        return [image for image in asked if image.get("analyse", True)]

    def setting(self, *keys: str) -> Any:
        """Value in the settings of the study file, or None."""
        return self.art.setting(*keys)

    def image_settings(self, key: str) -> list[str]:
        """One setting of every analysed image that has its own or shares the common one."""
        common = self.setting("imaging", "settings") or {}
        return [
            f"{image['name']}: {value}"
            for image in self.images
            if (value := (image.get("settings") or {}).get(key, common.get(key))) not in (None, [], "")
        ]

    def metrics(self) -> list[str]:
        """Measures of performance that were taken."""
        frames = (self.performance, self.art.table("outcome/horizons"), self.art.table("outcome/evaluation"))
        names = [n for f in frames if f is not None for n in f["metric"].unique(maintain_order=True).to_list()]
        return list(dict.fromkeys(names))


Rule = Callable[[Facts], Answer | None]
RULES: dict[str, Rule] = {}


def rule(function: Rule) -> Rule:
    """Register a rule under the name of its function."""
    RULES[function.__name__.strip("_")] = function
    return function


def listed(values: Iterable[object]) -> str:
    """Join values by commas."""
    return ", ".join(str(v) for v in values)


def judged(facts: Facts, status: Status, known: str) -> Answer | None:
    """Answer where models were judged; open otherwise."""
    return Answer(status, known) if facts.performance is not None else None
