"""The drafted study file as text: what is sure stands plain, what needs a decision behind ``#``."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from radiolocus.app.draft_paths import Pair
from radiolocus.app.draft_tables import Drafted, guess_endpoints, overlap
from radiolocus.cohort import IdRules

__all__ = ["DraftImage", "Matched", "cohort_ids", "is_marker_table", "write"]

_LESION_COLUMNS = {"subject", "visit", "day", "lesion", "kind", "diameter_mm"}


@dataclass(frozen=True)
class DraftImage:
    """A drafted ``[[imaging.images]]``; `doubt` is why it stands behind ``#``."""

    name: str
    modality: str
    pair: Pair
    roi: str | None = None
    doubt: str = ""


@dataclass(frozen=True, eq=False)
class Matched:
    """Everything that was matched, ready to be written."""

    root: Path
    subjects: tuple[Drafted, ...]
    rules: IdRules
    images: tuple[DraftImage, ...]
    genotypes: tuple[str, ...]
    maf: tuple[str, ...]
    sequenced: str | None
    gct: tuple[str, ...]
    tables: tuple[Drafted, ...]


def is_marker_table(table: Drafted) -> bool:
    """Tell whether a table with one row a subject holds molecular markers rather than clinical columns."""
    others = table.table.frame.width - 1
    named = "marker" in Path(table.path).stem.lower()
    return others > 0 and (named or 2 * len(table.markers) >= others)


def cohort_ids(subjects: Sequence[Drafted], rules: IdRules) -> set[str]:
    """Return the normalised ids of all tables of subjects."""
    return {rules.normalise(i) for t in subjects for i in t.ids} - {""}


def _q(value: object) -> str:
    """Write a TOML value; JSON strings are TOML strings."""
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_q(v) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def write(found: Matched, root: str) -> str:
    """Write the study file; `root` is the path from the study file to the root of the study."""
    lines = [
        "# Drafted by `radiolocus init`. Lines behind # are suggestions: choose, and take the # away.",
        "# Then: radiolocus check study.toml, and radiolocus run study.toml --out results",
        "",
    ]
    lines += _cohort_section(found, root)
    lines += _endpoint_section(found)
    lines += _imaging_section(found)
    lines += _genetics_section(found)
    lines += _molecular_section(found)
    lines += _later_sections(found)
    return "\n".join(lines).rstrip("\n") + "\n"


def _cohort_section(found: Matched, root: str) -> list[str]:
    lines = ["[cohort]", f"name = {_q(found.root.name)}", f"root = {_q(Path(root).as_posix())}"]
    if not found.subjects:
        lines += ['# subjects = "clinical.csv"  # no table of subjects was found', '# id = "id"', ""]
        return lines
    first = found.subjects[0]
    lines.append(f"id = {_q(first.id)}")
    entries = []
    for t in found.subjects:
        sheet = f", sheet = {_q(t.sheet)}" if t.sheet else ""
        key = f", id = {_q(t.id)}" if t.id != first.id else ""
        entries.append(f"{{ path = {_q(t.path)}{sheet}{key} }}")
    lines += ["subjects = [", *(f"  {e}," for e in entries), "]", ""]
    r = found.rules
    if r != IdRules():
        lines += ["[cohort.ids]  # spellings differ between the sources; these rules join most ids"]
        lines += [f"case = {_q(r.case)}"] if r.case != "keep" else []
        lines += [f"extract = {_q(r.extract)}"] if r.extract else []
        lines += [f"replace = {_q(r.replace)}"] if r.replace else []
        lines.append("")
    return lines


def _endpoint_section(found: Matched) -> list[str]:
    lines = []
    for guess in guess_endpoints(found.subjects):
        lines += [f"# {guess.reason}"]
        lines += [f"# CAREFUL: {guess.doubt}"] if guess.doubt else []
        lines += [
            f"# [cohort.endpoints.{_q(guess.name) if not re.fullmatch(r'[A-Za-z0-9_-]+', guess.name) else guess.name}]",
            f"# kind = {_q(guess.kind)}",
            f"# event = {_q(guess.event)}",
            f"# event_values = {_q([guess.value])}",
        ]
        lines += [f"# time = {_q(guess.time)}"] if guess.time else []
        lines += (
            [f"# censor_time = {_q(guess.censor_time)}  # for those without the event"] if guess.censor_time else []
        )
        lines += [f"# unit = {_q(guess.unit)}"] if guess.unit else []
        lines.append("")
    if lines:
        lines.insert(0, "# Endpoints that the columns suggest. Only a person can say what counts as the event.")
    return lines


