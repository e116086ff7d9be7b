"""Radiogenomic links: every imaging feature against every molecular marker.

======================  ==========================  =====================================  ===========================
marker, chosen test     test                        estimate                               standard error
======================  ==========================  =====================================  ===========================
binary, linear          ``linear``                  SD of the feature, present − absent    of least squares
continuous, linear      ``linear``                  SD of the feature per SD of marker     of least squares
binary, rank            ``rank-sum``                rank-biserial correlation, 2 AUC − 1   none: not defined apart
                                                                                           from the null
continuous, rank        ``Spearman``                Spearman's ρ                           √((1 − ρ²) / df)
any, rank, covariates   ``partial Spearman``        partial Spearman's ρ                   √((1 − ρ²) / df)
======================  ==========================  =====================================  ===========================

``linear`` is the regression of the feature on intercept, covariates and marker, with n − 2 − k degrees of freedom (k
independent covariates); without covariates and for a binary marker it is the two-sample t-test with pooled variance, or
the point-biserial correlation. The SD are those of the subjects used (denominator n − 1), before covariates.
``partial Spearman`` replaces feature, marker and covariates by their ranks and takes their partial correlation, with t
on n − 2 − k degrees of freedom (Kendall 1942, Biometrika 32:277; Kim 2015, Communications for Statistical Applications
and Methods 22:665). ``rank-sum`` is the normal approximation, see :func:`radiolocus.stats.correlation.rank_sum`.

Each pair uses the subjects that have both values and all covariates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from threadpoolctl import threadpool_limits

from radiolocus.cohort.repeatable import IccDemand
from radiolocus.errors import ConfigError, TableError
from radiolocus.model import Array, BoolArray, Problem
from radiolocus.registry import suggest
from radiolocus.schema import conform
from radiolocus.stats.correlation import (
    average_ranks,
    correlate,
    correlation_t,
    rank_sum,
    spanning_basis,
    unit_residuals,
)
from radiolocus.stats.multiplicity import benjamini_hochberg, bonferroni
from radiolocus.stats.tail import neg_log10_p_normal, neg_log10_p_t

__all__ = ["LinkOptions", "Links", "link"]

_TESTS = ("linear", "rank-sum", "Spearman", "partial Spearman")
_LINEAR, _RANK_SUM, _SPEARMAN, _PARTIAL = range(4)
_FEW, _GROUP, _FEATURE, _MARKER = range(1, 5)

Place = tuple[npt.NDArray[np.intp], ...]


@dataclass(frozen=True)
class LinkOptions(IccDemand):
    """How features are linked with markers.

    Parameters
    ----------
    covariates : tuple of str
        Clinical columns that every test is adjusted for; text columns become one indicator per value but the first.
    binary_test : {"linear", "rank"}
        Test of a binary marker.
    continuous_test : {"linear", "rank"}
        Test of a continuous marker.
    min_n : int
        Pairs with fewer subjects are not tested.
    min_group : int
        Binary markers with fewer subjects present, or absent, among those used are not tested.
    """

    covariates: tuple[str, ...] = ()
    binary_test: Literal["linear", "rank"] = "linear"
    continuous_test: Literal["linear", "rank"] = "rank"
    min_n: int = 20
    min_group: int = 3

    def __post_init__(self) -> None:
        for name in ("binary_test", "continuous_test"):
            if getattr(self, name) not in ("linear", "rank"):
                raise ConfigError(f"{name} = '{getattr(self, name)}'", where="link", allowed="linear, rank")
        for name, least in (("min_n", 4), ("min_group", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} = {getattr(self, name)}", where="link", allowed=f"at least {least}")
        if len(set(self.covariates)) < len(self.covariates):
            raise ConfigError("a covariate twice", where="link.covariates", allowed="every column once")
        self.check_icc("link")


@dataclass(frozen=True, eq=False)
class Links:
    """The tests made, and what could not be tested.

    Parameters
    ----------
    table : polars.DataFrame
        Table ``link/link``, smallest p-value first, then by feature and marker.
    problems : tuple of Problem
        One entry a reason, `count` pairs each.
    """

    table: pl.DataFrame
    problems: tuple[Problem, ...] = ()


def link(
    features: pl.DataFrame,
    markers: pl.DataFrame,
    dictionary: pl.DataFrame,
    covariates: pl.DataFrame | None = None,
    options: LinkOptions | None = None,
) -> Links:
    """Test every feature against every marker.

    Parameters
    ----------
    features : polars.DataFrame
        `subject`, then numeric columns; one row a subject; null, NaN or infinite is missing.
    markers : polars.DataFrame
        Table ``molecular/markers``.
    dictionary : polars.DataFrame
        Table ``molecular/dictionary``: `kind` of every marker.
    covariates : polars.DataFrame, optional
        `subject` and at least the columns of ``options.covariates``.
    options : LinkOptions, optional

    Returns
    -------
    Links

    Raises
    ------
    ConfigError
        A covariate that is no column of `covariates`.
    TableError
        A subject twice, a column that is not numeric, a marker without an entry in `dictionary`.
    """
    options = options or LinkOptions()
    for name, frame in (("features", features), ("markers", markers)):
        _check_subjects(name, frame)
    here = set(markers["subject"].to_list())
    subjects = sorted(s for s in features["subject"].to_list() if s in here)
    F = _Columns.of("features", features, subjects)
    M = _Columns.of("markers", markers, subjects)
    Z, complete, problems = _covariates(covariates, options.covariates, subjects)
    binary = _binary(M, dictionary)
    scan = _Scan(options, F.values, M.values, binary, Z)
    # One thread: how BLAS splits a product among threads shows in the last bits.
    with threadpool_limits(1):
        scan.run(complete)
    for side in (F, M):
        if side.infinite:
            got = f"{side.infinite} infinite values taken as missing"
            problems.append(Problem("link", got, "note", where=side.what, count=side.infinite))
    return Links(scan.table(F.names, M.names), (*problems, *scan.problems(F.names, M.names)))


def _check_subjects(name: str, frame: pl.DataFrame) -> None:
    if "subject" not in frame.columns:
        raise TableError("no column 'subject'", where=name)
    twice = frame["subject"].filter(frame["subject"].is_duplicated()).unique(maintain_order=True).to_list()
    if twice:
        raise TableError(
            f"{len(twice)} subjects more than once ({', '.join(map(str, twice[:5]))})",
            where=name,
            allowed="one row a subject",
            todo="choose one image, visit and region for each subject first",
        )


@dataclass(frozen=True, eq=False)
class _Columns:
    """Numeric columns in alphabetical order, for the chosen subjects; NaN where missing."""

    what: str
    names: tuple[str, ...]
    values: Array
    infinite: int

    @classmethod
    def of(cls, what: str, frame: pl.DataFrame, subjects: Sequence[str]) -> _Columns:
        types = {c: t for c, t in frame.schema.items() if c != "subject"}
        names = sorted(types)
        text = [c for c in names if not (types[c].is_numeric() or types[c] == pl.Boolean)]
        if text:
            raise TableError(
                f"{len(text)} columns that are not numbers ({', '.join(text[:5])})", where=what, allowed="numbers"
            )
        rows = _align(frame, subjects).select(pl.col(names).cast(pl.Float64))
        values = np.array(rows.to_numpy(), dtype=np.float64).reshape(len(subjects), len(names))
        infinite = np.isinf(values)
        values[infinite] = np.nan
        return cls(what, tuple(names), values, int(infinite.sum()))


def _binary(markers: _Columns, dictionary: pl.DataFrame) -> BoolArray:
    """Tell the binary markers from the continuous ones."""
    kinds = dict(zip(dictionary["marker"].to_list(), dictionary["kind"].to_list(), strict=True))
    unknown = [n for n in markers.names if kinds.get(n) not in ("binary", "continuous")]
    if unknown:
        raise TableError(
            f"{len(unknown)} markers of no known kind ({_some(unknown)})",
            where="molecular/dictionary",
            allowed="binary or continuous for every column of molecular/markers",
        )
    binary = np.array([kinds[n] == "binary" for n in markers.names], dtype=bool)
    values = markers.values[:, binary]
    odd = ~(np.isnan(values) | (values == 0) | (values == 1)).all(axis=0)
    if odd.any():
        names = [n for n, is_binary in zip(markers.names, binary, strict=True) if is_binary]
        raise TableError(
            f"values other than 0 and 1 in binary markers ({_some([names[i] for i in np.flatnonzero(odd)])})",
            where="molecular/markers",
            allowed="0, 1 or missing",
        )
    return binary


def _covariates(
    frame: pl.DataFrame | None, names: Sequence[str], subjects: Sequence[str]
) -> tuple[Array, BoolArray, list[Problem]]:
    """Return the covariates as numbers (subjects, k), who has them all, and a note about those who have not."""
    complete = np.ones(len(subjects), dtype=bool)
    if not names:
        return np.empty((len(subjects), 0)), complete, []
    known = _check_covariates(frame, names)
    columns: list[Array] = []
    for name in names:
        values = _align(known.select("subject", name), subjects)[name]
        if values.dtype.is_numeric() or values.dtype == pl.Boolean:
            columns.append(values.cast(pl.Float64).to_numpy())
            complete &= np.isfinite(columns[-1])
        else:
            text = values.cast(pl.String)
            complete &= text.is_not_null().to_numpy()
            levels = sorted(text.drop_nulls().unique().to_list())
            columns += [(text == level).fill_null(False).cast(pl.Float64).to_numpy() for level in levels[1:]]
    Z = np.column_stack([np.empty((len(subjects), 0)), *columns])
    if complete.all():
        return Z, complete, []
    short = [s for s, whole in zip(subjects, complete, strict=True) if not whole]
    problem = Problem(
        "link",
        f"{len(short)} subjects lack a covariate and take part in no test ({_some(short)})",
        "set aside",
        item=", ".join(names),
        allowed="a value of every covariate",
        todo="fill the covariate in, or take it from link.covariates",
        count=len(short),
    )
    return Z, complete, [problem]


def _check_covariates(frame: pl.DataFrame | None, names: Sequence[str]) -> pl.DataFrame:
    known = pl.DataFrame({"subject": []}, schema={"subject": pl.String}) if frame is None else frame
    offered = [c for c in known.columns if c != "subject"]
    for name in names:
        if name not in offered:
            raise ConfigError(
                f"no column '{name}'",
                where="link.covariates",
                allowed=", ".join(offered) or "none: there is no clinical table",
                todo=suggest(name, offered),
            )
    _check_subjects("covariates", known)
    return known


def _align(frame: pl.DataFrame, subjects: Sequence[str]) -> pl.DataFrame:
    """Rows of `frame` in the order of `subjects`; null where it has none."""
    chosen = pl.DataFrame({"subject": list(subjects)}, schema={"subject": pl.String})
    return chosen.join(frame, on="subject", how="left", maintain_order="left")


def _some(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _patterns(present: BoolArray) -> list[tuple[BoolArray, npt.NDArray[np.intp]]]:
    """Group the columns of `present` (n, p) by who is present: the pattern, and the columns that share it."""
    if present.shape[1] == 0:
        return []
    kinds, which = np.unique(present, axis=1, return_inverse=True)
    return [(kinds[:, k], np.flatnonzero(which.ravel() == k)) for k in range(kinds.shape[1])]


class _Scan:
    """Results of all pairs, filled block by block; a pair that was not tested has a reason instead of a test."""

    def __init__(self, options: LinkOptions, F: Array, M: Array, binary: BoolArray, Z: Array) -> None:
        self.options, self.F, self.M, self.binary, self.Z = options, F, M, binary, Z
        shape = (F.shape[1], M.shape[1])
        self.estimate, self.error, self.statistic, self.tail, self.correlation = (
            np.full(shape, np.nan) for _ in range(5)
        )
        self.n = np.zeros(shape, dtype=np.int32)
        self.test = np.full(shape, -1, dtype=np.int8)
        self.reason = np.zeros(shape, dtype=np.int8)

    def run(self, complete: BoolArray) -> None:
        """Test all pairs, one matrix product for all that share their subjects and their kind of marker."""
        columns = _patterns(~np.isnan(self.M))
        for here, p in _patterns(~np.isnan(self.F)):
            for there, q in columns:
                keep = here & there & complete
                for kind in (True, False):
                    chosen = q[self.binary[q] == kind]
                    if chosen.size:
                        self._block(p, chosen, keep, kind)

    def _block(self, p: npt.NDArray[np.intp], q: npt.NDArray[np.intp], keep: BoolArray, binary: bool) -> None:
        place = np.ix_(p, q)
        n = int(keep.sum())
        basis = spanning_basis(self.Z[keep], n) if n else np.empty((0, 1))
        df = n - basis.shape[1] - 1
        self.n[place] = n
        if n < self.options.min_n or df < 1:
            self.reason[place] = _FEW
            return
        F, M = self.F[np.ix_(keep, p)], self.M[np.ix_(keep, q)]
        how = self.options.binary_test if binary else self.options.continuous_test
        if how == "linear":
            self._linear(place, F, M, basis, df, binary)
        elif binary and self.Z.shape[1] == 0:
            self._rank_sum(place, F, M, basis)
        else:
            self._spearman(place, F, M, self.Z[keep])
        if binary:
            ones = M.sum(axis=0)
            few = np.minimum(ones, n - ones) < self.options.min_group
            self._refuse(place, (self.reason[place] == 0) & few[None, :], _GROUP)

    def _linear(self, place: Place, F: Array, M: Array, basis: Array, df: int, binary: bool) -> None:
        U, a = unit_residuals(F, basis)
        V, b = unit_residuals(M, basis)
        per = np.ones(len(b)) if binary else M.std(axis=0, ddof=1)
        spread = np.divide(a, F.std(axis=0, ddof=1), out=np.zeros(len(a)), where=a > 0)
        self._correlated(
            place, U, V, np.outer(spread, np.divide(per, b, out=np.zeros(len(b)), where=b > 0)), df, _LINEAR
        )
        self._refuse_constant(place, a, b)

    def _spearman(self, place: Place, F: Array, M: Array, Z: Array) -> None:
        basis = spanning_basis(average_ranks(Z), len(F))
        U, a = unit_residuals(average_ranks(F), basis)
        V, b = unit_residuals(average_ranks(M), basis)
        test = _PARTIAL if Z.shape[1] else _SPEARMAN
        df = len(F) - basis.shape[1] - 1
        self._correlated(place, U, V, np.ones((1, 1)), df, test)
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
        self._refuse_constant(place, a, b)

    def _refuse_constant(self, place: Place, a: Array, b: Array) -> None:
        flat = np.broadcast_to((a == 0)[:, None], (len(a), len(b)))
        self._refuse(place, flat, _FEATURE)
        self._refuse(place, ~flat & (b == 0)[None, :], _MARKER)

    def _refuse(self, place: Place, pairs: BoolArray, reason: int) -> None:
        if pairs.any():
            self.reason[place] = np.where(pairs, reason, self.reason[place])

    def table(self, features: Sequence[str], markers: Sequence[str]) -> pl.DataFrame:
        """Return the tests made as table ``link/link``."""
        made = np.flatnonzero((self.reason == 0).ravel())
        # Names are in alphabetical order already, so a stable sort leaves them so among equal p-values.
        order = made[np.argsort(-self.tail.ravel()[made], kind="stable")]
        row, column = np.divmod(order, max(len(markers), 1))
        tail = self.tail.ravel()[order]
        error = pl.Series(self.error.ravel()[order])
        frame = pl.DataFrame(
            {
                "feature": _named(features, row),
                "marker": _named(markers, column),
                "marker_kind": _named(("continuous", "binary"), self.binary[column].astype(np.intp)),
                "test": _named(_TESTS, self.test.ravel()[order]),
                "estimate": self.estimate.ravel()[order],
                "standard_error": error.fill_nan(None),
                "statistic": self.statistic.ravel()[order],
                "neg_log_10_p_value": tail,
                "n": self.n.ravel()[order],
                "correlation": self.correlation.ravel()[order],
                "bonferroni_p_value": bonferroni(tail),
                "q_value": benjamini_hochberg(tail),
            }
        )
        return conform(frame, "link/link")

    def problems(self, features: Sequence[str], markers: Sequence[str]) -> tuple[Problem, ...]:
        """Return one line a reason for the pairs that were not tested."""
        said = (
            (_FEW, "fewer than {0.min_n} subjects (or too few for the covariates)", "lower link.min_n", ()),
            (_GROUP, "fewer than {0.min_group} subjects with or without the marker", "lower link.min_group", (1,)),
            (_FEATURE, "a feature that is constant, or a function of the covariates", "", (0,)),
            (_MARKER, "a marker that is constant, or a function of the covariates", "", (1,)),
        )
        problems = []
        for reason, why, todo, axes in said:
            pairs = self.reason == reason
            if not pairs.any():
                continue
            count = int(pairs.sum())
            sides = (features, markers)
            shown = "; ".join(
                _some([sides[axis][int(i)] for i in np.flatnonzero(pairs.any(axis=1 - axis))]) for axis in axes
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


def _named(names: Sequence[str], index: npt.NDArray[np.integer]) -> pl.Series:
    return pl.Series(names, dtype=pl.String).gather(pl.Series(index.astype(np.uint32)))
