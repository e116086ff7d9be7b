"""Section ``[benefit]`` of the study file: who was treated with what, and what may tell who benefits."""

from __future__ import annotations

from dataclasses import dataclass, field

from radiolocus.errors import ConfigError
from radiolocus.learn.effects import EffectOptions, check_learners
from radiolocus.learn.regress import check_base

__all__ = ["BenefitOptions"]

Value = str | int | float | bool


@dataclass(frozen=True, kw_only=True)
class BenefitOptions(EffectOptions):
    """Predictive against prognostic markers, individual effects, and rules of treatment.

    Parameters
    ----------
    treatment : str
        Clinical column of the treatment.
    control : str
        Its value of those who had the treatment that the others are compared with.
    arms : tuple of str
        Its other values that are compared with control; default: all of them.
    where : dict of str to tuple
        Clinical column to the values of those who are looked at; default: everybody.
    endpoints : tuple of str
        Endpoints of the cohort; default: all of them.
    favourable : tuple of str
        Binary endpoints whose event is good (a complete response); responses and benefits of ``[response.endpoints]``
        are, the event of every other endpoint is bad.
    horizon : float or None
        Time at which survival is compared, in the unit of the endpoint; default: the median time of the events.
    markers : tuple of str
        Names or patterns (``*``) of clinical columns, imaging features and molecular markers.
    families : dict of str to tuple of str
        Family to names or patterns of its markers, within which tests are counted; default: clinical, imaging,
        molecular.
    adjust : tuple of str
        Clinical columns that enter the tests of interaction as main effects.
    rates_by : tuple of str
        Clinical columns by which the event rates of the arms are told, beside those of everybody.
    min_level : int
        Categories of fewer subjects are left out of the tests of their marker.
    predictors : tuple of str
        Names or patterns of what individual effects may depend on; default: the markers.
    rule_arms : tuple of str
        Arms of which individual effects are learned; default: all arms.
    randomised : bool
        Treatment was drawn by lot, within `strata` where they are named.
    strata : tuple of str
        Clinical columns by which the lot was drawn, or on which its odds depended.
    confounders : tuple of str
        Clinical columns that treatment was chosen by, where it was not drawn by lot.
    threshold : float
        Benefit above which the rule treats; what a treatment costs in harm.
    groups : int
        Groups of predicted benefit by which it is compared with the observed one.
    bootstrap : int
        Draws of subjects for the intervals of the benefit curve.
    start : str
        Clinical column of the time from time zero to the start of treatment, in the unit of the endpoint.
    measured_at : dict of str to str
        Marker or confounder to the clinical column of the time when it was measured, since time zero.
    prior_use : str
        Clinical column that tells who had the treatment before time zero (yes or no, 0 or 1).
    selected_on : dict of str to tuple of str
        Marker, pattern of markers (``*``) or family to the endpoints that it was selected on beforehand. Asking who
        benefits in one of those by it is an error.
    learners : tuple of str
        dr, t, s, x, r, causal_forest. The first is the one that conclusions are drawn from.
    base : {"ridge", "forest"}
        Regression inside the meta-learners.
    folds, repeats, seed : int
        Of the cross-fitting.
    trim : float
        Propensities are kept between `trim` and 1 − `trim`.
    """

    treatment: str
    control: str
    markers: tuple[str, ...]
    arms: tuple[str, ...] = ()
    where: dict[str, tuple[Value, ...]] = field(default_factory=dict)
    endpoints: tuple[str, ...] = ()
    favourable: tuple[str, ...] = ()
    horizon: float | None = None
    families: dict[str, tuple[str, ...]] = field(default_factory=dict)
    adjust: tuple[str, ...] = ()
    rates_by: tuple[str, ...] = ()
    min_level: int = 10
    predictors: tuple[str, ...] = ()
    rule_arms: tuple[str, ...] = ()
    randomised: bool = False
    strata: tuple[str, ...] = ()
    confounders: tuple[str, ...] = ()
    threshold: float = 0.0
    groups: int = 4
    bootstrap: int = 500
    start: str = ""
    measured_at: dict[str, str] = field(default_factory=dict)
    prior_use: str = ""
    selected_on: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_learners(self.learners, "benefit.learners")
        check_base(self.base, "benefit")
        least = {"folds": 2, "repeats": 1, "seed": 0, "min_level": 2, "groups": 2, "bootstrap": 2}
        for name, value in least.items():
            if getattr(self, name) < value:
                raise ConfigError(f"{name} = {getattr(self, name)}", where="benefit", allowed=f"at least {value}")
        if not 0.0 < self.trim < 0.5:
            raise ConfigError(f"trim = {self.trim:g}", where="benefit", allowed="between 0 and 0.5, both excluded")
        if not self.threshold >= 0.0:
            raise ConfigError(f"threshold = {self.threshold:g}", where="benefit", allowed="zero or positive")
        if self.horizon is not None and not 0.0 < self.horizon < float("inf"):
            raise ConfigError(f"horizon = {self.horizon:g}", where="benefit", allowed="a positive time")
        if not self.markers:
            raise ConfigError("markers = []", where="benefit", allowed="at least one name or pattern")
        self._check_arms()

    def _check_arms(self) -> None:
        for name in ("arms", "rule_arms"):
            values = getattr(self, name)
            if self.control in values or len(set(values)) < len(values):
                raise ConfigError(f"{name} = {list(values)}", where="benefit", allowed="every arm but control, once")
        if self.arms and (wrong := [a for a in self.rule_arms if a not in self.arms]):
            raise ConfigError(f"rule_arms = {wrong}", where="benefit", allowed=", ".join(self.arms))
        if self.randomised and self.confounders:
            raise ConfigError(
                f"confounders = {list(self.confounders)}",
                where="benefit",
                allowed="none where treatment was drawn by lot",
                todo="name what the lot depended on as strata, or set randomised = false",
            )
        if self.strata and not self.randomised:
            raise ConfigError(
                f"strata = {list(self.strata)}",
                where="benefit",
                allowed="with randomised = true only",
                todo="name what treatment was chosen by as confounders",
            )
