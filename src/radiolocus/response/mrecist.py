"""mRECIST: hepatocellular carcinoma by its part that enhances in the arterial phase."""

from __future__ import annotations

from dataclasses import replace

from radiolocus.response.criterion import CRITERIA, RECIST_WORDS, Call, Course, CriteriaOptions, Criterion, Lesion, Rule
from radiolocus.response.sums import Ladder, length, readings, summed

__all__ = ["mrecist"]

PAPER = "Lencioni & Llovet, Semin Liver Dis 2010;30:52"
CR = Rule(
    "mrecist.CR", "CR", "no target enhances in the arterial phase; nodes below {node} mm", PAPER, numbers={"node": 10}
)
PR = Rule(
    "mrecist.PR", "PR", "sum of viable diameters at least {percent} % below baseline", PAPER, numbers={"percent": 30}
)
SD = Rule("mrecist.SD", "SD", "neither PR nor PD", PAPER)
PD = Rule(
    "mrecist.PD",
    "PD",
    "sum of viable diameters at least {percent} % above the smallest earlier sum (option `mrecist_growth_mm`)",
    PAPER,
    numbers={"percent": 20},
)
NE = Rule("mrecist.NE", "NE", "a target was not evaluated, and the measured rest does not prove PD", PAPER)
OTHER = Rule("mrecist.NT", "PD", "unequivocal progression of a non-target (effusions: malignancy proven)", PAPER)
NEW = Rule(
    "mrecist.NEW",
    "PD",
    "a new lesion; in the liver of at least {least} mm with the vascular pattern of hepatocellular carcinoma",
    PAPER,
    numbers={"least": 10},
)
NODE = Rule(
    "mrecist.NODE",
    "target",
    "a porta hepatis node is malignant from {portal} mm short axis on, another from {node} mm",
    PAPER,
    numbers={"portal": 20, "node": 15},
)


def _viable(lesion: Lesion) -> float | None:
    return length(lesion) if lesion.node else lesion.size("viable_mm")


def _gone(lesion: Lesion) -> bool:
    size = _viable(lesion)
    return size is not None and bool(size < CR["node"] if lesion.node else size == 0)


def _counts(lesion: Lesion) -> bool:
    size, organ = lesion.get("diameter_mm"), lesion.organ.lower()
    if size is None:
        return True
    if lesion.node:
        return bool(size >= (NODE["portal"] if "port" in organ else NODE["node"]))
    return bool(size >= NEW["least"]) if "liver" in organ or "hepat" in organ else True


def mrecist(course: Course, options: CriteriaOptions) -> list[Call]:
    """Call every later visit of a course."""
    grown = replace(PD, numbers={**PD.numbers, "least": options.mrecist_growth_mm})
    ladder = Ladder(CR, PR, SD, grown, NE, "mm")
    return summed(course, readings(course, _viable, _gone), ladder, new=NEW, other=OTHER, counts=_counts)


def _remarks(course: Course) -> list[tuple[str, str, str]]:
    found = []
    for label, lesion in course.baseline.targets.items():
        size = lesion.size("diameter_mm")
        least = NODE["portal"] if "port" in lesion.organ.lower() else NODE["node"]
        if lesion.node and size is not None and size < least - 1e-9:
            found.append((f"lesion {label}", f"a nodal target of {size:g} mm", f"{NODE.words} [{NODE.key}]"))
    return found


CRITERIA.add(
    "mrecist",
    Criterion(
        "mrecist",
        "mRECIST (hepatocellular carcinoma)",
        PAPER,
        "sum of viable diameters, mm",
        ("viable_mm",),
        RECIST_WORDS,
        (CR, PR, SD, PD, NE, OTHER, NEW, NODE),
        mrecist,
        (
            "A node below the threshold of its place is no new lesion.",
            "The paper amends RECIST of 2000 and asks for no least growth in mm; `mrecist_growth_mm = 5` adds that of "
            "RECIST 1.1.",
        ),
        _remarks,
    ),
)