def _imaging_section(found: Matched) -> list[str]:
    if not found.images:
        return []
    live = [i for i in found.images if not i.doubt]
    mark = "" if live else "# "
    lines = [
        f"{mark}[imaging]",
        f'{mark}families = ["morphology", "intensity", "glcm"]',
        "",
        f"{mark}[imaging.settings]",
        "# bin_width = 25.0    # fixed bin size suits images with a unit: CT 25 HU, PET 0.5 SUV",
        "# bin_number = 32     # fixed bin number suits MR; 32 is what holds when neither is given",
        "",
    ]
    for image in [*live, *(i for i in found.images if i.doubt)]:
        hide = "# " if image.doubt else ""
        if image.doubt:
            lines.append(f"# {image.doubt}")
        lines += [f"{hide}[[imaging.images]]", f"{hide}name = {_q(image.name)}"]
        unsaid = '# modality = "CT"  # neither names nor headers tell'
        lines.append(f"{hide}modality = {_q(image.modality)}" if image.modality else unsaid)
        lines += [f"{hide}image = {_q(image.pair.image.text)}", f"{hide}mask = {_q(image.pair.mask.text)}"]
        lines += [f"{hide}roi = {_q(image.roi)}"] if image.roi else []
        lines.append("")
    return lines


def _columns(found: Matched, pattern: str) -> list[str]:
    names = [c for t in found.subjects for c in t.table.frame.columns if c != t.id]
    return [c for c in dict.fromkeys(names) if re.search(pattern, c, re.IGNORECASE)]


def _genetics_section(found: Matched) -> list[str]:
    lines = []
    usable = bool(found.subjects) and any(not i.doubt for i in found.images)
    for n, path in enumerate(found.genotypes):
        hide = "" if usable and n == 0 else "# "
        if hide:
            lines.append("# a second data set" if usable else "# a scan needs a table of subjects and [imaging]")
        lines += [f"{hide}[genetics]", f"{hide}genotypes = {_q(path)}", f"{hide}principal_components = 3"]
        lines += [f"# covariates = {_q(_columns(found, r'^age|^sex$|^gender$'))}", ""]
    return lines


def _molecular_section(found: Matched) -> list[str]:
    cohort = cohort_ids(found.subjects, found.rules)
    body = [f"mutations = {_q(path)}" if n == 0 else f"# mutations = {_q(path)}" for n, path in enumerate(found.maf)]
    if found.sequenced and found.maf:
        body.append(f"sequenced = {_q(found.sequenced)}")
    markers = [t for t in found.tables if t.kind == "subjects" and t not in found.subjects and is_marker_table(t)]
    entries = [
        f"  {{ path = {_q(t.path)}, id = {_q(t.id)}{f', sheet = {_q(t.sheet)}' if t.sheet else ''} }},"
        for t in markers
        if overlap(t.ids, cohort, found.rules)
    ]
    body += ["markers = [", *entries, "]"] if entries else []
    body += _expression_lines(found, cohort)
    for t in found.subjects:
        if t.markers:
            body.append(
                "# columns of a table of subjects that read like markers; a column is clinical or a marker, not both"
            )
            body.append(f"# markers = [{{ path = {_q(t.path)}, id = {_q(t.id)}, columns = {_q(t.markers)} }}]")
    live = any(not line.startswith("#") for line in body)
    return [f"{'' if live else '# '}[molecular]", *body, ""] if body else []


def _expression_lines(found: Matched, cohort: set[str]) -> list[str]:
    entries = [f"  {{ path = {_q(path)} }}," for path in found.gct]
    for t in found.tables:
        frame = t.table.frame
        if t.kind != "expression" or not t.path.lower().removesuffix(".gz").endswith((".csv", ".tsv", ".txt")):
            continue
        key, drop = "", ""
        if t.orientation == "samples_by_genes":
            key = f", id = {_q(t.id)}"
            drop = f", drop = {_q(t.not_genes)}" if t.not_genes else ""
        samples = t.ids if t.orientation == "samples_by_genes" else tuple(frame.columns[1:])
        if overlap(samples, cohort, found.rules):
            entries.append(f"  {{ path = {_q(t.path)}, orientation = {_q(t.orientation)}{key}{drop} }},")
    return ["expression = [", *entries, "]"] if entries else []


def _later_sections(found: Matched) -> list[str]:
    lines = []
    molecular = any(not line.startswith("#") for line in _molecular_section(found) if line)
    if molecular and found.subjects and any(not i.doubt for i in found.images):
        lines += ["[link]", f"# covariates = {_q(_columns(found, r'^age|^sex$|^gender$'))}", ""]
    if found.subjects:
        clinical = _columns(found, r"^age|^sex$|^gender$|grade|stage")
        lines += [
            "# [outcome]  # needs at least one endpoint above",
            f"# clinical = {_q(clinical)}",
            "# repeats = 5",
            "# seed = 1",
            "",
        ]
    for n, t in enumerate(t for t in found.tables if t.kind == "lesions"):
        hide = (
            "# "
            if n or not {"subject", "visit", "day", "lesion", "kind", "diameter_mm"} <= set(t.table.frame.columns)
            else ""
        )
        if hide:
            lines.append("# a lesion table has the columns subject, visit, day, lesion, kind, organ, diameter_mm")
        lines += [f"{hide}[response]", f"{hide}lesions = {_q(t.path)}", ""]
    return lines
