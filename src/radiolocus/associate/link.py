"""Radiogenomic links: every imaging feature against every molecular marker.

======================  ==========================  =====================================  ===========================
marker, chosen test     test                        estimate                               standard error
======================  ==========================  =====================================  ===========================
binary, linear          ``linear``                  SD of the feature, present − absent    of least squares
continuous, linear      ``linear``                  SD of the feature per SD of marker     of least squares
binary, rank            ``rank-sum``                rank-biserial correlation, 2 AUC − 1   none: not defined apart
                                                                                           from the null
continuous, rank        ``Spearman``                Spearman's ρ                           √((1 − ρ²) / df)
any, rank, covariates   ``partial Spearman``        partial Spearman's ρ                   √((1 − ρ²) / df)
binary, logistic        ``logistic``                log odds ratio per SD of the feature   of maximum likelihood
..., separated          ``logistic, Firth``         the same, penalised likelihood         of penalised likelihood
ordinal                 ``proportional odds``       log odds ratio per SD of the feature   of maximum likelihood
any, distance           ``distance``                squared distance correlation,          none
                                                    bias-corrected
======================  ==========================  =====================================  ===========================

``linear`` is the regression of the feature on intercept, covariates and marker, with n − 2 − k degrees of freedom (k
independent covariates); without covariates and for a binary marker it is the two-sample t-test with pooled variance, or
the point-biserial correlation. The SD are those of the subjects used (denominator n − 1), before covariates.
``partial Spearman`` replaces feature, marker and covariates by their ranks and takes their partial correlation, with t
on n − 2 − k degrees of freedom (Kendall 1942, Biometrika 32:277; Kim 2015, Communications for Statistical Applications
and Methods 22:665). ``rank-sum`` is the normal approximation, see :func:`radiolocus.stats.correlation.rank_sum`.
``logistic`` and ``proportional odds`` regress the marker on covariates and feature; p is that of the likelihood ratio,
whose signed root is the statistic. ``distance`` is taken between what the covariates leave of feature and marker by
least squares, with the χ² test of Shen, Panda & Vogelstein (2022).

Intervals (95 %): Student's t (linear), Bonett and Wright's variance of Fisher's z (Spearman), Hanley and McNeil's
variance on the logit of the AUC (rank-sum), Wald (logistic, proportional odds).

Each pair uses the subjects that have both values and all covariates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from threadpoolctl import threadpool_limits

from radiolocus.associate.link_families import feature_family
from radiolocus.associate.link_options import LinkOptions
from radiolocus.associate.link_permute import Permuted, permute_links
from radiolocus.associate.link_scan import Scan, named
from radiolocus.associate.link_tables import KINDS as KINDS
from radiolocus.associate.link_tables import Columns, align, check_subjects, covariate_matrix, marker_kinds
from radiolocus.errors import ConfigError
from radiolocus.model import Array, BoolArray, Problem
from radiolocus.registry import suggest
from radiolocus.schema import conform, empty
from radiolocus.stats.multiplicity import benjamini_hochberg, bonferroni, hierarchical, storey

__all__ = ["LinkOptions", "Links", "further_covariates", "link", "stratum_of"]

LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class Links:
    """The tests made, and what could not be tested.

    Parameters
    ----------
    table : polars.DataFrame
        Table ``link/link``, smallest p-value first, then by feature and marker.
    problems : tuple of Problem
        One entry a reason, `count` pairs each.
    families : polars.DataFrame
        Table ``link/families``.
    """

    table: pl.DataFrame
    problems: tuple[Problem, ...] = ()
    families: pl.DataFrame = field(default_factory=lambda: empty("link/families"))


def link(
    features: pl.DataFrame,
    markers: pl.DataFrame,
    dictionary: pl.DataFrame,
    covariates: pl.DataFrame | None = None,
    options: LinkOptions | None = None,
    *,
    families: Mapping[str, str] | None = None,
    threads: int = 1,
) -> Links:
    """Test every feature against every marker.

    Parameters
    ----------
    features : polars.DataFrame
        `subject`, then numeric columns; one row a subject; null, NaN or infinite is missing.
    markers : polars.DataFrame
        Table ``molecular/markers``.
    dictionary : polars.DataFrame
        Table ``molecular/dictionary``: `kind` of every marker, ``"binary"``, ``"continuous"`` or ``"ordinal"``.
    covariates : polars.DataFrame, optional
        `subject` and at least the columns of ``options.covariates`` and ``options.permute_within``.
    options : LinkOptions, optional
    families : mapping of str to str, optional
        Family of a feature by its name; default: :func:`radiolocus.associate.link_families.feature_family`.
    threads : int
        Of the permutations; changes no bit of the result.

    Returns
    -------
    Links

    Raises
    ------
    ConfigError
        A covariate that is no column of `covariates`, a marker of the options that is none.
    TableError
        A subject twice, a column that is not numeric, a marker without an entry in `dictionary`.
    """
    options = options or LinkOptions()
    for name, frame in (("features", features), ("markers", markers)):
        check_subjects(name, frame)
    here = set(markers["subject"].to_list())
    subjects = sorted(s for s in features["subject"].to_list() if s in here)
    F = Columns.of("features", features, subjects)
    M = Columns.of("markers", markers, subjects)
    kinds = marker_kinds(M, dictionary, options)
    tests = [options.test_of(name, KINDS[kind]) for name, kind in zip(M.names, kinds, strict=True)]
    Z, complete, problems = covariate_matrix(covariates, options.covariates, subjects)
    Z, complete = further_covariates(Z, complete, F, options)
    scan = Scan(options, F.values, M.values, kinds, tests, Z)
    # One thread: how BLAS splits a product among threads shows in the last bits.
    with threadpool_limits(1):
        scan.run(complete)
    family = [(families or {}).get(name) or feature_family(name) for name in F.names]
    permuted = None
    if options.permutations:
        stratum = stratum_of(covariates, options.permute_within, subjects)
        permuted = permute_links(
            F.values[complete], M.values[complete], scan.how, scan.reason == 0, Z[complete], options, family,
            stratum if stratum is None else stratum[complete], threads,
        )  # fmt: skip
    for side in (F, M):
        if side.infinite:
            got = f"{side.infinite} infinite values taken as missing"
            problems.append(Problem("link", got, "note", where=side.what, count=side.infinite))
    table, told = _tables(scan, F.names, M.names, family, permuted, options)
    return Links(table, (*problems, *scan.problems(F.names, M.names)), told)


def further_covariates(Z: Array, complete: BoolArray, F: Columns, options: LinkOptions) -> tuple[Array, BoolArray]:
    """Put the features that are adjusted for beside the covariates."""
    for name in options.adjust_features:
        if name not in F.names:
            raise ConfigError(f"no imaging feature '{name}'", where="link.adjust_features", todo=suggest(name, F.names))
    columns = F.values[:, [F.names.index(name) for name in options.adjust_features]]
    return np.hstack([Z, columns]), complete & ~np.isnan(columns).any(axis=1)


def stratum_of(
    covariates: pl.DataFrame | None, name: str | None, subjects: Sequence[str]
) -> npt.NDArray[np.str_] | None:
    """Within what subjects are exchanged; those without a value form a stratum of their own."""
    if name is None:
        return None
    if covariates is None or name not in covariates.columns:
        offered = [c for c in covariates.columns if c != "subject"] if covariates is not None else []
        raise ConfigError(
            f"no column '{name}'", where="link.permute_within", allowed=", ".join(offered), todo=suggest(name, offered)
        )
    values = align(covariates.select("subject", name), subjects)[name].cast(pl.String).fill_null("")
    return values.to_numpy().astype(np.str_)


def _tables(
    scan: Scan,
    features: Sequence[str],
    markers: Sequence[str],
    family: Sequence[str],
    permuted: Permuted | None,
    options: LinkOptions,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    order = scan.order()
    row, column = np.divmod(order, max(len(markers), 1))
    tail = scan.tail.ravel()[order]
    kinds = sorted(set(family))
    places = np.array([kinds.index(name) for name in family], dtype=np.intp)
    by_marker = options.families == "marker"
    group = column if by_marker else places[row]
    labels = list(markers) if by_marker else kinds
    family_p, family_q, selected = hierarchical(tail, group, LEVEL)
    further: dict[str, Any] = {
        "bonferroni_p_value": bonferroni(tail),
        "q_value": benjamini_hochberg(tail),
        "storey_q_value": storey(tail),
        "feature_family": named(kinds, places[row]),
        "selected": selected,
        **_permuted_columns(permuted, order),
    }
    keep = np.flatnonzero(tail >= -np.log10(options.keep_p))  # a prefix: the order is that of the p-values
    kept = {name: values[: keep.size] for name, values in further.items()}
    frame = pl.DataFrame(scan.columns(order[: keep.size], features, markers) | kept)
    told = pl.DataFrame(
        {
            "family": labels[: family_p.size],
            "of": ["marker" if by_marker else "feature"] * family_p.size,
            "tests": np.bincount(group, minlength=family_p.size),
            "neg_log_10_p_value": pl.Series(family_p).fill_nan(None),
            "q_value": pl.Series(family_q).fill_nan(None),
            "selected": np.bincount(group, weights=selected, minlength=family_p.size).astype(np.int64),
        }
    ).filter(pl.col("tests") > 0)
    told = told.sort(["neg_log_10_p_value", "family"], descending=[True, False])
    return conform(frame, "link/link"), conform(told, "link/families")


def _permuted_columns(permuted: Permuted | None, order: npt.NDArray[np.intp]) -> dict[str, pl.Series]:
    if permuted is None:
        nothing = pl.Series([None] * order.size, dtype=pl.Float64)
        return {
            "permutation_p_value": nothing,
            "family_wise_p_value": nothing,
            "tail_fitted": pl.Series([None] * order.size, dtype=pl.Boolean),
        }
    return {
        "permutation_p_value": pl.Series(permuted.p_value.ravel()[order]).fill_nan(None),
        "family_wise_p_value": pl.Series(permuted.family_wise.ravel()[order]).fill_nan(None),
        "tail_fitted": pl.Series(permuted.fitted.ravel()[order]),
    }
