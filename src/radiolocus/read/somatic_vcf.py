"""Somatic VCF annotated by Ensembl VEP (CSQ) or SnpEff (ANN), as the rows of a MAF.

Every ALT allele is a row of its own for every tumour sample that carries it. Alleles are written as shortly as they
can be (shared bases at the end and at the beginning go); with the reference genome they are moved to the left end of
a repeat as well (Tan, Abecasis & Kang 2015, Bioinformatics 31:2202), without it they stay where the caller put them.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import cyvcf2
import polars as pl

from radiolocus.errors import FormatError, TableError
from radiolocus.model import Problem
from radiolocus.read.consequences import Annotation, chosen, parse_ann, parse_csq, short_protein, variant_class
from radiolocus.read.fasta import Fasta
from radiolocus.read.maf import Maf
from radiolocus.read.vcf import open_vcf

__all__ = ["left_aligned", "read_somatic_vcf", "shortest"]

_NORMAL = r"(?i)^(normal|blood|germline)$|[-_.]normal$|^normal[-_.]"
_PLAIN_TUMOUR = ("TUMOR", "TUMOUR", "PRIMARY", "SAMPLE")
_FIELDS = {
    "Hugo_Symbol": pl.String(),
    "Tumor_Sample_Barcode": pl.String(),
    "Variant_Classification": pl.String(),
    "Variant_Type": pl.String(),
    "NCBI_Build": pl.String(),
    "Chromosome": pl.String(),
    "Start_Position": pl.Int64(),
    "End_Position": pl.Int64(),
    "Reference_Allele": pl.String(),
    "Tumor_Seq_Allele1": pl.String(),
    "Tumor_Seq_Allele2": pl.String(),
    "HGVSp_Short": pl.String(),
    "t_depth": pl.Int64(),
    "t_ref_count": pl.Int64(),
    "t_alt_count": pl.Int64(),
}


@dataclass
class _Told:
    """What was left out, counted."""

    counts: Counter[str] = field(default_factory=Counter)

    def problems(self, where: str) -> tuple[Problem, ...]:
        return tuple(
            Problem("molecular", f"{n} {what}", "note", where=where, count=n) for what, n in sorted(self.counts.items())
        )


def read_somatic_vcf(
    path: Path,
    *,
    sample: str | None = None,
    normal: str | None = None,
    keep_filtered: bool = False,
    reference: Fasta | None = None,
) -> Maf:
    """Read a VCF or BCF of somatic variants.

    Parameters
    ----------
    path : Path
        Annotated by VEP or SnpEff.
    sample : str, optional
        What the only tumour sample is called, instead of its name in the file (many callers write TUMOR).
    normal : str, optional
        Regular expression that the names of normal samples match. Beside it, those of Mutect2's ``normal_sample``
        lines and names such as NORMAL are normal.
    keep_filtered : bool
        Keep records that the caller filtered. By default FILTER must be PASS or empty.
    reference : Fasta, optional
        The genome, for moving insertions and deletions to the left.

    Returns
    -------
    Maf
        `sequenced` holds every tumour sample, those without a variant among them.

    Raises
    ------
    FormatError
        No annotation, no tumour sample, or a file that cannot be read.
    """
    reader = open_vcf(path)
    tumours = _tumours(reader, path.name, sample, normal)
    key, fields = _annotation(reader, path.name)
    build = _build(reader)
    told = _Told()
    rows: list[tuple[object, ...]] = []
    seen: set[tuple[object, ...]] = set()
    try:
        for record in reader:
            if record.FILTER and not keep_filtered:
                told.counts["records that the caller filtered were left out"] += 1
                continue
            for row in _rows(record, tumours, key, fields, reference, told):
                identity = (row[1], *row[4:6], row[7], row[9])
                if identity in seen:
                    told.counts["alleles that stand twice in a sample count once"] += 1
                    continue
                seen.add(identity)
                rows.append((*row[:4], build, *row[4:]))
    except (FormatError, TableError):
        raise
    except Exception as error:  # cyvcf2 raises a bare Exception for a record it cannot parse
        raise FormatError(
            f"the records cannot be read to the end: {error}", where=path.name, todo="look with: bcftools view"
        ) from None
    frame = pl.DataFrame(rows, schema=_FIELDS, orient="row")
    nameless = frame["Hugo_Symbol"] == ""
    if nameless.any():
        told.counts["alleles without a gene were not counted for any gene"] += int(nameless.sum())
    return Maf(frame.filter(~nameless), tuple(tumours.values()), told.problems(path.name))


def _tumours(reader: cyvcf2.VCF, where: str, sample: str | None, normal: str | None) -> dict[int, str]:
    """Position of each tumour sample and what it is called."""
    named = re.findall(r"^##normal_sample=(.+)$", reader.raw_header, re.MULTILINE)
    pattern = re.compile(normal) if normal else None
    found = {
        i: name
        for i, name in enumerate(reader.samples)
        if name not in named and not re.search(_NORMAL, name) and not (pattern and pattern.search(name))
    }
    if not found:
        raise FormatError(
            f"no tumour sample among {', '.join(reader.samples) or 'none'}",
            where=where,
            allowed="at least one sample that is not normal tissue",
            todo="look at the regular expression molecular.vcf.normal",
        )
    if len(found) == 1 and (sample is not None or next(iter(found.values())).upper() in _PLAIN_TUMOUR):
        tumour = re.findall(r"^##tumor_sample=(.+)$", reader.raw_header, re.MULTILINE)
        stem = re.sub(r"\.(vcf|bcf)(\.gz)?$", "", where)
        return dict.fromkeys(found, sample or (tumour[0] if tumour else stem))
    return found


def _annotation(reader: cyvcf2.VCF, where: str) -> tuple[str, list[str]]:
    """Key of INFO and the fields of its entries."""
    for header in reader.header_iter():
        if header["HeaderType"] == "INFO" and header["ID"] in ("CSQ", "ANN"):
            text = header["Description"].strip('"')
            return header["ID"], [f.strip() for f in text.split("Format:")[-1].strip().split("|")]
    raise FormatError(
        "neither CSQ nor ANN",
        where=where,
        allowed="a VCF annotated by Ensembl VEP or SnpEff",
        todo="annotate it: vep --vcf --symbol --hgvs --pick_allele, or snpEff",
    )


def _build(reader: cyvcf2.VCF) -> str:
    found = re.search(r"^##(?:reference|contig).*?(GRCh37|hg19|GRCh38|hg38|b37)", reader.raw_header, re.MULTILINE)
    return {"hg19": "GRCh37", "b37": "GRCh37", "hg38": "GRCh38"}.get(found[1], found[1]) if found else ""


def _rows(
    record: cyvcf2.Variant,
    tumours: dict[int, str],
    key: str,
    fields: list[str],
    reference: Fasta | None,
    told: _Told,
) -> list[tuple[object, ...]]:
    """Rows of one record: an allele and a sample each, without the build."""
    text = record.INFO.get(key)
    entries = [] if text is None else parse_csq(text, fields) if key == "CSQ" else parse_ann(text)
    out: list[tuple[object, ...]] = []
    for k, alt in enumerate(record.ALT, 1):
        if not re.fullmatch("[ACGTNacgtn]+", alt):
            told.counts["symbolic or spanning alleles were left out"] += 1
            continue
        said = chosen(entries, _names_of(record, k, key))
        if said is None:
            told.counts["alleles without an annotation were left out"] += 1
            continue
        carriers = _carriers(record, tumours, k, told)
        if carriers:
            out += [_row(record, alt, said, reference, tumours[i], reads) for i, reads in carriers]
    return out


def _names_of(record: cyvcf2.Variant, k: int, key: str) -> tuple[str, ...]:
    """What the annotator calls allele `k`: its number, itself, or VEP's form without the first base that all share."""
    alt = record.ALT[k - 1]
    alleles = [record.REF, *(a for a in record.ALT if re.fullmatch("[ACGTNacgtn]+", a))]
    trimmed = alt
    if key == "CSQ" and len({len(a) for a in alleles}) > 1 and len({a[0] for a in alleles}) == 1:
        trimmed = alt[1:] or "-"
    return (f"#{k}", trimmed) if key == "CSQ" else (alt,)


