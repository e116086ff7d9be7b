"""Permutation of many columns against many columns: Westfall and Young's step-down maxT, as matrix products.

Under each permutation the residuals of the left columns (features) are given to other subjects, all columns together,
so that the correlation among the columns of either side stays as it is; covariates are taken out again (Freedman & Lane
1983, J Bus Econ Stat 1:292; Winkler et al. 2014, NeuroImage 92:381). The statistic of a pair is the size of its
(partial) correlation r, as |z| with z² = −(df − 1/2) ln(1 − r²), so that pairs of different n can share a maximum.

Adjusted p-values: Westfall & Young 1993, *Resampling-Based Multiple Testing*, algorithm 4.1; every p-value is
(1 + c) / (1 + B) with c of B permutations (Phipson & Smyth 2010, doi:10.2202/1544-6115.1585).

Missing values: a pair uses the subjects that have both, and a permuted pair those that have both then: the gaps of a
feature travel with it. Residuals are of each column's own subjects, and centred again on those of the pair.

Time and memory: 2 n P Q B floating-point operations in single precision for P × Q pairs of n subjects, tile by tile;
while it runs 12 bytes a pair (``scope`` ``"marker"``: 20), and 17 more for what is returned. What is missing makes its
tiles six products instead of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from radiolocus.errors import ConfigError
from radiolocus.kernels.maxt import count_pairs, group_maxima, masked_z, row_step_down, whole_z
from radiolocus.model import Array, BoolArray
from radiolocus.stats.correlation import spanning_basis, unit_residuals
from radiolocus.stats.tail_fit import FEW, fit_tail

__all__ = ["Block", "MaxT", "max_t", "permutations_of"]

Scope = Literal["marker", "family", "all"]
Single = npt.NDArray[np.float32]
Counts = npt.NDArray[np.int32]

_TILE = 256
# Statistics that are equal but for rounding in single precision count as reached.
_TIE = np.float32(1.0 - 4e-6)


@dataclass(frozen=True, eq=False)
class Block:
    """Markers that share their transformation, with the features and the covariates under the same one.

    Parameters
    ----------
    left : ndarray, shape (n, P)
        Features; NaN where missing. All blocks have the same P features.
    right : ndarray, shape (n, Q)
        Markers; NaN where missing.
    basis : ndarray, shape (n, r)
        Orthonormal basis of intercept and covariates, as of :func:`radiolocus.stats.correlation.spanning_basis`.
    """

    left: Array
    right: Array
    basis: Array


@dataclass(frozen=True, eq=False)
class MaxT:
    """Permutation p-values of every marker (rows, those of the blocks one after the other) and feature (columns).

    Parameters
    ----------
    z : ndarray of float32, shape (Q, P)
        Observed |z|; 0 where the pair cannot be tested.
    p_value : ndarray of float64, shape (Q, P)
        Of the pair alone: (1 + c) / (1 + B).
    adjusted : ndarray of float64, shape (Q, P)
        Family-wise, within the scope: step-down.
    fitted : ndarray of bool, shape (Q, P)
        Whether a p-value of the pair comes from the fit of a tail (:func:`radiolocus.stats.tail_fit.fit_tail`).
    permutations : int
    """

    z: Single
    p_value: Array
    adjusted: Array
    fitted: BoolArray
    permutations: int


def permutations_of(n: int, count: int, seed: int, stratum: npt.ArrayLike | None = None) -> npt.NDArray[np.int64]:
    """Random permutations of `n` subjects, within the strata when there are any; shape (count, n)."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(n, np.intp) if stratum is None else np.unique(np.asarray(stratum), return_inverse=True)[1].ravel()
    out = np.empty((count, n), np.int64)
    for k in range(labels.max(initial=-1) + 1):
        members = np.flatnonzero(labels == k)
        out[:, members] = rng.permuted(np.tile(members, (count, 1)), axis=1)
    return out


