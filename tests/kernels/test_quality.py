import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from naive import genotype_quality as naive
from radiolocus.kernels.quality import (
    count_miscalled,
    hard_calls,
    hardy_weinberg,
    tally_genotypes,
)


def hardy(counts, *, midp):
    out = np.empty(len(counts))
    hardy_weinberg(np.array(counts, dtype=np.int64), midp, out)
    return out


@given(st.tuples(*[st.integers(0, 60)] * 3).filter(lambda c: sum(c) > 0), st.booleans())
def test_hardy_weinberg_equals_the_list_of_all_outcomes(counts, midp):
    expected = naive.hardy_weinberg(*counts, midp=midp)
    np.testing.assert_allclose(hardy([counts], midp=midp)[0], -math.log10(expected), rtol=1e-9, atol=1e-12)


def test_p_has_no_smallest_value():
    log_p = hardy([(0, 100_000, 0), (50_000, 0, 50_000)], midp=True)
    assert log_p[0] > 20_000
    # without heterozygotes the likelihood of the observed outcome is C(n, n/2) over C(2n, n)
    n = 100_000
    exact = math.lgamma(n + 1) - 2 * math.lgamma(n / 2 + 1) - math.lgamma(2 * n + 1) + 2 * math.lgamma(n + 1)
    np.testing.assert_allclose(log_p[1], -(exact + math.log(0.5)) / math.log(10), rtol=1e-9)


def test_hard_calls_and_tallies():
    rng = np.random.default_rng(2)
    dosage = rng.choice([0, 0.05, 0.1, 0.11, 0.89, 0.95, 1, 1.09, 1.11, 1.5, 1.9, 2, np.nan], (7, 90)).astype(
        np.float32
    )
    calls = np.empty(dosage.shape, dtype=np.int8)
    hard_calls(dosage, calls)
    np.testing.assert_array_equal(calls, [[naive.hard_call(float(x)) for x in row] for row in np.round(dosage, 6)])
    sex = rng.integers(0, 3, 90).astype(np.int8)
    counts, sums = np.empty((7, 3, 5), dtype=np.int64), np.empty((7, 3, 2))
    tally_genotypes(dosage, calls, sex, counts, sums)
    for v in range(7):
        for who, mask in enumerate((sex == 0, sex == 1, sex == 2)):
            for call in range(3):
                assert counts[v, who, call] == (calls[v, mask] == call).sum()
            seen = dosage[v, mask].astype(float)
            assert counts[v, who, 3] == (~np.isnan(seen)).sum()
            assert counts[v, who, 4] == (np.modf(seen[~np.isnan(seen)])[0] != 0).sum()
            np.testing.assert_allclose(sums[v, who], [np.nansum(seen), np.nansum(seen**2)])


def test_miscalled():
    rng = np.random.default_rng(4)
    calls = rng.integers(-1, 3, (9, 30)).astype(np.int8)
    one_copy, found = rng.random(30) < 0.5, np.empty(9, dtype=np.int64)
    count_miscalled(calls, one_copy, found)
    np.testing.assert_array_equal(found, (calls[:, one_copy] == 1).sum(axis=1))


def test_hardy_weinberg_far_out_equals_the_sum_in_logs():
    rng = np.random.default_rng(8)
    for _ in range(60):
        n, p, f = int(rng.integers(200, 5000)), rng.uniform(0.02, 0.5), rng.uniform(-0.3, 1)
        chance = np.clip([p * p + f * p * (1 - p), 2 * p * (1 - p) * (1 - f), (1 - p) ** 2 + f * p * (1 - p)], 0, None)
        counts = rng.multinomial(n, chance / chance.sum())
        rare, het = int(2 * min(counts[0], counts[2]) + counts[1]), int(counts[1])
        h = np.arange(rare % 2, rare + 1, 2)
        minor = (rare - h) // 2
        lgamma = np.vectorize(math.lgamma)
        logs = h * math.log(2) - lgamma(h + 1) - lgamma(minor + 1) - lgamma(n - h - minor + 1)
        apart = logs - logs[h == het]
        weights = np.where(np.abs(apart) < 1e-8, 0.5, np.where(apart < 0, np.exp(np.minimum(apart, 0)), 0.0))
        log_p = (
            math.log(weights.sum()) - math.log(np.exp(logs - logs.max()).sum()) + (logs[h == het] - logs.max()).item()
        )
        found = hardy([counts], midp=True)[0]
        np.testing.assert_allclose(found, -log_p / math.log(10), rtol=1e-9, atol=1e-9)
