"""A trial as sponsors hand it over: domains TU, TR and RS with the habits of several of them, and what we make of it.

Layout and words follow the CDISC disease response supplement for RECIST 1.1; subjects and numbers are made up.
"""

import polars as pl
import pytest

from radiolocus.read.lesions import LesionColumns
from radiolocus.read.sdtm import read_sdtm
from radiolocus.response.comparison import compare
from radiolocus.response.options import ResponseOptions
from read.test_xport import transport

VISITS = (("SCREENING", 1, "2021-03-01"), ("WEEK 6", 2, "2021-04-12"), ("WEEK 12", 3, "2021-05-24"))
WHO = {
    "INV": ("INVESTIGATOR", "", "INV-"),
    "R1": ("INDEPENDENT ASSESSOR", "RADIOLOGIST 1", "R1-"),
    "R2": ("INDEPENDENT ASSESSOR", "RADIOLOGIST 2", "R2-"),
}


class Trial:
    """Rows of the three domains."""

    def __init__(self):
        self.tu, self.tr, self.rs = [], [], []

    def lesion(self, subject, who, label, role, organ, visit=0):
        role_, name, prefix = WHO[who]
        head = {"STUDYID": "RX1", "DOMAIN": "TU", "USUBJID": subject, "TUSEQ": len(self.tu) + 1.0}
        self.tu.append(head | {
            "TULNKID": prefix + label, "TUTESTCD": "TUMIDENT", "TUTEST": "Tumor Identification", "TUORRES": role,
            "TUSTRESC": role, "TULOC": organ, "TUMETHOD": "CT SCAN", "TUEVAL": role_, "TUEVALID": name,
            "VISIT": VISITS[visit][0], "VISITNUM": float(VISITS[visit][1]), "TUDTC": VISITS[visit][2],
        })  # fmt: skip

    def result(
        self,
        subject,
        who,
        label,
        code,
        value,
        visit,
        *,
        unit="mm",
        status="",
        group="TARGET",
        accepted="",
        text=None,
        day=0,
    ):
        role, name, prefix = WHO[who]
        number = float(value) if isinstance(value, int | float) else None
        said = text or ("" if value is None else f"{value:g}" if number is not None else value)
        date = (
            VISITS[visit][2] if not day else str(pl.Series([VISITS[visit][2]]).str.to_date().dt.offset_by(f"{day}d")[0])
        )
        head = {"STUDYID": "RX1", "DOMAIN": "TR", "USUBJID": subject, "TRSEQ": len(self.tr) + 1.0}
        self.tr.append(head | {
            "TRGRPID": group, "TRLNKGRP": f"A{visit + 1}", "TRLNKID": prefix + label if label else "",
            "TRTESTCD": code, "TRTEST": code.title(), "TRORRES": said, "TRORRESU": unit if number is not None else "",
            "TRSTRESC": f"{value:g}" if number is not None else (value or ""), "TRSTRESN": number,
            "TRSTRESU": unit if number is not None else "", "TRSTAT": status,
            "TRREASND": "SCAN NOT PERFORMED" if status else "", "TRMETHOD": "CT SCAN", "TREVAL": role, "TREVALID": name,
            "TRACPTFL": accepted, "VISIT": VISITS[visit][0], "VISITNUM": float(VISITS[visit][1]),
            "TRDTC": date + ("T10:15" if visit % 2 else ""), "TRDY": None,
        })  # fmt: skip

    def response(self, subject, who, code, said, visit, *, category="RECIST 1.1", accepted=""):
        role, name, _ = WHO[who]
        head = {"STUDYID": "RX1", "DOMAIN": "RS", "USUBJID": subject, "RSSEQ": len(self.rs) + 1.0}
        self.rs.append(head | {
            "RSLNKGRP": "" if visit is None else f"A{visit + 1}", "RSTESTCD": code, "RSTEST": code.title(),
            "RSCAT": category, "RSORRES": said, "RSSTRESC": said, "RSSTAT": "", "RSEVAL": role, "RSEVALID": name,
            "RSACPTFL": accepted, "VISIT": "" if visit is None else VISITS[visit][0],
            "VISITNUM": None if visit is None else float(VISITS[visit][1]),
            "RSDTC": "" if visit is None else VISITS[visit][2],
        })  # fmt: skip

    def write(self, folder, suffix):
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in (("tu", self.tu), ("tr", self.tr), ("rs", self.rs)):
            numbers = {
                c for c in rows[0] if any(isinstance(r[c], float) for r in rows) or all(r[c] is None for r in rows)
            }
            if suffix == "xpt":
                widths = [(c, None if c in numbers else max(1, *(len(r[c]) for r in rows))) for c in rows[0]]
                (folder / f"{name}.xpt").write_bytes(transport(widths, [tuple(r.values()) for r in rows]))
            else:
                frame = pl.DataFrame(rows, schema={c: pl.Float64 if c in numbers else pl.String for c in rows[0]})
                frame.write_csv(folder / f"{name}.csv", quote_style="non_numeric")
        return folder


