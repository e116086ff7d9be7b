from __future__ import annotations

import numpy as np
import pytest

from radiolocus.config import StudyError, load_study
from radiolocus.errors import ConfigError
from radiolocus.feature.extract import dictionary, extract
from radiolocus.feature.settings import FeatureSettings
from radiolocus.image.boundary import BOUNDARIES
from radiolocus.image.filters import (
    FILTERS,
    GaborFilter,
    LawsFilter,
    LogFilter,
    MeanFilter,
    RieszLogFilter,
    SimoncelliFilter,
    WaveletFilter,
    apply,
    options_from,
)
from radiolocus.image.resample import new_grid, resample_image, resample_mask
from radiolocus.model import Geometry, Mask, Volume

KINDS = [
    MeanFilter(size=5),
    LogFilter(sigma_mm=1.3),
    LawsFilter(delta=3, pooling="max"),
    GaborFilter(sigma_mm=1.5, lambda_mm=2, theta_step_deg=45),
    GaborFilter(sigma_mm=1.5, lambda_mm=2, theta_deg=30, rotation_invariant=False),
    WaveletFilter(wavelet="db3", band="LLH", level=2),
    SimoncelliFilter(level=1, extend=True),
    RieszLogFilter(sigma_mm=1.5, order=(0, 2, 0), align_sigma_mm=1.0),
]


def scan(shape=(17, 26, 31), spacing=(1.5, 1.0, 1.0), at=(8, 9, 22)):
    """Return an image and a mask that comes near the border along y and x."""
    rng = np.random.default_rng(4)
    array = np.round(rng.normal(40, 30, shape))
    inside = sum(((np.indices(shape)[i] - at[i]) * spacing[i] / 5.0) ** 2 for i in range(3)) < 1
    geometry = Geometry.regular(shape, spacing)
    return Volume(array, geometry, "CT", "HU"), Mask(inside, geometry)


def moments(values):
    return {"stat_mean": values.mean(), "stat_var": values.var(), "stat_min": values.min(), "stat_max": values.max()}


def test_no_filter_changes_what_another_answers():
    bands = [WaveletFilter(band=b, rotation_invariant=False) for b in ("LLL", "LLH", "LHL", "HHH", "LLL")]
    kinds = [*bands[:2], LogFilter(sigma_mm=2.5), *bands[2:4], WaveletFilter(band="LLH"), *KINDS[3:]]
    volume, mask = scan()
    families = ("intensity", "local_intensity", "glcm", "gldzm")
    together = extract(volume, mask, FeatureSettings(families, filters=tuple(kinds))).values
    for options in kinds:
        for column, value in extract(volume, mask, FeatureSettings(families, filters=(options,))).values.items():
            assert together[column] == value, column


