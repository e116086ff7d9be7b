"""The stage of genetic association: imaging phenotypes by linear, binary endpoints and markers by logistic regression.

Both are the scan of ``radiolocus gwas`` and leave the same data set, that of the binary phenotypes in a folder of its
own below the results.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from radiolocus.associate.binary import BinaryOptions
from radiolocus.associate.genetics_options import GeneticsOptions
from radiolocus.associate.genomewide import scan_into, stands
from radiolocus.associate.gwas import GwasOptions
from radiolocus.associate.mixed import MixedOptions
from radiolocus.errors import ConfigError, FitError, InputError
from radiolocus.genome.qc import GenotypeOptions
from radiolocus.model import Endpoint, Problem
from radiolocus.pipeline.endpoints import response_endpoints
from radiolocus.pipeline.gather import Gathered, Genotypes, as_problem
from radiolocus.pipeline.inputs import clinical, upstream
from radiolocus.pipeline.phenotypes import analysed_images, phenotypes, told_left_out, upstream_of
from radiolocus.pipeline.run import Run, problem_frame
from radiolocus.registry import suggest
from radiolocus.schema import empty
from radiolocus.store import BINARY, Stage, clear_room, digest, read_json, read_table

__all__ = ["cases", "genetics"]

_STAGE = "genetics"
_WHOSE = "scan of binary phenotypes"
_UNRELATED = Problem(
    _STAGE,
    "binary phenotypes are scanned as if nobody were related: the mixed model is one of measured phenotypes",
    "note",
    where="genetics.mixed.model",
    todo="take model = 'ridge', which serves both",
)


def genetics(run: Run, options: GeneticsOptions) -> str:
    """Scan every imaging phenotype, and every binary phenotype that is asked for, block by block."""
    genotypes = run.gathered.genotypes
    if genotypes is None:  # its failure was told when the sources were gathered
        raise InputError("no genotypes", where=_STAGE)
    told = []
    problems = empty("problems")
    table = cases(run.gathered, options.binary, response_endpoints(run))
    if run.sections.imaging is not None:
        problems = _imaging(run, options, genotypes)
        told.append(_told_scan(run.root) + told_left_out(run, _STAGE))
    else:
        _clear(run.root)
    if options.binary:
        told.append(_binary(run, options, genotypes, table, problems))
    else:
        _clear(run.root / BINARY)
    return "; ".join(told)


def _whose_samples(genotypes: Genotypes) -> str:
    """Hash of who and what was chosen of the genotype file."""
    return digest(genotypes.subjects, genotypes.left_out, genotypes.source.selection)


def _imaging(run: Run, options: GeneticsOptions, genotypes: Genotypes) -> pl.DataFrame:
    """Scan the imaging phenotypes; returns the problems."""
    inputs = run.fingerprints(_STAGE) | upstream(run, "cohort/subjects", *upstream_of(options))
    mixed = () if options.mixed is None else (options.mixed,)
    settings = (options.scan(), options.keep, analysed_images(run), _whose_samples(genotypes), *mixed)
    stage = run.stage("sumstats", settings, inputs)
    table, dropped = phenotypes(run, options, _STAGE)
    fresh = not stands(stage)
    if fresh:
        _scan(run, stage, genotypes, table, options.scan(), options.keep, None, options.mixed)
    first = problem_frame(_STAGE, (*run.gathered.problems[_STAGE], *dropped))
    problems = pl.concat([first, _problems_of(run.root)])
    if fresh:
        run.finish(_STAGE, stage, problems)
    return problems


def _binary(
    run: Run, options: GeneticsOptions, genotypes: Genotypes, table: pl.DataFrame, problems: pl.DataFrame
) -> str:
    """Scan the binary phenotypes; one that cannot be scanned at all loses nothing of the imaging phenotypes."""
    told = digest(table.to_dict(as_series=False))
    inputs = run.fingerprints(_STAGE) | upstream(run, "cohort/subjects") | {"binary phenotypes": told}
    chosen = options.scan(phenotypes=(), icc_min=None)
    keep = GwasOptions(options.keep.p_value, tuple(n for n in options.keep.all_rows if n in options.binary))
    mixed = options.mixed if options.mixed is not None and options.mixed.model == "ridge" else None
    settings = (chosen, keep, options.logistic, _whose_samples(genotypes), *(() if mixed is None else (mixed,)))
    if options.mixed is not None and mixed is None:
        problems = pl.concat([problems, problem_frame(_STAGE, [_UNRELATED])])
    stage = run.stage("sumstats", settings, inputs, below=BINARY)
    fresh = not stands(stage)
    if fresh:
        try:
            _scan(run, stage, genotypes, table, chosen, keep, options.logistic, mixed)
        except FitError as error:
            if run.sections.imaging is None:
                raise
            _clear(run.root / BINARY)
            run.tell(_STAGE, pl.concat([problems, problem_frame(_STAGE, [as_problem(_STAGE, error, item=_WHOSE)])]))
            return f"binary phenotypes were not scanned: {error.message}"
    every = pl.concat([problems, _problems_of(run.root / BINARY)])
    if fresh:
        run.finish(_STAGE, stage, every)
    else:  # the imaging phenotypes may have told theirs alone
        run.tell(_STAGE, every)
    return f"binary phenotypes: {_told_scan(run.root / BINARY)}"


def _scan(
    run: Run,
    stage: Stage,
    genotypes: Genotypes,
    table: pl.DataFrame,
    options: GenotypeOptions,
    keep: GwasOptions,
    binary: BinaryOptions | None,
    mixed: MixedOptions | None = None,
) -> None:
    scan_into(
        stage,
        genotypes.source,
        table.filter(~pl.col("subject").is_in(list(genotypes.left_out))),
        clinical(run, options.covariates, "genetics.covariates") if options.covariates else None,
        options,
        keep,
        binary,
        mixed,
        sample_subjects=genotypes.subjects,
        jobs=run.jobs,
        begin=lambda units: run.progress.begin(_STAGE, units),
        step=lambda: run.progress.step(_STAGE),
    )


def cases(gathered: Gathered, names: tuple[str, ...], further: Sequence[Endpoint] = ()) -> pl.DataFrame:
    """Binary endpoints and markers as columns of 0 and 1, one row a subject that has one of them.

    `further` are endpoints beside those of the cohort.

    Raises
    ------
    ConfigError
        A name that is neither.
    """
    cohort, molecules = gathered.cohort, gathered.molecules
    frame = pl.DataFrame({"subject": cohort.subjects}, schema={"subject": pl.String})
    known: dict[str, pl.DataFrame] = {
        e.name: pl.DataFrame({"subject": e.subject, e.name: e.event}).fill_nan(None)
        for e in (*cohort.endpoints, *further)
        if e.kind == "binary"
    }
    if molecules is not None:
        markers = molecules.dictionary.filter(pl.col("kind") == "binary")["marker"]
        known |= {name: molecules.table.select("subject", name) for name in markers if name not in known}
    for name in names:
        if name not in known:
            raise ConfigError(
                f"no binary endpoint or marker '{name}'",
                where="genetics.binary",
                allowed=", ".join(known) or "none is there",
                todo=suggest(name, list(known)),
            )
        frame = frame.join(known[name], on="subject", how="left", maintain_order="left")
    return frame.filter(pl.any_horizontal(pl.col(names).is_not_null())) if names else frame


def _problems_of(root: Path) -> pl.DataFrame:
    """Problems of a finished scan under the name of the stage."""
    found = read_table(root, "sumstats/problems")
    frame = (empty("problems") if found is None else found).with_columns(stage=pl.lit(_STAGE))
    if root.name == BINARY:
        where = pl.col("where")
        frame = frame.with_columns(where=pl.when(where == "").then(pl.lit(_WHOSE)).otherwise(where))
    return frame


def _clear(root: Path) -> None:
    for room in ("sumstats", "genome"):
        clear_room(root, room)


def _told_scan(root: Path) -> str:
    told = read_json(root, "sumstats/told.json") or {}
    hits = "" if told["genome_wide"] < 0 else f", {told['genome_wide']:,} with p < 5e-8"
    return f"{told['tests']:,} tests{hits}"
