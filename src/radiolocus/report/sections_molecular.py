"""The tumour's molecular data: mutations, burden, signatures, scars and copy number."""

from __future__ import annotations

import numpy as np
import polars as pl
from markupsafe import Markup

from radiolocus.molecular.panels import Coverage
from radiolocus.report.blocks import Block, Cell, Row, Section, Table, Text
from radiolocus.report.figures_oncoprint import oncoprint
from radiolocus.report.numbers import count, interval, number_cell, plural
from radiolocus.report.phenotype_table import phenotypes_of
from radiolocus.report.source import Artefacts

__all__ = ["linked_tracks", "molecular"]

_TRACKS = 4
_OF_MUTATIONS = pl.col("marker").str.contains("^(mut|hot|lof):")
_SHOWN = 20


def molecular(art: Artefacts) -> Section | None:
    """Return the section of mutations, burden, signatures and genomes, or None when there are none of them."""
    blocks: list[Block] = []
    verdict: list[str | Markup] = []
    for part in (_mutations, _burden, _signatures, _genomes, _fusions):
        made, said = part(art)
        blocks += made
        verdict += said
    return Section("molecular", "Molecular data of the tumours", blocks, verdict) if blocks else None


def _mutations(art: Artefacts) -> tuple[list[Block], list[str]]:
    frame = art.table("molecular/mutations")
    if frame is None:
        return [], []
    subjects = _sequenced(art, frame)
    table = art.table("molecular/burden")
    burden = None if table is None else dict(table.select("subject", "per_megabase").iter_rows())
    coverage = _coverage(art)
    drawn = oncoprint(frame, subjects, burden=burden, tracks=linked_tracks(art, _OF_MUTATIONS), coverage=coverage)
    kept = frame.filter("nonsynonymous")
    counts = (
        kept.group_by("gene")
        .agg(
            subjects=pl.col("subject").n_unique(),
            lost=pl.col("subject").filter("loss_of_function").n_unique(),
            hot=pl.col("subject").filter("hotspot").n_unique(),
            common=pl.col("protein_change").filter(pl.col("protein_change") != "").mode().sort().first(),
        )
        .sort(["subjects", "gene"], descending=[True, False])
        .head(_SHOWN)
    )
    looked = _looked_at(coverage, frame, subjects, counts["gene"].to_list())
    rows: list[Row] = [
        [
            r["gene"],
            number_cell(r["subjects"]),
            Cell(f"{100 * r['subjects'] / looked[r['gene']]:.1f} %", r["subjects"] / looked[r["gene"]]),
            number_cell(r["hot"]),
            number_cell(r["lost"]),
            r["common"] or "–",
        ]
        for r in counts.iter_rows(named=True)
    ]
    listed = Table(
        f"The {counts.height} most frequently mutated genes",
        ["gene", "mutated", "of those sequenced", "at a hotspot", "loss of function", "most frequent change"],
        rows,
        [False, True, True, True, True, False],
        sortable=True,
        folded=True,
        note="Subjects. Nonsynonymous: the nine classes of a MAF that change the protein (Mayakonda et al. 2018); loss "
        "of function: nonsense, frameshift, splice site (MacArthur et al. 2012)."
        f"{' Sequenced: those whose gene panel has the gene.' if coverage else ''} All: molecular/mutations.csv.",
    )
    lead = ", ".join(f"{r['gene']} {r['subjects']}" for r in counts.head(3).iter_rows(named=True))
    said = [
        f"{count(kept.height)} nonsynonymous variants in {count(len(subjects))} sequenced subjects; most often {lead}"
    ]
    return [*([drawn] if drawn else []), listed], said


def _coverage(art: Artefacts) -> Coverage | None:
    panels, genes = art.table("molecular/panels"), art.table("molecular/panel_genes")
    return None if panels is None or genes is None or not panels.height else Coverage.from_tables(panels, genes)


def _looked_at(coverage: Coverage | None, frame: pl.DataFrame, subjects: list[str], genes: list[str]) -> dict[str, int]:
    """How many subjects were sequenced for each gene: those of whose panel it is, and those who have it mutated."""
    if coverage is None:
        return dict.fromkeys(genes, len(subjects))
    known, row = coverage.matrix(subjects, genes), {s: i for i, s in enumerate(subjects)}
    for subject, gene in frame.filter("nonsynonymous").select("subject", "gene").iter_rows():
        if gene in genes:
            known[row[subject], genes.index(gene)] = True
    return dict(zip(genes, known.sum(axis=0).tolist(), strict=True))


def _sequenced(art: Artefacts, frame: pl.DataFrame) -> list[str]:
    """Subjects that some marker of mutations knows, and those with a variant."""
    markers = art.table("molecular/markers")
    known = set(frame["subject"].to_list())
    if markers is not None:
        columns = [c for c in markers.columns if c.startswith(("mut:", "tmb"))]
        if columns:
            seen = markers.filter(pl.any_horizontal(pl.col(columns).is_not_null()))
            known |= set(seen["subject"].to_list())
    return sorted(known)