def course(trial, subject, who, liver, node, *, state="PRESENT", accepted="", shift=0.0):
    """One subject by one evaluator: a target of the liver, a nodal target, a non-target; the sum as they add it up."""
    trial.lesion(subject, who, "T01", "TARGET", "LIVER")
    trial.lesion(subject, who, "T02", "TARGET", "LYMPH NODE")
    trial.lesion(subject, who, "NT01", "NON-TARGET", "BONE")
    told = {"accepted": accepted}
    for visit, (long, short) in enumerate(zip(liver, node, strict=True)):
        if long is None:
            trial.result(subject, who, "T01", "LDIAM", None, visit, status="NOT DONE", **told)
        elif long == "small":
            trial.result(subject, who, "T01", "LDIAM", 5, visit, text="TOO SMALL TO MEASURE", **told)
        else:
            trial.result(subject, who, "T01", "LDIAM", long + shift, visit, **told)
            trial.result(subject, who, "T01", "TUMSTATE", "PRESENT" if long else "ABSENT", visit, **told)
        if short is None:
            trial.result(subject, who, "T02", "LPERP", None, visit, status="NOT DONE", **told)
        else:
            pathological = "PATHOLOGICAL" if short >= 10 else "NON-PATHOLOGICAL"
            trial.result(subject, who, "T02", "LPERP", short, visit, day=2, **told)
            trial.result(subject, who, "T02", "LDIAM", short + 6, visit, day=2, **told)
            trial.result(subject, who, "T02", "LNSTATE", pathological, visit, day=2, **told)
        trial.result(subject, who, "NT01", "TUMSTATE", state, visit, group="NON-TARGET", **told)
        if long is not None and short is not None:
            total = (5 if long == "small" else long + shift) + short
            trial.result(subject, who, "", "SUMDIAM", total, visit, **told)
            trial.result(subject, who, "", "PCBSD", -10.0, visit, unit="%", **told)
            trial.result(subject, who, "", "ACNSD", 1.0, visit, **told)


def responses(trial, subject, who, rows, best, **told):
    for visit, (target, other, new, overall) in rows.items():
        for code, said in zip(
            ("TRGRESP", "NTRGRESP", "NEWLPROG", "OVRLRESP"), (target, other, new, overall), strict=True
        ):
            trial.response(subject, who, code, said, visit, **told)
    trial.response(subject, who, "BESTRSP", best, None, **told)


def handed_over():
    """Five subjects of one investigator; a second criterion in RS; two independent readers of the last subject."""
    trial = Trial()
    course(trial, "101", "INV", [40, 26, 22], [20, 12, 8])
    responses(trial, "101", "INV", {1: ("PR", "NON-CR/NON-PD", "N", "PR"), 2: ("PR", "NON-CR/NON-PD", "N", "PR")}, "PR")
    # Too small to measure counts 5 mm; a scan that was not done leaves the visit without a sum.
    course(trial, "102", "INV", [18, "small", None], [16, 15, 15])
    responses(trial, "102", "INV", {1: ("PR", "NON-CR/NON-PD", "N", "PR"), 2: ("NE", "NON-CR/NON-PD", "N", "NE")}, "PR")
    # A new lesion that TU alone holds; the sponsor flags it UNEQUIVOCAL.
    course(trial, "103", "INV", [30, 31, 30], [15, 15, 15])
    trial.lesion("103", "INV", "NEW01", "NEW", "BRAIN", visit=2)
    responses(
        trial,
        "103",
        "INV",
        {1: ("SD", "NON-CR/NON-PD", "N", "SD"), 2: ("SD", "NON-CR/NON-PD", "UNEQUIVOCAL", "PD")},
        "SD",
    )
    # The sponsor holds the partial response although the sum drifts back: a reading of the rules, and named as such.
    course(trial, "104", "INV", [50, 30, 36], [20, 15, 16])
    responses(trial, "104", "INV", {1: ("PR", "NON-CR/NON-PD", "N", "PR"), 2: ("PR", "NON-CR/NON-PD", "N", "PR")}, "PR")
    # Below 5 mm is too small to measure, whoever writes it so.
    course(trial, "106", "INV", [12, 12, 12], [15, 15, 15])
    for row in trial.tr:
        if (
            row["USUBJID"] == "106"
            and row["TRTESTCD"] == "LDIAM"
            and row["TRLNKID"] == "INV-T01"
            and row["VISITNUM"] == 3
        ):
            row |= {"TRSTRESN": None, "TRSTRESC": "<5", "TRORRES": "<5 mm"}
        if row["USUBJID"] == "106" and row["TRTESTCD"] == "SUMDIAM" and row["VISITNUM"] == 3:
            row |= {"TRSTRESN": 20.0, "TRSTRESC": "20", "TRORRES": "20"}
    # A sum that nobody can add up from the lesions, and a response that no reading gives.
    course(trial, "105", "INV", [30, 36, 41], [15, 15, 15])
    for row in trial.tr:
        if row["USUBJID"] == "105" and row["TRTESTCD"] == "SUMDIAM" and row["VISITNUM"] == 2:
            row |= {"TRSTRESN": 53.0, "TRSTRESC": "53", "TRORRES": "53"}
    responses(trial, "105", "INV", {1: ("SD", "NON-CR/NON-PD", "N", "SD"), 2: ("SD", "NON-CR/NON-PD", "N", "SD")}, "SD")
    for subject in ("101", "102"):
        trial.response(subject, "INV", "OVRLRESP", "iSD", 1, category="IRECIST")
    # Independent review: two readers, the second was accepted.
    for who, accepted, shift in (("R1", "", 0.0), ("R2", "Y", 3.0)):
        for subject in ("101", "103"):
            course(trial, subject, who, [40, 26, 22], [20, 12, 8], accepted=accepted, shift=shift)
            responses(
                trial,
                subject,
                who,
                {1: ("PR" if who == "R2" else "SD", "NON-CR/NON-PD", "N", "PR")},
                "PR",
                accepted=accepted,
            )
    return trial


