"""Consequences of a variant by Ensembl VEP or SnpEff: which annotation speaks for it, and its class in a MAF.

Order of severity: https://www.ensembl.org/info/genome/variation/prediction/predicted_data.html. The class of each term
is that of vcf2maf (https://github.com/mskcc/vcf2maf), so that a VCF and the MAF made of it count the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Annotation", "chosen", "parse_ann", "parse_csq", "short_protein", "variant_class"]

# Most severe first, with the class; frameshift and in-frame terms depend on the kind of the variant.
_CLASS_OF = {
    "transcript_ablation": "Splice_Site",
    "exon_loss_variant": "Splice_Site",
    "splice_acceptor_variant": "Splice_Site",
    "splice_donor_variant": "Splice_Site",
    "stop_gained": "Nonsense_Mutation",
    "frameshift_variant": "Frame_Shift",
    "stop_lost": "Nonstop_Mutation",
    "start_lost": "Translation_Start_Site",
    "initiator_codon_variant": "Translation_Start_Site",
    "transcript_amplification": "Intron",
    "inframe_insertion": "In_Frame_Ins",
    "disruptive_inframe_insertion": "In_Frame_Ins",
    "conservative_inframe_insertion": "In_Frame_Ins",
    "inframe_deletion": "In_Frame_Del",
    "disruptive_inframe_deletion": "In_Frame_Del",
    "conservative_inframe_deletion": "In_Frame_Del",
    "missense_variant": "Missense_Mutation",
    "conservative_missense_variant": "Missense_Mutation",
    "rare_amino_acid_variant": "Missense_Mutation",
    "protein_altering_variant": "Protein_Altering",
    "splice_donor_5th_base_variant": "Splice_Region",
    "splice_region_variant": "Splice_Region",
    "splice_donor_region_variant": "Splice_Region",
    "splice_polypyrimidine_tract_variant": "Splice_Region",
    "incomplete_terminal_codon_variant": "Silent",
    "start_retained_variant": "Silent",
    "stop_retained_variant": "Silent",
    "synonymous_variant": "Silent",
    "coding_sequence_variant": "Missense_Mutation",
    "mature_miRNA_variant": "RNA",
    "5_prime_UTR_premature_start_codon_gain_variant": "5'UTR",
    "5_prime_UTR_variant": "5'UTR",
    "3_prime_UTR_variant": "3'UTR",
    "non_coding_transcript_exon_variant": "RNA",
    "non_coding_exon_variant": "RNA",
    "intron_variant": "Intron",
    "intragenic_variant": "Intron",
    "NMD_transcript_variant": "Silent",
    "non_coding_transcript_variant": "RNA",
    "upstream_gene_variant": "5'Flank",
    "downstream_gene_variant": "3'Flank",
    "TF_binding_site_variant": "IGR",
    "regulatory_region_variant": "IGR",
    "intergenic_region": "IGR",
    "intergenic_variant": "IGR",
}
_SEVERITY = {term: place for place, term in enumerate(_CLASS_OF)}
_AMINO_ACIDS = {
    "Ala": "A", "Arg": "R", "Asn": "N", "Asp": "D", "Cys": "C", "Gln": "Q", "Glu": "E", "Gly": "G", "His": "H",
    "Ile": "I", "Leu": "L", "Lys": "K", "Met": "M", "Phe": "F", "Pro": "P", "Ser": "S", "Thr": "T", "Trp": "W",
    "Tyr": "Y", "Val": "V", "Ter": "*", "Sec": "U", "Xaa": "X",
}  # fmt: skip
# https://pcingola.github.io/SnpEff/adds/VCFannotationformat_v1.0.pdf
_ANN = {"Allele": 0, "Consequence": 1, "SYMBOL": 3, "Feature": 6, "HGVSp": 10}


@dataclass(frozen=True)
class Annotation:
    """What one transcript makes of one allele: gene, terms of the Sequence Ontology, protein change, transcript."""

    allele: str
    gene: str
    terms: tuple[str, ...]
    protein: str
    transcript: str
    preferred: int

    @property
    def term(self) -> str:
        """The most severe of the terms."""
        return min(self.terms, key=lambda t: _SEVERITY.get(t, len(_SEVERITY)), default="")


def parse_csq(text: str, fields: Sequence[str]) -> list[Annotation]:
    """Read the entries of VEP's CSQ; `fields` are those of the header's ``Format:``."""
    place = {name: i for i, name in enumerate(fields)}
    out = []
    for entry in text.split(","):
        cells = entry.split("|")
        got = {name: cells[i] if i < len(cells) else "" for name, i in place.items()}
        # What VEP itself picked goes before the canonical transcript of a protein, and that before any other.
        picked = 0 if got.get("PICK") == "1" else 1 if got.get("MANE_SELECT") else 2
        if picked == 2 and not (
            got.get("CANONICAL") == "YES" and got.get("BIOTYPE", "protein_coding") == "protein_coding"
        ):
            picked = 3
        out.append(
            Annotation(
                f"#{got['ALLELE_NUM']}" if got.get("ALLELE_NUM") else got.get("Allele", ""),
                got.get("SYMBOL") or got.get("Gene", ""),
                tuple(got.get("Consequence", "").split("&")),
                got.get("HGVSp", ""),
                got.get("Feature", ""),
                picked,
            )
        )
    return out


def parse_ann(text: str) -> list[Annotation]:
    """Read the entries of SnpEff's ANN, which stand in the order of their importance."""
    out = []
    for entry in text.split(","):
        cells = entry.split("|")
        got = {name: cells[i] if i < len(cells) else "" for name, i in _ANN.items()}
        out.append(
            Annotation(
                got["Allele"],
                got["SYMBOL"],
                tuple(got["Consequence"].split("&")),
                got["HGVSp"],
                got["Feature"],
                0,
            )
        )
    return out


def chosen(annotations: Sequence[Annotation], names: Sequence[str]) -> Annotation | None:
    """Return the annotation that speaks for an allele.

    Parameters
    ----------
    annotations : sequence of Annotation
    names : sequence of str
        What the annotator may call the allele.

    Returns
    -------
    Annotation or None
        Of those of the allele the one that VEP picked, else of its MANE or canonical transcript, else the most severe;
        the first among equals.
    """
    mine = [a for a in annotations if a.allele in names]
    return min(mine, key=lambda a: (a.preferred, _SEVERITY.get(a.term, len(_SEVERITY))), default=None)


def variant_class(term: str, kind: str, shift: bool) -> str:
    """Return the MAF class of a Sequence Ontology term.

    Parameters
    ----------
    term : str
    kind : {"SNP", "DNP", "TNP", "ONP", "INS", "DEL"}
    shift : bool
        Whether the lengths of the alleles differ by no multiple of three.
    """
    found = _CLASS_OF.get(term, "Unknown")
    ending = "Ins" if kind == "INS" else "Del"
    if found == "Protein_Altering":
        found = "Missense_Mutation" if kind not in ("INS", "DEL") else "Frame_Shift" if shift else f"In_Frame_{ending}"
    return f"Frame_Shift_{ending}" if found == "Frame_Shift" else found


def short_protein(change: str) -> str:
    """Write a protein change with one letter an amino acid.

    >>> short_protein("ENSP00000260985.2:p.Arg132His")
    'p.R132H'
    """
    text = change.rsplit(":", 1)[-1].replace("%3D", "=").removeprefix("p.").strip("()")
    for long, short in _AMINO_ACIDS.items():
        text = re.sub(long, short, text)
    return f"p.{text}" if text else ""
