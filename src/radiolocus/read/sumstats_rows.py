"""Rows of summary statistics brought to one form, and the rules that a row must keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from radiolocus.read.sumstats_layouts import Layout
from radiolocus.stats.tail import neg_log10_p_normal

__all__ = ["COLUMNS", "RULES", "Rule", "normalised"]

COLUMNS: dict[str, pl.DataType] = {
    "chromosome": pl.String(),
    "base_pair_location": pl.Int64(),
    "effect_allele": pl.String(),
    "other_allele": pl.String(),
    "beta": pl.Float64(),
    "standard_error": pl.Float64(),
    "effect_allele_frequency": pl.Float64(),
    "neg_log_10_p_value": pl.Float64(),
    "variant_id": pl.String(),
    "n": pl.Int64(),
    "statistic": pl.Float64(),
}
_CHROMOSOMES = [*(str(i) for i in range(1, 23)), "X", "Y", "XY", "MT"]
_Z95 = 1.959963984540054
_LN10 = float(np.log(10.0))
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


@dataclass(frozen=True)
class Rule:
    """Why a row is not used."""

    got: str
    allowed: str = ""
    todo: str = ""
    severity: Literal["set aside", "note"] = "set aside"


RULES = {
    "test": Rule("rows of other terms than the additive effect are passed over", severity="note"),
    "failed": Rule("the program gave no result for the variant", severity="note"),
    "chromosome": Rule("an unknown chromosome", "1 to 22, X, Y, XY, MT"),
    "position": Rule("a position that is no whole number above 0", "base pairs, from 1"),
    "place": Rule("neither a position nor an id", "chromosome and position, or an id"),
    "alleles": Rule("an allele that is missing, or two that are alike", "two different alleles"),
    "beta": Rule("an effect that is no finite number", "a number; a ratio above 0"),
    "standard_error": Rule("a standard error that is not above 0", "a finite number above 0"),
    "p_value": Rule("a p-value outside 0 to 1", "0 to 1; −log10 at least 0"),
}


def normalised(text: pl.DataFrame, layout: Layout, *, zero_based: bool = False) -> pl.DataFrame:
    """Bring rows to :data:`COLUMNS`.

    Parameters
    ----------
    text : polars.DataFrame
        Columns by what they are, all still text.
    layout : Layout
    zero_based : bool
        Positions are counted from 0.

    Returns
    -------
    polars.DataFrame
        :data:`COLUMNS`; ``reason`` (a key of :data:`RULES`, null when the row is good) and ``told``, what stood there;
        whether a frequency or n was lost, whether the p-value was taken from beta, and whether there was one.
    """
    frame = _alleles(text).with_columns(*_places(text, layout, zero_based), *_effects(text), *_p_values(text))
    frame = frame.with_columns(_identity(text), *_counts(text))
    z = (
        pl.when(pl.col("standard_error") > 0)
        .then(pl.col("beta") / pl.col("standard_error"))
        .otherwise(pl.col("statistic"))
    )
    frame = frame.with_columns(z.alias("statistic"))
    from_beta = pl.col("neg_log_10_p_value").is_null() | pl.col("neg_log_10_p_value").is_infinite()
    frame = frame.with_columns(
        pl.col("neg_log_10_p_value").is_not_null().alias("has_p"),
        (from_beta & pl.col("statistic").is_finite()).alias("p_from_beta"),
    )
    own = pl.Series(neg_log10_p_normal(frame["statistic"].to_numpy()), dtype=pl.Float64)
    frame = frame.with_columns(
        pl.when("p_from_beta").then(own).otherwise(pl.col("neg_log_10_p_value")).alias("neg_log_10_p_value")
    )
    return frame.with_columns(_reason(frame, text)).select(
        *(pl.col(name).cast(kind) for name, kind in COLUMNS.items()),
        "reason", "told", "lost_frequency", "lost_n", "p_from_beta", "has_p",
    )  # fmt: skip


def _number(name: str) -> pl.Expr:
    return pl.col(name).str.strip_chars().cast(pl.Float64, strict=False)


def _alleles(text: pl.DataFrame) -> pl.DataFrame:
    """Effect and other allele in capitals; PLINK 2 names the tested one of REF and ALT."""
    if "tested" in text.columns and "effect_allele" not in text.columns:
        tested, nothing = pl.col("tested"), pl.lit(None, pl.String)
        ref = pl.col("reference") if "reference" in text.columns else nothing
        alt = pl.col("alternate") if "alternate" in text.columns else nothing
        other: pl.Expr = (
            pl.when(tested == alt).then(ref)
            .when((tested == ref) & ~alt.str.contains(",")).then(alt)
            .when(alt.str.split(",").list.contains(tested)).then(ref)
        )  # fmt: skip
        if "omitted" in text.columns:
            other = pl.coalesce("omitted", other)
        text = text.with_columns(tested.alias("effect_allele"), other.alias("other_allele"))
    names = ("effect_allele", "other_allele")
    return text.with_columns(pl.col(n).str.strip_chars().str.to_uppercase() for n in names)


def _places(text: pl.DataFrame, layout: Layout, zero_based: bool) -> list[pl.Expr]:
    if not {"chromosome", "base_pair_location"} <= set(text.columns):
        # ids like 19:44908684 or 19:44908684:T:C say where they lie
        found = pl.col("variant_id").str.extract_groups(r"^(?:chr)?([0-9XYMT]+)[:_](\d+)(?:[:_]|$)")
        return [
            found.struct.field("1").replace(dict(layout.chromosomes)).alias("chromosome"),
            found.struct.field("2").cast(pl.Int64, strict=False).alias("base_pair_location"),
        ]
    name = pl.col("chromosome").str.strip_chars().str.to_uppercase().str.strip_prefix("CHR")
    number = _number("base_pair_location")
    whole = pl.when(number == number.round()).then(number).cast(pl.Int64, strict=False)
    return [
        name.str.replace(r"^0+(\d)", "${1}").replace({"M": "MT"} | dict(layout.chromosomes)).alias("chromosome"),
        (whole + int(zero_based)).alias("base_pair_location"),
    ]


def _effects(text: pl.DataFrame) -> list[pl.Expr]:
    nothing = pl.lit(None, pl.Float64)
    ratio = next((name for name in ("odds_ratio", "hazard_ratio") if name in text.columns), None)
    beta = _number("beta") if "beta" in text.columns else nothing
    error = _number("standard_error") if "standard_error" in text.columns else nothing
    if ratio is not None:
        beta = pl.coalesce(beta, _number(ratio).log())
    if {"ci_lower", "ci_upper"} <= set(text.columns):
        low, high = _number("ci_lower"), _number("ci_upper")
        width = high.log() - low.log() if ratio is not None and "beta" not in text.columns else high - low
        error = pl.coalesce(error, width / (2 * _Z95))
    z = _number("statistic") if "statistic" in text.columns else nothing
    if not {"standard_error", "ci_lower"} & set(text.columns):
        beta = nothing  # an effect without its error cannot be weighted
    return [beta.alias("beta"), error.alias("standard_error"), z.alias("statistic")]


def _p_values(text: pl.DataFrame) -> list[pl.Expr]:
    """−log10 p, read digit by digit: 1e-400 is no floating-point number, but its logarithm is."""
    if "neg_log_10_p_value" in text.columns:
        value = _number("neg_log_10_p_value")
    elif "log_10_p_value" in text.columns:
        value = -_number("log_10_p_value")
    elif "p_value" in text.columns:
        stated = pl.col("p_value").str.strip_chars()
        exponent = stated.str.extract(r"[eE]([+-]?\d+)$").cast(pl.Float64, strict=False).fill_null(0.0)
        digits = stated.str.replace(r"[eE][+-]?\d+$", "").cast(pl.Float64, strict=False)
        value = pl.when(stated.str.contains(_NUMBER)).then(-(digits.log() / _LN10 + exponent))
    else:
        return [pl.lit(None, pl.Float64).alias("neg_log_10_p_value")]
    return [(value + 0.0).alias("neg_log_10_p_value")]


def _identity(text: pl.DataFrame) -> pl.Expr:
    names = [pl.col(n).str.strip_chars() for n in ("rsid", "variant_id") if n in text.columns]
    return (pl.coalesce(names) if names else pl.lit(None, pl.String)).alias("variant_id")


def _counts(text: pl.DataFrame) -> list[pl.Expr]:
    nothing = pl.lit(None, pl.Float64)
    frequency = _number("effect_allele_frequency") if "effect_allele_frequency" in text.columns else nothing
    n = _number("n").round() if "n" in text.columns else nothing
    good_frequency, good_n = frequency.is_between(0, 1), n.is_finite() & (n > 0)
    return [
        pl.when(good_frequency).then(frequency).alias("effect_allele_frequency"),
        (~good_frequency).fill_null(value=False).alias("lost_frequency"),
        pl.when(good_n).then(n).cast(pl.Int64, strict=False).alias("n"),
        (~good_n).fill_null(value=False).alias("lost_n"),
    ]


def _reason(frame: pl.DataFrame, text: pl.DataFrame) -> list[pl.Expr]:
    """First rule that a row breaks, and what stood there."""
    no, yes = pl.lit(value=False), pl.lit(value=True)
    test = ~pl.col("test").str.to_uppercase().str.starts_with("ADD") if "test" in text.columns else no
    failed = pl.col("failure").is_not_null() if "failure" in text.columns else no
    effect = pl.col("beta").is_finite() & pl.col("standard_error").is_not_null()
    empty = pl.col("beta").is_null() & pl.col("standard_error").is_null() & pl.col("statistic").is_null()
    stated = {"beta", "odds_ratio", "hazard_ratio", "standard_error", "statistic"} & set(text.columns)
    blank = pl.lit(value=True) if not stated else pl.all_horizontal(*(pl.Series(text[n].is_null()) for n in stated))
    a, b = pl.col("effect_allele"), pl.col("other_allele")
    has_chromosome, has_position = pl.col("chromosome").is_not_null(), pl.col("base_pair_location").is_not_null()
    own_place = {"chromosome", "base_pair_location"} <= set(text.columns)
    strange = ~pl.col("chromosome").is_in(_CHROMOSOMES)
    nowhere = ~(pl.col("base_pair_location") > 0)
    error, log_p = pl.col("standard_error"), pl.col("neg_log_10_p_value")
    broken = {
        "test": test,
        "failed": failed | (empty & blank),
        "chromosome": strange if own_place else has_chromosome & strange,
        "position": nowhere if own_place else has_position & nowhere,
        "place": ~(has_chromosome & has_position) & pl.col("variant_id").is_null(),
        "alleles": (a == b) | (a == "0") | (b == "0"),
        "beta": ~(effect | pl.col("statistic").is_finite()) & ~pl.col("beta").is_finite(),
        "standard_error": pl.col("beta").is_not_null() & ~((error > 0) & error.is_finite()),
        "p_value": ~((log_p >= 0) & log_p.is_finite()),
    }  # fmt: skip
    shown = {name: (name,) for name in broken} | {
        "failed": ("variant_id",),
        "position": ("base_pair_location",),
        "place": ("variant_id",),
        "alleles": ("effect_allele", "other_allele"),
        "standard_error": ("beta", "standard_error"),
        "p_value": ("p_value", "neg_log_10_p_value", "log_10_p_value"),
    }
    reason, told = pl.lit(None, pl.String), pl.lit("", pl.String)
    for name in reversed(broken):
        bad = broken[name].fill_null(yes)
        reason = pl.when(bad).then(pl.lit(name)).otherwise(reason)
        stood = [pl.lit(text[c].fill_null("nothing")) for c in shown[name] if c in text.columns]
        told = pl.when(bad).then(pl.concat_str(stood, separator=", ") if stood else pl.lit("")).otherwise(told)
    return [reason.alias("reason"), told.alias("told")]
