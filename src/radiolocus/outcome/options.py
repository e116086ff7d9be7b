"""The `[outcome]` section of the study file."""

from __future__ import annotations

from dataclasses import dataclass, field

from radiolocus.cohort.repeatable import IccDemand
from radiolocus.errors import ConfigError
from radiolocus.learn.models import check_models
from radiolocus.learn.options import ProtocolOptions
from radiolocus.outcome.delta_options import DeltaBlock
from radiolocus.outcome.genetic_options import GeneticBlock
from radiolocus.registry import suggest

__all__ = ["STRATEGIES", "OutcomeOptions"]

#: What is done about a block that a subject lacks altogether.
STRATEGIES = ("indicator", "impute", "dropout")


@dataclass(frozen=True)
class OutcomeOptions(ProtocolOptions, IccDemand):
    """Which endpoints are predicted from what, and how the models are fitted and judged.

    Parameters
    ----------
    endpoints : tuple of str
        Endpoints to predict; default: every endpoint of the cohort.
    clinical : tuple of str
        Clinical columns that may predict; none by default, since a clinical table also holds what came after.
    same_subjects : bool
        Judge every block on the subjects that have all blocks, so that blocks can be compared with one another.
    univariate_bootstrap : int
        Bootstrap draws of subjects for the interval of each single predictor.
    horizons : tuple of float
        Times, in the unit of the endpoint, at which AUC(t) and Brier score are taken; default: the median event time.
    measured_at : dict of str to str
        Predictor or block to the clinical column that holds when it was measured, as time since time zero in the unit
        of the endpoint; the audit compares it with the outcome.
    selected_on : dict of str to tuple of str
        Predictor, pattern of predictors (``*``) or block to the endpoints that it was selected on beforehand.
        Predicting one of those from it is an error.
    combine : tuple of str
        Further sets of blocks, such as ``clinical+molecular``; ``pairs``: every two blocks.
    missing_modality : tuple of {"indicator", "impute", "dropout"}
        How all blocks also predict whoever lacks some of them: imputed inside the fold with or without a column that
        says who lacks the block, or by models that do without it (``stacked``).
    thresholds : tuple of float
        Risks at which the net benefit of two sets of predictors is compared; default: the observed risk.
    genetic : GeneticBlock or None
        Genotypes as a block of predictors: dosages, given scores, components.
    delta : DeltaBlock or None
        Change from baseline to a visit as a block of predictors; endpoints are counted from that visit then.
    """

    endpoints: tuple[str, ...] = ()
    clinical: tuple[str, ...] = ()
    same_subjects: bool = False
    univariate_bootstrap: int = 1000
    horizons: tuple[float, ...] = ()
    measured_at: dict[str, str] = field(default_factory=dict)
    selected_on: dict[str, tuple[str, ...]] = field(default_factory=dict)
    combine: tuple[str, ...] = ()
    missing_modality: tuple[str, ...] = ()
    thresholds: tuple[float, ...] = ()
    genetic: GeneticBlock | None = None
    delta: DeltaBlock | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_icc("outcome")
        check_models(self.models)
        if self.univariate_bootstrap < 2:
            raise ConfigError(
                f"univariate_bootstrap = {self.univariate_bootstrap}", where="outcome", allowed="at least 2"
            )
        if any(not 0.0 < t < float("inf") for t in self.horizons) or len(set(self.horizons)) < len(self.horizons):
            raise ConfigError(
                f"horizons = {list(self.horizons)}", where="outcome", allowed="positive times, every one once"
            )
        self._check_fusion()
        for name in ("endpoints", "clinical", "combine", "missing_modality", "thresholds"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ConfigError(f"{name} = {list(values)}", where="outcome", allowed="every name once")

    def _check_fusion(self) -> None:
        """Strategies that are known, and models that take them."""
        for name in self.missing_modality:
            if name not in STRATEGIES:
                raise ConfigError(
                    f"missing_modality = '{name}'",
                    where="outcome",
                    allowed=", ".join(STRATEGIES),
                    todo=suggest(name, STRATEGIES),
                )
        if "dropout" in self.missing_modality and "stacked" not in self.models:
            raise ConfigError(
                "missing_modality = 'dropout' without a model that does without a block",
                where="outcome",
                allowed="'stacked' among models",
                todo="add 'stacked' to models, or take 'impute' or 'indicator'",
            )
        if any(not 0.0 < p < 1.0 for p in self.thresholds):
            raise ConfigError(
                f"thresholds = {list(self.thresholds)}", where="outcome", allowed="between 0 and 1, both excluded"
            )
