"""How copies of an image differ from it: the section ``[imaging.perturb]`` of the study file."""

from __future__ import annotations

import hashlib
import itertools
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from radiolocus.errors import ConfigError

__all__ = ["AXES", "CONTOUR", "NOISE", "VOLUME", "PerturbOptions", "Perturbation", "seed_of"]

Axis = Literal["z", "y", "x"]
AXES: tuple[Axis, ...] = ("z", "y", "x")

# The random streams of a copy: switching one perturbation off leaves the others as they are.
NOISE, VOLUME, CONTOUR = range(3)


@dataclass(frozen=True)
class Perturbation:
    """How one copy of an image differs from the image.

    Parameters
    ----------
    rotation_deg : float
        Rotation about the centre of the region.
    rotation_axis : {"z", "y", "x"}
        Axis of the array it turns about.
    translation : float
        Shift along all three axes, as a fraction of a voxel of the interpolation grid.
    noise : int
        Repetition of noise, from 1; 0 adds none.
    volume : float
        Relative change of the volume of the region.
    contour : int
        Repetition of contour randomisation, from 1; 0 leaves the contour.
    seed : int
        Of all random numbers.
    """

    rotation_deg: float = 0.0
    rotation_axis: Axis = "z"
    translation: float = 0.0
    noise: int = 0
    volume: float = 0.0
    contour: int = 0
    seed: int = 1

    @property
    def name(self) -> str:
        """What is done, in words: ``rotation 5, volume -10 %, contour 1``; ``as it is`` when nothing is."""
        told = [
            f"rotation {self.rotation_deg:g}" if self.rotation_deg else "",
            f"translation {self.translation:g}" if self.translation else "",
            f"noise {self.noise}" if self.noise else "",
            f"volume {100 * self.volume:+g} %" if self.volume else "",
            f"contour {self.contour}" if self.contour else "",
        ]
        return ", ".join(t for t in told if t) or "as it is"

    def random(self, stream: int, *part: int) -> np.random.Generator:
        """Random numbers of one purpose."""
        return np.random.default_rng(np.random.SeedSequence([self.seed, stream, *part]))


@dataclass(frozen=True)
class PerturbOptions:
    """Section ``[imaging.perturb]``: copies of every image from which the repeatability of features is learned.

    Parameters
    ----------
    rotation_deg : tuple of float
        Angles, about the centre of the region.
    rotation_axis : {"z", "y", "x"}
        Axis of the array the angles turn about; z turns within slices.
    translation : tuple of float
        Shifts along all three axes, as fractions of a voxel of the interpolation grid.
    noise : int
        Repetitions of Gaussian noise of the level found in the image.
    volume : tuple of float
        Relative changes of the region's volume, e.g. -0.1 and 0.1.
    contour : int
        Repetitions of drawing the contour anew along supervoxels.
    combine : {"chain", "each"}
        ``chain``: every copy carries every perturbation, a copy for each combination of their values; ``each``: one
        perturbation a copy.
    original : bool
        Whether the image as it is counts as one more copy.
    images : tuple of str
        Images that are perturbed; empty: all that are analysed.
    seed : int
        Start of all random numbers.
    """

    rotation_deg: tuple[float, ...] = ()
    rotation_axis: Axis = "z"
    translation: tuple[float, ...] = ()
    noise: int = 0
    volume: tuple[float, ...] = ()
    contour: int = 0
    combine: Literal["chain", "each"] = "chain"
    original: bool = False
    images: tuple[str, ...] = ()
    seed: int = 1

    def __post_init__(self) -> None:
        _within("rotation_deg", self.rotation_deg, -180.0, 180.0, "angles from -180 to 180")
        _within("translation", self.translation, -1.0, 1.0, "fractions of a voxel from -1 to 1")
        _within("volume", self.volume, -0.9, 2.0, "relative changes from -0.9 to 2")
        if self.rotation_axis not in AXES:
            raise ConfigError(f"rotation_axis = '{self.rotation_axis}'", allowed=", ".join(AXES))
        if self.combine not in ("chain", "each"):
            raise ConfigError(f"combine = '{self.combine}'", allowed="chain, each")
        for name in ("noise", "contour", "seed"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} = {getattr(self, name)}", allowed="0 or more")
        count = len(self.copies()) + self.original
        if count < 2:
            raise ConfigError(
                f"{count} copies of an image",
                allowed="two or more, of which agreement can be told",
                todo="e.g. translation = [0.25, 0.75], noise = 1, volume = [-0.1, 0.1], contour = 1, the chain of "
                "Zwanenburg et al. 2019",
            )

    def copies(self) -> tuple[Perturbation, ...]:
        """List the copies, in the order of the values given; their seeds are not set yet."""
        values: dict[str, tuple[float, ...]] = {
            "rotation_deg": self.rotation_deg,
            "translation": self.translation,
            "noise": tuple(range(1, self.noise + 1)),
            "volume": self.volume,
            "contour": tuple(range(1, self.contour + 1)),
        }
        named = [[(name, value) for value in listed] for name, listed in values.items() if listed]
        chosen = itertools.product(*named) if self.combine == "chain" else ([one] for part in named for one in part)
        made = [Perturbation(rotation_axis=self.rotation_axis, **dict(one)) for one in chosen]  # type: ignore[arg-type]
        return tuple(copy for copy in made if copy != Perturbation(rotation_axis=self.rotation_axis))


def _within(name: str, values: tuple[float, ...], low: float, high: float, allowed: str) -> None:
    if len(set(values)) < len(values) or not all(math.isfinite(v) and low <= v <= high and v != 0 for v in values):
        raise ConfigError(f"{name} = {list(values)}", allowed=f"{allowed}, each once and none of them 0")


def seed_of(seed: int, *names: str) -> int:
    """Make a seed for what `names` name (image, subject, copy ...): whoever computes it, and in whatever order."""
    told = hashlib.sha256("\0".join([str(seed), *names]).encode()).digest()
    return int.from_bytes(told[:8], "big")
