"""Some variants of a genotype file, some of its samples, and sex from a table: what stands in lists beside the file."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import FormatError, TableError
from radiolocus.read.delimited import load_text
from radiolocus.read.genotypes import BlockSource, Planes, runs_of
from radiolocus.read.plink import PlinkSource
from radiolocus.read.subject_tables import read_subject_table

__all__ = [
    "SelectedSource",
    "listed_samples",
    "listed_variants",
    "read_sex",
    "select_variants",
    "sex_codes",
    "with_sex",
]

Whole = npt.NDArray[np.int64]
SampleId = Literal["iid", "fid_iid"]

_SEX = {"1": 1, "m": 1, "male": 1, "2": 2, "f": 2, "female": 2}
_UNKNOWN = ("", "0", "na", "nan", "unknown")


class SelectedSource(BlockSource):
    """Some variants of another source, as if the file held no others.

    Parameters
    ----------
    source : BlockSource
    place : ndarray of int64
        Index in `source` of each wanted variant, ascending.
    """

    def __init__(self, source: BlockSource, place: Whole) -> None:
        super().__init__()
        self._source, self._place = source, place
        self.path, self.files, self.samples, self.notes = source.path, source.files, source.samples, source.notes
        self.variants = source.variants[place]

    @property
    def hard(self) -> bool:
        """Whether the file holds whole copy numbers alone."""
        return self._source.hard

    def _dosages(self, rows: Whole, start: int, stop: int) -> npt.NDArray[np.float32]:
        parts = [
            self._source.read(rows, first, last).dosage[index]
            for first, last, index in runs_of(self._place[start:stop])
        ]
        return np.concatenate([np.empty((0, rows.size), dtype=np.float32), *parts])

    def calls(self, rows: Whole, start: int, stop: int) -> Planes:
        """Read hard calls as bits; see :meth:`radiolocus.read.genotypes.BlockSource.calls`."""
        rows = self._checked(rows)
        none = np.empty((0, (rows.size + 63) // 64), dtype=np.uint64)
        parts = [
            (planes, index)
            for first, last, index in runs_of(self._place[start:stop])
            for planes in [self._source.calls(rows, first, last)]
        ]
        one, two = (np.concatenate([none, *(planes[k][index] for planes, index in parts)]) for k in range(2))
        return one, two


def select_variants(
    source: BlockSource, listed: Sequence[str], *, where: str = "the list of variants", take_out: bool = False
) -> BlockSource:
    """Take some variants of a file, or take them out; all that follows sees no others.

    Parameters
    ----------
    source : BlockSource
    listed : sequence of str
        Variant ids. An id that stands more than once in the file means all of them.
    where : str
        What the list is told by.
    take_out : bool
        Leave the listed ones out, instead of the others.

    Returns
    -------
    BlockSource

    Raises
    ------
    TableError
        No variant is left.
    """
    wanted = source.variants["variant_id"].is_in(pl.Series(listed, dtype=pl.String).unique().implode())
    unknown = len(set(listed)) - source.variants.filter(wanted)["variant_id"].n_unique()
    chosen = ~wanted if take_out else wanted
    place = np.flatnonzero(chosen.to_numpy()).astype(np.int64)
    if place.size == 0:
        raise TableError(
            f"none of the {source.variants.height:,} variants is left: the list begins {', '.join(listed[:3])}, the "
            f"genotypes {', '.join(source.variants['variant_id'].head(3))}",
            where=where,
            allowed="ids as the genotype file writes them",
        )
    found: BlockSource
    found = source.only(place) if isinstance(source, PlinkSource) else SelectedSource(source, place)
    said = f"{where}: {place.size:,} of {source.variants.height:,} variants are taken"
    found.selection = _hash(source, place.tobytes())
    found.notes = (*source.notes, said + (f"; {unknown:,} listed ids are not in the file" if unknown else ""))
    return found


def with_sex(source: BlockSource, table: pl.DataFrame, *, where: str = "the table of sex") -> BlockSource:
    """Take sex from a table: where it knows, it rules; elsewhere stays what the genotype file says.

    Parameters
    ----------
    source : BlockSource
    table : polars.DataFrame
        Columns ``subject``, the id of a sample, and ``sex``: 1 male, 2 female, 0 unknown.
    where : str
        What the table is told by.

    Returns
    -------
    BlockSource

    Raises
    ------
    TableError
        A subject that stands more than once, or no sample whose sex the table knows.
    """
    twice = table.filter(pl.col("subject").is_duplicated())["subject"].unique(maintain_order=True)
    if twice.len():
        raise TableError(
            f"{twice.len()} subjects stand more than once: {', '.join(twice.head(5))}",
            where=where, allowed="one row a subject",
        )  # fmt: skip
    told = dict(table.filter(pl.col("sex") > 0).select("subject", "sex").iter_rows())
    before = source.sex
    after = np.array([told.get(name, old) for name, old in zip(source.sample_ids, before, strict=True)], dtype=np.int8)
    known = sum(name in told for name in source.sample_ids)
    if not known:
        raise TableError(
            f"sex of none of the {before.size} samples: the table begins {', '.join(table['subject'].head(3))}, the "
            f"genotypes {', '.join(source.sample_ids[:3])}",
            where=where,
            todo="compare the ids, or say by sample_id what names a sample",
        )
    other = int(((before > 0) & (before != after)).sum())
    found = copy.copy(source)
    found.selection = _hash(source, after.tobytes())
    found.samples = source.samples.with_columns(pl.Series("sex", after.astype(str)))
    said = f"{where}: sex of {known:,} of {before.size:,} samples"
    found.notes = (*source.notes, said + (f"; of {other:,} the genotype file says another" if other else ""))
    return found


def _hash(source: BlockSource, told: bytes) -> str:
    return hashlib.sha256(source.selection.encode() + told).hexdigest()


def sex_codes(column: pl.Series, where: str) -> npt.NDArray[np.int8]:
    """Read sex as people write it.

    Parameters
    ----------
    column : polars.Series
        male, female, m, f, 1, 2; 0, NA, unknown or empty where it is not known.
    where : str

    Returns
    -------
    ndarray of int8
        1 male, 2 female, 0 unknown.

    Raises
    ------
    TableError
        Anything else.
    """
    text = column.cast(pl.String).str.strip_chars().str.to_lowercase().str.replace(r"\.0$", "")
    strange = text.filter(text.is_not_null() & ~text.is_in([*_SEX, *_UNKNOWN])).unique(maintain_order=True)
    if strange.len():
        raise TableError(
            f"sex '{strange[0]}'",
            where=where,
            allowed="male, female, m, f, 1, 2 or empty",
            todo="recode the column",
        )
    return text.replace_strict(_SEX, default=0, return_dtype=pl.Int8).to_numpy().astype(np.int8)


def read_sex(path: Path | str, *, sample_id: SampleId = "iid") -> pl.DataFrame:
    """Read a table with a column ``SEX`` (or ``sex``), of the form of :func:`read_subject_table`.

    Returns
    -------
    polars.DataFrame
        Columns subject and sex (1 male, 2 female, 0 unknown).

    Raises
    ------
    FormatError, TableError
        See :func:`read_subject_table` and :func:`sex_codes`; no such column.
    """
    file = Path(path)
    table = read_subject_table(file, sample_id=sample_id, minus_nine="missing", keep_sex=True)
    names = [name for name in table.columns if name.upper() == "SEX"]
    if len(names) != 1:
        raise FormatError(
            f"{len(names) or 'no'} columns SEX among {', '.join(table.columns[1:9])}" if names else "no column SEX",
            where=file.name,
            allowed="IID (or FID and IID), then a column SEX",
        )
    codes = sex_codes(table[names[0]], f"{file.name}, column {names[0]}")
    return table.select("subject", pl.Series("sex", codes))


def listed_variants(path: Path | str) -> list[str]:
    """Read a list of variant ids: the first field of each line, as ``plink2 --extract`` takes it."""
    return [fields[0] for fields in _lines(Path(path))]


def listed_samples(path: Path | str, *, sample_id: SampleId = "iid") -> list[str]:
    """Read a list of samples: an id a line, or family and individual id, as ``plink2 --keep`` takes them.

    Raises
    ------
    FormatError
        No line, or individual ids alone where samples are named by both and no line holds two.
    """
    lines = _lines(Path(path))
    if sample_id == "fid_iid":
        return ["_".join(fields[:2]) for fields in lines]
    return [fields[1] if len(fields) > 1 else fields[0] for fields in lines]


def _lines(path: Path) -> list[list[str]]:
    lines = [fields for line in load_text(path).splitlines() if (fields := line.split()) and fields[0][0] != "#"]
    if lines and [name.upper() for name in lines[0][:2]] in (["IID"], ["FID", "IID"]):
        lines = lines[1:]
    if not lines:
        raise FormatError("an empty list", where=path.name, allowed="one id a line")
    return lines
