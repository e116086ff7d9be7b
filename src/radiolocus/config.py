"""The study file: TOML in, frozen options out; every mistake at once, with its path in the file.

The options stand beside the code they steer; this module gathers them, and is the only one that knows pydantic.
"""

from __future__ import annotations

import copy
import inspect
import json
import re
import tomllib
import typing
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from radiolocus.associate.genetics_options import GeneticsOptions
from radiolocus.associate.genotyping_options import GenotypingOptions
from radiolocus.associate.link_options import LinkOptions
from radiolocus.associate.mechanism_options import MechanismOptions
from radiolocus.cohort import CohortOptions
from radiolocus.errors import ConfigError, RadiolocusError
from radiolocus.feature.measure import ImagingOptions
from radiolocus.feature.settings import FeatureSettings
from radiolocus.learn.deep_options import DeepOptions
from radiolocus.learn.deep_torch import check_torch
from radiolocus.molecular.markers import MolecularOptions
from radiolocus.outcome.monitoring_options import MonitoringOptions
from radiolocus.outcome.options import OutcomeOptions
from radiolocus.registry import suggest
from radiolocus.response.benefit_options import BenefitOptions
from radiolocus.response.early_options import EarlyOptions
from radiolocus.response.options import ResponseOptions
from radiolocus.response.study_endpoints import kind_of

__all__ = [
    "Mistake",
    "Study",
    "StudyError",
    "load_link",
    "load_outcome",
    "load_settings",
    "load_study",
    "sections_of",
    "study_schema",
]


Place = tuple[int | str, ...]
Options = typing.TypeVar("Options")
_ADAPTERS: dict[type, TypeAdapter[Any]] = {}


@dataclass(frozen=True)
class Sections:
    """The study file.

    Parameters
    ----------
    cohort : CohortOptions
        Who is in the study, and what happened to them.
    imaging : ImagingOptions or None
        Images, masks and features.
    genetics : GeneticsOptions or None
        Germline genotypes and the scan.
    molecular : MolecularOptions or None
        Tumour mutations, expression and markers.
    link : LinkOptions or None
        Imaging features × molecular markers.
    genotyping : GenotypingOptions or None
        Prediction of molecular markers from the image.
    outcome : OutcomeOptions or None
        Prediction of endpoints.
    response : ResponseOptions or None
        Response criteria from lesion measurements.
    deep : DeepOptions or None
        Networks that learn from crops of the images and from genomic input; needs PyTorch.
    monitoring : MonitoringOptions or None
        Risk estimated anew after each scan.
    early : EarlyOptions or None
        Prediction from the first scan on treatment, against that from baseline.
    benefit : BenefitOptions or None
        Choice of therapy: who benefits from which treatment.
    mechanism : MechanismOptions or None
        Graph of markers, features and outcomes, and mediated effects.
    """

    cohort: CohortOptions
    imaging: ImagingOptions | None = None
    genetics: GeneticsOptions | None = None
    molecular: MolecularOptions | None = None
    link: LinkOptions | None = None
    genotyping: GenotypingOptions | None = None
    outcome: OutcomeOptions | None = None
    response: ResponseOptions | None = None
    deep: DeepOptions | None = None
    monitoring: MonitoringOptions | None = None
    early: EarlyOptions | None = None
    benefit: BenefitOptions | None = None
    mechanism: MechanismOptions | None = None


@dataclass(frozen=True)
class Study:
    """A study file that can be followed: `name`, absolute `root`, and its `sections`."""

    name: str
    root: Path
    sections: Sections

    def settings(self) -> dict[str, Any]:
        """Return the resolved settings without absolute paths, as plain JSON values."""
        plain = _adapter(Sections).dump_python(self.sections, mode="json", exclude_none=True)
        plain["cohort"].pop("root", None)
        return typing.cast("dict[str, Any]", plain)


@dataclass(frozen=True)
class Mistake:
    """One thing wrong: where (path in the study file, or file, row, column) and what."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class StudyError(ConfigError):
    """All mistakes of a study file."""

    def __init__(self, file: str, mistakes: tuple[Mistake, ...]) -> None:
        self.mistakes = mistakes
        count = f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}"
        super().__init__(f"{count}\n" + "\n".join(f"  {m}" for m in mistakes), where=file)

    def __reduce__(self) -> tuple[object, ...]:
        return StudyError, (self.where, self.mistakes)


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
    sections, found = _validate(Sections, shaped, raw)
    mistakes += found
    if sections is None:
        raise StudyError(file.name, tuple(mistakes))
    mistakes += _crossed(sections)
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
    sections, mistakes = _validate(Sections, copy.deepcopy(settings), settings)
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
    options, mistakes = _validate(kind, copy.deepcopy(raw), raw)
    if options is None:
        raise StudyError(file.name, tuple(mistakes))
    return options


def study_schema() -> dict[str, Any]:
    """JSON schema of the study file, for editors; descriptions come from the options' docstrings."""
    schema = _adapter(Sections).json_schema()
    told = {part.__name__: _descriptions(part) for part in _dataclasses(Sections)}
    for name, definition in [*schema.get("$defs", {}).items(), ("Sections", schema)]:
        definition.pop("description", None)
        definition.update({"additionalProperties": False} if "properties" in definition else {})
        for field, entry in definition.get("properties", {}).items():
            if description := told.get(name, {}).get(field):
                entry["description"] = description
    return {**schema, "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Radiolocus study file"}


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


