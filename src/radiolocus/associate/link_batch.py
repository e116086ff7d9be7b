"""Differences between sites or scanners, before and after ComBat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.model import Array, Problem
from radiolocus.schema import conform
from radiolocus.stats.canonical import neg_log10_p_f
from radiolocus.stats.combat import fit_combat
from radiolocus.stats.correlation import spanning_basis
from radiolocus.stats.ols import residualise

__all__ = ["harmonise_features"]


def harmonise_features(
    names: Sequence[str], F: Array, batch: Sequence[str | None], Z: Array
) -> tuple[Array, pl.DataFrame, list[Problem]]:
    """Bring the features of all batches together.

    Parameters
    ----------
    names : sequence of str, length P
    F : ndarray, shape (n, P)
        NaN where missing.
    batch : sequence of str or None, length n
    Z : ndarray, shape (n, k)
        Covariates, which are kept; NaN where missing.

    Returns
    -------
    ndarray, shape (n, P)
        NaN for subjects whose batch or covariates are unknown, or who are alone in their batch.
    report : polars.DataFrame
        Table ``link/batch``.
    problems : list of Problem

    Raises
    ------
    FitError
        One batch only, or covariates that the batches determine.
    """
    labels = np.array([name if name is not None else "" for name in batch], dtype=np.str_)
    known = (labels != "") & np.isfinite(Z).all(axis=1)
    size = {name: int((labels[known] == name).sum()) for name in np.unique(labels[known])}
    lonely = np.isin(labels, [name for name, n in size.items() if n < 2])
    used = known & ~lonely
    problems = []
    if not used.all():
        got = f"{int((~used).sum())} subjects take part in no test: alone in their batch, or batch or covariate unknown"
        problems.append(
            Problem("link", got, "set aside", where="link.batch", allowed="two subjects a batch or more",
                    todo="merge small batches", count=int((~used).sum()))
        )  # fmt: skip
    out = np.full(F.shape, np.nan)
    # A covariate that is constant among those used would be no covariate to keep.
    kept = Z[used][:, np.ptp(Z[used], axis=0) > 0] if used.any() else Z[used]
    model = fit_combat(F[used], labels[used].tolist(), kept)
    out[used] = model.apply(F[used], labels[used].tolist(), kept)
    report = _report(names, F[used], out[used], labels[used], kept)
    return out, report, problems


def _report(names: Sequence[str], before: Array, after: Array, labels: npt.NDArray[np.str_], Z: Array) -> pl.DataFrame:
    rows = []
    for j, name in enumerate(names):
        there = ~np.isnan(before[:, j])
        told = [_difference(values[there, j], labels[there], Z[there]) for values in (before, after)]
        rows.append((name, int(there.sum()), np.unique(labels[there]).size, *told[0], *told[1]))
    stems = ("r_squared", "neg_log_10_p", "scale")
    columns = [f"{stem}_{when}" for when in ("before", "after") for stem in stems]
    frame = pl.DataFrame(rows, schema=["feature", "n", "batches", *columns], orient="row")
    frame = frame.with_columns(pl.col(pl.Float64).fill_nan(None))
    return conform(frame.sort(["neg_log_10_p_before", "feature"], descending=[True, False]), "link/batch")


def _difference(y: Array, labels: npt.NDArray[np.str_], Z: Array) -> tuple[float, float, float]:
    """Share of variance beyond the covariates, −log10 p of its F-test, and the ratio of standard deviations."""
    n = y.size
    kinds = np.unique(labels)
    member = (labels[:, None] == kinds[None, 1:]).astype(np.float64)
    if n == 0 or kinds.size < 2:
        return (float("nan"),) * 3
    small, full = spanning_basis(Z, n), spanning_basis(np.hstack([Z, member]), n)
    rest, left = residualise(small, y[:, None])[:, 0], residualise(full, y[:, None])[:, 0]
    gained, df = full.shape[1] - small.shape[1], n - full.shape[1]
    whole, own = float(rest @ rest), float(left @ left)
    if gained < 1 or df < 1 or own <= 1e-20 * float(y @ y):
        return (float("nan"),) * 3
    spread = np.array([left[labels == kind].std() for kind in kinds if (labels == kind).sum() > 1])
    ratio = float(spread.max() / spread.min()) if spread.size and spread.min() > 0 else float("nan")
    f = max(whole - own, 0.0) / gained / (own / df)
    return 1.0 - own / whole, neg_log10_p_f(f, gained, df), ratio
