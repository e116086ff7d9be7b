"""Circulating tumour DNA: what is found in every sample, and molecular response.

The mean variant allele fraction of a sample is taken over the variants found in any sample up to it; a variant
that was looked for and not found counts 0. Baseline and nadir are taken over the same variants, so a new variant raises
the change and a later sample never alters an earlier call. Limits of the mean come from the exact limits of every
variant; the change has limits on the log scale (Zou & Donner, Stat Med 2008;27:1693). Beside the call stands the
posterior probability, under Jeffreys' prior of every fraction, that the mean fell by more than the definition asks.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import InputError
from radiolocus.model import Array, Problem
from radiolocus.response.ctdna_rules import DEFINITIONS, CtdnaOptions
from radiolocus.response.known import KnownResistance, known_resistance
from radiolocus.response.sums import counted
from radiolocus.schema import conform, empty
from radiolocus.stats.proportion import detectable, exact_limits, mean_limits, ratio_limits

__all__ = ["Ctdna", "ctdna", "subject_seed"]

# Commonest genes of clonal haematopoiesis (Jaiswal et al., N Engl J Med 2014;371:2488).
_HAEMATOPOIESIS = ("DNMT3A", "TET2", "ASXL1")
_Limits = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Ctdna:
    """Tables ``response/ctdna`` and ``response/ctdna_variants``, and notes."""

    samples: pl.DataFrame
    variants: pl.DataFrame
    problems: tuple[Problem, ...]


def subject_seed(seed: int, subject: str) -> np.random.Generator:
    """Generator of a subject: the same whoever else is in the study."""
    return np.random.default_rng([seed, *hashlib.sha256(subject.encode()).digest()[:8]])


def ctdna(variants: pl.DataFrame, options: CtdnaOptions, known: KnownResistance | None = None) -> Ctdna:
    """Call every sample of circulating tumour DNA.

    Parameters
    ----------
    variants : polars.DataFrame
        As :func:`radiolocus.read.variants.read_variants` returns it.
    options : CtdnaOptions
    known : KnownResistance, optional
        Known resistance mutations; the table that comes along by default.

    Raises
    ------
    InputError
        No row, or none outside the genes that are left out.
    """
    known = known or known_resistance()
    kept = variants.filter(~pl.col("gene").fill_null("").is_in(options.exclude_genes))
    if not kept.height:
        raise InputError("no variant", where="response.ctdna", todo="look at exclude_genes and at the table")
    rows = _detected(kept, options).sort("subject", "day", "variant")
    samples: list[dict[str, Any]] = []
    told: list[pl.DataFrame] = []
    rowless: dict[str, int] = {}
    for (subject,), frame in rows.group_by("subject", maintain_order=True):
        person = _Person(str(subject), frame, options)
        samples += person.samples()
        rowless[person.subject] = person.rowless
        told.append(person.frame.with_columns(pl.Series("status", person.status(), dtype=pl.String)))
    table = _with_known(pl.concat(told), known)
    found = (
        table.filter(pl.col("detected") & (pl.col("resistance") != ""))
        .group_by("subject", "sample")
        .agg(pl.col("variant").sort().str.join(", ").alias("resistance"))
    )
    order = pl.DataFrame(samples, infer_schema_length=None, schema_overrides={"reason": pl.String})
    joined = order.join(found, on=["subject", "sample"], how="left", maintain_order="left").with_columns(
        pl.col("resistance").fill_null("")
    )
    return Ctdna(
        conform(joined, "response/ctdna"),
        conform(table.select(empty("response/ctdna_variants").columns), "response/ctdna_variants"),
        (*_notes(variants, kept, options), *_rowless_note(rowless)),
    )


def _notes(variants: pl.DataFrame, kept: pl.DataFrame, options: CtdnaOptions) -> list[Problem]:
    notes = []
    if left := variants.height - kept.height:
        notes.append(
            Problem(
                "response", f"{left} rows of genes that are left out", "note", where="response.ctdna.exclude_genes",
                count=left,
            )
        )  # fmt: skip
    blood = sorted(set(kept["gene"].drop_nulls()) & set(_HAEMATOPOIESIS))
    if blood:
        notes.append(
            Problem(
                "response",
                f"variants of {', '.join(blood)} may come from clonal haematopoiesis, not from the tumour",
                "note",
                item=", ".join(blood),
                where="response.ctdna",
                todo="leave out what white blood cells have too, or name the genes under exclude_genes",
            )
        )
    return notes


def _rowless_note(samples: dict[str, int]) -> list[Problem]:
    """Say of a table that seems to list only what was found what it costs, and what to set."""
    count, subjects = sum(samples.values()), sum(n > 0 for n in samples.values())
    if not count:
        return []
    who = f"{counted(count, 'sample')} of {counted(subjects, 'subject')} {'is' if count == 1 else 'are'} NE"
    return [
        Problem(
            "response",
            f"{who} because a followed variant has no row there or at baseline: it is taken for not looked for",
            "note",
            where="response.ctdna.absent",
            allowed="a row with 0 reads for each variant that was looked for and not found",
            todo='where the table lists only variants that were found, set absent = "zero" (--ctdna-absent zero)',
            count=count,
        )
    ]


def _detected(frame: pl.DataFrame, options: CtdnaOptions) -> pl.DataFrame:
    """Exact limits of every fraction, what the depth would have shown, and whether the variant is found."""
    alt, depth = (frame[c].cast(pl.Float64).to_numpy() for c in ("alt_reads", "depth"))
    lower, upper = exact_limits(alt, depth)
    assay = frame["limit"].fill_null(options.limit).to_numpy()
    shown = detectable(options.min_reads, depth)
    vaf = frame["vaf"].to_numpy()
    enough = np.where(np.isnan(alt), vaf > 0, alt >= options.min_reads)
    found = enough & (vaf >= assay)
    covered = found | np.isnan(depth) | (depth >= options.min_depth)
    return frame.with_columns(
        pl.Series("lower", lower).fill_nan(None),
        pl.Series("upper", upper).fill_nan(None),
        pl.Series("limit", np.fmax(assay, shown)).fill_nan(None),
        pl.Series("detected", found),
        pl.Series("covered", covered),
    )


def _with_known(frame: pl.DataFrame, known: KnownResistance) -> pl.DataFrame:
    pairs = frame.select("gene", "change").unique(maintain_order=True)
    told = [known.find(gene, change) for gene, change in pairs.iter_rows()]
    named = pairs.with_columns(
        pl.Series("resistance", [t for t, _ in told], dtype=pl.String),
        pl.Series("source", [s for _, s in told], dtype=pl.String),
    )
    return frame.join(named, on=["gene", "change"], how="left", nulls_equal=True, maintain_order="left")


class _Person:
    """The samples of one subject in order of their days."""

    def __init__(self, subject: str, frame: pl.DataFrame, options: CtdnaOptions) -> None:
        self.subject, self.frame, self.options = subject, frame, options
        self.labels = frame["sample"].unique(maintain_order=True).to_list()
        self.names = frame["variant"].unique(maintain_order=True).to_list()
        place = {name: i for i, name in enumerate(self.names)}
        at = {label: i for i, label in enumerate(self.labels)}
        self.at = np.array([[at[s], place[v]] for s, v in frame.select("sample", "variant").iter_rows()])
        shape = (len(self.labels), len(self.names))
        self.days = np.array([frame["day"][int(np.argmax(self.at[:, 0] == i))] for i in range(shape[0])])
        self.base = int(self.at[int(frame["is_base"].arg_max() or 0), 0])
        self.seen = self._grid("detected", shape, 0.0) > 0
        self.asked = self._grid("covered", shape, float(options.absent == "zero")) > 0
        self.listed = np.zeros(shape, dtype=bool)
        self.listed[self.at[:, 0], self.at[:, 1]] = True
        self.rowless = 0
        fill = 0.0 if options.absent == "zero" else np.nan
        self.vaf, self.lower = self._grid("vaf", shape, fill), self._grid("lower", shape, fill)
        self.upper, self.limit = self._grid("upper", shape, fill), self._grid("limit", shape, np.nan)
        self.alt, self.depth = self._grid("alt_reads", shape, np.nan), self._grid("depth", shape, np.nan)

    def followed(self, i: int) -> npt.NDArray[np.bool_]:
        """Variants whose mean is taken in sample `i`."""
        at_base = self.options.followed == "baseline"
        first, last = (self.base, self.base) if at_base else (min(self.base, i), max(self.base, i))
        return np.asarray(self.seen[first : last + 1].any(0))

    def _grid(self, column: str, shape: tuple[int, int], fill: float) -> Array:
        grid = np.full(shape, fill)
        values = self.frame[column].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        grid[self.at[:, 0], self.at[:, 1]] = values
        return grid

    def mean(self, i: int, who: npt.NDArray[np.bool_]) -> _Limits | None:
        """Mean fraction of some variants in sample `i` with limits; None when one was not looked for."""
        if not who.any() or not self.asked[i, who].all():
            return None
        value = np.where(self.seen[i, who], self.vaf[i, who], 0.0)
        lower = np.where(self.seen[i, who], self.lower[i, who], 0.0)
        return mean_limits(value, lower, self.upper[i, who])

    def probability(self, i: int, who: npt.NDArray[np.bool_], fall: float) -> float | None:
        """Posterior probability that the mean fell by more than `fall` % from baseline; None without reads."""
        rng = subject_seed(self.options.seed, f"{self.subject} {self.labels[i]}")
        means = []
        for k in (self.base, i):
            alt, depth = self.alt[k, who], self.depth[k, who]
            if np.isnan(alt).any() or np.isnan(depth).any():
                return None
            means.append(rng.beta(alt + 0.5, depth - alt + 0.5, size=(self.options.draws, alt.size)).mean(1))
        return float((means[1] < (1 - fall / 100) * means[0]).mean())

    def samples(self) -> list[dict[str, Any]]:
        """Rows of ``response/ctdna``, without the known resistance mutations."""
        rows: list[dict[str, Any]] = []
        cleared = False
        for i in range(len(self.labels)):
            who = self.followed(i)
            mean = self.mean(i, who)
            row = self._row(i, who, mean)
            if i == self.base:
                row |= {"molecular_response": "baseline", "reason": self._told(i, who, mean)}
            elif i < self.base:
                row |= {"molecular_response": "NE", "reason": "before baseline"}
            else:
                row |= self._call(i, who, mean, cleared)
                cleared = cleared or row["molecular_response"] == "CLEARED"
            rows.append(row)
        return rows

    def _row(self, i: int, who: npt.NDArray[np.bool_], mean: _Limits | None) -> dict[str, Any]:
        limits = self.limit[i, who]
        earlier = self.seen[:i].any(0)
        value, lower, upper = (_known(m) for m in mean or (np.nan,) * 3)
        return {
            "subject": self.subject,
            "sample": self.labels[i],
            "day": float(self.days[i]),
            "variants": int(who.sum()),
            "detected": int(self.seen[i, who].sum()),
            "mean_vaf": value,
            "mean_lower": lower,
            "mean_upper": upper,
            "max_vaf": float(np.max(self.vaf[i], initial=0.0, where=self.seen[i])),
            "limit": float(np.nanmax(limits)) if np.isfinite(limits).any() else None,
            "change": None,
            "change_lower": None,
            "change_upper": None,
            "probability": None,
            "certain": False,
            "new_variants": int((self.seen[i] & ~earlier).sum()) if i > self.base else 0,
        }

    def _told(self, i: int, who: npt.NDArray[np.bool_], mean: _Limits | None) -> str:
        if mean is None:
            return self._unasked(i, who)
        return f"{int(self.seen[i, who].sum())} of {int(who.sum())} found, mean {mean[0]:.2%}"

    def _unasked(self, i: int, who: npt.NDArray[np.bool_]) -> str:
        if not who.any():
            return "no variant found"
        missed = who & ~self.asked[i]
        parts = []
        if shallow := self._named(missed & self.listed[i]):
            parts.append(f"fewer than {self.options.min_depth} reads (min_depth), not covered: {shallow}")
        if rowless := self._named(missed & ~self.listed[i]):
            parts.append(
                f"no row, so not looked for: {rowless} (where the table lists only variants that were found, set "
                'absent = "zero")'
            )
        return "; ".join(parts)

    def _named(self, who: npt.NDArray[np.bool_]) -> str:
        return ", ".join(n for n, chosen in zip(self.names, who, strict=True) if chosen)

    def _call(self, i: int, who: npt.NDArray[np.bool_], mean: _Limits | None, cleared: bool) -> dict[str, Any]:
        before = self.mean(self.base, who)
        unlisted = who & ~self.asked & ~self.listed
        self.rowless += int(who.any() and bool(unlisted[[self.base, i]].any()))
        if mean is None:
            return {"molecular_response": "NE", "reason": self._unasked(i, who)}
        if before is None or before[0] == 0:
            why = self._unasked(self.base, who) if before is None else "nothing found"
            return {"molecular_response": "NE", "reason": f"at baseline: {why}"}
        change = [100 * (r - 1) for r in ratio_limits(mean, before)]
        row: dict[str, Any] = dict(zip(("change", "change_lower", "change_upper"), map(_known, change), strict=True))
        fall = DEFINITIONS[self.options.definition].fall
        row["certain"] = bool(change[2] < -fall or change[1] > -fall)
        row["probability"] = self.probability(i, who, fall)
        call, reason = self._judge(i, who, mean, before, cleared)
        return row | {"molecular_response": call, "reason": reason}

    def _judge(
        self, i: int, who: npt.NDArray[np.bool_], mean: _Limits, before: _Limits, cleared: bool
    ) -> tuple[str, str]:
        """Follow :data:`CTDNA_RULES` in their order."""
        if not self.seen[i, who].any():
            limit = self.limit[i, who]
            shown = f"; {np.nanmax(limit):.2%} would have been seen" if np.isfinite(limit).any() else ""
            return "CLEARED", f"no followed variant found{shown}"
        change = 100 * (mean[0] / before[0] - 1)
        moved = f"mean {before[0]:.2%} to {mean[0]:.2%} ({change:+.0f} %)"
        if cleared:
            return "PROGRESSION", f"found again after clearance; {moved}"
        earlier = [self.mean(k, who) for k in range(self.base, i)]
        nadir = min(m for m in earlier if m is not None)
        if mean[0] >= (1 + self.options.progression_rise / 100) * nadir[0] and not mean[1] <= nadir[2]:
            return "PROGRESSION", f"{mean[0]:.2%} from a smallest mean of {nadir[0]:.2%}; {moved}"
        fall = DEFINITIONS[self.options.definition].fall
        call = "RESPONSE" if change < -fall else "STABLE"
        return call, f"{moved}; response asks for more than −{fall:.4g} %"

    def status(self) -> list[str]:
        """What every row of the frame is: baseline, persisting, new, new or missed before, cleared, absent."""
        return [self._status(int(i), int(j)) for i, j in self.at]

    def _status(self, i: int, j: int) -> str:
        earlier = bool(self.seen[:i, j].any())
        if self.seen[i, j]:
            if i <= self.base or earlier:
                return "baseline" if i <= self.base else "persisting"
            # An earlier sample speaks against the variant only if it could have shown it.
            shown = self.limit[:i, j]
            return "new" if np.any(shown <= self.vaf[i, j]) else "new or missed before"
        if not self.asked[i, j]:
            return "not covered"
        return "cleared" if earlier else "absent"


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
