"""What a training part makes of networks: one for each inner fold, which stops it early, and their mean.

Each inner fold is the validation part of one network and the training part of the others; scale and columns are learned
anew without it. Every training patient is so predicted once by a network that did not learn from him: from those
predictions come the baseline hazard and the threshold of risk groups, which fitted values would draw apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from radiolocus.errors import ConfigError, UndefinedError
from radiolocus.learn.deep_data import DeepData, Numbers, Ready, prepare
from radiolocus.learn.deep_loss import head_of, risk_of
from radiolocus.learn.deep_options import DeepOptions
from radiolocus.learn.deep_torch import check_torch, pytorch
from radiolocus.learn.deep_train import Network, outputs_of, train
from radiolocus.learn.folds import draw_folds
from radiolocus.learn.linear import Baseline
from radiolocus.learn.target import Target
from radiolocus.model import Array, BoolArray
from radiolocus.stats.discrete import survival_from_logits

__all__ = ["KINDS", "DeepModel", "Member", "Predicted", "fit_deep"]

#: Endpoints that networks can predict.
KINDS = ("survival", "binary")

_IDLE = "a network predicted its validation part no better than its linear part alone, and stays there"


@dataclass(frozen=True, eq=False)
class Member:
    """A network, and how its input is made ready."""

    ready: Ready
    network: Network

    def risk(self, outputs: Array) -> Array:
        """Risk from the outputs of the network, shape (n,)."""
        return np.asarray(risk_of(self.network.head, pytorch().as_tensor(outputs)).numpy())


@dataclass(frozen=True, eq=False)
class Predicted:
    """What the networks of a model say of some patients.

    Parameters
    ----------
    outputs : ndarray, shape (networks, n, J)
    risk : ndarray, shape (n,)
        Mean over networks: log relative hazard, logit of the probability, or log cumulative hazard.
    attention : ndarray, shape (n, modalities)
        Mean share of each modality; of one that a network goes without, zero.
    """

    outputs: Array
    risk: Array
    attention: Array


@dataclass(frozen=True, eq=False)
class DeepModel:
    """Networks of one training part.

    Parameters
    ----------
    members : tuple of Member
        One an inner fold.
    threshold : float
        Median risk of the training patients, each by the network that did not see him.
    baseline : Baseline or None
        Of a Cox model.
    device : str
    notes : tuple of (str, str)
        Item concerned (empty: the whole model), and what happened.
    """

    members: tuple[Member, ...]
    threshold: float
    baseline: Baseline | None
    device: str = "auto"
    notes: tuple[tuple[str, str], ...] = field(default=())

    def predict(self, data: DeepData, only: str = "") -> Predicted:
        """Predict any patients; `only` from one modality, as if they had no other."""
        parts = []
        for member in self.members:
            arrays = member.ready.apply(data)
            outputs, attention = outputs_of(member.network, arrays.only(only) if only else arrays, self.device)
            shares = dict(zip(member.ready.names, attention.T, strict=True))
            named = np.column_stack([shares.get(name, np.zeros(data.n)) for name in data.names])
            parts.append((outputs, member.risk(outputs), named))
        return Predicted(
            np.stack([p[0] for p in parts]),
            np.mean([p[1] for p in parts], axis=0),
            np.mean([p[2] for p in parts], axis=0),
        )

    def survival(self, predicted: Predicted, times: npt.ArrayLike) -> Array:
        """Probability of no event by each time, shape (n, t).

        Raises
        ------
        UndefinedError
            The endpoint is binary.
        """
        if self.baseline is not None:
            return self.baseline.survival(predicted.risk, times)
        heads = [member.network.head for member in self.members]
        if heads[0].kind != "discrete":
            raise UndefinedError("survival from a model of classes", allowed="the logit of the probability")
        parts = [
            survival_from_logits(o, np.array(h.ends), times) for h, o in zip(heads, predicted.outputs, strict=True)
        ]
        return np.asarray(np.mean(parts, axis=0))


def fit_deep(
    data: DeepData,
    target: Target,
    options: DeepOptions,
    seed: np.random.SeedSequence,
    checkpoints: Path | None = None,
    step: Callable[[int], None] = lambda _: None,
) -> DeepModel:
    """Learn everything from a training part: scale, columns, networks, threshold, baseline hazard.

    Parameters
    ----------
    data : DeepData
    target : Target
        Survival or binary, of the same patients.
    options : DeepOptions
    seed : numpy.random.SeedSequence
    checkpoints : Path, optional
        Beginning of the names of the files that keep the state of each network.
    step : callable
        Called after every pass of every network.

    Raises
    ------
    ConfigError
        PyTorch is not installed; another kind of endpoint; a device that is not there.
    FitError
        Too few patients with any modality, too few events, a loss that is no number.
    """
    check_torch()
    if target.kind not in KINDS:
        raise ConfigError(f"a network for a {target.kind} endpoint", where="deep", allowed=", ".join(KINDS))
    if target.needs:
        got = f"an endpoint with {', '.join(sorted(target.needs))}, which networks do not know"
        raise ConfigError(got, where="deep", todo="leave this endpoint out, or give it without them")
    inner = draw_folds(target, options.inner_folds, seed)
    notes = [("", f"inner folds: {note}") for note in inner.notes]
    members, risk = [], np.empty(target.n)
    for k in range(inner.count):
        held = inner.fold == k
        own = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, k))
        place = None if checkpoints is None else checkpoints.with_name(f"{checkpoints.name}-{k}.npz")
        member, told = _member(data, target, held, options, own, place, step)
        notes += told
        members.append(member)
        risk[held] = member.risk(outputs_of(member.network, member.ready.apply(data.take(held)), options.device)[0])
    baseline = None
    if members[0].network.head.kind == "cox" and target.time is not None:
        baseline = Baseline(target.time, target.event, risk, options.ties)
    return DeepModel(tuple(members), float(np.median(risk)), baseline, options.device, tuple(notes))


def _member(
    data: DeepData,
    target: Target,
    held: BoolArray,
    options: DeepOptions,
    seed: np.random.SeedSequence,
    checkpoint: Path | None,
    step: Callable[[int], None],
) -> tuple[Member, list[tuple[str, str]]]:
    """Train the network that an inner fold stops early."""
    part, goal = data.take(~held), target.take(~held)
    ready = prepare(part, goal, options, seed)
    inside, outside = ready.apply(part), ready.apply(data.take(held))
    # Who has none of the modalities that the network has teaches it nothing.
    usable, judged = np.flatnonzero(inside.present.any(axis=1)), target.take(held)
    head = head_of(goal, options.loss)
    linear = {name: ready.linear(name) for name in ready.names if isinstance(data.modalities[name], Numbers)}
    network = train(
        inside.take(usable), goal.take(usable), outside, judged, head, options, seed, linear, checkpoint, step
    )
    return Member(ready, network), [*ready.notes, *([("", _IDLE)] if network.best == 0 else [])]
