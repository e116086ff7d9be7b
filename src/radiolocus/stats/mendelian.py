"""Two-sample Mendelian randomisation on arrays: variants as instruments of an exposure.

Every function takes effects on the exposure and on the outcome, per copy of the same allele, with their errors,
shape (n,). Wald ratios have the first-order error SE(outcome) / |effect on exposure|.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from radiolocus.errors import FitError, InputError
from radiolocus.model import Array
from radiolocus.stats.tail import neg_log10_p_chi2, neg_log10_p_normal, neg_log10_p_t

__all__ = [
    "CausalEstimate",
    "Instruments",
    "Intercept",
    "Steiger",
    "egger",
    "f_statistics",
    "i2_gx",
    "inverse_variance",
    "leave_one_out",
    "steiger",
    "wald_ratios",
    "weighted_median",
    "weighted_mode",
]

_Z95 = 1.959963984540054
_CHUNK = 1 << 20


@dataclass(frozen=True, eq=False)
class Instruments:
    """Effects of variants on an exposure and an outcome.

    Parameters
    ----------
    bx, sx : array_like, shape (n,)
        On the exposure, and their standard errors.
    by, sy : array_like, shape (n,)
        On the outcome.

    Raises
    ------
    InputError
        Shapes that disagree, values that are not finite, errors that are not above 0, or no effect on the exposure.
    """

    bx: Array
    sx: Array
    by: Array
    sy: Array

    def __post_init__(self) -> None:
        for name in ("bx", "sx", "by", "sy"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))
        shapes = {self.bx.shape, self.sx.shape, self.by.shape, self.sy.shape}
        if len(shapes) > 1 or self.bx.ndim != 1 or not self.bx.size:
            raise InputError(f"instruments of shapes {sorted(shapes)}", allowed="one shape (n,), n at least 1")
        values = np.stack([self.bx, self.sx, self.by, self.sy])
        if not np.isfinite(values).all() or (values[[1, 3]] <= 0).any():
            i = int(np.flatnonzero(~(np.isfinite(values).all(axis=0) & (values[[1, 3]] > 0).all(axis=0)))[0])
            raise InputError(
                f"effects {values[0, i]:g} ({values[1, i]:g}) and {values[2, i]:g} ({values[3, i]:g})",
                where=f"instrument {i}", allowed="finite effects, errors above 0",
            )  # fmt: skip
        if (self.bx == 0).any():
            raise InputError(
                "an effect of 0 on the exposure", where=f"instrument {int(np.flatnonzero(self.bx == 0)[0])}",
                todo="leave the variant out: it is no instrument",
            )  # fmt: skip

    @property
    def size(self) -> int:
        """Number of instruments."""
        return self.bx.size

    def only(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> Instruments:
        """Some of the instruments."""
        return Instruments(self.bx[chosen], self.sx[chosen], self.by[chosen], self.sy[chosen])


@dataclass(frozen=True)
class CausalEstimate:
    """Effect of the exposure on the outcome.

    Parameters
    ----------
    estimate, standard_error, lower, upper : float
        With a 95 % interval.
    statistic, neg_log10_p : float
    df : float
        Of Student's t; infinite for z.
    q, q_neg_log10_p : float
        Heterogeneity of the instruments about the estimate; NaN where the method has none.
    instruments : int
    """

    estimate: float
    standard_error: float
    lower: float
    upper: float
    statistic: float
    neg_log10_p: float
    df: float
    q: float
    q_neg_log10_p: float
    instruments: int


@dataclass(frozen=True)
class Intercept:
    """Egger's intercept, the mean direct effect of the instruments on the outcome, with Student's t."""

    estimate: float
    standard_error: float
    statistic: float
    neg_log10_p: float


@dataclass(frozen=True)
class Steiger:
    """Variance that the instruments explain, and −log10 p that they explain the same of both."""

    r2_exposure: float
    r2_outcome: float
    neg_log10_p: float
    direction: bool


def wald_ratios(data: Instruments) -> tuple[Array, Array]:
    """Ratio of the effects of each instrument, and its first-order standard error."""
    return data.by / data.bx, data.sy / np.abs(data.bx)


def f_statistics(data: Instruments) -> Array:
    """F statistic of each instrument, (effect / error)² on the exposure; below 10 it is called weak."""
    return np.asarray(np.square(data.bx / data.sx))


def _told(
    estimate: float, error: float, n: int, df: float = np.inf, q: tuple[float, int] | None = None
) -> CausalEstimate:
    if not (np.isfinite(estimate) and np.isfinite(error) and error > 0):
        raise FitError(f"an estimate of {estimate:g} with error {error:g}", todo="check the instruments")
    width = (_Z95 if np.isinf(df) else float(stdtrit(df, 0.975))) * error
    z = estimate / error
    log_p = neg_log10_p_normal(z) if np.isinf(df) else neg_log10_p_t(z, df)
    q_log_p = float(neg_log10_p_chi2(q[0], q[1])) if q is not None and q[1] > 0 else float("nan")
    value = q[0] if q is not None and q[1] > 0 else float("nan")
    return CausalEstimate(estimate, error, estimate - width, estimate + width, z, float(log_p), df, value, q_log_p, n)


def inverse_variance(data: Instruments, *, random: bool = True) -> CausalEstimate:
    """Mean of the Wald ratios by their inverse variances: the line through zero.

    Parameters
    ----------
    data : Instruments
        One is enough: then it is the Wald ratio.
    random : bool
        Multiplicative random effects: the error grows by the residual standard deviation where that is above 1.

    References
    ----------
    Burgess, Butterworth & Thompson 2013, doi:10.1002/gepi.21758.
    """
    weight = np.square(data.bx / data.sy)
    estimate = float((data.bx * data.by / np.square(data.sy)).sum() / weight.sum())
    q = float(np.square((data.by - estimate * data.bx) / data.sy).sum())
    error = float(1 / np.sqrt(weight.sum()))
    if random and data.size > 1:
        error *= max(1.0, np.sqrt(q / (data.size - 1)))
    return _told(estimate, error, data.size, q=(q, data.size - 1))


def egger(data: Instruments) -> tuple[CausalEstimate, Intercept]:
    """Slope and intercept of the weighted line, variants coded to raise the exposure.

    Parameters
    ----------
    data : Instruments
        At least 3.

    Returns
    -------
    CausalEstimate, Intercept
        Errors grow by the residual standard deviation where that is above 1; Student's t with n − 2 degrees of freedom.

    Raises
    ------
    FitError
        Fewer than 3 instruments, or all of one effect on the exposure.

    References
    ----------
    Bowden, Davey Smith & Burgess 2015, doi:10.1093/ije/dyv080.
    """
    n = data.size
    if n < 3:
        raise FitError(f"Egger's line through {n} instruments", allowed="at least 3", todo="take another method")
    x, y = np.abs(data.bx), data.by * np.sign(data.bx)
    w = 1 / np.square(data.sy)
    mean_x, mean_y = (w * x).sum() / w.sum(), (w * y).sum() / w.sum()
    spread = (w * np.square(x - mean_x)).sum()
    if spread <= 1e-12 * (w * np.square(x)).sum():
        raise FitError("instruments of one effect on the exposure", todo="take another method")
    slope = float((w * (x - mean_x) * (y - mean_y)).sum() / spread)
    start = float(mean_y - slope * mean_x)
    q = float((w * np.square(y - start - slope * x)).sum())
    grow = max(1.0, np.sqrt(q / (n - 2)))
    start_error = float(np.sqrt(1 / w.sum() + mean_x**2 / spread) * grow)
    t = start / start_error
    intercept = Intercept(start, start_error, t, float(neg_log10_p_t(t, n - 2)))
    return _told(slope, float(grow / np.sqrt(spread)), n, n - 2.0, (q, n - 2)), intercept


def i2_gx(data: Instruments) -> float:
    """Share of the variance of the weighted effects on the exposure that is not error; 1 − it dilutes Egger's slope.

    References
    ----------
    Bowden and colleagues 2016, doi:10.1093/ije/dyw220.
    """
    if data.size < 2:
        return float("nan")
    x, s = np.abs(data.bx) / data.sy, data.sx / data.sy
    w = 1 / np.square(s)
    q = (w * np.square(x - (w * x).sum() / w.sum())).sum()
    return float(max(0.0, (q - (data.size - 1)) / q)) if q > 0 else 0.0


def _median(ratios: Array, weights: Array) -> Array:
    """Weighted median of each row, between neighbours by half weights."""
    order = np.argsort(ratios, axis=-1, kind="stable")
    r, w = (np.take_along_axis(a, order, axis=-1) for a in (ratios, weights))
    place = (np.cumsum(w, axis=-1) - 0.5 * w) / w.sum(axis=-1, keepdims=True)
    above = np.clip((place < 0.5).sum(axis=-1), 1, r.shape[-1] - 1)[..., None]
    low, high = (np.take_along_axis(place, above - k, axis=-1) for k in (1, 0))
    a, b = (np.take_along_axis(r, above - k, axis=-1) for k in (1, 0))
    # one instrument may hold half of the weight: then the median is its ratio
    share = np.clip((0.5 - low) / (high - low), 0.0, 1.0)
    return np.asarray((a + (b - a) * share)[..., 0])


def _redrawn(data: Instruments, draws: int, seed: int) -> list[Array]:
    """Wald ratios of effects drawn about their estimates, in blocks of rows."""
    generator = np.random.default_rng(seed)
    out = []
    height = max(1, _CHUNK // data.size)
    for start in range(0, draws, height):
        shape = (min(height, draws - start), data.size)
        bx = data.bx + data.sx * generator.standard_normal(shape)
        by = data.by + data.sy * generator.standard_normal(shape)
        out.append(by / bx)
    return out


def weighted_median(data: Instruments, *, draws: int = 1000, seed: int = 1, weighted: bool = True) -> CausalEstimate:
    """Median of the Wald ratios by their inverse variances: right while half of the weight is of valid instruments.

    Parameters
    ----------
    data : Instruments
        At least 3.
    draws, seed : int
        Of the parametric bootstrap that gives the standard error.
    weighted : bool
        False: each instrument counts alike.

    Raises
    ------
    FitError
        Fewer than 3 instruments.

    References
    ----------
    Bowden and colleagues 2016, doi:10.1002/gepi.21965.
    """
    if data.size < 3:
        raise FitError(f"a median of {data.size} instruments", allowed="at least 3", todo="take another method")
    ratios, errors = wald_ratios(data)
    weights = 1 / np.square(errors) if weighted else np.ones(data.size)
    # equal ratios are taken by their weights, so that the order of the instruments says nothing
    order = np.argsort(weights, kind="stable")
    data, ratios, weights = data.only(order), ratios[order], weights[order]
    drawn = [_median(rows, np.broadcast_to(weights, rows.shape)) for rows in _redrawn(data, draws, seed)]
    error = float(np.std(np.concatenate(drawn), ddof=1))
    return _told(float(_median(ratios, weights)), error, data.size)


def weighted_mode(data: Instruments, *, draws: int = 1000, seed: int = 1, phi: float = 1.0) -> CausalEstimate:
    """Mode of the smoothed density of the Wald ratios: right while the largest group of alike ratios is valid.

    Parameters
    ----------
    data : Instruments
        At least 3.
    draws, seed : int
        Of the parametric bootstrap; the standard error is the scaled median absolute deviation of its modes.
    phi : float
        Factor of Silverman's bandwidth.

    Raises
    ------
    FitError
        Fewer than 3 instruments.

    References
    ----------
    Hartwig, Davey Smith & Bowden 2017, doi:10.1093/ije/dyx102.
    """
    if data.size < 3:
        raise FitError(f"a mode of {data.size} instruments", allowed="at least 3", todo="take another method")
    ratios, errors = wald_ratios(data)
    weights = 1 / np.square(errors)
    estimate = _mode(ratios[None], weights, phi)[0]
    drawn = np.concatenate([_mode(rows, weights, phi) for rows in _redrawn(data, draws, seed)])
    error = float(1.4826 * np.median(np.abs(drawn - np.median(drawn))))
    return _told(float(estimate), error, data.size)


def _mode(ratios: Array, weights: Array, phi: float) -> Array:
    """Highest point of the density of each row, climbed to from the highest of the ratios."""
    deviation = 1.4826 * np.median(np.abs(ratios - np.median(ratios, axis=1, keepdims=True)), axis=1)
    spread = np.minimum(ratios.std(axis=1, ddof=1), np.where(deviation > 0, deviation, np.inf))
    width = np.maximum(0.9 * spread * ratios.shape[1] ** -0.2 * phi, 1e-12)[:, None]
    share = weights / weights.sum()
    at = np.empty((ratios.shape[0], 1))
    height = max(1, _CHUNK // ratios.shape[1] ** 2)
    for start in range(0, ratios.shape[0], height):
        rows, h = ratios[start : start + height], width[start : start + height]
        heights = np.exp(-0.5 * np.square((rows[:, :, None] - rows[:, None, :]) / h[:, :, None])) @ share
        at[start : start + height] = np.take_along_axis(rows, heights.argmax(axis=1)[:, None], axis=1)
    for _ in range(200):  # mean shift: each step climbs the density of normal kernels
        pull = share * np.exp(-0.5 * np.square((at - ratios) / width))
        step = (pull * ratios).sum(axis=1, keepdims=True) / pull.sum(axis=1, keepdims=True) - at
        at += step
        if (np.abs(step) < 1e-10 * width).all():
            break
    return at[:, 0]


def leave_one_out(data: Instruments) -> list[CausalEstimate]:
    """Inverse-variance estimate with random effects without each instrument; at least 2 are needed."""
    everyone = np.arange(data.size)
    return [inverse_variance(data.only(everyone != i)) for i in everyone] if data.size > 1 else []


def steiger(data: Instruments, n_exposure: npt.ArrayLike, n_outcome: npt.ArrayLike) -> Steiger:
    """Whether the instruments explain more of the exposure than of the outcome.

    Parameters
    ----------
    data : Instruments
    n_exposure, n_outcome : array_like, shape (n,) or scalar
        Sample sizes. Of a disease the variance is that of the observed cases and controls, which is not liability.

    Returns
    -------
    Steiger
        Fisher's z of the two correlations, summed over instruments that are independent; samples do not overlap.

    References
    ----------
    Hemani, Tilling & Davey Smith 2017, doi:10.1371/journal.pgen.1007081.
    """
    shares, sizes = [], []
    for effect, error, n in ((data.bx, data.sx, n_exposure), (data.by, data.sy, n_outcome)):
        size = np.broadcast_to(np.asarray(n, np.float64), effect.shape)
        square = np.square(effect / error)
        shares.append(min(float((square / (square + size - 2)).sum()), 1.0 - 1e-12))
        sizes.append(float(np.mean(size)))
    near = [np.arctanh(np.sqrt(share)) for share in shares]
    z = (near[0] - near[1]) / np.sqrt(1 / (sizes[0] - 3) + 1 / (sizes[1] - 3))
    return Steiger(shares[0], shares[1], float(neg_log10_p_normal(z)), bool(shares[0] > shares[1]))
