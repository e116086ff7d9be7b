"""A locked model, recalibrated in new patients: its slope and its baseline are theirs, its predictors are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from radiolocus.errors import InputError
from radiolocus.learn.target import Target
from radiolocus.model import Array
from radiolocus.outcome.lock import LockedModel
from radiolocus.stats.counting import CountingFit, fit_counting_cox, fit_fine_gray
from radiolocus.stats.logistic import fit_logistic

__all__ = ["recalibrate"]


def recalibrate(model: LockedModel, linear: Array, target: Target) -> LockedModel:
    """Fit the linear predictor of a model as the one covariate, and take slope and baseline (or intercept) over.

    Ranks of patients and their groups stay as they are. Cox's model (Efron) of a survival endpoint, Fine and Gray's
    of competing events, a logistic one of a class.

    Parameters
    ----------
    model : LockedModel
    linear : ndarray, shape (n,)
        Linear predictors of the patients.
    target : Target
        What happened to them; an endpoint of the kind of the model.

    Returns
    -------
    LockedModel
        `settings` tells the patients, events and slope under ``recalibrated``; training stays as it was.

    Raises
    ------
    InputError
        A slope of zero or below: whoever the model puts higher has fewer events here. Or an endpoint with strata.
    FitError
        One linear predictor for all, no event, or predictions that separate the classes.

    References
    ----------
    van Houwelingen, Stat Med 2000;19:3401. Steyerberg et al., Stat Med 2004;23:2567.
    """
    if target.stratum is not None:
        raise InputError("an endpoint with strata", where="recalibration", allowed="one baseline for all")
    if target.time is None:
        classes = fit_logistic(target.event, linear, names=["linear predictor"])
        shift, slope = classes.intercept, float(classes.coefficient[0])
        moments: tuple[float, ...] = ()
        hazard: tuple[float, ...] = ()
    else:
        fit = _timed(target, target.time, linear)
        shift, slope = 0.0, float(fit.coefficient[0])
        only = next(iter(fit.baseline.values()))
        moments = tuple(only.time.tolist())
        hazard = tuple((only.cumulative * np.exp(-slope * fit.mean[0])).tolist())
    if slope <= 0.0:
        raise InputError(
            f"a slope of {slope:.2f}",
            where="recalibration",
            allowed="above 0",
            todo="the model ranks these patients the wrong way round: it needs another model, not another scale",
        )
    told = {"patients": target.n, "events": target.events, "slope": slope, "intercept": shift}
    return replace(
        model,
        model=f"{model.model}, recalibrated",
        columns=tuple(replace(c, coefficient=c.coefficient * slope) for c in model.columns),
        intercept=shift + slope * model.intercept,
        threshold=shift + slope * model.threshold,
        baseline_time=moments,
        baseline_hazard=hazard,
        settings=model.settings | {"recalibrated": told},
    )


def _timed(target: Target, time: Array, linear: Array) -> CountingFit:
    if target.state is not None:
        return fit_fine_gray(time, target.state, linear, 1, names=["linear predictor"])
    return fit_counting_cox(
        time, target.event, linear, entry=target.entry, weights=target.weight, names=["linear predictor"]
    )
