"""Sweeps over risk sets: concordance, Cox likelihood, univariate Cox models.

Every kernel takes rows sorted by *descending* time, cut into groups of equal time: ``start`` holds the first row of
each group and, last, the number of rows. Going down in time, a row is added to the risk set once and never leaves.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel
from radiolocus.model import Array, BoolArray

__all__ = [
    "CONSTANT",
    "FITTED",
    "MONOTONE",
    "NOT_CONVERGED",
    "NO_EVENTS",
    "concordance",
    "concordance_timed",
    "cox_batch",
    "cox_counting",
    "cox_sweep",
    "incidence_above",
]

Ints = npt.NDArray[np.int64]

FITTED, CONSTANT, NO_EVENTS, MONOTONE, NOT_CONVERGED = 0, 1, 2, 3, 4

_MAX_ITERATIONS = 50
# Newton's error is squared at each step: one step below this leaves nothing that float64 could show.
_STEP_TOLERANCE = 1e-9


@kernel
def _below(tree: Ints, position: int) -> int:
    """Sum of the Fenwick tree over ranks 1..position."""
    total = 0
    while position > 0:
        total += tree[position]
        position -= position & -position
    return total


@kernel
def _add(tree: Ints, position: int, amount: int) -> None:
    while position < tree.size:
        tree[position] += amount
        position += position & -position


@kernel
def _pairs_of_group(
    tree: Ints, first: int, last: int, event: BoolArray, rank: Ints, weight: Ints, inside: int
) -> tuple[int, int, int, int]:
    """Concordant, discordant and tied pairs of the events of one time with everybody later; then who is in the tree."""
    concordant = discordant = tied = 0
    # A patient censored at a time is known to have outlived the events of that time.
    for i in range(first, last):
        if not event[i] and weight[i] > 0:
            _add(tree, rank[i], weight[i])
            inside += weight[i]
    for i in range(first, last):
        if event[i] and weight[i] > 0:
            lower = _below(tree, rank[i] - 1)
            upto = _below(tree, rank[i])
            concordant += weight[i] * lower
            tied += weight[i] * (upto - lower)
            discordant += weight[i] * (inside - upto)
    for i in range(first, last):
        if event[i] and weight[i] > 0:
            _add(tree, rank[i], weight[i])
            inside += weight[i]
    return concordant, discordant, tied, inside


@kernel
def concordance(start: Ints, event: BoolArray, rank: Ints, weight: Ints, counts: Ints) -> None:
    """Count concordant, discordant and risk-tied comparable pairs for every row of `weight`.

    Parameters
    ----------
    start : ndarray, shape (groups + 1,)
    event : ndarray, shape (n,)
    rank : ndarray, shape (n,)
        Dense rank of the risk score, from 1.
    weight : ndarray, shape (draws, n)
        How often each patient was drawn; a pair counts as the product, and a patient never meets himself because he
        shares his own time and event.
    counts : ndarray, shape (draws, 3)
        Filled with concordant, discordant and tied.
    """
    top = 0
    for i in range(rank.size):
        top = max(top, rank[i])
    for draw in range(weight.shape[0]):
        tree = np.zeros(top + 1, np.int64)
        inside = 0
        counts[draw, :] = 0
        for group in range(start.size - 1):
            added = _pairs_of_group(tree, start[group], start[group + 1], event, rank, weight[draw], inside)
            counts[draw, 0] += added[0]
            counts[draw, 1] += added[1]
            counts[draw, 2] += added[2]
            inside = added[3]


@kernel
def concordance_timed(start: Ints, event: BoolArray, rank: Ints, weight: Ints, pair_weight: Array, sums: Array) -> None:
    """Sum concordant, discordant and risk-tied comparable pairs, each weighted by the time of its event.

    Parameters
    ----------
    start, event, rank, weight
        As in :func:`concordance`.
    pair_weight : ndarray, shape (draws, groups)
        Weight of a pair whose event falls into the group; groups of weight zero are left out of the sums.
    sums : ndarray, shape (draws, 3)
        Filled with concordant, discordant and tied.
    """
    top = 0
    for i in range(rank.size):
        top = max(top, rank[i])
    for draw in range(weight.shape[0]):
        tree = np.zeros(top + 1, np.int64)
        inside = 0
        sums[draw, :] = 0.0
        for group in range(start.size - 1):
            added = _pairs_of_group(tree, start[group], start[group + 1], event, rank, weight[draw], inside)
            factor = pair_weight[draw, group]
            if factor > 0.0:
                sums[draw, 0] += factor * added[0]
                sums[draw, 1] += factor * added[1]
                sums[draw, 2] += factor * added[2]
            inside = added[3]


@kernel
def _accumulate(x: Array, r: float, first: Array, second: Array) -> None:
    """Add r·x and the lower triangle of r·x xᵀ."""
    for a in range(x.size):
        rx = r * x[a]
        first[a] += rx
        for b in range(a + 1):
            second[a, b] += rx * x[b]


@kernel
def cox_sweep(
    X: Array, start: Ints, event: BoolArray, eta: Array, efron: bool, gradient: Array, information: Array
) -> float:
    """Log partial likelihood; fills its gradient and the observed information.

    Parameters
    ----------
    X : ndarray, shape (n, p)
    start : ndarray, shape (groups + 1,)
    event : ndarray, shape (n,)
    eta : ndarray, shape (n,)
        Linear predictor.
    efron : bool
        Efron's approximation for tied events, else Breslow's.
    gradient : ndarray, shape (p,)
    information : ndarray, shape (p, p)

    Returns
    -------
    float
        Minus infinity when the weights of a risk set underflow.
    """
    p = X.shape[1]
    gradient[:] = 0.0
    information[:] = 0.0
    s1, d1, mean = np.zeros(p), np.zeros(p), np.zeros(p)
    s2, d2 = np.zeros((p, p)), np.zeros((p, p))
    s0 = 0.0
    shift = eta.max()
    loglik = 0.0
    for group in range(start.size - 1):
        deaths = 0
        d0 = 0.0
        d1[:] = 0.0
        d2[:] = 0.0
        for i in range(start[group], start[group + 1]):
            r = math.exp(eta[i] - shift)
            s0 += r
            _accumulate(X[i], r, s1, s2)
            if event[i]:
                deaths += 1
                loglik += eta[i] - shift
                gradient += X[i]
                d0 += r
                _accumulate(X[i], r, d1, d2)
        for death in range(deaths):
            share = death / deaths if efron else 0.0
            denominator = s0 - share * d0
            if denominator <= 0.0:
                return -np.inf
            loglik -= math.log(denominator)
            for a in range(p):
                mean[a] = (s1[a] - share * d1[a]) / denominator
                gradient[a] -= mean[a]
                for b in range(a + 1):
                    information[a, b] += (s2[a, b] - share * d2[a, b]) / denominator - mean[a] * mean[b]
    for a in range(p):
        for b in range(a):
            information[b, a] = information[a, b]
    return loglik


@kernel
def _one_column(z: Array, group: Ints, event: BoolArray, beta: float, efron: bool) -> tuple[float, float, float]:
    """Log partial likelihood, score and information of one column; `group` marks rows of equal time."""
    n = z.size
    shift = -np.inf
    for i in range(n):
        shift = max(shift, beta * z[i])
    s0 = s1 = s2 = loglik = score = information = 0.0
    i = 0
    while i < n:
        here = group[i]
        deaths = 0
        d0 = d1 = d2 = 0.0
        while i < n and group[i] == here:
            r = math.exp(beta * z[i] - shift)
            rz = r * z[i]
            s0 += r
            s1 += rz
            s2 += rz * z[i]
            if event[i]:
                deaths += 1
                d0 += r
                d1 += rz
                d2 += rz * z[i]
                loglik += beta * z[i] - shift
                score += z[i]
            i += 1
        for death in range(deaths):
            share = death / deaths if efron else 0.0
            denominator = s0 - share * d0
            if denominator <= 0.0:
                return -np.inf, 0.0, 0.0
            mean = (s1 - share * d1) / denominator
            loglik -= math.log(denominator)
            score -= mean
            information += (s2 - share * d2) / denominator - mean * mean
    return loglik, score, information


@kernel
def _obstacle(z: Array, group: Ints, event: BoolArray) -> int:
    """Say why the maximum is not finite: exact, because there is one column.

    The likelihood rises for ever exactly when every event holds the largest (or every event the smallest) value of
    its risk set.
    """
    n = z.size
    low, high = np.inf, -np.inf
    always_high = always_low = True
    events = 0
    i = 0
    while i < n:
        first = i
        while i < n and group[i] == group[first]:
            low = min(low, z[i])
            high = max(high, z[i])
            i += 1
        for k in range(first, i):
            if event[k]:
                events += 1
                always_high = always_high and z[k] >= high
                always_low = always_low and z[k] <= low
    if events == 0:
        return NO_EVENTS
    if always_high and always_low:
        return CONSTANT
    if always_high or always_low:
        return MONOTONE
    return FITTED


@kernel
def _newton(z: Array, group: Ints, event: BoolArray, efron: bool, fit: bool, out: Array) -> int:
    """Newton–Raphson with step halving; `out` gets beta, information, log-likelihood, null, score statistic.

    Without `fit` the first three are NaN: the score test asks for no iteration.
    """
    beta = 0.0
    loglik, score, information = _one_column(z, group, event, beta, efron)
    out[3] = loglik
    if information <= 0.0:
        return CONSTANT
    out[4] = score * score / information
    if not fit:
        out[:3] = np.nan
        return FITTED
    for _ in range(_MAX_ITERATIONS):
        step = score / information
        if abs(step) <= _STEP_TOLERANCE * max(1.0, abs(beta)):
            out[0], out[1], out[2] = beta, information, loglik
            return FITTED
        previous = loglik
        loglik, score, information = _one_column(z, group, event, beta + step, efron)
        # Rounding may lower the likelihood by its last digits at the maximum; that is no overshoot.
        while not loglik >= previous - 1e-12 * abs(previous) or information <= 0.0:
            step /= 2.0
            if abs(step) < 1e-14:
                return NOT_CONVERGED
            loglik, score, information = _one_column(z, group, event, beta + step, efron)
        beta += step
    return NOT_CONVERGED


@kernel
def cox_batch(
    columns: Array, group: Ints, event: BoolArray, efron: bool, fit: bool, result: Array, counts: Ints, status: Ints
) -> None:
    """Fit one univariate Cox model a row of `columns`, leaving out its own NaN.

    Parameters
    ----------
    columns : ndarray, shape (p, n)
        One covariate a row, its values sorted by descending time.
    group : ndarray, shape (n,)
        Rows of equal time share a number.
    event : ndarray, shape (n,)
    efron : bool
    fit : bool
        Otherwise the score test alone is made, and the first three columns of `result` are NaN.
    result : ndarray, shape (p, 5)
        Filled with coefficient, standard error, log-likelihood, null log-likelihood, score statistic.
    counts : ndarray, shape (p, 2)
        Filled with rows used and events.
    status : ndarray, shape (p,)
        Filled with ``FITTED`` or the reason why not.
    """
    p, n = columns.shape
    z = np.empty(n)
    groups = np.empty(n, np.int64)
    events = np.empty(n, np.bool_)
    out = np.empty(5)
    for j in range(p):
        m = 0
        total = 0.0
        counts[j, 1] = 0
        for i in range(n):
            if not math.isnan(columns[j, i]):
                z[m] = columns[j, i]
                groups[m] = group[i]
                events[m] = event[i]
                total += z[m]
                counts[j, 1] += event[i]
                m += 1
        counts[j, 0] = m
        status[j] = _obstacle(z[:m], groups[:m], events[:m])
        if status[j] != FITTED:
            continue
        mean = total / m
        square = 0.0
        for i in range(m):
            z[i] -= mean
            square += z[i] * z[i]
        scale = math.sqrt(square / m)
        for i in range(m):
            z[i] /= scale
        status[j] = _newton(z[:m], groups[:m], events[:m], efron, fit, out)
        if status[j] == FITTED:
            result[j, 0] = out[0] / scale
            result[j, 1] = 1.0 / (math.sqrt(out[1]) * scale)
            result[j, 2:] = out[2:]


@kernel
def _incidence(start: Ints, stop: int, exact: bool, state: Ints, weight: Ints, at_risk: int) -> float:
    """Incidence of state 1 by the horizon among `at_risk` patients, those of positive `weight`."""
    alive, risen = 1.0, 0.0
    known = at_risk == 0
    for group in range(start.size - 2, stop - 1, -1):
        wanted = other = leaving = 0
        for i in range(start[group], start[group + 1]):
            leaving += weight[i]
            wanted += weight[i] if state[i] == 1 else 0
            other += weight[i] if state[i] == 2 else 0
        if leaving > 0:
            risen += alive * wanted / at_risk
            # Whole numbers decide that nobody is left, so that rounding leaves no remnant.
            alive = 0.0 if wanted + other == at_risk else alive * (1.0 - (wanted + other) / at_risk)
            at_risk -= leaving
            known = known or alive == 0.0 or (exact and group == stop)
    return risen if known or at_risk > 0 else np.nan


@kernel
def incidence_above(
    start: Ints, stop: int, exact: bool, state: Ints, level: Ints, weight: Ints, share: Array, incidence: Array
) -> None:
    """Aalen–Johansen incidence of state 1 by a horizon among the patients above each of many thresholds.

    Parameters
    ----------
    start : ndarray, shape (groups + 1,)
    stop : int
        First group (in descending time) that lies at or before the horizon.
    exact : bool
        Whether that group lies at the horizon itself.
    state : ndarray, shape (n,)
        0 censored, 1 the event of interest, 2 a competing event.
    level : ndarray, shape (n,)
        How many thresholds the patient's risk reaches: he is above threshold k when `level` > k.
    weight : ndarray, shape (draws, n)
        How often each patient was drawn.
    share : ndarray, shape (draws, thresholds)
        Filled with the share of patients above.
    incidence : ndarray, shape (draws, thresholds)
        Filled; NaN where follow-up of those above ends by censoring before the horizon, zero where nobody is above.
    """
    above = np.empty(level.size, np.int64)
    for draw in range(weight.shape[0]):
        total = weight[draw].sum()
        for k in range(share.shape[1]):
            at_risk = 0
            for i in range(level.size):
                above[i] = weight[draw, i] if level[i] > k else 0
                at_risk += above[i]
            share[draw, k] = at_risk / total
            incidence[draw, k] = _incidence(start, stop, exact, state, above, at_risk)


@kernel
def _shift_rows(
    X: Array, risk: Array, rows: Ints, first: int, last: int, sign: float, s0: float, s1: Array, s2: Array
) -> float:
    """Let rows ``rows[first:last]`` into the risk set (`sign` 1) or out of it (−1); the new sum of risks."""
    for position in range(first, last):
        i = rows[position]
        s0 += sign * risk[i]
        _accumulate(X[i], sign * risk[i], s1, s2)
    return s0


@kernel
def _tied_deaths(
    s0: float, s1: Array, s2: Array, d0: float, d1: Array, d2: Array, deaths: int, mean_weight: float, efron: bool,
    gradient: Array, information: Array, hazard: Array, moment: Array,
) -> float:  # fmt: skip
    """Sum what the deaths of one time take from the log-likelihood; fill hazards and moments of the time.

    `hazard` gets the increment for those who survive the time and for those who die at it, `moment` the same times the
    mean covariates, and last the mean covariates averaged over the deaths. Minus infinity when risks underflow.
    """
    p = s1.size
    loglik = 0.0
    hazard[:] = 0.0
    moment[:] = 0.0
    for death in range(deaths):
        share = death / deaths if efron else 0.0
        denominator = s0 - share * d0
        if denominator <= 0.0:
            return -np.inf
        loglik -= mean_weight * math.log(denominator)
        increment = mean_weight / denominator
        hazard[0] += increment
        hazard[1] += (1.0 - share) * increment
        for a in range(p):
            mean = (s1[a] - share * d1[a]) / denominator
            moment[0, a] += increment * mean
            moment[1, a] += (1.0 - share) * increment * mean
            moment[2, a] += mean / deaths
            gradient[a] -= mean_weight * mean
            for b in range(a + 1):
                other = (s1[b] - share * d1[b]) / denominator
                information[a, b] += mean_weight * ((s2[a, b] - share * d2[a, b]) / denominator - mean * other)
    return loglik


@kernel
def cox_counting(
    X: Array, stratum: Ints, group: Ints, entered: Ints, leaving: Ints, event: BoolArray, weight: Array, eta: Array,
    efron: bool, gradient: Array, information: Array, hazard: Array, moment: Array,
) -> float:  # fmt: skip
    """Log partial likelihood with strata, weights and left truncation; fills gradient, information and hazards.

    Parameters
    ----------
    X : ndarray, shape (n, p)
        Rows by stratum and, within it, by descending time of exit.
    stratum : ndarray, shape (strata + 1,)
        First group of each stratum and, last, the number of groups.
    group : ndarray, shape (groups + 1,)
        First row of each group of equal exit and, last, n.
    entered : ndarray, shape (groups,)
        How many rows of `leaving`, counted from 0, have entered at or after the time of the group: they are not yet
        at risk at it.
    leaving : ndarray, shape (n,)
        Rows by stratum and, within it, by descending time of entry.
    event : ndarray, shape (n,)
    weight, eta : ndarray, shape (n,)
    efron : bool
    gradient : ndarray, shape (p,)
    information : ndarray, shape (p, p)
    hazard : ndarray, shape (groups, 2)
        Increment of the baseline hazard at each group (at X = 0), for those who survive it and for those who die.
    moment : ndarray, shape (groups, 3, p)
        See the increments: times the mean covariates; and those averaged over the deaths.

    Returns
    -------
    float
        Minus infinity when the risks of a risk set underflow.
    """
    p = X.shape[1]
    gradient[:] = 0.0
    information[:] = 0.0
    s1, d1 = np.zeros(p), np.zeros(p)
    s2, d2 = np.zeros((p, p)), np.zeros((p, p))
    shift = eta.max()
    risk = weight * np.exp(eta - shift)
    everybody = np.arange(X.shape[0])
    loglik = 0.0
    for s in range(stratum.size - 1):
        s0 = 0.0
        s1[:] = 0.0
        s2[:] = 0.0
        gone = group[stratum[s]]
        for g in range(stratum[s], stratum[s + 1]):
            s0 = _shift_rows(X, risk, everybody, group[g], group[g + 1], 1.0, s0, s1, s2)
            s0 = _shift_rows(X, risk, leaving, gone, max(gone, entered[g]), -1.0, s0, s1, s2)
            gone = max(gone, entered[g])
            deaths, total, d0 = 0, 0.0, 0.0
            d1[:] = 0.0
            d2[:] = 0.0
            for i in range(group[g], group[g + 1]):
                if event[i]:
                    deaths += 1
                    total += weight[i]
                    d0 += risk[i]
                    _accumulate(X[i], risk[i], d1, d2)
                    loglik += weight[i] * (eta[i] - shift)
                    gradient += weight[i] * X[i]
            mean_weight = total / deaths if deaths else 0.0
            loglik += _tied_deaths(
                s0, s1, s2, d0, d1, d2, deaths, mean_weight, efron, gradient, information, hazard[g], moment[g]
            )
    if loglik == -np.inf:
        return loglik
    hazard *= math.exp(-shift)
    moment[:, :2] *= math.exp(-shift)
    for a in range(p):
        for b in range(a):
            information[b, a] = information[a, b]
    return loglik
