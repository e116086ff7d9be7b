import polars as pl
import pytest

from radiolocus.errors import ConfigError, TableError
from radiolocus.read.lesion_measures import MEASURES
from radiolocus.read.lesions import LESION_COLUMNS, LesionColumns, read_lesions

HEADER = "subject,visit,day,lesion,kind,organ,node,diameter_mm,status"
GOOD = [
    "A,Baseline,0,T1,target,lung,no,30,",
    "A,Baseline,0,T2,target,axilla,yes,16,",
    "A,Baseline,0,N1,non-target,bone,no,,present",
    "A,Week 8,56,T1,target,lung,no,20.5,",
    "A,Week 8,56,T2,target,axilla,yes,,too small",
    "A,Week 8,56,N1,non-target,bone,no,,absent",
    "A,Week 8,56,X,new,brain,no,7,",
]


def write(folder, *lines, header=HEADER, name="lesions.csv"):
    path = folder / name
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def aside(table):
    return [p for p in table.problems if p.severity == "set aside"]


def test_reads_a_table_and_fills_in_states(tmp_path):
    table = read_lesions(write(tmp_path, *GOOD))
    assert dict(table.frame.schema) == LESION_COLUMNS
    assert not aside(table)
    assert table.subjects == ("A",)
    rows = table.frame.select("day", "lesion", "kind", "node", "diameter_mm", "status").rows()
    assert rows == [
        (0, "N1", "non-target", False, None, "present"),
        (0, "T1", "target", False, 30, "present"),
        (0, "T2", "target", True, 16, "present"),
        (56, "N1", "non-target", False, None, "absent"),
        (56, "T1", "target", False, 20.5, "present"),
        (56, "T2", "target", True, None, "too small"),
        (56, "X", "new", False, 7, "present"),
    ]


@pytest.mark.parametrize("name", ["lesions.tsv", "lesions.xlsx", "lesions.parquet"])
def test_the_format_does_not_matter(tmp_path, name):
    cells = [line.split(",") for line in GOOD]
    frame = pl.DataFrame(cells, schema=HEADER.split(","), orient="row").with_columns(
        pl.col("day").cast(pl.Int64), pl.when(pl.col("diameter_mm") != "").then("diameter_mm").cast(pl.Float64)
    )
    path = tmp_path / name
    if name.endswith("tsv"):
        frame.write_csv(path, separator="\t")
    elif name.endswith("parquet"):
        frame.write_parquet(path)
    else:
        openpyxl = pytest.importorskip("openpyxl")
        book = openpyxl.Workbook()
        for row in [HEADER.split(","), *frame.rows()]:
            book.active.append(row)
        book.save(path)
    assert read_lesions(path).frame.equals(read_lesions(write(tmp_path, *GOOD)).frame)


def test_other_column_names_dates_and_centimetres(tmp_path):
    path = write(
        tmp_path,
        "A,BL,2020-01-10,1,T,Lung,3.0,cm",
        "A,F1,2020-03-06,1,T,,1.25,cm",
        "A,F1,2020-03-06,2,N,Lymph node,,cm",
        header="ID,VISIT,DATE,NO,TYPE,SITE,SIZE,UNIT",
    )
    names = LesionColumns(
        subject="ID",
        visit="VISIT",
        day="DATE",
        lesion="NO",
        kind="TYPE",
        organ="SITE",
        diameter="SIZE",
        unit="UNIT",
        baseline="bl",
    )
    table = read_lesions(path, names)
    assert not aside(table)
    assert table.frame.select("day", "lesion", "kind", "organ", "node", "diameter_mm", "status").rows() == [
        (0, "1", "target", "Lung", False, 30, "present"),
        (56, "1", "target", "Lung", False, 12.5, "present"),
        (56, "2", "new", "Lymph node", True, None, "present"),
    ]


@pytest.mark.parametrize(
    ("unit", "column", "factor"), [("mm", "size", 1), ("cm", "size", 10), ("", "size_cm", 10), ("", "size (mm)", 1)]
)
def test_the_unit_is_stated_by_option_or_column_name(tmp_path, unit, column, factor):
    path = write(tmp_path, "A,Baseline,0,T,target,3", header=f"subject,visit,day,lesion,kind,{column}")
    table = read_lesions(path, LesionColumns(diameter=column, unit=unit))
    assert table.frame["diameter_mm"].to_list() == [3 * factor]


