"""Section ``[early]`` of the study file: features of several visits, and what is predicted from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from radiolocus.errors import ConfigError
from radiolocus.learn.models import check_models
from radiolocus.learn.options import ProtocolOptions

__all__ = ["EarlyOptions"]


@dataclass(frozen=True, kw_only=True)
class EarlyOptions(ProtocolOptions):
    """Baseline against early prediction: the same patients, folds and models from either, and from both.

    Parameters
    ----------
    table : str
        Table of features, one row a subject and visit.
    id : str or None
        Column of subject ids; the first one by default.
    sheet : str or None
        Sheet of a workbook.
    visit_order : {"column", "row"}
        How the order of a subject's visits is told: by a column, or by the order of the rows, where the table does not
        say it and somebody knows that they stand in time.
    visit : str
        Column whose numbers or dates rise from visit to visit, for ``visit_order = "column"``.
    early_visit : int
        Which visit is the early one; 1 is baseline.
    day : str
        Column of the days since baseline, by which the lead of the early call over that of the criterion is told.
    features : tuple of str
        Columns, or patterns of columns; every column of numbers by default.
    drop : tuple of str
        Columns or patterns that are no features; PyRadiomics' ``diagnostics_*`` never are.
    sets : dict of str to tuple of str
        Name to features or patterns of them that are also judged on their own, on the same folds: whether the early
        change in volume tells as much as all features do.
    change : {"relative", "log_ratio", "absolute"}
        Change from baseline: (x − x₀) / ∣x₀∣, log(x / x₀) or x − x₀.
    endpoints : tuple of str
        Endpoints to predict; default: every endpoint of the cohort.
    clinical : tuple of str
        Clinical columns known at baseline, that the features are added to.
    favourable : tuple of str
        Endpoints that are good, such as a complete response: who is predicted not to have them is called a
        progression. Responses and benefits of ``[response.endpoints]`` are; of every other endpoint the event is bad.
    selected_on : dict of str to tuple of str
        Feature, clinical column or pattern (``*``) to the endpoints that it was selected on beforehand. Predicting one
        of those from it is an error.
    """

    table: str
    id: str | None = None
    sheet: str | None = None
    visit_order: Literal["column", "row"] = "column"
    visit: str = ""
    early_visit: int = 2
    day: str = ""
    features: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    sets: dict[str, tuple[str, ...]] = field(default_factory=dict)
    change: Literal["relative", "log_ratio", "absolute"] = "relative"
    endpoints: tuple[str, ...] = ()
    clinical: tuple[str, ...] = ()
    favourable: tuple[str, ...] = ()
    selected_on: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_models(self.models, "early.models")
        if not self.table:
            raise ConfigError("table is empty", where="early", allowed="a path below [cohort] root")
        if self.visit_order not in ("column", "row"):
            raise ConfigError(f"visit_order = {self.visit_order}", where="early", allowed="column, row")
        if self.change not in ("relative", "log_ratio", "absolute"):
            raise ConfigError(f"change = {self.change}", where="early", allowed="relative, log_ratio, absolute")
        if (self.visit_order == "column") != bool(self.visit):
            raise ConfigError(
                f"visit_order = {self.visit_order} {'with' if self.visit else 'without'} visit",
                where="early",
                allowed='visit = the column that orders the visits, or visit_order = "row" and no column',
            )
        if self.early_visit < 2:
            raise ConfigError(f"early_visit = {self.early_visit}", where="early", allowed="at least 2: 1 is baseline")
        for name, patterns in self.sets.items():
            if not name.strip() or not patterns:
                raise ConfigError(
                    f"sets = {{ '{name}' = {list(patterns)} }}", where="early.sets", allowed="a name and its features"
                )
        if self.split != "kfold":
            raise ConfigError(f"split = {self.split}", where="early", allowed="kfold")
