"""Scores of gene sets and published signatures, made of an expression matrix and put on the sheet of markers.

A score of which too few genes were measured is not made; table ``molecular/scores`` says so, and which genes they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import ConfigError, RadiolocusError, TableError
from radiolocus.model import Array, Problem
from radiolocus.molecular.expression import ExpressionTable, Matrix, expression_files, on_scale
from radiolocus.molecular.published_signatures import METHODS, Signature, chosen_signatures
from radiolocus.molecular.score_options import DerivedOptions, GeneSetScores
from radiolocus.molecular.sheet import Marker, Sheet, below
from radiolocus.read.delimited import load_text
from radiolocus.read.genesets import read_gene_sets
from radiolocus.registry import suggest
from radiolocus.schema import empty
from radiolocus.stats.gene_scores import gsva, mean_z, singscore, ssgsea

__all__ = ["Score", "add_scores", "complete", "expression_inputs", "matrix_called", "score_signature"]

_MISSING = 0.1  # of the genes: a subject with more of them missing gets no score
_TOLD = 60  # genes that are listed as missing

_SOURCE = {
    "ssgsea": "ssGSEA (Barbie et al. 2009), weight 0.25, not divided by the range",
    "gsva": "GSVA (Hänzelmann et al. 2013)",
    "mean_z": "mean standard score over the cohort",
    "singscore": "singscore (Foroutan et al. 2018), all genes expected up, centred",
}
_UNIT = {"ssgsea": "sum over ranks", "gsva": "−1 to 1", "mean_z": "standard deviations", "singscore": "−0.5 to 0.5"}
_COHORT = ("gsva", "mean_z")
_AGAINST = "compares each subject with all others of the cohort"


@dataclass(frozen=True)
class Score:
    """A score that was made, or why it was not.

    Parameters
    ----------
    name : str
        Marker.
    wanted, missing : tuple of str
        Genes of the set or signature, and those that were not measured, housekeeping genes included.
    needed : float
        Part of the genes that had to be measured.
    method, reference : str
    values : ndarray, shape (subjects,), or None
    reason : str
        Why it was not made.
    """

    name: str
    wanted: tuple[str, ...]
    missing: tuple[str, ...]
    needed: float
    method: str
    reference: str
    values: Array | None
    reason: str = ""


def expression_inputs(options: DerivedOptions, tables: Sequence[ExpressionTable], root: Path) -> dict[str, Path]:
    """Return the files of expression matrices and of what is made of them, by their path below `root`."""
    names = [s.path for s in options.scores]
    names += [name for name in options.signatures if name.endswith(".toml")]
    names += [s.centroids for s in options.subtypes.values() if s.centroids]
    found = {name: below(root, name) for name in names}
    for table in tables:
        found |= expression_files(table, root)
    return found


def matrix_called(matrices: Sequence[Matrix], of: str | None) -> Matrix:
    """Return the matrix of a name, or the only one; the options were checked before."""
    return next(m for m in matrices if of in (None, m.options.name))


def complete(matrix: Matrix, sheet: Sheet) -> Matrix:
    """Leave out subjects of whom more than a tenth of the genes is missing, then genes that anybody lacks."""
    lacking = np.isnan(matrix.values)
    if not lacking.any():
        return matrix
    part = lacking.mean(axis=0)
    kept = part <= _MISSING
    where = matrix.options.path
    for i in np.flatnonzero(~kept):
        sheet.say(
            [
                Problem(
                    "molecular",
                    f"{part[i]:.0%} of the genes have no value; no score was made",
                    subject=matrix.subjects[i],
                    where=where,
                    allowed=f"at most {_MISSING:.0%}",
                )
            ]
        )
    whole = np.asarray(~lacking[:, kept].any(axis=1))
    if not whole.all():
        lost = int((~whole).sum())
        got = f"{lost} of {whole.size} genes lack a value of somebody and are in no score"
        sheet.say([Problem("molecular", got, "note", where=where, count=lost)])
    genes = tuple(g for g, keep in zip(matrix.genes, whole, strict=True) if keep)
    subjects = tuple(s for s, keep in zip(matrix.subjects, kept, strict=True) if keep)
    return Matrix(matrix.options, genes, subjects, matrix.values[np.ix_(whole, kept)], matrix.unit)


def add_scores(sheet: Sheet, options: DerivedOptions, matrices: Sequence[Matrix], root: Path) -> None:
    """Make every score that is asked for and put those that could be made on the sheet; matrices are complete.

    Raises
    ------
    RadiolocusError
        An unknown signature or set, a file that cannot be used, a unit that does not tell the scale.
    """
    for asked in options.scores:
        matrix = matrix_called(matrices, asked.of)
        found = read_gene_sets(below(root, asked.path))
        sheet.say(found.notes)
        made = _gene_sets(matrix, asked, found.sets)
        definition = _SOURCE[asked.method] + (f"; {_AGAINST}" if asked.method in _COHORT else "")
        for score in made:
            _put(sheet, matrix, score, definition, _UNIT[asked.method], asked.path)
        _tell(sheet, matrix, made)
    if not options.signatures:
        return
    matrix = matrix_called(matrices, options.signatures_of)
    made = []
    for signature in chosen_signatures(options.signatures, partial(_text, root)).values():
        made.append(score_signature(signature, matrix, options.signature_coverage))
        method = METHODS[signature.method]
        definition = f"{signature.title}: {signature.definition}; {signature.reference}"
        definition += f"; {_AGAINST}" if method.cohort else ""
        _put(sheet, matrix, made[-1], definition, signature.unit, matrix.options.path)
    _tell(sheet, matrix, made)


def _text(root: Path, name: str) -> str:
    return load_text(below(root, name))


def score_signature(signature: Signature, matrix: Matrix, min_coverage: float = 0.8) -> Score:
    """Score one signature.

    Parameters
    ----------
    signature : Signature
    matrix : Matrix
        Without missing values.
    min_coverage : float
        Part of its genes (and of its housekeeping genes) that must have been measured, where it does not need them all.

    Returns
    -------
    Score
        `values` is None where they were not, and `reason` says so.

    Raises
    ------
    TableError
        A unit that does not tell the scale that the signature needs, or values that its scale forbids.
    """
    rows = {gene: i for i, gene in enumerate(matrix.genes)}
    needed = 1.0 if signature.complete else min_coverage
    places, missing = _places(signature.members, signature.aliases, rows)
    control, absent = _places(signature.housekeeping, signature.aliases, rows)
    made = partial(
        Score, f"sig:{signature.name}", signature.members, (*missing, *absent), needed, signature.method,
        signature.reference,
    )  # fmt: skip
    members = len(signature.members)
    if len(places) < needed * members:
        return made(None, f"{len(places)} of {members} genes were measured; {needed:.0%} are needed")
    if len(control) < min_coverage * len(signature.housekeeping):
        got = f"{len(control)} of {len(signature.housekeeping)} housekeeping genes were measured"
        return made(None, f"{got}; {min_coverage:.0%} are needed")
    method = METHODS[signature.method]
    values = on_scale(matrix, method.scale)
    if method.scale == "linear" and (values[list(places.values())] < -1e-9).any():
        raise TableError("a value below 0", where=matrix.options.path, allowed="0 or more, as the unit says")
    chosen = values[list(places.values())]
    if control:
        chosen = chosen - values[list(control.values())].mean(axis=0)
    weights = np.array([signature.weights.get(gene, 1.0) for gene in places])
    return made(method.score(chosen, weights, signature.offset))


def _places(
    genes: Iterable[str], aliases: Mapping[str, Sequence[str]], rows: Mapping[str, int]
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Row of each gene, under its symbol or an earlier one, and the genes that have none."""
    found, missing = {}, []
    for gene in genes:
        name = next((name for name in (gene, *aliases.get(gene, ())) if name in rows), None)
        if name is None:
            missing.append(gene)
        else:
            found[gene] = rows[name]
    return found, tuple(missing)


