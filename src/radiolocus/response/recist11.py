"""RECIST 1.1: from lesions to the response at every visit and the best of them.

Eisenhauer et al., Eur J Cancer 2009;45:228; questions and answers of the RECIST working group, recist.eortc.org.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from radiolocus import schema
from radiolocus.errors import ConfigError
from radiolocus.kernels import recist as kernels
from radiolocus.model import Problem
from radiolocus.response import trace
from radiolocus.response.nodes import LEAST_NODE_MM, placed_nodes
from radiolocus.response.rates import response_rates
from radiolocus.response.therapy import before_new_therapy
from radiolocus.response.visits import visit_table

__all__ = [
    "LEAST_MM",
    "LEAST_X_RAY_MM",
    "Recist11",
    "Recist11Options",
    "baseline_remarks",
    "best_response",
    "recist11",
    "time_points",
]

LEAST_MM, LEAST_X_RAY_MM = 10.0, 20.0
"""Smallest longest diameter of a target at baseline, and on a chest X-ray (section 3.1.1)."""
_NOT_MEASURABLE = r"(?i)effusion|ascites|lymphangi|leptomening|blastic"


@dataclass(frozen=True)
class Recist11Options:
    """How RECIST 1.1 is read where it leaves a choice.

    Parameters
    ----------
    confirmation : bool
        CR and PR count as best response only when seen again (trials whose primary endpoint is response; section 4.6).
    confirmation_days : float
        Days between a response and its confirmation; 28 in section 4.6.
    sd_minimum_days : float
        Days from baseline after which disease control counts as SD; 6 to 8 weeks in section 4.4.3, here 42.
    not_evaluable_between : int
        Visits with NE allowed between a response and its confirmation.
    stable_between : int
        Visits with SD allowed between a PR and its confirmation.
    persistent : bool
        A PR lasts until PD although the sum drifts back above −30 % (recist.eortc.org, "Managing PR"); with
        confirmation, once it is confirmed. False: the arithmetic of each visit stands.
    reappearance : bool
        Disease seen again after an overall CR is PD (table 3, note a; appendix II): a target of any size, a nodal
        target of 10 mm or more, a non-nodal non-target (recist.eortc.org, "Abnormal lymph node"). False: the sum
        must grow by 20 % and 5 mm. Holds for iRECIST too.
    backdate : bool
        A new lesion that was equivocal and turned out unequivocal dates the progression to when it was first seen
        (section 4.3.5). The calls of the visits stay as they were.
    most_targets, most_targets_an_organ : int
        Targets allowed (section 3.1.1; all lymph nodes are one organ). Beyond, a note is written.
    small_nodes : {"non-target", "target"}
        What a nodal target of less than 15 mm short axis at baseline is (section 3.1.1): a non-target, or below 10 mm
        a normal node that is not followed; "target": the table's word rules. Holds for iRECIST and mRECIST too.
    """

    confirmation: bool = False
    confirmation_days: float = 28.0
    sd_minimum_days: float = 42.0
    not_evaluable_between: int = 1
    stable_between: int = 0
    persistent: bool = False
    reappearance: bool = True
    backdate: bool = True
    most_targets: int = 5
    most_targets_an_organ: int = 2
    small_nodes: Literal["non-target", "target"] = "non-target"

    def __post_init__(self) -> None:
        if self.small_nodes not in ("non-target", "target"):
            raise ConfigError(f"small_nodes = '{self.small_nodes}'", allowed="non-target, target")
        for name in ("confirmation_days", "sd_minimum_days", "not_evaluable_between", "stable_between"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name} = {getattr(self, name)}", allowed="0 or more")
        for name in ("most_targets", "most_targets_an_organ"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} = {getattr(self, name)}", allowed="1 or more")


@dataclass(frozen=True, eq=False)
class Recist11:
    """What RECIST 1.1 says of a lesion table.

    Parameters
    ----------
    timepoints : polars.DataFrame
        Table ``response/timepoints``. The baseline is its own row, with a sum and without responses.
    best : polars.DataFrame
        Table ``response/best``.
    rates : polars.DataFrame
        Table ``response/rates``.
    problems : tuple of Problem
        Notes on baselines that the criteria would not have allowed.
    """

    timepoints: pl.DataFrame
    best: pl.DataFrame
    rates: pl.DataFrame
    problems: tuple[Problem, ...]


def recist11(lesions: pl.DataFrame, options: Recist11Options | None = None) -> Recist11:
    """Apply RECIST 1.1 to a lesion table.

    Parameters
    ----------
    lesions : polars.DataFrame
        As :func:`radiolocus.read.lesions.read_lesions` returns it, in any order of rows.
    options : Recist11Options, optional

    Returns
    -------
    Recist11

    Raises
    ------
    TableError
        The table lacks columns or baselines.
    """
    chosen = options or Recist11Options()
    lesions, late = before_new_therapy(lesions)
    lesions, nodes, placed = placed_nodes(lesions, chosen.small_nodes)
    visits = visit_table(lesions)
    timepoints = schema.conform(trace.explained(_call(visits, chosen), placed), "response/timepoints")
    best = best_response(timepoints, chosen, first_seen=visits.filter("turned").select("subject", "day"))
    return Recist11(timepoints, best, response_rates(best), (*late, *nodes, *baseline_remarks(lesions, chosen)))


def time_points(lesions: pl.DataFrame, options: Recist11Options | None = None) -> pl.DataFrame:
    """Response at every visit: table ``response/timepoints``, sorted by subject and day."""
    chosen = options or Recist11Options()
    lesions, _, placed = placed_nodes(lesions, chosen.small_nodes)
    return schema.conform(trace.explained(_call(visit_table(lesions), chosen), placed), "response/timepoints")


def _starts(visits: pl.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    rows = (visits["day"] == 0).arg_true().to_numpy().astype(np.int64)
    return np.append(rows, visits.height)


def _call(visits: pl.DataFrame, options: Recist11Options) -> pl.DataFrame:
    """Add sums, changes and calls (as words) to the visits."""
    nontarget = (
        pl.when(pl.col("nontargets") == 0)
        .then(kernels.NONE)
        .when(pl.col("progressed"))
        .then(kernels.PD)
        .when(pl.col("evaluated") < pl.col("nontargets"))
        .then(kernels.NE)
        .when(pl.col("present"))
        .then(kernels.NON)
        .otherwise(kernels.CR)
    )
    frame = visits.with_columns(
        nontarget.cast(pl.Int8).alias("nontarget"), pl.col("new").cum_max().over("subject").alias("new_lesion")
    )
    n = frame.height
    nadir, target, response = np.full(n, np.nan), np.zeros(n, np.int8), np.zeros(n, np.int8)
    returned, held = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    kernels.time_points(
        _starts(frame),
        frame["day"].to_numpy(),
        frame["targets"].to_numpy(),
        frame["measured"].to_numpy(),
        frame["total"].to_numpy(),
        frame["gone"].to_numpy(),
        frame["seen_other"].to_numpy(),
        frame["nontarget"].to_numpy(),
        frame["new_lesion"].to_numpy(),
        options.reappearance,
        options.persistent,
        options.confirmation_days if options.confirmation else 0.0,
        nadir,
        target,
        response,
        returned,
        held,
    )
    first = pl.col("day") == 0
    words = dict(enumerate(kernels.LABELS))

    def said(codes: pl.Expr) -> pl.Expr:
        return pl.when(~first).then(codes.replace_strict(words, return_dtype=pl.String))

    whole = (pl.col("targets") > 0) & (pl.col("measured") == pl.col("targets"))
    return (
        frame.with_columns(
            pl.Series("nadir_mm", nadir).fill_nan(None),
            pl.Series("target", target),
            pl.Series("response", response),
            pl.Series("returned", returned),
            pl.Series("held", held),
            pl.when(whole).then(pl.col("total")).alias("sum_mm"),
            pl.col("total").first().over("subject").alias("base"),
        )
        .with_columns(
            pl.when(pl.col("targets") > 0).then("nadir_mm"),
            (100 * (pl.col("sum_mm") / pl.col("base") - 1)).alias("change_from_baseline"),
            pl.when((pl.col("nadir_mm") > 0) & (pl.col("targets") > 0))
            .then(100 * (pl.col("sum_mm") / pl.col("nadir_mm") - 1))
            .alias("change_from_nadir"),
            said(pl.col("target")).alias("target_response"),
            said(pl.col("nontarget")).alias("nontarget_response"),
            said(pl.col("response")).alias("overall_response"),
        )
        .drop("target", "nontarget")
    )


def best_response(
    timepoints: pl.DataFrame, options: Recist11Options | None = None, *, first_seen: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Best overall response of every subject: table ``response/best``.

    Parameters
    ----------
    timepoints : polars.DataFrame
        Table ``response/timepoints``, sorted by subject and day, each subject's baseline (day 0) first.
    options : Recist11Options, optional
    first_seen : polars.DataFrame, optional
        ``subject`` and ``day`` of the visits to which an equivocal new lesion, now unequivocal, dates progression back.

    Notes
    -----
    Visits after the first PD do not count. SD, and NON-CR/NON-PD of subjects without targets, count from
    `sd_minimum_days` on; so does a response that was not confirmed (table 3). A subject with nothing that counts is
    PD after a PD and NE otherwise.
    """
    chosen = options or Recist11Options()
    codes = {label: code for code, label in enumerate(kernels.LABELS)}
    response = timepoints["overall_response"].fill_null("none").replace_strict(codes, return_dtype=pl.Int8).to_numpy()
    if chosen.backdate and first_seen is not None:
        marked = timepoints.join(
            first_seen.with_columns(back=True), on=["subject", "day"], how="left", maintain_order="left"
        )
        response = np.where(marked["back"].fill_null(False).to_numpy(), np.int8(kernels.PD), response)
    start = _starts(timepoints)
    subjects = start.size - 1
    result = np.zeros(subjects, np.int8)
    decided, progression = np.zeros(subjects, np.int64), np.zeros(subjects, np.int64)
    kernels.best(
        start,
        timepoints["day"].to_numpy(),
        response,
        timepoints["targets"].to_numpy(),
        chosen.confirmation,
        chosen.confirmation_days,
        chosen.sd_minimum_days,
        chosen.not_evaluable_between,
        chosen.stable_between,
        result,
        decided,
        progression,
    )
    table = trace.best_table(
        timepoints,
        start,
        result,
        decided,
        progression,
        confirmation=chosen.confirmation,
        sd_minimum_days=chosen.sd_minimum_days,
    )
    return schema.conform(table, "response/best")


