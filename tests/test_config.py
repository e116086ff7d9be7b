"""The study file: shorthands, every mistake at once with its place, the schema."""

import json
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from radiolocus.config import Sections, StudyError, load_settings, load_study, study_schema
from radiolocus.simulate.cohort import _STUDY

_LEAST = """
[cohort]
subjects = "clinical.csv"
"""


def _load(tmp_path, text, root=None):
    file = tmp_path / "study.toml"
    file.write_text(text, encoding="utf-8")
    return load_study(file, root)


def _mistakes(tmp_path, text):
    with pytest.raises(StudyError) as caught:
        _load(tmp_path, text)
    return [str(m) for m in caught.value.mistakes]


def test_only_the_cohort_is_needed(tmp_path):
    study = _load(tmp_path, _LEAST)
    assert study.name == f"{tmp_path.name}/study"
    assert study.root == tmp_path.resolve()
    assert [t.path for t in study.sections.cohort.subjects] == ["clinical.csv"]
    assert all(getattr(study.sections, f.name) is None for f in fields(Sections) if f.name != "cohort")


def test_settings_keep_no_absolute_path(tmp_path):
    study = _load(tmp_path, _LEAST + f'root = "{tmp_path}"\n')
    assert str(tmp_path) not in json.dumps(study.settings())


def test_an_image_overrides_only_what_it_names(tmp_path):
    study = _load(
        tmp_path,
        _LEAST
        + """
[imaging]
families = ["intensity"]
[imaging.settings]
bin_number = 16
resegment_outliers = 3.0
[[imaging.images]]
name = "CT"
image = "{subject}/ct.nii"
mask = "{subject}/m.nii"
[imaging.images.settings]
bin_width = 25.0
[[imaging.images]]
name = "MR"
image = "{subject}/mr.nii"
mask = "{subject}/m.nii"
""",
    )
    imaging = study.sections.imaging
    ct, mr = (imaging.settings_of(image) for image in imaging.images)
    assert (ct.families, ct.bin_width, ct.bin_number, ct.resegment_outliers) == (("intensity",), 25.0, None, 3.0)
    assert (mr.bin_width, mr.bin_number) == (None, 16)


def test_all_mistakes_at_once_each_with_its_place_and_nearest_name(tmp_path):
    told = _mistakes(
        tmp_path,
        """
[cohort]
subjcts = "a.csv"
[cohort.endpoints.os]
kind = "surv"
event = "dead"
[imaging]
families = ["morfology", "glmc"]
[imaging.settings]
bin_width = -1
[[imaging.images]]
name = "PET"
[outcome]
repeats = "many"
[responce]
""",
    )
    text = "\n".join(told)
    assert "cohort.subjcts: unknown key 'subjcts'" in text
    assert "did you mean 'subjects'?" in text
    assert "cohort.endpoints.os.kind: got 'surv'; allowed: input should be 'survival', 'binary', 'competing', " in text
    assert "imaging.families: families: unknown 'morfology', 'glmc'; allowed: morphology" in text
    assert "morfology: did you mean 'morphology'?, glmc: did you mean 'glcm'?" in text
    assert "bin_width = -1.0; allowed: a finite number above 0" in text
    assert "imaging.images[1]: image 'PET' has no path" in text
    assert "outcome.repeats: got 'many'" in text
    assert "responce: unknown key 'responce'" in text
    assert "did you mean 'response'?" in text
    assert len(told) == len(set(told)) == 7


def test_a_mistake_in_shared_settings_is_told_once(tmp_path):
    images = "".join(
        f'[[imaging.images]]\nname = "I{i}"\nimage = "{{subject}}/{i}.nii"\nmask = "{{subject}}/m.nii"\n'
        "[imaging.images.settings]\nbin_number = 8\n"
        for i in range(3)
    )
    told = _mistakes(tmp_path, _LEAST + "[imaging.settings]\nresegment_outliers = -3\n" + images)
    assert [t for t in told if "resegment_outliers" in t] == [told[0]]


