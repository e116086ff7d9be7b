"""Mixed models of many phenotypes: options, relationship matrices, their decompositions, variance components.

What is expensive (sums over variants, eigendecompositions) is kept on disk until the scan is done: a run that was
killed takes it up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.associate.design import Design, pattern_basis
from radiolocus.associate.scan import Preparation
from radiolocus.compute import run_units
from radiolocus.errors import ConfigError, FitError
from radiolocus.genome.relationship import relationship_sum, relationship_variants
from radiolocus.model import Array
from radiolocus.schema import conform
from radiolocus.stats.reml import VarianceFit, fit_variances, spectrum_of

__all__ = [
    "LARGEST",
    "MODELS",
    "MixedGroup",
    "MixedOptions",
    "chromosomes_of",
    "decompose",
    "groups_of",
    "keep_array",
    "keep_arrays",
    "mixed_table",
    "refuse_with",
]

Whole = npt.NDArray[np.int64]

MODELS = ("lmm", "lmm-exact", "ridge")
#: Subjects beyond which an n × n matrix is not decomposed.
LARGEST = 40_000


@dataclass(frozen=True)
class MixedOptions:
    """How relatedness and population structure are modelled.

    Parameters
    ----------
    model : {"lmm", "lmm-exact", "ridge"}
        lmm: linear mixed model whose variance ratio is that of the phenotype without any variant (EMMAX, P3D).
        lmm-exact: the ratio is estimated anew for every variant (GEMMA's Wald test). ridge: stacked ridge regression
        on all variants, whose predictions without the chromosome of the variant are taken out of the phenotype
        (REGENIE's step 1), for cohorts of any size.
    relationship : {"centred", "standardised"}
        Relationship matrix of a mixed model: genotypes about their mean (GEMMA), or over √(2p(1 − p)) as well (GCTA).
    loco : bool
        Mixed model: leave the chromosome of the variant out of the relationship matrix; one decomposition each. The
        ridge always does.
    relatedness_min_maf : float
        Rarer variants tell nothing about relatedness; above 0, at most 0.5.
    ridge_block : int
        Variants of one ridge regression of the first level.
    folds : int
        Of the cross-validation of the ridge.
    seed : int
        Of the folds.
    """

    model: Literal["lmm", "lmm-exact", "ridge"] = "lmm"
    relationship: Literal["centred", "standardised"] = "centred"
    loco: bool = False
    relatedness_min_maf: float = 0.01
    ridge_block: int = 1000
    folds: int = 5
    seed: int = 1

    def __post_init__(self) -> None:
        choices = {"model": MODELS, "relationship": ("centred", "standardised")}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ConfigError(
                    f"{name} = '{getattr(self, name)}'", where="gwas", allowed=" or ".join(map(repr, allowed))
                )
        if not 0 < self.relatedness_min_maf <= 0.5:
            raise ConfigError(
                f"relatedness_min_maf = {self.relatedness_min_maf}", where="gwas", allowed="above 0, at most 0.5"
            )
        for name, least in (("ridge_block", 10), ("folds", 2)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} = {getattr(self, name)}", where="gwas", allowed=f"at least {least}")


class MixedGroup(NamedTuple):
    """Phenotypes known for the same subjects, in the space where their relationship matrix is diagonal.

    Parameters
    ----------
    rotation : ndarray, shape (m_subjects, m)
        Of the subjects of the pattern; float32 or float64.
    values : ndarray, shape (m,)
        Eigenvalues.
    phenotypes : ndarray, shape (p, m)
        Of unit length, rotated.
    ratio : ndarray, shape (p,)
        λ without a variant.
    """

    rotation: npt.NDArray[np.floating]
    values: Array
    phenotypes: Array
    ratio: Array


def refuse_with(mixed: MixedOptions, *, binary: bool, multi_trait: bool, missing: str) -> None:
    """Refuse what is not defined together with a mixed model.

    Raises
    ------
    ConfigError
    """
    if binary and mixed.model != "ridge":
        raise ConfigError(
            f"model '{mixed.model}' of binary phenotypes", where="gwas", allowed="model 'ridge'",
            todo="use the ridge, or leave --binary out",
        )  # fmt: skip
    if multi_trait:
        raise ConfigError(
            f"multi-trait tests with model '{mixed.model}': permuted subjects are not related as they were",
            where="gwas",
            allowed="the linear model",
            todo="leave it out",
        )
    if missing == "drop" and mixed.model != "ridge":
        raise ConfigError(
            f"missing = 'drop' with model '{mixed.model}': every variant would need a decomposition of its own",
            where="gwas",
            allowed="missing = 'mean'",
            todo="take the mean, or raise min_call_rate",
        )


def chromosomes_of(preparation: Preparation, mixed: MixedOptions) -> tuple[Whole, list[str], npt.NDArray[np.str_]]:
    """Variants that relate the subjects, the chromosomes of all analysed variants, and that of each of the first.

    Raises
    ------
    FitError
        No such variant, or a chromosome that cannot be left out because they all lie on it.
    """
    table = preparation.quality.variants
    chosen = relationship_variants(table, mixed.relatedness_min_maf)
    if chosen.size == 0:
        raise FitError(
            f"none of the {table.height} variants can tell who is related to whom",
            where="mixed model",
            allowed=f"analysed autosomal variants with a minor allele frequency of {mixed.relatedness_min_maf:g}",
            todo="lower relatedness_min_maf, or use the linear model",
        )
    place = np.asarray(table["chromosome"].to_numpy(), dtype=np.str_)
    analysed = table.filter("kept")["chromosome"].unique(maintain_order=True).to_list()
    related = set(np.unique(place[chosen]).tolist())
    if len(related) == 1 and related & set(analysed) and (mixed.loco or mixed.model == "ridge"):
        raise FitError(
            f"all {chosen.size} variants that tell relatedness lie on chromosome {related.pop()}: "
            "leaving it out leaves none",
            where="mixed model",
            allowed="genotypes of two chromosomes or more",
            todo="give genotypes of the whole genome, or use model 'lmm' without loco",
        )
    return chosen, analysed, place[chosen]


def keep_arrays(path: Path, make: Callable[[], Mapping[str, npt.NDArray[np.generic]]]) -> None:
    """Make arrays and write them to one file, unless an earlier run has; what is half written is never found."""
    _keep(path, lambda file: np.savez(file, allow_pickle=False, **make()))


def keep_array(path: Path, make: Callable[[], npt.NDArray[np.generic]]) -> None:
    """Make one array and write it to a file that can be read in part, unless an earlier run has."""
    _keep(path, lambda file: np.save(file, make(), allow_pickle=False))


def _keep(path: Path, write: Callable[[BinaryIO], None]) -> None:
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.part")
    with unfinished.open("wb") as file:
        write(file)
    unfinished.replace(path)


def decompose(
    preparation: Preparation, mixed: MixedOptions, file: Callable[[str], Path], jobs: int
) -> tuple[tuple[str, ...], pl.DataFrame]:
    """Make and decompose the relationship matrices, and estimate the variance components of every phenotype.

    Parameters
    ----------
    preparation : Preparation
        With judged variants.
    mixed : MixedOptions
    file : callable
        Where an array is kept, by its name.
    jobs : int
        Threads.

    Returns
    -------
    chromosomes : tuple of str
        Those that are left out in turn; ("",) for none.
    table : polars.DataFrame
        Table ``sumstats/mixed``.

    Raises
    ------
    FitError
        See :func:`chromosomes_of`; too many subjects; a matrix that tells no subjects apart.
    """
    design = preparation.design
    if design.n > LARGEST:
        raise FitError(
            f"{design.n:,} subjects for a matrix of all pairs ({8 * design.n**2 / 1e9:.0f} GB)",
            where="mixed model",
            allowed=f"at most {LARGEST:,} subjects",
            todo="use model 'ridge'",
        )
    chosen, analysed, place = chromosomes_of(preparation, mixed)
    parts = sorted(set(place.tolist())) if mixed.loco else [""]
    counts = {part: int((place == part).sum()) if part else int(chosen.size) for part in parts}
    for part in parts:
        of_part = chosen[place == part] if part else chosen
        keep_arrays(file(f"relationship-{part}"), partial(_summed, preparation, mixed, of_part, jobs))
    turns = analysed if mixed.loco else [""]
    work = [(turn, g) for turn in turns for g in range(len(design.patterns))]
    task = partial(_decompose, design, mixed, preparation.options.scan_dtype, file, counts)
    for _, outcome in run_units(task, work, jobs=jobs, threads=True):
        if isinstance(outcome, Exception):
            raise outcome
    fits = [(turn, g, _fits_of(file(f"spectrum-{turn}-{g}"))) for turn, g in work]
    return tuple(turns), mixed_table(design, mixed.model, fits)


def _summed(
    preparation: Preparation, mixed: MixedOptions, chosen: Whole, jobs: int
) -> Mapping[str, npt.NDArray[np.generic]]:
    total = relationship_sum(
        preparation.source, preparation.scanned.rows, chosen, scaling=mixed.relationship,
        dtype=_precision(mixed, preparation.options.scan_dtype), jobs=jobs,
    )  # fmt: skip
    return {"sum": total}


def _precision(mixed: MixedOptions, dtype: Literal["float64", "float32"]) -> Literal["float64", "float32"]:
    return "float64" if mixed.model == "lmm-exact" else dtype


def _decompose(
    design: Design,
    mixed: MixedOptions,
    dtype: Literal["float64", "float32"],
    file: Callable[[str], Path],
    counts: Mapping[str, int],
    turn_and_pattern: tuple[str, int],
) -> None:
    turn, g = turn_and_pattern
    pattern = design.patterns[g]

    def make() -> Mapping[str, npt.NDArray[np.generic]]:
        used = [part for part in counts if part != turn or not turn]
        matrix = np.zeros((pattern.rows.size, pattern.rows.size))
        for part in used:
            with np.load(file(f"relationship-{part}")) as kept:
                total = kept["sum"]
            matrix += total[np.ix_(pattern.rows, pattern.rows)] if pattern.absent.size else total
            del total  # n × n numbers
        matrix /= sum(counts[part] for part in used)
        found = spectrum_of(matrix, pattern_basis(pattern, design.basis))
        inside = slice(design.first[g], design.first[g + 1])
        response = design.response[pattern.rows, inside]
        fits = [fit_variances(found.values, found.scale, row) for row in (found.rotation.T @ response).T]
        rotation = found.rotation.astype(_precision(mixed, dtype))
        found.rotation[:] = rotation  # phenotypes and variants must be rotated alike to the last digit
        return {
            "rotation": rotation,
            "values": found.values,
            "phenotypes": np.ascontiguousarray((found.rotation.T @ response).T),
            "fits": np.array([[getattr(fit, name) for name in _NUMBERS] for fit in fits]),
            "boundary": np.array([fit.boundary for fit in fits]),
        }

    keep_arrays(file(f"spectrum-{turn}-{g}"), make)


_NUMBERS = (
    "ratio", "genetic_variance", "residual_variance", "heritability", "standard_error", "log_likelihood",
)  # fmt: skip


def _fits_of(path: Path) -> list[VarianceFit]:
    with np.load(path) as kept:
        numbers, ends = kept["fits"], kept["boundary"]
    found = []
    for row, end in zip(numbers.tolist(), ends.tolist(), strict=True):
        told: dict[str, Any] = dict(zip(_NUMBERS, row, strict=True)) | {"boundary": end}
        found.append(VarianceFit(**told))
    return found


def groups_of(file: Callable[[str], Path], turn: str, patterns: int) -> tuple[MixedGroup, ...]:
    """What :func:`decompose` kept for one chromosome that is left out ("" for none)."""
    found = []
    for g in range(patterns):
        with np.load(file(f"spectrum-{turn}-{g}")) as kept:
            found.append(MixedGroup(kept["rotation"], kept["values"], kept["phenotypes"], kept["fits"][:, 0]))
    return tuple(found)


def mixed_table(design: Design, model: str, fits: Sequence[tuple[str, int, Sequence[VarianceFit]]]) -> pl.DataFrame:
    """Variance components in the units of the phenotypes: table ``sumstats/mixed``.

    Parameters
    ----------
    design : Design
    model : str
    fits : sequence of (chromosome left out, pattern, fits of its phenotypes of unit length)
    """
    rows = []
    for order, (turn, g, of_pattern) in enumerate(fits):
        pattern = design.patterns[g]
        for place, fit in enumerate(of_pattern):
            column = int(design.first[g]) + place
            length, m = float(design.length[column]), pattern.df + 1
            rows.append(
                {
                    "order": (order - g, int(design.columns[column])),
                    "phenotype": design.phenotypes[design.columns[column]],
                    "model": model,
                    "left_out": turn or None,
                    "n": int(pattern.rows.size),
                    "heritability": fit.heritability,
                    "heritability_standard_error": fit.standard_error,
                    "variance_ratio": fit.ratio,
                    "genetic_variance": fit.genetic_variance * length**2,
                    "residual_variance": fit.residual_variance * length**2,
                    "log_likelihood": fit.log_likelihood - m * float(np.log(length)),
                    "boundary": fit.boundary or None,
                    "predicted": None,
                }
            )
    rows.sort(key=lambda row: row.pop("order"))
    return conform(pl.DataFrame(rows, strict=False).with_columns(pl.col(pl.Float64).fill_nan(None)), "sumstats/mixed")
