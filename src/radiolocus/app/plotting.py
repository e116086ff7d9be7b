"""Figures of a scan for papers, by ``radiolocus plot``: which results they show, and where linkage comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from radiolocus.associate.query import home_of, parse_region
from radiolocus.errors import ConfigError, StoreError, TableError
from radiolocus.genome.ld import ld_to
from radiolocus.read.genes import read_genes
from radiolocus.read.genotype_files import open_genotypes
from radiolocus.report.drawing import Drawn
from radiolocus.report.figures_genome import Panel, manhattan, miami, quantiles, threshold_lines
from radiolocus.report.figures_gwas import Region, heatmap, phewas, regional
from radiolocus.report.genomewide import Scan
from radiolocus.report.numbers import plural
from radiolocus.store import BINARY, read_table

__all__ = ["KINDS", "PlotOrder", "draw", "plot"]

KINDS = ("manhattan", "qq", "miami", "regional", "phewas", "heatmap")
_Y = "neg_log_10_p_value"


@dataclass(frozen=True)
class PlotOrder:
    """What a figure shows.

    Parameters
    ----------
    folder : Path
        Results of ``radiolocus gwas`` or of a study.
    phenotypes : tuple of str
    rsid : str
        Variant of a PheWAS plot, or lead variant of a region; empty: the strongest.
    region : str
        Of a regional plot; empty: around the lead variant.
    window : int
        Base pairs to either side of the lead variant.
    genotypes : Path or None
        From which linkage with the lead variant is taken.
    genes : Path or None
    sample_id : str
        What names a sample of `genotypes`.
    binary : bool
        Of a study: the scan of its binary phenotypes.
    """

    folder: Path
    phenotypes: tuple[str, ...] = ()
    rsid: str = ""
    region: str = ""
    window: int = 500_000
    genotypes: Path | None = None
    genes: Path | None = None
    sample_id: str = "iid"
    binary: bool = False


def plot(
    folder: Path | str,
    kind: str,
    out: Path | str,
    *,
    phenotype: Sequence[str] = (),
    rsid: str = "",
    region: str = "",
    window: int = 500_000,
    genotypes: Path | str | None = None,
    genes: Path | str | None = None,
    sample_id: str = "iid",
    binary: bool = False,
) -> str:
    """Draw a figure of a finished scan and write it.

    Parameters
    ----------
    folder : Path or str
        Results of ``radiolocus gwas`` or of a study.
    kind : {"manhattan", "qq", "miami", "regional", "phewas", "heatmap"}
    out : Path or str
        File ending in .svg, .pdf or .png.
    phenotype : sequence of str
        Manhattan and QQ: all without. Miami: two, or one whose effects are told apart by their sign. Regional: one.
    rsid, region, window, genotypes, genes, sample_id, binary
        See :class:`PlotOrder`.

    Returns
    -------
    str
        The caption.

    Raises
    ------
    ConfigError, StoreError, TableError, FormatError
        See :func:`draw`; another ending; genotypes of other subjects; a table of genes that cannot be read.
    """
    called, below = (None if file is None else Path(file) for file in (genotypes, genes))
    order = PlotOrder(Path(folder), tuple(phenotype), rsid, region, window, called, below, sample_id, binary)
    drawn = draw(kind, order)
    drawn.write(Path(out))
    return drawn.caption


def draw(kind: str, order: PlotOrder) -> Drawn:
    """Draw one figure.

    Raises
    ------
    ConfigError
        An unknown kind, phenotype, variant or region, or too few of them for this kind.
    StoreError
        The folder holds no finished scan with results.
    """
    if kind not in KINDS:
        raise ConfigError(f"figure '{kind}'", where="plot", allowed=", ".join(KINDS))
    scan = _scan(order)
    return {
        "manhattan": _manhattan,
        "qq": _quantiles,
        "miami": _miami,
        "regional": _regional,
        "phewas": _phewas,
        "heatmap": _heatmap,
    }[kind](scan, order)


def _scan(order: PlotOrder) -> Scan:
    homes = {home_of(order.folder, name) for name in order.phenotypes}
    if len(homes) > 1:
        raise ConfigError("a measured and a binary phenotype in one figure", where="plot", todo="draw two figures")
    root = homes.pop() if homes else order.folder / BINARY if order.binary else order.folder
    scan = Scan.of(root)
    if scan is None:
        raise StoreError(
            "no finished scan", where=root.name, allowed="the folder that radiolocus gwas or a study wrote",
            todo="run the scan to its end; phenotypes of a study that are all binary need --binary",
        )  # fmt: skip
    return scan


def _told(scan: Scan) -> str:
    return (
        f"{plural(scan.variants, 'variant')}, {plural(scan.phenotypes, 'phenotype')}, {plural(scan.tests, 'test')}. "
        "Lines: 5 × 10⁻⁸, the same over the effective number of phenotypes (Li and Ji), and 0.05 over the number of "
        "tests (Bonferroni). Diamonds: strongest variant of each locus (500 kb) above the lowest line. Points below "
        "the lines that would print on top of each other are drawn once."
    )


def _panel(scan: Scan, phenotype: str) -> Panel:
    return Panel(phenotype, scan.of_phenotype(phenotype), threshold_lines(scan), scan.floor_of(phenotype))


def _manhattan(scan: Scan, order: PlotOrder) -> Drawn:
    panels = [_panel(scan, name) for name in order.phenotypes]
    if not panels:
        title = f"smallest p of each variant over {plural(scan.phenotypes, 'phenotype')}"
        panels = [Panel(title, scan.best, threshold_lines(scan))]
    return manhattan(scan, panels, _told(scan))


def _quantiles(scan: Scan, order: PlotOrder) -> Drawn:
    inflation = dict(scan.summary.select("phenotype", "lambda_gc").iter_rows())
    chosen: list[tuple[str | None, str, float | None]] = [(name, "", inflation[name]) for name in order.phenotypes]
    return quantiles(scan, chosen or [(None, "", None)])


def _miami(scan: Scan, order: PlotOrder) -> Drawn:
    if len(order.phenotypes) == 2:
        upper, lower = (_panel(scan, name) for name in order.phenotypes)
        return miami(scan, upper, lower, _told(scan))
    if len(order.phenotypes) != 1:
        raise ConfigError(
            f"{len(order.phenotypes)} phenotypes in a Miami plot", where="plot",
            allowed="two --phenotype, or one, whose effects are told apart by their sign",
        )  # fmt: skip
    panel = _panel(scan, order.phenotypes[0])
    up, down = (
        Panel(f"{panel.title}: effect allele {word}", panel.variants.filter(rule), panel.thresholds, panel.floor)
        for word, rule in (("raises", pl.col("beta") >= 0), ("lowers", pl.col("beta") < 0))
    )
    return miami(scan, up, down, _told(scan))


def _place(scan: Scan, rsid: str) -> tuple[str, int]:
    found = scan.best.filter(pl.col("variant_id") == rsid)
    if not found.height:
        raise ConfigError(f"no tested variant '{rsid}'", where="plot", todo="look for it with radiolocus query --rsid")
    return str(found["chromosome"][0]), int(found["base_pair_location"][0])


def _regional(scan: Scan, order: PlotOrder) -> Drawn:
    if len(order.phenotypes) != 1:
        raise ConfigError(f"{len(order.phenotypes)} phenotypes in a regional plot", where="plot", allowed="one")
    phenotype = order.phenotypes[0]
    rows = scan.of_phenotype(phenotype)
    if order.region:
        asked = parse_region(order.region)
        rows = rows.filter(
            (pl.col("chromosome") == asked.chromosome)
            & pl.col("base_pair_location").is_between(asked.start, asked.stop)
        )
    lead = order.rsid
    if not lead:
        if not rows.height:
            raise ConfigError(
                f"no row of '{phenotype}' was kept there", where="plot", todo="name the lead variant with --rsid, or "
                "scan again with --all-rows",
            )  # fmt: skip
        lead = str(rows.sort(_Y, descending=True)["variant_id"][0])
    chromosome, position = _place(scan, lead)
    start, stop = max(position - order.window, 1), position + order.window
    if order.region:
        here = scan.best.filter(pl.col("chromosome") == chromosome)["base_pair_location"]
        start, stop = max(asked.start, int(here.min())), min(asked.stop, int(here.max()))  # type: ignore[arg-type]
        stop = max(stop, start + 1)
    r2, told = _linkage(scan, order, lead, chromosome, (start, stop)) if order.genotypes else ({}, "")
    genes = read_genes(order.genes) if order.genes else None
    drawn = regional(scan, phenotype, Region(chromosome, start, stop, lead, r2, genes))
    return Drawn(drawn.figure, drawn.alt, f"{drawn.caption}{told}")


def _linkage(
    scan: Scan, order: PlotOrder, lead: str, chromosome: str, span: tuple[int, int]
) -> tuple[dict[str, float], str]:
    """r² of the variants of a region with the lead variant among the analysed subjects, and how many they are."""
    source = open_genotypes(Path(str(order.genotypes)), sample_id=order.sample_id)  # type: ignore[arg-type]
    samples = read_table(scan.root, "genome/samples")
    analysed = set() if samples is None else set(samples["subject"])
    rows = np.array([i for i, name in enumerate(source.sample_ids) if name in analysed], dtype=np.int64)
    if rows.size < 2:
        raise TableError(
            f"{rows.size} of {len(analysed)} analysed subjects are among the samples of the genotype file",
            where=Path(source.path).name,
            allowed="the genotypes of the scan",
            todo="give the same file, and the same --sample-id",
        )
    place = pl.col("base_pair_location").is_between(*span) & (pl.col("chromosome") == chromosome)
    variants = source.variants.with_row_index("row").filter(place)
    leads = variants.filter(pl.col("variant_id") == lead)["row"]
    if not leads.len():
        raise ConfigError(f"no variant '{lead}' on chromosome {chromosome}", where=Path(source.path).name)
    r = ld_to(source, rows, int(leads[0]), variants["row"].to_numpy().astype(np.int64))
    known = {str(v): float(x) for v, x in zip(variants["variant_id"], r * r, strict=True) if np.isfinite(x)}
    return known, f" r² among {plural(int(rows.size), 'subject')}."


def _phewas(scan: Scan, order: PlotOrder) -> Drawn:
    if not order.rsid:
        raise ConfigError("no variant for a PheWAS plot", where="plot", todo="name it with --rsid")
    _place(scan, order.rsid)
    return phewas(scan, order.rsid)


def _heatmap(scan: Scan, order: PlotOrder) -> Drawn:
    drawn = heatmap(scan)
    if drawn is None:
        raise ConfigError(
            "no locus with p < 5e-8, or a single phenotype", where="plot", allowed="a locus and two phenotypes",
            todo="draw a Manhattan plot of what there is",
        )  # fmt: skip
    return drawn
