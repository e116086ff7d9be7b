"""Logistic score tests of a tile of variants with all binary phenotypes, and what follows where they are large.

Genotypes meet all phenotypes in matrix products; only the few pairs with a large score are looked at one by one. With G
the genotypes, W the weights μ (1 − μ) and X̃ the covariates orthonormal under W, the score is G'(y − μ) and its variance
G'WG − |X̃'WG|².
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.associate.binary import BinaryDesign, BinaryOptions
from radiolocus.associate.block import frequency_of
from radiolocus.associate.tile import CONSTANT, DETERMINED, KEPT, SAME, Missing
from radiolocus.errors import FitError
from radiolocus.kernels.firth import CONVERGED, fit_pairs
from radiolocus.kernels.genotype import centre_dosage
from radiolocus.model import Array
from radiolocus.stats.saddlepoint import ScoreTest, fit_null, score_test
from radiolocus.stats.tail import neg_log10_p_chi2, neg_log10_p_normal

__all__ = ["NO_FIT", "TESTS", "BinaryTile", "BinaryTiler", "binary_rows"]

Whole = npt.NDArray[np.int64]

# Variants of one matrix product; always padded to this, so that a variant's numbers do not depend on its block.
_HEIGHT = 256
# When less than this fraction of a sum of squares is free of the covariates, residuals are formed.
_LITTLE = 1e-4

NO_FIT = 7

#: Names of the tests, by the numbers in :class:`BinaryTile`.
TESTS = ("score", "spa", "firth", "wald", "firth wald")
_SCORE, _SPA, _FIRTH, _WALD, _FIRTH_WALD = range(5)


@dataclass(frozen=True, eq=False)
class BinaryTile:
    """What a tile of V variants gives for P phenotypes.

    Parameters
    ----------
    statistic, log_p : ndarray, shape (V, P)
        Signed statistic of the test, −log10 p.
    beta, error : ndarray, shape (V, P)
        Coefficient and standard error where the test came with a fit, otherwise NaN.
    test, state : ndarray of int8, shape (V, P)
        Place in ``TESTS``; 0 where a number stands, otherwise why none does.
    dosage : ndarray of float32, shape (V, n)
    moments : ndarray, shape (V, 4)
        See :func:`radiolocus.kernels.genotype.centre_dosage`.
    """

    statistic: Array
    log_p: Array
    beta: Array
    error: Array
    test: npt.NDArray[np.int8]
    state: npt.NDArray[np.int8]
    dosage: npt.NDArray[np.float32]
    moments: Array


class BinaryTiler:
    """Test tiles of variants with one design; holds the room that every tile needs.

    Parameters
    ----------
    design : BinaryDesign
    missing : {"mean", "drop"}
    options : BinaryOptions
    """

    height = _HEIGHT

    def __init__(self, design: BinaryDesign, missing: Missing, options: BinaryOptions) -> None:
        self.design = design
        self._missing = missing
        self._options = options
        n = design.linear.n
        self._centred, self._squares = np.zeros((_HEIGHT, n)), np.zeros((_HEIGHT, n))
        self._moments = np.zeros((_HEIGHT, 4))
        self._rows = np.arange(n, dtype=np.int64)

    def another(self) -> BinaryTiler:
        """One for another thread: room of its own."""
        return BinaryTiler(self.design, self._missing, self._options)

    def scan(self, dosage: npt.NDArray[np.float32]) -> BinaryTile:
        """Test at most `height` variants of the n subjects of the design."""
        height, count = dosage.shape[0], self.design.linear.columns.size
        self._centred[height:] = 0.0
        centre_dosage(dosage, self._rows, self._centred, self._moments)
        moments = self._moments[:height].copy()
        shape = (height, count)
        tile = BinaryTile(
            np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan),
            np.zeros(shape, dtype=np.int8), np.zeros(shape, dtype=np.int8), dosage, moments,
        )  # fmt: skip
        # the sum of squares about the mean is rounding when every genotype is the same
        same = (moments[:, 0] < 1) | (moments[:, 2] <= 1e-10 * moments[:, 3])
        tile.state[same] = SAME
        self._score(tile)
        if self._missing == "drop":
            for v in np.flatnonzero((moments[:, 0] < dosage.shape[1]) & ~same):
                for column in range(count):
                    self._score_known(tile, int(v), column)
        self._follow(tile)
        tile.log_p[tile.state != KEPT] = np.nan
        return tile

    def _score(self, tile: BinaryTile) -> None:
        """Score of every pair in standard errors, missing genotypes at the mean."""
        design, height = self.design, tile.state.shape[0]
        np.square(self._centred, out=self._squares)
        score = (self._centred @ design.residual)[:height]
        power = (self._squares @ design.weight)[:height]
        variance = power.copy()
        for column, null in enumerate(design.nulls):
            loaded = np.zeros((design.linear.n, null.basis.shape[1]))
            loaded[design.rows(column)] = null.basis * (null.mu * (1.0 - null.mu))[:, None]
            variance[:, column] -= np.square((self._centred @ loaded)[:height]).sum(axis=1)
        little = (variance < _LITTLE * power) & (tile.state == KEPT)
        good = (tile.state == KEPT) & ~little
        np.divide(score, np.sqrt(np.where(good, variance, 1.0)), out=tile.statistic, where=good)
        for v, column in np.argwhere(little):
            found = score_test(self._genotypes(tile, np.array([v]), int(column)), design.nulls[column], cutoff=np.inf)
            self._judge(tile, int(v), int(column), found)
        tile.log_p[:] = neg_log10_p_normal(tile.statistic)

    def _judge(self, tile: BinaryTile, v: int, column: int, found: ScoreTest) -> None:
        """Take one score test, or say why there is none."""
        mu = self.design.nulls[column].mu
        if found.scale[0] <= 1e-20 * float((mu * (1.0 - mu)).sum()):
            tile.state[v, column] = SAME
        elif found.variance[0] <= 1e-14 * found.scale[0]:
            tile.state[v, column] = DETERMINED
        else:
            tile.statistic[v, column] = found.score[0] / np.sqrt(found.variance[0])

    def _genotypes(self, tile: BinaryTile, variants: Whole, column: int) -> Array:
        """Genotypes of the subjects of a column; NaN where the subject is to be left out."""
        raw = tile.dosage[variants][:, self.design.rows(column)].astype(np.float64)
        if self._missing == "drop":
            return raw
        return np.where(np.isnan(raw), tile.moments[variants, 1:2], raw)

    def _known(self, tile: BinaryTile, v: int, column: int) -> ScoreTest | None:
        """Score test among the subjects with a genotype, with a null model of their own where there is one."""
        null, row = self.design.nulls[column], self._genotypes(tile, np.array([v]), column)[0]
        there = ~np.isnan(row)
        try:
            own = fit_null(null.y[there], self.design.basis(column)[there], null.coefficient)
        except FitError:
            return None
        return score_test(row[None, there], own, cutoff=self._options.cutoff)

    def _score_known(self, tile: BinaryTile, v: int, column: int) -> None:
        tile.statistic[v, column] = tile.log_p[v, column] = np.nan
        y = self.design.nulls[column].y[~np.isnan(self._genotypes(tile, np.array([v]), column)[0])]
        one_class = y.size == 0 or y.min() == y.max()
        tile.state[v, column] = CONSTANT if one_class else KEPT
        if one_class:
            return
        found = self._known(tile, v, column)
        if found is None:  # separated by the covariates: Firth's fit may stand
            tile.statistic[v, column] = np.inf
            return
        self._judge(tile, v, column, found)
        tile.log_p[v, column] = found.neg_log10_p[0]
        if abs(tile.statistic[v, column]) > self._options.cutoff:
            tile.test[v, column] = _SPA

    def _follow(self, tile: BinaryTile) -> None:
        """The better test of the pairs that ask for one."""
        large = (tile.state == KEPT) & (np.abs(tile.statistic) > self._options.cutoff)
        for column in range(tile.state.shape[1]):
            if self._options.test == "wald":
                self._fit_wald(tile, np.flatnonzero(tile.state[:, column] == KEPT), column)
                continue
            chosen = np.flatnonzero(large[:, column])
            if self._options.test == "spa":
                chosen = self._fit_spa(tile, chosen, column)
            self._fit_firth(tile, chosen, column)

    def _fit_spa(self, tile: BinaryTile, variants: Whole, column: int) -> Whole:
        """Saddle-point approximations; returns the variants for which it fails."""
        tile.test[variants, column] = _SPA
        whole = variants if self._missing == "mean" else self._complete(tile, variants, column)
        found = score_test(self._genotypes(tile, whole, column), self.design.nulls[column], cutoff=0.0)
        tile.log_p[whole, column] = found.neg_log10_p
        failed: Whole = variants[np.isnan(tile.log_p[variants, column])]
        return failed

    def _complete(self, tile: BinaryTile, variants: Whole, column: int) -> Whole:
        """Those without a missing genotype among all analysed subjects: the others have been done."""
        complete: Whole = variants[tile.moments[variants, 0] == tile.dosage.shape[1]]
        return complete

    def _fit_firth(self, tile: BinaryTile, variants: Whole, column: int) -> None:
        result, good = self._fit(tile, variants, column, penalised=True, ratio=True)
        there = variants[good]
        tile.beta[there, column], tile.error[there, column] = result[good, 0], result[good, 1]
        tile.statistic[there, column] = np.copysign(np.sqrt(result[good, 2]), result[good, 0])
        tile.log_p[there, column] = neg_log10_p_chi2(result[good, 2], 1)
        tile.test[there, column] = _FIRTH
        tile.state[variants[~good], column] = NO_FIT

    def _fit_wald(self, tile: BinaryTile, variants: Whole, column: int) -> None:
        for penalised, test in ((False, _WALD), (True, _FIRTH_WALD)):
            result, good = self._fit(tile, variants, column, penalised=penalised, ratio=False)
            there = variants[good]
            tile.beta[there, column], tile.error[there, column] = result[good, 0], result[good, 1]
            tile.statistic[there, column] = result[good, 0] / result[good, 1]
            tile.log_p[there, column] = neg_log10_p_normal(result[good, 0] / result[good, 1])
            tile.test[there, column] = test
            variants = variants[~good]
        tile.state[variants, column] = NO_FIT

    def _fit(
        self, tile: BinaryTile, variants: Whole, column: int, *, penalised: bool, ratio: bool
    ) -> tuple[Array, npt.NDArray[np.bool_]]:
        result, status = np.empty((variants.size, 3)), np.zeros(variants.size, dtype=np.int64)
        null = self.design.nulls[column]
        genotypes = self._genotypes(tile, variants, column)
        fit_pairs(
            self.design.basis(column), null.y, genotypes, null.coefficient, penalised, ratio, result, status
        )  # fmt: skip
        return result, status == CONVERGED

    def effects(self, tile: BinaryTile, variant: Whole, column: Whole) -> tuple[Array, Array]:
        """Coefficient and standard error of pairs: Firth's where the test came without a fit."""
        beta, error = tile.beta[variant, column], tile.error[variant, column]
        for c in np.unique(column[np.isnan(beta)]):
            here = np.flatnonzero((column == c) & np.isnan(beta))
            result, _ = self._fit(tile, variant[here], int(c), penalised=True, ratio=False)
            beta[here], error[here] = result[:, 0], result[:, 1]
        return beta, error

    def counts(self, tile: BinaryTile, variant: Whole, column: Whole) -> tuple[Whole, Whole]:
        """Subjects and cases of pairs."""
        n, cases = np.empty(variant.size, dtype=np.int64), np.empty(variant.size, dtype=np.int64)
        for c in np.unique(column):
            y, rows = self.design.nulls[c].y, self.design.rows(int(c))
            here = np.flatnonzero(column == c)
            n[here], cases[here] = y.size, int(y.sum())
            if self._missing == "drop":
                for i in here[tile.moments[variant[here], 0] < tile.dosage.shape[1]]:
                    there = ~np.isnan(tile.dosage[variant[i], rows])
                    n[i], cases[i] = int(there.sum()), int(y[there].sum())
        return n, cases


def binary_rows(tiler: BinaryTiler, tile: BinaryTile, variant: Whole, column: Whole) -> pl.DataFrame:
    """Numbers of chosen pairs of a tile: columns variant and column, then those of ``sumstats/binary``."""
    design = tiler.design.linear
    beta, error = tiler.effects(tile, variant, column)
    n, cases = tiler.counts(tile, variant, column)
    frame = pl.DataFrame(
        {
            "variant": variant,
            "column": column,
            "beta": beta,
            "standard_error": error,
            "effect_allele_frequency": frequency_of(
                tile.dosage, tile.moments, design, variant, design.pattern_of[column]
            ),
            "neg_log_10_p_value": tile.log_p[variant, column],
            "n": n,
            "cases": cases,
            "statistic": tile.statistic[variant, column],
            "test": pl.Series(TESTS, dtype=pl.String).gather(tile.test[variant, column]),
        }
    )
    return frame.with_columns(pl.col("beta", "standard_error").fill_nan(None))
