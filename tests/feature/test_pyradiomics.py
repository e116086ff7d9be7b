"""PyRadiomics' names and definitions: by naive twins always, against PyRadiomics itself where it is at hand.

Set RADIOLOCUS_PYRADIOMICS to the Python of an environment with PyRadiomics 3.0.1 for the latter.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import subprocess
import warnings
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK
from hypothesis import given
from hypothesis import strategies as st
from skimage.feature import local_binary_pattern

from naive import pyradiomics as naive
from radiolocus.errors import ConfigError, FormatError, GeometryError, InputError, RoiError
from radiolocus.feature.extract import FeatureSettings, extract
from radiolocus.feature.pyradiomics import extract_pyradiomics, read_image, read_pyradiomics
from radiolocus.feature.pyradiomics_first_order import FIRST_ORDER, FirstOrder, bin_levels
from radiolocus.feature.pyradiomics_images import prepare
from radiolocus.feature.pyradiomics_names import FEATURES, SAME
from radiolocus.feature.pyradiomics_parameters import (
    ImageType,
    PyradiomicsParameters,
    PyradiomicsSettings,
)
from radiolocus.feature.pyradiomics_shape import PyradiomicsShape
from radiolocus.image.wavelet_taps import LOW_PASS
from radiolocus.model import Geometry, Mask, Volume

SPACING = (0.7, 1.3, 3.0)


def picture(array, spacing=SPACING):
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin((3.0, -4.0, 5.0))
    return image


def scene(seed=0, shape=(6, 7, 8), scale=20.0):
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < 0.6
    mask[0, 0, 0] = False
    return (rng.normal(size=shape) * scale).astype(np.float32), mask


def asked(types=("Original",), features=None, **settings):
    chosen = PyradiomicsSettings(**settings)
    found = PyradiomicsParameters(chosen, tuple(ImageType(t, chosen) for t in types))
    return replace(found, features=features) if features else found


def values(array, mask, parameters, spacing=SPACING):
    return extract_pyradiomics(picture(array, spacing), picture(mask.astype(np.uint8), spacing), parameters).values


# Definitions, by hand and by naive twins.


def test_bins_have_edges_at_multiples_of_the_width():
    found = bin_levels(np.array([54.0, 74.9, 75.0, 100.0, 166.0]), PyradiomicsSettings())
    assert found.tolist() == [1, 1, 2, 3, 5]
    assert bin_levels(np.array([-1.0, 0.0, 24.0, 25.0]), PyradiomicsSettings()).tolist() == [1, 2, 2, 3]
    assert bin_levels(np.array([50.0, 50.0]), PyradiomicsSettings()).tolist() == [1, 1]
    assert bin_levels(np.array([0.0, 1.0, 2.0, 4.0]), PyradiomicsSettings(binCount=4)).tolist() == [1, 2, 3, 4]


@given(st.lists(st.integers(-500, 500), min_size=1, max_size=30), st.sampled_from([1, 2, 25]))
def test_bins_agree_with_the_formula(numbers, width):
    found = bin_levels(np.array(numbers, dtype=np.float64), PyradiomicsSettings(binWidth=width))
    assert found.tolist() == naive.bins(numbers, width)


def test_first_order_by_hand():
    x = np.array([1.0, 2.0, 3.0, 6.0])
    first = FirstOrder(x, np.array([1, 1, 1, 2], dtype=np.int32), 10.0, 2.0)
    found = {name: compute(first) for name, compute in FIRST_ORDER.items()}
    assert found["Energy"] == 11**2 + 12**2 + 13**2 + 16**2
    assert found["TotalEnergy"] == 2 * found["Energy"]
    assert found["RootMeanSquared"] == pytest.approx((found["Energy"] / 4) ** 0.5)
    assert found["Variance"] == 3.5
    assert found["StandardDeviation"] == pytest.approx(3.5**0.5)
    # Nothing is subtracted from the fourth moment: (16 + 1 + 0 + 81) / 4 / 3.5².
    assert found["Kurtosis"] == pytest.approx(24.5 / 12.25)
    assert found["Skewness"] == pytest.approx((-8 - 1 + 27) / 4 / 3.5**1.5)
    assert found["Uniformity"] == pytest.approx(0.75**2 + 0.25**2)
    assert found["Entropy"] == pytest.approx(0.75 * np.log2(4 / 3) + 0.5)
    assert (found["10Percentile"], found["90Percentile"]) == pytest.approx((1.3, 5.1))
    assert found["RobustMeanAbsoluteDeviation"] == pytest.approx(0.5)
    assert found["InterquartileRange"] == pytest.approx(2.0)


def test_what_has_no_value_says_why():
    mask = np.zeros((3, 3, 3), dtype=bool)
    mask[0, 0, 0] = mask[2, 1, 2] = True
    array = np.arange(27, dtype=np.float64).reshape(3, 3, 3)
    found = extract_pyradiomics(picture(array), picture(mask.astype(np.uint8)), asked())
    lost = {name for name, value in found.values.items() if value is None}
    assert lost == {p.item for p in found.problems}
    assert "original_firstorder_RobustMeanAbsoluteDeviation" in lost
    assert {name.split("_")[1] for name in lost} == {"firstorder", "glcm", "glrlm"}
    assert any("no two voxels of the region are neighbours" in p.got for p in found.problems)
    assert any("no two voxels of the region lie on a line" in p.got for p in found.problems)
    assert any("between the 10th and the 90th percentile" in p.got for p in found.problems)


@pytest.mark.parametrize("count", [None, 8])
def test_a_flat_region_has_the_values_that_pyradiomics_gives_it(count):
    mask = np.zeros((3, 3, 3), dtype=bool)
    mask[1, :, :] = True
    found = values(np.full((3, 3, 3), 7.0), mask, asked(binCount=count))
    assert (found["original_firstorder_Kurtosis"], found["original_firstorder_Skewness"]) == (0.0, 0.0)
    assert (found["original_glcm_Correlation"], found["original_glcm_MCC"]) == (1.0, 1.0)
    assert (found["original_glcm_Imc1"], found["original_ngtdm_Busyness"]) == (0.0, 0.0)
    assert found["original_ngtdm_Coarseness"] == 1e6
    assert None not in found.values()


@pytest.mark.parametrize("seed", range(4))
def test_textures_agree_with_the_naive_twins(seed):
    array, mask = scene(seed, (3, 4, 5))
    mask &= np.random.default_rng(seed).random(mask.shape) < 0.5
    mask[2, 3, 4] = mask[2, 3, 3] = True
    levels = naive.levels_of(array, mask, 10)
    found = values(array, mask, asked(binWidth=10, gldm_a=1, minimumROIDimensions=1))
    expected = {
        "glcm_JointEntropy": naive.joint_entropy(levels),
        "glcm_Correlation": naive.correlation(levels),
        "glcm_MCC": naive.mcc(levels),
        "glrlm_RunPercentage": naive.run_percentage(levels),
        "ngtdm_Contrast": naive.ngtdm_contrast(levels),
        "gldm_LargeDependenceEmphasis": naive.large_dependence_emphasis(levels, 1),
    }
    for name, value in expected.items():
        assert found[f"original_{name}"] == pytest.approx(value, rel=1e-6), name


@pytest.mark.parametrize("norm", ["manhattan", "euclidean", "infinity", "no_weighting"])
def test_weighted_directions_agree_with_the_naive_twins(norm):
    array, mask = scene(3, (4, 5, 5))
    levels = naive.levels_of(array, mask, 10)
    found = values(array, mask, asked(binWidth=10, weightingNorm=norm), spacing=(0.7, 1.3, 0.4))
    there = (0.4, 1.3, 0.7)
    assert found["original_glcm_JointEntropy"] == pytest.approx(naive.weighted_joint_entropy(levels, norm, there))
    assert found["original_glrlm_RunPercentage"] == pytest.approx(naive.weighted_run_percentage(levels, norm, there))


def test_pairs_counted_one_way_agree_with_the_naive_twin():
    array, mask = scene(5, (3, 4, 5))
    levels = naive.levels_of(array, mask, 12)
    found = values(array, mask, asked(binWidth=12, symmetricalGLCM=False))
    for name, value in naive.one_way(levels).items():
        assert found[f"original_glcm_{name}"] == pytest.approx(value, rel=1e-6), name


@pytest.mark.parametrize("distances", [(1, 2), (2,), (3, 1)])
def test_neighbours_at_any_distance_agree_with_the_naive_twins(distances):
    array, mask = scene(4, (3, 5, 6))
    levels = naive.levels_of(array, mask, 10)
    found = values(array, mask, asked(binWidth=10, distances=distances, gldm_a=1, weightingNorm="no_weighting"))
    expected = {
        "glcm_JointEntropy": naive.weighted_joint_entropy(levels, "no_weighting", SPACING, distances),
        "ngtdm_Contrast": naive.ngtdm_contrast(levels, distances),
        "gldm_LargeDependenceEmphasis": naive.large_dependence_emphasis(levels, 1, distances),
    }
    for name, value in expected.items():
        assert found[f"original_{name}"] == pytest.approx(value), name


def test_weights_that_are_all_0_leave_no_value():
    array, mask = scene()
    parameters = asked(features={"glcm": ("Contrast",)}, weightingNorm="euclidean")
    found = extract_pyradiomics(picture(array, (40, 40, 40)), picture(mask.astype(np.uint8), (40, 40, 40)), parameters)
    assert found.values == {"original_glcm_Contrast": None}
    assert "weight 0 on voxels of 40 x 40 x 40 mm" in found.problems[0].got
    assert "leave weightingNorm out" in found.problems[0].todo


def test_a_region_of_one_slice_has_an_area_and_an_outline():
    mask = np.zeros((1, 6, 7), dtype=bool)
    mask[0, 1:5, 1:4] = True
    mask[0, 5, 5] = True
    array = np.zeros(mask.shape, dtype=np.float32)
    parameters = asked(features={"shape2D": (*FEATURES["shape2D"], "SphericalDisproportion")}, force2D=True)
    found = {k.removeprefix("original_shape2D_"): v for k, v in values(array, mask, parameters).items()}
    height, width = 1.3, 0.7
    # A rectangle of 4 by 3 pixels without its corners, and the diamond of a pixel of its own.
    area = (12 - 4 / 8 + 4 / 8) * height * width
    length = 2 * 3 * height + 2 * 2 * width + 8 * math.hypot(height, width) / 2
    assert found["MeshSurface"] == pytest.approx(area)
    assert found["PixelSurface"] == pytest.approx(13 * height * width)
    assert found["Perimeter"] == pytest.approx(length)
    assert found["PerimeterSurfaceRatio"] == pytest.approx(length / area)
    assert found["Sphericity"] == pytest.approx(2 * math.sqrt(math.pi * area) / length)
    assert found["SphericalDisproportion"] == pytest.approx(1 / found["Sphericity"])
    # From the upper left edge of the rectangle to the lower or the right edge of the pixel.
    assert found["MaximumDiameter"] == pytest.approx(
        max(math.hypot(4.5 * height, 4 * width), math.hypot(4 * height, 4.5 * width), math.hypot(5 * height, 4 * width))
    )
    y, x = np.argwhere(mask[0]).T * [[height], [width]]
    minor, major = 4 * np.sqrt(np.linalg.eigvalsh(np.cov(y, x, bias=True)))
    assert found["MajorAxisLength"] == pytest.approx(major)
    assert found["MinorAxisLength"] == pytest.approx(minor)
    assert found["Elongation"] == pytest.approx(minor / major)


def test_a_region_of_several_slices_has_no_area():
    array, mask = scene()
    found = extract_pyradiomics(
        picture(array), picture(mask.astype(np.uint8)), asked(features={"shape2D": ("Perimeter",)}, force2D=True)
    )
    assert found.values == {"original_shape2D_Perimeter": None}
    assert found.problems[0].got.startswith("a region of 6 slices along array axis 0")
    assert "one slice" in found.problems[0].allowed


def test_directions_without_a_line_are_left_out_of_runs_and_lone_voxels_stay_in_differences():
    mask = np.zeros((5, 5, 5), dtype=bool)
    for p in ((0, 0, 0), (0, 0, 1), (4, 4, 4), (2, 4, 1)):
        mask[p] = True
    array = np.arange(125, dtype=np.float64).reshape(5, 5, 5)
    levels = naive.levels_of(array, mask, 25)
    found = values(array, mask, asked())
    assert found["original_glrlm_RunPercentage"] == pytest.approx(naive.run_percentage(levels))
    assert found["original_ngtdm_Contrast"] == pytest.approx(naive.ngtdm_contrast(levels))
    # The only pair is of one grey level, but the region has others.
    assert found["original_glcm_MCC"] == pytest.approx(naive.mcc(levels)) == 0.0


def test_names_are_given_to_our_features_of_the_same_definition():
    # Whole numbers from 1 on and bins of 1: the grey levels of both are the same.
    rng = np.random.default_rng(5)
    array = rng.integers(1, 7, (5, 6, 7)).astype(np.float64)
    mask = np.ones(array.shape, dtype=bool)
    mask[0, 0, 0] = False
    array[2, 2, 2] = 1.0
    grid = Geometry.regular(array.shape, SPACING[::-1])
    families = ("glcm", "glrlm", "glszm", "ngtdm", "ngldm")
    ours = extract(Volume(array, grid), Mask(mask, grid), FeatureSettings(families, bin_width=1.0)).values
    found = values(array, mask, asked(binWidth=1))
    for name, same in SAME.items():
        for theirs, tag in same.items():
            expected = ours[tag + ("_3d_avg" if name in ("glcm", "glrlm") else "_3d")]
            assert found[f"original_{name}_{theirs}"] == pytest.approx(expected, rel=1e-9), theirs


def test_textures_within_slices_are_ours_of_two_and_a_half_dimensions():
    array = np.random.default_rng(6).integers(1, 5, (4, 5, 6)).astype(np.float64)
    array[0, 0, 1] = 1.0
    mask = np.ones(array.shape, dtype=bool)
    mask[0, 0, 0] = False
    families = ("glcm", "glrlm", "glszm", "ngldm")
    for axis in range(3):
        turned = [np.ascontiguousarray(np.moveaxis(a, axis, 0)) for a in (array, mask)]
        grid = Geometry.regular(turned[0].shape)
        settings = FeatureSettings(families, bin_width=1.0, aggregations=("2_5d_avg",))
        ours = extract(Volume(turned[0], grid), Mask(turned[1], grid), settings).values
        found = values(array, mask, asked(binWidth=1, force2D=True, force2Ddimension=axis))
        for name in ("glcm", "glrlm", "glszm", "gldm"):
            for theirs, tag in SAME[name].items():
                expected = ours[tag + ("_2_5d_avg" if name in ("glcm", "glrlm") else "_2_5d")]
                assert found[f"original_{name}_{theirs}"] == pytest.approx(expected, rel=1e-9), (axis, theirs)


def test_shape_of_one_voxel_and_of_two_that_touch_at_a_corner():
    one = PyradiomicsShape(np.ones((1, 1, 1), dtype=bool), np.ones(3))
    assert one.mesh == pytest.approx((1 / 6, 3**0.5))
    two = PyradiomicsShape(np.eye(2, dtype=bool)[:, None, :], np.ones(3))
    assert two.mesh[1] == pytest.approx(2 * 3**0.5)


@given(st.integers(0, 2**18 - 1).filter(bool))
def test_diameters_agree_with_the_naive_twin(pattern):
    mask = np.array([pattern >> b & 1 for b in range(18)], dtype=bool).reshape(2, 3, 3)
    spacing = np.array([3.0, 0.7, 1.3])
    shape = PyradiomicsShape(mask, spacing)
    assert shape.diameter == pytest.approx(naive.diameter(mask, spacing))
    for axis in range(3):
        assert shape.diameter_across(axis) == pytest.approx(naive.diameter(mask, spacing, axis))


def test_a_resampled_grid_begins_at_the_corner_of_the_old_one():
    z, y, x = np.meshgrid(*(np.arange(12.0),) * 3, indexing="ij")
    mask = np.zeros(x.shape, dtype=np.uint8)
    mask[3:9, 3:9, 3:9] = 1
    found = prepare(
        picture(x + 10 * y + 100 * z, (1.0, 1.0, 1.0)),
        picture(mask, (1.0, 1.0, 1.0)),
        PyradiomicsSettings(resampledPixelSpacing=(2.0, 2.0, 2.0), interpolator="sitkLinear", padDistance=0),
    )
    # The corner of the box lies 3 old voxels from that of the image: one whole new voxel fits before it, and its centre
    # lies at 2 + 1 - 0.5.
    assert found.image.GetOrigin() == pytest.approx((3.0 + 2.5, -4.0 + 2.5, 5.0 + 2.5))
    assert found.array[0, 0, 0] == pytest.approx(2.5 * 111)
    assert found.array[1, 2, 1] == pytest.approx(4.5 + 10 * 6.5 + 100 * 4.5)


def test_whole_numbers_stay_whole_when_they_are_resampled():
    array, mask = scene()
    settings = PyradiomicsSettings(resampledPixelSpacing=(1.0, 1.0, 1.0), interpolator="sitkLinear")
    whole, real = (prepare(picture(array.astype(t)), picture(mask.astype(np.uint8)), settings) for t in "hf")
    assert whole.array.dtype == np.int16
    assert np.abs(whole.array - real.array).max() > 0.2


def test_wavelet_bands_agree_with_the_naive_twin_x_first():
    array, mask = scene(1, (4, 5, 6))
    found = values(array, mask, asked(("Wavelet",), {"firstorder": ("Mean", "Maximum")}, wavelet="coif1"))
    assert len({name.split("_")[0] for name in found}) == 8
    data = np.concatenate([array, array[:, :1]], axis=1).astype(np.float64)
    low = LOW_PASS["coif1"]
    high = [t * (-1) ** (k + 1) for k, t in enumerate(low[::-1])]
    for axis, taps in ((2, low), (1, high), (0, high)):
        data = np.apply_along_axis(lambda line, taps=taps: naive.circular(line.tolist(), taps), axis, data)
    assert found["wavelet-LHH_firstorder_Mean"] == pytest.approx(data[:, :5][mask].mean(), abs=1e-4)
    assert found["wavelet-LHH_firstorder_Maximum"] == pytest.approx(data[:, :5][mask].max(), rel=1e-5)


def test_levels_of_wavelets_are_numbered_and_the_low_pass_comes_once():
    array, mask = scene(2)
    found = values(array, mask, asked(("Wavelet",), {"firstorder": ("Mean",)}, level=2, start_level=1))
    assert len(found) == 15
    assert {"wavelet-HHH_firstorder_Mean", "wavelet2-LLH_firstorder_Mean", "wavelet2-LLL_firstorder_Mean"} <= set(found)


def test_a_laplacian_of_gaussian_is_named_as_the_file_writes_its_width():
    array, mask = scene(3, (8, 9, 10))
    found = extract_pyradiomics(
        picture(array, (1.0, 1.0, 1.0)),
        picture(mask.astype(np.uint8), (1.0, 1.0, 1.0)),
        asked(("LoG",), {"firstorder": ("Mean",)}, sigma=(1, 2.5, 30.0)),
    )
    names = [f"log-sigma-{s}-mm-3D_firstorder_Mean" for s in ("1", "2-5", "30-0")]
    assert list(found.values) == names
    assert found.values[names[2]] is None
    (problem,) = found.problems
    assert problem.item == names[2]
    assert "too small for sigma = 30 mm" in problem.got
    assert "31" in problem.allowed


def test_point_filters_and_gradient_see_the_whole_image():
    array, mask = scene(4)
    wanted = {"firstorder": ("Maximum",)}
    found = values(array, mask, asked(("Square", "SquareRoot", "Logarithm", "Exponential", "Gradient"), wanted))
    x, m = array[mask].astype(np.float64), float(np.abs(array).max())
    assert found["square_firstorder_Maximum"] == pytest.approx((x**2).max() / m)
    assert found["squareroot_firstorder_Maximum"] == pytest.approx((m * x.max()) ** 0.5)
    assert found["logarithm_firstorder_Maximum"] == pytest.approx(np.log1p(x.max()) * m / np.log1p(m))
    assert found["exponential_firstorder_Maximum"] == pytest.approx(m ** (x.max() / m))
    assert found["gradient_firstorder_Maximum"] > 0


def test_patterns_are_named_and_taken_as_the_file_says():
    array, mask = scene(5, (7, 8, 9))
    array = array.round().astype(np.int16)
    types = ("LBP2D", "LBP3D")
    found = values(array, mask, asked(types, {"firstorder": ("Maximum", "Minimum")}, force2Ddimension=2))
    assert {name.split("_")[0] for name in found} == {"lbp-2D", "lbp-3D-m1", "lbp-3D-m2", "lbp-3D-k"}
    turned = array.swapaxes(0, 2)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Applying `local_binary_pattern` to floating-point", UserWarning)
        expected = np.stack([local_binary_pattern(one, 8, 1, "uniform") for one in turned]).swapaxes(0, 2)
    assert found["lbp-2D_firstorder_Maximum"] == expected[mask].max()
    assert found["lbp-2D_firstorder_Minimum"] == expected[mask].min()
    # Samples of whole numbers are whole numbers there: a ninth of a step is no difference.
    flat = np.arange(9, dtype=np.int16) // 8 + np.zeros((7, 8, 9), dtype=np.int16)
    whole = values(flat, mask, asked(("LBP3D",), {"firstorder": ("Maximum",)}))
    assert whole["lbp-3D-m1_firstorder_Maximum"] == pytest.approx(42**1.5 / (4 * np.pi))


def test_resegmentation_takes_voxels_from_all_classes_but_shape():
    array, mask = scene(7)
    array[2, 2, 2] = 500.0
    mask[2, 2, 2] = True
    wanted = {"firstorder": ("Maximum",), "shape": ("VoxelVolume",)}
    common = {"resegmentRange": (100.0, -100.0)}
    kept = values(array, mask, asked(features=wanted, **common))
    cut = values(array, mask, asked(features=wanted, resegmentShape=True, **common))
    assert kept["original_firstorder_Maximum"] < 100
    voxel = np.prod(SPACING)
    assert kept["original_shape_VoxelVolume"] == pytest.approx(mask.sum() * voxel)
    assert cut["original_shape_VoxelVolume"] == pytest.approx((mask.sum() - 1) * voxel)
    sigma = asked(features=wanted, resegmentRange=(-1.0, 1.0), resegmentMode="sigma")
    inside = array[mask]
    assert values(array, mask, sigma)["original_firstorder_Maximum"] <= inside.mean() + inside.std()


def test_a_normalised_image_has_mean_0_and_its_outliers_at_the_limit():
    array, mask = scene(8)
    array[3, 3, 3] = 1e4
    settings = PyradiomicsSettings(normalize=True, normalizeScale=100, removeOutliers=3)
    found = prepare(picture(array), picture(mask.astype(np.uint8)), settings)
    assert found.array.max() == pytest.approx(300)
    free = prepare(picture(array), picture(mask.astype(np.uint8)), PyradiomicsSettings(normalize=True))
    assert free.array.mean() == pytest.approx(0, abs=1e-6)
    assert free.array.std(ddof=1) == pytest.approx(1)


# Files.

FILE = """
setting:
  binWidth: 10
  label: 1
  resampledPixelSpacing: [2, 2, 2]  # mm
  interpolator: sitkLinear
  weightingNorm:
