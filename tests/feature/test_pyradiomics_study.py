"""What a study gives to PyRadiomics' definitions, and what it calls what comes back."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from radiolocus.errors import ConfigError, InputError, RoiError
from radiolocus.feature.measure import ImageSource, ImagingOptions
from radiolocus.feature.pyradiomics import extract_pyradiomics, read_image
from radiolocus.feature.pyradiomics_names import FEATURES
from radiolocus.feature.pyradiomics_parameters import ImageType, PyradiomicsParameters, PyradiomicsSettings
from radiolocus.feature.pyradiomics_study import extract_as_pyradiomics, itk_image, pyradiomics_dictionary, with_label
from radiolocus.feature.settings import FeatureSettings
from radiolocus.image.perturb_options import PerturbOptions
from radiolocus.model import Geometry
from radiolocus.read.imaging import read_pair


def asked(*kinds, features=None, **settings):
    chosen = PyradiomicsSettings(**settings)
    types = tuple(ImageType(name, chosen) for name in kinds or ("Original",))
    return PyradiomicsParameters(chosen, types, features or FEATURES)


@pytest.fixture
def files(tmp_path):
    """A label map and an image that is stored from right to left and from head to feet."""
    rng = np.random.default_rng(3)
    image = rng.normal(50, 30, (9, 8, 7)).astype(np.float32)
    labels = np.zeros(image.shape, np.uint8)
    labels[1:6, 2:7, 1:6] = rng.random((5, 5, 5)) < 0.8
    labels[6:8, 2:7, 1:6] = 2
    affine = np.array([[1.5, 0, 0, -7], [0, -2.0, 0, 3], [0, 0, -2.5, 40], [0, 0, 0, 1.0]])
    for name, array in (("image", image), ("mask", labels)):
        nib.save(nib.Nifti1Image(array, affine), tmp_path / f"{name}.nii.gz")
    return tmp_path / "image.nii.gz", tmp_path / "mask.nii.gz"


def test_an_array_lies_where_its_grid_lies():
    axes = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0] * (3.0, 2.0, 1.5)
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = axes, (5.0, -6.0, 7.0)
    image = itk_image(np.zeros((4, 5, 6), np.int32), Geometry((4, 5, 6), affine))
    np.testing.assert_allclose(image.TransformIndexToPhysicalPoint((3, 2, 1)), affine[:3] @ (1, 2, 3, 1), atol=1e-9)
    assert image.GetSize() == (6, 5, 4)


def test_files_are_read_as_pyradiomics_reads_them(files):
    parameters = asked("Original", "LBP2D", "Wavelet", binWidth=10)
    volume, mask = read_pair(*files, roi="1")
    expected = extract_pyradiomics(*(read_image(f) for f in files), parameters).values
    found = extract_as_pyradiomics(volume, mask, parameters, image_file=files[0], mask_file=files[1], label="1")
    assert found.values == expected
    other = extract_as_pyradiomics(volume, mask, parameters, image_file=files[0], mask_file=files[1], label="2")
    assert other.values == extract_pyradiomics(*(read_image(f) for f in files), with_label(parameters, 2)).values
    with pytest.raises(RoiError, match="roi 'GTV' of a label map"):
        extract_as_pyradiomics(volume, mask, parameters, image_file=files[0], mask_file=files[1], label="GTV")


def test_a_region_that_is_no_file_is_laid_over_the_file_of_the_image(files):
    parameters = asked("Original", "LBP2D", "LoG", binWidth=10, sigma=(2.0,), label=7)
    volume, mask = read_pair(*files, roi="1")
    expected = extract_pyradiomics(*(read_image(f) for f in files), with_label(parameters, 1)).values
    assert extract_as_pyradiomics(volume, mask, parameters, image_file=files[0]).values == expected


def test_an_image_that_is_no_file_is_of_whole_numbers_where_all_its_intensities_are(files):
    volume, mask = read_pair(*files, roi="1")
    parameters = asked(
        resampledPixelSpacing=(1.0, 1.0, 1.0), interpolator="sitkLinear", features={"firstorder": ("Mean", "Maximum")}
    )
    real = extract_as_pyradiomics(volume, mask, parameters).values
    assert real["original_firstorder_Maximum"] % 1 != 0
    whole = type(volume)(np.rint(volume.array), volume.geometry)
    assert extract_as_pyradiomics(whole, mask, parameters).values["original_firstorder_Maximum"] % 1 == 0


@pytest.mark.parametrize(
    "settings", [{}, {"force2D": True, "level": 2}, {"level": 3, "start_level": 1, "lbp3DLevels": 3}]
)
def test_the_dictionary_names_every_column_in_order(settings, files):
    kinds = (
        "Original",
        "LoG",
        "Wavelet",
        "Square",
        "SquareRoot",
        "Logarithm",
        "Exponential",
        "Gradient",
        "LBP2D",
        "LBP3D",
    )
    parameters = asked(
        *kinds,
        sigma=(1, 2.5),
        features={"firstorder": ("Mean",), "shape": ("VoxelVolume",), "shape2D": ("Perimeter",)},
        **settings,
    )
    found = extract_pyradiomics(*(read_image(f) for f in files), parameters).values
    table = pyradiomics_dictionary(parameters)
    assert table["feature"].to_list() == list(found)
    assert set(table["family"]) == {"pyradiomics firstorder", "pyradiomics shape", "pyradiomics shape2D"}
    assert table["name"][2] == "Mean"
    assert "Mean of the image lbp-3D-k" in table["name"].to_list()


def test_options_that_exclude_each_other_are_refused():
    paths = {"image": "{subject}/ct.nii.gz", "mask": "{subject}/mask.nii.gz"}
    with pytest.raises(ConfigError, match=r"both settings and pyradiomics.*one of them.*all there is to say"):
        ImageSource("CT", **paths, settings=FeatureSettings(), pyradiomics="Params.yaml")
    theirs, own = ImageSource("CT", **paths, pyradiomics="Params.yaml"), ImageSource("raw", **paths)
    with pytest.raises(ConfigError, match=r"perturb of image 'CT'.*allowed: raw.*perturb.images"):
        ImagingOptions((theirs, own), perturb=PerturbOptions(noise=3))
    assert ImagingOptions((theirs, own), perturb=PerturbOptions(images=("raw",), noise=3))


def test_voxels_that_itk_reads_as_0_are_found_where_they_lie(files, tmp_path):
    stored = nib.load(files[0])
    labels = nib.load(files[1]).get_fdata()
    for inside in (True, False):
        array = stored.get_fdata(dtype=np.float32).copy()
        at = tuple(np.argwhere((labels == 1) == inside)[-1])
        array[at] = np.nan
        nib.save(nib.Nifti1Image(array, stored.affine), file := tmp_path / f"lost_{inside}.nii.gz")
        volume, mask = read_pair(file, files[1], roi="1")
        for mask_file in (files[1], None):
            words = {"image_file": file, "mask_file": mask_file, "label": "1"}
            if inside:
                with pytest.raises(InputError, match="1 NaN or infinite voxels inside the region"):
                    extract_as_pyradiomics(volume, mask, asked(), **words)
            else:
                told = extract_as_pyradiomics(volume, mask, asked(), **words).problems
                assert [p.got for p in told if p.severity == "note"] == [
                    "1 NaN or infinite voxels beside the region count as 0, as ITK reads them"
                ]
