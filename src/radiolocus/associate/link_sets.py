"""Genes together: the ranking of each feature, and sets of genes against families of features.

*Enrichment* ranks all genes by their signed z with a feature: the running sum of GSEA with exchanged genes, and beside
it the comparison of means of CAMERA, which allows for the correlation of the set's genes after covariates and feature.

*Self-contained*: are any features of the family linked with any gene of the set? The mean squared (partial) correlation
of all their pairs against its values when subjects are exchanged. *Competitive*: are the genes of the set linked with
the family more than other genes are? Each gene's share of variance explained by the leading principal components of the
family (80 % of its variance, at most five), as normal z of its F-test, compared by CAMERA, one-sided. Such z of two
genes correlate about as the square of the genes' correlation.

Of CAMERA two things are changed: the correlation of all other genes counts as well as that of the set's, and the pooled
variance of z is not taken below 1; see :func:`radiolocus.stats.enrichment.camera`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import ndtri_exp
from scipy.stats import f as fisher_f

from radiolocus.associate.link_options import LinkOptions
from radiolocus.associate.link_permute import own_ranks
from radiolocus.model import Array, Problem
from radiolocus.schema import conform, empty
from radiolocus.stats.correlation import average_ranks, spanning_basis, unit_residuals
from radiolocus.stats.enrichment import camera, preranked, random_places
from radiolocus.stats.maxt import permutations_of
from radiolocus.stats.multiplicity import benjamini_hochberg
from radiolocus.stats.tail import neg_log10_p_t
from radiolocus.stats.tail_fit import FEW, fit_tail

__all__ = ["Sides", "enrichment_table", "gene_z", "set_table", "sides_of", "usable_sets"]

_RANDOM_SETS = 1000
_COMPONENTS, _SHARE = 5, 0.8
# Numbers of subject-by-subject matrices of sets held at a time.
_ROOM = 1 << 25


@dataclass(frozen=True, eq=False)
class Sides:
    """Features and genes of the same complete subjects, as unit residuals on the covariates.

    Parameters
    ----------
    features, genes : tuple of str
    families : tuple of str
        Of each feature.
    F, G : ndarray, shape (n, P) and (n, Q)
        Columns of length 1.
    basis : ndarray, shape (n, 1 + k)
    stratum : ndarray of str, shape (n,), or None
    """

    features: tuple[str, ...]
    genes: tuple[str, ...]
    families: tuple[str, ...]
    F: Array
    G: Array
    basis: Array
    stratum: npt.NDArray[np.str_] | None

    @property
    def df(self) -> int:
        """Degrees of freedom of a partial correlation."""
        return int(len(self.basis) - self.basis.shape[1] - 1)


def sides_of(
    features: tuple[Sequence[str], Array],
    genes: tuple[Sequence[str], Array],
    families: Sequence[str],
    Z: Array,
    stratum: npt.NDArray[np.str_] | None,
    options: LinkOptions,
) -> tuple[Sides | None, list[Problem]]:
    """Choose complete subjects and columns.

    Subjects without any gene or any feature are left out; then columns that still lack a value, or are constant. Ranks
    are taken where continuous markers are tested by rank.
    """
    has = ~np.isnan(genes[1]).all(axis=1) & ~np.isnan(features[1]).all(axis=1)
    problems = []
    parts: list[tuple[tuple[str, ...], Array, npt.NDArray[np.intp]]] = []
    n = int(has.sum())
    ranked = options.continuous_test == "rank"
    basis = spanning_basis(average_ranks(Z[has]) if ranked else Z[has], n) if n else np.empty((0, 1))
    if n < options.min_n or n - basis.shape[1] < 4:
        got = f"{n} subjects with genes and features: too few for sets of genes"
        return None, [Problem("link", got, "no value", allowed=f"at least {options.min_n}", todo="lower link.min_n")]
    for what, (names, values) in (("features", features), ("genes", genes)):
        whole = np.flatnonzero(~np.isnan(values[has]).any(axis=0))
        chosen = values[np.ix_(has, whole)]
        residual, length = unit_residuals(own_ranks(chosen) if ranked else chosen, basis)
        kept = whole[length > 0]
        lost = len(names) - kept.size
        if lost:
            got = f"{lost} {what} lack a value or are constant and take no part in sets of genes"
            problems.append(Problem("link", got, "note", count=lost))
        parts.append((tuple(names[i] for i in kept), residual[:, length > 0], kept))
    (f_names, F, f_kept), (g_names, G, _) = parts
    if not f_names or not g_names:
        return None, problems
    family = tuple(families[i] for i in f_kept)
    return Sides(f_names, g_names, family, F, G, basis, None if stratum is None else stratum[has]), problems


def usable_sets(
    sets: Mapping[str, Sequence[str]], genes: Sequence[str], options: LinkOptions
) -> tuple[dict[str, npt.NDArray[np.intp]], list[Problem]]:
    """Places of each set's genes; sets with too few or too many genes, or with all of them, are told and left out."""
    place = {gene: i for i, gene in enumerate(genes)}
    found, lost = {}, []
    for name, members in sets.items():
        at = np.array(sorted(place[g] for g in members if g in place), dtype=np.intp)
        if options.min_set <= at.size <= min(options.max_set, len(genes) - 2):
            found[name] = at
        else:
            lost.append(name)
    if not lost:
        return found, []
    got = f"{len(lost)} of {len(sets)} gene sets left out"
    allowed = (
        f"{options.min_set} to {options.max_set} genes among the {len(genes)} measured, and at least two beside them"
    )
    return found, [Problem("link", got, "note", where="link.gene_sets", allowed=allowed, count=len(lost))]


