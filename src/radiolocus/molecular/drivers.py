"""Which gene is mutated in whom.

A gene counts as mutated in a subject when at least one row of the MAF gives it a nonsynonymous class there. The
classes are the nine of the GDC's vocabulary whose consequence Ensembl ranks high or moderate, which maftools takes by
default as well (Mayakonda et al. 2018, Genome Research 28:1747; argument ``vc_nonSyn`` of ``read.maf``). All other
classes (silent, untranslated, intronic, intergenic, RNA, splice region) do not count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from radiolocus.errors import TableError
from radiolocus.model import Problem

__all__ = ["NONSYNONYMOUS", "OTHER_CLASSES", "Mutations", "mutation_table", "nonsynonymous"]

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


@dataclass(frozen=True, eq=False)
class Mutations:
    """The gene × subject mutation table.

    Parameters
    ----------
    frame : polars.DataFrame
        `subject`, then a column per gene in alphabetical order: 1 mutated, 0 sequenced and not mutated.
    counts : polars.DataFrame
        `gene`, `n_mutated` for every gene with a mutation, most frequent first.
    problems : tuple of Problem
    """

    frame: pl.DataFrame
    counts: pl.DataFrame
    problems: tuple[Problem, ...] = ()


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


def mutation_table(
    maf: pl.DataFrame,
    subject_of: Mapping[str, str],
    *,
    sequenced: Collection[str] = (),
    min_mutated: int = 5,
    where: str = "",
) -> Mutations:
    """Turn the rows of a MAF into a gene × subject table of 0 and 1.

    Parameters
    ----------
    maf : polars.DataFrame
        As :func:`radiolocus.read.maf.read_maf` gives it.
    subject_of : mapping of str to str
        Subject of each barcode; rows of other barcodes are not counted. Several barcodes may name one subject: the
        gene is mutated when it is so in any of them.
    sequenced : collection of str
        Subjects known to be sequenced beside those with a row in `maf`. They are 0 where they have no mutation; a
        subject who is neither here nor in `maf` has no row, because nobody looked.
    min_mutated : int
        Genes mutated in fewer subjects get no column.

    Returns
    -------
    Mutations
    """
    rows, problems = nonsynonymous(maf, where)
    looked_at = {subject_of[b] for b in maf["Tumor_Sample_Barcode"].unique().to_list() if b in subject_of}
    subjects = sorted(looked_at | set(sequenced))
    barcodes = pl.DataFrame(
        {"Tumor_Sample_Barcode": list(subject_of), "subject": list(subject_of.values())},
        schema={"Tumor_Sample_Barcode": pl.String, "subject": pl.String},
    )
    pairs = (
        rows.join(barcodes, on="Tumor_Sample_Barcode", how="inner")
        .select("subject", gene="Hugo_Symbol")
        .unique()
        .sort("gene", "subject")
    )
    counts = (
        pairs.group_by("gene")
        .agg(n_mutated=pl.len().cast(pl.Int64))
        .sort(["n_mutated", "gene"], descending=[True, False])
    )
    genes = sorted(counts.filter(pl.col("n_mutated") >= min_mutated)["gene"].to_list())
    matrix = np.zeros((len(subjects), len(genes)))
    row_of, column_of = {s: i for i, s in enumerate(subjects)}, {g: j for j, g in enumerate(genes)}
    hits = [(row_of[s], column_of[g]) for s, g in pairs.iter_rows() if g in column_of]
    if hits:
        matrix[tuple(np.array(hits).T)] = 1.0
    frame = pl.DataFrame(
        [pl.Series("subject", subjects, pl.String), *(pl.Series(g, matrix[:, j]) for j, g in enumerate(genes))]
    )
    if not genes:
        most = int(counts["n_mutated"][0]) if counts.height else 0
        problems += (
            Problem(
                "molecular",
                f"no gene is mutated in {min_mutated} subjects (the most frequent in {most})",
                "note",
                where=where,
                todo="lower min_mutated, or leave mutations out",
            ),
        )
    return Mutations(frame, counts, problems)
