"""The network: an encoder a modality, gated attention over those that a patient has, and one linear head.

To what the head says the linear part is added, an elastic net of the numbers that was fitted before and is not trained:
training starts from it, and a network that finds nothing beyond it stays there. The encoder of a block of numbers sees
the columns that the elastic net took (wide and deep: Cheng et al. 2016, DLRS 7).

Parameters are a dictionary of arrays and the network a function of them: what is trained, written to disk, and
explained is the same plain thing. Weights are drawn by NumPy, so that a network begins alike on every device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from radiolocus.learn.deep_data import SEQUENCES, Arrays
from radiolocus.learn.deep_options import DeepOptions, SequenceOptions
from radiolocus.learn.deep_torch import pytorch

__all__ = ["LINEAR", "Design", "Parameters", "Passed", "design_of", "first_parameters", "forward", "grid_of", "tensors"]

Parameters = dict[str, npt.NDArray[np.float32]]

#: Parameters that are not trained: coefficients of the linear part.
LINEAR = "linear"

# The first convolution reaches further than the others: a texture is a pattern of several voxels.
_REACH = 5


@dataclass(frozen=True)
class Design:
    """Sizes of a network: all that is needed, beside the parameters, to use it.

    Parameters
    ----------
    modalities : tuple of (str, str, tuple of int)
        Name, kind (image, numbers, sequences) and size of each: (z, y, x), columns, or (windows, length).
    channels : tuple of int
    embedding, outputs : int
    patterns, motif : int
        Channels and width of the first convolution of sequences.
    """

    modalities: tuple[tuple[str, str, tuple[int, ...]], ...]
    channels: tuple[int, int, int]
    embedding: int
    outputs: int
    patterns: int = 16
    motif: int = 9

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the modalities."""
        return tuple(name for name, _, _ in self.modalities)


@dataclass(frozen=True, eq=False)
class Passed:
    """What came out of a network.

    Parameters
    ----------
    outputs : torch.Tensor, shape (n, J)
    attention : torch.Tensor, shape (n, modalities)
        Share of each modality; zero of one that a patient lacks.
    maps : dict of str to torch.Tensor
        Last feature maps of each image, (n, channels, z', y', x').
    """

    outputs: Any
    attention: Any
    maps: Mapping[str, Any]


def design_of(arrays: Arrays, options: DeepOptions, outputs: int) -> Design:
    """Return the design for some input."""
    kinds = []
    for name, values in arrays.inputs.items():
        if name == SEQUENCES:
            kinds.append((name, "sequences", (values.shape[1], values.shape[3])))
        elif values.ndim == 5:
            kinds.append((name, "image", values.shape[2:]))
        else:
            kinds.append((name, "numbers", values.shape[1:]))
    sequences = options.sequences or SequenceOptions(genome="none")
    return Design(tuple(kinds), options.channels, options.embedding, outputs, sequences.channels, sequences.motif)


def _layers(size: tuple[int, ...]) -> tuple[tuple[tuple[int, int, int], tuple[int, int, int]], ...]:
    """Kernel and stride of the three convolutions of a crop; one of few slices is not thinned along z."""
    depth = 3 if size[0] >= 3 else 1
    step = (2 if size[0] >= 8 else 1, 2, 2)
    return ((depth, _REACH, _REACH), (1, 1, 1)), ((depth, 3, 3), step), ((depth, 3, 3), (1, 1, 1))


def grid_of(size: tuple[int, ...]) -> tuple[int, int, int]:
    """Voxels of a crop from one element of its last feature maps to the next; the first lies on the first voxel."""
    return _layers(size)[1][1]


