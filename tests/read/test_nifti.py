"""NIfTI: axes, world coordinates, scaling, and every way a file can be wrong."""

from __future__ import annotations

import gzip

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from radiolocus.errors import FormatError, GeometryError, RadiolocusError, RoiError, StoreError
from radiolocus.model import Geometry, Volume
from radiolocus.read.nifti import is_nifti, nifti_header, read_nifti, read_nifti_mask, write_nifti

SHAPE = (4, 5, 6)  # x, y, z
OBLIQUE = np.array([[1.0, 0.3, 0.1, -7.0], [-0.2, 1.9, 0.4, 5.0], [0.05, -0.3, 2.8, 11.0], [0, 0, 0, 1]])


def save(path, array, affine=OBLIQUE, kind=nib.Nifti1Image, **header):
    image = kind(array, affine)
    for name, value in header.items():
        image.header[name] = value
    nib.save(image, path)
    return path


def ramp(dtype=np.float32):
    return np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(dtype)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_every_voxel_keeps_its_value_and_its_place(tmp_path, name, kind):
    stored = ramp()
    volume = read_nifti(save(tmp_path / name, stored, kind=kind), modality="MR")
    assert volume.array.shape == (6, 5, 4)
    assert volume.array.dtype == np.float32
    assert volume.modality == "MR"
    assert volume.notes == ()
    for x, y, z in [(0, 0, 0), (3, 0, 0), (0, 4, 0), (0, 0, 5), (3, 4, 5)]:
        assert volume.array[z, y, x] == stored[x, y, z]
        ras = OBLIQUE @ [x, y, z, 1]
        lps = volume.geometry.affine @ [z, y, x, 1]
        np.testing.assert_allclose(lps[:3], ras[:3] * [-1, -1, 1], atol=1e-5)
    geometry, dtype = nifti_header(tmp_path / name)
    assert geometry.difference(volume.geometry) == ""
    assert dtype == np.float32


@pytest.mark.parametrize(("modality", "unit"), [("CT", "HU"), ("PT", ""), ("", "")])
def test_a_computed_tomography_is_in_hounsfield_units(tmp_path, modality, unit):
    assert read_nifti(save(tmp_path / "a.nii", ramp()), modality=modality).unit == unit


@pytest.mark.parametrize(
    ("stored", "expected"),
    [("uint8", "float32"), ("int16", "float32"), ("int32", "float64"), ("float64", "float64"), (">i2", "float32")],
)
def test_floating_type_holds_what_was_stored(tmp_path, stored, expected):
    image = nib.Nifti1Image(ramp(stored), OBLIQUE, dtype=stored)
    nib.save(image, tmp_path / "a.nii")
    volume = read_nifti(tmp_path / "a.nii")
    assert volume.array.dtype == expected
    np.testing.assert_array_equal(volume.array, ramp("float64").T)


def test_big_endian_file(tmp_path):
    image = nib.Nifti1Image(ramp(">f4"), OBLIQUE, header=nib.Nifti1Header(endianness=">"))
    nib.save(image, tmp_path / "a.nii")
    assert (tmp_path / "a.nii").read_bytes()[:4] == b"\x00\x00\x01\x5c"
    volume = read_nifti(tmp_path / "a.nii")
    assert volume.array.dtype == np.dtype("=f4")
    np.testing.assert_array_equal(volume.array, ramp().T)


def test_scale_slope_and_intercept_are_applied(tmp_path):
    image = nib.Nifti1Image(ramp("int16"), OBLIQUE)
    image.header.set_slope_inter(0.5, -3)
    nib.save(image, tmp_path / "a.nii")
    raw = bytearray((tmp_path / "a.nii").read_bytes())
    stored = np.frombuffer(bytes(raw[352:]), "<i2").reshape(SHAPE, order="F")
    volume = read_nifti(tmp_path / "a.nii")
    assert volume.array.dtype == np.float64
    np.testing.assert_array_equal(volume.array, stored.T * 0.5 - 3)