imageType:
  Original: {}
  LoG:
    sigma: [2.0, 3]
    binWidth: 5
featureClass:
  firstorder: [Mean, StandardDeviation]
  glcm:
  shape: []
"""


def write(folder, text):
    path = folder / "Params.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_read_as_it_is(tmp_path):
    found = read_pyradiomics(write(tmp_path, FILE))
    assert found.settings == PyradiomicsSettings(
        binWidth=10, resampledPixelSpacing=(2, 2, 2), interpolator="sitkLinear"
    )
    assert [t.name for t in found.image_types] == ["Original", "LoG"]
    assert found.image_types[1].settings == replace(found.settings, sigma=(2.0, 3), binWidth=5)
    assert found.features == {
        "firstorder": ("Mean", "StandardDeviation"),
        "glcm": FEATURES["glcm"],
        "shape": FEATURES["shape"],
    }


@pytest.mark.parametrize("text", ["", "setting: {}\n", "imageType:\nfeatureClass:\n"])
def test_what_a_file_does_not_say_is_pyradiomics_default(tmp_path, text):
    assert read_pyradiomics(write(tmp_path, text)) == PyradiomicsParameters()


REFUSED = [
    ("setting: {distances: [0]}", "distances = [0]", "whole numbers from 1"),
    ("setting: {weightingNorm: euclid}", "weightingNorm = 'euclid'", "nothing, manhattan, euclidean"),
    ("setting: {symmetricalGLCM: 0}", "symmetricalGLCM = 0", "true or false"),
    ("setting: {correctMask: 1}", "correctMask = 1", "true or false"),
    ("setting: {label_channel: -1}", "label_channel = -1", "0 or more"),
    ("setting: {binWidht: 5}", "unknown setting 'binWidht'", "binWidth"),
    ("setting: {binWidth: 1e3}", "binWidth = '1e3'", "a number above 0"),
    ("setting: {binWidth: true}", "binWidth = True", "a number above 0"),
    ("setting: {binWidth: }", "binWidth = None", "a number above 0"),
    ("setting: {label: 0}", "label = 0", "above 0"),
    ("setting: {interpolator: sitkSpline}", "interpolator = 'sitkSpline'", "sitkBSpline"),
    ("setting: {resampledPixelSpacing: [1, 1]}", "resampledPixelSpacing = [1, 1]", "three numbers"),
    ("setting: {force2D: 1}", "force2D = 1", "true or false"),
    ("setting: {lbp2DRadius: 0}", "lbp2DRadius = 0", "above 0"),
    ("setting: {lbp2DMethod: var}", "lbp2DMethod = 'var'", "uniform"),
    ("setting: {lbp2DSamples: 49}", "lbp2DSamples = 49", "1 to 48"),
    ("imageType: {LBP3D: {lbp3DLevels: 1}}", "lbp3DLevels = 1", "2 to 10"),
    ("imageType: {LBP3D: {lbp3DIcosphereSubdivision: 0}}", "lbp3DIcosphereSubdivision = 0", "1 to 4"),
    ("voxelSetting: {kernelRadius: 0}", "voxelSetting: kernelRadius = 0", "above 0"),
    ("voxelSetting: {radius: 2}", "voxelSetting: unknown setting 'radius'", "kernelRadius"),
    ("inputImage: {Original: {}}", "section 'inputImage'", "setting, imageType, featureClass"),
    ("imageType: {LBP: {}}", "imageType 'LBP'", "LBP2D, LBP3D"),
    ("imageType: {LoG: {}}", "LoG without sigma", "widths"),
    ("imageType: {Wavelet: {wavelet: bior1.1}}", "wavelet = 'bior1.1'", "coif1"),
    ("imageType: {Square: {label: 2}}", "imageType Square: label", "binWidth"),
    ("imageType: [Original]", "imageType is ['Original']", "keys"),
    ("featureClass: {shape2D: }", "featureClass shape2D without force2D", "force2D: true"),
    ("featureClass: {glcm: [SumVariance]}", "featureClass glcm: 'SumVariance'", "ClusterTendency"),
    ("featureClass: {glcm: [Entropy]}", "featureClass glcm: 'Entropy'", "JointEntropy"),
    ("featureClass: {glcm: Contrast}", "featureClass glcm: 'Contrast'", "a list"),
    ("setting: {label: 1, label: 2}", "cannot be read as YAML: key label given two values, 1 and 2", "YAML"),
    ("setting: [", "cannot be read as YAML", "YAML"),
    ("- 1", "the file is [1]", "keys"),
]


@pytest.mark.parametrize(("text", "got", "allowed"), REFUSED, ids=[text for text, _, _ in REFUSED])
def test_what_cannot_be_honoured_is_refused(tmp_path, text, got, allowed):
    with pytest.raises(ConfigError) as error:
        read_pyradiomics(write(tmp_path, text))
    assert error.value.where == "Params.yaml"
    assert got in error.value.got
    assert allowed in error.value.allowed


def test_the_nearest_name_and_what_stands_for_a_removed_feature_are_told(tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'binWidth'"):
        read_pyradiomics(write(tmp_path, "setting: {binWidht: 5}"))
    with pytest.raises(ConfigError, match="ask for what equals it: ClusterTendency"):
        read_pyradiomics(write(tmp_path, "featureClass: {glcm: [SumVariance]}"))


def test_a_key_given_twice_with_one_value_is_read(tmp_path):
    # As in an example of PyRadiomics itself.
    assert read_pyradiomics(write(tmp_path, "featureClass:\n  shape:\n  shape:\n")).features == {
        "shape": FEATURES["shape"]
    }


def test_settings_of_maps_are_told_to_have_no_effect(tmp_path):
    text = "voxelSetting: {kernelRadius: 2, maskedKernel: true, initValue: nan, voxelBatch: 10000}"
    parameters = read_pyradiomics(write(tmp_path, text))
    array, mask = scene()
    told = extract_pyradiomics(picture(array), picture(mask.astype(np.uint8)), parameters).problems
    assert [p.severity for p in told] == ["note"]
    assert "radiolocus map" in told[0].got


def test_force2d_without_classes_asks_for_those_of_one_slice_too(tmp_path):
    found = read_pyradiomics(write(tmp_path, "setting: {force2D: true}")).features
    assert found["shape2D"] == FEATURES["shape2D"]
    assert "shape2D" not in read_pyradiomics(write(tmp_path, "")).features


# Regions that cannot be used.


def test_a_label_that_is_not_there_is_refused_with_those_that_are():
    array, mask = scene()
    with pytest.raises(RoiError) as error:
        extract_pyradiomics(picture(array), picture(mask.astype(np.uint8) * 3), asked())
    assert error.value.got.startswith("label 1")
    assert error.value.allowed == "3"


def test_regions_that_are_too_small_are_refused():
    array, mask = scene()
    line = np.zeros_like(mask)
    line[2, 2, 2:5] = True
    with pytest.raises(RoiError, match="extends along 1 axes"):
        values(array, line, asked())
    assert values(array, line, asked(minimumROIDimensions=1))
    line[2, 2, 3:] = False
    with pytest.raises(RoiError, match="1 voxel "):
        values(array, line, asked(minimumROIDimensions=1))
    n = int(mask.sum())
    with pytest.raises(RoiError, match=rf"{n} voxels; allowed: more than {n} \(minimumROISize\)"):
        values(array, mask, asked(minimumROISize=n))
    with pytest.raises(RoiError, match="resegmentRange"):
        values(array, mask, asked(resegmentRange=(900.0,)))


def test_grids_that_differ_are_refused_beyond_the_tolerance():
    array, mask = scene()
    moved = picture(mask.astype(np.uint8))
    moved.SetOrigin((3.001, -4.0, 5.0))
    with pytest.raises(GeometryError) as error:
        extract_pyradiomics(picture(array), moved, asked())
    assert "origin (3.0, -4.0, 5.0) against (3.001, -4.0, 5.0)" in error.value.got
    assert extract_pyradiomics(picture(array), moved, asked(geometryTolerance=0.01)).values


def _on_half_the_slices(mask):
    """A mask on every second slice, each of twice the thickness."""
    coarse = SimpleITK.GetImageFromArray(mask[::2].astype(np.uint8))
    coarse.SetSpacing((*SPACING[:2], 2 * SPACING[2]))
    coarse.SetOrigin((3.0, -4.0, 5.0 + SPACING[2] / 2))
    return coarse


def test_a_mask_on_another_grid_is_corrected_when_the_file_says_so():
    array, mask = scene(6)
    mask[1::2] = mask[::2]
    with pytest.raises(GeometryError, match="correctMask does"):
        extract_pyradiomics(picture(array), _on_half_the_slices(mask), asked())
    found = extract_pyradiomics(picture(array), _on_half_the_slices(mask), asked(correctMask=True)).values
    assert found == values(array, mask, asked())
    beyond = _on_half_the_slices(mask)
    beyond.SetOrigin((3.0, -4.0, 25.0))
    with pytest.raises(RoiError, match="reaches beyond the image"):
        extract_pyradiomics(picture(array), beyond, asked(correctMask=True))
    thin = np.zeros((1, 7, 8), dtype=np.uint8)
    thin[0, 2:5, 2:5] = 1
    between = picture(thin)
    between.SetSpacing((*SPACING[:2], 0.5))
    between.SetOrigin((3.0, -4.0, 6.5))
    with pytest.raises(RoiError, match="no voxel of the image has its centre"):
        extract_pyradiomics(picture(array), between, asked(correctMask=True))


def test_a_mask_of_several_components_is_read_by_the_one_that_is_named():
    array, mask = scene(7)
    other = ~mask
    both = SimpleITK.Compose([picture(m.astype(np.uint8)) for m in (mask, other)])
    for channel, one in enumerate((mask, other)):
        assert extract_pyradiomics(picture(array), both, asked(label_channel=channel)).values == values(
            array, one, asked()
        )
    with pytest.raises(FormatError) as error:
        extract_pyradiomics(picture(array), both, asked(label_channel=2))
    assert error.value.allowed == "0 to 1"


def test_images_that_are_no_volumes_are_refused(tmp_path):
    array, mask = scene()
    with pytest.raises(FormatError, match="2 dimensions"):
        extract_pyradiomics(SimpleITK.GetImageFromArray(array[0]), picture(mask.astype(np.uint8)), asked())
    array[mask] = np.nan
    with pytest.raises(InputError, match="NaN or infinite voxels inside"):
        values(array, mask, asked())
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(b"no image")
    with pytest.raises(FormatError) as error:
        read_image(broken)
    assert error.value.where == "broken.nii.gz"


# PyRadiomics itself.

_THEIRS = """
import json, logging, sys
import radiomics
from radiomics.featureextractor import RadiomicsFeatureExtractor
radiomics.logger.setLevel(logging.CRITICAL)
out = []
for case in json.load(open(sys.argv[1])):
    found = RadiomicsFeatureExtractor(case["parameters"]).execute(case["image"], case["mask"])
    out.append({k: float(v) for k, v in found.items() if not k.startswith("diagnostics")})
