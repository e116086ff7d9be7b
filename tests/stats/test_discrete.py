import numpy as np
import pytest

from radiolocus.errors import FitError, InputError
from radiolocus.stats.discrete import discrete_loglik, fit_discrete, interval_ends
from radiolocus.stats.survival import kaplan_meier


def draw(n=200, seed=4):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    died, lost = rng.exponential(np.exp(-X[:, 0])), rng.exponential(2, n)
    return X, np.minimum(died, lost), (died <= lost).astype(float)


def test_likelihood_is_that_of_person_periods_written_out():
    X, time, event = draw(40)
    ends = interval_ends(time, event, 4)
    fit = fit_discrete(time, event, X, ends, ridge=0.1)
    total = 0.0
    for t, e, x in zip(time, event, X, strict=True):
        for j, end in enumerate(ends):
            begin = ends[j - 1] if j else -1.0
            happens = e == 1 and begin < t <= end
            if t <= begin or (not happens and t < end):
                continue
            hazard = 1 / (1 + np.exp(-(fit.baseline[j] + x @ fit.coefficient)))
            total += np.log(hazard if happens else 1 - hazard)
    assert fit.loglik == pytest.approx(total, rel=1e-10)
    assert discrete_loglik(fit, X, time, event) == pytest.approx(total, rel=1e-10)


def test_without_columns_and_censoring_it_is_kaplan_meier_at_the_ends():
    _, time, _ = draw()
    ends = interval_ends(time, np.ones(200), 8)
    assert ends.size == 7, "in the last of eight everybody has the event"
    fit = fit_discrete(time, np.ones(200), np.zeros((200, 0)), ends)
    curve = kaplan_meier(time, np.ones(200))
    expected = [curve.survival[np.searchsorted(curve.time, end, side="right") - 1] for end in ends]
    np.testing.assert_allclose(fit.survival(np.zeros((1, 0)), ends)[0], expected, rtol=1e-9)


def test_survival_falls_from_one_and_stays_beyond_the_last_end():
    X, time, event = draw()
    fit = fit_discrete(time, event, X, interval_ends(time, event, 5), ridge=0.01)
    curve = fit.survival(X[:6], [0.0, *fit.ends, 1e6])
    np.testing.assert_array_equal(curve[:, 0], 1.0)
    assert (np.diff(curve[:, :-1], axis=1) < 0).all()
    np.testing.assert_array_equal(curve[:, -1], curve[:, -2])
    assert fit.coefficient[0] > 0.5


def test_bad_input_is_named():
    X, time, event = draw(30)
    with pytest.raises(InputError, match="interval ends"):
        fit_discrete(time, event, X, [2.0, 1.0])
    with pytest.raises(FitError) as caught:
        fit_discrete(time, event, X, [1e-9, 1.0])
    assert caught.value.got.startswith("0 events among 30 patients at risk")
    assert caught.value.todo == "use fewer intervals"
