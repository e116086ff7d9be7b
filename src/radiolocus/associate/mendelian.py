"""Two-sample Mendelian randomisation from imaging phenotypes to outcomes, from summary statistics to tables."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from radiolocus.associate.genomewide import problem_rows
from radiolocus.associate.instruments import Harmonised, Traits, choose, harmonise, listed, outcome_rows
from radiolocus.errors import ConfigError, FitError
from radiolocus.genome.alleles import AlleleOptions
from radiolocus.model import Problem
from radiolocus.read.genotypes import GenotypeSource
from radiolocus.registry import suggest
from radiolocus.schema import TABLES, conform
from radiolocus.stats.mendelian import (
    CausalEstimate,
    Instruments,
    egger,
    f_statistics,
    i2_gx,
    inverse_variance,
    leave_one_out,
    steiger,
    wald_ratios,
    weighted_median,
    weighted_mode,
)
from radiolocus.stats.tail import neg_log10_p_normal
from radiolocus.store import Stage, digest, locked, open_folder, write_json, write_table

__all__ = ["MendelianOptions", "MendelianResult", "mendelian", "write_mendelian"]

_NAMES = ("estimates", "checks", "instruments", "leave_one_out", "harmonisation")
_WEAK = 10.0


@dataclass(frozen=True)
class MendelianOptions:
    """How instruments are chosen and effects estimated.

    Parameters
    ----------
    p_value : float
        Largest p-value of an instrument for the exposure.
    clump_r2 : float
        Instruments correlated beyond this are one; needs genotypes.
    clump_kilobases : float
        Only variants nearer than this are compared; without genotypes only the strongest of them is kept.
    match : {"position", "variant_id"}
        What says that two rows are one variant.
    palindromic : {"frequency", "set_aside", "as_written"}
        See :class:`radiolocus.genome.alleles.AlleleOptions`.
    margin : float
        See there.
    draws, seed : int
        Of the bootstrap of median and mode.
    """

    p_value: float = 5e-8
    clump_r2: float = 0.001
    clump_kilobases: float = 10_000.0
    match: Literal["position", "variant_id"] = "position"
    palindromic: Literal["frequency", "set_aside", "as_written"] = "frequency"
    margin: float = 0.08
    draws: int = 1000
    seed: int = 1

    def __post_init__(self) -> None:
        where = "mr"
        if not 0 < self.p_value <= 1:
            raise ConfigError(f"p_value = {self.p_value}", where=where, allowed="above 0, up to 1")
        if not 0 <= self.clump_r2 < 1 or self.clump_kilobases <= 0:
            raise ConfigError(
                f"clump_r2 = {self.clump_r2}, clump_kilobases = {self.clump_kilobases}", where=where,
                allowed="0 or more and below 1; above 0",
            )  # fmt: skip
        if self.match not in ("position", "variant_id"):
            known = ("position", "variant_id")
            todo = suggest(self.match, known)
            raise ConfigError(f"match = '{self.match}'", where=where, allowed=", ".join(known), todo=todo)
        if self.draws < 100:
            raise ConfigError(f"draws = {self.draws}", where=where, allowed="100 or more")
        self.alleles()

    def alleles(self) -> AlleleOptions:
        """Rules of the alleles."""
        return AlleleOptions(self.palindromic, self.margin)


@dataclass(frozen=True, eq=False)
class MendelianResult:
    """Tables ``mendelian/estimates``, ``checks``, ``instruments``, ``leave_one_out`` and ``harmonisation``."""

    estimates: pl.DataFrame
    checks: pl.DataFrame
    instruments: pl.DataFrame
    leave_one_out: pl.DataFrame
    harmonisation: pl.DataFrame
    problems: tuple[Problem, ...] = field(default=())


def mendelian(
    exposure: Traits,
    outcome: Traits,
    *,
    options: MendelianOptions | None = None,
    genotypes: GenotypeSource | None = None,
    instruments: Sequence[str] = (),
) -> MendelianResult:
    """Estimate the effect of each exposure on each outcome.

    Parameters
    ----------
    exposure, outcome : Traits
        See :func:`radiolocus.associate.instruments.open_traits`. Their samples should not overlap, and be of one
        ancestry.
    options : MendelianOptions, optional
    genotypes : GenotypeSource, optional
        Where LD between candidates is taken from.
    instruments : sequence of str
        Ids of variants to take instead of choosing them by p-value and LD.

    Returns
    -------
    MendelianResult

    Raises
    ------
    ConfigError
        An outcome of which not every row is there, assemblies that disagree, an exposure whose rows up to the
        p-value were not kept.
    FitError
        No exposure has an instrument in an outcome.
    """
    options = options or MendelianOptions()
    _check(exposure, outcome, options)
    problems: list[Problem] = []
    candidates = _chosen(exposure, options, genotypes, instruments, problems)
    collected: dict[str, list[dict[str, Any]]] = {name: [] for name in _NAMES}
    for trait, rows in outcome_rows(outcome, list(candidates.values()), options.match):
        for name, found in candidates.items():
            pair = {"exposure": name, "outcome": trait}
            both = harmonise(found, rows, options.match, options.alleles())
            collected["harmonisation"] += [
                {"exposure": name, "table": trait, **row} for row in both.counts.iter_rows(named=True)
            ]
            if not both.rows.height:
                got = f"none of {found.height} instruments is in the outcome '{trait}' with alleles that fit"
                problems.append(Problem("mr", got, item=name, where=outcome.name))
                continue
            _estimate(pair, both, options, collected, problems)
    if not collected["estimates"]:
        raise FitError(
            f"no instrument of {len(exposure.names)} exposures with p ≤ {options.p_value:g} is in the outcome",
            where="mr", todo="take a larger --p-value, or other instruments; check that both are of one assembly",
        )  # fmt: skip
    problems += [*exposure.problems, *outcome.problems]
    frames = {name: _frame(rows, f"mendelian/{name}") for name, rows in collected.items()}
    return MendelianResult(**frames, problems=tuple(problems))


def _frame(rows: list[dict[str, Any]], table: str) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=TABLES[table].schema, strict=False)
    return conform(frame.with_columns(pl.col(pl.Float64).fill_nan(None)), table)


def _check(exposure: Traits, outcome: Traits, options: MendelianOptions) -> None:
    declared = {exposure.assembly, outcome.assembly} - {""}
    if len(declared) > 1 and options.match == "position":
        raise ConfigError(
            f"exposure in {exposure.assembly}, outcome in {outcome.assembly}", where="mr", allowed="one assembly",
            todo="match by --match variant_id, or lift one over",
        )  # fmt: skip
    if options.p_value > exposure.p_value and set(exposure.names) - set(exposure.whole):
        raise ConfigError(
            f"only rows of the exposure with p ≤ {exposure.p_value:g} were kept", where=exposure.name,
            todo=f"give --p-value {exposure.p_value:g} or smaller, or scan again",
        )  # fmt: skip


def _chosen(
    exposure: Traits,
    options: MendelianOptions,
    genotypes: GenotypeSource | None,
    names: Sequence[str],
    problems: list[Problem],
) -> dict[str, pl.DataFrame]:
    """Instruments of each exposure."""
    rule = pl.col("neg_log_10_p_value") >= -np.log10(options.p_value)
    if names:
        rule = pl.col("variant_id").is_in(list(names))
    elif genotypes is None:
        got = (
            f"no genotypes: only the strongest variant within {options.clump_kilobases:g} kb is taken, whatever the LD"
        )
        problems.append(Problem("mr", got, "note", todo="give --genotypes of the ancestry of the exposure"))
    out = {}
    for name, found in exposure.rows(rule).items():
        if names:
            rows = listed(found, names, exposure.name)
        else:
            rows = choose(found, genotypes, exposure.root, options.clump_r2, options.clump_kilobases)
        if rows.height:
            out[name] = rows
        else:
            problems.append(Problem("mr", f"no variant with p ≤ {options.p_value:g}", item=name, where=exposure.name))
    return out


def _estimate(
    pair: dict[str, str],
    both: Harmonised,
    options: MendelianOptions,
    collected: dict[str, list[dict[str, Any]]],
    problems: list[Problem],
) -> None:
    rows = both.rows
    data = Instruments(
        *(rows[n].to_numpy() for n in ("beta", "standard_error", "beta_outcome", "standard_error_outcome"))
    )
    label = f"{pair['exposure']} → {pair['outcome']}"
    for method, found in _methods(data, options, label, problems):
        collected["estimates"].append(pair | {"method": method} | _numbers(found))
    strength = f_statistics(data)
    ratio, error = wald_ratios(data)
    log_p = neg_log10_p_normal(ratio / error)
    for i, row in enumerate(rows.iter_rows(named=True)):
        place = ("variant_id", "chromosome", "base_pair_location", "effect_allele", "other_allele", "harmonised")
        collected["instruments"].append(
            pair
            | {name: row[name] for name in place}
            | {
                "beta_exposure": data.bx[i], "standard_error_exposure": data.sx[i], "beta_outcome": data.by[i],
                "standard_error_outcome": data.sy[i], "f": strength[i], "estimate": ratio[i],
                "standard_error": error[i], "neg_log_10_p_value": log_p[i],
            }
        )  # fmt: skip
    for found, name in zip(leave_one_out(data), rows["variant_id"], strict=False):
        collected["leave_one_out"].append(
            pair
            | {
                "left_out": name, "estimate": found.estimate, "standard_error": found.standard_error,
                "neg_log_10_p_value": found.neg_log10_p,
            }
        )  # fmt: skip
    collected["checks"].append(pair | _checks(data, rows))
    weak = int((strength < _WEAK).sum())
    if weak:
        got = f"{weak} of {data.size} instruments have F below 10"
        problems.append(Problem("mr", got, "note", item=label, todo="weak instruments draw the estimate to zero"))


def _numbers(found: CausalEstimate) -> dict[str, Any]:
    return {
        "instruments": found.instruments, "estimate": found.estimate, "standard_error": found.standard_error,
        "lower": found.lower, "upper": found.upper, "statistic": found.statistic,
        "neg_log_10_p_value": found.neg_log10_p, "degrees_of_freedom": None if np.isinf(found.df) else int(found.df),
        "q": found.q, "q_neg_log_10_p_value": found.q_neg_log10_p,
    }  # fmt: skip


def _methods(
    data: Instruments, options: MendelianOptions, label: str, problems: list[Problem]
) -> Iterator[tuple[str, CausalEstimate]]:
    if data.size == 1:
        yield "Wald ratio", inverse_variance(data)
        return
    yield "inverse variance, random effects", inverse_variance(data)
    yield "inverse variance, fixed effect", inverse_variance(data, random=False)
    draws, seed = options.draws, options.seed
    try:
        yield "Egger", egger(data)[0]
        yield "weighted median", weighted_median(data, draws=draws, seed=seed)
        yield "simple median", weighted_median(data, draws=draws, seed=seed, weighted=False)
        yield "weighted mode", weighted_mode(data, draws=draws, seed=seed)
    except FitError as error:
        problems.append(Problem("mr", error.got, "note", item=label, allowed=error.allowed, todo=error.todo))


def _checks(data: Instruments, rows: pl.DataFrame) -> dict[str, Any]:
    strength = f_statistics(data)
    told: dict[str, Any] = {
        "instruments": data.size, "mean_f": strength.mean(), "min_f": strength.min(), "i2_gx": i2_gx(data),
    }  # fmt: skip
    try:
        _, start = egger(data)
        told |= {
            "intercept": start.estimate, "intercept_standard_error": start.standard_error,
            "intercept_neg_log_10_p_value": start.neg_log10_p,
        }  # fmt: skip
    except FitError:
        told |= dict.fromkeys(("intercept", "intercept_standard_error", "intercept_neg_log_10_p_value"))
    sizes = [rows[name].to_numpy() for name in ("n", "n_outcome")]
    names = ("r2_exposure", "r2_outcome", "steiger_neg_log_10_p_value", "direction")
    if any(rows[name].null_count() for name in ("n", "n_outcome")):
        return told | dict.fromkeys(names)
    found = steiger(data, *sizes)
    values = (found.r2_exposure, found.r2_outcome, found.neg_log10_p, found.direction)
    return told | dict(zip(names, values, strict=True))


def write_mendelian(
    exposure: Traits,
    outcome: Traits,
    out: Path | str,
    *,
    options: MendelianOptions | None = None,
    genotypes: GenotypeSource | None = None,
    instruments: Sequence[str] = (),
    fresh: bool = False,
) -> MendelianResult:
    """Estimate as :func:`mendelian` does and write its tables below `out`.

    Raises
    ------
    StoreError
        The folder holds something else, or cannot be written; and what :func:`mendelian` raises.
    """
    started, root, options = time.monotonic(), Path(out), options or MendelianOptions()
    with locked(root):
        inputs = {"exposure": _print_of(exposure), "outcome": _print_of(outcome)}
        identity = digest("mr", inputs)
        open_folder(root, "mr", identity, fresh=fresh)
        found = mendelian(exposure, outcome, options=options, genotypes=genotypes, instruments=instruments)
        shutil.rmtree(root / "mendelian", ignore_errors=True)
        stage = Stage(root, "mendelian", (options, list(instruments)), inputs)
        for name in _NAMES:
            stage.write(f"mendelian/{name}", getattr(found, name))
        write_table(root, "problems", problem_rows(found.problems))
        settings = {"mr": {name: getattr(options, name) for name in options.__dataclass_fields__}}
        write_json(
            root / "study.json",
            {
                "name": f"{exposure.name} → {outcome.name}",
                "identity": identity,
                "sections": ["mr"],
                "settings": settings,
            },
        )
        stage.finish(seed=options.seed, wall_time_s=time.monotonic() - started)
    return found


def _print_of(traits: Traits) -> str:
    if traits.source is not None:
        stat = traits.source.path.stat()
        return digest(traits.source.path.name, stat.st_size, traits.names)
    return digest((Path(str(traits.root)) / "sumstats/manifest.json").read_text(), traits.names)
