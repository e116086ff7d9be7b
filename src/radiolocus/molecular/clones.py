"""Clones of a tumour in several samples: cancer cell fractions, clusters of mutations, what rose and fell, trees.

A mutation with m copies in a share φ of the tumour cells is expected on a share

    f(φ) = purity · m · φ / (purity · copies + (1 − purity) · normal copies)

of the reads. Alone, its multiplicity is the whole number nearest to f⁻¹ / m at φ = 1, at least 1 and at most the number
of copies of the major allele (McGranahan et al., Sci Transl Med 2015;7:283ra54; Dentro et al., Cold Spring Harb
Perspect Med 2017;7:a026625). In the clusters all multiplicities from 1 to the major copy number are equally likely
beforehand, in every sample by itself. Copy numbers are taken as those of every tumour cell: a subclonal change of the
copy number or the loss of a mutation is seen as a clone of its own.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import polars as pl
from scipy.special import betaln, gammaln, logsumexp, xlog1py, xlogy

from radiolocus.errors import ConfigError, TableError
from radiolocus.model import Array, Problem
from radiolocus.molecular.phylogeny import NORMAL, Trees, consistent_trees
from radiolocus.read.variants import VariantColumns
from radiolocus.schema import conform, empty
from radiolocus.stats.grid_mixture import GridMixture, fit_grid_mixture, highest_density
from radiolocus.stats.proportion import exact_limits

__all__ = ["CloneOptions", "Clones", "cell_fraction", "clones", "expected_fraction", "multiplicity"]

GRID = np.linspace(0.0, 1.0, 201)
_SURE = 0.95
_SHOWN_TREES = 20


@dataclass(frozen=True)
class CloneOptions:
    """Clones from variants in one or several samples of a tumour.

    Parameters
    ----------
    table : str
        Table of variants by sample with reads, purity and copy numbers.
    columns : VariantColumns
        Names of the columns, where they differ from the usual.
    most : int
        Largest number of clones.
    restarts : int
        Starts of the search for every number of clones.
    precision : float
        Precision of the beta-binomial; 0: binomial, no more spread than reads by chance.
    error : float
        Share of reads that are wrong: the fraction expected of a mutation that is not there.
    diploid : bool
        Take two copies, one of them minor, where the table does not say; it is told.
    absent : {"missing", "zero"}
        What a variant without a row in a sample is: not looked for, or looked for and not found at the sample's median
        depth.
    margin : float
        Change of the cancer cell fraction that counts as rise or fall.
    present : float
        Cancer cell fraction below which the upper limit must lie for a clone to be told as new or lost.
    seed : int
        Seed of the search.
    """

    table: str
    columns: VariantColumns = field(default_factory=VariantColumns)
    most: int = 8
    restarts: int = 8
    precision: float = 0.0
    error: float = 0.001
    diploid: bool = False
    absent: Literal["missing", "zero"] = "missing"
    margin: float = 0.1
    present: float = 0.05
    seed: int = 1

    def __post_init__(self) -> None:
        if not self.table:
            raise ConfigError("table is empty", allowed="a path below [cohort] root")
        for name, good, allowed in (
            ("most", 1 <= self.most <= 12, "1 to 12"),
            ("restarts", self.restarts >= 1, "1 or more"),
            ("precision", self.precision >= 0, "0 or more"),
            ("error", 0 < self.error < 0.1, "above 0, below 0.1"),
            ("margin", 0 <= self.margin < 1, "from 0 up to 1"),
            ("present", 0 < self.present < 1, "between 0 and 1"),
        ):
            if not good:
                raise ConfigError(f"{name} = {getattr(self, name):g}", allowed=allowed)


@dataclass(frozen=True, eq=False)
class Clones:
    """Tables ``response/clones``, ``response/clone_variants`` and ``response/clone_trees``, and problems."""

    clones: pl.DataFrame
    variants: pl.DataFrame
    trees: pl.DataFrame
    problems: tuple[Problem, ...]


def expected_fraction(fraction: Array, copies_with: Array, purity: Array, copies: Array, normal: Array) -> Array:
    """Share of reads expected with a mutation.

    Parameters
    ----------
    fraction : ndarray
        Cancer cell fraction, 0 to 1.
    copies_with : ndarray
        Multiplicity.
    purity, copies, normal : ndarray
        Purity, total copies in tumour and in normal cells.
    """
    return np.asarray(purity * copies_with * fraction / (purity * copies + (1 - purity) * normal))


def multiplicity(vaf: Array, purity: Array, copies: Array, minor: Array, normal: Array) -> Array:
    """Copies of the mutation in a cell that has it: nearest whole number, from 1 to the copies of the major allele."""
    mean_copies = vaf / purity * (purity * copies + (1 - purity) * normal)
    return np.asarray(np.clip(np.rint(mean_copies), 1, np.maximum(copies - minor, 1)))


def cell_fraction(vaf: Array, copies_with: Array, purity: Array, copies: Array, normal: Array) -> Array:
    """Cancer cell fraction of a mutation from its allele fraction; above 1 by chance or a wrong copy number."""
    return np.asarray(vaf / purity * (purity * copies + (1 - purity) * normal) / copies_with)


def clones(variants: pl.DataFrame, options: CloneOptions) -> Clones:
    """Cluster the mutations of every subject into clones, follow them through the samples, and list their trees.

    Parameters
    ----------
    variants : polars.DataFrame
        As :func:`radiolocus.read.variants.read_variants` returns it.
    options : CloneOptions

    Notes
    -----
    A subject is set aside for a row without reads, purity or copy number. The number of clones is that of the smallest
    BIC of a mixture over a grid of cancer cell fractions (:mod:`radiolocus.stats.grid_mixture`). Evidence of a change
    is the posterior probability, memberships taken as known, that it is larger than `margin`.
    """
    problems: list[Problem] = []
    parts: dict[str, list[pl.DataFrame]] = {name: [] for name in ("clones", "clone_variants", "clone_trees")}
    for (subject,), frame in variants.group_by("subject", maintain_order=True):
        try:
            person = _Person(str(subject), *_complete(frame, options, str(subject), problems), options)
        except TableError as error:
            problems.append(
                Problem("response", error.got, "set aside", str(subject), None, error.where, error.allowed, error.todo)
            )
            continue
        for name, rows in person.tables().items():
            parts[name].append(pl.DataFrame(rows, schema=empty(f"response/{name}").schema))
    whole = {
        name: conform(pl.concat([empty(f"response/{name}"), *found]), f"response/{name}")
        for name, found in parts.items()
    }
    return Clones(whole["clones"], whole["clone_variants"], whole["clone_trees"], tuple(problems))


def _complete(
    frame: pl.DataFrame, options: CloneOptions, subject: str, problems: list[Problem]
) -> tuple[pl.DataFrame, list[str]]:
    """Rows with all that a cancer cell fraction needs."""
    frame = frame.with_columns(pl.col("normal_copies").fill_null(2.0))
    if options.diploid:
        assumed = frame.filter(pl.col("copies").is_null()).height
        frame = frame.with_columns(
            pl.when(pl.col("copies").is_null()).then(1.0).otherwise(pl.col("minor_copies")).alias("minor_copies"),
            pl.col("copies").fill_null(2.0),
        )
        if assumed:
            told = f"two copies assumed in {assumed} rows"
            problems.append(Problem("response", told, "note", subject, None, "response.clones.diploid", count=assumed))
    # Without the minor copy number the mutation may be on all copies.
    frame = frame.with_columns(pl.col("minor_copies").fill_null(0.0))
    todo = {"copies": "add the copy number, or set diploid = true", "purity": "add the purity of the sample"}
    for name in ("alt_reads", "depth", "purity", "copies"):
        bad = frame.filter(
            pl.col(name).is_null() | (pl.col(name) <= 0) if name != "alt_reads" else pl.col(name).is_null()
        )
        if bad.height:
            row = bad.row(0, named=True)
            raise TableError(
                f"no {name.replace('_', ' ')}", where=f"response.clones, sample {row['sample']}, {row['variant']}",
                allowed="variant reads, depth, purity and copy number in every row",
                todo=todo.get(name, "add the reads"),
            )  # fmt: skip
    return frame.sort("day", "variant"), frame.sort("day")["sample"].unique(maintain_order=True).to_list()


def _log_likelihood(alt: Array, depth: Array, expected: Array, precision: float) -> Array:
    """Log probability of reads, binomial or beta-binomial, at every expected fraction; all of one shape."""
    if precision > 0:
        a, b = expected * precision, (1 - expected) * precision
        told = betaln(alt + a, depth - alt + b) - betaln(a, b)
    else:
        told = xlogy(alt, expected) + xlog1py(depth - alt, -expected)
    return np.asarray(told + gammaln(depth + 1) - gammaln(alt + 1) - gammaln(depth - alt + 1))


class _Person:
    """Mutations × samples of one subject."""

    def __init__(self, subject: str, frame: pl.DataFrame, labels: list[str], options: CloneOptions) -> None:
        self.subject, self.frame, self.labels, self.options = subject, frame, labels, options
        self.names = frame["variant"].unique(maintain_order=True).to_list()
        self.days = [float(frame.filter(pl.col("sample") == s)["day"][0]) for s in labels]
        place = {name: i for i, name in enumerate(self.names)}
        at = {label: j for j, label in enumerate(labels)}
        self.rows = np.array([place[v] for v in frame["variant"]])
        self.columns = np.array([at[s] for s in frame["sample"]])
        rng = np.random.default_rng([options.seed, *hashlib.sha256(subject.encode()).digest()[:8]])
        self.mixture: GridMixture = fit_grid_mixture(
            self._likelihood(), rng, most=options.most, restarts=options.restarts
        )
        mean = GRID[self.mixture.place].mean(1)
        self.order = [int(k) for k in np.argsort(-mean, kind="stable")]

    def _values(self, name: str) -> Array:
        return self.frame[name].cast(pl.Float64).to_numpy()

    def _likelihood(self) -> Array:
        """Log likelihood of every mutation in every sample at every fraction, multiplicities summed out."""
        shape = (len(self.names), len(self.labels), GRID.size)
        whole = np.zeros(shape)
        alt, depth, purity, copies, minor, normal = (
            self._values(n)[:, None]
            for n in ("alt_reads", "depth", "purity", "copies", "minor_copies", "normal_copies")
        )
        most = np.maximum(np.rint(copies - minor), 1)
        terms = []
        for m in range(1, int(most.max()) + 1):
            expected = expected_fraction(GRID, np.minimum(m, most), purity, copies, normal)
            expected = np.clip(expected, self.options.error, 1 - self.options.error)
            told = _log_likelihood(alt, depth, expected, self.options.precision) - np.log(most)
            terms.append(np.where(m <= most, told, -np.inf))
        whole[self.rows, self.columns] = logsumexp(terms, axis=0)
        if self.options.absent == "zero":
            self._fill_absent(whole, purity[:, 0])
        return whole

    def _fill_absent(self, whole: Array, purity: Array) -> None:
        """A variant without row was looked for and not found, at the median depth of the sample, in two copies."""
        there = np.zeros(whole.shape[:2], dtype=bool)
        there[self.rows, self.columns] = True
        depth = self._values("depth")
        for j in range(len(self.labels)):
            here = self.columns == j
            expected = np.clip(GRID * purity[here][0] / 2, self.options.error, 1 - self.options.error)
            middle = np.full(GRID.size, float(np.median(depth[here])))
            told = _log_likelihood(np.zeros(GRID.size), middle, expected, self.options.precision)
            whole[~there[:, j], j] = told

    def _trees(self) -> Trees:
        posterior = self.mixture.posterior[self.order]
        middle = posterior @ GRID
        spread = np.sqrt(np.maximum(posterior @ GRID**2 - middle**2, 0.0))
        return consistent_trees(GRID[self.mixture.place[self.order]], np.asarray(spread))

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Rows of the three tables."""
        trees = self._trees()
        return {"clones": self._clones(trees), "clone_variants": self._variants(), "clone_trees": self._listed(trees)}

    def _clones(self, trees: Trees) -> list[dict[str, Any]]:
        label = self.mixture.membership.argmax(1)
        genes = dict(self.frame.select("variant", "gene").unique("variant").iter_rows())
        rows = []
        for rank, k in enumerate(self.order):
            own = [self.names[i] for i in np.flatnonzero(label == k)]
            parent, support = _parent(rank, trees)
            for j, sample in enumerate(self.labels):
                posterior = self.mixture.posterior[k, j]
                lower, upper = highest_density(GRID, posterior)
                first = self.mixture.posterior[k, 0]
                rise, fall = _moved(first, posterior, self.options.margin) if j else (None, None)
                now, before = float(GRID[self.mixture.place[k, j]]), float(GRID[self.mixture.place[k, 0]])
                rows.append(
                    {
                        "subject": self.subject,
                        "clone": f"C{rank + 1}",
                        "sample": sample,
                        "day": self.days[j],
                        "mutations": len(own),
                        "genes": ", ".join(sorted({genes[n] for n in own if genes[n]})),
                        "cancer_cell_fraction": now,
                        "lower": lower,
                        "upper": upper,
                        "change": now - before if j else None,
                        "probability_rise": rise,
                        "probability_fall": fall,
                        "state": self._state(highest_density(GRID, first)[1], upper, rise, fall),
                        "parent": parent,
                        "parent_support": support,
                    }
                )
        return rows

    def _state(self, before: float, now: float, rise: float | None, fall: float | None) -> str:
        """Name what happened; new and lost are clones whose upper limit was or is below what counts as present."""
        if rise is None or fall is None:
            return "first"
        if rise >= _SURE:
            return "newly risen" if before < self.options.present else "risen"
        if fall >= _SURE:
            return "lost" if now < self.options.present else "fallen"
        return "stable" if 1 - rise - fall >= _SURE else "uncertain"

    def _variants(self) -> list[dict[str, Any]]:
        vaf, purity, copies, minor, normal = (
            self._values(n) for n in ("vaf", "purity", "copies", "minor_copies", "normal_copies")
        )
        with_it = multiplicity(vaf, purity, copies, minor, normal)
        lower, upper = exact_limits(self._values("alt_reads"), self._values("depth"))
        ccf, low, high = (cell_fraction(v, with_it, purity, copies, normal) for v in (vaf, lower, upper))
        rank = {k: f"C{r + 1}" for r, k in enumerate(self.order)}
        label = self.mixture.membership.argmax(1)
        sure = self.mixture.membership.max(1)
        told = self.frame.select("sample", "day", "variant", "gene", "change").rows(named=True)
        return [
            {
                "subject": self.subject,
                **row,
                "vaf": float(vaf[r]),
                "multiplicity": int(with_it[r]),
                "cancer_cell_fraction": float(ccf[r]),
                "lower": float(low[r]),
                "upper": float(high[r]),
                "clone": rank[int(label[self.rows[r]])],
                "probability": float(sure[self.rows[r]]),
            }
            for r, row in enumerate(told)
        ]

    def _listed(self, trees: Trees) -> list[dict[str, Any]]:
        return [
            {
                "subject": self.subject,
                "tree": number + 1,
                "clone": f"C{clone + 1}",
                "parent": "normal" if parent == NORMAL else f"C{parent + 1}",
                "excess": trees.excess[number],
                "trees": len(trees.parents),
            }
            for number, parents in enumerate(trees.parents[:_SHOWN_TREES])
            for clone, parent in enumerate(parents)
        ]


def _parent(clone: int, trees: Trees) -> tuple[str, float | None]:
    """Parent that all trees agree on, else empty; and the share of trees with the commonest parent."""
    if not trees.parents:
        return "", None
    parents = [tree[clone] for tree in trees.parents]
    common = max(sorted(set(parents)), key=parents.count)
    share = parents.count(common) / len(parents)
    name = "normal" if common == NORMAL else f"C{common + 1}"
    return (name if share == 1 and trees.complete else ""), share


def _moved(first: Array, now: Array, margin: float) -> tuple[float, float]:
    """Posterior probabilities that the fraction rose and that it fell by more than `margin`."""
    step = round(margin * (GRID.size - 1))
    below = np.concatenate([np.zeros(step + 1), first.cumsum()])[: GRID.size]
    above = np.concatenate([np.zeros(step + 1), now.cumsum()])[: GRID.size]
    return float(now @ below), float(first @ above)
