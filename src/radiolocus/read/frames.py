"""Multi-frame (enhanced) objects as planes, and the choice among several images in one series.

A frame's header is put together from what the object says once, from the functional groups all frames share and from
its own (DICOM PS3.3 C.7.6.16); from there on a frame is a slice like any other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pydicom.dataset import Dataset

from radiolocus.errors import FormatError, GeometryError
from radiolocus.read.pixels import TODO_COPY
from radiolocus.read.slices import Slice, attribute

__all__ = ["check_stacks", "differences", "expand", "selected"]

_SHARED, _OWN = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
_NOT_TOLD = (_SHARED, _OWN, "DimensionIndexSequence", "NumberOfFrames")
_PET_UNITS = {
    "bq/ml": ("BQML", ""),
    "g/ml{suvbw}": ("GML", "BW"),
    "{suvbw}g/ml": ("GML", "BW"),
    "g/ml": ("GML", ""),
    "g/ml{suvlbm}": ("GML", "LBM"),
    "{suvlbm}g/ml": ("GML", "LBM"),
    "g/ml{suvlbm(james128)}": ("GML", "LBMJAMES128"),
    "{suvlbm(james128)}g/ml": ("GML", "LBMJAMES128"),
    "g/ml{suvlbm(janma)}": ("GML", "LBMJANMA"),
    "{suvlbm(janma)}g/ml": ("GML", "LBMJANMA"),
    "cm2/ml{suvbsa}": ("CM2ML", "BSA"),
    "{suvbsa}cm2/ml": ("CM2ML", "BSA"),
}
# By which one series may hold several images of the same place, the commonest first.
_TELLING = (
    *("StackID", "TemporalPositionIndex", "TemporalPositionIdentifier", "DiffusionBValue", "DiffusionDirectionality"),
    *("EffectiveEchoTime", "EchoTime", "EchoNumbers", "InversionTime", "TriggerTime", "NominalCardiacTriggerDelayTime"),
    *("ComplexImageComponent", "FrameType", "ImageType", "AcquisitionContrast", "FlipAngle", "RepetitionTime"),
    *("ConvolutionKernel", "ReconstructionAlgorithm", "FrameReferenceTime", "AcquisitionNumber", "AcquisitionTime"),
    *("FrameAcquisitionDateTime", "ContentTime"),
)
_SHOWN = 8


def expand(slices: Sequence[Slice], where: str) -> list[Slice]:
    """Take multi-frame objects apart into one slice a frame; slices of a single frame stay as they are.

    Raises
    ------
    FormatError
        A multi-frame object without functional groups, or with damaged ones.
    """
    return [part for s in slices for part in _parts(s, where)]


def _parts(s: Slice, where: str) -> list[Slice]:
    count = int(s.header.get("NumberOfFrames", 1) or 1)
    if _OWN not in s.header:
        if count > 1 or _SHARED in s.header:
            raise FormatError(
                f"a multi-frame object with {count} frames and no functional groups that say where they lie",
                where=f"{where}: {s.path.name}",
                allowed="enhanced CT, MR or PET, or one file a slice",
                todo="convert it to NIfTI (dcm2niix) or to single-frame DICOM",
            )
        return [s]
    try:
        own = list(s.header[_OWN].value or ())
        shared = (list(s.header.get(_SHARED) or ()) or [Dataset()])[0]
        if len(own) != count:
            raise FormatError(
                f"{len(own)} functional groups for {count} frames",
                where=f"{where}: {s.path.name}",
                allowed="one item of Per-Frame Functional Groups (5200,9230) a frame",
                todo=TODO_COPY,
            )
        common = _common(s.header, shared)
        return [Slice(s.path, _frame_header(common, s.header, item), k) for k, item in enumerate(own)]
    except FormatError:
        raise
    except Exception as error:  # a damaged sequence makes pydicom raise almost anything
        raise FormatError(
            f"functional groups are damaged ({type(error).__name__})", where=f"{where}: {s.path.name}", todo=TODO_COPY
        ) from None


def _common(header: Dataset, shared: Dataset) -> Dataset:
    common = Dataset()
    for element in header:
        if element.keyword not in _NOT_TOLD:
            common.add(element)
    _lay_open(common, shared)
    return common


def _lay_open(target: Dataset, groups: Dataset) -> None:
    """Put the attributes of functional groups where objects of a single frame have them.

    Among the groups of converted objects are two for what enhanced objects have no place for (PS3.3 C.7.6.16.2.25).
    """
    for group in groups:
        if group.VR != "SQ" or not group.value:
            continue
        if group.keyword == "RealWorldValueMappingSequence":
            target.add(group)
            continue
        for element in group.value[0]:
            target.add(element)


def _frame_header(common: Dataset, whole: Dataset, own: Dataset) -> Dataset:
    header = Dataset()
    header.update(common)
    if hasattr(whole, "file_meta"):
        header.file_meta = whole.file_meta
    _lay_open(header, own)
    _map_to_real_world(header)
    return header


def _map_to_real_world(header: Dataset) -> None:
    """Take the real-world values where no modality transformation stands, or (PET) where they alone say the unit."""
    mappings = [m for m in header.get("RealWorldValueMappingSequence") or () if "RealWorldValueSlope" in m]
    if not mappings:
        return
    if header.get("Modality") == "PT":
        known = [m for m in mappings if _unit(m).lower() in _PET_UNITS]
        if "Units" in header or len(known) != 1:
            return
        header.Units, kind = _PET_UNITS[_unit(known[0]).lower()]
        if kind:
            header.SUVType = kind
        _rescale(header, known[0])
    elif "RescaleSlope" not in header and len(mappings) == 1:
        _rescale(header, mappings[0])
        if header.get("Modality") == "CT":
            header.RescaleType = "HU" if "hnsf" in _unit(mappings[0]).lower() else _unit(mappings[0])[:16]


def _rescale(header: Dataset, mapping: Dataset) -> None:
    header.RescaleSlope = float(mapping.RealWorldValueSlope)
    header.RescaleIntercept = float(mapping.RealWorldValueIntercept)


def _unit(mapping: Dataset) -> str:
    codes = mapping.get("MeasurementUnitsCodeSequence") or ()
    return str(codes[0].get("CodeValue") or codes[0].get("LongCodeValue") or "").strip() if codes else ""


def selected(slices: Sequence[Slice], select: Mapping[str, str | int | float], where: str) -> list[Slice]:
    """Keep the slices whose attributes have the values that were asked for.

    Raises
    ------
    FormatError
        None has them; the message lists the values that there are.
    """
    kept = list(slices)
    for name, wanted in select.items():
        before = kept
        kept = [s for s in before if _same(attribute(s, name), str(wanted))]
        if not kept:
            found = _values(before, name)
            raise FormatError(
                f"no slice with {name} = {wanted}",
                where=where,
                allowed=f"{name} = {_listed(found)}" if any(found) else "attributes that the slices have",
                todo=f"these tell slices of one place apart: {text}"
                if (text := differences(before))
                else f"take {name} out of select: nothing needs to be chosen here",
            )
    return kept


def _same(found: str, wanted: str) -> bool:
    if found.strip() == wanted.strip():
        return True
    try:
        return math.isclose(float(found), float(wanted), rel_tol=1e-6, abs_tol=1e-9)
    except ValueError:
        return False


def check_stacks(slices: Sequence[Slice], where: str) -> None:
    """Refuse frames of several stacks: each is an image of its own, even where together they look like one.

    Raises
    ------
    GeometryError
        With the list of stacks.
    """
    stacks = _values(slices, "StackID")
    if len(stacks) > 1:
        raise GeometryError(
            f"{len(stacks)} stacks in one object: StackID = {_listed(stacks)}",
            where=where,
            allowed="one stack",
            todo=f"choose one, e.g. select = {{ StackID = {_quoted(stacks[0])} }}",
        )


def differences(slices: Sequence[Slice]) -> str:
    """Say by which attributes slices of the same place differ; empty when by none of those that are looked at."""
    groups: dict[tuple[str, str], list[Slice]] = {}
    for s in slices:
        place = attribute(s, "ImagePositionPatient"), attribute(s, "ImageOrientationPatient")
        groups.setdefault(place, []).append(s)
    several = [group for group in groups.values() if len(group) > 1]
    telling = [name for name in _TELLING if any(len(_values(group, name)) > 1 for group in several)]
    return "; ".join(f"{name} = {_listed(_values(slices, name))}" for name in telling[:4])


def _values(slices: Sequence[Slice], name: str) -> list[str]:
    return sorted(dict.fromkeys(attribute(s, name) for s in slices), key=_natural)


def _natural(text: str) -> tuple[int, float, str]:
    try:
        return 0, float(text), text
    except ValueError:
        return 1, 0.0, text


def _listed(values: Sequence[str]) -> str:
    shown = ", ".join(v or "none" for v in values[:_SHOWN])
    return f"{shown}, ... ({len(values)} in all)" if len(values) > _SHOWN else shown


def _quoted(text: str) -> str:
    return text if _natural(text)[0] == 0 else f'"{text}"'