def _gene_sets(matrix: Matrix, asked: GeneSetScores, sets: Mapping[str, tuple[str, ...]]) -> list[Score]:
    for name in asked.sets:
        if name not in sets:
            raise ConfigError(
                f"no gene set '{name}'", where=f"molecular.scores, {asked.path}", todo=suggest(name, list(sets))
            )
    values, genes = _values_for(matrix, asked.method)
    rows = {gene: i for i, gene in enumerate(genes)}
    waiting: list[tuple[str, tuple[str, ...], tuple[str, ...], npt.NDArray[np.intp] | None, str]] = []
    for name in asked.sets or sets:
        found, missing = _places(sets[name], {}, rows)
        reason = _why_not(len(found), len(sets[name]), len(genes), asked)
        places = None if reason else np.array(sorted(found.values()), dtype=np.intp)
        waiting.append((name, sets[name], missing, places, reason))
    scored = [places for *_, places, _ in waiting if places is not None]
    results = iter(_score(values, scored, asked.method, matrix)) if scored else iter(())
    prefix = asked.name or asked.method
    return [
        Score(
            f"{prefix}:{name}",
            wanted,
            missing,
            asked.min_coverage,
            asked.method,
            _SOURCE[asked.method],
            None if places is None else next(results),
            reason,
        )
        for name, wanted, missing, places, reason in waiting
    ]


