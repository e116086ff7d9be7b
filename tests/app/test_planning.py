from typer.testing import CliRunner

from radiolocus.app.cli import app


def told(*arguments):
    return CliRunner().invoke(app, ["sample-size", *arguments])


def test_the_published_examples():
    binary = told("--parameters", "24", "--prevalence", "0.174", "--r2", "0.288")
    assert binary.output.startswith("662 patients with 115 events, 4.8 a parameter\n")
    timed = told("--parameters", "30", "--rate", "0.065", "--follow-up", "2.07", "--horizon", "2", "--r2", "0.051")
    assert timed.output.startswith("5,143 patients with 692 events, 23.1 a parameter\n")


def test_half_an_outcome_is_refused():
    found = told("--parameters", "24", "--rate", "0.1")
    assert found.exit_code
    assert "--follow-up" in str(found.exception)
