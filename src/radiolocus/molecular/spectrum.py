"""The 96 classes of single-base substitutions, and how often each occurs in a tumour.

A class is a substitution of the pyrimidine of the pair with the bases on both sides (``A[C>T]G``; Alexandrov et al.
2013, Nature 500:415). The neighbours come from the mutation file (``CONTEXT``) or from the reference genome.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from radiolocus.errors import TableError
from radiolocus.model import Array, Problem
from radiolocus.read.fasta import Fasta

__all__ = ["CHANNELS", "spectra"]

_SUBSTITUTIONS = ("C>A", "C>G", "C>T", "T>A", "T>C", "T>G")
CHANNELS = tuple(f"{left}[{change}]{right}" for change in _SUBSTITUTIONS for left in "ACGT" for right in "ACGT")
"""The classes in the order of the signature files of COSMIC version 2; names are those of version 3."""
_OTHER_STRAND = str.maketrans("ACGT", "TGCA")
# A genome of another build agrees with a quarter of the bases by chance.
_WRONG_GENOME = 0.1


def spectra(
    mutations: pl.DataFrame, genome: Fasta | None = None, where: str = ""
) -> tuple[pl.DataFrame, list[Problem]]:
    """Count the substitutions of each subject by class.

    Parameters
    ----------
    mutations : polars.DataFrame
        Table ``molecular/mutations``; every place and allele of a subject counts once.
    genome : Fasta, optional
        The reference genome, for variants without their context in the file.
    where : str
        Name of the file, for messages.

    Returns
    -------
    frame : polars.DataFrame
        `subject` and the 96 classes; only subjects with a substitution that has a class.
    problems : list of Problem
        Substitutions whose neighbours are not known.

    Raises
    ------
    TableError
        More than a tenth of the bases are not those of the genome: another build.
    """
    single = mutations.filter(
        pl.col("reference_allele").str.contains("^[ACGT]$") & pl.col("tumour_allele").str.contains("^[ACGT]$")
    ).unique(["subject", "chromosome", "start", "tumour_allele"], maintain_order=True)
    subjects: list[str] = []
    classes: list[str] = []
    unknown = wrong = 0
    columns = ("subject", "chromosome", "start", "reference_allele", "tumour_allele", "context")
    for subject, chromosome, start, ref, alt, context in single.select(columns).iter_rows():
        around = _neighbours(context, ref)
        if around is None and genome is not None and chromosome is not None and start is not None:
            fetched = genome.fetch(chromosome, start - 1, start + 1)
            wrong += len(fetched) == 3 and fetched[1] != ref
            around = (fetched[0], fetched[2]) if len(fetched) == 3 and fetched[1] == ref else None
        name = None if around is None else _channel(around[0], ref, alt, around[1])
        if name is None:
            unknown += 1
            continue
        subjects.append(subject)
        classes.append(name)
    if wrong > _WRONG_GENOME * max(single.height, 1):
        raise TableError(
            f"{wrong} of {single.height} reference alleles are not the bases of {genome.path.name if genome else ''}",
            where=where,
            allowed="the genome to which the variants were called",
            todo="give the FASTA of the same build (column NCBI_Build)",
        )
    return _counted(subjects, classes), _unknown(unknown, single.height, where)


def _counted(subjects: list[str], classes: list[str]) -> pl.DataFrame:
    names = sorted(set(subjects))
    row, column = {s: i for i, s in enumerate(names)}, {c: j for j, c in enumerate(CHANNELS)}
    counts = np.zeros((len(names), len(CHANNELS)))
    np.add.at(counts, ([row[s] for s in subjects], [column[c] for c in classes]), 1.0)
    return pl.DataFrame({"subject": names}, {"subject": pl.String}).hstack(
        [pl.Series(c, counts[:, j]) for j, c in enumerate(CHANNELS)]
    )


def _unknown(count: int, all_of_them: int, where: str) -> list[Problem]:
    if not count:
        return []
    return [
        Problem(
            "molecular",
            f"{count} of {all_of_them} single-base substitutions have no known neighbours and no class",
            "note",
            where=where,
            todo="give the reference genome under molecular.mutational_signatures.genome",
            count=count,
        )
    ]


def _neighbours(context: str | None, ref: str) -> tuple[str, str] | None:
    """Bases on both sides, of a context whose middle is the variant."""
    text = (context or "").strip().upper()
    middle = len(text) // 2
    if len(text) < 3 or len(text) % 2 == 0 or text[middle] != ref:
        return None
    return text[middle - 1], text[middle + 1]


def _channel(left: str, ref: str, alt: str, right: str) -> str | None:
    if ref in "AG":
        left, ref, alt, right = (base.translate(_OTHER_STRAND) for base in (right, ref, alt, left))
    name = f"{left}[{ref}>{alt}]{right}"
    return name if left in "ACGT" and right in "ACGT" and ref != alt else None


def as_array(frame: pl.DataFrame) -> Array:
    """Counts of shape (subjects, 96), a row after the other: who else is there must not change a rounding."""
    return np.ascontiguousarray(frame.select(CHANNELS).to_numpy(), dtype=np.float64)
