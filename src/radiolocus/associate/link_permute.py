"""Permutation p-values of links: which columns are permuted, under which transformation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.associate.link_options import LinkOptions
from radiolocus.model import Array, BoolArray
from radiolocus.stats.correlation import average_ranks, spanning_basis
from radiolocus.stats.distance import unit_centred
from radiolocus.stats.maxt import Block, max_t, permutations_of
from radiolocus.stats.ols import residualise

__all__ = ["Permuted", "own_ranks", "permute_distances", "permute_links"]


@dataclass(frozen=True, eq=False)
class Permuted:
    """Permutation p-values of every feature (rows) and marker (columns); NaN where there is none.

    Parameters
    ----------
    p_value, family_wise : ndarray, shape (P, Q)
    fitted : ndarray of bool, shape (P, Q)
        Whether `p_value` comes from the fit of a tail.
    """

    p_value: Array
    family_wise: Array
    fitted: BoolArray


def own_ranks(values: Array) -> Array:
    """Ranks of each column among the subjects that have it; NaN elsewhere."""
    out = np.full(values.shape, np.nan)
    for j, column in enumerate(values.T):
        there = ~np.isnan(column)
        out[there, j] = average_ranks(column[there])
    return out


def permute_links(
    F: Array,
    M: Array,
    how: npt.NDArray[np.str_],
    tested: BoolArray,
    Z: Array,
    options: LinkOptions,
    families: Sequence[str],
    stratum: npt.NDArray[np.str_] | None,
    threads: int,
) -> Permuted:
    """Permute the features against all markers that were tested.

    Distance tests are permuted marker by marker (:func:`permute_distances`), all others together. Under the scopes
    ``family`` and ``all`` distance tests have no family-wise p-value: their statistic is on a scale of its own.

    Parameters
    ----------
    F, M : ndarray, shape (n, P) and (n, Q)
        Of the subjects that have all covariates; NaN where missing.
    how : ndarray of str, shape (Q,)
        Test of each marker: ranks are permuted for ``"rank"``, values for the others.
    tested : ndarray of bool, shape (P, Q)
        Markers without any tested pair take no part.
    Z : ndarray, shape (n, k)
    options : LinkOptions
    families : sequence of str, length P
        Family of each feature.
    stratum : ndarray of str, shape (n,), optional
        Subjects are exchanged within its values.
    threads : int
    """
    p_value, family_wise = np.full(tested.shape, np.nan), np.full(tested.shape, np.nan)
    fitted = np.zeros(tested.shape, dtype=bool)
    blocks, columns = [], []
    for ranked in (False, True):
        chosen = np.flatnonzero(((how == "rank") == ranked) & (how != "distance") & tested.any(axis=0))
        if chosen.size:
            sides = (own_ranks(F), own_ranks(M[:, chosen]), average_ranks(Z)) if ranked else (F, M[:, chosen], Z)
            blocks.append(Block(sides[0], sides[1], spanning_basis(sides[2], len(F))))
            columns.append(chosen)
    if blocks and F.shape[1]:
        found = max_t(
            blocks,
            options.permutations,
            options.seed,
            scope=options.scope,
            family=np.array(families, dtype=np.str_),
            stratum=stratum,
            least=options.min_n,
            threads=threads,
        )
        at = np.concatenate(columns)
        p_value[:, at], family_wise[:, at], fitted[:, at] = found.p_value.T, found.adjusted.T, found.fitted.T
    for j in np.flatnonzero((how == "distance") & tested.any(axis=0)):
        alone, stepped = permute_distances(F, M[:, j], tested[:, j], Z, options, stratum)
        p_value[:, j] = alone
        if options.scope == "marker":
            family_wise[:, j] = stepped
    return Permuted(np.where(tested, p_value, np.nan), np.where(tested, family_wise, np.nan), fitted & tested)


def permute_distances(
    F: Array,
    marker: Array,
    tested: BoolArray,
    Z: Array,
    options: LinkOptions,
    stratum: npt.NDArray[np.str_] | None = None,
) -> tuple[Array, Array]:
    """Permutation p-values of the distance correlation of one marker with every feature.

    What the covariates leave of the marker is exchanged among the subjects who have it and freed of the covariates
    again (Freedman & Lane 1983), which is to exchange all features together; a permuted pair uses the subjects who
    have both then. The statistic is n times the bias-corrected squared distance correlation.

    Parameters
    ----------
    F : ndarray, shape (n, P)
        NaN where missing.
    marker : ndarray, shape (n,)
        NaN where missing.
    tested : ndarray of bool, shape (P,)
    Z : ndarray, shape (n, k)
    options : LinkOptions
    stratum : ndarray of str, shape (n,), optional

    Returns
    -------
    p_value, adjusted : ndarray, shape (P,)
        Of the pair alone, (1 + c) / (1 + B), and of step-down maxT over the tested features (Westfall & Young 1993);
        NaN where not tested. No tail is fitted.
    """
    there = ~np.isnan(marker)
    F, Z = F[there], Z[there]
    y = _freed(marker[there], Z)
    known = ~np.isnan(F)
    sides = []  # features that share their subjects, and their distances
    for seen in np.unique(known[:, tested].T, axis=0):
        columns = np.flatnonzero(tested & (known == seen[:, None]).all(axis=0))
        rows = np.flatnonzero(seen)
        sides.append((columns, rows, unit_centred(_freed(F[np.ix_(rows, columns)], Z[rows]))))

    def statistics(values: Array) -> Array:
        out = np.full(tested.size, -np.inf)
        for columns, rows, left in sides:
            found = left @ unit_centred(_freed(values[rows], Z[rows])[:, None])[0]
            out[columns] = rows.size * np.nan_to_num(found, nan=-np.inf)
        return out

    observed = statistics(y)
    order = np.argsort(-observed, kind="stable")[: int(tested.sum())]
    orders = permutations_of(y.size, options.permutations, options.seed, None if stratum is None else stratum[there])
    reached, stepped = np.zeros(tested.size, np.int64), np.zeros(order.size, np.int64)
    for chosen in orders:
        drawn = statistics(y[chosen])
        reached += drawn >= observed - 1e-9
        # The largest of the pairs that are not larger than this one, as it was observed.
        largest = np.maximum.accumulate(drawn[order][::-1])[::-1]
        stepped += largest >= observed[order] - 1e-9
    alone, adjusted = np.full(tested.size, np.nan), np.full(tested.size, np.nan)
    alone[tested] = (1.0 + reached[tested]) / (1.0 + len(orders))
    adjusted[order] = np.maximum.accumulate((1.0 + stepped) / (1.0 + len(orders)))
    return alone, adjusted


def _freed(values: Array, Z: Array) -> Array:
    """What the covariates leave of the columns (or the one) of `values`."""
    if not Z.shape[1]:
        return values
    basis = spanning_basis(Z, len(Z))
    return residualise(basis, values) if values.ndim == 2 else residualise(basis, values[:, None])[:, 0]
