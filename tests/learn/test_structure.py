"""Components of genotypes are learned from the training part alone."""

import numpy as np

from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors, fit_preprocess
from radiolocus.learn.structure import COMPONENT, fit_components


def genotypes(n=60, m=200, seed=1):
    """Two ancestries, some genotypes missing, a tenth of the variants rare."""
    rng = np.random.default_rng(seed)
    share = rng.uniform(0.2, 0.8, (2, m))
    share[:, ::10] = 0.01
    group = np.arange(n) % 2
    dosage = rng.binomial(2, share[group]).astype(float)
    dosage[rng.random((n, m)) < 0.03] = np.nan
    return dosage, group


def test_components_are_those_of_the_standardised_genotypes():
    dosage, group = genotypes()
    found = fit_components(dosage, 3)
    mean = np.nanmean(dosage, axis=0)
    p = mean / 2
    common = np.minimum(p, 1 - p) >= 0.05
    Z = np.nan_to_num((dosage - mean)[:, common] / np.sqrt(2 * p * (1 - p))[common])
    U, size, _ = np.linalg.svd(Z, full_matrices=False)
    np.testing.assert_allclose(np.abs(found.scores(dosage)), np.abs(U[:, :3] * size[:3]), atol=1e-9)
    assert abs(np.corrcoef(found.scores(dosage)[:, 0], group)[0, 1]) > 0.9
    assert np.isnan(found.scores(np.full((1, 200), np.nan))).all()


def test_nothing_is_learned_from_whom_is_held_out():
    dosage, _ = genotypes()
    names = ("age", *(f"{COMPONENT}{k}" for k in (1, 2)))
    numeric = np.column_stack([np.random.default_rng(2).normal(size=60), np.zeros((60, 2))])

    def table(values):
        return Predictors(
            numeric, names, ("clinical", "genetic", "genetic"), np.zeros((60, 0), np.int64), structure=values
        )

    training = np.arange(60) < 40
    poisoned = dosage.copy()
    poisoned[~training] = 2.0
    options = ProtocolOptions()
    clean, again = (fit_preprocess(table(v).take(training), options) for v in (dosage, poisoned))
    assert clean.columns == again.columns == names
    assert clean.mean.tobytes() == again.mean.tobytes()
    X, Y = clean.apply(table(dosage)), again.apply(table(poisoned))
    np.testing.assert_array_equal(X[training], Y[training])
    assert (X[~training, 1:] != Y[~training, 1:]).any()
    np.testing.assert_allclose(X[training].std(axis=0), 1)
    assert table(dosage).of_block("clinical").structure is None