def _carriers(
    record: cyvcf2.Variant, tumours: dict[int, str], k: int, told: _Told
) -> list[tuple[int, tuple[int | None, int | None, int | None]]]:
    """Tumour samples that carry allele `k`, with depth, reads of the reference and of the allele."""
    formats = record.FORMAT or []
    called = record.genotype.array()[:, :-1] if "GT" in formats else None
    depth = record.format("AD") if "AD" in formats else None
    total = record.format("DP") if "DP" in formats else None
    out = []
    for i in tumours:
        ref = alt = None
        if depth is not None and depth.shape[1] > k and depth[i, k] >= 0:
            ref, alt = int(depth[i, 0]), int(depth[i, k])
        reads = int(total[i, 0]) if total is not None and total[i, 0] >= 0 else None
        if reads is None and ref is not None and depth is not None:
            reads = int(depth[i][depth[i] >= 0].sum())
        if called is not None and (called[i] >= 0).any():
            carried = bool((called[i] == k).any())
        elif len(tumours) == 1 and called is None:
            carried = True  # Strelka writes no genotypes: a record is a call of its only tumour
        else:
            told.counts["genotypes that are not called were taken for not carried"] += 1
            carried = False
        if carried:
            out.append((i, (reads, ref, alt)))
    return out


def _row(
    record: cyvcf2.Variant,
    alt: str,
    said: Annotation,
    reference: Fasta | None,
    sample: str,
    reads: tuple[int | None, int | None, int | None],
) -> tuple[object, ...]:
    chromosome = record.CHROM.removeprefix("chr")
    place, ref, new = shortest(record.POS, record.REF.upper(), alt.upper())
    if reference is not None:
        place, ref, new = left_aligned(reference, chromosome, place, ref, new)
    kind = _kind(ref, new)
    start, end = (place - 1, place) if not ref else (place, place + len(ref) - 1)
    wanted = variant_class(said.term, kind, (len(ref) - len(new)) % 3 != 0)
    return (
        said.gene,
        sample,
        wanted,
        kind,
        chromosome,
        start,
        end,
        ref or "-",
        ref or "-",
        new or "-",
        short_protein(said.protein),
        *reads,
    )


def _kind(ref: str, alt: str) -> str:
    if len(ref) == len(alt):
        return {1: "SNP", 2: "DNP", 3: "TNP"}.get(len(ref), "ONP")
    return "INS" if len(alt) > len(ref) else "DEL"


def shortest(position: int, ref: str, alt: str) -> tuple[int, str, str]:
    """Take off what both alleles share at the end, then at the beginning; one of them may become empty.

    >>> shortest(100, "CTAG", "CTTAG")
    (101, '', 'T')
    """
    while ref and alt and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    shared = 0
    while shared < min(len(ref), len(alt)) and ref[shared] == alt[shared]:
        shared += 1
    return position + shared, ref[shared:], alt[shared:]


def left_aligned(reference: Fasta, chromosome: str, position: int, ref: str, alt: str) -> tuple[int, str, str]:
    """Move an insertion or deletion, written as shortly as it can be, to the left end of its repeat."""
    if ref and alt:
        return position, ref, alt
    moved = ref or alt
    while position > 1:
        before = reference.fetch(chromosome, position - 1, position - 1)
        if not before or before != moved[-1]:
            break
        moved, position = before + moved[:-1], position - 1
    return (position, moved, "") if ref else (position, "", moved)
