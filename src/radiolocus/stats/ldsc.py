"""LD score regression: confounding told from polygenicity, and heritability, from test statistics alone.

E[χ²ⱼ] = intercept + N h² ℓⱼ / M (Bulik-Sullivan et al. 2015, doi:10.1038/ng.3211): the intercept measures what does not
grow with the LD score ℓ, the slope what does. Weights, two steps and jackknife are those of the program LDSC.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from radiolocus.errors import ConfigError, FitError
from radiolocus.model import Array
from radiolocus.stats.multiplicity import lambda_gc
from radiolocus.stats.tail import neg_log10_p_chi2

__all__ = ["GeneticCorrelation", "LdRegression", "genetic_correlation", "ld_score_regression", "liability_factor"]

_WHERE = "LD score regression"


@dataclass(frozen=True)
class LdRegression:
    """What a regression of χ² on LD scores found.

    Parameters
    ----------
    heritability, heritability_se : float
        h² on the observed scale of the variants with an LD score.
    intercept, intercept_se : float
        1 without confounding; its error is 0 where it was given.
    ratio, ratio_se : float
        (intercept − 1)/(mean χ² − 1): the part of the inflation that is not polygenic; NaN where mean χ² ≤ 1.
    mean_chi2, lambda_gc : float
        Of the variants used.
    variants : int
        Variants used.
    left_out : int
        Variants left out for their large χ².
    blocks : int
        Of the jackknife.
    """

    heritability: float
    heritability_se: float
    intercept: float
    intercept_se: float
    ratio: float
    ratio_se: float
    mean_chi2: float
    lambda_gc: float
    variants: int
    left_out: int
    blocks: int


@dataclass(frozen=True)
class GeneticCorrelation:
    """Correlation of genetic effects.

    Parameters
    ----------
    correlation, correlation_se : float
        May leave −1 to 1: it is a ratio of estimates.
    covariance, covariance_se : float
        Genetic covariance.
    intercept, intercept_se : float
        Of the product of z: 0 without shared subjects.
    heritability1, heritability2 : float
    variants, blocks : int
    """

    correlation: float
    correlation_se: float
    covariance: float
    covariance_se: float
    intercept: float
    intercept_se: float
    heritability1: float
    heritability2: float
    variants: int
    blocks: int


@dataclass(frozen=True, eq=False)
class _Fit:
    """Weighted least squares: estimate (k,), those without each block (blocks, k), and where the blocks begin."""

    estimate: Array
    without: Array
    edges: npt.NDArray[np.int64]


# Weights of the variants inside, from scores, what is estimated for all variants together, and the intercept.
_Weigh = Callable[[Array, npt.NDArray[np.bool_], float, float], Array]


def ld_score_regression(
    chi2: npt.ArrayLike,
    ld: npt.ArrayLike,
    n: npt.ArrayLike,
    total: float,
    *,
    weight_ld: npt.ArrayLike | None = None,
    intercept: float | None = None,
    blocks: int = 200,
    two_step: float = 30.0,
    max_chi2: float | None = None,
) -> LdRegression:
    """Regress χ² on LD scores.

    Parameters
    ----------
    chi2, ld : array_like, shape (m,)
        In the order of the genome: the jackknife leaves out blocks of neighbours.
    n : array_like, shape (m,) or ()
        Subjects of each test.
    total : float
        M: variants the LD scores were summed over (M_5_50 in LDSC).
    weight_ld : array_like, shape (m,), optional
        LD scores over the variants of the regression, which say how much each repeats of the others; default: `ld`.
    intercept : float, optional
        Hold it at this value; default: estimated.
    blocks : int
        Of the jackknife.
    two_step : float
        The intercept is estimated from variants with χ² below this, the slope from all.
    max_chi2 : float, optional
        Larger ones are left out; default: the larger of 80 and 0.001 n.

    Raises
    ------
    ConfigError
        Options that cannot be followed.
    FitError
        Too few variants, or LD scores that do not vary.
    """
    y, x, size = (np.asarray(values, dtype=np.float64) for values in (chi2, ld, n))
    size = np.broadcast_to(size, y.shape)
    weight = x if weight_ld is None else np.asarray(weight_ld, dtype=np.float64)
    if blocks < 2 or total <= 0 or two_step <= 0:
        raise ConfigError(
            f"blocks = {blocks}, two_step = {two_step:g}, M = {total:g}", where=_WHERE,
            allowed="2 blocks or more; the others above 0",
        )  # fmt: skip
    known = np.isfinite(y) & np.isfinite(x) & np.isfinite(weight) & np.isfinite(size)
    largest = max(0.001 * float(size[known].max(initial=0.0)), 80.0) if max_chi2 is None else max_chi2
    use = known & (y < largest)
    left_out = int(known.sum() - use.sum())
    y, x, size, weight = y[use], x[use], size[use], weight[use]
    blocks = min(blocks, y.size)
    if y.size < 20 or np.ptp(x) == 0:
        raise FitError(
            f"{y.size} variants with a test and an LD score{'' if y.size < 20 else ', all of the same score'}",
            where=_WHERE, allowed="20 or more whose scores differ; 200,000 or more for numbers of use",
            todo="compare the ids of the results with those of the LD scores",
        )  # fmt: skip
    small = y < two_step
    if intercept is None and small.sum() < max(20, blocks):
        raise FitError(
            f"{int(small.sum())} variants with χ² below {two_step:g}",
            where=_WHERE,
            allowed=f"{max(20, blocks)} or more",
        )
    fit = _heritability(y, x, size, weight, total, intercept, blocks, small)
    slope, level = fit.estimate
    error = np.sqrt(np.diag(_covariance(fit.estimate, fit.without)))
    scale = total / float(size.mean())
    mean = float(y.mean())
    over = mean - 1 if mean > 1 else np.nan
    return LdRegression(
        heritability=float(scale * slope),
        heritability_se=float(scale * error[0]),
        intercept=float(level),
        intercept_se=float(error[1]),
        ratio=float((level - 1) / over),
        ratio_se=float(error[1] / over),
        mean_chi2=mean,
        lambda_gc=lambda_gc(neg_log10_p_chi2(y, 1)),
        variants=int(y.size),
        left_out=left_out,
        blocks=blocks,
    )


def genetic_correlation(
    z1: npt.ArrayLike,
    z2: npt.ArrayLike,
    ld: npt.ArrayLike,
    n1: npt.ArrayLike,
    n2: npt.ArrayLike,
    total: float,
    *,
    weight_ld: npt.ArrayLike | None = None,
    blocks: int = 200,
) -> GeneticCorrelation:
    """Correlation of the effects of all variants on two phenotypes, whether or not they share subjects.

    Parameters
    ----------
    z1, z2 : array_like, shape (m,)
        Of the same allele, in the order of the genome.
    ld : array_like, shape (m,)
        LD scores.
    n1, n2 : array_like, shape (m,) or ()
        Subjects.
    total, weight_ld, blocks
        See :func:`ld_score_regression`.

    Raises
    ------
    FitError
        Too few variants, or a heritability that is not above 0.

    Notes
    -----
    As ``ldsc --rg`` (Bulik-Sullivan et al. 2015, doi:10.1038/ng.3406): the intercepts are free, estimated in one step;
    that of the product measures shared subjects.
    """
    first, second, x = (np.asarray(values, dtype=np.float64) for values in (z1, z2, ld))
    sizes = [np.broadcast_to(np.asarray(n, dtype=np.float64), x.shape) for n in (n1, n2)]
    weight = x if weight_ld is None else np.asarray(weight_ld, dtype=np.float64)
    use = np.isfinite(first) & np.isfinite(second) & np.isfinite(x) & np.isfinite(weight)
    first, second, x, weight, a, b = (values[use] for values in (first, second, x, weight, *sizes))
    blocks = min(blocks, x.size)
    if x.size < 20 or np.ptp(x) == 0:
        raise FitError(
            f"{x.size} variants with both tests and an LD score", where=_WHERE, allowed="20 or more that differ"
        )
    fits = [_heritability(z * z, x, n, weight, total, None, blocks, None) for z, n in ((first, a), (second, b))]
    scale = [total / float(n.mean()) for n in (a, b)]
    h1, h2 = (float(s * fit.estimate[0]) for s, fit in zip(scale, fits, strict=True))
    if h1 <= 0 or h2 <= 0:
        raise FitError(
            f"heritabilities {h1:.4f} and {h2:.4f}", where=_WHERE, allowed="both above 0",
            todo="phenotypes without measurable heritability have no genetic correlation",
        )  # fmt: skip
    both = np.sqrt(a * b)
    parts = [np.maximum(weight, 1.0), a * min(h1, 1.0) / total, b * min(h2, 1.0) / total]

    def weigh(scores: Array, inside: npt.NDArray[np.bool_], covariance: float, level: float) -> Array:
        score = np.maximum(scores, 1.0)
        one = parts[1][inside] * score + float(fits[0].estimate[1])
        two = parts[2][inside] * score + float(fits[1].estimate[1])
        shared = both[inside] * min(max(covariance, -1.0), 1.0) * score / total + level
        return np.asarray(1.0 / ((one * two + shared**2) * parts[0][inside]))

    cross = _regress(first * second, x, both, total, weigh, null=0.0, intercept=None, blocks=blocks, small=None)
    shared = total / float(both.mean())
    ratio = shared * float(cross.estimate[0]) / np.sqrt(h1 * h2)
    products = [s * fit.without[:, 0] for s, fit in zip(scale, fits, strict=True)]
    under = products[0] * products[1]
    if (under <= 0).any():
        raise FitError("a heritability at or below 0 without one of the blocks", where=_WHERE, allowed="both above 0")
    without = (shared * cross.without[:, 0] / np.sqrt(under))[:, None]
    error = float(np.sqrt(_covariance(np.array([ratio]), without)[0, 0]))
    errors = np.sqrt(np.diag(_covariance(cross.estimate, cross.without)))
    return GeneticCorrelation(
        float(ratio), error, float(shared * cross.estimate[0]), float(shared * errors[0]), float(cross.estimate[1]),
        float(errors[1]), h1, h2, int(x.size), blocks,
    )  # fmt: skip


def _heritability(
    y: Array,
    x: Array,
    n: Array,
    w: Array,
    total: float,
    intercept: float | None,
    blocks: int,
    small: npt.NDArray[np.bool_] | None,
) -> _Fit:
    def weigh(scores: Array, inside: npt.NDArray[np.bool_], heritability: float, level: float) -> Array:
        return _weights(scores, w[inside], n[inside], total, heritability, max(level, 1e-6))

    return _regress(y, x, n, total, weigh, null=1.0, intercept=intercept, blocks=blocks, small=small)


def _regress(
    y: Array,
    x: Array,
    n: Array,
    total: float,
    weigh: _Weigh,
    *,
    null: float,
    intercept: float | None,
    blocks: int,
    small: npt.NDArray[np.bool_] | None,
) -> _Fit:
    """Slope on N ℓ / N̄ and intercept; the latter from the variants `small` alone where they are given."""
    everything = np.ones(y.size, dtype=np.bool_)
    first = null if intercept is None else intercept
    start = weigh(x, everything, total * float((y.mean() - first) / (x * n).mean()), first)
    mean = float(n.mean())
    scaled = x * (n / mean)

    def refit(inside: npt.NDArray[np.bool_], level: float | None, predictor: Array, target: Array) -> Array:
        weight = start[inside]
        for _ in range(2):
            found = _least_squares(target, predictor, weight)
            # what LDSC puts into the weights: in the first of two steps the scores as they were regressed on
            scores = scaled[inside] if level is None and small is not None else x[inside]
            held = float(found[1]) if level is None else level
            weight = weigh(scores, inside, total * float(found[0]) / mean, held)
        return weight

    def with_slope_alone(level: float, edges: npt.NDArray[np.int64]) -> _Fit:
        alone = scaled[:, None]
        return _jackknife(y - level, alone, refit(everything, level, alone, y - level), edges)

    if intercept is not None:
        fit = with_slope_alone(intercept, _edges(y.size, blocks))
        held = np.full((len(fit.without), 1), intercept)
        return _Fit(np.append(fit.estimate, intercept), np.hstack([fit.without, held]), fit.edges)
    inside = everything if small is None else small
    both = np.column_stack([scaled, np.ones(y.size)])[inside]
    one = _jackknife(y[inside], both, refit(inside, None, both, y[inside]), _edges(int(inside.sum()), blocks))
    if small is None:
        return one
    level = float(one.estimate[1])
    # the blocks of the first step, in the numbering of all variants
    edges = np.concatenate([[0], np.flatnonzero(small)[one.edges[1:-1]], [y.size]])
    two = with_slope_alone(level, edges)
    # a block that moves the intercept moves the slope of the second step, which held it fixed
    carried = float((start * scaled).sum() / (start * scaled**2).sum())
    without = np.column_stack([two.without[:, 0] - carried * (one.without[:, 1] - level), one.without[:, 1]])
    return _Fit(np.append(two.estimate, level), without, edges)


def _weights(ld: Array, w: Array, n: Array, total: float, heritability: float, intercept: float) -> Array:
    """Inverse of the variance of χ² and of how often a variant is counted in others."""
    scores, repeats = np.maximum(ld, 1.0), np.maximum(w, 1.0)
    per_score = min(max(heritability, 0.0), 1.0) * n / total
    return np.asarray(1.0 / (2.0 * np.square(intercept + per_score * scores) * repeats))


def _least_squares(y: Array, x: Array, weight: Array) -> Array:
    # Normalised so that sums of many small weights keep their digits.
    root = np.sqrt(weight)
    root = root / root.sum()
    return np.asarray(np.linalg.lstsq(x * root[:, None], y * root, rcond=None)[0])


def _edges(size: int, blocks: int) -> npt.NDArray[np.int64]:
    return np.floor(np.linspace(0, size, blocks + 1)).astype(np.int64)


def _jackknife(y: Array, x: Array, weight: Array, edges: npt.NDArray[np.int64]) -> _Fit:
    """Leave out each block in turn, from sums over blocks."""
    scaled = weight / weight.sum()
    weighted = x * scaled[:, None]
    gram = np.add.reduceat(weighted[:, :, None] * x[:, None, :], edges[:-1], axis=0)
    cross = np.add.reduceat(weighted * y[:, None], edges[:-1], axis=0)
    whole, part = gram.sum(axis=0), cross.sum(axis=0)
    without = np.linalg.solve(whole - gram, (part - cross)[..., None])[..., 0]
    return _Fit(np.linalg.solve(whole, part), without, edges)


def _covariance(estimate: Array, without: Array) -> Array:
    count = len(without)
    pseudo = count * estimate - (count - 1) * without
    return np.atleast_2d(np.cov(pseudo.T, ddof=1)) / count


def liability_factor(sample_prevalence: float, population_prevalence: float) -> float:
    """Factor from h² observed in cases and controls to h² of the liability to the disease.

    Parameters
    ----------
    sample_prevalence : float
        Fraction of cases in the sample.
    population_prevalence : float
        Fraction of cases in the population.

    References
    ----------
    Lee et al. 2011, doi:10.1016/j.ajhg.2011.02.002, equation 23.
    """
    for name, value in (("sample", sample_prevalence), ("population", population_prevalence)):
        if not 0 < value < 1:
            raise ConfigError(f"{name} prevalence {value:g}", where=_WHERE, allowed="above 0 and below 1")
    k, p = population_prevalence, sample_prevalence
    height = float(norm.pdf(norm.isf(k)))
    return (k * (1 - k)) ** 2 / (p * (1 - p) * height**2)
