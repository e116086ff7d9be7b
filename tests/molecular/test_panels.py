"""Gene panels: what nobody looked at is unknown, in markers, burden and figure."""

import polars as pl
import pytest

from radiolocus.cohort import CohortOptions, IdRules, SourceTable, build
from radiolocus.errors import ConfigError, FormatError, TableError
from radiolocus.molecular.alterations import DriverOptions
from radiolocus.molecular.burden import BurdenOptions
from radiolocus.molecular.markers import MolecularOptions, assemble
from radiolocus.molecular.panels import Coverage, PanelOptions
from radiolocus.read.panels import read_panel_genes, read_panel_matrix
from radiolocus.report.figures_oncoprint import oncoprint

MAF = (
    "Hugo_Symbol\tChromosome\tStart_Position\tReference_Allele\tTumor_Seq_Allele2\tVariant_Classification\t"
    "Tumor_Sample_Barcode\tHGVSp_Short\tCONTEXT\n"
)
MATRIX = "SAMPLE_ID\tmutations\tcna\nS1-T\tBIG\tBIG\nS2-T\tSMALL\tNA\nS3-T\tWES\tNA\nS4-T\tNA\tNA\nS5-T\tSMALL\tNA\n"
ROWS = [
    "TP53\t17\t1\tC\tT\tMissense_Mutation\tS1-T\tp.R175H\tACG\n",
    "KRAS\t12\t5\tC\tA\tMissense_Mutation\tS3-T\tp.G12D\tTCT\n",
    "STK11\t19\t5\tC\tA\tNonsense_Mutation\tS2-T\tp.Q37*\tTCT\n",
    "TP53\t17\t9\tC\tT\tNonsense_Mutation\tS6-T\tp.R213*\tACG\n",
]


def cohort(subjects, **rules):
    frame = pl.DataFrame({"id": list(subjects)}, schema={"id": pl.String})
    table = SourceTable("subjects.csv", frame, range(2, 2 + len(subjects)), "id")
    return build([table], CohortOptions(ids=IdRules(**rules)))


def column(result, name):
    return dict(zip(result.table["subject"].to_list(), result.table[name].to_list(), strict=True))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "m.maf").write_text(MAF + "".join(ROWS))
    (tmp_path / "matrix.txt").write_text(MATRIX)
    (tmp_path / "big.txt").write_text(
        "stable_id: BIG\ndescription: 3 genes: all of them\ngene_list:\tTP53\tKRAS\tSTK11\n"
    )
    (tmp_path / "small.gmt").write_text("SMALL\tthe first version\tTP53\n")
    (tmp_path / "sets.csv").write_text("pathway,gene\nRAS,KRAS\nRAS,TP53\nP53,TP53\n")
    return tmp_path


def assembled(folder, **more):
    panels = PanelOptions("matrix.txt", ("big.txt", "small.gmt"), megabases={"BIG": 2.0, "SMALL": 0.5})
    options = MolecularOptions(mutations="m.maf", min_mutated=1, panels=panels, **more)
    people = cohort([f"S{i}" for i in range(1, 8)], extract=r"^(S\d)")
    return options, assemble(options, people, folder)