def test_fourth_dimension_of_one_is_dropped(tmp_path):
    assert read_nifti(save(tmp_path / "a.nii", ramp()[..., None])).array.shape == (6, 5, 4)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 6, 2)])
def test_other_dimensions_are_refused(tmp_path, shape):
    path = save(tmp_path / "a.nii", np.zeros(shape, np.float32))
    with pytest.raises(GeometryError, match=r"a\.nii: an image of shape \(4, 5.*allowed: three dim.*to do: split"):
        read_nifti(path)


def test_without_transform_voxel_sizes_are_used_and_said(tmp_path):
    image = nib.Nifti1Image(ramp(), None)
    image.header.set_zooms((1.5, 2.0, 3.0))
    image.header["sform_code"] = image.header["qform_code"] = 0
    nib.save(image, tmp_path / "a.nii")
    volume = read_nifti(tmp_path / "a.nii")
    np.testing.assert_allclose(volume.geometry.spacing, [3.0, 2.0, 1.5])
    assert any("no spatial transform" in note for note in volume.notes)


def test_sform_wins_over_a_qform_that_disagrees(tmp_path):
    image = nib.Nifti1Image(ramp(), None)
    image.set_sform(np.diag([1.0, 2.0, 3.0, 1.0]), code=1)
    image.set_qform(np.diag([1.0, 2.0, 4.0, 1.0]), code=1)
    nib.save(image, tmp_path / "a.nii")
    volume = read_nifti(tmp_path / "a.nii")
    np.testing.assert_allclose(volume.geometry.spacing, [3.0, 2.0, 1.0])
    assert any("sform and qform disagree" in note for note in volume.notes)


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1000), ("micron", 0.001), ("mm", 1)])
def test_other_units_of_length_become_millimetres(tmp_path, unit, factor):
    image = nib.Nifti1Image(ramp(), np.diag([1.0, 2.0, 3.0, 1.0]))
    image.header.set_xyzt_units(unit)
    nib.save(image, tmp_path / "a.nii")
    volume = read_nifti(tmp_path / "a.nii")
    np.testing.assert_allclose(volume.geometry.spacing, np.array([3.0, 2.0, 1.0]) * factor)
    assert bool(volume.notes) == (factor != 1)


def test_non_finite_voxels_stay_and_are_counted(tmp_path):
    stored = ramp()
    stored[0, 0, 0], stored[1, 0, 0] = np.nan, np.inf
    volume = read_nifti(save(tmp_path / "a.nii", stored))
    assert np.isnan(volume.array[0, 0, 0])
    assert volume.notes == ("2 of 120 voxels are NaN or infinite",)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_truncated(tmp_path, name, fraction):
    path = save(tmp_path / name, np.random.default_rng(1).normal(size=(10, 10, 10)).astype(np.float32))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * fraction)])
    with pytest.raises(FormatError) as caught:
        read_nifti(path)
    assert caught.value.where == name
    assert caught.value.allowed
    assert str(tmp_path) not in str(caught.value)
    with pytest.raises(FormatError):
        read_nifti_mask(path)


def test_flipped_bit_is_found_by_the_checksum(tmp_path):
    path = save(tmp_path / "a.nii.gz", np.random.default_rng(1).normal(size=(10, 10, 10)).astype(np.float32))
    plain = bytearray(gzip.decompress(path.read_bytes()))
    good = gzip.compress(bytes(plain), compresslevel=0)  # stored blocks: a flipped bit inflates without complaint
    path.write_bytes(good[:2000] + bytes([good[2000] ^ 1]) + good[2001:])
    with pytest.raises(FormatError, match="truncated or corrupt"):
        read_nifti(path)


@pytest.mark.filterwarnings("ignore::RuntimeWarning:nibabel")
def test_flipped_header_bytes_never_end_the_study(tmp_path):
    path = save(tmp_path / "a.nii", ramp())
    content = path.read_bytes()
    refusals = 0
    for at in range(352):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
        for reader in (read_nifti, read_nifti_mask, nifti_header):
            try:
                reader(path)
            except RadiolocusError:
                refusals += 1
    assert refusals > 50


