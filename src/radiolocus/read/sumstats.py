"""Summary statistics of others: GWAS-SSF, PLINK 2, REGENIE, METAL, or any table whose columns are named."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import polars as pl
import yaml

from radiolocus.errors import FormatError
from radiolocus.model import Problem
from radiolocus.read.sumstats_layouts import Layout, layout_of, named_columns
from radiolocus.read.sumstats_rows import COLUMNS, RULES, normalised
from radiolocus.stats.meta import z_of_p

__all__ = ["COLUMNS", "Sumstats", "SumstatsSource", "open_sumstats", "read_sumstats", "set_aside_duplicates"]

_GZIP = b"\x1f\x8b"
_BLOCK = 1 << 25
_NOTHING = ["NA", "#NA", "nan", "NaN", "NAN", "N/A", "", "."]
_STAGE = "sumstats"


@dataclass(frozen=True, eq=False)
class Sumstats:
    """Summary statistics of one phenotype.

    Parameters
    ----------
    rows : polars.DataFrame
        Columns :data:`COLUMNS`, in the order of the file.
    metadata : dict
        What stands beside the file (``genome_assembly``, ``samples``, ...); empty without.
    problems : tuple of Problem
    """

    rows: pl.DataFrame
    metadata: dict[str, Any]
    problems: tuple[Problem, ...]


@dataclass
class _Tally:
    """What was counted while the file was read."""

    rows: int = 0
    kept: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)
    compared: int = 0

    def add(self, name: str, count: int, example: str) -> None:
        if count:
            self.counts[name] = self.counts.get(name, 0) + count
            self.first.setdefault(name, example)


class SumstatsSource:
    """A file of summary statistics that is read a part at a time.

    Parameters
    ----------
    path : Path or str
        Text separated by tabs, commas or blanks; plain or gzip.
    columns : mapping, optional
        What a column is (a key of :data:`radiolocus.read.sumstats_layouts.TARGETS`) to its name.

    Raises
    ------
    FormatError
        No such file, a damaged one, or one whose columns do not tell what is needed.
    ConfigError
        A column map that does not fit.
    """

    def __init__(self, path: Path | str, columns: Mapping[str, str] | None = None) -> None:
        self.path = Path(path)
        with self._open() as stream:
            self._begin, line = _header_line(stream, self.path.name)
        self._separator = "\t" if "\t" in line else "," if "," in line else " "
        self.header = tuple(line.split() if self._separator == " " else line.split(self._separator))
        self.layout: Layout = layout_of(self.header)
        self.columns = named_columns(self.layout, self.header, columns or {}, self.path.name)
        self.metadata = _metadata(self.path)
        self._tally = _Tally()

    @property
    def assembly(self) -> str:
        """Genome assembly that the metadata declare; empty when they do not."""
        return str(self.metadata.get("genome_assembly") or "")

    def _open(self) -> IO[bytes]:
        try:
            with self.path.open("rb") as raw:
                packed = raw.read(2) == _GZIP
            return gzip.open(self.path) if packed else self.path.open("rb")  # type: ignore[return-value]
        except OSError as error:
            raise FormatError(
                f"a file that cannot be read ({error.strerror})", where=self.path.name, todo="check the path"
            ) from None

    def batches(self) -> Iterator[pl.DataFrame]:
        """Read the rows in order, those that can be used, columns :data:`COLUMNS`; a few hundred thousand at a time."""
        self._tally = _Tally()
        line = self._begin + 1
        with self._open() as stream:
            for block in _blocks(stream, self.path.name, self._begin):
                text = self._parsed(block, line)
                line += text.height
                yield self._judged(text, line - text.height)

    def _parsed(self, block: bytes, line: int) -> pl.DataFrame:
        if self._separator == " ":
            block = b"\n".join(b" ".join(row.split()) for row in block.splitlines())
        wrong = _ragged(block, self._separator, len(self.header))
        if wrong is not None:
            raise FormatError(
                f"{wrong[1]} fields",
                where=f"{self.path.name}, line {line + wrong[0]}",
                allowed=f"{len(self.header)} fields, as in the header",
                todo="the line is cut short or holds a stray separator: fetch or write the file again",
            )
        try:
            return pl.read_csv(
                io.BytesIO(block), has_header=False, separator=self._separator, quote_char=None,
                null_values=_NOTHING, schema={name: pl.String() for name in self.header},
            )  # fmt: skip
        except pl.exceptions.PolarsError as error:
            raise FormatError(f"no table ({str(error).splitlines()[0]})", where=self.path.name) from None

    def _judged(self, text: pl.DataFrame, line: int) -> pl.DataFrame:
        told = {what: text.to_series(place).alias(what) for what, place in self.columns.items()}
        zero_based = str(self.metadata.get("coordinate_system", "")).startswith("0")
        rows = normalised(pl.DataFrame(list(told.values())), self.layout, zero_based=zero_based)
        rows = rows.with_columns(pl.int_range(pl.len()).alias("line") + line)
        tally = self._tally
        tally.rows += rows.height
        for name in RULES:
            found = rows.filter(pl.col("reason") == name)
            if found.height:
                tally.add(name, found.height, f"line {found['line'][0]}: {found['told'][0]}")
        good = rows.filter(pl.col("reason").is_null())
        for name in ("lost_frequency", "lost_n", "p_from_beta"):
            found = good.filter(name)
            tally.add(name, found.height, f"line {found['line'][0]}" if found.height else "")
        self._compare(good)
        tally.kept += good.height
        size = self._sample_size
        kept = good.select(list(COLUMNS))
        return kept.with_columns(pl.col("n").fill_null(size)) if size else kept

    @property
    def _sample_size(self) -> int:
        samples = self.metadata.get("samples") or []
        sizes = [s.get("sample_size") for s in samples if isinstance(s, dict)]
        return sum(int(s) for s in sizes if s)

    def _compare(self, rows: pl.DataFrame) -> None:
        """Count p-values that are not those of beta and its error."""
        both = rows.filter(pl.col("standard_error").is_not_null(), ~pl.col("p_from_beta"), pl.col("has_p"))
        if not both.height:
            return
        z = (both["beta"] / both["standard_error"]).abs().to_numpy()
        stated = np.abs(z_of_p(both["neg_log_10_p_value"].to_numpy(), np.ones(both.height)))
        # room for rounded numbers, and for Student's t of a hundred subjects
        apart = np.flatnonzero(np.abs(z - stated) > 0.1 + 0.1 * np.maximum(z, stated))
        self._tally.compared += both.height
        if apart.size:
            i = int(apart[0])
            example = f"line {both['line'][i]}: |beta| / standard error = {z[i]:.3g}, by the p-value {stated[i]:.3g}"
            self._tally.add("disagree", int(apart.size), example)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What :meth:`batches` found, when all were taken."""
        where, tally = self.path.name, self._tally
        out = [
            Problem(_STAGE, f"{RULES[name].got} (first: {tally.first[name]})", RULES[name].severity, where=where,
                    allowed=RULES[name].allowed, todo=RULES[name].todo, count=count)
            for name, count in tally.counts.items() if name in RULES
        ]  # fmt: skip
        out += [Problem(_STAGE, got.format(tally.first[n]), "note", where=where, todo=todo, count=tally.counts[n])
                for n, (got, todo) in _NOTES.items() if n in tally.counts]  # fmt: skip
        if tally.counts.get("disagree", 0) > 0.5 * max(tally.compared, 1):
            out.append(Problem(
                _STAGE, f"{tally.counts['disagree']} of {tally.compared} p-values are not those of beta and its error",
                "note", where=where, todo="check that the standard error is that of beta, not of an odds ratio",
            ))  # fmt: skip
        return (*out, *self._about_metadata())

    def _about_metadata(self) -> Iterator[Problem]:
        where = self.path.name
        if not self.assembly:
            yield Problem(_STAGE, "no genome assembly is declared", "note", where=where,
                          todo="make sure that all files are of one assembly")  # fmt: skip
        if str(self.metadata.get("coordinate_system", "")).startswith("0"):
            yield Problem(_STAGE, "positions counted from 0 were raised by 1", "note", where=where)
        stated = self.metadata.get("data_file_md5sum")
        if stated and stated != _md5(self.path):
            yield Problem(_STAGE, f"the file is not the one that its metadata describe (MD5 {stated})", "note",
                          where=where, todo="fetch the file and its metadata again")  # fmt: skip


