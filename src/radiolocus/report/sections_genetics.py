"""Genotypes and their association with imaging phenotypes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from markupsafe import Markup

from radiolocus.report.blocks import Block, Cell, Row, Section, Table, Text
from radiolocus.report.drawing import Drawn
from radiolocus.report.figures_genome import Panel, components, manhattan, miami, quantiles, threshold_lines
from radiolocus.report.figures_gwas import heatmap
from radiolocus.report.genomewide import GENOME_WIDE, Scan, loci, locus_summary
from radiolocus.report.numbers import count, number, number_cell, p_cell, p_html, p_text, plural
from radiolocus.report.source import Artefacts
from radiolocus.store import BINARY, read_table

__all__ = ["binary_genetics", "genetics"]

_SHOWN = 50
_BETA = "beta: change of the phenotype, in its own unit, per effect allele."
_LOG_ODDS = "beta: log odds ratio per effect allele."


def _quality(variants: pl.DataFrame) -> tuple[Table | None, str]:
    """Tell how many variants were analysed, and why the others were not, from columns kept and reason."""
    kept = int(variants["kept"].sum())
    line = f"{count(kept)} of {plural(variants.height, 'variant')} analysed"
    out = variants.filter(~pl.col("kept"))
    if not out.height:
        return None, line
    # Reasons carry the value of the variant; what is counted is the rule it broke.
    why = pl.col("reason").fill_null("")
    if out["reason"].n_unique() > 8:
        why = why.str.replace(r"\d[\d.]*(e[-+]?\d+)?", "…")
    counts = out.select(why.alias("why")).group_by("why").len()
    rows = [
        [r["why"].strip() or "no reason given", number_cell(r["len"])]
        for r in counts.sort(["len", "why"], descending=[True, False]).iter_rows(named=True)
    ]
    return Table("Variants that were not analysed", ["reason", "variants"], rows, [False, True]), line


def _quantile_choice(summary: pl.DataFrame) -> list[tuple[str | None, str, float | None]]:
    """Phenotypes with the strongest association, the largest and the median inflation, without repetition."""
    summary = summary.filter(pl.col("top_neg_log_10_p_value").is_not_null())
    ordered = summary.filter(pl.col("lambda_gc").is_finite()).sort("lambda_gc", "phenotype")
    picks = [
        (
            "strongest association",
            summary.sort(["top_neg_log_10_p_value", "phenotype"], descending=[True, False], nulls_last=True).row(
                0, named=True
            ),
        )
    ]
    if ordered.height:
        picks.append(("largest λGC", ordered.row(-1, named=True)))
        picks.append(("median λGC", ordered.row((ordered.height - 1) // 2, named=True)))
    chosen: dict[str, tuple[str, float | None]] = {}
    for why, row in picks:
        chosen.setdefault(row["phenotype"], (why, row["lambda_gc"]))
    return [(name, why, value) for name, (why, value) in chosen.items()]


_HIT_HEAD = (
    ("variant", False),
    ("position (bp)", True),
    ("effect / other allele", False),
    ("effect allele frequency", True),
    ("phenotype", False),
    ("beta", True),
    ("standard error", True),
    ("p", True),
    ("n", True),
)
_CASE_HEAD = (("cases", True), ("test", False))


def _hits(found: pl.DataFrame, caption: str, *, binary: bool, folded: bool = False, note: str = "") -> Table:
    head = [*_HIT_HEAD, *(_CASE_HEAD if binary else ())]
    rows: list[Row] = [
        [
            r["variant_id"] or "–",
            f"{r['chromosome']}:{count(r['base_pair_location'])}",
            f"{r['effect_allele']} / {r['other_allele']}",
            number_cell(r["effect_allele_frequency"]),
            r["phenotype"],
            number_cell(r["beta"]),
            number_cell(r["standard_error"]),
            p_cell(r["neg_log_10_p_value"]),
            number_cell(r["n"]),
            *([number_cell(r["cases"]), r["test"]] if binary else ()),
        ]
        for r in found.iter_rows(named=True)
    ]
    return Table(
        caption, [n for n, _ in head], rows, [right for _, right in head], folded=folded, sortable=True, note=note
    )


def _hit_table(scan: Scan) -> tuple[list[Block], str | Markup]:
    hits, total = scan.above(GENOME_WIDE, _SHOWN)
    beta = _LOG_ODDS if scan.binary else _BETA
    if not total:
        best, kept = scan.above(-1.0, 10)
        top = scan.best.sort("neg_log_10_p_value", descending=True).row(0, named=True)
        line = Markup("no association with p < 5 × 10<sup>−8</sup>; smallest p = {} ({}, {})").format(
            p_html(top["neg_log_10_p_value"]), top["variant_id"], top["phenotype"]
        )
        caption = "The strongest associations; none is genome-wide significant"
        return [_hits(best, caption, binary=scan.binary, note=beta)] if kept else [], line
    every = scan.rows.filter(pl.col("neg_log_10_p_value") > GENOME_WIDE).collect()
    leads = loci(every, every.height)
    caption = f"Associations with p < 5 × 10⁻⁸ ({count(total)} variant–phenotype pairs"
    caption += f", the strongest {_SHOWN} shown)" if total > _SHOWN else ")"
    note = f"{beta} All rows that were kept: sumstats/, by `radiolocus query`."
    table = _hits(hits, caption, binary=scan.binary, folded=True, note=note)
    line = Markup("{} with p < 5 × 10<sup>−8</sup> in {} (500 kb windows)").format(
        plural(total, "variant–phenotype pair"), plural(leads.height, "locus", "loci")
    )
    return [_locus_table(locus_summary(every, leads), beta), table], line


def _clumped(scan: Scan) -> list[Block]:
    """Independent loci by linkage disequilibrium, where ``radiolocus clump`` found some."""
    found = read_table(scan.root, "sumstats/loci")
    if found is None or not found.height:
        return []
    strongest = found.sort("neg_log_10_p_value", descending=True).head(_SHOWN)
    rows: list[Row] = [
        [
            r["lead_variant"],
            f"{r['chromosome']}:{count(r['start'])}–{count(r['stop'])}",
            r["top_phenotype"],
            p_cell(r["neg_log_10_p_value"]),
            number_cell(r["n_phenotypes"]),
            r["phenotypes"].replace(";", ", "),
        ]
        for r in strongest.iter_rows(named=True)
    ]
    caption = f"Independent loci by linkage disequilibrium ({count(found.height)}"
    caption += f", the strongest {_SHOWN} shown)" if found.height > _SHOWN else ")"
    head = ["lead variant", "position (bp)", "strongest phenotype", "p", "phenotypes", "which"]
    note = "By `radiolocus clump`; all of them with their clumps: sumstats/loci.csv, sumstats/clumps.csv."
    return [Table(caption, head, rows, [False, True, False, True, True, False], sortable=True, note=note)]


def _locus_table(found: pl.DataFrame, beta: str) -> Table:
    rows: list[Row] = [
        [
            r["variant_id"] or "–",
            f"{r['chromosome']}:{count(r['base_pair_location'])}",
            f"{r['effect_allele']} / {r['other_allele']}",
            number_cell(r["effect_allele_frequency"]),
            r["phenotype"],
            Cell(f"{number(r['beta'])} ({number(r['standard_error'])})", r["beta"]),
            p_cell(r["neg_log_10_p_value"]),
            number_cell(r["phenotypes"]),
            number_cell(r["variants"]),
            number_cell(r["n"]),
        ]
        for r in found.head(_SHOWN).iter_rows(named=True)
    ]
    caption = f"Loci with p < 5 × 10⁻⁸ ({count(found.height)}"
    return Table(
        caption + (f", the strongest {_SHOWN} shown)" if found.height > _SHOWN else ")"),
        [
            "lead variant",
            "position (bp)",
            "effect / other allele",
            "effect allele frequency",
            "strongest phenotype",
            "beta (SE)",
            "p",
            "phenotypes",
            "variants",
            "n",
        ],
        rows,
        [False, True, False, True, False, True, True, True, True, True],
        sortable=True,
        note="A locus holds the variants within 500 kb of its lead variant; two independent signals at one place count "
        f"as one. phenotypes and variants: how many of them reach 5 × 10⁻⁸ there. {beta} SE: standard error.",
    )


def _summary_table(summary: pl.DataFrame) -> Table:
    rows: list[Row] = [
        [
            r["phenotype"],
            number_cell(r["n"]),
            number_cell(r["tests"]),
            number_cell(r["covariates"]),
            number_cell(r["lambda_gc"]),
            r["top_variant"] or "–",
            p_cell(r["top_neg_log_10_p_value"]),
            number_cell(r["genome_wide"]),
            number_cell(r["bonferroni"]),
            number_cell(r["fdr"]),
        ]
        for r in summary.iter_rows(named=True)
    ]
    return Table(
        f"Scan of each phenotype ({count(summary.height)})",
        [
            "phenotype",
            "n",
            "tests",
            "covariates",
            "λGC",
            "top variant",
            "its p",
            "p < 5 × 10⁻⁸",
            "Bonferroni",
            "q < 0.05",
        ],
        rows,
        [False, True, True, True, True, False, True, True, True, True],
        folded=True,
        sortable=True,
        note="Bonferroni and false discovery rate (Benjamini–Hochberg) over all tests of this scan; a count that the "
        "kept rows cannot decide is left empty.",
    )


def _thresholds(scan: Scan) -> Table:
    """Every threshold beside what it allows for, and how many associations pass it."""

    def passed(column: str) -> str | Cell:
        values = scan.summary[column]
        return "not decided by the kept rows" if values.null_count() else number_cell(int(values.sum()))

    effective = scan.rows.filter(pl.col("neg_log_10_p_value") > scan.per_effective).select(pl.len())
    rows: list[Row] = [
        ["5 × 10⁻⁸", p_text(GENOME_WIDE), "one million independent variants, one phenotype", passed("genome_wide")],
        [
            "5 × 10⁻⁸ / effective number of phenotypes",
            p_text(scan.per_effective),
            f"the same for {scan.effective:.1f} phenotypes (Li and Ji 2005)",
            number_cell(int(effective.collect().item())) if scan.floor <= scan.per_effective else "not decided",
        ],
        ["Bonferroni", p_text(scan.bonferroni), f"all {count(scan.tests)} tests, at 0.05", passed("bonferroni")],
        ["Benjamini–Hochberg", "q < 0.05", f"a false share of 5 % among all {count(scan.tests)} tests", passed("fdr")],
    ]
    if not np.isfinite(scan.effective):
        del rows[1]
    return Table(
        f"Thresholds: {count(scan.tests)} tests were made "
        f"({plural(scan.variants, 'variant')}, {plural(scan.phenotypes, 'phenotype')})",
        ["threshold", "p", "allows for", "associations"],
        rows,
        [False, True, False, True],
    )


def _manhattan(scan: Scan, strongest: str) -> Drawn:
    lines = threshold_lines(scan)
    several = scan.phenotypes > 1
    first = (
        f"smallest p of each variant over {count(scan.phenotypes)} phenotypes" if several else f"phenotype {strongest}"
    )
    panels = [Panel(first, scan.best, lines)]
    if several:
        name = f"phenotype of the strongest association: {strongest}"
        panels.append(Panel(name, scan.of_phenotype(strongest), lines[:1], scan.floor_of(strongest)))
    sizes = f"{plural(scan.variants, 'variant')}, {plural(scan.phenotypes, 'phenotype')}, {plural(scan.tests, 'test')}."
    caption = (
        f"{sizes} Lines: 5 × 10⁻⁸{', the same over the effective number of phenotypes' if several else ''}, and 0.05 "
        "over the number of tests. Diamonds: strongest variant of each locus "
        "(500 kb) above the lowest line. Points below the lines that would print on top of each other are drawn once."
    )
    if several:
        caption += " The smallest of many p-values is small by chance: judge the upper panel by the lines that count "
        caption += "the phenotypes."
    return manhattan(scan, panels, caption)


def _joint(scan: Scan) -> list[Block]:
    """Tests of all phenotypes at once, where the scan made them."""
    table = read_table(scan.root, "sumstats/multitrait")
    if table is None:
        return []
    lines = threshold_lines(scan)[:1]
    panels = []
    for column, title in (("mostest", "MOSTest"), ("minp", "MinP")):
        name = f"{column}_neg_log_10_p_value"
        found = table.filter(pl.col(name).is_not_null()).rename({name: "neg_log_10_p_value"})
        panels.append(Panel(f"{title}: all {count(scan.phenotypes)} phenotypes at once", found, lines))
    caption = (
        "Each variant with all phenotypes at once: the sum of squares of the decorrelated t statistics (MOSTest) and "
        "the smallest p-value (MinP), calibrated by one permutation of the subjects (van der Meer 2020). One test a "
        "variant: the line is 5 × 10⁻⁸. Far in the tail p-values are those of the fitted distributions."
    )
    upper, lower = panels
    return [miami(scan, upper, lower, caption).block()] if upper.variants.height and lower.variants.height else []


def _inflation(summary: pl.DataFrame) -> list[str]:
    known = summary["lambda_gc"].drop_nulls().drop_nans()
    if not known.len():
        return []
    low, mid, high = (known.quantile(q, "linear") for q in (0.0, 0.5, 1.0))
    return [f"λGC median {number(mid)} (range {number(low)}–{number(high)})"]


def genetics(art: Artefacts) -> Section | None:
    """Return the genetics section, or None when no genotype was read."""
    return _section(art, art.root, "genetics", "Genetic associations")


def binary_genetics(art: Artefacts) -> Section | None:
    """Return the section of binary phenotypes of a study, or None when there are none."""
    return _section(art, art.root / BINARY, "genetics-binary", "Genetic associations of binary phenotypes")


def _section(art: Artefacts, root: Path, name: str, title: str) -> Section | None:
    samples, summary = read_table(root, "genome/samples"), read_table(root, "sumstats/summary")
    places = root / "sumstats/variants.parquet"
    variants = pl.read_parquet(places, columns=["kept", "reason"]) if places.is_file() else None
    scan = Scan.of(root)
    if variants is None and samples is None and summary is None:
        return None
    blocks: list[Block] = []
    verdict: list[str | Markup] = []
    quality = None
    if variants is not None:
        quality, line = _quality(variants)
        verdict.append(line + (f" in {plural(samples.height, 'subject')}" if samples is not None else ""))
    if scan is not None:
        blocks, verdict = _scan_blocks(scan, verdict)
    else:
        blocks.append(Text("Without all tables of the scan there are no associations to report.", "note"))
    # A study tells the same people once, with the imaging phenotypes.
    told = root != art.root and read_table(art.root, "genome/samples") is not None
    if samples is not None and not told and (figure := components(samples)):
        blocks.append(figure)
    blocks += [quality] if quality is not None else []
    blocks += [_summary_table(summary)] if summary is not None else []
    return Section(name, title, blocks, verdict)


def _scan_blocks(scan: Scan, verdict: Sequence[str | Markup]) -> tuple[list[Block], list[str | Markup]]:
    top = scan.best.sort(["neg_log_10_p_value", "phenotype"], descending=[True, False]).row(0, named=True)
    table, line = _hit_table(scan)
    blocks: list[Block] = [_thresholds(scan), _manhattan(scan, top["phenotype"]).block(), *_clumped(scan), *table]
    if scan.summary["top_neg_log_10_p_value"].drop_nulls().len():
        blocks.append(quantiles(scan, _quantile_choice(scan.summary)).block())
    if (figure := heatmap(scan)) is not None:
        blocks.append(figure.block())
    blocks += _joint(scan)
    tests = f"{plural(scan.tests, 'test')}; Bonferroni p < {p_text(scan.bonferroni)}"
    return blocks, [*verdict, tests, line, *_inflation(scan.summary)]