def test_a_unit_that_is_stated_nowhere_is_never_guessed(tmp_path):
    path = write(tmp_path, "A,Baseline,0,T,target,3", header="subject,visit,day,lesion,kind,size")
    with pytest.raises(TableError, match=r"no unit for the column 'size'.*not guessed"):
        read_lesions(path, LesionColumns(diameter="size"))
    with pytest.raises(TableError, match="no column 'inch'"):
        read_lesions(path, LesionColumns(diameter="size", unit="inch"))


BASE = ["A,Baseline,0,T1,target,lung,no,30,", "A,V1,56,T1,target,lung,no,20,"]
BAD = [
    # replaced or added lines, file row, words of what was got
    (BASE[0], "A,V1,56,T1,target,lung,no,-3,", 3, "diameter -3 mm"),
    (BASE[0], "A,V1,56,T1,target,lung,no,12 x 8,", 3, "diameter '12 x 8'"),
    (BASE[0], "A,V1,56,T1,target,lung,no,2000,", 3, "diameter 2000 mm"),
    (BASE[0], "A,V1,56,T1,target,lung,no,1e999,", 3, "diameter '1e999'"),
    (BASE[0], "A,V1,56,T1,target,lung,no,7,absent", 3, "status 'absent' beside a diameter of 7 mm"),
    (BASE[0], "A,V1,56,T1,target,lung,no,7,NE", 3, "status 'ne' beside a diameter of 7 mm"),
    (BASE[0], "A,V1,56,T1,target,lung,no,,progression", 3, "status 'progression' of a target lesion"),
    (BASE[0], "A,V1,56,T1,target,lung,no,,smaller", 3, "status 'smaller'"),
    (BASE[0], "A,V1,56,T1,index,lung,no,20,", 3, "kind 'index'"),
    (BASE[0], "A,V1,56,T1,non-target,lung,no,,present", 2, "a lesion whose kind changes"),
    (BASE[0], "A,V1,56,T1,target,liver,no,20,", 2, "a lesion whose organ changes"),
    (BASE[0], "A,V1,56,T1,target,lung,yes,20,", 2, "a lesion whose node or not changes"),
    (BASE[0], "A,V1,56,T1,target,lung,maybe,20,", 3, "node 'maybe'"),
    (*BASE, "A,V1,56,T1,target,lung,no,21,", 3, "the same lesion twice at one visit"),
    (*BASE, "A,V1,56,T2,target,lung,no,21,", 4, "a target lesion without baseline"),
    (*BASE, "A,V1,56,N,non-target,lung,no,,present", 4, "a non-target lesion without baseline"),
    (*BASE, "A,Baseline,0,X,new,lung,no,9,", 4, "a new lesion at baseline"),
    (*BASE, "A,Baseline,0,T2,target,lung,no,0,", 4, "a target without a size at baseline"),
    (*BASE, "A,Baseline,0,T2,target,lung,no,,NE", 4, "a target without a size at baseline"),
    (*BASE, "A,Baseline,0,N,non-target,lung,no,,absent", 4, "a non-target that is 'absent' at baseline"),
    (*BASE, "A,V1,56,X,new,lung,no,,", 4, "a new lesion with neither status nor size"),
    (*BASE, "A,V1,,X,new,lung,no,9,", 4, "an empty day"),
    (*BASE, "A,V2,soon,X,new,lung,no,9,", 4, "day 'soon'"),
    (*BASE, "A,,84,X,new,lung,no,9,", 4, "an empty visit label"),
    (*BASE, "A,V2,84,,new,lung,no,9,", 4, "an empty lesion label"),
    (*BASE, "A,V0,-7,T1,target,lung,no,31,", 4, "a visit 7 days before baseline"),
    (*BASE, "A,Baseline,3,T2,target,lung,no,31,", 2, "two baselines"),
    (*BASE, "A,V1,63,X,new,lung,no,9,", 3, "visit 'V1' with days that differ by 7"),
    (*BASE, "A,V2,56,X,new,lung,no,9,", 3, "two visits on the same day"),
    (*BASE, "A,V2,2020-05-01,X,new,lung,no,9,", 2, "dates and numbers of days"),
    ("A,V1,56,T1,target,lung,no,20,", "A,V2,70,T1,target,lung,no,20,", 2, "no baseline visit"),
    ("A,Baseline,2020-13-40,T1,target,lung,no,30,", 2, "day '2020-13-40'"),
]


