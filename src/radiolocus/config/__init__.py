"""The study file: TOML in, frozen options out; the options stand beside the code they steer and are gathered here."""

from radiolocus.config.load import (
    Study,
    load_link,
    load_outcome,
    load_response,
    load_settings,
    load_study,
    sections_of,
)
from radiolocus.config.sections import Mistake, Sections, StudyError
from radiolocus.config.typed import study_schema

__all__ = [
    "Mistake",
    "Sections",
    "Study",
    "StudyError",
    "load_link",
    "load_outcome",
    "load_response",
    "load_settings",
    "load_study",
    "sections_of",
    "study_schema",
]
