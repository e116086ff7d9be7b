"""What a study file changes is computed again, and what was finished leniently is not passed over by --strict."""

import pytest

from flow.small_study import GENETICS, RESPONSE, SmallStudy
from radiolocus.app.check import check_study
from radiolocus.config import load_study
from radiolocus.errors import InputError
from radiolocus.store import read_json, read_table

ALIAS = '[cohort.ids]\naliases = { X01 = "S01" }\n'


@pytest.fixture
def study(tmp_path):
    (tmp_path / "study").mkdir()
    made = SmallStudy(tmp_path / "study", n=12)
    made.text += GENETICS + RESPONSE
    return made


def _strange(study, name):
    path = study.root / name
    path.write_text(path.read_text().replace("S01", "X01"))


def test_a_rule_that_joins_more_ids_reaches_genotypes_and_lesions(study):
    _strange(study, "geno.fam")
    _strange(study, "lesions.csv")
    root = study.run().root
    assert read_table(root, "genome/samples").height == read_table(root, "response/best").height == 11
    study.text = study.text.replace("[cohort.endpoints.os]", ALIAS + "[cohort.endpoints.os]")
    study.run()
    assert read_table(root, "genome/samples").height == read_table(root, "response/best").height == 12


def test_strict_is_fatal_for_a_subject_that_an_earlier_run_set_aside(study):
    image, mask = study.picture(4)
    study.image("S05", image, 0 * mask)
    assert study.run().set_aside >= 1
    with pytest.raises(InputError, match="no voxel") as told:
        study.run(strict=True)
    assert told.value.where.startswith("S05")


def test_the_membership_tells_who_has_lesions(study):
    _strange(study, "lesions.csv")
    rows = read_table(study.run().root, "cohort/membership").rows_by_key("source", named=True, include_key=True)
    status = {row["subject"]: row["status"] for row in rows["lesions"]}
    assert status == dict.fromkeys(study.subjects[1:], "joined") | {"X01": "not in cohort", "S01": "missing here"}


def test_check_reads_the_lesions_and_names_the_row(study):
    path = study.root / "lesions.csv"
    path.write_text(path.read_text().replace("30.0", "-30", 1))
    told = [str(m) for m in check_study(load_study(study.file())).mistakes if "S01" in str(m)]
    assert len(told) == 1
    assert "S01" in told[0]
    assert "row 2" in told[0]
    assert "S01" not in read_table(study.run().root, "response/best")["subject"]


def test_every_manifest_tells_how_long_its_stage_took(study):
    root = study.run().root
    for path in root.glob("*/manifest.json"):
        assert read_json(path.parent, path.name)["wall_time_s"] > 0, path
