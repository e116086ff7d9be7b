"""Quality of genotypes, variant by variant and sample by sample; every number as PLINK 2 defines it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.genome.counts import count_samples, count_variants
from radiolocus.genome.haploid import FEMALE, MALE
from radiolocus.kernels.quality import hardy_weinberg
from radiolocus.model import Array
from radiolocus.read.genotypes import AUTOSOMES, VARIANT, GenotypeSource

__all__ = ["FEMALE_F", "MALE_F", "sample_quality", "variant_quality"]

Whole = npt.NDArray[np.int64]
Sexes = npt.NDArray[np.int8]

# Limits of --check-sex of PLINK 1.9: X homozygosity of women is near 0, of men 1.
FEMALE_F, MALE_F = 0.2, 0.8


def variant_quality(source: GenotypeSource, rows: Whole, sex: Sexes, *, midp: bool = True) -> pl.DataFrame:
    """Count genotypes of some samples and derive what says whether a variant can be trusted.

    Parameters
    ----------
    source : GenotypeSource
    rows : ndarray of int, shape (n,)
        Samples.
    sex : ndarray of int8, shape (n,)
        Of these samples: 1 male, 2 female, 0 unknown (counted with two copies of X).
    midp : bool
        Mid-p instead of p of the Hardy–Weinberg test.

    Returns
    -------
    polars.DataFrame
        Table ``genome/variant_qc`` without its last columns kept and reason, in file order.

    Notes
    -----
    On X a man's genotype counts one copy, and Hardy–Weinberg proportions are tested among the women; on Y men alone
    are looked at; on MT everybody has one copy, and neither proportions nor imputation quality are defined off the
    autosomes (XY, the pseudo-autosomal part, is one of them). A heterozygous call of a sample with one copy is
    counted in ``haploid_heterozygous``, and half a copy in the frequency, as PLINK 2 has it. Hard calls (counts,
    Hardy–Weinberg) are dosages within 0.1 of 0, 1 or 2. ``info`` is MaCH's r²: the variance of the dosage
    over 2pq (Li et al. 2010, doi:10.1002/gepi.20533).
    """
    found = count_variants(source, rows, sex)
    men = int((sex == MALE).sum())
    return _variant_table(source, rows.size, men, found.counts, found.sums, found.miscalled, midp)


def _variant_table(
    source: GenotypeSource, n: int, men: int, counts: Whole, sums: Array, miscalled: Whole, midp: bool
) -> pl.DataFrame:
    place = source.variants["chromosome"]
    on_x, on_y = ((place == name).to_numpy() for name in ("X", "Y"))
    diploid = place.is_in([*AUTOSOMES, "XY"]).to_numpy()
    observed = counts[:, :, 3].astype(np.float64)
    alleles = 2 * observed
    alleles[on_x, MALE] /= 2
    effect = sums[:, :, 0].copy()
    effect[on_x, MALE] /= 2
    for table in (alleles, effect, observed):
        table[on_y, 0] = table[on_y, FEMALE] = 0
    people = np.where(on_y, men, n)
    with np.errstate(divide="ignore", invalid="ignore"):
        frequency = effect.sum(axis=1) / alleles.sum(axis=1)
        rate = observed.sum(axis=1) / people
    genotypes = counts[:, :, :3].sum(axis=1)
    genotypes[on_x] = counts[on_x, FEMALE, :3]
    genotypes[on_y] = counts[on_y, MALE, :3]
    tested = diploid | on_x
    hardy = np.full(len(counts), np.nan)
    log_p = np.empty(int(tested.sum()))
    hardy_weinberg(np.ascontiguousarray(genotypes[tested]), midp, log_p)
    hardy[tested] = np.where(genotypes[tested].sum(axis=1) > 0, log_p, np.nan)
    columns = {
        "call_rate": rate,
        "effect_allele_frequency": frequency,
        "minor_allele_frequency": np.minimum(frequency, 1 - frequency),
        "hwe_neg_log_10_p": hardy,
        "info": np.where(diploid, _mach_r2(sums.sum(axis=1), counts[:, :, 3].sum(axis=1)), np.nan),
    }
    frame = source.variants.select(VARIANT).with_columns(
        pl.Series("homozygous_effect", genotypes[:, 2]),
        pl.Series("heterozygous", genotypes[:, 1]),
        pl.Series("homozygous_other", genotypes[:, 0]),
        pl.Series("haploid_heterozygous", miscalled),
        pl.Series("fractional_dosages", counts[:, :, 4].sum(axis=1)),
        *(pl.Series(name, values).fill_nan(None) for name, values in columns.items()),
    )
    stated = source.variants["stated_info"] if "stated_info" in source.variants.columns else None
    return frame.with_columns(
        pl.lit(None, dtype=pl.Float64).alias("stated_info") if stated is None else stated.alias("stated_info")
    )


def _mach_r2(sums: Array, observed: Whole) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums[:, 0] / observed
        variance = sums[:, 1] / observed - mean**2
        value: Array = 2 * variance / (mean * (2 - mean))
    return value


def sample_quality(source: GenotypeSource, rows: Whole, sex: Sexes, chosen: Whole, frequency: Array) -> pl.DataFrame:
    """Count missing and homozygous genotypes of each sample.

    Parameters
    ----------
    source : GenotypeSource
    rows : ndarray of int, shape (n,)
    sex : ndarray of int8, shape (n,)
        Recorded sex of these samples: 1 male, 2 female, 0 unknown.
    chosen : ndarray of int64
        Index in the file, ascending, of the variants that are looked at.
    frequency : ndarray, shape (variants of the file,)
        Frequency of the effect allele, from which homozygosity is expected.

    Returns
    -------
    polars.DataFrame
        Table ``genome/sample_qc`` without its last columns, in the order of `rows`. ``f`` is the method-of-moments
        inbreeding coefficient over autosomes and XY, (O − E)/(N − E) with E the sum of 1 − 2pq over the sample's calls;
        ``f_x`` the same over X, which is near 0 in women and 1 in men; ``sex_inferred`` is female below 0.2 and male
        above 0.8, the limits of PLINK.
    """
    place, ids = source.variants["chromosome"].to_numpy(), source.sample_ids
    chance = 1 - 2 * frequency * (1 - frequency)
    chance[chance >= 1] = np.nan  # where nobody can be heterozygous nothing is learnt
    # autosomes and XY, X, Y, the others
    classes = np.full(place.size, -1, dtype=np.int64)
    classes[chosen] = 3
    for kind, names in enumerate(([*AUTOSOMES, "XY"], ["X"], ["Y"])):
        classes[chosen[np.isin(place[chosen], names)]] = kind
    found = count_samples(source, rows, classes, 4, chance)
    size = np.bincount(classes[chosen], minlength=4)
    men = sex == MALE
    missing = found.missing[[0, 1, 3]].sum(axis=0) + np.where(men, found.missing[2], 0)
    looked = size[[0, 1, 3]].sum() + np.where(men, size[2], 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = 1 - missing / looked
        f, f_x = ((found.homozygous[k] - found.hoped[k]) / (found.called[k] - found.hoped[k]) for k in (0, 1))
    inferred = np.where(f_x < FEMALE_F, FEMALE, np.where(f_x > MALE_F, MALE, 0))
    words = {MALE: "male", FEMALE: "female", 0: ""}
    return pl.DataFrame(
        {
            "sample": [ids[i] for i in rows],
            "call_rate": rate,
            "homozygous": found.homozygous[0],
            "expected_homozygous": found.hoped[0],
            "called": found.called[0],
            "f": f,
            "f_x": f_x,
            "sex": [words[int(s)] for s in sex],
            "sex_inferred": [words[int(s)] for s in np.where(np.isnan(f_x), 0, inferred)],
        }
    ).with_columns(pl.col("call_rate", "f", "f_x").fill_nan(None))