@pytest.mark.parametrize("options", KINDS, ids=lambda o: o.name)
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_features_are_those_of_the_whole_image_filtered(options, boundary):
    volume, mask = scan()
    options = type(options)(**{**options.__dict__, "boundary": boundary})
    settings = FeatureSettings(("intensity",), resegment_range=(0, 90), filters=(options,))
    found = extract(volume, mask, settings)
    # What belongs to the region is decided on the image that is not filtered.
    kept = mask.array & (volume.array >= 0) & (volume.array <= 90)
    for tag, value in moments(apply(volume, options).array[kept]).items():
        assert found.values[f"{options.name}.{tag}"] == pytest.approx(value, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("options", KINDS, ids=lambda o: o.name)
def test_the_image_is_filtered_after_interpolation_and_rounding(options):
    volume, mask = scan()
    settings = FeatureSettings(("intensity",), resample_mm=(1, 1, 1), interpolation="cubic", filters=(options,))
    found = extract(volume, mask, settings)
    grid = new_grid(volume.geometry, (1, 1, 1))
    image = np.floor(resample_image(volume.array, grid, "cubic") + 0.5)
    response = apply(Volume(image, grid.geometry), options).array[resample_mask(mask.array, grid)]
    for tag, value in moments(response).items():
        assert found.values[f"{options.name}.{tag}"] == pytest.approx(value, rel=1e-9, abs=1e-9)


def test_filters_add_columns_and_change_none():
    volume, mask = scan()
    families = ("morphology", "local_intensity", "intensity", "glcm")
    bare = FeatureSettings(families, bin_number=16)
    settings = FeatureSettings(families, bin_number=16, filters=(LogFilter(sigma_mm=2), MeanFilter(size=3)))
    plain, found = extract(volume, mask, bare), extract(volume, mask, settings)
    assert list(found.values) == dictionary(settings)["feature"].to_list()
    assert {k: found.values[k] for k in plain.values} == plain.values
    added = [k for k in found.values if k not in plain.values]
    assert {k.split(".")[0] for k in added} == {"log_sigma_2mm", "mean_3"}
    assert len(added) == 2 * sum(not k.startswith("morph_") for k in plain.values)
    assert not any("morph" in k for k in added)
    names = dict(dictionary(settings).select("feature", "name").iter_rows())
    assert names["mean_3.stat_mean"] == f"{names['stat_mean']} of the response map mean_3"


def test_response_maps_have_a_fixed_number_of_bins():
    volume, mask = scan()
    log = LogFilter(sigma_mm=2)
    by_width = extract(volume, mask, FeatureSettings(("glcm",), bin_width=25, filters=(log,)))
    by_number = extract(volume, mask, FeatureSettings(("glcm",), bin_number=32, filters=(log,)))
    column = "log_sigma_2mm.cm_contrast_3d_avg"
    assert by_width.values[column] == by_number.values[column]
    told = [p.got for p in by_width.problems]
    assert any("bin_width = 25" in note and "32 bins" in note for note in told)
    assert not any("bin_width" in p.got for p in by_number.problems)


def test_unequal_voxels_are_told_and_equal_ones_are_not():
    volume, mask = scan()
    settings = {"families": ("intensity",), "filters": (MeanFilter(size=3),)}
    assert any("1.5 x 1 x 1 mm" in p.got for p in extract(volume, mask, FeatureSettings(**settings)).problems)
    equal = FeatureSettings(**settings, resample_mm=(1, 1, 1))
    assert extract(volume, mask, equal).problems == ()


def test_a_hole_in_the_image_empties_only_the_filters_that_reach_it():
    volume, mask = scan()
    volume.array[0, 25, 0] = np.nan
    near, far = MeanFilter(size=3), SimoncelliFilter()
    found = extract(volume, mask, FeatureSettings(("intensity",), filters=(near, far)))
    assert found.values["stat_mean"] is not None
    assert found.values[f"{near.name}.stat_mean"] is not None
    empty = [k for k, v in found.values.items() if v is None]
    assert empty == [k for k in found.values if k.startswith(f"{far.name}.")]
    reasons = [p for p in found.problems if p.severity == "no value"]
    assert [p.item for p in reasons] == empty
    assert "1 NaN or infinite voxels" in reasons[0].got
    assert reasons[0].todo


def test_settings_write_filters_out_with_their_defaults():
    settings = FeatureSettings(filters=(LogFilter(sigma_mm=2),))
    assert settings.filters == (
        {"filter": "log", "dimension": "3d", "boundary": "mirror", "sigma_mm": 2, "truncate": 4.0},
    )
    assert settings == FeatureSettings(filters=({"filter": "log", "sigma_mm": 2},))
    assert settings.filter_options == (LogFilter(sigma_mm=2),)
    for options in KINDS:
        assert FeatureSettings(filters=(options,)).filter_options == (options,)


@pytest.mark.parametrize(
    ("entry", "got", "hint"),
    [
        ({"sigma_mm": 2}, "no filter is named", "log"),
        ({"filter": "lgo"}, "unknown image filter 'lgo'", "did you mean 'log'"),
        ({"filter": "log", "sigma": 2}, "unknown key 'sigma' of filter 'log'", "did you mean 'sigma_mm'"),
        ({"filter": "log", "sigma_mm": "2"}, "sigma_mm = '2'", "a number"),
        ({"filter": "log", "sigma_mm": True}, "sigma_mm = True", "a number"),
        ({"filter": "mean", "size": 3.0}, "size = 3.0", "a whole number"),
        ({"filter": "laws", "energy": 1}, "energy = 1", "true or false"),
        ({"filter": "laws", "kernel": 5}, "kernel = 5", "text"),
        ({"filter": "riesz", "order": [1, 0, 0.5]}, "order = [1, 0, 0.5]", "whole numbers"),
        ({"filter": "riesz", "align_sigma_mm": "1"}, "align_sigma_mm = '1'", "a number"),
        ({"filter": "gabor", "boundary": 1}, "boundary = 1", "text"),
        ({"filter": "log", "sigma_mm": -1.0}, "sigma_mm = -1.0", "above 0"),
    ],
)
def test_mistakes_in_a_filter_say_where_and_what(entry, got, hint):
    with pytest.raises(ConfigError) as error:
        FeatureSettings(filters=({"filter": "mean"}, entry))
    assert error.value.got.startswith("filters[2]: ")
    assert got in error.value.got
    assert hint in error.value.message


def test_filters_that_would_do_nothing_are_refused():
    with pytest.raises(ConfigError, match="same filter twice"):
        FeatureSettings(filters=({"filter": "mean"}, {"filter": "mean", "size": 5}))
    with pytest.raises(ConfigError, match="besides morphology"):
        FeatureSettings(("morphology",), filters=({"filter": "mean"},))


@pytest.mark.parametrize("name", list(FILTERS))
def test_every_filter_is_read_from_a_table(name):
    assert options_from({"filter": name}) == FILTERS[name].options()


STUDY = """
[cohort]
subjects = "clinical.csv"
[imaging]
families = ["intensity"]
[imaging.settings]
filters = [{filter = "log", sigma_mm = 3.0}, {filter = "riesz", order = [1, 0, 0]}]
[[imaging.images]]
name = "CT"
image = "{subject}/ct.nii"
mask = "{subject}/m.nii"
[[imaging.images]]
name = "PET"
image = "{subject}/pet.nii"
mask = "{subject}/m.nii"
[imaging.images.settings]
filters = [%s]
"""


def test_a_study_file_names_filters_for_all_images_or_for_one(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(STUDY % '{filter = "mean", size = 3, boundary = "zero"}', encoding="utf-8")
    imaging = load_study(file).sections.imaging
    ct, pet = (imaging.settings_of(image).filter_options for image in imaging.images)
    assert [o.name for o in ct] == ["log_sigma_3mm", "riesz_order_100"]
    assert [o.name for o in pet] == ["mean_3_zero"]
    told = load_study(file).settings()["imaging"]["images"][1]["settings"]["filters"]
    assert told == [{"filter": "mean", "dimension": "3d", "boundary": "zero", "size": 3}]


def test_a_study_file_with_a_wrong_filter_says_so(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(STUDY % '{filter = "wavelet", wavelet = "coif9"}', encoding="utf-8")
    with pytest.raises(StudyError) as error:
        load_study(file)
    (mistake,) = error.value.mistakes
    assert mistake.where.startswith("imaging.images[2].settings")
    assert "filters[1]: wavelet = 'coif9'" in mistake.what
    assert "did you mean 'coif" in mistake.what
