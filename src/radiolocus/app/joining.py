"""How many subjects two tables share, which do not, and whom those resemble."""

from __future__ import annotations

from collections.abc import Sequence

from radiolocus.cohort.ids import Nearest
from radiolocus.model import Problem

__all__ = ["join_notes"]

_SHOWN = 3


def join_notes(name: str, subjects: Sequence[str], others: Sequence[tuple[str, Sequence[str]]]) -> list[Problem]:
    """Say who of a table meets each of the others.

    Parameters
    ----------
    name : str
        File of the first table.
    subjects : sequence of str
        Its subjects.
    others : sequence of (str, sequence of str)
        The other files and their subjects.

    Returns
    -------
    list of Problem
        A note for every table that lacks subjects of the first or has some of its own.
    """
    notes = []
    for other, theirs in others:
        known, offered = set(subjects), set(theirs)
        here, there = sorted(known - offered), sorted(offered - known)
        if not here and not there:
            continue
        near, met = Nearest(here), len(known & offered)
        guesses = [(t, guess) for t in there if (guess := near.find(t)) is not None]
        got = f"{met} of the {len(known)} subjects of {name} are in {other}"
        got += f"; {len(here)} are not ({_few(here)})" if here else ""
        got += f"; {len(there)} are there alone ({_few(there)})" if there else ""
        todo = ""
        if guesses:
            pairs = ", ".join(f"'{t}' is probably '{guess}'" for t, guess in guesses[:_SHOWN])
            todo = f"{len(guesses)} resemble each other ({pairs}): make the ids alike, or take them out (--extract)"
        notes.append(Problem("link", got, "note", where=other, todo=todo, count=len(here)))
    return notes


def _few(words: Sequence[str]) -> str:
    return ", ".join(words[:_SHOWN]) + (", ..." if len(words) > _SHOWN else "")