@pytest.mark.parametrize("case", BAD, ids=lambda case: case[-1])
def test_a_contradictory_subject_is_set_aside_with_its_place_and_the_others_go_on(tmp_path, case):
    *lines, row, words = case
    others = ["B,Baseline,0,T1,target,lung,no,30,", "B,V1,56,T1,target,lung,no,25,"]
    table = read_lesions(write(tmp_path, *lines, *others))
    (problem,) = aside(table)
    assert problem.got.startswith(words), problem.got
    assert problem.where == f"lesions.csv, row {row}"
    assert problem.stage == "response"
    assert problem.subject == "A"
    assert "lesion" in problem.item
    assert "visit" in problem.item
    assert problem.allowed
    assert problem.todo
    assert set(table.frame["subject"]) == {"B"}
    assert table.subjects == ("A", "B")


def test_mixed_and_unknown_units_set_the_subject_aside(tmp_path):
    header = "subject,visit,day,lesion,kind,size,unit"
    path = write(
        tmp_path,
        "A,Baseline,0,T,target,30,mm",
        "A,V1,56,T,target,2.5,cm",
        "B,Baseline,0,T,target,3,cm",
        "C,Baseline,0,T,target,3,in",
        "D,Baseline,0,T,target,3,",
        header=header,
    )
    table = read_lesions(path, LesionColumns(diameter="size", unit="unit"))
    assert {p.subject: p.got for p in aside(table)} == {"A": "mixed units; here mm", "C": "unit 'in'", "D": "unit ''"}
    assert table.frame.select("subject", "diameter_mm").rows() == [("B", 30)]


def test_a_column_named_diameter_is_read_once_its_unit_is_stated(tmp_path):
    rows = ("A,Baseline,0,T,target,3,8", "A,V1,56,T,target,2.5,4")
    path = write(tmp_path, *rows, header="subject,visit,day,lesion,kind,diameter,uptake")
    with pytest.raises(TableError, match="no unit for the column 'diameter'"):
        read_lesions(path)
    assert read_lesions(path, LesionColumns(unit="cm")).frame["diameter_mm"].to_list() == [30.0, 25.0]
    beside = write(tmp_path, "A,Baseline,0,T,target,3,30", header="subject,visit,day,lesion,kind,diameter,diameter_mm")
    assert read_lesions(beside).frame["diameter_mm"].to_list() == [30.0]


def test_a_second_column_in_another_unit_is_never_passed_over(tmp_path):
    header = "subject,visit,day,lesion,kind,diameter_mm,diameter_cm"
    path = write(
        tmp_path,
        "A,Baseline,0,T,target,30,",
        "A,V1,56,T,target,,4.5",
        "B,Baseline,0,T,target,30,3.0",
        "C,Baseline,0,T,target,30,30",
        header=header,
    )
    table = read_lesions(path)
    problem, copied = aside(table)
    assert (copied.subject, copied.got) == ("C", "mixed units; here '30' in 'diameter_cm'")
    assert (problem.subject, problem.got) == ("A", "mixed units; here '4.5' in 'diameter_cm'")
    assert table.frame.select("subject", "diameter_mm").rows() == [("B", 30)]


@pytest.mark.parametrize(("named", "column"), [("diameter_mm", "diameter_cm"), ("size [mm]", "size [cm]")])
def test_a_column_in_centimetres_is_taken_for_the_one_in_millimetres(tmp_path, named, column):
    path = write(tmp_path, "A,Baseline,0,T,target,3.25", header=f"subject,visit,day,lesion,kind,{column}")
    assert read_lesions(path, LesionColumns(diameter=named)).frame["diameter_mm"].to_list() == [32.5]


