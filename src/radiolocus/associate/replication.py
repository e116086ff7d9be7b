"""Links of one cohort looked for in another: side by side, and combined."""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.special import ndtri

from radiolocus.errors import TableError
from radiolocus.model import Array, BoolArray, Problem
from radiolocus.schema import TABLES, conform, empty
from radiolocus.stats.tail import neg_log10_p_chi2, neg_log10_p_normal

__all__ = ["replicate"]

#: Pairs with a smaller false discovery rate are looked for.
FDR, ALPHA = 0.05, 0.05
_Z = float(ndtri(0.975))
_WITH_ERROR = ("linear", "logistic", "logistic, Firth", "proportional odds")
_RANKS = ("Spearman", "partial Spearman")


def replicate(here: pl.DataFrame, there: pl.DataFrame) -> tuple[pl.DataFrame, tuple[Problem, ...]]:
    """Look for the links of one cohort in another.

    Parameters
    ----------
    here, there : polars.DataFrame
        Tables ``link/link`` of both cohorts, made with the same tests and covariates.

    Returns
    -------
    table : polars.DataFrame
        Table ``link/replication``: pairs with q < 0.05 here. Estimates with a standard error are combined by inverse
        variance; of rank and distance tests the (rank) correlation is, by Fisher's z with variance 1 / (n − 3),
        times 1 + ρ²/2 for ranks.
        *Replicated* is a pair of the same direction whose p there is below 0.05 over the number of pairs found there.
    problems : tuple of Problem
        Pairs that the other cohort did not test, or tested otherwise.

    Raises
    ------
    TableError
        A table that is not ``link/link``.
    """
    for what, frame in (("this cohort", here), ("the other cohort", there)):
        lost = [c for c in ("feature", "marker", "test", "estimate", "q_value", "n") if c not in frame.columns]
        if lost:
            raise TableError(f"no column {', '.join(lost)}", where=f"link/link of {what}", allowed="table link/link")
    found = here.filter(pl.col("q_value") < FDR)
    if found.height == 0:
        got = "no pair with q < 0.05 to look for in the other cohort"
        return empty("link/replication"), (Problem("link", got, "note", where="link.replication"),)
    # Whether Firth's penalty was needed depends on the cohort, not on the question.
    plain = pl.col("test").str.replace(", Firth", "", literal=True).alias("asked")
    both = found.with_columns(plain).join(
        there.with_columns(plain).select(pl.col(c) for c in (*_TAKEN, "asked")),
        on=["feature", "marker", "asked"], how="left", suffix="_there", maintain_order="left",
    )  # fmt: skip
    known = both["estimate_there"].is_not_null().to_numpy()
    table = _combined(both, known)
    problems = []
    if not known.all():
        got = f"{int((~known).sum())} of {found.height} pairs were not tested, or by another test, in the other cohort"
        problems.append(Problem("link", got, "no value", where="link.replication", count=int((~known).sum())))
    return conform(table, "link/replication"), tuple(problems)


_TAKEN = ("feature", "marker", "estimate", "standard_error", "neg_log_10_p_value", "n", "correlation")


def _scaled(frame: pl.DataFrame, tail: str) -> tuple[Array, Array, BoolArray]:
    """Effects and standard errors on the scale on which they are combined, and where that is Fisher's z."""
    estimate, error, r = (
        frame[f"{name}{tail}"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        for name in ("estimate", "standard_error", "correlation")
    )
    n = frame[f"n{tail}"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    test = frame["test"].to_numpy()
    fisher = ~np.isin(test, _WITH_ERROR)
    z = np.arctanh(np.clip(r, -1 + 1e-15, 1 - 1e-15))
    wider = np.where(np.isin(test, _RANKS), 1.0 + r * r / 2.0, 1.0)  # Bonett & Wright 2000
    own = np.sqrt(wider / np.maximum(n - 3.0, 1.0))
    return np.where(fisher, z, estimate), np.where(fisher, own, error), fisher


def _combined(both: pl.DataFrame, known: BoolArray) -> pl.DataFrame:
    a, sa, fisher = _scaled(both, "")
    b, sb, _ = _scaled(both, "_there")
    weight = 1.0 / sa**2 + 1.0 / sb**2
    mean = (a / sa**2 + b / sb**2) / weight
    error = 1.0 / np.sqrt(weight)

    def back(values: Array) -> pl.Series:
        return pl.Series(np.where(fisher, np.tanh(values), values)).fill_nan(None)

    q = neg_log10_p_chi2((a - b) ** 2 / (sa**2 + sb**2), 1)
    same = np.sign(a) == np.sign(b)
    tail = both["neg_log_10_p_value_there"].fill_null(0.0).to_numpy()
    counted = max(int(known.sum()), 1)
    unknown = pl.Series(known)
    table = both.select(
        "feature", "marker", "test", "neg_log_10_p_value", "n",
        pl.col("neg_log_10_p_value_there").alias("other_neg_log_10_p_value"), pl.col("n_there").alias("other_n"),
    ).with_columns(
        pl.Series("scale", np.where(fisher, "correlation", "estimate")),
        back(a).alias("effect"), back(a - _Z * sa).alias("lower"), back(a + _Z * sa).alias("upper"),
        back(b).alias("other_effect"), back(b - _Z * sb).alias("other_lower"),
        back(b + _Z * sb).alias("other_upper"),
        pl.Series("same_direction", same), pl.Series("replicated", same & (tail > -np.log10(ALPHA / counted))),
        back(mean).alias("combined"), back(mean - _Z * error).alias("combined_lower"),
        back(mean + _Z * error).alias("combined_upper"),
        pl.Series("combined_neg_log_10_p_value", neg_log10_p_normal(mean / error)).fill_nan(None),
        pl.Series("heterogeneity_p_value", 10.0 ** -np.nan_to_num(q, nan=0.0)),
    )  # fmt: skip
    there = ("same_direction", "replicated", "heterogeneity_p_value")
    return table.with_columns(pl.when(unknown).then(pl.col(c)).otherwise(None).alias(c) for c in there).select(
        list(TABLES["link/replication"].schema)
    )
