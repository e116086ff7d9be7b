"""Every source of tumour data on the subjects of one cohort, and what is said of what cannot be used."""

import numpy as np
import polars as pl
import pytest

from radiolocus.cohort import CohortOptions, IdRules, SourceTable, build
from radiolocus.errors import ConfigError, TableError
from radiolocus.molecular.alterations import DriverOptions
from radiolocus.molecular.burden import BurdenOptions
from radiolocus.molecular.copies import CopyNumberTable, FusionTable, SegmentOptions
from radiolocus.molecular.markers import MarkerTable, MolecularOptions, assemble
from radiolocus.molecular.mutational_signatures import SignatureOptions
from radiolocus.molecular.spectrum import CHANNELS
from radiolocus.read.clinical import read_table


def cohort(subjects, **rules):
    frame = pl.DataFrame({"id": list(subjects)}, schema={"id": pl.String})
    table = SourceTable("subjects.csv", frame, range(2, 2 + len(subjects)), "id")
    return build([table], CohortOptions(ids=IdRules(**rules)))


def column(result, name):
    return dict(zip(result.table["subject"].to_list(), result.table[name].to_list(), strict=True))


MAF = (
    "Hugo_Symbol\tChromosome\tStart_Position\tReference_Allele\tTumor_Seq_Allele2\tVariant_Classification\t"
    "Tumor_Sample_Barcode\tHGVSp_Short\tCONTEXT\n"
)


def test_levels_burden_and_signatures_from_a_maf(tmp_path):
    rows = [
        *(f"TP53\t17\t{i}\tC\tT\tMissense_Mutation\tS1\tp.R{i}H\tACG\n" for i in range(60)),
        "KRAS\t12\t5\tC\tA\tMissense_Mutation\tS2\tp.G12D\tTCT\n",
    ]
    (tmp_path / "m.maf").write_text(MAF + "".join(rows))
    profile = {c: float(c == "A[C>T]G") for c in CHANNELS}
    matrix = ["Type\tSBS1\tSBS2", *(f"{c}\t{profile[c]}\t{1 / 96}" for c in CHANNELS)]
    (tmp_path / "cosmic.txt").write_text("\n".join(matrix) + "\n")
    (tmp_path / "sets.csv").write_text("pathway,gene\nRAS,KRAS\n")
    options = MolecularOptions(
        mutations="m.maf",
        min_mutated=1,
        drivers=DriverOptions(by=("gene", "variant", "pathway"), genes=("TP53", "KRAS"), pathways="sets.csv"),
        burden=BurdenOptions(30.0, high=2.0),
        mutational_signatures=SignatureOptions("cosmic.txt", bootstrap=20),
    )
    result = assemble(options, cohort(["S1", "S2", "S3"]), tmp_path)
    assert column(result, "mut:KRAS") == {"S1": 0, "S2": 1}
    assert column(result, "var:KRAS p.G12D") == {"S1": 0, "S2": 1}
    assert column(result, "path:RAS") == {"S1": 0, "S2": 1}
    assert column(result, "tmb") == pytest.approx({"S1": 2.0, "S2": 1 / 30})
    assert column(result, "tmb_high") == {"S1": 1, "S2": 0}
    assert column(result, "sbs:SBS1") == pytest.approx({"S1": 1.0, "S2": None})
    assert set(result.tables) >= {"molecular/mutations", "molecular/burden", "molecular/mutational_signatures"}
    told = [p.got for p in result.problems]
    assert "1 subjects with fewer than 50 classified substitutions have no signatures" in told
    known = {r["marker"]: r for r in result.dictionary.to_dicts()}
    assert known["tmb"]["unit"] == "1/Mb"
    assert known["tmb"]["definition"] == "somatic nonsynonymous variants, per Mb of 30 Mb"
    assert sorted(options.files(tmp_path)) == ["cosmic.txt", "m.maf", "sets.csv"]


def test_a_subject_of_several_samples_has_no_burden_unless_a_rule_chooses(tmp_path):
    rows = ["TP53\t17\t1\tC\tT\tMissense_Mutation\tTCGA-AA-0001-01A\t\tACG\n"]
    rows += ["KRAS\t12\t5\tC\tA\tMissense_Mutation\tTCGA-AA-0001-06A\tp.G12D\tTCT\n"]
    (tmp_path / "m.maf").write_text(MAF + "".join(rows))
    options = MolecularOptions(mutations="m.maf", min_mutated=1, burden=BurdenOptions(1.0))
    loose = assemble(options, cohort(["TCGA-AA-0001"], extract="^(TCGA-..-....)"), tmp_path)
    assert column(loose, "mut:KRAS") == {"TCGA-AA-0001": 1}
    assert column(loose, "tmb") == {"TCGA-AA-0001": None}
    assert any("1 subjects with several samples have no burden" in p.got for p in loose.problems)
    chosen = assemble(options, cohort(["TCGA-AA-0001"], barcode="tcga"), tmp_path)
    assert "mut:KRAS" not in chosen.table.columns
    assert column(chosen, "tmb") == {"TCGA-AA-0001": 1.0}


