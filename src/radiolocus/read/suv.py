"""Standardised uptake values (body weight) from the headers of a PET series.

The steps and the choice of the scan time follow the QIBA vendor-neutral pseudo-code ("SUV Calculation", RSNA QIBA
FDG-PET/CT wiki): SUVbw = activity concentration [Bq/mL] x body weight [g] / decayed dose [Bq].
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydicom.dataset import Dataset

from radiolocus.errors import FormatError

__all__ = ["SuvScale", "suv_factor", "suv_scale"]

_BW = "SUVbw g/mL"
_GML = {"": _BW, "BW": _BW, "LBM": "SUVlbm g/mL", "LBMJAMES128": "SUVlbm g/mL", "LBMJANMA": "SUVlbm g/mL"}
_GML["IBW"] = "SUVibw g/mL"
_SAME = ("Units", "SUVType", "DecayCorrection", "CorrectedImage", "PatientWeight")
_HALF_LIVES = 10.0
_DAY = 86400.0
_TODO = "export the series again with this tag, or convert to SUV elsewhere and hand the result over as NIfTI"


@dataclass(frozen=True)
class SuvScale:
    """What rescaled PET intensities are multiplied by, the unit they then have, and what a person should know."""

    factor: float
    unit: str
    notes: tuple[str, ...] = ()


def suv_factor(weight_kg: float, dose_bq: float, decay_s: float, half_life_s: float) -> float:
    """Body weight in g over the dose left after `decay_s` seconds: SUVbw (g/mL) per Bq/mL.

    >>> suv_factor(70.0, 350e6, 6586.2, 6586.2)
    0.0004
    """
    return float(weight_kg * 1000.0 / (dose_bq * 2.0 ** (-decay_s / half_life_s)))


def suv_scale(headers: Sequence[Dataset], where: str = "") -> SuvScale:
    """Find the factor from rescaled intensities to SUV.

    Parameters
    ----------
    headers : sequence of Dataset
        Headers of all slices of one PET series.
    where : str
        Name of the series in messages.

    Returns
    -------
    SuvScale
        Factor 1 for ``Units`` GML (already SUV: never converted again), the vendor's factor for Philips CNTS, body
        weight over dose for BQML (decayed to the scan for ``DecayCorrection`` START, undecayed for ADMIN).

    Raises
    ------
    FormatError
        A needed tag is missing or impossible, the data are not corrected for decay or attenuation, other units, or
        slices that disagree.
    """
    head = headers[0]
    for name in _SAME:
        values = {str(h.get(name, "")) for h in headers}
        if len(values) > 1:
            raise FormatError(
                f"slices differ in {name} ({', '.join(sorted(values))})", where=where, allowed="one value"
            )
    units = str(head.get("Units", "") or "").strip().upper()
    if units == "GML":
        return _already_suv(head, where)
    if units == "CNTS":
        return _philips(headers, where)
    if units == "BQML":
        return _from_activity(headers, where)
    raise FormatError(
        f"PET Units (0054,1001) are {units or 'missing'}",
        where=where,
        allowed="GML (SUV), BQML, or CNTS with the Philips SUV factor (7053,1000)",
        todo=_TODO,
    )


def _already_suv(head: Dataset, where: str) -> SuvScale:
    kind = str(head.get("SUVType", "") or "").strip().upper()
    if kind not in _GML:
        raise FormatError(f"SUV Type (0054,1006) is {kind}", where=where, allowed="BW, LBM or IBW with Units GML")
    return SuvScale(1.0, _GML[kind], ("Units GML: intensities are SUV already and were not converted again",))


def _philips(headers: Sequence[Dataset], where: str) -> SuvScale:
    factors = {_private(h, 0x7053, "Philips PET Private Group", 0x00) for h in headers}
    factor = _number(next(iter(factors))) if len(factors) == 1 else None
    if factor is None or factor <= 0:
        raise FormatError(
            "PET Units are CNTS (counts) and the Philips SUV factor (7053,1000) is missing, not positive or not the "
            "same on all slices",
            where=where,
            allowed="one positive factor",
            todo=_TODO,
        )
    return SuvScale(factor, _BW, (f"counts converted to SUVbw with the Philips factor (7053,1000) = {factor:.6g}",))


def _from_activity(headers: Sequence[Dataset], where: str) -> SuvScale:
    head = headers[0]
    correction = str(head.get("DecayCorrection", "") or "").strip().upper()
    if correction not in ("START", "ADMIN"):
        raise FormatError(
            f"Decay Correction (0054,1102) is {correction or 'missing'}",
            where=where,
            allowed="START or ADMIN",
            todo="reconstruct the series with decay correction",
        )
    notes = _corrections(head, where)
    weight = _positive(head, "PatientWeight", "Patient's Weight (0010,1030)", where)
    drugs = head.get("RadiopharmaceuticalInformationSequence") or []
    if len(drugs) != 1:
        raise FormatError(
            f"{len(drugs) or 'no'} items in Radiopharmaceutical Information Sequence (0054,0016)",
            where=where,
            allowed="exactly one",
            todo=_TODO,
        )
    dose = _positive(drugs[0], "RadionuclideTotalDose", "Radionuclide Total Dose (0018,1074)", where)
    if dose < 1e4:
        raise FormatError(
            f"Radionuclide Total Dose (0018,1074) is {dose:g} Bq",
            where=where,
            allowed="the injected activity in Bq",
            todo="the value looks like MBq; correct the header",
        )
    if correction == "ADMIN":
        text = (
            f"Bq/mL converted to SUVbw: {weight:g} kg, {dose / 1e6:.6g} MBq, decay-corrected to administration (ADMIN)"
        )
        return SuvScale(suv_factor(weight, dose, 0.0, 1.0), _BW, (text, *notes))
    half_life = _positive(drugs[0], "RadionuclideHalfLife", "Radionuclide Half Life (0018,1075)", where)
    decay, more = _decay(headers, drugs[0], half_life, where)
    text = (
        f"Bq/mL converted to SUVbw: {weight:g} kg, {dose / 1e6:.6g} MBq decayed for {decay:g} s from injection to scan "
        f"start (START), half-life {half_life:g} s"
    )
    return SuvScale(suv_factor(weight, dose, decay, half_life), _BW, (text, *notes, *more))


def _corrections(head: Dataset, where: str) -> list[str]:
    listed = head.get("CorrectedImage")
    names = {str(v).strip().upper() for v in ([listed] if isinstance(listed, str) else listed or [])}
    if not names:
        return ["Corrected Image (0028,0051) is missing: attenuation and decay correction taken on trust"]
    lacking = [n for n in ("ATTN", "DECY") if n not in names]
    if lacking:
        raise FormatError(
            f"Corrected Image (0028,0051) lacks {' and '.join(lacking)}",
            where=where,
            allowed="a series corrected for attenuation (ATTN) and decay (DECY)",
            todo="use the corrected series of this examination",
        )
    return []


def _decay(headers: Sequence[Dataset], drug: Dataset, half_life: float, where: str) -> tuple[float, list[str]]:
    """Seconds from injection to the start of the scan."""
    scan, notes = _scan_time(headers, where)
    clock = _time_of_day(drug.get("RadiopharmaceuticalStartTime"))
    start = _start_moment(headers[0], drug, clock, where)
    if start is None:
        if clock is None:
            raise FormatError(
                "Radiopharmaceutical Start Time (0018,1072) and Start DateTime (0018,1078) are missing or unreadable",
                where=where,
                allowed="one of them",
                todo=_TODO,
            )
        if half_life * _HALF_LIVES > _DAY:
            raise FormatError(
                f"half-life {half_life:g} s with an injection time but no injection date",
                where=where,
                allowed="Radiopharmaceutical Start DateTime (0018,1078) for nuclides that outlive the day",
                todo=_TODO,
            )
        start = datetime.combine(scan.date(), datetime.min.time()) + clock
        if start > scan:
            start -= timedelta(days=1)
            notes.append("injection time of day is later than the scan's: injected on the day before")
    decay = (scan - start).total_seconds()
    if not 0 <= decay <= _HALF_LIVES * half_life:
        raise FormatError(
            f"{decay:g} s from injection to scan start at a half-life of {half_life:g} s",
            where=where,
            allowed=f"0 to {_HALF_LIVES:g} half-lives",
            todo="compare (0018,1072), (0018,1078), (0008,0031), (0008,0032); de-identification may have moved dates",
        )
    return decay, notes


def _start_moment(head: Dataset, drug: Dataset, clock: timedelta | None, where: str) -> datetime | None:
    """Radiopharmaceutical Start DateTime in the clock of the scanner, None when absent."""
    text = str(drug.get("RadiopharmaceuticalStartDateTime", "") or "")
    start = _moment(text)
    if start is None:
        return None
    offset, local = _utc_offset(text), _utc_offset(str(head.get("TimezoneOffsetFromUTC", "") or ""))
    if offset is not None and local is not None:
        start += local - offset
    if clock is not None:
        apart = abs((start - datetime.combine(start.date(), datetime.min.time()) - clock).total_seconds())
        if min(apart, _DAY - apart) > 60:
            raise FormatError(
                f"Radiopharmaceutical Start Time (0018,1072) and Start DateTime (0018,1078) are {apart:g} s apart",
                where=where,
                allowed="the same time of day within a minute",
                todo="find out which is right (a time zone?) and correct the header",
            )
    return start


def _utc_offset(text: str) -> timedelta | None:
    match = re.search(r"([+-])(\d\d)(\d\d)$", text.strip())
    if match is None:
        return None
    size = timedelta(hours=int(match.group(2)), minutes=int(match.group(3)))
    return size if match.group(1) == "+" else -size


def _scan_time(headers: Sequence[Dataset], where: str) -> tuple[datetime, list[str]]:
    """Moment the intensities are decay-corrected to, after QIBA: series time unless acquisition began before it."""
    acquired = [t for h in headers if (t := _when(h, "Acquisition")) is not None]
    series = _when(headers[0], "Series")
    if not acquired:
        raise FormatError("Acquisition Time (0008,0032) is missing or unreadable", where=where, todo=_TODO)
    first = min(acquired)
    if series is not None and series <= first:
        return series, []
    private = _moment(_private(headers[0], 0x0009, "GEMS_PETD_01", 0x0D))
    if private is not None:
        return private, ["series time is later than acquisition: GE private scan time (0009,100D) used"]
    reason = "series time is missing" if series is None else "series time is later than acquisition"
    return first, [f"{reason}: earliest acquisition time of all slices used as scan start"]


def _when(header: Dataset, of: str) -> datetime | None:
    clock = _time_of_day(header.get(f"{of}Time"))
    if clock is None:
        return None
    # Without any date all times are taken to be of one day; the date itself never enters the result.
    for name in (f"{of}Date", "SeriesDate", "AcquisitionDate", "StudyDate"):
        day = _moment(header.get(name))
        if day is not None:
            return datetime.combine(day.date(), datetime.min.time()) + clock
    return datetime(2000, 1, 1) + clock


def _time_of_day(value: object) -> timedelta | None:
    """DICOM TM: HH, HHMM, HHMMSS or HHMMSS.FFFFFF; the colons of old files are let through."""
    match = re.fullmatch(r"(\d\d)(?:(\d\d)(?:(\d\d)(\.\d{1,6})?)?)?", str(value or "").strip().replace(":", ""))
    if match is None:
        return None
    hours, minutes, seconds, fraction = match.groups(default="0")
    return timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds) + float(fraction))


def _moment(value: object) -> datetime | None:
    """DICOM DA or DT, without its offset from UTC."""
    text = value.decode("ascii", "ignore") if isinstance(value, bytes) else str(value or "")
    match = re.fullmatch(r"(\d{4})\.?(\d\d)\.?(\d\d)(\d[\d.]*)?(?:[+-]\d{4})?", text.strip(" \0"))
    if match is None:
        return None
    clock = _time_of_day(match.group(4)) if match.group(4) else timedelta()
    try:
        day = datetime(int(match.group(1)), int(match.group(2)), int(match.group(3)))
    except ValueError:
        return None
    return None if clock is None else day + clock


def _private(header: Dataset, group: int, creator: str, offset: int) -> Any:
    try:
        return header.private_block(group, creator)[offset].value
    except KeyError:
        return None


def _number(value: Any) -> float | None:
    try:
        return float(value.decode("ascii").strip(" \0") if isinstance(value, bytes) else value)
    except (TypeError, ValueError):
        return None


def _positive(header: Dataset, name: str, tag: str, where: str) -> float:
    try:
        value = _number(header.get(name))
    except ValueError:  # pydicom parses a value when it is first looked at
        value = None
    if value is None or not 0 < value < float("inf"):
        shown = "missing" if value is None else f"{value:g}"
        raise FormatError(f"{tag} is {shown}", where=where, allowed="a positive number", todo=_TODO)
    return value
