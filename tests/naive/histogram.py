"""Intensity histogram and intensity-volume histogram from lists of numbers."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

from naive.intensity import features as statistics_of


def _slopes(counts):
    last = len(counts) - 1
    if last == 0:
        return None
    inner = [(counts[k + 1] - counts[k - 1]) / 2 for k in range(1, last)]
    return [counts[1] - counts[0], *inner, counts[last] - counts[last - 1]]


def histogram(levels):
    """Return every feature of the intensity histogram of a list of grey levels; None where it is not defined."""
    levels = [int(v) for v in levels]
    counts = [levels.count(i) for i in range(1, max(levels) + 1)]
    same = statistics_of(levels)
    names = [
        "mean",
        "var",
        "skew",
        "kurt",
        "median",
        "min",
        "p10",
        "p90",
        "max",
        "iqr",
        "range",
        "mad",
        "rmad",
        "medad",
        "cov",
        "qcod",
    ]
    mean = sum(levels) / len(levels)
    modes = [i for i, n in enumerate(counts, start=1) if n == max(counts)]
    p = [n / len(levels) for n in counts if n]
    slopes = _slopes(counts)
    return {f"ih_{name}": same[f"stat_{name}"] for name in names} | {
        "ih_mode": min(modes, key=lambda i: (abs(i - mean), i)),
        "ih_entropy": -sum(q * math.log2(q) for q in p),
        "ih_uniformity": sum(q**2 for q in p),
        "ih_max_grad": slopes and max(slopes),
        "ih_max_grad_g": slopes and 1 + slopes.index(max(slopes)),
        "ih_min_grad": slopes and min(slopes),
        "ih_min_grad_g": slopes and 1 + slopes.index(min(slopes)),
    }


def volume_histogram(values, scale):
    """Return every feature of the cumulative histogram; `scale` lists the intensities of the range, ascending."""
    n = len(values)
    share = [Fraction(sum(v >= i for v in values), n) for i in scale]
    fraction = [Fraction(k, len(scale) - 1) if len(scale) > 1 else None for k in range(len(scale))]

    def volume(x):
        return max((v for v, f in zip(share, fraction, strict=True) if f is not None and f >= x), default=None)

    def intensity(x):
        return min((i for i, v in zip(scale, share, strict=True) if v <= x), default=None)

    def less(a, b):
        return None if a is None or b is None else a - b

    ten, ninety = Fraction(1, 10), Fraction(9, 10)
    area = sum((a + b) / 2 for a, b in pairwise(share))
    return {
        "ivh_v10": volume(ten),
        "ivh_v90": volume(ninety),
        "ivh_i10": intensity(ten),
        "ivh_i90": intensity(ninety),
        "ivh_diff_v10_v90": less(volume(ten), volume(ninety)),
        "ivh_diff_i10_i90": less(intensity(ten), intensity(ninety)),
        "ivh_auc": float(area / (len(scale) - 1)) if len(set(values)) > 1 else 0.0,
    }
