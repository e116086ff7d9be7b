"""Assessments behind the start of another treatment say nothing of the first."""

from __future__ import annotations

import polars as pl

from radiolocus.model import Problem, named_visit

__all__ = ["before_new_therapy", "therapy_remarks"]

_GRACE_DAYS = 28.0  # a treatment is not stopped on the day of the scan
_PROGRESSIONS = ("PD", "iCPD", "PMD")


def before_new_therapy(lesions: pl.DataFrame) -> tuple[pl.DataFrame, tuple[Problem, ...]]:
    """Leave out visits after ``new_therapy_day`` and say whose and which; a table without that column stays as it is.

    A visit on the day itself counts: it was made before the first dose.
    """
    if "new_therapy_day" not in lesions.columns:
        return lesions, ()
    late = (pl.col("day") > pl.col("new_therapy_day")).fill_null(False)
    lost = (
        lesions.filter(late)
        .group_by("subject")
        .agg(pl.col("visit").sort_by("day").unique(maintain_order=True), pl.col("new_therapy_day").first())
        .sort("subject")
    )
    notes = tuple(
        Problem(
            "response",
            f"{len(visits)} visits after the start of another treatment at day {day:g} left out",
            "note",
            subject,
            named_visit(", ".join(visits)),
            "lesions",
            "assessments up to the start of another treatment",
            "follow that treatment from a baseline of its own",
        )
        for subject, visits, day in lost.rows()
    )
    return lesions.filter(~late), notes


def therapy_remarks(
    treatments: pl.DataFrame, best: pl.DataFrame, visits: pl.DataFrame, *, where: str, counted: bool = False
) -> tuple[Problem, ...]:
    """Say what the lines of treatment make doubtful.

    Parameters
    ----------
    treatments : polars.DataFrame
        Table ``response/treatments``.
    best : polars.DataFrame
        Table ``response/best``, or the rows of one criterion of ``response/criteria_best``.
    visits : polars.DataFrame
        Table ``response/timepoints``, or the rows of the same criterion of ``response/criteria``.
    where : str
        Name of the table, for messages.
    counted : bool
        The lesion table says itself when another treatment began (``new_therapy_day``).

    Returns
    -------
    tuple of Problem
        One for every line that goes on for more than 28 days after progression: the visits after it are set aside. And
        a note, unless `counted`, for every further line that begins before progression: what is seen after it is not
        the effect of the first alone.

    Notes
    -----
    A progression that waits for confirmation (iUPD, PDu) is none yet: treatment may go on beyond it, and is spoken of
    only from the visit on that confirms it (Seymour et al., Lancet Oncol 2017;18:e143).
    """
    ended = visits.filter(pl.col("overall_response").is_in(_PROGRESSIONS))
    certain = ended.group_by("subject").agg(pl.col("day").min().alias("progressed"))
    ends = best.select("subject", "progression_day", "last_day").join(certain, on="subject", how="left")
    rows = treatments.join(ends, on="subject", how="inner", maintain_order="left")
    later = pl.col("start") > pl.col("start").min().over("subject")
    stop = pl.coalesce("end", "last_day")
    beyond = rows.filter(~later & (stop > pl.col("progressed") + _GRACE_DAYS))
    further = rows.filter(later & (pl.col("start") < pl.coalesce("progression_day", "last_day")))
    problems = [
        _beyond(visits, subject, name, float(end - day), float(day), where)
        for subject, name, end, day in beyond.select("subject", "treatment", stop.alias("_end"), "progressed").rows()
    ]
    if not counted:
        problems += [
            Problem(
                "response",
                f"{name} began on day {start:g}, before progression: what was seen afterwards was counted",
                "note",
                subject,
                name,
                where,
                "one treatment up to progression",
                "give its start as new_therapy_day in the lesion table where it is another treatment of the tumour",
            )
            for subject, name, start in further.select("subject", "treatment", "start").rows()
        ]
    return tuple(problems)


def _beyond(visits: pl.DataFrame, subject: str, name: str, days: float, day: float, where: str) -> Problem:
    """A treatment that outlasts progression, with the visits after it that count for nothing."""
    after = visits.filter((pl.col("subject") == subject) & (pl.col("day") > day)).sort("day")["visit"].to_list()
    lost = f"; visits after it were set aside: {', '.join(after)}" if after else ""
    return Problem(
        "response",
        f"{name} went on {days:.0f} days beyond progression (day {day:g}){lost}",
        "set aside" if after else "note",
        subject,
        named_visit(", ".join(after)) if after else name,
        where,
        "treatment up to progression",
        "check the days; to follow treatment beyond progression use irecist, or a baseline of its own",
        max(len(after), 1),
    )
