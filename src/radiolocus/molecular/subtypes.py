"""Molecular subtypes: the nearest of given centroids, or clusters that are discovered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import RadiolocusError, TableError
from radiolocus.model import Array, Problem
from radiolocus.molecular.expression import Matrix, on_scale
from radiolocus.molecular.score_options import DerivedOptions, SubtypeOptions
from radiolocus.molecular.scores import matrix_called
from radiolocus.molecular.sheet import Marker, Sheet, below
from radiolocus.read.expression import read_expression
from radiolocus.schema import empty
from radiolocus.stats.centroids import similarities
from radiolocus.stats.consensus import Clustering, cluster_samples

__all__ = ["CLUSTER", "Clusters", "add_subtypes", "discover_clusters"]

#: In front of markers that were learned from the whole cohort; they predict nothing.
CLUSTER = "cluster:"
UNCLASSIFIED = "unclassified"
_CHANCE = 0.05
_NAMES = {"spearman": "Spearman correlation", "pearson": "Pearson correlation", "euclidean": "distance"}


@dataclass(frozen=True, eq=False)
class Clusters:
    """Clusters learned from some subjects, to be given to others.

    Parameters
    ----------
    genes : ndarray of int
        Rows of the matrix that were clustered.
    centre : ndarray, shape (genes,)
        Means of these genes, taken off before anything is compared.
    centroids : ndarray, shape (genes, k)
    found : Clustering
        Of the subjects that they were learned from.
    """

    genes: npt.NDArray[np.intp]
    centre: Array
    centroids: Array
    found: Clustering

    def assign(self, values: Array) -> npt.NDArray[np.int64]:
        """Give each subject the cluster of the nearest centroid (Pearson).

        Parameters
        ----------
        values : ndarray, shape (all genes, subjects)
            On the scale of those that the clusters were learned from.

        Returns
        -------
        ndarray of int, shape (subjects,)
            From 1.
        """
        centred = values[self.genes] - self.centre[:, None]
        nearest = np.argmax(similarities(centred, self.centroids, "pearson"), axis=1)
        return np.asarray(nearest + 1, dtype=np.int64)


def discover_clusters(values: Array, options: SubtypeOptions) -> Clusters:
    """Learn clusters from a matrix; a prediction that uses them learns them from its training part alone.

    Parameters
    ----------
    values : ndarray, shape (genes, subjects)
        Logarithms.
    options : SubtypeOptions

    Raises
    ------
    InputError
        Too few subjects, or missing values.
    """
    middle = np.median(values, axis=1, keepdims=True)
    spread = np.median(np.abs(values - middle), axis=1)
    genes = np.sort(np.argsort(-spread, kind="stable")[: options.genes])
    centre = values[genes].mean(axis=1)
    chosen = values[genes] - centre[:, None]
    found = cluster_samples(
        chosen,
        options.clusters,
        repeats=options.repeats,
        share=options.share,
        references=options.references,
        seed=options.seed,
    )
    names = range(1, int(found.labels.max()) + 1)
    centroids = np.column_stack([chosen[:, found.labels == label].mean(axis=1) for label in names])
    return Clusters(genes, centre, centroids, found)


def add_subtypes(sheet: Sheet, options: DerivedOptions, matrices: Sequence[Matrix], root: Path) -> None:
    """Put the subtypes of every scheme on the sheet, a binary marker each; matrices are complete.

    Raises
    ------
    RadiolocusError
        Centroids that cannot be used, too few subjects to cluster, a unit that does not tell the scale.
    """
    for name, scheme in options.subtypes.items():
        matrix = matrix_called(matrices, scheme.of)
        try:
            if scheme.centroids is None:
                _clusters(sheet, name, scheme, matrix)
            else:
                _nearest(sheet, name, scheme, matrix, root)
        except RadiolocusError as error:
            raise error.at(f"molecular.subtypes.{name}") from None


def _nearest(sheet: Sheet, name: str, scheme: SubtypeOptions, matrix: Matrix, root: Path) -> None:
    given = read_expression(below(root, str(scheme.centroids)))
    rows = {gene: i for i, gene in enumerate(matrix.genes)}
    found = [gene for gene in given.genes if gene in rows]
    if len(found) < max(scheme.min_coverage * len(given.genes), 3) or len(given.samples) < 2:
        missing = [gene for gene in given.genes if gene not in rows]
        raise TableError(
            f"{len(found)} of {len(given.genes)} genes of {len(given.samples)} centroids were measured "
            f"(not {', '.join(missing[:5])})",
            where=str(scheme.centroids),
            allowed=f"{scheme.min_coverage:.0%} of the genes, and two centroids or more",
            todo="name the genes as the matrix does, or lower min_coverage",
        )
    values = on_scale(matrix, "log2")[[rows[gene] for gene in found]]
    if scheme.centre != "none":
        middle = np.mean if scheme.centre == "mean" else np.median
        values = values - middle(values, axis=1, keepdims=True)
    at = {gene: i for i, gene in enumerate(given.genes)}
    alike = similarities(values, given.values[[at[gene] for gene in found]], scheme.similarity)
    assigned = _assign(alike, scheme)
    definition = (
        f"nearest of the centroids of {scheme.centroids} by {_NAMES[scheme.similarity]} of {len(found)} of "
        f"{len(given.genes)} genes"
        + (f", each gene less its {scheme.centre} over the cohort" if scheme.centre != "none" else "")
        + "; null where unclassified"
    )
    for c, subtype in enumerate(given.samples):
        present = np.where(assigned < 0, np.nan, (assigned == c).astype(np.float64))
        marker = f"subtype:{name}={subtype}"
        sheet.add(Marker(marker, "binary", matrix.options.path, "", sheet.spread(matrix.subjects, present), definition))
    words = [*given.samples, UNCLASSIFIED]
    _keep(sheet, name, matrix, [words[a] for a in assigned], alike, [*given.samples])
    lost = int((assigned < 0).sum())
    if lost:
        got = f"{lost} of {len(matrix.subjects)} subjects are unclassified in scheme '{name}'"
        sheet.say([Problem("molecular", got, "note", item=name, where=str(scheme.centroids), count=lost)])


def _assign(alike: Array, scheme: SubtypeOptions) -> npt.NDArray[np.intp]:
    """Index of the nearest centroid, −1 where a subject is unclassified."""
    whole = np.nan_to_num(alike, nan=-np.inf)
    order = np.sort(whole, axis=1)
    best, second = order[:, -1], order[:, -2]
    known = np.isfinite(best) & ~(best - second < scheme.min_margin) & (best > second)
    if scheme.min_similarity is not None:
        known &= best >= scheme.min_similarity
    return np.where(known, np.argmax(whole, axis=1), -1)


def _keep(sheet: Sheet, name: str, matrix: Matrix, subtypes: Sequence[str], alike: Array, words: Sequence[str]) -> None:
    order = np.argsort(-np.nan_to_num(alike, nan=-np.inf), axis=1, kind="stable")
    rows = [
        (
            subject,
            name,
            subtypes[i],
            words[order[i, 0]],
            float(alike[i, order[i, 0]]),
            words[order[i, 1]],
            float(alike[i, order[i, 0]] - alike[i, order[i, 1]]),
        )
        for i, subject in enumerate(matrix.subjects)
    ]
    frame = pl.DataFrame(rows, schema=empty("molecular/subtypes").schema, orient="row")
    sheet.keep("molecular/subtypes", frame.with_columns(pl.col(pl.Float64).fill_nan(None)))


def _clusters(sheet: Sheet, name: str, scheme: SubtypeOptions, matrix: Matrix) -> None:
    clusters = discover_clusters(on_scale(matrix, "log2"), scheme)
    found = clusters.found
    previous = np.concatenate([[np.nan], found.area[:-1]])
    delta = np.where(np.isnan(previous), found.area, (found.area - previous) / np.where(previous > 0, previous, np.nan))
    table = pl.DataFrame(
        {
            "scheme": name,
            "clusters": found.ks,
            "area": found.area,
            "delta_area": delta,
            "pac": found.pac,
            "reference_pac": found.reference_pac,
            "stability": found.stability,
            "p_value": found.p_value,
            "chosen": [k == found.k and found.p_value <= _CHANCE for k in found.ks],
        },
    )
    sheet.keep("molecular/consensus", table)
    told = f"{len(clusters.genes)} genes, {scheme.repeats} subsamples, p = {found.p_value:.2g}"
    if found.p_value > _CHANCE:
        got = f"scheme '{name}': clusters no more stable than in one cloud ({told}); no marker was made"
        sheet.say([Problem("molecular", got, "note", item=name, where=matrix.options.path)])
        return
    definition = (
        f"consensus clustering (Monti et al. 2003) into {found.k}, {told} against simulations of one cloud; learned "
        "from the whole cohort, so that it predicts nothing"
    )
    for label in range(1, int(found.labels.max()) + 1):
        values = sheet.spread(matrix.subjects, (found.labels == label).astype(np.float64))
        sheet.add(Marker(f"{CLUSTER}{name}={label}", "binary", matrix.options.path, "", values, definition))
    centred = on_scale(matrix, "log2")[clusters.genes] - clusters.centre[:, None]
    alike = similarities(centred, clusters.centroids, "pearson")
    words = [str(label) for label in range(1, alike.shape[1] + 1)]
    _keep(sheet, name, matrix, [str(label) for label in found.labels], alike, words)
