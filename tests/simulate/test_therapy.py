"""The planted effects are there."""

import numpy as np
import pytest

from radiolocus.errors import ConfigError
from radiolocus.simulate.blood import simulate_blood
from radiolocus.simulate.therapy import THERAPIES, simulate_therapy
from radiolocus.stats.cox import fit_cox
from radiolocus.stats.logistic import fit_logistic


@pytest.mark.parametrize("kind", THERAPIES)
def test_planted_effects_are_those_of_the_model(kind):
    cohort = simulate_therapy(kind, 6000, 1)
    frame = cohort.frame
    terms = [np.prod([frame[c].to_numpy() for c in name.split(" × ")], axis=0) for name in cohort.truth]
    X = np.column_stack(terms)
    if kind == "radiation":
        fit = fit_cox(frame["months"].to_numpy(), frame["failed"].to_numpy(), X)
    else:
        fit = fit_logistic(frame["responded"].to_numpy(), X)
    for found, error, planted in zip(fit.coefficient, fit.standard_error, cohort.truth.values(), strict=True):
        assert abs(found - planted) < 4 * error
        assert abs(planted) > 4 * error


def test_same_seed_same_cohort_and_an_unknown_treatment_is_refused():
    one, two, other = (simulate_therapy("targeted", 20, seed).frame for seed in (1, 1, 2))
    assert one.equals(two)
    assert not one.equals(other)
    with pytest.raises(ConfigError, match="unknown treatment 'surgery'"):
        simulate_therapy("surgery", 20, 1)


def test_blood_follows_the_size_and_is_ahead_by_its_lead():
    rng = np.random.default_rng(1)
    course = [(0, 1.0), (50, 1.0), (100, 3.0)]
    rows = simulate_blood(rng, "A", course, depth=50_000.0, lead_days=50.0)
    shares = {r["day"]: r["alt_reads"] / r["depth"] for r in rows if r["gene"] == "TP53"}
    assert shares[0] == pytest.approx(0.08, rel=0.1)
    assert shares[50] == pytest.approx(0.24, rel=0.1)
