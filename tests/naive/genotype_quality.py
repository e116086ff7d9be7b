"""Slow, obvious twins of the loops of genotype quality."""

from __future__ import annotations

import math
from itertools import combinations


def hardy_weinberg(one: int, het: int, two: int, *, midp: bool) -> float:
    """p-value by listing every heterozygote count that the alleles allow, with exact factorials."""
    n, rare = one + het + two, 2 * min(one, two) + het
    ways = {}
    for h in range(rare % 2, rare + 1, 2):
        minor = (rare - h) // 2
        major = n - h - minor
        ways[h] = math.factorial(n) // (math.factorial(h) * math.factorial(minor) * math.factorial(major)) * 2**h
    total, seen = sum(ways.values()), ways[het]
    below = sum(w for w in ways.values() if w < seen)
    ties = sum(w for w in ways.values() if w == seen)
    return (below + ties / 2 if midp else below + ties) / total


def hard_call(dosage: float) -> int:
    near = [k for k in (0, 1, 2) if abs(dosage - k) <= 0.1 + 1e-6]
    return near[0] if near else -1


def king(a: list[int], b: list[int]) -> tuple[int, int, int, int]:
    pairs = [(x, y) for x, y in zip(a, b, strict=True) if x >= 0 and y >= 0]
    return (
        sum(x == 1 and y == 1 for x, y in pairs),
        sum({x, y} == {0, 2} for x, y in pairs),
        sum(x == 1 and y != 1 for x, y in pairs),
        sum(x != 1 and y == 1 for x, y in pairs),
    )


def r2(a: list[int], b: list[int]) -> float:
    pairs = [(x, y) for x, y in zip(a, b, strict=True) if x >= 0 and y >= 0]
    if not pairs:
        return 0.0
    n = len(pairs)
    mx, my = sum(x for x, _ in pairs) / n, sum(y for _, y in pairs) / n
    sxx, syy = sum((x - mx) ** 2 for x, _ in pairs), sum((y - my) ** 2 for _, y in pairs)
    return 0.0 if min(sxx, syy) < 1e-12 else sum((x - mx) * (y - my) for x, y in pairs) ** 2 / (sxx * syy)


def correlated_pairs(calls: list[list[int]], limit: float, window: int) -> list[tuple[int, int]]:
    """Pairs less than a window apart that are correlated beyond the limit."""
    near = (p for p in combinations(range(len(calls)), 2) if p[1] - p[0] < window)
    return [(i, j) for i, j in near if r2(calls[i], calls[j]) > limit]
