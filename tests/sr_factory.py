"""Structured reports of template TID 1500, written item by item as the standard orders them."""

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

COMPREHENSIVE = "1.2.840.10008.5.1.4.1.1.88.33"
CONCEPTS = {
    "long": ("G-A185", "SRT", "Long Axis"),
    "short": ("103340004", "SCT", "Short axis"),
    "diameter": ("81827009", "SCT", "Diameter"),
    "volume": ("118565006", "SCT", "Volume"),
    "adc": ("113041", "DCM", "Apparent Diffusion Coefficient"),
    "suv": ("126401", "DCM", "SUVbw"),
    "area": ("G-A166", "SRT", "Area"),
}
PEAK, MEAN, MAXIMUM = (
    ("126031", "DCM", "Peak Value Within ROI"),
    ("R-00317", "SRT", "Mean"),
    ("G-A437", "SRT", "Maximum"),
)


def code(value, scheme, meaning):
    entry = Dataset()
    entry.CodeValue, entry.CodingSchemeDesignator, entry.CodeMeaning = value, scheme, meaning
    return entry


def item(kind, name, relationship="CONTAINS", children=(), **values):
    entry = Dataset()
    entry.RelationshipType, entry.ValueType = relationship, kind
    entry.ConceptNameCodeSequence = [code(*name)]
    for key, value in values.items():
        setattr(entry, key, value)
    if children:
        entry.ContentSequence = list(children)
    return entry


def number(name, value, unit, derivation=None):
    children = []
    if derivation:
        children = [
            item("CODE", ("121401", "DCM", "Derivation"), "HAS CONCEPT MOD", ConceptCodeSequence=[code(*derivation)])
        ]
    measured = Dataset()
    if value is not None:
        measured.NumericValue, measured.MeasurementUnitsCodeSequence = str(value), [code(unit, "UCUM", unit)]
    return item("NUM", CONCEPTS[name], children=children, MeasuredValueSequence=[measured] if value is not None else [])


def group(lesion, *numbers, uid="", site="", visit="", said=(), anatomy=False):
    content = [item("TEXT", ("112039", "DCM", "Tracking Identifier"), "HAS OBS CONTEXT", TextValue=lesion)]
    if uid:
        content.append(item("UIDREF", ("112040", "DCM", "Tracking Unique Identifier"), "HAS OBS CONTEXT", UID=uid))
    if anatomy:
        category = [code("91723000", "SCT", "Anatomical structure")]
        content.append(item("CODE", ("276214006", "SCT", "Finding category"), ConceptCodeSequence=category))
    if visit:
        content.append(item("TEXT", ("C2348792", "UMLS", "Time Point"), "HAS OBS CONTEXT", TextValue=visit))
    if site:
        places = [code("1", "99TEST", site)]
        content.append(item("CODE", ("G-C0E3", "SRT", "Finding Site"), "HAS CONCEPT MOD", ConceptCodeSequence=places))
    for k, word in enumerate(said):
        content.append(item("CODE", (f"Q{k}", "99TEST", "Evaluation"), ConceptCodeSequence=[code(str(k), "99T", word)]))
    return item("CONTAINER", ("125007", "DCM", "Measurement Group"), children=[*content, *numbers])


def report(path, groups, *, subject="P1", date="20200101", reader="", template="1500", uid=None):
    """Write a report and return its path."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = COMPREHENSIVE
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = uid or generate_uid()
    ds.Modality, ds.PatientID, ds.StudyDate = "SR", subject, date
    ds.ValueType, ds.ConceptNameCodeSequence = "CONTAINER", [code("126000", "DCM", "Imaging Measurement Report")]
    if template != "1500":
        ds.ConceptNameCodeSequence = [code("113701", "DCM", "X-Ray Radiation Dose Report")]
    told = Dataset()
    told.MappingResource, told.TemplateIdentifier = "DCMR", template
    ds.ContentTemplateSequence = [told]
    observer = item("PNAME", ("121008", "DCM", "Person Observer Name"), "HAS OBS CONTEXT", PersonName=reader)
    measurements = item("CONTAINER", ("126010", "DCM", "Imaging Measurements"), children=groups)
    ds.ContentSequence = [observer, measurements] if reader else [measurements]
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
    return path
