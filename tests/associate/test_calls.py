import numpy as np
import polars as pl
import pytest

from radiolocus.associate.calls import CodeReader, DosageCalls, calls_of
from radiolocus.associate.design import regression_design
from radiolocus.associate.tile import Tiler
from radiolocus.read.plink import PlinkSource, write_plink


@pytest.fixture(scope="module", params=[40, 43], ids=["whole bytes", "a broken byte"])
def source(tmp_path_factory, request):
    rng = np.random.default_rng(request.param)
    dosage = rng.choice(np.array([0, 1, 2, np.nan], dtype=np.float32), size=(30, request.param), p=[0.4, 0.3, 0.2, 0.1])
    dosage[4], dosage[9] = 1.0, np.nan
    variants = pl.DataFrame(
        {
            "chromosome": ["1"] * 30,
            "variant_id": [f"v{i}" for i in range(30)],
            "base_pair_location": list(range(30)),
            "effect_allele": ["A"] * 30,
            "other_allele": ["C"] * 30,
        }
    )
    path = tmp_path_factory.mktemp("calls") / "g"
    write_plink(path, dosage, variants, [f"s{i}" for i in range(request.param)])
    return PlinkSource(path)


@pytest.fixture(params=["all", "some in another order"])
def rows(source, request):
    n = source.samples.height
    return np.arange(n) if request.param == "all" else np.random.default_rng(1).permutation(n)[: n - 5]


def test_codes_give_what_dosages_give(source, rows):
    coded = CodeReader(source, rows).read(3, 30)
    plain = DosageCalls(source.read(rows, 3, 30).dosage)
    assert coded.height == plain.height == 27
    np.testing.assert_array_equal(coded.dosage, plain.dosage)
    for which in (slice(2, 11), np.array([0, 1, 6, 20])):
        rooms = [(np.zeros((27, rows.size), dtype=np.float32), np.zeros((27, 4))) for _ in range(2)]
        counts = [(np.zeros(27, dtype=np.int64), np.zeros(27), np.zeros(rows.size, dtype=np.int64)) for _ in range(2)]
        for calls, room, count in zip((coded, plain), rooms, counts, strict=True):
            calls.part(which).centre(*room)
            calls.part(which).count(*count)
        for ours, twin in zip((*rooms[0], *counts[0]), (*rooms[1], *counts[1]), strict=True):
            np.testing.assert_array_equal(ours, twin)


@pytest.mark.parametrize("missing", ["mean", "drop"])
def test_a_tile_of_codes_is_the_tile_of_dosages_to_the_last_bit(source, rows, missing):
    rng = np.random.default_rng(3)
    y = rng.normal(size=(rows.size, 6))
    y[3, 2], y[:4, 4] = np.nan, np.nan
    tiler = Tiler(regression_design(y, rng.normal(size=(rows.size, 2))), missing, "float32")
    coded, plain = (
        tiler.scan(CodeReader(source, rows).read(0, 30)),
        tiler.another().scan(source.read(rows, 0, 30).dosage),
    )
    for name in ("sxy", "t", "log_p", "sxx", "syy", "df", "state", "moments", "dosage"):
        np.testing.assert_array_equal(getattr(coded, name), getattr(plain, name), err_msg=name)


def test_dosages_are_taken_for_calls():
    dosage = np.zeros((2, 3), dtype=np.float32)
    calls = calls_of(dosage)
    assert calls.dosage is dosage
    assert calls_of(calls) is calls
