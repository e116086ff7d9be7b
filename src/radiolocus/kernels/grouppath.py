"""Sparse-group-lasso paths of the Cox and the logistic model: coordinate descent inside a proximal Newton step.

The criterion is ``loss(η)/n + λ ((1 − α) Σ_g w_g ‖β_g‖₂ + α Σ_j |β_j|)`` with ``η = β₀ + X β``: α = 0 is the group
lasso, α = 1 the lasso. The loss, its curvature and the working set are those of :mod:`radiolocus.kernels.coxpath`; what
differs is the descent on the quadratic model. Inside a group that is in the model the norm is smooth and each
coordinate has a minimum of its own (Friedman, Hastie & Tibshirani 2010, arXiv:1001.0736); a group enters or leaves as a
whole.
"""

from __future__ import annotations

import math

import numpy as np

from radiolocus.kernels.coxpath import (
    Bounds,
    Quadratic,
    _along,
    _dot,
    _members,
    _model,
    _slopes,
    _terms,
    _total,
    _widened,
)
from radiolocus.kernels.jit import kernel
from radiolocus.model import Array, BoolArray

__all__ = ["sparse_group_path"]


@kernel
def _norms(beta: Array, group: Bounds, count: int) -> Array:
    # Euclidean norm of the coefficients of each group.
    out = np.zeros(count)
    for a in range(beta.size):
        out[group[a]] += beta[a] * beta[a]
    for g in range(count):
        out[g] = math.sqrt(out[g])
    return out


@kernel
def _group_penalty(beta: Array, group: Bounds, heavy: Array, l1: float) -> float:
    norms = _norms(beta, group, heavy.size)
    total = 0.0
    for g in range(heavy.size):
        total += heavy[g] * norms[g]
    for value in beta:
        total += l1 * abs(value)
    return total


@kernel
def _over(pull: Array, group: Bounds, l1: float, count: int) -> Array:
    # Norm of the slopes of each group once l1 is taken off each.
    out = np.zeros(count)
    for a in range(pull.size):
        rest = abs(pull[a]) - l1
        if rest > 0.0:
            out[group[a]] += rest * rest
    for g in range(count):
        out[g] = math.sqrt(out[g])
    return out


@kernel
def _group_violation(beta: Array, pull: Array, group: Bounds, lean: float, heavy: Array, l1: float) -> float:
    # How far the working coordinates are from the optimality conditions.
    norms = _norms(beta, group, heavy.size)
    over = _over(pull, group, l1, heavy.size)
    worst = abs(lean)
    for g in range(heavy.size):
        if norms[g] == 0.0:
            worst = max(worst, over[g] - heavy[g])
    for a in range(beta.size):
        norm = norms[group[a]]
        if norm == 0.0:
            continue
        if beta[a] == 0.0:
            worst = max(worst, abs(pull[a]) - l1)
        else:
            worst = max(worst, abs(pull[a] - math.copysign(l1, beta[a]) - heavy[group[a]] * beta[a] / norm))
    return worst


@kernel
def _root(own: float, slope: float, heavy: float, rest: float) -> float:
    # The b > 0 with own b + heavy b / √(b² + rest) = slope; the left side is concave: Newton from below stays below.
    b = slope / (own + heavy / math.sqrt(rest))
    for _ in range(100):
        size = math.sqrt(b * b + rest)
        step = (slope - own * b - heavy * b / size) / (own + heavy * rest / (size * size * size))
        b += step
        if step <= 1e-15 * b:
            break
    return b


@kernel
def _moved(curvature: Array, beta: Array, pull: Array, a: int, new: float) -> None:
    change = new - beta[a]
    if change != 0.0:
        beta[a] = new
        row = curvature[a]
        for b in range(beta.size):
            pull[b] -= row[b] * change


@kernel
def _over_without(curvature: Array, beta: Array, pull: Array, members: Bounds, l1: float) -> float:
    # Norm of the slopes of a group, once l1 is taken off each, where the group would be left out.
    total = 0.0
    for a in members:
        slope = pull[a]
        for b in members:
            if beta[b] != 0.0:
                slope += curvature[a, b] * beta[b]
        total += max(abs(slope) - l1, 0.0) ** 2
    return math.sqrt(total)


@kernel
def _enter_or_leave(
    curvature: Array, beta: Array, pull: Array, members: Bounds, heavy: float, l1: float, bound: float
) -> bool:
    # Whether the group is in the model: it leaves when its slopes without it are too small, and enters by a step that
    # `bound`, which no curvature of the group exceeds, makes safe.
    over = _over_without(curvature, beta, pull, members, l1)
    outside = True
    for a in members:
        outside = outside and beta[a] == 0.0
    if over <= heavy:
        for a in members:
            _moved(curvature, beta, pull, a, 0.0)
    elif outside:
        here = pull[members]
        share = (1.0 - heavy / over) / bound
        for k in range(members.size):
            rest = max(abs(here[k]) - l1, 0.0)
            _moved(curvature, beta, pull, members[k], math.copysign(rest * share, here[k]))
    return over > heavy


