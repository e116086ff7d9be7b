"""Slow, obvious twin of the out-of-fold discrimination: every pair of patients, one after the other."""

from __future__ import annotations


def statistic(time, event, prediction, fold, weight):
    """Weighted share of comparable pairs of one fold in which the (earlier) event has the higher prediction."""
    won = total = 0.0
    for i in range(len(event)):
        for j in range(len(event)):
            if i == j or fold[i] != fold[j] or not event[i]:
                continue
            first = not event[j] if time is None else time[i] < time[j]
            comparable = first or (time is not None and time[i] == time[j] and not event[j])
            if comparable:
                pairs = weight[i] * weight[j]
                total += pairs
                won += pairs * (0.5 if prediction[i] == prediction[j] else float(prediction[i] > prediction[j]))
    return won / total
