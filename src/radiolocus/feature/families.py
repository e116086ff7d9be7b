"""The families there are, in the order of their columns. A new family is a file and a line here."""

from __future__ import annotations

from radiolocus.feature import (
    glcm,
    gldzm,
    glrlm,
    glszm,
    intensity,
    intensity_histogram,
    intensity_volume_histogram,
    local_intensity,
    morphology,
    ngldm,
    ngtdm,
)
from radiolocus.feature.core import Family
from radiolocus.registry import Registry

__all__ = ["FAMILIES"]

FAMILIES: Registry[Family] = Registry("feature family")

for _module in (
    morphology,
    local_intensity,
    intensity,
    intensity_histogram,
    intensity_volume_histogram,
    glcm,
    glrlm,
    glszm,
    gldzm,
    ngtdm,
    ngldm,
):
    FAMILIES.add(_module.FAMILY.name, _module.FAMILY)
