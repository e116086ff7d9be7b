"""Writes ``docs/ctdna.md`` from the rules, options and tables of the code.

Run ``PYTHONPATH=tests python tests/reference/ctdna_page.py`` after a change of a rule.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

from radiolocus.response.combined import COMBINED, CombinedOptions
from radiolocus.response.ctdna_rules import CTDNA_RULES, DEFINITIONS, CtdnaOptions
from radiolocus.response.known import known_resistance
from radiolocus.response.resistance import CONTRASTS, ResistanceOptions

_WIDTH = 120
PAGE = Path(__file__).resolve().parents[2] / "docs" / "ctdna.md"

_HEAD = """# Circulating tumour DNA, clones and resistance

Variants by sample in; molecular response, clones that rise and fall, one call from imaging and blood, and classes of
resistance out. The tables below are written from the code: do not edit this page, see
`tests/reference/ctdna_page.py`.

```toml
[response]
lesions = "lesions.csv"
ctdna = "ctdna.csv"                  # or a table [response.ctdna] with the options below
clones = "samples.csv"

[response.combined]
window_days = 28                     # a sample stands for a visit at most so far away

[response.resistance]
clinical = ["age"]                   # beside imaging features and molecular markers
prior_lines = "age"                  # a clinical column
```

## The table

One row a variant and sample: `subject`, `sample`, `day` (a number, 0 is the start of treatment, or a date), `gene`
and `change` (or `chromosome`, `position`, `reference`, `alternate`), `alt_reads` and `depth`, or `vaf`; `limit` (of
detection); for clones `purity`, `copies`, `minor_copies`, `normal_copies` (2 where absent). Other names are told
under `columns`. The baseline is the sample labelled so, else the last up to day 0. Dates count from the baseline
sample, while days of lesions count from the baseline scan: give days where the two differ. A variant that was looked
for and not found needs a row with 0 reads; without a row it was not looked for, and its sample is not evaluable. A
table that lists only variants that were found needs `absent = "zero"` (`radiolocus response --ctdna-absent zero`),
which takes what has no row for not found: else one newly risen mutation, which has no row at baseline, makes its
sample and those after it NE; the reason and a note say so.

A subject is set aside, with file, row, variant and sample, for: more variant reads than reads, reads that are no
whole numbers, a fraction above 1 (or say `vaf_unit = "percent"`), reads and fraction that disagree, neither, a purity
outside 0 to 1 or two of one sample, a minor copy number above half, a variant twice in a sample, two samples of one
day, a sample on two days, dates and numbers mixed, no baseline.

```python
from radiolocus.read.variants import read_variants
from radiolocus.response.ctdna import ctdna
from radiolocus.response.ctdna_rules import CtdnaOptions

table = read_variants("ctdna.csv")
blood = ctdna(table.frame, CtdnaOptions(table="ctdna.csv"))
print(blood.samples.select("subject", "sample", "mean_vaf", "change", "molecular_response", "reason"))
```

"""


def _rules() -> list[str]:
    options = CtdnaOptions(table="x")
    rows = [f"| {i} | {call} | `{key}` | {words} |" for i, (call, key, words) in enumerate(CTDNA_RULES, 1)]
    defined = [f"| `{name}` | {d.meaning} | {d.fall:.4g} % | {d.source} |" for name, d in DEFINITIONS.items()]
    return [
        "## Molecular response",
        "",
        f"A variant is found with at least `min_reads` ({options.min_reads}) reads and the limit of the assay. Not"
        f" found, it is covered from {options.min_depth} reads (`min_depth`) on; the limit beside it is the larger"
        f" of the assay's and the smallest fraction that this depth would have shown with {options.min_reads} "
        "reads in 95 % of cases. The mean is taken over the variants found up to this sample, what was not found "
        "counting 0; baseline and nadir are taken over the same variants, so a later sample never alters an "
        "earlier call. The rules, in their order:",
        "",
        "| order | call | key | rule |",
        "|---|---|---|---|",
        *rows,
        "",
        "Definitions of response (`definition`); the numbers are from the abstracts, the paper of the log falls "
        "measures concentrations, not fractions:",
        "",
        "| definition | response | fall above | source |",
        "|---|---|---|---|",
        *defined,
        "",
        "Limits of fractions are exact (Clopper & Pearson 1934); those of the mean, and of the change on the log "
        "scale, are recovered from them (Zou & Donner, Stat Med 2008;27:1693). `certain` says that the interval "
        "of the change lies on one side of the limit; `probability` is the posterior probability of the fall "
        "under Jeffreys' prior. A variant is `new` when an earlier sample could have shown it, else `new or "
        "missed before`. Variants of clonal haematopoiesis are not of the tumour: sequence white blood cells, and"
        " name the genes under `exclude_genes`.",
        "",
    ]


def _known() -> list[str]:
    known = known_resistance()
    names = known.frame.select("gene", "change", "treatment", "disease", "citation", "doi").rows()
    rows = [f"| {g} | `{c.replace('|', ' or ')}` | {t} | {d} | {p} | {doi} |" for g, c, t, d, p, doi in names]
    return [
        "## Known resistance mutations",
        "",
        f'The table that comes along ({known.version}); `known = "mine.csv"` with the columns `gene`, `change` (a '
        "regular expression of the whole one-letter change, or `truncating`), `treatment` and `citation` takes "
        "its place. It says what was published to resist a treatment, not what matters under the treatment of a "
        "patient, and is not complete.",
        "",
        "| gene | change | resists | in | paper | DOI |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
    ]


_CLONES = """## Clones

