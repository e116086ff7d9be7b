"""Numerical loops are compiled before a command starts its work, and the command says so."""

from __future__ import annotations

import typer

from radiolocus.app.loading import loading

__all__ = ["compile_for"]


def compile_for(*parts: str) -> bool:
    """Compile what parts of the program need and has not been compiled yet; whether there was anything.

    Parameters
    ----------
    parts : str
        Of :data:`radiolocus.kernels.ahead.PARTS`.
    """
    with loading():
        from radiolocus.kernels.ahead import compile_ahead, needed

    work = needed(parts)
    if work is None:
        return False
    typer.echo(f"compiling {work.count} numerical loops, once: about {work.seconds:.0f} s", err=True)
    with loading():
        from rich.console import Console

        from radiolocus.app.progress import Bars
    with Bars(Console(stderr=True)) as bars:
        bars.begin("compile", work.count)
        compile_ahead(work, lambda: bars.step("compile"))
    return True
