"""The artefacts of one study, read when a section asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from radiolocus.response.respond import leading
from radiolocus.store import read_json, read_table

__all__ = ["STAGES", "Artefacts"]

STAGES = (
    "cohort",
    "features",
    "genetics",
    "molecular",
    "link",
    "genotyping",
    "outcome",
    "deep",
    "response",
    "monitoring",
    "early",
    "benefit",
    "mechanism",
)


class Artefacts:
    """Tables and settings below an output folder; whatever a study did not produce is None or empty.

    Parameters
    ----------
    root : Path
        Output folder of a study.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._tables: dict[str, pl.DataFrame | None] = {}

    @cached_property
    def study(self) -> dict[str, Any]:
        """What ``study.json`` says; empty when it is not there."""
        return read_json(self.root, "study.json") or {}

    def table(self, name: str) -> pl.DataFrame | None:
        """Table `name`, or None when it is absent or has no row."""
        if name not in self._tables:
            frame = read_table(self.root, name)
            self._tables[name] = frame if frame is not None and frame.height else None
        return self._tables[name]

    def has(self, *names: str) -> bool:
        """Whether any of the tables has rows."""
        return any(self.table(n) is not None for n in names)

    def scan(self, name: str) -> pl.LazyFrame | None:
        """Lazy view of a table that may not fit in memory with all its columns."""
        path = self.root / f"{name}.parquet"
        return pl.scan_parquet(path) if path.is_file() else None

    @cached_property
    def manifests(self) -> Mapping[str, dict[str, Any]]:
        """Manifest of every room that wrote one."""
        rooms = sorted(p.parent.name for p in self.root.glob("*/manifest.json"))
        return {room: read_json(self.root, f"{room}/manifest.json") or {} for room in rooms}

    @property
    def criterion(self) -> str:
        """Response criterion that figures follow: the study's, or the first that could be followed; may be empty."""
        return leading(self.table("response/criteria_best"), str(self.setting("response", "criterion") or ""))

    def setting(self, *keys: str) -> Any:
        """Value in the settings of the study file, or None."""
        value: Any = self.study.get("settings", {})
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value
