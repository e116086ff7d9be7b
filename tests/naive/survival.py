"""Slow, obvious twins of the survival core: pairs, products and definitions, no sorting tricks."""

from __future__ import annotations

import numpy as np


def harrell_c(time, event, risk, weight=None):
    """Concordant, discordant, tied over all pairs (i, j) of different patients, weighted by the product."""
    weight = np.ones(len(time), int) if weight is None else weight
    counts = [0, 0, 0]
    for i in range(len(time)):
        for j in range(len(time)):
            earlier = time[i] < time[j] or (time[i] == time[j] and not event[j])
            if i == j or not event[i] or not earlier:
                continue
            which = 0 if risk[i] > risk[j] else 1 if risk[i] < risk[j] else 2
            counts[which] += int(weight[i] * weight[j])
    return counts


def auc(label, score, weight=None):
    """Mann–Whitney over all pairs of a positive and a negative."""
    weight = np.ones(len(label), int) if weight is None else weight
    won = total = 0.0
    for i in range(len(label)):
        for j in range(len(label)):
            if label[i] and not label[j]:
                pairs = weight[i] * weight[j]
                total += pairs
                won += pairs * (1.0 if score[i] > score[j] else 0.5 if score[i] == score[j] else 0.0)
    return won / total


def cox_loglik(beta, time, event, X, ties):
    """Log partial likelihood written out event time by event time."""
    total = 0.0
    for t in sorted({t for t, e in zip(time, event, strict=True) if e}):
        risk_set = sum(np.exp(x @ beta) for x, u in zip(X, time, strict=True) if u >= t)
        dying = [x for x, u, e in zip(X, time, event, strict=True) if u == t and e]
        weight = sum(np.exp(x @ beta) for x in dying)
        for k, x in enumerate(dying):
            share = k / len(dying) if ties == "efron" else 0.0
            total += x @ beta - np.log(risk_set - share * weight)
    return total


def kaplan_meier(time, event, at):
    """Product over the event times up to `at`."""
    survival = 1.0
    for t in sorted({t for t, e in zip(time, event, strict=True) if e and t <= at}):
        deaths = sum(1 for u, e in zip(time, event, strict=True) if u == t and e)
        survival *= 1 - deaths / sum(1 for u in time if u >= t)
    return survival


def log_rank(time, event, group):
    """Two groups: observed less expected of the second, squared, over the hypergeometric variance."""
    difference = variance = 0.0
    second = max(group)
    for t in sorted({t for t, e in zip(time, event, strict=True) if e}):
        n = sum(1 for u in time if u >= t)
        n2 = sum(1 for u, g in zip(time, group, strict=True) if u >= t and g == second)
        d = sum(1 for u, e in zip(time, event, strict=True) if u == t and e)
        d2 = sum(1 for u, e, g in zip(time, event, group, strict=True) if u == t and e and g == second)
        difference += d2 - d * n2 / n
        if n > 1:
            variance += d * (n2 / n) * (1 - n2 / n) * (n - d) / (n - 1)
    return difference**2 / variance


def counting_loglik(beta, entry, time, event, X, ties, strata, weight):
    """Log partial likelihood of intervals (entry, time], stratum by stratum and event time by event time."""
    total = 0.0
    risk = weight * np.exp(X @ beta)
    for s in sorted(set(strata)):
        for t in sorted({u for u, e, g in zip(time, event, strata, strict=True) if e and g == s}):
            here = [i for i in range(len(time)) if strata[i] == s and entry[i] < t <= time[i]]
            dying = [i for i in here if time[i] == t and event[i]]
            mean = sum(weight[i] for i in dying) / len(dying)
            for k, i in enumerate(dying):
                share = k / len(dying) if ties == "efron" else 0.0
                denominator = sum(risk[j] for j in here) - share * sum(risk[j] for j in dying)
                total += weight[i] * (X[i] @ beta) - mean * np.log(denominator)
    return total
