"""The honest protocol: every learned step happens inside the fold.

For each outer fold, the training part alone decides how sites are brought together, what is imputed, which columns
there are and how they are scaled, which setting of the model is best (by inner cross-validation, in which all of this
happens again) and what the model is. The held-out part is looked at once, to be predicted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from radiolocus.learn.models import MODELS, family_of
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.splits import Rowwise, bootstrap_rows, outer_folds, seed_of
from radiolocus.learn.target import Target
from radiolocus.learn.tune import TunedModel, fit_tuned
from radiolocus.model import Array

__all__ = [
    "Bag",
    "Protocol",
    "ProtocolOptions",
    "Repeat",
    "TunedModel",
    "bootstrap_fit",
    "cross_validate",
    "family_of",
    "fit_tuned",
]


@dataclass(frozen=True, eq=False)
class Repeat:
    """One repetition of the outer split.

    Parameters
    ----------
    fold : ndarray of int64, shape (n,)
        Fold that held each subject out; −1: none did.
    prediction : ndarray, shape (n,)
        By the model that did not see the subject; NaN where nobody held him out.
    threshold : ndarray, shape (n,)
        Risk-group threshold of that model.
    models : tuple of TunedModel
        One a fold.
    notes : tuple of (str, str, int)
        Item concerned, what happened, in how many outer fits.
    probability : ndarray, shape (n, K), or None
        Of each class, where the endpoint is one.
    """

    fold: npt.NDArray[np.int64]
    prediction: Array
    threshold: Array
    models: tuple[TunedModel, ...]
    notes: tuple[tuple[str, str, int], ...] = ()
    probability: Array | None = None


@dataclass(frozen=True, eq=False)
class Bag:
    """A model of one bootstrap sample, and what it predicts for everybody.

    Parameters
    ----------
    times : ndarray of int64, shape (n,)
        How often each row was drawn; 0: it was left out.
    prediction : ndarray, shape (n,)
    model : TunedModel
    notes : tuple of (str, str, int)
    """

    times: npt.NDArray[np.int64]
    prediction: Array
    model: TunedModel
    notes: tuple[tuple[str, str, int], ...] = ()


@dataclass(frozen=True)
class Protocol:
    """The whole protocol as one thing: how subjects are divided, and everything that a training part is asked.

    split → harmonise → impute → filter → select → scale → fit → tune, each learned from training subjects alone.

    Parameters
    ----------
    options : ProtocolOptions
    model : str
        A name of :data:`radiolocus.learn.models.MODELS`.
    """

    options: ProtocolOptions = field(default_factory=ProtocolOptions)
    model: str = "elastic_net"

    def steps(self) -> tuple[tuple[str, str], ...]:
        """Each step by name, and what it does here, in its order."""
        o = self.options
        split = {
            "kfold": f"{o.repeats} × {o.folds} folds, stratified, by patient",
            "site": f"each {o.site or 'site'} held out in turn",
            "temporal": f"the latest {o.temporal_test:.0%} by {o.date or 'date'} held out",
            "bootstrap": f"{o.resamples} bootstrap samples of patients: optimism, .632, .632+",
        }[o.split]
        chosen = {
            "none": "none",
            "stability": f"stability, {o.stability_draws} pairs of halves, {o.stability_threshold:.0%}, at most "
            f"{o.stability_errors:g} in error",
        }.get(o.select, f"{o.select}, at most {o.select_count}")
        same = f", one value in more than {o.max_same:.0%}" if o.max_same < 1.0 else ""
        return (
            ("split", split),
            ("harmonise", f"ComBat by {o.harmonise}" if o.harmonise else "none"),
            ("impute", "median; most frequent category"),
            (
                "filter",
                f"constant{same}; univariate score, {o.screen} strongest; one of those with |ρ| ≥ {o.redundancy:g}",
            ),
            ("select", chosen),
            ("scale", "mean 0, standard deviation 1"),
            ("fit", MODELS[self.model].name),
            ("tune", f"{o.inner_folds} inner folds, rule {o.penalty_rule}"),
        )

    def fit(
        self, training: Predictors, target: Target, seed: np.random.SeedSequence, rows: Rowwise | None = None
    ) -> TunedModel:
        """Learn everything from a training part; see :func:`fit_tuned`."""
        return fit_tuned(training, target, self.options, seed, rows.patient if rows else None, self.model)

    def run(self, predictors: Predictors, target: Target, repeat: int = 0, rows: Rowwise | None = None) -> Repeat:
        """Hold out and predict, once; see :func:`cross_validate`."""
        patient = rows.patient if rows else None
        return cross_validate(predictors, target, self.options, repeat, patient, model=self.model, rows=rows)

    def draw(self, predictors: Predictors, target: Target, draw: int, rows: Rowwise | None = None) -> Bag:
        """Fit one bootstrap sample; see :func:`bootstrap_fit`."""
        return bootstrap_fit(predictors, target, self.options, draw, rows.patient if rows else None, model=self.model)


def cross_validate(
    predictors: Predictors,
    target: Target,
    options: ProtocolOptions,
    repeat: int = 0,
    groups: npt.ArrayLike | None = None,
    *,
    model: str = "elastic_net",
    rows: Rowwise | None = None,
) -> Repeat:
    """Run one repetition of the outer split; a pure function of its arguments.

    Parameters
    ----------
    predictors : Predictors
        Of n rows.
    target : Target
        Of the same rows.
    options : ProtocolOptions
    repeat : int
        Number of the repetition: other repetitions have other folds.
    groups : array_like, shape (n,), optional
        Patient of each row, when a patient has several (visits). Rows of a patient are never split.
    model : str
        A name of :data:`radiolocus.learn.models.MODELS`.
    rows : Rowwise, optional
        Sites and dates, for the splits that need them.

    Raises
    ------
    FitError
        Too few events, or no usable partition.
    InputError
        A site or date that the split needs is absent.
    """
    target.check()
    labels = None if groups is None else np.asarray(groups)
    known = rows or Rowwise()
    outer = outer_folds(target, options, repeat, Rowwise(labels, known.site, known.date))
    prediction, threshold = np.full(target.n, np.nan), np.full(target.n, np.nan)
    classes = target.classes if target.time is None and not target.number else 0
    probability = np.full((target.n, classes), np.nan) if classes else None
    models, told = [], [("", note) for note in outer.notes]
    for k in range(outer.count):
        training, held_out = outer.fold != k, outer.fold == k
        fitted = fit_tuned(
            predictors.take(training),
            target.take(training),
            options,
            seed_of(options, repeat, k),
            None if labels is None else labels[training],
            model,
        )
        part = predictors.take(held_out)
        prediction[held_out] = fitted.predict(part)
        threshold[held_out] = fitted.threshold
        if probability is not None:
            probability[held_out] = fitted.probability(part)
        models.append(fitted)
        told += [*fitted.notes, *fitted.told(part)]
    return Repeat(outer.fold, prediction, threshold, tuple(models), _counted(told), probability)


def bootstrap_fit(
    predictors: Predictors,
    target: Target,
    options: ProtocolOptions,
    draw: int,
    groups: npt.ArrayLike | None = None,
    *,
    model: str = "elastic_net",
) -> Bag:
    """Fit a bootstrap sample of patients and predict everybody; a pure function of its arguments.

    Copies of a patient stay together in the inner folds: apart, they would tell the tuning what it is to find out.

    Parameters
    ----------
    predictors, target, options, groups, model
        As in :func:`cross_validate`.
    draw : int
        Number of the sample, from 1; 0: everybody once (the apparent performance).

    Raises
    ------
    FitError
        No sample that can be fitted and judged.
    """
    target.check()
    labels = np.arange(target.n) if groups is None else np.asarray(groups)
    rows, notes = bootstrap_rows(target, options, draw, labels)
    fitted = fit_tuned(
        predictors.take(rows), target.take(rows), options, seed_of(options, draw, 0), labels[rows], model
    )
    times = np.bincount(rows, minlength=target.n).astype(np.int64)
    told = [*(("", note) for note in notes), *fitted.notes, *fitted.told(predictors.take(times == 0))]
    return Bag(times, fitted.predict(predictors), fitted, _counted(told))


def _counted(notes: Iterable[tuple[str, str]]) -> tuple[tuple[str, str, int], ...]:
    return tuple((item, note, count) for (item, note), count in Counter(notes).items())
