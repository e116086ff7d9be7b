"""Bars on a terminal, silence elsewhere."""

import io

import pytest
from rich.console import Console

from radiolocus.app.progress import Bars


@pytest.mark.parametrize("terminal", [True, False])
def test_bars_show_only_on_a_terminal(terminal):
    screen = io.StringIO()
    with Bars(Console(file=screen, force_terminal=terminal, width=100)) as bars:
        bars.begin("features", 3)
        for _ in range(3):
            bars.step("features")
        bars.end("features", "3 of 3 regions measured")
        bars.end("cohort", "5 subjects")
    shown = screen.getvalue()
    assert ("3 of 3 regions measured" in shown) is terminal
    assert ("3/3" in shown) is terminal
    assert bool(shown) is terminal
