"""Everything that ``[link]`` asks for: batches, tests, sets of genes, combinations, replication."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from radiolocus.associate.link import Links, further_covariates, link, stratum_of
from radiolocus.associate.link_batch import harmonise_features
from radiolocus.associate.link_families import feature_family
from radiolocus.associate.link_options import LinkOptions
from radiolocus.associate.link_sets import Sides, enrichment_table, gene_z, set_table, sides_of, usable_sets
from radiolocus.associate.link_tables import Columns, align, check_subjects, covariate_matrix
from radiolocus.associate.replication import replicate
from radiolocus.errors import ConfigError
from radiolocus.model import Problem
from radiolocus.registry import suggest
from radiolocus.schema import TABLES, conform, empty
from radiolocus.stats.enrichment import running_sum
from radiolocus.stats.sparse_canonical import Canonical, partial_least_squares, sparse_canonical

__all__ = ["LINK_TABLES", "Linked", "link_all"]

#: Tables of the stage.
LINK_TABLES = tuple(name for name in TABLES if name.startswith("link/"))
_DRAWN = 3
_SPARSE, _PLS = "sparse canonical correlation", "partial least squares"
# Permutations of the combinations: each solves a problem for every penalty.
_MOST = 99
_KEPT = 200


@dataclass(frozen=True, eq=False)
class Linked:
    """Tables by name, all of :data:`LINK_TABLES`, and what could not be done; what was not asked for is empty."""

    tables: dict[str, pl.DataFrame]
    problems: tuple[Problem, ...]


def link_all(
    features: pl.DataFrame,
    markers: pl.DataFrame,
    dictionary: pl.DataFrame,
    covariates: pl.DataFrame | None = None,
    options: LinkOptions | None = None,
    *,
    families: Mapping[str, str] | None = None,
    gene_sets: Mapping[str, Sequence[str]] | None = None,
    other: pl.DataFrame | None = None,
    threads: int = 1,
) -> Linked:
    """Do all that the options ask for.

    Parameters
    ----------
    features, markers, dictionary, covariates, options, families, threads
        As for :func:`radiolocus.associate.link.link`; `covariates` also with the column of ``options.batch``.
    gene_sets : mapping of str to sequence of str, optional
        Genes by set.
    other : polars.DataFrame, optional
        Table ``link/link`` of another cohort.

    Returns
    -------
    Linked

    Raises
    ------
    ConfigError, TableError, FitError
        As for the parts: :func:`radiolocus.associate.link.link`, :mod:`radiolocus.associate.link_batch`.
    """
    options = options or LinkOptions()
    tables = {name: empty(name) for name in LINK_TABLES}
    problems: list[Problem] = []
    if options.batch is not None:
        features, tables["link/batch"], told = _harmonised(features, covariates, options)
        problems += told
    links: Links = link(features, markers, dictionary, covariates, options, families=families, threads=threads)
    problems += links.problems
    if gene_sets or options.canonical:
        found, told = _together(features, markers, dictionary, covariates, options, families, gene_sets or {})
        tables |= found
        problems += told
    if other is not None:
        if options.keep_p < 1.0 and links.table.height == 0:
            problems.append(Problem("link", "no pair was kept to look for in the other cohort", "note"))
        tables["link/replication"], lost = replicate(links.table, other)
        problems += lost
    return Linked(tables | {"link/link": links.table, "link/families": links.families}, tuple(problems))


def _harmonised(
    features: pl.DataFrame, covariates: pl.DataFrame | None, options: LinkOptions
) -> tuple[pl.DataFrame, pl.DataFrame, list[Problem]]:
    name = options.batch or ""
    offered = [c for c in covariates.columns if c != "subject"] if covariates is not None else []
    if covariates is None or name not in offered:
        raise ConfigError(
            f"no column '{name}'", where="link.batch", allowed=", ".join(offered), todo=suggest(name, offered)
        )
    check_subjects("features", features)
    subjects = sorted(features["subject"].to_list())
    F = Columns.of("features", features, subjects)
    Z, _, _ = covariate_matrix(covariates, options.covariates, subjects)
    batch = align(covariates.select("subject", name), subjects)[name].cast(pl.String).to_list()
    values, report, problems = harmonise_features(F.names, F.values, batch, Z)
    frame = pl.DataFrame({"subject": subjects} | {c: values[:, j] for j, c in enumerate(F.names)})
    return frame.with_columns(pl.exclude("subject").fill_nan(None)), report, problems


def _together(
    features: pl.DataFrame,
    markers: pl.DataFrame,
    dictionary: pl.DataFrame,
    covariates: pl.DataFrame | None,
    options: LinkOptions,
    families: Mapping[str, str] | None,
    gene_sets: Mapping[str, Sequence[str]],
) -> tuple[dict[str, pl.DataFrame], list[Problem]]:
    """Sets of genes and combinations, of complete subjects."""
    continuous = set(dictionary.filter(pl.col("kind") == "continuous")["marker"].to_list())
    genes = [c for c in markers.columns if c.startswith(options.gene_prefix) and c in continuous]
    if not genes:
        got = f"no continuous marker begins with '{options.gene_prefix}': no genes for sets"
        todo = "name the prefix of the genes, or take gene_sets and canonical out"
        return {}, [Problem("link", got, "no value", where="link.gene_prefix", todo=todo)]
    here = set(markers["subject"].to_list())
    subjects = sorted(s for s in features["subject"].to_list() if s in here)
    F = Columns.of("features", features, subjects)
    G = Columns.of("markers", markers.select("subject", *genes), subjects)
    Z, complete, _ = covariate_matrix(covariates, options.covariates, subjects)
    Z, complete = further_covariates(Z, complete, F, options)
    stratum = stratum_of(covariates, options.permute_within, subjects)
    family = [(families or {}).get(name) or feature_family(name) for name in F.names]
    short = tuple(name.removeprefix(options.gene_prefix) for name in G.names)
    sides, problems = sides_of(
        (F.names, F.values[complete]), (short, G.values[complete]), family, Z[complete],
        stratum if stratum is None else stratum[complete], options,
    )  # fmt: skip
    if sides is None:
        return {}, problems
    tables: dict[str, pl.DataFrame] = {}
    with threadpool_limits(1):  # see link
        if gene_sets:
            sets, told = usable_sets(gene_sets, sides.genes, options)
            problems += told
            tables["link/enrichment"] = enrichment_table(sides, sets, options)
            tables["link/sets"] = set_table(sides, sets, options)
            tables["link/running_sum"] = _running_sums(tables["link/enrichment"], sides, sets)
        if options.canonical:
            tables |= _canonical(sides, options)
    return tables, problems


def _running_sums(
    found: pl.DataFrame, sides: Sides, sets: Mapping[str, np.ndarray[tuple[int], np.dtype[np.intp]]]
) -> pl.DataFrame:
    """Table ``link/running_sum`` of the pairs with the smallest p-values."""
    if found.height == 0:
        return empty("link/running_sum")
    z = gene_z(sides)
    parts = []
    for feature, name in found.head(_DRAWN).select("feature", "gene_set").iter_rows():
        statistic = z[:, sides.features.index(feature)]
        order = np.argsort(-statistic, kind="stable")
        member = np.isin(order, sets[name])
        parts.append(
            pl.DataFrame(
                {
                    "feature": feature,
                    "gene_set": name,
                    "place": np.arange(1, order.size + 1),
                    "gene": [sides.genes[i] for i in order],
                    "z": statistic[order],
                    "member": member,
                    "running_sum": running_sum(statistic, sets[name]),
                }
            )
        )
    return conform(pl.concat(parts), "link/running_sum")


def _canonical(sides: Sides, options: LinkOptions) -> dict[str, pl.DataFrame]:
    permutations = min(options.permutations or _MOST, _MOST)
    found = {
        _SPARSE: sparse_canonical(sides.F, sides.G, permutations, options.seed, stratum=sides.stratum),
        _PLS: partial_least_squares(sides.F, sides.G, permutations, options.seed, stratum=sides.stratum),
    }
    tests = [
        (method, len(sides.F), len(sides.features), len(sides.genes), c.correlation, c.penalty, c.p_value)
        for method, c in found.items()
    ]
    names = ["method", "n", "features", "genes", "correlation", "penalty", "p_value"]
    return {
        "link/canonical": conform(pl.concat([_weights(m, c, sides) for m, c in found.items()]), "link/canonical"),
        "link/canonical_tests": conform(pl.DataFrame(tests, schema=names, orient="row"), "link/canonical_tests"),
    }


def _weights(method: str, found: Canonical, sides: Sides) -> pl.DataFrame:
    """Columns with a weight, the most stable first; of partial least squares the first of each side."""
    parts = []
    for side, names, weight, stable in (
        ("feature", sides.features, found.u, found.stable_u),
        ("gene", sides.genes, found.v, found.stable_v),
    ):
        frame = pl.DataFrame(
            {"method": [method] * len(names), "side": side, "name": names, "weight": weight, "stability": stable}
        ).with_columns(pl.col("stability").fill_nan(0.0))
        kept = frame.filter((pl.col("weight") != 0) | (pl.col("stability").abs() >= 0.5))
        parts.append(kept.sort([pl.col("stability").abs(), pl.col("name")], descending=[True, False]).head(_KEPT))
    return pl.concat(parts)
