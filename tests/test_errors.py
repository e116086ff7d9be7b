"""Messages say what was got, where, what is allowed and what to do."""

import pickle

import pytest

from radiolocus import errors


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_is_of_the_tree_and_drawn_in_it(name):
    kind = getattr(errors, name)
    assert issubclass(kind, errors.RadiolocusError)
    assert name in errors.__doc__


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_survives_the_way_between_processes(name):
    error = getattr(errors, name)("3 rows", where="a.csv, row 7", allowed="2 rows", todo="remove one").at("S1")
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert str(back) == "S1: a.csv, row 7: 3 rows; allowed: 2 rows; what to do: remove one"
