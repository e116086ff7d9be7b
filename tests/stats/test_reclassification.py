import numpy as np
import pytest

from radiolocus.errors import InputError
from radiolocus.stats.reclassification import WARNING, reclassification


def test_category_free_equals_hmisc(judged, told):
    found = reclassification(judged["y"], judged["p"], judged["q"])
    values = [found.nri, found.nri_error, found.nri_positive, found.nri_negative, found.idi, found.idi_error]
    np.testing.assert_allclose(values, told["nri"], atol=1e-12)


def test_categories_count_moves_between_them():
    label = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0])
    old = np.array([0.1, 0.1, 0.3, 0.6, 0.1, 0.3, 0.3, 0.6, 0.2])
    new = np.array([0.15, 0.3, 0.2, 0.9, 0.2, 0.1, 0.4, 0.3, 0.1])
    found = reclassification(label, old, new, [0.2, 0.5])
    # Positives: one up (0.1 to 0.3); 0.3 to 0.2 stays above the cutoff. Negatives: one up, three down.
    assert (found.nri_positive, found.nri_negative) == (0.25, pytest.approx(2 / 5))
    variance = (1 / 4 - 1 / 16) / 4 + (4 / 5 - 4 / 25) / 5
    assert found.nri_error == pytest.approx(variance**0.5, abs=1e-15)


def test_the_warning_travels_with_the_number(judged):
    found = reclassification(judged["y"], judged["p"], judged["q"])
    assert found.warning == WARNING
    assert "no proper measure" in found.warning


def test_the_warning_is_true():
    # A useless predictor added on the patients that the model is fitted to: the improvement is positive all the same.
    rng = np.random.default_rng(0)
    gains = []
    for _ in range(40):
        x, noise = rng.normal(size=(2, 60))
        label = rng.random(60) < 1 / (1 + np.exp(-x))
        old = 1 / (1 + np.exp(-x))
        tilt = noise * (np.mean(noise[label]) - np.mean(noise[~label]))
        gains.append(reclassification(label, old, 1 / (1 + np.exp(-(x + tilt)))).nri)
    assert np.mean(gains) > 3 * np.std(gains) / 40**0.5


def test_unusable_input_is_named():
    with pytest.raises(InputError, match=r"risk 1\.5"):
        reclassification([0, 1], [0.1, 0.2], [0.1, 1.5])
    with pytest.raises(InputError, match="cutoffs"):
        reclassification([0, 1], [0.1, 0.2], [0.1, 0.5], [0.5, 0.2])
