"""What a run found of the truth planted in its cohort, false positives included."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import polars as pl
from scipy.special import bdtr

from radiolocus.errors import StoreError
from radiolocus.simulate.cohort import SimulationOptions, Truth
from radiolocus.store import Fingerprints, Stage, read_table

__all__ = ["judge", "write_verdict"]

_GENOME_WIDE = 7.30103  # −log10 of 5e-8
_ROWS = "sumstats/by_phenotype/part"
_JUDGED = (
    _ROWS,
    "sumstats/variants",
    "sumstats/summary",
    "link/link",
    "outcome/performance",
    "response/best",
    "mechanism/paths",
    "problems",
)
_Row = tuple[str, str, bool, str, str]


def judge(truth: Truth, root: Path) -> pl.DataFrame:
    """Compare the artefacts below `root` with what was planted.

    Parameters
    ----------
    truth : Truth
    root : Path
        Output folder of the run.

    Returns
    -------
    polars.DataFrame
        Table ``demo/truth``: one row a statement.
    """
    table = {name: _need(root, name) for name in _JUDGED}
    rows = [
        *_variant(truth, table[_ROWS], table["sumstats/variants"], table["sumstats/summary"]),
        *_links(truth, table["link/link"]),
        *_outcome(truth, table["outcome/performance"]),
        *_responses(truth, table["response/best"]),
        *_paths(truth, table["mechanism/paths"]),
        *_spoiled(truth, table["problems"]),
    ]
    return pl.DataFrame(rows, schema=["kind", "planted", "found", "evidence", "verdict"], orient="row")


def write_verdict(truth: Truth, root: Path, options: SimulationOptions) -> pl.DataFrame:
    """Write the verdict and its manifest as room ``demo`` of the results, and return it; see :func:`judge`."""
    started = time.monotonic()
    verdict = judge(truth, root)
    prints = Fingerprints(root)
    stage = Stage(root, "demo", options, {name: prints.of(root / f"{name}.parquet") for name in _JUDGED})
    stage.write("demo/truth", verdict)
    stage.finish(seed=options.seed, wall_time_s=time.monotonic() - started)
    return verdict


def _need(root: Path, name: str) -> pl.DataFrame:
    frame = read_table(root, name)
    if frame is None:
        raise StoreError(f"no table {name}", where=root.name, todo="run the demo again with --fresh")
    return frame


def _variant(truth: Truth, rows: pl.DataFrame, variants: pl.DataFrame, summary: pl.DataFrame) -> list[_Row]:
    hits = rows.filter(pl.col("neg_log_10_p_value") > _GENOME_WIDE)
    here = hits.filter(pl.col("variant_id").is_in(truth.linked_variants))
    away = hits.filter(~pl.col("variant_id").is_in(truth.linked_variants))
    inflation = summary["lambda_gc"].to_numpy()
    tests = int(summary["tests"].sum())
    return [
        (
            "planted effect",
            f"variant {truth.causal_variant} (chromosome {truth.causal_chromosome}) changes the tumour's texture",
            here.height > 0,
            f"{here['phenotype'].n_unique()} features reach p < 5e-8 in its block; at the variant itself "
            + _strongest(truth.causal_variant, rows, variants),
            "found at its place" if here.height else "missed",
        ),
        (
            "false positives",
            "no other variant changes any feature",
            away.height == 0,
            f"{away['variant_id'].n_unique()} other variants below 5e-8 among {tests:,} tests; 5e-8 allows "
            f"{tests * 5e-8:.2g} by chance. λ over the features: median {float(np.median(inflation)):.3f}, "
            f"from {inflation.min():.3f} to {inflation.max():.3f}",
            "none" if away.height == 0 else f"{away['variant_id'].n_unique()} false",
        ),
    ]


def _strongest(variant: str, rows: pl.DataFrame, variants: pl.DataFrame) -> str:
    """Association of a variant with its strongest phenotype; without its size where the row was not kept."""
    at = rows.filter(pl.col("variant_id") == variant).sort("neg_log_10_p_value", descending=True)
    if at.height:
        best = at.row(0, named=True)
        return (
            f"{best['phenotype']}: β = {best['beta']:.3g} (SE {best['standard_error']:.2g}), "
            f"−log10 p = {best['neg_log_10_p_value']:.1f}"
        )
    least = variants.filter(pl.col("variant_id") == variant).row(0, named=True)
    return f"{least['top_phenotype']}: −log10 p = {least['top_neg_log_10_p_value']:.1f}"


def _links(truth: Truth, link: pl.DataFrame) -> list[_Row]:
    rows: list[_Row] = []
    for marker, told, feature in (
        (truth.driver, f"mutation of {truth.driver} changes the tumour's volume", "morph_volume"),
        (truth.continuous_marker, "the hypoxia score goes with the mean intensity", "stat_mean"),
    ):
        at = link.filter(_is_marker(marker) & pl.col("feature").str.ends_with(f":{feature}"))
        best = at.row(0, named=True) if at.height else None
        found = best is not None and best["q_value"] < 0.05
        evidence = (
            f"{best['feature']}: estimate {best['estimate']:.2f} SD (SE {best['standard_error']:.2f}), "
            f"−log10 p = {best['neg_log_10_p_value']:.1f}, q = {best['q_value']:.1e}, n = {best['n']}"
            if best
            else "not tested"
        )
        rows.append(("planted effect", told, found, evidence, "found" if found else "missed"))
    null = link.filter(pl.any_horizontal(_is_marker(m) for m in truth.null_markers))
    false = null.filter(pl.col("q_value") < 0.05).height
    # BH holds the expected share of false discoveries at 5 %; a share beyond three times that would be a fault.
    allowed = 0.15 * max(1, link.filter(pl.col("q_value") < 0.05).height)
    rows.append(
        (
            "false positives",
            f"{len(truth.null_markers)} markers go with no feature",
            false <= allowed,
            f"{false} of {null.height:,} null links have q < 0.05; "
            f"{null.filter(pl.col('neg_log_10_p_value') > -_log10(0.05)).height / null.height:.1%} have p < 0.05",
            "none" if false == 0 else f"{false} false",
        )
    )
    return rows


def _log10(x: float) -> float:
    return float(pl.Series([x]).log10()[0])


def _is_marker(name: str) -> pl.Expr:
    return (pl.col("marker") == name) | pl.col("marker").str.ends_with(f":{name}")


def _outcome(truth: Truth, performance: pl.DataFrame) -> list[_Row]:
    rows: list[_Row] = []
    for endpoint, told in (
        ("overall_survival", "survival depends on texture and driver"),
        ("recurrence", "recurrence depends on texture and driver"),
    ):
        row = performance.filter((pl.col("endpoint") == endpoint) & (pl.col("predictors") == "all")).row(0, named=True)
        found = row["lower"] > 0.5
        oracle = f"; the true hazard reaches {truth.oracle_c:.2f}" if endpoint == "overall_survival" else ""
        rows.append(
            (
                "planted effect",
                told,
                found,
                f"out-of-fold {row['metric']} {row['estimate']:.2f} ({row['lower']:.2f}–{row['upper']:.2f}){oracle}",
                "found" if found else "missed",
            )
        )
    control = performance.filter(pl.col("endpoint") == "negative_control")
    worst = control.sort((pl.col("estimate") - 0.5).abs(), descending=True).row(0, named=True)
    quiet = control.filter(pl.col("lower") > 0.5).height == 0
    rows.append(
        (
            "negative control",
            "a coin cannot be predicted",
            quiet,
            f"largest departure from 0.5 over {control.height} blocks: {worst['predictors']} "
            f"{worst['estimate']:.2f} ({worst['lower']:.2f}–{worst['upper']:.2f})",
            "nothing found, as it should be" if quiet else "false",
        )
    )
    return rows


def _paths(truth: Truth, paths: pl.DataFrame) -> list[_Row]:
    """What goes through the image: the variant's effect through texture; nothing to the coin."""
    apart = (pl.col("lower") > 0) | (pl.col("upper") < 0)
    through = paths.filter(
        (pl.col("exposure") == truth.causal_variant)
        & pl.col("mediator").str.ends_with(":stat_range")
        & (pl.col("outcome") != "negative_control")
    )
    kept = through.filter(apart)
    told = "; ".join(
        f"{r['outcome']}: {r['mediated']:.3f} ({r['lower']:.3f}–{r['upper']:.3f}) through it, {r['direct']:.3f} beside"
        for r in through.iter_rows(named=True)
    )
    coin = paths.filter(pl.col("outcome") == "negative_control")
    false = coin.filter(pl.col("q_value") < 0.05).height
    return [
        (
            "planted effect",
            "the variant acts on outcomes through texture",
            kept.height > 0,
            told or "not split",
            "found" if kept.height else "missed",
        ),
        (
            "negative control",
            "nothing goes through the image to a coin",
            false == 0,
            f"{false} of {coin.height} paths to it have q < 0.05",
            "nothing found, as it should be" if false == 0 else f"{false} false",
        ),
    ]


