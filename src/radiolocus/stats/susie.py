"""The sum of single effects (SuSiE): which variants of a locus are causal, with credible sets.

y = Xb + e with b a sum of L vectors of one non-zero element each (Wang, Sarkar, Carbonetto & Stephens 2020,
doi:10.1111/rssb.12388), fitted by iterative Bayesian stepwise selection. All that is needed of the data are XᵀX, Xᵀy,
yᵀy and n, which z-scores and LD give as well (Zou, Carbonetto, Wang & Stephens 2022, doi:10.1371/journal.pgen.1010299).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from radiolocus.errors import ConfigError, FitError, InputError
from radiolocus.model import Array

__all__ = ["CredibleSet", "Susie", "SusieOptions", "credible_sets", "ld_mismatch", "susie", "susie_rss"]

_WHERE = "SuSiE"
# An effect whose prior variance is smaller has none.
_NO_EFFECT = 1e-9
# Range of the logarithm of the prior variance.
_LOWEST, _HIGHEST = -30.0, 15.0


@dataclass(frozen=True)
class SusieOptions:
    """Rules of fine-mapping.

    Parameters
    ----------
    effects : int
        L, most effects in a locus; those that are not needed shrink to nothing.
    coverage : float
        Probability that a credible set holds a causal variant.
    min_abs_r : float
        Sets with a pair of variants less correlated are not told.
    prior_variance : float
        Where the variance of each effect starts, as a part of the variance of y; it is estimated.
    tolerance : float
        Gain of the evidence lower bound at which the fit ends.
    max_iterations : int
    """

    effects: int = 10
    coverage: float = 0.95
    min_abs_r: float = 0.5
    prior_variance: float = 0.2
    tolerance: float = 1e-4
    max_iterations: int = 200

    def __post_init__(self) -> None:
        if self.effects < 1 or self.max_iterations < 1:
            raise ConfigError(
                f"effects = {self.effects}, max_iterations = {self.max_iterations}", where=_WHERE, allowed="1 or more"
            )
        if not (0 < self.coverage < 1 and 0 <= self.min_abs_r <= 1):
            raise ConfigError(
                f"coverage = {self.coverage:g}, min_abs_r = {self.min_abs_r:g}", where=_WHERE,
                allowed="coverage above 0 and below 1; min_abs_r from 0 to 1",
            )  # fmt: skip
        if self.prior_variance <= 0 or self.tolerance <= 0:
            raise ConfigError(
                f"prior_variance = {self.prior_variance:g}, tolerance = {self.tolerance:g}", where=_WHERE,
                allowed="above 0",
            )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Susie:
    """A fit.

    Parameters
    ----------
    alpha : ndarray, shape (L, p)
        Probability that the effect is of this variant.
    mean, second : ndarray, shape (L, p)
        Posterior mean of the effect if it is of this variant, and of its square; of standardised columns.
    pip : ndarray, shape (p,)
        Probability that a variant has an effect.
    prior_variance : ndarray, shape (L,)
        Estimated; 0 where the effect is not there.
    residual_variance : float
        Of y, for z-scores of unit variance.
    log_bayes_factor : ndarray, shape (L,)
        Of each effect against none.
    bound : tuple of float
        Evidence lower bound, iteration by iteration.
    converged : bool
    """

    alpha: Array
    mean: Array
    second: Array
    pip: Array
    prior_variance: Array
    residual_variance: float
    log_bayes_factor: Array
    bound: tuple[float, ...]
    converged: bool


@dataclass(frozen=True)
class CredibleSet:
    """Variants of which one is causal with probability `coverage`; `effect` is its row in the fit."""

    effect: int
    variants: tuple[int, ...]
    coverage: float
    min_abs_r: float
    mean_abs_r: float


def susie(X: Array, y: Array, options: SusieOptions | None = None) -> Susie:
    """Fit individual data.

    Parameters
    ----------
    X : ndarray, shape (n, p)
        Genotypes without missing values; covariates projected out. Every column varies.
    y : ndarray, shape (n,)
    options : SusieOptions, optional

    Raises
    ------
    InputError
        Missing values, or a column that does not vary.
    FitError
        Fewer than three rows.
    """
    options = options or SusieOptions()
    if len(y) < 3:
        raise FitError(f"{len(y)} subjects", where=_WHERE, allowed="3 or more")
    if not (np.isfinite(X).all() and np.isfinite(y).all()):
        raise InputError("missing values", where=_WHERE, allowed="finite genotypes and phenotypes")
    centred = X - X.mean(axis=0)
    spread = np.sqrt((centred**2).sum(axis=0) / (len(y) - 1))
    flat = np.flatnonzero(spread <= 1e-12 * np.sqrt((X**2).mean(axis=0)))
    if flat.size:
        raise InputError(f"column {flat[0] + 1} does not vary", where=_WHERE, todo="leave it out")
    scaled, response = centred / spread, y - y.mean()
    total = float(response @ response)
    return _fit(
        scaled.T @ scaled, scaled.T @ response, total, len(y), total / (len(y) - 1), options, estimate_residual=True
    )


def susie_rss(
    z: npt.ArrayLike, R: Array, n: float, options: SusieOptions | None = None, *, estimate_residual: bool = False
) -> Susie:
    """Fit z-scores and LD.

    Parameters
    ----------
    z : array_like, shape (p,)
        t of each variant alone.
    R : ndarray, shape (p, p)
        Correlation of the variants.
    n : float
        Degrees of freedom of t, plus 2.
    options : SusieOptions, optional
    estimate_residual : bool
        Estimate the residual variance; only where R is that of the very subjects.

    Raises
    ------
    InputError
        Shapes that do not agree, or values that are not finite.
    """
    scores = np.asarray(z, dtype=np.float64)
    if R.shape != (scores.size, scores.size) or n <= 2:
        raise InputError(
            f"{scores.size} z-scores, LD of shape {R.shape}, n = {n:g}", where=_WHERE,
            allowed="a square matrix of their size, n above 2",
        )  # fmt: skip
    if not (np.isfinite(scores).all() and np.isfinite(R).all()):
        raise InputError("z-scores or LD that are not finite", where=_WHERE, todo="leave out variants that do not vary")
    # what is explained by a variant alone is not its noise
    shrunk = np.sqrt((n - 1) / (scores**2 + n - 2)) * scores
    return _fit(
        (n - 1) * R,
        np.sqrt(n - 1) * shrunk,
        n - 1,
        n,
        1.0,
        options or SusieOptions(),
        estimate_residual=estimate_residual,
    )


def _fit(
    XtX: Array, Xty: Array, yty: float, n: float, variance: float, options: SusieOptions, *, estimate_residual: bool
) -> Susie:
    p, count = Xty.size, min(options.effects, Xty.size)
    d = np.diag(XtX).copy()
    alpha, mean, second = np.full((count, p), 1.0 / p), np.zeros((count, p)), np.zeros((count, p))
    prior = np.full(count, options.prior_variance * variance)
    divergence, factor = np.zeros(count), np.zeros(count)
    residual = variance
    bound: list[float] = []
    fitted = np.zeros(p)
    converged = False
    for _ in range(options.max_iterations):
        for effect in range(count):
            own = alpha[effect] * mean[effect]
            rest = Xty - fitted + XtX @ own
            step = _single_effect(rest, d, residual, float(prior[effect]))
            alpha[effect], mean[effect], second[effect], prior[effect], factor[effect] = step
            new = alpha[effect] * mean[effect]
            explained = float(new @ rest) - 0.5 * float((d * alpha[effect]) @ second[effect])
            divergence[effect] = explained / residual - factor[effect]
            fitted += XtX @ (new - own)
        expected = _expected_residual(XtX, Xty, yty, d, alpha, mean, second)
        bound.append(-0.5 * n * np.log(2 * np.pi * residual) - 0.5 * expected / residual - float(divergence.sum()))
        if len(bound) > 1 and bound[-1] - bound[-2] < options.tolerance:
            converged = True
            break
        if estimate_residual:
            residual = max(expected / n, 1e-12 * variance)
    there = prior > _NO_EFFECT
    pip = 1.0 - np.prod(1.0 - alpha[there], axis=0) if there.any() else np.zeros(p)
    return Susie(alpha, mean, second, pip, prior, float(residual), factor, tuple(bound), converged)


def _single_effect(rest: Array, d: Array, residual: float, prior: float) -> tuple[Array, Array, Array, float, float]:
    """One effect: probabilities, posterior mean and second moment, prior variance and log Bayes factor."""
    estimate, noise = rest / d, residual / d

    half, alone = 0.5 * estimate**2, 1 / noise

    def factors(variance: float) -> Array:
        with_effect = 1 / (variance + noise)
        return np.asarray(0.5 * np.log(noise * with_effect) + half * (alone - with_effect))

    def evidence(variance: float) -> float:
        each = factors(variance)
        top = float(each.max())
        return top + float(np.log(np.exp(each - top).mean()))

    found = minimize_scalar(
        lambda log: -evidence(float(np.exp(log))), bounds=(_LOWEST, _HIGHEST), method="bounded", options={"xatol": 1e-6}
    )
    candidates = [float(np.exp(found.x)), prior, max(float((estimate**2 - noise).max()), 0.0)]
    best = max(candidates, key=evidence)
    if evidence(best) <= 0.0:
        best = 0.0
    each = factors(best)
    weight = np.exp(each - each.max())
    spread = best * noise / (best + noise)
    centre = estimate * best / (best + noise)
    return weight / weight.sum(), centre, centre**2 + spread, best, evidence(best)


def _expected_residual(XtX: Array, Xty: Array, yty: float, d: Array, alpha: Array, mean: Array, second: Array) -> float:
    """Expected residual sum of squares under the posterior."""
    each = alpha * mean
    total = each.sum(axis=0)
    explained = (
        total @ (XtX @ total) - float(np.einsum("lp,lp->", each @ XtX, each)) + float((alpha * second).sum(0) @ d)
    )
    return float(yty - 2 * total @ Xty + explained)


def credible_sets(fit: Susie, R: Array, options: SusieOptions | None = None) -> tuple[CredibleSet, ...]:
    """Credible sets of the effects that are there, largest Bayes factor first.

    Parameters
    ----------
    fit : Susie
    R : ndarray, shape (p, p)
        Correlation of the variants.
    options : SusieOptions, optional

    Returns
    -------
    tuple of CredibleSet
        Sets of low purity are left out, and so is a set that stands already.
    """
    options = options or SusieOptions()
    found: dict[frozenset[int], CredibleSet] = {}
    for effect in np.argsort(-fit.log_bayes_factor, kind="stable"):
        if fit.prior_variance[effect] <= _NO_EFFECT:
            continue
        order = np.argsort(-fit.alpha[effect], kind="stable")
        reached = np.cumsum(fit.alpha[effect][order])
        size = min(int((reached < options.coverage).sum()) + 1, order.size)
        inside = order[:size]
        r = np.abs(R[np.ix_(inside, inside)])
        pairs = r[np.triu_indices(size, 1)] if size > 1 else np.ones(1)
        if float(pairs.min()) < options.min_abs_r or frozenset(inside.tolist()) in found:
            continue
        told = tuple(int(i) for i in inside)
        found[frozenset(told)] = CredibleSet(
            int(effect), told, float(reached[size - 1]), float(pairs.min()), float(pairs.mean())
        )
    return tuple(found.values())


def ld_mismatch(z: npt.ArrayLike, R: Array, n: float) -> float:
    """How far z-scores and LD are from belonging together: 0 they agree, 1 the LD says nothing.

    Parameters
    ----------
    z : array_like, shape (p,)
    R : ndarray, shape (p, p)
    n : float
        Subjects.

    Returns
    -------
    float
        s of largest likelihood in z ~ N(0, (1 − s)R + sI).

    References
    ----------
    Zou et al. 2022, doi:10.1371/journal.pgen.1010299 (``estimate_s_rss``, null-mle).
    """
    scores = np.asarray(z, dtype=np.float64)
    scores = np.sqrt((n - 1) / (scores**2 + n - 2)) * scores
    values, vectors = np.linalg.eigh(R)
    values = np.maximum(values, 0.0)
    turned = np.square(vectors.T @ scores)

    def against(s: float) -> float:
        spread = (1 - s) * values + s
        return float(0.5 * (np.log(spread) + turned / spread).sum())

    return float(minimize_scalar(against, bounds=(1e-8, 1.0), method="bounded", options={"xatol": 1e-8}).x)
