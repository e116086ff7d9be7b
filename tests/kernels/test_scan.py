import numpy as np
import pytest
from scipy.stats import t as student

from radiolocus.kernels import scan
from radiolocus.kernels.tail import CELL_WIDTH, table_t

RNG = np.random.default_rng(5)


def _plain(function):
    return getattr(function, "py_func", function)


@pytest.mark.parametrize("style", [lambda f: f, _plain], ids=["compiled", "plain"])
def test_a_tile_is_turned(style):
    tile = RNG.normal(size=(5, 131)).astype(np.float32)
    out = np.empty((131, 5), dtype=np.float32)
    style(scan.transpose_tile)(tile, out)
    np.testing.assert_array_equal(out, tile.T)


@pytest.mark.parametrize("style", [lambda f: f, _plain], ids=["compiled", "plain"])
def test_moments_of_some_rows(style):
    tile, rows = RNG.normal(size=(150, 6)), np.array([3, 0, 149, 7] * 20)
    panel, sums, squares = np.empty((90, 6)), np.zeros(6), np.zeros(6)
    style(scan.gather_moments)(tile, rows, panel, sums, squares)
    np.testing.assert_array_equal(panel[: rows.size], tile[rows])
    np.testing.assert_allclose(sums, tile[rows].sum(axis=0))
    np.testing.assert_allclose(squares, (tile[rows] ** 2).sum(axis=0))


@pytest.mark.parametrize("columns", [1, 4])
def test_sums_over_rows_go_on_from_chunk_to_chunk(columns):
    n, length = 50, 8
    basis, tile, rows = RNG.normal(size=(n, columns)), RNG.normal(size=(n, 6)), RNG.permutation(n)[:19]
    basis[:, 0] = 0.3
    # three chunks for panels of eight rows: 7, 7 and 5
    loadings = np.concatenate([basis[part, 1:].T.ravel() for part in (rows[:7], rows[7:14], rows[14:])])
    found, squares = np.empty((columns, 6)), np.empty(6)
    scan.sums_over(tile, rows, loadings, 0.3, np.full((length, 6), np.nan), found, squares)
    np.testing.assert_allclose(found, basis[rows].T @ tile[rows])
    np.testing.assert_allclose(squares, (tile[rows] ** 2).sum(axis=0))


@pytest.mark.parametrize("style", [lambda f: f, _plain], ids=["compiled", "plain"])
def test_genotypes_are_counted_among_some_subjects(style):
    dosage = RNG.choice(np.array([0, 0.5, 1, 2, np.nan], dtype=np.float32), size=(7, 30))
    variants, rows = np.array([6, 2]), np.array([1, 5, 28])
    count, alleles = np.empty(2, dtype=np.int64), np.empty(2)
    style(scan.observed_in)(dosage, variants, rows, count, alleles)
    chosen = dosage[np.ix_(variants, rows)]
    np.testing.assert_array_equal(count, (~np.isnan(chosen)).sum(axis=1))
    np.testing.assert_array_equal(alleles, np.nansum(chosen, axis=1))


@pytest.mark.parametrize("style", [lambda f: f, _plain], ids=["compiled", "plain"])
def test_dropping_subjects_equals_projecting_again(style):
    n, k, patterns = 40, 3, 2
    basis = np.linalg.qr(np.column_stack([np.ones(n), RNG.normal(size=(n, k - 1))]))[0]
    known = np.ones((patterns, n), dtype=bool)
    known[1, [3, 8, 9]] = False
    first = np.array([0, 2, 3])
    response = np.zeros((n, 3))
    for g in range(patterns):
        own = np.linalg.qr(basis[known[g]])[0]
        y = RNG.normal(size=(known[g].sum(), first[g + 1] - first[g]))
        y -= own @ (own.T @ y)
        response[known[g], first[g] : first[g + 1]] = y / np.linalg.norm(y, axis=0)
    x, missing = RNG.normal(size=n), np.array([0, 8, 20])
    x[missing] = 0
    grams = np.stack([basis[kept].T @ basis[kept] for kept in known])
    loading, squares = (
        np.stack([basis[kept].T @ x[kept] for kept in known]),
        np.array([x[kept] @ x[kept] for kept in known]),
    )
    sxy, sxx, syy, df, pivot = x @ response, np.zeros(2), np.ones(3), np.array([36, 33]), np.empty(2)
    style(scan.drop_missing)(missing, known, basis, grams, response, first, loading, squares, sxy, sxx, syy, df, pivot)
    assert df.tolist() == [33, 31]
    for g in range(patterns):
        kept = known[g].copy()
        kept[missing] = False
        own = np.linalg.qr(basis[kept])[0]
        rest = x[kept] - own @ (own.T @ x[kept])
        assert sxx[g] == pytest.approx(rest @ rest, rel=1e-10)
        for p in range(first[g], first[g + 1]):
            y = response[kept, p] - own @ (own.T @ response[kept, p])
            assert sxy[p] == pytest.approx(rest @ y, rel=1e-9, abs=1e-12)
            assert syy[p] == pytest.approx(y @ y, rel=1e-10)
        factor = np.linalg.cholesky(basis[kept].T @ basis[kept])
        assert pivot[g] == pytest.approx(np.diagonal(factor).min())


