"""Clones the slow way: the likelihood by scipy's own distributions, trees by trying every assignment of parents."""

from itertools import product

import numpy as np
from scipy.stats import betabinom, binom


def log_likelihood(alt, depth, purity, copies, minor, normal, fraction, precision=0.0, error=0.001):
    """Of one mutation in one sample at one cancer cell fraction, multiplicities averaged."""
    major = max(1, round(copies - minor))
    chances = []
    for m in range(1, major + 1):
        expected = purity * m * fraction / (purity * copies + (1 - purity) * normal)
        expected = min(max(expected, error), 1 - error)
        if precision > 0:
            chances.append(betabinom.pmf(alt, depth, expected * precision, (1 - expected) * precision))
        else:
            chances.append(binom.pmf(alt, depth, expected))
    return np.log(np.mean(chances))


def trees(fraction, error, z=1.645):
    """Every assignment of parents without a cycle where children never exceed their parent by more than chance."""
    clones, samples = fraction.shape
    found = set()
    for parents in product(range(-1, clones), repeat=clones):
        if not _rooted(parents):
            continue
        good = True
        for parent in {*parents}:
            children = [k for k in range(clones) if parents[k] == parent]
            for j in range(samples):
                held = 1.0 if parent == -1 else fraction[parent, j]
                spread = 0.0 if parent == -1 else error[parent, j] ** 2
                over = sum(fraction[k, j] for k in children) - held
                good &= over <= z * np.sqrt(spread + sum(error[k, j] ** 2 for k in children)) + 1e-9
        if good:
            found.add(parents)
    single = {p for p in found if p.count(-1) == 1}
    return single or found


def _rooted(parents):
    for start in range(len(parents)):
        here, steps = start, 0
        while here != -1:
            here, steps = parents[here], steps + 1
            if steps > len(parents):
                return False
    return True
