"""Positions along the genome, loci, thinning."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from radiolocus.report.genomewide import (
    GENOME_WIDE,
    Scan,
    _ranks,
    axis,
    chromosome_order,
    loci,
    locus_summary,
    ordered_p_values,
    thin,
)
from radiolocus.report.sections_genetics import genetics
from radiolocus.report.source import Artefacts
from radiolocus.schema import empty
from radiolocus.store import write_table
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
    found = axis(frame([("2", 50, "b", "f", 1.0), ("1", 100, "a", "f", 2.0)]).lazy())
    assert found.names == ("1", "2")
    x, at = found.place(frame([("1", 100, "a", "f", 2.0), ("2", 1, "b", "f", 1.0)]))
    assert x[0] == 100
    assert x[1] > 100
    assert at.tolist() == [0, 1]


def test_a_scan_without_a_single_p_value_is_no_scan(tmp_path):
    root = make(tmp_path, subjects=30, features=2, variants=20)
    path = root / "sumstats/variants.parquet"
    pl.read_parquet(path).with_columns(top_neg_log_10_p_value=pl.lit(None, pl.Float64)).write_parquet(path)
    assert Scan.of(root) is None


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
    whole = pl.read_parquet(root / "sumstats/by_phenotype/part.parquet")
    scan = Scan.of(root)
    assert scan is not None
    assert (scan.tests, scan.variants, scan.phenotypes) == (whole.height, whole["variant_id"].n_unique(), 6)
    assert scan.bonferroni == pytest.approx(-np.log10(0.05 / whole.height))
    assert scan.per_effective == pytest.approx(-np.log10(5e-8 / 4.2))
    for name, value in scan.best.select("variant_id", "neg_log_10_p_value").head(20).iter_rows():
        assert value == whole.filter(pl.col("variant_id") == name)["neg_log_10_p_value"].max()
    top, total = scan.above(2.0, 5)
    assert total == whole.filter(pl.col("neg_log_10_p_value") > 2.0).height
    assert top["neg_log_10_p_value"].to_list() == whole["neg_log_10_p_value"].sort(descending=True).head(5).to_list()


@pytest.mark.parametrize("phenotype", [None, "PET:morph_volume"])
def test_quantiles_of_a_scan_that_kept_little_lie_on_those_of_all_rows(tmp_path, phenotype):
    whole = make(tmp_path / "whole", subjects=30, features=4, variants=400)
    part = make(tmp_path / "part", subjects=30, features=4, variants=400, p_value=0.01)
    every = pl.read_parquet(whole / "sumstats/by_phenotype/part.parquet")
    values = every.filter(pl.col("phenotype") == phenotype) if phenotype else every
    ordered = np.sort(values["neg_log_10_p_value"].to_numpy())[::-1]
    for root in (whole, part):
        rank, value, tests = ordered_p_values(Scan.of(root), phenotype)
        assert tests == ordered.size
        assert np.all(np.diff(rank) > 0)
        exact = ordered[rank.astype(int) - 1]
        assert np.all(np.abs(value - exact) <= np.where(exact < 1, 1 / 1024, 1 / 32))
        strong = exact >= 2
        np.testing.assert_array_equal(value[strong], exact[strong])
    assert pl.read_parquet(part / "sumstats/by_phenotype/part.parquet").height < every.height / 20


def test_ranks_of_the_quantile_plot_hold_all_small_p_values():
    ranks = _ranks(1_000_000)
    assert np.isin(np.arange(1, 401), ranks).all()
    assert ranks.max() == 1_000_000
    assert len(ranks) < 1000
    assert _ranks(7).tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_one_phenotype_without_names_is_still_a_section(tmp_path):
    root = make(tmp_path, subjects=30, features=1, variants=40)
    strong = pl.when(pl.int_range(pl.len()) == 3).then(9.0).otherwise(1.0)
    nameless = pl.lit(None, pl.String)
    for name, column in (("by_phenotype/part", "neg_log_10_p_value"), ("variants", "top_neg_log_10_p_value")):
        path = root / f"sumstats/{name}.parquet"
        pl.read_parquet(path).with_columns(strong.alias(column), variant_id=nameless).write_parquet(path)
    path = root / "sumstats/summary.parquet"
    nothing = pl.lit(None, pl.Float64)
    pl.read_parquet(path).with_columns(top_neg_log_10_p_value=nothing, lambda_gc=nothing).write_parquet(path)
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
    assert tables[0].caption.startswith("Thresholds: ")
    tables = tables[1:]
    assert tables[0].caption.startswith("Loci with p < 5 × 10⁻⁸ (")
    assert not tables[0].folded
    assert tables[1].caption.startswith("Associations with p < 5 × 10⁻⁸")
    assert tables[1].folded
    assert len(tables[0].rows) <= len(tables[1].rows)
    hits = pl.read_parquet(art.root / "sumstats/by_phenotype/part.parquet").filter(
        pl.col("neg_log_10_p_value") > GENOME_WIDE
    )
    assert sum(int(row[8].sort) for row in tables[0].rows) == hits["variant_id"].n_unique()


def test_independent_loci_stand_on_the_page_where_they_were_found(tmp_path):
    root = make(tmp_path, subjects=60, features=10, variants=400)
    lead = {
        "locus": 1, "chromosome": "3", "start": 5, "stop": 90_000, "lead_variant": "rs7", "base_pair_location": 70,
        "effect_allele": "A", "other_allele": "G", "top_phenotype": "PET:stat_mean", "neg_log_10_p_value": 9.5,
        "effective": True, "n_phenotypes": 2, "phenotypes": "PET:stat_mean;PET:stat_var", "independent": 1,
    }  # fmt: skip
    frame = pl.concat([empty("sumstats/loci"), pl.DataFrame(lead)], how="diagonal_relaxed")
    write_table(root, "sumstats/loci", frame)
    table = next(b for b in genetics(Artefacts(root)).blocks if "linkage" in getattr(b, "caption", ""))
    assert table.caption == "Independent loci by linkage disequilibrium (1)"
    assert table.rows[0][0] == "rs7"
    assert table.rows[0][-1] == "PET:stat_mean, PET:stat_var"
