import numpy as np
import pytest

from naive import genotype as naive
from radiolocus.kernels import genotype


def _plain(function):
    """The Python function under the compiled one, so that coverage and both paths are seen."""
    return getattr(function, "py_func", function)


@pytest.mark.parametrize("samples", [1, 3, 4, 5, 8, 11])
@pytest.mark.parametrize("style", [lambda f: f, _plain], ids=["compiled", "plain"])
def test_decoding_equals_the_obvious_twin(samples, style):
    rng = np.random.default_rng(samples)
    packed = rng.integers(0, 256, size=(7, -(-samples // 4)), dtype=np.uint8)
    expected = np.array(naive.decode(b"xyz" + packed.tobytes(), samples, 7))
    whole = np.empty((7, samples), dtype=np.float32)
    style(genotype.decode_bed_whole)(packed, whole)
    np.testing.assert_array_equal(whole, expected)
    rows = rng.permutation(samples)[: max(1, samples - 2)].astype(np.int64)
    part = np.empty((7, rows.size), dtype=np.float32)
    style(genotype.decode_bed)(packed, rows, part)
    np.testing.assert_array_equal(part, expected[:, rows])


@pytest.mark.parametrize("style", [lambda f: f, _plain], ids=["compiled", "plain"])
def test_encoding_is_undone_by_decoding_and_counts_what_two_bits_cannot_hold(style):
    rng = np.random.default_rng(1)
    dosage = rng.choice(np.array([0, 1, 2, np.nan], dtype=np.float32), size=(5, 9))
    packed = np.zeros((5, 3), dtype=np.uint8)
    assert style(genotype.encode_bed)(dosage, packed) == 0
    back = np.empty_like(dosage)
    genotype.decode_bed_whole(packed, back)
    np.testing.assert_array_equal(back, dosage)
    dosage[2, 3:5] = 0.5, 3.0
    assert style(genotype.encode_bed)(dosage, np.zeros_like(packed)) == 2


@pytest.mark.parametrize("style", [lambda f: f, _plain], ids=["compiled", "plain"])
def test_counts_and_centring(style):
    rng = np.random.default_rng(2)
    dosage = rng.choice(np.array([0, 1, 2, np.nan], dtype=np.float32), size=(6, 13))
    dosage[4] = np.nan
    dosage[5, ::3] = 1.3  # fractional, as imputation gives
    observed, alleles, absent = np.zeros(6, np.int64), np.zeros(6), np.ones(13, np.int64)
    style(genotype.count_alleles)(dosage, observed, alleles, absent)
    np.testing.assert_array_equal(observed, (~np.isnan(dosage)).sum(axis=1))
    np.testing.assert_allclose(alleles, np.nansum(dosage, axis=1, dtype=float), rtol=1e-15)
    np.testing.assert_array_equal(absent, 1 + np.isnan(dosage).sum(axis=0))
    for rows in (np.array([12, 0, 5, 3]), np.arange(13), np.arange(13)[::-1].copy(), np.array([5, 9])):
        _centring(style, dosage, rows)


def _centring(style, dosage, rows):
    out, moments = np.full((8, rows.size), 7.0), np.zeros((8, 4))
    style(genotype.centre_dosage)(dosage, rows, out, moments)
    for v in range(6):
        values = dosage[v, rows].astype(float)
        there = values[~np.isnan(values)]
        if there.size == 0:
            assert moments[v, 0] == 0
            assert np.isnan(moments[v, 1])
            assert not out[v].any()
            continue
        mean = there.mean()
        expected = [there.size, mean, ((there - mean) ** 2).sum(), (there**2).sum()]
        np.testing.assert_allclose(moments[v], expected, atol=1e-14)
        np.testing.assert_allclose(out[v], np.where(np.isnan(values), 0, values - mean), atol=1e-15)
    assert (out[6:] == 7.0).all()


def _codes(variants, samples):
    """Random codes, filled up to whole words, with what a scan needs to know of the samples it looks at."""
    rng = np.random.default_rng(samples)
    codes = np.zeros((variants, 8 * -(-samples // 32)), dtype=np.uint8)
    codes[:, : -(-samples // 4)] = rng.integers(0, 256, size=(variants, -(-samples // 4)), dtype=np.uint8)
    codes[0], codes[1], codes[2] = 0x55, 0, 0xFF  # nobody known, and two variants that do not vary
    return codes, rng


def _chosen(codes, rows):
    bits = np.zeros(4 * codes.shape[1], dtype=np.uint8)
    bits[rows] = 1
    chosen = (bits.reshape(-1, 4) << np.array([0, 2, 4, 6], dtype=np.uint8)).sum(axis=1, dtype=np.uint8)
    place = np.zeros(bits.size, dtype=np.int64)
    place[rows] = np.arange(rows.size)
    return chosen.view(np.uint64), place


@pytest.mark.parametrize("samples", [4, 31, 64, 100, 133])
@pytest.mark.parametrize("part", [False, True])
def test_codes_are_counted_as_dosages_are(samples, part):
    codes, rng = _codes(9, samples)
    rows = rng.permutation(samples)[: samples - 3 if part else samples].astype(np.int64)
    dosage = np.empty((9, rows.size), dtype=np.float32)
    genotype.decode_bed(codes, rows, dosage)
    found, expected = [
        (np.zeros(9, dtype=np.int64), np.zeros(9), np.zeros(rows.size, dtype=np.int64)) for _ in range(2)
    ]
    genotype.count_codes(codes.view(np.uint64), *_chosen(codes, rows), *found)
    genotype.count_alleles(dosage, *expected)
    for ours, twin in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, twin)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("samples", "part"), [(4, False), (100, False), (31, False), (133, True)])
def test_codes_are_centred_as_dosages_are(samples, part, dtype):
    codes, rng = _codes(9, samples)
    rows = np.arange(samples) if not part else rng.permutation(samples)[: samples - 20]
    dosage = np.empty((9, rows.size), dtype=np.float32)
    genotype.decode_bed(codes, rows, dosage)
    found, expected = [(np.zeros((10, rows.size), dtype=dtype), np.zeros((10, 4))) for _ in range(2)]
    direct = not part and samples % 4 == 0
    wide = found[0].view(np.complex128) if direct else np.empty((0, 0), dtype=np.complex128)
    genotype.centre_codes(codes.view(np.uint64), codes, _chosen(codes, rows)[0], rows, found[0], wide, found[1])
    genotype.centre_dosage(dosage, np.arange(rows.size), *expected)
    for ours, twin in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, twin)
