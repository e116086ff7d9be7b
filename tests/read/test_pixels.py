"""Pixels of every transfer syntax: the stored values bit for bit where nothing was lost, else said or refused."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless

from dicom_factory import recompress, write_series
from radiolocus.errors import FormatError, RadiolocusError
from radiolocus.read.dicom import read_dicom
from radiolocus.read.pixels import decoded

STORED = np.random.default_rng(4).integers(-1024, 3072, (3, 64, 80)).astype(np.int16)


def compressed(folder, how):
    """Rewrite a series: by pydicom, by GDCM within SimpleITK, or by the tools of GDCM and DCMTK."""
    for path in sorted(folder.iterdir()):
        ds = pydicom.dcmread(path)
        if how == "RLE":
            ds.compress(RLELossless, generate_instance_uid=False)
            ds.save_as(path)
        elif how in ("JPEG", "JPEG2000"):
            recompress(path, how)
        elif how in ("deflated", "implicit"):
            syntax = {"deflated": DeflatedExplicitVRLittleEndian, "implicit": ImplicitVRLittleEndian}[how]
            ds.file_meta.TransferSyntaxUID = syntax
            ds.save_as(path, implicit_vr=how == "implicit", little_endian=True, enforce_file_format=True)
        elif how == "big endian":
            ds.PixelData = ds.pixel_array.astype(">i2").tobytes()
            ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
            pydicom.dcmwrite(path, ds, implicit_vr=False, little_endian=False, force_encoding=True)
        else:
            tool, *options = how.split()
            found = shutil.which(tool)
            if found is None:
                pytest.skip(f"{tool} is not installed (libgdcm-tools, dcmtk)")
            subprocess.run([found, *options, path, path.with_suffix(".new")], check=True, capture_output=True)
            path.with_suffix(".new").replace(path)


@pytest.mark.parametrize(
    "how",
    [
        *("RLE", "JPEG", "JPEG2000", "deflated", "implicit", "big endian"),
        *("gdcmconv --jpegls", "gdcmconv --j2k", "gdcmconv --jpeg", "dcmcjpls +el", "dcmcjpeg +e1", "dcmcjpeg +el"),
    ],
)
def test_lossless_syntaxes_give_back_every_bit(tmp_path, how):
    slopes = np.array([1.0, 0.5, 2.0])
    write_series(tmp_path / "ct", STORED, slope=slopes, intercept=-1024.0)
    plain = read_dicom(tmp_path / "ct").volume
    before = pydicom.dcmread(tmp_path / "ct" / "000.dcm").file_meta.TransferSyntaxUID
    compressed(tmp_path / "ct", how)
    assert pydicom.dcmread(tmp_path / "ct" / "000.dcm").file_meta.TransferSyntaxUID != before
    volume = read_dicom(tmp_path / "ct").volume
    assert volume.array.tobytes() == plain.array.tobytes()
    np.testing.assert_array_equal(volume.array, STORED * slopes[:, None, None] - 1024.0)
    assert volume.notes == ()


@pytest.mark.parametrize("how", ["RLE", "JPEG", "JPEG2000"])
def test_unsigned_pixels_of_twelve_bits(tmp_path, how):
    stored = np.random.default_rng(5).integers(0, 4096, STORED.shape)
    kept = {"BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0}
    write_series(tmp_path / "mr", stored, modality="MR", extra=kept)
    compressed(tmp_path / "mr", how)
    np.testing.assert_array_equal(read_dicom(tmp_path / "mr").volume.array, stored)


@pytest.mark.parametrize(
    ("packed", "plain"),
    [
        ("MR_small_jpeg_ls_lossless.dcm", "MR_small.dcm"),
        ("MR_small_jp2klossless.dcm", "MR_small.dcm"),
        ("MR_small_RLE.dcm", "MR_small.dcm"),
        ("MR_small_bigendian.dcm", "MR_small.dcm"),
    ],
)
def test_files_of_other_encoders(packed, plain):
    one, two = (pydicom.dcmread(get_testdata_file(name, download=False)) for name in (packed, plain))
    assert one.file_meta.TransferSyntaxUID != two.file_meta.TransferSyntaxUID
    np.testing.assert_array_equal(decoded(one), two.pixel_array)


def test_lossy_pixels_are_near_and_said(tmp_path):
    smooth = np.random.default_rng(6).integers(0, 3000, (3, 64, 80))
    write_series(tmp_path / "mr", smooth, modality="MR", extra={"PixelRepresentation": 0})
    compressed(tmp_path / "mr", "dcmcjpls +en +md 2")
    volume = read_dicom(tmp_path / "mr").volume
    error = np.abs(volume.array - smooth).max()
    assert 0 < error <= 2
    assert volume.notes[0].startswith("3 of 3 slices were compressed with loss (Lossy Image Compression (0028,2110)")


def test_jpeg_2000_that_may_be_lossy_is_said(tmp_path):
    write_series(tmp_path / "ct", STORED)
    compressed(tmp_path / "ct", "JPEG2000")
    for said, notes in (("", 1), ("00", 0)):
        for path in (tmp_path / "ct").iterdir():
            ds = pydicom.dcmread(path)
            ds.file_meta.TransferSyntaxUID = pydicom.uid.JPEG2000
            ds.LossyImageCompression = said
            ds.save_as(path)
        volume = read_dicom(tmp_path / "ct").volume
        np.testing.assert_array_equal(volume.array, STORED)
        assert [("either kind" in note) for note in volume.notes] == [True] * notes


def test_loss_long_ago_is_said_of_uncompressed_pixels(tmp_path):
    write_series(tmp_path / "ct", STORED, extra={"LossyImageCompression": "01", "LossyImageCompressionRatio": "12.5"})
    volume = read_dicom(tmp_path / "ct").volume
    np.testing.assert_array_equal(volume.array, STORED)
    assert "3 of 3 slices were compressed with loss" in volume.notes[0]
    assert "ratio 12.5" in volume.notes[0]


@pytest.mark.parametrize("how", ["JPEG", "JPEG2000", "RLE"])
def test_cut_streams_are_refused(tmp_path, how):
    write_series(tmp_path / "ct", STORED[:1])
    compressed(tmp_path / "ct", how)
    path = tmp_path / "ct" / "000.dcm"
    whole = path.read_bytes()
    for share in (0.2, 0.5, 0.8, 0.99):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(FormatError) as caught:
            read_dicom(tmp_path / "ct")
        assert "000.dcm" in caught.value.where


def test_a_stream_cut_within_a_whole_file_is_refused(tmp_path):
    write_series(tmp_path / "ct", STORED[:1])
    compressed(tmp_path / "ct", "JPEG")
    path = tmp_path / "ct" / "000.dcm"
    ds = pydicom.dcmread(path)
    (stream,) = pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=1)
    ds.PixelData = pydicom.encaps.encapsulate([stream[: len(stream) // 2]])
    ds.save_as(path)
    with pytest.raises(FormatError, match=r"000\.dcm: pixel data truncated or corrupt"):
        read_dicom(tmp_path / "ct")


@pytest.mark.parametrize("how", ["JPEG", "JPEG2000"])
def test_flipped_bytes_of_a_stream_never_end_the_study(tmp_path, how):
    write_series(tmp_path / "ct", STORED[:1])
    compressed(tmp_path / "ct", how)
    path = tmp_path / "ct" / "000.dcm"
    whole = path.read_bytes()
    start = whole.index(b"\xff\xd8" if how == "JPEG" else b"\xff\x4f\xff\x51")
    refusals = 0
    for at in range(start, start + 200, 9):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            read_dicom(tmp_path / "ct")
        except RadiolocusError:
            refusals += 1
    assert refusals > 2


TWELVE = {"BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0}


def test_values_beyond_their_bits_are_refused_unless_an_overlay_stands_there(tmp_path):
    stored = np.full((2, 4, 6), 100)
    stored[1, 2, 3] = 0x1064  # a bit above the twelve that are stored
    write_series(tmp_path / "ct", stored, extra=TWELVE)
    with pytest.raises(FormatError) as caught:
        read_dicom(tmp_path / "ct")
    assert caught.value.where == "001.dcm"
    assert caught.value.got == "stored values from 100 to 4196 in 12 Bits Stored (0028,0101)"
    assert caught.value.allowed == "0 to 4095"

    def overlay(k, ds):
        ds.add_new(0x60000010, "US", 4)
        ds.add_new(0x60000100, "US", 16)
        ds.add_new(0x60000102, "US", 12)

    write_series(tmp_path / "overlay", stored, extra=TWELVE, edit=overlay)
    np.testing.assert_array_equal(read_dicom(tmp_path / "overlay").volume.array, 100)
    write_series(tmp_path / "high", stored, extra={"BitsStored": 12, "HighBit": 15})
    with pytest.raises(FormatError, match=r"High Bit \(0028,0102\) is 15 at 12 Bits Stored"):
        read_dicom(tmp_path / "high")


def test_the_sign_of_twelve_bits_with_the_others_clear(tmp_path):
    values = np.array([-1, -2048, 2047, 0, 7, -300]).reshape(1, 2, 3).repeat(2, 0)
    for name, stored in (("extended", values), ("clear", values & 0xFFF)):
        write_series(tmp_path / name, stored, extra=TWELVE | {"PixelRepresentation": 1})
        np.testing.assert_array_equal(read_dicom(tmp_path / name).volume.array, values)


@pytest.mark.parametrize("signed", [0, 1])
def test_the_sign_of_stored_values_is_the_headers(tmp_path, signed):
    stored = np.array([-1, 0, 1, 32767, -32768, 5], np.int16).reshape(1, 2, 3).repeat(2, 0)
    write_series(tmp_path / "mr", stored, modality="MR", extra={"PixelRepresentation": signed})
    expected = stored if signed else stored.view(np.uint16)
    np.testing.assert_array_equal(read_dicom(tmp_path / "mr").volume.array, expected)


@pytest.mark.parametrize(
    ("extra", "got"),
    [
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "a colour image (PALETTE COLOR, 1 sample per pixel)"),
        ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}, "a colour image (RGB, 3 samples per pixel)"),
    ],
)
def test_colour_is_refused(tmp_path, extra, got):
    write_series(tmp_path / "ct", STORED[:1, :4, :6], extra=extra)
    with pytest.raises(FormatError) as caught:
        read_dicom(tmp_path / "ct")
    assert caught.value.got == got
    assert caught.value.where == "ct: 000.dcm"


def test_a_syntax_that_nobody_here_decodes_is_named(tmp_path):
    write_series(tmp_path / "ct", STORED[:1])
    compressed(tmp_path / "ct", "RLE")
    path = tmp_path / "ct" / "000.dcm"
    ds = pydicom.dcmread(path)
    ds.file_meta.TransferSyntaxUID = pydicom.uid.MPEG2MPML
    ds.save_as(path)
    with pytest.raises(FormatError, match=r"pixels compressed as MPEG2 .* cannot be decoded here"):
        read_dicom(tmp_path / "ct")


@pytest.mark.parametrize(("slope", "intercept"), [(1e35, 0.0), (1.0, 3e38), (-1e36, 5.0)])
def test_a_rescale_beyond_every_number_is_refused(tmp_path, slope, intercept):
    def edit(k, ds):
        ds.RescaleSlope, ds.RescaleIntercept = slope, intercept

    write_series(tmp_path / "ct", STORED[:2], edit=edit)
    with pytest.raises(FormatError, match=r"000\.dcm: rescale slope .* allowed: values that a floating-point number"):
        read_dicom(tmp_path / "ct")
