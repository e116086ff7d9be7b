"""Positions along the genome, loci, thinning."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from radiolocus.report.figures_genome import _ranks
from radiolocus.report.genomewide import (
    GENOME_WIDE,
    Scan,
    best_per_variant,
    chromosome_order,
    loci,
    locus_summary,
    thin,
)
from radiolocus.report.sections_genetics import genetics
from radiolocus.report.source import Artefacts
from report.artefacts import make


def test_genome_wide_level():
    assert pytest.approx(5e-8) == 10**-GENOME_WIDE


def test_chromosomes_stand_in_the_order_of_a_karyotype():
    mixed = ["MT", "X", "22", "3", "chr10", "Y", "1", "scaffold_7"]
    assert chromosome_order(mixed) == ["1", "3", "chr10", "22", "X", "Y", "MT", "scaffold_7"]


def frame(rows):
    return pl.DataFrame(
        rows,
        schema=["chromosome", "base_pair_location", "variant_id", "phenotype", "neg_log_10_p_value"],
        orient="row",
    )


def test_places_of_one_chromosome_do_not_run_into_the_next():
    scan = Scan.of(frame([("2", 50, "b", "f", 1.0), ("1", 100, "a", "f", 2.0), ("10", 5, "c", "f", None)]).lazy())
    assert scan is not None
    assert scan.tests == 2
    assert scan.axis.names == ("1", "2")
    x, at = scan.axis.place(frame([("1", 100, "a", "f", 2.0), ("2", 1, "b", "f", 1.0)]))
    assert x[0] == 100
    assert x[1] > 100
    assert at.tolist() == [0, 1]


def test_a_scan_without_a_single_p_value_is_no_scan():
    assert Scan.of(frame([("1", 1, "a", "f", None)]).cast({"neg_log_10_p_value": pl.Float64}).lazy()) is None


def test_thinning_keeps_every_point_above_the_line_and_the_picture():
    rng = np.random.default_rng(0)
    x, y = rng.random(200_000), rng.exponential(0.6, 200_000)
    kept = thin(x, y, keep_above=3.0, columns=200, rows=100)
    assert set(np.flatnonzero(y > 3.0)) <= set(kept)
    assert len(kept) < 20_000

    def printed(i):
        cells = np.stack([np.floor((x[i] - x.min()) / max(np.ptp(x), 1.0) * 200), np.floor(y[i] / y.max() * 100)])
        return np.unique(cells, axis=1)

    assert np.array_equal(printed(kept), printed(np.arange(len(x))))
    assert np.array_equal(kept, thin(x, y, keep_above=3.0, columns=200, rows=100))
    assert thin(np.empty(0), np.empty(0), 1.0).size == 0


def test_a_locus_is_named_by_its_strongest_variant():
    hits = frame(
        [
            ("1", 1_000_000, "near", "f", 9.0),
            ("1", 1_400_000, "lead", "f", 20.0),
            ("1", 1_900_001, "apart", "f", 8.0),
            ("2", 1_400_000, "other", "f", 12.0),
        ]
    )
    assert loci(hits, 10)["variant_id"].to_list() == ["lead", "other", "apart"]
    assert loci(hits, 1)["variant_id"].to_list() == ["lead"]


def test_scan_agrees_with_the_whole_table_read_at_once(tmp_path):
    root = make(tmp_path, subjects=30, features=6, variants=200)
    path = root / "sumstats/sumstats.parquet"
    whole = pl.read_parquet(path)
    scan = Scan.of(pl.scan_parquet(path))
    assert scan is not None
    assert (scan.tests, scan.variants, scan.phenotypes) == (whole.height, whole["variant_id"].n_unique(), 6)
    assert scan.bonferroni == pytest.approx(-np.log10(0.05 / whole.height))
    best = dict(best_per_variant(scan).select("variant_id", "neg_log_10_p_value").iter_rows())
    for name in list(best)[:20]:
        assert best[name] == whole.filter(pl.col("variant_id") == name)["neg_log_10_p_value"].max()
    top, total = scan.above(2.0, 5)
    assert total == whole.filter(pl.col("neg_log_10_p_value") > 2.0).height
    assert top["neg_log_10_p_value"].to_list() == whole["neg_log_10_p_value"].sort(descending=True).head(5).to_list()


def test_ranks_of_the_quantile_plot_hold_all_small_p_values():
    ranks = _ranks(1_000_000)
    assert np.isin(np.arange(1, 401), ranks).all()
    assert ranks.max() == 1_000_000
    assert len(ranks) < 1000
    assert _ranks(7).tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_one_phenotype_without_hits_without_names_is_still_a_section(tmp_path):
    root = make(tmp_path, subjects=30, features=1, variants=40)
    for name in ("sumstats/sumstats", "sumstats/summary"):
        path = root / f"{name}.parquet"
        table = pl.read_parquet(path)
        if "variant_id" in table.columns:
            strong = pl.when(pl.int_range(pl.len()) == 3).then(9.0).otherwise(1.0)
            table = table.with_columns(variant_id=pl.lit(None, pl.String), neg_log_10_p_value=strong)
        else:
            table = table.with_columns(
                top_neg_log_10_p_value=pl.lit(None, pl.Float64), lambda_gc=pl.lit(None, pl.Float64)
            )
        table.write_parquet(path)
    section = genetics(Artefacts(root))
    assert section is not None
    assert any("1 variant–phenotype pair with p" in line for line in section.verdict)
    assert not any("λGC" in line for line in section.verdict)


def test_a_locus_counts_the_variants_and_phenotypes_of_its_window_once():
    hits = frame([
        ("1", 1_000_000, "lead", "a", 20.0), ("1", 1_400_000, "near", "a", 9.0), ("1", 1_400_000, "near", "b", 9.5),
        ("1", 1_900_000, "far", "b", 10.0), ("2", 1_000_000, "other", "c", 8.0),
    ])  # fmt: skip
    found = locus_summary(hits, loci(hits, 10))
    assert found.select("variant_id", "variants", "phenotypes").rows() == [
        ("lead", 2, 2), ("far", 1, 1), ("other", 1, 1),
    ]  # fmt: skip


def test_one_row_a_locus_comes_before_the_pairs(tmp_path):
    art = Artefacts(make(tmp_path, subjects=60, features=10, variants=400))
    tables = [b for b in genetics(art).blocks if b.kind == "table"]
    assert tables[0].caption.startswith("Loci with p < 5 × 10⁻⁸ (")
    assert not tables[0].folded
    assert tables[1].caption.startswith("Associations with p < 5 × 10⁻⁸")
    assert tables[1].folded
    assert len(tables[0].rows) <= len(tables[1].rows)
    hits = art.table("sumstats/sumstats").filter(pl.col("neg_log_10_p_value") > GENOME_WIDE)
    assert sum(int(row[8].sort) for row in tables[0].rows) == hits["variant_id"].n_unique()
