"""The restricted deviance of a mixed model with whole covariance matrices: slow and obvious."""

import numpy as np


def deviance(subject, time, value, random, residual):
    """Restricted deviance (lme4's REMLcrit) at given variances, and everybody's intercept and slope."""
    X = np.column_stack([np.ones(time.size), time])
    same = subject[:, None] == subject[None, :]
    V = np.where(same, X @ random @ X.T, 0.0) + residual * np.eye(time.size)
    W = np.linalg.inv(V)
    information = X.T @ W @ X
    fixed = np.linalg.solve(information, X.T @ W @ value)
    rest = value - X @ fixed
    logs = np.linalg.slogdet(V)[1] + np.linalg.slogdet(information)[1]
    return logs + rest @ W @ rest + (time.size - 2) * np.log(2 * np.pi), fixed


def prediction(time, value, fixed, random, residual):
    """A subject's own intercept and slope beyond everybody's, and their covariance given the visits."""
    Z = np.column_stack([np.ones(time.size), time])
    V = Z @ random @ Z.T + residual * np.eye(time.size)
    weight = random @ Z.T @ np.linalg.inv(V)
    return weight @ (value - Z @ fixed), random - weight @ Z @ random
