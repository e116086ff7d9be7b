"""Genotype quality: what was dropped by which filter, every distribution, relatives, principal components."""

from __future__ import annotations

import numpy as np
import polars as pl

from radiolocus.model import Array
from radiolocus.report.blocks import Block, Fact, Facts, Section, Table, Text
from radiolocus.report.figures_qc import Distribution, coloured_components, distributions, relatedness
from radiolocus.report.numbers import count, number, number_cell, plural
from radiolocus.report.source import Artefacts

__all__ = ["quality"]

_PAIRS_SHOWN = 200
_KEY = "qc"


def _values(frame: pl.DataFrame, column: str) -> Array:
    return frame[column].cast(pl.Float64).drop_nulls().to_numpy()


def _shown(variants: pl.DataFrame, samples: pl.DataFrame, limits: dict[str, float]) -> list[Distribution]:
    f = _values(samples, "f")
    spread = limits.get("max_f_deviation", 0) * float(np.std(f, ddof=1)) if f.size > 1 else 0.0
    middle = float(f.mean()) if f.size else 0.0
    hardy = limits.get("min_hwe_p", 0)
    info = "stated_info" if variants["stated_info"].is_not_null().any() else "info"
    # the variance of hard calls says nothing of imputation
    imputed = variants if info == "stated_info" else variants.filter(pl.col("fractional_dosages") > 0)
    every = [
        Distribution(_values(variants, "call_rate"), "call rate of variants", "variants", [limits["min_call_rate"]]),
        Distribution(
            _values(variants, "minor_allele_frequency"), "minor allele frequency", "variants", [limits["min_maf"]]
        ),
        Distribution(
            _values(variants, "hwe_neg_log_10_p"),
            "Hardy–Weinberg mid-p, −log₁₀",
            "variants",
            [-np.log10(hardy)] if hardy > 0 else [],
        ),
        Distribution(
            _values(imputed, info),
            "imputation quality, stated" if info == "stated_info" else "variance of dosage over 2pq (MaCH r²)",
            "variants",
            [limits["min_info"]] if limits.get("min_info") else [],
        ),
        Distribution(
            _values(samples, "call_rate"), "call rate of samples", "samples", [limits["min_sample_call_rate"]]
        ),
        Distribution(f, "F of samples, autosomes", "samples", [middle - spread, middle + spread] if spread else []),
        Distribution(_values(samples, "f_x"), "F of samples, X", "samples", [0.2, 0.8]),
    ]
    return [one for one in every if one.values.size]


def _steps(steps: pl.DataFrame) -> Table:
    rows = [
        [
            r["unit"],
            r["filter"],
            r["rule"],
            number_cell(r["before"]),
            number_cell(r["out"]),
            number_cell(r["before"] - r["out"]),
        ]
        for r in steps.iter_rows(named=True)
    ]
    head = ["of", "filter", "goes out", "before", "out", "left"]
    return Table("What each filter took out, in this order", head, rows, [False, False, False, True, True, True])


def _pairs(pairs: pl.DataFrame) -> Table:
    cells = [
        [r["sample_1"], r["sample_2"], number_cell(r["kinship"]), r["relation"], number_cell(r["n_variants"])]
        for r in pairs.sort("kinship", descending=True).head(_PAIRS_SHOWN).iter_rows(named=True)
    ]
    caption = f"Related pairs ({count(pairs.height)}" + (
        f", the closest {_PAIRS_SHOWN} shown)" if pairs.height > _PAIRS_SHOWN else ")"
    )
    head = ["sample", "sample", "kinship", "relation", "variants"]
    return Table(caption, head, cells, [False, False, True, False, True], folded=True, sortable=True)


def _dropped(samples: pl.DataFrame) -> Table | None:
    out = samples.filter(~pl.col("kept"))
    if not out.height:
        return None
    cells = [
        [
            r["sample"],
            r["reason"],
            number_cell(r["call_rate"]),
            number_cell(r["f"]),
            r["sex"] or "–",
            r["sex_inferred"] or "–",
        ]
        for r in out.iter_rows(named=True)
    ]
    head = ["sample", "why", "call rate", "F", "recorded sex", "sex by X"]
    numeric = [False, False, True, True, False, False]
    return Table(f"Samples that went out ({out.height})", head, cells, numeric, folded=out.height > 20, sortable=True)


def quality(art: Artefacts) -> Section | None:
    """Return the section of genotype quality, or None when ``radiolocus qc`` did not write here."""
    variants, samples, steps = (art.table(f"genome/{name}") for name in ("variant_qc", "sample_qc", "qc_steps"))
    if variants is None or samples is None or steps is None:
        return None
    told = art.setting(_KEY) or {}
    alone = int(samples["unrelated"].sum())
    kept, stayed = int(variants["kept"].sum()), int(samples["kept"].sum())
    blocks: list[Block] = [_steps(steps), distributions(_shown(variants, samples, told))]
    if (gone := _dropped(samples)) is not None:
        blocks.append(gone)
    wrong = int((variants["haploid_heterozygous"] > 0).sum())
    if wrong:
        blocks.append(
            Text(
                f"{plural(wrong, 'variant')} of X, Y or MT with heterozygous calls of samples that have one copy.",
                "note",
            )
        )
    pairs = art.table("genome/relatives")
    if pairs is None:
        blocks.append(Text("No two samples are related to the third degree or closer."))
    else:
        named = [(2**-1.5, "duplicates, twins"), (2**-2.5, "first degree"), (2**-3.5, "second degree")]
        blocks += [relatedness(pairs, named), _pairs(pairs)]
    blocks += _components(art, samples)
    verdict = [
        f"{count(kept)} of {plural(variants.height, 'variant')} kept",
        f"{count(stayed)} of {plural(samples.height, 'sample')} kept, {count(alone)} unrelated",
    ]
    return Section("quality", "Genotype quality", blocks, verdict)


def _components(art: Artefacts, samples: pl.DataFrame) -> list[Block]:
    told = art.setting(_KEY) or {}
    if "PC2" not in samples.columns:
        return []
    placed = samples.filter(pl.col("PC1").is_not_null())
    share = told["fraction"]
    columns = [c for c in told.get("colours", []) if c in placed.columns]
    blocks: list[Block] = [coloured_components(placed, placed[c] if c else None, share) for c in columns or [""]]
    accuracy = max(told["residual"])
    facts = [
        Fact("variants after LD pruning", count(told["pruned"])),
        Fact("unrelated samples", count(int(samples["unrelated"].sum()))),
        Fact("accuracy reached, ‖Av − λv‖ / λ₁", number(accuracy)),
        Fact("eigenvalues", ", ".join(number(v) for v in told["eigenvalues"])),
    ]
    return [*blocks, Facts("Principal components", facts)]
