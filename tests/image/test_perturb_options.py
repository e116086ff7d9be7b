"""Which copies the options make, under which names and seeds."""

from __future__ import annotations

import pytest

from radiolocus.errors import ConfigError
from radiolocus.image.perturb_options import Perturbation, PerturbOptions, seed_of


def test_a_chain_combines_all_values():
    options = PerturbOptions(rotation_deg=(-5.0, 5.0), translation=(0.25,), noise=1, volume=(-0.1, 0.1), contour=2)
    names = [copy.name for copy in options.copies()]
    assert len(names) == len(set(names)) == 8
    assert names[0] == "rotation -5, translation 0.25, noise 1, volume -10 %, contour 1"
    assert names[-1] == "rotation 5, translation 0.25, noise 1, volume +10 %, contour 2"


def test_each_perturbation_can_have_its_own_copies():
    options = PerturbOptions(rotation_deg=(-5.0, 5.0), noise=2, volume=(0.1,), combine="each")
    assert [c.name for c in options.copies()] == ["rotation -5", "rotation 5", "noise 1", "noise 2", "volume +10 %"]


def test_the_image_itself_may_be_the_second_copy():
    assert len(PerturbOptions(noise=1, original=True).copies()) == 1
    assert Perturbation().name == "as it is"


def test_seeds_depend_on_every_name_and_on_nothing_else():
    seeds = {seed_of(*names) for names in [(1, "CT", "S1"), (2, "CT", "S1"), (1, "PT", "S1"), (1, "CT", "S2")]}
    assert len(seeds) == 4
    assert seed_of(1, "CT", "S1") == seed_of(1, "CT", "S1")
    assert seed_of(1, "a", "bc") != seed_of(1, "ab", "c")


@pytest.mark.parametrize("stream", [(0,), (1,), (0, 3), (0, 4)])
def test_streams_are_their_own(stream):
    one, same = (Perturbation(seed=5).random(*stream).random() for _ in range(2))
    assert one == same
    assert one != Perturbation(seed=6).random(*stream).random()
    assert one != Perturbation(seed=5).random(2).random()


@pytest.mark.parametrize(
    ("keys", "got", "allowed"),
    [
        ({}, "0 copies", "two or more"),
        ({"noise": 1}, "1 copies", "two or more"),
        ({"rotation_deg": (0.0, 5.0)}, "rotation_deg = [0.0, 5.0]", "-180 to 180"),
        ({"rotation_deg": (5.0, 5.0)}, "rotation_deg = [5.0, 5.0]", "each once"),
        ({"rotation_deg": (5.0, 6.0), "rotation_axis": "w"}, "rotation_axis = 'w'", "z, y, x"),
        ({"translation": (0.5, 1.5)}, "translation = [0.5, 1.5]", "-1 to 1"),
        ({"translation": (0.5, float("nan"))}, "translation", "-1 to 1"),
        ({"volume": (-0.95, 0.1)}, "volume = [-0.95, 0.1]", "-0.9 to 2"),
        ({"noise": -1}, "noise = -1", "0 or more"),
        ({"contour": 2, "seed": -1}, "seed = -1", "0 or more"),
        ({"noise": 2, "combine": "all"}, "combine = 'all'", "chain, each"),
    ],
)
def test_options_that_make_no_sense_are_refused(keys, got, allowed):
    with pytest.raises(ConfigError) as error:
        PerturbOptions(**keys)
    assert got in error.value.got
    assert allowed in error.value.allowed


def test_the_recommended_chain_stands_in_the_message():
    with pytest.raises(ConfigError) as error:
        PerturbOptions()
    assert "Zwanenburg" in error.value.todo
