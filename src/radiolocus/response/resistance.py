"""Primary resistance, acquired resistance and response, and what goes with them.

The classes follow the definitions of the Society for Immunotherapy of Cancer (Kluger et al., J Immunother Cancer
2020;8:e000398): primary resistance is PD as best response, or SD that lasted less than six months; acquired resistance
is PD after CR, PR, or SD of six months and more. That definition also asks for drug exposure and a confirming scan,
which a lesion table does not tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from scipy.special import bdtr, ndtri

from radiolocus.cohort.repeatable import IccDemand
from radiolocus.errors import ConfigError, FitError
from radiolocus.model import Array, Problem
from radiolocus.schema import conform, empty
from radiolocus.stats.firth import FirthFit, fit_firth
from radiolocus.stats.multiplicity import benjamini_hochberg, bonferroni

__all__ = [
    "CLASSES",
    "CONTRASTS",
    "Resistance",
    "ResistanceOptions",
    "exact_mcnemar",
    "resistance",
    "resistance_classes",
]

CLASSES = ("primary", "acquired", "response", "not classified")
CONTRASTS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("primary resistance against response or acquired resistance", ("primary",), ("response", "acquired")),
    ("acquired resistance against response", ("acquired",), ("response",)),
    ("primary against acquired resistance", ("primary",), ("acquired",)),
)
"""Groups compared: name, classes of the first group, classes of the second."""

_RESPONDED = ("CR", "PR", "CMR", "PMR", "iCR", "iPR")
_PROGRESSED = ("PD", "PMD", "iCPD", "iUPD")
_STABLE = ("SD", "SMD", "NMR", "NON-CR/NON-PD", "iSD", "MR")
_Z = float(ndtri(0.975))


@dataclass(frozen=True)
class ResistanceOptions(IccDemand):
    """Classes of resistance and what they are compared by.

    Parameters
    ----------
    durable_days : float
        Days of stable disease from which a later progression is acquired resistance.
    short_response : {"acquired", "primary"}
        What a progression within these days after CR or PR is.
    clinical : tuple of str
        Clinical columns among the markers.
    prior_lines : str or None
        Clinical column of the number of prior lines of treatment, for the interaction.
    window_days : float
        Days by which a ctDNA sample may lie before or after progression.
    min_group : int
        Subjects that each group must have, and subjects who must have a binary marker, or not have it.
    """

    durable_days: float = 183.0
    short_response: Literal["acquired", "primary"] = "acquired"
    clinical: tuple[str, ...] = ()
    prior_lines: str | None = None
    window_days: float = 28.0
    min_group: int = 5

    def __post_init__(self) -> None:
        self.check_icc("response.resistance.icc_min")
        for name, good, allowed in (
            ("durable_days", self.durable_days > 0, "above 0"),
            ("window_days", self.window_days >= 0, "0 or more"),
            ("min_group", self.min_group >= 2, "2 or more"),
        ):
            if not good:
                raise ConfigError(f"{name} = {getattr(self, name):g}", allowed=allowed)


@dataclass(frozen=True, eq=False)
class Resistance:
    """Tables ``response/resistance_classes`` and ``response/resistance``, and notes."""

    classes: pl.DataFrame
    tests: pl.DataFrame
    problems: tuple[Problem, ...]


def resistance_classes(best: pl.DataFrame, options: ResistanceOptions | None = None) -> pl.DataFrame:
    """Class every subject: table ``response/resistance_classes``.

    Parameters
    ----------
    best : polars.DataFrame
        Columns subject, best_response, progression_day, last_day.
    options : ResistanceOptions, optional
    """
    options = options or ResistanceOptions()
    rows = []
    for subject, word, progressed, last in best.select(
        "subject", "best_response", "progression_day", "last_day"
    ).iter_rows():
        name, reason = _class(word, progressed, last, options)
        rows.append(
            {"subject": subject, "resistance_class": name, "best_response": word, "progression_day": progressed,
             "last_day": last, "reason": reason}
        )  # fmt: skip
    schema = empty("response/resistance_classes").schema
    return conform(pl.DataFrame(rows, schema=schema), "response/resistance_classes")


def _class(word: str, progressed: float | None, last: float | None, options: ResistanceOptions) -> tuple[str, str]:
    limit = options.durable_days
    if progressed is None:
        if word in _RESPONDED:
            return "response", f"{word} without progression"
        if word in _STABLE and last is not None and last >= limit:
            return "response", f"{word} to day {last:g} without progression"
        return "not classified", f"{word} without progression, followed to day {last or 0:g}"
    if word in _PROGRESSED:
        return "primary", f"{word} as best response"
    short = progressed < limit
    if word in _RESPONDED:
        name = "primary" if short and options.short_response == "primary" else "acquired"
        return name, f"{word}, then progression at day {progressed:g}"
    if word in _STABLE:
        name = "primary" if short else "acquired"
        return name, f"{word}, then progression at day {progressed:g}, {'before' if short else 'at or after'} {limit:g}"
    return "not classified", f"best response {word}"


def exact_mcnemar(gained: int, lost: int) -> float:
    """Two-sided exact p-value that gain and loss are equally likely (McNemar's test by the binomial)."""
    n = gained + lost
    return 1.0 if n == 0 else min(1.0, 2 * float(bdtr(min(gained, lost), n, 0.5)))


def resistance(
    best: pl.DataFrame,
    markers: pl.DataFrame,
    options: ResistanceOptions | None = None,
    *,
    prior_lines: pl.DataFrame | None = None,
    samples: pl.DataFrame | None = None,
    variants: pl.DataFrame | None = None,
) -> Resistance:
    """Compare markers between the classes, find what is gained at progression, test interactions with prior lines.

    Parameters
    ----------
    best : polars.DataFrame
        Columns subject, best_response, progression_day, last_day.
    markers : polars.DataFrame
        Column subject and numeric columns measured at baseline.
    options : ResistanceOptions, optional
    prior_lines : polars.DataFrame, optional
        Columns subject and prior_lines (a number).
    samples, variants : polars.DataFrame, optional
        Tables ``response/ctdna`` and ``response/ctdna_variants``.

    Raises
    ------
    ConfigError
        Prior lines that are no numbers.

    Notes
    -----
    Markers are tested by logistic regression with Firth's penalty (finite also where a marker separates the groups) and
    its likelihood ratio; continuous markers count per standard deviation. False discovery rates are taken within each
    analysis and contrast. Gains at progression are tested by the exact test of McNemar over subjects with a sample of
    ctDNA at baseline and near progression.
    """
    options = options or ResistanceOptions()
    if prior_lines is not None and not prior_lines["prior_lines"].dtype.is_numeric():
        raise ConfigError("prior lines that are no numbers", where="response.resistance.prior_lines", allowed="a count")
    classes = resistance_classes(best, options)
    notes = [_no_number(c) for c in markers.columns if c != "subject" and c not in _numbers(markers)]
    parts = [_baseline(classes, markers, options, notes)]
    if prior_lines is not None:
        parts.append(_interactions(classes, markers, prior_lines, options))
    if samples is not None and variants is not None:
        parts.append(_gained(classes, samples, variants, options))
    parts = [p for p in parts if p.height]
    tests = pl.concat(parts) if parts else empty("response/resistance")
    return Resistance(classes, conform(tests, "response/resistance"), tuple(notes))


def _no_number(name: str) -> Problem:
    return Problem(
        "response", f"column '{name}' is no number and was not compared", "note", item=name,
        where="response.resistance", todo="give it as 0 and 1, one column a category",
    )  # fmt: skip


def _groups(
    classes: pl.DataFrame, markers: pl.DataFrame
) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...], pl.DataFrame]]:
    joined = classes.select("subject", "resistance_class").join(markers, on="subject", how="inner")
    for name, first, second in CONTRASTS:
        taken = joined.filter(pl.col("resistance_class").is_in([*first, *second]))
        yield name, first, second, taken.with_columns(pl.col("resistance_class").is_in(first).alias("_first"))


