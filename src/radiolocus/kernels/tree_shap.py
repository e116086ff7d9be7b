"""Shapley values of trees, exactly, leaf by leaf.

What a tree predicts when only some columns are known is a sum over its leaves: the value of the leaf times, for each
column on the way to it, either 1 or 0 (known: the subject takes that way or does not) or the share of training
subjects that take it (unknown). The Shapley values of such a product are sums over the sizes of coalitions of the
coefficients of a polynomial with one factor a column, from which the factor of the column itself is divided out.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel
from radiolocus.model import Array, BoolArray

__all__ = ["add_tree_shap", "node_cover"]

Ints = npt.NDArray[np.int64]

_LEAST = 1e-200


@kernel
def node_cover(x: Array, children: Ints, threshold: Array) -> Array:
    """Count the rows of `x` that pass each node of a tree.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    children : ndarray of int64, shape (nodes, 3)
        Column (−1: a leaf), and the nodes left and right.
    threshold : ndarray, shape (nodes,)
        Left is at most this.

    Returns
    -------
    ndarray, shape (nodes,)
    """
    cover = np.zeros(children.shape[0])
    for i in range(x.shape[0]):
        at = 0
        cover[0] += 1.0
        while children[at, 0] >= 0:
            at = children[at, 1] if x[i, children[at, 0]] <= threshold[at] else children[at, 2]
            cover[at] += 1.0
    return cover


@kernel
def _path(leaf: int, parent: Ints, children: Ints, threshold: Array, cover: Array) -> tuple[Ints, Array, Array, Array]:
    # Columns on the way to a leaf, each once: share of subjects that take its turns, and the open interval (low, high].
    columns = np.empty(children.shape[0], dtype=np.int64)
    share, low, high = np.ones(columns.size), np.full(columns.size, -np.inf), np.full(columns.size, np.inf)
    count, at = 0, leaf
    while parent[at] >= 0:
        above = parent[at]
        place = 0
        while place < count and columns[place] != children[above, 0]:
            place += 1
        if place == count:
            columns[count] = children[above, 0]
            count += 1
        share[place] *= cover[at] / cover[above] if cover[above] > 0.0 else 0.0
        if children[above, 1] == at:
            high[place] = min(high[place], threshold[above])
        else:
            low[place] = max(low[place], threshold[above])
        at = above
    return columns[:count].copy(), np.maximum(share[:count], _LEAST), low[:count].copy(), high[:count].copy()


@kernel
def _sizes(m: int) -> Array:
    # Weight of a coalition of k others among m columns: k! (m − k − 1)! / m!
    weight = np.empty(m)
    weight[0] = 1.0 / m
    for k in range(1, m):
        weight[k] = weight[k - 1] * k / (m - k)
    return weight


@kernel
def _multiply(inside: BoolArray, share: Array, whole: Array) -> None:
    # The polynomial of a leaf: a factor (share + t) where the subject takes that way, `share` where it does not.
    whole[0] = 1.0
    for j in range(share.size):
        whole[j + 1] = 0.0
        for k in range(j + 1, 0, -1):
            whole[k] = whole[k] * share[j] + (whole[k - 1] if inside[j] else 0.0)
        whole[0] *= share[j]


@kernel
def _gain(inside: bool, share: float, whole: Array, weight: Array) -> float:
    # What one column adds: its own factor divided out of the polynomial, from above, where rounding shrinks.
    total, carried = 0.0, 0.0
    for k in range(weight.size - 1, -1, -1):
        carried = whole[k + 1] - share * carried if inside else whole[k] / share
        total += weight[k] * carried
    return total * (1.0 - share) if inside else -total * share


@kernel
def add_tree_shap(x: Array, children: Ints, threshold: Array, cover: Array, value: Array, out: Array) -> float:
    """Add the Shapley values of one tree to `out`, shape (n, p), and return its mean over the training subjects.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        Subjects to explain.
    children, threshold
        As for :func:`node_cover`.
    cover : ndarray, shape (nodes,)
        Training subjects, or their weight, in each node.
    value : ndarray, shape (nodes,)
        Of the leaves.
    out : ndarray, shape (n, p)
    """
    nodes = children.shape[0]
    parent = np.full(nodes, -1, dtype=np.int64)
    for node in range(nodes):
        if children[node, 0] >= 0:
            parent[children[node, 1]] = node
            parent[children[node, 2]] = node
    mean = 0.0
    for leaf in range(nodes):
        if children[leaf, 0] >= 0 or cover[leaf] <= 0.0:
            continue
        mean += value[leaf] * cover[leaf] / cover[0]
        columns, share, low, high = _path(leaf, parent, children, threshold, cover)
        m = columns.size
        weight, whole = _sizes(max(m, 1)), np.empty(m + 1)  # a tree may be one leaf
        inside = np.empty(m, dtype=np.bool_)
        for i in range(x.shape[0]):
            for j in range(m):
                inside[j] = low[j] < x[i, columns[j]] <= high[j]
            _multiply(inside, share, whole)
            for j in range(m):
                out[i, columns[j]] += value[leaf] * _gain(inside[j], share[j], whole, weight)
    return mean
