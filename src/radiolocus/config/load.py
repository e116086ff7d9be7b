"""Study files and settings files: TOML in, frozen options out; every mistake at once, with its path in the file."""

from __future__ import annotations

import copy
import tomllib
import typing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from radiolocus.associate.link_options import LinkOptions
from radiolocus.config.rules import crossed
from radiolocus.config.sections import Mistake, Sections, StudyError
from radiolocus.config.typed import Options, adapter, validate
from radiolocus.feature.settings import FeatureSettings
from radiolocus.outcome.options import OutcomeOptions
from radiolocus.response.options import ResponseOptions

__all__ = ["Study", "load_link", "load_outcome", "load_response", "load_settings", "load_study", "sections_of"]


@dataclass(frozen=True)
class Study:
    """A study file that can be followed: `name`, absolute `root`, and its `sections`."""

    name: str
    root: Path
    sections: Sections

    def settings(self) -> dict[str, Any]:
        """Return the resolved settings without absolute paths, as plain JSON values."""
        plain = adapter(Sections).dump_python(self.sections, mode="json", exclude_none=True)
        plain["cohort"].pop("root", None)
        return typing.cast("dict[str, Any]", plain)


def load_study(file: Path | str, root: Path | str | None = None) -> Study:
    """Read and validate a study file; the data are not looked at.

    Parameters
    ----------
    file : Path or str
        TOML file.
    root : Path or str, optional
        Folder of the data, instead of ``[cohort] root``.

    Returns
    -------
    Study

    Raises
    ------
    StudyError
        All mistakes, each with its path in the file and the nearest valid name.
    """
    file = Path(file)
    raw = _toml(file, "`radiolocus init FOLDER` drafts one")
    shaped, mistakes = _shape(raw)
    sections, found = validate(Sections, shaped, raw)
    mistakes += found
    if sections is None:
        raise StudyError(file.name, tuple(mistakes))
    mistakes += crossed(sections)
    folder = Path(root) if root else file.parent / sections.cohort.root
    if not folder.is_dir():
        mistakes.append(
            Mistake(
                "--root" if root else "cohort.root",
                f"no folder '{root or sections.cohort.root or folder.name}'; "
                f"what to do: mend {'--root' if root else 'root, or give --root'}",
            )
        )
    if mistakes:
        raise StudyError(file.name, tuple(mistakes))
    name = sections.cohort.name or f"{file.resolve().parent.name}/{file.stem}"
    return Study(name, folder.resolve(), replace(sections, cohort=replace(sections.cohort, name=name)))


def sections_of(settings: dict[str, Any], where: str) -> Sections:
    """Read the settings that a run wrote into ``study.json``.

    Raises
    ------
    StudyError
        They are not those of this version.
    """
    sections, mistakes = validate(Sections, copy.deepcopy(settings), settings)
    if sections is None:
        raise StudyError(where, tuple(mistakes))
    return sections


def load_settings(file: Path | str) -> FeatureSettings:
    """Read and validate a settings file: TOML with the keys of ``[imaging.settings]`` at its top.

    Parameters
    ----------
    file : Path or str

    Returns
    -------
    FeatureSettings

    Raises
    ------
    StudyError
        All mistakes, each with its key and the nearest valid name.
    """
    return _section(Path(file), FeatureSettings, "imaging.settings", "bin_width = 25.0")


def load_response(file: Path | str) -> ResponseOptions:
    """Read and validate a settings file: TOML with the keys of ``[response]`` at its top.

    Parameters
    ----------
    file : Path or str

    Returns
    -------
    ResponseOptions
        ``lesions`` is the name of the file where it does not say one.

    Raises
    ------
    StudyError
        All mistakes, each with its key and the nearest valid name.
    """
    file = Path(file)
    return _section(file, ResponseOptions, "response", "confirmation = true", lesions=file.name)


def load_link(file: Path | str) -> LinkOptions:
    """Read and validate a settings file: TOML with the keys of ``[link]`` at its top.

    Parameters
    ----------
    file : Path or str

    Returns
    -------
    LinkOptions

    Raises
    ------
    StudyError
        All mistakes, each with its key and the nearest valid name.
    """
    options = _section(Path(file), LinkOptions, "link", "permutations = 1000")
    if options.endpoints:
        raise StudyError(Path(file).name, (Mistake("endpoints", "endpoints are linked in a study alone"),))
    return options


def load_outcome(file: Path | str) -> OutcomeOptions:
    """Read and validate a settings file: TOML with the keys of ``[outcome]`` at its top; see :func:`load_link`."""
    return _section(Path(file), OutcomeOptions, "outcome", "repeats = 5")


def _section(file: Path, kind: type[Options], section: str, example: str, **defaults: object) -> Options:
    raw = defaults | _toml(file, f"give a file with the keys of [{section}], e.g. {example}")
    options, mistakes = validate(kind, copy.deepcopy(raw), raw)
    if options is None:
        raise StudyError(file.name, tuple(mistakes))
    return options


def _toml(file: Path, todo: str) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(file.name, (Mistake(file.name, f"no such file; what to do: {todo}"),)) from None
    except IsADirectoryError:
        raise StudyError(file.name, (Mistake(file.name, "a folder; allowed: a TOML file"),)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StudyError(file.name, (Mistake(file.name, f"not valid TOML: {error}"),)) from None


def _shape(raw: dict[str, Any]) -> tuple[dict[str, Any], list[Mistake]]:
    """Write out the shorthands of the file: a path for a table, families beside settings, settings of one image."""
    shaped = copy.deepcopy(raw)
    mistakes: list[Mistake] = []
    if isinstance(cohort := shaped.get("cohort"), dict) and "subjects" in cohort:
        cohort["subjects"] = _tables(cohort["subjects"])
    if isinstance(molecular := shaped.get("molecular"), dict):
        for key in ("markers", "expression", "scores", "copy_number", "fusions"):
            if key in molecular:
                molecular[key] = _tables(molecular[key])
    _name_tables(shaped.get("response"), "ctdna", "clones")
    _name_endpoints(shaped.get("response"))
    if isinstance(imaging := shaped.get("imaging"), dict):
        base = imaging.setdefault("settings", {})
        if "families" in imaging and isinstance(base, dict):
            if "families" in base:
                mistakes.append(Mistake("imaging.settings.families", "given twice; allowed: here or imaging.families"))
            base["families"] = imaging.pop("families")
        for image in imaging.get("images", []) if isinstance(imaging.get("images"), list) else []:
            if isinstance(image, dict) and isinstance(image.get("settings"), dict) and isinstance(base, dict):
                image["settings"] = _override(base, image["settings"])
    return shaped, mistakes


def _name_tables(section: object, *keys: str) -> None:
    """Write out a path where a table of options is meant."""
    if isinstance(section, dict):
        section |= {key: {"table": section[key]} for key in keys if isinstance(section.get(key), str)}


def _name_endpoints(section: object) -> None:
    """Write out the name of what an endpoint is made of where a table of options is meant."""
    if isinstance(section, dict) and isinstance(made := section.get("endpoints"), dict):
        section["endpoints"] = {name: {"of": of} if isinstance(of, str) else of for name, of in made.items()}


def _override(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    # The two ways to set bins exclude each other, so naming one drops the other that was inherited.
    exclusive = {"bin_width", "bin_number"}
    inherited = {k: v for k, v in base.items() if not (k in exclusive and exclusive & own.keys())}
    return {**inherited, **own}


def _tables(value: object) -> list[object]:
    items = value if isinstance(value, list) else [value]
    return [{"path": item} if isinstance(item, str) else item for item in items]
