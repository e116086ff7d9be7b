"""DICOM structured reports of measurements (template TID 1500): what was measured of which lesion, when and by whom.

DICOM PS3.16, TID 1500 (Measurement Report), TID 1501 (Measurement Group), TID 1502 (Time Point Context) and TID 300
(Measurement). The content tree is walked as the template orders it, and nothing is taken from the place of a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from radiolocus.errors import FormatError, RadiolocusError
from radiolocus.model import Problem
from radiolocus.read.dicom import read_header
from radiolocus.read.slices import quiet

__all__ = ["Measurement", "MeasurementGroup", "ReportFolder", "has_reports", "is_report", "read_report", "scan_reports"]

_STORAGE = "1.2.840.10008.5.1.4.1.1.88."
_TITLE = Code("126000", "DCM", "Imaging Measurement Report")
_GROUPS = (Code("126010", "DCM", "Imaging Measurements"), Code("125007", "DCM", "Measurement Group"))
_TRACKING = Code("112039", "DCM", "Tracking Identifier")
_UID = Code("112040", "DCM", "Tracking Unique Identifier")
_FINDING = Code("121071", "DCM", "Finding")
_CATEGORY = (Code("276214006", "SCT", "Finding category"),)
_ANATOMY = Code("91723000", "SCT", "Anatomical structure")
_SITE = Code("363698007", "SCT", "Finding Site")
_OBSERVER = Code("121008", "DCM", "Person Observer Name")
_DERIVATION = Code("121401", "DCM", "Derivation")
_TIME_POINTS = (
    Code("C2348792", "UMLS", "Time Point"),
    Code("126071", "DCM", "Protocol Time Point Identifier"),
    Code("126070", "DCM", "Subject Time Point Identifier"),
)
_DATE = re.compile(r"^(\d{4})[.-]?(\d{2})[.-]?(\d{2})$")


@dataclass(frozen=True)
class Measurement:
    """One number of a report: its concept and derivation, its value and its unit (UCUM)."""

    concept: Code
    derivation: Code | None
    value: float
    unit: str


@dataclass(frozen=True)
class MeasurementGroup:
    """A measurement group: one finding at one time.

    Parameters
    ----------
    file : str
        Name of the file.
    number : int
        Place of the group in the report, from 1.
    subject : str
        Patient ID.
    date : str
        Study date, YYYY-MM-DD.
    visit : str
        Label of the time point, empty when none is given.
    reader : str
        Person observer, empty when none is given.
    tracking : str
        Tracking identifier, else the tracking UID.
    uid : str
        Tracking UID, empty when none is given.
    finding : str
        What was found, in words.
    site : str
        Finding site, in words.
    anatomy : bool
        The group describes normal anatomy, by its finding category.
    said : tuple of str
        Qualitative evaluations, in words.
    measurements : tuple of Measurement
    without_value : tuple of str
        Measurements that stand in the group without a number.
    """

    file: str
    number: int
    subject: str
    date: str
    visit: str
    reader: str
    tracking: str
    uid: str
    finding: str
    site: str
    anatomy: bool
    said: tuple[str, ...]
    measurements: tuple[Measurement, ...]
    without_value: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ReportFolder:
    """Groups of all reports of a folder, in the order of the file names, and what could not be read."""

    groups: tuple[MeasurementGroup, ...]
    problems: tuple[Problem, ...]


def is_report(header: Dataset | None) -> bool:
    """Tell from its header whether a file is a structured report."""
    return header is not None and str(header.get("SOPClassUID", "")).startswith(_STORAGE)


def has_reports(path: Path) -> bool:
    """Whether a file is a structured report, or a folder holds one."""
    if path.is_file():
        return _is_dicom(path) and is_report(read_header(path))
    files = (p for p in sorted(path.rglob("*")) if p.is_file() and _is_dicom(p))
    return any(is_report(read_header(p)) for p in files)


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


@quiet()
def scan_reports(path: Path | str) -> ReportFolder:
    """Read every structured report below a folder, or one file.

    Parameters
    ----------
    path : Path or str

    Returns
    -------
    ReportFolder
        A file that is damaged, no report, or a report of another template is named in the problems; the others are
        read. A copy of a report (same SOP Instance UID) is left out and named.

    Raises
    ------
    FormatError
        No such file or folder, or no report of TID 1500 in it.
    """
    path = Path(path)
    if not path.exists():
        raise FormatError("no such file or folder", where=path.name, todo="correct the path")
    groups: list[MeasurementGroup] = []
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    read = 0
    for file in [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file()):
        try:
            header = read_header(file)
            if header is None or not is_report(header):
                problems.append(_left(file, f"no structured report ({header.Modality if header else 'not DICOM'})"))
                continue
            found = _groups(header, file.name)
            uid = str(header.get("SOPInstanceUID", ""))
            if (first := seen.setdefault(uid, file.name)) != file.name:
                problems.append(_left(file, f"a copy of {first}"))
                continue
            groups += found
            read += 1
        except RadiolocusError as error:
            problems.append(
                Problem("response", error.got, where=error.where or file.name, allowed=error.allowed, todo=error.todo)
            )
    if not read:
        told = "; ".join(f"{p.where}: {p.got}" for p in problems[:3])
        raise FormatError(
            "no structured report of measurements" + (f" ({told})" if told else ""),
            where=path.name,
            allowed="DICOM SR of template TID 1500",
            todo="check the folder, or export the measurements as TID 1500",
        )
    return ReportFolder(tuple(groups), tuple(problems))


def _left(file: Path, got: str) -> Problem:
    return Problem("response", f"{got}: left out", "note", where=file.name, allowed="DICOM SR of template TID 1500")


@quiet()
def read_report(path: Path | str) -> tuple[MeasurementGroup, ...]:
    """Read the measurement groups of one structured report.

    Raises
    ------
    FormatError
        Damaged, no structured report, of another template, without patient or date, or content that cannot be read.
    """
    path = Path(path)
    header = read_header(path)
    if header is None or not is_report(header):
        raise FormatError("no structured report", where=path.name, allowed="DICOM SR of template TID 1500")
    return tuple(_groups(header, path.name))


def _groups(header: Dataset, file: str) -> list[MeasurementGroup]:
    template = [str(t.get("TemplateIdentifier", "")) for t in header.get("ContentTemplateSequence", ())]
    if "1500" not in template and _name(header) != _TITLE:
        title = getattr(_name(header), "meaning", "") or "unknown"
        raise FormatError(
            f"a structured report of template {', '.join(template) or 'unknown'} ({title})",
            where=file,
            allowed="template TID 1500 (Measurement Report)",
            todo="export the measurements as TID 1500, or leave the file out",
        )
    if next(_children(header, _GROUPS[0]), None) is None:
        raise FormatError(
            "a report without Imaging Measurements (126010, DCM)",
            where=file,
            allowed="content of TID 1500",
            todo="export it again; a file that was cut short ends before them",
        )
    subject = str(header.get("PatientID", "") or "").strip()
    date = _DATE.match(str(header.get("StudyDate", "") or "").strip())
    if not subject or not date:
        raise FormatError(
            "no Patient ID (0010,0020)" if not subject else f"Study Date (0008,0020) '{header.get('StudyDate', '')}'",
            where=file,
            allowed="a report that says whose it is and when the images were taken",
            todo="export the report again with patient and study",
        )
    try:
        return list(_walk(header, file, subject, "-".join(date.groups())))
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise FormatError(
            f"content that cannot be read ({error})", where=file, allowed="content of TID 1500", todo="export it again"
        ) from None


def _walk(header: Dataset, file: str, subject: str, date: str) -> Iterator[MeasurementGroup]:
    reader = next(iter(_texts(header, _OBSERVER)), "")
    number = 0
    for part in _children(header, _GROUPS[0]):
        for group in _children(part, _GROUPS[1]):
            number += 1
            uid = next(iter(_texts(group, _UID)), "")
            told = {
                "visit": next((t for name in _TIME_POINTS for t in _texts(group, name)), ""),
                "reader": next(iter(_texts(group, _OBSERVER)), reader),
                "tracking": next(iter(_texts(group, _TRACKING)), uid),
                "finding": next(iter(_texts(group, _FINDING)), ""),
                "site": next(iter(_texts(group, _SITE)), ""),
            }
            numbers = [item for item in _items(group) if item.get("ValueType") == "NUM"]
            yield MeasurementGroup(
                file=file,
                number=number,
                subject=subject,
                date=date,
                uid=uid,
                anatomy=any(_coded(i) == _ANATOMY for name in _CATEGORY for i in _children(group, name)),
                said=tuple(_said(group)),
                measurements=tuple(_measurement(item) for item in numbers if item.get("MeasuredValueSequence")),
                without_value=tuple(_name(i).meaning for i in numbers if not i.get("MeasuredValueSequence")),
                **told,
            )


def _items(item: Dataset) -> Any:
    return item.get("ContentSequence") or ()


def _code(sequence: Any) -> Code:
    entry = sequence[0]
    value = entry.get("CodeValue") or entry.get("LongCodeValue") or entry.get("URNCodeValue")
    return Code(str(value), str(entry.get("CodingSchemeDesignator", "")), str(entry.get("CodeMeaning", "")))


def _name(item: Dataset) -> Code:
    sequence = item.get("ConceptNameCodeSequence")
    return _code(sequence) if sequence else Code("", "", "")


def _coded(item: Dataset) -> Code:
    sequence = item.get("ConceptCodeSequence")
    return _code(sequence) if sequence else Code("", "", "")


def _children(item: Dataset, name: Code) -> Iterator[Dataset]:
    return (child for child in _items(item) if _name(child) == name)


def _texts(item: Dataset, name: Code) -> Iterator[str]:
    """Values of the children of that name, in words."""
    for child in _children(item, name):
        text = (
            _coded(child).meaning
            or child.get("TextValue")
            or child.get("UID")
            or str(child.get("PersonName", "") or "")
        )
        if str(text).strip():
            yield str(text).strip()


def _said(group: Dataset) -> Iterator[str]:
    """Qualitative evaluations: whatever is said in codes or words and has no place of its own in the template."""
    known = (_FINDING, _SITE, _TRACKING, _UID, _OBSERVER, *_CATEGORY, *_TIME_POINTS)
    evaluations = (c for c in _items(group) if c.get("ValueType") in ("CODE", "TEXT"))
    names = (_name(c) for c in evaluations if c.get("RelationshipType") == "CONTAINS")
    for name in names:
        if name not in known:
            yield from _texts(group, name)


def _measurement(item: Dataset) -> Measurement:
    value = item.MeasuredValueSequence[0]
    derived = next(_children(item, _DERIVATION), None)
    return Measurement(
        _name(item),
        None if derived is None else _coded(derived),
        # The decimal string holds 16 characters; where they are too few the exact value stands beside it.
        float(value.NumericValue if value.get("FloatingPointValue") is None else value.FloatingPointValue),
        _code(value.MeasurementUnitsCodeSequence).value,
    )