def _numbers(frame: pl.DataFrame) -> list[str]:
    return [c for c, t in frame.schema.items() if t.is_numeric() or t == pl.Boolean]


def _usable(label: Array, value: Array, options: ResistanceOptions) -> str:
    """Kind of a marker, empty where there are too few subjects."""
    if min(int(label.sum()), int((1 - label).sum())) < options.min_group:
        return ""
    levels = np.unique(value)
    if set(levels) <= {0.0, 1.0}:
        return "binary" if min(value.sum(), (1 - value).sum()) >= options.min_group else ""
    return "continuous" if levels.size > 1 else ""


def _row(fit: FirthFit, at: int, told: dict[str, Any]) -> dict[str, Any]:
    estimate, error = float(fit.coefficient[at]), float(fit.standard_error[at])
    return told | {
        "estimate": estimate,
        "standard_error": error,
        "statistic": float(fit.likelihood_ratio[at]),
        "neg_log_10_p_value": float(fit.neg_log10_p[at]),
        "n": fit.n,
        "lower": estimate - _Z * error,
        "upper": estimate + _Z * error,
    }


def _summary(value: Array, kind: str) -> str:
    return f"{int(value.sum())} of {value.size}" if kind == "binary" else f"median {np.median(value):.4g}"


def _baseline(
    classes: pl.DataFrame, markers: pl.DataFrame, options: ResistanceOptions, notes: list[Problem]
) -> pl.DataFrame:
    names = [c for c in _numbers(markers) if c != "subject"]
    tables = []
    for contrast, first, second, taken in _groups(classes, markers.select("subject", *names)):
        rows = []
        for name in names:
            kept = taken.select("_first", pl.col(name).cast(pl.Float64)).filter(pl.col(name).is_finite())
            label, value = kept["_first"].cast(pl.Float64).to_numpy(), kept[name].to_numpy()
            if not (kind := _usable(label, value, options)):
                continue
            scaled = value if kind == "binary" else (value - value.mean()) / value.std(ddof=1)
            try:
                fit = fit_firth(label, scaled[:, None], names=[name])
            except FitError as error:
                notes.append(Problem("response", error.got, "no value", item=name, where="response.resistance"))
                continue
            told = {"analysis": "baseline", "contrast": contrast, "marker": name, "kind": kind,
                    "test": "Firth's logistic regression, likelihood ratio",
                    "group_a": _summary(value[label == 1], kind), "group_b": _summary(value[label == 0], kind),
                    "effect": f"log odds ratio of {' or '.join(first)} against {' or '.join(second)}"
                              + ("" if kind == "binary" else " per standard deviation")}  # fmt: skip
            rows.append(_row(fit, 0, told))
        tables.append(_multiple(rows))
        if not rows and taken.height:
            notes.append(_too_few(contrast, taken, options))
    return pl.concat([t for t in tables if t.height]) if any(t.height for t in tables) else empty("response/resistance")


