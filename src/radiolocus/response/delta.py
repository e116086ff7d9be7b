"""Change between visits: of imaging features (delta-radiomics) and of functional measures, beside their repeatability.

A change counts as more than noise where it is larger than the repeatability coefficient, within which 95 % of the
differences of two measurements of an unchanged subject lie (Bland & Altman 1999; Raunig et al. 2015). A feature carries
information on change where more subjects are beyond that coefficient than the 5 % that noise alone brings there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import polars as pl
from scipy.stats import beta

from radiolocus import schema
from radiolocus.errors import ConfigError, TableError
from radiolocus.model import Problem, named_visit

__all__ = ["KINDS", "Delta", "DeltaOptions", "delta", "delta_predictors", "function_calls", "long_features"]

KINDS = ("absolute", "relative", "log_ratio", "slope", "area")
"""Kinds of change, columns of table ``response/delta``."""

_KEY = ("subject", "image", "roi", "measure")
_NOISE = 0.05  # share of unchanged subjects beyond the repeatability coefficient


@dataclass(frozen=True)
class DeltaOptions:
    """Change between visits.

    Parameters
    ----------
    days : dict of str to float
        Day of every visit of the images, by its label, where the lesion table does not have a visit of that label for
        the subject; the baseline has day 0.
    features : tuple of str
        Regular expressions; a feature whose name one of them matches as a whole is followed. Default: all.
    repeatability : str
        Table with the columns measure (name of a feature or of a functional measure), repeatability_coefficient and,
        where they are known, image, roi and scale (absolute or percent of baseline); goes before the study's own.
    source : {"retest", "perturbation"}
        Which of the study's own repeatability coefficients count where there are both.
    call : str
        Functional measure whose change is called response, stable or progression; default: the first that the lesions
        have of uptake, tlg, mtv, volume.
    call_percent : float
        Fall and rise that are called so, %.
    call_falls : bool
        A fall is a response; false for measures, such as ADC, whose rise is one.
    """

    days: dict[str, float] = field(default_factory=dict)
    features: tuple[str, ...] = ()
    repeatability: str = ""
    source: Literal["retest", "perturbation"] = "retest"
    call: str = ""
    call_percent: float = 30.0
    call_falls: bool = True

    def __post_init__(self) -> None:
        if not self.call_percent > 0:
            raise ConfigError(f"call_percent = {self.call_percent:g}", allowed="more than 0")
        if self.source not in ("retest", "perturbation"):
            raise ConfigError(f"source '{self.source}'", allowed="retest, perturbation")
        if self.days and (0 not in self.days.values() or min(self.days.values()) < 0):
            raise ConfigError(f"days = {self.days}", allowed="the baseline at day 0 and every other visit after it")
        if len(set(self.days.values())) < len(self.days):
            raise ConfigError(f"days = {self.days}", allowed="every visit on a day of its own")
        for text in self.features:
            try:
                re.compile(text)
            except re.error as error:
                raise ConfigError(f"'{text}' ({error})", allowed="regular expressions") from None


@dataclass(frozen=True, eq=False)
class Delta:
    """Changes (table ``response/delta``), what they are worth (``response/delta_features``), and problems."""

    changes: pl.DataFrame
    features: pl.DataFrame
    problems: tuple[Problem, ...]


def long_features(
    features: pl.DataFrame, lesions: pl.DataFrame | None, options: DeltaOptions
) -> tuple[pl.DataFrame, tuple[Problem, ...]]:
    """Put imaging features one below the other, with the day of their visit.

    Parameters
    ----------
    features : polars.DataFrame
        Table ``features/features``.
    lesions : polars.DataFrame or None
        Lesion table, whose visits have days.
    options : DeltaOptions

    Returns
    -------
    values : polars.DataFrame
        As :func:`delta` takes them. Studies of one visit have none.
    problems : tuple of Problem
        Visits whose day nobody says.
    """
    schema_of_values = dict.fromkeys((*_KEY, "visit"), pl.String) | {"day": pl.Float64, "value": pl.Float64}
    patterns = [re.compile(text) for text in options.features]
    names = [
        c
        for c, t in features.schema.items()
        if c not in ("subject", "image", "visit", "roi", "modality") and t.is_numeric()
        if not patterns or any(p.fullmatch(c) for p in patterns)
    ]
    if features["visit"].n_unique() < 2 or not names:
        return pl.DataFrame(schema=schema_of_values), ()
    stated = pl.col("visit").replace_strict(options.days, default=None, return_dtype=pl.Float64)
    rows = features.with_columns(stated.alias("day"))
    if lesions is not None:
        known = lesions.group_by("subject", "visit").agg(pl.col("day").first().alias("_day"))
        rows = rows.join(known, on=["subject", "visit"], how="left", maintain_order="left")
        rows = rows.with_columns(pl.coalesce("_day", "day").alias("day")).drop("_day")
    undated = rows.filter(pl.col("day").is_null()).group_by("visit").agg(pl.col("subject").n_unique()).sort("visit")
    problems = tuple(
        Problem(
            "response",
            f"visit '{visit}' of {n} subjects has no day: its features were not compared",
            "note",
            where="response.delta.days",
            allowed="the day of every visit of the images",
            todo=f'state it, e.g. days = {{ baseline = 0, "{visit}" = 42 }}; the order of visits is never guessed',
            count=n,
        )
        for visit, n in undated.rows()
    )
    values = (
        rows.drop_nulls("day")
        .select(
            "subject",
            "image",
            pl.col("roi").fill_null(""),
            "visit",
            "day",
            *(pl.col(n).cast(pl.Float64) for n in names),
        )
        .unpivot(names, index=["subject", "image", "roi", "visit", "day"], variable_name="measure", value_name="value")
    )
    return values.select(*schema_of_values), problems


def delta(values: pl.DataFrame, repeatability: pl.DataFrame | None = None) -> Delta:
    """Compare every visit with the baseline.

    Parameters
    ----------
    values : polars.DataFrame
        ``subject``, ``image``, ``roi``, ``measure``, ``visit``, ``day`` (0: baseline) and ``value``.
    repeatability : polars.DataFrame, optional
        ``image``, ``roi`` (null: any), ``measure``, ``repeatability_coefficient`` and ``percent`` (true: % of the
        baseline). Of several rows that fit, the first counts.

    Returns
    -------
    Delta
        One row a visit after baseline: the difference; in percent of the size of the baseline value; the natural
        logarithm of the ratio; the least-squares slope over all visits so far, a day; and the area under the difference
        up to this visit, by trapezoids. A change that is not defined (a baseline of 0, a ratio of values that are not
        above 0) is null.

    Raises
    ------
    TableError
        A measure twice at one visit.

    References
    ----------
    Bland & Altman, Stat Methods Med Res 1999;8:135. Raunig et al., Stat Methods Med Res 2015;24:27.
    """
    known = values.filter(pl.col("value").is_finite())
    twice = known.filter(known.select(*_KEY, "day").is_duplicated())
    if twice.height:
        row = twice.row(0, named=True)
        raise TableError(
            f"{row['measure']} twice on day {row['day']:g}", where=row["subject"], allowed="one value a visit"
        )
    problems = _lost(known)
    known = known.filter(pl.col("day") >= 0)
    base = known.filter(pl.col("day") == 0).select(*_KEY, pl.col("value").alias("baseline_value"))
    rows = known.join(base, on=list(_KEY), how="inner").sort(*_KEY, "day")
    rows = _areas_and_slopes(rows).filter(pl.col("day") > 0)
    start, now = pl.col("baseline_value"), pl.col("value")
    positive = (start > 0) & (now > 0)
    rows = rows.with_columns(
        (now - start).alias("absolute"),
        pl.when(start != 0).then(100 * (now - start) / start.abs()).alias("relative"),
        pl.when(positive).then(now.log() - start.log()).alias("log_ratio"),
    )
    rows = _beside_noise(rows, repeatability)
    changes = schema.conform(rows.select(*schema.TABLES["response/delta"].schema), "response/delta")
    return Delta(changes, _worth(changes), tuple(problems))


def _lost(known: pl.DataFrame) -> list[Problem]:
    """Subjects without baseline, and visits before it."""
    started = known.filter(pl.col("day") == 0).select("subject", "image").unique()
    without = known.join(started, on=["subject", "image"], how="anti").select("subject", "image").unique()
    early = known.filter(pl.col("day") < 0).select("subject", "visit", "day").unique()
    return [
        *(
            Problem("response", "no baseline to compare with", "no value", subject, image, allowed="a visit at day 0")
            for subject, image in without.sort("subject", "image").rows()
        ),
        *(
            Problem(
                "response", f"a visit {-day:g} days before baseline", "no value", subject, named_visit(str(visit)),
                allowed="the baseline as first visit", todo="it was not compared",
            )
            for subject, visit, day in early.sort("subject", "day").rows()
        ),
    ]  # fmt: skip


def _areas_and_slopes(rows: pl.DataFrame) -> pl.DataFrame:
    """Running least-squares slope and area, from sums over the visits so far; values count from the baseline's."""
    t, y = pl.col("day"), pl.col("value") - pl.col("baseline_value")
    step = (t - t.shift(1)) * (y + y.shift(1)) / 2
    rows = rows.with_columns(
        pl.int_range(1, pl.len() + 1).over(*_KEY).alias("_n"),
        t.cum_sum().over(*_KEY).alias("_t"),
        y.cum_sum().over(*_KEY).alias("_y"),
        (t * t).cum_sum().over(*_KEY).alias("_tt"),
        (t * y).cum_sum().over(*_KEY).alias("_ty"),
        step.fill_null(0.0).cum_sum().over(*_KEY).alias("area"),
    )
    n, spread = pl.col("_n"), pl.col("_n") * pl.col("_tt") - pl.col("_t") ** 2
    slope = (n * pl.col("_ty") - pl.col("_t") * pl.col("_y")) / spread
    return rows.with_columns(pl.when(spread > 0).then(slope).alias("slope")).drop("_n", "_t", "_y", "_tt", "_ty")


