"""Questions to the results of a scan, answered from the few pages of the files that hold the answer."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from radiolocus.associate.dataset import chromosome_part
from radiolocus.errors import ConfigError, StoreError
from radiolocus.registry import suggest
from radiolocus.schema import empty
from radiolocus.store import BINARY

__all__ = ["Region", "home_of", "parse_region", "query", "variants_of"]


@dataclass(frozen=True)
class Region:
    """A stretch of a chromosome, both ends included; one-based."""

    chromosome: str
    start: int
    stop: int


def parse_region(text: str) -> Region:
    """Read ``19:44.9e6-45.1e6``, ``chr19:44,900,000-45,100,000``, ``19:44905000`` or ``19``.

    Raises
    ------
    ConfigError
        Anything else, or an end before the start.
    """
    found = re.fullmatch(r"(?:chr)?(\w+)(?::([\d.,e+]+)(?:-([\d.,e+]+))?)?", text.strip(), re.IGNORECASE)
    try:
        if found is None:
            raise ValueError
        start = 0 if found[2] is None else _base_pair(found[2])
        stop = 2**62 if found[2] is None else start if found[3] is None else _base_pair(found[3])
    except ValueError:
        raise ConfigError(
            f"region '{text}'", where="query", allowed="CHROMOSOME, CHROMOSOME:POSITION or CHROMOSOME:START-STOP",
            todo="write it like 19:44.9e6-45.1e6",
        ) from None  # fmt: skip
    if stop < start:
        raise ConfigError(f"region '{text}' ends before it starts", where="query")
    name = found[1].upper()
    return Region({"23": "X", "24": "Y", "M": "MT"}.get(name, name), start, stop)


def _base_pair(text: str) -> int:
    value = float(text.replace(",", ""))
    if value != int(value):
        raise ValueError
    return int(value)


def query(
    root: Path | str,
    *,
    region: Region | str | None = None,
    rsid: Sequence[str] = (),
    phenotype: Sequence[str] = (),
    p_value: float = 1.0,
) -> pl.DataFrame:
    """Rows of a scan in a region, of variants, or of phenotypes; several conditions hold at once.

    Parameters
    ----------
    root : Path or str
        Folder that :func:`radiolocus.associate.genomewide.gwas` or a study wrote.
    region : Region or str, optional
        See :func:`parse_region`.
    rsid : sequence of str
        Variant ids.
    phenotype : sequence of str
    p_value : float
        Only rows at most this large; alone it asks the whole genome.

    Returns
    -------
    polars.DataFrame
        Table ``sumstats/sumstats``, or ``sumstats/binary`` of binary phenotypes, by chromosome and position, or by
        phenotype when only phenotypes are asked for. Of a study that has both, those of the binary phenotypes stand
        behind the others, and what one of the tables does not have is null.

    Raises
    ------
    ConfigError
        No condition, a region that cannot be read, or a variant id or phenotype that the scan does not know.
    StoreError
        The folder holds no finished scan.
    """
    if region is None and not rsid and not phenotype and p_value >= 1:
        allowed = "a region, variant ids, phenotypes or a p-value below 1"
        raise ConfigError("no condition", where="query", allowed=allowed)
    scans = _finished(Path(root))
    if phenotype:
        _known_phenotypes(scans, phenotype)
        scans = [scan for scan in scans if set(phenotype) & set(_phenotypes(scan))]
    parts = [_query(scan, region, rsid, phenotype, p_value) for scan in scans]
    return parts[0] if len(parts) == 1 else pl.concat(parts, how="diagonal")


def _query(
    folder: Path, region: Region | str | None, rsid: Sequence[str], phenotype: Sequence[str], p_value: float
) -> pl.DataFrame:
    table = _table(folder)
    rule = pl.col("neg_log_10_p_value") >= -np.log10(p_value)
    if phenotype:
        rule &= pl.col("phenotype").is_in(list(phenotype))
    if region is None and not rsid and not phenotype:
        return pl.concat([empty(table), *(_read(part, rule, table) for part in _parts(folder))])
    if region is None and not rsid:
        return _read(folder / "sumstats/by_phenotype/part.parquet", rule, table)
    places = [parse_region(region) if isinstance(region, str) else region] if region is not None else None
    if rsid:
        lying = _places(folder, rsid)
        rule &= pl.col("variant_id").is_in(list(rsid))
        inside = [place for place in lying if places is None or _within(place, places[0])]
        places = inside
    parts = [_read(folder / f"{chromosome_part(p.chromosome)}.parquet", rule & _at(p), table) for p in places or []]
    return pl.concat([empty(table), *parts])


def variants_of(root: Path | str, rsid: Sequence[str]) -> pl.DataFrame:
    """Table ``sumstats/variants`` of some variant ids: whether they were analysed, and their smallest p-value."""
    folder = _finished(Path(root))[0]
    file = folder / "sumstats/variants.parquet"
    rule = pl.col("variant_id").is_in(list(rsid))
    parts = [
        _read(file, rule & (pl.col("chromosome") == place.chromosome) & _at(place), "sumstats/variants")
        for place in _places(folder, rsid)
    ]
    return pl.concat([empty("sumstats/variants"), *parts])


def home_of(root: Path | str, phenotype: str) -> Path:
    """Folder of the scan of a phenotype: that of the results, or in a study that of its binary phenotypes.

    Raises
    ------
    ConfigError
        A phenotype that no scan knows.
    StoreError
        The folder holds no finished scan.
    """
    scans = _finished(Path(root))
    _known_phenotypes(scans, [phenotype])
    return next(scan for scan in scans if phenotype in _phenotypes(scan))


def _finished(root: Path) -> list[Path]:
    """Folders of the finished scans: of the phenotypes that are measured, then of the binary ones of a study."""
    found = [
        folder
        for folder in (root, root / BINARY)
        if (folder / "sumstats/manifest.json").is_file() and (folder / "sumstats/variant_ids.parquet").is_file()
    ]
    if not found:
        raise StoreError(
            "no finished scan", where=root.name, allowed="the folder that radiolocus gwas wrote",
            todo="run radiolocus gwas to its end",
        )  # fmt: skip
    return found


def _table(folder: Path) -> str:
    """Which table the rows are."""
    options = json.loads((folder / "sumstats/options.json").read_text())
    return next((f"sumstats/{kind}" for kind in ("binary", "meta") if kind in options), "sumstats/sumstats")


def _parts(folder: Path) -> list[Path]:
    """Rows of every chromosome that has some: 1 to 22, then MT, X, XY, Y."""
    named = {part.parent.name.partition("=")[2]: part for part in folder.glob(f"{chromosome_part('*')}.parquet")}
    return [named[name] for name in sorted(named, key=lambda name: (not name.isdigit(), name.zfill(2)))]


def _read(file: Path, rule: pl.Expr, table: str) -> pl.DataFrame:
    if not file.is_file():  # a chromosome without rows
        return empty(table)
    return pl.scan_parquet(file, hive_partitioning=False).filter(rule).collect()


def _at(place: Region) -> pl.Expr:
    return pl.col("base_pair_location").is_between(place.start, place.stop)


def _within(place: Region, region: Region) -> bool:
    return place.chromosome == region.chromosome and region.start <= place.start <= region.stop


def _places(folder: Path, rsid: Sequence[str]) -> list[Region]:
    """Where variant ids lie; an id that stands more than once has several places."""
    found = _read(
        folder / "sumstats/variant_ids.parquet", pl.col("variant_id").is_in(list(rsid)), "sumstats/variant_ids"
    )
    unknown = [name for name in rsid if name not in set(found["variant_id"])]
    if unknown:
        raise ConfigError(
            f"no variant '{unknown[0]}'", where="query", allowed="an id of the genotype file",
            todo="ask for its region instead: ids change from build to build",
        )  # fmt: skip
    places = found.select("chromosome", "base_pair_location").unique(maintain_order=True)
    return [Region(chromosome, place, place) for chromosome, place in places.iter_rows()]


def _phenotypes(folder: Path) -> list[str]:
    names = pl.read_parquet(folder / "sumstats/summary.parquet", columns=["phenotype"])["phenotype"]
    return [str(name) for name in names]


def _known_phenotypes(scans: Sequence[Path], names: Sequence[str]) -> None:
    known = [name for scan in scans for name in _phenotypes(scan)]
    for name in names:
        if name not in known:
            raise ConfigError(
                f"no phenotype '{name}'", where="query", allowed=", ".join(known[:20]), todo=suggest(name, known)
            )
