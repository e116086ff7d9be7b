"""Section ``[monitoring]`` of the study file: a patient's risk, estimated anew after each scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from radiolocus.cohort.dated import DAYS
from radiolocus.errors import ConfigError

__all__ = ["SIZE", "MonitoringOptions"]

#: Name of the marker that ``source = "response"`` follows.
SIZE = "size"


@dataclass(frozen=True, kw_only=True)
class MonitoringOptions:
    """Landmark models of an endpoint: from what was seen up to a time, the risk of the event in a window after it.

    Parameters
    ----------
    window : float
        Length of the window ahead, in the unit of the endpoint: what a risk is the risk of.
    markers : tuple of str
        Columns of measurements that are followed; of ``source = "imaging"``, features as ``image:feature``; none with
        ``source = "response"``, which follows the quantity of its criterion as ``size``.
    source : {"table", "imaging", "response"}
        Where the measurements are: in a table, one row a subject and visit; among the imaging features of the study,
        whose visits the table dates; or in the response of the study, by its first criterion.
    table : str
        Table of visits, below the root of the study.
    id : str or None
        Column of subject ids; the first one by default.
    sheet : str or None
        Sheet of a workbook.
    time : str
        Column of the table: time since time zero of the endpoint, or a date where `origin` is given.
    time_unit : {"", "days", "weeks", "months", "years"}
        Unit of that column; as the endpoint's when empty.
    origin : str
        Clinical column with the date of time zero, when `time` holds dates.
    visit : str
        Column that labels visits: of ``source = "imaging"`` the visit of the features; elsewhere numbers that must
        rise with time.
    unit : str
        Column with the unit of the measurements: subjects in another than the most frequent one are set aside.
    log : tuple of str
        Markers that are followed on the logarithmic scale: sizes and volumes, whose growth is then a rate.
    clinical : tuple of str
        Clinical columns known at time zero, given to every model.
    endpoints : tuple of str
        Survival endpoints to predict; default: every survival endpoint of the cohort.
    landmarks : tuple of float
        Times at which risk is estimated and judged; default: steps of half a window from zero, while there are enough
        events in the window.
    varying : bool
        Let the effects of predictors change linearly with the landmark.
    min_events : int
        Landmarks with fewer events in the window, or fewer subjects still followed at its end, are left out.
    repeats : int
        Repetitions of the cross-validation, each with other folds.
    folds : int
        Folds, by subject.
    seed : int
        Of folds, bootstrap and permutations.
    bootstrap : int
        Bootstrap draws of subjects for each interval of performance.
    draws : int
        Models fitted to bootstrap samples of each training part, for the interval of each subject's risk.
    permutations : int
        Runs of the whole on outcomes that changed places between subjects, by which the audit looks for leaks.
    """

    window: float
    markers: tuple[str, ...] = ()
    source: Literal["table", "imaging", "response"] = "table"
    table: str = ""
    id: str | None = None
    sheet: str | None = None
    time: str = ""
    time_unit: Literal["", "days", "weeks", "months", "years"] = ""
    origin: str = ""
    visit: str = ""
    unit: str = ""
    log: tuple[str, ...] = ()
    clinical: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    landmarks: tuple[float, ...] = ()
    varying: bool = False
    min_events: int = 10
    repeats: int = 5
    folds: int = 5
    seed: int = 1
    bootstrap: int = 1000
    draws: int = 30
    permutations: int = 5

    def __post_init__(self) -> None:
        least = {"min_events": 1, "repeats": 1, "folds": 2, "seed": 0, "bootstrap": 2, "draws": 2, "permutations": 0}
        for name, value in least.items():
            if getattr(self, name) < value:
                _refuse(f"{name} = {getattr(self, name)}", f"at least {value}")
        if not 0.0 < self.window < float("inf"):
            _refuse(f"window = {self.window:g}", "a positive length of time, in the unit of the endpoint")
        if any(not 0.0 <= s < float("inf") for s in self.landmarks) or _twice(self.landmarks):
            _refuse(f"landmarks = {list(self.landmarks)}", "times from zero on, every one once")
        if self.time_unit and self.time_unit not in DAYS:
            _refuse(f"time_unit = {self.time_unit}", ", ".join(DAYS))
        for name in ("markers", "log", "clinical", "endpoints"):
            if _twice(getattr(self, name)):
                _refuse(f"{name} = {list(getattr(self, name))}", "every name once")
        self._check_source()

    def _check_source(self) -> None:
        if self.source not in ("table", "imaging", "response"):
            _refuse(f"source = {self.source}", "table, imaging, response")
        if self.source == "response":
            given = [n for n in ("table", "time", "visit", "unit", "origin", "markers") if getattr(self, n)]
            if given:
                _refuse(f"{given[0]} with source = response", "none: visits and sizes are those of [response]")
            self._check_log((SIZE,))
            return
        needed = ("table", "time", "markers") + (("visit",) if self.source == "imaging" else ())
        absent = [name for name in needed if not getattr(self, name)]
        if absent:
            _refuse(f"{absent[0]} is empty", f"with source = {self.source}: {', '.join(needed)}")
        self._check_log(self.markers)
        if self.origin and self.time_unit:
            _refuse("time_unit with origin", "one of them: dates are counted in days")

    def _check_log(self, markers: tuple[str, ...]) -> None:
        if unknown := [name for name in self.log if name not in markers]:
            _refuse(f"log = {list(self.log)}: '{unknown[0]}' is no marker", f"of markers: {', '.join(markers)}")


def _twice(values: tuple[object, ...]) -> bool:
    return len(set(values)) < len(values)


def _refuse(got: str, allowed: str) -> None:
    raise ConfigError(got, where="monitoring", allowed=allowed)
