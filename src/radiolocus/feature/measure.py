"""From files to feature rows: one unit is one region of one image of one subject at one visit."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

import polars as pl

from radiolocus.errors import ConfigError
from radiolocus.feature.extract import Extraction, FeatureSettings, extract
from radiolocus.feature.pyradiomics_parameters import PyradiomicsParameters
from radiolocus.feature.pyradiomics_study import extract_as_pyradiomics
from radiolocus.feature.repeatability import RetestOptions
from radiolocus.feature.tables import FeatureTable
from radiolocus.image.control import CONTROLS, Control
from radiolocus.image.derive import DerivedRegion, derive
from radiolocus.image.perturb_options import Perturbation, PerturbOptions
from radiolocus.image.thumbnail import thumbnail
from radiolocus.model import Mask, Problem, Volume, named_visit
from radiolocus.read.discover import ImageUnit
from radiolocus.read.imaging import read_regions
from radiolocus.read.nifti import is_nifti
from radiolocus.read.options import ReadOptions
from radiolocus.registry import suggest
from radiolocus.schema import TABLES, conform

__all__ = ["ImageSource", "ImagingOptions", "Measured", "Work", "features_of", "measure", "read_work", "works_of"]


@dataclass(frozen=True)
class ImageSource(ReadOptions):
    """One kind of image of the study, with its masks.

    Parameters
    ----------
    name : str
        Name in tables and figures, e.g. ``PET``.
    modality : str
        DICOM modality (``CT``, ``MR``, ``PT``); read from the header where it has one.
    unit : str
        Unit of the intensities where the file does not say (NIfTI), e.g. ``SUVbw g/mL``; HU for CT by default.
    image : str
        Path pattern below the root with ``{subject}`` and, optionally, ``{visit}``; a folder is a DICOM series.
    mask : str
        Path pattern of the masks: NIfTI, or RTSTRUCT or SEG for a DICOM image.
    table : str or None
        Instead of patterns: a table with columns subject, image, mask and, optionally, visit and roi.
    roi : str or None
        Region: a label number (NIfTI, SEG), or a name or regular expression (RTSTRUCT, SEG).
    rois : tuple of str
        Instead of `roi`: several regions of every mask, each measured by itself: names, numbers or regular expressions;
        ``[".*"]`` is all there are.
    regions : tuple of DerivedRegion
        Regions made from drawn ones, each with features of its own: ring, core, sets and intensity habitats.
    analyse : bool
        Whether the features enter association and outcome; otherwise they are measured only.
    settings : FeatureSettings or None
        Settings of this image; what is not named is taken from ``[imaging.settings]``.
    pyradiomics : str or None
        Instead of settings: a PyRadiomics parameter file below the root. The features are those that it asks for, under
        PyRadiomics' names and by its definitions.
    """

    name: str
    modality: str = ""
    unit: str = ""
    image: str = ""
    mask: str = ""
    table: str | None = None
    roi: str | None = None
    rois: tuple[str, ...] = ()
    regions: tuple[DerivedRegion, ...] = ()
    analyse: bool = True
    settings: FeatureSettings | None = None
    pyradiomics: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pyradiomics is not None and self.settings is not None:
            raise ConfigError(
                f"image '{self.name}' has both settings and pyradiomics",
                allowed="one of them",
                todo="the parameter file says all there is to say",
            )
        if not self.name or any(c in self.name for c in ":@/\\ "):
            raise ConfigError(f"name = '{self.name}'", allowed="letters, digits, '_', '-', '.'")
        if self.table is None and not (self.image and self.mask):
            raise ConfigError(
                f"image '{self.name}' has no path",
                allowed="image and mask as patterns, or table",
                todo='e.g. image = "nifti/{subject}/CT.nii.gz" and mask = "nifti/{subject}/mask.nii.gz"',
            )
        if self.table is not None and (self.image or self.mask):
            raise ConfigError(f"image '{self.name}' has both patterns and a table", allowed="one of them")
        if self.roi is not None and self.rois:
            raise ConfigError(f"image '{self.name}' has both roi and rois", allowed="one of them")
        names = [*(self.rois or (self.roi or "ROI",)), *(part for region in self.regions for part in region.parts)]
        if len(set(names)) < len(names):
            raise ConfigError(f"regions of image '{self.name}' called {names}", allowed="every name once")

    @property
    def reading(self) -> ReadOptions:
        """How images of this kind are read."""
        return ReadOptions(**{f.name: getattr(self, f.name) for f in fields(ReadOptions)})


@dataclass(frozen=True)
class ImagingOptions:
    """Section ``[imaging]`` of the study file.

    Parameters
    ----------
    images : tuple of ImageSource
        The kinds of image.
    tables : tuple of FeatureTable
        Features that another program measured, beside those of the images or instead of them.
    settings : FeatureSettings
        Image processing and features, unless an image says otherwise.
    perturb : PerturbOptions or None
        Perturbed copies of every image, from which the repeatability of features is learned.
    retest : RetestOptions or None
        Visits of a test and its retest, from which the repeatability of features is learned.
    controls : tuple of {"shuffled", "outside", "volume"}
        Negative controls: intensities of the region shuffled, surroundings randomised, volume alone.
    control_seed : int
        Start of the random numbers of the controls.
    """

    images: tuple[ImageSource, ...] = ()
    tables: tuple[FeatureTable, ...] = ()
    settings: FeatureSettings = field(default_factory=FeatureSettings)
    perturb: PerturbOptions | None = None
    retest: RetestOptions | None = None
    controls: tuple[Control, ...] = ()
    control_seed: int = 1

    def __post_init__(self) -> None:
        names = [i.name for i in self.images]
        every = [*names, *(t.name for t in self.tables)]
        if not every:
            raise ConfigError("no image", allowed="at least one [[imaging.images]], or one of [[imaging.tables]]")
        if len(set(every)) < len(every):
            raise ConfigError(f"image names {every}", allowed="every name once")
        unknown = [c for c in self.controls if c not in CONTROLS]
        if unknown or len(set(self.controls)) < len(self.controls):
            raise ConfigError(f"controls = {list(self.controls)}", allowed=f"{', '.join(CONTROLS)}, each once")
        if self.control_seed < 0:
            raise ConfigError(f"control_seed = {self.control_seed}", allowed="0 or more")
        self._check_perturbed(names)

    def _check_perturbed(self, names: list[str]) -> None:
        if self.perturb is None:
            return
        for name in self.perturb.images:
            if name not in names:
                raise ConfigError(f"perturb.images names '{name}'", allowed=", ".join(names), todo=suggest(name, names))
        for image in self.images:
            chosen = image.name in self.perturb.images if self.perturb.images else image.analyse
            if chosen and image.pyradiomics is not None:
                others = [i.name for i in self.images if i.pyradiomics is None]
                raise ConfigError(
                    f"perturb of image '{image.name}', whose features are PyRadiomics'",
                    allowed=", ".join(others) or "images without pyradiomics",
                    todo="name others in perturb.images, or measure the image again under another name",
                )

    def settings_of(self, image: ImageSource) -> FeatureSettings:
        """Settings that hold for `image`."""
        return image.settings or self.settings


@dataclass(frozen=True)
class Work:
    """A unit with everything a worker needs; `subject` is the normalised id.

    Without `derived` the drawn region is measured, else its `part`, which the tables call `name`. With `copies` or a
    `control` (and its `seed`) not the image itself is measured, but what is made of it.
    """

    subject: str
    unit: ImageUnit
    image: str
    modality: str
    intensity_unit: str
    settings: FeatureSettings
    derived: DerivedRegion | None = None
    part: str = ""
    name: str = ""
    copies: tuple[Perturbation, ...] = ()
    control: Control | None = None
    seed: int = 0
    reading: ReadOptions = field(default_factory=ReadOptions)
    pyradiomics: PyradiomicsParameters | None = None

    @property
    def region(self) -> str:
        """Name of the region in tables."""
        # A drawn region is called what the study calls it: its contours carry other names from one to the next.
        return self.name or self.unit.roi or "ROI"

    def where(self, file: str = "") -> str:
        """Tell visit and region, which the name of a file need not hold, and the file."""
        visit = named_visit(self.unit.visit) if self.unit.visit else ""
        region = f"region {self.region}" if self.name or self.unit.roi else ""
        return ", ".join(part for part in (visit, region, file) if part)


@dataclass(frozen=True, eq=False)
class Measured:
    """One row of ``features/features``, one of ``features/thumbnails``, and what could not be computed."""

    features: pl.DataFrame
    thumbnail: pl.DataFrame
    problems: tuple[Problem, ...]


def works_of(
    source: ImageSource,
    unit: ImageUnit,
    subject: str,
    settings: FeatureSettings,
    several: bool,
    pyradiomics: PyradiomicsParameters | None = None,
) -> list[Work]:
    """List what is measured of one pair: the drawn region, then those derived from it.

    Parameters
    ----------
    source : ImageSource
    unit : ImageUnit
    subject : str
        Normalised id.
    settings : FeatureSettings
    several : bool
        Whether the pairs of the source are of several drawn regions; what is derived from each then carries its name.
    pyradiomics : PyradiomicsParameters, optional
        What the parameter file of the source says.
    """
    drawn = Work(subject, unit, source.name, source.modality, source.unit, settings, reading=source.reading)
    drawn = replace(drawn, pyradiomics=pyradiomics)
    works = [drawn]
    for derived in source.regions:
        prefix = f"{drawn.region}." if several and not derived.of else ""
        works += [replace(drawn, derived=derived, part=part, name=prefix + part) for part in derived.parts]
    return works


def read_work(work: Work) -> tuple[Volume, Mask]:
    """Read the image and the region of a unit."""
    unit, derived = work.unit, work.derived
    rois = (unit.roi,) if derived is None or not derived.of else derived.of
    volume, masks = read_regions(unit.image, unit.mask, rois=rois, modality=work.modality, options=work.reading)
    if work.intensity_unit and unit.image.is_file():  # NIfTI; the headers of DICOM, a folder, say it
        volume = replace(volume, unit=work.intensity_unit)
    return volume, masks[0] if derived is None else derive(volume, masks, derived, work.part)


def features_of(work: Work, volume: Volume, mask: Mask) -> Extraction:
    """Take the features of a unit, of its image and region or of what a control makes of them."""
    parameters, unit = work.pyradiomics, work.unit
    if parameters is None:
        return extract(volume, mask, work.settings, threads=1)
    # A control has other intensities than the file, and a derived region another mask.
    image_file = unit.image if work.control is None and is_nifti(unit.image) else None
    mask_file = unit.mask if image_file and work.derived is None else None
    return extract_as_pyradiomics(volume, mask, parameters, image_file=image_file, mask_file=mask_file, label=unit.roi)


def measure(work: Work) -> Measured:
    """Read an image with its mask and compute its features and its thumbnail.

    Raises
    ------
    InputError
        The image, the mask, or the two together cannot be used.
    """
    volume, mask = read_work(work)
    extraction = features_of(work, volume, mask)
    key = {"subject": work.subject, "image": work.image, "visit": work.unit.visit, "roi": work.region}
    row = {**key, "modality": volume.modality, **extraction.values}
    schema = TABLES["features/features"].schema | {name: pl.Float64() for name in extraction.values}
    picture = thumbnail(volume, mask)
    voxels = int(mask.array.sum())
    small = {
        **key,
        "modality": volume.modality,
        "unit": volume.unit,
        "height": picture.pixels.shape[0],
        "width": picture.pixels.shape[1],
        "spacing_y": picture.spacing[0],
        "spacing_x": picture.spacing[1],
        "low": picture.low,
        "high": picture.high,
        "pixels": picture.pixels.tobytes(),
        "mask": picture.mask.astype("uint8").tobytes(),
        "voxels": voxels,
        "volume_ml": voxels * mask.geometry.voxel_volume / 1000,
    }
    notes = [
        Problem("features", note, "note", subject=work.subject, item=work.image, where=work.where())
        for note in (*volume.notes, *mask.notes)
    ]
    told = [
        replace(
            p,
            subject=work.subject,
            item=f"{work.image}: {p.item}" if p.item else work.image,
            where=work.where(p.where),
        )
        for p in extraction.problems
    ]
    return Measured(
        pl.DataFrame([row], schema=schema),
        conform(pl.DataFrame([small]), "features/thumbnails"),
        (*notes, *told),
    )
