"""TU, TR and RS as trials have them."""

import polars as pl
import pytest

from radiolocus.errors import TableError
from radiolocus.read.lesions import LesionColumns
from radiolocus.read.sdtm import find_domains, read_lesion_source, read_sdtm

TU = [
    # USUBJID, TULNKID, TUTESTCD, TUSTRESC, TULOC, VISITNUM, VISIT, TUEVAL
    ("01", "T01", "TUMIDENT", "TARGET", "LIVER", "1", "SCREENING", "INVESTIGATOR"),
    ("01", "T02", "TUMIDENT", "TARGET", "LYMPH NODE", "1", "SCREENING", "INVESTIGATOR"),
    ("01", "NT01", "TUMIDENT", "NON-TARGET", "BONE", "1", "SCREENING", "INVESTIGATOR"),
    ("01", "NEW01", "TUMIDENT", "NEW", "BRAIN", "3", "WEEK 16", "INVESTIGATOR"),
]
TR = [
    # USUBJID, TRLNKID, TRTESTCD, TRSTRESC, TRSTRESU, TRDTC, VISITNUM, VISIT, TREVAL, TRSTAT
    ("01", "T01", "LDIAM", "30", "mm", "2020-01-02", "1", "SCREENING", "INVESTIGATOR", ""),
    ("01", "T02", "SAXIS", "18", "mm", "2020-01-01T09:30", "1", "SCREENING", "INVESTIGATOR", ""),
    ("01", "NT01", "TUMSTATE", "PRESENT", "", "2020-01-01", "1", "SCREENING", "INVESTIGATOR", ""),
    ("01", "", "SUMDIAM", "48", "mm", "", "1", "SCREENING", "INVESTIGATOR", ""),
    ("01", "T01", "LDIAM", "1.8", "cm", "2020-02-26", "2", "WEEK 8", "INVESTIGATOR", ""),
    ("01", "T02", "SAXIS", "9", "mm", "2020-02-26", "2", "WEEK 8", "INVESTIGATOR", ""),
    ("01", "NT01", "TUMSTATE", "ABSENT", "", "2020-02-26", "2", "WEEK 8", "INVESTIGATOR", ""),
    ("01", "", "SUMDIAM", "27", "mm", "", "2", "WEEK 8", "INVESTIGATOR", ""),
    ("01", "T01", "LDIAM", "", "", "2020-04-22", "3", "WEEK 16", "INVESTIGATOR", "NOT DONE"),
    ("01", "T02", "TUMSTATE", "TOO SMALL TO MEASURE", "", "2020-04-22", "3", "WEEK 16", "INVESTIGATOR", ""),
    ("01", "NT01", "TUMSTATE", "NOT EVALUABLE", "", "2020-04-22", "3", "WEEK 16", "INVESTIGATOR", ""),
]
RS = [
    # USUBJID, RSTESTCD, RSSTRESC, VISITNUM, VISIT, RSEVAL
    ("01", "TRGRESP", "PR", "2", "WEEK 8", "INVESTIGATOR"),
    ("01", "NTRGRESP", "CR", "2", "WEEK 8", "INVESTIGATOR"),
    ("01", "OVRLRESP", "PR", "2", "WEEK 8", "INVESTIGATOR"),
    ("01", "NEWLRESP", "Y", "3", "WEEK 16", "INVESTIGATOR"),
    ("01", "OVRLRESP", "PD", "3", "WEEK 16", "INVESTIGATOR"),
    ("01", "BESTRESP", "PR", "", "", "INVESTIGATOR"),
]
HEADS = {
    "tu": ["USUBJID", "TULNKID", "TUTESTCD", "TUSTRESC", "TULOC", "VISITNUM", "VISIT", "TUEVAL"],
    "tr": [
        "USUBJID", "TRLNKID", "TRTESTCD", "TRSTRESC", "TRSTRESU", "TRDTC", "VISITNUM", "VISIT", "TREVAL", "TRSTAT",
    ],
    "rs": ["USUBJID", "RSTESTCD", "RSSTRESC", "VISITNUM", "VISIT", "RSEVAL"],
}  # fmt: skip