def max_t(
    blocks: Sequence[Block],
    permutations: int,
    seed: int,
    *,
    scope: Scope = "marker",
    family: npt.ArrayLike | None = None,
    stratum: npt.ArrayLike | None = None,
    least: int = 4,
    top: int = 1000,
    threads: int = 1,
) -> MaxT:
    """Permute the features of all blocks together and count.

    Parameters
    ----------
    blocks : sequence of Block
        Same subjects and features.
    permutations : int
        B, at least 1.
    seed : int
    scope : {"marker", "family", "all"}
        What a family of hypotheses is: all features of one marker, all pairs of a family of features, or all pairs.
    family : array_like, shape (P,), optional
        Family of each feature; only for that scope.
    stratum : array_like, shape (n,), optional
        Subjects are exchanged within their stratum only (centre, batch).
    least : int
        Pairs of fewer subjects have no statistic.
    top : int
        Of the pairs with the largest statistics, within every family and over all, the permuted statistics are kept:
        their tails are fitted where fewer than ten permutations reached them, and under the scopes ``"family"`` and
        ``"all"`` step-down ends with them: p-values after them are those of the single step, which are not smaller.
    threads : int
        Changes no bit of the result.

    Returns
    -------
    MaxT

    Raises
    ------
    ConfigError
        Fewer than one permutation.
    """
    if permutations < 1:
        raise ConfigError(f"{permutations} permutations", allowed="at least 1")
    n, p = blocks[0].left.shape
    labels = np.zeros(p, np.intp)
    if scope == "family" and family is not None:
        labels = np.unique(np.asarray(family), return_inverse=True)[1].ravel()
    place = np.argsort(labels, kind="stable")
    sides = [_Side.of(block, place) for block in blocks]
    gaps = any(not side.whole.all() or side.markers_with_gaps for side in sides)
    work = _Work.of(sides, gaps, least, scope, labels[place], top)
    orders = permutations_of(n, permutations, seed, stratum)
    work.kept = np.zeros((permutations, work.chosen.size), np.float32)
    if scope == "marker":
        work.marker_largest = np.zeros((permutations, len(work.z)), np.float32)
    with _libraries().limit(limits=1):
        parts = _divide(work, max(1, threads))
        with ThreadPoolExecutor(len(parts)) as pool:
            done = list(pool.map(lambda tiles: work.run(tiles, orders), parts))
    work.group_largest = np.maximum.reduce(done)
    return work.result(np.argsort(place, kind="stable"), permutations)


@cache
def _libraries() -> ThreadpoolController:
    """The BLAS that NumPy brought; to look for it takes longer than the permutations of a small study."""
    return ThreadpoolController()


@dataclass(frozen=True, eq=False)
class _Side:
    """A block made ready: unit residuals in single precision, zero where missing, markers in rows."""

    left: Single
    there: Single
    whole: BoolArray
    right: Single
    seen: Single
    basis: Single
    df: int

    @classmethod
    def of(cls, block: Block, place: npt.NDArray[np.intp]) -> _Side:
        left, whole, there = _residuals(block.left[:, place], block.basis)
        right, _, seen = _residuals(block.right, block.basis)
        n, r = block.basis.shape
        f = np.float32
        return cls(
            left.astype(f), there.astype(f), whole, np.ascontiguousarray(right.T.astype(f)),
            np.ascontiguousarray(seen.T.astype(f)), block.basis[:, 1:].astype(f), n - r - 1,
        )  # fmt: skip

    @property
    def markers_with_gaps(self) -> bool:
        """Whether any marker lacks a subject."""
        return bool((self.seen == 0).any())


def _residuals(values: Array, basis: Array) -> tuple[Array, BoolArray, BoolArray]:
    """Unit residuals of each column over the subjects that have it, which columns are whole, and who is there."""
    there = ~np.isnan(values)
    out = np.zeros_like(values)
    kinds, which = np.unique(there, axis=1, return_inverse=True)
    for k in range(kinds.shape[1]):
        rows, columns = kinds[:, k], np.flatnonzero(which.ravel() == k)
        if rows.sum() > basis.shape[1] + 1:
            own = basis if rows.all() else spanning_basis(basis[rows, 1:], int(rows.sum()))
            out[np.ix_(rows, columns)] = unit_residuals(values[np.ix_(rows, columns)], own)[0]
    return out, np.asarray(there.all(axis=0)), there


