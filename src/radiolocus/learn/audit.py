"""Leakage audit: what would make an honest protocol look better than it is.

The protocol keeps the test fold from being seen. It cannot know that two rows are one patient, that a column was
measured after the event, or that somebody chose the predictors with the outcome in hand. These checks look for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from radiolocus.learn.null import Null
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.target import Target
from radiolocus.model import Array
from radiolocus.stats.sample_size import needed_binary, needed_survival

__all__ = ["Finding", "after_outcome", "duplicates", "fewer_events", "permuted_outcome", "predicts_alone", "too_few"]

Verdict = Literal["pass", "suspect", "leak", "not checked"]

# A column that ranks nearly every pair rightly is the outcome under another name more often than a discovery.
_ALONE = 0.98
# Columns needed to know a subject by, and pairs of strangers that may be taken for one another by chance.
_FEATURES, _CHANCE = 5, 0.05


@dataclass(frozen=True)
class Finding:
    """One line of the audit.

    Parameters
    ----------
    check : str
        ``permuted outcome``, ``duplicates``, ``predicts alone``, ``after the outcome``, ``events`` or ``sample size``.
    verdict : {"pass", "suspect", "leak", "not checked"}
    got : str
        What was found, in words.
    item : str
        Column or subjects concerned; empty: all together.
    value, error : float
        Number that was judged, and its Monte Carlo standard error; NaN where there is none.
    """

    check: str
    verdict: Verdict
    got: str
    item: str = ""
    value: float = float("nan")
    error: float = float("nan")


def permuted_outcome(null: Null, target: Target) -> Finding:
    """Judge the whole protocol on permuted outcomes: its mean must not lie above 0.5.

    The mean is compared with 0.5 by its Monte Carlo standard error: that of the draws, and no less than chance makes
    it (Mann & Whitney's variance of an AUC without information). More than three of them above 0.5 is a leak. Below 0.5
    is none: out of fold, a model without information tends to fall there, since what is overrepresented in the training
    part is underrepresented in the part held out.
    """
    draws = null.finite
    if draws.size == 0:
        return Finding("permuted outcome", "not checked", "no permuted outcome could be run through the protocol")
    one = target.events if target.time is not None else target.rarest
    other = max(target.n - one, 1)
    chance = float(np.sqrt((one + other + 1) / (12.0 * max(one, 1) * other)))
    error = max(float(draws.std(ddof=1)) if draws.size > 1 else 0.0, chance) / np.sqrt(draws.size)
    excess = (null.mean - 0.5) / error
    verdict: Verdict = "leak" if excess > 3.0 else "suspect" if excess > 2.0 else "pass"
    got = (
        f"the whole protocol on {draws.size} permuted outcomes: mean {null.mean:.3f} ± {error:.3f} (Monte Carlo error)"
    )
    got += ", 0.5 expected" + ("" if verdict == "pass" else ": something of the outcome leaks into the prediction")
    return Finding("permuted outcome", verdict, got, "", null.mean, float(error))


def duplicates(predictors: Predictors, subject: Sequence[str]) -> list[Finding]:
    """Find subjects that are one another's copies, or nearly so, in the columns that tell subjects apart.

    Columns with as many different values as half the subjects count, standardised, those at least five. The distance
    of a pair is the root mean square difference over the columns that both have. Near duplicates are closer than a
    fraction r of the median distance to the nearest neighbour, at most a fifth: r is such that among strangers, spread
    over the effective dimension d of the columns, 0.05 such pairs are expected, n ln 2 · r^d = 0.05.

    Parameters
    ----------
    predictors : Predictors
        Of n subjects, one row each.
    subject : sequence of str, length n
    """
    X = _telling(predictors)
    n = len(X)
    if X.shape[1] < _FEATURES or n < 3:
        return [
            Finding(
                "duplicates",
                "not checked",
                f"columns that tell subjects apart: {X.shape[1]}; at least {_FEATURES} are needed to find duplicates",
            )
        ]
    distance = _distances(X)
    nearest = np.median(distance.min(axis=1))
    size = np.linalg.eigvalsh(np.corrcoef(np.nan_to_num(X), rowvar=False))
    dimension = float(size.sum() ** 2 / np.square(size).sum())
    near = min(0.2, (_CHANCE / (n * np.log(2.0))) ** (1.0 / dimension)) * nearest
    found = []
    for i, j in np.argwhere(np.triu(distance <= near, 1)):
        same = distance[i, j] <= 1e-9
        told = "equal in every column" if same else f"nearly equal: {distance[i, j]:.2g} apart, others {nearest:.2g}"
        found.append(
            Finding(
                "duplicates",
                "leak" if same else "suspect",
                f"two subjects {told}; one may train the model that predicts the other",
                f"{subject[i]}, {subject[j]}",
                float(distance[i, j]),
            )
        )
    return found or [Finding("duplicates", "pass", f"no two of {n} subjects are alike in {X.shape[1]} columns")]


def _telling(predictors: Predictors) -> Array:
    """Standardised numeric columns with many different values, copies of a column once."""
    columns, seen = [np.zeros((predictors.n, 0))], set()
    for column in predictors.numeric.T:
        there = np.isfinite(column)
        if np.unique(column[there]).size * 2 <= predictors.n or column[there].std() <= 0:
            continue
        scaled = (column - column[there].mean()) / column[there].std()
        if (key := np.round(scaled, 9).tobytes()) not in seen:
            seen.add(key)
            columns.append(scaled[:, None])
    return np.hstack(columns)


def _distances(X: Array) -> Array:
    """Root mean square difference of every pair over the columns that both have; infinite on the diagonal."""
    n = len(X)
    out = np.full((n, n), np.inf)
    there = np.isfinite(X)
    filled = np.where(there, X, 0.0)
    for i in range(n):
        shared = there & there[i]
        count = shared.sum(axis=1)
        square = (np.where(shared, filled - filled[i], 0.0) ** 2).sum(axis=1)
        enough = count >= _FEATURES
        out[i, enough] = np.sqrt(square[enough] / count[enough])
    np.fill_diagonal(out, np.inf)
    return out


def predicts_alone(names: Sequence[str], estimate: Array, metric: str) -> list[Finding]:
    """Find columns that tell the outcome by themselves.

    Parameters
    ----------
    names : sequence of str, length p
    estimate : ndarray, shape (p,)
        AUC or Harrell's C of each column, in either direction.
    metric : str
        Its name.
    """
    strength = np.maximum(estimate, 1.0 - estimate).tolist()
    found = [
        Finding(
            "predicts alone",
            "leak" if strength[j] >= 1.0 else "suspect",
            f"{'orders every pair' if strength[j] >= 1.0 else 'orders nearly every pair'} by itself ({metric} "
            f"{strength[j]:.3f}): the outcome under another name, or measured after it?",
            names[j],
            strength[j],
        )
        for j in range(len(strength))
        if strength[j] > _ALONE
    ]
    top = f"; the strongest reaches {metric} {max(strength):.2f}" if strength else ""
    return found or [Finding("predicts alone", "pass", f"none of {len(names)} columns predicts alone{top}")]


def after_outcome(item: str, measured: Array, target: Target) -> Finding:
    """Judge when a predictor was measured: not after the event, and at time zero at the latest.

    Parameters
    ----------
    item : str
        Predictor or block.
    measured : ndarray, shape (n,)
        Time of measurement since time zero, in the unit of the endpoint; NaN where unknown.
    target : Target
        For an endpoint without times only time zero counts.
    """
    known = np.isfinite(measured)
    late = known & (measured > 0)
    past = np.zeros(target.n, dtype=bool) if target.time is None else known & (measured > target.time)
    if past.any():
        return Finding(
            "after the outcome",
            "leak",
            f"measured after the event or the end of follow-up in {int(past.sum())} of {int(known.sum())} subjects",
            item,
            float(past.sum()),
        )
    if late.any():
        return Finding(
            "after the outcome",
            "suspect",
            f"measured after time zero in {int(late.sum())} of {int(known.sum())} subjects: who had the event before "
            "could not be measured (use a landmark)",
            item,
            float(late.sum()),
        )
    lacking = f"; unknown in {int((~known).sum())}" if not known.all() else ""
    return Finding("after the outcome", "pass" if known.any() else "not checked", f"not after time zero{lacking}", item)


def fewer_events(target: Target, candidates: int) -> Finding:
    """Compare events with the predictors offered."""
    ratio = target.events / max(candidates, 1)
    got = f"{target.events} events for {candidates} candidate predictors ({ratio:.2g} each)"
    if ratio >= 1.0:
        return Finding("events", "pass", got, "", ratio)
    return Finding(
        "events", "suspect", f"{got}: fewer events than parameters; only a penalty or a selection fits", "", ratio
    )


def too_few(target: Target, candidates: int) -> Finding:
    """Compare the subjects with those that Riley's criteria ask for.

    The Cox–Snell R² is taken as 0.15 of the largest possible, as the authors advise where nothing is known; risk is
    predicted by the median time of follow-up.
    """
    if candidates < 1 or not 0 < target.events < target.n or target.levels:
        return Finding("sample size", "not checked", "the criteria are for events among others, and for predictors")
    if target.time is None:
        need = needed_binary(candidates, target.events / target.n)
    else:
        follow_up = float(target.time.mean())
        rate = target.events / (target.n * follow_up)
        need = needed_survival(candidates, rate, follow_up, float(np.median(target.time[target.time > 0])))
    got = (
        f"{target.n} subjects; without a penalty {candidates} candidate predictors need {need.subjects:,} "
        f"({need.shrinkage:,} for a shrinkage of 0.9, {need.optimism:,} for an optimism of R² of 0.05, {need.risk:,} "
        f"for the risk of all ± 0.05; Riley 2020, R² {need.r2:.2g})"
    )
    return Finding("sample size", "pass" if target.n >= need.subjects else "suspect", got, "", float(need.subjects))
