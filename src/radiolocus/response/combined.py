"""Imaging, function and circulating tumour DNA in one call a visit, by a stated table, and who was first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from radiolocus.errors import ConfigError
from radiolocus.schema import conform, empty

__all__ = ["COMBINED", "CombinedOptions", "CombinedRule", "combine", "imaging_class"]

_RESPONSE, _STABLE, _PROGRESSION = "response", "stable", "progression"
_IMAGING = {
    _RESPONSE: ("CR", "PR", "MR", "CMR", "PMR", "iCR", "iPR"),
    _STABLE: ("SD", "NON-CR/NON-PD", "SMD", "NMR", "iSD", "iNON-CR/NON-PD"),
    _PROGRESSION: ("PD", "PMD", "iUPD", "iCPD"),
}
_MOLECULAR = {"CLEARED": _RESPONSE, "RESPONSE": _RESPONSE, "STABLE": _STABLE, "PROGRESSION": _PROGRESSION}


@dataclass(frozen=True)
class CombinedRule:
    """A row of the table: classes of imaging and of ctDNA, the call, and why."""

    key: str
    imaging: str
    molecular: str
    call: str
    meaning: str


COMBINED: tuple[CombinedRule, ...] = (
    CombinedRule("combined.RR", _RESPONSE, _RESPONSE, "concordant", "both respond"),
    CombinedRule("combined.SS", _STABLE, _STABLE, "concordant", "both stable"),
    CombinedRule("combined.PP", _PROGRESSION, _PROGRESSION, "concordant", "both progress"),
    CombinedRule("combined.RS", _RESPONSE, _STABLE, "imaging-first", "imaging responds, ctDNA does not yet"),
    CombinedRule("combined.PS", _PROGRESSION, _STABLE, "imaging-first", "imaging progresses, ctDNA does not yet"),
    CombinedRule("combined.SR", _STABLE, _RESPONSE, "molecular-first", "ctDNA responds, imaging does not yet"),
    CombinedRule("combined.SP", _STABLE, _PROGRESSION, "molecular-first", "ctDNA progresses, imaging does not yet"),
    CombinedRule("combined.RP", _RESPONSE, _PROGRESSION, "discordant", "imaging responds while ctDNA progresses"),
    CombinedRule(
        "combined.PR",
        _PROGRESSION,
        _RESPONSE,
        "pseudoprogression suspected",
        "imaging progresses while ctDNA responds (Lee et al., JAMA Oncol 2018;4:717, for anti-PD-1 in melanoma)",
    ),
)
_BY_CLASSES: Mapping[tuple[str, str], CombinedRule] = {(r.imaging, r.molecular): r for r in COMBINED}
#: The call where function progresses too: then a false progression is no longer what is suspected.
_AGAINST = "discordant"


@dataclass(frozen=True)
class CombinedOptions:
    """The combined call.

    Parameters
    ----------
    window_days : float
        Days by which a ctDNA sample may lie before or after the visit that it stands for.
    """

    window_days: float = 28.0

    def __post_init__(self) -> None:
        if self.window_days < 0:
            raise ConfigError(f"window_days = {self.window_days:g}", allowed="0 or more")


def imaging_class(word: str, words: Mapping[str, str] | None = None) -> str:
    """Response, stable or progression; empty for what cannot be compared.

    Parameters
    ----------
    word : str
        Overall response in the words of a criterion.
    words : mapping, optional
        Words of the criterion with those of RECIST that they stand for.
    """
    plain = (words or {}).get(word, word)
    return next((c for c, known in _IMAGING.items() if word in known or plain in known), "")


def combine(
    timepoints: pl.DataFrame,
    samples: pl.DataFrame,
    options: CombinedOptions | None = None,
    *,
    function: pl.DataFrame | None = None,
    words: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    """Put the calls of every visit after baseline beside the nearest ctDNA sample: table ``response/combined``.

    Parameters
    ----------
    timepoints : polars.DataFrame
        Columns subject, visit, day, overall_response.
    samples : polars.DataFrame
        Table ``response/ctdna``.
    options : CombinedOptions, optional
    function : polars.DataFrame, optional
        Columns subject, visit, function: response, stable or progression by functional imaging. Where it progresses
        too, a false progression is not suspected.
    words : mapping, optional
        Words of the criterion with those of RECIST.

    Notes
    -----
    A sample stands for one visit at most within the window; of two equally near, the earlier. The lead is the day of
    the first progression by imaging less that of the first molecular progression: positive where ctDNA was first.
    """
    options = options or CombinedOptions()
    said_of = function.select("subject", "visit", "function").iter_rows() if function is not None else ()
    told = {(s, v): f for s, v, f in said_of}
    by_subject = {
        str(s): f for (s,), f in samples.filter(pl.col("molecular_response") != "baseline").group_by("subject")
    }
    rows: list[dict[str, Any]] = []
    for (subject,), visits in timepoints.sort("subject", "day").group_by("subject", maintain_order=True):
        if (taken := by_subject.get(str(subject))) is None:
            continue
        after = visits.filter(pl.col("day") > 0)
        lead = _lead(after, taken, words)
        for visit, day, word in after.select("visit", "day", "overall_response").iter_rows():
            said = told.get((subject, visit)) or ""
            rows.append({"subject": subject, "visit": visit, "day": day, "imaging": word, "function": said}
                        | _nearest(day, taken, options.window_days) | lead)  # fmt: skip
    if not rows:
        return empty("response/combined")
    return conform(pl.DataFrame([_called(r, words) for r in rows], infer_schema_length=None), "response/combined")


def _lead(after: pl.DataFrame, taken: pl.DataFrame, words: Mapping[str, str] | None) -> dict[str, float | None]:
    imaging = [
        d for d, w in after.select("day", "overall_response").iter_rows() if imaging_class(w, words) == _PROGRESSION
    ]
    molecular = taken.filter(pl.col("molecular_response") == "PROGRESSION")["day"].to_list()
    first = (min(imaging, default=None), min(molecular, default=None))
    return {
        "imaging_progression_day": first[0],
        "molecular_progression_day": first[1],
        "lead_days": None if first[0] is None or first[1] is None else first[0] - first[1],
    }


def _nearest(day: float, taken: pl.DataFrame, window: float) -> dict[str, Any]:
    near = taken.filter((pl.col("day") - day).abs() <= window).sort((pl.col("day") - day).abs(), "day")
    if not near.height:
        return {"sample": "", "sample_day": None, "molecular": ""}
    row = near.row(0, named=True)
    return {"sample": row["sample"], "sample_day": row["day"], "molecular": row["molecular_response"]}


def _called(row: dict[str, Any], words: Mapping[str, str] | None) -> dict[str, Any]:
    seen, blood = imaging_class(row["imaging"] or "", words), _MOLECULAR.get(row["molecular"], "")
    if not seen or not blood:
        missing = [
            n for n, c in ((f"imaging {row['imaging']}", seen), (f"ctDNA {row['molecular'] or 'none'}", blood)) if not c
        ]
        return row | {"combined": "not comparable", "rule": "", "reason": ", ".join(missing)}
    rule = _BY_CLASSES[seen, blood]
    call, reason = rule.call, rule.meaning
    if rule.key == "combined.PR" and row["function"] == _PROGRESSION:
        call, reason = _AGAINST, f"{reason}; but function progresses too"
    elif row["function"]:
        reason = f"{reason}; function: {row['function']}"
    return row | {"combined": call, "rule": rule.key, "reason": f"{row['imaging']} and {row['molecular']}: {reason}"}
