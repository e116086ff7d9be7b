"""Standardised uptake values from the headers of a PET series.

The steps and the choice of the scan time follow the QIBA vendor-neutral pseudo-code ("SUV Calculation", RSNA QIBA
FDG-PET/CT wiki): SUV = activity concentration [Bq/mL] x body measure / decayed dose [Bq], where the measure is body
weight or lean body mass [g], or body surface area [cm²].
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydicom.dataset import Dataset

from radiolocus.errors import FormatError
from radiolocus.read.body import SUV_UNITS, body_measure
from radiolocus.read.options import SuvKind
from radiolocus.read.slices import plain_number, positive

__all__ = ["SuvScale", "suv_factor", "suv_scale"]

# SUV Type (0054,1006), and for Units CM2ML
_STATED: dict[str, tuple[SuvKind, ...]] = {
    "": ("bw",),
    "BW": ("bw",),
    "LBM": ("lbm_james",),
    "LBMJAMES128": ("lbm_james",),
    "LBMJANMA": ("lbm",),
    "BSA": ("bsa",),
}
_SAME = (
    *("Units", "SUVType", "DecayCorrection", "CorrectedImage", "PatientWeight", "PatientSize", "PatientSex"),
    *("DecayCorrected", "AttenuationCorrected", "DecayCorrectionDateTime"),
)
_HALF_LIVES = 10.0
_DAY = 86400.0
_TODO = "export the series again with this tag, or convert to SUV elsewhere and hand the result over as NIfTI"


@dataclass(frozen=True)
class SuvScale:
    """What rescaled PET intensities are multiplied by, the unit they then have, and what a person should know."""

    factor: float
    unit: str
    notes: tuple[str, ...] = ()


def suv_factor(measure: float, dose_bq: float, decay_s: float, half_life_s: float) -> float:
    """Body measure (g, or cm²) over the dose left after `decay_s` seconds: SUV per Bq/mL.

    >>> suv_factor(70_000.0, 350e6, 6586.2, 6586.2)
    0.0004
    """
    return float(measure / (dose_bq * 2.0 ** (-decay_s / half_life_s)))


def suv_scale(
    headers: Sequence[Dataset], where: str = "", kind: SuvKind = "bw", whole: Sequence[Dataset] = ()
) -> SuvScale:
    """Find the factor from rescaled intensities to SUV.

    Parameters
    ----------
    headers : sequence of Dataset
        Headers of all slices of one PET series.
    where : str
        Name of the series in messages.
    kind : {"bw", "lbm", "lbm_james", "bsa"}
        What the dose is divided by.
    whole : sequence of Dataset
        Headers of the series that the slices were selected from: its first acquisition may be that of another image.

    Returns
    -------
    SuvScale
        Factor 1 for ``Units`` GML (already SUV: never converted again, except from body weight to another measure), the
        vendor's factor for Philips CNTS, body measure over dose for BQML: decayed to the scan for ``DecayCorrection``
        START, undecayed for ADMIN, decayed to Decay Correction DateTime in enhanced objects.

    Raises
    ------
    FormatError
        A needed tag is missing or impossible, the data are not corrected for decay or attenuation, other units, SUV of
        another kind already, or slices that disagree.
    """
    head = headers[0]
    for name in _SAME:
        values = {str(h.get(name, "")) for h in headers}
        if len(values) > 1:
            raise FormatError(
                f"slices differ in {name} ({', '.join(sorted(values))})", where=where, allowed="one value"
            )
    units = str(head.get("Units", "") or "").strip().upper()
    if units in ("GML", "CM2ML"):
        return _already_suv(head, units, where, kind)
    if units == "CNTS":
        return _philips(headers, where, kind, whole or headers)
    if units == "BQML":
        return _from_activity(headers[0], where, kind, whole or headers)
    raise FormatError(
        f"PET Units (0054,1001) are {units or 'missing'}",
        where=where,
        allowed="GML or CM2ML (SUV), BQML, or CNTS with a Philips factor (7053,1000) or (7053,1009)",
        todo=_TODO,
    )


def _already_suv(head: Dataset, units: str, where: str, kind: SuvKind) -> SuvScale:
    stated = str(head.get("SUVType", "") or "").strip().upper() or ("BSA" if units == "CM2ML" else "")
    if stated not in _STATED or (stated == "BSA") != (units == "CM2ML"):
        raise FormatError(
            f"SUV Type (0054,1006) is {stated} with Units {units}",
            where=where,
            allowed="BW, LBM, LBMJAMES128 or LBMJANMA with Units GML; BSA with CM2ML",
        )
    told = f"Units {units}: intensities are SUV already and were not converted again"
    if kind in _STATED[stated]:
        unsure = "; SUV Type LBM does not say whether James's coefficient was 120 or 128" if stated == "LBM" else ""
        return SuvScale(1.0, SUV_UNITS[kind], (told + unsure,))
    if _STATED[stated] != ("bw",):
        wanted = " or ".join(f"'{k}'" for k in _STATED[stated])
        raise FormatError(
            f"the series is SUV of type {stated} already, asked for is '{kind}'",
            where=where,
            allowed=f"suv = {wanted} for this series",
            todo="use the series in Bq/mL, or set suv to what all series of this image are",
        )
    factor, text = _from_weight(head, kind, where)
    return SuvScale(factor, SUV_UNITS[kind], (f"SUVbw (Units {units}) converted: {text}",))


def _from_weight(head: Dataset, kind: SuvKind, where: str) -> tuple[float, str]:
    """Factor from SUV by body weight to another measure."""
    weight, _ = body_measure(head, "bw", where)
    measure, text = body_measure(head, kind, where)
    return measure / weight, text


def _philips(headers: Sequence[Dataset], where: str, kind: SuvKind, whole: Sequence[Dataset]) -> SuvScale:
    factor = _vendor_factor(headers, 0x00)
    if factor is not None:
        told = f"counts converted to SUVbw with the Philips factor (7053,1000) = {factor:.6g}"
        if kind == "bw":
            return SuvScale(factor, SUV_UNITS[kind], (told,))
        more, text = _from_weight(headers[0], kind, where)
        return SuvScale(factor * more, SUV_UNITS[kind], (told, f"SUVbw converted: {text}"))
    concentration = _vendor_factor(headers, 0x09)
    if concentration is not None:
        scale = _from_activity(headers[0], where, kind, whole)
        told = f"counts converted to Bq/mL with the Philips factor (7053,1009) = {concentration:.6g}"
        return SuvScale(concentration * scale.factor, scale.unit, (told, *scale.notes))
    raise FormatError(
        "PET Units are CNTS (counts) and the Philips factors (7053,1000) and (7053,1009) are missing, not positive or "
        "not the same on all slices",
        where=where,
        allowed="one positive factor",
        todo=_TODO,
    )


def _vendor_factor(headers: Sequence[Dataset], offset: int) -> float | None:
    """A private factor that is positive and the same on all slices."""
    found = {_private(h, 0x7053, "Philips PET Private Group", offset) for h in headers}
    factor = plain_number(next(iter(found))) if len(found) == 1 else None
    return factor if factor is not None and 0 < factor < float("inf") else None


def _from_activity(head: Dataset, where: str, kind: SuvKind, whole: Sequence[Dataset]) -> SuvScale:
    correction = _decay_correction(head, where)
    notes = _corrections(head, where)
    measure, body = body_measure(head, kind, where)
    drugs = head.get("RadiopharmaceuticalInformationSequence") or []
    if len(drugs) != 1:
        raise FormatError(
            f"{len(drugs) or 'no'} items in Radiopharmaceutical Information Sequence (0054,0016)",
            where=where,
            allowed="exactly one",
            todo=_TODO,
        )
    dose = positive(drugs[0], "RadionuclideTotalDose", "Radionuclide Total Dose (0018,1074)", where)
    if dose < 1e4:
        raise FormatError(
            f"Radionuclide Total Dose (0018,1074) is {dose:g} Bq",
            where=where,
            allowed="the injected activity in Bq",
            todo="the value looks like MBq; correct the header",
        )
    unit = SUV_UNITS[kind]
    text = f"Bq/mL converted to {unit.split()[0]}: {body}, {dose / 1e6:.6g} MBq"
    if correction == "ADMIN":
        text += ", decay-corrected to administration (ADMIN)"
        return SuvScale(suv_factor(measure, dose, 0.0, 1.0), unit, (text, *notes))
    half_life = positive(drugs[0], "RadionuclideHalfLife", "Radionuclide Half Life (0018,1075)", where)
    decay, more = _decay(whole, drugs[0], half_life, where)
    until = "scan start (START)" if correction == "START" else "Decay Correction DateTime (0018,9701)"
    text += f" decayed for {decay:g} s from injection to {until}, half-life {half_life:g} s"
    return SuvScale(suv_factor(measure, dose, decay, half_life), unit, (text, *notes, *more))


def _decay_correction(head: Dataset, where: str) -> str:
    """START, ADMIN, or MOMENT for enhanced objects, which give the moment itself."""
    correction = str(head.get("DecayCorrection", "") or "").strip().upper()
    if correction in ("START", "ADMIN"):
        return correction
    corrected = str(head.get("DecayCorrected", "") or "").strip().upper()
    if not correction and corrected == "YES":
        return "MOMENT"
    named = (
        f"Decay Corrected (0018,9758) is {corrected}"
        if corrected
        else f"Decay Correction (0054,1102) is {correction or 'missing'}"
    )
    raise FormatError(
        named,
        where=where,
        allowed="YES" if corrected else "START or ADMIN",
        todo="reconstruct the series with decay correction",
    )


def _corrections(head: Dataset, where: str) -> list[str]:
    attenuation = str(head.get("AttenuationCorrected", "") or "").strip().upper()
    if attenuation == "YES":
        return []
    if attenuation:
        raise FormatError(
            f"Attenuation Corrected (0018,9759) is {attenuation}",
            where=where,
            allowed="YES",
            todo="use the corrected series of this examination",
        )
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
            todo="compare (0018,1072), (0018,1078), (0008,0031), (0008,0032), (0018,9701); de-identification may have "
            "moved dates",
        )
    return decay, notes


def _start_moment(head: Dataset, drug: Dataset, clock: timedelta | None, where: str) -> datetime | None:
    """Radiopharmaceutical Start DateTime in the clock of the scanner, None when absent."""
    text = str(drug.get("RadiopharmaceuticalStartDateTime", "") or "")
    start = _moment(text)
    if start is None:
        return None
    offset, local = _utc_offset(text), _local_offset(head)
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


def _local_offset(head: Dataset) -> timedelta | None:
    """Offset of the clock that the scan time is told by."""
    if "DecayCorrected" in head:
        own = _utc_offset(str(head.get("DecayCorrectionDateTime", "") or ""))
        if own is not None:
            return own
    return _utc_offset(str(head.get("TimezoneOffsetFromUTC", "") or ""))


def _utc_offset(text: str) -> timedelta | None:
    match = re.search(r"([+-])(\d\d)(\d\d)$", text.strip())
    if match is None:
        return None
    size = timedelta(hours=int(match.group(2)), minutes=int(match.group(3)))
    return size if match.group(1) == "+" else -size


def _scan_time(headers: Sequence[Dataset], where: str) -> tuple[datetime, list[str]]:
    """Moment the intensities are decay-corrected to, after QIBA: series time unless acquisition began before it."""
    if "DecayCorrected" in headers[0]:  # an enhanced object, which gives the moment itself
        moment = _moment(headers[0].get("DecayCorrectionDateTime"))
        if moment is None:
            raise FormatError("Decay Correction DateTime (0018,9701) is missing or unreadable", where=where, todo=_TODO)
        return moment, []
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
    if clock is None:  # frames of converted objects have date and time in one
        whole = [_moment(header.get(f"{part}{of}DateTime")) for part in ("Frame", "")]
        return next((moment for moment in whole if moment is not None), None)
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