@kernel
def _group_turn(
    curvature: Array, beta: Array, pull: Array, members: Bounds, heavy: float, l1: float, everything: bool
) -> float:
    # One turn over the coordinates of a group that is in the model; returns the largest squared step.
    largest = 0.0
    square = 0.0
    for a in members:
        square += beta[a] * beta[a]
    for a in members:
        own = curvature[a, a]
        if own <= 1e-12 or (beta[a] == 0.0 and not everything):
            continue
        before = beta[a]
        target = pull[a] + own * before
        slope = abs(target) - l1
        rest = square - before * before
        if rest <= 1e-10 * square:  # what cancellation leaves is no number: add up again
            rest = 0.0
            for b in members:
                if b != a:
                    rest += beta[b] * beta[b]
        new = 0.0
        if rest == 0.0:
            new = max(slope - heavy, 0.0) / own
        elif slope > 0.0:
            new = _root(own, slope, heavy, rest)
        new = math.copysign(new, target)
        _moved(curvature, beta, pull, a, new)
        square = rest + new * new
        largest = max(largest, own * (new - before) ** 2)
    return largest


@kernel
def _bounds_of(curvature: Array, members: Bounds) -> float:
    # No curvature along any direction of the group is larger (Gershgorin).
    bound = 1e-12
    for a in members:
        total = 0.0
        for b in members:
            total += abs(curvature[a, b])
        bound = max(bound, total)
    return bound


@kernel
def _descend_groups(curvature: Array, beta: Array, pull: Array, group: Bounds, heavy: Array, l1: float) -> None:
    # Descent on the quadratic model, group by group; `pull`, the slopes, follow.
    first, settled = 0.0, False
    own = [_members(group == g) for g in range(heavy.size)]
    bound = np.empty(heavy.size)
    for g in range(heavy.size):
        bound[g] = _bounds_of(curvature, own[g])
    for turn in range(1000):
        everything = turn % 5 == 0 or settled
        largest = 0.0
        for g in range(heavy.size):
            if own[g].size == 0:
                continue
            if everything and not _enter_or_leave(curvature, beta, pull, own[g], heavy[g], l1, bound[g]):
                continue
            largest = max(largest, _group_turn(curvature, beta, pull, own[g], heavy[g], l1, everything))
        first = largest if turn == 0 else first
        settled = largest <= 1e-4 * first
        if settled and everything:
            return


@kernel
def _search_groups(
    event: Array,
    bounds: Bounds,
    survival: bool,
    efron: bool,
    state: Array,
    eta: Array,
    beta: Array,
    goal: Array,
    group: Bounds,
    loss: float,
    heavy: Array,
    l1: float,
) -> tuple[float, float]:
    # Go along the step as far as the criterion falls; returns the loss there and the part of the step, 0 for none.
    n = eta.size
    trial, step = state[5], state[6]
    before = loss / n + _group_penalty(beta, group, heavy, l1)
    part = 1.0
    while part >= 1e-9:
        for i in range(n):
            trial[i] = eta[i] + part * step[i]
        there = goal if part == 1.0 else beta + part * (goal - beta)
        loss = _terms(trial, event, bounds, survival, efron, state)
        if loss / n + _group_penalty(there, group, heavy, l1) <= before + 1e-13 * (1.0 + abs(before)):
            eta[:] = trial
            beta[:] = there
            return loss, part
        part *= 0.5
    return _terms(eta, event, bounds, survival, efron, state), 0.0


