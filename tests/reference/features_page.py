"""Writes ``docs/features.md`` from the registry and the strength of IBSI's consensus.

Run ``PYTHONPATH=tests python tests/reference/features_page.py`` after a change of the registry.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

from radiolocus.feature.core import AGGREGATIONS
from radiolocus.feature.families import FAMILIES
from radiolocus.feature.settings import FeatureSettings
from reference import ibsi

PAGE = Path(__file__).resolve().parents[2] / "docs" / "features.md"

_STRENGTHS = ("weak", "moderate", "strong", "very strong")
_HEAD = """# The imaging features

Definitions are those of the Image Biomarker Standardisation Initiative (Zwanenburg et al., *Radiology*
2020;295:328-338; reference manual arXiv:1612.07003). This page is written from the registry of features: do not edit
it, see `tests/reference/features_page.py`.

`families` in the study file chooses families by name; when it says nothing these are taken: {default}. The
name of a column is that of the feature followed by the suffix of the aggregation, as in `cm_contrast_3d_avg`. The unit
`intensity` stands for the unit of the image. *Consensus* is the strength of IBSI's agreement on the values that the
feature is tested against, from the weakest to the strongest of the digital phantom and the configurations A to E, in
any aggregation.

| family | features | aggregations |
|---|---|---|
{overview}
"""


def _consensus(tag: str, suffixes: list[str]) -> str:
    names = {tag + suffix for suffix in suffixes}
    found = {r["consensus_strength"] for r in ibsi.rows() if r["tag"].lower() in names and r["consensus_value"]}
    known = [strength for strength in _STRENGTHS if strength in found]
    assert set(known) == found
    if not known:
        return "none"
    return known[0] if len(known) == 1 else f"{known[0]} to {known[-1]}"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _section(family) -> list[str]:
    columns = list(family.columns(tuple(AGGREGATIONS)).values())
    about = " ".join((inspect.getdoc(sys.modules[family.prepare.__module__]) or "").split())
    lines = [f"## {family.title}", "", f"`{family.name}`: {about}", ""]
    if family.aggregations:
        lines += ["Aggregations: " + "; ".join(f"`{suffix}` {title}" for suffix, title in columns) + ".", ""]
    lines += ["| feature | name | IBSI id | unit | definition | consensus |", "|---|---|---|---|---|---|"]
    for f in family.features.values():
        strength = _consensus(f.tag, [suffix for suffix, _ in columns])
        lines.append(_row(f"`{f.tag}`", f.name, f.ibsi_id, f.unit, f.definition, strength))
    elsewhere = [f"`{f.tag}`: {f.source}." for f in family.features.values() if f.source != "IBSI 1"]
    return [*lines, *([""] if elsewhere else []), *elsewhere, ""]


def page() -> str:
    """Return the page; without the reference table every consensus reads "none"."""
    default = ", ".join(f"`{name}`" for name in FeatureSettings().families)
    overview = [
        _row(
            f"`{family.name}`",
            str(len(family.features)),
            "; ".join(title for _, title in family.columns(tuple(AGGREGATIONS)).values() if title),
        )
        for family in FAMILIES.values()
    ]
    lines = [_HEAD.format(default=default, overview="\n".join(overview))]
    for family in FAMILIES.values():
        lines += _section(family)
    return "\n".join(lines)


if __name__ == "__main__":
    if not ibsi.rows():
        sys.exit("the IBSI table is not here: set RADIOLOCUS_REFERENCE to the folder that holds it")
    PAGE.write_text(page(), encoding="utf-8")