def linked_tracks(art: Artefacts, markers: pl.Expr) -> dict[str, dict[str, float]]:
    """Imaging features that go best with some markers, by name and subject, where links were tested."""
    link, known = art.table("link/link"), phenotypes_of(art)
    if link is None or known is None:
        return {}
    best = (
        link.filter(markers & pl.col("neg_log_10_p_value").is_finite())
        .sort(["neg_log_10_p_value", "feature"], descending=[True, False])
        .unique("feature", maintain_order=True)
        .head(_TRACKS)
    )
    return {
        name: dict(known.table.select("subject", name).drop_nulls().iter_rows())
        for name in best["feature"].to_list()
        if name in known.table.columns
    }


def _burden(art: Artefacts) -> tuple[list[Block], list[str]]:
    frame = art.table("molecular/burden")
    if frame is None:
        return [], []
    value = frame["per_megabase"].to_numpy()
    quarter = np.quantile(value, [0.25, 0.5, 0.75])
    text = (
        f"Tumour mutational burden of {count(frame.height)} subjects over {frame['megabases'][0]:g} Mb: median "
        f"{quarter[1]:.3g} per Mb (quartiles {quarter[0]:.3g} and {quarter[2]:.3g}, largest {value.max():.3g}). "
        "Burdens of different panels or exomes cannot be compared. With intervals: molecular/burden.csv."
    )
    return [Text(text)], [f"median burden {quarter[1]:.3g} per Mb"]


def _signatures(art: Artefacts) -> tuple[list[Block], list[str]]:
    frame = art.table("molecular/mutational_signatures")
    if frame is None:
        return [], []
    means = (
        frame.group_by("signature")
        .agg(
            share=pl.col("share").mean(),
            sure=(pl.col("lower") > 0.05).sum(),
            width=(pl.col("upper") - pl.col("lower")).median(),
        )
        .sort(["share", "signature"], descending=[True, False])
        .head(_SHOWN)
    )
    rows: list[Row] = [
        [r["signature"], number_cell(r["share"]), number_cell(r["sure"]), number_cell(r["width"])]
        for r in means.iter_rows(named=True)
    ]
    n = frame["subject"].n_unique()
    cosine = float(np.median(frame.unique("subject")["cosine"].to_numpy()))
    table = Table(
        f"Mutational signatures of {plural(n, 'subject')}",
        ["signature", "mean share", "subjects with more than 5 % for sure", "median width of the interval"],
        rows,
        [False, True, True, True],
        sortable=True,
        note=f"Median cosine similarity of spectrum and reconstruction: {cosine:.3f}. For sure: the lower end of the "
        "95 % interval is above 5 %. All: molecular/mutational_signatures.csv.",
    )
    return [table], [f"mutational signatures of {plural(n, 'subject')}"]


def _genomes(art: Artefacts) -> tuple[list[Block], list[str]]:
    frame = art.table("molecular/genomes")
    if frame is None:
        return [], []
    named = {
        "loh": "losses of heterozygosity (> 15 Mb)",
        "tai": "telomeric allelic imbalances",
        "lst": "large-scale transitions",
        "hrd_sum": "sum of the three",
        "ploidy": "ploidy",
        "altered": "share of the genome altered",
        "loss_of_heterozygosity": "share of the genome with loss of heterozygosity",
        "aneuploidy": "share of chromosome arms altered",
    }
    rows: list[Row] = []
    for column, name in named.items():
        known = frame[column].drop_nulls().cast(pl.Float64)
        if known.len():
            low, middle, high = (known.quantile(q, "linear") or 0.0 for q in (0.25, 0.5, 0.75))
            rows.append([name, Cell(interval(middle, low, high), middle), number_cell(known.len())])
    table = Table(
        f"Copy-number profiles of {plural(frame.height, 'subject')}",
        ["measure", "median (quartiles)", "n"],
        rows,
        [False, True, True],
        note="Abkevich, Birkbak and Popova et al. 2012; Telli et al. 2016; Taylor et al. 2018. Not corrected for "
        "ploidy. All: molecular/genomes.csv.",
    )
    known = frame["doubled"].drop_nulls()
    doubled = [f"{int(known.sum())} of {known.len()} genomes doubled"] if known.len() else []
    return [table], doubled


def _fusions(art: Artefacts) -> tuple[list[Block], list[str]]:
    frame = art.table("molecular/fusions")
    if frame is None:
        return [], []
    pairs = (
        frame.select(fusion=pl.concat_str("gene1", pl.lit("::"), "gene2"), subject="subject")
        .group_by("fusion")
        .agg(n=pl.col("subject").n_unique())
        .sort(["n", "fusion"], descending=[True, False])
    )
    rows: list[Row] = [[r["fusion"], number_cell(r["n"])] for r in pairs.head(_SHOWN).iter_rows(named=True)]
    table = Table(
        f"Gene fusions ({count(pairs.height)})", ["fusion", "subjects"], rows, [False, True], folded=True, sortable=True
    )
    return [table], [f"{plural(frame['subject'].n_unique(), 'subject')} with a fusion"]
