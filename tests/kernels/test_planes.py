import numpy as np
import pytest

from radiolocus.kernels.genotype import encode_bed
from radiolocus.kernels.planes import add_by_sample, count_by_variant, planes_of_bed, take_samples, turn_planes


def calls(variants, samples, seed=0):
    rng = np.random.default_rng(seed)
    out = rng.binomial(2, rng.uniform(0.1, 0.9, (variants, 1)), (variants, samples)).astype(np.int8)
    out[rng.random(out.shape) < 0.1] = -1
    return out


def planes_of(found):
    """By the definition: bit i of word i / 64."""
    words = (found.shape[1] + 63) // 64
    one, two = (np.zeros((len(found), words), dtype=np.uint64) for _ in range(2))
    for v, row in enumerate(found):
        for i, call in enumerate(row):
            bit = np.uint64(1 << (i % 64))
            if call in (0, 1):
                one[v, i // 64] |= bit
            if call in (1, 2):
                two[v, i // 64] |= bit
    return one, two


@pytest.mark.parametrize("samples", [1, 31, 32, 33, 63, 64, 65, 130])
def test_the_bytes_of_plink_become_planes(samples):
    found = calls(7, samples)
    dosage = np.where(found < 0, np.nan, found).astype(np.float32)
    packed = np.zeros((7, (samples + 3) // 4), dtype=np.uint8)
    encode_bed(dosage, packed)
    words = (samples + 63) // 64
    room = np.zeros((7, 16 * words), dtype=np.uint8)
    room[:, : packed.shape[1]] = packed
    one, two = (np.empty((7, words), dtype=np.uint64) for _ in range(2))
    last = np.uint64(2 ** (samples - 64 * (words - 1)) - 1)
    planes_of_bed(room.view("<u8"), last, one, two)
    expected = planes_of(found)
    np.testing.assert_array_equal(one, expected[0])
    np.testing.assert_array_equal(two, expected[1])
    rows = np.random.default_rng(1).permutation(samples)[: samples // 2 + 1]
    some = [np.empty((7, (rows.size + 63) // 64), dtype=np.uint64) for _ in range(2)]
    take_samples(one, two, rows, *some)
    expected = planes_of(found[:, rows])
    np.testing.assert_array_equal(some[0], expected[0])
    np.testing.assert_array_equal(some[1], expected[1])


@pytest.mark.parametrize("samples", [1, 64, 150])
def test_counts_by_variant_and_by_sample(samples):
    found = calls(130, samples, seed=3)
    one, two = planes_of(found)
    among = np.random.default_rng(2).random(samples) < 0.6
    mask = planes_of(np.where(among, 1, -1).astype(np.int8)[None])[0][0]
    counts = np.empty((130, 3), dtype=np.int64)
    count_by_variant(one, two, mask, counts)
    for call in range(3):
        np.testing.assert_array_equal(counts[:, call], (found[:, among] == call).sum(axis=1))
    weight = np.random.default_rng(4).random(130)
    heterozygous, missing = np.full(samples, 5), np.full(samples, 7)
    lost = np.ones(samples)
    add_by_sample(one, two, weight, heterozygous, missing, lost)
    np.testing.assert_array_equal(heterozygous, 5 + (found == 1).sum(axis=0))
    np.testing.assert_array_equal(missing, 7 + (found < 0).sum(axis=0))
    np.testing.assert_allclose(lost, 1 + weight @ (found < 0), rtol=1e-12)


@pytest.mark.parametrize(("variants", "samples"), [(64, 64), (130, 70), (1, 200)])
def test_planes_are_turned(variants, samples):
    found = calls(variants, samples, seed=6)
    by_variant, by_sample = planes_of(found), planes_of(found.T)
    for plane, expected in zip(by_variant, by_sample, strict=True):
        out = np.zeros((samples, expected.shape[1] + 1), dtype=np.uint64)
        turn_planes(plane, 1, out)
        np.testing.assert_array_equal(out[:, 1:], expected)
        assert not out[:, 0].any()
