"""Permutation p-values of links: which columns are permuted, under which transformation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.associate.link_options import LinkOptions
from radiolocus.model import Array, BoolArray
from radiolocus.stats.correlation import average_ranks, spanning_basis
from radiolocus.stats.maxt import Block, max_t

__all__ = ["Permuted", "own_ranks", "permute_links"]


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
    """Permute the features against all markers that were tested; distance tests are not permuted.

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
    return Permuted(np.where(tested, p_value, np.nan), np.where(tested, family_wise, np.nan), fitted & tested)
