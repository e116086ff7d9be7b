"""Mutational signatures: how many substitutions each of the supplied signatures explains.

The counts of the 96 classes are written as a sum of signatures with coefficients of 0 or more (non-negative least
squares; Lawson & Hanson 1974, as in Blokzijl et al. 2018, Genome Med 10:33). The signatures, such as those of COSMIC
(https://cancer.sanger.ac.uk/signatures), are the study's to supply. The interval is that of a parametric
bootstrap (after Huang et al. 2018, Bioinformatics 34:330): where few substitutions make signatures that look alike
interchangeable it is wide, and should be read before the estimate. Because shares cannot fall below 0, signatures that
are absent take from those that are present and percentiles alone hold the truth too seldom; the interval reaches from
the smaller to the larger of percentiles and reflected percentiles (Davison & Hinkley 1997, section 5.2).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from scipy.optimize import nnls

from radiolocus.errors import ConfigError, TableError
from radiolocus.model import Array
from radiolocus.molecular.spectrum import CHANNELS, as_array
from radiolocus.read.delimited import load_text, parse_delimited
from radiolocus.registry import suggest
from radiolocus.schema import conform, empty

__all__ = ["SignatureOptions", "Signatures", "fit_signatures", "read_signatures"]


@dataclass(frozen=True)
class SignatureOptions:
    """Mutational signatures.

    Parameters
    ----------
    matrix : str
        Table of the signatures: a row for each of the 96 classes, a column for each signature, as COSMIC gives it.
    use : tuple of str
        Signatures to fit, such as those known in this cancer; all by default.
    genome : str or None
        Reference genome (FASTA), for mutation files without the column CONTEXT.
    min_mutations : int
        Subjects with fewer classified substitutions get no signatures.
    bootstrap : int
        Repetitions of the interval.
    seed : int
        Seed of the bootstrap.
    """

    matrix: str
    use: tuple[str, ...] = ()
    genome: str | None = None
    min_mutations: int = 50
    bootstrap: int = 200
    seed: int = 1

    def __post_init__(self) -> None:
        if self.min_mutations < 1 or self.bootstrap < 20:
            raise ConfigError(
                f"min_mutations {self.min_mutations}, bootstrap {self.bootstrap}",
                where="molecular.mutational_signatures",
                allowed="min_mutations of 1 or more, bootstrap of 20 or more",
            )


@dataclass(frozen=True, eq=False)
class Signatures:
    """Signatures: `names`, and `profiles` of shape (96, signatures) in the order of CHANNELS, each of sum 1."""

    names: tuple[str, ...]
    profiles: Array


def read_signatures(path: Path, use: tuple[str, ...] = ()) -> Signatures:
    """Read a table of signatures as COSMIC gives it: ``Type`` (``A[C>A]A``), or ``Somatic Mutation Type`` of version 2.

    Raises
    ------
    TableError
        A class that is missing, double or unknown; a number that is negative or none; a signature that does not sum to
        1 (within 0.01) or is not there.
    """
    separator = "," if ".csv" in path.name.lower() else "\t"
    table = parse_delimited(load_text(path), separator, path.name)
    header = [name.strip() for name in table.header]
    folded = [name.casefold() for name in header]
    key = next((folded.index(n) for n in ("somatic mutation type", "type", "mutationtype", "") if n in folded), 0)
    classes = [str(c).strip() for c in table.cells[:, key]]
    if sorted(classes) != sorted(CHANNELS):
        odd = sorted(set(classes) ^ set(CHANNELS)) or [c for c in classes if classes.count(c) > 1]
        raise TableError(
            f"{len(classes)} classes; missing, double or unknown: {', '.join(odd[:5])}",
            where=f"{path.name}, column '{header[key]}'",
            allowed="the 96 classes such as A[C>A]A, each once",
        )
    text = ("substitution type", "trinucleotide", folded[key])
    named = [i for i, name in enumerate(folded) if name not in text and name and i != key]
    for name in use:
        if name not in [header[i] for i in named]:
            raise TableError(f"no signature '{name}'", where=path.name, todo=suggest(name, header) or ", ".join(header))
    named = [i for i in named if not use or header[i] in use]
    order = [classes.index(c) for c in CHANNELS]
    values = np.column_stack([_profile(table.cells[:, i], header[i], path.name) for i in named])[order]
    return Signatures(tuple(header[i] for i in named), values / values.sum(axis=0))


def _profile(cells: pl.Series, name: str, where: str) -> Array:
    values = cells.str.strip_chars().cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
    if not (values >= 0).all() or abs(values.sum() - 1) > 0.01:
        raise TableError(
            f"numbers that sum to {np.nansum(values):.4g}, {int((~(values >= 0)).sum())} of them negative or none",
            where=f"{where}, signature '{name}'",
            allowed="96 probabilities that sum to 1",
        )
    return np.asarray(values)


def fit_signatures(counts: pl.DataFrame, signatures: Signatures, options: SignatureOptions) -> pl.DataFrame:
    """Fit the signatures to every subject.

    Parameters
    ----------
    counts : polars.DataFrame
        Of :func:`radiolocus.molecular.spectrum.spectra`.
    signatures : Signatures
    options : SignatureOptions

    Returns
    -------
    polars.DataFrame
        Table ``molecular/mutational_signatures``.
    """
    parts = [empty("molecular/mutational_signatures")]
    for subject, spectrum in zip(counts["subject"].to_list(), as_array(counts), strict=True):
        total = int(spectrum.sum())
        if total < options.min_mutations:
            continue
        found, _ = nnls(signatures.profiles, spectrum)
        shares = found / found.sum()
        rebuilt = signatures.profiles @ found
        cosine = float(rebuilt @ spectrum / (np.linalg.norm(rebuilt) * np.linalg.norm(spectrum)))
        lower, upper = _interval(shares, rebuilt, signatures.profiles, options, subject, total)
        part = pl.DataFrame(
            {
                "subject": [subject] * len(signatures.names),
                "signature": signatures.names,
                "mutations": found,
                "share": shares,
                "lower": lower,
                "upper": upper,
            }
        ).with_columns(cosine=pl.lit(cosine), substitutions=pl.lit(total))
        parts.append(conform(part, "molecular/mutational_signatures"))
    return pl.concat(parts)


def _interval(
    shares: Array, rebuilt: Array, profiles: Array, options: SignatureOptions, subject: str, total: int
) -> tuple[Array, Array]:
    """Interval of the shares from spectra drawn by the fit; a subject's own seed, whoever else is there."""
    rng = np.random.default_rng(np.random.SeedSequence([options.seed, *subject.encode()]))
    draws = rng.multinomial(total, rebuilt / rebuilt.sum(), size=options.bootstrap).astype(np.float64)
    fitted = np.array([nnls(profiles, draw)[0] for draw in draws])
    low, high = np.quantile(fitted / fitted.sum(axis=1, keepdims=True), [0.025, 0.975], axis=0)
    ends = np.array([low, high, 2 * shares - low, 2 * shares - high])
    return np.clip(ends.min(axis=0), 0, 1), np.clip(ends.max(axis=0), 0, 1)


def marker_name(signature: str) -> str:
    """Name of the marker of a signature (``sbs:SBS1``)."""
    return f"sbs:{re.sub(r'^signature[ ._]', 'S', signature, flags=re.IGNORECASE)}"
