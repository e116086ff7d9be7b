"""What the columns of summary statistics are called, program by program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from radiolocus.errors import ConfigError, FormatError
from radiolocus.registry import suggest

__all__ = ["LAYOUTS", "TARGETS", "Layout", "layout_of", "named_columns"]

#: What a column can be; the keys of a column map.
TARGETS = {
    "chromosome": "chromosome",
    "base_pair_location": "position",
    "variant_id": "id of the variant",
    "effect_allele": "allele that is counted",
    "other_allele": "the other allele",
    "effect_allele_frequency": "frequency of the effect allele",
    "beta": "effect, or log odds ratio",
    "odds_ratio": "odds ratio, in the place of beta",
    "hazard_ratio": "hazard ratio, in the place of beta",
    "standard_error": "standard error of beta, or of the logarithm of the ratio",
    "ci_lower": "lower end of the 95 % interval, in the place of a standard error",
    "ci_upper": "upper end of the 95 % interval",
    "statistic": "z, where there is no beta",
    "p_value": "p-value",
    "neg_log_10_p_value": "−log10 of the p-value",
    "log_10_p_value": "log10 of the p-value",
    "n": "sample size",
}
# Columns that only tell how rows are read.
_INNER = ("rsid", "reference", "alternate", "tested", "omitted", "test", "failure")


@dataclass(frozen=True)
class Layout:
    """How one program writes summary statistics.

    Parameters
    ----------
    name : str
    title : str
    needs : tuple of str
        Names, in small letters and without ``#``, that tell the layout.
    columns : mapping
        What a column is, to the names it may have.
    chromosomes : mapping
        Numbers of chromosomes that have no number.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]
    chromosomes: Mapping[str, str] = field(default_factory=lambda: {"23": "X", "24": "Y", "25": "XY", "26": "MT"})


LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout(
            "gwas-ssf",
            "GWAS-SSF of the GWAS Catalog",
            ("chromosome", "base_pair_location", "effect_allele", "other_allele"),
            {name: (name,) for name in TARGETS if name not in ("statistic", "log_10_p_value")} | {"rsid": ("rsid",)},
            {"23": "X", "24": "Y", "25": "MT"},
        ),
        Layout(
            "plink2",
            "PLINK 2 --glm",
            ("chrom", "pos", "a1", "test"),
            {
                "chromosome": ("chrom",),
                "base_pair_location": ("pos",),
                "variant_id": ("id",),
                "reference": ("ref",),
                "alternate": ("alt",),
                "tested": ("a1",),
                "omitted": ("omitted", "ax"),
                "effect_allele_frequency": ("a1_freq",),
                "test": ("test",),
                "n": ("obs_ct",),
                "beta": ("beta",),
                "odds_ratio": ("or",),
                "standard_error": ("se", "log(or)_se"),
                "ci_lower": ("l95",),
                "ci_upper": ("u95",),
                "p_value": ("p",),
                "neg_log_10_p_value": ("log10_p", "neg_log10_p"),
                "failure": ("errcode",),
            },
        ),
        Layout(
            "regenie",
            "REGENIE step 2",
            ("chrom", "genpos", "allele0", "allele1"),
            {
                "chromosome": ("chrom",),
                "base_pair_location": ("genpos",),
                "variant_id": ("id",),
                "other_allele": ("allele0",),
                "effect_allele": ("allele1",),
                "effect_allele_frequency": ("a1freq",),
                "n": ("n",),
                "test": ("test",),
                "beta": ("beta",),
                "standard_error": ("se",),
                "neg_log_10_p_value": ("log10p",),
            },
            {"23": "X", "24": "Y", "25": "MT"},
        ),
        Layout(
            "metal",
            "METAL",
            ("markername", "allele1", "allele2"),
            {
                "chromosome": ("chromosome", "chr"),
                "base_pair_location": ("position", "pos", "bp"),
                "variant_id": ("markername",),
                "effect_allele": ("allele1",),
                "other_allele": ("allele2",),
                "effect_allele_frequency": ("freq1",),
                "n": ("weight", "n", "totalsamplesize", "total_n"),
                "statistic": ("zscore",),
                "beta": ("effect",),
                "standard_error": ("stderr",),
                "p_value": ("p-value",),
                "log_10_p_value": ("log(p)",),
            },
        ),
    )
}
# Names that leave no doubt. A1 and A2 are not among them: programs disagree which of them is counted.
_PLAIN = Layout(
    "table",
    "a table of other names",
    (),
    {
        "chromosome": ("chromosome", "chr", "chrom", "hm_chrom"),
        "base_pair_location": ("base_pair_location", "position", "pos", "bp", "hm_pos"),
        "variant_id": ("variant_id", "rsid", "snp", "snpid", "id", "markername", "marker", "rs_id", "variant"),
        "effect_allele": ("effect_allele", "effectallele", "ea", "tested_allele", "coded_allele"),
        "other_allele": ("other_allele", "otherallele", "oa", "nea", "non_effect_allele", "noneffect_allele"),
        "effect_allele_frequency": ("effect_allele_frequency", "eaf", "effect_allele_freq", "freq_effect_allele"),
        "beta": ("beta", "b", "effect", "log_odds", "log_or"),
        "odds_ratio": ("odds_ratio", "or"),
        "hazard_ratio": ("hazard_ratio", "hr"),
        "standard_error": ("standard_error", "se", "stderr", "std_err", "sebeta"),
        "ci_lower": ("ci_lower",),
        "ci_upper": ("ci_upper",),
        "statistic": ("z", "zscore", "z_score", "zstat"),
        "p_value": ("p_value", "p", "pval", "pvalue", "p-value", "p.value"),
        "neg_log_10_p_value": ("neg_log_10_p_value", "neglog10p", "mlog10p", "log10p", "nlog10p"),
        "n": ("n", "n_total", "samplesize", "sample_size", "ntotal", "neff", "n_eff"),
    },
)


