"""Copy number and fusions on the subjects of the cohort: genes, scars, ploidy and partners as markers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from radiolocus.errors import ConfigError, TableError
from radiolocus.model import Array, Problem
from radiolocus.molecular.arms import ARMS, Build
from radiolocus.molecular.drivers import incidence
from radiolocus.molecular.mutations import read_each, without
from radiolocus.molecular.ploidy import measure_genome
from radiolocus.molecular.scars import scars
from radiolocus.molecular.sheet import Marker, Sheet, below
from radiolocus.read.fusions import read_fusions
from radiolocus.read.gene_copies import read_gene_copies
from radiolocus.read.maf import read_sample_list
from radiolocus.read.segments import Segments, read_segments
from radiolocus.registry import suggest

__all__ = [
    "COPY_DEFINITIONS",
    "GENOME_MARKERS",
    "CopyNumberTable",
    "FusionTable",
    "SegmentOptions",
    "add_copy_number",
    "add_fusions",
    "add_segments",
]

CopyLevel = Literal["amplification", "deep_deletion", "gain", "loss", "value"]
COPY_DEFINITIONS: dict[str, tuple[str, str]] = {
    "amplification": ("amp:", "thresholded copy number of 2 (GISTIC 2; Mermel et al. 2011, Genome Biol 12:R41)"),
    "deep_deletion": ("del:", "thresholded copy number of -2, or -1.5 in cBioPortal (Mermel et al. 2011)"),
    "gain": ("gain:", "thresholded copy number of 1 or 2 (Mermel et al. 2011)"),
    "loss": ("loss:", "thresholded copy number of -1 or less (Mermel et al. 2011)"),
    "value": ("cna:", "the number of the table as it stands"),
}
"""Level to the prefix of its markers and what makes them 1."""
GENOME_MARKERS: dict[str, tuple[str, Literal["binary", "continuous"], str, str]] = {
    "hrd_loh": (
        "loh",
        "continuous",
        "",
        "regions of loss of heterozygosity longer than 15 Mb that are not a whole chromosome (Abkevich et al. 2012)",
    ),
    "hrd_tai": (
        "tai",
        "continuous",
        "",
        "allelic imbalances that reach a telomere without crossing the centromere, in segments of 1 Mb and more; on a "
        "chromosome of mostly 3, 5, ... copies that number with both alleles is the balance (Birkbak et al. 2012)",
    ),
    "hrd_lst": (
        "lst",
        "continuous",
        "",
        "breaks within an arm between segments of 10 Mb and more less than 3 Mb apart, once segments below 3 Mb were "
        "taken out (Popova et al. 2012)",
    ),
    "hrd_sum": ("hrd_sum", "continuous", "", "hrd_loh + hrd_tai + hrd_lst (Telli et al. 2016)"),
    "ploidy": ("ploidy", "continuous", "copies", "mean copy number of the autosomes by length"),
    "wgd": (
        "doubled",
        "binary",
        "",
        "whole-genome doubling: two or more copies of the major allele in more than half of the genome (Bielski et al. "
        "2018)",
    ),
    "fraction_altered": (
        "altered",
        "continuous",
        "",
        "share of the covered autosomes gained or lost against the ploidy, rounded, or by the log2 ratio where there "
        "are no copy numbers",
    ),
    "fraction_loh": (
        "loss_of_heterozygosity",
        "continuous",
        "",
        "share of the covered autosomes without the minor allele",
    ),
    "aneuploidy": (
        "aneuploidy",
        "continuous",
        "",
        "share of the called chromosome arms that are gained or lost over 80 % and more of their length (Taylor et al. "
        "2018)",
    ),
}
"""Marker to column of ``molecular/genomes``, kind, unit and definition."""


@dataclass(frozen=True)
class SegmentOptions:
    """Copy-number segments.

    Parameters
    ----------
    path : str
        SEG, GDC, ASCAT, Sequenza, FACETS or scarHRD table; for one file a subject a pattern with ``{subject}``.
    genome : {"hg19", "hg38"}
        Build of the places; it is never guessed.
    columns : dict of str to str
        Names of the columns in the file, where they are unusual.
    log2_threshold : float
        Absolute log2 ratio from which a segment is gained or lost, where there are no copy numbers.
    """

    path: str
    genome: Build
    columns: dict[str, str] = field(default_factory=dict)
    log2_threshold: float = 0.2

    def __post_init__(self) -> None:
        if self.genome not in ARMS:
            raise ConfigError(f"genome = '{self.genome}'", where="molecular.segments", allowed=", ".join(ARMS))
        if not self.log2_threshold > 0:
            raise ConfigError(
                f"log2_threshold = {self.log2_threshold}", where="molecular.segments", allowed="more than 0"
            )


@dataclass(frozen=True)
class CopyNumberTable:
    """Copy number by gene.

    Parameters
    ----------
    path : str
        Table of GISTIC 2 or cBioPortal, genes in rows and samples in columns.
    by : tuple of {"amplification", "deep_deletion", "gain", "loss", "value"}
        Which markers a gene becomes; only ``value`` for tables of log2 ratios.
    genes : tuple of str
        Genes to use; all by default.
    """

    path: str
    by: tuple[CopyLevel, ...] = ("amplification", "deep_deletion")
    genes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for level in self.by:
            if level not in COPY_DEFINITIONS:
                raise ConfigError(f"'{level}'", where="molecular.copy_number.by", allowed=", ".join(COPY_DEFINITIONS))


@dataclass(frozen=True)
class FusionTable:
    """Gene fusions.

    Parameters
    ----------
    path : str
        Table of STAR-Fusion, Arriba or cBioPortal, or any with two columns of genes; for one file a subject a pattern
        with ``{subject}``.
    columns : dict of str to str
        Names of the columns sample, gene1, gene2 or fusion in the file, where they are unusual.
    tested : str or None
        Who was tested: one id a line, or a table with an id column. Without it those of the file alone count as tested.
    """

    path: str
    columns: dict[str, str] = field(default_factory=dict)
    tested: str | None = None


def add_segments(sheet: Sheet, options: SegmentOptions, root: Path) -> None:
    """Put scars, ploidy and aneuploidy on the sheet."""
    parts, aside = read_each(root, options.path, lambda path, who: read_segments(path, options.columns, who))
    segments = Segments(
        pl.concat([part.frame for part in parts]),
        tuple(dict.fromkeys([*(s for part in parts for s in part.samples), *aside])),
        (*(note for part in parts for note in part.notes), *(replace(p, item=who) for who, p in aside.items())),
    )
    match = sheet.join(options.path, segments.samples)
    # A sample that was set aside concerns a subject of the cohort, or nobody.
    sheet.say(
        Problem(**(asdict(note) | {"subject": match.mapping.get(str(note.item))})) if note.item else note
        for note in segments.notes
        if not note.item or note.item in match.mapping
    )
    rows = []
    for sample, subject in match.mapping.items():
        mine = segments.frame.filter(sample=sample)
        if mine.is_empty():
            continue
        genome = asdict(measure_genome(mine, options.genome, options.log2_threshold))
        alleles = bool(mine["minor"].is_not_null().any())
        found = scars(mine, options.genome) if alleles else None
        told = {"loh": found.loh, "tai": found.tai, "lst": found.lst, "hrd_sum": found.total} if found else {}
        rows.append({"subject": subject, "sample": sample} | told | genome)
    if not rows:
        return
    names = ("loh", "tai", "lst", "hrd_sum")
    table = pl.DataFrame([dict.fromkeys(names) | row for row in rows], infer_schema_length=None).sort("subject")
    table = table.with_columns(pl.col(pl.Float64).fill_nan(None))
    sheet.keep("molecular/genomes", table)
    sheet.say(_thin(table, options.path))
    for marker, (column, kind, unit, definition) in GENOME_MARKERS.items():
        values = table[column].cast(pl.Float64).fill_null(np.nan).to_numpy()
        if not np.isnan(values).all():
            aligned = sheet.spread(table["subject"].to_list(), values)
            sheet.add(Marker(marker, kind, options.path, unit, aligned, definition))


def _thin(table: pl.DataFrame, source: str) -> list[Problem]:
    thin = table.filter(pl.col("covered") < 0.8)
    if thin.is_empty():
        return []
    got = f"in {thin.height} subjects the segments cover less than 80 % of the autosomes; counts are of what is covered"
    return [Problem("molecular", got, "note", where=source, count=thin.height)]


def add_copy_number(sheet: Sheet, options: CopyNumberTable, least: int, root: Path) -> None:
    """Put copy number by gene on the sheet; binary markers of genes altered in at least `least` subjects."""
    table = read_gene_copies(below(root, options.path))
    sheet.say(note for note in table.notes if not note.item)
    discrete = [level for level in options.by if level != "value"]
    if discrete and not table.discrete:
        raise TableError(
            f"values that are not thresholded, for {', '.join(discrete)}",
            where=options.path,
            allowed="-2, -1.5, -1, 0, 1, 2",
            todo='give all_thresholded.by_genes or data_cna, or set by = ["value"]',
        )
    place = {gene: i for i, gene in enumerate(table.genes)}
    for gene in options.genes:
        if gene not in place:
            raise TableError(f"no gene '{gene}'", where=options.path, todo=suggest(gene, table.genes) or "check it")
    match = sheet.join(options.path, table.samples)
    match = without(sheet, match, {str(note.item): note for note in table.notes if note.item})
    columns = [table.samples.index(raw) for raw in match.mapping]
    subjects = list(match.mapping.values())
    for level in options.by:
        prefix, definition = COPY_DEFINITIONS[level]
        for gene in options.genes or table.genes:
            values = _level(table.values[place[gene]][columns], level)
            if level == "value" or np.nansum(values) >= least:
                kind: Literal["binary", "continuous"] = "continuous" if level == "value" else "binary"
                aligned = sheet.spread(subjects, values)
                sheet.add(Marker(f"{prefix}{gene}", kind, options.path, "", aligned, definition))


def _level(values: Array, level: CopyLevel) -> Array:
    if level == "value":
        return values
    with np.errstate(invalid="ignore"):
        met = {"amplification": values >= 2, "deep_deletion": values <= -1.5, "gain": values >= 1, "loss": values <= -1}
    return np.where(np.isnan(values), np.nan, met[level])


def add_fusions(sheet: Sheet, options: FusionTable, least: int, root: Path) -> None:
    """Put fusions on the sheet: a marker for every gene and every pair that `least` subjects have."""
    parts, aside = read_each(root, options.path, lambda path, who: read_fusions(path, options.columns, who))
    sheet.say(note for part in parts for note in part.notes)
    frame = pl.concat([part.frame for part in parts])
    samples = dict.fromkeys([*(s for part in parts for s in part.samples), *aside])
    found = tuple(samples)
    if options.tested is not None:
        samples |= dict.fromkeys(read_sample_list(below(root, options.tested)))
    match = without(sheet, sheet.join(options.path, samples, several=True, measured=found), aside)
    subject = pl.col("sample").replace_strict(match.mapping, default=None, return_dtype=pl.String)
    rows = frame.with_columns(subject=subject).drop_nulls("subject")
    sheet.keep("molecular/fusions", rows.select("subject", "gene1", "gene2").unique().sort("subject", "gene1", "gene2"))
    subjects = sorted(set(match.mapping.values()))
    pair = rows.filter((pl.col("gene1") != "") & (pl.col("gene2") != ""))
    named = pair.select(item=pl.concat_str("gene1", pl.lit("::"), "gene2"), subject="subject")
    single = [rows.select(item=g, subject="subject").filter(pl.col("item") != "") for g in ("gene1", "gene2")]
    for items, definition in (
        (pl.concat(single), "a fusion of the gene with any other"),
        (named, "this fusion, the gene of the 5′ end first (Bruford et al. 2021)"),
    ):
        counted, _ = incidence(items.unique().sort("item", "subject"), subjects, least)
        _add(sheet, counted, subjects, options.path, definition)


def _add(sheet: Sheet, found: pl.DataFrame, subjects: Iterable[str], source: str, definition: str) -> None:
    for item in found.columns[1:]:
        values = sheet.spread(subjects, found[item].to_numpy())
        sheet.add(Marker(f"fus:{item}", "binary", source, "", values, definition))
