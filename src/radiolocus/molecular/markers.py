"""All molecular markers of a cohort in one table.

Mutations are called ``mut:GENE``, expression ``expr:GENE`` (or another prefix, for a second matrix); markers of a table
keep the names of their columns, with ``NAME:`` in front when the table was given a name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from radiolocus.cohort import Cohort
from radiolocus.errors import ConfigError
from radiolocus.model import Problem
from radiolocus.molecular.alterations import DriverOptions
from radiolocus.molecular.burden import BurdenOptions
from radiolocus.molecular.copies import (
    CopyNumberTable,
    FusionTable,
    SegmentOptions,
    add_copy_number,
    add_fusions,
    add_segments,
)
from radiolocus.molecular.expression import ExpressionTable, add_expression
from radiolocus.molecular.mutational_signatures import SignatureOptions
from radiolocus.molecular.mutations import MutationPlan, VcfOptions, add_mutations, files_of
from radiolocus.molecular.panels import PanelOptions
from radiolocus.molecular.score_options import DerivedOptions
from radiolocus.molecular.scores import add_scores, complete
from radiolocus.molecular.sheet import Marker, Molecules, Sheet, below
from radiolocus.molecular.subtypes import add_subtypes
from radiolocus.read.markers import MarkerKind, read_markers
from radiolocus.read.readings import READINGS
from radiolocus.registry import suggest
from radiolocus.schema import TABLES

__all__ = ["ExpressionTable", "MarkerTable", "MolecularOptions", "assemble"]


_BESIDE = tuple(
    name for name in TABLES if name.startswith("molecular/") and name.split("/")[1] not in ("markers", "dictionary")
)
"""Tables beside markers and dictionary; empty where their source is not asked for."""


@dataclass(frozen=True)
class MarkerTable:
    """A table of markers, one row a subject.

    Parameters
    ----------
    path : str
        CSV, TSV, XLSX or Parquet file.
    id : str or None
        Column of subject ids; the first one by default.
    sheet : str or None
        Sheet of a workbook.
    columns : tuple of str
        Columns that are markers; all by default.
    drop : tuple of str
        Columns that are no markers.
    name : str
        Goes in front of the markers' names, with a colon.
    kinds : dict of str to {"binary", "continuous", "categorical"}
        Kind of a column, instead of the inferred one.
    positive : dict of str to str
        Text of a column that counts as present; every other text is absent.
    readings : dict of str to str
        What a column of pathology is: tps, cps, ic, ki67, percent, her2, receptor, msi, mgmt, idh, 1p19q.
    rename : dict of str to str
        Name of the marker that a column becomes, instead of its own.
    """

    path: str
    id: str | None = None
    sheet: str | None = None
    columns: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    name: str = ""
    kinds: dict[str, MarkerKind] = field(default_factory=dict)
    positive: dict[str, str] = field(default_factory=dict)
    readings: dict[str, str] = field(default_factory=dict)
    rename: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for column, reading in self.readings.items():
            if reading not in READINGS:
                raise ConfigError(
                    f"'{reading}'",
                    where=f"molecular.markers.readings.{column}",
                    allowed=", ".join(READINGS),
                    todo=suggest(reading, list(READINGS)),
                )
        for column, kind in self.kinds.items():
            if kind not in ("binary", "continuous", "categorical"):
                raise ConfigError(
                    f"'{kind}'", where=f"molecular.markers.kinds.{column}", allowed="binary, continuous, categorical"
                )


@dataclass(frozen=True)
class MolecularOptions(DerivedOptions):
    """The tumour's molecular data.

    Parameters
    ----------
    mutations : str or None
        MAF file, or VCF or BCF annotated by VEP or SnpEff; for one file a subject a pattern with ``{subject}``.
    sequenced : str or None
        Who was sequenced: one id a line, or a table with an id column. Without it only those with a row in the MAF
        count as sequenced, and the others are missing.
    panels : PanelOptions or None
        Who was sequenced with which gene panel: a gene that is not on it is unknown there, not unmutated.
    min_mutated : int
        Genes, protein changes, fusions and so on of fewer subjects of the cohort are no markers.
    vcf : VcfOptions
        How a VCF is read.
    drivers : DriverOptions
        Which markers the mutations become.
    burden : BurdenOptions or None
        Tumour mutational burden.
    mutational_signatures : SignatureOptions or None
        Mutational signatures.
    segments : SegmentOptions or None
        Copy-number segments: scars of homologous recombination deficiency, ploidy, aneuploidy.
    copy_number : tuple of CopyNumberTable
        Copy number by gene.
    fusions : tuple of FusionTable
        Gene fusions.
    markers : tuple of MarkerTable
        Tables of binary, categorical and continuous markers.
    expression : tuple of ExpressionTable
        Expression matrices.
    precedence : tuple of str
        Sources (paths as written here), the most trusted first: which one rules where two fill the same marker.
        Without it that is an error.
    """

    mutations: str | None = None
    sequenced: str | None = None
    min_mutated: int = 5
    vcf: VcfOptions = field(default_factory=VcfOptions)
    drivers: DriverOptions = field(default_factory=DriverOptions)
    burden: BurdenOptions | None = None
    mutational_signatures: SignatureOptions | None = None
    segments: SegmentOptions | None = None
    copy_number: tuple[CopyNumberTable, ...] = ()
    fusions: tuple[FusionTable, ...] = ()
    markers: tuple[MarkerTable, ...] = ()
    expression: tuple[ExpressionTable, ...] = ()
    precedence: tuple[str, ...] = ()
    panels: PanelOptions | None = None

    def __post_init__(self) -> None:
        if self.min_mutated < 1:
            raise ConfigError(f"{self.min_mutated}", where="molecular.min_mutated", allowed="at least 1")
        for name in ("sequenced", "panels", "burden", "mutational_signatures"):
            if getattr(self, name) is not None and self.mutations is None:
                got = f"sequenced = '{self.sequenced}'" if name == "sequenced" else name
                raise ConfigError(
                    f"{got} without mutations", where=f"molecular.{name}", todo="name the MAF under mutations"
                )
        self.check_derived([table.name for table in self.expression])
        sources = ("mutations", "markers", "expression", "segments", "copy_number", "fusions")
        if not any(getattr(self, name) for name in sources):
            raise ConfigError("no source", where="molecular", allowed=", ".join(sources), todo="name at least one")

    @property
    def plan(self) -> MutationPlan | None:
        """The options that concern the mutations."""
        if self.mutations is None:
            return None
        return MutationPlan(
            self.mutations,
            self.sequenced,
            self.min_mutated,
            self.vcf,
            self.drivers,
            self.burden,
            self.mutational_signatures,
            self.panels,
        )

    def files(self, root: Path) -> list[str]:
        """Return the files of mutations, copy number, fusions and markers, below `root`."""
        found = self.plan.files(root) if self.plan else []
        patterns = [f.path for f in self.fusions] + ([self.segments.path] if self.segments else [])
        found += [path for pattern in patterns for path, _ in files_of(root, pattern)]
        found += [f.tested for f in self.fusions if f.tested]
        return [*found, *(t.path for t in self.copy_number), *(t.path for t in self.markers)]


def assemble(options: MolecularOptions, cohort: Cohort, root: Path) -> Molecules:
    """Read every molecular source and put it on the subjects of the cohort.

    Parameters
    ----------
    options : MolecularOptions
        Paths are relative to `root`.
    cohort : Cohort
        Gives the subjects and joins the ids of each source to them. Where a table of markers or an expression matrix
        has several ids of one subject (two samples, a tumour and a normal one), that subject is missing in this source
        and the problem names the ids; in a MAF the mutations of all samples of a subject count.
    root : Path

    Returns
    -------
    Molecules

    Raises
    ------
    RadiolocusError
        A source that cannot be read, or two sources with the same marker.
    """
    sheet = Sheet(cohort, options.precedence)
    if options.plan is not None:
        add_mutations(sheet, options.plan, root)
    if options.segments is not None:
        add_segments(sheet, options.segments, root)
    for copies in options.copy_number:
        add_copy_number(sheet, copies, options.min_mutated, root)
    for fusions in options.fusions:
        add_fusions(sheet, fusions, options.min_mutated, root)
    for table in options.markers:
        _add_markers(sheet, table, root)
    matrices = [add_expression(sheet, table, root) for table in options.expression]
    if options.derives:
        matrices = [complete(matrix, sheet) for matrix in matrices]
    add_scores(sheet, options, matrices, root)
    add_subtypes(sheet, options, matrices, root)
    return sheet.result(_BESIDE)


def _add_markers(sheet: Sheet, options: MarkerTable, root: Path) -> None:
    file = read_markers(
        below(root, options.path),
        sheet=options.sheet,
        id_column=options.id,
        columns=options.columns,
        drop=options.drop,
        kinds=options.kinds,
        positive=options.positive,
        readings=options.readings,
    )
    source = options.path + (f", sheet '{options.sheet}'" if options.sheet else "")
    sheet.say(file.notes)
    rows: dict[str, list[int]] = {}
    for i, raw in enumerate(file.ids):
        rows.setdefault(raw, []).append(i)
    match = sheet.join(source, file.ids)
    values = np.column_stack([c.values for c in file.columns])
    chosen: dict[str, int] = {}
    for raw, subject in match.mapping.items():
        first = values[rows[raw][0]]
        if all(np.array_equal(first, values[i], equal_nan=True) for i in rows[raw][1:]):
            chosen[subject] = rows[raw][0]
            continue
        places = ", ".join(str(file.rows[i]) for i in rows[raw])
        sheet.say(
            [
                Problem(
                    "molecular",
                    f"{len(rows[raw])} rows of one subject that disagree; it has no marker of this table",
                    subject=subject,
                    where=f"{source}, rows {places}",
                    allowed="one row a subject",
                    todo="keep the right row",
                    count=len(rows[raw]),
                )
            ]
        )
    prefix = f"{options.name}:" if options.name else ""
    for column in file.columns:
        aligned = sheet.spread(chosen, column.values[list(chosen.values())])
        name = options.rename.get(column.name, column.name)
        sheet.add(Marker(prefix + name, column.kind, source, column.unit, aligned, column.definition))
