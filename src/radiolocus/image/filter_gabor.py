"""Gabor filter (IBSI 2 id Q88H)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import fft

from radiolocus.errors import ConfigError
from radiolocus.image.boundary import pad
from radiolocus.image.filter_options import RotatedOptions, check_choice, check_positive, number
from radiolocus.image.pooling import pool
from radiolocus.model import Array

__all__ = ["GaborFilter", "gabor_filter"]

Response = Literal["modulus", "real", "imaginary"]

# The envelope is cut where it has fallen to exp(-18) = 1.5e-8 of its height.
_REACH = 6.0
# Pixels that are transformed at a time: keeps memory bounded on large volumes.
_BATCH = 1_000_000


@dataclass(frozen=True, kw_only=True)
class GaborFilter(RotatedOptions):
    """Gabor filter: a plane wave under a Gaussian, in a plane.

    In 3-D and made rotation invariant, the filter is applied in axial, coronal and sagittal planes at all orientations,
    and everything is pooled; otherwise it is applied in the slices along the first axis.

    Parameters
    ----------
    sigma_mm : float
        Standard deviation of the Gaussian along the wave, in mm.
    lambda_mm : float
        Wavelength in mm.
    gamma : float
        Aspect ratio: the standard deviation across is ``sigma_mm / gamma``.
    theta_deg : float
        Direction of the wave in degrees, clockwise from x (y points down in the slice).
    theta_step_deg : float
        Step between orientations when rotation invariant, in degrees; an integer part of 360.
    response : {"modulus", "real", "imaginary"}
        What is kept of the complex response.
    """

    filter: Literal["gabor"] = "gabor"
    sigma_mm: float = 5.0
    lambda_mm: float = 2.0
    gamma: float = 1.5
    theta_deg: float = 0.0
    theta_step_deg: float = 22.5
    response: Response = "modulus"

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("sigma_mm", "lambda_mm", "gamma", "theta_step_deg"):
            check_positive(key, getattr(self, key))
        check_choice("response", self.response, ("modulus", "real", "imaginary"))
        if not math.isfinite(self.theta_deg):
            raise ConfigError(f"theta_deg = {self.theta_deg!r}", allowed="a finite number of degrees")
        steps = 360 / self.theta_step_deg
        if abs(steps - round(steps)) > 1e-9 * steps:
            raise ConfigError(f"theta_step_deg = {self.theta_step_deg!r}", allowed="an integer part of 360")

    @property
    def angles(self) -> list[float]:
        """Orientations in radians."""
        if not self.rotation_invariant:
            return [math.radians(self.theta_deg)]
        steps = round(360 / self.theta_step_deg)
        # Half a turn conjugates the kernel, which the modulus of a real image does not see.
        if self.response == "modulus" and steps % 2 == 0:
            steps //= 2
        return [math.radians(self.theta_deg + i * self.theta_step_deg) for i in range(steps)]

    def reach_pixels(self, edge: float) -> int:
        """Pixels of `edge` mm from the middle of the kernel to its end."""
        return math.ceil(_REACH * self.sigma_mm * max(1.0, 1.0 / self.gamma) / edge)

    def _reach_voxels(self, edge: float) -> float:
        return self.reach_pixels(edge)

    def _words(self) -> list[str]:
        words = ["gabor", f"sigma_{number(self.sigma_mm)}mm", f"lambda_{number(self.lambda_mm)}mm"]
        words.append(f"gamma_{number(self.gamma)}")
        if self.theta_deg or not self.rotation_invariant:
            words.append(f"theta_{number(self.theta_deg)}")
        if self.rotation_invariant:
            words.append(f"step_{number(self.theta_step_deg)}")
        return [*words, *([] if self.response == "modulus" else [self.response]), *self._pooled]


def gabor_filter(array: Array, spacing: Array, options: GaborFilter) -> Array:
    """Convolve planes with Gabor kernels.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
    spacing : ndarray, shape (3,)
        Voxel size along (z, y, x) in mm.
    options : GaborFilter

    Returns
    -------
    ndarray of float64, shape (z, y, x)

    References
    ----------
    IBSI 2 reference manual, arXiv:2006.05470, "Gabor filters".
    """
    # Axes across the planes: axial always, coronal and sagittal too when the third dimension counts.
    across = (0, 1, 2) if options.dimension == "3d" and options.rotation_invariant else (0,)
    # As many orientations in every plane: pooling planes that are pooled already is pooling all.
    return pool((_in_planes(array, spacing, options, axis) for axis in across), options.pooling)


def _in_planes(array: Array, spacing: Array, options: GaborFilter, axis: int) -> Array:
    """Return the responses in the planes across `axis`, pooled over orientations."""
    planes = np.moveaxis(array, axis, 0)
    rows, columns = np.delete(spacing, axis)
    reach = options.reach_pixels(rows), options.reach_pixels(columns)
    shape = tuple(fft.next_fast_len(n + 2 * r) for n, r in zip(planes.shape[1:], reach, strict=True))
    y = (np.arange(-reach[0], reach[0] + 1) * rows)[:, None]
    x = (np.arange(-reach[1], reach[1] + 1) * columns)[None, :]
    transfers = [fft.fft2(_kernel(x, y, theta, options), shape) for theta in options.angles]
    # The kernel starts at index 0 of its array, so the response to a voxel lies twice the reach further on.
    inside = tuple(slice(2 * r, 2 * r + n) for r, n in zip(reach, planes.shape[1:], strict=True))
    out = np.empty(planes.shape)
    step = max(1, _BATCH // (shape[0] * shape[1]))
    for first in range(0, len(planes), step):
        part = slice(first, first + step)
        wide = pad(planes[part], [(0, 0), (reach[0], reach[0]), (reach[1], reach[1])], options.boundary)
        spectrum = fft.fft2(wide, shape)
        out[part] = pool(
            (_kept(fft.ifft2(spectrum * t, overwrite_x=True)[:, *inside], options.response) for t in transfers),
            options.pooling,
        )
    return np.ascontiguousarray(np.moveaxis(out, 0, axis))


def _kernel(x: Array, y: Array, theta: float, options: GaborFilter) -> npt.NDArray[np.complex128]:
    along = x * math.cos(theta) + y * math.sin(theta)
    aside = -x * math.sin(theta) + y * math.cos(theta)
    envelope = np.exp(-(along**2 + (options.gamma * aside) ** 2) / (2 * options.sigma_mm**2))
    return np.asarray(envelope * np.exp(2j * np.pi * along / options.lambda_mm))


def _kept(response: npt.NDArray[np.complex128], kept: Response) -> Array:
    if kept == "modulus":
        return np.asarray(np.abs(response))
    return np.asarray(response.real if kept == "real" else response.imag)
