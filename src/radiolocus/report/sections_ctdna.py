"""Circulating tumour DNA, clones, the combined call and resistance."""

from __future__ import annotations

import numpy as np
import polars as pl

from radiolocus.report.blocks import Block, Cell, Row, Section, Table, Text
from radiolocus.report.figures_clones import MOLECULAR, blood_course, evolution
from radiolocus.report.numbers import count, number, number_cell, p_cell, plural
from radiolocus.report.source import Artefacts
from radiolocus.response.combined import COMBINED
from radiolocus.response.ctdna_rules import DEFINITIONS

__all__ = ["follow_up"]

_MOST_DRAWN = 6
_SHOWN = 20


def follow_up(art: Artefacts) -> Section | None:
    """Return the section, or None when nothing of it was asked for."""
    blocks: list[Block] = []
    verdict: list[str] = []
    for part in (_blood, _combined, _clones, _resistance):
        told, lines = part(art)
        blocks += told
        verdict += lines
    return Section("ctdna", "Circulating tumour DNA, clones and resistance", blocks, verdict) if blocks else None


def _blood(art: Artefacts) -> tuple[list[Block], list[str]]:
    samples = art.table("response/ctdna")
    if samples is None:
        return [], []
    name = art.setting("response", "ctdna", "definition") or "fall50"
    definition = DEFINITIONS[name]
    blocks: list[Block] = []
    after = samples.filter(pl.col("molecular_response") != "baseline")
    early = after.sort("day").group_by("subject", maintain_order=True).first()
    tally = {w: int((early["molecular_response"] == w).sum()) for w in MOLECULAR}
    unsure = early.filter(pl.col("molecular_response").is_in(["RESPONSE", "STABLE"]) & ~pl.col("certain")).height
    if (figure := blood_course(samples)) is not None:
        blocks.append(figure)
    blocks.append(
        Table(
            "Molecular response of the first sample on treatment",
            ["call", "subjects"],
            [[w, Cell(count(n), n)] for w, n in tally.items()],
            [False, True],
            note=f"Response: {definition.meaning} ({definition.source}). Progression is a convention of this program, "
            f"see docs/ctdna.md. In {plural(unsure, 'subject')} the interval of the change holds the limit: there the "
            "call could be the other. Every sample with its reason: response/ctdna.csv.",
        )
    )
    if (known := _known(art)) is not None:
        blocks.append(known)
    spoken = ", ".join(f"{w} {n}" for w, n in tally.items() if n)
    return blocks, [f"ctDNA of {plural(samples['subject'].n_unique(), 'subject')}; first sample on treatment: {spoken}"]


def _known(art: Artefacts) -> Table | None:
    variants = art.table("response/ctdna_variants")
    if variants is None:
        return None
    found = variants.filter(pl.col("detected") & (pl.col("resistance") != ""))
    if not found.height:
        return None
    grouped = found.group_by("variant", "resistance", "source", maintain_order=True).agg(
        pl.col("subject").n_unique().alias("subjects"),
        pl.col("subject").filter(pl.col("status").str.starts_with("new")).n_unique().alias("new"),
        pl.col("vaf").max().alias("largest"),
    )
    rows: list[Row] = [
        [r["variant"], r["resistance"], Cell(count(r["subjects"]), r["subjects"]), Cell(count(r["new"]), r["new"]),
         number_cell(100 * r["largest"]), r["source"]]
        for r in grouped.sort("subjects", "variant", descending=[True, False]).iter_rows(named=True)
    ]  # fmt: skip
    return Table(
        "Known resistance mutations found",
        ["variant", "resists", "subjects", "of them new on treatment", "largest fraction (%)", "source"],
        rows,
        [False, False, True, True, True, False],
        note="Whether a mutation matters depends on the treatment given, which this table does not know.",
    )


def _combined(art: Artefacts) -> tuple[list[Block], list[str]]:
    frame = art.table("response/combined")
    if frame is None:
        return [], []
    rows: list[Row] = []
    for rule in COMBINED:
        n = frame.filter(pl.col("rule") == rule.key).height
        rows.append([rule.imaging, rule.molecular, rule.call, Cell(count(n), n)])
    odd = frame.filter(pl.col("combined") == "not comparable").height
    leads = frame.group_by("subject").agg(pl.col("lead_days").first()).drop_nulls()["lead_days"]
    lead = "no subject progressed by both"
    if leads.len():
        first, both, last = int((leads > 0).sum()), int((leads == 0).sum()), int((leads < 0).sum())
        lead = (
            f"of {plural(leads.len(), 'subject')} who progressed by both, ctDNA was first in {first}, imaging in "
            f"{last}, together in {both}; median lead of ctDNA {number(float(np.median(leads.to_numpy())))} days"
        )
    table = Table(
        "Imaging and ctDNA at the same visits",
        ["imaging", "ctDNA", "combined call", "visits"],
        rows,
        [False, False, False, True],
        note=f"{plural(odd, 'visit')} without a counterpart are not in the table. Lead time: {lead}. It counts only "
        "those who progressed by both, and depends on how often each was looked at. Every visit: "
        "response/combined.csv.",
    )
    suspected = frame.filter(pl.col("combined") == "pseudoprogression suspected")["subject"].n_unique()
    lines = [f"pseudoprogression suspected in {plural(suspected, 'subject')}"] if suspected else []
    return [table], [*lines, lead]


