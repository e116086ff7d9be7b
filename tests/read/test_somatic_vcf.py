"""VCF of somatic variants: alleles split, normalised, annotated and counted for the samples that carry them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiolocus.errors import FormatError
from radiolocus.read.consequences import short_protein, variant_class
from radiolocus.read.fasta import Fasta
from radiolocus.read.somatic_vcf import left_aligned, read_somatic_vcf, shortest

VEP = (
    "##fileformat=VCFv4.2\n##contig=<ID=chr2,assembly=GRCh38>\n##contig=<ID=chr7>\n"
    '##FILTER=<ID=weak,Description="weak">\n'
    '##INFO=<ID=CSQ,Number=.,Type=String,Description="Consequence annotations from Ensembl VEP. Format: '
    'Allele|Consequence|SYMBOL|Feature|BIOTYPE|CANONICAL|HGVSp|PICK">\n'
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="g">\n##FORMAT=<ID=AD,Number=R,Type=Integer,Description="a">\n'
)
HEAD = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t"
IDH = "T|missense_variant|IDH1|ENST1|protein_coding|YES|ENSP1:p.Arg132His|1,T|intron_variant|OTHER|ENST2|lncRNA|||"


@pytest.fixture
def write(tmp_path):
    def make(head, samples, *rows, name="calls.vcf"):
        lines = [HEAD + "\t".join(samples), *("\t".join(map(str, row)) for row in rows)]
        path = tmp_path / name
        path.write_text(head + "\n".join(lines) + "\n")
        return path

    return make


def test_samples_alleles_filters_and_reads(write):
    both = (
        "T|missense_variant|KRAS|E|protein_coding|YES|p.Gly12Val|,"
        "A|synonymous_variant|KRAS|E|protein_coding|YES|p.Gly12%3D|"
    )
    path = write(
        VEP,
        ["T1", "T2", "T1_normal"],
        ("chr2", 100, ".", "C", "T", ".", "PASS", f"CSQ={IDH}", "GT:AD", "0/1:30,10", "0/0:40,0", "0/1:9,9"),
        ("chr2", 200, ".", "G", "T,A", ".", ".", f"CSQ={both}", "GT:AD", "0/1:5,6,0", "1/2:1,4,3", "0/0:9,0,0"),
        ("chr2", 300, ".", "C", "T", ".", "weak", f"CSQ={IDH}", "GT:AD", "0/1:30,10", "0/1:4,4", "0/0:9,0"),
        ("chr2", 400, ".", "C", "<DEL>", ".", "PASS", f"CSQ={IDH}", "GT:AD", "0/1:3,1", "0/1:4,4", "0/0:9,0"),
    )
    maf = read_somatic_vcf(path)
    rows = maf.frame.select(
        "Hugo_Symbol", "Tumor_Sample_Barcode", "Variant_Classification", "HGVSp_Short", "Tumor_Seq_Allele2", "t_depth",
        "t_alt_count",
    ).rows()  # fmt: skip
    assert rows == [
        ("IDH1", "T1", "Missense_Mutation", "p.R132H", "T", 40, 10),
        ("KRAS", "T1", "Missense_Mutation", "p.G12V", "T", 11, 6),
        ("KRAS", "T2", "Missense_Mutation", "p.G12V", "T", 8, 4),
        ("KRAS", "T2", "Silent", "p.G12=", "A", 8, 3),
    ]
    assert set(maf.frame["NCBI_Build"]) == {"GRCh38"}
    assert maf.sequenced == ("T1", "T2")
    told = {p.got: p.count for p in maf.notes}
    assert told == {
        "1 records that the caller filtered were left out": 1,
        "1 symbolic or spanning alleles were left out": 1,
    }
    assert read_somatic_vcf(path, keep_filtered=True).frame.height == 6
    assert read_somatic_vcf(path, normal="^T2$").sequenced == ("T1",)


def test_indels_are_named_as_vep_names_them_and_placed_as_maf_places_them(write):
    csq = "-|frameshift_variant|TP53|E|protein_coding|YES|p.Lys3fs|,TA|inframe_insertion|TP53|E|protein_coding|YES||"
    path = write(VEP, ["T"], ("chr7", 50, ".", "CA", "C,CTA", ".", "PASS", f"CSQ={csq}", "GT", "1/2"))
    names = (
        "Variant_Classification",
        "Variant_Type",
        "Start_Position",
        "End_Position",
        "Reference_Allele",
        "Tumor_Seq_Allele2",
    )
    assert read_somatic_vcf(path).frame.select(names).rows() == [
        ("Frame_Shift_Del", "DEL", 51, 51, "A", "-"),
        ("In_Frame_Ins", "INS", 50, 51, "-", "T"),
    ]


def test_snpeff_strelka_without_genotypes_and_the_name_of_a_file(write):
    head = (
        "##fileformat=VCFv4.2\n##contig=<ID=2>\n"
        "##INFO=<ID=ANN,Number=.,Type=String,Description=\"Functional annotations: 'Allele | Annotation'\">\n"
        '##FORMAT=<ID=DP,Number=1,Type=Integer,Description="d">\n'
    )
    ann = "A|stop_gained|HIGH|APC|G|transcript|T|protein_coding|1/1|c.1C>A|p.Ser2*|||||"
    path = write(
        head, ["NORMAL", "TUMOR"], ("2", 7, ".", "C", "A", ".", "PASS", f"ANN={ann}", "DP", 30, 50), name="P7.vcf"
    )
    found = read_somatic_vcf(path)
    assert found.sequenced == ("P7",)
    assert found.frame.select("Hugo_Symbol", "Variant_Classification", "HGVSp_Short", "t_depth").rows() == [
        ("APC", "Nonsense_Mutation", "p.S2*", 50)
    ]
    assert read_somatic_vcf(path, sample="S7").sequenced == ("S7",)


def test_what_cannot_be_used_is_refused(write):
    bare = write("##fileformat=VCFv4.2\n##contig=<ID=2>\n", ["T"], ("2", 7, ".", "C", "A", ".", ".", ".", "GT", "0/1"))
    with pytest.raises(FormatError, match="neither CSQ nor ANN"):
        read_somatic_vcf(bare)
    only = write(VEP, ["NORMAL"], ("chr2", 7, ".", "C", "T", ".", ".", f"CSQ={IDH}", "GT", "0/1"))
    with pytest.raises(FormatError, match="no tumour sample among NORMAL"):
        read_somatic_vcf(only)


def test_terms_become_classes():
    # vcf2maf, GetVariantClassification
    assert variant_class("splice_donor_variant", "SNP", False) == "Splice_Site"
    assert variant_class("frameshift_variant", "INS", True) == "Frame_Shift_Ins"
    assert variant_class("protein_altering_variant", "DEL", False) == "In_Frame_Del"
    assert variant_class("protein_altering_variant", "DEL", True) == "Frame_Shift_Del"
    assert variant_class("a_new_term", "SNP", False) == "Unknown"
    assert short_protein("NP_1.2:p.(Glu746_Ala750del)") == "p.E746_A750del"
    assert short_protein("") == ""


BASES = st.text("ACGT", min_size=1, max_size=6)


def _edited(genome, position, ref, alt):
    assert genome[position - 1 : position - 1 + len(ref)] == ref
    return genome[: position - 1] + alt + genome[position - 1 + len(ref) :]


@given(st.text("AC", min_size=12, max_size=30), st.integers(2, 8), BASES, st.integers(0, 4))
def test_normalising_leaves_the_sequence_and_there_is_one_form(tmp_path_factory, genome, position, alt, length):
    ref = genome[position - 1 : position - 1 + max(length, 1)]
    if ref == alt:
        return
    path = tmp_path_factory.mktemp("fa") / "g.fa"
    path.write_text(">chr1\n" + "\n".join(genome[i : i + 7] for i in range(0, len(genome), 7)) + "\n")
    fasta = Fasta(path)
    edited = _edited(genome, position, ref, alt)
    moved = left_aligned(fasta, "1", *shortest(position, ref, alt))
    assert _edited(genome, *moved) == edited
    # The slow, obvious twin: of all pure insertions or deletions that give this sequence the leftmost one.
    if not (moved[1] and moved[2]):
        size = len(edited) - len(genome)
        places = range(1, len(genome) + 2)
        ways = [
            p
            for p in places
            if (size < 0 and genome[: p - 1] + genome[p - 1 - size :] == edited)
            or (size > 0 and genome[: p - 1] + edited[p - 1 : p - 1 + size] + genome[p - 1 :] == edited)
        ]
        assert moved[0] == min(ways)
