"""Conformal prediction sets and intervals from cross-validation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.errors import InputError
from radiolocus.model import Array

__all__ = ["class_conformal_p", "conformal_interval"]


def class_conformal_p(
    score: npt.ArrayLike, label: npt.ArrayLike, fold: npt.ArrayLike, candidate: npt.ArrayLike
) -> Array:
    """Conformal p-value of every class for new subjects, calibrated class by class on cross-validated scores (CV+).

    Of class c: one plus the number of calibration subjects of that class who conform no better than the new subject
    would, over one plus their number. Each of them is compared with the score that the new subject has under the very
    model that held the calibration subject out. The classes whose p-value exceeds α make the prediction set. Among the
    subjects of each class, sets of level α hold the truth with probability at least 1 − 2α, up to a term that falls
    with the number of subjects in a fold, and in practice about 1 − α; a class of fewer than 1/α − 1 calibration
    subjects is in every set.

    Parameters
    ----------
    score : array_like, shape (n,)
        Nonconformity of each calibration subject with his own class, by the model that did not see him: higher is
        stranger, e.g. one minus the probability of the class.
    label : array_like of int, shape (n,)
        Class of each calibration subject, from 0.
    fold : array_like of int, shape (n,)
        Fold that held each calibration subject out, from 0.
    candidate : array_like, shape (F, m, K)
        Nonconformity of each new subject with each class under the model of each fold.

    Returns
    -------
    ndarray, shape (m, K)

    Raises
    ------
    InputError
        Shapes that do not belong together, or scores that are not finite.

    References
    ----------
    Barber, Candès, Ramdas & Tibshirani (2021) Ann Stat 49:486 (CV+). Vovk (2015) Ann Math Artif Intell 74:9
    (cross-conformal predictors; label-conditional p-values).
    """
    scores, new = np.asarray(score, dtype=np.float64), np.asarray(candidate, dtype=np.float64)
    labels, folds = np.asarray(label, dtype=np.int64), np.asarray(fold, dtype=np.int64)
    if new.ndim != 3 or scores.ndim != 1 or not scores.shape == labels.shape == folds.shape:
        raise InputError(
            f"scores of shape {scores.shape}, labels {labels.shape}, folds {folds.shape}, candidates {new.shape}",
            allowed="(n,), (n,), (n,) and (F, m, K)",
        )
    if not (np.isfinite(scores).all() and np.isfinite(new).all()):
        raise InputError("a nonconformity that is not finite", allowed="numbers")
    if folds.size and not (folds.min() >= 0 and folds.max() < len(new)):
        raise InputError(f"fold {folds.max()}", allowed=f"0 to {len(new) - 1}")
    count = np.ones(new.shape[1:])
    for c in range(new.shape[2]):
        for k in range(len(new)):
            own = np.sort(scores[(labels == c) & (folds == k)])
            # Equal scores count as conforming no better; what rounding may separate counts as equal.
            count[:, c] += own.size - np.searchsorted(own, new[k, :, c] - 1e-12, side="left")
    size = np.array([(labels == c).sum() for c in range(new.shape[2])])
    return np.asarray(count / (1.0 + size))


def conformal_interval(
    residual: npt.ArrayLike, fold: npt.ArrayLike, centre: npt.ArrayLike, coverage: float
) -> tuple[Array, Array]:
    """Prediction intervals for new subjects from cross-validated residuals (CV+).

    The lower end is the ⌊α (n + 1)⌋-th smallest of the predictions for the new subject by the model that held each
    calibration subject out, less that subject's absolute residual; the upper end the ⌈(1 − α)(n + 1)⌉-th smallest of
    their sums. Infinite with too few calibration subjects. The number is inside with probability at least 1 − 2α, less
    a term that falls with the number of subjects in a fold, and in practice about 1 − α, over all subjects together.

    Parameters
    ----------
    residual : array_like, shape (n,)
        Observed less predicted of each calibration subject, by the model that did not see him.
    fold : array_like of int, shape (n,)
        Fold that held each of them out, from 0.
    centre : array_like, shape (F, m)
        Prediction for each new subject by the model of each fold.
    coverage : float
        1 − α.

    Returns
    -------
    lower, upper : ndarray, shape (m,)

    Raises
    ------
    InputError
        Shapes that do not belong together, or numbers that are not finite.

    References
    ----------
    Barber, Candès, Ramdas & Tibshirani (2021) Ann Stat 49:486.
    """
    size, new = np.abs(np.asarray(residual, dtype=np.float64)), np.asarray(centre, dtype=np.float64)
    folds = np.asarray(fold, dtype=np.int64)
    if new.ndim != 2 or size.ndim != 1 or size.shape != folds.shape:
        raise InputError(
            f"residuals of shape {size.shape}, folds {folds.shape}, predictions {new.shape}",
            allowed="(n,), (n,) and (F, m)",
        )
    if not (np.isfinite(size).all() and np.isfinite(new).all()):
        raise InputError("a residual or prediction that is not finite", allowed="numbers")
    n, alpha = size.size, 1.0 - coverage
    below = np.sort(new[folds] - size[:, None], axis=0)
    above = np.sort(new[folds] + size[:, None], axis=0)
    first = int(np.floor(alpha * (n + 1) + 1e-9))
    last = int(np.ceil(coverage * (n + 1) - 1e-9))
    lower = below[first - 1] if first >= 1 else np.full(new.shape[1], -np.inf)
    upper = above[last - 1] if last <= n else np.full(new.shape[1], np.inf)
    return lower, upper
