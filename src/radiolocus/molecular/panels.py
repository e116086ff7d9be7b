"""Who was sequenced with which panel: a gene that is not on it is unknown there, not unmutated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from radiolocus.errors import ConfigError, TableError
from radiolocus.model import Array, BoolArray, Problem
from radiolocus.read.panels import read_panel_genes, read_panel_matrix
from radiolocus.registry import suggest
from radiolocus.schema import conform

__all__ = ["Coverage", "PanelOptions", "coverage_of", "told"]

_SHOWN = 8


@dataclass(frozen=True)
class PanelOptions:
    """Gene panels, where not everybody was sequenced for the same genes.

    Parameters
    ----------
    samples : str
        Table of who was sequenced with which panel, such as data_gene_panel_matrix.txt of cBioPortal. A sample without
        a panel (NA) was not sequenced.
    genes : tuple of str
        Genes of the panels: gene panel files of cBioPortal, a GMT file, or a table with the columns panel and gene.
    column : str
        Column of the panels.
    id : str or None
        Column of the samples; the first one by default.
    whole : tuple of str
        Panels that have every gene.
    megabases : dict of str to float
        Coding sequence of a panel in Mb, for the burden of its subjects; of the others that of `burden`.
    """

    samples: str
    genes: tuple[str, ...] = ()
    column: str = "mutations"
    id: str | None = None
    whole: tuple[str, ...] = ("WES", "WXS", "WGS", "exome", "genome")
    megabases: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, size in self.megabases.items():
            if not size > 0:
                raise ConfigError(f"{size}", where=f"molecular.panels.megabases.{name}", allowed="Mb, more than 0")


@dataclass(frozen=True, eq=False)
class Coverage:
    """Which genes of whom were looked at.

    Parameters
    ----------
    panels : dict of str to tuple of str
        Panels of each subject; a subject that is not there is on no panel.
    genes : dict of str to frozenset of str, or None
        Genes of each panel; None: all.
    """

    panels: Mapping[str, tuple[str, ...]]
    genes: Mapping[str, frozenset[str] | None]

    @classmethod
    def from_tables(cls, panels: pl.DataFrame, genes: pl.DataFrame) -> Coverage:
        """Return what the tables ``molecular/panels`` and ``molecular/panel_genes`` say."""
        of: dict[str, tuple[str, ...]] = {}
        known: dict[str, frozenset[str] | None] = {}
        for subject, panel, whole in panels.select("subject", "panel", "whole").iter_rows():
            of[subject] = (*of.get(subject, ()), panel)
            known[panel] = None if whole else frozenset(genes.filter(pl.col("panel") == panel)["gene"].to_list())
        return cls(of, known)

    def matrix(self, subjects: Sequence[str], genes: Sequence[str]) -> BoolArray:
        """Say of whom which gene was looked at, by any of his panels, shape (subjects, genes)."""
        index = {panel: np.array([own is None or g in own for g in genes], bool) for panel, own in self.genes.items()}
        none = np.zeros(len(genes), dtype=bool)
        rows = [np.logical_or.reduce([none, *(index[p] for p in self.panels.get(s, ()))]) for s in subjects]
        return np.array(rows, dtype=bool).reshape(len(subjects), len(genes))

    def whole(self, subjects: Sequence[str], sets: Sequence[Iterable[str]]) -> BoolArray:
        """Say of whom all genes of a set were looked at, shape (subjects, sets)."""
        genes = sorted({gene for members in sets for gene in members})
        place = {gene: j for j, gene in enumerate(genes)}
        known = self.matrix(subjects, genes)
        return np.column_stack(
            [np.zeros((len(subjects), 0), bool), *(known[:, [place[g] for g in m]].all(axis=1) for m in sets)]
        )

    def megabases(self, subjects: Sequence[str], options: PanelOptions, otherwise: float) -> Array:
        """Mb that were looked at of each subject, shape (subjects,); NaN where the size of a panel is not known."""
        size = [
            max((options.megabases.get(p, otherwise if self.genes[p] is None else np.nan) for p in own), default=np.nan)
            for own in (self.panels.get(s, ()) for s in subjects)
        ]
        return np.array(size, dtype=np.float64)


def coverage_of(
    options: PanelOptions, root: Path, subject_of: Mapping[str, str]
) -> tuple[Coverage, pl.DataFrame, pl.DataFrame]:
    """Read who was sequenced with which panel.

    Parameters
    ----------
    options : PanelOptions
    root : Path
        Folder of the study's files.
    subject_of : mapping of str to str
        Subject of each sample that was joined.

    Returns
    -------
    coverage : Coverage
    panels, genes : polars.DataFrame
        Tables ``molecular/panels`` and ``molecular/panel_genes``.

    Raises
    ------
    TableError
        A panel without a list of genes.
    """
    matrix = read_panel_matrix(root / options.samples, options.column, options.id)
    listed: dict[str, frozenset[str]] = {}
    for name in options.genes:
        listed |= read_panel_genes(root / name)
    whole = {name.casefold() for name in options.whole}
    rows = [(subject_of[s], s, p, p.casefold() in whole) for s, p in matrix.items() if s in subject_of]
    known: dict[str, frozenset[str] | None] = {}
    for _, sample, panel, everything in rows:
        if not everything and panel not in listed:
            raise TableError(
                f"panel '{panel}' of sample {sample} has no list of genes",
                where=options.samples,
                allowed=", ".join([*sorted(listed), *options.whole]),
                todo=suggest(panel, list(listed))
                or "name its file under molecular.panels.genes, or the panel in whole",
            )
        known[panel] = None if everything else listed[panel]
    panels = pl.DataFrame(rows, schema=["subject", "sample", "panel", "whole"], orient="row").sort("subject", "sample")
    genes = [(panel, gene) for panel, own in sorted(known.items()) for gene in sorted(own or ())]
    table = pl.DataFrame(genes, schema={"panel": pl.String, "gene": pl.String}, orient="row")
    of = panels.group_by("subject", maintain_order=True).agg(pl.col("panel").unique(maintain_order=True))
    coverage = Coverage({s: tuple(p) for s, p in of.iter_rows()}, known)
    return coverage, conform(panels, "molecular/panels"), conform(table, "molecular/panel_genes")


def told(coverage: Coverage, subjects: Sequence[str], mutated: pl.DataFrame, source: str) -> list[Problem]:
    """Say who is on no panel, and which genes are mutated in subjects on whose panel they are not."""
    problems = []
    without = [s for s in subjects if s not in coverage.panels]
    if without:
        got = (
            f"{len(without)} subjects with mutations are on no panel ({', '.join(without[:3])}): their other genes are "
            "unknown"
        )
        todo = "add their samples to the table of panels"
        problems.append(Problem("molecular", got, "note", where=source, todo=todo, count=len(without)))
    pairs = mutated.filter("nonsynonymous").select("subject", "gene").unique(maintain_order=True)
    genes = sorted(pairs["gene"].unique().to_list())
    rows = {s: i for i, s in enumerate(coverage.panels)}
    known, place = coverage.matrix(list(rows), genes), {g: j for j, g in enumerate(genes)}
    off = sorted({g for s, g in pairs.iter_rows() if s in rows and not known[rows[s], place[g]]})
    if off:
        shown = ", ".join(off[:_SHOWN]) + (", ..." if len(off) > _SHOWN else "")
        got = f"{len(off)} genes are mutated in subjects on whose panel they are not ({shown})"
        todo = "an older name of the gene in the list? Unmutated subjects of that panel are unknown"
        problems.append(Problem("molecular", got, "note", where=source, todo=todo, count=len(off)))
    return problems
