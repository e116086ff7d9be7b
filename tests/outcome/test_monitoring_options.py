import pytest

from radiolocus.errors import ConfigError
from radiolocus.outcome.monitoring_options import MonitoringOptions

GOOD = {"window": 180.0, "markers": ("v",), "table": "v.csv", "time": "day"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": 0.0}, "window = 0"),
        ({"landmarks": (0.0, -1.0)}, r"landmarks = \[0.0, -1.0\]"),
        ({"landmarks": (9.0, 9.0)}, "every one once"),
        ({"markers": ()}, "markers is empty"),
        ({"table": ""}, "table is empty"),
        ({"source": "imaging"}, "visit is empty"),
        ({"source": "clinic"}, "source = clinic"),
        ({"source": "response"}, "table with source = response"),
        ({"log": ("w",)}, "'w' is no marker"),
        ({"origin": "start", "time_unit": "days"}, "time_unit with origin"),
        ({"time_unit": "fortnights"}, "time_unit = fortnights"),
        ({"folds": 1}, "folds = 1"),
        ({"draws": 1}, "draws = 1"),
        ({"clinical": ("a", "a")}, "every name once"),
    ],
)
def test_options_that_cannot_be_followed(change, message):
    with pytest.raises(ConfigError, match=message):
        MonitoringOptions(**(GOOD | change))


def test_options_that_can_be_followed():
    assert MonitoringOptions(**GOOD).landmarks == ()
    assert MonitoringOptions(window=90.0, source="response", log=("size",)).markers == ()
    assert MonitoringOptions(**(GOOD | {"source": "imaging", "visit": "v"})).visit == "v"