def test_not_nifti_at_all(tmp_path):
    (tmp_path / "a.nii").write_bytes(b"hello, this is not an image" * 50)
    for reader in (read_nifti, read_nifti_mask, nifti_header):
        with pytest.raises(FormatError, match=r"a\.nii: not a NIfTI"):
            reader(tmp_path / "a.nii")
        with pytest.raises(FormatError, match=r"b\.nii: no such file"):
            reader(tmp_path / "b.nii")
    assert is_nifti(tmp_path / "A.NII.GZ")
    assert not is_nifti(tmp_path / "a.dcm")


@pytest.mark.parametrize(("magic", "size"), [(348, 100), (540, 400), (348, 4)])
def test_a_file_that_ends_within_its_header_is_refused(tmp_path, magic, size):
    (tmp_path / "a.nii").write_bytes(magic.to_bytes(4, "little").ljust(size, b"x"))
    for reader in (read_nifti, read_nifti_mask, nifti_header):
        with pytest.raises(FormatError) as error:
            reader(tmp_path / "a.nii")
        assert error.value.where == "a.nii"


def test_complex_voxels_are_refused(tmp_path):
    with pytest.raises(FormatError, match="complex"):
        read_nifti(save(tmp_path / "a.nii", ramp("complex64")))


def test_axes_in_one_plane_are_refused_by_name(tmp_path):
    image = nib.Nifti1Image(ramp(), np.eye(4))
    image.header["srow_z"] = 0
    path = tmp_path / "a.nii"
    nib.save(image, path)
    raw = bytearray(path.read_bytes())
    raw[312:328] = bytes(16)  # srow_z
    path.write_bytes(bytes(raw))
    with pytest.raises(GeometryError, match=r"a\.nii: a grid whose axes lie in one plane"):
        read_nifti(path)


def labels(tmp_path, dtype=np.uint8):
    stored = np.zeros(SHAPE, dtype)
    stored[1, 2, 3], stored[2, 2, 3], stored[2, 3, 3] = 1, 2, 2
    return save(tmp_path / "m.nii.gz", stored)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_mask_of_one_label_or_of_all(tmp_path, dtype):
    path = labels(tmp_path, dtype)
    every = read_nifti_mask(path)
    assert every.array.dtype == bool
    assert every.array.sum() == 3
    assert every.notes == ("labels 1, 2 taken together as one region",)
    second = read_nifti_mask(path, label=2)
    assert second.name == "2"
    assert second.array.sum() == 2
    assert second.array[3, 2, 2]
    assert second.array[3, 3, 2]


def test_absent_label_lists_those_present(tmp_path):
    with pytest.raises(RoiError, match=r"no voxel has label 7; allowed: labels in this file: 1, 2; what to do: give"):
        read_nifti_mask(labels(tmp_path), label=7)
    empty = save(tmp_path / "e.nii", np.zeros(SHAPE, np.uint8))
    with pytest.raises(RoiError, match="none, the mask is empty"):
        read_nifti_mask(empty, label=1)
    assert not read_nifti_mask(empty).array.any()


@pytest.mark.parametrize("bad", [0.5, np.nan, np.inf])
def test_mask_with_other_than_whole_numbers(tmp_path, bad):
    stored = np.zeros(SHAPE, np.float32)
    stored[0, 0, 0], stored[1, 0, 0] = bad, 1
    with pytest.raises(FormatError, match=r"1 voxels of a mask are not whole numbers.*whole-number labels.*threshold"):
        read_nifti_mask(save(tmp_path / "m.nii", stored))


def test_mask_scaled_by_rounding_slope_is_whole(tmp_path):
    image = nib.Nifti1Image(np.full(SHAPE, 255, np.uint8), OBLIQUE)
    path = tmp_path / "m.nii"
    nib.save(image, path)
    raw = bytearray(path.read_bytes())
    raw[112:116] = np.float32(1 / 255).tobytes()  # scl_slope
    path.write_bytes(bytes(raw))
    assert read_nifti_mask(path, label=1).array.all()


