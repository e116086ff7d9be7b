"""Molecular response by circulating tumour DNA: what is asked of it, by which definition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from radiolocus.errors import ConfigError
from radiolocus.read.variants import VariantColumns

__all__ = ["CTDNA_RULES", "DEFINITIONS", "CtdnaOptions", "Definition", "DefinitionName"]

DefinitionName = Literal["fall50", "log2", "log2.5"]


@dataclass(frozen=True)
class Definition:
    """A published definition of molecular response: the fall of the mean from baseline that it asks for, %."""

    fall: float
    meaning: str
    source: str


DEFINITIONS: dict[str, Definition] = {
    "fall50": Definition(
        50.0,
        "mean variant allele fraction more than 50 % below baseline",
        "Goldberg et al., Clin Cancer Res 2018;24:1872",
    ),
    "log2": Definition(99.0, "2-log fall (early molecular response)", "Kurtz et al., J Clin Oncol 2018;36:2845"),
    "log2.5": Definition(
        100 * (1 - 10**-2.5), "2.5-log fall (major molecular response)", "Kurtz et al., J Clin Oncol 2018;36:2845"
    ),
}

CTDNA_RULES: tuple[tuple[str, str, str], ...] = (
    ("NE", "ctdna.NE", "nothing found at baseline, or a followed variant was not looked for or not covered here"),
    ("CLEARED", "ctdna.CLEARED", "no followed variant found; the limit of detection of this sample stands beside it"),
    (
        "PROGRESSION",
        "ctdna.PROGRESSION",
        "mean at least `progression_rise` % above the smallest earlier mean and the intervals apart, or found again "
        "after clearance; a convention: there is no consensus definition",
    ),
    ("RESPONSE", "ctdna.RESPONSE", "mean more than `definition` asks below baseline"),
    ("STABLE", "ctdna.STABLE", "neither"),
)
"""Calls in the order in which they are tried, with key and words."""


@dataclass(frozen=True)
class CtdnaOptions:
    """Circulating tumour DNA.

    Parameters
    ----------
    table : str
        Table of variants by sample, one row a variant and sample.
    columns : VariantColumns
        Names of the columns, where they differ from the usual.
    definition : {"fall50", "log2", "log2.5"}
        Definition of molecular response; docs/ctdna.md lists them with their papers.
    progression_rise : float
        Rise of the mean from the smallest earlier mean that makes a molecular progression, %.
    limit : float
        Limit of detection of the assay, a fraction, where the table has no column for it.
    min_reads : int
        Reads with the variant that make it found.
    min_depth : int
        Reads below which a variant that was not found counts as not covered.
    followed : {"any", "baseline"}
        Variants whose mean is taken: those found in any sample of the subject, or at baseline.
    absent : {"missing", "zero"}
        What a variant without a row in a sample is: not looked for, or looked for and not found. A table that lists
        only variants that were found needs ``zero``: else one newly risen mutation, which has no row at baseline,
        makes its sample and those after it NE.
    exclude_genes : tuple of str
        Genes whose variants are left out, e.g. of clonal haematopoiesis.
    known : str or None
        Table of known resistance mutations, instead of the one that comes along.
    draws : int
        Draws from the posterior for the probability of response.
    seed : int
        Seed of the draws.
    """

    table: str
    columns: VariantColumns = field(default_factory=VariantColumns)
    definition: DefinitionName = "fall50"
    progression_rise: float = 100.0
    limit: float = 0.0
    min_reads: int = 2
    min_depth: int = 100
    followed: Literal["any", "baseline"] = "any"
    absent: Literal["missing", "zero"] = "missing"
    exclude_genes: tuple[str, ...] = ()
    known: str | None = None
    draws: int = 2000
    seed: int = 1

    def __post_init__(self) -> None:
        if not self.table:
            raise ConfigError("table is empty", allowed="a path below [cohort] root")
        if self.definition not in DEFINITIONS:
            raise ConfigError(f"definition = '{self.definition}'", allowed=", ".join(DEFINITIONS))
        for name, value, allowed in (
            ("progression_rise", self.progression_rise > 0, "above 0 %"),
            ("limit", 0 <= self.limit < 1, "a fraction from 0 up to 1"),
            ("min_reads", self.min_reads >= 1, "1 or more"),
            ("min_depth", self.min_depth >= 1, "1 or more"),
            ("draws", self.draws >= 100, "100 or more"),
        ):
            if not value:
                raise ConfigError(f"{name} = {getattr(self, name):g}", allowed=allowed)