def test_covariates_that_determine_each_other_have_no_pivot():
    basis = np.linalg.qr(np.column_stack([np.ones(6), [0.0, 0, 0, 0, 1, 1]]))[0]
    known, first, pivot = np.ones((1, 6), dtype=bool), np.array([0, 1]), np.empty(1)
    sxx, df = np.array([7.0]), np.array([3])
    scan.drop_missing(
        np.array([4, 5]), known, basis, np.eye(2)[None], np.zeros((6, 1)), first, np.zeros((1, 2)), np.ones(1),
        np.zeros(1), sxx, np.ones(1), df, pivot,
    )  # fmt: skip
    assert pivot[0] < 1e-7


@pytest.mark.parametrize("style", [lambda f: f, _plain], ids=["compiled", "plain"])
def test_t_from_sums_and_what_is_computed_again(style):
    sxy, sxx, df = np.array([[0.3, -0.2, 0.999, 0.9]]), np.array([[1.0, 4.0]]), np.array([[50, 20]])
    state, t = np.array([[0, 2, 0, 0]], dtype=np.int8), np.empty((1, 4))
    again = style(scan.student_t)(sxy, sxx, np.ones((1, 1)), df, np.array([0, 0, 0, 1]), 1e-2, 2.24, state, t)
    assert again == 2
    assert state.tolist() == [[0, 2, -1, -1]]
    assert t[0, 0] == pytest.approx(0.3 * np.sqrt(50 / (1 - 0.09)))
    assert np.isnan(t[0, 1:3]).all()
    assert t[0, 3] == pytest.approx(0.9 * np.sqrt(20 / (4 - 0.81)))
    state[:] = 0
    style(scan.student_t)(sxy, sxx, np.full((1, 4), 2.0), df, np.array([0, 0, 0, 1]), 1e-2, 9.0, state, t)
    assert t[0, 0] == pytest.approx(0.3 * np.sqrt(50 / (2 - 0.09)))


@pytest.mark.parametrize("style", [lambda f: f, _plain], ids=["compiled", "plain"])
def test_tests_are_counted_and_the_smallest_p_values_found(style):
    log_p = RNG.exponential(size=(150, 5)).round(2)  # rounded, so that the largest is not the only one
    log_p[0], log_p[7, 2], log_p[3, 1] = np.nan, np.nan, 40.0
    counts, tests = np.zeros((5, scan.EDGES.size), dtype=np.int32), np.zeros(5, dtype=np.int64)
    top, best = np.full(5, -1.0), np.full(5, -1, dtype=np.int64)
    of_variant, largest, column = np.empty(150, dtype=np.int64), np.empty(150), np.empty(150, dtype=np.int64)
    style(scan.tally)(log_p, counts, tests, top, best, of_variant, largest, column)
    known = np.where(np.isnan(log_p), -1.0, log_p)
    np.testing.assert_array_equal(tests, (known >= 0).sum(axis=0))
    np.testing.assert_array_equal(of_variant, (known >= 0).sum(axis=1))
    np.testing.assert_array_equal((top, best), (known.max(axis=0), known.argmax(axis=0)))
    np.testing.assert_array_equal(largest, known.max(axis=1))
    np.testing.assert_array_equal(column[1:], known.argmax(axis=1)[1:])
    assert column[0] == -1
    edges = np.append(scan.EDGES, np.inf)
    for p in range(5):
        np.testing.assert_array_equal(counts[p], np.histogram(log_p[known[:, p] >= 0, p], edges)[0])


@pytest.mark.parametrize("style", [lambda f: f, _plain], ids=["compiled", "plain"])
@pytest.mark.parametrize("rows", [1, 70])
def test_log_p_from_tables(style, rows):
    t, pattern = RNG.normal(size=(70, 3)) * 3, np.array([0, 1, 0])
    t[5, 1], t[6, 0] = np.nan, 9.0
    which = RNG.integers(0, 2, size=(rows, 2))
    tables = np.stack([table_t(8.0), table_t(500.0)])
    out = np.empty((70, 3))
    assert style(scan.log_p_of)(t, which, pattern, tables, CELL_WIDTH, out) == (np.abs(t) >= 8).sum()
    df = np.array([8.0, 500.0])[np.broadcast_to(which, (70, 2))[:, pattern]]
    expected = np.where(np.abs(t) >= 8, -1.0, -np.log10(2 * student.sf(np.abs(t), df)))
    np.testing.assert_allclose(out, expected, rtol=1e-9, atol=1e-12)
