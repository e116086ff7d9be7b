"""The sections of the study file, and what is said of mistakes in it."""

from __future__ import annotations

from dataclasses import dataclass

from radiolocus.associate.genetics_options import GeneticsOptions
from radiolocus.associate.genotyping_options import GenotypingOptions
from radiolocus.associate.link_options import LinkOptions
from radiolocus.associate.mechanism_options import MechanismOptions
from radiolocus.cohort import CohortOptions
from radiolocus.errors import ConfigError
from radiolocus.feature.measure import ImagingOptions
from radiolocus.learn.deep_options import DeepOptions
from radiolocus.molecular.markers import MolecularOptions
from radiolocus.outcome.monitoring_options import MonitoringOptions
from radiolocus.outcome.options import OutcomeOptions
from radiolocus.response.benefit_options import BenefitOptions
from radiolocus.response.early_options import EarlyOptions
from radiolocus.response.options import ResponseOptions

__all__ = ["Mistake", "Sections", "StudyError"]


@dataclass(frozen=True)
class Sections:
    """The study file.

    Parameters
    ----------
    cohort : CohortOptions
        Who is in the study, and what happened to them.
    imaging : ImagingOptions or None
        Images, masks and features.
    genetics : GeneticsOptions or None
        Germline genotypes and the scan.
    molecular : MolecularOptions or None
        Tumour mutations, expression and markers.
    link : LinkOptions or None
        Imaging features × molecular markers.
    genotyping : GenotypingOptions or None
        Prediction of molecular markers from the image.
    outcome : OutcomeOptions or None
        Prediction of endpoints.
    response : ResponseOptions or None
        Response criteria from lesion measurements.
    deep : DeepOptions or None
        Networks that learn from crops of the images and from genomic input; needs PyTorch.
    monitoring : MonitoringOptions or None
        Risk estimated anew after each scan.
    early : EarlyOptions or None
        Prediction from the first scan on treatment, against that from baseline.
    benefit : BenefitOptions or None
        Choice of therapy: who benefits from which treatment.
    mechanism : MechanismOptions or None
        Graph of markers, features and outcomes, and mediated effects.
    """

    cohort: CohortOptions
    imaging: ImagingOptions | None = None
    genetics: GeneticsOptions | None = None
    molecular: MolecularOptions | None = None
    link: LinkOptions | None = None
    genotyping: GenotypingOptions | None = None
    outcome: OutcomeOptions | None = None
    response: ResponseOptions | None = None
    deep: DeepOptions | None = None
    monitoring: MonitoringOptions | None = None
    early: EarlyOptions | None = None
    benefit: BenefitOptions | None = None
    mechanism: MechanismOptions | None = None


@dataclass(frozen=True)
class Mistake:
    """One thing wrong: where (path in the study file, or file, row, column) and what."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class StudyError(ConfigError):
    """All mistakes of a study file."""

    def __init__(self, file: str, mistakes: tuple[Mistake, ...]) -> None:
        self.mistakes = mistakes
        count = f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}"
        super().__init__(f"{count}\n" + "\n".join(f"  {m}" for m in mistakes), where=file)

    def __reduce__(self) -> tuple[object, ...]:
        return StudyError, (self.where, self.mistakes)