@kernel
def _solve_groups(
    xt: Array,
    event: Array,
    bounds: Bounds,
    survival: bool,
    efron: bool,
    state: Array,
    eta: Array,
    beta: Array,
    group: Bounds,
    inside: BoolArray,
    quadratic: Quadratic,
    heavy: Array,
    l1: float,
    tolerance: float,
    rounds: int,
) -> tuple[Quadratic, float, float, bool]:
    # Proximal Newton on the coordinates inside; returns the quadratic model, the loss, the change of the intercept and
    # success. The curvature of an earlier fit serves as long as each step brings the solution twice as near.
    loss = _terms(eta, event, bounds, survival, efron, state)
    fresh = inside.copy()
    for j in quadratic[0]:
        fresh[j] = False
    more = _members(fresh)
    if more.size > 0:
        quadratic = _widened(xt, event, bounds, survival, quadratic, more)
    work = quadratic[0]
    intercept, last, renewed = 0.0, np.inf, False
    for _ in range(rounds):
        here = beta[work]
        own = group[work]
        pull = np.empty(work.size)
        lean = _slopes(xt, work, state, survival, pull)
        far = _group_violation(here, pull, own, lean, heavy, l1)
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
        _descend_groups(quadratic[1], goal, pull, own, heavy, l1)
        _along(xt, work, goal - here, state[6])
        moved = 0.0
        if not survival:
            moved = lean - _dot(state[1], state[6]) / _total(state[1])
            state[6] += moved
        loss, part = _search_groups(event, bounds, survival, efron, state, eta, here, goal, own, loss, heavy, l1)
        if part == 0.0 and renewed:
            return quadratic, loss, intercept, False
        for a in range(work.size):
            beta[work[a]] = here[a]
        intercept += part * moved
        last, renewed = (far, False) if part == 1.0 else (0.0, False)
    return quadratic, loss, intercept, False


@kernel
def _missed(beta: Array, slope: Array, group: Bounds, inside: BoolArray, heavy: Array, l1: float, slack: float) -> int:
    # Coordinates that must be looked at and are not; they are taken in.
    norms = _norms(beta, group, heavy.size)
    over = _over(slope, group, l1, heavy.size)
    missed = 0
    for j in range(beta.size):
        if inside[j] or abs(slope[j]) <= l1 + (slack if norms[group[j]] > 0.0 else 0.0):
            continue
        if norms[group[j]] > 0.0 or over[group[j]] > heavy[group[j]] + slack:
            inside[j] = True
            missed += 1
    return missed


@kernel
def sparse_group_path(
    xt: Array,
    event: Array,
    bounds: Bounds,
    survival: bool,
    efron: bool,
    group: Bounds,
    weight: Array,
    penalties: Array,
    l1_ratio: float,
    start: Array,
    intercept: float,
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
    event, bounds, survival, efron
        As in :func:`radiolocus.kernels.coxpath.elastic_net_path`.
    group : ndarray of int64, shape (p,)
        Group of each predictor, from 0.
    weight : ndarray, shape (G,)
        w_g of each group, positive.
    penalties : ndarray, shape (L,)
        Descending.
    l1_ratio : float
        α, 0 (group lasso) to 1 (lasso).
    start : ndarray, shape (p,)
        Coefficients from which the first fit starts.
    intercept : float
        Intercept that goes with them: without predictors the log odds of the event; 0 for the Cox model.
    least_loss : float
        A fit with no more loss ends the path.
    tolerance : float
        Largest violation of the optimality conditions, on the scale of the mean gradient.
    rounds : int
        Newton steps allowed for each penalty.

    Returns
    -------
    coefficients : ndarray, shape (L, p)
    intercepts : ndarray, shape (L,)
    losses : ndarray, shape (L,)
        Negative log (partial) likelihood.
    fitted : int
        How many penalties were fitted.

    References
    ----------
    Simon, Friedman, Hastie & Tibshirani (2013) J Comput Graph Stat 22:231.
    """
    p, n = xt.shape
    coefficients, intercepts = np.zeros((penalties.size, p)), np.zeros(penalties.size)
    losses = np.zeros(penalties.size)
    state = np.empty((7, n))
    beta = start.copy()
    everybody = np.arange(p)
    eta = np.empty(n)
    _along(xt, everybody, beta, eta)
    eta += intercept
    loss = _terms(eta, event, bounds, survival, efron, state)
    slope = np.empty(p)
    quadratic = _model(xt, event, bounds, survival, state, _members(beta != 0.0))
    for step in range(penalties.size):
        l1 = penalties[step] * l1_ratio
        heavy = penalties[step] * (1.0 - l1_ratio) * weight
        inside = beta != 0.0
        while True:
            quadratic, loss, moved, converged = _solve_groups(
                xt,
                event,
                bounds,
                survival,
                efron,
                state,
                eta,
                beta,
                group,
                inside,
                quadratic,
                heavy,
                l1,
                tolerance,
                rounds,
            )
            intercept += moved
            if not converged:
                return coefficients, intercepts, losses, step
            _slopes(xt, everybody, state, survival, slope)
            for j in quadratic[0]:
                inside[j] = True
            if _missed(beta, slope, group, inside, heavy, l1, tolerance) == 0:
                break
        coefficients[step] = beta
        intercepts[step] = intercept
        losses[step] = loss
        if loss <= least_loss:
            return coefficients, intercepts, losses, step + 1
    return coefficients, intercepts, losses, penalties.size
