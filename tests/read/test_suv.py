"""SUV factors against numbers worked out by hand in closed form.

70 kg and 350 MBq: 70 000 g / 350e6 Bq = 2e-4 SUV per Bq/mL at injection; one half-life later twice that.
"""

from __future__ import annotations

import math

import pytest
from pydicom.dataset import Dataset

from dicom_factory import pet
from radiolocus.errors import FormatError
from radiolocus.read.suv import suv_factor, suv_scale

F18 = 6586.2
AT_INJECTION = 70_000 / 350e6


def header(*args, **kwargs):
    ds = Dataset()
    for name, value in pet(*args, **kwargs).items():
        setattr(ds, name, value)
    return ds


def factor(*args, kind="bw", **kwargs):
    return suv_scale([header(*args, **kwargs)], "PET", kind).factor


def test_bare_arithmetic():
    assert suv_factor(70_000, 350e6, 0, F18) == pytest.approx(2e-4, rel=1e-15)
    assert suv_factor(70_000, 350e6, F18, F18) == pytest.approx(4e-4, rel=1e-15)
    assert suv_factor(70_000, 350e6, 3 * F18, F18) == pytest.approx(16e-4, rel=1e-15)


def test_start_decays_the_dose_from_injection_to_series_time():
    scale = suv_scale([header()], "PET")
    assert scale.factor == pytest.approx(AT_INJECTION * 2 ** (3600 / F18), rel=1e-12)
    assert scale.unit == "SUVbw g/mL"
    assert "70 kg, 350 MBq decayed for 3600 s" in scale.notes[0]


def test_one_half_life_doubles_the_factor():
    # 110 minutes and 6600 s of half-life: exactly one half-life.
    assert factor(RadionuclideHalfLife=6600.0, SeriesTime="115000", AcquisitionTime="115000") == pytest.approx(4e-4)


def test_admin_leaves_the_dose_alone():
    assert factor(correction="ADMIN") == pytest.approx(AT_INJECTION, rel=1e-15)
    assert factor(correction="ADMIN", SeriesTime=None, AcquisitionTime=None, RadionuclideHalfLife=None) == 2e-4


@pytest.mark.filterwarnings("ignore:Invalid value for VR TM:UserWarning")
@pytest.mark.parametrize("start", ["233000", "233000.00", "23:30:00", "2330"])
def test_midnight_between_injection_and_scan(start):
    scale = suv_scale(
        [header(RadiopharmaceuticalStartTime=start, SeriesTime="003000", AcquisitionTime="003000")], "PET"
    )
    assert scale.factor == pytest.approx(AT_INJECTION * 2 ** (3600 / F18), rel=1e-12)
    assert any("day before" in note for note in scale.notes)


def test_midnight_with_an_injection_date_needs_no_guess():
    changes = {"RadiopharmaceuticalStartDateTime": "20200229233000", "RadiopharmaceuticalStartTime": "233000"}
    scale = suv_scale([header(SeriesTime="003000", AcquisitionTime="003000", **changes)], "PET")
    assert scale.factor == pytest.approx(AT_INJECTION * 2 ** (3600 / F18), rel=1e-12)
    assert len(scale.notes) == 1


def test_fractions_of_a_second_count():
    longer = factor(SeriesTime="110000.500000", AcquisitionTime="110001")
    assert longer / factor() == pytest.approx(2 ** (0.5 / F18), rel=1e-12)


def test_series_time_later_than_acquisition_gives_way_to_the_earliest_acquisition():
    slices = [header(SeriesTime="150000", AcquisitionTime=t) for t in ("110300", "110000", "110600")]
    scale = suv_scale(slices, "PET")
    assert scale.factor == pytest.approx(AT_INJECTION * 2 ** (3600 / F18), rel=1e-12)
    assert any("earliest acquisition time" in note for note in scale.notes)


def test_series_time_before_acquisition_rules_for_every_bed_position():
    slices = [header(SeriesTime="110000", AcquisitionTime=t) for t in ("110500", "110200")]
    assert suv_scale(slices, "PET").factor == pytest.approx(AT_INJECTION * 2 ** (3600 / F18), rel=1e-12)