def first_parameters(design: Design, bias: tuple[float, ...], generator: np.random.Generator) -> Parameters:
    """Draw the weights a network begins with (He et al. 2015); the head begins at `bias` and knows nothing."""
    made: Parameters = {}

    def add(name: str, *shape: int, fan: int) -> None:
        made[name] = (generator.standard_normal(shape) * np.sqrt(2.0 / fan)).astype(np.float32)
        made[f"{name}.bias"] = np.zeros(shape[0], dtype=np.float32)

    width = design.embedding
    for name, kind, size in design.modalities:
        if kind == "image":
            before = 2
            for i, (kernel, _) in enumerate(_layers(size)):
                add(f"{name}/conv{i}", design.channels[i], before, *kernel, fan=before * int(np.prod(kernel)))
                before = design.channels[i]
            add(f"{name}/embed", width, before + 1, fan=before + 1)
        elif kind == "numbers":
            add(f"{name}/embed", width, size[0], fan=max(size[0], 2))
            made[f"{name}/{LINEAR}"] = np.zeros(size[0], dtype=np.float32)
        else:
            add(f"{name}/conv0", design.patterns, 4, design.motif, fan=design.motif)
            add(f"{name}/embed", width, 2 * design.patterns, fan=2 * design.patterns)
            made[f"{name}/none"] = np.zeros(width, dtype=np.float32)
            _add_attention(add, f"{name}/attend", width)
    _add_attention(add, "attend", width)
    made["head"] = np.zeros((design.outputs, width), dtype=np.float32)
    if design.outputs > 1:
        made["shared"] = np.zeros((1, width), dtype=np.float32)
    made["head.bias"] = np.array(bias, dtype=np.float32)
    return made


def _add_attention(add: Any, name: str, width: int) -> None:
    for part in ("tanh", "gate"):
        add(f"{name}/{part}", width, width, fan=2 * width)
    add(f"{name}/score", 1, width, fan=2 * width)


def tensors(arrays: Arrays, device: Any) -> dict[str, Any]:
    """Put the input of some patients on a device; bases become one-hot, unknown ones zero."""
    torch = pytorch()
    out = {}
    for name, values in arrays.inputs.items():
        if name == SEQUENCES:
            hot = (values[..., None, :] == np.arange(4, dtype=np.int8)[:, None]).astype(np.float32)
            out[name] = torch.as_tensor(hot, device=device)
        else:
            out[name] = torch.as_tensor(values, dtype=torch.float32, device=device)
    return out


def forward(
    design: Design,
    parameters: Mapping[str, Any],
    inputs: Mapping[str, Any],
    count: npt.NDArray[np.int64],
    present: npt.NDArray[np.bool_],
    keep: npt.NDArray[np.float32] | None = None,
    track: bool = False,
) -> Passed:
    """Pass patients through the network.

    Parameters
    ----------
    design : Design
    parameters : mapping of str to torch.Tensor
    inputs : mapping of str to torch.Tensor
        See :func:`tensors`.
    count : ndarray of int64, shape (n,)
        Windows of each patient.
    present : ndarray of bool, shape (n, modalities)
        What each patient has; of one who has nothing the output is the bias.
    keep : ndarray, shape (n, modalities, embedding), optional
        Weights of the embeddings under dropout.
    track : bool
        Let gradients be taken along the feature maps of images, also when the parameters take none.

    References
    ----------
    Gated attention: Ilse, Tomczak & Welling (2018) ICML, PMLR 80:2127.
    """
    torch = pytorch()
    maps, embedded = {}, []
    there = torch.as_tensor(present, device=parameters["head"].device)
    bare = 0.0
    for place, (name, kind, size) in enumerate(design.modalities):
        if kind == "image":
            maps[name] = _maps(name, size, parameters, inputs[name])
            if track:
                maps[name].requires_grad_()
            code = _image(name, size, parameters, inputs[name], maps[name])
        elif kind == "numbers":
            linear = parameters[f"{name}/{LINEAR}"]
            code = torch.relu(_linear(inputs[name] * (linear != 0), parameters, f"{name}/embed"))
            bare = bare + (inputs[name] @ linear) * there[:, place]
        else:
            code = _sequences(name, design, parameters, inputs[name], count)
        embedded.append(code)
    codes = torch.stack(embedded, dim=1)
    if keep is not None:
        codes = codes * torch.as_tensor(keep, dtype=codes.dtype, device=codes.device)
    attention = _attention(codes, there, parameters, "attend")
    fused = (attention[..., None] * codes).sum(dim=1)
    outputs = _linear(fused, parameters, "head")
    if design.outputs > 1:  # what all intervals have in common is learned from the events of all
        outputs = outputs + fused @ parameters["shared"].T
    return Passed(outputs if isinstance(bare, float) else outputs + bare[:, None], attention, maps)


