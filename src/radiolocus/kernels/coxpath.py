"""Elastic-net paths of the Cox and the logistic model: coordinate descent inside a proximal Newton step.

The criterion is ``loss(η)/n + λ Σ_j (α |β_j| + (1 − α) β_j² / 2)`` with ``η = β₀ + X β``, as in glmnet: `loss` is the
negative log partial likelihood or the negative log likelihood, λ the penalty and α the share of the l1 part.

Both models hand the same things to the descent: the loss, the residual −∂loss/∂η and the curvature of the coordinates
that may enter, a matrix product. The curvature of the partial likelihood is a diagonal minus one outer product for
every event, of the means over its risk set; that of the logistic model with its intercept is a diagonal minus one outer
product. The matrix serves for many penalties: it only says where to go, and the slopes, taken afresh, say when to stop.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel
from radiolocus.model import Array, BoolArray

__all__ = ["cox_loss", "elastic_net_path", "null_residual"]

Bounds = npt.NDArray[np.int64]
#: Coordinates; their curvature; the rows it is made of; the state of the fit that it belongs to.
Quadratic = tuple[Bounds, Array, Array, Array, Array]


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
def _curvature_rows(
    xt: Array, event: Array, bounds: Bounds, survival: bool, state: Array, work: Bounds
) -> tuple[Array, Array]:
    # What the curvature of the loss is made of: `own @ own.T - shared @ shared.T`, a row a working coordinate.
    n = event.size
    weight = state[1]
    own = np.empty((work.size, n))
    shared = np.empty((work.size, int(_total(event)) if survival else 1))
    mass = math.sqrt(_total(weight))
    root = np.sqrt(weight)
    for a in range(work.size):
        x = xt[work[a]]
        for i in range(n):
            own[a, i] = root[i] * x[i]
        if survival:
            _risk_set_means(x, event, bounds, state, shared[a])
        else:  # the intercept goes along with every step
            shared[a, 0] = _dot(weight, x) / mass
    return own, shared


@kernel
def _curvature(own: Array, shared: Array, with_own: Array, with_shared: Array) -> Array:
    out: Array = (np.dot(own, with_own.T) - np.dot(shared, with_shared.T)) / own.shape[1]
    return out


@kernel
def _grown(curvature: Array, corner: Array, rim: Array) -> Array:
    w = curvature.shape[0]
    out = np.empty((w + corner.shape[0], w + corner.shape[0]))
    out[:w, :w] = curvature
    out[w:, w:] = corner
    out[:w, w:] = rim
    out[w:, :w] = rim.T
    return out


@kernel
def _turn(curvature: Array, beta: Array, pull: Array, l1: float, l2: float, everything: bool) -> float:
    # One turn over the coordinates of the quadratic model; returns the largest squared step in units of curvature.
    largest = 0.0
    for a in range(beta.size):
        own = curvature[a, a]
        if own <= 1e-12 or (beta[a] == 0.0 and not everything):
            continue
        target = pull[a] + own * beta[a]
        new = 0.0
        if abs(target) > l1:
            new = math.copysign(abs(target) - l1, target) / (own + l2)
        change = new - beta[a]
        if change != 0.0:
            beta[a] = new
            largest = max(largest, own * change * change)
            row = curvature[a]
            for b in range(beta.size):
                pull[b] -= row[b] * change
    return largest


@kernel
def _descend(curvature: Array, beta: Array, pull: Array, l1: float, l2: float) -> None:
    # Cyclic coordinate descent on the quadratic model; `pull`, the slopes, follow. The model is renewed or corrected
    # after it, so that a thousandth of the first squared step is near enough.
    first, settled = 0.0, False
    for turn in range(1000):
        # Coordinates at zero mostly stay there: they are looked at in every fifth turn and before the end.
        everything = turn % 5 == 0 or settled
        largest = _turn(curvature, beta, pull, l1, l2, everything)
        first = largest if turn == 0 else first
        settled = largest <= 1e-3 * first
        if settled and everything:
            return


@kernel
def _model(xt: Array, event: Array, bounds: Bounds, survival: bool, state: Array, work: Bounds) -> Quadratic:
    own, shared = _curvature_rows(xt, event, bounds, survival, state, work)
    return work, _curvature(own, shared, own, shared), own, shared, state.copy()


@kernel
def _widened(xt: Array, event: Array, bounds: Bounds, survival: bool, model: Quadratic, fresh: Bounds) -> Quadratic:
    # The same model with more coordinates.
    work, curvature, own, shared, state = model
    more_own, more_shared = _curvature_rows(xt, event, bounds, survival, state, fresh)
    corner = _curvature(more_own, more_shared, more_own, more_shared)
    rim = _curvature(own, shared, more_own, more_shared)
    return (
        np.concatenate((work, fresh)),
        _grown(curvature, corner, rim),
        np.concatenate((own, more_own)),
        np.concatenate((shared, more_shared)),
        state,
    )


@kernel
def _penalty(beta: Array, l1: float, l2: float) -> float:
    total = 0.0
    for value in beta:
        total += l1 * abs(value) + 0.5 * l2 * value * value
    return total


@kernel
def _slopes(xt: Array, work: Bounds, state: Array, survival: bool, out: Array) -> float:
    # Slope of the log likelihood along the working coordinates when the intercept goes along; returns the step of the
    # intercept alone.
    n = xt.shape[1]
    residual, weight = state[0], state[1]
    lean = 0.0 if survival else _total(residual) / _total(weight)
    for a in range(work.size):
        x = xt[work[a]]
        out[a] = _dot(x, residual) / n
        if lean != 0.0:
            out[a] -= lean * _dot(x, weight) / n
    return lean


@kernel
def _violation(beta: Array, pull: Array, lean: float, l1: float, l2: float) -> float:
    # How far the coordinates are from the optimality (Karush-Kuhn-Tucker) conditions.
    worst = abs(lean)
    for a in range(beta.size):
        slope = pull[a] - l2 * beta[a]
        if beta[a] > 0.0:
            worst = max(worst, abs(slope - l1))
        elif beta[a] < 0.0:
            worst = max(worst, abs(slope + l1))
        else:
            worst = max(worst, abs(slope) - l1)
    return worst


@kernel
def _along(xt: Array, work: Bounds, moves: Array, step: Array) -> None:
    for i in range(step.size):
        step[i] = 0.0
    for a in range(work.size):
        if moves[a] != 0.0:
            x = xt[work[a]]
            for i in range(step.size):
                step[i] += x[i] * moves[a]


@kernel
def _search(
    event: Array,
    bounds: Bounds,
    survival: bool,
    efron: bool,
    state: Array,
    eta: Array,
    beta: Array,
    goal: Array,
    loss: float,
    l1: float,
    l2: float,
) -> tuple[float, float]:
    # Go along the step as far as the criterion falls; returns the loss there and the part of the step, 0 for none.
    n = eta.size
    trial, step = state[5], state[6]
    before = loss / n + _penalty(beta, l1, l2)
    part = 1.0
    while part >= 1e-9:
        for i in range(n):
            trial[i] = eta[i] + part * step[i]
        there = goal if part == 1.0 else beta + part * (goal - beta)
        loss = _terms(trial, event, bounds, survival, efron, state)
        if loss / n + _penalty(there, l1, l2) <= before + 1e-13 * (1.0 + abs(before)):
            eta[:] = trial
            beta[:] = there
            return loss, part
        part *= 0.5
    return _terms(eta, event, bounds, survival, efron, state), 0.0


@kernel
def _newcomers(work: Bounds, inside: BoolArray) -> Bounds:
    # Coordinates that are in now and were not among those of the curvature.
    fresh = inside.copy()
    for j in work:
        fresh[j] = False
    return _members(fresh)


@kernel
def _solve(
    xt: Array,
    event: Array,
    bounds: Bounds,
    survival: bool,
    efron: bool,
    state: Array,
    eta: Array,
    beta: Array,
    inside: BoolArray,
    quadratic: Quadratic,
    l1: float,
    l2: float,
    tolerance: float,
    rounds: int,
) -> tuple[Quadratic, float, float, bool]:
    # Proximal Newton on the coordinates inside; returns the quadratic model, the loss, the change of the intercept and
    # success. The curvature of an earlier fit serves as long as each step brings the solution twice as near.
    loss = _terms(eta, event, bounds, survival, efron, state)
    work = quadratic[0]
    fresh = _newcomers(work, inside)
    if fresh.size > 0:
        quadratic = _widened(xt, event, bounds, survival, quadratic, fresh)
        work = quadratic[0]
    intercept, last, renewed = 0.0, np.inf, False
    for _ in range(rounds):
        here = beta[work]
        pull = np.empty(work.size)
        lean = _slopes(xt, work, state, survival, pull)
        far = _violation(here, pull, lean, l1, l2)
        if far <= tolerance:
            return quadratic, loss, intercept, True
        if far > 0.5 * last and not renewed:
            for j in work:
                inside[j] = inside[j] or beta[j] != 0.0
            work = _members(inside)
            quadratic = _model(xt, event, bounds, survival, state, work)
            last, renewed = np.inf, True
            continue
        goal = here.copy()
        _descend(quadratic[1], goal, pull, l1, l2)
        _along(xt, work, goal - here, state[6])
        moved = 0.0
        if not survival:
            moved = lean - _dot(state[1], state[6]) / _total(state[1])
            state[6] += moved
        loss, part = _search(event, bounds, survival, efron, state, eta, here, goal, loss, l1, l2)
        if part == 0.0 and renewed:
            return quadratic, loss, intercept, False
        for a in range(work.size):
            beta[work[a]] = here[a]
        intercept += part * moved
        last, renewed = (far, False) if part == 1.0 else (0.0, False)
    return quadratic, loss, intercept, False


@kernel
def _absolute_slopes(xt: Array, work: Bounds, residual: Array, out: Array) -> None:
    for j in work:
        out[j] = abs(_dot(xt[j], residual)) / residual.size


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
    beta = start.copy()
    everybody = np.arange(p)
    eta = np.empty(n)
    _along(xt, everybody, beta, eta)
    eta += intercept
    loss = _terms(eta, event, bounds, survival, efron, state)
    slope = np.empty(p)
    _absolute_slopes(xt, everybody, state[0], slope)
    quadratic = _model(xt, event, bounds, survival, state, _members(beta != 0.0))
    for step in range(count):
        l1, l2 = penalties[step] * l1_ratio, penalties[step] * (1.0 - l1_ratio)
        # The strong rule guesses who may enter; whoever it missed is found below.
        strong = _members((beta != 0.0) | (slope >= l1_ratio * (2.0 * penalties[step] - previous)))
        look = strong
        inside = (beta != 0.0) | (slope > l1)
        while True:
            quadratic, loss, moved, converged = _solve(
                xt, event, bounds, survival, efron, state, eta, beta, inside, quadratic, l1, l2, tolerance, rounds
            )
            intercept += moved
            if not converged:
                return coefficients, intercepts, losses, step
            _absolute_slopes(xt, look, state[0], slope)
            missed = 0
            for j in look:
                if beta[j] == 0.0 and slope[j] > l1 + tolerance:
                    inside[j] = True
                    missed += 1
            if missed == 0 and look.size == p:
                break
            look = everybody if missed == 0 else strong
        coefficients[step] = beta
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
