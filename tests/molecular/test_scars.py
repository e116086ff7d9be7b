"""Scars of homologous recombination deficiency, ploidy and aneuploidy, on profiles drawn by hand and at random."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from naive import scars as naive
from radiolocus.molecular.arms import ARMS
from radiolocus.molecular.ploidy import measure_genome
from radiolocus.molecular.scars import Scars, scars

MB = 1_000_000


def profile(*rows):
    """Segments of (chromosome, start Mb, end Mb, major, minor)."""
    names = ["chromosome", "start", "end", "major", "minor"]
    made = [(str(c), int(a * MB), int(b * MB), float(x), float(y)) for c, a, b, x, y in rows]
    frame = pl.DataFrame(made, names, orient="row")
    return frame.with_columns(total=pl.col("major") + pl.col("minor"), log2_ratio=pl.lit(None, pl.Float64))


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([(1, 0, 249, 1, 1)], (0, 0, 0)),
        ([(1, 0, 249, 1, 0)], (0, 0, 0)),  # a whole chromosome lost counts nowhere
        ([(1, 0, 40, 1, 1), (1, 40, 56, 2, 0), (1, 56, 249, 1, 1)], (1, 0, 2)),
        ([(1, 0, 40, 1, 1), (1, 40, 55, 2, 0), (1, 55, 249, 1, 1)], (0, 0, 2)),  # exactly 15 Mb is not longer
        ([(1, 0, 40, 1, 1), (1, 40, 48, 2, 0), (1, 48, 56, 1, 0), (1, 56, 249, 1, 1)], (1, 0, 0)),
        ([(1, 0, 20, 2, 1), (1, 20, 249, 1, 1)], (0, 1, 1)),
        ([(1, 0, 20, 1, 1), (1, 20, 200, 1, 1), (1, 200, 249, 3, 1)], (0, 1, 1)),
        ([(1, 0, 124, 2, 1), (1, 124, 249, 1, 1)], (0, 0, 0)),  # crosses the centromere
        ([(1, 0, 20, 2, 2), (1, 20, 249, 2, 1)], (0, 1, 1)),  # mostly three copies: 2 + 1 is the balance
        ([(1, 0, 30, 1, 1), (1, 30, 32, 3, 1), (1, 32, 249, 1, 1)], (0, 0, 0)),  # below 3 Mb: taken out, unites
        ([(1, 0, 30, 1, 1), (1, 30, 32, 3, 1), (1, 32, 249, 2, 2)], (0, 0, 1)),
        ([(1, 0, 30, 1, 1), (1, 33, 249, 2, 2)], (0, 0, 0)),  # 3 Mb apart
        ([("X", 0, 30, 2, 0), ("X", 30, 150, 1, 1)], (0, 0, 0)),
    ],
)
def test_definitions(rows, wanted):
    found = scars(profile(*rows), "hg19")
    assert (found.loh, found.tai, found.lst) == wanted
    assert found.total == sum(wanted)


def random_profile(rng):
    rows = []
    for name, (_, _, length) in ARMS["hg38"].items():
        cuts = np.sort(rng.choice(np.arange(1, length // MB), rng.integers(0, 9), replace=False))
        edges = [0, *cuts.tolist(), length / MB]
        for start, end in pairwise(edges):
            if rng.random() < 0.93:
                minor = rng.choice([0, 1, 1, 2])
                rows.append((name, start, end, max(minor, rng.choice([1, 2, 3])), minor))
    return profile(*rows)


def test_random_profiles_are_those_of_the_slow_twin():
    rng = np.random.default_rng(3)
    for _ in range(12):
        frame = random_profile(rng)
        expected = np.zeros(3, int)
        for name, (begin, stop, _) in ARMS["hg38"].items():
            part = frame.filter(chromosome=name).select("start", "end", A="major", B="minor").to_dicts()
            if part:
                part = naive.joined(part)
                expected += [naive.loh(part), naive.tai(part, begin, stop), naive.lst(part, begin, stop)]
        assert scars(frame, "hg38") == Scars(*expected.tolist())


def whole(major, minor, build="hg19"):
    return [(name, 0, length / MB, major, minor) for name, (_, _, length) in ARMS[build].items()]


def test_a_normal_a_doubled_and_a_triploid_genome():
    normal = measure_genome(profile(*whole(1, 1)), "hg19")
    assert (normal.ploidy, normal.doubled, normal.altered, normal.loss_of_heterozygosity) == (2, 0, 0, 0)
    assert (normal.arms_called, normal.aneuploidy) == (39, 0)
    assert normal.covered == pytest.approx(1, abs=1e-6)
    doubled = measure_genome(profile(*whole(2, 2)), "hg19")
    assert (doubled.ploidy, doubled.doubled, doubled.altered) == (4, 1, 0)
    assert measure_genome(profile(*whole(2, 0)), "hg19").loss_of_heterozygosity == 1


def test_gains_and_losses_of_arms():
    rows = [r for r in whole(1, 1) if r[0] not in ("7", "10", "13")]
    rows += [
        ("7", 0, 159, 2, 1),
        ("10", 0, 38, 1, 0),
        ("10", 43, 135, 1, 1),
        ("13", 0, 50, 1, 1),
        ("13", 50, 115, 2, 1),
    ]
    found = measure_genome(profile(*rows), "hg19")
    # 7p, 7q and 10p are altered; 13q, changed over two thirds, is not called.
    assert (found.arms_altered, found.arms_called) == (3, 38)
    assert found.aneuploidy == pytest.approx(3 / 38)
    size = sum(b - a for _, a, b, _, _ in rows)
    assert found.altered == pytest.approx((159 + 38 + 65) / size, rel=1e-4)


def test_log_ratios_alone_tell_of_gains_and_losses_only():
    frame = profile(("1", 0, 100, 1, 1), ("1", 100, 200, 1, 1)).with_columns(
        pl.lit(None, pl.Float64).alias(c) for c in ("major", "minor", "total")
    )
    found = measure_genome(frame.with_columns(log2_ratio=pl.Series([0.5, -0.1])), "hg19")
    assert found.altered == pytest.approx(0.5)
    assert np.isnan([found.ploidy, found.doubled, found.loss_of_heterozygosity]).all()