def _why_not(found: int, wanted: int, measured: int, asked: GeneSetScores) -> str:
    if found < asked.min_genes:
        return f"{found} of {wanted} genes were measured; at least {asked.min_genes} are needed"
    if found < asked.min_coverage * wanted:
        return f"{found} of {wanted} genes were measured; {asked.min_coverage:.0%} are needed"
    return "" if found < measured else "no gene was measured outside the set"


def _values_for(matrix: Matrix, method: str) -> tuple[Array, tuple[str, ...]]:
    """Values on the scale of a method, without the genes that tell it nothing."""
    counts = method == "gsva" and matrix.unit.casefold() == "counts"
    values = on_scale(matrix, "any" if counts or method not in _COHORT else "log2")
    if method != "gsva" or matrix.values.shape[1] < 2:
        return values, matrix.genes
    varies = values.std(axis=1, ddof=1) > 0
    return values[varies], tuple(g for g, keep in zip(matrix.genes, varies, strict=True) if keep)


def _score(values: Array, sets: list[npt.NDArray[np.intp]], method: str, matrix: Matrix) -> Array:
    try:
        if method == "gsva":
            return gsva(values, sets, "poisson" if matrix.unit.casefold() == "counts" else "gaussian")
        return {"ssgsea": ssgsea, "mean_z": mean_z, "singscore": singscore}[method](values, sets)
    except RadiolocusError as error:
        raise error.at(matrix.options.path) from None


def _put(sheet: Sheet, matrix: Matrix, made: Score, definition: str, unit: str, source: str) -> None:
    if made.values is not None:
        found = len(made.wanted) - sum(gene in set(made.wanted) for gene in made.missing)
        told = f"{definition} ({found} of {len(made.wanted)} genes, matrix '{matrix.options.name}')"
        aligned = sheet.spread(matrix.subjects, made.values)
        sheet.add(Marker(made.name, "continuous", source, unit, aligned, told))


def _tell(sheet: Sheet, matrix: Matrix, made: Sequence[Score]) -> None:
    rows = [
        (
            m.name,
            matrix.options.name,
            m.method,
            len(m.wanted),
            len(m.wanted) - sum(gene in set(m.wanted) for gene in m.missing),
            m.needed,
            ", ".join(m.missing[:_TOLD]) + (f" and {len(m.missing) - _TOLD} more" if len(m.missing) > _TOLD else ""),
            0 if m.values is None else int(np.isfinite(m.values).sum()),
            m.reason,
            m.reference,
        )
        for m in made
    ]
    sheet.keep("molecular/scores", pl.DataFrame(rows, schema=empty("molecular/scores").schema, orient="row"))
    lost = [m for m in made if m.values is None]
    if lost:
        shown = "; ".join(f"{m.name}: {m.reason}" for m in lost[:3])
        got = f"{len(lost)} of {len(made)} scores were not made ({shown})"
        todo = "see molecular/scores; name the genes by symbols (gene_names), or lower the coverage"
        sheet.say([Problem("molecular", got, "note", where=matrix.options.path, todo=todo, count=len(lost))])
