"""A survival tree by the book: the log-rank test of every cut, written out time by time."""

import itertools

import numpy as np


def log_rank(time, event, weight, left):
    """Squared log-rank statistic of the subjects in `left` against the others."""
    score, variance = 0.0, 0.0
    for t in np.unique(time[(event == 1) & (weight > 0)]):
        risk = time >= t
        now = (time == t) & (event == 1)
        d, y = weight[now].sum(), weight[risk].sum()
        score += weight[now & left].sum() - d * weight[risk & left].sum() / y
        share = weight[risk & left].sum() / y
        variance += d * share * (1 - share) * (y - d) / (y - 1) if y > 1 else 0.0
    return score**2 / variance if variance > 1e-12 else -1.0


def best_split(x, time, event, weight, least):
    """The cut of largest statistic, and the statistic."""
    found = (-1.0, None)
    drawn = weight > 0
    values = np.unique(x[drawn])
    for low, high in itertools.pairwise(values):
        left = x <= 0.5 * (low + high)
        if min(weight[left].sum(), weight[~left].sum()) >= least:
            statistic = log_rank(time, event, weight, left)
            found = max(found, (statistic, 0.5 * (low + high)), key=lambda pair: pair[0])
    return found


def nelson_aalen(time, event, weight, at):
    """Cumulative hazard of weighted subjects by time `at`."""
    total = 0.0
    for t in np.unique(time[(event == 1) & (weight > 0)]):
        if t <= at:
            total += weight[(time == t) & (event == 1)].sum() / weight[time >= t].sum()
    return total
