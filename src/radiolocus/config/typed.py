"""Tables of the study file become options: the only module that knows pydantic."""

from __future__ import annotations

import inspect
import json
import re
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from radiolocus.config.sections import Mistake, Sections
from radiolocus.errors import RadiolocusError
from radiolocus.registry import suggest

__all__ = ["Options", "adapter", "study_schema", "validate"]

Place = tuple[int | str, ...]
Options = typing.TypeVar("Options")
_ADAPTERS: dict[type, TypeAdapter[Any]] = {}


def study_schema() -> dict[str, Any]:
    """JSON schema of the study file, for editors; descriptions come from the options' docstrings."""
    schema = adapter(Sections).json_schema()
    told = {part.__name__: _descriptions(part) for part in _dataclasses(Sections)}
    for name, definition in [*schema.get("$defs", {}).items(), ("Sections", schema)]:
        definition.pop("description", None)
        definition.update({"additionalProperties": False} if "properties" in definition else {})
        for field, entry in definition.get("properties", {}).items():
            if description := told.get(name, {}).get(field):
                entry["description"] = description
    return {**schema, "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Radiolocus study file"}


def _dataclasses(part: Any) -> Iterator[Any]:
    """Yield a dataclass and all dataclasses in the types of its fields."""
    seen: set[Any] = set()
    waiting = [part]
    while waiting:
        kind = waiting.pop()
        if is_dataclass(kind) and kind not in seen:
            seen.add(kind)
            yield kind
            waiting += typing.get_type_hints(kind).values()
        else:
            waiting += typing.get_args(kind)


def _descriptions(part: type) -> dict[str, str]:
    """Take the description of each parameter from the numpydoc of a class and the classes it extends."""
    found: dict[str, str] = {}
    for kind in reversed(part.__mro__):
        # Python 3.13 takes the indentation off docstrings, earlier ones leave it.
        section = re.search(r"Parameters\n-+\n(.*)", inspect.cleandoc(kind.__doc__ or ""), re.DOTALL)
        entries = re.findall(r"^([\w, ]+) : [^\n]*\n((?: {4}[^\n]*\n?)+)", section[1] if section else "", re.MULTILINE)
        for names, text in entries:
            found |= dict.fromkeys(names.split(", "), " ".join(text.split()))
    return found


def adapter(kind: type[Options]) -> TypeAdapter[Options]:
    """What reads and writes options, made once: that takes a tenth of a second."""
    if kind not in _ADAPTERS:
        for part in _dataclasses(kind):
            # Read by pydantic on standard dataclasses; unknown keys are mistakes, never ignored.
            part.__pydantic_config__ = {"extra": "forbid"}
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def validate(kind: type[Options], shaped: dict[str, Any], raw: dict[str, Any]) -> tuple[Options | None, list[Mistake]]:
    """Validate, and on mistakes leave out what is wrong and look again, because one mistake can hide another.

    The options check themselves only once every key of their table is sound.
    """
    found: dict[Mistake, None] = {}
    left_out: set[Place] = set()
    while True:
        try:
            # By way of JSON a list may stand for a tuple and 2 for 2.0, but true not for 1, nor "25" for 25.
            options = adapter(kind).validate_json(json.dumps(shaped, default=str), strict=True)
        except ValidationError as error:
            before = len(left_out)
            for entry in error.errors(include_url=False):
                place = _place(entry)
                if place in left_out:  # now it is missing because it was wrong
                    continue
                if not _inherited(place, raw):
                    where = _spoken(_written(place, tuple(entry["loc"]), raw)) or (
                        "study" if kind is Sections else "settings"
                    )
                    found.setdefault(Mistake(where, _what(kind, entry, place)))
                if _leave_out(shaped, place):
                    left_out.add(place)
            if len(left_out) == before:
                return None, list(found)
        else:
            return (None if found else options), list(found)


def _place(entry: Any) -> Place:
    """Path of the key that is wrong; options that check themselves name it first: ``bin_width = -1``."""
    place = tuple(entry["loc"])
    problem = entry.get("ctx", {}).get("error")
    if isinstance(problem, RadiolocusError) and isinstance(entry["input"], dict):
        key = re.split(r"\W", problem.got, maxsplit=1)[0]
        return (*place, key) if key in entry["input"] else place
    return place


def _written(place: Place, loc: Place, raw: dict[str, Any]) -> Place:
    """Where the user wrote what is wrong: families may stand beside the settings."""
    beside = place == ("imaging", "settings", "families") and "families" in raw["imaging"]
    return ("imaging", "families") if beside else loc


def _leave_out(shaped: dict[str, Any], place: Place) -> bool:
    """Remove the key at `place`; False when there is none (a missing key, an element of a list)."""
    here: Any = shaped
    for key in place[:-1]:
        try:
            here = here[key]
        except (KeyError, IndexError, TypeError):
            return False
    return isinstance(here, dict) and here.pop(place[-1], None) is not None


def _inherited(place: Place, raw: dict[str, Any]) -> bool:
    """Tell whether a mistake at an image's settings was made in ``[imaging.settings]``, where it is reported too."""
    if len(place) < 5 or place[:2] != ("imaging", "images") or place[3] != "settings":
        return False
    own = raw["imaging"]["images"][typing.cast("int", place[2])].get("settings", {})
    return place[4] not in own


def _spoken(place: Place) -> str:
    out = ""
    for part in place:
        out += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if out else part
    return out


def _what(options: Any, entry: Any, place: Place) -> str:
    kind, got = entry["type"], entry["input"]
    if kind == "unexpected_keyword_argument":
        known = _known_keys(options, place[:-1])
        hint = suggest(str(place[-1]), known)
        return f"unknown key '{place[-1]}'; allowed: {', '.join(known)}" + (f"; {hint}" if hint else "")
    if kind in ("missing", "missing_argument"):
        return "missing; what to do: add it"
    if "error" in entry.get("ctx", {}):
        problem = entry["ctx"]["error"]
        return problem.message if isinstance(problem, RadiolocusError) else str(problem)
    if kind in ("dataclass_type", "dataclass_exact_type"):
        return f"got {got!r}; allowed: a table of keys"
    return f"got {got!r}; allowed: {entry['msg'][0].lower()}{entry['msg'][1:]}"


def _known_keys(kind: Any, place: Place) -> list[str]:
    for part in place:
        options = _dataclasses_here(kind)
        if isinstance(part, int) or not options:
            continue
        hints = typing.get_type_hints(options[0])
        kind = hints.get(str(part), kind)
    options = _dataclasses_here(kind)
    return [f.name for f in fields(options[0])] if options else []


def _dataclasses_here(kind: Any) -> list[Any]:
    """Dataclasses reached through unions, tuples and dicts, not through fields."""
    if is_dataclass(kind):
        return [kind]
    return [found for arg in typing.get_args(kind) for found in _dataclasses_here(arg)]
