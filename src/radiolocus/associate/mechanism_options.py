"""What ``[mechanism]`` of the study file says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from radiolocus.errors import ConfigError

__all__ = ["MechanismOptions"]


@dataclass(frozen=True)
class MechanismOptions:
    """Which findings become edges of the graph, and which paths through it are split.

    Parameters
    ----------
    max_q : float
        Findings with a larger false discovery rate are no edges.
    exposures : tuple of str
        Markers or variant ids from which paths begin; default: the markers with an edge to a feature.
    mediators : tuple of str
        Features that paths go through; default: those with an edge to the exposure.
    endpoints : tuple of str
        Where paths end; default: every endpoint of the cohort.
    covariates : tuple of str
        Clinical columns that both models of a path hold; text columns become one indicator per value but the first.
    pairs : int
        At most so many pairs of exposure and mediator are split, the strongest pair of every exposure first.
    interval : {"percentile", "bca"}
        Of the bootstrap.
    draws, seed : int
        Of the bootstrap.
    """

    max_q: float = 0.05
    exposures: tuple[str, ...] = ()
    mediators: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ()
    pairs: int = 10
    interval: Literal["percentile", "bca"] = "percentile"
    draws: int = 1000
    seed: int = 1

    def __post_init__(self) -> None:
        if not 0.0 < self.max_q <= 1.0:
            raise ConfigError(f"max_q = {self.max_q}", where="mechanism", allowed="above 0 and at most 1")
        for name, least in (("pairs", 0), ("draws", 100), ("seed", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} = {getattr(self, name)}", where="mechanism", allowed=f"at least {least}")
        if self.interval not in ("percentile", "bca"):
            raise ConfigError(f"interval = '{self.interval}'", where="mechanism", allowed="percentile, bca")
        for name in ("exposures", "mediators", "endpoints", "covariates"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ConfigError(f"{name} = {list(values)}", where="mechanism", allowed="every name once")