def _too_few(contrast: str, taken: pl.DataFrame, options: ResistanceOptions) -> Problem:
    first = int(taken["_first"].sum())
    return Problem(
        "response",
        f"{contrast}: {first} and {taken.height - first} subjects, no marker tested",
        "note",
        where="response.resistance",
        allowed=f"{options.min_group} in each group, with and without a binary marker",
        todo="collect more subjects; a smaller min_group tests what hardly can be told",
    )


def _interactions(
    classes: pl.DataFrame, markers: pl.DataFrame, prior_lines: pl.DataFrame, options: ResistanceOptions
) -> pl.DataFrame:
    """Marker × prior lines in the model of resistance of either kind against response."""
    names = [c for c in _numbers(markers) if c != "subject"]
    joined = (
        classes.filter(pl.col("resistance_class") != "not classified")
        .join(markers.select("subject", *names), on="subject")
        .join(prior_lines.select("subject", "prior_lines"), on="subject")
        .with_columns((pl.col("resistance_class") == "primary").alias("_first"))
    )
    rows = []
    for name in names:
        kept = joined.select("_first", "prior_lines", pl.col(name).cast(pl.Float64)).drop_nulls("prior_lines")
        kept = kept.filter(pl.col(name).is_finite())
        label, value = kept["_first"].cast(pl.Float64).to_numpy(), kept[name].to_numpy()
        lines = kept["prior_lines"].cast(pl.Float64).to_numpy()
        kind = _usable(label, value, options)
        if not kind or np.unique(lines).size < 2:
            continue
        scaled = value if kind == "binary" else (value - value.mean()) / value.std(ddof=1)
        centred = lines - lines.mean()
        try:
            fit = fit_firth(label, np.column_stack([scaled * centred, scaled, centred]))
        except FitError:  # the product is a combination of the others: there is no interaction to tell
            continue
        told = {"analysis": "interaction with prior lines", "contrast": CONTRASTS[0][0], "marker": name, "kind": kind,
                "test": "Firth's logistic regression, likelihood ratio of the product",
                "group_a": _summary(value[label == 1], kind), "group_b": _summary(value[label == 0], kind),
                "effect": "change of the marker's log odds ratio per further line"}  # fmt: skip
        rows.append(_row(fit, 0, told))
    return _multiple(rows)