def _beside_noise(rows: pl.DataFrame, repeatability: pl.DataFrame | None) -> pl.DataFrame:
    """Print the repeatability coefficient beside the change, and say whether the change is larger."""
    if repeatability is None or not repeatability.height:
        return rows.with_columns(
            pl.lit(None, pl.Float64).alias("repeatability_coefficient"), pl.lit(None, pl.Boolean).alias("beyond_noise")
        )
    asked = rows.select("image", "roi", "measure").unique()
    told = repeatability.with_row_index("_order").rename({"image": "_image", "roi": "_roi"})
    fits = (pl.col("_image").is_null() | (pl.col("_image") == pl.col("image"))) & (
        pl.col("_roi").is_null() | (pl.col("_roi") == pl.col("roi"))
    )
    chosen = (
        asked.join(told, on="measure", how="inner")
        .filter(fits & pl.col("repeatability_coefficient").is_finite())
        .sort("_order")
        .group_by("image", "roi", "measure", maintain_order=True)
        .agg(pl.col("repeatability_coefficient").first().alias("_rc"), pl.col("percent").first())
    )
    rows = rows.join(chosen, on=["image", "roi", "measure"], how="left", maintain_order="left")
    in_units = pl.when("percent").then(pl.col("_rc") / 100 * pl.col("baseline_value").abs()).otherwise("_rc")
    return rows.with_columns(in_units.alias("repeatability_coefficient")).with_columns(
        (pl.col("absolute").abs() > pl.col("repeatability_coefficient")).alias("beyond_noise")
    )


