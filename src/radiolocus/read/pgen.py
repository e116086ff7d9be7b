"""PLINK 2 binary genotypes: pgen with pvar (or bim) and psam (or fam).

Format: https://github.com/chrchang/plink-ng/tree/master/pgen_spec and https://www.cog-genomics.org/plink/2.0/formats
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pgenlib
import polars as pl

from radiolocus.errors import FormatError
from radiolocus.read.genotypes import (
    VARIANT,
    BlockSource,
    Planes,
    chromosome_names,
    named_samples,
    packed_planes,
    said_of_split,
    said_of_variants,
    stated_info,
)
from radiolocus.read.plink import read_bim, read_fam

__all__ = ["PgenSource"]

Whole = npt.NDArray[np.int64]

_MAGIC = bytes([0x6C, 0x1B])
_MODES = (0x02, 0x03, 0x04, 0x10, 0x11)
# Hard calls of two bits throughout; records of several kinds with their index in front, whose kinds need four bits.
_FIXED, _INDEXED, _FOUR_BITS = 0x02, 0x10, 4
_HEADER = struct.Struct("<2sBII")
_MISSING = -9.0
_PVAR, _PSAM = (".pvar", ".pvar.zst", ".bim"), (".psam", ".fam")
_PVAR_COLUMNS = ("CHROM", "POS", "ID", "REF", "ALT")


class PgenSource(BlockSource):
    """A PLINK 2 data set: ``prefix.pgen`` with ``.pvar`` (``.pvar.zst``, ``.bim``) and ``.psam`` (``.fam``).

    Dosages are read where the file has them, hard calls elsewhere. The effect allele is ALT; a variant with several
    ALT alleles is split into one row for each.

    Parameters
    ----------
    path : str or Path
        The prefix, or the pgen.
    sample_id : {"iid", "fid_iid"}
        What names a sample: IID, or ``FID_IID``.

    Raises
    ------
    FormatError
        A file is missing or malformed, or the counts of pgen, pvar and psam disagree.
    TableError
        Two samples have the same id.
    """

    def __init__(self, path: str | Path, *, sample_id: Literal["iid", "fid_iid"] = "iid") -> None:
        super().__init__()
        given = Path(path)
        prefix = given.with_suffix("") if given.suffix == ".pgen" else given
        pgen, pvar, psam = (_beside(prefix, endings) for endings in ((".pgen",), _PVAR, _PSAM))
        self.path, self.files = str(pgen), (pgen, pvar, psam)
        self.samples = read_fam(psam, sample_id) if psam.suffix == ".fam" else read_psam(psam, sample_id)
        if pvar.suffix == ".bim":
            self.variants, self.notes = read_bim(pvar)
            alternatives = np.ones(self.variants.height, dtype=np.int64)
        else:
            self.variants, alternatives, self.notes = read_pvar(pvar)
        # the variant of the file and the allele of that variant that each row counts
        self._variant = np.repeat(np.arange(alternatives.size, dtype=np.uint32), alternatives)
        first = np.concatenate([[0], np.cumsum(alternatives)[:-1]])
        self._allele = np.arange(self.variants.height) - np.repeat(first, alternatives) + 1
        self._offsets = np.concatenate([[0], np.cumsum(alternatives + 1)]).astype(np.uintp)
        self._split = bool((alternatives > 1).any())
        self._hard = _check_header(pgen, pvar, psam, alternatives.size, self.samples.height)

    def _reader(self, subset: npt.NDArray[np.uint32]) -> pgenlib.PgenReader:
        if getattr(self._open, "reader", None) is None:
            offsets = self._offsets if self._split else None
            self._open.reader = pgenlib.PgenReader(
                self.path.encode(),
                raw_sample_ct=self.samples.height,
                variant_ct=int(self._variant[-1]) + 1,
                allele_idx_offsets=offsets,
            )
            self._open.subset = np.arange(self.samples.height, dtype=np.uint32)
        if not np.array_equal(self._open.subset, subset):
            self._open.reader.change_sample_subset(subset)
            self._open.subset = subset
        return self._open.reader

    @property
    def hard(self) -> bool:
        """Whether the header says that no variant has dosages."""
        return self._hard

    def calls(self, rows: Whole, start: int, stop: int) -> Planes:
        """Read hard calls as bits; see :meth:`radiolocus.read.genotypes.BlockSource.calls`."""
        if not self._hard:
            return super().calls(rows, start, stop)
        stop = max(min(stop, self.variants.height), start)
        found = self._read(self._checked(rows), start, stop, np.int8)
        return packed_planes(np.ascontiguousarray(found))

    def _dosages(self, rows: Whole, start: int, stop: int) -> npt.NDArray[np.float32]:
        out = self._read(rows, start, stop, np.float32)
        out[out == _MISSING] = np.nan
        return out

    def _read(self, rows: Whole, start: int, stop: int, dtype: type[Any]) -> npt.NDArray[Any]:
        """Dosages as float32 or hard calls as int8, −9 where missing."""
        subset, back = np.unique(rows, return_inverse=True)
        out = np.empty((stop - start, subset.size), dtype=dtype)
        if out.size == 0:
            return out[:, back]
        try:
            reader = self._reader(subset.astype(np.uint32))
            read = reader.read_list if dtype is np.int8 else reader.read_dosages_list
            for allele in np.unique(self._allele[start:stop]):
                here = np.flatnonzero(self._allele[start:stop] == allele)
                part = np.empty((here.size, subset.size), dtype=dtype)
                read(self._variant[start:stop][here], part, allele_idx=int(allele))
                out[here] = part
        except RuntimeError as error:
            raise FormatError(
                f"variants {start + 1} to {stop} cannot be read: {error}",
                where=Path(self.path).name,
                allowed="an undamaged pgen",
                todo="copy the file again; plink2 --validate says where it is damaged",
            ) from None
        return out if np.array_equal(back, np.arange(rows.size)) else out[:, back]


def _beside(prefix: Path, endings: Sequence[str]) -> Path:
    for ending in endings:
        file = prefix.with_name(prefix.name + ending)
        if file.is_file():
            return file
    raise FormatError(
        f"no file {prefix.name}{endings[0]}",
        where=str(prefix),
        allowed=f"three files of one name: .pgen, {' or '.join(_PVAR)}, {' or '.join(_PSAM)}",
        todo="give the prefix of a complete set",
    )


def _check_header(pgen: Path, pvar: Path, psam: Path, variants: int, samples: int) -> bool:
    """See that the counts agree; say whether the file holds hard calls alone."""
    with pgen.open("rb") as file:
        head = file.read(_HEADER.size + 1)
    if len(head) < _HEADER.size + 1 or head[:2] != _MAGIC or head[2] not in _MODES:
        raise FormatError(
            f"the file begins with {head[:3].hex(' ') or 'nothing'}",
            where=pgen.name,
            allowed="6c 1b, then 02, 03, 04 or 10 (PLINK 2, index inside)",
            todo="a bed is given by its own prefix; anything else: plink2 --make-pgen",
        )
    _, _, inside, people = _HEADER.unpack(head[: _HEADER.size])
    for what, held, listed, beside in (("variants", inside, variants, pvar), ("samples", people, samples, psam)):
        if held != listed:
            raise FormatError(
                f"{held} {what}, and {listed} in {beside.name}",
                where=pgen.name,
                allowed="the same number in both",
                todo=f"one of the two is of another data set: copy {pgen.name} and {beside.name} from one place",
            )
    # eight bits a variant, and not four, where phase or dosages may stand
    return head[2] == _FIXED or (head[2] == _INDEXED and head[_HEADER.size] & 0x0F < _FOUR_BITS)


def _header_and_rows(path: Path, begins: str) -> tuple[tuple[str, ...], pl.DataFrame]:
    """Split a table of PLINK 2 into the names of its header line and its rows, all text."""
    if path.suffix == ".zst":
        # polars opens zstd; the standard library of Python 3.11 does not
        whole = pl.read_csv(path, has_header=False, separator="\n", quote_char=None, new_columns=["line"])["line"]
        lines = whole.cast(pl.String)
    else:
        lines = _text(path)
    marked = lines.str.starts_with("##")
    lines = lines.filter(~marked & (lines.str.strip_chars() != ""))
    if lines.len() == 0 or not lines[0].startswith(f"#{begins}"):
        raise FormatError(
            f"the first line is '{lines[0][:40] if lines.len() else ''}'",
            where=path.name,
            allowed=f"a header line that begins with #{begins}",
            todo="write the file again with plink2 --make-pgen",
        )
    names = tuple(lines[0][1:].split())
    parts = lines[1:].str.strip_chars().str.replace_all(r"\s+", "\t").str.split("\t")
    bad = parts.list.len() != len(names)
    if bad.any():
        row = int(bad.arg_true()[0])
        raise FormatError(
            f"{len(parts[row])} fields: '{lines[row + 1][:60]}'",
            where=f"{path.name}, entry {row + 1}",
            allowed=f"{len(names)} fields: {', '.join(names)}",
            todo="repair the line" + (f" and {bad.sum() - 1} more like it" if bad.sum() > 1 else ""),
        )
    return names, parts.list.to_struct(fields=list(names)).struct.unnest()


def _text(path: Path) -> pl.Series:
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"a byte that is not UTF-8 text: {error}", where=path.name) from None
    return pl.Series("line", text.split("\n"), dtype=pl.String)


def read_psam(path: Path, sample_id: str) -> pl.DataFrame:
    """Read the samples of a psam; columns sample_id, individual_id, family_id where it stands, and sex."""
    begins = "FID" if _text(path).filter(_text(path).str.starts_with("#FID")).len() else "IID"
    names, frame = _header_and_rows(path, begins)
    if "IID" not in names:
        raise FormatError("no column IID", where=path.name, allowed="#FID IID, or #IID", todo="repair the header")
    columns = [pl.col("IID").alias("individual_id")]
    if "FID" in names:
        columns.append(pl.col("FID").alias("family_id"))
    columns.append((pl.col("SEX") if "SEX" in names else pl.lit("0")).alias("sex"))
    return named_samples(frame.select(columns), path.name, sample_id)


def read_pvar(path: Path) -> tuple[pl.DataFrame, Whole, tuple[str, ...]]:
    """Read the variants of a pvar, one row for each ALT allele.

    Returns
    -------
    variants : polars.DataFrame
        ALT is the effect allele, REF the other; stated_info is what INFO says of imputation, if there is INFO.
    alternatives : ndarray of int64
        Number of ALT alleles of each variant of the file.
    notes : tuple of str
    """
    names, frame = _header_and_rows(path, "CHROM")
    absent = [name for name in _PVAR_COLUMNS if name not in names]
    if absent:
        raise FormatError(
            f"no column {', '.join(absent)}",
            where=path.name,
            allowed=", ".join(_PVAR_COLUMNS),
            todo="repair the header",
        )
    if frame.height == 0:
        raise FormatError("no variant", where=path.name, allowed="one line a variant")
    position = frame["POS"].cast(pl.Int64, strict=False)
    if position.null_count():
        row = int(position.is_null().arg_true()[0])
        raise FormatError(
            f"position '{frame['POS'][row]}'",
            where=f"{path.name}, entry {row + 1}",
            allowed="a whole number of base pairs",
        )
    alternatives = frame["ALT"].str.split(",")
    split = frame.with_columns(position, alternatives).explode("ALT")
    columns = [
        chromosome_names(pl.col("CHROM")).alias("chromosome"),
        pl.col("ID").alias("variant_id"),
        pl.col("POS").alias("base_pair_location"),
        pl.col("ALT").alias("effect_allele"),
        pl.col("REF").alias("other_allele"),
    ]
    if "INFO" in names:
        columns.append(stated_info(pl.col("INFO")).alias("stated_info"))
    variants = split.select(columns)
    counts = alternatives.list.len().cast(pl.Int64).to_numpy()
    notes = said_of_variants(path.name, split["CHROM"], variants.select(VARIANT))
    return variants, counts, notes + said_of_split(path.name, counts)