A mutation with m copies in a share φ of the tumour cells shows on purity · m · φ / (purity · copies + (1 − purity) ·
normal copies) of the reads. Alone, m is the nearest whole number, from 1 to the copies of the major allele
(McGranahan et al., Sci Transl Med 2015;7:283ra54); its cancer cell fraction has the exact interval of its reads.
Mutations are then clustered over all samples at once: a mixture of binomials (`precision` above 0: beta-binomials) on
a grid of fractions, all multiplicities equally likely beforehand, fitted by expectation–maximisation from several
seeded starts; the number of clones is that of the smallest BIC. A clone *rose* or *fell* when the posterior
probability of a change by more than `margin` reaches 95 %; it is *newly risen* or *lost* when its upper limit lies
below `present` before or after; else it is *stable* or *uncertain*. The membership of mutations is taken as known in
these probabilities, and copy numbers as those of all tumour cells.

Trees are all those in which, in every sample, the children of a clone together have no larger fraction than it (sum
rule), by more than chance allows (1.645 standard errors). One root is demanded where that is possible.
`response/clone_trees` lists the closest 20 and says how many there are; `parent` is told only where all agree.

```python
import polars as pl

from radiolocus.molecular.clones import CloneOptions, clones

samples = read_variants("samples.csv")
tumours = clones(samples.frame, CloneOptions(table="samples.csv"))
print(tumours.clones.select("subject", "clone", "sample", "cancer_cell_fraction", "state", "parent"))
```

"""


def _combined() -> list[str]:
    rows = [f"| {r.imaging} | {r.molecular} | {r.call} | `{r.key}` | {r.meaning} |" for r in COMBINED]
    return [
        "## Combined call",
        "",
        f"Every visit after baseline with the nearest sample of at most {CombinedOptions().window_days:g} days "
        "away (of two equally near, the earlier). Response is CR or PR (or the words of the criterion that stand "
        "for them) and CLEARED or RESPONSE; NE on either side is not compared. Where functional imaging "
        "progresses too, a false progression is not suspected and the call is discordant.",
        "",
        "| imaging | ctDNA | call | key | meaning |",
        "|---|---|---|---|---|",
        *rows,
        "",
        "`lead_days` is the day of the first progression by imaging less that of the first molecular progression:"
        " positive where ctDNA was first. It is known only for those who progressed by both, and depends on how "
        "often each was looked at.",
        "",
    ]


def _resistance() -> list[str]:
    options = ResistanceOptions()
    return [
        "## Resistance",
        "",
        "| class | rule |",
        "|---|---|",
        f"| primary | PD as best response, or progression after SD before {options.durable_days:g} days |",
        f"| acquired | progression after CR or PR, or after SD of {options.durable_days:g} days and more |",
        f"| response | CR or PR, or SD to day {options.durable_days:g} and beyond, without progression |",
        "| not classified | the others: followed too short, or not evaluable |",
        "",
        "After the Society for Immunotherapy of Cancer (Kluger et al., J Immunother Cancer 2020;8:e000398), which"
        ' also asks for drug exposure and a confirming scan. `short_response = "primary"` calls a progression '
        "within these days after CR or PR primary. Compared are:",
        "",
        *(f"- {name};" for name, _, _ in CONTRASTS[:-1]),
        f"- {CONTRASTS[-1][0]};",
        "- genes and variants found in ctDNA near progression and not at baseline, and the reverse (exact McNemar"
        " test);",
        "- marker × prior lines of treatment (`prior_lines`), in the first contrast.",
        "",
        "Markers are tested by Firth's logistic regression and its likelihood ratio; each group, and each value "
        f"of a binary marker, needs {options.min_group} subjects (`min_group`). False discovery rates are taken "
        "within each analysis and contrast. Classes come after follow-up: they describe, and cannot predict what "
        "a patient at baseline will be; for that see [the protocol](protocol.md).",
        "",
        "```python",
        "from radiolocus.response.resistance import resistance",
        "",
        "best = pl.DataFrame(",
        "    {",
        '        "subject": [f"P{i}" for i in range(40)],',
        '        "best_response": ["PD", "PR"] * 20,',
        '        "progression_day": [56.0, None] * 20,',
        '        "last_day": [56.0, 300.0] * 20,',
        "    }",
        ")",
        "entropy = [float(i % 7 + 3 * (i % 2)) for i in range(40)]",
        'markers = pl.DataFrame({"subject": best["subject"], "entropy": entropy})',
        'print(resistance(best, markers).tests.select("marker", "estimate", "lower", "upper", "q_value"))',
        "```",
        "",
        "What each therapy asks beside this: [recipes](recipes.md).",
        "",
    ]


def page() -> str:
    """Return the whole page."""
    whole = _HEAD + "\n".join([*_rules(), *_known()]) + "\n" + _CLONES + "\n".join([*_combined(), *_resistance()])
    return "\n".join(_wrapped(line) for line in whole.split("\n"))


def _wrapped(line: str) -> str:
    """A line of prose in lines of the usual length; tables and examples stay as they are."""
    if len(line) <= _WIDTH or line.startswith("|"):
        return line
    return textwrap.fill(line, _WIDTH, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
