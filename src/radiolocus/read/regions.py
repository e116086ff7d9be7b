"""Several regions of every mask: each that matches a name, a number or a pattern becomes a unit of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from radiolocus.errors import RadiolocusError
from radiolocus.model import Problem, named_visit
from radiolocus.read.discover import Discovery, ImageUnit
from radiolocus.read.imaging import describe
from radiolocus.read.nifti import is_nifti, nifti_labels
from radiolocus.read.rtstruct import name_pattern

__all__ = ["each_region", "matching_regions", "region_names"]


def region_names(mask: Path | str) -> tuple[str, ...]:
    """Names of the regions of a mask: label numbers of NIfTI, names of RTSTRUCT and SEG.

    Raises
    ------
    FormatError
        Nothing that a mask can be read from.
    """
    mask = Path(mask)
    if is_nifti(mask):
        return tuple(str(label) for label in nifti_labels(mask))
    return tuple(describe(mask)["rois"])


def matching_regions(names: Sequence[str], rois: Sequence[str]) -> tuple[list[str], list[str]]:
    """Choose among the regions of a mask.

    Parameters
    ----------
    names : sequence of str
        Regions of the mask.
    rois : sequence of str
        Names, numbers or regular expressions that match a whole name; case does not matter.

    Returns
    -------
    chosen : list of str
        In the order of `rois`, each once: a region that is named is called as it was asked for, one that a pattern
        found by its own name.
    lacking : list of str
        Entries of `rois` that match nothing.
    """
    chosen: dict[str, str] = {}  # by the name in the mask
    lacking = []
    for asked in rois:
        text, pattern = asked.strip(), name_pattern(asked)
        named = [n for n in names if n.strip() == text] or [n for n in names if n.strip().casefold() == text.casefold()]
        found = named or [n for n in names if pattern is not None and pattern.fullmatch(n.strip())]
        for name in found:
            chosen.setdefault(name, text if named else name.strip())
        if not found:
            lacking.append(asked)
    return list(dict.fromkeys(chosen.values())), lacking


def each_region(found: Discovery, rois: Sequence[str], item: str) -> Discovery:
    """Make a unit of every region that matches; pairs whose table names a region stay as they are.

    Parameters
    ----------
    found : Discovery
    rois : sequence of str
        See :func:`matching_regions`; empty: nothing changes.
    item : str
        Name of the image in the study file, for problems.
    """
    if not rois:
        return found
    units: list[ImageUnit] = []
    problems = list(found.problems)
    for unit in found.units:
        if unit.roi is not None:
            units.append(unit)
            continue
        chosen, told = _regions_of(unit, rois, item)
        units += [replace(unit, roi=name) for name in chosen]
        problems += told
    return Discovery(tuple(units), tuple(problems))


def _regions_of(unit: ImageUnit, rois: Sequence[str], item: str) -> tuple[list[str], list[Problem]]:
    visit = f"{named_visit(unit.visit)}, " if unit.visit else ""
    blank = Problem("features", "", subject=unit.subject, item=item, where=visit + unit.mask.name)
    try:
        names = region_names(unit.mask)
    except RadiolocusError as error:
        where = visit + (error.where or unit.mask.name)
        return [], [replace(blank, got=error.got, where=where, allowed=error.allowed, todo=error.todo)]
    chosen, lacking = matching_regions(names, rois)
    blank = replace(blank, allowed=", ".join(f"'{n}'" for n in names) or "none")
    if not chosen:
        asked = ", ".join(f"'{roi}'" for roi in rois)
        todo = "name one of them in rois, or check the mask"
        return [], [replace(blank, got=f"no region matches {asked}", todo=todo)]
    return chosen, [replace(blank, got=f"no region matches '{roi}'", severity="note") for roi in lacking]