@pytest.fixture(scope="module", params=["csv", "xpt"])
def folder(request, tmp_path_factory):
    return handed_over().write(tmp_path_factory.mktemp("trial") / request.param, request.param)


def told(study, **options):
    found = compare(study.lesions.frame, study.sums, study.responses, ResponseOptions(lesions="x", **options))
    return {(r["subject"], r["visit"], r["item"]): r for r in found.to_dicts()}


def test_sums_and_responses_of_the_investigator(folder):
    study = read_sdtm(folder, LesionColumns(keep_reader="INVESTIGATOR"))
    assert [p.got for p in study.lesions.problems if p.severity == "set aside"] == []
    rows = told(study, sd_minimum_days=35.0)
    apart = {key: (r["ours"], r["theirs"]) for key, r in rows.items() if not r["agree"]}
    assert apart == {
        ("104", "WEEK 12", "overall"): ("SD", "PR"),
        ("104", "WEEK 12", "target"): ("SD", "PR"),
        ("105", "WEEK 6", "sum"): ("51.0", "53.0"),
        ("105", "WEEK 12", "overall"): ("PD", "SD"),
        ("105", "WEEK 12", "target"): ("PD", "SD"),
    }
    assert "persistent = true" in rows["104", "WEEK 12", "overall"]["explanation"]
    assert "-2 mm" in rows["105", "WEEK 6", "sum"]["explanation"]
    assert "no other reading" in rows["105", "WEEK 12", "overall"]["explanation"]
    assert sum(r["item"] == "sum" for r in rows.values()) == 17
    assert {r["item"] for r in rows.values()} == {"sum", "target", "non-target", "new", "overall", "best"}
    held = told(study, sd_minimum_days=35.0, persistent=True)
    assert held["104", "WEEK 12", "overall"]["agree"]


def test_of_several_independent_readers_the_accepted_one_counts(folder):
    study = read_sdtm(folder, LesionColumns(keep_reader="INDEPENDENT ASSESSOR"))
    assert [p.got for p in study.lesions.problems if p.severity == "set aside"] == []
    assert any("RADIOLOGIST 2" in p.got and "accepted" in p.got for p in study.lesions.problems)
    liver = study.lesions.frame.filter(pl.col("lesion").str.ends_with("-T01"), pl.col("day") == 0)
    assert liver["diameter_mm"].to_list() == [43.0, 43.0]
    rows = told(study)
    assert {r["agree"] for r in rows.values()} == {True}
    assert study.sums.filter(pl.col("visit") == "SCREENING")["sum_mm"].to_list() == [63.0, 63.0]


def test_one_reader_of_several_is_named_by_id(folder):
    study = read_sdtm(folder, LesionColumns(keep_reader="RADIOLOGIST 1"))
    liver = study.lesions.frame.filter(pl.col("lesion").str.ends_with("-T01"), pl.col("day") == 0)
    assert liver["diameter_mm"].to_list() == [40.0, 40.0]
    rows = told(study)
    assert not rows["101", "WEEK 6", "target"]["agree"]  # it says SD of a fall by 37 %


def test_a_node_is_followed_by_its_longest_perpendicular(folder):
    study = read_sdtm(folder, LesionColumns(keep_reader="INVESTIGATOR"))
    node = study.lesions.frame.filter(pl.col("subject") == "101", pl.col("lesion") == "INV-T02").sort("day")
    assert node.select("diameter_mm", "node").rows() == [
        (20.0, True),
        (12.0, True),
        (8.0, True),
    ]
