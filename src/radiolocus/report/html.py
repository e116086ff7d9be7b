"""The page: sections in order, one template, one file without anything from outside."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from radiolocus.errors import StoreError
from radiolocus.report.blocks import Section
from radiolocus.report.sections_benefit import benefit
from radiolocus.report.sections_checklists import reporting
from radiolocus.report.sections_cohort import cohort
from radiolocus.report.sections_ctdna import follow_up
from radiolocus.report.sections_deep import deep
from radiolocus.report.sections_early import early
from radiolocus.report.sections_expression import expression
from radiolocus.report.sections_follow_up import changes, timelines
from radiolocus.report.sections_genetics import binary_genetics, genetics
from radiolocus.report.sections_genotyping import genotyping
from radiolocus.report.sections_images import features, images
from radiolocus.report.sections_link import link
from radiolocus.report.sections_mechanism import mechanism
from radiolocus.report.sections_molecular import molecular
from radiolocus.report.sections_monitoring import monitoring
from radiolocus.report.sections_mr import mendelian
from radiolocus.report.sections_outcome import outcome
from radiolocus.report.sections_qc import quality
from radiolocus.report.sections_record import planted, problems, provenance
from radiolocus.report.sections_repeatability import repeatability
from radiolocus.report.sections_response import response
from radiolocus.report.source import STAGES, Artefacts
from radiolocus.store import write_bytes

__all__ = ["build", "render", "write"]

_SECTIONS: tuple[Callable[[Artefacts], Section | None], ...] = (
    planted,
    cohort,
    images,
    features,
    repeatability,
    quality,
    genetics,
    binary_genetics,
    molecular,
    expression,
    link,
    genotyping,
    mendelian,
    outcome,
    deep,
    response,
    changes,
    timelines,
    follow_up,
    monitoring,
    early,
    benefit,
    mechanism,
    reporting,
    problems,
    provenance,
)


_SHOWN_IN = {
    "features": "features",
    "genetics": "genetics",
    "molecular": "links",
    "link": "links",
    "genotyping": "genotyping",
    "outcome": "outcome",
    "deep": "deep",
    "response": "response",
    "monitoring": "monitoring",
    "early": "early",
    "benefit": "benefit",
    "mechanism": "mechanism",
}
_JOINTS = re.compile(r"(?<=[_/:])(?=.)|(?<=[.,;])(?=[A-Za-z])")
_SHORT, _CHUNK = 14, 24


def _resource(name: str) -> str:
    return (files("radiolocus.report") / name).read_text(encoding="utf-8")


def breakable(text: str | Markup) -> Markup:
    """Escape `text` and let a line break inside long names, paths and hashes, where a browser would not."""
    if isinstance(text, Markup):
        return text
    return Markup(" ").join(escape(word) if len(word) <= _SHORT else _broken(word) for word in text.split(" "))


def _broken(word: str) -> Markup:
    parts = (p[i : i + _CHUNK] for p in _JOINTS.split(word) for i in range(0, max(1, len(p)), _CHUNK))
    return Markup("<wbr>").join(parts)


def build(root: Path) -> str:
    """Make the report of the artefacts below `root`.

    Parameters
    ----------
    root : Path
        Output folder of a study.

    Returns
    -------
    str
        A whole HTML page. It holds no date, no duration and no machine path: the same artefacts give the same text.

    Raises
    ------
    StoreError
        The folder holds no artefact at all, or a table or manifest that cannot be read.
    """
    art = Artefacts(root)
    if not art.study and not art.manifests:
        raise StoreError(
            "no study.json and no manifest",
            where=root.name,
            allowed="the output folder of 'radiolocus run'",
            todo="run the study first, or name its output folder",
        )
    sections = [s for s in (make(art) for make in _SECTIONS) if s is not None]
    stages = art.study.get("stages", {})
    order = [*STAGES, *sorted(set(stages) - set(STAGES))]
    absent = {s: stages[s].get("why", "") for s in order if s in stages and not stages[s].get("ran")}
    unasked = [s for s, why in absent.items() if why.startswith("no section")]
    shown = {s.id for s in sections}
    barren = [s for s, id in _SHOWN_IN.items() if stages.get(s, {}).get("ran") and id not in shown]
    return render(
        art.study.get("name") or "Study without a name",
        sections,
        version=art.study.get("radiolocus_version") or "",
        failed={s: why.removeprefix(f"{s}: ") for s, why in absent.items() if s not in unasked},
        barren=barren,
        unasked=unasked,
    )


@cache
def _environment() -> Environment:
    # Autoescape is on for every template; the only Markup made by us is the page's own style and script.
    environment = Environment(
        loader=FunctionLoader(_resource),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["breakable"] = breakable
    return environment


def render(
    name: str,
    sections: Sequence[Section],
    *,
    version: str,
    kicker: str = "Imaging genomics report",
    warning: str = "",
    failed: Mapping[str, str] | None = None,
    barren: Sequence[str] = (),
    unasked: Sequence[str] = (),
) -> str:
    """Make a whole page of sections, which needs nothing from outside and runs no script but its own.

    Parameters
    ----------
    name : str
        Title.
    sections : sequence of Section
    version : str
        Of Radiolocus.
    kicker : str
        What kind of page it is, above the title.
    warning : str
        What must be read before anything else; none when empty.
    failed : mapping of str to str, optional
        Stages that did not run, and why.
    barren, unasked : sequence of str
        Stages that left nothing, and those nobody asked for.
    """
    script = _resource("script.js")
    seal = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    template = _environment().get_template("template.html.j2")
    return template.render(
        name=name,
        kicker=kicker,
        warning=warning,
        version=version,
        sections=sections,
        failed=failed or {},
        barren=barren,
        unasked=unasked,
        style=Markup(_resource("style.css")),  # noqa: S704
        script=Markup(script),  # noqa: S704
        seal=seal,
    )


def write(root: Path) -> Path:
    """Write the report of the artefacts below `root` to ``root/report.html``, whole or not at all.

    Returns
    -------
    Path
        The page.
    """
    path = root / "report.html"
    write_bytes(path, build(root).encode("utf-8"))
    return path
