"""PLINK 1 binary genotypes: bed, bim and fam.

Format: https://www.cog-genomics.org/plink/1.9/formats#bed
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import FormatError
from radiolocus.kernels.genotype import decode_bed, decode_bed_whole, encode_bed
from radiolocus.kernels.planes import planes_of_bed, take_samples
from radiolocus.read.genotypes import (
    VARIANT,
    BlockSource,
    Planes,
    chromosome_names,
    named_samples,
    runs_of,
    said_of_variants,
)

__all__ = ["PlinkSource", "read_bim", "read_fam", "write_plink"]

_MAGIC = bytes([0x6C, 0x1B])
_VARIANT_MAJOR, _SAMPLE_MAJOR = 0x01, 0x00
_HEADER = 3
_BIM = ("chromosome", "variant_id", "centimorgan", "base_pair_location", "effect_allele", "other_allele")
_FAM = ("family_id", "individual_id", "father", "mother", "sex", "phenotype")
_EXTENSIONS = (".bed", ".bim", ".fam")


class PlinkSource(BlockSource):
    """A PLINK 1 data set: ``prefix.bed``, ``prefix.bim`` and ``prefix.fam``.

    Parameters
    ----------
    path : str or Path
        The prefix, or one of the three files.
    sample_id : {"iid", "fid_iid"}
        What names a sample: the individual id (second column of the fam), or ``FID_IID`` where individual ids repeat
        from family to family.

    Attributes
    ----------
    samples : polars.DataFrame
        Columns sample_id, family_id, individual_id, father, mother, sex, phenotype (text, as they stand).
    variants : polars.DataFrame
        Columns chromosome, variant_id, base_pair_location, effect_allele (A1), other_allele (A2), in file order.
    notes : tuple of str
        What a person should know: repeated or absent variant ids, chromosome codes that were renamed.
    stride : int
        Bytes of a variant.

    Raises
    ------
    FormatError
        A file is missing, a line is malformed, the bed is not variant-major PLINK 1, or its size is not that of the
        bim and the fam.
    TableError
        Two samples have the same id.
    """

    def __init__(self, path: str | Path, *, sample_id: Literal["iid", "fid_iid"] = "iid") -> None:
        super().__init__()
        bed, bim, fam = self.files = _siblings(Path(path))
        self.path = str(bed)
        self._bed = bed
        self.samples = read_fam(fam, sample_id)
        self.variants, self.notes = read_bim(bim)
        self.stride = (self.samples.height + 3) // 4
        self._place: npt.NDArray[np.int64] | None = None
        _check_bed(bed, self.samples.height, self.variants.height)

    def only(self, place: npt.NDArray[np.int64]) -> PlinkSource:
        """The same file as if it held no other variants than those at `place`, ascending."""
        found = copy.copy(self)
        found._place = place if self._place is None else self._place[place]
        found.variants = self.variants[place]
        return found

    def packed(self, start: int, stop: int) -> npt.NDArray[np.uint8]:
        """Read the codes of variants `start` to `stop` (excluded) of all samples as they lie in the file.

        Returns
        -------
        ndarray of uint8, shape (stop − start, ceil(samples / 4))
            Two bits a sample, the lowest first: 00 two copies of A1, 01 missing, 10 one copy, 11 none.

        Raises
        ------
        FormatError
            The file became shorter since it was opened.
        """
        if self._place is not None:
            runs = runs_of(self._place[start:stop])
            none = np.empty((0, self.stride), dtype=np.uint8)
            return np.concatenate([none, *(self._bytes(first, last)[index] for first, last, index in runs)])
        return self._bytes(start, stop)

    def _bytes(self, start: int, stop: int) -> npt.NDArray[np.uint8]:
        """Codes of variants `start` to `stop` of the file, whatever was chosen of it."""
        count = stop - start
        packed = np.fromfile(self._bed, np.uint8, count * self.stride, offset=_HEADER + start * self.stride)
        if packed.size != count * self.stride:
            raise FormatError(
                f"the file ends inside variant {start + packed.size // self.stride + 1}",
                where=self._bed.name,
                todo="do not change the file during a run; copy it again",
            )
        return packed.reshape(count, self.stride)

    def _dosages(self, rows: npt.NDArray[np.int64], start: int, stop: int) -> npt.NDArray[np.float32]:
        packed = self.packed(start, stop)
        dosage = np.empty((stop - start, rows.size), dtype=np.float32)
        n_file = self.samples.height
        if rows.size == n_file and np.array_equal(rows, np.arange(n_file)):
            decode_bed_whole(packed, dosage)
        else:
            decode_bed(packed, rows, dosage)
        return dosage

    @property
    def hard(self) -> bool:
        """True: two bits hold nothing else."""
        return True

    def calls(self, rows: npt.NDArray[np.int64], start: int, stop: int) -> Planes:
        """Read hard calls as bits; see :meth:`radiolocus.read.genotypes.BlockSource.calls`."""
        rows, n = self._checked(rows), self.samples.height
        stop = max(min(stop, self.variants.height), start)
        words = (n + 63) // 64
        room = np.zeros((stop - start, 16 * words), dtype=np.uint8)
        room[:, : self.stride] = self.packed(start, stop)
        one, two = (np.empty((stop - start, words), dtype=np.uint64) for _ in range(2))
        last = np.uint64(2 ** (n - 64 * (words - 1)) - 1)
        planes_of_bed(room.view("<u8"), last, one, two)
        if rows.size == n and np.array_equal(rows, np.arange(n)):
            return one, two
        fewer = (rows.size + 63) // 64
        some_one, some_two = (np.empty((stop - start, fewer), dtype=np.uint64) for _ in range(2))
        take_samples(one, two, rows, some_one, some_two)
        return some_one, some_two


def _siblings(path: Path) -> tuple[Path, Path, Path]:
    prefix = path.with_suffix("") if path.suffix in _EXTENSIONS else path
    files = [prefix.with_name(prefix.name + extension) for extension in _EXTENSIONS]
    missing = [file for file in files if not file.is_file()]
    if missing:
        present = sorted(p.name for p in prefix.parent.glob("*") if p.suffix in _EXTENSIONS)
        raise FormatError(
            f"no file {', '.join(file.name for file in missing)}",
            where=str(prefix),
            allowed="three files of one name: .bed, .bim and .fam",
            todo=f"give the prefix of a complete set; the folder holds {', '.join(present) or 'no such files'}",
        )
    return files[0], files[1], files[2]


def _fields(path: Path, names: Sequence[str]) -> pl.DataFrame:
    """Split a headerless file on blanks; every line must have exactly the named fields."""
    try:
        lines = pl.Series("line", path.read_text(encoding="utf-8").split("\n"), dtype=pl.String)
    except UnicodeDecodeError as error:
        raise FormatError(f"a byte that is not UTF-8 text: {error}", where=path.name) from None
    lines = lines.str.strip_chars()
    while lines.len() and lines[-1] == "":
        lines = lines[:-1]
    parts = lines.str.replace_all(r"\s+", "\t").str.split("\t")
    bad = (parts.list.len() != len(names)) | (lines == "")
    if bad.any():
        row = bad.arg_true()[0]
        found = 0 if lines[row] == "" else len(parts[row])
        raise FormatError(
            f"{found} fields: '{lines[row][:60]}'",
            where=f"{path.name}, line {row + 1}",
            allowed=f"{len(names)} fields: {', '.join(names)}",
            todo="repair the line" + (f" and {bad.sum() - 1} more like it" if bad.sum() > 1 else ""),
        )
    return parts.list.to_struct(fields=list(names)).struct.unnest()


def read_fam(path: Path, sample_id: str) -> pl.DataFrame:
    """Read the samples of a fam; columns sample_id, family_id, individual_id, father, mother, sex, phenotype."""
    return named_samples(_fields(path, _FAM), path.name, sample_id)


def read_bim(path: Path) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Read the variants of a bim (A1 is the effect allele) and what is to be said of them."""
    frame = _fields(path, _BIM)
    if frame.height == 0:
        raise FormatError("no variant", where=path.name, allowed="one line a variant")
    position = frame["base_pair_location"].cast(pl.Int64, strict=False)
    if position.null_count():
        row = position.is_null().arg_true()[0]
        raise FormatError(
            f"position '{frame['base_pair_location'][row]}'",
            where=f"{path.name}, line {row + 1}",
            allowed="a whole number of base pairs",
        )
    named = frame.select(chromosome_names(pl.col("chromosome"))).to_series()
    variants = frame.with_columns(named, position).select(VARIANT)
    return variants, said_of_variants(path.name, frame["chromosome"], variants)