def _gained(
    classes: pl.DataFrame, samples: pl.DataFrame, variants: pl.DataFrame, options: ResistanceOptions
) -> pl.DataFrame:
    """Genes and variants of ctDNA found near progression and not at baseline, and the reverse."""
    pairs = _paired(classes, samples, variants, options)
    rows = []
    people = pairs["subject"].n_unique()
    for level in ("gene", "variant"):
        table = (
            pairs.filter(pl.col(level).is_not_null())
            .group_by("subject", level)
            .agg(pl.col("before").any(), pl.col("after").any())
        )
        for (name,), each in sorted(table.group_by(level), key=lambda kv: str(kv[0][0])):
            gained = int((~each["before"] & each["after"]).sum())
            lost = int((each["before"] & ~each["after"]).sum())
            if gained + lost < options.min_group:
                continue
            p = exact_mcnemar(gained, lost)
            estimate, error = np.log((gained + 0.5) / (lost + 0.5)), np.sqrt(1 / (gained + 0.5) + 1 / (lost + 0.5))
            rows.append(
                {"analysis": "gained at progression", "contrast": "progression against baseline",
                 "marker": f"ctDNA {name}", "kind": "binary", "test": "exact test of McNemar",
                 "group_a": f"{int(each['after'].sum())} of {people}",
                 "group_b": f"{int(each['before'].sum())} of {people}",
                 "estimate": float(estimate), "standard_error": float(error), "statistic": float(gained),
                 "neg_log_10_p_value": -float(np.log10(p)), "n": people, "lower": float(estimate - _Z * error),
                 "upper": float(estimate + _Z * error),
                 "effect": f"log ratio of gained to lost, halves added ({gained} gained, {lost} lost)"}
            )  # fmt: skip
    return _multiple(rows)


def _paired(
    classes: pl.DataFrame, samples: pl.DataFrame, variants: pl.DataFrame, options: ResistanceOptions
) -> pl.DataFrame:
    """Subjects with a sample at baseline and one near progression: what each variant was in both; covered ones only."""
    progressed = classes.filter(pl.col("progression_day").is_not_null()).select("subject", "progression_day")
    rows = variants.filter(pl.col("status") != "not covered").join(progressed, on="subject")
    base = pl.col("molecular_response") == "baseline"
    bases = samples.filter(base).select("subject", pl.col("sample").alias("base"))
    distance = (pl.col("day") - pl.col("progression_day")).abs()
    nearest = (
        rows.join(bases, on="subject")
        .filter((distance <= options.window_days) & (pl.col("sample") != pl.col("base")) & (pl.col("day") > 0))
        .sort("subject", distance, "day")
        .group_by("subject", maintain_order=True)
        .agg(pl.col("sample").first().alias("late"), pl.col("base").first())
    )
    keys = ["subject", "variant"]
    both = rows.join(nearest, on="subject")
    early = both.filter(pl.col("sample") == pl.col("base")).select(*keys, "gene", pl.col("detected").alias("before"))
    late = both.filter(pl.col("sample") == pl.col("late")).select(*keys, pl.col("detected").alias("after"))
    return early.join(late, on=keys).sort(keys)


def _multiple(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    if not rows:
        return empty("response/resistance")
    frame = pl.DataFrame(list(rows))
    p = frame["neg_log_10_p_value"].to_numpy()
    frame = frame.with_columns(
        pl.Series("bonferroni_p_value", bonferroni(p)), pl.Series("q_value", benjamini_hochberg(p))
    )
    return conform(frame, "response/resistance").sort("neg_log_10_p_value", descending=True, maintain_order=True)
