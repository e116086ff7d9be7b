"""Mistakes that sections make together: what one names and another does not have."""

from __future__ import annotations

from radiolocus.config.sections import Mistake, Sections
from radiolocus.errors import ConfigError
from radiolocus.learn.deep_torch import check_torch
from radiolocus.registry import suggest
from radiolocus.response.study_endpoints import kind_of

__all__ = ["crossed"]


def crossed(sections: Sections) -> list[Mistake]:
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