def _responses(truth: Truth, best: pl.DataFrame) -> list[_Row]:
    found = dict(best.select("subject", "best_response").iter_rows())
    right = sum(found.get(subject) == response for subject, response in truth.responses.items())
    total = len(truth.responses)
    # Trajectories stay clear of every threshold, so only a missed visit can hide the truth.
    enough = bdtr(right, total, 0.97) >= 0.01
    return [
        (
            "planted effect",
            f"best response of {total} subjects, measured with error and missed visits",
            bool(enough),
            f"{right} of {total} as planted",
            "recovered" if enough else "not recovered",
        )
    ]


def _spoiled(truth: Truth, problems: pl.DataFrame) -> list[_Row]:
    aside = set(problems.filter(pl.col("severity") == "set aside")["subject"].drop_nulls())
    rows: list[_Row] = []
    for subject, what in truth.spoiled.items():
        got = problems.filter(pl.col("subject") == subject)["got"].to_list()
        found = subject in aside
        rows.append(("bad data", f"{subject}: {what}", found, "; ".join(got), "set aside" if found else "missed"))
    extra = sorted(aside - truth.spoiled.keys())
    rows.append(
        (
            "bad data",
            "nobody else is set aside",
            not extra,
            f"{len(extra)} further subjects" + (f": {', '.join(extra[:5])}" if extra else ""),
            "as planted" if not extra else "false",
        )
    )
    return rows
