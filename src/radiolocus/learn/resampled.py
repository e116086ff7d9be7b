"""Performance from bootstrap samples of patients: optimism, .632 and .632+."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import UndefinedError
from radiolocus.learn.discrimination import ratio, within_fold_blocks, within_fold_concordant, within_fold_pairs
from radiolocus.learn.target import Target
from radiolocus.model import Array
from radiolocus.stats.resampling import bootstrap_weights, percentile_interval

__all__ = ["Resampled", "resampled_discrimination"]

_NO_INFORMATION = 0.5


@dataclass(frozen=True)
class Resampled:
    """Harrell's C or AUC from bootstrap samples.

    Parameters
    ----------
    method : str
        ``apparent``, ``optimism``, ``.632`` or ``.632+``.
    estimate, lower, upper : float
        The interval of the apparent performance over bootstrap draws of patients, moved by what `method` takes off.
    samples : int
        Samples that entered.
    """

    method: str
    estimate: float
    lower: float
    upper: float
    samples: int


def resampled_discrimination(
    target: Target,
    apparent: Array,
    prediction: Array,
    times: npt.NDArray[np.int64],
    draws: int = 1000,
    seed: int = 1,
) -> list[Resampled]:
    """Correct the apparent performance of a model by what its bootstrap twins show.

    *Optimism*: the mean over samples of (C of a sample's model in its sample − C of that model in everybody) is taken
    off. *.632*: 0.368 of the apparent C and 0.632 of the mean C among those left out. *.632+*: the weight of the latter
    grows from 0.632 to 1 with the relative overfitting, (apparent − left out) / (apparent − 0.5); a C among those left
    out of less than 0.5 counts as 0.5 (Efron & Tibshirani 1997).

    Parameters
    ----------
    target : Target
        Of n patients; survival, binary or ordinal.
    apparent : ndarray, shape (n,)
        Predictions of the model fitted to everybody.
    prediction : ndarray, shape (B, n)
        Predictions of each sample's model for everybody.
    times : ndarray of int64, shape (B, n)
        How often each patient was drawn into each sample.
    draws, seed : int
        Of the interval.

    Returns
    -------
    list of Resampled
        ``apparent``, ``optimism``, ``.632``, ``.632+``.

    Raises
    ------
    UndefinedError
        Nothing to compare in everybody, or in what a sample left out.

    References
    ----------
    Harrell, Lee & Mark (1996) Stat Med 15:361. Efron & Tibshirani (1997) J Am Stat Assoc 92:548. Intervals moved by
    the correction: Noma et al. (2021) Stat Med 40:5691.
    """
    together = np.zeros(target.n, dtype=np.int64)
    ones = np.ones((1, target.n))
    whole = within_fold_blocks(target, apparent, together)
    own = float(_share(whole, ones)[0])
    inside, everybody, outside = (np.empty(len(prediction)) for _ in range(3))
    for b, (score, drawn) in enumerate(zip(prediction, times, strict=True)):
        blocks = within_fold_blocks(target, score, together)
        weights = np.vstack([drawn, np.ones(target.n), drawn == 0]).astype(np.float64)
        inside[b], everybody[b], outside[b] = _share(blocks, weights)
    flaw = np.flatnonzero(~np.isfinite(inside + everybody + outside))
    if not np.isfinite(own) or flaw.size:
        raise UndefinedError(
            "no comparable pair in " + (f"bootstrap sample {flaw[0] + 1}" if flaw.size else "the cohort"),
            allowed="an event and a patient at risk beyond it, or both classes",
        )
    left_out = float(outside.mean())
    corrected = {
        "apparent": own,
        "optimism": own - float((inside - everybody).mean()),
        ".632": 0.368 * own + 0.632 * left_out,
        ".632+": _plus(own, left_out),
    }
    stratum = None if target.time is not None else target.event
    drawn_c = np.concatenate(
        [_share(whole, w.astype(np.float64)) for w in bootstrap_weights(target.n, draws, seed, stratum=stratum)]
    )
    interval = percentile_interval(drawn_c)
    return [
        Resampled(name, value, interval.lower + value - own, interval.upper + value - own, len(prediction))
        for name, value in corrected.items()
    ]


def _plus(apparent: float, left_out: float) -> float:
    bounded = max(left_out, _NO_INFORMATION)
    gap = apparent - _NO_INFORMATION
    overfitting = (apparent - bounded) / gap if gap > 0 and apparent > bounded else 0.0
    weight = 0.632 / (1.0 - 0.368 * min(max(overfitting, 0.0), 1.0))
    return (1.0 - weight) * apparent + weight * bounded


def _share(blocks: Sequence[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Array, Array]], weights: Array) -> Array:
    found = list(blocks)
    return ratio(within_fold_concordant(found, weights), within_fold_pairs(found, weights))
