"""What every genotype file looks like to the rest of the house."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import FormatError, TableError
from radiolocus.kernels.packed import pack_by_variant
from radiolocus.kernels.quality import hard_calls
from radiolocus.model import GenotypeBlock

__all__ = [
    "AUTOSOMES",
    "QUALITY_KEYS",
    "VARIANT",
    "BlockSource",
    "GenotypeSource",
    "Planes",
    "chromosome_names",
    "expected_count",
    "named_samples",
    "packed_planes",
    "runs_of",
    "said_of_split",
    "said_of_variants",
    "stated_info",
]

Whole = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
#: Planes *one* and *two* of :mod:`radiolocus.kernels.packed`, uint64 of shape (variants, words).
Planes = tuple[Words, Words]

AUTOSOMES = tuple(str(number) for number in range(1, 23))
VARIANT = ("chromosome", "variant_id", "base_pair_location", "effect_allele", "other_allele")
# What imputation programs call their quality in the INFO field: IMPUTE and SHAPEIT, Minimac, Beagle 5, Beagle 4.
QUALITY_KEYS = ("INFO", "R2", "DR2", "AR2")
_ALLELE = r"(?i)^([ACGTN]+|[1-4]|0|\.|\*|I|D|R|<.+>|.*[\[\]].*)$"
#: A stretch of the file of which at least this part is wanted is read whole.
_DENSE = 0.5
_NUMBERED = {"23": "X", "24": "Y", "25": "XY", "26": "MT", "M": "MT", "PAR1": "XY", "PAR2": "XY"}


class GenotypeSource(Protocol):
    """Genotypes on disk, read a block at a time; the whole matrix never exists."""

    @property
    def path(self) -> str:
        """File that holds the genotypes."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that was read: genotypes, variants, samples."""

    @property
    def sample_ids(self) -> tuple[str, ...]:
        """Unique id of every sample, in file order."""

    @property
    def sex(self) -> npt.NDArray[np.int8]:
        """1 male, 2 female, 0 unknown (also where the format does not say), in file order."""

    @property
    def variants(self) -> pl.DataFrame:
        """One row a variant, in file order.

        Columns chromosome, variant_id, base_pair_location, effect_allele, other_allele.
        """

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know about the files."""

    def read(self, rows: Whole, start: int, stop: int) -> GenotypeBlock:
        """Read variants `start` to `stop` (excluded) of the samples `rows`, in the order of `rows`."""

    def blocks(self, rows: Whole, size: int, start: int = 0) -> Iterator[GenotypeBlock]:
        """Read from variant `start` to the end, at most `size` variants at a time."""

    @property
    def selection(self) -> str:
        """What was chosen of the file or put beside it, as a hash; empty: nothing."""

    @property
    def hard(self) -> bool:
        """Whether the file holds whole copy numbers alone."""

    def calls(self, rows: Whole, start: int, stop: int) -> Planes:
        """Read hard calls of variants `start` to `stop` (excluded) of the samples `rows` as bits."""


class BlockSource(ABC):
    """What the formats share: ids, the check of rows, and blocks made of dosages and labels.

    A hemizygous or haploid genotype (one copy in the file) counts 0 or 2, as in PLINK 2. A variant with several
    alternative alleles is split: one row each, whose dosage counts that allele against all others.

    Attributes
    ----------
    path : str
    files : tuple of Path
    samples : polars.DataFrame
        Columns sample_id and sex (``"1"`` male, ``"2"`` female, anything else unknown), and what else the file says.
    variants : polars.DataFrame
        See :class:`GenotypeSource`.
    notes : tuple of str
        What a person should know about the files.
    selection : str
        See :class:`GenotypeSource`.
    """

    selection: str = ""
    path: str
    files: tuple[Path, ...]
    samples: pl.DataFrame
    variants: pl.DataFrame
    notes: tuple[str, ...]

    def __init__(self) -> None:
        # readers of libraries are neither shared between threads nor sent to other processes: each opens its own
        self._open = threading.local()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_open"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open = threading.local()

    @property
    def sample_ids(self) -> tuple[str, ...]:
        """Id of every sample, in file order."""
        return tuple(self.samples["sample_id"].to_list())

    @property
    def sex(self) -> npt.NDArray[np.int8]:
        """1 male, 2 female, 0 unknown, in file order."""
        codes = {"1": 1, "M": 1, "2": 2, "F": 2}
        coded = self.samples["sex"].str.to_uppercase().replace_strict(codes, default=0, return_dtype=pl.Int8)
        return coded.to_numpy().astype(np.int8)

    def read(self, rows: Whole, start: int, stop: int) -> GenotypeBlock:
        """Read variants `start` to `stop` (excluded) of some samples.

        Parameters
        ----------
        rows : ndarray of int, shape (n,)
            Index of each wanted sample in the file, in the wanted order.
        start, stop : int
            Range of variants; `stop` is cut at the last variant.

        Returns
        -------
        GenotypeBlock
            Dosage counts the effect allele, NaN where missing; shape (stop − start, n).

        Raises
        ------
        IndexError
            A row that the file does not have.
        FormatError
            The file is damaged, or became shorter since it was opened.
        """
        rows = self._checked(rows)
        chosen = self.variants.slice(start, max(min(stop, self.variants.height) - start, 0))
        return GenotypeBlock(
            dosage=self._dosages(rows, start, start + chosen.height),
            variant_id=tuple(chosen["variant_id"].to_list()),
            chromosome=tuple(chosen["chromosome"].to_list()),
            position=chosen["base_pair_location"].to_numpy(),
            effect_allele=tuple(chosen["effect_allele"].to_list()),
            other_allele=tuple(chosen["other_allele"].to_list()),
        )

    def _checked(self, rows: Whole) -> Whole:
        rows = np.ascontiguousarray(rows, dtype=np.int64)
        if rows.size and (rows.min() < 0 or rows.max() >= self.samples.height):
            raise IndexError(
                f"sample rows from {rows.min()} to {rows.max()} of a file of {self.samples.height} samples"
            )
        return rows

    def blocks(self, rows: Whole, size: int, start: int = 0) -> Iterator[GenotypeBlock]:
        """Yield blocks of at most `size` variants from variant `start` to the end; see :meth:`read`."""
        for first in range(start, self.variants.height, size):
            yield self.read(rows, first, first + size)

    @property
    def hard(self) -> bool:
        """Whether the file holds whole copy numbers alone; where it is not known, False."""
        return False

    def calls(self, rows: Whole, start: int, stop: int) -> Planes:
        """Read hard calls as bits: dosages within 0.1 of 0, 1 and 2.

        Parameters
        ----------
        rows : ndarray of int, shape (n,)
        start, stop : int
            As for :meth:`read`.

        Returns
        -------
        one, two : ndarray of uint64, shape (stop − start, ceil(n / 64))
            Planes by variant; see :mod:`radiolocus.kernels.packed`.

        Raises
        ------
        IndexError, FormatError
            See :meth:`read`.
        """
        dosage = np.ascontiguousarray(self.read(rows, start, stop).dosage)
        called = np.empty(dosage.shape, dtype=np.int8)
        hard_calls(dosage, called)
        return packed_planes(called)

    @abstractmethod
    def _dosages(self, rows: Whole, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Effect allele counts, shape (stop − start, rows); the range and the rows are inside the file."""