def test_sarcoma_patients(data):
    folder = data("sts") / "nifti"
    volume = read_nifti(folder / "STS_001" / "PET_image.nii.gz")
    mask = read_nifti_mask(folder / "STS_001" / "PET_mask.nii.gz")
    assert volume.geometry.difference(mask.geometry) == ""
    assert volume.array.shape == (59, 43, 41)
    assert mask.array.sum() == 5095
    # An independent reader for the same voxels: SimpleITK gives LPS and (z, y, x) by itself.
    other = SimpleITK.ReadImage(str(folder / "STS_001" / "PET_image.nii.gz"))
    np.testing.assert_array_equal(volume.array, SimpleITK.GetArrayFromImage(other))
    np.testing.assert_allclose(volume.geometry.affine[:3, 3], other.GetOrigin(), atol=1e-4)
    np.testing.assert_allclose(volume.geometry.spacing, other.GetSpacing()[::-1], atol=1e-5)
    end = [int(n) - 1 for n in other.GetSize()]
    here = volume.geometry.affine @ [end[2], end[1], end[0], 1]
    np.testing.assert_allclose(here[:3], other.TransformIndexToPhysicalPoint(end), atol=1e-3)


def _oblique_volume():
    rng = np.random.default_rng(1)
    affine = np.eye(4)
    affine[:3, :3] = np.linalg.qr(rng.normal(size=(3, 3)))[0] * [3.0, 0.9, 1.1]
    affine[:3, 3] = (-12.5, 40.25, -300.0)
    array = rng.normal(size=(4, 5, 6))
    array[0, 0, 0] = np.nan
    return Volume(array, Geometry(array.shape, affine))


@pytest.mark.parametrize("name", ["below/a.nii", "below/a.nii.gz"])
def test_what_is_written_is_read_back(tmp_path, name):
    volume = _oblique_volume()
    write_nifti(tmp_path / name, volume, "stat_mean ± " * 20)
    back = read_nifti(tmp_path / name)
    np.testing.assert_array_equal(back.array, volume.array)
    assert back.geometry.difference(volume.geometry, 1e-4) == ""
    assert back.notes == ("1 of 120 voxels are NaN or infinite",)  # sform and qform agree
    first = (tmp_path / name).read_bytes()
    write_nifti(tmp_path / name, volume, "stat_mean ± " * 20)
    assert (tmp_path / name).read_bytes() == first
    assert [p.name for p in (tmp_path / "below").iterdir()] == [name.split("/")[1]]


def test_other_programs_find_every_voxel_at_its_place(tmp_path):
    volume = _oblique_volume()
    write_nifti(tmp_path / "a.nii.gz", volume)
    of_nibabel = nib.load(tmp_path / "a.nii.gz")
    of_itk = SimpleITK.ReadImage(str(tmp_path / "a.nii.gz"))
    assert of_nibabel.header.get_xyzt_units()[0] == "mm"
    # What the documentation warns of: ITK knows no NaN in NIfTI.
    assert np.isnan(of_nibabel.get_fdata()[0, 0, 0])
    assert of_itk.GetPixel(0, 0, 0) == 0
    for z, y, x in [(0, 0, 1), (3, 0, 0), (0, 4, 0), (0, 0, 5), (3, 4, 5)]:
        lps = (volume.geometry.affine @ [z, y, x, 1])[:3]
        assert of_nibabel.get_fdata()[x, y, z] == volume.array[z, y, x]
        for affine in (of_nibabel.get_sform(), of_nibabel.get_qform()):
            np.testing.assert_allclose((affine @ [x, y, z, 1])[:3], lps * [-1, -1, 1], atol=1e-4)
        assert of_itk.GetPixel(x, y, z) == volume.array[z, y, x]
        np.testing.assert_allclose(of_itk.TransformIndexToPhysicalPoint((x, y, z)), lps, atol=1e-4)


def test_where_nothing_can_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        write_nifti(tmp_path / "file" / "a.nii", _oblique_volume())
