import numpy as np
import polars as pl
import pytest

from radiolocus.errors import ConfigError, FitError
from radiolocus.outcome.histories import checked_visits, histories_of

TABLE = pl.DataFrame(
    {
        "subject": ["A", "A", "A", "B", "B", "C"],
        "number": [1, 2, 3, 1, 2, 1],
        "day": [0.0, 30.0, 60.0, 0.0, 40.0, 0.0],
        "volume": [1.0, 2.0, 4.0, 5.0, 3.0, 7.0],
        "unit": ["mL"] * 6,
    }
)


def checked(frame, **more):
    return checked_visits(frame, ["volume"], time="day", **more)


def told(problems, severity="set aside"):
    return [(p.subject, p.got, p.count) for p in problems if p.severity == severity]


def with_rows(*rows):
    more = pl.DataFrame(list(rows), schema=TABLE.schema, orient="row")
    return pl.concat([TABLE, more])


def test_sound_visits_pass_in_any_order_of_rows():
    found, problems = checked(TABLE, visit="number", unit="unit")
    assert not problems
    assert found["time"].to_list() == [0, 30, 60, 0, 40, 0]
    for seed in range(3):
        again, _ = checked(TABLE.sample(fraction=1.0, shuffle=True, seed=seed), visit="number", unit="unit")
        assert again.equals(found)


def test_other_columns_may_have_any_name():
    odd = TABLE.with_columns(time=pl.lit("noon"), end=pl.lit(1))
    assert checked(odd, visit="number")[0].equals(checked(TABLE)[0])
    with pytest.raises(ConfigError, match="a marker called 'time'"):
        checked_visits(TABLE.with_columns(time=pl.lit(1.0)), ["time"], time="day")


def test_a_visit_before_baseline_is_set_aside_by_name():
    found, problems = checked(with_rows(("B", 0, -12.0, 4.0, "mL")))
    assert told(problems) == [("B", "a visit at -12, before baseline", 1)]
    assert found.filter(subject="B")["time"].to_list() == [0, 40]


def test_a_visit_without_a_time_is_set_aside_by_name():
    found, problems = checked(with_rows(("C", 2, None, 4.0, "mL"), ("C", 3, float("nan"), 4.0, "mL")))
    assert told(problems) == [("C", "a visit without a time", 2)]
    assert found.filter(subject="C").height == 1


def test_dates_out_of_order_set_the_subject_aside():
    wrong = TABLE.with_columns(pl.when(pl.col("volume") == 2.0).then(90.0).otherwise("day").alias("day"))
    found, problems = checked(wrong, visit="number")
    assert told(problems) == [("A", "visit 2 at 90 comes after visit 3: dates out of order", 1)]
    assert "A" not in found["subject"].to_list()
    with pytest.raises(ConfigError, match=r"visit 'week' of A.*numbers that rise"):
        checked(TABLE.with_columns(number=pl.lit("week")), visit="number")


def test_duplicated_visits():
    found, problems = checked(with_rows(("A", 2, 30.0, 2.0, "mL")))
    assert told(problems, "note") == [(None, "1 rows stand twice in the table", 1)]
    assert found.height == 6
    found, problems = checked(with_rows(("A", 2, 30.0, 2.5, "mL")))
    assert told(problems) == [("A", "two different rows at 30", 1)]
    assert "A" not in found["subject"].to_list()


def test_mixed_units_set_the_subject_aside():
    found, problems = checked(with_rows(("C", 2, 20.0, 6900.0, "mm3")), unit="unit")
    assert told(problems) == [("C", "measurements in 'ml', 'mm3'", 1)]
    assert "C" not in found["subject"].to_list()
    _, problems = checked(with_rows(("C", 2, 20.0, 6.0, None)), unit="unit")
    assert told(problems)[0][1] == "measurements in no unit, 'ml'"


def test_a_jump_that_looks_like_a_unit_is_told():
    found, problems = checked(with_rows(("A", 4, 90.0, 5000.0, "mL")))
    assert told(problems, "note") == [("A", "5000 at 90 beside a median of 3: another unit?", 1)]
    assert found.height == 7


def test_columns_must_be_there_and_be_numbers():
    with pytest.raises(ConfigError, match=r"no column 'volumen'.*volume"):
        checked_visits(TABLE, ["volumen"], time="day")
    with pytest.raises(ConfigError, match="column 'unit' of type String"):
        checked_visits(TABLE, ["unit"], time="day")


def histories(frame=TABLE, until=None, log=("volume",)):
    visits, _ = checked(frame)
    return histories_of(visits, ["volume"], log, until or {"A": 100.0, "B": 100.0, "C": 50.0, "D": 9.0}, "os")


def test_histories_follow_the_order_of_the_endpoint():
    found, problems = histories(until={"C": 50.0, "A": 100.0, "D": 9.0})
    assert found.subject == ("C", "A")
    assert found.markers == ("log volume",)
    assert found.person.tolist() == [0, 1, 1, 1]
    np.testing.assert_allclose(np.exp(found.value[:, 0]), [7, 1, 2, 4])
    notes = told(problems, "note")
    assert (None, "1 subjects without a visit", 1) in notes
    assert (None, "1 subjects with one visit only: C", 1) in notes


def test_a_visit_after_the_event_is_set_aside_by_name():
    found, problems = histories(until={"A": 45.0, "B": 100.0})
    assert told(problems) == [("A", "a visit at 60, after the event or the end of observation at 45", 1)]
    assert found.at.tolist() == [0, 30, 0, 40]


def test_values_without_a_logarithm_have_no_value():
    zero = TABLE.with_columns(pl.when(pl.col("volume") == 4.0).then(0.0).otherwise("volume").alias("volume"))
    found, problems = histories(zero)
    assert told(problems, "no value") == [
        ("A", "1 values of 'volume' that are zero or negative and have no logarithm", 1)
    ]
    assert found.at[found.person == 0].tolist() == [0, 30]
    kept, none = histories(zero, log=())
    assert kept.markers == ("volume",)
    assert not told(none, "no value")


def test_nobody_with_a_visit_is_an_error():
    with pytest.raises(FitError, match="nobody with a visit"):
        histories(until={"E": 10.0})


def test_first_and_last_values_and_visits_so_far():
    found, _ = histories(log=())
    first, last = found.first_and_last(0, [0, 0, 0, 1, 2], [10.0, 30.0, 99.0, -1.0, 0.0])
    np.testing.assert_array_equal(first, [1, 1, 1, np.nan, 7])
    np.testing.assert_array_equal(last, [1, 2, 4, np.nan, 7])
    assert found.visits_until([0, 0, 1], [29.0, 30.0, 99.0]).tolist() == [1, 2, 2]


def test_who_is_taken_twice_counts_as_two():
    found, _ = histories(log=())
    twice = found.take(np.array([1, 0, 1]))
    assert twice.subject == ("B", "A", "B")
    assert twice.person.tolist() == [0, 0, 1, 1, 1, 2, 2]
    assert twice.at.tolist() == [0, 40, 0, 30, 60, 0, 40]
    assert found.until(np.array([30.0, 10.0, 9.0])).at.tolist() == [0, 30, 0, 0]
