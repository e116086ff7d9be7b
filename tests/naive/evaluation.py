"""Slow, obvious twins of the evaluation of predicted risks: sums over pairs and over patients."""

from __future__ import annotations

import numpy as np


def uncensored(time, event, at, *, before, weight=None):
    """Reverse Kaplan–Meier: product over censoring times, events of the same time being gone."""
    weight = np.ones(len(time)) if weight is None else weight
    value = 1.0
    for c in sorted({t for t, e in zip(time, event, strict=True) if not e and (t < at if before else t <= at)}):
        lost = sum(w for t, e, w in zip(time, event, weight, strict=True) if t == c and not e)
        left = sum(w for t, e, w in zip(time, event, weight, strict=True) if t > c) + lost
        value *= 1 - lost / left if lost else 1.0
    return value


def uno_c(time, event, risk, truncation, weight=None):
    """Pairs weighted by one over the square of G just before the event."""
    weight = np.ones(len(time)) if weight is None else weight
    won = total = 0.0
    for i in range(len(time)):
        if not event[i] or time[i] > truncation or not weight[i]:
            continue
        g = uncensored(time, event, time[i], before=True, weight=weight)
        for j in range(len(time)):
            if time[j] > time[i] or (time[j] == time[i] and not event[j]):
                pair = weight[i] * weight[j] / g**2
                total += pair
                won += pair * (1.0 if risk[i] > risk[j] else 0.5 if risk[i] == risk[j] else 0.0)
    return won / total if total else np.nan


def horizon(time, state, risk, t, cause=1, weight=None):
    """AUC and Brier score at t: who counts, how much, pair by pair."""
    weight = np.ones(len(time)) if weight is None else weight
    event = [s > 0 for s in state]
    case, control = np.zeros(len(time)), np.zeros(len(time))
    for i in range(len(time)):
        if not weight[i]:
            continue
        if time[i] > t:
            control[i] = weight[i] / uncensored(time, event, t, before=False, weight=weight)
        elif state[i]:
            part = weight[i] / uncensored(time, event, time[i], before=True, weight=weight)
            (case if state[i] == cause else control)[i] = part
    won = total = 0.0
    for i in np.flatnonzero(case):
        for j in np.flatnonzero(control):
            total += case[i] * control[j]
            won += case[i] * control[j] * (1.0 if risk[i] > risk[j] else 0.5 if risk[i] == risk[j] else 0.0)
    brier = (case @ (1 - risk) ** 2 + control @ risk**2) / weight.sum()
    return (won / total if total else np.nan), brier