def test_a_window_lets_one_visit_take_several_days(tmp_path):
    lines = [*BASE, "A,V1,58,X,new,brain,no,9,"]
    table = read_lesions(write(tmp_path, *lines), LesionColumns(visit_window_days=3))
    assert not aside(table)
    assert table.frame["day"].unique().sort().to_list() == [0, 56]


def test_days_are_counted_from_the_baseline_and_it_is_said(tmp_path):
    table = read_lesions(write(tmp_path, BASE[0].replace(",0,", ",-14,"), BASE[1]))
    assert table.frame["day"].to_list() == [0, 70]
    (note,) = [p for p in table.problems if "baseline not at day 0" in p.got]
    assert (note.severity, note.count) == ("note", 1)


def test_a_visit_at_day_0_is_the_baseline_where_no_label_says_so(tmp_path):
    table = read_lesions(write(tmp_path, *(line.replace("Baseline", "C1D1") for line in BASE)))
    assert table.frame["day"].to_list() == [0, 56]


def test_an_organ_is_given_once_and_nodes_are_seen_by_their_organ(tmp_path):
    path = write(
        tmp_path,
        "A,Baseline,0,T,target,Lymph node axilla,18",
        "A,V1,56,T,target,,9",
        header="subject,visit,day,lesion,kind,organ,diameter_mm",
    )
    frame = read_lesions(path).frame
    assert frame["organ"].to_list() == ["Lymph node axilla"] * 2
    assert frame["node"].to_list() == [True, True]


def test_non_target_sizes_say_present_or_absent(tmp_path):
    path = write(
        tmp_path,
        "A,Baseline,0,N,non-target,bone,no,8,",
        "A,Baseline,0,L,non-target,neck,yes,12,",
        "A,V1,56,N,non-target,bone,no,0,measured",
        "A,V1,56,L,non-target,neck,yes,9.9,measured",
    )
    assert read_lesions(path).frame["status"].to_list() == ["present", "present", "absent", "absent"]


def test_rows_without_a_subject_are_left_out_and_said(tmp_path):
    table = read_lesions(write(tmp_path, BASE[0], ",V1,56,T1,target,lung,no,20,", BASE[1]))
    assert table.frame.height == 2
    assert any("1 rows without a subject" in p.got and p.severity == "note" for p in table.problems)


def test_a_missing_column_is_named(tmp_path):
    with pytest.raises(
        TableError, match="no column 'lesion', 'kind', 'diameter_mm'; allowed: 'subject', 'visit', 'day'"
    ):
        read_lesions(write(tmp_path, "A,Baseline,0", header="subject,visit,day"))


@pytest.mark.parametrize(
    ("options", "words"),
    [({"visit_window_days": -1}, "at least 0"), ({"largest_mm": 0}, "above 0"), ({"lesion": "kind"}, "two things")],
)
def test_impossible_column_names_are_refused(options, words):
    with pytest.raises(ConfigError, match=words):
        LesionColumns(**options)


WIDE = HEADER + ",reader,part,axis"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            ["A,Baseline,0,T1,target,lung,no,30,,R1,,", "A,V1,56,T1,target,lung,no,20,,R2,,"],
            "several readers, here 'R1'",
        ),
        (
            ["A,Baseline,0,T1,target,lung,no,30,,,,", "A,Baseline,0,N,target,neck,yes,22,,,,long"],
            "a lymph node measured",
        ),
        (["A,Baseline,0,T1,target,lung,no,30,,,,across"], "axis 'across'"),
        (
            ["A,Baseline,0,T1,target,lung,no,30,,,a,", "A,Baseline,0,T1,target,lung,no,20,,,a,"],
            "the same part twice at one visit, 'a'",
        ),
    ],
)
def test_readers_axes_and_parts_that_cannot_be_are_set_aside(tmp_path, lines, words):
    (problem,) = aside(read_lesions(write(tmp_path, *lines, header=WIDE)))
    assert problem.got.startswith(words)
    assert problem.subject == "A"
    assert problem.item.startswith("lesion ")
    assert "visit Baseline" in problem.item
    assert problem.where.startswith("lesions.csv, row ")


