"""Part of a study: the sections that one question needs, run into a folder of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, cast

from radiolocus.config import Sections, load_study
from radiolocus.errors import ConfigError
from radiolocus.pipeline import Finished, Progress, run_study
from radiolocus.pipeline.study import SECTION

__all__ = ["run_part"]


def run_part(
    file: Path,
    section: str,
    kept: Sequence[str],
    out: Path,
    *,
    root: Path | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Finished:
    """Run one section of a study with those that it needs.

    Parameters
    ----------
    file : Path
        Study file.
    section : str
        Section that is asked for.
    kept : sequence of str
        Sections that run with it where the study has them.
    out : Path
        Folder of the results.
    root : Path, optional
    jobs : int
    progress : Progress, optional

    Returns
    -------
    Finished
        Without the lines of stages that have no section.

    Raises
    ------
    ConfigError
        The study cannot be followed, lacks the section, or its whole run lies in the folder already.
    RadiolocusError
        As :func:`radiolocus.pipeline.run_study`.
    """
    study = load_study(file, root)
    if getattr(study.sections, section) is None:
        raise ConfigError(f"no section [{section}]", where=file.name, todo="add it")
    _not_over_more(out, {"cohort", section, *kept})
    others = {f.name: None for f in fields(Sections) if f.name not in {"cohort", section, *kept}}
    part = replace(study, sections=replace(study.sections, **cast("dict[str, Any]", others)))
    done = run_study(part, out, jobs=jobs, progress=progress)
    return replace(done, lines=tuple(line for line in done.lines if "did not run: no section" not in line))


def _not_over_more(out: Path, kept: set[str]) -> None:
    """A folder that holds more than this part would lose the rest of it."""
    try:
        stages = json.loads((out / "study.json").read_bytes())["stages"]
    except (OSError, ValueError, KeyError):
        return
    if more := [name for name, stage in stages.items() if stage["ran"] and SECTION.get(name, name) not in kept]:
        raise ConfigError(
            f"the folder holds results of {', '.join(more)}, which this command would remove",
            where=out.name,
            todo="choose another --out, or give `radiolocus run` with this one",
        )
