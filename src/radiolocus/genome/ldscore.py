"""LD scores: how much of the genome a variant speaks for, in the definition and the files of LDSC."""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import ConfigError, FitError, FormatError
from radiolocus.genome.ld import windows
from radiolocus.kernels.genotype import centre_dosage
from radiolocus.model import Array
from radiolocus.read.genotypes import AUTOSOMES, GenotypeSource
from radiolocus.store import write_bytes

__all__ = ["LdScoreOptions", "LdScores", "ld_scores", "read_ld_scores", "standardised", "write_ld_scores"]

Whole = npt.NDArray[np.int64]

_BLOCK = 1024
_COLUMNS = {"CHR": pl.String, "SNP": pl.String, "BP": pl.Int64}
_COMMON = 0.05


@dataclass(frozen=True)
class LdScoreOptions:
    """What an LD score is summed over.

    Parameters
    ----------
    kilobases : float
        Largest distance of two variants.
    min_maf : float
        Rarer variants neither have an LD score nor add to that of others.
    """

    kilobases: float = 1000.0
    min_maf: float = 0.01

    def __post_init__(self) -> None:
        if not self.kilobases > 0:
            raise ConfigError(f"kilobases = {self.kilobases}", where="LD scores", allowed="above 0")
        if not 0 <= self.min_maf < 0.5:
            raise ConfigError(f"min_maf = {self.min_maf}", where="LD scores", allowed="0 or more, below 0.5")


@dataclass(frozen=True, eq=False)
class LdScores:
    """LD scores of variants, and the number of variants they were summed over.

    Parameters
    ----------
    table : polars.DataFrame
        Columns chromosome, variant_id, base_pair_location, ld_score.
    variants : float
        M: variants that could add to a score.
    common : float
        M_5_50: those of them with a minor allele frequency above 0.05; NaN where a file does not say.
    """

    table: pl.DataFrame
    variants: float
    common: float


def ld_scores(
    source: GenotypeSource, rows: Whole, options: LdScoreOptions | None = None, chosen: Whole | None = None
) -> LdScores:
    """LD scores of the autosomal variants of a genotype file.

    Parameters
    ----------
    source : GenotypeSource
    rows : ndarray of int64, shape (n,)
        Samples, unrelated and of one ancestry.
    options : LdScoreOptions, optional
    chosen : ndarray of int64, optional
        Numbers of the variants in the file, ascending; default: all.

    Returns
    -------
    LdScores

    Raises
    ------
    FitError
        Fewer than three samples, or no variant that varies.
    TableError
        Variants of one chromosome are not in the order of their positions.

    Notes
    -----
    Σ over the variants of the window, itself included, of r² − (1 − r²)/(n − 2), missing genotypes at the mean, as in
    LDSC (Bulik-Sullivan et al. 2015, doi:10.1038/ng.3211). LDSC widens the window of a variant to that of the first of
    its chunk of 50 (``--chunk-size``); here each has its own, as with ``--chunk-size 1``.
    """
    options = options or LdScoreOptions()
    n = rows.size
    if n < 3:
        raise FitError(f"LD scores of {n} samples", allowed="3 or more; hundreds for scores that can be used")
    everything = np.arange(source.variants.height, dtype=np.int64) if chosen is None else chosen
    everything = everything[np.isin(source.variants["chromosome"].to_numpy()[everything], AUTOSOMES)]
    minor = _minor(source, rows, everything)
    inside = (minor > 0) & (minor >= options.min_maf)
    used = everything[inside]
    if used.size == 0:
        raise FitError("no autosomal variant that varies", where="LD scores", allowed=f"frequency {options.min_maf:g}")
    score = np.zeros(used.size)
    reach = 1000 * options.kilobases
    position = source.variants["base_pair_location"].to_numpy()[used]
    for first, second, left, right in windows(source, rows, used, reach, standardised):
        square = np.square(np.asarray(left @ right.T, dtype=np.float64) / n)
        square -= (1 - square) / (n - 2)
        square[np.abs(position[first][:, None] - position[second][None, :]) > reach] = 0.0
        score[first] += square.sum(axis=1)
        if first[0] != second[0]:
            score[second] += square.sum(axis=0)
    told = source.variants[used].select("chromosome", "variant_id", "base_pair_location")
    return LdScores(
        told.with_columns(pl.Series("ld_score", score)), float(used.size), float((minor[inside] > _COMMON).sum())
    )


def _minor(source: GenotypeSource, rows: Whole, chosen: Whole) -> Array:
    """Minor allele frequency of chosen variants; 0 where none is known, or all who are have the same genotype."""
    out = np.zeros(source.variants.height)
    first = 0
    for block in source.blocks(rows, _BLOCK):
        known = ~np.isnan(block.dosage)
        count = known.sum(axis=1)
        dosage = np.where(known, block.dosage, 0)
        sums = dosage.sum(axis=1, dtype=np.float64)
        varies = dosage.max(axis=1) > np.where(known, block.dosage, 2).min(axis=1)
        frequency = np.divide(sums, 2 * count, out=np.zeros(count.size), where=count > 0)
        out[first : first + count.size] = np.where(varies, np.minimum(frequency, 1 - frequency), 0)
        first += count.size
    return out[chosen]


