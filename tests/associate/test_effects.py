import numpy as np
import pytest

from radiolocus.associate import effects
from radiolocus.associate.effects import EffectArray, create_effects, phenotypes_of


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(effects, "_ROWS", 7)
    create_effects(tmp_path / "e", 20, ["a", "b", "c"])
    return tmp_path / "e"


def written(folder):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(20, 3)).astype(np.float32)
    whole = EffectArray.open(folder / "beta")
    for variants in (np.array([19, 3, 8]), np.arange(9, 15), np.array([0])):
        whole.write(variants, values[variants])
    untouched = np.setdiff1d(np.arange(20), [19, 3, 8, *range(9, 15), 0])
    values[untouched] = np.nan
    return values


def test_rows_come_back_whatever_chunk_they_lie_in(folder):
    values = written(folder)
    whole = EffectArray.open(folder / "beta")
    np.testing.assert_array_equal(whole.read(np.arange(20)), values)
    np.testing.assert_array_equal(whole.read(np.array([12, 0, 19])), values[[12, 0, 19]])
    np.testing.assert_array_equal(whole.column(2), values[:, 2])
    assert np.isnan(EffectArray.open(folder / "standard_error").read(np.arange(20))).all()
    assert phenotypes_of(folder) == ["a", "b", "c"]
    assert phenotypes_of(folder / "none") == []


def test_zarr_reads_them(folder):
    zarr = pytest.importorskip("zarr", reason="zarr is not installed")
    values = written(folder)
    group = zarr.open(str(folder), mode="r")
    np.testing.assert_array_equal(group["beta"][:], values)
    assert group["beta"].dtype == np.float32
    assert group.attrs["phenotypes"] == ["a", "b", "c"]
    assert np.isnan(group["standard_error"][5:9]).all()