def test_midnight_during_the_scan():
    moments = [("20200302", "000300"), ("20200301", "235800")]
    slices = [
        header(RadiopharmaceuticalStartTime="225800", SeriesTime="235800", AcquisitionDate=day, AcquisitionTime=clock)
        for day, clock in moments
    ]
    assert suv_scale(slices, "PET").factor == pytest.approx(AT_INJECTION * 2 ** (3600 / F18), rel=1e-12)


@pytest.mark.parametrize("value", ["20200301110000.00", b"20200301110000.00 "])
def test_private_scan_time_of_one_vendor(value):
    ds = header(SeriesTime="150000", AcquisitionTime="113000")
    ds.private_block(0x0009, "GEMS_PETD_01", create=True).add_new(
        0x0D, "UN" if isinstance(value, bytes) else "DT", value
    )
    scale = suv_scale([ds], "PET")
    assert scale.factor == pytest.approx(AT_INJECTION * 2 ** (3600 / F18), rel=1e-12)
    assert any("(0009,100D)" in note for note in scale.notes)


def test_time_zone_of_the_injection_is_brought_to_the_scanner():
    changes = {"RadiopharmaceuticalStartDateTime": "20200301150000-0000", "RadiopharmaceuticalStartTime": "100000"}
    assert factor(TimezoneOffsetFromUTC="-0500", **changes) == pytest.approx(AT_INJECTION * 2 ** (3600 / F18))
    with pytest.raises(FormatError, match="18000 s apart"):
        factor(**changes)


def test_long_lived_nuclides_need_the_date():
    zirconium = 78.41 * 3600
    with pytest.raises(FormatError, match=r"no injection date.*Start DateTime \(0018,1078\)"):
        factor(RadionuclideHalfLife=zirconium)
    four_days = factor(RadionuclideHalfLife=zirconium, RadiopharmaceuticalStartDateTime="20200226100000")
    assert four_days == pytest.approx(AT_INJECTION * 2 ** ((4 * 86400 + 3600) / zirconium), rel=1e-12)


def test_gml_is_never_converted_again():
    scale = suv_scale([header(units="GML")], "PET")
    assert scale.factor == 1.0
    assert scale.unit == "SUVbw g/mL"
    assert "not converted again" in scale.notes[0]
    assert suv_scale([header(units="GML", SUVType="LBMJANMA")], kind="lbm").unit == "SUVlbm g/mL"
    for stated, units in (("BSA", "GML"), ("IBW", "GML"), ("BW", "CM2ML")):
        with pytest.raises(FormatError, match=rf"SUV Type \(0054,1006\) is {stated} with Units {units}; allowed: BW"):
            suv_scale([header(units=units, SUVType=stated)])


def philips(value, vr="DS"):
    ds = header(units="CNTS", correction="START")
    if value is not None:
        ds.private_block(0x7053, "Philips PET Private Group", create=True).add_new(0x00, vr, value)
    return ds


def test_counts_with_the_vendors_factor():
    for ds in (philips("0.000551"), philips(b"0.000551", "UN")):
        scale = suv_scale([ds], "PET")
        assert scale.factor == 0.000551
        assert "(7053,1000)" in scale.notes[0]


def test_counts_with_the_vendors_concentration():
    # 0.5 Bq/mL a count: 0.5 x 2e-4 x 2^(3600 / 6586.2); the SUV factor goes first where both stand.
    for value in (None, 0):
        ds = philips(value)
        ds.private_block(0x7053, "Philips PET Private Group", create=True).add_new(0x09, "DS", "0.5")
        scale = suv_scale([ds], "PET")
        assert scale.factor == pytest.approx(1e-4 * 2 ** (3600 / F18), rel=1e-12)
        assert "(7053,1009) = 0.5" in scale.notes[0]
        assert "70 kg, 350 MBq decayed for 3600 s" in scale.notes[1]
        ds.PatientWeight = None
        with pytest.raises(FormatError, match=r"\(0010,1030\) is missing"):
            suv_scale([ds], "PET")
        ds.PatientWeight = 70.0
    both = philips("0.000551")
    both.private_block(0x7053, "Philips PET Private Group").add_new(0x09, "DS", "0.5")
    assert suv_scale([both], "PET").factor == 0.000551
    other = philips(None)
    other.private_block(0x7053, "Philips PET Private Group", create=True).add_new(0x09, "DS", "0.6")
    with pytest.raises(FormatError, match="not the same on all slices"):
        suv_scale([ds, other], "PET")


