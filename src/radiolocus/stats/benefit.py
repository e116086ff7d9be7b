"""Does a prediction of who benefits hold: value of the rule, calibration, and the benefit curve, from scores.

All of it starts from doubly robust scores of each subject under control and under treatment (see
:func:`radiolocus.stats.effects.doubly_robust_scores`) and from predictions that were made without the subject.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from radiolocus.errors import InputError, UndefinedError
from radiolocus.model import Array
from radiolocus.stats.effects import Estimate, mean_estimate
from radiolocus.stats.resampling import bootstrap_weights

__all__ = [
    "BenefitCurve",
    "Calibration",
    "GroupEffects",
    "PolicyValue",
    "benefit_by_group",
    "benefit_curve",
    "calibration_test",
    "policy_value",
]


@dataclass(frozen=True)
class PolicyValue:
    """What a rule is worth: the mean outcome if everybody were treated by it.

    Parameters
    ----------
    rule, everybody, nobody : Estimate
        Mean outcome under the rule, treating all, treating none.
    over_everybody, over_nobody : Estimate
        Differences to the rule, of the same subjects.
    share : float
        Whom the rule treats.
    """

    rule: Estimate
    everybody: Estimate
    nobody: Estimate
    over_everybody: Estimate
    over_nobody: Estimate
    share: float

    @property
    def beats_alike(self) -> bool:
        """Whether the rule is worth more than treating all the same, be it everybody or nobody, beyond its error."""
        return self.over_everybody.lower > 0 and self.over_nobody.lower > 0


def policy_value(control: npt.ArrayLike, treated: npt.ArrayLike, rule: npt.ArrayLike) -> PolicyValue:
    """Value of a treatment rule from doubly robust scores.

    Parameters
    ----------
    control, treated : array_like, shape (n,) or (R, n)
        Scores of each subject under control and under treatment, in one or several repetitions of the cross-fitting,
        over which each subject is averaged.
    rule : array_like, of the same shape
        Whether the subject would be treated; learned without him.

    Notes
    -----
    Where neither treatment nor rule changes anything, the difference to treating everybody alone lies outside its
    interval more often than its level says (in simulations 5 instead of 2.5 % above 0), because the rule follows the
    sign of a chance effect (Luedtke & van der Laan, Ann Stat 2016;44:713). :attr:`PolicyValue.beats_alike` asks for
    both differences and holds its level.

    References
    ----------
    Dudík, Langford & Li, ICML 2011. Athey & Wager, Econometrica 2021;89:133.
    """
    none, one = np.asarray(control, dtype=np.float64), np.asarray(treated, dtype=np.float64)
    chosen = np.asarray(rule, dtype=np.float64)
    under = chosen * one + (1 - chosen) * none

    def mean(values: Array) -> Estimate:
        return mean_estimate(np.atleast_2d(values).mean(axis=0))

    return PolicyValue(mean(under), mean(one), mean(none), mean(under - one), mean(under - none), float(chosen.mean()))


@dataclass(frozen=True)
class Calibration:
    """Best linear predictor of the effect from the predicted effect.

    Parameters
    ----------
    mean : Estimate
        Coefficient of the mean prediction: 1 when the average effect is predicted rightly.
    differential : Estimate
        Coefficient of the prediction about its mean: 1 when differences between subjects are predicted rightly, 0 when
        the prediction tells nothing of who benefits more.
    p_value : float
        One-sided, of `differential` not above 0.
    """

    mean: Estimate
    differential: Estimate
    p_value: float


def calibration_test(
    outcome: npt.ArrayLike,
    treated: npt.ArrayLike,
    expected: npt.ArrayLike,
    propensity: npt.ArrayLike,
    benefit: npt.ArrayLike,
) -> Calibration:
    """Regress what is left of the outcome on the predicted effect times what is left of treatment.

    y − m = α τ̄ (a − e) + β (τ̂ − τ̄) (a − e), by least squares without intercept and with HC3 errors.

    Parameters
    ----------
    outcome, treated : array_like, shape (n,)
    expected : array_like, shape (n,)
        Expected outcome whatever the treatment, predicted without the subject.
    propensity, benefit : array_like, shape (n,)
        Probability of treatment and predicted effect, without the subject.

    Raises
    ------
    UndefinedError
        The prediction is the same for everybody.

    References
    ----------
    Chernozhukov, Demirer, Duflo & Fernández-Val, arXiv:1712.04802. As ``test_calibration`` of grf (Athey & Wager,
    Observational Studies 2019;5:37).
    """
    y, a, m, e, tau = (np.asarray(v, dtype=np.float64) for v in (outcome, treated, expected, propensity, benefit))
    if np.ptp(tau) <= 1e-12 * max(1.0, float(np.abs(tau).max())):
        raise UndefinedError("one prediction for everybody", todo="the model found nothing that tells subjects apart")
    mean = float(tau.mean())
    level = mean if abs(mean) > 1e-12 else 1.0
    X = np.column_stack([level * (a - e), (tau - mean) * (a - e)])
    inverse = np.linalg.pinv(X.T @ X)
    beta = inverse @ (X.T @ (y - m))
    rest = (y - m - X @ beta) / (1 - np.einsum("ij,jk,ik->i", X, inverse, X))
    errors = np.sqrt(np.diag(inverse @ (X.T * rest**2) @ X @ inverse))
    first, second = (Estimate.normal(float(b), float(s), y.size) for b, s in zip(beta, errors, strict=True))
    return Calibration(first, second, float(ndtr(-second.estimate / second.standard_error)))


@dataclass(frozen=True, eq=False)
class GroupEffects:
    """Estimated effects in groups of rising predicted benefit (GATES).

    Parameters
    ----------
    predicted : tuple of float
        Mean prediction of each group.
    effect : tuple of Estimate
        Of each group, with its own 95 % interval.
    band : tuple of (float, float)
        Intervals that hold the effects of all groups together in 95 % of trials.
    most_less_least : Estimate
        Effect of the last group less that of the first.
    p_value : float
        One-sided, that the last group does not benefit more than the first.
    """

    predicted: tuple[float, ...]
    effect: tuple[Estimate, ...]
    band: tuple[tuple[float, float], ...]
    most_less_least: Estimate
    p_value: float


def benefit_by_group(
    benefit: npt.ArrayLike, control: npt.ArrayLike, treated: npt.ArrayLike, groups: int = 4
) -> GroupEffects:
    """Mean predicted and estimated effect in groups of rising predicted benefit, of sizes as equal as can be.

    Parameters
    ----------
    benefit : array_like, shape (n,)
        Predictions made without the subject; intervals take them, and the groups, as given.
    control, treated : array_like, shape (n,)
        Doubly robust scores.
    groups : int

    Raises
    ------
    InputError
        Fewer than two subjects a group.

    References
    ----------
    Chernozhukov, Demirer, Duflo & Fernández-Val, arXiv:1712.04802 (sorted group average treatment effects). Groups
    share no subject, so that their estimates are independent and the band of all of them is exact for normal errors.
    """
    tau = np.asarray(benefit, dtype=np.float64)
    gamma = np.asarray(treated, dtype=np.float64) - np.asarray(control, dtype=np.float64)
    if tau.size < 2 * groups:
        raise InputError(f"{tau.size} subjects in {groups} groups", allowed="at least two in each")
    parts = np.array_split(np.argsort(tau, kind="stable"), groups)
    effect = tuple(mean_estimate(gamma[part]) for part in parts)
    wide = float(ndtri((1.0 + 0.95 ** (1.0 / groups)) / 2.0))
    band = tuple((e.estimate - wide * e.standard_error, e.estimate + wide * e.standard_error) for e in effect)
    gap = effect[-1].estimate - effect[0].estimate
    error = float(np.hypot(effect[-1].standard_error, effect[0].standard_error))
    p_value = float(ndtr(-gap / error)) if error > 0 else float(gap <= 0)
    apart = Estimate.normal(gap, error, effect[-1].n + effect[0].n)
    return GroupEffects(tuple(float(tau[part].mean()) for part in parts), effect, band, apart, p_value)


@dataclass(frozen=True, eq=False)
class BenefitCurve:
    """What treating those of highest predicted benefit gains over treating as many by lot.

    Parameters
    ----------
    share : ndarray, shape (k,)
        Treated share.
    effect, lower, upper : ndarray, shape (k,)
        Mean effect among them, with bootstrap interval; at 1, the average effect.
    autoc, qini : Estimate
        Area under effect(share) − effect(1), plain, and weighted by the share: 0 when the ranking tells nothing.
    """

    share: Array
    effect: Array
    lower: Array
    upper: Array
    autoc: Estimate
    qini: Estimate


def benefit_curve(
    benefit: npt.ArrayLike,
    control: npt.ArrayLike,
    treated: npt.ArrayLike,
    *,
    draws: int = 500,
    seed: int = 1,
) -> BenefitCurve:
    """Targeting-operator characteristic of predicted benefit, with its area (AUTOC) and Qini coefficient.

    Subjects of equal prediction share the mean of their scores. Errors by the bootstrap of subjects, predictions fixed.

    Parameters
    ----------
    benefit, control, treated : array_like, shape (n,)
    draws, seed : int

    References
    ----------
    Yadlowsky et al., arXiv:2111.07966 (rank-weighted average treatment effects).
    """
    tau = np.asarray(benefit, dtype=np.float64)
    gamma = np.asarray(treated, dtype=np.float64) - np.asarray(control, dtype=np.float64)
    order = np.argsort(-tau, kind="stable")
    group = np.cumsum(np.r_[0, np.diff(tau[order]) != 0])
    share = np.arange(1, 21) / 20
    effects, autoc, qini = _ranked(gamma[order], group, np.ones((1, tau.size)), share)
    drawn = [
        _ranked(gamma[order], group, block[:, order].astype(np.float64), share)
        for block in bootstrap_weights(tau.size, draws, seed)
    ]
    spread = np.concatenate([d[0] for d in drawn])
    lower, upper = np.quantile(spread, [0.025, 0.975], axis=0)
    errors = [float(np.concatenate([d[k] for d in drawn]).std(ddof=1)) for k in (1, 2)]
    return BenefitCurve(
        share,
        effects[0],
        lower,
        upper,
        Estimate.normal(float(autoc[0]), errors[0], tau.size),
        Estimate.normal(float(qini[0]), errors[1], tau.size),
    )


def _ranked(gamma: Array, group: Array, weight: Array, share: Array) -> tuple[Array, Array, Array]:
    """Curve, AUTOC and Qini of scores in falling order of prediction, one row a draw."""
    starts = np.flatnonzero(np.r_[True, np.diff(group) != 0])
    mass = np.add.reduceat(weight, starts, axis=1)
    total = np.add.reduceat(weight * gamma, starts, axis=1)
    mean = np.divide(total, mass, out=np.zeros_like(total), where=mass > 0)[:, group.astype(np.intp)]
    n = weight.sum(axis=1, keepdims=True)
    u = np.cumsum(weight, axis=1)
    above = np.cumsum(weight * mean, axis=1)
    average = above[:, -1:] / n
    gain = np.divide(above, u, out=np.zeros_like(above), where=u > 0) - average
    autoc = (weight * gain).sum(axis=1) / n[:, 0]
    qini = (weight * gain * u / n).sum(axis=1) / n[:, 0]
    curve = np.empty((len(weight), share.size))
    for row, (heights, places) in enumerate(zip(above, u, strict=True)):
        at = share * places[-1]
        curve[row] = np.interp(at, np.r_[0.0, places], np.r_[0.0, heights]) / at
    return curve, autoc, qini
