"""Mutation files on the subjects of the cohort: alterations, burden and mutational signatures as markers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl

from radiolocus.cohort import Match
from radiolocus.errors import ConfigError, RadiolocusError
from radiolocus.model import Array, BoolArray, Problem
from radiolocus.molecular.alterations import (
    DEFINITIONS,
    DriverOptions,
    Level,
    alterations,
    described,
    read_hotspots,
    read_pathways,
)
from radiolocus.molecular.burden import BurdenOptions, burden
from radiolocus.molecular.drivers import incidence
from radiolocus.molecular.expression import date_genes
from radiolocus.molecular.mutational_signatures import SignatureOptions, fit_signatures, marker_name, read_signatures
from radiolocus.molecular.panels import Coverage, PanelOptions, coverage_of, told
from radiolocus.molecular.sheet import Marker, Sheet, below
from radiolocus.molecular.spectrum import spectra
from radiolocus.read.discover import glob_subjects
from radiolocus.read.fasta import Fasta
from radiolocus.read.maf import Maf, read_maf, read_sample_list
from radiolocus.read.panels import read_panel_matrix
from radiolocus.read.somatic_vcf import read_somatic_vcf

__all__ = ["MutationPlan", "VcfOptions", "add_mutations", "files_of", "read_each", "without"]

Part = TypeVar("Part")


@dataclass(frozen=True)
class VcfOptions:
    """How a VCF of somatic variants is read.

    Parameters
    ----------
    normal : str or None
        Regular expression of the names of normal samples, beside those that say so themselves.
    keep_filtered : bool
        Keep records that the caller filtered.
    genome : str or None
        Reference genome (FASTA), by which insertions and deletions are moved to the left of a repeat.
    """

    normal: str | None = None
    keep_filtered: bool = False
    genome: str | None = None

    def __post_init__(self) -> None:
        try:
            re.compile(self.normal or "")
        except re.error as error:
            raise ConfigError(f"'{self.normal}' is no regular expression ({error})", where="molecular.vcf") from None


@dataclass(frozen=True)
class MutationPlan:
    """What is made of the mutations: the options of the study file that concern them."""

    mutations: str
    sequenced: str | None = None
    min_mutated: int = 5
    vcf: VcfOptions = field(default_factory=VcfOptions)
    drivers: DriverOptions = field(default_factory=DriverOptions)
    burden: BurdenOptions | None = None
    signatures: SignatureOptions | None = None
    panels: PanelOptions | None = None

    def files(self, root: Path) -> list[str]:
        """Return all files that are read, below `root`."""
        signatures = (self.signatures.matrix, self.signatures.genome) if self.signatures else ()
        panels = (self.panels.samples, *self.panels.genes) if self.panels else ()
        beside = (self.sequenced, self.vcf.genome, self.drivers.hotspots, self.drivers.pathways, *signatures, *panels)
        return [path for path, _ in files_of(root, self.mutations)] + [name for name in beside if name]


def files_of(root: Path, pattern: str) -> list[tuple[str, str | None]]:
    """Return the files of a source below `root`, each with the subject that its path names.

    Raises
    ------
    ConfigError
        A pattern with ``{subject}`` that finds no file.
    """
    if "{subject}" not in pattern:
        return [(pattern, None)]
    below(root, pattern)
    matched = glob_subjects(root, pattern)
    found: list[tuple[str, str | None]] = [
        (path.relative_to(root).as_posix(), subject) for (subject, _), paths in matched.items() for path in paths
    ]
    if not found:
        raise ConfigError(f"no file matches '{pattern}'", where="molecular", todo="correct the path or cohort.root")
    return found


def read_each(
    root: Path, pattern: str, read: Callable[[Path, str | None], Part]
) -> tuple[list[Part], dict[str, Problem]]:
    """Read the files of a source; of those with one subject each, one that cannot be read ends only that subject.

    Returns
    -------
    list
        What was read.
    dict of str to Problem
        Subject, as the path names it, and why its file cannot be used.

    Raises
    ------
    RadiolocusError
        No file can be used, or the file of all subjects cannot.
    """
    parts, aside, first = [], {}, None
    for name, subject in files_of(root, pattern):
        try:
            parts.append(read(below(root, name), subject))
        except RadiolocusError as error:
            if subject is None:
                raise
            first = first or error
            aside[subject] = Problem("molecular", error.got, where=error.where, allowed=error.allowed, todo=error.todo)
    if not parts and first is not None:
        raise first
    return parts, aside


def without(sheet: Sheet, match: Match, aside: Mapping[str, Problem]) -> Match:
    """Take out subjects one of whose ids cannot be used: what is missing of them would look as if it were not there."""
    there: dict[str, Problem] = {}
    for raw, problem in aside.items():
        if raw in match.mapping:
            there.setdefault(match.mapping[raw], problem)
    sheet.say(replace(there[subject], subject=subject) for subject in sorted(there))
    return match._replace(mapping={raw: subject for raw, subject in match.mapping.items() if subject not in there})


def add_mutations(sheet: Sheet, plan: MutationPlan, root: Path) -> None:
    """Put mutations on the sheet: markers of every level, burden, signatures and the table of variants."""
    source = plan.mutations
    maf = _read(plan, root)
    sheet.say(maf.notes)
    match, mutated = _joined(sheet, plan, maf, root)
    match = without(sheet, match, maf.aside)
    hotspots = None if plan.drivers.hotspots is None else read_hotspots(below(root, plan.drivers.hotspots))
    rows, said = described(maf.frame, match.mapping, hotspots, plan.drivers.hotspot_min, source)
    sheet.say(said)
    if plan.drivers.genes:
        rows = rows.filter(pl.col("gene").is_in(plan.drivers.genes))
    sheet.keep("molecular/mutations", rows)
    subjects = sorted(set(match.mapping.values()))
    coverage = None if plan.panels is None else _add_panels(sheet, plan.panels, match, subjects, rows, root)
    for level in plan.drivers.by:
        _add_level(sheet, plan, level, rows, subjects, root, coverage)
    alone = _one_sample(match, mutated, subjects)
    if plan.burden is not None:
        size = None
        if coverage is not None and plan.panels is not None:
            size = coverage.megabases(alone, plan.panels, plan.burden.megabases)
        _add_burden(sheet, plan.burden, rows, alone, source, size)
    if plan.signatures is not None:
        _add_signatures(sheet, plan.signatures, rows.filter(pl.col("subject").is_in(alone)), root, source)
    if (plan.burden or plan.signatures) and len(alone) < len(subjects):
        got = f"{len(subjects) - len(alone)} subjects with several samples have no burden and no signatures"
        todo = "let cohort.ids choose the sample (barcode, visit), or keep one sample a subject in the file"
        sheet.say([Problem("molecular", got, "no value", where=source, todo=todo, count=len(subjects) - len(alone))])


def _read(plan: MutationPlan, root: Path) -> Maf:
    """Read one mutation file, or one a subject, as one."""
    genome = Fasta(below(root, plan.vcf.genome)) if plan.vcf.genome else None

    def one(path: Path, subject: str | None) -> Maf:
        if not re.search(r"\.(vcf|bcf)(\.gz)?$", path.name.casefold()):
            return read_maf(path)
        return read_somatic_vcf(
            path, sample=subject, normal=plan.vcf.normal, keep_filtered=plan.vcf.keep_filtered, reference=genome
        )

    parts, aside = read_each(root, plan.mutations, one)
    if len(parts) == 1 and not aside:
        return parts[0]
    for part in parts:
        aside |= part.aside
    return Maf(
        pl.concat([part.frame for part in parts], how="diagonal"),
        tuple(dict.fromkeys(name for part in parts for name in part.sequenced)),
        _summed([note for part in parts for note in part.notes], plan.mutations),
        aside,
    )


def _summed(notes: Sequence[Problem], where: str) -> tuple[Problem, ...]:
    """One line for what is said of many files in the same words."""
    counts: dict[str, int] = {}
    for note in notes:
        words = re.sub(r"^\d+ ", "", note.got)
        counts[words] = counts.get(words, 0) + note.count
    return tuple(Problem("molecular", f"{n} {words}", "note", where=where, count=n) for words, n in counts.items())


def _joined(sheet: Sheet, plan: MutationPlan, maf: Maf, root: Path) -> tuple[Match, list[str]]:
    source = plan.mutations
    mutated = [*maf.frame["Tumor_Sample_Barcode"].unique(maintain_order=True), *maf.aside]
    barcodes = dict.fromkeys((*mutated, *maf.sequenced))
    if plan.sequenced is not None:
        barcodes |= dict.fromkeys(read_sample_list(below(root, plan.sequenced)))
    if plan.panels is not None:
        below(root, plan.panels.samples)
        matrix = read_panel_matrix(root / plan.panels.samples, plan.panels.column, plan.panels.id)
        barcodes |= dict.fromkeys(matrix)
    match = sheet.join(source, barcodes, several=True, measured=mutated)
    sheet.say(_several(match, mutated, source))
    if plan.sequenced is None and plan.panels is None and not maf.sequenced:
        sheet.say(
            [
                Problem(
                    "molecular",
                    "nothing says who was sequenced: subjects without a row in the MAF are missing, not unmutated",
                    "note",
                    where=source,
                    todo="name the list of sequenced samples under molecular.sequenced",
                )
            ]
        )
    return match, mutated


def _add_panels(
    sheet: Sheet, options: PanelOptions, match: Match, subjects: list[str], rows: pl.DataFrame, root: Path
) -> Coverage:
    for name in options.genes:
        below(root, name)
    coverage, panels, genes = coverage_of(options, root, match.mapping)
    sheet.keep("molecular/panels", panels)
    sheet.keep("molecular/panel_genes", genes)
    sheet.say(told(coverage, subjects, rows, options.samples))
    return coverage


def _unknown(
    coverage: Coverage, level: Level, items: Sequence[str], subjects: list[str], sets: Mapping[str, Sequence[str]]
) -> BoolArray:
    """Whose items were not looked at, or not all of their genes, shape (subjects, items)."""
    genes = [sets[item] if level == "pathway" else (item.split(" ")[0],) for item in items]
    return ~coverage.whole(subjects, genes)


def _add_level(
    sheet: Sheet,
    plan: MutationPlan,
    level: Level,
    rows: pl.DataFrame,
    subjects: list[str],
    root: Path,
    coverage: Coverage | None = None,
) -> None:
    source = plan.mutations
    prefix, definition = DEFINITIONS[level]
    sets = read_pathways(below(root, str(plan.drivers.pathways))) if level == "pathway" else {}
    frame, counts = incidence(alterations(rows, level, sets), subjects, plan.min_mutated)
    items = frame.columns[1:]
    if level == "gene":
        sheet.say(date_genes(items, source))
    if not items:
        most = int(counts["n_subjects"][0]) if counts.height else 0
        what = {"gene": "gene is mutated", "pathway": "pathway is altered"}.get(
            level, f"marker of level {level} stands"
        )
        got = f"no {what} in {plan.min_mutated} subjects (the most frequent in {most})"
        todo = "lower min_mutated, or leave this level out"
        sheet.say([Problem("molecular", got, "note", where=source, todo=todo)])
    unknown = None if coverage is None else _unknown(coverage, level, items, subjects, sets)
    for j, item in enumerate(items):
        found = frame[item].to_numpy()
        if unknown is not None:
            found = np.where(unknown[:, j] & (found == 0), np.nan, found)
        values = sheet.spread(subjects, found)
        sheet.add(Marker(f"{prefix}{item}", "binary", source, "", values, definition))


def _add_burden(
    sheet: Sheet,
    options: BurdenOptions,
    rows: pl.DataFrame,
    subjects: list[str],
    source: str,
    megabases: Array | None = None,
) -> None:
    table = burden(rows, subjects, options, megabases)
    sheet.keep("molecular/burden", table)
    if lacking := table["per_megabase"].null_count():
        got = f"{lacking} subjects have no burden: nothing says how much their panel covers"
        todo = "give the size under molecular.panels.megabases"
        sheet.say([Problem("molecular", got, "no value", where=source, todo=todo, count=lacking)])
    values = sheet.spread(subjects, table["per_megabase"].to_numpy())
    definition = options.definition + (" (of a panel, its own size)" if megabases is not None else "")
    sheet.add(Marker("tmb", "continuous", source, "1/Mb", values, definition))
    if options.high is not None:
        high = (table["per_megabase"] >= options.high).cast(pl.Float64).to_numpy()
        definition = f"tmb of {options.high:g} per Mb or more"
        sheet.add(Marker("tmb_high", "binary", source, "", sheet.spread(subjects, high), definition))


def _add_signatures(sheet: Sheet, options: SignatureOptions, rows: pl.DataFrame, root: Path, source: str) -> None:
    signatures = read_signatures(below(root, options.matrix), options.use)
    genome = Fasta(below(root, options.genome)) if options.genome else None
    counts, said = spectra(rows, genome, source)
    sheet.say(said)
    table = fit_signatures(counts, signatures, options)
    sheet.keep("molecular/mutational_signatures", table)
    fitted = table["subject"].unique(maintain_order=True).to_list()
    if few := rows["subject"].n_unique() - len(fitted):
        got = f"{few} subjects with fewer than {options.min_mutations} classified substitutions have no signatures"
        sheet.say([Problem("molecular", got, "note", where=source, count=few)])
    if not fitted:
        return
    for name in signatures.names:
        part = table.filter(signature=name)
        definition = f"share of the substitutions that {name} of {options.matrix} explains (non-negative least squares)"
        values = sheet.spread(part["subject"].to_list(), part["share"].to_numpy())
        sheet.add(Marker(marker_name(name), "continuous", source, "", values, definition))


def _samples(match: Match, barcodes: Iterable[str]) -> Mapping[str, list[str]]:
    samples: dict[str, list[str]] = {}
    for raw in barcodes:
        if raw in match.mapping:
            samples.setdefault(match.mapping[raw], []).append(raw)
    return samples


def _one_sample(match: Match, barcodes: Iterable[str], subjects: list[str]) -> list[str]:
    """Subjects whose variants come from a single sample: those of several samples cannot be counted together."""
    many = {subject for subject, raw in _samples(match, barcodes).items() if len(raw) > 1}
    return [subject for subject in subjects if subject not in many]


def _several(match: Match, barcodes: Iterable[str], source: str) -> list[Problem]:
    """Say whose mutations come from more than one sample."""
    many = {subject: raw for subject, raw in _samples(match, barcodes).items() if len(raw) > 1}
    if not many:
        return []
    shown = "; ".join(f"{subject}: {', '.join(raw)}" for subject, raw in list(many.items())[:3])
    got = f"{len(many)} subjects have several samples, whose mutations count together ({shown})"
    return [Problem("molecular", got, "note", where=source, count=len(many))]
