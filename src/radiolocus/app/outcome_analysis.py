"""What ``radiolocus outcome`` runs: the part of a study that predicts endpoints, or a study made of tables."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from radiolocus.app.part import run_part
from radiolocus.cohort import CohortOptions, EndpointOptions, IdRules, SubjectTable
from radiolocus.config import Sections, Study, load_outcome, load_study
from radiolocus.errors import ConfigError
from radiolocus.feature.measure import ImagingOptions
from radiolocus.feature.tables import FeatureTable
from radiolocus.molecular.markers import MarkerTable, MolecularOptions
from radiolocus.outcome.options import OutcomeOptions
from radiolocus.pipeline import Finished, Progress, run_study
from radiolocus.store import read_table

__all__ = ["TableOrder", "performance_lines", "run_of_file", "run_of_table", "study_of_table"]

_KEPT = ("imaging", "molecular", "response", "deep", "monitoring")


@dataclass(frozen=True)
class TableOrder:
    """What is asked of a source; all but `source` are of a table of patients, and no study file takes them.

    Parameters
    ----------
    source : Path
        Study file, or table of patients.
    event : str
        Column that tells what happened.
    event_values : tuple of str
        Cells that mean the event; none: 1.
    time : str or None
        Column of the times; None: the endpoint is yes or no.
    unit : str
    clinical : tuple of str
        Columns that predict.
    features, markers : tuple of Path
        Tables of imaging features and of molecular markers, one row a patient.
    ident, extract : str or None
        Column of ids, and the expression whose group is the id.
    settings : Path or None
        TOML file with the keys of ``[outcome]``.
    """

    source: Path
    event: str = ""
    event_values: tuple[str, ...] = ()
    time: str | None = None
    unit: str = ""
    clinical: tuple[str, ...] = ()
    features: tuple[Path, ...] = ()
    markers: tuple[Path, ...] = ()
    ident: str | None = None
    extract: str | None = None
    settings: Path | None = None

    def given(self) -> list[str]:
        """Names of the options that were given."""
        names = {"event_values": "event-value", "ident": "id"}
        return [f"--{names.get(f.name, f.name)}" for f in fields(self)[1:] if getattr(self, f.name)]


def run_of_file(order: TableOrder, out: Path, *, root: Path | None, jobs: int, progress: Progress) -> Finished:
    """Run the sections of a study file that its outcome is made of.

    Genotypes are among them where ``[outcome.genetic]`` or ``[deep]`` predict from them.

    Raises
    ------
    ConfigError
        An option of tables beside a study file; and as :func:`radiolocus.app.part.run_part`.
    """
    if wrong := order.given():
        raise ConfigError(f"{', '.join(wrong)} beside a study file", allowed="these in its sections")
    sections = load_study(order.source, root).sections
    asked = sections.outcome
    genetic = bool((asked and asked.genetic) or (sections.deep and sections.deep.variants))
    kept = (*_KEPT, "genetics") if genetic else _KEPT
    return run_part(order.source, "outcome", kept, out, root=root, jobs=jobs, progress=progress)


def run_of_table(order: TableOrder, out: Path, *, jobs: int, progress: Progress) -> Finished:
    """Run a study made of tables; see :func:`study_of_table`."""
    done = run_study(study_of_table(order), out, jobs=jobs, progress=progress)
    return replace(done, lines=tuple(line for line in done.lines if "did not run: no section" not in line))


def study_of_table(order: TableOrder) -> Study:
    """Make a study of tables: an endpoint, clinical columns, features and markers.

    Raises
    ------
    ConfigError
        Without an event or without predictors, or settings that cannot be followed.
    """
    if not order.event:
        raise ConfigError("a table without --event", allowed="the column that tells what happened; or a study file")
    asked = load_outcome(order.settings) if order.settings else OutcomeOptions()
    if order.clinical:
        asked = replace(asked, clinical=order.clinical)
    if not (asked.clinical or order.features or order.markers):
        raise ConfigError("nothing to predict from", allowed="--clinical, --features or --markers")
    paths = [order.source, *order.features, *order.markers]
    root = Path(os.path.commonpath([p.resolve().parent for p in paths]))

    def below(path: Path) -> str:
        return str(path.resolve().relative_to(root))

    single = len(order.features) == 1
    tables = tuple(FeatureTable("image" if single else f.stem, below(f)) for f in order.features)
    endpoint = EndpointOptions(
        "survival" if order.time else "binary",
        order.event,
        event_values=order.event_values or None,
        time=order.time,
        unit=order.unit,
    )
    cohort = CohortOptions(
        name=f"Outcome, {order.source.stem}",
        id=order.ident,
        subjects=(SubjectTable(below(order.source)),),
        ids=IdRules(extract=order.extract),
        endpoints={order.event: endpoint},
    )
    sections = Sections(
        cohort,
        ImagingOptions(tables=tables) if tables else None,
        molecular=MolecularOptions(markers=tuple(MarkerTable(below(m)) for m in order.markers))
        if order.markers
        else None,
        outcome=asked,
    )
    return Study(cohort.name or "", root, sections)


def performance_lines(root: Path) -> list[str]:
    """What was reached out of fold, a line for each endpoint, set of predictors and model."""
    found = read_table(root, "outcome/performance")
    return [] if found is None else [_line(row) for row in found.iter_rows(named=True)]


def _line(row: dict[str, Any]) -> str:
    numbers = [row[name] for name in ("estimate", "lower", "upper")]
    shown = "none" if numbers[0] is None else f"{numbers[0]:.2f}"
    if None not in numbers:
        shown += f" ({numbers[1]:.2f} to {numbers[2]:.2f})"
    split = "" if row["split"] in ("kfold", "site", "temporal") else f", {row['split']}"
    return (
        f"{row['endpoint']}, {row['predictors']}, {row['model']}{split}: {row['metric']} {shown}; "
        f"{row['n']} subjects, {row['events']} events"
    )
