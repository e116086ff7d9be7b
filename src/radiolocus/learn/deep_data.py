"""What a network sees of some patients, and how it is made ready by what one training part taught.

A modality is an image, a block of numbers (markers, clinical columns) or the sequences around a patient's variants.
A patient may lack any of them, but not all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from radiolocus.errors import FitError, InputError
from radiolocus.learn.deep_options import DeepOptions
from radiolocus.learn.preprocess import Predictors, join_predictors
from radiolocus.learn.target import Rows, Target
from radiolocus.learn.tune import TunedModel, fit_tuned
from radiolocus.model import Array, BoolArray

__all__ = ["SEQUENCES", "Arrays", "Crops", "DeepData", "Numbers", "Ready", "Windows", "prepare"]

#: Name of the modality of DNA sequences.
SEQUENCES = "sequences"

# Patients of a training part who have a modality, at least, for the network to have it.
_FEWEST = 8
# Standardised intensities are held within so many standard deviations: a metal clip is no texture.
_WIDEST = 8.0

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Crops:
    """Boxes around a region, one a patient.

    Parameters
    ----------
    image : ndarray of float32, shape (n, z, y, x)
        Intensities, finite; of patients without the image anything.
    mask : ndarray of bool, shape (n, z, y, x)
        The region; empty of patients without the image.
    """

    image: Float32
    mask: BoolArray

    @property
    def present(self) -> BoolArray:
        """Patients who have the image."""
        return np.asarray(self.mask.any(axis=(1, 2, 3)))

    def take(self, rows: Rows | BoolArray) -> Crops:
        """Return the crops of some patients."""
        return Crops(self.image[rows], self.mask[rows])


@dataclass(frozen=True, eq=False)
class Numbers:
    """A block of predictors; a patient without a single value lacks the modality."""

    predictors: Predictors

    @property
    def blocks(self) -> set[str]:
        """Blocks of the predictors: the name of the modality alone."""
        return {*self.predictors.numeric_blocks, *self.predictors.categorical_blocks}

    @property
    def present(self) -> BoolArray:
        """Patients who have any value of the block."""
        p = self.predictors
        return np.asarray(np.hstack([np.isfinite(p.numeric), p.codes >= 0]).any(axis=1))

    def take(self, rows: Rows | BoolArray) -> Numbers:
        """Return the block of some patients."""
        return Numbers(self.predictors.take(rows))


@dataclass(frozen=True, eq=False)
class Windows:
    """DNA around the variants of each patient.

    Parameters
    ----------
    bases : ndarray of int8, shape (n, k, 2, length)
        0 to 3 for A, C, G, T; −1: unknown or beyond. First the reference, then the tumour allele.
    count : ndarray of int64, shape (n,)
        Windows that a patient has; −1: nobody looked for variants, the modality is lacking.
    """

    bases: npt.NDArray[np.int8]
    count: npt.NDArray[np.int64]

    @property
    def present(self) -> BoolArray:
        """Patients who were sequenced, with or without a variant."""
        return np.asarray(self.count >= 0)

    def take(self, rows: Rows | BoolArray) -> Windows:
        """Return the windows of some patients."""
        return Windows(self.bases[rows], self.count[rows])


@dataclass(frozen=True, eq=False)
class DeepData:
    """All modalities of the same patients, by name.

    Raises
    ------
    InputError
        No modality, a patient without any, or modalities of different numbers of patients.
    """

    modalities: Mapping[str, Crops | Numbers | Windows]

    def __post_init__(self) -> None:
        sizes = {name: part.present.size for name, part in self.modalities.items()}
        if len(set(sizes.values())) != 1:
            got = ", ".join(f"{n} of '{name}'" for name, n in sizes.items()) or "no modality"
            raise InputError(got, where="deep", allowed="modalities of the same patients")
        for name, part in self.modalities.items():
            if isinstance(part, Numbers) and (other := part.blocks - {name}):
                raise InputError(f"block '{min(other)}' in modality '{name}'", where="deep", allowed=name)
        lacking = np.flatnonzero(~self.present.any(axis=1))
        if lacking.size:
            raise InputError(
                f"{lacking.size} patients without any modality",
                where=f"deep: index {lacking[0]}",
                allowed="at least one",
                todo="leave them out",
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the modalities."""
        return tuple(self.modalities)

    @property
    def present(self) -> BoolArray:
        """Who has which modality, shape (n, modalities)."""
        return np.column_stack([part.present for part in self.modalities.values()])

    @property
    def n(self) -> int:
        """Number of patients."""
        return len(self.present)

    def take(self, rows: Rows | BoolArray) -> DeepData:
        """Return some patients; each must have a modality."""
        return DeepData({name: part.take(rows) for name, part in self.modalities.items()})


@dataclass(frozen=True, eq=False)
class Arrays:
    """What goes into a network: plain arrays by modality, and who has what.

    Parameters
    ----------
    inputs : dict of str to ndarray
        Images: float32, (n, 2, z, y, x), standardised intensities and the region. Numbers: float32, (n, p).
        Sequences: int8, (n, k, 2, length).
    count : ndarray of int64, shape (n,)
        Windows of each patient.
    present : ndarray of bool, shape (n, modalities)
        In the order of `inputs`.
    """

    inputs: Mapping[str, npt.NDArray[Any]]
    count: npt.NDArray[np.int64]
    present: BoolArray

    def take(self, rows: Rows | BoolArray) -> Arrays:
        """Return the input of some patients."""
        return Arrays({name: a[rows] for name, a in self.inputs.items()}, self.count[rows], self.present[rows])

    def only(self, name: str) -> Arrays:
        """Return the same as if patients had this modality alone."""
        alone = np.array([key == name for key in self.inputs])
        return replace(self, present=self.present & alone)


