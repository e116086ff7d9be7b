import shutil
import subprocess

import numpy as np
import pytest
from scipy import stats

from radiolocus.errors import ConfigError
from radiolocus.stats.multiplicity import (
    benjamini_hochberg,
    bonferroni,
    effective_number_galwey,
    effective_number_li_ji,
    hierarchical,
    lambda_gc,
    simes,
    storey,
    true_null_share,
)

# Benjamini & Hochberg 1995, section 4.1: fifteen p-values of a trial of thrombolysis; the procedure at 0.05 rejects
# the four smallest, Bonferroni the three smallest.
PUBLISHED = np.array(
    [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262, 0.5719, 0.6528, 0.759, 1.0]
)


def test_the_published_example():
    q = benjamini_hochberg(-np.log10(PUBLISHED))
    assert (q <= 0.05).sum() == 4
    assert (bonferroni(-np.log10(PUBLISHED)) <= 0.05).sum() == 3
    np.testing.assert_allclose(q, stats.false_discovery_control(PUBLISHED), rtol=1e-12)


def test_order_ties_and_missing_values():
    rng = np.random.default_rng(1)
    p = np.round(rng.uniform(size=(20, 10)), 2) + 0.001
    log_p = -np.log10(np.minimum(p, 1))
    log_p[3, 4] = log_p[11, 0] = np.nan
    there = ~np.isnan(log_p)
    q = benjamini_hochberg(log_p)
    assert np.isnan(q[~there]).all()
    np.testing.assert_allclose(q[there], stats.false_discovery_control(10 ** -log_p[there]), rtol=1e-10)
    np.testing.assert_allclose(bonferroni(log_p)[there], np.minimum(10 ** -log_p[there] * there.sum(), 1), rtol=1e-12)


def test_a_stated_number_of_tests_counts_those_not_kept():
    p = np.array([1e-9, 1e-3, 0.01])
    np.testing.assert_allclose(bonferroni(-np.log10(p), 1000), [1e-6, 1, 1])
    full = np.concatenate([p, np.ones(997)])
    np.testing.assert_allclose(benjamini_hochberg(-np.log10(p), 1000), stats.false_discovery_control(full)[:3])
    for function in (bonferroni, benjamini_hochberg):
        with pytest.raises(ConfigError, match="2 tests for 3 p-values; allowed: at least 3"):
            function(-np.log10(p), 2)


def test_beyond_underflow_the_order_stands():
    q = benjamini_hochberg([4000.0, 300.0, 0.1])
    assert q[0] == 0
    assert q[1] == pytest.approx(1.5e-300)
    assert benjamini_hochberg([]).shape == (0,)


def test_lambda_is_the_median_chi_squared():
    rng = np.random.default_rng(3)
    for size in (1, 2, 999, 1000):
        chi2 = rng.chisquare(1, size) * 1.3
        log_p = -stats.chi2.logsf(chi2, 1) / np.log(10)
        expected = np.median(chi2) / stats.chi2.median(1)
        assert lambda_gc(np.append(log_p, np.nan)) == pytest.approx(expected, rel=1e-9)
    assert np.isnan(lambda_gc([np.nan]))
    assert lambda_gc([5000.0]) > 10_000


def test_effective_numbers_of_tests():
    # independent tests count in full, copies once
    assert effective_number_li_ji(np.ones(7)) == effective_number_galwey(np.ones(7)) == 7
    copies = np.linalg.eigvalsh(np.ones((5, 5)))
    assert effective_number_li_ji(copies) == pytest.approx(1, abs=1e-6)
    assert effective_number_galwey(copies) == pytest.approx(1, abs=1e-6)
    # three correlated by 0.5: eigenvalues 2, 0.5, 0.5
    three = np.linalg.eigvalsh(np.full((3, 3), 0.5) + np.eye(3) / 2)
    assert effective_number_li_ji(three) == pytest.approx(1 + 0 + 0.5 + 0.5)
    assert effective_number_galwey(three) == pytest.approx((2**0.5 + 2 * 0.5**0.5) ** 2 / 3)
    assert effective_number_galwey([-1.0, 0.0]) == 0


