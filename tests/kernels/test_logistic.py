import numpy as np
import pytest

from radiolocus.kernels import logistic


@pytest.mark.parametrize("plain", [True, False])
def test_batch_solves_the_score_equations_and_says_why_not(plain):
    rng = np.random.default_rng(3)
    x = rng.normal(size=12)
    y = (x + rng.normal(size=12) > 0).astype(bool)
    columns = np.vstack([x, np.ones(12), np.where(y, 2.0, 1.0), np.where(y, 1.0, np.nan)])
    result, counts, status = np.full((4, 6), np.nan), np.zeros((4, 2), np.int64), np.zeros(4, np.int64)
    run = logistic.logistic_batch
    run = getattr(run, "py_func", run) if plain else run
    run(columns, y, result, counts, status)
    assert status.tolist() == [logistic.FITTED, logistic.CONSTANT, logistic.SEPARATED, logistic.ONE_CLASS]
    a, b, error, loglik, null, _ = result[0]
    p = 1 / (1 + np.exp(-(a + b * x)))
    assert [(y - p).sum(), ((y - p) * x).sum()] == pytest.approx([0, 0], abs=1e-9)
    information = np.array([[(p * (1 - p) * u * v).sum() for u in (1 + 0 * x, x)] for v in (1 + 0 * x, x)])
    assert error == pytest.approx(np.sqrt(np.linalg.inv(information)[1, 1]), rel=1e-8)
    assert loglik == pytest.approx(np.log(np.where(y, p, 1 - p)).sum(), abs=1e-12)
    share = y.mean()
    assert null == pytest.approx(12 * (share * np.log(share) + (1 - share) * np.log(1 - share)), abs=1e-12)
