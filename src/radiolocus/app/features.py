"""Features of one image and one region, for ``radiolocus features``: computed, shown, and written with their origin."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from radiolocus.errors import ConfigError, RadiolocusError
from radiolocus.feature.extract import dictionary, extract
from radiolocus.feature.settings import FeatureSettings
from radiolocus.model import Problem
from radiolocus.read.imaging import read_pair
from radiolocus.read.options import ReadOptions
from radiolocus.store import Fingerprints, versions, write_bytes

__all__ = ["FORMATS", "PairFeatures", "check_name", "features_of_pair", "input_hashes", "lines", "write"]

FORMATS = (".csv", ".parquet", ".json")


@dataclass(frozen=True, eq=False)
class PairFeatures:
    """Features of one region.

    Parameters
    ----------
    table : polars.DataFrame
        One row a feature: feature, name, ibsi_id, family, aggregation, value (null where there is none), unit, and the
        reason why there is no value.
    notes : tuple of str
        What a person should know about the image, the mask and their processing.
    origin : dict
        Settings, versions, names and hashes of the inputs, diagnostics: what it takes to compute the same again.
    """

    table: pl.DataFrame
    notes: tuple[str, ...]
    origin: dict[str, Any]

    @property
    def without_value(self) -> int:
        """Number of features without value."""
        return self.table["value"].null_count()


def features_of_pair(
    image: Path,
    mask: Path,
    settings: FeatureSettings,
    *,
    roi: str | None = None,
    modality: str = "",
    reading: ReadOptions | None = None,
) -> PairFeatures:
    """Read an image with a mask and take the features of the region.

    Parameters
    ----------
    image, mask : Path
    settings : FeatureSettings
    roi, modality, reading : optional
        See :func:`radiolocus.read.imaging.read_pair`.

    Returns
    -------
    PairFeatures

    Raises
    ------
    InputError
        The image, the mask, or the two together cannot be used.
    """
    volume, region = read_pair(image, mask, roi=roi, modality=modality, options=reading)
    try:
        extraction = extract(volume, region, settings)
    except RadiolocusError as error:
        raise error.at(f"{image.name}, {mask.name}") from None
    reasons = {p.item: _reason(p) for p in extraction.problems if p.severity == "no value"}
    table = dictionary(settings).with_columns(
        pl.col("feature").replace_strict(extraction.values, return_dtype=pl.Float64()).alias("value"),
        pl.struct("feature", "unit").map_elements(lambda r: _unit(r, volume.unit), pl.String()).alias("unit"),
        pl.col("feature").replace_strict(reasons, default=None, return_dtype=pl.String()).alias("reason"),
    )
    told = tuple(p.got for p in extraction.problems if p.severity == "note")
    origin = {
        "image": image.name,
        "mask": mask.name,
        "roi": roi or region.name,
        "modality": volume.modality,
        "unit": volume.unit,
        "settings": asdict(settings),
        "reading": asdict(reading or ReadOptions()),
        "versions": versions(),
        "input_hash": input_hashes(image, mask),
        "diagnostics": extraction.diagnostics,
        "notes": [*volume.notes, *region.notes, *told],
    }
    order = ("feature", "name", "ibsi_id", "family", "aggregation", "value", "unit", "reason")
    return PairFeatures(table.select(order), tuple(origin["notes"]), origin)


def input_hashes(image: Path, mask: Path) -> dict[str, str]:
    """SHA-256 of the image and the mask, each a file or all files of a folder."""
    prints = Fingerprints(image.parent)
    return {"image": prints.of(image), "mask": prints.of(mask)}


def _reason(problem: Problem) -> str:
    more = [("allowed", problem.allowed), ("what to do", problem.todo)]
    return "; ".join([problem.got, *(f"{key}: {text}" for key, text in more if text)])


def _unit(row: dict[str, str], unit: str) -> str:
    # A response map (its columns begin with the name of a filter and a dot) has no unit of its own.
    if not unit or "." in row["feature"] or "intensity" not in row["unit"]:
        return row["unit"]
    alone = row["unit"] == "intensity" or unit.isalpha()
    return row["unit"].replace("intensity", unit if alone else f"({unit})")


def lines(found: PairFeatures) -> list[str]:
    """Return the table for a person, and below it why features have no value, each reason once."""
    shown = found.table.select(
        "feature",
        "name",
        "ibsi_id",
        pl.col("value").map_elements(lambda v: f"{v:.10g}", pl.String()).fill_null("—"),
        "unit",
    )
    rows = [("feature", "name", "IBSI id", "value", "unit"), *shown.iter_rows()]
    width = [max(len(row[k]) for row in rows) for k in range(5)]
    right = 3
    text = [
        "  ".join(
            cell.rjust(w) if k == right else cell.ljust(w) for k, (cell, w) in enumerate(zip(row, width, strict=True))
        )
        for row in rows
    ]
    missing = found.table.filter(pl.col("value").is_null())
    reasons = missing.group_by("reason", maintain_order=True).agg("feature")
    told = [f"no value  {', '.join(row['feature'])}: {row['reason']}" for row in reasons.iter_rows(named=True)]
    return [line.rstrip() for line in text] + ([""] if told else []) + told


def check_name(file: Path) -> None:
    """Refuse a name that says no known format, before anything is computed."""
    if file.suffix.lower() not in FORMATS:
        raise ConfigError(f"--out {file.name}", allowed=f"a name that ends in {', '.join(FORMATS)}")


def write(file: Path, found: PairFeatures) -> list[Path]:
    """Write the table whole or not at all, with its origin.

    Parquet carries the origin in its metadata (key ``radiolocus``), JSON beside the features; CSV, which has no place
    for it, gets ``FILE.csv.json`` next to it.

    Parameters
    ----------
    file : Path
        Ends in ``.csv``, ``.parquet`` or ``.json``.
    found : PairFeatures

    Returns
    -------
    list of Path
        What was written.
    """
    check_name(file)
    data = _WRITERS[file.suffix.lower()](found)
    written = {file: data}
    if file.suffix.lower() == ".csv":
        written[file.with_name(f"{file.name}.json")] = _json(found.origin)
    for path, content in written.items():
        write_bytes(path, content)
    return list(written)


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _parquet(found: PairFeatures) -> bytes:
    table = found.table.to_arrow()
    origin = json.dumps(found.origin, ensure_ascii=False, allow_nan=False)
    table = table.replace_schema_metadata({"radiolocus": origin})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", version="2.6")
    return buffer.getvalue()


_WRITERS: dict[str, Callable[[PairFeatures], bytes]] = {
    ".csv": lambda found: found.table.write_csv().encode(),
    ".parquet": _parquet,
    ".json": lambda found: _json({**found.origin, "features": found.table.to_dicts()}),
}
