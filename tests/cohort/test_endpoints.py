"""Endpoints: derived as told, and a reason for every subject without one."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from radiolocus.cohort import CohortOptions, EndpointOptions, SourceTable, build
from radiolocus.errors import ConfigError
from radiolocus.read.clinical import read_table
from radiolocus.schema import conform


def _cohort(columns, **endpoints):
    n = len(next(iter(columns.values())))
    frame = pl.DataFrame({"id": [f"S{i}" for i in range(n)], **columns}, strict=False)
    return build([SourceTable("t.csv", frame, range(2, n + 2))], CohortOptions(id="id", endpoints=endpoints))


def _problems(cohort, severity="set aside"):
    return [(p.subject, p.where, p.got) for p in cohort.problems if p.severity == severity]


def test_event_values_and_times():
    cohort = _cohort(
        {"status": ["D", "NED", None, "D", "AWD"], "t": [10, 20, 30, 0, 5.5]},
        os=EndpointOptions("survival", "status", ("D",), time="t", unit="days"),
    )
    (endpoint,) = cohort.endpoints
    np.testing.assert_array_equal(endpoint.event, [1, 0, np.nan, 1, 0])
    np.testing.assert_array_equal(endpoint.time, [10, 20, np.nan, 0, 5.5])
    assert (endpoint.name, endpoint.kind, endpoint.unit, endpoint.subject) == (
        "os",
        "survival",
        "days",
        cohort.subjects,
    )
    assert _problems(cohort) == [("S2", "t.csv, row 4, column 'status'", "no event status")]
    assert _problems(cohort, "note") == [
        (None, "cohort.endpoints.os", "column 'status': event 'D' 2; no event 'AWD' 1, 'NED' 1")
    ]
    frame = conform(cohort.endpoint_frame(), "cohort/endpoints")
    assert frame.select("subject", "endpoint", "kind", "time", "event", "unit").rows()[:3] == [
        ("S0", "os", "survival", 10.0, 1, "days"),
        ("S1", "os", "survival", 20.0, 0, "days"),
        ("S2", "os", "survival", None, None, "days"),
    ]


def test_censor_time_counts_only_for_those_without_the_event():
    cohort = _cohort(
        {"e": [1, 0, 1, 0], "t": [3, 4, None, None], "last": [9, 8, 7, 6]},
        free=EndpointOptions("survival", "e", time="t", censor_time="last"),
    )
    np.testing.assert_array_equal(cohort.endpoints[0].time, [3, 8, np.nan, 6])
    np.testing.assert_array_equal(cohort.endpoints[0].event, [1, 0, np.nan, 0])
    assert _problems(cohort) == [("S2", "t.csv, row 4, column 't'", "no time for the event")]


def test_negative_and_text_times_set_the_subject_aside_only_there():
    cohort = _cohort(
        {"e": [1, 0, 1, 0], "t": ["-3", "4", "soon", "7"]},
        os=EndpointOptions("survival", "e", time="t"),
        died=EndpointOptions("binary", "e"),
    )
    np.testing.assert_array_equal(cohort.endpoints[0].time, [np.nan, 4, np.nan, 7])
    np.testing.assert_array_equal(cohort.endpoints[1].event, [1, 0, 1, 0])
    assert cohort.endpoints[1].time is None
    assert _problems(cohort)[:2] == [
        ("S0", "t.csv, row 2, column 't'", "time -3 for the event"),
        ("S2", "t.csv, row 4, column 't'", "time 'soon', a text for the event"),
    ]
    with pytest.raises(ConfigError, match=r"cohort.endpoints.os: column 't' holds no number.*dates"):
        _cohort({"e": [1, 0], "t": ["a", "b"]}, os=EndpointOptions("survival", "e", time="t"))


@pytest.mark.parametrize(("cells", "what"), [([0, 0], "no events among 2"), ([1, 1], "only events among 2")])
def test_endpoints_that_teach_nothing(cells, what):
    cohort = _cohort({"e": cells}, dead=EndpointOptions("binary", "e"))
    assert _problems(cohort) == [
        (None, "cohort.endpoints.dead", f"{what} subjects; nothing can be learned about this endpoint")
    ]


def test_a_column_without_any_status_is_one_problem():
    cohort = _cohort({"e": [None, None], "x": [1, 2]}, dead=EndpointOptions("binary", "e"))
    assert np.isnan(cohort.endpoints[0].event).all()
    assert _problems(cohort) == [
        (None, "cohort.endpoints.dead", "no subject is known; nothing can be learned about this endpoint")
    ]


def test_values_compare_as_a_person_reads_them():
    cohort = _cohort(
        {"a": [1.0, 0.0], "b": ["1", "0"], "c": [True, False], "d": [1, 0]},
        a=EndpointOptions("binary", "a", (1,)),
        b=EndpointOptions("binary", "b", (1.0,)),
        c=EndpointOptions("binary", "c", (True,)),
        d=EndpointOptions("binary", "d", ("1",)),
    )
    for endpoint in cohort.endpoints:
        np.testing.assert_array_equal(endpoint.event, [1, 0])


def test_censor_values_leave_the_rest_unknown_and_typos_are_said():
    cohort = _cohort(
        {"s": ["Dead", "Alive", "Lost"]}, dead=EndpointOptions("binary", "s", ("Dead", "dead"), ("Alive",))
    )
    np.testing.assert_array_equal(cohort.endpoints[0].event, [1, 0, np.nan])
    assert _problems(cohort) == [("S2", "t.csv, row 4, column 's'", "event status 'Lost'")]
    typo = next(p for p in cohort.problems if "no cell" in p.got)
    assert (typo.got, typo.todo) == ("no cell of column 's' is 'dead'", "did you mean 'Dead'?")


def test_a_subject_absent_from_the_table_is_named_too():
    a = SourceTable("a.csv", pl.DataFrame({"id": ["A", "B", "C"]}), (2, 3, 4))
    b = SourceTable("b.csv", pl.DataFrame({"id": ["A", "B"], "e": [1, 0]}), (2, 3))
    cohort = build([a, b], CohortOptions(id="id", endpoints={"x": EndpointOptions("binary", "e")}))
    assert _problems(cohort) == [("C", "b.csv, column 'e' (no row of this subject)", "no event status")]


def test_unknown_columns_and_contradictions():
    with pytest.raises(ConfigError, match=r"cohort.endpoints.os.time: no column 'tmie'.*did you mean 'time'"):
        _cohort({"e": [1], "time": [2]}, os=EndpointOptions("survival", "e", time="tmie"))
    for wrong, got in (
        ({"kind": "survival", "event": "e"}, "without a time"),
        ({"kind": "binary", "event": "e", "time": "t"}, "a binary endpoint with a time"),
        ({"kind": "counting", "event": "e"}, "allowed: survival, binary"),
        ({"kind": "binary", "event": "e", "event_values": ()}, "event_values is empty"),
        ({"kind": "binary", "event": "e", "event_values": (1,), "censor_values": ("1",)}, "both event and no event"),
    ):
        with pytest.raises(ConfigError, match=got):
            EndpointOptions(**wrong)


def test_a_column_of_ones_and_twos_is_refused_unless_the_event_is_named():
    with pytest.raises(ConfigError, match=r"cohort.endpoints.os.*coded 1 and 2 \(2 and 1 subjects\).*event_values"):
        _cohort({"s": [1, 2, 1]}, os=EndpointOptions("binary", "s"))
    named = _cohort(
        {"s": [1, 2, 1, 2]}, os=EndpointOptions("binary", "s", (2,)), other=EndpointOptions("binary", "s", (1,))
    )
    np.testing.assert_array_equal(named.endpoints[0].event, [0, 1, 0, 1])
    np.testing.assert_array_equal(named.endpoints[1].event, [1, 0, 1, 0])


def test_competing_events_have_a_state_each():
    cohort = _cohort(
        {"what": ["relapse", "dead", "none", "toxic", None], "t": [1, 2, 3, 4, 5]},
        first=EndpointOptions("competing", "what", ("relapse",), competing_values=("dead", "toxic"), time="t"),
    )
    (endpoint,) = cohort.endpoints
    assert endpoint.levels == ("relapse", "dead", "toxic")
    np.testing.assert_array_equal(endpoint.state, [1, 2, 0, 3, np.nan])
    np.testing.assert_array_equal(endpoint.event, [1, 0, 0, 0, np.nan])
    frame = conform(cohort.endpoint_frame(), "cohort/endpoints")
    assert frame["label"].to_list() == ["relapse", "dead", None, "toxic", None]
    assert "event 'relapse' 1; no event 'none' 1; competing 'dead' 1, 'toxic' 1" in _problems(cohort, "note")[0][2]
    with pytest.raises(ConfigError, match=r"competing_values = \[\] of a competing"):
        EndpointOptions("competing", "what", ("relapse",), time="t")


def test_classes_in_an_order_and_without_one():
    cohort = _cohort(
        {"grade": ["low", "high", "mid", "worst", None], "type": ["b", "a", "c", "a", "b"]},
        grade=EndpointOptions("ordinal", "grade", levels=("low", "mid", "high")),
        type=EndpointOptions("multiclass", "type"),
        lacking=EndpointOptions("ordinal", "grade", levels=("low", "hihg")),
    )
    grade, kind, _ = cohort.endpoints
    np.testing.assert_array_equal(grade.event, [0, 2, 1, np.nan, np.nan])
    np.testing.assert_array_equal(kind.event, [1, 0, 2, 0, 1])
    assert kind.levels == ("a", "b", "c")
    aside = _problems(cohort)
    assert ("S3", "t.csv, row 5, column 'grade'", "class 'worst'") in aside
    typo = next(p for p in cohort.problems if "hihg" in p.got and p.item == "lacking" and p.severity == "set aside")
    assert typo.todo == "did you mean 'high'?"
    with pytest.raises(ConfigError, match="two classes or more"):
        EndpointOptions("ordinal", "grade")


def test_entry_strata_and_weights_set_aside_whoever_lacks_them():
    cohort = _cohort(
        {
            "e": [1, 0, 1, 0, 1, 1],
            "t": [5, 6, 7, 8, 9, 4],
            "in": [0, 6, 1, None, 2, 1],
            "site": ["a", "b", None, "a", "b", "b"],
            "w": [1, 1, 1, 1, 0, 2.5],
        },
        os=EndpointOptions("survival", "e", time="t", entry="in", strata="site", weights="w"),
    )
    (endpoint,) = cohort.endpoints
    np.testing.assert_array_equal(endpoint.event, [1, np.nan, np.nan, np.nan, np.nan, 1])
    np.testing.assert_array_equal(endpoint.entry, [0, np.nan, np.nan, np.nan, np.nan, 1])
    assert [p[2] for p in _problems(cohort)][:4] == [
        "no entry",
        "entry at 6, not before the end of observation at 6",
        "weight 0",
        "no stratum",
    ]


def test_sarcoma_endpoints(data):
    path, last = data("sts/INFOclinical_STS.xlsx"), "Time – diagnosis to last follow-up (days)"
    tables = [read_table(path, sheet=s, id_column="Patient ID") for s in ("Clinical Information", "Outcome vector")]
    options = CohortOptions(
        id="Patient ID",
        endpoints={
            "survival": EndpointOptions("survival", "Status (NED, AWD, D)", ("D",), time=last, unit="days"),
            "free": EndpointOptions(
                "survival", "LungMets", time="Time – diagnosis to outcome (days)", censor_time=last, unit="days"
            ),
            "metastasis": EndpointOptions("binary", "LungMets"),
        },
    )
    cohort = build([SourceTable(t.source, t.frame, t.row_number) for t in tables], options)
    assert len(cohort.subjects) == 51
    assert [int(e.event.sum()) for e in cohort.endpoints] == [15, 19, 19]
    assert all(np.isfinite(e.time).all() for e in cohort.endpoints[:2])
    assert cohort.endpoints[0].time[0] == 845
    assert not [p for p in cohort.problems if p.severity != "note"]


def test_laml_annotation(data):
    table = read_table(data("omics/tcga_laml_annot.tsv"), id_column="Tumor_Sample_Barcode")
    options = CohortOptions(
        id="Tumor_Sample_Barcode",
        endpoints={"os": EndpointOptions("survival", "Overall_Survival_Status", time="days_to_last_followup")},
    )
    cohort = build([SourceTable(table.source, table.frame, table.row_number)], options)
    raw = table.frame
    known = (raw["days_to_last_followup"] >= 0).fill_null(False) & raw["Overall_Survival_Status"].is_not_null()
    assert np.isfinite(cohort.endpoints[0].time).sum() == known.sum()


def test_a_status_that_differs_by_case_alone_is_not_taken_for_no_event():
    cohort = _cohort(
        {"status": ["dead", "DEAD", "alive", "Dead "], "t": [1, 2, 3, 4]},
        os=EndpointOptions("survival", "status", ("dead",), time="t"),
    )
    np.testing.assert_array_equal(cohort.endpoints[0].event, [1, np.nan, 0, np.nan])
    assert [got for _, _, got in _problems(cohort)] == [
        "event status 'DEAD', which differs from 'dead' by case",
        "event status 'Dead', which differs from 'dead' by case",
    ]
    named = EndpointOptions("survival", "status", ("dead", "DEAD", "Dead"), time="t")
    assert _problems(_cohort({"status": ["dead", "DEAD", "alive", "Dead "], "t": [1, 2, 3, 4]}, os=named)) == []
