"""Training of one network: batches, dropout of modalities, early stopping, checkpoints.

Every random number of a pass comes from its seed and number alone, so that a run that was interrupted goes on as if it
had not been, and the same seed gives the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from radiolocus.errors import FitError, FormatError
from radiolocus.learn.deep_checkpoint import read_checkpoint, write_checkpoint
from radiolocus.learn.deep_data import Arrays
from radiolocus.learn.deep_loss import Head, loss_of
from radiolocus.learn.deep_network import LINEAR, Design, Parameters, design_of, first_parameters, forward, tensors
from radiolocus.learn.deep_options import DeepOptions
from radiolocus.learn.deep_torch import device_of, pytorch, reproducible
from radiolocus.learn.target import Target
from radiolocus.model import Array, BoolArray
from radiolocus.store import digest

__all__ = ["Network", "outputs_of", "train"]

_EVERY = 5
_PART = 256
_LARGEST_STEP = 5.0


@dataclass(frozen=True, eq=False)
class Network:
    """A trained network.

    Parameters
    ----------
    design : Design
    head : Head
    parameters : dict of str to ndarray
        Those of the pass with the lowest loss in the validation part.
    history : ndarray, shape (passes + 1, 2)
        Loss of the training part (under dropout) and of the validation part after each pass; the first row, before
        any: the loss of the linear part alone.
    best : int
        The pass that was kept; 0: none was better than the linear part alone.
    """

    design: Design
    head: Head
    parameters: Parameters
    history: Array
    best: int

    @property
    def digest(self) -> str:
        """SHA-256 of the parameters."""
        return digest({name: values.tobytes().hex() for name, values in self.parameters.items()})


@dataclass
class _State:
    """What a checkpoint holds."""

    epoch: int
    best: int
    history: list[list[float]]
    parameters: dict[str, Any]
    kept: Parameters
    moments: dict[str, npt.NDArray[np.float32]]


def train(
    training: Arrays,
    target: Target,
    validation: Arrays,
    held: Target,
    head: Head,
    options: DeepOptions,
    seed: np.random.SeedSequence,
    linear: Mapping[str, Array] | None = None,
    checkpoint: Path | None = None,
    step: Callable[[int], None] = lambda _: None,
) -> Network:
    """Train a network until the validation part gets no better.

    Parameters
    ----------
    training, validation : Arrays
    target, held : Target
        Of the training and of the validation part.
    head : Head
    options : DeepOptions
    seed : numpy.random.SeedSequence
    linear : mapping of str to ndarray, optional
        Coefficients of the linear part, by block of numbers.
    checkpoint : Path, optional
        Where the state is kept every few passes; training goes on from one that is there and is its own. One of other
        data, settings or seed, or that is damaged, is written over.
    step : callable
        Called with the number of each pass when it is done.

    Raises
    ------
    FitError
        The loss is no number any more.
    """
    with reproducible():
        device = device_of(options.device)
        design = design_of(training, options, len(head.bias))
        key = _key((training, validation), (target, held), linear or {}, head, options, seed)
        state = _restored(checkpoint, key) or _begun(design, head, seed, linear or {})
        optimiser = _optimiser(state, options, device)
        passed = (training, target, options, head, design)
        if not state.history:
            state.history.append([np.nan, _validated(state, design, head, validation, held, device)])
        while state.epoch < options.epochs and state.epoch - state.best < options.patience:
            lost = _one_pass(state, optimiser, passed, seed, device)
            state.epoch += 1
            state.history.append([lost, _validated(state, design, head, validation, held, device)])
            if not np.isfinite(state.history[-1]).all():
                raise FitError(
                    f"the loss is {state.history[-1]} after {state.epoch} passes",
                    where="training of a network",
                    allowed="finite losses",
                    todo="lower learning_rate; look at the input for huge numbers",
                )
            if state.history[-1][1] < state.history[state.best][1]:
                state.best, state.kept = state.epoch, _plain(state.parameters)
            if checkpoint is not None and state.epoch % _EVERY == 0:
                _save(checkpoint, key, state, optimiser)
            step(state.epoch)
        if checkpoint is not None:
            _save(checkpoint, key, state, optimiser)
    return Network(design, head, state.kept, np.array(state.history), state.best)


def outputs_of(network: Network, arrays: Arrays, device: str = "auto") -> tuple[Array, Array]:
    """Pass patients through a trained network.

    Returns
    -------
    outputs : ndarray, shape (n, J)
    attention : ndarray, shape (n, modalities)
    """
    torch = pytorch()
    with reproducible(), torch.no_grad():
        place = device_of(device)
        parameters = {name: torch.as_tensor(v, device=place) for name, v in network.parameters.items()}
        parts = [
            forward(network.design, parameters, tensors(part, place), part.count, part.present)
            for part in _parts(arrays)
        ]
        outputs = [p.outputs.cpu().numpy().astype(np.float64) for p in parts]
        attention = [p.attention.cpu().numpy().astype(np.float64) for p in parts]
    return np.concatenate(outputs), np.concatenate(attention)


def _parts(arrays: Arrays) -> list[Arrays]:
    n = arrays.count.size
    return [arrays.take(np.arange(begin, min(begin + _PART, n))) for begin in range(0, n, _PART)]


def _key(
    parts: tuple[Arrays, Arrays],
    targets: tuple[Target, Target],
    linear: Mapping[str, Array],
    head: Head,
    options: DeepOptions,
    seed: np.random.SeedSequence,
) -> str:
    """Tell checkpoints of other data, settings or seeds apart."""
    told = [asdict(head), asdict(options), str(seed.entropy), list(seed.spawn_key), sorted(linear)]
    arrays = [a for part in parts for a in (*part.inputs.values(), part.count, part.present)]
    arrays += [a for t in targets for a in (t.event, t.time) if a is not None]
    arrays += [linear[name] for name in sorted(linear)]
    return digest(told, [_fingerprint(a) for a in arrays])


def _fingerprint(values: npt.NDArray[Any]) -> str:
    told = f"{values.dtype} {values.shape}".encode()
    return hashlib.sha256(told + np.ascontiguousarray(values).tobytes()).hexdigest()


def _begun(design: Design, head: Head, seed: np.random.SeedSequence, linear: Mapping[str, Array]) -> _State:
    generator = np.random.default_rng(_child(seed, 0))
    parameters = first_parameters(design, head.bias, generator)
    parameters |= {f"{name}/{LINEAR}": values.astype(np.float32) for name, values in linear.items()}
    return _State(0, 0, [], dict(parameters), parameters, {})


def _child(seed: np.random.SeedSequence, number: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, number))


def _optimiser(state: _State, options: DeepOptions, device: Any) -> Any:
    """Make the parameters tensors that learn, and give the optimiser the moments it had."""
    torch = pytorch()
    state.parameters = {
        name: torch.tensor(np.asarray(values), device=device, requires_grad=not _frozen(name))
        for name, values in state.parameters.items()
    }
    learning = [values for name, values in state.parameters.items() if not _frozen(name)]
    optimiser = torch.optim.AdamW(learning, lr=options.learning_rate, weight_decay=options.weight_decay, foreach=False)
    for name, parameter in state.parameters.items():
        if f"first/{name}" in state.moments:
            optimiser.state[parameter] = {
                "step": torch.tensor(float(state.moments[f"step/{name}"])),
                "exp_avg": torch.tensor(state.moments[f"first/{name}"], device=device),
                "exp_avg_sq": torch.tensor(state.moments[f"second/{name}"], device=device),
            }
    return optimiser


def _frozen(name: str) -> bool:
    return name.endswith(f"/{LINEAR}")


def _one_pass(
    state: _State,
    optimiser: Any,
    passed: tuple[Arrays, Target, DeepOptions, Head, Design],
    seed: np.random.SeedSequence,
    device: Any,
) -> float:
    """Show every patient of the training part once; returns the mean loss of the batches."""
    torch = pytorch()
    training, target, options, head, design = passed
    generator = np.random.default_rng(_child(seed, state.epoch + 1))
    lost = []
    for rows in _batches(target.event, options.batch, generator):
        part = _shown(training.take(rows), options, generator)
        keep = _kept(part.present.shape, options, generator)
        optimiser.zero_grad()
        out = forward(design, state.parameters, tensors(part, device), part.count, part.present, keep)
        loss = loss_of(head, out.outputs, target.take(rows))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(optimiser.param_groups[0]["params"], _LARGEST_STEP, foreach=False)
        optimiser.step()
        lost.append(float(loss.detach()))
    return float(np.mean(lost))


def _batches(event: Array, size: int, generator: np.random.Generator) -> list[npt.NDArray[np.intp]]:
    """Deal patients in random order, those with an event first, so that every batch has its share of both."""
    count = max(1, round(event.size / size))
    order = generator.permutation(event.size)
    order = order[np.argsort(-event[order], kind="stable")]
    return [np.sort(order[k::count]) for k in range(count)]


def _shown(part: Arrays, options: DeepOptions, generator: np.random.Generator) -> Arrays:
    """Leave out modalities, and mirror crops, at random."""
    n, modalities = part.present.shape
    drawn = generator.random((n, modalities))
    present = part.present & (drawn >= options.modality_dropout)
    # Somebody left with nothing keeps what he has and was nearest to staying.
    nearest = np.where(part.present, drawn, -1.0).argmax(axis=1)
    empty = ~present.any(axis=1)
    present[empty, nearest[empty]] = part.present[empty, nearest[empty]]
    flips = generator.random((n, 3)) < 0.5
    if not options.augment:
        return replace(part, present=present)
    inputs = {name: _mirrored(a, flips) if a.ndim == 5 else a for name, a in part.inputs.items()}
    return Arrays(inputs, part.count, present)


def _mirrored(image: npt.NDArray[Any], flips: BoolArray) -> npt.NDArray[Any]:
    out = image.copy()
    for axis in range(3):
        out[flips[:, axis]] = np.flip(out[flips[:, axis]], axis=axis + 2)
    return out


def _kept(shape: tuple[int, ...], options: DeepOptions, generator: np.random.Generator) -> npt.NDArray[np.float32]:
    stays = generator.random((*shape, options.embedding)) >= options.dropout
    return (stays / (1.0 - options.dropout)).astype(np.float32)


def _validated(state: _State, design: Design, head: Head, validation: Arrays, held: Target, device: Any) -> float:
    torch = pytorch()
    with torch.no_grad():
        parts = [
            forward(design, state.parameters, tensors(part, device), part.count, part.present).outputs
            for part in _parts(validation)
        ]
        return float(loss_of(head, torch.cat(parts), held))


def _plain(parameters: Mapping[str, Any]) -> Parameters:
    return {name: values.detach().cpu().numpy().copy() for name, values in parameters.items()}


def _save(path: Path, key: str, state: _State, optimiser: Any) -> None:
    arrays: dict[str, npt.NDArray[Any]] = {f"now/{k}": v for k, v in _plain(state.parameters).items()}
    arrays |= {f"best/{k}": v for k, v in state.kept.items()}
    for name, parameter in state.parameters.items():
        held = optimiser.state.get(parameter)
        if held:
            arrays[f"step/{name}"] = np.array(float(held["step"]))
            arrays[f"first/{name}"] = held["exp_avg"].cpu().numpy()
            arrays[f"second/{name}"] = held["exp_avg_sq"].cpu().numpy()
    arrays["history"] = np.array(state.history)
    write_checkpoint(path, arrays, {"key": key, "epoch": state.epoch, "best": state.best})


def _restored(path: Path | None, key: str) -> _State | None:
    """State of a checkpoint that is this training's own."""
    try:
        found = read_checkpoint(path) if path is not None else None
    except FormatError:
        return None  # a damaged one costs time only
    if found is None or found[1].get("key") != key:
        return None
    arrays, told = found
    named = {
        group: {k.removeprefix(f"{group}/"): v for k, v in arrays.items() if k.startswith(f"{group}/")}
        for group in ("now", "best")
    }
    moments = {k: v for k, v in arrays.items() if k.split("/")[0] in ("step", "first", "second")}
    return _State(told["epoch"], told["best"], arrays["history"].tolist(), named["now"], named["best"], moments)
