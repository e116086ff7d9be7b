"""Which linear model a kind of endpoint is predicted with."""

from __future__ import annotations

from dataclasses import replace

from radiolocus.errors import ConfigError
from radiolocus.learn.cox import CoxNet
from radiolocus.learn.gaussian import GaussianNet
from radiolocus.learn.linear import Baseline, Family, LinearFit
from radiolocus.learn.logistic import LogisticNet
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.target import Target
from radiolocus.model import Array

__all__ = ["family_of", "with_baseline"]


def with_baseline(fit: LinearFit, X: Array, target: Target, family: Family) -> LinearFit:
    """Add the baseline hazard of the training part to a Cox model; say of a linear one that it has no classes."""
    if target.number:
        return replace(fit, classes=False)
    if target.time is None or not isinstance(family, CoxNet):
        return fit
    return replace(fit, baseline=Baseline(target.time, target.event, fit.predict(X), family.ties))


def family_of(target: Target, options: ProtocolOptions) -> Family:
    """Return the linear model that a kind of endpoint is predicted with.

    Raises
    ------
    ConfigError
        Several classes, which neither of them predicts.
    """
    if target.levels:
        raise ConfigError(
            f"a linear score of {target.classes} classes",
            where="outcome",
            allowed="a survival or binary endpoint",
            todo="choose models and a selection that know several classes",
        )
    if target.number:
        return GaussianNet()
    return LogisticNet() if target.time is None else CoxNet(options.ties)
