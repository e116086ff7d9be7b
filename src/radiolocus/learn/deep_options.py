"""The `[deep]` section of the study file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from radiolocus.errors import ConfigError
from radiolocus.learn.models import check_models
from radiolocus.learn.options import ProtocolOptions

__all__ = ["DeepOptions", "NetworkOptions", "SequenceOptions"]


@dataclass(frozen=True)
class SequenceOptions:
    """DNA sequence around the variants of a patient.

    Parameters
    ----------
    genome : str
        Reference genome (FASTA, not compressed; its ``.fai`` is used when it stands beside it): the windows are cut
        around the variants of ``[molecular] mutations``, once with the reference and once with the tumour allele.
    table : str
        Instead of a genome: a table with columns subject, reference and tumour, the bases of a window before and
        after; a row without bases is a sequenced subject without a variant.
    id : str or None
        Column of the subjects in `table`; default: the first one.
    window : int
        Bases of a window, odd; the variant begins in its middle.
    max_variants : int
        Windows of a patient at most; of more variants, so many are drawn, by a seed that depends on the patient.
    genes : tuple of str
        Only variants of these genes; of all by default.
    channels : int
        Patterns that the first convolution looks for.
    motif : int
        Bases that such a pattern is long.
    """

    genome: str = ""
    table: str = ""
    id: str | None = None
    window: int = 61
    max_variants: int = 16
    genes: tuple[str, ...] = ()
    channels: int = 32
    motif: int = 9

    def __post_init__(self) -> None:
        if bool(self.genome) == bool(self.table):
            got = "both genome and table" if self.genome else "neither genome nor table"
            raise ConfigError(got, where="deep.sequences", allowed="one of them")
        least = {"window": 11, "max_variants": 1, "channels": 1, "motif": 3}
        for name, value in least.items():
            if getattr(self, name) < value:
                raise ConfigError(
                    f"{name} = {getattr(self, name)}", where="deep.sequences", allowed=f"at least {value}"
                )
        if self.window % 2 == 0 or self.motif % 2 == 0 or self.motif > self.window:
            name = "window" if self.window % 2 == 0 else "motif"
            raise ConfigError(
                f"{name} = {getattr(self, name)}",
                where="deep.sequences",
                allowed="odd numbers, motif no longer than window",
            )


@dataclass(frozen=True)
class NetworkOptions:
    """What the network is and how it is trained.

    Parameters
    ----------
    loss : {"cox", "discrete"}
        Of a time to event: Cox's partial likelihood (Efron's ties), or the likelihood of the hazards of up to ten
        intervals. A binary endpoint has its log loss.
    channels : tuple of int
        Feature maps of the three convolutions of an image.
    embedding : int
        Numbers that each modality is boiled down to before they are fused.
    dropout : float
        Share of those numbers that are left out at random in training.
    modality_dropout : float
        Share of the modalities of a patient that are left out at random in training; one always stays.
    epochs : int
        Passes over the training part, at most.
    patience : int
        Training ends after so many passes without a lower loss in the validation part.
    batch : int
        Patients of a step, about.
    learning_rate, weight_decay : float
        Of AdamW.
    augment : bool
        Show crops mirrored at random along each axis in training.
    surroundings : bool
        Show the network what lies around the region too; otherwise it sees the region alone.
    intensity : {"training", "image"}
        Intensities are standardised by mean and standard deviation of the regions of the training part (CT, SUV),
        or of the region of each image itself (MR without a unit).
    device : {"auto", "cpu", "cuda"}
        Where networks are computed.
    """

    loss: Literal["cox", "discrete"] = "cox"
    channels: tuple[int, int, int] = (8, 16, 24)
    embedding: int = 16
    dropout: float = 0.2
    modality_dropout: float = 0.25
    epochs: int = 60
    patience: int = 12
    batch: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 1e-3
    augment: bool = True
    surroundings: bool = False
    intensity: Literal["training", "image"] = "training"
    device: Literal["auto", "cpu", "cuda"] = "auto"

    def __post_init__(self) -> None:
        for name in ("embedding", "epochs", "patience", "batch"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} = {getattr(self, name)}", where="deep", allowed="at least 1")
        if min(self.channels) < 1:
            raise ConfigError(f"channels = {list(self.channels)}", where="deep", allowed="at least 1 each")
        ranges = {
            "dropout": (0.0 <= self.dropout < 1.0, "0 to 1, 1 excluded"),
            "modality_dropout": (0.0 <= self.modality_dropout < 1.0, "0 to 1, 1 excluded"),
            "learning_rate": (0.0 < self.learning_rate < 1.0, "between 0 and 1, both excluded"),
            "weight_decay": (0.0 <= self.weight_decay < 1.0, "0 to 1, 1 excluded"),
            "loss": (self.loss in ("cox", "discrete"), "cox, discrete"),
            "intensity": (self.intensity in ("training", "image"), "training, image"),
            "device": (self.device in ("auto", "cpu", "cuda"), "auto, cpu, cuda"),
        }
        for name, (inside, allowed) in ranges.items():
            if not inside:
                raise ConfigError(f"{name} = {getattr(self, name)}", where="deep", allowed=allowed)


@dataclass(frozen=True)
class DeepOptions(ProtocolOptions, NetworkOptions):
    """Networks that learn from crops of the images and from genomic input, beside simple models on the same folds.

    Parameters
    ----------
    endpoints : tuple of str
        Endpoints to predict, times to event or binary; default: every such endpoint of the cohort.
    images : tuple of str
        Images of ``[imaging]`` whose regions are shown to the network; default: those that are analysed.
    region, visit : str
        Which region and visit of an image, where there are several.
    voxel_mm : tuple of float
        Voxel size (z, y, x) of the crops in mm; a first number of 0 keeps the slices as they are.
    crop : tuple of int
        Voxels (z, y, x) of a crop; a first number of 1 takes the slice of the largest area.
    markers : tuple of str
        Molecular markers that enter, by name or pattern.
    clinical : tuple of str
        Clinical columns that enter.
    variants : tuple of str
        Germline variants of ``[genetics]`` that enter, by id, as copies of the effect allele.
    sequences : SequenceOptions or None
        DNA sequence around the variants of each patient.
    models : tuple of str
        Simple models on imaging features and the same genomic and clinical input, judged on the same folds.
    horizons : tuple of float
        As in ``[outcome]``.
    explained : int
        Patients whose maps are shown.
    """

    repeats: int = 1
    inner_folds: int = 4
    screen: int = 200
    permutations: int = 0
    endpoints: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    region: str = ""
    visit: str = ""
    voxel_mm: tuple[float, float, float] = (3.0, 2.0, 2.0)
    crop: tuple[int, int, int] = (12, 32, 32)
    markers: tuple[str, ...] = ("*",)
    clinical: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    sequences: SequenceOptions | None = None
    models: tuple[str, ...] = ("elastic_net",)
    horizons: tuple[float, ...] = ()
    explained: int = 6

    def __post_init__(self) -> None:
        try:
            ProtocolOptions.__post_init__(self)
        except ConfigError as error:
            raise ConfigError(error.got, where="deep", allowed=error.allowed, todo=error.todo) from None
        NetworkOptions.__post_init__(self)
        check_models(self.models, "deep.models")
        self._check_protocol()
        if min(self.crop) < 1 or min(self.crop[1:]) < 8:
            raise ConfigError(f"crop = {list(self.crop)}", where="deep", allowed="at least 1, 8 and 8 voxels (z, y, x)")
        if min(self.voxel_mm[1:]) <= 0 or self.voxel_mm[0] < 0 or max(self.voxel_mm) > 1000:
            raise ConfigError(f"voxel_mm = {list(self.voxel_mm)}", where="deep", allowed="positive; the first may be 0")
        if self.explained < 0:
            raise ConfigError(f"explained = {self.explained}", where="deep", allowed="0 or more")
        for name in ("endpoints", "images", "markers", "clinical", "variants"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ConfigError(f"{name} = {list(values)}", where="deep", allowed="every name once")

    def _check_protocol(self) -> None:
        """Refuse what networks are not put through, rather than pass over it."""
        if self.split == "bootstrap":
            raise ConfigError("split = bootstrap", where="deep", allowed="kfold, site, temporal")
        if self.harmonise:
            raise ConfigError(f"harmonise = {self.harmonise}", where="deep", allowed="none: crops are not harmonised")
        if self.permutations:
            got = f"permutations = {self.permutations}"
            raise ConfigError(got, where="deep", allowed="0", todo="the audit of [outcome] permutes outcomes")
