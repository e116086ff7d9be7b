"""Results of a scan on disk: Parquet files that answer a question by reading the few pages that hold the answer.

::

    sumstats/chromosome=19/part.parquet   rows that were kept, by position
    sumstats/by_phenotype/part.parquet    the same rows, by phenotype
    sumstats/variants.parquet             every variant and its smallest p-value, in file order
    sumstats/variant_ids.parquet          where each variant id lies, sorted by id
    sumstats/summary.parquet              every phenotype: tests, inflation, strongest variant
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from radiolocus.schema import TABLES
from radiolocus.store import described

__all__ = [
    "ROW_GROUP",
    "PartWriter",
    "chromosome_part",
    "part_writer",
    "write_by_phenotype",
    "write_rows",
    "write_variant_ids",
]

# Rows between two entries of statistics: a query reads a few of these, about a megabyte each.
ROW_GROUP = 65_536
# Values sorted in memory at a time.
_BUCKET = 100_000_000


def chromosome_part(chromosome: str) -> str:
    """Name, below the results, of the rows of a chromosome."""
    return f"sumstats/chromosome={chromosome}/part"


class PartWriter:
    """One Parquet file that grows by frames; it takes its name when it is closed.

    Parameters
    ----------
    path : Path
    table : str
        Key of :data:`radiolocus.schema.TABLES`, whose columns every frame has.
    """

    def __init__(self, path: Path, table: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.rows = 0
        self._half = path.with_name(f".partial-{path.name}")
        columns = {column.name: column for column in TABLES[table].columns}
        self._schema = described(pl.DataFrame(schema=TABLES[table].schema).to_arrow().schema, columns)
        self._writer = pq.ParquetWriter(self._half, self._schema, compression="zstd", version="2.6")
        self._waiting: list[pl.DataFrame] = []
        self._count = 0

    def add(self, frame: pl.DataFrame) -> None:
        """Append rows; whole row groups are written at once."""
        self.rows += frame.height
        self._waiting.append(frame)
        self._count += frame.height
        if self._count >= ROW_GROUP:
            whole = pl.concat(self._waiting)
            cut = whole.height - whole.height % ROW_GROUP
            self._write(whole.head(cut))
            self._waiting, self._count = [whole.slice(cut)], whole.height - cut

    def _write(self, frame: pl.DataFrame) -> None:
        if frame.height:
            table = pa.Table.from_arrays(frame.to_arrow().columns, schema=self._schema)
            self._writer.write_table(table, row_group_size=ROW_GROUP)

    def close(self) -> None:
        """Write what waits, and put the file in its place."""
        if self._waiting:
            self._write(pl.concat(self._waiting))
        self._writer.close()
        self._half.replace(self.path)

    def abandon(self) -> None:
        """Close without a result."""
        with contextlib.suppress(OSError, pa.ArrowException):
            self._writer.close()
        self._half.unlink(missing_ok=True)


@contextlib.contextmanager
def part_writer(path: Path, table: str) -> Iterator[PartWriter]:
    """Open a :class:`PartWriter` that is closed at the end, or leaves nothing where something failed."""
    writer = PartWriter(path, table)
    try:
        yield writer
    except BaseException:
        writer.abandon()
        raise
    writer.close()


def write_rows(root: Path, frames: Iterable[pl.DataFrame], table: str = "sumstats/sumstats") -> dict[str, int]:
    """Write the kept rows, chromosome by chromosome, each by position.

    Parameters
    ----------
    root : Path
        Folder of the results.
    frames : iterable of polars.DataFrame
        `table` in pieces, in the order of the genotype file.
    table : str

    Returns
    -------
    dict
        Rows of each part, by its name below `root`, in order of appearance.
    """
    writers: dict[str, PartWriter] = {}
    reached: dict[str, int] = {}
    mixed: set[str] = set()
    try:
        for frame in frames:
            for (chromosome,), part in frame.group_by("chromosome", maintain_order=True):
                name = str(chromosome)
                if name not in writers:
                    writers[name] = PartWriter(root / f"{chromosome_part(name)}.parquet", table)
                places = part["base_pair_location"]
                if not places.is_sorted() or int(places[0]) < reached.get(name, 0):
                    mixed.add(name)
                reached[name] = max(int(places[-1]), reached.get(name, 0))
                writers[name].add(part)
        for writer in writers.values():
            writer.close()
    except BaseException:
        for writer in writers.values():
            writer.abandon()
        raise
    for name in mixed:  # a file that is not sorted: the rows are, so that a region is found
        path = writers[name].path
        with part_writer(path, table) as again:
            again.add(pl.read_parquet(path).sort("base_pair_location", maintain_order=True))
    return {chromosome_part(name): writer.rows for name, writer in writers.items()}


def write_by_phenotype(
    root: Path, parts: dict[str, int], counts: Mapping[str, int], table: str = "sumstats/sumstats"
) -> int:
    """Write all rows once more, phenotype by phenotype, a few phenotypes in memory at a time; returns the rows.

    Parameters
    ----------
    root : Path
    parts : dict
        What :func:`write_rows` returned.
    counts : mapping
        Rows of each phenotype.
    table : str
    """
    files = [root / f"{name}.parquet" for name in parts]
    order = pl.Enum(sorted(counts))  # by name, so that the statistics of row groups tell where it lies
    with part_writer(root / "sumstats/by_phenotype/part.parquet", table) as writer:
        for names in _buckets(order.categories.to_list(), counts, len(TABLES[table].columns)):
            found = [pl.scan_parquet(file, hive_partitioning=False) for file in files]
            wanted = pl.col("phenotype").is_in(names)
            if len(names) == 1:  # in order as it stands: a file at a time, however many rows it has
                for part in found:
                    writer.add(part.filter(wanted).collect())
            elif found:
                rows = pl.concat(found).filter(wanted).collect()
                writer.add(rows.sort(pl.col("phenotype").cast(order), maintain_order=True))
    return writer.rows


def _buckets(names: list[str], counts: Mapping[str, int], width: int) -> Iterator[list[str]]:
    bucket: list[str] = []
    size = 0
    for name in names:
        if bucket and (size + counts.get(name, 0)) * width > _BUCKET:
            yield bucket
            bucket, size = [], 0
        bucket.append(name)
        size += counts.get(name, 0)
    if bucket:
        yield bucket


def write_variant_ids(root: Path) -> int:
    """Write where each variant id lies, sorted by id; returns the rows."""
    told = pl.read_parquet(root / "sumstats/variants.parquet", columns=list(TABLES["sumstats/variant_ids"].schema))
    with part_writer(root / "sumstats/variant_ids.parquet", "sumstats/variant_ids") as writer:
        writer.add(told.select(list(TABLES["sumstats/variant_ids"].schema)).sort("variant_id", maintain_order=True))
    return writer.rows
