"""Concordance with competing events: has whoever has the event of interest, or has it earlier, the higher risk?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.errors import InputError, UndefinedError
from radiolocus.model import Array
from radiolocus.stats.censoring import Clock, check_states
from radiolocus.stats.concordance import UnoConcordance, finite_scores

__all__ = ["PairWeights", "competing_c"]


class PairWeights:
    """Pairs of patients that can be compared, and their weights by the inverse probability of censoring.

    A pair (i, j) is comparable where i has the event of interest by the truncation time and j is then still without any
    event (weight 1 / (G(Ti−) G(Ti))) or has had a competing one, and will never have the event (1 / (G(Ti−) G(Tj−))).
    j censored at the time of i's event was still without it.

    Parameters
    ----------
    time : ndarray, shape (n,)
    state : ndarray of int, shape (n,)
        0 censored, 1 the event of interest, 2, 3, ... others.
    truncation : float
    """

    def __init__(self, time: Array, state: npt.NDArray[np.int64], truncation: float) -> None:
        self.time, self.state = time, state
        self.clock = Clock.of(time, state > 0)
        self.first = np.flatnonzero((state == 1) & (time <= truncation))

    def masks(self, rows: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.intp], Array, Array]:
        """Of the patients `rows`: those with the event, and whom each of them can be compared with, in both ways."""
        lead = self.first[np.isin(self.first, rows)]
        gap = self.time[rows][None, :] - self.time[lead][:, None]
        later = (gap > 0) | ((gap == 0) & (self.state[rows] == 0)[None, :])
        rival = (gap <= 0) & (self.state[rows] > 1)[None, :]
        return lead, later.astype(np.float64), rival.astype(np.float64)

    def censoring(self, weights: Array) -> tuple[Array, Array]:
        """1/G(T−) and 1/G(T) of each patient under each row of patient weights; 0 where G is 0."""
        curve = self.clock.uncensored(weights)
        inverse = np.divide(1.0, curve, out=np.zeros_like(curve), where=curve > 0)
        return inverse[:, self.clock.place], inverse[:, self.clock.place + 1]


def competing_c(
    time: npt.ArrayLike,
    state: npt.ArrayLike,
    risk: npt.ArrayLike,
    *,
    cause: int = 1,
    truncation: float | None = None,
) -> UnoConcordance:
    """Wolbers' concordance index for competing risks, weighted by the inverse probability of censoring.

    The share of comparable pairs (:class:`PairWeights`) in which the patient with the event has the higher risk; equal
    risks count one half. It is that of R ``pec::cindex`` where no two times are equal.

    Parameters
    ----------
    time, state : array_like, shape (n,)
        State 0 for censored, 1, 2, ... for the kinds of event.
    risk : array_like, shape (n,)
        Higher means the event of interest is expected; the cumulative incidence by the truncation time, or anything
        that ranks patients alike.
    cause : int
    truncation : float, optional
        Events up to and including this time count; the last event of interest when not given.

    Raises
    ------
    InputError
        Unusable times, states, risks or truncation time.
    UndefinedError
        No event of interest, or no comparable pair.

    References
    ----------
    Wolbers, Blanche, Koller, Witteman & Gerds, Biostatistics 2014;15:526.
    """
    times, states, wanted = check_states(time, state, cause)
    score = finite_scores(risk, "risk", times.size)
    last = float(times[states == wanted].max()) if truncation is None else float(truncation)
    if not (np.isfinite(last) and 0 <= last <= times.max()):
        raise InputError(
            f"truncation time {last:g}", allowed=f"zero or positive, at most the last time, {times.max():g}"
        )
    codes = np.where(states == wanted, 1, np.where(states > 0, 2, 0)).astype(np.int64)
    pairs = PairWeights(times, codes, last)
    before, at = (w[0] for w in pairs.censoring(np.ones((1, times.size))))
    everybody = np.arange(times.size)
    lead, later, rival = pairs.masks(everybody)
    weight = before[lead][:, None] * (at[lead][:, None] * later + before[None, :] * rival)
    total = float(weight.sum())
    if total == 0.0:
        raise UndefinedError(
            f"no comparable pair with an event of interest by time {last:g} ({lead.size} events by then)",
            allowed="an event, and a patient without it then",
            todo="choose a later truncation time",
        )
    higher = 0.5 * (1.0 + np.sign(score[lead][:, None] - score[None, :]))
    return UnoConcordance(float((weight * higher).sum() / total), last, int(lead.size))