def layout_of(header: Sequence[str]) -> Layout:
    """Tell a layout by the names of its columns; a table of other names where none fits."""
    names = {_folded(name) for name in header}
    for layout in LAYOUTS.values():
        if names.issuperset(layout.needs):
            return layout
    return _PLAIN


def _folded(name: str) -> str:
    return name.strip().lstrip("#").lower()


def named_columns(layout: Layout, header: Sequence[str], chosen: Mapping[str, str], where: str) -> dict[str, int]:
    """Where each wanted column stands.

    Parameters
    ----------
    layout : Layout
    header : sequence of str
    chosen : mapping
        Keys of :data:`TARGETS` to names of columns, which go before what the layout says.
    where : str
        Name of the file, for messages.

    Returns
    -------
    dict
        What a column is, to its place from 0.

    Raises
    ------
    ConfigError
        A map to a column that is not there, or of something unknown.
    FormatError
        A column without which nothing can be done is missing, or names stand twice.
    """
    folded = [_folded(name) for name in header]
    twice = sorted({name for name in folded if folded.count(name) > 1})
    if twice:
        raise FormatError(f"columns {', '.join(twice[:5])} stand more than once", where=where)
    places = {
        what: folded.index(name)
        for what, names in layout.columns.items()
        for name in reversed(names)
        if name in folded
    }  # fmt: skip
    for what, name in chosen.items():
        if what not in TARGETS:
            todo = suggest(what, TARGETS)
            raise ConfigError(f"no '{what}' among columns", where=where, allowed=", ".join(TARGETS), todo=todo)
        if name not in header and _folded(name) not in folded:
            todo = suggest(name, list(header))
            raise ConfigError(f"no column '{name}'", where=where, allowed=", ".join(header), todo=todo)
        places[what] = header.index(name) if name in header else folded.index(_folded(name))
    _complete(places, header, where)
    return places


def _complete(places: Mapping[str, int], header: Sequence[str], where: str) -> None:
    alleles = {"effect_allele", "other_allele"} <= set(places) or "tested" in places
    effect = {"beta", "odds_ratio", "hazard_ratio"} & set(places)
    error = "standard_error" in places or {"ci_lower", "ci_upper"} <= set(places)
    p = {"p_value", "neg_log_10_p_value", "log_10_p_value"} & set(places)
    place = {"chromosome", "base_pair_location"} <= set(places) or {"variant_id", "rsid"} & set(places)
    missing = [
        name
        for name, there in (
            ("a position or an id", place),
            ("effect_allele and other_allele", alleles),
            ("beta (or a ratio) with a standard error, or statistic", (effect and error) or "statistic" in places),
            ("a p-value", p or (effect and error)),
        )
        if not there
    ]
    if missing:
        raise FormatError(
            f"no {'; no '.join(missing)} among columns {', '.join(header)}",
            where=where,
            allowed="GWAS-SSF, PLINK 2 --glm, REGENIE, METAL, or a table with a column map",
            todo="say which column is what: effect_allele=A1 other_allele=A2 ...",
        )
