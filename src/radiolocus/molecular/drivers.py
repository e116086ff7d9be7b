"""Which gene is mutated in whom.

A gene counts as mutated in a subject when at least one row of the MAF gives it a nonsynonymous class there. The
classes are the nine of the GDC's vocabulary whose consequence Ensembl ranks high or moderate, which maftools takes by
default as well (Mayakonda et al. 2018, Genome Research 28:1747; argument ``vc_nonSyn`` of ``read.maf``). All other
classes (silent, untranslated, intronic, intergenic, RNA, splice region) do not count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import polars as pl

from radiolocus.errors import TableError
from radiolocus.model import Problem

__all__ = ["NONSYNONYMOUS", "OTHER_CLASSES", "incidence", "nonsynonymous"]

NONSYNONYMOUS = (
    "Frame_Shift_Del",
    "Frame_Shift_Ins",
    "In_Frame_Del",
    "In_Frame_Ins",
    "Missense_Mutation",
    "Nonsense_Mutation",
    "Nonstop_Mutation",
    "Splice_Site",
    "Translation_Start_Site",
)
OTHER_CLASSES = (
    "3'Flank",
    "3'UTR",
    "5'Flank",
    "5'UTR",
    "De_novo_Start_InFrame",
    "De_novo_Start_OutOfFrame",
    "IGR",
    "Intron",
    "lincRNA",
    "RNA",
    "Silent",
    "Splice_Region",
    "Start_Codon_Del",
    "Start_Codon_Ins",
    "Start_Codon_SNP",
    "Stop_Codon_Del",
    "Stop_Codon_Ins",
    "Targeted_Region",
    "Unknown",
)
# Rows that are no somatic change of the tumour (cBioPortal does not load the last three either).
_NOT_SOMATIC = ("germline", "loh", "wildtype", "none")


def nonsynonymous(maf: pl.DataFrame, where: str = "") -> tuple[pl.DataFrame, tuple[Problem, ...]]:
    """Keep the somatic rows of a nonsynonymous class; say which classes are outside the vocabulary.

    Raises
    ------
    TableError
        When rows are there and none has a class of the vocabulary.
    """
    folded = maf["Variant_Classification"].str.to_lowercase()
    wanted, other = [c.lower() for c in NONSYNONYMOUS], [c.lower() for c in OTHER_CLASSES]
    unknown = Counter(maf["Variant_Classification"].filter(~folded.is_in([*wanted, *other])).to_list())
    shown = ", ".join(f"'{name}' × {n}" for name, n in sorted(unknown.items())[:8])
    if maf.height and unknown.total() == maf.height:
        raise TableError(
            f"no known variant classification ({shown})",
            where=f"{where}, column Variant_Classification" if where else "column Variant_Classification",
            allowed=", ".join((*NONSYNONYMOUS, *OTHER_CLASSES)),
            todo="annotate the file with vcf2maf, or rename the classes",
        )
    problems = []
    if unknown:
        problems.append(
            Problem(
                "molecular",
                f"variant classes outside the vocabulary were not counted as nonsynonymous: {shown}",
                "note",
                where=where,
                allowed=", ".join(NONSYNONYMOUS),
                count=unknown.total(),
            )
        )
    keep = folded.is_in(wanted)
    if "Mutation_Status" in maf.columns:
        inherited = maf["Mutation_Status"].fill_null("").str.to_lowercase().is_in(_NOT_SOMATIC) & keep
        if inherited.any():
            problems.append(
                Problem(
                    "molecular",
                    f"{int(inherited.sum())} rows whose Mutation_Status is not somatic were not counted",
                    "note",
                    where=where,
                    allowed="any Mutation_Status but Germline, LOH, Wildtype, None",
                    count=int(inherited.sum()),
                )
            )
        keep &= ~inherited
    return maf.filter(keep), tuple(problems)


def incidence(pairs: pl.DataFrame, subjects: Sequence[str], least: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Turn pairs of item and subject into a table of 0 and 1.

    Parameters
    ----------
    pairs : polars.DataFrame
        `item` and `subject`, every pair once.
    subjects : sequence of str
        Rows of the table: all who were looked at.
    least : int
        Items of fewer subjects get no column.

    Returns
    -------
    frame : polars.DataFrame
        `subject` and a column an item, in alphabetical order.
    counts : polars.DataFrame
        `item` and `n_subjects` of all items, most frequent first.
    """
    counts = (
        pairs.group_by("item")
        .agg(n_subjects=pl.len().cast(pl.Int64))
        .sort(["n_subjects", "item"], descending=[True, False])
    )
    items = sorted(counts.filter(pl.col("n_subjects") >= least)["item"].to_list())
    matrix = np.zeros((len(subjects), len(items)))
    row_of, column_of = {s: i for i, s in enumerate(subjects)}, {g: j for j, g in enumerate(items)}
    hits = [(row_of[s], column_of[g]) for g, s in pairs.select("item", "subject").iter_rows() if g in column_of]
    if hits:
        matrix[tuple(np.array(hits).T)] = 1.0
    columns = [pl.Series(g, matrix[:, j]) for j, g in enumerate(items)]
    return pl.DataFrame([pl.Series("subject", list(subjects), pl.String), *columns]), counts
