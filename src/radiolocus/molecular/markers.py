"""All molecular markers of a cohort in one table.

Mutations are called ``mut:GENE``, expression ``expr:GENE`` (or another prefix, for a second matrix); markers of a table
keep the names of their columns, with ``NAME:`` in front when the table was given a name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from radiolocus.cohort import Cohort, Match
from radiolocus.errors import ConfigError
from radiolocus.model import Problem
from radiolocus.molecular.drivers import mutation_table
from radiolocus.molecular.expression import ExpressionTable, add_expression, date_genes
from radiolocus.molecular.score_options import DerivedOptions
from radiolocus.molecular.scores import add_scores, complete
from radiolocus.molecular.sheet import Marker, Molecules, Sheet, below
from radiolocus.molecular.subtypes import add_subtypes
from radiolocus.read.maf import read_maf, read_sample_list
from radiolocus.read.markers import MarkerKind, read_markers

__all__ = ["ExpressionTable", "MarkerTable", "MolecularOptions", "assemble"]


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
    """

    path: str
    id: str | None = None
    sheet: str | None = None
    columns: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    name: str = ""
    kinds: dict[str, MarkerKind] = field(default_factory=dict)
    positive: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
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
        MAF file.
    sequenced : str or None
        Who was sequenced: one id a line, or a table with an id column. Without it only those with a row in the MAF
        count as sequenced, and the others are missing.
    min_mutated : int
        Genes mutated in fewer subjects of the cohort are no markers.
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
    markers: tuple[MarkerTable, ...] = ()
    expression: tuple[ExpressionTable, ...] = ()
    precedence: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.min_mutated < 1:
            raise ConfigError(f"{self.min_mutated}", where="molecular.min_mutated", allowed="at least 1")
        if self.sequenced is not None and self.mutations is None:
            raise ConfigError(
                f"sequenced = '{self.sequenced}' without mutations",
                where="molecular.sequenced",
                todo="name the MAF under mutations",
            )
        self.check_derived([table.name for table in self.expression])
        if not (self.mutations or self.markers or self.expression):
            raise ConfigError(
                "no source", where="molecular", allowed="mutations, markers, expression", todo="name at least one"
            )


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
    if options.mutations is not None:
        _add_mutations(sheet, options, root)
    for table in options.markers:
        _add_markers(sheet, table, root)
    matrices = [add_expression(sheet, table, root) for table in options.expression]
    if options.derives:
        matrices = [complete(matrix, sheet) for matrix in matrices]
    add_scores(sheet, options, matrices, root)
    add_subtypes(sheet, options, matrices, root)
    return sheet.result()


def _add_mutations(sheet: Sheet, options: MolecularOptions, root: Path) -> None:
    source = str(options.mutations)
    maf = read_maf(below(root, source))
    sheet.say(maf.notes)
    mutated = maf.frame["Tumor_Sample_Barcode"].unique(maintain_order=True).to_list()
    barcodes = dict.fromkeys((*mutated, *maf.sequenced))
    if options.sequenced is not None:
        barcodes |= dict.fromkeys(read_sample_list(below(root, options.sequenced)))
    match = sheet.join(source, barcodes, several=True)
    sheet.say(_several(match, mutated, source))
    if options.sequenced is None and not maf.sequenced:
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
    mutations = mutation_table(
        maf.frame,
        match.mapping,
        sequenced=set(match.mapping.values()),
        min_mutated=options.min_mutated,
        where=source,
    )
    sheet.say(mutations.problems)
    subjects = mutations.frame["subject"].to_list()
    genes = mutations.frame.columns[1:]
    sheet.say(date_genes(genes, source))
    for gene in genes:
        values = sheet.spread(subjects, mutations.frame[gene].to_numpy())
        sheet.add(Marker(f"mut:{gene}", "binary", source, "", values))


def _several(match: Match, barcodes: Iterable[str], source: str) -> list[Problem]:
    """Say whose mutations come from more than one sample."""
    samples: dict[str, list[str]] = {}
    for raw in barcodes:
        if raw in match.mapping:
            samples.setdefault(match.mapping[raw], []).append(raw)
    many = {subject: raw for subject, raw in samples.items() if len(raw) > 1}
    if not many:
        return []
    shown = "; ".join(f"{subject}: {', '.join(raw)}" for subject, raw in list(many.items())[:3])
    got = f"{len(many)} subjects have several samples, whose mutations count together ({shown})"
    return [Problem("molecular", got, "note", where=source, count=len(many))]


def _add_markers(sheet: Sheet, options: MarkerTable, root: Path) -> None:
    file = read_markers(
        below(root, options.path),
        sheet=options.sheet,
        id_column=options.id,
        columns=options.columns,
        drop=options.drop,
        kinds=options.kinds,
        positive=options.positive,
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
        sheet.add(Marker(prefix + column.name, column.kind, source, "", aligned))