def runs_of(place: Whole) -> list[tuple[int, int, Whole]]:
    """Cut ascending places into ranges that are worth reading whole.

    Returns
    -------
    list of (first, last, index)
        Range of the file, `last` excluded, and which of its variants are wanted.
    """
    if place.size == 0:
        return []
    if place.size >= _DENSE * (place[-1] - place[0] + 1):
        pieces = [place]
    else:
        pieces = np.split(place, np.flatnonzero(np.diff(place) > 1 / _DENSE) + 1)
    return [(int(piece[0]), int(piece[-1]) + 1, piece - piece[0]) for piece in pieces]


def packed_planes(calls: npt.NDArray[np.int8]) -> Planes:
    """Put hard calls, int8 of shape (variants, n) with −1 where missing, into planes."""
    one, two = (np.empty((calls.shape[0], (calls.shape[1] + 63) // 64), dtype=np.uint64) for _ in range(2))
    pack_by_variant(calls, one, two)
    return one, two


def chromosome_names(codes: pl.Expr) -> pl.Expr:
    """Bring chromosome codes to 1–22, X, Y, XY and MT.

    ``chr`` goes, and so do PLINK's numbers 23 to 26; PLINK 2's PAR1 and PAR2 are XY.
    """
    bare = codes.str.replace(r"^(?i)chr", "")
    upper = bare.str.to_uppercase()
    return pl.when(upper.is_in(["X", "Y", "XY", "MT", *_NUMBERED])).then(upper.replace(_NUMBERED)).otherwise(bare)


def said_of_variants(name: str, codes: pl.Series, variants: pl.DataFrame) -> tuple[str, ...]:
    """Say what a person should know of a list of variants.

    Parameters
    ----------
    name : str
        Name of the file.
    codes : polars.Series
        Chromosome of each variant as the file writes it.
    variants : polars.DataFrame
        The variants with chromosomes named 1–22, X, Y, XY, MT.

    Returns
    -------
    tuple of str
        Repeated and absent ids, unknown allele codes, renamed or mixed chromosome codes, an order that jumps.

    Raises
    ------
    FormatError
        A variant whose two alleles are the same.
    """
    ids, named = variants["variant_id"], variants["chromosome"]
    # the alleles of one split variant share its id and are no repetition
    unsplit = pl.concat_str("chromosome", "base_pair_location", "other_allele", "variant_id", separator="\t")
    places = variants.filter((ids != "") & (ids != ".")).select("variant_id", "effect_allele", place=unsplit)
    split = pl.len().over("place") == pl.col("effect_allele").n_unique().over("place")
    several = places.filter(pl.col("variant_id").is_duplicated())
    repeated = several.filter((pl.col("place").n_unique().over("variant_id") > 1) | ~split)["variant_id"]
    repeated = repeated.unique(maintain_order=True)
    absent = int((ids == ".").sum())
    renamed = codes.filter(codes != named).unique(maintain_order=True)
    spellings = pl.DataFrame({"code": codes, "named": named}).unique().filter(pl.col("named").is_duplicated())
    notes = []
    if repeated.len():
        notes.append(
            f"{name}: {repeated.len()} variant ids stand more than once ({', '.join(repeated[:5])}); "
            "each line is analysed as a variant of its own"
        )
    if absent:
        notes.append(f"{name}: {absent} variants have no id ('.')")
    if renamed.len():
        notes.append(f"{name}: chromosome codes {', '.join(renamed[:10])} are written 1–22, X, Y, XY, MT")
    if spellings.height:
        mixed = spellings.sort("named", "code")["code"].to_list()
        notes.append(f"{name}: chromosomes are spelled in more than one way ({', '.join(mixed[:10])}); taken as one")
    return (*notes, *_said_of_alleles(name, variants), *_said_of_order(name, variants))


def _said_of_alleles(name: str, variants: pl.DataFrame) -> tuple[str, ...]:
    effect, other = variants["effect_allele"], variants["other_allele"]
    same = ((effect == other) & ~effect.is_in(["0", "."])).arg_true()
    if same.len():
        first = int(same[0])
        raise FormatError(
            f"{same.len()} variants with twice the same allele: {variants['variant_id'][first]} has "
            f"{effect[first]} and {other[first]}",
            where=name,
            allowed="two different alleles a variant",
            todo="leave these variants out, or mend their alleles: nobody can tell what is counted",
        )
    unknown = variants.filter(~effect.str.contains(_ALLELE) | ~other.str.contains(_ALLELE))
    if not unknown.height:
        return ()
    few = unknown.head(3).select(pl.format("{} {}/{}", "variant_id", "effect_allele", "other_allele")).to_series()
    return (
        f"{name}: {unknown.height} variants have an allele of an unknown code ({', '.join(few)}); known are bases, "
        "1 to 4, I and D, and VCF's symbols; they are analysed under the codes that stand there",
    )


def _said_of_order(name: str, variants: pl.DataFrame) -> tuple[str, ...]:
    runs = variants["chromosome"].rle_id().n_unique()
    places = variants["chromosome"].n_unique()
    back = (pl.col("base_pair_location").diff() < 0) & (pl.col("chromosome") == pl.col("chromosome").shift())
    jumps = int(variants.select(back.sum()).item())
    if runs == places and jumps == 0:
        return ()
    what = f"positions go back {jumps} times" if jumps else "chromosomes come in more than one piece"
    return (f"{name}: variants are not sorted ({what}); LD pruning needs them sorted: plink2 --make-pgen --sort-vars",)


def said_of_split(name: str, alternatives: Whole) -> tuple[str, ...]:
    """Say how many variants have several alternative alleles; `alternatives` holds the number of each."""
    several = int((alternatives > 1).sum())
    if not several:
        return ()
    return (f"{name}: {several} variants with several alternative alleles are split, one row an allele",)


def stated_info(field: pl.Expr) -> pl.Expr:
    """Take the imputation quality out of a VCF INFO field: keys :data:`QUALITY_KEYS`."""
    return field.str.extract(rf"(?:^|;)(?:{'|'.join(QUALITY_KEYS)})=([0-9.eE+-]+)").cast(pl.Float64, strict=False)


def expected_count(
    probabilities: npt.NDArray[np.float64],
    two: npt.NDArray[np.bool_],
    alleles: int,
    allele: int,
    *,
    phased: bool,
) -> npt.NDArray[np.float64]:
    """Expected count of an allele, Σ k·P(k copies), doubled for samples with one copy.

    Parameters
    ----------
    probabilities : ndarray, shape (samples, genotypes)
        Unphased: of the genotypes 00, 01, 11, 02, 12, 22, ... (one copy: of the alleles 0, 1, ...), as BGEN and VCF
        order them. Phased: of the alleles on the first copy, then on the second. NaN where missing.
    two : ndarray of bool, shape (samples,)
        Samples with two copies; the others have one.
    alleles : int
        Number of alleles of the variant.
    allele : int
        The one that is counted.
    phased : bool

    Returns
    -------
    ndarray, shape (samples,)
        0 to 2, NaN where missing.
    """
    out = 2 * probabilities[:, allele]
    if two.any():
        if phased:
            out[two] = probabilities[two, allele] + probabilities[two, alleles + allele]
        else:
            pairs = [(i, j) for j in range(alleles) for i in range(j + 1)]
            out[two] = probabilities[two] @ np.array(
                [(i == allele) + (j == allele) for i, j in pairs], dtype=np.float64
            )
    return out


def named_samples(frame: pl.DataFrame, where: str, sample_id: str) -> pl.DataFrame:
    """Put `sample_id` in front of the samples of a file, and see that each stands once.

    Parameters
    ----------
    frame : polars.DataFrame
        Column individual_id and, where the format has it, family_id.
    where : str
        Name of the file.
    sample_id : {"iid", "fid_iid"}
        What names a sample.

    Raises
    ------
    FormatError
        No sample.
    TableError
        Two samples have the same id.
    """
    if frame.height == 0:
        raise FormatError("no sample", where=where, allowed="one line a sample")
    alone, family = pl.col("individual_id"), "family_id" in frame.columns
    both = pl.concat_str("family_id", "individual_id", separator="_") if family else alone
    frame = frame.select((both if sample_id == "fid_iid" else alone).alias("sample_id"), pl.all())
    twice = frame.filter(pl.col("sample_id").is_duplicated())
    if twice.height:
        ids = twice["sample_id"].unique(maintain_order=True)
        apart = sample_id == "iid" and frame.select(both).to_series().is_unique().all()
        raise TableError(
            f"{ids.len()} sample ids stand more than once: {', '.join(ids[:5])}{', ...' if ids.len() > 5 else ''}",
            where=where,
            allowed="every sample id once",
            todo="set sample_id = 'fid_iid' to tell them apart by family"
            if apart
            else "remove or rename the repeated samples",
        )
    return frame