VCF = (
    "##fileformat=VCFv4.2\n##contig=<ID=17>\n"
    '##INFO=<ID=ANN,Number=.,Type=String,Description="Functional annotations">\n'
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="g">\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tTUMOR\n'
)


def test_one_vcf_a_subject(tmp_path):
    (tmp_path / "vcf").mkdir()
    ann = "T|missense_variant|MODERATE|TP53|G|transcript|X|protein_coding|1|c.1C>T|p.Arg175His|||||"
    (tmp_path / "vcf" / "S1.vcf").write_text(VCF + f"17\t9\t.\tC\tT\t.\tPASS\tANN={ann}\tGT\t0/1\n")
    (tmp_path / "vcf" / "S2.vcf").write_text(VCF)
    options = MolecularOptions(mutations="vcf/{subject}.vcf", min_mutated=1)
    result = assemble(options, cohort(["S1", "S2", "S3"]), tmp_path)
    # S2 was sequenced and has nothing; nobody looked at S3.
    assert column(result, "mut:TP53") == {"S1": 1, "S2": 0}
    assert options.files(tmp_path) == ["vcf/S1.vcf", "vcf/S2.vcf"]
    with pytest.raises(ConfigError, match=r"no file matches 'none/{subject}.vcf'"):
        assemble(MolecularOptions(mutations="none/{subject}.vcf"), cohort(["S1"]), tmp_path)


def test_segments_copy_number_and_fusions(tmp_path):
    ascat = "sample\tchr\tstartpos\tendpos\tnMajor\tnMinor\n"
    rows = ["S1\t1\t1\t40000000\t1\t1", "S1\t1\t40000001\t60000000\t2\t0", "S1\t1\t60000001\t249000000\t1\t1"]
    rows += ["S2\t1\t9\t3\t1\t1"]
    (tmp_path / "seg.tsv").write_text(ascat + "\n".join(rows) + "\n")
    (tmp_path / "cna.txt").write_text("Hugo_Symbol\tS1\tS2\tS3\nEGFR\t2\t0\tNA\nPTEN\t-2\t-1\t0\nMYC\t1\t1\t1\n")
    (tmp_path / "fus.tsv").write_text("Sample_Id\tSite1_Hugo_Symbol\tSite2_Hugo_Symbol\nS1\tEML4\tALK\n")
    (tmp_path / "tested.txt").write_text("S1\nS3\n")
    options = MolecularOptions(
        min_mutated=1,
        segments=SegmentOptions("seg.tsv", "hg19"),
        copy_number=(
            CopyNumberTable("cna.txt", by=("amplification", "deep_deletion", "loss", "value"), genes=("EGFR", "PTEN")),
        ),
        fusions=(FusionTable("fus.tsv", tested="tested.txt"),),
    )
    result = assemble(options, cohort(["S1", "S2", "S3"]), tmp_path)
    assert column(result, "hrd_loh") == {"S1": 1, "S2": None, "S3": None}
    assert column(result, "hrd_lst") == {"S1": 2, "S2": None, "S3": None}
    assert column(result, "ploidy")["S1"] == pytest.approx(2)
    assert column(result, "amp:EGFR") == {"S1": 1, "S2": 0, "S3": None}
    assert column(result, "del:PTEN") == {"S1": 1, "S2": 0, "S3": 0}
    assert column(result, "loss:PTEN") == {"S1": 1, "S2": 1, "S3": 0}
    assert column(result, "cna:PTEN") == {"S1": -2, "S2": -1, "S3": 0}
    assert column(result, "fus:EML4::ALK") == column(result, "fus:ALK") == {"S1": 1, "S2": None, "S3": 0}
    assert result.tables["molecular/fusions"].rows() == [("S1", "EML4", "ALK")]
    aside = [p for p in result.problems if p.severity == "set aside"]
    assert [(p.subject, p.where) for p in aside] == [("S2", "seg.tsv, line 5")]
    assert any("cover less than 80 %" in p.got for p in result.problems)


