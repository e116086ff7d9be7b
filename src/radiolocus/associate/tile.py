"""Statistics of a tile of variants with all phenotypes: sums, corrections for who is missing, Student's t, −log10 p."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.linalg import qr

from radiolocus.associate.calls import Calls, calls_of
from radiolocus.associate.design import Design, pattern_basis
from radiolocus.kernels import scan as loops
from radiolocus.model import Array
from radiolocus.stats.ols import COLLINEAR, PERFECT, residualise
from radiolocus.stats.tail import neg_log10_p_t_by

__all__ = ["CONSTANT", "DETERMINED", "FEW", "KEPT", "PERFECT_FIT", "SAME", "TANGLED", "Missing", "Precision", "Tile",
           "Tiler"]  # fmt: skip

Missing = Literal["mean", "drop"]
Precision = Literal["float64", "float32"]

# Variants of one matrix product. Every product of a design has one shape, padded with zeros at the end of a block, so
# that a variant's numbers do not depend on the block it came in. Few columns want a tile that stays in cache.
_WIDE, _NARROW, _MANY = 1024, 256, 256
# Variants and subjects of the small products that take out who lacks a phenotype: panels that stay in cache.
_STRIP, _CHUNK = 128, 512
# When less than this fraction of a sum of squares is free of the covariates, subtraction has lost digits, and residuals
# are formed.
_LITTLE = 1e-2
# Smallest pivot of the remaining basis below which projecting again by its Gram matrix has lost digits.
_WEAK = 1e-2
# Below this fraction of unexplained variance 1 − r² has lost digits, and the residuals themselves are summed.
_NEAR = {"float64": 1e-4, "float32": 1e-2}
# Beyond this t the error of a single-precision product would show in the third decimal of −log10 p.
_LARGE = {"float64": np.inf, "float32": 12.0}

KEPT, SAME, DETERMINED, PERFECT_FIT, FEW, CONSTANT, TANGLED = range(7)


@dataclass(frozen=True, eq=False)
class Tile:
    """What a tile of V variants gives for P phenotypes known in G patterns.

    Parameters
    ----------
    sxy, t, log_p : ndarray, shape (V, P)
        Sum of products of variant and phenotype of unit length about the covariates, Student's t, −log10 p.
    sxx : ndarray, shape (V, G)
        Sum of squares of the variant about the covariates.
    syy : ndarray, shape (V, P), or (1, 1) where it is 1 for all
        Sum of squares of the phenotype about the covariates among the subjects with a genotype.
    df : ndarray of int64, shape (V, G)
    state : ndarray of int8, shape (V, P)
        0 where a number stands, otherwise why none does.
    calls : Calls
        The genotypes.
    moments : ndarray, shape (V, 4)
        See :func:`radiolocus.kernels.genotype.centre_dosage`.
    """

    sxy: npt.NDArray[np.floating]
    t: Array
    log_p: Array
    sxx: Array
    syy: Array
    df: npt.NDArray[np.int64]
    state: npt.NDArray[np.int8]
    calls: Calls
    moments: Array

    @property
    def dosage(self) -> npt.NDArray[np.float32]:
        """Dosages, NaN where missing, shape (V, n)."""
        return self.calls.dosage


@dataclass(eq=False)
class _Sums:
    sxy: npt.NDArray[np.floating]
    sxx: Array
    syy: Array
    df: npt.NDArray[np.int64]
    state: npt.NDArray[np.int8]
    scale: Array


class Tiler:
    """Scan tiles of variants with one design; holds the room that every tile needs.

    Parameters
    ----------
    design : Design
    missing : {"mean", "drop"}
    dtype : {"float64", "float32"}
    """

    def __init__(self, design: Design, missing: Missing, dtype: Precision) -> None:
        self._others = _others(design, np.dtype(dtype))
        self._make_room(design, missing, dtype)

    def another(self) -> Tiler:
        """One for another thread: room of its own, and what does not change shared."""
        twin = object.__new__(Tiler)
        twin._others = self._others
        twin._make_room(self.design, self._missing, self._precision)
        return twin

    def _make_room(self, design: Design, missing: Missing, dtype: Precision) -> None:
        self.design = design
        self._missing = missing
        self._precision = dtype
        self._dtype = np.dtype(dtype)
        self._stacked = design.stacked if dtype == "float64" else design.stacked32
        self.height = _WIDE if self._stacked.shape[1] > _MANY else _NARROW
        self._centred = np.zeros((self.height, design.n), dtype=self._dtype)
        self._product = np.empty((self.height, self._stacked.shape[1]), dtype=self._dtype)
        self._moments = np.zeros((self.height, 4))
        # always whole strips: the shape of a product must not depend on the block
        corrected = self._others is not None
        self._strip = np.empty((design.n if corrected else 0, _STRIP), dtype=self._dtype)
        self._panel = np.empty((_CHUNK if corrected else 0, _STRIP), dtype=self._dtype)
        self._own = np.array([pattern.own is not None for pattern in design.patterns])

    def scan(self, genotypes: npt.NDArray[np.float32] | Calls) -> Tile:
        """Scan at most `height` variants of the n subjects of the design."""
        calls = calls_of(genotypes)
        height = calls.height
        self._centred[height:] = 0.0
        calls.centre(self._centred, self._moments)
        np.matmul(self._centred, self._stacked, out=self._product)
        moments = self._moments[:height].copy()
        sums = self._sum(moments)
        if self._missing == "drop":
            self._drop(calls, moments, sums)
        self._form_residuals(calls, moments, sums)
        t = np.empty(sums.state.shape)
        again = loops.student_t(sums.sxy, sums.sxx, sums.syy, sums.df, self.design.pattern_of,
                                _NEAR[self._dtype.name], _LARGE[self._dtype.name], sums.state, t)  # fmt: skip
        if again:
            sums.sxy = sums.sxy.astype(np.float64)
            self._again(calls, moments, sums, t)
        # nobody is dropped: the degrees of freedom of one variant are those of all
        df = sums.df if self._missing == "drop" else sums.df[:1]
        log_p = neg_log10_p_t_by(t, df, self.design.pattern_of)
        return Tile(sums.sxy, t, log_p, sums.sxx, sums.syy, sums.df, sums.state, calls, moments)

    def _sum(self, moments: Array) -> _Sums:
        """Sums with missing genotypes at the mean, over the subjects that have each phenotype."""
        design, height = self.design, moments.shape[0]
        p, patterns = design.columns.size, len(design.patterns)
        loading = self._product[:height, p:].astype(np.float64)
        squares = np.repeat(moments[:, 2:3], patterns, axis=1)
        scale = squares.copy()
        sxx = squares - np.square(loading).sum(axis=1)[:, None]
        # only what drops subjects variant by variant asks for these again
        self._squares = squares if self._missing == "drop" else squares[:0]
        self._loading = np.repeat(loading[:, None, :], patterns if self._missing == "drop" else 0, axis=1)
        if self._others is not None:
            self._correct(loading, moments[:, 2], sxx, scale)
        state = np.zeros((height, p), dtype=np.int8)
        # the sum of squares about the mean is rounding when every genotype is the same
        state[(moments[:, 0] < 1) | (moments[:, 2] <= 1e-10 * moments[:, 3])] = SAME
        df = np.tile(np.array([pattern.df for pattern in design.patterns], dtype=np.int64), (height, 1))
        return _Sums(self._product[:height, :p], sxx, np.ones((1, 1)), df, state, scale)

    def _correct(self, loading: Array, about: Array, sxx: Array, scale: Array) -> None:
        """Take the subjects without a phenotype out of the sums: products over the few rows that lack it."""
        others = self._others
        if others is None:
            return
        height, which = sxx.shape[0], others.which
        patterns, k = which.size, loading.shape[1]
        whole, power = np.zeros((k, _STRIP)), np.zeros(_STRIP)
        clean, squares = np.empty((patterns, _STRIP)), np.empty((patterns, _STRIP))
        kept = np.empty((patterns if self._missing == "drop" else 0, k, _STRIP))
        for first in range(0, height, _STRIP):
            count = min(_STRIP, height - first)
            here = slice(first, first + count)
            whole[:, :count], power[:count] = loading[here].T, about[here]
            loops.transpose_tile(self._centred[first : first + _STRIP], self._strip)
            loops.correct_absent(
                self._strip, others.rows, others.row_start, others.loadings, others.loading_start, others.intercepts,
                others.away, others.transforms, whole, power, self._panel, clean, squares, kept,
            )  # fmt: skip
            sxx[here, which] = clean[:, :count].T
            scale[here, which] = np.where(others.away, about[here, None], squares[:, :count].T)
            if self._missing == "drop":
                self._loading[here, which] = kept[:, :, :count].transpose(2, 0, 1)
                self._squares[here, which] = squares[:, :count].T

    def _drop(self, calls: Calls, moments: Array, sums: _Sums) -> None:
        """Take the subjects without a genotype out of the sums of the variants that have any."""
        design = self.design
        incomplete = np.flatnonzero((moments[:, 0] < design.n) & (sums.state[:, 0] != SAME))
        sums.sxy = sums.sxy.astype(np.float64)
        if incomplete.size == 0:
            return
        sums.syy = np.ones(sums.state.shape)
        response = self._stacked[:, : design.columns.size]
        pivot = np.empty(len(design.patterns))
        for v in incomplete:
            missing = np.flatnonzero(np.isnan(calls.dosage[v])).astype(np.int64)
            loops.drop_missing(
                missing, design.known, design.basis, design.grams, response, design.first, self._loading[v],
                self._squares[v], sums.sxy[v], sums.sxx[v], sums.syy[v], sums.df[v], pivot,
            )  # fmt: skip
            weak = (pivot < _WEAK) | self._own
            sums.sxx[v, weak] = 0.0  # so that the residuals are formed
            few = sums.df[v] < 1
            if few.any():
                sums.state[v, few[design.pattern_of]] = FEW

    def _form_residuals(self, calls: Calls, moments: Array, sums: _Sums) -> None:
        """Form the residuals where sums of squares have lost digits to subtraction; judge what is left."""
        design = self.design
        little = sums.sxx < _LITTLE * sums.scale
        if sums.syy.size > 1:
            little |= np.minimum.reduceat(sums.syy, design.first[:-1], axis=1) < _LITTLE
        for v, g in np.argwhere(little):
            columns = np.arange(design.first[g], design.first[g + 1])
            open_columns = columns[sums.state[v, columns] == KEPT]
            if open_columns.size == 0:
                continue
            if sums.sxy.dtype != np.float64:
                sums.sxy = sums.sxy.astype(np.float64)
            self._judge(calls.dosage[v], moments[v, 1], int(g), open_columns, int(v), sums)

    def _judge(
        self, dosage: npt.NDArray[np.float32], mean: float, g: int, columns: npt.NDArray[np.int64], v: int, sums: _Sums
    ) -> None:
        x, about, same = self._values(dosage, mean, g)
        if same:
            sums.state[v, columns] = SAME
            return
        found = self._residuals(x, g, columns)
        if found is None:
            sums.state[v, columns] = TANGLED
            return
        rest, y = found
        power = np.square(y).sum(axis=0)
        sums.sxx[v, g], sums.sxy[v, columns] = rest @ rest, rest @ y
        if sums.syy.size > 1:
            sums.syy[v, columns] = power
        sums.state[v, columns[power <= COLLINEAR**2]] = CONSTANT
        if sums.sxx[v, g] <= COLLINEAR**2 * about:
            sums.state[v, columns] = DETERMINED

    def _values(self, dosage: npt.NDArray[np.float32], mean: float, g: int) -> tuple[Array, float, bool]:
        """Centred genotypes of a pattern, NaN where dropped; sum of squares about their mean; whether all are alike."""
        raw = dosage[self.design.patterns[g].rows].astype(np.float64)
        if self._missing == "mean":
            raw = np.where(np.isnan(raw), mean, raw)
        known = raw[~np.isnan(raw)]
        if known.size == 0:
            return raw, 0.0, True
        about = float(np.square(known - known.mean()).sum())
        return raw - mean, about, bool(about <= 1e-10 * np.square(known).sum())

    def _residuals(self, x: Array, g: int, columns: npt.NDArray[np.int64]) -> tuple[Array, Array] | None:
        """Residuals of genotype and phenotypes among the subjects one variant is analysed in."""
        pattern = self.design.patterns[g]
        y = self.design.response[pattern.rows][:, columns]
        basis = pattern_basis(pattern, self.design.basis)
        there = ~np.isnan(x)
        if not there.all():
            basis, triangle = qr(basis[there], mode="economic")
            if np.abs(np.diagonal(triangle)).min() <= COLLINEAR:
                return None
            x, y = x[there], residualise(basis, y[there])
        return residualise(basis, x[:, None])[:, 0], y

    def _again(self, calls: Calls, moments: Array, sums: _Sums, t: Array) -> None:
        """Compute the pairs of state −1 from the residuals themselves, in double precision."""
        for v in np.flatnonzero((sums.state < 0).any(axis=1)):
            pairs = np.flatnonzero(sums.state[v] < 0)
            for g in np.unique(self.design.pattern_of[pairs]):
                columns = pairs[self.design.pattern_of[pairs] == g]
                found = self._residuals(self._values(calls.dosage[v], moments[v, 1], int(g))[0], int(g), columns)
                if found is None:
                    sums.state[v, columns] = TANGLED
                    continue
                x, y = found
                beta, t[v, columns], perfect = _pairs(x, y, float(sums.df[v, g]))
                sums.sxy[v, columns] = beta * sums.sxx[v, g]
                sums.state[v, columns] = np.where(perfect, PERFECT_FIT, KEPT)


def _pairs(x: Array, y: Array, df: float) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
    """Coefficient and t of each column of `y` on `x`, from residuals; whether a fit is perfect."""
    sxx = float(x @ x)
    beta = x @ y / sxx
    rest = y - np.outer(x, beta)
    beta = beta + x @ rest / sxx
    rest = y - np.outer(x, beta)
    power = np.square(rest).sum(axis=0)
    perfect = power <= PERFECT * np.square(y).sum(axis=0)
    t = np.where(perfect, np.nan, beta / np.sqrt(np.where(perfect, 1.0, power) / (df * sxx)))
    return beta, t, perfect


@dataclass(frozen=True, eq=False)
class _Others:
    """Patterns that lack somebody, as :func:`radiolocus.kernels.scan.correct_absent` takes them."""

    which: npt.NDArray[np.int64]
    away: npt.NDArray[np.bool_]
    rows: npt.NDArray[np.int64]
    row_start: npt.NDArray[np.int64]
    loadings: npt.NDArray[np.floating]
    loading_start: npt.NDArray[np.int64]
    intercepts: Array
    transforms: Array


def _others(design: Design, dtype: np.dtype[np.floating]) -> _Others | None:
    which = [g for g, pattern in enumerate(design.patterns) if pattern.absent.size]
    if not which:
        return None
    away, rows, loadings, intercepts = [], [], [], []
    for pattern in (design.patterns[g] for g in which):
        gone = pattern.own is None and pattern.absent.size < pattern.rows.size
        chosen = pattern.absent if gone else pattern.rows
        basis = design.basis[chosen] if pattern.own is None else pattern.own
        away.append(gone)
        rows.append(chosen)
        loadings.append(_in_chunks(basis[:, 1:].astype(dtype)))
        intercepts.append(basis[0, 0])
    return _Others(
        np.array(which, dtype=np.int64),
        np.array(away, dtype=np.bool_),
        np.concatenate(rows),
        np.cumsum([0, *(part.size for part in rows)]).astype(np.int64),
        np.concatenate(loadings),
        np.cumsum([0, *(part.size for part in loadings)]).astype(np.int64),
        np.array(intercepts),
        np.stack([design.patterns[g].transform for g in which]),
    )


def _in_chunks(basis: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """As few chunks of rows as may be, of one length but for the last, each transposed, one after the other."""
    chunks = -(-basis.shape[0] // _CHUNK)
    length = -(-basis.shape[0] // chunks)
    parts = [basis[first : first + length].T.ravel() for first in range(0, basis.shape[0], length)]
    return np.concatenate(parts)
