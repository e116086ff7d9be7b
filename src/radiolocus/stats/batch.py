"""Models of one predictor each, many at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from radiolocus.model import Array, BoolArray
from radiolocus.stats.tail import neg_log10_p_normal

__all__ = ["Batch"]


@dataclass(frozen=True, eq=False)
class Batch:
    """Univariate models of many columns by maximum likelihood; every array has shape (p,).

    Parameters
    ----------
    coefficient, standard_error : ndarray
        NaN where no model could be fitted.
    loglik, loglik_null, score_statistic : ndarray
        As in the fit of one model; NaN where no model could be fitted.
    n, events : ndarray of int64
        Patients with a value in the column, and events (positives) among them.
    status : ndarray of int64
        0 where fitted; :meth:`reason` says what the others mean.
    """

    reasons: ClassVar[Mapping[int, str]] = {0: ""}

    coefficient: Array
    standard_error: Array
    loglik: Array
    loglik_null: Array
    score_statistic: Array
    n: npt.NDArray[np.int64]
    events: npt.NDArray[np.int64]
    status: npt.NDArray[np.int64]

    @property
    def fitted(self) -> BoolArray:
        """Whether the column has a model."""
        return np.asarray(self.status == 0)

    @property
    def statistic(self) -> Array:
        """Wald z."""
        return self.coefficient / self.standard_error

    @property
    def likelihood_ratio(self) -> Array:
        """Likelihood-ratio χ² with one degree of freedom."""
        return 2.0 * (self.loglik - self.loglik_null)

    @property
    def neg_log10_p(self) -> Array:
        """−log10 of the two-sided Wald p-value."""
        return np.asarray(neg_log10_p_normal(self.statistic))

    def reason(self, column: int) -> str:
        """Say why a column has no model; empty when it has one."""
        return self.reasons[int(self.status[column])]
