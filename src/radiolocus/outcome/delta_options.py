"""Section ``[outcome.delta]`` of the study file: change between visits as predictors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from radiolocus.errors import ConfigError

__all__ = ["DELTA", "DeltaBlock"]

#: Name of the block of change between visits.
DELTA = "delta"


@dataclass(frozen=True, kw_only=True)
class DeltaBlock:
    """Change from baseline to one visit as a block of predictors.

    Parameters
    ----------
    visit : str
        Label of the visit, as images and lesion table have it.
    change : {"relative", "absolute", "log_ratio", "slope", "area"}
        How change is measured.
    measures : tuple of str
        Names or patterns (``*``) of features and functional measures; default: all.
    ctdna : bool
        The change of circulating tumour DNA up to the visit is one of them.
    beyond_noise : bool
        Only what changes by more than its repeatability coefficient in more subjects than noise alone explains.
    baseline : str
        Clinical column of the time from time zero of the endpoints of the cohort to the baseline scan, in the unit of
        the endpoint; default: they are the same moment. Endpoints made of response calls count from the scan anyway.
    """

    visit: str
    change: Literal["relative", "absolute", "log_ratio", "slope", "area"] = "relative"
    measures: tuple[str, ...] = ()
    ctdna: bool = True
    beyond_noise: bool = False
    baseline: str = ""

    def __post_init__(self) -> None:
        if not self.visit:
            raise ConfigError("visit is empty", where="outcome.delta", allowed="label of a visit after baseline")
        if self.change not in ("relative", "absolute", "log_ratio", "slope", "area"):
            raise ConfigError(
                f"change = '{self.change}'", where="outcome.delta", allowed="relative, absolute, log_ratio, slope, area"
            )
