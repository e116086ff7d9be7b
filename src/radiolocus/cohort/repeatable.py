"""Which imaging phenotypes are measured well enough to be analysed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from radiolocus.errors import ConfigError

__all__ = ["IccDemand", "repeatable"]


@dataclass(frozen=True, kw_only=True)
class IccDemand:
    """What a stage demands of the repeatability of imaging features.

    Parameters
    ----------
    icc_min : float or None
        Only features whose ICC(1,1) reaches this are analysed, in every source that there is (perturbation, retest);
        needs ``[imaging.perturb]`` or ``[imaging.retest]``. None: no demand.
    icc_by : {"lower", "estimate"}
        What must reach `icc_min`: the lower end of the 95 % interval, or the estimate.
    """

    icc_min: float | None = None
    icc_by: Literal["lower", "estimate"] = "lower"

    def check_icc(self, where: str) -> None:
        """Refuse a demand that cannot be met or read."""
        if self.icc_min is not None and not 0.0 < self.icc_min < 1.0:
            raise ConfigError(f"icc_min = {self.icc_min}", where=where, allowed="between 0 and 1, both excluded")
        if self.icc_by not in ("lower", "estimate"):
            raise ConfigError(f"icc_by = '{self.icc_by}'", where=where, allowed="lower, estimate")


def repeatable(names: pl.DataFrame, table: pl.DataFrame, demand: IccDemand) -> tuple[list[str], dict[str, str]]:
    """Divide phenotypes into those whose repeatability suffices and the others.

    Parameters
    ----------
    names : polars.DataFrame
        What each phenotype is, as :func:`radiolocus.cohort.phenotype_matrix` tells it.
    table : polars.DataFrame
        Table ``features/repeatability``. Rows of the visit of a phenotype count or, where there are none, those of
        the same image, region and feature at any visit.
    demand : IccDemand
        With an `icc_min`.

    Returns
    -------
    kept : list of str
    dropped : dict of str to str
        Phenotype to the reason.
    """
    least = demand.icc_min or 0.0
    column = "icc_1_1_lower" if demand.icc_by == "lower" else "icc_1_1"
    what = "lower end of the interval of ICC(1,1)" if demand.icc_by == "lower" else "ICC(1,1)"
    known: dict[tuple[str, str, str], dict[str, list[tuple[str, float | None]]]] = {}
    for image, roi, visit, feature, source, value in table.select(
        "image", "roi", "visit", "feature", "source", column
    ).iter_rows():
        known.setdefault((image, roi, feature), {}).setdefault(visit, []).append((source, value))
    kept, dropped = [], {}
    for name, image, visit, roi, feature in names.iter_rows():
        found = known.get((image, roi, feature), {})
        rows = found.get(visit) or [row for part in found.values() for row in part]
        low = sorted(source for source, value in rows if value is not None and value < least)
        none = sorted(source for source, value in rows if value is None)
        if low:
            dropped[name] = f"{what} below {least:g} ({', '.join(dict.fromkeys(low))})"
        elif none or not rows:
            dropped[name] = f"no ICC to compare with {least:g}" + (
                f" ({', '.join(dict.fromkeys(none))})" if none else ""
            )
        else:
            kept.append(name)
    return kept, dropped