def test_options_and_tables_that_do_not_fit(tmp_path):
    (tmp_path / "log.txt").write_text("Gene Symbol\tS1\nEGFR\t0.3\n")
    with pytest.raises(TableError, match=r"values that are not thresholded, for amplification, deep_deletion"):
        assemble(MolecularOptions(copy_number=(CopyNumberTable("log.txt"),)), cohort(["S1"]), tmp_path)
    table = CopyNumberTable("log.txt", by=("value",), genes=("EGRF",))
    with pytest.raises(TableError, match=r"no gene 'EGRF'.*did you mean 'EGFR'"):
        assemble(MolecularOptions(copy_number=(table,)), cohort(["S1"]), tmp_path)
    with pytest.raises(ConfigError, match=r"genome = 'hg18'.*allowed: hg19, hg38"):
        SegmentOptions("x", "hg18")
    with pytest.raises(ConfigError, match="burden without mutations"):
        MolecularOptions(markers=(MarkerTable("x"),), burden=BurdenOptions(1.0))
    with pytest.raises(ConfigError, match=r"'tsp'.*did you mean 'tps'"):
        MarkerTable("x", readings={"PD-L1": "tsp"})


def test_two_tables_of_one_marker_and_which_rules(tmp_path):
    (tmp_path / "a.csv").write_text("id,IDH\nS1,1\nS2,0\nS3,1\nS4,\n")
    (tmp_path / "b.csv").write_text("id,status\nS1,Mutant\nS2,Mutant\nS4,WT\n")
    tables = (MarkerTable("a.csv"), MarkerTable("b.csv", readings={"status": "idh"}, rename={"status": "IDH"}))
    people = cohort(["S1", "S2", "S3", "S4"])
    with pytest.raises(TableError, match=r"disagree for 1 of 2 subjects \(S2\).*molecular.precedence"):
        assemble(MolecularOptions(markers=tables), people, tmp_path)
    for order, wanted in (
        (("a.csv", "b.csv"), {"S1": 1, "S2": 0, "S3": 1, "S4": 0}),
        (("b.csv", "a.csv"), {"S1": 1, "S2": 1, "S3": 1, "S4": 0}),
    ):
        result = assemble(MolecularOptions(markers=tables, precedence=order), people, tmp_path)
        assert column(result, "IDH") == wanted
        assert [p.subject for p in result.problems if p.item == "IDH" and p.subject] == ["S2"]
        assert any("disagree for 1 of 2 subjects" in p.got for p in result.problems)


def test_glioma_idh_of_two_tables(data):
    clinical = "tcga_glioma/TCGA_clinical_INFO.csv"
    subtype = "tcga_glioma/tcga_glioma_1122_idh_1p19q_mgmt_subtype.tsv"
    path = data(clinical)
    data(subtype)
    table = read_table(path, id_column="Tumor")
    people = build(
        [SourceTable(table.source, table.frame.select("Tumor"), table.row_number, "Tumor")],
        CohortOptions(ids=IdRules(barcode="tcga")),
    )
    tables = (
        MarkerTable(clinical, id="Tumor", columns=("IDH1",), rename={"IDH1": "IDH"}),
        MarkerTable(
            subtype, id="Case", columns=("IDH status",), readings={"IDH status": "idh"}, rename={"IDH status": "IDH"}
        ),
    )
    root = path.parent.parent
    with pytest.raises(TableError, match="disagree for 8 of 187 subjects"):
        assemble(MolecularOptions(markers=tables), people, root)
    result = assemble(MolecularOptions(markers=tables, precedence=(subtype, clinical)), people, root)
    assert sum(p.item == "IDH" and p.subject is not None for p in result.problems) == 8
    assert result.dictionary["n"].item() == 187
    truth = read_table(data(subtype), id_column="Case").frame
    known = dict(truth.select("Case", "IDH status").iter_rows())
    values = column(result, "IDH")
    assert all(values[s] == float(known[s] == "Mutant") for s in values if known.get(s) in ("Mutant", "WT"))
    assert np.isfinite([v for v in values.values() if v is not None]).all()


def _aside(result):
    return {p.subject: p for p in result.problems if p.severity == "set aside"}