def test_one_reader_can_be_kept(tmp_path):
    lines = ["A,Baseline,0,T,target,lung,no,30,,R1,,", "A,Baseline,0,T,target,lung,no,34,,R2,,"]
    table = read_lesions(write(tmp_path, *lines, header=WIDE), LesionColumns(keep_reader="R2"))
    assert table.frame["diameter_mm"].to_list() == [34]
    assert [p.got for p in table.problems if "readers" in p.got] == ["1 rows of readers other than 'R2' left out"]


def test_the_parts_of_a_split_lesion_are_added(tmp_path):
    lines = [
        "A,Baseline,0,T,target,lung,no,30,,,,",
        "A,V1,56,T,target,lung,no,14,,,a,",
        "A,V1,56,T,target,lung,no,,too small,,b,",
        "A,V2,112,T,target,lung,no,12,,,a,",
        "A,V2,112,T,target,lung,no,,NE,,b,",
    ]
    frame = read_lesions(write(tmp_path, *lines, header=WIDE)).frame
    assert frame.select("visit", "diameter_mm", "status").rows() == [
        ("Baseline", 30, "present"),
        ("V1", 19, "present"),  # 14 and the default of 5 mm
        ("V2", None, "NE"),
    ]


def test_measurements_of_lesions_visits_and_subjects(tmp_path):
    path = write(
        tmp_path,
        "A,Baseline,2020-01-01,T,target,9.5,2.1,,2020-03-01,-40",
        "A,V1,2020-02-26,T,target,4,2.2,4,,35.5",
        "A,V1,2020-02-26,X,new,3,,,,",
        header="subject,visit,day,lesion,kind,uptake,liver,deauville,death_day,density_hu",
    )
    table = read_lesions(path, LesionColumns(measures={"liver_mean": "liver"}))
    assert not aside(table)
    extra = table.frame.select(
        "lesion", "uptake", "liver_mean", "deauville", "death_day", "density_hu", "status"
    ).rows()
    assert extra == [
        ("T", 9.5, 2.1, None, 60, -40, "present"),
        ("T", 4, 2.2, "4", 60, 35.5, "present"),
        ("X", 3, 2.2, "4", 60, None, "present"),
    ]
    assert table.frame.schema["deauville"] == pl.String


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("uptake", ("-1", "2"), "uptake '-1'"),
        ("uptake", ("much", "2"), "uptake 'much'"),
        ("deauville", ("6", ""), "deauville '6'"),
        ("liver_mean", ("2", "3"), None),
        ("clinical", ("fine", ""), "clinical 'fine'"),
        ("death_day", ("-3", ""), "death_day '-3'"),
        ("death_day", ("80", "90"), "two values of death_day at one subject"),
        ("death_day", ("40", ""), "a visit 16 days after death"),
        ("density_hu", ("5000", ""), "density_hu '5000'"),
    ],
)
def test_impossible_measurements_set_the_subject_aside(tmp_path, column, values, words):
    lines = [f"A,Baseline,0,T,target,20,{values[0]}", f"A,V1,56,T,target,20,{values[1]}"]
    table = read_lesions(write(tmp_path, *lines, header=f"subject,visit,day,lesion,kind,diameter_mm,{column}"))
    assert [p.got[: len(words or "")] for p in aside(table)] == ([words] if words else [])


def test_two_values_of_one_visit_are_refused(tmp_path):
    lines = ["A,Baseline,0,T,target,20,2.0", "A,Baseline,0,U,target,20,2.1"]
    table = read_lesions(write(tmp_path, *lines, header="subject,visit,day,lesion,kind,diameter_mm,liver_mean"))
    assert aside(table)[0].got.startswith("two values of liver_mean at one visit")


def test_every_measurement_says_what_it_is():
    assert all(m.meaning and (m.words or m.event or m.most) for m in MEASURES.values())
    with pytest.raises(ConfigError, match="unknown measurement 'uptak'"):
        LesionColumns(measures={"uptak": "SUV"})
