"""How a model is fitted and judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from radiolocus.errors import ConfigError

__all__ = ["ProtocolOptions"]


@dataclass(frozen=True)
class ProtocolOptions:
    """The honest protocol: everything that is learned is learned inside the fold.

    The elastic net mixes both penalties half and half by default: imaging features come in correlated groups, among
    which a pure lasso picks one by accident and a pure ridge none (Zou & Hastie 2005, J R Stat Soc B 67:301).

    Parameters
    ----------
    repeats : int
        Repetitions of the outer cross-validation, each with other folds.
    folds : int
        Outer folds; fewer when there are too few events.
    inner_folds : int
        Folds inside each training part, by which the penalty is chosen.
    seed : int
        Of folds and bootstrap.
    bootstrap : int
        Bootstrap draws of subjects for each interval.
    l1_ratio : float
        Share of the l1 penalty, 0 (ridge) to 1 (lasso).
    penalties : int
        Penalties tried, evenly spaced in the logarithm.
    penalty_ratio : float
        Smallest penalty tried, relative to the smallest one that leaves every predictor out.
    penalty_rule : {"min", "1se"}
        The penalty of least inner deviance, or the largest one within one standard error of it.
    ties : {"efron", "breslow"}
        Treatment of tied event times in the Cox model.
    max_missing : float
        Predictors with a larger fraction missing in the training part are left out.
    missing_indicator : bool
        Add a column that says where a numeric predictor was missing.
    min_level : int
        Categories seen in fewer training subjects have no column of their own: they count as the most frequent one.
    redundancy : float
        Of training columns that all correlate (Spearman) at least so strongly, one is kept; 1 keeps all but copies.
    screen : int
        At most so many columns, those with the strongest univariate score in the training part, go on to redundancy.
    ridge_up_to : int
        Models of at most so many columns are fitted by ridge: with few columns, leaving some out gains nothing.
    """

    repeats: int = 5
    folds: int = 5
    inner_folds: int = 5
    seed: int = 1
    bootstrap: int = 1000
    l1_ratio: float = 0.5
    penalties: int = 30
    penalty_ratio: float = 0.05
    penalty_rule: Literal["min", "1se"] = "min"
    ties: Literal["efron", "breslow"] = "efron"
    max_missing: float = 0.3
    missing_indicator: bool = False
    min_level: int = 3
    redundancy: float = 0.95
    screen: int = 1000
    ridge_up_to: int = 5

    def __post_init__(self) -> None:
        least = {"repeats": 1, "folds": 2, "inner_folds": 2, "seed": 0, "bootstrap": 2}
        least |= {"penalties": 2, "min_level": 1, "screen": 1, "ridge_up_to": 0}
        for name, value in least.items():
            if getattr(self, name) < value:
                raise ConfigError(f"{name} = {getattr(self, name)}", where="outcome", allowed=f"at least {value}")
        ranges = {
            "l1_ratio": (0.0 <= self.l1_ratio <= 1.0, "0 to 1"),
            "penalty_ratio": (0.0 < self.penalty_ratio < 1.0, "between 0 and 1, both excluded"),
            "max_missing": (0.0 <= self.max_missing < 1.0, "0 to 1, 1 excluded"),
            "redundancy": (0.0 < self.redundancy <= 1.0, "0 to 1, 0 excluded"),
            "penalty_rule": (self.penalty_rule in ("min", "1se"), "min, 1se"),
            "ties": (self.ties in ("efron", "breslow"), "efron, breslow"),
        }
        for name, (inside, allowed) in ranges.items():
            if not inside:
                raise ConfigError(f"{name} = {getattr(self, name)}", where="outcome", allowed=allowed)
