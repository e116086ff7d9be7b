import numpy as np
import polars as pl
import pytest

from radiolocus.associate.summary import summarise
from radiolocus.errors import ConfigError
from radiolocus.schema import TABLES, conform, empty
from radiolocus.stats.multiplicity import benjamini_hochberg, lambda_gc


def table(log_p, names):
    rows = len(log_p)
    frame = pl.DataFrame(
        {
            "phenotype": names,
            "variant_id": [f"v{i}" for i in range(rows)],
            "neg_log_10_p_value": log_p,
            "n": [100 - (i % 3) for i in range(rows)],
            "degrees_of_freedom": [100 - (i % 3) - 5 for i in range(rows)],
        }
    )
    absent = [pl.lit(None).alias(c) for c in TABLES["sumstats/sumstats"].schema if c not in frame.columns]
    return conform(frame.with_columns(absent), "sumstats/sumstats")


def test_counts_by_hand():
    # 4 variants × 2 phenotypes = 8 tests: Bonferroni 0.05 / 8 = 0.00625
    p = np.array([1e-9, 0.7, 0.006, 0.3, 0.012, 0.5, 0.9, 0.2])
    names = ["late", "early"] * 4
    found = summarise(table(-np.log10(p), names), 4)
    assert found["phenotype"].to_list() == ["late", "early"]
    assert found["tests"].to_list() == [4, 4]
    assert found["n"].to_list() == [100, 100]
    assert found["covariates"].to_list() == [3, 3]
    assert found["top_variant"].to_list() == ["v0", "v7"]
    assert found["genome_wide"].to_list() == [1, 0]
    assert found["bonferroni"].to_list() == [2, 0]
    # q of 0.012 is 8 × 0.012 / 3 = 0.032
    assert found["fdr"].to_list() == [3, 0]
    assert found["lambda_gc"].to_list() == [lambda_gc(-np.log10(p[::2])), lambda_gc(-np.log10(p[1::2]))]
    assert found["top_neg_log_10_p_value"][0] == pytest.approx(9)


def test_pairs_without_a_statistic_count_as_tests():
    p = np.array([1e-9, 0.01, 0.012])
    found = summarise(table(-np.log10(p), ["a"] * 3), 10, 2)
    assert found["tests"].to_list() == [3]
    assert found["fdr"].to_list() == [int((benjamini_hochberg(-np.log10(p), 20) < 0.05).sum())] == [1]
    with pytest.raises(ConfigError, match="1 variants × 2 phenotypes for 3 rows"):
        summarise(table(-np.log10(p), ["a"] * 3), 1, 2)


def test_nothing_scanned():
    assert summarise(empty("sumstats/sumstats"), 5).equals(empty("sumstats/summary"))