def _linear(x: Any, parameters: Mapping[str, Any], name: str) -> Any:
    return x @ parameters[name].T + parameters[f"{name}.bias"]


def _maps(name: str, size: tuple[int, ...], parameters: Mapping[str, Any], x: Any) -> Any:
    """Last feature maps of crops."""
    torch = pytorch()
    for i, (kernel, step) in enumerate(_layers(size)):
        place = f"{name}/conv{i}"
        pad = tuple(k // 2 for k in kernel)
        bias = parameters[f"{place}.bias"]
        x = torch.relu(torch.nn.functional.conv3d(x, parameters[place], bias, stride=step, padding=pad))
    return x


def _image(name: str, size: tuple[int, ...], parameters: Mapping[str, Any], x: Any, maps: Any) -> Any:
    """Embed crops: feature maps are averaged over the region, beside which stands its size."""
    torch = pytorch()
    mask = x[:, 1:]
    inside = _thinned(mask, size)
    mean = (maps * inside).sum(dim=(2, 3, 4)) / inside.sum(dim=(2, 3, 4)).clamp(min=1.0)
    volume = torch.log1p(mask.sum(dim=(1, 2, 3, 4))) - float(np.log1p(np.prod(size) / 8))
    return torch.relu(_linear(torch.cat([mean, volume[:, None]], dim=1), parameters, f"{name}/embed"))


def _thinned(mask: Any, size: tuple[int, ...]) -> Any:
    """Return the region on the grid of the feature maps; one that falls between its points is taken with its rim."""
    functional = pytorch().nn.functional
    kernel, step = _layers(size)[1]
    with pytorch().no_grad():
        points = mask[:, :, :: step[0], :: step[1], :: step[2]]
        rim = functional.max_pool3d(mask, kernel, stride=step, padding=tuple(k // 2 for k in kernel))
        lost = points.sum(dim=(1, 2, 3, 4), keepdim=True) == 0
        return pytorch().where(lost, rim, points)


def _sequences(name: str, design: Design, parameters: Mapping[str, Any], x: Any, count: npt.NDArray[np.int64]) -> Any:
    """Embed windows: what the variant changes in the patterns that are found, and those found where it stands."""
    torch = pytorch()
    n, windows, _, _, length = x.shape
    found = torch.nn.functional.conv1d(
        x.reshape(n * windows * 2, 4, length), parameters[f"{name}/conv0"], parameters[f"{name}/conv0.bias"]
    )
    found = torch.relu(found).reshape(n, windows, 2, design.patterns, -1)
    middle, reach = found.shape[-1] // 2, design.motif // 2
    change = (found[:, :, 1] - found[:, :, 0]).sum(dim=-1)
    there = found[:, :, 1, :, middle - reach : middle + reach + 1].amax(dim=-1)
    codes = torch.relu(_linear(torch.cat([change, there], dim=2), parameters, f"{name}/embed"))
    nothing = parameters[f"{name}/none"].expand(n, 1, design.embedding)
    codes = torch.cat([nothing, codes], dim=1)
    real = np.column_stack([np.ones(n, dtype=bool), np.arange(windows)[None, :] < count[:, None]])
    weight = _attention(codes, torch.as_tensor(real, device=x.device), parameters, f"{name}/attend")
    return (weight[..., None] * codes).sum(dim=1)


def _attention(codes: Any, there: Any, parameters: Mapping[str, Any], name: str) -> Any:
    """Share of each of the things a patient has, shape (n, things); all zero of one who has nothing."""
    torch = pytorch()
    gate = torch.sigmoid(_linear(codes, parameters, f"{name}/gate"))
    score = _linear(torch.tanh(_linear(codes, parameters, f"{name}/tanh")) * gate, parameters, f"{name}/score")[..., 0]
    weight = torch.exp(score - score.amax(dim=1, keepdim=True).detach()) * there
    return weight / weight.sum(dim=1, keepdim=True).clamp(min=1e-12)
