import dataclasses

import pytest

from radiolocus.errors import ConfigError
from radiolocus.learn.options import ProtocolOptions


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("repeats", 0, "at least 1"),
        ("folds", 1, "at least 2"),
        ("inner_folds", 1, "at least 2"),
        ("bootstrap", 1, "at least 2"),
        ("seed", -1, "at least 0"),
        ("l1_ratio", 1.1, "0 to 1"),
        ("penalties", 1, "at least 2"),
        ("penalty_ratio", 1.0, "between 0 and 1, both excluded"),
        ("penalty_rule", "max", "min, 1se"),
        ("ties", "exact", "efron, breslow"),
        ("max_missing", 1.0, "0 to 1, 1 excluded"),
        ("redundancy", 0.0, "0 to 1, 0 excluded"),
        ("screen", 0, "at least 1"),
        ("min_level", 0, "at least 1"),
        ("ridge_up_to", -1, "at least 0"),
    ],
)
def test_values_outside_are_refused(name, value, allowed):
    with pytest.raises(ConfigError) as caught:
        ProtocolOptions(**{name: value})
    assert caught.value.got == f"{name} = {value}"
    assert caught.value.where == "outcome"
    assert caught.value.allowed == allowed


def test_every_option_is_told():
    for field in dataclasses.fields(ProtocolOptions):
        assert f"{field.name} : " in ProtocolOptions.__doc__