def baseline_remarks(lesions: pl.DataFrame, options: Recist11Options | None = None) -> tuple[Problem, ...]:
    """Notes on baselines that section 3 would not have allowed; their responses are computed all the same."""
    chosen = options or Recist11Options()
    base = lesions.filter((pl.col("day") == 0) & (pl.col("kind") == "target"))
    place = pl.when("node").then(pl.lit("lymph nodes")).otherwise(pl.col("organ").str.to_lowercase())
    counts = base.group_by("subject").len().filter(pl.col("len") > chosen.most_targets).sort("subject")
    organs = (
        base.with_columns(place.alias("place"))
        .drop_nulls("place")
        .group_by("subject", "place")
        .len()
        .filter(pl.col("len") > chosen.most_targets_an_organ)
        .sort("subject", "place")
    )
    organs_here = base["organ"].unique().drop_nulls()
    least = _least(base)
    vague = pl.col("organ").is_in(organs_here.filter(organs_here.str.contains(_NOT_MEASURABLE)).to_list())
    small = pl.col("diameter_mm") < least - 1e-9
    held = pl.col("irradiated") == "yes" if "irradiated" in base.columns else pl.lit(value=False)
    wrong = (
        pl.when(small)
        .then(pl.format("a target of {} mm", pl.col("diameter_mm").round(2).cast(pl.String).str.strip_suffix(".0")))
        .when(vague)
        .then(pl.format("a target in '{}'", "organ"))
        .when(held)
        .then(pl.lit("a target that was irradiated and has not grown since"))
    )
    allowed = (
        pl.when(small)
        .then(pl.format("at least {} mm (RECIST 1.1, section 3.1.1)", least.cast(pl.String).str.strip_suffix(".0")))
        .when(vague)
        .then(pl.lit("what is measurable: no effusion, lymphangitis or blastic bone (RECIST 1.1, section 3.1.1)"))
        .otherwise(pl.lit("a lesion that has progressed since radiotherapy (RECIST 1.1, section 3.1.2)"))
    )
    doubtful = base.filter((small | vague | held).fill_null(value=False)).select(
        "subject", "lesion", wrong.alias("wrong"), allowed.alias("allowed")
    )

    def note(subject: str, got: str, allowed: str, item: str | None = None) -> Problem:
        todo = "check the choice of targets; the response was computed with them"
        return Problem("response", got, "note", subject, item, "baseline", allowed, todo)

    return (
        *(
            note(s, f"{n} target lesions", f"at most {chosen.most_targets} (RECIST 1.1, section 3.1.1)")
            for s, n in counts.rows()
        ),
        *(
            note(
                s,
                f"{n} target lesions in {p}",
                f"at most {chosen.most_targets_an_organ} an organ, all nodes being one (RECIST 1.1, section 3.1.1)",
            )
            for s, p, n in organs.rows()
        ),
        *(note(s, got, allowed, f"lesion {x}") for s, x, got, allowed in doubtful.sort("subject", "lesion").rows()),
    )


def _least(base: pl.DataFrame) -> pl.Expr:
    """Smallest diameter of a target, mm: twice the slice where that is thick, 20 mm on a chest X-ray."""
    thick = 2 * pl.col("slice_mm") if "slice_mm" in base.columns else pl.lit(None, pl.Float64)
    drawn = pl.col("method") == "x-ray" if "method" in base.columns else pl.lit(value=False)
    return (
        pl.when("node")
        .then(LEAST_NODE_MM)
        .when(drawn)
        .then(LEAST_X_RAY_MM)
        .otherwise(pl.max_horizontal(pl.lit(LEAST_MM), thick.fill_null(0.0)))
    )