# 70 kg, 1.75 m: worked out by hand. Body mass index 70 / 3.0625 = 22.857142857.
# Janmahasatian: men 648900 / (6680 + 4937.142857) = 55.8571, women 648900 / (8780 + 5577.142857) = 45.1971.
# James: men 77 - 128 x 0.16 = 56.52, women 74.9 - 148 x 0.16 = 51.22. Du Bois: 0.007184 x 70^0.425 x 175^0.725.
BODY = {
    ("lbm", "M"): 9270 * 70 / (6680 + 216 * 22.857142857142858),
    ("lbm", "F"): 9270 * 70 / (8780 + 244 * 22.857142857142858),
    ("lbm_james", "M"): 56.52,
    ("lbm_james", "F"): 51.22,
}


@pytest.mark.parametrize(("kind", "sex"), BODY)
def test_lean_body_mass(kind, sex):
    scale = suv_scale([header(PatientSize=1.75, PatientSex=sex)], "PET", kind)
    assert scale.factor == pytest.approx(BODY[kind, sex] * 1000 / 350e6 * 2 ** (3600 / F18), rel=1e-9)
    assert scale.unit == "SUVlbm g/mL"
    name = "Janmahasatian" if kind == "lbm" else "James, coefficient 128"
    assert f"70 kg, 1.75 m, sex {sex}: lean body mass {BODY[kind, sex]:.4g} kg ({name})" in scale.notes[0]


def test_body_surface():
    # Du Bois and Du Bois: log10 of the area in cm² is 0.425 log10 kg + 0.725 log10 cm + 1.8564 (their own constants).
    scale = suv_scale([header(PatientSize=1.75)], "PET", "bsa")
    area = 10 ** (0.425 * math.log10(70) + 0.725 * math.log10(175) + 1.8564)
    assert area == pytest.approx(18481, abs=3)
    assert scale.factor == pytest.approx(area / 350e6 * 2 ** (3600 / F18), rel=1e-4)
    assert scale.unit == "SUVbsa cm2/mL"
    assert "body surface area 1.848 m² (Du Bois)" in scale.notes[0]


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("lbm", {}, r"Patient's Size \(0010,1020\) is missing"),
        ("bsa", {"PatientSize": 0}, r"Patient's Size \(0010,1020\) is 0"),
        ("bsa", {"PatientSize": 175}, r"Patient's Size \(0010,1020\) is 175 m; allowed: 0\.3 to 2\.6 m.*may be in cm"),
        ("lbm", {"PatientSize": 1.75}, r"Patient's Sex \(0010,0040\) is missing; allowed: M or F"),
        ("lbm_james", {"PatientSize": 1.75, "PatientSex": "O"}, r"Patient's Sex \(0010,0040\) is O"),
        ("bsa", {"PatientSize": 1.75, "PatientWeight": None}, r"Patient's Weight \(0010,1030\) is missing"),
        # James's parabola falls below 0 at 260 kg and 1.5 m: 1.07 x 260 - 148 x (260 / 150)² = -166.5.
        (
            "lbm_james",
            {"PatientSize": 1.5, "PatientSex": "F", "PatientWeight": 260},
            r"lean body mass \(James, coefficient 128\) of 260 kg, 1\.5 m, sex F is -166\.5 kg.*Janmahasatian",
        ),
    ],
)
def test_what_lean_mass_and_surface_need_is_named(kind, changes, message):
    with pytest.raises(FormatError, match=message):
        suv_scale([header(**changes)], "PET", kind)


def test_suv_by_weight_becomes_suv_by_another_measure():
    body = {"PatientSize": 1.75, "PatientSex": "M"}
    lean = BODY["lbm", "M"] / 70
    assert factor(units="GML", kind="lbm", **body) == pytest.approx(lean, rel=1e-9)
    assert factor(units="GML", SUVType="BW", kind="bsa", **body) == pytest.approx(18481 / 70_000, rel=1e-4)
    ds = philips("0.000551")
    ds.PatientSize, ds.PatientSex = 1.75, "M"
    assert suv_scale([ds], "PET", "lbm").factor == pytest.approx(0.000551 * lean, rel=1e-9)


