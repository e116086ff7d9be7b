"""Registries are loud."""

import pytest

from radiolocus.errors import ConfigError
from radiolocus.registry import Registry, suggest


def test_look_up_suggests_the_nearest_name():
    known = Registry("feature family")
    known.add("morphology", 1)
    known.add("glcm", 2)
    assert known["glcm"] == 2
    assert list(known) == ["morphology", "glcm"]
    with pytest.raises(ConfigError, match=r"unknown feature family 'GLMC'; allowed: morphology, glcm;.*'glcm'"):
        known["GLMC"]


def test_a_name_is_registered_once():
    known = Registry("model")
    known.register("cox")(object())
    with pytest.raises(ConfigError, match="twice"):
        known.register("cox")(object())


def test_nothing_near_suggests_nothing():
    assert suggest("zzz", ["morphology"]) == ""
