"""Logarithms of tail probabilities that do not underflow.

The incomplete beta and gamma functions are evaluated as a prefactor kept in logarithms times a continued fraction
(modified Lentz) or a series of positive terms, whichever converges at once; see DLMF 8.9.2, 8.17.22 and 8.17.8.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel

__all__ = ["CELLS", "CELL_WIDTH", "interpolate_t", "log_p_chi2", "log_p_t", "table_t", "tails_chi2"]

Real = npt.NDArray[np.float64]

CELL_WIDTH = 1.0 / 64.0
CELLS = 512  # up to |t| = 8
_TINY = 1e-300
_EPSILON = 1e-16
_MAX_TERMS = 100_000


@kernel
def log_beta_half(a: float) -> float:
    """Natural logarithm of B(a, 1/2), without the cancellation of two large ln Γ."""
    if a < 20.0:
        return 0.5 * math.log(math.pi) + math.lgamma(a) - math.lgamma(a + 0.5)
    # ln Γ(a + 1/2) − ln Γ(a) − ½ ln a, asymptotic series; the first omitted term is below 1e-16 here
    r = 1.0 / (a * a)
    series = (-1.0 / 8 + r * (1.0 / 192 + r * (-1.0 / 640 + r * (17.0 / 14336 - r * 31.0 / 18432)))) / a
    return 0.5 * math.log(math.pi / a) - series


@kernel
def _fraction_beta(a: float, x: float) -> float:
    """Continued fraction of I_x(a, 1/2), for x below (a + 1) / (a + 2.5)."""
    b = 0.5
    c = 1.0
    d = 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > _TINY else _TINY)
    h = d
    for m in range(1, _MAX_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        d = 1.0 + even * d
        c = 1.0 + even / c
        d = 1.0 / (d if abs(d) > _TINY else _TINY)
        h *= d * (c if abs(c) > _TINY else _TINY)
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        d = 1.0 + odd * d
        c = 1.0 + odd / c
        d = 1.0 / (d if abs(d) > _TINY else _TINY)
        c = c if abs(c) > _TINY else _TINY
        h *= d * c
        if abs(d * c - 1.0) < _EPSILON:
            break
    return h


@kernel
def log_p_t(t: float, df: float) -> float:
    """Natural logarithm of the two-sided p-value of Student's t; NaN for NaN or df ≤ 0."""
    t = abs(t)
    if math.isnan(t) or not df > 0.0:
        return math.nan
    if t == 0.0:
        return 0.0
    if math.isinf(t):
        return -math.inf
    a = 0.5 * df
    if t > 1e100:  # t² would overflow; 1 + t²/df is t²/df to the last bit
        log_x = math.log(df) - 2.0 * math.log(t)
        x = math.exp(log_x)
        y = 1.0
    else:
        square = t * t
        log_x = -math.log1p(square / df)
        x = df / (df + square)
        y = square / (df + square)
    front = a * log_x + 0.5 * math.log(y) - log_beta_half(a)
    if x < (a + 1.0) / (a + 2.5):
        return front - math.log(a) + math.log(_fraction_beta(a, x))
    term = 1.0
    total = 1.0
    for k in range(_MAX_TERMS):
        term *= (a + 0.5 + k) / (1.5 + k) * y
        total += term
        if term < _EPSILON * total:
            break
    return math.log1p(-2.0 * math.exp(front) * total)


@kernel
def table_t(df: float) -> Real:
    """Coefficients of −ln p of |t| on cells of width 1/64, shape (CELLS, 6): quintic Hermite interpolation.

    Value, slope and curvature are exact at the nodes, so the error is that of rounding: the sixth power of 1/64
    over 46080 times a sixth derivative of order one.
    """
    nodes = np.empty((CELLS + 1, 3))
    for i in range(CELLS + 1):
        t = i * CELL_WIDTH
        log_p = log_p_t(t, df)
        log_density = -0.5 * (df + 1.0) * math.log1p(t * t / df) - 0.5 * math.log(df) - log_beta_half(0.5 * df)
        slope = 2.0 * math.exp(log_density - log_p)
        nodes[i, 0] = -log_p
        nodes[i, 1] = slope * CELL_WIDTH
        nodes[i, 2] = slope * (slope - (df + 1.0) * t / (df + t * t)) * CELL_WIDTH * CELL_WIDTH
    table = np.empty((CELLS, 6))
    for i in range(CELLS):
        f0, g0, h0 = nodes[i]
        f1, g1, h1 = nodes[i + 1]
        rise = f1 - f0 - g0 - 0.5 * h0
        turn = g1 - g0 - h0
        bend = h1 - h0
        table[i, 0] = f0
        table[i, 1] = g0
        table[i, 2] = 0.5 * h0
        table[i, 3] = 10.0 * rise - 4.0 * turn + 0.5 * bend
        table[i, 4] = -15.0 * rise + 7.0 * turn - bend
        table[i, 5] = 6.0 * rise - 3.0 * turn + 0.5 * bend
    return table


@kernel
def interpolate_t(t: Real, df: float, table: Real, out: Real) -> None:
    """−log10 p of each t, all of one `df`: the table up to |t| = 8, :func:`log_p_t` beyond; flat arrays."""
    scale = 1.0 / math.log(10.0)
    for i in range(t.shape[0]):
        place = abs(t[i]) / CELL_WIDTH
        if place < CELLS:
            cell = int(place)
            s = place - cell
            c = table[cell]
            out[i] = scale * (c[0] + s * (c[1] + s * (c[2] + s * (c[3] + s * (c[4] + s * c[5])))))
        else:
            out[i] = -scale * log_p_t(t[i], df)


@kernel
def log_p_chi2(x: float, df: float) -> float:
    """Natural logarithm of the upper tail of χ²; NaN for NaN, x < 0 or df ≤ 0."""
    if math.isnan(x) or x < 0.0 or not df > 0.0:
        return math.nan
    if x == 0.0:
        return 0.0
    if math.isinf(x):
        return -math.inf
    a = 0.5 * df
    z = 0.5 * x
    front = a * math.log(z) - z - math.lgamma(a)
    if z < a + 1.0:
        term = 1.0 / a
        total = term
        for k in range(1, _MAX_TERMS):
            term *= z / (a + k)
            total += term
            if term < _EPSILON * total:
                break
        return math.log1p(-math.exp(front) * total)
    b = z + 1.0 - a
    c = 1.0 / _TINY
    d = 1.0 / b
    h = d
    for k in range(1, _MAX_TERMS):
        step = -k * (k - a)
        b += 2.0
        d = step * d + b
        d = 1.0 / (d if abs(d) > _TINY else _TINY)
        c = b + step / c
        c = c if abs(c) > _TINY else _TINY
        h *= d * c
        if abs(d * c - 1.0) < _EPSILON:
            break
    return front + math.log(h)


@kernel
def tails_chi2(x: Real, df: Real, out: Real) -> None:
    """−log10 of the upper tail of χ², element by element; flat arrays."""
    for i in range(x.shape[0]):
        out[i] = -log_p_chi2(x[i], df[i]) / math.log(10.0)
