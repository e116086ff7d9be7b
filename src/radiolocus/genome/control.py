"""Quality control of a genotype file as a whole: filters in a fixed order, relatives, principal components."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import ConfigError, FitError
from radiolocus.genome.components import TOLERANCE, project, randomised_components
from radiolocus.genome.prune import PruneOptions, prune
from radiolocus.genome.quality import sample_quality, variant_quality
from radiolocus.genome.recall import Frames, Recall, anew
from radiolocus.genome.relatives import DEGREES, DUPLICATE, pack_samples, related_pairs, unrelated
from radiolocus.model import Array, Problem
from radiolocus.read.genotypes import AUTOSOMES, GenotypeSource
from radiolocus.schema import conform

__all__ = ["Control", "QcOptions", "control"]

Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# 1 − 0.95 is a little more than 0.05: what stands on a limit is kept.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class QcOptions:
    """Limits of the filters, in the order in which they are applied.

    Parameters
    ----------
    min_call_rate : float
        Variants called in a smaller fraction of the samples go, first of all; 0 to 1.
    min_sample_call_rate : float
        Samples with a smaller fraction of these variants called go; 0 to 1.
    min_maf : float
        Variants whose minor allele is rarer go; 0 to 0.5. Monomorphic ones always go.
    min_hwe_p : float
        Variants with a smaller exact Hardy–Weinberg mid-p go; 0 to 1.
    min_info : float
        Variants with less imputation quality (stated by the file; else MaCH's r² where dosages are fractional) go;
        0 keeps all.
    max_f_deviation : float
        Samples whose autosomal F lies further than this many standard deviations from the mean go; 0 keeps all.
    check_sex : bool
        Samples whose recorded sex is not that of their X go.
    max_kinship : float
        Of two samples with a KING-robust kinship coefficient above this, one does not span the principal components;
        default: the second degree, 2^-3.5.
    drop_duplicates : bool
        Of two samples with a coefficient above 2^-1.5 (duplicates, identical twins) the one with fewer calls goes.
    prune_kb : int
        Window of LD pruning in kilobases, before kinship and principal components.
    prune_r2 : float
        Largest squared correlation within a window.
    components : int
        Number of principal components; 0 leaves them out.
    component_tolerance : float
        Largest ‖Av − λv‖ over λ₁ of any component, see :func:`radiolocus.genome.components.randomised_components`;
        1e-6 gives the digits of an exact decomposition, 1e-4 costs about half.
    """

    min_call_rate: float = 0.95
    min_sample_call_rate: float = 0.95
    min_maf: float = 0.01
    min_hwe_p: float = 1e-6
    min_info: float = 0.0
    max_f_deviation: float = 5.0
    check_sex: bool = True
    max_kinship: float = DEGREES[2][0]
    drop_duplicates: bool = True
    prune_kb: int = 1000
    prune_r2: float = 0.1
    components: int = 10
    component_tolerance: float = TOLERANCE

    def __post_init__(self) -> None:
        tops = {
            "min_call_rate": 1.0,
            "min_sample_call_rate": 1.0,
            "min_maf": 0.5,
            "min_hwe_p": 1.0,
            "min_info": 1.0,
            "max_kinship": 0.5,
        }
        for name, top in tops.items():
            value = getattr(self, name)
            if not 0 <= value <= top:
                raise ConfigError(f"{name} = {value}", where="qc", allowed=f"0 to {top:g}")
        if self.max_f_deviation < 0 or self.components < 0:
            raise ConfigError(
                f"max_f_deviation = {self.max_f_deviation:g}, components = {self.components}",
                where="qc",
                allowed="0 or more",
            )
        if not 1e-10 <= self.component_tolerance <= 0.01:
            told = f"component_tolerance = {self.component_tolerance:g}"
            raise ConfigError(told, where="qc", allowed="1e-10 to 0.01")
        PruneOptions(self.prune_kb, 1, self.prune_r2)


@dataclass(frozen=True, eq=False)
class Control:
    """What :func:`control` found.

    Parameters
    ----------
    variants, samples, relatives, steps : polars.DataFrame
        Tables ``genome/variant_qc``, ``genome/sample_qc``, ``genome/relatives``, ``genome/qc_steps``.
    pruned : ndarray of int64
        Index in the file of the variants behind kinship and components.
    eigenvalues, fraction, residual : ndarray, shape (components,)
        Of the relationship matrix of the unrelated samples; its share; the accuracy reached, ‖Av − λv‖/λ₁.
    problems : tuple of Problem
    """

    variants: pl.DataFrame
    samples: pl.DataFrame
    relatives: pl.DataFrame
    steps: pl.DataFrame
    pruned: Whole
    eigenvalues: Array
    fraction: Array
    residual: Array
    problems: tuple[Problem, ...]


class _Sieve:
    """Units still in, why the others went, and how many went at each filter."""

    def __init__(self, unit: str, count: int) -> None:
        self.kept = np.ones(count, dtype=np.bool_)
        self.reason: list[str | None] = [None] * count
        self.unit = unit

    def pass_through(self, name: str, rule: str, bad: Flags) -> tuple[str, str, str, int, int]:
        before = int(self.kept.sum())
        out = np.flatnonzero(self.kept & bad)
        for i in out:
            self.reason[i] = rule
        self.kept[out] = False
        return (self.unit, name, rule, before, out.size)


def control(
    source: GenotypeSource,
    options: QcOptions,
    *,
    sex: npt.NDArray[np.int8] | None = None,
    jobs: int = 1,
    told: Callable[[str], None] = lambda text: None,
    recall: Recall = anew,
    foreign: Flags | None = None,
) -> Control:
    """Filter variants and samples, find relatives, and place everybody on principal components.

    Parameters
    ----------
    source : GenotypeSource
    options : QcOptions
    sex : ndarray of int8, shape (samples,), optional
        1 male, 2 female, 0 unknown; default: what the file says.
    jobs : int
        Threads of the kinship; the result does not depend on it.
    told : callable
        Is told each step as it begins.
    recall : callable
        Keeps the tables of each step, so that a control that was killed goes on from its last one.
    foreign : ndarray of bool, shape (variants of the file,), optional
        Variants whose alleles are not those of a reference: they go first.

    Returns
    -------
    Control

    Raises
    ------
    FitError
        No variant or sample is left, or too few for the components.

    Notes
    -----
    Order: call rate of variants, call rate of samples over the variants left, frequency and Hardy–Weinberg and
    imputation quality among the samples left, heterozygosity and sex of these samples over the variants left,
    duplicates. Kinship and components use autosomal variants pruned to near independence. Components are those of
    the unrelated samples; relatives are projected onto them.
    """
    sex = source.sex if sex is None else sex
    steps: list[tuple[str, str, str, int, int]] = []
    names = source.sample_ids
    everyone = np.arange(len(names), dtype=np.int64)
    variants, samples = _Sieve("variants", source.variants.height), _Sieve("samples", everyone.size)
    problems: list[Problem] = []

    if foreign is not None:
        steps.append(variants.pass_through("alleles", "the alleles are not those of the reference", foreign))
    told("call rates")
    first = _table(recall, "variants", lambda: variant_quality(source, everyone, sex))
    rate, limit = _filled(first, "call_rate"), options.min_call_rate
    steps.append(variants.pass_through("call rate", f"call rate below {limit:g}", ~(rate >= limit - _ROUNDING)))
    chosen, frequency = _left(variants, source), _filled(first, "effect_allele_frequency")
    people = _table(recall, "samples", lambda: sample_quality(source, everyone, sex, chosen, frequency))
    rate, limit = _filled(people, "call_rate"), options.min_sample_call_rate
    steps.append(samples.pass_through("call rate", f"call rate below {limit:g}", ~(rate >= limit - _ROUNDING)))
    rows = _left(samples, source)

    told("frequencies, Hardy–Weinberg, imputation")
    table = first
    if rows.size < everyone.size:
        left = rows
        table = _table(recall, "variants among the samples left", lambda: variant_quality(source, left, sex[left]))
    steps += _filter_variants(variants, table, options)
    passed, frequency = _left(variants, source), _filled(table, "effect_allele_frequency")

    told("heterozygosity and sex")
    people = _table(
        recall, "samples over the variants left", lambda: sample_quality(source, everyone, sex, passed, frequency)
    )
    chosen = passed
    steps += _filter_samples(samples, people, source, chosen, options, problems)
    rows = _left(samples, source)

    told("LD pruning")
    autosomal = source.variants["chromosome"].is_in(AUTOSOMES).to_numpy()
    asked = PruneOptions(options.prune_kb, 1, options.prune_r2)
    rows_now, near = rows, chosen[autosomal[chosen]]
    found = recall(
        "pruned", lambda: {"pruned": pl.DataFrame({"variant": prune(source, rows_now, near, frequency, asked)})}
    )
    pruned = found["pruned"]["variant"].to_numpy().astype(np.int64)

    told("kinship")
    ids = tuple(names[i] for i in rows)
    relatives = related_pairs(lambda: pack_samples(source, rows_now, pruned), ids, jobs=jobs, recall=recall)
    steps.append(_filter_duplicates(samples, people, source, relatives, drop=options.drop_duplicates))
    rows = _left(samples, source)
    ids = tuple(names[i] for i in rows)
    among = relatives.filter(pl.col("sample_1").is_in(ids), pl.col("sample_2").is_in(ids))
    alone = np.zeros(everyone.size, dtype=np.bool_)
    alone[rows[unrelated(ids, among, limit=options.max_kinship)]] = True

    told("principal components")
    scores, spectrum = _components(source, rows, alone, pruned, options, recall)
    number = _relatives_of(source.sample_ids, relatives, options.max_kinship)
    frame = people.with_columns(
        pl.Series("relatives", number),
        pl.Series("unrelated", alone),
        pl.Series("kept", samples.kept),
        pl.Series("reason", samples.reason, dtype=pl.String),
        *(pl.Series(f"PC{k + 1}", scores[:, k]).fill_nan(None) for k in range(scores.shape[1])),
    )
    judged = table.with_columns(pl.Series("kept", variants.kept), pl.Series("reason", variants.reason, dtype=pl.String))
    step_names = {"unit": pl.String, "filter": pl.String, "rule": pl.String, "before": pl.Int64, "out": pl.Int64}
    return Control(
        variants=conform(judged, "genome/variant_qc"),
        samples=conform(frame, "genome/sample_qc"),
        relatives=relatives,
        steps=conform(pl.DataFrame(steps, schema=step_names, orient="row"), "genome/qc_steps"),
        pruned=pruned,
        eigenvalues=spectrum["eigenvalue"].to_numpy(),
        fraction=spectrum["fraction"].to_numpy(),
        residual=spectrum["residual"].to_numpy(),
        problems=tuple(problems),
    )


def _table(recall: Recall, step: str, make: Callable[[], pl.DataFrame]) -> pl.DataFrame:
    return recall(step, lambda: {"table": make()})["table"]


def _filled(frame: pl.DataFrame, name: str) -> Array:
    return frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy().copy()


def _left(sieve: _Sieve, source: GenotypeSource) -> Whole:
    left = np.flatnonzero(sieve.kept).astype(np.int64)
    if left.size == 0:
        raise FitError(
            f"no {sieve.unit[:-1]} passes the filters",
            where=source.path.rsplit("/", 1)[-1],
            todo="look at the limits, and at whether the file is what it should be",
        )
    return left


def _filter_variants(sieve: _Sieve, table: pl.DataFrame, options: QcOptions) -> list[tuple[str, str, str, int, int]]:
    minor, hardy = _filled(table, "minor_allele_frequency"), _filled(table, "hwe_neg_log_10_p")
    steps = [
        sieve.pass_through("monomorphic", "every sample has the same allele", ~(minor > 0)),
        sieve.pass_through(
            "minor allele frequency",
            f"minor allele frequency below {options.min_maf:g}",
            minor < options.min_maf - _ROUNDING,
        ),
    ]
    if options.min_hwe_p > 0:
        worst = -np.log10(options.min_hwe_p)
        rule = f"Hardy–Weinberg mid-p below {options.min_hwe_p:g}"
        steps.append(sieve.pass_through("Hardy–Weinberg", rule, hardy > worst + _ROUNDING))
    if options.min_info > 0:
        # hard calls are not imputed, whatever their variance
        own = np.where((table["fractional_dosages"] > 0).to_numpy(), _filled(table, "info"), np.nan)
        stated = _filled(table, "stated_info")
        quality = np.where(np.isnan(stated), own, stated)
        rule = f"imputation quality below {options.min_info:g}"
        steps.append(sieve.pass_through("imputation quality", rule, quality < options.min_info - _ROUNDING))
    return steps


def _filter_samples(
    sieve: _Sieve,
    people: pl.DataFrame,
    source: GenotypeSource,
    chosen: Whole,
    options: QcOptions,
    problems: list[Problem],
) -> list[tuple[str, str, str, int, int]]:
    steps = []
    f = _filled(people, "f")
    if options.max_f_deviation > 0:
        middle, spread = np.nanmean(f[sieve.kept]), np.nanstd(f[sieve.kept], ddof=1) if sieve.kept.sum() > 1 else 0.0
        rule = f"F further than {options.max_f_deviation:g} standard deviations from the mean"
        steps.append(sieve.pass_through("heterozygosity", rule, np.abs(f - middle) > options.max_f_deviation * spread))
    on_x = int((source.variants["chromosome"].gather(chosen) == "X").sum())
    known = int((people["sex"] != "").sum())
    if options.check_sex and on_x and known:
        wrong = people.select(
            (pl.col("sex") != "") & (pl.col("sex_inferred") != "") & (pl.col("sex") != pl.col("sex_inferred"))
        )
        steps.append(
            sieve.pass_through("sex", "recorded sex is not that of the X chromosome", wrong.to_series().to_numpy())
        )
    elif options.check_sex:
        got = "no variant on X passed" if not on_x else "no sample has a recorded sex"
        problems.append(
            Problem("qc", f"sex was not checked: {got}", severity="note", todo="give --table with a column of sex")
        )
    return steps


def _filter_duplicates(
    sieve: _Sieve, people: pl.DataFrame, source: GenotypeSource, relatives: pl.DataFrame, *, drop: bool
) -> tuple[str, str, str, int, int]:
    rate = dict(zip(people["sample"], people["call_rate"], strict=True))
    place = {name: i for i, name in enumerate(source.sample_ids)}
    bad = np.zeros(people.height, dtype=np.bool_)
    if drop:
        for a, b in relatives.filter(pl.col("kinship") > DUPLICATE).select("sample_1", "sample_2").iter_rows():
            if not bad[place[a]] and not bad[place[b]]:
                bad[place[a if rate[a] < rate[b] else b]] = True
    return sieve.pass_through("duplicates", f"kinship above {DUPLICATE:.3f} with a sample of more calls", bad)


def _relatives_of(samples: tuple[str, ...], relatives: pl.DataFrame, limit: float) -> list[int]:
    near = relatives.filter(pl.col("kinship") > limit)
    counts = pl.concat([near["sample_1"], near["sample_2"].alias("sample_1")]).value_counts()
    number = dict(counts.iter_rows())
    return [number.get(name, 0) for name in samples]


def _components(
    source: GenotypeSource, rows: Whole, alone: Flags, pruned: Whole, options: QcOptions, recall: Recall
) -> tuple[Array, pl.DataFrame]:
    """Scores of all samples, NaN where dropped; eigenvalue, fraction and residual of each component."""
    if options.components == 0:
        nothing = dict.fromkeys(("eigenvalue", "fraction", "residual"), pl.Float64)
        return np.empty((alone.size, 0)), pl.DataFrame(schema=nothing)

    def find() -> Frames:
        base = np.flatnonzero(alone).astype(np.int64)
        others = np.setdiff1d(rows, base)
        # what varies among all may not vary among the unrelated
        minor = _filled(variant_quality(source, base, np.zeros(base.size, dtype=np.int8)), "minor_allele_frequency")
        varied = pruned[minor[pruned] > 0]
        found, residual = randomised_components(
            source, base, varied, options.components, tolerance=options.component_tolerance
        )
        scores = np.full((alone.size, options.components), np.nan)
        scores[base] = found.scores
        if others.size:
            scores[others] = project(source, base, found, others)
        spectrum = {"eigenvalue": found.eigenvalues, "fraction": found.fraction, "residual": residual}
        columns = {f"PC{k + 1}": scores[:, k] for k in range(options.components)}
        return {"scores": pl.DataFrame(columns), "spectrum": pl.DataFrame(spectrum)}

    found = recall("components", find)
    return found["scores"].to_numpy(), found["spectrum"]
