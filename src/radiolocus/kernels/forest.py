"""Random survival forests: trees split by the log-rank statistic, exactly, at every threshold of a column.

The log-rank statistic of the subjects left of a threshold is a sum over them (observed less expected events) over the
root of a double sum over pairs of them, because the at-risk numbers enter its variance squared. Going along a sorted
column one subject at a time, both change by what a binary indexed tree tells in the logarithm of the number of event
times, so that all thresholds of a column cost hardly more than sorting it, and times need no bins.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel
from radiolocus.model import Array

__all__ = ["best_split", "grow_tree", "mean_hazard", "survivals"]

Ints = npt.NDArray[np.int64]


@kernel
def _node_table(own: Ints, stage: Ints, event: Array, weight: Array) -> tuple[Ints, Array, Array, Array]:
    # Subjects of the node in ascending time, events first at equal times. For each the number of the node's event times
    # up to its own; and after so many event times the cumulative hazard and two sums that the variance is made of.
    m = own.size
    steps = np.zeros(m + 1)
    rank = np.empty(m, dtype=np.int64)
    count, last = 0, -1
    for k in range(m):
        i = own[k]
        if event[i] > 0.0:
            if stage[i] != last:
                last = stage[i]
                count += 1
            steps[count] += weight[i]
        rank[k] = count
    hazard, cross, square = np.zeros(count + 1), np.zeros(count + 1), np.zeros(count + 1)
    at_risk = np.zeros(count + 1)
    for k in range(m):
        at_risk[rank[k]] += weight[own[k]]
    for r in range(count - 1, -1, -1):
        at_risk[r] += at_risk[r + 1]
    for r in range(1, count + 1):
        d, y = steps[r], at_risk[r]
        c = d * (y - d) / ((y - 1.0) * y * y) if y > 1.0 else 0.0
        hazard[r] = hazard[r - 1] + d / y
        cross[r] = cross[r - 1] + c * y
        square[r] = square[r - 1] + c
    return rank, hazard, cross, square


@kernel
def _add(tree: Array, at: int, value: float) -> None:
    while at < tree.size:
        tree[at] += value
        at += at & -at


@kernel
def _sum(tree: Array, at: int) -> float:
    total = 0.0
    while at > 0:
        total += tree[at]
        at -= at & -at
    return total


@kernel
def best_split(
    values: Array,
    rank: Ints,
    event: Array,
    weight: Array,
    tables: tuple[Array, Array, Array],
    least: float,
) -> tuple[float, float]:
    """Return the largest squared log-rank statistic over the thresholds of one column, and that threshold.

    Parameters
    ----------
    values : ndarray, shape (m,)
        Of the subjects of a node.
    rank : ndarray of int64, shape (m,)
        Event times of the node up to each subject's time.
    event, weight : ndarray, shape (m,)
    tables : tuple of three ndarray, shape (K + 1,)
        Cumulative over the event times: hazard, and the variance's terms with the subjects at risk and without.
    least : float
        Weight that must remain on either side.

    Returns
    -------
    statistic, threshold : float
        Statistic −1 when no threshold is possible.
    """
    hazard, cross, square = tables
    m = values.size
    order = np.argsort(values)
    tallies = np.zeros(square.size + 1)
    sums = np.zeros(square.size + 1)
    everybody = weight.sum()
    score, linear, pairs, left = 0.0, 0.0, 0.0, 0.0
    best, threshold = -1.0, 0.0
    for k in range(m - 1):
        i = order[k]
        r, w = rank[i], weight[i]
        before = _sum(tallies, r + 1)
        score += w * (event[i] - hazard[r])
        linear += w * cross[r]
        pairs += w * w * square[r] + 2.0 * w * (_sum(sums, r + 1) + square[r] * (left - before))
        left += w
        _add(tallies, r + 1, w)
        _add(sums, r + 1, w * square[r])
        if everybody - left < least:
            break
        here, there = values[i], values[order[k + 1]]
        variance = linear - pairs
        if left >= least and there > here and variance > 1e-9 * linear:
            statistic = score * score / variance
            if statistic > best:
                best, threshold = statistic, 0.5 * (here + there)
                if threshold >= there:  # neighbours in floating point
                    threshold = here
    return best, threshold


@kernel
def _parted(own: Ints, x: Array, threshold: float) -> tuple[Ints, Ints]:
    low = x[own] <= threshold
    return own[low], own[~low]


@kernel
def grow_tree(
    xt: Array, stage: Ints, event: Array, weight: Array, columns: int, least: float, seed: int
) -> tuple[Ints, Array, Ints, Ints, Array]:
    """Grow one tree on weighted subjects.

    Parameters
    ----------
    xt : ndarray, shape (p, n)
        One contiguous row a column; subjects in ascending time, events before censorings at equal times.
    stage : ndarray of int64, shape (n,)
        Number of distinct times up to each subject's.
    event, weight : ndarray, shape (n,)
        Weight is how often the subject was drawn; zero leaves it out.
    columns : int
        Columns tried at each node.
    least : float
        Least weight of a leaf.
    seed : int
        Of the columns that are tried.

    Returns
    -------
    nodes : ndarray of int64, shape (nodes, 3)
        Column (−1 a leaf), and the nodes left and right; of a leaf the first and last row of its jumps.
    threshold : ndarray, shape (nodes,)
        Left is at most this.
    used : ndarray of int64, shape (p,)
        How many nodes each column splits.
    jump_stage : ndarray of int64, shape (jumps,)
        At which distinct time the cumulative hazard of a leaf jumps.
    jump : ndarray, shape (jumps,)
        The cumulative hazard (Nelson–Aalen) from there on.
    """
    np.random.seed(seed)  # noqa: NPY002 — numba's own generator, of this thread
    p, n = xt.shape
    nodes = np.full((2 * n + 1, 3), -1, dtype=np.int64)
    threshold = np.zeros(2 * n + 1)
    used = np.zeros(p, dtype=np.int64)
    jump_stage = np.empty(int(event.sum()) + 1, dtype=np.int64)
    jump = np.empty(jump_stage.size)
    jumps, made = 0, 1
    choice = np.arange(p)
    waiting = [(0, np.flatnonzero(weight > 0.0))]
    while len(waiting) > 0:
        node, own = waiting.pop()
        rank, hazard, cross, square = _node_table(own, stage, event, weight)
        best, column = -1.0, -1
        if hazard.size > 1 and weight[own].sum() >= 2.0 * least:
            for c in range(min(columns, p)):
                other = np.random.randint(c, p)  # noqa: NPY002
                choice[c], choice[other] = choice[other], choice[c]
                found, cut = best_split(
                    xt[choice[c]][own], rank, event[own], weight[own], (hazard, cross, square), least
                )
                if found > best:
                    best, column = found, choice[c]
                    threshold[node] = cut
        if column >= 0:
            low, high = _parted(own, xt[column], threshold[node])
            nodes[node] = np.array([column, made, made + 1])
            used[column] += 1
            waiting.append((made + 1, high))
            waiting.append((made, low))
            made += 2
        else:
            nodes[node, 1] = jumps
            for k in range(own.size):
                if event[own[k]] > 0.0 and (jumps == nodes[node, 1] or jump_stage[jumps - 1] != stage[own[k]]):
                    jump_stage[jumps] = stage[own[k]]
                    jump[jumps] = hazard[rank[k]]
                    jumps += 1
            nodes[node, 2] = jumps
    return nodes[:made].copy(), threshold[:made].copy(), used, jump_stage[:jumps].copy(), jump[:jumps].copy()


@kernel
def _leaf(x: Array, nodes: Ints, threshold: Array) -> int:
    at = 0
    while nodes[at, 0] >= 0:
        at = nodes[at, 1] if x[nodes[at, 0]] <= threshold[at] else nodes[at, 2]
    return at


@kernel
def survivals(x: Array, nodes: Ints, threshold: Array, jump_stage: Ints, jump: Array, stages: Ints, out: Array) -> None:
    """Add the survival that a tree predicts, exp(−cumulative hazard of the leaf), to `out`, shape (n, t).

    Parameters
    ----------
    x : ndarray, shape (n, p)
    nodes, threshold, jump_stage, jump
        As :func:`grow_tree` returns them.
    stages : ndarray of int64, shape (t,)
        How many of the distinct times of the training part each time has passed, ascending.
    out : ndarray, shape (n, t)
    """
    for i in range(x.shape[0]):
        leaf = _leaf(x[i], nodes, threshold)
        at, end = nodes[leaf, 1], nodes[leaf, 2]
        height = 0.0
        for k in range(stages.size):
            while at < end and jump_stage[at] <= stages[k]:
                height = jump[at]
                at += 1
            out[i, k] += math.exp(-height)


@kernel
def mean_hazard(
    x: Array, nodes: Ints, threshold: Array, jump_stage: Ints, jump: Array, passed: Array, out: Array
) -> None:
    """Add the sums over all event times of the cumulative hazard that a tree predicts to `out`, shape (n,).

    `passed[s]` is how many event times of the training part lie at or behind distinct time `s`.
    """
    sums = np.zeros(nodes.shape[0])
    for leaf in range(nodes.shape[0]):
        if nodes[leaf, 0] < 0:
            height = 0.0
            for at in range(nodes[leaf, 1], nodes[leaf, 2]):
                sums[leaf] += (jump[at] - height) * passed[jump_stage[at]]
                height = jump[at]
    for i in range(x.shape[0]):
        out[i] += sums[_leaf(x[i], nodes, threshold)]
