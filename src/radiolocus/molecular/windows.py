"""DNA around the variants of a patient, once with the reference and once with the tumour allele."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import InputError, TableError
from radiolocus.model import Problem
from radiolocus.read.fasta import Fasta

__all__ = ["VariantWindows", "allele_windows", "encoded", "given_windows", "variant_windows"]

_LETTERS = "ACGT"
# More variants without their reference allele are another genome build, not errors of a few rows.
_STRANGE = 0.05
_LABELS = {
    "subject": pl.String,
    "window": pl.Int64,
    "gene": pl.String,
    "chromosome": pl.String,
    "position": pl.Int64,
    "reference_allele": pl.String,
    "tumour_allele": pl.String,
}


@dataclass(frozen=True, eq=False)
class VariantWindows:
    """Windows of some subjects.

    Parameters
    ----------
    bases : ndarray of int8, shape (n, k, 2, length)
        0 to 3 for A, C, G, T, −1 for any other; first the reference, then the tumour allele.
    count : ndarray of int64, shape (n,)
        Windows of each subject; −1: not sequenced.
    labels : polars.DataFrame
        What each window is of: subject, window (from 0), gene, chromosome, position, alleles.
    problems : tuple of Problem
    """

    bases: npt.NDArray[np.int8]
    count: npt.NDArray[np.int64]
    labels: pl.DataFrame
    problems: tuple[Problem, ...] = ()


def encoded(bases: str) -> npt.NDArray[np.int8]:
    """Write bases as numbers, 0 to 3 for A, C, G, T and −1 for any other.

    >>> encoded("ACGTN").tolist()
    [0, 1, 2, 3, -1]
    """
    return np.array([_LETTERS.find(base) for base in bases.upper()], dtype=np.int8)


def allele_windows(
    genome: Fasta, chromosome: str, start: int, reference: str, tumour: str, length: int
) -> tuple[str, str] | None:
    """Cut the window around a variant, which begins in its middle.

    Parameters
    ----------
    genome : Fasta
    chromosome : str
    start : int
        First base, from 1; of an insertion the base before it.
    reference, tumour : str
        Alleles; ``-`` for none.
    length : int
        Bases of the window, odd.

    Returns
    -------
    tuple of str or None
        With the reference and with the tumour allele; N beyond the ends. None when the genome does not have the
        reference allele there.
    """
    before, after = ("" if allele == "-" else allele.upper() for allele in (reference, tumour))
    begin, half = (start if before else start + 1), length // 2
    left = genome.fetch(chromosome, begin - half, begin - 1).rjust(half, "N")
    right = genome.fetch(chromosome, begin, begin + len(before) + length)
    if right[: len(before)] != before or not right:
        return None
    return tuple((left + text).ljust(length, "N")[:length] for text in (right, after + right[len(before) :]))  # type: ignore[return-value]


def variant_windows(
    mutations: pl.DataFrame,
    genome: Fasta,
    subjects: Sequence[str],
    sequenced: Sequence[str],
    *,
    length: int,
    most: int,
    genes: Sequence[str] = (),
) -> VariantWindows:
    """Cut the windows of the variants of some subjects.

    Parameters
    ----------
    mutations : polars.DataFrame
        Table ``molecular/mutations``.
    genome : Fasta
        Of the same build.
    subjects : sequence of str
        Whose windows are wanted, in this order.
    sequenced : sequence of str
        Those whose tumour was sequenced: without a variant they have no window, and are not missing.
    length : int
        Bases of a window, odd.
    most : int
        Windows of a subject at most: of more variants so many are drawn, alike in every run.
    genes : sequence of str
        Only variants of these genes; empty: of all.

    Raises
    ------
    InputError
        More than a twentieth of the variants without their reference allele in the genome: another build.
    """
    rows = mutations.filter(pl.col("subject").is_in(list(subjects)))
    rows = rows.filter(pl.col("gene").is_in(list(genes))) if genes else rows
    known = rows.drop_nulls(["chromosome", "start", "reference_allele", "tumour_allele"])
    found: dict[str, list[tuple[tuple[str, str], tuple[object, ...]]]] = {}
    strange = 0
    columns = ("subject", "gene", "chromosome", "start", "reference_allele", "tumour_allele")
    for subject, gene, name, start, before, after in known.select(columns).unique(maintain_order=True).iter_rows():
        pair = allele_windows(genome, name, start, before, after, length)
        if pair is None:
            strange += 1
            continue
        found.setdefault(subject, []).append((pair, (gene, name, start, before, after)))
    if known.height and strange > _STRANGE * known.height:
        raise InputError(
            f"{strange} of {known.height} variants do not have their reference allele in the genome",
            where=genome.path.name,
            allowed="the genome build that the variants were called on",
            todo="give the FASTA of that build",
        )
    lacking = rows.height - known.height
    notes = ((lacking, "without place or alleles"), (strange, "without their reference allele in the genome"))
    problems = [_note(f"{count} variants {why} have no window", count) for count, why in notes if count]
    many = [s for s, pairs in found.items() if len(pairs) > most]
    if many:
        problems.append(_note(f"{len(many)} subjects have more than {most} variants: so many were drawn", len(many)))
    for subject in many:
        found[subject] = _drawn(subject, found[subject], most)
    return _stacked(found, subjects, {*sequenced, *found}, length, tuple(problems))


def given_windows(
    frame: pl.DataFrame, subjects: Sequence[str], *, length: int, most: int, where: str
) -> VariantWindows:
    """Take windows that are given as text.

    Parameters
    ----------
    frame : polars.DataFrame
        Columns subject, reference and tumour: the bases of a window before and after. A row without bases is a
        sequenced subject without a variant. A column gene, when there is one, names the windows.
    subjects : sequence of str
    length, most : int
        As in :func:`variant_windows`.
    where : str
        Name of the table.

    Raises
    ------
    TableError
        An absent column, or a window of another length.
    """
    absent = [name for name in ("subject", "reference", "tumour") if name not in frame.columns]
    if absent:
        raise TableError(f"no column '{absent[0]}'", where=where, allowed="subject, reference, tumour")
    found: dict[str, list[tuple[tuple[str, str], tuple[object, ...]]]] = {}
    sequenced = []
    genes = frame["gene"].to_list() if "gene" in frame.columns else [""] * frame.height
    rows = zip(*(frame[name].to_list() for name in ("subject", "reference", "tumour")), genes, strict=True)
    for number, (subject, reference, tumour, gene) in enumerate(rows, 1):
        sequenced.append(subject)
        pair = (reference or "", tumour or "")
        if pair == ("", ""):
            continue
        if len(pair[0]) != length or len(pair[1]) != length:
            raise TableError(
                f"windows of {len(pair[0])} and {len(pair[1])} bases",
                where=f"{where}, row {number}",
                allowed=f"{length} bases each",
                todo="give windows of one length, and say it as deep.sequences.window",
            )
        found.setdefault(subject, []).append((pair, (gene, "", None, "", "")))
    for subject, pairs in found.items():
        if len(pairs) > most:
            found[subject] = _drawn(subject, pairs, most)
    return _stacked(found, subjects, set(sequenced), length, ())


def _drawn(
    subject: str, pairs: list[tuple[tuple[str, str], tuple[object, ...]]], most: int
) -> list[tuple[tuple[str, str], tuple[object, ...]]]:
    """Draw some variants of a subject, alike whoever else is in the study."""
    seed = int.from_bytes(hashlib.sha256(subject.encode()).digest()[:8], "big")
    rows = np.sort(np.random.default_rng(seed).permutation(len(pairs))[:most])
    return [pairs[i] for i in rows]


def _note(got: str, count: int) -> Problem:
    return Problem("deep", got, "note", item="sequences", count=count)


def _stacked(
    found: dict[str, list[tuple[tuple[str, str], tuple[object, ...]]]],
    subjects: Sequence[str],
    sequenced: set[str],
    length: int,
    problems: tuple[Problem, ...],
) -> VariantWindows:
    width = max((len(found.get(s, ())) for s in subjects), default=0)
    bases = np.full((len(subjects), max(width, 1), 2, length), -1, dtype=np.int8)
    count = np.array([len(found.get(s, ())) if s in sequenced else -1 for s in subjects], dtype=np.int64)
    labels = []
    for i, subject in enumerate(subjects):
        for k, (pair, told) in enumerate(found.get(subject, ())):
            bases[i, k] = [encoded(pair[0]), encoded(pair[1])]
            labels.append((subject, k, *told))
    return VariantWindows(bases, count, pl.DataFrame(labels, schema=_LABELS, orient="row"), problems)
