"""Every rule of every criterion decides a case: `reference/response/rules.md`, block by block."""

import polars as pl
import pytest

from radiolocus.read.lesion_measures import MEASURES
from radiolocus.read.lesions import LESION_COLUMNS
from radiolocus.response.assess import CRITERIA, assess
from radiolocus.response.criterion import CriteriaOptions
from radiolocus.response.recist11_rules import RECIST11

SCHEMA = dict(LESION_COLUMNS) | {name: m.dtype for name, m in MEASURES.items()}
KINDS = {"T": "target", "L": "target", "N": "non-target", "X": "new"}


def table(visits):
    """Rows of one subject from {day: {lesion or "facts": value}}; a lesion L is a node, a number its diameter."""
    rows = []
    for day, found in visits.items():
        facts = found.get("facts", {})
        for label, value in found.items():
            if label == "facts":
                continue
            given = value if isinstance(value, dict) else {"status": value} if isinstance(value, str) else {}
            given = {"diameter_mm": float(value)} if isinstance(value, int | float) else given
            row = {"subject": "A", "visit": f"d{day}", "day": float(day), "lesion": label, "kind": KINDS[label[0]]}
            row |= {"organ": "liver", "node": label[0] == "L", "status": "present"}
            rows.append(row | facts | given)
    return pl.DataFrame(rows, schema=SCHEMA)


def spd(a, b):
    return {"diameter_mm": float(a), "perpendicular_mm": float(b)}


def pet(uptake, **more):
    return {"uptake": float(uptake), **more}


def ml(volume):
    return {"volume_ml": float(volume)}


def bone(new):
    return {"T": 20, "facts": {"new_bone_lesions": float(new)}}


LIVER = {"liver_mean": 2.0, "liver_sd": 0.3}
IPD = {0: {"T": 50}, 56: {"T": 62}}
GLIOMA = {0: {"T": spd(40, 40)}}
GIST = {"diameter_mm": 50.0, "density_hu": 80.0}
BONE = {"T": 20}

