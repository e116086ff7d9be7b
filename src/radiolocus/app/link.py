"""``radiolocus link``: tables from the command line to a folder of results."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from radiolocus.app.joining import join_notes
from radiolocus.associate.link_options import LinkOptions
from radiolocus.associate.linking import Linked, link_all
from radiolocus.cohort import IdRules
from radiolocus.config import load_link
from radiolocus.errors import ConfigError, TableError
from radiolocus.feature.tables import nameless
from radiolocus.model import Problem
from radiolocus.pipeline.run import problem_frame
from radiolocus.pipeline.stage_link import other_links
from radiolocus.read.clinical import ClinicalTable, read_table
from radiolocus.read.expression import read_expression
from radiolocus.read.genesets import read_gene_sets
from radiolocus.read.markers import MarkerColumn, infer_markers
from radiolocus.registry import suggest
from radiolocus.report.html import write as write_report
from radiolocus.schema import Column, conform
from radiolocus.store import (
    ARTEFACT_SCHEMA,
    Fingerprints,
    Stage,
    digest,
    locked,
    open_folder,
    write_json,
    write_table,
)

__all__ = ["LinkOrder", "link_options", "write_links"]

# What PyRadiomics writes beside its features.
_NO_FEATURES = ("diagnostics_",)


@dataclass(frozen=True)
class LinkOrder:
    """What the command is given.

    Parameters
    ----------
    features, markers : Path
        Tables, one row a subject: an id, then numbers.
    covar : Path or None
        Table of covariates, of the same form; text is taken as categories.
    expression : Path or None
        Matrix of genes and samples; its genes become markers called ``expr:GENE``.
    id : str
        Column of ids; empty: the first of each table.
    features_id : str
        Column of ids of the features, where it is another one.
    ids : IdRules
        How ids of all tables become those of subjects.
    chosen : tuple of str
        Columns of the table of markers that are markers; empty: all.
    options : LinkOptions
        ``gene_sets`` and ``replication`` are paths as given.
    """

    features: Path
    markers: Path | None
    covar: Path | None
    expression: Path | None
    id: str
    options: LinkOptions
    features_id: str = ""
    ids: IdRules = field(default_factory=IdRules)
    chosen: tuple[str, ...] = ()


def link_options(
    settings: Path | None, covar: Path | None, covariates: Sequence[str], key: str, chosen: Mapping[str, Any]
) -> LinkOptions:
    """Put the settings file and the options of the command together; what is None was not said.

    Raises
    ------
    ConfigError
        A mistake in either, or covariates without a table.
    """
    options = load_link(settings) if settings is not None else LinkOptions()
    told = {name: value for name, value in chosen.items() if value is not None}
    named = tuple(covariates) or options.covariates
    if covar is None and named:
        raise ConfigError(f"covariates {', '.join(named)} without a table", where="link", todo="give --covar")
    if covar is not None and not named:
        offered = read_table(covar, id_column=key or None).frame.columns[1:]
        apart = {told.get("batch", options.batch), options.permute_within}
        named = tuple(c for c in offered if c not in apart)
    return replace(options, covariates=named, **told)


def write_links(
    order: LinkOrder,
    out: Path,
    *,
    jobs: int = 1,
    fresh: bool = False,
    told: Callable[[str], None] = lambda text: None,
) -> Linked:
    """Read the tables, test, and write tables and report below `out`.

    Raises
    ------
    ConfigError, FormatError, TableError, FitError, StoreError
        Options, files, tables or a folder that cannot be used; nothing left.
    """
    began = time.monotonic()
    options = order.options
    features, notes = _table(order.features, order.features_id or order.id, order.ids, numbers=True)
    markers, dictionary, more = _markers(order)
    covariates, others = _table(order.covar, order.id, order.ids) if order.covar is not None else (None, [])
    _check_join(features, markers, order)
    met = _met(order, features, markers, covariates)
    sets = read_gene_sets(Path(options.gene_sets)) if options.gene_sets is not None else None
    replication = Path(options.replication) / "link/link.parquet" if options.replication is not None else None
    other = other_links(replication) if replication is not None else None
    told(f"{features.height} subjects × {features.width - 1} features; {markers.width - 1} markers")
    for note in met:
        told(f"{note.got}; {note.todo}" if note.todo else note.got)
    with locked(out):
        name = f"Links of {order.features.stem}"
        open_folder(out, name, digest(name), fresh=fresh)
        found = link_all(
            features, markers, dictionary, covariates, options,
            gene_sets=sets.sets if sets else None, other=other, threads=jobs,
        )  # fmt: skip
        problems = (*notes, *more, *others, *met, *(sets.notes if sets else ()), *found.problems)
        _write(order, out, found, features, markers, dictionary, problems, name, began)
        told("report")
        write_report(out)
    return Linked(found.tables, problems)


def _rows(path: Path, key: str, ids: IdRules) -> tuple[ClinicalTable, list[Problem]]:
    """Table with its ids as ``subject``, a row a subject, and what was set aside.

    Of rows that say the same one is kept; a subject whose rows differ, or a row without id, is set aside by name.
    """
    read = read_table(path, id_column=key or None)
    column = key or read.frame.columns[0]
    frame = read.frame.select(pl.col(column).alias("subject"), pl.exclude(column))
    normal = [ids.normalise(raw.strip() if isinstance(raw, str) else raw) for raw in frame["subject"].to_list()]
    frame = frame.with_columns(pl.Series("subject", normal, pl.String))
    problems = [replace(p, stage="link") for p in read.problems]
    if unnamed := int((frame["subject"] == "").sum()):
        got = f"{unnamed} rows without an id are set aside"
        problems.append(Problem("link", got, where=path.name, allowed="an id in every row", count=unnamed))
    named = frame.with_row_index("place#").filter(pl.col("subject") != "")
    again = named.filter(pl.col("subject").is_duplicated())
    alike = again.unique(frame.columns, keep="first", maintain_order=True)  # of wide tables the few rows in question
    many = alike.group_by("subject", maintain_order=True).len().filter(pl.col("len") > 1)
    problems += [
        Problem(
            "link", f"{rows} rows of one subject that differ: it is set aside", subject=subject, where=path.name,
            allowed="one row a subject", todo="keep one image, visit and region of each subject", count=rows,
        )
        for subject, rows in many.iter_rows()
    ]  # fmt: skip
    single = named.filter(~pl.col("subject").is_duplicated())["place#"].to_list()
    kept = sorted(single + alike.filter(~pl.col("subject").is_in(many["subject"].implode()))["place#"].to_list())
    return replace(read, frame=frame[kept], row_number=tuple(read.row_number[i] for i in kept)), problems


def _table(path: Path, key: str, ids: IdRules, *, numbers: bool = False) -> tuple[pl.DataFrame, list[Problem]]:
    """Rows of a table; columns that are no numbers are left out and told where numbers are wanted."""
    read, problems = _rows(path, key, ids)
    frame = read.frame
    if numbers:
        frame = frame.drop([c for c in frame.columns if c.startswith(_NO_FEATURES) or c in nameless(read)])
        text = [c for c, t in frame.schema.items() if c != "subject" and not (t.is_numeric() or t == pl.Boolean)]
        if text:
            got = f"{len(text)} columns that are not numbers are left out ({', '.join(text[:5])})"
            problems.append(Problem("link", got, "note", where=path.name, count=len(text)))
        frame = frame.drop(text)
        if frame.width < 2:
            raise TableError("no column of numbers", where=path.name, allowed="an id, then numbers")
    return frame, problems


def _marker_table(
    path: Path, key: str, ids: IdRules, chosen: Sequence[str]
) -> tuple[pl.DataFrame, list[dict[str, object]], list[Problem]]:
    """Markers of a table, numbers or words, as the study file reads them."""
    read, problems = _rows(path, key, ids)
    found: list[MarkerColumn] = []
    offered = read.frame.columns[1:]
    for name in chosen:
        if name not in offered:
            raise ConfigError(
                f"no marker '{name}'", where=path.name, allowed=", ".join(offered[:12]), todo=suggest(name, offered)
            )
    for name in chosen or offered:
        made, notes = infer_markers(read.frame[name], read.row_number, path.name)
        found += made
        problems += [replace(p, stage="link") for p in notes]
    if not found:
        raise TableError("no column that is a marker", where=path.name, todo="see docs/molecular.md for what is one")
    frame = pl.DataFrame([read.frame["subject"], *(pl.Series(c.name, c.values, nan_to_null=True) for c in found)])
    return frame, [_word(frame[c.name], path.name, c.kind) for c in found], problems


def _markers(order: LinkOrder) -> tuple[pl.DataFrame, pl.DataFrame, list[Problem]]:
    """Markers of the table and genes of the matrix, and their dictionary."""
    if order.markers is None and order.expression is None:
        raise ConfigError("no markers", where="link", todo="name a table of markers, or --expression")
    frames: list[pl.DataFrame] = []
    words: list[dict[str, object]] = []
    problems: list[Problem] = []
    if order.markers is not None:
        frame, words, problems = _marker_table(order.markers, order.id, order.ids, order.chosen)
        frames.append(frame)
    if order.expression is not None:
        found = read_expression(order.expression)
        names = [f"{order.options.gene_prefix}{gene}" for gene in found.genes]
        matrix = pl.DataFrame(found.values.T, schema=names).with_columns(pl.all().fill_nan(None))
        frame, several = _one_sample(matrix, found.samples, order.ids, order.expression.name)
        frames.append(frame)
        words += [_word(matrix[name], order.expression.name, "continuous") for name in names]
        problems += [replace(p, stage="link") for p in found.notes] + several
    markers = frames[0]
    for frame in frames[1:]:
        twice = sorted(set(frame.columns[1:]) & set(markers.columns[1:]))
        if twice:
            raise TableError(f"markers in both tables: {', '.join(twice[:5])}", where="link", todo="rename them")
        markers = markers.join(frame, on="subject", how="full", coalesce=True)
    return markers.sort("subject"), conform(pl.DataFrame(words), "molecular/dictionary"), problems


def _one_sample(
    matrix: pl.DataFrame, samples: Sequence[str], ids: IdRules, where: str
) -> tuple[pl.DataFrame, list[Problem]]:
    """Give the samples of a matrix their subjects; those who have several are set aside by name."""
    columns: dict[str, list[int]] = {}
    for i, sample in enumerate(samples):
        columns.setdefault(ids.normalise(sample.strip()), []).append(i)
    columns.pop("", None)
    problems = [
        Problem(
            "link", f"{len(own)} samples of one subject ({', '.join(samples[i] for i in own)}): it has no expression",
            subject=subject, where=where, allowed="one sample a subject",
            todo="keep one of them, or let [cohort.ids] of a study file choose", count=len(own),
        )
        for subject, own in columns.items() if len(own) > 1
    ]  # fmt: skip
    kept = {subject: own[0] for subject, own in columns.items() if len(own) == 1}
    frame = matrix[list(kept.values())].insert_column(0, pl.Series("subject", list(kept), pl.String))
    return frame, problems


def _word(values: pl.Series, source: str, kind: str) -> dict[str, object]:
    known = values.cast(pl.Float64).drop_nulls()
    return {
        "marker": values.name, "kind": kind, "source": source, "unit": "", "definition": "", "n": known.len(),
        "n_positive": int(known.sum()) if kind == "binary" else None,
    }  # fmt: skip


def _check_join(features: pl.DataFrame, markers: pl.DataFrame, order: LinkOrder) -> None:
    ours, theirs = features["subject"].to_list(), markers["subject"].to_list()
    if not set(ours) & set(theirs):
        near = next((s for s in (suggest(str(name), list(map(str, theirs))) for name in ours[:20]) if s), "")
        raise TableError(
            f"no subject of the features ({', '.join(map(str, ours[:3]))}) is among the markers "
            f"({', '.join(map(str, theirs[:3]))})",
            where=order.features.name,
            allowed="the same ids in all tables",
            todo=near
            or "name the columns of ids (--id, --features-id), or take the ids out of longer names (--extract)",
        )


def _met(
    order: LinkOrder, features: pl.DataFrame, markers: pl.DataFrame, covariates: pl.DataFrame | None
) -> list[Problem]:
    """Say who of the features is in the other tables."""
    names = " and ".join(path.name for path in (order.markers, order.expression) if path is not None)
    others = [(names, markers["subject"].to_list())]
    if order.covar is not None and covariates is not None:
        others.append((order.covar.name, covariates["subject"].to_list()))
    return join_notes(order.features.name, features["subject"].to_list(), others)


def _write(
    order: LinkOrder,
    out: Path,
    found: Linked,
    features: pl.DataFrame,
    markers: pl.DataFrame,
    dictionary: pl.DataFrame,
    problems: tuple[Problem, ...],
    name: str,
    began: float,
) -> None:
    prints = Fingerprints(out)
    files = [order.features, order.markers, order.covar, order.expression]
    files += [Path(p) for p in (order.options.gene_sets,) if p is not None]
    inputs = {file.name: prints.of(file) for file in files if file is not None}
    if order.options.replication is not None:
        inputs["replication"] = prints.of(Path(order.options.replication) / "link/link.parquet")
    settings = asdict(order.options) | {
        key: Path(path).name
        for key in ("gene_sets", "replication")
        if (path := getattr(order.options, key)) is not None
    }
    words = {
        row["marker"]: Column(row["marker"], markers.schema[row["marker"]], f"{row['kind']} marker", "", row["source"])
        for row in dictionary.iter_rows(named=True)
    }
    given = Stage(out, "features", settings, inputs)
    source = order.features.name
    told = {c: Column(c, t, "imaging feature", "", source) for c, t in features.schema.items() if c != "subject"}
    given.write("features/phenotypes", features, told)
    given.finish(seed=None, wall_time_s=time.monotonic() - began)
    molecular = Stage(out, "molecular", settings, inputs)
    molecular.write("molecular/markers", markers, words)
    molecular.write("molecular/dictionary", dictionary)
    molecular.finish(seed=None, wall_time_s=time.monotonic() - began)
    stage = Stage(out, "link", settings, inputs)
    for table, frame in found.tables.items():
        stage.write(table, frame)
    write_table(out, "problems", problem_frame("link", problems))
    stage.finish(seed=order.options.seed, wall_time_s=time.monotonic() - began)
    write_json(
        out / "study.json",
        {
            "name": name,
            "identity": digest(name),
            "radiolocus_version": version("radiolocus"),
            "artefact_schema": ARTEFACT_SCHEMA,
            "seed": order.options.seed,
            "stages": {},
            "settings": {"link": settings},
        },
    )
