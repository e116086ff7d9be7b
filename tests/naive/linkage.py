"""Slow and obvious: r² of two variants, of genotypes and of haplotypes."""

from __future__ import annotations

import numpy as np


def genotype_r2(a, b):
    both = (a >= 0) & (b >= 0)
    a, b = a[both], b[both]
    return np.corrcoef(a, b)[0, 1] ** 2 if a.size and np.ptp(a) and np.ptp(b) else np.nan


def haplotype_r2(a, b, starts=(0.02, 0.2, 0.5, 0.8, 0.98), rounds=1000):
    """Expectation and maximisation from several starts; the likeliest end."""
    both = (a >= 0) & (b >= 0)
    a, b = a[both], b[both]
    if not a.size or a.mean() in (0, 2) or b.mean() in (0, 2):
        return np.nan
    best = (-np.inf, None)
    pairs = [(i, j, ((a == i) & (b == j)).sum()) for i in range(3) for j in range(3)]
    for share in starts:
        for _ in range(rounds):
            f = np.zeros((2, 2))
            for i, j, count in pairs:
                if i == 1 and j == 1:
                    f += count * np.array([[share, 1 - share], [1 - share, share]])
                else:
                    for side in range(2):
                        f[int(i > side), int(j > side)] += count
            f /= f.sum()
            coupled, apart = f[1, 1] * f[0, 0], f[0, 1] * f[1, 0]
            again = coupled / (coupled + apart) if coupled + apart else 0.5
            if abs(again - share) < 1e-13:
                break
            share = again
        told = 0.0
        for i, j, count in pairs:
            if i == 1 and j == 1:
                told += count * np.log(max(2 * (f[1, 1] * f[0, 0] + f[0, 1] * f[1, 0]), 1e-300))
            else:
                told += count * np.log(max(f[int(i > 0), int(j > 0)] * f[int(i > 1), int(j > 1)], 1e-300))
        best = max(best, (told, f.tolist()), key=lambda pair: pair[0])
    f = np.array(best[1])
    pa, pb = f[1].sum(), f[:, 1].sum()
    return (f[1, 1] - pa * pb) ** 2 / (pa * (1 - pa) * pb * (1 - pb))
