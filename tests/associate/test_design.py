import numpy as np
import pytest

from radiolocus.associate.design import pattern_basis, regression_design
from radiolocus.errors import FitError, TableError

RNG = np.random.default_rng(1)


def test_phenotypes_known_for_the_same_subjects_share_a_group():
    values = RNG.normal(size=(30, 5))
    values[3, [1, 4]] = np.nan
    values[[2, 7], 3] = np.nan
    covariates = RNG.normal(size=(30, 2))
    design = regression_design(values, covariates)
    assert [g.columns.tolist() for g in design.patterns] == [[0, 2], [1, 4], [3]]
    assert design.columns.tolist() == [0, 2, 1, 4, 3]
    assert [g.rows.size for g in design.patterns] == [30, 29, 28]
    assert [g.df for g in design.patterns] == [26, 25, 24]
    for place, column in enumerate(design.columns):
        known = ~np.isnan(values[:, column])
        full = np.column_stack([np.ones(known.sum()), covariates[known]])
        rest = values[known, column] - full @ np.linalg.lstsq(full, values[known, column], rcond=None)[0]
        np.testing.assert_allclose(design.response[known, place] * design.length[place], rest, atol=1e-12)
        np.testing.assert_allclose(np.linalg.norm(design.response[:, place]), 1)
        assert not design.response[~known, place].any()
    for pattern in design.patterns:
        basis = pattern_basis(pattern, design.basis)
        np.testing.assert_allclose(basis.T @ basis, np.eye(3), atol=1e-12)
        np.testing.assert_allclose(pattern.gram, design.basis[pattern.rows].T @ design.basis[pattern.rows], atol=1e-12)


def test_a_covariate_that_hardly_varies_in_a_pattern_gets_a_basis_of_its_own():
    values = RNG.normal(size=(40, 2))
    values[20:, 1] = np.nan
    covariate = np.repeat([0.0, 1.0], 20) + 1e-4 * RNG.normal(size=40)
    design = regression_design(values, covariate[:, None])
    assert [pattern.own is None for pattern in design.patterns] == [True, False]
    basis = pattern_basis(design.patterns[1], design.basis)
    np.testing.assert_allclose(basis.T @ basis, np.eye(2), atol=1e-12)
    centred = covariate[:20] - covariate[:20].mean()
    np.testing.assert_allclose(basis @ (basis.T @ centred), centred, atol=1e-15)


@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_the_unit_of_a_phenotype_is_no_matter(scale):
    values = RNG.normal(size=(20, 1))
    one, other = regression_design(values), regression_design(values * scale)
    np.testing.assert_allclose(one.response, other.response, rtol=1e-12)
    np.testing.assert_allclose(one.length * scale, other.length)


def test_phenotypes_without_information_are_set_aside_with_their_reason():
    values = RNG.normal(size=(30, 6))
    covariates = np.column_stack([RNG.normal(size=30), np.repeat([0.0, 1.0], 15)])
    values[:, 1] = 1234.56789
    values[:, 2] = 3 * covariates[:, 0] - covariates[:, 1] + 7
    values[4:, 3] = np.nan
    values[15:, 4] = np.nan
    names = ["good", "flat", "copy", "rare", "one site", "fine"]
    design = regression_design(values, covariates, phenotype_names=names, covariate_names=["age", "site"])
    assert [design.phenotypes[c] for c in design.columns] == ["good", "fine"]
    told = {p.item: p for p in design.problems}
    assert told["flat"].got == "one value in all 30 subjects that have it"
    assert told["copy"].got == "a combination of the covariates: nothing is left of it"
    assert told["rare"].got.startswith("among the 4 subjects that have it: 4 subjects for an intercept, 2 covariates")
    assert told["rare"].allowed == "at least 5 subjects"
    assert told["one site"].got.endswith("determine: site (constant)")
    assert {p.severity for p in design.problems} == {"set aside"}


def test_n_barely_above_k():
    values, covariates = RNG.normal(size=(6, 2)), RNG.normal(size=(6, 4))
    with pytest.raises(FitError) as caught:
        regression_design(values, covariates)
    assert caught.value.got == "6 subjects for an intercept, 4 covariates and a variant"
    assert caught.value.allowed == "at least 7 subjects"
    assert regression_design(values, covariates[:, :3]).patterns[0].df == 1


def test_no_phenotype_left():
    with pytest.raises(FitError, match=r"none of the 2 phenotypes can be analysed .*one value in all 9"):
        regression_design(np.ones((9, 2)))


def test_collinear_covariates_are_named():
    covariates = RNG.normal(size=(9, 2)) @ np.array([[1.0, 0, 1], [0, 1, 1]])
    with pytest.raises(FitError, match="already determine: c"):
        regression_design(RNG.normal(size=(9, 2)), covariates, covariate_names=["a", "b", "c"])


def test_numbers_that_are_none():
    values, covariates = RNG.normal(size=(9, 2)), RNG.normal(size=(9, 2))
    covariates[3, 1] = np.nan
    with pytest.raises(TableError, match="1 values of covariate b that are no finite numbers"):
        regression_design(values, covariates, covariate_names=["a", "b"])
    values[2, 0] = np.inf
    with pytest.raises(TableError, match="1 values of phenotype phenotype 1 that are no finite"):
        regression_design(values)


def test_correlation_is_that_of_the_statistics_without_association():
    values, covariates = RNG.normal(size=(50, 4)), RNG.normal(size=(50, 2))
    values[:, 1] += values[:, 0] + covariates[:, 0]
    full = np.column_stack([np.ones(50), covariates])
    rest = values - full @ np.linalg.lstsq(full, values, rcond=None)[0]
    np.testing.assert_allclose(regression_design(values, covariates).correlation(), np.corrcoef(rest.T), atol=1e-12)
    values[:25, 1] = np.nan
    design = regression_design(values, covariates)
    drawn = RNG.normal(size=(200_000, 50)) @ design.response  # products with variants that have nothing to do with them
    np.testing.assert_allclose(np.corrcoef(drawn.T), design.correlation(), atol=0.01)
    assert design.correlation()[0, 3] < 0.8 * np.corrcoef(rest.T)[0, 1]
