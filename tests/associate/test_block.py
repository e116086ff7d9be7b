import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naive.association import regress
from radiolocus.associate.block import scan_block, scan_design
from radiolocus.associate.design import regression_design
from radiolocus.errors import FitError
from radiolocus.model import GenotypeBlock
from radiolocus.schema import TABLES


def block_of(dosage, first=0):
    count = len(dosage)
    return GenotypeBlock(
        dosage=np.asarray(dosage, dtype=np.float32),
        variant_id=tuple(f"v{first + i}" for i in range(count)),
        chromosome=("1",) * count,
        position=np.arange(first, first + count, dtype=np.int64),
        effect_allele=("A",) * count,
        other_allele=("C",) * count,
    )


def part(block, start, stop):
    return GenotypeBlock(
        block.dosage[start:stop],
        block.variant_id[start:stop],
        block.chromosome[start:stop],
        block.position[start:stop],
        block.effect_allele[start:stop],
        block.other_allele[start:stop],
    )


def cohort(seed, n, variants, phenotypes, covariates, lost=0.1):
    rng = np.random.default_rng(seed)
    dosage = rng.binomial(2, rng.uniform(0.02, 0.98, (variants, 1)), (variants, n)).astype(np.float32)
    dosage[rng.random(dosage.shape) < lost / 2] = np.nan
    values = rng.normal(size=(n, phenotypes)) + np.nan_to_num(dosage[:1].T) * np.arange(phenotypes)
    for column in range(1, phenotypes, 2):
        values[rng.random(n) < lost, column] = np.nan
    return dosage, values, rng.normal(size=(n, covariates)) + 50


def compare(table, dosage, values, covariates, missing, rtol=1e-8):
    rows = {(r["variant_id"], r["phenotype"]): r for r in table.iter_rows(named=True)}
    assert len(rows) == table.height
    for v, genotype in enumerate(dosage):
        for p in range(values.shape[1]):
            row, fit = rows.get((f"v{v}", f"phenotype {p + 1}")), regress(genotype, values[:, p], covariates, missing)
            if fit is None:
                assert row is None, (v, p, row)
                continue
            assert row is not None, (v, p, fit)
            assert (row["n"], row["degrees_of_freedom"]) == (fit.n, fit.df)
            assert row["effect_allele_frequency"] == pytest.approx(fit.frequency, rel=1e-12)
            assert row["standard_error"] == pytest.approx(fit.error, rel=rtol)
            assert row["beta"] == pytest.approx(fit.beta, rel=rtol, abs=rtol * fit.error)
            assert row["statistic"] == pytest.approx(fit.t, rel=rtol, abs=rtol)
            assert row["neg_log_10_p_value"] == pytest.approx(fit.neg_log_10_p, rel=1e-6, abs=rtol)


@pytest.mark.parametrize("missing", ["mean", "drop"])
@pytest.mark.parametrize("covariates", [0, 1, 6])
def test_equals_one_regression_at_a_time(missing, covariates):
    dosage, values, table = cohort(1, 60, 25, 6, covariates)
    found = scan_block(block_of(dosage), values, table, missing=missing)
    assert found.columns == list(TABLES["sumstats/sumstats"].schema)
    compare(found, dosage, values, table, missing)


@st.composite
def corner(draw):
    """Small tables with the awkward columns planted."""
    n, covariates = draw(st.integers(4, 14)), draw(st.integers(0, 3))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    dosage = rng.choice([0.0, 1.0, 2.0, np.nan], size=(8, n), p=[0.45, 0.3, 0.2, 0.05])
    dosage[0] = draw(st.sampled_from([0.0, 1.0, 2.0]))
    dosage[1] = 0
    dosage[1, draw(st.integers(0, n - 1))] = 1
    dosage[2] = np.nan
    dosage[3, 1:] = np.nan
    table = rng.normal(size=(n, covariates))
    if covariates and draw(st.booleans()):
        table[:, 0] = np.nan_to_num(dosage[4])
    values = rng.normal(size=(n, 4)).round(draw(st.integers(0, 6)))
    values[:, 1] = values[:, 1] + 3
    values[rng.random(n) < 0.2, 2] = np.nan
    if draw(st.booleans()):
        values[:, 3] = np.nan_to_num(dosage[5]) * 2 + 1
    return dosage, values, table


