"""The models that a study file can name."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection, Sequence

import numpy as np

from radiolocus.errors import ConfigError
from radiolocus.learn.aft import Aft
from radiolocus.learn.blockwise import Fusion
from radiolocus.learn.competing import CauseSpecificCox, FineGray
from radiolocus.learn.counting import CoxRidge
from radiolocus.learn.cox import CoxNet
from radiolocus.learn.discrete import DiscreteTime
from radiolocus.learn.factors import CanonicalScores, FactorScores
from radiolocus.learn.families import family_of, with_baseline
from radiolocus.learn.gaussian import GaussianNet
from radiolocus.learn.group_lasso import SparseGroupLasso
from radiolocus.learn.interface import Fitted, Learner, Setting
from radiolocus.learn.ipf import Ipf
from radiolocus.learn.linear import LinearFit, penalty_grid
from radiolocus.learn.logistic import LogisticNet
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.ordinal import Multinomial, Ordinal
from radiolocus.learn.stacking import Stacked
from radiolocus.learn.survival_forest import SurvivalForest
from radiolocus.learn.target import Kind, Target
from radiolocus.learn.trees import Boosting, Forest
from radiolocus.learn.xgb import XgboostAft, XgboostCox
from radiolocus.model import Array
from radiolocus.registry import Registry

__all__ = ["MODELS", "Net", "alone", "check_models", "display_name", "family_of", "models_for", "with_baseline"]


class Net(Learner):
    """Elastic net, lasso or ridge of a Cox, logistic or linear model; its penalty is tuned along a path."""

    kinds = frozenset({"survival", "binary", "continuous"})
    shrinks = True

    def __init__(self, key: str, name: str, l1_ratio: float | None) -> None:
        self.key, self.name, self.l1_ratio = key, name, l1_ratio  # type: ignore[misc]

    def ratio(self, columns: int, options: ProtocolOptions) -> float:
        """Share of the l1 penalty; the elastic net of few columns is a ridge (``ridge_up_to``)."""
        if self.l1_ratio is not None:
            return self.l1_ratio
        return options.l1_ratio if columns > options.ridge_up_to else 0.0

    def settings(self, X: Array, target: Target, options: ProtocolOptions) -> tuple[Setting, ...]:
        """Penalties, the largest first."""
        ratio = self.ratio(X.shape[1], options)
        slope = float(np.abs(family_of(target, options).slopes(X, target)).max(initial=0.0))
        efron = float(options.ties == "efron")
        return tuple(
            {"penalty": float(v), "l1_ratio": ratio, "efron": efron}
            for v in penalty_grid(slope, ratio, options.penalties, options.penalty_ratio)
        )

    def fit(self, X: Array, target: Target, setting: Setting, seed: int) -> Fitted:
        """Fit one penalty."""
        family: CoxNet | LogisticNet | GaussianNet = GaussianNet() if target.number else LogisticNet()
        if target.kind == "survival":
            family = CoxNet("efron" if setting.get("efron", 1.0) else "breslow")
        if X.shape[1] == 0:
            fit = LinearFit(np.zeros(0), family.null(target), np.inf, setting["l1_ratio"])
        else:
            fit = family.fit(X, target, setting["penalty"], setting["l1_ratio"])
        return with_baseline(fit, X, target, family)


MODELS: Registry[Learner] = Registry("model")
for _learner in (
    Net("elastic_net", "elastic net", None),
    Net("lasso", "lasso", 1.0),
    Net("ridge", "ridge", 0.0),
    Aft("weibull", "Weibull AFT"),
    Aft("lognormal", "log-normal AFT"),
    Aft("loglogistic", "log-logistic AFT"),
    DiscreteTime(),
    CoxRidge(),
    CauseSpecificCox(),
    FineGray(),
    SurvivalForest(),
    XgboostCox(),
    XgboostAft(),
    Ordinal(),
    Multinomial(),
    Boosting(),
    Forest(),
    Ipf("ipf_lasso", "IPF-lasso", 1.0),
    Ipf("ipf_ridge", "IPF-ridge", 0.0),
    SparseGroupLasso(),
    Stacked(),
    FactorScores(),
    CanonicalScores(),
):
    MODELS.add(_learner.key, _learner)


def check_models(names: Sequence[str], where: str = "outcome.models") -> None:
    """Refuse models that nobody knows, that are named twice, or whose package is not installed.

    Raises
    ------
    ConfigError
    """
    for name in names:
        try:
            learner = MODELS[name]
        except ConfigError as error:
            raise error.at(where) from None
        if learner.needs and importlib.util.find_spec(learner.needs) is None:
            raise ConfigError(
                f"model '{name}' needs the package {learner.needs}, which is not installed",
                where=where,
                todo='pip install "radiolocus[boost]", or choose other models',
            )
    if not names or len(set(names)) < len(names):
        raise ConfigError(f"models = {list(names)}", where=where, allowed="at least one, every one once")


def models_for(kind: Kind, names: Sequence[str], needs: Collection[str] = ()) -> tuple[str, ...]:
    """Those of `names` that predict endpoints of a kind and know what it `needs` (entry, strata, weights), in order."""
    return tuple(name for name in names if kind in MODELS[name].kinds and MODELS[name].knows.issuperset(needs))


def alone(key: str) -> str:
    """Model that stands for another where there is one block of predictors: a fusion of one block is its base."""
    learner = MODELS[key]
    return learner.base if isinstance(learner, Fusion) else key


def display_name(key: str, kind: Kind) -> str:
    """Name of a model in tables; of a penalised linear one with the family of its endpoint."""
    learner = MODELS[key]
    if isinstance(learner, Net):
        family = {"survival": "Cox", "continuous": "linear"}.get(kind, "logistic")
        return f"{learner.name.replace(' ', '-')} {family}"
    return learner.name
