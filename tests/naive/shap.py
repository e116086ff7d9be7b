"""Shapley values from their definition: every coalition of columns."""

from itertools import combinations
from math import factorial

import numpy as np


def expectation(x, known, children, threshold, cover, value, node=0):
    """What a tree predicts when only the columns `known` of a subject are."""
    column, left, right = children[node]
    if column < 0:
        return value[node]
    if column in known:
        return expectation(x, known, children, threshold, cover, value, left if x[column] <= threshold[node] else right)
    sides = [expectation(x, known, children, threshold, cover, value, side) for side in (left, right)]
    return (sides[0] * cover[left] + sides[1] * cover[right]) / cover[node]


def shapley(game, p):
    """Shapley values of a game on p players; `game` takes a set."""
    out = np.zeros(p)
    for j in range(p):
        others = [k for k in range(p) if k != j]
        for size in range(p):
            weight = factorial(size) * factorial(p - size - 1) / factorial(p)
            for chosen in combinations(others, size):
                out[j] += weight * (game({*chosen, j}) - game(set(chosen)))
    return out
