"""What a network looked at: Grad-CAM on crops, integrated gradients on everything that went in.

Networks are asked about patients that they did not learn from; a model's answer is the mean over its networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from radiolocus.learn.deep_data import SEQUENCES, Arrays, DeepData
from radiolocus.learn.deep_loss import risk_of
from radiolocus.learn.deep_model import DeepModel, Member
from radiolocus.learn.deep_network import forward, grid_of, tensors
from radiolocus.learn.deep_torch import device_of, pytorch, reproducible
from radiolocus.model import Array

__all__ = ["Attributed", "attribute", "grad_cam", "integrated_gradients"]

_STEPS = 32


@dataclass(frozen=True, eq=False)
class Attributed:
    """Integrated gradients of the risk of some patients, by modality.

    Parameters
    ----------
    total : dict of str to ndarray, shape (n,)
        Sum over a modality: what it adds to the risk.
    columns : dict of str to dict of str to ndarray, shape (n,)
        Of a block of numbers, by column.
    windows : ndarray, shape (n, k, length), or None
        Of sequences: by base of each window.
    risk, baseline : ndarray, shape (n,)
        The risk, and that of the baseline; their difference is the sum of the totals but for `gap`.
    """

    total: dict[str, Array]
    columns: dict[str, dict[str, Array]]
    windows: Array | None
    risk: Array
    baseline: Array

    @property
    def gap(self) -> Array:
        """What the sum over all input lacks of the difference in risk: the error of the numerical integral."""
        return np.asarray(self.risk - self.baseline - sum(self.total.values()))


def grad_cam(model: DeepModel, data: DeepData, name: str) -> Array:
    """Where in an image the evidence for a higher risk lies, the mean over networks.

    The gradient of the risk, averaged over each of the last feature maps, weighs the maps; what is negative is left
    away. Maps are on a grid coarser than the crop and are interpolated linearly.

    Parameters
    ----------
    model : DeepModel
    data : DeepData
        Any patients.
    name : str
        An image.

    Returns
    -------
    ndarray, shape (n, z, y, x)
        In units of risk; zero where a patient lacks the image or nothing speaks for a higher risk.

    References
    ----------
    Selvaraju et al. (2017) ICCV 618.
    """
    maps = [
        _cam(member, member.ready.apply(data), name, model.device) for member in model.members if _has(member, name)
    ]
    crops = data.modalities[name].present
    return np.mean(maps, axis=0) if maps else np.zeros((crops.size, 1, 1, 1))


def _has(member: Member, name: str) -> bool:
    return name in member.ready.names


def _cam(member: Member, arrays: Arrays, name: str, device: str) -> Array:
    torch = pytorch()
    network = member.network
    size = next(size for key, _, size in network.design.modalities if key == name)
    place = network.design.names.index(name)
    out = []
    with reproducible():
        where = device_of(device)
        parameters = _placed(member, where)
        for row in range(arrays.count.size):
            part = arrays.take(np.array([row]))
            passed = forward(network.design, parameters, tensors(part, where), part.count, part.present, track=True)
            slope = torch.autograd.grad(risk_of(network.head, passed.outputs).sum(), passed.maps[name])[0]
            weight = slope.sum(dim=(2, 3, 4), keepdim=True)
            cam = torch.relu((weight * passed.maps[name]).sum(dim=1))[0].detach().cpu().numpy().astype(np.float64)
            out.append(_stretched(cam, size, grid_of(size)) * part.present[0, place])
    return np.stack(out)


def _stretched(cam: Array, size: tuple[int, ...], grid: tuple[int, int, int]) -> Array:
    """Interpolate a map to the crop, axis by axis; element k lies on voxel k × grid."""
    for axis in range(3):
        wanted, known = np.arange(size[axis]), np.arange(cam.shape[axis]) * grid[axis]
        lines = np.moveaxis(cam, axis, -1)
        filled = np.array([np.interp(wanted, known, line) for line in lines.reshape(-1, lines.shape[-1])])
        cam = np.moveaxis(filled.reshape(*lines.shape[:-1], size[axis]), -1, axis)
    return cam


def _placed(member: Member, device: Any) -> dict[str, Any]:
    return {name: pytorch().as_tensor(v, device=device) for name, v in member.network.parameters.items()}


def integrated_gradients(member: Member, arrays: Arrays, device: str = "auto", steps: int = _STEPS) -> Attributed:
    """Divide the risk of patients over their input, for one network.

    The gradient is integrated along the straight line from a baseline to the input: of an image and of numbers the
    mean of the training part (zero after standardising), of a sequence the same windows with the reference allele.
    The mask of a region and who has which modality are held as they are.

    Parameters
    ----------
    member : Member
    arrays : Arrays
        Of some patients, made ready by the member.
    device : str
    steps : int
        Midpoints at which the gradient is taken.

    References
    ----------
    Sundararajan, Taly & Yan (2017) ICML, PMLR 70:3319.
    """
    parts = []
    with reproducible():
        where = device_of(device)
        parameters = _placed(member, where)
        for row in range(arrays.count.size):
            parts.append(_one(member, arrays.take(np.array([row])), parameters, where, steps))
    grads = {name: np.concatenate([p[0][name] for p in parts]) for name in parts[0][0]}
    columns = {
        name: dict(zip(member.ready.columns(name), values.T, strict=True))
        for name, values in grads.items()
        if values.ndim == 2
    }
    total = {name: values.reshape(len(values), -1).sum(axis=1) for name, values in grads.items()}
    windows = grads[SEQUENCES].sum(axis=2) if SEQUENCES in grads else None
    return Attributed(total, columns, windows, np.array([p[1] for p in parts]), np.array([p[2] for p in parts]))


def _one(
    member: Member, part: Arrays, parameters: Mapping[str, Any], device: Any, steps: int
) -> tuple[dict[str, npt.NDArray[np.float64]], float, float]:
    """Attribution of one patient: all steps are one batch."""
    torch = pytorch()
    network, end = member.network, tensors(part, device)
    start = {name: _baseline(name, values) for name, values in end.items()}
    share = (torch.arange(steps, dtype=torch.float32, device=device) + 0.5) / steps
    along = {
        name: (start[name] + share.reshape(-1, *[1] * (values.ndim - 1)) * (values - start[name])).requires_grad_()
        for name, values in end.items()
    }
    count, present = np.repeat(part.count, steps), np.repeat(part.present, steps, axis=0)
    passed = forward(network.design, parameters, along, count, present)
    slopes = torch.autograd.grad(
        risk_of(network.head, passed.outputs).sum(), list(along.values()), allow_unused=True, materialize_grads=True
    )
    grads = {}
    for (name, values), slope in zip(end.items(), slopes, strict=True):
        found = ((values - start[name]) * slope.double().mean(dim=0, keepdim=True)).detach().cpu().numpy()
        grads[name] = found[:, :, 1] if name == SEQUENCES else found[:, 0] if values.ndim == 5 else found
    with torch.no_grad():
        ends = [
            float(risk_of(network.head, forward(network.design, parameters, x, part.count, part.present).outputs)[0])
            for x in (end, start)
        ]
    return grads, ends[0], ends[1]


def _baseline(name: str, values: Any) -> Any:
    torch = pytorch()
    if name == SEQUENCES:
        return torch.stack([values[:, :, 0], values[:, :, 0]], dim=2)
    start = torch.zeros_like(values)
    if values.ndim == 5:
        start[:, 1] = values[:, 1]
    return start


def attribute(model: DeepModel, data: DeepData) -> Attributed:
    """Divide the risk of patients over their input, the mean over networks; a column that a network lacks counts zero.

    Parameters
    ----------
    model : DeepModel
    data : DeepData
        Any patients.
    """
    parts = [integrated_gradients(m, m.ready.apply(data), model.device) for m in model.members]
    count, nothing = len(parts), np.zeros(data.n)
    total = {name: sum((p.total.get(name, nothing) for p in parts), nothing) / count for name in data.names}
    columns: dict[str, dict[str, Array]] = {}
    for part in parts:
        for name, block in part.columns.items():
            own = columns.setdefault(name, {})
            for column, values in block.items():
                own[column] = own.get(column, nothing) + values / count
    seen = [p.windows for p in parts if p.windows is not None]
    windows = np.asarray(sum(seen[1:], seen[0]) / count) if seen else None
    risk, baseline = (np.mean([getattr(p, key) for p in parts], axis=0) for key in ("risk", "baseline"))
    return Attributed(total, columns, windows, risk, baseline)