MM = [tuple("18" if x == "1.8" else "mm" if x == "cm" else x for x in row) for row in TR]


def write(folder, tu=TU, tr=TR, rs=RS, suffix=".csv"):
    for name, rows in (("tu", tu), ("tr", tr), ("rs", rs)):
        if rows is None:
            continue
        frame = pl.DataFrame(rows, schema=HEADS[name], orient="row")
        if suffix == ".csv":
            frame.write_csv(folder / f"{name}.csv")
        else:
            frame.with_columns(pl.when(pl.all() != "").then(pl.all())).write_parquet(folder / f"{name.upper()}.parquet")
    return folder


def aside(study):
    return [p for p in study.lesions.problems if p.severity == "set aside"]


def test_mixed_units_set_the_subject_aside(tmp_path):
    (problem,) = aside(read_sdtm(write(tmp_path)))
    assert problem.got == "mixed units; here mm"


def test_the_format_does_not_matter(tmp_path):
    (tmp_path / "p").mkdir()
    one, other = read_sdtm(write(tmp_path, tr=MM)), read_sdtm(write(tmp_path / "p", tr=MM, suffix=".parquet"))
    assert one.lesions.frame.equals(other.lesions.frame)
    assert one.sums.equals(other.sums)
    assert one.responses.equals(other.responses)


def test_a_study_in_millimetres(tmp_path):
    study = read_sdtm(write(tmp_path, tr=MM))
    assert not aside(study)
    rows = study.lesions.frame.select("visit", "day", "lesion", "kind", "organ", "node", "diameter_mm", "status").rows()
    assert rows == [
        ("SCREENING", 0, "NT01", "non-target", "BONE", False, None, "present"),
        ("SCREENING", 0, "T01", "target", "LIVER", False, 30, "present"),
        ("SCREENING", 0, "T02", "target", "LYMPH NODE", True, 18, "present"),
        ("WEEK 8", 56, "NT01", "non-target", "BONE", False, None, "absent"),
        ("WEEK 8", 56, "T01", "target", "LIVER", False, 18, "present"),
        ("WEEK 8", 56, "T02", "target", "LYMPH NODE", True, 9, "present"),
        ("WEEK 16", 112, "NEW01", "new", "BRAIN", False, None, "present"),  # from TU alone
        ("WEEK 16", 112, "NT01", "non-target", "BONE", False, None, "NE"),
        ("WEEK 16", 112, "T01", "target", "LIVER", False, None, "NE"),
        ("WEEK 16", 112, "T02", "target", "LYMPH NODE", True, None, "too small"),
    ]
    assert study.sums.rows() == [("01", "SCREENING", 48), ("01", "WEEK 8", 27)]
    assert study.responses.rows() == [
        ("01", "WEEK 8", "target", "PR"),
        ("01", "WEEK 8", "non-target", "CR"),
        ("01", "WEEK 8", "overall", "PR"),
        ("01", "WEEK 16", "new", "Y"),
        ("01", "WEEK 16", "overall", "PD"),
        ("01", None, "best", "PR"),
    ]


def change(rows, where, **cells):
    """Rows with cells of those that match `where` replaced."""
    out = []
    for row in rows:
        named = dict(zip(HEADS["tr"], row, strict=True))
        out.append(tuple((named | cells).values()) if where(named) else row)
    return out


def test_study_days_have_no_day_0_and_stand_in_for_dates(tmp_path):
    days = {"1": "-2", "2": "55", "3": "112"}
    heads = [*HEADS["tr"], "TRDY"]
    frame = pl.DataFrame([(*r[:5], "", *r[6:], days[r[6]]) for r in MM], schema=heads, orient="row")
    frame.write_csv(write(tmp_path, tr=MM) / "tr.csv")
    assert read_sdtm(tmp_path).lesions.frame["day"].unique().sort().to_list() == [0, 56, 113]


