import numpy as np
import pytest

from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors, fit_preprocess, join_predictors

NAN = np.nan


def table(numeric, codes=None, levels=("high", "low", "mid")):
    numeric = np.asarray(numeric, float)
    q = 0 if codes is None else 1
    return Predictors(
        numeric,
        tuple(f"x{j}" for j in range(numeric.shape[1])),
        ("imaging",) * numeric.shape[1],
        np.zeros((len(numeric), 0), np.int64) if codes is None else np.asarray(codes, np.int64)[:, None],
        (levels,) * q,
        ("Grade",) * q,
        ("clinical",) * q,
    )


def test_numbers_are_imputed_by_the_training_median_and_scaled():
    fitted = fit_preprocess(table([[1.0], [2.0], [9.0], [NAN]]), ProtocolOptions())
    values = np.array([1.0, 2.0, 9.0, 2.0])
    new = fitted.apply(table([[5.0], [NAN], [np.inf]]))
    expected = (np.array([5.0, 2.0, 2.0]) - values.mean()) / values.std()
    np.testing.assert_allclose(new[:, 0], expected)
    assert (fitted.columns, fitted.blocks) == (("x0",), ("imaging",))


def test_missing_indicator_says_where_a_number_was_missing():
    training = table([[1.0, 1.0], [2.0, 4.0], [9.0, 2.0], [NAN, 3.0]])
    fitted = fit_preprocess(training, ProtocolOptions(missing_indicator=True))
    assert fitted.columns == ("x0", "x1", "x0 (missing)")
    column = fitted.apply(table([[NAN, 1.0], [3.0, NAN]]))[:, 2]
    np.testing.assert_allclose(column, (np.array([1.0, 0.0]) - 0.25) / np.sqrt(0.25 * 0.75))


def test_constant_and_mostly_missing_predictors_go_with_a_note():
    X = np.random.default_rng(0).normal(size=(10, 4))
    X[:4, 1] = NAN
    X[:, 2] = 7.3
    X[:, 3] = 1e9 + 1e-7 * X[:, 3]
    fitted = fit_preprocess(table(X), ProtocolOptions(max_missing=0.3))
    assert fitted.columns == ("x0",)
    assert fitted.notes == (
        ("x1", "more than 30% missing in a training part"),
        ("x2", "constant in a training part"),
        ("x3", "constant in a training part"),
    )


def test_categories_become_indicators_of_the_levels_seen_in_training():
    codes = [0] * 4 + [1] * 6 + [2] * 2 + [-1]
    fitted = fit_preprocess(table(np.zeros((13, 0)), codes), ProtocolOptions(min_level=3))
    assert fitted.columns == ("Grade=high",)
    assert fitted.blocks == ("clinical",)
    share = np.array([1.0] * 4 + [0.0] * 9)
    new = table(np.zeros((4, 0)), [0, 1, 2, -1])
    expected = (np.array([1.0, 0.0, 0.0, 0.0]) - share.mean()) / share.std()
    np.testing.assert_allclose(fitted.apply(new)[:, 0], expected)
    assert fitted.unseen(new) == []
    more = fit_preprocess(table(np.zeros((13, 0)), codes), ProtocolOptions(min_level=1))
    assert more.columns == ("Grade=high", "Grade=mid")


def test_a_category_that_training_did_not_hold_counts_as_the_reference_and_is_named():
    fitted = fit_preprocess(table(np.zeros((8, 0)), [0, 0, 0, 0, 0, 1, 1, 1]), ProtocolOptions())
    new = table(np.zeros((2, 0)), [2, 0])
    assert fitted.unseen(new) == [("Grade", "mid")]
    same = fitted.apply(new)
    np.testing.assert_array_equal(same[0], same[1])


def test_a_mostly_missing_category_goes():
    fitted = fit_preprocess(table(np.zeros((6, 0)), [-1, -1, -1, 0, 1, 1]), ProtocolOptions())
    assert fitted.columns == ()
    assert fitted.notes == (("Grade", "more than 30% missing in a training part"),)
    assert fitted.apply(table(np.zeros((2, 0)), [0, 1])).shape == (2, 0)


def test_screening_keeps_the_strongest_before_redundancy_removes_copies():
    X = np.random.default_rng(0).normal(size=(40, 6))
    X[:, 5] = X[:, 0] * 2
    options = ProtocolOptions(screen=3)
    fitted = fit_preprocess(table(X), options, lambda Z: np.array([9.0, 1.0, 2.0, 8.0, 3.0, 9.0]))
    assert fitted.columns == ("x0", "x3")


def test_nothing_that_is_learned_depends_on_other_rows_or_their_order():
    X = np.random.default_rng(0).normal(size=(30, 5))
    a = fit_preprocess(table(X), ProtocolOptions())
    b = fit_preprocess(table(np.vstack([X, X[:3] * 1e6])).take(np.arange(30)), ProtocolOptions())
    np.testing.assert_array_equal(a.mean, b.mean)
    np.testing.assert_array_equal(a.scale, b.scale)


def test_predictors_of_the_same_subjects_are_joined_with_their_blocks():
    both = join_predictors([table([[1.0], [2.0]]), table([[3.0, 4.0], [5.0, 6.0]], [0, 1])])
    assert both.candidates == 4
    assert both.numeric_names == ("x0", "x0", "x1")
    assert both.categorical_blocks == ("clinical",)
    np.testing.assert_array_equal(both.numeric, [[1, 3, 4], [2, 5, 6]])


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e200])
def test_values_that_nothing_measures_count_as_missing(value):
    assert np.isnan(table([[value], [1.0]]).numeric[0, 0])