# rule of rules.md, visits, call of the last visit, options
CASES = {
    # RECIST 1.1: values, target response 1 to 5, nadir 0, non-targets, new lesions, PET, EORTC FAQ
    "recist11.NE": ({0: {"T": 25, "T2": 25}, 56: {"T": 24}}, "NE"),
    "recist11.NE 2": ({0: {"T": 20, "T2": 20, "T3": 10}, 56: {"T": 40, "T2": 40}}, "PD"),  # 50 mm in 3, 80 in 2
    "recist11.CR": ({0: {"T": 30, "L": 20}, 56: {"T": 0, "L": 9.9}}, "CR"),
    "recist11.PD": ({0: {"T": 100}, 56: {"T": 40}, 112: {"T": 50}}, "PD"),  # PD wins over PR
    "recist11.PD 2": ({0: {"T": 20}, 56: {"T": 24.9}}, "SD"),  # 24.5 % yet 4.9 mm
    "recist11.PR": ({0: {"T": 100}, 56: {"T": 70}}, "PR"),  # inclusive
    "recist11.SD": ({0: {"T": 100}, 56: {"T": 70.1}}, "SD"),
    "recist11.SIZE": ({0: {"T": 20}, 56: {"T": "too small"}}, "PR"),  # counts 5 mm, not 0
    "recist11.SIZE 2": ({0: {"T": 20, "T2": 20}, 56: {"T": 30, "T2": "merged"}}, "SD"),
    "recist11.NON-CR/NON-PD": ({0: {"N": "present"}, 56: {"N": "present"}}, "NON-CR/NON-PD"),
    "recist11.NT": ({0: {"T": 50, "N": "present"}, 56: {"T": 20, "N": "progression"}}, "PD"),
    "recist11.NEW": ({0: {"T": 50}, 56: {"T": 20, "X": "present"}}, "PD"),
    "recist11.PET": (
        {0: {"T": {"diameter_mm": 50.0, "baseline_pet": "negative"}},
         56: {"T": {"diameter_mm": 50.0, "baseline_pet": "negative"},
              "X": {"status": "NE", "pet": "positive", "baseline_pet": "negative"}}},
        "PD",
    ),
    "recist11.AGAIN": ({0: {"T": 30}, 56: {"T": 0}, 112: {"T": 3}}, "PD"),
    "recist11.PERSISTENT": (
        {0: {"T": 100}, 56: {"T": 70}, 112: {"T": 70}, 168: {"T": 80}, 224: {"T": 80}, 280: {"T": 80}}, "PR",
        {"persistent": True},
    ),
    "recist11.PERSISTENT 2": ({0: {"T": 100}, 56: {"T": 70}, 112: {"T": 70}, 168: {"T": 80}}, "SD"),
    "recist11.NODE": ({0: {"T": 30, "L": 12}, 56: {"T": 0, "L": 12}}, "PR"),
    # iRECIST: iCPD by target, non-target, new; PD in another category; no change; reset; new targets apart
    "irecist.iCR": ({0: {"T": 50}, 56: {"T": 0}}, "iCR"),
    "irecist.iPR": ({0: {"T": 50}, 56: {"T": 35}}, "iPR"),
    "irecist.iSD": ({0: {"T": 50}, 56: {"T": 50}}, "iSD"),
    "irecist.iUPD": (IPD, "iUPD"),
    "irecist.SAME": (IPD | {112: {"T": 66.9}}, "iUPD"),
    "irecist.iCPD.target": (IPD | {112: {"T": 67}}, "iCPD"),
    "irecist.iCPD.nontarget": (
        {0: {"T": 50, "N": "present"}, 56: {"T": 50, "N": "progression"},
         112: {"T": 50, "N": {"status": "progression", "change": "increase"}}}, "iCPD",
    ),
    "irecist.iCPD.new": ({0: {"T": 50}, 56: {"T": 50, "X": 12}, 112: {"T": 50, "X": 17}}, "iCPD"),
    "irecist.NEWTARGETS": ({0: {"T": 50}, 56: {"T": 50, "X": 12}, 112: {"T": 50, "X": 16.9}}, "iUPD"),
    "irecist.iCPD.category": (IPD | {112: {"T": 62, "X": 12}}, "iCPD"),
    "irecist.EARLY": (IPD | {70: {"T": 80}}, "iUPD"),
    "irecist.RESET": (IPD | {112: {"T": 50}, 168: {"T": 70}}, "iUPD"),
    "irecist.NE": ({0: {"T": 50}, 56: {"T": "NE"}}, "NE"),
    # mRECIST
    "mrecist.CR": ({0: {"T": {"viable_mm": 50.0}}, 56: {"T": {"viable_mm": 0.0}}}, "CR"),
    "mrecist.PR": ({0: {"T": {"viable_mm": 50.0}}, 56: {"T": {"viable_mm": 35.0}}}, "PR"),
    "mrecist.SD": ({0: {"T": {"viable_mm": 50.0}}, 56: {"T": {"viable_mm": 35.1}}}, "SD"),
    "mrecist.PD": ({0: {"T": {"viable_mm": 50.0}}, 56: {"T": {"viable_mm": 60.0}}}, "PD"),
    "mrecist.NE": ({0: {"T": {"viable_mm": 50.0}}, 56: {"T": "NE"}}, "NE"),
    "mrecist.NT": (
        {0: {"T": {"viable_mm": 50.0}, "N": "present"}, 56: {"T": {"viable_mm": 50.0}, "N": "progression"}}, "PD",
    ),
    "mrecist.NEW": ({0: {"T": {"viable_mm": 50.0}}, 56: {"T": {"viable_mm": 50.0}, "X": 10}}, "PD"),
    "mrecist.NEW 2": ({0: {"T": {"viable_mm": 50.0}}, 56: {"T": {"viable_mm": 50.0}, "X": 9.9}}, "SD"),
    "mrecist.NODE": (
        {0: {"T": {"viable_mm": 50.0}},
         56: {"T": {"viable_mm": 50.0}, "X": {"diameter_mm": 19.0, "node": True, "organ": "porta hepatis"}}}, "SD",
    ),
    # PERCIST and EORTC
    "percist.MEASURABLE": ({0: {"T": pet(3.5), "facts": LIVER}, 30: {"T": pet(1.0), "facts": LIVER}}, "NE"),
    "percist.REFERENCE": (
        {0: {"T": pet(9), "facts": LIVER}, 30: {"T": pet(2), "facts": LIVER | {"liver_mean": 2.5}}}, "NE",
    ),
    "percist.CMR": ({0: {"T": pet(9), "facts": LIVER}, 30: {"T": pet(2), "facts": LIVER}}, "CMR"),
    "percist.PMR": ({0: {"T": pet(9)}, 30: {"T": pet(6.3)}}, "PMR"),
    "percist.PMR 2": ({0: {"T": pet(2.5)}, 30: {"T": pet(1.75)}}, "SMD"),  # 30 % yet 0.75 SUL
    "percist.SMD": ({0: {"T": pet(9)}, 30: {"T": pet(6.4)}}, "SMD"),
    "percist.PMD": ({0: {"T": pet(9)}, 30: {"T": pet(11.7)}}, "PMD"),
    "percist.TLG": ({0: {"T": pet(9, tlg=100.0)}, 30: {"T": pet(9, tlg=175.0)}}, "PMD"),
    "percist.NEW": ({0: {"T": pet(9)}, 30: {"T": pet(5), "X": pet(4)}}, "PMD"),
    "percist.NE": ({0: {"T": pet(9)}, 30: {"T": "NE"}}, "NE"),
    "eortc.CMR": ({0: {"T": pet(8)}, 30: {"T": pet(0)}}, "CMR"),
    "eortc.PMR": ({0: {"T": pet(8)}, 30: {"T": pet(6.8), "facts": {"cycles": 1.0}}}, "PMR"),
    "eortc.PMR 2": ({0: {"T": pet(8)}, 30: {"T": pet(6.8), "facts": {"cycles": 2.0}}}, "SMD"),
    "eortc.SMD": ({0: {"T": pet(8)}, 30: {"T": pet(6.1)}}, "SMD"),
    "eortc.PMD": ({0: {"T": pet(8)}, 30: {"T": pet(10)}}, "PMD"),
    "eortc.EXTENT": ({0: {"T": pet(8, diameter_mm=50.0)}, 30: {"T": pet(8, diameter_mm=60.0)}}, "PMD"),
    "eortc.NEW": ({0: {"T": pet(8)}, 30: {"T": pet(8), "X": pet(4)}}, "PMD"),
    "eortc.NE": ({0: {"T": pet(8)}, 30: {"T": "NE"}}, "NE"),
    # Choi
    "choi.CR": ({0: {"T": GIST}, 56: {"T": 0}}, "CR"),
    "choi.PR": ({0: {"T": GIST}, 56: {"T": GIST | {"density_hu": 68.0}}}, "PR"),
    "choi.PR 2": ({0: {"T": GIST}, 56: {"T": GIST | {"diameter_mm": 45.0}}}, "PR"),
    "choi.SD": ({0: {"T": GIST}, 56: {"T": GIST | {"density_hu": 68.1}}}, "SD"),
    "choi.PD": ({0: {"T": GIST}, 56: {"T": GIST | {"diameter_mm": 55.0}}}, "PD"),
    "choi.PD 2": ({0: {"T": GIST}, 56: {"T": {"diameter_mm": 55.0, "density_hu": 60.0}}}, "PR"),  # PR by density
    "choi.NE": ({0: {"T": GIST}, 56: {"T": "NE"}}, "NE"),
    "choi.NT": ({0: {"T": GIST, "N": "present"}, 56: {"T": GIST, "N": "progression"}}, "PD"),
    "choi.NEW": ({0: {"T": GIST}, 56: {"T": GIST, "X": "present"}}, "PD"),
    # RANO 2.0
    "rano.CR": (GLIOMA | {56: {"T": spd(0, 0)}}, "CR"),
    "rano.PR": (GLIOMA | {56: {"T": spd(40, 20)}}, "PR"),
    "rano.SD": (  # steroids rose
        {
            0: {"T": spd(40, 40), "facts": {"steroid_mg": 0.0}},
            56: {"T": spd(40, 20), "facts": {"steroid_mg": 4.0}},
        },
        "SD",
    ),
    "rano.PD": (GLIOMA | {56: {"T": spd(40, 50)}}, "PD"),
    "rano.MR": (GLIOMA | {56: {"T": spd(40, 30)}}, "MR", {"rano_minor_response": True}),
    "rano.PR.volume": ({0: {"T": ml(100)}, 56: {"T": ml(35)}}, "PR", {"rano_measure": "volume"}),
    "rano.PD.volume": ({0: {"T": ml(100)}, 56: {"T": ml(140)}}, "PD", {"rano_measure": "volume"}),
    "rano.NE": (GLIOMA | {56: {"T": "NE"}}, "NE"),
    "rano.NT": ({0: {"T": spd(40, 40), "N": "present"}, 56: {"T": spd(40, 40), "N": "progression"}}, "PD"),
    "rano.NEW": (GLIOMA | {56: {"T": spd(40, 40), "X": "present"}}, "PD"),
    "rano.CLINICAL": (GLIOMA | {56: {"T": spd(40, 40), "facts": {"clinical": "worse"}}}, "PD"),
    "rano.EARLY": (
        {0: {"T": spd(40, 40), "facts": {"radiotherapy_end_day": -10.0}}, 56: {"T": spd(40, 60)}}, "PDu",
    ),
    # Lugano
    "lugano.CMR": ({0: {"T": 20, "facts": {"deauville": "5"}}, 56: {"T": 20, "facts": {"deauville": "3"}}}, "CMR"),
    "lugano.PMR": ({0: {"T": 20, "facts": {"deauville": "5"}}, 56: {"T": 20, "facts": {"deauville": "4"}}}, "PMR"),
    "lugano.NMR": ({0: {"T": 20, "facts": {"deauville": "4"}}, 56: {"T": 20, "facts": {"deauville": "4"}}}, "NMR"),
    "lugano.PMD": ({0: {"T": 20, "facts": {"deauville": "4"}}, 56: {"T": 20, "facts": {"deauville": "5"}}}, "PMD"),
    "lugano.CR": ({0: {"L": spd(30, 20)}, 56: {"L": spd(15, 14)}}, "CR"),
    "lugano.PR": ({0: {"T": spd(30, 20)}, 56: {"T": spd(20, 15)}}, "PR"),
    "lugano.SD": ({0: {"T": spd(30, 20)}, 56: {"T": spd(30, 20)}}, "SD"),
    "lugano.PD": ({0: {"T": spd(14, 10)}, 56: {"T": spd(19, 12)}}, "PD"),  # 63 %, 5 mm up to 20 mm
    "lugano.PD 2": ({0: {"T": spd(18, 12)}, 56: {"T": spd(25, 16)}}, "SD"),  # 85 %, yet 7 mm above 20 mm
    "lugano.NE": ({0: {"T": spd(30, 20)}, 56: {"T": "NE"}}, "NE"),
    "lugano.NT": ({0: {"T": spd(30, 20), "N": "present"}, 56: {"T": spd(30, 20), "N": "progression"}}, "PD"),
    "lugano.NEW": ({0: {"T": spd(30, 20)}, 56: {"T": spd(30, 20), "X": "present"}}, "PD"),
    "lugano.SMALL": ({0: {"T": spd(8, 6)}, 56: {"T": "too small"}}, "SD"),  # 25 of 48 mm²: −48 %
    # PCWG3: two more, then two more than those
    "pcwg3.FIRST": ({0: BONE, 56: bone(2)}, "PDu"),
    "pcwg3.2+2": (
        {0: BONE, 56: bone(2), 112: bone(4)}, "PD",
    ),
    "pcwg3.LATER": (
        {0: BONE, 56: bone(3), 112: bone(3),
         168: bone(5)}, "PDu",
    ),
    "pcwg3.PERSISTS": (
        {0: BONE, 56: bone(0), 112: bone(2),
         168: bone(2)}, "PD",
    ),
    "pcwg3.NON": ({0: BONE, 56: bone(1)}, "NON-CR/NON-PD"),
    "pcwg3.NE": ({0: BONE, 56: BONE}, "NE"),
    # volumes of spheres (−65.7 %, +72.8 %) and WHO
    "volume.CR": ({0: {"T": ml(10)}, 56: {"T": ml(0)}}, "CR"),
    "volume.PR": ({0: {"T": ml(10)}, 56: {"T": ml(3.43)}}, "PR"),
    "volume.SD": ({0: {"T": ml(10)}, 56: {"T": ml(3.44)}}, "SD"),
    "volume.PD": ({0: {"T": ml(10)}, 56: {"T": ml(17.28)}}, "PD"),
    "volume.NE": ({0: {"T": ml(10)}, 56: {"T": "NE"}}, "NE"),
    "volume.NT": (
        {0: {"T": ml(10), "N": "present"}, 56: {"T": ml(10), "N": "progression"}}, "PD",
    ),
    "volume.NEW": ({0: {"T": ml(10)}, 56: {"T": ml(10), "X": "present"}}, "PD"),
    "who.CR": ({0: {"T": spd(30, 20)}, 56: {"T": spd(0, 0)}}, "CR"),
    "who.PR": ({0: {"T": spd(30, 20)}, 56: {"T": spd(20, 15)}}, "PR"),
    "who.NC": ({0: {"T": spd(30, 20)}, 56: {"T": spd(20, 15.1)}}, "SD"),
    "who.PD": ({0: {"T": spd(30, 20), "T2": spd(50, 50)}, 56: {"T": spd(30, 25), "T2": spd(40, 40)}}, "PD"),
    "who.NE": ({0: {"T": spd(30, 20)}, 56: {"T": "NE"}}, "NE"),
    "who.NT": ({0: {"T": spd(30, 20), "N": "present"}, 56: {"T": spd(30, 20), "N": "progression"}}, "PD"),
    "who.NEW": ({0: {"T": spd(30, 20)}, 56: {"T": spd(30, 20), "X": "present"}}, "PD"),
}  # fmt: skip