_NOTES = {
    "lost_frequency": ("a frequency outside 0 to 1 is taken for missing (first: {})", "check the column of frequency"),
    "lost_n": ("a sample size that is not above 0 is taken for missing (first: {})", "check the column of n"),
    "p_from_beta": ("a p-value of 0, or none, is taken from beta and its error (first: {})", ""),
    "disagree": ("a p-value that is not that of beta and its error (first: {})",
                 "another test (likelihood ratio, saddle point) may explain it; a wrong column too"),
}  # fmt: skip


def _header_line(stream: IO[bytes], where: str) -> tuple[int, str]:
    """Number of the header line, from 1, and its text; lines that begin with ## stand before it."""
    try:
        for number, raw in enumerate(stream, 1):
            if not raw.startswith(b"##") and raw.strip():
                return number, raw.decode("utf-8-sig").rstrip("\r\n")
    except (EOFError, OSError, zlib.error, UnicodeDecodeError) as error:
        raise FormatError(f"a file that cannot be read ({error})", where=where, todo="fetch the file again") from None
    raise FormatError("an empty file", where=where, allowed="a line of column names, then one line a variant")


def _blocks(stream: IO[bytes], where: str, skip: int) -> Iterator[bytes]:
    """Whole lines behind the header, some megabytes at a time."""
    try:
        for _ in range(skip):
            stream.readline()
        rest = b""
        while block := stream.read(_BLOCK):
            block = (rest + block).replace(b"\r\n", b"\n")
            cut = block.rfind(b"\n") + 1
            whole, rest = block[:cut], block[cut:]
            if whole.strip():
                yield whole
        if rest.strip():
            yield rest
    except (EOFError, OSError, zlib.error) as error:
        raise FormatError(
            f"a gzip file that ends early or is damaged ({error})", where=where, todo="fetch the file again"
        ) from None


