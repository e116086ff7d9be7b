"""How a model is fitted and judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from radiolocus.errors import ConfigError

__all__ = ["ProtocolOptions"]

_SPLITS = ("kfold", "site", "temporal", "bootstrap")
_SELECT = ("none", "univariate", "mrmr", "elastic_net", "stability")


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
        Elastic nets of at most so many columns are fitted by ridge: with few columns, leaving some out gains nothing.
    models : tuple of str
        Models fitted to every set of predictors, each on the same folds; of an endpoint those that can predict it.
    split : {"kfold", "site", "temporal", "bootstrap"}
        Who is held out: folds drawn at random, each site in turn, the latest subjects, or whoever a bootstrap sample
        left out.
    site : str
        Clinical column of the site, for ``split = "site"``.
    date : str
        Clinical column of the date (or a number that rises with it), for ``split = "temporal"``.
    temporal_test : float
        Share of subjects, the latest, that are held out by ``split = "temporal"``.
    resamples : int
        Bootstrap samples of ``split = "bootstrap"``.
    harmonise : str
        Clinical column of the batch (site, scanner) whose differences ComBat takes out of imaging predictors; empty:
        none.
    harmonise_keep : tuple of str
        Clinical columns of numbers whose differences between batches are real and are kept by ComBat.
    max_same : float
        Predictors of which a larger share of the training subjects has one and the same value are left out.
    select : {"none", "univariate", "mrmr", "elastic_net", "stability"}
        How columns are chosen in each training part before the model is fitted.
    select_count : int
        At most so many columns are chosen (univariate, mrmr, elastic_net).
    stability_draws : int
        Pairs of complementary halves of the training part for stability selection.
    stability_threshold : float
        Columns chosen in at least this share of the halves are stable.
    stability_errors : float
        Columns chosen in error that stability selection may be expected to admit, at most.
    permutations : int
        Runs of the whole protocol on a permuted outcome, by which the audit looks for leaks; 0: none.
    shuffles : int
        Shuffles of each predictor among the held-out subjects, for its importance; 0: models are not explained.
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
    models: tuple[str, ...] = ("elastic_net",)
    split: Literal["kfold", "site", "temporal", "bootstrap"] = "kfold"
    site: str = ""
    date: str = ""
    temporal_test: float = 0.3
    resamples: int = 100
    harmonise: str = ""
    harmonise_keep: tuple[str, ...] = ()
    max_same: float = 1.0
    select: Literal["none", "univariate", "mrmr", "elastic_net", "stability"] = "none"
    select_count: int = 20
    stability_draws: int = 50
    stability_threshold: float = 0.75
    stability_errors: float = 1.0
    permutations: int = 5
    shuffles: int = 5

    def __post_init__(self) -> None:
        least = {"repeats": 1, "folds": 2, "inner_folds": 2, "seed": 0, "bootstrap": 2}
        least |= {"penalties": 2, "min_level": 1, "screen": 1, "ridge_up_to": 0}
        least |= {"resamples": 2, "select_count": 1, "stability_draws": 2, "permutations": 0, "shuffles": 0}
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
            "split": (self.split in _SPLITS, ", ".join(_SPLITS)),
            "select": (self.select in _SELECT, ", ".join(_SELECT)),
            "temporal_test": (0.0 < self.temporal_test < 1.0, "between 0 and 1, both excluded"),
            "max_same": (0.0 < self.max_same <= 1.0, "0 to 1, 0 excluded"),
            "stability_threshold": (0.5 < self.stability_threshold <= 1.0, "0.5 to 1, 0.5 excluded"),
            "stability_errors": (self.stability_errors > 0.0, "positive"),
        }
        for name, (inside, allowed) in ranges.items():
            if not inside:
                raise ConfigError(f"{name} = {getattr(self, name)}", where="outcome", allowed=allowed)
        self._check_columns()

    def _check_columns(self) -> None:
        """Each split needs its column."""
        for split, name in (("site", "site"), ("temporal", "date")):
            if self.split == split and not getattr(self, name):
                raise ConfigError(
                    f"split = {split} without a column '{name}'",
                    where="outcome",
                    allowed=f"{name} = the name of a clinical column",
                )
        if self.harmonise_keep and not self.harmonise:
            raise ConfigError("harmonise_keep without harmonise", where="outcome", todo="name the column of the batch")

    @property
    def runs(self) -> int:
        """Independent pieces of work: repetitions; the bootstrap samples and, first, the model of everybody."""
        return {"kfold": self.repeats, "bootstrap": self.resamples + 1}.get(self.split, 1)
