"""How a DICOM image is read where its headers leave a choice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from radiolocus.errors import ConfigError

__all__ = ["ReadOptions", "SuvKind"]

SuvKind = Literal["bw", "lbm", "lbm_james", "bsa"]


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """Choices that the reader of DICOM images leaves to the study.

    Parameters
    ----------
    suv : {"bw", "lbm", "lbm_james", "bsa"}
        What the uptake in PET is divided by: body weight, lean body mass after Janmahasatian or after James, or body
        surface area after Du Bois.
    gantry : {"refuse", "correct"}
        What happens to CT acquired with a tilted gantry: refused, or resampled slice by slice to an upright grid.
    series : str
        Which series of a folder that holds several: its Series Instance UID, or the last digits of it.
    select : dict of str to str, int or float
        Which slices or frames of a series that holds several images: DICOM attributes and the value each must have,
        e.g. ``DiffusionBValue = 1000``.
    """

    suv: SuvKind = "bw"
    gantry: Literal["refuse", "correct"] = "refuse"
    series: str = ""
    select: dict[str, str | int | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("suv", self.suv, ("bw", "lbm", "lbm_james", "bsa")),
            ("gantry", self.gantry, ("refuse", "correct")),
        ):
            if value not in allowed:
                raise ConfigError(f"{name} = '{value}'", allowed=", ".join(f"'{a}'" for a in allowed))
        for name in self.select:
            if not name.isidentifier() or not name[0].isupper():
                raise ConfigError(
                    f"select names '{name}'",
                    allowed="keywords of DICOM attributes",
                    todo="write it as DICOM does, e.g. EchoTime, DiffusionBValue, TemporalPositionIndex, StackID",
                )