def standardised(dosage: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Each variant centred and of variance 1, missing genotypes 0."""
    count, n = dosage.shape
    out, moments = np.empty((count, n)), np.empty((count, 4))
    centre_dosage(dosage, np.arange(n, dtype=np.int64), out, moments)
    length = np.sqrt(np.square(out).mean(axis=1, keepdims=True))
    return np.asarray(out / np.where(length > 0, length, 1.0), dtype=np.float32)


def write_ld_scores(scores: LdScores, out: Path) -> tuple[Path, ...]:
    """Write ``out.l2.ldscore.gz``, ``out.l2.M`` and ``out.l2.M_5_50`` as LDSC does; returns the files."""
    table = scores.table.select(
        CHR="chromosome", SNP="variant_id", BP="base_pair_location", L2=pl.col("ld_score").round(6)
    )
    files = tuple(out.with_name(f"{out.name}.l2.{ending}") for ending in ("ldscore.gz", "M", "M_5_50"))
    write_bytes(files[0], gzip.compress(table.write_csv(separator="\t").encode(), mtime=0))
    write_bytes(files[1], f"{scores.variants:.0f}\n".encode())
    write_bytes(files[2], f"{scores.common:.0f}\n".encode())
    return files


def read_ld_scores(path: Path) -> LdScores:
    """Read LD scores in LDSC's layout.

    Parameters
    ----------
    path : Path
        ``NAME.l2.ldscore.gz`` (or without ``.gz``), or the prefix ``NAME``; with ``@`` one file for each of the
        chromosomes 1 to 22 that is there. ``.l2.M`` and ``.l2.M_5_50`` beside each hold the number of variants.

    Raises
    ------
    FormatError
        No such file, no column L2 or more than one column of scores, a value that is no number, or no number of
        variants beside it.
    """
    files = [_file(part) for part in _parts(path)]
    parts = [_read_one(file) for file in files]
    table = pl.concat(part.table for part in parts)
    twice = table.filter(pl.col("variant_id").is_duplicated())
    if twice.height:
        raise FormatError(
            f"{twice['variant_id'].n_unique()} variants stand more than once: {twice['variant_id'][0]}",
            where=path.name, allowed="one LD score a variant",
        )  # fmt: skip
    return LdScores(table, sum(part.variants for part in parts), sum(part.common for part in parts))


def _parts(path: Path) -> list[Path]:
    if "@" not in path.name:
        return [path]
    whole = [path.with_name(path.name.replace("@", chromosome)) for chromosome in AUTOSOMES]
    there = [part for part in whole if _file(part).is_file()]
    return there or whole[:1]


def _file(path: Path) -> Path:
    """The file that a name or a prefix means."""
    for name in (path.name, f"{path.name}.l2.ldscore.gz", f"{path.name}.l2.ldscore"):
        if path.with_name(name).is_file():
            return path.with_name(name)
    return path


def _read_one(file: Path) -> LdScores:
    if not file.is_file():
        raise FormatError(
            "no such file", where=str(file), allowed="NAME.l2.ldscore.gz or NAME",
            todo="correct the path, or compute LD scores from genotypes",
        )  # fmt: skip
    data = file.read_bytes()
    data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    table = pl.read_csv(io.BytesIO(data), separator="\t", infer_schema=False, truncate_ragged_lines=True)
    scored = [name for name in table.columns if name not in {*_COLUMNS, "CM", "MAF"}]
    if not set(_COLUMNS) <= set(table.columns) or len(scored) != 1:
        raise FormatError(
            f"columns {', '.join(table.columns[:8])}", where=file.name,
            allowed="CHR, SNP, BP (CM, MAF) and one column of LD scores",
            todo="partitioned scores are not for this regression: take the baseline scores",
        )  # fmt: skip
    score = table[scored[0]].cast(pl.Float64, strict=False)
    if not score.is_finite().fill_null(value=False).all():
        at = int((~score.is_finite().fill_null(value=False)).arg_true()[0])
        raise FormatError(f"'{table[scored[0]][at]}'", where=f"{file.name}, row {at + 2}", allowed="a number")
    told = table.select(
        chromosome=pl.col("CHR"), variant_id=pl.col("SNP"), base_pair_location=pl.col("BP").cast(pl.Int64)
    )
    return LdScores(told.with_columns(score.alias("ld_score")), *_totals(file))


def _totals(file: Path) -> tuple[float, float]:
    bare = file.name.removesuffix(".gz").removesuffix(".ldscore")
    found = []
    for ending in ("M", "M_5_50"):
        beside = file.with_name(f"{bare}.{ending}")
        found.append(float(beside.read_text().split()[0]) if beside.is_file() else float("nan"))
    if np.isnan(found).all():
        raise FormatError(
            f"neither {bare}.M nor {bare}.M_5_50 beside it", where=file.name,
            allowed="the number of variants the scores were summed over", todo="copy them from where the scores came",
        )  # fmt: skip
    return found[0], found[1]