@settings(max_examples=60, deadline=None)
@given(corner(), st.sampled_from(["mean", "drop"]))
def test_corner_cases_equal_one_regression_at_a_time(case, missing):
    dosage, values, table = case
    try:
        found = scan_block(block_of(dosage), values, table, missing=missing)
    except FitError:
        full = np.column_stack([np.ones(len(values)), table])
        no_room = len(values) <= full.shape[1] + 1 or np.linalg.matrix_rank(full) < full.shape[1]
        assert no_room or all(regress(g, y, table, missing) is None for g in dosage for y in values.T), (
            "refused although a regression exists"
        )
        return
    assert found.select(pl.col(pl.Float64).is_finite().all()).row(0) == (True,) * 5
    compare(found, dosage, values, table, missing, rtol=1e-6)


@pytest.mark.parametrize(
    ("missing", "dtype"), [("mean", "float64"), ("drop", "float64"), ("mean", "float32"), ("drop", "float32")]
)
def test_numbers_do_not_depend_on_the_block_to_the_bit(missing, dtype):
    dosage, values, table = cohort(2, 501, 600, 7, 3)
    whole, design = block_of(dosage), regression_design(values, table)
    expected, _ = scan_design(whole, design, missing=missing, dtype=dtype)
    for size in (1, 97, 256, 300):
        starts = range(0, 40 if size == 1 else 600, size)
        parts = [scan_design(part(whole, s, s + size), design, missing=missing, dtype=dtype)[0] for s in starts]
        found = pl.concat(parts)
        assert found.equals(expected.head(found.height))


@pytest.mark.parametrize("missing", ["mean", "drop"])
def test_single_precision_is_within_its_tolerance(missing):
    dosage, values, table = cohort(3, 2000, 300, 9, 5)
    values[:, 4] += 6 * np.nan_to_num(dosage[7])  # −log10 p of hundreds
    double = scan_block(block_of(dosage), values, table, missing=missing)
    single = scan_block(block_of(dosage), values, table, missing=missing, dtype="float32")
    assert double["neg_log_10_p_value"].max() > 300
    np.testing.assert_allclose(single["standard_error"], double["standard_error"], rtol=1e-4)
    np.testing.assert_allclose((single["beta"] - double["beta"]) / double["standard_error"], 0, atol=1e-4)
    low = double["neg_log_10_p_value"] <= 300
    np.testing.assert_allclose(
        single["neg_log_10_p_value"].filter(low), double["neg_log_10_p_value"].filter(low), atol=1e-3
    )


def test_rows_come_variant_by_variant_and_omissions_are_told():
    dosage, values, table = cohort(4, 40, 6, 3, 1, lost=0)
    dosage[2] = 1
    dosage[3] = np.nan
    dosage[4] = np.clip(np.round(table[:, 0] - 49), 0, 2)
    table[:, 0] = dosage[4]
    values[:, 1] = dosage[5] * 3 + table[:, 0]
    found, problems = scan_design(block_of(dosage), regression_design(values, table))
    pairs = list(zip(found["variant_id"], found["phenotype"], strict=True))
    assert pairs == [(f"v{v}", f"phenotype {p}") for v in (0, 1, 5) for p in (1, 2, 3) if (v, p) != (5, 2)]
    assert {(p.item, p.got, p.count) for p in problems} == {
        ("v2", "no two analysed subjects differ in genotype", 3),
        ("v3", "no two analysed subjects differ in genotype", 3),
        ("v4", "the covariates determine the genotype", 3),
        ("v5", "the variant fits the phenotype perfectly, which leaves no error to test against", 1),
    }
    assert {p.severity for p in problems} == {"no value"}


def test_dropping_tells_why_a_variant_has_no_value():
    rng = np.random.default_rng(5)
    dosage = rng.choice([0.0, 1.0, 2.0], size=(4, 12))
    site = np.repeat([0.0, 1.0], [9, 3])
    values = rng.normal(size=(12, 2))
    values[:, 1] = np.repeat([0.0, 1.0, 2.0], [9, 2, 1]) + site
    dosage[0, 9:] = np.nan  # everybody of the second site
    dosage[1, 3:] = np.nan  # three subjects, three columns
    dosage[2, 11] = np.nan  # with this one the second phenotype loses all that the site does not tell
    found, problems = scan_design(block_of(dosage), regression_design(values, site[:, None]), missing="drop")
    assert {(p.item, p.got, p.count) for p in problems} == {
        ("v0", "the covariates determine each other among the subjects with a genotype", 2),
        ("v1", "too few subjects with a genotype", 2),
        ("v2", "the phenotype does not vary among the subjects with a genotype", 1),
    }
    compare(found, dosage, values, site[:, None], "drop")


