"""Expression matrices on the subjects of the cohort: read, named, normalised, and turned into markers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from radiolocus.errors import ConfigError, RadiolocusError, TableError
from radiolocus.model import Array, Problem
from radiolocus.molecular.sheet import Marker, Sheet, below
from radiolocus.read.counts import read_counts, read_sample_sheet
from radiolocus.read.discover import glob_subjects
from radiolocus.read.expression import Expression, Orientation, read_expression, spreadsheet_dates
from radiolocus.read.gene_names import Repeats, combine_repeats, read_gene_table, rename_genes, without_versions
from radiolocus.read.h5ad import read_h5ad
from radiolocus.registry import suggest
from radiolocus.stats.counts import log_cpm, tmm_factors, tpm

__all__ = ["ExpressionTable", "Matrix", "add_expression", "date_genes", "expression_files", "on_scale"]

Format = Literal["table", "htseq", "star", "gdc_star", "h5ad"]
Normalise = Literal["none", "logcpm", "tmm", "tpm"]

_PER_SAMPLE = ("htseq", "star", "gdc_star")
_LINEAR = ("counts", "tpm", "fpkm", "rpkm", "cpm")
_PLUS_ONE = re.compile(r"^log2\s*\(\s*[\w ]+?\s*\+\s*1\s*\)$", re.I)
_UNIT_OF_COLUMN = {"tpm_unstranded": "TPM", "fpkm_unstranded": "FPKM", "fpkm_uq_unstranded": "FPKM"}


@dataclass(frozen=True)
class ExpressionTable:
    """An expression matrix.

    Parameters
    ----------
    path : str
        GCT, TSV, CSV or h5ad file, plain or gzip-compressed; for one file a sample a pattern with ``{subject}``.
    format : {"table", "htseq", "star", "gdc_star", "h5ad"}
        What the file is; ``.h5ad`` says it by its ending.
    orientation : {"genes_by_samples", "samples_by_genes"}
        What stands in the rows of a table.
    id : str or None
        Column that names the rows of a table, the first one by default; of an h5ad the column of ``obs``.
    column : str or None
        ``star``: the strand (unstranded, forward, reverse); ``gdc_star``: the column; ``h5ad``: the layer.
    gene_column : str or None
        ``gdc_star``: gene_id (default) or gene_name; ``h5ad``: column of ``var``.
    sample_sheet : str or None
        Sample sheet of the GDC that names the sample of each file.
    gene_names : str or None
        Table of two columns, the gene's id and its symbol, by which genes are renamed.
    repeats : {"error", "sum", "mean", "highest"}
        What becomes of a gene in several rows.
    columns : tuple of str
        Genes that are markers; all by default.
    drop : tuple of str
        Columns that hold neither a gene nor a sample.
    markers : bool
        Whether every gene is a marker; without it only scores and subtypes are made of the matrix.
    normalise : {"none", "logcpm", "tmm", "tpm"}
        Of counts: log2 counts per million, those with TMM factors, or transcripts per million.
    lengths : str or None
        Table of two columns, the gene and its length in bases, for ``tpm``.
    log2 : bool
        Take log2(x + 1); for counts, TPM and FPKM.
    name : str
        Goes in front of the genes' names, with a colon.
    unit : str
        Unit of the values as they stand in the file.
    selected_on : tuple of str
        Endpoints that the genes were selected on; predicting them from this matrix is an error.
    """

    path: str
    format: Format = "table"
    orientation: Orientation = "genes_by_samples"
    id: str | None = None
    column: str | None = None
    gene_column: str | None = None
    sample_sheet: str | None = None
    gene_names: str | None = None
    repeats: Repeats = "error"
    columns: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    markers: bool = True
    normalise: Normalise = "none"
    lengths: str | None = None
    log2: bool = False
    name: str = "expr"
    unit: str = ""
    selected_on: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for key, kind in (
            ("format", Format),
            ("orientation", Orientation),
            ("repeats", Repeats),
            ("normalise", Normalise),
        ):
            if getattr(self, key) not in get_args(kind):
                raise ConfigError(
                    f"'{getattr(self, key)}'",
                    where=f"molecular.expression.{key}",
                    allowed=", ".join(get_args(kind)),
                )
        if self.path.endswith(".h5ad") and self.format == "table":
            object.__setattr__(self, "format", "h5ad")
        self._check_counts()
        if ("{subject}" in self.path) != (self.format in _PER_SAMPLE):
            raise ConfigError(
                f"path = '{self.path}' with format '{self.format}'",
                where="molecular.expression",
                allowed=f"a pattern with {{subject}} for {', '.join(_PER_SAMPLE)}, one file for the others",
            )

    def _check_counts(self) -> None:
        where = "molecular.expression"
        if (self.normalise == "tpm") != (self.lengths is not None):
            raise ConfigError("normalise = 'tpm' without lengths, or lengths without it", where=where, allowed="both")
        if self.log2 and self.normalise in ("logcpm", "tmm"):
            raise ConfigError(
                f"log2 = true after normalise = '{self.normalise}'", where=where, allowed="one: these are logarithms"
            )
        counted = {"htseq": "counts", "star": "counts"}.get(self.format, "")
        if self.format == "gdc_star" and self.column:
            counted = _UNIT_OF_COLUMN.get(self.column, "counts")
        if counted and not self.unit:
            object.__setattr__(self, "unit", counted)
        if counted and self.unit != counted:
            raise ConfigError(f"unit = '{self.unit}'", where=where, allowed=f"{counted}, as the format says")
        if self.normalise != "none" and self.unit != "counts":
            raise ConfigError(
                f"normalise = '{self.normalise}' with unit '{self.unit}'",
                where=where,
                allowed="unit = 'counts': nothing else is normalised, and the unit is not guessed",
            )


@dataclass(frozen=True, eq=False)
class Matrix:
    """An expression matrix on the subjects of the cohort.

    Parameters
    ----------
    options : ExpressionTable
    genes : tuple of str
    subjects : tuple of str
        In the order of the cohort.
    values : ndarray, shape (genes, subjects)
    unit : str
        After normalisation.
    """

    options: ExpressionTable
    genes: tuple[str, ...]
    subjects: tuple[str, ...]
    values: Array
    unit: str


def expression_files(options: ExpressionTable, root: Path) -> dict[str, Path]:
    """Return the files that a matrix is read from, by their path below `root`."""
    names = [options.sample_sheet, options.gene_names, options.lengths]
    found = {name: below(root, name) for name in names if name}
    if options.format not in _PER_SAMPLE:
        return {options.path: below(root, options.path), **found}
    below(root, options.path)
    for paths in glob_subjects(root, options.path).values():
        found |= {path.relative_to(root).as_posix(): path for path in paths}
    return found


def add_expression(sheet: Sheet, options: ExpressionTable, root: Path) -> Matrix:
    """Read a matrix, put it on the subjects of the cohort and, unless told otherwise, make a marker of every gene.

    Raises
    ------
    RadiolocusError
        A file that cannot be used, no sample in the cohort, a value that the unit or normalisation forbids.
    """
    source = options.path
    raw = without_versions(_read(options, root))
    if options.gene_names is not None:
        raw = rename_genes(raw, read_gene_table(below(root, options.gene_names), "symbol"), options.gene_names)
    raw = combine_repeats(raw, options.repeats, source)
    sheet.say(replace(note, where=note.where or source) for note in raw.notes)
    sheet.say(date_genes(raw.genes, source))
    match = sheet.join(source, raw.samples)
    if not match.mapping:
        turned = sum(sheet.cohort.ids.normalise(g) in sheet.row for g in raw.genes)
        raise TableError(
            f"none of {len(raw.samples)} samples ({', '.join(raw.samples[:3])}, ...) is in the cohort",
            where=source,
            allowed="samples of the cohort",
            todo=f"{turned} names of the other side are: change the orientation" if turned else "check cohort.ids",
        )
    position = {sample: i for i, sample in enumerate(raw.samples)}
    sample_of = {subject: position[written] for written, subject in match.mapping.items()}
    subjects = tuple(s for s in sheet.cohort.subjects if s in sample_of)
    values, unit = _scaled(raw, raw.values[:, [sample_of[s] for s in subjects]], subjects, options, root)
    matrix = Matrix(options, raw.genes, subjects, values, unit)
    if options.markers:
        for g in _chosen(matrix):
            aligned = sheet.spread(subjects, values[g])
            sheet.add(Marker(f"{options.name}:{raw.genes[g]}", "continuous", source, unit, aligned))
    return matrix


def on_scale(matrix: Matrix, scale: str) -> Array:
    """Return the values as logarithms to base 2 or on the linear scale, as the unit of the matrix allows.

    Parameters
    ----------
    matrix : Matrix
    scale : {"any", "log2", "linear"}

    Raises
    ------
    TableError
        A unit that does not tell how; the unit of the file is never guessed.
    """
    unit = matrix.unit
    logarithms, linear = unit.casefold().startswith("log2"), unit.casefold() in _LINEAR
    if (scale == "any" and unit) or (scale == "log2" and logarithms) or (scale == "linear" and linear):
        return matrix.values
    if scale == "log2" and linear:
        return np.asarray(np.log2(matrix.values + 1.0))
    if scale == "linear" and _PLUS_ONE.match(unit):
        return np.asarray(np.exp2(matrix.values) - 1.0)
    raise TableError(
        f"unit '{unit}'",
        where=matrix.options.path,
        allowed="counts, TPM, FPKM, RPKM, CPM, or logarithms: log2(TPM + 1), log2 ...",
        todo="say the unit of the file under unit" if scale != "linear" else "give values that are no logarithms",
    )


def date_genes(genes: Iterable[str], source: str) -> list[Problem]:
    """Tell of genes that a spreadsheet turned into dates."""
    dates = spreadsheet_dates(list(genes))
    if not dates:
        return []
    return [
        Problem(
            "molecular",
            f"{len(dates)} genes whose names a spreadsheet turned into dates ({', '.join(dates[:5])})",
            "note",
            where=source,
            todo="restore the symbols of the SEPTIN, MARCHF and DELEC1 genes in the file",
            count=len(dates),
        )
    ]


def _read(options: ExpressionTable, root: Path) -> Expression:
    if options.format == "h5ad":
        return read_h5ad(
            below(root, options.path),
            layer=options.column,
            sample_column=options.id,
            gene_column=options.gene_column,
        )
    if options.format == "table":
        return read_expression(
            below(root, options.path),
            orientation=options.orientation,
            id_column=options.id,
            drop=options.drop,
            repeats=True,
        )
    return read_counts(
        _files_of_samples(options, root),
        options.format,
        column=options.column,
        gene_column=options.gene_column,
    )


def _files_of_samples(options: ExpressionTable, root: Path) -> dict[str, Path]:
    names = read_sample_sheet(below(root, options.sample_sheet)) if options.sample_sheet else None
    files: dict[str, Path] = {}
    for (written, _), paths in glob_subjects(root, options.path).items():
        for path in paths:
            if names is not None and path.name not in names:
                raise TableError(
                    f"no row of '{path.name}'", where=str(options.sample_sheet), todo="fetch the sheet of these files"
                )
            sample = names[path.name] if names is not None else written
            if sample in files:
                raise TableError(
                    f"two files of sample '{sample}' ({files[sample].name}, {path.name})",
                    where=options.path,
                    allowed="one file a sample",
                )
            files[sample] = path
    if not files:
        raise TableError("no file", where=options.path, todo="look at the pattern and at [cohort] root")
    return files


def _chosen(matrix: Matrix) -> list[int]:
    wanted = matrix.options.columns
    if not wanted:
        return list(range(len(matrix.genes)))
    position = {gene: i for i, gene in enumerate(matrix.genes)}
    for gene in wanted:
        if gene not in position:
            raise TableError(
                f"no gene '{gene}'", where=matrix.options.path, todo=suggest(gene, matrix.genes) or "check the symbol"
            )
    return [position[gene] for gene in wanted]


def _scaled(
    raw: Expression, values: Array, subjects: tuple[str, ...], options: ExpressionTable, root: Path
) -> tuple[Array, str]:
    """Normalise the samples of the cohort, and take logarithms."""
    unit = options.unit
    if options.normalise != "none":
        values, unit = _normalised(raw, values, options, root)
    if not options.log2:
        return values, unit
    negative = np.argwhere(values < 0)
    if negative.size:
        g, s = negative[0]
        raise TableError(
            f"{values[g, s]:g}",
            where=f"{options.path}, gene {raw.genes[g]}, sample {subjects[s]}",
            allowed="0 or more, as log2 demands",
            todo="the values are logarithms or centred already: set log2 = false",
        )
    return np.asarray(np.log2(values + 1.0)), f"log2({unit or 'x'} + 1)"


def _normalised(raw: Expression, values: Array, options: ExpressionTable, root: Path) -> tuple[Array, str]:
    try:
        if options.normalise == "tpm":
            return tpm(values, _lengths(raw, options, root)), "TPM"
        factors = tmm_factors(values) if options.normalise == "tmm" else None
        return log_cpm(values, factors), "log2 CPM (TMM)" if options.normalise == "tmm" else "log2 CPM"
    except RadiolocusError as error:
        raise error.at(options.path) from None


def _lengths(raw: Expression, options: ExpressionTable, root: Path) -> Array:
    name = str(options.lengths)
    table = read_gene_table(below(root, name), "length")
    missing = [gene for gene in raw.genes if gene not in table]
    if missing:
        raise TableError(
            f"no length of {len(missing)} genes ({', '.join(missing[:3])})", where=name, allowed="every gene's"
        )
    try:
        return np.array([float(table[gene]) for gene in raw.genes])
    except ValueError as error:
        raise TableError(f"a length that is no number ({error})", where=name, allowed="bases, above 0") from None
