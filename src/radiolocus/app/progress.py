"""Progress bars with the time left on a terminal; silence elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

__all__ = ["Bars"]


class Bars:
    """Show one bar a stage. Used as a context manager and given to the pipeline, which calls it."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<12}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[told]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, stage: str, units: int) -> None:
        """Start a bar of `units` steps."""
        self._tasks[stage] = self._progress.add_task(stage, total=units, told="")

    def step(self, stage: str) -> None:
        """One unit is done."""
        self._progress.advance(self._tasks[stage])

    def end(self, stage: str, told: str) -> None:
        """Finish the bar with a word on what came out."""
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, total=1, told="")
        task = self._tasks[stage]
        total = next(t.total for t in self._progress.tasks if t.id == task) or 1
        self._progress.update(task, total=total, completed=total, told=told)