json.dump(out, open(sys.argv[2], "w"))
"""

_CLASSES = "featureClass: {firstorder: , shape: , glcm: , glrlm: , glszm: , gldm: , ngtdm: }\n"
_PARAMETERS = {
    "default": "setting: {binWidth: 25}\n",
    "fine": "setting: {binWidth: 1, minimumROIDimensions: 1, gldm_a: 1}\n",
    "resampled": "setting: {binWidth: 25, resampledPixelSpacing: [2, 2, 2.5], interpolator: sitkBSpline, "
    "resegmentRange: [-100, 200], voxelArrayShift: 300}\nimageType: {Original: {}, LoG: {sigma: [3.0]}}\n",
    "slices": "setting: {binWidth: 25, force2D: true, resegmentRange: [-2, 2], resegmentMode: sigma, "
    "resegmentShape: true, preCrop: true}\nimageType: {Original: {}, Wavelet: {}}\n" + _CLASSES,
    "normalised": "setting: {binWidth: 5, normalize: true, normalizeScale: 100, removeOutliers: 3, "
    "resampledPixelSpacing: [0, 2, 0], interpolator: sitkLinear, padDistance: 3}\n",
    "filters": "setting: {binCount: 32}\nimageType: {Square: {}, SquareRoot: {}, Logarithm: {}, Exponential: {}, "
    "Gradient: {gradientUseSpacing: false}, Wavelet: {level: 2, start_level: 1, wavelet: db2}}\n"
    "featureClass: {firstorder: , glcm: }\n",
    "patterns": "setting: {binWidth: 1, minimumROIDimensions: 1}\nimageType: {LBP2D: {force2Ddimension: 1}, LBP3D: "
    "{lbp3DLevels: 4, binWidth: 0.1}}\nfeatureClass: {firstorder: , glcm: , glszm: }\n",
    "wide patterns": "setting: {binWidth: 1, lbp2DRadius: 2.5, lbp2DSamples: 12, lbp2DMethod: ror, "
    "lbp3DIcosphereRadius: 1.6, lbp3DIcosphereSubdivision: 2}\nimageType: {LBP2D: {}, LBP3D: {binCount: 16}}\n"
    "featureClass: {firstorder: , glcm: }\n",
}

_ON_REGIONS = {
    "weighted": "setting: {binWidth: 12, minimumROIDimensions: 1, weightingNorm: euclidean, distances: [1, 2]}\n",
    "runs": "setting: {binWidth: 12, minimumROIDimensions: 1, weightingNorm: infinity, force2D: true}\n"
    "featureClass: {glcm: , glrlm: }\n",
    "one way": "setting: {binWidth: 12, minimumROIDimensions: 1, symmetricalGLCM: false}\nfeatureClass: {glcm: }\n",
    "one way, added up": "setting: {binWidth: 5, minimumROIDimensions: 1, symmetricalGLCM: false, distances: [1, 2], "
    "weightingNorm: no_weighting}\nfeatureClass: {glcm: }\n",
    "far": "setting: {binWidth: 12, minimumROIDimensions: 1, distances: [2, 1], gldm_a: 1, force2D: true, "
    "force2Ddimension: 1}\nfeatureClass: {glcm: , gldm: , ngtdm: }\n",
    "corrected": "setting: {binWidth: 12, correctMask: true}\nfeatureClass: {firstorder: , shape: , glcm: }\n",
    "flat": "setting: {binWidth: 12, minimumROIDimensions: 1, force2D: true}\nfeatureClass: {shape2D: }\n",
}

_ON_TUMOUR = ("default", "resampled")


@pytest.fixture(scope="module")
def python():
    found = os.environ.get("RADIOLOCUS_PYRADIOMICS")
    if not found:
        pytest.skip("PyRadiomics is not here (set RADIOLOCUS_PYRADIOMICS to the Python of an environment that has it)")
    return found


def _compare(python, folder, cases):
    """Hold every feature of every case (name, image, mask, parameters) to PyRadiomics."""
    listed = []
    for name, image, mask, parameters in cases:
        path = folder / f"{parameters}.yaml"
        path.write_text((_PARAMETERS | _ON_REGIONS)[parameters])
        listed.append({"name": name, "image": str(image), "mask": str(mask), "parameters": str(path)})
    (folder / "cases.json").write_text(json.dumps(listed))
    command = [python, "-W", "ignore", "-c", _THEIRS, str(folder / "cases.json"), str(folder / "out.json")]
    subprocess.run(command, check=True, capture_output=True)
    for case, theirs in zip(listed, json.loads((folder / "out.json").read_text()), strict=True):
        image, mask = (read_image(folder / case[what]) for what in ("image", "mask"))
        ours = extract_pyradiomics(image, mask, read_pyradiomics(folder / case["parameters"])).values
        assert set(ours) == set(theirs)
        for name, expected in theirs.items():
            found = float("nan") if ours[name] is None else ours[name]
            told = f"{case['name']} {name}"
            # Of a map of few values, those that end up within two percentiles depend on their last digit.
            rel = 1e-3 if name.startswith("lbp-3D-m") and name.endswith("RobustMeanAbsoluteDeviation") else 1e-6
            assert found == pytest.approx(expected, rel=rel, abs=1e-9, nan_ok=True), told


def test_wavelets_of_single_precision_stay_so():
    array, mask = scene(9)
    rounded = values(array, mask, asked(("Wavelet",), {"firstorder": ("Energy",)}))
    exact = values(array.astype(np.float64), mask, asked(("Wavelet",), {"firstorder": ("Energy",)}))
    for name, value in rounded.items():
        assert value == pytest.approx(exact[name], rel=1e-5)
        assert value != exact[name]


@pytest.mark.slow
def test_small_regions_agree_with_pyradiomics(python, tmp_path):
    rng = np.random.default_rng(0)
    cases = []
    for k, (kind, share) in enumerate(itertools.product((np.float32, np.int16, np.float64), (0.1, 0.3, 0.6, 0.9))):
        shape = (*rng.integers(2 if k % 2 else 1, 7, 2), 6)
        mask = (rng.random(shape) < share).astype(np.uint8)
        mask[0, 0, :3] = 0, 1, 1
        for name, array in (("image", (rng.normal(size=shape) * 20).astype(kind)), ("mask", mask)):
            SimpleITK.WriteImage(picture(array), str(tmp_path / f"{name}{k}.nrrd"))
        for parameters in ("fine", "patterns", "wide patterns", *_ON_REGIONS):
            if parameters == "corrected" or (parameters == "flat" and shape[0] > 1):
                continue
            cases.append((f"small {k}", tmp_path / f"image{k}.nrrd", tmp_path / f"mask{k}.nrrd", parameters))
    _compare(python, tmp_path, cases)


@pytest.mark.slow
def test_masks_on_another_grid_agree_with_pyradiomics(python, tmp_path):
    array, mask = scene(8, (8, 9, 9))
    mask[6:] = False
    SimpleITK.WriteImage(picture(array), str(tmp_path / "image.nrrd"))
    SimpleITK.WriteImage(_on_half_the_slices(mask), str(tmp_path / "mask.nrrd"))
    _compare(python, tmp_path, [("corrected", tmp_path / "image.nrrd", tmp_path / "mask.nrrd", "corrected")])


@pytest.mark.slow
def test_a_tumour_on_ct_agrees_with_pyradiomics(python, data, tmp_path):
    folder, drawn = data("sts/dicom/STS_001/CT/image"), data("sts/nifti/STS_001/CT_mask.nii.gz")
    reader = SimpleITK.ImageSeriesReader
    image = SimpleITK.ReadImage(reader.GetGDCMSeriesFileNames(str(folder)))
    mask = SimpleITK.Resample(
        SimpleITK.ReadImage(str(drawn)), image, SimpleITK.Transform(), SimpleITK.sitkNearestNeighbor
    )
    assert SimpleITK.GetArrayViewFromImage(mask).sum() > 100_000
    SimpleITK.WriteImage(image, str(tmp_path / "image.nrrd"))
    SimpleITK.WriteImage(mask, str(tmp_path / "mask.nrrd"))
    _compare(
        python, tmp_path, [(f"tumour {n}", tmp_path / "image.nrrd", tmp_path / "mask.nrrd", n) for n in _ON_TUMOUR]
    )


@pytest.mark.slow
def test_the_ibsi_phantoms_agree_with_pyradiomics(python, reference, tmp_path):
    digital, ct = reference("ibsi/ibsi1_digital_phantom"), reference("ibsi/ibsi1_ct_phantom")
    cases = [("digital", digital / "phantom.nii.gz", digital / "mask.nii.gz", "fine")]
    cases += [(f"CT {name}", ct / "phantom.nii.gz", ct / "mask.nii.gz", name) for name in _PARAMETERS if name != "fine"]
    _compare(python, tmp_path, cases)
