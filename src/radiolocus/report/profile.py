"""One subject's imaging-genomic profile against the cohort, as a page and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
from markupsafe import Markup

from radiolocus.molecular.treatments import Matched
from radiolocus.read.treatments import TreatmentTable
from radiolocus.report.blocks import Block, Cell, Row, Section, Table, Text
from radiolocus.report.card import file_name
from radiolocus.report.figures_card import standings
from radiolocus.report.figures_response import spider
from radiolocus.report.html import render
from radiolocus.report.monitored_subject import course_blocks, risk_rows
from radiolocus.report.montage import gallery
from radiolocus.report.numbers import MISSING, interval, interval_cell, number, number_cell, percent, plural
from radiolocus.report.profile_data import Profile, plain, profile_of
from radiolocus.report.source import Artefacts
from radiolocus.response.criterion import CRITERIA
from radiolocus.store import write_bytes

__all__ = ["RESEARCH_USE", "build_profile", "write_profile"]

#: Stands at the top of the page and in the JSON.
RESEARCH_USE = (
    "For research only. Not a medical device: nothing on this page may guide the diagnosis or treatment of a patient. "
    "Numbers come from this cohort alone; predictions are those of models that did not see this subject."
)
_LOW, _HIGH = 2.5, 97.5


def write_profile(
    root: Path,
    subject: str,
    out: Path | None = None,
    *,
    treatments: TreatmentTable | None = None,
    features: Sequence[str] = (),
) -> tuple[Path, Path]:
    """Write the profile of a subject.

    Parameters
    ----------
    root : Path
        Output folder of a study.
    subject : str
    out : Path, optional
        Page; the JSON stands beside it. By default below ``root/profiles``.
    treatments : TreatmentTable, optional
    features : sequence of str
        Shown first.

    Returns
    -------
    tuple of Path
        Page and JSON.

    Raises
    ------
    StoreError, ConfigError
        As :func:`radiolocus.report.profile_data.profile_of`.
    """
    page, told = build_profile(root, subject, treatments, features)
    path = out or root / "profiles" / f"{file_name(subject)}.html"
    write_bytes(path, page.encode())
    beside = path.with_suffix(".json")
    write_bytes(beside, (json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())
    return path, beside


def build_profile(
    root: Path, subject: str, treatments: TreatmentTable | None = None, features: Sequence[str] = ()
) -> tuple[str, dict[str, Any]]:
    """Page and JSON of a profile; see :func:`write_profile`. The same artefacts give the same text."""
    art = Artefacts(root)
    found = profile_of(art, subject, treatments, features)
    version = art.study.get("radiolocus_version") or ""
    sections = [
        _imaging(art, found),
        Section("genotypes", "Genotypes told from the image", _genotypes(found)),
        Section(
            "markers", "Measured markers and known treatments", [*_markers(found), *_treatments(found, treatments)]
        ),
        Section("outcome", "Outcome, predicted out of fold", _outcomes(found)),
        Section("monitoring", "Risk, re-estimated after each visit", course_blocks(art, subject)),
        Section("response", "Response", _response(art, found)),
    ]
    page = render(
        subject, [s for s in sections if s.blocks], version=version, kicker="Imaging-genomic profile",
        warning=RESEARCH_USE,
    )  # fmt: skip
    return page, _json(art, found, treatments, version)


def _json(art: Artefacts, found: Profile, table: TreatmentTable | None, version: str) -> dict[str, Any]:
    return {
        "research_use": RESEARCH_USE,
        "radiolocus_version": version,
        "study": art.study.get("name") or "",
        "subject": found.subject,
        "subjects_of_the_study": found.cohort,
        "key_features": list(found.keys),
        "features": plain(found),
        "genotypes": found.genotypes,
        "markers": found.markers,
        "treatments": None if table is None else {
            "version": table.version, "date": table.date.isoformat(), "title": table.title,
            "rows": [_row_of(m) for m in found.treatments],
        },
        "outcome": found.outcomes,
        "monitoring": risk_rows(art, found.subject),
        "response": found.response.drop("subject").to_dicts(),
        "best_response": found.best.drop("subject").to_dicts(),
    }  # fmt: skip


def _row_of(one: Matched) -> dict[str, Any]:
    t = one.treatment
    return {
        "status": one.status, "marker": one.marker, "value": one.value, "why": one.why, "markers": list(t.markers),
        "when": t.when.text, "unit": t.unit, "tumour": t.tumour, "treatment": t.treatment, "effect": t.effect,
        "detail": t.detail, "evidence": t.evidence, "source": t.source, "doi": t.doi, "pmid": t.pmid, "url": t.url,
        "date": t.date.isoformat(),
    }  # fmt: skip


def _imaging(art: Artefacts, found: Profile) -> Section:
    if not found.standings:
        return Section("imaging", "Imaging features", [Text("No imaging feature of this subject was measured.")])
    by_name = {one.name: one for one in found.standings}
    blocks: list[Block] = [standings(found.subject, [by_name[n] for n in found.keys])] if found.keys else []
    pictures = art.table("features/thumbnails")
    own = None if pictures is None else pictures.filter(pl.col("subject") == found.subject)
    if own is not None and own.height:
        blocks.append(gallery(own))
    far = [one for one in found.standings if not _LOW < one.percentile < _HIGH]
    rows: list[Row] = [
        [
            one.name, one.unit or MISSING, number_cell(one.value), number_cell(one.percentile),
            *([number_cell(one.lower), number_cell(one.upper)] if one.lower is not None else [MISSING, MISSING]),
            number_cell(one.others.size),
        ]
        for one in sorted(found.standings, key=lambda s: (-abs(s.percentile - 50), s.name))
    ]  # fmt: skip
    head = ["feature", "unit", "value", "percentile", "lower", "upper", "other subjects"]
    blocks.append(
        Table(
            f"All {plural(len(found.standings), 'feature')}, those farthest out first", head, rows,
            [False] * 2 + [True] * 5, folded=True, sortable=True,
            note="Percentile among the other subjects, equal values counted half. Lower and upper: of the value less "
            "and plus 1.96 within-subject standard deviations.",
        )
    )  # fmt: skip
    told = (
        f"{plural(len(far), 'feature')} of {len(found.standings)} beyond the {_LOW:g} or {_HIGH:g} percentile; of "
        f"independent features about {0.05 * len(found.standings):.1f} would be by chance"
    )
    return Section("imaging", "Imaging features", blocks, [told])


def _genotypes(found: Profile) -> list[Block]:
    if not found.genotypes:
        return []
    rows: list[Row] = [
        [
            g["target"], _set_of(g), _probabilities(g), _observed(g), _covered(g["coverage"]),
            {True: "yes", False: "no"}.get(g["told"], "not judged"), g["verdict"] or MISSING,
        ]
        for g in found.genotypes
    ]  # fmt: skip
    return [
        Text(
            "A prediction set holds every class that cannot be ruled out at the coverage it is made for: two classes "
            "mean that the image does not decide. Where the image does not tell the marker, as the verdict says, the "
            "set is no evidence about this subject. Treatments are never attached to a prediction.",
            "note",
        ),
        Table(
            "Predicted out of fold, by the model named first",
            ["marker", "set or interval", "probability", "measured", "coverage: aimed at, found", "image tells it",
             "verdict"],
            rows,
        ),
    ]  # fmt: skip


def _set_of(g: dict[str, Any]) -> str:
    if g["kind"] == "continuous":
        return f"{number(g['lower'])} to {number(g['upper'])}"
    return " or ".join(g["set"]) if g["set"] else "none: unlike every class"


def _probabilities(g: dict[str, Any]) -> str:
    if g["kind"] == "continuous":
        return number(g["prediction"])
    return ", ".join(f"{c} {p:.2f}" for c, p in g["probabilities"].items() if p is not None)


def _observed(g: dict[str, Any]) -> str:
    value = g["observed"]
    return MISSING if value is None else number(value) if isinstance(value, float) else str(value)


def _covered(told: dict[str, Any] | None) -> str:
    if told is None:
        return "not checked"
    found = interval(told["coverage"], told["lower"], told["upper"], 0, 100, " %")
    return f"{percent(told['aimed_at'])}, {found}"


def _markers(found: Profile) -> list[Block]:
    if not found.markers:
        return [Text("No molecular marker of this subject was measured.")]
    binary = [m for m in found.markers if m["kind"] == "binary"]
    present = [m for m in binary if m["value"] == 1.0]
    rows: list[Row] = [[m["marker"], percent(m["share_of_others"]), number_cell(m["others"])] for m in present]
    blocks: list[Block] = [
        Table(
            f"Present: {len(present)} of {plural(len(binary), 'marker')} of two values that were measured",
            ["marker", "of the others", "others measured"], rows, [False, True, True],
        )
    ] if present else [Text(f"None of {plural(len(binary), 'marker')} of two values is present.")]  # fmt: skip
    rest = [m for m in found.markers if m["kind"] != "binary"]
    rows = [
        [
            m["marker"],
            m["unit"] or MISSING,
            number_cell(m["value"]),
            number_cell(m["percentile"]),
            number_cell(m["others"]),
        ]
        for m in sorted(rest, key=lambda m: (-abs(m["percentile"] - 50), m["marker"]))[:100]
    ]
    if rows:
        more = f" (100 of {len(rest)}, those farthest out)" if len(rest) > 100 else ""
        head = ["marker", "unit", "value", "percentile", "others measured"]
        blocks.append(Table(f"Markers with a number{more}", head, rows, [False] * 2 + [True] * 3, folded=len(rows) > 12,
                            sortable=True))  # fmt: skip
    return blocks


def _link_to(one: Matched) -> str | Markup:
    """The source, with an address that the table gives; addresses are https alone, as the reader holds them to."""
    t = one.treatment
    url = f"https://doi.org/{t.doi}" if t.doi else t.url or f"https://pubmed.ncbi.nlm.nih.gov/{t.pmid}/"
    numbers = "; ".join(w for w in (f"doi:{t.doi}" if t.doi else "", f"PMID {t.pmid}" if t.pmid else "") if w)
    return Markup('{} <a href="{}" rel="noreferrer">{}</a>').format(t.source, url, numbers or t.url)


def _treatments(found: Profile, table: TreatmentTable | None) -> list[Block]:
    if table is None:
        return [Text("No table of treatments was given (--treatments).", "note")]
    met = [m for m in found.treatments if m.status == "met"]
    rows: list[Row] = [
        [
            f"{m.marker} {m.treatment.when.text} {m.treatment.unit}".strip(), m.treatment.tumour, m.treatment.treatment,
            m.treatment.effect, m.treatment.detail or MISSING, m.treatment.evidence, _cell(_link_to(m)),
            m.treatment.date.isoformat(),
        ]
        for m in met
    ]  # fmt: skip
    title = f"{table.title}, " if table.title else ""
    origin = f"{title}version {table.version} of {table.date.isoformat()}"
    blocks: list[Block] = [
        Text(
            f"Rows of the table that was given ({origin}) whose condition a measured marker of this subject meets. The "
            "table is the user's: Radiolocus vouches neither for its rows nor for their being all there are. Whether "
            "the tumour is the one a row is about, this page does not know.",
            "note",
        )
    ]
    head = ["marker", "tumour", "treatment", "effect", "what the marker does not tell", "evidence", "source", "checked"]
    if met:
        blocks.append(Table(f"{plural(len(met), 'row')} of {len(found.treatments)} met", head, rows))
    else:
        blocks.append(Text(f"None of {plural(len(found.treatments), 'row')} is met."))
    rest = [m for m in found.treatments if m.status != "met"]
    others: list[Row] = [
        [
            " or ".join(m.treatment.markers), f"{m.treatment.when.text} {m.treatment.unit}".strip(),
            m.treatment.treatment, m.status, number_cell(m.value), m.why or MISSING,
        ]
        for m in rest
    ]  # fmt: skip
    if rest:
        blocks.append(
            Table(
                "Rows that are not met, or could not be held against this subject",
                ["marker", "when", "treatment", "status", "value", "why"], others, [False] * 4 + [True], folded=True,
            )
        )  # fmt: skip
    return blocks


def _cell(text: str | Markup) -> Cell:
    return Cell(text)


def _outcomes(found: Profile) -> list[Block]:
    if not found.outcomes:
        return []
    rows: list[Row] = [
        [
            o["endpoint"], o["predictors"], o["model"],
            Cell(_predicted(o), o["prediction"]),
            number_cell(o["percentile"]), o["group"] or MISSING, o["performance"]["metric"] or MISSING,
            interval_cell(*(o["performance"][k] for k in ("estimate", "lower", "upper"))),
        ]
        for o in found.outcomes
    ]  # fmt: skip
    head = [
        "outcome",
        "predictors",
        "model",
        "prediction",
        "percentile",
        "risk group",
        "measure",
        "of the model (95 %)",
    ]
    return [
        Table(
            "Mean over repetitions of the prediction of models that did not see this subject", head, rows,
            [False] * 3 + [True, True, False, False, True],
            note="Probability of a binary outcome; log relative hazard of a survival outcome. Percentile among the "
            "others: higher is a higher risk. Where the interval of the model's measure covers 0.5, its prediction "
            "says nothing.",
        )
    ]  # fmt: skip


def _predicted(o: dict[str, Any]) -> str:
    return number(o["prediction"]) if o["probability"] is None else percent(o["probability"])


def _response(art: Artefacts, found: Profile) -> list[Block]:
    if not found.response.height:
        return []
    blocks: list[Block] = []
    chosen = art.criterion
    visits = found.response.filter(pl.col("criterion") == chosen)
    drawn = spider(visits, found.best.filter(pl.col("criterion") == chosen)) if chosen in ("recist11",) else None
    blocks += [drawn] if drawn else []
    rows: list[Row] = [
        [
            _title(r["criterion"]), r["visit"], number_cell(r["day"]), number_cell(r["value"]),
            r["quantity"] or MISSING, number_cell(r["change_from_baseline"]), "yes" if r["new_lesion"] else "no",
            r["overall_response"] or MISSING, r["reason"] or MISSING,
        ]
        for r in found.response.iter_rows(named=True)
    ]  # fmt: skip
    head = ["criterion", "visit", "day", "value", "quantity", "change, %", "new lesion", "response", "reason"]
    best = "; ".join(f"{_title(r['criterion'])}: {r['best_response']}" for r in found.best.iter_rows(named=True))
    caption = "Visits" + (f"; best response {best}" if best else "")
    blocks.append(Table(caption, head, rows, [False, False, True, True, False, True]))
    return blocks


def _title(criterion: str) -> str:
    return (
        CRITERIA[criterion].title if criterion in CRITERIA else "RECIST 1.1" if criterion == "recist11" else criterion
    )
