"""Options of what is made of expression matrices: scores of gene sets, published signatures, subtypes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from radiolocus.errors import ConfigError
from radiolocus.registry import suggest
from radiolocus.stats.centroids import Similarity

__all__ = ["DerivedOptions", "GeneSetScores", "SubtypeOptions"]

ScoreMethod = Literal["ssgsea", "gsva", "mean_z", "singscore"]
Centre = Literal["none", "mean", "median"]


@dataclass(frozen=True)
class GeneSetScores:
    """Scores of the gene sets of a file.

    Parameters
    ----------
    path : str
        GMT file, plain or gzip-compressed.
    method : {"ssgsea", "gsva", "mean_z", "singscore"}
        Every score is the marker ``METHOD:SET``.
    sets : tuple of str
        Sets to score; all by default.
    of : str or None
        Name of the expression matrix; may be left out where there is one.
    name : str
        Goes in front of the sets' names instead of the method.
    min_genes : int
        Sets of which fewer genes were measured are not scored.
    min_coverage : float
        Nor are sets of which a smaller part was measured.
    """

    path: str
    method: ScoreMethod = "ssgsea"
    sets: tuple[str, ...] = ()
    of: str | None = None
    name: str = ""
    min_genes: int = 10
    min_coverage: float = 0.5

    def __post_init__(self) -> None:
        if self.method not in get_args(ScoreMethod):
            raise ConfigError(
                f"method = '{self.method}'", where="molecular.scores", allowed=", ".join(get_args(ScoreMethod))
            )
        if self.min_genes < 1:
            raise ConfigError(f"min_genes = {self.min_genes}", where="molecular.scores", allowed="at least 1")
        _check_part("min_coverage", self.min_coverage, "molecular.scores")


@dataclass(frozen=True)
class SubtypeOptions:
    """Subtypes by nearest centroid, or clusters to be discovered.

    Parameters
    ----------
    centroids : str or None
        Table of genes and classes (TSV or CSV); each subject gets the nearest.
    clusters : tuple of int
        Numbers of clusters to try instead, by consensus clustering.
    of : str or None
        Name of the expression matrix; may be left out where there is one.
    similarity : {"spearman", "pearson", "euclidean"}
        To a centroid.
    centre : {"none", "mean", "median"}
        Taken off each gene over the cohort before subjects are compared with centroids.
    min_similarity : float or None
        A subject less alike to its nearest centroid is unclassified.
    min_margin : float
        So is one whose second nearest is less than this behind.
    min_coverage : float
        Part of the centroids' genes that must have been measured.
    genes : int
        Most variable genes (median absolute deviation) that are clustered.
    repeats : int
        Subsamples of the consensus.
    share : float
        Part of the subjects in each.
    references : int
        Simulated data sets of one cluster, against which the clusters are held.
    seed : int
        Of the subsamples and references.
    """

    centroids: str | None = None
    clusters: tuple[int, ...] = ()
    of: str | None = None
    similarity: Similarity = "spearman"
    centre: Centre = "none"
    min_similarity: float | None = None
    min_margin: float = 0.0
    min_coverage: float = 0.8
    genes: int = 1500
    repeats: int = 100
    share: float = 0.8
    references: int = 20
    seed: int = 1

    def __post_init__(self) -> None:
        where = "molecular.subtypes"
        if (self.centroids is None) == (not self.clusters):
            raise ConfigError("centroids and clusters, or neither", where=where, allowed="one of the two")
        for key, kind in (("similarity", Similarity), ("centre", Centre)):
            if getattr(self, key) not in get_args(kind):
                raise ConfigError(f"{key} = '{getattr(self, key)}'", where=where, allowed=", ".join(get_args(kind)))
        if any(k < 2 for k in self.clusters):
            raise ConfigError(f"clusters = {list(self.clusters)}", where=where, allowed="2 or more each")
        if self.min_margin < 0:
            raise ConfigError(f"min_margin = {self.min_margin}", where=where, allowed="0 or more")
        for key in ("genes", "repeats", "references"):
            if getattr(self, key) < 10:
                raise ConfigError(f"{key} = {getattr(self, key)}", where=where, allowed="at least 10")
        _check_part("min_coverage", self.min_coverage, where)
        _check_part("share", self.share, where)


@dataclass(frozen=True)
class DerivedOptions:
    """What is made of expression matrices.

    Parameters
    ----------
    scores : tuple of GeneSetScores
        Scores of the gene sets of GMT files.
    signatures : tuple of str
        Published signatures by name or group, or TOML files of your own.
    signatures_of : str or None
        Name of the expression matrix for signatures; may be left out where there is one.
    signature_coverage : float
        Part of a signature's genes that must have been measured; signatures that need every gene need every gene.
    subtypes : dict of str to SubtypeOptions
        Subtypes by the name of the scheme.
    """

    scores: tuple[GeneSetScores, ...] = ()
    signatures: tuple[str, ...] = ()
    signatures_of: str | None = None
    signature_coverage: float = 0.8
    subtypes: dict[str, SubtypeOptions] = field(default_factory=dict)

    @property
    def derives(self) -> bool:
        """Whether anything is made of expression matrices."""
        return bool(self.scores or self.signatures or self.subtypes)

    def check_derived(self, matrices: Sequence[str]) -> None:
        """Check these options against the names of the expression matrices.

        Raises
        ------
        ConfigError
            A matrix that is not there, or that is not said where there are several.
        """
        _check_part("signature_coverage", self.signature_coverage, "molecular")
        asked = [("molecular.scores", s.of) for s in self.scores]
        asked += [("molecular.signatures_of", self.signatures_of)] * bool(self.signatures)
        asked += [(f"molecular.subtypes.{name}", s.of) for name, s in self.subtypes.items()]
        for where, of in asked:
            if matrices.count(of or "") != 1 and (of is not None or len(matrices) != 1):
                raise ConfigError(
                    f"of = '{of}'" if of else "which expression matrix is not said",
                    where=where,
                    allowed=", ".join(matrices) or "there is no expression matrix",
                    todo=suggest(of or "", list(matrices)) or "give every matrix a name of its own, and say which",
                )


def _check_part(key: str, value: float, where: str) -> None:
    if not 0.0 < value <= 1.0:
        raise ConfigError(f"{key} = {value}", where=where, allowed="above 0, up to 1")
