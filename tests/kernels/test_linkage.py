import numpy as np
import pytest

from naive.linkage import genotype_r2, haplotype_r2
from radiolocus.kernels import linkage
from radiolocus.kernels.packed import pack_by_variant

# without compilation the bits that are counted by a product leave numpy's words
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")


def packed(calls):
    one, two = (np.zeros((len(calls), (calls.shape[1] + 63) // 64), dtype=np.uint64) for _ in range(2))
    pack_by_variant(calls, one, two)
    return one, two


def calls_of(seed, people=70, variants=10):
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 2, (2, people))
    rows = []
    for _ in range(variants):
        change = rng.random((2, people)) < rng.uniform(0, 0.5)
        rows.append(np.where(change, rng.random((2, people)) < rng.uniform(0.1, 0.9), first).sum(axis=0))
    calls = np.array(rows).astype(np.int8)
    calls[rng.random(calls.shape) < 0.05] = -1
    calls[3] = 1
    calls[4] = 2
    return calls


@pytest.mark.parametrize("seed", range(3))
def test_r2_of_genotypes_and_of_haplotypes(seed):
    calls = calls_of(seed)
    one, two = packed(calls)
    others, out = np.arange(10), np.empty(10)
    for lead in (0, 3):
        linkage.lead_r2(one, two, lead, others, False, out)
        np.testing.assert_allclose(out, [genotype_r2(calls[lead], other) for other in calls], atol=1e-12)
        linkage.lead_r2(one, two, lead, others, True, out)
        np.testing.assert_allclose(out, [haplotype_r2(calls[lead], other) for other in calls], atol=1e-7)


def test_the_table_counts_the_samples():
    calls = calls_of(9)
    one, two = packed(calls)
    table = np.empty((3, 3), dtype=np.int64)
    linkage.genotype_table(one, two, 1, 2, table)
    expected = [[((calls[1] == i) & (calls[2] == j)).sum() for j in range(3)] for i in range(3)]
    np.testing.assert_array_equal(table, expected)


@pytest.mark.parametrize(
    ("table", "r2"),
    [
        ([[3, 0, 1], [0, 0, 0], [1, 0, 3]], 0.25),  # nobody is heterozygous: haplotypes are known
        ([[0, 0, 0], [0, 5, 0], [0, 0, 0]], 1.0),  # everybody is: either phase alone is likelier than both
        ([[1, 2, 1], [2, 4, 2], [1, 2, 1]], 0.0),
        ([[5, 0, 0], [0, 0, 0], [0, 0, 5]], 1.0),
        ([[5, 5, 5], [0, 0, 0], [0, 0, 0]], np.nan),
        ([[0, 0, 0], [0, 0, 0], [0, 0, 0]], np.nan),
    ],
)
@pytest.mark.parametrize("compiled", [True, False])
def test_haplotypes_of_tables_worked_by_hand(table, r2, compiled):
    loop = linkage.haplotype_r2 if compiled else getattr(linkage.haplotype_r2, "py_func", linkage.haplotype_r2)
    assert loop(np.array(table, dtype=np.int64)) == pytest.approx(r2, abs=1e-7, nan_ok=True)
