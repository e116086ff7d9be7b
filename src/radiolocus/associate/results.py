"""Results of a scan beside genotypes: which rows were kept, where their variants lie in a file, and who was scanned."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.associate.query import Region, query
from radiolocus.errors import ConfigError, StoreError, TableError
from radiolocus.genome.alleles import AlleleOptions, align
from radiolocus.read.genotypes import GenotypeSource
from radiolocus.registry import suggest

__all__ = ["Beside", "Kept", "Samples", "kept_of", "place_beside", "samples_of", "strong_rows", "whole_rows"]

Whole = npt.NDArray[np.int64]
_PLACE = ["chromosome", "base_pair_location", "variant_id", "effect_allele", "other_allele"]


@dataclass(frozen=True)
class Kept:
    """What a scan kept.

    Parameters
    ----------
    root : Path
    key : str
        Of the scan's manifest: which results these are.
    p_value : float
        Rows at most this large are there of every phenotype.
    all_rows : tuple of str
        Phenotypes of which every row is there.
    phenotypes : tuple of str
    tests : int
    effective_phenotypes : float
        Of Li and Ji.
    """

    root: Path
    key: str
    p_value: float
    all_rows: tuple[str, ...]
    phenotypes: tuple[str, ...]
    tests: int
    effective_phenotypes: float

    def whole(self, phenotype: str) -> bool:
        """Whether every row of a phenotype is there."""
        return self.p_value >= 1 or phenotype in self.all_rows

    def check(self, names: Sequence[str]) -> tuple[str, ...]:
        """The phenotypes that are asked for, or all; an unknown one is a :class:`ConfigError`."""
        for name in names:
            if name not in self.phenotypes:
                raise ConfigError(
                    f"no phenotype '{name}'", where=self.root.name, allowed=", ".join(self.phenotypes[:20]),
                    todo=suggest(name, self.phenotypes),
                )  # fmt: skip
        return tuple(names) or self.phenotypes


def kept_of(root: Path | str) -> Kept:
    """Read what a finished scan kept.

    Raises
    ------
    StoreError
        The folder holds no finished scan.
    """
    folder = Path(root)
    files = {name: folder / f"sumstats/{name}.json" for name in ("manifest", "options", "told")}
    if not all(file.is_file() for file in files.values()):
        raise StoreError(
            "no finished scan", where=folder.name, allowed="the folder that radiolocus gwas wrote",
            todo="run radiolocus gwas to its end",
        )  # fmt: skip
    told: dict[str, Any] = {name: json.loads(file.read_text()) for name, file in files.items()}
    names = pl.read_parquet(folder / "sumstats/summary.parquet", columns=["phenotype"])["phenotype"].to_list()
    keep = told["options"]["keep"]
    return Kept(
        folder, told["manifest"]["key"], float(keep["p_value"]), tuple(keep["all_rows"]), tuple(names),
        int(told["told"]["tests"]), float(told["told"]["effective_li_ji"]),
    )  # fmt: skip


def strong_rows(kept: Kept, p_value: float, phenotypes: Sequence[str]) -> pl.DataFrame:
    """Rows of some phenotypes with a p-value at most this large, in the order of the genome."""
    rule = (pl.col("neg_log_10_p_value") >= -np.log10(p_value)) & pl.col("phenotype").is_in(list(phenotypes))
    columns = ["phenotype", *_PLACE, "beta", "standard_error", "neg_log_10_p_value"]
    files = sorted((kept.root / "sumstats").glob("chromosome=*/part.parquet"), key=_chromosome)
    parts = [pl.scan_parquet(file, hive_partitioning=False).filter(rule).select(columns).collect() for file in files]
    return pl.concat(parts) if parts else pl.DataFrame(schema=dict.fromkeys(columns, pl.String))


def _chromosome(file: Path) -> tuple[int, str]:
    name = file.parent.name.removeprefix("chromosome=")
    return (int(name), "") if name.isdigit() else (99, name)


def whole_rows(kept: Kept, phenotype: str, region: Region | None = None) -> pl.DataFrame:
    """Every row of a phenotype, or every row of it in a region, each with an estimate.

    Raises
    ------
    ConfigError
        An unknown phenotype, or one of which only the rows below a p-value were kept.
    """
    kept.check([phenotype])
    if not kept.whole(phenotype):
        raise ConfigError(
            f"only the rows of '{phenotype}' with p ≤ {kept.p_value:g} were kept", where=kept.root.name,
            allowed="a phenotype of which every row is there",
            todo=f"scan again with --all-rows '{phenotype}': what is left out is not random",
        )  # fmt: skip
    rows = query(kept.root, region=region, phenotype=[phenotype])
    return rows.filter(pl.col("beta").is_finite() & (pl.col("standard_error") > 0))


@dataclass(frozen=True, eq=False)
class Beside:
    """Rows of a table whose variant a genotype file has.

    Parameters
    ----------
    table : polars.DataFrame
        Columns of the table, ``number`` (the variant in the file) and ``sign`` (1, or −1 where the file counts the
        other allele), in the order of the file.
    absent : int
        Variants of the table that the file does not have, or not with these alleles.
    """

    table: pl.DataFrame
    absent: int


def place_beside(table: pl.DataFrame, source: GenotypeSource) -> Beside:
    """Find the variants of a table in a genotype file by position and alleles.

    Letters are taken as they stand, of one strand: the file is the one that was scanned, or a reference of its build.

    Raises
    ------
    TableError
        None of them is there.
    """
    unique = table.select(_PLACE).unique(maintain_order=True)
    found = align(unique, source.variants, options=AlleleOptions(palindromic="as_written", flips=False)).rows
    told = unique.with_columns(found["sign"], number=found["reference_row"].cast(pl.Int64)).filter(pl.col("sign") != 0)
    if unique.height and not told.height:
        raise TableError(
            f"none of {unique.height} variants of the results, such as {unique['variant_id'][0]} at "
            f"{unique['chromosome'][0]}:{unique['base_pair_location'][0]}", where=Path(source.path).name,
            allowed="the genotypes that were scanned, or others of the same build with the same alleles",
        )  # fmt: skip
    return Beside(
        table.join(told, on=_PLACE, how="inner").sort("number", maintain_order=True), unique.height - told.height
    )


@dataclass(frozen=True)
class Samples:
    """Samples of a genotype file that LD is taken from, and a line about them."""

    rows: Whole
    told: str


def samples_of(root: Path, source: GenotypeSource) -> Samples:
    """The scanned subjects where the genotype file holds them, else everybody in it."""
    file = root / "genome/samples.parquet"
    scanned = set(pl.read_parquet(file, columns=["subject"])["subject"]) if file.is_file() else set()
    inside = np.flatnonzero([name in scanned for name in source.sample_ids]).astype(np.int64)
    everybody = np.arange(len(source.sample_ids), dtype=np.int64)
    if inside.size and 2 * inside.size >= len(scanned):
        return Samples(inside, f"LD of the {inside.size:,} scanned subjects in {Path(source.path).name}")
    return Samples(everybody, f"LD of all {everybody.size:,} samples of {Path(source.path).name}, a reference")
