"""All variants of a locus against all phenotypes at once, by canonical correlation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.associate.scan import Preparation, prepare
from radiolocus.compute import one_thread
from radiolocus.errors import ConfigError, FitError, RadiolocusError, TableError
from radiolocus.genome.ld import read_chosen
from radiolocus.genome.qc import GenotypeOptions
from radiolocus.model import Array, Problem
from radiolocus.read.genotypes import AUTOSOMES, GenotypeSource
from radiolocus.schema import TABLES, conform
from radiolocus.stats.canonical import canonical_test, permuted_p, principal_axes
from radiolocus.stats.multiplicity import benjamini_hochberg, bonferroni
from radiolocus.stats.ols import covariate_basis, residualise

__all__ = ["CcaOptions", "LocusCca", "locus_cca"]

_STAGE = "associate"
_KEYS = ("locus", "chromosome", "start", "stop")


@dataclass(frozen=True)
class CcaOptions:
    """How a locus is tested against all phenotypes.

    Parameters
    ----------
    variant_share : float
        Share of the variance of the variants that the principal components which stand for them hold; above 0, at
        most 1.
    phenotype_share : float
        The same of the phenotypes.
    permutations : int
        Of the subjects, for a p-value that does not lean on normal errors; 0: none.
    seed : int
        Of the permutations.
    """

    variant_share: float = 0.999
    phenotype_share: float = 1.0
    permutations: int = 0
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("variant_share", "phenotype_share"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(f"{name} = {getattr(self, name)}", where="cca", allowed="above 0, at most 1")
        if self.permutations < 0:
            raise ConfigError(f"permutations = {self.permutations}", where="cca", allowed="0 or more")


@dataclass(frozen=True, eq=False)
class LocusCca:
    """Table ``sumstats/locus_cca``, how many subjects have everything, and what could not be tested."""

    table: pl.DataFrame
    subjects: int
    problems: tuple[Problem, ...]


@dataclass(frozen=True, eq=False)
class _Phenotypes:
    """The subjects with every phenotype: their rows in the file, covariates, and axes of the phenotypes."""

    rows: npt.NDArray[np.int64]
    basis: Array
    axes: Array
    scaled: Array
    names: tuple[str, ...]


def locus_cca(
    source: GenotypeSource,
    phenotypes: pl.DataFrame,
    covariates: pl.DataFrame | None,
    loci: pl.DataFrame,
    *,
    options: GenotypeOptions | None = None,
    cca: CcaOptions | None = None,
) -> LocusCca:
    """Test all variants of each locus jointly against all phenotypes.

    Covariates are projected out of both. Principal components stand for the variants, so that linkage disequilibrium
    costs no degrees of freedom, as in gene tests of MAGMA (de Leeuw et al. 2015, doi:10.1371/journal.pcbi.1004219);
    a multivariate test of this kind is that of Ferreira & Purcell 2009, doi:10.1093/bioinformatics/btn563.

    Parameters
    ----------
    source, phenotypes, covariates, options
        See :func:`radiolocus.associate.scan.prepare`. Subjects that lack a phenotype are left out; a missing genotype
        is the mean of its variant.
    loci : polars.DataFrame
        Columns locus (its name), chromosome, start and stop (bp, both included); autosomes.
    cca : CcaOptions, optional

    Returns
    -------
    LocusCca
        Loci in the order given; Bonferroni and false discovery rate over the loci that could be tested.

    Raises
    ------
    ConfigError, TableError, FitError
        See there; no subject with every phenotype, columns that `loci` lacks, or no locus that can be tested.
    """
    options, cca = options or GenotypeOptions(), cca or CcaOptions()
    if missing := [name for name in _KEYS if name not in loci.columns]:
        raise TableError(f"no column {', '.join(missing)}", where="loci", allowed=", ".join(_KEYS))
    rows, problems = [], []
    with one_thread():
        prepared = prepare(source, phenotypes, covariates, options)
        known = _complete(prepared, cca)
        for i, locus in enumerate(loci.select(_KEYS).iter_rows(named=True)):
            try:
                rows.append(_tested(prepared, known, locus, cca, i))
            except RadiolocusError as error:
                problems.append(
                    Problem(_STAGE, error.got, item=str(locus["locus"]), allowed=error.allowed, todo=error.todo)
                )
    if not rows:
        told = "; ".join(f"{p.item}: {p.got}" for p in problems[:3])
        raise FitError(f"none of {loci.height} loci can be tested ({told})", where="cca")
    frame = pl.DataFrame(rows, schema_overrides={"permutation_p_value": pl.Float64})
    log_p = frame["neg_log_10_p_value"].to_numpy()
    frame = frame.with_columns(
        pl.Series("bonferroni_p_value", bonferroni(log_p)), pl.Series("q_value", benjamini_hochberg(log_p))
    )
    return LocusCca(
        conform(frame.select(list(TABLES["sumstats/locus_cca"].schema)), "sumstats/locus_cca"),
        known.rows.size,
        prepared.problems + tuple(problems),
    )


def _complete(prepared: Preparation, cca: CcaOptions) -> _Phenotypes:
    scanned, chosen = prepared.scanned, np.sort(prepared.design.columns)
    values = scanned.phenotypes[:, chosen]
    there = ~np.isnan(values).any(axis=1)
    if not there.any():
        raise FitError(
            f"none of {values.shape[0]} subjects has all {chosen.size} phenotypes",
            where="cca",
            todo="choose phenotypes with --phenotype",
        )
    matrix = scanned.covariates
    if prepared.components is not None:
        matrix = np.column_stack([matrix, prepared.components.scores])
    basis = covariate_basis(matrix[there], int(there.sum()), prepared.covariate_names)
    residuals = residualise(basis, values[there] - values[there].mean(axis=0))
    axes, scaled = principal_axes(residuals, cca.phenotype_share)
    return _Phenotypes(scanned.rows[there], basis, axes, scaled, tuple(scanned.phenotype_names[c] for c in chosen))


def _dosages(prepared: Preparation, known: _Phenotypes, locus: dict[str, Any]) -> tuple[Array, list[str]]:
    """Genotypes of the analysed variants of a locus, shape (n, m), missing ones at their mean; and their ids."""
    if locus["chromosome"] not in AUTOSOMES:
        raise ConfigError(f"chromosome {locus['chromosome']}", allowed="autosomes")
    here = (pl.col("chromosome") == locus["chromosome"]) & pl.col("base_pair_location").is_between(
        locus["start"], locus["stop"]
    )
    judged = prepared.quality.variants.with_row_index("row").filter(here)
    kept = judged.filter("kept")
    if not kept.height:
        raise FitError(f"none of its {judged.height} variants is analysed", allowed="a variant that passes the filters")
    dosage = read_chosen(prepared.source, known.rows, kept["row"].to_numpy().astype(np.int64)).astype(np.float64).T
    absent = np.isnan(dosage)
    dosage[absent] = 0.0
    mean = dosage.sum(axis=0) / np.maximum((~absent).sum(axis=0), 1)
    centred = np.where(absent, 0.0, dosage - mean)
    return centred, kept["variant_id"].to_list()


def _tested(
    prepared: Preparation, known: _Phenotypes, locus: dict[str, Any], cca: CcaOptions, number: int
) -> dict[str, Any]:
    centred, names = _dosages(prepared, known, locus)
    axes, scaled = principal_axes(residualise(known.basis, centred), cca.variant_share)
    if axes.shape[1] == 0:
        raise FitError("its variants do not vary beyond the covariates", allowed="a variant that varies")
    lost = known.basis.shape[1]
    found = canonical_test(axes, known.axes, lost)
    p_value = None
    if cca.permutations:
        rng = np.random.default_rng([cca.seed, number])
        p_value = permuted_p(axes, known.axes, known.basis, found.wilks, cca.permutations, rng)
    return {
        **locus,
        "variants": len(names),
        "components": axes.shape[1],
        "phenotypes": len(known.names),
        "n": known.rows.size,
        "canonical_correlation": float(found.correlations[0]),
        "wilks_lambda": found.wilks,
        "statistic": found.statistic,
        "df1": found.df1,
        "df2": found.df2,
        "neg_log_10_p_value": found.neg_log10_p,
        "permutation_p_value": p_value,
        "top_variant": names[int(np.abs(scaled.T @ found.first_x).argmax())],
        "top_phenotype": known.names[int(np.abs(known.scaled.T @ found.first_y).argmax())],
    }