def test_dropping_nearly_all_of_a_site_keeps_the_digits():
    rng = np.random.default_rng(9)
    dosage = rng.choice([0.0, 1.0, 2.0], size=(3, 400))
    # a covariate that hardly varies without the twenty subjects who have no genotype
    noise = rng.normal(size=400)
    covariate = np.repeat([0.0, 1.0], [380, 20]) + 1e-5 * noise
    dosage[0] = 1.0 + np.sign(np.round(noise))
    dosage[0, 380:] = np.nan
    values = rng.normal(size=(400, 3)) + noise[:, None]
    found = scan_block(block_of(dosage), values, covariate[:, None], missing="drop")
    compare(found, dosage, values, covariate[:, None], "drop", rtol=1e-7)


def test_a_rare_allele_beside_many_is_exact():
    rng = np.random.default_rng(6)
    dosage = np.zeros((2, 3000), dtype=np.float32)
    dosage[0, 17] = 1
    dosage[1] = 2
    dosage[1, 17] = 1
    values, table = rng.normal(size=(3000, 2)) * 1e-3 + 1e3, rng.normal(size=(3000, 4)) * [1, 1e3, 1e-3, 1]
    found = scan_block(block_of(dosage), values, table)
    compare(found, dosage, values, table, "mean", rtol=1e-7)
    flipped = found.filter(pl.col("variant_id") == "v1")
    np.testing.assert_allclose(flipped["beta"], -found.filter(pl.col("variant_id") == "v0")["beta"], rtol=1e-9)


def test_a_p_value_far_below_underflow():
    rng = np.random.default_rng(7)
    dosage = rng.binomial(2, 0.4, (1, 3000)).astype(np.float32)
    values = dosage.T + rng.normal(size=(3000, 1)) * 0.02
    found = scan_block(block_of(dosage), values)
    assert 4000 < found["neg_log_10_p_value"][0] < 5000
    # ln p of a t with many degrees of freedom is −½ (df + 1) ln(1 + t²/df) and a logarithm of t
    t, df = found["statistic"][0], found["degrees_of_freedom"][0]
    leading = 0.5 * df * np.log1p(t * t / df) / np.log(10)
    assert found["neg_log_10_p_value"][0] == pytest.approx(leading, abs=np.log10(10 * t))


def test_an_empty_block():
    values = np.random.default_rng(8).normal(size=(9, 2))
    assert scan_block(block_of(np.empty((0, 9))), values).height == 0


@pytest.mark.parametrize("missing", ["mean", "drop"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_many_patterns_some_of_which_lack_most_subjects(missing, dtype):
    rng = np.random.default_rng(10)
    dosage, values, table = cohort(10, 2400, 70, 6, 3, lost=0.02)
    for column, lost in enumerate((0.0, 0.05, 0.3, 0.6, 0.9, 0.02)):
        values[:, column] = rng.normal(size=2400) + 0.2 * np.nan_to_num(dosage[5])
        values[rng.random(2400) < lost, column] = np.nan
    values[table[:, 0] > 50.3, 1] = np.nan  # who is missing depends on a covariate
    found = scan_block(block_of(dosage), values, table, missing=missing, dtype=dtype)
    if dtype == "float64":
        compare(found, dosage, values, table, missing, rtol=1e-8)
        return
    double = scan_block(block_of(dosage), values, table, missing=missing)
    assert found.select("variant_id", "phenotype", "n").equals(double.select("variant_id", "phenotype", "n"))
    np.testing.assert_allclose(found["standard_error"], double["standard_error"], rtol=1e-4)
    np.testing.assert_allclose((found["beta"] - double["beta"]) / double["standard_error"], 0, atol=1e-4)
    np.testing.assert_allclose(found["neg_log_10_p_value"], double["neg_log_10_p_value"], atol=1e-3)