def test_sections_that_need_each_other(tmp_path):
    told = _mistakes(tmp_path, _LEAST + '[link]\n[genetics]\nplink = "g"\n[outcome]\nendpoints = ["os"]\n')
    assert any(
        t.startswith("link: links imaging with molecular data, but there is no [imaging and molecular]") for t in told
    )
    assert any(t.startswith("genetics: scans imaging phenotypes") for t in told)
    assert not any("missing genotypes" in t for t in told)
    assert any("unknown endpoint 'os'" in t for t in told)
    told = _mistakes(tmp_path, _LEAST + "[genetics]\nmin_maf = 0.1\n")
    assert 'genetics: missing genotypes; what to do: name them, e.g. genotypes = "cohort.pgen"' in "\n".join(told)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[cohort\n", "not valid TOML"),
        (
            '[cohort]\nsubjects = "a.csv"\nroot = "nowhere"\n',
            "no folder 'nowhere'; what to do: mend root, or give --root",
        ),
        ("[cohort]\n", "cohort.subjects: missing"),
        ("[imaging]\n", "cohort: missing"),
    ],
)
def test_files_that_cannot_be_followed(tmp_path, text, message):
    assert message in "\n".join(_mistakes(tmp_path, text))


def test_a_file_that_is_not_there_says_how_to_make_one(tmp_path):
    with pytest.raises(StudyError, match=r"no such file; what to do: `radiolocus init FOLDER` drafts one"):
        load_study(tmp_path / "study.toml")


def test_every_option_of_the_schema_is_described():
    schema = study_schema()
    bare = [
        f"{name}.{field}"
        for name, definition in [*schema["$defs"].items(), ("study", schema)]
        for field, entry in definition.get("properties", {}).items()
        if not entry.get("description")
    ]
    assert bare == []
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["cohort"]


def test_the_study_of_the_simulator_and_the_examples_are_valid(tmp_path):
    text = _STUDY.format(seed=1, variant="rs1", driver="EGFR")
    tomllib.loads(text)
    _load(tmp_path, text)
    for example in sorted((Path(__file__).parent.parent / "examples").glob("*.toml")):
        assert load_study(example, tmp_path).name


@pytest.mark.parametrize(
    ("line", "got"),
    [
        ("bin_number = true", "bin_number: got True"),
        ('bin_width = "25"', "bin_width: got '25'"),
        ('round_intensity = "yes"', "round_intensity: got 'yes'"),
        ('resample_mm = [1, 1, "1"]', "resample_mm[3]: got '1'"),
    ],
)
def test_values_of_another_type_are_mistakes_and_not_converted(tmp_path, line, got):
    file = tmp_path / "settings.toml"
    file.write_text(line)
    with pytest.raises(StudyError) as caught:
        load_settings(file)
    assert str(caught.value.mistakes[0]).startswith(f"{got}; allowed: input should be a valid")


def test_whole_numbers_lists_and_infinity_are_taken_for_what_they_are(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text("bin_width = 25\nresample_mm = [2, 2, 2]\nresegment_range = [0, inf]\n")
    found = load_settings(file)
    assert (found.bin_width, found.resample_mm, found.resegment_range) == (25.0, (2.0, 2.0, 2.0), (0.0, None))


def test_endpoints_of_benefit_and_early_must_be_those_of_the_cohort(tmp_path):
    endpoint = '[cohort.endpoints.pcr]\nkind = "binary"\nevent = "pCR"\n'
    asked = '[early]\ntable = "v.csv"\nvisit = "day"\nendpoints = ["pcR"]\n'
    asked += '[benefit]\ntreatment = "arm"\ncontrol = "a"\nmarkers = ["m"]\nfavourable = ["prc"]\n'
    told = _mistakes(tmp_path, _LEAST + endpoint + asked)
    assert len(told) == 2
    assert told[0].startswith("early.endpoints: unknown endpoint 'pcR'; allowed: pcr")
    assert told[1].startswith("benefit.favourable: unknown endpoint 'prc'; allowed: pcr")
    lacking = _mistakes(
        tmp_path, _LEAST + asked.replace('endpoints = ["pcR"]\n', "").replace('favourable = ["prc"]\n', "")
    )
    assert lacking == [f"{s}: no endpoint; what to do: add [cohort.endpoints.NAME]" for s in ("early", "benefit")]


def test_mistakes_of_benefit_name_their_place(tmp_path):
    text = '[benefit]\ntreatment = "arm"\ncontrol = "a"\nmarkers = ["m"]\nlearner = "t"\nfolds = 1\n'
    endpoint = '[cohort.endpoints.pcr]\nkind = "binary"\nevent = "pCR"\n'
    told = _mistakes(tmp_path, _LEAST + endpoint + text)
    assert any(t.startswith("benefit.learner: unknown key 'learner'") and "learners" in t for t in told)
    assert any(t.startswith("benefit") and "folds = 1" in t for t in told)