def gene_z(sides: Sides) -> Array:
    """Signed normal z of every gene (rows) with every feature (columns), of the t-test of the (partial) correlation."""
    r = np.clip(sides.G.T @ sides.F, -1 + 1e-12, 1 - 1e-12)
    t = np.abs(r) * np.sqrt(sides.df / (1.0 - r * r))
    # the quantile of the normal with the same tail, in logarithms so that no tail underflows
    log_half = -np.log(10.0) * neg_log10_p_t(t, sides.df) - np.log(2.0)
    return np.asarray(np.sign(r) * -ndtri_exp(log_half))


def _contrasts(sides: Sides, members: npt.NDArray[np.intp], summed: Array) -> Array:
    """Variance of mean z of a set less mean z of all other genes, for every feature, were there no link.

    The z of two genes correlate as the genes do after covariates and feature, so it is the squared length of the same
    contrast of their unit residuals. `summed` is the sum of those of all genes but for the feature's part, (n, P).
    """
    genes, m = len(sides.genes), members.size
    inside = _summed(sides, members)
    contrast = inside / m - (summed - inside) / (genes - m)
    along = (sides.F * contrast).sum(axis=0)  # the feature's own direction is none of the residual
    return np.asarray(np.maximum((contrast**2).sum(axis=0) - along**2, 1e-12))


def _summed(sides: Sides, members: npt.NDArray[np.intp]) -> Array:
    """Sum over genes of their residuals, scaled to length one off each feature, shape (n, P)."""
    V = sides.G[:, members]
    r = np.clip(V.T @ sides.F, -1 + 1e-9, 1 - 1e-9)
    return np.asarray(V @ (1.0 / np.sqrt(1.0 - r * r)))


def enrichment_table(sides: Sides, sets: Mapping[str, npt.NDArray[np.intp]], options: LinkOptions) -> pl.DataFrame:
    """Table ``link/enrichment``: every feature × every set."""
    if not sets:
        return empty("link/enrichment")
    z = gene_z(sides)
    members = list(sets.values())
    random = random_places(len(sides.genes), [m.size for m in members], _RANDOM_SETS, options.seed)
    summed = _summed(sides, np.arange(len(sides.genes)))
    compared = [camera(z, m, _contrasts(sides, m, summed), sides.df - 1) for m in members]
    rows = []
    for j, feature in enumerate(sides.features):
        found = preranked(z[:, j], members, random)
        rows.append(
            {
                "feature": [feature] * len(members),
                "gene_set": list(sets),
                "genes": [m.size for m in members],
                "enrichment_score": found.score,
                "normalised_score": pl.Series(found.normalised).fill_nan(None),
                "p_value": found.p_value,
                "q_value": pl.Series(found.q_value).fill_nan(None),
                "camera_t": [float(t[j]) for t, _ in compared],
                "camera_p_value": [float(p[j]) for _, p in compared],
            }
        )
    frame = pl.concat([pl.DataFrame(row) for row in rows])
    # over all features and sets: that of GSEA is of one feature, and the p-value of exchanged genes is the smaller one
    q = benjamini_hochberg(-np.log10(np.maximum(frame["camera_p_value"].to_numpy(), 1e-300)))
    frame = frame.with_columns(camera_q_value=pl.Series(q)).sort(["camera_p_value", "feature", "gene_set"])
    return conform(frame, "link/enrichment")


