"""Which paths are split, and that what was planted comes out."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from radiolocus.associate.mechanism_options import MechanismOptions
from radiolocus.associate.mechanism_paths import chosen_pairs, split_paths
from radiolocus.errors import ConfigError
from radiolocus.model import Endpoint
from radiolocus.schema import TABLES
from radiolocus.stats.mediation import e_value, mediate

N = 500


def edges(*pairs):
    schema = TABLES["mechanism/edges"].schema
    told = [
        dict.fromkeys(schema)
        | {"source": a, "target": m, "source_kind": k, "target_kind": "feature", "neg_log_10_p_value": p}
        for a, k, m, p in pairs
    ]
    return pl.DataFrame(told, schema=schema)


FOUND = edges(
    ("mut:A", "marker", "CT:x", 20.0),
    ("mut:A", "marker", "CT:y", 19.0),
    ("mut:B", "marker", "CT:x", 3.0),
    ("rs1", "variant", "CT:x", 30.0),
    ("SET", "gene set", "CT:x", 40.0),
)
FEATURES, EXPOSURES = ["CT:x", "CT:y"], ["mut:A", "mut:B", "rs1"]


def test_the_strongest_pair_of_every_marker_comes_first():
    pairs, notes = chosen_pairs(FOUND, MechanismOptions(), FEATURES, EXPOSURES)
    assert pairs == [("mut:A", "CT:x"), ("mut:B", "CT:x"), ("mut:A", "CT:y")]
    assert notes == []
    pairs, notes = chosen_pairs(FOUND, MechanismOptions(pairs=2), FEATURES, EXPOSURES)
    assert pairs == [("mut:A", "CT:x"), ("mut:B", "CT:x")]
    assert notes[0].got == "3 pairs of exposure and mediator; paths of the first 2 are split"


def test_exposures_and_mediators_can_be_named():
    options = MechanismOptions(exposures=("rs1",))
    assert chosen_pairs(FOUND, options, FEATURES, EXPOSURES)[0] == [("rs1", "CT:x")]
    options = MechanismOptions(mediators=("CT:y",))
    assert chosen_pairs(FOUND, options, FEATURES, EXPOSURES)[0] == [("mut:A", "CT:y")]
    # both named: no finding is needed, so that a path chosen beforehand is split whatever was found
    options = MechanismOptions(exposures=("mut:B",), mediators=("CT:y",))
    assert chosen_pairs(FOUND, options, FEATURES, EXPOSURES)[0] == [("mut:B", "CT:y")]


@pytest.mark.parametrize(
    ("options", "got", "todo"),
    [
        ({"exposures": ("mut:a",)}, "mechanism.exposures: no 'mut:a'", "did you mean 'mut:A'?"),
        ({"mediators": ("CT:xx",)}, "mechanism.mediators: no 'CT:xx'", "did you mean 'CT:x'?"),
    ],
)
def test_a_name_that_is_not_there_is_refused(options, got, todo):
    with pytest.raises(ConfigError) as raised:
        chosen_pairs(FOUND, MechanismOptions(**options), FEATURES, EXPOSURES)
    assert raised.value.message.startswith(got)
    assert raised.value.todo == todo


@pytest.mark.parametrize(
    ("option", "got"),
    [
        ({"max_q": 0.0}, "max_q = 0.0"),
        ({"draws": 10}, "draws = 10"),
        ({"pairs": -1}, "pairs = -1"),
        ({"interval": "normal"}, "interval = 'normal'"),
        ({"covariates": ("age", "age")}, "covariates = ['age', 'age']"),
    ],
)
def test_options_that_cannot_be_followed_are_refused(option, got):
    with pytest.raises(ConfigError) as raised:
        MechanismOptions(**option)
    assert raised.value.got == got


@pytest.fixture(scope="module")
def planted():
    """A mutation that acts through CT:x alone, and a marker that acts beside it."""
    rng = np.random.default_rng(11)
    a, b = rng.binomial(1, 0.4, N).astype(float), 3 * rng.normal(size=N)
    copies = rng.binomial(2, 0.3, N).astype(float)
    x = 1.0 * a + 0.5 * copies + rng.normal(size=N)
    site = rng.choice(["n", "s"], N)
    hazard = 0.02 + 0.02 * np.clip(x, 0, None) + 0.01 * (b > 0)
    time = rng.exponential(1 / hazard)
    end = rng.uniform(10, 80, N)
    subjects = tuple(f"s{i:03d}" for i in range(N))
    survival = Endpoint("os", "survival", subjects, (time <= end).astype(float), np.minimum(time, end), "months")
    chance = 1 / (1 + np.exp(-(-0.5 + 0.8 * x)))
    binary = Endpoint("relapse", "binary", subjects, (rng.random(N) < chance).astype(float))
    markers = pl.DataFrame({"subject": subjects, "mut:A": a, "score": b, "rs1": copies, "flat": np.full(N, 2.0)})
    features = pl.DataFrame({"subject": subjects, "CT:x": x, "CT:noise": rng.normal(size=N)})
    return markers, features, [survival, binary], pl.DataFrame({"subject": subjects, "site": site})


@pytest.fixture(scope="module")
def split(planted):
    pairs = [("mut:A", "CT:x"), ("mut:A", "CT:noise"), ("score", "CT:x"), ("rs1", "CT:x")]
    options = MechanismOptions(draws=200, covariates=("site",))
    tables, problems = split_paths(pairs, planted[0], planted[1], planted[2], planted[3], options, ("rs1",))
    assert not problems
    return {(r["exposure"], r["mediator"], r["outcome"]): r for r in tables["mechanism/paths"].iter_rows(named=True)}


@pytest.mark.parametrize("outcome", ["os", "relapse"])
def test_the_planted_path_is_found_and_no_other(split, outcome):
    through = split["mut:A", "CT:x", outcome]
    assert through["lower"] > 0
    assert through["direct_lower"] < 0 < through["direct_upper"]
    assert through["e_value"] > through["e_value_limit"] > 1
    assert through["q_value"] < 0.05
    for path in (("mut:A", "CT:noise", outcome), ("score", "CT:x", outcome)):
        assert split[path]["lower"] < 0 < split[path]["upper"]
        assert split[path]["e_value_limit"] == 1
    assert split["rs1", "CT:x", outcome]["lower"] > 0


def test_the_contrast_is_told(split):
    assert {k[0]: v["contrast"] for k, v in split.items()} == {
        "mut:A": "present − absent", "score": "1 SD more", "rs1": "one copy more",
    }  # fmt: skip


def test_numbers_are_those_of_the_lower_floor(planted, split):
    markers, features, (survival, binary), clinical = planted
    site = (clinical["site"] == "s").cast(pl.Float64).to_numpy()
    a, x = markers["mut:A"].to_numpy(), features["CT:x"].to_numpy()
    alone = mediate(a, x, binary.event, site, kind="logistic", draws=200)
    row = split["mut:A", "CT:x", "relapse"]
    assert (row["mediated"], row["lower"], row["direct"]) == (
        alone.mediated.estimate, alone.mediated.lower, alone.direct.estimate,
    )  # fmt: skip
    assert row["e_value"] == pytest.approx(e_value(1 + alone.mediated.estimate / _base(alone)))
    late = mediate(a, x, survival.time, site, kind="survival", event=survival.event, draws=200)
    row = split["mut:A", "CT:x", "os"]
    assert row["mediated"] == late.mediated.estimate
    rate = survival.event.sum() / survival.time.sum()
    assert row["e_value"] == pytest.approx(e_value(1 + late.mediated.estimate / rate))
    assert row["e_value_limit"] == pytest.approx(e_value(1 + late.mediated.lower / rate))
    spread = markers["score"].std()
    scaled = mediate(
        markers["score"].to_numpy() / spread, x, survival.time, site, kind="survival", event=survival.event, draws=100
    )
    assert split["score", "CT:x", "os"]["total"] == pytest.approx(scaled.total.estimate)


def _base(found):
    return found.mediated.estimate / (found.risk_ratio - 1)


def test_the_rate_of_false_discoveries_is_over_all_paths(split):
    p = np.array([r["p_value"] for r in split.values()])
    order = np.argsort(p)
    q = np.minimum.accumulate((p[order] * p.size / np.arange(1, p.size + 1))[::-1])[::-1]
    told = np.array([r["q_value"] for r in split.values()])
    assert told[order] == pytest.approx(np.minimum(q, 1))


def test_a_protective_path_has_the_same_robustness(planted):
    """Turning the marker round turns the effects, and an effect and its opposite are about as hard to explain away."""
    markers, features, ends, clinical = planted
    turned = markers.with_columns((1 - pl.col("mut:A")).alias("mut:A"))
    options = MechanismOptions(draws=100)
    tables, _ = split_paths([("mut:A", "CT:x")], turned, features, ends, clinical, options)
    for row in tables["mechanism/paths"].iter_rows(named=True):
        assert row["upper"] < 0
        assert row["e_value"] > row["e_value_limit"] > 1


def test_a_path_that_cannot_be_split_is_told_and_loses_no_other(planted):
    markers, features, ends, clinical = planted
    few = features.with_columns(pl.when(pl.int_range(N) < 3).then(0.0).alias("CT:noise"))
    pairs = [("mut:A", "CT:noise"), ("flat", "CT:x"), ("mut:A", "CT:x")]
    tables, problems = split_paths(pairs, markers, few, ends[1:], clinical, MechanismOptions(draws=100))
    assert tables["mechanism/paths"].select("exposure", "mediator").rows() == [("mut:A", "CT:x")]
    aside = {p.item: p for p in problems if p.severity == "set aside"}
    assert set(aside) == {"mut:A → CT:noise → relapse", "flat → CT:x → relapse"}
    assert {p.stage for p in problems} == {"mechanism"}


def test_nothing_to_split_is_an_empty_table(planted):
    tables, problems = split_paths([], *planted[:3], None, MechanismOptions())
    assert tables["mechanism/paths"].height == 0
    assert problems == []
