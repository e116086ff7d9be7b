"""Circulating tumour DNA and clones with known truth, as rows of ordinary tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["simulate_blood", "simulate_clones"]

_GENES = ("TP53", "EGFR", "PIK3CA", "STK11", "KEAP1", "SMARCA4")


def simulate_blood(
    rng: np.random.Generator,
    subject: str,
    course: Sequence[tuple[float, float]],
    *,
    start: float = 0.08,
    variants: int = 3,
    depth: float = 3000.0,
    lead_days: float = 0.0,
    resistant_from: float | None = None,
) -> list[dict[str, object]]:
    """Draw reads of circulating tumour DNA that follows the size of the tumour.

    Parameters
    ----------
    rng : numpy.random.Generator
    subject : str
    course : sequence of (float, float)
        Day, from the baseline at 0, and burden relative to baseline; between days it is interpolated.
    start : float
        Largest variant allele fraction at baseline.
    variants : int
        Variants of the tumour, the first in all of its cells, others in fewer.
    depth : float
        Mean depth; depths are Poisson, reads with the variant binomial.
    lead_days : float
        Days by which the blood is ahead of the size.
    resistant_from : float or None
        Day from which EGFR T790M rises, by half a per cent a week.

    Returns
    -------
    list of dict
        Rows of a variant table; a sample a day of the course, every variant in all of them.
    """
    days, sizes = np.array([d for d, _ in course]), np.array([s for _, s in course])
    share = np.concatenate([[1.0], np.sort(rng.uniform(0.3, 0.9, variants - 1))[::-1]])
    rows: list[dict[str, object]] = []
    for day in days:
        burden = 1.0 if day <= 0 else float(np.interp(day + lead_days, days, sizes))
        fractions = {(_GENES[i % len(_GENES)], f"R{100 + 7 * i}W"): start * s * burden for i, s in enumerate(share)}
        if resistant_from is not None:
            fractions["EGFR", "T790M"] = min(0.4, max(0.0, 0.005 * (float(day) - resistant_from) / 7))
        for (gene, change), fraction in fractions.items():
            reads = int(rng.poisson(depth)) + 1
            rows.append(
                {
                    "subject": subject,
                    "sample": "baseline" if day == 0 else f"day {day:g}",
                    "day": float(day),
                    "gene": gene,
                    "change": change,
                    "alt_reads": int(rng.binomial(reads, min(1.0, fraction))),
                    "depth": reads,
                }
            )
    return rows


def simulate_clones(
    rng: np.random.Generator,
    subject: str,
    fractions: Sequence[Sequence[float]],
    mutations: Sequence[int],
    *,
    purity: Sequence[float],
    days: Sequence[float],
    depth: float = 400.0,
) -> tuple[list[dict[str, object]], dict[str, int]]:
    """Draw reads of the mutations of clones in several samples, three quarters of them in diploid places.

    Parameters
    ----------
    rng : numpy.random.Generator
    subject : str
    fractions : sequence of sequence of float
        Cancer cell fraction of every clone in every sample.
    mutations : sequence of int
        Mutations of every clone.
    purity, days : sequence of float
        Of every sample; the first day is the baseline.
    depth : float
        Mean depth.

    Returns
    -------
    rows : list of dict
        Rows of a variant table.
    truth : dict of str to int
        Clone of every gene; each has one mutation.
    """
    rows: list[dict[str, object]] = []
    truth: dict[str, int] = {}
    for clone, (in_samples, count) in enumerate(zip(fractions, mutations, strict=True)):
        for _ in range(count):
            gene = f"G{len(truth) + 1:03d}"
            truth[gene] = clone
            copies = int(rng.choice([2, 3, 4], p=[0.75, 0.15, 0.1]))
            minor = 2 if copies == 4 else 1
            with_it = int(rng.integers(1, copies - minor + 1))
            for sample, (day, pure, fraction) in enumerate(zip(days, purity, in_samples, strict=True)):
                reads = int(rng.poisson(depth)) + 1
                expected = pure * with_it * fraction / (pure * copies + 2 * (1 - pure))
                rows.append(
                    {
                        "subject": subject,
                        "sample": "baseline" if sample == 0 else f"day {day:g}",
                        "day": float(day),
                        "gene": gene,
                        "change": f"M{len(truth)}V",
                        "alt_reads": int(rng.binomial(reads, expected)),
                        "depth": reads,
                        "purity": pure,
                        "copies": copies,
                        "minor_copies": minor,
                    }
                )
    return rows, truth