def _check_bed(path: Path, samples: int, variants: int) -> None:
    with path.open("rb") as file:
        head = file.read(_HEADER)
    size = path.stat().st_size
    if head[:2] != _MAGIC or len(head) < _HEADER:
        raise FormatError(
            f"the file begins with {head.hex(' ') or 'nothing'}",
            where=path.name,
            allowed="6c 1b 01 (PLINK 1, variant-major)",
            todo="convert it with: plink2 --make-bed",
        )
    if head[2] != _VARIANT_MAJOR:
        kind = "sample-major, the old order" if head[2] == _SAMPLE_MAJOR else "of an unknown order"
        raise FormatError(
            f"the genotypes are {kind} (third byte {head[2]:02x})",
            where=path.name,
            allowed="variant-major (third byte 01)",
            todo="convert it with: plink --make-bed (PLINK 1.9)",
        )
    stride = (samples + 3) // 4
    expected = _HEADER + variants * stride
    if size != expected:
        raise FormatError(
            f"{size} bytes, {'truncated' if size < expected else 'over-long'}: {abs(expected - size)} bytes too "
            f"{'few' if size < expected else 'many'}",
            where=path.name,
            allowed=f"{expected} bytes for the {variants} variants of the bim and the {samples} samples of the fam "
            f"(3 + {variants} × {stride})",
            todo=_what_fits(size - _HEADER, stride, variants),
        )


