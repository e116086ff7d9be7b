"""Writes small synthetic DICOM series, structure sets and segmentations whose every number a test chooses."""

from __future__ import annotations

import tempfile

import numpy as np
import pydicom
import SimpleITK
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLosslessSV1, RLELossless

ROOT = "1.2.826.0.1.3680043.8.498."
FRAME = ROOT + "7.1"
SERIES = ROOT + "7.2"
_CLASS = {"CT": "2", "MR": "4", "PT": "128"}

# A right-handed frame that is oblique to all three axes: rotations by 20 degrees about x and 35 degrees about z.
_a, _b = np.deg2rad(20), np.deg2rad(35)
OBLIQUE = np.array([[np.cos(_b), -np.sin(_b), 0], [np.sin(_b), np.cos(_b), 0], [0, 0, 1]]) @ np.array(
    [[1, 0, 0], [0, np.cos(_a), -np.sin(_a)], [0, np.sin(_a), np.cos(_a)]]
)


def sop_uid(k):
    return f"{ROOT}8.{k + 1}"


def decimal(values):
    """DICOM decimal strings hold 16 characters."""
    return [f"{float(v):.9f}"[:16] for v in values]


def write_series(
    folder,
    stored,
    *,
    modality="CT",
    spacing=(3.0, 2.0, 1.5),
    origin=(-10.0, -20.0, 30.0),
    frame=None,
    slope=1.0,
    intercept=0.0,
    order=None,
    compress=False,
    edit=None,
    extra=None,
):
    """Write one file a slice of `stored` (z, y, x; int16) and return the affine from (z, y, x, 1) to LPS.

    `frame` holds the unit vectors along (column index, row index, slice) in its columns. `order` gives the number in
    the name of the file of each slice. `edit(k, dataset)` changes a slice last; `extra` is set on all of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    frame = np.eye(3) if frame is None else frame
    affine = np.eye(4)
    affine[:3, :3] = np.stack([frame[:, 2] * spacing[0], frame[:, 1] * spacing[1], frame[:, 0] * spacing[2]], axis=1)
    affine[:3, 3] = origin
    slopes = np.broadcast_to(slope, len(stored))
    for k, pixels in enumerate(np.asarray(stored, np.int16)):
        ds = _dataset(f"1.2.840.10008.5.1.4.1.1.{_CLASS[modality]}", sop_uid(k))
        ds.Modality = modality
        ds.SeriesInstanceUID, ds.SeriesNumber, ds.SeriesDescription = SERIES, 3, "synthetic"
        ds.FrameOfReferenceUID = FRAME
        ds.PatientName, ds.PatientID = "Secret^Name", "SECRET-ID"
        ds.ImageOrientationPatient = decimal([*frame[:, 0], *frame[:, 1]])
        ds.ImagePositionPatient = decimal(affine[:3, 3] + k * affine[:3, 0])
        ds.PixelSpacing, ds.SliceThickness = [spacing[1], spacing[2]], spacing[0]
        ds.Rows, ds.Columns = pixels.shape
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
        ds.RescaleSlope, ds.RescaleIntercept = decimal([slopes[k], intercept])
        ds.PixelData = pixels.tobytes()
        for name, value in (extra or {}).items():
            setattr(ds, name, value)
        if edit is not None:
            edit(k, ds)
        if compress:
            ds.compress(RLELossless, generate_instance_uid=False)
        name = k if order is None else order[k]
        ds.save_as(folder / f"{name:03d}.dcm", enforce_file_format=True)
    return affine


def pet(units="BQML", correction="START", **changes):
    """Header of a PET slice: 70 kg, 350 MBq of F-18 at 10:00:00, scanned from 11:00:00."""
    drug = Dataset()
    drug.RadiopharmaceuticalStartTime = "100000"
    drug.RadionuclideTotalDose = 350e6
    drug.RadionuclideHalfLife = 6586.2
    for name in [n for n in changes if n in drug or n == "RadiopharmaceuticalStartDateTime"]:
        value = changes.pop(name)
        if value is None:
            delattr(drug, name)
        else:
            setattr(drug, name, value)
    header = {
        "Units": units,
        "DecayCorrection": correction,
        "CorrectedImage": ["DECY", "ATTN", "SCAT"],
        "PatientWeight": 70.0,
        "SeriesDate": "20200301",
        "SeriesTime": "110000",
        "AcquisitionDate": "20200301",
        "AcquisitionTime": "110000",
        "RadiopharmaceuticalInformationSequence": [drug],
    }
    header.update(changes)
    return {name: value for name, value in header.items() if value is not None}


def write_rtstruct(path, rois, *, frame=FRAME, drawn_on=SERIES, kinds=None, references=True):
    """Write a structure set: `rois` maps a name to a list of (points (n, 3) in LPS mm, SOP Instance UID or None)."""
    ds = _dataset("1.2.840.10008.5.1.4.1.1.481.3", ROOT + "9.1")
    ds.Modality, ds.SeriesInstanceUID, ds.StructureSetLabel = "RTSTRUCT", ROOT + "9.2", "synthetic"
    ds.PatientName, ds.PatientID = "Secret^Name", "SECRET-ID"
    if references:
        ds.ReferencedFrameOfReferenceSequence = [
            _item(
                FrameOfReferenceUID=frame,
                RTReferencedStudySequence=[_item(RTReferencedSeriesSequence=[_item(SeriesInstanceUID=drawn_on)])],
            )
        ]
    regions, contours = [], []
    for number, (name, planes) in enumerate(rois.items(), start=1):
        region = _item(ROINumber=number, ROIName=name, ROIGenerationAlgorithm="MANUAL")
        if frame:
            region.ReferencedFrameOfReferenceUID = frame
        regions.append(region)
        items = []
        for i, (points, uid) in enumerate(planes):
            item = _item(
                ContourGeometricType="CLOSED_PLANAR" if kinds is None else kinds[i],
                NumberOfContourPoints=len(points),
                ContourData=decimal(np.asarray(points).ravel()),
            )
            if uid is not None:
                item.ContourImageSequence = [_item(ReferencedSOPInstanceUID=uid)]
            items.append(item)
        contours.append(_item(ReferencedROINumber=number, ContourSequence=items))
    ds.StructureSetROISequence, ds.ROIContourSequence = regions, contours
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
    return path


def write_seg(
    path,
    segments,
    affine,
    *,
    kind="BINARY",
    omit_empty=True,
    order=None,
    shared=(),
    frame=FRAME,
    made_on=SERIES,
    between=None,
    compress=False,
    edit=None,
):
    """Write a Segmentation: `segments` maps a label to an array (z, y, x), bool or (FRACTIONAL) 0 to 255.

    `order` permutes the frames, `shared` names functional groups that stand in the shared ones, `edit(dataset)` changes
    the whole last.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    cosines = decimal([*affine[:3, 2] / spacing[2], *affine[:3, 1] / spacing[1]])
    frames = [
        (number, k, np.asarray(plane, np.uint8))
        for number, array in enumerate(segments.values(), start=1)
        for k, plane in enumerate(array)
        if plane.any() or not omit_empty
    ]
    frames = frames if order is None else [frames[i] for i in order]
    ds = _dataset("1.2.840.10008.5.1.4.1.1.66.4", ROOT + "10.1")
    ds.Modality, ds.SeriesInstanceUID, ds.SegmentationType = "SEG", ROOT + "10.2", kind
    ds.PatientName, ds.PatientID = "Secret^Name", "SECRET-ID"
    if frame:
        ds.FrameOfReferenceUID = frame
    if made_on:
        ds.ReferencedSeriesSequence = [_item(SeriesInstanceUID=made_on)]
    ds.SegmentSequence = [_item(SegmentNumber=n, SegmentLabel=label) for n, label in enumerate(segments, start=1)]
    measures = _item(PixelSpacing=decimal(spacing[1:]), SliceThickness=decimal(spacing[:1])[0])
    if between is not None:
        measures.SpacingBetweenSlices = between
    groups = [
        {
            "SegmentIdentificationSequence": [_item(ReferencedSegmentNumber=number)],
            "PlanePositionSequence": [_item(ImagePositionPatient=decimal(affine[:3, 3] + k * affine[:3, 0]))],
            "PlaneOrientationSequence": [_item(ImageOrientationPatient=cosines)],
            "PixelMeasuresSequence": [measures],
        }
        for number, k, _ in frames
    ]
    if shared:
        ds.SharedFunctionalGroupsSequence = [_item(**{name: groups[0][name] for name in shared})]
    ds.PerFrameFunctionalGroupsSequence = [
        _item(**{name: value for name, value in own.items() if name not in shared}) for own in groups
    ]
    ds.NumberOfFrames = len(frames)
    ds.Rows, ds.Columns = next(iter(segments.values())).shape[1:]
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated = ds.BitsStored = 1 if kind == "BINARY" else 8
    ds.HighBit = ds.BitsAllocated - 1
    flat = np.concatenate([plane.ravel() for *_, plane in frames]) if frames else np.zeros(0, np.uint8)
    if kind == "BINARY":
        flat = np.packbits(flat, bitorder="little")
    else:
        ds.MaximumFractionalValue, ds.SegmentationFractionalType = 255, "PROBABILITY"
    ds["PixelData"] = DataElement("PixelData", "OB", flat.tobytes() + b"\0" * (flat.size % 2))
    if edit is not None:
        edit(ds)
    if compress:
        ds.compress(RLELossless, generate_instance_uid=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
    return path


def write_label_map(path, labels, names, affine, *, order=None, bits=8):
    """Write a Label Map Segmentation: `labels` (z, y, x) holds segment numbers, `names` their labels."""

    def turn(ds):
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.66.7"
        ds.SegmentationType = "LABELMAP"
        del ds.MaximumFractionalValue, ds.SegmentationFractionalType
        ds.SegmentSequence = [_item(SegmentNumber=n, SegmentLabel=label) for n, label in names.items()]
        for item in ds.PerFrameFunctionalGroupsSequence:
            del item.SegmentIdentificationSequence
        ds.BitsAllocated = ds.BitsStored = bits
        ds.HighBit, ds.PixelPaddingValue = bits - 1, 0
        kept = [plane for plane in np.asarray(labels) if plane.any()]
        kept = kept if order is None else [kept[rank] for rank in np.argsort(np.argsort(order))]
        flat = np.concatenate([plane.ravel() for plane in kept]).astype(f"<u{bits // 8}")
        ds["PixelData"] = DataElement(
            "PixelData", "OB" if bits == 8 else "OW", flat.tobytes() + b"\0" * (flat.nbytes % 2)
        )

    ranks = None if order is None else list(np.argsort(np.argsort(order)))
    return write_seg(path, {"all": np.asarray(labels) != 0}, affine, kind="FRACTIONAL", order=ranks, edit=turn)


def write_other(path, sop_class="1.2.840.10008.5.1.4.1.1.88.33", modality="SR"):
    """Write a DICOM object that is no image."""
    ds = _dataset(sop_class, ROOT + "5.1")
    ds.Modality, ds.SeriesInstanceUID = modality, ROOT + "5.2"
    ds.save_as(path, enforce_file_format=True)
    return path


def to_world(affine, points):
    """Index points (z, y, x) to LPS millimetres."""
    return np.asarray(points, float) @ affine[:3, :3].T + affine[:3, 3]


def _item(**elements):
    item = Dataset()
    for name, value in elements.items():
        setattr(item, name, value)
    return item


def _dataset(sop_class, uid):
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = sop_class, uid
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, uid
    ds.StudyInstanceUID = ROOT + "1.1"
    return ds


_ENHANCED = {"CT": "2.1", "MR": "4.1", "PT": "130"}
_PER_FRAME = ("ImagePositionPatient", "RescaleSlope", "RescaleIntercept", "RescaleType", "ImageOrientationPatient")
_SHARED = ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices", "GantryDetectorTilt")


def write_enhanced(path, folders, *, order=None, transform=True, real_world=None, per_frame=None, edit=None):
    """Write one enhanced object with the slices of classic series: `folders` is a folder or a list of them.

    `order` permutes the frames, `transform` keeps the rescale of each, `real_world` is a UCUM unit under which the
    rescale is written as a real-world value map instead, `per_frame(i, k)` gives functional groups of slice k of folder
    i (name to attributes), `edit(dataset)` changes the whole last.
    """
    folders = folders if isinstance(folders, list) else [folders]
    slices = [(i, k, pydicom.dcmread(f)) for i, d in enumerate(folders) for k, f in enumerate(sorted(d.iterdir()))]
    slices = slices if order is None else [slices[n] for n in order]
    first = slices[0][2]
    ds = _dataset(f"1.2.840.10008.5.1.4.1.1.{_ENHANCED[first.Modality]}", ROOT + "11.1")
    for element in first:
        if element.keyword not in (*_PER_FRAME, *_SHARED, "SOPClassUID", "SOPInstanceUID", "PixelData"):
            ds.add(element)
    own = {name: first[name].value for name in _SHARED if name in first}
    ds.SharedFunctionalGroupsSequence = [
        _item(
            PixelMeasuresSequence=[_item(**own)],
            PlaneOrientationSequence=[_item(ImageOrientationPatient=first.ImageOrientationPatient)],
        )
    ]
    ds.PerFrameFunctionalGroupsSequence = [
        _frame_groups(part, transform, real_world, {} if per_frame is None else per_frame(i, k))
        for i, k, part in slices
    ]
    ds.NumberOfFrames = len(slices)
    ds.PixelData = b"".join(part.PixelData for *_, part in slices)
    if edit is not None:
        edit(ds)
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
    return path


def _frame_groups(part, transform, real_world, more):
    groups = {"PlanePositionSequence": {"ImagePositionPatient": part.ImagePositionPatient}}
    rescale = {n: part[n].value for n in ("RescaleSlope", "RescaleIntercept", "RescaleType") if n in part}
    if transform:
        groups["PixelValueTransformationSequence"] = rescale
    if real_world is not None:
        groups["RealWorldValueMappingSequence"] = {
            "RealWorldValueSlope": float(part.RescaleSlope),
            "RealWorldValueIntercept": float(part.RescaleIntercept),
            "MeasurementUnitsCodeSequence": [
                _item(**{"CodeValue" if len(real_world) <= 16 else "LongCodeValue": real_world})
            ],
        }
    return _item(**{name: [_item(**attributes)] for name, attributes in {**groups, **more}.items()})


def recompress(path, kind):
    """Replace the pixels of a file by the same, compressed without loss: ``"JPEG"`` (.70) or ``"JPEG2000"`` (.90).

    Planes of less than 64 x 64 pixels are too small for the JPEG 2000 encoder.
    """
    ds = pydicom.dcmread(path)
    planes = ds.pixel_array.reshape(-1, ds.Rows, ds.Columns)
    frames = []
    for plane in planes:
        with tempfile.TemporaryDirectory() as folder:
            name = f"{folder}/plane.dcm"
            writer = SimpleITK.ImageFileWriter()
            writer.SetImageIO("GDCMImageIO")
            writer.SetUseCompression(True)
            writer.SetCompressor(kind)
            writer.SetFileName(name)
            writer.Execute(SimpleITK.GetImageFromArray(plane))
            written = pydicom.dcmread(name)
            assert written.BitsStored == ds.BitsAllocated
            frames += list(generate_frames(written.PixelData, number_of_frames=1))
    ds.PixelData = encapsulate(frames)
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = {"JPEG": JPEGLosslessSV1, "JPEG2000": JPEG2000Lossless}[kind]
    ds.save_as(path)


def write_examples(folder):
    """Write what the documentation reads: PET with two regions, two b-values in one object, a tilted CT with a SEG."""

    def body(k, ds):
        ds.PatientSize, ds.PatientSex = 1.75, "M"

    rng = np.random.default_rng(1)
    affine = write_series(folder / "pet", rng.integers(3000, 9000, (8, 14, 14)), modality="PT", edit=body, extra=pet())
    box = [(2.5, 2.5), (2.5, 9.5), (9.5, 9.5), (9.5, 2.5)]
    planes = [(to_world(affine, [(k, y, x) for y, x in box]), sop_uid(k)) for k in range(2, 6)]
    write_rtstruct(folder / "rs.dcm", {"GTV": planes, "Node 1": planes[:2]})
    region = np.zeros((6, 10, 10), bool)
    region[1:5, 2:8, 2:8] = True
    for b in (0, 1000):
        affine = write_series(folder.parent / f"dwi{b}", rng.integers(0, 900, region.shape), modality="MR")
    write_enhanced(
        folder / "dwi" / "enhanced.dcm",
        [folder.parent / "dwi0", folder.parent / "dwi1000"],
        per_frame=lambda i, k: {"MRDiffusionSequence": {"DiffusionBValue": 1000.0 * i}},
    )
    write_seg(folder / "dwi_seg.dcm", {"lesion": region}, affine)
    a = np.deg2rad(12)
    tilted = np.array([[1, 0, 0], [0, np.cos(a), 0], [0, np.sin(a), 1]])
    affine = write_series(folder / "tilted", rng.integers(-100, 300, region.shape), frame=tilted)
    write_seg(folder / "tilted_seg.dcm", {"lesion": region}, affine)
