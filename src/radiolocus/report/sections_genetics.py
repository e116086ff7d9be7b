"""Genotypes and their association with imaging phenotypes."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from markupsafe import Markup

from radiolocus.report.blocks import Block, Cell, Figure, Row, Section, Table, Text
from radiolocus.report.figures_genome import Panel, components, manhattan, quantiles, threshold_lines
from radiolocus.report.genomewide import GENOME_WIDE, Scan, best_per_variant, loci, locus_summary
from radiolocus.report.numbers import count, number, number_cell, p_cell, p_html, plural
from radiolocus.report.source import Artefacts

__all__ = ["genetics"]

_SHOWN = 50
_BETA = "beta: change of the phenotype, in its own unit, per effect allele."


def _quality(variants: pl.DataFrame) -> tuple[Table | None, str]:
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


def _quantile_choice(summary: pl.DataFrame) -> list[tuple[str, str, float | None]]:
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


def _hit_rows(hits: pl.DataFrame) -> list[Row]:
    return [
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
        ]
        for r in hits.iter_rows(named=True)
    ]


def _hit_table(scan: Scan) -> tuple[list[Block], str | Markup]:
    hits, total = scan.above(GENOME_WIDE, _SHOWN)
    head = [
        "variant",
        "position (bp)",
        "effect / other allele",
        "effect allele frequency",
        "phenotype",
        "beta",
        "standard error",
        "p",
        "n",
    ]
    numeric = [False, True, False, True, False, True, True, True, True]
    if not total:
        best, _ = scan.above(-1.0, 10)
        table = Table(
            "The ten strongest associations; none is genome-wide significant",
            head,
            _hit_rows(best),
            numeric,
            sortable=True,
        )
        top = best.row(0, named=True)
        line = Markup("no association with p < 5 × 10<sup>−8</sup>; smallest p = {} ({}, {})").format(
            p_html(top["neg_log_10_p_value"]), top["variant_id"], top["phenotype"]
        )
        return [table], line
    every = scan.frame.filter(pl.col("neg_log_10_p_value") > GENOME_WIDE).collect()
    leads = loci(every, every.height)
    caption = f"Associations with p < 5 × 10⁻⁸ ({count(total)} variant–phenotype pairs"
    caption += f", the strongest {_SHOWN} shown)" if total > _SHOWN else ")"
    table = Table(
        caption,
        head,
        _hit_rows(hits),
        numeric,
        folded=True,
        sortable=True,
        note=f"{_BETA} All associations: sumstats/sumstats.parquet.",
    )
    line = Markup("{} with p < 5 × 10<sup>−8</sup> in {} (500 kb windows)").format(
        plural(total, "variant–phenotype pair"), plural(leads.height, "locus", "loci")
    )
    return [_locus_table(locus_summary(every, leads)), table], line


def _locus_table(found: pl.DataFrame) -> Table:
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
        f"as one. phenotypes and variants: how many of them reach 5 × 10⁻⁸ there. {_BETA} SE: standard error.",
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
        note="Bonferroni and false discovery rate (Benjamini–Hochberg) over all variants and phenotypes.",
    )


def _manhattan(scan: Scan, strongest: str | None) -> Figure:
    lines = threshold_lines(scan)
    several = scan.phenotypes > 1
    first = (
        f"smallest p of each variant over {count(scan.phenotypes)} phenotypes" if several else f"phenotype {strongest}"
    )
    panels = [Panel(first, best_per_variant(scan), lines)]
    if several and strongest is not None:
        panels.append(
            Panel(f"phenotype of the strongest association: {strongest}", scan.of_phenotype(strongest), lines[:1])
        )
    sizes = f"{plural(scan.variants, 'variant')}, {plural(scan.phenotypes, 'phenotype')}, {plural(scan.tests, 'test')}."
    caption = (
        f"{sizes} Solid line: 5 × 10⁻⁸; dashed: 0.05 over the number of tests. Diamonds: strongest variant of "
        "each locus "
        "(500 kb) above the lower line. Points below the lines that would print on top of each other are drawn once."
    )
    if several:
        caption += " The smallest of many p-values is small by chance: judge the upper panel by the dashed line."
    return manhattan(scan, panels, caption)


def _inflation(summary: pl.DataFrame) -> list[str]:
    known = summary["lambda_gc"].drop_nulls().drop_nans()
    if not known.len():
        return []
    low, mid, high = (known.quantile(q, "linear") for q in (0.0, 0.5, 1.0))
    return [f"λGC median {number(mid)} (range {number(low)}–{number(high)})"]


def genetics(art: Artefacts) -> Section | None:
    """Return the genetics section, or None when no genotype was read."""
    variants, samples, summary = (art.table(n) for n in ("genome/variants", "genome/samples", "sumstats/summary"))
    lazy = art.scan("sumstats/sumstats")
    scan = Scan.of(lazy) if lazy is not None else None
    if variants is None and samples is None and scan is None:
        return None
    blocks: list[Block] = []
    verdict: list[str | Markup] = []
    quality = None
    if variants is not None:
        quality, line = _quality(variants)
        verdict.append(line + (f" in {plural(samples.height, 'subject')}" if samples is not None else ""))
    if scan is not None:
        blocks, verdict = _scan_blocks(scan, summary, verdict)
    if samples is not None and (figure := components(samples)):
        blocks.append(figure)
    blocks += [quality] if quality is not None else []
    blocks += [_summary_table(summary)] if summary is not None else []
    return Section("genetics", "Genetic associations", blocks, verdict)


def _scan_blocks(
    scan: Scan, summary: pl.DataFrame | None, verdict: Sequence[str | Markup]
) -> tuple[list[Block], list[str | Markup]]:
    top, _ = scan.above(-1.0, 1)
    table, line = _hit_table(scan)
    blocks: list[Block] = [_manhattan(scan, top["phenotype"][0]), *table]
    if summary is None:
        blocks.append(Text("Without sumstats/summary there is no genomic inflation to report.", "note"))
        return blocks, [*verdict, line]
    if summary["top_neg_log_10_p_value"].drop_nulls().len():
        blocks.append(quantiles(scan, _quantile_choice(summary)))
    return blocks, [*verdict, line, *_inflation(summary)]
