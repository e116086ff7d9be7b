"""RECIST by volume: the thresholds of RECIST 1.1 for spheres of the same diameters."""

from __future__ import annotations

from radiolocus.response.criterion import CRITERIA, RECIST_WORDS, Call, Course, CriteriaOptions, Criterion, Rule
from radiolocus.response.sums import Ladder, readings, summed

__all__ = ["volumetric"]

PAPER = "sphere of the diameters of Eisenhauer et al., Eur J Cancer 2009;45:228"
CR = Rule("volume.CR", "CR", "all targets gone", PAPER)
PR = Rule(
    "volume.PR",
    "PR",
    "sum of volumes at least {percent} % below baseline (1 − 0.7³)",
    PAPER,
    numbers={"percent": 100 * (1 - 0.7**3)},
)
SD = Rule("volume.SD", "SD", "neither PR nor PD", PAPER)
PD = Rule(
    "volume.PD",
    "PD",
    "sum of volumes at least {percent} % above the smallest earlier sum (1.2³ − 1)",
    PAPER,
    numbers={"percent": 100 * (1.2**3 - 1)},
)
NE = Rule("volume.NE", "NE", "a target was not evaluated, and the measured rest does not prove PD", PAPER)
OTHER = Rule("volume.NT", "PD", "unequivocal progression of a non-target", PAPER)
NEW = Rule("volume.NEW", "PD", "an unequivocal new lesion", PAPER)


def volumetric(course: Course, options: CriteriaOptions) -> list[Call]:
    """Call every later visit of a course."""
    del options
    found = readings(course, lambda lesion: lesion.size("volume_ml"))
    return summed(course, found, Ladder(CR, PR, SD, PD, NE, "mL"), new=NEW, other=OTHER)


CRITERIA.add(
    "volumetric",
    Criterion(
        "volumetric",
        "Volumetric thresholds",
        PAPER,
        "sum of volumes, mL",
        ("volume_ml",),
        RECIST_WORDS,
        (CR, PR, SD, PD, NE, OTHER, NEW),
        volumetric,
        ("There is no least growth in mL: the 5 mm of RECIST 1.1 have no counterpart that does not depend on size.",),
    ),
)