def _worth(changes: pl.DataFrame) -> pl.DataFrame:
    """Subjects beyond noise at every visit, with the exact interval of their share."""
    beyond = pl.col("beyond_noise")
    counts = (
        changes.group_by("image", "roi", "measure", "visit")
        .agg(
            pl.col("day").median(),
            pl.len().alias("n"),
            pl.col("absolute").median().alias("median_absolute"),
            pl.col("relative").median().alias("median_relative"),
            pl.col("repeatability_coefficient").median(),
            beyond.sum().alias("beyond"),
            beyond.count().alias("_judged"),
        )
        .sort("image", "roi", "measure", "day", "visit")
    )
    k, n = counts["beyond"].to_numpy(), counts["_judged"].to_numpy()
    lower = beta.ppf(0.05, k, n - k + 1)  # exact one-sided 95 % limit (Clopper & Pearson 1934)
    return schema.conform(
        counts.with_columns(
            pl.Series("_lower", lower).fill_nan(0.0),
            pl.when(pl.col("_judged") > 0).then(pl.col("beyond")).alias("beyond"),
        )
        .with_columns(
            pl.when(pl.col("_judged") > 0).then(pl.col("beyond") / pl.col("_judged")).alias("share_beyond"),
            pl.when(pl.col("_judged") > 0).then(pl.col("_lower")).alias("share_lower"),
            pl.when(pl.col("_judged") > 0).then(pl.col("_lower") > _NOISE).alias("changes"),
        )
        .select(*schema.TABLES["response/delta_features"].schema),
        "response/delta_features",
    )


