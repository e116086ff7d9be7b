"""What out-of-fold models lean on: contributions to predictions, and what shuffling a predictor costs.

Both are taken among the subjects that a model did not see. A predictor stands for all columns made of it: the number
and the column that says where it was missing, or all levels of a category.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radiolocus.learn.discrimination import ratio, within_fold_blocks, within_fold_concordant, within_fold_pairs
from radiolocus.learn.explain import contributions
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.target import Rows, Target
from radiolocus.learn.tune import TunedModel
from radiolocus.model import Array
from radiolocus.stats.resampling import bootstrap_weights

__all__ = ["MOST", "Explained", "Importance", "OuterFit", "explain_repeat", "outer_fits", "shuffled_repeat"]

#: Predictors that are shuffled, at most: those with the largest mean absolute contribution.
MOST = 50
# Numbers of shuffled columns in memory at a time.
_BLOCK = 1 << 22


@dataclass(frozen=True, eq=False)
class OuterFit:
    """A model of one outer fold, and what it was fitted to and asked.

    Parameters
    ----------
    model : TunedModel
    training, held_out : ndarray, shapes (m, p), (k, p)
        Standardised columns.
    rows : ndarray, shape (k,)
        Subjects held out.
    made_of : dict of (str, str) to ndarray
        Predictor and its block, and the columns made of it that the model uses.
    """

    model: TunedModel
    training: Array
    held_out: Array
    rows: Rows
    made_of: dict[tuple[str, str], Rows]


@dataclass(frozen=True, eq=False)
class Explained:
    """Contributions of predictors to the out-of-fold predictions of one repetition.

    Parameters
    ----------
    predictors : tuple of (str, str)
        Name and block.
    value : ndarray, shape (n, q)
    base : ndarray, shape (n,)
        Mean prediction in the training part of each subject's fold.
    scale : str
        See :class:`radiolocus.learn.explain.Contributions`.
    """

    predictors: tuple[tuple[str, str], ...]
    value: Array
    base: Array
    scale: str


@dataclass(frozen=True, eq=False)
class Importance:
    """What shuffling a predictor takes off C or AUC.

    Parameters
    ----------
    predictor : tuple of (str, str)
    drop : float
        Mean over shuffles.
    draws : ndarray, shape (B,)
        In bootstrap draws of the subjects.
    """

    predictor: tuple[str, str]
    drop: float
    draws: Array


def outer_fits(models: Sequence[TunedModel], predictors: Predictors, fold: npt.NDArray[np.int64]) -> list[OuterFit]:
    """Lay out the models of one repetition with their training and held-out parts.

    Parameters
    ----------
    models : sequence of TunedModel
        One a fold.
    predictors : Predictors
    fold : ndarray of int64, shape (n,)
    """
    fits = []
    for k, model in enumerate(models):
        part = predictors.take(fold != k)
        used = np.flatnonzero(np.asarray(model.fit.coefficient) != 0)
        owners = model.preprocess.described(part)
        made_of: dict[tuple[str, str], list[int]] = {}
        for j in used.tolist():
            made_of.setdefault((owners[j]["predictor"], owners[j]["block"]), []).append(j)
        held_out = model.preprocess.apply(predictors.take(fold == k))
        columns = {name: np.array(own, dtype=np.intp) for name, own in made_of.items()}
        fits.append(OuterFit(model, model.preprocess.apply(part), held_out, np.flatnonzero(fold == k), columns))
    return fits


def explain_repeat(fits: Sequence[OuterFit], n: int) -> Explained | None:
    """Contributions to the out-of-fold predictions; None where a model has none (see :mod:`.explain`)."""
    names = tuple(dict.fromkeys(name for fit in fits for name in fit.made_of))
    place = {name: q for q, name in enumerate(names)}
    value, base, scale = np.zeros((n, len(names))), np.full(n, np.nan), ""
    for fit in fits:
        found = contributions(fit.model.fit, fit.training, fit.held_out)
        if found is None:
            return None
        base[fit.rows] = found.base
        scale = found.scale if fit.made_of or not scale else scale
        for name, columns in fit.made_of.items():
            value[fit.rows, place[name]] = found.value[:, columns].sum(axis=1)
    return Explained(names, value, base, scale)


def shuffled_repeat(
    target: Target,
    fits: Sequence[OuterFit],
    prediction: Array,
    fold: npt.NDArray[np.int64],
    names: Sequence[tuple[str, str]],
    *,
    shuffles: int = 5,
    draws: int = 200,
    seed: Sequence[int] = (1,),
) -> list[Importance]:
    """Shuffle each predictor among the held-out subjects of each fold, and say what is lost.

    Parameters
    ----------
    target : Target
        Survival, binary or ordinal.
    fits : sequence of OuterFit
    prediction : ndarray, shape (n,)
        Out of fold.
    fold : ndarray of int64, shape (n,)
    names : sequence of (str, str)
        Predictors to shuffle.
    shuffles : int
        The same for every predictor.
    draws : int
        Bootstrap draws of subjects; the first number of `seed` draws them.
    seed : sequence of int

    Returns
    -------
    list of Importance
        In the order of `names`.

    References
    ----------
    Breiman, Mach Learn 2001;45:5. Fisher, Rudin & Dominici, J Mach Learn Res 2019;20:177.
    """
    blocks = within_fold_blocks(target, prediction, fold)
    stratum = None if target.time is not None else target.event
    drawn = np.concatenate(list(bootstrap_weights(target.n, draws, seed[0], stratum=stratum))).astype(np.float64)
    weights = np.vstack([np.ones((1, target.n)), drawn])
    pairs = within_fold_pairs(blocks, weights)
    whole = within_fold_concordant(blocks, weights)
    changed = {name: list(blocks) for name in names}
    for k, fit in enumerate(fits):
        orders = _orders(len(fit.rows), shuffles, [*seed, k])
        mine = [name for name in names if name in fit.made_of]
        first, rows, comparable, _ = blocks[k]
        for name, shuffled in zip(mine, _shuffled(fit, mine, orders), strict=True):
            score = np.empty((shuffles, target.n))
            score[:, fit.rows] = shuffled
            higher = 0.5 * (1.0 + np.sign(score[:, first][:, :, None] - score[:, rows][:, None, :]).mean(axis=0))
            changed[name][k] = (first, rows, comparable, comparable * higher)
    found = []
    for name in names:
        lost = ratio(whole - within_fold_concordant(changed[name], weights), pairs)
        found.append(Importance(name, float(lost[0]), lost[1:]))
    return found


def _orders(k: int, shuffles: int, seed: Sequence[int]) -> npt.NDArray[np.intp]:
    generator = np.random.default_rng(np.random.SeedSequence([*seed, 0x5A0F]))
    return np.stack([generator.permutation(k) for _ in range(shuffles)])


def _shuffled(fit: OuterFit, names: Sequence[tuple[str, str]], orders: npt.NDArray[np.intp]) -> list[Array]:
    """Predictions with the columns of each predictor shuffled, shape (shuffles, k) for each."""
    shuffles, k = orders.shape
    step = max(1, _BLOCK // max(1, shuffles * fit.held_out.size))
    found: list[Array] = []
    for begin in range(0, len(names), step):
        some = names[begin : begin + step]
        X = np.broadcast_to(fit.held_out, (len(some), shuffles, *fit.held_out.shape)).copy()
        for q, name in enumerate(some):
            columns = fit.made_of[name]
            X[q][:, :, columns] = fit.held_out[orders][:, :, columns]
        predicted = fit.model.fit.predict(X.reshape(-1, fit.held_out.shape[1]))
        found += list(predicted.reshape(len(some), shuffles, k))
    return found
