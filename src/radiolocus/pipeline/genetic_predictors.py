"""Genotypes as predictors of ``[outcome]``: dosages, scores with given weights, and what components are made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import ConfigError
from radiolocus.genome.ld import read_chosen
from radiolocus.genome.score import ScoreOptions, match_weights, score
from radiolocus.learn.structure import COMPONENT
from radiolocus.model import Array, Problem
from radiolocus.outcome.genetic_options import GeneticBlock
from radiolocus.outcome.options import OutcomeOptions
from radiolocus.pipeline.gather import Genotypes
from radiolocus.pipeline.run import Run
from radiolocus.read.discover import inside
from radiolocus.read.genotypes import AUTOSOMES, GenotypeSource
from radiolocus.read.pgs import read_score_file
from radiolocus.registry import suggest
from radiolocus.schema import Column

__all__ = ["GENETIC_TABLE", "genetic_block", "genetic_columns", "genetic_inputs"]

GENETIC_TABLE = "outcome/genetic"
"""Artefact that holds the dosages and scores of the block."""

_WHERE = "outcome.genetic"
Whole = npt.NDArray[np.int64]


def genetic_inputs(run: Run, options: OutcomeOptions) -> dict[str, str]:
    """Fingerprints of the files that the block is made of."""
    if options.genetic is None:
        return {}
    files = {name: _score_path(run, name) for name in options.genetic.scores}
    return run.fingerprints("genetics") | {name: run.prints.of(p) for name, p in files.items() if p.exists()}


def _score_path(run: Run, name: str) -> Path:
    return inside(run.study.root, name, f"{_WHERE}.scores")


def genetic_block(run: Run, options: OutcomeOptions) -> tuple[pl.DataFrame | None, list[Problem]]:
    """Genotypes of every subject that has them.

    Returns
    -------
    polars.DataFrame or None
        ``subject``, a column a variant (copies of its effect allele) and a score (mean over its alleles that are
        known), a column ``genotype PC1``, ... that stands for each component, and the list ``dosages`` of which these
        are made inside the fold. None where no such block is asked for.
    list of Problem
        How much of each score found a genotype.

    Raises
    ------
    ConfigError
        No genotypes, an unknown variant, or two variants of one id.
    TableError
        Too few weights of a score match a genotype.
    """
    asked = options.genetic
    if asked is None:
        return None, []
    genotypes = run.gathered.genotypes
    if genotypes is None:
        raise ConfigError(
            "no genotypes", where=_WHERE, todo="add [genetics] with the genotype file, or look at why it cannot be used"
        )
    subject, rows = _samples(genotypes)
    source = genotypes.source
    columns: dict[str, pl.Series] = {"subject": pl.Series("subject", subject, dtype=pl.String)}
    for name, values in _dosages(source, rows, asked).items():
        columns[name] = pl.Series(name, values).fill_nan(None)
    problems = []
    for file in asked.scores:
        name, values, told = _score(run, source, rows, file)
        columns[name] = pl.Series(name, values)
        problems.append(Problem("outcome", told, "note", item=name, where=f"{_WHERE}.scores"))
    if asked.components:
        for k in range(asked.components):
            columns[f"{COMPONENT}{k + 1}"] = pl.Series(np.zeros(rows.size))
        spread = read_chosen(source, rows, _spread(source, asked.component_variants)).T
        columns["dosages"] = pl.Series("dosages", spread.tolist(), dtype=pl.List(pl.Float32))
    return pl.DataFrame(columns), problems


def genetic_columns(block: pl.DataFrame) -> dict[str, Column]:
    """What each column of the block is."""
    told = {}
    for name in block.columns[1:]:
        meaning, unit = "copies of the effect allele of the genotype file", "alleles"
        if name.startswith("score:"):
            meaning, unit = "polygenic score with given weights: mean over alleles that are known", ""
        elif name.startswith(COMPONENT):
            meaning, unit = "zero; learned inside each fold", ""
        told[name] = Column(name, block.schema[name], meaning, unit, "genotype file")
    return told


def _samples(genotypes: Genotypes) -> tuple[list[str], Whole]:
    """Subjects with genotypes, each once, and their rows in the file."""
    first: dict[str, int] = {}
    for row, subject in enumerate(genotypes.subjects):
        if subject is not None and subject not in genotypes.left_out:
            first.setdefault(subject, row)
    return list(first), np.array(list(first.values()), dtype=np.int64)


def _dosages(source: GenotypeSource, rows: Whole, asked: GeneticBlock) -> dict[str, Array]:
    ids = source.variants["variant_id"]
    place = []
    for name in asked.variants:
        found = (ids == name).arg_true()
        if found.len() != 1:
            known = ids.unique(maintain_order=True).to_list()
            raise ConfigError(
                f"no variant '{name}'" if found.len() == 0 else f"{found.len()} variants '{name}'",
                where=f"{_WHERE}.variants",
                allowed="ids of variants that the genotype file has once",
                todo=suggest(name, known[:100_000]) if found.len() == 0 else "give the alleles ids of their own",
            )
        place.append(int(found[0]))
    order = np.argsort(np.array(place, dtype=np.int64), kind="stable")
    numbers = np.array(place, dtype=np.int64)[order]
    found_dosages = read_chosen(source, rows, numbers).astype(np.float64) if numbers.size else np.zeros((0, rows.size))
    by_place = dict(zip(numbers.tolist(), found_dosages, strict=True))
    return {name: by_place[at] for name, at in zip(asked.variants, place, strict=True)}


def _score(run: Run, source: GenotypeSource, rows: Whole, file: str) -> tuple[str, Array, str]:
    """Name, values and what matched of one score; a missing genotype counts nothing, so that nobody tells of others."""
    given = read_score_file(_score_path(run, file))
    weights = given.table
    matched = match_weights(weights, source, ScoreOptions())
    chosen = weights["effect_weight"].to_numpy()[matched.rows][:, None].astype(np.float64)
    found = score(source, rows, matched.numbers, chosen, matched.sign, missing="zero")
    name = given.name if given.name != "score" else Path(file).name.split(".")[0]
    return f"score:{name}", found.average[:, 0], f"{matched.told}; its weights were taken as they are"


def _spread(source: GenotypeSource, count: int) -> Whole:
    """Autosomal variants, evenly spread over the file."""
    autosomal = source.variants["chromosome"].is_in(list(AUTOSOMES)).arg_true().to_numpy()
    if autosomal.size == 0:
        raise ConfigError("no autosomal variant", where=f"{_WHERE}.components", todo="leave components out")
    step = np.linspace(0, autosomal.size - 1, min(count, autosomal.size))
    return np.asarray(autosomal[np.unique(step.astype(np.int64))], dtype=np.int64)