def _clones(art: Artefacts) -> tuple[list[Block], list[str]]:
    frame, trees = art.table("response/clones"), art.table("response/clone_trees")
    if frame is None:
        return [], []
    blocks: list[Block] = []
    people = frame["subject"].unique().sort().to_list()
    shown = 0
    for subject in people:
        own = None if trees is None else trees.filter(pl.col("subject") == subject)
        figure = evolution(subject, frame.filter(pl.col("subject") == subject), own) if shown < _MOST_DRAWN else None
        if figure is not None:
            blocks.append(figure)
            shown += 1
    if len(people) > shown:
        blocks.append(Text(f"Clones of {plural(len(people) - shown, 'further subject')}: response/clones.csv.", "note"))
    moved = frame.filter(pl.col("state").is_in(["newly risen", "risen", "lost"]))
    rows: list[Row] = [
        [r["subject"], r["clone"], r["sample"], r["state"], number_cell(r["cancer_cell_fraction"]),
         number_cell(r["lower"]), number_cell(r["upper"]), Cell(count(r["mutations"]), r["mutations"]),
         _few(r["genes"])]
        for r in moved.iter_rows(named=True)
    ]  # fmt: skip
    if rows:
        blocks.append(
            Table(
                "Clones that rose or were lost",
                ["subject", "clone", "sample", "state", "cancer cell fraction", "from", "to", "mutations", "genes"],
                rows,
                [False, False, False, False, True, True, True, True, False],
                folded=len(rows) > _SHOWN,
                sortable=True,
                note="Posterior probability of the change at least 95 %, the membership of mutations taken as known; "
                "95 % credible intervals. A clone of one mutation may be a wrong copy number.",
            )
        )
    several = (
        0
        if trees is None
        else trees.group_by("subject").agg(pl.col("trees").first()).filter(pl.col("trees") > 1).height
    )
    risen = moved.filter(pl.col("state") == "newly risen").select("subject", "clone").unique().height
    told = f"clones of {plural(len(people), 'subject')}: {plural(risen, 'newly risen clone')}"
    return blocks, [told + (f"; more than one tree is possible in {several}" if several else "")]


def _few(genes: str, most: int = 6) -> str:
    """Names of some genes and the number of the others."""
    names = genes.split(", ") if genes else []
    rest = len(names) - most
    return (", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")) or "–"


def _resistance(art: Artefacts) -> tuple[list[Block], list[str]]:
    classes, tests = art.table("response/resistance_classes"), art.table("response/resistance")
    if classes is None:
        return [], []
    tally = {str(k): int(n) for k, n in classes["resistance_class"].value_counts(sort=True, name="n").iter_rows()}
    order = [c for c in ("primary", "acquired", "response", "not classified") if c in tally]
    blocks: list[Block] = [
        Table(
            "Resistance",
            ["class", "subjects"],
            [[c, Cell(count(tally[c]), tally[c])] for c in order],
            [False, True],
            note="By the definitions of the Society for Immunotherapy of Cancer (Kluger 2020), as far as a lesion "
            "table tells them: neither drug exposure nor a confirming scan is known.",
        )
    ]
    lines = ["resistance: " + ", ".join(f"{c} {tally[c]}" for c in order)]
    if tests is None:
        return [*blocks, Text("No marker was compared: too few subjects in the groups.", "note")], lines
    best = tests.sort("q_value", "neg_log_10_p_value", descending=[False, True]).head(_SHOWN)
    rows: list[Row] = [
        [r["marker"], r["analysis"], r["contrast"], r["group_a"], r["group_b"], number_cell(r["estimate"]),
         number_cell(r["lower"]), number_cell(r["upper"]), p_cell(r["neg_log_10_p_value"]), number_cell(r["q_value"])]
        for r in best.iter_rows(named=True)
    ]  # fmt: skip
    found = tests.filter(pl.col("q_value") < 0.05)["marker"].n_unique()
    blocks.append(
        Table(
            f"What goes with resistance ({count(tests.height)} tests, the {len(rows)} of smallest q)",
            ["marker", "analysis", "contrast", "first", "second", "estimate", "from", "to", "p", "q"],
            rows,
            [False, False, False, False, False, True, True, True, True, True],
            sortable=True,
            note="Estimates are log odds ratios with 95 % intervals; q within each analysis and contrast "
            "(Benjamini & Hochberg 1995). All tests: response/resistance.csv.",
        )
    )
    told = f"{plural(found, 'marker')} with q < 0.05 among {count(tests.height)} tests of resistance"
    return blocks, [*lines, told]
