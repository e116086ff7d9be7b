"""Writes ``docs/molecular.md`` from the definitions, vocabularies and options of the code.

Run ``PYTHONPATH=tests python tests/reference/molecular_page.py`` after a change of a definition.
"""

from __future__ import annotations

import re
from pathlib import Path

from radiolocus.cohort.ids import _NORMALS, _TUMOURS
from radiolocus.molecular.alterations import DEFINITIONS, DriverOptions
from radiolocus.molecular.burden import BurdenOptions
from radiolocus.molecular.copies import (
    COPY_DEFINITIONS,
    GENOME_MARKERS,
    CopyNumberTable,
    FusionTable,
    SegmentOptions,
)
from radiolocus.molecular.drivers import NONSYNONYMOUS
from radiolocus.molecular.mutational_signatures import SignatureOptions
from radiolocus.molecular.mutations import VcfOptions
from radiolocus.molecular.panels import PanelOptions
from radiolocus.read.fusions import FUSION_COLUMNS
from radiolocus.read.readings import READINGS, Reading
from radiolocus.read.segments import SEGMENT_COLUMNS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "molecular.md"

_HEAD = """# Mutations, copy number, fusions and readings of pathology

What `[molecular]` of a study file makes of the tumour's tables, with the definition, unit and source of every marker.
Expression, gene-set scores and subtypes stand in [Expression](expression.md). The tables below are written from the
code: do not edit this page, see `tests/reference/molecular_page.py`.

```toml
[cohort]
subjects = "clinical.csv"
id = "patient"

[cohort.ids]
barcode = "tcga"                         # TCGA barcodes of any length and case

[molecular]
mutations = "mutations.maf.gz"           # or "vcf/{subject}.vcf.gz", annotated by VEP or SnpEff
sequenced = "sequenced.csv"              # who was looked at: without a variant they are 0, not missing
min_mutated = 5
copy_number = ["all_thresholded.by_genes.txt"]
fusions = [{ path = "fusions/{subject}.tsv", tested = "sequenced.csv" }]
precedence = ["pathology.csv", "registry.csv"]   # which table rules where two fill one marker

[[molecular.markers]]
path = "pathology.csv"
readings = { "PD-L1 TPS" = "tps", "MSI" = "msi" }

[[molecular.markers]]
path = "registry.csv"
rename = { "MSI status" = "MSI" }
readings = { "MSI status" = "msi" }

[molecular.drivers]
by = ["gene", "loss_of_function", "hotspot", "variant", "pathway"]
pathways = "hallmarks.gmt"

[molecular.burden]
megabases = 35.8                         # what was sequenced; there is no default

[molecular.mutational_signatures]
matrix = "COSMIC_v3.4_SBS_GRCh38.txt"    # not part of Radiolocus
genome = "GRCh38.fa"                     # only for files without the column CONTEXT

[molecular.segments]
path = "segments.tsv"
genome = "hg38"                          # never guessed
```

The markers stand in `molecular/markers`, what each is in `molecular/dictionary`, and the rows behind them in
`molecular/mutations`, `burden`, `mutational_signatures`, `genomes` and `fusions`. The report draws the oncoprint,
with the burden above and, where links were tested, the imaging features that go best with mutations below.
"""

_IDS = """
## Whose sample it is

`barcode = "tcga"` in `[cohort.ids]` makes TCGA barcodes of any length, case and separator one participant
(`TCGA-Ht-7467`, `tcga.ht.7467.01a`, `TCGA-EZ-7264A`). `visit` is a regular expression with one group: what it matches
is taken off the id. Where a source then has several samples of a subject one counts, the same rule for every source:

1. the first visit, in natural order;
2. the sample type, in the order {tumours}; {normals} are normal tissue or controls and belong to nobody;
3. the first vial (A before B);
4. the last aliquot by its name, which is the one of the highest plate.

Of lists of who was sequenced or tested, an id that says less (the patient, `TCGA-HT-7467-01`) means the sample of the
mutation or fusion file that says more, and one that names another vial or aliquot never counts instead of it.

What was passed over, left out, joined or not, and which id it resembles, stands in `cohort/membership` and in the
report. Without these rules several samples of a subject leave it out of a table; the mutations of a MAF count
together, and such a subject has no burden and no signatures.

Two sources of one marker are an error that says for how many subjects they disagree. With `precedence` the first that
is named there rules, the next one fills what it lacks, and every disagreement is told by the subject.
"""

