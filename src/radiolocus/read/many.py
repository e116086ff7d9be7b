"""Genotypes in several files, one for each chromosome, as one source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import FormatError, TableError
from radiolocus.read.genotypes import AUTOSOMES, BlockSource, Planes, chromosome_names

__all__ = ["PLACE", "ManySource", "files_of"]

Whole = npt.NDArray[np.int64]

#: Stands for the chromosome in the name of the files.
PLACE = "@"
_CHROMOSOMES = (*AUTOSOMES, "X", "XY", "PAR1", "PAR2", "Y", "MT", "M", "23", "24", "25", "26")
_SHOWN = 5


def files_of(pattern: str | Path, exists: Callable[[Path], bool]) -> dict[str, Path]:
    """Put every chromosome in the place of ``@`` in a file name, and see which file is there.

    Parameters
    ----------
    pattern : str or Path
    exists : callable
        Whether a path leads to genotypes.

    Returns
    -------
    dict of str to Path
        By what stands for the chromosome: 1 to 22, X, XY, PAR1, PAR2, Y, MT, M or 23 to 26.

    Raises
    ------
    FormatError
        No file, or two for one chromosome.
    """
    whole = Path(pattern)
    found = {name: whole.with_name(whole.name.replace(PLACE, name)) for name in _CHROMOSOMES}
    there = {name: file for name, file in found.items() if exists(file)}
    if not there:
        raise FormatError(
            f"no file '{whole.name}' for any chromosome",
            where=str(whole),
            allowed=f"files of one chromosome each: {PLACE} stands for 1 to 22, X, XY, Y, MT or 23 to 26",
            todo="correct the path",
        )
    place = pl.DataFrame({"code": list(there)}).with_columns(chromosome_names(pl.col("code")).alias("name"))
    twice = place.filter(pl.col("name").is_duplicated() & (pl.col("name") != "XY"))
    if twice.height:
        raise FormatError(
            f"{', '.join(there[code].name for code in twice['code'])} are of one chromosome",
            where=str(whole),
            todo="take one of them away",
        )
    return there


class ManySource(BlockSource):
    """Several genotype files of the same samples, one after the other.

    Samples that are not in every file are left out; those that stand in another order are put into that of the first
    file. Both are said.

    Parameters
    ----------
    pattern : str or Path
        What the files are told by, for messages.
    parts : list of BlockSource
        In the order of the chromosomes.

    Raises
    ------
    TableError
        No sample is in every file, or the files disagree about the sex of one.
    """

    def __init__(self, pattern: str | Path, parts: list[BlockSource]) -> None:
        super().__init__()
        self.path = str(pattern)
        self.parts = parts
        self.files = tuple(file for part in parts for file in part.files)
        self.samples, self._rows, told = _aligned(Path(pattern).name, parts)
        self.variants = pl.concat([part.variants for part in parts], how="diagonal")
        self._first = np.cumsum([0, *(part.variants.height for part in parts)])
        self.notes = (
            f"{Path(pattern).name}: {len(parts)} files are read as one ({', '.join(_name(part) for part in parts)})",
            *told,
            *(note for part in parts for note in part.notes),
            *_said_of_parts(Path(pattern).name, parts),
        )

    @property
    def hard(self) -> bool:
        """Whether all files hold whole copy numbers alone."""
        return all(part.hard for part in self.parts)

    def _pieces(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """Yield (number of the file, first, last) of its variants in a range."""
        for k in range(len(self.parts)):
            low, high = max(start, int(self._first[k])), min(stop, int(self._first[k + 1]))
            if low < high:
                yield k, low - int(self._first[k]), high - int(self._first[k])

    def _dosages(self, rows: Whole, start: int, stop: int) -> npt.NDArray[np.float32]:
        pieces = [self.parts[k].read(self._rows[k][rows], low, high) for k, low, high in self._pieces(start, stop)]
        if len(pieces) == 1:
            return pieces[0].dosage
        return np.concatenate([np.empty((0, rows.size), dtype=np.float32), *(piece.dosage for piece in pieces)])

    def calls(self, rows: Whole, start: int, stop: int) -> Planes:
        """Read hard calls as bits; see :meth:`radiolocus.read.genotypes.BlockSource.calls`."""
        rows = self._checked(rows)
        pieces = [self.parts[k].calls(self._rows[k][rows], low, high) for k, low, high in self._pieces(start, stop)]
        if len(pieces) == 1:
            return pieces[0]
        none = np.empty((0, (rows.size + 63) // 64), dtype=np.uint64)
        one, two = (np.concatenate([none, *(piece[plane] for piece in pieces)]) for plane in range(2))
        return one, two


def _name(part: BlockSource) -> str:
    return Path(part.path).name


def _aligned(name: str, parts: list[BlockSource]) -> tuple[pl.DataFrame, list[Whole], list[str]]:
    """Samples that are in every file, their rows in each, and what is to be said."""
    frames = [part.samples.select("sample_id", pl.lit(i).alias("part")) for i, part in enumerate(parts)]
    number = pl.concat(frames).group_by("sample_id").agg(pl.len().alias("files"))
    everywhere = set(number.filter(pl.col("files") == len(parts))["sample_id"])
    first = parts[0].samples["sample_id"].to_list()
    kept = [sample for sample in first if sample in everywhere]
    if not kept:
        raise TableError(
            f"no sample is in all of {len(parts)} files: {_name(parts[0])} has {', '.join(first[:3])}, "
            f"{_name(parts[-1])} has {', '.join(parts[-1].sample_ids[:3])}",
            where=name,
            allowed="files of the same samples",
            todo="see whether sample_id = 'fid_iid' or 'iid' names them alike in all files",
        )
    told = []
    lost = number.filter(pl.col("files") < len(parts))["sample_id"].sort()
    if lost.len():
        told.append(
            f"{name}: {lost.len()} samples are left out because they are not in every file "
            f"({', '.join(lost[:_SHOWN])}{', ...' if lost.len() > _SHOWN else ''})"
        )
    rows = []
    for part in parts:
        place = {sample: i for i, sample in enumerate(part.sample_ids)}
        rows.append(np.array([place[sample] for sample in kept], dtype=np.int64))
    moved = [_name(part) for part, at in zip(parts, rows, strict=True) if (np.diff(at) < 0).any()]
    if moved:
        told.append(
            f"{name}: samples stand in another order in {', '.join(moved)}; they are taken by their ids, in the order "
            f"of {_name(parts[0])}"
        )
    return _with_sex(name, parts, kept, rows), rows, told


def _with_sex(name: str, parts: list[BlockSource], kept: list[str], rows: list[Whole]) -> pl.DataFrame:
    """Samples with their sex by the files that say it."""
    sex = np.stack([part.sex[at] for part, at in zip(parts, rows, strict=True)])
    told = sex.max(axis=0)
    apart = np.flatnonzero(((sex != 0) & (sex != told)).any(axis=0))
    if apart.size:
        shown = ", ".join(kept[i] for i in apart[:_SHOWN])
        raise TableError(
            f"the files disagree about the sex of {apart.size} samples ({shown})",
            where=name,
            allowed="one sex a sample",
            todo="mend the fam, psam or .sample files: the ids of different people may have been mixed up",
        )
    return pl.DataFrame(
        {"sample_id": kept, "sex": told.astype(np.int64).astype(str)}, schema_overrides={"sex": pl.String}
    )


def _said_of_parts(name: str, parts: list[BlockSource]) -> list[str]:
    """Chromosomes and variant ids that stand in several files."""
    frames = [part.variants.select("chromosome", "variant_id", pl.lit(i).alias("part")) for i, part in enumerate(parts)]
    variants = pl.concat(frames)
    told = []
    shared = variants.group_by("chromosome").agg(pl.col("part").n_unique()).filter(pl.col("part") > 1)
    places = shared.filter(pl.col("chromosome") != "XY")["chromosome"].sort()
    if places.len():
        told.append(
            f"{name}: chromosome {', '.join(places)} stands in more than one file; LD pruning needs the variants of a "
            "chromosome in the order of their positions"
        )
    named = variants.filter(~pl.col("variant_id").is_in(["", "."]))
    ids = named.group_by("variant_id").agg(pl.col("part").n_unique()).filter(pl.col("part") > 1)["variant_id"].sort()
    if ids.len():
        told.append(
            f"{name}: {ids.len()} variant ids stand in more than one file ({', '.join(ids[:_SHOWN])}); each is "
            "analysed as a variant of its own"
        )
    return told
