"""Gene panels: which panel each sample was sequenced with, and which genes a panel has.

The formats are those of cBioPortal (https://docs.cbioportal.org/file-formats/, gene panel matrix and gene panel files),
any table with a column of samples and one of panels, and gene sets (GMT) or a table with the columns panel and gene.
"""

from __future__ import annotations

from pathlib import Path

from radiolocus.errors import FormatError, TableError
from radiolocus.read.clinical import read_table
from radiolocus.read.delimited import load_text
from radiolocus.read.genesets import read_gene_sets
from radiolocus.registry import suggest

__all__ = ["read_panel_genes", "read_panel_matrix"]

_NOT_PROFILED = ("", "na", "n/a", "none", "null")


def read_panel_matrix(path: Path, column: str = "mutations", id_column: str | None = None) -> dict[str, str]:
    """Read the panel of each sample.

    Parameters
    ----------
    path : Path
        Table with a row a sample.
    column : str
        Column of the panels.
    id_column : str, optional
        Column of the samples; the first one by default.

    Returns
    -------
    dict of str to str
        Panel of each sample that was profiled; samples without one (NA) are not in it.

    Raises
    ------
    TableError
        No such column; a sample with two panels.
    """
    frame = read_table(path, text=(column,), id_column=id_column).frame
    names = {c.strip().casefold(): c for c in frame.columns}
    wanted = id_column or frame.columns[0]
    for name in (wanted, column):
        if name.strip().casefold() not in names:
            raise TableError(
                f"no column '{name}'",
                where=path.name,
                allowed=", ".join(frame.columns),
                todo=suggest(name, frame.columns) or "name the column of the panels",
            )
    found: dict[str, str] = {}
    ids, panels = (frame[names[n.strip().casefold()]].cast(str).to_list() for n in (wanted, column))
    for sample, panel in zip(ids, panels, strict=True):
        told = (panel or "").strip()
        if not (sample or "").strip() or told.casefold() in _NOT_PROFILED:
            continue
        if found.setdefault(sample.strip(), told) != told:
            raise TableError(
                f"sample '{sample.strip()}' with the panels {found[sample.strip()]} and {told}",
                where=path.name,
                allowed="one panel a sample",
            )
    if not found:
        raise TableError(f"no sample with a panel in column '{column}'", where=path.name)
    return found


def read_panel_genes(path: Path) -> dict[str, frozenset[str]]:
    """Read the genes of one panel or of several.

    Parameters
    ----------
    path : Path
        A gene panel file of cBioPortal (``stable_id:`` and ``gene_list:``), a GMT file, or a table with the columns
        panel and gene.

    Raises
    ------
    FormatError, TableError
        A file that is none of these.
    """
    name = path.name.casefold().removesuffix(".gz")
    if name.endswith(".gmt"):
        return {panel: frozenset(genes) for panel, genes in read_gene_sets(path).sets.items()}
    text = load_text(path)
    fields = {
        key.strip().casefold(): value.strip()
        for key, separator, value in (line.partition(":") for line in text.splitlines())
        if separator
    }
    if "stable_id" in fields or "gene_list" in fields:
        genes = frozenset(gene.strip() for gene in fields.get("gene_list", "").split("\t") if gene.strip())
        if not fields.get("stable_id") or not genes:
            raise FormatError(
                "a gene panel without " + ("genes" if fields.get("stable_id") else "a name"),
                where=path.name,
                allowed="lines stable_id: and gene_list:, the genes parted by tabs",
            )
        return {fields["stable_id"]: genes}
    frame = read_table(path, text=("panel", "gene")).frame
    known = {c.strip().casefold(): c for c in frame.columns}
    if not {"panel", "gene"} <= known.keys():
        raise TableError(
            f"columns {', '.join(frame.columns)}",
            where=path.name,
            allowed="a gene panel file of cBioPortal, a GMT file, or a table with the columns panel and gene",
        )
    found: dict[str, set[str]] = {}
    for panel, gene in frame.select(known["panel"], known["gene"]).drop_nulls().iter_rows():
        found.setdefault(str(panel).strip(), set()).add(str(gene).strip())
    return {panel: frozenset(genes) for panel, genes in found.items()}
