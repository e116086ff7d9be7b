"""The `[genotyping]` section of the study file."""

from __future__ import annotations

from dataclasses import dataclass, field

from radiolocus.cohort.repeatable import IccDemand
from radiolocus.errors import ConfigError
from radiolocus.learn.models import check_models
from radiolocus.learn.options import ProtocolOptions

__all__ = ["SIGNATURE", "GenotypingOptions", "GenotypingTarget"]

#: A ridge of the columns that stability selection chooses.
SIGNATURE = "signature"


@dataclass(frozen=True)
class GenotypingTarget:
    """One marker to be told from the image.

    Parameters
    ----------
    marker : str
        Molecular marker, or column of subjects; by default what the target is called. Text with several values makes
        several classes, as do the markers ``NAME=value`` of one column.
    continuous : bool
        The marker is a number to be predicted as such. Without it, so is one with ten different values or more.
    positive : tuple of str
        Of a text column: the values that count as present; every other value is absent.
    where : dict of str to tuple of str
        Only subjects whose clinical column (or marker) has one of these values.
    features : tuple of str
        Only these imaging features, by name or pattern (``MRI:*``); all by default.
    clinical : tuple of str or None
        Clinical columns of this target, instead of those of the section.
    """

    marker: str = ""
    continuous: bool = False
    positive: tuple[str, ...] = ()
    where: dict[str, tuple[str, ...]] = field(default_factory=dict)
    features: tuple[str, ...] = ()
    clinical: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("positive", "features", "clinical"):
            values = getattr(self, name) or ()
            if len(set(values)) < len(values):
                raise ConfigError(f"{name} = {list(values)}", where="genotyping.targets", allowed="every value once")
        for column, values in self.where.items():
            if not values:
                raise ConfigError(f"where.{column} = []", where="genotyping.targets", allowed="at least one value")
        if self.continuous and self.positive:
            raise ConfigError("continuous and positive", where="genotyping.targets", allowed="a number, or classes")


@dataclass(frozen=True)
class GenotypingOptions(ProtocolOptions, IccDemand):
    """Which markers are predicted from the image, from what else beside it, and how that is judged.

    Parameters
    ----------
    targets : dict of str to GenotypingTarget
        What is predicted, by name.
    clinical : tuple of str
        Clinical columns whose model the image is compared with, and that it is added to.
    volume : tuple of str
        Imaging features that measure the size of the region, by name or pattern, for the model of volume alone. By
        default those called morph_volume, original_shape_MeshVolume or volume.
    models : tuple of str
        Models of the image; the first one is what the verdict is about, the others are shown beside it. ``signature``
        is a ridge of the columns that stability selection chooses.
    sensitivity : float
        A threshold is chosen in each training part so that this share of those with the marker is called.
    coverage : float
        Share of subjects, of each class, whose prediction set shall hold the truth.
    permutations : int
        Runs of the whole procedure of the first model on permuted markers; 0: none, and then no verdict.
    null_models : bool
        Run every model on the permuted markers, so that the best of them has a p-value too.
    draws : int
        Bootstrap draws for the bands of curves.
    selected_on : dict of str to tuple of str
        Imaging feature or pattern to the targets that it was selected on beforehand. Predicting those is an error.
    """

    repeats: int = 3
    penalties: int = 20
    screen: int = 200
    models: tuple[str, ...] = ("ridge", "elastic_net")
    permutations: int = 99
    stability_draws: int = 25
    stability_threshold: float = 0.6
    stability_errors: float = 3.0
    targets: dict[str, GenotypingTarget] = field(default_factory=dict)
    clinical: tuple[str, ...] = ()
    volume: tuple[str, ...] = ()
    sensitivity: float = 0.9
    coverage: float = 0.9
    null_models: bool = False
    draws: int = 200
    selected_on: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            super().__post_init__()
        except ConfigError as error:
            raise ConfigError(error.got, where="genotyping", allowed=error.allowed, todo=error.todo) from None
        self.check_icc("genotyping")
        self._check_models()
        for name in ("sensitivity", "coverage"):
            if not 0.5 <= getattr(self, name) < 1.0:
                raise ConfigError(
                    f"{name} = {getattr(self, name):g}", where="genotyping", allowed="0.5 to 1, 1 excluded"
                )
        if self.draws < 2:
            raise ConfigError(f"draws = {self.draws}", where="genotyping", allowed="at least 2")
        self._check_names()

    def _check_models(self) -> None:
        if not self.models or len(set(self.models)) < len(self.models):
            raise ConfigError(f"models = {list(self.models)}", where="genotyping", allowed="at least one, each once")
        named = tuple(m for m in self.models if m != SIGNATURE)
        if named:
            check_models(named, "genotyping.models")
        if self.split == "bootstrap":
            raise ConfigError(
                "split = bootstrap", where="genotyping", allowed="kfold, site, temporal", todo="use kfold with repeats"
            )

    def _check_names(self) -> None:
        if not self.targets:
            raise ConfigError("targets is empty", where="genotyping", allowed="at least one [genotyping.targets.NAME]")
        for name in ("clinical", "volume"):
            if len(set(getattr(self, name))) < len(getattr(self, name)):
                raise ConfigError(f"{name} = {list(getattr(self, name))}", where="genotyping", allowed="each once")
        for pattern, targets in self.selected_on.items():
            for target in targets:
                if target not in self.targets:
                    raise ConfigError(
                        f"selected_on.{pattern} names '{target}'", where="genotyping", allowed=", ".join(self.targets)
                    )