#: Rules that decide no call of a visit, and where they are proven.
ELSEWHERE = {
    "recist11.MEASURABLE": "test_recist11.test_what_is_not_measurable_is_noted",
    "recist11.NUMBER": "test_recist11.test_too_many_and_too_small_targets_are_noted",
    "recist11.CONFIRMED": "test_recist11.test_best_response_with_confirmation",
    "recist11.SDMIN": "test_recist11.test_best_response_without_confirmation",
    "rano.MEASURABLE": "test_criteria.test_rano_small_targets_are_noted",
    "rano.CONFIRMED": "test_criteria.test_a_rano_response_is_confirmed_after_four_weeks_or_is_stable_disease",
}
#: Rules of a number or a state, which show in a call that another rule makes.
SHOWN_BY = {
    "recist11.NE 2": "recist11.PD", "recist11.PD 2": "recist11.SD", "recist11.SIZE": "recist11.PR",
    "recist11.SIZE 2": "recist11.SD", "recist11.PERSISTENT 2": "recist11.SD",
    "recist11.NODE": "recist11.PR", "irecist.NEWTARGETS": "irecist.SAME", "irecist.RESET": "irecist.iUPD",
    "mrecist.NEW 2": "mrecist.SD", "mrecist.NODE": "mrecist.SD", "percist.PMR 2": "percist.SMD",
    "eortc.PMR 2": "eortc.SMD", "choi.PD 2": "choi.PR", "lugano.PD 2": "lugano.SD", "lugano.SMALL": "lugano.SD",
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_rule_decides_its_case_and_is_cited(case):
    visits, expected, *options = CASES[case]
    rule = case.split(" ")[0]
    name = {"volume": "volumetric"}.get(rule.split(".")[0], rule.split(".")[0])
    found = assess(table(visits), name, CriteriaOptions(**(options[0] if options else {})))
    last = found.timepoints.row(-1, named=True)
    assert last["overall_response"] == expected, last["reason"]
    assert last["rule"] == SHOWN_BY.get(case, rule), last["reason"]
    assert last["reason"].endswith(f"→ {expected}")


def test_every_rule_has_a_case():
    keys = {r.key for r in RECIST11} | {r.key for c in CRITERIA.values() for r in c.rules}
    proven = {case.split(" ")[0] for case in CASES} | set(ELSEWHERE)
    assert proven == keys


@pytest.mark.parametrize("place", ELSEWHERE.values())
def test_the_other_proofs_exist(place, request):
    file, name = place.split(".")
    assert f"def {name}(" in (request.path.parent / f"{file}.py").read_text(encoding="utf-8")
