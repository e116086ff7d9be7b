"""GARD, BED and EQD2 against numbers done by hand and against the model itself."""

import numpy as np
import pytest

from radiolocus.errors import InputError
from radiolocus.response.radiation import RSI_COEFFICIENTS, alpha_of_rsi, bed, eqd2, gard, rsi


def test_gard_at_two_gray_is_minus_n_log_rsi():
    index = np.array([0.1, 0.3, 0.55])
    assert gard(index, 30, 2.0) == pytest.approx(-30 * np.log(index))


def test_gard_by_hand_away_from_two_gray():
    # alpha = -ln(0.4)/2 - 0.1 = 0.358145; 28 fractions of 1.8 Gy: 50.4 (0.358145 + 0.09)
    assert float(alpha_of_rsi(0.4)) == pytest.approx(0.3581453659, abs=1e-9)
    assert float(gard(0.4, 28, 1.8)) == pytest.approx(22.5865264, abs=1e-6)


def test_survival_of_the_model_is_that_of_gard():
    alpha = float(alpha_of_rsi(0.35))
    assert np.exp(-5 * 3.0 * (alpha + 0.05 * 3.0)) == pytest.approx(float(np.exp(-gard(0.35, 5, 3.0))))


def test_bed_and_eqd2_of_the_textbook():
    assert float(bed(30, 2.0, 10.0)) == pytest.approx(72.0)
    assert float(bed(5, 5.0, 3.0)) == pytest.approx(200 / 3)
    assert float(eqd2(30, 2.0, 3.0)) == pytest.approx(60.0)
    assert float(eqd2(20, 2.75, 10.0)) == pytest.approx(58.4375)


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda: gard(1.2, 30, 2.0), "RSI 1.2"),
        (lambda: gard(0.4, 0, 2.0), "fractions 0"),
        (lambda: gard(0.4, 30, -2.0), "dose -2"),
        (lambda: bed(30, 2.0, 0.0), "alpha_beta 0"),
        (lambda: rsi({"AR": [1.0]}), "no expression of JUN"),
    ],
)
def test_what_cannot_be_is_refused(call, part):
    with pytest.raises(InputError, match=part):
        call()


def test_missing_stays_missing():
    assert np.isnan(gard([0.4, np.nan], 30, 2.0)).tolist() == [False, True]


def test_rsi_ranks_within_the_sample():
    genes = list(RSI_COEFFICIENTS)
    rising = {g: [float(i), 2.0**i] for i, g in enumerate(genes)}
    by_hand = sum((i + 1) * c for i, c in enumerate(RSI_COEFFICIENTS.values()))
    assert rsi(rising) == pytest.approx([by_hand, by_hand])
    assert rsi({g: [1.0] for g in genes}) == pytest.approx([5.5 * sum(RSI_COEFFICIENTS.values())])
    assert np.isnan(rsi({g: [np.nan if g == "AR" else 1.0] for g in genes})).all()
