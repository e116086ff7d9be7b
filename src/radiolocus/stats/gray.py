"""Gray's test: is the cumulative incidence of one kind of event the same in several groups?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.errors import InputError, UndefinedError
from radiolocus.model import Array
from radiolocus.stats.censoring import check_states
from radiolocus.stats.tail import neg_log10_p_chi2

__all__ = ["GrayTest", "gray_test"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class GrayTest:
    """A test of equal cumulative incidence.

    Parameters
    ----------
    statistic : float
        χ² with `degrees_of_freedom`.
    degrees_of_freedom : int
        Groups less one.
    group : ndarray, shape (k,)
        Labels in ascending order.
    observed : ndarray of int64, shape (k,)
        Events of interest in each group.
    """

    statistic: float
    degrees_of_freedom: int
    group: npt.NDArray[np.generic]
    observed: Ints

    @property
    def neg_log10_p(self) -> float:
        """−log10 of the p-value."""
        return float(neg_log10_p_chi2(self.statistic, self.degrees_of_freedom))


def gray_test(time: npt.ArrayLike, state: npt.ArrayLike, group: npt.ArrayLike, cause: int = 1) -> GrayTest:
    """Gray's k-sample test of the subdistribution hazards of one kind of event (weight function 1, one stratum).

    Parameters
    ----------
    time, state : array_like, shape (n,)
        State 0 for censored, 1, 2, ... for the kinds of event.
    group : array_like, shape (n,)
        Label of each patient's group.
    cause : int
        The kind of event looked at.

    Returns
    -------
    GrayTest

    Raises
    ------
    InputError
        Unusable times or states, lengths that disagree, fewer than two groups.
    UndefinedError
        Nobody has the event, or none happens while two groups are at risk.

    References
    ----------
    Gray, Ann Stat 1988;16:1141.
    """
    times, states, wanted = check_states(time, state, cause)
    labels = np.asarray(group)
    if labels.shape != times.shape:
        raise InputError(f"{times.size} times and group labels of shape {labels.shape}", allowed="one label a patient")
    names, member = np.unique(labels, return_inverse=True)
    if names.size < 2:
        raise InputError(f"{names.size} group in Gray's test", allowed="at least two groups")
    distinct, place = np.unique(times, return_inverse=True)
    shape = (distinct.size, names.size)
    cell = place * names.size + member

    def counted(who: npt.NDArray[np.bool_]) -> Array:
        return np.bincount(cell[who], minlength=distinct.size * names.size).reshape(shape).astype(np.float64)

    own, other = counted(states == wanted), counted((states > 0) & (states != wanted))
    leaving = counted(np.ones(times.size, dtype=bool))
    at_risk = np.cumsum(leaving[::-1], axis=0)[::-1]
    score, variance = _score(own, other, at_risk)
    kept = slice(0, names.size - 1)  # the scores sum to zero: the last group carries no information
    spread = variance[kept, kept]
    if not (np.linalg.eigvalsh(spread) > 1e-12).all():
        raise UndefinedError(
            f"{int(own.sum())} events of the kind looked at, none while two groups are at risk",
            allowed="at least one event with two groups at risk",
            todo="merge groups or leave the test out",
        )
    statistic = float(score[kept] @ np.linalg.solve(spread, score[kept]))
    return GrayTest(statistic, names.size - 1, names, own.sum(axis=0).astype(np.int64))


def _score(own: Array, other: Array, at_risk: Array) -> tuple[Array, Array]:
    """Score of each group and its covariance, summed over the distinct times.

    R_g = at risk × (1 − F_g(t−)) / S_g(t−) is the number at risk of the subdistribution, of which n/S_g(t−) is what the
    variance is made of; the incidence F under the hypothesis is that of all groups together.
    """
    k = own.shape[1]
    score, variance = np.zeros(k), np.zeros((k, k))
    kaplan, own_incidence, incidence = np.ones(k), np.zeros(k), 0.0
    # `path` (k, k): what an influence of a group at this time goes on to do to each score; `sum_*`: its moments.
    path, square, cross = np.zeros((k, k)), np.zeros(k), np.zeros((k, k))
    for d1, d2, n in zip(own, other, at_risk, strict=True):
        if not (d1.any() or d2.any()):
            continue
        here = n > 0
        size = np.where(here, n, 1.0)
        after = np.where(here, kaplan * (n - d1 - d2) / size, kaplan)
        deaths = float(d1.sum())
        share = np.where(here, n / np.where(here, kaplan, 1.0), 0.0)
        total = float(share.sum())
        subdistribution = share * (1.0 - own_incidence)
        score += np.where(here, d1 - deaths * subdistribution / subdistribution.sum(), 0.0)
        weight = np.diag(share) - np.outer(share, share) / total
        path += weight * deaths / (total * (1.0 - incidence))
        incidence_after = incidence + deaths / total
        left = np.divide(1.0 - incidence_after, after, out=np.ones(k), where=after > 0)
        if deaths:
            ties = 1.0 - (deaths - 1.0) / (total * kaplan - 1.0) if deaths > 1 else np.ones(k)
            mass = np.where(here, ties * kaplan * deaths / (total * size), 0.0)
            gain = np.where(after > 0, 1.0 - left, 1.0)
            step = weight - gain[None, :] * path
            variance += (step * mass[None, :]) @ step.T
            cross += step * (gain * mass)[None, :]
            square += gain**2 * mass
        rival = here & (d2 > 0) & (after > 0)
        if rival.any():
            ties = np.where(d2 > 1, 1.0 - (d2 - 1.0) / np.maximum(n - 1.0, 1.0), 1.0)
            mass = np.where(rival, ties * kaplan**2 * d2 / size**2, 0.0)
            step = left[None, :] * path
            variance += (step * mass[None, :]) @ step.T
            cross -= step * (left * mass)[None, :]
            square += left**2 * mass
        own_incidence = np.where(here, own_incidence + kaplan * d1 / size, own_incidence)
        kaplan, incidence = after, incidence_after
    linear = path @ cross.T
    return score, variance + (path * square[None, :]) @ path.T + linear + linear.T