def _adapter(kind: type[Options]) -> TypeAdapter[Options]:
    """What reads and writes options, made once: that takes a tenth of a second."""
    if kind not in _ADAPTERS:
        for part in _dataclasses(kind):
            # Read by pydantic on standard dataclasses; unknown keys are mistakes, never ignored.
            part.__pydantic_config__ = {"extra": "forbid"}
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def _validate(kind: type[Options], shaped: dict[str, Any], raw: dict[str, Any]) -> tuple[Options | None, list[Mistake]]:
    """Validate, and on mistakes leave out what is wrong and look again, because one mistake can hide another.

    The options check themselves only once every key of their table is sound.
    """
    found: dict[Mistake, None] = {}
    left_out: set[Place] = set()
    while True:
        try:
            # By way of JSON a list may stand for a tuple and 2 for 2.0, but true not for 1, nor "25" for 25.
            options = _adapter(kind).validate_json(json.dumps(shaped, default=str), strict=True)
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


def _endpoints(sections: Sections) -> dict[str, str]:
    """Endpoints that can be predicted and their kinds: those of the cohort, then those made of response calls."""
    made = sections.response.endpoints if sections.response else {}
    found = {name: str(told.kind) for name, told in sections.cohort.endpoints.items()}
    return found | {name: kind_of(told) for name, told in made.items() if kind_of(told) != "continuous"}


def _twice(sections: Sections) -> list[Mistake]:
    """Endpoints of one name in two sections."""
    made = sections.response.endpoints if sections.response else {}
    return [
        Mistake(f"response.endpoints.{name}", "a name that [cohort.endpoints] has too; allowed: another name")
        for name in made
        if name in sections.cohort.endpoints
    ]


def _too_rich(sections: Sections) -> list[Mistake]:
    """Endpoints that a section names and does not know how to take: competing events, classes, delayed entry, ..."""
    mistakes = []
    for section in ("early", "benefit", "mechanism", "monitoring"):
        options = getattr(sections, section)
        for name in getattr(options, "endpoints", ()) if options else ():
            told = sections.cohort.endpoints.get(name)
            if told is None:
                continue
            more = {"entry": told.entry or told.delayed_entry, "strata": told.strata, "weights": told.weights}
            got = f"of kind {told.kind}" if told.kind not in ("survival", "binary") else ""
            got = got or " and ".join(f"with {key}" for key, value in more.items() if value)
            if got:
                allowed = "a survival or binary endpoint without entry, strata and weights; [outcome] takes all"
                mistakes.append(Mistake(f"{section}.endpoints", f"'{name}' is {got}; allowed: {allowed}"))
    return mistakes


def _crossed(sections: Sections) -> list[Mistake]:
    """Mistakes that two sections make together."""
    mistakes = _unknown_endpoints(sections) + _twice(sections) + _too_rich(sections)
    if not sections.cohort.subjects:
        mistakes.append(
            Mistake("cohort.subjects", 'missing; what to do: name the table of subjects, e.g. "clinical.csv"')
        )
    mistakes += _linked(sections) + _measured(sections)
    mistakes += _mechanism(sections)
    if sections.genetics and not (sections.genetics.genotypes or sections.genetics.plink):
        mistakes.append(Mistake("genetics", 'missing genotypes; what to do: name them, e.g. genotypes = "cohort.pgen"'))
    if sections.genotyping and not sections.imaging:
        mistakes.append(Mistake("genotyping", "predicts from imaging features, but there is no [imaging]"))
    mistakes += _unknown_repeatability(sections)
    mistakes += _unknown_selected_on(sections) + _deep(sections)
    return mistakes + _nothing_to_scan(sections)


def _deep(sections: Sections) -> list[Mistake]:
    """What networks need and is not there: told before anything runs."""
    if sections.deep is None:
        return []
    mistakes = []
    try:
        check_torch()
    except ConfigError as error:
        mistakes.append(Mistake("deep", f"{error.got}; what to do: {error.todo}"))
    sequences = sections.deep.sequences
    if sequences is not None and sequences.genome and not (sections.molecular and sections.molecular.mutations):
        mistakes.append(Mistake("deep.sequences.genome", "needs [molecular] mutations to cut windows around"))
    if sections.deep.variants and not sections.genetics:
        mistakes.append(Mistake("deep.variants", "names germline variants, but there is no [genetics]"))
    if sections.deep.images and not sections.imaging:
        mistakes.append(Mistake("deep.images", "names images, but there is no [imaging]"))
    return mistakes