def test_storey_is_that_of_qvalue(tmp_path):
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed (Rscript)")
    rng = np.random.default_rng(5)
    p = np.round(np.concatenate([rng.uniform(size=300), rng.beta(0.3, 8, size=200)]), 12)
    (tmp_path / "p").write_text("\n".join(f"{x:.17g}" for x in p))
    code = """
    if (!suppressWarnings(suppressMessages(require(qvalue)))) quit(status = 9)
    q <- qvalue(scan(commandArgs(TRUE)[1], quiet = TRUE), pi0.method = "bootstrap")
    cat(format(c(q$pi0, q$qvalues), digits = 15), sep = "\\n")
    """
    done = subprocess.run(["Rscript", "-e", code, tmp_path / "p"], capture_output=True, text=True)
    if done.returncode == 9:
        pytest.skip("R's qvalue is not installed (r-bioc-qvalue)")
    expected = np.array(done.stdout.split(), dtype=float)
    assert true_null_share(-np.log10(p)) == pytest.approx(expected[0], rel=1e-9)
    np.testing.assert_allclose(storey(-np.log10(p)), expected[1:], rtol=1e-8)


def test_the_share_of_true_nulls_is_found():
    rng = np.random.default_rng(6)
    found = []
    for _ in range(20):
        z = rng.normal(size=2000)
        z[:600] += 3.5
        found.append(true_null_share(-np.log10(2 * stats.norm.sf(np.abs(z)))))
    assert np.mean(found) == pytest.approx(0.7, abs=0.03)
    assert np.isnan(true_null_share([np.nan]))
    assert np.isnan(storey([np.nan, 3.0])[0])
    assert storey([4.0, 5.0, 6.0]).max() > 0


def test_simes_of_one_and_of_many():
    assert simes([2.0]) == 2.0
    p = np.array([0.01, 0.02, 0.5, 0.9])
    assert 10 ** -simes(-np.log10(p)) == pytest.approx(min(0.04, 0.04, 4 * 0.5 / 3, 0.9))
    assert np.isnan(simes([np.nan]))


def test_families_first_then_their_tests():
    """The procedure written out: families by Simes and Benjamini-Hochberg, tests at 0.05 R / F."""
    rng = np.random.default_rng(7)
    family = rng.integers(0, 12, 400)
    p = rng.uniform(size=400)
    p[family < 3] **= 4
    p[:10] = np.nan
    family_p, family_q, selected = hierarchical(-np.log10(p), family)
    by = [p[(family == f) & ~np.isnan(p)] for f in range(12)]
    own = np.array([min(len(x) * v / (i + 1) for i, v in enumerate(np.sort(x))) for x in by])
    np.testing.assert_allclose(10**-family_p, own)
    chosen = stats.false_discovery_control(own) <= 0.05
    np.testing.assert_array_equal(family_q <= 0.05, chosen)
    assert 1 <= chosen.sum() < 12
    for f in range(12):
        mine = (family == f) & ~np.isnan(p)
        expected = chosen[f] & (stats.false_discovery_control(p[mine]) <= 0.05 * chosen.sum() / 12)
        np.testing.assert_array_equal(selected[mine], expected)
    assert not selected[:10].any()


def test_false_discoveries_within_selected_families_are_few():
    rng = np.random.default_rng(8)
    family = np.repeat(np.arange(20), 10)
    shares = []
    for _ in range(200):
        z = rng.normal(size=200)
        z[:15] += 3.0
        _, family_q, selected = hierarchical(-np.log10(2 * stats.norm.sf(np.abs(z))), family)
        wrong = [selected[(family == f) & (np.arange(200) >= 15)].sum() / max(selected[family == f].sum(), 1)
                 for f in np.flatnonzero(family_q <= 0.05)]  # fmt: skip
        shares.append(np.mean(wrong) if wrong else 0.0)
    assert np.mean(shares) < 0.05 + 3 * np.std(shares) / np.sqrt(200)
