"""Alterations of a tumour as markers: genes, loss of function, hotspots, protein changes and pathways.

Nonsynonymous classes are those of :mod:`radiolocus.molecular.drivers`. Loss of function are nonsense, frameshift and
essential splice-site variants (MacArthur et al. 2012, Science 335:823). A hotspot is a residue at which missense or
in-frame changes recur, in the subjects of this study or in a list that the study supplies (Chang et al. 2016, Nat
Biotechnol 34:155, whose test needs the background of a large cohort and is not made here).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from radiolocus.errors import ConfigError, TableError
from radiolocus.model import Problem
from radiolocus.molecular.drivers import NONSYNONYMOUS, OTHER_CLASSES, nonsynonymous
from radiolocus.read.clinical import read_table
from radiolocus.read.genesets import read_gene_sets
from radiolocus.schema import TABLES

__all__ = ["DEFINITIONS", "DriverOptions", "Level", "alterations", "described", "read_hotspots", "read_pathways"]

Level = Literal["gene", "loss_of_function", "hotspot", "variant", "pathway"]
LEVELS: tuple[Level, ...] = ("gene", "loss_of_function", "hotspot", "variant", "pathway")
DEFINITIONS: dict[str, tuple[str, str]] = {
    "gene": ("mut:", "a nonsynonymous variant of the gene (nine MAF classes; Mayakonda et al. 2018)"),
    "loss_of_function": ("lof:", "a nonsense, frameshift or essential splice-site variant (MacArthur et al. 2012)"),
    "hotspot": ("hot:", "a missense or in-frame variant at a recurrent or listed residue (after Chang et al. 2016)"),
    "variant": ("var:", "this protein change, by a nonsynonymous variant"),
    "pathway": ("path:", "a nonsynonymous variant of any gene of the set"),
}
"""Level to the prefix of its markers and what makes them 1."""
LOSS_OF_FUNCTION = ("Frame_Shift_Del", "Frame_Shift_Ins", "Nonsense_Mutation", "Splice_Site")
AT_A_RESIDUE = ("Missense_Mutation", "In_Frame_Del", "In_Frame_Ins")


@dataclass(frozen=True)
class DriverOptions:
    """Which markers the mutations become.

    Parameters
    ----------
    by : tuple of {"gene", "loss_of_function", "hotspot", "variant", "pathway"}
        Levels; a marker each for every gene, residue class, protein change or set that is frequent enough.
    genes : tuple of str
        Genes that are looked at, such as those of a panel; all by default.
    hotspots : str or None
        Table of hotspots: columns gene and residue (R132, or the protein change). Without it a residue is a hotspot
        that is changed in at least `hotspot_min` subjects of the mutation file.
    hotspot_min : int
        Subjects with a change at the residue.
    pathways : str or None
        Gene sets: a GMT file, or a table with the columns pathway and gene.
    """

    by: tuple[Level, ...] = ("gene",)
    genes: tuple[str, ...] = ()
    hotspots: str | None = None
    hotspot_min: int = 3
    pathways: str | None = None

    def __post_init__(self) -> None:
        for level in self.by:
            if level not in LEVELS:
                raise ConfigError(f"'{level}'", where="molecular.drivers.by", allowed=", ".join(LEVELS))
        if ("pathway" in self.by) != (self.pathways is not None):
            raise ConfigError(
                "by = pathway without pathways" if self.pathways is None else "pathways without by = pathway",
                where="molecular.drivers",
                todo='give both: by = ["pathway"], pathways = "sets.gmt"',
            )
        if self.hotspot_min < 2:
            raise ConfigError(f"{self.hotspot_min}", where="molecular.drivers.hotspot_min", allowed="at least 2")


def described(
    maf: pl.DataFrame, subject_of: Mapping[str, str], hotspots: frozenset[str] | None, hotspot_min: int, where: str = ""
) -> tuple[pl.DataFrame, tuple[Problem, ...]]:
    """Say of every variant of a MAF whose it is and what it does.

    Parameters
    ----------
    maf : polars.DataFrame
        As :func:`radiolocus.read.maf.read_maf` gives it.
    subject_of : mapping of str to str
        Subject of each barcode; the variants of other barcodes count for the recurrence of a residue only.
    hotspots : frozenset of str or None
        Residues such as ``IDH1 R132``; None for the recurrent ones.
    hotspot_min : int

    Returns
    -------
    polars.DataFrame
        Columns of ``molecular/mutations``.
    """
    numbered = maf.with_row_index("row")
    kept, problems = nonsynonymous(numbered, where)
    have = set(maf.columns)
    change = pl.col("HGVSp_Short").fill_null("") if "HGVSp_Short" in have else pl.lit("")
    subject = pl.col("Tumor_Sample_Barcode").replace_strict(dict(subject_of), default=None, return_dtype=pl.String)
    names = {name.casefold(): name for name in (*NONSYNONYMOUS, *OTHER_CLASSES)}
    classed = pl.col("Variant_Classification")
    frame = numbered.with_columns(
        subject=subject,
        nonsynonymous=pl.col("row").is_in(kept["row"].implode()),
        variant_class=classed.str.to_lowercase().replace_strict(names, default=classed),
        protein_change=change.str.strip_chars(),
    )
    residue = pl.col("protein_change").str.extract(r"^p\.\(?([A-Z*]\d+)")
    frame = frame.with_columns(
        residue=pl.when(residue.is_not_null()).then(pl.concat_str("Hugo_Symbol", pl.lit(" "), residue)),
        loss_of_function=pl.col("nonsynonymous") & pl.col("variant_class").is_in(LOSS_OF_FUNCTION),
    )
    at_residue = pl.col("nonsynonymous") & pl.col("variant_class").is_in(AT_A_RESIDUE) & pl.col("residue").is_not_null()
    if hotspots is None:
        person = pl.coalesce("subject", "Tumor_Sample_Barcode")
        frequent = (
            frame.filter(at_residue).group_by("residue").agg(n=person.n_unique()).filter(pl.col("n") >= hotspot_min)
        )
        hotspots = frozenset(frequent["residue"].to_list())
    frame = frame.with_columns(hotspot=at_residue & pl.col("residue").is_in(sorted(hotspots)).fill_null(value=False))
    number = {"start": "Start_Position", "depth": "t_depth", "alternative_reads": "t_alt_count"}
    text = {
        "chromosome": "Chromosome",
        "reference_allele": "Reference_Allele",
        "tumour_allele": "Tumor_Seq_Allele2",
        "context": "CONTEXT",
        "build": "NCBI_Build",
    }
    frame = frame.with_columns(
        *(pl.col(c).alias(n) if c in have else pl.lit(None, pl.Int64).alias(n) for n, c in number.items()),
        *(pl.col(c).alias(n) if c in have else pl.lit(None, pl.String).alias(n) for n, c in text.items()),
        sample=pl.col("Tumor_Sample_Barcode"),
        gene=pl.col("Hugo_Symbol"),
    )
    frame = frame.drop_nulls("subject").sort("subject", "gene", "start", "variant_class", maintain_order=True)
    return frame.select(list(TABLES["molecular/mutations"].schema)), problems


def alterations(frame: pl.DataFrame, level: Level, pathways: Mapping[str, Iterable[str]] | None = None) -> pl.DataFrame:
    """Return who has which alteration of a level.

    Parameters
    ----------
    frame : polars.DataFrame
        Of :func:`described`.
    level : {"gene", "loss_of_function", "hotspot", "variant", "pathway"}
    pathways : mapping of str to genes
        For the last level.

    Returns
    -------
    polars.DataFrame
        `item` (gene, ``GENE p.X1Y`` or set) and `subject`, every pair once, in order.
    """
    rows = frame.filter("nonsynonymous")
    item = pl.col("gene")
    if level in ("loss_of_function", "hotspot"):
        rows = rows.filter(level)
    elif level == "variant":
        rows = rows.filter(pl.col("protein_change") != "")
        item = pl.concat_str("gene", pl.lit(" "), "protein_change")
    elif level == "pathway":
        pairs = [(name, gene) for name, genes in (pathways or {}).items() for gene in genes]
        sets = pl.DataFrame(pairs, schema={"pathway": pl.String, "gene": pl.String}, orient="row")
        rows, item = rows.join(sets, on="gene", how="inner"), pl.col("pathway")
    return rows.select(item=item, subject="subject").unique().sort("item", "subject")


def read_hotspots(path: Path) -> frozenset[str]:
    """Read a table of hotspots with the columns gene and residue (``R132``, or ``p.R132H``)."""
    frame = _two(path, "gene", "residue")
    residue = pl.col("residue").str.extract(r"^(?:p\.)?\(?([A-Z*]\d+)")
    bad = frame.filter(residue.is_null())
    if bad.height:
        raise TableError(
            f"residue '{bad['residue'][0]}'", where=path.name, allowed="a letter and a number, such as R132"
        )
    return frozenset(frame.select(pl.concat_str("gene", pl.lit(" "), residue))[:, 0].to_list())


def read_pathways(path: Path) -> dict[str, tuple[str, ...]]:
    """Read gene sets from a GMT file, or from a table with the columns pathway and gene."""
    if path.name.casefold().removesuffix(".gz").endswith(".gmt"):
        return read_gene_sets(path).sets
    found: dict[str, list[str]] = {}
    for name, gene in _two(path, "pathway", "gene").iter_rows():
        found.setdefault(name, []).append(gene)
    return {name: tuple(dict.fromkeys(genes)) for name, genes in found.items()}


def _two(path: Path, *names: str) -> pl.DataFrame:
    frame = read_table(path, text=names).frame if path.is_file() else None
    known = {} if frame is None else {c.strip().casefold(): c for c in frame.columns}
    if frame is None or not set(names) <= known.keys():
        raise TableError(
            "no file" if frame is None else f"columns {', '.join(frame.columns)}",
            where=path.name,
            allowed=f"a table with the columns {' and '.join(names)}",
        )
    return frame.select(pl.col(known[n]).cast(pl.String).str.strip_chars().alias(n) for n in names).drop_nulls()