def _ragged(block: bytes, separator: str, width: int) -> tuple[int, int] | None:
    """First line of another number of fields, counted from the first of the block, and that number."""
    letters = np.frombuffer(block if block.endswith(b"\n") else block + b"\n", dtype=np.uint8)
    ends = np.flatnonzero(letters == ord("\n"))
    starts = np.concatenate([[0], ends[:-1] + 1])
    fields = np.add.reduceat(letters == ord(separator), starts, dtype=np.int64) + 1
    wrong = np.flatnonzero((fields != width) & (ends > starts))
    return (int(wrong[0]), int(fields[wrong[0]])) if wrong.size else None


def _metadata(path: Path) -> dict[str, Any]:
    """YAML beside the file, as GWAS-SSF wants it."""
    for name in (f"{path.name}-meta.yaml", f"{path.name.removesuffix('.gz')}-meta.yaml"):
        beside = path.with_name(name)
        if beside.is_file():
            try:
                told = yaml.safe_load(beside.read_text(encoding="utf-8"))
            except (yaml.YAMLError, UnicodeDecodeError) as error:
                raise FormatError(f"no YAML ({error})", where=name, todo="write the metadata again") from None
            if not isinstance(told, dict):
                raise FormatError("no mapping of metadata", where=name, allowed="key: value")
            return told
    return {}


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def open_sumstats(path: Path | str, columns: Mapping[str, str] | None = None) -> SumstatsSource:
    """Open a file of summary statistics; see :class:`SumstatsSource`."""
    return SumstatsSource(path, columns)


def read_sumstats(path: Path | str, columns: Mapping[str, str] | None = None) -> Sumstats:
    """Read a file of summary statistics.

    Parameters
    ----------
    path, columns
        See :class:`SumstatsSource`.

    Returns
    -------
    Sumstats
        Without rows that cannot be used and without variants that stand more than once, which its problems count.

    Raises
    ------
    FormatError, ConfigError
        See :class:`SumstatsSource`.
    """
    source = SumstatsSource(path, columns)
    frames = list(source.batches())
    rows = pl.concat(frames) if frames else pl.DataFrame(schema=COLUMNS)
    rows, twice = set_aside_duplicates(rows, source.path.name)
    return Sumstats(rows, source.metadata, (*source.problems, *twice))


def set_aside_duplicates(rows: pl.DataFrame, where: str) -> tuple[pl.DataFrame, tuple[Problem, ...]]:
    """Leave out variants that stand more than once: which row is meant cannot be known.

    Two rows are one variant when place and pair of alleles agree, or without a place their ids.
    """
    a, b = pl.col("effect_allele"), pl.col("other_allele")
    first, second = pl.when(a < b).then(a).otherwise(b), pl.when(a < b).then(b).otherwise(a)
    key = pl.struct(
        pl.when(pl.col("base_pair_location").is_null()).then(pl.col("variant_id")).alias("id"),
        "chromosome", "base_pair_location", first.alias("a"), second.alias("b"),
    )  # fmt: skip
    twice = rows.select(key.is_duplicated()).to_series()
    count = int(twice.sum())
    if not count:
        return rows, ()
    name = rows.filter(twice).row(0, named=True)
    place = name["variant_id"] or f"{name['chromosome']}:{name['base_pair_location']}"
    problem = Problem(
        _STAGE, f"variants that stand more than once (first: {place})", where=where, allowed="one row a variant",
        todo="leave one row of each", count=count,
    )  # fmt: skip
    return rows.filter(~twice), (problem,)
