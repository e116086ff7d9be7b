import dataclasses

import pytest

from radiolocus.errors import ConfigError
from radiolocus.learn.options import ProtocolOptions
from radiolocus.outcome.options import OutcomeOptions


def test_the_section_holds_the_options_of_the_protocol_and_its_own():
    assert set(dataclasses.asdict(ProtocolOptions())) < set(dataclasses.asdict(OutcomeOptions()))


@pytest.mark.parametrize("name", ["endpoints", "clinical"])
def test_a_name_twice_is_refused(name):
    with pytest.raises(ConfigError) as caught:
        OutcomeOptions(**{name: ("Age", "Age")})
    assert caught.value.got == f"{name} = ['Age', 'Age']"
    assert caught.value.allowed == "every name once"


def test_the_protocol_is_validated_too():
    with pytest.raises(ConfigError, match="folds = 1"):
        OutcomeOptions(folds=1)
    with pytest.raises(ConfigError, match=r"univariate_bootstrap = 0.*at least 2"):
        OutcomeOptions(univariate_bootstrap=0)


@pytest.mark.parametrize("horizons", [(0.0,), (-1.0,), (float("nan"),), (float("inf"),), (5.0, 5.0)])
def test_horizons_are_positive_and_different(horizons):
    with pytest.raises(ConfigError, match="horizons"):
        OutcomeOptions(horizons=horizons)
