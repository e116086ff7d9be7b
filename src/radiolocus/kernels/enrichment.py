"""Enrichment scores of many sets of places in a ranking."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel
from radiolocus.model import Array

__all__ = ["enrichment_scores"]


@kernel
def enrichment_scores(weight: Array, places: npt.NDArray[np.int32], out: Array) -> None:
    """Largest deviation from zero of the running sum of Subramanian et al. 2005, of each row of `places`.

    Parameters
    ----------
    weight : ndarray, shape (genes,)
        |statistic| to its power, from the top of the ranking to its bottom.
    places : ndarray of int32, shape (sets, k)
        Places of the genes of a set in the ranking, ascending.
    out : ndarray, shape (sets,)
    """
    genes, k = weight.size, places.shape[1]
    miss = 1.0 / (genes - k)
    for s in range(places.shape[0]):
        total = 0.0
        for j in range(k):
            total += weight[places[s, j]]
        running, highest, lowest = 0.0, 0.0, 0.0
        for j in range(k):
            missed = (places[s, j] - j) * miss
            lowest = min(lowest, running - missed)
            # a set whose weights are all zero rises by equal steps
            running += weight[places[s, j]] / total if total > 0.0 else 1.0 / k
            highest = max(highest, running - missed)
        out[s] = highest if highest > -lowest else lowest