def test_the_flagged_visit_is_the_baseline_and_earlier_ones_are_refused(tmp_path):
    heads = [*HEADS["tr"], "TRLOBXFL"]
    frame = pl.DataFrame([(*r, "Y" if r[6] == "2" else "") for r in MM], schema=heads, orient="row")
    frame.write_csv(write(tmp_path, tr=MM) / "tr.csv")
    (problem,) = aside(read_sdtm(tmp_path))
    assert problem.got == "a visit 56 days before baseline"
    assert problem.where.startswith("tr.csv, row ")


def test_several_evaluators_are_set_aside_until_one_is_named(tmp_path):
    other = change(MM, lambda _: True, TREVAL="INDEPENDENT ASSESSOR")
    other = [tuple("31" if x == "30" else x for x in row) for row in other]
    write(tmp_path, tr=[*MM, *other])
    (problem,) = aside(read_sdtm(tmp_path))
    assert problem.got.startswith("several readers")
    study = read_sdtm(tmp_path, LesionColumns(keep_reader="INDEPENDENT ASSESSOR"))
    frame = study.lesions.frame
    assert frame.filter((pl.col("lesion") == "T01") & (pl.col("day") == 0))["diameter_mm"].to_list() == [31]
    assert study.responses.is_empty()  # those of the investigator


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (change(MM, lambda r: r["TRTESTCD"] == "SAXIS", TRTESTCD="LDIAM"), "a lymph node measured on its long axis"),
        (change(MM, lambda r: r["TRSTRESC"] == "18", TRSTRESC="-18"), "diameter -18 mm"),
        (change(MM, lambda r: r["TRSTRESC"] == "ABSENT", TRSTRESC="SMALLER"), "status 'smaller'"),
        (change(MM, lambda r: r["VISITNUM"] == "1" and r["TRLNKID"] == "T01", TRLNKID="T09"), "an empty kind"),
        ([*MM, MM[4]], "the same lesion twice at one visit"),
    ],
)
def test_bad_domains_set_the_subject_aside(tmp_path, changed, words):
    study = read_sdtm(write(tmp_path, tr=changed))
    (problem,) = aside(study)
    assert problem.got.startswith(words), problem.got
    assert problem.subject == "01"
    assert "visit" in problem.item


def test_split_and_merged_lesions(tmp_path):
    tu = [
        ("01", "T01", "TUMIDENT", "TARGET", "LIVER", "1", "BASE", "INVESTIGATOR"),
        ("01", "T02", "TUMIDENT", "TARGET", "LIVER", "1", "BASE", "INVESTIGATOR"),
        ("01", "T01.1", "TUSPLIT", "TARGET", "LIVER", "2", "W8", "INVESTIGATOR"),
        ("01", "T01.2", "TUSPLIT", "TARGET", "LIVER", "2", "W8", "INVESTIGATOR"),
    ]
    sizes = [
        ("T01", 30, "1", "BASE", "2020-01-01"),
        ("T02", 20, "1", "BASE", "2020-01-01"),
        ("T01.1", 10, "2", "W8", "2020-02-26"),
        ("T01.2", 9, "2", "W8", "2020-02-26"),
        ("T02", 20, "2", "W8", "2020-02-26"),
        ("T01/T02", 45, "3", "W16", "2020-04-22"),
    ]
    tr = [("01", k, "LDIAM", str(s), "mm", date, n, v, "INVESTIGATOR", "") for k, s, n, v, date in sizes]
    study = read_sdtm(write(tmp_path, tu=tu, tr=tr, rs=None))
    assert not aside(study)
    assert study.lesions.frame.select("day", "lesion", "diameter_mm", "status").rows() == [
        (0, "T01", 30, "present"),
        (0, "T02", 20, "present"),
        (56, "T01", 19, "present"),
        (56, "T02", 20, "present"),
        (112, "T01", 45, "present"),
        (112, "T02", None, "merged"),
    ]


