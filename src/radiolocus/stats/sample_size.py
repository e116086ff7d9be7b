"""Subjects needed to develop a prediction model: the criteria of Riley and colleagues."""

from __future__ import annotations

import math
from dataclasses import dataclass

from radiolocus.errors import InputError

__all__ = ["SampleSize", "largest_r2", "needed_binary", "needed_survival"]

_SHRINKAGE, _OPTIMISM, _MARGIN, _Z = 0.9, 0.05, 0.05, 1.959963984540054


@dataclass(frozen=True)
class SampleSize:
    """Subjects that a prediction model needs, by criterion.

    Parameters
    ----------
    shrinkage : int
        So that a uniform shrinkage of at least 0.9 is expected.
    optimism : int
        So that Nagelkerke's R² is at most 0.05 too high.
    risk : int
        So that the risk of everybody together is known to ±0.05.
    r2 : float
        Cox–Snell R² that was assumed.
    largest_r2 : float
        The largest that is possible.
    events : float
        Expected among the subjects that are needed.
    parameters : int
    """

    shrinkage: int
    optimism: int
    risk: int
    r2: float
    largest_r2: float
    events: float
    parameters: int

    @property
    def subjects(self) -> int:
        """By the strictest criterion."""
        return max(self.shrinkage, self.optimism, self.risk)

    @property
    def events_per_parameter(self) -> float:
        """Events for each parameter among them."""
        return self.events / self.parameters


def largest_r2(events: float, binary: bool) -> float:
    """Return the largest possible Cox–Snell R².

    Parameters
    ----------
    events : float
        For each subject: the proportion with the outcome, or events over subjects, above 0 (and below 1 if binary).
    binary : bool
        A binary outcome; else time to event, with the null likelihood of an exponential time.
    """
    null = events * math.log(events) + ((1.0 - events) * math.log1p(-events) if binary else -events)
    return -math.expm1(2.0 * null)


def needed_binary(parameters: int, prevalence: float, r2: float | None = None) -> SampleSize:
    """Subjects needed to develop a model of a binary outcome.

    Parameters
    ----------
    parameters : int
        Candidate parameters: every column that may enter, chosen or not.
    prevalence : float
        Proportion with the outcome, between 0 and 1.
    r2 : float, optional
        Expected Cox–Snell R²; without it 0.15 of the largest possible, which the authors advise where nothing is known.

    Returns
    -------
    SampleSize

    Raises
    ------
    InputError
        A value outside its range.

    References
    ----------
    Riley et al. (2019) Stat Med 38:1276; Riley et al. (2020) BMJ 368:m441.
    """
    _inside("prevalence", prevalence, 0.0 < prevalence < 1.0, "between 0 and 1")
    largest = largest_r2(prevalence, True)
    first, second, r2 = _by_shrinkage(parameters, r2, largest)
    risk = math.ceil((_Z / _MARGIN) ** 2 * prevalence * (1.0 - prevalence))
    n = max(first, second, risk)
    return SampleSize(first, second, risk, r2, largest, n * prevalence, parameters)


def needed_survival(
    parameters: int, rate: float, follow_up: float, horizon: float, r2: float | None = None
) -> SampleSize:
    """Subjects needed to develop a model of time to an event.

    Parameters
    ----------
    parameters : int
        Candidate parameters.
    rate : float
        Events for each unit of time of follow-up.
    follow_up : float
        Mean follow-up, until the event or censoring, in the same unit.
    horizon : float
        Time by which risk shall be predicted, in the same unit.
    r2 : float, optional
        As in :func:`needed_binary`.

    Returns
    -------
    SampleSize

    Raises
    ------
    InputError
        A value outside its range.

    References
    ----------
    Riley et al. (2019) Stat Med 38:1276; Riley et al. (2020) BMJ 368:m441.
    """
    for name, value in (("rate", rate), ("follow_up", follow_up), ("horizon", horizon)):
        _inside(name, value, 0.0 < value < math.inf, "above 0")
    events = rate * follow_up
    largest = largest_r2(events, False)
    first, second, r2 = _by_shrinkage(parameters, r2, largest)
    # The upper end of the interval of an exponential risk lies `_MARGIN` above the risk itself.
    above = -math.log(max(math.exp(-rate * horizon) - _MARGIN, 1e-300)) / horizon - rate
    risk = math.ceil((_Z / above) ** 2 * rate / follow_up)
    n = max(first, second, risk)
    return SampleSize(first, second, risk, r2, largest, n * events, parameters)


def _by_shrinkage(parameters: int, r2: float | None, largest: float) -> tuple[int, int, float]:
    _inside("parameters", parameters, parameters >= 1, "at least 1")
    r2 = 0.15 * largest if r2 is None else r2
    _inside("r2", r2, 0.0 < r2 < min(largest, _SHRINKAGE), f"between 0 and {min(largest, _SHRINKAGE):.4g}, the largest")
    tight = r2 / (r2 + _OPTIMISM * largest)
    first, second = (math.ceil(parameters / ((s - 1.0) * math.log1p(-r2 / s))) for s in (_SHRINKAGE, tight))
    return first, second, r2


def _inside(name: str, value: float, fine: bool, allowed: str) -> None:
    if not fine:
        raise InputError(f"{name} = {value}", where="sample size", allowed=allowed)