@dataclass(frozen=True, eq=False)
class Ready:
    """What one training part taught about its input.

    Parameters
    ----------
    scale : dict of str to (float, float)
        Mean and standard deviation of the intensities of each image; of images standardised by themselves (0, 1).
    numbers : TunedModel or None
        Elastic net of all numbers together: their columns, and the linear part of the network.
    names : tuple of str
        Modalities that the network has.
    options : DeepOptions
    notes : tuple of (str, str)
        Item concerned, and what happened.
    """

    scale: Mapping[str, tuple[float, float]]
    numbers: TunedModel | None
    names: tuple[str, ...]
    options: DeepOptions
    notes: tuple[tuple[str, str], ...] = field(default=())

    def apply(self, data: DeepData) -> Arrays:
        """Make the input of any patients ready; one who has none of the modalities has zeros."""
        inputs: dict[str, npt.NDArray[Any]] = {}
        count = np.zeros(data.n, dtype=np.int64)
        columns = self.numbers.preprocess.apply(_joined(data)) if self.numbers is not None else np.zeros((data.n, 0))
        for name in self.names:
            part = data.modalities[name]
            if isinstance(part, Crops):
                inputs[name] = self._image(name, part)
            elif isinstance(part, Numbers):
                own = columns[:, self._place(name)]
                inputs[name] = np.where(part.present[:, None], own, 0.0).astype(np.float32)
            else:
                inputs[name] = part.bases
                count = np.maximum(part.count, 0)
        present = np.column_stack([data.modalities[name].present for name in self.names])
        return Arrays(inputs, count, present)

    def columns(self, name: str) -> tuple[str, ...]:
        """Names of the columns of a block of numbers."""
        known = self.numbers.preprocess.columns if self.numbers is not None else ()
        return tuple(known[j] for j in self._place(name))

    def linear(self, name: str) -> Array:
        """Coefficients of the columns of a block in the linear part of the network."""
        return self.numbers.fit.coefficient[self._place(name)] if self.numbers is not None else np.zeros(0)

    def _place(self, name: str) -> Rows:
        blocks = self.numbers.preprocess.blocks if self.numbers is not None else ()
        return np.flatnonzero(np.array(blocks, dtype=object) == name)

    def _image(self, name: str, crops: Crops) -> Float32:
        mean, spread = self.scale[name]
        image = crops.image.astype(np.float64)
        if self.options.intensity == "image":
            image = _by_itself(image, crops.mask)
        image = np.clip((image - mean) / spread, -_WIDEST, _WIDEST)
        if not self.options.surroundings:
            image = image * crops.mask
        image[~crops.present] = 0.0
        return np.stack([image, crops.mask], axis=1).astype(np.float32)


def _by_itself(image: Array, mask: BoolArray) -> Array:
    size = np.maximum(mask.sum(axis=(1, 2, 3)), 1)[:, None, None, None]
    mean = (image * mask).sum(axis=(1, 2, 3), keepdims=True) / size
    spread = np.sqrt(((image - mean) ** 2 * mask).sum(axis=(1, 2, 3), keepdims=True) / size)
    return np.asarray((image - mean) / np.where(spread > 0, spread, 1.0))


def prepare(data: DeepData, target: Target, options: DeepOptions, seed: np.random.SeedSequence) -> Ready:
    """Learn from a training part how intensities are standardised and which columns there are.

    Parameters
    ----------
    data : DeepData
        Of the training part.
    target : Target
        Of the same patients.
    options : DeepOptions
    seed : numpy.random.SeedSequence

    Raises
    ------
    FitError
        No modality that enough patients have.
    """
    scale: dict[str, tuple[float, float]] = {}
    names, notes = [], []
    numbers = _linear_part(data, target, options, seed)
    blocks = numbers.preprocess.blocks if numbers is not None else ()
    for name, part in data.modalities.items():
        there = part.present
        if there.sum() < _FEWEST or target.take(there).obstacle():
            notes.append((name, f"{int(there.sum())} patients of a training part have it: the network goes without"))
            continue
        if isinstance(part, Numbers) and name not in blocks:
            notes.append((name, "no usable predictor in a training part: the network goes without"))
            continue
        if isinstance(part, Crops):
            scale[name] = _scale(part, there) if options.intensity == "training" else (0.0, 1.0)
        names.append(name)
    if not names:
        raise FitError(
            "no modality that a network could learn from",
            where=f"a training part of {data.n} patients",
            allowed=f"at least {_FEWEST} patients with an image, a number or a sequence",
        )
    told = numbers.notes if numbers is not None else ()
    return Ready(scale, numbers, tuple(names), options, (*told, *notes))


def _joined(data: DeepData) -> Predictors:
    """All numbers of all patients side by side."""
    return join_predictors([part.predictors for part in data.modalities.values() if isinstance(part, Numbers)])


def _linear_part(
    data: DeepData, target: Target, options: DeepOptions, seed: np.random.SeedSequence
) -> TunedModel | None:
    """Fit the elastic net of all numbers to the patients who have any; None where too few do."""
    parts = [part.present for part in data.modalities.values() if isinstance(part, Numbers)]
    there = np.any(parts, axis=0) if parts else np.zeros(data.n, dtype=bool)
    goal = target.take(there)
    if there.sum() < _FEWEST or goal.obstacle() or goal.rarest < 2:
        return None
    return fit_tuned(_joined(data).take(there), goal, options, seed)


def _scale(crops: Crops, there: BoolArray) -> tuple[float, float]:
    values = crops.image[there][crops.mask[there]].astype(np.float64)
    spread = float(values.std())
    return float(values.mean()), spread if spread > 0 else 1.0
