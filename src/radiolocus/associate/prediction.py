"""How well a polygenic score tells a phenotype or a disease: association, explained variance, AUC, quantiles.

Everything that was chosen by looking at the same subjects is said to be; a threshold is tuned on the other folds only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.stats import norm

from radiolocus.errors import ConfigError, FitError
from radiolocus.model import Array
from radiolocus.stats.logistic import binary_labels, fit_logistic
from radiolocus.stats.ols import covariate_basis, regress_pair, residualise
from radiolocus.stats.resampling import bootstrap_weights, percentile_interval
from radiolocus.stats.roc import delong, delong_paired
from radiolocus.stats.tail import neg_log10_p_normal, neg_log10_p_t

__all__ = ["AssessOptions", "assess", "liability_r2", "quantiles", "tune"]

_WHERE = "score"
_Z = float(norm.ppf(0.975))


@dataclass(frozen=True)
class AssessOptions:
    """How a score is held against a phenotype.

    Parameters
    ----------
    kind : {"auto", "linear", "logistic"}
        "auto" takes logistic regression for a phenotype of 0 and 1.
    prevalence : float or None
        Fraction of cases in the population, for explained variance of the liability.
    groups : int
        Quantiles of the score that are compared.
    folds : int
        In which a threshold is tuned.
    bootstrap : int
        Draws behind the interval of R².
    seed : int
        Of folds and draws.
    """

    kind: Literal["auto", "linear", "logistic"] = "auto"
    prevalence: float | None = None
    groups: int = 5
    folds: int = 5
    bootstrap: int = 500
    seed: int = 1

    def __post_init__(self) -> None:
        if self.kind not in ("auto", "linear", "logistic"):
            raise ConfigError(f"kind = '{self.kind}'", where=_WHERE, allowed="auto, linear, logistic")
        if self.prevalence is not None and not 0 < self.prevalence < 1:
            raise ConfigError(f"prevalence = {self.prevalence:g}", where=_WHERE, allowed="above 0 and below 1")
        if self.groups < 2 or self.folds < 2 or self.bootstrap < 2:
            raise ConfigError(
                f"groups = {self.groups}, folds = {self.folds}, bootstrap = {self.bootstrap}", where=_WHERE,
                allowed="2 or more",
            )  # fmt: skip

    def binary(self, y: Array) -> bool:
        """Whether `y` is taken for cases and controls."""
        return self.kind == "logistic" or (self.kind == "auto" and bool(np.isin(y, (0.0, 1.0)).all()))


def assess(
    score: Array, y: Array, covariates: Array | None = None, options: AssessOptions | None = None
) -> pl.DataFrame:
    """Association of a score with a phenotype, and what it adds to the covariates.

    Parameters
    ----------
    score : ndarray, shape (n,)
    y : ndarray, shape (n,)
        Measured, or 0 and 1.
    covariates : ndarray, shape (n, k), optional
    options : AssessOptions, optional

    Returns
    -------
    polars.DataFrame
        Columns metric, estimate, lower, upper (95 %, null where there is none) and meaning. Effects are per standard
        deviation of the score among these subjects.

    Raises
    ------
    FitError
        Too few subjects, a score that does not vary, one class, or separation.
    """
    options = options or AssessOptions()
    n = y.size
    table = np.empty((n, 0)) if covariates is None else np.asarray(covariates, dtype=np.float64)
    spread = float(score.std(ddof=1)) if n > 1 else 0.0
    if n < table.shape[1] + 10 or spread <= 1e-12 * float(np.abs(score).max(initial=0.0)):
        raise FitError(
            f"{n} subjects, {table.shape[1]} covariates and a score of standard deviation {spread:g}", where=_WHERE,
            allowed="10 subjects more than covariates, and a score that varies",
        )  # fmt: skip
    x = (score - score.mean()) / spread
    rows = _logistic(x, y, table, options) if options.binary(y) else _linear(x, y, table, options)
    names = ("metric", "estimate", "lower", "upper", "meaning")
    frame = pl.DataFrame([dict(zip(names, row, strict=True)) for row in rows], infer_schema_length=None)
    return frame.with_columns(pl.col("estimate", "lower", "upper").cast(pl.Float64).fill_nan(None))


_Row = tuple[str, float, float | None, float | None, str]


def _linear(x: Array, y: Array, table: Array, options: AssessOptions) -> list[_Row]:
    n = y.size
    basis = covariate_basis(table, n)
    df = n - basis.shape[1] - 1
    found = regress_pair(x, y, basis, df)
    if found is None:
        raise FitError("score and covariates determine the phenotype", where=_WHERE)
    beta, error, t = found
    gained, alone = _gain(x, y, table)
    draws = [
        _gain(x[index], y[index], table[index])[0]
        for weights in bootstrap_weights(n, options.bootstrap, options.seed)
        for index in (np.repeat(np.arange(n), w) for w in weights)
    ]
    interval = percentile_interval(np.array(draws))
    return [
        ("subjects", float(n), None, None, "with score, phenotype and covariates"),
        ("beta", beta, beta - _Z * error, beta + _Z * error, "change of the phenotype per standard deviation"),
        ("standard_error", error, None, None, "of beta"),
        ("neg_log_10_p_value", float(neg_log10_p_t(t, df)), None, None, "of beta, two-sided"),
        ("r2", gained, interval.lower, interval.upper, "variance explained beyond the covariates; bootstrap interval"),
        ("r2_covariates", alone, None, None, "variance explained by the covariates"),
    ]


def _gain(x: Array, y: Array, table: Array) -> tuple[float, float]:
    """R² with the score less R² without it, and the latter."""
    centred = y - y.mean()
    total = float(centred @ centred)
    if total <= 0:
        return float("nan"), float("nan")
    without = np.column_stack([np.ones(y.size), table])
    rest = [y - part @ np.linalg.lstsq(part, y, rcond=None)[0] for part in (without, np.column_stack([without, x]))]
    small, large = (1.0 - float(r @ r) / total for r in rest)
    return large - small, small


def _logistic(x: Array, y: Array, table: Array, options: AssessOptions) -> list[_Row]:
    labels = binary_labels(y)
    n, cases = labels.size, int(labels.sum())
    names = [*(f"covariate {i + 1}" for i in range(table.shape[1])), "score"]
    full = fit_logistic(labels, np.column_stack([table, x]), names=names)
    null = full.loglik_null
    below = fit_logistic(labels, table).loglik if table.shape[1] else null
    beta, error = float(full.coefficient[-1]), float(full.standard_error[-1])
    most = 1.0 - np.exp(2.0 * null / n)
    gained, alone = (float((np.exp(2.0 * (null - a) / n) - np.exp(2.0 * (null - b) / n)) / most) for a, b in (
        (below, full.loglik), (null, below)
    ))  # fmt: skip
    area = delong(labels, x)
    rows: list[_Row] = [
        ("subjects", float(n), None, None, "with score, phenotype and covariates"),
        ("cases", float(cases), None, None, "among them"),
        (
            "odds_ratio", float(np.exp(beta)), float(np.exp(beta - _Z * error)), float(np.exp(beta + _Z * error)),
            "per standard deviation of the score",
        ),
        ("log_odds_ratio", beta, beta - _Z * error, beta + _Z * error, "per standard deviation"),
        ("standard_error", error, None, None, "of the log odds ratio"),
        ("neg_log_10_p_value", float(neg_log10_p_normal(beta / error)), None, None, "Wald, two-sided"),
        ("nagelkerke_r2", gained, None, None, "beyond the covariates"),
        ("nagelkerke_r2_covariates", alone, None, None, "of the covariates"),
        ("auc", area.estimate, area.lower, area.upper, "of the score alone; DeLong"),
    ]  # fmt: skip
    if table.shape[1]:
        slopes = full.coefficient
        paired = delong_paired(
            labels, np.column_stack([table, x]) @ slopes, table @ fit_logistic(labels, table).coefficient
        )
        rows += [
            ("auc_with_covariates", paired.first, None, None, "covariates and score, fitted on these very subjects"),
            ("auc_gain", paired.difference, paired.lower, paired.upper, "over the covariates alone; DeLong, paired"),
        ]
    if options.prevalence is not None:
        observed = _gain(x, labels.astype(np.float64), table)[0]
        told = liability_r2(observed, cases / n, options.prevalence)
        rows.append(
            ("liability_r2", told, None, None, f"beyond the covariates, at a prevalence of {options.prevalence:g}")
        )
    return rows


def liability_r2(observed: float, sample_prevalence: float, population_prevalence: float) -> float:
    """Variance of the liability explained, from that of 0 and 1 in a sample of cases and controls.

    Parameters
    ----------
    observed : float
        R² of linear regression.
    sample_prevalence, population_prevalence : float

    References
    ----------
    Lee, Goddard, Wray & Visscher 2012, doi:10.1002/gepi.21614, equation 15.
    """
    k, p = population_prevalence, sample_prevalence
    t = float(norm.isf(k))
    z = float(norm.pdf(t))
    m = z / k
    scale = k * (1 - k) / z**2 * k * (1 - k) / (p * (1 - p))
    theta = m * (p - k) / (1 - k) * (m * (p - k) / (1 - k) - t)
    return observed * scale / (1 + observed * theta * scale)


def quantiles(
    score: Array, y: Array, covariates: Array | None = None, options: AssessOptions | None = None
) -> pl.DataFrame:
    """Phenotype or odds in each quantile of the score against the lowest.

    Parameters
    ----------
    score, y, covariates, options
        See :func:`assess`.

    Returns
    -------
    polars.DataFrame
        Columns group (1 the lowest), n, mean_score, mean_phenotype (for 0 and 1: the fraction of cases), estimate (odds
        ratio, or difference of means, adjusted for the covariates), lower and upper (95 %). The first group is the
        reference; a group that separates cases from controls has no estimate.
    """
    options = options or AssessOptions()
    table = np.empty((y.size, 0)) if covariates is None else np.asarray(covariates, dtype=np.float64)
    edges = np.quantile(score, np.linspace(0, 1, options.groups + 1)[1:-1])
    group = np.searchsorted(edges, score, side="right")
    present = np.unique(group)
    dummies = (group[:, None] == present[None, 1:]).astype(np.float64)
    binary = options.binary(y)
    if present.size < 2:
        raise FitError("a score of one value", where=_WHERE)
    beta, error = _contrasts(dummies, y, table, binary)
    rows = []
    for i, number in enumerate(present):
        inside = group == number
        ends = (beta[i], beta[i] - _Z * error[i], beta[i] + _Z * error[i])
        estimate, lower, upper = (float(np.exp(v)) if binary else float(v) for v in ends)
        rows.append({
            "group": int(number) + 1, "n": int(inside.sum()), "mean_score": float(score[inside].mean()),
            "mean_phenotype": float(y[inside].mean()), "estimate": estimate,
            "lower": lower if i else None, "upper": upper if i else None,
        })  # fmt: skip
    return pl.DataFrame(rows, infer_schema_length=None).fill_nan(None)


def _contrasts(dummies: Array, y: Array, table: Array, binary: bool) -> tuple[Array, Array]:
    """Effect of each group against the first, and its error; NaN where there is none."""
    count = dummies.shape[1]
    X = np.column_stack([table, dummies])
    if binary:
        try:
            fit = fit_logistic(y, X, names=[f"column {i + 1}" for i in range(X.shape[1])])
            beta, error = fit.coefficient[-count:], fit.standard_error[-count:]
        except FitError:
            beta = error = np.full(count, np.nan)
    else:
        basis = covariate_basis(table, y.size)
        inner, rest = residualise(basis, dummies), residualise(basis, y[:, None])[:, 0]
        inverse = np.linalg.pinv(inner.T @ inner)
        beta = inverse @ (inner.T @ rest)
        left = rest - inner @ beta
        error = np.sqrt(np.diag(inverse) * float(left @ left) / (y.size - basis.shape[1] - count))
    return np.append(0.0, beta), np.append(0.0, error)


def tune(
    scores: Array, names: Sequence[str], y: Array, covariates: Array | None = None, options: AssessOptions | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Explained variance of several scores, and of the best one chosen within folds.

    Parameters
    ----------
    scores : ndarray, shape (n, k)
        One column a threshold.
    names : sequence of str
    y, covariates, options
        See :func:`assess`; of 0 and 1 the R² of linear regression is taken.

    Returns
    -------
    each : polars.DataFrame
        Columns score and r2: of every score among all subjects. The largest of them is too good: it was chosen here.
    chosen : polars.DataFrame
        Columns fold, score (the best on the other folds), r2_others (there) and r2 (on this fold, which nothing was
        chosen by). The mean of the last column is what a tuned score explains in new subjects of the same kind.
    """
    options = options or AssessOptions()
    table = np.empty((y.size, 0)) if covariates is None else np.asarray(covariates, dtype=np.float64)
    smallest = y.size // options.folds
    if smallest < table.shape[1] + 5:
        raise FitError(
            f"{y.size} subjects in {options.folds} folds with {table.shape[1]} covariates", where=_WHERE,
            allowed=f"at least {table.shape[1] + 5} subjects a fold", todo="use fewer folds or covariates",
        )  # fmt: skip
    each = pl.DataFrame({"score": list(names), "r2": [_gain(column, y, table)[0] for column in scores.T]})
    order = np.random.default_rng(options.seed).permutation(y.size)
    rows = []
    for fold, held in enumerate(np.array_split(order, options.folds), 1):
        others = np.setdiff1d(order, held)
        gains = [_gain(column, y[others], table[others])[0] for column in scores[others].T]
        best = int(np.argmax(gains))
        rows.append({
            "fold": fold, "score": names[best], "r2_others": gains[best],
            "r2": _held_out(scores[:, best], y, table, others, held),
        })  # fmt: skip
    return each, pl.DataFrame(rows)


def _held_out(
    score: Array, y: Array, table: Array, others: npt.NDArray[np.int64], held: npt.NDArray[np.int64]
) -> float:
    """Squared error spared on `held` by a score whose slope was fitted on `others`; negative where it does harm."""
    without = np.column_stack([np.ones(y.size), table])
    errors = []
    for part in (without, np.column_stack([without, score])):
        slopes = np.linalg.lstsq(part[others], y[others], rcond=None)[0]
        errors.append(float(np.square(y[held] - part[held] @ slopes).sum()))
    total = float(np.square(y[held] - y[others].mean()).sum())
    return (errors[0] - errors[1]) / total
