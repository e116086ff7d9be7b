"""Section ``[response]`` of the study file: where the lesions are measured, and by which criterion they are read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from radiolocus.errors import ConfigError
from radiolocus.molecular.clones import CloneOptions
from radiolocus.read.lesions import LesionColumns
from radiolocus.response.assess import CRITERION_NAMES
from radiolocus.response.combined import CombinedOptions
from radiolocus.response.criterion import CriteriaOptions
from radiolocus.response.ctdna_rules import CtdnaOptions
from radiolocus.response.delta import DeltaOptions
from radiolocus.response.resistance import ResistanceOptions
from radiolocus.response.scan_options import MaskOptions
from radiolocus.response.study_endpoints import ResponseEndpoint

__all__ = ["CriterionName", "ResponseOptions"]

CriterionName = Literal[
    "recist11", "choi", "eortc", "irecist", "lugano", "mrecist", "pcwg3", "percist", "rano", "volumetric", "who"
]


@dataclass(frozen=True, kw_only=True)
class ResponseOptions(CriteriaOptions):
    """The lesion table and the options of the criterion.

    Parameters
    ----------
    lesions : str
        Table of lesion measurements, one row a lesion and visit; or the file or folder of the SDTM domains TR, TU, RS,
        or of DICOM structured reports (TID 1500). May be left out where `masks`, `ctdna` or `clones` is given.
    masks : MaskOptions or None
        Lesions are measured from the masks of ``[imaging]``, in place of a table.
    columns : LesionColumns
        Names of the columns, sheet and unit, where they differ from the usual.
    criterion : str
        Response criterion of the figures and end points: recist11, choi, eortc, irecist, lugano, mrecist, pcwg3,
        percist, rano, volumetric or who.
    further : tuple of str
        Further criteria, whose calls stand beside it.
    visit_days : float
        Planned days between visits, by which missed visits are told; 0: not known.
    second_reader : str
        A second reader of the lesion table, whose calls are compared with those of `columns.keep_reader`.
    error_mm : float
        Standard deviation of measurement error that is tried on the calls by RECIST 1.1, mm; 0: none.
    treatments : str
        Table of treatments (subject, treatment, start, end and line), for the figures.
    delta : DeltaOptions
        Change between visits, of imaging features and of what the lesions measure.
    ctdna : CtdnaOptions or None
        Circulating tumour DNA.
    clones : CloneOptions or None
        Clones from variants in several samples.
    combined : CombinedOptions
        Imaging and circulating tumour DNA in one call.
    resistance : ResistanceOptions or None
        Classes of resistance and what goes with them.
    endpoints : dict of str to ResponseEndpoint
        Endpoints made of the calls, beside those of ``[cohort.endpoints]``, for every later section; the name alone of
        what one is made of will do.
    """

    lesions: str = ""
    masks: MaskOptions | None = None
    columns: LesionColumns = field(default_factory=LesionColumns)
    criterion: CriterionName = "recist11"
    further: tuple[CriterionName, ...] = ()
    visit_days: float = 0.0
    second_reader: str = ""
    error_mm: float = 0.0
    treatments: str = ""
    delta: DeltaOptions = field(default_factory=DeltaOptions)
    ctdna: CtdnaOptions | None = None
    clones: CloneOptions | None = None
    combined: CombinedOptions = field(default_factory=CombinedOptions)
    resistance: ResistanceOptions | None = None
    endpoints: dict[str, ResponseEndpoint] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.lesions or self.masks or self.ctdna or self.clones):
            raise ConfigError("no lesions", allowed="lesions, a path below [cohort] root; or masks, ctdna, or clones")
        if self.lesions and self.masks:
            raise ConfigError("lesions beside masks", allowed="one of them: a table of lesions, or masks to measure")
        if not (self.lesions or self.masks) and (self.endpoints or self.resistance):
            name = "endpoints" if self.endpoints else "resistance"
            raise ConfigError(f"{name} without lesions", allowed="lesions, from which responses are called")
        for name in (self.criterion, *self.further):
            if name not in CRITERION_NAMES:
                raise ConfigError(f"unknown response criterion '{name}'", allowed=", ".join(CRITERION_NAMES))
        if not self.error_mm >= 0:
            raise ConfigError(f"error_mm = {self.error_mm:g}", allowed="0 or more")
        if self.second_reader and not self.columns.keep_reader:
            raise ConfigError("second_reader without a first", todo="name the first in columns.keep_reader")
        if not self.visit_days >= 0:
            raise ConfigError(f"visit_days = {self.visit_days:g}", allowed="0 or more")

    @property
    def criteria(self) -> tuple[str, ...]:
        """All criteria, each once, the one of the figures first."""
        return tuple(dict.fromkeys((self.criterion, *self.further)))