def delta_predictors(
    changes: pl.DataFrame, kind: str = "relative", features: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Changes as predictors: one row a subject, one column an image, region, measure and visit.

    Parameters
    ----------
    changes : polars.DataFrame
        Table ``response/delta``.
    kind : str
        One of :data:`KINDS`.
    features : polars.DataFrame, optional
        Table ``response/delta_features``: only what changes by more than noise is taken.

    Returns
    -------
    polars.DataFrame
        ``subject`` and columns ``{image}:{roi}@{visit}:{measure}:{kind}``.

    Raises
    ------
    ConfigError
        No such kind.
    """
    if kind not in KINDS:
        raise ConfigError(f"kind of change '{kind}'", allowed=", ".join(KINDS))
    if features is not None:
        kept = features.filter("changes").select("image", "roi", "measure", "visit")
        changes = changes.join(kept, on=["image", "roi", "measure", "visit"], how="semi", maintain_order="left")
    place = pl.when(pl.col("roi") == "").then("image").otherwise(pl.format("{}:{}", "image", "roi"))
    name = pl.format("{}@{}:{}:{}", place, "visit", "measure", pl.lit(kind))
    wide = changes.select("subject", name.alias("name"), kind).pivot(on="name", index="subject", values=kind)
    return wide.select("subject", *sorted(c for c in wide.columns if c != "subject")).sort("subject")


def function_calls(changes: pl.DataFrame, options: DeltaOptions | None = None) -> pl.DataFrame:
    """Call the change of a functional measure: table ``response/function``.

    Parameters
    ----------
    changes : polars.DataFrame
        Table ``response/delta``; functional measures have the image "lesions".
    options : DeltaOptions, optional

    Returns
    -------
    polars.DataFrame
        Response or progression where the change from baseline reaches `call_percent`; progression also counts from the
        smallest (largest, where a rise is a response) value so far. A change within the repeatability coefficient is
        stable.

    Raises
    ------
    ConfigError
        The lesions do not have the measure asked for.
    """
    chosen = options or DeltaOptions()
    rows = changes.filter(pl.col("image") == LESIONS)
    there = rows["measure"].unique().to_list()
    name = chosen.call or next((m for m in _CALLED if m in there), "")
    if chosen.call and chosen.call not in there and rows.height:
        raise ConfigError(f"call = '{chosen.call}'", where="response.delta", allowed=", ".join(sorted(there)))
    rows = rows.filter((pl.col("measure") == name) & pl.col("relative").is_not_null()).sort("subject", "day")
    sign = 1.0 if chosen.call_falls else -1.0
    value, start = sign * pl.col("value"), sign * pl.col("baseline_value")
    best = pl.min_horizontal(start, value.cum_min().shift(1).over("subject"))
    grown = value - best
    rise = pl.when(grown == 0).then(0.0).otherwise(100 * grown / best.abs())
    # Where no repeatability coefficient is known every change may be real.
    limit = pl.col("repeatability_coefficient").fill_null(0.0)
    rows = rows.with_columns(
        rise.alias("_rise"),
        (sign * pl.col("relative")).alias("_change"),
        (grown > limit).alias("_grown"),
        (start - value > limit).alias("_fallen"),
    )
    up, down = pl.col("_rise") >= chosen.call_percent - 1e-9, pl.col("_change") <= -chosen.call_percent + 1e-9
    call = (
        pl.when(up & pl.col("_grown"))
        .then(pl.lit("progression"))
        .when(down & pl.col("_fallen"))
        .then(pl.lit("response"))
        .otherwise(pl.lit("stable"))
    )
    real = ~((up & ~pl.col("_grown")) | (down & ~pl.col("_fallen")))
    noise = pl.when(~real).then(pl.lit("; within the repeatability coefficient")).otherwise(pl.lit(""))
    reason = pl.format(
        "{} {} % from baseline, {} % from the {} value so far, limit {} %{}",
        "measure",
        pl.col("relative").round(1),
        (sign * pl.col("_rise")).round(1),
        pl.lit("smallest" if chosen.call_falls else "largest"),
        pl.lit(f"{chosen.call_percent:g}"),
        noise,
    )
    return schema.conform(
        rows.with_columns(call.alias("function"), reason.alias("reason")).select(
            *schema.TABLES["response/function"].schema
        ),
        "response/function",
    )


LESIONS = "lesions"
"""Name that stands for the image where a measure comes from the lesion table."""
_CALLED: Sequence[str] = ("uptake", "tlg", "mtv", "volume")