def _linked(sections: Sections) -> list[Mistake]:
    """Links of data that the study does not have."""
    if sections.link is None:
        return []
    absent = [n for n in ("imaging", "molecular") if not getattr(sections, n)]
    if absent == ["molecular"] and sections.link.endpoints:
        absent = []
    found = [Mistake("link", f"links imaging with molecular data, but there is no [{' and '.join(absent)}]")]
    made = sections.response.endpoints if sections.response else {}
    known = [name for name, kind in _endpoints(sections).items() if kind == "binary"]
    known += [name for name, told in made.items() if kind_of(told) == "continuous"]
    wrong = [
        Mistake(
            "link.endpoints", f"no binary endpoint or depth '{name}'; allowed: {', '.join(known) or 'none is there'}"
        )
        for name in sections.link.endpoints
        if name not in known
    ]
    return (found if absent else []) + wrong


def _measured(sections: Sections) -> list[Mistake]:
    """Masks of images that the study does not have."""
    masks = sections.response.masks if sections.response else None
    if masks is None:
        return []
    known = [image.name for image in sections.imaging.images] if sections.imaging else []
    if not known:
        return [Mistake("response.masks", "measures the masks of [imaging], but it names no images")]
    return [
        Mistake("response.masks.images", f"no image '{name}'; allowed: {', '.join(known)}; {suggest(name, known)}")
        for name in masks.images
        if name not in known
    ]


def _mechanism(sections: Sections) -> list[Mistake]:
    """Ends of paths that the study does not have, and a graph of nothing."""
    if sections.mechanism is None:
        return []
    if not (sections.imaging and (sections.link or sections.genetics)):
        return [Mistake("mechanism", "joins what [link] or [genetics] finds of [imaging], but they are not there")]
    endpoints = _endpoints(sections)
    return [
        Mistake("mechanism.endpoints", f"no endpoint '{name}'; allowed: {', '.join(endpoints) or 'none is defined'}")
        for name in sections.mechanism.endpoints
        if name not in endpoints
    ]


def _unknown_endpoints(sections: Sections) -> list[Mistake]:
    mistakes = []
    endpoints = _endpoints(sections)
    allowed = ", ".join(endpoints) or "none is defined under [cohort.endpoints]"
    named = {
        f"{section}.{key}": getattr(options, key)
        for section, key in (
            ("outcome", "endpoints"),
            ("deep", "endpoints"),
            ("monitoring", "endpoints"),
            ("early", "endpoints"),
            ("early", "favourable"),
            ("benefit", "endpoints"),
            ("benefit", "favourable"),
        )
        if (options := getattr(sections, section)) is not None
    }
    for where, names in named.items():
        for name in names:
            if name not in endpoints:
                hint = suggest(name, list(endpoints))
                told = f"unknown endpoint '{name}'; allowed: {allowed}" + (f"; {hint}" if hint else "")
                mistakes.append(Mistake(where, told))
    for section in dict.fromkeys(where.split(".")[0] for where in named):
        if not endpoints:
            mistakes.append(Mistake(section, "no endpoint; what to do: add [cohort.endpoints.NAME]"))
    return mistakes


def _nothing_to_scan(sections: Sections) -> list[Mistake]:
    """Phenotypes of a scan that the study does not have; markers are known only when their tables are read."""
    genetics, endpoints = sections.genetics, _endpoints(sections)
    if genetics is None:
        return []
    mistakes = []
    if not sections.imaging and not genetics.binary:
        mistakes.append(
            Mistake("genetics", "scans imaging phenotypes, but there is no [imaging]; binary names other phenotypes")
        )
    known = [name for name, kind in endpoints.items() if kind == "binary"]
    for name in genetics.binary:
        if name not in known and (name in endpoints or not sections.molecular):
            mistakes.append(
                Mistake(
                    "genetics.binary",
                    f"no binary endpoint '{name}'; allowed: {', '.join(known) or 'none is defined'}"
                    + ("" if sections.molecular else ", or a binary marker, but there is no [molecular]"),
                )
            )
    return mistakes


def _unknown_selected_on(sections: Sections) -> list[Mistake]:
    known = list(_endpoints(sections))
    tables = sections.molecular.expression if sections.molecular else ()
    return [
        Mistake(
            f"molecular.expression '{table.name}'.selected_on",
            f"unknown endpoint '{name}'; allowed: {', '.join(known) or 'none is defined'}",
        )
        for table in tables
        for name in table.selected_on
        if name not in known
    ]


def _unknown_repeatability(sections: Sections) -> list[Mistake]:
    known = sections.imaging and (sections.imaging.perturb or sections.imaging.retest)
    names = ("genetics", "link", "genotyping", "outcome")
    stages = {name: getattr(sections, name) for name in names}
    return [
        Mistake(
            f"{name}.icc_min",
            "demands repeatability, which nothing measures; what to do: add [imaging.perturb] or [imaging.retest]",
        )
        for name, options in stages.items()
        if options and options.icc_min is not None and not known
    ]