@dataclass(eq=False)
class _Work:
    """What is counted, tile by tile of markers."""

    sides: Sequence[_Side]
    gaps: bool
    least: int
    scope: Scope
    begins: Counts
    z: Single
    observed: Single
    order: Counts
    exceeded: Counts
    stepped: Counts
    marker_largest: Single = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    group_largest: Single = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    chosen: npt.NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    kept: Single = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    @classmethod
    def of(
        cls, sides: Sequence[_Side], gaps: bool, least: int, scope: Scope, labels: npt.NDArray[np.intp], top: int
    ) -> _Work:
        q, p = sum(len(side.right) for side in sides), sides[0].left.shape[1]
        edges = np.concatenate([[0], np.flatnonzero(np.diff(labels)) + 1, [p]])
        empty = np.zeros((0, 0), np.int32)
        work = cls(
            sides, gaps, least, scope, edges.astype(np.int32), np.zeros((q, p), np.float32),
            np.zeros((q, p), np.float32), empty, np.zeros((q, p), np.int32), empty,
        )  # fmt: skip
        with _libraries().limit(limits=1):
            for b, first, last, at in work.tiles():
                side = sides[b]
                work.z[at : at + last - first] = np.abs(work.statistic(side, first, last, side.left, side.there))
        work.observed = np.where(work.z > 0, work.z * _TIE, np.float32(np.inf))
        if scope == "marker":
            work.order = np.argsort(-work.z, axis=1, kind="stable").astype(np.int32)
            work.stepped = np.zeros((q, p), np.int32)
        work.chosen = work._top(top)
        return work

    def _top(self, top: int) -> npt.NDArray[np.intp]:
        """Flat places of the largest statistics over all, and of every family, in ascending order."""
        found = [_largest(self.z.ravel(), top)]
        if self.scope == "family":
            for g in range(self.begins.size - 1):
                a, b = int(self.begins[g]), int(self.begins[g + 1])
                row, column = np.divmod(_largest(self.z[:, a:b].ravel(), top), b - a)
                found.append(row * self.z.shape[1] + column + a)
        return np.unique(np.concatenate(found))

    def tiles(self) -> list[tuple[int, int, int, int]]:
        """Block, first and last marker in it, and the row of the first among all."""
        found, at = [], 0
        for b, side in enumerate(self.sides):
            q = len(side.right)
            found += [(b, i, min(i + _TILE, q), at + i) for i in range(0, q, _TILE)]
            at += q
        return found

    def statistic(self, side: _Side, first: int, last: int, left: Single, there: Single) -> Single:
        """|z|, or r where nothing is missing, of a tile of markers with all features, shape (markers, features)."""
        right, seen = side.right[first:last], side.seen[first:last]
        r = right @ left
        if not self.gaps:
            return r
        whole_z(r, float(side.df))
        holed = np.flatnonzero(~side.whole)
        full = (seen == 1).all(axis=1)
        if not full.all():
            r[~full] = self._masked(right[~full], seen[~full], left, there, side)
        if holed.size and full.any():
            r[np.ix_(full, holed)] = self._masked(right[full], seen[full], left[:, holed], there[:, holed], side)
        return r

    def _masked(self, right: Single, seen: Single, left: Single, there: Single, side: _Side) -> Single:
        sxy = right @ left
        masked_z(
            sxy, seen @ left, right @ there, seen @ _squared(left), _squared(right) @ there, seen @ there,
            side.basis.shape[1], self.least,
        )  # fmt: skip
        return sxy

    def run(self, tiles: Sequence[tuple[int, int, int, int]], orders: npt.NDArray[np.int64]) -> Single:
        """Permute; returns the maximum of every family in these tiles, shape (permutations, families)."""
        largest = np.zeros((len(orders), self.begins.size - 1), np.float32)
        mine = [self._mine(at, at + last - first) for _, first, last, at in tiles]
        for b, order in enumerate(orders):
            given: dict[int, tuple[Single, Single]] = {}
            for (block, first, last, at), slots in zip(tiles, mine, strict=True):
                side = self.sides[block]
                if block not in given:
                    given[block] = _permuted(side, order, self.gaps)
                self._count(self.statistic(side, first, last, *given[block]), at, slots, b, largest[b])
        return largest

    def _mine(self, first: int, last: int) -> slice:
        p = self.z.shape[1]
        return slice(*np.searchsorted(self.chosen, [first * p, last * p]).tolist())

    def _count(self, r: Single, at: int, slots: slice, b: int, largest: Single) -> None:
        rows = slice(at, at + len(r))
        count_pairs(r, self.observed[rows], self.exceeded[rows])
        flat = self.chosen[slots] - at * r.shape[1]
        self.kept[b, slots] = r.ravel()[flat]
        if self.scope == "marker":
            row_step_down(r, self.order[rows], self.observed[rows], self.stepped[rows], self.marker_largest[b, rows])
        else:
            r.ravel()[flat] = 0.0
            group_maxima(r, self.begins, largest)

    def result(self, back: npt.NDArray[np.intp], permutations: int) -> MaxT:
        """Turn counts into p-values, and put the features back into their order."""
        adjusted = self._by_marker() if self.scope == "marker" else self._by_group()
        z = self.z if self.gaps else _as_z(self.z, self.sides)
        p_value = np.asarray((1.0 + self.exceeded) / (1.0 + permutations), dtype=np.float64)
        fitted = np.zeros(p_value.shape, dtype=bool)
        self._tails(p_value, adjusted, fitted)
        flat = self.z == 0
        p_value[flat] = adjusted[flat] = 1.0
        return MaxT(z[:, back], p_value[:, back], adjusted[:, back], fitted[:, back], permutations)

    def _by_marker(self) -> Array:
        counts = np.maximum.accumulate(np.take_along_axis(self.stepped, self.order, axis=1), axis=1)
        out = np.empty(self.z.shape)
        np.put_along_axis(out, self.order.astype(np.intp), (1.0 + counts) / (1.0 + len(self.kept)), axis=1)
        return out

    def _by_group(self) -> Array:
        """Step-down over the kept pairs of each family, single step for those after them."""
        out, total = np.empty(self.z.shape), 1.0 + len(self.kept)
        row, column = np.divmod(self.chosen, self.z.shape[1])
        group = np.searchsorted(self.begins, column, side="right") - 1
        for g in range(self.begins.size - 1):
            a, b = int(self.begins[g]), int(self.begins[g + 1])
            slots = np.flatnonzero(group == g)
            slots = slots[np.argsort(-self.z[row[slots], column[slots]], kind="stable")]
            running = self._successive(slots, g)
            single = np.sort(running[:, 0])
            out[:, a:b] = (1.0 + single.size - np.searchsorted(single, self.observed[:, a:b])) / total
            reached = (running[:, :-1] >= self.observed[row[slots], column[slots]]).sum(axis=0)
            stepped = np.maximum.accumulate((1.0 + reached) / total)
            if slots.size:
                out[:, a:b] = np.maximum(out[:, a:b], stepped[-1])
            out[row[slots], column[slots]] = stepped
        return out

    def _successive(self, slots: npt.NDArray[np.intp], g: int) -> Single:
        """Maximum over a kept pair and all of its family that come after it, shape (permutations, pairs + 1)."""
        stacked = np.hstack([self.kept[:, slots], self.group_largest[:, g : g + 1]])
        return np.asarray(np.maximum.accumulate(stacked[:, ::-1], axis=1)[:, ::-1])

    def _tails(self, p_value: Array, adjusted: Array, fitted: BoolArray) -> None:
        """Replace p-values that rest on few permutations by those of a fitted tail, on the scale z²."""
        p, df = self.z.shape[1], self._df_of_rows()
        for slot, place in enumerate(self.chosen):
            q, f = divmod(int(place), p)
            if self.exceeded[q, f] < FEW and self.z[q, f] > 0:
                tail = fit_tail(self._square(self.kept[:, slot], df[q]))
                found = tail.p_value(self._square(self.z[q : q + 1, f], df[q]))[0] if tail else np.nan
                if np.isfinite(found):
                    p_value[q, f], fitted[q, f] = found, True
        low = (adjusted <= FEW / (1.0 + len(self.kept))) & (self.z > 0)
        if self.scope == "marker":
            for q in np.flatnonzero(low.any(axis=1)):
                f = np.flatnonzero(low[q])
                self._adjusted_tail(adjusted, np.full(f.size, q), f, self.marker_largest[:, q], df[q])
            return
        for g in range(self.begins.size - 1):
            a, b = int(self.begins[g]), int(self.begins[g + 1])
            rows, columns = np.nonzero(low[:, a:b])
            if rows.size:
                largest = self._successive(self._slots_of(g), g)[:, 0]
                self._adjusted_tail(adjusted, rows, columns + a, largest, df[0])

    def _slots_of(self, g: int) -> npt.NDArray[np.intp]:
        group = np.searchsorted(self.begins, self.chosen % self.z.shape[1], side="right") - 1
        return np.flatnonzero(group == g)

    def _adjusted_tail(
        self, adjusted: Array, q: npt.NDArray[np.intp], f: npt.NDArray[np.intp], largest: Single, df: int
    ) -> None:
        """Tail of the maximum over all: exact for the largest pair; for others only where no permutation reached them.

        Of those it is the p-value of the single step, which is not smaller than that of step-down.
        """
        tail = fit_tail(self._square(largest, df))
        if tail is None:
            return
        order = np.argsort(-self.z[q, f], kind="stable")
        q, f = q[order], f[order]
        counted = adjusted[q, f]
        found = tail.p_value(self._square(self.z[q, f], df))
        use = np.isfinite(found) & (counted <= 1.0 / (1.0 + len(self.kept)))
        value = np.where(use, np.minimum(found, counted), counted)
        if np.isfinite(found[0]):
            value[0] = found[0]
        adjusted[q, f] = np.maximum.accumulate(value)

    def _square(self, values: Single, df: int) -> Array:
        size = values.astype(np.float64)
        return size**2 if self.gaps else -(df - 0.5) * np.log1p(-np.minimum(size**2, 1.0 - 1e-12))

    def _df_of_rows(self) -> npt.NDArray[np.int64]:
        return np.repeat([side.df for side in self.sides], [len(side.right) for side in self.sides])


