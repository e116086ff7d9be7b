"""Which image and mask belong to whom: by path pattern or by table, headers unread.

A pattern is a path below the study root in which ``{subject}`` and ``{visit}`` stand for a part of one name,
``*`` for any part of one name, and ``**`` for any folders.

>>> pattern_regex("nifti/{subject}/PET_*.nii.gz").fullmatch("nifti/S1/PET_image.nii.gz")["subject"]
'S1'
"""

from __future__ import annotations

import glob
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import polars as pl

from radiolocus.errors import ConfigError, TableError
from radiolocus.model import Problem
from radiolocus.registry import suggest

__all__ = ["Discovery", "ImageUnit", "by_pattern", "by_table", "glob_subjects", "inside", "pattern_regex"]

_TOKEN = re.compile(r"(\{\w+\}|\*\*/|\*)")
_COLUMNS = ("subject", "image", "mask", "visit", "roi")


@dataclass(frozen=True)
class ImageUnit:
    """An image with its mask: `subject` is the id as it stands in the source; paths are absolute."""

    subject: str
    visit: str
    image: Path
    mask: Path
    roi: str | None = None


@dataclass(frozen=True)
class Discovery:
    """What was found, in a stable order, and what could not be paired."""

    units: tuple[ImageUnit, ...]
    problems: tuple[Problem, ...]


def inside(root: Path, name: str, where: str) -> Path:
    """Resolve `name` below `root`.

    Raises
    ------
    ConfigError
        The path leaves the study root.
    """
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()):
        raise ConfigError(
            f"'{name}' leads out of the study",
            where=where,
            allowed="a path below [cohort] root",
            todo="set root to a folder that holds all data of the study",
        )
    return path


def pattern_regex(pattern: str) -> re.Pattern[str]:
    """Compile a path pattern; the regular expression matches POSIX paths relative to the root."""
    out = ""
    seen: set[str] = set()
    for token in _TOKEN.split(pattern):
        if token in ("{subject}", "{visit}"):
            name = token[1:-1]
            out += f"(?P={name})" if name in seen else f"(?P<{name}>[^/]+?)"
            seen.add(name)
        elif re.fullmatch(r"\{\w+\}", token):
            raise ConfigError(f"unknown placeholder {token} in '{pattern}'", allowed="{subject}, {visit}, *, **/")
        else:
            out += {"*": "[^/]*", "**/": "(?:[^/]+/)*"}.get(token, re.escape(token))
    if "subject" not in seen:
        raise ConfigError(
            f"no {{subject}} in '{pattern}'",
            allowed="a path with {subject} where the subject's id stands, e.g. nifti/{subject}/image.nii.gz",
        )
    return re.compile(out)


def glob_subjects(root: Path, pattern: str) -> dict[tuple[str, str], list[Path]]:
    """Find the files below `root` that match a pattern, by subject and visit."""
    regex = pattern_regex(pattern)
    wild = "".join(
        t if t in ("*", "**/") else "*" if t.startswith("{") else glob.escape(t) for t in _TOKEN.split(pattern)
    )
    found: dict[tuple[str, str], list[Path]] = {}
    for path in sorted(root.glob(wild)):
        if match := regex.fullmatch(path.relative_to(root).as_posix()):
            parts = match.groupdict()
            found.setdefault((parts["subject"], parts.get("visit") or ""), []).append(path)
    return found


def by_pattern(root: Path, name: str, image: str, mask: str, roi: str | None = None) -> Discovery:
    """Find images and masks by two patterns and pair them by subject and visit.

    Parameters
    ----------
    root : Path
        Study root.
    name : str
        Name of the image in the study file, for problems.
    image, mask : str
        Patterns below `root`.
    roi : str, optional
        Region to take from every mask.
    """
    for pattern in (image, mask):
        if PurePosixPath(pattern).is_absolute() or ".." in PurePosixPath(pattern).parts:
            raise ConfigError(f"'{pattern}' leads out of the study", allowed="a pattern below [cohort] root")
    images, masks = glob_subjects(root, image), glob_subjects(root, mask)
    units, problems = [], []
    for key in sorted(images.keys() | masks.keys()):
        subject, visit = key
        here, there = images.get(key, []), masks.get(key, [])
        if len(here) == 1 and len(there) == 1:
            units.append(ImageUnit(subject, visit, here[0], there[0], roi))
            continue
        problems.append(
            Problem(
                stage="features",
                subject=subject,
                item=name,
                got=f"{len(here)} images and {len(there)} masks" + (f" at visit {visit}" if visit else ""),
                allowed="one image and one mask a subject and visit",
                todo=f"look at what matches '{image}' and '{mask}', or narrow the patterns",
            )
        )
    return Discovery(tuple(units), tuple(problems))


def by_table(root: Path, name: str, table: pl.DataFrame, rows: Sequence[int], source: str) -> Discovery:
    """Take the pairs from a table with columns subject, image, mask and, optionally, visit and roi.

    Parameters
    ----------
    root : Path
        Study root, to which the paths in the table are relative.
    name : str
        Name of the image in the study file, for problems.
    table : polars.DataFrame
    rows : sequence of int
        Row of the file for each row of `table`.
    source : str
        Name of the table, for messages.
    """
    for column in _COLUMNS[:3]:
        if column not in table.columns:
            raise TableError(
                f"no column '{column}'",
                where=source,
                allowed="columns subject, image, mask and, optionally, visit and roi",
                todo=suggest(column, table.columns),
            )
    units, problems = [], []
    for row, entry in zip(rows, table.iter_rows(named=True), strict=True):
        unit = _unit(root, {c: entry.get(c) for c in _COLUMNS}, f"{source}, row {row}")
        if isinstance(unit, Problem):
            problems.append(Problem(**{**unit.__dict__, "item": name}))
        else:
            units.append(unit)
    return Discovery(tuple(sorted(units, key=lambda u: (u.subject, u.visit, u.roi or ""))), tuple(problems))


def _unit(root: Path, entry: Mapping[str, object], where: str) -> ImageUnit | Problem:
    subject = None if entry["subject"] is None else str(entry["subject"])
    missing = [c for c in _COLUMNS[:3] if entry[c] is None]
    if missing:
        return Problem(
            "features", f"no value for {', '.join(missing)}", subject=subject, where=where, todo="fill in the row"
        )
    paths = [inside(root, str(entry[c]), where) for c in ("image", "mask")]
    for path in paths:
        if not path.exists():
            return Problem("features", f"{path.name} is not there", subject=subject, where=where, todo="mend the path")
    visit, roi = entry["visit"], entry["roi"]
    return ImageUnit(
        str(subject), "" if visit is None else str(visit), paths[0], paths[1], None if roi is None else str(roi)
    )
