"""Scoring files of the PGS Catalog: a header of ``#name=value`` lines and a table of variants with weights."""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from radiolocus.errors import FormatError
from radiolocus.read.genotypes import chromosome_names
from radiolocus.store import write_bytes

__all__ = ["ScoreFile", "read_score_file", "write_score_file"]

_TITLE = (
    "###PGS CATALOG SCORING FILE - see https://www.pgscatalog.org/downloads/#dl_ftp_scoring for additional information"
)
_INFORMATION = (
    "pgs_id",
    "pgs_name",
    "trait_reported",
    "trait_mapped",
    "trait_efo",
    "genome_build",
    "variants_number",
    "weight_type",
)
_SOURCE = ("pgp_id", "citation", "license")
_FLAGS = ("is_haplotype", "is_diplotype", "is_interaction", "is_dominant", "is_recessive")


@dataclass(frozen=True, eq=False)
class ScoreFile:
    """A polygenic score.

    Parameters
    ----------
    table : polars.DataFrame
        Columns variant_id, chromosome, base_pair_location (null where the file does not say), effect_allele,
        other_allele (null where unknown), effect_allele_frequency (null) and effect_weight.
    header : mapping
        What stands in the header, by name.
    notes : tuple of str
        What a person should know: rows that are not additive, positions that were harmonised.
    """

    table: pl.DataFrame
    header: Mapping[str, str]
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its PGS id, else its name, else ``score``."""
        known = (self.header.get(key, "") for key in ("pgs_id", "pgs_name"))
        return next((value for value in known if value not in ("", "NR", "NA")), "score")

    @property
    def build(self) -> str:
        """Genome build of the positions."""
        return self.header.get("HmPOS_build") or self.header.get("genome_build", "NR")


def read_score_file(path: Path | str) -> ScoreFile:
    """Read a scoring file of the PGS Catalog, format 2.0 (or 1.0), plain or gzipped.

    Parameters
    ----------
    path : Path or str
        Tab-separated, with at least effect_allele, effect_weight, and rsID or chr_name and chr_position. Of a
        harmonised file hm_rsID, hm_chr and hm_pos are taken, and hm_inferOtherAllele where it names one allele.

    Returns
    -------
    ScoreFile
        Rows that are no additive effect of one allele (haplotypes, interactions, dominance, weights by dosage), and
        rows without a place in the harmonised build, are left out, and counted in the notes.

    Raises
    ------
    FormatError
        No such file, a column that is missing, or a weight that is no number.
    """
    file = Path(path)
    if not file.is_file():
        raise FormatError("no such file", where=str(file), todo="correct the path")
    data = file.read_bytes()
    try:
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise FormatError(
            f"not a text file ({error})", where=file.name, allowed="a scoring file, .txt or .txt.gz"
        ) from None
    lines = text.splitlines(keepends=True)
    first = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    header = dict(line[1:].strip().split("=", 1) for line in lines[:first] if "=" in line and line[1:2] != "#")
    body = "".join(lines[first:])
    if not body.strip():
        raise FormatError("no table", where=file.name, allowed="a row of column names, then one row a variant")
    rows = pl.read_csv(io.StringIO(body), separator="\t", infer_schema=False, null_values=["", "NA", "None"])
    return _scored(rows, header, file.name, first)


def _scored(rows: pl.DataFrame, header: dict[str, str], where: str, first: int) -> ScoreFile:
    columns = set(rows.columns)
    named = "rsID" in columns or {"chr_name", "chr_position"} <= columns or {"hm_chr", "hm_pos"} <= columns
    if "effect_allele" not in columns or "effect_weight" not in columns or not named:
        raise FormatError(
            f"columns {', '.join(rows.columns[:10])}", where=where,
            allowed="effect_allele, effect_weight, and rsID or chr_name and chr_position",
            todo="weights by dosage (dosage_0_weight, ...) are not additive and cannot be used"
            if "dosage_0_weight" in columns
            else "write a scoring file of the PGS Catalog, format 2.0",
        )  # fmt: skip
    rows = rows.with_row_index("line", first + 2)
    notes = []
    flags = [
        pl.col(flag).str.to_lowercase().is_in(["true", "1"]).fill_null(value=False)
        for flag in _FLAGS
        if flag in columns
    ]
    additive = rows.filter(~pl.any_horizontal(flags)) if flags else rows
    if additive.height < rows.height:
        notes.append(f"{where}: {rows.height - additive.height:,} rows that are no additive effect are left out")
    harmonised = {"hm_chr", "hm_pos"} <= columns
    if harmonised:
        placed = additive.filter(pl.col("hm_chr").is_not_null() & pl.col("hm_pos").is_not_null())
        notes.append(
            f"{where}: positions harmonised to {header.get('HmPOS_build', 'an unnamed build')}"
            + (
                f"; {additive.height - placed.height:,} rows without one are left out"
                * (placed.height < additive.height)
            )
        )
        additive = placed
    weight = additive["effect_weight"].cast(pl.Float64, strict=False)
    bad = (~weight.is_finite().fill_null(value=False)).arg_true()
    if bad.len():
        row = int(bad[0])
        raise FormatError(
            f"'{additive['effect_weight'][row]}'", where=f"{where}, line {additive['line'][row]}, effect_weight",
            allowed="a number",
        )  # fmt: skip
    return ScoreFile(_columns(additive, harmonised).with_columns(weight.alias("effect_weight")), header, tuple(notes))


def _columns(rows: pl.DataFrame, harmonised: bool) -> pl.DataFrame:
    there = set(rows.columns)

    def first(*names: str) -> pl.Expr:
        known = [pl.col(name) for name in names if name in there]
        return pl.coalesce(known) if known else pl.lit(None, pl.String)

    inferred = first("hm_inferOtherAllele")
    # "A/C" names several candidates: none of them is known
    alone = pl.when(inferred.str.contains(r"^[ACGT]+$")).then(inferred)
    return rows.select(
        variant_id=first("hm_rsID", "rsID"),
        chromosome=chromosome_names(first("hm_chr") if harmonised else first("chr_name")),
        base_pair_location=(first("hm_pos") if harmonised else first("chr_position")).cast(pl.Int64, strict=False),
        effect_allele=pl.col("effect_allele").str.to_uppercase(),
        other_allele=pl.coalesce(first("other_allele", "reference_allele"), alone).str.to_uppercase(),
        effect_allele_frequency=first("allelefrequency_effect").cast(pl.Float64, strict=False),
    )


def write_score_file(table: pl.DataFrame, out: Path | str, header: Mapping[str, str]) -> Path:
    """Write a scoring file of the PGS Catalog, format 2.0; gzipped when `out` ends in .gz.

    Parameters
    ----------
    table : polars.DataFrame
        Columns of :class:`ScoreFile`; ``effect_allele_frequency`` may be absent.
    out : Path or str
    header : mapping
        ``pgs_name``, ``trait_reported``, ``genome_build``, ``weight_type``, ``citation`` and what else is known; NR
        stands where nothing is.
    """
    known = {**dict.fromkeys(_INFORMATION, "NR"), **header, "variants_number": str(table.height)}
    lines = [_TITLE, "#format_version=2.0", "##POLYGENIC SCORE (PGS) INFORMATION"]
    lines += [f"#{name}={_line(known[name])}" for name in _INFORMATION]
    lines += ["##SOURCE INFORMATION", *(f"#{name}={_line(known.get(name, 'NR'))}" for name in _SOURCE)]
    more = [name for name in known if name not in {*_INFORMATION, *_SOURCE}]
    lines += [f"#{name}={_line(known[name])}" for name in more]
    columns = {
        "rsID": "variant_id", "chr_name": "chromosome", "chr_position": "base_pair_location",
        "effect_allele": "effect_allele", "other_allele": "other_allele", "effect_weight": "effect_weight",
    }  # fmt: skip
    if "effect_allele_frequency" in table.columns and table["effect_allele_frequency"].null_count() < table.height:
        columns["allelefrequency_effect"] = "effect_allele_frequency"
    body = table.select(**{new: pl.col(old) for new, old in columns.items()}).write_csv(separator="\t", null_value="")
    data = ("\n".join(lines) + "\n" + body).encode()
    file = Path(out)
    write_bytes(file, gzip.compress(data, mtime=0) if file.suffix == ".gz" else data)
    return file


def _line(value: str) -> str:
    """A value that stays on its line."""
    return " ".join(str(value).split()) or "NR"
