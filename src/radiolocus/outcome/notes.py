"""Notes that hang on who was followed, not on the model: told once for each endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from radiolocus.model import Problem
from radiolocus.outcome.tasks import Task

__all__ = ["HORIZONS", "told_once"]

#: Item of the notes on times at which nobody can be judged.
HORIZONS = "horizons"


def told_once(problems: Sequence[Problem], timed: Mapping[str, Task]) -> list[Problem]:
    """Put the same note on horizons of several models and sets of predictors together.

    Parameters
    ----------
    problems : sequence of Problem
    timed : mapping of str to Task
        Tasks that were judged at times, by their labels.

    Returns
    -------
    list of Problem
        A note that all tasks of an endpoint share names the endpoint; one that all models of some sets share, of other
        subjects than the rest, names the endpoint and these sets; any other stays as it is. A shared note stands where
        the first of its kind stood.
    """
    sharing: dict[tuple[str, str], list[Task]] = {}
    for problem in problems:
        if problem.item == HORIZONS and problem.where in timed:
            task = timed[problem.where]
            sharing.setdefault((task.endpoint, problem.got), []).append(task)
    found: list[Problem] = []
    for problem in problems:
        if problem.item == HORIZONS and problem.where in timed:
            task = timed[problem.where]
            where = _shared_by(sharing[task.endpoint, problem.got], timed)
            problem = replace(problem, where=where or problem.where)
            if problem in found:
                continue
        found.append(problem)
    return found


def _shared_by(tasks: Sequence[Task], timed: Mapping[str, Task]) -> str:
    """Return the endpoint, with sets of predictors where others differ; empty where models of one set differ."""
    endpoint, labels = tasks[0].endpoint, {task.label for task in tasks}
    sets = list(dict.fromkeys(task.predictors for task in tasks))
    others = [task for task in timed.values() if task.endpoint == endpoint and task.label not in labels]
    if any(task.predictors in sets for task in others):
        return ""
    return f"{endpoint} from {', '.join(sets)}" if others else endpoint