_VARIANTS = """
## Variants

A MAF of the GDC or of cBioPortal, plain or gzip-compressed; or VCF or BCF annotated by Ensembl VEP (`CSQ`) or SnpEff
(`ANN`). Of a VCF every ALT allele is a row of its own for each tumour sample that carries it. Alleles are written as
shortly as they can be, and with `genome` in `[molecular.vcf]` moved to the left end of a repeat (Tan et al. 2015);
without it they stay where the caller put them. The transcript is the one that VEP picked, else the MANE or canonical
one, else that of the most severe consequence; of SnpEff the most severe. Terms become the classes that vcf2maf gives
them. Records that the caller filtered, alleles without annotation and genotypes that are not called are counted and
told.

A row that cannot be read (a position or count that is no whole number or is negative, no class) sets its subject aside,
by file, line and name: its mutations would be incomplete, so all of them are unknown, not absent, and the others go on.
The same holds for a bad segment or copy number, and for one bad file of a pattern with `{{subject}}`. Only when no
subject is left, or nobody can say whose the row is, does the source end.

Nonsynonymous are the classes {classes}, unless `Mutation_Status` says germline, LOH, wild type or none.

| `by` | marker | 1 |
|---|---|---|
{levels}

0 is who was sequenced and has none; who was not sequenced is missing. Items of fewer than `min_mutated` subjects are no
markers.

Where not everybody was sequenced for the same genes, a gene that is not on a subject's panel is missing, not 0:

```toml
[molecular.panels]
samples = "data_gene_panel_matrix.txt"   # of cBioPortal, or any table of samples and panels
genes = ["data_gene_panel_impact341.txt", "data_gene_panel_impact468.txt"]
megabases = {{ IMPACT341 = 0.98, IMPACT468 = 1.22 }}   # of the burden (Samstein et al. 2019); without a size none
```

A pathway is 0 where all of its genes are on the panel. Of several samples of a subject a gene counts that is on the
panel of any. The subjects of the table count as sequenced; those with variants who are not in it keep their variants,
and all else of theirs is missing. Genes that are mutated in subjects on whose panel they are not are told: an older
name in the list, mostly. The report counts frequencies among those whose panel has the gene (`molecular/panels`,
`molecular/panel_genes`).

{options}
"""

_BURDEN = """
## Tumour mutational burden

`tmb` is the number of somatic nonsynonymous variants, each place and allele once, over `megabases`, per Mb;
`tmb_high` is 1 from `high` on. Its interval is the exact one of a Poisson count (Garwood 1936). Burdens of different
panels or exomes cannot be compared (Merino et al. 2020).

{options}
"""

_SIGNATURES = """
## Mutational signatures

Every substitution is one of 96 classes by its neighbours (Alexandrov et al. 2013), which come from the column `CONTEXT`
(or Oncotator's `ref_context`) or from `genome`, whose bases must be the reference alleles. The counts are fitted by
non-negative least squares to the signatures of `matrix`, a table as COSMIC gives it. `sbs:NAME` is the share of the
substitutions that a signature explains, from 0 to 1; `molecular/mutational_signatures` has its 95 % interval by
parametric bootstrap and the cosine similarity of spectrum and reconstruction. In simulations (600 substitutions, 8
and 20 signatures) the reflected percentiles held the truth in 88 to 97 % and plain ones in 52 to 97 %; the interval
covers both. COSMIC's signatures are those of whole genomes: for an exome give a matrix that was brought to its
trinucleotides.

Against other fitters, on twelve simulated spectra of 60 to 5,000 substitutions and six signatures
(`tests/reference/mutational_signatures.R`, `.py`): the exposures are those of MutationalPatterns 3.8.1 to 10⁻¹¹
mutations. SigProfilerAssignment 1.1.5 leaves out signatures that add little to the fit: its shares correlate with
these at 0.985, differ by 0.042 on average, and were 0.047 from the truth, these 0.018. With `use` only the signatures
known in the cancer are fitted, which is the surer way to a sparse answer. A mutation file without neighbours and
without a genome (the MAF of TCGA-LAML) has no signatures, and the study says so.

{options}
"""