def test_unscheduled_visits_of_one_name_are_told_apart(tmp_path):
    renamed = [tuple("UNSCHEDULED" if x in ("WEEK 8", "WEEK 16") else x for x in row) for row in MM]
    study = read_sdtm(write(tmp_path, tr=renamed))
    assert study.lesions.frame["visit"].unique().sort().to_list() == ["SCREENING", "UNSCHEDULED (2)", "UNSCHEDULED (3)"]


def test_domains_are_found_by_name(tmp_path):
    assert find_domains(tmp_path) == {}
    for name in ("sdtm_TR.csv", "tu_onco.parquet", "rs.csv.gz", "trial.csv", "notes.txt"):
        (tmp_path / name).touch()
    assert {k: v.name for k, v in find_domains(tmp_path).items()} == {
        "tr": "sdtm_TR.csv",
        "tu": "tu_onco.parquet",
        "rs": "rs.csv.gz",
    }
    assert find_domains(tmp_path / "trial.csv") == {}
    (tmp_path / "tr_2.csv").touch()
    with pytest.raises(TableError, match=r"several files of domain TR: sdtm_TR\.csv, tr_2\.csv"):
        find_domains(tmp_path)


def test_what_is_no_domain_is_refused(tmp_path):
    with pytest.raises(TableError, match="no table of the domain TR"):
        read_sdtm(tmp_path)
    (tmp_path / "tr.csv").write_text("USUBJID,TRTEST,VISIT\n1,a,b\n")
    with pytest.raises(TableError, match="no column 'TRTESTCD' in domain TR"):
        read_sdtm(tmp_path)
    (tmp_path / "tr.csv").write_text("USUBJID,TRTESTCD\n1,a\n")
    with pytest.raises(TableError, match="no column 'VISITNUM' in domain TR"):
        read_sdtm(tmp_path)


def test_evaluators_may_use_the_same_labels_for_other_lesions(tmp_path):
    independent = [(*row[:3], *("NON-TARGET" if x == "TARGET" else x for x in row[3:7]), "READER 1") for row in TU]
    write(tmp_path, tu=[*independent, *TU], tr=MM)
    study = read_sdtm(tmp_path, LesionColumns(keep_reader="INVESTIGATOR"))
    assert study.lesions.frame.filter(pl.col("lesion") == "T01")["kind"].unique().to_list() == ["target"]


def test_an_evaluator_is_named_by_role_id_or_both(tmp_path):
    heads = [*HEADS["tr"], "TREVALID"]
    rows = [(*r, "READER 1") for r in MM] + [tuple("31" if x == "30" else x for x in (*r, "READER 2")) for r in MM]
    frame = pl.DataFrame(rows, schema=heads, orient="row").with_columns(TREVAL=pl.lit("INDEPENDENT ASSESSOR"))
    frame.write_csv(write(tmp_path, tr=MM, tu=[(*r[:7], "") for r in TU], rs=None) / "tr.csv")
    for keep in ("READER 2", "INDEPENDENT ASSESSOR READER 2"):
        kept = read_sdtm(tmp_path, LesionColumns(keep_reader=keep)).lesions.frame
        assert kept.filter((pl.col("lesion") == "T01") & (pl.col("day") == 0))["diameter_mm"].to_list() == [31]
    both = read_sdtm(tmp_path, LesionColumns(keep_reader="INDEPENDENT ASSESSOR"))
    assert aside(both)[0].got.startswith("several readers")
    assert any(
        p.got == "several evaluators: INDEPENDENT ASSESSOR READER 1, INDEPENDENT ASSESSOR READER 2"
        for p in both.lesions.problems
    )


def test_a_lesion_source_is_a_table_or_domains(tmp_path):
    table = tmp_path / "lesions.csv"
    table.write_text("subject,visit,day,lesion,kind,diameter_mm\nA,Baseline,0,T,target,20\n")
    lesions, study = read_lesion_source(table)
    assert (lesions.subjects, study) == (("A",), None)
    lesions, study = read_lesion_source(write(tmp_path, tr=MM) / "tr.csv")
    assert lesions.subjects == ("01",)
    assert study is not None
    with pytest.raises(TableError, match="no such file"):
        read_lesion_source(tmp_path / "none.csv")
