"""Cohorts under four kinds of treatment with planted effects of imaging, molecular markers and both together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from radiolocus.errors import ConfigError
from radiolocus.model import Array
from radiolocus.response.radiation import gard

__all__ = ["THERAPIES", "Therapy", "simulate_therapy"]

_NOISE = 6
_HYPOXIC_TBR = 1.4


@dataclass(frozen=True, eq=False)
class Therapy:
    """A simulated cohort.

    Parameters
    ----------
    frame : polars.DataFrame
        Column subject, predictors, and ``responded`` (0, 1) or ``months`` and ``failed``.
    imaging, molecular : tuple of str
        Predictors by where they come from; those called ``noise`` have no effect.
    truth : mapping of str to float
        Log odds of response (log hazard of failure) per unit of every term of the linear predictor; ``a × b`` is the
        product of two columns.
    """

    frame: pl.DataFrame
    imaging: tuple[str, ...]
    molecular: tuple[str, ...]
    truth: Mapping[str, float]


def _chemotherapy(rng: np.random.Generator, n: int) -> tuple[dict[str, Array], tuple[str, ...], dict[str, float]]:
    """Heterogeneous tumours respond less, but those with a mutated repair gene more."""
    columns = {
        "entropy": rng.normal(size=n),
        "volume": rng.normal(size=n),
        "repair_mutated": (rng.random(n) < 0.3).astype(float),
        "proliferation": rng.normal(size=n),
    }
    return columns, ("entropy", "volume"), {"entropy": -0.9, "entropy × repair_mutated": 1.6, "proliferation": 0.8}


def _targeted(rng: np.random.Generator, n: int) -> tuple[dict[str, Array], tuple[str, ...], dict[str, float]]:
    """The drug works where its target is mutated, and there less in tumours of high uptake."""
    columns = {
        "uptake": rng.normal(size=n),
        "matched": (rng.random(n) < 0.5).astype(float),
        "comutation": (rng.random(n) < 0.3).astype(float),
    }
    return columns, ("uptake",), {"matched": 2.2, "uptake × matched": -1.0, "comutation": -0.9}


def _immunotherapy(rng: np.random.Generator, n: int) -> tuple[dict[str, Array], tuple[str, ...], dict[str, float]]:
    """Inflamed tumours of many mutations respond; imaging sees part of the inflammation."""
    inflamed = rng.normal(size=n)
    columns = {
        "infiltration": 0.7 * inflamed + np.sqrt(1 - 0.49) * rng.normal(size=n),
        "tcell_inflamed": inflamed,
        "pd_l1": np.round(100 / (1 + np.exp(-(0.8 * inflamed + rng.normal(size=n) - 1)))),
        "log_tmb": rng.normal(2.0, 0.8, n),
        "msi": (rng.random(n) < 0.08).astype(float),
    }
    truth = {"tcell_inflamed": 0.7, "pd_l1": 0.015, "log_tmb": 0.6, "msi": 1.5, "infiltration": 0.5}
    return columns, ("infiltration",), truth


def _radiation(rng: np.random.Generator, n: int) -> tuple[dict[str, Array], tuple[str, ...], dict[str, float]]:
    """Failure is later with a larger GARD and a mutated repair gene, sooner with hypoxia."""
    rsi = rng.beta(5, 7, n)
    fractions, dose = np.where(rng.random(n) < 0.5, 30.0, 20.0), np.where(rng.random(n) < 0.5, 2.0, 2.75)
    uptake = rng.normal(1.2, 0.25, n)[:, None] + rng.normal(0, 0.25, (n, 200))
    columns = {
        "hypoxic_fraction": (uptake > _HYPOXIC_TBR).mean(1),
        "rsi": rsi,
        "fractions": fractions,
        "dose_gy": dose,
        "gard": gard(rsi, fractions, dose),
        "repair_mutated": (rng.random(n) < 0.2).astype(float),
    }
    return columns, ("hypoxic_fraction",), {"gard": -0.05, "hypoxic_fraction": 2.0, "repair_mutated": -0.8}


_Columns = tuple[dict[str, Array], tuple[str, ...], dict[str, float]]
_MAKERS: Mapping[str, Callable[[np.random.Generator, int], _Columns]] = {
    "chemotherapy": _chemotherapy,
    "targeted": _targeted,
    "immunotherapy": _immunotherapy,
    "radiation": _radiation,
}
THERAPIES = tuple(_MAKERS)


def simulate_therapy(kind: str, n: int, seed: int) -> Therapy:
    """Simulate a cohort under one kind of treatment.

    Parameters
    ----------
    kind : {"chemotherapy", "targeted", "immunotherapy", "radiation"}
    n : int
        Subjects.
    seed : int

    Raises
    ------
    ConfigError
        Another kind of treatment.
    """
    if kind not in _MAKERS:
        raise ConfigError(f"unknown treatment '{kind}'", allowed=", ".join(THERAPIES))
    rng = np.random.default_rng([seed, THERAPIES.index(kind)])
    columns, imaging, truth = _MAKERS[kind](rng, n)
    molecular = tuple(c for c in columns if c not in imaging)
    noise = {f"noise_{i + 1}": rng.normal(size=n) for i in range(_NOISE)}
    score = sum((effect * _term(columns, name) for name, effect in truth.items()), np.zeros(n))
    score = score - score.mean()
    if kind == "radiation":
        failure, lost = rng.exponential(24 * np.exp(-score)), rng.exponential(60, n)
        ends = {"months": np.minimum(failure, lost), "failed": (failure <= lost).astype(float)}
    else:
        ends = {"responded": (rng.random(n) < 1 / (1 + np.exp(-score))).astype(float)}
    frame = pl.DataFrame({"subject": [f"P{i + 1:04d}" for i in range(n)], **columns, **noise, **ends})
    return Therapy(frame, (*imaging, *noise), molecular, truth)


def _term(columns: Mapping[str, Array], name: str) -> Array:
    parts = [columns[part] for part in name.split(" × ")]
    return np.asarray(np.prod(parts, axis=0))
