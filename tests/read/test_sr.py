"""Structured reports: the content of TID 1500, as we read it and as another library does."""

import pydicom
import pytest

from radiolocus.errors import FormatError
from radiolocus.read.sr import has_reports, read_report, scan_reports
from sr_factory import group, number, report

EDGE = "dicom_edge/highdicom"


def test_a_report_of_several_groups(data):
    groups = read_report(data(f"{EDGE}/sr_document_with_multiple_groups.dcm"))
    assert [g.tracking for g in groups] == ["Image0001", "LungNodule0001", "Aorta0001", "Vertebra0001"]
    assert [g.anatomy for g in groups] == [False, False, True, True]
    nodule = groups[1]
    assert (nodule.subject, nodule.date, nodule.reader) == ("1CT1", "2004-01-19", "Doe^John")
    assert (nodule.finding, nodule.site, nodule.said) == ("Nodule", "Lung", ("Not significant",))
    (diameter,) = nodule.measurements
    assert (diameter.concept.meaning, diameter.value, diameter.unit) == ("Diameter", 10.0, "mm")
    assert nodule.uid.endswith("483197548907108234588")
    assert [(m.value, m.unit) for m in groups[3].measurements] == [(200.0, "mm3")]


def test_codes_of_the_older_scheme_and_uids_of_numbers(data):
    (only,) = read_report(data(f"{EDGE}/sr_document.dcm"))
    assert (only.tracking, only.finding, only.site) == (
        "Planar ROI Measurements",
        "Spinal cord",
        "Cervico-thoracic spine",
    )
    # The number has a tracking UID of its own; that of the group counts.
    assert only.uid.endswith("66061552196996")
    assert [(m.concept.value, m.value, m.unit) for m in only.measurements] == [("G-A16A", 1.7, "cm2")]


@pytest.mark.parametrize("name", ["sr_document.dcm", "sr_document_with_multiple_groups.dcm"])
def test_equals_highdicom(data, name):
    highdicom = pytest.importorskip("highdicom", reason="highdicom is not installed")
    theirs = highdicom.sr.srread(data(f"{EDGE}/{name}")).content
    found = [
        *theirs.get_image_measurement_groups(),
        *theirs.get_planar_roi_measurement_groups(),
        *theirs.get_volumetric_roi_measurement_groups(),
    ]
    told = {
        (g.tracking_identifier, g.tracking_uid): sorted(
            (m.name.meaning, m.value, m.unit.value) for m in g.get_measurements()
        )
        for g in found
    }
    ours = {
        (g.tracking, g.uid): sorted((m.concept.meaning, m.value, m.unit) for m in g.measurements)
        for g in read_report(data(f"{EDGE}/{name}"))
    }
    assert ours == told


def test_odd_files_are_named_and_the_others_read(tmp_path):
    one = group("L1", number("long", 21, "mm"), uid="1.2.3")
    report(tmp_path / "a.dcm", [one], uid="1.2.3.4")
    report(tmp_path / "b.dcm", [one], uid="1.2.3.4")
    report(tmp_path / "c.dcm", [one], template="10011")
    report(tmp_path / "d.dcm", [one], date="")
    report(tmp_path / "e.dcm", [one], subject="")
    (tmp_path / "f.dcm").write_bytes((tmp_path / "a.dcm").read_bytes()[:600])
    (tmp_path / "notes.txt").write_text("nothing")
    image = pydicom.dcmread(report(tmp_path / "g.dcm", [one]))
    image.SOPClassUID, image.Modality, image.Rows = "1.2.840.10008.5.1.4.1.1.2", "CT", 4
    image.save_as(tmp_path / "g.dcm")
    odd = pydicom.dcmread(report(tmp_path / "h.dcm", [one]))
    del odd.ContentSequence[0].ContentSequence[0].ContentSequence[2].MeasuredValueSequence[0].NumericValue
    odd.save_as(tmp_path / "h.dcm")
    found = scan_reports(tmp_path)
    assert [(g.file, g.tracking) for g in found.groups] == [("a.dcm", "L1")]
    told = {p.where.split(":")[0]: (p.severity, p.got) for p in found.problems}
    assert told["b.dcm"] == ("note", "a copy of a.dcm: left out")
    assert "template 10011 (X-Ray Radiation Dose Report)" in told["c.dcm"][1]
    assert "Study Date (0008,0020) ''" in told["d.dcm"][1]
    assert "no Patient ID" in told["e.dcm"][1]
    assert told["f.dcm"][0] == "set aside"
    assert "no structured report (CT)" in told["g.dcm"][1]
    assert "content that cannot be read" in told["h.dcm"][1]
    assert "no structured report (not DICOM)" in told["notes.txt"][1]
    assert has_reports(tmp_path)


def test_a_folder_without_reports_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    assert not has_reports(tmp_path)
    with pytest.raises(FormatError, match=r"no structured report of measurements \(a.txt"):
        scan_reports(tmp_path)
    with pytest.raises(FormatError, match="no such file or folder"):
        scan_reports(tmp_path / "none")
    with pytest.raises(FormatError, match="no structured report"):
        read_report(tmp_path / "a.txt")
