"""Which variants are analysed: call rate, allele frequency, chromosome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.cohort.repeatable import IccDemand
from radiolocus.errors import ConfigError
from radiolocus.genome.haploid import ANALYSED, NOBODY, count_looked_at, stretches
from radiolocus.model import Array
from radiolocus.read.genotypes import GenotypeSource
from radiolocus.schema import conform

__all__ = ["GenotypeOptions", "Quality", "assess", "judge"]

# 1 − 0.9 is a little less than 0.1: a frequency on the threshold is kept whichever allele is counted.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class GenotypeOptions(IccDemand):
    """Section ``[genetics]`` of the study file.

    Parameters
    ----------
    genotypes : str
        Genotypes: a .bed, .pgen, .bgen, .vcf, .vcf.gz or .bcf, or the prefix of a bed or pgen set; ``@`` in its name
        stands for the chromosome, where there is a file for each.
    plink : str
        The same by its older key: prefix of a PLINK 1 data set (bed, bim, fam).
    sample_id : {"iid", "fid_iid"}
        What names a sample in the fam, psam or .sample file: the individual id, or family and individual id joined
        by ``_``.
    dosage : {"auto", "GT", "DS", "GP"}
        Field of a VCF or BCF from which dosages are taken; auto: DS, GP or GT, the first that the header defines.
    min_maf : float
        Variants whose minor allele is rarer among the analysed subjects are not analysed; 0 to 0.5.
    min_call_rate : float
        Variants with a genotype for a smaller fraction of the analysed subjects are not analysed; 0 to 1.
    principal_components : int
        Number of genetic principal components added to the covariates.
    covariates : tuple of str
        Columns of the subjects table that are projected out.
    phenotypes : tuple of str
        Imaging phenotypes to analyse; empty: all.
    missing : {"mean", "drop"}
        A missing genotype becomes the mean of the variant, or the subject is left out for this variant (exact).
    block_size : int
        Variants read and written at a time.
    scan_dtype : {"float64", "float32"}
        Precision of the matrix product; sums of squares are always float64.
    """

    genotypes: str = ""
    plink: str = ""
    sample_id: Literal["iid", "fid_iid"] = "iid"
    dosage: Literal["auto", "GT", "DS", "GP"] = "auto"
    min_maf: float = 0.01
    min_call_rate: float = 0.95
    principal_components: int = 0
    covariates: tuple[str, ...] = ()
    phenotypes: tuple[str, ...] = ()
    missing: Literal["mean", "drop"] = "mean"
    block_size: int = 2048
    scan_dtype: Literal["float64", "float32"] = "float64"

    def __post_init__(self) -> None:
        self.check_icc("genetics")
        if self.genotypes and self.plink:
            raise ConfigError(
                "both genotypes and plink", where="genetics", allowed="one of them", todo="take plink out"
            )
        for name, top in (("min_maf", 0.5), ("min_call_rate", 1.0)):
            value = getattr(self, name)
            if not 0 <= value <= top:
                raise ConfigError(f"{name} = {value}", where="genetics", allowed=f"0 to {top}")
        if self.principal_components < 0:
            raise ConfigError(
                f"principal_components = {self.principal_components}", where="genetics", allowed="0 or more"
            )
        if self.block_size < 1:
            raise ConfigError(f"block_size = {self.block_size}", where="genetics", allowed="1 or more")
        choices = {
            "sample_id": ("iid", "fid_iid"),
            "dosage": ("auto", "GT", "DS", "GP"),
            "missing": ("mean", "drop"),
            "scan_dtype": ("float64", "float32"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ConfigError(
                    f"{name} = '{getattr(self, name)}'", where="genetics", allowed=" or ".join(map(repr, allowed))
                )
        for name in ("covariates", "phenotypes"):
            listed = getattr(self, name)
            twice = sorted({item for item in listed if listed.count(item) > 1})
            if twice:
                raise ConfigError(f"{name} lists {', '.join(twice)} more than once", where="genetics")


@dataclass(frozen=True, eq=False)
class Quality:
    """What :func:`assess` found.

    Parameters
    ----------
    variants : polars.DataFrame
        Table ``genome/variants``, in file order.
    sample_call_rate : ndarray, shape (n,)
        Fraction of all variants of the file with a genotype, for each chosen sample.
    """

    variants: pl.DataFrame
    sample_call_rate: Array

    @property
    def kept(self) -> npt.NDArray[np.int64]:
        """Index in the file of each analysed variant."""
        return np.flatnonzero(self.variants["kept"].to_numpy()).astype(np.int64)


def assess(source: GenotypeSource, rows: npt.NDArray[np.int64], options: GenotypeOptions) -> Quality:
    """Count genotypes of the chosen samples and judge every variant.

    Parameters
    ----------
    source : GenotypeSource
    rows : ndarray of int, shape (n,)
        Samples that are analysed; rates and frequencies are among them.
    options : GenotypeOptions

    Returns
    -------
    Quality

    Notes
    -----
    On X the subjects of known sex are looked at, on Y men, on MT all; a heterozygous call of one copy is no genotype.
    The call rate of a sample leaves Y out.
    """
    m, n = source.variants.height, rows.size
    sex = source.sex[rows]
    counted = np.zeros(m, dtype=np.int64)
    observed, alleles = np.zeros(m, dtype=np.int64), np.zeros(m)
    absent = np.zeros(n, dtype=np.int64)
    for kind, first, last in stretches(source.variants["chromosome"], options.block_size):
        dosage = source.read(rows, first, last).dosage
        here = slice(first, last)
        counted[here] = count_looked_at(dosage, kind, sex, observed[here], alleles[here], absent).n
    looked = m - int((source.variants["chromosome"] == "Y").sum())
    return Quality(judge(source.variants, observed, alleles, counted, options), 1.0 - absent / max(looked, 1))


def judge(
    variants: pl.DataFrame,
    observed: npt.NDArray[np.int64],
    alleles: Array,
    n: int | npt.NDArray[np.int64],
    options: GenotypeOptions,
) -> pl.DataFrame:
    """Say of each variant whether it is analysed, and why not.

    Parameters
    ----------
    variants : polars.DataFrame
        Rows of :attr:`radiolocus.read.genotypes.GenotypeSource.variants`.
    observed, alleles : ndarray, shape (variants,)
        Genotypes that are not missing, and their effect alleles; see
        :func:`radiolocus.kernels.genotype.count_alleles`.
    n : int or ndarray of int64, shape (variants,)
        Samples that are looked at.
    options : GenotypeOptions

    Returns
    -------
    polars.DataFrame
        Table ``genome/variants``.
    """
    frame = variants.with_columns(
        pl.Series("effect_allele_frequency", alleles / np.maximum(2 * observed, 1)),
        pl.Series("call_rate", observed / np.maximum(n, 1)),
        pl.Series("looked_at", np.broadcast_to(n, observed.shape)),
    ).with_columns(
        pl.when(pl.col("call_rate") > 0).then("effect_allele_frequency").alias("effect_allele_frequency"),
        pl.when(pl.col("looked_at") > 0).then("call_rate").alias("call_rate"),
    )
    frame = frame.with_columns(_reason(options)).with_columns(pl.col("reason").is_null().alias("kept"))
    return conform(frame.drop("looked_at"), "genome/variants")


def _reason(options: GenotypeOptions) -> pl.Expr:
    """Say why a variant is not analysed, the gravest reason first; null when it is."""
    frequency, rate = pl.col("effect_allele_frequency"), pl.col("call_rate")
    minor = pl.min_horizontal(frequency, 1 - frequency)
    place = pl.col("chromosome")
    return (
        pl.when(~place.is_in(ANALYSED))
        .then(pl.concat_str(pl.lit("chromosome "), place, pl.lit(" is none of 1 to 22, X, Y, XY and MT")))
        .when(pl.col("base_pair_location") < 0)
        .then(pl.lit("negative position: the variant is marked as excluded"))
        .when(pl.col("looked_at") == 0)
        .then(place.replace_strict(NOBODY, default="no analysed subject"))
        .when(rate == 0)
        .then(pl.lit("no analysed subject has a genotype"))
        .when(rate < options.min_call_rate - _ROUNDING)
        .then(pl.format(f"call rate {{}} below {options.min_call_rate:g}", rate.round_sig_figs(4)))
        .when(minor == 0)
        .then(pl.lit("every analysed subject has the same genotype"))
        .when(minor < options.min_maf - _ROUNDING)
        .then(pl.format(f"minor allele frequency {{}} below {options.min_maf:g}", minor.round_sig_figs(4)))
        .alias("reason")
    )
