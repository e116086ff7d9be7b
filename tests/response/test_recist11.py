"""RECIST 1.1, rule by rule. Sections and tables are those of Eisenhauer et al., Eur J Cancer 2009;45:228."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naive import recist as naive
from radiolocus.errors import ConfigError, TableError
from radiolocus.kernels import recist as kernels
from radiolocus.read.lesions import LESION_COLUMNS
from radiolocus.response.assess import assess
from radiolocus.response.recist11 import Recist11Options, baseline_remarks, best_response, recist11, time_points
from radiolocus.schema import TABLES


def calls(table, column="overall_response", **options):
    frame = time_points(table, Recist11Options(**options))
    return frame.filter(pl.col("day") > 0)[column].to_list()


def best(table, **options):
    return recist11(table, Recist11Options(**options)).best.row(0, named=True)


# --- target lesions (section 4.3.1) ---


@pytest.mark.parametrize(
    ("sums", "expected", "rule"),
    [
        ([100, 70], ["PR"], "PR: at least 30 % below baseline, inclusive"),
        ([100, 70.01], ["SD"], "not quite 30 %"),
        ([100, 120], ["PD"], "PD: at least 20 % above the nadir, which may be the baseline"),
        ([100, 119.9], ["SD"], "not quite 20 %"),
        ([20, 24], ["SD"], "20 % but only 4 mm: PD also needs 5 mm"),
        ([20, 25], ["PD"], "25 % and exactly 5 mm"),
        ([100, 40, 50], ["PR", "PD"], "PD from the nadir wins over PR from baseline"),
        ([100, 80, 60, 71, 72], ["SD", "PR", "SD", "PD"], "the nadir is the smallest of all earlier sums"),
        ([100, 0], ["CR"], "CR: all targets gone"),
        ([100, 3], ["PR"], "a size below 5 mm is used as measured"),
        ([100, "too small"], ["PR"], "too small to measure counts 5 mm"),
        ([6, "too small"], ["SD"], "5 of 6 mm is −17 %: the default is not 0"),
        ([100, None], ["NE"], "not evaluated"),
        ([100, 60, None, 66, 72], ["PR", "NE", "PR", "PD"], "the nadir looks past a visit that was not evaluated"),
        ([165, 63, 65], ["PR", "PR"], "recist.eortc.org, The definition of SD: 65 mm is a continued PR"),
        ([0.1 + 0.2, 0.3 * 0.7], ["PR"], "rounding of floats does not decide"),
    ],
)
def test_target_response(sums_table, sums, expected, rule):
    table = sums_table({56 * k: value for k, value in enumerate(sums)})
    assert calls(table) == expected, rule
    assert calls(table, "target_response") == expected, rule
    assert calls(table, "nontarget_response") == ["none"] * len(expected)


def test_sums_changes_and_reasons_are_told(sums_table):
    frame = time_points(sums_table({0: 80, 56: 50, 112: 62, 168: None}))
    assert frame.columns == list(TABLES["response/timepoints"].schema)
    assert frame["sum_mm"].to_list() == [80, 50, 62, None]
    assert frame["nadir_mm"].to_list() == [None, 80, 50, 50]
    assert frame["change_from_baseline"].to_list() == pytest.approx([0, -37.5, -22.5, None])
    assert frame["change_from_nadir"].to_list() == pytest.approx([None, -37.5, 24, None])
    assert frame["reason"].to_list() == [
        "baseline: 1 target followed, sum 80 mm",
        "sum 50 mm is −37.5 % from the baseline 80 mm: PR → PR",
        "sum 62 mm is +24 % and +12 mm from the nadir 50 mm: PD → PD",
        "1 of 1 target not evaluated: NE → NE",
    ]
    assert frame.filter(pl.col("day") == 0)["overall_response"].to_list() == [None]


def test_stable_disease_says_which_half_of_the_rule_failed(sums_table):
    reasons = calls(sums_table({0: 20, 56: 15, 112: 19}), "reason")
    assert reasons[0] == "sum 15 mm is −25 % and −5 mm from the baseline 20 mm, so far the nadir: SD → SD"
    assert reasons[1] == "sum 19 mm is −5 % from the baseline 20 mm, +26.67 % and +4 mm from the nadir 15 mm: SD → SD"


def test_nodes_are_measured_by_their_short_axis_and_normal_below_10_mm(lesion_rows, lesion_table):
    # Section 4.3.2: nodal targets need not vanish for CR, so the sum of a CR need not be 0.
    base = [lesion_rows(day=0, T=30), lesion_rows(day=0, node=True, N=20)]
    table = lesion_table(*base, lesion_rows(day=56, T=0), lesion_rows(day=56, node=True, N=9.9))
    assert calls(table) == ["CR"]
    assert calls(table, "sum_mm") == [9.9]
    assert "nodal targets below 10 mm" in calls(table, "reason")[0]
    at_ten = lesion_table(*base, lesion_rows(day=56, T=0), lesion_rows(day=56, node=True, N=10))
    assert calls(at_ten) == ["PR"]


def test_nodes_that_stay_normal_are_cr_although_their_sum_grows_by_a_fifth_and_5_mm(lesion_rows, lesion_table):
    parts = [lesion_rows(day=d, node=True, N=n) for d, n in ((0, 16), (56, 4), (112, 9.5))]
    assert calls(lesion_table(*parts)) == ["CR", "CR"]


def test_a_missing_target_is_ne_unless_the_rest_proves_progression(lesion_rows, lesion_table):
    # Section 4.4.2: baseline 50 mm in three lesions, later two of them sum 80 mm: PD.
    base = lesion_rows(day=0, A=20, B=20, C=10)
    proves = lesion_table(base, lesion_rows(day=56, A=40, B=40))
    assert calls(proves) == ["PD"]
    assert calls(proves, "sum_mm") == [None]
    assert calls(proves, "reason") == [
        "1 of 3 targets not evaluated, yet the measured rest alone proves it: "
        "sum 80 mm is +60 % and +30 mm from the nadir 50 mm: PD → PD"
    ]
    assert calls(lesion_table(base, lesion_rows(day=56, A=25, B=30))) == ["NE"]
    gone_rest = lesion_table(base, lesion_rows(day=56, A="absent", B="absent", C=None))
    assert calls(gone_rest) == ["NE"]


def test_merged_lesions_count_once(lesion_rows, lesion_table):
    table = lesion_table(lesion_rows(day=0, A=20, B=20), lesion_rows(day=56, A=38, B="merged"))
    assert calls(table) == ["SD"]
    assert calls(table, "sum_mm") == [38]


# --- nadir 0 and disease seen again (table 3 note a, appendix II) ---


@pytest.mark.parametrize(
    ("size", "reappearance", "expected"), [(6, False, "PD"), (3, False, "PR"), (6, True, "PD"), (3, True, "PD")]
)
def test_after_a_nadir_of_zero(sums_table, size, reappearance, expected):
    table = sums_table({0: 50, 56: 0, 112: size})
    assert calls(table, reappearance=reappearance) == ["CR", expected]
    assert calls(table, "change_from_nadir") == [-100, None]


def test_a_nodal_target_is_seen_again_from_10_mm_on(lesion_rows, lesion_table):
    # recist.eortc.org, Abnormal lymph node: a node below 10 mm is benign and has not reappeared.
    def history(last):
        return lesion_table(*(lesion_rows(day=d, node=True, N=n) for d, n in ((0, 20), (56, 9), (112, last))))

    assert calls(history(9.9)) == ["CR", "CR"]
    assert calls(history(10)) == ["CR", "PD"]
    assert calls(history(10), reappearance=False) == ["CR", "PR"]


def test_reappearance_says_so(sums_table):
    small, large = (calls(sums_table({0: 50, 56: 0, 112: s}), "reason")[1] for s in (3, 6))
    assert small == "sum 3 mm: a target is seen again after complete response: PD → PD"
    assert large == "sum 6 mm after a nadir of 0 mm: PD → PD"


def test_a_target_that_vanished_and_returns_during_a_partial_response_is_added_to_the_sum(lesion_rows, lesion_table):
    # Appendix II: only after CR is a reappearance PD by itself.
    table = lesion_table(
        lesion_rows(day=0, A=30, B=30), lesion_rows(day=56, A=0, B=20), lesion_rows(day=112, A=3, B=20)
    )
    assert calls(table) == ["PR", "PR"]


def test_a_non_target_seen_again_after_complete_response_is_pd(lesion_rows, lesion_table):
    states = {0: "present", 56: "absent", 112: "present"}
    table = lesion_table(
        *(lesion_rows(day=d, T=t) for d, t in ((0, 30), (56, 0), (112, 0))),
        *(lesion_rows(day=d, kind="non-target", N=s) for d, s in states.items()),
    )
    assert calls(table) == ["CR", "PD"]
    assert "a non-target is seen again after complete response" in calls(table, "reason")[1]
    assert calls(table, reappearance=False) == ["CR", "PR"]


# --- time-point response (tables 1 and 2) ---

TARGET = {"none": {}, "CR": {"T": 0}, "PR": {"T": 60}, "SD": {"T": 90}, "PD": {"T": 130}, "NE": {"T": None}}
OTHER = {
    "none": {},
    "CR": {"N": "absent", "M": "absent"},
    "NON-CR/NON-PD": {"N": "present", "M": "absent"},
    "NE": {"N": "present", "M": None},
    "PD": {"N": "progression", "M": None},
}
TABLE_1 = [
    ("CR", "CR", False, "CR"),
    ("CR", "none", False, "CR"),
    ("CR", "NON-CR/NON-PD", False, "PR"),
    ("CR", "NE", False, "PR"),
    *(("PR", other, False, "PR") for other in ("none", "CR", "NON-CR/NON-PD", "NE")),
    *(("SD", other, False, "SD") for other in ("none", "CR", "NON-CR/NON-PD", "NE")),
    *(("NE", other, False, "NE") for other in ("none", "CR", "NON-CR/NON-PD", "NE")),
    *(("PD", other, new, "PD") for other in OTHER for new in (False, True)),
    *((target, "PD", new, "PD") for target in TARGET for new in (False, True)),
    *((target, other, True, "PD") for target in TARGET for other in OTHER),
]
TABLE_2 = [("none", other, False, other) for other in ("CR", "NON-CR/NON-PD", "NE", "PD")]
NO_DISEASE = [("none", "none", False, "NE")]


@pytest.mark.parametrize(("target", "other", "new", "expected"), TABLE_1 + TABLE_2 + NO_DISEASE)
def test_time_point_table(lesion_rows, lesion_table, target, other, new, expected):
    parts = [lesion_rows(day=56, **TARGET[target]), lesion_rows(day=56, kind="non-target", **OTHER[other])]
    if target != "none":
        parts.append(lesion_rows(day=0, T=100))
    if other != "none":
        parts.append(lesion_rows(day=0, kind="non-target", N="present", M="present"))
    # A second look at an equivocal finding keeps visits without disease in the table.
    parts.append(lesion_rows(day=56, kind="new", X="present" if new else "NE"))
    table = lesion_table(*parts)
    if target == other == "none":
        table = pl.concat([lesion_table(lesion_rows(day=0, kind="new", X="NE")), table])
    row = time_points(table).filter(pl.col("day") == 56).row(0, named=True)
    assert (row["target_response"], row["nontarget_response"], row["new_lesion"]) == (target, other, new)
    assert row["overall_response"] == expected
    assert row["reason"].endswith(f"→ {expected}")


def test_every_combination_of_the_time_point_table_is_covered():
    covered = {(t, o, n) for t, o, n, _ in TABLE_1 + TABLE_2 + NO_DISEASE}
    assert covered == {(t, o, n) for t in TARGET for o in OTHER for n in (False, True)}
    labels = kernels.LABELS
    for target, other, new, expected in TABLE_1 + TABLE_2 + NO_DISEASE:
        assert labels[kernels.overall(labels.index(target), labels.index(other), new)] == expected
        assert naive.overall(target, other, new) == expected


def test_non_target_nodes_and_left_out_non_targets(lesion_rows, lesion_table):
    table = lesion_table(
        lesion_rows(day=0, kind="non-target", N="present", M="present"),
        lesion_rows(day=56, kind="non-target", N="absent"),
    )
    assert calls(table, "nontarget_response") == ["NE"]
    assert "1 of 2 non-targets not evaluated" in calls(table, "reason")[0]


# --- new lesions (section 4.3.5) ---


def test_a_new_lesion_counts_from_its_visit_on_and_an_equivocal_one_does_not(sums_table, lesion_rows, lesion_table):
    sums = sums_table({0: 50, 56: 45, 112: 44, 168: 44})
    table = pl.concat(
        [sums, lesion_table(lesion_rows(day=56, kind="new", X="equivocal"), lesion_rows(day=112, kind="new", X=8))]
    )
    assert calls(table) == ["SD", "PD", "PD"]
    assert calls(table, "new_lesion") == [False, True, True]
    reasons = calls(table, "reason")
    assert "an equivocal new lesion does not count" in reasons[0]
    assert "; new lesion: PD" in reasons[1]
    assert "; new lesion at an earlier visit: PD" in reasons[2]


def test_progression_is_dated_back_to_the_first_sight_of_the_same_lesion(sums_table, lesion_rows, lesion_table):
    sums = sums_table({0: 50, 56: 45, 112: 44})

    def with_new(first, second):
        return pl.concat(
            [
                sums,
                lesion_table(lesion_rows(day=56, kind="new", **first)),
                lesion_table(lesion_rows(day=112, kind="new", **second)),
            ]
        )

    same = with_new({"X": "equivocal"}, {"X": "present"})
    assert calls(same) == ["SD", "PD"]  # what was called stays called
    row = best(same)
    assert (row["progression_day"], row["best_response"]) == (56, "PD")
    assert "dated back to day 56" in row["reason"]
    assert best(same, backdate=False)["progression_day"] == 112
    assert best(with_new({"X": "equivocal"}, {"Y": "present"}))["progression_day"] == 112


# --- a response that lasts (recist.eortc.org, Managing PR) ---


def test_arithmetic_and_persistent_reading_of_a_drifting_partial_response(sums_table):
    table = sums_table({28 * k: s for k, s in enumerate([100, 70, 70, 80, 80, 80])})
    assert calls(table) == ["PR", "PR", "SD", "SD", "SD"]
    assert calls(table, persistent=True) == ["PR"] * 5
    assert calls(table, persistent=True, confirmation=True) == ["PR"] * 5
    assert "the earlier response persists until progression" in calls(table, "reason", persistent=True)[2]


def test_an_unconfirmed_response_does_not_persist_when_confirmation_is_demanded(sums_table):
    table = sums_table({0: 100, 28: 70, 49: 70, 84: 80})
    assert calls(table, persistent=True, confirmation=True) == ["PR", "PR", "SD"]
    assert calls(table, persistent=True) == ["PR", "PR", "PR"]


def test_nothing_persists_beyond_progression(sums_table, lesion_rows, lesion_table):
    assert calls(sums_table({0: 100, 28: 60, 56: 75, 84: 71}), persistent=True) == ["PR", "PD", "SD"]
    sums = sums_table({0: 100, 28: 60, 56: 60, 84: 71})
    states = {0: "present", 28: "present", 56: "progression", 84: "present"}
    others = lesion_table(*(lesion_rows(day=d, kind="non-target", N=s) for d, s in states.items()))
    assert calls(pl.concat([sums, others]), persistent=True) == ["PR", "PD", "SD"]


def pet(table, *states, baseline):
    """New lesion X at the visits after baseline: (PET, status)."""
    base = table.with_columns(pet=pl.lit(None, pl.String), baseline_pet=pl.lit(baseline, pl.String))
    days = [d for d in table["day"].unique().sort() if d > 0]
    new = [
        ("A", f"day {d:g}", d, "X", "new", "bone", False, None, status, seen, baseline)
        for d, (seen, status) in zip(days, states, strict=True)
    ]
    return pl.concat([base, pl.DataFrame(new, schema=base.schema, orient="row")])


@pytest.mark.parametrize(
    ("baseline", "states", "expected", "progression", "rule"),
    [
        ("negative", [("positive", "absent")], ["PD"], 56, "4.3.5 a: negative PET at baseline, positive now"),
        ("negative", [("negative", "absent")], ["SD"], None, "PET stays negative"),
        ("none", [("positive", "present")], ["PD"], 56, "4.3.5 b: no PET at baseline, confirmed on CT"),
        ("none", [("positive", "NE")], ["SD"], None, "4.3.5 b: not confirmed on CT, further CT needed"),
        ("none", [("positive", "NE"), ("positive", "present")], ["SD", "PD"], 56, "4.3.5 b: dated by the first PET"),
        ("positive", [("positive", "absent")], ["SD"], None, "baseline PET was positive: CT decides"),
        (None, [("positive", "equivocal")], ["SD"], None, "nothing known of a PET at baseline"),
    ],
)
def test_new_lesions_on_pet(sums_table, baseline, states, expected, progression, rule):
    sums = sums_table(dict(zip([0, 56, 112], [50, 48, 47][: len(states) + 1], strict=False)))
    result = recist11(pet(sums, *states, baseline=baseline))
    assert result.timepoints["overall_response"].drop_nulls().to_list() == expected, rule
    assert result.best["progression_day"][0] == progression, rule
    if baseline == "negative" and expected == ["PD"]:
        assert "new lesion on FDG-PET, negative at baseline: PD" in result.timepoints["reason"][1]


# --- best overall response (sections 4.4.3 and 4.6, table 3) ---


def responses(*pairs, targets=1):
    """A time-point table from (day, overall response)."""
    rows = [{"day": 0.0, "overall_response": None}, *({"day": float(d), "overall_response": r} for d, r in pairs)]
    frame = pl.DataFrame(rows, schema={"day": pl.Float64, "overall_response": pl.String})
    return frame.with_columns(
        subject=pl.lit("A"),
        visit=pl.format("V{}", pl.int_range(pl.len())),
        targets=pl.lit(targets, pl.Int64),
        change_from_baseline=pl.lit(None, pl.Float64),
    )


def best_of(pairs, targets=1, **options):
    return best_response(responses(*pairs, targets=targets), Recist11Options(**options)).row(0, named=True)


@pytest.mark.parametrize(
    ("first", "second", "late", "early"),
    [
        # first and second response four weeks later; best when the first stands at day 42 (minimum of SD), at day 28
        ("CR", "CR", "CR", "CR"),
        ("CR", "SD", "SD", "SD"),
        ("CR", "PD", "SD", "PD"),
        ("CR", "NE", "SD", "NE"),
        ("PR", "CR", "PR", "PR"),
        ("PR", "PR", "PR", "PR"),
        ("PR", "SD", "SD", "SD"),
        ("PR", "PD", "SD", "PD"),
        ("PR", "NE", "SD", "NE"),
        ("NE", "NE", "NE", "NE"),
        ("CR", "PR", "SD", "SD"),  # note a: SD, PD or PR; a PR behind a CR confirms nothing
        ("SD", "PD", "SD", "PD"),
        ("NE", "PD", "PD", "PD"),
        ("SD", "NE", "SD", "NE"),
    ],
)
def test_best_response_with_confirmation(first, second, late, early):
    # Table 3. In "early" the second visit (day 56) may itself be disease control at the minimum time.
    for start, expected in ((42, late), (28, early)):
        found = best_of([(start, first), (start + 28, second)], confirmation=True)
        assert found["best_response"] == expected, (start, found["reason"])
        assert found["confirmed"]


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([(56, "PR"), (112, "CR"), (168, "PD"), (224, "CR")], "CR"),
        ([(56, "SD"), (112, "PD"), (168, "CR")], "SD"),  # nothing counts after PD
        ([(28, "SD"), (56, "PD")], "PD"),  # SD only from 42 days on
        ([(41, "SD"), (42, "SD")], "SD"),
        ([(28, "SD")], "NE"),
        ([(28, "PR")], "PR"),  # a response needs no minimum time
        ([(56, "NE"), (112, "PD")], "PD"),
        ([(56, "NE")], "NE"),
        ([], "NE"),
    ],
)
def test_best_response_without_confirmation(pairs, expected):
    assert best_of(pairs)["best_response"] == expected


@pytest.mark.parametrize(
    ("pairs", "options", "expected"),
    [
        ([(42, "PR"), (63, "PR"), (70, "PR")], {}, "PR"),  # confirmed by the visit that is 28 days later
        ([(42, "PR"), (63, "PR")], {}, "SD"),
        ([(42, "PR"), (63, "PR")], {"confirmation_days": 21}, "PR"),
        ([(42, "PR"), (63, "NE"), (84, "PR")], {}, "PR"),
        ([(42, "PR"), (56, "NE"), (63, "NE"), (84, "PR")], {}, "SD"),
        ([(42, "PR"), (56, "NE"), (63, "NE"), (84, "PR")], {"not_evaluable_between": 2}, "PR"),
        ([(42, "PR"), (63, "SD"), (84, "PR")], {}, "SD"),
        ([(42, "PR"), (63, "SD"), (84, "PR")], {"stable_between": 1}, "PR"),
        ([(42, "CR"), (63, "SD"), (84, "CR")], {"stable_between": 1}, "SD"),  # SD behind CR confirms nothing
        ([(42, "PR"), (56, "CR"), (70, "PR"), (84, "CR")], {}, "SD"),  # nor does PR behind CR
        ([(42, "CR"), (63, "NE"), (84, "CR")], {}, "CR"),
        ([(42, "CR"), (63, "PR"), (84, "CR")], {}, "SD"),
        ([(42, "PR"), (70, "PD"), (98, "PR")], {}, "SD"),
    ],
)
def test_what_confirms(pairs, options, expected):
    assert best_of(pairs, confirmation=True, **options)["best_response"] == expected


# Histories (day, response) and confirmed best responses of admiralonco's derive_param_confirmed_bor, whose SD counts
# from day 28: with 28 days and one NE between, then with 14 days, no NE and one SD between.
ADMIRALONCO = [
    ([(0.5, "PR"), (31, "CR"), (46, "NE"), (60, "CR"), (91, "SD")], "CR", "PR"),
    ([(20, "SD"), (51, "PR"), (80, "SD"), (92, "CR")], "SD", "PR"),
    ([(1, "CR"), (21, "CR"), (51, "SD")], "SD", "CR"),
    ([(2, "PR"), (62, "SD"), (93, "SD"), (123, "PR"), (137, "NON-CR/NON-PD")], "SD", "SD"),
    ([(0.5, "PR"), (9, "SD"), (19, "PR"), (135, "NON-CR/NON-PD")], "NON-CR/NON-PD", "PR"),
    ([(4, "PR"), (14, "CR"), (57, "PR")], "SD", "SD"),
    ([(4, "PR"), (14, "CR"), (59, "NE")], "NE", "NE"),
    ([(15, "PD"), (34, "SD")], "PD", "PD"),
]


@pytest.mark.parametrize(("pairs", "strict", "lenient"), ADMIRALONCO)
def test_best_response_equals_admiralonco(pairs, strict, lenient):
    common = {"confirmation": True, "sd_minimum_days": 28}
    assert best_of(pairs, **common)["best_response"] == strict
    if lenient != "NE":  # its second run replaces that history
        found = best_of(pairs, **common, confirmation_days=14, not_evaluable_between=0, stable_between=1)
        assert found["best_response"] == lenient


def test_targetless_disease_is_non_cr_non_pd_and_never_sd():
    for pairs in ([(56, "NON-CR/NON-PD"), (112, "PD")], [(56, "CR"), (84, "PD")]):
        assert best_of(pairs, targets=0, confirmation=True)["best_response"] == "NON-CR/NON-PD"
    assert best_of([(28, "NON-CR/NON-PD"), (40, "PD")], targets=0)["best_response"] == "PD"


def test_best_says_days_changes_and_reason(sums_table):
    row = best(sums_table({0: 100, 56: 80, 112: 65, 168: 90, 224: 20, 280: 10}))
    assert row["best_response"] == "PR"
    assert row["best_change"] == pytest.approx(-35)  # what shrinks after progression is not the drug's merit
    assert (row["progression_day"], row["last_day"]) == (168, 280)
    assert row["reason"] == (
        "PR at day 112 (visit day 112); progression at day 168 (visit day 168); 2 later visits do not count"
    )
    open_end = best(sums_table({0: 100, 56: 95, 112: None}), confirmation=True)
    assert (open_end["progression_day"], open_end["last_day"]) == (None, 56)
    assert "disease controlled for at least 42 days; no progression" in open_end["reason"]
    only = best(sums_table({0: 100}))
    assert (only["best_response"], only["last_day"], only["best_change"]) == ("NE", 0, None)
    assert only["reason"].startswith("no visit after baseline")


# --- baselines (section 3.1.1) ---


def test_too_many_and_too_small_targets_are_noted(lesion_rows, lesion_table):
    table = lesion_table(
        lesion_rows("many", day=0, organ="Lung", A=20, B=20, C=20),
        lesion_rows("many", day=0, organ="liver", D=20, E=20, F=20),
        lesion_rows("nodes", day=0, node=True, organ="axilla", A=20, B=15),
        lesion_rows("nodes", day=0, node=True, organ="neck", C=14.9),
        lesion_rows("small", day=0, A=9.9, B=10),
    )
    notes = [(p.subject, p.got) for p in baseline_remarks(table)]
    assert notes == [
        ("many", "6 target lesions"),
        ("many", "3 target lesions in liver"),
        ("many", "3 target lesions in lung"),
        ("nodes", "3 target lesions in lymph nodes"),
        ("nodes", "a target of 14.9 mm"),
        ("small", "a target of 9.9 mm"),
    ]
    assert {p.severity for p in recist11(table).problems} == {"note"}
    assert baseline_remarks(table, Recist11Options(most_targets=6, most_targets_an_organ=3))[0].subject == "nodes"


@pytest.mark.parametrize(
    ("size", "further", "noted"),
    [
        (15, {}, ""),
        (15, {"slice_mm": 5.0}, ""),
        (15, {"slice_mm": 8.0}, "at least 16 mm"),  # twice a slice that is thicker than 5 mm
        (16, {"slice_mm": 8.0}, ""),
        (15, {"method": "x-ray"}, "at least 20 mm"),
        (10, {"method": "caliper"}, ""),
        (30, {"organ": "Pleural effusion"}, "what is measurable"),
        (30, {"organ": "Blastic bone"}, "what is measurable"),
        (30, {"irradiated": "yes"}, "has progressed since radiotherapy"),
        (30, {"irradiated": "progressed"}, ""),
    ],
)
def test_what_is_not_measurable_is_noted(lesion_rows, lesion_table, size, further, noted):
    """Sections 3.1.1 and 3.1.2."""
    table = lesion_table(lesion_rows(day=0, T=size)).with_columns(**{k: pl.lit(v) for k, v in further.items()})
    told = [p.allowed for p in baseline_remarks(table)]
    assert len(told) == bool(noted)
    assert all(noted in allowed for allowed in told)


def test_nodes_below_15_mm_are_no_targets(lesion_rows, lesion_table):
    """Section 3.1.1: from 10 to below 15 mm a node is a non-target, below 10 mm it is normal and not followed."""
    table = lesion_table(
        lesion_rows(day=0, T=40) + lesion_rows(day=0, node=True, A=15, B=14.9, C=10, D=9.9),
        lesion_rows(day=56, T=0) + lesion_rows(day=56, node=True, A=9, B=9.9, C="absent", D=30),
        lesion_rows(day=112, T=0) + lesion_rows(day=112, node=True, A=9, B=10, C="too small", D=30),
        lesion_rows(day=168, T=0) + lesion_rows(day=168, node=True, A=9, B=9, C=None, D=30),
    )
    found = recist11(table)
    calls_ = found.timepoints.select("targets", "sum_mm", "nontarget_response", "overall_response").rows()
    assert calls_ == [
        (2, 55.0, None, None),
        (2, 9.0, "CR", "CR"),
        (2, 9.0, "NON-CR/NON-PD", "PR"),  # a nodal non-target that comes back to 10 mm is no reappearance
        (2, 9.0, "NE", "PR"),
    ]
    assert found.timepoints["reason"][0] == (
        "baseline: 2 targets followed, sum 55 mm; lymph node B of 14.9 mm followed as a non-target [recist11.NODE]; "
        "lymph node C of 10 mm followed as a non-target [recist11.NODE]; "
        "lymph node D of 9.9 mm is normal, not followed [recist11.NODE]"
    )
    assert [(p.item, p.todo.split(":")[0].split(";")[0]) for p in found.problems] == [
        ("lesion B", "it was followed as a non-target"),
        ("lesion C", "it was followed as a non-target"),
        ("lesion D", "it was not followed"),
    ]
    kept = recist11(table, Recist11Options(small_nodes="target")).timepoints
    assert kept.select("targets", "sum_mm").rows()[:2] == [(5, 89.8), (5, 48.9)]
    for criterion in ("irecist", "mrecist"):  # their targets are those of RECIST 1.1
        both = table.with_columns(viable_mm=pl.col("diameter_mm"))
        assert assess(both, criterion).timepoints["targets"].to_list() == [2] * 4


def test_a_nodal_target_longer_than_its_perpendicular_is_measured_on_its_long_axis(lesion_rows, lesion_table):
    """Section 3.1.1: a node counts by its short axis; criteria that multiply both take the table as it is."""
    table = lesion_table(
        lesion_rows("long", day=0, node=True, N=25) + lesion_rows("long", day=56, node=True, N=20),
        lesion_rows("short", day=0, node=True, N=16) + lesion_rows("short", day=56, node=True, N=16),
    ).with_columns(perpendicular_mm=pl.lit(16.0))
    found = recist11(table)
    assert found.best["subject"].to_list() == ["short"]
    assert [(p.severity, p.subject, p.item) for p in found.problems] == [
        ("set aside", "long", "lesion N, visit baseline")
    ]
    assert assess(table, "lugano").best["subject"].to_list() == ["long", "short"]


def test_a_subject_whose_only_lesion_is_a_normal_node_is_not_lost(lesion_rows, lesion_table):
    table = lesion_table(lesion_rows(day=0, node=True, D=8), lesion_rows(day=56, node=True, D=8))
    found = recist11(table)
    assert found.timepoints.select("targets", "overall_response").rows() == [(0, None), (0, "NE")]
    assert found.rates["n"].to_list() == [1, 1]


@pytest.mark.parametrize(
    "options",
    [
        {"confirmation_days": -1},
        {"sd_minimum_days": float("nan")},
        {"stable_between": -1},
        {"most_targets": 0},
        {"small_nodes": "new"},
    ],
)
def test_impossible_options_are_refused(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        Recist11Options(**options)


def test_a_table_without_baseline_or_columns_is_refused(sums_table):
    with pytest.raises(TableError, match="a first visit at day 7"):
        recist11(sums_table({7: 10, 28: 10}))
    with pytest.raises(TableError, match="node"):
        recist11(sums_table({0: 10}).drop("node"))


def test_no_lesions_give_empty_tables():
    result = recist11(pl.DataFrame(schema=LESION_COLUMNS))
    assert (result.timepoints.height, result.best.height, result.rates.height) == (0, 0, 0)


# --- the slow twin, and what must never matter ---

sizes = st.one_of(
    st.none(), st.sampled_from(["absent", "too small", "merged"]), st.integers(0, 40), st.sampled_from([9.9, 4.9, 14.4])
)
states = st.sampled_from(["present", "absent", "absent", "progression", "NE"])
visit = st.fixed_dictionaries(
    {
        "gap": st.integers(7, 60),
        "targets": st.lists(sizes, min_size=3, max_size=3),
        "others": st.lists(states, min_size=2, max_size=2),
        "new": st.sampled_from([None, None, None, None, None, "equivocal", "present"]),
    }
)


@st.composite
def histories(draw):
    """One subject: up to 3 targets (the last nodal), up to 2 non-targets (the last nodal), up to 6 visits."""
    targets, others = draw(st.integers(0, 3)), draw(st.integers(0, 2))
    base = draw(st.lists(st.integers(10, 40), min_size=3, max_size=3))
    rows, day = [], 0

    def add(lesion, kind, node, value):
        size = None if value is None or isinstance(value, str) else float(value)
        status = value if isinstance(value, str) else "NE" if value is None else "present"
        rows.append(("S", "v", float(day), lesion, kind, "lung", node, size, status))

    for k in range(targets):
        add(f"T{k}", "target", k == 2, base[k])
    for k in range(others):
        add(f"N{k}", "non-target", k == 1, "present")
    if not targets and not others:
        add("X", "new", False, "NE")
    for v in draw(st.lists(visit, max_size=6)):
        day += v["gap"]
        for k in range(targets):
            add(f"T{k}", "target", k == 2, v["targets"][k])
        for k in range(others):
            add(f"N{k}", "non-target", k == 1, v["others"][k])
        add("X", "new", False, v["new"] or "NE")
    frame = pl.DataFrame(rows, schema=LESION_COLUMNS, orient="row")
    return frame.with_columns(visit=pl.format("d{}", "day"))


COMPARED = ("day", "target_response", "nontarget_response", "new_lesion", "overall_response")


@given(histories(), st.booleans(), st.booleans())
@settings(max_examples=100, deadline=None)
def test_equals_the_slow_twin(frame, persistent, reappearance):
    options = Recist11Options(persistent=persistent, reappearance=reappearance, backdate=False)
    result = recist11(frame, options)
    found = result.timepoints.filter(pl.col("day") > 0).select(COMPARED).rows()
    expected = naive.subject_calls(frame.to_dicts(), persistent, reappearance)
    assert found == expected
    any_target = any(r["kind"] == "target" for r in naive.placed(frame.to_dicts()))
    for confirmation in (False, True):
        chosen = Recist11Options(confirmation=confirmation)
        assert best_response(result.timepoints, chosen)["best_response"][0] == naive.best_of(
            [(d, c) for d, *_, c in expected], confirmation, any_target=any_target
        )


@given(histories(), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_the_order_of_rows_does_not_matter(frame, seed):
    shuffled = frame.sample(fraction=1, shuffle=True, seed=seed)
    one, two = recist11(frame), recist11(shuffled)
    assert one.timepoints.equals(two.timepoints)
    assert one.best.equals(two.best)


@given(histories())
@settings(max_examples=60, deadline=None)
def test_a_later_visit_never_changes_an_earlier_call(frame):
    days = frame["day"].unique().sort()
    # The history cut off after each of its visits, each cut as a subject of its own.
    cuts = [frame.filter(pl.col("day") <= d).with_columns(subject=pl.lit(f"{k:02d}")) for k, d in enumerate(days)]
    parts = time_points(pl.concat(cuts)).partition_by("subject")
    for part, day in zip(parts, days, strict=True):
        assert part.drop("subject").equals(parts[-1].filter(pl.col("day") <= day).drop("subject"))


@given(st.lists(st.floats(30, 300), min_size=2, max_size=7), st.floats(1.5, 20))
@settings(max_examples=40, deadline=None)
def test_scaling_all_sizes_keeps_the_relative_rules(values, factor):
    # From 30 mm up 20 % is more than 5 mm, so the absolute rule decides nothing.
    def table(scale):
        rows = [
            ("S", f"v{k}", 56.0 * k, "T", "target", "lung", False, v * scale, "present") for k, v in enumerate(values)
        ]
        return pl.DataFrame(rows, schema=LESION_COLUMNS, orient="row")

    ratios = np.array(values)[:, None] / np.array(values)[None, :]
    if np.abs(ratios - 1.2).min() < 1e-6 or np.abs(ratios - 0.7).min() < 1e-6:
        return
    assert calls(table(1.0)) == calls(table(factor))


def test_many_subjects_at_once_equal_each_alone():
    rng = np.random.default_rng(5)
    parts = []
    for s in range(40):
        for v in range(5):
            for k in range(3):
                size = float(rng.integers(10, 40)) if v == 0 else rng.choice([None, 0.0, 8.0, 12.0, 30.0])
                status = "NE" if size is None else "present"
                parts.append((f"S{s:02d}", f"v{v}", 50.0 * v, f"T{k}", "target", "lung", k == 2, size, status))
    frame = pl.DataFrame(parts, schema=LESION_COLUMNS, orient="row")
    together = recist11(frame)
    alone = [recist11(part) for part in frame.partition_by("subject")]
    assert together.timepoints.equals(pl.concat([r.timepoints for r in alone]))
    assert together.best.equals(pl.concat([r.best for r in alone]))


def test_a_label_that_begins_with_visit_is_not_doubled(sums_table):
    labels = pl.col("visit").str.replace("day 56", "Visit 6")
    found = assess(sums_table({0: 50, 56: 30, 112: 60}).with_columns(labels), "recist11")
    assert "PR at day 56 (Visit 6); progression at day 112 (visit day 112)" in found.best["reason"][0]


def test_one_target_is_told_in_the_singular(sums_table):
    found = assess(sums_table({0: 50, 56: None}), "irecist").timepoints["reason"].to_list()
    assert found[0].startswith("baseline: 1 target, 0 non-targets")
    assert found[1].startswith("1 of 1 target not evaluated")