def set_table(sides: Sides, sets: Mapping[str, npt.NDArray[np.intp]], options: LinkOptions) -> pl.DataFrame:
    """Table ``link/sets``: every family of features × every set."""
    families = sorted(set(sides.families))
    if not sets or not families:
        return empty("link/sets")
    where = {name: np.flatnonzero(np.array(sides.families) == name) for name in families}
    observed, p_value = _self_contained(sides, list(where.values()), list(sets.values()), options)
    rows = []
    for i, name in enumerate(families):
        z, rest, components = _family_z(sides, where[name])
        whole = rest @ rest.T
        for j, (label, members) in enumerate(sets.items()):
            _, p = camera(
                z,
                members,
                _squared_contrast(rest[:, members], whole, len(sides.genes)),
                sides.df - components,
                upper=True,
            )
            rows.append(
                (name, label, where[name].size, members.size, observed[i, j], p_value[i, j], components, float(p))
            )
    names = ["feature_family", "gene_set", "features", "genes", "mean_r_squared", "self_contained_p_value"]
    frame = pl.DataFrame(rows, schema=[*names, "components", "competitive_p_value"], orient="row").with_columns(
        pl.col("self_contained_p_value").fill_nan(None)
    )
    for kind in ("self_contained", "competitive"):
        p = frame[f"{kind}_p_value"].fill_null(float("nan")).to_numpy()
        q = pl.Series(benjamini_hochberg(-np.log10(np.maximum(p, 1e-300)))).fill_nan(None)
        frame = frame.with_columns(q.alias(f"{kind}_q_value"))
    return conform(frame.sort(["competitive_p_value", "feature_family", "gene_set"]), "link/sets")


def _self_contained(
    sides: Sides, families: Sequence[npt.NDArray[np.intp]], sets: Sequence[npt.NDArray[np.intp]], options: LinkOptions
) -> tuple[Array, Array]:
    """Mean squared correlation of every family with every set, and its permutation p-value (NaN without any)."""
    n = len(sides.F)
    orders = permutations_of(n, options.permutations, options.seed, sides.stratum)
    observed, p_value = (np.full((len(families), len(sets)), np.nan) for _ in range(2))
    block = max(1, _ROOM // (n * n))
    for j in range(0, len(sets), block):
        part = slice(j, j + block)
        grams = np.stack([(sides.G[:, m] @ sides.G[:, m].T / m.size).ravel() for m in sets[part]])
        observed[:, part] = _family_grams(sides, families, np.arange(n)) @ grams.T
        if options.permutations:
            null = np.stack([_family_grams(sides, families, order) @ grams.T for order in orders])
            p_value[:, part] = _permuted_p(observed[:, part], null)
    return observed, p_value


def _family_grams(sides: Sides, families: Sequence[npt.NDArray[np.intp]], order: npt.NDArray[np.int64]) -> Array:
    """Subject-by-subject products of families of permuted features, off the covariates again, (families, n²)."""
    left = sides.F[order]
    inside = sides.basis[:, 1:].T @ left
    left = left / np.sqrt(np.maximum(1.0 - (inside * inside).sum(axis=0), 1e-12))
    return np.stack([(left[:, f] @ left[:, f].T / f.size).ravel() for f in families])


def _permuted_p(observed: Array, null: Array) -> Array:
    """(1 + c) / (1 + B), or a fitted tail where fewer than ten permutations reach the observed."""
    count = (null >= observed * (1 - 1e-10)).sum(axis=0)
    p = np.asarray((1.0 + count) / (1.0 + len(null)), dtype=np.float64)
    for i, j in np.argwhere(count < FEW):
        tail = fit_tail(null[:, i, j])
        found = tail.p_value(observed[i, j : j + 1])[0] if tail else np.nan
        p[i, j] = found if np.isfinite(found) else p[i, j]
    return p


def _family_z(sides: Sides, columns: npt.NDArray[np.intp]) -> tuple[Array, Array, int]:
    """Normal z of each gene with a family, the genes' unit residuals on its components too, and how many those are."""
    left, size, _ = np.linalg.svd(sides.F[:, columns], full_matrices=False)
    share = np.cumsum(size**2) / (size**2).sum()
    k = int(min(np.searchsorted(share, _SHARE) + 1, _COMPONENTS, max(1, sides.df // 10), (size > 1e-7 * size[0]).sum()))
    axes = left[:, :k]
    loading = axes.T @ sides.G
    explained = np.clip((loading**2).sum(axis=0), 0.0, 1.0 - 1e-12)
    df = sides.df + 1 - k
    log_p = fisher_f.logsf(explained / k / ((1.0 - explained) / df), k, df)
    rest = sides.G - axes @ loading
    length = np.linalg.norm(rest, axis=0)
    return -ndtri_exp(np.minimum(log_p, -1e-15)), rest / np.where(length > 0, length, 1.0), k


def _squared_contrast(inside: Array, whole: Array, genes: int) -> float:
    """Variance of the same difference for z that correlate as the squares of the genes' correlations.

    Σ w_g w_h ρ_gh² = ‖Σ w_g u_g u_gᵀ‖² of unit residuals u and the contrast w. What squares are by chance alone falls
    out, since w sums to zero.
    """
    m = inside.shape[1]
    gram = inside @ inside.T
    return float((((gram / m) - (whole - gram) / (genes - m)) ** 2).sum())
