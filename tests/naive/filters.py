"""Image filters voxel by voxel, straight from their definitions in the IBSI 2 manual, without separating anything.

Arrays are (z, y, x); kernels of many dimensions have the axes of the array. All for tiny images only.
"""

from __future__ import annotations

import itertools
import math

import numpy as np


def beyond(index, n, boundary):
    """Return the index inside 0..n-1 that stands for `index`, or None for zero."""
    if 0 <= index < n:
        return index
    if boundary == "zero":
        return None
    if boundary == "nearest":
        return 0 if index < 0 else n - 1
    if boundary == "periodic":
        return index % n
    while not 0 <= index < n:
        index = -1 - index if index < 0 else 2 * n - 1 - index
    return index


def value(array, index, boundary):
    inside = [beyond(i, n, boundary) for i, n in zip(index, array.shape, strict=True)]
    return 0.0 if None in inside else array[tuple(inside)]


def convolution(array, kernel, boundary):
    """Convolve in three dimensions; the kernel has an odd number of taps along every axis."""
    middle = [n // 2 for n in kernel.shape]
    out = np.zeros(array.shape, dtype=kernel.dtype)
    for voxel in np.ndindex(array.shape):
        total = 0
        for tap in np.ndindex(kernel.shape):
            if kernel[tap]:
                source = [v - (t - m) for v, t, m in zip(voxel, tap, middle, strict=True)]
                total += kernel[tap] * value(array, source, boundary)
        out[voxel] = total
    return out


def window_mean(array, size, dimension, boundary):
    shape = (size if dimension == "3d" else 1, size, size)
    return convolution(array, np.full(shape, 1 / math.prod(shape)), boundary)


def log_kernel(sigma, truncate, dimension):
    """Laplacian of Gaussian on voxels of equal edges, sigma in voxels."""
    reach = math.floor(truncate * sigma + 0.5)
    deep = reach if dimension == "3d" else 0
    d = 3 if dimension == "3d" else 2
    kernel = np.zeros((2 * deep + 1, 2 * reach + 1, 2 * reach + 1))
    for tap in np.ndindex(kernel.shape):
        k2 = sum((t - n // 2) ** 2 for t, n in zip(tap, kernel.shape, strict=True))
        peak = (1 / (math.sqrt(2 * math.pi) * sigma)) ** d
        kernel[tap] = -peak / sigma**2 * (d - k2 / sigma**2) * math.exp(-k2 / (2 * sigma**2))
    return kernel


def product_kernel(x, y, z=(1.0,)):
    """Kernel whose value at (z, y, x) is the product of three."""
    return np.asarray(z)[:, None, None] * np.asarray(y)[None, :, None] * np.asarray(x)[None, None, :]


def turned(kernel, dimension):
    """Return the kernel at all its right-angle orientations, repeats included."""
    if dimension == "2d":
        return [np.rot90(kernel, times, axes=(1, 2)) for times in range(4)]
    out = []
    # Each of the six faces is brought to the front, then turned four times.
    faces = [np.rot90(kernel, times, axes=(0, 1)) for times in range(4)]
    faces += [np.rot90(kernel, times, axes=(0, 2)) for times in (1, 3)]
    for face in faces:
        out += [np.rot90(face, times, axes=(1, 2)) for times in range(4)]
    return out


def gabor_plane(plane, spacing, options):
    """Complex response of one slice at one orientation; spacing is (rows, columns)."""
    theta = math.radians(options.theta_deg)
    reach = [math.ceil(7 * options.sigma_mm * max(1, 1 / options.gamma) / s) for s in spacing]
    out = np.zeros(plane.shape, dtype=complex)
    for r, c in np.ndindex(plane.shape):
        for i, j in itertools.product(range(-reach[0], reach[0] + 1), range(-reach[1], reach[1] + 1)):
            y, x = i * spacing[0], j * spacing[1]
            along, aside = x * math.cos(theta) + y * math.sin(theta), y * math.cos(theta) - x * math.sin(theta)
            envelope = math.exp(-(along**2 + options.gamma**2 * aside**2) / (2 * options.sigma_mm**2))
            wave = np.exp(2j * math.pi * along / options.lambda_mm)
            out[r, c] += envelope * wave * value(plane, (r - i, c - j), options.boundary)
    return out


def fourier(array, transfer, boundary, constant=True):
    """Multiply the spectrum of the image, extended by half on either side, with ``transfer(x, y, z)``.

    The transfer function is sampled at coordinates from -1 to 1 in centric order; `constant` tells whether the mean of
    the image goes through it.
    """
    shape = array.shape
    double = shape if boundary == "periodic" else tuple(2 * n for n in shape)
    before = [0 if boundary == "periodic" else n // 2 for n in shape]
    extended = np.zeros(double)
    for voxel in np.ndindex(double):
        extended[voxel] = value(array, [v - b for v, b in zip(voxel, before, strict=True)], boundary)
    spectrum = np.fft.fftshift(np.fft.fftn(extended))
    for place in np.ndindex(double):
        z, y, x = (-1 + 2 * i / (n - 1) for i, n in zip(place, double, strict=True))
        mean = all(i == n // 2 for i, n in zip(place, double, strict=True))
        spectrum[place] *= transfer(x, y, z) if constant or not mean else 0.0
    full = np.fft.ifftn(np.fft.ifftshift(spectrum)).real
    return full[tuple(slice(b, b + n) for b, n in zip(before, shape, strict=True))]


def simoncelli(level):
    def transfer(x, y, z):
        r = math.sqrt(x * x + y * y + z * z) * 2 ** (level - 1)
        return math.cos(math.pi / 2 * math.log2(2 * r)) if 0.25 < r <= 1 else 0.0

    return transfer


def riesz(order):
    total = sum(order)
    scale = math.sqrt(math.factorial(total) / math.prod(math.factorial(o) for o in order))

    def transfer(x, y, z):
        r = math.sqrt(x * x + y * y + z * z)
        return (-1j) ** total * scale * x ** order[0] * y ** order[1] * z ** order[2] / r**total if r else 0.0

    return transfer
