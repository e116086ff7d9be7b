"""Gene fusions: STAR-Fusion, Arriba, cBioPortal's structural variants, or a table whose columns are named.

STAR-Fusion: https://github.com/STAR-Fusion/STAR-Fusion/wiki. Arriba: https://arriba.readthedocs.io/en/latest/output-files/.
cBioPortal: https://docs.cbioportal.org/file-formats/#structural-variant-data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from radiolocus.errors import TableError
from radiolocus.model import Problem
from radiolocus.read.delimited import Delimited, load_text, parse_delimited
from radiolocus.registry import suggest

__all__ = ["FUSION_COLUMNS", "Fusions", "read_fusions"]

FUSION_COLUMNS: dict[str, tuple[str, ...]] = {
    "sample": ("sample_id", "sample", "tumor_sample_barcode", "sampleid", "subject", "patient_id"),
    "gene1": ("leftgene", "gene1", "site1_hugo_symbol", "gene_5p", "5_prime_gene"),
    "gene2": ("rightgene", "gene2", "site2_hugo_symbol", "gene_3p", "3_prime_gene"),
    "fusion": ("fusionname", "fusion", "event_info", "fusion_name"),
    "status": ("sv_status",),
}
# HGNC writes fusions with a double colon (Bruford et al. 2021, Leukemia 35:3040); STAR-Fusion with two hyphens.
_JOINTS = ("::", "--")


@dataclass(frozen=True, eq=False)
class Fusions:
    """Fusions of one file.

    Parameters
    ----------
    frame : polars.DataFrame
        `sample`, `gene1` (5′), `gene2` (3′): every pair of a sample once.
    samples : tuple of str
        Every sample of the file.
    notes : tuple of Problem
    """

    frame: pl.DataFrame
    samples: tuple[str, ...]
    notes: tuple[Problem, ...] = ()


def read_fusions(path: Path, columns: Mapping[str, str] | None = None, sample: str | None = None) -> Fusions:
    """Read a table of fusions, separated by tabs or, when its name ends in .csv, by commas.

    Parameters
    ----------
    path : Path
    columns : mapping of str to str, optional
        Name in the file of `sample`, `gene1`, `gene2` or `fusion` (both genes, joined by ``::`` or ``--``; a single
        hyphen is part of many symbols and splits nothing).
    sample : str, optional
        The sample of a file without a column of samples, as STAR-Fusion and Arriba write them.

    Returns
    -------
    Fusions
        Genes without their Ensembl number (``EML4^ENSG...``), of Arriba's intergenic places
        (``GENE(1234),OTHER(99)``) the first. Germline rows of cBioPortal are left out.

    Raises
    ------
    TableError
        No column of genes or of samples.
    """
    table = parse_delimited(load_text(path), "," if ".csv" in path.name.lower() else "\t", path.name, comment=None)
    place = _columns(table, columns or {}, path.name)
    if "sample" not in place and sample is None:
        raise TableError(
            "no column of samples",
            where=path.name,
            allowed="a column such as Sample_Id, or one file a subject",
            todo="name the column under columns, or write {subject} into the path where the id stands",
        )
    text = table.cells.select(pl.col(str(i)).str.strip_chars().fill_null("").alias(n) for n, i in place.items())
    if "sample" not in place:
        text = text.with_columns(sample=pl.lit(sample))
    samples = tuple(dict.fromkeys([sample] if "sample" not in place and sample else text["sample"].to_list()))
    notes = []
    if "status" in place and (inherited := int((text["status"].str.to_lowercase() == "germline").sum())):
        text = text.filter(pl.col("status").str.to_lowercase() != "germline")
        notes.append(
            Problem("molecular", f"{inherited} germline rows were left out", "note", where=path.name, count=inherited)
        )
    if "gene1" not in place or "gene2" not in place:
        text, said = _split(text, path.name)
        notes += said
    frame = text.select("sample", *(_symbol(pl.col(g)).alias(g) for g in ("gene1", "gene2")))
    return Fusions(
        frame.filter((pl.col("gene1") != "") | (pl.col("gene2") != "")).unique(maintain_order=True),
        samples,
        tuple(notes),
    )


def _columns(table: Delimited, named: Mapping[str, str], where: str) -> dict[str, int]:
    header = [name.strip() for name in table.header]
    found: dict[str, int] = {}
    for column, name in named.items():
        if column not in FUSION_COLUMNS:
            raise TableError(f"column '{column}'", where=f"columns of {where}", allowed=", ".join(FUSION_COLUMNS))
        if name not in header:
            raise TableError(f"no column '{name}'", where=where, todo=suggest(name, header) or ", ".join(header))
        found[column] = header.index(name)
    folded = [name.casefold().lstrip("#").replace(" ", "_") for name in header]
    for column, names in FUSION_COLUMNS.items():
        place = next((folded.index(name) for name in names if name in folded), None)
        if place is not None:
            found.setdefault(column, place)
    if not ({"gene1", "gene2"} <= found.keys() or "fusion" in found):
        raise TableError(
            f"columns {', '.join(header[:8])}",
            where=where,
            allowed="two columns of genes (gene1, gene2), or one of fusions (EML4::ALK)",
            todo='name them under columns, e.g. columns = { gene1 = "left", gene2 = "right" }',
        )
    return found


def _split(text: pl.DataFrame, where: str) -> tuple[pl.DataFrame, list[Problem]]:
    """Take the fusion's name apart."""
    joint = pl.col("fusion").str.replace(_JOINTS[1], _JOINTS[0], literal=True).str.split_exact(_JOINTS[0], 1)
    parts = text.with_columns(joint.struct.rename_fields(["gene1", "gene2"]).alias("parts")).unnest("parts")
    whole = parts.filter(pl.col("gene2").is_not_null())
    if (lost := parts.height - whole.height) == 0:
        return whole, []
    got = f"{lost} fusions whose two genes are not joined by :: or -- were left out"
    first = parts.filter(pl.col("gene2").is_null())["fusion"][0]
    return whole, [Problem("molecular", f"{got} ('{first}')", "note", where=where, count=lost)]


def _symbol(gene: pl.Expr) -> pl.Expr:
    bare = gene.str.replace(r"\^.*$", "").str.split(",").list.first().str.replace(r"\(\d+\)$", "").str.strip_chars()
    return pl.when(bare.is_in([".", "NA", "None"])).then(pl.lit("")).otherwise(bare)
