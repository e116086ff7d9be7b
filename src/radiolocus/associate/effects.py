"""Effects of every pair of a scan as Zarr arrays: chunks of variants, raw little-endian numbers, no codec.

A chunk is a file of its own, made whole before the first unit writes, so that units write their rows in any order and
a killed one leaves nothing torn; ``zarr.open(folder)`` of any Zarr 3 library reads it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from radiolocus.model import Array
from radiolocus.store import write_json

__all__ = ["EffectArray", "create_effects", "phenotypes_of"]

_ROWS = 4096
_FORMAT = {"zarr_format": 3}
Whole = npt.NDArray[np.int64]
Single = npt.NDArray[np.float32]


@dataclass(frozen=True)
class EffectArray:
    """One array on disk, variants × phenotypes.

    Parameters
    ----------
    folder : Path
        Of the array: ``zarr.json`` and the chunks.
    shape : tuple of int
    rows : int
        Variants of a chunk.
    """

    folder: Path
    shape: tuple[int, int]
    rows: int

    @classmethod
    def open(cls, folder: Path) -> EffectArray:
        """Open an array that :func:`create_effects` made."""
        told = json.loads((folder / "zarr.json").read_text())
        return cls(folder, tuple(told["shape"]), told["chunk_grid"]["configuration"]["chunk_shape"][0])

    def _chunk(self, number: int, mode: str) -> Single:
        shape = (self.rows, self.shape[1])
        return np.memmap(self.folder / "c" / str(number) / "0", "<f4", mode, shape=shape)  # type: ignore[call-overload,no-any-return]

    def write(self, variants: Whole, values: Single) -> None:
        """Write the rows of some variants, numbered as in the genotype file."""
        for number in np.unique(variants // self.rows):
            here = variants // self.rows == number
            chunk = self._chunk(int(number), "r+")
            chunk[variants[here] - number * self.rows] = values[here]
            chunk.flush()  # type: ignore[attr-defined]

    def read(self, variants: Whole) -> Array:
        """Return the rows of some variants, in their order, as float64."""
        out = np.empty((variants.size, self.shape[1]))
        for number in np.unique(variants // self.rows):
            here = variants // self.rows == number
            out[here] = self._chunk(int(number), "r")[variants[here] - number * self.rows]
        return out

    def column(self, phenotype: int) -> Array:
        """Return what one phenotype has for every variant, as float64."""
        out = np.empty(self.shape[0])
        for number, first in enumerate(range(0, self.shape[0], self.rows)):
            last = min(first + self.rows, self.shape[0])
            out[first:last] = self._chunk(number, "r")[: last - first, phenotype]
        return out


def create_effects(folder: Path, variants: int, phenotypes: list[str]) -> None:
    """Make the arrays ``beta`` and ``standard_error`` below `folder`, NaN everywhere."""
    shape = (variants, len(phenotypes))
    rows = min(_ROWS, max(variants, 1))
    for name in ("beta", "standard_error"):
        chunk = np.full((rows, shape[1]), np.nan, dtype="<f4")
        for number in range(-(-variants // rows)):
            place = folder / name / "c" / str(number)
            place.mkdir(parents=True)
            chunk.tofile(place / "0")
        write_json(
            folder / name / "zarr.json",
            _FORMAT
            | {
                "node_type": "array",
                "shape": list(shape),
                "data_type": "float32",
                "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [rows, shape[1]]}},
                "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
                "fill_value": "NaN",
                "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
                "dimension_names": ["variant", "phenotype"],
                "attributes": {},
            },
        )
    write_json(folder / "zarr.json", _FORMAT | {"node_type": "group", "attributes": {"phenotypes": phenotypes}})


def phenotypes_of(folder: Path) -> list[str]:
    """Phenotypes of the arrays below `folder`, in the order of their columns; none where there are no arrays."""
    file = folder / "zarr.json"
    if not file.is_file():
        return []
    return [str(name) for name in json.loads(file.read_text())["attributes"]["phenotypes"]]