def _squared(values: Single) -> Single:
    return np.square(values, dtype=np.float32)


def _largest(values: Single, count: int) -> npt.NDArray[np.intp]:
    """Places of the `count` largest values; of equal ones the first."""
    if values.size <= count:
        return np.arange(values.size)
    edge = np.partition(values, values.size - count)[values.size - count]
    above = np.flatnonzero(values > edge)
    return np.concatenate([above, np.flatnonzero(values == edge)[: count - above.size]])


def _permuted(side: _Side, order: npt.NDArray[np.int64], gaps: bool) -> tuple[Single, Single]:
    """Features of other subjects; where they are whole the covariates are taken out again, which scales r."""
    left = side.left[order]
    if side.basis.shape[1]:
        # The markers are orthogonal to the covariates, so only the length of the feature changes.
        inside = side.basis.T @ left[:, side.whole]
        left[:, side.whole] /= np.sqrt(1.0 - (inside * inside).sum(axis=0))
    return left, side.there[order] if gaps else side.there


def _divide(work: _Work, threads: int) -> list[list[tuple[int, int, int, int]]]:
    """Share the tiles among threads, and make room for what they keep."""
    tiles = work.tiles()
    return [list(part) for part in (tiles[i::threads] for i in range(threads)) if part]


def _as_z(r: Single, sides: Sequence[_Side]) -> Single:
    out, at = np.empty_like(r), 0
    for side in sides:
        rows = slice(at, at + len(side.right))
        out[rows] = np.sqrt(-(side.df - 0.5) * np.log1p(-np.minimum(r[rows].astype(np.float64) ** 2, 1 - 1e-12)))
        at += len(side.right)
    return out
