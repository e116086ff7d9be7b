"""Every consensus value of IBSI 1, one case a row."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from radiolocus.feature.extract import extract
from radiolocus.image.intensity import resegment, round_to_integer
from radiolocus.image.region import bounding_box
from radiolocus.image.resample import new_grid, resample_image, resample_mask
from reference import ibsi

DIAGNOSTICS = [r for r in ibsi.rows() if r["family"].startswith("Diagnostics")]
FEATURES = [r for r in ibsi.rows() if not r["family"].startswith("Diagnostics")]


def cases(rows):
    known = [pytest.param(r, id=f"{r['config']}-{r['tag']}") for r in rows if r["consensus_value"]]
    return known or [pytest.param(None, id="no-reference", marks=pytest.mark.skip("the IBSI table is not here"))]


@cache
def extraction(config):
    return extract(*ibsi.phantom(config), ibsi.RECIPES[config])


@pytest.mark.parametrize("row", cases(FEATURES))
def test_feature(row):
    value = extraction(row["config"]).values[row["tag"].lower()]
    assert value is not None
    assert ibsi.agrees(value, row), f"{value} against {row['consensus_value']} ± {row['tolerance']}"


def test_every_row_is_checked_or_empty(reference):
    reference("ibsi/ibsi1_reference_values.csv")
    checked = [r for r in FEATURES if r["consensus_value"]]
    empty = [r for r in FEATURES if not r["consensus_value"]]
    assert len(checked) == 1804
    # IBSI has no consensus on the oriented bounding box, the minimum volume enclosing ellipsoid and the area under the
    # intensity-volume histogram: four features and one, in six configurations.
    assert len(empty) == 30
    assert {r["tag"].split("_dens_")[-1] for r in empty} == {"ombb", "mvee", "ivh_auc"}
    assert {r["config"] for r in FEATURES} == set(ibsi.RECIPES)


def test_no_row_is_left_without_value(reference):
    reference("ibsi/ibsi1_reference_values.csv")
    for config in ibsi.RECIPES:
        assert [problem for problem in extraction(config).problems if problem.severity != "note"] == []


def _image(array, geometry):
    size = dict(zip("zyx", geometry.shape, strict=True))
    voxel = dict(zip("zyx", geometry.spacing, strict=True))
    return {
        **{f"img_dim_{a}": n for a, n in size.items()},
        **{f"vox_dim_{a}": s for a, s in voxel.items()},
        "mean_int": array.mean(),
        "min_int": array.min(),
        "max_int": array.max(),
    }


def _roi(array, morphological, inside):
    out = {f"int_mask_dim_{a}": n for a, n in zip("zyx", array.shape, strict=True)}
    for kind, mask in (("int", inside), ("morph", morphological)):
        for axis, part in zip("zyx", bounding_box(mask), strict=True):
            out[f"{kind}_mask_bb_dim_{axis}"] = part.stop - part.start
        out[f"{kind}_mask_vox_count"] = np.count_nonzero(mask)
    values = array[inside]
    return out | {
        "int_mask_mean_int": values.mean(),
        "int_mask_min_int": values.min(),
        "int_mask_max_int": values.max(),
    }


@cache
def steps(config):
    """Return what each step of the chain gives on the whole image."""
    volume, mask = ibsi.phantom(config)
    recipe = ibsi.RECIPES[config]
    image, inside, geometry = volume.array, mask.array, volume.geometry
    out = {
        **{f"{k}_init_img": v for k, v in _image(image, geometry).items()},
        **{f"{k}_init_roi": v for k, v in _roi(image, inside, inside).items()},
    }
    if recipe.resample_mm:
        grid = new_grid(geometry, recipe.resample_mm)
        image, geometry = round_to_integer(resample_image(image, grid, recipe.interpolation)), grid.geometry
        inside = resample_mask(inside, grid)
    kept = resegment(image, inside, recipe.resegment_range, recipe.resegment_outliers)
    return {
        **out,
        **{f"{k}_interp_img": v for k, v in _image(image, geometry).items()},
        **{f"{k}_interp_roi": v for k, v in _roi(image, inside, inside).items()},
        **{f"{k}_reseg_roi": v for k, v in _roi(image, inside, kept).items()},
    }


@pytest.mark.parametrize("row", cases(DIAGNOSTICS))
def test_diagnostic(row):
    value = steps(row["config"])[row["tag"]]
    assert ibsi.agrees(value, row), f"{value} against {row['consensus_value']} ± {row['tolerance']}"


@pytest.mark.parametrize("config", [c for c in ibsi.RECIPES if c != "digital_phantom"])
def test_working_on_the_box_gives_what_the_whole_image_gives(config, reference):
    reference("ibsi/ibsi1_ct_phantom")
    found, whole = extraction(config).diagnostics, steps(config)
    assert found.get("voxels_resampled", found["voxels"]) == whole["morph_mask_vox_count_reseg_roi"]
    assert found["voxels_resegmented"] == whole["int_mask_vox_count_reseg_roi"]
    assert found["intensity_mean"] == pytest.approx(whole["int_mask_mean_int_reseg_roi"], rel=1e-12)
