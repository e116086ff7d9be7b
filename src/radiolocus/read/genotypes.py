"""What every genotype file looks like to the rest of the house."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.model import GenotypeBlock

__all__ = ["AUTOSOMES", "GenotypeSource", "chromosome_names"]

AUTOSOMES = tuple(str(number) for number in range(1, 23))
_NUMBERED = {"23": "X", "24": "Y", "25": "XY", "26": "MT", "M": "MT"}


class GenotypeSource(Protocol):
    """Genotypes on disk, read a block at a time; the whole matrix never exists."""

    @property
    def path(self) -> str:
        """File that holds the genotypes."""

    @property
    def sample_ids(self) -> tuple[str, ...]:
        """Unique id of every sample, in file order."""

    @property
    def variants(self) -> pl.DataFrame:
        """One row a variant, in file order.

        Columns chromosome, variant_id, base_pair_location, effect_allele, other_allele.
        """

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know about the files."""

    def read(self, rows: npt.NDArray[np.int64], start: int, stop: int) -> GenotypeBlock:
        """Read variants `start` to `stop` (excluded) of the samples `rows`, in the order of `rows`."""

    def blocks(self, rows: npt.NDArray[np.int64], size: int, start: int = 0) -> Iterator[GenotypeBlock]:
        """Read from variant `start` to the end, at most `size` variants at a time."""


def chromosome_names(codes: pl.Expr) -> pl.Expr:
    """Bring chromosome codes to 1–22, X, Y, XY and MT: ``chr`` goes, and so do PLINK's numbers 23 to 26."""
    bare = codes.str.replace(r"^(?i)chr", "")
    upper = bare.str.to_uppercase()
    return pl.when(upper.is_in(["X", "Y", "XY", "MT", *_NUMBERED])).then(upper.replace(_NUMBERED)).otherwise(bare)
