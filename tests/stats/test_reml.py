import numpy as np
import pytest

from naive.mixed import best, restricted
from radiolocus.errors import FitError
from radiolocus.stats.ols import covariate_basis
from radiolocus.stats.reml import fit_variances, spectrum_of


@pytest.fixture
def data():
    rng = np.random.default_rng(2)
    n = 40
    z = rng.normal(size=(n, 60))
    z[1::2] = 0.7 * z[::2] + 0.7 * z[1::2]  # pairs of relatives
    relation = z @ z.T / 60
    covariates = rng.normal(size=(n, 2))
    y = np.linalg.cholesky(relation + 0.5 * np.eye(n)) @ rng.normal(size=n) + covariates @ [1.0, 2.0] + 5
    return relation, covariates, y


def test_the_space_is_orthogonal_to_the_covariates_and_the_matrix_is_diagonal_in_it(data):
    relation, covariates, _ = data
    basis = covariate_basis(covariates, 40)
    found = spectrum_of(relation.copy(), basis)
    assert found.rotation.shape == (40, 37)
    np.testing.assert_allclose(found.rotation.T @ found.rotation, np.eye(37), atol=1e-12)
    np.testing.assert_allclose(basis.T @ found.rotation, 0, atol=1e-12)
    np.testing.assert_allclose(found.rotation.T @ relation @ found.rotation, np.diag(found.values), atol=1e-12)
    centred = relation - relation.mean(0) - relation.mean(1)[:, None] + relation.mean()
    assert found.scale == pytest.approx(np.trace(centred) / 40)


def test_components_are_those_of_whole_matrices(data):
    relation, covariates, y = data
    found = spectrum_of(relation.copy(), covariate_basis(covariates, 40))
    fit = fit_variances(found.values, found.scale, found.rotation.T @ y)
    design = np.column_stack([np.ones(40), covariates])
    ratio = best(y, design, relation)
    value, coefficients, _ = restricted(y, design, relation, ratio)
    rest = y - design @ coefficients
    variance = rest @ np.linalg.inv(ratio * relation + np.eye(40)) @ rest / 37
    assert fit.boundary == ""
    assert fit.ratio == pytest.approx(ratio, rel=1e-5)
    assert fit.log_likelihood == pytest.approx(value, abs=1e-9)
    assert fit.residual_variance == pytest.approx(variance, rel=1e-5)
    assert fit.genetic_variance == pytest.approx(ratio * variance, rel=1e-5)
    assert fit.heritability == pytest.approx(found.scale * ratio / (found.scale * ratio + 1), rel=1e-5)
    # curvature of the likelihood in the heritability itself
    step = 1e-4
    ratios = [h / (1 - h) / found.scale for h in fit.heritability + step * np.array([-1, 0, 1])]
    low, middle, high = (restricted(y, design, relation, r)[0] for r in ratios)
    assert fit.standard_error == pytest.approx(1 / np.sqrt(-(high - 2 * middle + low) / step**2), rel=1e-3)


def test_fewer_variants_than_subjects_and_duplicates(data):
    _, covariates, y = data
    z = np.random.default_rng(0).normal(size=(40, 10))
    z[5] = z[6]
    found = spectrum_of(z @ z.T / 10, covariate_basis(covariates, 40))
    assert (found.values == 0).sum() == 27
    np.testing.assert_allclose(covariate_basis(covariates, 40).T @ found.rotation, 0, atol=1e-12)
    fit = fit_variances(found.values, found.scale, found.rotation.T @ y)
    assert fit.ratio == pytest.approx(best(y, np.column_stack([np.ones(40), covariates]), z @ z.T / 10), rel=1e-4)


def test_pure_noise_lies_at_the_lower_end():
    n = 50
    z = np.random.default_rng(1).normal(size=(n, 200))
    basis = covariate_basis(None, n)
    found = spectrum_of(z @ z.T / 200, basis)
    fit = fit_variances(found.values, found.scale, 1.0 / np.sqrt(1.0 + 50.0 * found.values))
    assert fit.boundary == "lower"
    assert fit.ratio == pytest.approx(1e-5)
    assert np.isnan(fit.standard_error)


@pytest.mark.parametrize(
    ("matrix", "told"),
    [
        (np.ones((6, 6)), "tells no subjects apart"),
        (np.full((6, 6), np.nan), "tells no subjects apart"),
        (np.diag([1.0, 1.0, 1.0, 1.0, 1.0, -1.0]), "eigenvalue of -"),
    ],
)
def test_matrices_that_cannot_be_decomposed(matrix, told):
    with pytest.raises(FitError) as caught:
        spectrum_of(matrix.copy(), covariate_basis(None, 6))
    assert told in caught.value.got
    assert caught.value.where == "mixed model"
