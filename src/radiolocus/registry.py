"""Named things that announce themselves, and a loud look-up."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

from radiolocus.errors import ConfigError

__all__ = ["Registry", "suggest"]

T = TypeVar("T")


def suggest(name: str, known: Mapping[str, object] | list[str] | tuple[str, ...]) -> str:
    """Return ``"did you mean 'x'?"`` for the nearest known name, or the empty string.

    >>> suggest("morfology", ["morphology", "glcm"])
    "did you mean 'morphology'?"
    """
    folded = {str(k).casefold(): str(k) for k in known}
    near = difflib.get_close_matches(str(name).casefold(), list(folded), n=1, cutoff=0.5)
    return f"did you mean '{folded[near[0]]}'?" if near else ""


class Registry(Mapping[str, T], Generic[T]):
    """Things of one kind by name, in order of registration.

    Registering a name twice and asking for an unknown one are errors that name the nearest known entry.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._things: dict[str, T] = {}

    def add(self, name: str, thing: T) -> T:
        """Register `thing` under `name` and return it."""
        if name in self._things:
            raise ConfigError(f"{self.kind} '{name}' is registered twice", todo="give one of them another name")
        self._things[name] = thing
        return thing

    def register(self, name: str) -> Callable[[T], T]:
        """Decorate a function or class to register it under `name`."""
        return lambda thing: self.add(name, thing)

    def __getitem__(self, name: str) -> T:
        try:
            return self._things[name]
        except KeyError:
            raise ConfigError(
                f"unknown {self.kind} '{name}'", allowed=", ".join(self._things), todo=suggest(name, self._things)
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self._things

    def __iter__(self) -> Iterator[str]:
        return iter(self._things)

    def __len__(self) -> int:
        return len(self._things)
