"""Slow, obvious twin of the out-of-fold discrimination: every pair of patients, one after the other."""

from __future__ import annotations

from naive.evaluation import uncensored


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


def at_horizon(time, event, prediction, fold, risk, t, truncation, weight):
    """Uno's C, AUC(t) over pairs of one fold, and Brier score of all, patient by patient."""
    g = [uncensored(time, event, u, before=True, weight=weight) for u in time]
    beyond = uncensored(time, event, t, before=False, weight=weight)
    uno, auc, brier = [0.0, 0.0], [0.0, 0.0], 0.0
    for i in range(len(event)):
        if not weight[i]:
            continue
        if time[i] > t:
            brier += weight[i] / beyond * risk[i] ** 2
        elif event[i]:
            brier += weight[i] / g[i] * (1 - risk[i]) ** 2
        for j in range(len(event)):
            if i == j or fold[i] != fold[j] or not event[i] or not weight[j]:
                continue
            won = 0.5 if prediction[i] == prediction[j] else float(prediction[i] > prediction[j])
            if time[i] <= truncation and (time[i] < time[j] or (time[i] == time[j] and not event[j])):
                pair = weight[i] * weight[j] / g[i] ** 2
                uno = [uno[0] + pair * won, uno[1] + pair]
            if time[i] <= t < time[j]:
                pair = weight[i] * weight[j] / g[i] / beyond
                auc = [auc[0] + pair * won, auc[1] + pair]
    return [uno[0] / uno[1], auc[0] / auc[1], brier / sum(weight)]
