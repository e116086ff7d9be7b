"""Growth rates and constants against closed forms and planted truth."""

import numpy as np
import polars as pl
import pytest

from radiolocus.response.kinetics import fit_growth, growth_rate, kinetics


def test_growth_rate_is_the_change_of_volume_a_month():
    month = 30.4375
    assert growth_rate(50, 100, 3 * month) == pytest.approx(100)  # ×8 in three months: doubles a month
    assert growth_rate(50, 50, month) == 0
    assert growth_rate(100, 50, 3 * month) == pytest.approx(-50)
    before, after, days = 40.0, 47.0, 45.0
    sphere = (after / before) ** 3
    assert growth_rate(before, after, days) == pytest.approx(100 * (sphere ** (month / days) - 1))


DAYS = np.array([42.0, 84, 126, 168, 210, 252, 294])


@pytest.mark.parametrize(
    ("growth", "regression", "model"), [(0.002, 0.01, "gd"), (0.003, None, "gx"), (None, 0.006, "dx")]
)
def test_planted_constants_come_back_without_noise(growth, regression, model):
    size = np.exp(-(regression or 0) * DAYS) + np.exp((growth or 0) * DAYS) - 1
    fit = fit_growth(DAYS, size)
    assert fit.model == model
    for got, planted in ((fit.growth, growth), (fit.regression, regression)):
        assert got == (None if planted is None else pytest.approx(planted, rel=1e-4))
    assert fit.residual < 1e-6
    assert fit.explained == pytest.approx(1, abs=1e-6)


def test_standard_errors_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(11)
    g, d = 0.002, 0.012
    truth = np.exp(-d * DAYS) + np.exp(g * DAYS) - 1
    hits = total = 0
    for _ in range(60):
        fit = fit_growth(DAYS, truth + rng.normal(0, 0.02, DAYS.size))
        if fit.model == "gd":
            total += 1
            hits += abs(fit.growth - g) < 2.57 * fit.growth_error  # 95 % of Student's t with 5 degrees of freedom
    assert total >= 50
    assert 0.85 <= hits / total <= 1.0


def test_too_few_visits_have_no_fit():
    assert fit_growth(DAYS[:1], np.array([0.8])) is None
    assert fit_growth(DAYS[:2], np.array([0.8, 0.7])).model in ("gx", "dx")  # two constants need three visits


def test_table_of_kinetics(lesion_rows, lesion_table):
    frame = lesion_table(
        *(lesion_rows("A", day=d, T=s, U=s / 2) for d, s in {0: 40, 56: 24, 112: 20, 168: 20, 224: 30}.items()),
        *(lesion_rows("B", day=d, T=s) for d, s in {0: 40, 56: None}.items()),
        lesion_rows("C", day=0, kind="non-target", N="present"),
        *(lesion_rows("D", day=d, T=s) for d, s in {0: 40, 56: 0}.items()),
    ).with_columns(
        earlier_mm=pl.when((pl.col("subject") == "A") & (pl.col("day") == 0)).then(0.8 * pl.col("diameter_mm")),
        earlier_day=pl.when(pl.col("subject") == "A").then(-30.4375),
    )
    table = kinetics(frame)
    assert table["subject"].to_list() == ["A", "B", "D"]
    a, b, d = table.iter_rows(named=True)
    assert (a["visits"], a["depth"], a["nadir_day"]) == (4, pytest.approx(-50), 112)
    assert a["growth_rate_before"] == pytest.approx(100 * (1.25**3 - 1))
    assert a["growth_rate_after"] == pytest.approx(growth_rate(60, 36, 56))
    assert a["model"] == "gd"
    assert a["doubling_days"] == pytest.approx(np.log(2) / a["growth"])
    assert (b["visits"], b["depth"], b["model"]) == (0, None, None)
    assert (d["depth"], d["growth_rate_after"]) == (-100, -100)
    assert kinetics(frame.sample(fraction=1, shuffle=True, seed=1)).equals(table)
