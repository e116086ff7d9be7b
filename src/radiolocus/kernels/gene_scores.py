"""Loops of gene set variation analysis."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel
from radiolocus.model import Array

__all__ = ["kernel_cdf", "variation_scores"]


@kernel
def kernel_cdf(values: Array, width: Array, table: Array, step: float, out: Array) -> None:
    """Smoothed distribution function of each gene over the samples, at each sample.

    Parameters
    ----------
    values : ndarray, shape (genes, samples)
    width : ndarray, shape (genes,)
        Standard deviation of the Gaussian kernel.
    table : ndarray, shape (points,)
        Standard normal distribution function at 0, `step`, 2 `step`, ...; 1 beyond its end.
    step : float
    out : ndarray, shape (genes, samples)
    """
    genes, samples = values.shape
    last = table.size - 1
    for g in range(genes):
        for j in range(samples):
            total = 0.0
            for i in range(samples):
                distance = (values[g, j] - values[g, i]) / width[g]
                place = abs(distance) / step
                if place < last:
                    below = int(place)
                    part = table[below] + (place - below) * (table[below + 1] - table[below])
                else:
                    part = 1.0
                total += part if distance >= 0.0 else 1.0 - part
            out[g, j] = total / samples


@kernel
def variation_scores(order: npt.NDArray[np.int64], inside: npt.NDArray[np.bool_], out: Array) -> None:
    """Largest positive plus largest negative deviation of the running sum of one set, in each sample.

    Parameters
    ----------
    order : ndarray of int64, shape (samples, genes)
        Genes from the highest to the lowest.
    inside : ndarray of bool, shape (genes,)
        Members of the set.
    out : ndarray, shape (samples,)
    """
    samples, genes = order.shape
    size = 0
    for g in range(genes):
        size += inside[g]
    miss = 1.0 / (genes - size)
    for s in range(samples):
        total = 0.0
        for place in range(genes):
            if inside[order[s, place]]:
                total += abs(genes - place - genes / 2.0)
        running, highest, lowest = 0.0, 0.0, 0.0
        for place in range(genes):
            if inside[order[s, place]]:
                weight = abs(genes - place - genes / 2.0)
                running += weight / total if total > 0.0 else 1.0 / size
            else:
                running -= miss
            highest = max(highest, running)
            lowest = min(lowest, running)
        out[s] = highest + lowest