@pytest.mark.parametrize(
    ("units", "stated", "kind", "allowed"),
    [
        ("GML", "LBM", "bw", "'lbm_james'"),
        ("GML", "LBMJAMES128", "lbm", "'lbm_james'"),
        ("GML", "LBMJANMA", "bsa", "'lbm'"),
        ("CM2ML", "BSA", "bw", "'bsa'"),
        ("CM2ML", None, "bw", "'bsa'"),
    ],
)
def test_suv_of_one_kind_is_not_taken_for_another(units, stated, kind, allowed):
    assert factor(units=units, SUVType=stated, kind=allowed.strip("'")) == 1.0
    with pytest.raises(FormatError, match=f"already, asked for is '{kind}'; allowed: suv = {allowed} for this series"):
        factor(units=units, SUVType=stated, kind=kind)


@pytest.mark.parametrize("value", [None, "0", "-1"])
def test_counts_without_it_are_refused(value):
    with pytest.raises(FormatError, match=r"CNTS.*\(7053,1000\) and \(7053,1009\).*allowed: one positive factor"):
        suv_scale([philips(value)], "PET")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"PatientWeight": None}, r"Patient's Weight \(0010,1030\) is missing"),
        ({"PatientWeight": 0}, r"Patient's Weight \(0010,1030\) is 0"),
        ({"PatientWeight": -70}, r"Patient's Weight \(0010,1030\) is -70"),
        ({"RadionuclideTotalDose": None}, r"Total Dose \(0018,1074\) is missing"),
        ({"RadionuclideTotalDose": 0}, r"Total Dose \(0018,1074\) is 0"),
        ({"RadionuclideTotalDose": 350}, r"Total Dose \(0018,1074\) is 350 Bq.*looks like MBq"),
        ({"RadionuclideHalfLife": None}, r"Half Life \(0018,1075\) is missing"),
        ({"RadionuclideHalfLife": 0}, r"Half Life \(0018,1075\) is 0"),
        (
            {"RadiopharmaceuticalStartTime": None},
            r"\(0018,1072\) and Start DateTime \(0018,1078\) are missing",
        ),
        ({"RadiopharmaceuticalStartTime": "soon"}, r"\(0018,1072\).*missing or unreadable"),
        ({"SeriesTime": None, "AcquisitionTime": None}, r"Acquisition Time \(0008,0032\) is missing"),
        ({"RadiopharmaceuticalInformationSequence": None}, r"no items in Radiopharmaceutical Info.*\(0054,0016\)"),
        ({"CorrectedImage": ["DECY"]}, "lacks ATTN"),
        ({"CorrectedImage": "ATTN"}, "lacks DECY"),
        ({"correction": "NONE"}, r"Decay Correction \(0054,1102\) is NONE; allowed: START or ADMIN"),
        ({"correction": None}, r"Decay Correction \(0054,1102\) is missing"),
        ({"units": "PROPCPS"}, r"Units \(0054,1001\) are PROPCPS; allowed: GML or CM2ML"),
        ({"units": None}, r"Units \(0054,1001\) are missing"),
        ({"SeriesTime": "095900", "AcquisitionTime": "095900"}, r"86340 s from injection.*allowed: 0 to 10 half-lives"),
        ({"RadiopharmaceuticalStartDateTime": "20100301100000"}, "from injection to scan start"),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR TM:UserWarning")
def test_refusals_name_the_tag(changes, message):
    with pytest.raises(FormatError, match=message) as caught:
        suv_scale([header(**changes)], "PET")
    assert caught.value.where == "PET"


def test_missing_list_of_corrections_is_said():
    assert any("(0028,0051) is missing" in note for note in suv_scale([header(CorrectedImage=None)]).notes)


@pytest.mark.parametrize("name", ["Units", "DecayCorrection", "PatientWeight"])
def test_slices_must_agree(name):
    other = header()
    setattr(other, name, {"Units": "GML", "DecayCorrection": "ADMIN", "PatientWeight": 71.0}[name])
    with pytest.raises(FormatError, match=f"slices differ in {name}"):
        suv_scale([header(), other], "PET")
