"""Elastic-net paths of the Cox and the logistic model: coordinate descent inside a proximal Newton step.

The criterion is ``loss(η)/n + λ Σ_j (α |β_j| + (1 − α) β_j² / 2)`` with ``η = β₀ + X β``, as in glmnet: `loss` is the
negative log partial likelihood or the negative log likelihood, λ the penalty and α the share of the l1 part.

Both models hand the same things to the descent: the loss, the residual −∂loss/∂η and a diagonal weight. The curvature
of the partial likelihood is that diagonal minus one outer product for every event, of the means over its risk set; the
descent carries those means along as a few extra rows, so that each step is a full Newton step at the price of a
diagonal one.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel
from radiolocus.model import Array, BoolArray

__all__ = ["cox_loss", "elastic_net_path", "null_residual"]

Bounds = npt.NDArray[np.int64]


@kernel
def _dot(a: Array, b: Array) -> float:
    # Four running sums: the additions no longer wait for one another, and the order stays the same everywhere.
    n = a.size
    m = n - n % 4
    s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
    for i in range(0, m, 4):
        s0 += a[i] * b[i]
        s1 += a[i + 1] * b[i + 1]
        s2 += a[i + 2] * b[i + 2]
        s3 += a[i + 3] * b[i + 3]
    for i in range(m, n):
        s0 += a[i] * b[i]
    return (s0 + s1) + (s2 + s3)


@kernel
def _total(a: Array) -> float:
    total = 0.0
    for i in range(a.size):
        total += a[i]
    return total


@kernel
def _cox_terms(eta: Array, event: Array, bounds: Bounds, efron: bool, state: Array) -> float:
    # Subjects stand in ascending time; bounds[g]:bounds[g + 1] are those who share time g. Rows of `state` filled:
    # 0 residual, 1 expected events, 2 relative hazard, 3 and 4 (event by event, latest first) 1 / risk-set total and
    # the share of the tied events that Efron takes out of it.
    residual, weight, hazard, inverse, share = state[0], state[1], state[2], state[3], state[4]
    groups = bounds.size - 1
    rise = np.zeros(groups)
    own = np.zeros(groups)
    top = eta[0]
    for i in range(eta.size):
        top = max(top, eta[i])
    loss, at_risk, term = 0.0, 0.0, 0
    for g in range(groups - 1, -1, -1):
        deaths, tied = 0, 0.0
        for i in range(bounds[g], bounds[g + 1]):
            hazard[i] = math.exp(eta[i] - top)
            at_risk += hazard[i]
            if event[i] > 0.0:
                deaths += 1
                tied += hazard[i]
                loss -= eta[i] - top
        if deaths > 0 and at_risk <= 0.0:
            return np.inf
        for k in range(deaths):
            share[term] = k / deaths if efron else 0.0
            rest = at_risk - share[term] * tied
            inverse[term] = 1.0 / rest
            loss += math.log(rest)
            rise[g] += inverse[term]
            own[g] += share[term] * inverse[term]
            term += 1
    cumulative = 0.0
    for g in range(groups):
        cumulative += rise[g]
        for i in range(bounds[g], bounds[g + 1]):
            weight[i] = hazard[i] * (cumulative - own[g] if event[i] > 0.0 else cumulative)
            residual[i] = event[i] - weight[i]
    return loss


@kernel
def _risk_set_means(x: Array, event: Array, bounds: Bounds, state: Array, means: Array) -> None:
    # Weighted mean of x over the risk set of each event, in the order of rows 3 and 4 of `state`.
    hazard, inverse, share = state[2], state[3], state[4]
    total, term = 0.0, 0
    for g in range(bounds.size - 2, -1, -1):
        deaths, tied = 0, 0.0
        for i in range(bounds[g], bounds[g + 1]):
            total += hazard[i] * x[i]
            if event[i] > 0.0:
                deaths += 1
                tied += hazard[i] * x[i]
        for _ in range(deaths):
            means[term] = (total - share[term] * tied) * inverse[term]
            term += 1


@kernel
def _logistic_terms(eta: Array, event: Array, state: Array) -> float:
    residual, weight = state[0], state[1]
    loss = 0.0
    for i in range(eta.size):
        tail = math.exp(-abs(eta[i]))
        loss += math.log1p(tail) + max(eta[i], 0.0) - event[i] * eta[i]
        probability = 1.0 / (1.0 + tail) if eta[i] >= 0.0 else tail / (1.0 + tail)
        residual[i] = event[i] - probability
        # A floor keeps the step finite where the fit saturates; the solution depends on the residual alone.
        weight[i] = max(probability * (1.0 - probability), 1e-5)
    return loss


@kernel
def _terms(eta: Array, event: Array, bounds: Bounds, survival: bool, efron: bool, state: Array) -> float:
    if survival:
        return _cox_terms(eta, event, bounds, efron, state)
    return _logistic_terms(eta, event, state)


@kernel
def _violation(xt: Array, beta: Array, work: Bounds, residual: Array, survival: bool, l1: float, l2: float) -> float:
    # How far the working coordinates are from the optimality (Karush-Kuhn-Tucker) conditions.
    n = residual.size
    worst = 0.0 if survival else abs(_total(residual)) / n
    for j in work:
        slope = _dot(xt[j], residual) / n - l2 * beta[j]
        if beta[j] > 0.0:
            worst = max(worst, abs(slope - l1))
        elif beta[j] < 0.0:
            worst = max(worst, abs(slope + l1))
        else:
            worst = max(worst, abs(slope) - l1)
    return worst


@kernel
def _turn(
    xt: Array,
    beta: Array,
    work: Bounds,
    residual: Array,
    weight: Array,
    means: Array,
    pull: Array,
    curvature: Array,
    l1: float,
    l2: float,
    everything: bool,
) -> float:
    # One turn over the coordinates of the quadratic model; returns the largest squared step in units of curvature.
    n = residual.size
    largest = 0.0
    for a in range(work.size):
        j = work[a]
        if curvature[a] <= 1e-12 or (beta[j] == 0.0 and not everything):
            continue
        x = xt[j]
        target = (_dot(x, residual) + _dot(means[a], pull)) / n + curvature[a] * beta[j]
        new = 0.0
        if abs(target) > l1:
            new = math.copysign(abs(target) - l1, target) / (curvature[a] + l2)
        change = new - beta[j]
        if change != 0.0:
            beta[j] = new
            largest = max(largest, curvature[a] * change * change)
            for i in range(n):
                residual[i] -= weight[i] * x[i] * change
            for t in range(pull.size):
                pull[t] += means[a, t] * change
    return largest


@kernel
def _descend(
    xt: Array,
    beta: Array,
    work: Bounds,
    residual: Array,
    weight: Array,
    means: Array,
    curvature: Array,
    survival: bool,
    l1: float,
    l2: float,
) -> float:
    # Cyclic coordinate descent on the quadratic model; `residual` is used up. Returns the change of the intercept.
    pull = np.zeros(means.shape[1])
    mass = _total(weight)
    moved, first, settled = 0.0, 0.0, False
    for turn in range(200):
        if not survival:
            shift = _total(residual) / mass
            moved += shift
            for i in range(residual.size):
                residual[i] -= weight[i] * shift
        # Coordinates at zero mostly stay there: they are looked at in every fifth turn and before the end.
        everything = turn % 5 == 0 or settled
        largest = _turn(xt, beta, work, residual, weight, means, pull, curvature, l1, l2, everything)
        first = largest if turn == 0 else first
        settled = largest <= 1e-5 * first
        if settled and everything:
            break
    return moved


@kernel
def _quadratic(
    xt: Array, event: Array, bounds: Bounds, survival: bool, state: Array, work: Bounds, means: Array, curvature: Array
) -> None:
    # The curvature of the loss along each working coordinate, and the risk-set means that couple them.
    n = event.size
    weight = state[1]
    for a in range(work.size):
        x = xt[work[a]]
        total = 0.0
        for i in range(n):
            total += weight[i] * x[i] * x[i]
        if survival:
            _risk_set_means(x, event, bounds, state, means[a])
            total -= _dot(means[a], means[a])
        curvature[a] = total / n


@kernel
def _penalty(beta: Array, work: Bounds, l1: float, l2: float) -> float:
    total = 0.0
    for j in work:
        total += l1 * abs(beta[j]) + 0.5 * l2 * beta[j] * beta[j]
    return total


@kernel
def _shift(xt: Array, beta: Array, work: Bounds, old: Array, moved: float, step: Array) -> None:
    # What the change from `old` to `beta`, and of the intercept, does to the linear predictor.
    for i in range(step.size):
        step[i] = moved
    for a in range(work.size):
        change = beta[work[a]] - old[a]
        if change != 0.0:
            x = xt[work[a]]
            for i in range(step.size):
                step[i] += x[i] * change


@kernel
def _halve(beta: Array, work: Bounds, old: Array) -> None:
    for a in range(work.size):
        beta[work[a]] = 0.5 * (beta[work[a]] + old[a])


@kernel
def _solve(
    xt: Array,
    event: Array,
    bounds: Bounds,
    survival: bool,
    efron: bool,
    state: Array,
    beta: Array,
    eta: Array,
    work: Bounds,
    l1: float,
    l2: float,
    tolerance: float,
    rounds: int,
) -> tuple[float, float, bool]:
    # Proximal Newton on the working coordinates; returns the loss, the change of the intercept and success.
    n = eta.size
    trial, step = state[5], state[6]
    old = np.empty(work.size)
    curvature = np.empty(work.size)
    means = np.empty((work.size, int(_total(event)) if survival else 0))
    intercept = 0.0
    loss = _terms(eta, event, bounds, survival, efron, state)
    for _ in range(rounds):
        if _violation(xt, beta, work, state[0], survival, l1, l2) <= tolerance:
            return loss, intercept, True
        for a in range(work.size):
            old[a] = beta[work[a]]
        before = loss / n + _penalty(beta, work, l1, l2)
        _quadratic(xt, event, bounds, survival, state, work, means, curvature)
        for i in range(n):
            trial[i] = state[0, i]
        moved = _descend(xt, beta, work, trial, state[1], means, curvature, survival, l1, l2)
        _shift(xt, beta, work, old, moved, step)
        part = 1.0
        for i in range(n):
            trial[i] = eta[i] + step[i]
        loss = _terms(trial, event, bounds, survival, efron, state)
        while loss / n + _penalty(beta, work, l1, l2) > before + 1e-13 * (1.0 + abs(before)):
            part *= 0.5
            if part < 1e-9:
                return loss, intercept, False
            _halve(beta, work, old)
            for i in range(n):
                trial[i] = eta[i] + part * step[i]
            loss = _terms(trial, event, bounds, survival, efron, state)
        intercept += part * moved
        for i in range(n):
            eta[i] = trial[i]
    return loss, intercept, False


@kernel
def _absolute_slopes(xt: Array, residual: Array, out: Array) -> None:
    for j in range(out.size):
        out[j] = abs(_dot(xt[j], residual)) / residual.size


@kernel
def _members(inside: BoolArray) -> Bounds:
    count = 0
    for j in range(inside.size):
        count += inside[j]
    out = np.empty(count, dtype=np.int64)
    count = 0
    for j in range(inside.size):
        if inside[j]:
            out[count] = j
            count += 1
    return out


@kernel
def elastic_net_path(
    xt: Array,
    event: Array,
    bounds: Bounds,
    survival: bool,
    efron: bool,
    penalties: Array,
    l1_ratio: float,
    start: Array,
    intercept: float,
    previous: float,
    least_loss: float,
    tolerance: float,
    rounds: int,
) -> tuple[Array, Array, Array, int]:
    """Fit the whole path, each penalty from the solution before it.

    Parameters
    ----------
    xt : ndarray, shape (p, n)
        Predictors, one contiguous row a predictor; standardised by the caller. For the Cox model the subjects stand
        in ascending time.
    event : ndarray, shape (n,)
        1 event or positive class, 0 otherwise.
    bounds : ndarray of int64, shape (groups + 1,)
        Where each run of equal times starts, and n at the end; unused for the logistic model.
    survival, efron : bool
        Cox (else logistic); Efron's (else Breslow's) treatment of tied events.
    penalties : ndarray, shape (L,)
        Descending.
    l1_ratio : float
        α, 0 (ridge) to 1 (lasso).
    start : ndarray, shape (p,)
        Coefficients at penalty `previous`, from which the first fit starts; zeros when there are none.
    intercept : float
        Intercept at penalty `previous`; the log odds when there is none; 0 for the Cox model.
    previous : float
        Penalty of `start`; the first of `penalties` when there is none.
    least_loss : float
        A fit with no more loss ends the path: it is saturated, and smaller penalties only let coefficients grow.
    tolerance : float
        Largest violation of the optimality conditions, on the scale of the mean gradient.
    rounds : int
        Newton steps allowed for each penalty.

    Returns
    -------
    coefficients : ndarray, shape (L, p)
    intercepts : ndarray, shape (L,)
        Zero for the Cox model.
    losses : ndarray, shape (L,)
        Negative log (partial) likelihood.
    fitted : int
        How many penalties were fitted: the path ends early at a saturated fit or a penalty that does not converge.

    References
    ----------
    Simon, Friedman, Hastie, Tibshirani (2011) J Stat Softw 39(5); Friedman, Hastie, Tibshirani (2010) J Stat Softw
    33(1); strong rules: Tibshirani et al. (2012) J R Stat Soc B 74(2).
    """
    p, n = xt.shape
    count = penalties.size
    coefficients = np.zeros((count, p))
    intercepts = np.zeros(count)
    losses = np.zeros(count)
    state = np.empty((7, n))
    beta = np.zeros(p)
    inside = np.zeros(p, dtype=np.bool_)
    for j in range(p):
        beta[j] = start[j]
        inside[j] = start[j] != 0.0
    eta = np.zeros(n)
    _shift(xt, beta, _members(inside), np.zeros(p), intercept, eta)
    _terms(eta, event, bounds, survival, efron, state)
    slope = np.empty(p)
    _absolute_slopes(xt, state[0], slope)
    for step in range(count):
        l1, l2 = penalties[step] * l1_ratio, penalties[step] * (1.0 - l1_ratio)
        # The strong rule guesses who will enter; whoever it missed is found below.
        strong = l1_ratio * (2.0 * penalties[step] - previous)
        for j in range(p):
            inside[j] = beta[j] != 0.0 or slope[j] >= strong
        missed = 1
        while missed > 0:
            loss, moved, converged = _solve(
                xt, event, bounds, survival, efron, state, beta, eta, _members(inside), l1, l2, tolerance, rounds
            )
            intercept += moved
            if not converged:
                return coefficients, intercepts, losses, step
            _absolute_slopes(xt, state[0], slope)
            missed = 0
            for j in range(p):
                if not inside[j] and slope[j] > l1 + tolerance:
                    inside[j] = True
                    missed += 1
        for j in range(p):
            coefficients[step, j] = beta[j]
        intercepts[step] = intercept
        losses[step] = loss
        previous = penalties[step]
        if loss <= least_loss:
            return coefficients, intercepts, losses, step + 1
    return coefficients, intercepts, losses, count


@kernel
def _cox_losses(eta: Array, event: Array, bounds: Bounds, efron: bool, state: Array) -> Array:
    out = np.empty(eta.shape[0])
    for k in range(out.size):
        out[k] = _cox_terms(eta[k], event, bounds, efron, state)
    return out


def null_residual(event: Array, bounds: Bounds, efron: bool) -> Array:
    """Martingale residuals of the Cox model without predictors.

    Parameters
    ----------
    event : ndarray, shape (n,)
        Subjects in ascending time.
    bounds : ndarray of int64, shape (groups + 1,)
    efron : bool

    Returns
    -------
    ndarray, shape (n,)
    """
    state = np.zeros((5, event.size))
    _cox_losses(np.zeros((1, event.size)), event, bounds, efron, state)
    residual: Array = state[0].copy()
    return residual


def cox_loss(eta: Array, event: Array, bounds: Bounds, efron: bool) -> Array:
    """Negative log partial likelihood of several linear predictors over the same subjects.

    Parameters
    ----------
    eta : ndarray, shape (k, n)
        Linear predictors, subjects in ascending time.
    event : ndarray, shape (n,)
    bounds : ndarray of int64, shape (groups + 1,)
    efron : bool

    Returns
    -------
    ndarray, shape (k,)
    """
    return _cox_losses(np.ascontiguousarray(eta), event, bounds, efron, np.empty((5, event.size)))
