"""What a network is held to: partial likelihood, likelihood of hazards in intervals, log loss.

The numbers are those of the kernels and of :mod:`radiolocus.stats.discrete`; here they have gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from radiolocus.learn.deep_torch import pytorch
from radiolocus.learn.target import Target
from radiolocus.model import Array
from radiolocus.stats.discrete import exposure, interval_ends

__all__ = ["Head", "binary_loss", "cox_loss", "discrete_loss", "head_of", "loss_of", "risk_of"]

# At least so many events an interval, and no more intervals than this.
_EVENTS, _INTERVALS = 4, 10


@dataclass(frozen=True)
class Head:
    """What the network's outputs are.

    Parameters
    ----------
    kind : {"cox", "discrete", "binary"}
    bias : tuple of float
        Outputs of a network that knows nothing: where training starts.
    ends : tuple of float
        Ends of the intervals of ``discrete``.
    """

    kind: str
    bias: tuple[float, ...]
    ends: tuple[float, ...] = ()


def head_of(target: Target, loss: str) -> Head:
    """Choose what the network puts out for a training part.

    Parameters
    ----------
    target : Target
        Survival or binary, of the training part.
    loss : {"cox", "discrete"}
        For a time to event.
    """
    if target.time is None:
        share = (target.events + 0.5) / (target.n + 1.0)
        return Head("binary", (float(np.log(share / (1.0 - share))),))
    if loss == "cox":
        return Head("cox", (0.0,))
    ends = interval_ends(target.time, target.event, int(np.clip(target.events // _EVENTS, 1, _INTERVALS)))
    happened, at_risk = exposure(target.time, target.event == 1, ends)
    share = (happened.sum(axis=0) + 0.5) / (at_risk.sum(axis=0) + 1.0)
    return Head("discrete", tuple(np.log(share / (1.0 - share)).tolist()), tuple(ends.tolist()))


def loss_of(head: Head, outputs: Any, target: Target) -> Any:
    """Loss of some patients: per event of a Cox model, else per patient.

    Parameters
    ----------
    head : Head
    outputs : torch.Tensor, shape (n, J)
    target : Target
        Of the same patients; without an event the loss of a Cox model is zero.
    """
    if target.time is None:
        return binary_loss(outputs[:, 0], target.event) / target.n
    if head.kind == "cox":
        return cox_loss(outputs[:, 0], target.time, target.event) / max(target.events, 1)
    return discrete_loss(outputs, target.time, target.event, np.array(head.ends)) / target.n


def risk_of(head: Head, outputs: Any) -> Any:
    """Risk that orders patients, shape (n,): log relative hazard, logit, or log cumulative hazard of the intervals."""
    torch = pytorch()
    if head.kind == "discrete":
        return torch.log(torch.nn.functional.softplus(outputs).sum(dim=1))
    return outputs[:, 0]


def cox_loss(eta: Any, time: npt.ArrayLike, event: npt.ArrayLike) -> Any:
    """Negative log partial likelihood with Efron's treatment of ties.

    Risk sets are rows of a matrix: sums without an order, which are deterministic on every device.

    Parameters
    ----------
    eta : torch.Tensor, shape (n,)
        Log relative hazards.
    time, event : array_like, shape (n,)

    Returns
    -------
    torch.Tensor
        Scalar; zero without an event.

    References
    ----------
    Efron (1977) J Am Stat Assoc 72:557.
    """
    torch = pytorch()
    times, events = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=np.float64)
    first = np.flatnonzero(events == 1)
    if first.size == 0:
        return eta.sum() * 0.0
    weight = torch.as_tensor(np.log(_efron(times, events, first)), dtype=eta.dtype, device=eta.device)
    rows = torch.as_tensor(first, device=eta.device)
    return torch.logsumexp(eta[None, :] + weight, dim=1).sum() - eta[rows].sum()


def _efron(time: Array, event: Array, first: npt.NDArray[np.intp]) -> Array:
    """Weight of each patient in the denominator of each event, shape (events, n); never all zero in a row."""
    at_risk = (time[None, :] >= time[first][:, None]).astype(np.float64)
    tied = (time[None, :] == time[first][:, None]) & (event == 1)[None, :]
    # The l-th of m tied events sees the others of them as gone for the share l / m.
    rank = np.array([np.sum(time[first][:i] == time[first][i]) for i in range(first.size)])
    weight = at_risk - (rank / tied.sum(axis=1))[:, None] * tied
    return np.asarray(np.where(weight > 0, weight, 0.0) + np.where(weight > 0, 0.0, np.finfo(np.float64).tiny))


def discrete_loss(outputs: Any, time: npt.ArrayLike, event: npt.ArrayLike, ends: Array) -> Any:
    """Negative log-likelihood of logistic hazards in intervals; see :func:`radiolocus.stats.discrete.fit_discrete`.

    Parameters
    ----------
    outputs : torch.Tensor, shape (n, J)
        Logits of the hazard in each interval, of each patient: they need not be proportional.
    time, event : array_like, shape (n,)
    ends : ndarray, shape (J,)

    References
    ----------
    Gensheimer & Narasimhan (2019) PeerJ 7:e6257.
    """
    torch = pytorch()
    happened, at_risk = exposure(np.asarray(time, dtype=np.float64), np.asarray(event) == 1, ends)
    hit, there = (
        torch.as_tensor(a.astype(np.float64), dtype=outputs.dtype, device=outputs.device) for a in (happened, at_risk)
    )
    return (there * torch.nn.functional.softplus(outputs) - hit * outputs).sum()


def binary_loss(logit: Any, event: npt.ArrayLike) -> Any:
    """Negative log-likelihood of a binary endpoint."""
    torch = pytorch()
    label = torch.as_tensor(np.asarray(event, dtype=np.float64), dtype=logit.dtype, device=logit.device)
    return (torch.nn.functional.softplus(logit) - label * logit).sum()
