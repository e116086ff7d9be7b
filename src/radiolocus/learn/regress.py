"""Regressions of a number under one face: what effects of treatment are learned with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from radiolocus.errors import ConfigError
from radiolocus.model import Array

__all__ = ["Base", "check_base", "fit_regression"]

Base = Literal["ridge", "forest"]
Predict = Callable[[Array], Array]

_TREES = 200
# From next to no penalty to one that leaves next to nothing, relative to the largest squared singular value.
_PENALTIES = np.geomspace(1e-4, 1e2, 25)


def check_base(base: str, where: str) -> None:
    """Refuse a regression that nobody knows.

    Raises
    ------
    ConfigError
    """
    if base not in get_args(Base):
        raise ConfigError(f"base = {base}", where=where, allowed=", ".join(get_args(Base)))


def fit_regression(base: Base, X: Array, y: Array, weight: Array | None = None, seed: int = 0) -> Predict:
    """Fit a regression.

    Parameters
    ----------
    base : {"ridge", "forest"}
        Linear, with the penalty of smallest leave-one-out error; or a random forest of 200 trees.
    X : ndarray, shape (n, p)
        Standardised columns; p may be zero.
    y : ndarray, shape (n,)
    weight : ndarray, shape (n,), optional
        Of the squared errors.
    seed : int
        Of the forest.

    Returns
    -------
    callable
        (m, p) → (m,).
    """
    w = np.ones(y.size) if weight is None else weight
    if X.shape[1] == 0 or np.ptp(y) == 0:
        level = float(np.average(y, weights=w))
        return lambda Z: np.full(len(Z), level)
    return _ridge(X, y, w) if base == "ridge" else _forest(X, y, w, seed)


def _ridge(X: Array, y: Array, w: Array) -> Predict:
    mean, level = np.average(X, axis=0, weights=w), float(np.average(y, weights=w))
    root = np.sqrt(w)
    U, size, Vt = np.linalg.svd((X - mean) * root[:, None], full_matrices=False)
    z = (y - level) * root
    own = w / w.sum()  # leverage of the intercept
    best, chosen = np.inf, np.zeros(X.shape[1])
    for penalty in _PENALTIES[::-1] * max(float(size[0]) ** 2, 1e-300):
        shrunk = size**2 / (size**2 + penalty)
        rest = z - U @ (shrunk * (U.T @ z))
        leverage = np.minimum((U**2) @ shrunk + own, 1 - 1e-9)
        error = float(np.square(rest / (1 - leverage)).sum())
        if error < best:
            best, chosen = error, Vt.T @ ((size / (size**2 + penalty)) * (U.T @ z))
    return lambda Z: level + (Z - mean) @ chosen


def _forest(X: Array, y: Array, w: Array, seed: int) -> Predict:
    from sklearn.ensemble import RandomForestRegressor  # loads in a second, which only its users wait for

    model = RandomForestRegressor(
        n_estimators=_TREES,
        min_samples_leaf=max(2, min(10, y.size // 10)),
        max_features=max(1, round(X.shape[1] / 3)),
        random_state=seed,
        n_jobs=1,
    ).fit(X, y, sample_weight=w)
    return lambda Z: np.asarray(model.predict(Z), dtype=np.float64)
