"""Tables of variants by sample: what is refused, with its place."""

import pytest

from radiolocus.errors import ConfigError, TableError
from radiolocus.read.variants import VariantColumns, read_variants

HEAD = "subject,sample,day,gene,change,alt_reads,depth,vaf"
GOOD = ["B,baseline,0,TP53,R175H,10,100,", "B,week 4,28,TP53,R175H,1,100,"]


def _read(tmp_path, rows, head=HEAD, columns=None):
    (tmp_path / "ctdna.csv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return read_variants(tmp_path / "ctdna.csv", columns)


@pytest.mark.parametrize(
    ("row", "got"),
    [
        ("A,baseline,0,TP53,R175H,101,100,", "101 variant reads of 100"),
        ("A,baseline,0,TP53,R175H,-1,100,", "alt_reads -1"),
        ("A,baseline,0,TP53,R175H,1.5,100,", "alt_reads 1.5"),
        ("A,baseline,0,TP53,R175H,ten,100,", "alt_reads 'ten'"),
        ("A,baseline,0,TP53,R175H,,,12", "vaf 12"),
        ("A,baseline,0,TP53,R175H,10,100,0.5", "a fraction of 0.5 with 10 of 100 reads"),
        ("A,baseline,0,TP53,R175H,,,", "neither variant reads with depth nor a fraction"),
        ("A,baseline,,TP53,R175H,1,100,", "an empty day"),
        ("A,baseline,soon,TP53,R175H,1,100,", "day 'soon'"),
        ("A,baseline,0,TP53,,1,100,", "an empty variant"),
        ("A,week 4,28,TP53,R175H,1,100,", "no baseline sample"),
    ],
)
def test_a_subject_with_a_bad_row_is_set_aside_and_the_others_go_on(tmp_path, row, got):
    found = _read(tmp_path, [row, *GOOD])
    assert found.frame["subject"].unique().to_list() == ["B"]
    (problem,) = [p for p in found.problems if p.severity == "set aside"]
    assert problem.got == got
    assert (problem.subject, problem.where) == ("A", "ctdna.csv, row 2")
    assert problem.item.startswith("variant ")
    assert problem.allowed
    assert problem.todo
    assert found.subjects == ("A", "B")


@pytest.mark.parametrize(
    ("rows", "got"),
    [
        (["A,baseline,0,TP53,R175H,1,100,", "A,baseline,3,EGFR,L858R,1,100,"], "sample 'baseline' on several days"),
        (["A,baseline,0,TP53,R175H,1,100,", "A,first,0,TP53,R175H,1,100,"], "two samples of one day"),
        (["A,baseline,0,TP53,R175H,1,100,", "A,baseline,0,TP53,R175H,2,100,"], "the same variant twice in one sample"),
        (["A,baseline,0,TP53,R175H,1,100,", "A,s,2024-01-01,TP53,R175H,2,100,"], "dates and numbers of days"),
    ],
)
def test_rows_that_contradict_each_other(tmp_path, rows, got):
    found = _read(tmp_path, [*rows, *GOOD])
    assert found.frame["subject"].unique().to_list() == ["B"]
    assert any(got in p.got for p in found.problems)


def test_copy_numbers_and_purity_are_checked(tmp_path):
    head = "subject,sample,day,gene,change,alt_reads,depth,purity,copies,minor_copies"
    rows = ["A,baseline,0,TP53,R175H,1,100,0.8,2,2", "C,baseline,0,TP53,R175H,1,100,80,2,1"]
    rows += ["D,baseline,0,TP53,R175H,1,100,0.8,2,1", "D,baseline,0,EGFR,L858R,1,100,0.7,2,1"]
    got = {p.subject: p.got for p in _read(tmp_path, rows, head).problems}
    assert got["A"] == "2 minor of 2 copies"
    assert got["C"] == "purity 80"
    assert got["D"] == "sample 'baseline' with several purities"


def test_percent_is_read_as_told(tmp_path):
    rows = ["A,baseline,0,TP53,R175H,,,12", "A,s,28,TP53,R175H,,,0.5"]
    found = _read(tmp_path, rows, columns=VariantColumns(vaf_unit="percent")).frame
    assert found["vaf"].to_list() == [0.12, 0.005]


def test_dates_count_from_the_baseline_and_days_as_they_are(tmp_path):
    dated = ["A,Baseline,2024-01-10,TP53,R175H,1,100,", "A,s,2024-02-07,TP53,R175H,1,100,"]
    assert _read(tmp_path, dated).frame["day"].to_list() == [0.0, 28.0]
    counted = ["A,x,-20,TP53,R175H,1,100,", "A,y,-3,TP53,R175H,1,100,", "A,z,25,TP53,R175H,1,100,"]
    found = _read(tmp_path, counted).frame
    assert found["day"].to_list() == [-20.0, -3.0, 25.0]
    assert found["is_base"].to_list() == [False, True, False]


def test_a_variant_is_named_by_its_place_where_it_must_be(tmp_path):
    head = "subject,sample,day,gene,change,chromosome,position,reference,alternate,alt_reads,depth"
    rows = ["A,baseline,0,TP53,R175H,17,7675088,C,T,1,100", "A,baseline,0,TP53,R175H,17,7675089,G,A,2,100"]
    rows += ["A,baseline,0,,,7,55181378,C,T,3,100"]
    found = _read(tmp_path, rows, head).frame["variant"].to_list()
    assert found == ["7:55181378 C>T", "TP53 R175H (17:7675088 C>T)", "TP53 R175H (17:7675089 G>A)"]


@pytest.mark.parametrize(
    ("head", "part"),
    [
        ("subject,gene,change,alt_reads,depth", "no column 'day'"),
        ("subject,day,gene,alt_reads,depth", "no column 'change'"),
        ("subject,day,gene,change,alt_reads", "no column 'vaf'"),
    ],
)
def test_columns_that_must_be_there(tmp_path, head, part):
    row = ",".join("1" for _ in head.split(","))
    with pytest.raises(TableError, match=part):
        _read(tmp_path, [row], head)


def test_a_column_stands_for_one_thing():
    with pytest.raises(ConfigError, match="column 'x' named for two things"):
        VariantColumns(alt_reads="x", depth="x")
