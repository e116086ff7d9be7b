"""Slow obvious twin of the class-conditional cross-conformal p-values."""

import numpy as np


def class_conformal_p(score, label, fold, candidate):
    score, label, fold, candidate = (np.asarray(a) for a in (score, label, fold, candidate))
    _, m, classes = candidate.shape
    out = np.empty((m, classes))
    for x in range(m):
        for c in range(classes):
            members = [i for i in range(len(score)) if label[i] == c]
            stranger = sum(score[i] >= candidate[fold[i], x, c] - 1e-12 for i in members)
            out[x, c] = (1 + stranger) / (1 + len(members))
    return out
