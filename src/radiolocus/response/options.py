"""Section ``[response]`` of the study file: where the lesions are measured, and by which criterion they are read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from radiolocus.errors import ConfigError
from radiolocus.read.lesions import LesionColumns
from radiolocus.response.recist11 import Recist11Options

__all__ = ["ResponseOptions"]


@dataclass(frozen=True, kw_only=True)
class ResponseOptions(Recist11Options):
    """The lesion table and the options of the criterion.

    Parameters
    ----------
    lesions : str
        Table of lesion measurements, one row a lesion and visit.
    columns : LesionColumns
        Names of the columns, sheet and unit, where they differ from the usual.
    criterion : {"recist11"}
        Response criterion.
    """

    lesions: str
    columns: LesionColumns = field(default_factory=LesionColumns)
    criterion: Literal["recist11"] = "recist11"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.lesions:
            raise ConfigError("lesions is empty", allowed="a path below [cohort] root")
