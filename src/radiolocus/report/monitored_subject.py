"""One subject's risk scan by scan, as a figure and as lines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radiolocus.errors import ConfigError, StoreError
from radiolocus.registry import suggest
from radiolocus.report.blocks import Block
from radiolocus.report.card import file_name
from radiolocus.report.drawing import Drawn
from radiolocus.report.figures_monitoring import Course, course_of, courses
from radiolocus.report.numbers import interval
from radiolocus.report.sections_monitoring import endpoint_ends, monitoring_tables
from radiolocus.report.source import Artefacts

__all__ = ["MonitoredSubject", "course_blocks", "monitored_subject", "risk_rows"]


@dataclass(frozen=True, eq=False)
class MonitoredSubject:
    """What is told of a subject: the figure, lines for a person, and the name of a file of it."""

    figure: Drawn
    lines: tuple[str, ...]
    file_name: str


def monitored_subject(root: Path, subject: str, endpoint: str = "") -> MonitoredSubject:
    """Read a subject's risk after each visit.

    Parameters
    ----------
    root : Path
        Output folder of a study.
    subject : str
    endpoint : str
        Default: the first one that was monitored.

    Raises
    ------
    StoreError
        The study was not monitored.
    ConfigError
        Another endpoint, or a subject without a risk.
    """
    art = Artefacts(root)
    tables = monitoring_tables(art)
    if not tables:
        raise StoreError(
            "no monitoring/risk", where=root.name, allowed="the output folder of a study with [monitoring]",
            todo="add [monitoring] to the study file and run it",
        )  # fmt: skip
    known = tables["landmarks"]["endpoint"].unique(maintain_order=True).to_list()
    chosen = endpoint or known[0]
    if chosen not in known:
        raise ConfigError(f"no endpoint '{chosen}'", where="monitor", allowed=", ".join(known))
    course = course_of(tables, endpoint_ends(art), chosen, subject)
    if course is None:
        names = sorted(set(tables["risk"].filter(endpoint=chosen)["subject"].to_list()))
        raise ConfigError(
            f"no risk of '{subject}'", where="monitor", allowed=f"one of {len(names)} subjects of monitoring/risk.csv",
            todo=suggest(subject, names),
        )  # fmt: skip
    drawn = courses([course], chosen)
    if drawn is None:  # one course is always drawn
        raise ConfigError(f"no risk of '{subject}'", where="monitor")
    return MonitoredSubject(drawn, _lines(course, chosen), file_name(subject))


def _lines(course: Course, endpoint: str) -> tuple[str, ...]:
    window = f"{course.window:g} {course.unit}".strip()
    head = f"{course.subject}: risk of {endpoint} within {window} of each visit, by models that did not see the subject"
    rows = [
        f"  {r['time']:>8g}  visit {r['visits']:<3d}  {interval(r['risk'], r['lower'], r['upper'], 0, 100, ' %')}"
        for r in course.risk.iter_rows(named=True)
    ]
    end = f"  {course.end:>8g}  {course.event if course.event != 'no event seen' else 'end of observation, no event'}"
    return (head, *rows, end, "for research only")


def course_blocks(art: Artefacts, subject: str) -> list[Block]:
    """Figures of a subject's risk, one an endpoint that was monitored; none where there is none."""
    tables = monitoring_tables(art)
    if not tables:
        return []
    ends = endpoint_ends(art)
    found = []
    for endpoint in tables["landmarks"]["endpoint"].unique(maintain_order=True):
        course = course_of(tables, ends, endpoint, subject)
        drawn = courses([course], endpoint) if course is not None else None
        found += [drawn.block()] if drawn is not None else []
    return list(found)


def risk_rows(art: Artefacts, subject: str) -> list[dict[str, Any]]:
    """Rows of ``monitoring/risk`` of a subject; none where there is none."""
    frame = art.table("monitoring/risk")
    return [] if frame is None else frame.filter(subject=subject).drop("subject").to_dicts()
