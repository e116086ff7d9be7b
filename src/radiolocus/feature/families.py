"""The families there are, in the order of their columns. A new family is a file and a line here."""

from __future__ import annotations

from radiolocus.feature import glcm, intensity, local_intensity, morphology
from radiolocus.feature.core import Family
from radiolocus.registry import Registry

__all__ = ["FAMILIES"]

FAMILIES: Registry[Family] = Registry("feature family")

for _family in (morphology.FAMILY, local_intensity.FAMILY, intensity.FAMILY, glcm.FAMILY):
    FAMILIES.add(_family.name, _family)
