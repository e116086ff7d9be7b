"""What a study knows of one subject, gathered from its artefacts."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy.special import expit

from radiolocus.cohort.ids import Nearest
from radiolocus.errors import ConfigError, StoreError
from radiolocus.model import Array
from radiolocus.molecular.treatments import Matched, match_treatments
from radiolocus.read.treatments import TreatmentTable
from radiolocus.registry import suggest
from radiolocus.report.figures_card import Standing
from radiolocus.report.phenotype_table import Phenotypes, phenotypes_of
from radiolocus.report.source import Artefacts
from radiolocus.schema import CONTROL, empty

__all__ = ["Profile", "key_features", "percentile", "plain", "profile_of"]

_KEYS = 16
_ALWAYS = ("morph_volume", "original_shape_MeshVolume", "stat_mean", "original_firstorder_Mean")
_WITHIN = 1.959963984540054


@dataclass(frozen=True, eq=False)
class Profile:
    """One subject against the cohort.

    Parameters
    ----------
    subject : str
    cohort : int
        Subjects of the study.
    standings : tuple of Standing
        Every imaging feature that the subject has.
    keys : tuple of str
        Features that are shown first.
    markers : list of dict
        Measured markers: marker, kind, value, unit, percentile, positive (share of the others), n.
    genotypes : list of dict
        Predicted out of fold: target, model, classes, set, probabilities, coverage, verdict, observed.
    treatments : tuple of Matched
    outcomes : list of dict
        Predicted out of fold: endpoint, predictors, model, prediction, percentile, probability, group, metric.
    response : polars.DataFrame
        Rows of ``response/criteria``.
    best : polars.DataFrame
        Rows of ``response/criteria_best``.
    """

    subject: str
    cohort: int
    standings: tuple[Standing, ...]
    keys: tuple[str, ...]
    markers: list[dict[str, Any]]
    genotypes: list[dict[str, Any]]
    treatments: tuple[Matched, ...]
    outcomes: list[dict[str, Any]]
    response: pl.DataFrame
    best: pl.DataFrame


def percentile(value: float, others: Array) -> float:
    """Share of others below a value, equal ones counted half, in percent."""
    return float(100 * ((others < value).sum() + 0.5 * (others == value).sum()) / others.size)


def profile_of(
    art: Artefacts, subject: str, table: TreatmentTable | None = None, features: Sequence[str] = ()
) -> Profile:
    """Gather what the study knows of a subject.

    Parameters
    ----------
    art : Artefacts
    subject : str
        Id as the study calls it.
    table : TreatmentTable, optional
        Held against the measured markers; never against predicted ones.
    features : sequence of str
        Shown first, instead of those that the findings of the study choose.

    Raises
    ------
    StoreError
        The folder holds no cohort.
    ConfigError
        A subject or feature that is not there; tells the nearest ones.
    """
    frame = art.table("cohort/subjects")
    if frame is None:
        raise StoreError(
            "no cohort/subjects", where=art.root.name, allowed="the output folder of 'radiolocus run'",
            todo="run the study first, or name its output folder",
        )  # fmt: skip
    subjects = frame["subject"].to_list()
    if subject not in subjects:
        raise ConfigError(
            f"no subject '{subject}'", where="profile", todo=_nearest(subject, subjects),
            allowed=f"one of {len(subjects)} subjects of cohort/subjects.csv",
        )  # fmt: skip
    known = phenotypes_of(art)
    standings = () if known is None else _standings(art, known, subject)
    values = _marker_values(art, subject)
    dictionary = art.table("molecular/dictionary")
    told = empty("molecular/dictionary") if dictionary is None else dictionary
    return Profile(
        subject,
        len(subjects),
        standings,
        key_features(art, standings, known, features),
        _markers(art, subject, values, told),
        _genotypes(art, subject),
        () if table is None else match_treatments(table, values, told),
        _outcomes(art, subject),
        *(_of(art, f"response/{name}", subject) for name in ("criteria", "criteria_best")),
    )


def _nearest(subject: str, subjects: list[str]) -> str:
    """The id that is probably meant, or those that are spelt alike, or that hold what was given."""
    if meant := Nearest(subjects).find(subject):
        return f"did you mean '{meant}'?"
    near = difflib.get_close_matches(subject, subjects, n=3)
    near += [s for s in subjects if subject.strip() and subject.strip().casefold() in s.casefold()]
    some = ", ".join(dict.fromkeys(near[:3]))
    return f"nearest by spelling: {some}" if some else "look the id up in cohort/subjects.csv"


def _of(art: Artefacts, name: str, subject: str) -> pl.DataFrame:
    frame = art.table(name)
    return empty(name) if frame is None else frame.filter(pl.col("subject") == subject)


def _numbers(frame: pl.DataFrame, column: str) -> Array:
    values = frame[column].cast(pl.Float64).drop_nulls().to_numpy()
    return np.asarray(values[np.isfinite(values)])


def _standings(art: Artefacts, known: Phenotypes, subject: str) -> tuple[Standing, ...]:
    mine = known.table.filter(pl.col("subject") == subject)
    rest = known.table.filter(pl.col("subject") != subject)
    within = _within(art)
    found = []
    for row in known.names.iter_rows(named=True):
        own = _numbers(mine, row["predictor"])
        others = _numbers(rest, row["predictor"])
        if not own.size or not others.size:
            continue
        value, spread = float(own[0]), within.get((row["image"], row["roi"], row["feature"]))
        ends = [None, None] if spread is None else [percentile(value + k * _WITHIN * spread, others) for k in (-1, 1)]
        found.append(Standing(row["predictor"], row["unit"], value, others, percentile(value, others), *ends))
    return tuple(found)


def _within(art: Artefacts) -> dict[tuple[str, str, str], float]:
    """Largest within-subject standard deviation of every feature, over the sources that there are."""
    frame = art.table("features/repeatability")
    if frame is None:
        return {}
    keys = ["image", "roi", "feature"]
    rows = frame.filter(pl.col("within_subject_sd").is_finite()).group_by(keys).agg(pl.col("within_subject_sd").max())
    return {(a, b, c): sd for a, b, c, sd in rows.select(*keys, "within_subject_sd").iter_rows()}


def _turns(frame: pl.DataFrame, by: str, name: str) -> list[str]:
    """Names by strength, the strongest of every group first, then the second strongest of every group, ..."""
    ranked = frame.sort(["neg_log_10_p_value", by, name], descending=[True, False, False], nulls_last=True)
    ranked = ranked.with_columns(pl.int_range(pl.len()).over(by).alias("turn")).sort("turn", maintain_order=True)
    return list(ranked[name].unique(maintain_order=True))


def key_features(
    art: Artefacts, standings: Sequence[Standing], known: Phenotypes | None, wanted: Sequence[str] = ()
) -> tuple[str, ...]:
    """Features that are shown first.

    Those named, or else volume and mean, then by turns what is linked with a marker (q < 0.05) and what goes with an
    outcome (q < 0.05), at most 16; whoever the subject is.
    """
    there = [one.name for one in standings]
    if wanted:
        all_names = there if known is None else known.names["predictor"].to_list()
        for name in wanted:
            if name not in all_names:
                raise ConfigError(
                    f"no feature '{name}'", where="profile", allowed=", ".join(all_names[:8]) + ", ...",
                    todo=suggest(name, all_names),
                )  # fmt: skip
        return tuple(name for name in wanted if name in there)
    always = [n for tag in _ALWAYS for n in there if n.rpartition(":")[2] == tag]
    lists = []
    for table, by, name in (("link/link", "marker", "feature"), ("outcome/univariate", "endpoint", "predictor")):
        frame = art.table(table)
        strong = None if frame is None else frame.filter(pl.col("q_value") < 0.05)
        lists.append([] if strong is None else [n for n in _turns(strong, by, name) if n in there])
    longest = max((len(names) for names in lists), default=0)
    mixed = [names[i] for i in range(longest) for names in lists if i < len(names)]
    return tuple(dict.fromkeys([*always, *mixed, *(there if not mixed else [])]))[:_KEYS]


def _marker_values(art: Artefacts, subject: str) -> dict[str, float | None]:
    row = _markers_frame(art).filter(pl.col("subject") == subject)
    if not row.height:
        return {}
    told = row.drop("subject").row(0, named=True)
    return {k: None if v is None or not np.isfinite(float(v)) else float(v) for k, v in told.items()}


def _markers_frame(art: Artefacts) -> pl.DataFrame:
    frame = art.table("molecular/markers")
    return empty("molecular/markers") if frame is None else frame


def _markers(
    art: Artefacts, subject: str, values: dict[str, float | None], dictionary: pl.DataFrame
) -> list[dict[str, Any]]:
    rest = _markers_frame(art).filter(pl.col("subject") != subject)
    rows = []
    for row in dictionary.iter_rows(named=True):
        value = values.get(row["marker"])
        others = _numbers(rest, row["marker"]) if row["marker"] in rest.columns else np.zeros(0)
        if value is None or not others.size:
            continue
        binary = row["kind"] == "binary"
        rows.append(
            {
                "marker": row["marker"], "kind": row["kind"], "value": value, "unit": row["unit"] or "",
                "percentile": None if binary else percentile(value, others),
                "share_of_others": float((others == 1.0).mean()) if binary else None, "others": int(others.size),
            }
        )  # fmt: skip
    return rows


def _genotypes(art: Artefacts, subject: str) -> list[dict[str, Any]]:
    """Predictions out of fold of the primary models, first repetition, with the coverage that their sets have."""
    frame = art.table("genotyping/predictions")
    if frame is None:
        return []
    own = frame.filter((pl.col("subject") == subject) & pl.col("primary") & (pl.col("repeat") == 0))
    rows = []
    for (target,), part in own.group_by(["target"], maintain_order=True):
        first = part.row(0, named=True)
        classes = [c for c in part["class"].to_list() if c]
        told: dict[str, Any] = {
            "target": str(target), "model": first["model"], "predictors": first["predictors"],
            "kind": "classes" if classes else "continuous",
        }  # fmt: skip
        if classes:
            told["probabilities"] = dict(part.select("class", "prediction").iter_rows())
            told["set"] = [c for c, inside in part.select("class", "in_set").iter_rows() if inside]
            seen = [c for c, y in part.select("class", "observed").iter_rows() if y == 1.0]
            told["observed"] = seen[0] if seen else None
        else:
            told |= {k: first[k] for k in ("prediction", "lower", "upper", "observed")}
        rows.append(told | _coverage(art, first) | _verdict(art, str(target)))
    return rows


def _coverage(art: Artefacts, row: dict[str, Any]) -> dict[str, Any]:
    frame = art.table("genotyping/coverage")
    keys = ("target", "predictors", "model")
    own = None if frame is None else frame.filter(*(pl.col(k) == row[k] for k in keys), pl.col("class") == "")
    if own is None or not own.height:
        return {"coverage": None}
    names = ("aimed_at", "coverage", "lower", "upper", "mean_size", "singletons", "n")
    return {"coverage": {k: own[k][0] for k in names}}


def _verdict(art: Artefacts, target: str) -> dict[str, Any]:
    frame = art.table("genotyping/verdict")
    own = None if frame is None else frame.filter(pl.col("target") == target)
    if own is None or not own.height:
        return {"told": None, "verdict": ""}
    row = own.row(0, named=True)
    numbers = {k: row[k] for k in ("metric", "estimate", "lower", "upper")}
    return {"told": row["told"], "verdict": row["verdict"], "performance": numbers}


def _outcomes(art: Artefacts, subject: str) -> list[dict[str, Any]]:
    """Mean prediction out of fold over the repetitions, and where it stands among the others."""
    frame = art.table("outcome/predictions")
    if frame is None:
        return []
    keys = ["endpoint", "predictors", "model"]
    means = frame.filter(~pl.col("predictors").str.starts_with(CONTROL)).group_by(
        [*keys, "subject"], maintain_order=True
    ).agg(pl.col("prediction").mean(), pl.col("prediction").min().alias("least"), pl.col("prediction").max()
          .alias("most"))  # fmt: skip
    performance, groups = art.table("outcome/performance"), _of(art, "outcome/groups", subject)
    rows = []
    for row in means.filter(pl.col("subject") == subject).iter_rows(named=True):
        same = [pl.col(k) == row[k] for k in keys]
        others = _numbers(means.filter(*same, pl.col("subject") != subject), "prediction")
        judged = None if performance is None else performance.filter(*same)
        told = judged.row(0, named=True) if judged is not None and judged.height else {}
        group = groups.filter(*same)
        rows.append(
            {k: row[k] for k in (*keys, "prediction", "least", "most")}
            | {
                "percentile": percentile(row["prediction"], others) if others.size else None,
                "others": int(others.size),
                "probability": float(expit(row["prediction"])) if told.get("kind") == "binary" else None,
                "group": group["group"][0] if group.height else None,
                "performance": {k: told.get(k) for k in ("metric", "estimate", "lower", "upper", "n", "events")},
            }
        )
    return rows


def plain(profile: Profile, names: Iterable[str] = ()) -> dict[str, Any]:
    """The imaging features of a profile as JSON values."""
    chosen = set(names)
    return {
        one.name: {
            "value": one.value, "unit": one.unit, "percentile": one.percentile,
            "percentile_lower": one.lower, "percentile_upper": one.upper,
            "median_of_others": float(np.median(one.others)), "others": int(one.others.size),
        }
        for one in profile.standings if not chosen or one.name in chosen
    }  # fmt: skip
