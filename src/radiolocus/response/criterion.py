"""What every criterion beside RECIST 1.1 stands on: rules with their numbers and sources, courses of subjects, tables.

A criterion is one pure function from the course of a subject to the calls of its visits, registered in
:data:`CRITERIA` with its rules. The rules are the only place of its numbers; ``docs/response.md`` is written from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import polars as pl

from radiolocus.errors import ConfigError, TableError
from radiolocus.read.lesion_measures import MEASURES
from radiolocus.read.lesions import LESION_COLUMNS
from radiolocus.registry import Registry
from radiolocus.response.recist11 import Recist11Options
from radiolocus.response.visits import judged_by_pet

__all__ = ["CRITERIA", "Call", "Course", "CriteriaOptions", "Criterion", "Lesion", "Rule", "Visit", "courses"]

TOLERANCE = 1e-9


@dataclass(frozen=True)
class Rule:
    """One rule of a criterion.

    Parameters
    ----------
    key : str
        How traces cite it, e.g. ``choi.PR``.
    call : str
        What it makes of a visit.
    text : str
        The rule in words; ``{name}`` stands for one of its numbers.
    source : str
        Paper and place.
    checked : bool
        True when the wording stands in a published table or question-and-answer page that was read; False when it is
        general knowledge of the paper.
    numbers : dict of str to float
        Thresholds, as the code uses them.
    """

    key: str
    call: str
    text: str
    source: str
    checked: bool = False
    numbers: Mapping[str, float] = field(default_factory=dict)

    def __getitem__(self, name: str) -> float:
        return self.numbers[name]

    @property
    def words(self) -> str:
        """The text with its numbers."""
        return self.text.format(**{k: f"{v:g}" for k, v in self.numbers.items()})


@dataclass(frozen=True)
class CriteriaOptions(Recist11Options):
    """How the criteria are read where they leave a choice; the options of RECIST 1.1 hold for all.

    Parameters
    ----------
    progression_from : {"baseline", "nadir"}
        What growth is measured from by Choi, EORTC and PERCIST, whose papers compare with the baseline scan.
    who_progression : {"lesion", "sum"}
        WHO: growth of any one lesion, or of the sum of products, is progression.
    percist_liver_percent, percist_liver_units : float
        PERCIST: by how much the liver (or blood pool) may differ from baseline for scans to be comparable.
    rano_measure : {"products", "volume"}
        RANO 2.0: sum of products of diameters, or of volumes.
    rano_minor_response : bool
        RANO 2.0: minor response of lower-grade and other non-enhancing glioma.
    rano_confirmation : bool
        RANO 2.0: CR and PR count as best response only when seen again after `confirmation_days`, else as SD.
    rano_radiotherapy_days : float
        RANO 2.0: days after radiotherapy within which progression must be confirmed.
    lugano_uptake_change : float
        Lugano: relative change of uptake that is a change, e.g. 0.25; 0: only the scores of Deauville are compared.
    bone_flare_days, bone_confirm_days : float
        PCWG3: end of the flare window; days between a progression of bone and the scan that confirms it.
    irecist_confirm_days : float
        iRECIST: least days from iUPD to iCPD.
    mrecist_growth_mm : float
        mRECIST: least growth of the sum that is progression, mm, beside 20 %; 5 where a trial takes that of RECIST 1.1.
    """

    progression_from: Literal["baseline", "nadir"] = "baseline"
    who_progression: Literal["lesion", "sum"] = "lesion"
    percist_liver_percent: float = 20.0
    percist_liver_units: float = 0.3
    rano_measure: Literal["products", "volume"] = "products"
    rano_minor_response: bool = False
    rano_confirmation: bool = True
    rano_radiotherapy_days: float = 84.0
    lugano_uptake_change: float = 0.0
    bone_flare_days: float = 84.0
    bone_confirm_days: float = 42.0
    irecist_confirm_days: float = 28.0
    mrecist_growth_mm: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in (
            "percist_liver_percent",
            "percist_liver_units",
            "rano_radiotherapy_days",
            "lugano_uptake_change",
            "bone_flare_days",
            "bone_confirm_days",
            "irecist_confirm_days",
            "mrecist_growth_mm",
        ):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name} = {getattr(self, name)}", allowed="0 or more")
        for name, allowed in (
            ("progression_from", ("baseline", "nadir")),
            ("who_progression", ("lesion", "sum")),
            ("rano_measure", ("products", "volume")),
        ):
            if getattr(self, name) not in allowed:
                raise ConfigError(f"{name} = '{getattr(self, name)}'", allowed=", ".join(allowed))
        if self.rano_minor_response and self.rano_measure == "volume":
            raise ConfigError(
                "rano_minor_response with rano_measure = 'volume'",
                allowed="minor response by products of diameters",
                todo="leave one of the two out",
            )


@dataclass(frozen=True)
class Lesion:
    """One lesion at one visit; `measures` holds the numbers and words that the table has of it."""

    label: str
    kind: str
    organ: str
    node: bool
    status: str
    measures: Mapping[str, Any]

    def get(self, name: str) -> Any:  # a number or a word
        """A measurement, None when it was not taken."""
        return self.measures.get(name)

    def size(self, name: str) -> float | None:
        """A measurement, 0 for a lesion that is gone or has merged into another."""
        if self.status in ("absent", "merged"):
            return 0.0
        value = self.get(name)
        return None if value is None or self.status == "NE" else float(value)


@dataclass(frozen=True)
class Visit:
    """One visit: its lesions by kind, and what was found of the subject as a whole."""

    label: str
    day: float
    targets: Mapping[str, Lesion]
    others: Mapping[str, Lesion]
    new: Mapping[str, Lesion]
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Course:
    """Visits of one subject in order of days; the first is the baseline."""

    subject: str
    visits: tuple[Visit, ...]

    @property
    def baseline(self) -> Visit:
        """The visit that all others are compared with."""
        return self.visits[0]

    @property
    def later(self) -> tuple[Visit, ...]:
        """All visits but the baseline."""
        return self.visits[1:]


@dataclass(frozen=True)
class Call:
    """What a criterion says of a visit, and why."""

    overall: str
    rule: str
    reason: str
    value: float | None = None
    base: float | None = None
    nadir: float | None = None
    target: str = "none"
    nontarget: str = "none"
    new: bool = False


@dataclass(frozen=True)
class Criterion:
    """A response criterion.

    Parameters
    ----------
    name, title : str
    paper : str
        Reference.
    quantity : str
        What is measured, with its unit.
    needs : tuple of str
        Columns that a lesion table must have for it.
    words : dict of str to str
        Its words, with the classes CR, PR, SD, NON-CR/NON-PD, PD and NE by which the best response is taken.
    rules : tuple of Rule
    calls : callable
        From a course and the options to one call a later visit.
    notes : tuple of str
        What a reader should know about how it is read here.
    remarks : callable
        From a course to notes on its baseline: lesion, what was got, what is allowed.
    asks : callable
        From the options to further columns that are needed; of those joined by ``" or "`` one is enough.
    confirms : callable
        Whether responses must be confirmed whatever the option ``confirmation`` says.
    """

    name: str
    title: str
    paper: str
    quantity: str
    needs: tuple[str, ...]
    words: Mapping[str, str]
    rules: tuple[Rule, ...]
    calls: Callable[[Course, CriteriaOptions], list[Call]]
    notes: tuple[str, ...] = ()
    remarks: Callable[[Course], list[tuple[str, str, str]]] = lambda _: []
    asks: Callable[[CriteriaOptions], tuple[str, ...]] = lambda _: ()
    confirms: Callable[[CriteriaOptions], bool] = lambda _: False

    def best_by(self, options: CriteriaOptions) -> CriteriaOptions:
        """Options of the best response: a criterion may demand confirmation by itself."""
        return replace(options, confirmation=True) if self.confirms(options) else options

    def lacks(self, columns: Sequence[str], options: CriteriaOptions) -> list[str]:
        """Columns that the criterion needs and a lesion table has not."""
        wanted = (*self.needs, *self.asks(options))
        return [name for name in wanted if not set(name.split(" or ")) & set(columns)]


CRITERIA: Registry[Criterion] = Registry("response criterion")

RECIST_WORDS = {w: w for w in ("CR", "PR", "SD", "NON-CR/NON-PD", "PD", "NE")}


_LEVELS = {"target": "targets", "non-target": "others", "new": "new"}
_FACTS = tuple(name for name, measure in MEASURES.items() if measure.level != "lesion")


def courses(lesions: pl.DataFrame) -> Iterator[Course]:
    """Yield the course of every subject, sorted by subject, days and lesions, whatever the order of the rows.

    Raises
    ------
    TableError
        A column is missing, or a subject's first visit is not at day 0.
    """
    missing = [c for c in LESION_COLUMNS if c not in lesions.columns]
    if missing:
        raise TableError("a lesion table without " + ", ".join(missing), allowed=", ".join(LESION_COLUMNS))
    ordered = judged_by_pet(lesions).sort("subject", "day", "kind", "lesion")
    for part in ordered.partition_by("subject", maintain_order=True):
        visits: dict[float, dict[str, Any]] = {}
        for row in part.iter_rows(named=True):
            visit = visits.setdefault(
                row["day"], {"label": row["visit"], "targets": {}, "others": {}, "new": {}, "facts": {}}
            )
            lesion = Lesion(row["lesion"], row["kind"], row["organ"] or "", bool(row["node"]), row["status"], row)
            visit[_LEVELS[row["kind"]]][row["lesion"]] = lesion
            visit["facts"] |= {k: row[k] for k in _FACTS if row.get(k) is not None}
        if min(visits) != 0:
            raise TableError(
                f"a first visit at day {min(visits):g}",
                where=f"subject {part['subject'][0]}",
                allowed="a baseline visit at day 0",
                todo="read the table with read_lesions, which dates the visits from the baseline",
            )
        yield Course(part["subject"][0], tuple(Visit(day=day, **held) for day, held in visits.items()))