_COPIES = """
## Copy number by gene

Tables of GISTIC 2 or cBioPortal.

| `by` | marker | what |
|---|---|---|
{levels}

{options}

## Segments: scars, ploidy, aneuploidy

| marker | unit | what |
|---|---|---|
{genome}

Autosomes alone; centromeres and lengths are those of UCSC's `cytoBand` and `chromInfo`. Neighbours of the same
alleles are united first. Scars need the copy numbers of both alleles, and so do `wgd` and `fraction_loh`; a file of
log2 ratios gives `fraction_altered` and `aneuploidy` alone. The rules are those of the R package scarHRD (Sztupinszki
et al. 2018, npj Breast Cancer 4:16); the package itself was not run here: the counts are checked by profiles drawn by
hand and by a second, slow implementation of the same rules on random profiles. No score is corrected for ploidy.

Columns, without case and punctuation:

| column | names |
|---|---|
{columns}

{options_of_segments}

## Fusions

`fus:GENE` is 1 where the gene is fused with any other, `fus:GENE1::GENE2` where these two are, the gene of the 5′ end
first. Columns: {fusions}.

{options_of_fusions}
"""

_READINGS = """
## Readings of pathology

`readings` says what a column of a marker table is. A score becomes the marker of the column's name and, where it has
grades, a second one called `NAME grade` (0, 1, ...). `<1%` counts as half of the bound (Hornung & Reed 1990), which
is told; wider intervals (`1-49%`) have a grade alone. A cell that is none of this is null, and named by its row.

| reading | unit | what | words |
|---|---|---|---|
{rows}
"""


def _options(kind: type, where: str) -> str:
    """Table of the options of a dataclass, from its docstring."""
    text = kind.__doc__ or ""
    found = re.findall(r"^ {4}(\w+) : ([^\n]+)\n((?: {8}[^\n]*\n?)+)", text, re.MULTILINE)
    rows = [f"| `{name}` | {' '.join(told.split())} |" for name, _, told in found]
    return "\n".join([f"| key of `{where}` | what |", "|---|---|", *rows])


def _words(reading: Reading) -> str:
    if reading.kind == "score":
        return "numbers, `<1%`, `1-49%`, `≥50%`"
    return f"1: {', '.join(reading.present[:3])}, yes, ...; 0: {', '.join(reading.absent[:3])}, no, ..."


def page() -> str:
    """The whole page."""
    levels = "\n".join(f"| `{level}` | `{prefix}…` | {told} |" for level, (prefix, told) in DEFINITIONS.items())
    copies = "\n".join(f"| `{level}` | `{prefix}GENE` | {told} |" for level, (prefix, told) in COPY_DEFINITIONS.items())
    genome = "\n".join(f"| `{name}` | {unit or '–'} | {told} |" for name, (_, _, unit, told) in GENOME_MARKERS.items())
    columns = "\n".join(f"| `{name}` | {', '.join(names)} |" for name, names in SEGMENT_COLUMNS.items())
    fusions = "; ".join(f"`{name}` ({', '.join(names)})" for name, names in FUSION_COLUMNS.items())
    rows = "\n".join(f"| `{r.name}` | {r.unit or '–'} | {r.definition} | {_words(r)} |" for r in READINGS.values())
    parts = [
        _HEAD,
        _IDS.format(tumours=", ".join(_TUMOURS), normals=", ".join(_NORMALS)),
        _VARIANTS.format(
            classes=", ".join(f"`{c}`" for c in NONSYNONYMOUS),
            levels=levels,
            options=_options(DriverOptions, "[molecular.drivers]")
            + "\n\n"
            + _options(VcfOptions, "[molecular.vcf]")
            + "\n\n"
            + _options(PanelOptions, "[molecular.panels]"),
        ),
        _BURDEN.format(options=_options(BurdenOptions, "[molecular.burden]")),
        _SIGNATURES.format(options=_options(SignatureOptions, "[molecular.mutational_signatures]")),
        _COPIES.format(
            levels=copies,
            options=_options(CopyNumberTable, "[[molecular.copy_number]]"),
            options_of_segments=_options(SegmentOptions, "[molecular.segments]"),
            genome=genome,
            columns=columns,
            fusions=fusions,
            options_of_fusions=_options(FusionTable, "[[molecular.fusions]]"),
        ),
        _READINGS.format(rows=rows),
    ]
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