def _what_fits(body: int, stride: int, variants: int) -> str:
    """Say which of the three files is likely the odd one out."""
    hints = []
    if body > 0 and body % stride == 0:
        hints.append(f"the bed fits {body // stride} variants with this fam: is the bim of another file?")
    if body > 0 and variants and body % variants == 0:
        per_variant = body // variants
        hints.append(
            f"the bed fits {4 * per_variant - 3} to {4 * per_variant} samples with this bim: "
            "is the fam of another file?"
        )
    return " ".join(hints) or "copy the three files again from where they came"


def write_plink(
    prefix: str | Path,
    dosage: npt.NDArray[np.floating],
    variants: pl.DataFrame,
    samples: pl.DataFrame | Sequence[str],
) -> None:
    """Write bed, bim and fam.

    Parameters
    ----------
    prefix : str or Path
        Files become ``prefix.bed``, ``prefix.bim``, ``prefix.fam``.
    dosage : ndarray, shape (variants, samples)
        Copies of the effect allele: 0, 1, 2 or NaN.
    variants : polars.DataFrame
        Columns chromosome, variant_id, base_pair_location, effect_allele (written as A1), other_allele (A2).
    samples : polars.DataFrame or sequence of str
        Sample ids, or a frame with individual_id and, if known, family_id, father, mother, sex, phenotype.

    Raises
    ------
    FormatError
        Shapes that disagree, or a dosage that two bits cannot hold.
    """
    people = samples if isinstance(samples, pl.DataFrame) else pl.DataFrame({"individual_id": list(samples)})
    matrix = np.ascontiguousarray(dosage, dtype=np.float32)
    if matrix.shape != (variants.height, people.height):
        raise FormatError(
            f"dosages of shape {matrix.shape}",
            where=str(prefix),
            allowed=f"{variants.height} variants × {people.height} samples",
        )
    packed = np.zeros((variants.height, (people.height + 3) // 4), dtype=np.uint8)
    bad = encode_bed(matrix, packed)
    if bad:
        raise FormatError(
            f"{bad} dosages that are no whole copy number",
            where=str(prefix),
            allowed="0, 1, 2 or NaN",
            todo="PLINK 1 holds hard calls only: round the dosages first",
        )
    target = Path(prefix)
    absent = {"family_id": "0", "father": "0", "mother": "0", "sex": "0", "phenotype": "-9"}
    fam = people.with_columns(pl.lit(v).alias(c) for c, v in absent.items() if c not in people.columns).select(_FAM)
    bim = variants.with_columns(pl.lit("0").alias("centimorgan")).select(_BIM)
    for table, extension in ((fam, ".fam"), (bim, ".bim")):
        text = table.write_csv(include_header=False, separator="\t", quote_style="never")
        target.with_name(target.name + extension).write_text(text, encoding="utf-8")
    header = _MAGIC + bytes([_VARIANT_MAJOR])
    target.with_name(target.name + ".bed").write_bytes(header + packed.tobytes())
