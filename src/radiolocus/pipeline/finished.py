"""A run that has finished: its settings, subjects, predictors and endpoints, from its artefacts alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from radiolocus.cohort import endpoints_of
from radiolocus.config import Sections, sections_of
from radiolocus.errors import StoreError
from radiolocus.model import Endpoint
from radiolocus.outcome.delta_options import DELTA
from radiolocus.outcome.genetic_options import GENETIC
from radiolocus.outcome.landmark import Landmark
from radiolocus.outcome.options import OutcomeOptions
from radiolocus.pipeline.delta_predictors import delta_block
from radiolocus.pipeline.endpoints import response_endpoints
from radiolocus.pipeline.molecular_predictors import molecular_predictors
from radiolocus.pipeline.phenotypes import phenotypes
from radiolocus.store import read_json, read_table

__all__ = ["FinishedRun", "open_run"]


@dataclass(frozen=True)
class FinishedRun:
    """A folder of results.

    Parameters
    ----------
    root : Path
    name : str
        Of the study.
    settings : dict
        It was run with, as they stand in ``study.json``.
    sections : Sections
        The same, as options.
    clinical : polars.DataFrame
        Table ``cohort/subjects``.
    """

    root: Path
    name: str
    settings: dict[str, Any]
    sections: Sections
    clinical: pl.DataFrame

    @property
    def subjects(self) -> tuple[str, ...]:
        """Subjects of the cohort, in its order."""
        return tuple(self.clinical["subject"].to_list())

    @property
    def outcome(self) -> OutcomeOptions:
        """Section ``[outcome]``; the defaults where the study has none."""
        return self.sections.outcome or OutcomeOptions()

    def endpoints(self) -> dict[str, Endpoint]:
        """Endpoints of the cohort, and those made of response calls, by name."""
        rows = read_table(self.root, "cohort/endpoints")
        found = {} if rows is None else {e.name: e for e in endpoints_of(rows, self.sections.cohort)}
        return found | {endpoint.name: endpoint for endpoint in response_endpoints(self)}

    def predictors(self, endpoints: tuple[str, ...]) -> dict[str, pl.DataFrame]:
        """Tables of predictors by block, as the outcome stage takes them to predict `endpoints`."""
        imaging, _ = phenotypes(self, self.outcome, "outcome", at_baseline=True)
        markers, _ = molecular_predictors(self, endpoints)
        delta, _, _ = delta_block(self, self.outcome, self.clinical)
        genotypes = read_table(self.root, "outcome/genetic") if self.outcome.genetic is not None else None
        frames = {"clinical": self.clinical, "imaging": imaging, "molecular": markers, GENETIC: genotypes, DELTA: delta}
        return {name: frame for name, frame in frames.items() if frame is not None and frame.width > 1}

    def landmark(self) -> Landmark | None:
        """When the block of change was measured; None where the outcome stage has none."""
        return delta_block(self, self.outcome, self.clinical)[1]


def open_run(root: Path | str) -> FinishedRun:
    """Open a folder of results.

    Raises
    ------
    StoreError
        No run, or one without a cohort.
    StudyError
        Settings of another version.
    """
    root = Path(root)
    study, clinical = read_json(root, "study.json"), read_table(root, "cohort/subjects")
    if study is None or clinical is None:
        raise StoreError("no finished run", where=root.name, allowed="a folder that `radiolocus run` wrote")
    settings = study["settings"]
    return FinishedRun(root, study["name"], settings, sections_of(settings, f"{root.name}/study.json"), clinical)
