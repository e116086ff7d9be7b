"""``radiolocus mediation``: variants of a genotype file, features and outcome of tables, effects below a folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from radiolocus.associate.genomewide import problem_rows
from radiolocus.associate.mediation import MediationOptions, MediationResult, mediation
from radiolocus.associate.subjects import Scanned, choose_subjects
from radiolocus.errors import ConfigError, TableError
from radiolocus.model import Endpoint, Problem
from radiolocus.read.genotype_files import open_genotypes
from radiolocus.read.genotypes import BlockSource
from radiolocus.read.subject_tables import read_subject_table
from radiolocus.schema import empty
from radiolocus.store import Fingerprints, Stage, digest, locked, open_folder, write_json, write_table

__all__ = ["MediationOrder", "Splits", "write_mediations"]

_WHERE = "mediation"


@dataclass(frozen=True)
class MediationOrder:
    """What the command asks for.

    Parameters
    ----------
    genotypes, pheno : Path
    variants : tuple of str
        Ids of the exposures.
    mediators : tuple of str
        Columns of `pheno`; empty: all but those of the outcome.
    outcome : str
        Column of `outcomes`, or of `pheno` where there is no such table.
    outcomes : Path or None
    time : str
        Column of times; the outcome is then 1 for an event and 0 for censoring. Empty: no survival outcome.
    binary : bool
        The outcome is 0 and 1.
    covar : Path or None
    categorical : tuple of str
    sample_id : {"iid", "fid_iid"}
    minus_nine : {"refuse", "missing", "number"}
    options : MediationOptions
    """

    genotypes: Path
    pheno: Path
    variants: tuple[str, ...]
    mediators: tuple[str, ...]
    outcome: str
    outcomes: Path | None
    time: str
    binary: bool
    covar: Path | None
    categorical: tuple[str, ...]
    sample_id: Literal["iid", "fid_iid"]
    minus_nine: Literal["refuse", "missing", "number"]
    options: MediationOptions

    def __post_init__(self) -> None:
        if self.time and self.binary:
            raise ConfigError("an outcome that is both binary and a time", where=_WHERE, allowed="--binary or --time")
        if not self.variants:
            raise ConfigError("no variant", where=_WHERE, todo="name one with --variant")
        twice = sorted({name for name in self.variants if self.variants.count(name) > 1})
        if twice:
            raise ConfigError(f"variant {', '.join(twice)} is named more than once", where=_WHERE)


@dataclass(frozen=True, eq=False)
class Splits:
    """What was found.

    Parameters
    ----------
    effects : polars.DataFrame
        Table ``mediation/effects``.
    robustness : dict of (variant, mediator) to (str, float)
        What an unmeasured cause must be to explain the mediated effect: name and value of ρ or of the E-value.
    problems : polars.DataFrame
    """

    effects: pl.DataFrame
    robustness: dict[tuple[str, str], tuple[str, float]]
    problems: pl.DataFrame


def write_mediations(
    order: MediationOrder, out: Path, *, fresh: bool = False, told: Callable[[str], None] = lambda _text: None
) -> Splits:
    """Split the effect of every variant through every mediator, and write the tables below `out`.

    Raises
    ------
    ConfigError, FormatError, TableError, StoreError
        Options, files, tables or a folder that cannot be used.
    """
    began = time.monotonic()
    source = open_genotypes(order.genotypes, sample_id=order.sample_id)
    places = _places(source, order.variants)
    mediators, scanned = _subjects(order, source)
    with locked(out):
        prints = Fingerprints(out)
        tables = [path for path in (order.pheno, order.outcomes, order.covar) if path is not None]
        inputs = {path.name: prints.of(path) for path in (*source.files, *tables)}
        name = f"Mediation of {', '.join(order.variants[:3])} on {order.outcome}"
        identity = digest("mediation", inputs)
        open_folder(out, name, identity, fresh=fresh)
        results: dict[str, MediationResult] = {}
        problems = list(scanned.problems)
        for variant, place in zip(order.variants, places, strict=True):
            told(f"{variant}: {len(mediators)} mediators")
            results[variant] = _split(order, source, scanned, mediators, variant, place)
            problems += [replace(p, where=p.where or variant) for p in results[variant].problems]
        stage = Stage(out, "mediation", (order.options, *_settings(order, mediators)), inputs)
        effects = _stack("mediation/effects", (found.effects for found in results.values()))
        stage.write("mediation/effects", effects)
        stage.write(
            "mediation/sensitivity", _stack("mediation/sensitivity", (found.sensitivity for found in results.values()))
        )
        rows = problem_rows(problems)
        write_table(out, "problems", rows)
        settings = {"mediation": asdict(order.options)}
        write_json(out / "study.json", {"name": name, "identity": identity, "sections": [], "settings": settings})
        stage.finish(seed=order.options.seed, wall_time_s=time.monotonic() - began)
    return Splits(effects, _robustness(results), rows)


def _settings(order: MediationOrder, mediators: Sequence[str]) -> tuple[object, ...]:
    return (list(order.variants), list(mediators), order.outcome, order.time, order.binary, list(order.categorical))


def _stack(table: str, parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat([empty(table), *parts])


def _robustness(results: dict[str, MediationResult]) -> dict[tuple[str, str], tuple[str, float]]:
    out: dict[tuple[str, str], tuple[str, float]] = {}
    for variant, found in results.items():
        out |= {(variant, name): ("ρ", value) for name, value in found.rho_at_zero.items()}
        out |= {(variant, name): ("E-value", value) for name, value in found.e_values.items()}
    return out


def _places(source: BlockSource, variants: Sequence[str]) -> list[int]:
    """Where each variant stands in the file."""
    ids = source.variants["variant_id"]
    places = []
    for name in variants:
        at = (ids == name).arg_true()
        if at.len() != 1:
            raise ConfigError(
                f"variant '{name}' stands {at.len()} times in the file" if at.len() else f"no variant '{name}'",
                where=Path(source.path).name,
                allowed="an id that stands once",
            )
        places.append(int(at[0]))
        chromosome = source.variants["chromosome"][places[-1]]
        if chromosome in ("X", "Y", "MT"):
            raise ConfigError(
                f"variant '{name}' lies on chromosome {chromosome}, where a copy is not the same in everybody",
                where=_WHERE,
                allowed="chromosomes 1 to 22 and XY",
            )
    return places


def _subjects(order: MediationOrder, source: BlockSource) -> tuple[tuple[str, ...], Scanned]:
    """Mediators and outcome of the subjects that have a genotype and all covariates."""
    features = read_subject_table(order.pheno, sample_id=order.sample_id, minus_nine=order.minus_nine)
    wanted = tuple(name for name in (order.outcome, order.time) if name)
    mediators = order.mediators or tuple(c for c in features.columns if c != "subject" and c not in wanted)
    if order.outcomes is not None:
        others = read_subject_table(order.outcomes, sample_id=order.sample_id, minus_nine=order.minus_nine)
        missing = [name for name in wanted if name not in others.columns]
        if missing:
            listed = ", ".join(others.columns[1:20])
            raise ConfigError(f"no column '{missing[0]}'", where=order.outcomes.name, allowed=listed)
        if others["subject"].is_duplicated().any():
            raise TableError("subjects that stand more than once", where=order.outcomes.name, allowed="one row each")
        features = features.drop([name for name in wanted if name in features.columns])
        features = features.join(others.select("subject", *wanted), on="subject", how="left", maintain_order="left")
    covariates = None
    if order.covar is not None:
        covariates = read_subject_table(
            order.covar, sample_id=order.sample_id, minus_nine=order.minus_nine, categorical=order.categorical
        )
    scanned = choose_subjects(source.sample_ids, features, covariates, phenotype_names=(*mediators, *wanted))
    clash = set(order.variants) & {*mediators, *wanted, *scanned.covariate_names}
    clash |= {*mediators, *wanted} & set(scanned.covariate_names)
    if clash:
        raise TableError(f"two columns called {', '.join(sorted(clash))}", where=_WHERE, todo="rename one of them")
    return mediators, scanned


def _split(
    order: MediationOrder, source: BlockSource, scanned: Scanned, mediators: tuple[str, ...], variant: str, place: int
) -> MediationResult:
    copies = source.read(scanned.rows, place, place + 1).dosage[0].astype(np.float64)
    columns = {name: scanned.phenotypes[:, i] for i, name in enumerate(scanned.phenotype_names)}
    columns |= {name: scanned.covariates[:, i] for i, name in enumerate(scanned.covariate_names)}
    table = pl.DataFrame({"subject": scanned.subjects, variant: copies} | columns)
    outcome: str | Endpoint = order.outcome
    if order.time or order.binary:
        given = columns[order.time] if order.time else None
        kind: Literal["survival", "binary"] = "survival" if order.time else "binary"
        outcome = Endpoint(order.outcome, kind, scanned.subjects, columns[order.outcome], given)
        table = table.drop([name for name in (order.outcome, order.time) if name])
    return _told(
        mediation(
            table, exposure=variant, mediators=mediators, outcome=outcome, covariates=scanned.covariate_names,
            options=order.options,
        ),
        source, place,
    )  # fmt: skip


def _told(found: MediationResult, source: BlockSource, place: int) -> MediationResult:
    """The same with the allele that is counted among the notes."""
    row = source.variants.row(place, named=True)
    got = f"copies of {row['effect_allele']} are counted (other allele {row['other_allele']})"
    return replace(found, problems=(Problem("mediation", got, "note", item=row["variant_id"]), *found.problems))
