"""Cohorts of a meta-analysis behind one interface: folders of our own scans, and files of others."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from radiolocus.associate.dataset import chromosome_part
from radiolocus.associate.results import kept_of
from radiolocus.errors import ConfigError, FormatError
from radiolocus.model import Problem
from radiolocus.read.sumstats import COLUMNS, SumstatsSource
from radiolocus.stats.multiplicity import lambda_gc

__all__ = ["CohortOrder", "CohortRows", "open_cohort", "parse_order", "phenotype_files"]

_PLACE = "{phenotype}"


@dataclass(frozen=True)
class CohortOrder:
    """What a cohort is made of.

    Parameters
    ----------
    name : str
    path : Path
        Folder that ``radiolocus gwas`` wrote, or a file of summary statistics; ``{phenotype}`` in the name of a file
        stands for the name of the phenotype.
    """

    name: str
    path: Path


@dataclass(frozen=True, eq=False)
class CohortRows:
    """Associations of a cohort, read a stretch of the genome at a time.

    Parameters
    ----------
    name, layout, assembly : str
    files : dict
        Phenotype (``""`` when a file holds all) to a chromosome's file, by chromosome.
    lambdas : dict
        Genomic inflation of each phenotype.
    problems : tuple of Problem
    """

    name: str
    layout: str
    assembly: str
    files: dict[str, dict[str, Path]]
    lambdas: dict[str, float]
    problems: tuple[Problem, ...] = field(default=())

    @property
    def phenotypes(self) -> tuple[str, ...]:
        """Phenotypes of which every row is there."""
        return tuple(self.lambdas)

    @property
    def chromosomes(self) -> set[str]:
        """Chromosomes with a row."""
        return {chromosome for files in self.files.values() for chromosome in files}

    def scan(self, chromosome: str) -> pl.LazyFrame | None:
        """Rows of a chromosome, read when they are wanted; None without any."""
        parts = []
        for phenotype, files in self.files.items():
            if chromosome in files:
                part = pl.scan_parquet(files[chromosome], hive_partitioning=False)
                own = pl.lit(phenotype).alias("phenotype") if phenotype else pl.col("phenotype")
                parts.append(part.select(own, *(pl.col(n).cast(kind) for n, kind in COLUMNS.items())))
        if not parts:
            return None
        return pl.concat(parts).filter(pl.col("phenotype").is_in(list(self.lambdas)))


def parse_order(text: str) -> CohortOrder:
    """Read ``path`` or ``name=path``; without a name the cohort is called as its file or folder."""
    name, _, path = text.rpartition("=")
    where = Path(path)
    stem = re.sub(r"(\.(tsv|txt|csv|regenie|glm|linear|logistic|hybrid|tbl|gz|parquet))+$", "", where.name)
    return CohortOrder(name or stem.replace(_PLACE, "").strip("._-") or where.parent.name, where)


def phenotype_files(path: Path) -> dict[str, Path]:
    """Files of a pattern by phenotype; a plain file holds the phenotype ``phenotype``.

    Raises
    ------
    FormatError
        No file matches.
    """
    if _PLACE not in path.name:
        return {"phenotype": path}
    before, after = path.name.split(_PLACE, 1)
    if not path.parent.is_dir():
        raise FormatError(f"no folder '{path.parent}'", where=path.name, todo="correct the path")
    named = {
        file.name[len(before) : len(file.name) - len(after)]: file
        for file in sorted(path.parent.iterdir())
        if file.name.startswith(before)
        and file.name.endswith(after)
        and len(file.name) > len(before) + len(after)
        and not file.name.endswith("-meta.yaml")
    }
    if not named:
        raise FormatError(f"no file like {path.name}", where=str(path.parent), todo="correct the path")
    return named


def open_cohort(order: CohortOrder, work: Path, columns: Mapping[str, str] | None = None) -> CohortRows:
    """Open a cohort; files of others are brought to Parquet below `work`, a few megabytes in memory at a time.

    Parameters
    ----------
    order : CohortOrder
    work : Path
        Folder that may be removed afterwards.
    columns : mapping, optional
        See :class:`radiolocus.read.sumstats.SumstatsSource`.

    Raises
    ------
    FormatError, ConfigError, StoreError
        A file or folder that cannot be used.
    """
    if order.path.is_dir():
        return _folder(order)
    files: dict[str, dict[str, Path]] = {}
    lambdas: dict[str, float] = {}
    problems: list[Problem] = []
    source = None
    for number, (phenotype, path) in enumerate(phenotype_files(order.path).items()):
        source = SumstatsSource(path, columns)
        files[phenotype], values = _converted(source, work / str(number))
        lambdas[phenotype] = lambda_gc(values)
        problems += source.problems
    if source is None:  # cannot be: a pattern has a file
        raise FormatError("no file", where=str(order.path))
    return CohortRows(order.name, source.layout.name, source.assembly, files, lambdas, tuple(problems))


def _converted(source: SumstatsSource, folder: Path) -> tuple[dict[str, Path], np.typing.NDArray[np.float64]]:
    """Parquet file of each chromosome, by position, and −log10 p of all rows."""
    folder.mkdir(parents=True)
    schema = pl.DataFrame(schema=COLUMNS).to_arrow().schema
    writers: dict[str, pq.ParquetWriter] = {}
    values, nowhere = [], 0
    try:
        for batch in source.batches():
            nowhere += int((batch["chromosome"].is_null() | batch["base_pair_location"].is_null()).sum())
            values.append(batch["neg_log_10_p_value"].to_numpy())
            for (name,), part in batch.filter(pl.col("base_pair_location").is_not_null()).group_by(
                "chromosome", maintain_order=True
            ):
                if name is None:
                    continue
                if str(name) not in writers:
                    writers[str(name)] = pq.ParquetWriter(folder / f"{name}.parquet", schema)
                writers[str(name)].write_table(part.to_arrow().cast(schema))
    finally:
        for writer in writers.values():
            writer.close()
    if nowhere:
        raise FormatError(
            f"{nowhere} variants without a position", where=source.path.name,
            allowed="chromosome and position, or ids like 19:44908684:T:C",
            todo="add columns of chromosome and position: ids change from build to build",
        )  # fmt: skip
    files = {name: folder / f"{name}.parquet" for name in writers}
    for path in files.values():
        # row groups by position, so that a stretch is found without reading the rest
        pl.read_parquet(path).sort("base_pair_location", maintain_order=True).write_parquet(path, row_group_size=65_536)
    return files, np.concatenate(values) if values else np.empty(0)


def _folder(order: CohortOrder) -> CohortRows:
    """A scan of our own: phenotypes of which every row was kept."""
    kept = kept_of(order.path)
    whole = [name for name in kept.phenotypes if kept.whole(name)]
    partial = [name for name in kept.phenotypes if not kept.whole(name)]
    where = str(order.path)
    if not whole:
        raise ConfigError(
            f"only rows with p ≤ {kept.p_value:g} were kept of every phenotype", where=where,
            allowed="a scan that kept every row of a phenotype", todo="scan again with --p-value 1, or --all-rows",
        )  # fmt: skip
    problems = _left_out(partial, kept.p_value, order.name)
    names = [path.name.removeprefix("chromosome=") for path in (order.path / "sumstats").glob("chromosome=*")]
    files = {name: order.path / f"{chromosome_part(name)}.parquet" for name in names}
    summary = pl.read_parquet(order.path / "sumstats/summary.parquet", columns=["phenotype", "lambda_gc"])
    lambdas = {name: value for name, value in summary.iter_rows() if name in whole}
    return CohortRows(order.name, "radiolocus", "", {"": files}, lambdas, problems)


def _left_out(partial: Sequence[str], p_value: float, name: str) -> tuple[Problem, ...]:
    return tuple(
        Problem(
            "meta", f"only rows with p ≤ {p_value:g} were kept", item=phenotype, where=name,
            allowed="phenotypes of which every row was kept", todo="scan again with --p-value 1, or --all-rows",
        )
        for phenotype in partial
    )  # fmt: skip
