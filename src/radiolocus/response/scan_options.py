"""How masks become lesions: by command, and in a study."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from radiolocus.errors import ConfigError

__all__ = ["MaskOptions", "ScanOptions"]


@dataclass(frozen=True)
class ScanOptions:
    """How masks become lesions.

    Parameters
    ----------
    gone : {"NE", "absent"}
        What a lesion is whose label a later mask does not have: "absent" where an empty label says that it vanished,
        "NE" where it may not have been drawn.
    unsaid_kind : {"", "target"}
        What a lesion is where nothing says it: "target" takes those of the first scan as targets and those seen later
        as new lesions; default: such a subject is set aside when the table is read.
    tbr_threshold : float
        Tumour-to-background ratio from which a voxel counts as hypoxic, where a scan states its background (mean of
        blood or muscle, in the unit of the image); such a scan gives the hypoxic fraction, and no uptake.
    """

    gone: Literal["NE", "absent"] = "NE"
    unsaid_kind: Literal["", "target"] = ""
    tbr_threshold: float = 1.4

    def __post_init__(self) -> None:
        if not self.tbr_threshold > 0:
            raise ConfigError(f"tbr_threshold = {self.tbr_threshold:g}", allowed="more than 0")
        if self.gone not in ("NE", "absent") or self.unsaid_kind not in ("", "target"):
            raise ConfigError(
                f"gone '{self.gone}', unsaid_kind '{self.unsaid_kind}'", allowed="NE or absent; nothing or target"
            )


@dataclass(frozen=True, kw_only=True)
class MaskOptions(ScanOptions):
    """Lesions measured from the masks of ``[imaging]``.

    Parameters
    ----------
    images : tuple of str
        Images whose masks hold the lesions; default: all that are analysed. An image without `roi` gives every label of
        its masks.
    days : dict of str to float
        Day of every visit by its label; the baseline has day 0.
    visits : str
        Table with the columns subject, visit and day (a number or a date), where days differ between subjects; goes
        before `days`.
    roles : str
        Table with the columns subject, lesion, kind and, where they are known, organ and node.
    """

    images: tuple[str, ...] = ()
    days: dict[str, float] = field(default_factory=dict)
    visits: str = ""
    roles: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.days or self.visits):
            raise ConfigError(
                "days = {}", allowed='the day of every visit, e.g. { baseline = 0, "week 8" = 56 }, or visits, a table'
            )
        if self.days and (0 not in self.days.values() or len(set(self.days.values())) < len(self.days)):
            raise ConfigError(f"days = {self.days}", allowed="the baseline at day 0, every visit on a day of its own")
