"""Published expression signatures: their genes, coefficients and references as data, and how a score is made of them.

A signature stands in a TOML file below ``published/``, or in one of the user's own; both are checked alike.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rankdata

from radiolocus.errors import ConfigError
from radiolocus.model import Array
from radiolocus.registry import Registry, suggest
from radiolocus.stats.gene_scores import mean_z

__all__ = ["METHODS", "Method", "Signature", "chosen_signatures", "parse_signatures", "published_signatures"]


@dataclass(frozen=True)
class Method:
    """How a score is made of the genes of a signature.

    Parameters
    ----------
    scale : {"any", "log2", "linear"}
        What the values have to be; the others are converted where their unit tells how.
    cohort : bool
        Whether the score of a subject depends on the other subjects.
    score : callable
        Values of the genes found, shape (genes, subjects), and their weights, shape (genes,), to one score a subject.
    """

    scale: str
    cohort: bool
    score: Callable[[Array, Array, float], Array]


def _rank_sum(values: Array, weights: Array, offset: float) -> Array:
    return np.asarray((weights[:, None] * rankdata(values, axis=0)).sum(axis=0))


def _weighted_sum(values: Array, weights: Array, offset: float) -> Array:
    return np.asarray((weights[:, None] * values).sum(axis=0))


def _mean(values: Array, weights: Array, offset: float) -> Array:
    return np.asarray(values.mean(axis=0))


def _geometric_mean(values: Array, weights: Array, offset: float) -> Array:
    return np.asarray(np.exp(np.log(values + offset).mean(axis=0)))


def _mean_z(values: Array, weights: Array, offset: float) -> Array:
    return np.asarray(mean_z(values, [np.arange(values.shape[0])])[0])


def _median_signs(values: Array, weights: Array, offset: float) -> Array:
    return np.asarray(np.sign(values - np.median(values, axis=1, keepdims=True)).mean(axis=0))


METHODS: Registry[Method] = Registry("method of a signature")
METHODS.add("rank_sum", Method("any", False, _rank_sum))
METHODS.add("weighted_sum", Method("log2", False, _weighted_sum))
METHODS.add("mean_log2", Method("log2", False, _mean))
METHODS.add("geometric_mean", Method("linear", False, _geometric_mean))
METHODS.add("mean_z", Method("log2", True, _mean_z))
METHODS.add("median_signs", Method("any", True, _median_signs))


@dataclass(frozen=True)
class Signature:
    """An expression signature.

    Parameters
    ----------
    name : str
        Its score is the marker ``sig:NAME``.
    title : str
    method : str
        One of ``METHODS``.
    definition : str
        How the score is made, in words.
    unit : str
    reference : str
        Paper, with its DOI.
    group : str
        Several signatures that are asked for by one name.
    genes : tuple of str
        Symbols.
    weights : dict of str to float
        Coefficients, instead of `genes`, for ``rank_sum`` and ``weighted_sum``.
    housekeeping : tuple of str
        Genes whose mean is taken off first (logarithms).
    aliases : dict of str to tuple of str
        Earlier symbols of genes.
    offset : float
        Added before the logarithm of a geometric mean.
    complete : bool
        Whether the score has no meaning without every gene.
    """

    name: str
    title: str
    method: str
    definition: str
    unit: str
    reference: str
    group: str
    genes: tuple[str, ...] = ()
    weights: dict[str, float] = field(default_factory=dict)
    housekeeping: tuple[str, ...] = ()
    aliases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    offset: float = 0.0
    complete: bool = False

    def __post_init__(self) -> None:
        where = f"signature '{self.name}'"
        method = METHODS[self.method]
        weighted = self.method in ("rank_sum", "weighted_sum")
        if bool(self.genes) == bool(self.weights) or bool(self.weights) != weighted:
            raise ConfigError(
                f"{len(self.genes)} genes and {len(self.weights)} weights",
                where=where,
                allowed="weights for rank_sum and weighted_sum, genes for the other methods, and never both",
            )
        for names in (self.genes, self.housekeeping):
            if len(set(names)) < len(names):
                raise ConfigError("a gene twice", where=where, allowed="every gene once")
        if self.housekeeping and method.scale != "log2":
            raise ConfigError(f"housekeeping genes and '{self.method}'", where=where, allowed="a method on logarithms")
        if self.method == "geometric_mean" and not self.offset > 0:
            raise ConfigError(f"offset = {self.offset}", where=where, allowed="above 0, as 0 has no logarithm")
        if not (self.reference and self.definition and self.unit):
            raise ConfigError(
                "no reference, definition or unit",
                where=where,
                allowed="each of them, in words",
                todo="say where the signature comes from, how its score is made and what its unit is",
            )

    @property
    def members(self) -> tuple[str, ...]:
        """Genes, in the order of the file."""
        return self.genes or tuple(self.weights)


def parse_signatures(text: str, where: str) -> tuple[Signature, ...]:
    """Read the signatures of a TOML file.

    Raises
    ------
    ConfigError
        What is no TOML, or no signature: an unknown, missing or mistyped key, a gene twice, no reference.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not valid TOML ({error})", where=where) from None
    entries = raw.get("signature")
    unknown = [key for key in raw if key not in ("group", "signature")]
    if unknown or not isinstance(entries, list) or not entries:
        raise ConfigError(
            f"keys {', '.join(raw) or 'none'}",
            where=where,
            allowed='group = "...", and [[signature]] for each signature',
        )
    group = raw.get("group", Path(where).stem)
    found = [_signature(entry, str(group), f"{where}, signature {i + 1}") for i, entry in enumerate(entries)]
    names = [s.name for s in found]
    if len(set(names)) < len(names):
        raise ConfigError("a signature twice", where=where, allowed="every name once")
    return tuple(found)