@pytest.mark.parametrize(
    ("spoilt", "place", "got"),
    [
        ({2: "abc"}, "m.maf, line 3, column Start_Position", "'abc'"),
        ({2: "-5"}, "m.maf, line 3, column Start_Position", "'-5'"),
        ({5: ""}, "m.maf, line 3, column Variant_Classification", "no value"),
        ({8: "many"}, "m.maf, line 3, column t_depth", "'many'"),
    ],
)
def test_a_cell_of_a_maf_that_cannot_be_read_ends_its_subject_alone(tmp_path, spoilt, place, got):
    header = MAF.strip().replace("CONTEXT", "t_depth")
    row = ["TP53", "17", "7", "C", "T", "Missense_Mutation", "S1", "p.R1H", "40"]
    rows = [row, [spoilt.get(i, "S2" if i == 6 else cell) for i, cell in enumerate(row)]]
    rows += [["KRAS", *row[1:6], subject, *row[7:]] for subject in ("S2", "S3")]
    (tmp_path / "m.maf").write_text("\n".join([header, *("\t".join(r) for r in rows)]) + "\n")
    (tmp_path / "who.txt").write_text("S1\nS2\nS3\nS4\n")
    options = MolecularOptions(mutations="m.maf", sequenced="who.txt", min_mutated=1, burden=BurdenOptions(30.0))
    result = assemble(options, cohort(["S1", "S2", "S3", "S4"]), tmp_path)
    # Neither mutated in KRAS, which could be read, nor unmutated in TP53, which could not.
    assert column(result, "mut:TP53") == {"S1": 1, "S2": None, "S3": 0, "S4": 0}
    assert column(result, "mut:KRAS") == {"S1": 0, "S2": None, "S3": 1, "S4": 0}
    assert column(result, "tmb")["S2"] is None
    assert "S2" not in result.tables["molecular/mutations"]["subject"].to_list()
    (problem,) = _aside(result).values()
    assert (problem.subject, problem.where) == ("S2", place)
    assert problem.got.startswith(got)
    assert problem.allowed
    assert problem.todo


def test_an_empty_chromosome_leaves_the_gene_readable(tmp_path):
    (tmp_path / "m.maf").write_text(MAF + "TP53\t\t7\tC\tT\tMissense_Mutation\tS1\tp.R1H\tACG\n")
    result = assemble(MolecularOptions(mutations="m.maf", min_mutated=1), cohort(["S1"]), tmp_path)
    assert column(result, "mut:TP53") == {"S1": 1}
    assert _aside(result) == {}


def test_one_bad_file_or_sample_of_copy_number_and_fusions_ends_its_subject_alone(tmp_path):
    for subject, end in (("S1", "100000"), ("S2", "far")):
        (tmp_path / f"{subject}.seg").write_text(f"chrom\tstart\tend\tmajor\tminor\n1\t1\t{end}\t1\t1\n")
        (tmp_path / f"{subject}.maf").write_text(
            MAF + f"TP53\t17\t{end}\tC\tT\tMissense_Mutation\t{subject}\tp.R1H\tACG\n"
        )
    (tmp_path / "S1.fus").write_text("gene1\tgene2\nEML4\tALK\n")
    (tmp_path / "S2.fus").write_text("nothing\there\n")
    (tmp_path / "all.seg").write_text("ID\tchrom\tstart\tend\tmajor\tminor\nS1\t1\t1\t9\t1\t1\nS2\t1\t1\t9\tx\t1\n")
    (tmp_path / "cna.txt").write_text("Hugo_Symbol\tS1\tS2\nEGFR\t2\t0\nMET\t2\tamp\n")
    (tmp_path / "who.txt").write_text("S1\nS2\n")
    people = cohort(["S1", "S2"])
    for options, marker in (
        (MolecularOptions(mutations="{subject}.maf", min_mutated=1), "mut:TP53"),
        (MolecularOptions(segments=SegmentOptions("{subject}.seg", "hg38")), "ploidy"),
        (MolecularOptions(segments=SegmentOptions("all.seg", "hg38")), "ploidy"),
        (MolecularOptions(copy_number=(CopyNumberTable("cna.txt"),), min_mutated=1), "amp:EGFR"),
        (MolecularOptions(fusions=(FusionTable("{subject}.fus", tested="who.txt"),), min_mutated=1), "fus:ALK"),
    ):
        result = assemble(options, people, tmp_path)
        values = column(result, marker)
        assert values["S1"] > 0
        assert values["S2"] is None
        assert set(_aside(result)) == {"S2"}
        assert _aside(result)["S2"].where


def test_a_listed_vial_makes_nobody_unmutated(tmp_path):
    (tmp_path / "m.maf").write_text(MAF + "TP53\t17\t7\tC\tT\tMissense_Mutation\tTCGA-AA-0001-01B-11D\tp.R1H\tACG\n")
    (tmp_path / "who.txt").write_text("TCGA-AA-0001-01A-11D\nTCGA-AA-0002-01A-11D\n")
    options = MolecularOptions(mutations="m.maf", sequenced="who.txt", min_mutated=1)
    result = assemble(options, cohort(["TCGA-AA-0001", "TCGA-AA-0002"], barcode="tcga"), tmp_path)
    assert column(result, "mut:TP53") == {"TCGA-AA-0001": 1, "TCGA-AA-0002": 0}
