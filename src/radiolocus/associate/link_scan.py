"""Tests of all pairs of features and markers, one matrix product for all that share subjects and test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.associate.link_options import LinkOptions, Test
from radiolocus.associate.link_tables import KINDS, some
from radiolocus.associate.link_tests import (
    Fits,
    biserial_interval,
    logistic_links,
    normal_interval,
    ordinal_links,
    rho_interval,
    t_interval,
)
from radiolocus.model import Array, BoolArray, Problem
from radiolocus.stats.correlation import (
    average_ranks,
    correlate,
    correlation_t,
    rank_sum,
    spanning_basis,
    unit_residuals,
)
from radiolocus.stats.distance import distance_correlation, neg_log10_p_distance
from radiolocus.stats.ols import residualise
from radiolocus.stats.tail import neg_log10_p_normal, neg_log10_p_t

__all__ = ["Scan"]

_TESTS = (
    "linear",
    "rank-sum",
    "Spearman",
    "partial Spearman",
    "logistic",
    "logistic, Firth",
    "proportional odds",
    "distance",
)
_LINEAR, _RANK_SUM, _SPEARMAN, _PARTIAL, _LOGISTIC, _FIRTH, _ORDINAL, _DISTANCE = range(8)
_FEW, _GROUP, _FEATURE, _MARKER, _FIT = range(1, 6)
_BINARY, _CLASSES = KINDS.index("binary"), KINDS.index("ordinal")

Place = tuple[npt.NDArray[np.intp], ...]


def _patterns(present: BoolArray) -> list[tuple[BoolArray, npt.NDArray[np.intp]]]:
    """Group the columns of `present` (n, p) by who is present: the pattern, and the columns that share it."""
    if present.shape[1] == 0:
        return []
    kinds, which = np.unique(present, axis=1, return_inverse=True)
    return [(kinds[:, k], np.flatnonzero(which.ravel() == k)) for k in range(kinds.shape[1])]


class Scan:
    """Results of all pairs, filled block by block; a pair that was not tested has a reason instead of a test.

    Parameters
    ----------
    options : LinkOptions
    F, M : ndarray, shape (n, P) and (n, Q)
        Features and markers; NaN where missing.
    kinds : ndarray of int8, shape (Q,)
        Place of each marker's kind in :data:`radiolocus.associate.link_tables.KINDS`.
    tests : sequence of str, length Q
    Z : ndarray, shape (n, k)
        Covariates.
    """

    def __init__(
        self, options: LinkOptions, F: Array, M: Array, kinds: npt.NDArray[np.int8], tests: Sequence[Test], Z: Array
    ) -> None:
        self.options, self.F, self.M, self.kinds, self.Z = options, F, M, kinds, Z
        self.how = np.array(tests, dtype=np.str_)
        shape = (F.shape[1], M.shape[1])
        self.estimate, self.error, self.statistic, self.tail, self.correlation, self.lower, self.upper = (
            np.full(shape, np.nan) for _ in range(7)
        )
        self.n = np.zeros(shape, dtype=np.int32)
        self.test = np.full(shape, -1, dtype=np.int8)
        self.reason = np.zeros(shape, dtype=np.int8)

    def run(self, complete: BoolArray) -> None:
        """Test all pairs, one matrix product for all that share their subjects, their kind of marker and their test."""
        columns = _patterns(~np.isnan(self.M))
        for here, p in _patterns(~np.isnan(self.F)):
            for there, q in columns:
                keep = here & there & complete
                for kind, how, chosen in self._alike(q):
                    self._block(p, chosen, keep, kind, how)

    def _alike(self, q: npt.NDArray[np.intp]) -> Iterator[tuple[int, str, npt.NDArray[np.intp]]]:
        """Markers that share kind and test, as both, and which."""
        pairs = sorted({(int(k), str(h)) for k, h in zip(self.kinds[q], self.how[q], strict=True)})
        for kind, how in pairs:
            yield kind, how, q[(self.kinds[q] == kind) & (self.how[q] == how)]

    def _block(self, p: npt.NDArray[np.intp], q: npt.NDArray[np.intp], keep: BoolArray, kind: int, how: str) -> None:
        place = np.ix_(p, q)
        n = int(keep.sum())
        basis = spanning_basis(self.Z[keep], n) if n else np.empty((0, 1))
        df = n - basis.shape[1] - 1
        self.n[place] = n
        if n < self.options.min_n or df < 1:
            self.reason[place] = _FEW
            return
        F, M = self.F[np.ix_(keep, p)], self.M[np.ix_(keep, q)]
        if how == "rank" and kind == _BINARY and self.Z.shape[1] == 0:
            self._rank_sum(place, F, M, basis)
        elif how == "rank":
            self._spearman(place, F, M, self.Z[keep])
        else:
            self._linear(place, F, M, basis, df, kind == _BINARY)
            if how == "distance":
                self._distance(place, F, M, basis, n)
            elif how != "linear":
                self._fitted(p, q, F, M, basis, how)
        if kind == _BINARY or how == "ordinal":
            self._refuse(place, (self.reason[place] == 0) & self._small(M)[None, :], _GROUP)

    def _small(self, M: Array) -> BoolArray:
        """Markers one of whose classes has too few subjects."""
        return np.array([np.unique(m, return_counts=True)[1].min() < self.options.min_group for m in M.T], dtype=bool)

    def _linear(self, place: Place, F: Array, M: Array, basis: Array, df: int, binary: bool) -> None:
        U, a = unit_residuals(F, basis)
        V, b = unit_residuals(M, basis)
        per = np.ones(len(b)) if binary else M.std(axis=0, ddof=1)
        spread = np.divide(a, F.std(axis=0, ddof=1), out=np.zeros(len(a)), where=a > 0)
        scale = np.outer(spread, np.divide(per, b, out=np.zeros(len(b)), where=b > 0))
        self._correlated(place, U, V, scale, df, _LINEAR)
        self.lower[place], self.upper[place] = t_interval(self.estimate[place], self.error[place], df)
        self._refuse_constant(place, a, b)

    def _spearman(self, place: Place, F: Array, M: Array, Z: Array) -> None:
        basis = spanning_basis(average_ranks(Z), len(F))
        U, a = unit_residuals(average_ranks(F), basis)
        V, b = unit_residuals(average_ranks(M), basis)
        test = _PARTIAL if Z.shape[1] else _SPEARMAN
        df = len(F) - basis.shape[1] - 1
        self._correlated(place, U, V, np.ones((1, 1)), df, test)
        self.lower[place], self.upper[place] = rho_interval(self.estimate[place], df)
        self._refuse_constant(place, a, b)

    def _correlated(self, place: Place, U: Array, V: Array, scale: Array, df: int, test: int) -> None:
        r, unexplained = correlate(U, V)
        t = correlation_t(r, unexplained, df)
        self.correlation[place] = r
        self.estimate[place] = r * scale
        self.error[place] = scale * np.sqrt(unexplained / df)
        self.statistic[place] = t
        self.tail[place] = neg_log10_p_t(t, df)
        self.test[place] = test

    def _rank_sum(self, place: Place, F: Array, M: Array, basis: Array) -> None:
        ranks = average_ranks(F)
        U, a = unit_residuals(ranks, basis)
        V, b = unit_residuals(M, basis)
        z, biserial = rank_sum(ranks, M)
        self.correlation[place] = correlate(U, V)[0]
        self.estimate[place] = biserial
        self.statistic[place] = z
        self.tail[place] = neg_log10_p_normal(z)
        self.test[place] = _RANK_SUM
        ones = M.sum(axis=0)
        self.lower[place], self.upper[place] = biserial_interval(biserial, ones, len(M) - ones)
        self._refuse_constant(place, a, b)

    def _distance(self, place: Place, F: Array, M: Array, basis: Array, n: int) -> None:
        """Distance correlation of what the covariates leave of both; `correlation` stays Pearson's."""
        R = distance_correlation(_left(F, basis), _left(M, basis))
        self.estimate[place], self.statistic[place] = R, n * R
        self.error[place] = self.lower[place] = self.upper[place] = np.nan
        self.tail[place] = neg_log10_p_distance(R, n)
        self.test[place] = _DISTANCE

    def _fitted(
        self, p: npt.NDArray[np.intp], q: npt.NDArray[np.intp], F: Array, M: Array, basis: Array, how: str
    ) -> None:
        for j, marker in zip(q, M.T, strict=True):
            fit = logistic_links(marker, F, basis) if how == "logistic" else ordinal_links(marker, F, basis)
            self._take(p, j, fit, how)

    def _take(self, p: npt.NDArray[np.intp], j: int, fit: Fits, how: str) -> None:
        place = np.ix_(p, np.array([j]))
        self.estimate[p, j], self.error[p, j], self.statistic[p, j], self.tail[p, j] = (
            fit.estimate, fit.error, fit.statistic, fit.tail,
        )  # fmt: skip
        self.lower[p, j], self.upper[p, j] = normal_interval(fit.estimate, fit.error)
        self.test[p, j] = np.where(fit.firth, _FIRTH, _LOGISTIC) if how == "logistic" else _ORDINAL
        lost = (~np.isfinite(fit.tail))[:, None] & (self.reason[place] == 0)
        self._refuse(place, lost, _FIT)

    def _refuse_constant(self, place: Place, a: Array, b: Array) -> None:
        flat = np.broadcast_to((a == 0)[:, None], (len(a), len(b)))
        self._refuse(place, flat, _FEATURE)
        self._refuse(place, ~flat & (b == 0)[None, :], _MARKER)

    def _refuse(self, place: Place, pairs: BoolArray, reason: int) -> None:
        if pairs.any():
            self.reason[place] = np.where(pairs, reason, self.reason[place])

    def order(self) -> npt.NDArray[np.intp]:
        """Flat places of the tests made, smallest p-value first."""
        made = np.flatnonzero((self.reason == 0).ravel())
        # Names are in alphabetical order already, so a stable sort leaves them so among equal p-values.
        return made[np.argsort(-self.tail.ravel()[made], kind="stable")]

    def columns(
        self, order: npt.NDArray[np.intp], features: Sequence[str], markers: Sequence[str]
    ) -> dict[str, pl.Series | Array | npt.NDArray[np.int32]]:
        """Return what the tests at these flat places found, by column of ``link/link``."""
        row, column = np.divmod(order, max(len(markers), 1))

        def some_null(values: Array) -> pl.Series:
            return pl.Series(values.ravel()[order]).fill_nan(None)

        return {
            "feature": named(features, row),
            "marker": named(markers, column),
            "marker_kind": named(KINDS, self.kinds[column].astype(np.intp)),
            "test": named(_TESTS, self.test.ravel()[order]),
            "estimate": self.estimate.ravel()[order],
            "standard_error": some_null(self.error),
            "lower": some_null(self.lower),
            "upper": some_null(self.upper),
            "statistic": self.statistic.ravel()[order],
            "neg_log_10_p_value": self.tail.ravel()[order],
            "n": self.n.ravel()[order],
            "correlation": self.correlation.ravel()[order],
        }

    def problems(self, features: Sequence[str], markers: Sequence[str]) -> tuple[Problem, ...]:
        """Return one line a reason for the pairs that were not tested."""
        said = (
            (_FEW, "fewer than {0.min_n} subjects (or too few for the covariates)", "lower link.min_n", ()),
            (_GROUP, "fewer than {0.min_group} subjects with or without the marker", "lower link.min_group", (1,)),
            (_FEATURE, "a feature that is constant, or a function of the covariates", "", (0,)),
            (_MARKER, "a marker that is constant, or a function of the covariates", "", (1,)),
            (_FIT, "a model that has no maximum (classes that are separated)", "use the rank test", (0, 1)),
        )
        problems = []
        for reason, why, todo, axes in said:
            pairs = self.reason == reason
            if not pairs.any():
                continue
            count = int(pairs.sum())
            sides = (features, markers)
            shown = "; ".join(
                some([sides[axis][int(i)] for i in np.flatnonzero(pairs.any(axis=1 - axis))]) for axis in axes
            )
            problems.append(
                Problem(
                    "link",
                    f"{count} pairs not tested: {why.format(self.options)}" + (f" ({shown})" if shown else ""),
                    "no value",
                    allowed="a value that differs between enough subjects",
                    todo=todo,
                    count=count,
                )
            )
        return tuple(problems)


def _left(values: Array, basis: Array) -> Array:
    return values if basis.shape[1] == 1 else residualise(basis, values)


def named(names: Sequence[str], index: npt.NDArray[np.integer]) -> pl.Series:
    """Names by place."""
    return pl.Series(names, dtype=pl.String).gather(pl.Series(index.astype(np.uint32)))