_TEXT = ("name", "title", "method", "definition", "unit", "reference")
_LISTS = ("genes", "housekeeping")


def _signature(entry: Any, group: str, where: str) -> Signature:
    known = (*_TEXT, *_LISTS, "weights", "aliases", "offset", "complete")
    if not isinstance(entry, dict):
        raise ConfigError(f"{entry!r}", where=where, allowed="a table of keys")
    for key in entry:
        if key not in known:
            raise ConfigError(f"unknown key '{key}'", where=where, allowed=", ".join(known), todo=suggest(key, known))
    missing = [key for key in _TEXT if key not in entry]
    if missing:
        raise ConfigError(f"no {', '.join(missing)}", where=where, todo="add it")
    for key, value in entry.items():
        if not _well_typed(key, value):
            raise ConfigError(f"{key} = {value!r}", where=where, allowed=_TYPES.get(key, "text"))
    plain: dict[str, Any] = {key: tuple(value) if key in _LISTS else value for key, value in entry.items()}
    if "aliases" in plain:
        plain["aliases"] = {gene: tuple(names) for gene, names in plain["aliases"].items()}
    try:
        return Signature(group=group, **plain)
    except ConfigError as error:
        raise error.at(where) from None


_TYPES = {
    "genes": "a list of symbols",
    "housekeeping": "a list of symbols",
    "weights": "a number for each gene",
    "aliases": "a list of symbols for each gene",
    "offset": "a number",
    "complete": "true or false",
}


def _well_typed(key: str, value: Any) -> bool:
    if key in _LISTS:
        return _texts(value)
    if key == "weights":
        return isinstance(value, dict) and all(_number(v) for v in value.values())
    if key == "aliases":
        return isinstance(value, dict) and all(_texts(v) for v in value.values())
    if key == "offset":
        return _number(value)
    return isinstance(value, bool) if key == "complete" else isinstance(value, str)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) for v in value)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and np.isfinite(value)


@cache
def published_signatures() -> Registry[Signature]:
    """Return the signatures that come with Radiolocus, by name."""
    registry: Registry[Signature] = Registry("signature")
    folder = files("radiolocus.molecular").joinpath("published")
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if file.name.endswith(".toml"):
            for signature in parse_signatures(file.read_text(encoding="utf-8"), file.name):
                registry.add(signature.name, signature)
    return registry


def chosen_signatures(asked: Iterable[str], read: Callable[[str], str]) -> dict[str, Signature]:
    """Return the signatures asked for by name, by group, or as a TOML file.

    Parameters
    ----------
    asked : iterable of str
    read : callable
        Text of a TOML file, by its path in the study file.

    Raises
    ------
    ConfigError
        An unknown name, or a signature twice.
    """
    known = published_signatures()
    groups: Mapping[str, list[Signature]] = {
        s.group: [t for t in known.values() if t.group == s.group] for s in known.values()
    }
    chosen: dict[str, Signature] = {}
    for name in asked:
        if name.endswith(".toml"):
            found = list(parse_signatures(read(name), name))
        elif name in known:
            found = [known[name]]
        elif name in groups:
            found = groups[name]
        else:
            everything = [*known, *groups]
            raise ConfigError(
                f"unknown signature '{name}'",
                where="molecular.signatures",
                allowed=", ".join(everything) + ", or a TOML file of your own",
                todo=suggest(name, everything),
            )
        for signature in found:
            if signature.name in chosen:
                raise ConfigError(
                    f"signature '{signature.name}' twice", where="molecular.signatures", allowed="every one once"
                )
            chosen[signature.name] = signature
    return chosen
