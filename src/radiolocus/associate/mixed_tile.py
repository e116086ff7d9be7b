"""Tests of a tile of variants with all phenotypes by a linear mixed model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.associate.block import frequency_of
from radiolocus.associate.design import Design, pattern_basis
from radiolocus.associate.mixed import MixedGroup
from radiolocus.associate.tile import DETERMINED, KEPT, PERFECT_FIT, SAME
from radiolocus.kernels.genotype import centre_dosage
from radiolocus.kernels.reml import wald_pairs
from radiolocus.model import Array
from radiolocus.stats.ols import COLLINEAR, PERFECT, residualise
from radiolocus.stats.reml import GRID, grid_slopes
from radiolocus.stats.tail import neg_log10_p_t_by

__all__ = ["MixedTile", "MixedTiler", "errors_of", "mixed_rows"]

Whole = npt.NDArray[np.int64]

# Variants of one matrix product; always padded to this, so that a variant's numbers do not depend on its block.
_HEIGHT = 256
# Columns of the rotation that are made double at a time.
_STRIP = 512
# Below this fraction of unexplained variance, or beyond this t, a single-precision product has lost digits that show.
_NEAR, _LARGE = 1e-2, 12.0
# Sum of squares over that about the mean, below which the covariates determine a variant: what rounding leaves.
_OWN = {"float64": COLLINEAR**2, "float32": 1e-9}


@dataclass(frozen=True, eq=False)
class MixedTile:
    """What a tile of V variants gives for P phenotypes known in G patterns.

    Parameters
    ----------
    beta : ndarray, shape (V, P)
        Coefficient for a phenotype of unit length about the covariates.
    t, log_p : ndarray, shape (V, P)
        Student's t of the Wald test, −log10 p.
    flat : ndarray, shape (V, P)
        Standard error of beta, which t does not tell where beta is 0.
    df : ndarray of int64, shape (V, G)
    state : ndarray of int8, shape (V, P)
        0 where a number stands, otherwise why none does.
    dosage : ndarray of float32, shape (V, n)
    moments : ndarray, shape (V, 4)
        See :func:`radiolocus.kernels.genotype.centre_dosage`.
    """

    beta: Array
    t: Array
    log_p: Array
    flat: Array
    df: Whole
    state: npt.NDArray[np.int8]
    dosage: npt.NDArray[np.float32]
    moments: Array


class MixedTiler:
    """Test tiles of variants with one design and one relationship matrix; holds the room that every tile needs.

    Parameters
    ----------
    design : Design
    groups : sequence of MixedGroup
        One a pattern of the design.
    exact : bool
        Estimate the variance ratio anew for every pair.
    """

    height = _HEIGHT

    def __init__(self, design: Design, groups: Sequence[MixedGroup], exact: bool) -> None:
        self.design = design
        self._groups = groups
        self._exact = exact
        self._dtype = groups[0].rotation.dtype
        self._room = np.zeros(_HEIGHT * design.n, dtype=self._dtype)
        self._rotated = np.zeros(_HEIGHT * design.n, dtype=self._dtype)
        self._everyone = np.arange(design.n, dtype=np.int64)
        self._weights = [1.0 / (np.outer(group.ratio, group.values) + 1.0) for group in groups]

    def another(self) -> MixedTiler:
        """One for another thread: room of its own, the decompositions shared."""
        return MixedTiler(self.design, self._groups, self._exact)

    def scan(self, dosage: npt.NDArray[np.float32]) -> MixedTile:
        """Test at most `height` variants of the n subjects of the design; missing genotypes are at the mean."""
        height, design = dosage.shape[0], self.design
        shape = (height, design.columns.size)
        moments = self._centre(dosage, self._everyone)
        df = np.tile(np.array([pattern.df for pattern in design.patterns], dtype=np.int64), (height, 1))
        tile = MixedTile(
            np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan), df,
            np.zeros(shape, dtype=np.int8), dosage, moments,
        )  # fmt: skip
        for g in range(len(design.patterns)):
            self._scan_group(tile, g)
        tile.log_p[:] = neg_log10_p_t_by(np.where(tile.state == KEPT, tile.t, np.nan), df, design.pattern_of)
        return tile

    def _centre(self, dosage: npt.NDArray[np.float32], rows: Whole) -> Array:
        """Fill the room with the centred genotypes of some subjects; return their moments."""
        centred, moments = self._view(self._room, rows.size), np.zeros((_HEIGHT, 4))
        centred[dosage.shape[0] :] = 0.0
        centre_dosage(dosage, rows, centred, moments)
        return moments[: dosage.shape[0]]

    def _view(self, room: npt.NDArray[np.floating], width: int) -> npt.NDArray[np.floating]:
        return room[: _HEIGHT * width].reshape(_HEIGHT, width)

    def _scan_group(self, tile: MixedTile, g: int) -> None:
        pattern, group, height = self.design.patterns[g], self._groups[g], tile.state.shape[0]
        columns = slice(int(self.design.first[g]), int(self.design.first[g + 1]))
        moments = tile.moments
        if len(self._groups) > 1 or pattern.absent.size:
            moments = self._centre(tile.dosage, pattern.rows)
        rotated = self._view(self._rotated, group.values.size)
        np.matmul(self._view(self._room, pattern.rows.size), group.rotation, out=rotated)
        own = np.square(rotated[:height], dtype=np.float64).sum(axis=1)
        state = tile.state[:, columns]
        state[own <= _OWN[self._dtype.name] * moments[:, 2]] = DETERMINED
        # the sum of squares about the mean is rounding when every genotype is the same
        state[(moments[:, 0] < 1) | (moments[:, 2] <= 1e-10 * moments[:, 3])] = SAME
        if self._exact:
            self._estimate(tile, g, columns, rotated.astype(np.float64, copy=False))
        else:
            self._weigh(tile, g, columns, rotated)

    def _estimate(self, tile: MixedTile, g: int, columns: slice, rotated: Array) -> None:
        group, state = self._groups[g], tile.state[:, columns]
        height, df = state.shape[0], float(group.values.size - 1)
        slopes = grid_slopes(group.values, rotated, group.phenotypes)[:, :height]
        beta, t = np.full(state.shape, np.nan), np.full(state.shape, np.nan)
        perfect = np.zeros(state.shape, dtype=np.bool_)
        wald_pairs(group.values, rotated[:height], group.phenotypes, GRID, np.ascontiguousarray(slopes), df, PERFECT,
                   state == KEPT, beta, t, perfect)  # fmt: skip
        state[perfect] = PERFECT_FIT
        tile.beta[:, columns], tile.t[:, columns] = beta, t
        for v, p in np.argwhere(beta == 0.0):
            weight, x = self._weights[g][p], rotated[v]
            power = float(weight @ np.square(group.phenotypes[p]))
            tile.flat[v, columns.start + p] = np.sqrt(power / (df * float(weight @ np.square(x))))

    def _weigh(self, tile: MixedTile, g: int, columns: slice, rotated: npt.NDArray[np.floating]) -> None:
        group, height, weight = self._groups[g], tile.state.shape[0], self._weights[g]
        weighted = (group.phenotypes * weight).T.astype(self._dtype)
        sxy = (rotated @ weighted)[:height].astype(np.float64)
        sxx = (np.square(rotated) @ weight.T.astype(self._dtype))[:height].astype(np.float64)
        syy = (weight * np.square(group.phenotypes)).sum(axis=1)
        self._test(tile, g, columns, np.arange(height), sxy, sxx, syy)
        if self._dtype == np.float64:
            return
        t, rest = tile.t[:, columns], 1.0 - sxy**2 / np.where(sxx > 0, sxx * syy, np.inf)
        lost = (tile.state[:, columns] != DETERMINED) & (tile.state[:, columns] != SAME)
        again = np.flatnonzero((lost & ((np.abs(np.nan_to_num(t)) > _LARGE) | (rest < _NEAR))).any(axis=1))
        if again.size:
            x = self._rotated_double(tile.dosage[again], g)
            sxy, sxx = x @ (group.phenotypes * weight).T, np.square(x) @ weight.T
            self._test(tile, g, columns, again, sxy, sxx, syy)

    def _rotated_double(self, dosage: npt.NDArray[np.float32], g: int) -> Array:
        """Rotate variants in double precision, a strip of the rotation at a time."""
        rows, rotation = self.design.patterns[g].rows, self._groups[g].rotation
        centred, moments = np.empty((len(dosage), rows.size)), np.empty((len(dosage), 4))
        centre_dosage(dosage, rows, centred, moments)
        # a rounded rotation is not quite orthogonal to the covariates
        centred = residualise(pattern_basis(self.design.patterns[g], self.design.basis), centred.T).T
        strips = range(0, rotation.shape[1], _STRIP)
        # a product of one row takes another path in BLAS than one of several, so each row goes alone
        return np.stack(
            [np.concatenate([x @ rotation[:, i : i + _STRIP].astype(np.float64) for i in strips]) for x in centred]
        )

    def _test(
        self, tile: MixedTile, g: int, columns: slice, variants: Whole, sxy: Array, sxx: Array, syy: Array
    ) -> None:
        """Wald tests from weighted sums of squares and products."""
        df = float(self._groups[g].values.size - 1)
        state = tile.state[variants, columns]
        good = (state == KEPT) | (state == PERFECT_FIT)
        beta = np.divide(sxy, sxx, out=np.full(sxy.shape, np.nan), where=good)
        rest = syy - beta * sxy
        perfect = good & (rest <= PERFECT * syy)
        fine = good & ~perfect
        error = np.sqrt(np.divide(rest, df * sxx, out=np.full(sxy.shape, np.nan), where=fine))
        tile.state[variants, columns] = np.where(perfect, PERFECT_FIT, np.where(good, KEPT, state))
        tile.beta[variants, columns], tile.flat[variants, columns] = beta, error
        tile.t[variants, columns] = beta / error


def errors_of(tile: MixedTile) -> Array:
    """Standard error of every coefficient of a tile, NaN where there is none."""
    return np.divide(tile.beta, tile.t, out=tile.flat.copy(), where=(tile.state == KEPT) & (tile.t != 0))


def mixed_rows(tile: MixedTile, design: Design, variant: Whole, column: Whole) -> pl.DataFrame:
    """Numbers of chosen pairs of a tile; as :func:`radiolocus.associate.block.rows_of`."""
    pattern = design.pattern_of[column]
    df, length = tile.df[variant, pattern], design.length[column]
    return pl.DataFrame(
        {
            "variant": variant,
            "column": column,
            "beta": tile.beta[variant, column] * length,
            "standard_error": errors_of(tile)[variant, column] * length,
            "effect_allele_frequency": frequency_of(tile.dosage, tile.moments, design, variant, pattern),
            "neg_log_10_p_value": tile.log_p[variant, column],
            "n": df + design.basis.shape[1] + 1,
            "statistic": tile.t[variant, column],
            "degrees_of_freedom": df,
        }
    )