def test_a_gene_that_is_not_on_the_panel_is_unknown(folder):
    drivers = DriverOptions(by=("gene", "loss_of_function", "variant", "pathway"), pathways="sets.csv")
    options, found = assembled(folder, drivers=drivers, burden=BurdenOptions(30.0))
    assert column(found, "mut:TP53") == {"S1": 1, "S2": 0, "S3": 0, "S5": 0, "S6": 1}
    assert column(found, "mut:KRAS") == {"S1": 0, "S2": None, "S3": 1, "S5": None, "S6": None}
    # What was found counts though the list lacks the gene.
    assert column(found, "mut:STK11") == {"S1": 0, "S2": 1, "S3": 0, "S5": None, "S6": None}
    assert column(found, "var:KRAS p.G12D") == {"S1": 0, "S2": None, "S3": 1, "S5": None, "S6": None}
    assert column(found, "path:RAS") == {"S1": 1, "S2": None, "S3": 1, "S5": None, "S6": 1}
    assert column(found, "path:P53") == {"S1": 1, "S2": 0, "S3": 0, "S5": 0, "S6": 1}
    assert column(found, "tmb") == pytest.approx({"S1": 0.5, "S2": 2.0, "S3": 1 / 30, "S5": 0.0, "S6": None})
    told = [p.got for p in found.problems]
    assert "1 subjects with mutations are on no panel (S6): their other genes are unknown" in told
    assert "1 genes are mutated in subjects on whose panel they are not (STK11)" in told
    assert "1 subjects have no burden: nothing says how much their panel covers" in told
    assert not [t for t in told if "nothing says who was sequenced" in t]
    assert sorted(options.files(folder)) == ["big.txt", "m.maf", "matrix.txt", "sets.csv", "small.gmt"]
    again = Coverage.from_tables(found.tables["molecular/panels"], found.tables["molecular/panel_genes"])
    assert again.matrix(["S1", "S2", "S3", "S7"], ["KRAS", "TP53"]).tolist() == [
        [True, True], [False, True], [True, True], [False, False],
    ]  # fmt: skip
    figure = oncoprint(found.tables["molecular/mutations"], ["S1", "S2", "S3", "S5"], coverage=again)
    assert "of those whose panel has the gene" in figure.caption


def test_two_samples_of_a_subject_are_looked_at_by_either_panel(folder):
    (folder / "matrix.txt").write_text(MATRIX + "S2-B\tBIG\tNA\n")
    _, found = assembled(folder)
    assert column(found, "mut:KRAS")["S2"] == 0


def test_panels_that_nobody_knows_are_refused_by_name(folder):
    (folder / "matrix.txt").write_text(MATRIX.replace("S5-T\tSMALL", "S5-T\tSMALLER"))
    with pytest.raises(TableError, match=r"matrix.txt: panel 'SMALLER' of sample S5-T has no list of genes.*did you"):
        assembled(folder)
    with pytest.raises(ConfigError, match="panels without mutations"):
        MolecularOptions(markers=(), panels=PanelOptions("matrix.txt"))
    with pytest.raises(ConfigError, match=r"megabases.BIG: 0"):
        PanelOptions("matrix.txt", megabases={"BIG": 0})


def test_what_the_readers_take_and_refuse(tmp_path):
    (tmp_path / "m.csv").write_text("patient,panel\na,X\na,X\nb,\n")
    assert read_panel_matrix(tmp_path / "m.csv", "Panel") == {"a": "X"}
    (tmp_path / "m.csv").write_text("patient,panel\na,X\na,Y\n")
    with pytest.raises(TableError, match="sample 'a' with the panels X and Y"):
        read_panel_matrix(tmp_path / "m.csv", "panel")
    with pytest.raises(TableError, match=r"no column 'mutations'.*patient, panel"):
        read_panel_matrix(tmp_path / "m.csv")
    (tmp_path / "g.csv").write_text("Panel,Gene\nX,TP53\nX,KRAS\nY,TP53\n")
    assert read_panel_genes(tmp_path / "g.csv") == {"X": {"TP53", "KRAS"}, "Y": {"TP53"}}
    (tmp_path / "p.txt").write_text("stable_id: X\ngene_list:\n")
    with pytest.raises(FormatError, match="a gene panel without genes"):
        read_panel_genes(tmp_path / "p.txt")
    (tmp_path / "o.csv").write_text("a,b\n1,2\n")
    with pytest.raises(TableError, match="columns a, b"):
        read_panel_genes(tmp_path / "o.csv")


def test_coverage_without_anybody_or_any_gene_is_empty():
    none = Coverage({}, {})
    assert none.matrix([], ["TP53"]).shape == (0, 1)
    assert none.whole(["a"], []).shape == (1, 0)
    assert not none.matrix(["a"], ["TP53"]).any()
