"""ComBat: differences between batches (sites, scanners) in location and scale, learned on one set and applied to any.

Model of feature f, subject i in batch b with covariates z: ``x = α_f + z β_f + σ_f (γ_bf + δ_bf ε)``. The batch effects
γ (location) and δ² (scale) of all features of a batch share a prior, normal and inverse gamma, whose parameters are
estimated from the features themselves; the posterior means shrink what small batches cannot tell.

Johnson, Li & Rabinovic, Biostatistics 2007;8:118. In imaging: Fortin et al., NeuroImage 2018;167:104.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import FitError, InputError
from radiolocus.model import Array
from radiolocus.stats.ols import COLLINEAR

__all__ = ["Combat", "fit_combat"]

_CLOSE, _MAX_ITERATIONS = 1e-10, 10_000


@dataclass(frozen=True, eq=False)
class Combat:
    """Batch effects as learned; what is constant in the fit is left as it is.

    Parameters
    ----------
    batches : tuple of str
        Batches known, sorted.
    intercept : ndarray, shape (p,)
        α: mean of the batches weighted by their size, or that of the reference.
    slope : ndarray, shape (k, p)
        β of the covariates, which are kept.
    scale : ndarray, shape (p,)
        σ, denominator n; 0 where a feature is constant.
    location : ndarray, shape (batches, p)
        γ, in units of σ.
    variance : ndarray, shape (batches, p)
        δ², in units of σ².
    raw_location, raw_variance : ndarray, shape (batches, p)
        The same before they are shrunk; NaN where a batch has no (fewer than two) values of a feature.
    """

    batches: tuple[str, ...]
    intercept: Array
    slope: Array
    scale: Array
    location: Array
    variance: Array
    raw_location: Array
    raw_variance: Array

    def apply(
        self, X: npt.ArrayLike, batch: Sequence[str] | npt.NDArray[np.str_], covariates: npt.ArrayLike | None = None
    ) -> Array:
        """Take the batch effects out of any subjects of known batches.

        Parameters
        ----------
        X : array_like, shape (n, p)
            NaN stays NaN.
        batch : sequence of str, length n
        covariates : array_like, shape (n, k), optional
            Those of the fit, in the same order.

        Returns
        -------
        ndarray, shape (n, p)

        Raises
        ------
        InputError
            Other columns than in the fit, or a batch that the fit has not seen.
        """
        x, labels, z = _checked(X, batch, covariates)
        if x.shape[1] != self.scale.size or z.shape[1] != len(self.slope):
            raise InputError(
                f"{x.shape[1]} features and {z.shape[1]} covariates",
                allowed=f"the {self.scale.size} features and {len(self.slope)} covariates of the fit",
            )
        place = {name: i for i, name in enumerate(self.batches)}
        unseen = sorted(set(labels) - set(place))
        if unseen:
            raise InputError(
                f"batches without any subject in the fit: {', '.join(unseen[:5])}",
                where="batch",
                allowed=", ".join(self.batches),
                todo="learn from every batch, or set these subjects aside: their batch effect is unknown",
            )
        which = np.array([place[name] for name in labels], dtype=np.intp)
        expected = self.intercept + z @ self.slope
        varies = self.scale > 0
        sigma = np.where(varies, self.scale, 1.0)
        left = ((x - expected) / sigma - self.location[which]) / np.sqrt(self.variance[which])
        return np.where(varies, left * sigma + expected, x)


def fit_combat(
    X: npt.ArrayLike,
    batch: Sequence[str] | npt.NDArray[np.str_],
    covariates: npt.ArrayLike | None = None,
    *,
    reference: str | None = None,
    empirical_bayes: bool = True,
    mean_only: bool = False,
) -> Combat:
    """Learn batch effects from training subjects.

    Parameters
    ----------
    X : array_like, shape (n, p)
        Features; NaN where missing: every feature is fitted on the subjects that have it.
    batch : sequence of str, length n
    covariates : array_like, shape (n, k), optional
        What differs between batches for good reason and is to be kept; finite, without intercept.
    reference : str, optional
        Batch that stays as it is and towards which the others are brought.
    empirical_bayes : bool
        Shrink the effects towards the mean of the batch over all features. With fewer than three features that vary
        there is no prior to estimate and nothing is shrunk.
    mean_only : bool
        Differences in location alone; for batches too small to tell a variance.

    Returns
    -------
    Combat

    Raises
    ------
    InputError
        Shapes, values or a reference that cannot be used.
    FitError
        One batch, a batch with a single subject (unless `mean_only`), or batches that the covariates determine.
    """
    x, labels, z = _checked(X, batch, covariates)
    names, which = np.unique(np.asarray(labels, dtype=np.str_), return_inverse=True)
    batches = tuple(str(name) for name in names)
    _check_batches(batches, np.bincount(which), reference, mean_only)
    member = np.eye(len(batches))[which]
    _check_confounding(member, z)
    intercept, slope, scale = _standards(x, member, z, batches.index(reference) if reference is not None else None)
    varies = scale > 0
    sigma = np.where(varies, scale, 1.0)
    s = (x - intercept - z @ slope) / sigma
    raw_location, raw_variance, count = _raw(s, member, mean_only)
    location, variance = raw_location.copy(), raw_variance.copy()
    for b in range(len(batches)):
        part = s[which == b]
        if empirical_bayes and int(varies.sum()) > 2:
            location[b, varies], variance[b, varies] = _shrunk(
                part[:, varies], raw_location[b, varies], raw_variance[b, varies], count[b, varies], mean_only
            )
    location, variance = np.nan_to_num(location, nan=0.0), np.nan_to_num(variance, nan=1.0)
    variance = np.where(variance > 0, variance, 1.0)
    if reference is not None:
        location[batches.index(reference)], variance[batches.index(reference)] = 0.0, 1.0
    return Combat(batches, intercept, slope, scale, location, variance, raw_location, raw_variance)


def _checked(X: npt.ArrayLike, batch: object, covariates: npt.ArrayLike | None) -> tuple[Array, list[str], Array]:
    x = np.asarray(X, dtype=np.float64)
    labels = [str(name) for name in batch]  # type: ignore[attr-defined]
    z = np.empty((len(labels), 0)) if covariates is None else np.asarray(covariates, dtype=np.float64)
    z = z[:, None] if z.ndim == 1 else z
    if x.ndim != 2 or len(x) != len(labels) or len(z) != len(labels):
        raise InputError(
            f"features of shape {x.shape} and covariates of shape {z.shape} for {len(labels)} subjects",
            allowed="one row a subject",
        )
    if np.isinf(x).any() or not np.isfinite(z).all():
        raise InputError("infinite features, or covariates that are missing or infinite", allowed="finite numbers")
    return x, labels, z


def _check_batches(
    batches: tuple[str, ...], size: npt.NDArray[np.intp], reference: str | None, mean_only: bool
) -> None:
    if reference is not None and reference not in batches:
        raise InputError(f"reference batch '{reference}'", allowed=", ".join(batches))
    if len(batches) < 2:
        raise FitError(f"one batch ({', '.join(batches)})", allowed="at least two batches")
    lonely = [name for name, n in zip(batches, size, strict=True) if n < 2]
    if lonely and not mean_only:
        raise FitError(
            f"batches with a single subject: {', '.join(lonely[:5])}",
            allowed="at least two subjects a batch: one has no variance",
            todo="merge small batches, set these subjects aside, or correct the mean only",
        )


def _check_confounding(member: Array, z: Array) -> None:
    centred = z - member @ (member.T @ z / member.sum(axis=0)[:, None])
    length = np.linalg.norm(z - z.mean(axis=0), axis=0)
    within = centred / np.where(length > 0, length, 1.0)
    if z.shape[1] and np.linalg.matrix_rank(within, tol=COLLINEAR) < z.shape[1]:
        raise FitError(
            "covariates that the batches (and the other covariates) determine",
            allowed="covariates that vary within batches",
            todo="leave them out: what is batch and what is covariate cannot be told apart",
        )


def _standards(x: Array, member: Array, z: Array, reference: int | None) -> tuple[Array, Array, Array]:
    """α, β and σ of every feature, fitted on the subjects that have it."""
    design = np.hstack([member, z])
    b, k, p = member.shape[1], z.shape[1], x.shape[1]
    intercept, slope, scale = np.zeros(p), np.zeros((k, p)), np.zeros(p)
    kinds, kind = np.unique(~np.isnan(x), axis=1, return_inverse=True)
    for pattern in range(kinds.shape[1]):
        columns, rows = np.flatnonzero(kind.ravel() == pattern), kinds[:, pattern]
        if not rows.any():
            continue
        d, y = design[rows], x[np.ix_(rows, columns)]
        found = np.linalg.lstsq(d, y, rcond=None)[0]
        weight = d[:, :b].mean(axis=0) if reference is None else np.eye(b)[reference]
        judged = slice(None) if reference is None else d[:, reference] == 1
        residual = (y - d @ found)[judged]
        intercept[columns], slope[:, columns] = weight @ found[:b], found[b:]
        size = np.sqrt((residual**2).mean(axis=0)) if len(residual) else np.zeros(len(columns))
        scale[columns] = np.where(size > 1e-12 * np.abs(y).max(axis=0), size, 0.0)
    return intercept, slope, scale


def _raw(s: Array, member: Array, mean_only: bool) -> tuple[Array, Array, Array]:
    """Mean, variance (denominator n − 1) and number of values of every batch and feature."""
    present = ~np.isnan(s)
    filled = np.where(present, s, 0.0)
    count = member.T @ present
    mean = np.divide(member.T @ filled, count, out=np.full(count.shape, np.nan), where=count > 0)
    residual = np.where(present, s - member @ np.nan_to_num(mean), 0.0)
    square = member.T @ residual**2
    variance = np.divide(square, count - 1, out=np.full(count.shape, np.nan), where=count > 1)
    return mean, (np.ones_like(variance) if mean_only else variance), count


def _shrunk(s: Array, mean: Array, variance: Array, n: Array, mean_only: bool) -> tuple[Array, Array]:
    """Posterior means of location and scale of one batch, iterated as in Johnson et al., supplementary material."""
    prior, spread = float(np.nanmean(mean)), float(np.nanvar(mean, ddof=1))
    filled, known = np.nan_to_num(s), ~np.isnan(s)
    if mean_only:
        return (spread * n * np.nan_to_num(mean) + prior) / (spread * n + 1.0), np.ones_like(variance)
    m, v = float(np.nanmean(variance)), float(np.nanvar(variance, ddof=1))
    if not (v > 0 and spread > 0):
        return mean, variance
    shape, rate = (2.0 * v + m * m) / v, (m * v + m**3) / v
    location, scale = np.nan_to_num(mean, nan=prior), np.nan_to_num(variance, nan=m)
    for _ in range(_MAX_ITERATIONS):
        new = (spread * n * np.nan_to_num(mean) + scale * prior) / (spread * n + scale)
        square = (known * (filled - new) ** 2).sum(axis=0)
        wide = (0.5 * square + rate) / (n / 2.0 + shape - 1.0)
        change = max(
            float(np.abs(new - location).max() / max(float(np.abs(location).max()), 1e-300)),
            float((np.abs(wide - scale) / np.where(scale > 0, scale, 1.0)).max()),
        )
        location, scale = new, wide
        if change < _CLOSE:
            return location, scale
    raise FitError("the empirical Bayes estimates of ComBat did not settle", todo="use empirical_bayes = false")
