"""Tables of variants by sample: circulating tumour DNA, or several biopsies of one tumour.

One row a variant and sample. A subject whose rows contradict each other is set aside with the place of the first
contradiction; the others go on. Fractions are read, never guessed: a fraction above 1 is refused unless the unit says
percent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

import polars as pl

from radiolocus.errors import ConfigError, TableError
from radiolocus.model import Problem
from radiolocus.read.clinical import read_table
from radiolocus.read.lesion_screen import NUMBER, Screen
from radiolocus.registry import suggest

__all__ = ["VARIANT_COLUMNS", "VariantColumns", "VariantTable", "read_variants"]

VARIANT_COLUMNS = {
    "subject": pl.String(),
    "sample": pl.String(),
    "day": pl.Float64(),
    "is_base": pl.Boolean(),
    "variant": pl.String(),
    "gene": pl.String(),
    "change": pl.String(),
    "alt_reads": pl.Int64(),
    "depth": pl.Int64(),
    "vaf": pl.Float64(),
    "limit": pl.Float64(),
    "purity": pl.Float64(),
    "copies": pl.Float64(),
    "minor_copies": pl.Float64(),
    "normal_copies": pl.Float64(),
}
"""Columns of a variant table; ``is_base`` marks the rows of the baseline sample, ``change`` is the protein change or
the place with its alleles."""

_NUMBERS = ("alt_reads", "depth", "vaf", "limit", "purity", "copies", "minor_copies", "normal_copies")
_PLACE = ("chromosome", "position", "reference", "alternate")
_DATE = r"^\d{4}-\d{2}-\d{2}"


@dataclass(frozen=True)
class VariantColumns:
    """Where a variant table keeps what; only subject, day, and a variant with reads or a fraction must be there.

    Parameters
    ----------
    subject : str
        Column of subject ids.
    sample : str
        Column of sample labels; without it the day names the sample.
    day : str
        Column of days (numbers, 0 is the start of treatment) or dates (YYYY-MM-DD).
    gene : str
        Column of gene symbols.
    change : str
        Column of protein changes, e.g. p.T790M.
    chromosome, position, reference, alternate : str
        Columns of the place and alleles; where there is no protein change they name the variant.
    alt_reads : str
        Column of reads (or molecules) with the variant.
    depth : str
        Column of all reads (or molecules) there.
    vaf : str
        Column of variant allele fractions.
    limit : str
        Column of limits of detection, as fractions in the unit of `vaf`.
    purity : str
        Column of tumour purities of the sample, 0 to 1.
    copies : str
        Column of total copy numbers of the tumour there.
    minor_copies : str
        Column of copy numbers of the less frequent allele.
    normal_copies : str
        Column of copy numbers of normal cells; 2 where absent.
    baseline : str
        Label of the baseline sample, whatever its case; a subject without it has its baseline at the last sample up to
        day 0.
    vaf_unit : {"fraction", "percent"}
        Unit of `vaf` and `limit`.
    sheet : str
        Sheet of a workbook; default the first.
    """

    subject: str = "subject"
    sample: str = "sample"
    day: str = "day"
    gene: str = "gene"
    change: str = "change"
    chromosome: str = "chromosome"
    position: str = "position"
    reference: str = "reference"
    alternate: str = "alternate"
    alt_reads: str = "alt_reads"
    depth: str = "depth"
    vaf: str = "vaf"
    limit: str = "limit"
    purity: str = "purity"
    copies: str = "copies"
    minor_copies: str = "minor_copies"
    normal_copies: str = "normal_copies"
    baseline: str = "baseline"
    vaf_unit: Literal["fraction", "percent"] = "fraction"
    sheet: str = ""

    def __post_init__(self) -> None:
        if self.vaf_unit not in ("fraction", "percent"):
            raise ConfigError(f"vaf_unit = '{self.vaf_unit}'", allowed="fraction, percent")
        named = [getattr(self, f.name) for f in fields(self)[:17]]
        twice = sorted({n for n in named if named.count(n) > 1})
        if twice:
            raise ConfigError(f"column '{twice[0]}' named for two things", allowed="each column for one thing")


@dataclass(frozen=True, eq=False)
class VariantTable:
    """Variants that can be used, and what was set aside.

    Parameters
    ----------
    frame : polars.DataFrame
        Columns of :data:`VARIANT_COLUMNS`, sorted by subject, day and variant.
    problems : tuple of Problem
    subjects : tuple of str
        All subjects of the file, the ones set aside included.
    """

    frame: pl.DataFrame
    problems: tuple[Problem, ...]
    subjects: tuple[str, ...]


def read_variants(path: Path | str, columns: VariantColumns | None = None) -> VariantTable:
    """Read variants by sample from CSV, TSV, XLSX or Parquet.

    Parameters
    ----------
    path : Path or str
    columns : VariantColumns, optional
        Names of the columns.

    Raises
    ------
    TableError
        No such file or column.

    Notes
    -----
    A subject is set aside for: an empty sample, day or variant; a number that is none; a fraction, limit or purity
    outside 0 to 1; more variant reads than reads; a fraction that its reads contradict; a variant with neither reads
    nor fraction; a minor copy number above half the total; dates and numbers of days mixed; two days of one sample;
    two samples of one day; two purities of one sample; a variant twice in a sample; no baseline.
    """
    names = columns or VariantColumns()
    told = [getattr(names, f.name) for f in fields(names)[:17]]
    table = read_table(path, sheet=names.sheet or None, id_column=names.subject, text=told[1:])
    _need(table.frame.columns, names, table.source)
    screen = Screen(_canonical(table.frame, table.row_number, names), table.source, ("variant", "sample"))
    screen.problems += [replace(p, stage="response") for p in table.problems]
    nameless = int(screen.frame["subject"].null_count())
    if nameless:
        screen.note(f"{nameless} rows without a subject were left out", count=nameless)
        screen.frame = screen.frame.drop_nulls("subject")
    subjects = tuple(screen.frame["subject"].unique().sort().to_list())
    _screen_numbers(screen)
    _screen_fractions(screen, 100.0 if names.vaf_unit == "percent" else 1.0)
    _screen_days(screen, names.baseline.strip().lower())
    screen.aside(
        pl.len().over("subject", "sample", "variant") > 1,
        "the same variant twice in one sample",
        "one row a variant and sample",
        "keep one row, or name place and alleles so that the variants differ",
    )
    frame = screen.frame.select(pl.col(c).cast(t) for c, t in VARIANT_COLUMNS.items())
    return VariantTable(frame.sort("subject", "day", "variant"), tuple(screen.problems), subjects)


def _need(there: Sequence[str], names: VariantColumns, source: str) -> None:
    reads = names.alt_reads in there and names.depth in there
    for missing, allowed in (
        (names.day if names.day not in there else "", "a day or a date in every row"),
        (
            names.change if names.change not in there and not {getattr(names, p) for p in _PLACE} <= set(there) else "",
            "a protein change, or chromosome, position, reference and alternate",
        ),
        (names.vaf if names.vaf not in there and not reads else "", "variant reads and depth, or a fraction"),
    ):
        if missing:
            raise TableError(
                f"no column '{missing}'", where=source, allowed=allowed,
                todo=suggest(missing, list(there)) or "name the column",
            )  # fmt: skip


def _canonical(rows: pl.DataFrame, row_number: Sequence[int], names: VariantColumns) -> pl.DataFrame:
    def text(field: str) -> pl.Expr:
        column = getattr(names, field)
        if column not in rows.columns:
            return pl.lit(None, pl.String).alias(field)
        return pl.col(column).cast(pl.String).str.strip_chars().alias(field)

    named = ("subject", "sample", "gene", "change", *_PLACE)
    frame = rows.select(
        pl.Series("row", row_number, dtype=pl.Int64),
        *(text(n) for n in named),
        text("day").alias("when"),
        *(text(n).alias(f"said_{n}") for n in _NUMBERS),
    )
    place = pl.format("{}:{} {}>{}", *_PLACE)
    # A sample without label is named by its day; a variant without protein change by its place.
    told = pl.when(pl.col("change").is_null()).then(place).otherwise(pl.col("change")).alias("change")
    frame = frame.with_columns(
        pl.col("sample") if names.sample in rows.columns else pl.format("day {}", "when").alias("sample"),
        told,
        place.alias("place"),
    ).with_columns(pl.concat_str("gene", "change", separator=" ", ignore_nulls=True).alias("variant"))
    # Two changes of the DNA may make the same protein: then the place tells them apart.
    several = pl.col("place").n_unique().over("subject", "variant") > 1
    apart = several & pl.col("place").is_not_null() & (pl.col("change") != pl.col("place"))
    label = pl.when(apart).then(pl.format("{} ({})", "variant", "place")).otherwise(pl.col("variant"))
    empty = pl.col("change").is_null()
    return frame.with_columns(pl.when(empty).then(None).otherwise(label).alias("variant"))


def _screen_numbers(screen: Screen) -> None:
    for field, what in (("sample", "sample"), ("variant", "variant"), ("when", "day")):
        screen.aside(pl.col(field).is_null(), f"an empty {what}", f"a {what} in every row", "fill the cell")
    for name in _NUMBERS:
        said = pl.col(f"said_{name}")
        screen.aside(
            said.is_not_null() & ~said.str.contains(NUMBER),
            pl.format("{} '{}'", pl.lit(name), said),
            "a number",
            "correct the cell, or leave it empty",
        )
        valid = pl.when(pl.col(f"said_{name}").str.contains(NUMBER)).then(pl.col(f"said_{name}"))
        screen.frame = screen.frame.with_columns(valid.cast(pl.Float64, strict=False).alias(name))
    for name in ("alt_reads", "depth"):
        value = pl.col(name)
        screen.aside(
            (value < 0) | (value != value.round()),
            pl.format("{} {}", pl.lit(name), f"said_{name}"),
            "a whole number of reads, 0 or more",
            "correct the count",
        )


def _screen_fractions(screen: Screen, unit: float) -> None:
    screen.frame = screen.frame.with_columns(pl.col("vaf") / unit, pl.col("limit") / unit)
    for name in ("vaf", "limit", "purity"):
        screen.aside(
            ~pl.col(name).is_between(0, 1),
            pl.format("{} {}", pl.lit(name), f"said_{name}"),
            "0 to 1" if unit == 1 or name == "purity" else "0 to 100 %",
            "correct the cell" if unit != 1 else 'correct the cell, or set vaf_unit = "percent"',
        )
    alt, depth, vaf = pl.col("alt_reads"), pl.col("depth"), pl.col("vaf")
    screen.aside(
        alt > depth,
        pl.format("{} variant reads of {}", "said_alt_reads", "said_depth"),
        "at most as many variant reads as reads",
        "correct the counts",
    )
    screen.aside(
        vaf.is_null() & (alt.is_null() | depth.is_null()),
        "neither variant reads with depth nor a fraction",
        "one of them in every row; 0 where a variant was looked for and not found",
        "fill the cells, or leave the row out",
    )
    # Fractions are printed with few digits: half a percentage point or half a read is no contradiction.
    screen.aside(
        (vaf - alt / depth).abs() > pl.max_horizontal(pl.lit(0.005), 0.5 / depth),
        pl.format("a fraction of {} with {} of {} reads", "said_vaf", "said_alt_reads", "said_depth"),
        "reads and a fraction that agree",
        "correct one of them, or set vaf_unit",
    )
    share = pl.when(depth > 0).then(alt / depth)
    screen.frame = screen.frame.with_columns(
        pl.coalesce(alt, (vaf * depth).round()).alias("alt_reads"), pl.coalesce(share, vaf).alias("vaf")
    )
    screen.aside(
        pl.col("purity").drop_nulls().n_unique().over("subject", "sample") > 1,
        pl.format("sample '{}' with several purities", "sample"),
        "one purity a sample",
        "correct the purity",
    )
    for name in ("copies", "minor_copies", "normal_copies"):
        screen.aside(
            pl.col(name) < 0, pl.format("{} {}", pl.lit(name), f"said_{name}"), "0 or more", "correct the copy number"
        )
    screen.aside(
        pl.col("minor_copies") * 2 > pl.col("copies"),
        pl.format("{} minor of {} copies", "said_minor_copies", "said_copies"),
        "a minor copy number of at most half the total",
        "correct the copy numbers",
    )


def _screen_days(screen: Screen, baseline: str) -> None:
    when = pl.col("when")
    dated = when.str.contains(_DATE)
    screen.frame = screen.frame.with_columns(
        pl.when(dated)
        .then(when.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False).cast(pl.Int32).cast(pl.Float64))
        .otherwise(pl.when(when.str.contains(NUMBER)).then(when).cast(pl.Float64, strict=False))
        .alias("day"),
        dated.alias("dated"),
        (pl.col("sample").str.to_lowercase() == baseline).alias("is_base"),
    )
    screen.aside(
        pl.col("day").is_null(),
        pl.format("day '{}'", "when"),
        "a number of days or a date YYYY-MM-DD",
        "correct the day",
    )
    screen.aside(
        pl.col("dated").n_unique().over("subject") > 1,
        "dates and numbers of days in one subject",
        "one of them",
        "write all days in one way",
    )
    screen.aside(
        pl.col("day").n_unique().over("subject", "sample") > 1,
        pl.format("sample '{}' on several days", "sample"),
        "one day a sample",
        "correct the days, or label the samples apart",
    )
    screen.aside(
        pl.col("sample").n_unique().over("subject", "day") > 1,
        pl.format("two samples of one day, one of them '{}'", "sample"),
        "one sample a day",
        "give the day or the sample that is meant",
    )
    labelled = pl.col("is_base").any().over("subject")
    last = pl.col("day").filter((pl.col("day") <= 0) & ~pl.col("dated")).max().over("subject")
    screen.frame = screen.frame.with_columns(
        pl.when(labelled).then(pl.col("is_base")).otherwise(pl.col("day") == last).fill_null(False).alias("is_base")
    )
    screen.aside(
        ~pl.col("is_base").any().over("subject"),
        "no baseline sample",
        f"a sample labelled '{baseline}', or numbers of days with a sample up to day 0",
        "name the label of the baseline sample",
    )
    start = pl.col("day").filter("is_base").first().over("subject")
    screen.frame = screen.frame.with_columns(
        pl.when("dated").then(pl.col("day") - start).otherwise(pl.col("day")).alias("day")
    )
