import numpy as np
import pytest

from radiolocus.errors import ConfigError
from radiolocus.molecular.published_signatures import (
    METHODS,
    chosen_signatures,
    parse_signatures,
    published_signatures,
)

OWN = """
group = "mine"
[[signature]]
name = "mine"
title = "Mine"
method = "mean_log2"
definition = "mean"
unit = "log2"
reference = "here"
genes = ["A", "B"]
"""


def test_numbers_of_genes_are_those_of_the_papers():
    known = published_signatures()
    size = {name: len(s.members) for name, s in known.items()}
    assert size["rsi"] == 10  # Eschrich 2009
    assert size["t_cell_inflamed"] == 18  # Ayers 2017
    assert len(known["t_cell_inflamed"].housekeeping) == 11
    assert size["ifn_gamma"] == 6  # Ayers 2017
    assert size["cytolytic_activity"] == 2  # Rooney 2015
    assert size["buffa_hypoxia"] == 51  # Buffa 2010
    assert size["pam50_proliferation"] == 11  # Nielsen 2010
    assert size["recombination_proficiency"] == 4  # Pitroda 2014
    assert size["emt"] == 12  # Thompson 2020
    assert sum(known["emt"].weights.values()) == pytest.approx(0, abs=1e-12)
    cells = [s for s in known.values() if s.group == "immune_cells"]
    assert (len(cells), sum(len(s.members) for s in cells)) == (14, 60)  # Danaher 2017
    assert all("doi:" in s.reference for s in known.values())


def test_radiosensitivity_index_by_hand():
    """The lowest gene has rank 1: with the genes in the order of the paper's equation, Σ place × coefficient."""
    rsi = published_signatures()["rsi"]
    equation = (
        -0.0098009 * 1 + 0.0128283 * 2 + 0.0254552 * 3 - 0.0017589 * 4 - 0.0038171 * 5 + 0.1070213 * 6
        - 0.0002509 * 7 - 0.0092431 * 8 - 0.0204469 * 9 - 0.0441683 * 10
    )  # fmt: skip
    values = np.arange(10.0)[:, None] ** 2
    weights = np.array(list(rsi.weights.values()))
    assert METHODS["rank_sum"].score(values, weights, 0.0)[0] == pytest.approx(equation, abs=1e-12)
    # ABL1 weighs most of what is resistant, IRF1 of what is sensitive.
    assert max(rsi.weights, key=rsi.weights.get) == "ABL1"
    assert min(rsi.weights, key=rsi.weights.get) == "IRF1"


def test_methods_by_hand():
    values, ones = np.array([[1.0, 2.0, 4.0], [3.0, 3.0, 9.0]]), np.ones(2)
    score = {name: method.score(values, ones, 0.01) for name, method in METHODS.items()}
    np.testing.assert_allclose(score["mean_log2"], [2, 2.5, 6.5])
    np.testing.assert_allclose(score["weighted_sum"], [4, 5, 13])
    np.testing.assert_allclose(score["rank_sum"], [3, 3, 3])
    np.testing.assert_allclose(score["geometric_mean"], np.sqrt((values[0] + 0.01) * (values[1] + 0.01)))
    np.testing.assert_allclose(score["median_signs"], [-0.5, 0.0, 1.0])
    assert score["mean_z"].mean() == pytest.approx(0, abs=1e-12)


def test_names_groups_and_files_of_ones_own():
    found = chosen_signatures(["rsi", "immune", "own.toml"], lambda name: OWN)
    assert list(found) == ["rsi", "t_cell_inflamed", "ifn_gamma", "cytolytic_activity", "mine"]
    with pytest.raises(ConfigError) as caught:
        chosen_signatures(["cytolitic_activity"], str)
    assert "'cytolytic_activity'" in caught.value.todo
    with pytest.raises(ConfigError, match="'ifn_gamma' twice"):
        chosen_signatures(["immune", "ifn_gamma"], str)


@pytest.mark.parametrize(
    ("old", "new", "got"),
    [
        ('reference = "here"\n', "", "no reference"),
        ('reference = "here"', 'reference = ""', "no reference"),
        ('"mean_log2"', '"mean"', "unknown method of a signature 'mean'"),
        ('"mean_log2"', '"rank_sum"', "2 genes and 0 weights"),
        ('"mean_log2"', '"geometric_mean"', "offset = 0.0"),
        ('genes = ["A", "B"]', 'genes = ["A", "A"]', "a gene twice"),
        ('genes = ["A", "B"]', "genes = 3", "genes = 3"),
        ('genes = ["A", "B"]', 'weights = { A = "x" }', "weights = "),
        ('genes = ["A", "B"]', 'genes = ["A"]\naliases = { A = "x" }', "aliases = "),
        ('genes = ["A", "B"]', 'genes = ["A"]\nofset = 1', "unknown key 'ofset'"),
        ('genes = ["A", "B"]', 'genes = ["A"]\noffset = true', "offset = True"),
        ('genes = ["A", "B"]', 'genes = ["A"]\ncomplete = 1', "complete = 1"),
        ('group = "mine"', "groups = 3", "keys groups, signature"),
        ("[[signature]]", "[[signature", "not valid TOML"),
    ],
)
def test_a_signature_that_is_none(old, new, got):
    with pytest.raises(ConfigError) as caught:
        parse_signatures(OWN.replace(old, new), "own.toml")
    assert got in caught.value.got
    assert "own.toml" in caught.value.where or caught.value.where.startswith("own.toml")


def test_twice_and_housekeeping_without_logarithms():
    with pytest.raises(ConfigError, match="a signature twice"):
        parse_signatures(OWN + OWN.split("\n", 2)[2], "own.toml")
    linear = OWN.replace('"mean_log2"', '"geometric_mean"\noffset = 1\nhousekeeping = ["C"]')
    with pytest.raises(ConfigError, match="housekeeping genes and 'geometric_mean'"):
        parse_signatures(linear, "own.toml")
